//! Morphisms: all legal edits of a genome, and how one is applied.
//!
//! An edit changes one decision to a neighbour, or inserts or removes one repetition. What the edit leaves
//! undecided (a new repetition, another option of a `choose`) is drawn afresh; everything else stays.
//!
//! Source  µNAS, arXiv:2010.14246: enumerate all morphs of the parent, then draw one.

use rand::Rng;

use crate::space::genome::children_of;
use crate::space::domain::below;
use crate::space::{DecisionId, Expr, Genome, GenomeNode, RegionId, RegionKind, Scope, Space, Value};

/// Positions of children from the root.
type Path = Vec<usize>;

/// An edit of a genome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Morph {
    /// Decisions that change: the node, the position among its values, the new value.
    sets: Vec<(Path, usize, Value)>,
    /// A repetition that comes or goes: the node of the repeat, the position.
    list: Option<(Path, ListEdit)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ListEdit {
    Insert(usize),
    Remove(usize),
}

/// All edits of a genome, in a fixed order.
pub fn morphs(space: &Space, genome: &Genome) -> Vec<Morph> {
    let mut found = Vec::new();
    let mut owners = Vec::new();
    collect(space, space.root(), &genome.root, &mut Vec::new(), &mut owners, &mut found);
    found
}

/// The genome after an edit of it.
pub fn apply(space: &Space, genome: &Genome, morph: &Morph, rng: &mut impl Rng) -> Genome {
    rebuild(space, Some(genome), morph, rng)
}

/// The genome after one of its edits, drawn uniformly; itself where there is none.
pub fn mutate(space: &Space, genome: &Genome, rng: &mut impl Rng) -> Genome {
    let all = morphs(space, genome);
    if all.is_empty() {
        return genome.clone();
    }
    let morph = &all[below(rng, all.len())];
    apply(space, genome, morph, rng)
}

/// Where a decision in scope lives: the path of its node and its position there, with its value.
type Owner = (DecisionId, Path, usize, Value);

fn collect(
    space: &Space,
    id: RegionId,
    node: &GenomeNode,
    path: &mut Path,
    owners: &mut Vec<Owner>,
    found: &mut Vec<Morph>,
) {
    let region = space.region(id);
    let outer = owners.len();
    for (slot, (&decision, value)) in region.decisions.iter().zip(&node.values).enumerate() {
        for other in space.decision(decision).domain.neighbours(value) {
            found.push(Morph { sets: vec![(path.clone(), slot, other)], list: None });
        }
        owners.push((decision, path.clone(), slot, value.clone()));
    }
    if let RegionKind::Repeat { count: Expr::Decision(decision), .. } = &region.kind {
        let owner = owners.iter().rev().find(|owner| owner.0 == *decision);
        if let Some((_, at, slot, Value::Int(count))) = owner {
            let domain = &space.decision(*decision).domain;
            let mut edit = |count: i64, list: ListEdit| {
                let count = Value::Int(count);
                if domain.position(&count).is_some() {
                    found.push(Morph {
                        sets: vec![(at.clone(), *slot, count)],
                        list: Some((path.clone(), list)),
                    });
                }
            };
            (0..=node.children.len()).for_each(|position| edit(count + 1, ListEdit::Insert(position)));
            (0..node.children.len()).for_each(|position| edit(count - 1, ListEdit::Remove(position)));
        }
    }
    let regions = child_regions(space, id, node);
    for (position, (child, node)) in regions.into_iter().zip(&node.children).enumerate() {
        path.push(position);
        collect(space, child, node, path, owners, found);
        path.pop();
    }
    owners.truncate(outer);
}

