//! AVX-512 with VNNI: 16 lanes, products of four bytes.

use std::arch::x86_64::*;

use super::{Feed, Lanes};

#[derive(Clone, Copy)]
pub(in crate::host) struct Avx512(__m512i);

// SAFETY: of the whole implementation: the instructions are there where the trait's functions may be called, and
// pointers are those that they state.
impl Lanes for Avx512 {
    const N: usize = 16;
    const FEED: Feed = Feed::Unsigned;
    const VECTORS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: i32) -> Self {
        Avx512(unsafe { _mm512_set1_epi32(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const i32) -> Self {
        Avx512(unsafe { _mm512_loadu_si512(from.cast()) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut i32) {
        unsafe { _mm512_storeu_si512(to.cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn widen(from: *const i8) -> Self {
        Avx512(unsafe { _mm512_cvtepi8_epi32(_mm_loadu_si128(from.cast())) })
    }

    #[inline(always)]
    unsafe fn narrow(self, to: *mut i8, n: usize) {
        unsafe {
            let bytes = _mm512_cvtsepi32_epi8(self.0);
            if n == 16 {
                _mm_storeu_si128(to.cast(), bytes);
            } else {
                _mm_mask_storeu_epi8(to, ((1u32 << n) - 1) as u16, bytes);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_add_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn subtract(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_sub_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn and(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_and_si512(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_max_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_min_epi32(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn left(self, by: Self) -> Self {
        Avx512(unsafe { _mm512_sllv_epi32(self.0, by.0) })
    }

    #[inline(always)]
    unsafe fn right(self, by: Self) -> Self {
        Avx512(unsafe { _mm512_srav_epi32(self.0, by.0) })
    }

    #[inline(always)]
    unsafe fn high(self, b: Self) -> Self {
        unsafe {
            let half = _mm512_set1_epi64(1 << 30);
            let even = _mm512_add_epi64(_mm512_mul_epi32(self.0, b.0), half);
            let odd = _mm512_mul_epi32(_mm512_srli_epi64(self.0, 32), _mm512_srli_epi64(b.0, 32));
            let odd = _mm512_add_epi64(odd, half);
            // Bits 31 to 62 of both, at even and at odd places.
            let (even, odd) = (_mm512_srli_epi64(even, 31), _mm512_slli_epi64(odd, 1));
            Avx512(_mm512_mask_blend_epi32(0xaaaa, even, odd))
        }
    }

    #[inline(always)]
    unsafe fn dot(self, x: Self, w: Self) -> Self {
        Avx512(unsafe { _mm512_dpbusd_epi32(self.0, x.0, w.0) })
    }

    #[inline(always)]
    fn factor(weight: i8) -> i32 {
        i32::from(weight) & 0xffff
    }

    #[inline(always)]
    unsafe fn multiply_add(self, x: Self, w: Self) -> Self {
        Avx512(unsafe { _mm512_dpwssd_epi32(self.0, x.0, w.0) })
    }
}
