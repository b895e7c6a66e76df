//! Means along dimensions: for each output one loop in another over its elements.

use super::filters::holds;
use super::{
    Ending, FunctionBuilder, Kernel, Layer, Lowering, activation_quant, binary, load, reach, scalar,
};
use crate::kernel::{Access, Affine, BinOp, Buf, Expr, Stmt};
use crate::ops::{Clamp, Mean, strides};

impl Lowering<'_> {
    pub(super) fn mean(&mut self, layer: &Layer, op: &Mean) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let (x, ty) = (self.graph.ty(node), self.graph.ty(layer.node));
        let (_, zero) = activation_quant(x)?;
        let factor = op.multiplier(x, ty);
        let count = op.count(&x.shape);
        if !holds(reach(x) * count as i64, factor) {
            return Err("has scales with which a mean may overflow 32 bits".into());
        }
        let (low, high) = Clamp::None.range(&op.requant);
        let start = -i64::from(zero) * count as i64;
        let start = i32::try_from(start).map_err(|_| "has sums that may overflow 32 bits")?;
        let scalars = vec![start, factor.value, factor.shift, op.requant.zero_point, low, high];
        let source = self.source(node)?;
        let (from, to) = (strides(&x.shape), strides(&ty.shape));
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let [start, value, shift] = ["start", "value", "shift"].map(|name| builder.scalar(name));
        let ending = Ending::new(&mut builder, op.requant.rounding);
        let sum = builder.register();
        let steps = |kept: bool| -> Vec<[i64; 3]> {
            let axes = (0..from.len()).filter(|axis| op.axes.0.contains(axis) != kept);
            axes.map(|axis| [x.shape.0[axis] as i64, from[axis] as i64, to[axis] as i64]).collect()
        };
        let (outer, inner) = (steps(true), steps(false));
        let zeros = (Affine::constant(0), Affine::constant(0));
        let body = nest(&mut builder, &outer, zeros, &mut |builder, from, to| {
            let mut stmts = vec![Stmt::Set { reg: sum, value: scalar(start) }];
            stmts.extend(nest(builder, &inner, (from.clone(), to.clone()), &mut |_, from, _| {
                vec![Stmt::Set { reg: sum, value: plus(Expr::Reg(sum), input, from) }]
            }));
            let value = ending.apply(Expr::Reg(sum), scalar(value), scalar(shift));
            stmts.push(Stmt::Store { buf: output, index: to.clone(), value });
            stmts
        });
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars: vec![scalars],
            safe: Vec::new(),
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }
}

fn plus(sum: Expr, input: Buf, at: &Affine) -> Expr {
    binary(BinOp::Add, sum, load(input, at))
}

/// What an innermost body is made with: places in input and output.
type Body<'b> = dyn FnMut(&mut FunctionBuilder, &Affine, &Affine) -> Vec<Stmt> + 'b;

/// One loop in another, of so many steps by so many elements of the input and the output each.
pub(super) fn nest(
    builder: &mut FunctionBuilder,
    axes: &[[i64; 3]],
    (from, to): (Affine, Affine),
    body: &mut Body<'_>,
) -> Vec<Stmt> {
    let Some((&[extent, step, out], inner)) = axes.split_first() else { return body(builder, &from, &to) };
    builder.each("i", (Affine::constant(0), Affine::constant(extent)), 1, |builder, i| {
        nest(builder, inner, (from.plus(&i.times(step)), to.plus(&i.times(out))), body)
    })
}
