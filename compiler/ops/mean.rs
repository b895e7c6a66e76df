//! Means along dimensions.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{centered, integer_value, quant};
use crate::ops::transpose::strides;
use crate::ops::{Clamp, Operator, Requant, ShapeError, activations, arity, ending, output_type};
use crate::tensor::arith::Multiplier;
use crate::tensor::{DType, Shape, TensorType, Value};

/// Elements that one mean is of, at most: with more a sum may leave 32 bits.
const MAX_ELEMENTS: usize = 1 << 22;

/// The mean along some dimensions, each of which becomes 1; the first one, of samples, is none of them. Unlike a pool it
/// may change scale and zero point. There is no form for floats: training has pools.
///
/// Shapes  `x [N,A,B,...] -> [N,...]` with 1 at `axes`
/// Types   i8 -> i8; i16 -> i16
/// Cost    MACs = 0
/// Errors  E0303 no dimensions of the input, or too many elements; E0301 no integers
/// Source  LiteRT 2.3.0, reference kernel of MEAN; golden vectors
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Mean {
    /// The dimensions, in order.
    pub axes: Shape,
    /// The output's quantization.
    pub requant: Requant,
}

impl Mean {
    /// The factor from a sum of elements less their zero points to the output: that of the scales, with its mantissa
    /// divided by the number of elements.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn multiplier(&self, x: &TensorType, output: &TensorType) -> Multiplier {
        let of_scales = Multiplier::new(f64::from(quant(x).scale(0)) / f64::from(quant(output).scale(0)));
        let count = self.count(&x.shape).max(1) as u64;
        // As many bits as the quotient loses at most.
        let bits = (63 - count.leading_zeros() as i32).min(32).min(31 + of_scales.shift);
        let value = (i64::from(of_scales.value) << bits) / count as i64;
        Multiplier { value: value as i32, shift: of_scales.shift - bits }
    }

    /// Elements that one mean is of.
    pub(crate) fn count(&self, x: &Shape) -> usize {
        self.axes.0.iter().map(|&axis| x.0[axis]).product()
    }
}

impl Operator for Mean {
    const NAME: &'static str = "mean";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        activations(Self::NAME, x)?;
        if x.dtype == DType::F32 {
            return Err(ShapeError::dtype(format!("`mean` takes i8 or i16, got {x}")));
        }
        let axes = &self.axes.0;
        let is_some =
            axes.is_sorted_by(|a, b| a < b) && axes.iter().all(|axis| (1..x.shape.rank()).contains(axis));
        if axes.is_empty() || !is_some || self.count(&x.shape) > MAX_ELEMENTS {
            let message = format!("`mean` of {} along dimensions {}", x.shape, self.axes);
            return Err(ShapeError::shape(message));
        }
        let mut shape = x.shape.clone();
        axes.iter().for_each(|&axis| shape.0[axis] = 1);
        output_type(Self::NAME, x, Some(&self.requant), shape)
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let multiplier = self.multiplier(types[0], output);
        let (low, high) = Clamp::None.range(&self.requant);
        let (from, to) = (strides(&types[0].shape), strides(&output.shape));
        let mut sums = vec![0i64; output.shape.elements()];
        for (at, x) in centered(inputs[0], types[0]).into_iter().enumerate() {
            let index = |axis: usize| at / from[axis] % types[0].shape.0[axis];
            let kept = (0..from.len()).filter(|axis| !self.axes.0.contains(axis));
            sums[kept.map(|axis| index(axis) * to[axis]).sum::<usize>()] += i64::from(x);
        }
        let mean = |sum: i64| {
            let scaled = multiplier.apply_sum(sum, self.requant.rounding);
            scaled.saturating_add(self.requant.zero_point).clamp(low, high)
        };
        integer_value(output, &sums.into_iter().map(mean).collect::<Vec<i32>>())
    }

    fn attributes(&self) -> String {
        format!(" axes={}{}", self.axes, ending(Clamp::None, Some(&self.requant)))
    }
}
