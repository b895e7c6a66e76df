//! Fake quantization: floats that lie on the grid of the integers which deployment will use.
//!
//! Forward, every value is what the integer path makes of it, bit for bit: the integer of
//! [`arith::quantize`](crate::tensor::arith::quantize) less the zero point, times the scale. Backward, the
//! rounding is straight through. What is no number stays so, and a divergence shows.
//!
//! [`arith::quantize`](crate::tensor::arith::quantize) rounds the exact quotient, ties away from zero. A quotient
//! in `f32` can itself be rounded up to a tie, never past one, and so give an integer that is one too far from
//! zero; the remainder, which is exact, tells.

use crate::quantize::activation_quant;
use crate::tensor::Quant;
use crate::train::engine::{Binary, Engine, Reduction, Unary};
use crate::train::extents::Extents;
use crate::train::tape::{Tape, Var};

/// The least scale of weights, as [`weight_scales`](crate::quantize::weight_scales) has it.
const LEAST_WEIGHT_SCALE: f32 = 1e-12;
/// The range of an activation.
const ACTIVATION: (i32, i32) = (-128, 127);

/// Width of an integer weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// `-127..=127`.
    Eight,
    /// `-7..=7`.
    Four,
    /// `-1..=1`.
    Two,
}

impl Bits {
    /// The greatest weight, which is minus the least one.
    pub fn greatest(self) -> f32 {
        match self {
            Bits::Eight => 127.0,
            Bits::Four => 7.0,
            Bits::Two => 1.0,
        }
    }
}

/// One scale for each index of `axis`, with which the greatest weight becomes the greatest integer.
///
/// Shapes  `w [..., C, ...] -> [1, ..., C, ..., 1]`
/// Source  TFLite 8-bit quantization specification. As [`weight_scales`](crate::quantize::weight_scales) where
///         neither a bias nor the sum of more than 16 000 products asks for a greater one
pub fn weight_scales<E: Engine>(engine: &E, w: &E::Tensor, axis: usize, bits: Bits) -> E::Tensor {
    let greatest = engine.reduce(Reduction::Max, &engine.map(Unary::Abs, w), &others(engine.shape(w), axis));
    let shape = engine.shape(&greatest);
    let scale = engine.zip(Binary::Divide, &greatest, &engine.full(shape, bits.greatest()));
    engine.zip(Binary::Max, &scale, &engine.full(shape, LEAST_WEIGHT_SCALE))
}

/// Weights on the grid of their own [`weight_scales`].
///
/// Shapes    `w [..., C, ...] -> [..., C, ...]`
/// Gradient  `dy`: nothing is clipped, and the scale counts as a constant
/// Source    arXiv:1806.08342 section 2.4; arXiv:1308.3432
pub fn fake_quantize_weights<E: Engine>(tape: &mut Tape<'_, E>, w: Var, axis: usize, bits: Bits) -> Var {
    let (engine, weights) = (tape.engine(), tape.value(w));
    let scales = weight_scales(engine, weights, axis, bits);
    let (_, value) = on_weight_grid(engine, weights, &scales, bits);
    tape.straight_through_value(w, value)
}

/// Weights on the grid of given scales, as where a bias asks for a greater one.
///
/// Shapes    `w [..., C, ...], scales [1, ..., C, ..., 1] -> [..., C, ...]`
/// Gradient  `dy` where the quotient is within half a step of the range, so that clipping changes nothing; 0
///           elsewhere
/// Source    arXiv:1712.05877 section 3; arXiv:1308.3432
pub fn fake_quantize_weights_by<E: Engine>(
    tape: &mut Tape<'_, E>,
    w: Var,
    scales: &E::Tensor,
    bits: Bits,
) -> Var {
    let (engine, weights) = (tape.engine(), tape.value(w));
    let (_, value) = on_weight_grid(engine, weights, scales, bits);
    let quotient = engine.zip(Binary::Divide, weights, &engine.broadcast(scales, engine.shape(weights)));
    let reach = bits.greatest() + 0.5;
    tape.straight_through_within(w, value, Some(quotient), (-reach, reach))
}

/// Weights on a grid whose steps are learned.
///
/// Shapes    `w [..., C, ...], steps [1, ..., C, ..., 1] -> [..., C, ...]`, or `steps` all 1; steps are positive
/// Gradient  as [`fake_quantize_learned`], with the greatest integer and the number of weights of one step in
///           the gradient's scale
/// Source    arXiv:1902.08153 sections 2 to 2.3
pub fn fake_quantize_weights_learned<E: Engine>(
    tape: &mut Tape<'_, E>,
    w: Var,
    steps: Var,
    bits: Bits,
) -> Var {
    let (engine, weights) = (tape.engine(), tape.value(w));
    let (integers, _) = on_weight_grid(engine, weights, tape.value(steps), bits);
    let count = |var| engine.shape(tape.value(var)).iter().product::<usize>();
    let of_one_step = count(w) / count(steps);
    let greatest = bits.greatest();
    learned(tape, (w, steps), integers, (-greatest, greatest), of_one_step)
}

