//! Data: from files to the samples that training, calibration and the figures use.
//!
//! In: a [`Source`] with paths relative to a root, a [`Cut`] and a [`FrontEnd`]. Out: a [`Collection`] of raw samples,
//! the [`Partition`] of them, [`Splits`] of features `[N, H, W, C]` with labels, a hash of all that training sees, the
//! [`Standardization`] of the training part and the [`RawInput`] that puts all this in front of the deployed network. A
//! reader is one file with a [`Reader`] and one line in the list of `sources!`. Deliberately not done here: batches and
//! their order, which belong to training.

mod audio_folder;
mod audit;
mod augment;
mod background;
mod bytes;
mod cache;
mod cifar;
mod collect;
mod csv;
mod dataset;
mod entries;
mod front_end;
mod given;
mod groups;
mod idx;
mod image_folder;
pub mod limits;
mod lists;
mod npy;
mod npz;
mod parts;
mod place;
mod raw;
mod raw_file;
mod resample;
mod rows;
mod split;
#[cfg(test)]
mod split_tests;
mod standardize;
mod table;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod ts;
mod wav;
mod windows;

use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic};
use crate::tensor::Shape;

pub use audio_folder::{AudioFolder, AudioGroup};
pub use augment::{Augment, Background, Stage as AugmentStage};
pub use background::{read_recordings, recordings_hash};
pub use cifar::{Cifar, CifarLabel};
pub use collect::{Collection, Collector, Origin, Part, Sample, Values, Wanted};
pub use csv::Csv;
pub use dataset::{Dataset, Splits, spread};
pub(crate) use front_end::Axis;
pub use front_end::{Audio, AudioSpec, FrontEnd, Picture, RawInput, Scratch, Series, Stream};
pub use given::given;
pub use idx::Idx;
pub use image_folder::{ImageFolder, ImageGroup};
pub use npy::Npy;
pub use npz::{Array, read_npz};
pub use raw::{IntegerQuantizer, Quantizer, RawQuantizer};
pub use raw_file::{RawElement, RawFile};
pub use split::{Cut, Partition, Split};
pub use standardize::Standardization;
pub use table::{Element, Table, TableWriter};
pub use ts::{Ts, read_ts};

/// What a file format has to offer.
pub trait Reader {
    /// What one number of its samples is.
    ///
    /// # Errors
    /// E0701 and E0702 where a file has to be opened to know, and cannot be.
    fn element(&self, root: &Path) -> Result<Element, Diagnostic>;

    /// The files that it reads, below `root`, parts separated by `/`, in a fixed order: their names and contents are
    /// the cache's key.
    ///
    /// # Errors
    /// E0701 for what is missing.
    fn inputs(&self, root: &Path) -> Result<Vec<String>, Diagnostic>;

    /// Reads the samples of the files below `root`.
    ///
    /// # Errors
    /// One diagnostic E07xx that names the file and, where it has lines, the line.
    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic>;
}

/// Declares the kinds of data: one line each.
macro_rules! sources {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// Where the samples come from, as a spec says it.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Source {
            $($(#[$doc])* $kind($kind),)*
        }

        impl Source {
            fn reader(&self) -> &dyn Reader {
                match self {
                    $(Source::$kind(reader) => reader,)*
                }
            }
        }
    };
}

sources! {
    /// `ts(train: "...", test: "...")`: time series as text.
    Ts,
    /// `audio_folder("...", rate: 16 kHz)`: WAV recordings in folders of classes.
    AudioFolder,
    /// `image_folder("...")`: PNG and JPEG pictures in folders of classes.
    ImageFolder,
    /// `csv(train: "...")`: tables as text.
    Csv,
    /// `idx(train: "...")`: pictures in the format of MNIST.
    Idx,
    /// `cifar("...")`: records of CIFAR-10 and CIFAR-100.
    Cifar,
    /// `npy(train: "...")`: arrays of NumPy.
    Npy,
    /// `raw(train: "...")`: records without a header.
    RawFile,
}

