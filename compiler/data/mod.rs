//! Data: from files to the samples that training, calibration and the figures use.
//!
//! In: a [`Source`] with paths relative to a root, a [`Cut`] and a [`FrontEnd`]. Out: a [`Collection`] of raw samples,
//! the [`Partition`] of them, [`Splits`] of features `[N, H, W, C]` with labels, a hash of all that training sees, the
//! [`Standardization`] of the training part and the [`RawInput`] that puts all this in front of the deployed network. A
//! reader is one file with a [`Reader`] and one line in the list of `sources!`. Deliberately not done here: batches and
//! their order, which belong to training.

mod audit;
mod augment;
mod collect;
mod dataset;
mod front_end;
pub mod limits;
mod lists;
mod place;
mod raw;
mod split;
#[cfg(test)]
mod split_tests;
mod standardize;
mod table;
#[cfg(test)]
mod tests;
mod ts;

use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic};
use crate::tensor::Shape;

pub use augment::{Augment, Background, Stage};
pub use collect::{Collection, Collector, Origin, Part, Sample, Values, Wanted};
pub use dataset::{Dataset, Splits};
pub use front_end::{Audio, AudioSpec, FrontEnd, Picture, RawInput, Series, Stream};
pub use raw::{IntegerQuantizer, Quantizer, RawQuantizer};
pub use split::{Cut, Partition, Split};
pub use standardize::Standardization;
pub use table::{Element, Table, TableWriter};
pub use ts::{Ts, read_ts};

/// What a file format has to offer.
pub trait Reader {
    /// What one number of its samples is.
    fn element(&self) -> Element;

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
}

/// Reads `source`, whose paths are relative to `root`, and parts its samples. What memory does not hold goes to a file
/// in `cache`.
///
/// # Errors
/// E0701 if a file is missing or outside `root`, E0702 to E0706 for what is wrong in it or its parts.
pub fn load(source: &Source, cut: &Cut, root: &Path, cache: Option<&Path>) -> Result<Loaded, Diagnostic> {
    let reader = source.reader();
    let mut collector = Collector::new(reader.element(), cache);
    reader.read(root, &mut collector)?;
    let collection = collector.finish()?;
    let partition = split::partition(&collection, cut, root)?;
    let warnings = audit::warnings(&collection, &partition);
    let hash = hash(&collection, &partition);
    Ok(Loaded { collection, partition, warnings, hash })
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

impl Loaded {
    /// The samples as they are on disk, in their parts.
    pub fn raw(&self) -> Splits {
        self.splits(self.collection.table.clone(), self.collection.extents)
    }

    /// The features that a front end makes of all samples, in their parts.
    ///
    /// # Errors
    /// E0705 where the front end takes samples of another shape; E0706 where they have no room.
    pub fn features(&self, front_end: &FrontEnd, cache: Option<&Path>) -> Result<Splits, Diagnostic> {
        let (found, wanted) = (self.collection.extents, front_end.raw_extents());
        if found != wanted {
            let message = format!(
                "the samples are {}, the front end takes {} (height or time, width, channels)",
                Shape::from(found),
                Shape::from(wanted)
            );
            return Err(Diagnostic::error(Code::DATA_SHAPE, message));
        }
        if matches!(front_end, FrontEnd::Values { .. } | FrontEnd::Series(_)) {
            return Ok(self.raw());
        }
        let table = featurize(&self.collection.table, front_end, cache)?;
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
