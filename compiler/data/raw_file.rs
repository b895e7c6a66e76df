//! Records of numbers and nothing else: what a logger on a board writes.
//!
//! In: files of records of one size, plain or gzip, the least significant byte first: one byte of class and the
//! values, or the values alone with a second file of labels. Out: samples of the given shape: bytes and 16 bits with
//! sign as [`Element::I16`], floats as [`Element::F32`]. Deliberately not done here: headers, padding, other orders of
//! bytes; a file that has them becomes an `.npy` in three lines of Python.

use std::io::Read;
use std::path::Path;

use crate::data::Reader;
use crate::data::bytes::{Bytes, Labels, Opened, count, existing, extents, open, parts, unequal};
use crate::data::collect::{Collector, Part, Sample, Values, Wanted};
use crate::data::place::{Lines, at_line};
use crate::data::table::Element;
use crate::diagnostic::{Code, Diagnostic};

/// What one number of a [`RawFile`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RawElement {
    /// A byte without sign: pixels.
    U8,
    /// A byte with sign.
    I8,
    /// 16 bits with sign.
    I16,
    /// A float of 32 bits.
    F32,
}

impl RawElement {
    fn bytes(self) -> usize {
        match self {
            RawElement::U8 | RawElement::I8 => 1,
            RawElement::I16 => 2,
            RawElement::F32 => 4,
        }
    }
}

/// Records of numbers. All names are below the root and may end in `.gz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawFile {
    /// Records to train on.
    pub train: String,
    /// Records to test on; without them shares of `train` are.
    pub test: Option<String>,
    /// Labels of `train`: bytes if the name ends in `.bin` or `.bin.gz`, else text with a name a line. With it, records
    /// have no byte of class.
    pub train_labels: Option<String>,
    /// Labels of `test`, likewise.
    pub test_labels: Option<String>,
    /// What one number is.
    pub element: RawElement,
    /// `[T]`, `[T, C]` or `[H, W, C]`.
    pub shape: Vec<usize>,
    /// Names of the classes 0, 1, ... of bytes; without them the names are "0", "1", ... Names in a file of labels
    /// have to be among them.
    pub classes: Option<Vec<String>>,
}

impl Reader for RawFile {
    fn element(&self, _: &Path) -> Result<Element, Diagnostic> {
        Ok(match self.element {
            RawElement::U8 => Element::U8,
            RawElement::I8 | RawElement::I16 => Element::I16,
            RawElement::F32 => Element::F32,
        })
    }

    fn inputs(&self, root: &Path) -> Result<Vec<String>, Diagnostic> {
        let files =
            [Some(&self.train), self.train_labels.as_ref(), self.test.as_ref(), self.test_labels.as_ref()];
        existing(root, files.into_iter().flatten())
    }

    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic> {
        if let Some(classes) = &self.classes {
            into.declare(classes)?;
        }
        if self.test.is_some() && self.train_labels.is_some() != self.test_labels.is_some() {
            let message = "one of `train` and `test` has a file of labels, the other has none";
            return Err(Diagnostic::error(Code::DATA_LABEL, message)
                .help("give both `train_labels` and `test_labels`, or neither"));
        }
        let test = self.test.as_ref().map(|test| (test, &self.test_labels));
        for (part, (file, labels)) in parts((&self.train, &self.train_labels), test) {
            let labels = labels.as_ref().map(|labels| LabelFile::open(root, labels)).transpose()?;
            self.read_records(open(root, file)?, labels, part, into)?;
        }
        Ok(())
    }
}

