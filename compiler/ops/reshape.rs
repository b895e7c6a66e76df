//! Another shape for the same elements.

use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

use crate::ops::{Operator, ShapeError, arity};
use crate::tensor::{Shape, TensorType, Value};

/// The same elements in the same order under another shape. It moves nothing.
///
/// Shapes  `x [N,...] -> [N,...]` with equal numbers of elements
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 numbers of elements differ
/// Source  -
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Reshape {
    /// The new extents.
    pub shape: Shape,
}

impl Operator for Reshape {
    const NAME: &'static str = "reshape";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        if x.shape.elements() != self.shape.elements() {
            return Err(ShapeError::shape(format!("`reshape` of {} to {}", x.shape, self.shape)));
        }
        Ok(TensorType { shape: self.shape.clone(), ..x.clone() })
    }

    fn evaluate(&self, inputs: &[&Value], _types: &[&TensorType], output: &TensorType) -> Value {
        fn reshape<T: Copy>(x: &ArrayD<T>, shape: &Shape) -> ArrayD<T> {
            let elements = x.iter().copied().collect();
            ArrayD::from_shape_vec(IxDyn(&shape.0), elements)
                .expect("inference compared the numbers of elements")
        }
        match inputs[0] {
            Value::F32(x) => Value::F32(reshape(x, &output.shape)),
            Value::I8(x) => Value::I8(reshape(x, &output.shape)),
            Value::I16(x) => Value::I16(reshape(x, &output.shape)),
            Value::I32(x) => Value::I32(reshape(x, &output.shape)),
        }
    }

    fn attributes(&self) -> String {
        format!(" to={}", self.shape)
    }
}
