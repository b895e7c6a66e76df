//! Values of decisions and of layer arguments, and expressions over them.

use serde::{Deserialize, Serialize};

use crate::source::Span;
use crate::space::{DecisionId, RegionId, Scope};

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
    /// `channels`: those of what comes into this region, an instance of which is around the place of use. Known only
    /// while a network is built.
    Channels(RegionId),
    /// `make_divisible(x, 8)` and the like.
    Call(Function, Vec<Expr>),
    /// `not x`.
    Not(Box<Expr>),
}

/// Functions of [`Expr::Call`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Function {
    /// `min(a, b, ...)` of numbers.
    Min,
    /// `max(a, b, ...)` of numbers.
    Max,
    /// `round(x)`: the nearest integer, ties away from zero. Inside, a division of integers need not be exact.
    Round,
    /// `make_divisible(x, d)`: the multiple of `d` nearest to `x`, ties up, at least `d`, and at least 90 % of `x`.
    ///
    /// Source  MobileNetV2's `_make_divisible`, as MCUNet and Once-for-All use it
    MakeDivisible,
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
    /// `/`; of integers exact, but in the argument of a function
    Div,
    /// `/` in the argument of a function: never of integers
    Ratio,
    /// `==` of any two values of one kind
    Equal,
    /// `!=`
    NotEqual,
    /// `<` of numbers
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `and`
    And,
    /// `or`
    Or,
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
            Expr::Channels(region) => scope
                .channels(*region)
                .map(|channels| Value::Int(channels as i64))
                .ok_or_else(|| "`channels` is used where no feature map is known".to_owned()),
            Expr::Call(function, values) => {
                let values: Vec<Value> =
                    values.iter().map(|value| value.eval(scope)).collect::<Result<_, _>>()?;
                function.apply(&values)
            }
            Expr::Not(operand) => match operand.eval(scope)? {
                Value::Bool(value) => Ok(Value::Bool(!value)),
                other => Err(format!("`{other}` is neither true nor false")),
            },
        }
    }
}

impl BinaryOp {
    /// What a comparison or a connective says of two values; `None` for arithmetic.
    fn holds(self, a: &Value, b: &Value) -> Result<Option<bool>, String> {
        use std::cmp::Ordering;
        let number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_));
        let truth = |value: &Value| match value {
            Value::Bool(value) => Ok(*value),
            other => Err(format!("`{other}` is neither true nor false")),
        };
        let ordering = || match (a, b) {
            (Value::Int(x), Value::Float(y)) => (*x as f64).total_cmp(y),
            (Value::Float(x), Value::Int(y)) => x.total_cmp(&(*y as f64)),
            _ => a.cmp(b),
        };
        let ordered = |wanted: &[Ordering]| match number(a) && number(b) {
            true => Ok(Some(wanted.contains(&ordering()))),
            false => Err(format!("`{a}` and `{b}` are not both numbers")),
        };
        match self {
            BinaryOp::Equal => Ok(Some(ordering().is_eq())),
            BinaryOp::NotEqual => Ok(Some(ordering().is_ne())),
            BinaryOp::Less => ordered(&[Ordering::Less]),
            BinaryOp::AtMost => ordered(&[Ordering::Less, Ordering::Equal]),
            BinaryOp::Greater => ordered(&[Ordering::Greater]),
            BinaryOp::AtLeast => ordered(&[Ordering::Greater, Ordering::Equal]),
            BinaryOp::And => Ok(Some(truth(a)? && truth(b)?)),
            BinaryOp::Or => Ok(Some(truth(a)? || truth(b)?)),
            BinaryOp::Add | BinaryOp::Sub | BinaryOp::Mul | BinaryOp::Div | BinaryOp::Ratio => Ok(None),
        }
    }

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
        if let Some(holds) = self.holds(a, b)? {
            return Ok(Value::Bool(holds));
        }
        if let (Value::Int(x), Value::Int(y), true) = (a, b, self != BinaryOp::Ratio) {
            let result = match self {
                BinaryOp::Add => x.checked_add(*y),
                BinaryOp::Sub => x.checked_sub(*y),
                BinaryOp::Mul => x.checked_mul(*y),
                BinaryOp::Div if *y == 0 => return Err(format!("{x} / 0 divides by zero")),
                BinaryOp::Div if x.checked_rem(*y) == Some(0) => x.checked_div(*y),
                BinaryOp::Div => return Err(format!("{x} / {y} is no integer")),
                _ => None,
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
            _ => x / y,
        };
        if result.is_finite() {
            Ok(Value::Float(result))
        } else {
            Err(format!("the result with {x} and {y} is not finite"))
        }
    }
}

impl Function {
    /// The result for some values.
    ///
    /// # Errors
    /// Values that are no numbers, too few or too many of them, or a result that is too large.
    pub fn apply(self, values: &[Value]) -> Result<Value, String> {
        let number = |value: &Value| match value {
            Value::Int(x) => Ok(*x as f64),
            Value::Float(x) => Ok(*x),
            other => Err(format!("`{other}` is no number")),
        };
        let rounded = |x: f64| {
            if x.abs() < 9e15 { Ok(Value::Int(x as i64)) } else { Err(format!("{x} is too large")) }
        };
        let numbers: Vec<f64> = values.iter().map(number).collect::<Result<_, _>>()?;
        let pick = |better: fn(f64, f64) -> bool| {
            let mut best = 0;
            for (at, &value) in numbers.iter().enumerate() {
                if better(value, numbers[best]) {
                    best = at;
                }
            }
            values.get(best).cloned().ok_or_else(|| "nothing to choose from".to_owned())
        };
        match (self, numbers.as_slice()) {
            (Function::Min, _) => pick(|a, b| a < b),
            (Function::Max, _) => pick(|a, b| a > b),
            (Function::Round, [x]) => rounded(x.round()),
            (Function::MakeDivisible, [x, divisor]) if *divisor >= 1.0 => {
                let nearest = ((x + divisor / 2.0) / divisor).floor() * divisor;
                let at_least = nearest.max(*divisor);
                rounded(if at_least < 0.9 * x { at_least + divisor } else { at_least })
            }
            _ => Err("a function got arguments that do not fit it".to_owned()),
        }
    }
}
