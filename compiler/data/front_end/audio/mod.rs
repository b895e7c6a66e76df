//! Features of sound: log-mel energies and cepstral coefficients, defined in integers.
//!
//! In: recordings of 16-bit samples. Out: 16-bit integers, a row of features for each frame. Deliberately not done
//! here: resampling, and the C text of the same arithmetic, which is `emit::c::audio`'s.
//!
//! This page is the definition; Rust and emitted C give the same bits. `N` is the frame, `F` the least power of two
//! not below it (at least 64), `M = F / 2`, `K` the number of filters. `>>` rounds down; `a *> w` is
//! `(a * w) >> 16` of a 32-bit `a` and a 16-bit `w`, the product exact: where `w` has 15 fraction bits, half of the
//! real product. All other arithmetic is exact in the width that is named, and never leaves it.
//!
//! 1. **Window.** `v[i] = (x[i] * hann[i]) >> r`, 32 bits; zero from `N` to `F`. `hann` has `N` entries of 15
//!    fraction bits; `r` is such that no sum leaves 32 bits: see [`fft`].
//! 2. **Spectrum.** `z[n] = v[2n] + i v[2n + 1]` goes through a complex transform of `M` points by radix 4, its
//!    first pass without factors and without scaling, each later one halved by `*>`; then two bins of the real
//!    transform at a time come out of `Z[k]` and `Z[M - k]`: see [`fft`]. The result is `2^16 / F` times the
//!    transform of the windowed samples; `F` numbers of 32 bits are all the memory.
//! 3. **Energies.** Ends and centres of the filters are spaced evenly on the mel scale `2595 log10(1 + f / 700)`,
//!    filters are triangles over Hz of height 1. A bin between two neighbouring points has the weight `w` (15
//!    fraction bits) in the upper filter and `1 - w` in the lower. For each gap, in signed 64 bits,
//!    `S = sum(re * re + im * im)` and `R = sum(re * (re *> w) + im * (im *> w))`; filter `j` has the energy
//!    `E = max(0, 2 R[j] + S[j + 1] - 2 R[j + 1])`: see [`mel`].
//! 4. **Logarithm.** `log2(1 + E / 2^f)` with 9 fraction bits from a table of 32 pieces, `f = 28 - log2(F)`: see
//!    [`log`]. `2^f` is the energy that the rounding to 16 bits leaves in two to four bins, so whatever rounding
//!    makes of silence stays near 0, and silence itself is 0. This is the feature of log-mel energies, 0 to 22,400.
//! 5. **Cosine transform** for cepstral coefficients: orthonormal DCT-II, rounded to `b` fraction bits, 6 to 9 so
//!    that 16 bits hold them: see [`dct`].
//!
//! Tables come from `+ - * /` in doubles and are equal on every machine.

mod dct;
mod fft;
mod log;
mod mel;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::data::front_end::Stream;
use crate::data::limits;

pub(crate) use dct::Dct;
pub(crate) use fft::Fft;
pub(crate) use mel::Mel;

/// Changes whenever some recording gets other features.
const VERSION: u32 = 1;
/// Samples of a frame.
const FRAME: std::ops::RangeInclusive<usize> = 32..=4096;
/// Most filters: what a row's sums have room for.
const MAX_FILTERS: usize = 128;

/// What features of sound are made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AudioSpec {
    /// Samples of a second.
    pub rate: u32,
    /// Samples of a recording.
    pub length: usize,
    /// Samples of a frame.
    pub frame: usize,
    /// Samples from the start of a frame to that of the next.
    pub hop: usize,
    /// Mel filters.
    pub filters: usize,
    /// Lower end of the lowest filter, in Hz.
    pub low: f64,
    /// Upper end of the highest filter, in Hz; at most half the rate.
    pub high: f64,
    /// Cepstral coefficients of a frame; `None` for the energies themselves.
    pub coefficients: Option<usize>,
    /// How results follow one another on a chip.
    pub stream: Stream,
}

impl AudioSpec {
    /// What can be said before there are tables.
    fn check(&self) -> Result<(), String> {
        let AudioSpec { rate, length, frame, hop, filters, low, high, coefficients, stream } = self;
        if !FRAME.contains(frame) {
            let (least, most) = FRAME.into_inner();
            return Err(format!("a frame has {frame} samples, allowed are {least} to {most}"));
        }
        if *hop == 0 || *hop > limits::VALUES {
            return Err(format!("`hop` is {hop} samples, allowed are 1 to {}", limits::VALUES));
        }
        if length < frame {
            return Err(format!("a recording has {length} samples, fewer than a frame with {frame}"));
        }
        if *length > limits::VALUES {
            return Err(format!("a recording has {length} samples, allowed are {}", limits::VALUES));
        }
        if *filters == 0 || *filters > MAX_FILTERS {
            return Err(format!("`filters` is {filters}, allowed are 1 to {MAX_FILTERS}"));
        }
        if !(0.0..f64::from(*rate)).contains(low) || high.is_nan() || low >= high {
            return Err(format!("filters from {low} Hz to {high} Hz: `low` is at least 0 and below `high`"));
        }
        if *high > f64::from(*rate) / 2.0 {
            return Err(format!("`high` is {high} Hz, beyond half the rate of {rate} Hz"));
        }
        if let Some(count) = coefficients
            && (*count == 0 || count > filters)
        {
            return Err(format!(
                "`coefficients` is {count}, allowed are 1 to the number of filters, {filters}"
            ));
        }
        if stream.every == 0 || stream.smooth == 0 {
            return Err("`every` and `smooth` are at least 1".to_owned());
        }
        Ok(())
    }
}

