//! Genomes as readable decisions, and what differs between two of them.
//!
//! In: the JSON of a genome as locks hold it: decisions by name, parts below `/` by name, or in a list below `repeat`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Key of the parts in a genome.
const PARTS: &str = "/";

/// A decision that differs between two genomes, or that only one of them has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenomeChange {
    /// Where it is: the names of the parts around it.
    pub path: String,
    /// What it was; `None` for what was inserted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it is; `None` for what was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// Every decision of a genome with the names of the parts around it. Names that decisions around them say already are
/// left out: the part `separable` below the decision `body separable`.
pub fn decisions(genome: &Json) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(genome, &Place::default(), &mut found);
    found
}

/// A genome in a line.
pub fn genome_text(genome: &Json) -> String {
    let all: Vec<String> = decisions(genome).iter().map(|(path, value)| format!("{path} {value}")).collect();
    if all.is_empty() { "no decisions".to_owned() } else { all.join(", ") }
}

/// The decisions that changed, those of inserted and of removed parts. Repeated parts are matched so that as little as
/// possible has changed, so a layer that is put between others is one that is inserted.
pub fn genome_changes(old: &Json, new: &Json) -> Vec<GenomeChange> {
    let mut changes = Vec::new();
    compare(old, new, &Place::default(), &mut changes);
    changes
}

/// The names around a node.
#[derive(Clone, Default)]
struct Place {
    path: String,
    /// Decisions and their words on the way, which need not be named again.
    said: Vec<String>,
}

impl Place {
    fn at(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) }
    }

    /// Takes in what a node decides.
    fn within(&self, node: &Json) -> Place {
        let mut place = self.clone();
        for (name, value) in decided(node) {
            place.said.push(name.clone());
            place.said.extend(value.as_str().map(str::to_owned));
        }
        place
    }

    fn part(&self, name: &str) -> Place {
        let path = if self.said.iter().any(|said| said == name) { self.path.clone() } else { self.at(name) };
        Place { path, said: self.said.clone() }
    }

    /// One of several; the first is 1.
    fn repetition(&self, name: &str, number: usize) -> Place {
        let path = self.at(&format!("{name} {}", number + 1));
        Place { path, said: self.said.clone() }
    }
}

fn decided(node: &Json) -> impl Iterator<Item = (&String, &Json)> {
    node.as_object().into_iter().flatten().filter(|(name, _)| *name != PARTS)
}

fn value_text(value: &Json) -> String {
    match value {
        Json::String(word) => word.clone(),
        Json::Array(list) => format!("({})", list.iter().map(value_text).collect::<Vec<_>>().join(", ")),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::Object(_) => value.to_string(),
    }
}

/// The named parts of a node.
fn parts(node: &Json) -> Option<&Map<String, Json>> {
    node.get(PARTS)?.as_object()
}

/// The list of repetitions that a node is.
fn repetitions(node: &Json) -> Option<&Vec<Json>> {
    node.get(PARTS)?.as_array()
}

fn walk(node: &Json, place: &Place, found: &mut Vec<(String, String)>) {
    found.extend(decided(node).map(|(name, value)| (place.at(name), value_text(value))));
    let place = place.within(node);
    for (at, part) in repetitions(node).into_iter().flatten().enumerate() {
        walk(part, &place.repetition("repetition", at), found);
    }
    for (name, part) in parts(node).into_iter().flatten() {
        match repetitions(part) {
            Some(list) => {
                found.extend(decided(part).map(|(name, value)| (place.at(name), value_text(value))));
                let inner = place.within(part);
                for (at, part) in list.iter().enumerate() {
                    walk(part, &inner.repetition(name, at), found);
                }
            }
            None => walk(part, &place.part(name), found),
        }
    }
}

