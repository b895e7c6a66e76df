//! From a spec and its data to a network: search, finalists, pick.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{Metric, Program, Requirement};
use crate::pipeline::compile::{CompileOptions, Environment, Scored};
use crate::pipeline::figures;
use crate::pipeline::golden::GoldenSet;
use crate::pipeline::locking::{self, Lock, LockedNetwork, LockedQuality, StoredNetwork};
use crate::pipeline::prepare::Prepared;
use crate::pipeline::quality::{Figure, Intervals, Quality, metrics_of};
use crate::pipeline::strategies;
use crate::pipeline::study::{self, Point, Study};
use crate::pipeline::{task, tensors};
use crate::report::FrontPoint;
use crate::search::{
    self, Archive, End, Entry, Metrics, Observer, Proposal, Report, Run, Settings, SqliteStore, Store,
    Strategy,
};
use crate::space;
use crate::target::Target;
use crate::tensor::Value;
use crate::train::{self, EngineKind};

/// What a search ends with.
pub(crate) struct Found {
    pub(crate) lock: Lock,
    pub(crate) networks: BTreeMap<String, StoredNetwork>,
    /// Canonical export of the archive.
    pub(crate) archive: String,
}

impl Found {
    /// Takes over what an earlier lock says of the targets that were not searched for now.
    pub(crate) fn keep(&mut self, name: &str, lock: Lock, mut networks: BTreeMap<String, StoredNetwork>) {
        let searched: Vec<String> = self.lock.targets.keys().cloned().collect();
        let others: BTreeMap<String, String> =
            lock.targets.into_iter().filter(|(target, _)| !searched.contains(target)).collect();
        if others.is_empty() {
            return;
        }
        // The names of kept networks stay; the new one gets the first that is free.
        let is_taken = |name: &String| others.values().any(|other| other == name);
        let free = (2..).map(|number| format!("{name}_{number}"));
        let new = std::iter::once(name.to_owned()).chain(free).find(|name| !is_taken(name));
        let new = new.unwrap_or_default();
        if let (Some(locked), Some(stored)) = (self.lock.networks.remove(name), self.networks.remove(name)) {
            self.lock.networks.insert(new.clone(), locked);
            self.networks.insert(new.clone(), stored);
        }
        self.lock.targets.values_mut().for_each(|network| network.clone_from(&new));
        for (name, network) in lock.networks {
            if let (true, Some(stored)) = (is_taken(&name), networks.remove(&name)) {
                self.lock.networks.insert(name.clone(), network);
                self.networks.insert(name, stored);
            }
        }
        let is_cost_on =
            |metric: &str, target: &str| metric.split_once('@').is_some_and(|(_, on)| on == target);
        let mut front = Vec::new();
        for mut point in lock.front {
            point.metrics.retain(|metric, _| !searched.iter().any(|target| is_cost_on(metric, target)));
            let mut metrics = point.metrics.keys();
            if metrics.any(|metric| others.keys().any(|target| is_cost_on(metric, target))) {
                front.push(point);
            }
        }
        self.lock.front.splice(0..0, front);
        self.lock.targets.extend(others);
        self.lock.weights = tensors::sha256(&locking::weights_to_bytes(&self.networks));
    }
}

/// Searches, retrains the best, picks, and scores the pick on the test part: once.
pub(crate) fn search(
    program: &Program,
    targets: &[&Target],
    data: &Prepared,
    store_path: &Path,
    options: &CompileOptions,
    env: &Environment<'_>,
) -> Result<Found, Diagnostic> {
    let store = SqliteStore::open(store_path)?;
    let started = env.clock.now();
    let out_of_time =
        move || options.budget.is_some_and(|budget| env.clock.now().saturating_sub(started) >= budget);
    let (nearest, diverged) = (Mutex::new(BTreeMap::new()), Mutex::new(None));
    let training_bytes = AtomicUsize::new(0);
    let study = Study {
        program,
        targets,
        data,
        engine: options.engine.unwrap_or_default(),
        jobs: search::capped_jobs(options.jobs, program.search.window).0,
        out_of_time: &out_of_time,
        cancel: env.cancel,
        training_bytes: &training_bytes,
        nearest: &nearest,
        diverged: &diverged,
    };
    can_be_judged(&study, env)?;
    let report = first_stage(&study, &store, options, env)?;
    let objectives = study.objectives();
    let finalists = finalists(&report.archive, &objectives, program.search.finalists);
    if finalists.is_empty() {
        return Err(study.with_divergence(nothing(&report)));
    }
    let retrained = second_stage(&study, &store, &finalists, options, env)?;
    match training_bytes.load(Ordering::Relaxed) {
        // All were in the store already, or the engine does not count.
        0 => {}
        bytes => env.progress.note(&format!("a training took at most {}", study::mebibytes(bytes))),
    }
    let pick = pick(&study, &objectives, &finalists, &retrained)?;
    finish(&study, &store, &report, pick, &objectives)
}

