//! From raw floats to the network's 8-bit input: the arithmetic that emitted C repeats bit for bit.
//!
//! For each value `x` of channel `c`, in this order, every step rounded to F32:
//!
//! 1. `t = (x - mean[c]) * factor[c]`, where `factor` is twice the step from raw units to input steps
//! 2. `t = 0` if `t` is not a number; `t = -1024` below it, `t = 1024` above it, by comparisons
//! 3. `i = t` truncated to an integer
//! 4. `q = (i + (i >= 0 ? 1 : -1)) / 2`, the division truncating
//! 5. `q + zero_point`, clamped to -128..=127
//!
//! Step 4 rounds half of `t` to the nearest integer, halves away from zero, without libm. No step has the
//! form `a * b + c`, so no compiler can contract one into a fused multiply-add and change a bit. The one
//! condition is arithmetic in F32 (`FLT_EVAL_METHOD` 0), which all targets of nasc have.

use serde::{Deserialize, Serialize};

use crate::data::standardize::Standardization;
use crate::data::table::Element;

/// Twice the range that can matter: beyond `±512` steps every zero point gives a saturated value.
const BOUND: f32 = 1024.0;

/// Steps from the mean that count.
const MOST: i32 = 512;

/// Standardisation and input quantization in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawQuantizer {
    /// One for each channel, in raw units.
    pub mean: Vec<f32>,
    /// One for each channel: `2 * inv_deviation / input_scale`, rounded once.
    pub factor: Vec<f32>,
    /// Zero point of the network's input, in -128..=127.
    pub zero_point: i32,
}

impl RawQuantizer {
    /// For an input of the given scale and zero point behind a standardisation.
    pub fn new(standardization: &Standardization, input_scale: f32, zero_point: i32) -> RawQuantizer {
        let factor = |&inverse: &f32| {
            (2.0 * f64::from(inverse) / f64::from(input_scale)).min(f64::from(f32::MAX)) as f32
        };
        RawQuantizer {
            mean: standardization.mean.clone(),
            factor: standardization.inv_deviation.iter().map(factor).collect(),
            zero_point,
        }
    }

    /// Steps of one value of `channel` from its mean, from -512 to 512.
    fn steps(&self, x: f32, channel: usize) -> i32 {
        half_rounded((x - self.mean[channel]) * self.factor[channel])
    }

    /// One value of `channel`.
    pub fn quantize(&self, x: f32, channel: usize) -> i8 {
        let q = self.steps(x, channel) + self.zero_point;
        q.clamp(i32::from(i8::MIN), i32::from(i8::MAX)) as i8
    }

    /// All values of samples whose last dimension is the channel.
    pub fn quantize_all(&self, values: &[f32]) -> Vec<i8> {
        let channels = self.mean.len().max(1);
        values.iter().enumerate().map(|(index, &x)| self.quantize(x, index % channels)).collect()
    }
}

/// `t / 2` to the nearest integer, halves away from zero, saturated at ±512; 0 for NaN.
fn half_rounded(t: f32) -> i32 {
    let t = if t.is_nan() { 0.0 } else { t };
    let t = if t < -BOUND { -BOUND } else { t };
    let t = if t > BOUND { BOUND } else { t };
    let i = t as i32;
    (i + if i >= 0 { 1 } else { -1 }) / 2
}

/// Features that are integers to the network's 8-bit input, in integers.
///
/// For each feature `x` of channel `c`: `((x - offset[c]) * factor[c] + (1 << (shift - 1))) >> shift`, the shift
/// rounding down, plus `zero_point`, clamped to -128..=127. Nothing leaves 32 bits: `x` and `offset` are in
/// -32768..=32767, `factor` is in 0..=16383, `shift` in 1..=30.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntegerQuantizer {
    /// One for each channel.
    pub offset: Vec<i32>,
    /// One for each channel: steps of the input for one of the feature, times `1 << shift`.
    pub factor: Vec<i32>,
    /// Fraction bits of the factors.
    pub shift: u32,
    /// Zero point of the network's input, in -128..=127.
    pub zero_point: i32,
}

impl IntegerQuantizer {
    const FACTOR: f64 = 16383.0;

