//! What is wanted of a network: `require`, `prefer`, `maximize` and `minimize`.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::{Context, Limits, number, word_of};
use crate::elaborate::schema::Later;
use crate::elaborate::scope::{twice, unknown};
use crate::elaborate::units::Dimension;
use crate::elaborate::{Accounting, Metric, Objective, Preference, Requirement, SearchSpec, Strategy};
use crate::source::Span;
use crate::space;
use crate::syntax::ast::{self, Compare, ExprKind};
use crate::syntax::print_expr;
use crate::target::Target;

/// A figure that can be wanted of a network.
pub(super) struct Row {
    /// Its name in the language.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) metric: Metric,
    /// In one line.
    pub(super) doc: &'static str,
    /// `None` if this version measures it; else what to use instead.
    pub(super) later: Option<&'static str>,
}

const fn row(name: &'static str, metric: Metric, doc: &'static str) -> Row {
    Row { name, metric, doc, later: None }
}

const fn later_row(name: &'static str, metric: Metric, doc: &'static str, instead: &'static str) -> Row {
    Row { name, metric, doc, later: Some(instead) }
}

/// All figures.
pub(super) const METRICS: [Row; 12] = [
    row("accuracy", Metric::Accuracy, "Share of right answers."),
    row(
        "ram",
        Metric::Ram,
        "Bytes of the arena with input, output and scratch, the context and static data.",
    ),
    row("flash", Metric::Flash, "Bytes of code and tables of the bundle's own objects."),
    row("weights", Metric::Weights, "Bytes of weights and tables."),
    row("latency", Metric::Latency, "Estimated time of one inference."),
    row("macs", Metric::Macs, "Multiply-accumulates of one inference."),
    row("energy", Metric::Energy, "Estimated energy of one inference; needs the `power` of the target."),
    row("error", Metric::Error, "Share of wrong answers."),
    row("f1", Metric::F1, "Mean over the classes of the harmonic mean of precision and recall."),
    row(
        "auc",
        Metric::Auc,
        "Area under the curve of true over false alarms: of two classes, or of a reconstruction's error.",
    ),
    row("mse", Metric::Mse, "Mean squared error of values, or of the reconstruction of normal samples."),
    later_row(
        "params",
        Metric::Params,
        "Numbers that are learned.",
        "`weights` says how many bytes they take",
    ),
];

/// Papers' ways of counting: the word in parentheses, what it counts, of which metrics, in one line.
pub(super) const ACCOUNTINGS: [(&str, Accounting, &[Metric], &str); 5] = [
    (
        "munas",
        Accounting::Munas,
        &[Metric::Ram, Metric::Weights],
        "µNAS: live activations without the input; a byte for each constant.",
    ),
    (
        "sparse_wm1",
        Accounting::SparseWm1,
        &[Metric::Ram],
        "SpArSe: a layer's weights that are not 0, and its input.",
    ),
    ("sparse_wm2", Accounting::SparseWm2, &[Metric::Ram], "SpArSe: a layer's input and output."),
    ("inout", Accounting::Inout, &[Metric::Ram], "MicroNets: a node's inputs and outputs."),
    ("sparse", Accounting::Sparse, &[Metric::Weights], "SpArSe: a byte for each weight that is not 0."),
];

/// What a model gives, and where it says so.
pub(super) struct Output<'a> {
    /// What.
    pub(super) kind: space::Output,
    /// Where.
    pub(super) span: Span,
    /// The model's name.
    pub(super) name: &'a str,
}

/// The figure of this name; told if there is none.
pub(super) fn metric(name: &str, span: Span, context: &mut Context<'_>) -> Option<Metric> {
    let found = METRICS.iter().find(|known| known.name == name).map(|known| known.metric);
    if found.is_none() {
        context.out.push(unknown("metric", name, span, METRICS.iter().map(|known| known.name)));
    }
    found
}

/// What an amount of a figure may be.
pub(super) fn limits(metric: Metric) -> Limits {
    let dimension = match metric {
        Metric::Accuracy | Metric::Error | Metric::F1 | Metric::Auc => {
            return Limits { dimension: Dimension::Share, low: 0.0, high: 1.0, example: "90 %" };
        }
        Metric::Ram | Metric::Flash | Metric::Weights => Dimension::Bytes,
        Metric::Latency => Dimension::Time,
        Metric::Macs => Dimension::Macs,
        Metric::Energy => Dimension::Energy,
        Metric::Mse | Metric::Params => Dimension::Plain,
    };
    Limits { dimension, low: f64::MIN_POSITIVE, high: 1e18, example: "" }
}

/// A figure as it is asked for: `ram`, `ram(munas)`.
struct Asked<'a> {
    name: &'a str,
    metric: Metric,
    accounting: Option<Accounting>,
}

