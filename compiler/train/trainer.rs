//! The loop of training: epochs, steps, state.

use std::ops::ControlFlow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Graph, Weights};
use crate::tensor::{Shape, Value};
use crate::train::batch::{Answers, Batch, BatchSource, LabelledBatches, Samples, Supply, with_workers};
use crate::train::divergence::{Place, diverged};
use crate::train::embedded::EmbeddedEngine;
use crate::train::engine::{Engine, Memory};
use crate::train::extents::Extents;
use crate::train::loss::Loss;
use crate::train::network::{Mode, Network, Pass};
use crate::train::optimizer::{Moment, Parameters, rate_share, role_groups};
use crate::train::predict::upload;
use crate::train::recipe::Recipe;
use crate::train::state::{Progress, sha256_hex};
use crate::train::stream::{initial_weights, key};
use crate::train::tape::{Gradients, Tape, Var};

/// What an epoch brought, measured on each batch before its step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Mean loss of a sample.
    pub loss: f64,
    /// Share of the samples whose label has the greatest output; `None` where there are no classes.
    pub accuracy: Option<f64>,
}

/// The share of a batch in the running statistics.
const STATISTICS_MOMENTUM: f64 = 0.1;

/// A training that is under way.
#[derive(Debug)]
pub struct Trainer<E: Engine = EmbeddedEngine> {
    pub(super) engine: E,
    pub(super) network: Network,
    pub(super) recipe: Recipe,
    pub(super) source: Box<dyn BatchSource>,
    pub(super) seed: u64,
    /// Hash of the graph's text.
    pub(super) graph: String,
    pub(super) parameters: Parameters<E::Tensor>,
    pub(super) progress: Progress,
    workers: usize,
    workspace: Workspace<E::Tensor>,
}

/// What steps fill and empty again, so that they allocate nothing.
#[derive(Debug)]
struct Workspace<T> {
    pass: Pass<T>,
    vars: Vec<Var>,
    gradients: Gradients<T>,
    elements: Vec<f32>,
    pool: Vec<Batch>,
}

impl Trainer<EmbeddedEngine> {
    /// Starts a training on the embedded engine: inputs `f32 [N, ...]`, and what is wanted of each.
    ///
    /// # Errors
    /// See [`Trainer::with_engine`].
    pub fn new<'a>(
        graph: &Graph,
        recipe: Recipe,
        inputs: &Value,
        answers: impl Into<Answers<'a>>,
        seed: u64,
    ) -> Result<Trainer, Diagnostic> {
        Trainer::with_engine(EmbeddedEngine::new(), graph, recipe, (inputs, answers), seed)
    }
}

impl<E: Engine> Trainer<E> {
    /// Starts a training. The graph's output is `[1, classes]`, before softmax, or `[1, numbers]`, or for
    /// [`Answers::Input`] of as many elements as its input.
    ///
    /// # Errors
    /// E0305 for the recipe, E0204 and E0303 for the graph, E0703 and E0705 for the data.
    pub fn with_engine<'a>(
        engine: E,
        graph: &Graph,
        recipe: Recipe,
        (inputs, answers): (&Value, impl Into<Answers<'a>>),
        seed: u64,
    ) -> Result<Trainer<E>, Diagnostic> {
        recipe.check()?;
        let answers = answers.into();
        let has_classes = matches!(answers, Answers::Labels(_));
        let outputs =
            outputs(&Network::new(graph)?, graph, has_classes || recipe.loss == Loss::CrossEntropy)?;
        let samples = Samples::new(inputs, answers, outputs)?;
        if recipe.loss == Loss::BinaryCrossEntropy {
            samples.check_shares()?;
        }
        let samples = Arc::new(samples);
        let source = LabelledBatches::new(samples, &recipe, seed);
        Trainer::with_source(engine, graph, recipe, Box::new(source), seed)
    }

