//! `nasc plan`: what a search would cost, and what of it is known before anything is trained.
//!
//! In: spec, data, store. Out: a [`Forecast`]. The strategy is walked as far as its proposals follow from what is known:
//! what it draws whatever the results are, and on from there as far as the store has the results. Time is measured by
//! training a few networks for a moment; without that the rest is the same on every machine.

mod measure;
mod walk;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::pipeline::Failure;
use crate::pipeline::compile::{self, CompileOptions, Environment};
use crate::pipeline::prepare::Prepared;
use crate::pipeline::select::with_study;
use crate::pipeline::strategies;
use crate::pipeline::study::{SURVEYED_THREADS, Study};
use crate::pipeline::survey::Size;
use crate::search::{self, SqliteStore};
use crate::source::SourceMap;
use crate::space;
use crate::train;
use walk::{Accepted, Walk};

/// What a forecast is made with besides what a search is.
#[derive(Clone, Copy, Debug)]
pub struct ForecastOptions {
    /// Whether networks are trained for a moment to see how long an epoch takes.
    pub measure: bool,
}

/// Candidates that were drawn.
#[derive(Clone, Debug, Serialize)]
pub struct Drawn {
    /// How many.
    pub candidates: usize,
    /// Of these, the ones that may be trained.
    pub fitting: usize,
    /// Reasons of the others and how often, most frequent first.
    pub reasons: Vec<(String, u64)>,
    /// Least and greatest number of parameters of those that fit.
    pub parameters: [u64; 2],
    /// The same of each cost, by its name in archives.
    pub costs: BTreeMap<String, [f64; 2]>,
}

/// How long things take on this machine, in seconds, with as many trainings at once as there will be.
#[derive(Clone, Debug, Serialize)]
pub struct Pace {
    /// An epoch, of the least and of the greatest network that was measured.
    pub epoch: [f64; 2],
    /// A trial of a typical network: screening, training and measuring.
    pub trial: f64,
    /// All trials that the store does not have, `stop` and `--budget` respected.
    pub search: f64,
    /// Retraining the best.
    pub retraining: f64,
}

/// What a search would cost.
#[derive(Clone, Debug, Serialize)]
pub struct Forecast {
    /// The model's name.
    pub name: String,
    /// Targets.
    pub targets: Vec<String>,
    /// Points of the space.
    pub size: Size,
    /// Decisions written in the spec.
    pub decisions: usize,
    /// The strategy, and what else decides who is trained.
    pub strategy: String,
    /// Trials of the search.
    pub trials: usize,
    /// How many of the first of them are known already.
    pub known: usize,
    /// Of these, the ones that the store has.
    pub in_store: usize,
    /// Trainings of the best in the end.
    pub retrainings: usize,
    /// Least and greatest number of epochs of a training.
    pub epochs: [u64; 2],
    /// Candidates that were drawn.
    pub drawn: Drawn,
    /// Trainings at once.
    pub jobs: usize,
    /// How long it takes; `None` where that was not measured.
    pub pace: Option<Pace>,
    /// Bytes that a training takes at most.
    pub training_bytes: u64,
    /// Bytes that the samples take, beside trainings.
    pub data_bytes: u64,
    /// Bytes that this machine has for it, if that is known.
    pub machine_bytes: Option<u64>,
    /// Bytes by which the store grows at most.
    pub store_bytes: u64,
    /// Warnings.
    #[serde(skip)]
    pub warnings: Diagnostics,
    /// Texts of the warnings.
    #[serde(skip)]
    pub sources: SourceMap,
}

