//! Search: which candidates to train, in what order, and how nothing of it is lost.
//!
//! In: a [`Strategy`], a [`Problem`] (how to screen and to train a candidate), a [`Store`] and [`Settings`].
//! Out: a [`Report`] with the [`Archive`] of finished trials. The result depends on the strategy, the problem
//! and the seed; never on the number of threads, on interruptions or on what the store already had. The
//! search is generic over its candidates ([`Candidate`]: cloneable, with a canonical text), so it knows
//! nothing of spaces. Deliberately not done here: training, costs, feasibility; they come in as callbacks.
//! Only [`store`] does I/O.

mod archive;
mod evolution;
mod goals;
mod halving;
mod hypervolume;
mod key;
mod nsga2;
mod outcome;
mod problem;
mod racing;
mod random;
mod runner;
pub mod store;
mod strategy;
#[cfg(test)]
mod tests;

pub use archive::{Archive, Entry, Objective, Sense};
pub use evolution::AgingEvolution;
pub use goals::{Goal, LossScale};
pub use halving::better;
pub use hypervolume::hypervolume;
pub use key::{TrialKey, TrialParts};
pub use nsga2::Nsga2;
pub use outcome::{Metrics, Outcome, Record, Status};
pub use problem::{Observer, Problem, Screen, Ticket, TrialError};
pub use racing::{Racer, mean_interval, rank_correlation, survivors};
pub use random::{Random, Sampler};
pub(crate) use runner::stream;
pub use runner::{End, Report, Run, Settings, capped_jobs, run};
pub use store::{Claim, Clock, Lease, MemoryStore, SqliteStore, Store, Told, told};
pub use strategy::{Breeder, Candidate, Proposal, Strategy};