/// The range of an activation over training: an exponential average of the batches' ranges.
///
/// Source  arXiv:1712.05877 section 3.1
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RangeAverage {
    momentum: f32,
    range: Option<(f32, f32)>,
}

impl RangeAverage {
    /// That keeps this share of itself at each batch.
    pub fn new(momentum: f32) -> RangeAverage {
        RangeAverage { momentum, range: None }
    }

    /// That goes on from a range, as after an interruption.
    pub fn resumed(momentum: f32, range: (f32, f32)) -> RangeAverage {
        RangeAverage { momentum, range: Some(range) }
    }

    /// The average so far; `None` before the first batch.
    pub fn range(&self) -> Option<(f32, f32)> {
        self.range
    }

    /// The quantization of the range so far; `None` before the first batch.
    pub fn quant(&self) -> Option<Quant> {
        self.range.map(|(low, high)| activation_quant(low, high))
    }

    /// Takes in a batch; the first one is the average, one that is not finite leaves it alone.
    pub fn observe<E: Engine>(&mut self, engine: &E, x: &E::Tensor) {
        let last = engine.shape(x).len() - 1;
        let greatest = |x: &E::Tensor| {
            // Row by row first, which is faster and gives the same.
            let row = engine.reduce(Reduction::Max, x, &Extents::from_fn(last, |axis| axis));
            engine.download(&engine.reduce(Reduction::Max, &row, &[last]))[0]
        };
        let (low, high) = (-greatest(&engine.map(Unary::Negate, x)), greatest(x));
        if !low.is_finite() || !high.is_finite() {
            return;
        }
        let mix = |old: f32, new: f32| self.momentum.mul_add(old, (1.0 - self.momentum) * new);
        self.range = Some(match self.range {
            None => (low, high),
            Some(so_far) => (mix(so_far.0, low), mix(so_far.1, high)),
        });
    }
}

/// An activation on the grid of [`activation_quant`], 8 bit with a zero point.
///
/// Shapes    `x [...] -> [...]`
/// Gradient  `dy` where `x` is in the range that the integers stand for, 0 elsewhere; the range counts as a
///           constant
/// Source    arXiv:1712.05877 section 3; arXiv:1308.3432
pub fn fake_quantize_activation<E: Engine>(tape: &mut Tape<'_, E>, x: Var, quant: &Quant) -> Var {
    let (engine, step) = (tape.engine(), quant.scale(0));
    let (low, high) = about_zero(quant.zero_point);
    let whole = clipped(engine, &nearest(engine, tape.value(x), step), (low, high));
    let value = engine.map(Unary::Affine { scale: step, offset: 0.0 }, &whole);
    tape.straight_through_within(x, value, None, (low * step, high * step))
}

/// An activation on a grid whose step is learned; the zero point is given, -128 for what is never negative.
///
/// Shapes    `x [N, ...], step [1] -> [N, ...]`; the step is positive
/// Gradient  with `v = x / step`, between the bounds `l = -128 - zero_point` and `h = 127 - zero_point`:
///           to `x`: `dy` where `l <= v <= h`, 0 elsewhere; to the step: `g` times the sum of `dy` times
///           `round(v) - v` where `l <= v <= h`, `l` below, `h` above; `g = 1 / sqrt(n h)` for `n` elements of
///           one sample. The surrogate is the same function with the errors of rounding constant
/// Source    arXiv:1902.08153 sections 2 to 2.3, whose range for `x` is open
pub fn fake_quantize_learned<E: Engine>(tape: &mut Tape<'_, E>, x: Var, step: Var, zero_point: i32) -> Var {
    let engine = tape.engine();
    let size = engine.download(tape.value(step))[0];
    let range = about_zero(zero_point);
    let integers = clipped(engine, &nearest(engine, tape.value(x), size), range);
    let of_one_sample = engine.shape(tape.value(x))[1..].iter().product();
    learned(tape, (x, step), integers, range, of_one_sample)
}

/// Where training of a step begins: `2 mean|x| / sqrt(greatest)`, for each index of an axis or for all elements.
///
/// Shapes  `x [..., C, ...] -> [1, ..., C, ..., 1]`, or `[1]` without an axis
/// Source  arXiv:1902.08153 section 2.1
pub fn initial_step<E: Engine>(engine: &E, x: &E::Tensor, axis: Option<usize>, greatest: f32) -> E::Tensor {
    let shape = engine.shape(x);
    let axes = match axis {
        Some(axis) => others(shape, axis),
        None => Extents::from_fn(shape.len(), |axis| axis),
    };
    let count = axes.iter().map(|&axis| shape[axis]).product::<usize>();
    let sums = engine.reduce(Reduction::Sum, &engine.map(Unary::Abs, x), &axes);
    let scale = 2.0 / (count as f32 * greatest.sqrt());
    let steps = engine.map(Unary::Affine { scale, offset: LEAST_WEIGHT_SCALE }, &sums);
    if axis.is_some() { steps } else { engine.reshape(&steps, &[1]) }
}

