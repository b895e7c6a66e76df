//! SSE4.1: 4 lanes, products of pairs of 16 bits.

use std::arch::x86_64::*;

use super::{Feed, Lanes};

#[derive(Clone, Copy)]
pub(in crate::host) struct Sse41(__m128i);

// SAFETY: of the whole implementation: the instructions are there where the trait's functions may be called, and
// pointers are those that they state.
impl Lanes for Sse41 {
    const N: usize = 4;
    const FEED: Feed = Feed::Halves;
    const VECTORS: usize = 2;

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        Sse41(unsafe { _mm_set1_epi32(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        Sse41(unsafe { _mm_loadu_si128(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        unsafe { _mm_storeu_si128(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn widen(from: *const i8) -> Self {
        Sse41(unsafe { _mm_cvtepi8_epi32(_mm_cvtsi32_si128(from.cast::<i32>().read_unaligned())) })
    }

    #[inline(always)]
    unsafe fn narrow(self, to: *mut i8, n: usize) {
        unsafe {
            let halves = _mm_packs_epi32(self.0, self.0);
            let bytes = _mm_cvtsi128_si32(_mm_packs_epi16(halves, halves)).to_le_bytes();
            if n == 4 {
                to.cast::<[u8; 4]>().write_unaligned(bytes);
            } else {
                std::ptr::copy_nonoverlapping(bytes.as_ptr().cast(), to, n);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Sse41(unsafe { _mm_add_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn subtract(self, b: Self) -> Self {
        Sse41(unsafe { _mm_sub_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn and(self, b: Self) -> Self {
        Sse41(unsafe { _mm_and_si128(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Sse41(unsafe { _mm_max_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Sse41(unsafe { _mm_min_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn left(self, by: Self) -> Self {
        // There is no shift by lane, and layers that shift to the left are rare.
        unsafe {
            let (mut x, mut amounts) = ([0i32; 4], [0i32; 4]);
            self.store(x.as_mut_ptr());
            by.store(amounts.as_mut_ptr());
            x.iter_mut().zip(amounts).for_each(|(x, by)| *x = x.wrapping_shl(by as u32));
            Sse41::load(x.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn right(self, by: Self) -> Self {
        unsafe {
            // A count is the low 64 bits of its register.
            let first = _mm_set_epi32(0, 0, 0, -1);
            let (low, top) = (_mm_unpacklo_epi64(by.0, by.0), _mm_srli_si128(by.0, 8));
            let a = _mm_sra_epi32(self.0, _mm_and_si128(low, first));
            let b = _mm_sra_epi32(self.0, _mm_srli_epi64(low, 32));
            let c = _mm_sra_epi32(self.0, _mm_and_si128(top, first));
            let d = _mm_sra_epi32(self.0, _mm_srli_epi64(top, 32));
            let (ab, cd) = (_mm_blend_epi16::<0xcc>(a, b), _mm_blend_epi16::<0xcc>(c, d));
            Sse41(_mm_blend_epi16::<0xf0>(ab, cd))
        }
    }

    #[inline(always)]
    unsafe fn high(self, b: Self) -> Self {
        unsafe {
            let half = _mm_set1_epi64x(1 << 30);
            let even = _mm_add_epi64(_mm_mul_epi32(self.0, b.0), half);
            let odd = _mm_mul_epi32(_mm_srli_epi64(self.0, 32), _mm_srli_epi64(b.0, 32));
            let odd = _mm_add_epi64(odd, half);
            // Bits 31 to 62 of both, at even and at odd places.
            let (even, odd) = (_mm_srli_epi64(even, 31), _mm_slli_epi64(odd, 1));
            Sse41(_mm_blend_epi16::<0xcc>(even, odd))
        }
    }

    #[inline(always)]
    unsafe fn dot(self, x: Self, w: Self) -> Self {
        Sse41(unsafe { _mm_add_epi32(self.0, _mm_madd_epi16(x.0, w.0)) })
    }

    #[inline(always)]
    fn factor(weight: i8) -> i32 {
        i32::from(weight) & 0xffff
    }

    #[inline(always)]
    unsafe fn multiply_add(self, x: Self, w: Self) -> Self {
        Sse41(unsafe { _mm_add_epi32(self.0, _mm_madd_epi16(x.0, w.0)) })
    }
}
