//! Layers with weights: how large their sums can be, and whether both sides round each of them alike.
//!
//! CONV_2D and DEPTHWISE_CONV_2D round by the arithmetic of [`Rounding::Double`]. FULLY_CONNECTED rounds once, as
//! [`Rounding::Single`] does, but its factor is the quotient of the scales in double, where ours has 31 bits: a sum
//! whose product lies within `2^-31` of its own size of a tie may be rounded to the other side. Which sums these are
//! is found one by one. A weight scale that is some units in the last place off moves the factor, mostly to one that
//! rounds every sum as ours does; the real numbers that the weights mean change by less than `2^-20` of their size.
//!
//! Source  LiteRT 2.3.0, reference kernels of CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED; golden vectors

use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, Quant, TensorType};

/// Units in the last place that a weight scale may be moved by.
const MOVES: u32 = 8;

/// A quantized layer with weights.
pub(super) struct Weighted<'a> {
    pub(super) x: &'a TensorType,
    pub(super) w: &'a TensorType,
    pub(super) output: &'a TensorType,
    /// The dimension of the weights that output channels count along.
    pub(super) axis: usize,
    pub(super) weights: &'a [i32],
    pub(super) bias: &'a [i32],
    /// For each channel the factor from its sum to its output.
    pub(super) multipliers: &'a [Multiplier],
    /// The least and the greatest output.
    pub(super) range: (i32, i32),
}

/// What the sum of a channel can be.
#[derive(Clone, Copy, Debug)]
struct Reach {
    low: i64,
    high: i64,
    /// What no part of the sum passes, in any order of its terms.
    bound: i64,
}

/// Scales of the weights of a FULLY_CONNECTED, and what is left.
#[derive(Debug)]
pub(super) struct Settled {
    /// The scales: as given where none had to be moved.
    pub(super) quant: Quant,
    /// Sums that LiteRT rounds to the other side, over all channels.
    pub(super) differing: u64,
    /// Sums that the channels can have, over all channels.
    pub(super) all: u64,
}

impl Settled {
    /// The scales of weights that need no other ones.
    pub(super) fn of(w: &TensorType) -> Result<Settled, String> {
        let quant = w.quant.clone().ok_or("its weights are no integers")?;
        Ok(Settled { quant, differing: 0, all: 0 })
    }
}