/// All decisions of a part as inserted or removed; a part without any is one too.
fn whole(part: &Json, place: &Place, is_new: bool, changes: &mut Vec<GenomeChange>) {
    let mut found = Vec::new();
    walk(part, place, &mut found);
    if found.is_empty() {
        found.push((place.path.clone(), "present".to_owned()));
    }
    changes.extend(found.into_iter().map(|(path, value)| match is_new {
        true => GenomeChange { path, old: None, new: Some(value) },
        false => GenomeChange { path, old: Some(value), new: None },
    }));
}

fn compare(old: &Json, new: &Json, place: &Place, changes: &mut Vec<GenomeChange>) {
    values(old, new, place, changes);
    let inner = place.within(old).within(new);
    if let (Some(a), Some(b)) = (repetitions(old), repetitions(new)) {
        aligned((a, b), "repetition", &inner, changes);
    }
    let none = Map::new();
    let (a, b) = (parts(old).unwrap_or(&none), parts(new).unwrap_or(&none));
    for (name, part) in a {
        match b.get(name) {
            Some(other) => match (repetitions(part), repetitions(other)) {
                (None, None) => compare(part, other, &inner.part(name), changes),
                (x, y) => {
                    values(part, other, &inner, changes);
                    let empty = Vec::new();
                    let lists = (x.unwrap_or(&empty), y.unwrap_or(&empty));
                    aligned(lists, name, &inner.within(part).within(other), changes);
                }
            },
            None => removed_or_inserted(part, name, &inner, false, changes),
        }
    }
    for (name, part) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
        removed_or_inserted(part, name, &inner, true, changes);
    }
}

fn removed_or_inserted(
    part: &Json,
    name: &str,
    place: &Place,
    is_new: bool,
    changes: &mut Vec<GenomeChange>,
) {
    match repetitions(part) {
        Some(list) => {
            for (at, part) in list.iter().enumerate() {
                whole(part, &place.repetition(name, at), is_new, changes);
            }
        }
        None => whole(part, &place.part(name), is_new, changes),
    }
}

/// Decisions of the nodes themselves.
fn values(old: &Json, new: &Json, place: &Place, changes: &mut Vec<GenomeChange>) {
    for (name, value) in decided(old) {
        let other = new.get(name);
        if other != Some(value) {
            let (old, new) = (Some(value_text(value)), other.map(value_text));
            changes.push(GenomeChange { path: place.at(name), old, new });
        }
    }
    for (name, value) in decided(new).filter(|(name, _)| old.get(name.as_str()).is_none()) {
        changes.push(GenomeChange { path: place.at(name), old: None, new: Some(value_text(value)) });
    }
}

/// What is done to a repetition of the old list or the new one.
#[derive(Clone, Copy)]
enum Edit {
    Keep,
    Remove,
    Insert,
}

/// Longest lists that are matched by their content; longer ones are by their order.
const MATCHED: usize = 200;

/// Compares lists by the cheapest sequence of edits, by the classic table of distances.
fn aligned((old, new): (&Vec<Json>, &Vec<Json>), name: &str, place: &Place, changes: &mut Vec<GenomeChange>) {
    if old.len().max(new.len()) > MATCHED {
        let both = old.len().min(new.len());
        for at in 0..both {
            compare(&old[at], &new[at], &place.repetition(name, at), changes);
        }
        (both..old.len()).for_each(|at| whole(&old[at], &place.repetition(name, at), false, changes));
        (both..new.len()).for_each(|at| whole(&new[at], &place.repetition(name, at), true, changes));
        return;
    }
    let (mut a, mut b) = (0, 0);
    for edit in edits(old, new) {
        match edit {
            Edit::Keep => compare(&old[a], &new[b], &place.repetition(name, b), changes),
            Edit::Remove => whole(&old[a], &place.repetition(name, a), false, changes),
            Edit::Insert => whole(&new[b], &place.repetition(name, b), true, changes),
        }
        a += usize::from(!matches!(edit, Edit::Insert));
        b += usize::from(!matches!(edit, Edit::Remove));
    }
}

