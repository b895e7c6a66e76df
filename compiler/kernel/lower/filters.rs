//! Tables of convolutions and dense layers: weights, biases, multipliers.

use super::{Layer, Lowering, activation_quant, reach};
use crate::kernel::{Arg, TableRole, Ty};
use crate::ops::Requant;
use crate::tensor::DType;
use crate::tensor::arith::{Multiplier, PRECISE_BITS, PreciseMultiplier, Rounding};

/// The tables of a layer with weights.
pub(super) struct Filters {
    /// Input, weights, biases, mantissas, shifts.
    pub(super) args: Vec<Arg>,
    /// What is still to be taken off each input: its zero point, or 0 where that is folded into the biases.
    pub(super) zero: i32,
}

/// A channel whose accumulator stays below this share of its output's step has one value, whatever its multiplier.
const NOTHING: f64 = 0.25;

/// The multiplier of such a channel, which fits every ending.
const ZERO: Multiplier = Multiplier { value: 0, shift: -1 };

/// What the tables are made of.
pub(super) struct Parameters {
    /// The input.
    pub(super) source: Arg,
    /// Its zero point.
    pub(super) input_zero: i32,
    /// Weights as the graph has them.
    pub(super) weights: Vec<i32>,
    /// Biases by channel.
    pub(super) biases: Vec<i32>,
    /// What brings each channel's accumulator to the output's scale.
    pub(super) multipliers: Vec<Multiplier>,
    /// Whether the input or the output has elements of more than 8 bits.
    pub(super) is_wide: bool,
    /// The same as a real number.
    factors: Vec<f64>,
    /// How they round.
    rounding: Rounding,
    /// Greatest magnitude of each channel's accumulator.
    pub(super) bounds: Vec<i64>,
    /// Sums of each channel's weights.
    sums: Vec<i64>,
    /// Whether the weights are placeholders: zeros, wherever a schedule places them.
    pub(super) is_blank: bool,
    /// Whether weights and biases have data.
    pub(super) known: bool,
}

impl Lowering<'_> {
    /// The parameters of a layer with weights. `channel` says to which output channel a weight belongs.
    pub(super) fn parameters(
        &mut self,
        layer: &Layer,
        requant: &Requant,
        channel: impl Fn(usize) -> usize,
    ) -> Result<Parameters, String> {
        let inputs = self.graph.inputs(layer.node);
        let source = self.source(inputs[0])?;
        let (input_scale, input_zero) = activation_quant(self.graph.ty(inputs[0]))?;
        let reach = reach(self.graph.ty(inputs[0]));
        let (weights, weights_known) = self.constant(inputs[1])?;
        let (biases, biases_known) = self.constant(inputs[2])?;
        let known = weights_known && biases_known;
        let weight_type = self.graph.ty(inputs[1]);
        let quant = weight_type.quant.as_ref().ok_or("has weights without a quantization")?;
        if weight_type.dtype != DType::I8 || quant.zero_point != 0 {
            return Err(format!("has weights {weight_type} instead of symmetric int8"));
        }
        let mut sums = vec![(0i64, 0i64); biases.len()];
        // Placeholders are zeros, which add nothing.
        let summed = if weights_known { weights.as_slice() } else { &[] };
        for (index, &weight) in summed.iter().enumerate() {
            let (sum, magnitude) = &mut sums[channel(index)];
            *sum += i64::from(weight);
            *magnitude += i64::from(weight).abs();
        }
        let (mut multipliers, mut bounds, mut factors) = (Vec::new(), Vec::new(), Vec::new());
        for (at, &(_, magnitude)) in sums.iter().enumerate() {
            let factor = input_scale * f64::from(quant.scale(at)) / f64::from(requant.scale.0);
            let bound = i64::from(biases[at]).abs().saturating_add(magnitude.saturating_mul(reach + 1));
            let multiplier = match bound as f64 * factor < NOTHING {
                true => ZERO,
                false => Multiplier::new(factor),
            };
            let holds = match requant.rounding {
                Rounding::Wide => holds_wide(bound, multiplier),
                Rounding::Precise => holds_precise(bound, factor),
                Rounding::Double | Rounding::Single => holds(bound, multiplier),
            };
            if !holds {
                return Err(format!("has weights and scales with which channel {at} may overflow 32 bits"));
            }
            multipliers.push(multiplier);
            bounds.push(bound);
            factors.push(factor);
        }
        let sums = sums.into_iter().map(|(sum, _)| sum).collect();
        Ok(Parameters {
            source,
            input_zero,
            weights,
            biases,
            multipliers,
            is_wide: [requant.dtype, self.graph.ty(inputs[0]).dtype] != [DType::I8; 2],
            factors,
            rounding: requant.rounding,
            bounds,
            sums,
            is_blank: !weights_known,
            known,
        })
    }

    /// Makes the tables. With `fold`, every window lies inside the input, and the input's zero point goes into the
    /// biases: `bias - zero * sum(w)`.
    pub(super) fn filters(
        &mut self,
        layer: &Layer,
        mut parameters: Parameters,
        fold: bool,
    ) -> Result<Filters, String> {
        if fold {
            let folded: Option<Vec<i32>> =
                (0..parameters.biases.len()).map(|channel| parameters.folded_bias(channel)).collect();
            parameters.biases = folded.ok_or("has biases beyond 32 bits")?;
        }
        let scales = parameters.scales();
        let Parameters { source, input_zero, weights, biases, known, .. } = parameters;
        let contents = [
            ("weight", DType::I8, TableRole::Weight, weights),
            ("bias", DType::I32, TableRole::Bias, biases),
            ("mantissa", scales.elem, TableRole::Requant, scales.mantissas),
            ("shift", DType::I8, TableRole::Requant, scales.shifts),
        ];
        let op = self.graph.node(layer.node).op.name();
        let mut args = vec![source];
        for (what, elem, role, values) in contents {
            let name = format!("{op}_{}_{what}", layer.position);
            args.push(Arg::Table(self.table(name, (elem, role, values), known)));
        }
        Ok(Filters { args, zero: if fold { 0 } else { input_zero } })
    }
}

