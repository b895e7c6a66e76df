//! The engine's primitives as they are, each with its gradient; what `train::compose` is made of.
//!
//! Operands of [`zip`](Tape::zip) may differ in shape as far as a broadcast mends it; the gradient of what was
//! repeated is the sum over its repetitions.

use super::{Operation, Sink, Tape, Var};
use crate::train::engine::{Binary, Engine, Reduction, Transposed, Unary};
use crate::train::extents::Extents;

/// How several elements of a value become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summary {
    /// Their sum.
    Sum,
    /// Their sum times the reciprocal of their number.
    Mean,
    /// Their greatest.
    Max,
}

/// What the backward pass of a generic operation needs.
#[derive(Debug)]
pub(super) enum Generic<T> {
    Map { x: Var, function: Unary },
    Zip { a: Var, b: Var, function: Binary },
    Broadcast { x: Var },
    Reduce { x: Var, summary: Summary },
    Product { a: Var, b: Var, transposed: Transposed },
    Passed { x: Var },
    PassedWithin { x: Var, tested: Option<T>, low: f32, high: f32 },
    Attenuated { x: Var, factor: f32 },
}

impl<E: Engine> Tape<'_, E> {
    /// A function of each element.
    ///
    /// Shapes    `x [...] -> [...]`
    /// Gradient  `dy f'(x)`. `Abs`: `dy sign(x)`; clamps: `dy` where the result lies between the bounds, 0
    ///           elsewhere; steps (`Sign`, `Round`, `Floor`, `Above`): none at all
    pub fn map(&mut self, function: Unary, x: Var) -> Var {
        let value = self.engine.map(function, self.value(x));
        self.push(value, &[x], Operation::Generic(Generic::Map { x, function }))
    }

    /// A function of each pair of elements, after a broadcast of both to one shape; missing dimensions in front
    /// count as 1.
    ///
    /// Shapes    `a [1 or d0, ...], b [1 or d0, ...] -> [d0, ...]`
    /// Gradient  partial derivatives times `dy`, summed over repetitions. `Max` and `Min`: `dy` to the operand
    ///           that was taken, to `b` of equal ones. `Within`: `dy` to `a` within the bounds, none to `b`
    pub fn zip(&mut self, function: Binary, a: Var, b: Var) -> Var {
        let shape = common(self.engine.shape(self.value(a)), self.engine.shape(self.value(b)));
        let (left, right) = (self.spread(self.value(a), &shape), self.spread(self.value(b), &shape));
        let value = self.engine.zip(function, &left, &right);
        self.push(value, &[a, b], Operation::Generic(Generic::Zip { a, b, function }))
    }

    /// Repeats a value along dimensions of extent 1; see [`Engine::broadcast`].
    ///
    /// Shapes    `x [1 or d0, ...] -> [d0, ...]`
    /// Gradient  the sum of `dy` over repetitions
    pub fn broadcast(&mut self, x: Var, shape: &[usize]) -> Var {
        let value = self.engine.broadcast(self.value(x), shape);
        self.push(value, &[x], Operation::Generic(Generic::Broadcast { x }))
    }

    /// Combines all elements along some dimensions, whose extents become 1.
    ///
    /// Shapes    `x [d0, d1, ...] -> [1 or d0, 1 or d1, ...]`
    /// Gradient  `Sum`: `dy` to each; `Mean`: `dy` by their number to each; `Max`: `dy` in equal shares to those
    ///           that are the greatest
    pub fn reduce(&mut self, summary: Summary, x: Var, axes: &[usize]) -> Var {
        let reduction = if summary == Summary::Max { Reduction::Max } else { Reduction::Sum };
        let whole = self.engine.reduce(reduction, self.value(x), axes);
        let value = match summary {
            Summary::Sum | Summary::Max => whole,
            Summary::Mean => self.affine(&whole, self.mean_factor(x, &whole), 0.0),
        };
        self.push(value, &[x], Operation::Generic(Generic::Reduce { x, summary }))
    }

    /// Matrix product.
    ///
    /// Shapes    `a [M,K], b [K,N] (before transposition) -> [M,N]`
    /// Gradient  `dy b^T` and `a^T dy`, transposed as the operands are
    pub fn product(&mut self, a: Var, b: Var, transposed: Transposed) -> Var {
        let value = self.engine.gemm(self.value(a), self.value(b), transposed, None);
        self.push(value, &[a, b], Operation::Generic(Generic::Product { a, b, transposed }))
    }

    /// A value as a constant.
    ///
    /// Gradient  none
    pub fn stop_gradient(&mut self, x: Var) -> Var {
        let value = self.value(x).clone();
        self.constant(value)
    }

    /// Any `value` with the shape of `x` in its place.
    ///
    /// Gradient  `dy` to `x`: the surrogate is `x` plus a constant
    /// Source    arXiv:1308.3432
    pub fn straight_through_value(&mut self, x: Var, value: E::Tensor) -> Var {
        assert_eq!(
            self.engine.shape(&value),
            self.engine.shape(self.value(x)),
            "a value in place of another"
        );
        self.push(value, &[x], Operation::Generic(Generic::Passed { x }))
    }

    /// Any `value` in the place of `x`, straight through within a range alone, of `x` or of another tensor that
    /// is `tested` in its stead.
    ///
    /// Shapes    `x [...], value [...], tested [...] -> [...]`, all equal
    /// Gradient  `dy` to `x` where `low <= x <= high`, or `low <= tested <= high`; 0 elsewhere
    /// Source    arXiv:1602.02830 section 1.3
    pub fn straight_through_within(
        &mut self,
        x: Var,
        value: E::Tensor,
        tested: Option<E::Tensor>,
        (low, high): (f32, f32),
    ) -> Var {
        assert_eq!(
            self.engine.shape(&value),
            self.engine.shape(self.value(x)),
            "a value in place of another"
        );
        let (low, high) = (low.next_down(), high.next_up());
        self.push(value, &[x], Operation::Generic(Generic::PassedWithin { x, tested, low, high }))
    }

    /// A value as it is, whose gradient is scaled.
    ///
    /// Gradient  `factor dy`
    pub fn attenuated(&mut self, x: Var, factor: f32) -> Var {
        let value = self.value(x).clone();
        self.push(value, &[x], Operation::Generic(Generic::Attenuated { x, factor }))
    }

    /// A tensor under a greater shape.
    fn spread(&self, x: &E::Tensor, shape: &[usize]) -> E::Tensor {
        if self.engine.shape(x) == shape { x.clone() } else { self.engine.broadcast(x, shape) }
    }

    /// What was spread from `x`, summed back to its shape: over the last dimension after the others, since whole
    /// rows advance together.
    fn gathered(&self, dy: &E::Tensor, x: Var) -> E::Tensor {
        let (wanted, found) = (self.engine.shape(self.value(x)), self.engine.shape(dy));
        if wanted == found {
            return dy.clone();
        }
        let (missing, last) = (found.len() - wanted.len(), found.len() - 1);
        let repeated = |axis: usize| axis < missing || wanted[axis - missing] != found[axis];
        let mut axes = Extents::default();
        (0..last).filter(|&axis| repeated(axis)).for_each(|axis| axes.push(axis));
        let mut sum = dy.clone();
        for axes in [&axes[..], &[last][..usize::from(repeated(last))]] {
            if !axes.is_empty() {
                sum = self.engine.reduce(Reduction::Sum, &sum, axes);
            }
        }
        self.engine.reshape(&sum, wanted)
    }

    /// One by the number of elements of `x` for each of its reduced form.
    fn mean_factor(&self, x: Var, reduced: &E::Tensor) -> f32 {
        let count = |tensor| self.engine.shape(tensor).iter().product::<usize>();
        count(reduced) as f32 / count(self.value(x)) as f32
    }

    fn affine(&self, x: &E::Tensor, scale: f32, offset: f32) -> E::Tensor {
        self.engine.map(Unary::Affine { scale, offset }, x)
    }

    fn times(&self, a: &E::Tensor, b: &E::Tensor) -> E::Tensor {
        self.engine.zip(Binary::Multiply, a, b)
    }

    /// The gradients of what this file makes.
    pub(super) fn generic_gradients(
        &self,
        generic: &Generic<E::Tensor>,
        y: &E::Tensor,
        dy: &E::Tensor,
        sink: &mut Sink<'_, E>,
    ) {
        let engine = self.engine;
        match generic {
            Generic::Map {
                function: Unary::Sign | Unary::Round | Unary::Floor | Unary::Above { .. },
                ..
            } => {}
            Generic::Map { x, function } => sink.give(*x, || self.slope(*function, *x, y, dy)),
            Generic::Zip { a, b, function } => self.pair_gradients((*a, *b), *function, (y, dy), sink),
            Generic::Broadcast { x } => sink.give(*x, || self.gathered(dy, *x)),
            Generic::Reduce { x, summary } => sink.give(*x, || self.summary_gradient(*summary, *x, y, dy)),
            Generic::Product { a, b, transposed } => {
                let Transposed { a: left, b: right } = *transposed;
                let (first, second) = (self.value(*a), self.value(*b));
                let product =
                    |x: &E::Tensor, y: &E::Tensor, a, b| engine.gemm(x, y, Transposed { a, b }, None);
                sink.give(*a, || match left {
                    false => product(dy, second, false, !right),
                    true => product(second, dy, right, true),
                });
                sink.give(*b, || match right {
                    false => product(first, dy, !left, false),
                    true => product(dy, first, true, left),
                });
            }
            Generic::Passed { x } => sink.give(*x, || dy.clone()),
            Generic::PassedWithin { x, tested, low, high } => sink.give(*x, || {
                let tested = tested.as_ref().unwrap_or(self.value(*x));
                engine.zip(Binary::Within { low: *low, high: *high }, dy, tested)
            }),
            Generic::Attenuated { x, factor } => sink.give(*x, || self.affine(dy, *factor, 0.0)),
        }
    }

    /// The gradient of the input of `y = function(x)`.
    fn slope(&self, function: Unary, x: Var, y: &E::Tensor, dy: &E::Tensor) -> E::Tensor {
        let (engine, x) = (self.engine, self.value(x));
        let within = |low, high| engine.zip(Binary::Within { low, high }, dy, y);
        match function {
            Unary::Negate => engine.map(Unary::Negate, dy),
            Unary::Abs => self.times(dy, &engine.map(Unary::Sign, x)),
            Unary::Relu => within(0.0, f32::INFINITY),
            Unary::Relu6 => within(0.0, 6.0),
            Unary::Clamp { low, high } => within(low, high),
            Unary::Exp => self.times(dy, y),
            Unary::Ln => engine.zip(Binary::Divide, dy, x),
            Unary::Sqrt => engine.zip(Binary::Divide, &self.affine(dy, 0.5, 0.0), y),
            Unary::Reciprocal => self.times(&engine.map(Unary::Negate, dy), &engine.map(Unary::Square, y)),
            Unary::Square => self.times(&self.affine(dy, 2.0, 0.0), x),
            Unary::Tanh => self.times(dy, &self.affine(&engine.map(Unary::Square, y), -1.0, 1.0)),
            Unary::Sigmoid => self.times(dy, &self.times(y, &self.affine(y, -1.0, 1.0))),
            Unary::Affine { scale, .. } => self.affine(dy, scale, 0.0),
            Unary::Sign | Unary::Round | Unary::Floor | Unary::Above { .. } => {
                unreachable!("`generic_gradients` asks for no slope of a step")
            }
        }
    }

    /// The gradients of the operands of `y = function(a, b)`.
    fn pair_gradients(
        &self,
        (a, b): (Var, Var),
        function: Binary,
        (y, dy): (&E::Tensor, &E::Tensor),
        sink: &mut Sink<'_, E>,
    ) {
        let engine = self.engine;
        let wide = |x: Var| self.spread(self.value(x), engine.shape(dy));
        let by = |factor: f32| if factor == 1.0 { dy.clone() } else { self.affine(dy, factor, 0.0) };
        let mut linear = |first: f32, second: f32| {
            sink.give(a, || self.gathered(&by(first), a));
            sink.give(b, || self.gathered(&by(second), b));
        };
        match function {
            Binary::Add => linear(1.0, 1.0),
            Binary::Subtract => linear(1.0, -1.0),
            Binary::Combine { first, second } => linear(first, second),
            Binary::Multiply => {
                sink.give(a, || self.gathered(&self.times(dy, &wide(b)), a));
                sink.give(b, || self.gathered(&self.times(dy, &wide(a)), b));
            }
            Binary::Divide => {
                let quotient = engine.zip(Binary::Divide, dy, &wide(b));
                sink.give(a, || self.gathered(&quotient, a));
                let slope = || self.times(&engine.map(Unary::Negate, &quotient), y);
                sink.give(b, || self.gathered(&slope(), b));
            }
            Binary::Max | Binary::Min => {
                let (first, second) = if function == Binary::Max { (a, b) } else { (b, a) };
                let lead = engine.zip(Binary::Subtract, &wide(first), &wide(second));
                let taken = self.times(dy, &engine.map(Unary::Above { threshold: 0.0 }, &lead));
                sink.give(a, || self.gathered(&taken, a));
                sink.give(b, || self.gathered(&engine.zip(Binary::Subtract, dy, &taken), b));
            }
            Binary::AddClamped { low, high } => {
                let through = engine.zip(Binary::Within { low, high }, dy, y);
                sink.give(a, || self.gathered(&through, a));
                sink.give(b, || self.gathered(&through, b));
            }
            Binary::Within { low, high } => {
                let through = || engine.zip(Binary::Within { low, high }, dy, &wide(b));
                sink.give(a, || self.gathered(&through(), a));
            }
        }
    }

    /// The gradient of the input of a reduction.
    fn summary_gradient(&self, summary: Summary, x: Var, y: &E::Tensor, dy: &E::Tensor) -> E::Tensor {
        let (engine, input) = (self.engine, self.value(x));
        let shape = engine.shape(input);
        match summary {
            Summary::Sum => self.spread(dy, shape),
            Summary::Mean => self.spread(&self.affine(dy, self.mean_factor(x, dy), 0.0), shape),
            Summary::Max => {
                let below = engine.zip(Binary::Subtract, &self.spread(y, shape), input);
                let below = engine.map(Unary::Above { threshold: 0.0 }, &below);
                let greatest = self.affine(&below, -1.0, 1.0);
                let mut axes = Extents::default();
                let found = engine.shape(y);
                (0..shape.len()).filter(|&at| found[at] != shape[at]).for_each(|at| axes.push(at));
                let count = engine.reduce(Reduction::Sum, &greatest, &axes);
                let part = engine.zip(Binary::Divide, dy, &count);
                self.times(&greatest, &self.spread(&part, shape))
            }
        }
    }
}

/// The shape that two shapes have in common after a broadcast of both.
fn common(a: &[usize], b: &[usize]) -> Extents {
    let rank = a.len().max(b.len());
    let extent = |shape: &[usize], at: usize| match (at + shape.len()).checked_sub(rank) {
        Some(own) => shape[own],
        None => 1,
    };
    Extents::from_fn(rank, |at| {
        let (a, b) = (extent(a, at), extent(b, at));
        if a == 1 { b } else { a }
    })
}
