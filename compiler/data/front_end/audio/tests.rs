//! Features of sound against doubles, at the edges of what they take, and against what a spec may not say.

use std::f64::consts::PI;

use super::{Audio, AudioSpec, Scratch, reference};
use crate::data::front_end::Stream;

/// Half a second at `rate`, frames of `milliseconds`, a new one every half frame.
fn spec(rate: u32, milliseconds: usize, filters: usize, coefficients: Option<usize>) -> AudioSpec {
    let frame = rate as usize * milliseconds / 1000;
    AudioSpec {
        rate,
        length: rate as usize / 2,
        frame,
        hop: frame / 2,
        filters,
        low: 20.0,
        high: f64::from(rate) / 2.0,
        coefficients,
        stream: Stream { every: 1, smooth: 1 },
    }
}

/// Numbers that look random, in -1..1.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f64::from((self.0 >> 32) as u32) / f64::from(1u32 << 31) - 1.0
    }
}

fn rounded(values: impl Iterator<Item = f64>) -> Vec<i16> {
    values.map(|value| value.round().clamp(-32768.0, 32767.0) as i16).collect()
}

fn sine(length: usize, cycles: f64, peak: f64) -> Vec<i16> {
    rounded((0..length).map(|i| peak * (2.0 * PI * cycles * i as f64).sin()))
}

fn noise(length: usize, peak: f64) -> Vec<i16> {
    let mut noise = Noise(7);
    rounded((0..length).map(|_| peak * noise.next()))
}

fn chirp(length: usize, peak: f64) -> Vec<i16> {
    rounded((0..length).map(|i| peak * (PI * 0.5 * (i * i) as f64 / length as f64).sin()))
}

/// Pulses of a falling pitch through three resonances, with breath and pauses.
fn speech(length: usize, rate: f64, peak: f64) -> Vec<i16> {
    let mut noise = Noise(11);
    let mut phase = 0.0;
    let mut state = [[0.0f64; 2]; 3];
    let value = |i: usize| {
        let time = i as f64 / rate;
        let voiced = (time * 4.0).fract() < 0.6;
        phase += (160.0 - 60.0 * time) / rate;
        let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
        phase -= f64::floor(phase);
        let mut x = if voiced { pulse + 0.002 * noise.next() } else { 0.0005 * noise.next() };
        for (memory, (formant, width)) in
            state.iter_mut().zip([(650.0 + 300.0 * time, 80.0), (1400.0, 110.0), (2600.0, 160.0)])
        {
            let r = (-PI * width / rate).exp();
            let y = x + 2.0 * r * (2.0 * PI * formant / rate).cos() * memory[0] - r * r * memory[1];
            *memory = [y, memory[0]];
            x = y * 0.3;
        }
        x
    };
    let values: Vec<f64> = (0..length).map(value).collect();
    let greatest = values.iter().fold(0.0f64, |most, x| most.max(x.abs()));
    rounded(values.iter().map(|x| x / greatest * peak))
}

fn signals(spec: &AudioSpec) -> Vec<(String, Vec<i16>)> {
    let (length, rate) = (spec.length, f64::from(spec.rate));
    let mut signals = Vec::new();
    for peak in [32767.0, 16384.0, 1000.0, 30.0] {
        for hertz in [110.0, 1000.0, 0.43 * rate] {
            signals.push((format!("sine {hertz} {peak}"), sine(length, hertz / rate, peak)));
        }
        signals.push((format!("chirp {peak}"), chirp(length, peak)));
        signals.push((format!("speech {peak}"), speech(length, rate, peak)));
    }
    for peak in [28_400.0, 3000.0, 300.0, 30.0, 3.0, 1.0] {
        signals.push((format!("noise {peak}"), noise(length, peak)));
    }
    signals
}

fn row_energies(audio: &Audio, samples: &[i16]) -> Vec<f64> {
    let mut spectrum = vec![0; audio.fft().size()];
    let [frames, ..] = audio.extents();
    let mut out = Vec::new();
    for frame in 0..frames {
        audio.fft().spectrum(&samples[frame * audio.spec().hop..][..audio.spec().frame], &mut spectrum);
        audio.mel().energies(&spectrum, |_, energy| out.push(energy as f64));
    }
    out
}

fn features(audio: &Audio, samples: &[i16]) -> Vec<i16> {
    let mut out = vec![0; audio.extents().iter().product()];
    audio.features_i16(samples, &mut out, &mut Scratch::default());
    out
}

/// Errors of energies: of all together, as a share; the greatest of a feature, and the root of the mean square, in
/// octaves.
fn errors(spec: &AudioSpec, samples: &[i16]) -> [f64; 3] {
    let audio = Audio::new(spec.clone()).unwrap();
    let exact = reference::energies(spec, samples);
    let found = row_energies(&audio, samples);
    let sum = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>();
    let difference = sum(&mut exact.iter().zip(&found).map(|(a, b)| (a - b).abs()));
    let one = 2f64.powi(audio.fraction_bits() as i32);
    let exact_features = reference::features(spec, samples);
    let found_features = features(&audio, samples);
    let off = || exact_features.iter().zip(&found_features).map(|(a, &b)| (a - f64::from(b) / one).abs());
    [
        difference / sum(&mut exact.iter().copied()).max(1.0),
        off().fold(0.0, f64::max),
        (sum(&mut off().map(|x| x * x)) / exact_features.len() as f64).sqrt(),
    ]
}

#[test]
fn features_are_those_of_doubles() {
    let mut table = std::collections::BTreeMap::<String, [f64; 3]>::new();
    for (rate, milliseconds) in [8000, 16_000].into_iter().flat_map(|r| [25, 30, 32, 40, 64].map(|m| (r, m)))
    {
        for coefficients in [None, Some(10)] {
            let spec = spec(rate, milliseconds, 20, coefficients);
            for (name, samples) in signals(&spec) {
                let found = errors(&spec, &samples);
                let kind = name.split(' ').next().unwrap_or_default();
                let peak = name.rsplit(' ').next().unwrap_or_default();
                let key = format!("{} {kind} {peak}", coefficients.map_or("mel", |_| "mfcc"));
                let worst = table.entry(key).or_default();
                (0..3).for_each(|i| worst[i] = worst[i].max(found[i]));
                assert!(found[0] < 0.005, "{name} {rate} {milliseconds}: energies {found:?}");
                let allowed = if kind == "noise" { 0.1 } else { 99.0 };
                assert!(found[1] < allowed, "{name} {rate} {milliseconds}: a feature {found:?}");
            }
        }
    }
    for (key, [energy, worst, mean]) in &table {
        println!("{key:24} energies {:.5} % worst {worst:.4} rms {mean:.5} octaves", energy * 100.0);
    }
}
