//! Two tensors element by element: a loop for each run of dimensions along which both go on or one stays.

use super::filters::holds;
use super::{
    Ending, FunctionBuilder, Kernel, Layer, Lowering, activation_quant, binary, int, load, requant, scalar,
};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BinOp, Expr, Stmt, Var};
use crate::ops::{
    Elementwise, ElementwiseFunction, ElementwiseParameters, broadcast_strides, left_shift, strides,
};
use crate::tensor::Shape;
use crate::tensor::arith::Multiplier;

impl Lowering<'_> {
    pub(super) fn elementwise(&mut self, layer: &Layer, op: &Elementwise) -> Result<(), String> {
        let inputs = self.graph.inputs(layer.node);
        let sources = inputs.iter().map(|&node| self.source(node)).collect::<Result<Vec<_>, _>>()?;
        let [a, b, output] = [inputs[0], inputs[1], layer.node].map(|node| self.graph.ty(node));
        let zeros = [activation_quant(a)?.1, activation_quant(b)?.1];
        let parameters = op.parameters(a, b, output);
        let factors = factors(&parameters, [inputs[0], inputs[1]].map(|node| self.reach_of(node)))?;
        if a.dtype != b.dtype {
            return Err("has inputs of different element types".into());
        }
        let elems = [a.dtype, op.requant.dtype];
        let left_shift = i64::from(left_shift(op.requant.dtype));
        let (low, high) = op.clamp.range(&op.requant);
        let elements = output.shape.elements();
        let axes = axes([&a.shape, &b.shape], &output.shape);
        let mut scalars = vec![axes[0][0] as i32];
        scalars.extend(zeros);
        factors.iter().for_each(|factor| scalars.extend([factor.value, factor.shift]));
        scalars.extend([op.requant.zero_point, low, high]);

        let mut builder = FunctionBuilder::default();
        let terms = ["a", "b"].map(|name| builder.param(name, elems[0], Access::Read));
        let to = builder.param("output", elems[1], Access::Write);
        let count = builder.scalar("count");
        let zeros = ["a_zero", "b_zero"].map(|name| builder.scalar(name));
        let pair = |at: usize, builder: &mut FunctionBuilder| {
            [format!("value_{at}"), format!("shift_{at}")].map(|name| builder.scalar(&name))
        };
        let factors: Vec<[Var; 2]> = (0..factors.len()).map(|at| pair(at, &mut builder)).collect();
        let ending = Ending::new(&mut builder, op.requant.rounding);
        let body = nest(&mut builder, &axes, Some(count), Default::default(), &mut |[at_a, at_b, at]| {
            let of =
                |side: usize, at: &Affine| binary(BinOp::Sub, load(terms[side], at), scalar(zeros[side]));
            // What is negated before it is scaled is rounded as LiteRT rounds it.
            let b = match op.function {
                ElementwiseFunction::Sub => binary(BinOp::Sub, scalar(zeros[1]), load(terms[1], at_b)),
                _ => of(1, at_b),
            };
            let value = combined((op.function, left_shift), [of(0, at_a), b], &factors, &ending);
            vec![Stmt::Store { buf: to, index: at.clone(), value }]
        });
        let kernel = Kernel {
            function: builder.finish(body),
            inputs: sources.clone(),
            scalars: vec![scalars],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: Vec::new(),
        };
        self.step(layer, "elementwise", kernel, 0)?;
        // Elements that are used again must not be written on.
        let again = [a, b].map(|ty| ty.shape.elements() < elements);
        if let Some(step) = self.program.steps.last_mut() {
            let is_read_again = |read| (0..2).any(|side| again[side] && sources[side] == Arg::Buffer(read));
            let again = step.overlaps.iter_mut().filter(|overlap| is_read_again(overlap.read));
            again.for_each(|overlap| overlap.safe.clear());
        }
        Ok(())
    }
}

