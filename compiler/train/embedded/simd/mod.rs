//! Vectors of floats: what all kernels are written in, once for each instruction set.
//!
//! Every operation is an IEEE 754 operation on each lane by itself, correctly rounded, so how many lanes there
//! are changes no result. Kernels are generic over [`Lanes`]; [`kernels!`](super::isa::kernels) compiles each for
//! every instruction set and chooses when it runs.

#![expect(unsafe_code, reason = "vectors are instructions that not every processor has")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(super) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(super) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(super) use neon::Neon;
pub(super) use portable::Portable;

/// A vector of `N` floats.
///
/// # Safety
/// Every function needs a processor that has the instructions: they are called below a function that
/// [`kernels!`](super::isa::kernels) makes, and nowhere else. Those with a pointer need the elements that they
/// state, at any alignment.
pub(super) trait Lanes: Copy {
    /// Lanes.
    const N: usize;
    /// Vectors of a result that advance together in a product; with their rows and operands they fill the
    /// registers. See [`Lanes::tile`].
    const VECTORS: usize;

    unsafe fn splat(x: f32) -> Self;

    /// `N` elements.
    unsafe fn load(from: *const f32) -> Self;

    /// `N` elements.
    unsafe fn store(self, to: *mut f32);

    /// The first `n <= N` elements, the other lanes 0.
    unsafe fn load_first(from: *const f32, n: usize) -> Self;

    /// The first `n <= N` lanes.
    unsafe fn store_first(self, to: *mut f32, n: usize);

    /// `self * b + c`, rounded once.
    unsafe fn fma(self, b: Self, c: Self) -> Self;

    unsafe fn add(self, b: Self) -> Self;

    unsafe fn subtract(self, b: Self) -> Self;

    unsafe fn multiply(self, b: Self) -> Self;

    /// `low` where `self < low`, `high` where then `self > high`; what is no number stays so.
    unsafe fn clamp(self, low: Self, high: Self) -> Self;

    /// `self` where `low < y < high`, 0 elsewhere.
    unsafe fn within(self, y: Self, low: Self, high: Self) -> Self;

    /// Runs [`tile`](super::tile::tile) with these vectors and the rows that go with them.
    unsafe fn tile(vectors: usize, tile: &super::tile::Tile<'_>);

    /// Runs [`outer`](super::outer::outer) with these vectors and the rows that go with them.
    unsafe fn outer(vectors: usize, outer: &super::outer::Outer<'_>);
}

/// Dispatches to the sizes of tiles that fill the registers of an instruction set: for each number of vectors the
/// number of rows.
macro_rules! tiles {
    ($($vectors:literal => $rows:literal,)*) => {
        #[inline(always)]
        unsafe fn tile(vectors: usize, tile: &crate::train::embedded::tile::Tile<'_>) {
            match vectors {
                // SAFETY: the caller has the instructions and keeps what `Tile` states.
                $($vectors => unsafe { crate::train::embedded::tile::tile::<Self, $rows, $vectors>(tile) },)*
                _ => unreachable!("tiles have at most `VECTORS` vectors"),
            }
        }

        #[inline(always)]
        unsafe fn outer(vectors: usize, outer: &crate::train::embedded::outer::Outer<'_>) {
            match vectors {
                // SAFETY: the caller has the instructions and keeps what `Outer` states.
                $($vectors => unsafe { crate::train::embedded::outer::outer::<Self, $rows, $vectors>(outer) },)*
                _ => unreachable!("tiles have at most `VECTORS` vectors"),
            }
        }
    };
}
use tiles;
