//! A section of a spec held against its table: every mistake told, defaults filled in.

use super::decide::{decides, decision};
use super::{Default, Form, Key, Kind, Later, Section, Setting, Settings};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::fields::{Context, Fields, Limits, number, text};
use crate::elaborate::goals;
use crate::elaborate::scope::unknown;
use crate::elaborate::units::{self, Dimension};
use crate::elaborate::value::{self, Place};
use crate::source::Span;
use crate::space::Value;
use crate::syntax::ast::{self, ExprKind};
use crate::syntax::print_expr;

/// A section that was read.
pub(in crate::elaborate) struct Checked {
    /// What it says.
    pub(in crate::elaborate) settings: Settings,
    /// What of it this version only checks.
    pub(in crate::elaborate) later: Vec<Later>,
}

/// Reads a section called `what`. `None` where anything in it is wrong, which is told.
pub(in crate::elaborate) fn section(
    table: &'static Section,
    what: &str,
    given: &ast::Section,
    context: &mut Context<'_>,
) -> Option<Checked> {
    let names: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
    let fields = Fields::of_section(what, given.name.span, &given.fields, &names, context);
    let mut reader = Reader { context, what, later: Vec::new() };
    let settings = reader.fields(table.keys, &fields);
    let mut later = reader.later;
    if let Some(instead) = table.later {
        let what = format!("the section `{what}`");
        later = vec![Later { what, span: given.name.span, instead: instead.to_owned() }];
    }
    Some(Checked { settings: settings?, later })
}

impl Section {
    /// What the section says where it is left out.
    pub(in crate::elaborate) fn defaults(&self) -> Settings {
        let entry = |key: &Key| Some((key.name.to_owned(), key.given()?));
        Settings(self.keys.iter().filter_map(entry).collect())
    }
}

struct Reader<'c, 's> {
    context: &'c mut Context<'s>,
    /// The section.
    what: &'c str,
    later: Vec<Later>,
}

impl Reader<'_, '_> {
    fn fields(&mut self, keys: &'static [Key], fields: &Fields<'_>) -> Option<Settings> {
        let mut settings = Settings::default();
        let mut good = true;
        for key in keys {
            let Some(given) = fields.optional(key.name) else {
                match key.default {
                    Default::Required => {
                        fields.required(key.name, key.example, self.context);
                        good = false;
                    }
                    _ => settings.0.extend(key.given().map(|value| (key.name.to_owned(), value))),
                }
                continue;
            };
            let told = self.later.len();
            if let Some(instead) = key.later {
                self.later.push(self.not_yet(&format!("`{}`", key.name), given.span, instead));
            }
            if matches!(key.kind, Kind::OfSpace) {
                continue;
            }
            let value = self.value(key, key.kind, given);
            good &= value.is_some();
            if key.later.is_some() {
                // The key says it for all that is in it, and its default is what is done anyway.
                self.later.truncate(if value.is_some() && value == key.given() { told } else { told + 1 });
            }
            settings.0.extend(value.map(|value| (key.name.to_owned(), value)));
        }
        good.then_some(settings)
    }

    fn not_yet(&self, part: &str, span: Span, instead: &str) -> Later {
        Later { what: format!("{part} of `{}`", self.what), span, instead: instead.to_owned() }
    }

    fn value(&mut self, key: &Key, kind: Kind, given: &ast::Expr) -> Option<Setting> {
        if let Kind::OneOf(kinds) = kind {
            let found = kinds.iter().find(|kind| self.looks_like(**kind, given));
            // A unit that does not exist is told as such.
            let is_number = |kind: &&Kind| matches!(kind, Kind::Number(..));
            let found = found.or_else(|| match given.kind {
                ExprKind::Number(..) => kinds.iter().find(is_number),
                _ => None,
            });
            let Some(found) = found else { return self.wrong(key, kind, given) };
            return self.value(key, *found, given);
        }
        if key.decides && decides(given, kind, self.context.scope) {
            if let (Kind::Forms(forms), ExprKind::Set(options)) = (kind, &given.kind) {
                for option in options {
                    let named = |form: &&Form| super::super::fields::word_of(option) == Some(form.name);
                    forms.iter().filter(named).for_each(|form| self.form_later(key, form, option.span));
                }
            }
            return decision(key, kind, given, self.context);
        }
        match kind {
            Kind::Number(dimension, low, high) => {
                let limits = Limits { dimension, low, high, example: key.example };
                number(given, &format!("`{}`", key.name), &limits, self.context).map(Setting::Number)
            }
            Kind::Integer(dimension, low, high) => self.integer(key, (dimension, low, high), given),
            Kind::Text => text(given, key.name, self.context).map(Setting::Text),
            Kind::Path => self.path(key, given),
            Kind::Bool => match given.kind {
                ExprKind::Bool(value) => Some(Setting::Bool(value)),
                _ => self.wrong(key, kind, given),
            },
            Kind::Forms(forms) => self.form(key, forms, given),
            Kind::List(inner) => match &given.kind {
                ExprKind::List(values) => self.all(key, *inner, values),
                _ => self.wrong(key, kind, given),
            },
            Kind::Pair(inner) => match &given.kind {
                ExprKind::Tuple(values) if values.len() == 2 => self.all(key, *inner, values),
                _ => self.wrong(key, kind, given),
            },
            Kind::DecisionName => match &given.kind {
                ExprKind::Name(name) => {
                    self.known_decision(name, given.span).then(|| Setting::Word(name.clone()))
                }
                _ => self.wrong(key, kind, given),
            },
            Kind::Narrowed => self.narrowed(key, given),
            Kind::Amount => self.amount(key, given),
            // The first is handled above, the second is never read here.
            Kind::OneOf(_) | Kind::OfSpace => None,
        }
    }

