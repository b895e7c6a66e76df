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

/// Twice the range that can matter: beyond `±512` steps every zero point gives a saturated value.
const BOUND: f32 = 1024.0;

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

    /// One value of `channel`.
    pub fn quantize(&self, x: f32, channel: usize) -> i8 {
        let q = half_rounded((x - self.mean[channel]) * self.factor[channel]) + self.zero_point;
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
