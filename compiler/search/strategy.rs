//! The contract between a strategy and the runner.

use rand_chacha::ChaCha8Rng;

use crate::search::archive::Entry;

/// A point of the search space, as the search sees it.
pub trait Candidate: Clone + Send + Sync {
    /// Canonical text: equal for equal candidates, for archives and people.
    fn text(&self) -> String;
}

/// Makes candidates of a space; all depend on nothing but the arguments.
pub trait Breeder<G>: Send {
    /// An independent draw.
    fn sample(&self, rng: &mut ChaCha8Rng) -> G;
    /// A parent after one edit.
    fn mutate(&self, parent: &Entry<G>, rng: &mut ChaCha8Rng) -> G;
    /// A candidate of which each decision is drawn anew with this chance.
    fn redraw(&self, of: &G, chance: f64, rng: &mut ChaCha8Rng) -> G;
    /// A child of two parents.
    fn cross(&self, a: &Entry<G>, b: &Entry<G>, rng: &mut ChaCha8Rng) -> G;
    /// By how much a trained network breaks what must hold, each limit as a share of it; 0 where it does not.
    fn violation(&self, of: &Entry<G>) -> f64;
}

/// What a strategy wants to try next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposal<G> {
    /// This.
    Candidate(G),
    /// Nothing more: the strategy has enumerated all it knows.
    Done,
}

/// A way to search: pure and seeded.
///
/// The proposal for trial `i` sees exactly the results of the trials `0..=i - W`, W being the window of the
/// spec, so up to W trials can run at once and their number does not show in the result. Trials are asked for
/// in order. When a proposal is rejected before training or repeats a known network, the same trial is asked
/// for again with the same history and the random stream where it stands; a strategy that keeps state must
/// allow for that.
pub trait Strategy<G>: Send {
    /// The candidate for `trial`. `history` holds the entries that this trial may see, in their order; `rng`
    /// is the trial's own stream.
    fn ask(&mut self, history: &[Entry<G>], trial: usize, rng: &mut ChaCha8Rng) -> Proposal<G>;

    /// So many of the first trials are proposed whatever the results are, so they can be told before anything is
    /// trained.
    fn blind(&self) -> usize {
        0
    }
}
