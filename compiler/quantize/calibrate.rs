//! What the floats do: ranges of activations on samples, and the values of folded parameters.

use std::collections::BTreeMap;

use rustc_hash::FxHashSet;

use crate::graph::{Graph, NodeId, Weights};
use crate::ops::Op;
use crate::quantize::QuantizeError;
use crate::tensor::Value;

/// The least and the greatest value of each activation.
pub type Ranges = BTreeMap<NodeId, (f32, f32)>;

/// The range of every activation of a deployment graph over samples `[N, H, W, C]`.
///
/// # Errors
/// When a parameter is missing, or an activation is not finite.
pub fn calibrate(graph: &Graph, weights: &Weights, samples: &Value) -> Result<Ranges, QuantizeError> {
    let parameters = parameter_nodes(graph);
    let mut ranges = Ranges::new();
    for sample in rows(samples)? {
        let mut bad = None;
        let mut visit = |node: NodeId, value: &Value| {
            if let (false, Some(array)) = (parameters.contains(&node), value.as_f32()) {
                let range = ranges.entry(node).or_insert((f32::INFINITY, f32::NEG_INFINITY));
                for &x in array {
                    *range = (range.0.min(x), range.1.max(x));
                    if !x.is_finite() {
                        bad = Some(node);
                    }
                }
            }
        };
        graph
            .evaluate_all(&[sample], weights, &mut visit)
            .map_err(|error| QuantizeError(error.to_string()))?;
        if let Some(node) = bad {
            return Err(QuantizeError(format!("activation {} is not finite", node.index())));
        }
    }
    Ok(ranges)
}

/// The samples of a batch, each with N = 1.
fn rows(samples: &Value) -> Result<Vec<Value>, QuantizeError> {
    let shape = samples.shape();
    let floats = samples.as_f32().and_then(|array| array.as_slice());
    let floats = floats.ok_or_else(|| QuantizeError("calibration samples are floats".into()))?;
    let mut one = shape;
    let Some(batch) = one.0.first_mut() else {
        return Err(QuantizeError("calibration samples are no batch".into()));
    };
    *batch = 1;
    let size = one.elements().max(1);
    Ok(floats.chunks_exact(size).filter_map(|row| Value::from_f32(&one, row.to_vec())).collect())
}

/// The nodes that do not depend on what the network is given.
pub(crate) fn parameter_nodes(graph: &Graph) -> FxHashSet<NodeId> {
    let mut found = FxHashSet::default();
    for node in graph.order() {
        let inputs = graph.inputs(node);
        let leaf = matches!(graph.node(node).op, Op::Param(_) | Op::Constant(_));
        if leaf || (!inputs.is_empty() && inputs.iter().all(|input| found.contains(input))) {
            found.insert(node);
        }
    }
    found
}

/// The values of all such nodes: parameters, constants and what is folded from them.
pub(crate) fn parameters(graph: &Graph, weights: &Weights) -> Result<BTreeMap<NodeId, Value>, QuantizeError> {
    let mut values: BTreeMap<NodeId, Value> = BTreeMap::new();
    let known = parameter_nodes(graph);
    for node in graph.order().into_iter().filter(|node| known.contains(node)) {
        let missing = |name: &str| QuantizeError(format!("`{name}` has no value"));
        let value = match &graph.node(node).op {
            Op::Param(param) => weights.get(&param.name).ok_or_else(|| missing(&param.name))?.clone(),
            Op::Constant(constant) => {
                graph.constant(&constant.name).ok_or_else(|| missing(&constant.name))?.as_ref().clone()
            }
            op => {
                let inputs = graph.inputs(node);
                let inputs: Vec<&Value> = inputs.iter().map(|input| &values[input]).collect();
                op.evaluate(&inputs, &graph.input_types(node), graph.ty(node))
            }
        };
        values.insert(node, value);
    }
    Ok(values)
}
