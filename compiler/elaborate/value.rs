//! Values of the model: from syntax to expressions over decisions, and the check that every value they can have
//! is allowed.

use std::collections::BTreeMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::layers::{Kind, WORDS};
use crate::elaborate::scope::{Binding, Scope, Structure, twice};
use crate::elaborate::units;
use crate::elaborate::{domain, habits};
use crate::source::Span;
use crate::space::{BinaryOp, DecisionId, Domain, Expr, Function, MAX_EXTENT, RegionId, Space, Value};
use crate::syntax::ast::{self, ExprKind, Number, Operator};
use crate::syntax::print_expr;

/// Combinations of decisions that a value is checked for; beyond, only the ends of their domains are.
const MAX_COMBINATIONS: usize = 1024;

/// Nodes of one expression after names are replaced; more is refused, since `let`s can double it line by line.
const MAX_NODES: usize = 64;

/// Elements of the largest input, and the largest end that a range is advised to have.
pub(super) const MAX_COUNT: i64 = 1 << 20;

/// Where decisions of a value go.
pub(super) struct Place<'a> {
    /// Names in scope.
    pub scope: &'a Scope,
    /// Takes the decisions.
    pub space: &'a mut Space,
    /// Where they live.
    pub region: RegionId,
    /// What they are called.
    pub name: &'a str,
}

/// The expression that a value of the model says; its ranges and sets become decisions.
///
/// # Errors
///
/// E0201 for unknown names, E0301 and E0302 for values of a wrong kind, E0401 and E0402 for ranges and sets.
pub(super) fn lower(expr: &ast::Expr, place: &mut Place<'_>) -> Result<Expr, Diagnostic> {
    lower_with(expr, place, BinaryOp::Div)
}

/// As [`lower`]; `division` says what `/` means: exact for integers, or not in the argument of a function.
fn lower_with(expr: &ast::Expr, place: &mut Place<'_>, division: BinaryOp) -> Result<Expr, Diagnostic> {
    match &expr.kind {
        ExprKind::Number(Number::Integer(value), None) => Ok(Expr::Value(Value::Int(*value as i64))),
        ExprKind::Number(Number::Decimal(value), None) => Ok(Expr::Value(Value::Float(*value))),
        ExprKind::Number(number, unit) => match units::literal(*number, unit.as_ref())? {
            units::Quantity { value, dimension: units::Dimension::Share } => {
                Ok(Expr::Value(Value::Float(value)))
            }
            _ => Err(unit_found(expr)),
        },
        ExprKind::Bool(value) => Ok(Expr::Value(Value::Bool(*value))),
        ExprKind::Name(name) => named(name, expr, place),
        ExprKind::Text(text) => Err(Diagnostic::error(Code::TYPE, "a model takes no quoted text")
            .at(expr.span, "expected a number or a word")
            .help(format!("numbers and words stand without quotes: `{text}`"))),
        ExprKind::Tuple(values) => {
            let values = values
                .iter()
                .map(|value| lower_with(value, place, division))
                .collect::<Result<Vec<_>, _>>()?;
            small(tuple(values), expr.span)
        }
        ExprKind::Negate(operand) => {
            let operand = number(operand, place, division)?;
            binary(BinaryOp::Sub, Expr::Value(Value::Int(0)), operand, expr.span)
        }
        ExprKind::Binary(operator, left, right) => {
            let (left, right) = (number(left, place, division)?, number(right, place, division)?);
            let operator = match operator {
                Operator::Add => BinaryOp::Add,
                Operator::Subtract => BinaryOp::Sub,
                Operator::Multiply => BinaryOp::Mul,
                Operator::Divide => division,
            };
            binary(operator, left, right, expr.span)
        }
        ExprKind::Set(options) => {
            let domain = domain::set(expr.span, options, place)?;
            Ok(decide(domain, expr.span, place))
        }
        ExprKind::Range(range) => {
            let domain = domain::range(expr.span, range, place)?;
            Ok(decide(domain, expr.span, place))
        }
        ExprKind::Call(call) if function(&call.name.text).is_some() => apply(call, place),
        ExprKind::Call(_)
        | ExprKind::List(_)
        | ExprKind::Compare(..)
        | ExprKind::In(..)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Not(_) => Err(habits::no_value(expr)),
    }
}

