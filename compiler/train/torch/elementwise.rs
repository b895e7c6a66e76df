//! Functions of one and two elements.

use tch::Tensor;

use crate::train::engine::{Binary, Unary};

pub(super) fn map(function: Unary, x: &Tensor) -> Tensor {
    match function {
        Unary::Negate => x.neg(),
        Unary::Abs => x.abs(),
        Unary::Relu => x.relu(),
        Unary::Relu6 => x.clamp(0.0, 6.0),
        Unary::Exp => x.exp(),
        Unary::Ln => x.log(),
        Unary::Sqrt => x.sqrt(),
        Unary::Reciprocal => x.reciprocal(),
        Unary::Square => x.square(),
        Unary::Tanh => x.tanh(),
        Unary::Sigmoid => x.sigmoid(),
        Unary::Sign => x.sign(),
        Unary::Round => round(x),
        Unary::Floor => x.floor(),
        Unary::Affine { scale, offset } => x * f64::from(scale) + f64::from(offset),
        Unary::Clamp { low, high } => clamp(x, low, high),
        Unary::Above { threshold } => x.gt(f64::from(threshold)).to_kind(x.kind()),
    }
}

/// Ties away from zero; libtorch's own rounding takes them to even numbers.
fn round(x: &Tensor) -> Tensor {
    let whole = x.trunc();
    let rest = (x - &whole).abs().ge(0.5).to_kind(x.kind());
    whole + rest * x.sign()
}

/// What is no number stays so.
pub(super) fn clamp(x: &Tensor, low: f32, high: f32) -> Tensor {
    x.clamp(f64::from(low), f64::from(high))
}

/// `a` where `low < b < high` or `b` is no number, 0 elsewhere.
pub(super) fn within(a: &Tensor, b: &Tensor, low: f32, high: f32) -> Tensor {
    b.hardtanh_backward(a, f64::from(low), f64::from(high))
}

pub(super) fn zip(function: Binary, a: &Tensor, b: &Tensor) -> Tensor {
    match function {
        Binary::Add => a + b,
        Binary::Subtract => a - b,
        Binary::Multiply => a * b,
        Binary::Divide => a / b,
        Binary::Max => a.where_self(&a.gt_tensor(b), b),
        Binary::Min => a.where_self(&a.lt_tensor(b), b),
        Binary::Combine { first, second } => a * f64::from(first) + b * f64::from(second),
        Binary::AddClamped { low, high } => clamp(&(a + b), low, high),
        Binary::Within { low, high } => within(a, b, low, high),
    }
}
