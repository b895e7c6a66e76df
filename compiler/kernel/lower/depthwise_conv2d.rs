//! Depthwise convolution: each channel by itself, in plain loops where no other schedule applies.

use super::conv2d::{input_index, window_geometry};
use super::filters::{Filters, mantissa_type};
use super::{Ending, FunctionBuilder, Kernel, Layer, Lowering, binary, load, planes, scalar};
use crate::kernel::schedule::loops::Loops;
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, BinOp, Expr, Stmt, Ty};
use crate::ops::DepthwiseConv2d;
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

impl Lowering<'_> {
    pub(super) fn depthwise_conv2d(&mut self, layer: &Layer, op: &DepthwiseConv2d) -> Result<Kernel, String> {
        let requant = op.requant.as_ref().ok_or("is not quantized")?;
        let geometry =
            window_geometry(&op.window, &self.graph.input_types(layer.node), self.graph.ty(layer.node))?
                .simplified();
        let channels = geometry.channels;
        let parameters = self.parameters(layer, requant, |index| index % channels)?;
        if self.is_fast(layer) && planes::applies(self.isa, &geometry, requant, &parameters) {
            return Ok(self.planes(layer, &geometry, requant, op.clamp, &parameters));
        }
        let (elems, sum_type) = (self.elems(layer), parameters.sum_type());
        let Filters { args, zero } = self.filters(layer, parameters, geometry.is_full())?;
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let weight = builder.int8("weight", Access::Read);
        let bias = builder.param("bias", DType::I32, Access::Read);
        let mantissa = builder.param("mantissa", mantissa_type(requant.rounding), Access::Read);
        let shift = builder.int8("shift", Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let loops = Loops::new(&geometry, &mut builder);
        let zero_var = builder.scalar("input_zero");
        let ending = Ending::new(&mut builder, requant.rounding);
        let sum = builder.register_of(sum_type);
        let as_sum = |x: Expr| if sum_type == Ty::I64 { Expr::Widen(Box::new(x)) } else { x };
        let widens = requant.rounding == Rounding::Wide && sum_type == Ty::I32;
        let columns = geometry.window.kernel[1] as i64;
        let (all, width) = (Affine::constant(channels as i64), geometry.output[1] as i64);
        let body = loops.nest(&mut builder, |builder, pixel| {
            builder.each("c", (Affine::constant(0), all.clone()), 1, |builder, c| {
                let mut stmts = vec![Stmt::Set { reg: sum, value: as_sum(load(bias, c)) }];
                stmts.extend(builder.each("ky", pixel.ky.clone(), 1, |builder, ky| {
                    builder.each("kx", pixel.kx.clone(), 1, |_, kx| {
                        let x = load(input, &input_index(&geometry, pixel, ky, kx).plus(c));
                        let tap = ky.times(columns).plus(kx).times(channels as i64).plus(c);
                        let x = binary(BinOp::Sub, x, scalar(zero_var));
                        let product = as_sum(binary(BinOp::Mul, x, load(weight, &tap)));
                        vec![Stmt::Set { reg: sum, value: binary(BinOp::Add, Expr::Reg(sum), product) }]
                    })
                }));
                let at = pixel.y.times(width).plus(&pixel.x).times(channels as i64).plus(c);
                let total = if widens { Expr::Widen(Box::new(Expr::Reg(sum))) } else { Expr::Reg(sum) };
                let value = ending.apply(total, load(mantissa, c), load(shift, c));
                stmts.push(Stmt::Store { buf: output, index: at, value });
                stmts
            })
        });
        let (low, high) = op.clamp.range(requant);
        let tail = [zero, requant.zero_point, low, high];
        let scalars = loops.calls.iter().map(|call| call.iter().copied().chain(tail).collect()).collect();
        let safe = overlap::channelwise(&geometry.spans(), channels as i64);
        Ok(Kernel {
            function: builder.finish(body),
            inputs: args,
            scalars,
            safe,
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }
}