fn settings(program: &Program, trials: usize, options: &CompileOptions, env: &Environment<'_>) -> Settings {
    let (jobs, note) = search::capped_jobs(options.jobs, program.search.window);
    if let Some(note) = note {
        env.progress.note(&note);
    }
    Settings { window: program.search.window, jobs, ..Settings::new(trials, program.search.seed) }
}

/// The spec's strategy for the spec's number of trials.
fn first_stage(
    study: &Study<'_>,
    store: &SqliteStore,
    options: &CompileOptions,
    env: &Environment<'_>,
) -> Result<Report<Point>, Diagnostic> {
    let program = study.program;
    let trials = program.search.trials;
    env.progress.stage(&format!("searching: {trials} trials"), trials);
    let settings = settings(program, trials, options, env);
    let report = run(&mut *strategies::strategy(study), study, store, &settings, env)?;
    match report.nothing_trained() {
        Some(diagnostic) if diagnostic.code == Code::DIVERGED => Err(study.with_divergence(diagnostic)),
        Some(diagnostic) => Err(with_requirements(diagnostic, study, &report)),
        None => Ok(report),
    }
}

/// The finalists again, with other seeds.
fn second_stage(
    study: &Study<'_>,
    store: &SqliteStore,
    finalists: &[Entry<Point>],
    options: &CompileOptions,
    env: &Environment<'_>,
) -> Result<Archive<Point>, Diagnostic> {
    let replicates = study.program.search.replicates as u32;
    let points: Vec<Point> = finalists
        .iter()
        .flat_map(|entry| (1..=replicates).map(|replicate| Point { replicate, ..entry.genome.clone() }))
        .collect();
    let trials = points.len();
    env.progress.stage(&retraining(finalists.len(), replicates), trials);
    let settings = settings(study.program, trials, options, env);
    let mut strategy = Listed(points.into_iter());
    // A time budget cuts the search, never the retraining.
    let study = Study { out_of_time: &|| false, ..*study };
    Ok(run(&mut strategy, &study, store, &settings, env)?.archive)
}

/// What the second stage does, for who waits.
fn retraining(finalists: usize, replicates: u32) -> String {
    let best = if finalists == 1 { "the best".to_owned() } else { format!("the best {finalists}") };
    let times = if replicates == 1 { "once".to_owned() } else { format!("{replicates} times") };
    format!("retraining {best} {times}")
}

fn run(
    strategy: &mut dyn Strategy<Point>,
    study: &Study<'_>,
    store: &SqliteStore,
    settings: &Settings,
    env: &Environment<'_>,
) -> Result<Report<Point>, Diagnostic> {
    let observer = Listener { env, judged: study.judged(), last: Mutex::new(()) };
    let run =
        Run { settings, problem: study, store, clock: env.clock, cancel: env.cancel, observer: &observer };
    let report = search::run(strategy, &run)?;
    if report.end == End::Cancelled {
        return Err(Diagnostic::error(Code::CANCELLED, "stopped before the search was done")
            .note(format!("{} trials are finished and kept", report.archive.entries().len()))
            .help("the same command goes on from there"));
    }
    Ok(report)
}

/// Proposes what it is given, in that order.
struct Listed(std::vec::IntoIter<Point>);

impl Strategy<Point> for Listed {
    fn ask(&mut self, _: &[Entry<Point>], _: usize, _: &mut ChaCha8Rng) -> Proposal<Point> {
        self.0.next().map_or(Proposal::Done, Proposal::Candidate)
    }
}

/// Passes a search's events on, one at a time.
struct Listener<'a> {
    env: &'a Environment<'a>,
    judged: Metric,
    last: Mutex<()>,
}

