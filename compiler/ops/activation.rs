//! Activations that stand by themselves.

use serde::{Deserialize, Serialize};

use crate::ops::{Clamp, Operator, ShapeError, arity};
use crate::tensor::TensorType;

/// An activation by itself, as the training graph has it; rewriting makes it the clamp of what it follows.
/// On quantized tensors input and output have the same quantization.
///
/// Shapes  x [...] -> [...]
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  none
/// Source  -
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Activation {
    /// Which one.
    pub clamp: Clamp,
}

impl Operator for Activation {
    const NAME: &'static str = "activation";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        Ok(x.clone())
    }

    fn attributes(&self) -> String {
        format!(" {}", self.clamp.name())
    }
}
