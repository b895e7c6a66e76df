//! Bodies: the layers and structures inside braces.

use std::ops::Range;

use crate::diagnostic::{Code, Diagnostic};
use crate::syntax::ast::{
    Body, Branch, Choose, Expr, Name, Optional, Parallel, Repeat, Statement, StatementKind, When, Wrapped,
};
use crate::syntax::grammar::Rule;
use crate::syntax::parse::{Cut, Inside, Parser, Piece};
use crate::syntax::split::Kind;

/// The words that start an item of a body with a body of its own.
pub(super) const STRUCTURES: [&str; 8] =
    ["repeat", "choose", "optional", "parallel", "residual", "mirror", "when", "forbid"];

impl Parser<'_, '_> {
    pub(super) fn body(&mut self, cut: &Cut) -> Body {
        let span = self.span_of(cut.open..cut.rest.start);
        let mut statements = Vec::new();
        for piece in self.pieces(cut.inner.clone(), Inside::Body) {
            self.statement(piece, &mut statements);
        }
        Body { span, statements }
    }

    fn statement(&mut self, piece: Piece, statements: &mut Vec<Statement>) {
        let Piece { docs, tokens } = piece;
        let first = tokens.start;
        let word = self.tokens.text_of(first).to_owned();
        let next_is_args = tokens.len() > 1 && self.tokens.list[first + 1].kind == Kind::Open(b'(');
        let structure = match word.as_str() {
            known if STRUCTURES.contains(&known) => {
                let cut = self.structure_cut(known, tokens.clone());
                if cut.is_none() && tokens.len() > 1 && !next_is_args {
                    return self.expect_body(&tokens, "a body");
                }
                cut
            }
            _ => None,
        };
        if let Some(mut cut) = structure {
            let kind = match word.as_str() {
                "when" => self.when(&mut cut),
                _ => self.structure(&word, &cut),
            };
            let span = self.span_of(tokens.start..cut.rest.start);
            statements.extend(kind.map(|kind| Statement { docs, span, kind }));
            if !cut.rest.is_empty() {
                self.new_line_missing(&cut.rest);
                self.statement(Piece { docs: Vec::new(), tokens: cut.rest }, statements);
            }
            return;
        }
        if word == "else" && tokens.len() > 1 && !next_is_args {
            return self.lone_else(tokens);
        }
        let is_let = word == "let" && !next_is_args && tokens.len() > 1;
        let rule = if is_let { Rule::let_item } else { Rule::layer };
        let Some(pair) = self.grammar(rule, tokens.clone()) else { return };
        let kind = self.builder(&tokens).statement(pair);
        statements.push(Statement { docs, span: self.span_of(tokens), kind });
    }

    fn structure(&mut self, word: &str, cut: &Cut) -> Option<StatementKind> {
        match word {
            "repeat" => {
                let pair = self.grammar(Rule::repeat_head, cut.head.clone());
                let body = self.body(cut);
                let (name, count, branching) = self.builder(&cut.head).repeat(pair?);
                Some(StatementKind::Repeat(Repeat { name, count, branching, body }))
            }
            "choose" => {
                let pair = self.grammar(Rule::choose_head, cut.head.clone());
                let options = self.branches(cut, "an option");
                let name = self.builder(&cut.head).optional_name(pair?);
                Some(StatementKind::Choose(Choose { name, options }))
            }
            "optional" => {
                let pair = self.grammar(Rule::optional_head, cut.head.clone());
                let body = self.body(cut);
                let name = self.builder(&cut.head).optional_name(pair?);
                Some(StatementKind::Optional(Optional { name, body }))
            }
            "residual" | "mirror" => {
                let is_residual = word == "residual";
                let rule = if is_residual { Rule::residual_head } else { Rule::mirror_head };
                let pair = self.grammar(rule, cut.head.clone());
                let body = self.body(cut);
                let name = self.builder(&cut.head).optional_name(pair?);
                let wrapped = Wrapped { name, body };
                Some(match is_residual {
                    true => StatementKind::Residual(wrapped),
                    false => StatementKind::Mirror(wrapped),
                })
            }
            "forbid" => self.forbid(cut).map(StatementKind::Forbid),
            _ => {
                let pair = self.grammar(Rule::parallel_head, cut.head.clone());
                let branches = self.branches(cut, "a branch");
                let (name, merge) = self.builder(&cut.head).parallel(pair?);
                Some(StatementKind::Parallel(Parallel { name, merge, branches }))
            }
        }
    }

