//! Four filters against one row of activations: the product of dense layers.
//!
//! **Weights.** Filters come in fours, each four's elements in groups of four: the words `{0.0, 1.0, 0.2, 1.2}`,
//! `{0.1, 1.1, 0.3, 1.3}` (filter, element) of the first two filters, then those of the other two. `SXTB16` widens a
//! word of activations to its elements 0 and 2, and 1 and 3 after a rotation, and a word of weights to the same of one
//! filter and then of the other, so that one load brings what eight multiplications take. Filters that a last four
//! lacks are zeros.
//!
//! **Quantization.** Twelve words for a four: the biases, which hold what the input's zero point makes; then for each
//! filter its mantissa and its shift to the right beyond 32 bits.
//!
//! A dense layer rounds once: half of the last place is added to the product of 64 bits, one less if it is negative.
//! With a shift of more than 32 bits, half of the last place lies in the upper word, and so does the zero point.

use std::sync::Arc;

use super::assembler::Assembler;
use super::ending::limit;
use super::meaning::{RANGE, each, multiply_add, set};
use crate::kernel::lower::{binary, int, load, requant, scalar};
use crate::kernel::micro::Known;
use crate::kernel::{
    Access, Affine, Assembly, BinOp, Buf, BufParam, Derivation, Expr, Function, MicroKernel, Reg, Special,
    Stmt, Ty, Var,
};
use crate::tensor::DType;
use crate::tensor::arith::{Multiplier, Rounding};

/// Filters that are computed at once, and elements of a group.
pub(in crate::kernel) const FOUR: usize = 4;
/// Words of quantization for four filters.
pub(in crate::kernel) const QUAD_WORDS: usize = 3 * FOUR;

/// Where a weight lies: its word and its byte in it, for filter, element, groups.
pub(in crate::kernel) fn place(filter: usize, element: usize, groups: usize) -> (usize, usize) {
    let (quad, lane) = (filter / FOUR, filter % FOUR);
    let (group, within) = (element / FOUR, element % FOUR);
    ((quad * groups + group) * FOUR + lane / 2 * 2 + within % 2, within / 2 * 2 + lane % 2)
}

/// The multiplier's shift as the function takes it; `None` if it cannot.
pub(in crate::kernel) fn right(multiplier: Multiplier) -> Option<i32> {
    match multiplier {
        // Nothing comes of it, whatever the shift.
        Multiplier { value: 0, .. } => Some(1),
        // More would take zero points beyond 32 bits.
        Multiplier { shift: -23..=-2, .. } => Some(-1 - multiplier.shift),
        Multiplier { .. } => None,
    }
}

/// The micro-kernel: `out[filter]` for all filters. The range of its outputs is that of the type, or `limited`.
pub(in crate::kernel) fn dense(limited: bool) -> Arc<MicroKernel> {
    static KNOWN: Known<2> = Known::new();
    KNOWN.get(usize::from(limited), || MicroKernel {
        meaning: meaning(limited),
        n_registers: 0,
        armv7em: Some(Special::Assembly(assembly(limited))),
    })
}

fn parameters() -> Vec<BufParam> {
    let param = |name: &str, elem: DType, access: Access| BufParam { name: name.into(), elem, access };
    vec![
        param("x", DType::I8, Access::Read),
        param("w", DType::I32, Access::Read),
        param("q", DType::I32, Access::Read),
        param("out", DType::I8, Access::Write),
    ]
}

fn meaning(limited: bool) -> Function {
    let [x, w, q, out] = [0, 1, 2, 3].map(Buf);
    let [groups, filters, half] = [0, 1, 2].map(Var);
    let range = [3, 4].map(Var);
    let mut vars: Vec<String> = ["groups", "filters", "half"].map(String::from).to_vec();
    if limited {
        vars.extend(RANGE.map(String::from));
    }
    let n_scalars = vars.len() as u32;
    let [filter, quad, lane, pair, second, base, group] = [0, 1, 2, 3, 4, 5, 6].map(|at| Var(n_scalars + at));
    vars.extend(["filter", "quad", "lane", "pair", "second", "base", "group"].map(String::from));
    let var = Affine::var;
    let derive = |to: Var, derivation: Derivation, left: Var, right: Affine| Stmt::Let {
        var: to,
        derivation,
        left: var(left),
        right,
    };
    let constant = |value: usize| Affine::constant(value as i64);
    let mut body = vec![
        derive(quad, Derivation::Quotient, filter, constant(FOUR)),
        derive(lane, Derivation::Remainder, filter, constant(FOUR)),
        derive(pair, Derivation::Quotient, lane, constant(2)),
        derive(second, Derivation::Remainder, lane, constant(2)),
        derive(base, Derivation::Product, quad, var(groups)),
    ];
    let (sum, byte) = (Reg(0), Reg(1));
    let words = var(quad).times(QUAD_WORDS as i64);
    body.push(set(sum, load(q, &words.plus(&var(lane)))));
    let mut products = Vec::new();
    for within in 0..FOUR {
        let word = var(base).plus(&var(group)).times(FOUR as i64).plus(&var(pair).times(2));
        let word = load(w, &word.offset(within as i64 % 2));
        let amount = Expr::Index(var(second).times(8).offset(within as i64 / 2 * 16));
        products.push(set(byte, binary(BinOp::And, binary(BinOp::Shr, word, amount), int(255))));
        let signed = Expr::Select(
            Box::new(binary(BinOp::Lt, int(127), Expr::Reg(byte))),
            Box::new(binary(BinOp::Sub, Expr::Reg(byte), int(256))),
            Box::new(Expr::Reg(byte)),
        );
        let at = var(group).times(FOUR as i64).offset(within as i64);
        products.push(multiply_add(sum, load(x, &at), signed));
    }
    body.push(each(group, var(groups), products));
    let scale = words.plus(&var(lane).times(2)).offset(FOUR as i64);
    let shift = binary(BinOp::Sub, int(-1), load(q, &scale.offset(1)));
    let value = requant(Expr::Reg(sum), load(q, &scale), shift, Rounding::Single);
    let value = binary(BinOp::Add, value, binary(BinOp::Shr, scalar(half), int(1)));
    let [low, high] = if limited { range.map(scalar) } else { [int(-128), int(127)] };
    let value = binary(BinOp::Min, binary(BinOp::Max, value, low), high);
    body.push(Stmt::Store { buf: out, index: var(filter), value });
    Function {
        name: if limited { "dense_limited".into() } else { "dense".into() },
        params: parameters(),
        n_scalars,
        vars,
        registers: vec![Ty::I32; 2],
        locals: Vec::new(),
        body: vec![each(filter, var(filters), body)].into(),
    }
}

