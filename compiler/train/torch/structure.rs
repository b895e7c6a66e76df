//! What moves elements and does not change them, and the generic reduction.

use tch::{Kind, Tensor};

use crate::train::engine::Reduction;
use crate::train::torch::sizes;

pub(super) fn reduce(reduction: Reduction, x: &Tensor, axes: &[usize]) -> Tensor {
    // Without axes libtorch combines all dimensions.
    if axes.is_empty() {
        return x.shallow_clone();
    }
    match reduction {
        Reduction::Sum => x.sum_dim_intlist(sizes(axes), true, None::<Kind>),
        Reduction::Max => x.amax(sizes(axes), true),
    }
}

pub(super) fn slice(x: Tensor, start: &[usize], extent: &[usize]) -> Tensor {
    let ranges = start.iter().zip(extent).enumerate();
    ranges.fold(x, |x, (axis, (&start, &extent))| x.narrow(axis as i64, start as i64, extent as i64))
}

pub(super) fn pad(x: &Tensor, before: &[usize], after: &[usize], value: f32) -> Tensor {
    // libtorch counts from the last dimension.
    let pairs = before.iter().zip(after).rev();
    let widths: Vec<i64> = pairs.flat_map(|(&before, &after)| [before as i64, after as i64]).collect();
    x.pad(widths, "constant", f64::from(value))
}

/// Indices on the device of `x`.
fn uploaded(indices: &[u32], x: &Tensor) -> Tensor {
    let wide: Vec<i64> = indices.iter().map(|&index| i64::from(index)).collect();
    Tensor::from_slice(&wide).to_device(x.device())
}

pub(super) fn gather(x: &Tensor, axis: usize, indices: &[u32]) -> Tensor {
    x.index_select(axis as i64, &uploaded(indices, x))
}

pub(super) fn scatter_add(x: &Tensor, axis: usize, indices: &[u32], extent: usize) -> Tensor {
    let mut size = x.size();
    size[axis] = extent as i64;
    Tensor::zeros(size, (x.kind(), x.device())).index_add(axis as i64, &uploaded(indices, x), x)
}
