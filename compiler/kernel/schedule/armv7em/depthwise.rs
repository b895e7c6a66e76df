//! Depthwise convolution of 3 x 3 on one plane of 16 bits, which [`super::pack`] makes. Other windows are those of
//! [`super::windows`].
//!
//! The plane holds `2 * (x - zero point)` with borders of zeros; its rows start at words and have room for a word
//! beyond the last window. Of each row of weights, two words hold the first two and the last two. Two outputs share the
//! words of their rows: with stride 1 `SMLAD` and `SMLABT` give the first, `SMLATB` and `SMLAD` the second, so that no
//! word is shifted; with stride 2 both start at words. Weights fill six registers, pointers to the rows three.
//!
//! **Quantization.** Three words for a channel: twice the bias, the mantissa, and the
//! [shifts](super::ending::shifts).

use std::sync::Arc;

use super::assembler::Assembler;
use super::ending::{Ending, limit};
use super::meaning::{RANGE, each, multiply_add, output, parameters, set, shift};
use crate::kernel::lower::load;
use crate::kernel::micro::Known;
use crate::kernel::{Affine, Assembly, Buf, Derivation, Function, MicroKernel, Reg, Special, Stmt, Ty, Var};

/// Rows and columns of the window.
pub(in crate::kernel) const KERNEL: usize = 3;
/// Words of quantization for a channel.
pub(in crate::kernel) const CHANNEL_WORDS: usize = 3;

/// The name of [`depthwise`].
pub(in crate::kernel) fn name(stride: usize, ending: Ending) -> String {
    format!("depthwise_3x3_{stride}_{}", ending.name())
}

/// Columns of a plane's row, for so many outputs in a row.
pub(in crate::kernel) fn reach(stride: usize, outputs: usize) -> usize {
    match stride {
        // Pairs read four columns; a single one at the end as many.
        1 => outputs + 2 + outputs % 2,
        // Pairs read six, a single one four.
        _ => 2 * outputs + 2,
    }
}

/// The micro-kernel for stride 1 or 2: `rows` by `columns` outputs of one channel, `step` elements apart.
pub(in crate::kernel) fn depthwise(stride: usize, ending: Ending) -> Arc<MicroKernel> {
    static KNOWN: [Known<{ Ending::COUNT }>; 2] = [const { Known::new() }; 2];
    KNOWN[stride - 1].get(ending as usize, || MicroKernel {
        meaning: meaning(stride, ending),
        n_registers: 0,
        armv7em: Some(Special::Assembly(assembly(stride, ending))),
    })
}

fn meaning(stride: usize, ending: Ending) -> Function {
    let [x, w, q, out] = [0, 1, 2, 3].map(Buf);
    let [rows, columns, pitch, step] = [0, 1, 2, 3].map(Var);
    let (half, range) = (Var(4), [Var(5), Var(6)]);
    let mut vars: Vec<String> = ["rows", "columns", "pitch", "step", "half"].map(String::from).to_vec();
    if ending == Ending::General {
        vars.extend(RANGE.map(String::from));
    }
    let n_scalars = vars.len() as u32;
    let [row, column, line, first, at] = [0, 1, 2, 3, 4].map(|at| Var(n_scalars + at));
    vars.extend(["row", "column", "line", "first", "at"].map(String::from));
    let var = Affine::var;
    let product = |to: Var, left: Affine, right: Affine| Stmt::Let {
        var: to,
        derivation: Derivation::Product,
        left,
        right,
    };
    let sum = Reg(0);
    let mut body =
        vec![product(at, var(first).plus(&var(column)), var(step)), set(sum, load(q, &Affine::default()))];
    for tap in 0..(KERNEL * KERNEL) as i64 {
        let (ky, kx) = (tap / KERNEL as i64, tap % KERNEL as i64);
        let index = var(line).plus(&var(pitch).times(ky)).plus(&var(column).times(stride as i64)).offset(kx);
        body.push(multiply_add(sum, load(x, &index), load(w, &Affine::constant(tap))));
    }
    let word = Affine::constant;
    let multiplier = (load(q, &word(1)), shift(q, &word(2), &Affine::default()));
    let value = output(ending, sum, multiplier, half, range);
    body.push(Stmt::Store { buf: out, index: var(at), value });
    let body = vec![each(
        row,
        var(rows),
        vec![
            product(line, var(row).times(stride as i64), var(pitch)),
            product(first, var(row), var(columns)),
            each(column, var(columns), body),
        ],
    )];
    Function {
        name: name(stride, ending),
        params: parameters(),
        n_scalars,
        vars,
        registers: vec![Ty::I32],
        locals: Vec::new(),
        body: body.into(),
    }
}

