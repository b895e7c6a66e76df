//! What the numbers of data are: ranges, silence, what is clipped.
//!
//! In: samples, one at a time. Out: figures. Nothing is kept but sums, in F64 and in the order of the samples.

use serde::Serialize;

use crate::data::{Collection, Dataset, Element};

/// Below this share of full scale, the root of the mean square of a recording counts as silence.
const SILENCE: f64 = 1e-4;
/// Full scale of 16 bits.
const FULL_SCALE: f64 = 32_768.0;
/// What a converter gives where the sound goes beyond what it can tell.
const CLIPPED: f32 = 32_767.0;
/// At most so many examples are named.
const EXAMPLES: usize = 3;

/// What values a number takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
    /// Deviation, that of the population.
    pub deviation: f64,
}

/// Of sound: what was recorded badly.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Sound {
    /// Recordings whose root of the mean square is below 1e-4 of full scale.
    pub silent: usize,
    /// Some of them.
    pub silent_examples: Vec<String>,
    /// Recordings that have a number at the end of the scale.
    pub clipped: usize,
    /// Some of them.
    pub clipped_examples: Vec<String>,
    /// Share of all numbers that is at the end of the scale.
    pub clipped_share: f64,
}

/// Sums of numbers about the first one, which keeps them small where all are far from 0.
#[derive(Clone, Copy, Debug)]
struct Sums {
    count: f64,
    about: f64,
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
}

impl Sums {
    const NONE: Sums =
        Sums { count: 0.0, about: 0.0, sum: 0.0, squares: 0.0, min: f64::INFINITY, max: f64::NEG_INFINITY };

    fn add(&mut self, x: f64) {
        if self.count == 0.0 {
            self.about = x;
        }
        let distance = x - self.about;
        self.count += 1.0;
        self.sum += distance;
        self.squares += distance * distance;
        self.min = self.min.min(x);
        self.max = self.max.max(x);
    }

    fn range(&self) -> Range {
        let count = self.count.max(1.0);
        let mean = self.sum / count;
        let variance = (self.squares / count - mean * mean).max(0.0);
        let (min, max) = if self.count == 0.0 { (0.0, 0.0) } else { (self.min, self.max) };
        Range { min, max, mean: self.about + mean, deviation: variance.sqrt() }
    }
}

/// The ranges of channels that have equally many numbers, as one.
fn together(channels: &[Range]) -> Range {
    let count = channels.len().max(1) as f64;
    let mean = channels.iter().map(|range| range.mean).sum::<f64>() / count;
    let variance =
        |range: &Range| range.deviation * range.deviation + (range.mean - mean) * (range.mean - mean);
    Range {
        min: channels.iter().map(|range| range.min).fold(f64::INFINITY, f64::min),
        max: channels.iter().map(|range| range.max).fold(f64::NEG_INFINITY, f64::max),
        mean,
        deviation: (channels.iter().map(variance).sum::<f64>() / count).sqrt(),
    }
}

/// What was measured of the samples as they are on disk.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// Of all numbers.
    pub(super) all: Range,
    /// Of each channel.
    pub(super) channels: Vec<Range>,
    /// Of sound.
    pub(super) sound: Option<Sound>,
}

/// Measures all samples of all parts.
pub(super) fn measure(data: &Collection, parts: [&Dataset; 3]) -> Measured {
    let [_, _, n_channels] = data.extents;
    let mut sums = vec![Sums::NONE; n_channels];
    let is_sound = data.rate.is_some() && data.table.element() == Element::I16;
    let mut sound = is_sound.then(Sound::default);
    let (mut numbers, mut at_end) = (0usize, 0usize);
    for part in parts {
        part.for_each(|index, sample| {
            for pixel in sample.chunks_exact(n_channels.max(1)) {
                pixel.iter().zip(&mut sums).for_each(|(&x, sum)| sum.add(f64::from(x)));
            }
            if let Some(sound) = &mut sound {
                numbers += sample.len();
                at_end += hear(sound, sample, || data.name(part.row(index)));
            }
        });
    }
    if let Some(sound) = &mut sound {
        sound.clipped_share = at_end as f64 / numbers.max(1) as f64;
    }
    let channels: Vec<Range> = sums.iter().map(Sums::range).collect();
    Measured { all: together(&channels), channels, sound }
}

/// Counts what is silent or clipped; gives how many numbers are at the end of the scale.
fn hear(sound: &mut Sound, sample: &[f32], name: impl Fn() -> String) -> usize {
    let power = sample.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>() / sample.len().max(1) as f64;
    let at_end = sample.iter().filter(|x| x.abs() >= CLIPPED).count();
    if power.sqrt() < SILENCE * FULL_SCALE {
        sound.silent += 1;
        if sound.silent_examples.len() < EXAMPLES {
            sound.silent_examples.push(name());
        }
    }
    if at_end > 0 {
        sound.clipped += 1;
        if sound.clipped_examples.len() < EXAMPLES {
            sound.clipped_examples.push(name());
        }
    }
    at_end
}

/// The ranges of the numbers to predict, of all samples in a part.
pub(super) fn targets(parts: [&Dataset; 3]) -> Vec<Range> {
    let n = parts.iter().map(|part| part.n_numbers()).max().unwrap_or(0);
    let mut sums = vec![Sums::NONE; n];
    for row in parts.iter().flat_map(|part| part.numbers.chunks_exact(n.max(1))) {
        row.iter().zip(&mut sums).for_each(|(&x, sum)| sum.add(f64::from(x)));
    }
    sums.iter().map(Sums::range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Population moments by their definition, in two passes.
    fn by_definition(values: &[f64]) -> (f64, f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt())
    }

    #[test]
    fn ranges_are_those_of_the_definition_also_far_from_zero() {
        for about in [0.0, -3.0, 1e7] {
            let values: Vec<f64> = (0..1000).map(|i| about + f64::from(i * i % 97)).collect();
            let mut sums = [Sums::NONE; 2];
            values.iter().enumerate().for_each(|(i, &x)| sums[i % 2].add(x));
            let found = together(&[sums[0].range(), sums[1].range()]);
            let (mean, deviation) = by_definition(&values);
            assert!((found.mean - mean).abs() <= 1e-9 * (1.0 + mean.abs()), "{found:?} {mean}");
            assert!((found.deviation - deviation).abs() < 1e-6, "{found:?} {deviation}");
            assert_eq!((found.min, found.max), (about, about + 96.0));
        }
    }

    #[test]
    fn silence_and_clipping_are_counted() {
        let mut sound = Sound::default();
        for (level, expected) in [(0.0, 0), (3.0, 0), (4.0, 0), (32_767.0, 10), (-32_768.0, 10)] {
            assert_eq!(hear(&mut sound, &[level; 10], || level.to_string()), expected);
        }
        assert_eq!((sound.silent, sound.clipped), (2, 2));
        assert_eq!(sound.silent_examples, ["0", "3"]);
    }
}
