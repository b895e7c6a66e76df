//! `nasc diff`: what differs between two locks, or what stands for them: specs and bundles.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value as Json;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate;
use crate::estimate::{Estimate, Limits};
use crate::pipeline::Failure;
use crate::pipeline::bundle;
use crate::pipeline::check::Loaded;
use crate::pipeline::evaluate::read_bundle;
use crate::pipeline::figures;
use crate::pipeline::files::Files;
use crate::pipeline::locking::{self, Lock, LockedNetwork, StoredNetwork};
use crate::report::{
    Change, Differences, Figure, Quality, QualityChange, Report, TargetChange, TargetReport, genome_changes,
};
use crate::target::Target;
use crate::train::EngineKind;

/// What stands for a result.
#[derive(Clone, Copy, Debug)]
pub enum Given<'a> {
    /// The folder of a bundle.
    Bundle(&'a Path),
    /// A lock, or a spec with its lock.
    Lock(&'a Path),
}

/// One of the two results.
struct Side {
    name: String,
    /// What it follows from, in the order in which it is told.
    settings: Vec<(&'static str, Option<String>)>,
    data: String,
    sections: BTreeMap<String, String>,
    targets: BTreeMap<String, OnTarget>,
}

/// What is known of a side's network on a target.
#[derive(Default)]
struct OnTarget {
    metric: String,
    value: f64,
    ci95: [f64; 2],
    samples: usize,
    genome: Option<Json>,
    /// Costs by name.
    figures: BTreeMap<&'static str, f64>,
    front: usize,
    /// What is not as it could be.
    note: Option<String>,
}

/// The costs that are compared.
const FIGURES: [&str; 5] = ["ram", "flash", "cycles", "macs", "latency"];

/// Compares two results. Without weights beside a lock the costs that the search saw are taken.
///
/// # Errors
/// E0903, E0902 or E0907 for what is not there or cannot be read.
pub fn diff(files: &dyn Files, given: [Given<'_>; 2], targets: &[String]) -> Result<Differences, Failure> {
    let [old, new] = [read(files, given[0])?, read(files, given[1])?];
    let names: BTreeSet<&String> = old.targets.keys().chain(new.targets.keys()).collect();
    if let Some(other) = targets.iter().find(|target| !names.contains(target)) {
        let known: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let message = format!("neither side has a network for target `{other}`");
        let help = format!("known are {}", known.join(", "));
        return Err(Diagnostic::error(Code::UNKNOWN_TARGET, message).help(help).into());
    }
    let names = names.into_iter().filter(|name| targets.is_empty() || targets.contains(name));
    let is_same_data = old.data == new.data;
    let mut found = Differences {
        targets: names.map(|name| on_target(name, &old, &new, is_same_data)).collect(),
        sections: sections(&old, &new),
        settings: settings(&old, &new),
        old: old.name,
        new: new.name,
        equal: false,
    };
    found.equal = found.settings.is_empty()
        && found.sections.values().all(|differs| !differs)
        && !found.targets.iter().any(TargetChange::differs);
    Ok(found)
}

fn sections(old: &Side, new: &Side) -> BTreeMap<String, bool> {
    let names = old.sections.keys().chain(new.sections.keys());
    names.map(|name| (name.clone(), old.sections.get(name) != new.sections.get(name))).collect()
}

fn settings(old: &Side, new: &Side) -> Vec<Change> {
    // A bundle does not know the values of `--set`.
    let of_new = |name: &str| new.settings.iter().find(|(known, _)| *known == name);
    let both = old.settings.iter().filter_map(|(name, old)| Some((name, old, &of_new(name)?.1)));
    both.filter(|(_, old, new)| old != new)
        .map(|(&name, old, new)| Change { name: name.to_owned(), old: old.clone(), new: new.clone() })
        .collect()
}

fn on_target(name: &str, old: &Side, new: &Side, is_same_data: bool) -> TargetChange {
    let sides = [old.targets.get(name), new.targets.get(name)];
    let mut change = TargetChange {
        name: name.to_owned(),
        of: match sides {
            [Some(_), Some(_)] => "both",
            [Some(_), None] => "old",
            _ => "new",
        }
        .to_owned(),
        front: sides.map(|side| side.map_or(0, |side| side.front)),
        ..TargetChange::default()
    };
    for (side, word) in sides.iter().zip(["old", "new"]) {
        let note = side.and_then(|side| side.note.as_ref());
        change.notes.extend(note.map(|note| format!("the {word} one: {note}")));
    }
    change.figures = FIGURES
        .iter()
        .map(|&name| {
            let [old, new] = sides.map(|side| side.and_then(|side| side.figures.get(name).copied()));
            Figure { name: name.to_owned(), old, new }
        })
        .filter(|figure| figure.old.is_some() || figure.new.is_some())
        .collect();
    let [Some(old), Some(new)] = sides else { return change };
    // Latency follows from cycles where both know these.
    let is_known = |figure: &Figure| figure.name == "cycles" && figure.old.is_some() && figure.new.is_some();
    if change.figures.iter().any(is_known) {
        change.figures.retain(|figure| figure.name != "latency");
    }
    match (&old.genome, &new.genome) {
        (Some(a), Some(b)) => change.genome = genome_changes(a, b),
        // Networks of models have no decisions.
        (None, None) if old.metric.is_empty() && new.metric.is_empty() => {}
        _ => change.notes.push("a bundle of an older nasc does not hold its decisions".to_owned()),
    }
    if old.metric.is_empty() || new.metric.is_empty() {
        return change;
    }
    let comparable = is_same_data && old.metric == new.metric;
    let overlap = old.ci95[0] <= new.ci95[1] && new.ci95[0] <= old.ci95[1];
    change.quality = Some(QualityChange {
        metric: [old.metric.clone(), new.metric.clone()],
        value: [old.value, new.value],
        ci95: [old.ci95, new.ci95],
        samples: [old.samples, new.samples],
        comparable,
        overlap: comparable.then_some(overlap),
    });
    change
}

/// Reads a side.
fn read(files: &dyn Files, given: Given<'_>) -> Result<Side, Failure> {
    let path = match given {
        Given::Bundle(folder) => return Ok(of_report(folder, read_bundle(folder)?.report)),
        Given::Lock(path) => path,
    };
    let is_lock = path.extension().is_some_and(|ending| ending == "lock");
    let spec = if is_lock { path.with_extension("") } else { path.to_path_buf() };
    let (lock_path, weights_path) = locking::paths(&spec);
    let lock = Lock::read(files, &lock_path)?.ok_or_else(|| {
        let message = format!("`{}` is not there", lock_path.display());
        let help = "give a lock, a spec that `nasc compile` wrote a lock beside, or a bundle's folder";
        Diagnostic::error(Code::LOCK_MISSING, message).help(help)
    })?;
    // A spec is not needed; where it is there, it knows its own targets and requirements.
    let loaded = files.read(&spec).ok().and_then(|_| Loaded::read(files, &spec, &lock.params).ok());
    let (stored, why) = match locking::read_weights(files, &weights_path, &lock) {
        Ok(Some(stored)) => (stored, ""),
        Ok(None) => (BTreeMap::new(), "its weights are not there"),
        Err(_) => (BTreeMap::new(), "its weights are of another lock"),
    };
    let targets = lock.targets.iter().map(|(target, network)| {
        let locked = &lock.networks[network];
        (target.clone(), of_lock(&lock, locked, target, (stored.get(network), why), loaded.as_ref()))
    });
    let targets = targets.collect();
    let set: Vec<String> = lock.params.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let engine = lock.engine.unwrap_or_else(|| EngineKind::default().name().to_owned());
    Ok(Side {
        name: path.display().to_string(),
        settings: vec![
            ("data", Some(lock.data.clone())),
            ("seed", Some(lock.seed.to_string())),
            ("strategy", Some(lock.strategy)),
            ("trials", Some(lock.trials.to_string())),
            ("engine", Some(engine)),
            ("--set", (!set.is_empty()).then(|| set.join(" "))),
            ("nasc", Some(lock.nasc)),
            ("weights", Some(lock.weights)),
        ],
        data: lock.data,
        sections: lock.sections,
        targets,
    })
}

fn of_lock(
    lock: &Lock,
    locked: &LockedNetwork,
    name: &str,
    (stored, why): (Option<&StoredNetwork>, &str),
    loaded: Option<&Loaded>,
) -> OnTarget {
    let quality = &locked.quality;
    let ram = format!("ram@{name}");
    let mut found = OnTarget {
        metric: quality.metric.clone(),
        value: quality.test,
        ci95: quality.test_ci95,
        samples: quality.test_samples,
        genome: Some(locked.genome.clone()),
        front: lock.front.iter().filter(|point| point.metrics.contains_key(&ram)).count(),
        ..OnTarget::default()
    };
    match stored.ok_or_else(|| why.to_owned()).and_then(|stored| costs(lock, locked, name, stored, loaded)) {
        Ok(estimate) => {
            found.figures = BTreeMap::from([
                ("ram", estimate.ram_bytes as f64),
                ("flash", estimate.flash_bytes as f64),
                ("cycles", estimate.cycles as f64),
                ("macs", estimate.macs as f64),
                ("latency", estimate.latency_seconds),
            ]);
        }
        Err(why) => {
            found.figures = searched(lock, locked, name);
            let costs = if found.figures.is_empty() { "are not known" } else { "are those of the search" };
            found.note = Some(format!("its costs {costs}: {why}"));
        }
    }
    found
}

/// What a locked network costs, as `compile` finds it.
fn costs(
    lock: &Lock,
    locked: &LockedNetwork,
    name: &str,
    stored: &StoredNetwork,
    loaded: Option<&Loaded>,
) -> Result<Estimate, String> {
    let hashes = loaded.map(|loaded| locking::section_hashes(&loaded.program)).unwrap_or_default();
    let is_as_locked = |section: &str| hashes.get(section) == lock.sections.get(section);
    let program = loaded.map(|loaded| &loaded.program);
    let own = program.filter(|_| is_as_locked("targets")).and_then(|program| program.targets.get(name));
    let stdlib = elaborate::stdlib_targets();
    let target: &Target =
        own.or_else(|| stdlib.get(name)).ok_or("the spec that knows the target is not there")?;
    let program = program.filter(|_| is_as_locked("requirements"));
    let limits = program.map_or_else(Limits::default, |program| figures::limits(program, target));
    let deployment = bundle::deployment(locked, stored, target, limits).map_err(|error| error.message)?;
    Ok(deployment.estimate)
}

/// What the search saw of a network's costs.
fn searched(lock: &Lock, locked: &LockedNetwork, target: &str) -> BTreeMap<&'static str, f64> {
    let of_trial = lock.history.iter().find(|trial| Some(trial.trial) == locked.trial);
    let of_front = lock.front.iter().find(|point| point.genome == locked.genome);
    let metrics = of_trial.map(|trial| &trial.metrics).or(of_front.map(|point| &point.metrics));
    let value = |name: &'static str| {
        let metrics = metrics?;
        let value = metrics.get(&format!("{name}@{target}")).or_else(|| metrics.get(name))?;
        Some((name, *value))
    };
    FIGURES.into_iter().filter_map(value).collect()
}

fn of_report(folder: &Path, report: Report) -> Side {
    let Report { targets, search, provenance, .. } = report;
    let front = search.front.len();
    let engine = provenance.engine.unwrap_or_else(|| EngineKind::default().name().to_owned());
    let of_target = |target: TargetReport| {
        let TargetReport { name, quality, memory, compute, genome, .. } = target;
        let mut figures = BTreeMap::from([
            ("ram", memory.ram_bytes as f64),
            ("flash", memory.flash_bytes as f64),
            ("cycles", compute.cycles_estimated as f64),
            ("macs", compute.macs as f64),
        ]);
        figures.extend(compute.latency_seconds.map(|seconds| ("latency", seconds)));
        let found = OnTarget { genome, figures, front, ..OnTarget::default() };
        let found = match quality {
            Some(Quality { metric, int8: value, ci95, samples, .. }) => {
                OnTarget { metric, value, ci95, samples, ..found }
            }
            None => found,
        };
        (name, found)
    };
    Side {
        name: folder.display().to_string(),
        settings: vec![
            ("model", provenance.model),
            ("data", Some(provenance.data.clone())),
            ("seed", Some(provenance.seed.to_string())),
            ("strategy", Some(search.strategy)),
            ("trials", Some(search.trials.to_string())),
            ("engine", Some(engine)),
            ("nasc", Some(provenance.nasc)),
            ("weights", Some(provenance.weights)),
        ],
        data: provenance.data,
        sections: provenance.sections,
        targets: targets.into_iter().map(of_target).collect(),
    }
}
