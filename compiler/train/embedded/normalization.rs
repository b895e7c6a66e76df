//! Batch normalisation: statistics, forward pass, gradients.

#![expect(unsafe_code, reason = "the innermost loops")]

use super::arena::Scratch;
use super::isa::kernels;
use super::simd::Lanes;
use super::tasks::{self, ELEMENT};
use super::tile::{Out, load, reach};
use super::tree::tree_in_place;
use super::{EmbeddedEngine, Tensor};
use crate::ops::Clamp;
use crate::train::engine::{Normalization, NormalizationGradient, ROWS_CHUNK};

/// Neighbouring rows that are summed side by side in a chunk: rows 0, 2, 4... and rows 1, 3, 5...
const STRANDS: usize = 2;

/// Rows of channels, with a vector's width behind the last.
#[derive(Clone, Copy)]
struct Rows<'r> {
    floats: &'r [f32],
    rows: usize,
    channels: usize,
}

impl<'r> Rows<'r> {
    /// Chunk `index` of the rows of a tensor.
    fn chunk(x: &'r Tensor, index: usize) -> Rows<'r> {
        let (channels, rows) = channels_and_rows(x);
        let first = index * ROWS_CHUNK;
        Rows { floats: &x.floats()[first * channels..], rows: ROWS_CHUNK.min(rows - first), channels }
    }

    /// The first of `width` channels from `channel` on.
    fn pointer(&self, channel: usize, width: usize) -> *const f32 {
        let reach = reach([self.rows.max(1), 1], [self.channels, 0], channel + width);
        assert!(reach <= self.floats.len(), "rows of {} channels", self.channels);
        self.floats[channel..].as_ptr()
    }
}

/// What rows are normalised with, each a vector longer than `[C]`.
struct Channels<'c> {
    mean: &'c [f32],
    gamma: &'c [f32],
    beta: &'c [f32],
    /// `1 / sqrt(variance + epsilon)`, then `gamma` times that, then room for two sums: `[4, width]`.
    derived: Scratch<'c>,
    width: usize,
    clamp: Clamp,
}

impl<'c> Channels<'c> {
    fn new(engine: &'c EmbeddedEngine, by: &Normalization<'c, Tensor>, clamp: Clamp) -> Channels<'c> {
        let channels = by.mean.data().len();
        let parameters = [by.mean, by.variance, by.gamma, by.beta];
        assert!(parameters.iter().all(|one| one.shape() == [channels]), "a number for each channel");
        let width = channels.next_multiple_of(64);
        let mut derived = Scratch::new(&engine.arena, 4 * width);
        let floats = derived.floats_mut();
        floats[..4 * width].fill(0.0);
        for (channel, variance) in by.variance.data().iter().enumerate() {
            let rate = 1.0 / (variance + by.epsilon).sqrt();
            floats[channel] = rate;
            floats[width + channel] = by.gamma.data()[channel] * rate;
        }
        let [mean, gamma, beta] = [by.mean, by.gamma, by.beta].map(Tensor::floats);
        Channels { mean, gamma, beta, derived, width, clamp }
    }

    fn row(&self, index: usize) -> &[f32] {
        &self.derived.floats()[index * self.width..]
    }
}

/// Vectors of channels that advance together.
const VECTORS: usize = 2;

/// Calls a function with the first channel of every group of vectors, `VECTORS` at a time while there are as many.
macro_rules! groups {
    ($lanes:ident, $channels:expr, $function:ident($($argument:expr),*)) => {
        let channels: usize = $channels;
        let mut first = 0;
        while first < channels {
            if first + VECTORS * $lanes::N <= channels {
                $function::<$lanes, VECTORS>($($argument,)* first);
                first += VECTORS * $lanes::N;
            } else {
                $function::<$lanes, 1>($($argument,)* first);
                first += $lanes::N;
            }
        }
    };
}

