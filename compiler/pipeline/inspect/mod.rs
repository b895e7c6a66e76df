//! `nasc data`: what a spec's data really holds, and what a network will see of it.
//!
//! In: a spec and its data. Out: [`Inspected`], which is counts, ranges, the front end and all warnings; on demand a
//! page for a browser with samples of every class. Samples are read one by one. Deliberately not done here: what the
//! front end costs on a chip, which is part of a bundle's report.

mod draw;
mod measure;
mod page;
mod sheet;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::Serialize;

use crate::data::{Collection, Dataset, Element, Part};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::{Program, Settings};
use crate::pipeline::Failure;
use crate::pipeline::check::Loaded;
use crate::pipeline::compile::{Progress, cache_of};
use crate::pipeline::files::Files;
use crate::pipeline::prepare::{self, Features, Prepared};
use crate::pipeline::survey::DRAWN;
use crate::source::SourceMap;
use crate::space;

pub use measure::{Range, Sound};
pub(in crate::pipeline) use words::front_end as front_end_text;
pub use words::{duration_text, number_text};

/// Arguments of [`inspect`].
#[derive(Clone, Debug, Default)]
pub struct InspectOptions {
    /// Folder that the spec's data paths are relative to, instead of the spec's.
    pub data: Option<std::path::PathBuf>,
    /// Values of `param`s.
    pub params: BTreeMap<String, String>,
    /// Make a page with so many samples of each class.
    pub page: Option<usize>,
}

/// What a spec's data holds.
#[derive(Clone, Debug, Serialize)]
pub struct Inspected {
    /// The model's name.
    pub name: String,
    /// Where the samples come from.
    pub source: SourceFacts,
    /// Samples that were read.
    pub samples: usize,
    /// Of these, the ones in no part: lists leave them out, or an autoencoder does not learn from them.
    pub unused: usize,
    /// Height or time, width, channels of a sample.
    pub extents: [usize; 3],
    /// What one number is.
    pub element: Element,
    /// Numbers of a second, of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Seconds of all samples, of sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Samples of each class; empty where there are no classes.
    pub classes: Vec<ClassFacts>,
    /// The parts train, val and test.
    pub parts: Vec<PartFacts>,
    /// How samples are parted, in words.
    pub split: String,
    /// What their numbers are.
    pub values: ValueFacts,
    /// Of sound: what was recorded badly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<Sound>,
    /// What is odd about the numbers, a sentence each: silence, full scale, constant channels.
    pub oddities: Vec<String>,
    /// The numbers to predict; empty where there are none.
    pub targets: Vec<Range>,
    /// What a network sees; nothing where the samples do not fit the front end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<InputFacts>,
    /// SHA-256 of all that training can see.
    pub hash: String,
    /// What is odd about spec and data.
    #[serde(skip)]
    pub warnings: Diagnostics,
    /// Why no network can be trained on the data as it is.
    #[serde(skip)]
    pub problems: Diagnostics,
    /// Texts of both.
    #[serde(skip)]
    pub sources: SourceMap,
    /// A page in HTML with samples of every class, if it was asked for.
    #[serde(skip)]
    pub page: Option<String>,
}

/// Where samples come from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SourceFacts {
    /// The form: `npy`.
    pub form: String,
    /// The form with its arguments, as a spec would have it; values are in base units.
    pub text: String,
    /// Files that samples are from.
    pub files: usize,
    /// The first of them.
    pub first_files: Vec<String>,
}

/// A class.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClassFacts {
    /// Its name.
    pub name: String,
    /// Samples in train, val and test.
    pub samples: [usize; 3],
}

impl ClassFacts {
    /// Samples in all.
    pub fn total(&self) -> usize {
        self.samples.iter().sum()
    }
}

/// A part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartFacts {
    /// Its name.
    pub name: String,
    /// Samples.
    pub samples: usize,
    /// Groups that they are of: speakers, subjects.
    pub groups: usize,
    /// Files that they are from.
    pub files: usize,
}

/// What numbers samples have.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueFacts {
    /// All numbers.
    pub all: Range,
    /// Each channel, where there are 2 to 64 of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<Range>,
    /// Channels, from 0, that have one value alone: they tell nothing.
    pub constant_channels: Vec<usize>,
}

/// What a network sees.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputFacts {
    /// The front end in words.
    pub front_end: String,
    /// Height or time, width, channels of the network's input.
    pub extents: [usize; 3],
    /// How features are brought to the network's range, in words.
    pub normalize: String,
    /// Changes of training samples, in words.
    pub augment: Vec<String>,
    /// Whether the search decides something of it, and this is one of several.
    pub is_one_of_several: bool,
}

/// Channels that are listed one by one.
const LISTED_CHANNELS: usize = 64;
/// Files that are named.
const NAMED_FILES: usize = 4;

