//! Case files: one folder per stage, one `.nas` file per case, its snapshot beside it.

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use nasc::diagnostic::{Code, Style, render};
use nasc::elaborate::{self, Options, Program};
use nasc::source::SourceMap;
use nasc::space;
use nasc::syntax;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Runs every case of a folder, and fails at the end with the names of those that differ.
fn run(stage: &str, show: impl Fn(&str, &str) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases").join(stage);
    let entries = fs::read_dir(&folder).expect("the stage has a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "nas"));
    files.sort();
    assert!(!files.is_empty(), "{stage} has no case");
    let mut failed = Vec::new();
    for path in files {
        let stem = path.file_stem().expect("a case has a name").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("a case is UTF-8");
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.set_input_file(&path);
        let case = AssertUnwindSafe(|| {
            settings.bind(|| insta::assert_snapshot!(stem.clone(), show(&format!("{stem}.nas"), &text)));
        });
        if catch_unwind(case).is_err() {
            failed.push(stem);
        }
    }
    assert!(failed.is_empty(), "cases of {stage} that failed: {failed:?}");
}

#[test]
fn parse() {
    run("parse", |name, text| {
        let mut sources = SourceMap::new();
        let file = sources.add(name, text);
        let (tree, diagnostics) = syntax::parse(&sources, file);
        format!("{}\n---\n{}", syntax::print(&tree), render(&diagnostics, &sources, Style::Plain))
    });
}

fn elaborate(name: &str, text: &str) -> (Option<Program>, Vec<String>, String) {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &Options::default());
    let codes = diagnostics.0.iter().map(|diagnostic| diagnostic.code.to_string()).collect();
    (program, codes, render(&diagnostics, &sources, Style::Plain))
}

#[test]
fn elaborate_good_specs() {
    run("elaborate", |name, text| {
        let (program, _, messages) = elaborate(name, text);
        let mut out = messages;
        for (section, text) in program.iter().flat_map(|program| &program.sections) {
            // The targets are those of the standard library, which have a test of their own.
            if section != "targets" {
                out.push_str(&format!("== {section}\n{}\n", text.trim_end()));
            }
        }
        out
    });
}

/// A spec without anything special.
const PLAIN: &str = r#"nas 1
model m(input: (32, 32, 3), classes: 10) { dense(units: classes) }
data { source: ts(train: "a.ts", test: "b.ts"), split: holdout(val: 20 %) }
train { optimizer: adamw(lr: 1e-3), epochs: 60, batch: 32 }
search { strategy: random, trials: 12 }
maximize accuracy
"#;

/// What the five systems need to say, one case for each need: all of it can be said.
#[test]
fn needs_of_the_papers() {
    let (plain, _, messages) = elaborate("plain.nas", PLAIN);
    let plain = plain.unwrap_or_else(|| panic!("{messages}"));
    run("papers", |name, text| {
        let (program, _, messages) = elaborate(name, text);
        let program = program.unwrap_or_else(|| panic!("{name}:\n{messages}"));
        let mut out = messages;
        for (section, text) in &program.sections {
            // What is as in the plainest spec is not what the case is about.
            if section != "targets" && plain.sections.get(section) != Some(text) {
                out.push_str(&format!("== {section}\n{}\n", text.trim_end()));
            }
        }
        out
    });
}

#[test]
fn elaborate_bad_specs() {
    run("errors", |name, text| {
        let (program, codes, messages) = elaborate(name, text);
        assert!(program.is_none(), "{name} has no error");
        let code = name.split('-').next().expect("split gives one part at least");
        assert!(codes.iter().any(|found| found == code), "{name} does not show {code} but {codes:?}");
        messages
    });
}

/// The points of a space with lists, branches, options and choices inside one another are networks, or say with
/// places in the spec why they are none.
#[test]
fn points_of_cells_are_networks() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/elaborate/micro-cells.nas");
    let text = fs::read_to_string(path).expect("the case is there");
    let (program, _, messages) = elaborate("micro-cells.nas", &text);
    let space = program.unwrap_or_else(|| panic!("{messages}")).space;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut valid, mut labels) = (0, BTreeSet::new());
    for _ in 0..200 {
        match space::instantiate(&space, &space::sample(&space, &mut rng)) {
            Ok(graph) => {
                graph.verify().expect("an instance is well formed");
                labels.extend(graph.order().into_iter().map(|node| graph.node(node).label.clone()));
                valid += 1;
            }
            Err(error) => {
                assert_eq!(error.code, Code::WINDOW, "{error:?}");
                let places: Vec<&str> = error
                    .labels
                    .iter()
                    .map(|label| &text[label.span.start as usize..label.span.end as usize])
                    .collect();
                let is_layer = |place: &str| place.contains("conv2d") || place == "max_pool";
                let good = matches!(*places, ["max_pool" | "3", input] if is_layer(input));
                assert!(good, "{places:?}");
            }
        }
    }
    // Three pools and valid windows shrink 16 rows below 3.
    assert!((150..200).contains(&valid), "{valid} of 200");
    for label in
        ["conv2d", "blocks.2.parallel", "blocks.0.parallel.long.layers.1.conv2d", "blocks.1.pool.max_pool"]
    {
        assert!(labels.contains(label), "{label} is not among {labels:?}");
    }
    assert!(labels.contains("blocks.2.depthwise.depthwise_conv2d"), "{labels:?}");
}