    /// Cuts a structure at its body: the last braced group, because a head may hold sets; of a `when` the last one
    /// before its `else`.
    fn structure_cut(&self, word: &str, tokens: Range<usize>) -> Option<Cut> {
        if word == "forbid" {
            return self.cut(tokens, false);
        }
        let mut at = tokens.start;
        while word == "when" && at < tokens.end {
            let next = self.tokens.skip(at);
            let is_body = self.tokens.list[at].kind == Kind::Open(b'{');
            let after = (next..tokens.end).find(|&at| self.tokens.list[at].kind != Kind::Newline);
            if let Some(after) = after.filter(|&after| is_body && self.tokens.is_word(after, "else")) {
                let cut = self.cut(tokens.start..after, true)?;
                return Some(Cut { rest: cut.rest.start..tokens.end, ..cut });
            }
            at = next;
        }
        self.cut(tokens, true)
    }

    /// A `when` with its `else`, which is cut off the rest.
    fn when(&mut self, cut: &mut Cut) -> Option<StatementKind> {
        let pair = self.grammar(Rule::when_head, cut.head.clone());
        let body = self.body(cut);
        let mut otherwise = None;
        let after = cut.rest.clone().find(|&at| self.tokens.list[at].kind != Kind::Newline);
        if let Some(after) = after.filter(|&at| self.tokens.is_word(at, "else")) {
            let rest = after..cut.rest.end;
            cut.rest = rest.end..rest.end;
            match self.cut(rest.clone(), false) {
                Some(other) => {
                    if self.grammar(Rule::else_head, other.head.clone()).is_some() {
                        otherwise = Some(self.body(&other));
                    }
                    cut.rest = other.rest;
                }
                None => self.expect_body(&rest, "a body"),
            }
        }
        let condition = self.builder(&cut.head).condition(pair?);
        Some(StatementKind::When(When { condition, body, otherwise }))
    }

    fn lone_else(&mut self, tokens: Range<usize>) {
        let error = Diagnostic::error(Code::SYNTAX, "no `when` stands before this `else`")
            .at(self.tokens.span_of(tokens.start), "belongs to nothing")
            .help("it stands behind the closing brace of the body of its `when`, or begins the next line");
        self.out.push(error);
        // Mistakes in its body are told too.
        if let Some(cut) = self.cut(tokens, false) {
            self.body(&cut);
        }
    }

    /// The conditions of a `forbid`.
    pub(super) fn forbid(&mut self, cut: &Cut) -> Option<Vec<Expr>> {
        let head = self.grammar(Rule::forbid_head, cut.head.clone());
        let conditions = self.each(cut, |parser, piece| {
            let pair = parser.grammar(Rule::condition_item, piece.clone())?;
            Some(parser.builder(&piece).condition(pair))
        });
        head.map(|_| conditions)
    }

    fn branches(&mut self, cut: &Cut, what: &str) -> Vec<Branch> {
        let pieces = self.pieces(cut.inner.clone(), Inside::Body);
        pieces.into_iter().filter_map(|piece| self.branch(piece, what)).collect()
    }

    fn branch(&mut self, piece: Piece, what: &str) -> Option<Branch> {
        let Piece { docs, tokens } = piece;
        let (first, colon) = (tokens.start, tokens.start + 1);
        let has_label = colon < tokens.end
            && self.tokens.list[first].kind == Kind::Word
            && self.tokens.text_of(colon) == ":";
        if !has_label {
            if !self.tokens.is_broken(tokens.clone()) {
                self.out.push(
                    Diagnostic::error(Code::SYNTAX, format!("{what} needs a label"))
                        .at(self.tokens.span_of(first), "expected a label and `:` before this")
                        .help(format!("write `name: {} ...`", self.tokens.text_of(first))),
                );
            }
            return None;
        }
        let label_pair = self.grammar(Rule::section_head, first..colon);
        let rest = colon + 1..tokens.end;
        if rest.is_empty() {
            let span = self.tokens.span_of(colon);
            let error = Diagnostic::error(Code::SYNTAX, "expected a layer or a braced body after `:`");
            self.out.push(error.at(span, "the item ends here"));
            return None;
        }
        let body = if self.tokens.list[rest.start].kind == Kind::Open(b'{') {
            let cut = self.cut(rest, false).expect("it starts with a brace");
            if !cut.rest.is_empty() {
                self.new_line_missing(&cut.rest);
            }
            self.body(&cut)
        } else {
            let span = self.span_of(rest.clone());
            let mut statements = Vec::new();
            self.statement(Piece { docs: Vec::new(), tokens: rest }, &mut statements);
            Body { span, statements }
        };
        let label: Name = self.builder(&(first..colon)).section(label_pair?);
        Some(Branch { docs, label, body })
    }
}
