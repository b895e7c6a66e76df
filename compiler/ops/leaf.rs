//! Operators without inputs.

use serde::{Deserialize, Serialize};

use crate::ops::{Operator, ShapeError, arity};
use crate::tensor::{TensorType, Value};

/// What the network is given, one tensor.
///
/// Shapes  any
/// Types   any
/// Cost    MACs = 0
/// Errors  none
/// Source  -
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Input {
    /// Its type.
    pub ty: TensorType,
}

/// What a parameter is for: its initial value, its weight decay and its fate in folding follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamRole {
    /// Weights of a convolution or dense layer; decays.
    Weight,
    /// Bias; starts at 0.
    Bias,
    /// A bias that is absent, because a normalisation after it would take it out again: stays 0, not trained.
    NoBias,
    /// Factor of a batch normalisation; starts at 1.
    Gamma,
    /// Offset of a batch normalisation; starts at 0.
    Beta,
    /// Running mean; starts at 0, not trained by gradient.
    Mean,
    /// Running variance; starts at 1, not trained by gradient.
    Variance,
}

impl ParamRole {
    /// Whether the optimiser changes it.
    pub fn is_trained(self) -> bool {
        !matches!(self, ParamRole::NoBias | ParamRole::Mean | ParamRole::Variance)
    }
}

/// What training finds: a named tensor outside the graph.
///
/// Shapes  any
/// Types   f32
/// Cost    MACs = 0
/// Errors  none
/// Source  -
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Param {
    /// Name in the weights, unique in the graph.
    pub name: String,
    /// What it is for.
    pub role: ParamRole,
    /// Its type.
    pub ty: TensorType,
    /// Inputs that one output sums over, for the initial value; 0 where it does not matter.
    pub fan_in: usize,
}

/// What is known: a tensor in the graph's constants, or a placeholder for one.
///
/// Shapes  any
/// Types   any
/// Cost    MACs = 0
/// Errors  none
/// Source  -
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Constant {
    /// Name in the graph's constants, unique in the graph.
    pub name: String,
    /// Its type.
    pub ty: TensorType,
}

macro_rules! leaf {
    ($type:ident, $name:literal, |$op:ident| $attributes:expr) => {
        impl Operator for $type {
            const NAME: &'static str = $name;

            fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
                arity::<0>(Self::NAME, inputs)?;
                Ok(self.ty.clone())
            }

            fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], _output: &TensorType) -> Value {
                inputs[0].clone()
            }

            fn attributes(&self) -> String {
                let $op = self;
                $attributes
            }
        }
    };
}

leaf!(Input, "input", |_op| String::new());
leaf!(Param, "param", |op| format!(" {}", op.name));
leaf!(Constant, "constant", |op| format!(" {}", op.name));
