//! Tables of numbers as text: a row is a sample, or a moment of a recording that is cut into windows.
//!
//! In: a `.csv` file, plain or gzip, or a folder or archive of them. Out: samples `[1, 1, C]`, or `[T, 1, C]` with
//! `window`, whose channels are the columns; a class, numbers to predict, or normal and anomalous. Windows never reach
//! from one file, or one group, into another. Deliberately not done here: text as input, dates, filling gaps; each is
//! an error that says so.

use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use crate::data::bytes::{open, parts};
use crate::data::collect::{Collector, Part, Sample, Values, Wanted};
use crate::data::entries;
use crate::data::rows::{Rows, open_rows};
use crate::data::table::Element;
use crate::data::windows::{Cutter, Windows, majority};
use crate::data::{Reader, limits};
use crate::diagnostic::{Code, Diagnostic};

/// The classes of data with anomalies, in the order of the network's outputs.
const NORMAL: &str = "normal";
const ANOMALY: &str = "anomaly";
/// Columns that a message lists.
const SHOWN: usize = 20;

/// Tables of numbers. `train` and `test` each name a file (`.csv`, `.csv.gz`), or a folder or archive (`.tar`,
/// `.tar.gz`, `.tgz`) of which every `.csv` file is read, or a folder inside an archive: `pump.tar.gz/valve`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Csv {
    /// What to train on, below the root.
    pub train: String,
    /// What to test on, below the root; without it shares of `train` are.
    pub test: Option<String>,
    /// The column of the class. The class of a window is that of most of its rows; of several, the one that comes last.
    pub label: Option<String>,
    /// The columns that are channels, in this order. Without it all but those of label, targets and group, in the
    /// order of the first file.
    pub columns: Option<Vec<String>>,
    /// The columns to predict; of a window, its last row counts.
    pub targets: Vec<String>,
    /// Rows of a window.
    pub window: Option<usize>,
    /// Rows from one window to the next; without it windows follow one another.
    pub hop: Option<usize>,
    /// The column that says what a row belongs to: its subject, its recording. Without it, windows of one file of a
    /// folder or archive belong together.
    pub group: Option<String>,
    /// What stands between cells; without it the one of `,`, `;` and tab that the header has most often.
    pub separator: Option<char>,
    /// The value of the column `label` that is normal; the classes become "normal" and "anomaly". A window is
    /// anomalous if any of its rows is. Files without that column are normal. Nothing anomalous is in the part for
    /// training.
    pub normal: Option<String>,
}

impl Reader for Csv {
    fn element(&self, _: &Path) -> Result<Element, Diagnostic> {
        Ok(Element::F32)
    }

    fn inputs(&self, root: &Path) -> Result<Vec<String>, Diagnostic> {
        let mut files = Vec::new();
        for (_, name) in parts(&self.train, self.test.as_ref()) {
            let (source, _) = folder_in_archive(name);
            match entries::exists(root, source) {
                true => files.extend(entries::list(root, source)?),
                false => {
                    open(root, name)?;
                    files.push(name.clone());
                }
            }
        }
        files.dedup();
        Ok(files)
    }

    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic> {
        self.check()?;
        if self.normal.is_some() {
            into.declare(&[NORMAL.to_owned(), ANOMALY.to_owned()])?;
        }
        let cutter = self.window.map(|window| Cutter::new(window, self.hop)).transpose()?;
        if cutter.is_some() {
            into.set_windows();
        }
        let mut reading = Reading { spec: self, cutter, columns: None, left_out: 0, short: Vec::new() };
        for (part, name) in parts(&self.train, self.test.as_ref()) {
            reading.source(root, name, part, into)?;
        }
        reading.warn(into);
        Ok(())
    }
}

/// An archive and the folder in it, where `name` is of that form.
fn folder_in_archive(name: &str) -> (&str, Option<&str>) {
    let cut = [".tar/", ".tar.gz/", ".tgz/"].iter().find_map(|ending| {
        let at = name.find(ending)? + ending.len();
        Some((&name[..at - 1], name[at..].trim_matches('/')))
    });
    match cut {
        Some((archive, folder)) if !folder.is_empty() => (archive, Some(folder)),
        Some((archive, _)) => (archive, None),
        None => (name, None),
    }
}

impl Csv {
    fn check(&self) -> Result<(), Diagnostic> {
        let given = self.columns.iter().flatten();
        let problem = if self.label.is_some() && !self.targets.is_empty() {
            "`label` and `targets` are both given: a sample has a class or numbers to predict"
        } else if self.normal.is_some() && self.label.is_none() {
            "`normal` is a value of the column `label`, and none is named"
        } else if self.columns.as_ref().is_some_and(Vec::is_empty) {
            "`columns` names no column"
        } else if self.label.iter().any(|label| given.clone().any(|column| column == label)) {
            "the column of the label is among `columns`: the network would be told what it has to find"
        } else if given
            .clone()
            .enumerate()
            .any(|(at, name)| given.clone().take(at).any(|other| other == name))
        {
            "`columns` names a column twice"
        } else {
            return Ok(());
        };
        Err(Diagnostic::error(Code::DATA_LABEL, problem)
            .help("leave one of both out, or give what is missing"))
    }
}

