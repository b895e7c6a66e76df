//! Depthwise convolution with windows of up to [`MAX`] rows and columns on one plane of 16 bits, which
//! [`super::pack`] makes. There is a function for each number of columns and step to the right; rows and the step down
//! are arguments.
//!
//! The plane holds `2 * (x - zero point)` with borders of zeros, and its rows start at words. Four outputs of a row are
//! a block, and what is left of it two: a row of the window is loaded once for all of them, plane and weights alike. Of
//! the last block, outputs beyond the row are computed and not stored, so up to [`reach`] elements of the plane's last
//! row are read.
//!
//! **Weights.** They wait on the stack in words that `SMLAD` takes. With step 1 word `t` of a row has the taps `t` and
//! `t + 1`: outputs that start at a word take the even ones, the others their first tap alone and then the odd ones, so
//! that no word of the plane is shifted. With step 2 all outputs start at words, and word `t` has the taps `2 * t` and
//! `2 * t + 1`.
//!
//! **Quantization.** Three words for a channel: twice the bias, the mantissa, and the
//! [shifts](super::ending::shifts).

use std::sync::Arc;

use super::assembler::Assembler;
use super::ending::{Ending, Slots, finish};
use super::meaning::{RANGE, each, multiply_add, output, parameters, set, shift};
use crate::kernel::lower::load;
use crate::kernel::micro::Known;
use crate::kernel::{Affine, Assembly, Buf, Derivation, Function, MicroKernel, Reg, Special, Stmt, Ty, Var};

/// Rows and columns of the largest window.
pub(in crate::kernel) const MAX: usize = 7;
/// Outputs of a block, and of what is left of a row.
pub(in crate::kernel) const BLOCK: usize = 4;
const LEFT_OVER: usize = 2;

/// The name of [`windows`].
pub(in crate::kernel) fn name(columns: usize, stride: usize, ending: Ending) -> String {
    format!("depthwise_{columns}_{stride}_{}", ending.name())
}

/// The blocks of a row of so many outputs, and whether two or fewer are left.
pub(in crate::kernel) fn blocks(outputs: usize) -> (usize, bool) {
    ((outputs + 1) / BLOCK, (1..=LEFT_OVER).contains(&(outputs % BLOCK)))
}

/// Columns of a plane that the last block of a row reads.
pub(in crate::kernel) fn reach(columns: usize, stride: usize, outputs: usize) -> usize {
    let (blocks, is_left) = blocks(outputs);
    let (before, last) = if is_left { (blocks, LEFT_OVER) } else { (blocks - 1, BLOCK) };
    before * BLOCK * stride + 2 * plane_words(columns, stride, last)
}

/// Products and words that a row of the window takes for a block, or for what is left.
pub(in crate::kernel) fn steps(columns: usize, stride: usize, is_block: bool) -> usize {
    let outputs = if is_block { BLOCK } else { LEFT_OVER };
    products(columns, stride, outputs).len()
        + plane_words(columns, stride, outputs)
        + weight_words(columns, stride)
}

/// The micro-kernel for a step of 1 or 2 to the right: `rows` by `columns` outputs of one channel, `step` elements
/// apart, of windows with `taps` rows that move `down` at a time.
pub(in crate::kernel) fn windows(columns: usize, stride: usize, ending: Ending) -> Arc<MicroKernel> {
    static KNOWN: [[Known<{ Ending::COUNT }>; 2]; MAX] = [const { [const { Known::new() }; 2] }; MAX];
    KNOWN[columns - 1][stride - 1].get(ending as usize, || MicroKernel {
        meaning: meaning(columns, stride, ending),
        n_registers: 0,
        armv7em: Some(Special::Assembly(assembly(columns, stride, ending))),
    })
}

