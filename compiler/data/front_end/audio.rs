//! Features of sound: log-mel energies and cepstral coefficients, in fixed point.

use serde::{Deserialize, Serialize};

use crate::data::front_end::Stream;

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

/// The front end with its tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AudioSpec", into = "AudioSpec")]
pub struct Audio {
    spec: AudioSpec,
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

impl Audio {
    /// Makes the tables.
    ///
    /// # Errors
    /// What in the spec cannot be, in words for the user.
    pub fn new(spec: AudioSpec) -> Result<Audio, String> {
        Ok(Audio { spec })
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

    /// The features of a recording: integers of 16 bit.
    ///
    /// # Panics
    /// When a slice has another length than the spec says.
    pub fn features(&self, _raw: &[f32], _into: &mut [f32]) {
        unimplemented!("made by the front end's own change")
    }

    /// See `FrontEnd::canonical`.
    pub fn canonical(&self) -> String {
        let AudioSpec { rate, length, frame, hop, filters, low, high, coefficients, .. } = &self.spec;
        format!("audio 1 {rate} {length} {frame} {hop} {filters} {low} {high} {coefficients:?}")
    }
}
