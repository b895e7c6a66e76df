//! Sound from one rate to another, to the same bits on every machine.
//!
//! In: 16-bit samples at one rate. Out: 16-bit samples at another; one at each of its moments before the end of the
//! recording, outside of which there is silence. A windowed sinc is tabulated for every phase that the two rates have
//! to each other. The table is made of IEEE operations alone and rounded to integers that add up to one exactly, so
//! that constant sound stays as it is; filtering is done in integers. Up to 92 % of half the lower rate sound passes,
//! beyond half the lower rate it is damped by 80 dB. Deliberately not done here: mending of clipped sound.
//!
//! Source  J. F. Kaiser, "Nonrecursive digital filter design using the I0-sinh window function" (1974).

use crate::data::limits;
use crate::tensor::math;

/// Zeros of the sinc to each side.
const ZEROS: f64 = 64.0;
/// Where the sinc cuts, of half the lower rate: the middle of the transition, whose end is half the lower rate.
const CUT: f64 = 0.96;
/// Kaiser's parameter for 80 dB.
const BETA: f64 = 7.857;
/// Bits behind the point of coefficients.
const BITS: u32 = 30;
/// Coefficients of a table at most.
const COEFFICIENTS: usize = 1 << 22;

/// From one rate to another.
#[derive(Debug)]
pub(super) struct Resampler {
    /// Moments of the output for `down` of the input, without common factor.
    up: usize,
    down: usize,
    /// Coefficients of a phase.
    taps: usize,
    /// `taps` for each of the `up` phases.
    table: Vec<i32>,
}

impl Resampler {
    /// Makes the table; both rates are at least 1.
    ///
    /// # Errors
    /// What to say of rates whose table would be too large.
    pub(super) fn new(from: u32, to: u32) -> Result<Resampler, String> {
        let common = gcd(from, to).max(1);
        let (up, down) = ((to / common) as usize, (from / common) as usize);
        // Of the input's, the share of half the rate that passes.
        let share = (up as f64 / down as f64).min(1.0);
        let reach = ZEROS / share;
        let half = reach.ceil() as usize;
        let taps = 2 * half;
        if taps.checked_mul(up).is_none_or(|count| count > COEFFICIENTS) {
            return Err(format!("{from} Hz and {to} Hz have too small a common divisor ({common} Hz)"));
        }
        let mut table = Vec::with_capacity(taps * up);
        for phase in 0..up {
            let offset = phase as f64 / up as f64;
            let weights: Vec<f64> = (0..taps)
                .map(|tap| {
                    let time = tap as f64 - (half as f64 - 1.0) - offset;
                    sinc(time * share * CUT) * kaiser(time / reach)
                })
                .collect();
            table.extend(normalized(&weights));
        }
        Ok(Resampler { up, down, taps, table })
    }

    /// Samples at the new rate, for so many at the old one.
    pub(super) fn length(&self, samples: usize) -> Option<usize> {
        let length = samples.checked_mul(self.up)?.div_ceil(self.down);
        (length <= limits::VALUES).then_some(length)
    }

