//! Random small spaces of all kinds of regions, for property tests.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{SPAN, decided, decision, fixed, ints, region, word};
use crate::source::Span;
use crate::space::domain::below;
use crate::space::*;

/// Name of the layers inside a mirror.
pub(super) const MIRRORED: &str = "mirrored";

/// A space from a seed. Its layers keep height and width but for pools, so that many points are networks.
pub(super) fn random_space(seed: u64) -> Space {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let output = [Output::Classes(3), Output::Values(3), Output::Input][below(&mut rng, 3)];
    let space = Space::new([8, 8, 3], output, SPAN);
    let left = 4 + below(&mut rng, 4);
    let mut maker = Maker { space, rng, left, seen: Vec::new(), plain: false };
    let root = maker.space.root();
    if maker.one_of(3) == 0 {
        let sizes = maker.decide(root, "size", ints(&[8, 12]));
        maker.space.input[0] = decided(sizes);
        maker.space.input[1] = decided(sizes);
    }
    if maker.one_of(3) == 0 {
        let low_high = [0.5, 1.0].map(Value::Float);
        let [low, high] = low_high;
        let factor = maker.decide(root, "width", Domain::Grid { low, high, steps: 1, log: false });
        maker.space.width_scale = Some(WidthScale { factor: Expr::Decision(factor), round: 2 });
    }
    if maker.one_of(4) == 0 {
        let epochs = maker.decide(root, "epochs", ints(&[10, 20]));
        maker.space.recipe_uses.push(epochs);
    }
    maker.body(root, 0);
    if output != Output::Input {
        let dense = Layer::Dense { units: fixed(Value::Int(3)), norm: word("none"), act: word("none") };
        maker.space.add_child(root, region(RegionKind::Layer(dense), "dense"));
    } else {
        let conv = maker.conv(fixed(Value::Int(3)), fixed(Value::Int(1)), 1);
        maker.space.add_child(root, region(RegionKind::Layer(conv), "conv2d"));
    }
    maker.space
}

struct Maker {
    space: Space,
    rng: ChaCha8Rng,
    /// Decisions that may yet be made.
    left: usize,
    /// Integer decisions in scope, and words.
    seen: Vec<(DecisionId, bool)>,
    /// Whether only layers in sequence are allowed: inside a mirror.
    plain: bool,
}

impl Maker {
    fn one_of(&mut self, n: usize) -> usize {
        below(&mut self.rng, n)
    }

    fn decide(&mut self, at: RegionId, name: &str, domain: Domain) -> DecisionId {
        let is_int = domain.int_bounds().is_some();
        self.left = self.left.saturating_sub(1);
        let name = format!("{name}{}", self.space.decisions.len());
        let id = self.space.add_decision(at, decision(&name, domain));
        self.seen.push((id, is_int));
        id
    }

    /// An integer: written, decided here, or of a decision in scope.
    fn int(&mut self, at: RegionId, values: &[i64]) -> Argument {
        let known: Vec<DecisionId> = self.seen.iter().filter(|(_, int)| *int).map(|(id, _)| *id).collect();
        match self.one_of(4) {
            0 if self.left > 0 => decided(self.decide(at, "value", ints(values))),
            1 | 2 if !known.is_empty() => {
                let id = known[self.one_of(known.len())];
                match self.space.decision(id).domain.int_bounds() {
                    Some((low, high)) if values[0] <= low && high <= values[values.len() - 1] => decided(id),
                    _ => fixed(Value::Int(values[0])),
                }
            }
            _ => fixed(Value::Int(values[self.one_of(values.len())])),
        }
    }

    fn conv(&mut self, filters: Argument, kernel: Argument, stride: i64) -> Layer {
        Layer::Conv2d {
            filters,
            kernel,
            stride: fixed(Value::Int(stride)),
            padding: word(["same", "valid"][usize::from(self.one_of(6) == 0)]),
            norm: word(["none", "batch"][self.one_of(2)]),
            act: word(["none", "relu"][self.one_of(2)]),
        }
    }

    fn layer(&mut self, at: RegionId, around: RegionId) {
        // A place of its own, so that the nodes of a network can be told apart.
        let start = self.space.regions().node_count() as u32 + 10;
        let span = Span { start, end: start + 1, ..SPAN };
        let name = if self.plain { MIRRORED } else { "layer" };
        let id = self.space.add_child(at, Region { span, ..region(RegionKind::Sequence, name) });
        let layer = match self.one_of(8) {
            0..=2 => {
                let filters = match self.one_of(3) {
                    0 => {
                        let twice = [Expr::Channels(around), Expr::Value(Value::Int(2))].map(Box::new);
                        let [channels, two] = twice;
                        Argument { expr: Expr::Binary(BinaryOp::Mul, channels, two), span: SPAN }
                    }
                    _ => self.int(id, &[2, 3, 4]),
                };
                let kernel = self.int(id, &[1, 3]);
                let stride = 1 + i64::from(self.one_of(5) == 0);
                self.conv(filters, kernel, stride)
            }
            3 => Layer::DepthwiseConv2d {
                kernel: self.int(id, &[1, 3, 5]),
                stride: fixed(Value::Int(1)),
                padding: word("same"),
                norm: word("batch"),
                act: word("relu6"),
            },
            4 => Layer::MaxPool {
                size: fixed(Value::Int(2)),
                stride: fixed(Value::Int(2)),
                padding: word("valid"),
            },
            5 => Layer::BatchNorm,
            6 => Layer::Activation { act: word("relu") },
            _ => Layer::Upsample { factor: self.int(id, &[1, 2]) },
        };
        self.space.set_kind(id, RegionKind::Layer(layer));
    }

