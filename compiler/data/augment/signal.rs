//! Signals: rows that follow one another in time.

use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use sha2::{Digest, Sha256};

use super::{below, either, full_scale, unit};
use crate::data::table::Element;
use crate::tensor::math::cos_pi;

/// Random bytes whose sum makes one number of white noise.
const BYTES: usize = 4;
/// The mean of their sum.
const BYTES_MEAN: f32 = 510.0;
/// Its deviation: a uniform byte has the variance `(256^2 - 1) / 12`, four have `21845`.
const BYTES_DEVIATION: f32 = 147.800_54;
/// What sound counts as at least when white noise is measured against it, of full scale.
const SILENCE: f32 = 0.01;
/// Of ten samples, so many get some of the background.
const MIXED_OF_TEN: usize = 8;

/// Recordings that are mixed into samples. Cloning one shares them.
#[derive(Clone, Debug, PartialEq)]
pub struct Background {
    name: String,
    recordings: Arc<Vec<Vec<f32>>>,
    hash: String,
}

impl Background {
    /// Recordings in the unit of the samples: 16-bit numbers as floats, at the samples' rate. `name` is what a message
    /// calls them. `None` when none holds a value; those that hold none are left out.
    pub fn new(name: &str, mut recordings: Vec<Vec<f32>>) -> Option<Background> {
        recordings.retain(|recording| !recording.is_empty());
        if recordings.is_empty() {
            return None;
        }
        let mut hash = Sha256::new();
        for recording in &recordings {
            hash.update((recording.len() as u64).to_le_bytes());
            recording.iter().for_each(|x| hash.update(x.to_le_bytes()));
        }
        let hash = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Background { name: name.to_owned(), recordings: Arc::new(recordings), hash })
    }

    /// What a message calls them.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SHA-256, in hexadecimal, of all recordings in their order.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// See `Augment::Noise`.
    pub(super) fn mix(&self, sample: &mut [f32], row: usize, share: f32, random: &mut ChaCha8Rng) {
        let silent = sample.iter().all(|&x| x == 0.0);
        let mixed = below(random, 10) < MIXED_OF_TEN;
        let recording = &self.recordings[below(random, self.recordings.len())];
        let start = below(random, recording.len());
        let volume = unit(random) * if silent { 1.0 } else { share };
        if share == 0.0 || !(mixed || silent) {
            return;
        }
        let (mut rest, mut from) = (sample, start);
        while !rest.is_empty() {
            let count = (recording.len() - from).min(rest.len() / row);
            let (now, later) = rest.split_at_mut(count * row);
            for (values, &sound) in now.chunks_exact_mut(row).zip(&recording[from..]) {
                values.iter_mut().for_each(|x| *x += volume * sound);
            }
            (rest, from) = (later, 0);
        }
    }
}

/// Moves rows of `row` values by `offset` of them, at most as many as there are.
pub(super) fn shift(sample: &mut [f32], row: usize, offset: isize, element: Element) {
    let rows = sample.len() / row;
    let far = offset.unsigned_abs().min(rows);
    if far == 0 {
        return;
    }
    let (kept, moved) = ((rows - far) * row, far * row);
    // The row at the edge is still in its place after the others have moved.
    let (edge, empty) = if offset > 0 {
        sample.copy_within(..kept, moved);
        (0, 0..far)
    } else {
        sample.copy_within(moved.., 0);
        (rows - 1, rows - far..rows)
    };
    if element == Element::I16 {
        sample[empty.start * row..empty.end * row].fill(0.0);
    } else {
        empty.for_each(|index| sample.copy_within(edge * row..(edge + 1) * row, index * row));
    }
}

/// Adds white noise of `level` times the deviation of each channel.
pub(super) fn white_noise(
    sample: &mut [f32],
    channels: usize,
    level: f32,
    element: Element,
    random: &mut ChaCha8Rng,
    scratch: &mut Vec<f32>,
) {
    if level == 0.0 {
        return;
    }
    let least = if element == Element::I16 { SILENCE * full_scale(element) } else { 0.0 };
    let scale = |deviation: f32| deviation.max(least) * level / BYTES_DEVIATION;
    scratch.clear();
    scratch.extend((0..channels).map(|channel| scale(deviation(sample, channel, channels))));
    // Whole blocks of the stream, one value for every four bytes.
    let mut bytes = [0; 256 * BYTES];
    let mut scales = scratch.iter().cycle();
    for values in sample.chunks_mut(256) {
        let bytes = &mut bytes[..values.len() * BYTES];
        random.fill_bytes(bytes);
        let noise = bytes.chunks_exact(BYTES).map(|four| {
            let sum: i32 = four.iter().map(|&byte| i32::from(byte)).sum();
            sum as f32 - BYTES_MEAN
        });
        match scratch.as_slice() {
            &[scale] => values.iter_mut().zip(noise).for_each(|(x, noise)| *x += scale * noise),
            _ => values.iter_mut().zip(noise).zip(&mut scales).for_each(|((x, noise), s)| *x += s * noise),
        }
    }
}