/// What a name stands for.
fn named(name: &str, expr: &ast::Expr, place: &Place<'_>) -> Result<Expr, Diagnostic> {
    match place.scope.find(name) {
        Some(Binding { structure: Structure::Several(second), span, .. }) => {
            let message = format!("`{name}` is the name of two structures");
            let error = Diagnostic::error(Code::DUPLICATE_NAME, message).at(expr.span, "which one is meant?");
            let error = error.at(*span, "the first").at(*second, "the second");
            Err(error.help("give one of them another name"))
        }
        Some(binding) => {
            binding.expr.clone().ok_or_else(|| unit_found(expr).at(binding.span, "declared here"))
        }
        None if name == "channels" => match place.scope.body() {
            Some(body) => Ok(Expr::Channels(body)),
            None => Err(Diagnostic::error(Code::NOT_ALLOWED, "`channels` says what comes into a body")
                .at(expr.span, "not inside one")),
        },
        None if WORDS.contains(&name) => Ok(Expr::Value(Value::Text(name.to_owned()))),
        None => Err(place.scope.unknown(name, expr.span, &WORDS)),
    }
}

/// The functions of the language.
pub(super) const FUNCTIONS: [(&str, Function, &str); 4] = [
    ("min", Function::Min, "the least of some numbers"),
    ("max", Function::Max, "the greatest of some numbers"),
    ("round", Function::Round, "the nearest integer, ties away from zero; inside, `/` need not be exact"),
    (
        "make_divisible",
        Function::MakeDivisible,
        "`make_divisible(x, 8)`: the multiple of 8 nearest to `x`, at least 8 and at least 90 % of `x`",
    ),
];

/// The function of a name.
pub(super) fn function(name: &str) -> Option<Function> {
    FUNCTIONS.iter().find(|known| known.0 == name).map(|known| known.1)
}

/// A function of numbers.
fn apply(call: &ast::Call, place: &mut Place<'_>) -> Result<Expr, Diagnostic> {
    let name = call.name.text.as_str();
    let function = function(name).expect("the caller looked it up");
    let wanted = match function {
        Function::Min | Function::Max => 2..=8,
        Function::Round => 1..=1,
        Function::MakeDivisible => 2..=2,
    };
    if let Some(named) = call.args.iter().find_map(|arg| arg.name.as_ref()) {
        let message = format!("the arguments of `{name}` have no names");
        return Err(Diagnostic::error(Code::NOT_ALLOWED, message).at(named.span, "not expected here"));
    }
    if !wanted.contains(&call.args.len()) {
        let count = match (wanted.start(), wanted.end()) {
            (low, high) if low == high => format!("{low}"),
            (low, high) => format!("{low} to {high}"),
        };
        let message = format!("`{name}` takes {count} numbers, found {}", call.args.len());
        let help = if function == Function::MakeDivisible { "write `make_divisible(x, 8)`" } else { "" };
        let error = Diagnostic::error(Code::TYPE, message).at(call.span, format!("expected {count} numbers"));
        return Err(if help.is_empty() { error } else { error.help(help) });
    }
    let mut values = Vec::with_capacity(call.args.len());
    for arg in &call.args {
        values.push(number(&arg.value, place, BinaryOp::Ratio)?);
    }
    let expr = Expr::Call(function, values);
    folded(expr, call.span)
}

/// The expression, or its value where it depends on nothing.
fn folded(expr: Expr, span: Span) -> Result<Expr, Diagnostic> {
    let mut decisions = Vec::new();
    decisions_of(&expr, &mut decisions);
    if !decisions.is_empty() || has_channels(&expr) {
        return small(expr, span);
    }
    evaluate(&expr, &BTreeMap::new()).map(Expr::Value).map_err(|problem| {
        let is_division =
            problem.ends_with("is no integer") && matches!(expr, Expr::Binary(BinaryOp::Div, ..));
        let error = Diagnostic::error(Code::RANGE, problem).at(span, "no value");
        if is_division {
            error.help("write `round(...)` around it, or divide what comes out even")
        } else {
            error
        }
    })
}

