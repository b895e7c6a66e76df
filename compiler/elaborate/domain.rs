//! What a decision may be: ranges and sets as domains.

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::value::{MAX_COUNT, Place, as_decimal, constant};
use crate::source::Span;
use crate::space::{Decision, DecisionId, Domain, RegionId, Space, Value};
use crate::syntax::ast::{self, Step};
use crate::syntax::print_expr;

/// Values of one set; more is refused.
const MAX_OPTIONS: usize = 4096;

/// Values of one range of integers; more is refused.
const MAX_VALUES: i64 = 1 << 20;

/// Parts that a range of decimal numbers without a step is cut into.
const PARTS: u32 = 1000;

/// Adds a decision under `name`, or under `name.2` and so on where the region has that name already.
pub(super) fn add_decision(
    space: &mut Space,
    region: RegionId,
    name: &str,
    domain: Domain,
    span: Span,
) -> DecisionId {
    let taken = |name: &str| {
        let decisions = &space.region(region).decisions;
        decisions.iter().any(|&decision| space.decision(decision).name == name)
    };
    let mut distinct = name.to_owned();
    let mut count = 1;
    while taken(&distinct) {
        count += 1;
        distinct = format!("{name}.{count}");
    }
    space.add_decision(region, Decision { name: distinct, domain, span })
}

pub(super) fn set(span: Span, options: &[ast::Expr], place: &mut Place<'_>) -> Result<Domain, Diagnostic> {
    let mut values: Vec<Value> = Vec::new();
    for option in options {
        let value = constant(option, place)?;
        if let Some(first) = values.iter().position(|known| *known == value) {
            let message = format!("`{value}` stands twice in a set");
            return Err(Diagnostic::error(Code::DUPLICATE_CHOICE, message)
                .at(option.span, "given again here")
                .at(options[first].span, "first given here"));
        }
        values.push(value);
    }
    match values.len() {
        0 => {
            Err(Diagnostic::error(Code::EMPTY_RANGE, "a set needs a value")
                .at(span, "nothing to choose from"))
        }
        1..=MAX_OPTIONS => Ok(Domain::Set(values)),
        _ => Err(too_many(span)),
    }
}

fn too_many(span: Span) -> Diagnostic {
    let message = format!("a decision has more than {MAX_OPTIONS} options");
    Diagnostic::error(Code::TOO_LARGE, message).at(span, "")
}

pub(super) fn range(span: Span, range: &ast::Range, place: &mut Place<'_>) -> Result<Domain, Diagnostic> {
    let low = constant(&range.low, place)?;
    let high = constant(&range.high, place)?;
    let (step, is_factor, step_span) = match &range.step {
        None => (Value::Int(1), false, span),
        Some(Step::Add(step)) => (constant(step, place)?, false, step.span),
        Some(Step::Multiply(factor)) => (constant(factor, place)?, true, factor.span),
    };
    match (low, high, step) {
        (Value::Int(low), Value::Int(high), Value::Int(step)) => {
            let found = integers(span, step_span, (low, high, step), is_factor)?;
            Ok(if range.log { logarithmic(found, span)? } else { found })
        }
        (low, high, step) => {
            let numbers = [&low, &high, &step].map(as_decimal);
            let [Some(low), Some(high), Some(step)] = numbers else {
                let error = Diagnostic::error(Code::TYPE, "a range goes from a number to a number");
                return Err(error.at(span, "expected numbers"));
            };
            if range.step.is_none() {
                return parts(span, (low, high), range.log);
            }
            if range.log && !is_factor {
                let message = "a logarithmic range of decimal numbers has no `step`";
                let (low, high) = (print_expr(&range.low), print_expr(&range.high));
                let help =
                    format!("write `log {low}..{high}` for {PARTS} equal ratios, or `{low}..{high} by *2`");
                return Err(Diagnostic::error(Code::TYPE, message)
                    .at(step_span, "not with `log`")
                    .help(help));
            }
            decimals(span, step_span, (low, high, step), is_factor)
        }
    }
}

/// Integers that are drawn evenly in the logarithm; a range by a factor is so already.
fn logarithmic(domain: Domain, span: Span) -> Result<Domain, Diagnostic> {
    match domain {
        Domain::Range { low, .. } if low < 1 => {
            let error =
                Diagnostic::error(Code::RANGE, format!("a logarithmic range starts above 0, found {low}"));
            Err(error.at(span, "has no logarithm at its start"))
        }
        Domain::Range { low, high, step, .. } => Ok(Domain::Range { low, high, step, log: true }),
        other => Ok(other),
    }
}