/// Slots of constants: even ones start pairs.
mod slot {
    pub(super) const BIAS: u64 = 0;
    pub(super) const SCALE: u64 = 2;
    pub(super) const ROUND: u64 = 3;
    pub(super) const RIGHT: u64 = 4;
    pub(super) const STEP: u64 = 5;
    pub(super) const ROW_BYTES: u64 = 6;
    pub(super) const ROW_REST: u64 = 7;
    pub(super) const ROWS: u64 = 8;
    pub(super) const ODD: u64 = 9;
    pub(super) const ROW_END: u64 = 10;
    pub(super) const LEFT: u64 = 12;
    pub(super) const FLAG: u64 = 13;
    pub(super) const LOW: u64 = 14;
    pub(super) const HIGH: u64 = 15;
}

/// Pointers to the three rows under the window.
const ROWS: [&str; KERNEL] = ["r0", "r1", "r12"];
/// Each row's weights.
const WEIGHTS: [[&str; 2]; KERNEL] = [["r4", "r5"], ["r6", "r7"], ["r8", "r9"]];

fn assembly(stride: usize, ending: Ending) -> Assembly {
    let slots = if ending == Ending::General { 16 } else { 12 };
    Assembler::assemble(slots, bytes(stride, ending), |a| {
        constants(a, stride, ending);
        weights(a);
        a.lines("1:");
        a.get("r2", slot::ROW_BYTES);
        a.lines("add r2, r2, r0; cmp r2, r0");
        a.put(slot::ROW_END, "r2");
        a.lines("beq 4f; 2:");
        pair(a, stride, ending);
        a.get("r2", slot::ROW_END);
        a.lines("cmp r0, r2; bne 2b; 4:");
        a.get("r3", slot::ODD);
        a.lines("cmp r3, #0; beq 3f");
        single(a, ending);
        a.lines("3:");
        a.get("r2", slot::ROWS);
        a.get("r3", slot::ROW_REST);
        a.lines("add r0, r0, r3; add r1, r1, r3; add r12, r12, r3; subs r2, r2, #1");
        a.put(slot::ROWS, "r2");
        a.lines("bne 1b");
    })
}

/// Bytes of the forms, the larger of the two each, as GNU as 2.40 assembles them.
fn bytes(stride: usize, ending: Ending) -> u64 {
    match (stride, ending) {
        (1, Ending::Relu) => 370,
        (1, Ending::Signed) => 388,
        (1, Ending::General) => 534,
        (_, Ending::Relu) => 378,
        (_, Ending::Signed) => 396,
        (_, Ending::General) => 542,
    }
}

fn constants(a: &mut Assembler, stride: usize, ending: Ending) {
    a.lines("ldr r4, [r2]; ldrd r6, r7, [r2, #4]");
    a.argument("r9", 4);
    a.lines("lsl r9, r9, r7; asr r9, r9, #1");
    a.put_pair(slot::BIAS, "r4", "r4");
    a.put_pair(slot::SCALE, "r6", "r9");
    if ending == Ending::General {
        a.lines("lsr r4, r7, #16; uxtb r5, r7; rsb r5, r5, #0; asr r5, r5, #31");
        a.put_pair(slot::LEFT, "r4", "r5");
        a.arguments("r4", "r5", 5);
        a.put_pair(slot::LOW, "r4", "r5");
    }
    a.arguments("r6", "r8", 2);
    a.put_pair(slot::RIGHT, "r7", "r8");
    a.arguments("r4", "r5", 0);
    // r6: columns of a plane; r8: bytes that the pointers advance in a row.
    a.lines(&format!(
        "bic r8, r5, #1; lsl r8, r8, #{stride}; lsl r11, r6, #1; rsb r9, r8, r11, lsl #{}; and r5, r5, #1",
        stride - 1
    ));
    a.put_pair(slot::ROW_BYTES, "r8", "r9");
    a.put_pair(slot::ROWS, "r4", "r5");
    a.lines("mov lr, r3");
}

