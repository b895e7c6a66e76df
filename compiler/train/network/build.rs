//! From a training graph to the steps of a [`Network`]. Graphs that hold anything that training does not know are refused
//! with the operator's name.

use std::collections::BTreeMap;

use super::{Network, Step};
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Graph, NodeId};
use crate::ops::{Clamp, Op, ParamRole};
use crate::tensor::DType;

/// What an operator's input is.
#[derive(Clone, Copy)]
enum Slot {
    Step(usize),
    Param(usize),
}

/// What [`Network::new`] knows while it walks the graph.
struct Builder<'g> {
    graph: &'g Graph,
    slots: BTreeMap<NodeId, Slot>,
    network: Network,
}

fn refuse(graph: &Graph, node: NodeId, why: &str) -> Diagnostic {
    let node = graph.node(node);
    let diagnostic =
        Diagnostic::error(Code::NOT_ALLOWED, format!("`{}` cannot be trained: {why}", node.op.name()));
    match node.span {
        Some(span) => diagnostic.at(span, node.label.to_string()),
        None => diagnostic,
    }
}

impl Network {
    /// Takes a graph apart.
    ///
    /// # Errors
    /// E0204 for operators that training does not know, E0303 where batch or inputs do not fit.
    pub fn new(graph: &Graph) -> Result<Network, Diagnostic> {
        let &[output] = graph.outputs() else {
            let message = format!("training takes a network with one output, got {}", graph.outputs().len());
            return Err(Diagnostic::error(Code::SHAPE, message));
        };
        let &[input] = graph.network_inputs().as_slice() else {
            let message =
                format!("training takes a network with one input, got {}", graph.network_inputs().len());
            return Err(Diagnostic::error(Code::SHAPE, message));
        };
        let network = Network {
            steps: Vec::new(),
            params: Vec::new(),
            input: graph.ty(input).shape.0.iter().skip(1).copied().collect(),
            output: 0,
            output_shape: graph.ty(output).shape.0.iter().skip(1).copied().collect(),
        };
        let mut builder = Builder { graph, slots: BTreeMap::new(), network };
        for node in graph.order() {
            builder.visit(node)?;
        }
        match builder.slots.get(&output) {
            Some(&Slot::Step(step)) => builder.network.output = step,
            _ => return Err(refuse(graph, output, "the output does not depend on the input")),
        }
        Ok(builder.network)
    }
}

