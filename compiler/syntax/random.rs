//! Random trees for tests: every node that the grammar can give, and none that it cannot.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use crate::source::{FileId, Span};
use crate::syntax::ast::{
    Arg, Body, Branch, Call, Choose, Compare, Definition, Expr, ExprKind, Field, File, Item, ItemKind, Let,
    Name, Number, Objective, Operator, Optional, Parallel, Param, Range, Repeat, Requirement, Requirements,
    Section, Statement, StatementKind, Step, Target, Use, UseName, UsePath, When, Wrapped,
};

const SPAN: Span = Span { file: FileId(0), start: 0, end: 0 };
/// Among them words that mean something elsewhere.
const NAMES: [&str; 12] = [
    "a",
    "width",
    "long_name_of_a_decision",
    "on",
    "step",
    "count",
    "norm",
    "b2",
    "weight",
    "by",
    "model",
    "Xy",
];
const UNITS: [&str; 5] = ["ms", "KiB", "%", "h", "samples"];
const TYPES: [&str; 4] = ["count", "pair", "norm", "share"];
const COMPARES: [Compare; 6] =
    [Compare::Less, Compare::AtMost, Compare::Equal, Compare::AtLeast, Compare::Greater, Compare::NotEqual];

/// A tree of about `size` items.
pub(super) fn tree(seed: u64, size: usize) -> File {
    let mut random = Random(ChaCha8Rng::seed_from_u64(seed));
    let items = (0..size).map(|_| random.item()).collect();
    File { file: FileId(0), span: SPAN, items }
}

/// Draws.
pub(super) struct Random(pub(super) ChaCha8Rng);

