//! The logistic function and the hyperbolic tangent of 16 bits.

use serde::{Deserialize, Serialize};

use crate::ops::interpolation::SIGMOID;
use crate::ops::reference::{integer_value, integers, quant};
use crate::ops::{Operator, ShapeError, activations, arity};
use crate::tensor::{DType, Quant, TensorType, Value};

/// Scales of the input between which the arithmetic stays within 32 bits.
const SCALES: [f32; 2] = [1e-8, 2.6];

/// The functions of [`Squash`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SquashFunction {
    /// `1 / (1 + e^-x)`.
    Logistic,
    /// `tanh x`.
    Tanh,
}

impl SquashFunction {
    /// How it is written in graph texts.
    pub fn name(self) -> &'static str {
        match self {
            SquashFunction::Logistic => "logistic",
            SquashFunction::Tanh => "tanh",
        }
    }

    /// Bits of a number below a step of the table.
    pub(crate) fn bits(self) -> u32 {
        match self {
            SquashFunction::Logistic => 9,
            SquashFunction::Tanh => 8,
        }
    }
}

/// A function that brings all numbers between -1 and 1, of 16 bits. It is in imported graphs alone: those of 8 bits have
/// tables. The output has scale `2^-15` and zero point 0.
///
/// Shapes  `x [...] -> [...]`
/// Types   i16 -> i16
/// Cost    MACs = 0
/// Errors  E0301 no i16, or a scale outside of `1e-8..2.6`
/// Source  LiteRT 2.3.0, reference kernels of LOGISTIC and TANH for INT16
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Squash {
    /// Which one.
    pub function: SquashFunction,
}

/// What brings an input to steps of 1/12288: `(x * factor + half) >> shift`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    pub(crate) factor: i32,
    pub(crate) half: i32,
    pub(crate) shift: i32,
}

impl Squash {
    /// What brings an input of this type to the steps of the table.
    pub(crate) fn steps(&self, x: &TensorType) -> Steps {
        let scale = f64::from(quant(x).scale(0));
        let log = scale.log2();
        let power = log.round();
        let left = power as i32 + 12;
        let is_power = (log - power).abs() < 1e-3;
        if is_power && (left == 0 || left == 1 && self.function == SquashFunction::Tanh) {
            return Steps { factor: 3 << left, half: 0, shift: 0 };
        }
        let (mut factor, mut shift) = (scale * 4096.0 * 3.0, 0);
        while factor <= 16_383.5 && shift <= 30 {
            factor *= 2.0;
            shift += 1;
        }
        Steps { factor: factor as i32, half: if shift > 0 { 1 << (shift - 1) } else { 0 }, shift }
    }

    /// The output of a number of such steps.
    fn of(&self, steps: i32) -> i32 {
        let bits = self.function.bits();
        let size = steps.unsigned_abs();
        let (at, rest) = ((size >> bits) as usize, (size & ((1 << bits) - 1)) as i32);
        let line = |at: usize| (SIGMOID[at] << bits) + rest * (SIGMOID[at + 1] - SIGMOID[at]);
        match self.function {
            SquashFunction::Logistic => {
                let share = if at >= 255 { 0x7fff << 10 } else { line(at) };
                if steps >= 0 { (share + 512) >> 10 } else { ((1 << 25) - share + 511) >> 10 }
            }
            SquashFunction::Tanh => {
                let share = if at >= 255 { 0xffff << 8 } else { line(at) };
                let middle = 1 << 23;
                if steps >= 0 { (share - middle + 128) >> 8 } else { (middle - share + 127) >> 8 }
            }
        }
    }
}

impl Operator for Squash {
    const NAME: &'static str = "squash";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        let [least, most] = SCALES;
        if x.dtype != DType::I16 || !(least..=most).contains(&quant(x).scale(0)) {
            let message = format!("`squash` takes i16 with a scale from {least} to {most}, got {x}");
            return Err(ShapeError::dtype(message));
        }
        let quant = Quant::per_tensor(1.0 / 32_768.0, 0);
        Ok(TensorType::quantized(DType::I16, x.shape.clone(), quant))
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let Steps { factor, half, shift } = self.steps(types[0]);
        let one = |x: i32| self.of((x * factor + half) >> shift);
        integer_value(output, &integers(inputs[0]).into_iter().map(one).collect::<Vec<i32>>())
    }

    fn attributes(&self) -> String {
        format!(" {}", self.function.name())
    }
}
