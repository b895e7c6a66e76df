//! Sums that are computed by the convolutions that make one of their terms.

use super::*;
use crate::kernel::{Choice, Variant, lower_with};

/// All sums by their convolutions, where that can be.
fn all_fused(graph: &Graph) -> Choice {
    (0..graph.len()).map(|position| (position, Variant::Fused)).collect()
}

/// The sum of a convolution and of its input, of another input or of another convolution.
fn residual(seed: u64) -> Graph {
    let mut net = Net::new(seed, true);
    let width = if net.dice.roll(0, 1) == 0 { 1 } else { net.dice.count(2, 7) };
    let extents = [1, net.dice.count(1, 7), width, net.dice.count(1, 6)];
    let x = net.input(extents);
    let [_, height, width, channels] = extents;
    let kernel = [height, width].map(|extent| net.dice.count(1, extent.min(5)));
    let window = Window::same(kernel, [1, 1], [height, width]);
    let other = net.dice.roll(0, 2);
    let filters = if other == 0 { channels } else { net.dice.count(1, 9) };
    let y = net.conv2d(x, window, filters);
    let residual = match other {
        0 => x,
        1 => net.input([1, height, width, filters]),
        _ => net.conv2d(x, Window::valid([1, 1], [1, 1]), filters),
    };
    let terms = if net.dice.roll(0, 1) == 0 { [y, residual] } else { [residual, y] };
    let (clamp, requant) = (net.dice.clamp(), net.dice.requant(Rounding::Double));
    let sum = net.add(Add { clamp, requant }, &terms);
    net.graph.add_output(sum);
    net.graph
}

/// A placement with the written buffer at a distance from the one that is read, and all else apart.
fn placed(program: &Program, read: BufferId, written: BufferId, distance: i64) -> Placement {
    let bytes = |id: BufferId| program.buffers[id.0 as usize].bytes();
    let base = bytes(written) + 1;
    let mut offsets = vec![base; program.buffers.len()];
    offsets[written.0 as usize] = (base as i64 + distance) as u64;
    let mut end = (2 * base + bytes(read)).next_multiple_of(8);
    for (at, buffer) in program.buffers.iter().enumerate() {
        if ![read, written].contains(&BufferId(at as u32)) {
            offsets[at] = end;
            end += buffer.bytes().next_multiple_of(8);
        }
    }
    Placement { offsets }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn fused_sums_compute_what_graphs_do(seed in any::<u64>()) {
        let graph = residual(seed);
        let inputs = random_inputs(&graph, seed);
        let program = lower_with(&graph, Isa::Armv7em, &all_fused(&graph)).expect("lowers");
        program.verify().expect("verifies");
        let found = run(&program, &Placement::disjoint(&program), &inputs);
        let found = bytes(&found.map_err(|trap| TestCaseError::fail(trap.to_string()))?);
        prop_assert_eq!(found, reference(&graph, &inputs));
        // Elsewhere there is no such schedule.
        let portable = lower_with(&graph, Isa::Portable, &all_fused(&graph)).expect("lowers");
        prop_assert_eq!(portable, lower(&graph, Isa::Portable).expect("lowers"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn distances_of_fused_sums_are_safe(seed in any::<u64>()) {
        let graph = residual(seed);
        let inputs = random_inputs(&graph, seed);
        let wanted = reference(&graph, &inputs);
        let program = lower_with(&graph, Isa::Armv7em, &all_fused(&graph)).expect("lowers");
        let Some(step) = program.steps.iter().find(|step| step.absorbs.is_some()) else { return Ok(()) };
        let interpreter = Interpreter::new(&program).expect("verifies");
        for overlap in &step.overlaps {
            let (read, written) = (overlap.read, overlap.written);
            let later = |other: &&Step| other.reads.contains(&read) && other.node > step.node;
            prop_assert!(!program.steps.iter().any(|other| later(&other)));
            let declared =
                |distance: i64| overlap.safe.iter().any(|&(low, high)| low <= distance && distance <= high);
            for (distance, clash) in forbidden(&program, read, written) {
                prop_assert!(!(clash && declared(distance)), "{distance} is declared safe, {:?}", overlap.safe);
                let result = interpreter.run(&placed(&program, read, written, distance), &inputs);
                prop_assert_eq!(result.is_err(), clash, "the shadow and the trace disagree at {}", distance);
                if let Ok(found) = result {
                    prop_assert_eq!(bytes(&found), wanted.clone(), "distance {}", distance);
                }
            }
        }
    }
}

#[test]
fn a_sum_may_take_the_place_of_its_residual() {
    let mut net = Net::new(3, true);
    let x = net.input([1, 5, 3, 4]);
    let other = net.input([1, 5, 3, 4]);
    let y = net.conv2d(x, Window::same([3, 3], [1, 1], [5, 3]), 4);
    let requant = net.dice.requant(Rounding::Double);
    let sum = net.add(Add { clamp: Clamp::None, requant }, &[other, y]);
    net.graph.add_output(sum);
    let apart = lower(&net.graph, Isa::Armv7em).expect("lowers");
    let program = lower_with(&net.graph, Isa::Armv7em, &all_fused(&net.graph)).expect("lowers");
    assert_eq!((apart.steps.len(), program.steps.len()), (2, 1));
    let step = &program.steps[0];
    let order = net.graph.order();
    assert_eq!((order[step.node], step.absorbs.map(|node| order[node])), (sum, Some(y)));
    let of = |id: BufferId| step.overlaps.iter().find(|overlap| overlap.read == id).expect("declared");
    assert!(of(program.inputs[1]).safe.iter().any(|&(low, high)| low <= 0 && high >= 0));
    // Over its convolution's input it has to keep the distance that the convolution has to.
    let of_input = |step: &Step, id| step.overlaps.iter().find(|overlap| overlap.read == id).cloned();
    let alone = of_input(&apart.steps[0], apart.inputs[0]).expect("declared");
    assert_eq!(of(program.inputs[0]).safe, alone.safe);
    // A convolution that is read twice, or is an output, stays by itself.
    net.graph.add_output(y);
    let program = lower_with(&net.graph, Isa::Armv7em, &all_fused(&net.graph)).expect("lowers");
    assert_eq!(program.steps.len(), 2);
}
