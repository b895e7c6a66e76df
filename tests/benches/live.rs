//! Strategies against random search by real searches of the same time.
//!
//! `cargo bench --bench live -- --data DIR` runs `nasc search` on `tests/benches/live/kws.nas` with each strategy and three
//! seeds, twenty minutes each, on all cores; DIR is as for `examples/kws`. It prints of each search the trials, the best
//! accuracy on the validation part, and the area that its front covers of accuracy and RAM, the latter on a logarithmic
//! scale from 4 to 40 KiB, as a share of the whole. `--minutes N`, `--seeds N` and `--only STRATEGY` change what is run.
//! `--keep DIR` names where specs, stores and locks are, `target/live` by default: a search that has its lock there is not
//! run again, and one that was stopped goes on.
//!
//! Twenty minutes are as many of processor time on each core, so that what else the machine does favours no strategy. The
//! processor time of a process is read from `/proc`: the bench is for Linux.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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

/// Units of processor time in a second, as Linux tells programs on every machine.
const TICKS: f64 = 100.0;

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
    let lock = folder.join("kws.nas.lock");
    if !lock.exists() {
        let nasc = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_nasc"));
            command.arg("search").arg(&spec).args(["--target", "cortex-m4", "--data"]).arg(&options.data);
            command.args(["--seed", &seed.to_string()]).args(arguments);
            command
        };
        spend(&nasc(&[]), &folder, options.minutes);
        let status = nasc(&["--status", "--format", "json"]).output().expect("nasc runs");
        let status: Json = serde_json::from_slice(&status.stdout).expect("JSON");
        let trials = status["search"]["done"].to_string();
        let done = nasc(&["--trials", &trials]).output().expect("nasc runs");
        assert!(done.status.success(), "nasc failed: {}", String::from_utf8_lossy(&done.stderr));
    }
    let text = std::fs::read_to_string(&lock).expect("a lock");
    read(&serde_json::from_str(&text).expect("JSON"))
}

/// Lets a search run until it has had its time, and stops it as Ctrl-C does. What it had is kept in `spent`.
fn spend(command: &Command, folder: &Path, minutes: u64) {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let budget = (minutes * 60) as f64 * cores as f64;
    let kept = folder.join("spent");
    let before = std::fs::read_to_string(&kept).ok().and_then(|text| text.parse().ok()).unwrap_or(0.0);
    if before >= budget {
        return;
    }
    let log = std::fs::File::create(folder.join("log")).expect("a log");
    let mut again = Command::new(command.get_program());
    let mut child =
        again.args(command.get_args()).stderr(log).stdout(Stdio::null()).spawn().expect("nasc runs");
    let mut spent = before;
    while spent < budget {
        assert!(child.try_wait().expect("a child").is_none(), "nasc ended: see {}", folder.display());
        std::thread::sleep(Duration::from_millis(500));
        spent = before + processor_seconds(&child);
        std::fs::write(&kept, format!("{spent}")).expect("a file");
    }
    let stopped = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(stopped.is_ok_and(|status| status.success()), "no kill");
    child.wait().expect("nasc ends");
}

/// What all threads of a process have had of processors.
fn processor_seconds(child: &Child) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).expect("Linux");
    // The name in parentheses may contain anything; the fields after it begin with the third.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().expect("a number")).sum();
    ticks / TICKS
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
