//! A table of what is made of each byte.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{integer_value, integers};
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type};
use crate::tensor::{DType, TensorType, Value};

/// Elements of a table: as many as there are bytes.
const BYTES: usize = 256;

/// Each element by its place in a table, which begins with what is made of -128. It is the form of all operators on one
/// tensor that make an element of an element, where [`Curve`](crate::ops::Curve) has none of their own.
///
/// Shapes  `x [...], table [256] -> [...]`
/// Types   i8,i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 a table of another shape; E0301 no i8
/// Source  -
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Lookup {
    /// The output's quantization; its rounding says nothing.
    pub requant: Requant,
}

impl Operator for Lookup {
    const NAME: &'static str = "lookup";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x, table] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        if x.dtype != DType::I8 || table.dtype != DType::I8 || self.requant.dtype != DType::I8 {
            return Err(ShapeError::dtype(format!("`lookup` takes i8, got {x} and {table}")));
        }
        if table.shape.0[..] != [BYTES] {
            return Err(ShapeError::shape(format!("`lookup` takes a table [256], got {}", table.shape)));
        }
        output_type(Self::NAME, x, Some(&self.requant), x.shape.clone())
    }

    fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], output: &TensorType) -> Value {
        let table = integers(inputs[1]);
        let look_up = |x: i32| table[(x + 128) as usize];
        integer_value(output, &integers(inputs[0]).into_iter().map(look_up).collect::<Vec<i32>>())
    }

    fn attributes(&self) -> String {
        ending(Clamp::None, Some(&self.requant))
    }
}
