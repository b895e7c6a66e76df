//! How a network was found: the front, the trials, the finalists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the network was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The strategy, and what else decides who is trained.
    pub strategy: String,
    /// Networks trained.
    pub trials: usize,
    /// The best compromises, by the spec's objectives.
    pub front: Vec<FrontPoint>,
    /// The figure of quality that trials are judged by, on the validation part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<String>,
    /// Figures that the spec makes better, the most important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<String>,
    /// The trial whose network was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pick: Option<usize>,
    /// The trials in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<TrialFigures>,
    /// The trials that were trained again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finalists: Vec<Finalist>,
    /// Spearman's rank correlation of the finalists' figures in the search and retrained: near 1 where the search's
    /// order can be trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_correlation: Option<f64>,
    /// Candidates that were rejected before training, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, u64>,
}

/// A network that no other beats in everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FrontPoint {
    /// Number of its trial.
    pub trial: usize,
    /// Its genome.
    pub genome: serde_json::Value,
    /// Its figures by name.
    pub metrics: BTreeMap<String, f64>,
}

/// What is kept of every trial.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrialFigures {
    /// Its number.
    pub trial: usize,
    /// How often its training went on before: trials of a search by halving have several legs.
    #[serde(default, skip_serializing_if = "is_first")]
    pub leg: usize,
    /// What it is judged by; `None` where the training diverged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<f64>,
    /// Objectives and costs by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, f64>,
}

impl SearchReport {
    /// Whether there was no search.
    pub fn is_none(&self) -> bool {
        *self == SearchReport::default()
    }
}

fn is_first(leg: &usize) -> bool {
    *leg == 0
}

/// A trial that was trained again, with other seeds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Finalist {
    /// Number of its trial.
    pub trial: usize,
    /// What it was judged by in the search.
    pub search: f64,
    /// The same of each training after it.
    pub retrained: Vec<f64>,
    /// Mean of these.
    pub mean: f64,
    /// Interval of 95 % for the mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci95: Option<[f64; 2]>,
    /// Trainings after which it was given up, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dropped_after: Option<usize>,
}

/// Whether more of a figure of quality is better.
pub(super) fn is_gain(metric: &str) -> bool {
    matches!(metric, "accuracy" | "f1" | "auc" | "recall" | "r2")
}
