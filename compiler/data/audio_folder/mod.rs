//! Recordings in folders of their class.
//!
//! In: a folder or archive whose folders are classes, with WAV files at any depth. Out: 16-bit samples
//! `[length, 1, 1]`. Files that are no sound (lists, licences) are passed over. Deliberately not done here: splits by
//! lists or speakers, which the splitter makes from files and groups; features.

mod pattern;
#[cfg(test)]
mod tests;

use std::collections::btree_map::Entry as MapEntry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::data::entries::{self, Entry};
use crate::data::parts::{self, parts_of};
use crate::data::resample::Resampler;
use crate::data::{Collector, Element, Part, Reader, Sample, Values, Wanted, wav};
use crate::diagnostic::{Code, Diagnostic};

/// Where sets of spoken words keep noise that is no class.
const NOISE: &str = "_background_noise_";
/// Sound that has to be converted first.
const COMPRESSED: [&str; 11] =
    ["mp3", "ogg", "oga", "opus", "flac", "m4a", "aac", "wma", "amr", "aif", "aiff"];

/// `audio_folder("...", rate: 16 kHz)`: recordings in folders of their class.
///
/// The class of a recording is the first folder of its path inside the source. Parts come from one of these, the
/// first that applies:
///
/// 1. `train` and `test`, which name a source each, relative to the root.
/// 2. `path` is a folder with a `train` and at least one of `test`, `testing`, `val`, `valid`, `validation` in it, each
///    a folder or an archive (`train.tar.gz`), and with no other folder that holds WAV files: the parts as their maker
///    has them. With both a test and a validation part all three are taken as what they are. With a validation part alone
///    it is the test part: the part that is scored once.
/// 3. `path` is an archive of such folders.
/// 4. None: all recordings of `path` are to be split.
#[derive(Clone, Debug, PartialEq)]
pub struct AudioFolder {
    /// The folder or archive, relative to the root.
    pub path: String,
    /// Source of the training part, relative to the root.
    pub train: Option<String>,
    /// Source of the test part, relative to the root.
    pub test: Option<String>,
    /// Samples of a second.
    pub rate: u32,
    /// Whether recordings of other rates are brought to `rate`; else they are errors.
    pub resample: bool,
    /// Samples of a window, at `rate`. Shorter recordings are padded with zeros at their end. `None`: all recordings
    /// have the same length.
    pub length: Option<usize>,
    /// Samples from the start of a window to that of the next; the last one that is not whole is left out. `None`: one
    /// window of each recording, the loudest (greatest sum of squares, the first of several).
    pub hop: Option<usize>,
    /// Windows whose root mean square is below this share of full scale (32768) are left out, and recordings without
    /// samples with them.
    pub quiet: Option<f64>,
    /// The classes in order; other folders are passed over. `None`: every folder but `_background_noise_`.
    pub classes: Option<Vec<String>>,
    /// What must not be parted.
    pub group: AudioGroup,
}

fn empty(shown: &str) -> Diagnostic {
    Diagnostic::error(Code::DATA_FORMAT, format!("{shown} has no samples"))
        .help("copy it again, take it out, or write `quiet: 0.1 %` to leave out what holds nothing")
}

/// What recordings are kept together by when they are split.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudioGroup {
    /// Nothing.
    None,
    /// The path below the folder of the class: the same prompt in several classes, all windows of a recording.
    File,
    /// The speaker in the name of the file, without its ending, as a pattern tells: `{}` is the speaker, without `_`;
    /// `*` is anything. Recordings whose names do not match have no group.
    Speaker(String),
}

impl Reader for AudioFolder {
    fn element(&self, _: &Path) -> Result<Element, Diagnostic> {
        Ok(Element::I16)
    }

