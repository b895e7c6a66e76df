//! Tokens to entries of braces and brackets, each comment at the entry it belongs to.

use crate::syntax::format::lex::{Kind, Token};
use crate::syntax::format::marks::Role;

/// A line of a bracket or brace, or of the file.
pub(super) struct Entry {
    /// Whether a line is left empty above it.
    pub blank: bool,
    pub what: Line,
    /// The comment at the end of its line.
    pub trailing: Option<usize>,
}

/// What an entry is.
pub(super) enum Line {
    /// A comment on a line of its own.
    Comment(usize),
    /// An item, a statement, an argument.
    Run(Vec<Part>),
}

/// A part of an entry.
pub(super) enum Part {
    Token(usize),
    /// A comment with more of the entry behind it.
    Comment(usize),
    Group(Group),
}

/// Brackets and what is in them.
pub(super) struct Group {
    pub open: usize,
    pub close: usize,
    /// The comment behind the opening sign.
    pub comment: Option<usize>,
    pub entries: Vec<Entry>,
    /// Whether a line ends inside.
    pub has_lines: bool,
    /// Whether a comma stands before the closing sign.
    pub has_comma: bool,
}

/// The entries of a file.
pub(super) fn entries(text: &str, tokens: &[Token], roles: &[Role]) -> Vec<Entry> {
    let mut reader = Reader { text, tokens, roles, at: 0 };
    reader.entries(Inside::Body).1
}

/// Where entries end: in values at commas, in bodies at the ends of lines too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Value,
    Body,
    List,
}

struct Reader<'t> {
    text: &'t str,
    tokens: &'t [Token],
    roles: &'t [Role],
    at: usize,
}

impl Reader<'_> {
    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn blank_before(&self, at: usize) -> bool {
        at >= 2 && [at - 1, at - 2].iter().all(|&at| self.kind(at) == Some(Kind::Newline))
    }

    /// The comment behind the opening sign, and the entries up to the closing sign.
    fn entries(&mut self, inside: Inside) -> (Option<usize>, Vec<Entry>) {
        let mut comment = None;
        let mut entries: Vec<Entry> = Vec::new();
        while let Some(kind) = self.kind(self.at) {
            let at = self.at;
            let blank = self.blank_before(at);
            match kind {
                Kind::Close => break,
                Kind::Newline | Kind::Comma => self.at += 1,
                Kind::Comment { alone } => {
                    self.at += 1;
                    let last = match entries.last_mut() {
                        Some(entry) if matches!(entry.what, Line::Run(_)) => Some(&mut entry.trailing),
                        Some(_) => None,
                        None => Some(&mut comment),
                    };
                    match last.filter(|place| !alone && place.is_none()) {
                        Some(place) => *place = Some(at),
                        None => entries.push(Entry { blank, what: Line::Comment(at), trailing: None }),
                    }
                }
                _ => {
                    let what = Line::Run(self.run(inside));
                    entries.push(Entry { blank, what, trailing: None });
                }
            }
        }
        (comment, entries)
    }

    fn run(&mut self, inside: Inside) -> Vec<Part> {
        let is_when = self.is_when();
        let mut parts = Vec::new();
        while let Some(kind) = self.kind(self.at) {
            let at = self.at;
            match kind {
                Kind::Comma | Kind::Close => break,
                Kind::Newline if self.goes_on(at, inside, is_when) => self.at += 1,
                Kind::Newline => break,
                Kind::Comment { .. } if self.goes_on(at, inside, is_when) => {
                    self.at += 1;
                    parts.push(Part::Comment(at));
                }
                Kind::Comment { .. } => break,
                Kind::Open => parts.push(Part::Group(self.group())),
                _ => {
                    self.at += 1;
                    parts.push(Part::Token(at));
                }
            }
        }
        parts
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.tokens.get(at).is_some_and(|token| token.text(self.text) == text)
    }

    /// Whether an entry that starts here is a `when`, perhaps behind a label.
    fn is_when(&self) -> bool {
        self.is(if self.is(self.at + 1, ":") { self.at + 2 } else { self.at }, "when")
    }

    /// Whether an entry goes on behind a newline or comment.
    fn goes_on(&self, at: usize, inside: Inside, is_when: bool) -> bool {
        let next = match inside {
            Inside::Value => (at..self.tokens.len())
                .find(|&at| !matches!(self.tokens[at].kind, Kind::Newline | Kind::Comment { .. })),
            Inside::Body if matches!(self.tokens[at].kind, Kind::Comment { .. }) => Some(at + 2),
            Inside::Body => Some(at + 1),
            Inside::List => None,
        };
        let Some(next) = next else { return false };
        match (inside, self.kind(next)) {
            (Inside::Value, Some(kind)) => !matches!(kind, Kind::Comma | Kind::Close),
            (_, Some(Kind::Open)) => true,
            _ => is_when && self.is(next, "else"),
        }
    }

    fn group(&mut self) -> Group {
        let open = self.at;
        self.at += 1;
        let inside = match self.roles[open] {
            Role::Body => Inside::Body,
            Role::List => Inside::List,
            Role::Plain | Role::Call | Role::Negative | Role::Slash => Inside::Value,
        };
        let (comment, entries) = self.entries(inside);
        let close = self.at;
        self.at += 1;
        let has_lines = self.tokens[open..close].iter().any(|token| token.kind == Kind::Newline);
        let code = |token: &&Token| !matches!(token.kind, Kind::Newline | Kind::Comment { .. });
        let last = self.tokens[open..close].iter().rev().find(code);
        let has_comma = last.is_some_and(|token| token.kind == Kind::Comma);
        Group { open, close, comment, entries, has_lines, has_comma }
    }
}
