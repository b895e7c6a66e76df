//! `.nas` text to a tree, and back.
//!
//! In: a file of a [`SourceMap`]. Out: [`ast::File`], always, with the items that parsed, and diagnostics for
//! those that did not. The file is cut into items first (`split`), then pest parses each by
//! `grammar/nas.pest`, so that one mistake does not hide the next. Not done here: meaning. Names, units and
//! types are the concern of `elaborate`.

pub mod ast;
mod bodies;
mod build;
mod expected;
mod format;
mod habits;
mod parse;
mod print;
#[cfg(test)]
mod random;
mod split;
#[cfg(test)]
mod tests;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, SourceMap, Span};

pub use format::{WIDTH, format};
pub use print::{print, print_expr};
pub use split::{MAX_NESTING, MAX_TOKENS};

/// Bytes of one file; more is refused.
pub const MAX_FILE_BYTES: usize = 4 << 20;

/// Messages about one file; the rest is counted, not shown.
pub const MAX_MESSAGES: usize = 100;

mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "grammar/nas.pest"]
    pub(super) struct Nas;
}

/// Parses a file. The tree holds what could be parsed; it is whole if there is no error.
///
/// Errors: E0101 to E0104 for the text, E0201 for words that start no item, E0403 for what is beyond
/// [`MAX_FILE_BYTES`], [`MAX_TOKENS`] or [`MAX_NESTING`].
pub fn parse(sources: &SourceMap, file: FileId) -> (ast::File, Diagnostics) {
    let text = sources.text(file);
    let mut out = Diagnostics::default();
    if text.len() > MAX_FILE_BYTES {
        let span = Span { file, start: 0, end: 0 };
        let message = format!("the file has {} bytes, and at most {MAX_FILE_BYTES} are read", text.len());
        out.push(Diagnostic::error(Code::TOO_LARGE, message).at(span, ""));
        return (ast::File { file, span, items: Vec::new() }, out);
    }
    let span = Span { file, start: 0, end: text.len() as u32 };
    let items = match split::tokens(file, text, &mut out) {
        Some(tokens) => parse::file(&tokens, &mut out),
        None => Vec::new(),
    };
    out.sort();
    if out.0.len() > MAX_MESSAGES {
        let more = out.0.len() - MAX_MESSAGES;
        out.0.truncate(MAX_MESSAGES);
        let last = out.0.last_mut().expect("MAX_MESSAGES is above 0");
        last.notes.push(format!("{more} further messages about this file are not shown"));
    }
    (ast::File { file, span, items }, out)
}
