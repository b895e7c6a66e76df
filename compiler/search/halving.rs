//! Successive halving: which of the networks that were trained for a while go on.
//!
//! Source  K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization",
//! arXiv:1502.07943, with the order of NSGA-II beside that of the first objective where there are several.

use crate::search::archive::{Entry, Objective};
use crate::search::goals::{Goal, members};
use crate::search::nsga2::best;

/// The places in `entries` of the better `count` of them, best first. They are taken in turn from two orders, so that
/// neither the pick nor the front is lost: that of the objectives one after the other, by which networks are picked,
/// and that of dominance and crowding. Who breaks less of what must hold comes first in both; diverged trainings do not
/// go on.
pub fn better<G>(
    entries: &[Entry<G>],
    objectives: &[Objective],
    violation: impl Fn(&Entry<G>) -> f64,
    count: usize,
) -> Vec<usize> {
    let goals: Vec<Goal> = objectives.iter().cloned().map(Goal::of).collect();
    let members = members(entries, &goals, violation);
    // Members are newest first; of equal ones the first trial goes on.
    let mut by_objectives: Vec<usize> = (0..members.len()).rev().collect();
    by_objectives.sort_by(|&a, &b| {
        let (a, b) = (&members[a], &members[b]);
        let losses = || a.losses.iter().zip(&b.losses).map(|(a, b)| a.total_cmp(b));
        a.violation
            .total_cmp(&b.violation)
            .then(losses().find(|order| order.is_ne()).unwrap_or(a.entry.trial.cmp(&b.entry.trial)))
    });
    let by_dominance = best(&members, members.len());
    let mut orders = [by_objectives.into_iter(), by_dominance.into_iter()];
    let mut taken = vec![false; members.len()];
    let mut chosen = Vec::new();
    for turn in 0.. {
        if chosen.len() >= count.min(members.len()) {
            break;
        }
        if let Some(next) = orders[turn % 2].find(|&member| !taken[member]) {
            taken[next] = true;
            chosen.push(next);
        }
    }
    let place = |member: usize| entries.iter().position(|entry| entry.trial == members[member].entry.trial);
    chosen.into_iter().filter_map(place).collect()
}
