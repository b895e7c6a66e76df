//! Cepstral coefficients: the orthonormal DCT-II of the logarithms.
//!
//! In: `K` logarithms with 9 fraction bits. Out: coefficient `k` is
//! `(sum over n of T[k][n] * l[n] + (1 << (h - 1))) >> h`, where `T[k][n]` is
//! `sqrt(2 / K) cos(pi k (n + 1/2) / K)` (`sqrt(1 / K)` for `k = 0`) with `t` fraction bits and `h = t + 9 - b`.
//!
//! *Room.* The energies of all filters sum up to less than `2^60`, so the mean of their logarithms above the floor is
//! at most `60 - f - log2(K)`, and coefficient 0, the greatest there can be, at most `sqrt(K)` times that. `b` and
//! `t` are the most fraction bits with which the coefficient fits in 16 bits and its sum in 32.

use crate::data::front_end::audio::log::FRACTION;
use crate::tensor::math::cos_pi;

/// The cosine transform of a row.
pub(crate) struct Dct {
    /// A row for each coefficient.
    table: Vec<i16>,
    filters: usize,
    /// Fraction bits of a coefficient.
    fraction: u32,
    /// Bits that sums are shifted right.
    shift: u32,
}

impl Dct {
    /// For so many coefficients of so many filters, 1 to 128, of a transform of `size` points.
    pub(super) fn new(count: usize, filters: usize, size: usize) -> Dct {
        let floor = 28 - size.ilog2();
        let most = (filters as f64).sqrt() * f64::from(60 - floor - filters.ilog2());
        let fits = |bits: &u32, limit: f64| most * f64::from(1u32 << bits) < limit;
        let fraction = (1..=FRACTION).rev().find(|bits| fits(bits, 32767.0)).unwrap_or(1);
        let sum = 2_147_483_648.0 / f64::from(1u32 << FRACTION) - 1.0;
        let table_bits = (1..=15u32).rev().find(|bits| fits(bits, sum)).unwrap_or(1);
        let one = f64::from(1u32 << table_bits);
        let entry = |k: usize, n: usize| {
            let parts = k * (2 * n + 1) % (4 * filters);
            let parts = parts.min(4 * filters - parts);
            let cosine = cos_pi(parts as f64 / (2 * filters) as f64);
            let square = if k == 0 { 1.0 } else { 2.0 };
            ((square / filters as f64).sqrt() * cosine * one).round().min(32767.0) as i16
        };
        let rows = (0..count).flat_map(|k| (0..filters).map(move |n| (k, n)));
        Dct {
            table: rows.map(|(k, n)| entry(k, n)).collect(),
            filters,
            fraction,
            shift: table_bits + FRACTION - fraction,
        }
    }

    /// A row of the filters' cosines for each coefficient.
    pub(crate) fn table(&self) -> &[i16] {
        &self.table
    }

    /// Bits that sums are shifted right.
    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }

    /// Fraction bits of a coefficient.
    pub(crate) fn fraction_bits(&self) -> u32 {
        self.fraction
    }

    /// The coefficients of a row of logarithms.
    pub(super) fn apply(&self, logarithms: &[i16], into: &mut [i16]) {
        for (row, coefficient) in self.table.chunks_exact(self.filters).zip(into) {
            let products = row.iter().zip(logarithms).map(|(&a, &b)| i32::from(a) * i32::from(b));
            let sum: i32 = products.sum();
            *coefficient = ((sum + (1 << (self.shift - 1))) >> self.shift) as i16;
        }
    }
}
