//! The loop of training: recipe, epochs, state.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Graph, Weights};
use crate::ops::ParamRole;
use crate::tensor::{DType, Shape, Value};
use crate::train::embedded::EmbeddedEngine;
use crate::train::engine::{Binary, Engine};
use crate::train::network::{BatchStatistics, Mode, Network, batched, samples, upload};
use crate::train::optimizer::{AdamW, Moments, schedule};
use crate::train::stream::{initial_weights, key, shuffled};
use crate::train::tape::{Gradients, Tape, Var};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Times that every sample is seen; at least 1.
    pub epochs: u64,
    /// Greatest number of samples in a step. An epoch has `ceil(samples / batch)` steps of nearly equal size.
    pub batch: usize,
    /// What moves the weights.
    pub optimizer: AdamW,
    /// Share of the steps over which the learning rate rises.
    pub warmup: f64,
    /// Share of a label's weight that all classes share equally.
    pub label_smoothing: f64,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe { epochs: 60, batch: 64, optimizer: AdamW::default(), warmup: 0.05, label_smoothing: 0.1 }
    }
}

impl Recipe {
    /// The one text of a recipe, for keys of trials: two recipes have one text if and only if they train alike.
    pub fn canonical(&self) -> String {
        let AdamW { lr, weight_decay, beta1, beta2, epsilon } = self.optimizer;
        format!(
            "epochs={} batch={} adamw(lr={lr:e} weight_decay={weight_decay:e} beta1={beta1:e} beta2={beta2:e} \
             epsilon={epsilon:e}) warmup={:e} label_smoothing={:e}",
            self.epochs, self.batch, self.warmup, self.label_smoothing
        )
    }

    /// Checks every value.
    ///
    /// # Errors
    /// E0305 with the found and the allowed values.
    pub fn check(&self) -> Result<(), Diagnostic> {
        let AdamW { lr, weight_decay, beta1, beta2, epsilon } = self.optimizer;
        let below_one = |x: f64| (0.0..1.0).contains(&x);
        let rules = [
            (self.epochs >= 1, "epochs", self.epochs as f64, "at least 1"),
            (self.batch >= 1, "batch", self.batch as f64, "at least 1"),
            (lr > 0.0 && lr.is_finite(), "lr", lr, "positive"),
            (weight_decay >= 0.0 && weight_decay.is_finite(), "weight_decay", weight_decay, "not negative"),
            (below_one(beta1), "beta1", beta1, "in 0..1"),
            (below_one(beta2), "beta2", beta2, "in 0..1"),
            (epsilon > 0.0 && epsilon.is_finite(), "epsilon", epsilon, "positive"),
            (below_one(self.warmup), "warmup", self.warmup, "in 0..1"),
            (below_one(self.label_smoothing), "label_smoothing", self.label_smoothing, "in 0..1"),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            None => Ok(()),
            Some((_, name, found, allowed)) => {
                Err(Diagnostic::error(Code::RANGE, format!("`{name}` is {found}, it must be {allowed}")))
            }
        }
    }
}

/// What an epoch brought, measured on each batch before its step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// Mean loss of a sample.
    pub loss: f64,
    /// Share of the samples whose label has the greatest output.
    pub accuracy: f64,
}

/// All that a training needs to go on, between two epochs.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// Epochs done.
    pub epoch: u64,
    /// Steps done.
    pub step: u64,
    /// `value.NAME` for each parameter, `first.NAME` and `second.NAME` for those that are trained.
    pub tensors: Weights,
}

/// The share of a batch in the running statistics.
const STATISTICS_MOMENTUM: f64 = 0.1;

/// A training that is under way.
#[derive(Debug)]
pub struct Trainer<E: Engine = EmbeddedEngine> {
    engine: E,
    network: Network,
    recipe: Recipe,
    inputs: Vec<f32>,
    labels: Vec<u32>,
    seed: u64,
    params: Vec<Moments<E::Tensor>>,
    epoch: u64,
    step: u64,
}

impl Trainer<EmbeddedEngine> {
    /// Starts a training on the embedded engine: inputs `f32 [N, ...]`, a label for each.
    ///
    /// # Errors
    /// See [`Trainer::with_engine`].
    pub fn new(
        graph: &Graph,
        recipe: Recipe,
        inputs: &Value,
        labels: &[u32],
        seed: u64,
    ) -> Result<Trainer, Diagnostic> {
        Trainer::with_engine(EmbeddedEngine::new(), graph, recipe, (inputs, labels), seed)
    }
}

