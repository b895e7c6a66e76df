//! Calls of layers and blocks: arguments checked, defaults filled in, blocks expanded.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::layers::{self, Default, Kind, Row};
use crate::elaborate::library;
use crate::elaborate::model::Builder;
use crate::elaborate::scope::{Binding, Scope, Structure, is_meant, twice, unknown};
use crate::elaborate::value::{self, Place};
use crate::space::{Argument, Expr, Layer, RegionId, RegionKind, Value};
use crate::syntax::ast;
use crate::syntax::print_expr;

impl Builder<'_> {
    /// Adds what a layer or block of that name stands for.
    pub(super) fn call(&mut self, call: &ast::Call, parent: RegionId) {
        let library = self.library;
        let names = &library.modules[self.module].names;
        if let Some(&(block, _)) = names.get(&call.name.text) {
            return self.block(block, call, parent);
        }
        if let Some(row) = layers::find(&call.name.text) {
            return self.layer(row, call, parent);
        }
        if library.modules[self.module].missing.contains(&call.name.text) {
            return;
        }
        let known = names.keys().map(String::as_str).chain(layers::LAYERS.iter().map(|row| row.name));
        let listed = unknown("layer", &call.name.text, call.name.span, known);
        let error = Diagnostic { help: Vec::new(), ..listed.clone() };
        self.out.push(match call.name.text.as_str() {
            "softmax" | "Softmax" | "log_softmax" | "LogSoftmax" => {
                error.help("leave it out: the greatest output is the answer, before softmax as after it")
            }
            "Input" | "InputLayer" => {
                error.help("the shape stands in the head: `model m(input: (32, 32, 3), ...)`")
            }
            "Add" | "Concatenate" | "Multiply" | "add" | "concat" | "concatenate" => {
                error.help("branches are joined by `parallel merge add { ... }`; also `concat` and `mul`")
            }
            "residual" | "mirror" | "optional" => {
                error.help(format!("it has a body in braces: `{} {{ ... }}`", call.name.text))
            }
            "Activation" | "activation" => {
                error.help("activations are layers, such as `relu`, or the argument `act` of a layer")
            }
            name => match library::block_meant(name).filter(|block| !names.contains_key(*block)) {
                Some(block) => {
                    error.help(format!("take it from the library: `use std/blocks {{ {block} }}`"))
                }
                None => listed,
            },
        });
    }

    /// The arguments of a call by name; those that are unknown, unnamed or given twice are told. The names of the
    /// unknown come second, empty for the unnamed.
    fn arguments<'c>(
        &mut self,
        call: &'c ast::Call,
        known: &[&str],
    ) -> (IndexMap<&'c str, &'c ast::Arg>, Vec<String>) {
        let mut strays: Vec<String> = Vec::new();
        let mut arguments: IndexMap<&str, &ast::Arg> = IndexMap::new();
        for arg in &call.args {
            let Some(name) = &arg.name else {
                let unnamed = strays.iter().filter(|stray| stray.is_empty()).count();
                strays.push(String::new());
                let message = format!("the arguments of `{}` have names", call.name.text);
                let error =
                    Diagnostic::error(Code::MISSING, message).at(arg.value.span, "no name before this");
                let mut missing = known.iter().filter(|name| !arguments.contains_key(**name));
                self.out.push(match missing.nth(unnamed) {
                    Some(name) => {
                        error.help(format!("write `{name}: {}`", print_expr(&without_list(&arg.value))))
                    }
                    None => error,
                });
                continue;
            };
            if !known.contains(&name.text.as_str()) {
                strays.push(name.text.clone());
                let what = format!("argument of `{}`:", call.name.text);
                self.out.push(unknown(&what, &name.text, name.span, known.iter().copied()));
                continue;
            }
            match arguments.get(name.text.as_str()).and_then(|first| first.name.as_ref()) {
                Some(first) => self.out.push(twice(&name.text, name.span, first.span)),
                None => {
                    arguments.insert(&name.text, arg);
                }
            }
        }
        (arguments, strays)
    }

    fn layer(&mut self, row: &'static Row, call: &ast::Call, parent: RegionId) {
        // The kind is known only after the arguments, whose decisions live in the region.
        let kind = RegionKind::Layer(Layer::Identity);
        let Some(region) = self.add(parent, kind, row.name, call.span) else { return };
        let known: Vec<&str> = row.parameters.iter().map(|parameter| parameter.name).collect();
        let (given, strays) = self.arguments(call, &known);
        let mut arguments: Vec<Argument> = Vec::new();
        let mut whole = true;
        for parameter in row.parameters {
            let argument = match given.get(parameter.name) {
                Some(arg) => self.argument(row, parameter.name, parameter.kind, &arg.value, region),
                None => self.default(row, parameter, &arguments, (call, &strays)),
            };
            whole &= argument.is_some();
            let nothing = || Argument { expr: Expr::Value(Value::Int(1)), span: call.span };
            arguments.push(argument.unwrap_or_else(nothing));
        }
        if whole {
            self.space.set_kind(region, RegionKind::Layer(layers::build(row, arguments, call.span)));
        }
    }

    fn default(
        &mut self,
        row: &Row,
        parameter: &layers::Parameter,
        before: &[Argument],
        (call, strays): (&ast::Call, &[String]),
    ) -> Option<Argument> {
        let expr = match parameter.default {
            Default::Int(value) => Expr::Value(Value::Int(value)),
            Default::Word(word) => Expr::Value(Value::Text(word.to_owned())),
            Default::Like(other) => {
                let position = row.parameters.iter().position(|parameter| parameter.name == other);
                before[position.expect("the table names a parameter before this one")].expr.clone()
            }
            Default::None if is_meant(strays, parameter.name) => return None,
            Default::None => {
                let message = format!("`{}` needs the argument `{}`", row.name, parameter.name);
                let label = format!("`{}` is missing", parameter.name);
                let error = Diagnostic::error(Code::MISSING, message).at(call.span, label);
                let help = format!("`{}` takes {}", parameter.name, value::describe(parameter.kind));
                self.out.push(error.note(format!("`{}` is {}", row.name, row.doc)).help(help));
                return None;
            }
        };
        Some(Argument { expr, span: call.span })
    }

    fn argument(
        &mut self,
        row: &Row,
        name: &str,
        kind: Kind,
        given: &ast::Expr,
        region: RegionId,
    ) -> Option<Argument> {
        if let (Kind::Word(words), ast::ExprKind::Name(word)) = (kind, &given.kind)
            && !layers::WORDS.contains(&word.as_str())
            && self.scope.find(word).is_none()
        {
            let what = format!("`{name}` of `{}`:", row.name);
            let error = unknown(&what, word, given.span, words.iter().copied());
            self.out.push(match word.as_str() {
                "softmax" => error.note("the greatest output is the answer, before softmax as after it"),
                _ => error,
            });
            return None;
        }
        let (scope, space) = (&self.scope, &mut self.space);
        let expr = match value::lower(given, &mut Place { scope, space, region, name }) {
            Ok(expr) => expr,
            Err(error) => {
                self.out.push(error);
                return None;
            }
        };
        if let Err(violation) = value::check(&expr, &self.space, |value| value::allowed(kind, value)) {
            let allowed = value::describe(kind);
            let message = format!("`{name}` of `{}` is {allowed}, found {}", row.name, violation.found);
            let mut error =
                Diagnostic::error(violation.code, message).at(given.span, format!("expected {allowed}"));
            error = at_value(error, given, &self.scope);
            if !violation.under.is_empty() {
                error = error.note(format!("found with {}", violation.under));
            }
            let is_percent = violation.found.parse::<f64>().is_ok_and(|share| (1.0..100.0).contains(&share));
            if kind == Kind::Share && is_percent {
                error = error.help(format!("write `{} %`", violation.found));
            }
            self.out.push(error);
            return None;
        }
        Some(Argument { expr, span: given.span })
    }

    fn block(&mut self, block: usize, call: &ast::Call, parent: RegionId) {
        let library = self.library;
        let callee = &library.blocks[block];
        let definition = &callee.definition;
        if let Some(&(_, first)) = self.stack.iter().find(|(id, _)| *id == block) {
            if self.circular.contains(&block) {
                return;
            }
            self.circular.push(block);
            let message = format!("the block `{}` contains itself", definition.name.text);
            return self.out.push(
                Diagnostic::error(Code::NOT_ALLOWED, message)
                    .at(call.span, "called again while it is expanded")
                    .at(first, "first called here")
                    .help("use `repeat` for what occurs several times"),
            );
        }
        let name = &definition.name.text;
        let Some(region) = self.add(parent, RegionKind::Sequence, name, call.span) else { return };
        let known: Vec<&str> = definition.params.iter().map(|param| param.name.text.as_str()).collect();
        let (given, strays) = self.arguments(call, &known);
        let mut inner = self.scopes[callee.module].clone();
        inner.enter();
        inner.set_body(Some(region));
        for param in &definition.params {
            let binding = match given.get(param.name.text.as_str()) {
                Some(arg) => self.block_argument(param, &arg.value, &self.scope.clone(), region),
                None => match &param.default {
                    Some(default) => self.block_argument(param, default, &inner, region),
                    None if is_meant(&strays, &param.name.text) => None,
                    None => {
                        let message = format!("`{name}` needs the argument `{}`", param.name.text);
                        let error = Diagnostic::error(Code::MISSING, message)
                            .at(call.span, format!("`{}` is missing", param.name.text))
                            .at(param.name.span, "has no default");
                        self.out.push(error);
                        None
                    }
                },
            };
            let Some(binding) = binding else { return };
            if let Err(error) = inner.declare(&param.name, binding) {
                self.out.push(error);
            }
        }
        inner.enter();
        let outer = std::mem::replace(&mut self.scope, inner);
        let outer_module = std::mem::replace(&mut self.module, callee.module);
        self.stack.push((block, call.span));
        self.scope.set_body(Some(region));
        self.body(&definition.body, region);
        self.stack.pop();
        self.module = outer_module;
        self.scope = outer;
    }

    /// An argument of a block, or its default, of the type that the default shows.
    fn block_argument(
        &mut self,
        param: &ast::Param,
        given: &ast::Expr,
        scope: &Scope,
        region: RegionId,
    ) -> Option<Binding> {
        let name = &param.name.text;
        let place = &mut Place { scope, space: &mut self.space, region, name };
        let expr = match value::lower(given, place) {
            Ok(expr) => expr,
            Err(error) => {
                self.out.push(error);
                return None;
            }
        };
        if let Some(ty) = &param.ty {
            return self.typed_argument((param, ty), given, expr, scope);
        }
        let default = param.default.as_ref().and_then(type_word);
        let is_word = |value: &Value| matches!(value, Value::Text(_));
        let verdict = value::check(&expr, &self.space, |value| match default {
            Some(wants_word) if wants_word != is_word(value) => Err(Code::TYPE),
            _ => Ok(()),
        });
        if let Err(violation) = verdict {
            let wanted = if default == Some(true) { "a word" } else { "a number or a pair" };
            let error =
                Diagnostic::error(violation.code, format!("`{name}` is {wanted}, found {}", violation.found))
                    .at(given.span, format!("expected {wanted}"))
                    .at(param.name.span, "its default shows the type");
            self.out.push(error);
            return None;
        }
        Some(Binding { expr: Some(expr), quantity: None, span: given.span, structure: Structure::No })
    }
}

