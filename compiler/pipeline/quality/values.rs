//! Figures of networks that give numbers.

use std::collections::BTreeMap;

use super::curve::mean_figure;
use super::{Figure, Intervals};

/// What numbers differ from those that are wanted, in their own unit.
#[derive(Clone, Debug)]
pub(crate) struct Errors {
    /// For each sample the mean of the squares over its numbers.
    squares: Vec<f64>,
    /// For each sample the mean of the sizes over its numbers.
    sizes: Vec<f64>,
    /// For each number the sum of the squares of its errors.
    sums: Vec<f64>,
    /// For each number mean and sum of the squared distances from it of what is wanted.
    wanted: Vec<(f64, f64)>,
}

impl Errors {
    /// Of no samples of so many numbers yet.
    pub(super) fn new(numbers: usize) -> Errors {
        Errors {
            squares: Vec::new(),
            sizes: Vec::new(),
            sums: vec![0.0; numbers],
            wanted: vec![(0.0, 0.0); numbers],
        }
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, outputs: impl Iterator<Item = f64>, wanted: &[f32]) {
        let count = (self.squares.len() + 1) as f64;
        let (mut square, mut size) = (0.0, 0.0);
        let columns = self.sums.iter_mut().zip(&mut self.wanted);
        for ((output, &wanted), (sum, (mean, spread))) in outputs.zip(wanted).zip(columns) {
            let wanted = f64::from(wanted);
            let error = output - wanted;
            square += error * error;
            size += error.abs();
            *sum += error * error;
            // Source  Welford, Technometrics 4 (1962): sums of squares that lose no digits to a great mean
            let distance = wanted - *mean;
            *mean += distance / count;
            *spread += distance * (wanted - *mean);
        }
        let numbers = wanted.len().max(1) as f64;
        self.squares.push(square / numbers);
        self.sizes.push(size / numbers);
    }

    /// Samples.
    pub(super) fn samples(&self) -> usize {
        self.squares.len()
    }

    /// `mse`, `mae`, and `r2`: the share of the spread of what is wanted that is explained, as mean over the numbers that
    /// have one.
    pub(super) fn figures(&self, intervals: Intervals) -> BTreeMap<String, Figure> {
        let mut figures = BTreeMap::new();
        for (name, values) in [("mse", &self.squares), ("mae", &self.sizes)] {
            figures.extend(mean_figure(values, intervals).map(|figure| (name.to_owned(), figure)));
        }
        let explained: Vec<f64> = self
            .sums
            .iter()
            .zip(&self.wanted)
            .filter(|(_, (_, spread))| *spread > 0.0)
            .map(|(sum, (_, spread))| 1.0 - sum / spread)
            .collect();
        if !explained.is_empty() {
            let value = explained.iter().sum::<f64>() / explained.len() as f64;
            figures.insert("r2".to_owned(), Figure { value, ci95: None });
        }
        figures
    }
}
