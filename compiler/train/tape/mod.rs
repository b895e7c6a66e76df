//! Reverse-mode automatic differentiation over the primitives of an [`Engine`].
//!
//! In: leaves and operations, in the order of computation. Out: values, and the gradient of one of them with
//! respect to every variable. Gradients that arrive at a value from several users are added from the last user
//! to the first. A tape is cleared and used again for the next step, so that it allocates nothing then.

mod elementwise;
mod generic;
mod layers;
mod loss;
mod select;
mod structure;

use crate::ops::{Clamp, CurveFunction, Window};
use crate::train::engine::{Binary, Engine, Reduction};
use crate::train::extents::Extents;

use generic::Generic;
pub use generic::Summary;
use select::Select;

/// A value on a tape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Var(usize);

/// How a value came to be; what its backward pass needs.
#[derive(Debug)]
enum Operation<T> {
    Leaf,
    // Layers.
    Conv2d { x: Var, w: Var, b: Var, window: Window },
    Conv2dTransposed { x: Var, w: Var, window: Window },
    DepthwiseConv2d { x: Var, w: Var, b: Var, window: Window },
    Dense { x: Var, w: Var, b: Var },
    BatchNorm { x: Var, gamma: Var, beta: Var, mean: T, variance: T, epsilon: f32, clamp: Clamp },
    AvgPool2d { x: Var, window: Window },
    MaxPool2d { x: Var, window: Window },
    // Functions of elements.
    Clamp { x: Var, low: f32, high: f32 },
    Add { a: Var, b: Var },
    AddClamped { a: Var, b: Var, low: f32, high: f32 },
    Mul { a: Var, b: Var },
    Curve { x: Var, function: CurveFunction },
    Scaled { x: Var, factors: T },
    StraightThrough { x: Var },
    // Structure; a list is a range of `Tape::lists`.
    Concat { start: usize, end: usize, axis: usize },
    Pad { x: Var, before: Extents },
    Upsample2d { x: Var, factor: [usize; 2] },
    Reshape { x: Var },
    Select(Select),
    // The engine's primitives as they are.
    Generic(Generic<T>),
    // Losses, and what they are made of.
    Softmax { x: Var },
    Loss { x: Var, gradient: T },
}

#[derive(Debug)]
struct Node<T> {
    /// Given up in [`Tape::backward_and_release`] once nothing needs it.
    value: Option<T>,
    operation: Operation<T>,
    /// Whether a variable is among what it was computed from.
    tracked: bool,
}

impl<T> Node<T> {
    fn value(&self) -> &T {
        self.value.as_ref().expect("a value that was not given up")
    }
}

/// A record of what was computed.
#[derive(Debug)]
pub struct Tape<'e, E: Engine> {
    engine: &'e E,
    nodes: Vec<Node<E::Tensor>>,
    /// Inputs of operations that take any number.
    lists: Vec<Var>,
}

/// The gradient of one value with respect to the variables.
#[derive(Debug)]
pub struct Gradients<T>(Vec<Option<T>>);

impl<T> Gradients<T> {
    /// Of nothing yet.
    pub fn new() -> Gradients<T> {
        Gradients(Vec::new())
    }

    /// The gradient with respect to a variable; `None` where it has no influence or is no variable.
    pub fn get(&self, var: Var) -> Option<&T> {
        self.0.get(var.0)?.as_ref()
    }

    /// The gradient with respect to a variable, to be changed.
    pub fn get_mut(&mut self, var: Var) -> Option<&mut T> {
        self.0.get_mut(var.0)?.as_mut()
    }

    /// Gives all of them up and keeps the place for the next.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl<T> Default for Gradients<T> {
    fn default() -> Gradients<T> {
        Gradients::new()
    }
}

impl<'e, E: Engine> Tape<'e, E> {
    /// An empty tape.
    pub fn new(engine: &'e E) -> Tape<'e, E> {
        Tape { engine, nodes: Vec::new(), lists: Vec::new() }
    }

    /// Forgets everything and keeps the place for the next step.
    pub fn clear(&mut self) {
        self.nodes.clear();
        self.lists.clear();
    }

    /// The engine that computes.
    pub fn engine(&self) -> &'e E {
        self.engine
    }

    /// The value of a variable.
    pub fn value(&self, var: Var) -> &E::Tensor {
        self.nodes[var.0].value()
    }

    /// A leaf that wants a gradient.
    pub fn variable(&mut self, value: E::Tensor) -> Var {
        self.nodes.push(Node { value: Some(value), operation: Operation::Leaf, tracked: true });
        Var(self.nodes.len() - 1)
    }

    /// A leaf without a gradient.
    pub fn constant(&mut self, value: E::Tensor) -> Var {
        self.nodes.push(Node { value: Some(value), operation: Operation::Leaf, tracked: false });
        Var(self.nodes.len() - 1)
    }

