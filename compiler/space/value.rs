//! Values of decisions and of layer arguments, and expressions over them.

use serde::{Deserialize, Serialize};

use rand::Rng;

use crate::source::Span;
use crate::space::{DecisionId, Scope};

/// A value of the language.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A decimal number; finite.
    Float(f64),
    /// A word such as `relu`, a label, or quoted text.
    Text(String),
    /// `(10, 4)`.
    Tuple(Vec<Value>),
}

impl Value {
    fn rank(&self) -> u8 {
        match self {
            Value::Bool(_) => 0,
            Value::Int(_) => 1,
            Value::Float(_) => 2,
            Value::Text(_) => 3,
            Value::Tuple(_) => 4,
        }
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Value) -> std::cmp::Ordering {
        match (self, other) {
            (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
            (Value::Int(a), Value::Int(b)) => a.cmp(b),
            (Value::Float(a), Value::Float(b)) => a.total_cmp(b),
            (Value::Text(a), Value::Text(b)) => a.cmp(b),
            (Value::Tuple(a), Value::Tuple(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}
impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Value {}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Bool(value) => write!(f, "{value}"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => write!(f, "{value:?}"),
            Value::Text(value) => f.write_str(value),
            Value::Tuple(values) => {
                let parts: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(f, "({})", parts.join(", "))
            }
        }
    }
}

/// The values that a decision may take: countable, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Domain {
    /// `low..high step step`: `low`, `low + step`, up to and including `high`.
    Range {
        /// First value.
        low: i64,
        /// Last value; `(high - low) % step == 0`.
        high: i64,
        /// Distance, at least 1.
        step: i64,
    },
    /// Distinct values in the order written: numbers, tuples, words; the labels of a `choose`; `false, true` for an
    /// `optional`.
    Set(Vec<Value>),
}

impl Domain {
    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Domain::Range { low, high, step } => usize::try_from((high - low) / step + 1).unwrap_or(0),
            Domain::Set(values) => values.len(),
        }
    }

    /// Whether there is no value; `elaborate` refuses such domains.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a position.
    pub fn get(&self, index: usize) -> Option<Value> {
        match self {
            Domain::Range { low, step, .. } if index < self.len() => {
                Some(Value::Int(low + step * index as i64))
            }
            Domain::Range { .. } => None,
            Domain::Set(values) => values.get(index).cloned(),
        }
    }

    /// The position of a value.
    pub fn position(&self, value: &Value) -> Option<usize> {
        match (self, value) {
            (Domain::Range { low, high, step }, Value::Int(x)) if low <= x && x <= high => {
                ((x - low) % step == 0).then(|| ((x - low) / step) as usize)
            }
            (Domain::Range { .. }, _) => None,
            (Domain::Set(values), _) => values.iter().position(|known| known == value),
        }
    }

    /// A value drawn uniformly, both ends included.
    pub fn sample(&self, rng: &mut impl Rng) -> Value {
        let index = below(rng, self.len());
        self.get(index).expect("the position lies within the domain")
    }

    /// What one morphism may change a value to: the neighbours of a number in a range, any other value of a set.
    pub fn neighbours(&self, value: &Value) -> Vec<Value> {
        let here = self.position(value);
        (0..self.len())
            .filter(|&index| match (self, here) {
                (Domain::Range { .. }, Some(here)) => index.abs_diff(here) == 1,
                _ => Some(index) != here,
            })
            .filter_map(|index| self.get(index))
            .collect()
    }

    /// The least and greatest integer, if all values are integers.
    pub fn int_bounds(&self) -> Option<(i64, i64)> {
        match self {
            Domain::Range { low, high, .. } => Some((*low, *high)),
            Domain::Set(values) => {
                let ints: Option<Vec<i64>> = values.iter().map(Value::as_int).collect();
                let ints = ints?;
                Some((*ints.iter().min()?, *ints.iter().max()?))
            }
        }
    }
}

/// An integer in `0..n` without bias; `n` is at least 1.
pub(crate) fn below(rng: &mut impl Rng, n: usize) -> usize {
    let n = n as u64;
    let zone = u64::MAX - u64::MAX % n;
    loop {
        let draw = rng.next_u64();
        if draw < zone {
            return (draw % n) as usize;
        }
    }
}

impl Value {
    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The word, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }
}

/// An expression over decisions, typed by `elaborate`: evaluation fails only for overflow and division by 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expr {
    /// A value.
    Value(Value),
    /// The value of a decision of an enclosing region.
    Decision(DecisionId),
    /// An operation on numbers; integers stay integers, division of integers must be exact.
    Binary(BinaryOp, Box<Expr>, Box<Expr>),
    /// `(a, b)`.
    Tuple(Vec<Expr>),
}

/// Operations of [`Expr::Binary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BinaryOp {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `/`
    Div,
}

/// An expression with its place in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// What it says.
    pub expr: Expr,
    /// Where it says so (the default's place is that of the call).
    pub span: Span,
}

impl Expr {
    /// The value, given those of the decisions in scope.
    ///
    /// # Errors
    /// Overflow, division that is not exact or by 0, or operands that are no numbers; the text says which.
    pub fn eval(&self, scope: &Scope<'_>) -> Result<Value, String> {
        match self {
            Expr::Value(value) => Ok(value.clone()),
            Expr::Decision(decision) => scope
                .get(*decision)
                .cloned()
                .ok_or_else(|| "a decision is used outside its region".to_owned()),
            Expr::Tuple(parts) => {
                parts.iter().map(|part| part.eval(scope)).collect::<Result<_, _>>().map(Value::Tuple)
            }
            Expr::Binary(op, a, b) => op.apply(&a.eval(scope)?, &b.eval(scope)?),
        }
    }
}

impl BinaryOp {
    /// The result for two values.
    ///
    /// # Errors
    /// Overflow, division that is not exact or by 0, or operands that are no numbers; the text says which.
    pub fn apply(self, a: &Value, b: &Value) -> Result<Value, String> {
        let float = |value: &Value| match value {
            Value::Int(x) => Some(*x as f64),
            Value::Float(x) => Some(*x),
            _ => None,
        };
        if let (Value::Int(x), Value::Int(y)) = (a, b) {
            let result = match self {
                BinaryOp::Add => x.checked_add(*y),
                BinaryOp::Sub => x.checked_sub(*y),
                BinaryOp::Mul => x.checked_mul(*y),
                BinaryOp::Div if *y == 0 => return Err(format!("{x} / 0 divides by zero")),
                BinaryOp::Div if x.checked_rem(*y) == Some(0) => x.checked_div(*y),
                BinaryOp::Div => return Err(format!("{x} / {y} is no integer")),
            };
            return result.map(Value::Int).ok_or_else(|| format!("the result with {x} and {y} is too large"));
        }
        let (Some(x), Some(y)) = (float(a), float(b)) else {
            return Err(format!("`{a}` and `{b}` are not both numbers"));
        };
        let result = match self {
            BinaryOp::Add => x + y,
            BinaryOp::Sub => x - y,
            BinaryOp::Mul => x * y,
            BinaryOp::Div => x / y,
        };
        if result.is_finite() {
            Ok(Value::Float(result))
        } else {
            Err(format!("the result with {x} and {y} is not finite"))
        }
    }
}
