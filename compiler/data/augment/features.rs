//! Masks of standardised features: what is masked looks like the mean.

use rand_chacha::ChaCha8Rng;

use super::below;

/// How many of `extent` in a row are masked, at most `most`, and where the first is.
fn draw(extent: usize, most: usize, random: &mut ChaCha8Rng) -> (usize, usize) {
    let length = below(random, most.min(extent) + 1);
    (below(random, extent - length + 1), length)
}

/// See `Augment::TimeMask`.
pub(super) fn mask_rows(sample: &mut [f32], extents: [usize; 3], most: usize, random: &mut ChaCha8Rng) {
    let [height, width, channels] = extents;
    let (first, length) = draw(height, most, random);
    let row = width * channels;
    sample[first * row..(first + length) * row].fill(0.0);
}

/// See `Augment::FrequencyMask`.
pub(super) fn mask_bands(sample: &mut [f32], extents: [usize; 3], most: usize, random: &mut ChaCha8Rng) {
    let [_, width, channels] = extents;
    let (bands, band) = if width == 1 { (channels, 1) } else { (width, channels) };
    let (first, length) = draw(bands, most, random);
    for row in sample.chunks_exact_mut(width * channels) {
        row[first * band..(first + length) * band].fill(0.0);
    }
}
