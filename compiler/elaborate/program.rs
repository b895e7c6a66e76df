//! What a spec means, checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::source::Span;
use crate::space::Space;
use crate::target::Target;

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// `ts(train: "a.ts", test: "b.ts")`: time series in text files; paths relative to the spec or to `--data`.
    Ts {
        /// File to learn from.
        train: String,
        /// File to test on.
        test: String,
    },
}

/// The `data` section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataSpec {
    /// `source:`
    pub source: Source,
    /// `split: holdout(val: 20 %)`: share of the training file that is cut off for validation, in (0, 1).
    pub validation_share: f64,
    /// `normalize: standardize` (mean 0, deviation 1 for each channel of the training part) or `none`.
    pub standardize: bool,
}

/// The `train` section: `train { optimizer: adamw(lr: 4e-3, decay: 0.02), epochs: 60, batch: 32, warmup: 5 %,
/// smoothing: 0.05 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainSpec {
    /// Peak learning rate; it decays to 0 by a cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Passes over the training data, at least 1.
    pub epochs: usize,
    /// Samples for one step, at least 1.
    pub batch: usize,
    /// Share of the steps in which the rate rises from 0.
    pub warmup: f64,
    /// Label smoothing, in [0, 1).
    pub label_smoothing: f64,
}

/// The `quantize` section: `quantize { weights: i8, activations: i8, calibrate: 200 samples }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantizeSpec {
    /// Training samples that the ranges of activations are taken from, at least 1.
    pub calibration_samples: usize,
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
}

/// A hard limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requirement {
    /// What is limited: costs from above, accuracy from below.
    pub metric: Metric,
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
    /// On which target; the one compiled for if `None`.
    pub target: Option<String>,
}

/// How to choose networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// `random`: independent draws.
    Random,
}

/// The `search` section: `search { strategy: random, trials: 12, finalists: 3, window: 4, seed: 7 }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchSpec {
    /// How.
    pub strategy: Strategy,
    /// Networks to train, at least 1.
    pub trials: usize,
    /// Best networks to train again with other seeds, at least 1 and at most `trials`.
    pub finalists: usize,
    /// Trainings of each finalist, at least 1 (`replicates`, default 1).
    pub replicates: usize,
    /// At most this many trials are in flight; trial `i` sees the results up to `i - window`.
    pub window: usize,
    /// Everything random follows from it.
    pub seed: u64,
}

/// A checked spec.
#[derive(Clone, Debug)]
pub struct Program {
    /// The model's name: a C identifier, and the default name of the bundle.
    pub name: String,
    /// The search space.
    pub space: Space,
    /// Section `data`.
    pub data: DataSpec,
    /// Section `train`.
    pub train: TrainSpec,
    /// Section `quantize`.
    pub quantize: QuantizeSpec,
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
