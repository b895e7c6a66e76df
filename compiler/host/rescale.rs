//! From sums to outputs, on vectors: [`Multiplier::apply`] with its two roundings, then zero point and clamp.

use super::lanes::{Lanes, MAX_LANES};
use crate::tensor::arith::{Multiplier, Rounding};

/// Sums below this, shifted to the left as their multiplier says, are rescaled exactly.
const LIMIT: i64 = 1 << 30;

/// Multipliers as vectors take them, one for each channel, padded to whole vectors with those that give 0.
#[derive(Clone, Debug)]
pub(super) struct Rescale {
    mantissa: Vec<i32>,
    left: Vec<i32>,
    right: Vec<i32>,
    /// Half of the last place that is kept.
    half: Vec<i32>,
    /// All ones where there is a shift to the right: there negative values round away from zero too.
    flag: Vec<i32>,
    shifts_left: bool,
}

impl Rescale {
    /// `None` where a sum of up to `bounds` could leave 32 bits on the way.
    pub(super) fn new(multipliers: &[Multiplier], bounds: &[i64]) -> Option<Rescale> {
        let holds = |(multiplier, bound): (&Multiplier, &i64)| {
            bound.checked_mul(1 << multiplier.shift.max(0)).is_some_and(|sum| sum < LIMIT)
        };
        if !multipliers.iter().zip(bounds).all(holds) {
            return None;
        }
        let padded = |of: &dyn Fn(&Multiplier) -> i32| -> Vec<i32> {
            let length = multipliers.len().next_multiple_of(MAX_LANES);
            let mut values: Vec<i32> = multipliers.iter().map(of).collect();
            values.resize(length, 0);
            values
        };
        Some(Rescale {
            mantissa: padded(&|m| m.value),
            left: padded(&|m| m.shift.max(0)),
            right: padded(&|m| (-m.shift).max(0)),
            half: padded(&|m| if m.shift < 0 { 1 << (-m.shift - 1) } else { 0 }),
            flag: padded(&|m| -i32::from(m.shift < 0)),
            shifts_left: multipliers.iter().any(|m| m.shift > 0),
        })
    }

    /// One multiplier for all lanes.
    pub(super) fn uniform(multiplier: Multiplier, bound: i64) -> Option<Rescale> {
        Rescale::new(&[multiplier; MAX_LANES], &[bound; MAX_LANES])
    }

    /// The sums of the channels from `at` on.
    ///
    /// # Safety
    /// `at + L::N` is within the padded channels.
    #[inline(always)]
    pub(super) unsafe fn apply<L: Lanes>(&self, sum: L, at: usize) -> L {
        debug_assert!(at + L::N <= self.mantissa.len(), "channels are padded");
        // SAFETY: of all pointers, that of the caller.
        unsafe {
            let load = |values: &[i32]| values.as_ptr().add(at);
            let sum = if self.shifts_left { sum.left(L::load(load(&self.left))) } else { sum };
            let high = sum.high(L::load(load(&self.mantissa)));
            let sign = high.right(L::splat(31)).and(L::load(load(&self.flag)));
            high.add(L::load(load(&self.half))).add(sign).right(L::load(load(&self.right)))
        }
    }
}

/// What follows: zero point and clamp.
#[derive(Clone, Copy, Debug)]
pub(super) struct Finish {
    /// Of the output.
    pub(super) zero_point: i32,
    /// Least and greatest output.
    pub(super) range: (i32, i32),
}

impl Finish {
    #[inline(always)]
    pub(super) unsafe fn apply<L: Lanes>(&self, x: L) -> L {
        // SAFETY: the caller may use `L`.
        unsafe { x.add(L::splat(self.zero_point)).max(L::splat(self.range.0)).min(L::splat(self.range.1)) }
    }

    fn one(&self, x: i32) -> i8 {
        x.saturating_add(self.zero_point).clamp(self.range.0, self.range.1) as i8
    }
}

/// From the sums of channels to their outputs.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// Rounded twice, on vectors.
    Vectors(Rescale, Finish),
    /// Rounded otherwise, one by one.
    Each(Vec<Multiplier>, Rounding, Finish),
}

impl Ending {
    pub(super) fn new(
        multipliers: Vec<Multiplier>,
        bounds: &[i64],
        rounding: Rounding,
        finish: Finish,
    ) -> Option<Ending> {
        match rounding {
            Rounding::Double => Some(Ending::Vectors(Rescale::new(&multipliers, bounds)?, finish)),
            Rounding::Single => Some(Ending::Each(multipliers, rounding, finish)),
            Rounding::Wide | Rounding::Precise => None,
        }
    }

    /// Writes the outputs of the first `n` channels from `at` on.
    ///
    /// # Safety
    /// There is room for `n` bytes, and there are `at + n` channels.
    #[inline(always)]
    pub(super) unsafe fn write<L: Lanes>(&self, sum: L, at: usize, to: *mut i8, n: usize) {
        // SAFETY: that of the caller.
        unsafe {
            match self {
                Ending::Vectors(rescale, finish) => {
                    finish.apply(rescale.apply(sum, at)).narrow(to, n);
                }
                Ending::Each(multipliers, rounding, finish) => {
                    let mut sums = [0; MAX_LANES];
                    sum.store(sums.as_mut_ptr());
                    for (lane, multiplier) in multipliers[at..at + n].iter().enumerate() {
                        to.add(lane).write(finish.one(multiplier.apply(sums[lane], *rounding)));
                    }
                }
            }
        }
    }
}
