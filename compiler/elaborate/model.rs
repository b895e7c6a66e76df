//! The `model` as a region tree: blocks expanded, arguments checked, decisions placed.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::layers::{Kind, TYPES};
use crate::elaborate::library::Library;
use crate::elaborate::scope::{Binding, Scope, Structure, unknown};
use crate::elaborate::{Items, interface, value};
use crate::source::Span;
use crate::space::{Expr, Layer, Output, Region, RegionId, RegionKind, Space, Value};
use crate::syntax::ast;

/// Regions of one space; more is refused.
const MAX_REGIONS: usize = 4096;

/// Regions of the largest network, repetitions counted; more is refused.
const MAX_INSTANCES: u64 = 1 << 16;

/// Regions inside one another; more is refused.
const MAX_DEPTH: usize = 100;

/// Decisions of one space; more is refused.
const MAX_DECISIONS: usize = 4096;

/// Builds the space of `model`; the mistakes go to `out`. The space is of use only without errors.
pub(super) fn build(
    library: &Library,
    model: &ast::Definition,
    items: &Items<'_>,
    out: &mut Diagnostics,
) -> (Space, Scope) {
    let output = interface::output(model, out);
    let space = Space::new([1; 3], output.unwrap_or_else(|| interface::meant(model)), model.name.span);
    let root = space.root();
    let mut builder = Builder {
        library,
        space,
        scope: Scope::default(),
        scopes: vec![Scope::default(); library.modules.len()],
        module: 0,
        stack: Vec::new(),
        depth: 0,
        full: false,
        instances: 1,
        n_instances: 0,
        scale_section: items.sections.get("scale").copied(),
        circular: Vec::new(),
        out,
    };
    for &module in &library.order {
        builder.top_level(module, root);
    }
    builder.scope = builder.scopes[0].clone();
    builder.scale(root);
    let spec_scope = builder.scope.clone();
    builder.scope.enter();
    builder.scope.set_body(Some(root));
    builder.interface(model, root);
    builder.scope.enter();
    builder.body(&model.body, root);
    builder.scope = spec_scope.clone();
    for (conditions, span) in &items.forbids {
        builder.forbid(conditions, root, *span);
    }
    let space = builder.space;
    if let (Some(Output::Classes(_) | Output::Values(_)), false) = (output, out.has_errors()) {
        let declared = model.params.iter().find(|p| matches!(p.name.text.as_str(), "classes" | "outputs"));
        let declared = declared.map_or(model.name.span, |param| param.name.span);
        check_outputs(&space, root, declared, out);
    }
    (space, spec_scope)
}

