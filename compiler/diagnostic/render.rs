//! Diagnostics as text and as JSON.

use serde_json::json;

use crate::diagnostic::{Diagnostic, Diagnostics, Severity};
use crate::source::SourceMap;

/// How messages look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// No escape sequences: for files, pipes and `NO_COLOR`.
    Plain,
    /// ANSI colours.
    Colour,
}

/// All messages as text, one paragraph each.
pub fn render(diagnostics: &Diagnostics, sources: &SourceMap, _style: Style) -> String {
    let mut out = String::new();
    for diagnostic in &diagnostics.0 {
        let severity = severity_name(diagnostic);
        out.push_str(&format!("{severity}[{}]: {}\n", diagnostic.code, diagnostic.message));
    }
    let _ = sources;
    out
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