/// `integers` times the steps, with the gradients of [`fake_quantize_learned`].
fn learned<E: Engine>(
    tape: &mut Tape<'_, E>,
    (x, steps): (Var, Var),
    integers: E::Tensor,
    (low, high): (f32, f32),
    count: usize,
) -> Var {
    let factor = 1.0 / (count as f32 * high.max(1.0)).sqrt();
    let steps = tape.attenuated(steps, factor);
    let quotient = tape.zip(Binary::Divide, x, steps);
    let whole = tape.straight_through_within(quotient, integers, None, (low, high));
    tape.zip(Binary::Multiply, whole, steps)
}

/// Integer weights, and these times their scales.
fn on_weight_grid<E: Engine>(
    engine: &E,
    w: &E::Tensor,
    scales: &E::Tensor,
    bits: Bits,
) -> (E::Tensor, E::Tensor) {
    let greatest = bits.greatest();
    let integers = clipped(engine, &nearest_by(engine, w, scales), (-greatest, greatest));
    let value = engine.zip(Binary::Multiply, &integers, &engine.broadcast(scales, engine.shape(w)));
    (integers, value)
}

/// The least and the greatest integer of an activation, less the zero point.
fn about_zero(zero_point: i32) -> (f32, f32) {
    ((ACTIVATION.0 - zero_point) as f32, (ACTIVATION.1 - zero_point) as f32)
}

/// All dimensions but one.
fn others(shape: &[usize], axis: usize) -> Extents {
    Extents::from_fn(shape.len() - 1, |at| if at < axis { at } else { at + 1 })
}

/// Integers within bounds, without a negative zero.
fn clipped<E: Engine>(engine: &E, x: &E::Tensor, (low, high): (f32, f32)) -> E::Tensor {
    engine.map(Unary::Affine { scale: 1.0, offset: 0.0 }, &engine.map(Unary::Clamp { low, high }, x))
}

/// The integers nearest to `x / step`, ties away from zero, exact up to `2^9`.
fn nearest<E: Engine>(engine: &E, x: &E::Tensor, step: f32) -> E::Tensor {
    let quotient = engine.zip(Binary::Divide, x, &engine.full(engine.shape(x), step));
    let whole = engine.map(Unary::Round, &quotient);
    let rest = engine.zip(Binary::Combine { first: -step, second: 1.0 }, &whole, x);
    let half = 0.5 * step;
    let excess =
        engine.zip(Binary::Subtract, &rest, &engine.map(Unary::Clamp { low: -half, high: half }, &rest));
    engine.zip(Binary::Add, &whole, &engine.map(Unary::Sign, &excess))
}

/// The same for steps on the device, of a shape that a broadcast brings to that of `x`.
///
/// A step is cut into an upper part of 12 bits, not above it, and the rest of 14 bits, so that the products with
/// integers of 9 bits are exact, and the remainder is where it is half a step.
fn nearest_by<E: Engine>(engine: &E, x: &E::Tensor, steps: &E::Tensor) -> E::Tensor {
    let wide = |small: &E::Tensor| engine.broadcast(small, engine.shape(x));
    let affine = |x: &E::Tensor, scale| engine.map(Unary::Affine { scale, offset: 0.0 }, x);
    let subtract = |a: &E::Tensor, b: &E::Tensor| engine.zip(Binary::Subtract, a, b);
    let multiply = |a: &E::Tensor, b: &E::Tensor| engine.zip(Binary::Multiply, a, b);
    let below = affine(steps, 1.0 - 1.0 / 2048.0);
    let shifted = affine(&below, 4097.0);
    let upper = subtract(&shifted, &subtract(&shifted, &below));
    let lower = subtract(steps, &upper);
    let all = wide(steps);
    let whole = engine.map(Unary::Round, &engine.zip(Binary::Divide, x, &all));
    let rest = subtract(&subtract(x, &multiply(&whole, &wide(&upper))), &multiply(&whole, &wide(&lower)));
    let above = Binary::Combine { first: 1.0, second: -0.5 };
    let excess = engine.zip(above, &engine.map(Unary::Abs, &rest), &all);
    let wrong = engine.map(Unary::Above { threshold: 0.0 }, &excess);
    engine.zip(Binary::Add, &whole, &multiply(&wrong, &engine.map(Unary::Sign, &rest)))
}
