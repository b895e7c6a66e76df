//! NumPy's `.npy` arrays, with their labels beside them.
//!
//! In: `.npy` or `.npy.gz` files; labels as a second array, or as columns of a table with a row for each sample. Out:
//! samples of `[N, T]`, `[N, T, C]` or `[N, H, W, C]`; bytes stay [`Element::U8`], 16 bits with sign
//! [`Element::I16`], all other numbers become [`Element::F32`]. With `window`, `[T]` or `[T, C]` is one recording and
//! is cut. Deliberately not done here: `.npz` (see `npz.rs`) and pickled arrays.

pub(in crate::data) mod array;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use crate::data::Reader;
use crate::data::bytes::{Bytes, Labels, Opened, count, existing, extents, open, parts, unequal};
use crate::data::collect::{Collector, Part, Sample, Values, Wanted};
use crate::data::limits;
use crate::data::rows::{Rows, open_rows};
use crate::data::table::Element;
use crate::data::windows::{Cutter, Windows, majority};
use crate::diagnostic::{Code, Diagnostic};

use array::{Header, Numbers};

/// Arrays in `.npy` files. All names are below the root and may end in `.gz`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Npy {
    /// Samples to train on: `[N, T]`, `[N, T, C]` or `[N, H, W, C]`; with `window`, a recording `[T]` or `[T, C]`.
    pub train: String,
    /// Their labels: integers `[N]`, or with `targets` any numbers `[N]` or `[N, K]`. With `window`, `N` is `T`: the
    /// class of a window is that of most of its rows, the numbers to predict are those of its last one.
    pub train_labels: Option<String>,
    /// Samples to test on; without them shares of `train` are.
    pub test: Option<String>,
    /// Their labels.
    pub test_labels: Option<String>,
    /// A table of text with a row for each sample of `train`. Its column `label` is the label where there is no
    /// array of labels, and has to agree where there is one; its column `name` is the name of that label.
    pub train_table: Option<String>,
    /// The same for `test`.
    pub test_table: Option<String>,
    /// The column of the tables that says what a sample belongs to: its subject, its recording.
    pub group: Option<String>,
    /// Rows of a window of the recordings.
    pub window: Option<usize>,
    /// Rows from one window to the next; without it windows follow one another.
    pub hop: Option<usize>,
    /// Names of the labels 0, 1, ...; without them and without a table, the names are "0", "1", ...
    pub classes: Option<Vec<String>>,
    /// Whether labels are numbers to predict.
    pub targets: bool,
}

/// The files of one part.
struct Files<'a> {
    array: &'a str,
    labels: Option<&'a str>,
    table: Option<&'a str>,
}

impl Reader for Npy {
    fn element(&self, root: &Path) -> Result<Element, Diagnostic> {
        self.element_in(root)
    }

    fn inputs(&self, root: &Path) -> Result<Vec<String>, Diagnostic> {
        let files = [
            Some(&self.train),
            self.train_labels.as_ref(),
            self.train_table.as_ref(),
            self.test.as_ref(),
            self.test_labels.as_ref(),
            self.test_table.as_ref(),
        ];
        existing(root, files.into_iter().flatten())
    }

    /// The collector's element is [`Element::F32`] or that of [`Npy::element_in`]; another one is E0702.
    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic> {
        self.check()?;
        if self.window.is_some() {
            into.set_windows();
        }
        let names = self.names(root, into)?;
        let train = Files {
            array: &self.train,
            labels: self.train_labels.as_deref(),
            table: self.train_table.as_deref(),
        };
        let test = self.test.as_deref().map(|array| Files {
            array,
            labels: self.test_labels.as_deref(),
            table: self.test_table.as_deref(),
        });
        for (part, files) in parts(train, test) {
            self.read_part(root, &files, part, &names, into)?;
        }
        Ok(())
    }
}

impl Npy {
    /// What one number of the samples in `train` is without loss.
    ///
    /// # Errors
    /// E0701 if the file is missing, E0702 if it is no array that is read.
    pub fn element_in(&self, root: &Path) -> Result<Element, Diagnostic> {
        Ok(Header::read(&mut open(root, &self.train)?)?.element())
    }

