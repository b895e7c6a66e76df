//! Sparsity by variational inference: weights, or groups of them, whose noise outgrows them are taken away.
//!
//! A weight is normal with mean `theta` and variance `exp(log_variance)`; `alpha` is the variance by the square of
//! the mean. Noise is added to what a layer gives, not to its weights: the layer is computed once with `theta`,
//! once with the input's squares and the variances, and [`noisy`] joins both. The loss per sample gets the
//! divergences by the number of training samples added.

use crate::train::engine::{Binary, Distribution, Engine, Unary};
use crate::train::extents::Extents;
use crate::train::tape::{Summary, Tape, Var};

/// Above this `log alpha` a weight is noise: more than 95 % of a dropout.
///
/// Source  arXiv:1701.05369
pub const LOG_ALPHA_THRESHOLD: f32 = 3.0;

/// Bounds of `log alpha`; beyond them the divergence hardly changes.
const LOG_ALPHA_BOUND: f32 = 8.0;
/// Keeps logarithms and roots away from 0.
const EPSILON: f32 = 1e-8;
/// `k1`, `k2`, `k3`.
///
/// Source  arXiv:1701.05369 equation 14
const K: [f32; 3] = [0.63576, 1.87320, 1.48695];

/// `log alpha = log_variance - ln(theta^2 + 1e-8)`, clamped to -8..8.
///
/// Shapes    `theta [...], log_variance [...] -> [...]`
/// Gradient  where not clamped: `dy` to the log variance, `-2 dy theta / (theta^2 + 1e-8)` to `theta`
/// Source    arXiv:1701.05369 section 4.2 (additive noise)
pub fn log_alpha<E: Engine>(tape: &mut Tape<'_, E>, theta: Var, log_variance: Var) -> Var {
    let square = tape.map(Unary::Square, theta);
    let positive = tape.map(Unary::Affine { scale: 1.0, offset: EPSILON }, square);
    let logarithm = tape.map(Unary::Ln, positive);
    let alpha = tape.zip(Binary::Subtract, log_variance, logarithm);
    tape.map(Unary::Clamp { low: -LOG_ALPHA_BOUND, high: LOG_ALPHA_BOUND }, alpha)
}

/// The divergence from the log-uniform prior, summed: of each
/// `k1 - k1 sigmoid(k2 + k3 log_alpha) + ln(1 + 1/alpha) / 2`, which is 0 for great `alpha`.
///
/// Shapes    `log_alpha [...] -> [1]`
/// Gradient  `dy (-k1 k3 s (1 - s) - (1 - sigmoid(log_alpha)) / 2)` with `s = sigmoid(k2 + k3 log_alpha)`
/// Source    arXiv:1701.05369 equation 14; arXiv:1705.08665 section 4.1 (`alpha` of a group's scale)
pub fn divergence<E: Engine>(tape: &mut Tape<'_, E>, log_alpha: Var) -> Var {
    let [k1, k2, k3] = K;
    let inner = tape.map(Unary::Affine { scale: k3, offset: k2 }, log_alpha);
    let step = tape.map(Unary::Sigmoid, inner);
    let near = tape.map(Unary::Affine { scale: -k1, offset: k1 }, step);
    // ln(1 + e^-x), where e^-x is at most e^8.
    let inverse = tape.map(Unary::Negate, log_alpha);
    let inverse = tape.map(Unary::Exp, inverse);
    let more = tape.map(Unary::Affine { scale: 1.0, offset: 1.0 }, inverse);
    let logarithm = tape.map(Unary::Ln, more);
    let each = tape.zip(Binary::Combine { first: 1.0, second: 0.5 }, near, logarithm);
    total(tape, each)
}

/// The variances of weights, to be used in the place of weights on the squares of inputs.
///
/// Shapes    `log_variance [...] -> [...]`
/// Gradient  `dy exp(log_variance)`
pub fn variances<E: Engine>(tape: &mut Tape<'_, E>, log_variance: Var) -> Var {
    tape.map(Unary::Exp, log_variance)
}

