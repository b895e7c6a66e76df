//! A hundred epochs of real data on every path and several numbers of threads: whether all give the same weights.

use std::path::Path;
use std::time::Instant;

use nasc::data::{self, Cut, Source, Split, Standardization, Ts};
use nasc::tensor::Value;
use nasc::train::{AdamW, Recipe, Trainer, accuracy, predict};
use sha2::{Digest, Sha256};

use crate::measure::pool;
use crate::networks;
use crate::paths;

const EPOCHS: u64 = 100;
const THREADS: [usize; 3] = [1, 2, 4];

/// Trains on the data that `examples/vowels/fetch.sh` gets, in this folder. Whether all weights are the same bits.
pub(crate) fn run(folder: &str) -> Result<bool, String> {
    let [train, test] = ["TRAIN", "TEST"].map(|part| format!("JapaneseVowels_eq_{part}.ts"));
    let source = Source::Ts(Ts { train, test });
    let cut = Cut { split: Split::Holdout(0.2), seed: 7 };
    let splits =
        data::load(&source, &cut, Path::new(folder), None).map_err(|diagnostic| diagnostic.message)?.raw();
    let standardization = Standardization::measure(&splits.train, splits.train.sample_shape()[2]);
    let [train, test] = [&splits.train, &splits.test].map(|part| {
        let inputs = standardization.inputs(part);
        (inputs, part)
    });
    let workload = networks::named("vowels").expect("a known network");
    let optimizer = AdamW { lr: 5e-3, weight_decay: 0.05, ..AdamW::default() }.into();
    let recipe = Recipe { epochs: EPOCHS, batch: 30, optimizer, warmup: 0.05, ..Recipe::default() };
    println!(
        "{} samples, {EPOCHS} epochs\n{:10} {:>7} {:>8} {:>9}  weights",
        train.1.len(),
        "path",
        "threads",
        "seconds",
        "test"
    );
    let mut hashes = Vec::new();
    for (path, engine) in paths::paths() {
        for threads in THREADS {
            let start = Instant::now();
            let weights = pool(threads).install(|| {
                let data = (&train.0, &train.1.labels[..]);
                let mut trainer = Trainer::with_engine(engine.clone(), &workload.graph, recipe, data, 7)
                    .expect("the data fits the network");
                while !trainer.finished() {
                    trainer.epoch().expect("training stays finite");
                }
                trainer.weights()
            });
            let seconds = start.elapsed().as_secs_f64();
            let outputs = predict(&workload.graph, &weights, &test.0).expect("the data fits the network");
            let right = 100.0 * accuracy(&outputs, &test.1.labels).expect("a label for each");
            let bytes: Vec<u8> = weights.values().flat_map(Value::to_le_bytes).collect();
            let hash: String =
                Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            println!("{path:10} {threads:>7} {seconds:>8.2} {right:>7.2} %  {hash}");
            hashes.push(hash);
        }
    }
    let are_equal = hashes.windows(2).all(|pair| pair[0] == pair[1]);
    println!("{}", if are_equal { "all are the same bits" } else { "THE BITS DIFFER" });
    Ok(are_equal)
}