/// Whether a value depends on the channels of a feature map, which are known only in a network.
pub(super) fn has_channels(expr: &Expr) -> bool {
    match expr {
        Expr::Channels(_) => true,
        Expr::Value(_) | Expr::Decision(_) => false,
        Expr::Not(operand) => has_channels(operand),
        Expr::Binary(_, left, right) => has_channels(left) || has_channels(right),
        Expr::Tuple(parts) | Expr::Call(_, parts) => parts.iter().any(has_channels),
    }
}

fn unit_found(expr: &ast::Expr) -> Diagnostic {
    let message = format!("`{}` has a unit where none belongs", print_expr(expr));
    Diagnostic::error(Code::UNIT, message).at(expr.span, "expected a number without a unit")
}

fn tuple(values: Vec<Expr>) -> Expr {
    let fixed: Option<Vec<Value>> = values.iter().map(|value| fixed(value).cloned()).collect();
    match fixed {
        Some(values) => Expr::Value(Value::Tuple(values)),
        None => Expr::Tuple(values),
    }
}

/// Refuses an expression of more than [`MAX_NODES`] nodes.
fn small(expr: Expr, span: Span) -> Result<Expr, Diagnostic> {
    if nodes(&expr) <= MAX_NODES {
        return Ok(expr);
    }
    let message = format!("this value has more than {MAX_NODES} parts once its names are replaced");
    Err(Diagnostic::error(Code::TOO_LARGE, message).at(span, ""))
}

fn nodes(expr: &Expr) -> usize {
    fn of_value(value: &Value) -> usize {
        match value {
            Value::Tuple(parts) => 1 + parts.iter().map(of_value).sum::<usize>(),
            _ => 1,
        }
    }
    match expr {
        Expr::Value(value) => of_value(value),
        Expr::Decision(_) | Expr::Channels(_) => 1,
        Expr::Not(operand) => 1 + nodes(operand),
        Expr::Binary(_, left, right) => 1 + nodes(left) + nodes(right),
        Expr::Tuple(parts) | Expr::Call(_, parts) => 1 + parts.iter().map(nodes).sum::<usize>(),
    }
}

fn fixed(expr: &Expr) -> Option<&Value> {
    match expr {
        Expr::Value(value) => Some(value),
        _ => None,
    }
}

fn binary(operator: BinaryOp, left: Expr, right: Expr, span: Span) -> Result<Expr, Diagnostic> {
    folded(Expr::Binary(operator, Box::new(left), Box::new(right)), span)
}

/// An operand of arithmetic.
fn number(expr: &ast::Expr, place: &mut Place<'_>, division: BinaryOp) -> Result<Expr, Diagnostic> {
    let lowered = lower_with(expr, place, division)?;
    let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
    let good = match &lowered {
        Expr::Value(value) => is_number(value),
        Expr::Decision(id) => domain::options(&place.space.decision(*id).domain).iter().all(is_number),
        Expr::Binary(..) => true,
        Expr::Channels(_) | Expr::Call(..) => true,
        Expr::Tuple(_) | Expr::Not(_) => false,
    };
    if good {
        return Ok(lowered);
    }
    let message = format!("`{}` is no number", print_expr(expr));
    Err(Diagnostic::error(Code::TYPE, message).at(expr.span, "expected a number"))
}

/// A fixed value inside a set or a range.
pub(super) fn constant(expr: &ast::Expr, place: &mut Place<'_>) -> Result<Value, Diagnostic> {
    let before = place.space.decisions.len();
    let value = lower(expr, place)?;
    match value {
        Expr::Value(value) if place.space.decisions.len() == before => Ok(value),
        _ => Err(Diagnostic::error(Code::TYPE, "the values of a decision are fixed")
            .at(expr.span, "this is a decision itself")
            .help(match expr.kind {
                ExprKind::Name(_) => {
                    "write a fixed value, and leave out combinations by `forbid { depth > width }`"
                }
                _ => "give the inner decision a name by `let`, and choose between layers by `choose`",
            })),
    }
}

/// A decision, or the value itself where there is only one.
fn decide(domain: Domain, span: Span, place: &mut Place<'_>) -> Expr {
    if let (1, Some(only)) = (domain.len(), domain.get(0)) {
        return Expr::Value(only);
    }
    Expr::Decision(domain::add_decision(place.space, place.region, place.name, domain, span))
}

