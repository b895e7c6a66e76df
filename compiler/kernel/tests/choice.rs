//! Programs whose layers are computed by schedules that were chosen.

use std::sync::Arc;

use super::*;
use crate::kernel::{Choice, Variant, lower_with};

/// A schedule for each layer of a graph by a number.
fn mixed(graph: &Graph, which: u64) -> Choice {
    let variants = [Variant::Fast, Variant::Lean, Variant::Fused, Variant::Fused];
    let variant = |position: usize| variants[(which >> (2 * position % 64) & 3) as usize];
    (0..graph.len()).map(|position| (position, variant(position))).collect()
}

/// The layers of a graph that a number names, lean.
fn some_lean(graph: &Graph, which: u64) -> Choice {
    let lean = |&position: &usize| which >> (position % 64) & 1 == 1;
    (0..graph.len()).filter(lean).map(|position| (position, Variant::Lean)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn programs_of_any_choice_compute_what_graphs_do(seed in any::<u64>(), which in any::<u64>()) {
        let graph = Net::random(seed, true);
        let inputs = random_inputs(&graph, seed);
        let program = lower_with(&graph, Isa::Armv7em, &mixed(&graph, which)).expect("lowers");
        program.verify().expect("verifies");
        let found = run(&program, &Placement::disjoint(&program), &inputs);
        let found = bytes(&found.map_err(|trap| TestCaseError::fail(trap.to_string()))?);
        prop_assert_eq!(found, reference(&graph, &inputs));
    }

    #[test]
    fn lean_layers_have_neither_working_memory_nor_assembly(seed in any::<u64>()) {
        let graph = Net::random(seed, true);
        let lean = lower_with(&graph, Isa::Armv7em, &some_lean(&graph, u64::MAX)).expect("lowers");
        prop_assert!(lean.buffers.iter().all(|buffer| buffer.role != Role::Scratch));
        let is_function = |micro: &Arc<MicroKernel>| matches!(micro.armv7em, Some(Special::Assembly(_)));
        prop_assert!(!lean.micros.iter().any(is_function));
        // Elsewhere there is one schedule of each layer.
        let portable = lower_with(&graph, Isa::Portable, &some_lean(&graph, u64::MAX)).expect("lowers");
        prop_assert_eq!(portable, lower(&graph, Isa::Portable).expect("lowers"));
    }
}

#[test]
fn what_is_fast_is_not_named() {
    let choice: Choice = [(3, Variant::Lean), (5, Variant::Fast), (7, Variant::Lean)].into_iter().collect();
    assert_eq!(choice.positions().collect::<Vec<_>>(), [3, 7]);
    assert_eq!((choice.of(3), choice.of(5), choice.is_fast()), (Variant::Lean, Variant::Fast, false));
    let text = serde_json::to_string(&choice).expect("plain data");
    assert_eq!(text, r#"{"3":"lean","7":"lean"}"#);
    assert_eq!(serde_json::from_str::<Choice>(&text).expect("its own text"), choice);
    assert_eq!((choice.count(Variant::Lean), choice.count(Variant::Fused)), (2, 0));
    let choice = choice.with(3, Variant::Fast).with(7, Variant::Fused);
    assert_eq!(serde_json::to_string(&choice).expect("plain data"), r#"{"7":"fused"}"#);
    assert!(choice.has_fused() && !choice.is_fast());
    assert!(choice.with(7, Variant::Fast).is_fast());
}
