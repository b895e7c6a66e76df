//! Greatest and mean of one window, four channels of a word at a time and the last ones singly.
//!
//! The greatest of four bytes each: `SSUB8` says which of them are greater, `SEL` takes those. Means: `SXTAB16` adds
//! channels 0 and 2, and 1 and 3, to sums of 16 bits, which hold the [`MOST`] taps that a row of the window may have;
//! after each row they go into sums of 32 bits. Sums end as the evaluator's do, in a division of each.

use std::sync::Arc;

use super::assembler::Assembler;
use super::meaning::{RANGE, each, set};
use crate::kernel::lower::{binary, clamp, int, load};
use crate::kernel::micro::Known;
use crate::kernel::{
    Access, Affine, BinOp, Buf, BufParam, Derivation, Expr, Function, MicroKernel, Reg, Special, Stmt, Ty,
    Var,
};
use crate::tensor::DType;

/// Most taps of a row of a window whose mean is computed: their sum fits 16 bits.
pub(in crate::kernel) const MOST: usize = 256;
/// Channels that are computed at once.
pub(in crate::kernel) const CHANNELS: usize = 4;

/// What a pool makes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) enum Pool {
    /// The greatest.
    Max,
    /// The mean, ties away from zero.
    Mean,
}

/// The micro-kernel: all channels of one output, of `rows` by `columns` taps. Taps of a row are `hop` elements apart,
/// rows `pitch`.
pub(in crate::kernel) fn pool(pool: Pool) -> Arc<MicroKernel> {
    static KNOWN: Known<2> = Known::new();
    KNOWN.get(pool as usize, || MicroKernel {
        meaning: meaning(pool),
        n_registers: 0,
        armv7em: Some(Special::Assembly(match pool {
            Pool::Max => Assembler::assemble(2, MAX_BYTES, max),
            Pool::Mean => Assembler::assemble(8, MEAN_BYTES, mean),
        })),
    })
}

/// Bytes of the forms, the larger of the two each, as GNU as 2.40 assembles them.
const MAX_BYTES: u64 = 196;
const MEAN_BYTES: u64 = 370;

/// The quotient of two registers rounded to nearest, ties away from zero.
pub(in crate::kernel) fn quotient(sum: Reg, count: Reg) -> Expr {
    let half = || binary(BinOp::Shr, Expr::Reg(count), int(1));
    let up = binary(BinOp::Add, Expr::Reg(sum), half());
    let down = binary(BinOp::Sub, Expr::Reg(sum), half());
    let is_positive = binary(BinOp::Lt, int(0), Expr::Reg(sum));
    let nudged = Expr::Select(Box::new(is_positive), Box::new(up), Box::new(down));
    binary(BinOp::Div, nudged, Expr::Reg(count))
}

fn meaning(pool: Pool) -> Function {
    let [x, out] = [0, 1].map(Buf);
    let [channels, rows, columns, hop, pitch, low, high] = [0, 1, 2, 3, 4, 5, 6].map(Var);
    let [taps, channel, row, line, column, at] = [7, 8, 9, 10, 11, 12].map(Var);
    let mut vars = ["channels", "rows", "columns", "hop", "pitch"].map(String::from).to_vec();
    vars.extend(RANGE.map(String::from));
    let n_scalars = vars.len() as u32;
    vars.extend(["taps", "channel", "row", "line", "column", "at"].map(String::from));
    let var = Affine::var;
    let product = |to: Var, left: Var, right: Var| Stmt::Let {
        var: to,
        derivation: Derivation::Product,
        left: var(left),
        right: var(right),
    };
    let (result, count) = (Reg(0), Reg(1));
    let (start, op) = match pool {
        Pool::Max => (i64::from(i8::MIN), BinOp::Max),
        Pool::Mean => (0, BinOp::Add),
    };
    let tap = load(x, &var(line).plus(&var(at)).plus(&var(channel)));
    let of_row = vec![product(at, column, hop), set(result, binary(op, Expr::Reg(result), tap))];
    let of_window = vec![product(line, row, pitch), each(column, var(columns), of_row)];
    let value = match pool {
        Pool::Max => Expr::Reg(result),
        Pool::Mean => quotient(result, count),
    };
    let of_channel = vec![
        set(result, int(start)),
        each(row, var(rows), of_window),
        Stmt::Store { buf: out, index: var(channel), value: clamp(value, low, high) },
    ];
    let mut body = Vec::new();
    if pool == Pool::Mean {
        body.extend([product(taps, rows, columns), set(count, Expr::Index(var(taps)))]);
    }
    body.push(each(channel, var(channels), of_channel));
    let param = |name: &str, access: Access| BufParam { name: name.into(), elem: DType::I8, access };
    Function {
        name: match pool {
            Pool::Max => "pool_max".into(),
            Pool::Mean => "pool_mean".into(),
        },
        params: vec![param("x", Access::Read), param("out", Access::Write)],
        n_scalars,
        vars,
        registers: vec![Ty::I32, Ty::I32],
        locals: Vec::new(),
        body: body.into(),
    }
}

/// Loops over the rows and columns of a window, from `r0` on, around what is done for a tap in `lr`. `r2` has the
/// distance of taps, `r4` of a row's first tap and its end, `r5` of that end and the next row; `r6` counts rows.
fn window(a: &mut Assembler, load: &str, before: &str, tap: &str, after: &str) {
    a.lines(&format!(
        "mov r11, r0; 2:; add r12, r11, r4{before}; 3:; {load} lr, [r11]; add r11, r11, r2; {tap}"
    ));
    a.lines(&format!("cmp r11, r12; bne 3b{after}; add r11, r11, r5; subs r6, r6, #1; bne 2b"));
}

