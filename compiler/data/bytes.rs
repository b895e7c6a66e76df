//! Binary data files, read from front to back.
//!
//! In: what a file holds, decompressed. Out: pieces of it, as long as they have to be; a file that ends too early or
//! too late is an error with the position. Memory grows with what the file holds, not with what its header claims.
//! Deliberately not done here: what the bytes mean.

use std::collections::BTreeMap;
use std::io::{BufReader, Read};
use std::path::Path;

use crate::data::collect::Part;
use crate::data::entries::{Bounded, open_maybe_gz};
use crate::data::limits;
use crate::data::place::{confine, unreadable};
use crate::diagnostic::{Code, Diagnostic};

/// A file that is read once, and how far it was read.
pub(super) struct Bytes<R> {
    reader: R,
    name: String,
    position: u64,
}

impl<R: Read> Bytes<R> {
    /// The bytes of `reader`, which messages call `name`.
    pub(super) fn new(reader: R, name: &str) -> Bytes<R> {
        Bytes { reader, name: name.to_owned(), position: 0 }
    }

    /// The name that messages use.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What is left of the file.
    pub(super) fn into_reader(self) -> R {
        self.reader
    }

    /// An error in this file.
    pub(super) fn error(&self, code: Code, text: impl std::fmt::Display) -> Diagnostic {
        Diagnostic::error(code, format!("`{}`: {text}", self.name.escape_debug()))
    }

    /// Puts the next `size` bytes in place of what `into` holds; `what` they are is for the message.
    ///
    /// # Errors
    /// E0702 when the file ends before.
    pub(super) fn take(&mut self, size: usize, what: &str, into: &mut Vec<u8>) -> Result<(), Diagnostic> {
        match self.take_or_end(size, what, into)? {
            true => Ok(()),
            false => Err(self.truncated(what, size, 0)),
        }
    }

    /// The same, or `false` where the file ends before the first of the bytes.
    pub(super) fn take_or_end(
        &mut self,
        size: usize,
        what: &str,
        into: &mut Vec<u8>,
    ) -> Result<bool, Diagnostic> {
        into.clear();
        let found = (&mut self.reader).take(size as u64).read_to_end(into);
        let found = found.map_err(|error| unreadable(&self.name, &error))?;
        match found {
            0 if size > 0 => Ok(false),
            _ if found < size => Err(self.truncated(what, size, found)),
            _ => {
                self.position += size as u64;
                Ok(true)
            }
        }
    }

    /// As many bytes as the array has.
    ///
    /// # Errors
    /// Those of [`take`](Bytes::take).
    pub(super) fn array<const SIZE: usize>(&mut self, what: &str) -> Result<[u8; SIZE], Diagnostic> {
        let mut bytes = Vec::with_capacity(SIZE);
        self.take(SIZE, what, &mut bytes)?;
        Ok(bytes.try_into().expect("take gives as many bytes as were asked for"))
    }

    fn truncated(&self, what: &str, size: usize, found: usize) -> Diagnostic {
        let text = format!(
            "the file is truncated: {what} at byte {} takes {size} bytes, {found} are left",
            self.position
        );
        self.error(Code::DATA_FORMAT, text).help("download or make the file again")
    }

    /// Makes sure that nothing follows.
    ///
    /// # Errors
    /// E0702 when something does.
    pub(super) fn end(&mut self, what: &str) -> Result<(), Diagnostic> {
        let mut more = Vec::new();
        match self.take_or_end(1, what, &mut more)? {
            false => Ok(()),
            true => {
                let text = format!("there are bytes after {what}, from byte {} on", self.position - 1);
                Err(self.error(Code::DATA_FORMAT, text).help("is the file of another format, or damaged?"))
            }
        }
    }
}

/// A file, unpacked where its name ends in `.gz`.
pub(super) type Opened = BufReader<Bounded>;

/// Opens `file` below `root`.
///
/// # Errors
/// E0701 for what is missing or outside the root, E0706 for what is too large.
pub(super) fn open(root: &Path, file: &str) -> Result<Bytes<Opened>, Diagnostic> {
    Ok(Bytes::new(open_maybe_gz(root, file)?, file))
}

