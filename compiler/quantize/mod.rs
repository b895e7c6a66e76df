//! From a deployment graph to an integer graph: post-training quantization, per channel.
//!
//! In: a deployment graph (batch normalisation folded), its weights, and the range of each activation on
//! calibration samples. Out: an integer graph after TFLite's 8-bit specification, with constants. [`skeleton`]
//! makes the same graph without weights, for costs before training; its constants are placeholders.
//! Not done here: training-aware quantization and other widths.

mod calibrate;
mod parameters;

use std::collections::BTreeMap;

use crate::graph::{Graph, NodeId, Weights};
use crate::ops::{
    Activation, Add, AvgPool2d, Constant, Conv2d, Dense, DepthwiseConv2d, Input, MaxPool2d, Op, Requant,
    Reshape,
};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

pub use calibrate::{Ranges, calibrate};
pub use parameters::{activation_quant, quantize_bias, quantize_weights, weight_scales};

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
    build(graph, &Unknown)
}

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
        let scales = weight_scales(weights, bias, &at.weight_ty.shape, at.axis, at.input_scale);
        let integers = quantize_weights(weights, &at.weight_ty.shape, at.axis, &scales);
        let bias_integers = quantize_bias(bias, at.input_scale, &scales);
        Ok(Quantized {
            weight: Value::from_i8(&at.weight_ty.shape, integers),
            bias: Value::from_i32(&Shape(vec![bias.len()]), bias_integers),
            scales,
        })
    }
}

struct Unknown;

impl Source for Unknown {
    fn activation(&self, _node: NodeId) -> Result<Quant, QuantizeError> {
        Ok(Quant::per_tensor(1.0, 0))
    }

    fn weights(&self, at: &Layer<'_>) -> Result<Quantized, QuantizeError> {
        let channels = at.weight_ty.shape.0[at.axis];
        Ok(Quantized { scales: vec![1.0; channels], weight: None, bias: None })
    }
}

fn build(graph: &Graph, source: &dyn Source) -> Result<Graph, QuantizeError> {
    let mut builder = Builder { graph, source, out: Graph::new(), map: BTreeMap::new(), n_layers: 0 };
    let parameters = calibrate::parameter_nodes(graph);
    for node in graph.order() {
        if parameters.contains(&node) {
            continue;
        }
        let quantized = builder.node(node)?;
        let origin = graph.node(node);
        builder.out.set_origin(quantized, origin.label.clone(), origin.span);
        builder.map.insert(node, quantized);
    }
    for output in graph.outputs() {
        builder.out.add_output(builder.map[output]);
    }
    Ok(builder.out)
}

struct Builder<'a> {
    graph: &'a Graph,
    source: &'a dyn Source,
    out: Graph,
    map: BTreeMap<NodeId, NodeId>,
    n_layers: usize,
}

impl Builder<'_> {
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
                let inputs = self.weighted(&inputs, 0)?;
                let requant = Some(self.requant(node, Rounding::Double)?);
                self.add(Conv2d { requant, ..conv }, &inputs)
            }
            Op::DepthwiseConv2d(conv) => {
                let inputs = self.weighted(&inputs, 3)?;
                let requant = Some(self.requant(node, Rounding::Double)?);
                self.add(DepthwiseConv2d { requant, ..conv }, &inputs)
            }
            Op::Dense(dense) => {
                let inputs = self.weighted(&inputs, 0)?;
                let requant = Some(self.requant(node, Rounding::Single)?);
                self.add(Dense { requant, ..dense }, &inputs)
            }
            Op::Add(add) => {
                let inputs = [self.map[&inputs[0]], self.map[&inputs[1]]];
                let requant = Some(self.requant(node, Rounding::Double)?);
                self.add(Add { requant, ..add }, &inputs)
            }
            Op::Activation(Activation { clamp }) => self.add(Activation { clamp }, &[self.map[&inputs[0]]]),
            Op::AvgPool2d(AvgPool2d { window, clamp }) => {
                self.add(AvgPool2d { window, clamp }, &[self.map[&inputs[0]]])
            }
            Op::MaxPool2d(MaxPool2d { window, clamp }) => {
                self.add(MaxPool2d { window, clamp }, &[self.map[&inputs[0]]])
            }
            Op::Reshape(Reshape { shape }) => self.add(Reshape { shape }, &[self.map[&inputs[0]]]),
            Op::BatchNorm(_) | Op::Param(_) | Op::Constant(_) | Op::FoldWeight(_) | Op::FoldBias(_) => {
                let name = self.graph.node(node).op.name();
                Err(QuantizeError(format!("`{name}` at node {} has no integer form here", node.index())))
            }
        }
    }

    fn requant(&self, node: NodeId, rounding: Rounding) -> Result<Requant, QuantizeError> {
        let quant = self.source.activation(node)?;
        Ok(Requant { dtype: DType::I8, scale: quant.scales[0], zero_point: quant.zero_point, rounding })
    }

    /// The inputs of a layer with weights: data, integer weights, integer bias.
    fn weighted(&mut self, inputs: &[NodeId], axis: usize) -> Result<[NodeId; 3], QuantizeError> {
        let &[x, weight, bias] = inputs else {
            return Err(QuantizeError("a layer with weights has three inputs".into()));
        };
        let x = self.map[&x];
        let input_scale = self.out.ty(x).quant.as_ref().map_or(1.0, |quant| quant.scale(0));
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
        Ok([x, weight, bias])
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
