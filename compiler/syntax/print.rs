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
    printer.value(value, Level::Value);
    printer.out
}

/// How tightly an operand must bind to stand without parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
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
                match &item.path {
                    UsePath::Library(path) => self.push(&["use ", &path.text]),
                    UsePath::File(path) => self.push(&["use ", &quoted(&path.text)]),
                }
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
            }
            ItemKind::With(_) | ItemKind::Forbid(_) | ItemKind::Phase(_) => {}
        }
        self.out.push('\n');
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
        match clause.on.as_slice() {
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
        if let Some(weight) = &clause.weight {
            self.out.push_str(" weight ");
            self.value(weight, Level::Sum);
        }
    }

    fn binding(&mut self, word: &str, item: &Let) {
        self.push(&[word, " ", &item.name.text, " = "]);
        self.value(&item.value, Level::Value);
    }

    fn definition(&mut self, word: &str, definition: &Definition) {
        self.push(&[word, " ", &definition.name.text]);
        if !definition.params.is_empty() {
            self.out.push('(');
            self.separated(&definition.params, |printer, param: &Param| {
                printer.out.push_str(&param.name.text);
                if let Some(default) = &param.default {
                    printer.out.push_str(": ");
                    printer.value(default, Level::Value);
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
            StatementKind::Residual(_)
            | StatementKind::Mirror(_)
            | StatementKind::When(_)
            | StatementKind::Forbid(_) => {}
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
            | ExprKind::Not(_) => {}
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
