//! Random changes of training samples.
//!
//! In: one sample as the sensor gives it, or its standardised features, and a stream of random numbers that belongs to
//! this sample in this epoch. Out: the same sample, changed in place, as long as before; raw bytes and 16-bit numbers
//! stay what they are. The same stream gives the same bits on every machine: sums, products, quotients and square
//! roots alone, in a fixed order, and [`crate::tensor::math`]. A change whose share, length or angle is 0 changes
//! nothing. Deliberately not done here: what needs two samples (mixup), which belongs to batches, and reading the
//! recordings of a [`Background`].

mod features;
mod picture;
mod signal;
#[cfg(test)]
mod tests;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::data::table::Element;

pub use signal::Background;

/// Where a change belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// On what the sensor gives, before the front end.
    Raw,
    /// On standardised features, of which 0 is the mean.
    Features,
}

/// A random change. Samples have the extents height or time, width, channels, with channels innermost; a row is all
/// values of one moment, or one line of a picture. Each number that is drawn is drawn once for a whole sample,
/// uniformly and with both ends, unless it says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub enum Augment {
    /// Moves the rows by a whole number of them in `-samples..=samples`, forth where it is positive. Silence moves into
    /// sound; into anything else the row at the edge, repeated. More rows than the sample has count as all of them.
    Shift {
        /// Rows, at most.
        samples: usize,
    },
    /// Adds noise.
    ///
    /// Without a background it is white: sums of four random bytes, which are normal but for tails that end at 3.45
    /// deviations, scaled to a deviation of a number in `0..=share` times that of the channel (its own, about its mean).
    /// A channel of sound counts as at least as loud as 1 % of full scale, so that silence gets noise too. A constant
    /// channel of anything else stays.
    ///
    /// With a background, 8 of 10 samples get an excerpt of a recording, times a number in `0..=share`; recording and
    /// place are drawn uniformly, and a recording that is too short goes round. `share` thus is relative to the
    /// recording as it is, neither to the sample nor to the recording's own loudness: this is `background_volume`, with
    /// a `background_frequency` of 0.8, of TensorFlow's example `speech_commands`, and so is what becomes of silence: a
    /// sample of nothing but zeros always gets an excerpt, times a number in `0..=1`. All values of a row get the
    /// same.
    Noise {
        /// Deviation or volume, at most.
        share: f32,
        /// What is mixed in instead of white noise.
        background: Option<Background>,
    },
    /// Multiplies all values by a number in `1 - share..=1 + share`.
    Gain {
        /// So much louder or softer, at most.
        share: f32,
    },
    /// Adds to each row the one before it times a number in `-share..=share`: the sound of another microphone or line.
    /// What changes slowly gets `1 + a` times as large and what changes from row to row `1 - a` times: with `a` of a
    /// third the lowest frequencies gain 6 dB on the highest.
    Tilt {
        /// Of the row before, at most; below 1.
        share: f32,
    },
    /// Sets neighbouring rows to 0: a number of them in `0..=rows` (and at most all), at a place that is uniform among
    /// those where they fit.
    ///
    /// Source: D. S. Park et al., SpecAugment, arXiv:1904.08779, section 2.
    TimeMask {
        /// Rows, at most.
        rows: usize,
    },
    /// The same for neighbouring columns; where there is but one column, for neighbouring channels.
    FrequencyMask {
        /// Columns, at most.
        bands: usize,
    },
    /// Plays rows by a factor in `1 - share..=1 + share` faster, about the middle of the sample, between rows linearly.
    /// Before the first and after the last row there is silence in sound, in anything else the row at the edge.
    Speed {
        /// So much faster or slower, at most.
        share: f32,
    },
    /// Mirrors the columns in 1 of 2 samples.
    Flip,
    /// Cuts a window of `1 - s` times height and width, `s` in `0..=share`, not only at whole pixels, at a place that
    /// is uniform in both directions, and brings it back to size bilinearly.
    Crop {
        /// Of height and width, at most.
        share: f32,
    },
    /// Adds a number in `-share..=share` times full scale to all values: 255 for bytes, 32767 for 16 bits, 1 for floats.
    Brightness {
        /// Of full scale, at most.
        share: f32,
    },
    /// Turns every group of three channels (x, y, z of acceleration, of rotation rate) by one rotation: the axis is
    /// uniform on the sphere, the angle in `0..=degrees`. Channels that are left over stay.
    Rotate {
        /// The angle, at most; beyond 180 there is nothing new.
        degrees: f32,
    },
}

impl Augment {
    /// Where it belongs.
    pub fn stage(&self) -> Stage {
        match self {
            Augment::TimeMask { .. } | Augment::FrequencyMask { .. } => Stage::Features,
            Augment::Shift { .. }
            | Augment::Noise { .. }
            | Augment::Gain { .. }
            | Augment::Tilt { .. }
            | Augment::Speed { .. }
            | Augment::Flip
            | Augment::Crop { .. }
            | Augment::Brightness { .. }
            | Augment::Rotate { .. } => Stage::Raw,
        }
    }