pub(super) fn as_decimal(value: &Value) -> Option<f64> {
    match value {
        Value::Int(value) => Some(*value as f64),
        Value::Float(value) => Some(*value),
        _ => None,
    }
}

pub(super) fn decisions_of(expr: &Expr, found: &mut Vec<DecisionId>) {
    match expr {
        Expr::Value(_) | Expr::Channels(_) => {}
        Expr::Not(operand) => decisions_of(operand, found),
        Expr::Decision(id) => {
            if !found.contains(id) {
                found.push(*id);
            }
        }
        Expr::Binary(_, left, right) => {
            decisions_of(left, found);
            decisions_of(right, found);
        }
        Expr::Tuple(values) | Expr::Call(_, values) => {
            values.iter().for_each(|value| decisions_of(value, found));
        }
    }
}

/// The value of an expression under an assignment of its decisions; the error says what is wrong with it.
fn evaluate(expr: &Expr, values: &BTreeMap<DecisionId, Value>) -> Result<Value, String> {
    match expr {
        Expr::Value(value) => Ok(value.clone()),
        Expr::Decision(id) => Ok(values[id].clone()),
        Expr::Tuple(parts) => {
            let parts = parts.iter().map(|part| evaluate(part, values)).collect::<Result<_, _>>()?;
            Ok(Value::Tuple(parts))
        }
        Expr::Binary(operator, left, right) => {
            operator.apply(&evaluate(left, values)?, &evaluate(right, values)?)
        }
        Expr::Channels(_) => Err("`channels` is not known before a network is built".to_owned()),
        Expr::Call(function, parts) => {
            let parts: Vec<Value> =
                parts.iter().map(|part| evaluate(part, values)).collect::<Result<_, _>>()?;
            function.apply(&parts)
        }
        Expr::Not(operand) => match evaluate(operand, values)? {
            Value::Bool(value) => Ok(Value::Bool(!value)),
            other => Err(format!("`{other}` is neither true nor false")),
        },
    }
}

/// What is wrong with one of the values that an expression can have.
pub(super) struct Violation {
    /// E0301 or E0305.
    pub code: Code,
    /// What was found.
    pub found: String,
    /// The decisions under which it was found: "with `width` = 25"; empty for fixed values.
    pub under: String,
}

/// Checks every value that `expr` can have.
pub(super) fn check(
    expr: &Expr,
    space: &Space,
    allowed: impl Fn(&Value) -> Result<(), Code>,
) -> Result<(), Violation> {
    if has_channels(expr) {
        // Checked where a network is built.
        return Ok(());
    }
    let mut decisions = Vec::new();
    decisions_of(expr, &mut decisions);
    let mut domains: Vec<Vec<Value>> =
        decisions.iter().map(|&decision| domain::options(&space.decision(decision).domain)).collect();
    let count = |domains: &[Vec<Value>]| domains.iter().try_fold(1usize, |n, d| n.checked_mul(d.len()));
    if count(&domains).is_none_or(|count| count > MAX_COMBINATIONS) {
        for domain in &mut domains {
            let last = domain.len() - 1;
            domain.swap(1.min(last), last);
            domain.truncate(2);
        }
    }
    let combinations = count(&domains).unwrap_or(MAX_COMBINATIONS).min(MAX_COMBINATIONS);
    for index in 0..combinations {
        let mut rest = index;
        let mut values = BTreeMap::new();
        for (decision, domain) in decisions.iter().zip(&domains) {
            values.insert(*decision, domain[rest % domain.len()].clone());
            rest /= domain.len();
        }
        let verdict = match evaluate(expr, &values) {
            Ok(value) => allowed(&value).map_err(|code| (code, value.to_string())),
            Err(problem) => Err((Code::RANGE, problem)),
        };
        if let Err((code, found)) = verdict {
            let named = values.iter().map(|(id, value)| format!("`{}` = {value}", space.decision(*id).name));
            let under = named.collect::<Vec<_>>().join(", ");
            return Err(Violation { code, found, under });
        }
    }
    Ok(())
}