fn meaning(window: usize, stride: usize, ending: Ending) -> Function {
    let [x, w, q, out] = [0, 1, 2, 3].map(Buf);
    let [rows, columns, pitch, step, taps, down] = [0, 1, 2, 3, 4, 5].map(Var);
    let (half, range) = (Var(6), [Var(7), Var(8)]);
    let names = ["rows", "columns", "pitch", "step", "taps", "down", "half"];
    let mut vars: Vec<String> = names.map(String::from).to_vec();
    if ending == Ending::General {
        vars.extend(RANGE.map(String::from));
    }
    let n_scalars = vars.len() as u32;
    let inner = ["row", "column", "skipped", "line", "first", "at", "tap", "from"];
    let [row, column, skipped, line, first, at, tap, from] =
        [0, 1, 2, 3, 4, 5, 6, 7].map(|at| Var(n_scalars + at));
    vars.extend(inner.map(String::from));
    let var = Affine::var;
    let product = |to: Var, left: Affine, right: Affine| Stmt::Let {
        var: to,
        derivation: Derivation::Product,
        left,
        right,
    };
    let (sum, start) = (Reg(0), var(line).plus(&var(from)).plus(&var(column).times(stride as i64)));
    let mut of_row = vec![product(from, var(tap), var(pitch))];
    of_row.extend((0..window as i64).map(|column| {
        let weight = var(tap).times(window as i64).offset(column);
        multiply_add(sum, load(x, &start.offset(column)), load(w, &weight))
    }));
    let word = Affine::constant;
    let multiplier = (load(q, &word(1)), shift(q, &word(2), &Affine::default()));
    let value = output(ending, sum, multiplier, half, range);
    let body = vec![
        product(at, var(first).plus(&var(column)), var(step)),
        set(sum, load(q, &Affine::default())),
        each(tap, var(taps), of_row),
        Stmt::Store { buf: out, index: var(at), value },
    ];
    let of_line = vec![
        product(skipped, var(row), var(down)),
        product(line, var(skipped), var(pitch)),
        product(first, var(row), var(columns)),
        each(column, var(columns), body),
    ];
    Function {
        name: name(window, stride, ending),
        params: parameters(),
        n_scalars,
        vars,
        registers: vec![Ty::I32],
        locals: Vec::new(),
        body: vec![each(row, var(rows), of_line)].into(),
    }
}

/// Words of a row of weights.
fn weight_words(columns: usize, stride: usize) -> usize {
    match stride {
        1 => (columns - 1).max(1),
        _ => columns.div_ceil(2),
    }
}

/// Words of a plane's row under so many windows.
fn plane_words(columns: usize, stride: usize, outputs: usize) -> usize {
    (stride * (outputs - 1) + columns).div_ceil(2)
}

/// A multiplication: to which sum, of which words of the plane and of the weights.
struct Product {
    instruction: &'static str,
    sum: usize,
    plane: usize,
    weight: usize,
}

/// The multiplications of a row of the window, in the order of the plane's words.
fn products(columns: usize, stride: usize, outputs: usize) -> Vec<Product> {
    let mut all = Vec::new();
    for sum in 0..outputs {
        let first = stride * sum;
        let is_odd = first % 2 == 1;
        if is_odd {
            all.push(Product { instruction: "smlatb", sum, plane: first / 2, weight: 0 });
        }
        for tap in (usize::from(is_odd)..columns).step_by(2) {
            let plane = (first + tap) / 2;
            let (instruction, weight) = match (tap + 1 < columns, stride) {
                (true, 1) => ("smlad", tap),
                (true, _) => ("smlad", tap / 2),
                // The last tap is the second of its word, unless the word starts with it.
                (false, 1) if tap > 0 => ("smlabt", tap - 1),
                (false, _) => ("smlabb", tap / 2),
            };
            all.push(Product { instruction, sum, plane, weight });
        }
    }
    all.sort_by_key(|product| product.plane);
    all
}

/// Slots of constants: even ones start pairs.
mod slot {
    pub(super) const BIAS: u64 = 0;
    pub(super) const SCALE: u64 = 2;
    pub(super) const RIGHT: u64 = 4;
    /// Bytes of a plane's row, and where the weights end.
    pub(super) const PITCH: u64 = 6;
    /// Where outputs go, and how many of the row are left.
    pub(super) const OUT: u64 = 8;
    /// From the end of a row of outputs to the next, and from the last row of a window to the next block.
    pub(super) const REST: u64 = 10;
    pub(super) const REWIND: u64 = 11;
    pub(super) const LEFT: u64 = 12;
    pub(super) const FLAG: u64 = 13;
    pub(super) const LOW: u64 = 14;
    pub(super) const HIGH: u64 = 15;
}

