//! How good a network is: all metrics of a task in one pass over samples, with intervals.
//!
//! In: for each sample what a network answers, as real numbers, and what is wanted. Out: [`Quality`]. The integer
//! network and the float network are scored by the same code. Deliberately not done here: running networks.
//!
//! Intervals hold 95 %: Wilson's for shares of right answers, Hanley and McNeil's for the area under a curve, and for
//! all else percentiles of 1,000 resamples that are drawn with a fixed seed.

mod bootstrap;
mod classes;
mod curve;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::elaborate::Metric;
use crate::pipeline::figures::metric_word;
use crate::space::Output;

pub use classes::Confusion;
pub(crate) use curve::Curve;
pub use curve::{area, hanley_mcneil};
pub(crate) use values::Errors;

/// One figure of quality.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What was measured.
    pub value: f64,
    /// Interval of 95 %; `None` where none is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci95: Option<[f64; 2]>,
}

/// All that is known of how good a network is on samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Samples.
    pub samples: usize,
    /// Figures by name: `accuracy`, `error`, `f1`, `recall` (the mean of the classes'), `auc`, `mse`, `mae`, `r2`, as far
    /// as the task has them. `auc_of_mean` is what a network would have that always gives the mean of the training
    /// part: one that does not beat it has learned nothing of use.
    pub metrics: BTreeMap<String, Figure>,
    /// Answers by class, where there are classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
}

impl Quality {
    /// One of the figures.
    pub fn figure(&self, metric: Metric) -> Option<Figure> {
        self.metrics.get(metric_word(metric)).copied()
    }

    /// Right answers, where there are classes.
    pub fn right(&self) -> Option<usize> {
        self.confusion.as_ref().map(Confusion::right)
    }

    /// The figures without their intervals.
    pub(crate) fn values(&self) -> BTreeMap<String, f64> {
        self.metrics.iter().map(|(name, figure)| (name.clone(), figure.value)).collect()
    }
}

/// Whether intervals are made: they take longer than the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intervals {
    Made,
    Omitted,
}

/// The figures that a task has, best known first: the first is what a network is judged by where the spec says nothing.
pub(crate) fn metrics_of(output: Output) -> &'static [Metric] {
    match output {
        Output::Classes(2) => &[Metric::Accuracy, Metric::Error, Metric::F1, Metric::Auc],
        Output::Classes(_) => &[Metric::Accuracy, Metric::Error, Metric::F1],
        Output::Values(_) => &[Metric::Mse],
        Output::Input => &[Metric::Auc, Metric::Mse],
    }
}

/// What one pass over samples gathers.
#[derive(Clone, Debug)]
pub(crate) enum Tally {
    /// Of a classifier.
    Classes {
        confusion: Confusion,
        /// Each sample's place in the confusion matrix.
        cells: Vec<u32>,
        /// Of two classes: how much more the second one has.
        curve: Option<Curve>,
    },
    /// Of one that gives numbers.
    Values(Errors),
    /// Of one that gives its input again; and of one that knows nothing and always gives the mean of the training part.
    Input(Curve, Curve),
}

impl Tally {
    /// Of no sample yet.
    pub(crate) fn new(output: Output) -> Tally {
        match output {
            Output::Classes(classes) => Tally::Classes {
                confusion: Confusion::new(classes),
                cells: Vec::new(),
                curve: (classes == 2).then(Curve::default),
            },
            Output::Values(values) => Tally::Values(Errors::new(values)),
            Output::Input => Tally::Input(Curve::default(), Curve::default()),
        }
    }

    /// Adds a sample of a class; the first of equal outputs is the answer.
    pub(crate) fn class(&mut self, outputs: &[f32], label: u32) {
        let Tally::Classes { confusion, cells, curve } = self else { return };
        let answer = super::network::argmax(outputs);
        cells.extend(confusion.add(label as usize, answer));
        if let (Some(curve), &[first, second]) = (curve, outputs) {
            curve.add(f64::from(second) - f64::from(first), label == 1);
        }
    }

    /// Adds a sample of which numbers are wanted, in the unit in which they are wanted.
    pub(crate) fn numbers(&mut self, outputs: impl Iterator<Item = f64>, wanted: &[f32]) {
        if let Tally::Values(errors) = self {
            errors.add(outputs, wanted);
        }
    }

    /// Adds a sample that is to be given again; the mean of the squares is its score.
    pub(crate) fn input(&mut self, outputs: &[f32], input: &[f32], is_anomaly: bool) {
        let square = |(x, y): (&f32, &f32)| (f64::from(*x) - f64::from(*y)).powi(2);
        let mean = |sum: f64| sum / input.len().max(1) as f64;
        // Inputs are standardised, so their mean is 0.
        let of_mean = mean(input.iter().map(|x| f64::from(*x).powi(2)).sum());
        self.reconstruction(mean(outputs.iter().zip(input).map(square).sum()), of_mean, is_anomaly);
    }

    /// Adds a sample by its errors: that of the network, and that of one which always gives the mean.
    pub(crate) fn reconstruction(&mut self, error: f64, of_mean: f64, is_anomaly: bool) {
        if let Tally::Input(curve, curve_of_mean) = self {
            curve.add(error, is_anomaly);
            curve_of_mean.add(of_mean, is_anomaly);
        }
    }

    /// The figures of all samples.
    pub(crate) fn quality(self, intervals: Intervals) -> Quality {
        let mut quality = Quality::default();
        match self {
            Tally::Classes { confusion, cells, curve } => {
                quality.samples = cells.len();
                quality.metrics = confusion.figures(&cells, intervals);
                if let Some(auc) = curve.and_then(|curve| curve.figure(intervals)) {
                    quality.metrics.insert("auc".to_owned(), auc);
                }
                quality.confusion = Some(confusion);
            }
            Tally::Values(errors) => {
                quality.samples = errors.samples();
                quality.metrics = errors.figures(intervals);
            }
            Tally::Input(curve, of_mean) => {
                quality.samples = curve.samples();
                quality.metrics.extend(curve.figure(intervals).map(|auc| ("auc".to_owned(), auc)));
                let of_mean = of_mean.figure(intervals).map(|auc| ("auc_of_mean".to_owned(), auc));
                quality.metrics.extend(of_mean);
                quality.metrics.extend(curve.normal_mean(intervals).map(|mse| ("mse".to_owned(), mse)));
            }
        }
        quality
    }
}
