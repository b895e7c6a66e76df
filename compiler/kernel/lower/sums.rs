//! Sum of two tensors on Armv7E-M.

use super::{FunctionBuilder, Kernel, Layer, Lowering};
use crate::kernel::schedule::armv7em::add::add;
use crate::kernel::schedule::armv7em::ending::{self, Ending};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, Expr, MicroArg, Stmt, Work};
use crate::ops::{Clamp, Requant};
use crate::target::{Isa, Schedules};
use crate::tensor::arith::{Multiplier, Rounding};

/// A sum's parameters.
pub(super) struct Sum {
    /// Its two inputs.
    pub(super) sources: Vec<Arg>,
    /// Zero point and multiplier of each.
    pub(super) inputs: Vec<(i32, Multiplier)>,
    /// The multiplier of the sum.
    pub(super) multiplier: Multiplier,
    /// What its values are clamped to.
    pub(super) clamp: Clamp,
    /// How it is quantized.
    pub(super) requant: Requant,
}

/// One half exactly.
const HALF: Multiplier = Multiplier { value: 1 << 30, shift: 0 };

/// Whether the schedule can compute a sum, whose magnitude is at most `bound`.
pub(super) fn applies(isa: Isa, sum: &Sum, bound: i64) -> bool {
    let is_half = |&(_, multiplier): &(i32, Multiplier)| multiplier == HALF;
    let falls = sum.inputs.iter().all(|(_, multiplier)| (-22..=0).contains(&multiplier.shift));
    isa.schedules() == Schedules::ArmDsp
        && sum.requant.rounding == Rounding::Double
        && sum.inputs.iter().any(is_half)
        && falls
        && ending::is_exact(bound, sum.multiplier)
}

impl Lowering<'_> {
    /// A sum to which the schedule [`applies`].
    pub(super) fn sum(&mut self, layer: &Layer, sum: Sum) -> Kernel {
        let Sum { sources, inputs, multiplier, clamp, requant } = sum;
        let (zero, (low, high)) = (requant.zero_point, clamp.range(&requant));
        let elements = self.graph.ty(layer.node).shape.elements();
        let ending = self.ending(layer, clamp, &[multiplier], &requant);
        // The one with its own multiplier goes first.
        let order = if inputs[0].1 == HALF { [1, 0] } else { [0, 1] };
        let [(a_zero, a), (b_zero, _)] = order.map(|at| inputs[at]);
        // Scales that are not known yet will differ, unless they are of one tensor.
        let scaled = sources[0] != sources[1];
        let mut values = vec![multiplier.value, ending::shifts(multiplier), 2 * zero + 1, a_zero, b_zero];
        if scaled {
            values.extend([a.value, -a.shift]);
        }
        if ending == Ending::General {
            values.extend([low, high]);
        }
        let count = elements as u64;
        let mut work = vec![(Work::Sum, count)];
        work.extend(scaled.then_some((Work::ScaledSum, count)));
        match ending {
            Ending::Relu => {}
            Ending::Signed => work.push((Work::SignedOutput, count)),
            Ending::General => work.push((Work::GeneralOutput, count)),
        }
        let kernel = self.micro(add(scaled, ending));
        let mut builder = FunctionBuilder::default();
        let terms = ["a", "b"].map(|name| builder.int8(name, Access::Read));
        let output = builder.int8("output", Access::Write);
        let count = builder.scalar("count");
        let scalars: Vec<_> = (0..values.len()).map(|at| builder.scalar(&format!("p{at}"))).collect();
        let pointers = terms.iter().chain([&output]);
        let mut arguments: Vec<MicroArg> =
            pointers.map(|&buf| MicroArg::Pointer { buf, index: Affine::default() }).collect();
        let vars = [count].into_iter().chain(scalars);
        arguments.extend(vars.map(|var| MicroArg::Value(Expr::Index(Affine::var(var)))));
        let body = vec![Stmt::Micro { kernel, registers: Vec::new(), arguments }];
        Kernel {
            function: builder.finish(body),
            inputs: order.map(|at| sources[at]).to_vec(),
            scalars: vec![[elements as i32].into_iter().chain(values).collect()],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work,
        }
    }
}