    fn inputs(&self, root: &Path) -> Result<Vec<String>, Diagnostic> {
        // All that may be inside is then in one file, which need not be unpacked to know so.
        if self.train.is_none() && self.test.is_none() && entries::is_archive(root, &self.path)? {
            return entries::list(root, &self.path);
        }
        let mut files = Vec::new();
        for Place { source, .. } in self.places(root)? {
            let of_source = entries::list(root, &source)?;
            // An archive is the only file of its source.
            let archive = of_source.len() == 1 && !ends_in(&of_source[0], &["wav", "wave"]);
            files.extend(of_source.into_iter().filter(|file| archive || is_wav(file)));
        }
        Ok(files)
    }

    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic> {
        self.check()?;
        into.set_rate(self.rate);
        if self.hop.is_some() {
            into.set_windows();
        }
        if let Some(classes) = &self.classes {
            into.declare(classes)?;
        }
        let mut reading = Reading {
            spec: self,
            into,
            parts: Vec::new(),
            resamplers: BTreeMap::new(),
            length: None,
            recordings: BTreeMap::new(),
            samples: BTreeMap::new(),
        };
        let mut folders = BTreeSet::new();
        for Place { source, parts } in self.places(root)? {
            // Of the folders inside an archive only those of the parts are known.
            let are_classes = self.classes.is_none() && parts.iter().all(|(folder, _)| folder.is_none());
            reading.parts = parts;
            reading.recordings.clear();
            let found = entries::walk(root, &source, &mut |entry| reading.entry(entry))?;
            if are_classes {
                reading.none_is_empty(&found, &source)?;
            }
            folders.extend(found);
        }
        reading.all_are_there(&folders)
    }
}

impl AudioFolder {
    /// Where recordings are, and which part each place is.
    fn places(&self, root: &Path) -> Result<Vec<Place>, Diagnostic> {
        let whole = |source: String, part| Place { source, parts: vec![(None, part)] };
        if self.train.is_some() || self.test.is_some() {
            let named = [(&self.train, Part::Train), (&self.test, Part::Test)];
            let named =
                named.into_iter().filter_map(|(source, part)| Some(whole(source.clone()?, Some(part))));
            return Ok(named.collect());
        }
        let below = |name: &str| format!("{}/{name}", self.path);
        let beside = parts_of(|name| entries::exists(root, &below(name)));
        if !beside.is_empty() {
            // Right below the folder: what may be a part, and noise that is no class.
            let apart = |file: &str| {
                let mut pieces = parts_below(&self.path, file);
                pieces.next().is_some_and(|folder| parts::is_name(folder) || folder == NOISE)
                    && pieces.next().is_some()
            };
            let is_class = |file: &String| is_wav(file) && !apart(file) && !within_root(&self.path, file);
            if !entries::list(root, &self.path)?.iter().any(is_class) {
                let place = |(name, part): (&str, Part)| whole(below(name), Some(part));
                return Ok(beside.into_iter().map(place).collect());
            }
        }
        let inside = self.inside_archive(root)?;
        if inside.is_empty() {
            return Ok(vec![whole(self.path.clone(), None)]);
        }
        let parts = inside.into_iter().map(|(name, part)| (Some(name), Some(part))).collect();
        Ok(vec![Place { source: self.path.clone(), parts }])
    }

    /// The folders of an archive that are parts, if all recordings lie in such folders.
    fn inside_archive(&self, root: &Path) -> Result<Vec<(&'static str, Part)>, Diagnostic> {
        if !entries::is_archive(root, &self.path)? {
            return Ok(Vec::new());
        }
        let (mut found, mut is_other) = (BTreeSet::new(), false);
        let walked = entries::walk(root, &self.path, &mut |entry| {
            let Some((folder, below)) = entry.path.split_once('/') else { return Ok(()) };
            if !is_wav(below) || folder == NOISE {
                return Ok(());
            }
            if parts::is_name(folder) && below.contains('/') {
                found.insert(folder.to_owned());
                return Ok(());
            }
            is_other = true;
            // Enough is known: the rest is not unpacked for this.
            Err(Diagnostic::error(Code::DATA_LABEL, "the folders are classes"))
        });
        if is_other {
            return Ok(Vec::new());
        }
        walked.map(|_| parts_of(|name| found.contains(name)))
    }

    fn check(&self) -> Result<(), Diagnostic> {
        let zero =
            [("rate", self.rate == 0), ("length", self.length == Some(0)), ("hop", self.hop == Some(0))];
        if let Some((name, _)) = zero.iter().find(|(_, is_zero)| *is_zero) {
            let message = format!("`{name}` of the recordings is 0");
            return Err(Diagnostic::error(Code::DATA_SHAPE, message).help("give at least one sample"));
        }
        if self.hop.is_some() && self.length.is_none() {
            return Err(Diagnostic::error(Code::DATA_SHAPE, "the recordings have a `hop`, but no `length`")
                .help("say with `length:` how long a window is"));
        }
        Ok(())
    }
}

/// A source, and the folders in it that are parts; without a folder all of it is one.
struct Place {
    source: String,
    parts: Vec<(Option<&'static str>, Option<Part>)>,
}

/// Pieces of a path without those that say nothing.
fn pieces(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|piece| !matches!(*piece, "" | "."))
}

