//! Networks whose activations have 16 bits: programs compute what graphs do, also where the output lies on the input.

use super::*;
use crate::ops::{
    Concat, Elementwise, ElementwiseFunction, Mean, Mul, Pad, Requantize, ResizeBilinear, ResizeMode, Slice,
    Softmax, Squash, SquashFunction, Transpose, TransposeConv2d, Upsample2d,
};
use crate::tensor::Scale;

fn quant(net: &mut Net) -> Quant {
    Quant::per_tensor(net.dice.roll(10, 90) as f32 / 100_000.0, 0)
}

fn requant(net: &mut Net, rounding: Rounding) -> Requant {
    let scale = quant(net).scales[0];
    Requant { dtype: DType::I16, scale, zero_point: 0, rounding }
}

/// How a convolution rounds whose bias has 64 bits, or 32.
fn rounding(net: &mut Net) -> Rounding {
    if net.dice.roll(0, 2) == 0 { Rounding::Double } else { Rounding::Wide }
}

/// Weights, sometimes so large that their sums leave 32 bits.
fn weights(net: &mut Net, shape: Vec<usize>, axis: usize) -> [NodeId; 2] {
    let channels = shape[axis];
    let scales = (0..channels).map(|_| net.dice.roll(1, 40) as f32 / 40_000.0).collect();
    let quant = Quant::per_channel(scales, axis);
    let weight = net.constant(Shape::from(shape), DType::I8, quant.clone(), 127);
    let bias = Quant { axis: Some(0), ..quant };
    let range = if net.dice.roll(0, 5) == 0 { i64::from(i32::MAX) } else { 300_000 };
    [weight, net.constant([channels].into(), DType::I32, bias, range)]
}

fn convolved(net: &mut Net, x: NodeId, window: Window) -> NodeId {
    let (filters, channels) = (net.dice.count(1, 9), net.shape(x)[3]);
    let [w, b] = weights(net, vec![filters, window.kernel[0], window.kernel[1], channels], 0);
    let (clamp, rounding) = (net.dice.clamp(), rounding(net));
    let requant = Some(requant(net, rounding));
    net.add(Conv2d { window, clamp, requant }, &[x, w, b])
}

fn by_channel(net: &mut Net, x: NodeId, window: Window) -> NodeId {
    let channels = net.shape(x)[3];
    let [w, b] = weights(net, vec![1, window.kernel[0], window.kernel[1], channels], 3);
    let clamp = net.dice.clamp();
    let requant = Some(requant(net, Rounding::Wide));
    net.add(DepthwiseConv2d { window, clamp, requant }, &[x, w, b])
}

fn enlarged(net: &mut Net, x: NodeId) -> NodeId {
    let [_, height, width, channels] = net.shape(x);
    let output = [2 * height, 2 * width];
    match net.dice.roll(0, 2) {
        0 => net.add(Upsample2d { factor: [2, 1] }, &[x]),
        1 => {
            let mode = [ResizeMode::Asymmetric, ResizeMode::HalfPixelCenters][net.dice.count(0, 1)];
            net.add(ResizeBilinear { output, mode }, &[x])
        }
        _ => {
            let window = Window::same([3, 2], [2, 2], output);
            let filters = net.dice.count(1, 5);
            let [w, b] = weights(net, vec![filters, 3, 2, channels], 0);
            let (clamp, rounding) = (net.dice.clamp(), rounding(net));
            let requant = requant(net, rounding);
            net.add(TransposeConv2d { window, output, clamp, requant }, &[x, w, b])
        }
    }
}

fn paired(net: &mut Net, x: NodeId) -> NodeId {
    let shape = net.graph.ty(x).shape.clone();
    let function = ElementwiseFunction::ALL[net.dice.count(0, 5)];
    let is_choice = matches!(function, ElementwiseFunction::Maximum | ElementwiseFunction::Minimum);
    let own = net.graph.ty(x).quant.clone().expect("one");
    let quant = if is_choice { own.clone() } else { quant(net) };
    let other = net.constant(shape, DType::I16, quant, 32_767);
    let mut requant = requant(net, Rounding::Double);
    if is_choice {
        requant.scale = own.scales[0];
    }
    let clamp = if function == ElementwiseFunction::Prelu { Clamp::None } else { net.dice.clamp() };
    match (function, net.dice.roll(0, 1)) {
        (ElementwiseFunction::Add, 0) => net.add(Add { clamp, requant: Some(requant) }, &[x, other]),
        (ElementwiseFunction::Mul, 0) => net.add(Mul { clamp, requant: Some(requant) }, &[x, other]),
        _ => net.add(Elementwise { function, clamp, requant }, &[x, other]),
    }
}