    fn push(&mut self, value: E::Tensor, inputs: &[Var], operation: Operation<E::Tensor>) -> Var {
        let tracked = inputs.iter().any(|input| self.nodes[input.0].tracked);
        self.nodes.push(Node { value: Some(value), operation, tracked });
        Var(self.nodes.len() - 1)
    }

    /// The gradient of the sum of a value's elements.
    pub fn backward(&self, of: Var) -> Gradients<E::Tensor> {
        self.backward_with(of, self.engine.full(self.engine.shape(self.value(of)), 1.0))
    }

    /// The gradient of the sum of a value's elements times those of `weights`, which has its shape.
    pub fn backward_with(&self, of: Var, weights: E::Tensor) -> Gradients<E::Tensor> {
        let mut gradients = Gradients::new();
        self.start(of, weights, &mut gradients);
        for index in (0..=of.0).rev() {
            self.node_backward(index, &mut gradients);
        }
        gradients
    }

    /// As [`backward`](Tape::backward), into gradients that were used before; each value is given up as soon as
    /// nothing needs it, so that its memory serves the gradients. Only leaves have a value afterwards.
    pub fn backward_and_release(&mut self, of: Var, gradients: &mut Gradients<E::Tensor>) {
        let weights = self.engine.full(self.engine.shape(self.value(of)), 1.0);
        self.start(of, weights, gradients);
        for index in (0..self.nodes.len()).rev() {
            if index <= of.0 {
                self.node_backward(index, gradients);
            }
            if !matches!(self.nodes[index].operation, Operation::Leaf) {
                self.nodes[index].value = None;
            }
        }
    }

    fn start(&self, of: Var, weights: E::Tensor, gradients: &mut Gradients<E::Tensor>) {
        gradients.0.clear();
        gradients.0.resize_with(self.nodes.len(), || None);
        gradients.0[of.0] = Some(weights);
    }

    /// Hands the gradient of a node on to its inputs; only a leaf keeps it.
    fn node_backward(&self, index: usize, gradients: &mut Gradients<E::Tensor>) {
        let node = &self.nodes[index];
        if !node.tracked || matches!(node.operation, Operation::Leaf) {
            return;
        }
        if let Some(dy) = gradients.0[index].take() {
            self.node_gradients(node, &dy, &mut Sink { engine: self.engine, nodes: &self.nodes, gradients });
        }
    }

    /// The gradients of a node's tracked inputs.
    fn node_gradients(&self, node: &Node<E::Tensor>, dy: &E::Tensor, sink: &mut Sink<'_, E>) {
        match &node.operation {
            Operation::Leaf => {}
            Operation::Conv2d { .. }
            | Operation::Conv2dTransposed { .. }
            | Operation::DepthwiseConv2d { .. }
            | Operation::Dense { .. }
            | Operation::BatchNorm { .. }
            | Operation::AvgPool2d { .. }
            | Operation::MaxPool2d { .. } => self.layer_gradients(node, dy, sink),
            Operation::Clamp { .. }
            | Operation::Add { .. }
            | Operation::AddClamped { .. }
            | Operation::Mul { .. }
            | Operation::Curve { .. }
            | Operation::Scaled { .. }
            | Operation::StraightThrough { .. } => self.element_gradients(node, dy, sink),
            Operation::Concat { .. }
            | Operation::Pad { .. }
            | Operation::Upsample2d { .. }
            | Operation::Reshape { .. } => self.structure_gradients(node, dy, sink),
            Operation::Select(select) => self.select_gradients(select, dy, sink),
            Operation::Generic(generic) => self.generic_gradients(generic, node.value(), dy, sink),
            Operation::Softmax { .. } | Operation::Loss { .. } => self.loss_gradients(node, dy, sink),
        }
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
        let axes = Extents::from_fn(last, |axis| axis);
        self.engine.reshape(&self.engine.reduce(Reduction::Sum, dy, &axes), &shape[last..])
    }
}

/// Adds up the gradients that are wanted and computes no others.
struct Sink<'s, E: Engine> {
    engine: &'s E,
    nodes: &'s [Node<E::Tensor>],
    gradients: &'s mut Gradients<E::Tensor>,
}

impl<E: Engine> Sink<'_, E> {
    fn give(&mut self, input: Var, gradient: impl FnOnce() -> E::Tensor) {
        if !self.nodes[input.0].tracked {
            return;
        }
        let gradient = gradient();
        let place = &mut self.gradients.0[input.0];
        *place = Some(match place.take() {
            None => gradient,
            Some(so_far) => self.engine.zip(Binary::Add, &so_far, &gradient),
        });
    }
}
