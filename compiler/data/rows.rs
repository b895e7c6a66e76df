//! Tables as text: a header of names, then a row a line.
//!
//! In: text whose cells stand between `,`, `;` or tabs, quoted where they have to be. Out: row by row, cells by the
//! name of their column, as text or as numbers; problems worded with file, line and column. Memory holds one row.
//! Deliberately not done here: what the columns mean.

use std::io::{BufRead, BufReader, Chain, Cursor, Read};

use crate::data::limits;
use crate::data::place::unreadable;
use crate::diagnostic::{Code, Diagnostic, nearest};

/// Names that are longer are no slips of the pen, and comparing them takes long.
const NEAR_BYTES: usize = 64;

/// The rows of a table.
pub(super) struct Rows<R> {
    reader: ::csv::Reader<Bounded<R>>,
    name: String,
    header: Vec<String>,
    record: ::csv::ByteRecord,
    line: u64,
}

/// The first line, which was read to find the separator, the rest, and an end of line, so that all lines have one.
type Whole<R> = Chain<Chain<Cursor<Vec<u8>>, BufReader<R>>, &'static [u8]>;

/// Stops where one row has more than [`limits::LINE_BYTES`].
struct Bounded<R> {
    reader: Whole<R>,
    /// Bytes read since a row ended.
    bytes: u64,
    /// Whether the end was met.
    ended: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.bytes > limits::LINE_BYTES {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let n_read = self.reader.read(into)?;
        self.ended |= n_read == 0 && !into.is_empty();
        self.bytes += n_read as u64;
        Ok(n_read)
    }
}

/// Reads the header of the table in `text`, which messages call `name`. Without `separator`, it is the one of `,`,
/// `;` and tab that the first line has most often.
///
/// # Errors
/// E0702 for text without a header or with the same column twice, E0706 beyond a limit.
pub(super) fn open_rows<R: Read>(
    text: R,
    name: &str,
    separator: Option<char>,
) -> Result<Rows<R>, Diagnostic> {
    let mut text = BufReader::new(text);
    let mut first = Vec::new();
    let read = (&mut text).take(limits::LINE_BYTES + 1).read_until(b'\n', &mut first);
    read.map_err(|error| unreadable(name, &error))?;
    if first.len() as u64 > limits::LINE_BYTES {
        return Err(long_row(name, 1));
    }
    // Else the whole table would be one line.
    let is_text = std::str::from_utf8(&first).is_ok();
    if is_text && first.windows(2).any(|pair| pair[0] == b'\r' && !matches!(pair[1], b'\r' | b'\n')) {
        let message = format!("`{}`: the lines end in carriage returns alone", name.escape_debug());
        return Err(Diagnostic::error(Code::DATA_FORMAT, message)
            .help("save the table with the line ends of Unix or Windows"));
    }
    let separator = match separator {
        Some(given) => u8::try_from(given).ok().filter(u8::is_ascii).ok_or_else(|| {
            let message = format!("the separator `{}` is not one ASCII character", given.escape_debug());
            Diagnostic::error(Code::DATA_FORMAT, message).help("give `,`, `;` or a tab")
        })?,
        None => found_separator(&first),
    };
    let whole = Bounded { reader: Cursor::new(first).chain(text).chain(b"\n"), bytes: 0, ended: false };
    let reader = ::csv::ReaderBuilder::new()
        .delimiter(separator)
        // A carriage return goes with the blanks around a cell: counted as an end of its own, it shifts the lines.
        .terminator(::csv::Terminator::Any(b'\n'))
        .has_headers(false)
        .flexible(true)
        .from_reader(whole);
    let record = ::csv::ByteRecord::new();
    let mut rows = Rows { reader, name: name.to_owned(), header: Vec::new(), record, line: 0 };
    rows.read_header()?;
    Ok(rows)
}

fn found_separator(line: &[u8]) -> u8 {
    let mut counts = [(b',', 0usize), (b';', 0), (b'\t', 0)];
    let mut quoted = false;
    for &byte in line {
        quoted ^= byte == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(byte == *separator && !quoted);
        }
    }
    // The first one of the most frequent.
    let most = counts.iter().map(|&(_, count)| count).max().unwrap_or(0);
    counts.iter().find(|&&(_, count)| count == most).map_or(b',', |&(separator, _)| separator)
}

fn long_row(name: &str, line: u64) -> Diagnostic {
    let name = name.escape_debug();
    let limit = limits::LINE_BYTES >> 20;
    Diagnostic::error(Code::DATA_LIMIT, format!("`{name}`, line {line}: the row is longer than {limit} MiB"))
        .help("is a quote not closed, or is this no table?")
}

