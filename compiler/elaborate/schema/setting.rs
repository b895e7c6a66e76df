//! What a section says, checked, as data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Default, Key, Kind};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;
use crate::space::{Expr, Scope, Value};

/// A value of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Setting {
    /// In base units: bytes, seconds, hertz, shares of 1.
    Number(f64),
    /// A whole number; of samples, epochs, or nothing.
    Integer(i64),
    /// What stood in quotes.
    Text(String),
    /// A word; a form without arguments.
    Word(String),
    /// A truth value.
    Bool(bool),
    /// `[a, b]` or `(a, b)`.
    List(Vec<Setting>),
    /// A form with arguments, those with defaults filled in.
    Call(String, Settings),
    /// A value that each point of the space has for itself, in base units.
    Decision(Expr),
}

/// Values by key; those with defaults are there even where the spec leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(pub BTreeMap<String, Setting>);

/// Something that a spec says and this version only checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Later {
    /// What: "`strategy: grid` of `search`".
    pub what: String,
    /// Where.
    pub span: Span,
    /// What to write instead.
    pub instead: String,
}

impl Later {
    /// E0806, for the commands that would have to carry it out.
    pub fn refusal(&self) -> Diagnostic {
        let message = format!("this version of nasc does not carry out {}", self.what);
        let error = Diagnostic::error(Code::NOT_YET, message).at(self.span, "checked, and no more than that");
        error.help(self.instead.clone())
    }
}

impl Setting {
    /// The value at one point of the space: decisions are replaced by what `scope` says of them.
    ///
    /// # Errors
    /// Overflow or a division that is not exact, in words.
    pub fn resolved(&self, scope: &Scope<'_>) -> Result<Setting, String> {
        Ok(match self {
            Setting::Decision(expr) => Setting::of_value(&expr.eval(scope)?),
            Setting::List(values) => {
                Setting::List(values.iter().map(|value| value.resolved(scope)).collect::<Result<_, _>>()?)
            }
            Setting::Call(name, fields) => Setting::Call(name.clone(), fields.resolved(scope)?),
            fixed => fixed.clone(),
        })
    }

    /// A value of the space as a setting.
    pub(super) fn of_value(value: &Value) -> Setting {
        match value {
            Value::Bool(value) => Setting::Bool(*value),
            Value::Int(value) => Setting::Integer(*value),
            Value::Float(value) => Setting::Number(*value),
            Value::Text(value) => Setting::Word(value.clone()),
            Value::Tuple(values) => Setting::List(values.iter().map(Setting::of_value).collect()),
        }
    }

    fn decides(&self) -> bool {
        match self {
            Setting::Decision(_) => true,
            Setting::List(values) => values.iter().any(Setting::decides),
            Setting::Call(_, fields) => fields.decides(),
            _ => false,
        }
    }
}

impl Settings {
    /// Whether a point of the space is needed to know all values.
    pub fn decides(&self) -> bool {
        self.0.values().any(Setting::decides)
    }

    /// The values at one point of the space.
    ///
    /// # Errors
    /// As [`Setting::resolved`], with the key.
    pub fn resolved(&self, scope: &Scope<'_>) -> Result<Settings, String> {
        let resolve = |(key, value): (&String, &Setting)| match value.resolved(scope) {
            Ok(value) => Ok((key.clone(), value)),
            Err(problem) => Err(format!("`{key}`: {problem}")),
        };
        Ok(Settings(self.0.iter().map(resolve).collect::<Result<_, _>>()?))
    }

    /// A number, in base units; also a whole one.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.0.get(key)? {
            Setting::Number(value) => Some(*value),
            Setting::Integer(value) => Some(*value as f64),
            _ => None,
        }
    }

    /// A whole number that is not negative.
    pub fn integer(&self, key: &str) -> Option<u64> {
        match self.0.get(key)? {
            Setting::Integer(value) => u64::try_from(*value).ok(),
            _ => None,
        }
    }

    /// A truth value.
    pub fn boolean(&self, key: &str) -> Option<bool> {
        match self.0.get(key)? {
            Setting::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Quoted text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key)? {
            Setting::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A form: its name, and its arguments where it has any.
    pub fn form(&self, key: &str) -> Option<(&str, Option<&Settings>)> {
        match self.0.get(key)? {
            Setting::Word(name) => Some((name, None)),
            Setting::Call(name, fields) => Some((name, Some(fields))),
            _ => None,
        }
    }

    /// What differs from the defaults of `keys`, without those named in `known`.
    pub(in crate::elaborate) fn beyond(&self, keys: &[Key], known: &[&str]) -> Settings {
        let differs = |key: &&Key| !known.contains(&key.name) && self.0.get(key.name) != key.given().as_ref();
        let entry = |key: &Key| Some((key.name.to_owned(), self.0.get(key.name)?.clone()));
        Settings(keys.iter().filter(differs).filter_map(entry).collect())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Key {
    /// The default, where there is one.
    pub(super) fn given(&self) -> Option<Setting> {
        if matches!(self.kind, Kind::OfSpace) {
            return None;
        }
        Some(match self.default {
            Default::Required | Default::Absent => return None,
            Default::Number(value) => Setting::Number(value),
            Default::Integer(value) => Setting::Integer(value),
            Default::Word(word) => Setting::Word(word.to_owned()),
            Default::Bool(value) => Setting::Bool(value),
        })
    }
}
