//! The integer arithmetic specification: what every evaluator, interpreter and back end computes.
//!
//! A real factor `m > 0` is carried as a [`Multiplier`]: `m = value * 2^(shift - 31)` with
//! `2^30 <= value < 2^31`. Applying it to a 32-bit accumulator rounds either twice (high multiplication, then
//! shift; convolutions, additions) or once (fully connected); which one is an attribute of the operator.
//!
//! Source  TFLite 8-bit quantization specification; the rounding of each operator is that of LiteRT 2.3.0's
//! reference kernels, frozen in `tests/golden/` and demanded by `tests/golden.rs`:
//!
//! - CONV_2D, DEPTHWISE_CONV_2D, ADD, MUL and QUANTIZE (of i8 to i8) round twice.
//! - MUL multiplies and divides its scales in float32. LOGISTIC is a table of the float32 function; HARD_SWISH has an
//!   arithmetic of 16 bits of its own.
//! - FULLY_CONNECTED rounds once, ties away from zero. LiteRT multiplies by the factor in double,
//!   [`Rounding::Single`] by one of 31 bits, so they differ, by one, only for a product within `2^-31` of its own
//!   size of a tie.
//! - AVERAGE_POOL_2D divides the sum of the integers as they are, zero point and all, ties away from zero.
//! - Other factors are products and quotients of the float32 scales in double, also where weights have one scale.

use serde::{Deserialize, Serialize};

/// How a product is brought back to 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rounding {
    /// [`rounding_doubling_high_mul`], then [`rounding_divide_by_power_of_two`].
    Double,
    /// The 64-bit product to the nearest multiple, ties away from zero: half is added, one less for a negative
    /// product, and one arithmetic shift follows.
    Single,
}

/// A positive real factor as a 31-bit mantissa and a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Multiplier {
    /// Mantissa, `2^30 <= value < 2^31`, or 0 for factors below `2^-32`.
    pub value: i32,
    /// Power of two: positive to the left. In `-31..=30`.
    pub shift: i32,
}

impl Multiplier {
    /// The nearest multiplier of a factor that is not negative and below `2^30`.
    pub fn new(factor: f64) -> Multiplier {
        debug_assert!(factor >= 0.0 && factor.is_finite(), "scales are positive and finite");
        if factor == 0.0 {
            return Multiplier { value: 0, shift: 0 };
        }
        let (mantissa, exponent) = frexp(factor);
        let mut shift = exponent;
        let mut value = (mantissa * f64::from(1u32 << 31)).round() as i64;
        if value == 1 << 31 {
            value /= 2;
            shift += 1;
        }
        if shift < -31 {
            return Multiplier { value: 0, shift: 0 };
        }
        if shift > 30 {
            return Multiplier { value: i32::MAX, shift: 30 };
        }
        Multiplier { value: i32::try_from(value).expect("a mantissa below 2^31"), shift }
    }

    /// Applies the factor with the given rounding.
    pub fn apply(self, x: i32, rounding: Rounding) -> i32 {
        match rounding {
            Rounding::Double => {
                let left = self.shift.max(0);
                let right = (-self.shift).max(0);
                let high = rounding_doubling_high_mul(x.wrapping_shl(left as u32), self.value);
                rounding_divide_by_power_of_two(high, right)
            }
            Rounding::Single => {
                let total = 31 - self.shift;
                let product = i64::from(x) * i64::from(self.value);
                ((product + (1i64 << (total - 1)) - i64::from(product < 0)) >> total) as i32
            }
        }
    }
}

/// `x = mantissa * 2^exponent` with `0.5 <= mantissa < 1`, for positive finite `x`.
fn frexp(x: f64) -> (f64, i32) {
    let bits = x.to_bits();
    let raw = ((bits >> 52) & 0x7ff) as i32;
    if raw == 0 {
        let (mantissa, exponent) = frexp(x * f64::from(1u32 << 31) * f64::from(1u32 << 31));
        return (mantissa, exponent - 62);
    }
    (f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52)), raw - 1022)
}

/// The high half of twice the product, rounded to nearest, ties up; saturates for `i32::MIN * i32::MIN`.
pub fn rounding_doubling_high_mul(a: i32, b: i32) -> i32 {
    if a == i32::MIN && b == i32::MIN {
        return i32::MAX;
    }
    let product = i64::from(a) * i64::from(b);
    let nudge = if product >= 0 { 1 << 30 } else { 1 - (1 << 30) };
    ((product + nudge) / (1 << 31)) as i32
}

/// `x / 2^exponent` rounded to nearest, ties away from zero. `exponent` in `0..=31`.
pub fn rounding_divide_by_power_of_two(x: i32, exponent: i32) -> i32 {
    let mask = ((1i64 << exponent) - 1) as i32;
    let remainder = x & mask;
    let threshold = (mask >> 1) + i32::from(x < 0);
    (x >> exponent) + i32::from(remainder > threshold)
}

/// The nearest integer of `real / scale + zero_point`, ties away from zero, saturated to `range`.
/// Not-a-number becomes the zero point. This is how raw inputs and constants are quantized.
pub fn quantize(real: f32, scale: f32, zero_point: i32, range: (i32, i32)) -> i32 {
    let scaled = (f64::from(real) / f64::from(scale)).round();
    if scaled.is_nan() {
        return zero_point;
    }
    let shifted = scaled + f64::from(zero_point);
    shifted.clamp(f64::from(range.0), f64::from(range.1)) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_are_normal() {
        for factor in [1e-9, 0.0003, 0.5, 0.75, 0.999_999_999_9, 1.0, 3.7, 1000.0] {
            let m = Multiplier::new(factor);
            let back = f64::from(m.value) * 2f64.powi(m.shift - 31);
            assert!((back / factor - 1.0).abs() < 1e-9, "{factor} {m:?}");
            assert!(m.value >= 1 << 30);
        }
        assert_eq!(Multiplier::new(0.5), Multiplier { value: 1 << 30, shift: 0 });
    }

    #[test]
    fn double_and_single_rounding_differ_where_they_must() {
        // 2^31 * 0.5 / 2 lies on a tie of the first rounding only.
        let m = Multiplier { value: 1_073_741_825, shift: -1 };
        let differs = (-2000..2000).filter(|&x| m.apply(x, Rounding::Double) != m.apply(x, Rounding::Single));
        assert!(differs.count() > 0);
    }

    #[test]
    fn rounding_division_goes_away_from_zero_on_ties() {
        assert_eq!(rounding_divide_by_power_of_two(3, 1), 2);
        assert_eq!(rounding_divide_by_power_of_two(-3, 1), -2);
        assert_eq!(rounding_divide_by_power_of_two(-5, 2), -1);
        assert_eq!(rounding_divide_by_power_of_two(7, 0), 7);
    }

    #[test]
    fn quantize_saturates() {
        assert_eq!(quantize(1e30, 0.1, 3, (-128, 127)), 127);
        assert_eq!(quantize(-1e30, 0.1, 3, (-128, 127)), -128);
        assert_eq!(quantize(0.25, 0.5, 0, (-128, 127)), 1);
        assert_eq!(quantize(f32::NAN, 0.5, 7, (-128, 127)), 7);
    }
}