fn moved(net: &mut Net, x: NodeId) -> NodeId {
    let [_, height, width, channels] = net.shape(x);
    match net.dice.roll(0, 4) {
        0 => net.add(Concat {}, &[x, x]),
        1 => net.add(Pad { before: [1, 0, 0], after: [0, 2, 1] }, &[x]),
        2 => net.add(Transpose { order: [0, 2, 1, 3].into() }, &[x]),
        3 => {
            let first = [0, height - 1, 0, 0].into();
            let (count, step) = ([1, 1, width, channels].into(), [1, 1, 1, 1].into());
            net.add(Slice { first, count, step }, &[x])
        }
        _ => {
            let requant = requant(net, Rounding::Double);
            net.add(Mean { axes: [1, 2].into(), requant }, &[x])
        }
    }
}

/// Through 8 bits and back.
fn narrowed(net: &mut Net, x: NodeId) -> NodeId {
    let narrow = net.dice.requant(Rounding::Double).expect("one");
    let x = net.add(Requantize { requant: narrow }, &[x]);
    let requant = requant(net, Rounding::Double);
    net.add(Requantize { requant }, &[x])
}

fn grown(net: &mut Net, x: NodeId) -> NodeId {
    let [_, height, width, _] = net.shape(x);
    let window = net.dice.window([height, width]);
    let clamp = net.dice.clamp();
    match net.dice.roll(0, 12) {
        0..=2 => convolved(net, x, window),
        3 | 4 => by_channel(net, x, window),
        5 => net.add(AvgPool2d { window, clamp }, &[x]),
        6 => net.add(MaxPool2d { window, clamp }, &[x]),
        7 => net.add(Activation { clamp }, &[x]),
        8 => enlarged(net, x),
        9 => paired(net, x),
        10 => narrowed(net, x),
        11 => {
            let function = [SquashFunction::Logistic, SquashFunction::Tanh][net.dice.count(0, 1)];
            net.add(Squash { function }, &[x])
        }
        _ => moved(net, x),
    }
}

fn network(seed: u64, operators: usize) -> Graph {
    let mut net = Net::new(seed, true);
    let extents = [1, net.dice.count(1, 6), net.dice.count(1, 5), net.dice.count(1, 6)];
    let ty = TensorType::quantized(DType::I16, extents, quant(&mut net));
    let mut x = net.add(Input { ty }, &[]);
    for _ in 0..operators {
        x = grown(&mut net, x);
    }
    if operators > 1 && net.dice.roll(0, 1) == 1 {
        let features = net.graph.ty(x).shape.elements();
        let flat = net.add(Reshape { shape: [1, features].into() }, &[x]);
        let units = net.dice.count(1, 9);
        let [w, b] = weights(&mut net, vec![units, features], 0);
        let clamp = net.dice.clamp();
        let requant = Some(requant(&mut net, Rounding::Precise));
        x = net.add(Dense { clamp, requant }, &[flat, w, b]);
        if net.dice.roll(0, 1) == 1 {
            let beta = Scale(net.dice.roll(1, 30) as f32 / 10.0);
            x = net.add(Softmax { beta }, &[x]);
        }
    }
    net.graph.add_output(x);
    net.graph
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn programs_of_16_bits_compute_what_graphs_do(seed in any::<u64>(), operators in 1usize..5) {
        let graph = network(seed, operators);
        let inputs = random_inputs(&graph, seed);
        let wanted = reference(&graph, &inputs);
        for isa in [Isa::Portable, Isa::Armv7em] {
            let program = match lower(&graph, isa) {
                Ok(program) => program,
                // Scales may be so that something could leave 32 bits.
                Err(error) if error.message.contains("overflow") => return Ok(()),
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            program.verify().expect("verifies");
            let found = run(&program, &Placement::disjoint(&program), &inputs);
            prop_assert_eq!(bytes(&found.map_err(|trap| TestCaseError::fail(trap.to_string()))?), wanted.clone());
        }
    }

    #[test]
    fn distances_of_16_bits_are_safe(seed in any::<u64>()) {
        let graph = network(seed, 1);
        for isa in [Isa::Portable, Isa::Armv7em] {
            if lower(&graph, isa).is_ok_and(|program| program.steps.len() == 1) {
                check_distances(&graph, seed, isa)?;
            }
        }
    }
}