/// Multipliers as functions take them.
pub(super) struct ScaleTables {
    /// Type of the mantissas.
    pub(super) elem: DType,
    /// Mantissas; with [`Rounding::Precise`] upper and lower bits of each.
    pub(super) mantissas: Vec<i32>,
    /// Shifts: to the left, and with [`Rounding::Wide`] and [`Rounding::Precise`] to the right of the whole product.
    pub(super) shifts: Vec<i32>,
}

impl Parameters {
    /// The tables of its multipliers.
    pub(super) fn scales(&self) -> ScaleTables {
        let elem = mantissa_type(self.rounding);
        let (mantissas, shifts) = match self.rounding {
            Rounding::Wide => self.multipliers.iter().map(|multiplier| multiplier.reduced()).unzip(),
            Rounding::Precise => {
                let precise = |&factor: &f64| {
                    let PreciseMultiplier { value, shift } = PreciseMultiplier::new(factor);
                    let lower = value & ((1 << PRECISE_BITS) - 1);
                    ([(value >> PRECISE_BITS) as i32, lower as i32], shift)
                };
                let (pairs, shifts): (Vec<[i32; 2]>, Vec<i32>) = self.factors.iter().map(precise).unzip();
                (pairs.concat(), shifts)
            }
            Rounding::Double | Rounding::Single => {
                self.multipliers.iter().map(|multiplier| (multiplier.value, multiplier.shift)).unzip()
            }
        };
        ScaleTables { elem, mantissas, shifts }
    }

    /// The type of register in which no accumulator overflows.
    pub(super) fn sum_type(&self) -> Ty {
        let fits = self.bounds.iter().all(|&bound| bound <= i64::from(i32::MAX));
        if fits { Ty::I32 } else { Ty::I64 }
    }

    /// The bias of a channel whose window lies inside the input, with what the input's zero point makes:
    /// `bias - zero * sum(w)`. `None` beyond 32 bits.
    pub(super) fn folded_bias(&self, channel: usize) -> Option<i32> {
        i32::try_from(i64::from(self.biases[channel]) - i64::from(self.input_zero) * self.sums[channel]).ok()
    }
}

/// The type of the mantissas of multipliers.
pub(super) fn mantissa_type(rounding: Rounding) -> DType {
    if rounding == Rounding::Wide { DType::I16 } else { DType::I32 }
}

/// As [`holds`], for [`Rounding::Wide`]: the product stays within 64 bits, what it is shifted to within 32.
fn holds_wide(bound: i64, multiplier: Multiplier) -> bool {
    let (value, right) = multiplier.reduced();
    let fits = i128::from(bound) * i128::from(value) + (1 << 46) <= i128::from(i64::MAX);
    let scaled = (i128::from(bound) * i128::from(value)) >> right.max(0);
    right > 0 && fits && scaled + 512 <= i128::from(i32::MAX)
}

/// As [`holds`], for [`Rounding::Precise`]: the product with the upper bits of the mantissa has a bit to spare.
fn holds_precise(bound: i64, factor: f64) -> bool {
    bound <= i64::from(u32::MAX) && factor < 1.0e9 && bound as f64 * factor + 512.0 <= f64::from(i32::MAX)
}

/// Whether accumulators up to this magnitude, with a multiplier and then a zero point, stay within 32 bits.
/// `Double` rounding shifts to the left before it multiplies.
pub(super) fn holds(bound: i64, multiplier: Multiplier) -> bool {
    let limit = i64::from(i32::MAX);
    let left = multiplier.shift.max(0);
    let shifted = bound.checked_mul(1 << left).is_some_and(|shifted| shifted <= limit);
    let factor = f64::from(multiplier.value) * 2f64.powi(multiplier.shift - 31);
    shifted && bound as f64 * factor + 512.0 <= limit as f64
}
