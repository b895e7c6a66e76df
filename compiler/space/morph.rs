//! Morphisms: all legal edits of a genome, and how one is applied.
//!
//! An edit changes one live decision to a neighbour, or inserts or removes one repetition. What the edit leaves
//! undecided (a new repetition, another option of a `choose`, a decision that nothing read before) is drawn afresh;
//! everything else stays.
//!
//! Source  µNAS, arXiv:2010.14246: enumerate all morphs of the parent, then draw one.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::space::activity::{Activity, forbidden, settle};
use crate::space::domain::{below, unit};
use crate::space::facts::Facts;
use crate::space::genome::children_of;
use crate::space::{DecisionId, Domain, Expr, Genome, GenomeNode, RegionId, RegionKind, Scope, Space, Value};

/// Positions of children from the root.
type Path = Vec<usize>;

/// Draws for what an edit leaves undecided, before the edit is said to lead to forbidden points alone.
const DRAWS: usize = 20;

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

/// How an edit changes a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// By so many positions of its domain, up or down.
    Steps(Vec<usize>),
    /// To any other value.
    Any,
}

/// Which edits there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MorphRules {
    /// How decisions of a name change.
    pub changes: BTreeMap<String, Change>,
    /// Whether decisions of other names change too: to the next value of a range, to any other value of a set.
    pub others: bool,
    /// Whether a repetition may come in between others.
    pub insert: bool,
    /// Whether a repetition may go from between others.
    pub remove: bool,
}

impl Default for MorphRules {
    /// To neighbours; repetitions come and go.
    fn default() -> MorphRules {
        MorphRules { changes: BTreeMap::new(), others: true, insert: true, remove: true }
    }
}

impl MorphRules {
    /// What one edit may change a decision to.
    fn targets(&self, name: &str, domain: &Domain, value: &Value) -> Vec<Value> {
        let Some(here) = domain.position(value) else { return domain.neighbours(value) };
        let positions: Vec<usize> = match self.changes.get(name) {
            None if self.others => return domain.neighbours(value),
            None => return Vec::new(),
            Some(Change::Any) => (0..domain.len()).filter(|&at| at != here).collect(),
            Some(Change::Steps(steps)) => {
                let around = |&step: &usize| [here.checked_sub(step), here.checked_add(step)];
                let around = steps.iter().filter(|&&step| step != 0).flat_map(around).flatten();
                around.collect::<BTreeSet<usize>>().into_iter().collect()
            }
        };
        positions.into_iter().filter_map(|at| domain.get(at)).collect()
    }
}

/// All edits of a genome, in a fixed order.
pub fn morphs(space: &Space, genome: &Genome, rules: &MorphRules) -> Vec<Morph> {
    let facts = Facts::new(space);
    let activity = Activity::of(&facts, genome);
    let mut collector = Collector { space, rules, path: Vec::new(), owners: Vec::new(), found: Vec::new() };
    collector.node(space.root(), &genome.root, &activity, &Scope::empty());
    collector.found
}

/// The genome after an edit of it, in canonical form; itself where all that was drawn for the rest is forbidden.
pub fn apply(space: &Space, genome: &Genome, morph: &Morph, rng: &mut impl Rng) -> Genome {
    let facts = Facts::new(space);
    let mut old = genome.clone();
    let activity = settle(&facts, &mut old);
    attempt(&facts, &old, &activity, morph, rng).unwrap_or(old)
}

fn attempt(
    facts: &Facts<'_>,
    old: &Genome,
    activity: &Activity,
    morph: &Morph,
    rng: &mut impl Rng,
) -> Option<Genome> {
    (0..DRAWS).find_map(|_| {
        let mut edited = rebuild(facts.space, Some((old, activity)), morph, rng);
        let activity = settle(facts, &mut edited);
        forbidden(facts, &edited, &activity).is_none().then_some(edited)
    })
}

/// The genome after one of its edits, drawn uniformly from those that lead to another point of the space; itself, in
/// canonical form, where there is none.
pub fn mutate(space: &Space, genome: &Genome, rules: &MorphRules, rng: &mut impl Rng) -> Genome {
    let facts = Facts::new(space);
    let mut old = genome.clone();
    let activity = settle(&facts, &mut old);
    let mut all = morphs(space, &old, rules);
    while !all.is_empty() {
        let morph = all.swap_remove(below(rng, all.len()));
        match attempt(&facts, &old, &activity, &morph, rng) {
            Some(edited) if edited != old => return edited,
            _ => {}
        }
    }
    old
}

