//! What operators share that only move elements.

use crate::ops::ShapeError;
use crate::ops::reference::{float_value, floats, integer_value, integers};
use crate::tensor::{DType, TensorType, Value};

/// The greatest height, width or number of channels that padding and enlarging make: far above any
/// microcontroller, and the number of elements stays countable.
const MAX_EXTENT: usize = 1 << 16;

/// Where an element comes from.
#[derive(Clone, Copy)]
pub(crate) struct Copied {
    /// Position of the input.
    pub(crate) input: usize,
    /// Index in it, in row-major order.
    pub(crate) element: usize,
}

/// An output each of whose elements is one of the inputs', or real zero.
pub(crate) fn map_copies(inputs: &[&Value], sources: &[Option<Copied>], output: &TensorType) -> Value {
    if output.dtype == DType::F32 {
        let inputs: Vec<_> = inputs.iter().map(|input| floats(input)).collect();
        let copied = |source: &Option<Copied>| source.map_or(0.0, |from| inputs[from.input][from.element]);
        return float_value(&output.shape, sources.iter().map(copied).collect());
    }
    let zero = output.quant.as_ref().map_or(0, |quant| quant.zero_point);
    let inputs: Vec<_> = inputs.iter().map(|input| integers(input)).collect();
    let copied = |source: &Option<Copied>| source.map_or(zero, |from| inputs[from.input][from.element]);
    integer_value(output, &sources.iter().map(copied).collect::<Vec<_>>())
}

/// Refuses an extent that is beyond [`MAX_EXTENT`] or cannot be counted.
pub(crate) fn extent(name: &str, extent: Option<usize>) -> Result<usize, ShapeError> {
    extent.filter(|&extent| extent <= MAX_EXTENT).ok_or_else(|| {
        ShapeError::shape(format!("`{name}` gives a height, width or number of channels above {MAX_EXTENT}"))
    })
}
