//! Layers with weights: CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED.
//!
//! The first two round twice and the last one once. A dense layer that rounds twice is written as a convolution of one
//! pixel, and a convolution that rounds once and sees its whole input as FULLY_CONNECTED.

use super::build::{Field, Table};
use super::file::Kind;
use super::layers::{act, moving, padded_type, plane, sides};
use super::windows::{Border, border};
use super::{Beside, Exporter};
use crate::graph::NodeId;
use crate::ops::{Clamp, Op, Padding, Requant, Window};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, Quant, Scale, Shape, TensorType};
use crate::tflite::names;
use crate::tflite::sums::{Settled, Weighted};

const CONV_2D: Kind = Kind::new(names::CONV_2D, 3, [1, 14]);
const DEPTHWISE_CONV_2D: Kind = Kind::new(names::DEPTHWISE_CONV_2D, 3, [1, 14]);
const FULLY_CONNECTED: Kind = Kind::new(names::FULLY_CONNECTED, 4, [1, 14]);
const PAD: Kind = Kind::new(names::PAD, 2, [1, 14]);

/// Kinds of options.
mod kinds {
    pub(super) const CONV_2D: u8 = 1;
    pub(super) const DEPTHWISE_CONV_2D: u8 = 2;
    pub(super) const FULLY_CONNECTED: u8 = 8;
    pub(super) const PAD: u8 = 22;
}

/// A layer with weights, with what is known of it.
struct Layer {
    node: NodeId,
    x_ty: TensorType,
    w_ty: TensorType,
    /// The dimension of the weights that output channels count along.
    axis: usize,
    weights: Vec<i32>,
    bias: Vec<i32>,
    multipliers: Vec<Multiplier>,
    clamp: Clamp,
    requant: Requant,
    /// `None` for a dense layer.
    window: Option<Window>,
}

impl Layer {
    fn is_depthwise(&self) -> bool {
        self.axis == 3
    }

    /// Whether a window sees all of its input at once.
    fn sees_all(&self, window: &Window) -> bool {
        let whole = plane(&self.x_ty).is_ok_and(|plane| plane == window.kernel);
        whole && window.padding == Padding::default() && window.dilation == [1, 1] && !self.is_depthwise()
    }
}

