//! What a spec's data and its front end may be.

use std::path::Path;

use crate::diagnostic::Code;
use crate::elaborate::{self, Options, Program};
use crate::pipeline::prepare::Prepared;
use crate::source::SourceMap;

fn program(features: &str) -> Program {
    let text = format!(
        "nas 1
model m(input: (2, 2, 1), classes: 2) {{
  global_avg_pool
  dense(units: classes)
}}
data {{
  source: idx(train: \"x\", train_labels: \"y\", test: \"x\", test_labels: \"y\")
  split: holdout(val: 50 %)
  features: {features}
}}
train {{ optimizer: adamw(lr: 1e-3), epochs: 1, batch: 8 }}
search {{ strategy: random, trials: 1, seed: 7 }}
maximize accuracy
"
    );
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &Options::default());
    program.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// Eight pictures of two by two pixels, the second half of them white.
fn pictures(folder: &Path) {
    let header = |extents: &[u32]| {
        let extents = extents.iter().flat_map(|extent| extent.to_be_bytes());
        [0, 0, 8, extents.clone().count() as u8 / 4].into_iter().chain(extents).collect::<Vec<u8>>()
    };
    let pixels = (0..32).map(|at| if at < 16 { at } else { 255 - at });
    std::fs::write(folder.join("x"), [header(&[8, 2, 2]), pixels.collect()].concat()).expect("written");
    std::fs::write(folder.join("y"), [header(&[8]), [[0; 4], [1; 4]].concat()].concat()).expect("written");
}

#[test]
fn a_front_end_that_no_chip_can_have_is_refused_before_anything_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    pictures(folder.path());
    let load = |features: &str| Prepared::load(&program(features), folder.path(), None).map(|_| ());
    load("image(size: 2)").expect("the pictures as they are");
    let error = load("image(size: 4095)").expect_err("sums of more than 32 bits");
    assert_eq!(error.code, Code::RANGE);
    assert!(error.message.contains("4095 x 4095") && !error.help.is_empty(), "{error:?}");
}

/// Samples come class by class; what activations are calibrated on has all of them.
#[test]
fn calibration_samples_are_of_all_classes() {
    let folder = tempfile::tempdir().expect("a folder");
    pictures(folder.path());
    let data = Prepared::load(&program("image(size: 2)"), folder.path(), None).expect("readable");
    let train = &data.splits.train;
    assert_eq!(train.labels, [0, 0, 1, 1], "half of each class, class by class");
    assert_eq!(train.spread(2).labels, [0, 1]);
    assert_eq!(train.spread(99).labels, train.labels);
    assert!(train.spread(0).is_empty());
}