/// Pieces of the path of `file` below the folder `folder`, which it lies in.
fn parts_below<'a>(folder: &str, file: &'a str) -> impl Iterator<Item = &'a str> {
    pieces(file).skip(pieces(folder).count())
}

/// Whether `file` lies right in the folder `folder`, in no folder of it.
fn within_root(folder: &str, file: &str) -> bool {
    parts_below(folder, file).count() == 1
}

fn ends_in(path: &str, endings: &[&str]) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.rsplit_once('.').is_some_and(|(_, ending)| endings.iter().any(|e| e.eq_ignore_ascii_case(ending)))
}

fn is_wav(path: &str) -> bool {
    ends_in(path, &["wav", "wave"])
}

/// What is known while the files come.
struct Reading<'a> {
    spec: &'a AudioFolder,
    into: &'a mut Collector,
    /// Those of the source at hand.
    parts: Vec<(Option<&'static str>, Option<Part>)>,
    resamplers: BTreeMap<u32, Resampler>,
    /// Length of the first recording, where all have the same.
    length: Option<usize>,
    /// Recordings of each class in the source at hand.
    recordings: BTreeMap<String, usize>,
    /// Samples of each class in all sources.
    samples: BTreeMap<String, usize>,
}

impl Reading<'_> {
    fn entry(&mut self, entry: Entry<'_>) -> Result<(), Diagnostic> {
        let Some((path, part)) = self.parts.iter().find_map(|&(folder, part)| match folder {
            None => Some((entry.path, part)),
            Some(folder) => Some((entry.path.strip_prefix(folder)?.strip_prefix('/')?, part)),
        }) else {
            return Ok(());
        };
        let Some((class, below)) = path.split_once('/') else {
            return self.without_class(&entry);
        };
        let wanted = match &self.spec.classes {
            Some(classes) => classes.iter().any(|known| known == class),
            None => class != NOISE,
        };
        if !wanted {
            return Ok(());
        }
        let (shown, file, class, below) = (entry.shown(), entry.file(), class.to_owned(), below.to_owned());
        if ends_in(&below, &COMPRESSED) {
            let message = format!("{shown} is no WAV file");
            return Err(Diagnostic::error(Code::DATA_FORMAT, message)
                .help("convert it: `ffmpeg -i FILE -c:a pcm_s16le NEW.wav`, or move it out of the class"));
        }
        if !is_wav(&below) {
            return Ok(());
        }
        let recording = wav::parse(entry.read()?, &shown)?;
        if recording.samples.is_empty() {
            // Nothing is the quietest of all.
            return if self.spec.quiet.is_some() { Ok(()) } else { Err(empty(&shown)) };
        }
        let samples = self.at_rate(recording, &shown)?;
        self.same_length(samples.len(), &shown)?;
        *self.recordings.entry(class.clone()).or_default() += 1;
        let pushed = self.windows(samples, (&class, part), &below, &file)?;
        *self.samples.entry(class).or_default() += pushed;
        Ok(())
    }

    fn without_class(&self, entry: &Entry<'_>) -> Result<(), Diagnostic> {
        if !is_wav(entry.path) || self.spec.classes.is_some() {
            return Ok(());
        }
        let message = format!("{} is in no folder of a class", entry.shown());
        Err(Diagnostic::error(Code::DATA_LABEL, message)
            .help("the folders right below the source are the classes: move it into one of them"))
    }

    fn at_rate(&mut self, recording: wav::Wav, shown: &str) -> Result<Vec<i16>, Diagnostic> {
        let (found, rate) = (recording.rate, self.spec.rate);
        if found == rate {
            return Ok(recording.samples);
        }
        if !self.spec.resample {
            let message = format!("{shown} has the wrong rate: {found} Hz, `rate` is {rate} Hz");
            return Err(Diagnostic::error(Code::DATA_SHAPE, message)
                .help(format!("write `resample: true` to bring it to {rate} Hz, or correct `rate`")));
        }
        let resampler = match self.resamplers.entry(found) {
            MapEntry::Occupied(known) => known.into_mut(),
            MapEntry::Vacant(place) => place.insert(Resampler::new(found, rate).map_err(|why| {
                Diagnostic::error(Code::DATA_LIMIT, format!("{shown} cannot be resampled: {why}"))
                    .help("bring it to a usual rate first: `ffmpeg -i FILE -ar 16000 NEW.wav`")
            })?),
        };
        resampler.run(&recording.samples).ok_or_else(|| {
            Diagnostic::error(Code::DATA_LIMIT, format!("{shown} is too long at {rate} Hz"))
                .help("cut it into several files")
        })
    }

    fn same_length(&mut self, length: usize, shown: &str) -> Result<(), Diagnostic> {
        let expected = *self.length.get_or_insert(length);
        if self.spec.length.is_some() || expected == length {
            return Ok(());
        }
        let message = format!("{shown} has {length} samples, the recordings before it have {expected}");
        Err(Diagnostic::error(Code::DATA_SHAPE, message)
            .help("write `length:` to pad shorter and cut longer recordings"))
    }

    /// Gives the windows of a recording to the collector; says how many they were.
    fn windows(
        &mut self,
        mut samples: Vec<i16>,
        (class, part): (&str, Option<Part>),
        below: &str,
        file: &str,
    ) -> Result<usize, Diagnostic> {
        let length = self.spec.length.unwrap_or(samples.len());
        if samples.len() < length {
            samples.resize(length, 0);
        }
        let name = below.rsplit('/').next().unwrap_or(below);
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let group = match &self.spec.group {
            AudioGroup::None => None,
            AudioGroup::File => Some(below),
            AudioGroup::Speaker(pattern) => pattern::speaker(pattern, stem),
        };
        let last = samples.len() - length;
        // The loudest one of a file stands for all of it: position 0.
        let starts: Vec<(usize, usize)> = match self.spec.hop {
            Some(hop) => (0..=last).step_by(hop.max(1)).map(|start| (start, start)).collect(),
            None => vec![(loudest(&samples, length), 0)],
        };
        let mut pushed = 0;
        for (start, position) in starts {
            let window = &samples[start..start + length];
            if self.is_quiet(window) {
                continue;
            }
            pushed += 1;
            self.into.push(Sample {
                values: Values::I16(window),
                extents: [length, 1, 1],
                wanted: Wanted::Class(class),
                file,
                position: position as u64,
                group,
                part,
            })?;
        }
        Ok(pushed)
    }

    fn is_quiet(&self, window: &[i16]) -> bool {
        let Some(quiet) = self.spec.quiet else { return false };
        let threshold = quiet * 32_768.0;
        let energy: u64 = window.iter().map(|&x| square(x)).sum();
        (energy as f64) < threshold * threshold * window.len() as f64
    }

    /// Refuses folders of the source at hand that are no class, since there is nothing to hear in them.
    fn none_is_empty(&self, folders: &BTreeSet<String>, source: &str) -> Result<(), Diagnostic> {
        let empty = folders.iter().find(|f| *f != NOISE && !self.recordings.contains_key(*f));
        let Some(empty) = empty else { return Ok(()) };
        let message =
            format!("the class `{}` of `{source}` is empty: no WAV file is in it", empty.escape_debug());
        Err(Diagnostic::error(Code::DATA_LABEL, message)
            .help("remove the folder, or name the classes with `classes: [...]`"))
    }

    /// Refuses declared classes without recordings, and warns of those that are too quiet.
    fn all_are_there(self, folders: &BTreeSet<String>) -> Result<(), Diagnostic> {
        for class in self.spec.classes.iter().flatten() {
            if !self.samples.contains_key(class) {
                let message = format!("the class `{}` has no recordings", class.escape_debug());
                let found: Vec<String> =
                    folders.iter().take(20).map(|f| format!("`{}`", f.escape_debug())).collect();
                return Err(Diagnostic::error(Code::DATA_LABEL, message).help(match found.is_empty() {
                    true => "the source has no folders".to_owned(),
                    false => format!("there are the folders {}", found.join(", ")),
                }));
            }
        }
        for class in self.samples.iter().filter(|(_, count)| **count == 0).map(|(class, _)| class) {
            let message = format!("all of the class `{}` is too quiet and left out", class.escape_debug());
            self.into.warn(Diagnostic::warning(Code::DATA_LABEL, message).help("lower `quiet:`"));
        }
        Ok(())
    }
}

fn square(x: i16) -> u64 {
    u64::from(x.unsigned_abs()).pow(2)
}

/// Where the window of `length` with the greatest sum of squares starts, the first of several.
fn loudest(samples: &[i16], length: usize) -> usize {
    let mut energy: u64 = samples[..length].iter().map(|&x| square(x)).sum();
    let (mut best, mut start) = (energy, 0);
    for (at, (&leaves, &enters)) in samples.iter().zip(&samples[length..]).enumerate() {
        energy = energy + square(enters) - square(leaves);
        if energy > best {
            (best, start) = (energy, at + 1);
        }
    }
    start
}
