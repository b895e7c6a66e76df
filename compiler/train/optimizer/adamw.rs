//! AdamW.

use serde::{Deserialize, Serialize};

use super::{Moment, Remembered, Rule};
use crate::tensor::math;
use crate::train::engine::{Binary, Engine, Unary};

/// Adam with decoupled weight decay.
///
/// Source  arXiv:1711.05101 algorithm 2
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AdamW {
    /// Greatest learning rate.
    pub lr: f64,
    /// Share of a weight that a step with learning rate 1 takes away; of weights only, not of biases and the
    /// parameters of batch normalisation.
    pub weight_decay: f64,
    /// Memory of the mean of gradients.
    pub beta1: f64,
    /// Memory of the mean of their squares.
    pub beta2: f64,
    /// Added to the root of the mean of squares.
    pub epsilon: f64,
}

impl Default for AdamW {
    fn default() -> AdamW {
        AdamW { lr: 1e-3, weight_decay: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

impl AdamW {
    /// One step; the memory is the mean of gradients and that of their squares.
    pub(super) fn update<E: Engine>(
        &self,
        engine: &E,
        state: &mut Remembered<E::Tensor>,
        gradient: &E::Tensor,
        at: Moment,
    ) {
        let mean = |beta: f64| Binary::Combine { first: beta as f32, second: (1.0 - beta) as f32 };
        let Remembered { value, memory } = state;
        let [first, second] = memory.as_mut_slice() else { unreachable!("two memories, as it names them") };
        let square = engine.map(Unary::Square, gradient);
        *first = engine.zip(mean(self.beta1), first, gradient);
        *second = engine.zip(mean(self.beta2), second, &square);
        let correction = |beta: f64| 1.0 - math::power(beta, at.step + 1);
        let scale = (1.0 / correction(self.beta2)) as f32;
        let root = engine.map(Unary::Sqrt, &engine.map(Unary::Affine { scale, offset: 0.0 }, second));
        let root = engine.map(Unary::Affine { scale: 1.0, offset: self.epsilon as f32 }, &root);
        let direction = engine.zip(Binary::Divide, first, &root);
        let keep = 1.0 - at.rate * self.weight_decay * at.decay;
        let move_by = -at.rate / correction(self.beta1);
        let combine = Binary::Combine { first: keep as f32, second: move_by as f32 };
        *value = engine.zip(combine, value, &direction);
    }

    pub(super) fn canonical(&self) -> String {
        let AdamW { lr, weight_decay, beta1, beta2, epsilon } = self;
        format!(
            "adamw(lr={lr:e} weight_decay={weight_decay:e} beta1={beta1:e} beta2={beta2:e} epsilon={epsilon:e})"
        )
    }

    pub(super) fn rules(&self) -> Vec<Rule> {
        let AdamW { lr, weight_decay, beta1, beta2, epsilon } = *self;
        let below_one = |x: f64| (0.0..1.0).contains(&x);
        vec![
            (lr > 0.0 && lr.is_finite(), "lr", lr, "positive"),
            (weight_decay >= 0.0 && weight_decay.is_finite(), "weight_decay", weight_decay, "not negative"),
            (below_one(beta1), "beta1", beta1, "in 0..1"),
            (below_one(beta2), "beta2", beta2, "in 0..1"),
            (epsilon > 0.0 && epsilon.is_finite(), "epsilon", epsilon, "positive"),
        ]
    }
}
