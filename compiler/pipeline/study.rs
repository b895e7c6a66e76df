//! How a point of the space becomes a result.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::data::FrontEnd;
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{Metric, Program, Proxy, ProxyScore};
use crate::emit;
use crate::estimate::{FrontEndCost, Limits};
use crate::graph::{Graph, Weights};
use crate::pipeline::checkpoint;
use crate::pipeline::figures::{
    self, cost_of, insert_costs, metric_word, objective_of, objectives, quality_of, requirement_text,
    violated,
};
use crate::pipeline::listener::Course;
use crate::pipeline::locking::StoredNetwork;
use crate::pipeline::network::IntegerNetwork;
use crate::pipeline::passes::Passes;
use crate::pipeline::prepare::{Features, Prepared, TrainingRows};
use crate::pipeline::quality::Intervals;
use crate::pipeline::recipes::{no_recipe, recipe};
use crate::pipeline::room::Place;
use crate::pipeline::task;
use crate::pipeline::tensors;
use crate::plan::Effort;
use crate::search::{
    Candidate, Entry, Metrics, Objective, Outcome, Problem, Screen, Status, Ticket, TrialError, TrialKey,
    TrialParts,
};
use crate::space::{self, Genome, Output};
use crate::target::{Isa, Target};
use crate::train;
use crate::train::engine::Engine;
#[cfg(feature = "torch")]
use crate::train::torch::TorchEngine;
use crate::train::{
    BatchSource, EmbeddedEngine, EngineKind, LabelledBatches, Loss, Recipe, Samples, Trainer,
};

/// A point of the space, and which of its trainings is meant.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// Where in the space.
    pub(crate) genome: Genome,
    /// Its canonical text.
    pub(crate) text: String,
    /// 0 in the search, 1 and on for finalists.
    pub(crate) replicate: u32,
    /// The leg of `fidelity: halving(...)`, from 0.
    pub(crate) leg: usize,
    /// Epochs, if not all that the recipe has.
    pub(crate) epochs: Option<u64>,
    /// What the training begins with, if not with drawn weights.
    pub(crate) start: Option<Start>,
}

/// A trained network whose weights another training begins with.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// Its trial, under which the store has them.
    pub(crate) key: TrialKey,
    /// What it is.
    pub(crate) genome: Genome,
}

impl Start {
    /// From a finished trial.
    pub(crate) fn of(entry: &Entry<Point>) -> Start {
        Start { key: entry.key, genome: entry.genome.genome.clone() }
    }
}

impl Point {
    /// A point with its text, trained in full.
    pub(crate) fn new(program: &Program, genome: Genome) -> Point {
        let text = space::to_json(&program.space, &genome).to_string();
        Point { genome, text, replicate: 0, leg: 0, epochs: None, start: None }
    }
}

impl Candidate for Point {
    fn text(&self) -> String {
        let mut text = self.text.clone();
        if self.replicate > 0 {
            text += &format!(" replicate {}", self.replicate);
        }
        if let Some(epochs) = self.epochs {
            text += &format!(" epochs {epochs}");
        }
        if let Some(start) = &self.start {
            text += &format!(" after {}", start.key);
        }
        text
    }
}

/// How points become results; see the search's `Problem`.
pub(crate) struct Study<'a> {
    pub(crate) program: &'a Program,
    pub(crate) targets: &'a [&'a Target],
    pub(crate) data: &'a Prepared,
    /// What trains.
    pub(crate) engine: EngineKind,
    /// Trials at once.
    pub(crate) jobs: usize,
    /// What decides before training who is trained.
    pub(crate) proxy: Option<Proxy>,
    /// Set once the time budget is over.
    pub(crate) out_of_time: &'a (dyn Fn() -> bool + Sync),
    /// When that is, in seconds of the clock.
    pub(crate) until: Option<u64>,
    /// Follows the search.
    pub(crate) course: &'a Course,
    /// Set while the user wants an end.
    pub(crate) cancel: &'a AtomicBool,
    /// The most that a training's tensors have taken in this run.
    pub(crate) training_bytes: &'a AtomicUsize,
    /// For each reason of a rejection, the least cost of a candidate that was rejected for it.
    pub(crate) nearest: &'a Mutex<BTreeMap<String, f64>>,
    /// What was said of the trial with the least number that diverged in this run.
    pub(crate) diverged: &'a Mutex<Option<(usize, Diagnostic)>>,
}

