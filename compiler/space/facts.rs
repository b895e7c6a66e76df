//! What the region tree says about decisions, gathered once: who reads which decision, and what is forbidden where.

use std::collections::BTreeSet;

use crate::space::{Argument, DecisionId, Expr, Layer, RegionId, RegionKind, Space};

/// One part of a forbidden combination; `a or b` has two.
#[derive(Clone, Debug)]
pub(crate) struct Condition<'a> {
    /// True for points that are not of the space, if all that it reads is live.
    pub(crate) expr: &'a Expr,
    /// What it reads.
    pub(crate) reads: BTreeSet<DecisionId>,
    /// Which of [`Space::forbids`] it is of.
    pub(crate) forbid: usize,
}

/// Facts about a space; lists are indexed by region.
#[derive(Clone, Debug)]
pub(crate) struct Facts<'a> {
    /// The space.
    pub(crate) space: &'a Space,
    children: Vec<Vec<RegionId>>,
    reads: Vec<BTreeSet<DecisionId>>,
    outer_reads: Vec<BTreeSet<DecisionId>>,
    outer_structure: Vec<BTreeSet<DecisionId>>,
    conditions: Vec<Vec<Condition<'a>>>,
    structural: BTreeSet<DecisionId>,
    has_decisions: Vec<bool>,
}

impl<'a> Facts<'a> {
    /// The facts of a space.
    pub(crate) fn new(space: &'a Space) -> Facts<'a> {
        let n = space.regions().node_indices().map(|id| id.index() + 1).max().unwrap_or(0);
        let mut facts = Facts {
            space,
            children: vec![Vec::new(); n],
            reads: vec![BTreeSet::new(); n],
            outer_reads: vec![BTreeSet::new(); n],
            outer_structure: vec![BTreeSet::new(); n],
            conditions: vec![Vec::new(); n],
            structural: BTreeSet::new(),
            has_decisions: vec![false; n],
        };
        for (forbid, part) in space.forbids.iter().enumerate() {
            for expr in disjuncts(&part.condition) {
                let reads = reads_of(expr);
                facts.structural.extend(&reads);
                facts.conditions[part.region.index()].push(Condition { expr, reads, forbid });
            }
        }
        facts.gather(space.root());
        facts
    }

    fn gather(&mut self, id: RegionId) {
        let (space, at) = (self.space, id.index());
        let region = space.region(id);
        let structure = structure_of(&region.kind);
        self.structural.extend(&structure);
        let mut reads = structure.clone();
        if let RegionKind::Layer(layer) = &region.kind {
            arguments(layer).for_each(|argument| note(&argument.expr, &mut reads));
            if let (Layer::Conv2d { filters, .. }, Some(scale)) = (layer, &space.width_scale)
                && !reads_channels(&filters.expr)
            {
                note(&scale.factor, &mut reads);
            }
        }
        if id == space.root() {
            space.input.iter().for_each(|size| note(&size.expr, &mut reads));
            reads.extend(&space.recipe_uses);
        }
        let mut outer_reads = reads.clone();
        let mut outer_structure = structure;
        for condition in &self.conditions[at] {
            outer_structure.extend(&condition.reads);
        }
        self.has_decisions[at] = !region.decisions.is_empty();
        let children = space.children(id);
        for &child in &children {
            self.gather(child);
            outer_reads.extend(&self.outer_reads[child.index()]);
            outer_structure.extend(&self.outer_structure[child.index()]);
            self.has_decisions[at] |= self.has_decisions[child.index()];
        }
        for own in &region.decisions {
            outer_reads.remove(own);
            outer_structure.remove(own);
        }
        self.children[at] = children;
        self.reads[at] = reads;
        self.outer_reads[at] = outer_reads;
        self.outer_structure[at] = outer_structure;
    }

    /// The children in order.
    pub(crate) fn children(&self, id: RegionId) -> &[RegionId] {
        &self.children[id.index()]
    }

    /// What an instance of a region reads by itself, without its children. The `link` of a branching repetition is
    /// read as well, but by all repetitions but the first.
    pub(crate) fn reads(&self, id: RegionId) -> &BTreeSet<DecisionId> {
        &self.reads[id.index()]
    }

    /// Decisions of the regions around one that something within it reads.
    pub(crate) fn outer_reads(&self, id: RegionId) -> &BTreeSet<DecisionId> {
        &self.outer_reads[id.index()]
    }

    /// Decisions of the regions around one that say which parts it has, or that a condition within it reads.
    pub(crate) fn outer_structure(&self, id: RegionId) -> &BTreeSet<DecisionId> {
        &self.outer_structure[id.index()]
    }

    /// Whether something is decided in a region or within it.
    pub(crate) fn has_decisions(&self, id: RegionId) -> bool {
        self.has_decisions[id.index()]
    }

    /// What is forbidden for every instance of a region.
    pub(crate) fn conditions(&self, id: RegionId) -> &[Condition<'a>] {
        &self.conditions[id.index()]
    }

    /// Whether a decision says which parts something has, or a forbidden combination reads it.
    pub(crate) fn is_structural(&self, decision: DecisionId) -> bool {
        self.structural.contains(&decision)
    }

    /// The decision that says how repetitions of this region's parent are linked, if it lives here.
    pub(crate) fn link_of(&self, repeat: RegionId) -> Option<DecisionId> {
        match &self.space.region(repeat).kind {
            RegionKind::Repeat { branching, .. } => branching.map(|branching| branching.link),
            _ => None,
        }
    }
}

/// What says which children an instance has.
fn structure_of(kind: &RegionKind) -> BTreeSet<DecisionId> {
    match kind {
        RegionKind::Repeat { count, .. } => reads_of(count),
        RegionKind::When { condition } => reads_of(condition),
        RegionKind::Choose { decision, .. } | RegionKind::Optional { decision } => {
            BTreeSet::from([*decision])
        }
        RegionKind::Sequence
        | RegionKind::Parallel { .. }
        | RegionKind::Residual
        | RegionKind::Mirror
        | RegionKind::Layer(_) => BTreeSet::new(),
    }
}

/// The decisions that an expression reads.
pub(crate) fn reads_of(expr: &Expr) -> BTreeSet<DecisionId> {
    let mut reads = BTreeSet::new();
    note(expr, &mut reads);
    reads
}

fn note(expr: &Expr, reads: &mut BTreeSet<DecisionId>) {
    match expr {
        Expr::Value(_) | Expr::Channels(_) => {}
        Expr::Decision(decision) => {
            reads.insert(*decision);
        }
        Expr::Binary(_, a, b) => {
            note(a, reads);
            note(b, reads);
        }
        Expr::Tuple(parts) | Expr::Call(_, parts) => parts.iter().for_each(|part| note(part, reads)),
        Expr::Not(operand) => note(operand, reads),
    }
}

/// Whether an expression is computed from `channels`.
pub(crate) fn reads_channels(expr: &Expr) -> bool {
    match expr {
        Expr::Value(_) | Expr::Decision(_) => false,
        Expr::Channels(_) => true,
        Expr::Binary(_, a, b) => reads_channels(a) || reads_channels(b),
        Expr::Tuple(parts) | Expr::Call(_, parts) => parts.iter().any(reads_channels),
        Expr::Not(operand) => reads_channels(operand),
    }
}

/// The parts of `a or b or c`; any other expression alone.
fn disjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Binary(crate::space::BinaryOp::Or, a, b) => {
            let mut parts = disjuncts(a);
            parts.extend(disjuncts(b));
            parts
        }
        other => vec![other],
    }
}

