//! Reverse-mode automatic differentiation over the primitives of an [`Engine`].
//!
//! In: leaves and operations, in the order of computation. Out: values, and the gradient of one of them with
//! respect to every variable. A tape serves one forward and one backward pass. Gradients that arrive at a value
//! from several users are added from the last user to the first.

use crate::ops::{CurveFunction, Window};
use crate::train::engine::{Binary, Engine, Normalization, Reduction, Transposed, Unary};

/// A value on a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var(usize);

/// How a value came to be; what its backward pass needs.
#[derive(Debug)]
enum Operation<T> {
    Leaf,
    Conv2d { x: Var, w: Var, b: Var, window: Window },
    DepthwiseConv2d { x: Var, w: Var, b: Var, window: Window },
    Dense { x: Var, w: Var, b: Var },
    BatchNorm { x: Var, gamma: Var, beta: Var, mean: T, variance: T, epsilon: f32 },
    Clamp { x: Var, low: f32, high: f32 },
    Add { a: Var, b: Var },
    Mul { a: Var, b: Var },
    Curve { x: Var, function: CurveFunction },
    Scaled { x: Var, factors: T },
    Concat { xs: Vec<Var> },
    Pad { x: Var, before: Vec<usize> },
    Upsample2d { x: Var, factor: [usize; 2] },
    AvgPool2d { x: Var, window: Window },
    MaxPool2d { x: Var, window: Window },
    Reshape { x: Var },
    StraightThrough { x: Var },
    CrossEntropy { logits: Var, gradient: T },
}

#[derive(Debug)]
struct Node<T> {
    value: T,
    operation: Operation<T>,
    /// Whether a variable is among what it was computed from.
    tracked: bool,
}

/// A record of what was computed.
#[derive(Debug)]
pub struct Tape<'e, E: Engine> {
    engine: &'e E,
    nodes: Vec<Node<E::Tensor>>,
}

/// The gradient of one value with respect to the others.
#[derive(Debug)]
pub struct Gradients<T>(Vec<Option<T>>);

impl<T> Gradients<T> {
    /// The gradient with respect to a value; `None` where it has no influence or is no variable.
    pub fn get(&self, var: Var) -> Option<&T> {
        self.0[var.0].as_ref()
    }
}

impl<'e, E: Engine> Tape<'e, E> {
    /// An empty tape.
    pub fn new(engine: &'e E) -> Tape<'e, E> {
        Tape { engine, nodes: Vec::new() }
    }

    /// The engine that computes.
    pub fn engine(&self) -> &'e E {
        self.engine
    }

    /// The value of a variable.
    pub fn value(&self, var: Var) -> &E::Tensor {
        &self.nodes[var.0].value
    }

    /// A leaf that wants a gradient.
    pub fn variable(&mut self, value: E::Tensor) -> Var {
        self.nodes.push(Node { value, operation: Operation::Leaf, tracked: true });
        Var(self.nodes.len() - 1)
    }

    /// A leaf without a gradient.
    pub fn constant(&mut self, value: E::Tensor) -> Var {
        self.nodes.push(Node { value, operation: Operation::Leaf, tracked: false });
        Var(self.nodes.len() - 1)
    }

    fn push(&mut self, value: E::Tensor, inputs: &[Var], operation: Operation<E::Tensor>) -> Var {
        let tracked = inputs.iter().any(|input| self.nodes[input.0].tracked);
        self.nodes.push(Node { value, operation, tracked });
        Var(self.nodes.len() - 1)
    }

