//! Depthwise convolution.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{
    add_float, add_integer, bias, centered, channel_multipliers, convolve_depthwise, float_value, floats,
    integers, nhwc, requantize,
};
use crate::ops::{
    Clamp, Operator, Requant, ShapeError, Window, arity, ending, feature_map, output_type, parameters,
};
use crate::tensor::arith::Multiplier;
use crate::tensor::{Macs, TensorType, Value};

/// Depthwise two-dimensional convolution: one filter for each channel.
///
/// Shapes  `x [N,H,W,C], w [1,Kh,Kw,C], b [C] -> [N,Ho,Wo,C]`; Ho as in `conv2d`
/// Types   f32,f32,f32 -> f32; i8,i8 (per channel C, zero point 0),i32 -> i8; the same with i16 around
/// Cost    MACs = N*Ho*Wo*C*Kh*Kw
/// Errors  E0303 channels differ, E0304 window larger than padded input, E0301 parameters of other types
/// Source  TFLite quantization specification, DEPTHWISE_CONV_2D; arXiv:1704.04861 section 3.1
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DepthwiseConv2d {
    /// The moving window.
    pub window: Window,
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

impl DepthwiseConv2d {
    /// For each output channel the factor from its sum to its output.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn multipliers(&self, x: &TensorType, w: &TensorType, output: &TensorType) -> Vec<Multiplier> {
        channel_multipliers([x, w, output], w.shape.0[3])
    }
}

impl Operator for DepthwiseConv2d {
    const NAME: &'static str = "depthwise_conv2d";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x, w, b] = arity(Self::NAME, inputs)?;
        let [n, height, width, channels] = feature_map(Self::NAME, x)?;
        let [one, kh, kw, depth] = feature_map(Self::NAME, w)?;
        if depth != channels || one != 1 {
            return Err(ShapeError::shape(format!(
                "`depthwise_conv2d` has weights {}, its input has {channels} channels",
                w.shape
            )));
        }
        if [kh, kw] != self.window.kernel || b.shape.0[..] != [channels] {
            return Err(ShapeError::shape(format!(
                "`depthwise_conv2d` with kernel {}x{} got weights {} and bias {}",
                self.window.kernel[0], self.window.kernel[1], w.shape, b.shape
            )));
        }
        parameters(Self::NAME, x, (w, 3), b)?;
        let [ho, wo] = self.window.output(Self::NAME, [height, width])?;
        output_type(Self::NAME, x, self.requant.as_ref(), vec![n, ho, wo, channels])
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let (extents, out) = (nhwc(types[0]), nhwc(output));
        let Some(requant) = &self.requant else {
            let [x, w, b] = [floats(inputs[0]), floats(inputs[1]), floats(inputs[2])];
            let sums = convolve_depthwise(&self.window, (&x[..], extents), &w, &b, out, add_float);
            let clamped = sums.into_iter().map(|y| self.clamp.apply(y)).collect();
            return float_value(&output.shape, clamped);
        };
        let (x, w, b) = (centered(inputs[0], types[0]), integers(inputs[1]), bias(inputs[2]));
        let sums = convolve_depthwise(&self.window, (&x[..], extents), &w, &b, out, add_integer);
        let multipliers = self.multipliers(types[0], types[1], output);
        requantize(&sums, &multipliers, (requant, self.clamp), output)
    }

    fn macs(&self, _inputs: &[&TensorType], output: &TensorType) -> Macs {
        Macs((output.shape.elements() * self.window.kernel[0] * self.window.kernel[1]) as u64)
    }

    fn attributes(&self) -> String {
        self.window.attributes() + &ending(self.clamp, self.requant.as_ref())
    }
}
