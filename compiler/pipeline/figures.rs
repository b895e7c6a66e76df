//! The figures of candidates: their names, their texts, and what requirements and objectives make of them.

use crate::elaborate::{Metric, Program, Requirement};
use crate::estimate::{Estimate, Limits};
use crate::report;
use crate::search::{Metrics, Objective};
use crate::target::Target;

/// The figure of quality with this name in archives.
pub(super) fn quality_of(name: &str) -> Option<Metric> {
    let all = [Metric::Accuracy, Metric::Error, Metric::F1, Metric::Auc, Metric::Mse];
    all.into_iter().find(|&metric| metric_word(metric) == name)
}

/// The name that a figure has in archives: costs of a target carry its name.
pub(super) fn metric_name(metric: Metric, target: &str) -> String {
    let name = metric_word(metric);
    match metric {
        Metric::Ram | Metric::Flash | Metric::Weights | Metric::Latency | Metric::Energy => {
            format!("{name}@{target}")
        }
        _ => name.to_owned(),
    }
}

/// A figure's name in the language.
pub(super) fn metric_word(metric: Metric) -> &'static str {
    match metric {
        Metric::Accuracy => "accuracy",
        Metric::Ram => "ram",
        Metric::Flash => "flash",
        Metric::Weights => "weights",
        Metric::Latency => "latency",
        Metric::Macs => "macs",
        Metric::Energy => "energy",
        Metric::Error => "error",
        Metric::F1 => "f1",
        Metric::Auc => "auc",
        Metric::Mse => "mse",
        Metric::Params => "params",
    }
}

/// A requirement in base units.
pub(super) fn requirement_text(requirement: &Requirement) -> String {
    let sign = if requirement.metric.is_gain() { ">=" } else { "<=" };
    let limit = amount_text(requirement.metric, requirement.limit);
    format!("{} {sign} {limit}", metric_word(requirement.metric))
}

/// An amount with its unit.
pub(super) fn amount_text(metric: Metric, amount: f64) -> String {
    match metric {
        Metric::Accuracy | Metric::Error | Metric::F1 | Metric::Auc => format!("{} %", amount * 100.0),
        Metric::Ram | Metric::Flash | Metric::Weights => format!("{amount} B"),
        Metric::Latency => format!("{} ms", amount * 1e3),
        Metric::Macs | Metric::Mse | Metric::Params => format!("{amount}"),
        Metric::Energy => format!("{} mJ", amount * 1e3),
    }
}

/// An amount that was measured, with as many digits as tell something.
pub(super) fn measured_text(metric: Metric, amount: f64) -> String {
    if metric.is_quality() {
        report::quality_text(metric_word(metric), amount)
    } else {
        amount_text(metric, amount)
    }
}

/// A cost of an estimate; `None` for quality, and for energy where the power is unknown.
pub(super) fn cost_of(estimate: &Estimate, metric: Metric) -> Option<f64> {
    match metric {
        Metric::Accuracy | Metric::Error | Metric::F1 | Metric::Auc | Metric::Mse | Metric::Params => None,
        Metric::Ram => Some(estimate.ram_bytes as f64),
        Metric::Flash => Some(estimate.flash_bytes as f64),
        Metric::Weights => Some(estimate.weights_bytes as f64),
        Metric::Latency => Some(estimate.latency_seconds),
        Metric::Macs => Some(estimate.macs as f64),
        Metric::Energy => estimate.energy_joules,
    }
}

/// What a target's requirements say of schedules.
pub(super) fn limits(program: &Program, target: &Target) -> Limits {
    let mut limits = Limits::default();
    let is_here = |known: &&Requirement| known.target.as_ref().is_none_or(|name| *name == target.name);
    let counted = program.requirements.iter().filter(|requirement| requirement.accounting.is_none());
    for requirement in counted.filter(is_here) {
        let limit = match requirement.metric {
            Metric::Ram => &mut limits.ram_bytes,
            Metric::Flash => &mut limits.flash_bytes,
            Metric::Weights => &mut limits.weights_bytes,
            Metric::Latency => &mut limits.seconds,
            Metric::Energy => &mut limits.joules,
            _ => continue,
        };
        *limit = limit.min(requirement.limit);
    }
    limits
}

/// The first requirement of a target that an estimate breaks. A target's own memories are requirements too. What is
/// counted in a paper's way is not looked at.
pub(super) fn violated<'a>(
    requirements: &'a [Requirement],
    target: &Target,
    estimate: &Estimate,
) -> Option<&'a Requirement> {
    requirements
        .iter()
        .filter(|requirement| requirement.target.as_ref().is_none_or(|name| *name == target.name))
        .filter(|requirement| requirement.accounting.is_none())
        .find(|requirement| {
            cost_of(estimate, requirement.metric).is_some_and(|cost| cost > requirement.limit)
        })
}

/// Adds the costs of an estimate to the figures of a candidate.
pub(super) fn insert_costs(metrics: &mut Metrics, target: &Target, estimate: &Estimate) {
    for metric in [Metric::Ram, Metric::Flash, Metric::Weights, Metric::Latency, Metric::Macs, Metric::Energy]
    {
        if let Some(cost) = cost_of(estimate, metric) {
            metrics.insert(metric_name(metric, &target.name), cost);
        }
    }
}

/// The spec's objectives as the archive names them; without a target they mean the first one compiled for. Those on
/// targets that are not compiled for are left out.
pub(super) fn objectives(program: &Program, targets: &[&Target]) -> Vec<Objective> {
    let first = targets.first().map_or("", |target| target.name.as_str());
    let compiled = |name: &Option<String>| {
        name.as_ref().is_none_or(|name| targets.iter().any(|known| known.name == *name))
    };
    program
        .objectives
        .iter()
        .filter(|objective| compiled(&objective.target))
        .map(|objective| {
            let name = metric_name(objective.metric, objective.target.as_deref().unwrap_or(first));
            objective_of(objective.metric, name)
        })
        .collect()
}

/// A figure that is to be made great or small, whichever is better, by its name in archives.
pub(super) fn objective_of(metric: Metric, name: String) -> Objective {
    if metric.is_gain() { Objective::maximize(name) } else { Objective::minimize(name) }
}