impl Weighted<'_> {
    fn channels(&self) -> usize {
        self.bias.len()
    }

    fn quants(&self) -> Result<[&Quant; 3], String> {
        match [&self.x.quant, &self.w.quant, &self.output.quant] {
            [Some(x), Some(w), Some(output)] => Ok([x, w, output]),
            _ => Err("its numbers are no integers".into()),
        }
    }

    /// For each channel what its sum can be, over all inputs.
    fn reaches(&self) -> Result<Vec<Reach>, String> {
        let [x, _, _] = self.quants()?;
        let (least, greatest) = DType::I8.range().unwrap_or((0, 0));
        let [least, greatest] = [least, greatest].map(|end| i64::from(end) - i64::from(x.zero_point));
        let start = |&bias: &i32| Reach { low: bias.into(), high: bias.into(), bound: i64::from(bias).abs() };
        let mut reaches: Vec<Reach> = self.bias.iter().map(start).collect();
        let inner: usize = self.w.shape.0[self.axis + 1..].iter().product();
        for (at, &weight) in self.weights.iter().enumerate() {
            let reach = &mut reaches[at / inner.max(1) % self.bias.len().max(1)];
            let ends = [least, greatest].map(|end| end * i64::from(weight));
            reach.low += ends[0].min(ends[1]);
            reach.high += ends[0].max(ends[1]);
            reach.bound += ends[0].abs().max(ends[1].abs());
        }
        Ok(reaches)
    }

    /// Refuses sums that may pass 32 bits, before or after their factor.
    pub(super) fn fits(&self, rounding: Rounding) -> Result<(), String> {
        let limit = i64::from(i32::MAX);
        for (channel, (reach, multiplier)) in self.reaches()?.iter().zip(self.multipliers).enumerate() {
            let left = multiplier.shift.max(0) as u32;
            let scaled = match rounding {
                Rounding::Double => reach.bound.saturating_mul(1 << left),
                Rounding::Single | Rounding::Wide | Rounding::Precise => {
                    (reach.bound as f64 * 2f64.powi(multiplier.shift)) as i64
                }
            };
            if reach.bound > limit || scaled > limit {
                return Err(format!(
                    "a sum of its output channel {channel} may pass 32 bits, and LiteRT adds in these"
                ));
            }
        }
        Ok(())
    }

    /// Whether FULLY_CONNECTED with the scales as they are rounds every sum as [`Rounding::Single`] does.
    pub(super) fn rounds_alike(&self) -> Result<bool, String> {
        let [x, w, output] = self.quants()?;
        let factor = |scale: f32| f64::from(x.scale(0)) * f64::from(scale) / f64::from(output.scale(0));
        let ending = Ending { zero_point: output.zero_point, range: self.range };
        let reaches = self.reaches()?;
        let mut channels = reaches.iter().zip(self.multipliers).enumerate();
        Ok(channels
            .all(|(at, (&reach, &ours))| ending.differing(reach, factor(w.scale(at)), ours, None) == 0))
    }

    /// Scales with which FULLY_CONNECTED rounds every sum as we do, as far as there are such.
    pub(super) fn settled(&self) -> Result<Settled, String> {
        let [x, w, output] = self.quants()?;
        let factor = |scale: f32| f64::from(x.scale(0)) * f64::from(scale) / f64::from(output.scale(0));
        let given = |channel: usize| w.scale(channel);
        let mut scales: Vec<f32> = (0..self.channels()).map(given).collect();
        let (mut differing, mut all) = (0, 0);
        for (channel, (&reach, &ours)) in self.reaches()?.iter().zip(self.multipliers).enumerate() {
            let ending = Ending { zero_point: output.zero_point, range: self.range };
            all += reach.high.abs_diff(reach.low) + 1;
            let left = ending.differing(reach, factor(scales[channel]), ours, None);
            if left == 0 {
                continue;
            }
            let bits = scales[channel].to_bits();
            let moves = (1..=MOVES).flat_map(|by| [bits.wrapping_add(by), bits.wrapping_sub(by)]);
            let fitting =
                moves.map(f32::from_bits).filter(|scale| scale.is_normal() && *scale > 0.0).find(|&scale| {
                    let factor = factor(scale);
                    // Who reads the file with nasc gives the same bytes too.
                    ending.differing(reach, factor, ours, Some(Multiplier::new(factor))) == 0
                });
            match fitting {
                Some(scale) => scales[channel] = scale,
                None => differing += left,
            }
        }
        let is_moved = (0..scales.len()).any(|channel| scales[channel].to_bits() != given(channel).to_bits());
        let quant = if is_moved { Quant::per_channel(scales, self.axis) } else { w.clone() };
        // One channel has one scale, which needs no dimension.
        let quant = if quant.scales.len() == 1 { Quant { axis: None, ..quant } } else { quant };
        Ok(Settled { quant, differing, all })
    }
}

/// From a scaled sum to an output.
#[derive(Clone, Copy)]
struct Ending {
    zero_point: i32,
    range: (i32, i32),
}

impl Ending {
    fn output(self, scaled: i32) -> i32 {
        scaled.saturating_add(self.zero_point).clamp(self.range.0, self.range.1)
    }

