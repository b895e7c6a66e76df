//! The area under the curve of true over false alarms, of scores.

use super::{Figure, Intervals, bootstrap};

/// The chance that a positive sample has a greater score than a negative one, ties counting half: the area under the
/// curve of true over false alarms, exactly, in the time of sorting. `None` unless there are both.
///
/// Source  Hanley and McNeil, The meaning and use of the area under a receiver operating characteristic (ROC) curve,
/// Radiology 143 (1982): it is Wilcoxon's rank statistic
pub fn area(scores: &[(f64, bool)]) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    // Twice the number of pairs in the right order, ties as one.
    let (mut twice, mut negatives, mut positives) = (0u128, 0u128, 0u128);
    for equal in sorted.chunk_by(|a, b| a.0 == b.0) {
        let above = equal.iter().filter(|score| score.1).count() as u128;
        let below = equal.len() as u128 - above;
        twice += above * (2 * negatives + below);
        negatives += below;
        positives += above;
    }
    let pairs = 2 * positives * negatives;
    (pairs > 0).then(|| twice as f64 / pairs as f64)
}

/// The interval of 95 % of an area that so many positive and negative samples gave, by the standard error for scores
/// that follow exponential distributions.
///
/// Source  Hanley and McNeil, Radiology 143 (1982), equations 1 and 2
pub fn hanley_mcneil(area: f64, positives: usize, negatives: usize) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    if positives == 0 || negatives == 0 {
        return [0.0, 1.0];
    }
    let (p, n) = (positives as f64, negatives as f64);
    let (two_positives, two_negatives) = (area / (2.0 - area), 2.0 * area * area / (1.0 + area));
    let square = area * area;
    let variance = (area * (1.0 - area)
        + (p - 1.0) * (two_positives - square)
        + (n - 1.0) * (two_negatives - square))
        / (p * n);
    let spread = Z * variance.max(0.0).sqrt();
    [(area - spread).max(0.0), (area + spread).min(1.0)]
}

/// A score of each sample, and whether the sample is positive: an alarm is right.
#[derive(Clone, Debug, Default)]
pub(crate) struct Curve(Vec<(f64, bool)>);

impl Curve {
    /// Adds a sample.
    pub(super) fn add(&mut self, score: f64, is_positive: bool) {
        self.0.push((score, is_positive));
    }

    /// Samples.
    pub(super) fn samples(&self) -> usize {
        self.0.len()
    }

    /// The area, if there are positive and negative samples.
    pub(super) fn figure(&self, intervals: Intervals) -> Option<Figure> {
        let value = area(&self.0)?;
        let positives = self.0.iter().filter(|score| score.1).count();
        let ci95 = (intervals == Intervals::Made)
            .then(|| hanley_mcneil(value, positives, self.0.len() - positives));
        Some(Figure { value, ci95 })
    }

    /// The mean score of negative samples.
    pub(super) fn normal_mean(&self, intervals: Intervals) -> Option<Figure> {
        let normal: Vec<f64> = self.0.iter().filter(|score| !score.1).map(|score| score.0).collect();
        mean_figure(&normal, intervals)
    }
}

/// The mean of values, if there are any.
pub(super) fn mean_figure(values: &[f64], intervals: Intervals) -> Option<Figure> {
    let count = values.len() as f64;
    let mean = |places: &[u32]| places.iter().map(|&place| values[place as usize]).sum::<f64>() / count;
    let ci95 = match intervals {
        Intervals::Made => bootstrap::interval(values.len(), mean),
        Intervals::Omitted => None,
    };
    (!values.is_empty()).then(|| Figure { value: values.iter().sum::<f64>() / count, ci95 })
}