    fn check(&self) -> Result<(), Diagnostic> {
        let tables = self.train_table.is_some() || self.test_table.is_some();
        let problem = if self.window.is_some() && tables {
            "a table has a row for each sample, a recording that is cut by `window` has none"
        } else if self.group.is_some()
            && (self.train_table.is_none() || self.test.is_some() && self.test_table.is_none())
        {
            "`group` names a column of tables, and there are none"
        } else if self.targets && self.classes.is_some() {
            "`targets` are numbers, `classes` are names"
        } else if self.targets
            && (self.train_labels.is_none() || self.test.is_some() && self.test_labels.is_none())
        {
            "`targets` are in arrays of labels, and there are none"
        } else {
            return Ok(());
        };
        Err(Diagnostic::error(Code::DATA_LABEL, problem)
            .help("leave one of both out, or give what is missing"))
    }

    /// What labels are called; also tells `into` if their order is known.
    fn names(&self, root: &Path, into: &mut Collector) -> Result<Labels, Diagnostic> {
        if let Some(classes) = &self.classes {
            into.declare(classes)?;
            return Ok(Labels::new(Some(classes)));
        }
        let mut pairs = BTreeMap::new();
        if !self.targets {
            for table in [&self.train_table, &self.test_table].into_iter().flatten() {
                read_pairs(root, table, &mut pairs)?;
            }
        }
        if pairs.is_empty() {
            return Ok(Labels::new(None));
        }
        let classes: Vec<String> = pairs.values().cloned().collect();
        into.declare(&classes)?;
        Ok(Labels::pairs(pairs))
    }

    fn read_part(
        &self,
        root: &Path,
        files: &Files<'_>,
        part: Option<Part>,
        names: &Labels,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let mut file = open(root, files.array)?;
        let header = Header::read(&mut file)?;
        if ![header.element(), Element::F32].contains(&into.element()) {
            let text = format!("numbers of the type `{}`, those before are others", header.descr());
            return Err(file.error(Code::DATA_FORMAT, text).help("give `train` and `test` one type"));
        }
        let mut besides = self.besides(root, files, header.shape[0], names)?;
        let rows = self.rows(&file, &header)?;
        let mut pushed =
            Pushed { numbers: Numbers::new(into.element()), header: &header, file: files.array, part };
        let (n, mut bytes) = (header.shape[0], Vec::new());
        let mut windows = rows.cutter.map(Windows::new);
        for row in 1..=n as u64 {
            file.take(rows.bytes, &format!("sample {row} of {n}"), &mut bytes)?;
            header.order(&mut bytes);
            let about = besides.next(row)?;
            let Some(windows) = &mut windows else {
                pushed.push(&bytes, (rows.extents, row), &about, into)?;
                continue;
            };
            let class = about.class.clone();
            if let Some((bytes, classes)) = windows.push(&bytes, class) {
                let class = majority(classes.iter().flatten().map(String::as_str)).map(str::to_owned);
                let about = About { class, ..about };
                let first = row + 1 - classes.len() as u64;
                pushed.push(bytes, (rows.extents, first), &about, into)?;
            }
        }
        file.end("the last number")?;
        besides.end(n as u64)
    }

    /// How the array falls into rows, each of which is a sample or a moment of the recording.
    fn rows<R: Read>(&self, file: &Bytes<R>, header: &Header) -> Result<RowsOf, Diagnostic> {
        let shape = &header.shape;
        count(shape, file.name())?;
        let Some(window) = self.window else {
            let Some(extents) = extents(&shape[1..]) else {
                let text = format!("an array of {} extents; 2 to 4 are read", shape.len());
                return Err(file.error(Code::DATA_SHAPE, text).help(
                    "samples are `[N, T]`, `[N, T, C]` or `[N, H, W, C]`; `window` cuts a recording `[T, C]`",
                ));
            };
            if shape[0] > limits::SAMPLES {
                let text = format!("{} samples; at most {} are read", shape[0], limits::SAMPLES);
                return Err(file.error(Code::DATA_LIMIT, text).help("split the file, or use fewer"));
            }
            let bytes = shape[1..].iter().product::<usize>() * header.bytes();
            return Ok(RowsOf { bytes, extents, cutter: None });
        };
        let channels = match shape[..] {
            [_] => 1,
            [_, channels] => channels,
            _ => {
                let text = format!("an array of {} extents, and `window` is given", shape.len());
                return Err(file.error(Code::DATA_SHAPE, text).help(
                    "a recording is `[T]` or `[T, C]`; leave `window` out where samples are cut already",
                ));
            }
        };
        if window > shape[0] {
            let text = format!("a recording of {} rows, and a window of {window}", shape[0]);
            return Err(file.error(Code::DATA_SHAPE, text).help("use a smaller `window`"));
        }
        let cutter = Some(Cutter::new(window, self.hop)?);
        Ok(RowsOf { bytes: channels * header.bytes(), extents: [window, 1, channels], cutter })
    }