/// What a layer with noisy weights gives, drawn element by element: `mean + sqrt(variance + 1e-8) n`, with `n`
/// normal by the key.
///
/// Shapes    `mean [N, ...], variance [N, ...] -> [N, ...]`
/// Gradient  `dy` to the mean, `dy n / (2 sqrt(variance + 1e-8))` to the variance
/// Source    arXiv:1506.02557 (local reparameterisation); arXiv:1701.05369 section 4.4
pub fn noisy<E: Engine>(tape: &mut Tape<'_, E>, mean: Var, variance: Var, key: u64) -> Var {
    let engine = tape.engine();
    let noise = engine.random(Distribution::Normal, key, engine.shape(tape.value(mean)));
    let positive = tape.map(Unary::Affine { scale: 1.0, offset: EPSILON }, variance);
    let deviation = tape.map(Unary::Sqrt, positive);
    let drawn = tape.scaled(deviation, noise);
    tape.add(mean, drawn)
}

/// 1 where `log alpha` is at most the threshold, 0 where the weight is noise; where `log alpha` is no number, 1.
///
/// Shapes  `log_alpha [...] -> [...]`
/// Source  arXiv:1701.05369
pub fn keep_mask<E: Engine>(engine: &E, log_alpha: &E::Tensor, threshold: f32) -> E::Tensor {
    let noise = engine.map(Unary::Above { threshold }, log_alpha);
    engine.map(Unary::Affine { scale: -1.0, offset: 1.0 }, &noise)
}

/// Scales of groups, drawn for each sample: `mean + exp(log_variance / 2) n`, with `n` normal by the key. A layer
/// multiplies the channels of its input by them; channels with a great `alpha` of their scale are taken away.
///
/// Shapes    `mean [C], log_variance [C] -> [N, C]`
/// Gradient  sums over samples of `dy` to the mean, of `dy n exp(log_variance / 2) / 2` to the log variance
/// Source    arXiv:1705.08665 section 4.1 (normal-Jeffreys scales), algorithm 1
pub fn group_scales<E: Engine>(
    tape: &mut Tape<'_, E>,
    mean: Var,
    log_variance: Var,
    samples: usize,
    key: u64,
) -> Var {
    let engine = tape.engine();
    let groups = engine.shape(tape.value(mean))[0];
    let noise = tape.constant(engine.random(Distribution::Normal, key, &[samples, groups]));
    let half = tape.map(Unary::Affine { scale: 0.5, offset: 0.0 }, log_variance);
    let deviation = tape.map(Unary::Exp, half);
    let drawn = tape.zip(Binary::Multiply, noise, deviation);
    tape.zip(Binary::Add, drawn, mean)
}

/// The divergence of normal weights from the standard normal, summed: of each
/// `(exp(log_variance) + theta^2 - 1 - log_variance) / 2`. The prior of weights within groups.
///
/// Shapes    `theta [...], log_variance [...] -> [1]`
/// Gradient  `dy theta` and `dy (exp(log_variance) - 1) / 2`
/// Source    arXiv:1705.08665 section 4.1
pub fn normal_divergence<E: Engine>(tape: &mut Tape<'_, E>, theta: Var, log_variance: Var) -> Var {
    let variance = tape.map(Unary::Exp, log_variance);
    let square = tape.map(Unary::Square, theta);
    let spread = tape.zip(Binary::Subtract, variance, log_variance);
    let both = tape.zip(Binary::Add, spread, square);
    let each = tape.map(Unary::Affine { scale: 0.5, offset: -0.5 }, both);
    total(tape, each)
}

/// The sum of all elements, `[1]`.
fn total<E: Engine>(tape: &mut Tape<'_, E>, x: Var) -> Var {
    let axes = Extents::from_fn(tape.engine().shape(tape.value(x)).len(), |axis| axis);
    let sum = tape.reduce(Summary::Sum, x, &axes);
    tape.reshape(sum, &[1])
}