    /// Starts a training whose batches come from `source`: their size and all that is done to samples and targets
    /// is its own, whatever the recipe says of it.
    ///
    /// # Errors
    /// E0305 for the recipe, E0204 and E0303 for the graph, E0705 where the samples have another shape.
    pub fn with_source(
        engine: E,
        graph: &Graph,
        recipe: Recipe,
        source: Box<dyn BatchSource>,
        seed: u64,
    ) -> Result<Trainer<E>, Diagnostic> {
        recipe.check()?;
        let network = Network::new(graph)?;
        let outputs = outputs(&network, graph, recipe.loss == Loss::CrossEntropy)?;
        if source.input() != network.input() || source.targets() != outputs {
            let text = |extents: &[usize]| Shape::from(extents);
            let message = format!(
                "the network takes samples f32{} with {outputs} targets, the data has f32{} with {}",
                text(network.input()),
                text(source.input()),
                source.targets()
            );
            return Err(Diagnostic::error(Code::DATA_SHAPE, message));
        }
        let initial = initial_weights(network.params(), seed);
        let values = network.gather(&initial)?.into_iter().map(|value| upload(&engine, value)).collect();
        let groups = role_groups(network.params());
        let parameters = Parameters::new(&engine, &recipe.optimizer, groups, values);
        let graph = sha256_hex(graph.to_text().as_bytes());
        let workspace = Workspace {
            pass: Pass::new(),
            vars: Vec::new(),
            gradients: Gradients::new(),
            elements: Vec::new(),
            pool: Vec::new(),
        };
        let progress = Progress::default();
        Ok(Trainer {
            engine,
            network,
            recipe,
            source,
            seed,
            graph,
            parameters,
            progress,
            workers: 1,
            workspace,
        })
    }

    /// Begins with these weights instead of drawn ones. Nothing else changes: the optimiser remembers nothing, and the
    /// epochs are those of the recipe.
    ///
    /// # Errors
    /// Those of [`Network::gather`]; E0204 where the training is under way.
    pub fn begin_with(&mut self, weights: &Weights) -> Result<(), Diagnostic> {
        if self.progress != Progress::default() {
            let message = "weights to begin with come before the first epoch";
            return Err(Diagnostic::error(Code::NOT_ALLOWED, message));
        }
        let values = self.network.gather(weights)?.into_iter().map(|value| upload(&self.engine, value));
        let groups = role_groups(self.network.params());
        self.parameters = Parameters::new(&self.engine, &self.recipe.optimizer, groups, values.collect());
        Ok(())
    }

    /// How many threads make batches ahead; none with 0. It changes no bit of the result.
    pub fn set_workers(&mut self, workers: usize) {
        self.workers = workers;
    }

    /// What the engine's tensors take and have taken, if it knows.
    pub fn memory(&self) -> Option<Memory> {
        self.engine.memory()
    }

    /// Whether all epochs of the recipe are done.
    pub fn finished(&self) -> bool {
        self.progress.epoch >= self.recipe.epochs
    }

    /// Epochs done.
    pub fn epochs_done(&self) -> u64 {
        self.progress.epoch
    }

    /// Epochs of the recipe.
    pub fn epochs(&self) -> u64 {
        self.recipe.epochs
    }

    /// Trains for one epoch. After an error the training stands where it stood before the epoch:
    /// [`retry_with`](Trainer::retry_with) lets it go on from there.
    ///
    /// # Errors
    /// E0801 when the loss or a parameter is no longer finite, or the loss has exploded; E0305 where all epochs of
    /// the recipe are done.
    pub fn epoch(&mut self) -> Result<EpochReport, Diagnostic> {
        let report = self.epoch_while(|_, _| ControlFlow::Continue(()))?;
        Ok(report.expect("nothing stops it"))
    }

