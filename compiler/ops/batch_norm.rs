//! Batch normalisation.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{float_value, floats};
use crate::ops::{Operator, ShapeError, arity};
use crate::tensor::{DType, Scale, TensorType, Value};

/// Batch normalisation over all but the last dimension: by the batch's statistics in training, by the running
/// ones in evaluation: `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.
///
/// Shapes  `x [...,C], gamma [C], beta [C], mean [C], variance [C] -> [...,C]`
/// Types   f32 only; it is folded before quantization
/// Cost    MACs = 0 (folded)
/// Errors  E0303 channels differ
/// Source  arXiv:1502.03167 algorithm 1
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: Scale,
}

impl Operator for BatchNorm {
    const NAME: &'static str = "batch_norm";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x, params @ ..] = arity::<5>(Self::NAME, inputs)?;
        if x.dtype != DType::F32 || params.iter().any(|p| p.dtype != DType::F32) {
            return Err(ShapeError::dtype("`batch_norm` is for floats; it is folded before quantization"));
        }
        let channels = x.shape.0.last().copied().unwrap_or(0);
        if let Some(wrong) = params.iter().find(|p| p.shape.0[..] != [channels]) {
            return Err(ShapeError::shape(format!(
                "`batch_norm` over {channels} channels got a parameter {}",
                wrong.shape
            )));
        }
        Ok(x.clone())
    }

    fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], output: &TensorType) -> Value {
        let [x, gamma, beta] = [floats(inputs[0]), floats(inputs[1]), floats(inputs[2])];
        let [mean, variance] = [floats(inputs[3]), floats(inputs[4])];
        let factors = batch_norm_factors(&gamma, &variance, self.epsilon);
        let channels = factors.len().max(1);
        let normal = |(i, &x): (usize, &f32)| {
            let channel = i % channels;
            (x - mean[channel]) * factors[channel] + beta[channel]
        };
        float_value(&output.shape, x.iter().enumerate().map(normal).collect())
    }

    fn attributes(&self) -> String {
        format!(" epsilon={}", self.epsilon.0)
    }
}

/// `gamma / sqrt(variance + epsilon)` of each channel.
pub(crate) fn batch_norm_factors(gamma: &[f32], variance: &[f32], epsilon: Scale) -> Vec<f32> {
    gamma.iter().zip(variance).map(|(gamma, variance)| gamma / (variance + epsilon.0).sqrt()).collect()
}
