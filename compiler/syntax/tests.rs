use proptest::prelude::*;

use crate::diagnostic::{Diagnostics, Style, render};
use crate::source::{FileId, SourceMap};
use crate::syntax::{MAX_FILE_BYTES, ast, parse, print, random};

const KWS: &str = r#"nas 1
use std/blocks { ds_conv, res as residual }

/// Twelve-label keyword spotter.
let width = 24..64 step 8                 // one decision
param res = {64, 80, 96}

block pair(filters, kernel: 3) {
  conv2d(filters: filters, kernel: kernel)
  relu
}

model kws(classes: 12) {
  conv2d(filters: width, kernel: {(10, 4), (7, 3)}, stride: (2, 2), act: relu)
  repeat depth: 2..5 {
    choose body {
      separable: ds_conv(filters: width, kernel: {3, 5})
      /// Both.
      standard: { let k = 3 * (2 + 1) - -4, conv2d(filters: 8, kernel: k) }
    }
  }
  optional tail { max_pool(size: 2) }
  parallel merge add { a: identity, b: { relu } }
  global_avg_pool
  dense(units: classes)
}

data {
  source: audio_folder("speech \"commands\"", rate: 16 kHz)
  split: by(speaker, train: 80 %, val: 10 %, test: 10 %)
  augment: [shift(100 ms), noise(10 %)]
}
train { optimizer: adamw(lr: log 1e-4..1e-2), epochs: 60, batch: 16..64 by *2, amsgrad: false }
quantize { weights: i8, calibrate: 200 samples }
target "cortex-m4" { clock: 80 MHz }
require { ram <= 24 KiB, latency <= 60 ms on ["cortex-m4", "m7"] }
prefer { energy <= 2 mJ weight 0.2 }
maximize accuracy
search { strategy: aging_evolution(population: 32), shape: (1,), none: () }
"#;

fn parse_text(text: &str) -> (SourceMap, ast::File, Diagnostics) {
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let (tree, diagnostics) = parse(&sources, file);
    (sources, tree, diagnostics)
}

/// The tree as text without spans.
fn shape(tree: &ast::File) -> String {
    let debug = format!("{:?}", tree.items);
    let mut out = String::new();
    let mut rest = debug.as_str();
    while let Some(at) = rest.find("Span { file: FileId(") {
        out.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find(" }").expect("a span ends") + 2..];
    }
    out + rest
}

fn messages(text: &str) -> Vec<String> {
    parse_text(text).2.0.into_iter().map(|d| format!("{}: {}", d.code, d.message)).collect()
}

#[test]
fn the_example_round_trips() {
    let (sources, tree, diagnostics) = parse_text(KWS);
    assert_eq!(diagnostics.0, [], "{}", render(&diagnostics, &sources, Style::Plain));
    let printed = print(&tree);
    let (_, again, diagnostics) = parse_text(&printed);
    assert_eq!(diagnostics.0, [], "{printed}");
    assert_eq!(shape(&again), shape(&tree));
    assert_eq!(print(&again), printed);
}

#[test]
fn five_mistakes_in_five_items_are_five_messages() {
    let text = "nas 1\nlet a 3\nmodel m(classes 12) {\n  dense(units: )\n  conv2d(kernel: {3, 5)\n  relu\n}\n\
                require { ram 24 KiB }\nmaximise accuracy\n";
    assert_eq!(
        messages(text),
        [
            "E0101: expected `=` and a value, found `3`",
            "E0101: expected `:` and a value, found `12`",
            "E0101: expected a value, found `)`",
            "E0102: `{` is never closed",
            "E0101: expected a comparison such as `<=`, found `24`",
            "E0201: `maximise` starts no item of a file",
        ]
    );
}

#[test]
fn an_open_bracket_does_not_swallow_the_next_item() {
    let text = "nas 1\nmodel a {\n  relu(\n  dense(units 3)\n\ndata { source: \"x }\ntrain { epochs 3 }\n";
    let found = messages(text);
    assert_eq!(
        found,
        [
            "E0102: `{` is never closed",
            "E0102: `(` is never closed",
            "E0101: expected `:` and a value, found `3`",
            "E0102: this text has no closing `\"`",
            "E0101: expected `:` and a value, found `3`",
        ]
    );
}

#[test]
fn units_stand_on_the_line_of_their_number() {
    let (_, tree, diagnostics) = parse_text("nas 1\ndata {\n  a: 4\n  h: 2\n  b: 3 ms\n}\n");
    assert_eq!(diagnostics.0, []);
    assert!(print(&tree).contains("a: 4\n  h: 2\n  b: 3 ms\n"));
}

#[test]
fn precedence_and_parentheses_survive() {
    for value in
        ["1 + 2 * 3", "(1 + 2) * 3", "1 - (2 - 3)", "-(1 + 2)", "(2..3) * 2", "log 1.0..2.0", "-(-1)"]
    {
        let (_, tree, _) = parse_text(&format!("nas 1\nlet a = {value}\n"));
        assert_eq!(print(&tree), format!("nas 1\n\nlet a = {value}\n"));
    }
}

