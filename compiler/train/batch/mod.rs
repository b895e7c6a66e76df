//! Batches of samples: where a training gets them, and how threads make them ahead.
//!
//! In: samples, what is wanted of each, a seed. Out: one batch after the other, in the order of the epoch. What a batch holds
//! depends on the epoch and its number alone, never on the threads that made it.

mod labelled;
mod mixup;
#[cfg(test)]
pub(super) mod tests;
mod workers;

use rand_chacha::ChaCha8Rng;

pub use labelled::{Answers, LabelledBatches, Samples, smoothed_targets};
pub(super) use workers::{Supply, with_workers};

/// The samples of one step; used again for later ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Number of samples.
    pub count: usize,
    /// Their elements, one sample behind the other.
    pub inputs: Vec<f32>,
    /// What is wanted of each, one behind the other.
    pub targets: Vec<f32>,
    /// The label of each; that of the heavier sample where two are mixed. Empty where there are no classes.
    pub labels: Vec<u32>,
    /// Elements of samples while they are mixed.
    spare: Vec<f32>,
    /// Which sample each is mixed with.
    partners: Vec<usize>,
}

/// Where the batches of a training come from. Making one is pure: threads make several at once.
pub trait BatchSource: Send + Sync + std::fmt::Debug {
    /// Samples in an epoch, at least 1.
    fn samples(&self) -> usize;

    /// Batches in an epoch, at least 1.
    fn batches(&self) -> usize;

    /// Extents of one sample.
    fn input(&self) -> &[usize];

    /// Numbers that are wanted of one sample.
    fn targets(&self) -> usize;

    /// Comes before the batches of an epoch.
    fn start(&mut self, epoch: u64);

    /// Writes a batch of the epoch that was started.
    fn fill(&self, batch: usize, into: &mut Batch);

    /// A text that two sources share if and only if they give the same batches.
    fn identity(&self) -> String;
}

/// Samples that are made when they are asked for: those of a set that memory does not hold, or that are changed before
/// they become features.
pub trait Rows: Send + Sync + std::fmt::Debug {
    /// Number of samples, at least 1.
    fn count(&self) -> usize;

    /// Extents of one sample.
    fn extents(&self) -> &[usize];

    /// Writes a sample as it is.
    fn sample(&self, index: usize, into: &mut [f32]);

    /// Writes a sample as a training sees it: changed by chance. The stream is its own, for the epoch and the sample.
    fn changed(&self, index: usize, random: &mut ChaCha8Rng, into: &mut [f32]);

    /// A text that two share if and only if they give the same samples and make the same changes.
    fn identity(&self) -> String;
}

/// A random change of samples while training: shifts, noise, masks.
pub trait Augment: Send + Sync + std::fmt::Debug {
    /// Changes one sample of these extents. The stream is its own, for the epoch and the sample alone.
    fn apply(&self, sample: &mut [f32], extents: &[usize], random: &mut ChaCha8Rng);

    /// A text that two share if and only if they make the same changes.
    fn canonical(&self) -> String;
}