impl Study<'_> {
    /// The costs of a candidate on every target, if it can meet all requirements; else the reason.
    fn costs(&self, graph: &Graph, front_end: &FrontEnd) -> Result<Metrics, String> {
        let mut metrics = Metrics::new();
        let search = Passes { effort: Effort::Search };
        let skeleton = search.skeleton(graph);
        for target in self.targets {
            let before = front_end_cost(front_end, graph, target.isa);
            let limits = figures::limits(self.program, target);
            let mut deployment = search.choose(&skeleton, target, before, &limits)?;
            if violated(&self.program.requirements, target, &deployment.estimate).is_some()
                && deployment.estimate.lower_bound_bytes < deployment.estimate.arena_bytes
            {
                let last = Passes { effort: Effort::Final };
                let skeleton = last.skeleton_for(graph, &self.limited());
                deployment = last.choose(&skeleton, target, before, &limits)?;
            }
            if let Some(requirement) = violated(&self.program.requirements, target, &deployment.estimate) {
                let reason = format!("{} on {}", requirement_text(requirement), target.name);
                self.remember(&reason, cost_of(&deployment.estimate, requirement.metric));
                return Err(reason);
            }
            insert_costs(&mut metrics, target, &deployment.estimate);
        }
        Ok(metrics)
    }

    /// The targets, with the most that a network may cost there.
    fn limited(&self) -> Vec<(&Target, Limits)> {
        self.targets.iter().map(|&target| (target, figures::limits(self.program, target))).collect()
    }

    /// The RAM that a candidate's figures promise, by target, where its trained network keeps to it by lean layers.
    pub(crate) fn promised(&self, network: &StoredNetwork, metrics: &Metrics) -> BTreeMap<String, u64> {
        let last = Passes { effort: Effort::Final };
        let of = |target: &&Target| {
            let bytes = *metrics.get(&figures::metric_name(Metric::Ram, &target.name))? as u64;
            let fast = last.deploy(&network.graph, target, network.front_end_cost(target.isa)).ok()?;
            (fast.estimate.ram_bytes > bytes).then(|| (target.name.clone(), bytes))
        };
        self.targets.iter().filter_map(of).collect()
    }

    /// Keeps the least cost of those rejected for a reason, to say how near the nearest came.
    fn remember(&self, reason: &str, cost: Option<f64>) {
        if let (Ok(mut nearest), Some(cost)) = (self.nearest.lock(), cost) {
            let least = nearest.entry(reason.to_owned()).or_insert(cost);
            *least = least.min(cost);
        }
    }

    fn remember_divergence(&self, trial: usize, diagnostic: Diagnostic) {
        if let Ok(mut first) = self.diverged.lock()
            && first.as_ref().is_none_or(|&(known, _)| trial < known)
        {
            *first = Some((trial, diagnostic));
        }
    }

    /// A message of trials that all diverged, with what was said of the first of them in this run.
    pub(crate) fn with_divergence(&self, message: Diagnostic) -> Diagnostic {
        let first = self.diverged.lock().ok().and_then(|first| first.clone());
        let Some((trial, first)) = first else { return message };
        let message = message.note(format!("trial {trial}: {}", first.message));
        Diagnostic { help: first.help, ..first.notes.into_iter().fold(message, Diagnostic::note) }
    }

    /// Whether a training stays within the memory that one may take.
    pub(crate) fn trainable(&self, graph: &Graph, genome: &Genome) -> Result<(), String> {
        let recipe = self.recipe(genome)?;
        let samples = self.data.splits.train.len();
        let bytes = train::footprint(graph, recipe, samples, SURVEYED_THREADS)
            .map_err(|diagnostic| diagnostic.message)?;
        if bytes <= TRAINING_BYTES {
            return Ok(());
        }
        Err(format!(
            "training by batches of {} takes up to {}, more than {}: lower `batch`",
            recipe.batch.min(samples),
            mebibytes(bytes),
            mebibytes(TRAINING_BYTES)
        ))
    }

    /// Trains a graph on the engine that is chosen; `None` where the training diverges.
    fn train(
        &self,
        graph: &Graph,
        point: &Point,
        ticket: &Ticket<'_>,
    ) -> Result<Option<Weights>, TrialError> {
        match self.engine {
            EngineKind::Embedded => self.train_on(EmbeddedEngine::new(), graph, point, ticket),
            #[cfg(feature = "torch")]
            EngineKind::Torch => self.train_on(TorchEngine::cpu().shared_by(self.jobs), graph, point, ticket),
        }
    }

    /// Trains a graph, on from the state that an earlier attempt left.
    fn train_on<E: Engine>(
        &self,
        engine: E,
        graph: &Graph,
        point: &Point,
        ticket: &Ticket<'_>,
    ) -> Result<Option<Weights>, TrialError> {
        let recipe = self.recipe_of(point).map_err(|problem| TrialError::Failed(no_recipe(problem)))?;
        let features = self.data.features(self.program, &point.genome).map_err(TrialError::Failed)?;
        let mut trainer =
            self.trainer(engine, graph, recipe, &features, ticket.seed).map_err(TrialError::Failed)?;
        if let Some(start) = &point.start {
            let weights = self.weights_after(start, graph, ticket).map_err(TrialError::Failed)?;
            trainer.begin_with(&weights).map_err(TrialError::Failed)?;
        }
        let identity = ticket.key.to_string();
        let Some(_place) = self.place(graph, recipe, &features, ticket) else {
            return Err(TrialError::Cancelled);
        };
        if let Some(state) = ticket.kept().and_then(|bytes| checkpoint::from_bytes(&bytes, &identity).ok()) {
            // One that does not fit leaves the training at its start.
            let _ = trainer.resume(&state);
        }
        let result = self.all_epochs(&mut trainer, ticket, &identity);
        let peak = trainer.memory().map_or(0, |memory| memory.peak);
        self.training_bytes.fetch_max(peak, Ordering::Relaxed);
        result
    }

    /// The weights that a training begins with after another one.
    fn weights_after(
        &self,
        start: &Start,
        graph: &Graph,
        ticket: &Ticket<'_>,
    ) -> Result<Weights, Diagnostic> {
        let lost = |what: String| {
            Diagnostic::error(Code::STORE, format!("the weights of trial {} {what}", start.key))
                .help("delete the store and run the command again: trials that begin with them need them")
        };
        let bytes = ticket.weights_of(&start.key)?.ok_or_else(|| lost("are not in the store".into()))?;
        let (weights, _) =
            tensors::from_bytes(&bytes).map_err(|error| lost(format!("are damaged: {error}")))?;
        let parent = space::instantiate(&self.program.space, &start.genome).map_err(|error| *error)?;
        train::inherit(&parent, &weights, graph, ticket.seed)
    }

    /// Waits until the memory holds the training beside those that run; `None` once the user wants an end.
    fn place<'s>(
        &'s self,
        graph: &Graph,
        recipe: Recipe,
        features: &Features,
        ticket: &Ticket<'_>,
    ) -> Option<Place<'s>> {
        let samples = self.data.splits.train.len();
        // Whoever asks for a footprint of nothing gets no step of its training either.
        let arena = train::footprint(graph, recipe, samples, rayon::current_num_threads()).unwrap_or(0);
        let bytes = (arena + features.copied_bytes()) as u64;
        let goes_on = || ticket.step().is_continue() && !self.cancel.load(Ordering::Relaxed);
        self.course.room.place(ticket.trial, (bytes, features.bytes() as u64), goes_on)
    }

    /// A training at its start: on samples that are in memory, or on ones that threads make for every epoch.
    fn trainer<E: Engine>(
        &self,
        engine: E,
        graph: &Graph,
        recipe: Recipe,
        features: &Arc<Features>,
        seed: u64,
    ) -> Result<Trainer<E>, Diagnostic> {
        if !features.is_streamed() {
            return Trainer::with_engine(
                engine,
                graph,
                recipe,
                (features.inputs(), self.data.answers()),
                seed,
            );
        }
        let source = self.batches(graph, &recipe, features, seed)?;
        let mut trainer = Trainer::with_source(engine, graph, recipe, source, seed)?;
        trainer.set_workers(rayon::current_num_threads());
        Ok(trainer)
    }

    /// The batches of a training.
    pub(crate) fn batches(
        &self,
        graph: &Graph,
        recipe: &Recipe,
        features: &Arc<Features>,
        seed: u64,
    ) -> Result<Box<dyn BatchSource>, Diagnostic> {
        let answers = self.data.answers();
        let outputs = graph.ty(graph.outputs()[0]).shape.elements();
        if !features.is_streamed() {
            let samples = Samples::new(features.inputs(), answers, outputs)?;
            return Ok(Box::new(LabelledBatches::new(Arc::new(samples), recipe, seed)));
        }
        let rows = Arc::new(TrainingRows::new(features.clone(), &self.data.hash));
        let samples = Samples::made(rows, answers, outputs)?;
        if recipe.loss == Loss::BinaryCrossEntropy {
            samples.check_shares()?;
        }
        Ok(Box::new(LabelledBatches::new(Arc::new(samples), recipe, seed)))
    }

    fn all_epochs<E: Engine>(
        &self,
        trainer: &mut Trainer<E>,
        ticket: &Ticket<'_>,
        identity: &str,
    ) -> Result<Option<Weights>, TrialError> {
        ticket.epoch(trainer.epochs_done(), trainer.epochs());
        while !trainer.finished() {
            let stop = ticket.step().is_break() || self.cancel.load(Ordering::Relaxed);
            if (stop && trainer.epochs_done() > 0) || ticket.is_keeping_due() {
                ticket.keep(&checkpoint::to_bytes(&trainer.state(), identity));
            }
            if stop {
                return Err(TrialError::Cancelled);
            }
            let started = ticket.millis();
            let go_on = |done: u64, of: u64| {
                if ticket.step().is_continue() && !self.cancel.load(Ordering::Relaxed) {
                    return ControlFlow::Continue(());
                }
                let each = ticket.millis().saturating_sub(started) / done.max(1);
                match each * (of - done) {
                    0..=FINISHED_MILLIS => ControlFlow::Continue(()),
                    _ => ControlFlow::Break(()),
                }
            };
            if let Err(diverged) = trainer.epoch_while(go_on) {
                self.remember_divergence(ticket.trial, diverged);
                return Ok(None);
            }
            ticket.epoch(trainer.epochs_done(), trainer.epochs());
        }
        Ok(Some(trainer.weights()))
    }

    /// The integer network of trained weights, compiled for the host.
    ///
    /// # Errors
    /// When a weight or an activation is not finite.
    pub(crate) fn network(
        &self,
        graph: &Graph,
        genome: &Genome,
        weights: &Weights,
    ) -> Result<IntegerNetwork, String> {
        let passes = Passes { effort: Effort::Search };
        let quantize = self.program.quantize_for(genome)?;
        let features = self.data.features(self.program, genome).map_err(|diagnostic| diagnostic.message)?;
        let samples = features.splits.train.spread(quantize.calibration_samples);
        let samples = features.standardization.inputs(&samples);
        let integer = passes.unwritten(graph, weights, &samples)?;
        let last = Passes { effort: Effort::Final };
        let targets = self.limited();
        let integer = last.without_constant_channels(last.integer_for(&integer, &targets), &targets);
        let raw = features.raw_input(&integer)?;
        IntegerNetwork::new(integer, raw)
    }
}

