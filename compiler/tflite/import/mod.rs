//! From a model's tables to an integer graph.
//!
//! Operators are taken over one by one, in the order of the file. What cannot be is remembered with its reason, and the
//! rest goes on, so that all of it is told at once; what follows from something refused is not told.
//!
//! | operators of TensorFlow Lite | as |
//! |---|---|
//! | `CONV_2D`, `DEPTHWISE_CONV_2D`, `TRANSPOSE_CONV` | convolutions |
//! | `FULLY_CONNECTED` | a dense layer on one vector or many; weights are constants |
//! | `ADD`, `SUB`, `MUL`, `MAXIMUM`, `MINIMUM`, `PRELU` | functions of two with broadcasting; a table for one number |
//! | `RELU`, `RELU6`, `LEAKY_RELU`, `TANH`, `LOGISTIC`, `HARD_SWISH` | a clamp, a curve or a table |
//! | `AVERAGE_POOL_2D`, `MAX_POOL_2D`, `MEAN`, `REDUCE_MAX` | pools and means |
//! | `CONCATENATION`, `PACK`, `SPLIT`, `SPLIT_V`, `UNPACK`, `SLICE`, `STRIDED_SLICE` | copies along any dimension |
//! | `PAD`, `TRANSPOSE`, `RESHAPE`, `SQUEEZE`, `EXPAND_DIMS` | copies, or nothing |
//! | `RESIZE_NEAREST_NEIGHBOR`, `RESIZE_BILINEAR` | larger or smaller maps |
//! | `QUANTIZE`, `DEQUANTIZE` | a requantization; a table where floats lie in between; the border of the graph |
//! | `SOFTMAX` | itself |
//!
//! With 16 bits an activation has zero point 0, and weights have 8 bits; `HARD_SWISH` has no such form.
//!
//! Bytes without a sign, as older models have them, are those with one, 128 lower, in all of these: their kernels give
//! the same. Where they do not, the operator is refused: pools of means of an even number of elements, and
//! interpolation. Weights less their zero point have to fit 8 bits.

mod borders;
mod bytes;
mod joins;
mod layers;
mod nearest;
mod pairs;
mod parts;
mod reductions;
mod tensors;
mod wide;

use std::collections::BTreeMap;
use std::fmt;

use super::flat::Broken;
use super::model::{Element, Model, Operator};
use super::names::DEQUANTIZE;
use crate::graph::{Graph, NodeId};
use crate::ops::ShapeError;
use crate::tensor::{DType, Quant};

/// Between `UINT8` and `INT8` of the same meaning.
const SIGN: i32 = 128;

/// Why something of a model is not taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The operator by its place in the file; `None` for inputs and outputs of the model.
    pub operator: Option<usize>,
    /// Its name.
    pub name: String,
    /// The tensor that it is about, with its name.
    pub tensor: Option<(usize, String)>,
    /// The reason.
    pub why: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.operator {
            Some(place) => write!(f, "operator {place}, {}", self.name)?,
            None => write!(f, "{}", self.name)?,
        }
        if let Some((number, name)) = &self.tensor {
            write!(f, ", tensor {number} `{name}`")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// What a network is given or gives, as the file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// The tensor's name.
    pub name: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// What its elements are in the file; the graph has them in 8 or 16 bits.
    pub element: Element,
    /// What the graph's integers mean.
    pub quant: Quant,
    /// The least and the greatest of the graph's integers.
    pub range: (i32, i32),
    /// What was taken away between it and the graph: `QUANTIZE` or `DEQUANTIZE`.
    pub border: Option<String>,
}

impl Port {
    /// The graph's integers for a tensor of the file's own elements.
    pub fn to_graph(&self, elements: &[f32]) -> Vec<i32> {
        let one = |&x: &f32| match self.element {
            Element::Known(DType::F32) => quantized(x, &self.quant, self.range),
            Element::U8 => x as i32 - SIGN,
            Element::Known(_) | Element::I64 | Element::Other(_) => x as i32,
        };
        elements.iter().map(one).collect()
    }

