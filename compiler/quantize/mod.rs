//! From a deployment graph to an integer graph: post-training quantization, per channel.
//!
//! In: a deployment graph (batch normalisation folded), its weights, and the range of each activation on
//! calibration samples. Out: an integer graph after TFLite's 8-bit specification, with constants. [`skeleton`]
//! makes the same graph without weights, for costs before training; its constants are placeholders.
//! Not done here: training-aware quantization and other widths.

mod calibrate;
mod parameters;
mod share;

use std::collections::BTreeMap;

use crate::graph::{Graph, NodeId, Weights};
use crate::ops::{
    Add, Concat, Constant, Conv2d, Curve, CurveFunction, Dense, DepthwiseConv2d, Input, Mul, Op, Requant,
    Requantize,
};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

pub use calibrate::{Ranges, calibrate};
use share::Shares;

pub use parameters::{
    activation_quant, least_curve_scale, least_output_scale, least_product_scale, least_requantized_scale,
    least_sum_scale, quantize_bias, quantize_weights, weight_scales,
};

#[cfg(test)]
pub(crate) mod tests;

/// Why a graph cannot be quantized: always a bug of the pass before, or weights that are not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuantizeError(pub String);

impl std::fmt::Display for QuantizeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The integer graph of a trained network.
///
/// # Errors
/// When weights are missing or not finite, or the graph still has operators for floats only.
pub fn quantize(graph: &Graph, weights: &Weights, ranges: &Ranges) -> Result<Graph, QuantizeError> {
    let parameters = calibrate::parameters(graph, weights)?;
    build(graph, &Known { parameters: &parameters, ranges })
}

/// The integer graph of an untrained network: right in shapes and types, placeholders for constants.
///
/// # Errors
/// When the graph still has operators for floats only.
pub fn skeleton(graph: &Graph) -> Result<Graph, QuantizeError> {
    build(graph, &Unknown { graph })
}

/// What the specification wants of a sigmoid: all of 0..1, so its range need not be known.
const SIGMOID: Requant =
    Requant { dtype: DType::I8, scale: Scale(1.0 / 256.0), zero_point: -128, rounding: Rounding::Double };

/// Where the integer parameters come from.
trait Source {
    /// Quantization of an activation.
    fn activation(&self, node: NodeId) -> Result<Quant, QuantizeError>;
    /// Weights with one scale for each index of `axis`, and the bias, given the input's scale.
    fn weights(&self, at: &Layer<'_>) -> Result<Quantized, QuantizeError>;
}

/// A layer with weights.
struct Layer<'a> {
    weight: NodeId,
    bias: NodeId,
    weight_ty: &'a TensorType,
    axis: usize,
    input_scale: f32,
}

/// Integer weights and bias.
struct Quantized {
    scales: Vec<f32>,
    weight: Option<Value>,
    bias: Option<Value>,
    /// The least scale of the output with which no sum overflows.
    least_scale: f32,
}

struct Known<'a> {
    parameters: &'a BTreeMap<NodeId, Value>,
    ranges: &'a Ranges,
}

impl Known<'_> {
    fn floats(&self, node: NodeId) -> Result<&[f32], QuantizeError> {
        let value = self.parameters.get(&node).and_then(Value::as_f32).and_then(|array| array.as_slice());
        value.ok_or_else(|| QuantizeError(format!("the parameter of node {} is unknown", node.index())))
    }
}

impl Source for Known<'_> {
    fn activation(&self, node: NodeId) -> Result<Quant, QuantizeError> {
        let range = self.ranges.get(&node);
        let &(low, high) =
            range.ok_or_else(|| QuantizeError(format!("no range of node {} is known", node.index())))?;
        Ok(activation_quant(low, high))
    }

    fn weights(&self, at: &Layer<'_>) -> Result<Quantized, QuantizeError> {
        let (weights, bias) = (self.floats(at.weight)?, self.floats(at.bias)?);
        if weights.iter().chain(bias).any(|x| !x.is_finite()) {
            return Err(QuantizeError("a weight is not finite".into()));
        }
        let shape = &at.weight_ty.shape;
        let scales = weight_scales(weights, bias, shape, at.axis, at.input_scale);
        if scales.iter().any(|scale| !scale.is_normal() || !(scale * at.input_scale).is_normal()) {
            return Err(QuantizeError("weights or biases are too large for any scale".into()));
        }
        let integers = quantize_weights(weights, shape, at.axis, &scales);
        let bias_integers = quantize_bias(bias, at.input_scale, &scales);
        Ok(Quantized {
            least_scale: least_output_scale(at.input_scale, &scales),
            weight: Value::from_i8(&at.weight_ty.shape, integers),
            bias: Value::from_i32(&Shape::from([bias.len()]), bias_integers),
            scales,
        })
    }
}

struct Unknown<'a> {
    graph: &'a Graph,
}

