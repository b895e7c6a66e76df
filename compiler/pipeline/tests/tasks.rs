//! Regressions and reconstructions from tables of numbers to bytes that a chip gives.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::Memory;
use crate::device;
use crate::elaborate::{self, Options, Program};
use crate::emit::Reading;
use crate::estimate::Limits;
use crate::pipeline::compile::{CompileOptions, Environment, Silent};
use crate::pipeline::prepare::Prepared;
use crate::pipeline::quality::Intervals;
use crate::pipeline::select::{Found, search};
use crate::pipeline::task::Task;
use crate::pipeline::{IntegerNetwork, bundle, verify};
use crate::search::Clock;
use crate::source::SourceMap;

struct Still;

impl Clock for Still {
    fn now(&self) -> u64 {
        0
    }

    fn pause(&self) {}
}

fn program(model: &str, source: &str, goals: &str) -> Program {
    let text = format!(
        "nas 1
{model}
data {{ source: csv(train: \"train.csv\", test: \"test.csv\", {source}), split: holdout(val: 25 %), normalize: standardize }}
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

/// A table of twelve columns and what is wanted of each row, by what it is called.
fn table(values: &[f32], names: &[&str], wanted: impl Fn(usize, &[f32]) -> Vec<String>) -> String {
    let columns: Vec<String> = (0..12).map(|at| format!("x{at}")).collect();
    let names: Vec<String> = columns.into_iter().chain(names.iter().map(|&name| name.to_owned())).collect();
    let mut text = names.join(",") + "\n";
    for (row, sample) in values.chunks(12).enumerate() {
        let cells: Vec<String> = sample.iter().map(f32::to_string).chain(wanted(row, sample)).collect();
        writeln!(text, "{}", cells.join(",")).expect("a String takes all");
    }
    text
}

fn prepared(program: &Program, train: String, test: String) -> Prepared {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [("train.csv", train), ("test.csv", test)] {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    Prepared::load(program, folder.path(), None).unwrap_or_else(|error| panic!("{error:?}"))
}

fn found(program: &Program, data: &Prepared) -> Found {
    let folder = tempfile::tempdir().expect("a folder");
    let cancel = AtomicBool::new(false);
    let files = Memory::default();
    let env = Environment { files: &files, clock: &Still, cancel: &cancel, progress: &Silent };
    let targets = [&program.targets["host"], &program.targets["cortex-m4"]];
    let options = CompileOptions { jobs: 1, ..CompileOptions::default() };
    let store = folder.path().join("trials.sqlite");
    search(program, &targets, data, (Path::new("test.nas"), &store), &options, &env)
        .unwrap_or_else(|error| panic!("{error:?}"))
}

/// Writes the bundle of a target and runs it in every way that this machine has.
fn verified(found: &Found, program: &Program, target: &str) {
    let target = &program.targets[target];
    let network = &found.networks[&found.lock.targets[&target.name]];
    let emitted = bundle::emit(&found.lock, network, target, Limits::default(), ("net", &[])).expect("emits");
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
    let model = "model m(input: 12, outputs: 2) {
  dense(units: 8..12 step 4, act: relu)
  dense(units: outputs)
}";
    let program = program(model, "targets: [\"warm\", \"tilt\"]", "minimize mse");
    // The means of both channels, on scales of their own.
    let part = |count: usize, first: usize| {
        table(&lines(count, first, 0).0, &["warm", "tilt"], |_, sample| {
            let mean = |c: usize| sample.iter().skip(c).step_by(2).sum::<f32>() / 6.0;
            vec![(300.0 + 20.0 * mean(0)).to_string(), (0.001 * (sample[0] - sample[10])).to_string()]
        })
    };
    let data = prepared(&program, part(160, 0), part(60, 600));
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
    let integer = IntegerNetwork::new(network.graph.clone(), network.raw.clone());
    let task = Task::of_network(&found.lock.classes, &found.lock.readings, [12, 2]);
    let again =
        task.of_integer(&integer.expect("host code"), &data.splits.test, Intervals::Made).expect("runs");
    assert_eq!(again.metrics["mse"].value, quality.test, "the same from what is stored");
    assert!(again.metrics["r2"].value > 0.9, "both numbers are learned: {again:?}");
    on_all_targets(&found, &program);
}

const AUTOENCODER: &str = "model m(input: 12) {
  dense(units: 4..6, act: relu)
  dense(units: 12)
}";

/// A table whose first rows are anomalies.
fn pump(count: usize, first: usize, anomalies: usize) -> String {
    let (values, labels) = lines(count, first, anomalies);
    table(&values, &["state"], |row, _| vec![["fine", "broken"][labels[row] as usize].to_owned()])
}

#[test]
fn anomalies_are_found_by_what_is_not_given_again() {
    let program = program(AUTOENCODER, "label: \"state\", normal: \"fine\"", "maximize auc");
    let data = prepared(&program, pump(160, 0, 0), pump(60, 600, 20));
    assert_eq!((data.splits.train.len(), data.splits.val.len(), data.splits.test.len()), (120, 40, 60));
    let found = found(&program, &data);
    let quality = &found.lock.networks["m"].quality;
    assert_eq!((quality.metric.as_str(), quality.validation_metric.as_deref()), ("auc", Some("mse")));
    assert!(quality.test > 0.9 && quality.test_float > 0.9, "{quality:?}");
    assert!(quality.validation > 0.0 && quality.validation < 1.0, "less than the answer 0: {quality:?}");
    assert!(found.lock.classes.is_empty() && found.lock.readings.is_empty());
    let front = &found.lock.front[0].metrics;
    assert!(front["mse"] > 0.0 && !front.contains_key("auc"), "{front:?}");
    let network = &found.networks["m"];
    let emitted =
        bundle::emit(&found.lock, network, &program.targets["host"], Limits::default(), ("net", &[]))
            .expect("emits");
    let text = |name: &str| emitted.bundle.text(name).expect("a file").to_owned();
    assert!(text("net.h").contains("uint64_t net_error(") && text("README.md").contains("## Anomalies"));
    on_all_targets(&found, &program);
}

#[test]
fn what_is_beyond_the_range_of_normal_samples_counts_in_full() {
    let program = program(AUTOENCODER, "label: \"state\", normal: \"fine\"", "maximize auc");
    // Anomalies are normal samples of a sensor that gives far too much: clamped, they look as normal ones.
    let far = |count: usize, first: usize, anomalies: usize| {
        let (mut values, labels) = lines(count, first, 0);
        values.iter_mut().take(12 * anomalies).for_each(|x| *x = 3.0 + 0.01 * *x);
        let of = |row: usize| ["fine", "broken"][usize::from(row < anomalies)].to_owned();
        assert_eq!(labels.len(), count);
        table(&values, &["state"], |row, _| vec![of(row)])
    };
    let data = prepared(&program, far(160, 0, 0), far(60, 600, 20));
    let quality = &found(&program, &data).lock.networks["m"].quality;
    assert!(quality.test > 0.99, "{quality:?}");
}

#[test]
fn without_anomalies_the_error_of_the_reconstruction_is_the_quality() {
    let program = program(AUTOENCODER, "label: \"state\", normal: \"fine\"", "maximize auc");
    let data = prepared(&program, pump(120, 0, 0), pump(40, 600, 0));
    let found = found(&program, &data);
    let quality = &found.lock.networks["m"].quality;
    assert_eq!((quality.metric.as_str(), quality.validation_metric.as_deref()), ("mse", None));
    assert!(quality.test > 0.0 && quality.test < 1.0, "less than the answer 0: {quality:?}");
}
