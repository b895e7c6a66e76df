//! Fully connected layer: four filters at a time on Armv7E-M, else a convolution of one pixel.

use super::filters::Parameters;
use super::{FunctionBuilder, Kernel, Layer, Lowering};
use crate::kernel::schedule::armv7em::dense::{FOUR, QUAD_WORDS, dense, place, right};
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, Expr, MicroArg, Stmt, TableRole, Work};
use crate::ops::{Clamp, Dense, Requant};
use crate::target::Schedules;
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

impl Lowering<'_> {
    pub(super) fn dense(&mut self, layer: &Layer, op: &Dense) -> Result<Kernel, String> {
        let requant = op.requant.as_ref().ok_or("is not quantized")?;
        let inputs = self.graph.input_types(layer.node);
        let &[samples, features] = inputs[0].shape.0.as_slice() else {
            return Err("is not on vectors".into());
        };
        if self.is_fast(layer)
            && self.isa.schedules() == Schedules::ArmDsp
            && requant.rounding == Rounding::Single
            && self.elems(layer) == [DType::I8; 2]
            && samples == 1
            && features > 0
            && features.is_multiple_of(FOUR)
        {
            let parameters = self.parameters(layer, requant, |index| index / features)?;
            if let Some(kernel) = self.quads(layer, features, requant, op.clamp, &parameters) {
                return Ok(kernel);
            }
        }
        self.convolution(layer, Geometry::pointwise(samples, features), requant, op.clamp)
    }

    /// Four filters at a time; `None` where a multiplier or a bias is beyond what the function takes.
    fn quads(
        &mut self,
        layer: &Layer,
        features: usize,
        requant: &Requant,
        clamp: Clamp,
        parameters: &Parameters,
    ) -> Option<Kernel> {
        let (groups, filters) = (features / FOUR, parameters.biases.len());
        let [weight, quant] = self.quad_tables(layer, features, parameters)?;
        let (low, high) = clamp.range(requant);
        // Before training a rectified layer's zero point is not known: afterwards it is the least value.
        let limited = (low, high) != (-128, 127) && !self.is_skeleton;
        let mut scalars = vec![groups as i32, filters as i32, 2 * requant.zero_point + 1];
        if limited {
            scalars.extend([low, high]);
        }
        let kernel = self.micro(dense(limited));
        let mut builder = FunctionBuilder::default();
        let input = builder.int8("input", Access::Read);
        let tables = ["weight", "quant"].map(|name| builder.param(name, DType::I32, Access::Read));
        let output = builder.int8("output", Access::Write);
        let names = ["groups", "filters", "half", "low", "high"];
        let vars: Vec<_> = names[..scalars.len()].iter().map(|name| builder.scalar(name)).collect();
        let buffers = [input, tables[0], tables[1], output];
        let mut arguments: Vec<MicroArg> =
            buffers.map(|buf| MicroArg::Pointer { buf, index: Affine::default() }).to_vec();
        arguments.extend(vars.into_iter().map(|var| MicroArg::Value(Expr::Index(Affine::var(var)))));
        let body = vec![Stmt::Micro { kernel, registers: Vec::new(), arguments }];
        let quads = filters.div_ceil(FOUR);
        let mut work = vec![
            (Work::Dense, 1),
            (Work::DenseQuad, quads as u64),
            (Work::DenseGroup, (quads * groups) as u64),
        ];
        work.extend(limited.then_some((Work::GeneralOutput, filters as u64)));
        let spans = [Some((0, features as i64))];
        // Its meaning, unlike its code, stores each filter's output before it loads for the next.
        let last = filters - 1;
        Some(Kernel {
            function: builder.finish(body),
            inputs: vec![parameters.source, weight, quant],
            scalars: vec![scalars],
            safe: overlap::safe(overlap::blocks(&spans, filters as i64, last as i64)),
            scratch: Vec::new(),
            work,
        })
    }

    /// Weights and quantization as [`dense`] takes them.
    fn quad_tables(&mut self, layer: &Layer, features: usize, parameters: &Parameters) -> Option<[Arg; 2]> {
        let (groups, filters) = (features / FOUR, parameters.biases.len());
        let quads = filters.div_ceil(FOUR);
        let mut placed = vec![[0u8; 4]; quads * groups * FOUR];
        let placeable = if parameters.is_blank { &[] } else { parameters.weights.as_slice() };
        for (at, &weight) in placeable.iter().enumerate() {
            let (word, byte) = place(at / features, at % features, groups);
            placed[word][byte] = weight as u8;
        }
        let mut quant = vec![0; quads * QUAD_WORDS];
        for (filter, &multiplier) in parameters.multipliers.iter().enumerate() {
            let (words, lane) = (&mut quant[filter / FOUR * QUAD_WORDS..], filter % FOUR);
            words[lane] = parameters.folded_bias(filter)?;
            words[FOUR + 2 * lane] = multiplier.value;
            // Before training any multiplier stands for one that fits.
            words[FOUR + 2 * lane + 1] = right(multiplier).or(self.is_skeleton.then_some(1))?;
        }
        let words = placed.into_iter().map(i32::from_le_bytes).collect();
        let contents = [("weight", TableRole::Weight, words), ("quant", TableRole::Requant, quant)];
        Some(contents.map(|(what, role, values)| {
            let name = format!("dense_{}_{what}", layer.position);
            Arg::Table(self.table(name, (DType::I32, role, values), parameters.known))
        }))
    }
}
