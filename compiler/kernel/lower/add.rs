//! Sum of two tensors, each brought to a common scale first.
//!
//! Source  LiteRT 2.3.0, reference kernel of ADD: left shift 20, or 15 for int16; twice the greater input scale as
//!         common scale.

use super::filters::holds;
use super::sums::{self, Sum};
use super::{
    Ending, FunctionBuilder, Kernel, Layer, Lowering, activation_quant, binary, int, load, requant, scalar,
};
use crate::graph::NodeId;
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BinOp, Stmt};
use crate::ops::{Add, left_shift};
use crate::tensor::DType;
use crate::tensor::arith::Multiplier;

impl Lowering<'_> {
    pub(super) fn add(&mut self, layer: &Layer, op: &Add) -> Result<Kernel, String> {
        let inputs = self.graph.inputs(layer.node);
        let sources = inputs.iter().map(|&node| self.source(node)).collect::<Result<Vec<_>, _>>()?;
        let sum = self.sum_of(layer.node, op)?;
        if self.is_fast(layer) && sums::applies(self.isa, &sum) {
            return Ok(self.sum(layer, &sum, &sources));
        }
        Ok(self.plain_sum(layer, &sum, sources))
    }

    /// The parameters of a sum.
    pub(super) fn sum_of(&self, node: NodeId, op: &Add) -> Result<Sum, String> {
        let rescale = op.requant.as_ref().ok_or("is not quantized")?;
        let inputs = self.graph.inputs(node);
        if inputs.iter().any(|&input| self.graph.ty(input).dtype != rescale.dtype) {
            return Err("has inputs and an output of different element types".into());
        }
        let quants: Vec<(f64, i32)> =
            inputs.iter().map(|&node| activation_quant(self.graph.ty(node))).collect::<Result<_, _>>()?;
        let twice = 2.0 * quants[0].0.max(quants[1].0);
        let left_shift = left_shift(rescale.dtype);
        let factor = twice / ((1i64 << left_shift) as f64 * f64::from(rescale.scale.0));
        let out = Multiplier::new(factor);
        let bound = if rescale.dtype == DType::I16 { 1 << 30 } else { 1 << 29 };
        if !holds(bound, out) {
            return Err("has an output scale with which the sum may overflow 32 bits".into());
        }
        let inputs = quants.iter().map(|&(scale, zero)| (zero, Multiplier::new(scale / twice))).collect();
        Ok(Sum { inputs, multiplier: out, clamp: op.clamp, requant: *rescale })
    }

    /// A sum in plain loops.
    fn plain_sum(&mut self, layer: &Layer, sum: &Sum, sources: Vec<Arg>) -> Kernel {
        let Sum { inputs, multiplier, clamp, requant: rescale } = sum;
        let (low, high) = clamp.range(rescale);
        let elements = self.graph.ty(layer.node).shape.elements();
        let mut scalars = vec![elements as i32];
        for (zero, Multiplier { value, shift }) in inputs {
            scalars.extend([*zero, *value, *shift]);
        }
        scalars.extend([multiplier.value, multiplier.shift, rescale.zero_point, low, high]);

        let mut builder = FunctionBuilder::default();
        let elems = self.elems(layer);
        let terms = ["a", "b"].map(|name| builder.param(name, elems[0], Access::Read));
        let output = builder.param("output", elems[1], Access::Write);
        let left_shift = i64::from(left_shift(rescale.dtype));
        let count = builder.scalar("count");
        let names = [["a_zero", "a_value", "a_shift"], ["b_zero", "b_value", "b_shift"]];
        let params = names.map(|names| names.map(|name| builder.scalar(name)));
        let [value, shift] = ["sum_value", "sum_shift"].map(|name| builder.scalar(name));
        let ending = Ending::new(&mut builder, rescale.rounding);
        let body = builder.each("i", (Affine::constant(0), Affine::var(count)), 1, |_, at| {
            let [a, b] = [0, 1].map(|term| {
                let [zero, value, shift] = params[term];
                let offset = binary(BinOp::Sub, load(terms[term], at), scalar(zero));
                let shifted = binary(BinOp::Shl, offset, int(left_shift));
                requant(shifted, scalar(value), scalar(shift), rescale.rounding)
            });
            let sum = ending.apply(binary(BinOp::Add, a, b), scalar(value), scalar(shift));
            vec![Stmt::Store { buf: output, index: at.clone(), value: sum }]
        });
        Kernel {
            function: builder.finish(body),
            inputs: sources,
            scalars: vec![scalars],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: Vec::new(),
        }
    }
}
