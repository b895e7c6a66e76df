//! What moves elements and does not change them, and the generic reduction.

use super::arena::Scratch;
use super::isa::multiversion;
use super::tasks::{self, ELEMENT};
use super::tree::tree_in_place;
use super::{EmbeddedEngine, Tensor};
use crate::train::engine::{REDUCE_CHUNK, Reduction};
use crate::train::extents::Extents;

/// Row-major distances between neighbours along each dimension.
fn strides(shape: &[usize]) -> Extents {
    Extents::from_fn(shape.len(), |axis| shape[axis + 1..].iter().product())
}

/// Calls `f` with the places in two tensors of every row of elements along the last dimension, row-major: where
/// they start, for distances along each dimension.
fn each_row(extents: &[usize], steps: [&[usize]; 2], mut f: impl FnMut([usize; 2])) {
    let Some((_, outer)) = extents.split_last() else {
        return f([0, 0]);
    };
    if extents.contains(&0) {
        return;
    }
    let mut index = Extents::from_fn(outer.len(), |_| 0);
    loop {
        f([0, 1].map(|side| index.iter().zip(steps[side]).map(|(i, step)| i * step).sum()));
        let Some(axis) = (0..outer.len()).rev().find(|&axis| index[axis] + 1 < outer[axis]) else {
            return;
        };
        index = Extents::from_fn(outer.len(), |at| match at.cmp(&axis) {
            std::cmp::Ordering::Less => index[at],
            std::cmp::Ordering::Equal => index[at] + 1,
            std::cmp::Ordering::Greater => 0,
        });
    }
}

/// Copies a block: for each index the element at its place in `from` to its place in `to`.
fn copy(extents: &[usize], (from, from_steps): (&[f32], &[usize]), (to, to_steps): (&mut [f32], &[usize])) {
    let width = extents.last().copied().unwrap_or(1);
    let last = |steps: &[usize]| steps.last().copied().unwrap_or(1);
    let (step, to_step) = (last(from_steps), last(to_steps));
    each_row(extents, [from_steps, to_steps], |[source, target]| {
        if (step, to_step) == (1, 1) {
            to[target..target + width].copy_from_slice(&from[source..source + width]);
        } else {
            (0..width).for_each(|i| to[target + i * to_step] = from[source + i * step]);
        }
    });
}

/// A tensor whose elements are those at the given places of another.
fn at(engine: &EmbeddedEngine, x: &Tensor, shape: &[usize], steps: &[usize], base: usize) -> Tensor {
    let mut out = engine.fresh(shape);
    copy(shape, (&x.data()[base..], steps), (out.data_mut(), &strides(shape)));
    out
}

pub(super) fn broadcast(engine: &EmbeddedEngine, x: &Tensor, shape: &[usize]) -> Tensor {
    let missing = shape.len().checked_sub(x.shape().len()).expect("no fewer dimensions than before");
    let own =
        Extents::from_fn(shape.len(), |axis| if axis < missing { 1 } else { x.shape()[axis - missing] });
    let steps = strides(&own);
    let steps = Extents::from_fn(shape.len(), |axis| {
        assert!(own[axis] == shape[axis] || own[axis] == 1, "`broadcast` of {:?} to {shape:?}", x.shape());
        if own[axis] == 1 { 0 } else { steps[axis] }
    });
    at(engine, x, shape, &steps, 0)
}

pub(super) fn slice(engine: &EmbeddedEngine, x: &Tensor, start: &[usize], extent: &[usize]) -> Tensor {
    let steps = strides(x.shape());
    let inside = x.shape().iter().zip(start).zip(extent).all(|((&d, &s), &e)| s + e <= d);
    assert!(inside && start.len() == steps.len(), "`slice` of {:?} at {start:?}", x.shape());
    let base: usize = start.iter().zip(&*steps).map(|(s, step)| s * step).sum();
    at(engine, x, extent, &steps, base.min(x.data().len()))
}

