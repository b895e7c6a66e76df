//! Several tensors side by side.

use serde::{Deserialize, Serialize};

use crate::ops::copy::{Copied, map_copies};
use crate::ops::{Operator, ShapeError, activations};
use crate::tensor::{Shape, TensorType, Value};

/// Two or more tensors one behind the other along the last dimension, the channels. It computes nothing:
/// quantized inputs have one quantization, which the output keeps, so quantization puts a
/// [`Requantize`](crate::ops::Requantize) before an input whose scale differs.
///
/// Shapes  `a [N,H,W,A], b [N,H,W,B], ... -> [N,H,W,A+B+...]`; or `[N,A], [N,B], ... -> [N,A+B+...]`
/// Types   f32,... -> f32; i8,... -> i8, all of one quantization
/// Cost    MACs = 0
/// Errors  E0303 fewer than two inputs, or other dimensions than the last differ; E0301 types differ
/// Source  TFLite quantization specification, CONCATENATION
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Concat {}

impl Operator for Concat {
    const NAME: &'static str = "concat";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [first, rest @ ..] = inputs else {
            return Err(ShapeError::shape("`concat` takes two or more inputs, got 0"));
        };
        if rest.is_empty() {
            return Err(ShapeError::shape("`concat` takes two or more inputs, got 1"));
        }
        activations(Self::NAME, first)?;
        let Some((&channels, outer)) =
            first.shape.0.split_last().filter(|_| [2, 4].contains(&first.shape.rank()))
        else {
            return Err(ShapeError::shape(format!("`concat` takes maps or vectors, got {}", first.shape)));
        };
        let mut sum = channels;
        for other in rest {
            let Some((&channels, _)) = other.shape.0.split_last().filter(|(_, others)| *others == outer)
            else {
                return Err(ShapeError::shape(format!("`concat` of {} and {}", first.shape, other.shape)));
            };
            if (other.dtype, &other.quant) != (first.dtype, &first.quant) {
                return Err(ShapeError::dtype(format!(
                    "`concat` of {first} and {other}, which count differently"
                )));
            }
            sum = sum
                .checked_add(channels)
                .ok_or_else(|| ShapeError::shape("`concat` gives too many channels"))?;
        }
        let shape = Shape(outer.iter().copied().chain([sum]).collect());
        Ok(TensorType { shape, ..(*first).clone() })
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let sum = last(output);
        let mut sources = vec![None; output.shape.elements()];
        let mut offset = 0;
        for (input, ty) in types.iter().enumerate() {
            let channels = last(ty);
            for element in 0..ty.shape.elements() {
                sources[element / channels * sum + offset + element % channels] =
                    Some(Copied { input, element });
            }
            offset += channels;
        }
        map_copies(inputs, &sources, output)
    }
}

/// The number of channels.
fn last(ty: &TensorType) -> usize {
    ty.shape.0.last().copied().unwrap_or(1).max(1)
}
