//! The `model` as a region tree: blocks expanded, arguments checked, decisions placed.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::layers::{self, Default, Kind, Row};
use crate::elaborate::library::Library;
use crate::elaborate::scope::{Binding, Scope, is_meant, twice, unknown};
use crate::elaborate::value::{self, Place};
use crate::source::Span;
use crate::space::{
    Argument, DecisionId, Domain, Expr, Layer, Merge, Region, RegionId, RegionKind, Space, Value,
};
use crate::syntax::ast;

/// Regions of one space; more is refused.
const MAX_REGIONS: usize = 4096;

/// Regions inside one another; more is refused.
const MAX_DEPTH: usize = 100;

/// Repetitions; more is refused.
const MAX_REPEAT: i64 = 256;

/// Decisions of one space; more is refused.
const MAX_DECISIONS: usize = 4096;

/// Builds the space of `model`; the mistakes go to `out`. The space is of use only without errors.
pub(super) fn build(library: &Library, model: &ast::Definition, out: &mut Diagnostics) -> (Space, Scope) {
    let input = parameter(model, "input").and_then(|value| input_shape(value, out));
    let classes = parameter(model, "classes").and_then(|value| classes(value, out));
    for (name, given, example) in [
        ("input", parameter(model, "input").is_some(), "input: (49, 10, 1)"),
        ("classes", parameter(model, "classes").is_some(), "classes: 12"),
    ] {
        if !given {
            let error = Diagnostic::error(Code::MISSING, format!("the model has no `{name}`"));
            let error = error.at(model.name.span, format!("`{name}` is missing"));
            out.push(error.help(format!("write `model {}({example}, ...)`", model.name.text)));
        }
    }
    let space = Space::new(input.unwrap_or([1; 3]), classes.unwrap_or(1), model.name.span);
    let root = space.root();
    let mut scopes = Vec::new();
    let mut builder = Builder {
        library,
        space,
        scope: Scope::default(),
        scopes: Vec::new(),
        module: 0,
        stack: Vec::new(),
        depth: 0,
        full: false,
        out,
    };
    for module in &library.modules {
        builder.scope = Scope::default();
        builder.scope.enter();
        for item in &module.tree.items {
            if let ast::ItemKind::Let(item) | ast::ItemKind::Param(item) = &item.kind {
                builder.bind(item, root);
            }
        }
        scopes.push(builder.scope.clone());
    }
    let spec_scope = scopes[0].clone();
    builder.scopes = scopes;
    builder.scope = spec_scope.clone();
    builder.scope.enter();
    for param in &model.params {
        builder.model_parameter(param, root);
    }
    builder.scope.enter();
    builder.body(&model.body, root);
    let space = builder.space;
    if parameter(model, "classes").is_some() && !out.has_errors() {
        let declared = model.params.iter().find(|param| param.name.text == "classes");
        let declared = declared.map_or(model.name.span, |param| param.name.span);
        check_outputs(&space, root, declared, out);
    }
    (space, spec_scope)
}

fn parameter<'a>(model: &'a ast::Definition, name: &str) -> Option<&'a ast::Expr> {
    let found = model.params.iter().find(|param| param.name.text == name)?;
    found.default.as_ref()
}

/// `(49, 10, 1)`: height, width, channels; `(25, 12)`: steps, channels; `640`: channels.
fn input_shape(value: &ast::Expr, out: &mut Diagnostics) -> Option<[usize; 3]> {
    let parts = match &value.kind {
        ast::ExprKind::Tuple(parts) => parts.as_slice(),
        _ => std::slice::from_ref(value),
    };
    let sizes: Option<Vec<usize>> = parts.iter().map(positive).collect();
    let shape = match sizes.as_deref() {
        Some(&[channels]) => Some([1, 1, channels]),
        Some(&[steps, channels]) => Some([steps, 1, channels]),
        Some(&[height, width, channels]) => Some([height, width, channels]),
        _ => None,
    };
    let fits = |shape: &[usize; 3]| {
        let elements = shape.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
        elements.is_some_and(|elements| elements as i64 <= value::MAX_COUNT)
    };
    if shape.as_ref().is_none_or(|shape| !fits(shape)) {
        let error = Diagnostic::error(Code::TYPE, "the input of a model is its shape");
        let label = format!("expected one to three integers with a product of at most {}", value::MAX_COUNT);
        let error = error.at(value.span, label);
        out.push(error.help("write `(height, width, channels)`, `(steps, channels)` or `channels`"));
        return None;
    }
    shape
}