impl Builder<'_> {
    /// An argument of a block whose parameter has a type.
    fn typed_argument(
        &mut self,
        (param, ty): (&ast::Param, &ast::Name),
        given: &ast::Expr,
        expr: Expr,
        scope: &Scope,
    ) -> Option<Binding> {
        let kind = self.kind_of(ty)?;
        let name = &param.name.text;
        if let Err(violation) = value::check(&expr, &self.space, |value| value::allowed(kind, value)) {
            let allowed = value::describe(kind);
            let error = Diagnostic::error(
                violation.code,
                format!("`{name}` is {allowed}, found {}", violation.found),
            )
            .at(given.span, format!("expected {allowed}"))
            .at(ty.span, "by its type");
            let error = at_value(error, given, scope);
            self.out.push(match violation.under.as_str() {
                "" => error,
                under => error.note(format!("found with {under}")),
            });
            return None;
        }
        Some(Binding { expr: Some(expr), quantity: None, span: given.span, structure: Structure::No })
    }
}

/// Adds the place where a name that was given got its value.
fn at_value(error: Diagnostic, given: &ast::Expr, scope: &Scope) -> Diagnostic {
    match &given.kind {
        ast::ExprKind::Name(name) => match scope.find(name) {
            Some(binding) => error.at(binding.span, format!("`{name}` has its value here")),
            None => error,
        },
        _ => error,
    }
}

/// A list as the set that is meant by it.
fn without_list(value: &ast::Expr) -> ast::Expr {
    match &value.kind {
        ast::ExprKind::List(options) => {
            ast::Expr { kind: ast::ExprKind::Set(options.clone()), span: value.span }
        }
        _ => value.clone(),
    }
}

/// Whether a default is a word (`true`), a number or pair (`false`), or says nothing (`None`).
fn type_word(default: &ast::Expr) -> Option<bool> {
    match &default.kind {
        ast::ExprKind::Number(..) | ast::ExprKind::Tuple(_) => Some(false),
        ast::ExprKind::Name(name) if layers::WORDS.contains(&name.as_str()) => Some(true),
        _ => None,
    }
}
