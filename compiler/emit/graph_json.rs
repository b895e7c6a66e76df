//! A graph as JSON.
//!
//! Reading takes documents from anyone: every count is limited and every index checked before it is used. Constants are
//! hexadecimal, little-endian.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::graph::{Graph, NodeId};
use crate::ops::{AvgPool2d, MaxPool2d, Op};
use crate::tensor::{DType, Shape, TensorType, Value};

/// Greatest number of nodes.
const MAX_NODES: usize = 1 << 13;
/// Greatest number of elements of a tensor, and of all tensors of a graph together: far above what any
/// microcontroller holds, and a run in the interpreter stays below 1 GiB.
const MAX_ELEMENTS: usize = 1 << 25;
/// Greatest number of multiply-accumulates and of elements that pools visit.
const MAX_WORK: u64 = 1 << 36;
/// Greatest rank.
const MAX_RANK: usize = 8;
/// Greatest integer among attributes: far above any real one, and sums and products of two stay in 64 bits.
const MAX_ATTRIBUTE: u64 = 1 << 31;

#[derive(Serialize, Deserialize)]
struct NodeText {
    op: Op,
    inputs: Vec<usize>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label: String,
}

#[derive(Serialize, Deserialize)]
struct ConstantText {
    dtype: DType,
    shape: Shape,
    data: String,
}

/// A graph as JSON: nodes in order, outputs, constants.
pub fn write_graph(graph: &Graph) -> Json {
    let order = graph.order();
    let position: BTreeMap<NodeId, usize> = order.iter().enumerate().map(|(at, &node)| (node, at)).collect();
    let nodes: Vec<NodeText> = order
        .iter()
        .map(|&node| NodeText {
            op: graph.node(node).op.clone(),
            inputs: graph.inputs(node).iter().map(|input| position[input]).collect(),
            label: graph.node(node).label.to_string(),
        })
        .collect();
    let outputs: Vec<usize> = graph.outputs().iter().map(|output| position[output]).collect();
    let mut constants = serde_json::Map::new();
    for node in &order {
        let Op::Constant(constant) = &graph.node(*node).op else { continue };
        if let Some(value) = graph.constant(&constant.name) {
            let text = ConstantText {
                dtype: value.dtype(),
                shape: value.shape(),
                data: to_hex(&value.to_le_bytes()),
            };
            constants.insert(constant.name.clone(), json!(text));
        }
    }
    json!({ "nodes": nodes, "outputs": outputs, "constants": constants })
}

/// The inverse of [`write_graph`], for documents from anyone; the graph verifies.
///
/// # Errors
/// What is wrong, in the form of a diagnostic's message, for the caller to say of which file.
pub fn read_graph(json: &Json) -> std::result::Result<Graph, String> {
    let nodes = json.get("nodes").and_then(Json::as_array).ok_or("the graph has no list of nodes")?;
    if nodes.len() > MAX_NODES {
        return Err(format!("the graph has {} nodes, at most {MAX_NODES} are allowed", nodes.len()));
    }
    let mut graph = Graph::new();
    let mut ids: Vec<NodeId> = Vec::with_capacity(nodes.len());
    let mut size = Size::default();
    for (at, node) in nodes.iter().enumerate() {
        let fail = |message: String| format!("node {at}: {message}");
        check_attributes(node).map_err(fail)?;
        let NodeText { op, inputs, label } =
            NodeText::deserialize(node).map_err(|error| fail(error.to_string()))?;
        if let Op::Input(crate::ops::Input { ty })
        | Op::Constant(crate::ops::Constant { ty, .. })
        | Op::Param(crate::ops::Param { ty, .. }) = &op
        {
            check_type(ty).map_err(fail)?;
        }
        let inputs: Option<Vec<NodeId>> = inputs.iter().map(|&input| ids.get(input).copied()).collect();
        let inputs = inputs.ok_or_else(|| fail("has an input that does not come before it".into()))?;
        let id = graph.add(op, &inputs).map_err(|error| fail(error.message))?;
        check_type(graph.ty(id)).map_err(fail)?;
        size.add(&graph, id).map_err(fail)?;
        graph.set_origin(id, label, None);
        ids.push(id);
    }
    let outputs: Vec<usize> = Deserialize::deserialize(json.get("outputs").unwrap_or(&Json::Null))
        .map_err(|e| format!("outputs: {e}"))?;
    for output in outputs {
        let id = ids.get(output).ok_or(format!("output {output} is no node"))?;
        graph.add_output(*id);
    }
    read_constants(&mut graph, json)?;
    graph.verify().map_err(|error| error.to_string())?;
    Ok(graph)
}