/// The weights, and the pointers to the second and third row.
fn weights(a: &mut Assembler) {
    for (row, [first, last]) in WEIGHTS.iter().enumerate() {
        let at = KERNEL * row;
        a.lines(&format!("ldrsb r2, [r1, #{at}]; ldrsb r3, [r1, #{}]; ldrsb r10, [r1, #{}]", at + 1, at + 2));
        a.lines(&format!("pkhbt {first}, r2, r3, lsl #16; pkhbt {last}, r3, r10, lsl #16"));
    }
    a.lines("add r1, r0, r11; add r12, r1, r11");
}

/// Requantizes sums by the help of `r2` and `r3`, and leaves the distance of outputs in `r3`.
fn quantize(a: &mut Assembler, ending: Ending, sums: &[&str]) {
    match ending {
        Ending::Relu => {
            a.get_pair("r2", "r3", slot::SCALE);
            sums.iter().for_each(|sum| a.lines(&format!("smmlar {sum}, {sum}, r2, r3")));
            a.get_pair("r2", "r3", slot::RIGHT);
            sums.iter().for_each(|sum| a.lines(&format!("asr {sum}, {sum}, r2; ssat {sum}, #8, {sum}")));
        }
        Ending::Signed => {
            a.get_pair("r2", "r3", slot::SCALE);
            for sum in sums {
                a.lines(&format!("smmulr {sum}, {sum}, r2; add {sum}, {sum}, {sum}, asr #31"));
                a.lines(&format!("add {sum}, {sum}, r3"));
            }
            a.get_pair("r2", "r3", slot::RIGHT);
            sums.iter().for_each(|sum| a.lines(&format!("asr {sum}, {sum}, r2; ssat {sum}, #8, {sum}")));
        }
        Ending::General => {
            for sum in sums {
                a.get("r2", slot::LEFT);
                a.get("r3", slot::SCALE);
                a.lines(&format!("lsl {sum}, {sum}, r2; smmulr {sum}, {sum}, r3"));
                a.get("r2", slot::FLAG);
                a.get("r3", slot::ROUND);
                a.lines(&format!("and r2, r2, {sum}, asr #31; add {sum}, {sum}, r2; add {sum}, {sum}, r3"));
                a.get("r2", slot::RIGHT);
                a.lines(&format!("asr {sum}, {sum}, r2"));
                limit(a, sum, "r2", [slot::LOW, slot::HIGH]);
            }
            a.get("r3", slot::STEP);
        }
    }
}

/// Two outputs.
fn pair(a: &mut Assembler, stride: usize, ending: Ending) {
    a.get_pair("r10", "r11", slot::BIAS);
    for (row, [first, last]) in ROWS.iter().zip(WEIGHTS) {
        a.lines(&format!("ldrd r2, r3, [{row}], #{}; smlad r10, r2, {first}, r10", 4 * stride));
        if stride == 1 {
            a.lines(&format!("smlatb r11, r2, {first}, r11"));
            a.lines(&format!("smlabt r10, r3, {last}, r10; smlad r11, r3, {last}, r11"));
        } else {
            // The pointer is at the third word now.
            a.lines(&format!("ldr r2, [{row}]; smlabt r10, r3, {last}, r10; smlad r11, r3, {first}, r11"));
            a.lines(&format!("smlabt r11, r2, {last}, r11"));
        }
    }
    quantize(a, ending, &["r10", "r11"]);
    a.lines("strb r11, [lr, r3]; strb r10, [lr]; add lr, lr, r3, lsl #1");
}

/// The last output of an odd number.
fn single(a: &mut Assembler, ending: Ending) {
    a.get("r10", slot::BIAS);
    for (row, [first, last]) in ROWS.iter().zip(WEIGHTS) {
        a.lines(&format!("ldrd r2, r3, [{row}]"));
        a.lines(&format!("smlad r10, r2, {first}, r10; smlabt r10, r3, {last}, r10"));
    }
    quantize(a, ending, &["r10"]);
    a.lines("strb r10, [lr]; add lr, lr, r3");
}
