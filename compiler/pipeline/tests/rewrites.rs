//! What rewriting gains on networks as they come, beside passes in a fixed order, and on networks with dead filters.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{FINAL, SEARCH, target};
use crate::elaborate::{self, Options};
use crate::estimate::{FrontEndCost, Limits};
use crate::graph::{Graph, NodeId};
use crate::ops::{AvgPool2d, Clamp, FoldBias, FoldWeight, Op, ParamRole, Window};
use crate::pipeline::passes::{LayerCost, Passes};
use crate::quantize::tests::FloatNet;
use crate::rewrite::DeploymentCost;
use crate::source::SourceMap;
use crate::space::{instantiate, sample};
use crate::tensor::{TensorType, Value};

/// Makes the new nodes of a node that a pass replaces, from the old graph, with the new nodes so far.
type Replace = fn(&Graph, NodeId, &mut Graph, &BTreeMap<NodeId, NodeId>) -> Option<NodeId>;

/// Every node of a graph in order, replaced or as it is.
fn pass(graph: &Graph, replace: Replace) -> Graph {
    let (mut out, mut map) = (Graph::new(), BTreeMap::new());
    for node in graph.order() {
        let made = replace(graph, node, &mut out, &map).unwrap_or_else(|| {
            let inputs: Vec<NodeId> = graph.inputs(node).iter().map(|input| map[input]).collect();
            out.add(graph.node(node).op.clone(), &inputs).expect("as before")
        });
        map.insert(node, made);
    }
    graph.outputs().iter().for_each(|output| out.add_output(map[output]));
    out
}

/// The input of a node that nothing else reads.
fn sole(graph: &Graph, node: NodeId) -> Option<NodeId> {
    let input = *graph.inputs(node).first()?;
    (graph.users(input) == [node] && !graph.outputs().contains(&input)).then_some(input)
}

/// A batch normalisation into the layer before it.
fn fold(graph: &Graph, node: NodeId, out: &mut Graph, map: &BTreeMap<NodeId, NodeId>) -> Option<NodeId> {
    let Op::BatchNorm(norm) = &graph.node(node).op else { return None };
    let layer = sole(graph, node)?;
    let (axis, clamp) = match &graph.node(layer).op {
        Op::Conv2d(op) => (0, op.clamp),
        Op::DepthwiseConv2d(op) => (3, op.clamp),
        Op::Dense(op) => (0, op.clamp),
        _ => return None,
    };
    if clamp != Clamp::None {
        return None;
    }
    let of = |node: NodeId| -> Vec<NodeId> { graph.inputs(node).iter().map(|input| map[input]).collect() };
    let (layer_inputs, norm_inputs) = (of(layer), of(node));
    let [_, gamma, beta, mean, variance] = norm_inputs.try_into().expect("five inputs");
    let epsilon = norm.epsilon;
    let weight = out.add(FoldWeight { axis, epsilon }, &[layer_inputs[1], gamma, variance]).expect("fits");
    let bias = out.add(FoldBias { epsilon }, &[layer_inputs[2], gamma, beta, mean, variance]).expect("fits");
    out.add(graph.node(layer).op.clone(), &[layer_inputs[0], weight, bias]).ok()
}

/// An activation into the clamp before it.
fn fuse(graph: &Graph, node: NodeId, out: &mut Graph, map: &BTreeMap<NodeId, NodeId>) -> Option<NodeId> {
    let Op::Activation(activation) = &graph.node(node).op else { return None };
    let before = sole(graph, node)?;
    let mut op = graph.node(before).op.clone();
    let clamp = match &mut op {
        Op::Conv2d(op) => &mut op.clamp,
        Op::DepthwiseConv2d(op) => &mut op.clamp,
        Op::Dense(op) => &mut op.clamp,
        Op::Add(op) => &mut op.clamp,
        Op::Mul(op) => &mut op.clamp,
        Op::AvgPool2d(op) => &mut op.clamp,
        Op::MaxPool2d(op) => &mut op.clamp,
        _ => return None,
    };
    *clamp = activation.clamp.max(*clamp);
    let inputs: Vec<NodeId> = graph.inputs(before).iter().map(|input| map[input]).collect();
    out.add(op, &inputs).ok()
}

/// Nothing in the place of what changes nothing.
fn skip(graph: &Graph, node: NodeId, _: &mut Graph, map: &BTreeMap<NodeId, NodeId>) -> Option<NodeId> {
    let is_same = |node: NodeId| graph.ty(node) == graph.ty(graph.inputs(node)[0]);
    let is_identity = match &graph.node(node).op {
        Op::Dropout(_) => true,
        Op::Activation(op) => op.clamp == Clamp::None,
        Op::Reshape(_) | Op::Pad(_) | Op::Upsample2d(_) => is_same(node),
        _ => false,
    };
    is_identity.then(|| map[&graph.inputs(node)[0]])
}

