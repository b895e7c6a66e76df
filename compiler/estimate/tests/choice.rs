//! Schedules by cost, against all choices there are.

use super::*;
use crate::kernel::{Choice, Variant, lower_with};

/// Switchable layers up to which all choices are tried.
const LAYERS: usize = 7;
/// What a layer can be; the last of sums alone.
const VARIANTS: [Variant; 3] = [Variant::Fast, Variant::Lean, Variant::Fused];

fn chosen(graph: &Graph, effort: Effort, limits: &Limits) -> Deployment {
    choose(graph, &target(Isa::Armv7em), FrontEndCost::default(), effort, limits).expect("deploys")
}

fn deployed(graph: &Graph, choice: &Choice) -> Estimate {
    let target = target(Isa::Armv7em);
    let deployment = deploy_with(graph, &target, FrontEndCost::default(), Effort::Search, choice);
    deployment.expect("deploys").estimate
}

/// An integer network with few layers of two schedules, and what each choice of them costs: first that of all fast.
fn all_choices(seed: u64, is_trained: bool) -> Option<(Graph, Vec<Estimate>)> {
    let mut net = FloatNet::random(seed, 8, false);
    let samples = net.samples(3);
    let graph =
        if is_trained { net.quantized(&samples).ok()? } else { skeleton(&net.graph).expect("floats") };
    let [fast, lean, fused] = VARIANTS.map(|variant| {
        let all: Choice = (0..graph.len()).map(|position| (position, variant)).collect();
        lower_with(&graph, Isa::Armv7em, &all).expect("lowers")
    });
    let is_fused = |node: usize| fused.steps.iter().any(|step| step.node == node && step.absorbs.is_some());
    let differs = fast.steps.iter().zip(&lean.steps).filter(|(a, b)| a.work != b.work);
    let layers: Vec<(usize, usize)> =
        differs.map(|(step, _)| (step.node, if is_fused(step.node) { 3 } else { 2 })).collect();
    if layers.is_empty() || layers.len() > LAYERS {
        return None;
    }
    let choice = |mut number: usize| -> Choice {
        let mut variant = |&(position, count): &(usize, usize)| {
            let digit = number % count;
            number /= count;
            (position, VARIANTS[digit])
        };
        layers.iter().map(&mut variant).collect()
    };
    let count = layers.iter().map(|(_, count)| count).product::<usize>();
    Some((graph.clone(), (0..count).map(|number| deployed(&graph, &choice(number))).collect()))
}

/// The fewest cycles of those within the limits.
fn fewest(costs: &[Estimate], limits: &Limits) -> Option<u64> {
    costs.iter().filter(|cost| limits.hold(cost)).map(|cost| cost.cycles).min()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn the_best_choice_that_fits_is_found(
        seed in any::<u64>(),
        is_trained in any::<bool>(),
        share_of_ram in 0.0..1.0,
        share_of_flash in 0.0..1.5,
    ) {
        let Some((graph, costs)) = all_choices(seed, is_trained) else { return Ok(()) };
        let between = |of: fn(&Estimate) -> u64, share: f64| {
            let all = costs.iter().map(of);
            let (low, high) = (all.clone().min().unwrap_or(0), all.max().unwrap_or(0));
            (low as f64 + share * (high - low) as f64).floor()
        };
        let ram_bytes = between(|cost| cost.ram_bytes, share_of_ram);
        let flash_bytes = between(|cost| cost.flash_bytes, share_of_flash);
        let limits = Limits { ram_bytes, flash_bytes, ..Limits::default() };
        let found = chosen(&graph, Effort::Final, &limits);
        let Some(best) = fewest(&costs, &limits) else {
            // Harder planning may fit what no choice did.
            return Ok(());
        };
        prop_assert!(limits.hold(&found.estimate), "{} of {} B", found.estimate.ram_bytes, ram_bytes);
        // What fits is fast, also where only harder planning makes it fit.
        let fast = deploy(&graph, &target(Isa::Armv7em), FrontEndCost::default(), Effort::Final).expect("deploys");
        if limits.hold(&fast.estimate) {
            prop_assert!(found.choice.is_fast());
            prop_assert_eq!(found.estimate, fast.estimate);
            return Ok(());
        }
        prop_assert!(found.estimate.cycles <= best, "{} instead of {}", found.estimate.cycles, best);
        let again = deploy_with(
            &graph, &target(Isa::Armv7em), FrontEndCost::default(), Effort::Final, &found.choice,
        );
        prop_assert_eq!(again.expect("deploys").estimate, found.estimate);
        prop_assert_eq!(found.all_fast.is_some(), !found.choice.is_fast());
    }

    #[test]
    fn the_least_ram_is_found_with_the_fewest_cycles(seed in any::<u64>(), is_trained in any::<bool>()) {
        let Some((graph, costs)) = all_choices(seed, is_trained) else { return Ok(()) };
        let found = chosen(&graph, Effort::Final, &Limits { ram_bytes: 0.0, ..Limits::default() });
        let best = costs.iter().map(|cost| (cost.ram_bytes, cost.cycles)).min().expect("one at least");
        prop_assert!((found.estimate.ram_bytes, found.estimate.cycles) <= best);
        // What no choice keeps is said of the one that needs least.
        let limits = Limits { ram_bytes: (found.estimate.ram_bytes - 1) as f64, ..Limits::default() };
        let nearest = chosen(&graph, Effort::Final, &limits).estimate;
        prop_assert_eq!(nearest.ram_bytes, found.estimate.ram_bytes);
    }

    #[test]
    fn limits_that_hold_change_nothing(seed in any::<u64>()) {
        let mut net = FloatNet::random(seed, 6, false);
        let graph = skeleton(&net.graph).expect("floats");
        let samples = net.samples(3);
        for graph in [graph, net.quantized(&samples).expect("finite")] {
            let fast = deploy(&graph, &target(Isa::Armv7em), FrontEndCost::default(), Effort::Search)
                .expect("deploys");
            let limits = Limits {
                ram_bytes: fast.estimate.ram_bytes as f64,
                flash_bytes: fast.estimate.flash_bytes as f64,
                weights_bytes: fast.estimate.weights_bytes as f64,
                seconds: fast.estimate.latency_seconds,
                joules: fast.estimate.energy_joules.expect("the power is known"),
            };
            let found = chosen(&graph, Effort::Search, &limits);
            prop_assert_eq!(&found.program, &fast.program);
            prop_assert_eq!((&found.plan, &found.estimate), (&fast.plan, &fast.estimate));
            prop_assert!(found.choice.is_fast() && found.all_fast.is_none());
        }
    }

    /// What a candidate was promised before its training holds after it.
    #[test]
    fn trained_networks_keep_to_the_ram_of_their_skeletons(seed in any::<u64>(), share in 0.0..1.0) {
        let mut net = FloatNet::random(seed, 6, false);
        let samples = net.samples(3);
        let (before, after) = (skeleton(&net.graph).expect("floats"), net.quantized(&samples).expect("finite"));
        let limits = Limits { ram_bytes: 0.0, ..Limits::default() };
        let least = chosen(&before, Effort::Search, &limits).estimate.ram_bytes;
        prop_assert!(chosen(&after, Effort::Final, &limits).estimate.ram_bytes <= least);
        let fast = deployed(&before, &Choice::default()).ram_bytes;
        let ram_bytes = least as f64 + share * (fast - least) as f64;
        let promised = chosen(&before, Effort::Search, &Limits { ram_bytes, ..Limits::default() });
        let ram_bytes = promised.estimate.ram_bytes as f64;
        let kept = chosen(&after, Effort::Final, &Limits { ram_bytes, ..Limits::default() });
        prop_assert!(kept.estimate.ram_bytes <= promised.estimate.ram_bytes);
    }
}

