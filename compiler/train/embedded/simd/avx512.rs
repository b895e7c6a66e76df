//! AVX-512: sixteen lanes, 32 registers.

use std::arch::x86_64::*;

use super::{Lanes, tiles};

/// Sixteen floats.
#[derive(Clone, Copy)]
pub(in crate::train::embedded) struct Avx512(__m512);

/// The mask of the first `n <= 16` lanes.
#[inline(always)]
fn first(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

// SAFETY of every block: the trait's callers have AVX-512F and own the elements.
impl Lanes for Avx512 {
    const N: usize = 16;
    const VECTORS: usize = 4;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Avx512(unsafe { _mm512_set1_ps(x) })
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        Avx512(unsafe { _mm512_loadu_ps(from) })
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        unsafe { _mm512_storeu_ps(to, self.0) };
    }

    #[inline(always)]
    unsafe fn load_first(from: *const f32, n: usize) -> Self {
        Avx512(unsafe { _mm512_maskz_loadu_ps(first(n), from) })
    }

    #[inline(always)]
    unsafe fn store_first(self, to: *mut f32, n: usize) {
        unsafe { _mm512_mask_storeu_ps(to, first(n), self.0) };
    }

    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        Avx512(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_add_ps(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn subtract(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_sub_ps(self.0, b.0) })
    }

    #[inline(always)]
    unsafe fn multiply(self, b: Self) -> Self {
        Avx512(unsafe { _mm512_mul_ps(self.0, b.0) })
    }

    // The instructions return their second operand where the operands are equal or one is no number.
    #[inline(always)]
    unsafe fn clamp(self, low: Self, high: Self) -> Self {
        Avx512(unsafe { _mm512_min_ps(high.0, _mm512_max_ps(low.0, self.0)) })
    }

    #[inline(always)]
    unsafe fn within(self, y: Self, low: Self, high: Self) -> Self {
        unsafe {
            let above = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(y.0, low.0);
            let both = _mm512_mask_cmp_ps_mask::<_CMP_LT_OQ>(above, y.0, high.0);
            Avx512(_mm512_maskz_mov_ps(both, self.0))
        }
    }

    tiles! { 1 => 12, 2 => 12, 3 => 8, 4 => 6, }
}
