//! The reference of the sections, from their tables.

use std::fmt::Write as _;

use super::check::describe;
use super::{Default, Key, Kind, sections};
use crate::elaborate::units::{Dimension, grouped};

/// Every section with its keys, forms and defaults, as Markdown: headings of the third level and tables.
pub(in crate::elaborate) fn reference() -> String {
    let mut out = String::from(
        "What has a star is understood and checked, and not carried out by this version: `nasc check` says so, \
         `nasc compile` stops. What has a `d` may be a decision: a range, a set, or the name of one.\n\n",
    );
    for section in sections() {
        let mark = if section.later.is_some() { " \\*" } else { "" };
        writeln!(out, "### `{}`{mark}\n\n{}\n", section.name, section.doc).expect("a String takes all");
        table(section.keys, &mut out);
        forms_of(section.keys, &mut out);
    }
    out
}

fn table(keys: &[Key], out: &mut String) {
    out.push_str("| key | meaning | takes | default |\n|---|---|---|---|\n");
    for key in keys {
        let decides = if key.decides { " `d`" } else { "" };
        let later = if key.later.is_some() { " \\*" } else { "" };
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
            let later = if form.later.is_some() { " \\*" } else { "" };
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
