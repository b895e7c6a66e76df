//! Channels whose value is known before the network runs: dropped from what makes them and from what reads them.
//!
//! A filter whose weights are all 0, as pruning leaves them, gives the same number at every pixel. What reads that
//! channel with weights of its own takes it into its bias and both get smaller. The channel may first go through
//! operators that keep channels apart: depthwise convolutions, clamps, curves, pools, sums of two such channels. A
//! channel that all its readers weight with 0 goes too, whatever its value. This is no rule of the e-graph, where
//! all forms of a tensor have one shape: a channel goes from all tensors that it runs through or from none.
//!
//! A tap of a window that falls on padding reads the zero point, so a channel with another value is folded only
//! where no window touches padding. Inputs and outputs of the network keep all channels, and every tensor keeps one.
//! The skeleton of an untrained candidate has no weights, so nothing is known there and it is left as it is.

mod droppable;
mod rebuild;

use std::collections::BTreeMap;

use crate::graph::{Graph, NodeId};
use crate::ops::{Conv2d, DepthwiseConv2d, Op, Padding, Window};
use crate::tensor::{Shape, TensorType, Value};

use droppable::droppable;
use rebuild::rebuild;

/// Its name beside those of the rules.
pub(crate) const NAME: &str = "constant-channels";

/// A graph with fewer channels.
pub(crate) struct Dropped {
    /// The graph; its outputs are the same bit for bit.
    pub(crate) graph: Graph,
    /// The layers with weights that lost outputs, in order, and how many each.
    pub(crate) layers: Vec<(NodeId, usize)>,
}

/// The graph without channels that need not be computed; `None` if there are none. Kernels like multiples: what has a
/// multiple of `granule` channels keeps one.
pub(crate) fn drop_channels(graph: &Graph, granule: usize) -> Option<Dropped> {
    if graph.constants().is_empty() {
        return None;
    }
    let order = graph.order();
    let mut known = Known { graph, layers: BTreeMap::new(), values: BTreeMap::new() };
    for &node in &order {
        if let Some(layer) = Layer::new(graph, node) {
            known.layers.insert(node, layer);
        }
        let values = known.of(node);
        known.values.insert(node, values);
    }
    let dropped = droppable(&known, &order, granule);
    let layers: Vec<(NodeId, usize)> = order
        .iter()
        .filter(|node| known.layers.contains_key(node))
        .map(|&node| (node, dropped[&node].iter().filter(|dropped| **dropped).count()))
        .filter(|(_, count)| *count > 0)
        .collect();
    if layers.is_empty() {
        return None;
    }
    let fits = |layer: &Layer| {
        (0..layer.outputs).all(|output| known.bias(layer, output, &dropped[&layer.x]).is_some())
    };
    // No quantized network has sums so large.
    let rebuilt = known.layers.values().all(fits).then(|| rebuild(&known, &order, &dropped))?;
    Some(Dropped { graph: rebuilt, layers })
}

/// Extent of the last dimension.
fn channels(ty: &TensorType) -> usize {
    ty.shape.0.last().copied().unwrap_or(1)
}

fn zero_point(ty: &TensorType) -> i32 {
    ty.quant.as_ref().map_or(0, |quant| quant.zero_point)
}

/// An operator with weights and bias that are known.
struct Layer {
    x: NodeId,
    /// Each output channel reads the input channel of its number alone.
    by_channel: bool,
    taps: usize,
    inputs: usize,
    outputs: usize,
    weights: Vec<i32>,
    bias: Vec<i32>,
    /// Some window reaches beyond the input.
    touches_padding: bool,
}

impl Layer {
    fn new(graph: &Graph, node: NodeId) -> Option<Layer> {
        let (window, by_channel) = match &graph.node(node).op {
            Op::Conv2d(op) => (op.window, false),
            Op::DepthwiseConv2d(op) => (op.window, true),
            Op::Dense(_) => (Window::valid([1, 1], [1, 1]), false),
            _ => return None,
        };
        let [x, w, b] = graph.inputs(node).try_into().ok()?;
        let elements = |node| match &graph.node(node).op {
            Op::Constant(constant) => graph.constant(&constant.name)?.to_i32_vec(),
            _ => None,
        };
        let extents = graph.ty(x).shape.nhwc().map_or([1, 1], |[_, height, width, _]| [height, width]);
        let steps = graph.ty(node).shape.nhwc().map_or([1, 1], |[_, rows, columns, _]| [rows, columns]);
        let touches = |axis: usize| {
            let whole = (0, window.kernel[axis]);
            (0..steps[axis]).any(|at| window.taps(axis, at, extents[axis]) != whole)
        };
        Some(Layer {
            x,
            by_channel,
            taps: window.kernel[0] * window.kernel[1],
            inputs: channels(graph.ty(x)),
            outputs: channels(graph.ty(node)),
            weights: elements(w)?,
            bias: elements(b)?,
            touches_padding: touches(0) || touches(1),
        })
    }

