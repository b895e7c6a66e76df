//! `nasc report`: what is known of a spec's locked networks, or of a bundle.

use std::collections::BTreeMap;
use std::path::Path;

use crate::device::Measured;
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::pipeline::Failure;
use crate::pipeline::check::Loaded;
use crate::pipeline::compile::emitted;
use crate::pipeline::evaluate::{Checked, damaged, read_bundle};
use crate::pipeline::files::Files;
use crate::pipeline::locking::{self, Lock, Staleness};
use crate::report::Report;
use crate::source::SourceMap;

/// A report with what belongs to it.
#[derive(Clone, Debug)]
pub struct Reported {
    /// The report; of a spec it has each target of the lock.
    pub report: Report,
    /// What a device measured, where a bundle has it.
    pub measured: Option<Measured>,
    /// Warnings.
    pub warnings: Diagnostics,
    /// Texts of the warnings.
    pub sources: SourceMap,
}

/// Reports on the networks that a spec's lock has for these targets, all of its own if none is named. Neither data nor
/// store are needed; nothing is searched.
///
/// # Errors
/// E0903 without lock or weights, E0901 if they are of another spec, E0601 for a target that the lock has not.
pub fn report_spec(
    files: &dyn Files,
    spec: &Path,
    targets: &[String],
    params: &BTreeMap<String, String>,
) -> Result<Reported, Failure> {
    let loaded = Loaded::read(files, spec, params)?;
    let fail = |diagnostic: Diagnostic| loaded.failure(diagnostic);
    let (lock_path, weights_path) = locking::paths(spec);
    let compile = format!("nasc compile {}", spec.display());
    let missing = |path: &Path| {
        let message = format!("`{}` is not there: a report is of a network that was found", path.display());
        let help = format!("`{compile} --target NAME` searches and writes it");
        fail(Diagnostic::error(Code::LOCK_MISSING, message).help(help))
    };
    let lock = Lock::read(files, &lock_path).map_err(fail)?.ok_or_else(|| missing(&lock_path))?;
    let mut warnings = loaded.warnings.clone();
    warnings.0.extend(stale(&lock, &loaded, params, &lock_path, &compile).map_err(fail)?);
    let stored = locking::read_weights(files, &weights_path, &lock).map_err(fail)?;
    let stored = stored.ok_or_else(|| missing(&weights_path))?;
    let names = if targets.is_empty() { lock.targets.keys().cloned().collect() } else { targets.to_vec() };
    let mut reports = Vec::new();
    for target in loaded.targets(&names)? {
        let Some(network) = lock.targets.get(&target.name) else {
            let known: Vec<&str> = lock.targets.keys().map(String::as_str).collect();
            let message = format!("the lock has no network for target `{}`", target.name);
            let help = format!("it has {}; `{compile} --target {}` adds it", known.join(", "), target.name);
            return Err(fail(Diagnostic::error(Code::UNKNOWN_TARGET, message).help(help)));
        };
        let stored = stored.get(network).ok_or_else(|| missing(&weights_path))?;
        let name = &loaded.program.name;
        reports.push(emitted(&loaded.program, &lock, stored, target, name).map_err(fail)?.report);
    }
    let report = joined(reports, &lock).ok_or_else(|| missing(&lock_path))?;
    Ok(Reported { report, measured: None, warnings, sources: loaded.sources })
}

/// E0901 if the lock is of another spec. That the search changed is a warning: what it found is still what it found, and
/// `--trials` and `--seed` change that section too.
fn stale(
    lock: &Lock,
    loaded: &Loaded,
    params: &BTreeMap<String, String>,
    path: &Path,
    compile: &str,
) -> Result<Option<Diagnostic>, Diagnostic> {
    let Staleness::Stale(changed) = lock.staleness(&loaded.program, None) else { return Ok(None) };
    let message = format!("`{}` is stale: {} changed", path.display(), changed.join(", "));
    if changed == ["section `search`"] {
        let help =
            "shown is what the lock holds; `nasc compile` without `--trials` and `--seed` follows the spec";
        return Ok(Some(Diagnostic::warning(Code::LOCK_STALE, message).help(help)));
    }
    let error = Diagnostic::error(Code::LOCK_STALE, message);
    Err(match lock.other_params(params) {
        Some(why) => error.note(why).help("give the values that it was made with by `--set`"),
        None => error.help(format!("run `{compile}`, or give `nasc report` a bundle")),
    })
}

/// One report of several targets. Where these have a network each, the search is that of the first: trials of two
/// searches have the same numbers.
fn joined(reports: Vec<Report>, lock: &Lock) -> Option<Report> {
    let mut reports = reports.into_iter();
    let mut first = reports.next()?;
    for other in reports {
        first.targets.extend(other.targets);
        first.provenance.files.clear();
        if lock.networks.len() == 1 {
            first.search.front.clone_from(&lock.front);
        }
    }
    Some(first)
}

/// Reports on a bundle, with what a device measured of it.
///
/// # Errors
/// E0907 for a folder that is no bundle of this nasc or is damaged.
pub fn report_bundle(folder: &Path, targets: &[String]) -> Result<Reported, Failure> {
    let Checked { bundle, report, .. } = read_bundle(folder)?;
    let is_there = |wanted: &String| report.targets.iter().any(|target| target.name == *wanted);
    if let Some(other) = targets.iter().find(|target| !is_there(target)) {
        let known: Vec<&str> = report.targets.iter().map(|target| target.name.as_str()).collect();
        let message = format!("the bundle is not for target `{other}`");
        let help = format!("it is for {}", known.join(", "));
        return Err(Diagnostic::error(Code::UNKNOWN_TARGET, message).help(help).into());
    }
    let measured = bundle.text("measured.json").map(serde_json::from_str).transpose().map_err(|error| {
        Diagnostic::error(
            Code::BUNDLE,
            format!("`measured.json` of `{}` cannot be read: {error}", folder.display()),
        )
        .help("`nasc verify` writes it again")
    })?;
    if report.targets.is_empty() {
        return Err(damaged(folder, "`report.json` has no target"));
    }
    let (warnings, sources) = (Diagnostics::default(), SourceMap::new());
    Ok(Reported { report, measured, warnings, sources })
}
