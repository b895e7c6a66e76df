//! Scores to probabilities.

use serde::{Deserialize, Serialize};

use crate::ops::interpolation::{EXPONENTIALS, RECIPROCALS, interpolated};
use crate::ops::reference::{integer_value, integers, quant};
use crate::ops::{Operator, ShapeError, activations, arity};
use crate::tensor::arith::{
    Multiplier, Rounding, rounding_divide_by_power_of_two, rounding_doubling_high_mul,
};
use crate::tensor::{DType, Quant, Scale, TensorType, Value};

/// Bits of a difference of scores before the binary point; 26 are behind it.
const DIFFERENCE_BITS: i32 = 5;
/// 1 in a difference's fixed point.
const ONE: i32 = 1 << (31 - DIFFERENCE_BITS);
/// Bits by which exponentials are shortened before they are added up.
const SUM_BITS: i32 = 12;
/// Classes, at most: with more the sum may leave its bits.
const MAX_CLASSES: usize = 511;
/// The same for 16 bits.
const MAX_WIDE_CLASSES: usize = 65_536;

/// `exp(beta * x)` over its sum along the last dimension. The output has scale 1/256 and zero point -128, with 16 bits
/// scale `2^-15` and zero point 0. There is no form for floats: training needs none, since its loss has one of its own.
///
/// Shapes  `x [...,C] -> [...,C]`, C at most 511, with 16 bits 65536
/// Types   i8 -> i8; i16 -> i16
/// Cost    MACs = 0
/// Errors  E0303 no or too many classes, E0301 no integers, or scales beyond them
/// Source  LiteRT 2.3.0, reference kernel of SOFTMAX; gemmlowp, `exp_on_negative_values` and
///         `one_over_one_plus_x_for_x_in_0_1`; golden vectors
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Softmax {
    /// What scores are multiplied by.
    pub beta: Scale,
}

/// Of a sum of exponentials, what each of them is multiplied by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reciprocal {
    value: i32,
    /// Bits that the product is shortened by.
    shift: i32,
}

impl Softmax {
    /// The exponentials of the differences -255, ..., 0 from the greatest score, in steps of 2^-31; 0 where a
    /// difference is too small to count.
    ///
    /// # Panics
    /// When the type is not quantized.
    pub fn exponentials(&self, x: &TensorType) -> Vec<i32> {
        let factor = Multiplier::new(self.steps(x).min(f64::from(i32::MAX)));
        let greatest = f64::from((1 << DIFFERENCE_BITS) - 1) * f64::from(ONE);
        let least = -((greatest / 2f64.powi(factor.shift)).floor() as i64);
        let of = |difference: i64| match difference < least {
            true => 0,
            // The least difference is above -2^31 after the shift.
            false => {
                exponential(rounding_doubling_high_mul((difference << factor.shift) as i32, factor.value))
            }
        };
        (-255..=0).map(of).collect()
    }

    /// What a difference of 1 is in fixed point.
    fn steps(&self, x: &TensorType) -> f64 {
        f64::from(quant(x).scale(0)) * f64::from(self.beta.0) * f64::from(ONE)
    }

    /// The outputs for a row of scores.
    fn row(exponentials: &[i32], scores: &[i32]) -> Vec<i32> {
        let greatest = scores.iter().copied().max().unwrap_or(0);
        let of = |score: &i32| exponentials[(score - greatest + 255) as usize];
        let sum = scores.iter().map(|score| rounding_divide_by_power_of_two(of(score), SUM_BITS)).sum();
        let reciprocal = Reciprocal::of(sum);
        let share = |score: &i32| {
            let product = rounding_doubling_high_mul(reciprocal.value, of(score));
            (rounding_divide_by_power_of_two(product, reciprocal.shift) - 128).clamp(-128, 127)
        };
        scores.iter().map(share).collect()
    }
}

/// The same of 16 bits.
impl Softmax {
    /// The factor from a difference of scores to steps of `10 / 65535`.
    pub(crate) fn wide_factor(&self, x: &TensorType) -> Multiplier {
        let product = quant(x).scale(0) * self.beta.0;
        let factor = f64::from(product) / (10.0 / 65_535.0);
        Multiplier::new(if factor.is_finite() && factor > 0.0 { factor } else { 0.0 })
    }

    fn evaluate_wide(&self, scores: &Value, x: &TensorType, output: &TensorType) -> Value {
        let factor = self.wide_factor(x);
        let classes = output.shape.0.last().copied().unwrap_or(1).max(1);
        let scores = integers(scores);
        let rows = scores.chunks(classes).flat_map(|row| Softmax::wide_row(factor, row));
        integer_value(output, &rows.collect::<Vec<i32>>())
    }

