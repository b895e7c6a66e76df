//! What is wanted of a network: `require`, `prefer`, `maximize` and `minimize`.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::{Context, Limits, number};
use crate::elaborate::scope::{twice, unknown};
use crate::elaborate::units::Dimension;
use crate::elaborate::{Metric, Objective, Preference, Requirement};
use crate::source::Span;
use crate::syntax::ast::{self, Compare, ExprKind};
use crate::syntax::print_expr;
use crate::target::Target;

const METRICS: [(&str, Metric); 7] = [
    ("accuracy", Metric::Accuracy),
    ("ram", Metric::Ram),
    ("flash", Metric::Flash),
    ("weights", Metric::Weights),
    ("latency", Metric::Latency),
    ("macs", Metric::Macs),
    ("energy", Metric::Energy),
];

fn metric(name: &str, span: Span, context: &mut Context<'_>) -> Option<Metric> {
    let found = METRICS.iter().find(|known| known.0 == name).map(|known| known.1);
    if found.is_none() {
        context.out.push(unknown("metric", name, span, METRICS.iter().map(|known| known.0)));
    }
    found
}

/// The metrics: name, which way is better, what a limit is; for the reference.
pub(super) fn table() -> Vec<(&'static str, &'static str, &'static str)> {
    let better = |metric| if metric == Metric::Accuracy { "more" } else { "less" };
    METRICS.iter().map(|(name, metric)| (*name, better(*metric), limits(*metric).dimension.what())).collect()
}

fn limits(metric: Metric) -> Limits {
    let dimension = match metric {
        Metric::Accuracy => {
            return Limits { dimension: Dimension::Share, low: 0.0, high: 1.0, example: "90 %" };
        }
        Metric::Ram | Metric::Flash | Metric::Weights => Dimension::Bytes,
        Metric::Latency => Dimension::Time,
        Metric::Macs => Dimension::Plain,
        Metric::Energy => Dimension::Energy,
    };
    Limits { dimension, low: f64::MIN_POSITIVE, high: 1e18, example: "" }
}

/// The clauses of all sections of one kind, each with its weight where it has one. A clause on several targets
/// counts once for each.
fn clauses(
    sections: &[&ast::Requirements],
    targets: &[String],
    context: &mut Context<'_>,
) -> Vec<(Requirement, Option<ast::Expr>)> {
    let mut found: Vec<(Requirement, Option<ast::Expr>)> = Vec::new();
    for clause in sections.iter().flat_map(|section| &section.clauses) {
        let Some((metric, limit)) = bound(clause, context) else { continue };
        let on = named_targets(clause, targets, context);
        let names = if clause.on.is_empty() { vec![None] } else { on.into_iter().map(Some).collect() };
        for target in names {
            let same = found.iter().find(|(other, _)| other.metric == metric && other.target == target);
            if let Some((Requirement { span: Some(first), .. }, _)) = same {
                let name = print_expr(&clause.metric);
                context.out.push(twice(&name, clause.span, *first));
                continue;
            }
            let requirement = Requirement { metric, limit, target, span: Some(clause.span) };
            found.push((requirement, clause.weight.clone()));
        }
    }
    found
}

fn bound(clause: &ast::Requirement, context: &mut Context<'_>) -> Option<(Metric, f64)> {
    let ExprKind::Name(name) = &clause.metric.kind else {
        let message = format!("`{}` is no metric", print_expr(&clause.metric));
        let error =
            Diagnostic::error(Code::TYPE, message).at(clause.metric.span, "expected the name of a metric");
        context.out.push(error.help("write the metric on the left: `ram <= 24 KiB`"));
        return None;
    };
    let metric = metric(name, clause.metric.span, context);
    let metric = metric?;
    let wanted = if metric == Metric::Accuracy { Compare::AtLeast } else { Compare::AtMost };
    if clause.compare != wanted {
        let (found, wanted) = (clause.compare.symbol(), wanted.symbol());
        let message = format!("`{name}` is bounded by `{wanted}`, found `{found}`");
        let error =
            Diagnostic::error(Code::NOT_ALLOWED, message).at(clause.span, format!("expected `{wanted}`"));
        let bound = print_expr(&clause.bound);
        context.out.push(error.help(format!("write `{name} {wanted} {bound}`")));
        return None;
    }
    let limit = number(&clause.bound, &format!("`{name}`"), &limits(metric), context)?;
    Some((metric, limit))
}

