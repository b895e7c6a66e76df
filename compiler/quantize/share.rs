//! Which activations take the quantization of the concatenation that they end in.
//!
//! The specification wants one quantization for all inputs of a concatenation and its output. Where an input is
//! computed for the concatenation alone, whatever computes it is given the output's quantization and nothing is
//! lost; elsewhere the input is requantized in a step of its own. The choice depends on the structure alone, so
//! that the skeleton of an untrained network has the steps of the trained one.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, NodeId};
use crate::ops::{CurveFunction, Op};

/// Who takes whose quantization.
#[derive(Debug, Default)]
pub(super) struct Shares {
    /// For operators that can give any quantization, and for inner concatenations, the outermost concatenation.
    owners: BTreeMap<NodeId, NodeId>,
    /// Inputs of concatenations that come with their quantization.
    joined: BTreeSet<(NodeId, NodeId)>,
}

impl Shares {
    /// Reads a deployment graph.
    pub(super) fn new(graph: &Graph) -> Shares {
        let mut shares = Shares::default();
        for node in graph.order().into_iter().rev() {
            if !matches!(graph.node(node).op, Op::Concat(_)) {
                continue;
            }
            let owner = shares.owner(node);
            for &input in graph.inputs(node) {
                if let Some(maker) = maker(graph, input) {
                    shares.owners.insert(maker, owner);
                    shares.joined.insert((node, input));
                }
            }
        }
        shares
    }

    /// The node whose range decides the quantization of this one.
    pub(super) fn owner(&self, node: NodeId) -> NodeId {
        self.owners.get(&node).copied().unwrap_or(node)
    }

    /// Whether an input of a concatenation comes with its quantization.
    pub(super) fn is_joined(&self, concat: NodeId, input: NodeId) -> bool {
        self.joined.contains(&(concat, input))
    }
}

/// The operator that decides the quantization of an input of a concatenation, if nothing else uses it. What keeps
/// the quantization of its own input is passed through; a mean and a clamp are not, since they narrow the range
/// that the operator before them needs.
fn maker(graph: &Graph, input: NodeId) -> Option<NodeId> {
    let mut node = input;
    loop {
        if graph.users(node).len() != 1 || graph.outputs().contains(&node) {
            return None;
        }
        match &graph.node(node).op {
            Op::Conv2d(_)
            | Op::DepthwiseConv2d(_)
            | Op::Dense(_)
            | Op::Add(_)
            | Op::Mul(_)
            | Op::Concat(_) => {
                return Some(node);
            }
            // The specification fixes the quantization of a sigmoid.
            Op::Curve(curve) => return (curve.function != CurveFunction::Sigmoid).then_some(node),
            Op::Reshape(_) | Op::Pad(_) | Op::Upsample2d(_) => node = graph.inputs(node)[0],
            _ => return None,
        }
    }
}
