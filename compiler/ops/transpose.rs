//! Dimensions in another order.

use serde::{Deserialize, Serialize};

use crate::ops::copy::{Copied, map_copies};
use crate::ops::{Operator, ShapeError, activations, arity};
use crate::tensor::{Shape, TensorType, Value};

/// The same elements with the dimensions in another order; `order` gives for each dimension of the output that of the
/// input. The first one, of samples, stays. Input and output have the same quantization.
///
/// Shapes  `x [N,A,B,...] -> [N,...]`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 no order of the dimensions; E0301 as `activation`
/// Source  TFLite quantization specification, TRANSPOSE
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Transpose {
    /// For each dimension of the output that of the input.
    pub order: Shape,
}

impl Transpose {
    /// Whether all elements of a tensor of this shape stay where they are: only dimensions of one element move.
    pub fn keeps_places(&self, x: &Shape) -> bool {
        let long = || self.order.0.iter().filter(|&&axis| x.0[axis] != 1);
        long().zip(long().skip(1)).all(|(before, after)| before < after)
    }
}

/// Steps in elements from one index of a dimension to the next.
pub(crate) fn strides(shape: &Shape) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.rank()];
    for axis in (1..shape.rank()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape.0[axis]);
    }
    strides
}

impl Operator for Transpose {
    const NAME: &'static str = "transpose";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        let (order, rank) = (&self.order.0, x.shape.rank());
        let is_order = order.len() == rank && (0..rank).all(|axis| order.contains(&axis));
        if !is_order || order.first().is_some_and(|&first| first != 0) {
            let message = format!("`transpose` of {} into the order {}", x.shape, self.order);
            return Err(ShapeError::shape(message));
        }
        let shape = Shape(order.iter().map(|&axis| x.shape.0[axis]).collect());
        Ok(TensorType { shape, ..x.clone() })
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let (from, to) = (strides(&types[0].shape), strides(&output.shape));
        let source = |at: usize| {
            let axes = self.order.0.iter().enumerate();
            let element = axes.map(|(axis, &of)| at / to[axis] % output.shape.0[axis] * from[of]).sum();
            Some(Copied { input: 0, element })
        };
        let sources: Vec<_> = (0..output.shape.elements()).map(source).collect();
        map_copies(inputs, &sources, output)
    }

    fn attributes(&self) -> String {
        format!(" order={}", self.order)
    }
}
