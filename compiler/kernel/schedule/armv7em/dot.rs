//! The dot product of single pixels, as C.
//!
//! Source  Arm v7-M Architecture Reference Manual, SXTAB16, SXTB16 and SMLAD.

use std::fmt::Write as _;

/// The body of [`dot`](crate::kernel::schedule::dot::dot): four elements of each row at a time, the rest of the run in plain C.
/// `SXTAB16` takes the zero point off while it widens, so that an offset costs nothing. Each row is one asm
/// statement, or GCC's scheduler hoists the loads of all rows and spills the sums (measured with GCC 12.2 at -O2:
/// 31 instead of 25 instructions for 16 products). Rows come in pairs on one pointer: the odd one by its stride,
/// then the even one with increment. There is no `<arm_acle.h>`: GCC 12 lacks the rotated form in it.
pub(in crate::kernel::schedule) fn dot(rows: usize) -> String {
    let four = [
        "  uint32_t even, odd, p, v;",
        "  __asm__ volatile(\"ldr %1, [%2], #4\\n\\tsxtab16 %0, %3, %1\\n\\tsxtab16 %1, %3, %1, ror #8\"",
        "                   : \"=&r\"(even), \"=&r\"(odd), \"+r\"(x) : \"r\"(offset) : \"memory\");",
    ];
    let offset = "const uint32_t offset = (uint32_t)(uint16_t)(-zero) * 0x10001u;";
    body(rows, (offset, "int8_t"), &four, "*x++ - zero")
}

/// The body of the same for int16, whose zero point is 0. Two words of the run are sorted into the order of the widened
/// weights, elements 0 and 2 and elements 1 and 3, for all rows at once.
pub(in crate::kernel::schedule) fn dot_int16(rows: usize) -> String {
    let four = [
        "  uint32_t even, odd, p, v;",
        "  __asm__ volatile(\"ldr %0, [%2], #4\\n\\tldr %3, [%2], #4\\n\\tpkhtb %1, %3, %0, asr #16\\n\\t\"",
        "                   \"pkhbt %0, %0, %3, lsl #16\"",
        "                   : \"=&r\"(even), \"=&r\"(odd), \"+r\"(x), \"=&r\"(v) : : \"memory\");",
    ];
    body(rows, ("(void)zero;", "int16_t"), &four, "*x++")
}

/// What both are: `four` makes pairs of the next four elements, `one` is the next element alone.
fn body(rows: usize, (before, elem): (&str, &str), four: &[&str], one: &str) -> String {
    let mut out = String::new();
    let mut line = |text: &str| writeln!(out, "{text}").expect("a String takes all");
    let pair = rows > 2;
    line(before);
    line(&format!("const {elem} *const end = x + (n & ~3);"));
    for row in 0..rows {
        line(&format!("int32_t a{row} = *r{row};"));
    }
    if pair {
        line("const int8_t *w2 = w + 2 * stride;");
    }
    line("while (x != end) {");
    four.iter().for_each(|text| line(text));
    for row in (0..rows).map(|row| if rows > 1 { row ^ 1 } else { row }) {
        let address = if row % 2 == 1 { "[%3, %6]" } else { "[%3], #4" };
        let pointer = base(row);
        line(&format!(
            "  __asm__ volatile(\"ldr %2, {address}\\n\\tsxtb16 %1, %2\\n\\tsxtb16 %2, %2, ror #8\\n\\t\""
        ));
        line("                   \"smlad %0, %4, %1, %0\\n\\tsmlad %0, %5, %2, %0\"");
        line(&format!("                   : \"+r\"(a{row}), \"=&r\"(p), \"=&r\"(v), \"+r\"({pointer})"));
        line("                   : \"r\"(even), \"r\"(odd), \"r\"(stride) : \"memory\");");
    }
    line("}");
    line("for (n &= 3; n != 0; n--) {");
    line(&format!("  const int32_t v = {one};"));
    for row in 0..rows {
        let index = if row % 2 == 1 { "[stride]" } else { "[0]" };
        line(&format!("  a{row} += v * {}{index};", base(row)));
    }
    line(if pair { "  w++;\n  w2++;" } else { "  w++;" });
    line("}");
    for row in 0..rows {
        line(&format!("*r{row} = a{row};"));
    }
    out
}

/// The pointer that a row is reached from.
fn base(row: usize) -> &'static str {
    if row < 2 { "w" } else { "w2" }
}
