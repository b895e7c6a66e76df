//! One graph for all spellings of a network.
//!
//! What a spec calls its parts and in which order it writes the branches of a sum must not change the graph: its text
//! is the identity of a trial, and its parameters' names are those of the trained weights.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::graph::{Graph, NodeId};
use crate::ops::Op;
use crate::space::instantiate::Builder;

/// What a node computes: a hash over its operator and those before it, without the names of parameters.
pub(crate) type Digest = [u8; 32];

impl Builder<'_> {
    /// Sorts operands of a sum or product by what they compute. Two with one digest compute the same function of
    /// parameters of their own, so either order is the same network.
    pub(crate) fn sort(&mut self, operands: &mut [NodeId]) {
        operands.iter().for_each(|&node| self.digest(node));
        operands.sort_by_key(|node| self.digests.get(node).copied());
    }

    /// Finds the digests of a node and of all before it.
    fn digest(&mut self, node: NodeId) {
        let mut stack = vec![node];
        while let Some(&node) = stack.last() {
            if self.digests.contains_key(&node) {
                stack.pop();
                continue;
            }
            let inputs = self.graph.inputs(node);
            let missing: Vec<NodeId> =
                inputs.iter().copied().filter(|input| !self.digests.contains_key(input)).collect();
            if !missing.is_empty() {
                stack.extend(missing);
                continue;
            }
            let op = &self.graph.node(node).op;
            let mut hash = Sha256::new();
            hash.update(op.name());
            match op {
                Op::Param(param) => {
                    hash.update([param.role as u8]);
                    hash.update(param.fan_in.to_le_bytes());
                }
                other => hash.update(other.attributes()),
            }
            // The types of all else follow from those of the inputs and parameters.
            if inputs.is_empty() {
                let dims = &self.graph.ty(node).shape.0;
                dims.iter().for_each(|extent| hash.update(extent.to_le_bytes()));
            }
            inputs.iter().filter_map(|input| self.digests.get(input)).for_each(|digest| hash.update(digest));
            self.digests.insert(node, hash.finalize().into());
            stack.pop();
        }
    }
}

/// The same graph with nodes added in the order of [`Graph::order`] and layers numbered as they occur in it:
/// `3.weight` belongs to the fourth layer with parameters.
pub(crate) fn renumbered(graph: &Graph) -> Graph {
    let mut made = Graph::with_capacity(graph.len());
    let mut nodes: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for id in graph.order() {
        let node = graph.node(id);
        let mut op = node.op.clone();
        if let Op::Param(param) = &mut op
            && let Some((layer, part)) = param.name.split_once('.')
        {
            let next = numbers.len();
            let number = *numbers.entry(layer.to_owned()).or_insert(next);
            param.name = format!("{number}.{part}");
        }
        let inputs: Vec<NodeId> = graph.inputs(id).iter().map(|input| nodes[input]).collect();
        let new = made.add(op, &inputs).expect("the operator had these inputs before");
        made.set_origin(new, node.label.clone(), node.span);
        nodes.insert(id, new);
    }
    graph.outputs().iter().for_each(|output| made.add_output(nodes[output]));
    made
}
