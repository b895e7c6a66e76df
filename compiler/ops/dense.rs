//! Fully connected layer.

use serde::{Deserialize, Serialize};

use crate::ops::{Clamp, Operator, Requant, ShapeError, arity, ending, output_type};
use crate::tensor::{Macs, TensorType};

/// Fully connected layer with bias and clamp.
///
/// Shapes  x [N,I], w [O,I], b [O] -> [N,O]
/// Types   f32,f32,f32 -> f32; i8,i8 (per channel O or per tensor, zero point 0),i32 -> i8
/// Cost    MACs = N*O*I
/// Errors  E0303 extents differ
/// Source  TFLite quantization specification, FULLY_CONNECTED
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dense {
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

impl Operator for Dense {
    const NAME: &'static str = "dense";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x, w, b] = arity(Self::NAME, inputs)?;
        let (&[n, features], &[units, depth]) = (x.shape.0.as_slice(), w.shape.0.as_slice()) else {
            return Err(ShapeError::shape(format!("`dense` takes a vector [N, C], got {}", x.shape)));
        };
        if depth != features || b.shape.0 != [units] {
            return Err(ShapeError::shape(format!(
                "`dense` has weights {} and bias {}, its input has {features} features",
                w.shape, b.shape
            )));
        }
        output_type(Self::NAME, x, self.requant.as_ref(), vec![n, units])
    }

    fn macs(&self, inputs: &[&TensorType], output: &TensorType) -> Macs {
        Macs((output.shape.elements() * inputs[1].shape.0[1]) as u64)
    }

    fn attributes(&self) -> String {
        ending(self.clamp, self.requant.as_ref())
    }
}