fn asked<'a>(expr: &'a ast::Expr, context: &mut Context<'_>) -> Option<Asked<'a>> {
    let call = match &expr.kind {
        ExprKind::Name(name) => {
            let metric = metric(name, expr.span, context)?;
            return Some(Asked { name, metric, accounting: None });
        }
        ExprKind::Call(call) => call,
        _ => {
            let message = format!("`{}` is no metric", print_expr(expr));
            let error = Diagnostic::error(Code::TYPE, message).at(expr.span, "expected the name of a metric");
            context.out.push(error.help("write the metric on the left: `ram <= 24 KiB`"));
            return None;
        }
    };
    let name = &call.name.text;
    let metric = metric(name, call.name.span, context)?;
    let ways = || ACCOUNTINGS.iter().filter(|way| way.2.contains(&metric));
    if ways().next().is_none() {
        let message = format!("`{name}` is counted in one way");
        let error =
            Diagnostic::error(Code::NOT_ALLOWED, message).at(expr.span, "takes nothing in parentheses");
        context.out.push(error.help(format!("write `{name}`")));
        return None;
    }
    let [ast::Arg { name: None, value }] = &*call.args else {
        let error = Diagnostic::error(Code::TYPE, format!("`{name}` takes one way of counting"));
        let known: Vec<&str> = ways().map(|way| way.0).collect();
        context
            .out
            .push(error.at(expr.span, "expected one word").help(format!("known: {}", known.join(", "))));
        return None;
    };
    let word = word_of(value).unwrap_or_default();
    let accounting = ways().find(|way| way.0 == word).map(|way| way.1);
    if accounting.is_none() {
        let what = format!("way to count `{name}`:");
        context.out.push(unknown(&what, &print_expr(value), value.span, ways().map(|way| way.0)));
    }
    accounting.map(|way| Asked { name, metric, accounting: Some(way) })
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
        let Some((Asked { metric, accounting, .. }, limit)) = bound(clause, context) else { continue };
        let on = named_targets(&clause.on, targets, context);
        let names = if clause.on.is_empty() { vec![None] } else { on.into_iter().map(Some).collect() };
        for target in names {
            let same = found.iter().find(|(other, _)| {
                (other.metric, other.accounting) == (metric, accounting) && other.target == target
            });
            if let Some((Requirement { span: Some(first), .. }, _)) = same {
                let name = print_expr(&clause.metric);
                context.out.push(twice(&name, clause.span, *first));
                continue;
            }
            let requirement = Requirement { metric, accounting, limit, target, span: Some(clause.span) };
            found.push((requirement, clause.weight.clone()));
        }
    }
    found
}

fn bound<'a>(clause: &'a ast::Requirement, context: &mut Context<'_>) -> Option<(Asked<'a>, f64)> {
    let asked = asked(&clause.metric, context)?;
    let (name, metric) = (asked.name, asked.metric);
    let wanted = if metric.is_gain() { Compare::AtLeast } else { Compare::AtMost };
    if clause.compare != wanted {
        let (found, wanted) = (clause.compare.symbol(), wanted.symbol());
        let message = format!("`{name}` is bounded by `{wanted}`, found `{found}`");
        let error =
            Diagnostic::error(Code::NOT_ALLOWED, message).at(clause.span, format!("expected `{wanted}`"));
        let bound = print_expr(&clause.bound);
        context.out.push(error.help(format!("write `{} {wanted} {bound}`", print_expr(&clause.metric))));
        return None;
    }
    let limit = number(&clause.bound, &format!("`{name}`"), &limits(metric), context)?;
    Some((asked, limit))
}

