//! Diagnostics as text and as JSON.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::json;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::source::{FileId, SourceMap, Span};

/// How messages look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences: for files, pipes and `NO_COLOR`.
    Plain,
    /// ANSI colours.
    Colour,
}

/// Columns of the text; labels of longer lines are cut to what is near them.
const WIDTH: usize = 120;

/// All messages as text, one paragraph each, with the lines they speak of.
pub fn render(diagnostics: &Diagnostics, sources: &SourceMap, style: Style) -> String {
    let renderer = match style {
        Style::Plain => Renderer::plain(),
        Style::Colour => Renderer::styled(),
    };
    let renderer = renderer.term_width(WIDTH);
    let mut out = String::new();
    for diagnostic in &diagnostics.0 {
        out.push_str(&one(&renderer, diagnostic, sources));
        out.push_str("\n\n");
    }
    if !out.is_empty() {
        out.pop();
    }
    out
}

fn one(renderer: &Renderer, diagnostic: &Diagnostic, sources: &SourceMap) -> String {
    let level = match diagnostic.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
    };
    let title = level.primary_title(clean(&diagnostic.message)).id(diagnostic.code.to_string());
    let mut group = Group::with_title(title);
    let mut files: Vec<FileId> = Vec::new();
    for label in &diagnostic.labels {
        if !files.contains(&label.span.file) {
            files.push(label.span.file);
        }
    }
    for file in files {
        group = group.element(snippet(diagnostic, file, sources));
    }
    for note in &diagnostic.notes {
        group = group.element(Level::NOTE.message(clean(note)));
    }
    for help in &diagnostic.help {
        group = group.element(Level::HELP.message(clean(help)));
    }
    renderer.render(&[group])
}

/// The lines of one file from the first to the last label; long gaps are folded by the renderer.
fn snippet<'a>(diagnostic: &Diagnostic, file: FileId, sources: &'a SourceMap) -> Snippet<'a, Annotation<'a>> {
    let text = sources.text(file);
    let labels = || diagnostic.labels.iter().enumerate().filter(|(_, label)| label.span.file == file);
    let first = labels().map(|(_, label)| label.span.start as usize).min().unwrap_or(0);
    let last = labels().map(|(_, label)| label.span.end as usize).max().unwrap_or(0);
    let start = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[last..].find('\n').map_or(text.len(), |newline| last + newline);
    let line = sources.position(Span { file, start: start as u32, end: start as u32 }).line;
    let annotations = labels().map(|(index, label)| {
        let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        let annotation = kind.span(label.span.start as usize - start..label.span.end as usize - start);
        if label.text.is_empty() { annotation } else { annotation.label(clean(&label.text)) }
    });
    Snippet::source(&text[start..end])
        .path(clean(sources.name(file)))
        .line_start(line)
        .annotations(annotations.collect::<Vec<_>>())
}

/// Text from a spec or a path without signs that a terminal obeys.
fn clean(text: &str) -> String {
    annotate_snippets::normalize_untrusted_str(text)
}

/// All messages as a JSON array; lines and columns count from 1.
pub fn to_json(diagnostics: &Diagnostics, sources: &SourceMap) -> serde_json::Value {
    diagnostics
        .0
        .iter()
        .map(|diagnostic| {
            let labels: Vec<_> = diagnostic
                .labels
                .iter()
                .map(|label| {
                    let at = sources.position(label.span);
                    json!({
                        "file": sources.name(label.span.file), "line": at.line, "column": at.column,
                        "start": label.span.start, "end": label.span.end, "text": label.text,
                    })
                })
                .collect();
            json!({
                "code": diagnostic.code.to_string(), "severity": severity_name(diagnostic),
                "message": diagnostic.message, "labels": labels,
                "notes": diagnostic.notes, "help": diagnostic.help,
            })
        })
        .collect()
}

fn severity_name(diagnostic: &Diagnostic) -> &'static str {
    match diagnostic.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Code;

    fn sources() -> (SourceMap, FileId, FileId) {
        let mut sources = SourceMap::new();
        let spec = sources.add("kws.nas", "nas 1\nlet w = 8\n\n\n\n\nlet w = \"µ\" + 9\n");
        let library = sources.add("std/blocks.nas", "nas 1\nblock ds_conv(filters) {\n}\n");
        (sources, spec, library)
    }

    #[test]
    fn two_places_notes_and_help_in_one_file() {
        let (sources, file, _) = sources();
        let second = Span { file, start: 24, end: 25 };
        let first = Span { file, start: 10, end: 11 };
        let diagnostic = Diagnostic::error(Code::DUPLICATE_NAME, "`w` is declared twice")
            .at(second, "declared again here")
            .at(first, "first declared here")
            .note("names are case sensitive")
            .help("rename one of the two");
        insta::assert_snapshot!(render(&diagnostic.into(), &sources, Style::Plain), @r#"
        error[E0202]: `w` is declared twice
         --> kws.nas:7:5
          |
        2 | let w = 8
          |     - first declared here
        ...
        7 | let w = "µ" + 9
          |     ^ declared again here
          |
          = note: names are case sensitive
          = help: rename one of the two
        "#);
    }

    #[test]
    fn two_files_and_a_message_without_a_place() {
        let (sources, spec, library) = sources();
        let diagnostics = Diagnostics(vec![
            Diagnostic::warning(Code::TYPE, "a text cannot be added")
                .at(Span { file: spec, start: 28, end: 32 }, "a text")
                .at(Span { file: library, start: 20, end: 27 }, "wanted here"),
            Diagnostic::error(Code::STORE, "`a\u{1b}[31m.sqlite` cannot be opened"),
        ]);
        insta::assert_snapshot!(render(&diagnostics, &sources, Style::Plain), @r#"
        warning[E0301]: a text cannot be added
         --> kws.nas:7:9
          |
        7 | let w = "µ" + 9
          |         ^^^ a text
          |
         ::: std/blocks.nas:2:15
          |
        2 | block ds_conv(filters) {
          |               ------- wanted here

        error[E0802]: `a␛[31m.sqlite` cannot be opened
        "#);
    }

    #[test]
    fn only_colour_has_escape_sequences_and_both_say_the_same() {
        let (sources, file, _) = sources();
        let diagnostic = Diagnostic::error(Code::TYPE, "wrong").at(Span { file, start: 6, end: 9 }, "here");
        let diagnostics = Diagnostics::from(diagnostic);
        let plain = render(&diagnostics, &sources, Style::Plain);
        let colour = render(&diagnostics, &sources, Style::Colour);
        assert!(!plain.contains('\u{1b}') && colour.contains("\u{1b}["));
        let mut stripped = String::new();
        let mut inside = false;
        for char in colour.chars() {
            match char {
                '\u{1b}' => inside = true,
                'm' if inside => inside = false,
                _ if !inside => stripped.push(char),
                _ => {}
            }
        }
        assert_eq!(stripped, plain);
    }

    #[test]
    fn json_counts_lines_and_columns_from_one() {
        let (sources, file, _) = sources();
        let diagnostic = Diagnostic::error(Code::TYPE, "wrong").at(Span { file, start: 27, end: 31 }, "here");
        let json = to_json(&diagnostic.into(), &sources);
        assert_eq!((&json[0]["labels"][0]["line"], &json[0]["code"]), (&json!(7), &json!("E0301")));
    }
}
