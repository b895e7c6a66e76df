//! The `.ts` text format of aeon and sktime: time series with class labels.
//!
//! In: one file for training, one for testing. Out: samples `[T, 1, C]`: time is the height, the width is 1,
//! the variables are the channels. A header of `@` lines ends with `@data`; then each line is a sample,
//! channels separated by `:`, values by `,`, the label last. Lines that start with `#` and empty lines are
//! skipped, header lines that describe something else are ignored. Deliberately not done: time stamps,
//! regression targets, missing values and series of unequal length; each is an error that says so.
//!
//! Source  "The ts file format", aeon 1.6 documentation; checked with JapaneseVowels.

use std::io::BufRead;
use std::path::Path;

use crate::data::collect::{Collector, Part, Sample, Values, Wanted};
use crate::data::dataset::Dataset;
use crate::data::place::{Lines, at_line, confine, open};
use crate::data::table::{Element, Table};
use crate::data::{Reader, limits};
use crate::diagnostic::{Code, Diagnostic};
use crate::tensor::Shape;

/// `ts(train: "...", test: "...")`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ts {
    /// File to train and validate on, relative to the root.
    pub train: String,
    /// File to test on, relative to the root.
    pub test: String,
}

impl Reader for Ts {
    fn element(&self, _: &Path) -> Result<Element, Diagnostic> {
        Ok(Element::F32)
    }

    fn inputs(&self, _: &Path) -> Result<Vec<String>, Diagnostic> {
        Ok(vec![self.train.clone(), self.test.clone()])
    }

    fn read(&self, root: &Path, into: &mut Collector) -> Result<(), Diagnostic> {
        let train = parse(open(&confine(root, &self.train)?)?)?;
        let test = parse(open(&confine(root, &self.test)?)?)?;
        fits(&train, &test, [&self.train, &self.test])?;
        into.declare(&train.classes)?;
        for (series, file, part) in [(&train, &self.train, Part::Train), (&test, &self.test, Part::Test)] {
            for (number, (sample, &label)) in (1..).zip(series.samples().zip(&series.labels)) {
                into.push(Sample {
                    values: Values::F32(sample),
                    extents: [series.length, 1, series.channels],
                    wanted: Wanted::Class(&series.classes[label as usize]),
                    file,
                    position: number,
                    group: None,
                    part: Some(part),
                })?;
            }
        }
        Ok(())
    }
}

/// The samples of one file.
#[derive(Debug)]
struct TimeSeries {
    length: usize,
    channels: usize,
    /// Sample by sample, channels innermost.
    values: Vec<f32>,
    labels: Vec<u32>,
    classes: Vec<String>,
}

impl TimeSeries {
    fn samples(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.length * self.channels)
    }
}

/// E0703 if a class is declared in one of the files only, E0705 if the samples have different shapes.
fn fits(train: &TimeSeries, test: &TimeSeries, names: [&str; 2]) -> Result<(), Diagnostic> {
    let shape = |series: &TimeSeries| Shape::from([series.length, 1, series.channels]);
    if shape(train) != shape(test) {
        let message = format!(
            "samples of `{}` have the shape {}, those of `{}` have {}",
            names[1],
            shape(test),
            names[0],
            shape(train)
        );
        return Err(Diagnostic::error(Code::DATA_SHAPE, message)
            .help("bring both files to one shape [time, 1, channels]"));
    }
    for (from, of, has, lacks) in [(train, test, names[0], names[1]), (test, train, names[1], names[0])] {
        if let Some(class) = from.classes.iter().find(|class| !of.classes.contains(class)) {
            let message =
                format!("the label `{}` is declared in `{has}` but not in `{lacks}`", class.escape_debug());
            return Err(
                Diagnostic::error(Code::DATA_LABEL, message).help("declare the same labels in both files")
            );
        }
    }
    Ok(())
}

/// Reads one `.ts` text; messages call it `name`.
///
/// # Errors
/// E0702 with the line where the text is not of the format, E0703 for a label that was not declared, E0705
/// for samples of different extents, E0706 beyond a limit of [`limits`].
pub fn read_ts(text: impl BufRead, name: &str) -> Result<Dataset, Diagnostic> {
    let series = parse(Lines::new(text, name.to_owned()))?;
    let extents = [series.length, 1, series.channels];
    let table = Table::from_floats(series.length * series.channels, &series.values);
    Ok(Dataset::new(table, extents, series.labels, series.classes, Vec::new()))
}

fn parse(mut lines: Lines<impl BufRead>) -> Result<TimeSeries, Diagnostic> {
    let header = Header::read(&mut lines)?;
    let mut samples = Samples { header, channels: 0, length: 0, values: Vec::new(), labels: Vec::new() };
    let mut row = Vec::new();
    let name = lines.name().to_owned();
    loop {
        let number = lines.number() + 1;
        let Some(line) = lines.next_line()? else { break };
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            samples.push(line, &mut row).map_err(|Problem { code, text, help }| {
                let diagnostic = at_line(code, &name, number, text);
                help.into_iter().fold(diagnostic, Diagnostic::help)
            })?;
        }
    }
    samples.finish(&name)
}

