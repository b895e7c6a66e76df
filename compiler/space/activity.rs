//! Which decisions of a point are live, the one spelling of a point, and what is forbidden.
//!
//! A decision is live if something that the point has reads it: an argument of a layer, a count, a choice, a
//! condition, the model's input or the recipe. What is in an option that was not chosen reads nothing.

use crate::space::facts::Facts;
use crate::space::genome::children_of;
use crate::space::{DecisionId, Genome, GenomeNode, RegionId, RegionKind, Scope, Space, Value};

/// For each decision of an instance whether it is live, and the same for its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Activity {
    /// In the order of the instance's values.
    pub(crate) live: Vec<bool>,
    /// In the order of the instance's children.
    pub(crate) children: Vec<Activity>,
}

/// Decisions of an instance around the current one.
struct Frame<'a> {
    decisions: &'a [DecisionId],
    live: Vec<bool>,
}

impl Activity {
    /// That of a point.
    pub(crate) fn of(facts: &Facts<'_>, genome: &Genome) -> Activity {
        walk(facts, facts.space.root(), &genome.root, &Scope::empty(), None, &mut Vec::new())
    }
}

fn walk<'a>(
    facts: &Facts<'a>,
    id: RegionId,
    node: &GenomeNode,
    outer: &Scope<'_>,
    link: Option<DecisionId>,
    frames: &mut Vec<Frame<'a>>,
) -> Activity {
    let region = facts.space.region(id);
    frames.push(Frame { decisions: &region.decisions, live: vec![false; region.decisions.len()] });
    for &decision in facts.reads(id).iter().chain(&link) {
        for frame in frames.iter_mut().rev() {
            if let Some(slot) = frame.decisions.iter().position(|&known| known == decision) {
                frame.live[slot] = true;
                break;
            }
        }
    }
    let scope = Scope::within(outer, region, node);
    let link = facts.link_of(id);
    let mut children = Vec::with_capacity(node.children.len());
    let parts = children_of(facts.space, id, &scope).unwrap_or_default();
    for (position, (child, node)) in parts.into_iter().zip(&node.children).enumerate() {
        let link = link.filter(|_| position > 0);
        children.push(walk(facts, child, node, &scope, link, frames));
    }
    let live = frames.pop().map(|frame| frame.live).unwrap_or_default();
    Activity { live, children }
}

/// The point with every decision that is not live at the first value of its domain: equal for all spellings of one
/// point. The genome must be valid.
pub fn canonical(space: &Space, genome: &Genome) -> Genome {
    let facts = Facts::new(space);
    let mut genome = genome.clone();
    settle(&facts, &mut genome);
    genome
}

/// Makes a genome canonical; its activity, which that does not change.
pub(crate) fn settle(facts: &Facts<'_>, genome: &mut Genome) -> Activity {
    let activity = Activity::of(facts, genome);
    settle_node(facts, facts.space.root(), &mut genome.root, &activity, &Scope::empty());
    activity
}

fn settle_node(
    facts: &Facts<'_>,
    id: RegionId,
    node: &mut GenomeNode,
    activity: &Activity,
    outer: &Scope<'_>,
) {
    let space = facts.space;
    let region = space.region(id);
    for ((&decision, value), live) in region.decisions.iter().zip(&mut node.values).zip(&activity.live) {
        if let (false, Some(first)) = (live, space.decision(decision).domain.get(0)) {
            *value = first;
        }
    }
    let scope = Scope::of(outer, &region.decisions, &node.values);
    let parts = children_of(space, id, &scope).unwrap_or_default();
    for ((child, node), activity) in parts.into_iter().zip(&mut node.children).zip(&activity.children) {
        settle_node(facts, child, node, activity, &scope);
    }
}

/// The first of [`Space::forbids`] that a point falls under. A forbidden combination is one of decisions that are
/// live: where one of those that it reads is not, the point does not have it.
pub(crate) fn forbidden(facts: &Facts<'_>, genome: &Genome, activity: &Activity) -> Option<usize> {
    if facts.space.forbids.is_empty() {
        return None;
    }
    check(facts, facts.space.root(), &genome.root, activity, &Scope::empty(), &mut Vec::new())
}

fn check<'a>(
    facts: &Facts<'a>,
    id: RegionId,
    node: &GenomeNode,
    activity: &'a Activity,
    outer: &Scope<'_>,
    around: &mut Vec<(&'a [DecisionId], &'a [bool])>,
) -> Option<usize> {
    let region = facts.space.region(id);
    let scope = Scope::within(outer, region, node);
    around.push((&region.decisions, &activity.live));
    let is_live = |decision: DecisionId| {
        let found = around.iter().rev().find_map(|(decisions, live)| {
            let slot = decisions.iter().position(|&known| known == decision)?;
            live.get(slot).copied()
        });
        found.unwrap_or(false)
    };
    let mut found = facts.conditions(id).iter().find_map(|condition| {
        let holds = condition.reads.iter().all(|&decision| is_live(decision))
            && condition.expr.eval(&scope) == Ok(Value::Bool(true));
        holds.then_some(condition.forbid)
    });
    if found.is_none() && !matches!(region.kind, RegionKind::Layer(_)) {
        let parts = children_of(facts.space, id, &scope).unwrap_or_default();
        let mut parts = parts.into_iter().zip(&node.children).zip(&activity.children);
        found =
            parts.find_map(|((child, node), activity)| check(facts, child, node, activity, &scope, around));
    }
    around.pop();
    found
}
