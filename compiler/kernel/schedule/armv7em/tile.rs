//! Four pixels against all filters: the product of convolutions.
//!
//! **Packed activations.** Each of the four lanes' windows is a row of `4 * groups` elements, `2 * (x - zero point)`
//! each, in groups of four. Of a group, 16 elements of 16 bits, come first the elements 0 and 2 of each lane and then
//! 1 and 3, as `SXTB16` finds them in a word of bytes.
//!
//! **Weights.** Filters come in pairs, each pair's elements in groups of four: of both filters the elements 0, 0, 2, 2
//! and then 1, 1, 3, 3. A word then widens to two words, one for each filter. A last filter without partner is paired
//! with zeros.
//!
//! **Quantization.** Five words for a pair: twice both biases, both mantissas, and the [shifts](super::ending::shifts)
//! of the first and, one byte higher, of the second.
//!
//! Eight sums, two widened weights and two activations fill the registers; the ends of loops are where
//! [`Assembler::get`] finds them. The loads of half a group stand together and count from pointers that move once for
//! several groups, because then each load after the first takes one cycle (Cortex-M4 Technical Reference Manual,
//! section 3.3.2).

use std::sync::Arc;

use super::assembler::Assembler;
use super::ending::{Ending, Slots, finish};
use super::meaning::{RANGE, each, multiply_add, output, parameters, set, shift};
use crate::kernel::lower::load;
use crate::kernel::micro::Known;
use crate::kernel::{Affine, Assembly, Buf, Derivation, Function, MicroKernel, Reg, Special, Stmt, Ty, Var};

/// Pixels that are computed at once.
pub(in crate::kernel) const LANES: usize = 4;
/// Elements of a window that are packed at once.
pub(in crate::kernel) const GROUP: usize = 4;
/// Words of quantization for a pair of filters.
pub(in crate::kernel) const PAIR_WORDS: usize = 5;

/// The name of [`tile`].
pub(in crate::kernel) fn name(ending: Ending) -> String {
    format!("tile_{}", ending.name())
}

/// Where a weight lies: filter, element of the window, elements of the window with padding.
pub(in crate::kernel) fn place(filter: usize, element: usize, padded: usize) -> usize {
    let (pair, half) = (filter / 2, filter % 2);
    let (group, within) = (element / GROUP, element % GROUP);
    pair * 2 * padded + 2 * GROUP * group + 4 * (within % 2) + 2 * (within / 2) + half
}

/// Where the packed element of a lane lies.
pub(in crate::kernel) fn packed(element: usize, lane: usize) -> usize {
    let (group, within) = (element / GROUP, element % GROUP);
    LANES * GROUP * group + 2 * LANES * (within % 2) + 2 * lane + within / 2
}

/// The micro-kernel: `out[lane offset + filter]` for each lane and filter; the first lane's offset is 0. Lanes may
/// have one offset if they hold the same pixel.
pub(in crate::kernel) fn tile(ending: Ending) -> Arc<MicroKernel> {
    static KNOWN: Known<{ Ending::COUNT }> = Known::new();
    KNOWN.get(ending as usize, || MicroKernel {
        meaning: meaning(ending),
        n_registers: 0,
        armv7em: Some(Special::Assembly(assembly(ending))),
    })
}