/// The cost that extraction minimises, where training's operators cost what they would as layers: a normalisation that
/// stays becomes a depthwise convolution of one tap, between two reshapes where it normalises a vector.
struct TableCost;

impl DeploymentCost for TableCost {
    fn node(&self, op: &Op, inputs: &[&TensorType], output: &TensorType) -> u64 {
        let elements = output.shape.elements() as u64;
        match op {
            Op::BatchNorm(_) => 60 + 12 * elements + if output.shape.rank() == 4 { 0 } else { 2 },
            Op::Dropout(_) => 60 + 10 * elements,
            _ => LayerCost.node(op, inputs, output),
        }
    }
}

/// Operators that run and what they cost.
fn size(graph: &Graph) -> (usize, u64) {
    let is_free = |op: &Op| {
        matches!(op, Op::Input(_) | Op::Param(_) | Op::Constant(_) | Op::FoldWeight(_) | Op::FoldBias(_))
    };
    let nodes: Vec<NodeId> =
        graph.order().into_iter().filter(|&node| !is_free(&graph.node(node).op)).collect();
    let cost =
        |&node: &NodeId| TableCost.node(&graph.node(node).op, &graph.input_types(node), graph.ty(node));
    (nodes.len(), nodes.iter().map(cost).sum())
}

struct Beside(PathBuf);

impl elaborate::Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(self.0.join(path)).map_err(|error| error.to_string())
    }
}

/// A network of a spec of this repository.
fn network(path: &str) -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let mut sources = SourceMap::new();
    let text = std::fs::read_to_string(&path).expect("a spec");
    let file = sources.add(path.display().to_string(), text);
    let beside = Beside(path.parent().expect("a folder").to_owned());
    let options = Options { files: &beside, ..Options::default() };
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &options);
    let space = program.unwrap_or_else(|| panic!("{diagnostics:?}")).space;
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let drawn = (0..100).find_map(|_| instantiate(&space, &sample(&space, &mut rng)).ok());
    drawn.expect("most points are networks")
}

const NETWORKS: [&str; 10] = [
    "examples/activity/baseline.nas",
    "examples/fashion/baseline.nas",
    "examples/kws/baseline.nas",
    "examples/pump/baseline.nas",
    "stdlib/spaces/mcunet.nas",
    "stdlib/spaces/ofa_mbv3.nas",
    "stdlib/spaces/munas.nas",
    "stdlib/spaces/sparse.nas",
    "stdlib/spaces/micronets_kws.nas",
    "stdlib/spaces/micronets_ad.nas",
];

#[test]
fn extraction_is_never_worse_than_passes_in_a_fixed_order() {
    let mut table = format!("{:<32}", "network");
    ["as trained", "in a fixed order", "extracted"]
        .iter()
        .for_each(|column| table += &format!("  {column:>18}"));
    table.push('\n');
    for path in NETWORKS {
        let graph = network(path);
        let fixed = [fold, fuse, skip]
            .into_iter()
            .fold(graph.clone(), |graph, replace: Replace| pass(&graph, replace));
        fixed.verify().expect("verifies");
        let extracted = FINAL.float(&graph);
        let (before, fixed, after) = (size(&graph), size(&fixed), size(&extracted.graph));
        assert!(after.1 <= fixed.1, "{path}: {after:?} after extraction, {fixed:?} in a fixed order");
        assert!(extracted.proved, "{path}");
        assert!(size(&SEARCH.float(&graph).graph).1 <= fixed.1, "{path}: greedy");
        table += &format!("{path:<32}");
        [before, fixed, after].iter().for_each(|(nodes, cost)| table += &format!("  {nodes:>5} {cost:>12}"));
        table.push('\n');
    }
    insta::assert_snapshot!(table);
}