    fn all(&mut self, key: &Key, kind: Kind, values: &[ast::Expr]) -> Option<Setting> {
        let read: Vec<Option<Setting>> = values.iter().map(|value| self.value(key, kind, value)).collect();
        read.into_iter().collect::<Option<Vec<Setting>>>().map(Setting::List)
    }

    /// E0301: the value is not of the kind.
    fn wrong(&mut self, key: &Key, kind: Kind, given: &ast::Expr) -> Option<Setting> {
        let wanted = describe(kind);
        let message = format!("`{}` is {wanted}, found `{}`", key.name, print_expr(given));
        let label = match kind {
            Kind::Forms(forms) if forms.len() > 1 => "expected one of these".to_owned(),
            _ => format!("expected {wanted}"),
        };
        let error = Diagnostic::error(Code::TYPE, message).at(given.span, label);
        let quoted = match (&given.kind, kind) {
            (ExprKind::Text(text), Kind::Forms(forms)) => forms.iter().find(|form| form.name == text),
            _ => None,
        };
        self.context.out.push(match quoted {
            Some(form) => error.help(format!("words stand without quotes: `{}`", form.name)),
            None => error.help(format!("write `{}: {}`", key.name, key.example)),
        });
        None
    }

    fn integer(&mut self, key: &Key, limits: (Dimension, f64, f64), given: &ast::Expr) -> Option<Setting> {
        let (dimension, low, high) = limits;
        let limits = Limits { dimension, low, high, example: key.example };
        let value = number(given, &format!("`{}`", key.name), &limits, self.context)?;
        if value.fract() == 0.0 {
            return Some(Setting::Integer(value as i64));
        }
        let error = Diagnostic::error(Code::TYPE, format!("`{}` is an integer, found {value}", key.name));
        self.context.out.push(error.at(given.span, "expected an integer"));
        None
    }

    fn path(&mut self, key: &Key, given: &ast::Expr) -> Option<Setting> {
        let path = text(given, key.name, self.context)?;
        let leaves = path.split(['/', '\\']).any(|part| part == "..") || path.starts_with(['/', '\\']);
        if leaves || path.is_empty() {
            let message = format!("`{path}` is not a path below the folder of the data");
            let error = Diagnostic::error(Code::NOT_ALLOWED, message).at(given.span, "not allowed");
            let help = "paths are relative to the spec; `--data DIR` names another folder";
            self.context.out.push(error.help(help));
            return None;
        }
        Some(Setting::Text(path))
    }

    fn form(&mut self, key: &Key, forms: &'static [Form], given: &ast::Expr) -> Option<Setting> {
        let (name, span, call) = match &given.kind {
            ExprKind::Name(name) => (name, given.span, None),
            ExprKind::Call(call) => (&call.name.text, call.name.span, Some(call)),
            _ => return self.wrong(key, Kind::Forms(forms), given),
        };
        let Some(form) = forms.iter().find(|form| form.name == name) else {
            let known = forms.iter().map(|form| form.name);
            self.context.out.push(unknown(key.name, name, span, known));
            return None;
        };
        self.form_later(key, form, given.span);
        let empty;
        let call = match call {
            Some(call) => call,
            None if form.is_word() => {
                let name = ast::Name { text: name.clone(), span };
                empty = ast::Call { span, name, args: Vec::new() };
                &empty
            }
            None => {
                let message = format!("`{}` is written as `{name}(...)`, found `{name}`", key.name);
                let error = Diagnostic::error(Code::TYPE, message);
                let error = error.at(given.span, "expected arguments in parentheses");
                self.context.out.push(error.help(format!("write `{}: {}`", key.name, written(form))));
                return None;
            }
        };
        let named = named(call, form.keys);
        let names: Vec<&str> = form.keys.iter().map(|key| key.name).collect();
        let fields = Fields::of_call(&named, &names, self.context);
        let settings = self.fields(form.keys, &fields)?;
        Some(match form.keys {
            [] => Setting::Word(name.clone()),
            _ => Setting::Call(name.clone(), settings),
        })
    }

