//! A genome as a vector of fixed length, for kernels, surrogates and predictors.

use crate::space::activity::Activity;
use crate::space::facts::Facts;
use crate::space::genome::children_of;
use crate::space::{Domain, Expr, Genome, GenomeNode, RegionId, RegionKind, Scope, Space, Value};

/// One decision of the largest network: its value and whether the genome decides it at all.
#[derive(Clone, Debug, PartialEq)]
pub struct Feature {
    /// Where it is: names and positions from the root.
    pub path: String,
    /// Position in its domain, 0 for the first value and 1 for the last; 0 where it is inactive.
    pub value: f64,
    /// Whether it is live: not in absent repetitions and options not chosen, nor where nothing present reads it.
    pub active: bool,
}

/// Every decision of the space, repeats unrolled to their greatest count and all options side by side; the same
/// length and paths for all genomes of a space, and the same features for all spellings of a point.
///
/// Source  the arc kernel's conditional embedding needs value and activity, arXiv:1905.12107
pub fn encode(space: &Space, genome: &Genome) -> Vec<Feature> {
    let facts = Facts::new(space);
    let activity = Activity::of(&facts, genome);
    let mut features = Vec::new();
    let point = Some((&genome.root, &activity));
    walk(&facts, space.root(), point, &Scope::empty(), "", &mut features);
    features
}

fn walk(
    facts: &Facts<'_>,
    id: RegionId,
    point: Option<(&GenomeNode, &Activity)>,
    outer: &Scope<'_>,
    path: &str,
    features: &mut Vec<Feature>,
) {
    let space = facts.space;
    let region = space.region(id);
    for (slot, &decision) in region.decisions.iter().enumerate() {
        let decision = space.decision(decision);
        let live = point.filter(|(_, activity)| activity.live.get(slot) == Some(&true));
        let value = live.and_then(|(node, _)| node.values.get(slot));
        features.push(Feature {
            path: format!("{path}/{}", decision.name),
            value: value.map_or(0.0, |value| unit(&decision.domain, value)),
            active: value.is_some(),
        });
    }
    let nothing = GenomeNode::default();
    let scope = Scope::within(outer, region, point.map_or(&nothing, |(node, _)| node));
    let parts = match point {
        Some(_) => children_of(space, id, &scope).unwrap_or_default(),
        None => Vec::new(),
    };
    let instance = |position: usize| {
        let (node, activity) = point?;
        Some((node.children.get(position)?, activity.children.get(position)?))
    };
    let children = facts.children(id);
    if let RegionKind::Repeat { count, .. } = &region.kind {
        let most = usize::try_from(greatest(space, count)).unwrap_or(0);
        for position in 0..most {
            for &child in children {
                let path = format!("{path}/{position}");
                walk(facts, child, instance(position), &scope, &path, features);
            }
        }
        return;
    }
    for (position, &child) in children.iter().enumerate() {
        let part = parts.iter().position(|&part| part == child).and_then(instance);
        let name = match &region.kind {
            RegionKind::Choose { labels, .. } => labels.get(position).cloned().unwrap_or_default(),
            _ => position.to_string(),
        };
        walk(facts, child, part, &scope, &format!("{path}/{name}"), features);
    }
}

fn unit(domain: &Domain, value: &Value) -> f64 {
    let position = domain.position(value).unwrap_or(0);
    if domain.len() < 2 { 0.0 } else { position as f64 / (domain.len() - 1) as f64 }
}

/// An upper bound of an integer expression over all values of its decisions.
pub(crate) fn greatest(space: &Space, expr: &Expr) -> i64 {
    interval(space, expr).map_or(0, |(_, high)| high)
}

/// Bounds of an integer expression; `None` where it is not one, or overflows.
pub(crate) fn interval(space: &Space, expr: &Expr) -> Option<(i64, i64)> {
    use crate::space::BinaryOp;
    match expr {
        Expr::Value(value) => value.as_int().map(|x| (x, x)),
        Expr::Decision(decision) => space.decision(*decision).domain.int_bounds(),
        Expr::Tuple(_) | Expr::Channels(_) | Expr::Call(..) | Expr::Not(_) => None,
        Expr::Binary(op, a, b) => {
            let ((al, ah), (bl, bh)) = (interval(space, a)?, interval(space, b)?);
            match op {
                BinaryOp::Add => Some((al.checked_add(bl)?, ah.checked_add(bh)?)),
                BinaryOp::Sub => Some((al.checked_sub(bh)?, ah.checked_sub(bl)?)),
                BinaryOp::Mul | BinaryOp::Div => {
                    let mut corners = Vec::with_capacity(4);
                    for x in [al, ah] {
                        for y in [bl, bh] {
                            corners.push(match op {
                                BinaryOp::Mul => x.checked_mul(y)?,
                                _ if bl <= 0 && bh >= 0 => return None,
                                _ => x.checked_div(y)?,
                            });
                        }
                    }
                    Some((*corners.iter().min()?, *corners.iter().max()?))
                }
                _ => None,
            }
        }
    }
}
