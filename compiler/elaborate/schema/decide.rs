//! Decisions in sections: a range, a set, or the name of a decision in the place of a fixed value.

use super::check::{allowed, describe};
use super::{Form, Key, Kind, Setting};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::domain;
use crate::elaborate::fields::{Context, word_of};
use crate::elaborate::scope::{Scope, unknown};
use crate::elaborate::units::{self, Dimension};
use crate::elaborate::value::{self, Place};
use crate::space::{Domain, Expr, Space, Value};
use crate::syntax::ast::{self, ExprKind, Number, Range, Step};
use crate::syntax::print_expr;

/// Whether a value in the place of a `kind` is decided by the search.
pub(super) fn decides(expr: &ast::Expr, kind: Kind, scope: &Scope) -> bool {
    let inside = |expr: &ast::Expr| decides(expr, kind, scope);
    match &expr.kind {
        ExprKind::Set(_) | ExprKind::Range(_) => true,
        ExprKind::Name(name) => match (kind, scope.find(name)) {
            (Kind::Forms(forms), _) if forms.iter().any(|form| form.name == name) => false,
            (_, Some(binding)) => binding.expr.as_ref().is_some_and(|expr| {
                let mut found = Vec::new();
                value::decisions_of(expr, &mut found);
                !found.is_empty()
            }),
            (_, None) => false,
        },
        ExprKind::Tuple(values) => values.iter().any(inside),
        ExprKind::Negate(value) => inside(value),
        ExprKind::Binary(_, left, right) => inside(left) || inside(right),
        // Those of forms have keys of their own; what is left are functions such as `min`.
        ExprKind::Call(call) if !matches!(kind, Kind::Forms(_)) => {
            call.args.iter().any(|arg| inside(&arg.value))
        }
        _ => false,
    }
}

/// The setting that a decision becomes. Its decisions live at the root of the space.
pub(super) fn decision(
    key: &Key,
    kind: Kind,
    given: &ast::Expr,
    context: &mut Context<'_>,
) -> Option<Setting> {
    let scope = context.scope;
    let Some(space) = context.space.as_deref_mut() else {
        let error = Diagnostic::error(Code::TYPE, format!("`{}` is fixed here", key.name));
        context.out.push(error.at(given.span, "a decision"));
        return None;
    };
    let lowered = match (kind, &given.kind) {
        (Kind::Forms(forms), ExprKind::Set(options)) => words(key, forms, given, options, space),
        _ => plain(given, dimension(kind), scope).and_then(|plain| {
            let region = space.root();
            value::lower(&plain, &mut Place { scope, space, region, name: key.name })
        }),
    };
    let expr = match lowered {
        Ok(expr) => expr,
        Err(error) => {
            context.out.push(error);
            return None;
        }
    };
    if let Err(violation) = value::check(&expr, space, |value| allowed(kind, value)) {
        let wanted = describe(kind);
        // In its own unit, as it is written.
        let found = match violation.found.parse::<f64>() {
            Ok(amount) if dimension(kind) != Dimension::Plain => dimension(kind).shown(amount),
            _ => violation.found.clone(),
        };
        let message = format!("`{}` is {wanted}, found {found}", key.name);
        let mut error =
            Diagnostic::error(violation.code, message).at(given.span, format!("expected {wanted}"));
        let says_the_same = violation.under == format!("`{}` = {}", key.name, violation.found);
        if !violation.under.is_empty() && !says_the_same {
            error = error.note(format!("found with {}", violation.under));
        }
        context.out.push(error);
        return None;
    }
    if let Expr::Value(value) = &expr {
        return Some(Setting::of_value(value));
    }
    let mut used = Vec::new();
    value::decisions_of(&expr, &mut used);
    for decision in used {
        if !space.recipe_uses.contains(&decision) {
            space.recipe_uses.push(decision);
        }
    }
    Some(Setting::Decision(expr))
}

