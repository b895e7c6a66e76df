//! How a network was found: the front, the trials, the finalists.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the network was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SearchReport {
    /// The strategy's name.
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

/// Spearman's rank correlation of pairs; equal values share the mean of their ranks. `None` of fewer than three pairs,
/// and where one side has one value only.
///
/// Source  C. Spearman, "The Proof and Measurement of Association between Two Things", Am. J. Psychology 15, 1904
pub fn rank_correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    if pairs.len() < 3 || pairs.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return None;
    }
    let ranks = |of: fn(&(f64, f64)) -> f64| -> Vec<f64> {
        let values: Vec<f64> = pairs.iter().map(of).collect();
        let rank = |x: f64| {
            let below = values.iter().filter(|&&other| other < x).count();
            let equal = values.iter().filter(|&&other| other == x).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        values.iter().map(|&x| rank(x)).collect()
    };
    let (xs, ys) = (ranks(|pair| pair.0), ranks(|pair| pair.1));
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>()
    };
    let scale = (product(&xs, &xs) * product(&ys, &ys)).sqrt();
    (scale > 0.0).then(|| product(&xs, &ys) / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_correlate_as_published() {
        // Hours of television and IQ of ten persons, the common example: -29/165.
        let iq = [86.0, 97.0, 99.0, 100.0, 101.0, 103.0, 106.0, 110.0, 112.0, 113.0];
        let hours = [0.0, 20.0, 28.0, 27.0, 50.0, 29.0, 7.0, 17.0, 6.0, 12.0];
        let pairs: Vec<(f64, f64)> = iq.into_iter().zip(hours).collect();
        let found = rank_correlation(&pairs).expect("ten pairs");
        assert!((found + 29.0 / 165.0).abs() < 1e-12, "{found}");
        assert_eq!(rank_correlation(&[(1.0, 2.0), (2.0, 4.0), (3.0, 9.0)]), Some(1.0));
        assert_eq!(rank_correlation(&[(1.0, 2.0), (1.0, 4.0), (1.0, 9.0)]), None);
        assert_eq!(rank_correlation(&pairs[..2]), None);
    }
}