impl Observer<Point> for Listener<'_> {
    fn finished(&self, entry: &Entry<Point>, from_store: bool) {
        let _one_at_a_time = self.last.lock();
        let value = entry.metrics.get(figures::metric_word(self.judged)).copied();
        let quality = value.map(|value| Scored { metric: self.judged, value });
        self.env.progress.trial(entry.trial, quality, from_store);
    }

    fn waiting(&self, trial: usize) {
        let _one_at_a_time = self.last.lock();
        self.env.progress.note(&format!("trial {trial} is being trained by another process: waiting for it"));
    }
}

/// The best entries by the objectives.
fn finalists(archive: &Archive<Point>, objectives: &[search::Objective], count: usize) -> Vec<Entry<Point>> {
    let mut chosen: Vec<Entry<Point>> = Vec::new();
    while chosen.len() < count {
        let left = |entry: &Entry<Point>| chosen.iter().all(|other| other.trial != entry.trial);
        match archive.pick(objectives, left) {
            Some(entry) => chosen.push(entry.clone()),
            None => break,
        }
    }
    chosen
}

/// A finalist with its retrained figures.
struct Pick {
    finalist: Entry<Point>,
    /// The training whose weights are taken.
    training: Entry<Point>,
    validation: f64,
}

/// A figure of an entry turned so that smaller is better; what is missing is worst.
fn loss(entry: &Entry<Point>, metric: Metric) -> f64 {
    let value = entry.metrics.get(figures::metric_word(metric)).copied().filter(|value| !value.is_nan());
    value.map_or(f64::INFINITY, |value| if metric.is_gain() { -value } else { value })
}

/// A finalist whose figures of quality are the means of its trainings'.
fn with_means(finalist: &Entry<Point>, trainings: &[&Entry<Point>], metrics: &[Metric]) -> Entry<Point> {
    let mut mean = finalist.clone();
    for &metric in metrics {
        let name = figures::metric_word(metric);
        let values: Vec<f64> =
            trainings.iter().filter_map(|training| training.metrics.get(name).copied()).collect();
        if values.len() == trainings.len() {
            mean.metrics.insert(name.to_owned(), values.iter().sum::<f64>() / values.len() as f64);
        }
    }
    mean
}

fn meets(entry: &Entry<Point>, requirement: &Requirement) -> bool {
    let limit = if requirement.metric.is_gain() { -requirement.limit } else { requirement.limit };
    loss(entry, requirement.metric) <= limit
}

/// The feasible finalist that is best on retrained validation quality, ties by the next objectives; of its trainings,
/// the best.
fn pick(
    study: &Study<'_>,
    objectives: &[search::Objective],
    finalists: &[Entry<Point>],
    retrained: &Archive<Point>,
) -> Result<Pick, Diagnostic> {
    let (program, judged) = (study.program, study.judged());
    let mut picks = Vec::new();
    let mut means = Vec::new();
    for finalist in finalists {
        let trainings: Vec<&Entry<Point>> =
            retrained.entries().iter().filter(|entry| entry.genome.text == finalist.genome.text).collect();
        let best = trainings.iter().min_by(|a, b| loss(a, judged).total_cmp(&loss(b, judged)));
        let Some(best) = best else { continue };
        let mean = with_means(finalist, &trainings, metrics_of(program.space.output));
        let validation = mean.metrics.get(figures::metric_word(judged)).copied();
        // A training that diverged has no quality.
        let Some(validation) = validation else { continue };
        picks.push(Pick { finalist: finalist.clone(), training: (*best).clone(), validation });
        means.push(mean);
    }
    let limits: Vec<&Requirement> =
        program.requirements.iter().filter(|requirement| requirement.metric.is_quality()).collect();
    let archive = Archive::new(means);
    let fits = |entry: &Entry<Point>| limits.iter().all(|requirement| meets(entry, requirement));
    let best = archive.pick(objectives, fits).map(|entry| entry.trial);
    let found = picks.into_iter().find(|pick| Some(pick.finalist.trial) == best);
    found.ok_or_else(|| infeasible(&archive, &limits))
}