    /// Convolution; see [`Engine::conv2d`].
    pub fn conv2d(&mut self, x: Var, w: Var, b: Var, window: &Window) -> Var {
        let value = self.engine.conv2d(self.value(x), self.value(w), Some(self.value(b)), window);
        self.push(value, &[x, w, b], Operation::Conv2d { x, w, b, window: *window })
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

    /// Batch normalisation by the statistics of the batch, which are returned too: mean and biased variance.
    pub fn batch_norm(
        &mut self,
        x: Var,
        gamma: Var,
        beta: Var,
        epsilon: f32,
    ) -> (Var, (E::Tensor, E::Tensor)) {
        let (mean, variance) = self.engine.batch_statistics(self.value(x));
        let by = Normalization { mean: &mean, variance: &variance, gamma: self.value(gamma), epsilon };
        let value = self.engine.batch_norm(self.value(x), &by, self.value(beta));
        let statistics = (mean.clone(), variance.clone());
        let operation = Operation::BatchNorm { x, gamma, beta, mean, variance, epsilon };
        (self.push(value, &[x, gamma, beta], operation), statistics)
    }

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

    /// Values one behind the other along the last dimension.
    pub fn concat(&mut self, xs: &[Var]) -> Var {
        let values: Vec<&E::Tensor> = xs.iter().map(|&x| self.value(x)).collect();
        let last = self.engine.shape(values[0]).len() - 1;
        let value = self.engine.concat(&values, last);
        self.push(value, xs, Operation::Concat { xs: xs.to_vec() })
    }

    /// Zeros before and behind each dimension.
    pub fn pad(&mut self, x: Var, before: &[usize], after: &[usize]) -> Var {
        let value = self.engine.pad(self.value(x), before, after, 0.0);
        self.push(value, &[x], Operation::Pad { x, before: before.to_vec() })
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

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: Var, shape: &[usize]) -> Var {
        let value = self.engine.reshape(self.value(x), shape);
        self.push(value, &[x], Operation::Reshape { x })
    }

    /// A function forward, the identity backward.
    ///
    /// Source  arXiv:1308.3432
    pub fn straight_through(&mut self, function: Unary, x: Var) -> Var {
        let value = self.engine.map(function, self.value(x));
        self.push(value, &[x], Operation::StraightThrough { x })
    }

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

    /// The gradient of the sum of a value's elements.
    pub fn backward(&self, of: Var) -> Gradients<E::Tensor> {
        self.backward_with(of, self.engine.full(self.engine.shape(self.value(of)), 1.0))
    }

    /// The gradient of the sum of a value's elements times those of `weights`, which has its shape.
    pub fn backward_with(&self, of: Var, weights: E::Tensor) -> Gradients<E::Tensor> {
        let mut gradients: Vec<Option<E::Tensor>> = self.nodes.iter().map(|_| None).collect();
        gradients[of.0] = Some(weights);
        for index in (0..=of.0).rev() {
            let node = &self.nodes[index];
            if !node.tracked {
                continue;
            }
            let Some(dy) = gradients[index].clone() else {
                continue;
            };
            for (input, gradient) in self.node_gradients(node, &dy) {
                let sum = match gradients[input.0].take() {
                    None => gradient,
                    Some(so_far) => self.engine.zip(Binary::Add, &so_far, &gradient),
                };
                gradients[input.0] = Some(sum);
            }
        }
        Gradients(gradients)
    }

    /// The gradients of a node's tracked inputs.
    fn node_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor) -> Vec<(Var, E::Tensor)> {
        let engine = self.engine;
        let mut sink = Sink { tape: self, found: Vec::new() };
        match &node.operation {
            Operation::Leaf => {}
            Operation::Conv2d { x, w, b, window } => {
                sink.give(*x, || engine.conv2d_input_gradient(dy, self.value(*w), window, self.extent(*x)));
                sink.give(*w, || engine.conv2d_weight_gradient(dy, self.value(*x), window));
                sink.give(*b, || self.column_sums(dy));
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
            Operation::BatchNorm { x, gamma, beta, mean, variance, epsilon } => {
                let by = Normalization { mean, variance, gamma: self.value(*gamma), epsilon: *epsilon };
                let gradient = engine.batch_norm_gradient(dy, self.value(*x), &by);
                sink.give(*x, || gradient.x);
                sink.give(*gamma, || gradient.gamma);
                sink.give(*beta, || gradient.beta);
            }
            Operation::Clamp { x, low, high } => {
                let within = Binary::Within { low: *low, high: *high };
                sink.give(*x, || engine.zip(within, dy, &node.value));
            }
            Operation::Add { a, b } => {
                sink.give(*a, || dy.clone());
                sink.give(*b, || dy.clone());
            }
            Operation::Mul { .. }
            | Operation::Curve { .. }
            | Operation::Scaled { .. }
            | Operation::Concat { .. }
            | Operation::Pad { .. }
            | Operation::Upsample2d { .. } => self.other_gradients(node, dy, &mut sink),
            Operation::AvgPool2d { x, window } => {
                sink.give(*x, || engine.avg_pool2d_gradient(dy, window, self.extent(*x)));
            }
            Operation::MaxPool2d { x, window } => {
                sink.give(*x, || engine.max_pool2d_gradient(dy, self.value(*x), window));
            }
            Operation::Reshape { x } => {
                sink.give(*x, || engine.reshape(dy, engine.shape(self.value(*x))));
            }
            Operation::StraightThrough { x } => sink.give(*x, || dy.clone()),
            Operation::CrossEntropy { logits, gradient } => {
                let spread = engine.broadcast(dy, engine.shape(gradient));
                sink.give(*logits, || engine.zip(Binary::Multiply, gradient, &spread));
            }
        }
        sink.found
    }

    /// The gradients of products, curves and what moves elements.
    fn other_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor, sink: &mut Sink<'_, '_, E>) {
        let engine = self.engine;
        match &node.operation {
            Operation::Mul { a, b } => {
                sink.give(*a, || engine.zip(Binary::Multiply, dy, &self.by_element(*a, *b)));
                sink.give(*b, || self.factor_gradient(*a, *b, dy));
            }
            Operation::Curve { x, function } => {
                sink.give(*x, || self.curve_gradient(*x, &node.value, *function, dy));
            }
            Operation::Scaled { x, factors } => sink.give(*x, || engine.zip(Binary::Multiply, dy, factors)),
            Operation::Concat { xs } => {
                let mut start = vec![0; engine.shape(dy).len()];
                let last = start.len() - 1;
                for &x in xs {
                    let extent = engine.shape(self.value(x));
                    sink.give(x, || engine.slice(dy, &start, extent));
                    start[last] += extent[last];
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
            _ => {}
        }
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

    /// Height and width of a feature map.
    fn extent(&self, x: Var) -> [usize; 2] {
        let shape = self.engine.shape(self.value(x));
        [shape[1], shape[2]]
    }

    /// The gradient of a bias: sums over all but the last dimension.
    fn column_sums(&self, dy: &E::Tensor) -> E::Tensor {
        let shape = self.engine.shape(dy);
        let last = shape.len() - 1;
        let axes: Vec<usize> = (0..last).collect();
        self.engine.reshape(&self.engine.reduce(Reduction::Sum, dy, &axes), &shape[last..])
    }
}

/// Collects the gradients that are wanted and computes no others.
struct Sink<'t, 'e, E: Engine> {
    tape: &'t Tape<'e, E>,
    found: Vec<(Var, E::Tensor)>,
}

impl<E: Engine> Sink<'_, '_, E> {
    fn give(&mut self, input: Var, gradient: impl FnOnce() -> E::Tensor) {
        if self.tape.nodes[input.0].tracked {
            self.found.push((input, gradient()));
        }
    }
}
