//! Where readers put the samples that they find: one place that checks what all of them have to hold to.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::data::limits;
use crate::data::table::{Element, Table, TableWriter};
use crate::diagnostic::{Code, Diagnostic};
use crate::tensor::Shape;

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Weights, standardisation and calibration come from it.
    Train,
    /// Candidates are compared on it.
    Val,
    /// The reported quality comes from it.
    Test,
}

impl Part {
    /// All parts in order.
    pub const ALL: [Part; 3] = [Part::Train, Part::Val, Part::Test];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Val => "val",
            Part::Test => "test",
        }
    }
}

/// The numbers of a sample as the sensor gives them; those of one set are all of one kind.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// Pixels.
    U8(&'a [u8]),
    /// Sound.
    I16(&'a [i16]),
    /// Anything else; all finite and within [`limits::MAGNITUDE`].
    F32(&'a [f32]),
}

/// What is wanted of a sample.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// The name of its class.
    Class(&'a str),
    /// Numbers to predict.
    Numbers(&'a [f32]),
    /// Nothing is known: a reconstruction is trained without.
    Nothing,
}

/// One sample on its way from a reader.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Its numbers, channels innermost.
    pub values: Values<'a>,
    /// Height or time, width, channels; their product is the number of values.
    pub extents: [usize; 3],
    /// What is wanted of it.
    pub wanted: Wanted<'a>,
    /// The file that it is from, below the root, parts separated by `/`.
    pub file: &'a str,
    /// Where in the file: number of the record, line of the table, first sample of the window. 0 where a file is one.
    pub position: u64,
    /// What it belongs to and must not be parted from: a speaker, a subject, a recording.
    pub group: Option<&'a str>,
    /// The part that the source itself puts it in.
    pub part: Option<Part>,
}

/// Where a collected sample is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index into [`Collection::files`].
    pub file: u32,
    /// See [`Sample::position`].
    pub position: u64,
    /// Index into [`Collection::groups`].
    pub group: Option<u32>,
    /// The part that the source itself puts it in.
    pub part: Option<Part>,
}

/// All samples of a source as they are on disk, before front end and standardisation.
#[derive(Clone, Debug)]
pub struct Collection {
    /// A row for each sample.
    pub table: Table,
    /// Height or time, width, channels of every sample.
    pub extents: [usize; 3],
    /// One index into `classes` for each sample; empty where there are no classes.
    pub labels: Vec<u32>,
    /// Names of the classes, in the order of the network's outputs.
    pub classes: Vec<String>,
    /// Numbers to predict, a row for each sample; empty where there are none.
    pub numbers: Vec<f32>,
    /// Where each sample is from.
    pub origins: Vec<Origin>,
    /// Files, in the order they were read.
    pub files: Vec<String>,
    /// Groups, in the order they were met.
    pub groups: Vec<String>,
    /// SHA-256, cut to 16 bytes, of the numbers of each sample: equal ones are duplicates.
    pub digests: Vec<u128>,
    /// Samples of a second, of sound.
    pub rate: Option<u32>,
    /// Whether several samples are cut from one recording: those of a file are neighbours then.
    pub are_windows: bool,
    /// What is odd about the data and no error.
    pub warnings: Vec<Diagnostic>,
}

/// Takes samples from a reader; see the module.
#[derive(Debug)]
pub struct Collector {
    writer: TableWriter,
    element: Element,
    extents: Option<[usize; 3]>,
    classes: Classes,
    labels: Vec<u32>,
    numbers: Vec<f32>,
    n_numbers: Option<usize>,
    origins: Vec<Origin>,
    files: Names,
    groups: Names,
    digests: Vec<u128>,
    rate: Option<u32>,
    are_windows: bool,
    warnings: Vec<Diagnostic>,
    bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Names {
    list: Vec<String>,
    index: BTreeMap<String, u32>,
}

impl Names {
    fn of(&mut self, name: &str) -> u32 {
        if let Some(&index) = self.index.get(name) {
            return index;
        }
        let index = u32::try_from(self.list.len()).expect("limits::SAMPLES fits");
        self.list.push(name.to_owned());
        self.index.insert(name.to_owned(), index);
        index
    }
}

#[derive(Debug, Default)]
struct Classes {
    names: Names,
    /// Whether their order is given, and no others may come.
    declared: bool,
}

impl Collector {
    /// Without samples yet. Those that memory does not hold go to a file in `spill`.
    pub fn new(element: Element, spill: Option<&Path>) -> Collector {
        Collector {
            writer: TableWriter::new(element, spill),
            element,
            extents: None,
            classes: Classes::default(),
            labels: Vec::new(),
            numbers: Vec::new(),
            n_numbers: None,
            origins: Vec::new(),
            files: Names::default(),
            groups: Names::default(),
            digests: Vec::new(),
            rate: None,
            are_windows: false,
            warnings: Vec::new(),
            bytes: Vec::new(),
        }
    }

    /// Says which classes there are, in the order of the network's outputs. Without it they are sorted: by number if
    /// all are numbers, else by name.
    ///
    /// # Errors
    /// E0703 for the same class twice, E0706 for too many of them or too long a name.
    pub fn declare(&mut self, classes: &[String]) -> Result<(), Diagnostic> {
        for class in classes {
            if self.classes.names.index.contains_key(class) {
                let message = format!("the class `{}` is declared twice", class.escape_debug());
                return Err(Diagnostic::error(Code::DATA_LABEL, message).help("name each class once"));
            }
            self.class(class, "the list of classes")?;
        }
        self.classes.declared = true;
        Ok(())
    }

    /// Says how many samples of a second the recordings have.
    pub fn set_rate(&mut self, rate: u32) {
        self.rate = Some(rate);
    }

    /// Says that samples are windows of recordings, several of each.
    pub fn set_windows(&mut self) {
        self.are_windows = true;
    }

    /// What one number of the samples has to be.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Keeps a warning.
    pub fn warn(&mut self, warning: Diagnostic) {
        self.warnings.push(warning);
    }

    /// Number of samples taken so far.
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Whether no sample was taken yet.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    fn class(&mut self, name: &str, place: &str) -> Result<u32, Diagnostic> {
        if let Some(&index) = self.classes.names.index.get(name) {
            return Ok(index);
        }
        let shown = name.escape_debug();
        if self.classes.declared {
            let known: Vec<&str> = self.classes.names.list.iter().take(20).map(String::as_str).collect();
            let message = format!("{place}: the label `{shown}` is not among the declared classes");
            return Err(Diagnostic::error(Code::DATA_LABEL, message)
                .help(format!("the classes are {}", known.join(", "))));
        }
        if name.is_empty() || name.len() > limits::CLASS_NAME_BYTES {
            let message = format!("{place}: the name of a class has 1 to {} bytes", limits::CLASS_NAME_BYTES);
            return Err(Diagnostic::error(Code::DATA_LIMIT, message));
        }
        if self.classes.names.list.len() >= limits::CLASSES {
            let message =
                format!("{place}: the label `{shown}` is one more than {} classes", limits::CLASSES);
            return Err(Diagnostic::error(Code::DATA_LIMIT, message)
                .help("is this column or folder really the class of a sample?"));
        }
        Ok(self.classes.names.of(name))
    }

    /// Takes a sample.
    ///
    /// # Errors
    /// E0702 for numbers that are not finite, E0703 for a label that is wrong, E0705 for other extents than the
    /// samples before, E0706 beyond a limit. The message names the file and the position.
    ///
    /// # Panics
    /// When the reader breaks what [`Sample`] says: another kind of number, extents that are not those of the values.
    pub fn push(&mut self, sample: Sample<'_>) -> Result<(), Diagnostic> {
        let place = match sample.position {
            0 => format!("`{}`", sample.file.escape_debug()),
            position => format!("`{}`, sample {position}", sample.file.escape_debug()),
        };
        self.encode(&sample, &place)?;
        self.extents_fit(sample.extents, &place)?;
        if self.origins.len() >= limits::SAMPLES {
            let message = format!("{place}: the data has more than {} samples", limits::SAMPLES);
            return Err(Diagnostic::error(Code::DATA_LIMIT, message).help("use fewer, or a larger `hop`"));
        }
        let label = match sample.wanted {
            Wanted::Class(name) => Some(self.class(name, &place)?),
            Wanted::Numbers(numbers) => {
                self.numbers_fit(numbers, &place)?;
                None
            }
            Wanted::Nothing => None,
        };
        self.labels.extend(label);
        let others = [self.labels.len(), self.n_numbers.map_or(0, |n| self.numbers.len() / n.max(1))];
        if others.iter().any(|&count| count != 0 && count != self.origins.len() + 1) {
            let message = format!("{place}: some samples have a label, this one has none of that kind");
            return Err(
                Diagnostic::error(Code::DATA_LABEL, message).help("give every sample a label, or none")
            );
        }
        self.origins.push(Origin {
            file: self.files.of(sample.file),
            position: sample.position,
            group: sample.group.map(|group| self.groups.of(group)),
            part: sample.part,
        });
        let digest = Sha256::digest(&self.bytes);
        let cut: [u8; 16] = digest[..16].try_into().expect("16 of 32 bytes");
        self.digests.push(u128::from_le_bytes(cut));
        self.writer.push_bytes(&self.bytes)
    }

    /// Fills `bytes`.
    fn encode(&mut self, sample: &Sample<'_>, place: &str) -> Result<(), Diagnostic> {
        self.bytes.clear();
        let (element, count) = match sample.values {
            Values::U8(values) => {
                self.bytes.extend_from_slice(values);
                (Element::U8, values.len())
            }
            Values::I16(values) => {
                self.bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
                (Element::I16, values.len())
            }
            Values::F32(values) => {
                if let Some(at) = values.iter().position(|x| x.is_nan() || x.abs() > limits::MAGNITUDE) {
                    let found = values[at];
                    let (code, what) = match found.is_nan() {
                        true => (Code::DATA_FORMAT, "is not a number".to_owned()),
                        false => (Code::DATA_LIMIT, format!("is {found}, beyond ±{:e}", limits::MAGNITUDE)),
                    };
                    let message = format!("{place}: value {} {what}", at + 1);
                    return Err(Diagnostic::error(code, message)
                        .help("mend the value, or leave the sample out: training takes finite numbers"));
                }
                self.bytes.extend(values.iter().flat_map(|x| x.to_le_bytes()));
                (Element::F32, values.len())
            }
        };
        assert_eq!(element, self.element, "samples of one kind");
        assert_eq!(count, sample.extents.iter().product::<usize>(), "extents of the values");
        Ok(())
    }

    fn extents_fit(&mut self, extents: [usize; 3], place: &str) -> Result<(), Diagnostic> {
        let values = extents.iter().product::<usize>();
        if values == 0 || values > limits::VALUES {
            let message =
                format!("{place}: a sample of {} values; 1 to {} are allowed", values, limits::VALUES);
            return Err(Diagnostic::error(Code::DATA_LIMIT, message));
        }
        let expected = *self.extents.get_or_insert(extents);
        if expected != extents {
            let message = format!(
                "{place}: the sample is {}, those before are {} (height or time, width, channels)",
                Shape::from(extents),
                Shape::from(expected)
            );
            return Err(Diagnostic::error(Code::DATA_SHAPE, message).help(
                "bring all samples to one shape; `data` has keys for that: `length`, `size`, `window`",
            ));
        }
        Ok(())
    }

    fn numbers_fit(&mut self, numbers: &[f32], place: &str) -> Result<(), Diagnostic> {
        if numbers.iter().any(|x| x.is_nan() || x.abs() > limits::MAGNITUDE) {
            let message = format!("{place}: a number to predict is not finite");
            return Err(
                Diagnostic::error(Code::DATA_FORMAT, message).help("mend it, or leave the sample out")
            );
        }
        if *self.n_numbers.get_or_insert(numbers.len()) != numbers.len() {
            let message = format!("{place}: {} numbers to predict, those before have others", numbers.len());
            return Err(Diagnostic::error(Code::DATA_LABEL, message));
        }
        self.numbers.extend_from_slice(numbers);
        Ok(())
    }

    /// All samples.
    ///
    /// # Errors
    /// E0702 if there is none; those of the table.
    pub fn finish(self) -> Result<Collection, Diagnostic> {
        let Some(extents) = self.extents else {
            return Err(Diagnostic::error(Code::DATA_FORMAT, "the data has no samples")
                .help("see whether `--data DIR` names the right folder; docs/data.md has the layouts"));
        };
        let (classes, order) = self.classes.ordered();
        let labels = self.labels.iter().map(|&label| order[label as usize]).collect();
        Ok(Collection {
            table: self.writer.finish()?,
            extents,
            labels,
            classes,
            numbers: self.numbers,
            origins: self.origins,
            files: self.files.list,
            groups: self.groups.list,
            digests: self.digests,
            rate: self.rate,
            are_windows: self.are_windows,
            warnings: self.warnings,
        })
    }
}

impl Classes {
    /// The classes in their order, and for each one the place that it has there.
    fn ordered(self) -> (Vec<String>, Vec<u32>) {
        let mut order: Vec<usize> = (0..self.names.list.len()).collect();
        let names = &self.names.list;
        if !self.declared {
            let numbers: Option<Vec<i64>> = names.iter().map(|name| name.parse().ok()).collect();
            match numbers {
                Some(numbers) => order.sort_by_key(|&index| numbers[index]),
                None => order.sort_by(|&a, &b| names[a].cmp(&names[b])),
            }
        }
        let mut places = vec![0u32; order.len()];
        for (place, &index) in order.iter().enumerate() {
            places[index] = u32::try_from(place).expect("limits::CLASSES fits");
        }
        (order.into_iter().map(|index| self.names.list[index].clone()).collect(), places)
    }
}

impl Collection {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }

    /// Numbers to predict of each sample.
    pub fn n_numbers(&self) -> usize {
        if self.is_empty() { 0 } else { self.numbers.len() / self.len() }
    }

    /// How messages call a sample.
    pub fn name(&self, sample: usize) -> String {
        let Origin { file, position, .. } = self.origins[sample];
        let file = &self.files[file as usize];
        if position == 0 { file.clone() } else { format!("{file}:{position}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample<'a>(values: &'a [f32], class: &'a str) -> Sample<'a> {
        Sample {
            values: Values::F32(values),
            extents: [values.len(), 1, 1],
            wanted: Wanted::Class(class),
            file: "a.csv",
            position: 3,
            group: None,
            part: None,
        }
    }

    #[test]
    fn classes_are_sorted_by_number_or_name_unless_declared() {
        let classes = |names: &[&str], declared: &[&str]| {
            let mut collector = Collector::new(Element::F32, None);
            if !declared.is_empty() {
                let declared: Vec<String> = declared.iter().map(ToString::to_string).collect();
                collector.declare(&declared).expect("good classes");
            }
            for (index, name) in names.iter().enumerate() {
                collector.push(sample(&[index as f32], name)).expect("a good sample");
            }
            let found = collector.finish().expect("samples");
            let labels: Vec<String> =
                found.labels.iter().map(|&label| found.classes[label as usize].clone()).collect();
            assert_eq!(labels, names, "labels follow their classes");
            found.classes
        };
        assert_eq!(classes(&["10", "2", "10"], &[]), ["2", "10"]);
        assert_eq!(classes(&["yes", "no"], &[]), ["no", "yes"]);
        assert_eq!(classes(&["no"], &["yes", "no"]), ["yes", "no"]);
    }

    #[test]
    fn bad_samples_are_named() {
        let mut collector = Collector::new(Element::F32, None);
        collector.push(sample(&[1.0, 2.0], "a")).expect("a good sample");
        for (values, class, code) in [
            (vec![f32::NAN, 0.0], "a", Code::DATA_FORMAT),
            (vec![f32::INFINITY, 0.0], "a", Code::DATA_LIMIT),
            (vec![1.0], "a", Code::DATA_SHAPE),
            (vec![1.0, 1.0], "", Code::DATA_LIMIT),
        ] {
            let error = collector.push(sample(&values, class)).expect_err("a bad sample");
            assert_eq!(error.code, code, "{}", error.message);
            assert!(error.message.contains("`a.csv`, sample 3"), "{}", error.message);
        }
        let unlabelled = Sample { wanted: Wanted::Nothing, ..sample(&[0.0, 0.0], "") };
        assert_eq!(collector.push(unlabelled).expect_err("no label").code, Code::DATA_LABEL);
    }
}
