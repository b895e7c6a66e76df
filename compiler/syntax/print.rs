//! The tree as text, in one canonical form: two trees that differ only in spans print the same.
//!
//! Not done here: wrapping of long lines and ordinary comments, which the tree does not hold.

use std::fmt::Write as _;

use crate::syntax::ast::{
    Arg, Body, Branch, Call, Definition, Expr, ExprKind, Field, File, Item, ItemKind, Let, Name, Number,
    Operator, Param, Requirement, Statement, StatementKind, Step, UsePath,
};

/// A whole file with doc comments; `parse` gives the same tree back, apart from spans.
pub fn print(file: &File) -> String {
    let mut printer = Printer { out: String::from("nas 1\n"), depth: 0 };
    for item in &file.items {
        printer.out.push('\n');
        printer.item(item);
    }
    printer.out
}

/// A value.
pub fn print_expr(value: &Expr) -> String {
    let mut printer = Printer { out: String::new(), depth: 0 };
    printer.value(value, Level::Or);
    printer.out
}

/// The words that are types of parameters, as in the grammar.
const TYPES: [&str; 9] =
    ["count", "integer", "number", "share", "pair", "bool", "activation", "padding", "norm"];

/// How tightly an operand must bind to stand without parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
    Not,
    Compare,
    Value,
    Sum,
    Product,
    Sign,
    Primary,
}

struct Printer {
    out: String,
    depth: usize,
}

impl Printer {
    fn start(&mut self, docs: &[String]) {
        let indent = "  ".repeat(self.depth);
        for doc in docs {
            let line = format!("{indent}/// {doc}");
            self.out.push_str(line.trim_end());
            self.out.push('\n');
        }
        self.out.push_str(&indent);
    }

    fn item(&mut self, item: &Item) {
        self.start(&item.docs);
        match &item.kind {
            ItemKind::Use(item) => {
                self.path("use ", &item.path);
                let names = item.names.iter().map(|name| match &name.alias {
                    Some(alias) => format!("{} as {}", name.name.text, alias.text),
                    None => name.name.text.clone(),
                });
                let names: Vec<_> = names.collect();
                if names.is_empty() {
                    self.out.push_str(" {}");
                } else {
                    self.push(&[" { ", &names.join(", "), " }"]);
                }
            }
            ItemKind::Let(item) => self.binding("let", item),
            ItemKind::Param(item) => self.binding("param", item),
            ItemKind::Block(definition) => self.definition("block", definition),
            ItemKind::Model(definition) => self.definition("model", definition),
            ItemKind::Section(section) => {
                self.out.push_str(&section.name.text);
                self.fields(&section.fields);
            }
            ItemKind::Target(target) => {
                self.push(&["target ", &quoted(&target.name.text)]);
                self.fields(&target.fields);
            }
            ItemKind::Require(requirements) => {
                self.out.push_str("require");
                self.braced(&requirements.clauses, Printer::requirement);
            }
            ItemKind::Prefer(requirements) => {
                self.out.push_str("prefer");
                self.braced(&requirements.clauses, Printer::requirement);
            }
            ItemKind::Objective(objective) => {
                let word = if objective.maximize { "maximize " } else { "minimize " };
                self.out.push_str(word);
                self.value(&objective.metric, Level::Value);
                self.targets(&objective.on);
            }
            ItemKind::With(path) => self.path("with ", path),
            ItemKind::Forbid(conditions) => self.forbid(conditions),
            ItemKind::Phase(phase) => {
                self.push(&["phase ", &phase.name.text]);
                self.fields(&phase.fields);
            }
        }
        self.out.push('\n');
    }

    fn path(&mut self, word: &str, path: &UsePath) {
        match path {
            UsePath::Library(path) => self.push(&[word, &path.text]),
            UsePath::File(path) => self.push(&[word, &quoted(&path.text)]),
        }
    }

    fn forbid(&mut self, conditions: &[Expr]) {
        self.out.push_str("forbid");
        self.braced(conditions, |printer, condition| {
            printer.start(&[]);
            printer.value(condition, Level::Or);
        });
    }