kernels! {
    /// Mean and sum of squared distances from it of each channel: `[2, C]`.
    fn moments(x: Rows<'_>, out: Out<'_>) = moments_of;
    /// Normalises rows.
    fn normalize(x: Rows<'_>, by: &Channels<'_>, out: Out<'_>) = normalize_of;
    /// Sums of both parameters' gradients, `beta` then `gamma`: `[2, C]`; `dy` are the gradients of the rows.
    fn parameter_sums(x: Rows<'_>, dy: &[f32], by: &Channels<'_>, out: Out<'_>) = parameter_sums_of;
    /// The gradient of rows.
    fn input_rows(x: Rows<'_>, dy: &[f32], by: &Channels<'_>, out: Out<'_>) = input_rows_of;
}

/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn moments_of<L: Lanes>(x: Rows<'_>, out: Out<'_>) {
    // SAFETY: that of the caller.
    unsafe {
        groups!(L, x.channels, moments_group(x, out));
    }
}

/// Both strands of `V` vectors from 0 on, added: of the elements, or of the squares of their distances from a mean.
#[inline(always)]
unsafe fn strands<L: Lanes, const V: usize>(x: Rows<'_>, first: usize, mean: Option<[L; V]>) -> [L; V] {
    let mut row = x.pointer(first, V * L::N);
    // SAFETY: that of the caller; `pointer` checked the reach.
    unsafe {
        let mut sums = [[L::splat(0.0); V]; STRANDS];
        let mut left = x.rows;
        while left > 0 {
            for sums in sums.iter_mut().take(left) {
                for v in 0..V {
                    let x = L::load(row.add(v * L::N));
                    sums[v] = match mean {
                        None => sums[v].add(x),
                        Some(mean) => {
                            let d = x.subtract(mean[v]);
                            d.fma(d, sums[v])
                        }
                    };
                }
                row = row.wrapping_add(x.channels);
            }
            left = left.saturating_sub(STRANDS);
        }
        let [mut sum, odd] = sums;
        for v in 0..V {
            sum[v] = sum[v].add(odd[v]);
        }
        sum
    }
}

#[inline(always)]
unsafe fn moments_group<L: Lanes, const V: usize>(x: Rows<'_>, out: Out<'_>, first: usize) {
    // SAFETY: that of the caller; the extents are checked where they are used.
    unsafe {
        let mut mean: [L; V] = strands(x, first, None);
        let share = L::splat(1.0 / x.rows as f32);
        for mean in &mut mean {
            *mean = mean.multiply(share);
        }
        let squares: [L; V] = strands(x, first, Some(mean));
        for v in 0..V {
            let at = first + v * L::N;
            out.from(at).store(mean[v], x.channels - at);
            out.from(x.channels + at).store(squares[v], x.channels - at);
        }
    }
}

/// The vectors of a parameter from a channel on.
#[inline(always)]
unsafe fn vectors<L: Lanes, const V: usize>(parameter: &[f32], first: usize) -> [L; V] {
    let parameter = &parameter[first..first + V * L::N];
    // SAFETY: that of the caller; the slice has the elements.
    unsafe { load(parameter.as_ptr()) }
}

#[inline(always)]
unsafe fn bounds<L: Lanes>(clamp: Clamp) -> (L, L) {
    let (low, high) = clamp.bounds();
    // SAFETY: that of the caller.
    unsafe { (L::splat(low), L::splat(high)) }
}

/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn normalize_of<L: Lanes>(x: Rows<'_>, by: &Channels<'_>, out: Out<'_>) {
    // SAFETY: that of the caller.
    unsafe {
        groups!(L, x.channels, normalize_group(x, by, out));
    }
}

#[inline(always)]
unsafe fn normalize_group<L: Lanes, const V: usize>(
    x: Rows<'_>,
    by: &Channels<'_>,
    out: Out<'_>,
    first: usize,
) {
    let width = (V * L::N).min(x.channels - first);
    let mut row = x.pointer(first, V * L::N);
    let mut to = out.rows(first, x.rows, x.channels, width);
    // SAFETY: that of the caller; `pointer` and `rows` checked the reach.
    unsafe {
        let (mean, rate): ([L; V], [L; V]) = (vectors(by.mean, first), vectors(by.row(0), first));
        let (gamma, beta): ([L; V], [L; V]) = (vectors(by.gamma, first), vectors(by.beta, first));
        let (low, high) = bounds::<L>(by.clamp);
        for _ in 0..x.rows {
            for v in 0..V {
                let x = L::load(row.add(v * L::N));
                let y = x.subtract(mean[v]).multiply(rate[v]).fma(gamma[v], beta[v]).clamp(low, high);
                store(y, to.add(v * L::N), width - v * L::N);
            }
            row = row.wrapping_add(x.channels);
            to = to.wrapping_add(x.channels);
        }
    }
}

/// The lanes below `left`.
#[inline(always)]
unsafe fn store<L: Lanes>(y: L, to: *mut f32, left: usize) {
    // SAFETY: that of the caller.
    unsafe { if left >= L::N { y.store(to) } else { y.store_first(to, left) } }
}

/// What passes a clamp to which `y` came; all of it where there is none.
#[inline(always)]
unsafe fn through<L: Lanes>(dy: L, y: L, (low, high): (L, L), clamp: Clamp) -> L {
    // SAFETY: that of the caller.
    if clamp == Clamp::None { dy } else { unsafe { dy.within(y, low, high) } }
}

/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn parameter_sums_of<L: Lanes>(x: Rows<'_>, dy: &[f32], by: &Channels<'_>, out: Out<'_>) {
    // SAFETY: that of the caller.
    unsafe {
        groups!(L, x.channels, parameter_sums_group(x, dy, by, out));
    }
}

#[inline(always)]
unsafe fn parameter_sums_group<L: Lanes, const V: usize>(
    x: Rows<'_>,
    dy: &[f32],
    by: &Channels<'_>,
    out: Out<'_>,
    first: usize,
) {
    let mut row = x.pointer(first, V * L::N);
    let mut gradient = Rows { floats: dy, ..x }.pointer(first, V * L::N);
    // SAFETY: that of the caller; `pointer` checked the reach.
    unsafe {
        let (mean, rate): ([L; V], [L; V]) = (vectors(by.mean, first), vectors(by.row(0), first));
        let (gamma, beta): ([L; V], [L; V]) = (vectors(by.gamma, first), vectors(by.beta, first));
        let limits = bounds::<L>(by.clamp);
        let mut sums = [[[L::splat(0.0); V]; 2]; STRANDS];
        let mut left = x.rows;
        while left > 0 {
            for sums in sums.iter_mut().take(left) {
                for v in 0..V {
                    let (x, dy) = (L::load(row.add(v * L::N)), L::load(gradient.add(v * L::N)));
                    let normal = x.subtract(mean[v]).multiply(rate[v]);
                    let g = through(dy, normal.fma(gamma[v], beta[v]), limits, by.clamp);
                    sums[0][v] = sums[0][v].add(g);
                    sums[1][v] = g.fma(normal, sums[1][v]);
                }
                row = row.wrapping_add(x.channels);
                gradient = gradient.wrapping_add(x.channels);
            }
            left = left.saturating_sub(STRANDS);
        }
        let [even, odd] = sums;
        for (which, (even, odd)) in even.into_iter().zip(odd).enumerate() {
            for (v, (even, odd)) in even.into_iter().zip(odd).enumerate() {
                let at = first + v * L::N;
                out.from(which * x.channels + at).store(even.add(odd), x.channels - at);
            }
        }
    }
}

/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn input_rows_of<L: Lanes>(x: Rows<'_>, dy: &[f32], by: &Channels<'_>, out: Out<'_>) {
    // SAFETY: that of the caller.
    unsafe {
        groups!(L, x.channels, input_rows_group(x, dy, by, out));
    }
}

#[inline(always)]
unsafe fn input_rows_group<L: Lanes, const V: usize>(
    x: Rows<'_>,
    dy: &[f32],
    by: &Channels<'_>,
    out: Out<'_>,
    first: usize,
) {
    let width = (V * L::N).min(x.channels - first);
    let mut row = x.pointer(first, V * L::N);
    let mut gradient = Rows { floats: dy, ..x }.pointer(first, V * L::N);
    let mut to = out.rows(first, x.rows, x.channels, width);
    // SAFETY: that of the caller; `pointer` and `rows` checked the reach.
    unsafe {
        let (mean, rate): ([L; V], [L; V]) = (vectors(by.mean, first), vectors(by.row(0), first));
        let (gamma, beta): ([L; V], [L; V]) = (vectors(by.gamma, first), vectors(by.beta, first));
        let factor: [L; V] = vectors(by.row(1), first);
        let (dbeta, dgamma): ([L; V], [L; V]) = (vectors(by.row(2), first), vectors(by.row(3), first));
        let limits = bounds::<L>(by.clamp);
        for _ in 0..x.rows {
            for v in 0..V {
                let (x, dy) = (L::load(row.add(v * L::N)), L::load(gradient.add(v * L::N)));
                let normal = x.subtract(mean[v]).multiply(rate[v]);
                let g = through(dy, normal.fma(gamma[v], beta[v]), limits, by.clamp);
                let dx = factor[v].multiply(normal.fma(dgamma[v], g.subtract(dbeta[v])));
                store(dx, to.add(v * L::N), width - v * L::N);
            }
            row = row.wrapping_add(x.channels);
            gradient = gradient.wrapping_add(x.channels);
            to = to.wrapping_add(x.channels);
        }
    }
}

fn channels_and_rows(x: &Tensor) -> (usize, usize) {
    let channels = *x.shape().last().expect("a dimension of channels");
    (channels, x.data().len() / channels)
}

pub(super) fn statistics(engine: &EmbeddedEngine, x: &Tensor) -> (Tensor, Tensor) {
    let (channels, rows) = channels_and_rows(x);
    let chunks = rows.div_ceil(ROWS_CHUNK);
    let mut parts = Scratch::new(&engine.arena, chunks * 2 * channels);
    let parts = &mut parts.floats_mut()[..chunks * 2 * channels];
    tasks::chunks(ELEMENT * x.data().len(), parts, 2 * channels, |chunk, out| {
        moments(engine.isa, Rows::chunk(x, chunk), Out::new(out));
    });
    merge_moments(parts, channels, rows);
    let (mut mean, mut variance) = (engine.fresh(&[channels]), engine.fresh(&[channels]));
    mean.data_mut().copy_from_slice(&parts[..channels]);
    let of_all = variance.data_mut().iter_mut().zip(&parts[channels..2 * channels]);
    of_all.for_each(|(variance, squares)| *variance = squares / rows as f32);
    (mean, variance)
}

/// Merges the moments of chunks, `[chunks, 2, C]`, in pairs of neighbours until one is left, the first.
fn merge_moments(parts: &mut [f32], channels: usize, rows: usize) {
    let size = 2 * channels;
    let chunks = parts.len() / size;
    let mut distance = 1;
    while distance < chunks {
        for left in (0..chunks - distance).step_by(2 * distance) {
            let before = (distance * ROWS_CHUNK) as f32;
            let end = ((left + 2 * distance) * ROWS_CHUNK).min(rows);
            let behind = (end - (left + distance) * ROWS_CHUNK) as f32;
            let share = behind / (before + behind);
            let (front, back) = parts.split_at_mut((left + distance) * size);
            let (left, right) = (&mut front[left * size..][..size], &back[..size]);
            for channel in 0..channels {
                let delta = right[channel] - left[channel];
                left[channel] = delta.mul_add(share, left[channel]);
                let squares = left[channels + channel] + right[channels + channel];
                left[channels + channel] = (delta * delta).mul_add(before * share, squares);
            }
        }
        distance *= 2;
    }
}

pub(super) fn forward(
    engine: &EmbeddedEngine,
    x: &Tensor,
    by: &Normalization<'_, Tensor>,
    clamp: Clamp,
) -> Tensor {
    let (channels, _) = channels_and_rows(x);
    assert_eq!(by.mean.shape(), [channels], "channels of a batch normalisation");
    let by = Channels::new(engine, by, clamp);
    let mut out = engine.fresh(x.shape());
    tasks::chunks(ELEMENT * x.data().len(), out.data_mut(), ROWS_CHUNK * channels, |chunk, out| {
        normalize(engine.isa, Rows::chunk(x, chunk), &by, Out::new(out));
    });
    out
}

pub(super) fn gradient(
    engine: &EmbeddedEngine,
    dy: &Tensor,
    x: &Tensor,
    by: &Normalization<'_, Tensor>,
    clamp: Clamp,
) -> NormalizationGradient<Tensor> {
    let (channels, rows) = channels_and_rows(x);
    assert_eq!(dy.shape(), x.shape(), "the gradient of a batch normalisation");
    assert_eq!(by.mean.shape(), [channels], "channels of a batch normalisation");
    let mut by = Channels::new(engine, by, clamp);
    let chunks = rows.div_ceil(ROWS_CHUNK);
    let mut parts = Scratch::new(&engine.arena, chunks * 2 * channels);
    let parts = &mut parts.floats_mut()[..chunks * 2 * channels];
    tasks::chunks(2 * ELEMENT * x.data().len(), parts, 2 * channels, |chunk, out| {
        parameter_sums(engine.isa, Rows::chunk(x, chunk), Rows::chunk(dy, chunk).floats, &by, Out::new(out));
    });
    tree_in_place(parts, 2 * channels);
    let (mut beta, mut gamma) = (engine.fresh(&[channels]), engine.fresh(&[channels]));
    beta.data_mut().copy_from_slice(&parts[..channels]);
    gamma.data_mut().copy_from_slice(&parts[channels..2 * channels]);
    let width = by.width;
    let derived = by.derived.floats_mut();
    for channel in 0..channels {
        derived[2 * width + channel] = parts[channel] / rows as f32;
        derived[3 * width + channel] = -(parts[channels + channel] / rows as f32);
    }
    let mut out = engine.fresh(x.shape());
    tasks::chunks(2 * ELEMENT * x.data().len(), out.data_mut(), ROWS_CHUNK * channels, |chunk, out| {
        input_rows(engine.isa, Rows::chunk(x, chunk), Rows::chunk(dy, chunk).floats, &by, Out::new(out));
    });
    NormalizationGradient { x: out, gamma, beta }
}
