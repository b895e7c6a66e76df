//! The evaluator: a graph's reference meaning, in floats and in integers alike.
//!
//! In: the network's inputs, and the weights for its parameters. Out: the outputs, or every node's value to
//! who wants to look (calibration does). Graphs are for one sample; inputs may hold several, which are
//! evaluated one after the other. What does not depend on the inputs is computed once, and a value is freed
//! after its last use. Nothing is fused, reordered or parallel.

use std::borrow::Cow;

use ndarray::{ArrayD, ArrayViewD, Axis, concatenate};

use crate::graph::{Graph, NodeId, Weights};
use crate::ops::Op;
use crate::tensor::{TensorType, Value};

/// Why a graph cannot be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EvaluateError {
    /// The number of inputs is not that of the network.
    InputCount {
        /// What the network takes.
        wanted: usize,
        /// What it was given.
        found: usize,
    },
    /// An input has another element type or shape, or another number of samples than the first one.
    Input {
        /// Its position.
        index: usize,
        /// The network's type, for one sample.
        wanted: String,
        /// What was given.
        found: String,
    },
    /// The weights lack a parameter.
    MissingParam(String),
    /// The weights hold a parameter with another element type or shape.
    Param {
        /// Its name.
        name: String,
        /// The graph's type.
        wanted: String,
        /// What the weights hold.
        found: String,
    },
    /// A constant without data, or with data of another type.
    Placeholder(String),
}

impl std::fmt::Display for EvaluateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EvaluateError::InputCount { wanted, found } => {
                write!(f, "the network takes {wanted} inputs, got {found}")
            }
            EvaluateError::Input { index, wanted, found } => {
                write!(f, "input {index} is {wanted} a sample, got {found}")
            }
            EvaluateError::MissingParam(name) => write!(f, "the weights have no parameter `{name}`"),
            EvaluateError::Param { name, wanted, found } => {
                write!(f, "parameter `{name}` is {wanted}, the weights have {found}")
            }
            EvaluateError::Placeholder(name) => write!(f, "constant `{name}` has no data of its type"),
        }
    }
}

impl std::error::Error for EvaluateError {}

impl Graph {
    /// The outputs for these inputs, in the order of [`Graph::network_inputs`]. Inputs have the graph's shapes,
    /// or all of them hold the same number of samples along their first dimension, where the graph has 1; then
    /// so do the outputs that depend on them.
    ///
    /// # Errors
    /// When inputs, weights or constants are missing or have other types.
    pub fn evaluate(&self, inputs: &[Value], weights: &Weights) -> Result<Vec<Value>, EvaluateError> {
        self.evaluate_all(inputs, weights, &mut |_, _| {})
    }

    /// As [`Graph::evaluate`], and shows every node's value in the order of evaluation: first, once, those that
    /// depend on no input, then the others sample by sample.
    ///
    /// # Errors
    /// As [`Graph::evaluate`].
    pub fn evaluate_all(
        &self,
        inputs: &[Value],
        weights: &Weights,
        visit: &mut dyn FnMut(NodeId, &Value),
    ) -> Result<Vec<Value>, EvaluateError> {
        let samples = self.samples(inputs)?;
        let mut run = Run::new(self);
        for node in run.nodes(false) {
            let value = match &self.node(node).op {
                Op::Param(param) => Cow::Borrowed(self.param_value(&param.name, node, weights)?),
                Op::Constant(constant) => Cow::Borrowed(self.constant_value(&constant.name, node)?),
                _ => Cow::Owned(run.compute(node)),
            };
            visit(node, &value);
            run.values[node.index()] = Some(value);
        }
        let network_inputs = self.network_inputs();
        let varying = run.nodes(true);
        let mut parts: Vec<Vec<Value>> = vec![Vec::new(); self.outputs().len()];
        for sample in 0..samples.unwrap_or(1) {
            let mut left = run.uses.clone();
            for &node in &varying {
                let value = match network_inputs.iter().position(|&input| input == node) {
                    Some(index) if samples.is_none() => Cow::Owned(inputs[index].clone()),
                    Some(index) => Cow::Owned(one_sample(&inputs[index], sample)),
                    None => Cow::Owned(run.compute(node)),
                };
                visit(node, &value);
                run.values[node.index()] = Some(value);
                run.free(node, &mut left);
            }
            for (part, output) in parts.iter_mut().zip(self.outputs()) {
                if run.varies[output.index()] || sample == 0 {
                    part.push(run.value(*output).clone());
                }
            }
        }
        Ok(parts.into_iter().map(stack).collect())
    }