impl Exporter<'_> {
    /// A convolution, a depthwise one or a dense layer.
    pub(super) fn with_weights(&mut self, node: NodeId) -> Result<i32, String> {
        let layer = self.read(node)?;
        let output = self.graph.ty(node);
        let sums = Weighted {
            x: &layer.x_ty,
            w: &layer.w_ty,
            output,
            axis: layer.axis,
            weights: &layer.weights,
            bias: &layer.bias,
            multipliers: &layer.multipliers,
            range: layer.clamp.range(&layer.requant),
        };
        sums.fits(layer.requant.rounding)?;
        match (layer.requant.rounding, &layer.window) {
            (Rounding::Double, Some(window)) => {
                let x = self.first(node)?;
                let result = self.result(node);
                self.convolved(&layer, window, x, result)
            }
            (Rounding::Single, None) => {
                let settled = sums.settled()?;
                let x = self.first(node)?;
                let result = self.result(node);
                self.connected(&layer, settled, x, result)
            }
            (Rounding::Double, None) => self.as_pixel(&layer),
            (Rounding::Single, Some(window)) if layer.sees_all(window) => {
                let settled = sums.settled()?;
                self.as_vector(&layer, settled)
            }
            // As LiteRT does.
            (Rounding::Precise, None) => {
                let settled = Settled::of(&layer.w_ty)?;
                let x = self.first(node)?;
                let result = self.result(node);
                self.connected(&layer, settled, x, result)
            }
            (Rounding::Wide | Rounding::Precise, _) => {
                Err("it rounds in a way that LiteRT has no layer for".into())
            }
            (Rounding::Single, Some(_)) => Err("it rounds once, and LiteRT rounds convolutions twice".into()),
        }
    }

    /// Reads a layer's attributes and constants.
    fn read(&self, node: NodeId) -> Result<Layer, String> {
        let &[x, w, b] = self.graph.inputs(node) else { return Err("it has not three inputs".into()) };
        let (x_ty, w_ty, output) = (self.graph.ty(x), self.graph.ty(w), self.graph.ty(node));
        let no_floats =
            |requant: Option<Requant>| requant.ok_or_else(|| "it computes with floats".to_owned());
        let (axis, window, clamp, requant, multipliers) = match &self.graph.node(node).op {
            Op::Conv2d(conv) => {
                let requant = no_floats(conv.requant)?;
                (0, Some(conv.window), conv.clamp, requant, conv.multipliers(x_ty, w_ty, output))
            }
            Op::DepthwiseConv2d(conv) => {
                let requant = no_floats(conv.requant)?;
                (3, Some(conv.window), conv.clamp, requant, conv.multipliers(x_ty, w_ty, output))
            }
            Op::Dense(dense) => {
                let requant = no_floats(dense.requant)?;
                (0, None, dense.clamp, requant, dense.multipliers(x_ty, w_ty, output))
            }
            other => return Err(format!("`{}` has no weights", other.name())),
        };
        if w_ty.dtype != DType::I8 {
            return Err(format!("its weights are {}, and those of 8 bits are written", w_ty.dtype));
        }
        let is_sound = |scale: &Scale| scale.0.is_normal() && scale.0 > 0.0;
        if !w_ty.quant.as_ref().is_some_and(|quant| quant.scales.iter().all(is_sound)) {
            return Err("a scale of its weights is no normal number".into());
        }
        Ok(Layer {
            node,
            x_ty: x_ty.clone(),
            w_ty: w_ty.clone(),
            axis,
            weights: self.known(w, "weights")?,
            bias: self.known(b, "bias")?,
            multipliers,
            clamp,
            requant,
            window,
        })
    }

    /// The integers of a constant.
    fn known(&self, node: NodeId, what: &str) -> Result<Vec<i32>, String> {
        let Op::Constant(constant) = &self.graph.node(node).op else {
            return Err(format!("its {what} are computed"));
        };
        let value = self.graph.constant(&constant.name).and_then(|value| value.to_i32_vec());
        value.ok_or_else(|| format!("its {what} have no data"))
    }

    /// Weights of a shape with scales, and a bias with the scales of their sums.
    fn parameters(&mut self, layer: &Layer, shape: Shape, quant: &Quant) -> Result<[i32; 2], String> {
        let name = self.name(layer.node);
        let sum_scale = |scale: &Scale| {
            let x = layer.x_ty.quant.as_ref().map_or(1.0, |quant| quant.scale(0));
            Some(Scale(x * scale.0)).filter(|scale| scale.0.is_normal())
        };
        let scales: Option<Vec<Scale>> = quant.scales.iter().map(sum_scale).collect();
        let scales = scales.ok_or("the scale of its sums is beyond floats of 32 bits")?;
        let data = layer.weights.iter().map(|&weight| weight as u8).collect();
        let w_ty = TensorType::quantized(DType::I8, shape, quant.clone());
        let w = self.file.constant(&format!("{name}/weights"), &w_ty, data);
        let b_quant = Quant { scales: scales.into(), zero_point: 0, axis: quant.axis.map(|_| 0) };
        let b_ty = TensorType::quantized(DType::I32, [layer.bias.len()], b_quant);
        let data = layer.bias.iter().flat_map(|bias| bias.to_le_bytes()).collect();
        Ok([w, self.file.constant(&format!("{name}/bias"), &b_ty, data)])
    }

    /// CONV_2D or DEPTHWISE_CONV_2D of a feature map, with a border before it where neither `SAME` nor `VALID` is it.
    fn convolved(&mut self, layer: &Layer, window: &Window, x: i32, result: i32) -> Result<i32, String> {
        let output = self.graph.ty(layer.node);
        let border = border(window, plane(&layer.x_ty)?, plane(output)?);
        let x = match border {
            Border::Own(padding) => self.bordered(layer.node, x, (&layer.x_ty, padding)),
            Border::Valid | Border::Same => x,
        };
        let quant = layer.w_ty.quant.clone().ok_or("its weights are no integers")?;
        let [w, b] = self.parameters(layer, layer.w_ty.shape.clone(), &quant)?;
        let options = moving(window, border == Border::Same);
        let [down, right] = window.dilation.map(|gap| Field::I32(gap as i32));
        let (one, act) = (Field::I32(1), act(layer.clamp, output));
        let (kind, options) = if layer.is_depthwise() {
            let options = options.with(3, one.clone()).with_other(4, act, Field::I8(0));
            let options = options.with_other(5, right, one.clone()).with_other(6, down, one);
            (DEPTHWISE_CONV_2D, (kinds::DEPTHWISE_CONV_2D, options))
        } else {
            let options = options.with_other(3, act, Field::I8(0));
            let options = options.with_other(4, right, one.clone()).with_other(5, down, one);
            (CONV_2D, (kinds::CONV_2D, options))
        };
        Ok(self.file.operator(kind, &[x, w, b], result, options))
    }

    /// A feature map with its zero point around.
    pub(super) fn bordered(&mut self, node: NodeId, x: i32, (ty, padding): (&TensorType, Padding)) -> i32 {
        let name = self.name(node);
        let sides = self.file.integers(&format!("{name}/border"), [4, 2], &sides(padding));
        let output = self.file.tensor(&format!("{name}/padded"), &padded_type(ty, padding));
        self.file.operator(PAD, &[x, sides], output, (kinds::PAD, Table::default()))
    }

    /// FULLY_CONNECTED of a vector.
    fn connected(&mut self, layer: &Layer, settled: Settled, x: i32, result: i32) -> Result<i32, String> {
        let shape = Shape::from([layer.bias.len(), layer.weights.len() / layer.bias.len().max(1)]);
        let [w, b] = self.parameters(layer, shape, &settled.quant)?;
        if settled.differing > 0 {
            let Settled { differing, all, .. } = settled;
            let layer = self.file.name(result).to_owned();
            self.beside.push(Beside { layer, differing, all });
        }
        let act = act(layer.clamp, self.graph.ty(layer.node));
        let options = Table::default().with_other(0, act, Field::I8(0));
        Ok(self.file.operator(FULLY_CONNECTED, &[x, w, b], result, (kinds::FULLY_CONNECTED, options)))
    }

    /// A dense layer as the convolution of one pixel.
    fn as_pixel(&mut self, layer: &Layer) -> Result<i32, String> {
        let name = self.name(layer.node);
        let pixel = |shape: &Shape| Shape::from([shape.0[0], 1, 1, shape.0[1]]);
        let x = self.first(layer.node)?;
        let x_ty = TensorType { shape: pixel(&layer.x_ty.shape), ..layer.x_ty.clone() };
        let x = self.reshape_of(x, &format!("{name}/pixel"), &x_ty);
        let output = self.graph.ty(layer.node).clone();
        let y_ty = TensorType { shape: pixel(&output.shape), ..output.clone() };
        let y = self.file.tensor(&format!("{name}/sums"), &y_ty);
        let quant = layer.w_ty.quant.clone().ok_or("its weights are no integers")?;
        let shape = pixel(&layer.w_ty.shape);
        let [w, b] = self.parameters(layer, shape, &quant)?;
        let options = moving(&Window::valid([1, 1], [1, 1]), false);
        let options = options.with_other(3, act(layer.clamp, &output), Field::I8(0));
        let y = self.file.operator(CONV_2D, &[x, w, b], y, (kinds::CONV_2D, options));
        Ok(self.reshape_of(y, &name, &output))
    }

    /// A convolution that sees all of its input as FULLY_CONNECTED.
    fn as_vector(&mut self, layer: &Layer, settled: Settled) -> Result<i32, String> {
        let name = self.name(layer.node);
        let vector = |ty: &TensorType| {
            let samples = ty.shape.0.first().copied().unwrap_or(1).max(1);
            TensorType { shape: [samples, ty.shape.elements() / samples].into(), ..ty.clone() }
        };
        let x = self.first(layer.node)?;
        let x = self.reshape_of(x, &format!("{name}/vector"), &vector(&layer.x_ty));
        let output = self.graph.ty(layer.node).clone();
        let y = self.file.tensor(&format!("{name}/sums"), &vector(&output));
        let y = self.connected(layer, settled, x, y)?;
        Ok(self.reshape_of(y, &name, &output))
    }
}
