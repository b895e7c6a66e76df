//! Intervals: what numbers may come out between.

use crate::space::{BinaryOp, Domain, Expr, Function, MAX_EXTENT, RegionId, Space, Value};

/// Whole numbers from `low` to `high`, both included. Arithmetic saturates, which keeps both ends true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// Nothing is below.
    pub low: u64,
    /// Nothing is above.
    pub high: u64,
}

impl Interval {
    /// One number.
    pub fn only(value: u64) -> Interval {
        Interval { low: value, high: value }
    }

    /// Every extent that a feature map can have.
    pub(crate) fn extent() -> Interval {
        Interval { low: 1, high: MAX_EXTENT as u64 }
    }

    /// Any number.
    pub(crate) fn any() -> Interval {
        Interval { low: 0, high: u64::MAX }
    }

    /// Whether a number lies within.
    pub fn contains(self, value: u64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    pub(crate) fn add(self, other: Interval) -> Interval {
        Interval { low: self.low.saturating_add(other.low), high: self.high.saturating_add(other.high) }
    }

    pub(crate) fn mul(self, other: Interval) -> Interval {
        Interval { low: self.low.saturating_mul(other.low), high: self.high.saturating_mul(other.high) }
    }

    pub(crate) fn times(self, factor: u64) -> Interval {
        self.mul(Interval::only(factor))
    }

    /// The smallest interval around both.
    pub(crate) fn hull(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// The smaller of two numbers.
    pub(crate) fn min(self, other: Interval) -> Interval {
        Interval { low: self.low.min(other.low), high: self.high.min(other.high) }
    }

    /// The larger of two numbers.
    pub(crate) fn max(self, other: Interval) -> Interval {
        Interval { low: self.low.max(other.low), high: self.high.max(other.high) }
    }

    /// What two numbers that are equal can be; the hull where they cannot.
    pub(crate) fn both(self, other: Interval) -> Interval {
        let (low, high) = (self.low.max(other.low), self.high.min(other.high));
        if low <= high { Interval { low, high } } else { self.hull(other) }
    }

    /// The quotient, rounded up; divisors are at least 1.
    pub(crate) fn div_ceil(self, divisor: Interval) -> Interval {
        Interval { low: self.low.div_ceil(divisor.high.max(1)), high: self.high.div_ceil(divisor.low.max(1)) }
    }

    /// The extent of an argument: what lies outside 1..65536 is no network.
    pub(crate) fn of_extent(bounds: Option<Numbers>) -> Interval {
        let Some((low, high)) = bounds else { return Interval::extent() };
        let most = MAX_EXTENT as f64;
        let (low, high) = (low.ceil().clamp(1.0, most) as u64, high.floor().clamp(1.0, most) as u64);
        Interval { low: low.min(high), high: high.max(low) }
    }
}

/// The least and greatest value of a number.
pub(crate) type Numbers = (f64, f64);

/// What is known of `channels` while an expression is bounded.
pub(crate) type ChannelsOf<'a> = &'a dyn Fn(RegionId) -> Option<Numbers>;

/// Bounds of an expression over all values of its decisions, each taken by itself; `None` where it may be no number or
/// is not bounded.
pub(crate) fn numbers(space: &Space, expr: &Expr, channels: ChannelsOf<'_>) -> Option<Numbers> {
    match expr {
        Expr::Value(value) => number(value),
        Expr::Decision(decision) => match &space.decision(*decision).domain {
            Domain::Range { low, high, .. } => Some((*low as f64, *high as f64)),
            Domain::Grid { low, high, .. } => Some((number(low)?.0, number(high)?.1)),
            Domain::Set(values) => hull(values.iter().map(number)),
        },
        Expr::Channels(region) => channels(*region),
        Expr::Tuple(_) | Expr::Not(_) => None,
        Expr::Call(function, values) => {
            let values: Vec<Numbers> =
                values.iter().map(|value| numbers(space, value, channels)).collect::<Option<_>>()?;
            call(*function, &values)
        }
        Expr::Binary(op, a, b) => {
            let (a, b) = (numbers(space, a, channels)?, numbers(space, b, channels)?);
            let bounds = match op {
                BinaryOp::Add => (a.0 + b.0, a.1 + b.1),
                BinaryOp::Sub => (a.0 - b.1, a.1 - b.0),
                BinaryOp::Mul => corners(a, b, |x, y| x * y),
                BinaryOp::Div | BinaryOp::Ratio if b.0 > 0.0 || b.1 < 0.0 => corners(a, b, |x, y| x / y),
                _ => return None,
            };
            (bounds.0.is_finite() && bounds.1.is_finite()).then_some(bounds)
        }
    }
}

/// Bounds of the two numbers of a pair, or of one number for both.
pub(crate) fn pair(space: &Space, expr: &Expr, channels: ChannelsOf<'_>) -> [Interval; 2] {
    let component = |value: &Value, axis: usize| match value {
        Value::Tuple(parts) => parts.get(axis).and_then(number),
        value => number(value),
    };
    [0, 1].map(|axis| {
        Interval::of_extent(match expr {
            Expr::Tuple(parts) => parts.get(axis).and_then(|part| numbers(space, part, channels)),
            Expr::Value(value) => component(value, axis),
            Expr::Decision(decision) => match &space.decision(*decision).domain {
                Domain::Set(values) => hull(values.iter().map(|value| component(value, axis))),
                _ => numbers(space, expr, channels),
            },
            _ => numbers(space, expr, channels),
        })
    })
}

/// Whether an argument may be a word, and whether it may be another one.
pub(crate) fn may_be(space: &Space, expr: &Expr, word: &str) -> (bool, bool) {
    let values: Vec<&Value> = match expr {
        Expr::Value(value) => vec![value],
        Expr::Decision(decision) => match &space.decision(*decision).domain {
            Domain::Set(values) => values.iter().collect(),
            _ => return (true, true),
        },
        _ => return (true, true),
    };
    let is_word = |value: &&Value| value.as_text() == Some(word);
    (values.iter().any(is_word), !values.iter().all(is_word))
}

fn number(value: &Value) -> Option<Numbers> {
    match value {
        Value::Int(x) => Some((*x as f64, *x as f64)),
        Value::Float(x) => Some((*x, *x)),
        _ => None,
    }
}

fn hull(bounds: impl Iterator<Item = Option<Numbers>>) -> Option<Numbers> {
    let bounds: Vec<Numbers> = bounds.collect::<Option<_>>()?;
    bounds.into_iter().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

fn corners(a: Numbers, b: Numbers, apply: fn(f64, f64) -> f64) -> Numbers {
    let all = [apply(a.0, b.0), apply(a.0, b.1), apply(a.1, b.0), apply(a.1, b.1)];
    (all.into_iter().fold(f64::INFINITY, f64::min), all.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

/// Functions grow with their arguments, but for the divisor of `make_divisible`.
fn call(function: Function, values: &[Numbers]) -> Option<Numbers> {
    if let (Function::MakeDivisible, [x, divisor]) = (function, values)
        && divisor.0 != divisor.1
    {
        // A multiple of the divisor, at least one, at least 90 % of x, at most one divisor above x.
        return Some((divisor.0.max(0.9 * x.0), x.1.max(0.0) + divisor.1));
    }
    let end = |pick: fn(&Numbers) -> f64| {
        let values: Vec<Value> = values.iter().map(|value| Value::Float(pick(value))).collect();
        number(&function.apply(&values).ok()?)
    };
    Some((end(|value| value.0)?.0, end(|value| value.1)?.1))
}