/// `{cosine, constant}`: one of some words.
fn words(
    key: &Key,
    forms: &[Form],
    given: &ast::Expr,
    options: &[ast::Expr],
    space: &mut Space,
) -> Result<Expr, Diagnostic> {
    let mut found: Vec<Value> = Vec::new();
    for option in options {
        let known = forms.iter().filter(|form| form.is_word()).map(|form| form.name);
        let Some(word) = word_of(option) else {
            let message = format!("`{}` chooses between words, found `{}`", key.name, print_expr(option));
            let error = Diagnostic::error(Code::TYPE, message).at(option.span, "expected a word");
            let words: Vec<&str> = known.collect();
            return Err(
                error.help(format!("words are {}; what has arguments stands alone", words.join(", ")))
            );
        };
        if !known.clone().any(|known| known == word) {
            return Err(unknown(key.name, word, option.span, known));
        }
        let value = Value::Text(word.to_owned());
        if let Some(first) = found.iter().position(|known| *known == value) {
            let message = format!("`{word}` stands twice in a set");
            let error =
                Diagnostic::error(Code::DUPLICATE_CHOICE, message).at(option.span, "given again here");
            return Err(error.at(options[first].span, "first given here"));
        }
        found.push(value);
    }
    match found.len() {
        0 => Err(Diagnostic::error(Code::EMPTY_RANGE, "a set needs a value")
            .at(given.span, "nothing to choose from")),
        1 => Ok(Expr::Value(found.remove(0))),
        _ => {
            let (root, domain) = (space.root(), Domain::Set(found));
            Ok(Expr::Decision(domain::add_decision(space, root, key.name, domain, given.span)))
        }
    }
}

/// The dimension of the numbers that a kind takes.
fn dimension(kind: Kind) -> Dimension {
    match kind {
        Kind::Number(dimension, ..) | Kind::Integer(dimension, ..) => dimension,
        Kind::Pair(inner) => dimension(*inner),
        _ => Dimension::Plain,
    }
}

/// A range or set of quantities as one of plain numbers in base units, which is what decisions hold.
fn plain(expr: &ast::Expr, wanted: Dimension, scope: &Scope) -> Result<ast::Expr, Diagnostic> {
    if wanted == Dimension::Plain {
        return Ok(expr.clone());
    }
    let each = |expr: &ast::Expr| plain(expr, wanted, scope);
    let kind = match &expr.kind {
        ExprKind::Set(options) => ExprKind::Set(options.iter().map(each).collect::<Result<_, _>>()?),
        ExprKind::Range(range) => ExprKind::Range(Box::new(Range {
            log: range.log,
            low: each(&range.low)?,
            high: each(&range.high)?,
            step: match &range.step {
                Some(Step::Add(step)) => Some(Step::Add(each(step)?)),
                other => other.clone(),
            },
        })),
        // The unit of epochs may be left out, so decisions may count them; in the model a share is a number.
        ExprKind::Name(_) | ExprKind::Binary(..)
            if matches!(wanted, Dimension::Epochs | Dimension::Share) && decides(expr, Kind::Bool, scope) =>
        {
            expr.kind.clone()
        }
        ExprKind::Name(name) if decides(expr, Kind::Bool, scope) => {
            let message = format!("the decision `{name}` has no unit, and {} is needed", wanted.what());
            let error =
                Diagnostic::error(Code::UNIT, message).at(expr.span, format!("expected {}", wanted.what()));
            return Err(error.help("write the range or the set here, with units"));
        }
        _ => {
            let value = units::constant(expr, wanted, scope)?;
            let counted = matches!(wanted, Dimension::Samples | Dimension::Epochs);
            let number = match counted && value >= 0.0 && value.fract() == 0.0 {
                true => Number::Integer(value as u64),
                false => Number::Decimal(value),
            };
            ExprKind::Number(number, None)
        }
    };
    Ok(ast::Expr { span: expr.span, kind })
}