    fn push(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.out.push_str(part));
    }

    fn braced<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Printer, &T)) {
        if items.is_empty() {
            self.out.push_str(" {}");
            return;
        }
        self.out.push_str(" {\n");
        self.depth += 1;
        for item in items {
            print(self, item);
            self.out.push('\n');
        }
        self.depth -= 1;
        self.start(&[]);
        self.out.push('}');
    }

    fn separated<T>(&mut self, items: &[T], mut print: impl FnMut(&mut Printer, &T)) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            print(self, item);
        }
    }

    fn fields(&mut self, fields: &[Field]) {
        self.braced(fields, |printer, field| {
            printer.start(&[]);
            printer.push(&[&field.key.text, ": "]);
            printer.value(&field.value, Level::Value);
        });
    }

    fn requirement(&mut self, clause: &Requirement) {
        self.start(&[]);
        self.value(&clause.metric, Level::Sum);
        self.push(&[" ", clause.compare.symbol(), " "]);
        self.value(&clause.bound, Level::Sum);
        self.targets(&clause.on);
        if let Some(weight) = &clause.weight {
            self.out.push_str(" weight ");
            self.value(weight, Level::Sum);
        }
    }

    fn targets(&mut self, targets: &[Expr]) {
        match targets {
            [] => {}
            [target] if matches!(target.kind, ExprKind::Text(_)) => {
                self.out.push_str(" on ");
                self.value(target, Level::Primary);
            }
            targets => {
                self.out.push_str(" on [");
                self.separated(targets, |printer, target| printer.value(target, Level::Value));
                self.out.push(']');
            }
        }
    }

    fn binding(&mut self, word: &str, item: &Let) {
        self.push(&[word, " ", &item.name.text]);
        if let Some(ty) = &item.ty {
            self.push(&[": ", &ty.text]);
        }
        self.out.push_str(" = ");
        self.value(&item.value, Level::Value);
    }

    fn definition(&mut self, word: &str, definition: &Definition) {
        self.push(&[word, " ", &definition.name.text]);
        if !definition.params.is_empty() {
            self.out.push('(');
            self.separated(&definition.params, |printer, param: &Param| {
                printer.out.push_str(&param.name.text);
                if let Some(ty) = &param.ty {
                    printer.push(&[": ", &ty.text]);
                }
                match &param.default {
                    // Without parentheses it would be read as a type.
                    Some(Expr { kind: ExprKind::Name(word), .. })
                        if param.ty.is_none() && TYPES.contains(&word.as_str()) =>
                    {
                        printer.push(&[": (", word, ")"]);
                    }
                    Some(default) => {
                        printer.out.push_str(if param.ty.is_some() { " = " } else { ": " });
                        printer.value(default, Level::Value);
                    }
                    None => {}
                }
            });
            self.out.push(')');
        }
        self.body(&definition.body);
    }

    fn body(&mut self, body: &Body) {
        self.braced(&body.statements, Printer::statement);
    }

    fn statement(&mut self, statement: &Statement) {
        self.start(&statement.docs);
        self.statement_kind(&statement.kind);
    }

    fn statement_kind(&mut self, kind: &StatementKind) {
        match kind {
            StatementKind::Let(item) => self.binding("let", item),
            StatementKind::Layer(call) if call.args.is_empty() => self.out.push_str(&call.name.text),
            StatementKind::Layer(call) => self.call(call),
            StatementKind::Repeat(repeat) => {
                self.out.push_str("repeat ");
                if let Some(name) = &repeat.name {
                    self.push(&[&name.text, ": "]);
                }
                self.value(&repeat.count, Level::Value);
                if let Some(merge) = &repeat.branching {
                    self.out.push_str(" branching merge ");
                    self.value(merge, Level::Value);
                }
                self.body(&repeat.body);
            }
            StatementKind::Choose(choose) => {
                self.word("choose", choose.name.as_ref());
                self.braced(&choose.options, Printer::branch);
            }
            StatementKind::Optional(optional) => {
                self.word("optional", optional.name.as_ref());
                self.body(&optional.body);
            }
            StatementKind::Parallel(parallel) => {
                self.word("parallel", parallel.name.as_ref());
                self.out.push_str(" merge ");
                self.value(&parallel.merge, Level::Value);
                self.braced(&parallel.branches, Printer::branch);
            }
            StatementKind::Residual(residual) => {
                self.word("residual", residual.name.as_ref());
                self.body(&residual.body);
            }
            StatementKind::Mirror(mirror) => {
                self.word("mirror", mirror.name.as_ref());
                self.body(&mirror.body);
            }
            StatementKind::When(when) => {
                self.out.push_str("when ");
                self.value(&when.condition, Level::Or);
                self.body(&when.body);
                if let Some(otherwise) = &when.otherwise {
                    self.out.push_str(" else");
                    self.body(otherwise);
                }
            }
            StatementKind::Forbid(conditions) => self.forbid(conditions),
        }
    }

    fn word(&mut self, word: &str, name: Option<&Name>) {
        self.out.push_str(word);
        if let Some(name) = name {
            self.push(&[" ", &name.text]);
        }
    }

    fn branch(&mut self, branch: &Branch) {
        self.start(&branch.docs);
        self.push(&[&branch.label.text, ":"]);
        match branch.body.statements.as_slice() {
            [statement] if statement.docs.is_empty() && !matches!(statement.kind, StatementKind::Let(_)) => {
                self.out.push(' ');
                self.statement_kind(&statement.kind);
            }
            _ => self.body(&branch.body),
        }
    }

    fn call(&mut self, call: &Call) {
        self.push(&[&call.name.text, "("]);
        self.separated(&call.args, |printer, arg: &Arg| {
            if let Some(name) = &arg.name {
                printer.push(&[&name.text, ": "]);
            }
            printer.value(&arg.value, Level::Value);
        });
        self.out.push(')');
    }

    fn value(&mut self, value: &Expr, at_least: Level) {
        let level = match &value.kind {
            ExprKind::Or(_) => Level::Or,
            ExprKind::And(_) => Level::And,
            ExprKind::Not(_) => Level::Not,
            ExprKind::Compare(..) | ExprKind::In(..) => Level::Compare,
            ExprKind::Range(_) => Level::Value,
            ExprKind::Binary(Operator::Add | Operator::Subtract, ..) => Level::Sum,
            ExprKind::Binary(..) => Level::Product,
            ExprKind::Negate(_) => Level::Sign,
            _ => Level::Primary,
        };
        if level < at_least {
            self.out.push('(');
            self.value_kind(&value.kind);
            self.out.push(')');
        } else {
            self.value_kind(&value.kind);
        }
    }

    fn value_kind(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Number(number, unit) => {
                match number {
                    Number::Integer(value) => write!(self.out, "{value}"),
                    Number::Decimal(value) => write!(self.out, "{value:?}"),
                }
                .expect("a String takes all");
                if let Some(unit) = unit {
                    self.push(&[" ", &unit.text]);
                }
            }
            ExprKind::Text(text) => self.out.push_str(&quoted(text)),
            ExprKind::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            ExprKind::Name(name) => self.out.push_str(name),
            ExprKind::Call(call) => self.call(call),
            ExprKind::Tuple(values) => {
                let comma = if values.len() == 1 { "," } else { "" };
                self.sequence("(", values, &format!("{comma})"));
            }
            ExprKind::Set(values) => self.sequence("{", values, "}"),
            ExprKind::List(values) => self.sequence("[", values, "]"),
            ExprKind::Range(range) => {
                self.out.push_str(if range.log { "log " } else { "" });
                self.value(&range.low, Level::Sum);
                self.out.push_str("..");
                self.value(&range.high, Level::Sum);
                match &range.step {
                    Some(Step::Add(step)) => {
                        self.out.push_str(" step ");
                        self.value(step, Level::Sum);
                    }
                    Some(Step::Multiply(factor)) => {
                        self.out.push_str(" by *");
                        self.value(factor, Level::Sum);
                    }
                    None => {}
                }
            }
            ExprKind::Negate(operand) => {
                self.out.push('-');
                self.value(operand, Level::Primary);
            }
            ExprKind::Binary(operator, left, right) => {
                let (to_the_left, to_the_right) = match operator {
                    Operator::Add | Operator::Subtract => (Level::Sum, Level::Product),
                    Operator::Multiply | Operator::Divide => (Level::Product, Level::Sign),
                };
                self.value(left, to_the_left);
                self.push(&[" ", operator.symbol(), " "]);
                self.value(right, to_the_right);
            }
            ExprKind::Compare(..)
            | ExprKind::In(..)
            | ExprKind::And(_)
            | ExprKind::Or(_)
            | ExprKind::Not(_) => self.condition_kind(kind),
        }
    }

    fn condition_kind(&mut self, kind: &ExprKind) {
        match kind {
            ExprKind::Compare(compare, left, right) => {
                self.value(left, Level::Sum);
                self.push(&[" ", compare.symbol(), " "]);
                self.value(right, Level::Sum);
            }
            ExprKind::In(value, values) => {
                self.value(value, Level::Sum);
                self.out.push_str(" in ");
                self.value(values, Level::Value);
            }
            ExprKind::And(conditions) => self.joined(conditions, " and ", Level::Not),
            ExprKind::Or(conditions) => self.joined(conditions, " or ", Level::And),
            ExprKind::Not(condition) => {
                self.out.push_str("not ");
                self.value(condition, Level::Not);
            }
            other => self.value_kind(other),
        }
    }

    fn joined(&mut self, conditions: &[Expr], word: &str, level: Level) {
        for (index, condition) in conditions.iter().enumerate() {
            self.out.push_str(if index > 0 { word } else { "" });
            self.value(condition, level);
        }
    }

    fn sequence(&mut self, open: &str, values: &[Expr], close: &str) {
        self.out.push_str(open);
        self.separated(values, |printer, value| printer.value(value, Level::Value));
        self.out.push_str(close);
    }
}

/// A text as a literal.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}
