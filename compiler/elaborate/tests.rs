use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::diagnostic::{Diagnostics, Severity, Style, render};
use crate::elaborate::{Files, Options, Program, elaborate, stdlib_targets};
use crate::source::SourceMap;
use crate::space::{Domain, Value};

const SPEC: &str = r#"nas 1
use std/blocks { ds_conv }
let width = 16..32 step 8
param side = {3, 5}
block pair(filters, kernel: 3, act: relu) {
  let half = filters / 2
  ds_conv(filters: half, kernel: kernel)
  conv2d(filters: filters, kernel: (1, {1, 3}), act: act)
}
model m(input: (25, 12), classes: 9) {
  conv1d(filters: width, kernel: side, norm: batch)
  repeat depth: 1..3 { choose body { a: pair(filters: {8, 16}), b: { relu6, max_pool(size: 2) } } }
  optional tail { parallel merge add { l: identity, r: relu } }
  global_avg_pool
  dense(units: classes)
}
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %), normalize: standardize }
train { optimizer: adamw(lr: 5e-3, decay: 0.02), epochs: 60, batch: 30, warmup: 5 %, smoothing: 0.05 }
quantize { weights: i8, activations: i8, calibrate: 200 samples }
require { ram <= 4 KiB, flash <= 24 KiB on "cortex-m4" }
prefer { energy <= 2 mJ weight 0.5 }
maximize accuracy
minimize ram
search { strategy: random, trials: 8, finalists: 2, replicates: 2, window: 4, seed: 7 }
target "cortex-m4" { clock: 100 MHz }
"#;

fn run(text: &str, options: &Options<'_>) -> (SourceMap, Option<Program>, Diagnostics) {
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let (program, diagnostics) = elaborate(&mut sources, file, options);
    (sources, program, diagnostics)
}

fn good(text: &str) -> Program {
    let (sources, program, diagnostics) = run(text, &Options::default());
    program.unwrap_or_else(|| panic!("{}", render(&diagnostics, &sources, Style::Plain)))
}

#[test]
fn the_standard_library_and_the_spec_are_good() {
    let program = good(SPEC);
    assert_eq!(program.name, "m");
    assert_eq!(stdlib_targets()["host"], program.targets["host"]);
    assert_ne!(stdlib_targets()["cortex-m4"], program.targets["cortex-m4"]);
    assert_eq!(program.space.fixed_input(), Some([25, 1, 12]));
    assert_eq!(program.named_targets, ["cortex-m4"]);
    assert_eq!(program.targets["cortex-m4"].clock, 100_000_000);
    assert!(program.targets["cortex-m4"].toolchain.is_some() && program.targets.contains_key("host"));
    let (split, parts) = program.settings["data"].form("split").unwrap();
    assert_eq!((split, parts.unwrap().number("val")), ("holdout", Some(0.2)));
    assert_eq!(program.requirements[0].limit.to_bits(), f64::to_bits(4096.0));
}

#[test]
fn order_comments_and_spacing_do_not_show_in_sections() {
    let mut lines: Vec<&str> = SPEC.lines().collect();
    let sections = lines.split_off(16);
    let mut moved: Vec<String> = vec!["nas 1 // moved".to_owned()];
    moved.extend(sections.iter().rev().filter(|line| !line.starts_with("minimize")).map(|line| {
        line.replace("epochs: 60, batch: 30", "batch:30,\n // fewer\n epochs:  60").replace(
            "ram <= 4 KiB, flash <= 24 KiB on \"cortex-m4\"",
            "flash <= 24 KiB on \"cortex-m4\", ram <= 4096 B",
        )
    }));
    moved.push("/// The second one.\nminimize ram".to_owned());
    moved.extend(lines[1..].iter().map(|line| (*line).to_owned()));
    assert_eq!(good(&moved.join("\n")).sections, good(SPEC).sections);
}

#[test]
fn what_means_something_shows_in_its_section_alone() {
    for (from, to, section) in [
        ("16..32 step 8", "16..40 step 8", "space"),
        ("relu6, max_pool", "relu, max_pool", "space"),
        ("\"a.ts\"", "\"c.ts\"", "data"),
        ("decay: 0.02", "decay: 0.03", "train"),
        ("200 samples", "201 samples", "quantize"),
        ("minimize ram", "minimize flash", "objectives"),
        ("weight 0.5", "weight 0.6", "objectives"),
        ("seed: 7", "seed: 8", "search"),
        ("ram <= 4 KiB", "ram <= 4 KB", "requirements"),
        ("100 MHz", "101 MHz", "targets"),
    ] {
        let (before, after) = (good(SPEC).sections, good(&SPEC.replace(from, to)).sections);
        let changed: Vec<&String> = before.keys().filter(|name| before[*name] != after[*name]).collect();
        assert_eq!(changed, [section], "{from} -> {to}");
    }
}

