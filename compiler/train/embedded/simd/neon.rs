//! NEON: four lanes, 32 registers.

use std::arch::aarch64::*;

use super::{Lanes, tiles};

/// Four floats.
#[derive(Clone, Copy)]
pub(in crate::train::embedded) struct Neon(float32x4_t);

// SAFETY of every block: every aarch64 processor that Rust supports has NEON; the trait's callers own the elements.
impl Lanes for Neon {
    const N: usize = 4;
    const VECTORS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Neon(unsafe { vdupq_n_f32(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Neon(unsafe { vld1q_f32(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { vst1q_f32(to, self.0) };
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        let mut lanes = [0.0f32; 4];
        unsafe {
            std::ptr::copy_nonoverlapping(from, lanes.as_mut_ptr(), n);
            Self::load(lanes.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        let mut lanes = [0.0f32; 4];
        unsafe {
            self.store(lanes.as_mut_ptr());
            std::ptr::copy_nonoverlapping(lanes.as_ptr(), to, n);
        }
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Neon(unsafe { vfmaq_f32(c.0, self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Neon(unsafe { vaddq_f32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn subtract(self, b: Self) -> Self {
        Neon(unsafe { vsubq_f32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn multiply(self, b: Self) -> Self {
        Neon(unsafe { vmulq_f32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn clamp(self, low: Self, high: Self) -> Self {
        unsafe {
            let y = vbslq_f32(vcltq_f32(self.0, low.0), low.0, self.0);
            Neon(vbslq_f32(vcgtq_f32(y, high.0), high.0, y))
        }
    }

    #[inline(always)]
    unsafe fn within(self, y: Self, low: Self, high: Self) -> Self {
        unsafe {
            let inside = vandq_u32(vcgtq_f32(y.0, low.0), vcltq_f32(y.0, high.0));
            Neon(vreinterpretq_f32_u32(vandq_u32(inside, vreinterpretq_u32_f32(self.0))))
        }
    }

    tiles! { 1 => 12, 2 => 12, 3 => 8, 4 => 6, }
}