/// E0501 with the requirement of quality that stands in the way.
fn infeasible(archive: &Archive<Point>, limits: &[&Requirement]) -> Diagnostic {
    let error = |message: String| {
        Diagnostic::error(Code::INFEASIBLE, message)
            .help("lower the requirement, raise `trials` or `epochs`, or let the space hold larger networks")
    };
    let none_meets =
        |requirement: &&&Requirement| archive.entries().iter().all(|entry| !meets(entry, requirement));
    let Some(requirement) = limits.iter().find(none_meets).or(limits.first()) else {
        return Diagnostic::error(Code::DIVERGED, "all trainings of the finalists diverged")
            .help("lower the learning rate of `train`");
    };
    let metric = requirement.metric;
    let best = archive.entries().iter().map(|entry| loss(entry, metric)).fold(f64::INFINITY, f64::min);
    let best = if metric.is_gain() { -best } else { best };
    let wanted = figures::requirement_text(requirement);
    let message = match best.is_finite() {
        true => {
            format!("no finalist reaches `{wanted}`; the best has {}", figures::measured_text(metric, best))
        }
        false => format!("no finalist reaches `{wanted}`"),
    };
    let message = if none_meets(&requirement) {
        message
    } else {
        "no finalist meets all requirements of quality at once".to_owned()
    };
    requirement.span.into_iter().fold(error(message), |error, span| error.at(span, "required here"))
}

/// Whether the validation part can tell what the spec asks for: a note where candidates are judged by something else,
/// E0704 where a requirement cannot be checked.
fn can_be_judged(study: &Study<'_>, env: &Environment<'_>) -> Result<(), Diagnostic> {
    let (task, val) = (&study.data.task, &study.data.splits.val);
    let lacks = match task.output {
        space::Output::Input => "no anomalies beside normal samples",
        space::Output::Classes(_) | space::Output::Values(_) => "samples of one class only",
    };
    for requirement in &study.program.requirements {
        let metric = requirement.metric;
        if metric.is_quality() && !task.is_measurable(metric, val) {
            let word = figures::metric_word(metric);
            let message = format!("`{word}` cannot be measured: the validation part has {lacks}");
            let error = Diagnostic::error(Code::DATA_SPLIT, message);
            let error =
                requirement.span.into_iter().fold(error, |error, span| error.at(span, "required here"));
            let other = figures::metric_word(study.judged());
            return Err(error.help(format!("give the validation part both, or require `{other}` instead")));
        }
    }
    let (wanted, judged) = (task::judged(study.program), study.judged());
    if wanted != judged {
        let [wanted, judged] = [wanted, judged].map(figures::metric_word);
        env.progress.note(&format!(
            "the validation part has {lacks}: networks are compared by `{judged}` and not by `{wanted}`"
        ));
    }
    Ok(())
}

/// The diagnostic for a search whose trials all diverged.
fn nothing(report: &Report<Point>) -> Diagnostic {
    let trials = report.archive.entries().len();
    Diagnostic::error(Code::DIVERGED, format!("all {trials} trials diverged"))
        .help("lower the learning rate of `train`")
}

/// E0803 with the requirement that stood in the way most often.
fn with_requirements(diagnostic: Diagnostic, study: &Study<'_>, report: &Report<Point>) -> Diagnostic {
    let Some((reason, _)) = report.rejections.first() else {
        return diagnostic;
    };
    let blocking = study.program.requirements.iter().find(|requirement| {
        requirement.span.is_some() && reason.starts_with(&figures::requirement_text(requirement))
    });
    match blocking.and_then(|requirement| requirement.span) {
        Some(span) => {
            let mut infeasible = Diagnostic { code: Code::INFEASIBLE, ..diagnostic };
            infeasible.message = "no network of the space that was drawn meets the requirements".to_owned();
            infeasible = infeasible.at(span, "this one stood in the way most often");
            let nearest = study.nearest.lock().ok().and_then(|nearest| nearest.get(reason).copied());
            match (nearest, blocking) {
                (Some(cost), Some(requirement)) => infeasible.note(format!(
                    "the nearest one needs {}",
                    figures::amount_text(requirement.metric, cost)
                )),
                _ => infeasible,
            }
        }
        None => shape_error(study, reason).unwrap_or(diagnostic),
    }
}

/// Points that are drawn to find the place of a shape error again.
const DRAWN: usize = 1000;

/// The shape error, with its place in the spec, that stood in the way most often.
fn shape_error(study: &Study<'_>, reason: &str) -> Option<Diagnostic> {
    let space = &study.program.space;
    let mut rng = ChaCha8Rng::seed_from_u64(study.program.search.seed);
    let mut errors =
        (0..DRAWN).filter_map(|_| space::instantiate(space, &space::sample(space, &mut rng)).err());
    let error = errors.find(|error| error.message == reason)?;
    Some(error.note("no point that was drawn from the space is a network; this error came most often"))
}

