//! From a spec and its data to a network: search, finalists, pick.

mod finish;
mod history;
mod legs;
mod messages;
mod pick;
mod race;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand_chacha::ChaCha8Rng;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::Program;
use crate::pipeline::compile::{CompileOptions, Environment};
use crate::pipeline::listener::{Course, Listener};
use crate::pipeline::prepare::Prepared;
use crate::pipeline::study::{self, Point, Study};
use crate::search::{self, Archive, End, Entry, Proposal, Report, Run, Settings, SqliteStore, Strategy};
use crate::target::Target;

pub(crate) use finish::Found;

/// Whether this share of the time budget is over.
pub(super) type OutOfTime<'a> = dyn Fn(f64) -> bool + Sync + 'a;

/// Searches, retrains the best, picks, and scores the pick on the test part: once.
pub(crate) fn search(
    program: &Program,
    targets: &[&Target],
    data: &Prepared,
    (spec, store_path): (&Path, &Path),
    options: &CompileOptions,
    env: &Environment<'_>,
) -> Result<Found, Diagnostic> {
    let store = SqliteStore::open(store_path)?;
    with_study(program, targets, data, options, env, |study, out_of_time| {
        study.course.begin(spec, program, targets, env.clock.now());
        let found = found(study, &store, options, env, out_of_time);
        study.course.end(&store, env.clock, &found);
        found
    })
}

fn found(
    study: &Study<'_>,
    store: &SqliteStore,
    options: &CompileOptions,
    env: &Environment<'_>,
    out_of_time: &OutOfTime<'_>,
) -> Result<Found, Diagnostic> {
    messages::can_be_judged(study, env)?;
    let report = legs::search(study, store, options, env, out_of_time)?;
    let objectives = study.objectives();
    let finalists = race::finalists(&report.archive, &objectives, study.program.search.finalists);
    if finalists.is_empty() {
        return Err(study.with_divergence(messages::nothing(&report)));
    }
    let retrained = race::race(study, store, finalists, options, env)?;
    let pick = pick::pick(study, &objectives, &retrained)?;
    finish::finish(study, store, &report, (pick, &retrained), &objectives)
}

/// What candidates become results by, for as long as `work` takes.
pub(crate) fn with_study<T>(
    program: &Program,
    targets: &[&Target],
    data: &Prepared,
    options: &CompileOptions,
    env: &Environment<'_>,
    work: impl FnOnce(&Study<'_>, &OutOfTime<'_>) -> Result<T, Diagnostic>,
) -> Result<T, Diagnostic> {
    let started = env.clock.now();
    let out_of_time = move |share: f64| {
        let passed = env.clock.now().saturating_sub(started);
        options.budget.is_some_and(|budget| passed as f64 >= budget as f64 * share)
    };
    let (nearest, diverged) = (Mutex::new(BTreeMap::new()), Mutex::new(None));
    let training_bytes = AtomicUsize::new(0);
    let course = Course::new(options.memory);
    let study = Study {
        program,
        targets,
        data,
        engine: options.engine.unwrap_or_default(),
        jobs: search::capped_jobs(options.jobs, program.search.window).0,
        proxy: program.search.proxy,
        out_of_time: &|| out_of_time(1.0),
        until: options.budget.map(|budget| started.saturating_add(budget)),
        course: &course,
        cancel: env.cancel,
        training_bytes: &training_bytes,
        nearest: &nearest,
        diverged: &diverged,
    };
    let result = work(&study, &out_of_time)?;
    match training_bytes.load(Ordering::Relaxed) {
        // All were in the store already, or the engine does not count.
        0 => {}
        bytes => env.progress.note(&format!("a training took at most {}", study::mebibytes(bytes))),
    }
    Ok(result)
}

pub(super) fn settings(
    program: &Program,
    trials: usize,
    options: &CompileOptions,
    env: &Environment<'_>,
) -> Settings {
    let (jobs, note) = search::capped_jobs(options.jobs, program.search.window);
    if let Some(note) = note {
        env.progress.note(&note);
    }
    Settings { window: program.search.window, jobs, ..Settings::new(trials, program.search.seed) }
}

/// Runs a strategy; its trials are numbered from `first` on.
pub(super) fn run(
    strategy: &mut dyn Strategy<Point>,
    study: &Study<'_>,
    store: &SqliteStore,
    settings: &Settings,
    first: usize,
    env: &Environment<'_>,
) -> Result<Report<Point>, Diagnostic> {
    let observer = Listener::new(env, study, store, settings, first);
    let run =
        Run { settings, problem: study, store, clock: env.clock, cancel: env.cancel, observer: &observer };
    let report = search::run(strategy, &run)?;
    if report.end == End::Cancelled {
        return Err(Diagnostic::error(Code::CANCELLED, "stopped before the search was done")
            .note(format!("{} trials are finished and kept", first + report.archive.entries().len()))
            .help("the same command goes on from there"));
    }
    let numbered = |entry: &Entry<Point>| Entry { trial: first + entry.trial, ..entry.clone() };
    let archive = Archive::new(report.archive.entries().iter().map(numbered).collect());
    Ok(Report { archive, ..report })
}

/// Proposes what it is given, in that order.
pub(super) struct Listed(pub(super) std::vec::IntoIter<Point>);

impl Strategy<Point> for Listed {
    fn ask(&mut self, _: &[Entry<Point>], _: usize, _: &mut ChaCha8Rng) -> Proposal<Point> {
        self.0.next().map_or(Proposal::Done, Proposal::Candidate)
    }
}
