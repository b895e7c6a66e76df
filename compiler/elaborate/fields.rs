//! Keys of a section and arguments of a call, read by name with every mistake told.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::scope::{Scope, is_meant, twice, unknown};
use crate::elaborate::units::{self, Dimension};
use crate::source::Span;
use crate::space::{Expr, Space, Value};
use crate::syntax::ast;
use crate::syntax::print_expr;

/// Named values of one section or call.
pub(super) struct Fields<'a> {
    what: String,
    span: Span,
    entries: IndexMap<&'a str, &'a ast::Expr>,
    /// Names that are not known, and an empty one for each value without a name.
    strays: Vec<String>,
}

/// What the readers need besides the fields.
pub(super) struct Context<'a> {
    /// Top-level names.
    pub scope: &'a Scope,
    /// Takes the mistakes.
    pub out: &'a mut Diagnostics,
    /// Takes the decisions of sections; without it there are none.
    pub space: Option<&'a mut Space>,
}

impl<'a> Fields<'a> {
    /// The keys of a section called `what`.
    pub(super) fn of_section(
        what: &str,
        span: Span,
        fields: &'a [ast::Field],
        known: &[&str],
        context: &mut Context<'_>,
    ) -> Fields<'a> {
        let entries = fields.iter().map(|field| (&field.key, &field.value));
        Fields::new((format!("`{what}`"), "key"), span, entries, known, context)
    }

    /// The arguments of a call; all of them have names.
    pub(super) fn of_call(call: &'a ast::Call, known: &[&str], context: &mut Context<'_>) -> Fields<'a> {
        for arg in call.args.iter().filter(|arg| arg.name.is_none()) {
            let message = format!("the arguments of `{}` have names", call.name.text);
            let error = Diagnostic::error(Code::MISSING, message).at(arg.value.span, "no name before this");
            context.out.push(error.help(format!("arguments are {}", known.join(", "))));
        }
        let entries = call.args.iter().filter_map(|arg| Some((arg.name.as_ref()?, &arg.value)));
        let what = (format!("`{}`", call.name.text), "argument");
        let mut fields = Fields::new(what, call.span, entries, known, context);
        let unnamed = call.args.iter().filter(|arg| arg.name.is_none());
        fields.strays.extend(unnamed.map(|_| String::new()));
        fields
    }

    /// Of `what`, whose values are called `part`s.
    fn new(
        (what, part): (String, &str),
        span: Span,
        given: impl Iterator<Item = (&'a ast::Name, &'a ast::Expr)>,
        known: &[&str],
        context: &mut Context<'_>,
    ) -> Fields<'a> {
        let mut entries = IndexMap::new();
        let mut strays = Vec::new();
        let mut places: IndexMap<&str, Span> = IndexMap::new();
        for (name, value) in given {
            if !known.contains(&name.text.as_str()) {
                strays.push(name.text.clone());
                let kind = format!("{part} of {what}:");
                context.out.push(unknown(&kind, &name.text, name.span, known.iter().copied()));
            } else if let Some(&first) = places.get(name.text.as_str()) {
                context.out.push(twice(&name.text, name.span, first));
            } else {
                places.insert(&name.text, name.span);
                entries.insert(name.text.as_str(), value);
            }
        }
        Fields { what, span, entries, strays }
    }

    /// A value that may be left out.
    pub(super) fn optional(&self, key: &str) -> Option<&'a ast::Expr> {
        self.entries.get(key).copied()
    }

    /// A value that must be given.
    pub(super) fn required(
        &self,
        key: &str,
        example: &str,
        context: &mut Context<'_>,
    ) -> Option<&'a ast::Expr> {
        let found = self.optional(key);
        if found.is_none() && !is_meant(&self.strays, key) {
            let error = Diagnostic::error(Code::MISSING, format!("{} needs `{key}`", self.what));
            let error = error.at(self.span, format!("`{key}` is missing"));
            context.out.push(error.help(format!("write `{key}: {example}`")));
        }
        found
    }

    /// A number in a dimension and a range; `default` where it is not given.
    pub(super) fn number(
        &self,
        key: &str,
        limits: &Limits,
        default: Option<f64>,
        context: &mut Context<'_>,
    ) -> Option<f64> {
        let found = match default {
            Some(default) => match self.optional(key) {
                Some(found) => found,
                None => return Some(default),
            },
            None => self.required(key, limits.example, context)?,
        };
        number(found, &format!("`{key}`"), limits, context)
    }

    /// An integer; `default` where it is not given.
    pub(super) fn integer(
        &self,
        key: &str,
        limits: &Limits,
        default: Option<u64>,
        context: &mut Context<'_>,
    ) -> Option<u64> {
        let value = self.number(key, limits, default.map(|value| value as f64), context)?;
        if value.fract() == 0.0 {
            return Some(value as u64);
        }
        let span = self.optional(key).map_or(self.span, |value| value.span);
        let error = Diagnostic::error(Code::TYPE, format!("`{key}` is an integer, found {value}"));
        context.out.push(error.at(span, "expected an integer"));
        None
    }

    /// Quoted text that must be given.
    pub(super) fn text(&self, key: &str, example: &str, context: &mut Context<'_>) -> Option<String> {
        let value = self.required(key, example, context)?;
        text(value, key, context)
    }
}

