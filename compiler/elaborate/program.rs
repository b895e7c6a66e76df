//! What a spec means, checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diagnostic::Diagnostics;
use crate::elaborate::schema::{Later, Settings};
use crate::elaborate::searching::SearchSpec;
use crate::source::Span;
use crate::space::{Genome, Output, Scope, Space};
use crate::target::Target;

/// The rule by which weights follow gradients, with what it has of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerSpec {
    /// `adamw(lr: 4e-3, decay: 0.02)`
    Adamw,
    /// `sgd(lr: 0.05, momentum: 0.9, nesterov: true, decay: 5e-5)`
    Sgd {
        /// Share of the velocity that is kept, in [0, 1).
        momentum: f64,
        /// Whether the velocity is taken ahead of the step.
        nesterov: bool,
    },
}

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateSpec {
    /// `cosine`: it falls to 0.
    Cosine,
    /// `step(every: 30 epochs, factor: 0.1)`
    Step {
        /// Epochs from one fall to the next, at least 1.
        every: u64,
        /// What the rate is multiplied by, in (0, 1].
        factor: f64,
    },
    /// `constant`: it stays.
    Constant,
}

/// What training makes small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossSpec {
    /// `cross_entropy`, of classes.
    CrossEntropy,
    /// `mse`: mean squared error.
    Mse,
    /// `bce`: binary cross entropy, of classes or numbers from 0 to 1.
    Bce,
}

/// The `train` section at one point of the space: `train { optimizer: adamw(lr: 4e-3, decay: 0.02), epochs: 60,
/// batch: 32, warmup: 5 %, smoothing: 0.05, schedule: cosine, clip: 1.0, mixup: 0.3 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSpec {
    /// The rule.
    pub optimizer: OptimizerSpec,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Weight decay: decoupled with AdamW, a share of the weight beside its gradient with SGD.
    pub weight_decay: f64,
    /// How the rate goes on after the warm-up.
    pub schedule: RateSpec,
    /// Passes over the training data, at least 1.
    pub epochs: usize,
    /// Samples for one step, at least 1.
    pub batch: usize,
    /// Share of the steps in which the rate rises from 0.
    pub warmup: f64,
    /// What is made small.
    pub loss: LossSpec,
    /// Label smoothing, in [0, 1).
    pub label_smoothing: f64,
    /// Greatest norm of the gradient of one step.
    pub clip: Option<f64>,
    /// Parameter of the beta distribution by which pairs of samples are mixed.
    pub mixup: Option<f64>,
    /// Keys that this version only checks.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub other: Settings,
}

/// The `quantize` section at one point of the space: `quantize { weights: i8, activations: i8, calibrate: 200 samples
/// }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantizeSpec {
    /// Training samples that the ranges of activations are taken from, at least 1.
    pub calibration_samples: usize,
    /// Keys that this version only checks.
    #[serde(default, skip_serializing_if = "Settings::is_empty")]
    pub other: Settings,
}

/// What is measured of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of right answers, 0 to 1.
    Accuracy,
    /// `ram_bytes`.
    Ram,
    /// `flash_bytes`.
    Flash,
    /// Bytes of weights and tables.
    Weights,
    /// Seconds for one inference.
    Latency,
    /// Multiply-accumulates.
    Macs,
    /// Joules for one inference.
    Energy,
    /// Share of wrong answers, 0 to 1.
    Error,
    /// Mean over the classes of the harmonic mean of precision and recall, 0 to 1.
    F1,
    /// Area under the curve of true over false alarms, 0 to 1.
    Auc,
    /// Mean squared error.
    Mse,
    /// Numbers that are learned.
    Params,
}

impl Metric {
    /// Whether more is better, and a limit holds from below.
    pub fn is_gain(self) -> bool {
        matches!(self, Metric::Accuracy | Metric::F1 | Metric::Auc)
    }

    /// Whether it is measured on data, and not a cost of the network.
    pub fn is_quality(self) -> bool {
        self.is_gain() || matches!(self, Metric::Error | Metric::Mse)
    }
}

/// A paper's way of counting memory, for comparison with its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accounting {
    /// Of RAM: greatest sum of live activations, without the network's input. Of weights: a byte for each constant.
    /// Source  µNAS, arXiv:2010.14246
    Munas,
    /// Of RAM: greatest sum of a layer's weights that are not 0 and its input. Source  SpArSe, arXiv:1905.12107
    SparseWm1,
    /// Of RAM: greatest sum of a layer's input and output. Source  SpArSe, arXiv:1905.12107
    SparseWm2,
    /// Of RAM: greatest sum of a node's inputs and outputs. Source  MicroNets, arXiv:2010.11267
    Inout,
    /// Of weights: a byte for each one that is not 0, nothing for their places. Source  SpArSe, arXiv:1905.12107
    Sparse,
}

