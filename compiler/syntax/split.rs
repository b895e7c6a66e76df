//! Cuts a file into tokens and pairs its brackets, so that items can be parsed one by one.
//!
//! In: text. Out: [`Tokens`], in which every bracket knows its partner, and E0102 for those that have none.
//! An unclosed bracket is given an end by indentation: a line that starts no deeper than the line of the
//! opening bracket is not inside it. That keeps the mistake in its item. Not done here: the grammar.

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::source::{FileId, Span};

/// Brackets inside brackets; more is refused. Keeps the parser's recursion small.
pub const MAX_NESTING: usize = 64;

/// Signs and words in one file; more is refused.
pub const MAX_TOKENS: usize = 1 << 21;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Text,
    Open(u8),
    Close(u8),
    Comma,
    Newline,
    /// A `///` comment that is alone on its line.
    Doc,
    Other,
}

/// A token: bytes `start..end` of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

/// Where the partner of an opening bracket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partner {
    /// The closing token, or the first token that is outside where none closes it.
    pub at: usize,
    /// Whether `at` is a closing token.
    pub real: bool,
}

/// A file as tokens with paired brackets.
pub(super) struct Tokens<'a> {
    pub file: FileId,
    pub text: &'a str,
    pub list: Vec<Token>,
    /// For every opening token, by index; `None` for other tokens.
    partners: Vec<Option<Partner>>,
    /// Whether a token takes part in a mistake that has been reported.
    broken: Vec<bool>,
}

impl Tokens<'_> {
    /// A span of the file.
    pub(super) fn span(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: start as u32, end: end as u32 }
    }

    pub(super) fn span_of(&self, token: usize) -> Span {
        self.span(self.list[token].start, self.list[token].end)
    }

    pub(super) fn text_of(&self, token: usize) -> &str {
        &self.text[self.list[token].start..self.list[token].end]
    }

    pub(super) fn is_word(&self, token: usize, word: &str) -> bool {
        self.list[token].kind == Kind::Word && self.text_of(token) == word
    }

    /// The partner of an opening bracket.
    pub(super) fn partner(&self, open: usize) -> Partner {
        self.partners[open].unwrap_or(Partner { at: open + 1, real: false })
    }

    /// The token after the one at `at`, or after the group that it opens.
    pub(super) fn skip(&self, at: usize) -> usize {
        match self.partners[at] {
            Some(partner) => partner.at + usize::from(partner.real),
            None => at + 1,
        }
    }

    /// Whether a mistake inside the tokens has been reported already.
    pub(super) fn is_broken(&self, tokens: std::ops::Range<usize>) -> bool {
        self.broken[tokens].contains(&true)
    }
}

/// Cuts and pairs; refuses what is too deep or too long with E0403.
pub(super) fn tokens<'a>(file: FileId, text: &'a str, out: &mut Diagnostics) -> Option<Tokens<'a>> {
    let mut pairing = Pairing::new(file, text, lex(text));
    if pairing.tokens.list.len() > MAX_TOKENS {
        let message = format!("the file has more than {MAX_TOKENS} words and signs");
        out.push(Diagnostic::error(Code::TOO_LARGE, message).at(pairing.tokens.span(0, 0), ""));
        return None;
    }
    pairing.run(false);
    if !pairing.found.0.is_empty() {
        pairing = Pairing::new(file, text, lex(text));
        pairing.run(true);
    }
    let too_deep = pairing.too_deep;
    out.extend(pairing.found);
    (!too_deep).then_some(pairing.tokens)
}

fn lex(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut list: Vec<Token> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let start = at;
        let line_is_empty = list.last().is_none_or(|token| token.kind == Kind::Newline);
        let kind = match bytes[at] {
            b'\n' => Some(Kind::Newline),
            b' ' | b'\t' | b'\r' => None,
            b'(' | b'[' | b'{' => Some(Kind::Open(bytes[at])),
            b')' | b']' | b'}' => Some(Kind::Close(bytes[at])),
            b',' => Some(Kind::Comma),
            b'"' => {
                at = end_of_string(bytes, at) - 1;
                Some(Kind::Text)
            }
            b'/' if bytes[at..].starts_with(b"//") => {
                at += bytes[at..].iter().position(|&b| b == b'\n').unwrap_or(bytes.len() - at) - 1;
                (bytes[start..].starts_with(b"///") && line_is_empty).then_some(Kind::Doc)
            }
            byte if byte.is_ascii_alphanumeric() => {
                let is_word = |&b: &u8| b.is_ascii_alphanumeric() || b == b'_';
                at += bytes[at..].iter().position(|b| !is_word(b)).unwrap_or(bytes.len() - at) - 1;
                Some(Kind::Word)
            }
            _ => {
                while !text.is_char_boundary(at + 1) {
                    at += 1;
                }
                Some(Kind::Other)
            }
        };
        at += 1;
        list.extend(kind.map(|kind| Token { kind, start, end: at }));
    }
    list
}

