//! AdamW and the learning rate over time.

use serde::{Deserialize, Serialize};

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

/// A trained parameter with what the optimiser remembers of it.
#[derive(Clone, Debug)]
pub struct Moments<T> {
    /// The parameter.
    pub value: T,
    /// Mean of its gradients.
    pub first: T,
    /// Mean of their squares.
    pub second: T,
}

impl AdamW {
    /// One step. `step` counts from 0; `rate` is the learning rate now.
    pub fn update<E: Engine>(
        &self,
        engine: &E,
        state: &mut Moments<E::Tensor>,
        gradient: &E::Tensor,
        (step, rate, decays): (u64, f64, bool),
    ) {
        let mean = |beta: f64| Binary::Combine { first: beta as f32, second: (1.0 - beta) as f32 };
        let square = engine.map(Unary::Square, gradient);
        state.first = engine.zip(mean(self.beta1), &state.first, gradient);
        state.second = engine.zip(mean(self.beta2), &state.second, &square);
        let correction = |beta: f64| 1.0 - math::power(beta, step + 1);
        let scale = (1.0 / correction(self.beta2)) as f32;
        let root = engine.map(Unary::Sqrt, &engine.map(Unary::Affine { scale, offset: 0.0 }, &state.second));
        let root = engine.map(Unary::Affine { scale: 1.0, offset: self.epsilon as f32 }, &root);
        let direction = engine.zip(Binary::Divide, &state.first, &root);
        let keep = if decays { 1.0 - rate * self.weight_decay } else { 1.0 };
        let move_by = -rate / correction(self.beta1);
        let combine = Binary::Combine { first: keep as f32, second: move_by as f32 };
        state.value = engine.zip(combine, &state.value, &direction);
    }
}

/// The share of the greatest learning rate in a step, which counts from 0: linear over the first `warmup` share
/// of the steps, then half a cosine down to 0 behind the last step.
///
/// Source  arXiv:1608.03983 equation 5, without restarts
pub fn schedule(step: u64, steps: u64, warmup: f64) -> f64 {
    let warm = steps as f64 * warmup;
    let now = step as f64;
    if now < warm {
        return ((now + 1.0) / warm).min(1.0);
    }
    let progress = ((now - warm) / (steps as f64 - warm)).clamp(0.0, 1.0);
    0.5 * (1.0 + math::cos_pi(progress))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::embedded::EmbeddedEngine;

    #[test]
    fn the_schedule_rises_and_falls() {
        let rates: Vec<f64> = (0..=100).map(|step| schedule(step, 100, 0.1)).collect();
        assert!((rates[0] - 0.1).abs() < 1e-12 && (rates[9] - 1.0).abs() < 1e-12);
        assert!((rates[10] - 1.0).abs() < 1e-12 && (rates[55] - 0.5).abs() < 1e-12);
        assert!(rates[10..].windows(2).all(|pair| pair[1] < pair[0]));
        assert!(rates[100] < 1e-12);
        assert_eq!(schedule(0, 10, 0.0), 1.0);
    }

    #[test]
    fn updates_follow_the_algorithm() {
        let engine = EmbeddedEngine::new();
        let optimizer = AdamW { lr: 0.1, weight_decay: 0.2, ..AdamW::default() };
        for decays in [true, false] {
            let one = |x: f32| engine.upload(&[1], &[x]);
            let mut state = Moments { value: one(0.7), first: one(0.0), second: one(0.0) };
            let (mut w, mut m, mut v) = (0.7f64, 0.0f64, 0.0f64);
            for step in 0..20u64 {
                let g = (step as f64 * 0.37).sin() + 0.3;
                let rate = 0.1 * schedule(step, 20, 0.1);
                optimizer.update(&engine, &mut state, &one(g as f32), (step, rate, decays));
                let t = i32::try_from(step).expect("small") + 1;
                m = 0.9 * m + 0.1 * g;
                v = 0.999 * v + 0.001 * g * g;
                let (m_hat, v_hat) = (m / (1.0 - 0.9f64.powi(t)), v / (1.0 - 0.999f64.powi(t)));
                w -= rate * (m_hat / (v_hat.sqrt() + 1e-8) + if decays { 0.2 * w } else { 0.0 });
            }
            let found = f64::from(engine.download(&state.value)[0]);
            assert!((found - w).abs() < 1e-5, "{found} {w}");
        }
    }
}