/// A range of decimal numbers without a step.
fn parts(span: Span, (low, high): (f64, f64), log: bool) -> Result<Domain, Diagnostic> {
    if low > high {
        return Err(empty(span, low, high));
    }
    if log && low <= 0.0 {
        let error =
            Diagnostic::error(Code::RANGE, format!("a logarithmic range starts above 0, found {low}"));
        return Err(error.at(span, "has no logarithm at its start"));
    }
    if low.to_bits() == high.to_bits() {
        return Ok(Domain::Set(vec![Value::Float(low)]));
    }
    Ok(Domain::Grid { low: Value::Float(low), high: Value::Float(high), steps: PARTS, log })
}

fn empty(span: Span, low: impl std::fmt::Display, high: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Code::EMPTY_RANGE, format!("the range from {low} to {high} holds no value"))
        .at(span, "its first value is above its last")
        .help("the smaller end comes first")
}

fn integers(span: Span, step_span: Span, ends: (i64, i64, i64), factor: bool) -> Result<Domain, Diagnostic> {
    let (low, high, step) = ends;
    if low > high {
        return Err(empty(span, low, high));
    }
    let least = if factor { 2 } else { 1 };
    if step < least || (factor && low < 1) {
        let what = if factor {
            "a range by a factor starts at 1 or above, and its factor is 2 or above"
        } else {
            "a step is 1 or above"
        };
        return Err(
            Diagnostic::error(Code::RANGE, what).at(step_span, format!("found {low}..{high} and {step}"))
        );
    }
    let misses = |last: i64, next: Option<i64>| {
        let error =
            Diagnostic::error(Code::EMPTY_RANGE, format!("the steps of this range miss its end, {high}"));
        let error = error.at(span, format!("ends at {last}"));
        let next = next.filter(|next| *next <= MAX_COUNT).map_or(String::new(), |next| format!(" or {next}"));
        error.help(format!("let it end at {last}{next}"))
    };
    if !factor {
        let rest = high.checked_sub(low).ok_or_else(|| too_many(span))? % step;
        if rest != 0 {
            return Err(misses(high - rest, (high - rest).checked_add(step)));
        }
        if (high - low) / step >= MAX_VALUES {
            let message = format!("a range has more than {MAX_VALUES} values");
            return Err(Diagnostic::error(Code::TOO_LARGE, message).at(span, "").help("add a `step`"));
        }
        return Ok(Domain::Range { low, high, step, log: false });
    }
    let mut values = vec![low];
    let mut last = low;
    while let Some(next) = last.checked_mul(step).filter(|&next| next <= high) {
        values.push(next);
        last = next;
    }
    if last != high {
        return Err(misses(last, last.checked_mul(step)));
    }
    Ok(Domain::Set(values.into_iter().map(Value::Int).collect()))
}

fn decimals(span: Span, step_span: Span, ends: (f64, f64, f64), factor: bool) -> Result<Domain, Diagnostic> {
    let (low, high, step) = ends;
    if low > high {
        return Err(empty(span, low, high));
    }
    let grows = if factor { step > 1.0 && low > 0.0 } else { step > 0.0 };
    if !grows {
        let message = "a step is above 0, and a factor above 1 and from above 0 on";
        return Err(Diagnostic::error(Code::RANGE, message).at(step_span, format!("found {step}")));
    }
    // Decimal fractions are not exact: the end is met within a millionth of a step.
    let mut values = vec![low];
    let mut last = low;
    for index in 1.. {
        let next = tidy(if factor { last * step } else { low + step * f64::from(index) });
        let slack = 1e-6 * (next - last);
        if next > high + slack {
            break;
        }
        last = if (next - high).abs() <= slack { high } else { next };
        values.push(last);
        if values.len() > MAX_OPTIONS {
            return Err(too_many(span));
        }
    }
    if last.to_bits() != high.to_bits() {
        let message = format!("the steps of this range miss its end, {high}");
        let next = tidy(if factor { last * step } else { low + step * values.len() as f64 });
        let error = Diagnostic::error(Code::EMPTY_RANGE, message).at(span, format!("ends at {last}"));
        return Err(error.help(format!("let it end at {last} or {next}")));
    }
    Ok(Domain::Set(values.into_iter().map(Value::Float).collect()))
}

/// A number without the last digits that sums of decimal fractions get wrong: 0.05 + 3 * 0.15 is 0.5.
fn tidy(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

/// The values that stand for all of a domain when an expression is checked: all of them, or of a long range the ends.
pub(super) fn options(domain: &Domain) -> Vec<Value> {
    let all = domain.len();
    let positions: Vec<usize> =
        if all <= MAX_OPTIONS { (0..all).collect() } else { vec![0, 1, all - 2, all - 1] };
    positions.into_iter().filter_map(|at| domain.get(at)).collect()
}
