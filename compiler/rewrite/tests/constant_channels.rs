//! Channels that are known before the network runs: gone, bit for bit.

use super::*;
use crate::ops::Op;
use crate::rewrite::rules::constant_channels::drop_channels;
use crate::rewrite::tests::build::Build;
use crate::tensor::Value;

/// Sets the weights of an output channel of a layer to 0, and its bias if there is one to set.
fn zero(graph: &mut Graph, layer: NodeId, output: usize, bias: Option<i32>) {
    let inputs = graph.inputs(layer);
    let of = |graph: &Graph, node: NodeId| match &graph.node(node).op {
        Op::Constant(constant) => (constant.name.clone(), graph.constant(&constant.name).cloned()),
        _ => panic!("a constant"),
    };
    let ((name, weights), (bias_name, biases)) = (of(graph, inputs[1]), of(graph, inputs[2]));
    let mut elements = weights.expect("data").to_i32_vec().expect("integers");
    let shape = graph.ty(inputs[1]).shape.clone();
    let outputs = graph.ty(inputs[2]).shape.elements();
    let by_channel = matches!(graph.node(layer).op, Op::DepthwiseConv2d(_));
    let block = elements.len() / outputs;
    for (at, weight) in elements.iter_mut().enumerate() {
        if (if by_channel { at % outputs } else { at / block }) == output {
            *weight = 0;
        }
    }
    graph.set_constant(name, Value::from_i32_vec(DType::I8, &shape, &elements).expect("as before"));
    if let Some(bias) = bias {
        let mut elements = biases.expect("data").to_i32_vec().expect("integers");
        elements[output] = bias;
        let value = Value::from_i32_vec(DType::I32, &Shape::from([outputs]), &elements);
        graph.set_constant(bias_name, value.expect("as before"));
    }
}

fn layers(graph: &Graph) -> Vec<NodeId> {
    let is_layer = |op: &Op| matches!(op, Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_));
    graph.order().into_iter().filter(|&node| is_layer(&graph.node(node).op)).collect()
}

/// Bytes of all constants that are used.
fn constant_bytes(graph: &Graph) -> u64 {
    let constants = graph.order().into_iter().filter(|&node| matches!(graph.node(node).op, Op::Constant(_)));
    constants.map(|node| graph.ty(node).bytes().0).sum()
}

fn check_dropped(net: &Build, graph: &Graph) {
    graph.verify().expect("verifies");
    let types = |of: &Graph| -> Vec<TensorType> {
        of.network_inputs().iter().chain(of.outputs()).map(|&node| of.ty(node).clone()).collect()
    };
    assert_eq!(types(graph), types(&net.graph));
    assert!(graph.macs() <= net.graph.macs());
    assert!(constant_bytes(graph) < constant_bytes(&net.graph));
    net.check_same_function(graph);
    assert!(drop_channels(graph, 1).is_none(), "all at once\n{}", graph.to_text());
}

/// Random networks with filters of zeros in every layer: whatever is dropped, no bit changes.
#[test]
fn random_networks_keep_every_bit() {
    let mut n_dropped = 0;
    for seed in 0..1_500 {
        let mut net = Build::random(seed, true);
        for layer in layers(&net.graph) {
            let outputs = *net.shape(layer).last().expect("a dimension");
            for output in 0..outputs {
                if net.below(2) == 0 {
                    let bias = (net.below(2) == 0).then(|| net.below(4000) as i32 - 2000);
                    zero(&mut net.graph, layer, output, bias);
                }
            }
        }
        if let Some(dropped) = drop_channels(&net.graph, 1) {
            n_dropped += 1;
            check_dropped(&net, &dropped.graph);
            for granule in [1, 2, 3] {
                let rewritten = without_constant_channels(&net.graph, granule, &MacsCost, EXACT);
                if let Some(rewritten) = rewritten.expect("verifies") {
                    assert!(rewritten.cost_after < rewritten.cost_before);
                    check(&net, &rewritten);
                }
            }
        }
    }
    assert!(n_dropped > 150, "{n_dropped} of 1500");
}

/// A convolution, then what `make` adds, then a convolution with `window`; the first one's filter 1 gives `value`.
fn two_layers(window: Window, bias: i32, make: fn(&mut Build, NodeId) -> NodeId) -> (Build, NodeId) {
    let mut net = Build::new(7, true);
    let x = net.input([1, 6, 6, 2]);
    let first = net.conv2d(x, Window::valid([1, 1], [1, 1]), 3, Clamp::Relu);
    zero(&mut net.graph, first, 1, Some(bias));
    let y = make(&mut net, first);
    let z = net.conv2d(y, window, 2, Clamp::None);
    net.graph.add_output(z);
    (net, first)
}

fn dropped_layers(net: &Build) -> Vec<usize> {
    let dropped = drop_channels(&net.graph, 1);
    dropped.as_ref().inspect(|dropped| check_dropped(net, &dropped.graph));
    dropped.map(|dropped| dropped.layers.into_iter().map(|(_, count)| count).collect()).unwrap_or_default()
}

#[test]
fn a_channel_goes_through_what_keeps_channels_apart() {
    let all = |net: &mut Build, x: NodeId| {
        let x = net.depthwise_conv2d(x, Window::valid([3, 3], [1, 1]), Clamp::None);
        let x = net.activation(x, Clamp::Relu6);
        let x = net.curve(x);
        net.max_pool2d(x, Window::same([2, 2], [2, 2], [4, 4]), Clamp::None)
    };
    // One of three channels of the convolution and of the depthwise convolution.
    assert_eq!(dropped_layers(&two_layers(Window::valid([2, 2], [1, 1]), 1000, all).0), [1, 1]);
}

