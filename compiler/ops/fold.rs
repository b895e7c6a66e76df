//! Batch normalisation taken into weights and bias: symbolic until the weights are known.

use serde::{Deserialize, Serialize};

use crate::ops::{Operator, ShapeError, arity};
use crate::tensor::{Scale, TensorType};

/// Weights times `gamma / sqrt(variance + epsilon)` along `axis`.
///
/// Shapes  w [...], gamma [C], variance [C] -> [...]; C is the extent of `axis`
/// Types   f32 only
/// Cost    none at run time: inputs are parameters
/// Errors  E0303 extents differ
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
/// Shapes  b [C], gamma [C], beta [C], mean [C], variance [C] -> [C]
/// Types   f32 only
/// Cost    none at run time: inputs are parameters
/// Errors  E0303 extents differ
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
        let channels = w.shape.0.get(self.axis).copied().unwrap_or(0);
        if gamma.shape.0 != [channels] || variance.shape.0 != [channels] {
            return Err(ShapeError::shape(format!("`fold_weight` of {} by {}", w.shape, gamma.shape)));
        }
        Ok(w.clone())
    }

    fn attributes(&self) -> String {
        format!(" axis={} epsilon={}", self.axis, self.epsilon.0)
    }
}

impl Operator for FoldBias {
    const NAME: &'static str = "fold_bias";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [b, rest @ ..] = arity::<5>(Self::NAME, inputs)?;
        match rest.iter().find(|p| p.shape != b.shape) {
            Some(wrong) => Err(ShapeError::shape(format!("`fold_bias` of {} by {}", b.shape, wrong.shape))),
            None => Ok(b.clone()),
        }
    }

    fn attributes(&self) -> String {
        format!(" epsilon={}", self.epsilon.0)
    }
}