impl<E: Engine> Trainer<E> {
    /// Starts a training. The graph's output is `[1, classes]`, before softmax.
    ///
    /// # Errors
    /// E0305 for the recipe, E0204 and E0303 for the graph, E0703 and E0705 for the data.
    pub fn with_engine(
        engine: E,
        graph: &Graph,
        recipe: Recipe,
        (inputs, labels): (&Value, &[u32]),
        seed: u64,
    ) -> Result<Trainer<E>, Diagnostic> {
        recipe.check()?;
        let network = Network::new(graph)?;
        let &[classes] = network.output() else {
            let message =
                format!("a classifier's output is [1, classes], got {}", graph.ty(graph.outputs()[0]));
            return Err(Diagnostic::error(Code::SHAPE, message));
        };
        let elements = samples(&network, inputs)?;
        if labels.len() != inputs.shape().0[0] {
            let message = format!("{} labels for {} samples", labels.len(), inputs.shape().0[0]);
            return Err(Diagnostic::error(Code::DATA_LABEL, message));
        }
        if let Some(wrong) = labels.iter().find(|&&label| label as usize >= classes) {
            let message = format!("label {wrong} of a network with {classes} outputs");
            return Err(Diagnostic::error(Code::DATA_LABEL, message));
        }
        let initial = initial_weights(network.params(), seed);
        let moments = |value: &Value| {
            let value = upload(&engine, value);
            let zeros = engine.full(engine.shape(&value), 0.0);
            Moments { value, first: zeros.clone(), second: zeros }
        };
        let params = network.gather(&initial)?.into_iter().map(moments).collect();
        let labels = labels.to_vec();
        Ok(Trainer { engine, network, recipe, inputs: elements, labels, seed, params, epoch: 0, step: 0 })
    }

    /// Whether all epochs of the recipe are done.
    pub fn finished(&self) -> bool {
        self.epoch >= self.recipe.epochs
    }

    /// Epochs done.
    pub fn epochs_done(&self) -> u64 {
        self.epoch
    }

    /// Trains for one epoch.
    ///
    /// # Errors
    /// E0801 when the loss or a parameter is no longer finite.
    pub fn epoch(&mut self) -> Result<EpochReport, Diagnostic> {
        let count = self.labels.len();
        let order = shuffled(count, self.seed, self.epoch);
        let batches = self.batches();
        let (mut loss, mut right) = (0.0, 0);
        for batch in 0..batches {
            let chosen = &order[batch * count / batches..(batch + 1) * count / batches];
            let (batch_loss, batch_right) = self.train_step(chosen)?;
            loss += batch_loss * chosen.len() as f64;
            right += batch_right;
        }
        self.epoch += 1;
        for (param, state) in self.network.params().iter().zip(&self.params) {
            if self.engine.download(&state.value).iter().any(|x| !x.is_finite()) {
                return Err(self.diverged(&format!("parameter `{}`", param.name)));
            }
        }
        Ok(EpochReport { loss: loss / count as f64, accuracy: right as f64 / count as f64 })
    }

    /// Steps in an epoch.
    fn batches(&self) -> usize {
        self.labels.len().div_ceil(self.recipe.batch)
    }

    fn diverged(&self, what: &str) -> Diagnostic {
        Diagnostic::error(Code::DIVERGED, format!("training diverged: {what} is not finite"))
            .note(format!("in epoch {} of {}, step {}", self.epoch, self.recipe.epochs, self.step))
            .help(format!("lower the learning rate, which is {}", self.recipe.optimizer.lr))
    }

    /// One step on these samples; their mean loss and how many were right before it.
    fn train_step(&mut self, chosen: &[usize]) -> Result<(f64, usize), Diagnostic> {
        let size: usize = self.network.input().iter().product();
        let classes = self.network.output()[0];
        let batch: Vec<f32> =
            chosen.iter().flat_map(|&i| &self.inputs[i * size..(i + 1) * size]).copied().collect();
        let labels: Vec<u32> = chosen.iter().map(|&i| self.labels[i]).collect();
        let targets = smoothed_targets(&labels, classes, self.recipe.label_smoothing);
        let engine = &self.engine;
        let mut tape = Tape::new(engine);
        let vars: Vec<Var> = self
            .network
            .params()
            .iter()
            .zip(&self.params)
            .map(|(param, state)| match param.role.is_trained() {
                true => tape.variable(state.value.clone()),
                false => tape.constant(state.value.clone()),
            })
            .collect();
        let x = tape.constant(engine.upload(&batched(chosen.len(), self.network.input()), &batch));
        let mode = Mode::Training { key: key(self.seed, "step", &self.step.to_string()) };
        let (logits, statistics) = self.network.forward(&mut tape, &vars, x, mode);
        let loss = tape.cross_entropy(logits, &engine.upload(&[chosen.len(), classes], &targets));
        let loss_value = f64::from(engine.download(tape.value(loss))[0]);
        if !loss_value.is_finite() {
            return Err(self.diverged("the loss"));
        }
        let right = count_right(&engine.download(tape.value(logits)), classes, &labels);
        let gradients = tape.backward(loss);
        self.optimize(&vars, &gradients);
        self.update_statistics(&statistics);
        self.step += 1;
        Ok((loss_value, right))
    }

