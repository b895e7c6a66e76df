//! The first stage: the spec's strategy, and where it says `fidelity: halving(...)`, legs of training for the better
//! half of what was trained before.

use crate::diagnostic::{Code, Diagnostic};
use crate::pipeline::compile::{CompileOptions, Environment};
use crate::pipeline::select::messages::with_requirements;
use crate::pipeline::select::{Listed, OutOfTime, run, settings};
use crate::pipeline::strategies;
use crate::pipeline::study::{Point, Start, Study};
use crate::search::{Archive, Entry, Report, SqliteStore, better};

/// All trials of a search before its finalists are trained again.
pub(super) fn search(
    study: &Study<'_>,
    store: &SqliteStore,
    options: &CompileOptions,
    env: &Environment<'_>,
    out_of_time: &OutOfTime<'_>,
) -> Result<Report<Point>, Diagnostic> {
    let search = &study.program.search;
    let share = first_share(study, &search.halving);
    let first = Study { out_of_time: &|| out_of_time(share), ..*study };
    let trials = search.trials;
    let whole = study.program.settings.get("train").and_then(|train| train.integer("epochs"));
    if let (Some(&last), Some(whole)) = (search.halving.last(), whole)
        && last >= whole
    {
        env.progress.note(&format!("`halving` up to {last} epochs cuts nothing off the {whole} of `train`"));
    }
    env.progress.stage(&title(trials, search.halving.first().copied()), trials);
    let settings = settings(study.program, trials, options, env);
    let mut report = run(&mut *strategies::strategy(&first), &first, store, &settings, 0, env)?;
    match report.nothing_trained() {
        Some(diagnostic) if diagnostic.code == Code::DIVERGED => {
            return Err(study.with_divergence(diagnostic));
        }
        Some(diagnostic) => return Err(with_requirements(diagnostic, study, &report)),
        None => {}
    }
    let mut all = report.archive.entries().to_vec();
    let mut group = all.clone();
    for leg in 1..=search.halving.len() {
        let points = going_on(study, &group, leg)?;
        if points.is_empty() || out_of_time(1.0) {
            break;
        }
        group = run_leg(study, store, (points, leg, all.len()), options, env, out_of_time)?;
        all.extend(group.iter().cloned());
    }
    report.archive = Archive::new(all);
    Ok(report)
}

fn title(trials: usize, epochs: Option<u64>) -> String {
    match epochs {
        None => format!("searching: {trials} trials"),
        Some(1) => format!("searching: {trials} trials of an epoch"),
        Some(epochs) => format!("searching: {trials} trials of {epochs} epochs"),
    }
}

/// Of the time of a search, the part of its first leg: so much less in later legs, each of half as many networks.
fn first_share(study: &Study<'_>, halving: &[u64]) -> f64 {
    let Some(&first) = halving.first() else { return 1.0 };
    let whole = study.program.settings.get("train").and_then(|train| train.integer("epochs"));
    let whole = whole.unwrap_or(2 * first).max(first);
    let ends: Vec<u64> = halving.iter().copied().filter(|&end| end < whole).chain([whole]).collect();
    let part = |(leg, pair): (usize, &[u64])| (pair[1] - pair[0]) as f64 * 0.5f64.powi(leg as i32 + 1);
    let later: f64 = ends.windows(2).enumerate().map(part).sum();
    first as f64 / (first as f64 + later)
}

/// The better half, each with the next leg of its training; those that are trained in full already are not among them.
fn going_on(study: &Study<'_>, group: &[Entry<Point>], leg: usize) -> Result<Vec<Point>, Diagnostic> {
    let halving = &study.program.search.halving;
    let violation = |entry: &Entry<Point>| strategies::violation(study.program, entry);
    let places = better(group, &study.objectives(), violation, group.len().div_ceil(2));
    let mut points = Vec::new();
    for place in places {
        let entry = &group[place];
        let whole = study.epochs(&entry.genome.genome)?;
        let end = halving.get(leg).copied().unwrap_or(whole).min(whole);
        let epochs = end.saturating_sub(halving[leg - 1]);
        if epochs > 0 {
            points.push(Point {
                leg,
                epochs: Some(epochs),
                start: Some(Start::of(entry)),
                ..entry.genome.clone()
            });
        }
    }
    Ok(points)
}

/// One leg: its points, its number, and how many trials there were before.
fn run_leg(
    study: &Study<'_>,
    store: &SqliteStore,
    (points, leg, before): (Vec<Point>, usize, usize),
    options: &CompileOptions,
    env: &Environment<'_>,
    out_of_time: &OutOfTime<'_>,
) -> Result<Vec<Entry<Point>>, Diagnostic> {
    let count = points.len();
    let end = study.program.search.halving.get(leg);
    let end = end.map_or("to the end".to_owned(), |end| format!("to {end} epochs"));
    env.progress.stage(&format!("the better {count} go on {end}"), count);
    let study = Study { out_of_time: &|| out_of_time(1.0), proxy: None, ..*study };
    let settings = settings(study.program, count, options, env);
    let report = run(&mut Listed(points.into_iter()), &study, store, &settings, before, env)?;
    Ok(report.archive.entries().to_vec())
}
