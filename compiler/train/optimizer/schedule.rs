//! The learning rate over time.

use serde::{Deserialize, Serialize};

use crate::tensor::math;

/// How the learning rate goes on after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// Half a cosine from the end of the warm-up down to 0 behind the last step.
    ///
    /// Source  arXiv:1608.03983 equation 5, without restarts
    #[default]
    Cosine,
    /// Multiplied by a factor at regular times, counted from the first step.
    Step {
        /// Epochs from one fall to the next, at least 1.
        every: u64,
        /// What the rate is multiplied by, in (0, 1].
        factor: f64,
    },
    /// It stays.
    Constant,
}

/// The share of the greatest learning rate in a step, which counts from 0, of a training of `epochs` epochs with
/// `batches` steps each: linear over the first `warmup` share of the steps, towards where the schedule is by then.
pub fn rate_share(schedule: Schedule, step: u64, (epochs, batches): (u64, u64), warmup: f64) -> f64 {
    let steps = epochs.saturating_mul(batches) as f64;
    let warm = steps * warmup;
    let now = step as f64;
    let ramp = if now < warm { ((now + 1.0) / warm).min(1.0) } else { 1.0 };
    match schedule {
        Schedule::Cosine if now < warm => ramp,
        Schedule::Cosine => {
            let progress = ((now - warm) / (steps - warm)).clamp(0.0, 1.0);
            0.5 * (1.0 + math::cos_pi(progress))
        }
        Schedule::Step { every, factor } => ramp * math::power(factor, step / batches.max(1) / every.max(1)),
        Schedule::Constant => ramp,
    }
}

impl Schedule {
    /// What stands in the canonical text of a recipe; nothing for the cosine.
    pub(in crate::train) fn canonical(self) -> String {
        match self {
            Schedule::Cosine => String::new(),
            Schedule::Step { every, factor } => format!(" schedule=step(every={every} factor={factor:e})"),
            Schedule::Constant => " schedule=constant".to_owned(),
        }
    }

    pub(in crate::train) fn rules(self) -> Vec<super::Rule> {
        match self {
            Schedule::Cosine | Schedule::Constant => Vec::new(),
            Schedule::Step { every, factor } => vec![
                (every >= 1, "every", every as f64, "at least 1"),
                (factor > 0.0 && factor <= 1.0, "factor", factor, "in 0..1 and not 0"),
            ],
        }
    }
}
