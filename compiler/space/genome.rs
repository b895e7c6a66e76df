//! Genomes: drawing them, checking them, and their JSON.

use std::collections::BTreeMap;

use rand::Rng;
use serde_json::json;

use crate::diagnostic::{Code, Diagnostic};
use crate::space::activity::{Activity, forbidden, settle};
use crate::space::facts::Facts;
use crate::space::morph::rebuild;
use crate::space::{Genome, GenomeNode, Morph, RegionId, RegionKind, Scope, Space, Value};

/// Draws before a space is said to forbid all its points.
const DRAWS: usize = 1000;

/// A random point in canonical form: every decision is drawn from its domain, anew until nothing forbidden comes out.
///
/// # Errors
/// E0404 with the most frequent forbidden combination where 1,000 draws all had one.
pub fn try_sample(space: &Space, rng: &mut impl Rng) -> Result<Genome, Box<Diagnostic>> {
    let facts = Facts::new(space);
    let mut met = vec![0; space.forbids.len()];
    for _ in 0..DRAWS {
        match draw(&facts, rng) {
            (genome, None) => return Ok(genome),
            (_, Some(forbid)) => met[forbid] += 1,
        }
    }
    let worst = (0..met.len()).max_by_key(|&forbid| met[forbid]).map(|forbid| space.forbids[forbid].span);
    let message = format!("each of {DRAWS} points drawn from the space is forbidden");
    let error = Diagnostic::error(Code::NO_VALID_NETWORK, message);
    let error = error.at(worst.unwrap_or(space.region(space.root()).span), "forbidden here most often");
    Err(Box::new(error.help("forbid less, or leave the forbidden values out of the space")))
}

/// [`try_sample`] for spaces of which a point is known: where 1,000 draws are all forbidden, the last of them.
pub fn sample(space: &Space, rng: &mut impl Rng) -> Genome {
    let facts = Facts::new(space);
    let mut genome = draw(&facts, rng);
    for _ in 1..DRAWS {
        if genome.1.is_none() {
            break;
        }
        genome = draw(&facts, rng);
    }
    genome.0
}

fn draw(facts: &Facts<'_>, rng: &mut impl Rng) -> (Genome, Option<usize>) {
    let mut genome = rebuild(facts.space, None, &Morph::default(), rng);
    let activity = settle(facts, &mut genome);
    let forbid = forbidden(facts, &genome, &activity);
    (genome, forbid)
}

