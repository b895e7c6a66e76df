//! Activations by table, and requantization: element by element.

use super::filters::holds;
use super::{
    Ending, FunctionBuilder, Kernel, Layer, Lowering, activation_quant, activation_type, binary, load, reach,
    scalar,
};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BinOp, Expr, Stmt, TableRole};
use crate::ops::{Curve, Requantize};
use crate::tensor::{DType, TensorType};

impl Lowering<'_> {
    pub(super) fn curve(&mut self, layer: &Layer, op: &Curve) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let (x, output) = (self.graph.ty(node), self.graph.ty(layer.node));
        bytes_only([x, output])?;
        let values = op.table(x, output).into_iter().map(i32::from).collect();
        let elements = x.shape.elements();
        let source = self.source(node)?;
        // Untrained layers all have one quantization; their tables must not become one, for trained ones do not.
        let table = (DType::I8, TableRole::Lookup, values);
        let table = Arg::Table(self.table(format!("curve_{}", layer.position), table, false));
        Ok(looked_up(source, table, elements))
    }

    /// The table is a constant of the graph.
    pub(super) fn lookup(&mut self, layer: &Layer) -> Result<Kernel, String> {
        let inputs = self.graph.inputs(layer.node);
        let (x, table) = (self.graph.ty(inputs[0]), inputs[1]);
        bytes_only([x, self.graph.ty(layer.node)])?;
        let elements = x.shape.elements();
        let source = self.source(inputs[0])?;
        let (values, known) = self.constant(table)?;
        let content = (DType::I8, TableRole::Lookup, values);
        let table = Arg::Table(self.table(format!("lookup_{}_table", layer.position), content, known));
        Ok(looked_up(source, table, elements))
    }

    pub(super) fn requantize(&mut self, layer: &Layer, op: &Requantize) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let (x, output) = (self.graph.ty(node), self.graph.ty(layer.node));
        let (_, zero) = activation_quant(x)?;
        let factor = op.multiplier(x, output);
        if !holds(reach(x), factor) {
            return Err("has scales with which an element may overflow 32 bits".into());
        }
        let elements = x.shape.elements();
        let source = self.source(node)?;
        let (low, high) = crate::ops::Clamp::None.range(&op.requant);
        let scalars =
            vec![elements as i32, zero, factor.value, factor.shift, op.requant.zero_point, low, high];
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let [count, zero, value, shift] =
            ["count", "input_zero", "value", "shift"].map(|name| builder.scalar(name));
        let ending = Ending::new(&mut builder, op.requant.rounding);
        let body = builder.each("i", (Affine::constant(0), Affine::var(count)), 1, |_, at| {
            let x = binary(BinOp::Sub, load(input, at), scalar(zero));
            let value = ending.apply(x, scalar(value), scalar(shift));
            vec![Stmt::Store { buf: output, index: at.clone(), value }]
        });
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars: vec![scalars],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }
}

/// Refuses what has more values than a table has places.
fn bytes_only(types: [&TensorType; 2]) -> Result<(), String> {
    types.into_iter().try_for_each(|ty| {
        activation_type(ty)?;
        if ty.dtype == DType::I8 { Ok(()) } else { Err(format!("has {ty} where a table has int8")) }
    })
}

/// Each element by its place in a table.
fn looked_up(source: Arg, table: Arg, elements: usize) -> Kernel {
    let mut builder = FunctionBuilder::default();
    let input = builder.int8("input", Access::Read);
    let known = builder.int8("table", Access::Read);
    let output = builder.int8("output", Access::Write);
    let count = builder.scalar("count");
    let body = builder.each("i", (Affine::constant(0), Affine::var(count)), 1, |_, at| {
        let value = Expr::Lookup { table: known, at: Box::new(load(input, at)) };
        vec![Stmt::Store { buf: output, index: at.clone(), value }]
    });
    Kernel {
        function: builder.finish(body),
        inputs: vec![source, table],
        scalars: vec![vec![elements as i32]],
        safe: overlap::elementwise(elements as i64),
        scratch: Vec::new(),
        work: Vec::new(),
    }
}