#[test]
fn one_decision_for_a_let_and_one_for_each_call_site() {
    let text = SPEC.replace("relu6, max_pool(size: 2)", "pair(filters: width)");
    let program = good(&text);
    let count = |name: &str| program.space.decisions.iter().filter(|d| d.name == name).count();
    assert_eq!(
        (count("width"), count("side"), count("depth"), count("body"), count("tail")),
        (1, 1, 1, 1, 1)
    );
    // `pair` stands twice: its own choice of a kernel twice, and `filters: {8, 16}` at one of the two calls.
    assert_eq!((count("kernel"), count("filters")), (2, 1));
}

#[test]
fn a_param_is_set_from_outside() {
    let set = |name: &str, text: &str| {
        let params = BTreeMap::from([(name.to_owned(), text.to_owned())]);
        run(SPEC, &Options { params, ..Options::default() })
    };
    let (_, program, _) = set("side", "7");
    let space = program.expect("7 is a kernel").space;
    assert!(space.decisions.iter().all(|decision| decision.name != "side"));
    let (_, program, _) = set("side", "{3, 5, 7}");
    let space = program.expect("these are kernels").space;
    let side = space.decisions.iter().find(|decision| decision.name == "side").expect("a decision");
    assert_eq!(side.domain, Domain::Set([3, 5, 7].map(Value::Int).to_vec()));
    for (name, text, message) in [
        ("sied", "3", "unknown parameter `sied`"),
        ("side", "0", "`kernel` of `conv1d` is an integer from 1 to 65536, found 0"),
        ("side", "3\nlet width = 4", "the parameter `side` takes one value"),
    ] {
        let (_, program, diagnostics) = set(name, text);
        assert!(program.is_none(), "{name} = {text}");
        let told: Vec<&str> = diagnostics.0.iter().map(|d| d.message.as_str()).collect();
        assert!(told.contains(&message), "{told:?}");
    }
}

#[test]
fn blocks_come_from_files_beside_the_spec() {
    struct Beside;
    impl Files for Beside {
        fn read(&self, path: &str) -> Result<String, String> {
            match path {
                "lib/mine.nas" => Ok("nas 1\nuse \"lib/other.nas\" { inner }\nlet k = {3, 5}\n\
                    block outer(n) { inner(n: n, k: k) }\n"
                    .to_owned()),
                "lib/other.nas" => Ok("nas 1\nuse \"lib/mine.nas\" { outer }\n\
                    block inner(n, k) { conv2d(filters: n, kernel: k) }\n"
                    .to_owned()),
                _ => Err("no such file".to_owned()),
            }
        }
    }
    let text = SPEC
        .replace("use std/blocks { ds_conv }", "use std/blocks { ds_conv }\nuse \"lib/mine.nas\" { outer }")
        .replace("  global_avg_pool", "  outer(n: 4)\n  global_avg_pool");
    let (sources, program, diagnostics) = run(&text, &Options { files: &Beside, ..Options::default() });
    let program = program.unwrap_or_else(|| panic!("{}", render(&diagnostics, &sources, Style::Plain)));
    assert_eq!(program.space.decisions.iter().filter(|decision| decision.name == "k").count(), 1);
}

#[test]
fn one_circle_of_files_is_told_once_and_where_it_is() {
    struct Folder;
    impl Files for Folder {
        fn read(&self, path: &str) -> Result<String, String> {
            Ok(match path {
                "a.nas" => "nas 1\nuse \"b.nas\" { y }\nlet x = y\n",
                "b.nas" => "nas 1\nuse \"a.nas\" { x }\nlet y = x\n",
                _ => "nas 1\nlet z = 3\n",
            }
            .to_owned())
        }
    }
    let options = Options { files: &Folder, ..Options::default() };
    let uses = "use \"z.nas\" { z }\nuse \"a.nas\" { x }\nlet width =";
    let (sources, program, out) = run(&SPEC.replacen("let width =", uses, 1), &options);
    assert!(program.is_none());
    let errors: Vec<_> = out.0.iter().filter(|told| told.severity == Severity::Error).collect();
    let [error] = errors.as_slice() else { panic!("{}", render(&out, &sources, Style::Plain)) };
    let files: Vec<&str> = error.labels.iter().map(|label| sources.name(label.span.file)).collect();
    assert_eq!(files, ["a.nas", "b.nas"]);
}

