//! Random search: every trial is an independent sample.
//!
//! Source  J. Bergstra, Y. Bengio, "Random Search for Hyper-Parameter Optimization", JMLR 13, 2012.

use rand_chacha::ChaCha8Rng;

use crate::search::archive::Entry;
use crate::search::strategy::{Proposal, Strategy};

/// Draws candidates from a space.
pub trait Sampler<G>: Send {
    /// One candidate; depends on nothing but the space and `rng`.
    fn sample(&self, rng: &mut ChaCha8Rng) -> G;
}

impl<G, F: Fn(&mut ChaCha8Rng) -> G + Send> Sampler<G> for F {
    fn sample(&self, rng: &mut ChaCha8Rng) -> G {
        self(rng)
    }
}

/// `strategy: random`.
pub struct Random<S>(pub S);

impl<G, S: Sampler<G>> Strategy<G> for Random<S> {
    fn ask(&mut self, _: &[Entry<G>], _: usize, rng: &mut ChaCha8Rng) -> Proposal<G> {
        Proposal::Candidate(self.0.sample(rng))
    }

    fn blind(&self) -> usize {
        usize::MAX
    }
}