/// Where the columns of one file are.
struct Places {
    channels: Vec<usize>,
    label: Option<usize>,
    targets: Vec<usize>,
    group: Option<usize>,
}

/// What is kept of a row until its window is full.
struct Mark {
    line: u64,
    class: Option<Rc<str>>,
}

/// One file.
struct Origin<'a> {
    file: &'a str,
    part: Option<Part>,
    /// The group of its samples where no column says it.
    group: Option<&'a str>,
}

struct Reading<'a> {
    spec: &'a Csv,
    cutter: Option<Cutter>,
    /// The channels, known from the first file on.
    columns: Option<Vec<String>>,
    /// Anomalous samples that are not trained on.
    left_out: usize,
    /// Files that have no window.
    short: Vec<String>,
}

impl Reading<'_> {
    fn source(
        &mut self,
        root: &Path,
        name: &str,
        part: Option<Part>,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let (source, folder) = folder_in_archive(name);
        if !entries::exists(root, source) {
            let text = open(root, name)?.into_reader();
            return self.table(text, &Origin { file: name, part, group: None }, into);
        }
        let mut n_files = 0;
        entries::walk(root, source, &mut |entry| {
            let inside = folder.is_none_or(|folder| {
                entry.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
            });
            if !inside || !entry.path.to_ascii_lowercase().ends_with(".csv") {
                return Ok(());
            }
            n_files += 1;
            let file = entry.file();
            let group = self.cutter.map(|_| file.as_str());
            self.table(entry.read()?, &Origin { file: &file, part, group }, into)
        })?;
        if n_files == 0 {
            let message = format!("`{}` has no `.csv` file", name.escape_debug());
            return Err(Diagnostic::error(Code::DATA_MISSING, message)
                .help("name a `.csv` file, or a folder or archive that holds some"));
        }
        Ok(())
    }

    fn table<R: Read>(
        &mut self,
        text: R,
        origin: &Origin<'_>,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let mut rows = open_rows(text, origin.file, self.spec.separator)?;
        let places = self.places(&rows)?;
        let mut windows = self.cutter.map(Windows::new);
        let (mut values, mut targets) = (Vec::new(), Vec::new());
        let (mut group, mut class): (Option<String>, Option<Rc<str>>) = (None, None);
        let before = into.len() + self.left_out;
        while rows.next()? {
            self.numbers(&rows, &places.channels, &mut values)?;
            self.numbers(&rows, &places.targets, &mut targets)?;
            self.class(&rows, &places, &mut class)?;
            let named = places.group.map(|column| rows.cell(column)).transpose()?;
            if group.as_deref() != named {
                group = named.map(str::to_owned);
                windows.iter_mut().for_each(Windows::restart);
            }
            let mark = Mark { line: rows.line(), class: class.clone() };
            let window = match &mut windows {
                None => Some((&values[..], std::slice::from_ref(&mark))),
                Some(windows) => windows.push(&values, mark),
            };
            let Some((values, marks)) = window else { continue };
            let about = (group.as_deref(), &targets[..]);
            self.push(values, marks, about, origin, into)?;
        }
        if into.len() + self.left_out == before {
            self.short.push(origin.file.to_owned());
        }
        Ok(())
    }

    fn places<R: Read>(&mut self, rows: &Rows<R>) -> Result<Places, Diagnostic> {
        let spec = self.spec;
        let label = match &spec.label {
            Some(label) if spec.normal.is_some() => rows.find(label),
            Some(label) => Some(rows.column(label)?),
            None => None,
        };
        let group = spec.group.as_ref().map(|group| rows.column(group)).transpose()?;
        let targets: Result<Vec<usize>, _> = spec.targets.iter().map(|name| rows.column(name)).collect();
        let other = |name: &&String| {
            ![&spec.label, &spec.group].into_iter().flatten().chain(&spec.targets).any(|known| known == *name)
        };
        let columns = match (&spec.columns, &self.columns) {
            (Some(given), _) => given.clone(),
            (None, Some(first)) => {
                if let Some(more) = rows.header().iter().filter(other).find(|name| !first.contains(name)) {
                    let text = format!("the column `{}` is not in the files before", more.escape_debug());
                    return Err(rows.at_line(Code::DATA_SHAPE, text).help(columns_help(first.iter())));
                }
                first.clone()
            }
            (None, None) => rows.header().iter().filter(other).cloned().collect(),
        };
        let channels: Result<Vec<usize>, _> = columns.iter().map(|name| rows.column(name)).collect();
        let channels = channels?;
        let length = self.cutter.map_or(1, |cutter| cutter.length);
        if channels.is_empty() || channels.len().saturating_mul(length) > limits::VALUES {
            let text = format!(
                "{} columns and windows of {length} rows; 1 to {} values are allowed",
                channels.len(),
                limits::VALUES
            );
            return Err(rows.at_line(Code::DATA_LIMIT, text).help("change `columns` or `window`"));
        }
        self.columns = Some(columns);
        Ok(Places { channels, label, targets: targets?, group })
    }

    fn numbers<R: Read>(
        &self,
        rows: &Rows<R>,
        columns: &[usize],
        into: &mut Vec<f32>,
    ) -> Result<(), Diagnostic> {
        into.clear();
        for &column in columns {
            match rows.number(column)? {
                Some(number) => into.push(number),
                None => return Err(self.no_number(rows, columns, column)),
            }
        }
        Ok(())
    }

    fn no_number<R: Read>(&self, rows: &Rows<R>, columns: &[usize], column: usize) -> Diagnostic {
        let cell: String = rows.cell(column).unwrap_or_default().chars().take(40).collect();
        let text = format!(
            "the value `{}` of the column `{}` is no number",
            cell.escape_debug(),
            rows.header()[column].escape_debug()
        );
        let error = rows.at_line(Code::DATA_FORMAT, text);
        if self.spec.columns.is_some() {
            return error.help("mend the value, or leave the column out of `columns`");
        }
        let numeric = columns.iter().filter(|&&other| matches!(rows.number(other), Ok(Some(_))));
        error.help(columns_help(numeric.map(|&other| &rows.header()[other])))
    }

    /// Puts the class of the row into `class`, which holds that of the row before.
    fn class<R: Read>(
        &self,
        rows: &Rows<R>,
        places: &Places,
        class: &mut Option<Rc<str>>,
    ) -> Result<(), Diagnostic> {
        let found = match (places.label, &self.spec.normal) {
            (None, None) => return Ok(()),
            (None, Some(_)) => NORMAL,
            (Some(column), normal) => {
                let text = rows.cell(column)?;
                if text.is_empty() {
                    let column = rows.header()[column].escape_debug();
                    let text = format!("sample without label: the column `{column}` is empty");
                    return Err(rows.at_line(Code::DATA_LABEL, text).help("label the row, or leave it out"));
                }
                match normal {
                    None => text,
                    Some(normal) if is_same(text, normal) => NORMAL,
                    Some(_) => ANOMALY,
                }
            }
        };
        if class.as_deref() != Some(found) {
            *class = Some(Rc::from(found));
        }
        Ok(())
    }

    fn push(
        &mut self,
        values: &[f32],
        marks: &[Mark],
        (group, targets): (Option<&str>, &[f32]),
        origin: &Origin<'_>,
        into: &mut Collector,
    ) -> Result<(), Diagnostic> {
        let mut classes = marks.iter().filter_map(|mark| mark.class.as_deref());
        let class = match self.spec.normal {
            Some(_) if classes.any(|class| class == ANOMALY) => Some(ANOMALY),
            Some(_) => Some(NORMAL),
            None => majority(classes),
        };
        if origin.part == Some(Part::Train) && self.spec.normal.is_some() && class == Some(ANOMALY) {
            self.left_out += 1;
            return Ok(());
        }
        let wanted = match class {
            Some(class) => Wanted::Class(class),
            None if !targets.is_empty() => Wanted::Numbers(targets),
            None => Wanted::Nothing,
        };
        into.push(Sample {
            values: Values::F32(values),
            extents: [marks.len(), 1, values.len() / marks.len()],
            wanted,
            file: origin.file,
            position: marks.first().map_or(0, |mark| mark.line),
            group: group.or(origin.group),
            part: origin.part,
        })
    }

    fn warn(self, into: &mut Collector) {
        if self.left_out > 0 {
            let message = format!("{} anomalous samples of `train` are left out of training", self.left_out);
            into.warn(
                Diagnostic::warning(Code::DATA_LABEL, message)
                    .note("a detector of anomalies is trained on what is normal"),
            );
        }
        if let Some(first) = self.short.first() {
            let first = first.escape_debug();
            let message = match (self.short.len(), self.cutter) {
                (n, Some(cutter)) => {
                    format!("{n} files have no window of {} rows, the first is `{first}`", cutter.length)
                }
                (n, None) => format!("{n} files have no rows, the first is `{first}`"),
            };
            into.warn(Diagnostic::warning(Code::DATA_SHAPE, message).help("use a smaller `window`"));
        }
    }
}

/// Whether two texts are the same, or the same number.
fn is_same(a: &str, b: &str) -> bool {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    a == b || number(a).is_some_and(|a| number(b) == Some(a))
}

fn columns_help<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<String> = names.take(SHOWN).map(|name| format!("\"{}\"", name.escape_debug())).collect();
    format!("say which columns to use: `columns: [{}]`", names.join(", "))
}

#[cfg(test)]
mod tests;
