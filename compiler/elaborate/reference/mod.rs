//! The language reference as Markdown, made from the tables that the compiler itself works by, so that it cannot say
//! something else: grammar, layers, functions, units, sections, targets and the standard library.

mod grammar;

use std::fmt::Write as _;

use crate::diagnostic::all_codes;
use crate::elaborate::layers::{self, Default};
use crate::elaborate::library::{STDLIB_FILES, parse};
use crate::elaborate::{schema, stdlib_targets, structure, value};
use crate::source::SourceMap;
use crate::syntax::ast::{self, ItemKind};
use crate::syntax::print_expr;
use crate::tensor::Bytes;

/// The reference: `docs/reference.md`.
pub fn reference() -> String {
    let mut out = String::from(
        "# Reference of the language\n\nMade from the compiler's own tables by `make docs`; a test compares. \
         [`language.md`](language.md) explains what is listed here.\n",
    );
    let chapters: [(&str, String); 9] = [
        ("Layers", layers()),
        ("Parameter types", types()),
        ("Functions", functions()),
        ("Merges", merges()),
        ("Sections, figures and units", sections()),
        ("Targets", targets()),
        ("Standard library", library()),
        ("Messages", codes()),
        ("Grammar", grammar::markdown()),
    ];
    for (title, text) in chapters {
        let _ = write!(out, "\n## {title}\n\n{}\n", text.trim_end());
    }
    out
}

/// A table with a head.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    out
}

fn layers() -> String {
    let mut out = String::new();
    for row in &layers::LAYERS {
        let _ = write!(out, "### `{}`\n\n{}.\n\n", row.name, capital(row.doc));
        if row.parameters.is_empty() {
            continue;
        }
        let rows = row.parameters.iter().map(|parameter| {
            let default = match parameter.default {
                Default::None => "must be given".to_owned(),
                Default::Int(value) => format!("`{value}`"),
                Default::Word(word) => format!("`{word}`"),
                Default::Like(other) => format!("that of `{other}`"),
            };
            vec![format!("`{}`", parameter.name), value::describe(parameter.kind), default]
        });
        out.push_str(&table(&["argument", "takes", "default"], rows));
        out.push('\n');
    }
    out
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn types() -> String {
    let rows = layers::TYPES.iter().map(|(name, kind)| vec![format!("`{name}`"), value::describe(*kind)]);
    table(&["type", "takes"], rows)
}

fn functions() -> String {
    let rows = value::FUNCTIONS.iter().map(|(name, _, doc)| vec![format!("`{name}`"), (*doc).to_owned()]);
    let channels =
        vec!["`channels`".to_owned(), "the channels of what comes into the innermost body".to_owned()];
    table(&["name", "value"], rows.chain([channels]))
}

fn merges() -> String {
    let rows = structure::MERGES.iter().map(|(name, _, doc)| vec![format!("`{name}`"), (*doc).to_owned()]);
    let fits = [
        ("`(pool)`", "every branch is max-pooled to the smallest height and width first"),
        ("`(pad)`", "every branch gets channels of zeros up to the widest first; with `add` and `mul`"),
    ];
    let fits = fits.iter().map(|(name, doc)| vec![(*name).to_owned(), (*doc).to_owned()]);
    table(&["merge", "meaning"], rows.chain(fits))
}

fn sections() -> String {
    format!(
        "What has a star is read and checked, but not acted on by this version.\n\n{}",
        schema::reference()
    )
}

fn targets() -> String {
    let rows = stdlib_targets().into_values().map(|target| {
        let size = |bytes: Option<Bytes>| {
            bytes.map_or(String::new(), |bytes| format!("{} KiB", bytes.0 as f64 / 1024.0))
        };
        vec![
            format!("`{}`", target.name),
            format!("{} MHz", target.clock.0 / 1_000_000),
            size(target.ram),
            size(target.flash),
            target.source.clone(),
        ]
    });
    table(&["target", "clock", "RAM", "flash", "source of the figures"], rows)
}

/// What the standard library declares, with its documentation.
fn library() -> String {
    let mut out = String::new();
    let mut sources = SourceMap::new();
    let mut nothing = crate::diagnostic::Diagnostics::default();
    for (path, text) in STDLIB_FILES.iter().filter(|(path, _)| !path.starts_with("targets/")) {
        let tree = parse(path, text, &mut sources, &mut nothing);
        let name = path.strip_suffix(".nas").unwrap_or(path);
        let _ = write!(out, "### `std/{name}`\n\n");
        for item in &tree.items {
            let docs = item.docs.join("\n");
            match &item.kind {
                ItemKind::Block(block) => {
                    let _ = write!(out, "`{}`\n\n{docs}\n\n", signature(block));
                }
                ItemKind::Model(model) => {
                    let _ = write!(out, "Model `{}`.\n\n{docs}\n\n", model.name.text);
                }
                ItemKind::Param(param) => {
                    let value = print_expr(&param.value);
                    let _ = write!(out, "Parameter `{} = {value}`. {docs}\n\n", param.name.text);
                }
                _ if !docs.is_empty() => {
                    let _ = write!(out, "{docs}\n\n");
                }
                _ => {}
            }
        }
    }
    out
}

fn signature(block: &ast::Definition) -> String {
    let params: Vec<String> = block
        .params
        .iter()
        .map(|param| {
            let name = &param.name.text;
            match (&param.ty, &param.default) {
                (Some(ty), Some(default)) => format!("{name}: {} = {}", ty.text, print_expr(default)),
                (Some(ty), None) => format!("{name}: {}", ty.text),
                (None, Some(default)) => format!("{name}: {}", print_expr(default)),
                (None, None) => name.clone(),
            }
        })
        .collect();
    format!("{}({})", block.name.text, params.join(", "))
}

fn codes() -> String {
    let rows = all_codes().map(|(code, text)| vec![code.to_string(), text.to_owned()]);
    table(&["code", "meaning"], rows)
}
