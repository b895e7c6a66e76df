//! Operators of imported graphs: programs compute what graphs do, also where the output lies on the input.

use super::*;
use crate::ops::{Elementwise, ElementwiseFunction, Lookup, TransposeConv2d};

fn ended(net: &mut Net) -> Requant {
    net.dice.requant(Rounding::Double).expect("one")
}

/// A tensor of some of the extents, from the input or known.
fn other(net: &mut Net, x: NodeId, quant: Quant) -> NodeId {
    let keeps = [0; 3].map(|_| net.dice.roll(0, 1) == 1);
    let [_, height, width, channels] = net.shape(x);
    let kept = |at: usize, extent: usize| if keeps[at] { extent } else { 1 };
    let shape = vec![1, kept(0, height), kept(1, width), kept(2, channels)];
    if keeps == [true; 3] && net.dice.roll(0, 1) == 1 {
        return x;
    }
    net.constant(Shape::from(shape), DType::I8, quant, 127)
}

fn elementwise(net: &mut Net, x: NodeId) -> NodeId {
    let function = ElementwiseFunction::ALL[net.dice.count(0, 5)];
    let is_choice = matches!(function, ElementwiseFunction::Maximum | ElementwiseFunction::Minimum);
    let own = net.graph.ty(x).quant.clone().expect("one");
    let quant = if is_choice { own.clone() } else { net.dice.quant() };
    let b = other(net, x, quant);
    let mut requant = ended(net);
    if is_choice {
        (requant.scale, requant.zero_point) = (own.scales[0], own.zero_point);
    }
    let clamp = if function == ElementwiseFunction::Prelu { Clamp::None } else { net.dice.clamp() };
    let sides = if net.dice.roll(0, 1) == 0 { [x, b] } else { [b, x] };
    net.add(Elementwise { function, clamp, requant }, &sides)
}

fn transposed(net: &mut Net, x: NodeId) -> NodeId {
    let [_, height, width, channels] = net.shape(x);
    let (kernel, stride) = ([0; 2].map(|_| net.dice.count(1, 5)), [0; 2].map(|_| net.dice.count(1, 3)));
    let same = net.dice.roll(0, 1) == 1;
    let output: [usize; 2] = std::array::from_fn(|axis| {
        let extent = [height, width][axis];
        let over = net.dice.count(0, stride[axis] - 1);
        if same { extent * stride[axis] - over } else { (extent - 1) * stride[axis] + kernel[axis] }
    });
    let window = if same { Window::same(kernel, stride, output) } else { Window::valid(kernel, stride) };
    let filters = net.dice.count(1, 6);
    let [w, b] = net.weights(vec![filters, kernel[0], kernel[1], channels], 0);
    let (clamp, requant) = (net.dice.clamp(), ended(net));
    net.add(TransposeConv2d { window, output, clamp, requant }, &[x, w, b])
}

fn looked_up(net: &mut Net, x: NodeId) -> NodeId {
    let table = net.constant([256].into(), DType::I8, Quant::per_tensor(1.0, 0), 127);
    let requant = ended(net);
    net.add(Lookup { requant }, &[x, table])
}

fn grown(net: &mut Net, x: NodeId) -> NodeId {
    match net.dice.roll(0, 4) {
        0 | 1 => elementwise(net, x),
        2 | 3 => transposed(net, x),
        _ => looked_up(net, x),
    }
}

/// A network of so many such operators.
fn network(seed: u64, operators: usize) -> Graph {
    let mut net = Net::new(seed, true);
    let mut x = net.input([1, net_extent(seed), net_extent(seed >> 8), net_extent(seed >> 16)]);
    for _ in 0..operators {
        x = grown(&mut net, x);
    }
    net.graph.add_output(x);
    net.graph
}

fn net_extent(seed: u64) -> usize {
    1 + (seed % 5) as usize
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn imported_operators_compute_what_graphs_do(seed in any::<u64>(), operators in 1usize..4) {
        let graph = network(seed, operators);
        let inputs = random_inputs(&graph, seed);
        let wanted = reference(&graph, &inputs);
        for isa in [Isa::Portable, Isa::Armv7em] {
            let program = lower(&graph, isa).expect("lowers");
            program.verify().expect("verifies");
            let found = run(&program, &Placement::disjoint(&program), &inputs);
            prop_assert_eq!(bytes(&found.map_err(|trap| TestCaseError::fail(trap.to_string()))?), wanted.clone());
        }
    }

    #[test]
    fn distances_of_imported_operators_are_safe(seed in any::<u64>()) {
        for isa in [Isa::Portable, Isa::Armv7em] {
            check_distances(&network(seed, 1), seed, isa)?;
        }
    }
}
