//! How far features in integers are from those of doubles.

use std::path::Path;

use nasc::data::{Audio, FrontEnd};
use rayon::prelude::*;

use crate::reference;
use crate::sound::{WORDS, name, spread};

/// Greatest error of a recording's energies, as a share.
const BAR: f64 = 0.005;

/// Errors of a recording.
struct Errors {
    /// Of its energies, all together, as a share; `None` for silence.
    energies: Option<f64>,
    /// Of each feature, in octaves.
    features: Vec<f64>,
}

/// A part of sorted numbers.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted.get(((sorted.len() as f64 - 1.0) * share) as usize).copied().unwrap_or(f64::NAN)
}

fn errors(audio: &Audio, recording: &[f32]) -> Errors {
    let spec = audio.spec();
    let samples: Vec<i16> = recording.iter().map(|&sample| sample as i16).collect();
    let energies = reference::energies(spec, &samples);
    let exact = reference::features(spec, &energies);
    let mut found = vec![0.0; exact.len()];
    FrontEnd::Audio(audio.clone()).features(recording, &mut found);
    let one = f64::from(1 << audio.fraction_bits());
    let found: Vec<f64> = found.iter().map(|&feature| f64::from(feature) / one).collect();
    // As the features tell them, so with the rounding to a step of a feature.
    let floor = 2f64.powi(28) / spec.frame.next_power_of_two() as f64;
    let told = |feature: &f64| floor * (feature.exp2() - 1.0);
    let difference: f64 = energies.iter().zip(&found).map(|(a, b)| (a - told(b)).abs()).sum();
    let total: f64 = energies.iter().sum();
    let of_energies = spec.coefficients.is_none() && total > floor;
    Errors {
        energies: of_energies.then(|| difference / total),
        features: exact.iter().zip(&found).map(|(a, b)| (a - b).abs()).collect(),
    }
}

/// Whether the energies of all recordings are within the bar.
pub(crate) fn run(root: &Path, count: usize) -> Result<bool, String> {
    let recordings = spread(WORDS.load(root, None)?.raw(), count);
    let mut reached = true;
    println!(
        "\n{:12} {:>10} {:28} {:>9} {:>9} {:>9}",
        "features", "recordings", "error", "median", "99 %", "greatest"
    );
    for coefficients in [None, Some(10)] {
        let audio = Audio::new(WORDS.spec(coefficients))?;
        let found: Vec<Errors> = recordings.par_iter().map(|recording| errors(&audio, recording)).collect();
        let line = |what: &str, mut all: Vec<f64>, scale: f64| {
            all.sort_by(f64::total_cmp);
            let [middle, most, worst] = [0.5, 0.99, 1.0].map(|share| scale * quantile(&all, share));
            println!(
                "{:12} {:>10} {what:28} {middle:>9.4} {most:>9.4} {worst:>9.4}",
                name(coefficients),
                recordings.len()
            );
            worst / scale
        };
        if coefficients.is_none() {
            let energies = found.iter().filter_map(|errors| errors.energies).collect();
            reached &= line("energies of a recording, %", energies, 100.0) <= BAR;
        }
        let features: Vec<f64> = found.iter().flat_map(|errors| errors.features.iter().copied()).collect();
        let mean = (features.iter().map(|x| x * x).sum::<f64>() / features.len() as f64).sqrt();
        line("features, octaves", features, 1.0);
        println!(
            "{:12} {:>10} {:28} {mean:>9.4}",
            name(coefficients),
            recordings.len(),
            "root of the mean square"
        );
    }
    println!("bar {} % for energies: {}", 100.0 * BAR, if reached { "reached" } else { "MISSED" });
    Ok(reached)
}
