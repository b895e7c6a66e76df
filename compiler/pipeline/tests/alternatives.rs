//! Graphs of equal costs, of which the planner chooses.

use super::{FINAL, SEARCH, target};
use crate::estimate::{FrontEndCost, Limits};
use crate::graph::{Graph, NodeId, Weights};
use crate::ops::{Activation, Add, AvgPool2d, Clamp, Input, MaxPool2d, Mul, Op, Requant, Reshape, Window};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Scale, TensorType, Value};

const EXTENTS: [usize; 4] = [1, 8, 8, 8];
/// Bytes of the map, and of the pool of its maxima.
const MAP: u64 = 8 * 8 * 8;
const MAXIMA: u64 = MAP / 4;

fn requant(scale: f32) -> Option<Requant> {
    Some(Requant { dtype: DType::I8, scale: Scale(scale), zero_point: 3, rounding: Rounding::Double })
}

/// A map that two pools read clamped, and that is multiplied by what the two come to. The pool of maxima may take the
/// map as it is and clamp what it found, for the same cost. Then the mean is the only one to read the clamped map, and
/// may take its place at once; before, the maxima had to be beside both maps.
fn graph() -> Graph {
    let mut graph = Graph::new();
    let mut add = |op: Op, inputs: &[NodeId]| graph.add(op, inputs).expect("shapes fit");
    let ty = TensorType::quantized(DType::I8, EXTENTS, Quant::per_tensor(0.05, -5));
    let x = add(Input { ty }.into(), &[]);
    let clamped = add(Activation { clamp: Clamp::Relu6 }.into(), &[x]);
    let (quarters, halves) = (Window::valid([2, 2], [2, 2]), Window::valid([2, 1], [2, 1]));
    let maxima = add(MaxPool2d { window: quarters, clamp: Clamp::Relu }.into(), &[clamped]);
    let means = add(AvgPool2d { window: halves, clamp: Clamp::None }.into(), &[clamped]);
    let terms = [(maxima, [4, 4]), (means, [4, 8])].map(|(map, extents)| {
        let window = Window::valid(extents, [1, 1]);
        let mean = add(AvgPool2d { window, clamp: Clamp::None }.into(), &[map]);
        add(Reshape { shape: [1, 8].into() }.into(), &[mean])
    });
    let sum = add(Add { clamp: Clamp::None, requant: requant(0.06) }.into(), &terms);
    let product = add(Mul { clamp: Clamp::None, requant: requant(0.2) }.into(), &[x, sum]);
    graph.add_output(product);
    graph.verify().expect("well formed");
    graph
}

#[test]
fn of_graphs_that_cost_the_same_the_one_with_the_least_ram_is_taken() {
    let (graph, target) = (graph(), target());
    let targets = [(&target, Limits::default())];
    let cheapest = FINAL.integer(&graph);
    let chosen = FINAL.integer_for(&graph, &targets);
    let deployed =
        |graph: &Graph| FINAL.deploy(graph, &target, FrontEndCost::default()).expect("lowers").estimate;
    let (before, after) = (deployed(&cheapest), deployed(&chosen));
    assert_eq!(before.arena_bytes, 2 * MAP + MAXIMA);
    assert_eq!(after.arena_bytes, 2 * MAP);
    assert!(after.cycles <= before.cycles && after.flash_bytes <= before.flash_bytes);
    // The same function.
    let bytes = (0..MAP).map(|at| (at * 37 % 251) as u8 as i8).collect();
    let input = Value::from_i8(&EXTENTS.into(), bytes).expect("as many");
    let outputs = [&graph, &cheapest, &chosen]
        .map(|graph| graph.evaluate(std::slice::from_ref(&input), &Weights::new()).expect("it evaluates"));
    assert!(outputs.iter().all(|output| *output == outputs[0]));
    // The same choice every time; a search does not ask the planner.
    assert_eq!(FINAL.integer_for(&graph, &targets).to_text(), chosen.to_text());
    assert_eq!(SEARCH.integer_for(&graph, &targets).to_text(), SEARCH.integer(&graph).to_text());
    // Several targets decide together.
    let both = [targets[0], targets[0]];
    assert_eq!(FINAL.integer_for(&graph, &both).to_text(), chosen.to_text());
}

#[test]
fn what_keeps_the_limits_comes_first() {
    let (graph, target) = (graph(), target());
    let cheapest =
        FINAL.deploy(&FINAL.integer(&graph), &target, FrontEndCost::default()).expect("lowers").estimate;
    // Limits that neither keeps leave the one that takes no more of anything.
    for ram_bytes in [0.0, cheapest.ram_bytes as f64 - 1.0, f64::INFINITY] {
        let limits = Limits { ram_bytes, ..Limits::default() };
        let chosen = FINAL.integer_for(&graph, &[(&target, limits)]);
        let found =
            FINAL.choose(&chosen, &target, FrontEndCost::default(), &limits).expect("lowers").estimate;
        assert!(found.ram_bytes < cheapest.ram_bytes);
    }
}
