//! Recordings that are no samples: the noise that training mixes in.

use std::path::Path;

use crate::data::resample::Resampler;
use crate::data::{cache, entries, limits, wav};
use crate::diagnostic::{Code, Diagnostic};

/// All WAV recordings of a folder or archive below `root`, at `rate` samples of a second, in the order of their names
/// or of the archive.
///
/// # Errors
/// E0701 where there is no such folder, E0702 for a file that is no plain sound, or where there is none at all; E0706
/// beyond [`limits::VALUES`] samples together.
pub fn read_recordings(root: &Path, name: &str, rate: u32) -> Result<Vec<Vec<i16>>, Diagnostic> {
    let mut found: Vec<Vec<i16>> = Vec::new();
    let mut total = 0usize;
    entries::walk(root, name, &mut |entry| {
        if !entry.path.to_ascii_lowercase().ends_with(".wav") {
            return Ok(());
        }
        let shown = entry.shown();
        let sound = wav::parse(entry.read()?, &shown)?;
        let samples = match sound.rate == rate {
            true => sound.samples,
            false => Resampler::new(sound.rate, rate)
                .ok()
                .and_then(|resampler| resampler.run(&sound.samples))
                .ok_or_else(|| unusable(&shown, sound.rate, rate))?,
        };
        total = total.saturating_add(samples.len());
        if total > limits::VALUES {
            let message = format!("the noise in `{name}` has more than {} samples", limits::VALUES);
            return Err(Diagnostic::error(Code::DATA_LIMIT, message).help("a few minutes of noise do"));
        }
        if !samples.is_empty() {
            found.push(samples);
        }
        Ok(())
    })?;
    if found.is_empty() {
        let message = format!("`{name}` has no WAV recordings to take noise from");
        return Err(Diagnostic::error(Code::DATA_FORMAT, message)
            .help("leave `from` out for white noise, or name a folder with recordings"));
    }
    Ok(found)
}

/// SHA-256, in hexadecimal, of names and contents of all files of a folder or archive below `root`; `None` where they
/// cannot be read.
pub fn recordings_hash(root: &Path, name: &str) -> Option<String> {
    cache::contents_hash(root, &entries::list(root, name).ok()?).ok()
}

fn unusable(file: &str, from: u32, to: u32) -> Diagnostic {
    Diagnostic::error(
        Code::DATA_FORMAT,
        format!("{file} has {from} samples of a second, not to be brought to {to}"),
    )
    .help("convert it beforehand")
}