fn positive(value: &ast::Expr) -> Option<usize> {
    match value.kind {
        ast::ExprKind::Number(ast::Number::Integer(size), None) if size > 0 => usize::try_from(size).ok(),
        _ => None,
    }
}

fn classes(value: &ast::Expr, out: &mut Diagnostics) -> Option<usize> {
    let classes = positive(value).filter(|&classes| (2..=65536).contains(&classes));
    if classes.is_none() {
        let error = Diagnostic::error(Code::TYPE, "the number of classes is an integer");
        out.push(error.at(value.span, "expected an integer from 2 to 65536"));
    }
    classes
}

/// Follows the last region of every path: where it is dense, it must have one output for each class.
fn check_outputs(space: &Space, region: RegionId, declared: Span, out: &mut Diagnostics) {
    let children = space.children(region);
    match &space.region(region).kind {
        RegionKind::Layer(Layer::Dense { units, .. }) => {
            let wanted = Value::Int(space.classes as i64);
            let verdict =
                value::check(
                    &units.expr,
                    space,
                    |value| {
                        if *value == wanted { Ok(()) } else { Err(Code::SHAPE) }
                    },
                );
            if let Err(violation) = verdict {
                let message = format!("the last layer has {} outputs for {wanted} classes", violation.found);
                out.push(
                    Diagnostic::error(Code::SHAPE, message)
                        .at(units.span, format!("{} outputs", violation.found))
                        .at(declared, format!("{wanted} classes"))
                        .help("write `units: classes`"),
                );
            }
        }
        RegionKind::Choose { .. } | RegionKind::Parallel { .. } => {
            children.iter().for_each(|&child| check_outputs(space, child, declared, out));
        }
        RegionKind::Sequence | RegionKind::Repeat { .. } => {
            if let Some(&last) = children.last() {
                check_outputs(space, last, declared, out);
            }
        }
        RegionKind::Optional { .. } | RegionKind::Layer(_) => {}
    }
}

struct Builder<'a> {
    library: &'a Library,
    space: Space,
    /// The names in scope at the current place.
    scope: Scope,
    /// The top-level names of each module.
    scopes: Vec<Scope>,
    module: usize,
    /// The blocks that are being expanded, each with its call.
    stack: Vec<(usize, Span)>,
    depth: usize,
    full: bool,
    out: &'a mut Diagnostics,
}

