//! Training: from a training graph, a recipe and labelled samples to weights.
//!
//! In: a [`Graph`](crate::graph::Graph) with batch normalisation present, `f32` samples `[N, ...]` and what is wanted
//! of each: a label, numbers, or the sample itself. Out: [`Weights`](crate::graph::Weights), with the running statistics among them. The same graph,
//! recipe, data and seed give the same bits on every processor and any number of threads: see [`engine`].
//! Not done here: reading and splitting data, the changes that augment it; choosing among networks; quantization.

mod batch;
mod choice;
pub mod compose;
mod divergence;
pub mod embedded;
pub mod engine;
pub mod extents;
mod footprint;
mod inherit;
mod loss;
mod network;
mod optimizer;
mod predict;
mod random;
mod recalibrate;
mod recipe;
mod state;
mod stream;
pub mod tape;
#[cfg(feature = "torch")]
pub mod torch;
mod trainer;
mod zero_cost;

pub use batch::{Answers, Augment, Batch, BatchSource, LabelledBatches, Rows, Samples, smoothed_targets};
pub use choice::EngineKind;
pub use divergence::Watch;
pub use embedded::EmbeddedEngine;
pub use footprint::footprint;
pub use inherit::inherit;
pub use loss::Loss;
pub use network::{BatchStatistics, Mode, Network, Pass};
pub use optimizer::{
    AdamW, Group, Moment, Optimizer, Parameters, Remembered, Schedule, Sgd, rate_share, role_groups,
};
pub use predict::{predict, predict_with};
pub use recalibrate::recalibrate;
pub use recipe::Recipe;
pub use state::{Progress, State};
pub use stream::initial_weights;
pub use trainer::{EpochReport, Trainer, accuracy};
pub use zero_cost::{naswot, synflow};

#[cfg(test)]
mod tests;