/// One past the closing quote, or the end of the line where none closes.
pub(super) fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'\n' {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' if bytes.get(at + 1).is_some_and(|&b| b != b'\n') => at += 2,
            _ => at += 1,
        }
    }
    at
}

struct Pairing<'a> {
    tokens: Tokens<'a>,
    /// Open brackets, each with the indentation of its line.
    stack: Vec<(usize, usize)>,
    found: Diagnostics,
    too_deep: bool,
}

impl<'a> Pairing<'a> {
    fn new(file: FileId, text: &'a str, list: Vec<Token>) -> Pairing<'a> {
        let (partners, broken) = (vec![None; list.len()], vec![false; list.len()]);
        let tokens = Tokens { file, text, list, partners, broken };
        Pairing { tokens, stack: Vec::new(), found: Diagnostics::default(), too_deep: false }
    }

    fn run(&mut self, by_indentation: bool) {
        let mut indentation = self.indentation_of_line(0);
        for at in 0..self.tokens.list.len() {
            match self.tokens.list[at].kind {
                Kind::Open(_) if self.stack.len() == MAX_NESTING => {
                    let message = format!("more than {MAX_NESTING} brackets inside one another");
                    let span = self.tokens.span_of(at);
                    self.found.push(Diagnostic::error(Code::TOO_LARGE, message).at(span, ""));
                    self.too_deep = true;
                    return;
                }
                Kind::Open(_) => self.stack.push((at, indentation)),
                Kind::Close(sign) => self.close(at, sign),
                Kind::Text if !self.is_closed_string(at) => self.unclosed_string(at, indentation),
                Kind::Newline => {
                    if by_indentation {
                        self.close_by_indentation(at);
                    }
                    indentation = self.indentation_of_line(self.tokens.list[at].end);
                }
                _ => {}
            }
        }
        let end = self.tokens.list.len();
        while let Some((open, _)) = self.stack.pop() {
            self.unclosed(open, end);
        }
    }

    fn indentation_of_line(&self, start: usize) -> usize {
        self.tokens.text[start..].bytes().take_while(|&b| b == b' ' || b == b'\t').count()
    }

    fn close(&mut self, at: usize, sign: u8) {
        let matches = |&(open, _): &(usize, usize)| self.tokens.list[open].kind == Kind::Open(opening(sign));
        let Some(depth) = self.stack.iter().rposition(matches) else { return self.stray(at) };
        // A closing sign reaches past an open brace of an earlier line only if that brace was forgotten.
        let is_body = |&(open, _): &(usize, usize)| {
            self.tokens.list[open].kind == Kind::Open(b'{') && !self.on_one_line(open, at)
        };
        if sign != b'}' && self.stack[depth + 1..].iter().any(is_body) {
            return self.stray(at);
        }
        while self.stack.len() > depth + 1 {
            let (open, _) = self.stack.pop().expect("longer than depth + 1");
            self.unclosed(open, at);
        }
        let (open, _) = self.stack.pop().expect("depth is an index of it");
        self.tokens.partners[open] = Some(Partner { at, real: true });
    }

    fn on_one_line(&self, open: usize, at: usize) -> bool {
        !self.tokens.text[self.tokens.list[open].start..self.tokens.list[at].start].contains('\n')
    }

    /// A closing sign that nothing opens: it closes the innermost bracket of its line by the wrong sign, or
    /// it is too much.
    fn stray(&mut self, at: usize) {
        self.tokens.broken[at] = true;
        let found = self.tokens.text_of(at).to_owned();
        let span = self.tokens.span_of(at);
        match self.stack.last() {
            Some(&(open, _))
                if self.on_one_line(open, at) || self.tokens.list[open].kind != Kind::Open(b'{') =>
            {
                self.stack.pop();
                self.tokens.broken[open] = true;
                self.tokens.partners[open] = Some(Partner { at, real: true });
                let (sign, expected) = (self.tokens.text_of(open), closing(self.tokens.text_of(open)));
                self.found.push(
                    Diagnostic::error(Code::UNCLOSED, format!("`{sign}` is closed by `{found}`"))
                        .at(span, format!("expected `{expected}`"))
                        .at(self.tokens.span_of(open), "opened here"),
                );
            }
            _ => {
                let error = Diagnostic::error(Code::UNCLOSED, format!("`{found}` closes nothing"))
                    .at(span, "no bracket is open here");
                self.found.push(match self.wide_bracket(at) {
                    Some(wide) => error
                        .at(wide, "a full-width sign, which opens nothing")
                        .help("type brackets, commas and colons with a Latin keyboard layout"),
                    None => error,
                });
            }
        }
    }

    /// A full-width bracket before a token of the same line: what an input method for Chinese or Japanese types.
    fn wide_bracket(&self, at: usize) -> Option<Span> {
        let before = self.tokens.list[..at].iter().rev();
        let mut line = before.take_while(|token| token.kind != Kind::Newline);
        let wide = line
            .find(|token| matches!(&self.tokens.text[token.start..token.end], "（" | "［" | "｛" | "【"))?;
        Some(self.tokens.span(wide.start, wide.end))
    }

    /// An opening sign without a closing one; `at` is the first token outside.
    fn unclosed(&mut self, open: usize, at: usize) {
        self.tokens.partners[open] = Some(Partner { at, real: false });
        self.tokens.broken[open] = true;
        let sign = self.tokens.text_of(open);
        let expected = closing(sign);
        let after =
            self.tokens.list[..at].iter().rev().find(|t| !matches!(t.kind, Kind::Newline | Kind::Doc));
        let end = after.map_or(0, |token| token.end);
        let place = match self.tokens.list.get(at) {
            Some(token) if token.kind != Kind::Newline => self.tokens.span_of(at),
            _ => self.tokens.span(end, end),
        };
        self.found.push(
            Diagnostic::error(Code::UNCLOSED, format!("`{sign}` is never closed"))
                .at(self.tokens.span_of(open), "opened here")
                .at(place, format!("expected `{expected}` here")),
        );
    }

    fn is_closed_string(&self, at: usize) -> bool {
        let token = self.tokens.list[at];
        end_of_string(self.tokens.text.as_bytes(), token.start) == token.end
            && token.end - token.start > 1
            && self.tokens.text[token.start + 1..token.end].ends_with('"')
            && !ends_in_escape(&self.tokens.text[token.start + 1..token.end])
    }

    /// Brackets that a string without end has swallowed are taken as meant: those opened on its line are
    /// closed, and one at the very end of the line is open.
    fn unclosed_string(&mut self, at: usize, indentation: usize) {
        let token = self.tokens.list[at];
        self.tokens.broken[at] = true;
        let text = self.tokens.text[token.start..token.end].trim_end();
        let end = token.start + text.len();
        self.found.push(
            Diagnostic::error(Code::UNCLOSED, "this text has no closing `\"`")
                .at(self.tokens.span(token.start, token.start + 1), "opened here")
                .at(self.tokens.span(end, end), "the line ends here"),
        );
        let next = at + 1;
        if text.ends_with('{') {
            // The brace is in the string: the string token stands for it.
            self.tokens.list[at].kind = Kind::Open(b'{');
            self.stack.push((at, indentation));
            return;
        }
        while let Some(&(open, _)) = self.stack.last() {
            if !self.on_one_line(open, at) {
                break;
            }
            self.stack.pop();
            self.tokens.partners[open] = Some(Partner { at: next, real: false });
        }
    }

    fn close_by_indentation(&mut self, newline: usize) {
        let Some(&token) = self.tokens.list.get(newline + 1) else { return };
        if matches!(token.kind, Kind::Newline | Kind::Close(_) | Kind::Open(_)) {
            return;
        }
        let line = self.tokens.text[..token.start].rfind('\n').map_or(0, |n| n + 1);
        let indentation = self.indentation_of_line(line);
        while let Some(&(open, outer)) = self.stack.last() {
            if indentation > outer {
                break;
            }
            self.stack.pop();
            self.unclosed(open, newline);
        }
    }
}

/// Whether the quote at the end of `text` is escaped.
fn ends_in_escape(text: &str) -> bool {
    text[..text.len() - 1].bytes().rev().take_while(|&b| b == b'\\').count() % 2 == 1
}

fn opening(close: u8) -> u8 {
    match close {
        b')' => b'(',
        b']' => b'[',
        _ => b'{',
    }
}

fn closing(open: &str) -> &'static str {
    match open {
        "(" => ")",
        "[" => "]",
        _ => "}",
    }
}
