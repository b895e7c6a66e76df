//! Fully connected layer: a convolution of one pixel.

use super::{Kernel, Layer, Lowering};
use crate::kernel::schedule::geometry::Geometry;
use crate::ops::Dense;

impl Lowering<'_> {
    pub(super) fn dense(&mut self, layer: &Layer, op: &Dense) -> Result<Kernel, String> {
        let requant = op.requant.as_ref().ok_or("is not quantized")?;
        let inputs = self.graph.input_types(layer.node);
        let &[samples, features] = inputs[0].shape.0.as_slice() else {
            return Err("is not on vectors".into());
        };
        self.convolution(layer, Geometry::pointwise(samples, features), requant, op.clamp)
    }
}