/// Checks that a genome is a point of the space: the right tree, every value within its domain, nothing forbidden.
///
/// # Errors
/// What does not fit, with its path.
pub fn validate(space: &Space, genome: &Genome) -> Result<(), String> {
    validate_node(space, space.root(), &genome.root, &Scope::empty(), "")?;
    let facts = Facts::new(space);
    let activity = Activity::of(&facts, genome);
    match forbidden(&facts, genome, &activity) {
        Some(_) => Err("the combination of decisions is forbidden".to_owned()),
        None => Ok(()),
    }
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

/// The genome as JSON: decisions and parts by name, so that it reads well and survives reordering in the spec.
/// Decisions that are not live and parts without decisions are left out.
pub fn to_json(space: &Space, genome: &Genome) -> serde_json::Value {
    let facts = Facts::new(space);
    let activity = Activity::of(&facts, genome);
    node_to_json(&facts, space.root(), &genome.root, &activity, &Scope::empty())
}

fn node_to_json(
    facts: &Facts<'_>,
    id: RegionId,
    node: &GenomeNode,
    activity: &Activity,
    outer: &Scope<'_>,
) -> serde_json::Value {
    let space = facts.space;
    let region = space.region(id);
    let mut object = serde_json::Map::new();
    for ((&decision, value), live) in region.decisions.iter().zip(&node.values).zip(&activity.live) {
        if *live {
            object.insert(space.decision(decision).name.clone(), json!(value));
        }
    }
    let scope = Scope::within(outer, region, node);
    let regions = children_of(space, id, &scope).unwrap_or_default();
    let keys = part_keys(facts, id, &regions);
    let mut list = Vec::new();
    let mut named = serde_json::Map::new();
    for (((child, key), node), activity) in
        regions.into_iter().zip(keys).zip(&node.children).zip(&activity.children)
    {
        let part = node_to_json(facts, child, node, activity, &scope);
        match key {
            PartKey::At(_) => list.push(part),
            PartKey::Named(name) if part.as_object().is_some_and(|part| !part.is_empty()) => {
                named.insert(name, part);
            }
            PartKey::Named(_) => {}
        }
    }
    let says_something = |part: &serde_json::Value| part.as_object().is_some_and(|part| !part.is_empty());
    if list.iter().any(says_something) {
        object.insert(PARTS.to_owned(), json!(list));
    } else if !named.is_empty() {
        object.insert(PARTS.to_owned(), serde_json::Value::Object(named));
    }
    serde_json::Value::Object(object)
}

/// Key of the parts; no decision has this name, since it is no identifier.
const PARTS: &str = "/";

/// How a part is found among its siblings.
enum PartKey {
    /// Repetitions: by position.
    At(usize),
    /// All else: by name.
    Named(String),
}

/// The keys of the parts of an instance: `conv2d`, `conv2d 2`. Only those that have decisions are counted, so that one
/// without any can be put before them.
fn part_keys(facts: &Facts<'_>, id: RegionId, parts: &[RegionId]) -> Vec<PartKey> {
    if matches!(facts.space.region(id).kind, RegionKind::Repeat { .. }) {
        return (0..parts.len()).map(PartKey::At).collect();
    }
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    for &child in facts.children(id) {
        let name = facts.space.region(child).name.as_str();
        let count = seen.entry(name).or_default();
        *count += usize::from(facts.has_decisions(child));
        keys.insert(child, if *count > 1 { format!("{name} {count}") } else { name.to_owned() });
    }
    parts.iter().map(|part| PartKey::Named(keys.remove(part).unwrap_or_default())).collect()
}

/// Reads what [`to_json`] wrote, of this spec or of one with options, values or statements in another order.
///
/// # Errors
/// What is missing or does not fit the space.
pub fn from_json(space: &Space, json: &serde_json::Value) -> Result<Genome, String> {
    let facts = Facts::new(space);
    let mut missing = Vec::new();
    let root = node_from_json(&facts, space.root(), json, &Scope::empty(), &mut missing)?;
    let mut genome = Genome { root };
    validate(space, &genome)?;
    let activity = settle(&facts, &mut genome);
    let mut places = missing.into_iter();
    match first_missing(&facts, space.root(), &activity, &genome.root, &Scope::empty(), &mut places) {
        Some(name) => Err(format!("`{name}` is missing")),
        None => Ok(genome),
    }
}

/// Reads an instance; `missing` gets whether the text has no value, for each decision in the order of the walk.
fn node_from_json(
    facts: &Facts<'_>,
    id: RegionId,
    json: &serde_json::Value,
    outer: &Scope<'_>,
    missing: &mut Vec<bool>,
) -> Result<GenomeNode, String> {
    let region = facts.space.region(id);
    let mut node = GenomeNode::default();
    for &decision in &region.decisions {
        let decision = facts.space.decision(decision);
        let value = json.get(&decision.name);
        missing.push(value.is_none());
        node.values.push(match value {
            Some(value) => serde_json::from_value(value.clone())
                .map_err(|_| format!("`{}` is no value", decision.name))?,
            None => decision.domain.get(0).ok_or_else(|| format!("`{}` has no value", decision.name))?,
        });
    }
    let scope_node = node.clone();
    let scope = Scope::within(outer, region, &scope_node);
    let parts = children_of(facts.space, id, &scope)?;
    let keys = part_keys(facts, id, &parts);
    for (child, key) in parts.into_iter().zip(keys) {
        let all = json.get(PARTS);
        let part = match key {
            PartKey::At(position) => all.and_then(|parts| parts.get(position)),
            PartKey::Named(name) => all.and_then(|parts| parts.get(&name)),
        };
        let part = part.unwrap_or(&serde_json::Value::Null);
        node.children.push(node_from_json(facts, child, part, &scope, missing)?);
    }
    Ok(node)
}

/// The name of the first decision that is live and that the text does not give.
fn first_missing<'a>(
    facts: &Facts<'a>,
    id: RegionId,
    activity: &Activity,
    node: &GenomeNode,
    outer: &Scope<'_>,
    missing: &mut impl Iterator<Item = bool>,
) -> Option<&'a str> {
    let region = facts.space.region(id);
    for (&decision, &live) in region.decisions.iter().zip(&activity.live) {
        if missing.next() == Some(true) && live {
            return Some(&facts.space.decision(decision).name);
        }
    }
    let scope = Scope::within(outer, region, node);
    let parts = children_of(facts.space, id, &scope).unwrap_or_default();
    let mut parts = parts.into_iter().zip(&activity.children).zip(&node.children);
    parts.find_map(|((child, activity), node)| first_missing(facts, child, activity, node, &scope, missing))
}
