//! From the section `data` to readers and to changes of samples.

use std::path::Path;

use crate::data::{
    self, AudioFolder, AudioGroup, Augment, Background, Cifar, CifarLabel, Csv, FrontEnd, Idx, ImageFolder,
    ImageGroup, Npy, RawElement, RawFile, Source, Ts,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{Setting, Settings};
use crate::pipeline::tensors;

/// The names of speakers in Speech Commands.
const SPEAKER: &str = "{}_nohash_*";

/// The reader that the section asks for.
///
/// # Errors
/// E0202 where a key that the reader needs is missing, E0305 for a value that it cannot have.
pub(super) fn source(settings: &Settings) -> Result<Source, Diagnostic> {
    let (name, keys) = settings.form("source").ok_or_else(|| missing("data", "source"))?;
    let empty = Settings::default();
    let keys = Keys { name, keys: keys.unwrap_or(&empty), data: settings };
    match name {
        "ts" => Ok(Source::Ts(Ts { train: keys.needed("train")?, test: keys.needed("test")? })),
        "audio_folder" => keys.audio().map(Source::AudioFolder),
        "image_folder" => keys.images().map(Source::ImageFolder),
        "csv" => keys.csv().map(Source::Csv),
        "idx" => keys.idx().map(Source::Idx),
        "cifar" => keys.cifar().map(Source::Cifar),
        "npy" => keys.npy().map(Source::Npy),
        "raw" => keys.raw().map(Source::RawFile),
        _ => Err(Diagnostic::error(
            Code::NOT_YET,
            format!("this version of nasc does not read `source: {name}`"),
        )),
    }
}

fn missing(of: &str, key: &str) -> Diagnostic {
    Diagnostic::error(Code::MISSING, format!("`{of}` has no `{key}`"))
}

/// The arguments of a source.
struct Keys<'a> {
    name: &'a str,
    keys: &'a Settings,
    data: &'a Settings,
}

