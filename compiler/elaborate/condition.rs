//! The conditions of `when` and `forbid`: comparisons of decisions, joined by `and`, `or` and `not`.

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::domain;
use crate::elaborate::scope::unknown;
use crate::elaborate::value::{self, Place};
use crate::source::Span;
use crate::space::{BinaryOp, Domain, Expr, Space, Value};
use crate::syntax::ast::{self, Compare, ExprKind};
use crate::syntax::print_expr;

/// Comparisons that one condition may come to, `in` counted by its values; more is refused.
const MAX_COMPARISONS: usize = 64;

/// What a value is, for comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sort {
    Number,
    Word,
    Truth,
    Pair,
}

impl Sort {
    fn what(self) -> &'static str {
        match self {
            Sort::Number => "a number",
            Sort::Word => "a word",
            Sort::Truth => "true or false",
            Sort::Pair => "a pair",
        }
    }
}

/// Where a condition stands.
struct At<'a, 'p> {
    place: &'a mut Place<'p>,
    /// Whether it is in a block, which other calls give other decisions: there a value that this decision never has
    /// is no slip.
    generic: bool,
}

/// The condition that is written, over decisions in scope; true or false for each of their values.
///
/// # Errors
///
/// E0201 for unknown names, E0204 for `channels`, E0301 for what cannot be compared, E0405 for values that the
/// decision does not have, E0403 for what is too long.
pub(super) fn lower(expr: &ast::Expr, place: &mut Place<'_>, generic: bool) -> Result<Expr, Diagnostic> {
    let before = place.space.decisions.len();
    let lowered = truth(expr, &mut At { place, generic })?;
    if place.space.decisions.len() > before {
        let error = Diagnostic::error(Code::NOT_ALLOWED, "a condition makes no decision");
        let error = error.at(expr.span, "holds a range or a set of its own");
        return Err(error.help("ask with `in`: `kernel in {3, 5}`, `width in 16..32`"));
    }
    if value::has_channels(&lowered) {
        let error =
            Diagnostic::error(Code::NOT_ALLOWED, "a condition is about decisions, not about channels");
        return Err(error.at(expr.span, "`channels` is known only in a network"));
    }
    if comparisons(&lowered) > MAX_COMPARISONS {
        let message = format!("a condition has more than {MAX_COMPARISONS} comparisons");
        return Err(Diagnostic::error(Code::TOO_LARGE, message).at(expr.span, ""));
    }
    if let Err(violation) = value::check(&lowered, place.space, |value| match value {
        Value::Bool(_) => Ok(()),
        _ => Err(Code::TYPE),
    }) {
        let message = format!("a condition is true or false, found {}", violation.found);
        return Err(Diagnostic::error(violation.code, message).at(expr.span, "expected a comparison"));
    }
    Ok(lowered)
}

fn comparisons(expr: &Expr) -> usize {
    match expr {
        Expr::Not(operand) => comparisons(operand),
        Expr::Binary(BinaryOp::And | BinaryOp::Or, left, right) => comparisons(left) + comparisons(right),
        _ => 1,
    }
}

fn truth(expr: &ast::Expr, at: &mut At<'_, '_>) -> Result<Expr, Diagnostic> {
    match &expr.kind {
        ExprKind::And(parts) => join(BinaryOp::And, parts, at),
        ExprKind::Or(parts) => join(BinaryOp::Or, parts, at),
        ExprKind::Not(operand) => Ok(Expr::Not(Box::new(truth(operand, at)?))),
        ExprKind::Compare(compare, left, right) => comparison(*compare, left, right, expr.span, at),
        ExprKind::In(left, right) => membership(left, right, at),
        ExprKind::Tuple(parts) if parts.len() == 1 => truth(&parts[0], at),
        _ => {
            let lowered = value::lower(expr, at.place)?;
            match sort(&lowered, at.place.space) {
                Sort::Truth => Ok(lowered),
                found => {
                    let message = format!("`{}` is {}, no condition", print_expr(expr), found.what());
                    let error = Diagnostic::error(Code::TYPE, message).at(expr.span, "expected a comparison");
                    Err(error.help(format!("compare it: `{} == ...`", print_expr(expr))))
                }
            }
        }
    }
}

fn join(operator: BinaryOp, parts: &[ast::Expr], at: &mut At<'_, '_>) -> Result<Expr, Diagnostic> {
    let mut joined: Option<Expr> = None;
    for part in parts {
        let next = truth(part, at)?;
        joined = Some(match joined {
            None => next,
            Some(before) => Expr::Binary(operator, Box::new(before), Box::new(next)),
        });
    }
    Ok(joined.unwrap_or(Expr::Value(Value::Bool(operator == BinaryOp::And))))
}

fn comparison(
    compare: Compare,
    left: &ast::Expr,
    right: &ast::Expr,
    span: Span,
    at: &mut At<'_, '_>,
) -> Result<Expr, Diagnostic> {
    // A label such as `separable` is a word only beside the decision that has it.
    let (a, b) = if is_label(left, at.place) && !is_label(right, at.place) {
        let b = value::lower(right, at.place)?;
        (label(left, &b, right, at.place)?, b)
    } else {
        let a = value::lower(left, at.place)?;
        let b = if is_label(right, at.place) {
            label(right, &a, left, at.place)?
        } else {
            value::lower(right, at.place)?
        };
        (a, b)
    };
    let operator = match compare {
        Compare::Less => BinaryOp::Less,
        Compare::AtMost => BinaryOp::AtMost,
        Compare::Equal => BinaryOp::Equal,
        Compare::NotEqual => BinaryOp::NotEqual,
        Compare::AtLeast => BinaryOp::AtLeast,
        Compare::Greater => BinaryOp::Greater,
    };
    let (first, second) = (sort(&a, at.place.space), sort(&b, at.place.space));
    if first != second {
        return Err(Diagnostic::error(Code::TYPE, "only values of one kind can be compared")
            .at(left.span, format!("this is {}", first.what()))
            .at(right.span, format!("this is {}", second.what())));
    }
    let is_equality = matches!(compare, Compare::Equal | Compare::NotEqual);
    if !is_equality && first != Sort::Number {
        let message = format!("`{}` compares numbers, found {}", compare.symbol(), first.what());
        return Err(Diagnostic::error(Code::TYPE, message)
            .at(span, "has no order")
            .help("compare words and pairs by `==`, `!=` or `in`"));
    }
    if is_equality && !at.generic {
        possible(&a, &b, right, at.place)?;
        possible(&b, &a, left, at.place)?;
    }
    Ok(Expr::Binary(operator, Box::new(a), Box::new(b)))
}

