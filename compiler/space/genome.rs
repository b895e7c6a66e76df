//! Genomes: drawing them, checking them, and their JSON.

use rand::Rng;
use serde_json::json;

use crate::space::morph::rebuild;
use crate::space::{Genome, GenomeNode, Morph, RegionId, RegionKind, Scope, Space, Value};

/// A random point: every decision that is active is drawn uniformly from its domain.
pub fn sample(space: &Space, rng: &mut impl Rng) -> Genome {
    rebuild(space, None, &Morph::default(), rng)
}

/// Checks that a genome is a point of the space: the right tree, every value within its domain.
///
/// # Errors
/// What does not fit, with its path.
pub fn validate(space: &Space, genome: &Genome) -> Result<(), String> {
    validate_node(space, space.root(), &genome.root, &Scope::empty(), "")
}

fn validate_node(
    space: &Space,
    id: RegionId,
    node: &GenomeNode,
    outer: &Scope<'_>,
    path: &str,
) -> Result<(), String> {
    let region = space.region(id);
    let path = if region.name.is_empty() { path.to_owned() } else { format!("{path}/{}", region.name) };
    if node.values.len() != region.decisions.len() {
        return Err(format!("{path}: has {} decisions, not {}", node.values.len(), region.decisions.len()));
    }
    for (&decision, value) in region.decisions.iter().zip(&node.values) {
        let decision = space.decision(decision);
        if decision.domain.position(value).is_none() {
            return Err(format!("{path}: `{}` cannot be {value}", decision.name));
        }
    }
    let scope = Scope::within(outer, region, node);
    let wanted = children_of(space, id, &scope).map_err(|error| format!("{path}: {error}"))?;
    if wanted.len() != node.children.len() {
        return Err(format!("{path}: has {} parts, not {}", node.children.len(), wanted.len()));
    }
    wanted
        .into_iter()
        .zip(&node.children)
        .try_for_each(|(child, node)| validate_node(space, child, node, &scope, &path))
}

/// The regions that the children of an instance belong to, given the decisions in scope.
pub(crate) fn children_of(space: &Space, id: RegionId, scope: &Scope<'_>) -> Result<Vec<RegionId>, String> {
    let children = space.children(id);
    Ok(match &space.region(id).kind {
        RegionKind::Sequence | RegionKind::Parallel { .. } | RegionKind::Residual | RegionKind::Mirror => {
            children
        }
        RegionKind::When { condition } => match condition.eval(scope)? {
            Value::Bool(true) => children.into_iter().take(1).collect(),
            Value::Bool(false) => children.into_iter().skip(1).take(1).collect(),
            other => return Err(format!("the condition is `{other}`, neither true nor false")),
        },
        RegionKind::Repeat { count, .. } => {
            let count = count.eval(scope)?.as_int().and_then(|n| usize::try_from(n).ok());
            let count = count.ok_or("a count is no number of repetitions")?;
            (0..count).flat_map(|_| children.first().copied()).collect()
        }
        RegionKind::Choose { labels, decision } => {
            let label = scope.get(*decision).and_then(Value::as_text);
            let position = labels.iter().position(|known| Some(known.as_str()) == label);
            position.and_then(|position| children.get(position).copied()).into_iter().collect()
        }
        RegionKind::Optional { decision } => {
            let present = scope.get(*decision) == Some(&Value::Bool(true));
            children.into_iter().filter(|_| present).collect()
        }
        RegionKind::Layer(_) => Vec::new(),
    })
}

/// The genome as JSON: decisions by name, so that it reads well and survives reordering in the spec.
pub fn to_json(space: &Space, genome: &Genome) -> serde_json::Value {
    node_to_json(space, space.root(), &genome.root, &Scope::empty())
}

fn node_to_json(space: &Space, id: RegionId, node: &GenomeNode, outer: &Scope<'_>) -> serde_json::Value {
    let region = space.region(id);
    let mut object = serde_json::Map::new();
    for (&decision, value) in region.decisions.iter().zip(&node.values) {
        object.insert(space.decision(decision).name.clone(), json!(value));
    }
    let scope = Scope::within(outer, region, node);
    let regions = children_of(space, id, &scope).unwrap_or_default();
    let parts: Vec<serde_json::Value> = regions
        .into_iter()
        .zip(&node.children)
        .map(|(child, node)| node_to_json(space, child, node, &scope))
        .collect();
    if parts.iter().any(|part| part.as_object().is_some_and(|object| !object.is_empty())) {
        object.insert(PARTS.to_owned(), json!(parts));
    }
    serde_json::Value::Object(object)
}

/// Key of the children; no decision has this name, since it is no identifier.
const PARTS: &str = "/";

/// Reads what [`to_json`] wrote.
///
/// # Errors
/// What is missing or does not fit the space.
pub fn from_json(space: &Space, json: &serde_json::Value) -> Result<Genome, String> {
    let root = node_from_json(space, space.root(), json, &Scope::empty())?;
    let genome = Genome { root };
    validate(space, &genome)?;
    Ok(genome)
}

fn node_from_json(
    space: &Space,
    id: RegionId,
    json: &serde_json::Value,
    outer: &Scope<'_>,
) -> Result<GenomeNode, String> {
    let region = space.region(id);
    let mut node = GenomeNode::default();
    for &decision in &region.decisions {
        let name = &space.decision(decision).name;
        let value = json.get(name).ok_or_else(|| format!("`{name}` is missing"))?;
        node.values.push(serde_json::from_value(value.clone()).map_err(|_| format!("`{name}` is no value"))?);
    }
    let empty = serde_json::Value::Null;
    let scope_node = node.clone();
    let scope = Scope::within(outer, region, &scope_node);
    for (position, child) in children_of(space, id, &scope)?.into_iter().enumerate() {
        let part = json.get(PARTS).and_then(|parts| parts.get(position)).unwrap_or(&empty);
        node.children.push(node_from_json(space, child, part, &scope)?);
    }
    Ok(node)
}
