//! Plain Rust: eight lanes. Right everywhere, and slow where the processor has no fused multiply-add.

use super::{Lanes, tiles};

/// Eight floats.
#[derive(Clone, Copy)]
pub(in crate::train::embedded) struct Portable([f32; 8]);

impl Portable {
    #[inline(always)]
    fn each(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Portable(std::array::from_fn(|lane| f(self.0[lane], b.0[lane])))
    }
}

// SAFETY of every block: the trait's callers own the elements.
impl Lanes for Portable {
    const N: usize = 8;
    const VECTORS: usize = 2;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Portable([x; 8])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Portable(unsafe { from.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { to.cast::<[f32; 8]>().write_unaligned(self.0) };
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        let mut lanes = [0.0f32; 8];
        unsafe { std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n) };
        Portable(lanes)
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        unsafe { std::ptr::copy_nonoverlapping(self.0.as_ptr(), to, n) };
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Portable(std::array::from_fn(|lane| self.0[lane].mul_add(b.0[lane], c.0[lane])))
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self.each(b, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn subtract(self, b: Self) -> Self {
        self.each(b, |a, b| a - b)
    }

    #[inline(always)]
    unsafe fn multiply(self, b: Self) -> Self {
        self.each(b, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn clamp(self, low: Self, high: Self) -> Self {
        let y = self.each(low, |y, low| if y < low { low } else { y });
        y.each(high, |y, high| if y > high { high } else { y })
    }

    #[inline(always)]
    unsafe fn within(self, y: Self, low: Self, high: Self) -> Self {
        let inside = |lane: usize| y.0[lane] > low.0[lane] && y.0[lane] < high.0[lane];
        Portable(std::array::from_fn(|lane| if inside(lane) { self.0[lane] } else { 0.0 }))
    }

    tiles! { 1 => 4, 2 => 4, }
}
