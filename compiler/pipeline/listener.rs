//! What a search tells while it runs: to who waits for it, and to the store, where other processes read it.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::json;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{Metric, Program};
use crate::pipeline::compile::{Environment, Scored};
use crate::pipeline::room::Room;
use crate::pipeline::standing::{Finished, Tracker};
use crate::pipeline::study::{Point, Study};
use crate::pipeline::{figures, locking, tensors};
use crate::search::{Clock, Entry, Objective, Observer, Settings, Store};
use crate::target::Target;

/// Milliseconds between two rows that are told of what happens often.
const OFTEN: u64 = 1_000;
/// The same of trials that are finished.
const SELDOM: u64 = 200;

/// A search's course over all its stages.
#[derive(Default)]
pub(crate) struct Course {
    state: Mutex<State>,
    /// The memory that its trainings share.
    pub(crate) room: Room,
}

#[derive(Default)]
struct State {
    tracker: Tracker,
    /// What the search is called in the store; empty for what is no search.
    search: String,
    /// When something was told last, to whom waits and to the store.
    shown: Option<u64>,
    told: Option<u64>,
}

/// What a search is called in the store: the same for the same spec file, sections, options and targets.
pub(crate) fn search_name(spec: &str, program: &Program, targets: &[&Target]) -> String {
    let targets: Vec<&str> = targets.iter().map(|target| target.name.as_str()).collect();
    let sections = locking::section_hashes(program);
    tensors::sha256(json!([spec, sections, targets]).to_string().as_bytes())
}

/// The file name of a spec.
pub(crate) fn file_name(spec: &Path) -> String {
    spec.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

impl Course {
    /// A course that did not begin yet, of trainings that share so many bytes.
    pub(crate) fn new(memory: Option<u64>) -> Course {
        Course { room: Room::new(memory), ..Course::default() }
    }

    /// A search begins.
    pub(crate) fn begin(&self, spec: &Path, program: &Program, targets: &[&Target], now: u64) {
        let mut state = self.state();
        let spec = file_name(spec);
        state.search = search_name(&spec, program, targets);
        let target = targets.first().map(|target| target.name.clone()).unwrap_or_default();
        let standing = &mut state.tracker.standing;
        (standing.spec, standing.started, standing.target) = (spec, now, target);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells how a search ended.
    pub(crate) fn end<T>(&self, store: &dyn Store, clock: &dyn Clock, result: &Result<T, Diagnostic>) {
        let mut state = self.state();
        state.tracker.standing.end = Some(match result {
            Ok(_) => "done".to_owned(),
            Err(diagnostic) if diagnostic.code == Code::CANCELLED => "stopped".to_owned(),
            Err(diagnostic) => diagnostic.message.chars().take(500).collect(),
        });
        state.tracker.interrupted();
        tell(&mut state, store, clock.millis());
    }
}

fn tell(state: &mut State, store: &dyn Store, now: u64) {
    if state.search.is_empty() {
        return;
    }
    state.told = Some(now);
    let text = serde_json::to_string(&state.tracker.standing(now)).unwrap_or_default();
    // A failing store shows when the next result is written.
    let _ = store.tell(&state.search, &text);
}

/// Passes a search's events on, one at a time.
pub(crate) struct Listener<'a> {
    env: &'a Environment<'a>,
    store: &'a dyn Store,
    course: &'a Course,
    judged: Metric,
    objectives: Vec<Objective>,
    /// Names of RAM and latency on the first target.
    costs: [String; 2],
    /// Number of the first trial.
    first: usize,
}

impl<'a> Listener<'a> {
    /// Passes on what happens to the candidates of one stage; their trials count from `first`.
    pub(crate) fn new(
        env: &'a Environment<'a>,
        study: &Study<'a>,
        store: &'a dyn Store,
        settings: &Settings,
        first: usize,
    ) -> Listener<'a> {
        let on = study.targets.first().map_or("", |target| target.name.as_str());
        let judged = study.judged();
        {
            let mut state = study.course.state();
            figures::metric_word(judged).clone_into(&mut state.tracker.standing.metric);
            state.tracker.stage("searching", settings.trials, settings.jobs, study.until);
        }
        Listener {
            env,
            store,
            course: study.course,
            judged,
            objectives: study.objectives(),
            costs: [Metric::Ram, Metric::Latency].map(|metric| figures::metric_name(metric, on)),
            first,
        }
    }

    /// Passes on how the search stands, unless that was done `pause` milliseconds ago or later.
    fn pass_on(&self, state: &mut State, pause: u64) {
        for note in self.course.room.notes() {
            self.env.progress.note(&note);
        }
        let now = self.env.clock.millis();
        let is_due = |last: Option<u64>, pause| last.is_none_or(|last| now.abs_diff(last) >= pause);
        if is_due(state.shown, pause.min(100)) {
            state.shown = Some(now);
            self.env.progress.standing(&state.tracker.standing(now));
        }
        if is_due(state.told, pause) {
            tell(state, self.store, now);
        }
    }
}

impl Observer<Point> for Listener<'_> {
    fn started(&self, trial: usize, point: &Point) {
        let mut state = self.course.state();
        let stage = match (point.replicate, point.leg) {
            (0, 0) => "searching",
            (0, _) => "training the better half on",
            _ => "retraining",
        };
        if state.tracker.standing.stage != stage {
            stage.clone_into(&mut state.tracker.standing.stage);
        }
        state.tracker.started(self.first + trial, self.env.clock.millis());
        self.pass_on(&mut state, OFTEN);
    }

    fn epoch(&self, trial: usize, done: u64, of: u64) {
        let mut state = self.course.state();
        state.tracker.epoch(self.first + trial, done, of, self.env.clock.millis());
        self.pass_on(&mut state, OFTEN);
    }

    fn finished(&self, entry: &Entry<Point>, from_store: bool) {
        let mut state = self.course.state();
        let value = |name: &str| entry.metrics.get(name).copied().filter(|value| !value.is_nan());
        let quality = value(figures::metric_word(self.judged));
        let losses = self.objectives.iter().map(|objective| objective.loss(&entry.metrics)).collect();
        let finished = Finished {
            trial: self.first + entry.trial,
            from_store,
            quality,
            is_gain: self.judged.is_gain(),
            losses: if entry.genome.replicate == 0 { losses } else { None },
            ram_bytes: value(&self.costs[0]),
            latency_seconds: value(&self.costs[1]),
        };
        let now = self.env.clock.millis();
        state.tracker.finished(finished, now);
        self.env.progress.standing(&state.tracker.standing(now));
        let quality = quality.map(|value| Scored { metric: self.judged, value });
        self.env.progress.trial(self.first + entry.trial, quality, from_store);
        self.pass_on(&mut state, SELDOM);
    }

    fn waiting(&self, trial: usize) {
        let _one_at_a_time = self.course.state();
        let trial = self.first + trial;
        self.env.progress.note(&format!("trial {trial} is being trained by another process: waiting for it"));
    }

    fn rejected(&self, reason: &str) {
        let mut state = self.course.state();
        state.tracker.rejected(reason);
        self.pass_on(&mut state, OFTEN);
    }
}
