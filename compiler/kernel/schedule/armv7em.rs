//! Armv7E-M with the DSP extension: C bodies of micro-kernels.
//!
//! Source  Arm v7-M Architecture Reference Manual, SXTAB16, SXTB16 and SMLAD.

use std::fmt::Write as _;

/// The body of [`dot`](super::dot::dot): four elements of each row at a time. `SXTAB16` takes the zero point off
/// while it widens, so that an offset costs nothing. The rest of the run is plain C. There is no `<arm_acle.h>`:
/// the compilers' versions of it lack the rotated form.
pub(super) fn dot(rows: usize) -> String {
    let mut out = String::new();
    let mut line = |text: String| writeln!(out, "{text}").expect("a String takes all");
    line("const uint32_t offset = (uint32_t)(uint16_t)(-zero) * 0x10001u;".into());
    line("const int8_t *const end4 = x + (n & ~3);".into());
    line("const int8_t *const end = x + n;".into());
    for row in 0..rows {
        line(format!("int32_t a{row} = *r{row};"));
    }
    if rows > 2 {
        line("const int8_t *w2 = w + 2 * stride;".into());
    }
    line("while (x != end4) {".into());
    line("  uint32_t v, even, odd, p;".into());
    line("  __builtin_memcpy(&v, x, 4);".into());
    line("  __asm__(\"sxtab16 %0, %1, %2\" : \"=r\"(even) : \"r\"(offset), \"r\"(v));".into());
    line("  __asm__(\"sxtab16 %0, %1, %2, ror #8\" : \"=r\"(odd) : \"r\"(offset), \"r\"(v));".into());
    for row in 0..rows {
        line(format!("  __builtin_memcpy(&v, {}, 4);", place(row)));
        line("  __asm__(\"sxtb16 %0, %1\" : \"=r\"(p) : \"r\"(v));".into());
        line("  __asm__(\"sxtb16 %0, %1, ror #8\" : \"=r\"(v) : \"r\"(v));".into());
        line(format!("  __asm__(\"smlad %0, %1, %2, %0\" : \"+r\"(a{row}) : \"r\"(even), \"r\"(p));"));
        line(format!("  __asm__(\"smlad %0, %1, %2, %0\" : \"+r\"(a{row}) : \"r\"(odd), \"r\"(v));"));
    }
    line("  x += 4;".into());
    line("  w += 4;".into());
    if rows > 2 {
        line("  w2 += 4;".into());
    }
    line("}".into());
    line("while (x != end) {".into());
    line("  const int32_t v = *x++ - zero;".into());
    for row in 0..rows {
        line(format!("  a{row} += v * *({});", place(row)));
    }
    line("  w++;".into());
    if rows > 2 {
        line("  w2++;".into());
    }
    line("}".into());
    for row in 0..rows {
        line(format!("*r{row} = a{row};"));
    }
    if rows == 1 {
        line("(void)stride;".into());
    }
    out
}

/// Where a row's elements are; two base pointers serve four rows with the addressing modes that there are.
fn place(row: usize) -> &'static str {
    ["w", "w + stride", "w2", "w2 + stride"][row]
}
