//! Product of two tensors.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{centered, float_value, floats, integer_value, quant};
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type};
use crate::tensor::arith::Multiplier;
use crate::tensor::{Quant, TensorType, Value};

/// Element-wise product with clamp. The second operand has the shape of the first, or it is one factor for each
/// channel of a feature map, as squeeze-and-excite has it.
///
/// Shapes  `a [...], b [...] -> [...]`, equal; or `a [N,H,W,C], b [N,C] or [N,1,1,C] -> [N,H,W,C]`
/// Types   f32,f32 -> f32; i8,i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 shapes do not fit, E0301 element types differ
/// Source  TFLite quantization specification, MUL
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mul {
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization; `None` for floats.
    pub requant: Option<Requant>,
}

impl Mul {
    /// The factor from a product of elements less their zero points to the output.
    ///
    /// Source  LiteRT 2.3.0, `Prepare` of MUL: the scales are multiplied and divided in float32
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn multiplier(&self, a: &TensorType, b: &TensorType, output: &TensorType) -> Multiplier {
        Multiplier::new(f64::from(factor([a, b, output].map(quant))))
    }
}

pub(crate) fn factor([a, b, output]: [&Quant; 3]) -> f32 {
    a.scale(0) * b.scale(0) / output.scale(0)
}

/// Whether the second operand has one factor for each channel of the first one.
fn is_by_channel(a: &TensorType, b: &TensorType) -> bool {
    let Some([n, _, _, channels]) = a.shape.nhwc() else {
        return false;
    };
    b.shape.0[..] == [n, channels] || b.shape.0[..] == [n, 1, 1, channels]
}

impl Operator for Mul {
    const NAME: &'static str = "mul";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [a, b] = arity(Self::NAME, inputs)?;
        if a.shape != b.shape && !is_by_channel(a, b) {
            return Err(ShapeError::shape(format!("`mul` of {} and {}", a.shape, b.shape)));
        }
        if a.dtype != b.dtype {
            return Err(ShapeError::dtype(format!("`mul` of {} and {}", a.dtype, b.dtype)));
        }
        activations(Self::NAME, a)?;
        activations(Self::NAME, b)?;
        let output = output_type(Self::NAME, a, self.requant.as_ref(), a.shape.clone())?;
        if let [Some(a), Some(b), Some(output)] = [&a.quant, &b.quant, &output.quant]
            && !factor([a, b, output]).is_finite()
        {
            return Err(ShapeError::dtype("`mul` has scales whose quotient is beyond 32 bits"));
        }
        Ok(output)
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        // Where in the second operand the factor of an element is.
        let elements = output.shape.elements();
        let samples = output.shape.0.first().copied().unwrap_or(1).max(1);
        let (all, some) = (elements / samples, types[1].shape.elements() / samples);
        let factor = |at: usize| at / all.max(1) * some + at % some.max(1);
        let Some(requant) = &self.requant else {
            let (a, b) = (floats(inputs[0]), floats(inputs[1]));
            let products = (0..elements).map(|at| self.clamp.apply(a[at] * b[factor(at)])).collect();
            return float_value(&output.shape, products);
        };
        let multiplier = self.multiplier(types[0], types[1], output);
        let (low, high) = self.clamp.range(requant);
        let (a, b) = (centered(inputs[0], types[0]), centered(inputs[1], types[1]));
        let product = |at: usize| {
            let product = a[at].saturating_mul(b[factor(at)]);
            multiplier.apply(product, requant.rounding).saturating_add(requant.zero_point).clamp(low, high)
        };
        integer_value(output, &(0..elements).map(product).collect::<Vec<i32>>())
    }

    fn attributes(&self) -> String {
        ending(self.clamp, self.requant.as_ref())
    }
}
