//! Sum of two tensors. The input with the greater scale has the multiplier 1/2 exactly; the other has its own, unless
//! both are one.

use std::sync::Arc;

use super::assembler::Assembler;
use super::ending::{Ending, Slots, finish};
use super::meaning::{RANGE, output, set, shift_of};
use crate::kernel::lower::{binary, int, load, requant, scalar};
use crate::kernel::micro::Known;
use crate::kernel::{
    Access, Affine, Assembly, BinOp, Buf, BufParam, Function, MicroKernel, Reg, Special, Stmt, Ty, Var,
};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// Bits that an input is shifted to the left before it is scaled.
const LEFT_SHIFT: i64 = 20;

/// The name of [`add`].
pub(in crate::kernel) fn name(scaled: bool, ending: Ending) -> String {
    format!("add_{}{}", if scaled { "scaled_" } else { "" }, ending.name())
}

/// The micro-kernel: `out[i] = a[i] + b[i]`, where `a` has the lesser scale if they differ.
pub(in crate::kernel) fn add(scaled: bool, ending: Ending) -> Arc<MicroKernel> {
    static KNOWN: [Known<{ Ending::COUNT }>; 2] = [const { Known::new() }; 2];
    KNOWN[usize::from(scaled)].get(ending as usize, || MicroKernel {
        meaning: meaning(scaled, ending),
        n_registers: 0,
        armv7em: Some(Special::Assembly(assembly(scaled, ending))),
    })
}

/// Scalars, in order; those of `a` only where it is scaled.
fn names(scaled: bool, ending: Ending) -> Vec<String> {
    let mut names = vec!["count", "sum_value", "sum_shifts", "half", "a_zero", "b_zero"];
    if scaled {
        names.extend(["a_value", "a_right"]);
    }
    if ending == Ending::General {
        names.extend(RANGE);
    }
    names.into_iter().map(String::from).collect()
}

fn meaning(scaled: bool, ending: Ending) -> Function {
    let [a, b, out] = [0, 1, 2].map(Buf);
    let [count, sum_value, sum_shifts, half, a_zero, b_zero] = [0, 1, 2, 3, 4, 5].map(Var);
    let [a_value, a_right] = [6, 7].map(Var);
    let vars = names(scaled, ending);
    let n_scalars = vars.len() as u32;
    let (at, range) = (Var(n_scalars), [Var(n_scalars.wrapping_sub(2)), Var(n_scalars.wrapping_sub(1))]);
    let index = Affine::var(at);
    let offset = |buf: Buf, zero: Var| binary(BinOp::Sub, load(buf, &index), scalar(zero));
    let halved = |buf: Buf, zero: Var| binary(BinOp::Shl, offset(buf, zero), int(LEFT_SHIFT - 1));
    let first = if scaled {
        let shifted = binary(BinOp::Shl, offset(a, a_zero), int(LEFT_SHIFT));
        let shift = binary(BinOp::Sub, int(0), scalar(a_right));
        requant(shifted, scalar(a_value), shift, Rounding::Double)
    } else {
        halved(a, a_zero)
    };
    let sum = binary(BinOp::Add, first, halved(b, b_zero));
    let doubled = Reg(0);
    let multiplier = (scalar(sum_value), shift_of(&scalar(sum_shifts), &Affine::default()));
    let body = vec![
        set(doubled, binary(BinOp::Mul, sum, int(2))),
        Stmt::Store {
            buf: out,
            index: index.clone(),
            value: output(ending, doubled, multiplier, half, range),
        },
    ];
    let param = |name: &str, access: Access| BufParam { name: name.into(), elem: DType::I8, access };
    Function {
        name: name(scaled, ending),
        params: vec![param("a", Access::Read), param("b", Access::Read), param("out", Access::Write)],
        n_scalars,
        vars: vars.into_iter().chain(["at".into()]).collect(),
        registers: vec![Ty::I32],
        locals: Vec::new(),
        body: vec![Stmt::For { var: at, lower: Affine::default(), upper: Affine::var(count), step: 1, body }]
            .into(),
    }
}

/// Bytes of the forms, the larger of the two each, as GNU as 2.40 assembles them.
fn bytes(scaled: bool, ending: Ending) -> u64 {
    match (scaled, ending) {
        (false, Ending::Relu) => 70,
        (false, Ending::Signed) => 76,
        (false, Ending::General) => 134,
        (true, Ending::Relu) => 118,
        (true, Ending::Signed) => 124,
        (true, Ending::General) => 182,
    }
}

/// Slots of the general ending.
const SLOTS: Slots = Slots { left: 0, flag: 1, low: 2, high: 3 };

fn assembly(scaled: bool, ending: Ending) -> Assembly {
    let slots = if ending == Ending::General { 4 } else { 0 };
    let bytes = bytes(scaled, ending);
    Assembler::assemble(slots, bytes, |a| {
        // r3: the end; r10, r11, r12: mantissa, half of the last place and the zero point, shift of the sum;
        // lr: zero points, doubled and shifted as the sum is; r6 to r9: those of the first input.
        a.lines("add r3, r2, r3");
        a.arguments("r10", "r12", 0);
        a.arguments("r11", "r6", 2);
        a.argument("lr", 4);
        a.lines("lsl r11, r11, r12; asr r11, r11, #1");
        if ending == Ending::General {
            a.lines("lsr r4, r12, #16; uxtb r5, r12; rsb r5, r5, #0; asr r5, r5, #31");
            a.put_pair(SLOTS.left, "r4", "r5");
            a.arguments("r4", "r5", if scaled { 7 } else { 5 });
            a.put_pair(SLOTS.low, "r4", "r5");
        }
        if scaled {
            a.arguments("r7", "r9", 5);
            a.lines("lsl r6, r6, #21; lsl lr, lr, #20; mov r8, #1; lsl r8, r8, r9; asr r8, r8, #1");
        } else {
            a.lines("add lr, lr, r6; lsl lr, lr, #20");
        }
        a.lines("1:; ldrsb r4, [r0], #1; ldrsb r5, [r1], #1");
        if scaled {
            a.lines(
                "rsb r4, r6, r4, lsl #21; smmulr r4, r4, r7; cmp r9, #0; it ne; addne r4, r4, r4, asr #31",
            );
            a.lines(
                "add r4, r4, r8; asr r4, r4, r9; lsl r4, r4, #1; add r4, r4, r5, lsl #20; sub r4, r4, lr",
            );
        } else {
            a.lines("add r4, r4, r5; rsb r4, lr, r4, lsl #20");
        }
        finish(a, ending, "r4", ["r10", "r11", "r12", "r5"], SLOTS);
        a.lines("strb r4, [r2], #1; cmp r2, r3; bne 1b");
    })
}
