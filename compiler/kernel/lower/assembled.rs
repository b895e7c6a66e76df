//! What layers with weights in assembly have in common: their buffers and the scalars of their ending.

use super::FunctionBuilder;
use crate::kernel::schedule::armv7em::ending::Ending;
use crate::kernel::{Access, Affine, Buf, Expr, MicroArg, Var};
use crate::ops::{Clamp, Requant};
use crate::tensor::DType;

/// Parameters of a layer's function, declared in this order.
pub(super) struct Assembled {
    /// Activations.
    pub(super) input: Buf,
    /// Weights, placed as the schedule takes them.
    pub(super) weight: Buf,
    /// Words of quantization.
    pub(super) quant: Buf,
    /// Activations of 16 bits.
    pub(super) scratch: Buf,
    /// What is computed.
    pub(super) output: Buf,
    /// Zero point of the input.
    pub(super) input_zero: Var,
    /// What the ending takes: twice the zero point and one, and for the general one the range.
    ending: Vec<Var>,
}

impl Assembled {
    /// Declares them; `scratch` is a name.
    pub(super) fn new(builder: &mut FunctionBuilder, scratch: &str, ending: Ending) -> Assembled {
        Assembled::with(builder, scratch, ending, |_| ()).0
    }

    /// Declares them, and what a layer has besides: its buffers between the others and the output, its scalars first.
    pub(super) fn with<T>(
        builder: &mut FunctionBuilder,
        scratch: &str,
        ending: Ending,
        besides: impl FnOnce(&mut FunctionBuilder) -> T,
    ) -> (Assembled, T) {
        let [input, weight] = ["input", "weight"].map(|name| builder.int8(name, Access::Read));
        let quant = builder.param("quant", DType::I32, Access::Read);
        let scratch = builder.param(scratch, DType::I16, Access::ReadWrite);
        let besides = besides(builder);
        let output = builder.int8("output", Access::Write);
        let [input_zero, half] = ["input_zero", "half"].map(|name| builder.scalar(name));
        let mut all = vec![half];
        if ending == Ending::General {
            all.extend(["low", "high"].map(|name| builder.scalar(name)));
        }
        (Assembled { input, weight, quant, scratch, output, input_zero, ending: all }, besides)
    }

    /// The last arguments of a micro-kernel.
    pub(super) fn ending(&self) -> impl Iterator<Item = MicroArg> + '_ {
        self.ending.iter().map(|&scalar| MicroArg::Value(Expr::Index(Affine::var(scalar))))
    }

    /// The scalars of the call.
    pub(super) fn scalars(&self, input_zero: i32, clamp: Clamp, requant: &Requant) -> Vec<i32> {
        let (low, high) = clamp.range(requant);
        let ending = [2 * requant.zero_point + 1, low, high];
        [input_zero].into_iter().chain(ending.into_iter().take(self.ending.len())).collect()
    }
}
