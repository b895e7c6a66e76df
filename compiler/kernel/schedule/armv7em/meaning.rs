//! Pieces of the meanings of micro-kernels.

use super::ending::Ending;
use crate::kernel::lower::{binary, int, load, requant, scalar};
use crate::kernel::{Access, Affine, BinOp, Buf, BufParam, Expr, Reg, Stmt, Var};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// Scalars behind those of all endings.
pub(super) const RANGE: [&str; 2] = ["low", "high"];

/// Activations of 16 bits, weights, words of quantization, outputs.
pub(super) fn parameters() -> Vec<BufParam> {
    let param = |name: &str, elem: DType, access: Access| BufParam { name: name.into(), elem, access };
    vec![
        param("x", DType::I16, Access::Read),
        param("w", DType::I8, Access::Read),
        param("q", DType::I32, Access::Read),
        param("out", DType::I8, Access::Write),
    ]
}

/// A loop from 0 on.
pub(super) fn each(var: Var, upper: Affine, body: Vec<Stmt>) -> Stmt {
    Stmt::For { var, lower: Affine::default(), upper, step: 1, body }
}

/// `register = value`.
pub(super) fn set(reg: Reg, value: Expr) -> Stmt {
    Stmt::Set { reg, value }
}

/// `sum += x * w`.
pub(super) fn multiply_add(sum: Reg, x: Expr, w: Expr) -> Stmt {
    set(sum, binary(BinOp::Add, Expr::Reg(sum), binary(BinOp::Mul, x, w)))
}

/// The multiplier's shift from the word that [`super::ending::shifts`] makes, whose bytes start at `byte`.
pub(super) fn shift(words: Buf, at: &Affine, byte: &Affine) -> Expr {
    shift_of(&load(words, at), byte)
}

/// The same from a word at hand.
pub(super) fn shift_of(word: &Expr, byte: &Affine) -> Expr {
    let part = |from: i64| {
        let amount = Expr::Index(byte.times(8).offset(from));
        binary(BinOp::And, binary(BinOp::Shr, word.clone(), amount), int(255))
    };
    binary(BinOp::Sub, part(16), part(0))
}

/// The output of a doubled sum. `half` is a scalar of twice the zero point and one.
pub(super) fn output(
    ending: Ending,
    doubled: Reg,
    (mantissa, shift): (Expr, Expr),
    half: Var,
    range: [Var; 2],
) -> Expr {
    let sum = binary(BinOp::Shr, Expr::Reg(doubled), int(1));
    let zero = binary(BinOp::Shr, scalar(half), int(1));
    let value = binary(BinOp::Add, requant(sum, mantissa, shift, Rounding::Double), zero);
    let [low, high] = match ending {
        Ending::General => range.map(scalar),
        Ending::Relu | Ending::Signed => [int(-128), int(127)],
    };
    binary(BinOp::Min, binary(BinOp::Max, value, low), high)
}
