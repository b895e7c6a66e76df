//! What moves elements and does not change them.

use super::{Node, Operation, Sink, Tape, Var};
use crate::train::engine::Engine;
use crate::train::extents::Extents;

/// Branches that most concatenations have at most.
const FEW: usize = 8;

impl<E: Engine> Tape<'_, E> {
    /// Values one behind the other along the last dimension.
    pub fn concat(&mut self, xs: &[Var]) -> Var {
        let last = self.engine.shape(self.value(xs[0])).len() - 1;
        self.concat_along(xs, last)
    }

    /// Values one behind the other along a dimension; each takes its part of the gradient.
    pub fn concat_along(&mut self, xs: &[Var], axis: usize) -> Var {
        let value = if xs.len() <= FEW {
            // Without a list on the heap: every step comes here.
            let mut few = [self.value(xs[0]); FEW];
            few.iter_mut().zip(xs).for_each(|(value, &x)| *value = self.value(x));
            self.engine.concat(&few[..xs.len()], axis)
        } else {
            self.engine.concat(&xs.iter().map(|&x| self.value(x)).collect::<Vec<&E::Tensor>>(), axis)
        };
        let start = self.lists.len();
        self.lists.extend_from_slice(xs);
        self.push(value, xs, Operation::Concat { start, end: start + xs.len(), axis })
    }

    /// Zeros before and behind each dimension.
    pub fn pad(&mut self, x: Var, before: &[usize], after: &[usize]) -> Var {
        self.pad_with(x, before, after, 0.0)
    }

    /// A value before and behind each dimension; the gradient is cut back.
    pub fn pad_with(&mut self, x: Var, before: &[usize], after: &[usize], value: f32) -> Var {
        let value = self.engine.pad(self.value(x), before, after, value);
        self.push(value, &[x], Operation::Pad { x, before: Extents::new(before) })
    }

    /// Every pixel of a map repeated down and to the right.
    pub fn upsample2d(&mut self, x: Var, factor: [usize; 2]) -> Var {
        let [rows, columns] = self.repetitions(x, factor);
        let taller = self.engine.gather(self.value(x), 1, &rows);
        let value = self.engine.gather(&taller, 2, &columns);
        self.push(value, &[x], Operation::Upsample2d { x, factor })
    }

    /// For each row and each column of the larger map those of `x`.
    fn repetitions(&self, x: Var, factor: [usize; 2]) -> [Vec<u32>; 2] {
        let extent = self.extent(x);
        [0, 1].map(|axis| (0..extent[axis] * factor[axis]).map(|at| (at / factor[axis]) as u32).collect())
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: Var, shape: &[usize]) -> Var {
        let value = self.engine.reshape(self.value(x), shape);
        self.push(value, &[x], Operation::Reshape { x })
    }

    /// The gradients of what this file makes.
    pub(super) fn structure_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor, sink: &mut Sink<'_, E>) {
        let engine = self.engine;
        match &node.operation {
            Operation::Concat { start, end, axis } => {
                let mut passed = 0;
                for &x in &self.lists[*start..*end] {
                    let extent = engine.shape(self.value(x));
                    let place = Extents::from_fn(extent.len(), |at| if at == *axis { passed } else { 0 });
                    sink.give(x, || engine.slice(dy, &place, extent));
                    passed += extent[*axis];
                }
            }
            Operation::Pad { x, before } => {
                sink.give(*x, || engine.slice(dy, before, engine.shape(self.value(*x))));
            }
            Operation::Upsample2d { x, factor } => sink.give(*x, || {
                let [rows, columns] = self.repetitions(*x, *factor);
                let [height, width] = self.extent(*x);
                engine.scatter_add(&engine.scatter_add(dy, 2, &columns, width), 1, &rows, height)
            }),
            Operation::Reshape { x } => {
                sink.give(*x, || engine.reshape(dy, engine.shape(self.value(*x))));
            }
            _ => unreachable!("`node_gradients` asks for structure alone"),
        }
    }
}