#[test]
fn limits_are_told_not_met_by_a_crash() {
    let deep = format!("nas 1\nlet a = {}1{}\n", "(".repeat(5000), ")".repeat(5000));
    assert_eq!(messages(&deep), ["E0403: more than 64 brackets inside one another"]);
    let long = format!("nas 1\nlet a = 1{}\n", " + 1".repeat(100_000));
    assert_eq!(messages(&long), ["E0403: more than 64 operators in one value"]);
    assert!(messages(&" ".repeat(MAX_FILE_BYTES + 1))[0].starts_with("E0403"));
    let signs = format!("nas 1\nlet a = {}1\n", "-".repeat(100_000));
    assert_eq!(messages(&signs).len(), 1);
    assert_eq!(messages(&"data {} ".repeat(20_000)).len(), 9);
    assert_eq!(messages(&"}\n".repeat(20_000)).len(), 100);
    let nots = format!("nas 1\nforbid {{ {}a }}\n", "not ".repeat(100_000));
    assert_eq!(messages(&nots), ["E0403: more than 64 operators in one value"]);
    let ors = format!("nas 1\nforbid {{ a{} }}\n", " or a".repeat(100_000));
    assert_eq!(messages(&ors), ["E0403: more than 64 operators in one value"]);
    assert_eq!(messages("nas 1\nlet a = 99999999999999999999\n"), ["E0104: the number is too large"]);
    assert!(messages(&"\n".repeat(1 << 20))[0].starts_with("E0103"));
}

/// Nothing is parsed twice: with each bracket the time would double.
#[test]
fn brackets_in_brackets_take_no_longer_than_side_by_side() {
    let depth = crate::syntax::MAX_NESTING - 1;
    for open in ["(", "log (", "[", "{", "f(", "log(", "f(x: ", "(1..", "-("] {
        let close: String = open
            .chars()
            .rev()
            .filter_map(|c| match c {
                '(' => Some(')'),
                '[' => Some(']'),
                '{' => Some('}'),
                _ => None,
            })
            .collect();
        for inner in ["1", "1..2", ""] {
            let value = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            parse_text(&format!("nas 1\nlet a = {value}\n"));
        }
    }
    for inner in ["a", "a > 1", "not a", ""] {
        for open in ["(", "not (", "a and (", "not(", "(a) in (", "-("] {
            let condition = format!("{}{inner}{}", open.repeat(depth - 1), ")".repeat(depth - 1));
            parse_text(&format!("nas 1\nforbid {{ {condition} }}\n"));
        }
    }
}

fn check_any(text: &str) -> Result<(), TestCaseError> {
    let (sources, tree, diagnostics) = parse_text(text);
    for diagnostic in &diagnostics.0 {
        for label in &diagnostic.labels {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            prop_assert_eq!(label.span.file, FileId(0));
            prop_assert!(start <= end && text.get(start..end).is_some(), "{:?}", label);
        }
        for rule in ["EOI", "kw_", "_head", "_item", "ident", "lparen", "step_add", "arithmetic"] {
            let told = diagnostic.message.replace(char::is_whitespace, " ");
            let quoted = told.split('`').step_by(2).any(|part| part.contains(rule));
            prop_assert!(!quoted, "{}", diagnostic.message);
        }
    }
    render(&diagnostics, &sources, Style::Plain);
    let printed = print(&tree);
    let (_, again, _) = parse_text(&printed);
    prop_assert_eq!(shape(&again), shape(&tree), "{}", printed);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_printed_parses_to_the_same_tree(seed in any::<u64>(), size in 1usize..6) {
        let tree = random::tree(seed, size);
        let printed = print(&tree);
        let (sources, again, diagnostics) = parse_text(&printed);
        prop_assert_eq!(diagnostics.0.len(), 0, "{}{}", printed, render(&diagnostics, &sources, Style::Plain));
        prop_assert_eq!(shape(&again), shape(&tree), "{}", printed);
    }

    #[test]
    fn no_mutation_of_a_spec_is_too_much(
        edits in prop::collection::vec((0..KWS.len(), 0usize..20, "[a-z0-9(){}\\[\\],:.\"\n +%µ*/-]{0,3}"), 1..6)
    ) {
        let mut text = KWS.to_owned();
        for (at, cut, insert) in edits {
            let floor = |at: usize| (0..=at.min(text.len())).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
            let (start, end) = (floor(at), floor(at + cut));
            text.replace_range(start..end, &insert);
        }
        check_any(&text)?;
    }

    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_any(&String::from_utf8_lossy(&bytes))?;
    }

    #[test]
    fn no_tokens_are_too_much(words in prop::collection::vec(prop::sample::select(vec![
        "nas", "1", "model", "m", "{", "}", "(", ")", "[", "]", ",", ":", "=", "..", "\n", "let", "repeat",
        "choose", "a", "parallel", "merge", "optional", "\"", "\\", "//", "///", "-", "use", "require", "<=", "on",
    ]), 0..60)) {
        check_any(&words.join(" "))?;
    }
}
