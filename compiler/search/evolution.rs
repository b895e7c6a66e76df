//! Aging evolution: the newest networks are the population, and one of the better of a few of them is changed.
//!
//! Source  E. Real et al., "Regularized Evolution for Image Classifier Architecture Search", AAAI 2019; random weights
//! of several objectives as in µNAS, arXiv:2010.14246.

use rand_chacha::ChaCha8Rng;

use crate::search::archive::Entry;
use crate::search::goals::{Goal, below, members, ranges, scores};
use crate::search::strategy::{Breeder, Proposal, Strategy};

/// `strategy: aging_evolution(population: 100, tournament: 25)`.
pub struct AgingEvolution<B> {
    /// Makes candidates.
    pub breeder: B,
    /// Networks alive at a time, at least 2; so many trials are drawn at random first.
    pub population: usize,
    /// Networks drawn, with replacement, the best of which is changed; at least 1.
    pub tournament: usize,
    /// What is better.
    pub goals: Vec<Goal>,
}

impl<G, B: Breeder<G>> Strategy<G> for AgingEvolution<B> {
    fn ask(&mut self, history: &[Entry<G>], trial: usize, rng: &mut ChaCha8Rng) -> Proposal<G> {
        let mut alive = members(history, &self.goals, |entry| self.breeder.violation(entry));
        if trial < self.population || alive.is_empty() {
            return Proposal::Candidate(self.breeder.sample(rng));
        }
        let ranges = ranges(&alive, &self.goals);
        alive.truncate(self.population);
        let scores = scores(&alive, &self.goals, &ranges, rng);
        let best = (0..self.tournament.max(1))
            .map(|_| below(alive.len(), rng))
            .min_by(|&a, &b| {
                let by_violation = alive[a].violation.total_cmp(&alive[b].violation);
                by_violation.then(scores[a].total_cmp(&scores[b])).then(a.cmp(&b))
            })
            .expect("a tournament has a member");
        Proposal::Candidate(self.breeder.mutate(alive[best].entry, rng))
    }

    fn blind(&self) -> usize {
        self.population
    }
}