/// The distances that [`window`] takes, with the outputs' end in `r7` and that of whole words in `r6`.
fn distances(a: &mut Assembler) {
    a.lines("add r7, r1, r2; bic r6, r2, #3; add r6, r6, r1");
    a.argument("r4", 0);
    a.arguments("r2", "r5", 1);
    a.lines("mul r4, r4, r2; sub r5, r5, r4");
    a.arguments("r8", "r9", 3);
}

/// Four times the byte of each register.
fn spread(a: &mut Assembler, registers: [&str; 2]) {
    for register in registers {
        a.lines(&format!(
            "uxtb {register}, {register}; orr {register}, {register}, {register}, lsl #8; \
             orr {register}, {register}, {register}, lsl #16"
        ));
    }
}

fn max(a: &mut Assembler) {
    // r8, r9: the range; r10: the greatest so far.
    distances(a);
    spread(a, ["r8", "r9"]);
    a.put_pair(0, "r6", "r7");
    a.lines("cmp r1, r6; beq 4f; 1:; mov r6, r3; mov r10, r8");
    window(a, "ldr", "", "ssub8 r7, lr, r10; sel r10, lr, r10", "");
    a.lines("ssub8 r7, r9, r10; sel r10, r10, r9; str r10, [r1], #4; add r0, r0, #4");
    a.get("r7", 0);
    a.lines("cmp r1, r7; bne 1b; 4:");
    a.get("r7", 1);
    a.lines("cmp r1, r7; beq 6f; sxtb r8, r8; sxtb r9, r9; 5:; mov r6, r3; mov r10, r8");
    window(a, "ldrsb", "", "cmp lr, r10; it gt; movgt r10, lr", "");
    a.lines("cmp r10, r9; it gt; movgt r10, r9; strb r10, [r1], #1; add r0, r0, #1");
    a.get("r7", 1);
    a.lines("cmp r1, r7; bne 5b; 6:");
}

/// Slots of means: even ones start pairs.
mod slot {
    /// Where outputs go, and the end of whole words of them.
    pub(super) const OUT: u64 = 0;
    /// Taps, and half of them.
    pub(super) const COUNT: u64 = 2;
    pub(super) const ROWS: u64 = 4;
    pub(super) const OUT_END: u64 = 5;
    pub(super) const LOW: u64 = 6;
}

fn mean(a: &mut Assembler) {
    // r1, r3: sums of 16 bits; r7 to r10: of 32.
    distances(a);
    spread(a, ["r8", "r9"]);
    a.put_pair(slot::LOW, "r8", "r9");
    a.put_pair(slot::OUT, "r1", "r6");
    a.put_pair(slot::ROWS, "r3", "r7");
    a.argument("r8", 0);
    a.lines("mul r8, r8, r3; lsr r9, r8, #1");
    a.put_pair(slot::COUNT, "r8", "r9");
    a.lines("cmp r1, r6; beq 4f; 1:; mov r7, #0; mov r8, #0; mov r9, #0; mov r10, #0");
    a.get("r6", slot::ROWS);
    window(
        a,
        "ldr",
        "; mov r1, #0; mov r3, #0",
        "sxtab16 r1, r1, lr; sxtab16 r3, r3, lr, ror #8",
        "; sxtah r7, r7, r1; sxtah r8, r8, r3; add r9, r9, r1, asr #16; add r10, r10, r3, asr #16",
    );
    a.get_pair("r1", "r3", slot::COUNT);
    ["r7", "r8", "r9", "r10"].into_iter().for_each(|sum| divide(a, sum));
    a.get_pair("r1", "r3", slot::LOW);
    a.lines("bfi r7, r8, #8, #8; bfi r7, r9, #16, #8; bfi r7, r10, #24, #8");
    a.lines("ssub8 lr, r7, r1; sel r7, r7, r1; ssub8 lr, r3, r7; sel r7, r7, r3");
    a.get_pair("r1", "r3", slot::OUT);
    a.lines("str r7, [r1], #4; add r0, r0, #4");
    a.put(slot::OUT, "r1");
    a.lines("cmp r1, r3; bne 1b; 4:");
    a.get("r8", slot::OUT_END);
    a.lines("cmp r1, r8; beq 6f; mov r9, r1; 5:; mov r7, #0");
    a.get("r6", slot::ROWS);
    window(a, "ldrsb", "", "add r7, r7, lr", "");
    a.get_pair("r1", "r3", slot::COUNT);
    divide(a, "r7");
    a.get_pair("r1", "r3", slot::LOW);
    a.lines("sxtb r1, r1; cmp r7, r1; it lt; movlt r7, r1; sxtb r3, r3; cmp r7, r3; it gt; movgt r7, r3");
    a.lines("strb r7, [r9], #1; add r0, r0, #1; cmp r9, r8; bne 5b; 6:");
}

/// A sum divided by `r1`, half of which is in `r3`.
fn divide(a: &mut Assembler, sum: &str) {
    a.lines(&format!(
        "eor lr, r3, {sum}, asr #31; sub lr, lr, {sum}, asr #31; add {sum}, {sum}, lr; sdiv {sum}, {sum}, r1"
    ));
}
