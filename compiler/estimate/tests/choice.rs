//! Schedules by cost, against all choices there are.

use super::*;
use crate::kernel::{Choice, Variant, lower_with};

/// Switchable layers up to which all choices are tried.
const LAYERS: usize = 7;

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
    let all: Choice = (0..graph.len()).map(|position| (position, Variant::Lean)).collect();
    let [fast, lean] = [&Choice::default(), &all].map(|choice| lower_with(&graph, Isa::Armv7em, choice));
    let (fast, lean) = (fast.expect("lowers"), lean.expect("lowers"));
    let differs = fast.steps.iter().zip(&lean.steps).filter(|(a, b)| a.work != b.work);
    let positions: Vec<usize> = differs.map(|(step, _)| step.node).collect();
    if positions.is_empty() || positions.len() > LAYERS {
        return None;
    }
    let choice = |mask: u32| -> Choice {
        let lean = positions.iter().enumerate().filter(|(at, _)| mask >> at & 1 == 1);
        lean.map(|(_, &position)| (position, Variant::Lean)).collect()
    };
    let costs = (0..1u32 << positions.len()).map(|mask| deployed(&graph, &choice(mask))).collect();
    Some((graph, costs))
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
        if limits.hold(&costs[0]) {
            prop_assert!(found.choice.is_fast());
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
