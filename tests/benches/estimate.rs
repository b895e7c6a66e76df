//! Costs of untrained networks: how fast they come, how good the memory plans are, and what more effort changes.
//!
//! `cargo bench --bench estimate` draws networks from each space of the standard library and from the examples' space of
//! keyword spotters, and costs each on a Cortex-M4 with both efforts. It prints networks a second of CPU time (of wall
//! time where the system does not tell; one thread), how many are drawn and instantiated a second, the longest time at
//! the final effort, which is wall time, the share that is proved optimal, and the rank correlation between the efforts.
//! `-- --count N` sets how many networks, `-- --only NAME` which space, `-- --search` leaves the final effort out. It
//! fails if more effort gives a higher figure, or an arena below its bound.

#![expect(clippy::print_stdout, reason = "a bench prints")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod spaces;

use std::time::Instant;

use nasc::elaborate;
use nasc::estimate::{Estimate, FrontEndCost};
use nasc::graph::Graph;
use nasc::pipeline::Passes;
use nasc::plan::Effort;
use nasc::search::rank_correlation;
use nasc::target::Target;

use spaces::{SPACES, networks, space};

/// Seconds of CPU time so far, up to some milliseconds.
fn cpu_seconds(start: Instant) -> f64 {
    let told = std::fs::read_to_string("/proc/self/schedstat").ok();
    let nanoseconds = told.and_then(|told| told.split(' ').next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds / 1e9)
}

/// Costs of a network from its training graph on, and the seconds they took.
fn cost(graph: &Graph, target: &Target, effort: Effort) -> (Estimate, f64) {
    let passes = Passes { effort };
    let start = Instant::now();
    let skeleton = passes.skeleton(graph);
    let deployment = passes.deploy(&skeleton, target, FrontEndCost::default()).expect("it can be lowered");
    (deployment.estimate, start.elapsed().as_secs_f64())
}

/// Spearman's rank correlation; 1 where one is the same for all.
fn correlation(a: &[u64], b: &[u64]) -> f64 {
    let exact = |values: &[u64]| values.iter().map(|&value| value as f64).collect::<Vec<f64>>();
    rank_correlation(&exact(a), &exact(b)).unwrap_or(1.0)
}

/// More effort never gives more.
fn check(path: &str, search: &[(Estimate, f64)], end: &[(Estimate, f64)]) {
    for ((search, _), (end, _)) in search.iter().zip(end) {
        assert!(end.ram_bytes <= search.ram_bytes, "{path}: more effort, more RAM");
        assert!(end.cycles <= search.cycles, "{path}: more effort, more cycles");
        assert!(end.lower_bound_bytes <= end.arena_bytes, "{path}: an arena below its bound");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| -> Option<&String> {
        arguments.get(arguments.iter().position(|argument| argument == name)? + 1)
    };
    let count = option("--count").and_then(|count| count.parse().ok()).unwrap_or(500);
    let target = elaborate::stdlib_targets().remove("cortex-m4").expect("a target of the library");
    let start = Instant::now();
    for path in SPACES {
        if option("--only").is_some_and(|only| !path.contains(only.as_str())) {
            continue;
        }
        let space = space(path);
        let before = cpu_seconds(start);
        let graphs = networks(&space, count);
        let drawing = cpu_seconds(start) - before;
        let costs = |effort: Effort| -> Vec<(Estimate, f64)> {
            graphs.iter().map(|graph| cost(graph, &target, effort)).collect()
        };
        let before = cpu_seconds(start);
        let search = costs(Effort::Search);
        let seconds = cpu_seconds(start) - before;
        if arguments.iter().any(|argument| argument == "--search") {
            println!(
                "{path:<34} {:>4} networks  {:>7.0} a second",
                search.len(),
                search.len() as f64 / seconds
            );
            continue;
        }
        let end = costs(Effort::Final);
        check(path, &search, &end);
        let longest = end.iter().map(|&(_, seconds)| seconds).fold(0.0, f64::max);
        let optimal = |costs: &[(Estimate, f64)]| {
            100.0 * costs.iter().filter(|(estimate, _)| estimate.optimal).count() as f64 / costs.len() as f64
        };
        let of = |costs: &[(Estimate, f64)], figure: fn(&Estimate) -> u64| -> Vec<u64> {
            costs.iter().map(|(estimate, _)| figure(estimate)).collect()
        };
        let rank = |figure: fn(&Estimate) -> u64| correlation(&of(&search, figure), &of(&end, figure));
        let gap = end
            .iter()
            .map(|(estimate, _)| estimate.arena_bytes as f64 / estimate.lower_bound_bytes.max(1) as f64)
            .fold(1.0, f64::max);
        println!(
            "{path:<34} {:>4} networks  {:>7.0} a second ({:.0} drawn)  final at most {:>7.1} ms  optimal {:>5.1} % ({:.1} % \
             at once)  widest gap {:.3}  ranks: RAM {:.4}, cycles {:.4}",
            graphs.len(),
            search.len() as f64 / seconds,
            graphs.len() as f64 / drawing,
            1e3 * longest,
            optimal(&end),
            optimal(&search),
            gap,
            rank(|e| e.ram_bytes),
            rank(|e| e.cycles),
        );
    }
}
