//! The pick: the feasible finalist that is best on retrained validation quality.

use crate::diagnostic::Diagnostic;
use crate::elaborate::{Metric, Requirement};
use crate::pipeline::figures;
use crate::pipeline::quality::metrics_of;
use crate::pipeline::select::messages::infeasible;
use crate::pipeline::select::race::Retrained;
use crate::pipeline::study::{Point, Study};
use crate::search::{self, Archive, Entry};

/// A finalist with its retrained figures.
pub(super) struct Pick {
    pub(super) finalist: Entry<Point>,
    /// The training whose weights are taken.
    pub(super) training: Entry<Point>,
    pub(super) validation: f64,
}

/// A figure of an entry turned so that smaller is better; what is missing is worst.
pub(super) fn loss(entry: &Entry<Point>, metric: Metric) -> f64 {
    let value = entry.metrics.get(figures::metric_word(metric)).copied().filter(|value| !value.is_nan());
    value.map_or(f64::INFINITY, |value| if metric.is_gain() { -value } else { value })
}

/// A finalist whose figures of quality are the means of its trainings'.
fn with_means(finalist: &Entry<Point>, trainings: &[Entry<Point>], metrics: &[Metric]) -> Entry<Point> {
    let mut mean = finalist.clone();
    for &metric in metrics {
        let name = figures::metric_word(metric);
        let values: Vec<f64> =
            trainings.iter().filter_map(|training| training.metrics.get(name).copied()).collect();
        if values.len() == trainings.len() {
            mean.metrics.insert(name.to_owned(), values.iter().sum::<f64>() / values.len() as f64);
        }
    }
    mean
}

pub(super) fn meets(entry: &Entry<Point>, requirement: &Requirement) -> bool {
    let limit = if requirement.metric.is_gain() { -requirement.limit } else { requirement.limit };
    loss(entry, requirement.metric) <= limit
}

/// The feasible finalist that is best on retrained validation quality, ties by the next objectives; of its trainings,
/// the best.
pub(super) fn pick(
    study: &Study<'_>,
    objectives: &[search::Objective],
    finalists: &[Retrained],
) -> Result<Pick, Diagnostic> {
    let (program, judged) = (study.program, study.judged());
    let mut picks = Vec::new();
    let mut means = Vec::new();
    // Who was clearly behind has no mean of all rounds.
    for Retrained { finalist, trainings, .. } in finalists.iter().filter(|one| one.dropped_after.is_none()) {
        let best = trainings.iter().min_by(|a, b| loss(a, judged).total_cmp(&loss(b, judged)));
        let Some(best) = best else { continue };
        let mean = with_means(finalist, trainings, metrics_of(program.space.output));
        let validation = mean.metrics.get(figures::metric_word(judged)).copied();
        // A training that diverged has no quality.
        let Some(validation) = validation else { continue };
        picks.push(Pick { finalist: finalist.clone(), training: best.clone(), validation });
        means.push(mean);
    }
    let limits: Vec<&Requirement> =
        program.requirements.iter().filter(|requirement| requirement.metric.is_quality()).collect();
    let archive = Archive::new(means);
    let fits = |entry: &Entry<Point>| limits.iter().all(|requirement| meets(entry, requirement));
    let best = archive.pick(objectives, fits).map(|entry| entry.trial);
    let found = picks.into_iter().find(|pick| Some(pick.finalist.trial) == best);
    found.ok_or_else(|| infeasible(&archive, &limits))
}
