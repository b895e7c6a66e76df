//! From a node of the graph to its kernel.

use super::depthwise::{self, Depthwise};
use super::level::Level;
use super::lookup::Lookup;
use super::pool::{self, Pool};
use super::products::{self, Products};
use super::rescale::{Ending, Finish};
use super::sum::Sum;
use super::window::Moves;
use super::{Slot, Work};
use crate::graph::{Graph, NodeId};
use crate::ops::{Clamp, Op, Requant, Window};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, TensorType, Value};

/// The kernel of a node whose activations are in `from`; `None` where host code has to do.
pub(super) fn work(graph: &Graph, node: NodeId, level: Level, from: &[Slot]) -> Option<Work> {
    let (types, output) = (graph.input_types(node), graph.ty(node));
    let input = *from.first()?;
    has_kernels(&types, output).then_some(())?;
    Some(match &graph.node(node).op {
        Op::Conv2d(op) => {
            let moves = moves(&op.window, types[0], output)?;
            let multipliers = op.multipliers(types[0], types[1], output);
            let end = End { multipliers, requant: op.requant.as_ref()?, clamp: op.clamp };
            Work::Products(products(graph, node, level, moves, end)?, input)
        }
        Op::Dense(op) => {
            let &[samples, channels] = &types[0].shape.0[..] else { return None };
            let window = Window::valid([1, 1], [1, 1]);
            let moves = Moves { window, input: [1, samples], output: [1, samples], channels };
            let multipliers = op.multipliers(types[0], types[1], output);
            let end = End { multipliers, requant: op.requant.as_ref()?, clamp: op.clamp };
            Work::Products(products(graph, node, level, moves, end)?, input)
        }
        Op::DepthwiseConv2d(op) => {
            let moves = moves(&op.window, types[0], output)?;
            let multipliers = op.multipliers(types[0], types[1], output);
            let end = End { multipliers, requant: op.requant.as_ref()?, clamp: op.clamp };
            let constants = Constants::of(graph, node)?;
            let bounds = constants.bounds(|at| at % moves.channels);
            let layer = depthwise::Layer {
                moves,
                weights: &constants.weights,
                biases: &constants.biases,
                input_zero: zero_point(types[0])?,
                ending: end.ending(&bounds)?,
            };
            Work::Depthwise(Depthwise::new(level, layer), input)
        }
        Op::Add(op) => {
            let requant = op.requant.as_ref().filter(|requant| requant.rounding == Rounding::Double)?;
            let zeros = [zero_point(types[0])?, zero_point(types[1])?];
            let parameters = op.parameters(types[0], types[1], output);
            let finish = finish(requant, op.clamp);
            let sum = Sum::new(output.shape.elements(), zeros, &parameters, finish)?;
            Work::Sum(sum, [input, *from.get(1)?])
        }
        Op::AvgPool2d(op) => {
            // Sums of more elements might leave 32 bits.
            let seen = op.window.kernel[0] * op.window.kernel[1];
            if seen > 1 << 20 {
                return None;
            }
            let range = op.clamp.range_of(output.dtype, output.quant.as_ref()?);
            Work::Pool(Pool::new(pool::Kind::Mean, &moves(&op.window, types[0], output)?, range), input)
        }
        Op::MaxPool2d(op) => {
            let range = op.clamp.range_of(output.dtype, output.quant.as_ref()?);
            Work::Pool(Pool::new(pool::Kind::Greatest, &moves(&op.window, types[0], output)?, range), input)
        }
        op @ (Op::Activation(_) | Op::Curve(_) | Op::Requantize(_)) => {
            Work::Lookup(Lookup::new(op, types[0], output)?, input)
        }
        Op::Lookup(_) => Work::Lookup(Lookup::of(constant(graph, node, 1)?, output)?, input),
        _ => return None,
    })
}

/// Whether all elements are bytes, which kernels are for.
fn has_kernels(types: &[&TensorType], output: &TensorType) -> bool {
    let is_wide = |ty: &TensorType| ty.dtype == DType::I16;
    !is_wide(output) && !types.iter().any(|ty| is_wide(ty))
}

fn moves(window: &Window, input: &TensorType, output: &TensorType) -> Option<Moves> {
    let ([1, height, width, channels], [1, rows, columns, _]) = (input.shape.nhwc()?, output.shape.nhwc()?)
    else {
        return None;
    };
    Some(Moves { window: *window, input: [height, width], output: [rows, columns], channels })
}

fn zero_point(ty: &TensorType) -> Option<i32> {
    Some(ty.quant.as_ref()?.zero_point)
}

fn finish(requant: &Requant, clamp: Clamp) -> Finish {
    Finish { zero_point: requant.zero_point, range: clamp.range(requant) }
}

/// How a layer ends.
struct End<'a> {
    multipliers: Vec<Multiplier>,
    requant: &'a Requant,
    clamp: Clamp,
}

impl End<'_> {
    fn ending(self, bounds: &[i64]) -> Option<Ending> {
        Ending::new(self.multipliers, bounds, self.requant.rounding, finish(self.requant, self.clamp))
    }
}

/// An input that is known.
fn constant(graph: &Graph, node: NodeId, at: usize) -> Option<&Value> {
    match &graph.node(*graph.inputs(node).get(at)?).op {
        Op::Constant(constant) => graph.constant(&constant.name).map(|value| &**value),
        _ => None,
    }
}

/// Weights and biases.
struct Constants {
    weights: Vec<i8>,
    biases: Vec<i32>,
}

impl Constants {
    /// Those of a node that has an activation, weights and biases.
    fn of(graph: &Graph, node: NodeId) -> Option<Constants> {
        let value = |at: usize| constant(graph, node, at);
        let weights = value(1)?.as_i8()?.iter().copied().collect();
        Some(Constants { weights, biases: value(2)?.to_i32_vec()? })
    }

    /// For each channel the greatest size of its sum; `channel` is that of a weight.
    fn bounds(&self, channel: impl Fn(usize) -> usize) -> Vec<i64> {
        let mut bounds: Vec<i64> = self.biases.iter().map(|&bias| i64::from(bias).abs()).collect();
        for (at, &weight) in self.weights.iter().enumerate() {
            bounds[channel(at)] += 255 * i64::from(weight).abs();
        }
        bounds
    }
}

fn products(graph: &Graph, node: NodeId, level: Level, moves: Moves, end: End<'_>) -> Option<Products> {
    let constants = Constants::of(graph, node)?;
    let filters = constants.biases.len();
    let each = constants.weights.len() / filters.max(1);
    let bounds = constants.bounds(|at| at / each.max(1));
    let layer = products::Layer {
        moves,
        filters,
        weights: &constants.weights,
        biases: &constants.biases,
        input_zero: zero_point(graph.input_types(node)[0])?,
        ending: end.ending(&bounds)?,
    };
    Some(Products::new(level, layer))
}
