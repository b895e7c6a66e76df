//! Models of TensorFlow Lite from anyone: reading and taking over ends with a graph that verifies, or with an error.
//!
//!     cargo install cargo-fuzz
//!     cargo +nightly fuzz run --fuzz-dir tests/fuzz model target/fuzz-corpus tests/models -- -rss_limit_mb=1024
//!
//! New inputs go to the first folder, `tests/models` is what it starts from.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nasc::tflite::{Model, import};

fuzz_target!(|bytes: &[u8]| {
    let Ok(model) = Model::read(bytes) else { return };
    match import(&model) {
        Ok(imported) => imported.graph.verify().expect("what is taken over verifies"),
        Err(refusals) => assert!(!refusals.is_empty(), "a refusal has a reason"),
    }
});