fn read_constants(graph: &mut Graph, json: &Json) -> std::result::Result<(), String> {
    let constants = json.get("constants").and_then(Json::as_object).ok_or("the graph has no constants")?;
    for (name, constant) in constants {
        let shown: String = name.chars().take(60).flat_map(char::escape_default).collect();
        let fail = |message: &str| format!("constant `{shown}`: {message}");
        let ConstantText { dtype, shape, data } =
            ConstantText::deserialize(constant).map_err(|error| fail(&error.to_string()))?;
        check_shape(&shape).map_err(|message| fail(&message))?;
        let bytes = from_hex(&data).ok_or_else(|| fail("is not hexadecimal"))?;
        let value = Value::from_le_bytes(dtype, &shape, &bytes).ok_or_else(|| fail("has another size"))?;
        graph.set_constant(name.clone(), value);
    }
    Ok(())
}

/// What a graph would take to evaluate.
#[derive(Default)]
struct Size {
    elements: usize,
    work: u64,
}

impl Size {
    /// Counts a node whose type is within the limits, so that nothing here overflows.
    fn add(&mut self, graph: &Graph, id: NodeId) -> std::result::Result<(), String> {
        let (types, ty) = (graph.input_types(id), graph.ty(id));
        self.elements += ty.shape.elements();
        if self.elements > MAX_ELEMENTS {
            return Err(format!("brings the graph to more than {MAX_ELEMENTS} elements"));
        }
        let op = &graph.node(id).op;
        let visited = match op {
            Op::AvgPool2d(AvgPool2d { window, .. }) | Op::MaxPool2d(MaxPool2d { window, .. }) => {
                let taps = window.kernel[0].saturating_mul(window.kernel[1]);
                ty.shape.elements().saturating_mul(taps.min(types[0].shape.elements())) as u64
            }
            _ => 0,
        };
        self.work = self.work.saturating_add(visited).saturating_add(op.macs(&types, ty).0);
        if self.work > MAX_WORK {
            Err(format!("brings the graph to more than {MAX_WORK} operations"))
        } else {
            Ok(())
        }
    }
}

/// Limits every integer and the product of every list of integers, so that shape inference cannot overflow.
fn check_attributes(json: &Json) -> std::result::Result<(), String> {
    match json {
        Json::Number(number) => {
            let size = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            match size {
                Some(size) if size > MAX_ATTRIBUTE => Err(format!("{number} is too large")),
                _ => Ok(()),
            }
        }
        Json::Array(items) => {
            let mut product: u64 = 1;
            for item in items {
                check_attributes(item)?;
                let factor = item.as_u64().unwrap_or(1).max(1);
                product = product.saturating_mul(factor);
            }
            let limit = (MAX_ATTRIBUTE as usize).max(MAX_ELEMENTS) as u64;
            if product > limit { Err("a list of extents is too large".into()) } else { Ok(()) }
        }
        Json::Object(fields) => fields.values().try_for_each(check_attributes),
        Json::Null | Json::Bool(_) | Json::String(_) => Ok(()),
    }
}

fn check_shape(shape: &Shape) -> std::result::Result<(), String> {
    let elements = shape.0.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    match elements {
        Some(1..=MAX_ELEMENTS) if shape.rank() <= MAX_RANK => Ok(()),
        _ => Err(format!("the shape {shape} is empty or too large")),
    }
}

fn check_type(ty: &TensorType) -> std::result::Result<(), String> {
    check_shape(&ty.shape)?;
    let zero_point_fits = match (&ty.quant, ty.dtype.range()) {
        (Some(quant), Some((low, high))) => (low..=high).contains(&quant.zero_point),
        _ => true,
    };
    if zero_point_fits { Ok(()) } else { Err(format!("the zero point of {ty} is out of range")) }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_that_are_too_large_together_are_refused() {
        let large = json!({
            "op": { "op": "input", "ty": { "dtype": "i8", "shape": [1, 4096, 4096, 1],
                "quant": { "scales": [1.0], "zero_point": 0, "axis": null } } },
            "inputs": []
        });
        let graph =
            |count: usize| json!({ "nodes": vec![large.clone(); count], "outputs": [0], "constants": {} });
        read_graph(&graph(2)).expect("within the limit");
        let error = read_graph(&graph(3)).expect_err("beyond it");
        assert!(error.contains("elements"), "{error}");
    }
}
