//! Diagnostics for other programs: SARIF for code scanning, annotations for GitHub's checks.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::diagnostic::{Code, Diagnostic, Diagnostics, Label, Severity, explain};
use crate::source::SourceMap;

/// A SARIF 2.1.0 log with one run; columns count characters from 1.
///
/// Source  OASIS, Static Analysis Results Interchange Format 2.1.0
pub fn to_sarif(diagnostics: &Diagnostics, sources: &SourceMap) -> Value {
    let mut codes: Vec<Code> = diagnostics.0.iter().map(|diagnostic| diagnostic.code).collect();
    codes.sort();
    codes.dedup();
    let rules: Vec<Value> = codes
        .iter()
        .map(|code| json!({ "id": code.to_string(), "fullDescription": { "text": explain(*code) } }))
        .collect();
    let results: Vec<Value> =
        diagnostics.0.iter().map(|diagnostic| sarif_result(diagnostic, sources)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "nasc", "version": env!("CARGO_PKG_VERSION"), "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn sarif_result(diagnostic: &Diagnostic, sources: &SourceMap) -> Value {
    let mut result = json!({
        "ruleId": diagnostic.code.to_string(),
        "level": match diagnostic.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "message": { "text": whole_text(diagnostic) },
    });
    if let Some((first, others)) = diagnostic.labels.split_first() {
        result["locations"] = json!([sarif_location(first, sources)]);
        if !others.is_empty() {
            let related: Vec<Value> = others.iter().map(|label| sarif_location(label, sources)).collect();
            result["relatedLocations"] = json!(related);
        }
    }
    result
}

fn sarif_location(label: &Label, sources: &SourceMap) -> Value {
    let (start, end) = (sources.position(label.span), sources.end_position(label.span));
    let mut location = json!({ "physicalLocation": {
        "artifactLocation": { "uri": sources.name(label.span.file).replace('\\', "/") },
        "region": {
            "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column,
        },
    } });
    if !label.text.is_empty() {
        location["message"] = json!({ "text": label.text });
    }
    location
}

/// The message with its notes and ways out, line by line.
fn whole_text(diagnostic: &Diagnostic) -> String {
    let mut text = diagnostic.message.clone();
    for note in &diagnostic.notes {
        let _ = write!(text, "\nnote: {note}");
    }
    for help in &diagnostic.help {
        let _ = write!(text, "\nhelp: {help}");
    }
    text
}

/// Workflow commands of GitHub Actions, one line each, which become annotations of a pull request.
///
/// Source  GitHub documentation, "Workflow commands for GitHub Actions"
pub fn to_github(diagnostics: &Diagnostics, sources: &SourceMap) -> String {
    let mut out = String::new();
    for diagnostic in &diagnostics.0 {
        let kind = match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let mut properties = String::new();
        let mut text = String::new();
        if let Some(label) = diagnostic.labels.first() {
            let (start, end) = (sources.position(label.span), sources.end_position(label.span));
            let file = property(sources.name(label.span.file));
            let _ = write!(properties, "file={file},line={},endLine={},", start.line, end.line);
            // Columns are read only within one line.
            if start.line == end.line {
                let _ = write!(properties, "col={},endColumn={},", start.column, end.column);
            }
            if !label.text.is_empty() {
                let _ = write!(text, "\n{}", label.text);
            }
        }
        for label in diagnostic.labels.iter().skip(1) {
            let at = sources.position(label.span);
            let _ =
                write!(text, "\n{}:{}:{}: {}", sources.name(label.span.file), at.line, at.column, label.text);
        }
        let whole = whole_text(diagnostic);
        let (first, rest) = whole
            .split_once('\n')
            .map_or((whole.as_str(), String::new()), |(first, rest)| (first, format!("\n{rest}")));
        let text = data(&format!("{first}{text}{rest}"));
        let _ = writeln!(
            out,
            "::{kind} {properties}title={}::{text}",
            property(&format!("nasc {}", diagnostic.code))
        );
    }
    out
}

/// The text of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Span;

    fn example() -> (Diagnostics, SourceMap) {
        let mut sources = SourceMap::new();
        let file = sources.add("a,b.nas", "nas 1\nlet µ = 8\nlet w =\n  8\n");
        let diagnostic = Diagnostic::error(Code::DUPLICATE_NAME, "100 % wrong")
            .at(Span { file, start: 10, end: 12 }, "this: one")
            .at(Span { file, start: 17, end: 28 }, "and this")
            .note("a fact")
            .help("a way out");
        (Diagnostics(vec![diagnostic, Diagnostic::warning(Code::STORE, "no place")]), sources)
    }

    #[test]
    fn github_lines_are_escaped() {
        let (diagnostics, sources) = example();
        insta::assert_snapshot!(to_github(&diagnostics, &sources), @r"
        ::error file=a%2Cb.nas,line=2,endLine=2,col=5,endColumn=6,title=nasc E0202::100 %25 wrong%0Athis: one%0Aa,b.nas:3:1: and this%0Anote: a fact%0Ahelp: a way out
        ::warning title=nasc E0802::no place
        ");
    }

    #[test]
    fn sarif_has_rules_regions_and_related_places() {
        let (diagnostics, sources) = example();
        let log = to_sarif(&diagnostics, &sources);
        let results = &log["runs"][0]["results"];
        let region = &results[0]["locations"][0]["physicalLocation"]["region"];
        assert_eq!(*region, json!({"startLine": 2, "startColumn": 5, "endLine": 2, "endColumn": 6}));
        let related = &results[0]["relatedLocations"][0]["physicalLocation"]["region"];
        assert_eq!((&related["startLine"], &related["endLine"]), (&json!(3), &json!(4)));
        assert_eq!(results[1]["level"], json!("warning"));
        assert!(results[1].get("locations").is_none());
        assert_eq!(log["runs"][0]["tool"]["driver"]["rules"].as_array().map(Vec::len), Some(2));
    }
}