/// The greatest integer that a count can be; 0 where it is none.
pub(super) fn greatest(expr: &Expr, space: &Space) -> u64 {
    let greatest = std::cell::Cell::new(0);
    // All values are looked at; none is refused.
    let _ = check(expr, space, |value| {
        let count = value.as_int().and_then(|count| u64::try_from(count).ok());
        greatest.set(greatest.get().max(count.unwrap_or(0)));
        Ok(())
    });
    greatest.get()
}

/// Whether an argument of this kind may have this value.
pub(super) fn allowed(kind: Kind, value: &Value) -> Result<(), Code> {
    match (kind, value) {
        (Kind::Count | Kind::Pair, Value::Int(value)) => {
            if (1..=MAX_EXTENT).contains(value) {
                Ok(())
            } else {
                Err(Code::RANGE)
            }
        }
        (Kind::Pair, Value::Tuple(parts)) if parts.len() == 2 => {
            parts.iter().try_for_each(|part| allowed(Kind::Count, part))
        }
        (Kind::Word(words), Value::Text(word)) if words.contains(&word.as_str()) => Ok(()),
        (Kind::Integer, Value::Int(_)) | (Kind::Bool, Value::Bool(_)) => Ok(()),
        (Kind::Number, Value::Int(_) | Value::Float(_)) => Ok(()),
        (Kind::Share, Value::Int(_) | Value::Float(_)) => match as_decimal(value) {
            Some(share) if (0.0..1.0).contains(&share) => Ok(()),
            _ => Err(Code::RANGE),
        },
        _ => Err(Code::TYPE),
    }
}

/// A value that an argument of this kind takes, for one that it does not take.
pub(super) fn stand_in(kind: Kind) -> Value {
    match kind {
        Kind::Count | Kind::Pair | Kind::Integer | Kind::Number => Value::Int(1),
        Kind::Word(words) => Value::Text(words.first().copied().unwrap_or_default().to_owned()),
        Kind::Share => Value::Int(0),
        Kind::Bool => Value::Bool(false),
    }
}

/// What an argument of this kind takes, in words.
pub(super) fn describe(kind: Kind) -> String {
    match kind {
        Kind::Count => format!("an integer from 1 to {MAX_EXTENT}"),
        Kind::Pair => format!("an integer from 1 to {MAX_EXTENT} or a pair of them"),
        Kind::Word([first @ .., last]) => {
            let first: Vec<String> = first.iter().map(|word| format!("`{word}`")).collect();
            format!("{} or `{last}`", first.join(", "))
        }
        Kind::Word([]) => "no word".to_owned(),
        Kind::Integer => "an integer".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Share => "a share from 0 % to below 100 %".to_owned(),
    }
}

/// Declares a `let`: its value for the model, its number for sections.
pub(super) fn bind(
    item: &ast::Let,
    scope: &mut Scope,
    place: (&mut Space, RegionId),
) -> Result<(), Diagnostic> {
    if let Some(earlier) = scope.find_innermost(&item.name.text) {
        return Err(twice(&item.name.text, item.name.span, earlier.span));
    }
    let (space, region) = place;
    let quantity = if decides(&item.value) { None } else { units::evaluate(&item.value, scope).ok() };
    let is_plain = |d: units::Dimension| matches!(d, units::Dimension::Plain | units::Dimension::Share);
    let has_unit = quantity.is_some_and(|quantity| !is_plain(quantity.dimension));
    let expr = if has_unit {
        None
    } else {
        Some(lower(&item.value, &mut Place { scope, space, region, name: &item.name.text })?)
    };
    scope.declare(&item.name, Binding { expr, quantity, span: item.name.span, structure: Structure::No })
}

/// Whether a value holds a decision of its own.
fn decides(expr: &ast::Expr) -> bool {
    match &expr.kind {
        ExprKind::Set(_) | ExprKind::Range(_) => true,
        ExprKind::Tuple(values) | ExprKind::List(values) => values.iter().any(decides),
        ExprKind::Negate(value) => decides(value),
        ExprKind::Binary(_, left, right) => decides(left) || decides(right),
        ExprKind::Call(call) => call.args.iter().any(|arg| decides(&arg.value)),
        _ => false,
    }
}
