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
    /// Passes over the training data.
    Epochs,
    /// Multiply-accumulates; a number without a unit says the same.
    Macs,
}

/// Unit, dimension, and the worth of one in base units.
pub(super) const UNITS: [(&str, Dimension, f64); 25] = [
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
    ("epochs", Dimension::Epochs, 1.0),
    ("kMAC", Dimension::Macs, 1e3),
    ("MMAC", Dimension::Macs, 1e6),
];

/// What people write for a unit, in lower case, and the units that may be meant.
const HABITS: [(&[&str], &[&str]); 21] = [
    (&["k", "kb", "kbyte", "kbytes", "kilobyte", "kilobytes"], &["KB", "KiB"]),
    (&["m", "mb", "mbyte", "mbytes", "megabyte", "megabytes"], &["MB", "MiB"]),
    (&["byte", "bytes"], &["B"]),
    (&["sec", "secs", "second", "seconds"], &["s"]),
    (&["msec", "msecs", "millisecond", "milliseconds"], &["ms"]),
    (&["usec", "usecs", "microsecond", "microseconds"], &["us"]),
    (&["m", "mins", "minute", "minutes"], &["min"]),
    (&["hr", "hrs", "hour", "hours"], &["h"]),
    (&["hertz"], &["Hz"]),
    (&["k", "kilohertz"], &["kHz"]),
    (&["m", "megahertz"], &["MHz"]),
    (&["joule", "joules"], &["J"]),
    (&["millijoule", "millijoules"], &["mJ"]),
    (&["watt", "watts"], &["W"]),
    (&["milliwatt", "milliwatts"], &["mW"]),
    (&["percent", "pct", "pc"], &["%"]),
    (&["sample"], &["samples"]),
    (&["epoch", "ep"], &["epochs"]),
    (&["k", "kmacs"], &["kMAC"]),
    (&["m", "mmacs", "mflop", "mflops"], &["MMAC"]),
    (&["mac", "macs"], &["kMAC", "MMAC"]),
];

/// Units a thousand times as large as the largest known one, in lower case.
const TOO_LARGE: [(&str, &str); 3] = [("ghz", "MHz"), ("gmac", "MMAC"), ("gb", "MB")];

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
            Dimension::Epochs => "a number of epochs",
            Dimension::Macs => "a number of multiply-accumulates",
        }
    }

    /// The unit that amounts are told in.
    pub(super) fn base(self) -> &'static str {
        match self {
            Dimension::Bytes => "bytes",
            Dimension::Frequency => "Hz",
            Dimension::Time => "s",
            Dimension::Energy => "J",
            Dimension::Power => "W",
            Dimension::Macs => "multiply-accumulates",
            Dimension::Plain | Dimension::Share | Dimension::Samples | Dimension::Epochs => "",
        }
    }

    fn units(self) -> Vec<&'static str> {
        UNITS.iter().filter(|unit| unit.1 == self).map(|unit| unit.0).collect()
    }

    /// "write `24 KiB` or ...": the ways to say a number in this dimension, with what those of memory are worth.
    fn help(self, number: &str) -> String {
        // `kB` says the same as `KB`.
        let units = UNITS.iter().filter(|unit| unit.1 == self && unit.0 != "kB");
        let written: Vec<String> = units
            .map(|&(unit, _, worth)| match number.parse::<f64>() {
                Ok(amount) if self == Dimension::Bytes && worth > 1.0 => {
                    format!("`{number} {unit}` ({} bytes)", grouped(amount * worth))
                }
                _ => format!("`{number} {unit}`"),
            })
            .collect();
        match written.as_slice() {
            [] => format!("write `{number}`"),
            [one] => format!("write {one}"),
            [first @ .., last] => format!("write {} or {last}", first.join(", ")),
        }
    }

    /// An amount in the largest unit that gives at least one of it: `16 kHz`.
    pub(super) fn shown(self, amount: f64) -> String {
        let units = UNITS.iter().filter(|unit| unit.1 == self && unit.0 != "KB");
        let mut fitting = units.clone().filter(|unit| amount / unit.2 >= 1.0);
        let first = fitting.next().or_else(|| units.clone().next());
        let best = fitting.fold(first, |best, unit| match best {
            // Bytes by powers of two only where they come out even.
            Some(best) if unit.2 < best.2 || (amount / unit.2).fract() != 0.0 => Some(best),
            _ => Some(unit),
        });
        match best {
            Some((unit, _, worth)) => {
                let rounded = (amount / worth * 1e9).round() / 1e9;
                format!("{} {unit}", grouped(rounded))
            }
            None => grouped(amount),
        }
    }
}

