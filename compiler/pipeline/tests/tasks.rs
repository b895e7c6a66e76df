//! Regressions and reconstructions from samples in memory to bytes that a chip gives.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::Memory;
use crate::data::{Dataset, Splits, Table};
use crate::device;
use crate::elaborate::{self, Options, Program};
use crate::emit::Reading;
use crate::pipeline::compile::{CompileOptions, Environment, Silent};
use crate::pipeline::quality::Intervals;
use crate::pipeline::select::{Found, search};
use crate::pipeline::study::Prepared;
use crate::pipeline::task::Task;
use crate::pipeline::{IntegerNetwork, Passes, bundle, verify};
use crate::plan::Effort;
use crate::search::Clock;
use crate::source::SourceMap;

struct Still;

impl Clock for Still {
    fn now(&self) -> u64 {
        0
    }

    fn pause(&self) {}
}

fn program(model: &str, goals: &str) -> Program {
    let text = format!(
        "nas 1
{model}
data {{ source: ts(train: \"a.ts\", test: \"b.ts\"), split: holdout(val: 25 %) }}
train {{ optimizer: adamw(lr: 2e-2), epochs: 40, batch: 16 }}
quantize {{ calibrate: 64 samples }}
search {{ strategy: random, trials: 2, finalists: 1, seed: 7 }}
{goals}
"
    );
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &Options::default());
    program.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// Numbers in -1..1 that look random.
fn noise(at: usize) -> f32 {
    ((at * 7919 + 13) % 1009) as f32 / 504.5 - 1.0
}

/// Two channels of six values, which lie on lines through two random numbers; anomalies do not.
fn lines(count: usize, first: usize, anomalies: usize) -> (Vec<f32>, Vec<u32>) {
    let labels: Vec<u32> = (0..count).map(|i| u32::from(i < anomalies)).collect();
    let value = |(i, label): (usize, u32), t: usize, c: usize| match label {
        0 => noise(2 * (first + i)) + noise(2 * (first + i) + 1) * (t as f32 - 2.5) / 2.5 * [1.0, -1.0][c],
        _ => 2.0 * noise(12 * (first + i) + 2 * t + c + 5),
    };
    let sample = |i: usize| (0..12).map(move |at| value((i, u32::from(i < anomalies)), at / 2, at % 2));
    ((0..count).flat_map(sample).collect(), labels)
}

fn samples(values: &[f32], labels: Vec<u32>, numbers: Vec<f32>) -> Dataset {
    let classes: &[&str] = if labels.is_empty() { &[] } else { &["normal", "anomaly"] };
    let classes = classes.iter().map(|class| (*class).to_owned()).collect();
    Dataset::new(Table::from_floats(12, values), [6, 1, 2], labels, classes, numbers)
}

fn found(program: &Program, data: &Prepared) -> Found {
    let folder = tempfile::tempdir().expect("a folder");
    let cancel = AtomicBool::new(false);
    let files = Memory::default();
    let env = Environment { files: &files, clock: &Still, cancel: &cancel, progress: &Silent };
    let targets = [&program.targets["host"], &program.targets["cortex-m4"]];
    let options = CompileOptions { jobs: 1, ..CompileOptions::default() };
    let store = folder.path().join("trials.sqlite");
    search(program, &targets, data, &store, &options, &env).unwrap_or_else(|error| panic!("{error:?}"))
}

/// Writes the bundle of a target and runs it in every way that this machine has.
fn verified(found: &Found, program: &Program, target: &str) {
    let target = &program.targets[target];
    let network = &found.networks[&found.lock.targets[&target.name]];
    let emitted = bundle::emit(&found.lock, network, target, "net").expect("emits");
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in &emitted.bundle.files {
        std::fs::write(folder.path().join(name), content).expect("written");
    }
    let files = Memory::default();
    let verified = verify(&files, Path::new(folder.path()), false, &Silent);
    let verified = verified.unwrap_or_else(|failure| panic!("{:?}", failure.diagnostics));
    assert!(verified.ways.len() >= 3, "{:?}", verified.ways);
    let file = emitted.bundle.files.iter().find(|(name, _)| name.ends_with(".h"));
    let header = String::from_utf8_lossy(file.expect("a header").1);
    assert_eq!(header.contains("NET_NUMBER_MEANS"), !found.lock.readings.is_empty(), "{header}");
}

fn on_all_targets(found: &Found, program: &Program) {
    verified(found, program, "host");
    if ["arm-none-eabi-gcc", "qemu-system-arm"].iter().all(|tool| device::find(tool).is_some()) {
        verified(found, program, "cortex-m4");
    }
}

#[test]
fn numbers_are_predicted_in_their_own_unit() {
    let model = "model m(input: (6, 2), outputs: 2) {
  conv1d(filters: 4..8 step 4, kernel: 3)
  global_avg_pool
  dense(units: outputs)
}";
    let program = program(model, "minimize mse");
    // The mean of both channels, and the slope of the first on a scale of its own.
    let part = |count: usize, first: usize| {
        let (values, _) = lines(count, first, 0);
        let numbers = values.chunks(12).flat_map(|sample| {
            let mean = |c: usize| sample.iter().skip(c).step_by(2).sum::<f32>() / 6.0;
            [300.0 + 20.0 * mean(0), 0.001 * mean(1)]
        });
        let numbers = numbers.collect();
        samples(&values, Vec::new(), numbers)
    };
    let splits = Splits { train: part(120, 0), val: part(40, 300), test: part(60, 600) };
    let test = splits.test.clone();
    let data = Prepared::new(&program, splits, "lines".into()).expect("fits");
    let [Reading::Scaled { mean, deviation }, small] = data.task.readings[..] else { panic!("two readings") };
    assert!((mean - 300.0).abs() < 5.0 && deviation > 5.0, "{mean} {deviation}");
    assert!(matches!(small, Reading::Scaled { deviation, .. } if deviation < 0.01), "{small:?}");
    let sum: f32 = data.numbers.iter().step_by(2).sum();
    assert!(sum.abs() < 1e-2, "standardised: {sum}");

    let found = found(&program, &data);
    let quality = &found.lock.networks["m"].quality;
    assert_eq!((quality.metric.as_str(), quality.test_right, quality.test_samples), ("mse", None, 60));
    let [low, high] = quality.test_ci95;
    assert!(low <= quality.test && quality.test <= high, "{quality:?}");
    // The mean over both numbers; the answer of the mean alone has half of the first one's variance.
    let alone = f64::from(deviation * deviation) / 2.0;
    assert!(quality.test < 0.1 * alone && quality.test_float < 0.1 * alone, "{quality:?}, {alone}");
    assert!(found.lock.classes.is_empty());
    let network = &found.networks["m"];
    let deployment = Passes { effort: Effort::Search };
    let deployment = deployment.deploy(&network.graph, &program.targets["host"], 0).expect("deploys");
    let integer =
        IntegerNetwork::new(network.graph.clone(), network.raw.clone(), &deployment).expect("host code");
    let task = Task::of_network(&found.lock.classes, &found.lock.readings, [12, 2]);
    let again = task.of_integer(&integer, &test, Intervals::Made).expect("runs");
    assert_eq!(again.metrics["mse"].value, quality.test, "the same from what is stored");
    assert!(again.metrics["r2"].value > 0.9, "both numbers are learned: {again:?}");
    on_all_targets(&found, &program);
}

const AUTOENCODER: &str = "model m(input: (6, 2)) {
  dense(units: 4..6, act: relu)
  dense(units: 12)
}";

#[test]
fn anomalies_are_found_by_what_is_not_given_again() {
    let program = program(AUTOENCODER, "maximize auc");
    let part = |count: usize, first: usize, anomalies: usize| {
        let (values, labels) = lines(count, first, anomalies);
        samples(&values, labels, Vec::new())
    };
    // Anomalies in the training part are left aside.
    let splits = Splits { train: part(130, 0, 10), val: part(40, 300, 20), test: part(60, 600, 20) };
    let data = Prepared::new(&program, splits, "lines".into()).expect("fits");
    assert_eq!((data.splits.train.len(), data.splits.val.len()), (120, 40));
    let found = found(&program, &data);
    let quality = &found.lock.networks["m"].quality;
    assert_eq!((quality.metric.as_str(), quality.validation_metric.as_deref()), ("auc", None));
    assert!(quality.test > 0.9 && quality.test_float > 0.9 && quality.validation > 0.9, "{quality:?}");
    assert!(found.lock.classes.is_empty() && found.lock.readings.is_empty());
    let front = &found.lock.front[0].metrics;
    assert!(front["auc"] > 0.5 && front["mse"] > 0.0, "{front:?}");
    on_all_targets(&found, &program);
}

#[test]
fn without_anomalies_the_error_of_the_reconstruction_decides() {
    let program = program(AUTOENCODER, "maximize auc");
    let part = |count: usize, first: usize, anomalies: usize| {
        let (values, labels) = lines(count, first, anomalies);
        samples(&values, if anomalies > 0 { labels } else { Vec::new() }, Vec::new())
    };
    let splits = Splits { train: part(120, 0, 0), val: part(40, 300, 0), test: part(60, 600, 0) };
    let data = Prepared::new(&program, splits, "lines".into()).expect("fits");
    let found = found(&program, &data);
    let quality = &found.lock.networks["m"].quality;
    assert_eq!((quality.metric.as_str(), quality.validation_metric.as_deref()), ("mse", None));
    assert!(quality.test > 0.0 && quality.test < 1.0, "less than the answer 0: {quality:?}");
}