impl Keys<'_> {
    fn text(&self, key: &str) -> Option<String> {
        self.keys.text(key).map(str::to_owned)
    }

    fn needed(&self, key: &str) -> Result<String, Diagnostic> {
        self.text(key).ok_or_else(|| missing(self.name, key))
    }

    fn size(&self, key: &str) -> Option<usize> {
        self.keys.integer(key).and_then(|size| usize::try_from(size).ok())
    }

    /// A key of `features: window(...)`, which cuts recordings as keys of the source do.
    fn window(&self, key: &str) -> Option<usize> {
        match self.data.form("features") {
            Some(("window", Some(keys))) => keys.integer(key).and_then(|size| usize::try_from(size).ok()),
            _ => None,
        }
    }

    /// What `split: by(...)` keeps together.
    fn kept_together(&self) -> Option<&str> {
        match self.data.form("split") {
            Some(("by", Some(keys))) => keys.form("group").map(|(group, _)| group),
            _ => None,
        }
    }

    /// `path`, or nothing where `train` takes its place.
    fn place(&self) -> Result<(String, Option<String>, Option<String>), Diagnostic> {
        let (path, train, test) = (self.text("path"), self.text("train"), self.text("test"));
        match (path, train) {
            (Some(_), Some(_)) => Err(Diagnostic::error(
                Code::NOT_ALLOWED,
                format!(
                    "`{}` has a folder and `train`: one of them names the samples to learn from",
                    self.name
                ),
            )
            .help("write the folder alone, or `train:` and `test:`")),
            (None, None) => {
                Err(missing(self.name, "path").help(format!("write `{}(\"folder\", ...)`", self.name)))
            }
            (path, train) => Ok((path.unwrap_or_else(|| ".".to_owned()), train, test)),
        }
    }

    fn audio(&self) -> Result<AudioFolder, Diagnostic> {
        let (path, train, test) = self.place()?;
        let rate = self.keys.number("rate").ok_or_else(|| missing(self.name, "rate"))?;
        let length = |key: &str| match self.keys.0.get(key)? {
            Setting::Integer(samples) => usize::try_from(*samples).ok(),
            Setting::Number(seconds) => Some((seconds * rate).round() as usize),
            _ => None,
        };
        let group = match self.kept_together() {
            Some("file") => AudioGroup::File,
            Some("speaker" | "subject") => {
                AudioGroup::Speaker(self.text("speaker").unwrap_or_else(|| SPEAKER.to_owned()))
            }
            _ => AudioGroup::None,
        };
        Ok(AudioFolder {
            path,
            train,
            test,
            rate: rate.round() as u32,
            resample: self.keys.boolean("resample").unwrap_or(false),
            length: length("length"),
            hop: length("hop"),
            quiet: self.keys.number("quiet"),
            classes: texts(self.keys, "classes"),
            group,
        })
    }

    fn images(&self) -> Result<ImageFolder, Diagnostic> {
        let (path, train, test) = self.place()?;
        let channels = self.size("channels").unwrap_or(3);
        if channels == 2 {
            return Err(Diagnostic::error(Code::RANGE, "pictures have 1 or 3 `channels`, found 2")
                .help("write 3 for colour, 1 for grey"));
        }
        Ok(ImageFolder {
            path,
            train,
            test,
            size: pair(self.keys, "size"),
            channels,
            classes: texts(self.keys, "classes"),
            group: match self.kept_together() {
                Some("file") => ImageGroup::File,
                _ => ImageGroup::None,
            },
        })
    }

    fn csv(&self) -> Result<Csv, Diagnostic> {
        let separator = match self.keys.text("separator").map(|text| text.chars().collect::<Vec<_>>()) {
            None => None,
            Some(one) if one.len() == 1 && one[0].is_ascii() => Some(one[0]),
            Some(_) => {
                return Err(Diagnostic::error(Code::RANGE, "`separator` is one ASCII character")
                    .help("write `separator: \";\"`"));
            }
        };
        Ok(Csv {
            train: self.needed("train")?,
            test: self.text("test"),
            label: self.text("label"),
            columns: texts(self.keys, "columns"),
            targets: texts(self.keys, "targets").unwrap_or_default(),
            window: self.size("window").or_else(|| self.window("length")),
            hop: self.size("hop").or_else(|| self.window("hop")),
            group: self.text("group"),
            separator,
            normal: self.text("normal"),
        })
    }

    fn idx(&self) -> Result<Idx, Diagnostic> {
        Ok(Idx {
            train: self.needed("train")?,
            train_labels: self.text("train_labels"),
            test: self.text("test"),
            test_labels: self.text("test_labels"),
            classes: texts(self.keys, "classes"),
        })
    }

    fn cifar(&self) -> Result<Cifar, Diagnostic> {
        let (path, train, test) = self.place()?;
        Ok(Cifar { path, train: train.map(|train| vec![train]), test, label: CifarLabel::default() })
    }

    fn npy(&self) -> Result<Npy, Diagnostic> {
        Ok(Npy {
            train: self.needed("train")?,
            train_labels: self.text("train_labels"),
            test: self.text("test"),
            test_labels: self.text("test_labels"),
            train_table: self.text("train_table"),
            test_table: self.text("test_table"),
            group: self.text("group"),
            window: self.size("window"),
            hop: self.size("hop"),
            classes: texts(self.keys, "classes"),
            targets: self.keys.boolean("targets").unwrap_or(false),
        })
    }

    fn raw(&self) -> Result<RawFile, Diagnostic> {
        let element = match self.keys.form("element").map(|(name, _)| name) {
            Some("i8") => RawElement::I8,
            Some("u8") => RawElement::U8,
            Some("i16") => RawElement::I16,
            _ => RawElement::F32,
        };
        let shape = match self.keys.0.get("shape") {
            Some(Setting::List(sizes)) => sizes.iter().filter_map(integer).collect(),
            _ => Vec::new(),
        };
        Ok(RawFile {
            train: self.needed("train")?,
            test: self.text("test"),
            train_labels: self.text("train_labels"),
            test_labels: self.text("test_labels"),
            element,
            shape,
            classes: None,
        })
    }
}

fn integer(setting: &Setting) -> Option<usize> {
    match setting {
        Setting::Integer(value) => usize::try_from(*value).ok(),
        _ => None,
    }
}

/// A list of texts.
fn texts(settings: &Settings, key: &str) -> Option<Vec<String>> {
    let Setting::List(values) = settings.0.get(key)? else { return None };
    let text = |value: &Setting| match value {
        Setting::Text(text) => Some(text.clone()),
        _ => None,
    };
    values.iter().map(text).collect()
}

/// Height and width: one number for both, or two.
pub(super) fn pair(settings: &Settings, key: &str) -> Option<(usize, usize)> {
    match settings.0.get(key)? {
        Setting::List(values) => Some((integer(values.first()?)?, integer(values.get(1)?)?)),
        other => integer(other).map(|size| (size, size)),
    }
}

/// The changes of training samples, without `mixup`, which is of batches: its parameter comes beside them.
///
/// # Errors
/// E0204 for a change that samples of this kind do not have; E07xx for a folder of noise.
pub(super) fn augments(
    settings: &Settings,
    front_end: &FrontEnd,
    rate: Option<u32>,
    root: &Path,
) -> Result<(Vec<Augment>, Option<f64>), Diagnostic> {
    let Some(Setting::List(list)) = settings.0.get("augment") else { return Ok((Vec::new(), None)) };
    let (mut found, mut mixup) = (Vec::new(), None);
    let empty = Settings::default();
    for change in list {
        let (name, keys) = match change {
            Setting::Word(name) => (name.as_str(), &empty),
            Setting::Call(name, keys) => (name.as_str(), keys),
            _ => continue,
        };
        if name == "mixup" {
            mixup = keys.number("alpha");
            continue;
        }
        let change = Change { name, keys, front_end, rate, root };
        found.push(change.augment()?);
    }
    Ok((found, mixup))
}