impl Problem<Point> for Study<'_> {
    fn screen(&self, point: &Point) -> Screen {
        let graph = match space::instantiate(&self.program.space, &point.genome) {
            Ok(graph) => graph,
            Err(diagnostic) => return Screen::Invalid(diagnostic.message),
        };
        let front_end = match self.fitting(&graph, &point.genome) {
            Ok(features) => features.front_end.clone(),
            Err(problem) => return Screen::Invalid(problem),
        };
        let costs = match self.costs(&graph, &front_end) {
            Ok(costs) => costs,
            Err(reason) => return Screen::Reject(reason),
        };
        let key = self.trainable(&graph, &point.genome).and_then(|()| self.key(&graph, point));
        match key {
            Ok(key) => Screen::Accept { key, costs },
            Err(problem) => Screen::Invalid(problem),
        }
    }

    fn evaluate(&self, point: &Point, ticket: &Ticket<'_>) -> Result<Outcome, TrialError> {
        let graph = space::instantiate(&self.program.space, &point.genome)
            .map_err(|diagnostic| TrialError::Failed(*diagnostic))?;
        let diverged = || Outcome { status: Status::Diverged, quality: Metrics::new(), weights: Vec::new() };
        let Some(weights) = self.train(&graph, point, ticket)? else {
            return Ok(diverged());
        };
        let Ok(network) = self.network(&graph, &point.genome, &weights) else {
            return Ok(diverged());
        };
        let features = self.data.features(self.program, &point.genome).map_err(TrialError::Failed)?;
        let quality = self.data.task.of_integer(&network, &features.splits.val, Intervals::Omitted);
        let Ok(quality) = quality.map(|quality| quality.values()) else {
            return Ok(diverged());
        };
        Ok(Outcome { status: Status::Trained, quality, weights: tensors::to_bytes(&weights, "weights") })
    }

    fn pool(&self) -> usize {
        self.proxy.map_or(1, |proxy| proxy.pool)
    }

    fn score(&self, point: &Point) -> Result<f64, Diagnostic> {
        let graph = space::instantiate(&self.program.space, &point.genome).map_err(|error| *error)?;
        match self.proxy.map(|proxy| proxy.score) {
            None => Ok(0.0),
            Some(ProxyScore::Macs) => Ok(graph.macs().0 as f64),
            Some(ProxyScore::Synflow) => train::synflow(&graph, self.program.search.seed),
            Some(ProxyScore::Naswot) => {
                let features = self.data.features(self.program, &point.genome)?;
                let samples = features.splits.train.spread(SCORED_SAMPLES);
                let samples = features.standardization.inputs(&samples);
                train::naswot(&graph, &samples, self.program.search.seed)
            }
        }
    }

    fn has_time(&self, trial: usize) -> bool {
        trial == 0 || !(self.out_of_time)()
    }
}