/// The multipliers, all of which hold.
fn factors(parameters: &ElementwiseParameters, [a, b]: [i64; 2]) -> Result<Vec<Multiplier>, String> {
    let (factors, bounds) = match *parameters {
        ElementwiseParameters::Sum(sum) => {
            let bound = if sum.left_shift < 20 { 1 << 30 } else { 1 << 29 };
            (vec![sum.a, sum.b, sum.output], vec![0, 0, bound])
        }
        ElementwiseParameters::Product(factor) => (vec![factor], vec![a * b]),
        ElementwiseParameters::Choice => (Vec::new(), Vec::new()),
        ElementwiseParameters::Prelu(alone, product) => (vec![alone, product], vec![a, a * b]),
    };
    match factors.iter().zip(bounds).all(|(&factor, bound)| holds(bound, factor)) {
        true => Ok(factors),
        false => Err("has scales with which an element may overflow 32 bits".into()),
    }
}

/// The output of two elements less their zero points.
fn combined(
    (function, left_shift): (ElementwiseFunction, i64),
    [a, b]: [Expr; 2],
    factors: &[[Var; 2]],
    ending: &Ending,
) -> Expr {
    use ElementwiseFunction as F;
    let factor = |at: usize| factors[at].map(scalar);
    let scaled = |x: Expr, at: usize| {
        let [value, shift] = factor(at);
        requant(x, value, shift, ending.rounding)
    };
    let ended = |x: Expr, at: usize| {
        let [value, shift] = factor(at);
        ending.apply(x, value, shift)
    };
    match function {
        F::Add | F::Sub => {
            let [a, b] = [(a, 0), (b, 1)].map(|(x, at)| scaled(binary(BinOp::Shl, x, int(left_shift)), at));
            ended(binary(BinOp::Add, a, b), 2)
        }
        F::Mul => ended(binary(BinOp::Mul, a, b), 0),
        F::Maximum => ending.rescaled(binary(BinOp::Max, a, b)),
        F::Minimum => ending.rescaled(binary(BinOp::Min, a, b)),
        F::Prelu => {
            let is_negative = binary(BinOp::Lt, a.clone(), int(0));
            let product = scaled(binary(BinOp::Mul, a.clone(), b), 1);
            ending.rescaled(Expr::Select(Box::new(is_negative), Box::new(product), Box::new(scaled(a, 0))))
        }
    }
}

/// Of each loop, the outermost first, its extent and the steps in both inputs and the output. Dimensions are one loop
/// where all three go on from one to the next.
fn axes(inputs: [&Shape; 2], output: &Shape) -> Vec<[i64; 4]> {
    let steps = [broadcast_strides(inputs[0], output), broadcast_strides(inputs[1], output), strides(output)];
    let mut axes: Vec<[i64; 4]> = Vec::new();
    for (axis, &extent) in output.0.iter().enumerate().filter(|(_, extent)| **extent != 1) {
        let [a, b, to] = [0, 1, 2].map(|of| steps[of][axis] as i64);
        let extent = extent as i64;
        match axes.last_mut() {
            Some(last) if last[1..] == [a * extent, b * extent, to * extent] => {
                *last = [last[0] * extent, a, b, to];
            }
            _ => axes.push([extent, a, b, to]),
        }
    }
    // One element is a loop too, so that the function takes what all take.
    if axes.is_empty() {
        axes.push([1, 0, 0, 0]);
    }
    axes
}

/// One loop in another; the outermost one runs `count` times, so that layers of one form share a function.
fn nest(
    builder: &mut FunctionBuilder,
    axes: &[[i64; 4]],
    count: Option<Var>,
    at: [Affine; 3],
    body: &mut dyn FnMut([&Affine; 3]) -> Vec<Stmt>,
) -> Vec<Stmt> {
    let Some((&[extent, steps @ ..], inner)) = axes.split_first() else {
        let [a, b, to] = &at;
        return body([a, b, to]);
    };
    let upper = count.map_or(Affine::constant(extent), Affine::var);
    builder.each("i", (Affine::constant(0), upper), 1, |builder, i| {
        let at = [0, 1, 2].map(|of| at[of].plus(&i.times(steps[of])));
        nest(builder, inner, None, at, body)
    })
}
