//! The tree that a `.nas` file says, before any name is looked up.
//!
//! Every node carries the [`Span`] it was written at. Numbers, units and names are kept as written; what they
//! mean, and whether they make sense together, is for `elaborate`.

use crate::source::{FileId, Span};

/// A name with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// As written.
    pub text: String,
    /// Where.
    pub span: Span,
}

/// One parsed file: the items that parsed, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
    /// Which file.
    pub file: FileId,
    /// The whole file.
    pub span: Span,
    /// The items without `nas 1`, which [`crate::syntax::parse`] checks.
    pub items: Vec<Item>,
}

/// A top-level item.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Lines of the doc comment above it, without `///`.
    pub docs: Vec<String>,
    /// From its first word to its last sign.
    pub span: Span,
    /// What it is.
    pub kind: ItemKind,
}

/// What a top-level item is.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `use std/blocks { ds_conv }`.
    Use(Use),
    /// `let width = 24..64 step 8`.
    Let(Let),
    /// `param res = {64, 80}`: a decision that can be set from outside.
    Param(Let),
    /// `with "base.nas"`: this file is a variant of that spec.
    With(UsePath),
    /// `forbid { width > 48 and depth == 5 }`.
    Forbid(Vec<Expr>),
    /// `phase kernel { epochs: 120 }`.
    Phase(Section),
    /// `block name(filters, kernel: 3) { ... }`.
    Block(Definition),
    /// `model name(classes: 12) { ... }`.
    Model(Definition),
    /// `data { key: value }`, and so `train`, `quantize`, `search`, `scale`, `supernet`, `schedule`.
    Section(Section),
    /// `target "name" { key: value }`.
    Target(Target),
    /// `require { ram <= 24 KiB }`.
    Require(Requirements),
    /// `prefer { energy <= 2 mJ weight 0.2 }`.
    Prefer(Requirements),
    /// `maximize accuracy`.
    Objective(Objective),
}

/// What a `use` reads from.
#[derive(Clone, Debug, PartialEq)]
pub enum UsePath {
    /// `std/blocks`, the parts joined by `/`.
    Library(Name),
    /// `"blocks.nas"`, beside the spec.
    File(Name),
}

/// Names taken from another file.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The other file.
    pub path: UsePath,
    /// The names taken.
    pub names: Vec<UseName>,
}

/// One name of a `use`.
#[derive(Clone, Debug, PartialEq)]
pub struct UseName {
    /// Its name there.
    pub name: Name,
    /// Its name here, if another.
    pub alias: Option<Name>,
}

/// A named value.
#[derive(Clone, Debug, PartialEq)]
pub struct Let {
    /// The name it gets.
    pub name: Name,
    /// Its type, where one is written; only a `param` can have one.
    pub ty: Option<Name>,
    /// The value or decision.
    pub value: Expr,
}

/// A `block` or a `model`.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// Its name.
    pub name: Name,
    /// Its parameters.
    pub params: Vec<Param>,
    /// Its layers.
    pub body: Body,
}

/// A parameter of a block or model: `filters`, `kernel: 3`, `filters: count`, `kernel: pair = 3`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Its name.
    pub name: Name,
    /// The word behind the colon where a `=` follows it or where it names a type: `count`, `pair`.
    pub ty: Option<Name>,
    /// Its value where none is given.
    pub default: Option<Expr>,
}

/// `data`, `train`, `quantize`, `search`, `scale`, `supernet`, `schedule`; or a `phase`.
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    /// Which one; of a `phase` its own name.
    pub name: Name,
    /// Its keys and values.
    pub fields: Vec<Field>,
}

/// `key: value`.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The key.
    pub key: Name,
    /// The value.
    pub value: Expr,
}

/// A target declared or overridden.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// Its name, a string in the text.
    pub name: Name,
    /// Its keys and values.
    pub fields: Vec<Field>,
}

/// The body of `require` or `prefer`.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirements {
    /// The word `require` or `prefer`.
    pub keyword: Span,
    /// One per line.
    pub clauses: Vec<Requirement>,
}

/// `latency <= 60 ms on "cortex-m4" weight 0.2`.
#[derive(Clone, Debug, PartialEq)]
pub struct Requirement {
    /// All of it.
    pub span: Span,
    /// What is bounded.
    pub metric: Expr,
    /// How.
    pub compare: Compare,
    /// The bound.
    pub bound: Expr,
    /// The targets it holds for: strings; empty for all.
    pub on: Vec<Expr>,
    /// Its weight, where given.
    pub weight: Option<Expr>,
}

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `<`.
    Less,
    /// `<=`.
    AtMost,
    /// `==`.
    Equal,
    /// `>=`.
    AtLeast,
    /// `>`.
    Greater,
    /// `!=`.
    NotEqual,
}

impl Compare {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Compare::Less => "<",
            Compare::AtMost => "<=",
            Compare::Equal => "==",
            Compare::AtLeast => ">=",
            Compare::Greater => ">",
            Compare::NotEqual => "!=",
        }
    }
}

/// `maximize` or `minimize` a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective {
    /// Whether more is better.
    pub maximize: bool,
    /// The metric: a name, or a call such as `ram(munas)`.
    pub metric: Expr,
    /// The targets it is taken on: strings; empty for all.
    pub on: Vec<Expr>,
}