    fn optimize(&mut self, vars: &[Var], gradients: &Gradients<E::Tensor>) {
        let steps = self.recipe.epochs.saturating_mul(self.batches() as u64);
        let rate = self.recipe.optimizer.lr * schedule(self.step, steps, self.recipe.warmup);
        for ((param, state), &var) in self.network.params().iter().zip(&mut self.params).zip(vars) {
            if let Some(gradient) = gradients.get(var) {
                let decays = param.role == ParamRole::Weight;
                self.recipe.optimizer.update(&self.engine, state, gradient, (self.step, rate, decays));
            }
        }
    }

    /// Moves the running statistics towards those of the batch; the variance towards the unbiased one.
    ///
    /// Source  arXiv:1502.03167 algorithm 2
    fn update_statistics(&mut self, statistics: &[BatchStatistics<E::Tensor>]) {
        for found in statistics {
            let unbiased = if found.count > 1 { found.count as f64 / (found.count - 1) as f64 } else { 1.0 };
            for (param, batch, scale) in
                [(found.mean_param, &found.mean, 1.0), (found.variance_param, &found.variance, unbiased)]
            {
                let first = (1.0 - STATISTICS_MOMENTUM) as f32;
                let second = (STATISTICS_MOMENTUM * scale) as f32;
                let running = &mut self.params[param].value;
                *running = self.engine.zip(Binary::Combine { first, second }, running, batch);
            }
        }
    }

    fn value(&self, tensor: &E::Tensor) -> Value {
        let shape = Shape(self.engine.shape(tensor).to_vec());
        Value::from_f32(&shape, self.engine.download(tensor)).expect("as many elements as the shape has")
    }

    /// The parameters by name, the running statistics among them.
    pub fn weights(&self) -> Weights {
        let named = self.network.params().iter().zip(&self.params);
        named.map(|(param, state)| (param.name.clone(), self.value(&state.value))).collect()
    }

    /// What [`resume`](Trainer::resume) takes.
    pub fn state(&self) -> State {
        let mut tensors = Weights::new();
        for (param, state) in self.network.params().iter().zip(&self.params) {
            tensors.insert(format!("value.{}", param.name), self.value(&state.value));
            if param.role.is_trained() {
                tensors.insert(format!("first.{}", param.name), self.value(&state.first));
                tensors.insert(format!("second.{}", param.name), self.value(&state.second));
            }
        }
        State { epoch: self.epoch, step: self.step, tensors }
    }

    /// Goes on from a state of a training with the same graph, recipe, data and seed; the result is the same as
    /// without the interruption, bit for bit.
    ///
    /// # Errors
    /// E0802 if the state is of another training; this one is unchanged then.
    pub fn resume(&mut self, state: &State) -> Result<(), Diagnostic> {
        let expected = self.state();
        let alike = |(a, b): ((&String, &Value), (&String, &Value))| {
            a.0 == b.0 && a.1.shape() == b.1.shape() && b.1.dtype() == DType::F32
        };
        let fits = state.tensors.len() == expected.tensors.len()
            && expected.tensors.iter().zip(&state.tensors).all(alike)
            && state.epoch <= self.recipe.epochs
            && Some(state.step) == state.epoch.checked_mul(self.batches() as u64);
        if !fits {
            let message = "the saved state of a training does not belong to this training";
            return Err(Diagnostic::error(Code::STORE, message));
        }
        for (param, moments) in self.network.params().iter().zip(&mut self.params) {
            let load = |prefix: &str, target: &mut E::Tensor| {
                if let Some(value) = state.tensors.get(&format!("{prefix}.{}", param.name)) {
                    *target = upload(&self.engine, value);
                }
            };
            load("value", &mut moments.value);
            load("first", &mut moments.first);
            load("second", &mut moments.second);
        }
        (self.epoch, self.step) = (state.epoch, state.step);
        Ok(())
    }
}

/// Targets `[N, classes]`: a label's class has `1 - smoothing`, and all share `smoothing` equally.
///
/// Source  arXiv:1512.00567 section 7
pub fn smoothed_targets(labels: &[u32], classes: usize, smoothing: f64) -> Vec<f32> {
    let share = smoothing / classes as f64;
    let mut targets = vec![share as f32; labels.len() * classes];
    for (row, &label) in targets.chunks_exact_mut(classes).zip(labels) {
        row[label as usize] = (1.0 - smoothing + share) as f32;
    }
    targets
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
