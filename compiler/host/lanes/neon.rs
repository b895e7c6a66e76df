//! NEON: 4 lanes, products of pairs of 16 bits; with the dot product extension products of four bytes.

use std::arch::aarch64::*;
use std::arch::asm;

use super::{Feed, Lanes};

/// Declares a type of vectors; the two differ in how they multiply.
macro_rules! vectors {
    ($(#[$doc:meta])* $name:ident, $feed:expr, $dot:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in crate::host) struct $name(int32x4_t);

        // SAFETY: of the whole implementation: the instructions are there where the trait's functions may be called,
        // and pointers are those that they state.
        impl Lanes for $name {
            const N: usize = 4;
            const FEED: Feed = $feed;
            const VECTORS: usize = 4;

            #[inline(always)]
            unsafe fn splat(x: i32) -> Self {
                $name(unsafe { vdupq_n_s32(x) })
            }

            #[inline(always)]
            unsafe fn load(from: *const i32) -> Self {
                $name(unsafe { vld1q_s32(from) })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut i32) {
                unsafe { vst1q_s32(to, self.0) }
            }

            #[inline(always)]
            unsafe fn widen(from: *const i8) -> Self {
                unsafe {
                    let word = vdup_n_s32(from.cast::<i32>().read_unaligned());
                    $name(vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_s32(word)))))
                }
            }

            #[inline(always)]
            unsafe fn narrow(self, to: *mut i8, n: usize) {
                unsafe {
                    let halves = vqmovn_s32(self.0);
                    let bytes = vqmovn_s16(vcombine_s16(halves, halves));
                    let word = vget_lane_s32::<0>(vreinterpret_s32_s8(bytes)).to_ne_bytes();
                    if n == 4 {
                        to.cast::<[u8; 4]>().write_unaligned(word);
                    } else {
                        std::ptr::copy_nonoverlapping(word.as_ptr().cast(), to, n);
                    }
                }
            }

            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                $name(unsafe { vaddq_s32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn subtract(self, b: Self) -> Self {
                $name(unsafe { vsubq_s32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn and(self, b: Self) -> Self {
                $name(unsafe { vandq_s32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn max(self, b: Self) -> Self {
                $name(unsafe { vmaxq_s32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn min(self, b: Self) -> Self {
                $name(unsafe { vminq_s32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn left(self, by: Self) -> Self {
                $name(unsafe { vshlq_s32(self.0, by.0) })
            }

            #[inline(always)]
            unsafe fn right(self, by: Self) -> Self {
                $name(unsafe { vshlq_s32(self.0, vnegq_s32(by.0)) })
            }

            #[inline(always)]
            unsafe fn high(self, b: Self) -> Self {
                $name(unsafe { vqrdmulhq_s32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn dot(self, x: Self, w: Self) -> Self {
                $name(unsafe { $dot(self.0, x.0, w.0) })
            }

            #[inline(always)]
            fn factor(weight: i8) -> i32 {
                weight.into()
            }

            #[inline(always)]
            unsafe fn multiply_add(self, x: Self, w: Self) -> Self {
                $name(unsafe { vmlaq_s32(self.0, x.0, w.0) })
            }
        }
    };
}

vectors! {
    /// What every 64-bit Arm has.
    Neon, Feed::Halves, pairs
}
vectors! {
    /// With the dot product extension.
    NeonDot, Feed::Signed, fours
}

#[inline(always)]
unsafe fn pairs(sum: int32x4_t, x: int32x4_t, w: int32x4_t) -> int32x4_t {
    // SAFETY: that of the caller.
    unsafe {
        let (x, w) = (vreinterpretq_s16_s32(x), vreinterpretq_s16_s32(w));
        let low = vmull_s16(vget_low_s16(x), vget_low_s16(w));
        vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(x, w)))
    }
}

/// The intrinsic is not stable yet.
#[inline(always)]
unsafe fn fours(sum: int32x4_t, x: int32x4_t, w: int32x4_t) -> int32x4_t {
    let mut result = sum;
    // SAFETY: that of the caller; the instruction touches no memory.
    unsafe {
        asm!(
            ".arch_extension dotprod",
            "sdot {result:v}.4s, {x:v}.16b, {w:v}.16b",
            result = inout(vreg) result,
            x = in(vreg) x,
            w = in(vreg) w,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    result
}