/// Layers in sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    /// The braces, or the one statement that stands without.
    pub span: Span,
    /// What runs in sequence.
    pub statements: Vec<Statement>,
}

/// One item of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// Lines of the doc comment above it, without `///`.
    pub docs: Vec<String>,
    /// From its first word to its last sign.
    pub span: Span,
    /// What it is.
    pub kind: StatementKind,
}

/// What an item of a body is.
#[derive(Clone, Debug, PartialEq)]
pub enum StatementKind {
    /// A value known from here to the end of the body.
    Let(Let),
    /// A layer or block: `conv2d(filters: 8)`, `flatten`.
    Layer(Call),
    /// `repeat depth: 2..5 { ... }`.
    Repeat(Repeat),
    /// `choose body { a: ..., b: ... }`.
    Choose(Choose),
    /// `optional name { ... }`.
    Optional(Optional),
    /// `parallel name merge add { a: ..., b: ... }`.
    Parallel(Parallel),
    /// `residual name { ... }`.
    Residual(Wrapped),
    /// `mirror name { ... }`.
    Mirror(Wrapped),
    /// `when res >= 80 { ... } else { ... }`.
    When(When),
    /// `forbid { kernel == 7 and expand == 6 }`.
    Forbid(Vec<Expr>),
}

/// A body in a statement that says what is done around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wrapped {
    /// The name for paths.
    pub name: Option<Name>,
    /// What.
    pub body: Body,
}

/// A body that is there under a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct When {
    /// The condition.
    pub condition: Expr,
    /// What is there if it holds.
    pub body: Body,
    /// What is there if not.
    pub otherwise: Option<Body>,
}

/// A body that occurs several times in sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Repeat {
    /// The name of the decision.
    pub name: Option<Name>,
    /// How often.
    pub count: Expr,
    /// `branching merge add(...)`: a repetition may stand beside the one before it; how their outputs become one.
    pub branching: Option<Expr>,
    /// What.
    pub body: Body,
}

/// One of several bodies.
#[derive(Clone, Debug, PartialEq)]
pub struct Choose {
    /// The name of the decision.
    pub name: Option<Name>,
    /// The options.
    pub options: Vec<Branch>,
}

/// A body that may be left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Optional {
    /// The name of the decision.
    pub name: Option<Name>,
    /// What.
    pub body: Body,
}

/// Bodies that all read the same input.
#[derive(Clone, Debug, PartialEq)]
pub struct Parallel {
    /// Its name.
    pub name: Option<Name>,
    /// How the outputs become one: `add` or `concat`.
    pub merge: Expr,
    /// The branches.
    pub branches: Vec<Branch>,
}

/// `label: body`.
#[derive(Clone, Debug, PartialEq)]
pub struct Branch {
    /// Lines of the doc comment above it, without `///`.
    pub docs: Vec<String>,
    /// Its label.
    pub label: Name,
    /// What it holds.
    pub body: Body,
}

/// `name(argument, key: argument)`, or the name alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// All of it.
    pub span: Span,
    /// What is called.
    pub name: Name,
    /// With what.
    pub args: Vec<Arg>,
}

/// An argument.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name before the colon.
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// A value with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: ExprKind,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// `12`, `1e-3`, `24 KiB`.
    Number(Number, Option<Name>),
    /// `"text"`.
    Text(String),
    /// `true`, `false`.
    Bool(bool),
    /// A name.
    Name(String),
    /// `adamw(lr: 1e-3)`.
    Call(Call),
    /// `(10, 4)`.
    Tuple(Vec<Expr>),
    /// `{3, 5}`: one decision.
    Set(Vec<Expr>),
    /// `[a, b]`.
    List(Vec<Expr>),
    /// `24..64 step 8`, `log 1e-4..1e-2`.
    Range(Box<Range>),
    /// `-x`.
    Negate(Box<Expr>),
    /// `a + b`.
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `a >= b`; only in the conditions of `when` and `forbid`.
    Compare(Compare, Box<Expr>, Box<Expr>),
    /// `a in {1, 2}` or `a in 1..4`; only in conditions.
    In(Box<Expr>, Box<Expr>),
    /// `a and b and c`; only in conditions.
    And(Vec<Expr>),
    /// `a or b or c`; only in conditions.
    Or(Vec<Expr>),
    /// `not a`; only in conditions.
    Not(Box<Expr>),
}

/// The number of a literal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Without point and exponent; at most 2^53.
    Integer(u64),
    /// With a point or an exponent; finite.
    Decimal(f64),
}

impl Number {
    /// As a floating-point number; exact.
    pub fn value(self) -> f64 {
        match self {
            Number::Integer(value) => value as f64,
            Number::Decimal(value) => value,
        }
    }
}

/// `low..high`, both ends included.
#[derive(Clone, Debug, PartialEq)]
pub struct Range {
    /// Whether values are spread evenly in the logarithm.
    pub log: bool,
    /// The smallest value.
    pub low: Expr,
    /// The largest value.
    pub high: Expr,
    /// The distance of neighbours, where given.
    pub step: Option<Step>,
}

/// How a range goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// `step 8`.
    Add(Expr),
    /// `by *2`.
    Multiply(Expr),
}

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`.
    Add,
    /// `-`.
    Subtract,
    /// `*`.
    Multiply,
    /// `/`.
    Divide,
}

impl Operator {
    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::Multiply => "*",
            Operator::Divide => "/",
        }
    }
}
