//! The dataflow graph of operators: training, deployment and integer graphs are all this one type.
//!
//! A directed petgraph; an edge's weight is its position among the inputs of its target. Nodes are added after their
//! inputs and never taken away, so there is no cycle. Every node keeps the type that its operator infers. Constants
//! live beside the nodes, by name; a constant without data is a placeholder, as in the skeleton of an untrained
//! candidate. [`verify`](Graph::verify) is the graph's specification.

mod evaluate;
mod text;
mod verify;

use std::collections::BTreeMap;
use std::sync::Arc;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::ops::{Op, ShapeError};
use crate::source::Span;
use crate::tensor::{Macs, TensorType, Value};

pub use evaluate::EvaluateError;
pub use verify::VerifyError;

/// A node of a [`Graph`].
pub type NodeId = NodeIndex<u32>;

/// Parameters by name.
pub type Weights = BTreeMap<String, Value>;

/// An operator in its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// What it computes.
    pub op: Op,
    /// The type of what it computes.
    pub ty: TensorType,
    /// For people: the layer of the spec that it comes from, as `body.2.conv2d`. Not part of its identity.
    pub label: Arc<str>,
    /// Where the spec says so. Not part of its identity.
    pub span: Option<Span>,
}

/// A dataflow graph.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: DiGraph<Node, u32>,
    /// The inputs of all nodes in their order, one node's behind the other's: what every pass asks for.
    inputs: Vec<NodeId>,
    /// Where each node's inputs end.
    ends: Vec<usize>,
    outputs: Vec<NodeId>,
    constants: BTreeMap<String, Arc<Value>>,
    /// The label of nodes without one.
    no_label: Arc<str>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::with_capacity(0)
    }

    /// An empty graph with room for so many nodes.
    pub fn with_capacity(nodes: usize) -> Graph {
        Graph {
            nodes: DiGraph::with_capacity(nodes, nodes + nodes / 4),
            inputs: Vec::with_capacity(nodes + nodes / 4),
            ends: Vec::with_capacity(nodes),
            outputs: Vec::new(),
            constants: BTreeMap::new(),
            no_label: Arc::default(),
        }
    }

    /// Adds an operator on its inputs, in their order, and infers its type.
    ///
    /// # Errors
    /// When the inputs do not fit the operator; the graph is unchanged.
    pub fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> Result<NodeId, ShapeError> {
        let op = op.into();
        let types: Vec<&TensorType> = inputs.iter().map(|&input| self.ty(input)).collect();
        let ty = op.infer(&types)?;
        let node = self.nodes.add_node(Node { op, ty, label: Arc::clone(&self.no_label), span: None });
        for (position, &input) in inputs.iter().enumerate() {
            self.nodes.add_edge(input, node, position as u32);
        }
        self.inputs.extend_from_slice(inputs);
        self.ends.push(self.inputs.len());
        Ok(node)
    }

    /// Says where a node comes from.
    pub fn set_origin(&mut self, node: NodeId, label: impl Into<Arc<str>>, span: Option<Span>) {
        let node = &mut self.nodes[node];
        (node.label, node.span) = (label.into(), span);
    }

    /// Makes a node the next output.
    pub fn add_output(&mut self, node: NodeId) {
        self.outputs.push(node);
    }

    /// The outputs in order.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// Gives a constant its data.
    pub fn set_constant(&mut self, name: impl Into<String>, value: Value) {
        self.constants.insert(name.into(), Arc::new(value));
    }

    /// Gives a constant data that others have too.
    pub fn share_constant(&mut self, name: impl Into<String>, value: Arc<Value>) {
        self.constants.insert(name.into(), value);
    }

    /// The data of a constant; `None` for a placeholder.
    pub fn constant(&self, name: &str) -> Option<&Arc<Value>> {
        self.constants.get(name)
    }

    /// All constants with data, by name.
    pub fn constants(&self) -> &BTreeMap<String, Arc<Value>> {
        &self.constants
    }

    /// A node.
    pub fn node(&self, node: NodeId) -> &Node {
        &self.nodes[node]
    }

    /// A node's output type.
    pub fn ty(&self, node: NodeId) -> &TensorType {
        &self.nodes[node].ty
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.node_count() == 0
    }

    /// A node's inputs in order.
    pub fn inputs(&self, node: NodeId) -> &[NodeId] {
        let at = node.index();
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.inputs[start..self.ends[at]]
    }

    /// All nodes in index order, inputs before users.
    fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.len()).map(NodeId::new)
    }

    /// The nodes that use a node, each once, in index order.
    pub fn users(&self, node: NodeId) -> Vec<NodeId> {
        let mut users: Vec<NodeId> = self.nodes.neighbors_directed(node, Direction::Outgoing).collect();
        users.sort();
        users.dedup();
        users
    }

    /// The types of a node's inputs in order.
    pub fn input_types(&self, node: NodeId) -> Vec<&TensorType> {
        self.inputs(node).iter().map(|&input| self.ty(input)).collect()
    }

    /// What the network is given, in index order.
    pub fn network_inputs(&self) -> Vec<NodeId> {
        self.ids().filter(|&node| matches!(self.node(node).op, Op::Input(_))).collect()
    }

    /// All nodes that the outputs and the network's inputs need, inputs before users. The order depends on the
    /// structure alone: a depth-first walk from the outputs along the inputs' positions.
    pub fn order(&self) -> Vec<NodeId> {
        let mut done = vec![false; self.len()];
        let mut order = Vec::with_capacity(self.len());
        let mut stack: Vec<(NodeId, bool)> = Vec::with_capacity(32);
        for root in self.network_inputs().into_iter().chain(self.outputs.iter().copied()) {
            stack.push((root, false));
            while let Some((node, ready)) = stack.pop() {
                if done[node.index()] {
                    continue;
                }
                if ready {
                    done[node.index()] = true;
                    order.push(node);
                } else {
                    stack.push((node, true));
                    stack.extend(self.inputs(node).iter().rev().map(|&input| (input, false)));
                }
            }
        }
        order
    }

    /// Multiply-accumulates of one evaluation.
    pub fn macs(&self) -> Macs {
        self.order()
            .into_iter()
            .map(|node| self.node(node).op.macs(&self.input_types(node), self.ty(node)))
            .sum()
    }
}

#[cfg(test)]
mod tests;
