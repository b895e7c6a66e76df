//! Pairs of the grammar to nodes of the tree.

use std::sync::LazyLock;

use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Span};
use crate::syntax::ast::{
    Arg, Call, Compare, Expr, ExprKind, Field, ItemKind, Let, Name, Number, Objective, Operator, Param,
    Range, Requirement, StatementKind, Step, UseName, UsePath,
};
use crate::syntax::grammar::Rule;

/// Operators in one value; more is refused. Keeps the tree of a value shallow.
const MAX_OPERATORS: usize = 64;

/// Largest integer literal: all integers up to it are exact as floating-point numbers.
const MAX_INTEGER: u64 = 1 << 53;

static PRECEDENCE: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    PrattParser::new()
        .op(Op::infix(Rule::add, Assoc::Left) | Op::infix(Rule::sub, Assoc::Left))
        .op(Op::infix(Rule::mul, Assoc::Left) | Op::infix(Rule::div, Assoc::Left))
        .op(Op::prefix(Rule::neg))
});

/// Builds the nodes of one piece of text that starts at byte `base` of its file.
pub(super) struct Builder<'d> {
    file: FileId,
    base: usize,
    out: &'d mut Diagnostics,
}

type Node<'a> = Pair<'a, Rule>;

/// The parts of a node that carry meaning: no signs, and no words that only say what comes.
fn parts(pair: Node<'_>) -> impl Iterator<Item = Node<'_>> {
    pair.into_inner().filter(|part| !is_sign(part.as_rule()))
}

fn is_sign(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::EOI
            | Rule::colon
            | Rule::comma
            | Rule::equals
            | Rule::slash
            | Rule::lparen
            | Rule::rparen
            | Rule::lbracket
            | Rule::rbracket
            | Rule::lbrace
            | Rule::rbrace
            | Rule::dots
            | Rule::star
            | Rule::group_comma
            | Rule::kw_nas
            | Rule::kw_use
            | Rule::kw_as
            | Rule::kw_let
            | Rule::kw_param
            | Rule::kw_with
            | Rule::kw_block
            | Rule::kw_model
            | Rule::kw_phase
            | Rule::kw_target
            | Rule::kw_repeat
            | Rule::kw_branching
            | Rule::kw_choose
            | Rule::kw_optional
            | Rule::kw_parallel
            | Rule::kw_residual
            | Rule::kw_mirror
            | Rule::kw_when
            | Rule::kw_merge
            | Rule::kw_step
            | Rule::kw_by
            | Rule::kw_and
            | Rule::kw_or
            | Rule::kw_in
    )
}