impl Study<'_> {
    /// What candidates are judged by: what the spec says, as far as the validation part can tell.
    pub(crate) fn judged(&self) -> Metric {
        self.data.task.measurable(task::judged(self.program), &self.data.splits.val)
    }

    /// The spec's objectives, those of quality as far as the validation part can tell.
    pub(crate) fn objectives(&self) -> Vec<Objective> {
        let mut found: Vec<Objective> = Vec::new();
        for objective in objectives(self.program, self.targets) {
            let objective = match quality_of(&objective.metric) {
                Some(metric) => {
                    let metric = self.data.task.measurable(metric, &self.data.splits.val);
                    objective_of(metric, metric_word(metric).to_owned())
                }
                None => objective,
            };
            if !found.contains(&objective) {
                found.push(objective);
            }
        }
        found
    }

    pub(crate) fn features(&self, genome: &Genome) -> Result<Arc<Features>, String> {
        self.data.features(self.program, genome).map_err(|diagnostic| diagnostic.message)
    }

    /// The features that a network of the space takes.
    fn fitting(&self, graph: &Graph, genome: &Genome) -> Result<Arc<Features>, String> {
        let features = self.features(genome)?;
        let takes = graph.network_inputs().first().and_then(|&input| graph.ty(input).shape.nhwc());
        let [h, w, c] = features.front_end.extents();
        match takes {
            Some([_, height, width, channels]) if [height, width, channels] == [h, w, c] => Ok(features),
            _ => Err(format!("the features are {h} x {w} x {c}, and the network takes others")),
        }
    }

    /// The recipe of a point of the space, with what `augment` says of whole batches.
    pub(crate) fn recipe(&self, genome: &Genome) -> Result<Recipe, String> {
        let recipe = recipe(self.program, genome)?;
        Ok(Recipe { mixup: recipe.mixup.or(self.features(genome)?.mixup), ..recipe })
    }

    /// The recipe of a training.
    pub(crate) fn recipe_of(&self, point: &Point) -> Result<Recipe, String> {
        let recipe = self.recipe(&point.genome)?;
        Ok(Recipe { epochs: point.epochs.unwrap_or(recipe.epochs), ..recipe })
    }

    /// A point as it is trained from the start and in full.
    pub(crate) fn whole(&self, point: &Point) -> Point {
        Point { replicate: 0, leg: 0, epochs: None, start: None, ..point.clone() }
    }

    /// Epochs of a training in full.
    pub(crate) fn epochs(&self, genome: &Genome) -> Result<u64, Diagnostic> {
        Ok(self.recipe(genome).map_err(no_recipe)?.epochs)
    }

    fn key(&self, graph: &Graph, point: &Point) -> Result<TrialKey, String> {
        let program = self.program;
        let samples = program.quantize_for(&point.genome)?.calibration_samples;
        let (engine, numerics) = self.engine.numerics();
        let parts = TrialParts {
            graph: &graph.to_text(),
            recipe: &format!("{}{}", self.recipe_of(point)?.canonical(), answers_text(program)),
            data: &self.data.hash,
            front_end: &self.features(&point.genome)?.canonical,
            quantization: &format!("i8 i8 calibrate spread {samples}"),
            engine,
            numerics,
            seed: program.search.seed,
            replicate: point.replicate,
            start: point.start.as_ref().map(|start| start.key),
        };
        Ok(parts.key())
    }
}