/// Reads the data of a spec and says what it holds.
///
/// # Errors
/// Every mistake of the spec; E07xx for what is missing or wrong in the data. What the model does not take is told in
/// [`Inspected::problems`], beside all that is known of the data.
pub fn inspect(
    files: &dyn Files,
    spec: &Path,
    options: &InspectOptions,
    progress: &dyn Progress,
) -> Result<Inspected, Failure> {
    let read = Loaded::read(files, spec, &options.params)?;
    let program = &read.program;
    let root = options.data.as_deref().or(spec.parent()).unwrap_or(Path::new(""));
    progress.stage("reading the data", 0);
    let (data, fit) = Prepared::look(program, root, Some(&cache_of(spec))).map_err(|d| read.failure(d))?;
    progress.stage("measuring the samples", 0);
    let mut found = facts(program, &data).map_err(|d| read.failure(d))?;
    progress.stage("making features", 0);
    let features = features(program, &data);
    let mut problems: Vec<Diagnostic> = fit.err().into_iter().collect();
    match &features {
        Ok(features) => found.input = Some(input(program, features)),
        Err(problem) if problems.contains(problem) => {}
        Err(problem) => problems.push(problem.clone()),
    }
    found.oddities = words::oddities(&found);
    found.warnings = read.warnings.clone();
    found.warnings.0.extend(data.loaded.warnings.iter().cloned());
    found.problems = Diagnostics(problems);
    if let Some(samples) = options.page {
        progress.stage("drawing samples", 0);
        let sheet = sheet::draw(&data, features.ok(), &found, samples);
        found.page = Some(page::page(&found, &sheet));
    }
    found.sources = read.sources;
    Ok(found)
}

fn datasets(data: &Prepared) -> [&Dataset; 3] {
    [&data.splits.train, &data.splits.val, &data.splits.test]
}

/// All that does not depend on the front end.
fn facts(program: &Program, data: &Prepared) -> Result<Inspected, Diagnostic> {
    let empty = Settings::default();
    let settings = program.settings.get("data").unwrap_or(&empty);
    let collection = &data.loaded.collection;
    let (form, keys) = settings.form("source").unwrap_or(("", None));
    let measured = measure::measure(collection, datasets(data));
    let parted: usize = datasets(data).iter().map(|part| part.len()).sum();
    let n_channels = measured.channels.len();
    let is_constant = |&channel: &usize| measured.channels[channel].min == measured.channels[channel].max;
    let seconds = |rate: u32| collection.len() as f64 * collection.extents[0] as f64 / f64::from(rate.max(1));
    Ok(Inspected {
        name: program.name.clone(),
        source: SourceFacts {
            form: form.to_owned(),
            text: words::call(form, keys),
            files: collection.files.len(),
            first_files: collection.files.iter().take(NAMED_FILES).cloned().collect(),
        },
        samples: collection.len(),
        unused: collection.len() - parted,
        extents: collection.extents,
        element: collection.table.element(),
        rate: collection.rate,
        seconds: collection.rate.map(seconds),
        classes: classes(collection, datasets(data)),
        parts: Part::ALL.iter().map(|&part| part_facts(data, part)).collect(),
        split: words::split(&prepare::split(settings)?, settings, collection),
        values: ValueFacts {
            all: measured.all,
            constant_channels: (0..n_channels).filter(is_constant).collect(),
            channels: match n_channels {
                2..=LISTED_CHANNELS => measured.channels,
                _ => Vec::new(),
            },
        },
        sound: measured.sound,
        oddities: Vec::new(),
        targets: measure::targets(datasets(data)),
        input: None,
        hash: data.hash.clone(),
        warnings: Diagnostics::default(),
        problems: Diagnostics::default(),
        sources: SourceMap::new(),
        page: None,
    })
}

fn classes(collection: &Collection, parts: [&Dataset; 3]) -> Vec<ClassFacts> {
    let mut found: Vec<ClassFacts> =
        collection.classes.iter().map(|name| ClassFacts { name: name.clone(), samples: [0; 3] }).collect();
    for (at, part) in parts.iter().enumerate() {
        part.labels.iter().for_each(|&label| found[label as usize].samples[at] += 1);
    }
    found
}

fn part_facts(data: &Prepared, part: Part) -> PartFacts {
    let origins = &data.loaded.collection.origins;
    let samples = data.loaded.partition.part(part);
    let groups: BTreeSet<u32> = samples.iter().filter_map(|&sample| origins[sample].group).collect();
    let files: BTreeSet<u32> = samples.iter().map(|&sample| origins[sample].file).collect();
    PartFacts {
        name: part.name().to_owned(),
        samples: samples.len(),
        groups: groups.len(),
        files: files.len(),
    }
}

/// What networks see: where the search decides that, at the first point drawn that has a front end.
fn features(program: &Program, data: &Prepared) -> Result<Arc<Features>, Diagnostic> {
    let mut rng = ChaCha8Rng::seed_from_u64(program.search.seed);
    let mut problem = Diagnostic::error(Code::NO_VALID_NETWORK, "no point is a network");
    for _ in 0..DRAWN {
        match data.features(program, &space::sample(&program.space, &mut rng)) {
            Ok(found) => return Ok(found),
            Err(other) => problem = other,
        }
        if !is_decided(program) {
            break;
        }
    }
    Err(problem)
}

/// Whether the search decides something of the data.
fn is_decided(program: &Program) -> bool {
    program.settings.get("data").is_some_and(Settings::decides)
}

fn input(program: &Program, features: &Features) -> InputFacts {
    InputFacts {
        front_end: words::front_end(&features.front_end),
        extents: features.front_end.extents(),
        normalize: words::normalization(features),
        augment: words::augments(program.settings.get("data")),
        is_one_of_several: is_decided(program),
    }
}
