//! Sum of two tensors.

use serde::{Deserialize, Serialize};

use crate::ops::{Clamp, Operator, Requant, ShapeError, arity, ending, output_type};
use crate::tensor::TensorType;

/// Element-wise sum with clamp; no broadcasting.
///
/// Shapes  a [...], b [...] -> [...], all equal
/// Types   f32,f32 -> f32; i8,i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 shapes differ
/// Source  TFLite quantization specification, ADD; left shift 20
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Add {
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

impl Operator for Add {
    const NAME: &'static str = "add";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [a, b] = arity(Self::NAME, inputs)?;
        if a.shape != b.shape {
            return Err(ShapeError::shape(format!("`add` of {} and {}", a.shape, b.shape)));
        }
        if a.dtype != b.dtype {
            return Err(ShapeError::dtype(format!("`add` of {} and {}", a.dtype, b.dtype)));
        }
        output_type(Self::NAME, a, self.requant.as_ref(), a.shape.0.clone())
    }

    fn attributes(&self) -> String {
        ending(self.clamp, self.requant.as_ref())
    }
}
