//! Larger feature maps.

use serde::{Deserialize, Serialize};

use crate::ops::copy::{Copied, extent, map_copies};
use crate::ops::reference::nhwc;
use crate::ops::{Operator, ShapeError, activations, arity, feature_map};
use crate::tensor::{Shape, TensorType, Value};

/// Every pixel repeated down and to the right: nearest-neighbour enlargement by whole factors. Input and output
/// have the same quantization.
///
/// Shapes  `x [N,H,W,C] -> [N,H*f0,W*f1,C]`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 no feature map, or an extent above 65536; E0304 a factor of 0; E0301 as `activation`
/// Source  TFLite quantization specification, RESIZE_NEAREST_NEIGHBOR
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Upsample2d {
    /// Down and to the right; at least 1.
    pub factor: [usize; 2],
}

impl Operator for Upsample2d {
    const NAME: &'static str = "upsample2d";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        let mut shape = feature_map(Self::NAME, x)?;
        activations(Self::NAME, x)?;
        if self.factor.contains(&0) {
            return Err(ShapeError::window("`upsample2d` has a factor of 0"));
        }
        for axis in 0..2 {
            shape[axis + 1] = extent(Self::NAME, shape[axis + 1].checked_mul(self.factor[axis]))?;
        }
        Ok(TensorType { shape: Shape::from(&shape[..]), ..x.clone() })
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let ([_, height, width, channels], [_, rows, columns, _]) = (nhwc(types[0]), nhwc(output));
        let source = |at: usize| {
            let (c, pixel) = (at % channels, at / channels);
            let [x, y, n] = [pixel % columns, pixel / columns % rows, pixel / columns / rows];
            let row = n * height + y / self.factor[0];
            Some(Copied { input: 0, element: (row * width + x / self.factor[1]) * channels + c })
        };
        let sources: Vec<_> = (0..output.shape.elements()).map(source).collect();
        map_copies(inputs, &sources, output)
    }

    fn attributes(&self) -> String {
        format!(" factor={}x{}", self.factor[0], self.factor[1])
    }
}
