//! Two tensors element by element, with broadcasting.

use serde::{Deserialize, Serialize};

use crate::ops::mul::factor;
use crate::ops::reference::{centered, integer_value, quant};
use crate::ops::transpose::strides;
use crate::ops::{
    AddParameters, Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type,
};
use crate::tensor::arith::Multiplier;
use crate::tensor::{DType, Shape, TensorType, Value};

/// The functions of [`Elementwise`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ElementwiseFunction {
    /// `a + b`.
    Add,
    /// `a - b`.
    Sub,
    /// `a * b`.
    Mul,
    /// The greater.
    Maximum,
    /// The lesser.
    Minimum,
    /// `a` where it is not negative, else `a * b`.
    Prelu,
}

impl ElementwiseFunction {
    /// All of them.
    pub const ALL: [ElementwiseFunction; 6] = [
        ElementwiseFunction::Add,
        ElementwiseFunction::Sub,
        ElementwiseFunction::Mul,
        ElementwiseFunction::Maximum,
        ElementwiseFunction::Minimum,
        ElementwiseFunction::Prelu,
    ];

    /// How it is written in graph texts.
    pub fn name(self) -> &'static str {
        match self {
            ElementwiseFunction::Add => "add",
            ElementwiseFunction::Sub => "sub",
            ElementwiseFunction::Mul => "mul",
            ElementwiseFunction::Maximum => "maximum",
            ElementwiseFunction::Minimum => "minimum",
            ElementwiseFunction::Prelu => "prelu",
        }
    }
}

/// A function of two tensors, element by element, with clamp. Extents are compared from the last one on; where one is
/// 1, or absent, its elements are used again along the other's. It is in imported graphs alone:
/// [`Add`](crate::ops::Add) and [`Mul`](crate::ops::Mul) are the forms that are trained, and that have kernels of their
/// own.
///
/// Shapes  `a [...], b [...] -> [...]`, each extent the greater of the two
/// Types   i8,i8 -> i8; i16,i16 -> i16
/// Cost    MACs = 0
/// Errors  E0303 extents differ and none is 1; E0301 other types, scales beyond 32 bits, or a maximum or minimum of tensors
///         that count differently
/// Source  LiteRT 2.3.0, reference kernels of ADD, SUB, MUL, MAXIMUM, MINIMUM and PRELU; golden vectors
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Elementwise {
    /// Which one.
    pub function: ElementwiseFunction,
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization.
    pub requant: Requant,
}

/// What a quantized [`Elementwise`] computes with, on elements less their zero points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementwiseParameters {
    /// Both brought to a common scale and added, the second one negated before it is for a difference.
    Sum(AddParameters),
    /// From the product to the output.
    Product(Multiplier),
    /// The elements as they are.
    Choice,
    /// From the first one to the output, and from the product of both.
    Prelu(Multiplier, Multiplier),
}

impl Elementwise {
    /// The integers that it computes with.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn parameters(&self, a: &TensorType, b: &TensorType, output: &TensorType) -> ElementwiseParameters {
        use ElementwiseFunction as F;
        match self.function {
            F::Add | F::Sub => ElementwiseParameters::Sum(AddParameters::new(a, b, output)),
            F::Mul => ElementwiseParameters::Product(product([a, b, output])),
            F::Maximum | F::Minimum => ElementwiseParameters::Choice,
            // Scales are divided in float32, as they are in a product.
            F::Prelu => {
                let alone = f64::from(quant(a).scale(0) / quant(output).scale(0));
                ElementwiseParameters::Prelu(Multiplier::new(alone), product([a, b, output]))
            }
        }
    }

    /// The output, less its zero point and not clamped, of two elements less theirs.
    fn apply(&self, parameters: &ElementwiseParameters, a: i32, b: i32) -> i32 {
        let rounding = self.requant.rounding;
        match *parameters {
            ElementwiseParameters::Sum(parameters) => {
                let b = if self.function == ElementwiseFunction::Sub { 0_i32.saturating_sub(b) } else { b };
                parameters.apply(a, b, rounding)
            }
            ElementwiseParameters::Product(factor) => factor.apply(a.saturating_mul(b), rounding),
            ElementwiseParameters::Choice if self.function == ElementwiseFunction::Maximum => a.max(b),
            ElementwiseParameters::Choice => a.min(b),
            ElementwiseParameters::Prelu(alone, _) if a >= 0 => alone.apply(a, rounding),
            ElementwiseParameters::Prelu(_, factor) => factor.apply(a.saturating_mul(b), rounding),
        }
    }

    /// Whether the scales have integers to compute with.
    fn has_factors(&self, a: &TensorType, b: &TensorType, output: &TensorType) -> bool {
        let [a, b, output] = [a, b, output].map(quant);
        match self.function {
            ElementwiseFunction::Add | ElementwiseFunction::Sub => true,
            ElementwiseFunction::Mul => factor([a, b, output]).is_finite(),
            ElementwiseFunction::Maximum | ElementwiseFunction::Minimum => a == b && b == output,
            ElementwiseFunction::Prelu => {
                factor([a, b, output]).is_finite() && (a.scale(0) / output.scale(0)).is_finite()
            }
        }
    }
}

