//! Depthwise convolution.

use serde::{Deserialize, Serialize};

use crate::ops::{Clamp, Operator, Requant, ShapeError, Window, arity, ending, feature_map, output_type};
use crate::tensor::{Macs, TensorType};

/// Depthwise two-dimensional convolution: one filter for each channel.
///
/// Shapes  x [N,H,W,C], w [1,Kh,Kw,C], b [C] -> [N,Ho,Wo,C]; Ho as in `conv2d`
/// Types   f32,f32,f32 -> f32; i8,i8 (per channel C, zero point 0),i32 -> i8
/// Cost    MACs = N*Ho*Wo*C*Kh*Kw
/// Errors  E0303 channels differ, E0304 window larger than padded input
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
        if [kh, kw] != self.window.kernel || b.shape.0 != [channels] {
            return Err(ShapeError::shape(format!(
                "`depthwise_conv2d` with kernel {}x{} got weights {} and bias {}",
                self.window.kernel[0], self.window.kernel[1], w.shape, b.shape
            )));
        }
        let [ho, wo] = self.window.output(Self::NAME, [height, width])?;
        output_type(Self::NAME, x, self.requant.as_ref(), vec![n, ho, wo, channels])
    }

    fn macs(&self, _inputs: &[&TensorType], output: &TensorType) -> Macs {
        Macs((output.shape.elements() * self.window.kernel[0] * self.window.kernel[1]) as u64)
    }

    fn attributes(&self) -> String {
        self.window.attributes() + &ending(self.clamp, self.requant.as_ref())
    }
}
