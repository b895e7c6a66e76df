//! Data: from files to the samples that training, calibration and the figures use.
//!
//! In: a [`Source`] with paths relative to a root, and a [`Cut`]. Out: [`Splits`] of finite F32 samples
//! `[N, H, W, C]` with labels, their hash, the [`Standardization`] of the training part and the
//! [`RawQuantizer`] that puts it in front of the deployed network. A reader is one file with a [`Reader`] and
//! one line in the list of `sources!`. Deliberately not done here: batches and their order, which belong to
//! training.

mod collect;
mod dataset;
mod front_end;
pub mod limits;
mod place;
mod raw;
mod split;
mod standardize;
mod table;
#[cfg(test)]
mod tests;
mod ts;

use std::path::Path;

use crate::diagnostic::Diagnostic;

pub use collect::{Collection, Collector, Origin, Part, Sample, Values, Wanted};
pub use dataset::{Dataset, Parts, Splits};
pub use front_end::{Audio, AudioSpec, FrontEnd, Picture, RawInput, Scratch, Series, Stream};
pub use raw::{IntegerQuantizer, Quantizer, RawQuantizer};
pub use split::Cut;
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

/// What a file format had to offer, until all give samples one by one.
pub trait PartedReader {
    /// Reads the files below `root`.
    ///
    /// # Errors
    /// One diagnostic E07xx that names the file and, where it has lines, the line.
    fn read(&self, root: &Path) -> Result<Parts, Diagnostic>;
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
            fn reader(&self) -> &dyn PartedReader {
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

/// Reads `source`, whose paths are relative to `root`, and cuts its training samples.
///
/// # Errors
/// E0701 if a file is missing or outside `root`, E0702 to E0706 for what is wrong in it.
pub fn load(source: &Source, cut: &Cut, root: &Path) -> Result<Splits, Diagnostic> {
    split::split(source.reader().read(root)?, cut)
}
