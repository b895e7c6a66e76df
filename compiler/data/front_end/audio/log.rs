//! The binary logarithm of an energy, in fixed point.
//!
//! In: an energy of 64 bits and the fraction bits `f` of its unit. Out: `log2(1 + energy / 2^f)` with 9 fraction
//! bits. With `e = energy + 2^f`, `n` its leading zeros and `m` the upper 32 bits of `e << n`: `i = (m >> 26) & 31`
//! chooses a piece, `t = (m >> 10) & 65535` the place in it, `y = T[i] + (((T[i + 1] - T[i]) * t) >> 16)`, and the
//! result is `((63 - n - f) << 9) + ((y + 32) >> 6)`. `T[i]` is `log2(1 + i / 32)` with 15 fraction bits. The straight
//! pieces are up to 0.00018 below the curve, a tenth of a step.

/// Fraction bits of a logarithm.
pub(super) const FRACTION: u32 = 9;
/// Pieces of the table.
pub(super) const PIECES: usize = 32;

/// `log2(1 + i / 32)` with 15 fraction bits.
#[rustfmt::skip]
pub(super) const LOG_TABLE: [u16; PIECES + 1] = [
    0, 1455, 2866, 4236, 5568, 6863, 8124, 9352, 10549, 11716, 12855,
    13968, 15055, 16117, 17156, 18173, 19168, 20143, 21098, 22034, 22952, 23852,
    24736, 25604, 26455, 27292, 28114, 28922, 29717, 30498, 31267, 32024, 32768,
];

/// `log2(1 + energy / 2^floor)` with 9 fraction bits; the energy is below `2^62`.
#[inline]
pub(super) fn log2(energy: u64, floor: u32) -> i16 {
    let sum = energy + (1 << floor);
    let zeros = sum.leading_zeros();
    let mantissa = ((sum << zeros) >> 32) as u32;
    let piece = (mantissa >> 26 & 31) as usize;
    let place = mantissa >> 10 & 0xffff;
    let (from, to) = (u32::from(LOG_TABLE[piece]), u32::from(LOG_TABLE[piece + 1]));
    let fraction = from + (((to - from) * place) >> 16);
    (((63 - zeros - floor) << FRACTION) + ((fraction + 32) >> (15 - FRACTION))) as i16
}