/// The deviation of a channel about its mean.
fn deviation(sample: &[f32], channel: usize, channels: usize) -> f32 {
    // With a constant distance the compiler makes vector code of the most common case.
    if channels == 1 { strided_deviation(sample, 0, 1) } else { strided_deviation(sample, channel, channels) }
}

#[inline(always)]
fn strided_deviation(sample: &[f32], channel: usize, channels: usize) -> f32 {
    let count = (sample.len() / channels) as f64;
    let mean = strided_sum(sample, channel, channels, |x| x) / count;
    let square = strided_sum(sample, channel, channels, |x| (x - mean) * (x - mean)) / count;
    square.sqrt() as f32
}

/// A sum in F64 over a channel, in a fixed order: eight sums side by side, then these.
#[inline(always)]
fn strided_sum(sample: &[f32], channel: usize, channels: usize, of: impl Fn(f64) -> f64) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0f64; LANES];
    let mut blocks = sample.chunks_exact(LANES * channels);
    for block in &mut blocks {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += of(f64::from(block[lane * channels + channel]));
        }
    }
    for (row, sum) in blocks.remainder().chunks_exact(channels).zip(&mut sums) {
        *sum += of(f64::from(row[channel]));
    }
    sums.iter().sum()
}

/// Adds to each row of `row` values the one before it, `factor` times; the first has none.
pub(super) fn tilt(sample: &mut [f32], row: usize, factor: f32) {
    // From the end, so that the row before is still as it was.
    for at in (row..sample.len()).rev() {
        sample[at] += factor * sample[at - row];
    }
}

/// Plays rows of `row` values `factor` times as fast, about their middle.
pub(super) fn speed(sample: &mut [f32], row: usize, factor: f32, element: Element, scratch: &mut Vec<f32>) {
    scratch.clear();
    scratch.extend_from_slice(sample);
    // With a constant length the compiler makes better code of the most common case.
    if row == 1 {
        resample(sample, scratch, 1, f64::from(factor), element);
    } else {
        resample(sample, scratch, row, f64::from(factor), element);
    }
}

#[inline(always)]
fn resample(sample: &mut [f32], from: &[f32], row: usize, factor: f64, element: Element) {
    let last = from.len() / row - 1;
    let end = last as f64;
    let start = end / 2.0 - end / 2.0 * factor;
    for (index, values) in sample.chunks_exact_mut(row).enumerate() {
        let place = start + index as f64 * factor;
        if element == Element::I16 && (place < 0.0 || place > end) {
            values.fill(0.0);
            continue;
        }
        let place = place.clamp(0.0, end);
        let first = (place as usize).min(last);
        let second = (first + 1).min(last);
        let way = (place - first as f64) as f32;
        for (value, x) in values.iter_mut().enumerate() {
            let (before, after) = (from[first * row + value], from[second * row + value]);
            *x = before + (after - before) * way;
        }
    }
}

/// A direction, uniform on the sphere: that of a point that is uniform in the ball.
pub(super) fn axis(random: &mut ChaCha8Rng) -> [f32; 3] {
    loop {
        let point = [either(random), either(random), either(random)];
        let square = point.iter().map(|x| x * x).sum::<f32>();
        // So near to the middle a direction would be coarse.
        if (1e-4..=1.0).contains(&square) {
            let length = square.sqrt();
            return point.map(|x| x / length);
        }
    }
}

/// The matrix of a turn by an angle in `0..=180` degrees about an axis of length 1.
///
/// Source: O. Rodrigues (1840): `I + sin(angle) K + (1 - cos(angle)) K^2`, where `K` is the axis's cross product.
pub(super) fn rotation([x, y, z]: [f32; 3], degrees: f32) -> [[f32; 3]; 3] {
    let turn = f64::from(degrees) / 180.0;
    let (sine, cosine) = (cos_pi((turn - 0.5).abs()) as f32, cos_pi(turn) as f32);
    let rest = 1.0 - cosine;
    [
        [cosine + x * x * rest, x * y * rest - z * sine, x * z * rest + y * sine],
        [y * x * rest + z * sine, cosine + y * y * rest, y * z * rest - x * sine],
        [z * x * rest - y * sine, z * y * rest + x * sine, cosine + z * z * rest],
    ]
}

/// Turns every group of three channels.
pub(super) fn rotate(sample: &mut [f32], channels: usize, matrix: &[[f32; 3]; 3]) {
    for pixel in sample.chunks_exact_mut(channels) {
        for group in pixel.chunks_exact_mut(3) {
            let turned = matrix.map(|[x, y, z]| x * group[0] + y * group[1] + z * group[2]);
            group.copy_from_slice(&turned);
        }
    }
}