/// A map, a convolution of it and their sum: what the two need together is the convolution's distance from its input.
fn block() -> Graph {
    let mut net = FloatNet::new(3, false);
    let x = net.input([1, 8, 6, 4]);
    let window = crate::ops::Window::same([3, 3], [1, 1], [8, 6]);
    let first = net.conv2d(x, window, 16, crate::ops::Clamp::Relu);
    let second = net.conv2d(first, window, 16, crate::ops::Clamp::Relu);
    let y = net.conv2d(second, window, 16, crate::ops::Clamp::None);
    let sum = net.add(crate::ops::Add { clamp: crate::ops::Clamp::Relu, requant: None }, &[first, y]);
    let flat = net.flat(sum);
    let y = net.dense(flat, 3, crate::ops::Clamp::None);
    net.graph.add_output(y);
    skeleton(&net.graph).expect("floats")
}

#[test]
fn sums_are_fused_where_ram_is_short_and_only_there() {
    let graph = block();
    let sum = graph.order().iter().position(|&node| matches!(graph.node(node).op, crate::ops::Op::Add(_)));
    let sum = sum.expect("a sum");
    // Figures of a core on which assembly pays.
    let cost = CostTable { cycles_per_mac: 1.41, cycles_per_element: 40.0, cycles_per_call: 100.0 };
    let target = Target { cost, ..target(Isa::Armv7em) };
    let none = FrontEndCost::default();
    let deployed = |choice: &Choice| {
        deploy_with(&graph, &target, none, Effort::Search, choice).expect("deploys").estimate
    };
    let chosen =
        |effort: Effort, limits: &Limits| choose(&graph, &target, none, effort, limits).expect("deploys");
    let fast = deployed(&Choice::default());
    let fused = deployed(&Choice::default().with(sum, Variant::Fused));
    assert!(fused.ram_bytes < fast.ram_bytes, "{} of {} B", fused.ram_bytes, fast.ram_bytes);
    // It costs a call for each tile, and little against what plain loops do.
    assert!(fused.cycles > fast.cycles && fused.cycles - fast.cycles < fast.cycles / 20);
    for effort in [Effort::Search, Effort::Final] {
        let limits = |ram_bytes: u64| Limits { ram_bytes: ram_bytes as f64, ..Limits::default() };
        assert!(chosen(effort, &limits(fast.ram_bytes)).choice.is_fast());
        for ram_bytes in [fast.ram_bytes - 1, fused.ram_bytes] {
            let found = chosen(effort, &limits(ram_bytes));
            // Plain loops may be as fast elsewhere, but not there.
            assert_eq!(found.choice.of(sum), Variant::Fused, "{effort:?}");
            assert!(found.estimate.cycles <= fused.cycles);
            assert_eq!(found.estimate.ram_bytes, fused.ram_bytes);
            assert_eq!(found.all_fast.as_ref().map(|fast| fast.ram_bytes), Some(fast.ram_bytes));
            assert_eq!(found.program.steps.iter().filter(|step| step.absorbs.is_some()).count(), 1);
        }
    }
}
