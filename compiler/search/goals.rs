//! What a strategy makes better, as losses: smaller is better.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::search::archive::{Entry, Objective};
use crate::search::outcome::Status;

/// A figure, and what it is compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// Which figure, and which way it is better.
    pub objective: Objective,
    /// How losses become comparable. Without it a loss counts by its place between the least and the greatest of the
    /// networks at hand.
    pub scale: Option<LossScale>,
    /// How much it counts beside the others, greater than 0.
    pub weight: f64,
}

/// What a soft limit makes of a loss: a multiple of the limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossScale {
    /// The loss that counts as 0: that of no cost, or of an accuracy of 1.
    pub origin: f64,
    /// How far above it is the limit, greater than 0.
    pub unit: f64,
}

impl Goal {
    /// An objective without a limit.
    pub fn of(objective: Objective) -> Goal {
        Goal { objective, scale: None, weight: 1.0 }
    }
}

/// A trained network as strategies see it.
pub(super) struct Member<'e, G> {
    /// Its trial.
    pub(super) entry: &'e Entry<G>,
    /// For each goal, smaller is better.
    pub(super) losses: Vec<f64>,
    /// By how much it breaks what must hold; 0 where it does not.
    pub(super) violation: f64,
}

/// The trained networks that have all figures, newest first.
pub(super) fn members<'e, G>(
    history: &'e [Entry<G>],
    goals: &[Goal],
    violation: impl Fn(&Entry<G>) -> f64,
) -> Vec<Member<'e, G>> {
    let member = |entry: &'e Entry<G>| {
        let losses: Vec<f64> =
            goals.iter().map(|goal| goal.objective.loss(&entry.metrics)).collect::<Option<_>>()?;
        (entry.status == Status::Trained).then(|| Member { entry, losses, violation: violation(entry) })
    };
    history.iter().rev().filter_map(member).collect()
}

/// A figure counts as at most so many times its limit.
const MOST: f64 = 10.0;

/// The least and the greatest loss of each goal.
pub(super) fn ranges<G>(members: &[Member<'_, G>], goals: &[Goal]) -> Vec<(f64, f64)> {
    let range = |goal: usize| {
        let losses = members.iter().map(|member| member.losses[goal]);
        losses.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), loss| (low.min(loss), high.max(loss)))
    };
    (0..goals.len()).map(range).collect()
}

/// One score for each member, smaller is better: the greatest of the weighted losses, by weights drawn anew from all
/// that sum to 1, so that over many draws all parts of a front are asked for. `ranges` are of all that is known, not of
/// the members alone, so that a population that has drifted to one end is led back.
///
/// Source  random scalarisation: B. Paria, K. Kandasamy, B. Póczos, arXiv:1805.12168. µNAS (arXiv:2010.14246) divides
/// by weights from 0 to 1 instead, which leaves one goal to decide more often and covers fronts less.
pub(super) fn scores<G>(
    members: &[Member<'_, G>],
    goals: &[Goal],
    ranges: &[(f64, f64)],
    rng: &mut ChaCha8Rng,
) -> Vec<f64> {
    let drawn: Vec<f64> = goals.iter().map(|goal| -goal.weight * (1.0 - unit(rng)).ln()).collect();
    let sum: f64 = drawn.iter().sum();
    let part = |goal: usize, loss: f64| -> f64 {
        let (low, high) = ranges[goal];
        let share = match goals[goal].scale {
            Some(LossScale { origin, unit }) => ((loss - origin) / unit).min(MOST),
            None if high > low => (loss - low) / (high - low),
            None => 0.0,
        };
        share * drawn[goal] / sum.max(f64::MIN_POSITIVE)
    };
    let score = |member: &Member<'_, G>| {
        let parts = member.losses.iter().enumerate().map(|(goal, &loss)| part(goal, loss));
        parts.fold(f64::NEG_INFINITY, f64::max)
    };
    members.iter().map(score).collect()
}

/// A number of `0..1`.
pub(super) fn unit(rng: &mut ChaCha8Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// A number below `n`, which is not 0.
pub(super) fn below(n: usize, rng: &mut ChaCha8Rng) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}
