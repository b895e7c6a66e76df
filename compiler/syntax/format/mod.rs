//! A file in the one layout that all files have: `nasc fmt`.
//!
//! In: a file that parses. Out: its text with white space, line breaks and commas before closing brackets put in
//! order. Words, signs, numbers, texts and comments stay as written and in their order; `same` checks that of every
//! result. Not done here: files with mistakes, which stay as they are.

mod layout;
mod lex;
mod marks;
mod same;
#[cfg(test)]
mod tests;
mod tree;

use crate::diagnostic::{Code, Diagnostic, Result};
use crate::source::{FileId, SourceMap, Span};
use crate::syntax::parse;

/// Characters in a line, where brackets give a place to break it.
pub const WIDTH: usize = 100;

/// The text of a file in its one layout; formatting that again changes nothing.
///
/// # Errors
///
/// Those of [`parse`]; E0911 if the result would say something else than the file, which is a bug of nasc.
pub fn format(sources: &SourceMap, file: FileId) -> Result<String> {
    let (parsed, diagnostics) = parse(sources, file);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let text = sources.text(file);
    let tokens = lex::lex(text);
    let roles = marks::roles(&parsed, text, &tokens);
    let formatted = layout::print(text, &tokens, &roles, &tree::entries(text, &tokens, &roles));
    if same::same(text, &tokens, &formatted, &roles) {
        return Ok(formatted);
    }
    let error = Diagnostic::error(Code::FORMAT, "the formatted file would say something else than the file")
        .at(Span { file, start: 0, end: 0 }, "the file is left as it is");
    Err(error.into())
}
