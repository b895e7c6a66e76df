//! What moves elements and does not change them, and the generic reduction.

use rayon::prelude::*;

use crate::train::embedded::Tensor;
use crate::train::embedded::isa::{Isa, multiversion};
use crate::train::embedded::tree::tree;
use crate::train::engine::{REDUCE_CHUNK, Reduction};

/// Row-major distances between neighbours along each dimension.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// Offsets of all indices below `extents`, row-major, with a distance for each dimension.
fn offsets(extents: &[usize], strides: &[usize]) -> Vec<usize> {
    let mut offsets = vec![0];
    for (&extent, &stride) in extents.iter().zip(strides) {
        offsets =
            offsets.iter().flat_map(|&base| (0..extent).map(move |index| base + index * stride)).collect();
    }
    offsets
}

/// A tensor whose elements are those at the given places of another. What lies together is copied together, and
/// what is repeated is read once.
fn at(x: &Tensor, shape: &[usize], strides: &[usize], base: usize) -> Tensor {
    // Dimensions from the last one forward that are one run of elements, or one element again and again.
    let (mut run, mut outer) = (1, shape.len());
    let repeats =
        (0..shape.len()).rev().find(|&axis| shape[axis] != 1).is_some_and(|axis| strides[axis] == 0);
    while outer > 0 && (shape[outer - 1] == 1 || strides[outer - 1] == if repeats { 0 } else { run }) {
        outer -= 1;
        run *= shape[outer];
    }
    let count = shape.iter().product();
    if count == 0 {
        return Tensor::new(shape, Vec::new());
    }
    let mut out = Vec::with_capacity(count);
    for offset in offsets(&shape[..outer], &strides[..outer]) {
        if repeats {
            out.resize(out.len() + run, x.data()[base + offset]);
        } else {
            out.extend_from_slice(&x.data()[base + offset..][..run]);
        }
    }
    Tensor::new(shape, out)
}

pub(super) fn broadcast(x: &Tensor, shape: &[usize]) -> Tensor {
    let missing = shape.len().checked_sub(x.shape().len()).expect("no fewer dimensions than before");
    let own: Vec<usize> = std::iter::repeat_n(1, missing).chain(x.shape().iter().copied()).collect();
    let mut steps = strides(&own);
    for (axis, step) in steps.iter_mut().enumerate() {
        assert!(own[axis] == shape[axis] || own[axis] == 1, "`broadcast` of {own:?} to {shape:?}");
        if own[axis] == 1 {
            *step = 0;
        }
    }
    at(x, shape, &steps, 0)
}

pub(super) fn slice(x: &Tensor, start: &[usize], extent: &[usize]) -> Tensor {
    let steps = strides(x.shape());
    let inside = x.shape().iter().zip(start).zip(extent).all(|((&d, &s), &e)| s + e <= d);
    assert!(inside && start.len() == steps.len(), "`slice` of {:?} at {start:?}", x.shape());
    at(x, extent, &steps, start.iter().zip(&steps).map(|(s, step)| s * step).sum())
}

pub(super) fn pad(x: &Tensor, before: &[usize], after: &[usize], value: f32) -> Tensor {
    let shape: Vec<usize> =
        x.shape().iter().zip(before).zip(after).map(|((d, before), after)| before + d + after).collect();
    let steps = strides(&shape);
    let base: usize = before.iter().zip(&steps).map(|(b, step)| b * step).sum();
    let mut out = vec![value; shape.iter().product()];
    for (offset, &x) in offsets(x.shape(), &steps).into_iter().zip(x.data()) {
        out[base + offset] = x;
    }
    Tensor::new(&shape, out)
}

/// Elements before and behind a dimension.
fn around(shape: &[usize], axis: usize) -> (usize, usize) {
    (shape[..axis].iter().product(), shape[axis + 1..].iter().product())
}

pub(super) fn concat(xs: &[&Tensor], axis: usize) -> Tensor {
    let mut shape = xs.first().expect("`concat` of at least one").shape().to_vec();
    shape[axis] = xs.iter().map(|x| x.shape()[axis]).sum();
    let (outer, inner) = around(&shape, axis);
    let mut out = Vec::with_capacity(shape.iter().product());
    for index in 0..outer {
        for x in xs {
            assert_eq!(around(x.shape(), axis), (outer, inner), "extents of `concat`");
            let size = x.shape()[axis] * inner;
            out.extend_from_slice(&x.data()[index * size..(index + 1) * size]);
        }
    }
    Tensor::new(&shape, out)
}

