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
    /// A sum of 64 bits by a mantissa of 16 bits, [`Multiplier::reduced`], to the nearest multiple, ties up: what
    /// layers with weights do whose activations have 16 bits and whose bias has 64.
    Wide,
    /// A sum of 64 bits by a mantissa of 53 bits, [`PreciseMultiplier`], to the nearest multiple, ties away from zero:
    /// what dense layers do whose activations have 16 bits, since LiteRT multiplies by a double there.
    Precise,
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
            Rounding::Wide => self.apply_wide(i64::from(x)),
            // By the bits that are there.
            Rounding::Precise => self.apply(x, Rounding::Single),
        }
    }

    /// The mantissa in 16 bits, rounded, and how far a product with it is shifted to the right: 0 and 15 to 46.
    ///
    /// Source  LiteRT 2.3.0, `MultiplyByQuantizedMultiplier` of a 64-bit sum
    pub fn reduced(self) -> (i32, i32) {
        let value = if self.value < 0x7fff_0000 { (self.value + (1 << 15)) >> 16 } else { 0x7fff };
        (value, 15 - self.shift)
    }

    /// [`Multiplier::apply`] with [`Rounding::Wide`] of a sum of 64 bits. Saturates where the result is beyond 32.
    pub fn apply_wide(self, x: i64) -> i32 {
        let (value, right) = self.reduced();
        // Factors of 2^15 and more have nothing to round.
        let scaled = match right {
            1.. => (i128::from(x) * i128::from(value) + (1i128 << (right - 1))) >> right,
            _ => (i128::from(x) * i128::from(value)) << -right,
        };
        scaled.clamp(i128::from(i32::MIN), i128::from(i32::MAX)) as i32
    }

    /// [`Multiplier::apply`] of a sum of 64 bits; the roundings of 32 bits saturate it first.
    pub fn apply_sum(self, sum: i64, rounding: Rounding) -> i32 {
        match rounding {
            Rounding::Wide => self.apply_wide(sum),
            Rounding::Double | Rounding::Single | Rounding::Precise => {
                self.apply(sum.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32, rounding)
            }
        }
    }
}

/// A positive real factor with all the bits of a double: `m = value * 2^(-22 - shift)`, with `2^52 <= value < 2^53`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PreciseMultiplier {
    /// Mantissa; 0 for factors below `2^-32`.
    pub value: i64,
    /// How far the product with the upper 31 bits of the mantissa is shifted to the right. In `1..=62`.
    pub shift: i32,
}

/// Bits of a [`PreciseMultiplier`] beyond those of a [`Multiplier`].
pub const PRECISE_BITS: i32 = 22;

impl PreciseMultiplier {
    /// That of a factor that is not negative and below `2^30`; greater ones are taken for the greatest.
    pub fn new(factor: f64) -> PreciseMultiplier {
        if factor == 0.0 {
            return PreciseMultiplier { value: 0, shift: 1 };
        }
        let (mantissa, exponent) = frexp(factor);
        match 31 - exponent {
            ..1 => PreciseMultiplier { value: (1 << 53) - 1, shift: 1 },
            shift @ 1..=62 => PreciseMultiplier { value: (mantissa * 2f64.powi(53)) as i64, shift },
            _ => PreciseMultiplier { value: 0, shift: 1 },
        }
    }

    /// The product with a sum. Saturates where it is beyond 32 bits.
    ///
    /// Source  LiteRT 2.3.0, FULLY_CONNECTED of INT16: a product of doubles, rounded. Theirs is first rounded to 53 bits,
    /// so they differ only where the product lies within `2^-53` of its own size of a tie without being one.
    pub fn apply(self, x: i64) -> i32 {
        let product = i128::from(x) * i128::from(self.value) - i128::from(x < 0);
        let total = self.shift + PRECISE_BITS;
        let scaled = (product + (1i128 << (total - 1))) >> total;
        scaled.clamp(i128::from(i32::MIN), i128::from(i32::MAX)) as i32
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
    fn wide_sums_keep_their_high_bits() {
        let half = Multiplier::new(0.5);
        assert_eq!(half.reduced(), (1 << 14, 15));
        assert_eq!([-3, -1, 1, 3].map(|x| half.apply_wide(x)), [-1, 0, 1, 2]);
        // Beyond 32 bits, by a factor that brings it back.
        assert_eq!(Multiplier::new(2f64.powi(-20)).apply_wide(5 << 40), 5 << 20);
        assert_eq!(Multiplier::new(1.0 - 1e-9).reduced(), (0x7fff, 15));
        assert_eq!(Multiplier::new(0.0).apply_wide(i64::MAX), 0);
    }

    #[test]
    fn precise_products_are_those_of_doubles() {
        let mut x = 88_172_645_463_325_252u64;
        let mut next = || {
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            x
        };
        for _ in 0..20_000 {
            let factor = f64::from_bits((next() >> 12) | (1023 << 52)) * 2f64.powi(-1 - (next() % 28) as i32);
            let multiplier = PreciseMultiplier::new(factor);
            let sum = i64::from(next() as i32) >> (next() % 16);
            let wanted = (sum as f64 * factor).round().clamp(-2147483648.0, 2147483647.0) as i32;
            assert_eq!(multiplier.apply(sum), wanted, "{sum} by {factor}");
        }
        assert_eq!([-3, -1, 1, 3].map(|x| PreciseMultiplier::new(0.5).apply(x)), [-2, -1, 1, 2]);
        assert_eq!(PreciseMultiplier::new(1e-12).apply(i64::from(i32::MAX)), 0);
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
