//! What of a search the lock keeps for reports: its trials, and the finalists.

use crate::elaborate::Metric;
use crate::pipeline::figures::metric_word;
use crate::pipeline::select::race::Retrained;
use crate::pipeline::study::Point;
use crate::report::{self, Finalist, TrialFigures};
use crate::search::{Archive, Entry, Objective};

/// Costs that are kept besides the objectives; those of a target are named after it.
const COSTS: [Metric; 4] = [Metric::Ram, Metric::Flash, Metric::Latency, Metric::Macs];

/// The figure that an entry is judged by; JSON has finite ones only.
fn judged_by(entry: &Entry<Point>, judged: Metric) -> Option<f64> {
    entry.metrics.get(metric_word(judged)).copied().filter(|value| value.is_finite())
}

/// The trials in order, each with what it is judged by, the objectives and the costs that people compare by.
pub(super) fn trials(
    archive: &Archive<Point>,
    judged: Metric,
    objectives: &[Objective],
) -> Vec<TrialFigures> {
    let is_kept = |name: &str| {
        let word = name.split('@').next().unwrap_or(name);
        name != metric_word(judged)
            && (objectives.iter().any(|objective| objective.metric == name)
                || COSTS.iter().any(|&cost| metric_word(cost) == word))
    };
    let figures = archive.entries().iter().map(|entry| {
        let metrics = entry.metrics.iter().filter(|(name, value)| is_kept(name) && value.is_finite());
        TrialFigures {
            trial: entry.trial,
            leg: entry.genome.leg,
            quality: judged_by(entry, judged),
            metrics: metrics.map(|(name, value)| (name.clone(), *value)).collect(),
        }
    });
    figures.collect()
}

/// The finalists with each of their trainings; one that diverged has no figure.
pub(super) fn finalists(retrained: &[Retrained], judged: Metric) -> Vec<Finalist> {
    let finalist = |one: &Retrained| {
        let values: Vec<f64> =
            one.trainings.iter().filter_map(|training| judged_by(training, judged)).collect();
        let (mean, ci95) = mean_and_interval(&values)?;
        // A share is none beyond its ends.
        let within = |end: f64| if judged == Metric::Mse { end.max(0.0) } else { end.clamp(0.0, 1.0) };
        Some(Finalist {
            trial: one.finalist.trial,
            search: judged_by(&one.finalist, judged)?,
            retrained: values,
            mean,
            ci95: ci95.map(|ends| ends.map(within)),
            dropped_after: one.dropped_after,
        })
    };
    retrained.iter().filter_map(finalist).collect()
}

/// How far the search's order of the finalists is that of their means.
pub(super) fn correlation(finalists: &[Finalist]) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = finalists.iter().map(|one| (one.search, one.mean)).collect();
    report::rank_correlation(&pairs)
}

/// Quantiles of 97.5 % of Student's distribution with 1, 2, ... degrees of freedom.
///
/// Source  any table, such as NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2
const STUDENT: [f64; 9] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/// The mean, and from three values on its interval of 95 %: two tell next to nothing. `None` of no values.
fn mean_and_interval(values: &[f64]) -> Option<(f64, Option<[f64; 2]>)> {
    let count = values.len();
    let mean = values.iter().sum::<f64>() / count as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let interval = (count > 2).then(|| {
        let quantile = STUDENT.get(count - 2).copied().unwrap_or(2.262);
        let half = quantile * (squares / (count - 1) as f64 / count as f64).sqrt();
        [mean - half, mean + half]
    });
    (count > 0).then_some((mean, interval))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_those_of_student() {
        // Of 1, 2, 3, 4, 5: mean 3, deviation 1.5811, half width 2.776 * 1.5811 / sqrt(5) = 1.963.
        let (mean, interval) = mean_and_interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).expect("values");
        let [low, high] = interval.expect("enough of them");
        assert!(mean == 3.0 && (low - 1.037).abs() < 1e-3 && (high - 4.963).abs() < 1e-3, "{low} {high}");
        assert_eq!(mean_and_interval(&[1.0, 2.0]), Some((1.5, None)));
        assert_eq!(mean_and_interval(&[]), None);
    }
}