/// E0405 for comparing a decision with a value that it never has.
fn possible(a: &Expr, b: &Expr, written: &ast::Expr, place: &Place<'_>) -> Result<(), Diagnostic> {
    let (Expr::Decision(id), Expr::Value(value)) = (a, b) else { return Ok(()) };
    let decision = place.space.decision(*id);
    if decision.domain.position(value).is_some() {
        return Ok(());
    }
    let message = format!("`{}` is never {value}", decision.name);
    let error = Diagnostic::error(Code::IMPOSSIBLE, message)
        .at(written.span, "not among its values")
        .at(decision.span, "which are these");
    Err(match &decision.domain {
        Domain::Set(values) if values.len() <= 16 => {
            let all: Vec<String> = values.iter().map(ToString::to_string).collect();
            error.help(format!("its values are {}", all.join(", ")))
        }
        _ => error,
    })
}

fn membership(left: &ast::Expr, right: &ast::Expr, at: &mut At<'_, '_>) -> Result<Expr, Diagnostic> {
    let bound = |compare, bound: &ast::Expr, at: &mut At<'_, '_>| {
        comparison(compare, left, bound, left.span.to(bound.span), at)
    };
    match &right.kind {
        ExprKind::Set(values) if !values.is_empty() => {
            let mut joined: Option<Expr> = None;
            for value in values {
                let next = bound(Compare::Equal, value, at)?;
                joined = Some(match joined {
                    None => next,
                    Some(before) => Expr::Binary(BinaryOp::Or, Box::new(before), Box::new(next)),
                });
            }
            Ok(joined.expect("the set has a value"))
        }
        ExprKind::Range(range) if range.step.is_none() && !range.log => {
            let low = bound(Compare::AtLeast, &range.low, at)?;
            let high = bound(Compare::AtMost, &range.high, at)?;
            Ok(Expr::Binary(BinaryOp::And, Box::new(low), Box::new(high)))
        }
        _ => {
            let error = Diagnostic::error(Code::TYPE, "`in` asks for a set or a range");
            let error = error.at(right.span, "expected `{a, b}` or `a..b` without a step");
            Err(error.help("write `kernel in {3, 5}` or `width in 16..32`"))
        }
    }
}

/// Whether a value is a bare word that names nothing in scope.
fn is_label(expr: &ast::Expr, place: &Place<'_>) -> bool {
    matches!(&expr.kind, ExprKind::Name(name) if place.scope.find(name).is_none() && name != "channels")
}

/// A bare word as a value of the decision beside it.
fn label(
    expr: &ast::Expr,
    other: &Expr,
    other_written: &ast::Expr,
    place: &Place<'_>,
) -> Result<Expr, Diagnostic> {
    let ExprKind::Name(name) = &expr.kind else {
        return Ok(Expr::Value(Value::Bool(false)));
    };
    let value = Value::Text(name.clone());
    let Expr::Decision(id) = other else {
        let error = place.scope.unknown(name, expr.span, &[]);
        if !matches!(other, Expr::Value(Value::Text(_))) {
            return Err(error);
        }
        return Err(error.note("a word stands for an option only beside the decision that has it"));
    };
    let decision = place.space.decision(*id);
    let words: Vec<Value> = domain::options(&decision.domain);
    if words.contains(&value) {
        return Ok(Expr::Value(value));
    }
    let known: Vec<&str> = words.iter().filter_map(Value::as_text).collect();
    if known.is_empty() {
        let message =
            format!("`{}` is {}, not a word", print_expr(other_written), sort(other, place.space).what());
        let error =
            Diagnostic::error(Code::TYPE, message).at(expr.span, "names nothing, and is no value of it");
        return Err(error.at(decision.span, "its values"));
    }
    let what = format!("option of `{}`:", print_expr(other_written));
    Err(unknown(&what, name, expr.span, known).at(decision.span, "the options are here"))
}

fn sort(expr: &Expr, space: &Space) -> Sort {
    let of_value = |value: &Value| match value {
        Value::Int(_) | Value::Float(_) => Sort::Number,
        Value::Text(_) => Sort::Word,
        Value::Bool(_) => Sort::Truth,
        Value::Tuple(_) => Sort::Pair,
    };
    match expr {
        Expr::Value(value) => of_value(value),
        Expr::Decision(id) => {
            space.decision(*id).domain.get(0).map_or(Sort::Number, |value| of_value(&value))
        }
        Expr::Not(_) => Sort::Truth,
        Expr::Tuple(_) => Sort::Pair,
        Expr::Channels(_) | Expr::Call(..) => Sort::Number,
        Expr::Binary(operator, ..) => match operator {
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Ratio => Sort::Number,
            _ => Sort::Truth,
        },
    }
}
