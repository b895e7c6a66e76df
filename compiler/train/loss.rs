//! What training makes small, as a recipe says it.

use serde::{Deserialize, Serialize};

use crate::tensor::math;
use crate::train::engine::Engine;
use crate::train::tape::{Tape, Var};

/// What training makes small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Loss {
    /// Of softmax of outputs `[N, classes]` to targets whose rows sum to 1.
    #[default]
    #[serde(rename = "cross_entropy")]
    CrossEntropy,
    /// Mean of the squares of what outputs of any shape differ from their targets.
    #[serde(rename = "mse")]
    MeanSquaredError,
    /// Mean cross-entropy of the sigmoid of each output to its target, which is in 0..1.
    #[serde(rename = "bce")]
    BinaryCrossEntropy,
}

impl Loss {
    /// Its name in the language.
    pub fn name(self) -> &'static str {
        match self {
            Loss::CrossEntropy => "cross_entropy",
            Loss::MeanSquaredError => "mse",
            Loss::BinaryCrossEntropy => "bce",
        }
    }

    /// The mean loss of a batch: `[1]`.
    pub(super) fn of<E: Engine>(self, tape: &mut Tape<'_, E>, outputs: Var, targets: &E::Tensor) -> Var {
        match self {
            Loss::CrossEntropy => tape.cross_entropy(outputs, targets),
            Loss::MeanSquaredError => tape.mean_squared_error(outputs, targets),
            Loss::BinaryCrossEntropy => tape.binary_cross_entropy(outputs, targets),
        }
    }

    /// The loss of a network that has learned nothing and answers the same to all: equal shares for so many classes,
    /// or 0 for numbers.
    pub(super) fn of_chance(self, targets: &[f32], classes: usize) -> f64 {
        match self {
            Loss::CrossEntropy => f64::from(math::ln(classes as f32)),
            Loss::MeanSquaredError => {
                let squares: f64 = targets.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
                squares / targets.len().max(1) as f64
            }
            Loss::BinaryCrossEntropy => std::f64::consts::LN_2,
        }
    }
}