impl Builder<'_> {
    fn visit(&mut self, node: NodeId) -> Result<(), Diagnostic> {
        if self.graph.ty(node).dtype != DType::F32 {
            return Err(refuse(self.graph, node, "it is quantized"));
        }
        let slot = match &self.graph.node(node).op {
            Op::Param(param) => {
                self.network.params.push(param.clone());
                Slot::Param(self.network.params.len() - 1)
            }
            op => {
                if self.graph.ty(node).shape.0.first() != Some(&1) {
                    return Err(refuse(self.graph, node, "its batch is not 1"));
                }
                if let Some(step) = self.fused(node, op) {
                    self.slots.insert(node, Slot::Step(step));
                    return Ok(());
                }
                let (step, inputs) = self.step(node, op)?;
                self.network.steps.push((step, inputs));
                Slot::Step(self.network.steps.len() - 1)
            }
        };
        self.slots.insert(node, slot);
        Ok(())
    }

    /// The step that takes an activation in: a batch normalisation or an addition that nothing else uses.
    fn fused(&mut self, node: NodeId, op: &Op) -> Option<usize> {
        let (Op::Activation(activation), &[before]) = (op, self.graph.inputs(node)) else {
            return None;
        };
        let alone = self.graph.users(before).len() == 1 && !self.graph.outputs().contains(&before);
        let Some(&Slot::Step(step)) = self.slots.get(&before) else { return None };
        match &mut self.network.steps[step].0 {
            Step::BatchNorm { clamp: clamp @ Clamp::None, .. } | Step::Add { clamp: clamp @ Clamp::None }
                if alone =>
            {
                *clamp = activation.clamp;
                Some(step)
            }
            _ => None,
        }
    }

    /// The step of an operator and the steps that feed it.
    fn step(&self, node: NodeId, op: &Op) -> Result<(Step, Vec<usize>), Diagnostic> {
        let step = match op {
            Op::Input(_) => return Ok((Step::Input, Vec::new())),
            Op::Conv2d(op) => {
                let [w, b] = self.params(node)?;
                Step::Conv2d { w, b, window: op.window, clamp: op.clamp }
            }
            Op::DepthwiseConv2d(op) => {
                let [w, b] = self.params(node)?;
                Step::DepthwiseConv2d { w, b, window: op.window, clamp: op.clamp }
            }
            Op::Dense(op) => {
                let [w, b] = self.params(node)?;
                Step::Dense { w, b, clamp: op.clamp }
            }
            Op::BatchNorm(op) => {
                let [gamma, beta, mean, variance] = self.params(node)?;
                for (param, role) in [(mean, ParamRole::Mean), (variance, ParamRole::Variance)] {
                    if self.network.params[param].role != role {
                        return Err(refuse(self.graph, node, "its running statistics have another role"));
                    }
                }
                Step::BatchNorm { gamma, beta, mean, variance, epsilon: op.epsilon.0, clamp: Clamp::None }
            }
            Op::Activation(op) => Step::Activation { clamp: op.clamp },
            Op::Add(op) => return Ok((Step::Add { clamp: op.clamp }, self.both(node)?)),
            Op::AvgPool2d(op) => Step::AvgPool2d { window: op.window, clamp: op.clamp },
            Op::MaxPool2d(op) => Step::MaxPool2d { window: op.window, clamp: op.clamp },
            Op::Reshape(op) => Step::Reshape { extents: op.shape.0[1..].to_vec() },
            Op::Mul(op) => return Ok((Step::Mul { clamp: op.clamp }, self.both(node)?)),
            Op::Concat(_) => {
                let count = self.graph.inputs(node).len();
                let inputs = (0..count).map(|at| self.data(node, at)).collect::<Result<_, _>>()?;
                return Ok((Step::Concat, inputs));
            }
            Op::Curve(op) => Step::Curve { function: op.function },
            Op::Pad(op) => Step::Pad { before: op.before, after: op.after },
            Op::Upsample2d(op) => Step::Upsample2d { factor: op.factor },
            Op::Dropout(op) => Step::Dropout { rate: op.rate.0 },
            Op::Param(_)
            | Op::Constant(_)
            | Op::FoldWeight(_)
            | Op::FoldBias(_)
            | Op::Requantize(_)
            | Op::Softmax(_)
            | Op::Squash(_)
            | Op::Slice(_)
            | Op::Mean(_)
            | Op::Elementwise(_)
            | Op::Lookup(_)
            | Op::ResizeBilinear(_)
            | Op::Transpose(_)
            | Op::TransposeConv2d(_) => {
                return Err(refuse(self.graph, node, "it does not belong in a training graph"));
            }
        };
        Ok((step, vec![self.data(node, 0)?]))
    }

    /// The steps that feed an operator on two.
    fn both(&self, node: NodeId) -> Result<Vec<usize>, Diagnostic> {
        Ok(vec![self.data(node, 0)?, self.data(node, 1)?])
    }

    /// The step that feeds a position.
    fn data(&self, node: NodeId, position: usize) -> Result<usize, Diagnostic> {
        match self.graph.inputs(node).get(position).and_then(|input| self.slots.get(input)) {
            Some(&Slot::Step(step)) => Ok(step),
            _ => Err(refuse(self.graph, node, "a parameter stands where data belongs")),
        }
    }

    /// The parameters behind the first input.
    fn params<const N: usize>(&self, node: NodeId) -> Result<[usize; N], Diagnostic> {
        let params: Vec<usize> = self
            .graph
            .inputs(node)
            .iter()
            .skip(1)
            .filter_map(|input| match self.slots.get(input) {
                Some(&Slot::Param(param)) => Some(param),
                _ => None,
            })
            .collect();
        params.try_into().map_err(|_| refuse(self.graph, node, "its weights are not parameters"))
    }
}