/// The arguments of a layer, as a list of references of the kind that the layer is given as.
macro_rules! arguments_of {
    ($layer:expr) => {
        match $layer {
            Layer::Conv2d { filters, kernel, stride, padding, norm, act } => {
                vec![filters, kernel, stride, padding, norm, act]
            }
            Layer::DepthwiseConv2d { kernel, stride, padding, norm, act } => {
                vec![kernel, stride, padding, norm, act]
            }
            Layer::Dense { units, norm, act } => vec![units, norm, act],
            Layer::Activation { act } => vec![act],
            Layer::MaxPool { size, stride, padding } | Layer::AvgPool { size, stride, padding } => {
                vec![size, stride, padding]
            }
            Layer::Upsample { factor } => vec![factor],
            Layer::Dropout { rate } => vec![rate],
            Layer::BatchNorm | Layer::GlobalAvgPool | Layer::Flatten | Layer::Identity => Vec::new(),
        }
    };
}

/// The arguments of a layer.
pub(crate) fn arguments(layer: &Layer) -> impl Iterator<Item = &Argument> {
    let arguments: Vec<&Argument> = arguments_of!(layer);
    arguments.into_iter()
}

/// The arguments of a layer, to change them.
pub(crate) fn arguments_mut(layer: &mut Layer) -> impl Iterator<Item = &mut Argument> {
    let arguments: Vec<&mut Argument> = arguments_of!(layer);
    arguments.into_iter()
}