/// Slots of constants: even ones start pairs.
mod slot {
    pub(super) const X: u64 = 0;
    pub(super) const OUT: u64 = 2;
    pub(super) const HALF: u64 = 4;
    pub(super) const Q: u64 = 5;
    pub(super) const LOW: u64 = 6;
    pub(super) const HIGH: u64 = 7;
}

const SUMS: [&str; FOUR] = ["r8", "r9", "r10", "r11"];

/// Bytes of the forms, the larger of the two each, as GNU as 2.40 assembles them.
const BYTES: u64 = 404;
const LIMITED_BYTES: u64 = 476;

fn assembly(limited: bool) -> Assembly {
    let (slots, bytes) = if limited { (8, LIMITED_BYTES) } else { (6, BYTES) };
    Assembler::assemble(slots, bytes, |a| {
        a.arguments("r4", "r5", 0);
        a.lines("add r6, r0, r4, lsl #2; add r7, r3, r5");
        a.put_pair(slot::X, "r0", "r6");
        a.put_pair(slot::OUT, "r3", "r7");
        a.argument("r4", 2);
        a.put_pair(slot::HALF, "r4", "r2");
        if limited {
            a.arguments("r4", "r5", 3);
            a.put_pair(slot::LOW, "r4", "r5");
        }
        products(a);
        outputs(a, limited);
    })
}

/// Four sums of products, two groups in a turn; an odd number starts with the second.
fn products(a: &mut Assembler) {
    a.lines("1:");
    a.get("r2", slot::Q);
    a.lines("ldmia r2!, {r8, r9, r10, r11}");
    a.put(slot::Q, "r2");
    a.get_pair("r0", "r3", slot::X);
    a.lines("sub r2, r3, r0; lsls r2, r2, #29; bmi 3f; 2:");
    for half in 0..2 {
        if half == 1 {
            a.lines("3:");
        }
        a.lines("ldr lr, [r0], #4; ldmia r1!, {r4, r5, r6, r7}");
        a.lines("sxtb16 r12, lr; sxtb16 lr, lr, ror #8");
        for (word, sums) in [("r4", [0, 1]), ("r5", [0, 1]), ("r6", [2, 3]), ("r7", [2, 3])] {
            let x = if matches!(word, "r4" | "r6") { "r12" } else { "lr" };
            let [first, second] = sums.map(|at| SUMS[at]);
            a.lines(&format!("sxtb16 r2, {word}; smlad {first}, r2, {x}, {first}"));
            a.lines(&format!("sxtb16 {word}, {word}, ror #8; smlad {second}, {word}, {x}, {second}"));
        }
    }
    a.lines("cmp r0, r3; bne 2b");
}

/// Requantizes the sums and stores those of filters that exist.
fn outputs(a: &mut Assembler, limited: bool) {
    a.get_pair("r3", "r2", slot::HALF);
    a.get_pair("r0", "r12", slot::OUT);
    for (at, sum) in SUMS.into_iter().enumerate() {
        a.lines(&format!("ldrd r4, r5, [r2], #8; smull r6, r7, {sum}, r4; asr r4, r7, #31"));
        a.lines("adds r6, r6, r4; adc r7, r7, r4; lsl r6, r3, r5; add r7, r7, r6, asr #1; asr r7, r7, r5");
        if limited {
            limit(a, "r7", "r6", [slot::LOW, slot::HIGH]);
        } else {
            a.lines("ssat r7, #8, r7");
        }
        a.lines("strb r7, [r0], #1; cmp r0, r12");
        if at + 1 < FOUR {
            a.lines("beq 4f");
        }
    }
    a.put(slot::OUT, "r0");
    a.put(slot::Q, "r2");
    // The flags are those of the last comparison.
    a.lines("bne 1b; 4:");
}
