//! IDX, the format of MNIST: one file of pictures, one of labels.
//!
//! In: files of unsigned bytes, plain or gzip: pictures of rank 3 `[N, H, W]` or 4 `[N, H, W, C]`, labels of rank 1.
//! Out: samples `[H, W, C]` of [`Element::U8`] whose classes are called by their label, or as `classes` says.
//! Deliberately not done here: other elements than bytes and series of rank 2, which `npy` and `raw_file` read.
//!
//! Source  Y. LeCun, "The MNIST database", section "the IDX file format"; checked with Fashion-MNIST.

use std::io::Read;
use std::path::Path;

use crate::data::bytes::{Bytes, Labels, count, existing, open, parts, unequal};
use crate::data::collect::{Collector, Part, Sample, Values, Wanted};
use crate::data::table::Element;
use crate::data::{Reader, limits};
use crate::diagnostic::{Code, Diagnostic};

/// Pictures and labels in IDX files. All names are below the root and may end in `.gz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Idx {
    /// Pictures to train on.
    pub train: String,
    /// Their labels; without them there are no classes.
    pub train_labels: Option<String>,
    /// Pictures to test on; without them shares of `train` are.
    pub test: Option<String>,
    /// Their labels.
    pub test_labels: Option<String>,
    /// Names of the labels 0, 1, ...; without them the names are "0", "1", ...
    pub classes: Option<Vec<String>>,
}

impl Reader for Idx {
    fn element(&self, _: &Path) -> Result<Element, Diagnostic> {
        Ok(Element::U8)
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
        let test = self.test.as_ref().map(|test| (test, &self.test_labels));
        for (part, (file, labels)) in parts((&self.train, &self.train_labels), test) {
            let pictures = open(root, file)?;
            let labels = labels.as_ref().map(|labels| open(root, labels)).transpose()?;
            read_pair(pictures, labels, part, &Labels::new(self.classes.as_deref()), into)?;
        }
        Ok(())
    }
}

fn read_pair<R: Read>(
    mut pictures: Bytes<R>,
    labels: Option<Bytes<R>>,
    part: Option<Part>,
    names: &Labels,
    into: &mut Collector,
) -> Result<(), Diagnostic> {
    let shape = header(&mut pictures, "pictures", 3..=4)?;
    let (n, extents) = match shape[..] {
        [n, h, w] => (n, [h, w, 1]),
        [n, h, w, c] => (n, [h, w, c]),
        _ => unreachable!("the header is of rank 3 or 4"),
    };
    let size = count(&extents, pictures.name())?;
    let labels = labels.map(|mut labels| read_labels(&mut labels, pictures.name(), n)).transpose()?;
    let file = pictures.name().to_owned();
    let mut values = Vec::new();
    for index in 0..n {
        let position = index as u64 + 1;
        pictures.take(size, &format!("picture {position} of {n}"), &mut values)?;
        let class = labels.as_ref().map(|labels| names.name(i64::from(labels[index]), &file, position));
        let class = class.transpose()?;
        into.push(Sample {
            values: Values::U8(&values),
            extents,
            wanted: class.as_deref().map_or(Wanted::Nothing, Wanted::Class),
            file: &file,
            position,
            group: None,
            part,
        })?;
    }
    pictures.end("the last picture")
}

/// The labels of `n` pictures.
fn read_labels<R: Read>(labels: &mut Bytes<R>, pictures: &str, n: usize) -> Result<Vec<u8>, Diagnostic> {
    let shape = header(labels, "labels", 1..=1)?;
    if shape[0] != n {
        return Err(unequal((pictures, n as u64), (labels.name(), shape[0] as u64)));
    }
    let mut values = Vec::new();
    labels.take(n, "the labels", &mut values)?;
    labels.end("the last label")?;
    Ok(values)
}

/// The extents that the header gives, the first of which is at most [`limits::SAMPLES`].
fn header<R: Read>(
    file: &mut Bytes<R>,
    what: &str,
    ranks: std::ops::RangeInclusive<u8>,
) -> Result<Vec<usize>, Diagnostic> {
    let [zero, zero_too, element, rank] = file.array("the magic number")?;
    if (zero, zero_too) != (0, 0) {
        let text = "is no IDX file: its first two bytes are not 0";
        return Err(file.error(Code::DATA_FORMAT, text).help("name the IDX file of the pictures or labels"));
    }
    if element != 8 {
        let text = format!("the element type is 0x{element:02x}; 0x08, unsigned bytes, is read");
        return Err(file
            .error(Code::DATA_FORMAT, text)
            .help("write other numbers as `.npy` and read them by `npy`"));
    }
    if !ranks.contains(&rank) {
        let allowed = match (ranks.start(), ranks.end()) {
            (low, high) if low == high => low.to_string(),
            (low, high) => format!("{low} or {high}"),
        };
        let text = format!("an array of rank {rank}; {what} are of rank {allowed}");
        return Err(file.error(Code::DATA_SHAPE, text).help("have pictures and labels changed places?"));
    }
    let mut shape = Vec::new();
    for _ in 0..rank {
        let extent = u32::from_be_bytes(file.array("an extent of the header")?);
        shape.push(extent as usize);
    }
    if shape[0] > limits::SAMPLES {
        let text = format!("the header claims {} {what}; at most {} are read", shape[0], limits::SAMPLES);
        return Err(file.error(Code::DATA_LIMIT, text).help("download the file again, or use fewer"));
    }
    count(&shape, file.name())?;
    Ok(shape)
}

#[cfg(test)]
mod tests;
