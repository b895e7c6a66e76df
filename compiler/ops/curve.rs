//! Activations that are no clamps.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{float_value, floats, integer_value, integers, quant};
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type};
use crate::tensor::arith::{self, Multiplier};
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
        let hswish = HardSwish::new(x, output);
        let element = |at: i32| {
            let found = match self.function {
                CurveFunction::Hswish => hswish.apply(at - x.zero_point) + output.zero_point,
                CurveFunction::Hsigmoid | CurveFunction::Sigmoid => {
                    return rounded(self.function, at, x, output);
                }
            };
            found.clamp(-128, 127) as i8
        };
        (-128..128).map(element).collect()
    }
}

/// The nearest integer of the function, ties away from zero.
///
/// Source  LiteRT 2.3.0, LOGISTIC: golden vectors show a table of the float32 function
fn rounded(function: CurveFunction, x: i32, input: &Quant, output: &Quant) -> i8 {
    let real = input.scale(0) * (x - input.zero_point) as f32;
    arith::quantize(function.apply(real), output.scale(0), output.zero_point, (-128, 127)) as i8
}

/// HARD_SWISH in 16 bits: the input in steps of 1/128 of its scale, times itself as a share of 2^15 that goes
/// from -3 to 3.
///
/// Source  LiteRT 2.3.0, reference kernel of HARD_SWISH; golden vectors
struct HardSwish {
    /// From the fine input to the output, a 16 bit mantissa and a power of two.
    output: (i32, i32),
    /// From the fine input to steps of 3/2^15.
    share: (i32, i32),
}

/// The real factors of [`HardSwish`] for these quantizations.
fn hard_swish_factors(x: &Quant, output: &Quant) -> [f32; 2] {
    let fine = x.scale(0) * (1.0 / 128.0);
    [fine / output.scale(0), fine / (3.0 / 32768.0)]
}

impl HardSwish {
    fn new(x: &Quant, output: &Quant) -> HardSwish {
        let short = |factor: f32| {
            // Other curves build this too, with any scales, and do not use it.
            let factor = if factor.is_finite() { f64::from(factor) } else { 0.0 };
            let Multiplier { value, shift } = Multiplier::new(factor);
            let mantissa = ((i64::from(value) + (1 << 15)) >> 16).min(i64::from(i16::MAX));
            (mantissa as i32, shift)
        };
        let [to_output, to_share] = hard_swish_factors(x, output).map(short);
        HardSwish { output: to_output, share: to_share }
    }

    /// The output, without its zero point, of an input less its zero point.
    fn apply(&self, x: i32) -> i32 {
        let saturated = |x: i64| x.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i32;
        let fine = x << 7;
        let preshift = rounding_high_mul_16(fine, self.output.0);
        let (mantissa, exponent) = self.share;
        // One bit of a left shift comes after the product, so that the shift loses less to saturation.
        let left = (exponent - 1).max(0);
        let share = rounding_high_mul_16(saturated(i64::from(fine) << left), mantissa);
        let share = if exponent > 0 {
            saturated(i64::from(share) << 1)
        } else {
            arith::rounding_divide_by_power_of_two(share, -exponent)
        };
        // From -1..1 to 0..1.
        let share = (share + (1 << 15)) >> 1;
        let product = share * preshift / (1 << 15);
        arith::rounding_divide_by_power_of_two(product, (-self.output.1).max(0))
    }
}

/// The high half of twice the product of 16 bits, to nearest, ties up.
fn rounding_high_mul_16(a: i32, b: i32) -> i32 {
    let product = a * b;
    let nudge = if product >= 0 { 1 << 14 } else { 1 - (1 << 14) };
    (product + nudge) / (1 << 15)
}

impl Operator for Curve {
    const NAME: &'static str = "curve";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        let output = output_type(Self::NAME, x, self.requant.as_ref(), x.shape.clone())?;
        match (x.dtype, output.dtype) {
            (DType::F32, DType::F32) | (DType::I8, DType::I8) => {}
            _ => {
                return Err(ShapeError::dtype(format!(
                    "`curve` takes f32 or i8 and gives the same, got {x}"
                )));
            }
        }
        if let (CurveFunction::Hswish, Some(x), Some(to)) = (self.function, &x.quant, &output.quant) {
            let [to_output, to_share] = hard_swish_factors(x, to);
            if !(to_output < 1.0 && to_share.is_finite()) {
                let message = "`curve` hswish has an output scale below 1/128 of its input's";
                return Err(ShapeError::dtype(message));
            }
        }
        Ok(output)
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
