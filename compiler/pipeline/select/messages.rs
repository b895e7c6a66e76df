//! What a search says where it comes to nothing, or cannot begin.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::Requirement;
use crate::pipeline::compile::Environment;
use crate::pipeline::figures;
use crate::pipeline::select::pick::{loss, meets};
use crate::pipeline::study::{Point, Study};
use crate::pipeline::task;
use crate::search::{Archive, Report};
use crate::space;

/// E0501 with the requirement of quality that stands in the way.
pub(super) fn infeasible(archive: &Archive<Point>, limits: &[&Requirement]) -> Diagnostic {
    let error = |message: String| {
        Diagnostic::error(Code::INFEASIBLE, message)
            .help("lower the requirement, raise `trials` or `epochs`, or let the space hold larger networks")
    };
    let none_meets =
        |requirement: &&&Requirement| archive.entries().iter().all(|entry| !meets(entry, requirement));
    let Some(requirement) = limits.iter().find(none_meets).or(limits.first()) else {
        return Diagnostic::error(Code::DIVERGED, "all trainings of the finalists diverged")
            .help("lower the learning rate of `train`");
    };
    let metric = requirement.metric;
    let best = archive.entries().iter().map(|entry| loss(entry, metric)).fold(f64::INFINITY, f64::min);
    let best = if metric.is_gain() { -best } else { best };
    let wanted = figures::requirement_text(requirement);
    let message = match best.is_finite() {
        true => {
            format!("no finalist reaches `{wanted}`; the best has {}", figures::measured_text(metric, best))
        }
        false => format!("no finalist reaches `{wanted}`"),
    };
    let message = if none_meets(&requirement) {
        message
    } else {
        "no finalist meets all requirements of quality at once".to_owned()
    };
    requirement.span.into_iter().fold(error(message), |error, span| error.at(span, "required here"))
}

/// Whether the validation part can tell what the spec asks for: a note where candidates are judged by something else,
/// E0704 where a requirement cannot be checked.
pub(super) fn can_be_judged(study: &Study<'_>, env: &Environment<'_>) -> Result<(), Diagnostic> {
    let (task, val) = (&study.data.task, &study.data.splits.val);
    let lacks = match task.output {
        space::Output::Input => "no anomalies beside normal samples",
        space::Output::Classes(_) | space::Output::Values(_) => "samples of one class only",
    };
    for requirement in &study.program.requirements {
        let metric = requirement.metric;
        if metric.is_quality() && !task.is_measurable(metric, val) {
            let word = figures::metric_word(metric);
            let message = format!("`{word}` cannot be measured: the validation part has {lacks}");
            let error = Diagnostic::error(Code::DATA_SPLIT, message);
            let error =
                requirement.span.into_iter().fold(error, |error, span| error.at(span, "required here"));
            let other = figures::metric_word(study.judged());
            return Err(error.help(format!("give the validation part both, or require `{other}` instead")));
        }
    }
    let (wanted, judged) = (task::judged(study.program), study.judged());
    if wanted != judged {
        let [wanted, judged] = [wanted, judged].map(figures::metric_word);
        env.progress.note(&format!(
            "the validation part has {lacks}: networks are compared by `{judged}` and not by `{wanted}`"
        ));
    }
    Ok(())
}

/// The diagnostic for a search whose trials all diverged.
pub(super) fn nothing(report: &Report<Point>) -> Diagnostic {
    let trials = report.archive.entries().len();
    Diagnostic::error(Code::DIVERGED, format!("all {trials} trials diverged"))
        .help("lower the learning rate of `train`")
}

/// E0803 with the requirement that stood in the way most often.
pub(super) fn with_requirements(
    diagnostic: Diagnostic,
    study: &Study<'_>,
    report: &Report<Point>,
) -> Diagnostic {
    let Some((reason, _)) = report.rejections.first() else {
        return diagnostic;
    };
    let blocking = study.program.requirements.iter().find(|requirement| {
        requirement.span.is_some() && reason.starts_with(&figures::requirement_text(requirement))
    });
    match blocking.and_then(|requirement| requirement.span) {
        Some(span) => {
            let mut infeasible = Diagnostic { code: Code::INFEASIBLE, ..diagnostic };
            infeasible.message = "no network of the space that was drawn meets the requirements".to_owned();
            infeasible = infeasible.at(span, "this one stood in the way most often");
            let nearest = study.nearest.lock().ok().and_then(|nearest| nearest.get(reason).copied());
            match (nearest, blocking) {
                (Some(cost), Some(requirement)) => infeasible.note(format!(
                    "the nearest one needs {}",
                    figures::amount_text(requirement.metric, cost)
                )),
                _ => infeasible,
            }
        }
        None => shape_error(study, reason).unwrap_or(diagnostic),
    }
}

/// Points that are drawn to find the place of a shape error again.
const DRAWN: usize = 1000;

/// The shape error, with its place in the spec, that stood in the way most often.
fn shape_error(study: &Study<'_>, reason: &str) -> Option<Diagnostic> {
    let space = &study.program.space;
    let mut rng = ChaCha8Rng::seed_from_u64(study.program.search.seed);
    let mut errors =
        (0..DRAWN).filter_map(|_| space::instantiate(space, &space::sample(space, &mut rng)).err());
    let error = errors.find(|error| error.message == reason)?;
    Some(error.note("no point that was drawn from the space is a network; this error came most often"))
}
