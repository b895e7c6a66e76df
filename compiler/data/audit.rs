//! What is odd about data and its parts: duplicates, samples or groups in two parts, classes that a part lacks.

use std::collections::BTreeMap;

use crate::data::collect::{Collection, Part};
use crate::data::split::Partition;
use crate::diagnostic::{Code, Diagnostic};

/// At most so many examples are named.
const EXAMPLES: usize = 3;

/// Warnings about a collection and how it is parted; no one of them keeps a run from going on.
pub(super) fn warnings(data: &Collection, partition: &Partition) -> Vec<Diagnostic> {
    let mut part_of = vec![None; data.len()];
    for part in Part::ALL {
        partition.part(part).iter().for_each(|&sample| part_of[sample] = Some(part));
    }
    let mut found = data.warnings.clone();
    found.extend(duplicates(data, &part_of));
    found.extend(groups(data, &part_of));
    found.extend(overlapping(data, &part_of));
    found.extend(classes(data, partition));
    found
}

fn warning(code: Code, message: String) -> Diagnostic {
    Diagnostic::warning(code, message)
}

/// Samples with equal numbers: in two parts, with two labels, or only more than once.
fn duplicates(data: &Collection, part_of: &[Option<Part>]) -> Vec<Diagnostic> {
    let mut by_digest: BTreeMap<u128, Vec<usize>> = BTreeMap::new();
    for (sample, &digest) in data.digests.iter().enumerate().filter(|(sample, _)| part_of[*sample].is_some())
    {
        by_digest.entry(digest).or_default().push(sample);
    }
    let mut sets: Vec<&Vec<usize>> = by_digest.values().filter(|same| same.len() > 1).collect();
    sets.sort();
    let label = |sample: usize| data.labels.get(sample);
    let (mut leaked, mut conflicting, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
    for same in sets {
        let (first, rest) = (same[0], &same[1..]);
        if let Some(&other) = rest.iter().find(|&&other| part_of[other] != part_of[first]) {
            leaked.push((first, other));
        } else if let Some(&other) = rest.iter().find(|&&other| label(other) != label(first)) {
            conflicting.push((first, other));
        } else {
            repeated.push((first, rest[0]));
        }
    }
    let name = |pairs: &[(usize, usize)]| {
        let shown = |sample: usize| data.name(sample).escape_debug().to_string();
        let pair = |&(a, b): &(usize, usize)| format!("`{}` and `{}`", shown(a), shown(b));
        pairs.iter().take(EXAMPLES).map(pair).collect::<Vec<_>>().join(", ")
    };
    let mut out = Vec::new();
    if !leaked.is_empty() {
        let message = format!("{} samples are in two parts: {}", leaked.len(), name(&leaked));
        out.push(
            warning(Code::DATA_LEAK, message)
                .note("a network that has seen a sample knows its answer: figures on the other part are too good")
                .help("take the copies out, or keep them together with `split: by(...)`"),
        );
    }
    if !conflicting.is_empty() {
        let message =
            format!("{} samples are there with two labels: {}", conflicting.len(), name(&conflicting));
        out.push(warning(Code::DATA_DUPLICATE, message).help("one label of each must be wrong"));
    }
    if !repeated.is_empty() {
        let message = format!("{} samples are there more than once: {}", repeated.len(), name(&repeated));
        out.push(warning(Code::DATA_DUPLICATE, message).help("each counts as often as it is there"));
    }
    out
}

/// Groups that are in two parts: only where the source or lists part the data.
fn groups(data: &Collection, part_of: &[Option<Part>]) -> Option<Diagnostic> {
    let mut parts = vec![None; data.groups.len()];
    let mut torn = Vec::new();
    for (origin, part) in data.origins.iter().zip(part_of) {
        let (Some(group), Some(part)) = (origin.group, part) else { continue };
        let known = *parts[group as usize].get_or_insert(*part);
        if known != *part && !torn.contains(&group) {
            torn.push(group);
        }
    }
    if torn.is_empty() {
        return None;
    }
    let named: Vec<String> = torn
        .iter()
        .take(EXAMPLES)
        .map(|&group| format!("`{}`", data.groups[group as usize].escape_debug()))
        .collect();
    let message = format!("{} groups are in two parts: {}", torn.len(), named.join(", "));
    Some(
        warning(Code::DATA_LEAK, message)
            .note("figures say nothing about groups that the network has not met"),
    )
}

/// Windows of one file, in two parts.
fn overlapping(data: &Collection, part_of: &[Option<Part>]) -> Option<Diagnostic> {
    let windows = data
        .origins
        .iter()
        .zip(part_of)
        .filter(|(origin, part)| origin.group.is_none() && origin.part.is_none() && part.is_some());
    let mut last: BTreeMap<u32, (Option<Part>, u64)> = BTreeMap::new();
    let mut torn = 0usize;
    let mut example = None;
    for (origin, part) in windows {
        if let Some(&(known, at)) = last.get(&origin.file)
            && known != *part
            && data.rate.is_some()
            && at != origin.position
        {
            torn += 1;
            example.get_or_insert(origin.file);
        }
        last.insert(origin.file, (*part, origin.position));
    }
    let file = data.files[example? as usize].escape_debug();
    let message = format!("neighbouring windows of one recording are in two parts, {torn} times: `{file}`");
    Some(warning(Code::DATA_LEAK, message).help("write `split: by(file, ...)`"))
}

/// Classes that validation or test lack.
fn classes(data: &Collection, partition: &Partition) -> Vec<Diagnostic> {
    let lacking = |part: Part| {
        let mut has = vec![false; data.classes.len()];
        partition.part(part).iter().filter_map(|&sample| data.labels.get(sample)).for_each(|&label| {
            has[label as usize] = true;
        });
        let missing: Vec<String> = has
            .iter()
            .zip(&data.classes)
            .filter(|(has, _)| !**has)
            .map(|(_, class)| format!("`{}`", class.escape_debug()))
            .collect();
        if missing.is_empty() || data.labels.is_empty() || (part == Part::Val && data.classes[0] == "normal")
        {
            return None;
        }
        let message = format!("the part `{}` has no samples of {}", part.name(), missing.join(", "));
        Some(warning(Code::DATA_SPLIT, message).help("its figures say nothing about them"))
    };
    [Part::Val, Part::Test].into_iter().filter_map(lacking).collect()
}
