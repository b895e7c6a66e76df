//! From an integer graph to a model of TensorFlow Lite that LiteRT's reference kernels run to the same bytes.
//!
//! Operators are written one by one, in the graph's order. What has no form there is remembered with its layer and the
//! reason, and the rest goes on, so that all of it is told at once. The bytes follow from the graph and the name alone.

mod build;
mod curves;
mod file;
mod layers;
mod moves;
mod weighted;
mod windows;

use std::collections::BTreeMap;
use std::fmt;

use file::File;

use crate::graph::{Graph, NodeId};
use crate::ops::Op;
use crate::tensor::{DType, Quant, TensorType};

/// Bytes of data in a model, at most: what the reader takes, with room for tables.
const MAX_BYTES: usize = 200 << 20;
/// Dimensions of a tensor, at most.
const MAX_RANK: usize = 8;

/// Why a layer cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// The layer that it comes from, as the spec has it; empty where it has no name.
    pub layer: String,
    /// The operator's name in nasc.
    pub operator: &'static str,
    /// The reason.
    pub why: String,
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.layer.as_str() {
            "" => write!(f, "{}: {}", self.operator, self.why),
            layer => write!(f, "layer `{}`, {}: {}", layer.escape_debug(), self.operator, self.why),
        }
    }
}

/// A layer of which LiteRT rounds some sums to the other side of a tie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beside {
    /// The layer, as the model names its output.
    pub layer: String,
    /// How many sums, over all output channels; each of them gives an output that is one apart.
    pub differing: u64,
    /// How many sums the channels can have.
    pub all: u64,
}

/// An input or output of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// The tensor's name.
    pub name: String,
    /// Its type.
    pub ty: TensorType,
}

/// A model that was written.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The file.
    pub bytes: Vec<u8>,
    /// How many operators of each name it has, by name.
    pub operators: BTreeMap<String, usize>,
    /// Inputs in the graph's order.
    pub inputs: Vec<End>,
    /// Outputs in the graph's order.
    pub outputs: Vec<End>,
    /// Layers that LiteRT does not compute to the same bytes for every input; without any, all bytes are the same.
    pub beside: Vec<Beside>,
}

/// Writes an integer graph, which verifies, as a model with this name.
///
/// # Errors
/// All layers that have no form in TensorFlow Lite with the same bytes.
pub fn export(graph: &Graph, name: &str) -> Result<Exported, Vec<Unwritten>> {
    let mut exporter = Exporter {
        graph,
        file: File::default(),
        places: vec![None; graph.len()],
        refusals: Vec::new(),
        beside: Vec::new(),
    };
    let inputs = graph.network_inputs();
    for node in graph.order() {
        exporter.node(node);
    }
    let outputs = exporter.outputs();
    let place = |node: &NodeId| exporter.places[node.index()].unwrap_or(0);
    let inputs: Vec<(i32, NodeId)> = inputs.iter().map(|node| (place(node), *node)).collect();
    let Exporter { file, mut refusals, beside, .. } = exporter;
    if file.data_bytes() > MAX_BYTES {
        let why = format!("its weights have {} B, and at most {MAX_BYTES} B are written", file.data_bytes());
        refusals.push(Unwritten { layer: String::new(), operator: "the network", why });
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let end = |&(tensor, node): &(i32, NodeId)| End {
        name: file.name(tensor).to_owned(),
        ty: graph.ty(node).clone(),
    };
    let ends = [inputs.iter().map(end).collect(), outputs.iter().map(end).collect()];
    let numbers = |ends: &[(i32, NodeId)]| ends.iter().map(|(tensor, _)| *tensor).collect::<Vec<i32>>();
    let (given, made) = (numbers(&inputs), numbers(&outputs));
    let [inputs, outputs] = ends;
    let operators = file.counts();
    Ok(Exported { bytes: file.bytes(name, &given, &made), operators, inputs, outputs, beside })
}

/// A model that is being made.
struct Exporter<'g> {
    graph: &'g Graph,
    file: File,
    /// The tensor of each node that has one.
    places: Vec<Option<i32>>,
    refusals: Vec<Unwritten>,
    beside: Vec<Beside>,
}

impl Exporter<'_> {
    /// Writes a node, or remembers why not.
    fn node(&mut self, node: NodeId) {
        let op = &self.graph.node(node).op;
        // Constants are written where they are used, since that decides what they are.
        if matches!(op, Op::Constant(_)) {
            return;
        }
        let found = activation(self.graph.ty(node)).and_then(|()| self.layer(node));
        let tensor = found.unwrap_or_else(|why| {
            let layer = self.graph.node(node).label.to_string();
            self.refusals.push(Unwritten { layer, operator: op.name(), why });
            // What follows is judged too.
            0
        });
        self.places[node.index()] = Some(tensor);
    }

    /// The tensor of an operator's input that is an activation.
    fn activation(&mut self, node: NodeId) -> Result<i32, String> {
        if let Some(tensor) = self.places[node.index()] {
            return Ok(tensor);
        }
        let ty = self.graph.ty(node);
        activation(ty)?;
        let Op::Constant(constant) = &self.graph.node(node).op else {
            return Err("it is computed after what reads it".into());
        };
        let value = self.graph.constant(&constant.name);
        let value = value.ok_or_else(|| format!("constant `{}` has no data", constant.name))?;
        let tensor = self.file.constant(&constant.name, ty, value.to_le_bytes());
        self.places[node.index()] = Some(tensor);
        Ok(tensor)
    }

    /// A name for what a node gives.
    fn name(&self, node: NodeId) -> String {
        let node = self.graph.node(node);
        if node.label.is_empty() { node.op.name().to_owned() } else { node.label.to_string() }
    }

    /// A new tensor for what a node gives.
    fn result(&mut self, node: NodeId) -> i32 {
        let name = self.name(node);
        self.file.tensor(&name, self.graph.ty(node))
    }

    /// The tensors of the outputs. What is an input, known beforehand or an output already is copied, since a tensor is
    /// one of these alone.
    fn outputs(&mut self) -> Vec<(i32, NodeId)> {
        let mut outputs: Vec<(i32, NodeId)> = Vec::new();
        for &node in self.graph.outputs() {
            let tensor = match self.activation(node) {
                Ok(tensor) => tensor,
                Err(why) => {
                    let operator = self.graph.node(node).op.name();
                    self.refusals.push(Unwritten { layer: self.name(node), operator, why });
                    continue;
                }
            };
            let is_computed = self.file.is_computed(tensor);
            let is_new = outputs.iter().all(|(known, _)| *known != tensor);
            let tensor = match is_computed && is_new {
                true => tensor,
                false => {
                    let copy = self.file.tensor("output", self.graph.ty(node));
                    self.reshaped(tensor, copy, &self.graph.ty(node).shape)
                }
            };
            outputs.push((tensor, node));
        }
        outputs
    }
}

/// Refuses what is no activation of 8 bits with one scale.
fn activation(ty: &TensorType) -> Result<(), String> {
    let is_sound = |quant: &Quant| quant.axis.is_none() && quant.scale(0).is_normal() && quant.scale(0) > 0.0;
    match &ty.quant {
        Some(quant) if ty.dtype == DType::I8 && is_sound(quant) => {}
        _ => return Err(format!("it gives {ty}, and activations of 8 bits with one scale are written")),
    }
    let extents = &ty.shape.0;
    if extents.len() > MAX_RANK || extents.iter().any(|&extent| i32::try_from(extent).is_err()) {
        return Err(format!("it gives {}, beyond what a model may have", ty.shape));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
