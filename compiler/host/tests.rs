use super::*;
use crate::emit::jit::tests::{Net, random_input};
use crate::graph::{NodeId, Weights};
use crate::ops::{
    AvgPool2d, Clamp, Conv2d, Curve, CurveFunction, Dense, DepthwiseConv2d, Input, Lookup, MaxPool2d, Mul,
    Padding, Requantize, Reshape, Window,
};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, TensorType};
use proptest::prelude::*;

/// Runs a network by every instruction set of this machine, twice in the same memory, and compares with the evaluator.
fn agrees(graph: &Graph, seed: u64) -> Result<(usize, usize), TestCaseError> {
    let mut parts = (0, 0);
    for level in Level::available() {
        let network = HostNetwork::with_level(graph, level).expect("there is host code");
        let mut memory = network.memory();
        for sample in 0..2 {
            let input = random_input(graph, seed.wrapping_add(sample));
            let wanted = graph.evaluate(std::slice::from_ref(&input), &Weights::new()).expect("evaluates");
            let bytes: Vec<i8> = input.as_i8().expect("8 bit").iter().copied().collect();
            let found = network.run(&mut memory, &[&bytes]).expect("an input of the right size");
            for (wanted, found) in wanted.iter().zip(&found) {
                let wanted: Vec<i8> = wanted.as_i8().expect("8 bit").iter().copied().collect();
                prop_assert_eq!(&wanted, found, "{} {}\n{}", seed, level.name(), graph.to_text());
            }
        }
        parts = network.parts();
    }
    Ok(parts)
}

fn input(net: &mut Net, shape: [usize; 4]) -> NodeId {
    let ty = TensorType::quantized(DType::I8, shape, net.quant());
    net.add(Input { ty }, &[])
}

/// A window that fits, with padding on any side.
fn window(net: &mut Net, [height, width]: [usize; 2]) -> Window {
    let kernel = [1 + net.below(height.min(5)), 1 + net.below(width.min(5))];
    let stride = [1 + net.below(3), 1 + net.below(3)];
    let pad = |net: &mut Net, axis: usize| net.below(kernel[axis]);
    let [top, bottom, left, right] = [pad(net, 0), pad(net, 0), pad(net, 1), pad(net, 1)];
    let padding = match net.below(3) {
        0 => Padding::default(),
        1 => Padding { top, bottom, left: 0, right: 0 },
        _ => Padding { top, bottom, left, right },
    };
    let mut window = Window { kernel, stride, dilation: [1, 1], padding };
    for axis in 0..2 {
        if net.below(4) == 0 && 2 * kernel[axis] <= [height, width][axis] {
            window.dilation[axis] = 2;
        }
    }
    window
}

/// One layer with shapes that leave vectors, words and tiles unfilled.
fn layer(seed: u64) -> Graph {
    let mut net = Net { graph: Graph::new(), state: seed };
    let extents = [1 + net.below(7), 1 + net.below(7)];
    let channels = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 48, 65][net.below(14)];
    let x = input(&mut net, [1, extents[0], extents[1], channels]);
    let window = window(&mut net, extents);
    let filters = [1, 3, 4, 7, 8, 9, 16, 20, 31, 40, 48, 64, 65, 80][net.below(14)];
    let y = match net.below(8) {
        0..3 => net.conv2d(x, window, filters),
        3 | 4 => net.depthwise(x, window),
        5 => {
            let y = net.conv2d(x, Window::valid([1, 1], [1, 1]), channels);
            net.sum(x, y)
        }
        6 => {
            let samples = if net.below(2) == 0 { 1 } else { extents[0] };
            let features = net.graph.ty(x).shape.elements() / samples;
            let flat = net.add(Reshape { shape: [samples, features].into() }, &[x]);
            let [w, b] = net.weights(vec![filters, features], 0);
            let (clamp, requant) = (net.clamp(), net.requant(Rounding::Single));
            net.add(Dense { clamp, requant }, &[flat, w, b])
        }
        _ => {
            let whole = Window::valid(extents, [1, 1]);
            let (clamp, mean) = (net.clamp(), net.below(2) == 0);
            let window = if net.below(2) == 0 { whole } else { Window::same([2, 2], [2, 2], extents) };
            if mean {
                net.add(AvgPool2d { window, clamp }, &[x])
            } else {
                net.add(MaxPool2d { window, clamp }, &[x])
            }
        }
    };
    net.graph.add_output(y);
    net.graph
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn single_layers_are_exact(seed: u64) {
        let graph = layer(seed);
        let (_, code) = agrees(&graph, seed)?;
        // A layer of which only one value can come is no layer.
        let program = kernel::lower(&graph, Isa::Portable).expect("lowers");
        prop_assert!(code == 0 || program.steps.iter().any(|step| step.op == "fill"), "kernels of their own");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn whole_networks_are_exact(seed: u64) {
        agrees(&Net::random(seed), seed)?;
    }
}