    fn besides<'a>(
        &self,
        root: &Path,
        files: &Files<'a>,
        n: usize,
        names: &'a Labels,
    ) -> Result<Besides<'a>, Diagnostic> {
        let labels = files.labels.map(|file| LabelArray::open(root, file, self.targets)).transpose()?;
        if let Some(labels) = labels.as_ref().filter(|labels| labels.header.shape[0] != n) {
            return Err(unequal(
                (files.array, n as u64),
                (labels.file.name(), labels.header.shape[0] as u64),
            ));
        }
        let table = files.table.map(|file| SampleTable::open(root, file, self)).transpose()?;
        Ok(Besides { array: files.array, labels, table, names })
    }
}

struct RowsOf {
    bytes: usize,
    extents: [usize; 3],
    cutter: Option<Cutter>,
}

/// What samples of one file share.
struct Pushed<'a> {
    numbers: Numbers,
    header: &'a Header,
    file: &'a str,
    part: Option<Part>,
}

impl Pushed<'_> {
    fn push(
        &mut self,
        bytes: &[u8],
        (extents, position): ([usize; 3], u64),
        about: &About,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let wanted = match &about.class {
            Some(class) => Wanted::Class(class),
            None if !about.numbers.is_empty() => Wanted::Numbers(&about.numbers),
            None => Wanted::Nothing,
        };
        let values: Values<'_> = self.numbers.of(self.header, bytes);
        let (file, part, group) = (self.file, self.part, about.group.as_deref());
        into.push(Sample { values, extents, wanted, file, position, group, part })
    }
}

/// What there is about one sample or row beside its numbers.
#[derive(Default)]
struct About {
    class: Option<String>,
    numbers: Vec<f32>,
    group: Option<String>,
}

/// Labels and table of an array, read along with it.
struct Besides<'a> {
    array: &'a str,
    labels: Option<LabelArray>,
    table: Option<SampleTable>,
    names: &'a Labels,
}

impl Besides<'_> {
    fn next(&mut self, position: u64) -> Result<About, Diagnostic> {
        let mut about = About::default();
        let mut label = None;
        if let Some(labels) = &mut self.labels {
            label = labels.next(position, &mut about.numbers)?;
        }
        if let Some(table) = &mut self.table {
            if !table.rows.next()? {
                let n_rows = position - 1;
                let message = format!(
                    "`{}` has {n_rows} rows, `{}` has more samples",
                    table.rows.name().escape_debug(),
                    self.array.escape_debug()
                );
                return Err(Diagnostic::error(Code::DATA_LABEL, message).help("give a row for each sample"));
            }
            about.group = table.group.map(|column| table.rows.cell(column).map(str::to_owned)).transpose()?;
            let told = table.label.map(|column| integer(&table.rows, column)).transpose()?;
            if let (Some(label), Some(told)) = (label, told)
                && label != told
            {
                let text = format!("the label is {told}, in the array it is {label}");
                return Err(table.rows.at_line(Code::DATA_LABEL, text).help("bring both to one order"));
            }
            label = label.or(told);
        }
        if about.numbers.is_empty() {
            about.class = label.map(|label| self.names.name(label, self.array, position)).transpose()?;
        }
        Ok(about)
    }

    /// Nothing may follow the last of `n` samples.
    fn end(&mut self, n: u64) -> Result<(), Diagnostic> {
        if let Some(labels) = &mut self.labels {
            labels.file.end("the last label")?;
        }
        if let Some(table) = &mut self.table
            && table.rows.next()?
        {
            let text = format!("one row more than the {n} samples of `{}`", self.array.escape_debug());
            return Err(table.rows.at_line(Code::DATA_LABEL, text).help("give a row for each sample"));
        }
        Ok(())
    }
}

