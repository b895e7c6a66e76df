//! Part of a tensor.

use serde::{Deserialize, Serialize};

use crate::ops::copy::{Copied, map_copies};
use crate::ops::transpose::strides;
use crate::ops::{Operator, ShapeError, activations, arity};
use crate::tensor::{Shape, TensorType, Value};

/// In each dimension some of the elements, evenly apart: the first, how many, and from each to the next. All samples are
/// kept. Input and output have the same quantization.
///
/// Shapes  `x [N,A,B,...] -> [N,...]`, `count` of the others
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 another number of dimensions, or elements that do not exist; E0301 as `activation`
/// Source  TFLite quantization specification, STRIDED_SLICE and SPLIT
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slice {
    /// The first element in each dimension.
    pub first: Shape,
    /// How many.
    pub count: Shape,
    /// From each to the next; at least 1.
    pub step: Shape,
}

impl Operator for Slice {
    const NAME: &'static str = "slice";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        let rank = x.shape.rank();
        let lies_inside = |axis: usize| {
            let [first, count, step] = [&self.first, &self.count, &self.step].map(|shape| shape.0[axis]);
            let all = axis > 0 || (first, count) == (0, x.shape.0[0]);
            let last = count.checked_sub(1).and_then(|more| more.checked_mul(step)?.checked_add(first));
            all && step > 0 && last.is_some_and(|last| last < x.shape.0[axis])
        };
        let is_rank = [&self.first, &self.count, &self.step].iter().all(|shape| shape.rank() == rank);
        if !is_rank || !(0..rank).all(lies_inside) {
            return Err(ShapeError::shape(format!("`slice` of {} takes{}", x.shape, self.attributes())));
        }
        Ok(TensorType { shape: self.count.clone(), ..x.clone() })
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let (from, to) = (strides(&types[0].shape), strides(&output.shape));
        let source = |at: usize| {
            let index = |axis: usize| at / to[axis] % output.shape.0[axis];
            let place = |axis: usize| (self.first.0[axis] + index(axis) * self.step.0[axis]) * from[axis];
            Some(Copied { input: 0, element: (0..to.len()).map(place).sum() })
        };
        let sources: Vec<_> = (0..output.shape.elements()).map(source).collect();
        map_copies(inputs, &sources, output)
    }

    fn attributes(&self) -> String {
        format!(" first={} count={} step={}", self.first, self.count, self.step)
    }
}