/// What is wrong with a line; the caller knows which line it is.
struct Problem {
    code: Code,
    text: String,
    help: Option<String>,
}

fn problem(code: Code, text: impl Into<String>) -> Problem {
    Problem { code, text: text.into(), help: None }
}

impl Problem {
    fn help(self, text: impl Into<String>) -> Problem {
        Problem { help: Some(text.into()), ..self }
    }
}

#[derive(Default)]
struct Header {
    classes: Vec<String>,
    /// `@univariate true` gives 1, `@dimensions n` gives n.
    channels: Option<usize>,
    length: Option<usize>,
}

impl Header {
    fn read(lines: &mut Lines<impl BufRead>) -> Result<Header, Diagnostic> {
        let mut header = Header::default();
        let name = lines.name().to_owned();
        loop {
            let number = lines.number() + 1;
            let Some(line) = lines.next_line()? else {
                let message = format!("`{name}` has no `@data` line");
                return Err(Diagnostic::error(Code::DATA_FORMAT, message)
                    .help("a `.ts` file is a header of `@` lines, `@data`, and one sample a line"));
            };
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let done = header.line(line).map_err(|Problem { code, text, help }| {
                help.into_iter().fold(at_line(code, &name, number, text), Diagnostic::help)
            })?;
            if done {
                return Ok(header);
            }
        }
    }

    /// Takes one header line; true for the last one, `@data`.
    fn line(&mut self, line: &str) -> Result<bool, Problem> {
        let mut words = line.split_whitespace();
        let key = words.next().unwrap_or_default().to_ascii_lowercase();
        match key.as_str() {
            "@data" if self.classes.is_empty() => {
                return Err(problem(Code::DATA_LABEL, "no `@classLabel` line comes before `@data`")
                    .help("nasc classifies: declare the labels with `@classLabel true NAME NAME ...`"));
            }
            "@data" => return Ok(true),
            "@classlabel" => self.class_label(words)?,
            "@targetlabel" if flag(&key, words.next())? => return Err(regression()),
            "@timestamps" if flag(&key, words.next())? => {
                return Err(problem(Code::DATA_FORMAT, "series with time stamps are not read")
                    .help("write the values alone, at equal distances in time"));
            }
            "@univariate" if flag(&key, words.next())? => self.channels = Some(1),
            "@dimensions" | "@dimension" => {
                self.channels = Some(extent(&key, words.next(), limits::CHANNELS)?);
            }
            "@serieslength" => self.length = Some(extent(&key, words.next(), limits::VALUES)?),
            _ if key.starts_with('@') => {}
            _ => {
                return Err(problem(Code::DATA_FORMAT, "a header line starts with `@`")
                    .help("samples come after a line `@data`"));
            }
        }
        Ok(false)
    }

    fn class_label<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) -> Result<(), Problem> {
        if !flag("@classlabel", words.next())? {
            return Err(regression());
        }
        for class in words {
            if self.classes.iter().any(|known| known == class) {
                let text = format!("the label `{}` is declared twice", class.escape_debug());
                return Err(problem(Code::DATA_LABEL, text));
            }
            if self.classes.len() == limits::CLASSES {
                return Err(problem(
                    Code::DATA_LIMIT,
                    format!("there are more than {} labels", limits::CLASSES),
                ));
            }
            if class.len() > limits::CLASS_NAME_BYTES {
                let text = format!("a label is longer than {} bytes", limits::CLASS_NAME_BYTES);
                return Err(problem(Code::DATA_LIMIT, text));
            }
            self.classes.push(class.to_owned());
        }
        match self.classes.len() {
            0 => Err(problem(Code::DATA_LABEL, "`@classLabel true` names no labels")
                .help("list them: `@classLabel true NAME NAME ...`")),
            _ => Ok(()),
        }
    }
}

fn regression() -> Problem {
    problem(Code::DATA_LABEL, "the samples have no class labels")
        .help("nasc classifies: declare the labels with `@classLabel true NAME NAME ...`")
}

fn flag(key: &str, word: Option<&str>) -> Result<bool, Problem> {
    match word.map(str::to_ascii_lowercase).as_deref() {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(problem(Code::DATA_FORMAT, format!("after `{key}` comes `true` or `false`"))),
    }
}

fn extent(key: &str, word: Option<&str>, limit: usize) -> Result<usize, Problem> {
    match word.and_then(|word| word.parse::<usize>().ok()) {
        Some(extent @ 1..) if extent <= limit => Ok(extent),
        Some(1..) => Err(problem(Code::DATA_LIMIT, format!("`{key}` is more than {limit}"))),
        _ => Err(problem(Code::DATA_FORMAT, format!("after `{key}` comes a number from 1 on"))),
    }
}

/// The samples read so far; `channels` and `length` are those of the first one, 0 before it.
struct Samples {
    header: Header,
    channels: usize,
    length: usize,
    values: Vec<f32>,
    labels: Vec<u32>,
}

