//! Entries to text: what fits stands on one line, what does not is broken at its brackets, outermost first.

use crate::syntax::format::WIDTH;
use crate::syntax::format::lex::{Kind, Token};
use crate::syntax::format::marks::Role;
use crate::syntax::format::tree::{Entry, Group, Line, Part};

/// Bytes of a line that is surely too wide: no character has more than four.
const TOO_LONG: usize = 4 * WIDTH;

/// The text of a file.
pub(super) fn print(text: &str, tokens: &[Token], roles: &[Role], entries: &[Entry]) -> String {
    let mut printer = Printer { text, tokens, roles, out: String::with_capacity(text.len()), line: 0 };
    for (index, entry) in entries.iter().enumerate() {
        if entry.blank && index > 0 {
            printer.out.push('\n');
            printer.line = printer.out.len();
        }
        printer.entry(entry, 0, "");
        printer.new_line(0);
    }
    printer.out
}

struct Printer<'a> {
    text: &'a str,
    tokens: &'a [Token],
    roles: &'a [Role],
    out: String,
    /// Where the last line of `out` starts.
    line: usize,
}

impl<'a> Printer<'a> {
    fn text_of(&self, token: usize) -> &'a str {
        self.tokens[token].text(self.text)
    }

    fn new_line(&mut self, indent: usize) {
        self.out.push('\n');
        self.line = self.out.len();
        self.out.extend(std::iter::repeat_n(' ', indent));
    }

    fn column(&self) -> usize {
        self.out[self.line..].chars().count()
    }

    /// An entry from its first sign, with what follows it: a comma or nothing.
    fn entry(&mut self, entry: &Entry, indent: usize, comma: &str) {
        match &entry.what {
            Line::Comment(comment) => self.out.push_str(self.text_of(*comment)),
            Line::Run(parts) => {
                self.run(parts, indent, comma.len());
                self.out.push_str(comma);
            }
        }
        self.comment(entry.trailing);
    }

    fn comment(&mut self, comment: Option<usize>) {
        if let Some(comment) = comment {
            self.out.push_str("  ");
            self.out.push_str(self.text_of(comment));
        }
    }

    /// The parts of an entry; `rest` is the width of what follows on the last line.
    fn run(&mut self, parts: &[Part], indent: usize, rest: usize) {
        let mut flat = String::new();
        if self.flat_run(parts, &mut flat).is_some() && self.fits(&flat, rest) {
            return self.out.push_str(&flat);
        }
        // Where the line goes on behind a comment it is indented, except for the brace or `else` of a body.
        let (mut inner, mut before, mut line_ends) = (indent, None, false);
        for (index, part) in parts.iter().enumerate() {
            let first = match part {
                Part::Token(at) | Part::Comment(at) => *at,
                Part::Group(group) => group.open,
            };
            let is_comment = matches!(part, Part::Comment(_));
            if line_ends || self.tokens[first].kind == (Kind::Comment { alone: true }) {
                inner = indent + if self.is_body(first) || self.text_of(first) == "else" { 0 } else { 2 };
                self.new_line(inner);
            } else if is_comment {
                self.out.push_str("  ");
            } else if self.gap(before, first) {
                self.out.push(' ');
            }
            line_ends = is_comment;
            before = Some(first);
            match part {
                Part::Token(at) | Part::Comment(at) => self.out.push_str(self.text_of(*at)),
                Part::Group(group) => {
                    let tail = self.tail(group.close, &parts[index + 1..], rest);
                    self.group(group, inner, tail);
                    before = Some(group.close);
                }
            }
        }
    }

    fn is_body(&self, open: usize) -> bool {
        matches!(self.roles[open], Role::Body | Role::List)
    }

    fn fits(&self, flat: &str, rest: usize) -> bool {
        self.column() + flat.chars().count() + rest <= WIDTH
    }

    /// The width of what must stand on the line of the sign at `before`: up to where the line can be broken.
    fn tail(&self, before: usize, parts: &[Part], rest: usize) -> usize {
        let (mut before, mut width) = (before, 0);
        for part in parts {
            let at = match part {
                Part::Token(at) => *at,
                Part::Group(group) => group.open,
                Part::Comment(_) => return width,
            };
            width += usize::from(self.gap(Some(before), at)) + self.text_of(at).chars().count();
            if matches!(part, Part::Group(_)) {
                return width;
            }
            before = at;
        }
        width + rest
    }

    /// Whether a space stands between two neighbours.
    fn gap(&self, before: Option<usize>, next: usize) -> bool {
        let Some(before) = before else { return false };
        let (left, right) = (self.text_of(before), self.text_of(next));
        if self.tokens[before].kind == Kind::Open
            || matches!(self.tokens[next].kind, Kind::Close | Kind::Comma)
            || right == ":"
            || left == ".."
            || right == ".."
        {
            return false;
        }
        let tight = matches!(self.roles[before], Role::Negative | Role::Slash)
            || matches!(self.roles[next], Role::Call | Role::Slash);
        !(tight || left == "*" && self.is_factor(before))
    }

    /// Whether a `*` is that of `by *2`: `by` stands behind an operand.
    fn is_factor(&self, star: usize) -> bool {
        let mut code = (0..star)
            .rev()
            .filter(|&at| !matches!(self.tokens[at].kind, Kind::Newline | Kind::Comment { .. }));
        let is_by = code.next().is_some_and(|at| self.text_of(at) == "by");
        is_by
            && code.next().is_some_and(|at| {
                matches!(self.tokens[at].kind, Kind::Word | Kind::Number | Kind::Text | Kind::Close)
                    || self.text_of(at) == "%"
            })
    }

    /// A group in as few lines as `tail` behind it leaves room for.
    fn group(&mut self, group: &Group, indent: usize, tail: usize) {
        let is_body = self.is_body(group.open);
        let mut flat = String::new();
        let is_flat = self.flat_group(group, &mut flat).is_some() && (!is_body || group.entries.is_empty());
        if is_flat && self.fits(&flat, tail) {
            return self.out.push_str(&flat);
        }
        self.out.push_str(self.text_of(group.open));
        self.comment(group.comment);
        let runs = group.entries.iter().filter(|entry| matches!(entry.what, Line::Run(_))).count();
        // `(a)` is a value in parentheses, and `(a,)` is a tuple.
        let is_one = self.is_value_in_parentheses(group, runs);
        for (index, entry) in group.entries.iter().enumerate() {
            if entry.blank && index > 0 {
                self.new_line(0);
            }
            self.new_line(indent + 2);
            self.entry(entry, indent + 2, if is_body || is_one { "" } else { "," });
        }
        self.new_line(indent);
        self.out.push_str(self.text_of(group.close));
    }

    fn is_value_in_parentheses(&self, group: &Group, runs: usize) -> bool {
        runs == 1
            && !group.has_comma
            && self.roles[group.open] == Role::Plain
            && self.text_of(group.open) == "("
    }

    /// An entry on one line, if it can stand on one.
    fn flat_run(&self, parts: &[Part], out: &mut String) -> Option<()> {
        let mut before = None;
        for part in parts {
            let (first, last) = match part {
                Part::Token(at) => (*at, *at),
                Part::Group(group) => (group.open, group.close),
                Part::Comment(_) => return None,
            };
            if self.gap(before, first) {
                out.push(' ');
            }
            match part {
                Part::Group(group) => self.flat_group(group, out)?,
                _ => out.push_str(self.text_of(first)),
            }
            before = Some(last);
        }
        (out.len() <= TOO_LONG).then_some(())
    }

    /// A group on one line, if it can stand on one: a body only if it was written so.
    fn flat_group(&self, group: &Group, out: &mut String) -> Option<()> {
        let is_body = self.is_body(group.open);
        let has_lines = is_body && group.has_lines && !group.entries.is_empty();
        if has_lines || group.comment.is_some() {
            return None;
        }
        let space = if is_body && !group.entries.is_empty() { " " } else { "" };
        out.push_str(self.text_of(group.open));
        out.push_str(space);
        for (index, entry) in group.entries.iter().enumerate() {
            let Line::Run(parts) = &entry.what else { return None };
            if entry.trailing.is_some() {
                return None;
            }
            out.push_str(if index > 0 { ", " } else { "" });
            self.flat_run(parts, out)?;
        }
        let is_tuple = group.has_comma
            && group.entries.len() == 1
            && self.roles[group.open] == Role::Plain
            && self.text_of(group.open) == "(";
        out.push_str(if is_tuple { "," } else { space });
        out.push_str(self.text_of(group.close));
        Some(())
    }
}
