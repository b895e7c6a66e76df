//! Speed of the training engine: samples in a second, against PyTorch, and where the time goes.
//!
//! `cargo bench --bench train` times steps (forward, backward, update; batch 64) of the networks `ds-cnn` and
//! `resnet-8` on every instruction path with one and two threads, and prints the most that the processor does.
//!
//! | option | |
//! |---|---|
//! | `--reference PYTHON` | PyTorch in turn with ours, with this interpreter; prints ratios and bars |
//! | `--profile` | time of every kind of primitive in a step |
//! | `--network NAME`, `--threads N`, `--path NAME` | these alone |
//! | `--rounds N` | default 5 |
//! | `--json` | no tables |
//! | `--vowels FOLDER` | whether a hundred epochs of the vowels data give the same bits on every path |
//! | `--steps N --small` | that many steps of a small network, and the memory over time |
//!
//! All times are medians. CPU time is that of all threads of the process: with one thread it is the time of a step
//! without what other processes took away.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod compare;
mod measure;
mod networks;
mod paths;
mod peak;
mod profile;
mod reference;
mod soak;
mod timed;
mod vowels;

use std::process::ExitCode;

use serde_json::json;

use crate::compare::Plan;
use crate::reference::{Reference, VARIANTS};

/// What the command line says.
#[derive(Default)]
struct Options {
    reference: Option<String>,
    network: Option<String>,
    path: Option<String>,
    threads: Option<usize>,
    rounds: Option<usize>,
    steps: Option<usize>,
    profile: bool,
    small: bool,
    vowels: Option<String>,
    json: bool,
}

impl Options {
    fn read() -> Result<Options, String> {
        fn value<T: std::str::FromStr>(
            name: &str,
            arguments: &mut dyn Iterator<Item = String>,
        ) -> Result<Option<T>, String> {
            let found = arguments.next().and_then(|text| text.parse().ok());
            found.map(Some).ok_or_else(|| format!("`{name}` needs a value"))
        }
        let mut options = Options::default();
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            match name.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--reference" => options.reference = value(&name, &mut arguments)?,
                "--network" => options.network = value(&name, &mut arguments)?,
                "--path" => options.path = value(&name, &mut arguments)?,
                "--threads" => options.threads = value(&name, &mut arguments)?,
                "--rounds" => options.rounds = value(&name, &mut arguments)?,
                "--steps" => options.steps = value(&name, &mut arguments)?,
                "--profile" => options.profile = true,
                "--vowels" => options.vowels = value(&name, &mut arguments)?,
                "--small" => options.small = true,
                "--json" => options.json = true,
                other => return Err(format!("no option `{other}`; the head of the bench lists them")),
            }
        }
        Ok(options)
    }

    fn plan(&self) -> Result<Plan, String> {
        let chosen = |name: &&str| self.network.as_deref().is_none_or(|wanted| wanted == *name);
        let networks: Vec<&str> = ["ds-cnn", "resnet-8"].into_iter().filter(chosen).collect();
        let mut paths = paths::paths();
        match &self.path {
            Some(wanted) => paths.retain(|(name, _)| name == wanted),
            // In software without the instruction, some hundred times slower.
            None if paths.len() > 1 && cfg!(target_arch = "x86_64") => {
                paths.retain(|(name, _)| *name != "portable");
            }
            None => {}
        }
        if networks.is_empty() || paths.is_empty() {
            return Err("no such network or path on this processor".to_owned());
        }
        let threads = self.threads.map_or_else(|| vec![1, 2], |threads| vec![threads.max(1)]);
        let rounds = self.rounds.unwrap_or(5).max(1);
        Ok(Plan { networks, threads, rounds, paths, print: !self.json })
    }
}

/// PyTorch in its variants; none, with a note, where it is not asked for or not there.
fn references(python: Option<&str>) -> Vec<Reference> {
    let Some(python) = python else {
        eprintln!("note: PyTorch is not measured; `--reference PYTHON` names an interpreter that has it");
        return Vec::new();
    };
    let started: Result<Vec<Reference>, String> =
        VARIANTS.into_iter().map(|variant| Reference::start(python, variant)).collect();
    started.unwrap_or_else(|error| {
        eprintln!("note: PyTorch is not measured: {error}");
        Vec::new()
    })
}

fn run(options: &Options) -> Result<(), String> {
    if let Some(folder) = &options.vowels {
        return match vowels::run(folder)? {
            true => Ok(()),
            false => Err("the weights differ".to_owned()),
        };
    }
    if options.small {
        let workload = networks::named("tiny").expect("a known network");
        soak::run(&workload, options.steps.unwrap_or(1_000_000));
        return Ok(());
    }
    let plan = options.plan()?;
    let mut peaks = Vec::new();
    for &threads in &plan.threads {
        let pool = measure::pool(threads);
        let (multiply_adds, copies) = (peak::multiply_adds(&pool), peak::copies(&pool));
        if plan.print {
            let list: Vec<String> =
                multiply_adds.iter().map(|(name, speed)| format!("{name} {speed:.1}")).collect();
            println!("peak, threads {threads}: GMAC/s {}; copies {copies:.1} GB/s", list.join(", "));
        }
        let by_name: serde_json::Map<_, _> =
            multiply_adds.into_iter().map(|(name, speed)| (name.to_owned(), json!(speed))).collect();
        peaks.push(
            json!({ "threads": threads, "gmac_per_second": by_name, "copy_gigabytes_per_second": copies }),
        );
    }
    let found = if options.profile {
        let mut profiles = Vec::new();
        for name in &plan.networks {
            let workload = networks::named(name).expect("a known network");
            for &threads in &plan.threads {
                for path in plan.paths.iter().cloned() {
                    profiles.push(profile::show(path, &workload, threads, plan.print));
                }
            }
        }
        json!({ "peaks": peaks, "profiles": profiles })
    } else {
        let mut references = references(options.reference.as_deref());
        let torch = references.first().map(|reference| reference.version.clone());
        let rows = compare::run(&plan, &mut references);
        json!({ "peaks": peaks, "torch": torch, "batch": measure::BATCH, "rows": rows })
    };
    if options.json {
        println!("{found:#}");
    }
    Ok(())
}

fn main() -> ExitCode {
    match Options::read().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}
