//! Noise of training.

use serde::{Deserialize, Serialize};

use crate::ops::{Operator, ShapeError, arity};
use crate::tensor::{DType, Scale, TensorType, Value};

/// In training each element is 0 with the probability `rate`, and the others are divided by `1 - rate`; in
/// evaluation nothing happens. It is in training graphs alone: rewriting removes it.
///
/// Shapes  `x [...] -> [...]`
/// Types   f32 only; it is removed before quantization
/// Cost    MACs = 0
/// Errors  E0303 the rate is not in `0 <= rate < 1`, E0301 not f32
/// Source  Srivastava et al., Journal of Machine Learning Research 15 (2014), in the inverted form
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dropout {
    /// The share of elements that become 0.
    pub rate: Scale,
}

impl Operator for Dropout {
    const NAME: &'static str = "dropout";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        if x.dtype != DType::F32 {
            return Err(ShapeError::dtype("`dropout` is for floats; it is removed before quantization"));
        }
        if !(0.0..1.0).contains(&self.rate.0) {
            let message = format!("`dropout` takes a rate from 0 to below 1, got {}", self.rate.0);
            return Err(ShapeError::shape(message));
        }
        Ok(x.clone())
    }

    fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], _output: &TensorType) -> Value {
        inputs[0].clone()
    }

    fn attributes(&self) -> String {
        format!(" rate={}", self.rate.0)
    }
}
