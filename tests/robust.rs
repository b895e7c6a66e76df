//! Ten thousand damaged specs: nothing panics, every message has its place and speaks the user's language, and the
//! formatter keeps what it formats.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nasc::diagnostic::{Diagnostics, Style, render};
use nasc::elaborate::{self, Options};
use nasc::source::SourceMap;
use nasc::syntax;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const COUNT: usize = 10_000;

/// Rules of the grammar without `_` whose names are no words of a message.
const NO_WORDS: [&str; 15] = [
    "ident",
    "lparen",
    "rparen",
    "lbracket",
    "rbracket",
    "lbrace",
    "rbrace",
    "sub",
    "div",
    "neg",
    "atom",
    "arithmetic",
    "conjunction",
    "gathered",
    "typed",
];

/// All `.nas` files below a folder, in order.
fn collect(folder: &Path, texts: &mut Vec<String>) {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "nas") {
            texts.push(fs::read_to_string(&path).expect("it is UTF-8"));
        }
    }
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }
}

/// Words, and everything else character by character.
fn tokens(text: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let end = match is_word(first) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => first.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        tokens.push(token);
        rest = after;
    }
    tokens
}

/// Deletes, doubles, swaps or takes from elsewhere.
fn shuffle<'a>(parts: &mut Vec<&'a str>, other: &[&'a str], dice: &mut Dice) {
    if parts.is_empty() {
        return;
    }
    let (a, b) = (dice.below(parts.len()), dice.below(parts.len()));
    match dice.below(5) {
        0 => {
            parts.remove(a);
        }
        1 => parts.insert(a, parts[a]),
        2 => parts.swap(a, b),
        3 => parts.insert(a, other[dice.below(other.len())]),
        _ => parts[a] = other[dice.below(other.len())],
    }
}

fn damaged(texts: &[String], dice: &mut Dice) -> String {
    let mut text = texts[dice.below(texts.len())].clone();
    let other = texts[dice.below(texts.len())].clone();
    for _ in 0..1 + dice.below(3) {
        text = match dice.below(6) {
            0..=2 => {
                let mut parts = tokens(&text);
                shuffle(&mut parts, &tokens(&other), dice);
                parts.concat()
            }
            3 | 4 => {
                let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
                shuffle(&mut lines, &other.split_inclusive('\n').collect::<Vec<_>>(), dice);
                lines.concat()
            }
            _ => {
                let mut bytes = text.into_bytes();
                let at = dice.below(bytes.len());
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = dice.below(256) as u8;
                }
                String::from_utf8_lossy(&bytes).into_owned()
            }
        };
    }
    text
}

/// The names of rules that no message may say.
fn rule_names() -> BTreeSet<String> {
    let grammar = include_str!("../grammar/nas.pest");
    let names = grammar.lines().filter_map(|line| Some(line.split_once('=')?.0.trim()));
    let is_name =
        |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let mut names: BTreeSet<String> = names
        .filter(is_name)
        .filter(|name| name.contains('_') || NO_WORDS.contains(name))
        .map(str::to_owned)
        .collect();
    names.insert("EOI".to_owned());
    names
}

/// Every place is one, and nothing that is said is a name of the grammar.
fn check_messages(diagnostics: &Diagnostics, sources: &SourceMap, rules: &BTreeSet<String>) {
    for diagnostic in &diagnostics.0 {
        for label in &diagnostic.labels {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            let text = sources.text(label.span.file);
            assert!(start <= end && text.get(start..end).is_some(), "no place: {diagnostic:?}");
        }
        let labels = diagnostic.labels.iter().map(|label| &label.text);
        for said in labels.chain([&diagnostic.message]).chain(&diagnostic.notes).chain(&diagnostic.help) {
            // What stands in backticks is the user's own text or the language's.
            for part in said.split('`').step_by(2) {
                let mut words = part.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                assert!(!words.any(|word| rules.contains(word)), "{diagnostic:?}");
            }
        }
    }
    render(diagnostics, sources, Style::Plain);
    render(diagnostics, sources, Style::Colour);
}

fn formatted(text: &str) -> Result<String, (Diagnostics, SourceMap)> {
    let mut sources = SourceMap::new();
    let file = sources.add("damaged.nas", text);
    syntax::format(&sources, file).map_err(|error| (error, sources))
}

/// Whether the spec parses, and whether it means something.
fn check(text: &str, rules: &BTreeSet<String>) -> (bool, bool) {
    let mut sources = SourceMap::new();
    let file = sources.add("damaged.nas", text);
    let (tree, diagnostics) = syntax::parse(&sources, file);
    check_messages(&diagnostics, &sources, rules);
    let parses = !diagnostics.has_errors();
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &Options::default());
    check_messages(&diagnostics, &sources, rules);
    match formatted(text) {
        Err((error, sources)) => {
            check_messages(&error, &sources, rules);
            assert!(!parses, "{error:?}");
        }
        Ok(once) => {
            assert!(parses);
            let mut sources = SourceMap::new();
            let file = sources.add("formatted.nas", once.clone());
            assert_eq!(syntax::print(&syntax::parse(&sources, file).0), syntax::print(&tree), "{once}");
            assert_eq!(formatted(&once).ok(), Some(once));
        }
    }
    (parses, program.is_some())
}

#[test]
fn ten_thousand_damaged_specs() {
    let mut texts = Vec::new();
    for folder in ["tests/cases", "examples", "stdlib"] {
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut texts);
    }
    let rules = rule_names();
    assert!(rules.contains("kw_let") && rules.contains("let_item") && rules.contains("ident"));
    let mut dice = Dice(ChaCha8Rng::seed_from_u64(20));
    let (mut parsed, mut meant) = (0, 0);
    for number in 0..COUNT {
        let text = damaged(&texts, &mut dice);
        match catch_unwind(AssertUnwindSafe(|| check(&text, &rules))) {
            Ok((parses, means)) => {
                parsed += usize::from(parses);
                meant += usize::from(means);
            }
            Err(_) => panic!("the damaged spec {number} is:\n{text}"),
        }
    }
    // Enough of both kinds, or this test proves little.
    assert!(parsed > COUNT / 10 && parsed < COUNT * 9 / 10, "{parsed} of {COUNT} parse");
    assert!(meant > 100, "{meant} of {COUNT} are specs");
}
