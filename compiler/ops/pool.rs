//! Pools.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{float_value, floats, integer_value, integers, nhwc, pool, quant};
use crate::ops::{Clamp, Operator, ShapeError, Window, activations, arity, ending, feature_map};
use crate::tensor::{DType, Shape, TensorType, Value};

/// Mean of a window, padding not counted. A window of the whole map is a global average pool.
/// Quantized: input and output have the same quantization; the mean of the integers, ties away from zero.
///
/// Shapes  `x [N,H,W,C] -> [N,Ho,Wo,C]`; Ho as in `conv2d`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0304 window larger than padded input, or a window of padding alone; E0301 as `activation`
/// Source  TFLite quantization specification, AVERAGE_POOL_2D
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AvgPool2d {
    /// The moving window.
    pub window: Window,
    /// The clamp at the end.
    pub clamp: Clamp,
}

/// Greatest of a window, padding not counted. Quantized: input and output have the same quantization.
///
/// Shapes  `x [N,H,W,C] -> [N,Ho,Wo,C]`; Ho as in `conv2d`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0304 window larger than padded input, or a window of padding alone; E0301 as `activation`
/// Source  TFLite quantization specification, MAX_POOL_2D
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MaxPool2d {
    /// The moving window.
    pub window: Window,
    /// The clamp at the end.
    pub clamp: Clamp,
}

impl AvgPool2d {
    fn floats(&self, x: (&[f32], [usize; 4]), out: [usize; 4]) -> Vec<f32> {
        pool(&self.window, x, out, 0.0, |sum, x| sum + x, |sum, count| sum / count as f32)
    }

    fn integers(&self, x: (&[i32], [usize; 4]), out: [usize; 4]) -> Vec<i32> {
        let mean = |sum: i64, count: usize| {
            let count = count as i64;
            let half = if sum > 0 { count / 2 } else { -(count / 2) };
            (sum + half) / count
        };
        let means = pool(&self.window, x, out, 0i64, |sum, x| sum + i64::from(x), mean);
        means.into_iter().map(|mean| i32::try_from(mean).expect("a mean lies between its terms")).collect()
    }
}

impl MaxPool2d {
    fn floats(&self, x: (&[f32], [usize; 4]), out: [usize; 4]) -> Vec<f32> {
        pool(&self.window, x, out, f32::NEG_INFINITY, f32::max, |greatest, _| greatest)
    }

    fn integers(&self, x: (&[i32], [usize; 4]), out: [usize; 4]) -> Vec<i32> {
        pool(&self.window, x, out, i32::MIN, i32::max, |greatest, _| greatest)
    }
}

/// Refuses windows that see padding alone: they have neither a mean nor a greatest.
fn see_the_input(
    name: &str,
    window: &Window,
    input: [usize; 2],
    output: [usize; 2],
) -> Result<(), ShapeError> {
    for axis in 0..2 {
        let blind = |&at: &usize| {
            let (first, last) = window.taps(axis, at, input[axis]);
            first == last
        };
        if let Some(at) = (0..output[axis]).find(blind) {
            let side = ["row", "column"][axis];
            return Err(ShapeError::window(format!(
                "`{name}` sees padding alone in {side} {at} of its output"
            )));
        }
    }
    Ok(())
}

macro_rules! pool {
    ($type:ident, $name:literal) => {
        impl Operator for $type {
            const NAME: &'static str = $name;

            fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
                let [x] = arity(Self::NAME, inputs)?;
                let [n, height, width, channels] = feature_map(Self::NAME, x)?;
                activations(Self::NAME, x)?;
                let [ho, wo] = self.window.output(Self::NAME, [height, width])?;
                see_the_input(Self::NAME, &self.window, [height, width], [ho, wo])?;
                Ok(TensorType { shape: Shape::from([n, ho, wo, channels]), ..x.clone() })
            }

            fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
                let (extents, out) = (nhwc(types[0]), nhwc(output));
                if output.dtype == DType::F32 {
                    let pooled = self.floats((&floats(inputs[0])[..], extents), out);
                    let clamped = pooled.into_iter().map(|y| self.clamp.apply(y)).collect();
                    return float_value(&output.shape, clamped);
                }
                let (low, high) = self.clamp.range_of(output.dtype, quant(output));
                let pooled = self.integers((&integers(inputs[0])[..], extents), out);
                let clamped: Vec<i32> = pooled.into_iter().map(|y| y.clamp(low, high)).collect();
                integer_value(output, &clamped)
            }

            fn attributes(&self) -> String {
                self.window.attributes() + &ending(self.clamp, None)
            }
        }
    };
}

pool!(AvgPool2d, "avg_pool2d");
pool!(MaxPool2d, "max_pool2d");