impl Source for Unknown<'_> {
    /// Concatenations differ from all others, as they do once ranges are known, so that no rewriting takes a
    /// requantization away that the trained network needs.
    fn activation(&self, node: NodeId) -> Result<Quant, QuantizeError> {
        let more = match self.graph.node(node).op {
            Op::Concat(_) => (node.index() + 1) as f32 / 65_536.0,
            _ => 0.0,
        };
        Ok(Quant::per_tensor(1.0 + more, 0))
    }

    fn weights(&self, at: &Layer<'_>) -> Result<Quantized, QuantizeError> {
        let channels = at.weight_ty.shape.0[at.axis];
        Ok(Quantized { scales: vec![1.0; channels], weight: None, bias: None, least_scale: 0.0 })
    }
}

fn build(graph: &Graph, source: &dyn Source) -> Result<Graph, QuantizeError> {
    let shares = Shares::new(graph);
    let mut floors = BTreeMap::new();
    // A round ends early where a concatenation's scale is too small for one of its makers, and the next one gives
    // it a greater one; hardly any network needs a second round.
    for _ in 0..=graph.len() {
        let mut builder = Builder::new(graph, source, &shares, &floors);
        match build_once(&mut builder) {
            Err(error) => match builder.raised {
                Some((owner, scale)) => _ = floors.insert(owner, scale),
                None => return Err(error),
            },
            Ok(()) => return Ok(builder.out),
        }
    }
    Err(QuantizeError("the scales of concatenations do not settle".into()))
}

fn build_once(builder: &mut Builder<'_>) -> Result<(), QuantizeError> {
    let graph = builder.graph;
    let parameters = calibrate::parameter_nodes(graph);
    for node in graph.order() {
        if parameters.contains(&node) {
            continue;
        }
        let quantized = builder.node(node)?;
        let origin = graph.node(node);
        builder.out.set_origin(quantized, origin.label.clone(), origin.span);
        builder.map[node.index()] = Some(quantized);
    }
    for output in graph.outputs() {
        let output = builder.known(*output)?;
        builder.out.add_output(output);
    }
    Ok(())
}

struct Builder<'a> {
    graph: &'a Graph,
    source: &'a dyn Source,
    out: Graph,
    /// The integer node of each node that has one.
    map: Vec<Option<NodeId>>,
    n_layers: usize,
    shares: &'a Shares,
    /// Least scales of concatenations.
    floors: &'a BTreeMap<NodeId, f32>,
    /// A concatenation whose scale is too small, with one that is not.
    raised: Option<(NodeId, f32)>,
}

