//! The same features in doubles: what the fixed-point ones are measured against.
//!
//! In: a recording. Out: energies and features as real numbers, by the textbook: `log10` for the mel scale, exact
//! window and weights, no rounding anywhere. Only the unit is taken from the definition.

use std::f64::consts::PI;

use crate::data::front_end::AudioSpec;

/// The energy of each filter of each frame, row by row.
pub(super) fn energies(spec: &AudioSpec, samples: &[i16]) -> Vec<f64> {
    let size = spec.frame.next_power_of_two().max(64);
    let mel = |f: f64| 2595.0 * (1.0 + f / 700.0).log10();
    let (low, high) = (mel(spec.low), mel(spec.high));
    let point = |i: usize| {
        let at = low + (high - low) * i as f64 / (spec.filters + 1) as f64;
        700.0 * (10f64.powf(at / 2595.0) - 1.0)
    };
    let frames = (samples.len() - spec.frame) / spec.hop + 1;
    let mut out = Vec::new();
    for frame in 0..frames {
        let power = power(&samples[frame * spec.hop..][..spec.frame], size);
        for filter in 0..spec.filters {
            let [from, centre, to] = [point(filter), point(filter + 1), point(filter + 2)];
            let weight = |bin: usize| {
                let f = bin as f64 * f64::from(spec.rate) / size as f64;
                ((f - from) / (centre - from)).min((to - f) / (to - centre)).max(0.0)
            };
            out.push((1..size / 2).map(|bin| weight(bin) * power[bin]).sum());
        }
    }
    out
}

/// The features of the frames whose [`energies`] are given.
pub(super) fn features(spec: &AudioSpec, energies: &[f64]) -> Vec<f64> {
    let size = spec.frame.next_power_of_two().max(64);
    let floor = 2f64.powi(28) / size as f64;
    let logarithms: Vec<f64> = energies.iter().map(|energy| (1.0 + energy / floor).log2()).collect();
    let Some(count) = spec.coefficients else { return logarithms };
    let n = spec.filters as f64;
    let coefficient = |row: &[f64], k: usize| {
        let scale = if k == 0 { (1.0 / n).sqrt() } else { (2.0 / n).sqrt() };
        let angle = |i: usize| PI * k as f64 * (i as f64 + 0.5) / n;
        scale * row.iter().enumerate().map(|(i, l)| l * angle(i).cos()).sum::<f64>()
    };
    let rows = logarithms.chunks(spec.filters);
    rows.flat_map(|row| (0..count).map(move |k| coefficient(row, k))).collect()
}

/// Squared moduli of the windowed frame's transform, in the unit of the definition.
fn power(frame: &[i16], size: usize) -> Vec<f64> {
    let n = frame.len() as f64;
    let window = |i: usize| 0.5 - 0.5 * (2.0 * PI * i as f64 / n).cos();
    let mut points: Vec<(f64, f64)> =
        frame.iter().enumerate().map(|(i, &x)| (f64::from(x) * window(i), 0.0)).collect();
    points.resize(size, (0.0, 0.0));
    let unit = 65536.0 / size as f64;
    transform(&points).iter().map(|(re, im)| (re * re + im * im) * unit * unit).collect()
}

/// The discrete Fourier transform, by halves.
fn transform(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() == 1 {
        return points.to_vec();
    }
    let half = |offset: usize| {
        let part: Vec<_> = points.iter().skip(offset).step_by(2).copied().collect();
        transform(&part)
    };
    let (even, odd) = (half(0), half(1));
    let mut out = vec![(0.0, 0.0); points.len()];
    for (k, (e, o)) in even.iter().zip(&odd).enumerate() {
        let (sin, cos) = (2.0 * PI * k as f64 / points.len() as f64).sin_cos();
        let turned = (o.0 * cos + o.1 * sin, o.1 * cos - o.0 * sin);
        out[k] = (e.0 + turned.0, e.1 + turned.1);
        out[k + even.len()] = (e.0 - turned.0, e.1 - turned.1);
    }
    out
}