/// The genome with each of its decisions drawn anew with a chance, in canonical form; itself where all that was drawn is
/// forbidden.
pub fn redraw(space: &Space, genome: &Genome, chance: f64, rng: &mut impl Rng) -> Genome {
    let facts = Facts::new(space);
    let mut old = genome.clone();
    let activity = settle(&facts, &mut old);
    let mut places = Vec::new();
    live(space, (space.root(), &old.root, &activity), &mut (Vec::new(), &mut places), &Scope::empty());
    for _ in 0..DRAWS {
        let mut morph = Morph::default();
        for (path, slot, decision) in &places {
            if unit(rng) >= chance {
                continue;
            }
            let value = space.decision(*decision).domain.sample(rng);
            morph.sets.push((path.clone(), *slot, value));
        }
        let mut edited = rebuild(space, Some((&old, &activity)), &morph, rng);
        let settled = settle(&facts, &mut edited);
        if forbidden(&facts, &edited, &settled).is_none() {
            return edited;
        }
    }
    old
}

/// The places of all decisions that something reads.
fn live(
    space: &Space,
    (id, node, activity): (RegionId, &GenomeNode, &Activity),
    (path, places): &mut (Path, &mut Vec<(Path, usize, DecisionId)>),
    outer: &Scope<'_>,
) {
    let region = space.region(id);
    for (slot, &decision) in region.decisions.iter().enumerate() {
        if activity.live.get(slot) == Some(&true) {
            places.push((path.clone(), slot, decision));
        }
    }
    let scope = Scope::within(outer, region, node);
    let parts = children_of(space, id, &scope).unwrap_or_default();
    let parts = parts.into_iter().zip(&node.children).zip(&activity.children);
    for (position, ((child, node), activity)) in parts.enumerate() {
        let mut below = path.clone();
        below.push(position);
        live(space, (child, node, activity), &mut (below, places), &scope);
    }
}

/// Where a decision in scope lives: the path of its node and its position there, with its value.
type Owner = (DecisionId, Path, usize, Value);

struct Collector<'a> {
    space: &'a Space,
    rules: &'a MorphRules,
    path: Path,
    owners: Vec<Owner>,
    found: Vec<Morph>,
}

impl Collector<'_> {
    fn node(&mut self, id: RegionId, node: &GenomeNode, activity: &Activity, outer: &Scope<'_>) {
        let space = self.space;
        let region = space.region(id);
        let around = self.owners.len();
        for (slot, (&decision, value)) in region.decisions.iter().zip(&node.values).enumerate() {
            self.owners.push((decision, self.path.clone(), slot, value.clone()));
            if activity.live.get(slot) != Some(&true) {
                continue;
            }
            let decision = space.decision(decision);
            for other in self.rules.targets(&decision.name, &decision.domain, value) {
                self.found.push(Morph { sets: vec![(self.path.clone(), slot, other)], list: None });
            }
        }
        if let RegionKind::Repeat { count: Expr::Decision(decision), .. } = &region.kind {
            self.lists(*decision, node.children.len());
        }
        let scope = Scope::within(outer, region, node);
        let parts = children_of(space, id, &scope).unwrap_or_default();
        let parts = parts.into_iter().zip(&node.children).zip(&activity.children);
        for (position, ((child, node), activity)) in parts.enumerate() {
            self.path.push(position);
            self.node(child, node, activity, &scope);
            self.path.pop();
        }
        self.owners.truncate(around);
    }

    /// Edits of a list whose length is a decision.
    fn lists(&mut self, decision: DecisionId, len: usize) {
        let owner = self.owners.iter().rev().find(|owner| owner.0 == decision);
        let Some((_, at, slot, Value::Int(count))) = owner else { return };
        let domain = &self.space.decision(decision).domain;
        let mut edit = |count: i64, list: ListEdit| {
            let count = Value::Int(count);
            if domain.position(&count).is_some() {
                let sets = vec![(at.clone(), *slot, count)];
                self.found.push(Morph { sets, list: Some((self.path.clone(), list)) });
            }
        };
        if self.rules.insert {
            (0..=len).for_each(|position| edit(count + 1, ListEdit::Insert(position)));
        }
        if self.rules.remove {
            (0..len).for_each(|position| edit(count - 1, ListEdit::Remove(position)));
        }
    }
}