/// What a number may be.
pub(super) struct Limits {
    /// In what.
    pub dimension: Dimension,
    /// From, included.
    pub low: f64,
    /// To, included.
    pub high: f64,
    /// How it is written.
    pub example: &'static str,
}

/// A number in a dimension and a range.
pub(super) fn number(
    value: &ast::Expr,
    what: &str,
    limits: &Limits,
    context: &mut Context<'_>,
) -> Option<f64> {
    match units::constant(value, limits.dimension, context.scope) {
        Ok(number) if (limits.low..=limits.high).contains(&number) => Some(number),
        Ok(_) => {
            let message = format!("{what} is out of its range, found `{}`", print_expr(value));
            let label = if limits.low <= f64::MIN_POSITIVE && limits.high >= 1e18 {
                format!("expected {}, more than 0 and within reason", limits.dimension.what())
            } else {
                let [low, high] = [limits.low, limits.high].map(|end| limits.dimension.shown(end));
                format!("expected {low} to {high}")
            };
            context.out.push(Diagnostic::error(Code::RANGE, message).at(value.span, label));
            None
        }
        Err(error) => {
            context.out.push(error);
            None
        }
    }
}

/// A word, or a call's name: `random` and `random()` say the same.
pub(super) fn word_of(value: &ast::Expr) -> Option<&str> {
    match &value.kind {
        ast::ExprKind::Name(name) => Some(name),
        ast::ExprKind::Call(call) if call.args.is_empty() => Some(&call.name.text),
        _ => None,
    }
}

/// Quoted text.
pub(super) fn text(value: &ast::Expr, what: &str, context: &mut Context<'_>) -> Option<String> {
    if let ast::ExprKind::Text(text) = &value.kind {
        return Some(text.clone());
    }
    if let ast::ExprKind::Name(name) = &value.kind
        && let Some(Expr::Value(Value::Text(text))) = context.scope.find(name).and_then(|b| b.expr.clone())
    {
        return Some(text);
    }
    let message = format!("`{what}` is a text, found `{}`", print_expr(value));
    let error = Diagnostic::error(Code::TYPE, message).at(value.span, "expected a text in double quotes");
    context.out.push(error);
    None
}

/// A call of one of some names: `adamw(...)`.
pub(super) fn call<'a>(
    value: &'a ast::Expr,
    what: &str,
    known: &[&str],
    example: &str,
    context: &mut Context<'_>,
) -> Option<&'a ast::Call> {
    let ast::ExprKind::Call(call) = &value.kind else {
        let message = format!("`{what}` is written as `{}(...)`, found `{}`", known[0], print_expr(value));
        let error =
            Diagnostic::error(Code::TYPE, message).at(value.span, "expected arguments in parentheses");
        context.out.push(error.help(format!("write `{what}: {example}`")));
        return None;
    };
    if !known.contains(&call.name.text.as_str()) {
        context.out.push(unknown(what, &call.name.text, call.name.span, known.iter().copied()));
        return None;
    }
    Some(call)
}