fn named_targets(clause: &ast::Requirement, targets: &[String], context: &mut Context<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for target in &clause.on {
        let ExprKind::Text(name) = &target.kind else {
            let message = format!("`{}` is no target", print_expr(target));
            let error = Diagnostic::error(Code::TYPE, message);
            context.out.push(error.at(target.span, "expected the name of a target in quotes"));
            continue;
        };
        if targets.contains(name) {
            names.push(name.clone());
            continue;
        }
        let mut error = unknown("target", name, target.span, targets.iter().map(String::as_str));
        error.code = Code::UNKNOWN_TARGET;
        context.out.push(error);
    }
    names
}

/// All `require` sections.
pub(super) fn requirements(
    sections: &[&ast::Requirements],
    targets: &[String],
    context: &mut Context<'_>,
) -> Vec<Requirement> {
    let mut found = Vec::new();
    for (requirement, weight) in clauses(sections, targets, context) {
        if let Some(weight) = weight {
            let error = Diagnostic::error(Code::NOT_ALLOWED, "what is required has no weight");
            let error = error.at(weight.span, "not allowed here");
            context.out.push(error.help("`prefer { ... }` takes limits with weights"));
        }
        found.push(requirement);
    }
    found
}

/// All `prefer` sections.
pub(super) fn preferences(
    sections: &[&ast::Requirements],
    targets: &[String],
    context: &mut Context<'_>,
) -> Vec<Preference> {
    let limits = Limits { dimension: Dimension::Plain, low: 1e-9, high: 1e9, example: "0.2" };
    let mut found = Vec::new();
    if let Some(first) = sections.iter().find_map(|section| section.clauses.first()) {
        let warning =
            Diagnostic::warning(Code::NO_EFFECT, "`prefer` decides nothing with `strategy: random`");
        context.out.push(warning.at(first.span, "checked, then left aside"));
    }
    for (limit, weight) in clauses(sections, targets, context) {
        let weight = match weight {
            Some(weight) => number(&weight, "`weight`", &limits, context),
            None => Some(1.0),
        };
        found.extend(weight.map(|weight| Preference { limit, weight }));
    }
    found
}

/// All objectives, in order.
pub(super) fn objectives(items: &[(&ast::Objective, Span)], context: &mut Context<'_>) -> Vec<Objective> {
    let mut found: Vec<(Objective, Span)> = Vec::new();
    for (item, span) in items {
        let ExprKind::Name(name) = &item.metric.kind else { continue };
        let Some(metric) = metric(name, item.metric.span, context) else { continue };
        if item.maximize != (metric == Metric::Accuracy) {
            let word = if item.maximize { "minimize" } else { "maximize" };
            let message = format!("less `{name}` is better, not more");
            let message =
                if item.maximize { message } else { "more `accuracy` is better, not less".to_owned() };
            let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(*span, "the wrong way round");
            context.out.push(error.help(format!("write `{word} {name}`")));
            continue;
        }
        if let Some((_, first)) = found.iter().find(|(other, _)| other.metric == metric) {
            context.out.push(twice(name, *span, *first));
            continue;
        }
        found.push((Objective { metric, target: None }, *span));
    }
    found.into_iter().map(|(objective, _)| objective).collect()
}

/// E0602 where energy is asked of targets whose power is not known: of the one that is named, or of all.
pub(super) fn energy_needs_power(
    requirements: &[Requirement],
    objectives: &[(&ast::Objective, Span)],
    targets: &BTreeMap<String, Target>,
    context: &mut Context<'_>,
) {
    let limits = requirements.iter().filter(|limit| limit.metric == Metric::Energy);
    let wanted = limits.filter_map(|limit| Some((limit.span?, limit.target.as_deref())));
    let objectives = objectives
        .iter()
        .filter(|(objective, _)| matches!(&objective.metric.kind, ExprKind::Name(name) if name == "energy"));
    for (span, target) in wanted.chain(objectives.map(|&(_, span)| (span, None))) {
        let mut asked = targets.values().filter(|known| target.is_none_or(|name| known.name == name));
        if asked.any(|target| target.active_milliwatts.is_some()) {
            continue;
        }
        let name = target.unwrap_or("cortex-m4");
        let message = match target {
            Some(name) => format!("energy needs the power of target `{name}`, which is not known"),
            None => "energy needs the power of a target, and that of none is known".to_owned(),
        };
        let error = Diagnostic::error(Code::TARGET_FIELD, message).at(span, "asks for energy");
        let help =
            format!("give what your board draws while it computes: `target \"{name}\" {{ power: 30 mW }}`");
        context.out.push(error.help(help));
    }
}
