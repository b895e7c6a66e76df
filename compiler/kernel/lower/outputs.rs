//! Buffers of the network's outputs.

use super::{FunctionBuilder, Kernel, Layer, LowerError, Lowering, load};
use crate::graph::NodeId;
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BufferId, Role, Stmt};

impl Lowering<'_> {
    /// Gives each output a buffer of its own: an output that is an input, a constant or another output is copied.
    pub(super) fn outputs(&mut self) -> Result<(), LowerError> {
        let order = self.graph.order();
        for &node in self.graph.outputs() {
            let layer = format!("output_{}", self.program.outputs.len());
            let source = self.source(node).map_err(|message| LowerError { layer, message })?;
            let own = match source {
                Arg::Buffer(id) => self.program.buffers[id.0 as usize].role == Role::Internal,
                Arg::Table(_) => false,
            };
            let output = match source {
                Arg::Buffer(id) if own => {
                    self.program.buffers[id.0 as usize].role = Role::Output;
                    id
                }
                _ => self.copy(node, source, order.iter().position(|&other| other == node).unwrap_or(0)),
            };
            self.program.outputs.push(output);
        }
        Ok(())
    }

    fn copy(&mut self, node: NodeId, source: Arg, position: usize) -> BufferId {
        let elements = self.graph.ty(node).shape.elements();
        let name = format!("output_{}", self.program.outputs.len());
        let layer = Layer { node, position, name };
        let mut builder = FunctionBuilder::default();
        let elem = self.graph.ty(node).dtype;
        let from = builder.param("input", elem, Access::Read);
        let to = builder.param("output", elem, Access::Write);
        let count = Affine::var(builder.scalar("count"));
        let body = builder.each("i", (Affine::constant(0), count), 1, |_, at| {
            vec![Stmt::Store { buf: to, index: at.clone(), value: load(from, at) }]
        });
        let kernel = Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars: vec![vec![elements as i32]],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: Vec::new(),
        };
        let output = self.buffer(&layer, Role::Output);
        self.push_step(&layer, "copy", vec![kernel], (output, 0));
        output
    }
}