/// The hash of data with that of the recordings that `augment` mixes in, if there are any. Where they cannot be read, who
/// needs them says so.
pub(super) fn with_noise(hash: &str, settings: &Settings, root: &Path) -> String {
    let Some(Setting::List(list)) = settings.0.get("augment") else { return hash.to_owned() };
    let folder = |change: &Setting| match change {
        Setting::Call(_, keys) => keys.text("from").map(str::to_owned),
        _ => None,
    };
    let found = list.iter().filter_map(folder).filter_map(|folder| data::recordings_hash(root, &folder));
    found.fold(hash.to_owned(), |hash, noise| tensors::sha256(format!("{hash}\nnoise {noise}").as_bytes()))
}

/// One change with what it is applied to.
struct Change<'a> {
    name: &'a str,
    keys: &'a Settings,
    front_end: &'a FrontEnd,
    rate: Option<u32>,
    root: &'a Path,
}

impl Change<'_> {
    fn share(&self) -> f32 {
        self.keys.number("share").unwrap_or(0.0) as f32
    }

    /// A time in samples of the raw signal.
    fn samples(&self) -> Result<usize, Diagnostic> {
        let rate = self.rate.ok_or_else(|| self.not_for("sound: the data has no rate"))?;
        Ok((self.keys.number("time").unwrap_or(0.0) * f64::from(rate)).round() as usize)
    }

    fn not_for(&self, what: &str) -> Diagnostic {
        let message = format!("`augment: [{}(...)]` is for {what}", self.name);
        Diagnostic::error(Code::NOT_ALLOWED, message).help("leave it out")
    }

    fn augment(&self) -> Result<Augment, Diagnostic> {
        Ok(match self.name {
            "shift" => Augment::Shift { samples: self.samples()? },
            "noise" => Augment::Noise { share: self.share(), background: self.background()? },
            "gain" => Augment::Gain { share: self.share() },
            "tilt" => Augment::Tilt { share: self.share() },
            "time_mask" => Augment::TimeMask { rows: self.rows()? },
            "frequency_mask" => match self.front_end {
                FrontEnd::Audio(_) => {
                    Augment::FrequencyMask { bands: self.keys.integer("bands").unwrap_or(0) as usize }
                }
                _ => return Err(self.not_for("features of sound")),
            },
            "speed" => Augment::Speed { share: self.share() },
            "flip" => Augment::Flip,
            "crop" => Augment::Crop { share: self.share() },
            "brightness" => Augment::Brightness { share: self.share() },
            "rotate" => {
                if !self.front_end.raw_extents()[2].is_multiple_of(3) {
                    return Err(self.not_for("sensors of motion with three channels each"));
                }
                Augment::Rotate { degrees: self.keys.number("degrees").unwrap_or(0.0) as f32 }
            }
            name => {
                let message = format!("this version of nasc does not carry out `augment: [{name}]`");
                return Err(Diagnostic::error(Code::NOT_YET, message));
            }
        })
    }

    /// A time in rows of features.
    fn rows(&self) -> Result<usize, Diagnostic> {
        let samples = self.samples()?;
        Ok(match self.front_end {
            FrontEnd::Audio(audio) => samples / audio.spec().hop.max(1),
            _ => samples,
        })
    }

    fn background(&self) -> Result<Option<Background>, Diagnostic> {
        let Some(folder) = self.keys.text("from") else { return Ok(None) };
        let (FrontEnd::Audio(_), Some(rate)) = (self.front_end, self.rate) else {
            return Err(self.not_for("sound, where noise comes `from` recordings"));
        };
        noise(self.root, folder, rate)
    }
}

/// The recordings of a folder that noise is taken from.
fn noise(root: &Path, folder: &str, rate: u32) -> Result<Option<Background>, Diagnostic> {
    let recordings = data::read_recordings(root, folder, rate).map_err(|error| {
        let shown = folder.escape_debug();
        error.note(format!("`augment: [noise(..., from: \"{shown}\")]` takes noise from there"))
    })?;
    let floats = recordings.into_iter().map(|sound| sound.into_iter().map(f32::from).collect()).collect();
    Ok(Background::new(folder, floats))
}

/// Hashes of all recordings that noise is taken from.
///
/// # Errors
/// E07xx for a folder of noise.
pub(super) fn noise_hashes(
    settings: &Settings,
    rate: Option<u32>,
    root: &Path,
) -> Result<Vec<String>, Diagnostic> {
    let (Some(Setting::List(list)), Some(rate)) = (settings.0.get("augment"), rate) else {
        return Ok(Vec::new());
    };
    let folders = list.iter().filter_map(|change| match change {
        Setting::Call(name, keys) if name == "noise" => keys.text("from"),
        _ => None,
    });
    let hashes: Result<Vec<_>, Diagnostic> = folders
        .map(|folder| Ok(noise(root, folder, rate)?.map(|background| background.hash().to_owned())))
        .collect();
    Ok(hashes?.into_iter().flatten().collect())
}