pub(super) fn pad(
    engine: &EmbeddedEngine,
    x: &Tensor,
    before: &[usize],
    after: &[usize],
    value: f32,
) -> Tensor {
    let shape = Extents::from_fn(x.shape().len(), |axis| before[axis] + x.shape()[axis] + after[axis]);
    let steps = strides(&shape);
    let base: usize = before.iter().zip(&*steps).map(|(b, step)| b * step).sum();
    let mut out = engine.full_of(&shape, value);
    if !x.data().is_empty() {
        copy(x.shape(), (x.data(), &strides(x.shape())), (&mut out.data_mut()[base..], &steps));
    }
    out
}

/// Elements before and behind a dimension.
fn around(shape: &[usize], axis: usize) -> (usize, usize) {
    (shape[..axis].iter().product(), shape[axis + 1..].iter().product())
}

pub(super) fn concat(engine: &EmbeddedEngine, xs: &[&Tensor], axis: usize) -> Tensor {
    let first = xs.first().expect("`concat` of at least one").shape();
    let total: usize = xs.iter().map(|x| x.shape()[axis]).sum();
    let shape = Extents::from_fn(first.len(), |at| if at == axis { total } else { first[at] });
    let (outer, inner) = around(&shape, axis);
    let mut out = engine.fresh(&shape);
    let mut start = 0;
    for x in xs {
        let alike = (0..first.len()).all(|at| at == axis || x.shape()[at] == first[at]);
        assert!(alike && x.shape().len() == first.len(), "`concat` of {first:?} and {:?}", x.shape());
        let size = x.shape()[axis] * inner;
        for index in 0..outer {
            let place = index * total * inner + start;
            out.data_mut()[place..place + size].copy_from_slice(&x.data()[index * size..(index + 1) * size]);
        }
        start += size;
    }
    out
}

pub(super) fn permute(engine: &EmbeddedEngine, x: &Tensor, axes: &[usize]) -> Tensor {
    let steps = strides(x.shape());
    let is_order = axes.len() == steps.len() && (0..steps.len()).all(|axis| axes.contains(&axis));
    assert!(is_order, "`permute` by {axes:?}");
    let shape = Extents::from_fn(axes.len(), |at| x.shape()[axes[at]]);
    let steps = Extents::from_fn(axes.len(), |at| steps[axes[at]]);
    at(engine, x, &shape, &steps, 0)
}

pub(super) fn gather(engine: &EmbeddedEngine, x: &Tensor, axis: usize, indices: &[u32]) -> Tensor {
    let (outer, inner) = around(x.shape(), axis);
    let extent = x.shape()[axis];
    assert!(indices.iter().all(|&index| (index as usize) < extent), "indices of `gather` below {extent}");
    let shape =
        Extents::from_fn(x.shape().len(), |at| if at == axis { indices.len() } else { x.shape()[at] });
    let mut out = engine.fresh(&shape);
    let mut rows = out.data_mut().chunks_exact_mut(inner.max(1));
    for block in 0..outer {
        for (&index, row) in indices.iter().zip(&mut rows) {
            let at = (block * extent + index as usize) * inner;
            row.copy_from_slice(&x.data()[at..at + inner]);
        }
    }
    out
}

pub(super) fn scatter_add(
    engine: &EmbeddedEngine,
    x: &Tensor,
    axis: usize,
    indices: &[u32],
    extent: usize,
) -> Tensor {
    assert_eq!(x.shape()[axis], indices.len(), "an index for each slice");
    assert!(
        indices.iter().all(|&index| (index as usize) < extent),
        "indices of `scatter_add` below {extent}"
    );
    let (outer, inner) = around(x.shape(), axis);
    let shape = Extents::from_fn(x.shape().len(), |at| if at == axis { extent } else { x.shape()[at] });
    let mut out = engine.full_of(&shape, 0.0);
    for block in 0..outer {
        for (i, &index) in indices.iter().enumerate() {
            let source = &x.data()[(block * indices.len() + i) * inner..][..inner];
            let target = &mut out.data_mut()[(block * extent + index as usize) * inner..][..inner];
            target.iter_mut().zip(source).for_each(|(sum, x)| *sum += x);
        }
    }
    out
}