    /// As [`epoch`](Trainer::epoch), but asked between steps whether to go on, with how many steps of the epoch are
    /// done and of how many. `None` where it was left: the training stands where it stood before the epoch.
    ///
    /// # Errors
    /// As [`epoch`](Trainer::epoch).
    pub fn epoch_while(
        &mut self,
        go_on: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<Option<EpochReport>, Diagnostic> {
        if self.finished() {
            let message = format!("all {} epochs of this training are done", self.recipe.epochs);
            return Err(Diagnostic::error(Code::RANGE, message));
        }
        // Tensors never change, so this shares their elements.
        let good = (self.parameters.clone(), self.progress.clone());
        let result = self.attempt(go_on);
        if !matches!(result, Ok(Some(_))) {
            (self.parameters, self.progress) = good;
        }
        result
    }

    /// Multiplies the learning rate of all steps to come, for another attempt at an epoch that diverged.
    ///
    /// # Errors
    /// E0305 where the factor is not in 0..1 or is 0.
    pub fn retry_with(&mut self, factor: f64) -> Result<(), Diagnostic> {
        let rate_factor = self.progress.rate_factor * factor;
        if !(factor <= 1.0 && rate_factor > 0.0) {
            let message = format!("the factor of a learning rate is {factor}, it must be in 0..1 and not 0");
            return Err(Diagnostic::error(Code::RANGE, message));
        }
        self.progress.rate_factor = rate_factor;
        Ok(())
    }

    fn attempt(
        &mut self,
        go_on: impl FnMut(u64, u64) -> ControlFlow<()> + Send,
    ) -> Result<Option<EpochReport>, Diagnostic> {
        self.source.start(self.progress.epoch);
        let source: &dyn BatchSource = self.source.as_ref();
        let mut pool = std::mem::take(&mut self.workspace.pool);
        let mut steps = Steps {
            engine: &self.engine,
            network: &self.network,
            recipe: &self.recipe,
            seed: self.seed,
            batches: source.batches() as u64,
            tape: Tape::new(&self.engine),
            parameters: &mut self.parameters,
            progress: &mut self.progress,
            workspace: &mut self.workspace,
        };
        let found = with_workers(source, self.workers, &mut pool, |supply| steps.epoch(supply, go_on));
        let found = found.and_then(|sums| steps.finish().map(|()| sums));
        self.workspace.pool = pool;
        let Some((loss, right)) = found? else { return Ok(None) };
        let count = source.samples() as f64;
        let report = EpochReport { loss: loss / count, accuracy: right.map(|right| right as f64 / count) };
        self.progress.epoch += 1;
        self.progress.watch.keep(report.loss);
        Ok(Some(report))
    }

    pub(super) fn value(&self, tensor: &E::Tensor) -> Value {
        let shape = Shape::from(self.engine.shape(tensor));
        Value::from_f32(&shape, self.engine.download(tensor)).expect("as many elements as the shape has")
    }

    /// The parameters by name, the running statistics among them.
    pub fn weights(&self) -> Weights {
        let named = self.network.params().iter().zip(self.parameters.values());
        named.map(|(param, value)| (param.name.clone(), self.value(value))).collect()
    }
}

/// The numbers that a network gives for a sample.
fn outputs(network: &Network, graph: &Graph, are_classes: bool) -> Result<usize, Diagnostic> {
    match *network.output() {
        [outputs] => Ok(outputs),
        ref extents if !are_classes => Ok(extents.iter().product()),
        _ => {
            let message =
                format!("a classifier's output is [1, classes], got {}", graph.ty(graph.outputs()[0]));
            Err(Diagnostic::error(Code::SHAPE, message))
        }
    }
}

/// The sum of losses, and how many samples were right where there are classes.
type Sums = (f64, Option<usize>);

/// The steps of an epoch.
struct Steps<'t, E: Engine> {
    engine: &'t E,
    network: &'t Network,
    recipe: &'t Recipe,
    seed: u64,
    /// Steps in an epoch.
    batches: u64,
    tape: Tape<'t, E>,
    parameters: &'t mut Parameters<E::Tensor>,
    progress: &'t mut Progress,
    workspace: &'t mut Workspace<E::Tensor>,
}

