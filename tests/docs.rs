//! The language reference in `docs/` is what the compiler's own tables say.

use std::fs;
use std::path::Path;

#[test]
fn reference_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference.md");
    let wanted = nasc::elaborate::reference();
    if std::env::var_os("NASC_BLESS").is_some() {
        fs::write(&path, &wanted).expect("docs/ can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differs = found.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    assert!(
        found == wanted,
        "docs/reference.md is stale from line {:?} on: run `make docs`",
        differs.map(|at| at + 1)
    );
}

/// The specs and pieces of specs in the documentation are ones.
#[test]
fn examples_in_the_documentation_parse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = 0;
    for name in ["README.md", "CHANGELOG.md", "docs/language.md", "docs/data.md"] {
        let text = fs::read_to_string(root.join(name)).expect("it is there");
        let lines: Vec<&str> = text.lines().collect();
        let starts = (0..lines.len()).filter(|&at| lines[at].trim() == "```nas");
        for start in starts {
            let body = lines[start + 1..].iter().take_while(|line| line.trim() != "```");
            let body: String = body.map(|line| format!("{line}\n")).collect();
            let whole = if body.trim_start().starts_with("nas 1") { body } else { format!("nas 1\n{body}") };
            let mut sources = nasc::source::SourceMap::new();
            let file = sources.add(name, whole);
            let (_, diagnostics) = nasc::syntax::parse(&sources, file);
            let told = nasc::diagnostic::render(&diagnostics, &sources, nasc::diagnostic::Style::Plain);
            assert!(diagnostics.0.is_empty(), "{name}, line {}:\n{told}", start + 1);
            found += 1;
        }
    }
    assert!(found >= 6, "only {found} examples");
}
