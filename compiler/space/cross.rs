//! Crossover: a point from two.

use rand::Rng;

use crate::space::activity::{Activity, forbidden, settle};
use crate::space::domain::below;
use crate::space::facts::Facts;
use crate::space::genome::children_of;
use crate::space::{Genome, GenomeNode, RegionId, RegionKind, Scope, Space};

/// Attempts before a child of the first parent alone has to do.
const DRAWS: usize = 100;

/// A child of two points, in canonical form: each decision that both have is taken from one of them, with equal
/// probability. A choice, a count or a condition taken from a parent brings what belongs to it. Lists of repetitions are
/// mixed one by one, or cut at a random position. Where only forbidden children come out, the first parent.
pub fn cross(space: &Space, a: &Genome, b: &Genome, rng: &mut impl Rng) -> Genome {
    let facts = Facts::new(space);
    let (mut a, mut b) = (a.clone(), b.clone());
    let (a_activity, b_activity) = (settle(&facts, &mut a), settle(&facts, &mut b));
    let empty = Scope::empty();
    for _ in 0..DRAWS {
        let parents = [
            Some(Parent { node: &a.root, activity: &a_activity, outer: &empty }),
            Some(Parent { node: &b.root, activity: &b_activity, outer: &empty }),
        ];
        let root = node(&facts, space.root(), parents, &empty, rng);
        let mut child = Genome { root };
        let activity = settle(&facts, &mut child);
        if forbidden(&facts, &child, &activity).is_none() {
            return child;
        }
    }
    a
}

/// An instance of one parent.
#[derive(Clone, Copy)]
struct Parent<'a> {
    node: &'a GenomeNode,
    activity: &'a Activity,
    outer: &'a Scope<'a>,
}

/// An instance from up to two of the parents'; without any it is drawn.
fn node(
    facts: &Facts<'_>,
    id: RegionId,
    parents: [Option<Parent<'_>>; 2],
    outer: &Scope<'_>,
    rng: &mut impl Rng,
) -> GenomeNode {
    let space = facts.space;
    let region = space.region(id);
    let mut values = Vec::with_capacity(region.decisions.len());
    for (slot, &decision) in region.decisions.iter().enumerate() {
        let value = |parent: Option<Parent<'_>>| {
            let parent = parent.filter(|parent| parent.activity.live.get(slot) == Some(&true))?;
            parent.node.values.get(slot).cloned()
        };
        values.push(match (value(parents[0]), value(parents[1])) {
            (Some(a), Some(b)) => {
                if below(rng, 2) == 0 {
                    a
                } else {
                    b
                }
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => space.decision(decision).domain.sample(rng),
        });
    }
    let decided = GenomeNode { values, children: Vec::new() };
    let scope = Scope::within(outer, region, &decided);
    let wanted = children_of(space, id, &scope).unwrap_or_default();
    let scopes = parents.map(|parent| parent.map(|parent| Scope::within(parent.outer, region, parent.node)));
    let parts = [0, 1].map(|which| {
        let parts = scopes[which].as_ref().and_then(|scope| children_of(space, id, scope).ok());
        parts.unwrap_or_default()
    });
    let cut = match region.kind {
        RegionKind::Repeat { .. } if below(rng, 2) == 0 => {
            Some((below(rng, wanted.len() + 1), below(rng, 2)))
        }
        _ => None,
    };
    let mut children = Vec::with_capacity(wanted.len());
    for (position, child) in wanted.into_iter().enumerate() {
        let mut given = [0, 1].map(|which| {
            let (parent, outer) = (parents[which]?, scopes[which].as_ref()?);
            let same = parts[which].get(position) == Some(&child);
            let node = parent.node.children.get(position).filter(|_| same)?;
            Some(Parent { node, activity: parent.activity.children.get(position)?, outer })
        });
        if let (Some((cut, first)), [Some(_), Some(_)]) = (cut, &given) {
            // Up to the cut all comes from one parent, from it on all from the other.
            given[if position < cut { 1 - first } else { first }] = None;
        }
        children.push(node(facts, child, given, &scope, rng));
    }
    GenomeNode { values: decided.values, children }
}
