//! Strategies against random search by real searches of the same time.
//!
//! `cargo bench --bench live -- --data DIR` runs `nasc search` on `tests/benches/live/kws.nas` with each strategy and three
//! seeds, twenty minutes each, on all cores; DIR is as for `examples/kws`. It prints of each search the trials, the best
//! accuracy on the validation part, and the area that its front covers of accuracy and RAM, the latter on a logarithmic
//! scale from 4 to 40 KiB, as a share of the whole. `--minutes N`, `--seeds N` and `--only STRATEGY` change what is run.
//! `--keep DIR` names where specs, stores and locks are, `target/live` by default: a search that has its lock there is not
//! run again.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::path::{Path, PathBuf};
use std::process::Command;

use nasc::search::hypervolume;
use serde_json::Value as Json;

/// Strategies, as a spec has them.
const STRATEGIES: [(&str, &str); 3] = [
    ("random", "random"),
    ("aging_evolution", "aging_evolution(population: 24, tournament: 6)"),
    ("nsga2", "nsga2(population: 24)"),
];

/// Bytes of RAM between which fronts are compared.
const RAM: [f64; 2] = [4096.0, 40_960.0];

struct Options {
    data: PathBuf,
    keep: PathBuf,
    minutes: u64,
}

/// What a search found.
struct Found {
    trials: usize,
    best: f64,
    area: f64,
}

/// Searches, unless the lock is there, and reads what was found.
fn search(name: &str, strategy: &str, seed: u64, options: &Options) -> Found {
    let folder = options.keep.join(format!("{name}-{seed}-{}min", options.minutes));
    std::fs::create_dir_all(&folder).expect("a folder");
    let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/benches/live/kws.nas");
    std::fs::copy(base, folder.join("base.nas")).expect("a copy of the spec");
    let spec = folder.join("kws.nas");
    let text = format!("nas 1\nwith \"base.nas\"\n\nsearch {{ strategy: {strategy} }}\n");
    std::fs::write(&spec, text).expect("a spec");
    let lock = folder.join("kws.lock");
    if !lock.exists() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nasc"));
        command.arg("search").arg(&spec).args(["--target", "cortex-m4", "--data"]).arg(&options.data);
        command.args(["--seed", &seed.to_string(), "--budget", &format!("{}min", options.minutes)]);
        let log = std::fs::File::create(folder.join("log")).expect("a log");
        let status = command.stderr(log).stdout(std::process::Stdio::null()).status().expect("nasc runs");
        assert!(status.success(), "nasc failed: see {}", folder.join("log").display());
    }
    let text = std::fs::read_to_string(&lock).expect("a lock");
    read(&serde_json::from_str(&text).expect("JSON"))
}

fn read(lock: &Json) -> Found {
    let history = lock["history"].as_array().expect("trials");
    let figures: Vec<(f64, f64)> = history
        .iter()
        .filter_map(|trial| Some((trial["quality"].as_f64()?, trial["metrics"]["ram@cortex-m4"].as_f64()?)))
        .collect();
    let height = |ram: f64| (ram.max(RAM[0]) / RAM[0]).ln() / (RAM[1] / RAM[0]).ln();
    let losses: Vec<Vec<f64>> =
        figures.iter().map(|&(accuracy, ram)| vec![1.0 - accuracy, height(ram)]).collect();
    Found {
        trials: history.len(),
        best: figures.iter().map(|&(accuracy, _)| accuracy).fold(0.0, f64::max),
        area: hypervolume(&losses, &[1.0, 1.0]),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let number =
        |name: &str, otherwise| option(name).map_or(otherwise, |text| text.parse().expect("a number"));
    let Some(data) = option("--data") else {
        println!(
            "`--data DIR` names the folder of Speech Commands; without it there is nothing to search on"
        );
        return;
    };
    let keep = option("--keep")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/live"), PathBuf::from);
    let options = Options { data: data.into(), keep, minutes: number("--minutes", 20) };
    let (seeds, only) = (number("--seeds", 3), option("--only"));
    let is_asked = |name: &str| only.as_ref().is_none_or(|only| only == name);
    for seed in 1..=seeds {
        for (name, strategy) in STRATEGIES.into_iter().filter(|(name, _)| is_asked(name)) {
            let Found { trials, best, area } = search(name, strategy, seed, &options);
            println!(
                "seed {seed}  {name:<16} {trials:>4} trials, best {:.2} %, area {:.2} %",
                best * 100.0,
                area * 100.0
            );
        }
    }
}