    /// The file's own elements for the graph's integers.
    pub fn from_graph(&self, integers: &[i32]) -> Vec<f32> {
        let (scale, zero_point) = (self.quant.scale(0), self.quant.zero_point);
        let one = |&x: &i32| match self.element {
            Element::Known(DType::F32) => (x - zero_point) as f32 * scale,
            Element::U8 => (x + SIGN) as f32,
            Element::Known(_) | Element::I64 | Element::Other(_) => x as f32,
        };
        integers.iter().map(one).collect()
    }
}

/// A tensor of the file that a node of the graph gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Tap {
    /// The operator by its place in the file.
    pub operator: usize,
    /// The operator's name.
    pub kind: String,
    /// The node.
    pub node: NodeId,
    /// The tensor.
    port: Port,
}

impl Tap {
    /// The tensor's name.
    pub fn tensor(&self) -> &str {
        &self.port.name
    }

    /// The file's own elements for the graph's integers.
    pub fn to_file(&self, integers: &[i32]) -> Vec<f32> {
        self.port.from_graph(integers)
    }
}

/// The integer of a real number, within a range.
///
/// Source  LiteRT 2.3.0, reference kernel of QUANTIZE: the quotient is one of float32
fn quantized(x: f32, quant: &Quant, (low, high): (i32, i32)) -> i32 {
    let rounded = (x / quant.scale(0)).round().clamp(i32::MIN as f32, i32::MAX as f32) as i32;
    rounded.saturating_add(quant.zero_point).clamp(low, high)
}

/// A model as a graph.
#[derive(Clone, Debug)]
pub struct Imported {
    /// The graph, with its constants.
    pub graph: Graph,
    /// Inputs in the order of the file.
    pub inputs: Vec<Port>,
    /// Outputs in the order of the file.
    pub outputs: Vec<Port>,
    /// What operators give, in the order of the file.
    pub taps: Vec<Tap>,
}

/// The graph of a model.
///
/// # Errors
/// All that cannot be taken over.
pub fn import(model: &Model<'_>) -> Result<Imported, Vec<Refusal>> {
    let mut importer = Importer {
        model,
        graph: Graph::new(),
        places: vec![Place::Absent; model.tensors.len()],
        constants: BTreeMap::new(),
        refusals: Vec::new(),
    };
    let inputs = importer.inputs();
    for place in 0..model.operators.len() {
        importer.operator(place);
    }
    let outputs = importer.outputs();
    match importer.refusals.is_empty() {
        true => {
            let taps = importer.taps();
            Ok(Imported { graph: importer.graph, inputs, outputs, taps })
        }
        false => Err(importer.refusals),
    }
}

/// Where the value of a tensor is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Nowhere yet.
    Absent,
    /// It is what a node gives.
    Node(NodeId),
    /// It is the real numbers that the integers of a node stand for.
    Reals(NodeId),
    /// It is an input or output of the model outside of the graph, beside this tensor which is inside.
    Border,
    /// It follows from what was refused.
    Refused,
}

/// A reason, and the tensor that it is about.
#[derive(Debug)]
struct Why {
    tensor: Option<usize>,
    text: String,
}

impl Why {
    fn of(tensor: usize, text: impl Into<String>) -> Why {
        Why { tensor: Some(tensor), text: text.into() }
    }
}

impl From<String> for Why {
    fn from(text: String) -> Why {
        Why { tensor: None, text }
    }
}

impl From<&str> for Why {
    fn from(text: &str) -> Why {
        Why { tensor: None, text: text.to_owned() }
    }
}

impl From<Broken> for Why {
    fn from(broken: Broken) -> Why {
        broken.to_string().into()
    }
}

impl From<ShapeError> for Why {
    fn from(error: ShapeError) -> Why {
        error.message.into()
    }
}