impl Builder<'_> {
    fn too_many_decisions(&mut self, span: Span) -> bool {
        if self.space.decisions.len() <= MAX_DECISIONS || self.full {
            return self.full;
        }
        self.full = true;
        let message = format!("the space has more than {MAX_DECISIONS} decisions");
        self.out.push(Diagnostic::error(Code::TOO_LARGE, message).at(span, "the limit is met here"));
        true
    }

    fn bind(&mut self, item: &ast::Let, region: RegionId) {
        if self.too_many_decisions(item.name.span) {
            return;
        }
        if let Err(error) = value::bind(item, &mut self.scope, (&mut self.space, region)) {
            // Later uses of the name would only repeat the mistake.
            let (expr, quantity) = (Some(Expr::Value(Value::Int(1))), None);
            let _ = self.scope.declare(&item.name, Binding { expr, quantity, span: item.name.span });
            self.out.push(error);
        }
    }

    fn model_parameter(&mut self, param: &ast::Param, root: RegionId) {
        let Some(default) = &param.default else {
            if !matches!(param.name.text.as_str(), "input" | "classes") {
                let message = format!("the parameter `{}` of a model needs a value", param.name.text);
                self.out.push(Diagnostic::error(Code::MISSING, message).at(param.name.span, "no value"));
            }
            return;
        };
        let mut value = default.clone();
        if matches!(param.name.text.as_str(), "input" | "classes") && !is_fixed(default) {
            // Told already; a value keeps its uses from being told as well.
            value.kind = ast::ExprKind::Number(ast::Number::Integer(1), None);
        }
        self.bind(&ast::Let { name: param.name.clone(), value }, root);
    }

    /// Adds a region, or tells once that the space is too large.
    fn add(&mut self, parent: RegionId, kind: RegionKind, name: &str, span: Span) -> Option<RegionId> {
        if self.full {
            return None;
        }
        if self.too_many_decisions(span) {
            return None;
        }
        if self.space.regions().node_count() >= MAX_REGIONS {
            self.full = true;
            let message = format!("the space has more than {MAX_REGIONS} regions");
            self.out.push(Diagnostic::error(Code::TOO_LARGE, message).at(span, "the limit is met here"));
            return None;
        }
        let region = Region { kind, decisions: Vec::new(), name: name.to_owned(), span };
        Some(self.space.add_child(parent, region))
    }

    fn body(&mut self, body: &ast::Body, region: RegionId) {
        if self.depth >= MAX_DEPTH {
            if !self.full {
                self.full = true;
                let message = format!("more than {MAX_DEPTH} regions inside one another");
                self.out.push(Diagnostic::error(Code::TOO_LARGE, message).at(body.span, ""));
            }
            return;
        }
        self.depth += 1;
        for statement in &body.statements {
            match &statement.kind {
                ast::StatementKind::Let(item) => self.bind(item, region),
                ast::StatementKind::Layer(call) => self.call(call, region),
                ast::StatementKind::Repeat(repeat) => self.repeat(repeat, region, statement.span),
                ast::StatementKind::Choose(choose) => self.choose(choose, region, statement.span),
                ast::StatementKind::Optional(optional) => self.optional(optional, region, statement.span),
                ast::StatementKind::Parallel(parallel) => self.parallel(parallel, region, statement.span),
            }
        }
        self.depth -= 1;
    }

    /// A body as a child of its own, with names of its own.
    fn child(&mut self, body: &ast::Body, parent: RegionId, name: &str) {
        let Some(region) = self.add(parent, RegionKind::Sequence, name, body.span) else { return };
        self.scope.enter();
        self.body(body, region);
        self.scope.leave();
    }

    fn repeat(&mut self, repeat: &ast::Repeat, parent: RegionId, span: Span) {
        let name = repeat.name.as_ref().map_or("repeat", |name| name.text.as_str());
        let once = Expr::Value(Value::Int(1));
        let Some(region) = self.add(parent, RegionKind::Repeat { count: once }, name, span) else { return };
        let decision = repeat.name.as_ref().map_or("count", |name| name.text.as_str());
        let (scope, space) = (&self.scope, &mut self.space);
        match value::lower(&repeat.count, &mut Place { scope, space, region, name: decision }) {
            Ok(count) => {
                let verdict = value::check(&count, &self.space, |value| match value {
                    Value::Int(0..=MAX_REPEAT) => Ok(()),
                    Value::Int(_) => Err(Code::RANGE),
                    _ => Err(Code::TYPE),
                });
                if let Err(violation) = verdict {
                    let what = format!("an integer from 0 to {MAX_REPEAT}");
                    self.violation("the count of a `repeat`", &what, violation, repeat.count.span);
                }
                self.space.set_kind(region, RegionKind::Repeat { count });
            }
            Err(error) => self.out.push(error),
        }
        self.child(&repeat.body, region, "body");
    }

    fn violation(&mut self, what: &str, allowed: &str, violation: value::Violation, span: Span) {
        let message = format!("{what} is {allowed}, found {}", violation.found);
        let error = Diagnostic::error(violation.code, message).at(span, format!("expected {allowed}"));
        self.out.push(match violation.under.as_str() {
            "" => error,
            under => error.note(format!("found with {under}")),
        });
    }

    /// The labels of branches, each once.
    fn labels(&mut self, branches: &[ast::Branch]) -> Vec<String> {
        let mut seen: IndexMap<&str, Span> = IndexMap::new();
        for branch in branches {
            if let Some(&first) = seen.get(branch.label.text.as_str()) {
                let message = format!("the label `{}` is given twice", branch.label.text);
                self.out.push(
                    Diagnostic::error(Code::DUPLICATE_CHOICE, message)
                        .at(branch.label.span, "given again here")
                        .at(first, "first given here"),
                );
            }
            seen.entry(&branch.label.text).or_insert(branch.label.span);
        }
        branches.iter().map(|branch| branch.label.text.clone()).collect()
    }

    fn choose(&mut self, choose: &ast::Choose, parent: RegionId, span: Span) {
        let name = choose.name.as_ref().map_or("choose", |name| name.text.as_str());
        if choose.options.is_empty() {
            let error = Diagnostic::error(Code::EMPTY_RANGE, "a `choose` needs an option");
            return self.out.push(error.at(span, "nothing to choose from"));
        }
        let labels = self.labels(&choose.options);
        let Some(region) = self.add(parent, RegionKind::Sequence, name, span) else { return };
        let domain = Domain::Set(labels.iter().cloned().map(Value::Text).collect());
        let decision = value::add_decision(&mut self.space, region, name, domain, span);
        self.space.set_kind(region, RegionKind::Choose { labels, decision });
        for option in &choose.options {
            self.child(&option.body, region, &option.label.text);
        }
    }

    fn optional(&mut self, optional: &ast::Optional, parent: RegionId, span: Span) {
        let name = optional.name.as_ref().map_or("optional", |name| name.text.as_str());
        let kind = RegionKind::Optional { decision: DecisionId(0) };
        let Some(region) = self.add(parent, kind, name, span) else { return };
        let domain = Domain::Set(vec![Value::Bool(false), Value::Bool(true)]);
        let decision = value::add_decision(&mut self.space, region, name, domain, span);
        self.space.set_kind(region, RegionKind::Optional { decision });
        self.child(&optional.body, region, "body");
    }

    fn parallel(&mut self, parallel: &ast::Parallel, parent: RegionId, span: Span) {
        match &parallel.merge.kind {
            ast::ExprKind::Name(name) if name == "add" => {}
            ast::ExprKind::Name(name) => self.out.push(unknown("merge", name, parallel.merge.span, ["add"])),
            _ => {
                let error = Diagnostic::error(Code::TYPE, "a merge is one word");
                self.out.push(error.at(parallel.merge.span, "expected `add`"));
            }
        }
        if parallel.branches.len() < 2 {
            let error = Diagnostic::error(Code::MISSING, "a `parallel` needs at least two branches");
            self.out.push(error.at(span, format!("has {}", parallel.branches.len())));
        }
        self.labels(&parallel.branches);
        let name = parallel.name.as_ref().map_or("parallel", |name| name.text.as_str());
        let kind = RegionKind::Parallel { merge: Merge::Add };
        let Some(region) = self.add(parent, kind, name, span) else { return };
        for branch in &parallel.branches {
            self.child(&branch.body, region, &branch.label.text);
        }
    }

    fn call(&mut self, call: &ast::Call, parent: RegionId) {
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
        let error = unknown("layer", &call.name.text, call.name.span, known);
        let in_stdlib = library.modules.iter().any(|m| m.names.contains_key(&call.name.text));
        self.out.push(match call.name.text.as_str() {
            "ds_conv" if !in_stdlib => error.help("take it from the library: `use std/blocks { ds_conv }`"),
            _ => error,
        });
    }

    /// The arguments of a call by name; those that are unknown, unnamed or given twice are told. The names of the
    /// unknown come second, empty for the unnamed.
    fn arguments<'c>(
        &mut self,
        call: &'c ast::Call,
        known: &[&str],
    ) -> (IndexMap<&'c str, &'c ast::Arg>, Vec<String>) {
        let mut strays = Vec::new();
        let mut arguments: IndexMap<&str, &ast::Arg> = IndexMap::new();
        for arg in &call.args {
            let Some(name) = &arg.name else {
                strays.push(String::new());
                let message = format!("the arguments of `{}` have names", call.name.text);
                let error =
                    Diagnostic::error(Code::MISSING, message).at(arg.value.span, "no name before this");
                self.out.push(match known.iter().find(|name| !arguments.contains_key(**name)) {
                    Some(name) => error.help(format!("write `{name}: ...`")),
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
            if let ast::ExprKind::Name(name) = &given.kind
                && let Some(binding) = self.scope.find(name)
            {
                error = error.at(binding.span, format!("`{name}` has its value here"));
            }
            if !violation.under.is_empty() {
                error = error.note(format!("found with {}", violation.under));
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
        let default = param.default.as_ref().and_then(|default| type_word(default));
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
        Some(Binding { expr: Some(expr), quantity: None, span: given.span })
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

/// Whether a model's `input` or `classes` is a plain number or tuple.
fn is_fixed(value: &ast::Expr) -> bool {
    matches!(value.kind, ast::ExprKind::Number(..) | ast::ExprKind::Tuple(_))
}
