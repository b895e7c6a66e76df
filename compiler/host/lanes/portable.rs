//! Vectors in plain Rust.

use super::{Feed, Lanes, narrow_by_lanes};

#[derive(Clone, Copy)]
pub(in crate::host) struct Portable([i32; 4]);

impl Portable {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(i32, i32) -> i32) -> Self {
        Portable(std::array::from_fn(|lane| f(self.0[lane], b.0[lane])))
    }
}

// SAFETY: of the whole implementation: pointers are those that the trait's functions state.
impl Lanes for Portable {
    const N: usize = 4;
    const FEED: Feed = Feed::Halves;
    const VECTORS: usize = 2;

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        Portable([x; 4])
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        Portable(unsafe { from.cast::<[i32; 4]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        unsafe { to.cast::<[i32; 4]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn widen(from: *const i8) -> Self {
        Portable(unsafe { from.cast::<[i8; 4]>().read_unaligned() }.map(i32::from))
    }

    #[inline(always)]
    unsafe fn narrow(self, to: *mut i8, n: usize) {
        unsafe { narrow_by_lanes(&self.0, to, n) }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self.zip(b, i32::wrapping_add)
    }

    #[inline(always)]
    unsafe fn subtract(self, b: Self) -> Self {
        self.zip(b, i32::wrapping_sub)
    }

    #[inline(always)]
    unsafe fn and(self, b: Self) -> Self {
        self.zip(b, |a, b| a & b)
    }

    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        self.zip(b, i32::max)
    }

    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        self.zip(b, i32::min)
    }

    #[inline(always)]
    unsafe fn left(self, by: Self) -> Self {
        self.zip(by, |x, by| x.wrapping_shl(by as u32))
    }

    #[inline(always)]
    unsafe fn right(self, by: Self) -> Self {
        self.zip(by, |x, by| x.wrapping_shr(by as u32))
    }

    #[inline(always)]
    unsafe fn high(self, b: Self) -> Self {
        self.zip(b, |a, b| ((i64::from(a) * i64::from(b) + (1 << 30)) >> 31) as i32)
    }

    #[inline(always)]
    unsafe fn dot(self, x: Self, w: Self) -> Self {
        let low = |word: i32| i32::from(word as i16);
        let products = x.zip(w, |x, w| low(x) * low(w) + (x >> 16) * (w >> 16));
        unsafe { self.add(products) }
    }

    #[inline(always)]
    fn factor(weight: i8) -> i32 {
        weight.into()
    }

    #[inline(always)]
    unsafe fn multiply_add(self, x: Self, w: Self) -> Self {
        unsafe { self.add(x.zip(w, i32::wrapping_mul)) }
    }
}
