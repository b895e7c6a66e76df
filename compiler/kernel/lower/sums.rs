//! Sum of two tensors on Armv7E-M.

use std::sync::Arc;

use super::{FunctionBuilder, Kernel, Layer, Lowering};
use crate::kernel::schedule::armv7em::add::add;
use crate::kernel::schedule::armv7em::ending::{self, Ending};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, Expr, MicroArg, MicroKernel, Stmt, Work};
use crate::ops::{Clamp, Requant};
use crate::target::{Isa, Schedules};
use crate::tensor::DType;
use crate::tensor::arith::{Multiplier, Rounding};

/// A sum's parameters.
pub(super) struct Sum {
    /// Zero point and multiplier of each input.
    pub(super) inputs: Vec<(i32, Multiplier)>,
    /// The multiplier of the sum.
    pub(super) multiplier: Multiplier,
    /// What its values are clamped to.
    pub(super) clamp: Clamp,
    /// How it is quantized.
    pub(super) requant: Requant,
}

/// What the micro-kernel takes of a sum.
pub(super) struct Ready {
    /// Whether one of the inputs has a multiplier of its own.
    scaled: bool,
    ending: Ending,
    /// Numbers of its two inputs as the micro-kernel takes them.
    pub(super) order: [usize; 2],
    /// Its scalars but the count.
    pub(super) values: Vec<i32>,
}

/// One half exactly.
const HALF: Multiplier = Multiplier { value: 1 << 30, shift: 0 };

/// Greatest magnitude of a sum of two inputs, each of which was shifted by 20 bits and scaled by at most a half.
const BOUND: i64 = 1 << 28;

/// Whether the schedule can compute a sum.
pub(super) fn applies(isa: Isa, sum: &Sum) -> bool {
    let is_half = |&(_, multiplier): &(i32, Multiplier)| multiplier == HALF;
    let falls = sum.inputs.iter().all(|(_, multiplier)| (-22..=0).contains(&multiplier.shift));
    isa.schedules() == Schedules::ArmDsp
        && sum.requant.dtype == DType::I8
        && sum.requant.rounding == Rounding::Double
        && sum.inputs.iter().any(is_half)
        && falls
        && ending::is_exact(BOUND, sum.multiplier)
}

impl Ready {
    /// The micro-kernel.
    pub(super) fn micro(&self) -> Arc<MicroKernel> {
        add(self.scaled, self.ending)
    }

    /// What it does for so many elements.
    pub(super) fn work(&self, elements: usize) -> Vec<(Work, u64)> {
        let count = elements as u64;
        let mut work = vec![(Work::Sum, count)];
        work.extend(self.scaled.then_some((Work::ScaledSum, count)));
        match self.ending {
            Ending::Relu => {}
            Ending::Signed => work.push((Work::SignedOutput, count)),
            Ending::General => work.push((Work::GeneralOutput, count)),
        }
        work
    }
}

impl Lowering<'_> {
    /// What the micro-kernel takes of a sum to which the schedule [`applies`], of two tensors or of one with itself.
    pub(super) fn ready(&self, layer: &Layer, sum: &Sum, of_two: bool) -> Ready {
        let Sum { inputs, multiplier, clamp, requant } = sum;
        let (low, high) = clamp.range(requant);
        let ending = self.ending(layer, *clamp, &[*multiplier], requant);
        // The one with its own multiplier goes first.
        let order = if inputs[0].1 == HALF { [1, 0] } else { [0, 1] };
        let [(a_zero, a), (b_zero, _)] = order.map(|at| inputs[at]);
        let mut values =
            vec![multiplier.value, ending::shifts(*multiplier), 2 * requant.zero_point + 1, a_zero, b_zero];
        // Scales that are not known yet will differ, unless they are of one tensor.
        if of_two {
            values.extend([a.value, -a.shift]);
        }
        if ending == Ending::General {
            values.extend([low, high]);
        }
        Ready { scaled: of_two, ending, order, values }
    }

    /// A sum to which the schedule [`applies`].
    pub(super) fn sum(&mut self, layer: &Layer, sum: &Sum, sources: &[Arg]) -> Kernel {
        let elements = self.graph.ty(layer.node).shape.elements();
        let ready = self.ready(layer, sum, sources[0] != sources[1]);
        let kernel = self.micro(ready.micro());
        let mut builder = FunctionBuilder::default();
        let terms = ["a", "b"].map(|name| builder.int8(name, Access::Read));
        let output = builder.int8("output", Access::Write);
        let count = builder.scalar("count");
        let scalars: Vec<_> = (0..ready.values.len()).map(|at| builder.scalar(&format!("p{at}"))).collect();
        let pointers = terms.iter().chain([&output]);
        let mut arguments: Vec<MicroArg> =
            pointers.map(|&buf| MicroArg::Pointer { buf, index: Affine::default() }).collect();
        let vars = [count].into_iter().chain(scalars);
        arguments.extend(vars.map(|var| MicroArg::Value(Expr::Index(Affine::var(var)))));
        let body = vec![Stmt::Micro { kernel, registers: Vec::new(), arguments }];
        Kernel {
            function: builder.finish(body),
            inputs: ready.order.map(|at| sources[at]).to_vec(),
            scalars: vec![[elements as i32].into_iter().chain(ready.values.iter().copied()).collect()],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: ready.work(elements),
        }
    }
}