pub(super) fn permute(x: &Tensor, axes: &[usize]) -> Tensor {
    let steps = strides(x.shape());
    let mut sorted = axes.to_vec();
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(0..steps.len()), "`permute` by {axes:?}");
    let shape: Vec<usize> = axes.iter().map(|&axis| x.shape()[axis]).collect();
    let steps: Vec<usize> = axes.iter().map(|&axis| steps[axis]).collect();
    at(x, &shape, &steps, 0)
}

pub(super) fn gather(x: &Tensor, axis: usize, indices: &[u32]) -> Tensor {
    let (outer, inner) = around(x.shape(), axis);
    let extent = x.shape()[axis];
    let mut shape = x.shape().to_vec();
    shape[axis] = indices.len();
    let mut out = Vec::with_capacity(shape.iter().product());
    for block in 0..outer {
        for &index in indices {
            let at = (block * extent + index as usize) * inner;
            out.extend_from_slice(&x.data()[at..at + inner]);
        }
    }
    Tensor::new(&shape, out)
}

pub(super) fn scatter_add(x: &Tensor, axis: usize, indices: &[u32], extent: usize) -> Tensor {
    assert_eq!(x.shape()[axis], indices.len(), "an index for each slice");
    let (outer, inner) = around(x.shape(), axis);
    let mut shape = x.shape().to_vec();
    shape[axis] = extent;
    let mut out = vec![0.0; shape.iter().product()];
    for block in 0..outer {
        for (i, &index) in indices.iter().enumerate() {
            let source = &x.data()[(block * indices.len() + i) * inner..][..inner];
            let target = &mut out[(block * extent + index as usize) * inner..][..inner];
            target.iter_mut().zip(source).for_each(|(sum, x)| *sum += x);
        }
    }
    Tensor::new(&shape, out)
}

multiversion! {
    /// Combines the rows of `x` at these offsets into `out`.
    fn combine(reduction: Reduction, x: &[f32], rows: &[usize], out: &mut [f32]) {
        let width = out.len();
        for &row in rows {
            let row = &x[row..row + width];
            match reduction {
                Reduction::Sum => out.iter_mut().zip(row).for_each(|(sum, x)| *sum += x),
                Reduction::Max => {
                    out.iter_mut().zip(row).for_each(|(best, &x)| *best = if x > *best { x } else { *best });
                }
            }
        }
    }
}

pub(super) fn reduce(isa: Isa, reduction: Reduction, x: &Tensor, axes: &[usize]) -> Tensor {
    let steps = strides(x.shape());
    let rank = steps.len();
    let combined: Vec<bool> = (0..rank).map(|axis| axes.contains(&axis)).collect();
    let shape: Vec<usize> = (0..rank).map(|axis| if combined[axis] { 1 } else { x.shape()[axis] }).collect();
    // Dimensions behind the last combined one advance together.
    let last = combined.iter().rposition(|&combined| combined).map_or(0, |axis| axis + 1);
    let width: usize = x.shape()[last..].iter().product();
    let some = |wanted: bool| {
        let axes: Vec<usize> = (0..last).filter(|&axis| combined[axis] == wanted).collect();
        let extents: Vec<usize> = axes.iter().map(|&axis| x.shape()[axis]).collect();
        offsets(&extents, &axes.iter().map(|&axis| steps[axis]).collect::<Vec<usize>>())
    };
    let (blocks, terms) = (some(false), some(true));
    let result = |&block: &usize| match reduction {
        Reduction::Sum => {
            let part = |rows: &[usize]| {
                let mut sums = vec![0.0; width];
                combine(isa, reduction, &x.data()[block..], rows, &mut sums);
                sums
            };
            tree(terms.par_chunks(REDUCE_CHUNK).map(part).collect())
        }
        Reduction::Max => {
            let mut best = x.data()[block + terms[0]..][..width].to_vec();
            combine(isa, reduction, &x.data()[block..], &terms[1..], &mut best);
            best
        }
    };
    let rows: Vec<Vec<f32>> = blocks.par_iter().map(result).collect();
    Tensor::new(&shape, rows.concat())
}
