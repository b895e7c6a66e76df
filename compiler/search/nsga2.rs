//! NSGA-II: parents by dominance and crowding, children of two of them.
//!
//! The population is the best of all that is known when a trial is asked for, so that a trial need not wait for the end
//! of a generation.
//!
//! Source  K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A Fast and Elitist Multiobjective Genetic Algorithm:
//! NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002: sorting in section III, constraints in VI.

use rand_chacha::ChaCha8Rng;

use crate::search::archive::Entry;
use crate::search::goals::{Goal, Member, below, members, unit};
use crate::search::strategy::{Breeder, Proposal, Strategy};

/// `strategy: nsga2(population: 100, mutation: 10 %, crossover: 50 %)`.
pub struct Nsga2<B> {
    /// Makes candidates.
    pub breeder: B,
    /// Networks that may be parents, at least 2; so many trials are drawn at random first.
    pub population: usize,
    /// Chance that a decision of a child is drawn anew.
    pub mutation: f64,
    /// Share of children that have two parents.
    pub crossover: f64,
    /// What is better.
    pub goals: Vec<Goal>,
}

impl<G, B: Breeder<G>> Strategy<G> for Nsga2<B> {
    fn ask(&mut self, history: &[Entry<G>], trial: usize, rng: &mut ChaCha8Rng) -> Proposal<G> {
        let all = members(history, &self.goals, |entry| self.breeder.violation(entry));
        if trial < self.population || all.is_empty() {
            return Proposal::Candidate(self.breeder.sample(rng));
        }
        // Best first, so that a parent is the lesser of two places.
        let order = best(&all, self.population);
        let mut parent = || {
            let (a, b) = (below(order.len(), rng), below(order.len(), rng));
            all[order[a.min(b)]].entry
        };
        let (first, second) = (parent(), parent());
        let child = if unit(rng) < self.crossover {
            self.breeder.cross(first, second, rng)
        } else {
            self.breeder.mutate(first, rng)
        };
        Proposal::Candidate(self.breeder.redraw(&child, self.mutation, rng))
    }

    fn blind(&self) -> usize {
        self.population
    }
}

/// The best `most` members, best first: by front, and within one by how far their neighbours are.
pub(super) fn best<G>(members: &[Member<'_, G>], most: usize) -> Vec<usize> {
    let mut order = Vec::new();
    let mut left: Vec<usize> = (0..members.len()).collect();
    while !left.is_empty() && order.len() < most {
        let is_first = |&at: &usize| !left.iter().any(|&other| dominates(&members[other], &members[at]));
        let (front, rest): (Vec<usize>, Vec<usize>) = left.iter().partition(|at| is_first(at));
        left = rest;
        let distances = crowding(members, &front);
        let mut front: Vec<(usize, f64)> = front.into_iter().zip(distances).collect();
        front.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        order.extend(front.into_iter().map(|(at, _)| at));
    }
    order.truncate(most);
    order
}

/// Whether one is better than another: what breaks less comes first, then what is nowhere worse and somewhere better.
fn dominates<G>(a: &Member<'_, G>, b: &Member<'_, G>) -> bool {
    if a.violation != b.violation {
        return a.violation < b.violation;
    }
    let pairs = || a.losses.iter().zip(&b.losses);
    pairs().all(|(a, b)| a <= b) && pairs().any(|(a, b)| a < b)
}

/// The sum over goals of the distance between a member's neighbours; infinite at the ends.
fn crowding<G>(members: &[Member<'_, G>], front: &[usize]) -> Vec<f64> {
    let mut distances = vec![0.0; front.len()];
    let n_goals = front.first().map_or(0, |&at| members[at].losses.len());
    for goal in 0..n_goals {
        let loss = |place: usize| members[front[place]].losses[goal];
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|&a, &b| loss(a).total_cmp(&loss(b)).then(a.cmp(&b)));
        let range = loss(order[order.len() - 1]) - loss(order[0]);
        for (at, &place) in order.iter().enumerate() {
            let neighbours = at.checked_sub(1).zip(order.get(at + 1));
            distances[place] += match neighbours {
                Some((before, &after)) if range > 0.0 => (loss(after) - loss(order[before])) / range,
                Some(_) => 0.0,
                None => f64::INFINITY,
            };
        }
    }
    distances
}
