//! Batch normalisation: statistics, forward pass, gradients.

use rayon::prelude::*;

use crate::ops::Clamp;
use crate::train::embedded::Tensor;
use crate::train::embedded::isa::{Isa, multiversion};
use crate::train::embedded::tree::tree;
use crate::train::engine::{Normalization, NormalizationGradient, ROWS_CHUNK};

/// What every row is normalised with, each `[C]`.
struct Channels<'c> {
    mean: &'c [f32],
    /// `1 / sqrt(variance + epsilon)`.
    rate: Vec<f32>,
    gamma: &'c [f32],
    beta: &'c [f32],
    /// Bounds of the clamp behind it.
    bounds: (f32, f32),
}

impl<'c> Channels<'c> {
    fn new(by: &Normalization<'c, Tensor>, clamp: Clamp) -> Channels<'c> {
        let rate = by.variance.data().iter().map(|v| 1.0 / (v + by.epsilon).sqrt()).collect();
        let (gamma, beta) = (by.gamma.data(), by.beta.data());
        Channels { mean: by.mean.data(), rate, gamma, beta, bounds: clamp.bounds() }
    }
}

/// The gradient that passes a clamp to which `y` came.
#[inline(always)]
fn through(y: f32, dy: f32, (low, high): (f32, f32)) -> f32 {
    if (low == f32::NEG_INFINITY && high == f32::INFINITY) || (y > low && y < high) { dy } else { 0.0 }
}

multiversion! {
    fn sum_rows(x: &[f32], sums: &mut [f32]) {
        for row in x.chunks_exact(sums.len()) {
            for (sum, x) in sums.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }

    fn square_rows(x: &[f32], mean: &[f32], sums: &mut [f32]) {
        for row in x.chunks_exact(sums.len()) {
            for ((sum, x), mean) in sums.iter_mut().zip(row).zip(mean) {
                let d = x - mean;
                *sum = d.mul_add(d, *sum);
            }
        }
    }

    fn normalize_rows(x: &[f32], by: &Channels<'_>, out: &mut [f32]) {
        let c = by.mean.len();
        let (mean, rate, gamma, beta) = (&by.mean[..c], &by.rate[..c], &by.gamma[..c], &by.beta[..c]);
        let (low, high) = by.bounds;
        for (row, out) in x.chunks_exact(c).zip(out.chunks_exact_mut(c)) {
            for i in 0..c {
                let y = ((row[i] - mean[i]) * rate[i]).mul_add(gamma[i], beta[i]);
                let y = if y < low { low } else { y };
                out[i] = if y > high { high } else { y };
            }
        }
    }

    /// Sums of both parameters' gradients: `beta` then `gamma`.
    fn parameter_rows(x: &[f32], dy: &[f32], by: &Channels<'_>, sums: &mut [f32]) {
        let c = sums.len() / 2;
        let (mean, rate) = (&by.mean[..c], &by.rate[..c]);
        let (beta, gamma) = sums.split_at_mut(c);
        for (x, dy) in x.chunks_exact(c).zip(dy.chunks_exact(c)) {
            for i in 0..c {
                let normal = (x[i] - mean[i]) * rate[i];
                let g = through(normal.mul_add(by.gamma[i], by.beta[i]), dy[i], by.bounds);
                beta[i] += g;
                gamma[i] = g.mul_add(normal, gamma[i]);
            }
        }
    }

    /// `sums` as [`parameter_rows`] leaves them, here divided by the number of rows.
    fn input_rows(x: &[f32], dy: &[f32], by: &Channels<'_>, sums: &[f32], out: &mut [f32]) {
        let c = sums.len() / 2;
        let (mean, rate, factor) = (&by.mean[..c], &by.rate[..c], &by.gamma[..c]);
        let (beta, gamma) = sums.split_at(c);
        for ((x, dy), out) in x.chunks_exact(c).zip(dy.chunks_exact(c)).zip(out.chunks_exact_mut(c)) {
            for i in 0..c {
                let normal = (x[i] - mean[i]) * rate[i];
                let g = through(normal.mul_add(by.gamma[i], by.beta[i]), dy[i], by.bounds);
                out[i] = (factor[i] * rate[i]) * normal.mul_add(-gamma[i], g - beta[i]);
            }
        }
    }
}

/// The sums over rows that `f` adds up in each chunk.
fn over_rows(
    x: &[f32],
    channels: usize,
    width: usize,
    f: impl Fn(usize, &[f32], &mut [f32]) + Sync,
) -> Vec<f32> {
    let size = ROWS_CHUNK * channels;
    let part = |(chunk, x): (usize, &[f32])| {
        let mut sums = vec![0.0; width];
        f(chunk * size, x, &mut sums);
        sums
    };
    tree(x.par_chunks(size).enumerate().map(part).collect())
}

fn channels_and_rows(x: &Tensor) -> (usize, usize) {
    let channels = *x.shape().last().expect("a dimension of channels");
    (channels, x.data().len() / channels)
}

pub(super) fn statistics(isa: Isa, x: &Tensor) -> (Tensor, Tensor) {
    let (channels, rows) = channels_and_rows(x);
    let divided = |mut sums: Vec<f32>| {
        sums.iter_mut().for_each(|sum| *sum /= rows as f32);
        sums
    };
    let mean = divided(over_rows(x.data(), channels, channels, |_, x, sums| sum_rows(isa, x, sums)));
    let variance =
        divided(over_rows(x.data(), channels, channels, |_, x, sums| square_rows(isa, x, &mean, sums)));
    (Tensor::new(&[channels], mean), Tensor::new(&[channels], variance))
}

pub(super) fn forward(isa: Isa, x: &Tensor, by: &Normalization<'_, Tensor>, clamp: Clamp) -> Tensor {
    let (channels, _) = channels_and_rows(x);
    let by = Channels::new(by, clamp);
    let mut out = vec![0.0; x.data().len()];
    let size = ROWS_CHUNK * channels;
    out.par_chunks_mut(size)
        .zip(x.data().par_chunks(size))
        .for_each(|(out, x)| normalize_rows(isa, x, &by, out));
    Tensor::new(x.shape(), out)
}

pub(super) fn gradient(
    isa: Isa,
    dy: &Tensor,
    x: &Tensor,
    by: &Normalization<'_, Tensor>,
    clamp: Clamp,
) -> NormalizationGradient<Tensor> {
    let (channels, rows) = channels_and_rows(x);
    let by = Channels::new(by, clamp);
    let sums = over_rows(x.data(), channels, 2 * channels, |at, x, sums| {
        parameter_rows(isa, x, &dy.data()[at..at + x.len()], &by, sums);
    });
    let means: Vec<f32> = sums.iter().map(|sum| sum / rows as f32).collect();
    let mut out = vec![0.0; x.data().len()];
    let size = ROWS_CHUNK * channels;
    out.par_chunks_mut(size)
        .zip(x.data().par_chunks(size))
        .zip(dy.data().par_chunks(size))
        .for_each(|((out, x), dy)| input_rows(isa, x, dy, &by, &means, out));
    NormalizationGradient {
        x: Tensor::new(x.shape(), out),
        gamma: Tensor::new(&[channels], sums[channels..].to_vec()),
        beta: Tensor::new(&[channels], sums[..channels].to_vec()),
    }
}