impl<R: Read> Rows<R> {
    fn read_header(&mut self) -> Result<(), Diagnostic> {
        if !self.next_record()? {
            let message = format!("`{}` is empty", self.name.escape_debug());
            return Err(Diagnostic::error(Code::DATA_FORMAT, message)
                .help("the first line of a table names its columns"));
        }
        if self.record.len() > limits::CHANNELS {
            let text = format!("{} columns; at most {} are read", self.record.len(), limits::CHANNELS);
            return Err(self.at_line(Code::DATA_LIMIT, text).help("is this the transposed table?"));
        }
        let header: Result<Vec<String>, Diagnostic> =
            (0..self.record.len()).map(|column| self.cell(column).map(str::to_owned)).collect();
        self.header = header?;
        let mut sorted: Vec<&String> = self.header.iter().collect();
        sorted.sort();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            let text = format!("the column `{}` is there twice", twice[0].escape_debug());
            return Err(self.at_line(Code::DATA_FORMAT, text).help("name each column once"));
        }
        Ok(())
    }

    /// Goes to the next row; `false` after the last one.
    ///
    /// # Errors
    /// E0702 for a row that has not as many cells as the header, E0706 beyond a limit.
    pub(super) fn next(&mut self) -> Result<bool, Diagnostic> {
        if !self.next_record()? {
            return Ok(false);
        }
        if self.record.len() != self.header.len() {
            let text =
                format!("the row has {} cells, the header has {}", self.record.len(), self.header.len());
            return Err(self.at_line(Code::DATA_FORMAT, text).help("mend the row, or set `separator`"));
        }
        Ok(true)
    }

    /// Goes to the next row that is not blank.
    fn next_record(&mut self) -> Result<bool, Diagnostic> {
        loop {
            self.reader.get_mut().bytes = 0;
            let before = self.reader.position().line();
            let read =
                self.reader.read_byte_record(&mut self.record).map_err(|error| match error.into_kind() {
                    ::csv::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                        long_row(&self.name, before)
                    }
                    ::csv::ErrorKind::Io(error) => unreadable(&self.name, &error),
                    other => {
                        let message = format!("`{}`, line {before}: {other:?}", self.name.escape_debug());
                        Diagnostic::error(Code::DATA_FORMAT, message)
                    }
                })?;
            // The reader stands behind the end of the row's last line; quoted cells may hold further ends.
            let inside = self.record.iter().flatten().filter(|&&byte| byte == b'\n').count() as u64;
            // All lines have an end, so a row that goes on to the end of the file has a quote that is not closed.
            let is_open = read && self.reader.get_ref().ended;
            self.line = self.reader.position().line().saturating_sub(u64::from(!is_open) + inside);
            if is_open {
                let text = "the row has a quote that is not closed";
                return Err(self
                    .at_line(Code::DATA_FORMAT, text)
                    .help("close it, or write `\"\"` for a quote"));
            }
            let blank = self.record.len() == 1 && self.record[0].trim_ascii().is_empty();
            if !read || !blank {
                return Ok(read);
            }
        }
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The name that messages use.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Where the column `name` is, if there is one.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|column| column == name)
    }

    /// Where the column `name` is.
    ///
    /// # Errors
    /// E0702 if there is none.
    pub(super) fn column(&self, name: &str) -> Result<usize, Diagnostic> {
        self.find(name).ok_or_else(|| {
            let message = format!("`{}` has no column `{}`", self.name.escape_debug(), name.escape_debug());
            let short = self.header.iter().map(String::as_str).filter(|known| known.len() <= NEAR_BYTES);
            let near = if name.len() <= NEAR_BYTES { nearest(name, short.clone()) } else { None };
            let error = Diagnostic::error(Code::DATA_FORMAT, message);
            match near {
                Some(near) => error.help(format!("did you mean `{}`?", near.escape_debug())),
                None => {
                    let known: Vec<String> =
                        short.take(20).map(|known| format!("`{}`", known.escape_debug())).collect();
                    error.help(format!("its columns are {}", known.join(", ")))
                }
            }
        })
    }

    /// The line that the row starts in, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// An error in this row.
    pub(super) fn at_line(&self, code: Code, text: impl std::fmt::Display) -> Diagnostic {
        let message = format!("`{}`, line {}: {text}", self.name.escape_debug(), self.line());
        Diagnostic::error(code, message)
    }

    /// The text of a cell, without the blanks around it.
    ///
    /// # Errors
    /// E0702 for what is no UTF-8.
    pub(super) fn cell(&self, column: usize) -> Result<&str, Diagnostic> {
        match std::str::from_utf8(self.record.get(column).unwrap_or_default()) {
            Ok(text) => Ok(text.trim()),
            Err(_) => {
                let text = format!("column {} is not UTF-8 text", column + 1);
                Err(self.at_line(Code::DATA_FORMAT, text).help("save the table as UTF-8"))
            }
        }
    }

    /// The number in a cell; `None` where there is other text.
    ///
    /// # Errors
    /// E0702 for a missing value: an empty cell, `nan`, `na`, `null` or `?`. E0706 for one beyond
    /// [`limits::MAGNITUDE`].
    pub(super) fn number(&self, column: usize) -> Result<Option<f32>, Diagnostic> {
        let text = self.cell(column)?;
        let missing = ["", "?", "nan", "na", "null"].iter().any(|known| text.eq_ignore_ascii_case(known));
        let value = text.parse::<f32>();
        if missing || value.as_ref().is_ok_and(|value| value.is_nan()) {
            let text = format!("the value of the column `{}` is missing", self.header[column].escape_debug());
            return Err(self
                .at_line(Code::DATA_FORMAT, text)
                .help("fill the gap, or leave the row out: training takes finite numbers"));
        }
        let Ok(value) = value else { return Ok(None) };
        if value.abs() > limits::MAGNITUDE {
            let text = format!(
                "the value of the column `{}` is beyond ±{:e}",
                self.header[column].escape_debug(),
                limits::MAGNITUDE
            );
            return Err(self.at_line(Code::DATA_LIMIT, text).help("use a larger unit"));
        }
        Ok(Some(value))
    }
}

#[cfg(test)]
mod tests;
