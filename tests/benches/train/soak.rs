//! A million steps of a small network: whether memory grows.

use std::time::Instant;

use nasc::train::{EmbeddedEngine, Recipe, Trainer};

use crate::networks::Workload;

/// Samples in a step of the small network.
const BATCH: usize = 8;
/// Steps in an epoch.
const EPOCH: usize = 1000;
/// Lines that are printed.
const LINES: usize = 20;

/// Bytes of this process that are in memory; `None` where the system does not tell.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Trains and prints the memory over time.
pub(crate) fn run(workload: &Workload, steps: usize) {
    let (inputs, labels) = workload.data(EPOCH * BATCH);
    let epochs = steps.div_ceil(EPOCH);
    let recipe = Recipe { epochs: epochs as u64, batch: BATCH, ..Recipe::default() };
    let engine = EmbeddedEngine::new();
    let mut trainer = Trainer::with_engine(engine, &workload.graph, recipe, (&inputs, &labels), 1)
        .expect("the data fits the network");
    let start = Instant::now();
    let every = epochs.div_ceil(LINES);
    println!("{:>10} {:>10} {:>12} {:>8}", "steps", "seconds", "resident KiB", "loss");
    for epoch in 1..=epochs {
        let report = trainer.epoch().expect("training stays finite");
        if epoch == 1 || epoch % every == 0 || epoch == epochs {
            let memory = resident().map_or_else(|| "?".to_owned(), |bytes| (bytes / 1024).to_string());
            let seconds = start.elapsed().as_secs_f64();
            println!("{:>10} {seconds:>10.1} {memory:>12} {:>8.4}", epoch * EPOCH, report.loss);
        }
    }
}
