//! AVX2 with fused multiply-add: eight lanes, 16 registers.

use std::arch::x86_64::*;

use super::{Lanes, tiles};

/// Eight floats.
#[derive(Clone, Copy)]
pub(in crate::train::embedded) struct Avx2(__m256);

/// All bits of the first `n <= 8` lanes.
#[inline(always)]
unsafe fn first(n: usize) -> __m256i {
    const BITS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: the caller has AVX2, and eight integers follow each of the first nine.
    unsafe { _mm256_loadu_si256(BITS.as_ptr().add(8 - n).cast()) }
}

// SAFETY of every block: the trait's callers have AVX2 and FMA and own the elements.
impl Lanes for Avx2 {
    const N: usize = 8;
    const VECTORS: usize = 2;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Avx2(unsafe { _mm256_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Avx2(unsafe { _mm256_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm256_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        Avx2(unsafe { _mm256_maskload_ps(from, first(n)) })
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        unsafe { _mm256_maskstore_ps(to, first(n), self.0) };
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Avx2(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Avx2(unsafe { _mm256_add_ps(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn subtract(self, b: Self) -> Self {
        Avx2(unsafe { _mm256_sub_ps(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn multiply(self, b: Self) -> Self {
        Avx2(unsafe { _mm256_mul_ps(self.0, b.0) })
    }

    // The instructions return their second operand where the operands are equal or one is no number.
    #[inline(always)]
    unsafe fn clamp(self, low: Self, high: Self) -> Self {
        Avx2(unsafe { _mm256_min_ps(high.0, _mm256_max_ps(low.0, self.0)) })
    }

    #[inline(always)]
    unsafe fn within(self, y: Self, low: Self, high: Self) -> Self {
        unsafe {
            let above = _mm256_cmp_ps::<_CMP_GT_OQ>(y.0, low.0);
            let below = _mm256_cmp_ps::<_CMP_LT_OQ>(y.0, high.0);
            Avx2(_mm256_and_ps(_mm256_and_ps(above, below), self.0))
        }
    }

    tiles! { 1 => 8, 2 => 6, }
}
