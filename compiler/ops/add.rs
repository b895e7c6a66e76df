//! Sum of two tensors.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{centered, float_value, floats, integer_value, quant};
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, TensorType, Value};

/// Element-wise sum with clamp; no broadcasting.
///
/// Shapes  `a [...], b [...] -> [...]`, all equal
/// Types   f32,f32 -> f32; i8,i8 -> i8; i16,i16 -> i16
/// Cost    MACs = 0
/// Errors  E0303 shapes differ, E0301 element types differ
/// Source  TFLite quantization specification, ADD; left shift 20, or 15 for i16
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Add {
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

/// What a quantized [`Add`] computes with: both inputs are brought to a common scale, twice the greater of
/// theirs, with `left_shift` more bits, added, and brought to the output's scale.
///
/// Source  LiteRT 2.3.0, `PrepareQuantized` of ADD
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddParameters {
    /// Bits that both inputs gain: 20, or 15 for outputs of 16 bits.
    pub left_shift: u32,
    /// From the first input to the common scale.
    pub a: Multiplier,
    /// From the second input to the common scale.
    pub b: Multiplier,
    /// From the common scale to the output.
    pub output: Multiplier,
}

/// Bits that the inputs of a sum with such an output gain before they are scaled.
pub(crate) fn left_shift(output: DType) -> u32 {
    if output == DType::I16 { 15 } else { 20 }
}

impl AddParameters {
    /// Of two inputs and the output.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn new(a: &TensorType, b: &TensorType, output: &TensorType) -> AddParameters {
        let scale = |ty| f64::from(quant(ty).scale(0));
        let left_shift = left_shift(output.dtype);
        let common = 2.0 * scale(a).max(scale(b));
        AddParameters {
            left_shift,
            a: Multiplier::new(scale(a) / common),
            b: Multiplier::new(scale(b) / common),
            output: Multiplier::new(common / (f64::from(1u32 << left_shift) * scale(output))),
        }
    }

    /// The sum of two elements less their zero points; the output's zero point and clamp come after it.
    pub fn apply(&self, a: i32, b: i32, rounding: Rounding) -> i32 {
        let a = self.a.apply(a << self.left_shift, rounding);
        let b = self.b.apply(b << self.left_shift, rounding);
        self.output.apply(a.saturating_add(b), rounding)
    }
}

impl Add {
    /// The integers that a quantized sum computes with.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn parameters(&self, a: &TensorType, b: &TensorType, output: &TensorType) -> AddParameters {
        AddParameters::new(a, b, output)
    }
}

impl Operator for Add {
    const NAME: &'static str = "add";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [a, b] = arity(Self::NAME, inputs)?;
        if a.shape != b.shape {
            return Err(ShapeError::shape(format!("`add` of {} and {}", a.shape, b.shape)));
        }
        if a.dtype != b.dtype {
            return Err(ShapeError::dtype(format!("`add` of {} and {}", a.dtype, b.dtype)));
        }
        activations(Self::NAME, a)?;
        activations(Self::NAME, b)?;
        output_type(Self::NAME, a, self.requant.as_ref(), a.shape.clone())
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let Some(requant) = &self.requant else {
            let (a, b) = (floats(inputs[0]), floats(inputs[1]));
            let sums = a.iter().zip(b.iter()).map(|(&a, &b)| self.clamp.apply(a + b)).collect();
            return float_value(&output.shape, sums);
        };
        let parameters = self.parameters(types[0], types[1], output);
        let (low, high) = self.clamp.range(requant);
        let (a, b) = (centered(inputs[0], types[0]), centered(inputs[1], types[1]));
        let sum = |(a, b)| {
            parameters.apply(a, b, requant.rounding).saturating_add(requant.zero_point).clamp(low, high)
        };
        let sums: Vec<i32> = a.into_iter().zip(b).map(sum).collect();
        integer_value(output, &sums)
    }

    fn attributes(&self) -> String {
        ending(self.clamp, self.requant.as_ref())
    }
}
