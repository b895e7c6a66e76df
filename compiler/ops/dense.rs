//! Fully connected layer.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{
    add_float, add_integer, bias, centered, channel_factors, channel_multipliers, convolve, float_value,
    floats, integers, requantize, requantize_precisely,
};
use crate::ops::{Clamp, Operator, Requant, ShapeError, Window, arity, ending, output_type, parameters};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{Macs, TensorType, Value};

/// Fully connected layer with bias and clamp.
///
/// Shapes  `x [N,I], w [O,I], b [O] -> [N,O]`
/// Types   f32,f32,f32 -> f32; i8,i8 (per channel O or per tensor, zero point 0),i32 -> i8; i16,i8,i32 -> i16
/// Cost    MACs = N*O*I
/// Errors  E0303 extents differ, E0301 parameters of other types
/// Source  TFLite quantization specification, FULLY_CONNECTED
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dense {
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

impl Dense {
    /// For each output the factor from its sum to its output, also where the weights have one scale.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn multipliers(&self, x: &TensorType, w: &TensorType, output: &TensorType) -> Vec<Multiplier> {
        channel_multipliers([x, w, output], w.shape.0[0])
    }
}

impl Operator for Dense {
    const NAME: &'static str = "dense";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x, w, b] = arity(Self::NAME, inputs)?;
        let (&[n, features], &[units, depth]) = (x.shape.0.as_slice(), w.shape.0.as_slice()) else {
            return Err(ShapeError::shape(format!("`dense` takes a vector [N, C], got {}", x.shape)));
        };
        if depth != features || b.shape.0[..] != [units] {
            return Err(ShapeError::shape(format!(
                "`dense` has weights {} and bias {}, its input has {features} features",
                w.shape, b.shape
            )));
        }
        parameters(Self::NAME, x, (w, 0), b)?;
        output_type(Self::NAME, x, self.requant.as_ref(), vec![n, units])
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let (batch, features, units) = (types[0].shape.0[0], types[0].shape.0[1], output.shape.0[1]);
        // One pixel of a pointwise convolution.
        let (window, extents) = (Window::valid([1, 1], [1, 1]), [batch, 1, 1, features]);
        let out = [batch, 1, 1, units];
        let Some(requant) = &self.requant else {
            let [x, w, b] = [floats(inputs[0]), floats(inputs[1]), floats(inputs[2])];
            let sums = convolve(&window, (&x[..], extents), &w, &b, out, add_float);
            let clamped = sums.into_iter().map(|y| self.clamp.apply(y)).collect();
            return float_value(&output.shape, clamped);
        };
        let (x, w, b) = (centered(inputs[0], types[0]), integers(inputs[1]), bias(inputs[2]));
        let sums = convolve(&window, (&x[..], extents), &w, &b, out, add_integer);
        if requant.rounding == Rounding::Precise {
            let factors = channel_factors([types[0], types[1], output], units);
            return requantize_precisely(&sums, &factors, (requant, self.clamp), output);
        }
        let multipliers = self.multipliers(types[0], types[1], output);
        requantize(&sums, &multipliers, (requant, self.clamp), output)
    }

    fn macs(&self, inputs: &[&TensorType], output: &TensorType) -> Macs {
        Macs((output.shape.elements() * inputs[1].shape.0[1]) as u64)
    }

    fn attributes(&self) -> String {
        ending(self.clamp, self.requant.as_ref())
    }
}