    /// The outputs for a row of scores.
    fn wide_row(factor: Multiplier, scores: &[i32]) -> Vec<i32> {
        let saturated = |x: i32| x.clamp(-32_768, 32_767);
        let greatest = scores.iter().copied().max().unwrap_or(0);
        let of = |score: &i32| {
            let scaled = factor.apply(score - greatest, Rounding::Double);
            interpolated(&EXPONENTIALS, saturated(scaled.saturating_add(32_767)))
        };
        let exponentials: Vec<i32> = scores.iter().map(of).collect();
        // The greatest score alone gives 2^14 at least.
        let sum: i32 = exponentials.iter().sum();
        let zeros = sum.leading_zeros() as i32;
        let rounded = ((i64::from(sum) << (zeros - 1)) + (1 << 13)) >> 14;
        let reciprocal = interpolated(&RECIPROCALS, saturated((rounded - 98_304) as i32));
        let share = |&x: &i32| ((x * reciprocal + (1 << (30 - zeros))) >> (31 - zeros)).clamp(0, 32_767);
        exponentials.iter().map(share).collect()
    }
}

impl Reciprocal {
    /// Of a sum in steps of 2^-19 that is at least 1, by three steps of Newton's method from a line.
    fn of(sum: i32) -> Reciprocal {
        let headroom = sum.leading_zeros() as i32;
        // Half of the denominator, between 1/2 and 1.
        let half = sum << (headroom - 1);
        let mut x = 1_515_870_810 + rounding_doubling_high_mul(half, -1_010_580_540);
        for _ in 0..3 {
            let rest = (1 << 29) - rounding_doubling_high_mul(half, x);
            x += rounding_doubling_high_mul(x, rest) << 2;
        }
        Reciprocal { value: x.saturating_mul(2), shift: 12 - headroom + 23 }
    }
}

/// `exp(x)` of a number that is not above 0 with 26 bits behind the point, in steps of 2^-31.
///
/// Source  gemmlowp, `exp_on_negative_values`
fn exponential(x: i32) -> i32 {
    /// `exp(-2^n)` for n from -2 to 4, in steps of 2^-31.
    const POWERS: [i32; 7] =
        [1_672_461_947, 1_302_514_674, 790_015_084, 290_630_308, 39_332_535, 720_401, 242];
    if x == 0 {
        return i32::MAX;
    }
    let quarter = ONE / 4;
    let rest = (x & (quarter - 1)) - quarter;
    let parts = rest - x;
    let start = exponential_of_rest(rest << DIFFERENCE_BITS);
    (0..).zip(POWERS).fold(start, |result, (bit, power)| match parts & (quarter << bit) {
        0 => result,
        _ => rounding_doubling_high_mul(result, power),
    })
}

/// `exp(x)` from -1/4 to below 0, in steps of 2^-31, by a polynomial about -1/8.
fn exponential_of_rest(x: i32) -> i32 {
    let (middle, third) = (1_895_147_668, 715_827_883);
    let mul = rounding_doubling_high_mul;
    let x = x + (1 << 28);
    let x2 = mul(x, x);
    let (x3, x4) = (mul(x2, x), mul(x2, x2));
    let high = mul(rounding_divide_by_power_of_two(x4, 2) + x3, third) + x2;
    middle + mul(middle, x + rounding_divide_by_power_of_two(high, 1))
}

impl Operator for Softmax {
    const NAME: &'static str = "softmax";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        if x.dtype == DType::F32 {
            return Err(ShapeError::dtype(format!("`softmax` takes i8 or i16, got {x}")));
        }
        let is_wide = x.dtype == DType::I16;
        let most = if is_wide { MAX_WIDE_CLASSES } else { MAX_CLASSES };
        let classes = x.shape.0.last().copied().unwrap_or(0);
        if classes == 0 || classes > most {
            let message = format!("`softmax` takes 1 to {most} classes, got {}", x.shape);
            return Err(ShapeError::shape(message));
        }
        if is_wide {
            let factor = self.wide_factor(x);
            if !(self.beta.0.is_finite() && self.beta.0 > 0.0) || factor.value == 0 || factor.shift > 15 {
                let message = format!("`softmax` with a beta of {} of {x}", self.beta.0);
                return Err(ShapeError::dtype(message));
            }
            let quant = Quant::per_tensor(1.0 / 32_768.0, 0);
            return Ok(TensorType::quantized(DType::I16, x.shape.clone(), quant));
        }
        // As LiteRT demands it: smaller steps have no form in its fixed point.
        if !(self.beta.0.is_finite() && self.steps(x) > 1.0) {
            let message =
                format!("`softmax` with a beta of {} takes scores of a larger scale, got {x}", self.beta.0);
            return Err(ShapeError::dtype(message));
        }
        let quant = Quant::per_tensor(1.0 / 256.0, -128);
        Ok(TensorType::quantized(DType::I8, x.shape.clone(), quant))
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        if output.dtype == DType::I16 {
            return self.evaluate_wide(inputs[0], types[0], output);
        }
        let exponentials = self.exponentials(types[0]);
        let classes = output.shape.0.last().copied().unwrap_or(1).max(1);
        let scores = integers(inputs[0]);
        let rows = scores.chunks(classes).flat_map(|row| Softmax::row(&exponentials, row));
        integer_value(output, &rows.collect::<Vec<i32>>())
    }

    fn attributes(&self) -> String {
        format!(" beta={}", self.beta.0)
    }
}
