//! The same weights on every processor: x86-64 and aarch64, each instruction path, any number of threads.

#[path = "benches/train/networks.rs"]
mod networks;
#[path = "benches/train/paths.rs"]
mod paths;

use nasc::tensor::Value;
use nasc::train::{EmbeddedEngine, Recipe, Trainer};
use networks::Workload;
use sha2::{Digest, Sha256};

/// SHA-256 of the weights after [`EPOCHS`]. It changes when an order of summation does, and then with
/// `engine::NUMERICS_VERSION`: the failing test prints the new one, which has to be the same on every path here and
/// under `make test-arm64`.
const WEIGHTS: &str = "bab63d40bb55aa3a9e8798ca714dce858d31ea02a984b4e6a5813dc69222f8f3";

const EPOCHS: u64 = 3;
const SAMPLES: usize = 50;

/// Trains every kind of layer and gives the hash of all weights in the order of their names.
fn trained(engine: EmbeddedEngine, workload: &Workload) -> String {
    let (inputs, labels) = workload.data(SAMPLES);
    let recipe = Recipe { epochs: EPOCHS, batch: 16, ..Recipe::default() };
    let mut trainer = Trainer::with_engine(engine, &workload.graph, recipe, (&inputs, &labels), 1)
        .expect("the data fits the network");
    while !trainer.finished() {
        trainer.epoch().expect("training stays finite");
    }
    let bytes: Vec<u8> = trainer.weights().values().flat_map(Value::to_le_bytes).collect();
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn weights_are_the_same_bits_on_every_processor() {
    let workload = networks::named("tiny").expect("a known network");
    for (path, engine) in paths::paths() {
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
            let found = pool.install(|| trained(engine.clone(), &workload));
            assert_eq!(
                found,
                WEIGHTS,
                "{}: {} {path}, {threads} threads",
                workload.name,
                std::env::consts::ARCH
            );
        }
    }
}
