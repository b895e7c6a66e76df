//! AVX2: 8 lanes, products of pairs of 16 bits; with AVX-VNNI products of four bytes.

use std::arch::x86_64::*;

use super::{Feed, Lanes};

/// Declares a type of vectors; the two differ in how they multiply.
macro_rules! vectors {
    ($(#[$doc:meta])* $name:ident, $feed:expr, $dot:ident, $multiply_add:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy)]
        pub(in crate::host) struct $name(__m256i);

        // SAFETY: of the whole implementation: the instructions are there where the trait's functions may be called,
        // and pointers are those that they state.
        impl Lanes for $name {
            const N: usize = 8;
            const FEED: Feed = $feed;
            const VECTORS: usize = 2;

            #[inline(always)]
            unsafe fn splat(x: i32) -> Self {
                $name(unsafe { _mm256_set1_epi32(x) })
            }

            #[inline(always)]
            unsafe fn load(from: *const i32) -> Self {
                $name(unsafe { _mm256_loadu_si256(from.cast()) })
            }

            #[inline(always)]
            unsafe fn store(self, to: *mut i32) {
                unsafe { _mm256_storeu_si256(to.cast(), self.0) }
            }

            #[inline(always)]
            unsafe fn widen(from: *const i8) -> Self {
                $name(unsafe { _mm256_cvtepi8_epi32(_mm_loadl_epi64(from.cast())) })
            }

            #[inline(always)]
            unsafe fn narrow(self, to: *mut i8, n: usize) {
                unsafe {
                    let halves = _mm_packs_epi32(_mm256_castsi256_si128(self.0), _mm256_extracti128_si256::<1>(self.0));
                    let bytes = _mm_packs_epi16(halves, halves);
                    if n == 8 {
                        _mm_storel_epi64(to.cast(), bytes);
                    } else {
                        let mut all = [0i8; 16];
                        _mm_storeu_si128(all.as_mut_ptr().cast(), bytes);
                        std::ptr::copy_nonoverlapping(all.as_ptr(), to, n);
                    }
                }
            }

            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                $name(unsafe { _mm256_add_epi32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn subtract(self, b: Self) -> Self {
                $name(unsafe { _mm256_sub_epi32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn and(self, b: Self) -> Self {
                $name(unsafe { _mm256_and_si256(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn max(self, b: Self) -> Self {
                $name(unsafe { _mm256_max_epi32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn min(self, b: Self) -> Self {
                $name(unsafe { _mm256_min_epi32(self.0, b.0) })
            }

            #[inline(always)]
            unsafe fn left(self, by: Self) -> Self {
                $name(unsafe { _mm256_sllv_epi32(self.0, by.0) })
            }

            #[inline(always)]
            unsafe fn right(self, by: Self) -> Self {
                $name(unsafe { _mm256_srav_epi32(self.0, by.0) })
            }

            #[inline(always)]
            unsafe fn high(self, b: Self) -> Self {
                unsafe {
                    let half = _mm256_set1_epi64x(1 << 30);
                    let even = _mm256_add_epi64(_mm256_mul_epi32(self.0, b.0), half);
                    let odd = _mm256_mul_epi32(_mm256_srli_epi64(self.0, 32), _mm256_srli_epi64(b.0, 32));
                    let odd = _mm256_add_epi64(odd, half);
                    // Bits 31 to 62 of both, at even and at odd places.
                    let (even, odd) = (_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1));
                    $name(_mm256_blend_epi32::<0xaa>(even, odd))
                }
            }

            #[inline(always)]
            unsafe fn dot(self, x: Self, w: Self) -> Self {
                $name(unsafe { $dot(self.0, x.0, w.0) })
            }

            #[inline(always)]
            fn factor(weight: i8) -> i32 {
                i32::from(weight) & 0xffff
            }

            #[inline(always)]
            unsafe fn multiply_add(self, x: Self, w: Self) -> Self {
                $name(unsafe { $multiply_add(self.0, x.0, w.0) })
            }
        }
    };
}

vectors! {
    /// Without VNNI.
    Avx2, Feed::Halves, pairs, pairs
}
vectors! {
    /// With AVX-VNNI.
    AvxVnni, Feed::Unsigned, _mm256_dpbusd_avx_epi32, _mm256_dpwssd_avx_epi32
}

#[inline(always)]
unsafe fn pairs(sum: __m256i, x: __m256i, w: __m256i) -> __m256i {
    // SAFETY: that of the caller.
    unsafe { _mm256_add_epi32(sum, _mm256_madd_epi16(x, w)) }
}
