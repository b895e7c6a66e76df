//! Activations widened, doubled and laid out for the products.

use std::sync::Arc;

use super::assembler::Assembler;
use super::meaning::each;
use super::tile::{GROUP, LANES, packed};
use crate::kernel::lower::{binary, int, load, scalar};
use crate::kernel::micro::Known;
use crate::kernel::{
    Access, Affine, BinOp, Buf, BufParam, Derivation, Expr, Function, MicroKernel, Special, Stmt, Var,
};
use crate::tensor::DType;

/// Channels that [`planes`] takes apart at once.
pub(in crate::kernel) const CHANNELS: usize = 4;

fn param(name: &str, elem: DType, access: Access) -> BufParam {
    BufParam { name: name.into(), elem, access }
}

/// `2 * (x[at] - zero)`.
pub(in crate::kernel) fn doubled(x: Buf, at: &Affine, zero: Var) -> Expr {
    binary(BinOp::Mul, binary(BinOp::Sub, load(x, at), scalar(zero)), int(2))
}

/// Packs `groups` groups, at least one, of contiguous elements for the lane that `packed` points to.
pub(in crate::kernel) fn pack() -> Arc<MicroKernel> {
    static KNOWN: Known<1> = Known::new();
    KNOWN.get(0, elements)
}

fn elements() -> MicroKernel {
    let [x, to] = [0, 1].map(Buf);
    let [groups, zero, group] = [0, 1, 2].map(Var);
    let stores = (0..GROUP).map(|within| Stmt::Store {
        buf: to,
        index: Affine::var(group).times((LANES * GROUP) as i64).offset(packed(within, 0) as i64),
        value: doubled(x, &Affine::var(group).times(GROUP as i64).offset(within as i64), zero),
    });
    let body = vec![each(group, Affine::var(groups), stores.collect())];
    let text = "
const uint32_t offset = (uint32_t)(uint16_t)(-zero) * 0x10001u;
const int16_t *const end = packed + 16 * groups;
do {
  uint32_t even, odd;
  __asm__ volatile(\"ldr %1, [%2], #4\\n\\tsxtab16 %0, %4, %1\\n\\tsxtab16 %1, %4, %1, ror #8\\n\\t\"
                   \"sadd16 %0, %0, %0\\n\\tsadd16 %1, %1, %1\\n\\tstr %1, [%3, #16]\\n\\tstr %0, [%3], #32\"
                   : \"=&r\"(even), \"=&r\"(odd), \"+r\"(x), \"+r\"(packed) : \"r\"(offset) : \"memory\");
} while (packed != end);
";
    let meaning = Function {
        name: "pack".into(),
        params: vec![param("x", DType::I8, Access::Read), param("packed", DType::I16, Access::Write)],
        n_scalars: 2,
        vars: ["groups", "zero", "group"].map(String::from).to_vec(),
        registers: Vec::new(),
        locals: Vec::new(),
        body: body.into(),
    };
    MicroKernel { meaning, n_registers: 0, armv7em: Some(Special::Inline(text.into())) }
}

/// Packs zeros as [`pack`] does elements; there may be no groups.
pub(in crate::kernel) fn pack_zeros() -> Arc<MicroKernel> {
    static KNOWN: Known<1> = Known::new();
    KNOWN.get(0, zeros)
}

fn zeros() -> MicroKernel {
    let [groups, group] = [0, 1].map(Var);
    let stores = (0..GROUP).map(|within| Stmt::Store {
        buf: Buf(0),
        index: Affine::var(group).times((LANES * GROUP) as i64).offset(packed(within, 0) as i64),
        value: int(0),
    });
    let text = "
const uint32_t none = 0;
for (; groups > 0; --groups) {
  __asm__ volatile(\"str %1, [%0, #16]\\n\\tstr %1, [%0], #32\" : \"+r\"(packed) : \"r\"(none) : \"memory\");
}
";
    let meaning = Function {
        name: "pack_zeros".into(),
        params: vec![param("packed", DType::I16, Access::Write)],
        n_scalars: 1,
        vars: ["groups", "group"].map(String::from).to_vec(),
        registers: Vec::new(),
        locals: Vec::new(),
        body: vec![each(group, Affine::var(groups), stores.collect())].into(),
    };
    MicroKernel { meaning, n_registers: 0, armv7em: Some(Special::Inline(text.into())) }
}

/// Bytes of [`planes`], the larger form.
const PLANES_BYTES: u64 = 228;

/// Takes [`CHANNELS`] channels of a map apart into planes of 16 bits, `2 * (x - zero)` each: `rows` by `columns`
/// pixels `stride` elements apart, to planes with rows of `pitch` elements, `area` elements apart. Rows of the map are
/// `skip` elements longer.
pub(in crate::kernel) fn planes() -> Arc<MicroKernel> {
    static KNOWN: Known<1> = Known::new();
    KNOWN.get(0, apart)
}

fn apart() -> MicroKernel {
    let [x, to] = [0, 1].map(Buf);
    let names = ["rows", "columns", "stride", "skip", "pitch", "area", "zero"];
    let [rows, columns, stride, skip, pitch, area, zero] = [0, 1, 2, 3, 4, 5, 6].map(Var);
    let [row, column, down, gap, line, from] = [7, 8, 9, 10, 11, 12].map(Var);
    let var = Affine::var;
    let derive = |to: Var, left: Affine, right: Affine| Stmt::Let {
        var: to,
        derivation: Derivation::Product,
        left,
        right,
    };
    let mut inner = vec![derive(from, var(down).plus(&var(column)), var(stride))];
    for channel in 0..CHANNELS as i64 {
        let start = match channel {
            0 => Affine::default(),
            _ => var(area).times(channel),
        };
        let source = var(from).plus(&var(gap)).offset(channel);
        inner.push(Stmt::Store {
            buf: to,
            index: start.plus(&var(line)).plus(&var(column)),
            value: doubled(x, &source, zero),
        });
    }
    let outer = vec![
        derive(down, var(row), var(columns)),
        derive(gap, var(row), var(skip)),
        derive(line, var(row), var(pitch)),
        each(column, var(columns), inner),
    ];
    let mut vars: Vec<String> = names.map(String::from).to_vec();
    vars.extend(["row", "column", "down", "gap", "line", "from"].map(String::from));
    let meaning = Function {
        name: "planes".into(),
        params: vec![param("x", DType::I8, Access::Read), param("plane", DType::I16, Access::Write)],
        n_scalars: names.len() as u32,
        vars,
        registers: Vec::new(),
        locals: Vec::new(),
        body: vec![each(row, var(rows), outer)].into(),
    };
    let assembly = Assembler::assemble(4, PLANES_BYTES, take_apart);
    MicroKernel { meaning, n_registers: 0, armv7em: Some(Special::Assembly(assembly)) }
}

/// Slots of what rows take: even ones start pairs.
mod slot {
    pub(super) const ROWS: u64 = 0;
    /// Bytes from a row's start to its last element.
    pub(super) const ROW_BYTES: u64 = 1;
    /// From the end of a row to the next, of the plane and of the map.
    pub(super) const GAPS: u64 = 2;
}

/// Two pixels at a time, which make words; one before and after them where a row's start or end is no word's.
fn take_apart(a: &mut Assembler) {
    // r1, r3, r6, r7: where each channel goes on; r2: from pixel to pixel; r8: the offset twice; r9: a row's last.
    a.lines("mov r10, r2; lsl lr, r3, #1");
    a.arguments("r2", "r12", 0);
    a.arguments("r11", "r4", 2);
    a.argument("r8", 4);
    a.lines("lsl r11, r11, #1; sub r11, r11, lr; sub lr, lr, #2");
    a.put_pair(slot::ROWS, "r10", "lr");
    a.put_pair(slot::GAPS, "r11", "r12");
    a.lines("add r3, r1, r4, lsl #1; add r6, r3, r4, lsl #1; add r7, r6, r4, lsl #1");
    a.lines("rsb r8, r8, #0; pkhbt r8, r8, r8, lsl #16; 1:");
    a.get("r9", slot::ROW_BYTES);
    a.lines("add r9, r9, r1; tst r1, #2; bne 5f; 2:; cmp r1, r9; bhs 4f; 3:");
    a.lines("ldr r4, [r0]; ldr r5, [r0, r2]; add r0, r0, r2, lsl #1");
    a.lines(
        "sxtab16 r10, r8, r4; sxtab16 r4, r8, r4, ror #8; sxtab16 r11, r8, r5; sxtab16 r5, r8, r5, ror #8",
    );
    for words in ["r10", "r4", "r11", "r5"] {
        a.lines(&format!("sadd16 {words}, {words}, {words}"));
    }
    a.lines("pkhbt r12, r10, r11, lsl #16; pkhbt lr, r4, r5, lsl #16");
    a.lines("pkhtb r11, r11, r10, asr #16; pkhtb r5, r5, r4, asr #16");
    a.lines("str r12, [r1], #4; str lr, [r3], #4; str r11, [r6], #4; str r5, [r7], #4; cmp r1, r9; blo 3b; 4:; bhi 6f");
    a.lines("5:; ldr r4, [r0]; add r0, r0, r2; sxtab16 r5, r8, r4; sxtab16 r4, r8, r4, ror #8");
    a.lines("sadd16 r5, r5, r5; sadd16 r4, r4, r4; strh r5, [r1], #2; strh r4, [r3], #2");
    a.lines("lsrs r5, r5, #16; lsrs r4, r4, #16; strh r5, [r6], #2; strh r4, [r7], #2; b 2b; 6:");
    a.get_pair("r4", "r5", slot::GAPS);
    a.lines("add r0, r0, r5; add r1, r1, r4; add r3, r3, r4; add r6, r6, r4; add r7, r7, r4");
    a.get("r4", slot::ROWS);
    a.lines("subs r4, r4, #1");
    a.put(slot::ROWS, "r4");
    a.lines("bne 1b");
}
