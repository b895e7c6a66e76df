//! From what the sensor gives to what the network takes: one definition for training, evaluator and chip.
//!
//! In: raw numbers of one sample. Out: features, which a [`Quantizer`] brings to the network's 8-bit input. Features
//! of sound and pictures are integers, computed in integers, and emitted C computes the same ones bit for bit.
//! Training sees them as floats that hold these integers.

mod audio;
mod picture;

use serde::{Deserialize, Serialize};

use crate::data::raw::Quantizer;
use crate::data::table::Element;

pub use audio::{Audio, AudioSpec, Scratch};
pub(crate) use picture::Axis;
pub use picture::Picture;

/// How results follow one another on a chip that listens all the time. It changes no result of a whole sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Rows of features from one run of the network to the next, at least 1.
    pub every: usize,
    /// Outputs that are averaged, at least 1.
    pub smooth: usize,
}

/// Numbers that come row by row: the last `length` of them are a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Series {
    /// What the sensor gives.
    pub element: Element,
    /// Rows of a sample.
    pub length: usize,
    /// Numbers of a row.
    pub channels: usize,
    /// How results follow one another.
    pub stream: Stream,
}

/// What stands between sensor and network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrontEnd {
    /// Nothing: the network takes what the sensor gives.
    Values {
        /// What one number is.
        element: Element,
        /// Height or time, width, channels.
        extents: [usize; 3],
    },
    /// Log-mel energies or cepstral coefficients of sound.
    Audio(Audio),
    /// Pictures brought to one size.
    Picture(Picture),
    /// Windows of a signal, as it is.
    Series(Series),
}

impl FrontEnd {
    /// What one raw number is.
    pub fn element(&self) -> Element {
        match self {
            FrontEnd::Values { element, .. } => *element,
            FrontEnd::Audio(_) => Element::I16,
            FrontEnd::Picture(_) => Element::U8,
            FrontEnd::Series(series) => series.element,
        }
    }

    /// What one feature is: what the cache keeps of it without loss.
    pub fn feature_element(&self) -> Element {
        self.element()
    }

    /// Height or time, width, channels of a raw sample.
    pub fn raw_extents(&self) -> [usize; 3] {
        match self {
            FrontEnd::Values { extents, .. } => *extents,
            FrontEnd::Audio(audio) => [audio.spec().length, 1, 1],
            FrontEnd::Picture(picture) => picture.from,
            FrontEnd::Series(series) => [series.length, 1, series.channels],
        }
    }

    /// Height or time, width, channels of the network's input.
    pub fn extents(&self) -> [usize; 3] {
        match self {
            FrontEnd::Audio(audio) => audio.extents(),
            FrontEnd::Picture(picture) => picture.to,
            other => other.raw_extents(),
        }
    }

    /// Features that share mean and deviation come again after so many: the channels, or the bands of sound.
    pub fn period(&self) -> usize {
        let [_, width, channels] = self.extents();
        match self {
            FrontEnd::Audio(_) => width * channels,
            _ => channels,
        }
    }

    /// How results follow one another on a chip that listens all the time; `None` where samples are single.
    pub fn stream(&self) -> Option<Stream> {
        match self {
            FrontEnd::Audio(audio) => Some(audio.spec().stream),
            FrontEnd::Series(series) => Some(series.stream),
            FrontEnd::Values { .. } | FrontEnd::Picture(_) => None,
        }
    }

    /// Writes the features of one raw sample. Numbers of raw samples and features are exact as floats.
    ///
    /// # Panics
    /// When a slice has another length than the extents say.
    pub fn features(&self, raw: &[f32], into: &mut [f32]) {
        match self {
            FrontEnd::Audio(audio) => audio.features(raw, into),
            FrontEnd::Picture(picture) => picture.resize(raw, into),
            FrontEnd::Values { .. } | FrontEnd::Series(_) => into.copy_from_slice(raw),
        }
    }

    /// A text that two front ends share if and only if they give the same features of the same samples.
    pub fn canonical(&self) -> String {
        match self {
            FrontEnd::Audio(audio) => audio.canonical(),
            FrontEnd::Picture(picture) => picture.canonical(),
            FrontEnd::Values { .. } | FrontEnd::Series(_) => "values".to_owned(),
        }
    }
}

/// All that turns raw numbers into the network's 8-bit input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RawInput {
    /// Raw numbers to features.
    pub front_end: FrontEnd,
    /// Features to 8 bit.
    pub quantizer: Quantizer,
}

impl RawInput {
    /// The network's input for one raw sample.
    ///
    /// # Panics
    /// When the sample has another length than the front end takes.
    pub fn quantize(&self, raw: &[f32]) -> Vec<i8> {
        let mut features = vec![0.0; self.front_end.extents().iter().product()];
        self.front_end.features(raw, &mut features);
        self.quantizer.quantize_all(&features)
    }
}
