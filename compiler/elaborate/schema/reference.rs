//! The reference of the sections, from their tables.

use std::fmt::Write as _;

use super::check::describe;
use super::{Default, Key, Kind, sections};
use crate::elaborate::goals;
use crate::elaborate::units::{Dimension, UNITS, grouped};

/// Every section with its keys, forms and defaults, as Markdown: headings of the third level and tables. What this
/// version only checks is marked by `*`, what may be a decision by `d`.
pub fn reference() -> String {
    let mut out = String::new();
    for section in sections() {
        let mark = if section.later.is_some() { " *" } else { "" };
        writeln!(out, "### `{}`{mark}\n\n{}\n", section.name, section.doc).expect("a String takes all");
        table(section.keys, &mut out);
        forms_of(section.keys, &mut out);
    }
    figures(&mut out);
    units_table(&mut out);
    out
}

/// What `require`, `prefer`, `maximize` and `minimize` take.
fn figures(out: &mut String) {
    out.push_str("### Figures\n\n| figure | meaning | better | unit |\n|---|---|---|---|\n");
    for row in &goals::METRICS {
        let later = if row.later.is_some() { " *" } else { "" };
        let better = if row.metric.is_gain() { "more" } else { "less" };
        let unit = goals::limits(row.metric).dimension.what();
        writeln!(out, "| `{}`{later} | {} | {better} | {unit} |", row.name, row.doc)
            .expect("a String takes all");
    }
    out.push_str("\nPapers count memory in ways of their own:\n\n| written | meaning |\n|---|---|\n");
    for (word, _, metrics, doc) in &goals::ACCOUNTINGS {
        let rows = goals::METRICS.iter().filter(|row| metrics.contains(&row.metric));
        let written: Vec<String> = rows.map(|row| format!("`{}({word})`", row.name)).collect();
        writeln!(out, "| {} * | {doc} |", written.join(", ")).expect("a String takes all");
    }
    out.push('\n');
}

fn units_table(out: &mut String) {
    out.push_str("### Units\n\n| unit | of | worth |\n|---|---|---|\n");
    for (unit, dimension, worth) in &UNITS {
        let worth = match dimension.base() {
            "" => "".to_owned(),
            base => format!("{} {base}", grouped(*worth)),
        };
        writeln!(out, "| `{unit}` | {} | {worth} |", dimension.what()).expect("a String takes all");
    }
}

fn table(keys: &[Key], out: &mut String) {
    out.push_str("| key | meaning | takes | default |\n|---|---|---|---|\n");
    for key in keys {
        let decides = if key.decides { " d" } else { "" };
        let later = if key.later.is_some() { " *" } else { "" };
        let takes = match key.kind {
            Kind::Forms(_) | Kind::List(Kind::Forms(_)) => format!("see below: `{}`", key.example),
            kind => format!("{}: `{}`", describe(kind), key.example),
        };
        let (name, doc, default) = (key.name, key.doc, default(key));
        writeln!(out, "| `{name}`{decides}{later} | {doc} | {takes} | {default} |")
            .expect("a String takes all");
    }
    out.push('\n');
}

/// The forms of each key that takes some, with their arguments, and so on inside them.
fn forms_of(keys: &[Key], out: &mut String) {
    for key in keys {
        let forms = match key.kind {
            Kind::Forms(forms) | Kind::List(&Kind::Forms(forms)) => forms,
            _ => continue,
        };
        for form in forms {
            let later = if form.later.is_some() { " *" } else { "" };
            writeln!(out, "`{}: {}`{later}: {}\n", key.name, form.name, form.doc)
                .expect("a String takes all");
            if !form.keys.is_empty() {
                table(form.keys, out);
                forms_of(form.keys, out);
            }
        }
    }
}

fn default(key: &Key) -> String {
    let dimension = match key.kind {
        Kind::Number(dimension, ..) | Kind::Integer(dimension, ..) => dimension,
        _ => Dimension::Plain,
    };
    match key.default {
        Default::Required => "must be given".to_owned(),
        Default::Absent => "none".to_owned(),
        Default::Number(value) if dimension == Dimension::Plain => format!("`{}`", grouped(value)),
        Default::Number(value) => format!("`{}`", dimension.shown(value)),
        Default::Integer(value) => format!("`{}`", dimension.shown(value as f64)),
        Default::Word(word) => format!("`{word}`"),
        Default::Bool(value) => format!("`{value}`"),
    }
}