/// Scores the pick on the test part and writes down what was found.
fn finish(
    study: &Study<'_>,
    store: &SqliteStore,
    report: &Report<Point>,
    pick: Pick,
    objectives: &[search::Objective],
) -> Result<Found, Diagnostic> {
    let program = study.program;
    let lost = |what: String| Diagnostic::error(Code::STORE, what).help("run the command again");
    let bytes = store.weights(&pick.training.key)?;
    let bytes = bytes.ok_or_else(|| lost("the weights of the pick are not in the store".into()))?;
    let (weights, _) = tensors::from_bytes(&bytes)
        .map_err(|error| lost(format!("the weights of the pick are damaged: {error}")))?;
    let point = &pick.finalist.genome;
    let graph = space::instantiate(&program.space, &point.genome).map_err(|diagnostic| *diagnostic)?;
    let network = study.network(&graph, &point.genome, &weights).map_err(|error| {
        Diagnostic::error(Code::DIVERGED, format!("the pick cannot be quantized: {error}"))
    })?;
    let golden = GoldenSet::new(&network, &study.data.splits.test).map_err(cannot_evaluate)?;
    let task = &study.data.task;
    let features = study.data.features(program, &point.genome)?;
    let test = &features.splits.test;
    let predict = |inputs: &Value| train::predict(&graph, &weights, inputs);
    let float = task.of_floats(test, &features.standardization, predict)?;
    let integer = task.of_integer(&network, test, Intervals::Made).map_err(cannot_evaluate)?;
    let quality = locked_quality(study, &integer, &float, pick.validation);
    let stored = StoredNetwork { graph: network.graph.clone(), raw: network.raw.clone(), golden };
    let genome = space::to_json(&program.space, &point.genome);
    let ram_bytes = study.promised(&stored, &pick.finalist.metrics);
    let locked = LockedNetwork { genome, quality, ram_bytes };
    let networks = BTreeMap::from([(program.name.clone(), stored)]);
    let front = report.archive.front(objectives, |_| true);
    let lock = Lock {
        classes: task.classes(test).to_vec(),
        data: study.data.hash.clone(),
        engine: (study.engine != EngineKind::default()).then(|| study.engine.name().to_owned()),
        front: front.into_iter().map(|entry| front_point(program, entry)).collect(),
        nasc: env!("CARGO_PKG_VERSION").to_owned(),
        networks: BTreeMap::from([(program.name.clone(), locked)]),
        params: BTreeMap::new(),
        readings: task.readings.clone(),
        sections: locking::section_hashes(program),
        seed: program.search.seed,
        strategy: program.search.strategy.name().to_owned(),
        targets: study.targets.iter().map(|target| (target.name.clone(), program.name.clone())).collect(),
        trials: report.archive.entries().len(),
        version: Lock::VERSION,
        weights: tensors::sha256(&locking::weights_to_bytes(&networks)),
    };
    Ok(Found { lock, networks, archive: report.archive.export() })
}

fn front_point(program: &Program, entry: &Entry<Point>) -> FrontPoint {
    let metrics: Metrics = entry.metrics.clone();
    FrontPoint { trial: entry.trial, genome: space::to_json(&program.space, &entry.genome.genome), metrics }
}

fn cannot_evaluate(error: String) -> Diagnostic {
    Diagnostic::error(Code::DIVERGED, format!("the pick cannot be evaluated: {error}"))
}

/// The figure that the spec judges by, as far as the test part can tell.
fn locked_quality(study: &Study<'_>, integer: &Quality, float: &Quality, validation: f64) -> LockedQuality {
    let judged = study.judged();
    let metric = study.data.task.measurable(task::judged(study.program), &study.data.splits.test);
    let Figure { value, ci95 } = integer.figure(metric).unwrap_or(Figure { value: 0.0, ci95: None });
    LockedQuality {
        metric: figures::metric_word(metric).to_owned(),
        test: value,
        test_ci95: ci95.unwrap_or([value, value]),
        test_float: float.figure(metric).map_or(0.0, |figure| figure.value),
        test_right: integer.right(),
        test_samples: integer.samples,
        validation,
        validation_metric: (judged != metric).then(|| figures::metric_word(judged).to_owned()),
    }
}