/// Says what a search would cost.
///
/// # Errors
/// Mistakes of the spec, the data or the options; data that is missing; a store that cannot be read.
pub fn forecast(
    spec: &Path,
    options: &CompileOptions,
    how: ForecastOptions,
    env: &Environment<'_>,
) -> Result<Forecast, Failure> {
    let mut loaded = compile::load(spec, options, env.files)?;
    let warnings = std::mem::take(&mut loaded.warnings);
    let targets = loaded.targets(&options.targets)?;
    let fail = |diagnostic| loaded.failure(diagnostic);
    let program = &loaded.program;
    env.progress.stage("reading the data", 0);
    let root = compile::root_of(spec, options);
    let data = Prepared::load_with_noise(program, &root, Some(&compile::cache_of(spec))).map_err(fail)?;
    let store = SqliteStore::existing(&compile::store_of(spec)).map_err(fail)?;
    let forecast = with_study(program, &targets, &data, options, env, |study, _| {
        of_study(study, store.as_ref(), (options, how), env)
    });
    let forecast = forecast.map_err(fail)?;
    Ok(Forecast { warnings, sources: loaded.sources.clone(), ..forecast })
}

/// The forecast of a study, without warnings.
fn of_study(
    study: &Study<'_>,
    store: Option<&SqliteStore>,
    (options, how): (&CompileOptions, ForecastOptions),
    env: &Environment<'_>,
) -> Result<Forecast, Diagnostic> {
    env.progress.stage("looking at the first candidates", 0);
    let mut walk = Walk::new(study, store.map(|store| store as &dyn search::Store), env);
    walk.follow(&mut *strategies::strategy(study))?;
    walk.draw_more();
    let Walk { accepted, .. } = &walk;
    if accepted.is_empty() {
        return Err(walk.nothing_fits());
    }
    let training_bytes = accepted.iter().filter_map(|one| footprint(study, one)).max().unwrap_or(0);
    let features = accepted.iter().filter_map(|one| study.features(&one.point.genome).ok());
    let data_bytes = features.map(|features| features.bytes() as u64).max().unwrap_or(0);
    let most = within(options.memory, data_bytes, training_bytes);
    let jobs = most.map_or(study.jobs, |most| most.min(study.jobs));
    let program = study.program;
    let retrainings = program.search.finalists * program.search.replicates;
    let pace = if how.measure {
        env.progress.stage("training for a moment to see how long it takes", 0);
        measure::pace(study, &walk, jobs, (options.budget, retrainings), env)?
    } else {
        None
    };
    let cardinality = space::cardinality(&program.space);
    let largest = accepted.iter().map(Accepted::stored_bytes).max().unwrap_or(0);
    let mean = accepted.iter().map(Accepted::stored_bytes).sum::<u64>() / accepted.len() as u64;
    let epochs = || accepted.iter().map(|one| one.epochs);
    let new = program.search.trials.saturating_sub(walk.in_store) as u64;
    Ok(Forecast {
        name: program.name.clone(),
        targets: study.targets.iter().map(|target| target.name.clone()).collect(),
        size: Size { points: cardinality.count.to_string(), exact: cardinality.exact },
        decisions: program.space.decisions.len(),
        strategy: program.search.described(),
        trials: program.search.trials,
        known: walk.known,
        in_store: walk.in_store,
        retrainings,
        epochs: [epochs().min().unwrap_or(0), epochs().max().unwrap_or(0)],
        drawn: walk.drawn(),
        jobs,
        pace,
        training_bytes: training_bytes as u64,
        data_bytes,
        machine_bytes: options.memory,
        store_bytes: new * mean + retrainings as u64 * largest,
        warnings: Diagnostics::default(),
        sources: SourceMap::default(),
    })
}

/// The most that a training of a candidate takes.
fn footprint(study: &Study<'_>, one: &Accepted) -> Option<usize> {
    let recipe = study.recipe(&one.point.genome).ok()?;
    let arena = train::footprint(&one.graph, recipe, study.data.splits.train.len(), SURVEYED_THREADS).ok()?;
    Some(arena + study.features(&one.point.genome).ok()?.copied_bytes())
}

/// How many trainings the memory holds at once beside the samples, at least 1; `None` where that is unknown.
fn within(memory: Option<u64>, data: u64, training: usize) -> Option<usize> {
    let left = memory?.saturating_sub(data);
    let most = left.checked_div(training as u64)?;
    Some(usize::try_from(most).unwrap_or(usize::MAX).max(1))
}