/// A source that was read, with its samples parted.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// All samples.
    pub collection: Collection,
    /// Which part each is in.
    pub partition: Partition,
    /// What is odd about them: duplicates, leaks, classes that a part lacks.
    pub warnings: Vec<Diagnostic>,
    /// SHA-256, in hexadecimal, of all that training can see; see [`hash`].
    pub hash: String,
    /// Its name in the cache, where there is one.
    key: Option<String>,
}

/// Reads `source`, whose paths are relative to `root`, and parts its samples. The folder `cache` keeps what was read;
/// what memory does not hold stays there.
///
/// # Errors
/// E0701 if a file is missing or outside `root`, E0702 to E0706 for what is wrong in it or its parts.
pub fn load(source: &Source, cut: &Cut, root: &Path, cache: Option<&Path>) -> Result<Loaded, Diagnostic> {
    let (collection, key) = collection(source, root, cache)?;
    let partition = split::partition(&collection, cut, root)?;
    let warnings = audit::warnings(&collection, &partition);
    let hash = hash(&collection, &partition);
    Ok(Loaded { collection, partition, warnings, hash, key })
}

/// The samples of a source, from the cache where it has them, with their name there.
fn collection(
    source: &Source,
    root: &Path,
    cache: Option<&Path>,
) -> Result<(Collection, Option<String>), Diagnostic> {
    let reader = source.reader();
    let key = match cache {
        // What cannot be read is told by the reader, with its place.
        Some(_) => cache::key(&format!("{source:?}"), root, &reader.inputs(root)?).ok(),
        None => None,
    };
    let kept = cache.zip(key.as_deref());
    if let Some(found) = kept.and_then(|(folder, key)| cache::collection(folder, key)) {
        return Ok((found, key));
    }
    let mut collector = Collector::new(reader.element(root)?, cache);
    reader.read(root, &mut collector)?;
    let collection = collector.finish()?;
    let collection = match kept {
        Some((folder, key)) => cache::keep(folder, key, collection),
        None => collection,
    };
    Ok((collection, key))
}

