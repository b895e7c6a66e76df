//! What tokens mean where their look does not say it: which braces are bodies, which parentheses belong to a call,
//! which `-` is a sign.

use crate::source::Span;
use crate::syntax::ast::{
    Body, Branch, Call, Definition, Expr, ExprKind, Field, File, Item, ItemKind, Requirements, Statement,
    StatementKind, Step, UsePath,
};
use crate::syntax::format::lex::{Kind, Token};

/// What a token is besides its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// What it looks like.
    Plain,
    /// The parenthesis of arguments or parameters.
    Call,
    /// The brace of a body, whose items may have bodies.
    Body,
    /// The brace of items without bodies.
    List,
    /// The `-` in front of an operand.
    Negative,
    /// The `/` of a path.
    Slash,
}

/// The role of every token.
pub(super) fn roles(file: &File, text: &str, tokens: &[Token]) -> Vec<Role> {
    let mut marks = Marks::default();
    file.items.iter().for_each(|item| marks.item(item));
    let mut roles = vec![Role::Plain; tokens.len()];
    let at = |start: u32| tokens.binary_search_by_key(&(start as usize), |token| token.start).ok();
    for index in marks.names.iter().filter_map(|&start| at(start)) {
        // Only white space and comments stand between a name and its parenthesis.
        let after = (index + 1..tokens.len())
            .find(|&next| !matches!(tokens[next].kind, Kind::Newline | Kind::Comment { .. }));
        if let Some(open) = after.filter(|&open| tokens[open].text(text) == "(") {
            roles[open] = Role::Call;
        }
    }
    marks.negative.iter().filter_map(|&start| at(start)).for_each(|index| roles[index] = Role::Negative);
    for index in marks.opens.iter().filter_map(|&start| at(start)) {
        if tokens[index].kind == Kind::Open {
            roles[index] = Role::Body;
        }
    }
    for path in &marks.paths {
        let inside = tokens.partition_point(|token| token.start < path.start as usize)
            ..tokens.partition_point(|token| token.start < path.end as usize);
        for index in inside.filter(|&index| tokens[index].text(text) == "/") {
            roles[index] = Role::Slash;
        }
    }
    let partners = opens(tokens);
    for (closes, role) in [(&marks.bodies, Role::Body), (&marks.lists, Role::List)] {
        for close in closes.iter().filter_map(|&end| at(end - 1)) {
            if let Some(open) = partners[close] {
                roles[open] = role;
            }
        }
    }
    roles
}

/// For every closing token the one that it closes.
fn opens(tokens: &[Token]) -> Vec<Option<usize>> {
    let mut stack = Vec::new();
    let partner = |(at, token): (usize, &Token)| match token.kind {
        Kind::Open => {
            stack.push(at);
            None
        }
        Kind::Close => stack.pop(),
        _ => None,
    };
    tokens.iter().enumerate().map(partner).collect()
}

/// Places in the file.
#[derive(Default)]
struct Marks {
    /// Starts of names that may have a parenthesis.
    names: Vec<u32>,
    /// Starts of `-` that are signs.
    negative: Vec<u32>,
    /// Paths in the library.
    paths: Vec<Span>,
    /// Starts of bodies, with or without a brace.
    opens: Vec<u32>,
    /// Ends of the braces of `choose` and `parallel`.
    bodies: Vec<u32>,
    /// Ends of the braces of lists.
    lists: Vec<u32>,
}

impl Marks {
    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Let(item) | ItemKind::Param(item) => return self.expr(&item.value),
            ItemKind::With(path) => return self.path(path),
            ItemKind::Block(definition) | ItemKind::Model(definition) => return self.definition(definition),
            ItemKind::Objective(objective) => {
                self.expr(&objective.metric);
                return self.exprs(&objective.on);
            }
            ItemKind::Use(item) => self.path(&item.path),
            ItemKind::Forbid(conditions) => self.exprs(conditions),
            ItemKind::Phase(section) | ItemKind::Section(section) => self.fields(&section.fields),
            ItemKind::Target(target) => self.fields(&target.fields),
            ItemKind::Require(requirements) | ItemKind::Prefer(requirements) => {
                self.requirements(requirements);
            }
        }
        self.lists.push(item.span.end);
    }

    fn path(&mut self, path: &UsePath) {
        if let UsePath::Library(path) = path {
            self.paths.push(path.span);
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        fields.iter().for_each(|field| self.expr(&field.value));
    }

    fn requirements(&mut self, requirements: &Requirements) {
        for clause in &requirements.clauses {
            self.expr(&clause.metric);
            self.expr(&clause.bound);
            self.exprs(&clause.on);
            clause.weight.iter().for_each(|weight| self.expr(weight));
        }
    }

    fn definition(&mut self, definition: &Definition) {
        self.names.push(definition.name.span.start);
        let defaults = definition.params.iter().filter_map(|param| param.default.as_ref());
        defaults.for_each(|default| self.expr(default));
        self.body(&definition.body);
    }

    fn body(&mut self, body: &Body) {
        self.opens.push(body.span.start);
        body.statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &Statement) {
        match &statement.kind {
            StatementKind::Let(item) => self.expr(&item.value),
            StatementKind::Layer(call) => self.call(call),
            StatementKind::Repeat(repeat) => {
                self.expr(&repeat.count);
                repeat.branching.iter().for_each(|merge| self.expr(merge));
                self.body(&repeat.body);
            }
            StatementKind::Choose(choose) => self.branches(&choose.options, statement),
            StatementKind::Optional(optional) => self.body(&optional.body),
            StatementKind::Parallel(parallel) => {
                self.expr(&parallel.merge);
                self.branches(&parallel.branches, statement);
            }
            StatementKind::Residual(wrapped) | StatementKind::Mirror(wrapped) => self.body(&wrapped.body),
            StatementKind::When(when) => {
                self.expr(&when.condition);
                self.body(&when.body);
                when.otherwise.iter().for_each(|body| self.body(body));
            }
            StatementKind::Forbid(conditions) => {
                self.exprs(conditions);
                self.lists.push(statement.span.end);
            }
        }
    }

    fn branches(&mut self, branches: &[Branch], statement: &Statement) {
        self.bodies.push(statement.span.end);
        branches.iter().for_each(|branch| self.body(&branch.body));
    }

    fn call(&mut self, call: &Call) {
        self.names.push(call.name.span.start);
        call.args.iter().for_each(|arg| self.expr(&arg.value));
    }

    fn exprs(&mut self, values: &[Expr]) {
        values.iter().for_each(|value| self.expr(value));
    }

    fn expr(&mut self, value: &Expr) {
        match &value.kind {
            ExprKind::Number(..) | ExprKind::Text(_) | ExprKind::Bool(_) | ExprKind::Name(_) => {}
            ExprKind::Call(call) => self.call(call),
            ExprKind::Tuple(values)
            | ExprKind::Set(values)
            | ExprKind::List(values)
            | ExprKind::And(values)
            | ExprKind::Or(values) => self.exprs(values),
            ExprKind::Range(range) => {
                self.expr(&range.low);
                self.expr(&range.high);
                match &range.step {
                    Some(Step::Add(step) | Step::Multiply(step)) => self.expr(step),
                    None => {}
                }
            }
            ExprKind::Negate(operand) => {
                self.negative.push(value.span.start);
                self.expr(operand);
            }
            ExprKind::Not(operand) => self.expr(operand),
            ExprKind::Binary(_, left, right)
            | ExprKind::Compare(_, left, right)
            | ExprKind::In(left, right) => {
                self.expr(left);
                self.expr(right);
            }
        }
    }
}