impl Samples {
    /// Takes one line; `row` is scratch for its values, channel by channel.
    fn push(&mut self, line: &str, row: &mut Vec<f32>) -> Result<(), Problem> {
        let Some((series, label)) = line.rsplit_once(':') else {
            return Err(problem(Code::DATA_FORMAT, "there is no `:` before the label")
                .help("a line is channels separated by `:`, the label last"));
        };
        if self.labels.len() == limits::SAMPLES {
            return Err(problem(
                Code::DATA_LIMIT,
                format!("there are more than {} samples", limits::SAMPLES),
            ));
        }
        let label = self.label(label.trim())?;
        let (channels, length) = self.channels(series, row)?;
        self.check_extents(channels, length)?;
        for time in 0..length {
            self.values.extend((0..channels).map(|channel| row[channel * length + time]));
        }
        self.labels.push(label);
        Ok(())
    }

    fn label(&self, word: &str) -> Result<u32, Problem> {
        let Some(index) = self.header.classes.iter().position(|class| class == word) else {
            let text = format!("the label `{}` is not declared", word.escape_debug());
            let known =
                self.header.classes.iter().take(20).map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(problem(Code::DATA_LABEL, text).help(format!("`@classLabel` declares {known}")));
        };
        Ok(u32::try_from(index).expect("limits::CLASSES fits"))
    }

    /// Fills `row` and gives the number of channels and their length.
    fn channels(&self, series: &str, row: &mut Vec<f32>) -> Result<(usize, usize), Problem> {
        row.clear();
        let (mut channels, mut length) = (0, 0);
        for channel in series.split(':') {
            channels += 1;
            if channels > limits::CHANNELS {
                let text = format!("the sample has more than {} channels", limits::CHANNELS);
                return Err(problem(Code::DATA_LIMIT, text));
            }
            let before = row.len();
            for (index, word) in channel.split(',').enumerate() {
                row.push(value(word.trim(), channels, index + 1)?);
            }
            let found = row.len() - before;
            if channels > 1 && found != length {
                let text = format!("channel {channels} has {found} values, channel 1 has {length}");
                return Err(problem(Code::DATA_SHAPE, text).help("give all channels of a sample one length"));
            }
            length = found;
        }
        if self.values.len().saturating_add(row.len()) > limits::VALUES {
            return Err(problem(Code::DATA_LIMIT, format!("there are more than {} values", limits::VALUES)));
        }
        Ok((channels, length))
    }

    fn check_extents(&mut self, channels: usize, length: usize) -> Result<(), Problem> {
        if self.labels.is_empty() {
            let declared = self.header.channels.unwrap_or(channels);
            if declared != channels {
                let text = format!("the sample has {channels} channels, the header declares {declared}");
                return Err(problem(Code::DATA_SHAPE, text)
                    .help("correct `@dimensions`, or write the channels separated by `:`"));
            }
            let declared = self.header.length.unwrap_or(length);
            if declared != length {
                let text = format!("the sample has {length} values a channel, `@seriesLength` is {declared}");
                return Err(problem(Code::DATA_SHAPE, text));
            }
            (self.channels, self.length) = (channels, length);
        }
        if channels != self.channels {
            let text = format!("the sample has {channels} channels, the first one has {}", self.channels);
            return Err(problem(Code::DATA_SHAPE, text).help("every sample has the same channels"));
        }
        if length != self.length {
            let text = format!("the sample has {length} values a channel, the first one has {}", self.length);
            return Err(problem(Code::DATA_SHAPE, text)
                .help("a network takes one shape: pad, cut or resample the series to one length"));
        }
        Ok(())
    }

    fn finish(self, name: &str) -> Result<TimeSeries, Diagnostic> {
        if self.labels.is_empty() {
            let message = format!("`{name}` has no samples after `@data`");
            return Err(Diagnostic::error(Code::DATA_FORMAT, message).help("the file may be cut short"));
        }
        let Samples { header, channels, length, values, labels } = self;
        Ok(TimeSeries { length, channels, values, labels, classes: header.classes })
    }
}

fn value(word: &str, channel: usize, index: usize) -> Result<f32, Problem> {
    let place = format!("value {index} of channel {channel}");
    if word == "?" || word.eq_ignore_ascii_case("nan") {
        return Err(problem(Code::DATA_FORMAT, format!("{place} is missing (`{word}`)"))
            .help("fill in missing values, or leave the sample out"));
    }
    let Ok(number) = word.parse::<f32>() else {
        let shown: String = word.chars().take(40).collect();
        return Err(problem(Code::DATA_FORMAT, format!("{place}, `{}`, is no number", shown.escape_debug()))
            .help("values are decimal numbers with a point, separated by `,`"));
    };
    if number.is_nan() || number.abs() > limits::MAGNITUDE {
        let shown: String = word.chars().take(40).collect();
        let text = format!("{place}, `{shown}`, is beyond {:e}", limits::MAGNITUDE);
        return Err(problem(Code::DATA_LIMIT, text).help("scale the values to a sensible unit"));
    }
    Ok(number)
}
