//! Stochastic gradient descent.

use serde::{Deserialize, Serialize};

use super::{Moment, Remembered, Rule};
use crate::train::engine::{Binary, Engine};

/// Stochastic gradient descent with momentum, as PyTorch's `torch.optim.SGD` without dampening defines it:
/// `d = gradient + weight_decay * value`, `velocity = momentum * velocity + d`, then
/// `value -= lr * (d + momentum * velocity)` with Nesterov's look ahead, `value -= lr * velocity` without.
///
/// Source  Sutskever et al., On the importance of initialization and momentum in deep learning (ICML 2013)
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sgd {
    /// Greatest learning rate.
    pub lr: f64,
    /// Share of a weight that is added to its gradient; of weights only, not of biases and the parameters of
    /// batch normalisation.
    pub weight_decay: f64,
    /// Share of the velocity that is kept.
    pub momentum: f64,
    /// Whether the velocity is taken ahead of the step; without momentum it makes no difference.
    pub nesterov: bool,
}

impl Default for Sgd {
    fn default() -> Sgd {
        Sgd { lr: 1e-2, weight_decay: 0.0, momentum: 0.9, nesterov: false }
    }
}

impl Sgd {
    /// One step; the memory is the velocity, or nothing without momentum.
    pub(super) fn update<E: Engine>(
        &self,
        engine: &E,
        state: &mut Remembered<E::Tensor>,
        gradient: &E::Tensor,
        at: Moment,
    ) {
        let combine = |first: f64, second: f64, a: &E::Tensor, b: &E::Tensor| {
            engine.zip(Binary::Combine { first: first as f32, second: second as f32 }, a, b)
        };
        let decay = self.weight_decay * at.decay;
        let decayed = (decay > 0.0).then(|| combine(1.0, decay, gradient, &state.value));
        let mut direction = decayed.unwrap_or_else(|| gradient.clone());
        if let Some(velocity) = state.memory.first_mut() {
            *velocity = combine(self.momentum, 1.0, velocity, &direction);
            direction = match self.nesterov {
                true => combine(1.0, self.momentum, &direction, velocity),
                false => velocity.clone(),
            };
        }
        state.value = combine(1.0, -at.rate, &state.value, &direction);
    }

    /// Without momentum the look ahead is not told: it makes no difference.
    pub(super) fn canonical(&self) -> String {
        let Sgd { lr, weight_decay, momentum, .. } = self;
        let nesterov = self.nesterov && self.momentum > 0.0;
        format!("sgd(lr={lr:e} weight_decay={weight_decay:e} momentum={momentum:e} nesterov={nesterov})")
    }

    pub(super) fn rules(&self) -> Vec<Rule> {
        let Sgd { lr, weight_decay, momentum, nesterov: _ } = *self;
        vec![
            (lr > 0.0 && lr.is_finite(), "lr", lr, "positive"),
            (weight_decay >= 0.0 && weight_decay.is_finite(), "weight_decay", weight_decay, "not negative"),
            ((0.0..1.0).contains(&momentum), "momentum", momentum, "in 0..1"),
        ]
    }
}
