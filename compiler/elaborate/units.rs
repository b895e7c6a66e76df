//! Units: what a literal such as `24 KiB` is worth.
//!
//! In: constant values of sections. Out: numbers in base units (bytes, seconds, hertz, joules, watts, shares).

use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::elaborate::scope::{Binding, Scope};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Name, Number, Operator};
use crate::syntax::print_expr;

/// What a number measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dimension {
    /// A number without a unit.
    Plain,
    /// In bytes.
    Bytes,
    /// In seconds.
    Time,
    /// In hertz.
    Frequency,
    /// In joules.
    Energy,
    /// In watts.
    Power,
    /// 1 is 100 %.
    Share,
    /// Of samples.
    Samples,
}

/// Unit, dimension, and the worth of one in base units.
const UNITS: [(&str, Dimension, f64); 22] = [
    ("B", Dimension::Bytes, 1.0),
    ("kB", Dimension::Bytes, 1e3),
    ("KB", Dimension::Bytes, 1e3),
    ("KiB", Dimension::Bytes, 1024.0),
    ("MB", Dimension::Bytes, 1e6),
    ("MiB", Dimension::Bytes, 1_048_576.0),
    ("us", Dimension::Time, 1e-6),
    ("ms", Dimension::Time, 1e-3),
    ("s", Dimension::Time, 1.0),
    ("min", Dimension::Time, 60.0),
    ("h", Dimension::Time, 3600.0),
    ("Hz", Dimension::Frequency, 1.0),
    ("kHz", Dimension::Frequency, 1e3),
    ("MHz", Dimension::Frequency, 1e6),
    ("uJ", Dimension::Energy, 1e-6),
    ("mJ", Dimension::Energy, 1e-3),
    ("J", Dimension::Energy, 1.0),
    ("uW", Dimension::Power, 1e-6),
    ("mW", Dimension::Power, 1e-3),
    ("W", Dimension::Power, 1.0),
    ("%", Dimension::Share, 0.01),
    ("samples", Dimension::Samples, 1.0),
];

/// What can be measured, with its units; for the reference.
pub(super) fn table() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut rows: Vec<(&str, Vec<&str>)> = Vec::new();
    for (unit, dimension, _) in UNITS {
        match rows.iter_mut().find(|(what, _)| *what == dimension.what()) {
            Some((_, units)) => units.push(unit),
            None => rows.push((dimension.what(), vec![unit])),
        }
    }
    rows
}

impl Dimension {
    /// In words.
    pub(super) fn what(self) -> &'static str {
        match self {
            Dimension::Plain => "a number without a unit",
            Dimension::Bytes => "an amount of memory",
            Dimension::Time => "a time",
            Dimension::Frequency => "a frequency",
            Dimension::Energy => "an energy",
            Dimension::Power => "a power",
            Dimension::Share => "a share",
            Dimension::Samples => "a number of samples",
        }
    }

    fn units(self) -> Vec<&'static str> {
        UNITS.iter().filter(|unit| unit.1 == self).map(|unit| unit.0).collect()
    }

    /// "write `24 KiB` or ...": the way to say a number in this dimension.
    fn help(self, number: &str) -> String {
        let written: Vec<String> = self.units().iter().map(|unit| format!("`{number} {unit}`")).collect();
        match written.as_slice() {
            [] => format!("write `{number}`"),
            [one] => format!("write {one}"),
            [first @ .., last] => format!("write {} or {last}", first.join(", ")),
        }
    }
}

/// A number in base units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Quantity {
    /// How much.
    pub value: f64,
    /// Of what.
    pub dimension: Dimension,
}

/// The worth of a literal.
///
/// # Errors
///
/// E0302 for a unit that does not exist.
pub(super) fn literal(number: Number, unit: Option<&Name>) -> Result<Quantity, Diagnostic> {
    let Some(unit) = unit else {
        return Ok(Quantity { value: number.value(), dimension: Dimension::Plain });
    };
    if let Some(&(_, dimension, worth)) = UNITS.iter().find(|known| known.0 == unit.text) {
        // Division keeps 80 % at the double nearest to 0.8, which 80 * 0.01 is not.
        let value = if worth < 1.0 { number.value() / (1.0 / worth).round() } else { number.value() * worth };
        return Ok(Quantity { value, dimension });
    }
    let known = UNITS.iter().map(|unit| unit.0);
    let error =
        Diagnostic::error(Code::UNIT, format!("`{}` is no unit", unit.text)).at(unit.span, "not known");
    let same_letters = |known: &str| known.eq_ignore_ascii_case(&unit.text);
    // `GHz` is near `Hz` and `kHz`, and means neither: all units that it may stand for are told.
    let is_near = |known: &str| same_letters(known) || nearest(&unit.text, [known]).is_some();
    let mut near: Vec<&str> = known.clone().filter(|known| same_letters(known)).collect();
    if near.is_empty() {
        let dimension = UNITS.iter().find(|known| known.0.len() > 1 && is_near(known.0));
        near = dimension.map_or(Vec::new(), |known| known.1.units());
    }
    Err(match near.as_slice() {
        [] => error.help(format!("units are {}", known.collect::<Vec<_>>().join(", "))),
        [one] => error.help(format!("did you mean `{one}`?")),
        some => error.help(format!("did you mean one of {}?", some.join(", "))),
    })
}

