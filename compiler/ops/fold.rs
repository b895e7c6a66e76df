//! Batch normalisation taken into weights and bias: symbolic until the weights are known.

use serde::{Deserialize, Serialize};

use crate::ops::batch_norm::batch_norm_factors;
use crate::ops::reference::{float_value, floats};
use crate::ops::{Operator, ShapeError, arity};
use crate::tensor::{DType, Scale, TensorType, Value};

/// Weights times `gamma / sqrt(variance + epsilon)` along `axis`.
///
/// Shapes  `w [...], gamma [C], variance [C] -> [...]`; C is the extent of `axis`
/// Types   f32 only
/// Cost    none at run time: inputs are parameters
/// Errors  E0303 extents differ, E0301 not f32
/// Source  arXiv:1712.05877 section 3.2
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FoldWeight {
    /// The dimension of the output channels.
    pub axis: usize,
    /// Added to the variance.
    pub epsilon: Scale,
}

/// `(bias - mean) * gamma / sqrt(variance + epsilon) + beta`.
///
/// Shapes  `b [C], gamma [C], beta [C], mean [C], variance [C] -> [C]`
/// Types   f32 only
/// Cost    none at run time: inputs are parameters
/// Errors  E0303 extents differ, E0301 not f32
/// Source  arXiv:1712.05877 section 3.2
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FoldBias {
    /// Added to the variance.
    pub epsilon: Scale,
}

impl Operator for FoldWeight {
    const NAME: &'static str = "fold_weight";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [w, gamma, variance] = arity(Self::NAME, inputs)?;
        floats_only(Self::NAME, inputs)?;
        let channels = w.shape.0.get(self.axis).copied().unwrap_or(0);
        if gamma.shape.0[..] != [channels] || variance.shape.0[..] != [channels] {
            return Err(ShapeError::shape(format!("`fold_weight` of {} by {}", w.shape, gamma.shape)));
        }
        Ok(w.clone())
    }

    fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], output: &TensorType) -> Value {
        let [w, gamma, variance] = [floats(inputs[0]), floats(inputs[1]), floats(inputs[2])];
        let factors = batch_norm_factors(&gamma, &variance, self.epsilon);
        let inner = output.shape.0[self.axis + 1..].iter().product::<usize>().max(1);
        let folded = w.iter().enumerate().map(|(i, w)| w * factors[i / inner % factors.len()]).collect();
        float_value(&output.shape, folded)
    }

    fn attributes(&self) -> String {
        format!(" axis={} epsilon={}", self.axis, self.epsilon.0)
    }
}

impl Operator for FoldBias {
    const NAME: &'static str = "fold_bias";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [b, rest @ ..] = arity::<5>(Self::NAME, inputs)?;
        floats_only(Self::NAME, inputs)?;
        match rest.iter().find(|p| p.shape != b.shape) {
            Some(wrong) => Err(ShapeError::shape(format!("`fold_bias` of {} by {}", b.shape, wrong.shape))),
            None => Ok(b.clone()),
        }
    }

    fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], output: &TensorType) -> Value {
        let [b, gamma, beta] = [floats(inputs[0]), floats(inputs[1]), floats(inputs[2])];
        let [mean, variance] = [floats(inputs[3]), floats(inputs[4])];
        let factors = batch_norm_factors(&gamma, &variance, self.epsilon);
        let folded = (0..b.len()).map(|c| (b[c] - mean[c]) * factors[c] + beta[c]).collect();
        float_value(&output.shape, folded)
    }

    fn attributes(&self) -> String {
        format!(" epsilon={}", self.epsilon.0)
    }
}

fn floats_only(name: &str, inputs: &[&TensorType]) -> Result<(), ShapeError> {
    match inputs.iter().find(|ty| ty.dtype != DType::F32) {
        Some(wrong) => Err(ShapeError::dtype(format!("`{name}` is for floats, got {}", wrong.dtype))),
        None => Ok(()),
    }
}