/// An array of labels.
struct LabelArray {
    file: Bytes<Opened>,
    header: Header,
    targets: bool,
    /// Bytes of the labels of one sample.
    size: usize,
    buffer: Vec<u8>,
}

impl LabelArray {
    fn open(root: &Path, name: &str, targets: bool) -> Result<LabelArray, Diagnostic> {
        let mut file = open(root, name)?;
        let header = Header::read(&mut file)?;
        count(&header.shape, name)?;
        let each = header.shape[1..].iter().product::<usize>();
        if header.shape.len() > 2 || !targets && each != 1 {
            let text = format!("labels of {} extents", header.shape.len());
            return Err(file.error(Code::DATA_SHAPE, text).help(
                "labels are `[N]`, and with `targets` also `[N, K]`; have samples and labels changed places?",
            ));
        }
        if !targets && !header.is_integer() {
            let text = format!("labels of the type `{}` are no integers", header.descr());
            return Err(file
                .error(Code::DATA_LABEL, text)
                .help("for numbers to predict write `targets: true`; for classes, `y.astype(\"int64\")`"));
        }
        let size = each * header.bytes();
        Ok(LabelArray { file, header, targets, size, buffer: Vec::new() })
    }

    /// The next label: an integer, or numbers to predict, which go to `numbers`.
    fn next(&mut self, position: u64, numbers: &mut Vec<f32>) -> Result<Option<i64>, Diagnostic> {
        self.file.take(self.size, &format!("label {position}"), &mut self.buffer)?;
        self.header.order(&mut self.buffer);
        if self.targets {
            self.header.floats(&self.buffer, numbers);
            return Ok(None);
        }
        Ok(self.header.integers(&self.buffer).next())
    }
}

/// A table with a row for each sample.
struct SampleTable {
    rows: Rows<Opened>,
    label: Option<usize>,
    group: Option<usize>,
}

impl SampleTable {
    fn open(root: &Path, file: &str, spec: &Npy) -> Result<SampleTable, Diagnostic> {
        let rows = open_rows(open(root, file)?.into_reader(), file, None)?;
        let group = spec.group.as_ref().map(|group| rows.column(group)).transpose()?;
        let label = if spec.targets { None } else { rows.find("label") };
        Ok(SampleTable { rows, label, group })
    }
}

/// Takes the names that the table gives to labels.
fn read_pairs(root: &Path, file: &str, pairs: &mut BTreeMap<i64, String>) -> Result<(), Diagnostic> {
    let mut rows = open_rows(open(root, file)?.into_reader(), file, None)?;
    let (Some(label), Some(name)) = (rows.find("label"), rows.find("name")) else { return Ok(()) };
    while rows.next()? {
        let (label, name) = (integer(&rows, label)?, rows.cell(name)?);
        if pairs.get(&label).is_some_and(|known| known != name) {
            let text =
                format!("the label {label} is called `{}`, before it had another name", name.escape_debug());
            return Err(rows.at_line(Code::DATA_LABEL, text).help("call each label by one name"));
        }
        if pairs.len() > limits::CLASSES {
            let text = format!("more than {} labels", limits::CLASSES);
            return Err(rows
                .at_line(Code::DATA_LIMIT, text)
                .help("is `label` really the class of a sample?"));
        }
        pairs.entry(label).or_insert_with(|| name.to_owned());
    }
    Ok(())
}

fn integer<R: Read>(rows: &Rows<R>, column: usize) -> Result<i64, Diagnostic> {
    let text = rows.cell(column)?;
    text.parse().map_err(|_| {
        let text = format!("the label `{}` is no integer", text.escape_debug());
        rows.at_line(Code::DATA_LABEL, text)
            .help("the column `label` of such a table counts the classes from 0 on")
    })
}

#[cfg(test)]
mod tests;
