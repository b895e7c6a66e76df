//! Vectors of 32-bit integers: what all kernels are written in, once for each instruction set.
//!
//! Every operation is exact on each lane by itself, so how many lanes there are changes no result.

#![expect(unsafe_code, reason = "vectors are instructions that not every processor has")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod sse41;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::{Avx2, AvxVnni};
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(super) use neon::{Neon, NeonDot};
pub(super) use portable::Portable;
#[cfg(target_arch = "x86_64")]
pub(super) use sse41::Sse41;

/// Lanes of the widest vector.
pub(super) const MAX_LANES: usize = 16;

/// What a word of 32 bits holds of the inputs of a product, whose weights have as many elements of the same size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// Four bytes without sign, each 128 more than what it stands for; weights have a sign.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "x86 alone multiplies bytes without sign")
    )]
    Unsigned,
    /// Four bytes with sign.
    #[cfg_attr(not(target_arch = "aarch64"), expect(dead_code, reason = "Arm alone multiplies signed bytes"))]
    Signed,
    /// Two elements of 16 bits.
    Halves,
}

impl Feed {
    /// Elements of a word.
    pub(super) const fn group(self) -> usize {
        match self {
            Feed::Unsigned | Feed::Signed => 4,
            Feed::Halves => 2,
        }
    }

    /// Bytes of an element.
    pub(super) const fn bytes(self) -> usize {
        4 / self.group()
    }

    /// What is added to an input.
    pub(super) const fn offset(self) -> i32 {
        match self {
            Feed::Unsigned => 128,
            Feed::Signed | Feed::Halves => 0,
        }
    }
}

/// A vector of `N` integers of 32 bits; sums and products wrap.
///
/// # Safety
/// Every function needs a processor that has the instructions: they are called below a function that
/// [`kernels!`](super::level::kernels) makes, and nowhere else. Those with a pointer need the elements that they
/// state, at any alignment.
pub(super) trait Lanes: Copy {
    /// Lanes; at most [`MAX_LANES`].
    const N: usize;
    /// How products take their inputs.
    const FEED: Feed;
    /// Vectors of filters that advance together in a product, at most.
    const VECTORS: usize;

    unsafe fn splat(x: i32) -> Self;

    /// `N` words.
    unsafe fn load(from: *const i32) -> Self;

    /// `N` words.
    unsafe fn store(self, to: *mut i32);

    /// `N` bytes with sign.
    unsafe fn widen(from: *const i8) -> Self;

    /// Saturates to bytes with sign and writes the first `n <= N` of them.
    unsafe fn narrow(self, to: *mut i8, n: usize);

    unsafe fn add(self, b: Self) -> Self;

    unsafe fn subtract(self, b: Self) -> Self;

    unsafe fn and(self, b: Self) -> Self;

    unsafe fn max(self, b: Self) -> Self;

    unsafe fn min(self, b: Self) -> Self;

    /// By as many bits as each lane of `by` says, 0 to 31.
    unsafe fn left(self, by: Self) -> Self;

    /// As `left`, to the right with sign.
    unsafe fn right(self, by: Self) -> Self;

    /// `(self * b + 2^30) >> 31` in 64 bits: [`rounding_doubling_high_mul`](crate::tensor::arith) where not both are
    /// `i32::MIN`.
    unsafe fn high(self, b: Self) -> Self;

    /// `self` and the sum of products of a word's elements, whose form [`Lanes::FEED`] says.
    unsafe fn dot(self, x: Self, w: Self) -> Self;

    /// The word that [`Lanes::multiply_add`] takes for a weight.
    fn factor(weight: i8) -> i32;

    /// `self + x * w`, for `x` of 16 bits and `w` made by [`Lanes::factor`].
    unsafe fn multiply_add(self, x: Self, w: Self) -> Self;
}

/// Writes the first bytes of a vector that is stored in full.
#[inline(always)]
unsafe fn narrow_by_lanes(lanes: &[i32], to: *mut i8, n: usize) {
    for (at, &lane) in lanes[..n].iter().enumerate() {
        // SAFETY: the caller has room for `n` bytes.
        unsafe { to.add(at).write(lane.clamp(-128, 127) as i8) };
    }
}
