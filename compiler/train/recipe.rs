//! How to train, as data.

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};
use crate::train::loss::Loss;
use crate::train::optimizer::{AdamW, Optimizer, Schedule};

/// How to train.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// Times that every sample is seen; at least 1.
    pub epochs: u64,
    /// Greatest number of samples in a step. An epoch has `ceil(samples / batch)` steps of nearly equal size.
    pub batch: usize,
    /// What training makes small.
    pub loss: Loss,
    /// What moves the weights.
    pub optimizer: Optimizer,
    /// How the learning rate goes on after the warm-up.
    pub schedule: Schedule,
    /// Share of the steps over which the learning rate rises.
    pub warmup: f64,
    /// Greatest norm of the gradient of a step, of all parameters together.
    pub clip: Option<f64>,
    /// Share of a label's weight that all classes share equally; nothing where there are no classes.
    pub label_smoothing: f64,
    /// Both parameters of the beta distribution that the weights of mixed pairs of samples are drawn from.
    pub mixup: Option<f64>,
}

impl Default for Recipe {
    fn default() -> Recipe {
        Recipe {
            epochs: 60,
            batch: 64,
            loss: Loss::default(),
            optimizer: AdamW::default().into(),
            schedule: Schedule::Cosine,
            warmup: 0.05,
            clip: None,
            label_smoothing: 0.1,
            mixup: None,
        }
    }
}

impl Recipe {
    /// The one text of a recipe, for keys of trials: two recipes have one text if and only if they train alike.
    pub fn canonical(&self) -> String {
        let mut text = format!(
            "epochs={} batch={} {} warmup={:e} label_smoothing={:e}{}",
            self.epochs,
            self.batch,
            self.optimizer.canonical(),
            self.warmup,
            self.label_smoothing,
            self.schedule.canonical()
        );
        if self.loss != Loss::default() {
            text.push_str(&format!(" loss={}", self.loss.name()));
        }
        for (name, value) in [("clip", self.clip), ("mixup", self.mixup)] {
            if let Some(value) = value {
                text.push_str(&format!(" {name}={value:e}"));
            }
        }
        text
    }

    /// Checks every value.
    ///
    /// # Errors
    /// E0305 with the found and the allowed values.
    pub fn check(&self) -> Result<(), Diagnostic> {
        let below_one = |x: f64| (0.0..1.0).contains(&x);
        let positive = |x: Option<f64>| x.is_none_or(|x| x > 0.0 && x.is_finite());
        let mut rules = vec![
            (self.epochs >= 1, "epochs", self.epochs as f64, "at least 1"),
            (self.batch >= 1, "batch", self.batch as f64, "at least 1"),
            (below_one(self.warmup), "warmup", self.warmup, "in 0..1"),
            (positive(self.clip), "clip", self.clip.unwrap_or_default(), "positive"),
            (below_one(self.label_smoothing), "label_smoothing", self.label_smoothing, "in 0..1"),
            // Beyond these, numbers that the distribution is drawn with leave the range of `f32`.
            (
                self.mixup.is_none_or(|x| (1e-3..=1e4).contains(&x)),
                "mixup",
                self.mixup.unwrap_or_default(),
                "in 0.001..10000",
            ),
        ];
        rules.extend(self.optimizer.rules());
        rules.extend(self.schedule.rules());
        match rules.into_iter().find(|(holds, ..)| !holds) {
            None => Ok(()),
            Some((_, name, found, allowed)) => {
                Err(Diagnostic::error(Code::RANGE, format!("`{name}` is {found}, it must be {allowed}")))
            }
        }
    }
}