/// Arguments on the stack.
mod argument {
    pub(super) const ROWS: u64 = 0;
    pub(super) const COLUMNS: u64 = 1;
    pub(super) const PITCH: u64 = 2;
    pub(super) const TAPS: u64 = 4;
    pub(super) const HALF: u64 = 6;
    pub(super) const RANGE: u64 = 7;
}

const SUMS: [&str; BLOCK] = ["r8", "r9", "r10", "r11"];
/// Words of weights, and behind them of the plane. The last two are the bytes of a plane's row and the end of the
/// weights, unless the weights need the room.
const WORDS: [&str; 8] = ["r2", "r3", "r4", "r5", "r6", "r7", "r12", "lr"];
/// Most words of weights that leave the last two alone.
const FEW: usize = 4;

fn assembly(columns: usize, stride: usize, ending: Ending) -> Assembly {
    let slots = if ending == Ending::General { 16 } else { 12 };
    let room = (4 * MAX * weight_words(columns, stride)) as u64;
    Assembler::with_room((slots, room), bytes(columns, stride, ending), |a| {
        constants(a, stride, ending);
        weights(a, columns, stride);
        // r12: outputs that are left of the row.
        a.lines("1:; cmp r12, #2; ble 4f");
        sums(a, columns, stride, BLOCK);
        for sum in &SUMS[LEFT_OVER..] {
            finish(a, ending, sum, ["r2", "r3", "r4", "r6"], SLOTS);
        }
        a.lines("add r6, r7, r5, lsl #1; strb r10, [r6]; cmp r12, #3; it gt; strbgt r11, [r6, r5]; 5:");
        for sum in &SUMS[..LEFT_OVER] {
            finish(a, ending, sum, ["r2", "r3", "r4", "r6"], SLOTS);
        }
        a.lines("strb r8, [r7]; cmp r12, #1; it gt; strbgt r9, [r7, r5]; add r7, r7, r5, lsl #2");
        a.get("r6", slot::REWIND);
        a.lines("add r0, r0, r6; subs r12, r12, #4");
        a.put_pair(slot::OUT, "r7", "r12");
        a.lines("bgt 1b");
        // What the last block is short of is taken back.
        a.get("r2", slot::REST);
        a.lines(&format!("mla r7, r12, r5, r7; add r0, r0, r12, lsl #{stride}; add r0, r0, r2"));
        a.arguments("r3", "r12", argument::ROWS);
        a.put_pair(slot::OUT, "r7", "r12");
        a.lines("subs r3, r3, #1");
        a.keep_argument("r3", argument::ROWS);
        a.lines("bne 1b; b 6f; 4:");
        sums(a, columns, stride, LEFT_OVER);
        a.lines("b 5b; 6:");
    })
}

const SLOTS: Slots = Slots { left: slot::LEFT, flag: slot::FLAG, low: slot::LOW, high: slot::HIGH };

/// Bytes of the forms, the larger of the two each, as GNU as 2.40 assembles them.
fn bytes(columns: usize, stride: usize, ending: Ending) -> u64 {
    const BYTES: [[[u64; Ending::COUNT]; 2]; MAX] = [
        [[348, 372, 524], [350, 374, 526]],
        [[370, 394, 546], [358, 382, 534]],
        [[386, 410, 562], [384, 408, 560]],
        [[408, 432, 584], [392, 416, 568]],
        [[432, 456, 608], [426, 450, 602]],
        [[452, 478, 628], [434, 458, 610]],
        [[478, 506, 654], [470, 498, 646]],
    ];
    BYTES[columns - 1][stride - 1][ending as usize]
}

/// Leaves bytes of a plane's row in `r6`, rows of the window in `r11`, the weights' place in `r10`, outputs of a row in
/// `r12`.
fn constants(a: &mut Assembler, stride: usize, ending: Ending) {
    a.lines("ldr r4, [r2]; ldrd r6, r7, [r2, #4]");
    a.argument("r9", argument::HALF);
    a.lines("lsl r9, r9, r7; asr r9, r9, #1");
    a.put_pair(slot::BIAS, "r4", "r4");
    a.put_pair(slot::SCALE, "r6", "r9");
    if ending == Ending::General {
        a.lines("lsr r4, r7, #16; uxtb r5, r7; rsb r5, r5, #0; asr r5, r5, #31");
        a.put_pair(slot::LEFT, "r4", "r5");
        a.arguments("r4", "r5", argument::RANGE);
        a.put_pair(slot::LOW, "r4", "r5");
    }
    a.arguments("r6", "r8", argument::PITCH);
    a.put_pair(slot::RIGHT, "r7", "r8");
    a.argument("r12", argument::COLUMNS);
    a.put_pair(slot::OUT, "r3", "r12");
    a.arguments("r11", "r5", argument::TAPS);
    a.lines(&format!(
        "lsl r6, r6, #1; mul r5, r5, r6; sub r5, r5, r12, lsl #{stride}; mul r4, r11, r6; rsb r4, r4, #{}",
        2 * BLOCK * stride
    ));
    a.put_pair(slot::REST, "r5", "r4");
    a.room("r10");
    a.put(slot::PITCH, "r6");
}

