//! Finalists, which are trained again from the start, in rounds.

use crate::diagnostic::Diagnostic;
use crate::elaborate::Metric;
use crate::pipeline::compile::{CompileOptions, Environment};
use crate::pipeline::select::pick::loss;
use crate::pipeline::select::{Listed, run, settings};
use crate::pipeline::study::{Point, Study};
use crate::search::{self, Archive, Entry, Racer, SqliteStore, survivors};

/// A finalist with its trainings.
pub(super) struct Retrained {
    /// As the search found it.
    pub(super) finalist: Entry<Point>,
    /// By replicate.
    pub(super) trainings: Vec<Entry<Point>>,
    /// The round after which it was clearly behind, if it was.
    pub(super) dropped_after: Option<usize>,
}

/// The best networks of a search by the objectives: of those that were trained longest, as far as there are.
pub(super) fn finalists(
    archive: &Archive<Point>,
    objectives: &[search::Objective],
    count: usize,
) -> Vec<Entry<Point>> {
    let mut chosen: Vec<Entry<Point>> = Vec::new();
    let mut legs: Vec<usize> = archive.entries().iter().map(|entry| entry.genome.leg).collect();
    legs.sort_unstable();
    legs.dedup();
    for leg in legs.into_iter().rev() {
        while chosen.len() < count {
            let is_left = |entry: &Entry<Point>| {
                let is_other = |other: &Entry<Point>| other.genome.text != entry.genome.text;
                entry.genome.leg == leg && chosen.iter().all(is_other)
            };
            match archive.pick(objectives, is_left) {
                Some(entry) => chosen.push(entry.clone()),
                None => break,
            }
        }
    }
    chosen
}

/// Trains the finalists again from the start with other seeds. After each round those that are clearly behind the best
/// train no more.
pub(super) fn race(
    study: &Study<'_>,
    store: &SqliteStore,
    finalists: Vec<Entry<Point>>,
    options: &CompileOptions,
    env: &Environment<'_>,
) -> Result<Vec<Retrained>, Diagnostic> {
    let rounds = study.program.search.replicates;
    let new = |finalist| Retrained { finalist, trainings: Vec::new(), dropped_after: None };
    let mut all: Vec<Retrained> = finalists.into_iter().map(new).collect();
    // A time budget cuts the search, never the retraining.
    let study = Study { out_of_time: &|| false, until: None, proxy: None, ..*study };
    let mut first = 0;
    for round in 1..=rounds {
        let replicate = round as u32;
        let running = || all.iter().filter(|one| one.dropped_after.is_none());
        let again = |one: &Retrained| Point { replicate, ..study.whole(&one.finalist.genome) };
        let points: Vec<Point> = running().map(again).collect();
        env.progress.stage(&title(points.len(), (round, rounds)), points.len());
        let settings = settings(study.program, points.len(), options, env);
        let report = run(&mut Listed(points.into_iter()), &study, store, &settings, first, env)?;
        first += report.archive.entries().len();
        for entry in report.archive.entries() {
            let finalist = all.iter_mut().find(|one| one.finalist.genome.text == entry.genome.text);
            finalist.into_iter().for_each(|one| one.trainings.push(entry.clone()));
        }
        if round < rounds {
            drop_behind(&study, &mut all, round, env);
        }
    }
    Ok(all)
}

/// What a round does, for who waits.
fn title(count: usize, (round, rounds): (usize, usize)) -> String {
    let best = if count == 1 { "the best".to_owned() } else { format!("the best {count}") };
    if rounds == 1 {
        format!("retraining {best}")
    } else {
        format!("retraining {best}, round {round} of {rounds}")
    }
}

/// Marks those that train no more.
fn drop_behind(study: &Study<'_>, all: &mut [Retrained], round: usize, env: &Environment<'_>) {
    let judged = study.judged();
    let samples = study.data.splits.val.len().max(1) as f64;
    let racer = |one: &Retrained| {
        let losses: Vec<f64> = one.trainings.iter().map(|training| loss(training, judged)).collect();
        let mean = losses.iter().sum::<f64>().abs() / losses.len().max(1) as f64;
        // A share's; of other figures it is not known.
        let sampling = if judged == Metric::Mse { 0.0 } else { (mean * (1.0 - mean)).max(0.0) / samples };
        Racer { losses, sampling: if sampling.is_finite() { sampling } else { 0.0 } }
    };
    let running: Vec<usize> = (0..all.len()).filter(|&at| all[at].dropped_after.is_none()).collect();
    let racers: Vec<Racer> = running.iter().map(|&at| racer(&all[at])).collect();
    let mut dropped = 0;
    for (at, goes_on) in running.into_iter().zip(survivors(&racers)) {
        if !goes_on {
            all[at].dropped_after = Some(round);
            dropped += 1;
        }
    }
    match dropped {
        0 => {}
        1 => env.progress.note("one finalist is clearly behind and trains no more"),
        _ => env.progress.note(&format!("{dropped} finalists are clearly behind and train no more")),
    }
}