/// A number with commas between thousands.
pub(super) fn grouped(number: f64) -> String {
    let text = number.to_string();
    let (sign, text) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, rest)| (whole, Some(rest)));
    let mut out = sign.to_owned();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    fraction.map_or(out.clone(), |fraction| format!("{out}.{fraction}"))
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
    Err(unknown_unit(number, unit, None))
}

/// E0302 for a unit that does not exist, with what may be meant: where it is known, only of the dimension `wanted`.
fn unknown_unit(number: Number, unit: &Name, wanted: Option<Dimension>) -> Diagnostic {
    let error =
        Diagnostic::error(Code::UNIT, format!("`{}` is no unit", unit.text)).at(unit.span, "not known");
    let lower = unit.text.to_ascii_lowercase();
    let amount = number.value();
    if let Some((_, large)) = TOO_LARGE.iter().find(|known| known.0 == lower) {
        return error.help(format!("write `{} {large}`", amount * 1e3));
    }
    let same = UNITS.iter().filter(|known| known.0.eq_ignore_ascii_case(&unit.text)).map(|known| known.0);
    let habit = HABITS.iter().filter(|habit| habit.0.contains(&lower.as_str())).flat_map(|habit| habit.1);
    let mut near: Vec<(&str, Dimension, f64)> = Vec::new();
    for name in same.chain(habit.copied()) {
        if let Some(unit) = UNITS.iter().find(|known| known.0 == name && !near.contains(known)) {
            near.push(*unit);
        }
    }
    if near.is_empty() {
        let is_near = |known: &str| nearest(&unit.text, [known]).is_some();
        let found = UNITS.iter().find(|known| known.0.len() > 1 && is_near(known.0));
        near = UNITS.iter().filter(|known| found.is_some_and(|found| found.1 == known.1)).copied().collect();
    }
    if near.iter().any(|known| Some(known.1) == wanted) {
        near.retain(|known| Some(known.1) == wanted);
    }
    let names: Vec<String> = near.iter().map(|known| format!("`{}`", known.0)).collect();
    let meant = match names.as_slice() {
        [] => {
            let wanted = wanted.filter(|&wanted| wanted != Dimension::Plain);
            let known = wanted.map_or_else(|| UNITS.iter().map(|unit| unit.0).collect(), Dimension::units);
            return error.help(format!("units are {}", known.join(", ")));
        }
        [one] => format!("did you mean {one}?"),
        some => format!("did you mean one of {}?", some.join(", ")),
    };
    // Memory is counted in two ways, so both are told.
    let mut units: Vec<(&str, Dimension, f64)> = near.into_iter().filter(|unit| unit.0 != "kB").collect();
    for (metric, binary) in [("KB", "KiB"), ("MB", "MiB")] {
        if units.iter().any(|unit| unit.0 == metric || unit.0 == binary) {
            units.retain(|unit| unit.0 != metric && unit.0 != binary);
            units.extend(UNITS.iter().filter(|unit| unit.0 == metric || unit.0 == binary));
        }
    }
    let worth: Vec<String> = units
        .iter()
        .filter(|unit| unit.2.to_bits() != 1f64.to_bits() && !unit.1.base().is_empty())
        .map(|&(unit, dimension, worth)| {
            let value = if worth < 1.0 { amount / (1.0 / worth).round() } else { amount * worth };
            format!("`{amount} {unit}` is {} {}", grouped(value), dimension.base())
        })
        .collect();
    if worth.is_empty() { error.help(meant) } else { error.help(format!("{meant} {}", worth.join(", "))) }
}

