//! Networks that are trained on features in integers and on those of doubles, in pairs of the same seed.

use std::path::Path;

use nasc::data::{Audio, Dataset, FrontEnd, Loaded, Standardization};
use nasc::tensor::Value;
use nasc::train::{AdamW, Recipe, Trainer, accuracy, predict};
use rayon::prelude::*;

use crate::networks;
use crate::reference;
use crate::sound::{DIGITS, text};

const COEFFICIENTS: usize = 10;
/// Of Student's distribution, both sides together 5 %, for 1 to 20 degrees of freedom.
const STUDENT: [f64; 20] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086,
];

/// Standardised features with their labels: to learn from, and to score.
struct Data {
    train: (Value, Vec<u32>),
    test: (Value, Vec<u32>),
}

impl Data {
    /// Both parts that learn, as one.
    fn new(parts: [Dataset; 3], bands: usize) -> Data {
        let [train, val, test] = parts;
        let mut samples = Vec::new();
        let mut labels = Vec::new();
        for part in [&train, &val] {
            part.for_each(|_, sample| samples.extend_from_slice(sample));
            labels.extend_from_slice(&part.labels);
        }
        let [h, w, c] = train.sample_shape();
        let values = Value::from_f32(&[labels.len(), h, w, c].into(), samples).expect("whole samples");
        let train = Dataset::from_values(&values, labels, train.classes);
        let standardization = Standardization::measure(&train, bands);
        let inputs = |part: &Dataset| (standardization.inputs(part), part.labels.clone());
        Data { train: inputs(&train), test: inputs(&test) }
    }
}

/// The features of doubles, of all recordings of a part.
fn exact(audio: &Audio, recordings: &Dataset) -> Dataset {
    let mut samples = Vec::new();
    recordings.for_each(|_, sample| samples.push(sample.iter().map(|&x| x as i16).collect::<Vec<i16>>()));
    let features: Vec<Vec<f32>> = samples
        .par_iter()
        .map(|samples| {
            let energies = reference::energies(audio.spec(), samples);
            reference::features(audio.spec(), &energies).into_iter().map(|x| x as f32).collect()
        })
        .collect();
    let [h, w, c] = audio.extents();
    let values = Value::from_f32(&[samples.len(), h, w, c].into(), features.concat()).expect("whole samples");
    Dataset::from_values(&values, recordings.labels.clone(), recordings.classes.clone())
}

fn both(loaded: &Loaded) -> Result<[Data; 2], String> {
    let audio = Audio::new(DIGITS.spec(Some(COEFFICIENTS)))?;
    let front_end = FrontEnd::Audio(audio.clone());
    let integers = crate::sound::all(loaded.features(&front_end, None).map_err(text)?);
    let doubles = crate::sound::all(loaded.raw()).map(|part| exact(&audio, &part));
    Ok([integers, doubles].map(|parts| Data::new(parts, COEFFICIENTS)))
}

/// The share of the test part that a network gets right that learned from this seed on.
fn trained(data: &Data, seed: u64, epochs: u64) -> Result<f64, String> {
    let graph = networks::named("digits").ok_or("no network `digits`")?.graph;
    let optimizer = AdamW { lr: 4e-3, weight_decay: 0.02, ..AdamW::default() }.into();
    let recipe = Recipe { epochs, batch: 32, optimizer, ..Recipe::default() };
    let mut trainer = Trainer::new(&graph, recipe, &data.train.0, &data.train.1[..], seed).map_err(text)?;
    while !trainer.finished() {
        trainer.epoch().map_err(text)?;
    }
    let outputs = predict(&graph, &trainer.weights(), &data.test.0).map_err(text)?;
    accuracy(&outputs, &data.test.1).map_err(text)
}

/// Prints a pair for each seed, and the mean difference with its interval of 95 %.
pub(crate) fn run(root: &Path, seeds: usize, epochs: u64) -> Result<(), String> {
    let loaded = DIGITS.load(root, None)?;
    let [integers, doubles] = both(&loaded)?;
    println!(
        "\n{} recordings of digits to learn from, {} to score, mfcc {COEFFICIENTS}, {epochs} epochs\n\
         {:>4} {:>9} {:>9} {:>11}",
        integers.train.1.len(),
        integers.test.1.len(),
        "seed",
        "integers",
        "doubles",
        "difference"
    );
    let mut differences = Vec::new();
    for seed in 1..=seeds as u64 {
        let found = [100.0 * trained(&integers, seed, epochs)?, 100.0 * trained(&doubles, seed, epochs)?];
        println!("{seed:>4} {:>7.2} % {:>7.2} % {:>+11.2}", found[0], found[1], found[0] - found[1]);
        differences.push(found[0] - found[1]);
    }
    let count = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / count;
    print!("mean difference {mean:+.3} points");
    if let Some(student) = differences.len().checked_sub(2).and_then(|at| STUDENT.get(at)) {
        let variance = differences.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (count - 1.0);
        let half = student * (variance / count).sqrt();
        print!(", 95 %: {:+.3} to {:+.3}", mean - half, mean + half);
    }
    println!();
    Ok(())
}