/// The front end with its tables.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "AudioSpec", into = "AudioSpec")]
pub struct Audio {
    spec: AudioSpec,
    tables: Arc<Tables>,
}

/// What the steps need, from the spec alone.
struct Tables {
    fft: Fft,
    mel: Mel,
    dct: Option<Dct>,
}

impl fmt::Debug for Audio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audio").field(&self.spec).finish()
    }
}

impl PartialEq for Audio {
    fn eq(&self, other: &Audio) -> bool {
        self.spec == other.spec
    }
}

impl TryFrom<AudioSpec> for Audio {
    type Error = String;

    fn try_from(spec: AudioSpec) -> Result<Audio, String> {
        Audio::new(spec)
    }
}

impl From<Audio> for AudioSpec {
    fn from(audio: Audio) -> AudioSpec {
        audio.spec
    }
}

/// Memory that features are made in; one serves any number of recordings.
#[derive(Clone, Debug, Default)]
pub struct Scratch {
    /// The spectrum of a frame.
    spectrum: Vec<i32>,
    /// The logarithms of its energies.
    logarithms: Vec<i16>,
}

thread_local! {
    /// Scratch, samples and features of a recording.
    static MEMORY: RefCell<(Scratch, Vec<i16>, Vec<i16>)> = RefCell::default();
}

impl Audio {
    /// Makes the tables.
    ///
    /// # Errors
    /// What in the spec cannot be, in words for the user.
    pub fn new(spec: AudioSpec) -> Result<Audio, String> {
        spec.check()?;
        let fft = Fft::new(spec.frame);
        let mel = Mel::new(&spec, fft.size())?;
        let dct = spec.coefficients.map(|count| Dct::new(count, spec.filters, fft.size()));
        Ok(Audio { spec, tables: Arc::new(Tables { fft, mel, dct }) })
    }

    /// What it was made from.
    pub fn spec(&self) -> &AudioSpec {
        &self.spec
    }

    /// Frames, bands, 1.
    pub fn extents(&self) -> [usize; 3] {
        let frames = (self.spec.length - self.spec.frame) / self.spec.hop + 1;
        [frames, self.spec.coefficients.unwrap_or(self.spec.filters), 1]
    }

    /// Fraction bits of the features, which are octaves of energy: `2^bits` steps of a feature are a factor of 2.
    pub fn fraction_bits(&self) -> u32 {
        self.tables.dct.as_ref().map_or(log::FRACTION, Dct::fraction_bits)
    }

    /// The transform.
    pub(crate) fn fft(&self) -> &Fft {
        &self.tables.fft
    }

    /// The filters.
    pub(crate) fn mel(&self) -> &Mel {
        &self.tables.mel
    }

    /// The cosine transform, for coefficients.
    pub(crate) fn dct(&self) -> Option<&Dct> {
        self.tables.dct.as_ref()
    }

    /// `log2(1 + i / 32)` with 15 fraction bits.
    pub(crate) fn log_table(&self) -> &'static [u16] {
        &log::LOG_TABLE
    }

    /// The features of a recording: integers of 16 bit.
    ///
    /// # Panics
    /// When a slice has another length than the spec says.
    pub fn features(&self, raw: &[f32], into: &mut [f32]) {
        MEMORY.with_borrow_mut(|(scratch, samples, features)| {
            samples.clear();
            samples.extend(raw.iter().map(|&sample| sample as i16));
            features.resize(into.len(), 0);
            self.features_i16(samples, features, scratch);
            for (feature, integer) in into.iter_mut().zip(features) {
                *feature = f32::from(*integer);
            }
        });
    }

    /// The features of a recording.
    ///
    /// # Panics
    /// When a slice has another length than the spec says.
    pub fn features_i16(&self, samples: &[i16], into: &mut [i16], scratch: &mut Scratch) {
        let [frames, bands, _] = self.extents();
        assert_eq!(samples.len(), self.spec.length, "samples of a recording");
        assert_eq!(into.len(), frames * bands, "features of a recording");
        for (index, row) in into.chunks_exact_mut(bands).enumerate() {
            let start = index * self.spec.hop;
            self.row(&samples[start..start + self.spec.frame], row, scratch);
        }
    }

    /// The features of one frame.
    fn row(&self, frame: &[i16], row: &mut [i16], scratch: &mut Scratch) {
        let Tables { fft, mel, dct } = &*self.tables;
        let Scratch { spectrum, logarithms } = scratch;
        spectrum.resize(fft.size(), 0);
        fft.spectrum(frame, spectrum);
        match dct {
            None => mel.logarithms(spectrum, row),
            Some(dct) => {
                logarithms.resize(self.spec.filters, 0);
                mel.logarithms(spectrum, logarithms);
                dct.apply(logarithms, row);
            }
        }
    }

    /// See `FrontEnd::canonical`.
    pub fn canonical(&self) -> String {
        let AudioSpec { rate, length, frame, hop, filters, low, high, coefficients, stream: _ } = &self.spec;
        let bands = coefficients.map_or("mel".to_owned(), |count| format!("mfcc {count}"));
        format!("audio {VERSION} {rate} {length} {frame} {hop} {filters} {low} {high} {bands}")
    }
}
