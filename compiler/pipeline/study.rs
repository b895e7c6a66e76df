//! One search: data in the form that training takes, and how a point of the space becomes a result.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::data::{self, Cut, RawQuantizer, Split, Splits, Standardization};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{LossSpec, Metric, OptimizerSpec, Program, RateSpec, Requirement, Source};
use crate::estimate::Estimate;
use crate::graph::{Graph, Weights};
use crate::pipeline::checkpoint;
use crate::pipeline::network::{IntegerNetwork, interface};
use crate::pipeline::passes::Passes;
use crate::pipeline::quality::Intervals;
use crate::pipeline::task::{self, Task};
use crate::pipeline::tensors;
use crate::plan::Effort;
use crate::report;
use crate::search::{
    Candidate, Metrics, Objective, Outcome, Problem, Screen, Status, Ticket, TrialError, TrialKey, TrialParts,
};
use crate::space::{self, Genome, Output};
use crate::target::Target;
use crate::tensor::Value;
use crate::train;
use crate::train::engine::Engine;
#[cfg(feature = "torch")]
use crate::train::torch::TorchEngine;
use crate::train::{AdamW, Answers, EmbeddedEngine, EngineKind, Loss, Recipe, Schedule, Sgd, Trainer};

/// A point of the space, and which of its trainings is meant.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    /// Where in the space.
    pub(crate) genome: Genome,
    /// Its canonical text.
    pub(crate) text: String,
    /// 0 in the search, 1 and on for finalists.
    pub(crate) replicate: u32,
}

impl Point {
    /// A point with its text.
    pub(crate) fn new(program: &Program, genome: Genome, replicate: u32) -> Point {
        let text = space::to_json(&program.space, &genome).to_string();
        Point { genome, text, replicate }
    }
}

impl Candidate for Point {
    fn text(&self) -> String {
        match self.replicate {
            0 => self.text.clone(),
            replicate => format!("{} replicate {replicate}", self.text),
        }
    }
}

/// Samples, raw and as training takes them.
pub(crate) struct Prepared {
    /// Raw parts.
    pub(crate) splits: Splits,
    /// What training samples are brought to mean 0 and deviation 1 with.
    pub(crate) standardization: Standardization,
    /// The training part's samples, standardised: F32 `[N, H, W, C]`.
    pub(crate) inputs: Value,
    /// The training part's numbers to predict as training takes them.
    pub(crate) numbers: Vec<f32>,
    /// What networks are for.
    pub(crate) task: Task,
    /// Hash of the raw parts.
    pub(crate) hash: String,
}

impl Prepared {
    /// Reads the data of a spec below `root`.
    ///
    /// # Errors
    /// E07xx: what is missing or wrong in it, or does not fit the model.
    pub(crate) fn load(program: &Program, root: &Path) -> Result<Prepared, Diagnostic> {
        let Source::Ts { train, test } = &program.data.source else {
            let diagnostic = program.refusals().0.into_iter().next();
            return Err(diagnostic.unwrap_or_else(|| {
                Diagnostic::error(Code::NOT_YET, "this version of nasc does not read this `source`")
            }));
        };
        let source = data::Source::Ts(data::Ts { train: train.clone(), test: test.clone() });
        let split = Split::Holdout(program.data.validation_share);
        let loaded = data::load(&source, &Cut { split, seed: program.search.seed }, root, None)?;
        let splits = loaded.raw();
        Prepared::new(program, splits, loaded.hash)
    }

    /// Brings samples into the form that training takes; `hash` tells them from others.
    ///
    /// # Errors
    /// E07xx where they do not fit the model.
    pub(crate) fn new(program: &Program, mut splits: Splits, hash: String) -> Result<Prepared, Diagnostic> {
        task::check_fit(program, &splits.train)?;
        if program.space.output == Output::Input && task::tells_anomalies(&splits.train) {
            // What is normal is learned from normal samples alone.
            splits.train = splits.train.of_class(0);
            if splits.train.is_empty() {
                let message = "the training part has no sample of the class `normal`";
                return Err(Diagnostic::error(Code::DATA_SPLIT, message)
                    .help("an autoencoder learns from normal samples: give it some"));
            }
        }
        let standardization = if program.data.standardize {
            Standardization::measure(&splits.train, splits.train.sample_shape()[2])
        } else {
            Standardization::fixed(0.0, 1.0, splits.train.sample_shape()[2])
        };
        let inputs = standardization.inputs(&splits.train);
        let task = Task::new(program, &splits.train);
        let numbers = task.standardized(&splits.train.numbers);
        Ok(Prepared { splits, standardization, inputs, numbers, task, hash })
    }