    /// The recording at the new rate; `None` if it gets longer than [`limits::VALUES`]. Halves are rounded up.
    pub(super) fn run(&self, samples: &[i16]) -> Option<Vec<i16>> {
        let length = self.length(samples.len())?;
        let before = self.taps / 2 - 1;
        let mut padded = vec![0i16; before];
        padded.extend_from_slice(samples);
        padded.resize(samples.len() + before + self.taps, 0);
        let mut result = Vec::with_capacity(length);
        let (mut at, mut phase) = (0, 0);
        for _ in 0..length {
            let coefficients = &self.table[phase * self.taps..(phase + 1) * self.taps];
            let window = &padded[at..at + self.taps];
            let sum: i64 = window.iter().zip(coefficients).map(|(&x, &c)| i64::from(x) * i64::from(c)).sum();
            let rounded = (sum + (1 << (BITS - 1))) >> BITS;
            result.push(rounded.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16);
            phase += self.down;
            at += phase / self.up;
            phase %= self.up;
        }
        Some(result)
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// `sin(pi x) / (pi x)`.
fn sinc(x: f64) -> f64 {
    let x = x.abs();
    if x < 1e-9 {
        return 1.0;
    }
    let whole = x.floor();
    let sine = math::cos_pi((x - whole - 0.5).abs());
    let sign = if whole % 2.0 == 0.0 { 1.0 } else { -1.0 };
    sign * sine / (std::f64::consts::PI * x)
}

/// Kaiser's window over -1 to 1, 0 outside, without its constant factor.
fn kaiser(x: f64) -> f64 {
    let inside = 1.0 - x * x;
    if inside < 0.0 {
        return 0.0;
    }
    // The modified Bessel function of order 0 as its series; the last term is below 1e-18 of the sum.
    let quarter = BETA * BETA * inside / 4.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for n in 1..=40 {
        term *= quarter / f64::from(n * n);
        sum += term;
    }
    sum
}

/// Integers in proportion to `weights` that add up to one exactly.
fn normalized(weights: &[f64]) -> Vec<i32> {
    let one = 1i64 << BITS;
    let sum: f64 = weights.iter().sum();
    let mut rounded: Vec<i64> = weights.iter().map(|w| (w / sum * one as f64).round() as i64).collect();
    let rest = one - rounded.iter().sum::<i64>();
    if let Some(largest) = rounded.iter_mut().max_by_key(|c| **c) {
        *largest += rest;
    }
    rounded.into_iter().map(|c| i32::try_from(c).expect("no coefficient is beyond one and a half")).collect()
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    const RATES: [u32; 7] = [8_000, 11_025, 16_000, 22_050, 32_000, 44_100, 48_000];

    fn sine(frequency: f64, rate: u32, length: usize) -> Vec<f64> {
        (0..length).map(|i| 20_000.0 * (TAU * frequency * i as f64 / f64::from(rate)).sin()).collect()
    }

    /// A second of it, resampled.
    fn resampled(frequency: f64, from: u32, to: u32) -> Vec<i16> {
        let samples: Vec<i16> =
            sine(frequency, from, from as usize).into_iter().map(|x| x.round() as i16).collect();
        Resampler::new(from, to).unwrap().run(&samples).unwrap()
    }

    /// Energy away from both ends, where silence begins.
    fn energy(values: impl Iterator<Item = f64>, length: usize) -> f64 {
        values.skip(length / 8).take(length * 3 / 4).map(|x| x * x).sum()
    }

    fn decibels(of: f64, to: f64) -> f64 {
        10.0 * (of / to).log10()
    }

    #[test]
    fn a_sine_stays_a_sine() {
        for from in RATES {
            for to in RATES {
                for frequency in [1_000.0, 3_500.0] {
                    let found = resampled(frequency, from, to);
                    assert_eq!(found.len(), to as usize, "a second is a second");
                    let ideal = sine(frequency, to, found.len());
                    let signal = energy(ideal.iter().copied(), found.len());
                    let errors = found.iter().zip(&ideal).map(|(&x, y)| f64::from(x) - y);
                    let noise = energy(errors, found.len());
                    assert!(
                        decibels(signal, noise) > 70.0,
                        "{from} to {to}, {frequency} Hz: {}",
                        decibels(signal, noise)
                    );
                }
            }
        }
    }

    #[test]
    fn what_the_new_rate_cannot_hold_is_gone() {
        for from in RATES {
            for to in RATES.into_iter().filter(|&to| to < from) {
                for share in [0.5005, 0.6, 0.75, 0.99] {
                    let frequency = f64::from(to) * share;
                    if frequency > f64::from(from) * 0.49 {
                        continue;
                    }
                    let found = resampled(frequency, from, to);
                    let left = energy(found.iter().map(|&x| f64::from(x)), found.len());
                    let before = energy(sine(frequency, from, found.len()).into_iter(), found.len());
                    assert!(decibels(left, before) < -65.0, "{from} to {to}, {frequency} Hz");
                }
            }
        }
    }

    #[test]
    fn constant_sound_and_the_same_rate_are_exact() {
        for from in RATES {
            for to in RATES {
                let resampler = Resampler::new(from, to).unwrap();
                for phase in resampler.table.chunks(resampler.taps) {
                    assert_eq!(phase.iter().map(|&c| i64::from(c)).sum::<i64>(), 1 << BITS);
                }
                let found = resampler.run(&vec![-12_345; from as usize]).unwrap();
                let middle = &found[found.len() / 4..found.len() * 3 / 4];
                assert!(middle.iter().all(|&x| x == -12_345), "{from} to {to}");
            }
        }
        let resampler = Resampler::new(44_100, 16_000).unwrap();
        assert!(resampler.run(&[]).unwrap().is_empty());
        assert_eq!(resampler.run(&[i16::MIN; 3]).unwrap().len(), 2);
        assert!(Resampler::new(16_000, 44_101).is_err());
        assert!(Resampler::new(8_000, 16_000).unwrap().run(&[i16::MAX, i16::MIN].repeat(500)).is_some());
    }

    #[test]
    fn tables_are_the_same_everywhere() {
        // Bits of the table, so that a change of platform or compiler shows.
        let hash = |from, to| {
            let table = Resampler::new(from, to).unwrap().table;
            table.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, &c| {
                (hash ^ u64::from(c as u32)).wrapping_mul(0x0100_0000_01b3)
            })
        };
        let found = [hash(44_100, 16_000), hash(8_000, 16_000)];
        assert_eq!(found, [18_091_404_484_750_696_637, 1_696_971_605_161_396_921]);
    }
}
