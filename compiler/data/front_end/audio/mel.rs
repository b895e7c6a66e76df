//! Energies of mel filters.
//!
//! In: the bins of a spectrum. Out: the logarithm of each filter's energy. `K + 2` points lie evenly on the mel
//! scale from `low` to `high`; on it, `1 + f / 700` grows by one factor from point to point, so tables need a root
//! and no logarithm. Filter `j` rises over the gap `j` between points `j` and `j + 1` and falls over the gap `j + 1`.
//! A bin at `f` in a gap from `from` to `to` has the weight `(f - from) / (to - from)`.

use crate::data::front_end::audio::fft::{half, q15};
use crate::data::front_end::audio::{AudioSpec, log};
use crate::tensor::math::power;

/// Hz at which the mel scale turns from linear to logarithmic.
const CORNER: f64 = 700.0;

/// The filters over the bins of one transform.
pub(crate) struct Mel {
    /// The lowest bin of the lowest gap.
    first: usize,
    /// Bins of each gap: one gap more than there are filters.
    gaps: Vec<u16>,
    /// The rising weight of each bin, in 15 fraction bits.
    weights: Vec<i16>,
    /// Fraction bits of the energy that counts as one.
    floor: u32,
}

/// The `n`-th root of a number of at least 1, by halving the interval; the last bit does not matter.
fn root(value: f64, n: usize) -> f64 {
    let (mut low, mut high) = (1.0, value);
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if power(middle, n as u64) < value {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Ends and centres of the filters, in Hz.
pub(super) fn points(spec: &AudioSpec) -> Vec<f64> {
    let (low, high) = (1.0 + spec.low / CORNER, 1.0 + spec.high / CORNER);
    let factor = root(high / low, spec.filters + 1);
    let point = |i: usize| CORNER * (low * power(factor, i as u64) - 1.0);
    let mut points: Vec<f64> = (0..spec.filters + 2).map(point).collect();
    (points[0], points[spec.filters + 1]) = (spec.low, spec.high);
    points
}

impl Mel {
    /// The filters of a spec, whose numbers have been checked, over a transform of `size` points.
    ///
    /// # Errors
    /// Filters so narrow that one has no bin.
    pub(super) fn new(spec: &AudioSpec, size: usize) -> Result<Mel, String> {
        let points = points(spec);
        let hertz = |bin: usize| bin as f64 * f64::from(spec.rate) / size as f64;
        // Bin 0 carries what is constant, and the last one what alternates: neither is inside of a filter.
        let bins = || (1..size / 2).filter(|&bin| hertz(bin) >= spec.low && hertz(bin) < spec.high);
        let mut gaps = vec![0u16; spec.filters + 1];
        let mut weights = Vec::new();
        let mut heard = vec![false; spec.filters + 2];
        let mut gap = 0;
        for bin in bins() {
            while gap < spec.filters && hertz(bin) >= points[gap + 1] {
                gap += 1;
            }
            let (from, to) = (points[gap], points[gap + 1]);
            let weight = q15((hertz(bin) - from) / (to - from));
            gaps[gap] += 1;
            weights.push(weight);
            heard[gap] |= true;
            heard[gap + 1] |= weight > 0;
        }
        if let Some(filter) = heard[1..=spec.filters].iter().position(|heard| !heard) {
            return Err(format!(
                "filter {} of {}, from {:.0} Hz to {:.0} Hz, lies between the frequencies of a frame, which are \
                 {:.1} Hz apart: take fewer filters, a longer frame, or a wider range",
                filter + 1,
                spec.filters,
                points[filter],
                points[filter + 2],
                hertz(1)
            ));
        }
        let first = bins().next().unwrap_or(1);
        Ok(Mel { first, gaps, weights, floor: 28 - size.ilog2() })
    }

    /// The lowest bin of the lowest gap.
    pub(crate) fn first(&self) -> usize {
        self.first
    }

    /// Bins of each gap.
    pub(crate) fn gaps(&self) -> &[u16] {
        &self.gaps
    }

    /// The rising weight of each bin.
    pub(crate) fn weights(&self) -> &[i16] {
        &self.weights
    }

    /// Fraction bits of the energy that counts as one.
    pub(crate) fn floor(&self) -> u32 {
        self.floor
    }

    /// Calls `each` with every filter and its energy.
    #[inline]
    pub(super) fn energies(&self, spectrum: &[i32], mut each: impl FnMut(usize, u64)) {
        let mut bins = spectrum.as_chunks::<2>().0[self.first..].iter().zip(&self.weights);
        let mut rising = 0;
        for (gap, &count) in self.gaps.iter().enumerate() {
            let (mut all, mut upper) = (0i64, 0i64);
            for (&[re, im], &weight) in bins.by_ref().take(usize::from(count)) {
                all += i64::from(re) * i64::from(re) + i64::from(im) * i64::from(im);
                upper += i64::from(re) * i64::from(half(re, weight));
                upper += i64::from(im) * i64::from(half(im, weight));
            }
            if gap > 0 {
                each(gap - 1, u64::try_from(rising + all - 2 * upper).unwrap_or(0));
            }
            rising = 2 * upper;
        }
    }

    /// Writes the logarithm of each filter's energy.
    pub(super) fn logarithms(&self, spectrum: &[i32], into: &mut [i16]) {
        self.energies(spectrum, |filter, energy| into[filter] = log::log2(energy, self.floor));
    }
}