fn named_targets(on: &[ast::Expr], targets: &[String], context: &mut Context<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for target in on {
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
    for (limit, weight) in clauses(sections, targets, context) {
        let weight = match weight {
            Some(weight) => number(&weight, "`weight`", &limits, context),
            None => Some(1.0),
        };
        found.extend(weight.map(|weight| Preference { limit, weight }));
    }
    found
}

/// Warns where a strategy does not ask for what is preferred.
pub(super) fn preferences_have_effect(
    sections: &[&ast::Requirements],
    search: Option<&SearchSpec>,
    context: &mut Context<'_>,
) {
    let first = sections.iter().find_map(|section| section.clauses.first());
    let Some((first, search)) = first.zip(search) else { return };
    if !matches!(search.strategy, Strategy::AgingEvolution { .. }) {
        let message = format!("`prefer` decides nothing where the strategy is `{}`", search.strategy.name());
        let warning = Diagnostic::warning(Code::NO_EFFECT, message);
        let warning = warning.at(first.span, "checked, then left aside");
        context.out.push(warning.help("`strategy: aging_evolution` weighs what is preferred"));
    }
}

/// All objectives, in order. One on several targets counts once for each.
pub(super) fn objectives(
    items: &[(&ast::Objective, Span)],
    targets: &[String],
    context: &mut Context<'_>,
) -> Vec<Objective> {
    let mut found: Vec<(Objective, Span)> = Vec::new();
    for (item, span) in items {
        let Some(Asked { name, metric, accounting }) = asked(&item.metric, context) else { continue };
        if item.maximize != metric.is_gain() {
            let word = if item.maximize { "minimize" } else { "maximize" };
            let message = match item.maximize {
                true => format!("less `{name}` is better, not more"),
                false => format!("more `{name}` is better, not less"),
            };
            let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(*span, "the wrong way round");
            context.out.push(error.help(format!("write `{word} {}`", print_expr(&item.metric))));
            continue;
        }
        let on = named_targets(&item.on, targets, context);
        if let (Some(first), true) = (item.on.first(), metric.is_quality()) {
            let message = format!("`{name}` is the same on every target");
            let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(first.span, "not allowed here");
            context.out.push(error.help(format!("leave out `on {}`", print_expr(first))));
            continue;
        }
        let names = if item.on.is_empty() { vec![None] } else { on.into_iter().map(Some).collect() };
        for target in names {
            let objective = Objective { metric, accounting, target };
            match found.iter().find(|(other, _)| *other == objective) {
                Some((_, first)) => context.out.push(twice(name, *span, *first)),
                None => found.push((objective, *span)),
            }
        }
    }
    found.into_iter().map(|(objective, _)| objective).collect()
}

/// The metrics that a spec asks for, as written.
fn wanted<'a>(
    sections: &[&[&'a ast::Requirements]],
    objectives: &[(&'a ast::Objective, Span)],
) -> Vec<&'a ast::Expr> {
    let clauses = sections.iter().copied().flatten().flat_map(|section| &section.clauses);
    clauses.map(|clause| &clause.metric).chain(objectives.iter().map(|(item, _)| &item.metric)).collect()
}

fn row_of(expr: &ast::Expr) -> Option<&'static Row> {
    let name = match &expr.kind {
        ExprKind::Name(name) => name,
        ExprKind::Call(call) => &call.name.text,
        _ => return None,
    };
    METRICS.iter().find(|known| known.name == name)
}

/// E0204 where a figure of quality does not fit what the model gives: no share of right answers without classes.
pub(super) fn fit_output(
    sections: &[&[&ast::Requirements]],
    objectives: &[(&ast::Objective, Span)],
    output: &Output<'_>,
    context: &mut Context<'_>,
) {
    let gives = match output.kind {
        space::Output::Classes(_) => "classes",
        space::Output::Values(_) => "values",
        space::Output::Input => "its input again",
    };
    for expr in wanted(sections, objectives) {
        let Some(row) = row_of(expr) else { continue };
        let is_classifier = matches!(output.kind, space::Output::Classes(_));
        // The score of a class may raise an alarm too. Source  MicroNets, arXiv:2010.11267, section 3.3
        let (fits, needs) = match row.metric {
            Metric::Accuracy | Metric::Error | Metric::F1 => (is_classifier, "classes"),
            Metric::Auc => {
                (!matches!(output.kind, space::Output::Values(_)), "two classes or a reconstruction")
            }
            Metric::Mse => (!is_classifier, "values or a reconstruction"),
            _ => continue,
        };
        if !fits {
            let message = format!("`{}` needs {needs}, and the model gives {gives}", row.name);
            let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(expr.span, format!("needs {needs}"));
            let error = error.at(output.span, format!("`{}` gives {gives}", output.name));
            context.out.push(error.help(match is_classifier {
                true => "write `accuracy`, or leave out `classes:`",
                false => "write `mse`, or give the model `classes:`",
            }));
        }
    }
}

/// What of the goals this version only checks.
pub(super) fn later(
    sections: &[&[&ast::Requirements]],
    objectives: &[(&ast::Objective, Span)],
    output: space::Output,
) -> Vec<Later> {
    let many_classes = matches!(output, space::Output::Classes(classes) if classes != 2);
    let mut found = Vec::new();
    for expr in wanted(sections, objectives) {
        let Some(row) = row_of(expr) else { continue };
        let instead = match (&expr.kind, row.later) {
            _ if row.metric == Metric::Auc && many_classes => {
                "`f1` and `accuracy` measure more than two classes".to_owned()
            }
            (_, Some(instead)) => instead.to_owned(),
            (ExprKind::Call(_), None) => format!("`{}` alone counts what the bundle really takes", row.name),
            _ => continue,
        };
        found.push(Later { what: format!("`{}`", print_expr(expr)), span: expr.span, instead });
    }
    found
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
        .filter(|(objective, _)| row_of(&objective.metric).is_some_and(|row| row.metric == Metric::Energy));
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