    /// What training wants of the training part's samples.
    fn answers(&self) -> Answers<'_> {
        match self.task.output {
            Output::Classes(_) => Answers::Labels(&self.splits.train.labels),
            Output::Values(_) => Answers::Numbers(&self.numbers),
            Output::Input => Answers::Input,
        }
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
    #[cfg_attr(not(feature = "torch"), expect(dead_code, reason = "the embedded engine shares by itself"))]
    pub(crate) jobs: usize,
    /// Set once the time budget is over.
    pub(crate) out_of_time: &'a (dyn Fn() -> bool + Sync),
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
    fn costs(&self, graph: &Graph) -> Result<Metrics, String> {
        let mut metrics = Metrics::new();
        let search = Passes { effort: Effort::Search };
        let skeleton = search.skeleton(graph);
        for target in self.targets {
            let mut deployment = search.deploy(&skeleton, target, raw_table_bytes(graph))?;
            if violated(&self.program.requirements, target, &deployment.estimate).is_some()
                && deployment.estimate.lower_bound_bytes < deployment.estimate.arena_bytes
            {
                let last = Passes { effort: Effort::Final };
                deployment = last.deploy(&last.skeleton(graph), target, raw_table_bytes(graph))?;
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
        let recipe = recipe(self.program, genome)?;
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
        genome: &Genome,
        ticket: &Ticket<'_>,
    ) -> Result<Option<Weights>, TrialError> {
        match self.engine {
            EngineKind::Embedded => self.train_on(EmbeddedEngine::new(), graph, genome, ticket),
            #[cfg(feature = "torch")]
            EngineKind::Torch => {
                self.train_on(TorchEngine::cpu().shared_by(self.jobs), graph, genome, ticket)
            }
        }
    }

    /// Trains a graph, on from the state that an earlier attempt left. `step` is asked between epochs.
    fn train_on<E: Engine>(
        &self,
        engine: E,
        graph: &Graph,
        genome: &Genome,
        ticket: &Ticket<'_>,
    ) -> Result<Option<Weights>, TrialError> {
        let recipe =
            recipe(self.program, genome).map_err(|problem| TrialError::Failed(no_recipe(problem)))?;
        let samples = (&self.data.inputs, self.data.answers());
        let mut trainer =
            Trainer::with_engine(engine, graph, recipe, samples, ticket.seed).map_err(TrialError::Failed)?;
        let identity = ticket.key.to_string();
        if let Some(state) = ticket.kept().and_then(|bytes| checkpoint::from_bytes(&bytes, &identity).ok()) {
            // One that does not fit leaves the training at its start.
            let _ = trainer.resume(&state);
        }
        let result = self.all_epochs(&mut trainer, ticket, &identity);
        let peak = trainer.memory().map_or(0, |memory| memory.peak);
        self.training_bytes.fetch_max(peak, Ordering::Relaxed);
        result
    }

    fn all_epochs<E: Engine>(
        &self,
        trainer: &mut Trainer<E>,
        ticket: &Ticket<'_>,
        identity: &str,
    ) -> Result<Option<Weights>, TrialError> {
        while !trainer.finished() {
            let stop = ticket.step().is_break() || self.cancel.load(Ordering::Relaxed);
            if (stop && trainer.epochs_done() > 0) || ticket.is_keeping_due() {
                ticket.keep(&checkpoint::to_bytes(&trainer.state(), identity));
            }
            if stop {
                return Err(TrialError::Cancelled);
            }
            if let Err(diverged) = trainer.epoch() {
                self.remember_divergence(ticket.trial, diverged);
                return Ok(None);
            }
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
        let samples = self.data.splits.train.first(quantize.calibration_samples);
        let samples = self.data.standardization.inputs(&samples);
        let integer = passes.quantized(graph, weights, &samples)?;
        let raw = raw_quantizer(&integer, &self.data.standardization)?;
        let deployment = passes.deploy(&integer, &host_view(), raw_table_bytes(graph))?;
        IntegerNetwork::new(integer, raw, &deployment)
    }
}

impl Problem<Point> for Study<'_> {
    fn screen(&self, point: &Point) -> Screen {
        let graph = match space::instantiate(&self.program.space, &point.genome) {
            Ok(graph) => graph,
            Err(diagnostic) => return Screen::Invalid(diagnostic.message),
        };
        let costs = match self.costs(&graph) {
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
        let Some(weights) = self.train(&graph, &point.genome, ticket)? else {
            return Ok(diverged());
        };
        let Ok(network) = self.network(&graph, &point.genome, &weights) else {
            return Ok(diverged());
        };
        let quality = self.data.task.of_integer(&network, &self.data.splits.val, Intervals::Omitted);
        let Ok(quality) = quality.map(|quality| quality.values()) else {
            return Ok(diverged());
        };
        Ok(Outcome { status: Status::Trained, quality, weights: tensors::to_bytes(&weights, "weights") })
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

    fn key(&self, graph: &Graph, point: &Point) -> Result<TrialKey, String> {
        let program = self.program;
        let samples = program.quantize_for(&point.genome)?.calibration_samples;
        let (engine, numerics) = self.engine.numerics();
        let parts = TrialParts {
            graph: &graph.to_text(),
            recipe: &format!("{}{}", recipe(program, &point.genome)?.canonical(), answers_text(program)),
            data: &self.data.hash,
            front_end: if program.data.standardize { "standardize" } else { "none" },
            quantization: &format!("i8 i8 calibrate {samples}"),
            engine,
            numerics,
            seed: program.search.seed,
            replicate: point.replicate,
        };
        Ok(parts.key())
    }
}

/// What is wanted of samples, for the identity of a trial, where it is no class.
fn answers_text(program: &Program) -> &'static str {
    match program.space.output {
        Output::Classes(_) => "",
        Output::Values(_) => " answers=numbers",
        Output::Input => " answers=input",
    }
}

/// The recipe of a point of the space.
///
/// # Errors
/// When a value that is computed from decisions does not come out.
pub(crate) fn recipe(program: &Program, genome: &Genome) -> Result<Recipe, String> {
    let spec = program.train_for(genome)?;
    let (lr, weight_decay) = (spec.learning_rate, spec.weight_decay);
    Ok(Recipe {
        epochs: spec.epochs as u64,
        batch: spec.batch,
        loss: match spec.loss {
            LossSpec::CrossEntropy => Loss::CrossEntropy,
            LossSpec::Mse => Loss::MeanSquaredError,
            LossSpec::Bce => Loss::BinaryCrossEntropy,
        },
        optimizer: match spec.optimizer {
            OptimizerSpec::Adamw => AdamW { lr, weight_decay, ..AdamW::default() }.into(),
            OptimizerSpec::Sgd { momentum, nesterov } => Sgd { lr, weight_decay, momentum, nesterov }.into(),
        },
        schedule: match spec.schedule {
            RateSpec::Cosine => Schedule::Cosine,
            RateSpec::Step { every, factor } => Schedule::Step { every, factor },
            RateSpec::Constant => Schedule::Constant,
        },
        warmup: spec.warmup,
        clip: spec.clip,
        label_smoothing: spec.label_smoothing,
        mixup: spec.mixup,
    })
}

/// Memory that one training may take: beyond it a machine swaps, or ends the search.
const TRAINING_BYTES: usize = 8 << 30;

/// Threads that a bound on memory is made for: the same on every machine, so that all search alike.
const SURVEYED_THREADS: usize = 16;

/// An amount of memory for people.
pub(crate) fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

fn no_recipe(problem: String) -> Diagnostic {
    Diagnostic::error(Code::RANGE, format!("a decision of `train` gives no recipe: {problem}"))
}

/// Bytes of the tables that turn raw values into the input of a network: a mean and a factor for each channel.
pub(crate) fn raw_table_bytes(graph: &Graph) -> u64 {
    let channels = graph.network_inputs().first().and_then(|&input| graph.ty(input).shape.0.last().copied());
    8 * channels.unwrap_or(0) as u64
}

/// What turns raw values into the input of an integer graph.
pub(crate) fn raw_quantizer(
    graph: &Graph,
    standardization: &Standardization,
) -> Result<RawQuantizer, String> {
    let (input, _) = interface(graph)?;
    let quant = input.quant.as_ref().ok_or("the input is not quantized")?;
    Ok(RawQuantizer::new(standardization, quant.scale(0), quant.zero_point))
}

/// The host as a target for evaluation alone.
pub(crate) fn host_view() -> Target {
    use crate::target::{CostTable, Isa};
    Target {
        name: "evaluation".into(),
        core: None,
        isa: Isa::Portable,
        clock: crate::tensor::Hertz(1),
        ram: None,
        flash: None,
        align: 16,
        active_milliwatts: None,
        cost: CostTable { cycles_per_mac: 0.0, cycles_per_element: 0.0, cycles_per_call: 0.0 },
        toolchain: None,
        source: String::new(),
    }
}

/// The figure of quality with this name in archives.
fn quality_of(name: &str) -> Option<Metric> {
    let all = [Metric::Accuracy, Metric::Error, Metric::F1, Metric::Auc, Metric::Mse];
    all.into_iter().find(|&metric| metric_word(metric) == name)
}

/// The name that a figure has in archives: costs of a target carry its name.
pub(crate) fn metric_name(metric: Metric, target: &str) -> String {
    let name = metric_word(metric);
    match metric {
        Metric::Ram | Metric::Flash | Metric::Weights | Metric::Latency | Metric::Energy => {
            format!("{name}@{target}")
        }
        _ => name.to_owned(),
    }
}

/// A figure's name in the language.
pub(crate) fn metric_word(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "accuracy",
        Metric::Ram => "ram",
        Metric::Flash => "flash",
        Metric::Weights => "weights",
        Metric::Latency => "latency",
        Metric::Macs => "macs",
        Metric::Energy => "energy",
        Metric::Error => "error",
        Metric::F1 => "f1",
        Metric::Auc => "auc",
        Metric::Mse => "mse",
        Metric::Params => "params",
    }
}

/// A requirement in base units.
pub(crate) fn requirement_text(requirement: &Requirement) -> String {
    let sign = if requirement.metric.is_gain() { ">=" } else { "<=" };
    let limit = amount_text(requirement.metric, requirement.limit);
    format!("{} {sign} {limit}", metric_word(requirement.metric))
}

/// An amount with its unit.
pub(crate) fn amount_text(metric: Metric, amount: f64) -> String {
    match metric {
        Metric::Accuracy | Metric::Error | Metric::F1 | Metric::Auc => format!("{} %", amount * 100.0),
        Metric::Ram | Metric::Flash | Metric::Weights => format!("{amount} B"),
        Metric::Latency => format!("{} ms", amount * 1e3),
        Metric::Macs | Metric::Mse | Metric::Params => format!("{amount}"),
        Metric::Energy => format!("{} mJ", amount * 1e3),
    }
}

/// An amount that was measured, with as many digits as tell something.
pub(crate) fn measured_text(metric: Metric, amount: f64) -> String {
    if metric.is_quality() {
        report::quality_text(metric_word(metric), amount)
    } else {
        amount_text(metric, amount)
    }
}

/// A cost of an estimate; `None` for quality, and for energy where the power is unknown.
pub(crate) fn cost_of(estimate: &Estimate, metric: Metric) -> Option<f64> {
    match metric {
        Metric::Accuracy | Metric::Error | Metric::F1 | Metric::Auc | Metric::Mse | Metric::Params => None,
        Metric::Ram => Some(estimate.ram_bytes as f64),
        Metric::Flash => Some(estimate.flash_bytes as f64),
        Metric::Weights => Some(estimate.weights_bytes as f64),
        Metric::Latency => Some(estimate.latency_seconds),
        Metric::Macs => Some(estimate.macs as f64),
        Metric::Energy => estimate.energy_joules,
    }
}

/// The first requirement of a target that an estimate breaks. A target's own memories are requirements too. What is
/// counted in a paper's way is not looked at.
pub(crate) fn violated<'a>(
    requirements: &'a [Requirement],
    target: &Target,
    estimate: &Estimate,
) -> Option<&'a Requirement> {
    requirements
        .iter()
        .filter(|requirement| requirement.target.as_ref().is_none_or(|name| *name == target.name))
        .filter(|requirement| requirement.accounting.is_none())
        .find(|requirement| {
            cost_of(estimate, requirement.metric).is_some_and(|cost| cost > requirement.limit)
        })
}

fn insert_costs(metrics: &mut Metrics, target: &Target, estimate: &Estimate) {
    for metric in [Metric::Ram, Metric::Flash, Metric::Weights, Metric::Latency, Metric::Macs, Metric::Energy]
    {
        if let Some(cost) = cost_of(estimate, metric) {
            metrics.insert(metric_name(metric, &target.name), cost);
        }
    }
}

/// The spec's objectives as the archive names them; without a target they mean the first one compiled for. Those on
/// targets that are not compiled for are left out.
pub(crate) fn objectives(program: &Program, targets: &[&Target]) -> Vec<Objective> {
    let first = targets.first().map_or("", |target| target.name.as_str());
    let compiled = |name: &Option<String>| {
        name.as_ref().is_none_or(|name| targets.iter().any(|known| known.name == *name))
    };
    program
        .objectives
        .iter()
        .filter(|objective| compiled(&objective.target))
        .map(|objective| {
            let name = metric_name(objective.metric, objective.target.as_deref().unwrap_or(first));
            objective_of(objective.metric, name)
        })
        .collect()
}

fn objective_of(metric: Metric, name: String) -> Objective {
    if metric.is_gain() { Objective::maximize(name) } else { Objective::minimize(name) }
}