/// SHA-256, in hexadecimal, of all that training can see: shapes, numbers, labels, classes and which sample is in
/// which part. File names and the way a number was written do not count.
pub fn hash(data: &Collection, partition: &Partition) -> String {
    let mut hash = Sha256::new();
    let element = data.table.element();
    hash.update(format!(
        "nasc data 2\n{element:?} {:?} {:?} {}\n",
        data.extents,
        data.rate,
        data.classes.len()
    ));
    for class in &data.classes {
        hash.update((class.len() as u64).to_le_bytes());
        hash.update(class.as_bytes());
    }
    let n = data.n_numbers();
    for part in Part::ALL {
        hash.update((partition.part(part).len() as u64).to_le_bytes());
        for &sample in partition.part(part) {
            hash.update(data.digests[sample].to_le_bytes());
            hash.update(data.labels.get(sample).copied().unwrap_or(u32::MAX).to_le_bytes());
            data.numbers[sample * n..(sample + 1) * n].iter().for_each(|x| hash.update(x.to_le_bytes()));
        }
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The features that a front end makes of all samples of a source, in whatever part they are.
///
/// # Errors
/// Those of [`load`] but for parts, and of [`Loaded::features`].
pub fn everything(
    source: &Source,
    front_end: &FrontEnd,
    root: &Path,
    cache: Option<&Path>,
) -> Result<Dataset, Diagnostic> {
    let (collection, key) = collection(source, root, cache)?;
    let table = features(&collection, key.as_deref(), front_end, cache)?;
    let Collection { labels, classes, numbers, .. } = collection;
    Ok(Dataset::new(table, front_end.extents(), labels, classes, numbers))
}

/// The same of one part alone where the source itself has parts; whether it has comes beside the samples.
///
/// # Errors
/// Those of [`everything`]; E0704 where there is no such part.
pub fn own_part(
    source: &Source,
    front_end: &FrontEnd,
    root: &Path,
    part: Part,
) -> Result<(Dataset, bool), Diagnostic> {
    let (collection, _) = collection(source, root, None)?;
    let has_parts = collection.origins.iter().any(|origin| origin.part.is_some());
    let of_part = |sample: &usize| !has_parts || collection.origins[*sample].part == Some(part);
    let chosen: Vec<usize> = (0..collection.len()).filter(of_part).collect();
    if chosen.is_empty() {
        let message = format!("the data has parts, and none that is `{}`", part.name());
        return Err(Diagnostic::error(Code::DATA_SPLIT, message)
            .help("choose another with `--split`, or `--split all`"));
    }
    let table = features(&collection, None, front_end, None)?;
    let Collection { labels, classes, numbers, .. } = collection;
    Ok((Dataset::new(table, front_end.extents(), labels, classes, numbers).select(&chosen), has_parts))
}

impl Loaded {
    /// Leaves out of the training part the samples of other labels.
    pub fn keep_training(&mut self, wanted: impl Fn(u32) -> bool) {
        let labels = &self.collection.labels;
        self.partition.train.retain(|&sample| wanted(labels[sample]));
        self.hash = hash(&self.collection, &self.partition);
    }

    /// The samples as they are on disk, in their parts.
    pub fn raw(&self) -> Splits {
        self.splits(self.collection.table.clone(), self.collection.extents)
    }

    /// The features that a front end makes of all samples, in their parts.
    ///
    /// # Errors
    /// E0705 where the front end takes samples of another shape; E0706 where they have no room.
    pub fn features(&self, front_end: &FrontEnd, cache: Option<&Path>) -> Result<Splits, Diagnostic> {
        let table = features(&self.collection, self.key.as_deref(), front_end, cache)?;
        Ok(self.splits(table, front_end.extents()))
    }

    fn splits(&self, table: Table, extents: [usize; 3]) -> Splits {
        let Collection { labels, classes, numbers, .. } = &self.collection;
        let all = Dataset::new(table, extents, labels.clone(), classes.clone(), numbers.clone());
        Splits {
            train: all.select(&self.partition.train),
            val: all.select(&self.partition.val),
            test: all.select(&self.partition.test),
        }
    }
}

/// The features that a front end makes of all samples, from the cache where it has them.
fn features(
    collection: &Collection,
    key: Option<&str>,
    front_end: &FrontEnd,
    cache: Option<&Path>,
) -> Result<Table, Diagnostic> {
    let (found, wanted) = (collection.extents, front_end.raw_extents());
    if found != wanted {
        let message = format!(
            "the samples are {}, the front end takes {} (height or time, width, channels)",
            Shape::from(found),
            Shape::from(wanted)
        );
        return Err(Diagnostic::error(Code::DATA_SHAPE, message));
    }
    if matches!(front_end, FrontEnd::Values { .. } | FrontEnd::Series(_)) {
        return Ok(collection.table.clone());
    }
    let width = front_end.extents().iter().product();
    let key = key.map(|key| cache::derived(key, &front_end.canonical()));
    let kept = cache.zip(key.as_deref());
    let found = kept.and_then(|(folder, key)| cache::rows(folder, key, front_end.feature_element(), width));
    if let Some(table) = found.filter(|table| table.rows() == collection.len()) {
        return Ok(table);
    }
    let table = featurize(&collection.table, front_end, cache)?;
    kept.into_iter().for_each(|(folder, key)| cache::keep_rows(folder, key, &table));
    Ok(table)
}

/// Samples that become features at a time: enough to share among threads.
const CHUNK: usize = 512;

/// A row of features for each raw row, on all threads; their number changes no bit.
fn featurize(raw: &Table, front_end: &FrontEnd, cache: Option<&Path>) -> Result<Table, Diagnostic> {
    let mut writer = TableWriter::new(front_end.feature_element(), cache);
    let size: usize = front_end.extents().iter().product();
    for start in (0..raw.rows()).step_by(CHUNK) {
        let rows: Vec<usize> = (start..raw.rows().min(start + CHUNK)).collect();
        let features: Result<Vec<Vec<u8>>, Diagnostic> = rows
            .into_par_iter()
            .map_init(
                || (vec![0.0; raw.width()], vec![0.0; size], Vec::new()),
                |(sample, features, room), row| {
                    raw.row(row, sample, room)?;
                    front_end.features(sample, features);
                    let mut bytes = Vec::new();
                    front_end.feature_element().encode(features, &mut bytes);
                    Ok(bytes)
                },
            )
            .collect();
        for row in features? {
            writer.push_bytes(&row)?;
        }
    }
    writer.finish()
}
