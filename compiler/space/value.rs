//! Values of decisions and of layer arguments, and expressions over them.

use serde::{Deserialize, Serialize};

use crate::source::Span;
use crate::space::DecisionId;

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
