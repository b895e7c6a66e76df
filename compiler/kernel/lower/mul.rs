//! Product of two tensors, requantized.

use super::filters::holds;
use super::{
    Ending, FunctionBuilder, Kernel, Layer, Lowering, activation_quant, binary, load, reach, scalar,
};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BinOp, Stmt};
use crate::ops::Mul;

impl Lowering<'_> {
    pub(super) fn mul(&mut self, layer: &Layer, op: &Mul) -> Result<(), String> {
        let rescale = op.requant.as_ref().ok_or("is not quantized")?;
        let inputs = self.graph.inputs(layer.node);
        let sources = inputs.iter().map(|&node| self.source(node)).collect::<Result<Vec<_>, _>>()?;
        let [a, b, output] = [inputs[0], inputs[1], layer.node].map(|node| self.graph.ty(node));
        let zeros = [activation_quant(a)?.1, activation_quant(b)?.1];
        let factor = op.multiplier(a, b, output);
        if !holds(reach(a) * reach(b), factor) {
            return Err("has scales with which a product may overflow 32 bits".into());
        }
        let (elements, period) = (a.shape.elements(), b.shape.elements());
        if a.shape.0.first() != Some(&1) {
            return Err("is not on one sample".into());
        }
        let (low, high) = op.clamp.range(rescale);
        let by_channel = period < elements;
        let count = if by_channel { elements / period.max(1) } else { elements };
        let ending = [factor.value, factor.shift, rescale.zero_point, low, high];
        let scalars = [&[count as i32][..], &zeros, &ending].concat();

        let mut builder = FunctionBuilder::default();
        let elem = a.dtype;
        let factors = ["a", "b"].map(|name| builder.param(name, elem, Access::Read));
        let output = builder.param("output", rescale.dtype, Access::Write);
        let count = builder.scalar("count");
        let zeros = ["a_zero", "b_zero"].map(|name| builder.scalar(name));
        let [value, shift] = ["value", "shift"].map(|name| builder.scalar(name));
        let ending = Ending::new(&mut builder, rescale.rounding);
        let product = |at: [&Affine; 2]| {
            let [a, b] =
                [0, 1].map(|side| binary(BinOp::Sub, load(factors[side], at[side]), scalar(zeros[side])));
            let value = ending.apply(binary(BinOp::Mul, a, b), scalar(value), scalar(shift));
            vec![Stmt::Store { buf: output, index: at[0].clone(), value }]
        };
        let all = (Affine::constant(0), Affine::var(count));
        let body = if by_channel {
            let channels = (Affine::constant(0), Affine::constant(period as i64));
            builder.each("pixel", all, 1, |builder, pixel| {
                let pixel = pixel.times(period as i64);
                builder.each("c", channels, 1, |_, c| product([&pixel.plus(c), c]))
            })
        } else {
            builder.each("i", all, 1, |_, at| product([at, at]))
        };
        let apart = sources[1];
        let kernel = Kernel {
            function: builder.finish(body),
            inputs: sources,
            scalars: vec![scalars],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: Vec::new(),
        };
        self.step(layer, "mul", kernel, 0)?;
        // A factor of each channel is read for every pixel, so the output must not lie on it.
        if by_channel && let Some(step) = self.program.steps.last_mut() {
            step.overlaps.retain(|overlap| Arg::Buffer(overlap.read) != apart);
        }
        Ok(())
    }
}
