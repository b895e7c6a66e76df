//! Losses: one value of many, which training makes small.
//!
//! A loss computes its gradient with its value, from the same intermediate results. Terms of several losses are
//! added by [`Tape::add`].

use super::{Node, Operation, Sink, Tape, Var};
use crate::train::engine::{Binary, Engine, Reduction, Unary};
use crate::train::extents::Extents;

/// Softmax of each row: its logarithms, and itself.
struct Rows<T> {
    logarithms: T,
    probabilities: T,
}

/// Softmax over the last dimension; the greatest element is taken off first, so that no power overflows.
fn softmax_rows<E: Engine>(engine: &E, x: &E::Tensor) -> Rows<E::Tensor> {
    let shape = Extents::new(engine.shape(x));
    let last = [shape.len() - 1];
    let spread = |column: &E::Tensor| engine.broadcast(column, &shape);
    let greatest = engine.reduce(Reduction::Max, x, &last);
    let shifted = engine.zip(Binary::Subtract, x, &spread(&greatest));
    let powers = engine.map(Unary::Exp, &shifted);
    let sums = engine.reduce(Reduction::Sum, &powers, &last);
    let logarithms = engine.zip(Binary::Subtract, &shifted, &spread(&engine.map(Unary::Ln, &sums)));
    let probabilities = engine.zip(Binary::Divide, &powers, &spread(&sums));
    Rows { logarithms, probabilities }
}

/// The sum of all elements times `scale`: `[1]`.
fn scaled_sum<E: Engine>(engine: &E, x: &E::Tensor, scale: f32) -> E::Tensor {
    let axes = Extents::from_fn(engine.shape(x).len(), |axis| axis);
    let total = engine.reduce(Reduction::Sum, x, &axes);
    engine.map(Unary::Affine { scale, offset: 0.0 }, &engine.reshape(&total, &[1]))
}

impl<E: Engine> Tape<'_, E> {
    /// Softmax over the last dimension.
    pub fn softmax(&mut self, x: Var) -> Var {
        let value = softmax_rows(self.engine, self.value(x)).probabilities;
        self.push(value, &[x], Operation::Softmax { x })
    }

    /// Mean over the batch of the cross-entropy of softmax(`logits`) `[N,K]` to `targets` `[N,K]`, whose rows
    /// sum to 1. The value has the shape `[1]`.
    pub fn cross_entropy(&mut self, logits: Var, targets: &E::Tensor) -> Var {
        let engine = self.engine;
        let x = self.value(logits);
        let share = 1.0 / engine.shape(x)[0] as f32;
        let Rows { logarithms, probabilities } = softmax_rows(engine, x);
        let mean = scaled_sum(engine, &engine.zip(Binary::Multiply, targets, &logarithms), -share);
        let gradient = engine.zip(Binary::Combine { first: share, second: -share }, &probabilities, targets);
        self.push(mean, &[logits], Operation::Loss { x: logits, gradient })
    }

    /// `weight * temperature^2` times the cross-entropy of softmax(`logits / temperature`) to
    /// softmax(`teacher / temperature`), both `[N,K]`, as mean over the batch: what a network learns of another's
    /// answers. The square keeps its gradient's size beside that of the labels' loss. The value has the shape
    /// `[1]`.
    ///
    /// Source  arXiv:1503.02531 section 2
    pub fn distillation(
        &mut self,
        logits: Var,
        teacher: &E::Tensor,
        (temperature, weight): (f32, f32),
    ) -> Var {
        let engine = self.engine;
        let cooled = |x: &E::Tensor| {
            softmax_rows(engine, &engine.map(Unary::Affine { scale: 1.0 / temperature, offset: 0.0 }, x))
        };
        let x = self.value(logits);
        let share = weight * temperature / engine.shape(x)[0] as f32;
        let (student, teacher) = (cooled(x), cooled(teacher).probabilities);
        let products = engine.zip(Binary::Multiply, &teacher, &student.logarithms);
        let mean = scaled_sum(engine, &products, -share * temperature);
        let combine = Binary::Combine { first: share, second: -share };
        let gradient = engine.zip(combine, &student.probabilities, &teacher);
        self.push(mean, &[logits], Operation::Loss { x: logits, gradient })
    }

    /// Mean over all elements of the squares of `x - targets`. The value has the shape `[1]`.
    pub fn mean_squared_error(&mut self, x: Var, targets: &E::Tensor) -> Var {
        let engine = self.engine;
        let difference = engine.zip(Binary::Subtract, self.value(x), targets);
        let share = 1.0 / engine.shape(&difference).iter().product::<usize>() as f32;
        let mean = scaled_sum(engine, &engine.map(Unary::Square, &difference), share);
        let gradient = engine.map(Unary::Affine { scale: 2.0 * share, offset: 0.0 }, &difference);
        self.push(mean, &[x], Operation::Loss { x, gradient })
    }

    /// Mean over all elements of the cross-entropy of sigmoid(`logits`) to `targets`, each in 0..1:
    /// `max(x, 0) - x t + ln(1 + e^-|x|)`, in which no power overflows. The value has the shape `[1]`.
    pub fn binary_cross_entropy(&mut self, logits: Var, targets: &E::Tensor) -> Var {
        let engine = self.engine;
        let x = self.value(logits);
        let share = 1.0 / engine.shape(x).iter().product::<usize>() as f32;
        let power = engine.map(Unary::Exp, &engine.map(Unary::Negate, &engine.map(Unary::Abs, x)));
        let soft = engine.map(Unary::Ln, &engine.map(Unary::Affine { scale: 1.0, offset: 1.0 }, &power));
        let products = engine.zip(Binary::Multiply, x, targets);
        let hard = engine.zip(Binary::Subtract, &engine.map(Unary::Relu, x), &products);
        let mean = scaled_sum(engine, &engine.zip(Binary::Add, &hard, &soft), share);
        let combine = Binary::Combine { first: share, second: -share };
        let gradient = engine.zip(combine, &engine.map(Unary::Sigmoid, x), targets);
        self.push(mean, &[logits], Operation::Loss { x: logits, gradient })
    }

    /// The gradients of what this file makes.
    pub(super) fn loss_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor, sink: &mut Sink<'_, E>) {
        let engine = self.engine;
        match &node.operation {
            Operation::Loss { x, gradient } => sink.give(*x, || {
                let spread = engine.broadcast(dy, engine.shape(gradient));
                engine.zip(Binary::Multiply, gradient, &spread)
            }),
            Operation::Softmax { x } => sink.give(*x, || {
                // y * (dy - sum of dy * y over the row)
                let y = node.value();
                let shape = Extents::new(engine.shape(y));
                let products = engine.zip(Binary::Multiply, dy, y);
                let sums = engine.reduce(Reduction::Sum, &products, &[shape.len() - 1]);
                let rest = engine.zip(Binary::Subtract, dy, &engine.broadcast(&sums, &shape));
                engine.zip(Binary::Multiply, y, &rest)
            }),
            _ => unreachable!("`node_gradients` asks for losses alone"),
        }
    }
}