/// A genome from an old one with an edit; what the old one does not decide is drawn, and so is what nothing in it
/// read. The result need not be canonical, and may be forbidden.
pub(crate) fn rebuild(
    space: &Space,
    old: Option<(&Genome, &Activity)>,
    morph: &Morph,
    rng: &mut impl Rng,
) -> Genome {
    let mut builder = Builder { space, morph, rng };
    let empty = Scope::empty();
    let old = old.map(|(genome, activity)| Old { node: &genome.root, activity, outer: &empty });
    Genome { root: builder.node(space.root(), old, Some(&mut Vec::new()), &empty) }
}

/// The instance of the old genome that a new one continues.
#[derive(Clone, Copy)]
struct Old<'a> {
    node: &'a GenomeNode,
    activity: &'a Activity,
    outer: &'a Scope<'a>,
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
        old: Option<Old<'_>>,
        path: Option<&mut Path>,
        outer: &Scope<'_>,
    ) -> GenomeNode {
        let space = self.space;
        let region = space.region(id);
        let mut values = Vec::with_capacity(region.decisions.len());
        for (slot, &decision) in region.decisions.iter().enumerate() {
            let edited = self.morph.sets.iter().find(|(at, s, _)| Some(at) == path.as_deref() && *s == slot);
            let kept = old.filter(|old| old.activity.live.get(slot) == Some(&true));
            let kept = kept.and_then(|old| old.node.values.get(slot));
            values.push(match (edited, kept) {
                (Some((_, _, value)), _) => value.clone(),
                (None, Some(kept)) => kept.clone(),
                (None, None) => space.decision(decision).domain.sample(self.rng),
            });
        }
        let decided = GenomeNode { values, children: Vec::new() };
        let scope = Scope::within(outer, region, &decided);
        let wanted = children_of(space, id, &scope).unwrap_or_default();
        let old_scope = old.map(|old| Scope::within(old.outer, region, old.node));
        let before =
            old_scope.as_ref().and_then(|scope| children_of(space, id, scope).ok()).unwrap_or_default();
        let kept = self.kept_children(&before, path.as_deref(), &wanted);
        let mut path = path;
        let mut children = Vec::with_capacity(wanted.len());
        for (child, kept) in wanted.into_iter().zip(kept) {
            let continued = kept.zip(old).zip(old_scope.as_ref()).and_then(|((position, old), outer)| {
                let (node, activity) =
                    (old.node.children.get(position)?, old.activity.children.get(position)?);
                Some((position, Old { node, activity, outer }))
            });
            children.push(match (continued, path.as_deref_mut()) {
                (Some((position, old)), Some(path)) => {
                    path.push(position);
                    let node = self.node(child, Some(old), Some(path), &scope);
                    path.pop();
                    node
                }
                _ => self.node(child, None, None, &scope),
            });
        }
        GenomeNode { values: decided.values, children }
    }

    /// For each new child, the position of the old child that it continues: one of the same region.
    fn kept_children(
        &self,
        before: &[RegionId],
        path: Option<&Path>,
        wanted: &[RegionId],
    ) -> Vec<Option<usize>> {
        let mut kept: Vec<Option<usize>> = (0..before.len()).map(Some).collect();
        if let Some((at, edit)) = &self.morph.list
            && Some(at) == path
        {
            match *edit {
                ListEdit::Insert(position) => kept.insert(position.min(kept.len()), None),
                ListEdit::Remove(position) if position < kept.len() => drop(kept.remove(position)),
                ListEdit::Remove(_) => {}
            }
        }
        kept.resize(wanted.len(), None);
        for (kept, wanted) in kept.iter_mut().zip(wanted) {
            *kept = kept.filter(|&position| before[position] == *wanted);
        }
        kept
    }
}
