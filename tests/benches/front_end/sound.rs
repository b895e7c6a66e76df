//! The recordings, and the front ends before them.

use std::path::Path;

use nasc::data::{
    self, Audio, AudioFolder, AudioGroup, AudioSpec, Cut, Dataset, FrontEnd, Loaded, Source, Split, Stream,
};
use nasc::diagnostic::Diagnostic;

/// Recordings of one second.
#[derive(Clone, Copy)]
pub(crate) struct Sound {
    folder: &'static str,
    pub(crate) rate: u32,
}

/// Spoken words, of which 12 classes are told apart.
pub(crate) const WORDS: Sound = Sound { folder: "data/speech_commands_12", rate: 16_000 };
/// Spoken digits.
pub(crate) const DIGITS: Sound = Sound { folder: "data/fsdd_8k", rate: 8000 };

pub(crate) fn text(diagnostic: Diagnostic) -> String {
    diagnostic.message
}

impl Sound {
    /// Reads the archives.
    pub(crate) fn load(self, root: &Path, cache: Option<&Path>) -> Result<Loaded, String> {
        let source = Source::AudioFolder(AudioFolder {
            path: self.folder.to_owned(),
            train: None,
            test: None,
            rate: self.rate,
            resample: false,
            length: Some(self.rate as usize),
            hop: None,
            quiet: None,
            classes: None,
            group: AudioGroup::None,
        });
        data::load(&source, &Cut { split: Split::Holdout(0.1), seed: 1 }, root, cache).map_err(text)
    }

    /// Frames of 40 ms every 20 ms, 40 filters, and cepstral coefficients of them.
    pub(crate) fn spec(self, coefficients: Option<usize>) -> AudioSpec {
        let samples = |milliseconds: u32| (self.rate / 1000 * milliseconds) as usize;
        AudioSpec {
            rate: self.rate,
            length: samples(1000),
            frame: samples(40),
            hop: samples(20),
            filters: 40,
            low: 20.0,
            high: f64::from(self.rate) / 2.0,
            coefficients,
            stream: Stream { every: 1, smooth: 1 },
        }
    }

    pub(crate) fn front_end(self, coefficients: Option<usize>) -> Result<FrontEnd, String> {
        Audio::new(self.spec(coefficients)).map(FrontEnd::Audio)
    }
}

/// All recordings, or their features: training parts, then the test part.
pub(crate) fn all(splits: data::Splits) -> [Dataset; 3] {
    [splits.train, splits.val, splits.test]
}

/// So many samples, evenly spread over all of them.
pub(crate) fn spread(splits: data::Splits, count: usize) -> Vec<Vec<f32>> {
    let parts = all(splits);
    let total: usize = parts.iter().map(Dataset::len).sum();
    let count = count.min(total);
    let mut samples = Vec::with_capacity(count);
    let mut before = 0;
    for part in parts {
        while samples.len() < count && samples.len() * total / count < before + part.len() {
            let mut sample = vec![0.0; part.sample_len()];
            part.sample(samples.len() * total / count - before, &mut sample);
            samples.push(sample);
        }
        before += part.len();
    }
    samples
}

/// What of the recordings of a data set is in a front end's name.
pub(crate) fn name(coefficients: Option<usize>) -> String {
    coefficients.map_or("log_mel 40".to_owned(), |count| format!("mfcc {count}"))
}
