//! Source files and places in them.
//!
//! In: names and texts. Out: [`Span`]s that any later stage can carry, and line and column of a place.
//! Not done here: reading files (the caller hands the text in).

/// A file of a [`SourceMap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// A range of bytes in one file, end exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The smallest span that holds both, which must be of one file.
    pub fn to(self, other: Span) -> Span {
        debug_assert_eq!(self.file, other.file, "spans of one file");
        Span { file: self.file, start: self.start.min(other.start), end: self.end.max(other.end) }
    }
}

/// A line and a column, both from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

#[derive(Clone, Debug)]
struct File {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

/// All texts of one compilation: the spec and what it uses of stdlib.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    files: Vec<File>,
}

impl SourceMap {
    /// An empty map.
    pub fn new() -> SourceMap {
        SourceMap::default()
    }

    /// Adds a file under the name that messages print. A byte order mark, which some editors write, is no text.
    pub fn add(&mut self, name: impl Into<String>, text: impl Into<String>) -> FileId {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.drain(..'\u{feff}'.len_utf8());
        }
        let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.files.push(File { name: name.into(), text, line_starts });
        FileId(u32::try_from(self.files.len() - 1).expect("limits keep the number of files small"))
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].text
    }

    /// The name of a file.
    pub fn name(&self, file: FileId) -> &str {
        &self.files[file.0 as usize].name
    }

    /// The text of a span.
    pub fn slice(&self, span: Span) -> &str {
        &self.text(span.file)[span.start as usize..span.end as usize]
    }

    /// Where a span starts.
    pub fn position(&self, span: Span) -> Position {
        self.position_of(span.file, span.start as usize)
    }

    /// Where a span ends: the first place behind it.
    pub fn end_position(&self, span: Span) -> Position {
        self.position_of(span.file, span.end as usize)
    }

    fn position_of(&self, file: FileId, at: usize) -> Position {
        let file = &self.files[file.0 as usize];
        let line = file.line_starts.partition_point(|&start| start <= at) - 1;
        let column = file.text[file.line_starts[line]..at].chars().count() + 1;
        Position { line: line + 1, column }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_text() {
        let mut map = SourceMap::new();
        let file = map.add("a.nas", "\u{feff}nas 1\n");
        assert_eq!(map.text(file), "nas 1\n");
    }

    #[test]
    fn positions_count_lines_and_characters() {
        let mut map = SourceMap::new();
        let file = map.add("a.nas", "nas 1\nmodel µ()\n");
        let at = map.text(file).find('(').expect("there is one") as u32;
        let span = Span { file, start: at, end: at + 1 };
        assert_eq!(map.position(span), Position { line: 2, column: 8 });
        assert_eq!(map.slice(span), "(");
    }
}