fn meaning(ending: Ending) -> Function {
    let [x, w, q, out] = [0, 1, 2, 3].map(Buf);
    let [groups, filters] = [Var(0), Var(1)];
    let (offsets, half, range) = ([Var(2), Var(3), Var(4)], Var(5), [Var(6), Var(7)]);
    let mut vars: Vec<String> =
        ["groups", "filters", "offset_1", "offset_2", "offset_3", "half"].map(String::from).to_vec();
    if ending == Ending::General {
        vars.extend(RANGE.map(String::from));
    }
    let n_scalars = vars.len() as u32;
    let [filter, pair, second, base, group] = [0, 1, 2, 3, 4].map(|at| Var(n_scalars + at));
    vars.extend(["filter", "pair", "second", "base", "group"].map(String::from));
    let var = Affine::var;
    let derive = |to: Var, derivation: Derivation, left: Affine, right: Affine| Stmt::Let {
        var: to,
        derivation,
        left,
        right,
    };
    let words = var(pair).times(PAIR_WORDS as i64);
    let of_filter = |word: i64| load(q, &words.plus(&var(second)).offset(word));
    let mut body = vec![
        derive(pair, Derivation::Quotient, var(filter), Affine::constant(2)),
        derive(second, Derivation::Remainder, var(filter), Affine::constant(2)),
        derive(base, Derivation::Product, var(pair), var(groups)),
    ];
    let sum = Reg(0);
    for lane in 0..LANES {
        let term = |within: usize| {
            let at_x = var(group).times((LANES * GROUP) as i64).offset(packed(within, lane) as i64);
            let at_w = var(base).plus(&var(group)).times(2 * GROUP as i64).plus(&var(second));
            let at_w = at_w.offset(place(0, within, 0) as i64);
            multiply_add(sum, load(x, &at_x), load(w, &at_w))
        };
        body.push(set(sum, of_filter(0)));
        body.push(each(group, var(groups), (0..GROUP).map(term).collect()));
        let index = match lane.checked_sub(1) {
            None => var(filter),
            Some(lane) => var(filter).plus(&var(offsets[lane])),
        };
        let multiplier = (of_filter(2), shift(q, &words.offset(4), &var(second)));
        let value = output(ending, sum, multiplier, half, range);
        body.push(Stmt::Store { buf: out, index, value });
    }
    Function {
        name: name(ending),
        params: parameters(),
        n_scalars,
        vars,
        registers: vec![Ty::I32],
        locals: Vec::new(),
        body: vec![each(filter, var(filters), body)].into(),
    }
}

/// Slots of constants: even ones start pairs.
mod slot {
    pub(super) const X: u64 = 0;
    pub(super) const X_END: u64 = 1;
    pub(super) const Q: u64 = 2;
    pub(super) const OUT: u64 = 3;
    pub(super) const OFFSETS: u64 = 4;
    pub(super) const LAST_OFFSET: u64 = 6;
    pub(super) const HALF: u64 = 7;
    pub(super) const OUT_END: u64 = 8;
    /// Groups of the loop's first turn that are left out.
    pub(super) const SKIPPED: u64 = 9;
    pub(super) const LOW: u64 = 10;
    pub(super) const HIGH: u64 = 11;
    pub(super) const LEFT: u64 = 12;
    pub(super) const FLAG: u64 = 13;
}

/// Sums of the first filter and of the second, by lane.
const SUMS: [[&str; LANES]; 2] = [["r4", "r5", "r6", "r7"], ["r8", "r9", "r10", "r11"]];

fn assembly(ending: Ending) -> Assembly {
    let (slots, bytes) = match ending {
        Ending::Relu => (10, RELU_BYTES),
        Ending::Signed => (10, SIGNED_BYTES),
        Ending::General => (14, GENERAL_BYTES),
    };
    Assembler::assemble(slots, bytes, |a| {
        start(a, ending);
        products(a);
        for second in [false, true] {
            quantize(a, ending, second);
        }
        stores(a);
    })
}

/// Bytes of the forms, the larger of the two each, as GNU as 2.40 assembles them.
const RELU_BYTES: u64 = 762;
const SIGNED_BYTES: u64 = 810;
const GENERAL_BYTES: u64 = 1094;

fn start(a: &mut Assembler, ending: Ending) {
    a.arguments("r4", "r5", 0);
    a.lines("add r6, r0, r4, lsl #5; add r5, r3, r5; rsb r4, r4, #0; and r4, r4, #3");
    a.put_pair(slot::X, "r0", "r6");
    a.put_pair(slot::Q, "r2", "r3");
    a.put_pair(slot::OUT_END, "r5", "r4");
    a.arguments("r4", "r5", 2);
    a.put_pair(slot::OFFSETS, "r4", "r5");
    a.arguments("r4", "r5", 4);
    a.put_pair(slot::LAST_OFFSET, "r4", "r5");
    if ending == Ending::General {
        a.arguments("r4", "r5", 6);
        a.put_pair(slot::LOW, "r4", "r5");
    }
}

