//! A clamp by itself.

use super::{FunctionBuilder, Kernel, Layer, Lowering, clamp, clamp_range, load};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Stmt};
use crate::ops::Activation;

impl Lowering<'_> {
    pub(super) fn activation(&mut self, layer: &Layer, op: &Activation) -> Result<Kernel, String> {
        let ty = self.graph.ty(layer.node);
        let [low, high] = clamp_range(op.clamp, ty)?;
        let elements = ty.shape.elements();
        let source = self.source(self.graph.inputs(layer.node)[0])?;
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let [count, least, greatest] = ["count", "low", "high"].map(|name| builder.scalar(name));
        let body = builder.each("i", (Affine::constant(0), Affine::var(count)), 1, |_, at| {
            vec![Stmt::Store {
                buf: output,
                index: at.clone(),
                value: clamp(load(input, at), least, greatest),
            }]
        });
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars: vec![vec![elements as i32, low, high]],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }
}
