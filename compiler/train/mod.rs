//! Training: from a training graph, a recipe and labelled samples to weights.
//!
//! In: a [`Graph`](crate::graph::Graph) with batch normalisation present, `f32` samples `[N, ...]` and a label
//! for each. Out: [`Weights`](crate::graph::Weights), with the running statistics among them. The same graph,
//! recipe, data and seed give the same bits on every processor and any number of threads: see [`engine`].
//! Not done here: reading, splitting and augmenting data; choosing among networks; quantization.

pub mod compose;
pub mod embedded;
pub mod engine;
pub mod extents;
mod network;
mod optimizer;
mod recalibrate;
mod stream;
pub mod tape;
mod trainer;

pub use embedded::EmbeddedEngine;
pub use network::{BatchStatistics, Mode, Network, predict, predict_with};
pub use optimizer::{AdamW, Moments, schedule};
pub use recalibrate::recalibrate;
pub use stream::initial_weights;
pub use trainer::{EpochReport, Recipe, State, Trainer, accuracy, smoothed_targets};

#[cfg(test)]
mod tests;
