use super::*;
use crate::kernel::lower;
use crate::quantize::skeleton;
use crate::quantize::tests::FloatNet;
use crate::target::CostTable;
use crate::tensor::Hertz;
use proptest::prelude::*;

mod choice;

fn target(isa: Isa) -> Target {
    Target {
        name: "test".into(),
        core: None,
        isa,
        clock: Hertz(1_000_000),
        ram: None,
        flash: None,
        align: 16,
        active_milliwatts: Some(10.0),
        cost: CostTable { cycles_per_mac: 2.0, cycles_per_element: 10.0, cycles_per_call: 100.0 },
        toolchain: None,
        source: "a test".into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever is quantized can be lowered: no accumulator may overflow.
    #[test]
    fn what_is_quantized_can_be_lowered(seed in any::<u64>()) {
        let mut net = FloatNet::random(seed, 6, true);
        let samples = net.samples(4);
        if let Ok(integer) = net.quantized(&samples) {
            for isa in [Isa::Portable, Isa::Armv7em] {
                let program = lower(&integer, isa).map_err(|error| TestCaseError::fail(error.to_string()))?;
                program.verify().expect("verifies");
            }
        }
    }

    /// A candidate costs before its training what it costs after it, or more.
    #[test]
    fn skeletons_cost_what_trained_networks_do(seed in any::<u64>()) {
        skeleton_costs_what_the_trained_does(seed);
    }
}

/// Networks of which a curve gives one value only: by the placeholders of the first, by the ranges of the second.
#[test]
fn skeletons_of_former_failures_cost_what_trained_networks_do() {
    for seed in [16_569_487_416_275_641_361, 4_459_348_574_852_437_775, 15_518_154_148_336_974_208] {
        skeleton_costs_what_the_trained_does(seed);
    }
}

fn skeleton_costs_what_the_trained_does(seed: u64) {
    let mut net = FloatNet::random(seed, 6, false);
    let samples = net.samples(4);
    let (trained, skeleton) =
        (net.quantized(&samples).expect("finite"), skeleton(&net.graph).expect("floats"));
    let deployed = |graph: &Graph| {
        deploy(graph, &target(Isa::Armv7em), FrontEndCost::default(), Effort::Search).expect("deploys")
    };
    let (before, after) = (deployed(&skeleton), deployed(&trained));
    let is_same = schedules(&before) == schedules(&after);
    let filled: Vec<usize> =
        after.program.steps.iter().filter(|step| step.op == "fill").map(|step| step.node).collect();
    // What has no tables may share its function with others, and then gets one of its own.
    let has_no_tables = |step: &&crate::kernel::Step| {
        filled.contains(&step.node)
            && step
                .calls
                .iter()
                .flat_map(|call| &call.buffers)
                .all(|arg| !matches!(arg, crate::kernel::Arg::Table(_)))
    };
    let functions = 64 * before.program.steps.iter().filter(has_no_tables).count() as u64;
    let (before, after) = (before.estimate, after.estimate);
    let (tables, bound) = (after.weights_bytes, before.weights_bytes);
    assert!(tables <= bound, "{tables} of {bound} for seed {seed}");
    assert_eq!(after.macs, before.macs);
    if !filled.is_empty() {
        // A layer of one value is not computed, and the code that writes the value is less than the tables that go.
        assert!(after.ram_bytes <= before.ram_bytes && after.cycles <= before.cycles, "seed {seed}");
        assert!(after.flash_bytes <= before.flash_bytes + functions, "seed {seed}");
        return;
    }
    if !is_same {
        // Channels whose outputs hardly move, or hardly differ, need wider arithmetic than is foreseen.
        assert!(after.ram_bytes <= before.ram_bytes, "seed {seed}");
        return;
    }
    assert_eq!(after.ram_bytes, before.ram_bytes, "seed {seed}");
    assert!(after.cycles <= before.cycles, "{} of {} for seed {seed}", after.cycles, before.cycles);
    assert!(after.code_bytes <= before.code_bytes, "{} of {}", after.code_bytes, before.code_bytes);
}

/// What the schedules of a program's layers do, but for how often.
pub(crate) fn schedules(deployment: &Deployment) -> Vec<Vec<crate::kernel::Work>> {
    let pieces = |step: &crate::kernel::Step| step.work.iter().map(|&(work, _)| work).collect();
    let mut all: Vec<Vec<crate::kernel::Work>> = deployment.program.steps.iter().map(pieces).collect();
    all.sort();
    all
}

#[test]
fn figures_follow_from_one_another() {
    let mut net = FloatNet::random(5, 4, false);
    let samples = net.samples(3);
    let graph = net.quantized(&samples).expect("finite");
    let front_end =
        FrontEndCost { table_bytes: 24, context_bytes: 12, cycles: 500, ..FrontEndCost::default() };
    let deployment = deploy(&graph, &target(Isa::Armv7em), front_end, Effort::Final).expect("deploys");
    let estimate = &deployment.estimate;
    assert_eq!(estimate.flash_bytes, estimate.weights_bytes + estimate.code_bytes);
    assert_eq!(estimate.weights_bytes, deployment.program.table_bytes() + 24);
    assert_eq!(estimate.ram_bytes, estimate.arena_bytes + 4 + 12);
    assert!((estimate.latency_seconds - estimate.cycles as f64 / 1e6).abs() < 1e-12);
    let energy = estimate.energy_joules.expect("the power is known");
    assert!((energy - 0.01 * estimate.latency_seconds).abs() < 1e-15);
}

#[test]
fn a_front_end_shares_the_arena_and_adds_the_rest() {
    let mut net = FloatNet::random(5, 4, false);
    let samples = net.samples(3);
    let graph = net.quantized(&samples).expect("finite");
    let deployed = |front_end| {
        deploy(&graph, &target(Isa::Armv7em), front_end, Effort::Final).expect("deploys").estimate
    };
    let alone = deployed(FrontEndCost::default());
    let small = FrontEndCost { code_bytes: 300, scratch_bytes: 1, cycles: 70, ..FrontEndCost::default() };
    let small = deployed(small);
    assert_eq!((small.arena_bytes, small.lower_bound_bytes), (alone.arena_bytes, alone.lower_bound_bytes));
    assert_eq!((small.code_bytes, small.cycles), (alone.code_bytes + 300, alone.cycles + 70));
    let scratch_bytes = alone.arena_bytes + 40;
    let large = deployed(FrontEndCost { scratch_bytes, ..FrontEndCost::default() });
    assert_eq!((large.arena_bytes, large.lower_bound_bytes), (scratch_bytes, scratch_bytes));
    assert!(large.optimal);
}

#[test]
fn padding_brings_tables_to_words() {
    let mut net = FloatNet::new(1, false);
    let x = net.input([1, 5]);
    let y = net.dense(x, 3, crate::ops::Clamp::None);
    net.graph.add_output(y);
    let samples = net.samples(3);
    let graph = net.quantized(&samples).expect("finite");
    let program = lower(&graph, Isa::Armv7em).expect("lowers");
    // 15 weights and 3 shifts, each to the next word; biases and mantissas are words.
    assert_eq!(padding(&program), 1 + 1);
    assert_eq!(terms(&program).iter().find(|(name, _)| *name == "interface"), Some(&("interface", 1)));
}
