//! The `model` as a region tree: blocks expanded, arguments checked, decisions placed.

use indexmap::IndexMap;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::domain;
use crate::elaborate::library::Library;
use crate::elaborate::scope::{Binding, Scope, unknown};
use crate::elaborate::value::{self, Place};
use crate::source::Span;
use crate::space::{
    DecisionId, Domain, Expr, Layer, Merge, MergeKind, Output, Region, RegionId, RegionKind, Space, Value,
};
use crate::syntax::ast;
use crate::syntax::print_expr;

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
    let space = Space::new(input.unwrap_or([1; 3]), Output::Classes(classes.unwrap_or(1)), model.name.span);
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
        let message = format!("the input of a model is its shape, found `{}`", print_expr(value));
        let error = Diagnostic::error(Code::TYPE, message);
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
        let allowed = "an integer from 2 to 65536";
        let message = format!("the number of classes is {allowed}, found `{}`", print_expr(value));
        let is_integer = matches!(value.kind, ast::ExprKind::Number(ast::Number::Integer(_), None));
        let code = if is_integer { Code::RANGE } else { Code::TYPE };
        out.push(Diagnostic::error(code, message).at(value.span, format!("expected {allowed}")));
    }
    classes
}

/// Follows the last region of every path: where it is dense, it must have one output for each class.
fn check_outputs(space: &Space, region: RegionId, declared: Span, out: &mut Diagnostics) {
    let children = space.children(region);
    match &space.region(region).kind {
        RegionKind::Layer(Layer::Dense { units, .. }) => {
            let Output::Classes(classes) = space.output else { return };
            let wanted = Value::Int(classes as i64);
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
        RegionKind::When { .. } => {
            children.iter().for_each(|&child| check_outputs(space, child, declared, out));
        }
        RegionKind::Optional { .. } | RegionKind::Residual | RegionKind::Mirror | RegionKind::Layer(_) => {}
    }
}

pub(super) struct Builder<'a> {
    pub(super) library: &'a Library,
    pub(super) space: Space,
    /// The names in scope at the current place.
    pub(super) scope: Scope,
    /// The top-level names of each module.
    pub(super) scopes: Vec<Scope>,
    pub(super) module: usize,
    /// The blocks that are being expanded, each with its call.
    pub(super) stack: Vec<(usize, Span)>,
    depth: usize,
    full: bool,
    pub(super) out: &'a mut Diagnostics,
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
        self.bind(&ast::Let { name: param.name.clone(), ty: None, value }, root);
    }

    /// Adds a region, or tells once that the space is too large.
    pub(super) fn add(
        &mut self,
        parent: RegionId,
        kind: RegionKind,
        name: &str,
        span: Span,
    ) -> Option<RegionId> {
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

    pub(super) fn body(&mut self, body: &ast::Body, region: RegionId) {
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
                ast::StatementKind::Residual(_)
                | ast::StatementKind::Mirror(_)
                | ast::StatementKind::When(_)
                | ast::StatementKind::Forbid(_) => {}
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
        let Some(region) = self.add(parent, RegionKind::Repeat { count: once, branching: None }, name, span)
        else {
            return;
        };
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
                self.space.set_kind(region, RegionKind::Repeat { count, branching: None });
            }
            Err(error) => self.out.push(error),
        }
        self.child(&repeat.body, region, "");
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
        let decision = domain::add_decision(&mut self.space, region, name, domain, span);
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
        let decision = domain::add_decision(&mut self.space, region, name, domain, span);
        self.space.set_kind(region, RegionKind::Optional { decision });
        self.child(&optional.body, region, "");
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
        let kind = RegionKind::Parallel { merge: Merge { kind: MergeKind::Add, pool: false, pad: false } };
        let Some(region) = self.add(parent, kind, name, span) else { return };
        for branch in &parallel.branches {
            self.child(&branch.body, region, &branch.label.text);
        }
    }
}

/// Whether a model's `input` or `classes` is a plain number or tuple.
fn is_fixed(value: &ast::Expr) -> bool {
    matches!(value.kind, ast::ExprKind::Number(..) | ast::ExprKind::Tuple(_))
}