    /// The number of samples of the inputs; `None` when they have the graph's own shapes.
    fn samples(&self, inputs: &[Value]) -> Result<Option<usize>, EvaluateError> {
        let nodes = self.network_inputs();
        if nodes.len() != inputs.len() {
            return Err(EvaluateError::InputCount { wanted: nodes.len(), found: inputs.len() });
        }
        let types: Vec<&TensorType> = nodes.iter().map(|&node| self.ty(node)).collect();
        if types.iter().zip(inputs).all(|(ty, input)| has_type(input, ty)) {
            return Ok(None);
        }
        let samples = inputs[0].shape().0.first().copied().unwrap_or(0);
        for (index, (ty, input)) in types.iter().zip(inputs).enumerate() {
            let mut batch = ty.shape.clone();
            let single = batch.0.first_mut().is_some_and(|extent| std::mem::replace(extent, samples) == 1);
            if !single || samples == 0 || input.dtype() != ty.dtype || input.shape() != batch {
                let wanted = format!("{}{}", ty.dtype, ty.shape);
                return Err(EvaluateError::Input { index, wanted, found: describe(input) });
            }
        }
        Ok(Some(samples))
    }

    fn param_value<'a>(
        &self,
        name: &str,
        node: NodeId,
        weights: &'a Weights,
    ) -> Result<&'a Value, EvaluateError> {
        let value = weights.get(name).ok_or_else(|| EvaluateError::MissingParam(name.into()))?;
        let ty = self.ty(node);
        if has_type(value, ty) {
            return Ok(value);
        }
        let wanted = format!("{}{}", ty.dtype, ty.shape);
        Err(EvaluateError::Param { name: name.into(), wanted, found: describe(value) })
    }

    fn constant_value(&self, name: &str, node: NodeId) -> Result<&Value, EvaluateError> {
        self.constant(name)
            .map(AsRef::as_ref)
            .filter(|value| has_type(value, self.ty(node)))
            .ok_or_else(|| EvaluateError::Placeholder(name.into()))
    }
}

/// An evaluation under way; vectors are indexed by node.
struct Run<'a> {
    graph: &'a Graph,
    order: Vec<NodeId>,
    values: Vec<Option<Cow<'a, Value>>>,
    /// Whether a node depends on an input.
    varies: Vec<bool>,
    /// How often a node that varies is used by others and as an output.
    uses: Vec<usize>,
}