/// The value of a constant expression in `wanted`.
///
/// # Errors
///
/// E0302 for a missing, unknown or wrong unit, E0301 for what is no number, E0201 for unknown names, E0305 for
/// results that are not finite.
pub(super) fn constant(expr: &Expr, wanted: Dimension, scope: &Scope) -> Result<f64, Diagnostic> {
    if let ExprKind::Number(number, Some(unit)) = &expr.kind
        && literal(*number, Some(unit)).is_err()
    {
        return Err(unknown_unit(*number, unit, Some(wanted)));
    }
    let quantity = evaluate(expr, scope)?;
    let counts = wanted == Dimension::Macs && quantity.dimension == Dimension::Plain;
    if quantity.dimension == wanted || counts {
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
            Some(_) => Err(not_a_number(expr).note(FIXED)),
            None => Err(scope.unknown(name, expr.span, &[])),
        },
        ExprKind::Range(_) | ExprKind::Set(_) => Err(not_a_number(expr).note(FIXED)),
        ExprKind::Text(text) if text.parse::<f64>().is_ok() => {
            Err(not_a_number(expr).help(format!("numbers stand without quotes: `{text}`")))
        }
        _ => Err(not_a_number(expr)),
    }
}

/// Why a range or a set is refused.
const FIXED: &str = "this place needs a fixed value; ranges and sets stand in the model and in the keys that \
    the reference marks as decisions";

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
        let both = "`3 KB` is 3,000 bytes, `3 KiB` is 3,072 bytes";
        assert_eq!(error.help, [format!("did you mean `KiB`? {both}")]);
    }

    #[test]
    fn near_misses_name_every_unit_that_may_be_meant() {
        use Dimension::{Bytes, Energy, Frequency, Macs, Power, Share, Time};
        let span = Span { file: crate::source::FileId(0), start: 0, end: 0 };
        let both = "`24 KB` is 24,000 bytes, `24 KiB` is 24,576 bytes";
        for (number, unit, wanted, help) in [
            (24, "K", Bytes, &*format!("did you mean one of `KB`, `KiB`? {both}")),
            (24, "kb", Bytes, &*format!("did you mean one of `kB`, `KB`, `KiB`? {both}")),
            (24, "kiB", Bytes, &*format!("did you mean `KiB`? {both}")),
            (16, "khz", Frequency, "did you mean `kHz`? `16 kHz` is 16,000 Hz"),
            (16, "k", Frequency, "did you mean `kHz`? `16 kHz` is 16,000 Hz"),
            (1, "GHz", Frequency, "write `1000 MHz`"),
            (5, "sec", Time, "did you mean `s`?"),
            (30, "M", Macs, "did you mean `MMAC`? `30 MMAC` is 30,000,000 multiply-accumulates"),
            (7, "mj", Energy, "did you mean `mJ`? `7 mJ` is 0.007 J"),
            (7, "joules", Energy, "did you mean `J`?"),
            (20, "percent", Share, "did you mean `%`?"),
            (20, "lightyears", Power, "units are uW, mW, W"),
        ] {
            let unit = Name { text: unit.to_owned(), span };
            let error = unknown_unit(Number::Integer(number), &unit, Some(wanted));
            assert_eq!(error.help, [help], "{number} {}", unit.text);
        }
    }

    #[test]
    fn amounts_are_shown_in_units_that_read_well() {
        use Dimension::{Bytes, Frequency, Plain, Share, Time};
        for (amount, dimension, text) in [
            (16_000.0, Frequency, "16 kHz"),
            (0.025, Time, "25 ms"),
            (24_576.0, Bytes, "24 KiB"),
            (24_000.0, Bytes, "24 kB"),
            (0.3, Share, "30 %"),
            (1e6, Plain, "1,000,000"),
            (0.25, Plain, "0.25"),
        ] {
            assert_eq!(dimension.shown(amount), text);
        }
    }
}