fn product(types: [&TensorType; 3]) -> Multiplier {
    Multiplier::new(f64::from(factor(types.map(quant))))
}

/// The shape that two are broadcast to; `None` where extents differ and none is 1.
fn broadcast(a: &Shape, b: &Shape) -> Option<Shape> {
    let rank = a.rank().max(b.rank());
    let extent = |of: &Shape, axis: usize| (axis + of.rank()).checked_sub(rank).map_or(1, |axis| of.0[axis]);
    let both = |axis: usize| match (extent(a, axis), extent(b, axis)) {
        (1, other) | (other, 1) => Some(other),
        (one, other) => (one == other).then_some(one),
    };
    (0..rank).map(both).collect::<Option<_>>().map(Shape)
}

/// Steps in elements of a tensor from one index of a dimension to the next of what it is broadcast to; 0 where the same
/// element is used again.
pub(crate) fn broadcast_strides(of: &Shape, to: &Shape) -> Vec<usize> {
    let own = strides(of);
    let step = |axis: usize| match (axis + of.rank()).checked_sub(to.rank()) {
        Some(axis) if of.0[axis] != 1 => own[axis],
        _ => 0,
    };
    (0..to.rank()).map(step).collect()
}

impl Operator for Elementwise {
    const NAME: &'static str = "elementwise";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [a, b] = arity(Self::NAME, inputs)?;
        for x in [a, b] {
            activations(Self::NAME, x)?;
        }
        if a.dtype == DType::F32 || a.dtype != b.dtype || a.dtype != self.requant.dtype {
            let message = format!("`elementwise` takes two of i8 or two of i16, got {a} and {b}");
            return Err(ShapeError::dtype(message));
        }
        let shape = broadcast(&a.shape, &b.shape)
            .ok_or_else(|| ShapeError::shape(format!("`elementwise` of {} and {}", a.shape, b.shape)))?;
        let output = output_type(Self::NAME, a, Some(&self.requant), shape)?;
        if !self.has_factors(a, b, &output) {
            let name = self.function.name();
            return Err(ShapeError::dtype(format!("`elementwise` {name} of {a} and {b} to {output}")));
        }
        Ok(output)
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let parameters = self.parameters(types[0], types[1], output);
        let (low, high) = self.clamp.range(&self.requant);
        let to = strides(&output.shape);
        let steps = [0, 1].map(|side| broadcast_strides(&types[side].shape, &output.shape));
        let elements = [0, 1].map(|side| centered(inputs[side], types[side]));
        let element = |at: usize| {
            let index = |axis: usize| at / to[axis] % output.shape.0[axis];
            let [a, b] = [0, 1].map(|side| {
                let steps = &steps[side];
                elements[side][(0..to.len()).map(|axis| index(axis) * steps[axis]).sum::<usize>()]
            });
            self.apply(&parameters, a, b).saturating_add(self.requant.zero_point).clamp(low, high)
        };
        integer_value(output, &(0..output.shape.elements()).map(element).collect::<Vec<i32>>())
    }

    fn attributes(&self) -> String {
        format!(" {}{}", self.function.name(), ending(self.clamp, Some(&self.requant)))
    }
}
