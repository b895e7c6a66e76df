//! Two-dimensional convolution.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{
    add_float, add_integer, bias, centered, channel_multipliers, convolve, float_value, floats, integers,
    nhwc, requantize,
};
use crate::ops::{
    Clamp, Operator, Requant, ShapeError, Window, arity, ending, feature_map, output_type, parameters,
};
use crate::tensor::arith::Multiplier;
use crate::tensor::{Macs, TensorType, Value};

/// Two-dimensional convolution with bias and clamp. One-dimensional signals have width 1.
///
/// Shapes  `x [N,H,W,C], w [O,Kh,Kw,C], b [O] -> [N,Ho,Wo,O]`; Ho = (H + pads - (Kh-1)*dilation - 1)/stride + 1
/// Types   f32,f32,f32 -> f32; i8,i8 (per channel O, zero point 0),i32 -> i8; the same with i16 around
/// Cost    MACs = N*Ho*Wo*O*Kh*Kw*C
/// Errors  E0303 channels differ, E0304 window larger than padded input, E0301 parameters of other types
/// Source  TFLite quantization specification, CONV_2D
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Conv2d {
    /// The moving window.
    pub window: Window,
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

impl Conv2d {
    /// For each output channel the factor from its sum to its output.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn multipliers(&self, x: &TensorType, w: &TensorType, output: &TensorType) -> Vec<Multiplier> {
        channel_multipliers([x, w, output], w.shape.0[0])
    }
}

impl Operator for Conv2d {
    const NAME: &'static str = "conv2d";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x, w, b] = arity(Self::NAME, inputs)?;
        let [n, height, width, channels] = feature_map(Self::NAME, x)?;
        let [filters, kh, kw, depth] = feature_map(Self::NAME, w)?;
        if depth != channels {
            return Err(ShapeError::shape(format!(
                "`conv2d` has weights for {depth} channels, its input has {channels}"
            )));
        }
        if [kh, kw] != self.window.kernel || b.shape.0[..] != [filters] {
            return Err(ShapeError::shape(format!(
                "`conv2d` with kernel {}x{} got weights {} and bias {}",
                self.window.kernel[0], self.window.kernel[1], w.shape, b.shape
            )));
        }
        parameters(Self::NAME, x, (w, 0), b)?;
        let [ho, wo] = self.window.output(Self::NAME, [height, width])?;
        output_type(Self::NAME, x, self.requant.as_ref(), vec![n, ho, wo, filters])
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let (extents, out) = (nhwc(types[0]), nhwc(output));
        let Some(requant) = &self.requant else {
            let [x, w, b] = [floats(inputs[0]), floats(inputs[1]), floats(inputs[2])];
            let sums = convolve(&self.window, (&x[..], extents), &w, &b, out, add_float);
            let clamped = sums.into_iter().map(|y| self.clamp.apply(y)).collect();
            return float_value(&output.shape, clamped);
        };
        let (x, w, b) = (centered(inputs[0], types[0]), integers(inputs[1]), bias(inputs[2]));
        let sums = convolve(&self.window, (&x[..], extents), &w, &b, out, add_integer);
        let multipliers = self.multipliers(types[0], types[1], output);
        requantize(&sums, &multipliers, (requant, self.clamp), output)
    }

    fn macs(&self, inputs: &[&TensorType], output: &TensorType) -> Macs {
        let taps = inputs[1].shape.0[1..].iter().product::<usize>();
        Macs((output.shape.elements() * taps) as u64)
    }

    fn attributes(&self) -> String {
        self.window.attributes() + &ending(self.clamp, self.requant.as_ref())
    }
}
