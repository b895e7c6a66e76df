//! Features of sound against doubles, at the edges of what they take, and against what a spec may not say.

use std::collections::BTreeMap;
use std::f64::consts::PI;
use std::fs;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::{Audio, AudioSpec, Scratch, reference};
use crate::data::front_end::Stream;

/// A quarter of a second at `rate`, frames of `milliseconds`, a new one every half frame.
fn spec(rate: u32, milliseconds: usize, filters: usize, coefficients: Option<usize>) -> AudioSpec {
    let frame = rate as usize * milliseconds / 1000;
    AudioSpec {
        rate,
        length: rate as usize / 4,
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

/// Errors of a recording: of the energies, all together, as a share; of features, the greatest and the root of the
/// mean square, in octaves.
fn errors(spec: &AudioSpec, samples: &[i16]) -> [f64; 3] {
    let audio = Audio::new(spec.clone()).unwrap();
    let exact = reference::energies(spec, samples);
    let found = row_energies(&audio, samples);
    let difference: f64 = exact.iter().zip(&found).map(|(a, b)| (a - b).abs()).sum();
    let one = f64::from(1 << audio.fraction_bits());
    let exact_features = reference::features(spec, &exact);
    let found_features = features(&audio, samples);
    let off = || exact_features.iter().zip(&found_features).map(|(a, &b)| (a - f64::from(b) / one).abs());
    [
        difference / exact.iter().sum::<f64>().max(1.0),
        off().fold(0.0, f64::max),
        (off().map(|x| x * x).sum::<f64>() / exact_features.len() as f64).sqrt(),
    ]
}

/// The greatest errors by kind of signal.
#[derive(Default)]
struct Worst(BTreeMap<String, [f64; 3]>);

impl Worst {
    fn note(&mut self, key: String, found: [f64; 3]) {
        let worst = self.0.entry(key).or_default();
        worst.iter_mut().zip(found).for_each(|(worst, found)| *worst = worst.max(found));
    }

    fn print(&self) {
        for (key, [energy, worst, mean]) in &self.0 {
            println!("{key:26} energies {:.4} %, features {worst:.4}, rms {mean:.4} octaves", energy * 100.0);
        }
    }
}

/// The bounds hold every signal, except that a pure tone has no sound in most filters: there, 16-bit factors leave
/// more than rounding did, which is a matter of 80 dB below the tone and beyond any microphone.
#[test]
fn features_are_those_of_doubles() {
    let mut table = Worst::default();
    for (rate, milliseconds) in [8000, 16_000].into_iter().flat_map(|r| [25, 30, 32, 40, 64].map(|m| (r, m)))
    {
        for coefficients in [None, Some(10)] {
            let spec = spec(rate, milliseconds, 20, coefficients);
            for (name, samples) in signals(&spec) {
                let found = errors(&spec, &samples);
                let kind = name.split(' ').next().unwrap_or_default();
                let peak = name.rsplit(' ').next().unwrap_or_default();
                table.note(format!("{} {kind} {peak}", coefficients.map_or("mel", |_| "mfcc")), found);
                let allowed = match kind {
                    "noise" => 0.03,
                    "speech" => 0.2,
                    _ => f64::INFINITY,
                };
                assert!(found[0] < 0.001, "{name} {rate} {milliseconds}: energies {found:?}");
                assert!(found[1] < allowed, "{name} {rate} {milliseconds}: a feature {found:?}");
            }
        }
    }
    table.print();
}

/// Samples of the first channel of a WAV file of 16 bit with a header of 44 bytes.
fn wav(bytes: &[u8]) -> Vec<i16> {
    bytes[44..].as_chunks().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect()
}

#[test]
fn features_of_recordings_are_those_of_doubles() {
    let Some(shared) = std::env::var_os("NASC_SHARED") else { return };
    let mut table = Worst::default();
    for (set, rate, filters) in [("fsdd_8k", 8000u32, 32), ("speech_commands_12", 16_000, 40)] {
        let folder = tempfile::tempdir().unwrap();
        let archive = Path::new(&shared).join("data").join(set).join("val.tar.gz");
        let tar = Command::new("tar").arg("-xzf").arg(archive).arg("-C").arg(folder.path()).status().unwrap();
        assert!(tar.success());
        let mut files = Vec::new();
        for class in fs::read_dir(folder.path()).unwrap() {
            files.extend(fs::read_dir(class.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
        }
        files.sort();
        for file in files.iter().step_by(7) {
            let samples = wav(&fs::read(file).unwrap());
            for coefficients in [None, Some(10)] {
                let spec = AudioSpec { length: samples.len(), ..spec(rate, 40, filters, coefficients) };
                let found = errors(&spec, &samples);
                assert!(found[0] < 0.001 && found[2] < 0.05, "{} {found:?}", file.display());
                table.note(format!("{} {set}", coefficients.map_or("mel", |_| "mfcc")), found);
            }
        }
    }
    table.print();
}

#[test]
fn silence_is_zero_and_floats_carry_the_same() {
    for coefficients in [None, Some(13)] {
        let audio = Audio::new(spec(16_000, 25, 40, coefficients)).unwrap();
        let length = audio.spec().length;
        assert!(features(&audio, &vec![0; length]).iter().all(|&feature| feature == 0));
        let samples = speech(length, 16_000.0, 9000.0);
        let raw: Vec<f32> = samples.iter().map(|&sample| f32::from(sample)).collect();
        let mut floats = vec![0.0; audio.extents().iter().product()];
        audio.features(&raw, &mut floats);
        let integers: Vec<f32> = features(&audio, &samples).into_iter().map(f32::from).collect();
        assert_eq!(floats, integers);
    }
}

/// The loudest there is, lined up with every bin: overflow would end the test.
#[test]
fn nothing_leaves_its_width() {
    for frame in [32, 50, 64, 90, 128, 181, 256, 400, 512, 640, 1024, 1500, 2048, 2900, 4096] {
        for coefficients in [None, Some(1)] {
            let spec = AudioSpec {
                rate: 16_000,
                length: frame,
                frame,
                hop: 1,
                filters: 6,
                low: 0.0,
                high: 8000.0,
                coefficients,
                stream: Stream { every: 1, smooth: 1 },
            };
            let audio = Audio::new(spec).unwrap();
            for bin in (0..frame / 2).step_by(1 + frame / 100) {
                for phase in 0..4 {
                    let at = |i: usize| {
                        ((i * bin * 4 + frame / 2 + phase * frame) / (2 * frame)).is_multiple_of(2)
                    };
                    let samples: Vec<i16> =
                        (0..frame).map(|i| if at(i) { i16::MIN } else { i16::MAX }).collect();
                    let found = features(&audio, &samples);
                    assert!(found.iter().all(|&feature| (0..=32_000).contains(&feature)), "{found:?}");
                }
            }
        }
    }
}

/// The bits are the definition: a change of them wants a new version.
#[test]
fn features_keep_their_bits() {
    let sum = |audio: &Audio, samples: &[i16]| {
        let features = features(audio, samples);
        features.iter().fold(0u32, |sum, &feature| sum.wrapping_mul(31).wrapping_add(feature as u16 as u32))
    };
    let mut sums = Vec::new();
    for (rate, milliseconds, filters, coefficients) in
        [(16_000, 40, 40, Some(10)), (16_000, 25, 40, None), (8000, 32, 32, Some(13)), (8000, 25, 20, None)]
    {
        let audio = Audio::new(spec(rate, milliseconds, filters, coefficients)).unwrap();
        let mut state = 1u32;
        let samples: Vec<i16> = (0..audio.spec().length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16 >> (state >> 9 & 7)
            })
            .collect();
        sums.push(sum(&audio, &samples));
    }
    assert_eq!(
        (super::VERSION, sums.as_slice()),
        (1, [7_696_198u32, 1_443_793_407, 885_944_084, 4_145_138_329].as_slice())
    );
}

#[test]
fn a_text_says_what_matters_and_no_more() {
    let one = spec(16_000, 40, 40, Some(10));
    let audio = Audio::new(one.clone()).unwrap();
    assert_eq!(audio.canonical(), "audio 1 16000 4000 640 320 40 20 8000 mfcc 10");
    let stream = Stream { every: 5, smooth: 3 };
    assert_eq!(Audio::new(AudioSpec { stream, ..one.clone() }).unwrap().canonical(), audio.canonical());
    let mel = Audio::new(AudioSpec { coefficients: None, ..one }).unwrap();
    assert_eq!(mel.canonical(), "audio 1 16000 4000 640 320 40 20 8000 mel");
    assert_eq!((audio.extents(), mel.extents()), ([11, 10, 1], [11, 40, 1]));
    let text = serde_json::to_string(&audio).unwrap();
    assert_eq!(serde_json::from_str::<Audio>(&text).unwrap(), audio);
    assert!(serde_json::from_str::<Audio>(&text.replace("640", "6400")).is_err());
}

#[test]
fn what_cannot_be_is_said() {
    let good = spec(16_000, 40, 40, Some(10));
    let bad = |change: &dyn Fn(&mut AudioSpec), parts: &[&str]| {
        let mut spec = good.clone();
        change(&mut spec);
        let message = Audio::new(spec).unwrap_err();
        for part in parts {
            assert!(message.contains(part), "`{part}` is not in: {message}");
        }
    };
    bad(&|spec| spec.frame = 5000, &["5000", "4096"]);
    bad(&|spec| spec.frame = 0, &["32"]);
    bad(&|spec| spec.hop = 0, &["`hop`"]);
    bad(&|spec| spec.length = 639, &["639", "640"]);
    bad(&|spec| spec.length = usize::MAX, &["allowed"]);
    bad(&|spec| spec.filters = 0, &["`filters`"]);
    bad(&|spec| spec.filters = 129, &["129", "128"]);
    bad(&|spec| (spec.frame, spec.filters) = (256, 90), &["of 90", "62.5 Hz", "fewer filters"]);
    bad(&|spec| spec.low = 8000.0, &["`low`"]);
    bad(&|spec| spec.low = -1.0, &["-1 Hz"]);
    bad(&|spec| spec.low = f64::NAN, &["`low`"]);
    bad(&|spec| spec.high = f64::NAN, &["`low`"]);
    bad(&|spec| spec.high = 8001.0, &["8001", "16000"]);
    bad(&|spec| spec.rate = 0, &["`low`"]);
    bad(&|spec| spec.coefficients = Some(41), &["`coefficients`", "40"]);
    bad(&|spec| spec.coefficients = Some(0), &["`coefficients`"]);
    bad(&|spec| spec.stream.every = 0, &["`every`"]);
}

proptest! {
    /// Whatever is accepted, features fit, and loud samples of any kind overflow nothing.
    #[test]
    fn any_spec_gives_features(
        (rate, frame, hop) in (100u32..50_000, 32usize..700, 1usize..900),
        (filters, count) in (1usize..60, 0usize..60),
        (low, high) in (0.0f64..0.5, 0.0f64..0.5),
        (seed, loud) in (any::<u64>(), any::<bool>()),
    ) {
        let (low, high) = (low * f64::from(rate), high * f64::from(rate));
        let coefficients = (count > 0).then_some(count);
        let stream = Stream { every: 1, smooth: 1 };
        let length = frame + 2 * hop;
        let spec = AudioSpec { rate, length, frame, hop, filters, low, high, coefficients, stream };
        if let Ok(audio) = Audio::new(spec.clone()) {
            let mut noise = Noise(seed);
            let sample = |x: f64| if loud { 32767.0 * x.signum() } else { 20_000.0 * x * x * x };
            let samples = rounded((0..length).map(|_| sample(noise.next())));
            let found = errors(&spec, &samples);
            prop_assert!(found[0] < 0.005 && found[1] < 0.2, "{found:?}");
            prop_assert_eq!(audio.extents()[0], 3);
        }
    }
}
