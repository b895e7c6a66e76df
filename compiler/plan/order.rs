//! Orders of the steps: the one with the least peak, and quick ones.
//!
//! What a step needs depends only on the set of steps before it, so the best order is a path through sets of done
//! steps whose largest step is least (Liberis and Lane's reachable sets, searched best first). Where the search is
//! cut off, the least peak among the open sets is still a lower bound for every order.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

use super::bound::{Pressure, Steps};
use super::liveness::Analysis;

/// What [`search`] found.
pub(super) struct Found {
    /// A valid order; the best one if the search is complete.
    pub(super) order: Vec<usize>,
    /// No order has a smaller peak.
    pub(super) bound: u64,
    /// Whether the order's peak is the bound.
    pub(super) complete: bool,
}

/// A set of done steps and how it was reached.
struct State {
    done: Steps,
    n_done: usize,
    /// The state before and the step from there.
    from: Option<(usize, usize)>,
}

/// The order with the least peak, visiting at most `limit` sets.
pub(super) fn search(analysis: &Analysis<'_>, pressure: &Pressure<'_, '_>, limit: usize) -> Found {
    let n_steps = analysis.problem.steps.len();
    let ends = pressure.of_ends();
    let mut states = vec![State { done: Steps::none(n_steps), n_done: 0, from: None }];
    // Least peak first; among equals the one that is furthest, with the fewest live bytes, found first.
    let mut open = BinaryHeap::from([Reverse((ends, Reverse(0), 0u64, 0usize))]);
    let mut closed = BTreeSet::new();
    let mut furthest = 0;
    while let Some(Reverse((peak, _, _, at))) = open.pop() {
        if states[at].n_done > states[furthest].n_done {
            furthest = at;
        }
        if states[at].n_done == n_steps {
            return Found { order: path(&states, at), bound: peak, complete: true };
        }
        if closed.len() == limit {
            let order = complete(analysis, pressure, path(&states, furthest));
            return Found { order, bound: peak, complete: false };
        }
        if !closed.insert(states[at].done.clone()) {
            continue;
        }
        let done = states[at].done.clone();
        let n_done = states[at].n_done + 1;
        let live = pressure.live(&done);
        for step in ready(analysis, &done) {
            let next = done.with(step);
            if closed.contains(&next) {
                continue;
            }
            let peak = peak.max(pressure.of_step(&live, &done, step));
            let after = pressure.sum(&pressure.live(&next));
            open.push(Reverse((peak, Reverse(n_done), after, states.len())));
            states.push(State { done: next, n_done, from: Some((at, step)) });
        }
    }
    unreachable!("the given order leads to the last state")
}

/// Step by step the one that needs the least, then the one that leaves the least live.
pub(super) fn greedy(analysis: &Analysis<'_>, pressure: &Pressure<'_, '_>) -> Vec<usize> {
    complete(analysis, pressure, Vec::new())
}

/// The steps that may run next, ascending.
pub(super) fn ready<'a>(analysis: &'a Analysis<'_>, done: &'a Steps) -> impl Iterator<Item = usize> + 'a {
    let is_ready = |&step: &usize| !done.has(step) && analysis.before[step].iter().all(|&b| done.has(b));
    (0..analysis.problem.steps.len()).filter(is_ready)
}

fn path(states: &[State], mut at: usize) -> Vec<usize> {
    let mut order = Vec::new();
    while let Some((before, step)) = states[at].from {
        order.push(step);
        at = before;
    }
    order.reverse();
    order
}

fn complete(analysis: &Analysis<'_>, pressure: &Pressure<'_, '_>, mut order: Vec<usize>) -> Vec<usize> {
    let mut done = order.iter().fold(Steps::none(analysis.problem.steps.len()), |done, &s| done.with(s));
    while order.len() < analysis.problem.steps.len() {
        let live = pressure.live(&done);
        let cost = |&step: &usize| {
            (pressure.of_step(&live, &done, step), pressure.sum(&pressure.live(&done.with(step))), step)
        };
        let step = ready(analysis, &done).min_by_key(cost).expect("the given order is valid");
        order.push(step);
        done = done.with(step);
    }
    order
}