    fn form_later(&mut self, key: &Key, form: &Form, span: Span) {
        if let Some(instead) = form.later {
            let later = self.not_yet(&format!("`{}: {}`", key.name, form.name), span, instead);
            self.later.push(later);
        }
    }

    /// Whether the space has a decision of this name; told if not.
    fn known_decision(&mut self, name: &str, span: Span) -> bool {
        let Some(space) = self.context.space.as_deref() else { return true };
        let mut names: Vec<&str> =
            space.decisions.iter().map(|decision| plain_name(&decision.name)).collect();
        names.sort_unstable();
        names.dedup();
        if names.contains(&name) {
            return true;
        }
        self.context.out.push(unknown("decision", name, span, names));
        false
    }

    /// `kernel({5, 7})`: some values of a decision.
    fn narrowed(&mut self, key: &Key, given: &ast::Expr) -> Option<Setting> {
        let call = match &given.kind {
            ExprKind::Call(call) => call,
            _ => return self.wrong(key, Kind::Narrowed, given),
        };
        let [ast::Arg { name: None, value: ast::Expr { kind: ExprKind::Set(options), .. } }] = &*call.args
        else {
            return self.wrong(key, Kind::Narrowed, given);
        };
        if !self.known_decision(&call.name.text, call.name.span) {
            return None;
        }
        let space = self.context.space.as_deref_mut()?;
        let scope = self.context.scope;
        let mut values = Vec::new();
        for option in options {
            let (region, name) = (space.root(), key.name);
            let value = match value::constant(option, &mut Place { scope, space, region, name }) {
                Ok(value) => value,
                Err(error) => {
                    self.context.out.push(error);
                    return None;
                }
            };
            let mut domains =
                space.decisions.iter().filter(|known| plain_name(&known.name) == call.name.text);
            if !domains.any(|known| known.domain.position(&value).is_some()) {
                let message = format!("`{}` never has the value {value}", call.name.text);
                let mut error = Diagnostic::error(Code::RANGE, message).at(option.span, "not of its values");
                let declared = space.decisions.iter().find(|known| plain_name(&known.name) == call.name.text);
                if let Some(declared) = declared {
                    error = error.at(declared.span, "they are given here");
                }
                self.context.out.push(error);
                return None;
            }
            values.push(Setting::of_value(&value));
        }
        let fields = [("values".to_owned(), Setting::List(values))].into_iter().collect();
        Some(Setting::Call(call.name.text.clone(), Settings(fields)))
    }

    /// `ram(64 KiB)`: a metric with an amount.
    fn amount(&mut self, key: &Key, given: &ast::Expr) -> Option<Setting> {
        let call = match &given.kind {
            ExprKind::Call(call) => call,
            _ => return self.wrong(key, Kind::Amount, given),
        };
        let [ast::Arg { name: None, value }] = &*call.args else {
            return self.wrong(key, Kind::Amount, given);
        };
        let metric = goals::metric(&call.name.text, call.name.span, self.context)?;
        let what = format!("`{}`", call.name.text);
        let amount = number(value, &what, &goals::limits(metric), self.context)?;
        let fields = [("amount".to_owned(), Setting::Number(amount))].into_iter().collect();
        Some(Setting::Call(call.name.text.clone(), Settings(fields)))
    }

    /// Whether a value may be meant as one of `kind`, by its look alone.
    fn looks_like(&self, kind: Kind, given: &ast::Expr) -> bool {
        match (kind, &given.kind) {
            (_, ExprKind::Set(options)) => options.first().is_some_and(|first| self.looks_like(kind, first)),
            (_, ExprKind::Range(range)) => self.looks_like(kind, &range.low),
            (Kind::Number(dimension, ..) | Kind::Integer(dimension, ..), ExprKind::Number(number, unit)) => {
                units::literal(*number, unit.as_ref()).is_ok_and(|found| found.dimension == dimension)
            }
            (Kind::Number(dimension, ..) | Kind::Integer(dimension, ..), ExprKind::Name(name)) => {
                let bound = self.context.scope.find(name);
                bound.is_some_and(|bound| match bound.quantity {
                    Some(quantity) => quantity.dimension == dimension,
                    None => dimension == Dimension::Plain,
                })
            }
            (Kind::Number(dimension, ..) | Kind::Integer(dimension, ..), ExprKind::Binary(..)) => {
                dimension == Dimension::Plain
            }
            (Kind::Pair(_), ExprKind::Tuple(_)) => true,
            _ => false,
        }
    }
}

