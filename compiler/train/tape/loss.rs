//! Losses: one value of many, which training makes small.

use super::{Node, Operation, Sink, Tape, Var};
use crate::train::engine::{Binary, Engine, Reduction, Unary};

impl<E: Engine> Tape<'_, E> {
    /// Mean over the batch of the cross-entropy of softmax(`logits`) `[N,K]` to `targets` `[N,K]`, whose rows
    /// sum to 1. The value has the shape `[1]`.
    pub fn cross_entropy(&mut self, logits: Var, targets: &E::Tensor) -> Var {
        let engine = self.engine;
        let x = self.value(logits);
        let shape = engine.shape(x).to_vec();
        let spread = |column: &E::Tensor| engine.broadcast(column, &shape);
        let greatest = engine.reduce(Reduction::Max, x, &[1]);
        let shifted = engine.zip(Binary::Subtract, x, &spread(&greatest));
        let powers = engine.map(Unary::Exp, &shifted);
        let sums = engine.reduce(Reduction::Sum, &powers, &[1]);
        let logarithms = engine.zip(Binary::Subtract, &shifted, &spread(&engine.map(Unary::Ln, &sums)));
        let probabilities = engine.zip(Binary::Divide, &powers, &spread(&sums));
        let share = 1.0 / shape[0] as f32;
        let total =
            engine.reduce(Reduction::Sum, &engine.zip(Binary::Multiply, targets, &logarithms), &[0, 1]);
        let mean = engine.map(Unary::Affine { scale: -share, offset: 0.0 }, &engine.reshape(&total, &[1]));
        let gradient = engine.zip(Binary::Combine { first: share, second: -share }, &probabilities, targets);
        self.push(mean, &[logits], Operation::CrossEntropy { logits, gradient })
    }

    /// The gradients of what this file makes.
    pub(super) fn loss_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor, sink: &mut Sink<'_, E>) {
        let engine = self.engine;
        match &node.operation {
            Operation::CrossEntropy { logits, gradient } => {
                let spread = engine.broadcast(dy, engine.shape(gradient));
                sink.give(*logits, || engine.zip(Binary::Multiply, gradient, &spread));
            }
            _ => unreachable!("`node_gradients` asks for losses alone"),
        }
    }
}