    /// How many sums of a channel have another output with LiteRT's factor than with ours; or than with `again`, the
    /// factor of who reads the file. All ways are monotone and all but equal, so that only sums next to ties have to be
    /// tried.
    fn differing(self, reach: Reach, factor: f64, ours: Multiplier, again: Option<Multiplier>) -> u64 {
        let differs = |sum: i64| {
            let by = |multiplier: Multiplier| self.output(multiplier.apply(sum as i32, Rounding::Single));
            let wanted = by(ours);
            let theirs = self.output((sum as f64 * factor).round() as i32);
            theirs != wanted || again.is_some_and(|again| by(again) != wanted)
        };
        let mut count = 0;
        let mut next = reach.low;
        for below in self.range.0 - self.zero_point..self.range.1 - self.zero_point {
            let tie = ((f64::from(below) + 0.5) / factor).round();
            if tie.abs() > f64::from(i32::MAX) {
                continue;
            }
            // A moved scale moves a tie by less than this.
            let around = 3 + (tie.abs() * f64::from(MOVES) * f64::from(f32::EPSILON)) as i64;
            let (first, last) = ((tie as i64 - around).max(next), (tie as i64 + around).min(reach.high));
            count += (first..=last).filter(|&sum| differs(sum)).count() as u64;
            next = next.max(last + 1);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A factor and a sum from LiteRT where 31 bits round to the other side: it gave -108, 31 bits give -109.
    #[test]
    fn sums_beside_ties_are_found() {
        let factor = 5.207_722_590_075_681e-7;
        let ours = Multiplier::new(factor);
        let sum = -208_344_431;
        assert_eq!((ours.apply(sum, Rounding::Single), (f64::from(sum) * factor).round()), (-109, -108.0));
        let ending = Ending { zero_point: 0, range: (-128, 127) };
        let at = |low: i64, high: i64| {
            ending.differing(Reach { low, high, bound: high.abs() }, factor, ours, None)
        };
        assert_eq!(at(-208_344_431, -208_344_431), 1);
        assert_eq!((at(-208_344_430, 0), at(-208_344_431, 0)), (3, 4));
        assert_eq!(at(-230_000_000, 230_000_000), 8);
    }

    /// All sums of small channels one by one, against the search beside ties.
    #[test]
    fn no_sum_is_overlooked() {
        let mut found = 0;
        for seed in 0..400u32 {
            let factor = 1e-5 * (1.0 + f64::from(seed.wrapping_mul(2_654_435_761)) / f64::from(u32::MAX));
            let ours = Multiplier::new(factor);
            let ending = Ending { zero_point: 5, range: (-128, 127) };
            let (low, high) = (-600_000, 700_000);
            let reach = Reach { low, high, bound: high };
            let plain = (low..=high).filter(|&sum| {
                let ours = ending.output(ours.apply(sum as i32, Rounding::Single));
                ours != ending.output((sum as f64 * factor).round() as i32)
            });
            let plain = plain.count() as u64;
            assert_eq!(ending.differing(reach, factor, ours, None), plain, "{factor}");
            found += plain;
            if seed == 20 && cfg!(debug_assertions) {
                break;
            }
        }
        assert!(found < 10_000);
    }

    #[test]
    fn scales_are_moved_where_that_helps() {
        let (mut moved, mut left, mut exact) = (0, 0, 0);
        for seed in 0..300 {
            let scale = |factor: u32, low: f32, high: f32| {
                let share = (factor.wrapping_mul(seed * 2 + 1).wrapping_mul(2_654_435_761) >> 8) as f32
                    / (1 << 24) as f32;
                low + (high - low) * share
            };
            let (sx, sw, sy) = (scale(1, 0.01, 0.1), scale(3, 0.0005, 0.002), scale(7, 0.05, 0.3));
            let x = TensorType::quantized(DType::I8, [1, 16], Quant::per_tensor(sx, -3));
            let w = TensorType::quantized(DType::I8, [1, 16], Quant::per_tensor(sw, 0));
            let output = TensorType::quantized(DType::I8, [1, 1], Quant::per_tensor(sy, 4));
            let multiplier = Multiplier::new(f64::from(sx) * f64::from(sw) / f64::from(sy));
            let layer = Weighted {
                x: &x,
                w: &w,
                output: &output,
                axis: 0,
                weights: &[100; 16],
                bias: &[5],
                multipliers: &[multiplier],
                range: (-128, 127),
            };
            let settled = layer.settled().expect("integers");
            assert_eq!(settled.all, 100 * 16 * 255 + 1);
            let by = settled.quant.scale(0).to_bits().abs_diff(sw.to_bits());
            assert!(by <= MOVES);
            moved += u32::from(by > 0);
            left += u32::from(settled.differing > 0);
            exact += u32::from(by == 0 && settled.differing == 0);
        }
        assert!(exact > 250 && moved > 0, "{exact} exact, {moved} moved, {left} left");
    }
}
