//! Functions of one and two elements.

use super::{Node, Operation, Sink, Tape, Var};
use crate::ops::{Clamp, CurveFunction};
use crate::train::engine::{Binary, Engine, Reduction, Unary};

impl<E: Engine> Tape<'_, E> {
    /// `max(x, 0)`.
    pub fn relu(&mut self, x: Var) -> Var {
        let value = self.engine.map(Unary::Relu, self.value(x));
        self.push(value, &[x], Operation::Clamp { x, low: 0.0, high: f32::INFINITY })
    }

    /// `min(max(x, 0), 6)`.
    pub fn relu6(&mut self, x: Var) -> Var {
        let value = self.engine.map(Unary::Relu6, self.value(x));
        self.push(value, &[x], Operation::Clamp { x, low: 0.0, high: 6.0 })
    }

    /// Sum of two values of one shape.
    pub fn add(&mut self, a: Var, b: Var) -> Var {
        let value = self.engine.zip(Binary::Add, self.value(a), self.value(b));
        self.push(value, &[a, b], Operation::Add { a, b })
    }

    /// Sum of two values of one shape, clamped: a residual with its activation.
    pub fn add_clamped(&mut self, a: Var, b: Var, clamp: Clamp) -> Var {
        let (low, high) = clamp.bounds();
        let value = self.engine.zip(Binary::AddClamped { low, high }, self.value(a), self.value(b));
        self.push(value, &[a, b], Operation::AddClamped { a, b, low, high })
    }

    /// Product of two values: of one shape, or `a [N,H,W,C]` by `b [N,C]` or `[N,1,1,C]`, one factor for each
    /// channel.
    pub fn mul(&mut self, a: Var, b: Var) -> Var {
        let factors = self.by_element(a, b);
        let value = self.engine.zip(Binary::Multiply, self.value(a), &factors);
        self.push(value, &[a, b], Operation::Mul { a, b })
    }

    /// The factor of each element of `a` in a product.
    fn by_element(&self, a: Var, b: Var) -> E::Tensor {
        let (wanted, found) = (self.engine.shape(self.value(a)), self.engine.shape(self.value(b)));
        if wanted == found {
            return self.value(b).clone();
        }
        let row = self.engine.reshape(self.value(b), &[wanted[0], 1, 1, wanted[3]]);
        self.engine.broadcast(&row, wanted)
    }

    /// An activation that is no clamp.
    pub fn curve(&mut self, x: Var, function: CurveFunction) -> Var {
        let value = match function {
            CurveFunction::Hswish => self.engine.zip(Binary::Multiply, self.value(x), &self.share(x)),
            CurveFunction::Hsigmoid => self.share(x),
            CurveFunction::Sigmoid => self.engine.map(Unary::Sigmoid, self.value(x)),
        };
        self.push(value, &[x], Operation::Curve { x, function })
    }

    /// `min(max(x + 3, 0), 6) / 6`.
    fn share(&self, x: Var) -> E::Tensor {
        let clamped = self.engine.map(Unary::Clamp { low: -3.0, high: 3.0 }, self.value(x));
        self.engine.map(Unary::Affine { scale: 1.0 / 6.0, offset: 0.5 }, &clamped)
    }

    /// The gradient of a curve's input.
    fn curve_gradient(&self, x: Var, y: &E::Tensor, function: CurveFunction, dy: &E::Tensor) -> E::Tensor {
        let engine = self.engine;
        let multiply = |a: &E::Tensor, b: &E::Tensor| engine.zip(Binary::Multiply, a, b);
        // What comes through the share of an element: a sixth of it between the bends.
        let through = |dy: &E::Tensor| {
            let sixth = engine.map(Unary::Affine { scale: 1.0 / 6.0, offset: 0.0 }, dy);
            engine.zip(Binary::Within { low: -3.0, high: 3.0 }, &sixth, self.value(x))
        };
        match function {
            CurveFunction::Hsigmoid => through(dy),
            CurveFunction::Hswish => {
                let inner = through(&multiply(dy, self.value(x)));
                engine.zip(Binary::Add, &multiply(dy, &self.share(x)), &inner)
            }
            CurveFunction::Sigmoid => {
                let rest = engine.map(Unary::Affine { scale: -1.0, offset: 1.0 }, y);
                multiply(dy, &multiply(y, &rest))
            }
        }
    }

    /// Each element times its factor, which is no value of the tape.
    pub fn scaled(&mut self, x: Var, factors: E::Tensor) -> Var {
        let value = self.engine.zip(Binary::Multiply, self.value(x), &factors);
        self.push(value, &[x], Operation::Scaled { x, factors })
    }

    /// A function forward, the identity backward.
    ///
    /// Source  arXiv:1308.3432
    pub fn straight_through(&mut self, function: Unary, x: Var) -> Var {
        let value = self.engine.map(function, self.value(x));
        self.push(value, &[x], Operation::StraightThrough { x })
    }

    /// The gradient of a product's second factor, summed over the elements that it goes with.
    fn factor_gradient(&self, a: Var, b: Var, dy: &E::Tensor) -> E::Tensor {
        let each = self.engine.zip(Binary::Multiply, dy, self.value(a));
        let (wanted, found) = (self.engine.shape(self.value(b)), self.engine.shape(self.value(a)));
        if wanted == found {
            return each;
        }
        self.engine.reshape(&self.engine.reduce(Reduction::Sum, &each, &[1, 2]), wanted)
    }

    /// The gradients of what this file makes.
    pub(super) fn element_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor, sink: &mut Sink<'_, E>) {
        let engine = self.engine;
        match &node.operation {
            Operation::Clamp { x, low, high } => {
                let within = Binary::Within { low: *low, high: *high };
                sink.give(*x, || engine.zip(within, dy, node.value()));
            }
            Operation::Add { a, b } => {
                sink.give(*a, || dy.clone());
                sink.give(*b, || dy.clone());
            }
            Operation::AddClamped { a, b, low, high } => {
                let through = engine.zip(Binary::Within { low: *low, high: *high }, dy, node.value());
                sink.give(*a, || through.clone());
                sink.give(*b, || through);
            }
            Operation::Mul { a, b } => {
                sink.give(*a, || engine.zip(Binary::Multiply, dy, &self.by_element(*a, *b)));
                sink.give(*b, || self.factor_gradient(*a, *b, dy));
            }
            Operation::Curve { x, function } => {
                sink.give(*x, || self.curve_gradient(*x, node.value(), *function, dy));
            }
            Operation::Scaled { x, factors } => sink.give(*x, || engine.zip(Binary::Multiply, dy, factors)),
            Operation::StraightThrough { x } => sink.give(*x, || dy.clone()),
            _ => unreachable!("`node_gradients` asks for functions of elements alone"),
        }
    }
}
