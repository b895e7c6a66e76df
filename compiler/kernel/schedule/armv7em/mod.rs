//! Armv7E-M with the DSP extension: micro-kernels in assembly, and what they mean.
//!
//! Sums of the [`tile`], of [`depthwise`] and of [`windows`] are twice the accumulator, since their activations are
//! doubled when they are widened: `SMMULR` then gives the first rounding of a requantization in one instruction,
//! `(2 * acc * mantissa + 2^31) >> 32`, and `SMMLAR` adds the half of the second one besides.

pub(in crate::kernel) mod add;
pub(in crate::kernel) mod assembler;
pub(in crate::kernel) mod dense;
pub(in crate::kernel) mod depthwise;
pub(super) mod dot;
pub(in crate::kernel) mod ending;
pub(in crate::kernel) mod meaning;
pub(in crate::kernel) mod pack;
pub(in crate::kernel) mod pool;
pub(in crate::kernel) mod tile;
pub(in crate::kernel) mod windows;
