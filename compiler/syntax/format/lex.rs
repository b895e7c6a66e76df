//! A file as tokens with its comments and line breaks.

use crate::syntax::split::end_of_string;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Word,
    Number,
    Text,
    /// An operator, a colon, `..` and so on.
    Sign,
    Open,
    Close,
    Comma,
    Newline,
    /// `//` to the end of its line, without white space there; whether nothing else stands on the line.
    Comment {
        alone: bool,
    },
}

/// A token: bytes `start..end` of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
}

impl Token {
    pub(super) fn text(self, text: &str) -> &str {
        &text[self.start..self.end]
    }
}

/// All tokens of a text.
pub(super) fn lex(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens: Vec<Token> = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let byte = bytes[start];
        if matches!(byte, b' ' | b'\t' | b'\r') {
            start += 1;
            continue;
        }
        let (kind, end) = match byte {
            b'\n' => (Kind::Newline, start + 1),
            b'(' | b'[' | b'{' => (Kind::Open, start + 1),
            b')' | b']' | b'}' => (Kind::Close, start + 1),
            b',' => (Kind::Comma, start + 1),
            b'"' => (Kind::Text, end_of_string(bytes, start)),
            b'/' if bytes.get(start + 1) == Some(&b'/') => {
                let line = text[start..].split('\n').next().unwrap_or_default();
                let alone = tokens.last().is_none_or(|token| token.kind == Kind::Newline);
                (Kind::Comment { alone }, start + line.trim_end().len())
            }
            b'0'..=b'9' => (Kind::Number, end_of_number(bytes, start)),
            byte if byte.is_ascii_alphabetic() => {
                (Kind::Word, end_of(bytes, start, |b| b.is_ascii_alphanumeric() || b == b'_'))
            }
            _ if [".." as &str, "<=", ">=", "==", "!="]
                .iter()
                .any(|sign| text[start..].starts_with(sign)) =>
            {
                (Kind::Sign, start + 2)
            }
            _ => (Kind::Sign, start + text[start..].chars().next().map_or(1, char::len_utf8)),
        };
        tokens.push(Token { kind, start, end });
        start = end;
    }
    tokens
}

fn end_of(bytes: &[u8], start: usize, inside: impl Fn(u8) -> bool) -> usize {
    bytes[start..].iter().position(|&b| !inside(b)).map_or(bytes.len(), |length| start + length)
}

/// Digits, a point and digits, an exponent: as in the grammar.
fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let digits = |at: usize| end_of(bytes, at, |b| b.is_ascii_digit() || b == b'_');
    let mut end = digits(start);
    if bytes.get(end) == Some(&b'.') && is_digit(end + 1) {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if is_digit(end + 1 + sign) {
            end = digits(end + 1 + sign);
        }
    }
    end
}
