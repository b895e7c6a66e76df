//! How weights follow gradients: the rules, the learning rate over time, and the parameters by group.
//!
//! In: gradients of the parameters of a step and the learning rate now. Out: new parameters. A rule is a few
//! functions of elements, so it is the same on every engine; a group has factors of its own for the learning rate
//! and the weight decay.

mod adamw;
mod parameters;
mod schedule;
mod sgd;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::train::engine::Engine;

pub use adamw::AdamW;
pub use parameters::{Group, Parameters, role_groups};
pub use schedule::{Schedule, rate_share};
pub use sgd::Sgd;

/// A rule by which weights follow gradients.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
    /// Stochastic gradient descent, with momentum or without.
    Sgd(Sgd),
}

impl Default for Optimizer {
    fn default() -> Optimizer {
        Optimizer::AdamW(AdamW::default())
    }
}

impl From<AdamW> for Optimizer {
    fn from(rule: AdamW) -> Optimizer {
        Optimizer::AdamW(rule)
    }
}

impl From<Sgd> for Optimizer {
    fn from(rule: Sgd) -> Optimizer {
        Optimizer::Sgd(rule)
    }
}

/// A value to be checked: whether it is allowed, its name, itself, and what is allowed.
pub(super) type Rule = (bool, &'static str, f64, &'static str);

/// A parameter with what a rule remembers of it: as many tensors of its shape as [`Optimizer::memories`] names.
#[derive(Clone, Debug)]
pub struct Remembered<T> {
    /// The parameter.
    pub value: T,
    /// What the rule remembers, in the order of its names.
    pub memory: Vec<T>,
}

/// The circumstances of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Steps done before.
    pub step: u64,
    /// The learning rate now.
    pub rate: f64,
    /// Factor of the rule's weight decay: 0 for what does not decay.
    pub decay: f64,
}

impl Optimizer {
    /// Greatest learning rate.
    pub fn lr(&self) -> f64 {
        match self {
            Optimizer::AdamW(rule) => rule.lr,
            Optimizer::Sgd(rule) => rule.lr,
        }
    }

    /// Names of what the rule remembers of each parameter; all start at 0.
    pub fn memories(&self) -> &'static [&'static str] {
        match self {
            Optimizer::AdamW(_) => &["first", "second"],
            Optimizer::Sgd(rule) if rule.momentum > 0.0 => &["velocity"],
            Optimizer::Sgd(_) => &[],
        }
    }

    /// One step along a gradient.
    pub fn update<E: Engine>(
        &self,
        engine: &E,
        state: &mut Remembered<E::Tensor>,
        gradient: &E::Tensor,
        at: Moment,
    ) {
        match self {
            Optimizer::AdamW(rule) => rule.update(engine, state, gradient, at),
            Optimizer::Sgd(rule) => rule.update(engine, state, gradient, at),
        }
    }

    /// The one text of a rule, for keys of trials.
    pub fn canonical(&self) -> String {
        match self {
            Optimizer::AdamW(rule) => rule.canonical(),
            Optimizer::Sgd(rule) => rule.canonical(),
        }
    }

    /// What its values must be.
    pub(super) fn rules(&self) -> Vec<Rule> {
        match self {
            Optimizer::AdamW(rule) => rule.rules(),
            Optimizer::Sgd(rule) => rule.rules(),
        }
    }
}
