//! All points of a small space.

use std::collections::BTreeSet;

use crate::space::activity::{forbidden, settle};
use crate::space::facts::Facts;
use crate::space::genome::children_of;
use crate::space::{DecisionId, Genome, GenomeNode, RegionId, Scope, Space, Value};

/// Every point of a space in canonical form, in ascending order; `None` if there are more than `limit` of them, or of
/// their spellings.
pub fn enumerate(space: &Space, limit: usize) -> Option<Vec<Genome>> {
    let facts = Facts::new(space);
    let mut left = limit;
    let roots = instances(space, space.root(), &Scope::empty(), &mut left)?;
    let mut points = BTreeSet::new();
    for root in roots {
        let mut genome = Genome { root };
        let activity = settle(&facts, &mut genome);
        if forbidden(&facts, &genome, &activity).is_none() {
            points.insert(genome);
        }
    }
    Some(points.into_iter().collect())
}

/// Every instance of a region.
fn instances(space: &Space, id: RegionId, outer: &Scope<'_>, left: &mut usize) -> Option<Vec<GenomeNode>> {
    let mut found = Vec::new();
    for values in assignments(space, &space.region(id).decisions, left)? {
        let node = GenomeNode { values, children: Vec::new() };
        let scope = Scope::within(outer, space.region(id), &node);
        let mut partial: Vec<Vec<GenomeNode>> = vec![Vec::new()];
        for child in children_of(space, id, &scope).ok()? {
            let options = instances(space, child, &scope, left)?;
            let mut longer = Vec::new();
            for start in &partial {
                for option in &options {
                    *left = left.checked_sub(1)?;
                    longer.push(start.iter().chain([option]).cloned().collect());
                }
            }
            partial = longer;
        }
        found
            .extend(partial.into_iter().map(|children| GenomeNode { values: node.values.clone(), children }));
    }
    Some(found)
}

/// Every combination of values.
fn assignments(space: &Space, decisions: &[DecisionId], left: &mut usize) -> Option<Vec<Vec<Value>>> {
    let mut found: Vec<Vec<Value>> = vec![Vec::new()];
    for &decision in decisions {
        let domain = &space.decision(decision).domain;
        let mut longer = Vec::new();
        for start in &found {
            for position in 0..domain.len() {
                *left = left.checked_sub(1)?;
                longer.push(start.iter().cloned().chain(domain.get(position)).collect());
            }
        }
        found = longer;
    }
    Some(found)
}
