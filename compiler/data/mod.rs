//! Data: from files to the samples that training, calibration and the figures use.
//!
//! In: a [`Source`] with paths relative to a root, and a [`Cut`]. Out: [`Splits`] of finite F32 samples
//! `[N, H, W, C]` with labels, their hash, the [`Standardization`] of the training part and the
//! [`RawQuantizer`] that puts it in front of the deployed network. A reader is one file with a [`Reader`] and
//! one line in the list of `sources!`. Deliberately not done here: batches and their order, which belong to
//! training.

mod dataset;
pub mod limits;
mod place;
mod raw;
mod split;
mod standardize;
#[cfg(test)]
mod tests;
mod ts;

use std::path::Path;

use crate::diagnostic::Diagnostic;

pub use dataset::{Dataset, Parts, Splits};
pub use raw::RawQuantizer;
pub use split::Cut;
pub use standardize::Standardization;
pub use ts::{Ts, read_ts};

/// What a file format has to offer.
pub trait Reader {
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

/// Reads `source`, whose paths are relative to `root`, and cuts its training samples.
///
/// # Errors
/// E0701 if a file is missing or outside `root`, E0702 to E0706 for what is wrong in it.
pub fn load(source: &Source, cut: &Cut, root: &Path) -> Result<Splits, Diagnostic> {
    split::split(source.reader().read(root)?, cut)
}