    fn condition(&mut self) -> Option<Expr> {
        if self.seen.is_empty() {
            return None;
        }
        let at = self.one_of(self.seen.len());
        let (id, is_int) = self.seen[at];
        let domain = self.space.decision(id).domain.clone();
        let value = domain.get(self.one_of(domain.len()))?;
        let op = match self.one_of(3) {
            0 if is_int => BinaryOp::AtMost,
            1 => BinaryOp::NotEqual,
            _ => BinaryOp::Equal,
        };
        let here = Expr::Binary(op, Box::new(Expr::Decision(id)), Box::new(Expr::Value(value)));
        Some(match self.one_of(4) {
            0 => {
                let joint = [BinaryOp::And, BinaryOp::Or][self.one_of(2)];
                Expr::Binary(joint, Box::new(here), Box::new(self.condition()?))
            }
            1 => Expr::Not(Box::new(here)),
            _ => here,
        })
    }

    fn body(&mut self, at: RegionId, depth: usize) {
        let outside = self.seen.len();
        for _ in 0..1 + self.one_of(3) {
            self.statement(at, depth);
        }
        if let (0, Some(condition)) = (self.one_of(4), self.condition()) {
            self.space.forbids.push(Forbid { region: at, condition, span: SPAN });
        }
        self.seen.truncate(outside);
    }

    fn child(&mut self, at: RegionId, name: &str, depth: usize) -> RegionId {
        let body = self.space.add_child(at, region(RegionKind::Sequence, name));
        self.body(body, depth + 1);
        body
    }

    fn statement(&mut self, at: RegionId, depth: usize) {
        let kinds = if depth > 2 || self.left == 0 { 2 } else { 9 };
        let kind = self.one_of(kinds);
        if kind < 2 {
            return self.layer(at, at);
        }
        if kind == 2 {
            self.decide(at, "let", ints(&[2, 3, 4][..2 + depth % 2]));
            return;
        }
        let merge = Merge {
            kind: [MergeKind::Add, MergeKind::Concat, MergeKind::Mul][self.one_of(3)],
            pool: self.one_of(4) > 0,
            pad: self.one_of(4) > 0,
        };
        // Where the decision of a statement lives: in it, or in the body around it, where others see it.
        let hoisted = self.one_of(2) == 0;
        let name = ["part", "piece"][self.one_of(2)];
        let id = self.space.add_child(at, region(RegionKind::Sequence, name));
        let home = if hoisted { at } else { id };
        let outside = self.seen.len();
        self.structure(kind, (id, home), merge, depth);
        if !hoisted {
            self.seen.truncate(outside);
        }
    }

    fn structure(&mut self, kind: usize, (id, home): (RegionId, RegionId), merge: Merge, depth: usize) {
        match kind {
            3 => self.repeat(id, home, merge, depth),
            4 => {
                let labels = vec!["a".to_owned(), "b".to_owned()];
                let words = labels.iter().cloned().map(Value::Text).collect();
                let choice = self.decide(home, "choose", Domain::Set(words));
                self.space.set_kind(id, RegionKind::Choose { labels: labels.clone(), decision: choice });
                for label in &labels {
                    self.child(id, label, depth);
                }
            }
            5 => {
                let flags = Domain::Set(vec![Value::Bool(false), Value::Bool(true)]);
                let choice = self.decide(home, "optional", flags);
                self.space.set_kind(id, RegionKind::Optional { decision: choice });
                self.child(id, "", depth);
            }
            6 => {
                if let Some(condition) = self.condition() {
                    self.space.set_kind(id, RegionKind::When { condition });
                    self.child(id, "then", depth);
                    if self.one_of(2) == 0 {
                        self.child(id, "else", depth);
                    }
                }
            }
            7 if !self.plain => {
                self.space.set_kind(id, RegionKind::Parallel { merge });
                for label in ["left", "right"] {
                    self.child(id, label, depth);
                }
            }
            _ if !self.plain => {
                let mirror = self.one_of(2) == 0;
                self.space.set_kind(id, if mirror { RegionKind::Mirror } else { RegionKind::Residual });
                self.plain = mirror;
                self.child(id, "", depth);
                self.plain = false;
            }
            _ => {}
        }
    }

    fn repeat(&mut self, id: RegionId, home: RegionId, merge: Merge, depth: usize) {
        let count = self.decide(home, "repeat", Domain::Range { low: 0, high: 2, step: 1, log: false });
        let body = self.space.add_child(id, region(RegionKind::Sequence, ""));
        let mut branching = None;
        if !self.plain && self.one_of(2) == 0 {
            let words = ["series", "beside"].map(|text| Value::Text(text.into()));
            let link = self.space.add_decision(body, decision("link", Domain::Set(words.to_vec())));
            branching = Some(Branching { link, merge });
        }
        self.space.set_kind(id, RegionKind::Repeat { count: Expr::Decision(count), branching });
        self.body(body, depth + 1);
    }
}