/// The value of a constant expression in `wanted`.
///
/// # Errors
///
/// E0302 for a missing, unknown or wrong unit, E0301 for what is no number, E0201 for unknown names, E0305 for
/// results that are not finite.
pub(super) fn constant(expr: &Expr, wanted: Dimension, scope: &Scope) -> Result<f64, Diagnostic> {
    let quantity = evaluate(expr, scope)?;
    if quantity.dimension == wanted {
        return Ok(quantity.value);
    }
    let written = print_expr(expr);
    let message = match (quantity.dimension, wanted) {
        (Dimension::Plain, _) => format!("`{written}` needs a unit"),
        (_, Dimension::Plain) => format!("`{written}` has a unit where none belongs"),
        (found, _) => format!("`{written}` is {}, and {} is needed", found.what(), wanted.what()),
    };
    let number = match &expr.kind {
        // Elsewhere 0.2 says what is 20 % here.
        ExprKind::Number(number, None) if wanted == Dimension::Share && number.value() < 1.0 => {
            // Rounded, since 0.07 * 100 is not 7.
            format!("{}", (number.value() * 1e8).round() / 1e6)
        }
        ExprKind::Number(Number::Integer(value), _) => value.to_string(),
        ExprKind::Number(Number::Decimal(value), _) => format!("{value:?}"),
        _ => "8".to_owned(),
    };
    let label = format!("expected {}", wanted.what());
    Err(Diagnostic::error(Code::UNIT, message).at(expr.span, label).help(wanted.help(&number)))
}

/// The value of a constant expression.
pub(super) fn evaluate(expr: &Expr, scope: &Scope) -> Result<Quantity, Diagnostic> {
    match &expr.kind {
        ExprKind::Number(number, unit) => literal(*number, unit.as_ref()),
        ExprKind::Negate(operand) => {
            let quantity = evaluate(operand, scope)?;
            Ok(Quantity { value: -quantity.value, ..quantity })
        }
        ExprKind::Binary(operator, left, right) => {
            combine(*operator, evaluate(left, scope)?, evaluate(right, scope)?, expr.span)
        }
        ExprKind::Name(name) => match scope.find(name) {
            Some(Binding { quantity: Some(quantity), .. }) => Ok(*quantity),
            Some(_) => {
                Err(not_a_number(expr).note("decisions belong to the model; this place needs a fixed value"))
            }
            None => Err(scope.unknown(name, expr.span, &[])),
        },
        ExprKind::Range(_) | ExprKind::Set(_) => {
            Err(not_a_number(expr).note("decisions belong to the model; this place needs a fixed value"))
        }
        ExprKind::Text(text) if text.parse::<f64>().is_ok() => {
            Err(not_a_number(expr).help(format!("numbers stand without quotes: `{text}`")))
        }
        _ => Err(not_a_number(expr)),
    }
}

fn not_a_number(expr: &Expr) -> Diagnostic {
    Diagnostic::error(Code::TYPE, format!("`{}` is no number", print_expr(expr)))
        .at(expr.span, "expected a number")
}

fn combine(operator: Operator, left: Quantity, right: Quantity, span: Span) -> Result<Quantity, Diagnostic> {
    use Dimension::{Plain, Share};
    let scales = |dimension: Dimension| matches!(dimension, Plain | Share);
    let (value, dimension) = match operator {
        Operator::Add if left.dimension == right.dimension => (left.value + right.value, left.dimension),
        Operator::Subtract if left.dimension == right.dimension => (left.value - right.value, left.dimension),
        Operator::Multiply if left.dimension == Plain => (left.value * right.value, right.dimension),
        Operator::Multiply if right.dimension == Plain => (left.value * right.value, left.dimension),
        Operator::Multiply if left.dimension == Share => (left.value * right.value, right.dimension),
        Operator::Multiply if scales(right.dimension) => (left.value * right.value, left.dimension),
        Operator::Divide if right.dimension == Plain => (left.value / right.value, left.dimension),
        Operator::Divide if left.dimension == right.dimension => (left.value / right.value, Plain),
        _ => {
            let (left, right, sign) = (left.dimension.what(), right.dimension.what(), operator.symbol());
            let message = format!("`{sign}` does not join {left} and {right}");
            return Err(Diagnostic::error(Code::UNIT, message).at(span, "units do not fit"));
        }
    };
    if !value.is_finite() {
        let message = format!("`{}` gives no finite number", operator.symbol());
        return Err(Diagnostic::error(Code::RANGE, message).at(span, "division by zero or overflow"));
    }
    Ok(Quantity { value, dimension })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_distinct_and_worth_what_they_say() {
        for (index, unit) in UNITS.iter().enumerate() {
            assert!(UNITS[..index].iter().all(|other| other.0 != unit.0), "{} twice", unit.0);
        }
        let name = |text: &str| Name {
            text: text.to_owned(),
            span: Span { file: crate::source::FileId(0), start: 0, end: 0 },
        };
        for (number, unit, worth) in [(80, "%", 0.8), (24, "KiB", 24576.0), (60, "ms", 0.06), (7, "uJ", 7e-6)]
        {
            let quantity = literal(Number::Integer(number), Some(&name(unit))).expect("a unit");
            assert_eq!(quantity.value.to_bits(), f64::to_bits(worth), "{number} {unit}");
        }
        let error = literal(Number::Integer(3), Some(&name("kib"))).expect_err("no unit");
        assert_eq!(error.help, ["did you mean `KiB`?"]);
    }
}