/// Whether `file` is there, below `root`.
///
/// # Errors
/// E0701 for a name that is outside the root.
pub(super) fn exists(root: &Path, file: &str) -> Result<bool, Diagnostic> {
    Ok(confine(root, file)?.is_file())
}

/// The names of `files`, all of which are there.
///
/// # Errors
/// E0701 for what is missing.
pub(super) fn existing<'a>(
    root: &Path,
    files: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<String>, Diagnostic> {
    files.into_iter().map(|file| open(root, file).map(|_| file.clone())).collect()
}

/// The name of `file` in `folder`.
pub(super) fn join(folder: &str, file: &str) -> String {
    match folder.trim_end_matches('/') {
        "" | "." => file.to_owned(),
        folder => format!("{folder}/{file}"),
    }
}

/// What there is for training and what for testing. Where the source has no part of its own for testing, its samples
/// are in no part yet, and shares decide.
pub(super) fn parts<T>(train: T, test: Option<T>) -> Vec<(Option<Part>, T)> {
    match test {
        None => vec![(None, train)],
        Some(test) => vec![(Some(Part::Train), train), (Some(Part::Test), test)],
    }
}

/// The extents of a sample that an array gives: `[T]` and `[T, C]` are a series, `[H, W, C]` is itself. `None` for
/// others.
pub(super) fn extents(shape: &[usize]) -> Option<[usize; 3]> {
    match *shape {
        [t] => Some([t, 1, 1]),
        [t, c] => Some([t, 1, c]),
        [h, w, c] => Some([h, w, c]),
        _ => None,
    }
}

/// Number of values of an array; `name` is the file that claims them.
///
/// # Errors
/// E0706 beyond [`limits::VALUES`] or [`limits::CHANNELS`], and for none.
pub(super) fn count(shape: &[usize], name: &str) -> Result<usize, Diagnostic> {
    let values = shape.iter().try_fold(1usize, |values, &extent| values.checked_mul(extent));
    let values = values.filter(|values| (1..=limits::VALUES).contains(values));
    values.ok_or_else(|| {
        let shape: Vec<String> = shape.iter().map(ToString::to_string).collect();
        let message = format!(
            "`{}`: an array of {} values; 1 to {} are allowed",
            name.escape_debug(),
            shape.join(" x "),
            limits::VALUES
        );
        Diagnostic::error(Code::DATA_LIMIT, message).help("use fewer or smaller samples, or split the file")
    })
}

/// The names that labels which are numbers stand for.
pub(super) struct Labels {
    names: Option<BTreeMap<i64, String>>,
}

impl Labels {
    /// Labels are indices into `names`, or without them are called by their decimal digits.
    pub(super) fn new(names: Option<&[String]>) -> Labels {
        Labels { names: names.map(|names| (0..).zip(names.iter().cloned()).collect()) }
    }

    /// Labels are called as `names` says.
    pub(super) fn pairs(names: BTreeMap<i64, String>) -> Labels {
        Labels { names: Some(names) }
    }

    /// The class of label `label` of the sample at `position` of `file`.
    ///
    /// # Errors
    /// E0703 for a label that has no name.
    pub(super) fn name(&self, label: i64, file: &str, position: u64) -> Result<String, Diagnostic> {
        let Some(names) = &self.names else { return Ok(label.to_string()) };
        names.get(&label).cloned().ok_or_else(|| {
            let message = format!(
                "`{}`, sample {position}: the label {label} has no name; {} are named",
                file.escape_debug(),
                names.len()
            );
            Diagnostic::error(Code::DATA_LABEL, message)
                .help("labels are indices into the list of classes, from 0 on")
        })
    }
}

/// The error of samples and labels that are not as many.
pub(super) fn unequal(data: (&str, u64), labels: (&str, u64)) -> Diagnostic {
    let what = match data.1 > labels.1 {
        true => format!("sample without label: sample {} has none", labels.1 + 1),
        false => format!("label without sample: label {} has none", data.1 + 1),
    };
    let message = format!("`{}` and `{}`: {what}", data.0.escape_debug(), labels.0.escape_debug());
    Diagnostic::error(Code::DATA_LABEL, message)
        .note(format!("there are {} samples and {} labels", data.1, labels.1))
        .help("samples and labels stand in the same order and are as many")
}
