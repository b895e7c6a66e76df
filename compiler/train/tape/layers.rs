//! Layers with parameters, and pools.

use super::{Node, Operation, Sink, Tape, Var};
use crate::ops::{Clamp, Window};
use crate::train::engine::{Engine, Normalization, Transposed};

impl<E: Engine> Tape<'_, E> {
    /// Convolution; see [`Engine::conv2d`].
    pub fn conv2d(&mut self, x: Var, w: Var, b: Var, window: &Window) -> Var {
        let value = self.engine.conv2d(self.value(x), self.value(w), Some(self.value(b)), window);
        self.push(value, &[x, w, b], Operation::Conv2d { x, w, b, window: *window })
    }

    /// Transposed convolution without bias: what [`conv2d`](Tape::conv2d) by the same weights and window does to
    /// gradients. x `[N,Ho,Wo,O]`, w `[O,Kh,Kw,C]` to `[N,H,W,C]`, where the window makes `[Ho,Wo]` of `[H,W]`.
    pub fn conv2d_transposed(&mut self, x: Var, w: Var, window: &Window, output: [usize; 2]) -> Var {
        let value = self.engine.conv2d_input_gradient(self.value(x), self.value(w), window, output);
        self.push(value, &[x, w], Operation::Conv2dTransposed { x, w, window: *window })
    }

    /// Depthwise convolution; see [`Engine::depthwise_conv2d`].
    pub fn depthwise_conv2d(&mut self, x: Var, w: Var, b: Var, window: &Window) -> Var {
        let value = self.engine.depthwise_conv2d(self.value(x), self.value(w), Some(self.value(b)), window);
        self.push(value, &[x, w, b], Operation::DepthwiseConv2d { x, w, b, window: *window })
    }

    /// Dense layer: x `[N,I]`, w `[O,I]`, b `[O]` to `[N,O]`.
    pub fn dense(&mut self, x: Var, w: Var, b: Var) -> Var {
        let transposed = Transposed { a: false, b: true };
        let value = self.engine.gemm(self.value(x), self.value(w), transposed, Some(self.value(b)));
        self.push(value, &[x, w, b], Operation::Dense { x, w, b })
    }

    /// Batch normalisation by the statistics of the batch, which are returned too: mean and biased variance;
    /// then the clamp.
    pub fn batch_norm(
        &mut self,
        x: Var,
        gamma: Var,
        beta: Var,
        (epsilon, clamp): (f32, Clamp),
    ) -> (Var, (E::Tensor, E::Tensor)) {
        let (mean, variance) = self.engine.batch_statistics(self.value(x));
        let (factor, offset) = (self.value(gamma), self.value(beta));
        let by = Normalization { mean: &mean, variance: &variance, gamma: factor, beta: offset, epsilon };
        let value = self.engine.batch_norm(self.value(x), &by, clamp);
        let statistics = (mean.clone(), variance.clone());
        let operation = Operation::BatchNorm { x, gamma, beta, mean, variance, epsilon, clamp };
        (self.push(value, &[x, gamma, beta], operation), statistics)
    }

    /// Mean of windows; see [`Engine::avg_pool2d`].
    pub fn avg_pool2d(&mut self, x: Var, window: &Window) -> Var {
        let value = self.engine.avg_pool2d(self.value(x), window);
        self.push(value, &[x], Operation::AvgPool2d { x, window: *window })
    }

    /// Greatest of windows; see [`Engine::max_pool2d`].
    pub fn max_pool2d(&mut self, x: Var, window: &Window) -> Var {
        let value = self.engine.max_pool2d(self.value(x), window);
        self.push(value, &[x], Operation::MaxPool2d { x, window: *window })
    }

    /// The gradients of what this file makes.
    pub(super) fn layer_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor, sink: &mut Sink<'_, E>) {
        let engine = self.engine;
        match &node.operation {
            Operation::Conv2d { x, w, b, window } => {
                sink.give(*x, || engine.conv2d_input_gradient(dy, self.value(*w), window, self.extent(*x)));
                sink.give(*w, || engine.conv2d_weight_gradient(dy, self.value(*x), window));
                sink.give(*b, || self.column_sums(dy));
            }
            Operation::Conv2dTransposed { x, w, window } => {
                sink.give(*x, || engine.conv2d(dy, self.value(*w), None, window));
                sink.give(*w, || engine.conv2d_weight_gradient(self.value(*x), dy, window));
            }
            Operation::DepthwiseConv2d { x, w, b, window } => {
                let input = self.extent(*x);
                sink.give(*x, || engine.depthwise_conv2d_input_gradient(dy, self.value(*w), window, input));
                sink.give(*w, || engine.depthwise_conv2d_weight_gradient(dy, self.value(*x), window));
                sink.give(*b, || self.column_sums(dy));
            }
            Operation::Dense { x, w, b } => {
                sink.give(*x, || engine.gemm(dy, self.value(*w), Transposed::default(), None));
                let transposed = Transposed { a: true, b: false };
                sink.give(*w, || engine.gemm(dy, self.value(*x), transposed, None));
                sink.give(*b, || self.column_sums(dy));
            }
            Operation::BatchNorm { x, gamma, beta, mean, variance, epsilon, clamp } => {
                let (factor, offset) = (self.value(*gamma), self.value(*beta));
                let by = Normalization { mean, variance, gamma: factor, beta: offset, epsilon: *epsilon };
                let gradient = engine.batch_norm_gradient(dy, self.value(*x), &by, *clamp);
                sink.give(*x, || gradient.x);
                sink.give(*gamma, || gradient.gamma);
                sink.give(*beta, || gradient.beta);
            }
            Operation::AvgPool2d { x, window } => {
                sink.give(*x, || engine.avg_pool2d_gradient(dy, window, self.extent(*x)));
            }
            Operation::MaxPool2d { x, window } => {
                sink.give(*x, || engine.max_pool2d_gradient(dy, self.value(*x), window));
            }
            _ => unreachable!("`node_gradients` asks for layers alone"),
        }
    }
}
