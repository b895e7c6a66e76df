//! Ours and PyTorch's in turn, so that what else the machine does meets both alike; then ratios.

use std::collections::BTreeMap;

use nasc::train::EmbeddedEngine;
use rayon::ThreadPool;
use serde_json::{Value, json};

use crate::measure::{Times, Work, least, median, pool, rate};
use crate::networks::{self, Workload};
use crate::reference::{OPTIMIZERS, Reference, VARIANTS};

/// Repetitions of each in a round.
const REPETITIONS: usize = 3;

/// What is wanted of PyTorch's speed as shipped: on the fastest path of a processor with AVX-512, and on AVX2.
fn bar(network: &str, path: &str) -> Option<f64> {
    match (network, path) {
        ("ds-cnn", "avx512") => Some(1.3),
        ("resnet-8", "avx512") => Some(1.0),
        (_, "avx2") => Some(0.8),
        _ => None,
    }
}

/// Who was measured: a path of ours, or `shipped/fused` and the like; with times of each round.
type Found = BTreeMap<String, Vec<Times>>;

/// What is measured.
pub(crate) struct Plan {
    pub(crate) networks: Vec<&'static str>,
    pub(crate) threads: Vec<usize>,
    pub(crate) rounds: usize,
    pub(crate) paths: Vec<(&'static str, EmbeddedEngine)>,
    pub(crate) print: bool,
}

/// Measures everything and gives it as JSON.
pub(crate) fn run(plan: &Plan, references: &mut [Reference]) -> Value {
    let mut rows = Vec::new();
    for name in &plan.networks {
        let workload = networks::named(name).expect("a known network");
        for &threads in &plan.threads {
            let found = rounds(plan, &workload, threads, references);
            if plan.print {
                show(&workload, threads, &found, plan);
            }
            rows.extend(found.iter().map(|(who, rounds)| {
                let all = together(rounds);
                json!({
                    "network": name, "threads": threads, "who": who, "wall_ms": median(&all.wall),
                    "least_wall_ms": least(&all.wall), "cpu_ms": median(&all.cpu),
                    "samples_per_second": rate(median(&all.wall)),
                })
            }));
        }
    }
    json!(rows)
}

fn rounds(plan: &Plan, workload: &Workload, threads: usize, references: &mut [Reference]) -> Found {
    let pool = pool(threads);
    let mut ours: Vec<(&str, Work<EmbeddedEngine>)> = plan
        .paths
        .iter()
        .map(|(path, engine)| (*path, pool.install(|| Work::new(engine.clone(), workload))))
        .collect();
    let mut found = Found::new();
    for round in 0..plan.rounds {
        for (path, work) in &mut ours {
            let times = our_turn(&pool, work);
            found.entry((*path).to_owned()).or_default().push(times);
        }
        for reference in &mut *references {
            let waits = reference.variant == "openmp";
            // One thread waits for nobody; more may wait a hundred times longer than they work.
            if waits && (threads == 1 || round > 0) {
                continue;
            }
            let repetitions = if waits { 1 } else { REPETITIONS };
            for optimizer in OPTIMIZERS {
                let who = format!("{}/{optimizer}", reference.variant);
                match reference.run((workload.name, optimizer), threads, repetitions) {
                    Ok(times) => found.entry(who).or_default().push(times),
                    Err(error) => eprintln!("note: PyTorch {who}: {error}"),
                }
            }
        }
    }
    found
}

fn our_turn(pool: &ThreadPool, work: &mut Work<EmbeddedEngine>) -> Times {
    pool.install(|| work.run(REPETITIONS))
}

fn together(rounds: &[Times]) -> Times {
    let mut all = Times::default();
    rounds.iter().for_each(|times| all.extend(times.clone()));
    all
}

/// The faster optimiser's times of a variant, by wall time.
fn faster<'f>(found: &'f Found, variant: &str) -> Option<&'f [Times]> {
    let candidates = OPTIMIZERS.iter().filter_map(|optimizer| found.get(&format!("{variant}/{optimizer}")));
    let wall = |rounds: &&Vec<Times>| median(&together(rounds).wall);
    candidates.min_by(|a, b| wall(a).total_cmp(&wall(b))).map(Vec::as_slice)
}

fn show(workload: &Workload, threads: usize, found: &Found, plan: &Plan) {
    let name = workload.name;
    println!("\n{name}, {threads} thread{}", if threads == 1 { "" } else { "s" });
    let head = ["", "wall ms", "samples/s", "best ms", "CPU ms", "per CPU s"];
    let [a, b, c, d, e, f] = head;
    println!("{a:18} {b:>9} {c:>11} {d:>9} {e:>9} {f:>11}");
    for (who, rounds) in found {
        let all = together(rounds);
        let (wall, cpu) = (median(&all.wall), median(&all.cpu));
        let best = least(&all.wall);
        println!("{who:18} {wall:9.2} {:11.0} {best:9.2} {cpu:9.2} {:11.0}", rate(wall), rate(cpu));
    }
    for (path, _) in plan.paths.iter().rev() {
        let Some(ours) = found.get(*path) else { continue };
        for variant in VARIANTS {
            let Some(theirs) = faster(found, variant) else { continue };
            let bar = if variant == "shipped" { bar(name, path) } else { None };
            ratio(&format!("{path} / {variant}"), (ours, theirs), threads == 1, bar);
        }
    }
}

/// Prints ratios of speeds: of medians, and the least and greatest of a round. By CPU time what others took away
/// does not count, nor does waiting for a second thread; by wall time both do. So one thread is judged by CPU time,
/// more by wall time. The best wall times are what is left of a machine that others use too.
fn ratio(what: &str, (ours, theirs): (&[Times], &[Times]), alone: bool, bar: Option<f64>) {
    let of = |pick: fn(&Times) -> &[f64]| {
        let whole = |rounds: &[Times]| median(pick(&together(rounds)));
        let each = ours.iter().zip(theirs).map(|(a, b)| median(pick(b)) / median(pick(a)));
        let rounds: Vec<f64> = each.collect();
        let greatest = rounds.iter().copied().fold(0.0, f64::max);
        (whole(theirs) / whole(ours), least(&rounds), greatest)
    };
    let (wall, wall_least, wall_greatest) = of(|times| &times.wall);
    let (cpu, cpu_least, cpu_greatest) = of(|times| &times.cpu);
    let verdict = bar.map_or_else(String::new, |bar| {
        let said = if (if alone { cpu } else { wall }) >= bar { "reached" } else { "MISSED" };
        format!("  bar {bar:.1} {said}")
    });
    let best = least(&together(theirs).wall) / least(&together(ours).wall);
    println!(
        "{what:20} wall {wall:5.2} ({wall_least:.2} to {wall_greatest:.2}), of the best {best:.2}; CPU {cpu:5.2} \
         ({cpu_least:.2} to {cpu_greatest:.2}){verdict}"
    );
}
