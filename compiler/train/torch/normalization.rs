//! Batch normalisation: statistics, forward pass, gradients.

use tch::{Kind, Tensor};

use crate::ops::Clamp;
use crate::train::engine::{Normalization, NormalizationGradient};
use crate::train::torch::{self, elementwise};

/// Rows of channels.
fn rows(x: &Tensor) -> Tensor {
    let channels = *x.size().last().expect("a dimension of channels");
    x.reshape([-1, channels])
}

pub(super) fn statistics(x: &Tensor) -> (Tensor, Tensor) {
    let (variance, mean) = rows(x).var_mean_dim(0, false, false);
    (mean, variance)
}

pub(super) fn forward(x: &Tensor, by: &Normalization<'_, torch::Tensor>, clamp: Clamp) -> Tensor {
    let (gamma, beta) = (Some(by.gamma.get()), Some(by.beta.get()));
    let (mean, variance) = (Some(by.mean.get()), Some(by.variance.get()));
    let epsilon = f64::from(by.epsilon);
    let y = rows(x).batch_norm(gamma, beta, mean, variance, false, 0.0, epsilon, true).reshape(x.size());
    match clamp.bounds() {
        (f32::NEG_INFINITY, f32::INFINITY) => y,
        (low, high) => elementwise::clamp(&y, low, high),
    }
}

pub(super) fn gradient(
    dy: &Tensor,
    x: &Tensor,
    by: &Normalization<'_, torch::Tensor>,
    clamp: Clamp,
) -> NormalizationGradient<torch::Tensor> {
    let (all, gamma) = (rows(x), by.gamma.get());
    let count = all.size()[0] as f64;
    let rate = (by.variance.get() + f64::from(by.epsilon)).rsqrt();
    let normal = (all - by.mean.get()) * &rate;
    let g = match clamp.bounds() {
        (f32::NEG_INFINITY, f32::INFINITY) => rows(dy),
        (low, high) => elementwise::within(&rows(dy), &(&normal * &gamma + by.beta.get()), low, high),
    };
    let sum = |terms: &Tensor| terms.sum_dim_intlist(0, false, None::<Kind>);
    let (dgamma, dbeta) = (sum(&(&g * &normal)), sum(&g));
    let inner = g - &dbeta / count - normal * (&dgamma / count);
    NormalizationGradient {
        x: torch::Tensor::new((inner * (gamma * rate)).reshape(x.size())),
        gamma: torch::Tensor::new(dgamma),
        beta: torch::Tensor::new(dbeta),
    }
}
