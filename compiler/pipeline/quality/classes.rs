//! Figures of classifiers: which classes are taken for which.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Figure, Intervals, bootstrap};
use crate::report::wilson;

/// Samples by their class, rows, and by the answer, columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Confusion(pub Vec<Vec<usize>>);

impl Confusion {
    /// Of no samples yet.
    pub(super) fn new(classes: usize) -> Confusion {
        Confusion(vec![vec![0; classes]; classes])
    }

    /// Adds a sample, and says at which place of the matrix; `None` for a class that is none.
    pub(super) fn add(&mut self, class: usize, answer: usize) -> Option<u32> {
        let classes = self.0.len();
        let cell = self.0.get_mut(class)?.get_mut(answer)?;
        *cell += 1;
        u32::try_from(class * classes + answer).ok()
    }

    /// Samples of a class.
    pub fn of_class(&self, class: usize) -> usize {
        self.0.get(class).map_or(0, |row| row.iter().sum())
    }

    /// Samples whose answer is a class.
    fn answered(&self, class: usize) -> usize {
        self.0.iter().filter_map(|row| row.get(class)).sum()
    }

    /// Right answers for a class.
    fn right_of(&self, class: usize) -> usize {
        self.0.get(class).and_then(|row| row.get(class)).copied().unwrap_or(0)
    }

    /// Right answers.
    pub fn right(&self) -> usize {
        (0..self.0.len()).map(|class| self.right_of(class)).sum()
    }

    /// Samples.
    pub fn samples(&self) -> usize {
        (0..self.0.len()).map(|class| self.of_class(class)).sum()
    }

    /// Share of a class that is found; `None` of a class without samples.
    pub fn recall(&self, class: usize) -> Option<f64> {
        let samples = self.of_class(class);
        (samples > 0).then(|| self.right_of(class) as f64 / samples as f64)
    }

    /// Mean of the recalls of the classes that have samples.
    pub fn mean_recall(&self) -> f64 {
        mean((0..self.0.len()).filter_map(|class| self.recall(class)))
    }

    /// Mean over the classes of the harmonic mean of precision and recall, `2 right / (samples + answers)`; classes that
    /// neither occur nor are answered do not count.
    pub fn f1(&self) -> f64 {
        let of_class = |class: usize| {
            let both = self.of_class(class) + self.answered(class);
            (both > 0).then(|| 2.0 * self.right_of(class) as f64 / both as f64)
        };
        mean((0..self.0.len()).filter_map(of_class))
    }

    /// The classes with the lowest recall, lowest first; those of which all samples are found are not among them.
    pub fn weakest(&self, count: usize) -> Vec<(usize, f64)> {
        let recalls = (0..self.0.len()).filter_map(|class| Some((class, self.recall(class)?)));
        let mut found: Vec<(usize, f64)> = recalls.filter(|&(_, recall)| recall < 1.0).collect();
        found.sort_by(|a, b| a.1.total_cmp(&b.1));
        found.truncate(count);
        found
    }

    /// `cells` are the samples' places in the matrix.
    pub(super) fn figures(&self, cells: &[u32], intervals: Intervals) -> BTreeMap<String, Figure> {
        let (right, samples, classes) = (self.right(), self.samples(), self.0.len());
        let accuracy = right as f64 / samples.max(1) as f64;
        let made = intervals == Intervals::Made;
        let share = made.then(|| wilson(right, samples));
        let resampled = |of: fn(&Confusion) -> f64| {
            let mut drawn = Confusion::new(classes);
            let figure = |places: &[u32]| {
                drawn.0.iter_mut().for_each(|row| row.fill(0));
                for &place in places {
                    let cell = cells[place as usize] as usize;
                    drawn.0[cell / classes][cell % classes] += 1;
                }
                of(&drawn)
            };
            if made { bootstrap::interval(cells.len(), figure) } else { None }
        };
        let figure = |value: f64, ci95: Option<[f64; 2]>| Figure { value, ci95 };
        [
            ("accuracy", figure(accuracy, share)),
            ("error", figure(1.0 - accuracy, share.map(|[low, high]| [1.0 - high, 1.0 - low]))),
            ("f1", figure(self.f1(), resampled(Confusion::f1))),
            ("recall", figure(self.mean_recall(), resampled(Confusion::mean_recall))),
        ]
        .map(|(name, figure)| (name.to_owned(), figure))
        .into()
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), x| (sum + x, count + 1));
    sum / count.max(1) as f64
}