/// The regions of a node's children, read off the node itself.
fn child_regions(space: &Space, id: RegionId, node: &GenomeNode) -> Vec<RegionId> {
    let children = space.children(id);
    let region = space.region(id);
    match &region.kind {
        RegionKind::Repeat { .. } => node.children.iter().flat_map(|_| children.first().copied()).collect(),
        RegionKind::Choose { labels, decision } => {
            let slot = region.decisions.iter().position(|d| d == decision);
            let label = slot.and_then(|slot| node.values.get(slot)).and_then(Value::as_text);
            let position = labels.iter().position(|known| Some(known.as_str()) == label);
            position.and_then(|position| children.get(position).copied()).into_iter().collect()
        }
        RegionKind::Sequence
        | RegionKind::Parallel { .. }
        | RegionKind::Optional { .. }
        | RegionKind::When { .. }
        | RegionKind::Residual
        | RegionKind::Mirror
        | RegionKind::Layer(_) => children,
    }
}

/// A genome from an old one with an edit; what the old one does not decide is drawn.
pub(crate) fn rebuild(space: &Space, old: Option<&Genome>, morph: &Morph, rng: &mut impl Rng) -> Genome {
    let mut builder = Builder { space, morph, rng };
    Genome {
        root: builder.node(
            space.root(),
            old.map(|genome| &genome.root),
            Some(&mut Vec::new()),
            &Scope::empty(),
        ),
    }
}

struct Builder<'a, R> {
    space: &'a Space,
    morph: &'a Morph,
    rng: &'a mut R,
}

impl<R: Rng> Builder<'_, R> {
    /// `path` is the node's path in the old genome; `None` for nodes that the old one does not have.
    fn node(
        &mut self,
        id: RegionId,
        old: Option<&GenomeNode>,
        path: Option<&mut Path>,
        outer: &Scope<'_>,
    ) -> GenomeNode {
        let space = self.space;
        let region = space.region(id);
        let mut values = Vec::with_capacity(region.decisions.len());
        for (slot, &decision) in region.decisions.iter().enumerate() {
            let edited = self.morph.sets.iter().find(|(at, s, _)| Some(at) == path.as_deref() && *s == slot);
            values.push(match (edited, old) {
                (Some((_, _, value)), _) => value.clone(),
                (None, Some(old)) => old.values[slot].clone(),
                (None, None) => space.decision(decision).domain.sample(self.rng),
            });
        }
        let decided = GenomeNode { values, children: Vec::new() };
        let scope = Scope::within(outer, region, &decided);
        let wanted = children_of(space, id, &scope).unwrap_or_default();
        let kept = self.kept_children(id, old, &decided, path.as_deref(), wanted.len());
        let mut path = path;
        let mut children = Vec::with_capacity(wanted.len());
        for (child, kept) in wanted.into_iter().zip(kept) {
            children.push(match (kept, old, path.as_deref_mut()) {
                (Some(position), Some(old), Some(path)) => {
                    path.push(position);
                    let node = self.node(child, old.children.get(position), Some(path), &scope);
                    path.pop();
                    node
                }
                _ => self.node(child, None, None, &scope),
            });
        }
        GenomeNode { values: decided.values, children }
    }

    /// For each new child, the position of the old child that it continues.
    fn kept_children(
        &self,
        id: RegionId,
        old: Option<&GenomeNode>,
        new: &GenomeNode,
        path: Option<&Path>,
        wanted: usize,
    ) -> Vec<Option<usize>> {
        let Some(old) = old else {
            return vec![None; wanted];
        };
        let region = self.space.region(id);
        if matches!(region.kind, RegionKind::Choose { .. }) && old.values != new.values {
            let RegionKind::Choose { decision, .. } = &region.kind else { return vec![None; wanted] };
            let slot = region.decisions.iter().position(|d| d == decision);
            if slot.is_some_and(|slot| old.values[slot] != new.values[slot]) {
                return vec![None; wanted];
            }
        }
        let mut kept: Vec<Option<usize>> = (0..old.children.len()).map(Some).collect();
        if let Some((at, edit)) = &self.morph.list
            && Some(at) == path
        {
            match *edit {
                ListEdit::Insert(position) => kept.insert(position.min(kept.len()), None),
                ListEdit::Remove(position) if position < kept.len() => drop(kept.remove(position)),
                ListEdit::Remove(_) => {}
            }
        }
        kept.resize(wanted, None);
        kept
    }
}