/// Follows the last region of every path: where it is dense, it must have one output for each class.
fn check_outputs(space: &Space, region: RegionId, declared: Span, out: &mut Diagnostics) {
    let children = space.children(region);
    match &space.region(region).kind {
        RegionKind::Layer(Layer::Dense { units, .. }) => {
            let (count, what) = match space.output {
                Output::Classes(count) => (count, "classes"),
                Output::Values(count) => (count, "outputs"),
                Output::Input => return,
            };
            let wanted = Value::Int(count as i64);
            let verdict =
                value::check(
                    &units.expr,
                    space,
                    |value| {
                        if *value == wanted { Ok(()) } else { Err(Code::SHAPE) }
                    },
                );
            if let Err(violation) = verdict {
                let message = format!("the last layer gives {} values for {wanted} {what}", violation.found);
                out.push(
                    Diagnostic::error(Code::SHAPE, message)
                        .at(units.span, format!("{} values", violation.found))
                        .at(declared, format!("{wanted} {what}"))
                        .help(format!("write `units: {what}`")),
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
    /// How often the current place occurs in the largest network.
    pub(super) instances: u64,
    /// Instances of all regions in the largest network.
    n_instances: u64,
    pub(super) scale_section: Option<&'a ast::Section>,
    /// Blocks that contain themselves, which is told once for each.
    pub(super) circular: Vec<usize>,
    pub(super) out: &'a mut Diagnostics,
}

impl Builder<'_> {
    pub(super) fn too_many_decisions(&mut self, span: Span) -> bool {
        if self.space.decisions.len() <= MAX_DECISIONS || self.full {
            return self.full;
        }
        self.full = true;
        let message = format!("the space has more than {MAX_DECISIONS} decisions");
        self.out.push(Diagnostic::error(Code::TOO_LARGE, message).at(span, "the limit is met here"));
        true
    }

    /// The names at the top of a file.
    fn top_level(&mut self, module: usize, root: RegionId) {
        let library = self.library;
        self.scope = Scope::default();
        self.scope.enter();
        for (name, from, theirs) in &library.modules[module].values {
            // What is on a circle of files is told as such, and stands for anything here.
            let (expr, structure) = (Some(Expr::Value(Value::Int(1))), Structure::No);
            let unknown = || Binding { expr, quantity: None, span: name.span, structure };
            let binding = self.scopes[*from].find(theirs).cloned().unwrap_or_else(unknown);
            if let Err(error) = self.scope.declare(name, Binding { span: name.span, ..binding }) {
                self.out.push(error);
            }
        }
        for item in &library.modules[module].tree.items {
            match &item.kind {
                ast::ItemKind::Let(item) => self.bind(item, root),
                ast::ItemKind::Param(item) => {
                    self.bind(item, root);
                    self.typed(item);
                }
                _ => {}
            }
        }
        self.scopes[module] = std::mem::take(&mut self.scope);
    }

    /// The check of a `param` against the type that it is written with.
    fn typed(&mut self, item: &ast::Let) {
        let Some(ty) = &item.ty else { return };
        let Some(kind) = self.kind_of(ty) else { return };
        let Some(expr) = self.scope.find(&item.name.text).and_then(|binding| binding.expr.clone()) else {
            return;
        };
        if let Err(violation) = value::check(&expr, &self.space, |value| value::allowed(kind, value)) {
            let allowed = value::describe(kind);
            let message = format!("`{}` is {allowed}, found {}", item.name.text, violation.found);
            let error = Diagnostic::error(violation.code, message);
            let error = error.at(item.value.span, format!("expected {allowed}"));
            self.out.push(error.at(ty.span, "by its type"));
            // Later uses of the name would only repeat the mistake.
            self.scope.replace(&item.name.text, Expr::Value(value::stand_in(kind)));
        }
    }

    /// What a type takes.
    pub(super) fn kind_of(&mut self, ty: &ast::Name) -> Option<Kind> {
        let found = TYPES.iter().find(|known| known.0 == ty.text).map(|known| known.1);
        if found.is_none() {
            self.out.push(unknown("type", &ty.text, ty.span, TYPES.iter().map(|known| known.0)));
        }
        found
    }

    pub(super) fn bind(&mut self, item: &ast::Let, region: RegionId) {
        if self.too_many_decisions(item.name.span) {
            return;
        }
        if let Err(error) = value::bind(item, &mut self.scope, (&mut self.space, region)) {
            // Later uses of the name would only repeat the mistake.
            let (expr, quantity) = (Some(Expr::Value(Value::Int(1))), None);
            let binding = Binding { expr, quantity, span: item.name.span, structure: Structure::No };
            let _ = self.scope.declare(&item.name, binding);
            self.out.push(error);
        }
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
        self.n_instances = self.n_instances.saturating_add(self.instances);
        if self.n_instances > MAX_INSTANCES {
            self.full = true;
            let message = format!("the largest network of the space has more than {MAX_INSTANCES} parts");
            let error = Diagnostic::error(Code::TOO_LARGE, message).at(span, "the limit is met here");
            self.out.push(error.help("repeat less often, or fewer layers"));
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
                ast::StatementKind::Residual(wrapped) => {
                    self.wrapped(wrapped, RegionKind::Residual, "residual", (region, statement.span));
                }
                ast::StatementKind::Mirror(wrapped) => {
                    self.wrapped(wrapped, RegionKind::Mirror, "mirror", (region, statement.span));
                }
                ast::StatementKind::When(when) => self.when(when, region, statement.span),
                ast::StatementKind::Forbid(conditions) => self.forbid(conditions, region, statement.span),
            }
        }
        self.depth -= 1;
    }

    /// A body as a child of its own, with names of its own.
    pub(super) fn child(&mut self, body: &ast::Body, parent: RegionId, name: &str) {
        let Some(region) = self.add(parent, RegionKind::Sequence, name, body.span) else { return };
        self.scope.enter();
        let outer = self.scope.set_body(Some(region));
        self.body(body, region);
        self.scope.set_body(outer);
        self.scope.leave();
    }
}