    /// The weights from an input channel to an output channel.
    fn taps(&self, output: usize, input: usize) -> impl Iterator<Item = i32> + '_ {
        let first = if self.by_channel { 0 } else { output * self.taps };
        let is_read = !self.by_channel || output == input;
        (first..first + self.taps)
            .filter(move |_| is_read)
            .map(move |tap| self.weights[tap * self.inputs + input])
    }

    fn ignores(&self, output: usize, input: usize) -> bool {
        self.taps(output, input).all(|weight| weight == 0)
    }

    /// Whether a channel of this value gives every window the same.
    fn is_steady(&self, value: Option<i32>, zero_point: i32) -> bool {
        value.is_some_and(|value| value == zero_point || !self.touches_padding)
    }
}

/// What is known of a graph.
struct Known<'g> {
    graph: &'g Graph,
    layers: BTreeMap<NodeId, Layer>,
    /// For each channel of a node the integer that all its elements are.
    values: BTreeMap<NodeId, Vec<Option<i32>>>,
}

impl Known<'_> {
    /// The known channels of a node whose inputs are known.
    fn of(&self, node: NodeId) -> Vec<Option<i32>> {
        let graph = self.graph;
        let inputs = graph.inputs(node);
        let ty = graph.ty(node);
        let of = |at: usize| &self.values[&inputs[at]];
        let unknown = vec![None; channels(ty)];
        match &graph.node(node).op {
            Op::Constant(constant) => {
                graph.constant(&constant.name).map_or(unknown, |value| steady(value, ty))
            }
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => {
                self.layers.get(&node).map_or(unknown, |layer| self.of_layer(node, layer))
            }
            Op::Activation(_) | Op::Curve(_) | Op::Requantize(_) | Op::AvgPool2d(_) | Op::MaxPool2d(_) => {
                let known = of(0).iter().map(Option::is_some).collect();
                self.of_pixel(node, inputs, known)
            }
            Op::Add(_) => {
                let known = of(0).iter().zip(of(1)).map(|(a, b)| a.is_some() && b.is_some()).collect();
                self.of_pixel(node, inputs, known)
            }
            Op::Mul(_) => {
                // Zero times anything is zero.
                let zero = |at: usize, x: &Option<i32>| *x == Some(zero_point(graph.ty(inputs[at])));
                let both = of(0).iter().zip(of(1));
                let known = both.map(|(a, b)| (a.is_some() && b.is_some()) || zero(0, a) || zero(1, b));
                self.of_pixel(node, inputs, known.collect())
            }
            Op::Upsample2d(_) => of(0).clone(),
            Op::Concat(_) => (0..inputs.len()).flat_map(|at| of(at).iter().copied()).collect(),
            Op::Reshape(_) => match repeats(graph.ty(inputs[0]), ty) {
                Some(times) => of(0).repeat(times),
                None => unknown,
            },
            Op::Pad(pad) => {
                let zero = zero_point(ty);
                let grows = pad.before[..2] != [0, 0] || pad.after[..2] != [0, 0];
                let inner = of(0).iter().map(|value| value.filter(|value| !grows || *value == zero));
                let around = |count: usize| std::iter::repeat_n(Some(zero), count);
                around(pad.before[2]).chain(inner).chain(around(pad.after[2])).collect()
            }
            Op::Input(_)
            | Op::Param(_)
            | Op::BatchNorm(_)
            | Op::FoldWeight(_)
            | Op::FoldBias(_)
            | Op::Dropout(_)
            | Op::Softmax(_)
            | Op::Squash(_)
            | Op::Slice(_)
            | Op::Mean(_)
            | Op::Elementwise(_)
            | Op::Lookup(_)
            | Op::ResizeBilinear(_)
            | Op::Transpose(_)
            | Op::TransposeConv2d(_) => unknown,
        }
    }

    /// A layer's bias for an output with what these channels of its input add to every sum; `None` beyond 32 bits.
    fn bias(&self, layer: &Layer, output: usize, dropped: &[bool]) -> Option<i32> {
        let (values, zero) = (&self.values[&layer.x], zero_point(self.graph.ty(layer.x)));
        let mut bias = i64::from(layer.bias[output]);
        for (input, value) in values.iter().enumerate().filter(|(input, _)| dropped[*input]) {
            let value = i64::from(value.unwrap_or(zero)) - i64::from(zero);
            bias += layer.taps(output, input).map(|weight| i64::from(weight) * value).sum::<i64>();
        }
        i32::try_from(bias).ok()
    }

    /// The reference evaluates one window, all of whose pixels are alike.
    fn of_layer(&self, node: NodeId, layer: &Layer) -> Vec<Option<i32>> {
        let (values, x) = (&self.values[&layer.x], self.graph.ty(layer.x));
        let steady: Vec<bool> = values.iter().map(|value| layer.is_steady(*value, zero_point(x))).collect();
        let reads = |output: usize| if layer.by_channel { output..output + 1 } else { 0..layer.inputs };
        let is_known = |output| reads(output).all(|input| steady[input] || layer.ignores(output, input));
        let known: Vec<bool> = (0..layer.outputs).map(is_known).collect();
        let alone = |window: Window| Window { stride: [1, 1], padding: Padding::default(), ..window };
        let (op, extents): (Op, _) = match &self.graph.node(node).op {
            Op::Conv2d(op) => (Conv2d { window: alone(op.window), ..op.clone() }.into(), Some(op.window)),
            Op::DepthwiseConv2d(op) => {
                (DepthwiseConv2d { window: alone(op.window), ..op.clone() }.into(), Some(op.window))
            }
            op => (op.clone(), None),
        };
        let extents = extents.map(|w| [0, 1].map(|axis| (w.kernel[axis] - 1) * w.dilation[axis] + 1));
        let shape = match extents {
            Some([height, width]) => vec![1, height, width, layer.inputs],
            None => vec![1, layer.inputs],
        };
        let parameters: Vec<NodeId> = self.graph.inputs(node)[1..].to_vec();
        let mut inputs = vec![(TensorType { shape: Shape::from(shape), ..x.clone() }, values.clone())];
        inputs[0]
            .1
            .iter_mut()
            .zip(&steady)
            .filter(|(_, steady)| !**steady)
            .for_each(|(value, _)| *value = None);
        self.evaluate(&op, &inputs, &parameters, known)
    }

    /// The reference evaluates one pixel.
    fn of_pixel(&self, node: NodeId, inputs: &[NodeId], known: Vec<bool>) -> Vec<Option<i32>> {
        // The mean and the greatest of equal numbers are that number.
        let pixel = Window::valid([1, 1], [1, 1]);
        let mut op = self.graph.node(node).op.clone();
        match &mut op {
            Op::AvgPool2d(op) => op.window = pixel,
            Op::MaxPool2d(op) => op.window = pixel,
            _ => {}
        }
        let one = |&input: &NodeId| {
            let ty = self.graph.ty(input);
            let mut shape = vec![1; ty.shape.rank()];
            shape.iter_mut().last().into_iter().for_each(|last| *last = channels(ty));
            (TensorType { shape: Shape::from(shape), ..ty.clone() }, self.values[&input].clone())
        };
        let inputs: Vec<_> = inputs.iter().map(one).collect();
        self.evaluate(&op, &inputs, &[], known)
    }

    /// An operator on channels of these values, any where they are unknown, with constants for its other inputs.
    fn evaluate(
        &self,
        op: &Op,
        inputs: &[(TensorType, Vec<Option<i32>>)],
        parameters: &[NodeId],
        known: Vec<bool>,
    ) -> Vec<Option<i32>> {
        let unknown = vec![None; known.len()];
        if !known.contains(&true) {
            return unknown;
        }
        let fill = |(ty, values): &(TensorType, Vec<Option<i32>>)| {
            let zero = zero_point(ty);
            let pixel: Vec<i32> = values.iter().map(|value| value.unwrap_or(zero)).collect();
            Value::from_i32_vec(ty.dtype, &ty.shape, &pixel.repeat(ty.shape.elements() / pixel.len().max(1)))
        };
        let filled: Option<Vec<Value>> = inputs.iter().map(fill).collect();
        let data = |&node: &NodeId| match &self.graph.node(node).op {
            Op::Constant(constant) => self.graph.constant(&constant.name).map(|value| &**value),
            _ => None,
        };
        let data: Option<Vec<&Value>> = parameters.iter().map(data).collect();
        let (Some(filled), Some(data)) = (filled, data) else {
            return unknown;
        };
        let types: Vec<&TensorType> = inputs
            .iter()
            .map(|(ty, _)| ty)
            .chain(parameters.iter().map(|&node| self.graph.ty(node)))
            .collect();
        let values: Vec<&Value> = filled.iter().chain(data).collect();
        let Ok(output) = op.infer(&types) else {
            return unknown;
        };
        let found = op.evaluate(&values, &types, &output).to_i32_vec().unwrap_or_default();
        found.into_iter().zip(known).map(|(value, known)| known.then_some(value)).collect()
    }
}

/// The channels of a constant that hold one number.
fn steady(value: &Value, ty: &TensorType) -> Vec<Option<i32>> {
    let n = channels(ty);
    let elements = value.to_i32_vec().unwrap_or_default();
    let of = |channel: usize| {
        let mut all = elements.iter().skip(channel).step_by(n.max(1));
        let first = *all.next()?;
        all.all(|&other| other == first).then_some(first)
    };
    (0..n).map(of).collect()
}

/// How many channels of the new shape come of each of the old one; `None` where several run together.
fn repeats(from: &TensorType, to: &TensorType) -> Option<usize> {
    let (from, to) = (channels(from), channels(to));
    (from > 0 && to.is_multiple_of(from)).then(|| to / from)
}
