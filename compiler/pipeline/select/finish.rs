//! The end of a search: the pick is scored on the test part, once, and what was found is written down.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::Program;
use crate::pipeline::figures;
use crate::pipeline::golden::GoldenSet;
use crate::pipeline::locking::{self, Lock, LockedNetwork, LockedQuality, StoredNetwork};
use crate::pipeline::quality::{Figure, Intervals, Quality};
use crate::pipeline::select::history;
use crate::pipeline::select::pick::Pick;
use crate::pipeline::select::race::Retrained;
use crate::pipeline::study::{Point, Study};
use crate::pipeline::{task, tensors};
use crate::report::FrontPoint;
use crate::search::{self, Archive, Entry, Metrics, Report, SqliteStore, Store};
use crate::space;
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

/// Scores the pick on the test part and writes down what was found.
pub(super) fn finish(
    study: &Study<'_>,
    store: &SqliteStore,
    report: &Report<Point>,
    (pick, retrained): (Pick, &[Retrained]),
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
    let locked = LockedNetwork { genome, quality, ram_bytes, trial: Some(pick.finalist.trial) };
    let networks = BTreeMap::from([(program.name.clone(), stored)]);
    let front = front_of(&report.archive, objectives);
    let finalists = history::finalists(retrained, study.judged());
    let lock = Lock {
        classes: task.classes(test).to_vec(),
        data: study.data.hash.clone(),
        engine: (study.engine != EngineKind::default()).then(|| study.engine.name().to_owned()),
        rank_correlation: history::correlation(&finalists),
        finalists,
        front: front.into_iter().map(|entry| front_point(program, entry)).collect(),
        history: history::trials(&report.archive, study.judged(), objectives),
        nasc: env!("CARGO_PKG_VERSION").to_owned(),
        networks: BTreeMap::from([(program.name.clone(), locked)]),
        objectives: objectives.iter().map(|objective| objective.metric.clone()).collect(),
        params: BTreeMap::new(),
        readings: task.readings.clone(),
        rejected: report.rejections.iter().cloned().collect(),
        sections: locking::section_hashes(program),
        seed: program.search.seed,
        strategy: program.search.described(),
        targets: study.targets.iter().map(|target| (target.name.clone(), program.name.clone())).collect(),
        trials: report.archive.entries().iter().filter(|entry| entry.genome.leg == 0).count(),
        version: Lock::VERSION,
        weights: tensors::sha256(&locking::weights_to_bytes(&networks)),
    };
    Ok(Found { lock, networks, archive: report.archive.export() })
}

/// The front of what is known last of each network: a longer training takes the place of a shorter one.
fn front_of<'a>(archive: &'a Archive<Point>, objectives: &[search::Objective]) -> Vec<&'a Entry<Point>> {
    let mut last = BTreeMap::new();
    for entry in archive.entries() {
        last.insert(entry.genome.text.as_str(), entry.trial);
    }
    archive.front(objectives, |entry| last.get(entry.genome.text.as_str()) == Some(&entry.trial))
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
        confusion: integer.confusion.clone(),
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