/// Widens the weights to the words that [`products`] tells of.
fn weights(a: &mut Assembler, columns: usize, stride: usize) {
    let register = |tap: usize| format!("r{}", 2 + tap);
    a.lines("2:");
    for tap in 0..columns {
        a.lines(&format!("ldrsb {}, [r1, #{tap}]", register(tap)));
    }
    a.lines(&format!("add r1, r1, #{columns}; subs r11, r11, #1"));
    for tap in (0..columns - 1).step_by(stride) {
        a.lines(&format!("pkhbt {0}, {0}, {1}, lsl #16", register(tap), register(tap + 1)));
    }
    let words: Vec<String> = (0..weight_words(columns, stride)).map(|word| register(stride * word)).collect();
    match words.as_slice() {
        [word] => a.lines(&format!("str {word}, [r10], #4")),
        words => a.lines(&format!("stm r10!, {{{}}}", words.join(", "))),
    }
    a.lines("bne 2b");
    a.put(slot::PITCH + 1, "r10");
}

/// Sums of products for so many outputs. Leaves the ending's constants in `r2` to `r5`, the outputs' place in `r7`, and
/// how many are left in `r12`.
fn sums(a: &mut Assembler, columns: usize, stride: usize, outputs: usize) {
    let few = weight_words(columns, stride) <= FEW;
    a.get_pair("r8", "r9", slot::BIAS);
    if outputs == BLOCK {
        a.lines("mov r10, r8; mov r11, r9");
    }
    a.room("r1");
    if few {
        a.get_pair("r12", "lr", slot::PITCH);
    }
    a.lines("3:");
    row(a, columns, stride, outputs);
    if !few {
        a.get_pair("r12", "lr", slot::PITCH);
    }
    a.lines("add r0, r0, r12; cmp r1, lr; bne 3b");
    a.get_pair("r2", "r3", slot::SCALE);
    a.get_pair("r4", "r5", slot::RIGHT);
    a.get_pair("r7", "r12", slot::OUT);
}

/// A row of the window.
fn row(a: &mut Assembler, columns: usize, stride: usize, outputs: usize) {
    let n_weights = weight_words(columns, stride);
    let (weights, free) = WORDS.split_at(n_weights);
    let free = if n_weights <= FEW { &free[..free.len() - 2] } else { free };
    match weights {
        [word] => a.lines(&format!("ldr {word}, [r1], #4")),
        words => a.lines(&format!("ldm r1!, {{{}}}", words.join(", "))),
    }
    let products = products(columns, stride, outputs);
    let n_words = plane_words(columns, stride, outputs);
    for start in (0..n_words).step_by(free.len()) {
        let words = &free[..free.len().min(n_words - start)];
        match (start, words) {
            (0, [_, _, _, ..]) => a.lines(&format!("ldm r0, {{{}}}", words.join(", "))),
            _ => words.chunks(2).enumerate().for_each(|(at, chunk)| {
                let offset = 4 * start + 8 * at;
                match chunk {
                    [first, second] => a.lines(&format!("ldrd {first}, {second}, [r0, #{offset}]")),
                    _ => a.lines(&format!("ldr {}, [r0, #{offset}]", chunk[0])),
                }
            }),
        }
        for product in products.iter().filter(|product| (start..start + words.len()).contains(&product.plane))
        {
            let Product { instruction, sum, plane, weight } = product;
            let (sum, plane, weight) = (SUMS[*sum], words[plane - start], weights[*weight]);
            a.lines(&format!("{instruction} {sum}, {plane}, {weight}, {sum}"));
        }
    }
}