#[test]
fn only_the_zero_point_may_meet_padding() {
    let nothing = |_: &mut Build, x: NodeId| x;
    let same = Window::same([3, 3], [1, 1], [6, 6]);
    // A bias below 0 is clamped to 0, which is what padding is.
    assert_eq!(dropped_layers(&two_layers(same, -1000, nothing).0), [1]);
    assert!(dropped_layers(&two_layers(same, 2000, nothing).0).is_empty());
    assert_eq!(dropped_layers(&two_layers(Window::valid([3, 3], [1, 1]), 2000, nothing).0), [1]);
    // The windows of this one end before the padding.
    let unseen = Window { padding: crate::ops::Padding { bottom: 1, ..Default::default() }, ..same };
    let unseen = Window { stride: [2, 2], kernel: [2, 2], ..unseen };
    assert_eq!(dropped_layers(&two_layers(unseen, 2000, nothing).0), [1]);
}

#[test]
fn a_channel_that_another_reader_needs_stays() {
    let (mut net, first) = two_layers(Window::valid([3, 3], [1, 1]), 1000, |_, x| x);
    net.graph.add_output(first);
    assert!(dropped_layers(&net).is_empty());
    let added = |net: &mut Build, x: NodeId| {
        let y = net.conv2d(x, Window::valid([1, 1], [1, 1]), 3, Clamp::None);
        net.add(x, y, Clamp::None)
    };
    assert!(dropped_layers(&two_layers(Window::valid([3, 3], [1, 1]), 1000, added).0).is_empty());
}

#[test]
fn a_channel_goes_with_the_one_that_it_is_added_to() {
    let (mut net, _) = two_layers(Window::valid([1, 1], [1, 1]), 1000, |net, x| {
        let y = net.depthwise_conv2d(x, Window::valid([1, 1], [1, 1]), Clamp::None);
        net.add(x, y, Clamp::None)
    });
    assert_eq!(dropped_layers(&net), [1, 1]);
    // What nothing reads need not be constant: the depthwise convolution gives 0s of whatever it gets.
    let depthwise = layers(&net.graph)[1];
    zero(&mut net.graph, depthwise, 0, None);
    assert_eq!(dropped_layers(&net), [1, 1], "the sum reads channel 0 of both");
    let (mut net, _) = two_layers(Window::valid([1, 1], [1, 1]), 1000, |net, x| {
        net.depthwise_conv2d(x, Window::valid([1, 1], [1, 1]), Clamp::None)
    });
    let depthwise = layers(&net.graph)[1];
    zero(&mut net.graph, depthwise, 0, None);
    assert_eq!(dropped_layers(&net), [2, 2]);
}

#[test]
fn a_layer_of_zeros_keeps_one_channel() {
    let (mut net, first) = two_layers(Window::valid([1, 1], [1, 1]), 1000, |_, x| x);
    (0..3).for_each(|output| zero(&mut net.graph, first, output, None));
    assert_eq!(dropped_layers(&net), [2]);
}

#[test]
fn a_multiple_of_channels_stays_one() {
    let mut net = Build::new(7, true);
    let x = net.input([1, 6, 6, 2]);
    let first = net.conv2d(x, Window::valid([1, 1], [1, 1]), 8, Clamp::Relu);
    let second = net.conv2d(first, Window::valid([1, 1], [1, 1]), 2, Clamp::None);
    net.graph.add_output(second);
    (0..3).for_each(|output| zero(&mut net.graph, first, output, None));
    let left = |granule| drop_channels(&net.graph, granule).map(|dropped| 8 - dropped.layers[0].1);
    assert_eq!([1, 2, 3, 4, 8].map(left), [Some(5), Some(6), Some(5), None, None]);
    (3..5).for_each(|output| zero(&mut net.graph, first, output, None));
    let left = |granule| drop_channels(&net.graph, granule).map(|dropped| 8 - dropped.layers[0].1);
    assert_eq!([1, 2, 3, 4, 8].map(left), [Some(3), Some(4), Some(3), Some(4), None]);
}

#[test]
fn a_gate_loses_the_channels_that_it_multiplies_with_zero() {
    let (net, _) = two_layers(Window::valid([1, 1], [1, 1]), -1000, |net, x| {
        let mean = net.avg_pool2d(x, Window::valid([6, 6], [1, 1]), Clamp::None);
        let flat = net.reshape(mean, vec![1, 3]);
        let gate = net.dense(flat, 3, Clamp::None);
        net.mul(x, gate, Clamp::None)
    });
    assert_eq!(dropped_layers(&net), [1, 1]);
}

#[test]
fn a_skeleton_is_left_as_it_is() {
    let (net, _) = two_layers(Window::valid([1, 1], [1, 1]), 1000, |_, x| x);
    let mut skeleton = Graph::new();
    let mut map = std::collections::BTreeMap::new();
    for node in net.graph.order() {
        let inputs: Vec<NodeId> = net.graph.inputs(node).iter().map(|input| map[input]).collect();
        map.insert(node, skeleton.add(net.graph.node(node).op.clone(), &inputs).expect("as before"));
    }
    skeleton.add_output(map[&net.graph.outputs()[0]]);
    assert!(drop_channels(&skeleton, 1).is_none());
    // Data of one layer alone is no harm.
    let (name, value) = net.graph.constants().iter().next().expect("weights");
    skeleton.set_constant(name.clone(), Value::clone(value));
    assert!(drop_channels(&skeleton, 1).is_none());
}
