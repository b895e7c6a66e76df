//! What a spec's data and its front end may be.

use std::path::Path;

use crate::diagnostic::Code;
use crate::elaborate::{self, Options, Program};
use crate::pipeline::prepare::Prepared;
use crate::source::SourceMap;

fn program(features: &str) -> Program {
    program_of(
        "2, 2, 1",
        &format!(
            "source: idx(train: \"x\", train_labels: \"y\", test: \"x\", test_labels: \"y\")
  split: holdout(val: 50 %)
  features: {features}"
        ),
    )
}

fn program_of(input: &str, data: &str) -> Program {
    let text = format!(
        "nas 1
model m(input: ({input}), classes: 2) {{
  global_avg_pool
  dense(units: classes)
}}
data {{
  {data}
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

/// A WAV file of 16 bits, one channel and 8,000 samples a second.
fn wav(samples: &[i16]) -> Vec<u8> {
    let size = |bytes: usize| (bytes as u32).to_le_bytes();
    let format = [&size(16)[..], &[1, 0, 1, 0], &size(8000), &size(16_000), &[2, 0, 16, 0]].concat();
    let sound: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let head = [&b"RIFF"[..], &size(36 + sound.len()), b"WAVE", b"fmt "].concat();
    [&head[..], &format, b"data", &size(sound.len()), &sound].concat()
}

/// Noise that training mixes in is data too: a lock that was made with other noise is stale.
#[test]
fn the_hash_of_data_follows_the_noise_that_is_mixed_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, samples: &[i16]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("in a folder")).expect("made");
        std::fs::write(path, wav(samples)).expect("written");
    };
    for (class, name) in (0..2).flat_map(|class| (0..6).map(move |name| (class, name))) {
        put(&format!("words/{class}/{class}{name}.wav"), &[class * 100 + name; 8000]);
    }
    put("noise/hum.wav", &[1, -1, 2]);
    let hash = |augment: &str| {
        let data = format!(
            "source: audio_folder(\"words\", rate: 8 kHz)
  split: by(file, train: 60 %, val: 20 %, test: 20 %)
  features: log_mel(frame: 32 ms, hop: 32 ms, filters: 20)
  augment: [{augment}]"
        );
        let data = Prepared::load(&program_of("31, 20, 1", &data), folder.path(), None).expect("readable");
        (data.hash, data.loaded.hash)
    };
    let mixed = "noise(10 %, from: \"noise\")";
    let (plain, with) = (hash("noise(10 %)"), hash(mixed));
    assert_eq!(plain.0, plain.1);
    assert_eq!(with, hash(mixed));
    assert_ne!(with.0, plain.0);
    put("noise/hum.wav", &[1, -1, 3]);
    assert_ne!(with.0, hash(mixed).0);
    assert_eq!(hash("noise(10 %, from: \"gone\")").0, plain.0, "who needs it says that it is missing");
}
