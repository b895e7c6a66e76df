//! The same numbers counted in other steps.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{centered, integer_value, quant};
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, TensorType, Value};

/// A quantized tensor under another scale and zero point. It is in integer graphs alone, before what demands
/// inputs of one quantization.
///
/// Shapes  `x [...] -> [...]`
/// Types   i8 or i16 -> i8 or i16
/// Cost    MACs = 0
/// Errors  E0301 not quantized
/// Source  TFLite quantization specification, REQUANTIZE; LiteRT 2.3.0's QUANTIZE between i8 and i16
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requantize {
    /// The output's quantization.
    pub requant: Requant,
}

impl Requantize {
    /// The factor from an element less its zero point to the output.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn multiplier(&self, x: &TensorType, output: &TensorType) -> Multiplier {
        Multiplier::new(f64::from(quant(x).scale(0)) / f64::from(quant(output).scale(0)))
    }
}

impl Operator for Requantize {
    const NAME: &'static str = "requantize";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        let quant = self.requant.quant();
        let ty = TensorType { dtype: self.requant.dtype, shape: x.shape.clone(), quant: Some(quant) };
        if x.dtype == DType::F32 || ty.dtype == DType::F32 {
            return Err(ShapeError::dtype(format!("`requantize` of {x} to {}", ty.dtype)));
        }
        if !matches!(self.requant.rounding, Rounding::Double | Rounding::Single) {
            let message = format!("`requantize` does not round as {:?} does", self.requant.rounding);
            return Err(ShapeError::dtype(message));
        }
        activations(Self::NAME, &ty)?;
        Ok(ty)
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let multiplier = self.multiplier(types[0], output);
        let (low, high) = Clamp::None.range(&self.requant);
        let requantize = |x| {
            let scaled = multiplier.apply(x, self.requant.rounding);
            scaled.saturating_add(self.requant.zero_point).clamp(low, high)
        };
        let elements: Vec<i32> = centered(inputs[0], types[0]).into_iter().map(requantize).collect();
        integer_value(output, &elements)
    }

    fn attributes(&self) -> String {
        ending(Clamp::None, Some(&self.requant))
    }
}