impl<'a> Builder<'a> {
    fn new(
        graph: &'a Graph,
        source: &'a dyn Source,
        shares: &'a Shares,
        floors: &'a BTreeMap<NodeId, f32>,
    ) -> Builder<'a> {
        let (out, map) = (Graph::with_capacity(graph.len()), vec![None; graph.len()]);
        Builder { graph, source, out, map, n_layers: 0, shares, floors, raised: None }
    }

    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> Result<NodeId, QuantizeError> {
        self.out.add(op, inputs).map_err(|error| QuantizeError(error.message))
    }

    fn node(&mut self, node: NodeId) -> Result<NodeId, QuantizeError> {
        let op = self.graph.node(node).op.clone();
        let inputs = self.graph.inputs(node);
        match op {
            Op::Input(input) => {
                let ty = TensorType::quantized(DType::I8, input.ty.shape, self.source.activation(node)?);
                self.add(Input { ty }, &[])
            }
            Op::Conv2d(conv) => {
                let (inputs, least) = self.weighted(inputs, 0)?;
                let requant = Some(self.requant(node, least, Rounding::Double)?);
                self.add(Conv2d { requant, ..conv }, &inputs)
            }
            Op::DepthwiseConv2d(conv) => {
                let (inputs, least) = self.weighted(inputs, 3)?;
                let requant = Some(self.requant(node, least, Rounding::Double)?);
                self.add(DepthwiseConv2d { requant, ..conv }, &inputs)
            }
            Op::Dense(dense) => {
                let (inputs, least) = self.weighted(inputs, 0)?;
                let requant = Some(self.requant(node, least, Rounding::Single)?);
                self.add(Dense { requant, ..dense }, &inputs)
            }
            Op::Add(add) => {
                let inputs = [self.known(inputs[0])?, self.known(inputs[1])?];
                let least = least_sum_scale(inputs.map(|input| self.scale(input)));
                let requant = Some(self.requant(node, least, Rounding::Double)?);
                self.add(Add { requant, ..add }, &inputs)
            }
            // Input and output have the same quantization.
            Op::Activation(_)
            | Op::AvgPool2d(_)
            | Op::MaxPool2d(_)
            | Op::Reshape(_)
            | Op::Pad(_)
            | Op::Upsample2d(_) => self.add(op, &[self.known(inputs[0])?]),
            Op::Mul(mul) => {
                let inputs = [self.known(inputs[0])?, self.known(inputs[1])?];
                let least = least_product_scale(inputs.map(|input| self.scale(input)));
                let requant = Some(self.requant(node, least, Rounding::Double)?);
                self.add(Mul { requant, ..mul }, &inputs)
            }
            Op::Curve(Curve { function, .. }) => self.curve(node, function, inputs[0]),
            Op::Concat(_) => self.concat(node, inputs),
            Op::BatchNorm(_)
            | Op::Param(_)
            | Op::Constant(_)
            | Op::FoldWeight(_)
            | Op::FoldBias(_)
            | Op::Dropout(_)
            | Op::Requantize(_)
            | Op::Softmax(_)
            | Op::Squash(_)
            | Op::Slice(_)
            | Op::Mean(_)
            | Op::Elementwise(_)
            | Op::Lookup(_)
            | Op::ResizeBilinear(_)
            | Op::Transpose(_)
            | Op::TransposeConv2d(_) => Err(self.formless(node)),
        }
    }

    fn formless(&self, node: NodeId) -> QuantizeError {
        let name = self.graph.node(node).op.name();
        QuantizeError(format!("`{name}` at node {} has no integer form here", node.index()))
    }

    /// The integer node of an activation.
    fn known(&self, node: NodeId) -> Result<NodeId, QuantizeError> {
        let found = self.map[node.index()];
        found.ok_or_else(|| QuantizeError(format!("node {} is no activation", node.index())))
    }

    /// The scale of an integer node.
    fn scale(&self, node: NodeId) -> f32 {
        self.out.ty(node).quant.as_ref().map_or(1.0, |quant| quant.scale(0))
    }

    fn curve(&mut self, node: NodeId, function: CurveFunction, x: NodeId) -> Result<NodeId, QuantizeError> {
        let x = self.known(x)?;
        let least = least_curve_scale(self.scale(x));
        let requant = match function {
            CurveFunction::Sigmoid => SIGMOID,
            CurveFunction::Hswish | CurveFunction::Hsigmoid => self.requant(node, least, Rounding::Double)?,
        };
        self.add(Curve { function, requant: Some(requant) }, &[x])
    }

    /// A concatenation, after the requantization of the inputs that do not come with its quantization.
    fn concat(&mut self, node: NodeId, inputs: &[NodeId]) -> Result<NodeId, QuantizeError> {
        let mut parts = Vec::with_capacity(inputs.len());
        for &input in inputs {
            let x = self.known(input)?;
            if self.shares.is_joined(node, input) {
                parts.push(x);
                continue;
            }
            let least = least_requantized_scale(self.scale(x));
            let requant = self.requant(node, least, Rounding::Double)?;
            let part = self.add(Requantize { requant }, &[x])?;
            let origin = self.graph.node(node);
            self.out.set_origin(part, origin.label.clone(), origin.span);
            parts.push(part);
        }
        self.add(Concat {}, &parts)
    }

    /// The output's quantization: that of its range, or of the concatenation that it ends in, with a scale of at
    /// least `least`.
    fn requant(&mut self, node: NodeId, least: f32, rounding: Rounding) -> Result<Requant, QuantizeError> {
        let owner = self.shares.owner(node);
        let quant = self.source.activation(owner)?;
        let scale = quant.scale(0).max(self.floors.get(&owner).copied().unwrap_or(0.0));
        if !least.is_finite() {
            return Err(QuantizeError("activations are too large for any scale".into()));
        }
        let is_shared = owner != node || matches!(self.graph.node(owner).op, Op::Concat(_));
        if is_shared && least > scale {
            self.raised = Some((owner, least));
            return Err(QuantizeError("a concatenation needs a greater scale".into()));
        }
        let scale = Scale(scale.max(least));
        Ok(Requant { dtype: DType::I8, scale, zero_point: quant.zero_point, rounding })
    }

    /// The inputs of a layer with weights: data, integer weights, integer bias; with the least output scale.
    fn weighted(&mut self, inputs: &[NodeId], axis: usize) -> Result<([NodeId; 3], f32), QuantizeError> {
        let &[x, weight, bias] = inputs else {
            return Err(QuantizeError("a layer with weights has three inputs".into()));
        };
        let x = self.known(x)?;
        let input_scale = self.scale(x);
        let weight_ty = self.graph.ty(weight);
        let bias_shape = self.graph.ty(bias).shape.clone();
        let found = self.source.weights(&Layer { weight, bias, weight_ty, axis, input_scale })?;
        let layer = self.n_layers;
        self.n_layers += 1;
        let weight_quant = Quant::per_channel(found.scales.clone(), axis);
        let weight_ty = TensorType::quantized(DType::I8, weight_ty.shape.clone(), weight_quant);
        let bias_scales = found.scales.iter().map(|scale| Scale(input_scale * scale)).collect();
        let bias_quant = Quant { scales: bias_scales, zero_point: 0, axis: Some(0) };
        let bias_ty = TensorType::quantized(DType::I32, bias_shape, bias_quant);
        let weight = self.constant(format!("{layer}.weight"), weight_ty, found.weight)?;
        let bias = self.constant(format!("{layer}.bias"), bias_ty, found.bias)?;
        Ok(([x, weight, bias], found.least_scale))
    }

    fn constant(
        &mut self,
        name: String,
        ty: TensorType,
        value: Option<Value>,
    ) -> Result<NodeId, QuantizeError> {
        if let Some(value) = value {
            self.out.set_constant(name.clone(), value);
        }
        self.add(Constant { name, ty }, &[])
    }
}