impl RawFile {
    fn read_records<R: Read>(
        &self,
        mut file: Bytes<R>,
        mut labels: Option<LabelFile>,
        part: Option<Part>,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let name = file.name().to_owned();
        let Some(extents) = extents(&self.shape) else {
            let text = format!("a shape of {} extents; 1 to 3 are allowed", self.shape.len());
            return Err(file.error(Code::DATA_SHAPE, text).help("give `[T]`, `[T, C]` or `[H, W, C]`"));
        };
        let size = count(&extents, &name)? * self.element.bytes() + usize::from(labels.is_none());
        let names = Labels::new(self.classes.as_deref());
        let mut numbers = Numbers { element: self.element, shorts: Vec::new(), floats: Vec::new() };
        let mut record = Vec::new();
        let mut position = 0;
        while file.take_or_end(size, &format!("record {}", position + 1), &mut record)? {
            position += 1;
            let (class, values) = match &mut labels {
                None => (names.name(i64::from(record[0]), &name, position)?, &record[1..]),
                Some(labels) => match labels.next(&names)? {
                    Some(class) => (class, &record[..]),
                    None => {
                        let mut n = position;
                        while file.take_or_end(size, "a record", &mut record)? {
                            n += 1;
                        }
                        return Err(unequal((&name, n), (labels.name(), position - 1)));
                    }
                },
            };
            into.push(Sample {
                values: numbers.of(values),
                extents,
                wanted: Wanted::Class(&class),
                file: &name,
                position,
                group: None,
                part,
            })?;
        }
        let Some(mut labels) = labels else { return Ok(()) };
        let mut n_labels = position;
        while labels.next(&names)?.is_some() {
            n_labels += 1;
        }
        if n_labels > position {
            return Err(unequal((&name, position), (labels.name(), n_labels)));
        }
        Ok(())
    }
}

/// Room for the numbers of a record.
struct Numbers {
    element: RawElement,
    shorts: Vec<i16>,
    floats: Vec<f32>,
}

impl Numbers {
    fn of<'a>(&'a mut self, bytes: &'a [u8]) -> Values<'a> {
        self.shorts.clear();
        self.floats.clear();
        match self.element {
            RawElement::U8 => return Values::U8(bytes),
            RawElement::I8 => self.shorts.extend(bytes.iter().map(|byte| i16::from(byte.cast_signed()))),
            RawElement::I16 => {
                self.shorts.extend(bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])));
            }
            RawElement::F32 => {
                let float = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                self.floats.extend(bytes.chunks_exact(4).map(float));
                return Values::F32(&self.floats);
            }
        }
        Values::I16(&self.shorts)
    }
}

/// Labels in the order of the records.
enum LabelFile {
    Bytes { file: Bytes<Opened>, buffer: Vec<u8>, position: u64 },
    Text(Lines<Opened>),
}

impl LabelFile {
    fn open(root: &Path, name: &str) -> Result<LabelFile, Diagnostic> {
        let file = open(root, name)?;
        Ok(match name.ends_with(".bin") || name.ends_with(".bin.gz") {
            true => LabelFile::Bytes { file, buffer: Vec::new(), position: 0 },
            false => LabelFile::Text(Lines::new(file.into_reader(), name.to_owned())),
        })
    }

    fn name(&self) -> &str {
        match self {
            LabelFile::Bytes { file, .. } => file.name(),
            LabelFile::Text(lines) => lines.name(),
        }
    }

    /// The next label. Empty lines may only be the last ones: elsewhere, a sample would get the label of another.
    fn next(&mut self, names: &Labels) -> Result<Option<String>, Diagnostic> {
        let lines = match self {
            LabelFile::Bytes { file, buffer, position } => {
                if !file.take_or_end(1, "a label", buffer)? {
                    return Ok(None);
                }
                *position += 1;
                return names.name(i64::from(buffer[0]), file.name(), *position).map(Some);
            }
            LabelFile::Text(lines) => lines,
        };
        let Some(line) = lines.next_line()? else { return Ok(None) };
        let label = line.trim();
        if !label.is_empty() {
            return Ok(Some(label.to_owned()));
        }
        let empty = lines.number();
        while let Some(line) = lines.next_line()? {
            if !line.trim().is_empty() {
                return Err(at_line(Code::DATA_LABEL, lines.name(), empty, "the line is empty")
                    .help("write one label a line"));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