/// Decisions that differ between two parts: the cost of taking one for the other.
fn distance(old: &[(String, String)], new: &[(String, String)]) -> usize {
    let known: BTreeMap<&str, &str> =
        old.iter().map(|(path, value)| (path.as_str(), value.as_str())).collect();
    let (mut both, mut equal) = (0, 0);
    for (path, value) in new {
        let other = known.get(path.as_str());
        both += usize::from(other.is_some());
        equal += usize::from(other == Some(&value.as_str()));
    }
    (old.len() + new.len()).saturating_sub(both + equal)
}

fn edits(old: &[Json], new: &[Json]) -> Vec<Edit> {
    let all = |parts: &[Json]| -> Vec<Vec<(String, String)>> { parts.iter().map(decisions).collect() };
    let (old, new) = (all(old), all(new));
    let columns = new.len() + 1;
    let keeps: Vec<Vec<usize>> = old.iter().map(|a| new.iter().map(|b| distance(a, b)).collect()).collect();
    let mut cost = vec![0usize; (old.len() + 1) * columns];
    // The cheapest edit at a place, and what it and all after it cost.
    let best = |cost: &[usize], a: usize, b: usize| -> Option<(usize, Edit)> {
        let keep = keeps.get(a).and_then(|row| row.get(b)).map(|keep| keep + cost[(a + 1) * columns + b + 1]);
        let remove = old.get(a).map(|part| part.len().max(1) + cost[(a + 1) * columns + b]);
        let insert = new.get(b).map(|part| part.len().max(1) + cost[a * columns + b + 1]);
        let all = [(keep, Edit::Keep), (remove, Edit::Remove), (insert, Edit::Insert)];
        all.into_iter().filter_map(|(cost, edit)| Some((cost?, edit))).min_by_key(|&(cost, _)| cost)
    };
    for (a, b) in (0..=old.len()).rev().flat_map(|a| (0..=new.len()).rev().map(move |b| (a, b))) {
        cost[a * columns + b] = best(&cost, a, b).map_or(0, |(cost, _)| cost);
    }
    let (mut a, mut b, mut edits) = (0, 0, Vec::new());
    while let Some((_, edit)) = best(&cost, a, b) {
        a += usize::from(!matches!(edit, Edit::Insert));
        b += usize::from(!matches!(edit, Edit::Remove));
        edits.push(edit);
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn body(kind: &str, kernel: i64) -> Json {
        json!({ "body": kind, "/": { "body": { "/": { kind: { "/": { "conv1d": { "kernel": kernel } } } } } } })
    }

    fn genome(width: i64, bodies: &[Json]) -> Json {
        json!({ "width": width, "depth": bodies.len(), "/": { "stem": { "kernel": [3, 1] }, "depth": { "/": bodies } } })
    }

    #[test]
    fn decisions_are_named_by_what_is_around_them() {
        let text = genome_text(&genome(8, &[body("plain", 3), body("wide", 5)]));
        let wanted = "width 8, depth 2, stem/kernel (3, 1), depth 1/body plain, depth 1/conv1d/kernel 3, \
                      depth 2/body wide, depth 2/conv1d/kernel 5";
        assert_eq!(text, wanted);
        assert_eq!(genome_text(&json!({})), "no decisions");
    }

    #[test]
    fn a_layer_between_others_is_one_that_was_inserted() {
        let old = genome(8, &[body("plain", 3), body("wide", 5)]);
        let new = genome(16, &[body("plain", 3), body("deep", 7), body("wide", 5)]);
        let shown: Vec<String> = genome_changes(&old, &new)
            .iter()
            .map(|change| format!("{}: {:?} {:?}", change.path, change.old, change.new))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        width: Some("8") Some("16")
        depth: Some("2") Some("3")
        depth 2/body: None Some("deep")
        depth 2/conv1d/kernel: None Some("7")
        "#);
        assert_eq!(genome_changes(&new, &new), []);
        let back = genome_changes(&new, &old);
        assert_eq!((back.len(), back[2].new.clone(), back[2].old.as_deref()), (4, None, Some("deep")));
    }
}