/// A graph that is being made.
struct Importer<'m, 'a> {
    model: &'m Model<'a>,
    graph: Graph,
    /// Of each tensor.
    places: Vec<Place>,
    /// Constants of the file that the graph has, by number, one for each type that they are read as.
    constants: BTreeMap<usize, Vec<NodeId>>,
    refusals: Vec<Refusal>,
}

impl<'a> Importer<'_, 'a> {
    fn refuse(&mut self, operator: Option<usize>, name: impl Into<String>, why: Why) {
        let tensor = why.tensor.map(|number| (number, self.model.tensors[number].name.clone()));
        self.refusals.push(Refusal { operator, name: name.into(), tensor, why: why.text });
    }

    /// Tensors that nodes give.
    fn taps(&self) -> Vec<Tap> {
        let mut taps = Vec::new();
        for (place, operator) in self.model.operators.iter().enumerate() {
            for number in operator.outputs.iter().filter_map(|number| usize::try_from(number).ok()) {
                let at = self.model.outputs.iter().position(|&output| output == number);
                let node = match (self.places[number], at) {
                    (Place::Node(node) | Place::Reals(node), _) => node,
                    (Place::Border, Some(at)) => self.graph.outputs()[at],
                    _ => continue,
                };
                let port = borders::port(self.tensor(number), self.graph.ty(node), None);
                taps.push(Tap { operator: place, kind: operator.name.clone(), node, port });
            }
        }
        taps
    }

    /// Takes an operator over, or remembers why not.
    fn operator(&mut self, place: usize) {
        let model = self.model;
        let operator = &model.operators[place];
        let outputs = || operator.outputs.iter().filter_map(|number| usize::try_from(number).ok());
        // Borders are read where inputs and outputs are.
        if outputs().any(|output| self.places[output] != Place::Absent) {
            return;
        }
        let is_refused =
            |number: i32| usize::try_from(number).is_ok_and(|number| self.places[number] == Place::Refused);
        if operator.inputs.iter().any(is_refused) {
            outputs().for_each(|output| self.places[output] = Place::Refused);
            return;
        }
        if self.is_border(operator) {
            outputs().for_each(|output| self.places[output] = Place::Border);
            return;
        }
        let before = self.graph.len();
        let found = match operator.code {
            DEQUANTIZE => self.reals(operator).map(|node| vec![Place::Reals(node)]),
            _ => self.layer(operator).map(|nodes| {
                // What an operator passes on keeps the name of what made it.
                for &node in nodes.iter().filter(|node| node.index() >= before) {
                    self.graph.set_origin(node, format!("{place} {}", operator.name), None);
                }
                nodes.into_iter().map(Place::Node).collect()
            }),
        };
        match found {
            Ok(places) => outputs().zip(places).for_each(|(output, place)| self.places[output] = place),
            Err(why) => {
                self.refuse(Some(place), operator.name.clone(), why);
                outputs().for_each(|output| self.places[output] = Place::Refused);
            }
        }
    }

    /// The number of an operator's input; `None` where it is left out.
    fn input(&self, operator: &Operator<'a>, position: usize) -> Option<usize> {
        operator.inputs.iter().nth(position).and_then(|number| usize::try_from(number).ok())
    }

    /// The number of an operator's input, which has to be there.
    fn given(&self, operator: &Operator<'a>, position: usize) -> Result<usize, Why> {
        self.input(operator, position).ok_or_else(|| format!("it has no input {position}").into())
    }

    /// The number of an operator's one output.
    fn output(&self, operator: &Operator<'a>) -> Result<usize, Why> {
        match operator.outputs.iter().map(usize::try_from).collect::<Vec<_>>()[..] {
            [Ok(output)] => Ok(output),
            _ => Err(format!("it has {} outputs instead of 1", operator.outputs.len()).into()),
        }
    }
}
