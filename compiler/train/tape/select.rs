//! Parts, orders and picks of the elements of a value. Together with `structure.rs` all that moves elements.

use std::sync::Arc;

use super::{Operation, Sink, Tape, Var};
use crate::train::engine::Engine;
use crate::train::extents::Extents;

/// What the backward pass of such an operation needs.
#[derive(Debug)]
pub(super) enum Select {
    Slice { x: Var, start: Extents },
    Permute { x: Var, axes: Extents },
    Gather { x: Var, axis: usize, indices: Arc<[u32]> },
    ScatterAdd { x: Var, axis: usize, indices: Arc<[u32]> },
}

impl<E: Engine> Tape<'_, E> {
    /// The block that starts at `start`.
    ///
    /// Shapes    `x [...]` -> extent
    /// Gradient  `dy` at the block's place among zeros
    pub fn slice(&mut self, x: Var, start: &[usize], extent: &[usize]) -> Var {
        let value = self.engine.slice(self.value(x), start, extent);
        self.push(value, &[x], Operation::Select(Select::Slice { x, start: Extents::new(start) }))
    }

    /// Dimension `i` of the result is dimension `axes[i]` of `x`.
    ///
    /// Gradient  `dy` with its dimensions put back
    pub fn permute(&mut self, x: Var, axes: &[usize]) -> Var {
        let value = self.engine.permute(self.value(x), axes);
        self.push(value, &[x], Operation::Select(Select::Permute { x, axes: Extents::new(axes) }))
    }

    /// Picks indices along one dimension, which gets the extent `indices.len()`; an index may come again.
    ///
    /// Gradient  slices of `dy`, each added to where it was picked
    pub fn gather(&mut self, x: Var, axis: usize, indices: &Arc<[u32]>) -> Var {
        let value = self.engine.gather(self.value(x), axis, indices);
        let indices = Arc::clone(indices);
        self.push(value, &[x], Operation::Select(Select::Gather { x, axis, indices }))
    }

    /// Slice `i` of `x` is added to slice `indices[i]` of zeros whose dimension `axis` has this extent.
    ///
    /// Gradient  slices of `dy`, each picked from where it was added
    pub fn scatter_add(&mut self, x: Var, axis: usize, indices: &Arc<[u32]>, extent: usize) -> Var {
        let value = self.engine.scatter_add(self.value(x), axis, indices, extent);
        let indices = Arc::clone(indices);
        self.push(value, &[x], Operation::Select(Select::ScatterAdd { x, axis, indices }))
    }

    /// The gradients of what this file makes.
    pub(super) fn select_gradients(&self, select: &Select, dy: &E::Tensor, sink: &mut Sink<'_, E>) {
        let engine = self.engine;
        match select {
            Select::Slice { x, start } => sink.give(*x, || {
                let (whole, part) = (engine.shape(self.value(*x)), engine.shape(dy));
                let after = Extents::from_fn(part.len(), |at| whole[at] - start[at] - part[at]);
                engine.pad(dy, start, &after, 0.0)
            }),
            Select::Permute { x, axes } => sink.give(*x, || {
                let place = |wanted| axes.iter().position(|&axis| axis == wanted);
                let back = Extents::from_fn(axes.len(), |axis| place(axis).expect("a permutation"));
                engine.permute(dy, &back)
            }),
            Select::Gather { x, axis, indices } => {
                sink.give(*x, || engine.scatter_add(dy, *axis, indices, engine.shape(self.value(*x))[*axis]))
            }
            Select::ScatterAdd { x, axis, indices } => {
                sink.give(*x, || engine.gather(dy, *axis, indices));
            }
        }
    }
}