/// A hard limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// What is limited: costs from above, accuracy from below.
    pub metric: Metric,
    /// `ram(munas)`: how it is counted, if not as nasc does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounting: Option<Accounting>,
    /// Bytes, seconds, MACs, joules or a share.
    pub limit: f64,
    /// The target it holds for; all if `None`.
    pub target: Option<String>,
    /// Where it is written.
    #[serde(skip)]
    pub span: Option<Span>,
}

/// A soft limit of a scalarisation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preference {
    /// The limit, which normalises.
    pub limit: Requirement,
    /// Its weight, greater than 0.
    pub weight: f64,
}

/// Something to maximize or minimize; accuracy is maximized, all else minimized.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Objective {
    /// What.
    pub metric: Metric,
    /// How it is counted, if not as nasc does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounting: Option<Accounting>,
    /// On which target; the one compiled for if `None`.
    pub target: Option<String>,
}

/// A checked spec.
#[derive(Clone, Debug)]
pub struct Program {
    /// The model's name: a C identifier, and the default name of the bundle.
    pub name: String,
    /// The search space.
    pub space: Space,
    /// Every section that is there, by name, decisions not yet made; `quantize` always.
    pub settings: BTreeMap<String, Settings>,
    /// The phases in order, each with its name.
    pub phases: Vec<(String, Settings)>,
    /// What the spec says and this version only checks.
    pub later: Vec<Later>,
    /// Section `search`.
    pub search: SearchSpec,
    /// Sections `require`.
    pub requirements: Vec<Requirement>,
    /// Sections `prefer`.
    pub preferences: Vec<Preference>,
    /// `maximize` and `minimize` in order; never empty, the first decides the pick.
    pub objectives: Vec<Objective>,
    /// Targets: those of the standard library, with the spec's overrides and additions, by name.
    pub targets: BTreeMap<String, Target>,
    /// Targets that the spec itself names, in order: what is compiled for without `--target`.
    pub named_targets: Vec<String>,
    /// Canonical text of each section (`space`, `data`, `train`, `quantize`, `objectives`, `search`, `requirements`,
    /// `targets`): comments, spacing, names of `let`s that do not matter and the order of sections do not show.
    /// Their hashes are in the lock.
    pub sections: BTreeMap<String, String>,
}

impl Program {
    /// The section `data` at one point of the space.
    ///
    /// # Errors
    /// As [`Program::train_for`].
    pub fn data_for(&self, genome: &Genome) -> Result<Settings, String> {
        self.resolved("data", genome)
    }

    /// The recipe of one point of the space.
    ///
    /// # Errors
    /// When a value that is computed from decisions does not come out: overflow, or a division that is not exact.
    pub fn train_for(&self, genome: &Genome) -> Result<TrainSpec, String> {
        let spec = TrainSpec::of(&self.resolved("train", genome)?);
        spec.ok_or_else(|| "a value of `train` is not of the kind that it needs".to_owned())
    }

    /// What training makes small, which is the same at every point.
    pub fn loss(&self) -> LossSpec {
        let loss = self.settings.get("train").and_then(LossSpec::of);
        loss.unwrap_or(match self.space.output {
            Output::Classes(_) => LossSpec::CrossEntropy,
            Output::Values(_) | Output::Input => LossSpec::Mse,
        })
    }

    /// How one point of the space is quantized.
    ///
    /// # Errors
    /// As [`Program::train_for`].
    pub fn quantize_for(&self, genome: &Genome) -> Result<QuantizeSpec, String> {
        let spec = QuantizeSpec::of(&self.resolved("quantize", genome)?);
        spec.ok_or_else(|| "a value of `quantize` is not of the kind that it needs".to_owned())
    }

    /// A section at one point of the space; empty if the spec has none.
    ///
    /// # Errors
    /// As [`Program::train_for`].
    pub fn resolved(&self, section: &str, genome: &Genome) -> Result<Settings, String> {
        let Some(settings) = self.settings.get(section) else { return Ok(Settings::default()) };
        let outer = Scope::empty();
        let scope = Scope::within(&outer, self.space.region(self.space.root()), &genome.root);
        settings.resolved(&scope)
    }

    /// The program as text: the space and every section with its defaults, in a fixed order. Names, comments and the
    /// order of sections and keys in the spec do not show, and neither do targets that the spec does not name.
    pub fn text(&self) -> String {
        let mut out = format!("program {}\n", self.name);
        for (section, text) in self.sections.iter().filter(|(section, _)| *section != "targets") {
            out.push_str(&format!("\n== {section}\n{}\n", text.trim_end()));
        }
        if !self.named_targets.is_empty() {
            out.push_str(&format!("\n== targets\n{}\n", self.named_targets.join("\n")));
        }
        out
    }

    /// E0806 for everything that the spec says and this version only checks: what commands that train or compile
    /// answer. Empty if they can go on.
    pub fn refusals(&self) -> Diagnostics {
        Diagnostics(self.later.iter().map(Later::refusal).collect())
    }
}