    /// For an input of the given scale and zero point behind a standardisation.
    pub fn new(standardization: &Standardization, input_scale: f32, zero_point: i32) -> IntegerQuantizer {
        let steps: Vec<f64> = standardization
            .inv_deviation
            .iter()
            .map(|&inverse| f64::from(inverse) / f64::from(input_scale))
            .collect();
        let greatest = steps.iter().copied().fold(0.0, f64::max);
        let fits = |shift: &u32| greatest * f64::from(1u32 << shift) <= IntegerQuantizer::FACTOR;
        let shift = (1..=30).rev().find(fits).unwrap_or(1);
        let factor =
            |step: &f64| (step * f64::from(1u32 << shift)).round().min(IntegerQuantizer::FACTOR) as i32;
        IntegerQuantizer {
            offset: standardization
                .mean
                .iter()
                .map(|mean| mean.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i32)
                .collect(),
            factor: steps.iter().map(factor).collect(),
            shift,
            zero_point,
        }
    }

    /// Steps of one feature of `channel`, an integer of 16 bit, from its mean.
    fn steps(&self, x: f32, channel: usize) -> i32 {
        let product = (x as i32 - self.offset[channel]) * self.factor[channel];
        (product + (1 << (self.shift - 1))) >> self.shift
    }

    /// One feature of `channel`, an integer of 16 bit.
    pub fn quantize(&self, x: f32, channel: usize) -> i8 {
        let q = self.steps(x, channel) + self.zero_point;
        q.clamp(i32::from(i8::MIN), i32::from(i8::MAX)) as i8
    }
}

/// Features to the network's 8-bit input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantizer {
    /// Of floats.
    Float(RawQuantizer),
    /// Of integers.
    Integer(IntegerQuantizer),
}

impl Quantizer {
    /// For features of the given element, and an input of the given scale and zero point behind a standardisation.
    pub fn new(
        element: Element,
        standardization: &Standardization,
        scale: f32,
        zero_point: i32,
    ) -> Quantizer {
        match element {
            Element::F32 => Quantizer::Float(RawQuantizer::new(standardization, scale, zero_point)),
            Element::U8 | Element::I16 => {
                Quantizer::Integer(IntegerQuantizer::new(standardization, scale, zero_point))
            }
        }
    }

    /// All features of a sample; channels, or bands of sound, innermost.
    pub fn quantize_all(&self, features: &[f32]) -> Vec<i8> {
        let period = self.period().max(1);
        let indexed = features.iter().enumerate();
        match self {
            Quantizer::Float(float) => indexed.map(|(i, &x)| float.quantize(x, i % period)).collect(),
            Quantizer::Integer(integer) => indexed.map(|(i, &x)| integer.quantize(x, i % period)).collect(),
        }
    }

    /// All features of a sample in steps of the network's input from their means, not clamped to 8 bit but to 512 steps.
    pub fn steps(&self, features: &[f32]) -> Vec<i32> {
        let period = self.period().max(1);
        let step = |(i, &x): (usize, &f32)| match self {
            Quantizer::Float(float) => float.steps(x, i % period),
            Quantizer::Integer(integer) => integer.steps(x, i % period).clamp(-MOST, MOST),
        };
        features.iter().enumerate().map(step).collect()
    }

    /// Features that have a mean and a factor of their own come again after so many.
    pub fn period(&self) -> usize {
        match self {
            Quantizer::Float(float) => float.mean.len(),
            Quantizer::Integer(integer) => integer.offset.len(),
        }
    }

    /// Zero point of the network's input.
    pub fn zero_point(&self) -> i32 {
        match self {
            Quantizer::Float(float) => float.zero_point,
            Quantizer::Integer(integer) => integer.zero_point,
        }
    }

    /// Bytes of its tables.
    pub fn table_bytes(&self) -> u64 {
        match self {
            Quantizer::Float(float) => 4 * (float.mean.len() + float.factor.len()) as u64,
            Quantizer::Integer(integer) => 2 * (integer.offset.len() + integer.factor.len()) as u64,
        }
    }

    /// Whether its numbers are those that the arithmetic allows, for an input of this zero point.
    pub fn is_sound(&self, period: usize, zero_point: i32) -> bool {
        let shared = zero_point == self.zero_point() && (-128..=127).contains(&zero_point);
        shared
            && match self {
                Quantizer::Float(float) => {
                    let finite = float.mean.iter().chain(&float.factor).all(|x| x.is_finite());
                    (float.mean.len(), float.factor.len()) == (period, period) && finite
                }
                Quantizer::Integer(integer) => {
                    let offsets = integer.offset.iter().all(|x| i16::try_from(*x).is_ok());
                    let factors = integer.factor.iter().all(|x| (0..=16383).contains(x));
                    (integer.offset.len(), integer.factor.len()) == (period, period)
                        && offsets
                        && factors
                        && (1..=30).contains(&integer.shift)
                }
            }
    }
}
