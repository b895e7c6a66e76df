//! The finished trials of a search, their canonical export, the Pareto front and the pick.

use std::cmp::Ordering;
use std::fmt::Write;

use crate::search::key::TrialKey;
use crate::search::outcome::{Metrics, Status, exact};
use crate::search::strategy::Candidate;

/// One finished trial.
#[derive(Clone, Debug)]
pub struct Entry<G> {
    /// Its number, from 0.
    pub trial: usize,
    /// Its identity, under which the store has its weights.
    pub key: TrialKey,
    /// The candidate.
    pub genome: G,
    /// How its training ended.
    pub status: Status,
    /// Costs and quality together.
    pub metrics: Metrics,
    /// SHA-256 of its weights.
    pub weights_hash: String,
}

/// Which way a figure is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sense {
    /// Smaller.
    Minimize,
    /// Greater.
    Maximize,
}

/// A figure to make better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objective {
    /// Name of the figure in [`Metrics`].
    pub metric: String,
    /// Which way.
    pub sense: Sense,
}

impl Objective {
    /// Smaller values of `metric` are better.
    pub fn minimize(metric: impl Into<String>) -> Objective {
        Objective { metric: metric.into(), sense: Sense::Minimize }
    }

    /// Greater values of `metric` are better.
    pub fn maximize(metric: impl Into<String>) -> Objective {
        Objective { metric: metric.into(), sense: Sense::Maximize }
    }

    /// The figure turned so that smaller is better; `None` if it is missing or NaN.
    pub fn loss(&self, metrics: &Metrics) -> Option<f64> {
        let x = metrics.get(&self.metric).copied().filter(|x| !x.is_nan())?;
        Some(match self.sense {
            Sense::Minimize => x,
            Sense::Maximize => -x,
        })
    }
}

/// All finished trials, by number. Two searches have the *same archive* if their exports are equal.
#[derive(Clone, Debug)]
pub struct Archive<G> {
    entries: Vec<Entry<G>>,
}

impl<G: Candidate> Archive<G> {
    /// An archive of these trials, in any order.
    pub fn new(mut entries: Vec<Entry<G>>) -> Archive<G> {
        entries.sort_by_key(|entry| entry.trial);
        Archive { entries }
    }

    /// The trials by number.
    pub fn entries(&self) -> &[Entry<G>] {
        &self.entries
    }

    /// Canonical text: by trial, figures exact, no dates, nothing of the machine.
    pub fn export(&self) -> String {
        let mut out = String::from("nasc archive 1\n");
        for entry in &self.entries {
            let genome = entry.genome.text();
            writeln!(out, "trial {} {} {}", entry.trial, entry.status.name(), entry.key).expect("a string");
            writeln!(out, "  genome {genome:?}").expect("a string");
            for (name, &x) in &entry.metrics {
                writeln!(out, "  {name} {}", exact(x)).expect("a string");
            }
            writeln!(out, "  weights {}", entry.weights_hash).expect("a string");
        }
        out
    }

    /// The trained, feasible trials that no other one dominates: at least as good in every objective and
    /// better in one. Trials with equal figures are all on the front. A trial without one of the figures, or
    /// with a NaN, is not.
    pub fn front(&self, objectives: &[Objective], feasible: impl Fn(&Entry<G>) -> bool) -> Vec<&Entry<G>> {
        let ranked = self.ranked(objectives, feasible);
        let dominated = |own: &[f64]| {
            ranked.iter().any(|(_, other)| {
                own.iter().zip(other).all(|(a, b)| b <= a) && own.iter().zip(other).any(|(a, b)| b < a)
            })
        };
        ranked.iter().filter(|(_, own)| !dominated(own)).map(|&(entry, _)| entry).collect()
    }

    /// The best trained, feasible trial by the first objective, ties by the next ones, then the earliest.
    pub fn pick(&self, objectives: &[Objective], feasible: impl Fn(&Entry<G>) -> bool) -> Option<&Entry<G>> {
        let compare = |a: &[f64], b: &[f64]| {
            a.iter()
                .zip(b)
                .map(|(a, b)| a.partial_cmp(b).unwrap_or(Ordering::Equal))
                .find(|order| order.is_ne())
        };
        self.ranked(objectives, feasible)
            .into_iter()
            .min_by(|(_, a), (_, b)| compare(a, b).unwrap_or(Ordering::Equal))
            .map(|(entry, _)| entry)
    }

    fn ranked(
        &self,
        objectives: &[Objective],
        feasible: impl Fn(&Entry<G>) -> bool,
    ) -> Vec<(&Entry<G>, Vec<f64>)> {
        self.entries
            .iter()
            .filter(|entry| entry.status == Status::Trained && feasible(entry))
            .filter_map(|entry| {
                let losses: Option<Vec<f64>> = objectives.iter().map(|o| o.loss(&entry.metrics)).collect();
                Some((entry, losses?))
            })
            .collect()
    }
}
