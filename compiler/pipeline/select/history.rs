//! What of a search the lock keeps for reports: its trials, and the finalists.

use crate::elaborate::Metric;
use crate::pipeline::figures::metric_word;
use crate::pipeline::select::race::Retrained;
use crate::pipeline::study::Point;
use crate::report::{Finalist, TrialFigures};
use crate::search::{Archive, Entry, Objective, mean_interval, rank_correlation};

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
        let mean = (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)?;
        // Two tell next to nothing.
        let ci95 = mean_interval(&values).filter(|_| values.len() > 2);
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

/// How far the search's order of the finalists is that of their means; `None` of fewer than three, which tell nothing.
pub(super) fn correlation(finalists: &[Finalist]) -> Option<f64> {
    let side = |of: fn(&Finalist) -> f64| finalists.iter().map(of).collect::<Vec<f64>>();
    let found = rank_correlation(&side(|one| one.search), &side(|one| one.mean));
    found.filter(|_| finalists.len() > 2)
}