#[test]
fn a_wrong_value_from_outside_is_told_once_where_it_is_given() {
    let spec = SPEC.replace("param side = {3, 5}", "param side: count = {3, 5}");
    for (name, value, message, at) in [
        ("side", "relu", "`side` is an integer from 1 to 65536, found relu", "relu"),
        ("sides", "3", "unknown parameter `sides`", "sides"),
        ("width", "24", "unknown parameter `width`", "width"),
    ] {
        let params = BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let (sources, program, out) = run(&spec, &Options { params, ..Options::default() });
        assert!(program.is_none());
        let errors: Vec<_> = out.0.iter().filter(|told| told.severity == Severity::Error).collect();
        let [error] = errors.as_slice() else { panic!("{}", render(&out, &sources, Style::Plain)) };
        assert_eq!(error.message, message);
        let span = error.labels[0].span;
        assert_eq!(&sources.text(span.file)[span.start as usize..span.end as usize], at);
    }
}

#[test]
fn what_grows_without_bound_is_refused() {
    let told = |text: &str| {
        let (_, program, diagnostics) = run(text, &Options::default());
        assert!(program.is_none());
        let errors = diagnostics.0.into_iter().filter(|d| d.severity == Severity::Error);
        let messages = errors.map(|d| format!("{}: {}", d.code, d.message));
        messages.collect::<Vec<String>>()
    };
    let doubled: String = (1..60).map(|i| format!("let w{i} = w{0} + w{0}\n", i - 1)).collect();
    let text = SPEC.replace("param side", &format!("let w0 = width\n{doubled}param side"));
    assert_eq!(told(&text)[0], "E0403: this value has more than 64 parts once its names are replaced");
    let many: String = (0..9000).map(|i| format!("let w{i} = {{1, 2}}\n")).collect();
    let text = SPEC.replace("param side", &format!("{many}param side"));
    assert!(told(&text).contains(&"E0403: the space has more than 4096 decisions".to_owned()));
    let blocks: String = (1..200).map(|i| format!("block b{i} {{ b{} }}\n", i - 1)).collect();
    let text = SPEC.replace("param side", &format!("block b0 {{ relu }}\n{blocks}param side"));
    let text = text.replace("  global_avg_pool", "  b199\n  global_avg_pool");
    assert_eq!(told(&text), ["E0403: more than 100 regions inside one another"]);
}

/// Every value that `low..high step step` holds, by the words of the language's definition.
fn brute_force(low: i64, high: i64, step: i64, factor: bool) -> Option<Vec<Value>> {
    let mut values = vec![low];
    while *values.last()? < high && values.len() < 1000 {
        let last = *values.last()?;
        values.push(if factor { last * step } else { last + step });
    }
    (values.last() == Some(&high)).then(|| values.into_iter().map(Value::Int).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn ranges_hold_what_their_definition_says(
        low in 1i64..40, high in 1i64..200, step in 1i64..12, factor in any::<bool>()
    ) {
        prop_assume!(!factor || step > 1);
        let word = if factor { "by *" } else { "step " };
        let text = SPEC.replace("16..32 step 8", &format!("{low}..{high} {word}{step}"));
        let (_, program, diagnostics) = run(&text, &Options::default());
        match brute_force(low, high, step, factor) {
            Some(values) if values.len() > 1 => {
                let space = program.expect("the range is good").space;
                let width = space.decisions.iter().find(|d| d.name == "width").expect("a decision");
                prop_assert_eq!(super::domain::options(&width.domain), values);
            }
            Some(_) => prop_assert!(program.is_some()),
            None => {
                prop_assert!(program.is_none());
                prop_assert!(diagnostics.0.iter().any(|d| d.code.to_string() == "E0401"));
            }
        }
    }

    #[test]
    fn no_mutation_of_a_spec_is_too_much(
        edits in prop::collection::vec(
            (0..SPEC.len(), 0usize..12, prop::sample::select(vec![
                "", "", "0", "-1", "{3, 5}", "width", "relu", "24 KiB", "(1, 2)", "9007199254740992", "conv2d",
                "pair", "%", ", ", "\n", "..", "step 3", "*", "/", "\"x\"", "true", "[1]", "f(2)", "let k = 3\n",
            ])), 1..4)
    ) {
        let mut text = SPEC.to_owned();
        for (at, cut, insert) in edits {
            let start = at.min(text.len());
            let end = (start + cut).min(text.len());
            text.replace_range(start..end, insert);
        }
        let (sources, program, diagnostics) = run(&text, &Options::default());
        prop_assert_eq!(program.is_none(), diagnostics.has_errors());
        for label in diagnostics.0.iter().flat_map(|diagnostic| &diagnostic.labels) {
            let (start, end) = (label.span.start as usize, label.span.end as usize);
            prop_assert!(sources.text(label.span.file).get(start..end).is_some(), "{:?}", label);
        }
        render(&diagnostics, &sources, Style::Plain);
    }
}
