//! Which channels go: decided for the whole graph, as a channel goes from all tensors that it runs through.

use std::collections::BTreeMap;

use crate::graph::NodeId;
use crate::ops::Op;
use crate::rewrite::rules::constant_channels::{Known, Layer, channels, repeats, zero_point};

/// For each node the channels that nothing needs: the greatest sets on which makers and readers agree, but for so many
/// that what had a multiple of `granule` channels still has one.
pub(super) fn droppable(known: &Known<'_>, order: &[NodeId], granule: usize) -> BTreeMap<NodeId, Vec<bool>> {
    let graph = known.graph;
    let mut dropped: BTreeMap<NodeId, Vec<bool>> =
        order.iter().map(|&node| (node, vec![true; channels(graph.ty(node))])).collect();
    let mut keep = |node: NodeId, channels: &dyn Fn(usize) -> bool| {
        let of = dropped.get_mut(&node).expect("the order has all inputs");
        of.iter_mut().enumerate().for_each(|(channel, dropped)| *dropped &= !channels(channel));
    };
    graph.outputs().iter().for_each(|&output| keep(output, &|_| true));
    for &node in order {
        let inputs = graph.inputs(node);
        match (&graph.node(node).op, known.layers.get(&node)) {
            (Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_), Some(_)) => {
                inputs[1..].iter().for_each(|&parameter| keep(parameter, &|_| true));
            }
            (Op::Pad(pad), _) => {
                let inner = pad.before[2]..pad.before[2] + channels(graph.ty(inputs[0]));
                keep(node, &|channel| !inner.contains(&channel));
            }
            (Op::Constant(constant), _) if graph.constant(&constant.name).is_some() => {}
            (
                Op::Activation(_)
                | Op::Curve(_)
                | Op::Requantize(_)
                | Op::AvgPool2d(_)
                | Op::MaxPool2d(_)
                | Op::Add(_)
                | Op::Mul(_)
                | Op::Upsample2d(_)
                | Op::Concat(_),
                _,
            ) => {}
            (Op::Reshape(_), _) if repeats(graph.ty(inputs[0]), graph.ty(node)).is_some() => {}
            _ => inputs.iter().chain([&node]).for_each(|&kept| keep(kept, &|_| true)),
        }
    }
    // Nothing has no channels at all.
    let is_odd = |channels: &Vec<bool>| {
        let left = channels.iter().filter(|dropped| !**dropped).count();
        left == 0 || (channels.len().is_multiple_of(granule) && !left.is_multiple_of(granule))
    };
    loop {
        while agree(known, order, &mut dropped) {}
        let odd = dropped.values_mut().find(|channels| is_odd(channels));
        match odd.and_then(|channels| channels.iter_mut().find(|dropped| **dropped)) {
            Some(first) => *first = false,
            None => return dropped,
        }
    }
}

/// Whether all that a layer makes of a channel, for outputs that stay, can be known beforehand.
fn is_foldable(known: &Known<'_>, layer: &Layer, channel: usize, dropped: &[bool]) -> bool {
    let zero = zero_point(known.graph.ty(layer.x));
    let value = known.values[&layer.x][channel];
    let ignores = |(output, dropped): (usize, &bool)| *dropped || layer.ignores(output, channel);
    layer.is_steady(value, zero) || dropped.iter().enumerate().all(ignores)
}

/// Keeps the channels of an operator's inputs that its outputs need, and the other way round; whether any was added.
fn agree(known: &Known<'_>, order: &[NodeId], dropped: &mut BTreeMap<NodeId, Vec<bool>>) -> bool {
    let graph = known.graph;
    let mut changed = false;
    for (node, layer) in known.layers.iter().filter(|(_, layer)| !layer.by_channel) {
        for channel in 0..layer.inputs {
            if dropped[&layer.x][channel] && !is_foldable(known, layer, channel, &dropped[node]) {
                dropped.entry(layer.x).and_modify(|of| of[channel] = false);
                changed = true;
            }
        }
    }
    let mut tie = |a: (NodeId, usize), b: (NodeId, usize)| {
        let both = dropped[&a.0][a.1] && dropped[&b.0][b.1];
        for (node, channel) in [a, b] {
            let of = dropped.get_mut(&node).expect("the order has all inputs");
            changed |= of[channel] != both;
            of[channel] = both;
        }
    };
    for &node in order.iter().rev() {
        let inputs = graph.inputs(node);
        match &graph.node(node).op {
            Op::DepthwiseConv2d(_)
            | Op::Activation(_)
            | Op::Curve(_)
            | Op::Requantize(_)
            | Op::AvgPool2d(_)
            | Op::MaxPool2d(_)
            | Op::Upsample2d(_)
            | Op::Reshape(_) => {
                let n = channels(graph.ty(inputs[0]));
                let is_tied = repeats(graph.ty(inputs[0]), graph.ty(node)).is_some();
                let all = 0..if is_tied { channels(graph.ty(node)) } else { 0 };
                all.for_each(|channel| tie((inputs[0], channel % n), (node, channel)));
            }
            Op::Add(_) | Op::Mul(_) => {
                for channel in 0..channels(graph.ty(node)) {
                    inputs.iter().for_each(|&input| tie((input, channel), (node, channel)));
                }
            }
            Op::Concat(_) | Op::Pad(_) => {
                let mut at = if let Op::Pad(pad) = &graph.node(node).op { pad.before[2] } else { 0 };
                for &input in inputs {
                    for channel in 0..channels(graph.ty(input)) {
                        tie((input, channel), (node, at));
                        at += 1;
                    }
                }
            }
            _ => {}
        }
    }
    changed
}
