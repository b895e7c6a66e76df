//! Trainings that go wrong: how that is noticed and what is said of it.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::train::recipe::Recipe;

/// A loss above so many times that of the untrained network has exploded, if it stays there for [`PATIENCE`] steps.
const EXPLODED: f64 = 10.0;
/// Steps in a row: single batches, and the first steps at a high rate, go there and come back.
const PATIENCE: u64 = 50;
/// Epochs whose losses a message tells.
const TOLD: usize = 6;

/// What is known of the losses so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// The loss of the untrained network: of the first step, or that of equal answers if that is greater.
    untrained: Option<f64>,
    /// Steps in a row whose loss was above [`EXPLODED`] times that.
    above: u64,
    /// Mean loss of each epoch done.
    losses: Vec<f64>,
}

impl Watch {
    /// What is wrong with the loss of a step, if anything. `chance` is the loss of a network that has learned nothing.
    pub(super) fn see(&mut self, loss: f64, chance: f64) -> Option<String> {
        if !loss.is_finite() {
            return Some("the loss is not finite".to_owned());
        }
        let untrained = *self.untrained.get_or_insert(if loss > chance { loss } else { chance });
        self.above = if loss > EXPLODED * untrained { self.above + 1 } else { 0 };
        (self.above >= PATIENCE).then(|| {
            format!(
                "the loss was {loss:.3} and for {PATIENCE} steps more than {EXPLODED} times the \
                 {untrained:.3} of the untrained network"
            )
        })
    }

    /// Keeps the mean loss of an epoch.
    pub(super) fn keep(&mut self, loss: f64) {
        self.losses.push(loss);
    }

    fn history(&self) -> String {
        let told: Vec<String> =
            self.losses.iter().rev().take(TOLD).rev().map(|loss| format!("{loss:.4}")).collect();
        let which = if told.len() < self.losses.len() { "the last epochs" } else { "the epochs" };
        if told.is_empty() {
            return "no epoch was done before it".to_owned();
        }
        format!("losses of {which} before it: {}", told.join(", "))
    }
}

/// Where a training went wrong.
pub(super) struct Place<'a> {
    pub(super) recipe: &'a Recipe,
    /// Epochs and steps done.
    pub(super) done: (u64, u64),
    /// The greatest learning rate of this attempt.
    pub(super) rate: f64,
    pub(super) watch: &'a Watch,
    /// The first parameter or layer that is not finite.
    pub(super) first: Option<String>,
}

/// E0801.
pub(super) fn diverged(what: &str, place: &Place<'_>) -> Diagnostic {
    let Place { recipe, done: (epoch, step), rate, watch, ref first } = *place;
    let diagnostic = Diagnostic::error(Code::DIVERGED, format!("training diverged: {what}"))
        .note(format!("in epoch {} of {}, step {}", epoch + 1, recipe.epochs, step + 1))
        .note(watch.history());
    let diagnostic = match first {
        Some(first) => diagnostic.note(format!("the first that is not finite: {first}")),
        None => diagnostic,
    };
    let mut help = format!("lower the learning rate, which is {rate}");
    if recipe.clip.is_none() {
        help.push_str(", or limit the gradients by `clip: 1.0`");
    }
    if recipe.warmup == 0.0 {
        help.push_str(", or let the rate rise slowly by `warmup: 5 %`");
    }
    diagnostic.help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_that_stay_high_have_exploded() {
        let mut watch = Watch::default();
        assert_eq!(watch.see(1.0, 2.0), None);
        for _ in 0..PATIENCE - 1 {
            assert_eq!(watch.see(20.5, 2.0), None);
        }
        assert_eq!(watch.see(19.5, 2.0), None, "it came back");
        let told: Vec<String> = (0..PATIENCE).filter_map(|_| watch.see(20.5, 2.0)).collect();
        assert_eq!(told.len(), 1);
        assert!(told[0].contains("20.500") && told[0].contains("2.000"), "{told:?}");
        let mut bad_start = Watch::default();
        assert!((0..200).all(|_| bad_start.see(500.0, 2.0).is_none()), "it began there");
        for wrong in [f64::NAN, f64::INFINITY] {
            assert!(bad_start.see(wrong, 2.0).is_some_and(|told| told.contains("not finite")));
        }
    }
}