impl<'a> Run<'a> {
    fn new(graph: &'a Graph) -> Run<'a> {
        let order = graph.order();
        let bound = order.iter().map(|node| node.index() + 1).max().unwrap_or(0);
        let mut run =
            Run { graph, values: vec![None; bound], varies: vec![false; bound], uses: vec![0; bound], order };
        for &node in &run.order {
            let inputs = graph.inputs(node);
            let varies = inputs.iter().any(|input| run.varies[input.index()]);
            run.varies[node.index()] = varies || matches!(graph.node(node).op, Op::Input(_));
            for input in inputs {
                run.uses[input.index()] += 1;
            }
        }
        for output in graph.outputs() {
            run.uses[output.index()] += 1;
        }
        run
    }

    /// The nodes that do, or do not, depend on an input, in order.
    fn nodes(&self, varying: bool) -> Vec<NodeId> {
        self.order.iter().copied().filter(|node| self.varies[node.index()] == varying).collect()
    }

    fn value(&self, node: NodeId) -> &Value {
        self.values[node.index()].as_ref().expect("inputs come before users and live until the last one")
    }

    fn compute(&self, node: NodeId) -> Value {
        let inputs: Vec<&Value> = self.graph.inputs(node).iter().map(|&input| self.value(input)).collect();
        self.graph.node(node).op.evaluate(&inputs, &self.graph.input_types(node), self.graph.ty(node))
    }

    /// Drops what `node` was the last one to use, and its own value if nobody will.
    fn free(&mut self, node: NodeId, left: &mut [usize]) {
        for input in self.graph.inputs(node) {
            left[input.index()] -= 1;
            if left[input.index()] == 0 && self.varies[input.index()] {
                self.values[input.index()] = None;
            }
        }
        if left[node.index()] == 0 {
            self.values[node.index()] = None;
        }
    }
}

fn has_type(value: &Value, ty: &TensorType) -> bool {
    value.dtype() == ty.dtype && value.shape() == ty.shape
}

fn describe(value: &Value) -> String {
    format!("{}{}", value.dtype(), value.shape())
}

/// One sample of several, its first dimension 1.
fn one_sample(value: &Value, sample: usize) -> Value {
    fn slice<T: Clone>(array: &ArrayD<T>, sample: usize) -> ArrayD<T> {
        array.slice_axis(Axis(0), (sample..sample + 1).into()).to_owned()
    }
    match value {
        Value::F32(array) => Value::F32(slice(array, sample)),
        Value::I8(array) => Value::I8(slice(array, sample)),
        Value::I16(array) => Value::I16(slice(array, sample)),
        Value::I32(array) => Value::I32(slice(array, sample)),
    }
}

/// One after the other along the first dimension. The parts have one type, and there is at least one.
fn stack(mut parts: Vec<Value>) -> Value {
    fn join<'a, T: Copy>(arrays: &[Option<&'a ArrayD<T>>]) -> ArrayD<T> {
        let view = |array: &&'a ArrayD<T>| match array.ndim() {
            0 => array.view().insert_axis(Axis(0)),
            _ => array.view(),
        };
        let views: Vec<ArrayViewD<'a, T>> = arrays.iter().flatten().map(view).collect();
        concatenate(Axis(0), &views).expect("samples have equal shapes")
    }
    if parts.len() == 1 {
        return parts.remove(0);
    }
    match &parts[0] {
        Value::F32(_) => Value::F32(join(&parts.iter().map(Value::as_f32).collect::<Vec<_>>())),
        Value::I8(_) => Value::I8(join(&parts.iter().map(Value::as_i8).collect::<Vec<_>>())),
        Value::I16(_) => Value::I16(join(&parts.iter().map(Value::as_i16).collect::<Vec<_>>())),
        Value::I32(_) => Value::I32(join(&parts.iter().map(Value::as_i32).collect::<Vec<_>>())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{
        Activation, Add, BatchNorm, Clamp, Constant, Conv2d, Input, Param, ParamRole, Reshape, Window,
    };
    use crate::tensor::{Scale, Shape};

    fn value(shape: &[usize], f: impl Fn(usize) -> f32) -> Value {
        let shape = Shape::from(shape);
        let elements = (0..shape.elements()).map(f).collect();
        Value::from_f32(&shape, elements).expect("as many as the shape has")
    }

    /// A convolution, normalisation and residual sum, with a constant that no input reaches.
    fn network() -> (Graph, Weights) {
        let mut graph = Graph::new();
        let mut weights = Weights::new();
        let mut param = |graph: &mut Graph, name: &str, shape: &[usize], start: f32| {
            let ty = TensorType::f32(Shape::from(shape));
            weights.insert(name.into(), value(shape, |i| start + (i * 7 % 5) as f32 / 8.0));
            let param = Param { name: name.into(), role: ParamRole::Weight, ty, fan_in: 0 };
            graph.add(param, &[]).expect("a parameter")
        };
        let x = graph.add(Input { ty: TensorType::f32([1, 4, 3, 2]) }, &[]).expect("an input");
        let w = param(&mut graph, "w", &[2, 3, 3, 2], -0.3);
        let b = param(&mut graph, "b", &[2], 0.1);
        let norm = ["gamma", "beta", "mean", "variance"].map(|name| param(&mut graph, name, &[2], 0.5));
        let window = Window::same([3, 3], [1, 1], [4, 3]);
        let conv = Conv2d { window, clamp: Clamp::None, requant: None };
        let y = graph.add(conv, &[x, w, b]).expect("a convolution");
        let norm = [y, norm[0], norm[1], norm[2], norm[3]];
        let y = graph.add(BatchNorm { epsilon: Scale(1e-3) }, &norm).expect("a normalisation");
        let y = graph.add(Add { clamp: Clamp::None, requant: None }, &[y, x]).expect("a sum");
        let y = graph.add(Activation { clamp: Clamp::Relu }, &[y]).expect("an activation");
        let y = graph.add(Reshape { shape: [1, 24].into() }, &[y]).expect("a vector");
        let ty = TensorType::f32([3]);
        let constant = graph.add(Constant { name: "c".into(), ty }, &[]).expect("a constant");
        graph.add_output(y);
        graph.add_output(constant);
        graph.set_constant("c", value(&[3], |i| i as f32));
        (graph, weights)
    }

    #[test]
    fn several_samples_are_each_evaluated_alone() {
        let (graph, weights) = network();
        let several = value(&[3, 4, 3, 2], |i| ((i * 13 % 17) as f32 - 8.0) / 4.0);
        let mut shown = Vec::new();
        let together = graph
            .evaluate_all(std::slice::from_ref(&several), &weights, &mut |node, _| shown.push(node))
            .expect("evaluates");
        assert_eq!(together[0].shape(), [3, 24].into());
        assert_eq!(together[1], value(&[3], |i| i as f32));
        assert_eq!(shown.len(), 7 + 3 * 6, "what does not vary is shown once");
        let all = together[0].as_f32().expect("floats");
        for sample in 0..3 {
            let alone = graph.evaluate(&[one_sample(&several, sample)], &weights).expect("evaluates");
            assert!(alone[0].as_f32().expect("floats").iter().eq(all.index_axis(Axis(0), sample).iter()));
        }
        assert!(all.iter().any(|&y| y > 0.0) && all.iter().any(|&y| y == 0.0), "the activation cuts some");
    }

    #[test]
    fn what_is_missing_is_named() {
        let (mut graph, mut weights) = network();
        let x = [value(&[1, 4, 3, 2], |i| i as f32)];
        let said = |graph: &Graph, inputs: &[Value], weights: &Weights| {
            graph.evaluate(inputs, weights).expect_err("cannot be evaluated").to_string()
        };
        assert_eq!(said(&graph, &[], &weights), "the network takes 1 inputs, got 0");
        let wrong = [value(&[2, 4, 4, 2], |_| 0.0)];
        assert_eq!(
            said(&graph, &wrong, &weights),
            "input 0 is f32[1, 4, 3, 2] a sample, got f32[2, 4, 4, 2]"
        );
        let mean = weights.insert("mean".into(), value(&[3], |_| 0.0)).expect("was there");
        assert_eq!(said(&graph, &x, &weights), "parameter `mean` is f32[2], the weights have f32[3]");
        weights.remove("mean");
        assert_eq!(said(&graph, &x, &weights), "the weights have no parameter `mean`");
        weights.insert("mean".into(), mean);
        graph.evaluate(&x, &weights).expect("all there");
        let ty = TensorType::f32([1]);
        let hole = graph.add(Constant { name: "hole".into(), ty }, &[]).expect("a constant");
        graph.add_output(hole);
        assert_eq!(said(&graph, &x, &weights), "constant `hole` has no data of its type");
    }
}