multiversion! {
    /// Combines a row with `out`.
    fn combine(reduction: Reduction, row: &[f32], out: &mut [f32]) {
        match reduction {
            Reduction::Sum => out.iter_mut().zip(row).for_each(|(sum, x)| *sum += x),
            Reduction::Max => {
                out.iter_mut().zip(row).for_each(|(best, &x)| *best = if x > *best { x } else { *best });
            }
        }
    }
}

/// The place of the `index`-th element along some dimensions, row-major.
fn place(mut index: usize, extents: &[usize], steps: &[usize]) -> usize {
    let mut place = 0;
    for (&extent, &step) in extents.iter().zip(steps).rev() {
        place += index % extent * step;
        index /= extent;
    }
    place
}

/// The dimensions of a reduction before the last combined one, those behind advance together.
struct Plan {
    /// Extents and distances of those that stay.
    kept: (Extents, Extents),
    /// Extents and distances of those that are combined.
    combined: (Extents, Extents),
    /// Elements behind.
    width: usize,
}

impl Plan {
    fn new(x: &[usize], axes: &[usize]) -> Plan {
        let steps = strides(x);
        let last = axes.iter().max().map_or(0, |axis| axis + 1);
        // Neighbouring dimensions of a kind are one.
        let some = |wanted: bool| {
            let (mut extents, mut distances) = (Extents::default(), Extents::default());
            for axis in (0..last).filter(|axis| axes.contains(axis) == wanted) {
                let joins = axis > 0 && axes.contains(&(axis - 1)) == wanted;
                let so_far = extents.len();
                let keep = if joins { so_far - 1 } else { so_far };
                let before = if joins { extents[keep] } else { 1 };
                let with = |values: &Extents, value: usize| {
                    Extents::from_fn(keep + 1, |at| if at < keep { values[at] } else { value })
                };
                extents = with(&extents, before * x[axis]);
                distances = with(&distances, steps[axis]);
            }
            (extents, distances)
        };
        Plan { kept: some(false), combined: some(true), width: x[last..].iter().product() }
    }
}

pub(super) fn reduce(engine: &EmbeddedEngine, reduction: Reduction, x: &Tensor, axes: &[usize]) -> Tensor {
    let shape =
        Extents::from_fn(x.shape().len(), |axis| if axes.contains(&axis) { 1 } else { x.shape()[axis] });
    let plan = Plan::new(x.shape(), axes);
    let (terms, width) = (plan.combined.0.elements(), plan.width);
    let mut out = engine.fresh(&shape);
    if out.data().is_empty() {
        return out;
    }
    let row = |block: usize, term: usize| {
        let at = block + place(term, &plan.combined.0, &plan.combined.1);
        &x.data()[at..at + width]
    };
    let chunks = terms.div_ceil(REDUCE_CHUNK).max(1);
    tasks::chunks(ELEMENT * x.data().len(), out.data_mut(), width, |index, out| {
        let block = place(index, &plan.kept.0, &plan.kept.1);
        if reduction == Reduction::Max {
            out.copy_from_slice(row(block, 0));
            (1..terms).for_each(|term| combine(engine.isa, reduction, row(block, term), out));
            return;
        }
        let mut parts = Scratch::new(&engine.arena, chunks * width);
        let parts = &mut parts.floats_mut()[..chunks * width];
        tasks::chunks(ELEMENT * terms * width, parts, width, |chunk, sums| {
            sums.fill(0.0);
            let terms = chunk * REDUCE_CHUNK..terms.min((chunk + 1) * REDUCE_CHUNK);
            match sums {
                [sum] => *sum = terms.fold(0.0, |sum, term| sum + row(block, term)[0]),
                sums => terms.for_each(|term| combine(engine.isa, reduction, row(block, term), sums)),
            }
        });
        tree_in_place(parts, width);
        out.copy_from_slice(&parts[..width]);
    });
    out
}
