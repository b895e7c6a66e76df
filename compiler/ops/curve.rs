//! Activations that are no clamps.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{float_value, floats, integer_value, integers, quant};
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type};
use crate::tensor::arith;
use crate::tensor::{DType, Quant, TensorType, Value, math};

/// The functions of [`Curve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CurveFunction {
    /// `x * min(max(x + 3, 0), 6) / 6`.
    Hswish,
    /// `min(max(x + 3, 0), 6) / 6`.
    Hsigmoid,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
}

impl CurveFunction {
    /// All of them.
    pub const ALL: [CurveFunction; 3] =
        [CurveFunction::Hswish, CurveFunction::Hsigmoid, CurveFunction::Sigmoid];

    /// The function of a float.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            CurveFunction::Hswish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            CurveFunction::Hsigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
            CurveFunction::Sigmoid => math::sigmoid(x),
        }
    }

    /// How it is written in the language and in graph texts.
    pub fn name(self) -> &'static str {
        match self {
            CurveFunction::Hswish => "hswish",
            CurveFunction::Hsigmoid => "hsigmoid",
            CurveFunction::Sigmoid => "sigmoid",
        }
    }
}

/// An activation that is no clamp, by itself. Quantized, it is a table of 256 elements.
///
/// Shapes  `x [...] -> [...]`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0301 integers without quantization, or of 16 bits
/// Source  TFLite quantization specification, LOGISTIC; HARD_SWISH of LiteRT 2.3.0; arXiv:1905.02244 section 5.2
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Curve {
    /// Which one.
    pub function: CurveFunction,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

impl Curve {
    /// What a quantized curve makes of -128, -127, ..., 127.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn table(&self, x: &TensorType, output: &TensorType) -> Vec<i8> {
        let (x, output) = (quant(x), quant(output));
        let element = |at: i32| {
            let found = rounded(self.function, at - 128, x, output);
            i8::try_from(found).expect("clamped to the range of i8")
        };
        (0..256).map(element).collect()
    }
}

/// The nearest integer of the function, ties away from zero.
fn rounded(function: CurveFunction, x: i32, input: &Quant, output: &Quant) -> i32 {
    let real = input.scale(0) * (x - input.zero_point) as f32;
    arith::quantize(function.apply(real), output.scale(0), output.zero_point, (-128, 127))
}

impl Operator for Curve {
    const NAME: &'static str = "curve";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        let output = output_type(Self::NAME, x, self.requant.as_ref(), x.shape.0.clone())?;
        match (x.dtype, output.dtype) {
            (DType::F32, DType::F32) | (DType::I8, DType::I8) => Ok(output),
            _ => Err(ShapeError::dtype(format!("`curve` takes f32 or i8 and gives the same, got {x}"))),
        }
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        if output.dtype == DType::F32 {
            let elements = floats(inputs[0]).iter().map(|&x| self.function.apply(x)).collect();
            return float_value(&output.shape, elements);
        }
        let table = self.table(types[0], output);
        let look_up = |x: i32| i32::from(table[(x + 128) as usize]);
        integer_value(output, &integers(inputs[0]).into_iter().map(look_up).collect::<Vec<i32>>())
    }

    fn attributes(&self) -> String {
        format!(" {}{}", self.function.name(), ending(Clamp::None, self.requant.as_ref()))
    }
}
