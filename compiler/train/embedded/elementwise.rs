//! Functions of one and two elements, and random elements.

use super::isa::multiversion;
use super::tasks::{self, ELEMENT};
use super::{EmbeddedEngine, Tensor};
use crate::tensor::math;
use crate::train::engine::{Binary, Distribution, Unary};
use crate::train::random;

/// Elements of one task.
const TASK: usize = 16 * 1024;

#[inline(always)]
fn each(x: &[f32], out: &mut [f32], f: impl Fn(f32) -> f32) {
    for (out, &x) in out.iter_mut().zip(x) {
        *out = f(x);
    }
}

#[inline(always)]
fn each_pair(a: &[f32], b: &[f32], out: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *out = f(a, b);
    }
}

multiversion! {
    fn map_block(function: Unary, x: &[f32], out: &mut [f32]) {
        match function {
            Unary::Negate => each(x, out, |x| -x),
            Unary::Abs => each(x, out, f32::abs),
            Unary::Relu => each(x, out, |x| if x < 0.0 { 0.0 } else { x }),
            Unary::Relu6 => each(x, out, |x| clamp(x, 0.0, 6.0)),
            Unary::Exp => each(x, out, math::exp),
            Unary::Ln => each(x, out, math::ln),
            Unary::Sqrt => each(x, out, f32::sqrt),
            Unary::Reciprocal => each(x, out, |x| 1.0 / x),
            Unary::Square => each(x, out, |x| x * x),
            Unary::Tanh => each(x, out, math::tanh),
            Unary::Sigmoid => each(x, out, math::sigmoid),
            Unary::Sign => each(x, out, |x| f32::from(x > 0.0) - f32::from(x < 0.0)),
            Unary::Round => each(x, out, f32::round),
            Unary::Floor => each(x, out, f32::floor),
            Unary::Affine { scale, offset } => each(x, out, |x| x.mul_add(scale, offset)),
            Unary::Clamp { low, high } => each(x, out, |x| clamp(x, low, high)),
            Unary::Above { threshold } => each(x, out, |x| f32::from(x > threshold)),
        }
    }

    fn zip_block(function: Binary, a: &[f32], b: &[f32], out: &mut [f32]) {
        match function {
            Binary::Add => each_pair(a, b, out, |a, b| a + b),
            Binary::Subtract => each_pair(a, b, out, |a, b| a - b),
            Binary::Multiply => each_pair(a, b, out, |a, b| a * b),
            Binary::Divide => each_pair(a, b, out, |a, b| a / b),
            Binary::Max => each_pair(a, b, out, |a, b| if a > b { a } else { b }),
            Binary::Min => each_pair(a, b, out, |a, b| if a < b { a } else { b }),
            Binary::Combine { first, second } => each_pair(a, b, out, |a, b| a.mul_add(first, b * second)),
            Binary::AddClamped { low, high } => each_pair(a, b, out, |a, b| clamp(a + b, low, high)),
            Binary::Within { low, high } => {
                each_pair(a, b, out, |a, b| if b > low && b < high { a } else { 0.0 });
            }
        }
    }
}

#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x < low { low } else { x };
    if x > high { high } else { x }
}

pub(super) fn map(engine: &EmbeddedEngine, function: Unary, x: &Tensor) -> Tensor {
    let mut out = engine.fresh(x.shape());
    tasks::chunks(ELEMENT * x.data().len(), out.data_mut(), TASK, |task, out| {
        map_block(engine.isa, function, &x.data()[task * TASK..][..out.len()], out);
    });
    out
}

pub(super) fn zip(engine: &EmbeddedEngine, function: Binary, a: &Tensor, b: &Tensor) -> Tensor {
    assert_eq!(a.shape(), b.shape(), "shapes of `zip`");
    let mut out = engine.fresh(a.shape());
    tasks::chunks(ELEMENT * a.data().len(), out.data_mut(), TASK, |task, out| {
        let (a, b) = (&a.data()[task * TASK..][..out.len()], &b.data()[task * TASK..][..out.len()]);
        zip_block(engine.isa, function, a, b, out);
    });
    out
}

multiversion! {
    fn random_block(distribution: Distribution, key: u64, first: u64, out: &mut [f32]) {
        random::fill(distribution, key, first, out);
    }
}

pub(super) fn random(
    engine: &EmbeddedEngine,
    distribution: Distribution,
    key: u64,
    shape: &[usize],
) -> Tensor {
    let mut out = engine.fresh(shape);
    let count = out.data().len();
    tasks::chunks(10 * ELEMENT * count, out.data_mut(), TASK, |task, out| {
        random_block(engine.isa, distribution, key, (task * (TASK / 4)) as u64, out);
    });
    out
}