/// The name of a decision as it is written: a second one of one name in a region has a number behind it.
fn plain_name(name: &str) -> &str {
    name.split_once('.').map_or(name, |(name, _)| name)
}

/// The call with names for the values that may stand without.
fn named(call: &ast::Call, keys: &[Key]) -> ast::Call {
    let mut call = call.clone();
    let given: Vec<String> =
        call.args.iter().filter_map(|arg| Some(arg.name.as_ref()?.text.clone())).collect();
    let mut free = keys.iter().filter(|key| key.positional && !given.iter().any(|name| name == key.name));
    for arg in call.args.iter_mut().filter(|arg| arg.name.is_none()) {
        arg.name = free.next().map(|key| ast::Name { text: key.name.to_owned(), span: arg.value.span });
    }
    call
}

/// A form with examples for what must be given: `adamw(lr: 1e-3)`.
pub(super) fn written(form: &Form) -> String {
    let required = form.keys.iter().filter(|key| matches!(key.default, Default::Required));
    let args: Vec<String> = required
        .map(|key| match key.positional {
            true => key.example.to_owned(),
            false => format!("{}: {}", key.name, key.example),
        })
        .collect();
    if args.is_empty() { form.name.to_owned() } else { format!("{}({})", form.name, args.join(", ")) }
}

/// Whether a decision in the place of a kind may have this value.
pub(super) fn allowed(kind: Kind, value: &Value) -> Result<(), Code> {
    let within = |number: f64, low: f64, high: f64| match (low..=high).contains(&number) {
        true => Ok(()),
        false => Err(Code::RANGE),
    };
    match (kind, value) {
        (Kind::Number(_, low, high) | Kind::Integer(_, low, high), Value::Int(value)) => {
            within(*value as f64, low, high)
        }
        (Kind::Number(_, low, high), Value::Float(value)) => within(*value, low, high),
        (Kind::Bool, Value::Bool(_)) => Ok(()),
        (Kind::Forms(forms), Value::Text(word)) => {
            let found = forms.iter().any(|form| form.is_word() && form.name == word);
            if found { Ok(()) } else { Err(Code::TYPE) }
        }
        (Kind::Pair(inner), Value::Tuple(values)) if values.len() == 2 => {
            values.iter().try_for_each(|value| allowed(*inner, value))
        }
        _ => Err(Code::TYPE),
    }
}

/// What a kind takes, in words.
pub(super) fn describe(kind: Kind) -> String {
    let joined = |parts: Vec<String>| match parts.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => parts.concat(),
    };
    match kind {
        Kind::Number(dimension, low, high) | Kind::Integer(dimension, low, high) => {
            let what = match (dimension, kind) {
                (Dimension::Plain, Kind::Integer(..)) => "an integer",
                (Dimension::Plain, _) => "a number",
                (dimension, _) => dimension.what(),
            };
            format!("{what} from {} to {}", dimension.shown(low), dimension.shown(high))
        }
        Kind::Text => "a text in double quotes".to_owned(),
        Kind::Path => "a path in double quotes".to_owned(),
        Kind::Bool => "`true` or `false`".to_owned(),
        Kind::Forms(forms) => joined(
            forms
                .iter()
                .map(|form| match form.is_word() {
                    true => format!("`{}`", form.name),
                    false => format!("`{}(...)`", form.name),
                })
                .collect(),
        ),
        Kind::List(inner) => match inner {
            Kind::Forms(_) => format!("a list `[...]` of {}", describe(*inner).replace(" or ", " and ")),
            _ => format!("a list `[...]`, each {}", describe(*inner)),
        },
        Kind::Pair(inner) => format!("a pair `(height, width)`, each {}", describe(*inner)),
        Kind::OneOf(kinds) => joined(kinds.iter().map(|kind| describe(*kind)).collect()),
        Kind::DecisionName => "the name of a decision".to_owned(),
        Kind::Narrowed => "a decision with some of its values, such as `kernel({5, 7})`".to_owned(),
        Kind::Amount => "a metric with an amount, such as `ram(64 KiB)`".to_owned(),
        Kind::OfSpace => "a number or a decision".to_owned(),
    }
}
