//! Zeros around a feature map.

use serde::{Deserialize, Serialize};

use crate::ops::copy::{Copied, extent, map_copies};
use crate::ops::reference::nhwc;
use crate::ops::{Operator, ShapeError, activations, arity, feature_map};
use crate::tensor::{Shape, TensorType, Value};

/// Zeros before and after the rows, the columns and the channels of a feature map; the zero point where it is
/// quantized. Input and output have the same quantization.
///
/// Shapes  `x [N,H,W,C] -> [N,H+..,W+..,C+..]`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 no feature map, or an extent above 65536; E0301 as `activation`
/// Source  TFLite quantization specification, PAD
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Pad {
    /// Rows above, columns to the left, channels before.
    pub before: [usize; 3],
    /// Rows below, columns to the right, channels after.
    pub after: [usize; 3],
}

impl Operator for Pad {
    const NAME: &'static str = "pad";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        let mut shape = feature_map(Self::NAME, x)?;
        activations(Self::NAME, x)?;
        for axis in 0..3 {
            let padded = shape[axis + 1].checked_add(self.before[axis]);
            let padded = padded.and_then(|padded| padded.checked_add(self.after[axis]));
            shape[axis + 1] = extent(Self::NAME, padded)?;
        }
        Ok(TensorType { shape: Shape::from(&shape[..]), ..x.clone() })
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let (from, to) = (nhwc(types[0]), nhwc(output));
        let source = |at: usize| {
            let [c, x, y, n] =
                [at % to[3], at / to[3] % to[2], at / to[3] / to[2] % to[1], at / to[3] / to[2] / to[1]];
            let inside =
                |axis: usize, at: usize| at.checked_sub(self.before[axis]).filter(|&at| at < from[axis + 1]);
            let (y, x, c) = (inside(0, y)?, inside(1, x)?, inside(2, c)?);
            Some(Copied { input: 0, element: ((n * from[1] + y) * from[2] + x) * from[3] + c })
        };
        let sources: Vec<_> = (0..output.shape.elements()).map(source).collect();
        map_copies(inputs, &sources, output)
    }

    fn attributes(&self) -> String {
        let list = |extents: [usize; 3]| extents.map(|extent| extent.to_string()).join(",");
        format!(" before={} after={}", list(self.before), list(self.after))
    }
}