/// What is wanted of samples, for the identity of a trial, where it is no class.
fn answers_text(program: &Program) -> &'static str {
    match program.space.output {
        Output::Classes(_) => "",
        Output::Values(_) => " answers=numbers",
        // The error is taken against the input in full.
        Output::Input => " answers=input in full",
    }
}

/// Milliseconds that the user who wants an end waits for an epoch; one that takes longer is left, and begun anew when
/// the training goes on.
const FINISHED_MILLIS: u64 = 3_000;

/// Memory that one training may take: beyond it a machine swaps, or ends the search.
const TRAINING_BYTES: usize = 8 << 30;

/// Samples that a score of untrained networks looks at: half the batch of arXiv:2006.04647, in a quarter of its time.
const SCORED_SAMPLES: usize = 64;

/// Threads that a bound on memory is made for: the same on every machine, so that all search alike.
pub(crate) const SURVEYED_THREADS: usize = 16;

/// An amount of memory for people.
pub(crate) fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

/// What a front end in front of a network costs.
pub(crate) fn front_end_cost(front_end: &FrontEnd, graph: &Graph, isa: Isa) -> FrontEndCost {
    let outputs: usize = graph.outputs().iter().map(|&output| graph.ty(output).shape.elements()).sum();
    emit::front_end_cost(front_end, outputs, isa)
}