impl<'d> Builder<'d> {
    pub(super) fn new(file: FileId, base: usize, out: &'d mut Diagnostics) -> Builder<'d> {
        Builder { file, base, out }
    }

    fn span(&self, pair: &Node<'_>) -> Span {
        let span = pair.as_span();
        let text = span.as_str().trim_end();
        let start = self.base + span.start();
        Span { file: self.file, start: start as u32, end: (start + text.len()) as u32 }
    }

    fn name(&self, pair: &Node<'_>) -> Name {
        Name { text: pair.as_str().to_owned(), span: self.span(pair) }
    }

    pub(super) fn version(&mut self, pair: Node<'_>) -> Number {
        let number = parts(pair).next().expect("`nas` has a number");
        self.number(&number)
    }

    pub(super) fn item(&mut self, pair: Node<'_>) -> ItemKind {
        match pair.as_rule() {
            Rule::let_item => ItemKind::Let(self.let_item(pair)),
            Rule::param_item => ItemKind::Param(self.let_item(pair)),
            Rule::with_item => ItemKind::With(self.use_path(pair)),
            _ => ItemKind::Objective(self.objective(pair)),
        }
    }

    fn objective(&mut self, pair: Node<'_>) -> Objective {
        let mut parts = parts(pair);
        let word = parts.next().expect("an objective starts with its word");
        let metric = self.value(parts.next().expect("an objective names a metric"));
        let on = parts.nth(1).map_or_else(Vec::new, |targets| self.targets(targets));
        Objective { maximize: word.as_rule() == Rule::kw_maximize, metric, on }
    }

    fn targets(&mut self, pair: Node<'_>) -> Vec<Expr> {
        let inner: Vec<_> = pair.into_inner().collect();
        match inner.first().map(Pair::as_rule) {
            Some(Rule::list) => inner.into_iter().flat_map(parts).map(|target| self.value(target)).collect(),
            _ => inner.into_iter().map(|target| self.value(target)).collect(),
        }
    }

    pub(super) fn statement(&mut self, pair: Node<'_>) -> StatementKind {
        match pair.as_rule() {
            Rule::let_item => StatementKind::Let(self.let_item(pair)),
            _ => StatementKind::Layer(self.call(pair)),
        }
    }

    fn let_item(&mut self, pair: Node<'_>) -> Let {
        let mut parts = parts(pair);
        let name = self.name(&parts.next().expect("a `let` has a name"));
        let mut part = parts.next().expect("a `let` has a value");
        let mut ty = None;
        if part.as_rule() == Rule::ident {
            ty = Some(self.name(&part));
            part = parts.next().expect("a type is followed by a value");
        }
        Let { name, ty, value: self.value(part) }
    }

    pub(super) fn use_path(&mut self, pair: Node<'_>) -> UsePath {
        let path = parts(pair).next().expect("`use` has a path");
        let span = self.span(&path);
        match path.as_rule() {
            Rule::string => UsePath::File(Name { text: self.text(path), span }),
            _ => {
                let names: Vec<_> = parts(path).map(|part| part.as_str().to_owned()).collect();
                UsePath::Library(Name { text: names.join("/"), span })
            }
        }
    }

    pub(super) fn use_name(&mut self, pair: Node<'_>) -> UseName {
        let mut parts = parts(pair);
        let name = self.name(&parts.next().expect("a name is required"));
        UseName { name, alias: parts.next().map(|alias| self.name(&alias)) }
    }

    pub(super) fn definition(&mut self, pair: Node<'_>) -> (Name, Vec<Param>) {
        let mut head = parts(pair);
        let name = self.name(&head.next().expect("a definition has a name"));
        let params = head.next().into_iter().flat_map(parts);
        let params = params.filter(|part| part.as_rule() == Rule::parameter).map(|param| {
            let mut parts = parts(param);
            let name = self.name(&parts.next().expect("a parameter has a name"));
            match parts.next() {
                Some(typed) if typed.as_rule() == Rule::typed => {
                    let mut parts = self::parts(typed);
                    let ty = parts.next().map(|ty| self.name(&ty));
                    Param { name, ty, default: parts.next().map(|value| self.value(value)) }
                }
                value => Param { name, ty: None, default: value.map(|value| self.value(value)) },
            }
        });
        (name, params.collect())
    }

    pub(super) fn section(&mut self, pair: Node<'_>) -> Name {
        let name = parts(pair).next().expect("a section has a name");
        self.name(&name)
    }

    pub(super) fn target(&mut self, pair: Node<'_>) -> Name {
        let name = parts(pair).next().expect("a target has a name");
        let span = self.span(&name);
        Name { text: self.text(name), span }
    }

    pub(super) fn field(&mut self, pair: Node<'_>) -> Field {
        let mut parts = parts(pair);
        let key = self.name(&parts.next().expect("a field has a key"));
        Field { key, value: self.value(parts.next().expect("a field has a value")) }
    }

    pub(super) fn requirement(&mut self, pair: Node<'_>) -> Requirement {
        let span = self.span(&pair);
        let mut parts = parts(pair);
        let metric = self.value(parts.next().expect("a requirement has a metric"));
        let compare = compare(&parts.next().expect("a requirement compares"));
        let bound = self.value(parts.next().expect("a requirement has a bound"));
        let (mut on, mut weight) = (Vec::new(), None);
        while let Some(word) = parts.next() {
            let part = parts.next().expect("`on` and `weight` have a value");
            if word.as_rule() == Rule::kw_weight {
                let value = self.value(part);
                if weight.is_some() {
                    let error = Diagnostic::error(Code::DUPLICATE_NAME, "`weight` is given twice");
                    self.out.push(error.at(value.span, "one is enough"));
                }
                weight = Some(value);
            } else {
                on.extend(self.targets(part));
            }
        }
        Requirement { span, metric, compare, bound, on, weight }
    }

    /// The name, the count, and how the outputs of repetitions beside one another become one.
    pub(super) fn repeat(&mut self, pair: Node<'_>) -> (Option<Name>, Expr, Option<Expr>) {
        let mut parts = parts(pair).peekable();
        let name = parts.next_if(|part| part.as_rule() == Rule::ident).map(|name| self.name(&name));
        let count = self.value(parts.next().expect("`repeat` has a count"));
        let branching = parts.next().map(|merge| self.value(merge));
        (name, count, branching)
    }

    /// The condition of a `when`, or one of those of a `forbid`.
    pub(super) fn condition(&mut self, pair: Node<'_>) -> Expr {
        self.value(parts(pair).next().expect("the entry rules of conditions hold one"))
    }

    pub(super) fn optional_name(&mut self, pair: Node<'_>) -> Option<Name> {
        parts(pair).next().map(|name| self.name(&name))
    }

    pub(super) fn parallel(&mut self, pair: Node<'_>) -> (Option<Name>, Expr) {
        let mut parts: Vec<_> = parts(pair).collect();
        let merge = self.value(parts.pop().expect("`merge` has a value"));
        (parts.first().map(|name| self.name(name)), merge)
    }

    fn call(&mut self, pair: Node<'_>) -> Call {
        let span = self.span(&pair);
        let mut head = parts(pair);
        let name = self.name(&head.next().expect("a call has a name"));
        let args = head.next().into_iter().flat_map(parts).filter(|part| part.as_rule() == Rule::arg);
        let args = args.map(|arg| {
            let mut parts: Vec<_> = parts(arg).collect();
            let value = self.value(parts.pop().expect("an argument has a value"));
            Arg { name: parts.first().map(|name| self.name(name)), value }
        });
        Call { span, name, args: args.collect() }
    }

    fn values(&mut self, pair: Node<'_>) -> Vec<Expr> {
        parts(pair).filter(|part| part.as_rule() == Rule::value).map(|part| self.value(part)).collect()
    }

    /// A value, from a node of any rule that stands for one.
    fn value(&mut self, pair: Node<'_>) -> Expr {
        let span = self.span(&pair);
        let kind = match pair.as_rule() {
            Rule::value => return self.value_or_range(pair),
            Rule::arithmetic | Rule::operand => return self.arithmetic(pair),
            Rule::condition => return self.joined(pair, ExprKind::Or),
            Rule::conjunction => return self.joined(pair, ExprKind::And),
            Rule::negation => return self.negation(pair),
            Rule::comparison => return self.comparison(pair),
            Rule::quantity => {
                let mut parts = pair.into_inner();
                let number = self.number(&parts.next().expect("a quantity has a number"));
                ExprKind::Number(number, parts.next().map(|unit| self.name(&unit)))
            }
            Rule::string => ExprKind::Text(self.text(pair)),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::set => ExprKind::Set(self.values(pair)),
            Rule::list => ExprKind::List(self.values(pair)),
            Rule::group | Rule::gathered => {
                let has_comma = pair.clone().into_inner().any(|part| part.as_rule() == Rule::group_comma);
                let mut values: Vec<_> = parts(pair).map(|part| self.value(part)).collect();
                match values.len() {
                    1 if !has_comma => return values.pop().expect("there is one"),
                    _ => ExprKind::Tuple(values),
                }
            }
            _ => {
                // Behind a name alone the node holds the white space and comments before the missing parenthesis.
                let mut inner = pair.clone().into_inner();
                return match (inner.next(), inner.next()) {
                    (Some(name), None) => {
                        let Name { text, span } = self.name(&name);
                        Expr { span, kind: ExprKind::Name(text) }
                    }
                    _ => Expr { span, kind: ExprKind::Call(self.call(pair)) },
                };
            }
        };
        Expr { span, kind }
    }

    fn value_or_range(&mut self, pair: Node<'_>) -> Expr {
        let span = self.span(&pair);
        let mut parts = parts(pair).peekable();
        let log = parts.next_if(|part| part.as_rule() == Rule::kw_log).is_some();
        let low = self.value(parts.next().expect("a value is something"));
        let Some(high) = parts.next() else {
            if log {
                let error =
                    Diagnostic::error(Code::SYNTAX, "expected `..` and an upper end after the lower end");
                self.out.push(error.at(span, "`log` starts a range such as `log 1e-4..1e-2`"));
            }
            return low;
        };
        let high = self.value(high);
        let step = parts.next().map(|step| {
            let is_sum = step.as_rule() == Rule::step_add;
            let by = self.value(step.into_inner().last().expect("a step has a value"));
            if is_sum { Step::Add(by) } else { Step::Multiply(by) }
        });
        Expr { span, kind: ExprKind::Range(Box::new(Range { log, low, high, step })) }
    }

    /// One part stands for itself, several are joined.
    fn joined(&mut self, pair: Node<'_>, join: fn(Vec<Expr>) -> ExprKind) -> Expr {
        let span = self.span(&pair);
        if pair.clone().into_inner().count() > 2 * MAX_OPERATORS {
            return self.too_long(span);
        }
        let mut values: Vec<_> = parts(pair).map(|part| self.value(part)).collect();
        match values.len() {
            1 => values.pop().expect("there is one"),
            _ => Expr { span, kind: join(values) },
        }
    }

    fn negation(&mut self, pair: Node<'_>) -> Expr {
        let mut parts: Vec<_> = parts(pair).collect();
        if parts.len() > MAX_OPERATORS {
            let span = self.span(&parts[0]);
            return self.too_long(span);
        }
        let comparison = self.value(parts.pop().expect("a negation holds a comparison"));
        parts.iter().rev().fold(comparison, |operand, word| {
            let span = self.span(word).to(operand.span);
            Expr { span, kind: ExprKind::Not(Box::new(operand)) }
        })
    }

    fn too_long(&mut self, span: Span) -> Expr {
        let message = format!("more than {MAX_OPERATORS} operators in one value");
        self.out.push(Diagnostic::error(Code::TOO_LARGE, message).at(span, ""));
        Expr { span, kind: ExprKind::Number(Number::Integer(0), None) }
    }

    fn comparison(&mut self, pair: Node<'_>) -> Expr {
        let span = self.span(&pair);
        let mut parts = parts(pair);
        let left = self.value(parts.next().expect("a comparison has a left side"));
        let Some(next) = parts.next() else { return left };
        let left = Box::new(left);
        let kind = match parts.next() {
            Some(right) => ExprKind::Compare(compare(&next), left, Box::new(self.value(right))),
            None => ExprKind::In(left, Box::new(self.value(next))),
        };
        Expr { span, kind }
    }

    fn arithmetic(&mut self, pair: Node<'_>) -> Expr {
        let is_operator =
            |part: &Node<'_>| matches!(part.as_rule(), Rule::add | Rule::sub | Rule::mul | Rule::div);
        if pair.clone().into_inner().filter(is_operator).count() > MAX_OPERATORS {
            let span = self.span(&pair);
            return self.too_long(span);
        }
        // The Pratt parser takes closures that all need the builder, one at a time.
        let this = std::cell::RefCell::new(self);
        PRECEDENCE
            .map_primary(|part| this.borrow_mut().value(part))
            .map_prefix(|sign, operand: Expr| {
                let span = this.borrow().span(&sign).to(operand.span);
                Expr { span, kind: ExprKind::Negate(Box::new(operand)) }
            })
            .map_infix(|left: Expr, sign, right: Expr| {
                let operator = match sign.as_rule() {
                    Rule::add => Operator::Add,
                    Rule::sub => Operator::Subtract,
                    Rule::mul => Operator::Multiply,
                    _ => Operator::Divide,
                };
                let span = left.span.to(right.span);
                Expr { span, kind: ExprKind::Binary(operator, Box::new(left), Box::new(right)) }
            })
            .parse(pair.into_inner())
    }

    fn number(&mut self, pair: &Node<'_>) -> Number {
        let digits = pair.as_str().replace('_', "");
        let decimal: f64 = digits.parse().unwrap_or(f64::INFINITY);
        if digits.contains(['.', 'e', 'E']) {
            if decimal.is_finite() {
                return Number::Decimal(decimal);
            }
        } else if let Some(integer) = digits.parse().ok().filter(|&value: &u64| value <= MAX_INTEGER) {
            return Number::Integer(integer);
        }
        let span = self.span(pair);
        let error = Diagnostic::error(Code::NUMBER, "the number is too large");
        let error = error.at(span, format!("integers go to {MAX_INTEGER}, decimal numbers to 1.7e308"));
        self.out.push(error);
        Number::Integer(0)
    }

    /// The text of a string literal, its escapes replaced.
    fn text(&mut self, pair: Node<'_>) -> String {
        let inner = pair.into_inner().next().expect("a string has a text");
        let start = self.span(&inner).start;
        let mut text = String::new();
        let mut chars = inner.as_str().char_indices();
        while let Some((at, char)) = chars.next() {
            if char != '\\' {
                text.push(char);
                continue;
            }
            match chars.next().map_or('\\', |(_, escaped)| escaped) {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                same @ ('"' | '\\') => text.push(same),
                other => {
                    let start = start + at as u32;
                    let span = Span { file: self.file, start, end: start + 1 + other.len_utf8() as u32 };
                    self.out.push(
                        Diagnostic::error(Code::SYNTAX, format!("`\\{other}` is no escape"))
                            .at(span, "known are `\\\"`, `\\\\`, `\\n` and `\\t`"),
                    );
                }
            }
        }
        text
    }
}

fn compare(pair: &Node<'_>) -> Compare {
    match pair.as_str() {
        "<" => Compare::Less,
        "<=" => Compare::AtMost,
        "==" => Compare::Equal,
        "!=" => Compare::NotEqual,
        ">=" => Compare::AtLeast,
        _ => Compare::Greater,
    }
}
