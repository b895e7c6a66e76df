//! What differs between two results.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::report::columns::columns;
use crate::report::page::Axis;
use crate::report::search::is_gain;
use crate::report::{GenomeChange, cleaned, quality_text};

/// What differs between an old result and a new one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Differences {
    /// What the old one was read from.
    pub old: String,
    /// What the new one was read from.
    pub new: String,
    /// Whether nothing differs.
    pub equal: bool,
    /// Sections of the spec by name, and whether they differ.
    pub sections: BTreeMap<String, bool>,
    /// What else the results follow from, as far as it differs: data, seed, versions, parameters.
    pub settings: Vec<Change>,
    /// By target.
    pub targets: Vec<TargetChange>,
}

/// A value that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// What it was; `None` where there was none.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
}

/// What differs on a target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TargetChange {
    /// The target's name.
    pub name: String,
    /// `both`, or the one side that has a network for it: `old` or `new`.
    pub of: String,
    /// Quality on the test part; `None` where one side has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityChange>,
    /// Costs by name: `ram`, `flash`, `cycles`, `macs`, as far as they are known.
    pub figures: Vec<Figure>,
    /// Decisions of the network that differ.
    pub genome: Vec<GenomeChange>,
    /// Compromises on the front.
    pub front: [usize; 2],
    /// What limits the comparison.
    pub notes: Vec<String>,
}

/// Quality of two networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QualityChange {
    /// What is measured, of the old one and the new one.
    pub metric: [String; 2],
    /// Of the integer networks.
    pub value: [f64; 2],
    /// Intervals of 95 %.
    pub ci95: [[f64; 2]; 2],
    /// Samples.
    pub samples: [usize; 2],
    /// Whether the two are of the same metric on the same data.
    pub comparable: bool,
    /// Whether the intervals overlap; `None` where they cannot be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<bool>,
}

/// A cost of two networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name.
    pub name: String,
    /// Of the old one.
    pub old: Option<f64>,
    /// Of the new one.
    pub new: Option<f64>,
}

impl TargetChange {
    /// Whether anything differs.
    pub fn differs(&self) -> bool {
        let quality = self
            .quality
            .iter()
            .any(|quality| quality.value[0] != quality.value[1] || quality.metric[0] != quality.metric[1]);
        let figures =
            self.figures.iter().any(|figure| figure.old.zip(figure.new).is_some_and(|(old, new)| old != new));
        let front = self.front[0] != self.front[1];
        self.of != "both" || quality || figures || front || !self.genome.is_empty()
    }
}

/// The differences in lines, fit for a terminal whoever wrote the names in them.
pub fn differences_text(found: &Differences) -> String {
    let found = cleaned(found);
    let mut out = format!("{} -> {}\n", found.old, found.new);
    if found.equal {
        out.push_str("  the same: nothing differs\n");
        return out;
    }
    let names = |wanted: bool| -> Vec<&str> {
        let sections = found.sections.iter().filter(|(_, differs)| **differs == wanted);
        sections.map(|(name, _)| name.as_str()).collect()
    };
    let (changed, equal) = (names(true), names(false));
    let equal = if equal.is_empty() { String::new() } else { format!("; the same: {}", equal.join(", ")) };
    let changed =
        if changed.is_empty() { "none changed".to_owned() } else { changed.join(", ") + " changed" };
    let _ = writeln!(out, "  {:<10}{changed}{equal}", "sections");
    let text = |value: &Option<String>| match value {
        Some(hash) if hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("{}...", &hash[..12])
        }
        Some(text) => text.clone(),
        None => "none".to_owned(),
    };
    for Change { name, old, new } in &found.settings {
        let _ = writeln!(out, "  {name:<10}{} -> {}", text(old), text(new));
    }
    found.targets.iter().for_each(|target| target_text(&mut out, target));
    out
}

fn target_text(out: &mut String, target: &TargetChange) {
    let _ = writeln!(out, "\n{}", target.name);
    match target.of.as_str() {
        "old" => out.push_str("  only the old one has a network for it\n"),
        "new" => out.push_str("  only the new one has a network for it\n"),
        _ if !target.differs() => out.push_str("  the same network\n"),
        _ => {}
    }
    target.quality.iter().for_each(|quality| quality_lines(out, quality));
    let rows: Vec<Vec<String>> = target.figures.iter().map(figure_row).collect();
    if !rows.is_empty() {
        out.push_str(&columns(&["", "old", "new", "", ""], &rows));
    }
    if !target.genome.is_empty() {
        out.push_str("  decisions\n");
    }
    for GenomeChange { path, old, new } in &target.genome {
        let _ = match (old, new) {
            (Some(old), Some(new)) => writeln!(out, "    {path}: {old} -> {new}"),
            (Some(old), None) => writeln!(out, "  - {path}: {old}"),
            (None, new) => writeln!(out, "  + {path}: {}", new.as_deref().unwrap_or("present")),
        };
    }
    let [old, new] = target.front;
    if old != new && target.of == "both" {
        let _ = writeln!(out, "  front     {old} -> {new} networks");
    }
    for note in &target.notes {
        let _ = writeln!(out, "  note: {note}");
    }
}

fn quality_lines(out: &mut String, quality: &QualityChange) {
    let QualityChange { metric, value, ci95, samples, comparable, overlap } = quality;
    let text = |side: usize, value: f64| quality_text(&metric[side], value);
    let side = |side: usize| {
        let [low, high] = ci95[side].map(|end| text(side, end));
        format!("{} ({low} to {high}, {} samples)", text(side, value[side]), samples[side])
    };
    let _ = writeln!(out, "  {}: {} -> {}", metric[1], side(0), side(1));
    if !comparable {
        out.push_str("    not comparable: another metric, or other data\n");
        return;
    }
    let change = value[1] - value[0];
    let better = if change == 0.0 {
        "equal"
    } else if (change > 0.0) == is_gain(&metric[1]) {
        "better"
    } else {
        "worse"
    };
    let verdict = match overlap {
        Some(true) => "the 95 % intervals overlap, so it may be chance",
        Some(false) => "the 95 % intervals are apart",
        None => "there are no intervals",
    };
    let _ = writeln!(out, "    {better}; {verdict} (no paired test: answers to single samples are not kept)");
}

fn figure_row(figure: &Figure) -> Vec<String> {
    let axis = Axis::new(&figure.name);
    let text = |value: Option<f64>| value.map_or("-".to_owned(), |value| axis.text(value));
    let (change, share) = match figure.old.zip(figure.new) {
        Some((old, new)) if old != new => {
            let sign = if new > old { "+" } else { "-" };
            let change = format!("{sign}{}", axis.text((new - old).abs()));
            let share = match old == 0.0 {
                true => String::new(),
                false => format!("{sign}{:.1} %", ((new - old) / old * 100.0).abs()),
            };
            (change, share)
        }
        Some(_) => ("equal".to_owned(), String::new()),
        None => ("not known".to_owned(), String::new()),
    };
    vec![axis.label.clone(), text(figure.old), text(figure.new), change, share]
}