impl<E: Engine> Steps<'_, E> {
    /// All steps; the sum of the samples' losses and, where there are classes, how many were right. `None` where
    /// `go_on` says so.
    fn epoch(
        &mut self,
        supply: &mut Supply<'_>,
        mut go_on: impl FnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Option<Sums>, Diagnostic> {
        let (mut loss, mut right, mut done) = (0.0, None, 0);
        while let Some(batch) = supply.next() {
            let (batch_loss, batch_right) = self.step(&batch)?;
            loss += batch_loss * batch.count as f64;
            right = batch_right.map(|more| right.unwrap_or(0) + more);
            supply.give_back(batch);
            done += 1;
            if done < self.batches && go_on(done, self.batches).is_break() {
                return Ok(None);
            }
        }
        Ok(Some((loss, right)))
    }

    /// One step; the mean loss of its samples and how many were right before it.
    fn step(&mut self, batch: &Batch) -> Result<(f64, Option<usize>), Diagnostic> {
        let (engine, tape) = (self.engine, &mut self.tape);
        let Workspace { pass, vars, gradients, elements, .. } = &mut *self.workspace;
        tape.clear();
        vars.clear();
        for (param, value) in self.network.params().iter().zip(self.parameters.values()) {
            vars.push(match param.role.is_trained() {
                true => tape.variable(value.clone()),
                false => tape.constant(value.clone()),
            });
        }
        let inputs = engine.upload(&Extents::batched(batch.count, self.network.input()), &batch.inputs);
        let output = self.network.output();
        let width: usize = output.iter().product();
        let targets = engine.upload(&Extents::batched(batch.count, output), &batch.targets);
        let x = tape.constant(inputs);
        let mode = Mode::Training { key: key(self.seed, "step", self.progress.step) };
        let outputs = self.network.forward(tape, vars, x, mode, pass);
        let loss = self.recipe.loss.of(tape, outputs, &targets);
        engine.read(tape.value(loss), elements);
        let mean = f64::from(elements[0]);
        let right = (!batch.labels.is_empty()).then(|| {
            engine.read(tape.value(outputs), elements);
            count_right(elements, width, &batch.labels)
        });
        let chance = self.recipe.loss.of_chance(&batch.targets, width);
        if let Some(what) = self.progress.watch.see(mean, chance) {
            return Err(self.failed(&what));
        }
        tape.backward_and_release(loss, gradients);
        self.optimize();
        self.update_statistics();
        self.progress.step += 1;
        Ok((mean, right))
    }

    fn optimize(&mut self) {
        let Recipe { epochs, optimizer, schedule, warmup, clip, .. } = self.recipe;
        let step = self.progress.step;
        let share = rate_share(*schedule, step, (*epochs, self.batches), *warmup);
        let rate = optimizer.lr() * self.progress.rate_factor * share;
        let Workspace { vars, gradients, .. } = &mut *self.workspace;
        let gradient = |index: usize| gradients.get(vars[index]);
        self.parameters.update(self.engine, optimizer, *clip, gradient, Moment { step, rate, decay: 1.0 });
        gradients.clear();
    }

    /// Moves the running statistics towards those of the batch; the variance towards the unbiased one.
    ///
    /// Source  arXiv:1502.03167 algorithm 2
    fn update_statistics(&mut self) {
        for found in self.workspace.pass.statistics.drain(..) {
            let unbiased = if found.count > 1 { found.count as f64 / (found.count - 1) as f64 } else { 1.0 };
            for (param, batch, scale) in
                [(found.mean_param, &found.mean, 1.0), (found.variance_param, &found.variance, unbiased)]
            {
                let shares = (1.0 - STATISTICS_MOMENTUM, STATISTICS_MOMENTUM * scale);
                self.parameters.approach(self.engine, param, batch, shares);
            }
        }
    }

    /// Checks every parameter at the end of an epoch.
    fn finish(&mut self) -> Result<(), Diagnostic> {
        self.tape.clear();
        match self.wrong_parameter() {
            None => Ok(()),
            Some(name) => Err(self.failed(&format!("parameter `{name}` is not finite"))),
        }
    }

    fn wrong_parameter(&mut self) -> Option<String> {
        let elements = &mut self.workspace.elements;
        let wrong = |value: &E::Tensor| {
            self.engine.read(value, elements);
            elements.iter().any(|x| !x.is_finite())
        };
        let place = self.parameters.values().position(wrong)?;
        Some(self.network.params()[place].name.clone())
    }

    /// The first parameter that is not finite, else the first layer whose output is not.
    fn first_wrong(&mut self) -> Option<String> {
        if let Some(name) = self.wrong_parameter() {
            return Some(format!("parameter `{name}`"));
        }
        let Workspace { pass, elements, .. } = &mut *self.workspace;
        let wrong = |&value: &Var| {
            self.engine.read(self.tape.value(value), elements);
            elements.iter().any(|x| !x.is_finite())
        };
        let step = pass.values().iter().position(wrong)?;
        Some(format!("the output of {}", self.network.step_name(step)))
    }

    fn failed(&mut self, what: &str) -> Diagnostic {
        let first = self.first_wrong();
        let Progress { epoch, step, rate_factor, ref watch } = *self.progress;
        let rate = self.recipe.optimizer.lr() * rate_factor;
        diverged(what, &Place { recipe: self.recipe, done: (epoch, step), rate, watch, first })
    }
}

/// Rows whose first greatest element is at their label.
fn count_right(outputs: &[f32], classes: usize, labels: &[u32]) -> usize {
    let right = |(row, &label): (&[f32], &u32)| {
        let better = |best: usize, next: usize| if row[next] > row[best] { next } else { best };
        (1..classes).fold(0, better) == label as usize
    };
    outputs.chunks_exact(classes).zip(labels).filter(|&pair| right(pair)).count()
}

/// The share of outputs `[N, classes]` whose first greatest element is at their label; 0 of none.
///
/// # Errors
/// E0703 where the numbers of outputs and labels differ or the outputs are no `f32 [N, classes]`.
pub fn accuracy(outputs: &Value, labels: &[u32]) -> Result<f64, Diagnostic> {
    let shape = outputs.shape();
    match (outputs.as_f32(), shape.0.as_slice()) {
        (Some(array), &[count, classes]) if count == labels.len() && classes > 0 => {
            let elements: Vec<f32> = array.iter().copied().collect();
            Ok(count_right(&elements, classes, labels) as f64 / count.max(1) as f64)
        }
        _ => {
            let message = format!("{} labels for outputs {}{shape}", labels.len(), outputs.dtype());
            Err(Diagnostic::error(Code::DATA_LABEL, message))
        }
    }
}