impl Random {
    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n as u64) as usize
    }

    fn flip(&mut self) -> bool {
        self.below(2) == 0
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn maybe<T>(&mut self, draw: impl FnOnce(&mut Random) -> T) -> Option<T> {
        self.flip().then(|| draw(self))
    }

    fn several<T>(&mut self, at_most: usize, mut draw: impl FnMut(&mut Random) -> T) -> Vec<T> {
        (0..self.below(at_most + 1)).map(|_| draw(self)).collect()
    }

    fn name(&mut self) -> Name {
        name(self.pick(&NAMES))
    }

    fn docs(&mut self) -> Vec<String> {
        if self.below(4) > 0 {
            return Vec::new();
        }
        self.several(2, |random| random.pick(&["", "A doc.", "  {indented, \"µ", "// twice"]).to_owned())
    }

    fn text(&mut self) -> String {
        self.pick(&["", "x", "a \"b\" \\ c", "line\nnext\tµ {", "// no comment", "'"]).to_owned()
    }

    fn text_value(&mut self) -> Expr {
        expr(ExprKind::Text(self.text()))
    }

    fn item(&mut self) -> Item {
        let kind = match self.below(13) {
            0 => ItemKind::Use(Use {
                path: self.path(),
                names: self
                    .several(4, |random| UseName { name: random.name(), alias: random.maybe(Random::name) }),
            }),
            1 => ItemKind::Let(self.binding(false)),
            2 => ItemKind::Param(self.binding(true)),
            3 => ItemKind::With(self.path()),
            4 => ItemKind::Forbid(self.several(3, |random| random.condition(2))),
            5 => ItemKind::Phase(Section { name: self.name(), fields: self.fields() }),
            6 => ItemKind::Block(self.definition()),
            7 => ItemKind::Model(self.definition()),
            8 => {
                let word = self.pick(&["data", "train", "search", "scale", "supernet", "schedule"]);
                ItemKind::Section(Section { name: name(word), fields: self.fields() })
            }
            9 => ItemKind::Target(Target { name: name(&self.text()), fields: self.fields() }),
            10 => ItemKind::Require(self.requirements()),
            11 => ItemKind::Prefer(self.requirements()),
            _ => ItemKind::Objective(self.objective()),
        };
        Item { docs: self.docs(), span: SPAN, kind }
    }

    fn path(&mut self) -> UsePath {
        match self.flip() {
            true => UsePath::Library(name(self.pick(&["std/blocks", "a", "std/spaces/mcunet"]))),
            false => UsePath::File(name(&self.text())),
        }
    }

    fn binding(&mut self, typed: bool) -> Let {
        let ty = if typed { self.maybe(Random::name) } else { None };
        Let { name: self.name(), ty, value: self.value(3) }
    }

    fn definition(&mut self) -> Definition {
        let params = self.several(4, |random| match random.below(4) {
            0 => Param { name: random.name(), ty: None, default: None },
            1 => Param { name: random.name(), ty: None, default: Some(random.value(2)) },
            2 => Param { name: random.name(), ty: Some(name(random.pick(&TYPES))), default: None },
            _ => Param { name: random.name(), ty: Some(random.name()), default: Some(random.value(2)) },
        });
        Definition { name: self.name(), params, body: self.body(3) }
    }

    fn fields(&mut self) -> Vec<Field> {
        self.several(4, |random| Field { key: random.name(), value: random.value(3) })
    }

    fn requirements(&mut self) -> Requirements {
        let clauses = self.several(3, |random| Requirement {
            span: SPAN,
            metric: random.value_without_range(2),
            compare: COMPARES[random.below(5)],
            bound: random.value_without_range(2),
            on: random.several(2, Random::text_value),
            weight: random.maybe(|random| random.value_without_range(1)),
        });
        Requirements { keyword: SPAN, clauses }
    }

    fn objective(&mut self) -> Objective {
        let metric = match self.flip() {
            true => expr(ExprKind::Name(self.name().text)),
            false => expr(ExprKind::Call(self.call(1))),
        };
        Objective { maximize: self.flip(), metric, on: self.several(2, Random::text_value) }
    }

    fn body(&mut self, depth: usize) -> Body {
        let statements = self.several(3, |random| random.statement(depth));
        Body { span: SPAN, statements }
    }

    fn branches(&mut self, depth: usize) -> Vec<Branch> {
        self.several(3, |random| Branch {
            docs: random.docs(),
            label: random.name(),
            body: random.body(depth),
        })
    }

    fn statement(&mut self, depth: usize) -> Statement {
        let kinds = if depth == 0 { 3 } else { 10 };
        let inner = depth.saturating_sub(1);
        let name = self.maybe(Random::name);
        let kind = match self.below(kinds) {
            0 => StatementKind::Let(self.binding(false)),
            1 => StatementKind::Layer(self.call(2)),
            2 => StatementKind::Forbid(self.several(2, |random| random.condition(2))),
            3 => {
                let count = self.value(2);
                let branching = self.maybe(|random| random.value(1));
                StatementKind::Repeat(Repeat { name, count, branching, body: self.body(inner) })
            }
            4 => StatementKind::Choose(Choose { name, options: self.branches(inner) }),
            5 => StatementKind::Optional(Optional { name, body: self.body(inner) }),
            6 => {
                let merge = self.value(1);
                StatementKind::Parallel(Parallel { name, merge, branches: self.branches(inner) })
            }
            7 => StatementKind::Residual(Wrapped { name, body: self.body(inner) }),
            8 => StatementKind::Mirror(Wrapped { name, body: self.body(inner) }),
            _ => StatementKind::When(When {
                condition: self.condition(3),
                body: self.body(inner),
                otherwise: self.maybe(|random| random.body(inner)),
            }),
        };
        Statement { docs: self.docs(), span: SPAN, kind }
    }

    fn call(&mut self, depth: usize) -> Call {
        let name = self.name();
        let args =
            self.several(5, |random| Arg { name: random.maybe(Random::name), value: random.value(depth) });
        Call { span: SPAN, name, args }
    }

    /// What can stand alone, an operand of anything.
    fn primary(&mut self) -> ExprKind {
        match self.below(5) {
            0 => {
                let unit = self.maybe(|random| name(random.pick(&UNITS)));
                ExprKind::Number(Number::Integer(self.0.next_u64() >> self.pick(&[11, 40, 60])), unit)
            }
            1 => {
                let decimals = [0.5, 1e-4, 1e300, 2.25, 0.0, 123_456_789.5];
                ExprKind::Number(Number::Decimal(self.pick(&decimals)), None)
            }
            2 => ExprKind::Bool(self.flip()),
            3 => ExprKind::Text(self.text()),
            _ => ExprKind::Name(self.name().text),
        }
    }

    fn value(&mut self, depth: usize) -> Expr {
        if depth == 0 || self.below(4) > 0 {
            return self.value_without_range(depth);
        }
        let step = match self.below(3) {
            0 => Some(Step::Add(self.value(depth - 1))),
            1 => Some(Step::Multiply(self.value(depth - 1))),
            _ => None,
        };
        let (low, high) = (self.value(depth - 1), self.value(depth - 1));
        expr(ExprKind::Range(Box::new(Range { log: self.flip(), low, high, step })))
    }

    fn value_without_range(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return expr(self.primary());
        }
        let inner = depth - 1;
        expr(match self.below(8) {
            0 => ExprKind::Call(self.call(inner)),
            1 => ExprKind::Tuple(self.several(3, |random| random.value(inner))),
            2 => ExprKind::Set(self.several(3, |random| random.value(inner))),
            3 => ExprKind::List(self.several(3, |random| random.value(inner))),
            4 => ExprKind::Negate(Box::new(self.value(inner))),
            5 => self.binary(|random| random.value(inner)),
            _ => self.primary(),
        })
    }

    fn binary(&mut self, mut operand: impl FnMut(&mut Random) -> Expr) -> ExprKind {
        let operators = [Operator::Add, Operator::Subtract, Operator::Multiply, Operator::Divide];
        let left = operand(self);
        ExprKind::Binary(self.pick(&operators), Box::new(left), Box::new(operand(self)))
    }

    fn condition(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return expr(self.primary());
        }
        let inner = depth - 1;
        let boxed = |random: &mut Random| Box::new(random.condition(inner));
        expr(match self.below(9) {
            0 | 1 => ExprKind::Compare(self.pick(&COMPARES), boxed(self), boxed(self)),
            2 => ExprKind::In(boxed(self), Box::new(self.value(inner))),
            3 => {
                let more = self.below(2);
                ExprKind::And((0..2 + more).map(|_| self.condition(inner)).collect())
            }
            4 => ExprKind::Or(vec![self.condition(inner), self.condition(inner)]),
            5 => ExprKind::Not(boxed(self)),
            6 => ExprKind::Negate(boxed(self)),
            7 => self.binary(|random| random.condition(inner)),
            _ => ExprKind::Tuple(self.several(2, |random| random.condition(inner))),
        })
    }
}

fn name(text: &str) -> Name {
    Name { text: text.to_owned(), span: SPAN }
}

fn expr(kind: ExprKind) -> Expr {
    Expr { span: SPAN, kind }
}