/// Filters of zeros, as pruning leaves them, in a network that was trained otherwise.
fn with_dead_filters(net: &mut FloatNet) {
    let weights = net.graph.order().into_iter().filter_map(|node| match &net.graph.node(node).op {
        Op::Param(param) if param.role == ParamRole::Weight => {
            Some((param.name.clone(), param.ty.shape.clone()))
        }
        _ => None,
    });
    for (name, shape) in weights.collect::<Vec<_>>() {
        let by_channel = shape.rank() == 4 && shape.0[0] == 1;
        let outputs = if by_channel { shape.0[3] } else { shape.0[0] };
        let dead: Vec<bool> = (0..outputs).map(|_| net.below(3) == 0).collect();
        let value = &net.weights[&name];
        let mut elements: Vec<f32> = value.as_f32().expect("floats").iter().copied().collect();
        let block = elements.len() / outputs;
        for (at, weight) in elements.iter_mut().enumerate() {
            if dead[if by_channel { at % outputs } else { at / block }] {
                *weight = 0.0;
            }
        }
        net.weights.insert(name, Value::from_f32(&shape, elements).expect("as many"));
    }
}

/// Two blocks of layers as small networks have them, with up to 24 channels.
fn separable(seed: u64) -> FloatNet {
    let mut net = FloatNet::new(seed, false);
    let x = net.input([1, 12, 12, 1]);
    let widths = [(); 3].map(|()| 4 * (2 + net.below(5)));
    let valid = Window::valid([3, 3], [2, 2]);
    let y = net.conv2d(x, valid, widths[0], Clamp::Relu);
    let y = net.conv2d(y, Window::valid([1, 1], [1, 1]), widths[1], Clamp::Relu6);
    let y = net.conv2d(y, Window::same([3, 3], [1, 1], [5, 5]), widths[2], Clamp::Relu);
    let y = net.add(AvgPool2d { window: Window::valid([5, 5], [1, 1]), clamp: Clamp::None }, &[y]);
    let flat = net.flat(y);
    let y = net.dense(flat, 4, Clamp::None);
    net.graph.add_output(y);
    net
}

/// Drawn inputs of an integer graph.
fn drawn(graph: &Graph) -> Vec<Value> {
    let value = |input: &NodeId| {
        let ty = graph.ty(*input);
        let elements: Vec<i32> = (0..ty.shape.elements()).map(|at| (at * 37 % 256) as i32 - 128).collect();
        Value::from_i32_vec(ty.dtype, &ty.shape, &elements).expect("as many")
    };
    graph.network_inputs().iter().map(value).collect()
}

#[test]
fn dead_filters_only_make_networks_smaller() {
    let target = target();
    let mut n_smaller = [0, 0];
    for seed in 0..80 {
        let is_separable = seed % 2 == 0;
        let mut net = if is_separable { separable(seed) } else { FloatNet::random(seed, 6, false) };
        with_dead_filters(&mut net);
        let samples = net.samples(4);
        let given = FINAL.quantized(&net.graph, &net.weights, &samples).expect("finite");
        let rewritten = FINAL.without_constant_channels(given.clone(), &[(&target, Limits::default())]);
        let inputs = drawn(&given);
        let run = |graph: &Graph| graph.evaluate(&inputs, &BTreeMap::new()).expect("complete");
        assert_eq!(run(&given), run(&rewritten), "seed {seed}");
        let cost =
            |graph: &Graph| FINAL.deploy(graph, &target, FrontEndCost::default()).expect("deploys").estimate;
        let (before, after) = (cost(&given), cost(&rewritten));
        let case = format!("seed {seed}: {before:?} {after:?}\n{}{}", given.to_text(), rewritten.to_text());
        assert!(after.macs <= before.macs && after.weights_bytes <= before.weights_bytes, "{case}");
        assert!(after.ram_bytes <= before.ram_bytes && after.flash_bytes <= before.flash_bytes, "{case}");
        assert!(after.cycles <= before.cycles, "{case}");
        n_smaller[usize::from(is_separable)] += usize::from(after.flash_bytes < before.flash_bytes);
    }
    // Elsewhere padding needs the channel, or fewer channels would cost more.
    assert!(n_smaller[1] > 20, "{n_smaller:?}");
}

/// On the same network more effort never gives a higher figure, and the bound stays below.
#[test]
fn final_costs_are_never_above_those_of_the_search() {
    for path in NETWORKS {
        let graph = network(path);
        let cost = |passes: Passes| {
            let deployment = passes.deploy(&passes.skeleton(&graph), &target(), FrontEndCost::default());
            deployment.expect("skeletons deploy").estimate
        };
        let (search, last) = (cost(SEARCH), cost(FINAL));
        assert!(last.ram_bytes <= search.ram_bytes, "{path}: {} > {}", last.ram_bytes, search.ram_bytes);
        assert!(last.flash_bytes <= search.flash_bytes, "{path}");
        assert!(last.cycles <= search.cycles, "{path}");
        assert!(search.lower_bound_bytes <= last.arena_bytes, "{path}");
    }
}
