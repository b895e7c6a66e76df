//! The graph without the channels that go.

use std::collections::{BTreeMap, BTreeSet};

use crate::graph::{Graph, NodeId};
use crate::ops::{Constant, Op};
use crate::rewrite::rules::constant_channels::{Known, Layer};
use crate::tensor::{Quant, Shape, TensorType, Value};

/// A graph in the making.
pub(super) struct Rebuilt<'k> {
    known: &'k Known<'k>,
    dropped: &'k BTreeMap<NodeId, Vec<bool>>,
    graph: Graph,
    map: BTreeMap<NodeId, NodeId>,
    names: BTreeSet<String>,
}

/// The graph without these channels.
pub(super) fn rebuild(known: &Known<'_>, order: &[NodeId], dropped: &BTreeMap<NodeId, Vec<bool>>) -> Graph {
    let (graph, map, names) = (Graph::new(), BTreeMap::new(), BTreeSet::new());
    let mut rebuilt = Rebuilt { known, dropped, graph, map, names };
    for &node in order {
        let of = &known.graph.node(node).op;
        // Weights and biases are made with their layers, which may take some of them alone.
        if !matches!(of, Op::Constant(_)) {
            rebuilt.add(node);
        }
    }
    for &output in known.graph.outputs() {
        let output = rebuilt.data(output);
        rebuilt.graph.add_output(output);
    }
    rebuilt.graph
}

/// What stays of a list.
fn stay<T: Copy>(all: &[T], dropped: &[bool]) -> Vec<T> {
    all.iter().zip(dropped).filter(|(_, dropped)| !**dropped).map(|(x, _)| *x).collect()
}

impl Rebuilt<'_> {
    fn add(&mut self, node: NodeId) {
        let source = self.known.graph;
        let inputs = source.inputs(node);
        let layer =
            self.known.layers.get(&node).filter(|_| !self.is_whole(node) || !self.is_whole(inputs[0]));
        let added = match layer {
            Some(layer) => self.layer(node, layer),
            None => {
                let inputs: Vec<NodeId> = inputs.iter().map(|&input| self.data(input)).collect();
                let mut op = source.node(node).op.clone();
                if let Op::Reshape(op) = &mut op
                    && let Some(last) = op.shape.0.last_mut()
                {
                    *last = self.dropped[&node].iter().filter(|dropped| !**dropped).count();
                }
                self.graph.add(op, &inputs).expect("channels go from all that an operator reads and gives")
            }
        };
        self.place(node, added);
        self.map.insert(node, added);
    }

    fn is_whole(&self, node: NodeId) -> bool {
        !self.dropped[&node].contains(&true)
    }

    fn place(&mut self, from: NodeId, to: NodeId) {
        let from = self.known.graph.node(from);
        self.graph.set_origin(to, from.label.clone(), from.span);
    }

    /// The rebuilt node, which is made now if it is a constant.
    fn data(&mut self, node: NodeId) -> NodeId {
        if let Some(&made) = self.map.get(&node) {
            return made;
        }
        let Op::Constant(constant) = &self.known.graph.node(node).op else {
            unreachable!("an order has inputs before their users")
        };
        let value = self.known.graph.constant(&constant.name);
        let dropped = &self.dropped[&node];
        let made = match value.filter(|_| dropped.contains(&true)).and_then(|value| value.to_i32_vec()) {
            Some(elements) => {
                let n = dropped.len();
                let kept = elements.iter().enumerate().filter(|(at, _)| !dropped[at % n]).map(|(_, x)| *x);
                let mut ty = constant.ty.clone();
                ty.shape
                    .0
                    .iter_mut()
                    .last()
                    .into_iter()
                    .for_each(|last| *last = dropped.iter().filter(|dropped| !**dropped).count());
                self.constant(node, ty, &kept.collect::<Vec<i32>>())
            }
            None => {
                let name = self.free_name(&constant.name);
                if let Some(value) = value {
                    self.graph.set_constant(name.clone(), Value::clone(value));
                }
                let ty = constant.ty.clone();
                self.graph.add(Constant { name, ty }, &[]).expect("a constant has no inputs")
            }
        };
        self.place(node, made);
        self.map.insert(node, made);
        made
    }

    fn free_name(&mut self, wanted: &str) -> String {
        let mut name = wanted.to_string();
        while !self.names.insert(name.clone()) {
            name.push_str(".kept");
        }
        name
    }

    /// A new constant in the place of one.
    fn constant(&mut self, node: NodeId, ty: TensorType, elements: &[i32]) -> NodeId {
        let Op::Constant(constant) = &self.known.graph.node(node).op else {
            unreachable!("a layer's parameters are constants")
        };
        let name = self.free_name(&constant.name);
        let value = Value::from_i32_vec(ty.dtype, &ty.shape, elements);
        self.graph.set_constant(name.clone(), value.expect("some of the elements of a value of this type"));
        let made = self.graph.add(Constant { name, ty }, &[]).expect("a constant has no inputs");
        self.place(node, made);
        made
    }

    /// A layer on what stays of its input, for what stays of its output.
    fn layer(&mut self, node: NodeId, layer: &Layer) -> NodeId {
        let source = self.known.graph;
        let [x, w, b] = source.inputs(node).try_into().expect("a layer has three inputs");
        let outputs = stay(&(0..layer.outputs).collect::<Vec<usize>>(), &self.dropped[&node]);
        let inputs = stay(&(0..layer.inputs).collect::<Vec<usize>>(), &self.dropped[&x]);
        let (mut w_ty, mut b_ty) = (source.ty(w).clone(), source.ty(b).clone());
        let mut weights = Vec::new();
        if layer.by_channel {
            let taps = (0..layer.taps).map(|tap| tap * layer.inputs);
            weights.extend(taps.flat_map(|tap| outputs.iter().map(move |at| layer.weights[tap + at])));
        } else {
            for &output in &outputs {
                let taps = (0..layer.taps).map(|tap| (output * layer.taps + tap) * layer.inputs);
                weights.extend(taps.flat_map(|tap| inputs.iter().map(move |at| layer.weights[tap + at])));
            }
            w_ty.shape.0[0] = outputs.len();
        }
        w_ty.shape.0.iter_mut().last().into_iter().for_each(|last| *last = inputs.len());
        b_ty.shape = Shape::from([outputs.len()]);
        for quant in [&mut w_ty.quant, &mut b_ty.quant].into_iter().flatten() {
            keep_scales(quant, &outputs);
        }
        let bias: Vec<i32> = outputs.iter().map(|&output| self.bias(layer, output)).collect();
        let parameters = [self.constant(w, w_ty, &weights), self.constant(b, b_ty, &bias)];
        let inputs = [self.data(x), parameters[0], parameters[1]];
        let added = self.graph.add(source.node(node).op.clone(), &inputs);
        added.expect("weights have the channels of the input")
    }

    /// A bias with what the input's channels that go add to every sum.
    fn bias(&self, layer: &Layer, output: usize) -> i32 {
        self.known.bias(layer, output, &self.dropped[&layer.x]).expect("channels that overflow stay")
    }
}

/// Scales of the outputs that stay; one scale for all stays.
fn keep_scales(quant: &mut Quant, outputs: &[usize]) {
    if quant.axis.is_some() {
        quant.scales = outputs.iter().map(|&output| quant.scales[output]).collect();
    }
}