/// Groups of a turn of the loop.
const TURN: usize = 4;

/// Eight sums of products. The first turn of the loop starts behind the groups that do not fill it.
fn products(a: &mut Assembler) {
    a.lines("1:");
    a.get("r2", slot::Q);
    a.get("r0", slot::X);
    a.get("r3", slot::SKIPPED);
    a.lines("ldrd r4, r8, [r2]; mov r5, r4; mov r6, r4; mov r7, r4; mov r9, r8; mov r10, r8; mov r11, r8");
    // The shift puts bit 1 into the carry, and bit 0 decides what is zero.
    a.lines("sub r0, r0, r3, lsl #5; sub r1, r1, r3, lsl #3; lsls r3, r3, #31; bcs 8f; bne 5f; 2:");
    for (group, label) in ["", "5:", "6:", "7:"].into_iter().enumerate() {
        if !label.is_empty() {
            a.lines(label);
        }
        for half in 2 * group..2 * group + 2 {
            let (x, w) = (4 * LANES * half, GROUP * half);
            a.lines(&format!("ldr r3, [r1, #{w}]; ldr r12, [r0, #{x}]; ldr lr, [r0, #{}]", x + 4));
            a.lines("sxtb16 r2, r3; sxtb16 r3, r3, ror #8");
            for (lane, activation) in [(0, "r12"), (1, "lr"), (2, "r12"), (3, "lr")] {
                if lane == 2 {
                    a.lines(&format!("ldrd r12, lr, [r0, #{}]", x + 8));
                }
                for (sums, weight) in SUMS.iter().zip(["r2", "r3"]) {
                    a.lines(&format!("smlad {0}, {weight}, {activation}, {0}", sums[lane]));
                }
            }
        }
    }
    a.get("r2", slot::X_END);
    a.lines(&format!("add r0, r0, #{}; add r1, r1, #{}", 8 * LANES * TURN, 2 * GROUP * TURN));
    a.lines("cmp r0, r2; bne 2b");
}

/// Requantizes the sums of a filter.
fn quantize(a: &mut Assembler, ending: Ending, second: bool) {
    a.get("r2", slot::Q);
    a.get("lr", slot::HALF);
    if second {
        a.lines("lsr r3, r3, #8; add r0, r2, #20; ldr r2, [r2, #12]");
        a.put(slot::Q, "r0");
    } else {
        a.lines("ldr r3, [r2, #16]; ldr r2, [r2, #8]");
    }
    a.lines("lsl r12, lr, r3; asr r12, r12, #1");
    if ending == Ending::General {
        a.lines("lsr lr, r3, #16; uxtb r0, r3; rsb r0, r0, #0; asr r0, r0, #31");
        a.put_pair(slot::LEFT, "lr", "r0");
    }
    let slots = Slots { left: slot::LEFT, flag: slot::FLAG, low: slot::LOW, high: slot::HIGH };
    for sum in SUMS[usize::from(second)] {
        finish(a, ending, sum, ["r2", "r12", "r3", "lr"], slots);
    }
}

fn stores(a: &mut Assembler) {
    a.get("r0", slot::OUT);
    a.get_pair("r12", "lr", slot::OFFSETS);
    a.get("r3", slot::LAST_OFFSET);
    a.get("r2", slot::OUT_END);
    a.lines("strb r5, [r0, r12]; strb r6, [r0, lr]; strb r7, [r0, r3]; strb r4, [r0], #1");
    a.lines("cmp r0, r2; beq 4f");
    a.lines("strb r9, [r0, r12]; strb r10, [r0, lr]; strb r11, [r0, r3]; strb r8, [r0], #1");
    a.put(slot::OUT, "r0");
    a.lines("cmp r0, r2; bne 1b; b 4f; 8:; bne 7b; b 6b; 4:");
}
