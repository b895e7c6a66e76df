//! The binary version of CIFAR: records of a label and three planes of colour.
//!
//! In: a folder with files of records, plain or gzip: 1 byte of label (2 for CIFAR-100) and 3,072 bytes, 1,024 each of
//! red, green and blue, row by row. Out: samples `[32, 32, 3]` of [`Element::U8`], channels innermost. Deliberately
//! not done here: the pickled version for Python and pictures of other sizes.
//!
//! Source  A. Krizhevsky, "The CIFAR-10 dataset", section "Binary version".

use std::io::Read;
use std::path::Path;

use crate::data::bytes::{Bytes, Labels, exists, join, open, parts};
use crate::data::collect::{Collector, Part, Sample, Values, Wanted};
use crate::data::place::Lines;
use crate::data::table::Element;
use crate::data::{Reader, limits};
use crate::diagnostic::{Code, Diagnostic};

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;

/// Which byte of a record is the class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CifarLabel {
    /// The only one: CIFAR-10.
    #[default]
    Only,
    /// The first of two: the 20 groups of CIFAR-100.
    Coarse,
    /// The second of two: the 100 classes of CIFAR-100.
    Fine,
}

/// Pictures in CIFAR's binary files, each of which may be gzip and end in `.gz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cifar {
    /// The folder, below the root. Names of classes come from `batches.meta.txt` or `classes.txt` in it, for
    /// CIFAR-100 from `coarse_label_names.txt` or `fine_label_names.txt`; without such a file they are "0", "1", ...
    pub path: String,
    /// Files to train on, below `path`. Without them: `data_batch_1.bin` to `data_batch_5.bin`, else `train.bin`.
    pub train: Option<Vec<String>>,
    /// File to test on, below `path`. Without it, and without `train`: `test_batch.bin`, else `test.bin`, else
    /// `val.bin`; if there is none of them, shares of the training files are for testing.
    pub test: Option<String>,
    /// Which byte of a record is the class.
    pub label: CifarLabel,
}

/// The files of a [`Cifar`], below the root.
struct Files {
    train: Vec<String>,
    test: Option<String>,
    classes: Option<String>,
}

impl Reader for Cifar {
    fn element(&self, _: &Path) -> Result<Element, Diagnostic> {
        Ok(Element::U8)
    }

    fn inputs(&self, root: &Path) -> Result<Vec<String>, Diagnostic> {
        let Files { train, test, classes } = self.files(root)?;
        let files: Vec<String> = train.into_iter().chain(test).chain(classes).collect();
        for file in &files {
            open(root, file)?;
        }
        Ok(files)
    }

    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic> {
        let files = self.files(root)?;
        let classes = files.classes.map(|file| read_classes(root, &file)).transpose()?;
        if let Some(classes) = &classes {
            into.declare(classes)?;
        }
        let names = Labels::new(classes.as_deref());
        for (part, files) in parts(files.train, files.test.map(|test| vec![test])) {
            for file in files {
                self.read_records(open(root, &file)?, part, &names, into)?;
            }
        }
        Ok(())
    }
}

impl Cifar {
    fn files(&self, root: &Path) -> Result<Files, Diagnostic> {
        let named = |name: &str| join(&self.path, name);
        let find = |names: &[&str]| -> Result<Option<String>, Diagnostic> {
            for name in names {
                for file in [named(name), named(&format!("{name}.gz"))] {
                    if exists(root, &file)? {
                        return Ok(Some(file));
                    }
                }
            }
            Ok(None)
        };
        let classes = match self.label {
            CifarLabel::Only => find(&["batches.meta.txt", "classes.txt"])?,
            CifarLabel::Coarse => find(&["coarse_label_names.txt"])?,
            CifarLabel::Fine => find(&["fine_label_names.txt"])?,
        };
        if let Some(train) = &self.train {
            let train = train.iter().map(|file| named(file)).collect();
            return Ok(Files { train, test: self.test.as_ref().map(|test| named(test)), classes });
        }
        let mut train = Vec::new();
        for batch in 1..=5 {
            train.extend(find(&[&format!("data_batch_{batch}.bin")])?);
        }
        if train.is_empty() {
            train.extend(find(&["train.bin"])?);
        }
        if train.is_empty() {
            let message = format!("`{}` has no CIFAR files", self.path.escape_debug());
            return Err(Diagnostic::error(Code::DATA_MISSING, message)
                .note("looked for `data_batch_1.bin` and `train.bin`, also with `.gz`")
                .help("take the binary version, not that for Python; other names: `train: \"...\", test: \"...\"`"));
        }
        let test = match &self.test {
            Some(test) => Some(named(test)),
            None => find(&["test_batch.bin", "test.bin", "val.bin"])?,
        };
        Ok(Files { train, test, classes })
    }

    fn read_records<R: Read>(
        &self,
        mut file: Bytes<R>,
        part: Option<Part>,
        names: &Labels,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let (n_labels, label) = match self.label {
            CifarLabel::Only => (1, 0),
            CifarLabel::Coarse => (2, 0),
            CifarLabel::Fine => (2, 1),
        };
        let name = file.name().to_owned();
        let mut record = Vec::new();
        let mut pixels = vec![0; 3 * PLANE];
        let mut position = 0;
        while file.take_or_end(n_labels + 3 * PLANE, "a record", &mut record)? {
            position += 1;
            let (labels, planes) = record.split_at(n_labels);
            for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                pixel.copy_from_slice(&[planes[at], planes[PLANE + at], planes[2 * PLANE + at]]);
            }
            let class = names.name(i64::from(labels[label]), &name, position)?;
            into.push(Sample {
                values: Values::U8(&pixels),
                extents: [SIDE, SIDE, 3],
                wanted: Wanted::Class(&class),
                file: &name,
                position,
                group: None,
                part,
            })?;
        }
        match position {
            0 => Err(file
                .error(Code::DATA_FORMAT, "the file is empty")
                .help("download or make the file again")),
            _ => Ok(()),
        }
    }
}

/// The lines of a file of names; empty ones are left out.
fn read_classes(root: &Path, file: &str) -> Result<Vec<String>, Diagnostic> {
    let mut lines = Lines::new(open(root, file)?.into_reader(), file.to_owned());
    let mut classes = Vec::new();
    while let Some(line) = lines.next_line()? {
        let class = line.trim();
        if classes.len() > limits::CLASSES {
            let message = format!("`{}` names more than {} classes", file.escape_debug(), limits::CLASSES);
            return Err(Diagnostic::error(Code::DATA_LIMIT, message).help("write one class a line"));
        }
        if !class.is_empty() {
            classes.push(class.to_owned());
        }
    }
    Ok(classes)
}

#[cfg(test)]
mod tests;