    /// Changes a sample of the given extents. Raw values are brought back to what `element` can hold: rounded, halves
    /// away from zero, and clamped. Of features, `element` says nothing. `scratch` is room that it may use.
    ///
    /// # Panics
    /// When the sample has another length than the extents say.
    pub fn apply(
        &self,
        sample: &mut [f32],
        extents: [usize; 3],
        element: Element,
        random: &mut ChaCha8Rng,
        scratch: &mut Vec<f32>,
    ) {
        assert_eq!(sample.len(), extents.iter().product::<usize>(), "a sample of {extents:?}");
        if sample.is_empty() {
            return;
        }
        self.draw_and_change(sample, extents, element, random, scratch);
        if self.stage() == Stage::Raw {
            settle(sample, element);
        }
    }

    fn draw_and_change(
        &self,
        sample: &mut [f32],
        extents: [usize; 3],
        element: Element,
        random: &mut ChaCha8Rng,
        scratch: &mut Vec<f32>,
    ) {
        let [height, width, channels] = extents;
        match self {
            Augment::Shift { samples } => {
                let most = (*samples).min(height);
                let place = below(random, 2 * most + 1);
                signal::shift(sample, width * channels, place as isize - most as isize, element);
            }
            Augment::Noise { share, background: None } => {
                signal::white_noise(sample, channels, share * unit(random), element, random, scratch);
            }
            Augment::Noise { share, background: Some(background) } => {
                background.mix(sample, width * channels, *share, random);
            }
            Augment::Gain { share } => {
                let factor = 1.0 + share * either(random);
                sample.iter_mut().for_each(|x| *x *= factor);
            }
            Augment::Tilt { share } => signal::tilt(sample, width * channels, share * either(random)),
            Augment::TimeMask { rows } => features::mask_rows(sample, extents, *rows, random),
            Augment::FrequencyMask { bands } => features::mask_bands(sample, extents, *bands, random),
            Augment::Speed { share } => {
                signal::speed(sample, width * channels, 1.0 + share * either(random), element, scratch);
            }
            Augment::Flip => {
                if below(random, 2) == 1 {
                    picture::mirror(sample, extents);
                }
            }
            Augment::Crop { share } => {
                let cut = share * unit(random);
                picture::crop(sample, extents, cut, [unit(random), unit(random)], scratch);
            }
            Augment::Brightness { share } => {
                let light = share * either(random) * full_scale(element);
                sample.iter_mut().for_each(|x| *x += light);
            }
            Augment::Rotate { degrees } => {
                let axis = signal::axis(random);
                let angle = degrees.clamp(0.0, 180.0) * unit(random);
                signal::rotate(sample, channels, &signal::rotation(axis, angle));
            }
        }
    }

    /// A text that two changes share if and only if the same stream makes the same of the same samples.
    pub fn canonical(&self) -> String {
        match self {
            Augment::Shift { samples } => format!("shift 1 {samples}"),
            Augment::Noise { share, background: None } => format!("noise 1 {share}"),
            Augment::Noise { share, background: Some(background) } => {
                format!("noise 1 {share} {}", background.hash())
            }
            Augment::Gain { share } => format!("gain 1 {share}"),
            Augment::Tilt { share } => format!("tilt 1 {share}"),
            Augment::TimeMask { rows } => format!("time_mask 1 {rows}"),
            Augment::FrequencyMask { bands } => format!("frequency_mask 1 {bands}"),
            Augment::Speed { share } => format!("speed 1 {share}"),
            Augment::Flip => "flip 1".to_owned(),
            Augment::Crop { share } => format!("crop 1 {share}"),
            Augment::Brightness { share } => format!("brightness 1 {share}"),
            Augment::Rotate { degrees } => format!("rotate 1 {degrees}"),
        }
    }
}

/// The largest value of an element; 1 for floats, which have no scale of their own.
fn full_scale(element: Element) -> f32 {
    match element {
        Element::U8 => 255.0,
        Element::I16 => 32_767.0,
        Element::F32 => 1.0,
    }
}

/// Brings values back to what an element can hold.
fn settle(sample: &mut [f32], element: Element) {
    match element {
        Element::U8 => round(sample, 0.0, 255.0),
        Element::I16 => round(sample, -32_768.0, 32_767.0),
        Element::F32 => {}
    }
}

/// Rounds halves away from zero and clamps, without a branch, so that it becomes vector code; `f32::round` is a call.
fn round(sample: &mut [f32], low: f32, high: f32) {
    /// `1.5 * 2^23`: adding and subtracting it rounds to the nearest integer, halves to the even one.
    const ROUNDER: f32 = 12_582_912.0;
    for x in sample {
        let clamped = x.clamp(low, high);
        let even = (clamped + ROUNDER) - ROUNDER;
        let away = if clamped < 0.0 { -0.5 } else { 0.5 };
        *x = if clamped - even == away { even + 2.0 * away } else { even };
    }
}

/// Uniform in `0..n`, `n` at least 1: of 2^64 streams, one value gets at most one more than another.
fn below(random: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(random.next_u64()) * n as u128) >> 64) as usize
}

/// Uniform in `0..=1`, in steps of about `2^-24`.
fn unit(random: &mut ChaCha8Rng) -> f32 {
    (random.next_u32() >> 8) as f32 / 16_777_215.0
}

/// Uniform in `-1..=1`.
fn either(random: &mut ChaCha8Rng) -> f32 {
    2.0 * unit(random) - 1.0
}