#[test]
fn multipliers_of_any_size_are_exact() {
    // Scales from far below to far above those of the input: shifts to both sides, and sums that saturate.
    let mut vectors = 0;
    for seed in 0..60 {
        let mut net = Net { graph: Graph::new(), state: seed };
        let x = input(&mut net, [1, 3, 4, 9]);
        let scale =
            |net: &mut Net| 2f32.powi(net.below(24) as i32 - 16) * (1.0 + net.below(99) as f32 / 99.0);
        let scales = (0..20).map(|_| scale(&mut net)).collect();
        let quant = Quant::per_channel(scales, 0);
        let w = net.constant(vec![20, 1, 1, 9], DType::I8, quant.clone(), 127);
        let b = net.constant(vec![20], DType::I32, quant, 40_000);
        let (clamp, requant) = (Clamp::None, net.requant(Rounding::Double));
        let y = net.add(Conv2d { window: Window::valid([1, 1], [1, 1]), clamp, requant }, &[x, w, b]);
        net.graph.add_output(y);
        if kernel::lower(&net.graph, Isa::Portable).is_ok() {
            vectors += agrees(&net.graph, seed).expect("exact").0;
        }
    }
    assert!(vectors >= 10, "{vectors} of them by vectors");
}

#[test]
fn what_has_no_kernel_is_host_code() {
    let mut net = Net { graph: Graph::new(), state: 5 };
    let x = input(&mut net, [1, 4, 5, 6]);
    let hswish = net.requant(Rounding::Double);
    let curve = net.add(Curve { function: CurveFunction::Hswish, requant: hswish }, &[x]);
    let product = net.requant(Rounding::Double);
    let y = net.add(Mul { clamp: Clamp::None, requant: product }, &[x, curve]);
    let [w, b] = net.weights(vec![1, 3, 3, 6], 3);
    let (clamp, requant) = (net.clamp(), net.requant(Rounding::Double));
    let window = Window::same([3, 3], [1, 1], [4, 5]);
    let y = net.add(DepthwiseConv2d { window, clamp, requant }, &[y, w, b]);
    let requant = net.requant(Rounding::Double).expect("one");
    let y = net.add(Requantize { requant }, &[y]);
    let table = net.constant(vec![256], DType::I8, Quant::per_tensor(1.0, 0), 127);
    let requant = net.requant(Rounding::Double).expect("one");
    let y = net.add(Lookup { requant }, &[y, table]);
    net.graph.add_output(y);
    net.graph.add_output(x);
    let parts = agrees(&net.graph, 1).expect("exact");
    assert_eq!(parts, (4, 2), "the product and the copy of the input are host code");
}

#[test]
fn wrong_inputs_are_errors() {
    let graph = layer(1);
    let network = HostNetwork::new(&graph).expect("there is host code");
    let mut memory = network.memory();
    let elements = graph.ty(graph.network_inputs()[0]).shape.elements();
    let input = vec![0; elements + 1];
    assert!(network.run(&mut memory, &[&input]).is_err(), "an element too many");
    assert!(network.run(&mut memory, &[]).is_err(), "no input");
    let mut other = Memory { arena: Bytes::new(0), scratch: Bytes::new(0) };
    assert!(network.run(&mut other, &[&input[..elements]]).is_err(), "memory of another network");
}
