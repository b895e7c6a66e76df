//! Two-dimensional convolution.

use serde::{Deserialize, Serialize};

use crate::ops::{Clamp, Operator, Requant, ShapeError, Window, arity, ending, feature_map, output_type};
use crate::tensor::{Macs, TensorType};

/// Two-dimensional convolution with bias and clamp. One-dimensional signals have width 1.
///
/// Shapes  x [N,H,W,C], w [O,Kh,Kw,C], b [O] -> [N,Ho,Wo,O]; Ho = (H + pads - (Kh-1)*dilation - 1)/stride + 1
/// Types   f32,f32,f32 -> f32; i8,i8 (per channel O, zero point 0),i32 -> i8
/// Cost    MACs = N*Ho*Wo*O*Kh*Kw*C
/// Errors  E0303 channels differ, E0304 window larger than padded input
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
        if [kh, kw] != self.window.kernel || b.shape.0 != [filters] {
            return Err(ShapeError::shape(format!(
                "`conv2d` with kernel {}x{} got weights {} and bias {}",
                self.window.kernel[0], self.window.kernel[1], w.shape, b.shape
            )));
        }
        let [ho, wo] = self.window.output(Self::NAME, [height, width])?;
        output_type(Self::NAME, x, self.requant.as_ref(), vec![n, ho, wo, filters])
    }

    fn macs(&self, inputs: &[&TensorType], output: &TensorType) -> Macs {
        let taps = inputs[1].shape.0[1..].iter().product::<usize>();
        Macs((output.shape.elements() * taps) as u64)
    }

    fn attributes(&self) -> String {
        self.window.attributes() + &ending(self.clamp, self.requant.as_ref())
    }
}
