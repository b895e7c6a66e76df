//! The same numbers counted in other steps.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{centered, integer_value, quant};
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type};
use crate::tensor::arith::Multiplier;
use crate::tensor::{TensorType, Value};

/// A quantized tensor under another scale and zero point. It is in integer graphs alone, before what demands
/// inputs of one quantization.
///
/// Shapes  `x [...] -> [...]`
/// Types   i8 -> i8
/// Cost    MACs = 0
/// Errors  E0301 not quantized
/// Source  TFLite quantization specification, REQUANTIZE; LiteRT 2.3.0's QUANTIZE of i8 to i8
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
        output_type(Self::NAME, x, Some(&self.requant), x.shape.clone())
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
