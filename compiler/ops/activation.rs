//! Activations that stand by themselves.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{float_value, floats, integer_value, integers, quant};
use crate::ops::{Clamp, Operator, ShapeError, activations, arity};
use crate::tensor::{DType, TensorType, Value};

/// An activation by itself, as the training graph has it; rewriting makes it the clamp of what it follows.
/// On quantized tensors input and output have the same quantization.
///
/// Shapes  `x [...] -> [...]`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0301 integers without quantization
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
        activations(Self::NAME, x)?;
        Ok(x.clone())
    }

    fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], output: &TensorType) -> Value {
        if output.dtype == DType::F32 {
            let elements = floats(inputs[0]).iter().map(|&x| self.clamp.apply(x)).collect();
            return float_value(&output.shape, elements);
        }
        let (low, high) = self.clamp.range_of(output.dtype, quant(output));
        let elements: Vec<i32> = integers(inputs[0]).into_iter().map(|x| x.clamp(low, high)).collect();
        integer_value(output, &elements)
    }

    fn attributes(&self) -> String {
        format!(" {}", self.clamp.name())
    }
}
