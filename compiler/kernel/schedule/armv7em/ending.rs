//! What a sum is brought to: three endings, of which a layer takes the shortest that is exact for its multipliers.

use super::assembler::Assembler;
use crate::ops::Clamp;
use crate::tensor::arith::Multiplier;

/// The greatest shift to the right for which `(1 + 2 * zero point) << shift` and its sum with a doubled accumulator's
/// product stay within 32 bits.
const MAX_RIGHT: i32 = 22;

/// An ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::kernel) enum Ending {
    /// Everything below zero becomes -128, so that the rounding of negative values does not matter.
    Relu,
    /// Both signs, all values from -128 to 127, and a shift to the right.
    Signed,
    /// Any shift and any range.
    General,
}

impl Ending {
    /// Number of endings.
    pub(super) const COUNT: usize = 3;

    /// That of a layer with a clamp, for an output's zero point and range: of the first two the one that goes with the
    /// clamp, if it is exact. So an untrained network, which has no scales yet, is given what it will have.
    pub(in crate::kernel) fn of(
        clamp: Clamp,
        multipliers: &[Multiplier],
        zero: i32,
        range: [i32; 2],
    ) -> Ending {
        let right = |least: i32| multipliers.iter().all(|multiplier| -multiplier.shift >= least);
        match Ending::expected(clamp) {
            Ending::Relu if range == [-128, 127] && zero == -128 && right(0) => Ending::Relu,
            Ending::Signed if range == [-128, 127] && right(1) => Ending::Signed,
            _ => Ending::General,
        }
    }

    /// That of a layer whose scales are not known yet.
    pub(in crate::kernel) fn expected(clamp: Clamp) -> Ending {
        match clamp {
            Clamp::None => Ending::Signed,
            Clamp::Relu | Clamp::Relu6 => Ending::Relu,
        }
    }

    /// What its functions' names end in.
    pub(super) fn name(self) -> &'static str {
        match self {
            Ending::Relu => "relu",
            Ending::Signed => "signed",
            Ending::General => "general",
        }
    }
}

/// Whether doubled sums with this multiplier, of accumulators up to `bound`, stay within 32 bits in any ending.
pub(in crate::kernel) fn is_exact(bound: i64, multiplier: Multiplier) -> bool {
    let left = multiplier.shift.max(0);
    multiplier.shift >= -MAX_RIGHT && bound.checked_mul(2 << left).is_some_and(|sum| sum < 1 << 31)
}

/// The shifts of a channel as the functions take them: to the right, and to the left 16 bits higher.
pub(in crate::kernel) fn shifts(multiplier: Multiplier) -> i32 {
    multiplier.shift.min(0).abs() | multiplier.shift.max(0) << 16
}

/// Where the general ending finds its constants.
#[derive(Clone, Copy)]
pub(super) struct Slots {
    /// Shift to the left.
    pub(super) left: u64,
    /// All ones where there is a shift to the right, else 0.
    pub(super) flag: u64,
    /// Least value.
    pub(super) low: u64,
    /// Greatest value.
    pub(super) high: u64,
}

/// Brings a doubled sum to its output, in place. `scale` is a register with the mantissa, `round` one with half of
/// the last place and the zero point, `right` one with the shift; the general ending also takes `free`, whose value is
/// lost.
pub(super) fn finish(
    assembler: &mut Assembler,
    ending: Ending,
    sum: &str,
    [scale, round, right, free]: [&str; 4],
    slots: Slots,
) {
    match ending {
        Ending::Relu => assembler.lines(&format!(
            "smmlar {sum}, {sum}, {scale}, {round}; asr {sum}, {sum}, {right}; ssat {sum}, #8, {sum}"
        )),
        Ending::Signed => assembler.lines(&format!(
            "smmulr {sum}, {sum}, {scale}; add {sum}, {sum}, {sum}, asr #31; add {sum}, {sum}, {round}; \
             asr {sum}, {sum}, {right}; ssat {sum}, #8, {sum}"
        )),
        Ending::General => {
            assembler.get(free, slots.left);
            assembler.lines(&format!("lsl {sum}, {sum}, {free}; smmulr {sum}, {sum}, {scale}"));
            assembler.get(free, slots.flag);
            assembler.lines(&format!(
                "and {free}, {free}, {sum}, asr #31; add {sum}, {sum}, {free}; add {sum}, {sum}, {round}; \
                 asr {sum}, {sum}, {right}"
            ));
            limit(assembler, sum, free, [slots.low, slots.high]);
        }
    }
}

/// Brings a value between those of two slots, by the help of `free`.
pub(super) fn limit(assembler: &mut Assembler, value: &str, free: &str, [low, high]: [u64; 2]) {
    for (slot, condition) in [(low, "lt"), (high, "gt")] {
        assembler.get(free, slot);
        assembler.lines(&format!("cmp {value}, {free}; it {condition}; mov{condition} {value}, {free}"));
    }
}
