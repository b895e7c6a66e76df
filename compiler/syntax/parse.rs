//! Tokens to items: decides by the first word what a piece of text is, and hands it to the grammar.

use std::ops::Range;

use pest::Parser as _;
use pest::iterators::Pair;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::source::Span;
use crate::syntax::ast::{Definition, Item, ItemKind, Number, Requirements, Section, Target, Use};
use crate::syntax::bodies;
use crate::syntax::build::Builder;
use crate::syntax::expected;
use crate::syntax::grammar::{Nas, Rule};
use crate::syntax::habits;
use crate::syntax::split::{Kind, Tokens};

/// The version of the language that this nasc reads.
const VERSION: u64 = 1;

/// Items on one line that are still told apart; keeps the work on one long line small.
const MAX_ITEMS_ON_A_LINE: usize = 8;

const FILE_WORDS: [&str; 21] = [
    "nas", "use", "with", "let", "param", "forbid", "block", "model", "data", "train", "quantize", "search",
    "scale", "supernet", "schedule", "phase", "target", "require", "prefer", "maximize", "minimize",
];

/// All items of a file, without `nas 1`.
pub(super) fn file(tokens: &Tokens<'_>, out: &mut Diagnostics) -> Vec<Item> {
    let mut parser = Parser { tokens, out, bodiless: false };
    let mut items = Vec::new();
    let pieces = parser.pieces(0..tokens.list.len(), Inside::File);
    parser.check_version(&pieces);
    for (index, piece) in pieces.into_iter().enumerate() {
        if index == 0 && tokens.is_word(piece.tokens.start, "nas") {
            continue;
        }
        parser.file_item(piece, &mut items);
    }
    items
}

/// An item that is not parsed yet.
pub(super) struct Piece {
    pub(super) docs: Vec<String>,
    pub(super) tokens: Range<usize>,
}

/// Where pieces are cut: everywhere at newlines, inside braces at commas too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// Nothing.
    File,
    /// Braces that hold items with bodies of their own, whose brace may begin the next line.
    Body,
    /// Braces that hold items without bodies.
    List,
}

/// A piece cut at a braced body: indices of tokens.
pub(super) struct Cut {
    pub(super) head: Range<usize>,
    pub(super) open: usize,
    pub(super) inner: Range<usize>,
    pub(super) rest: Range<usize>,
}

pub(super) struct Parser<'t, 'a> {
    pub(super) tokens: &'t Tokens<'a>,
    pub(super) out: &'t mut Diagnostics,
    /// Whether a body has been missed at the top: what is no item behind it may be meant for that body.
    bodiless: bool,
}

impl<'a> Parser<'_, 'a> {
    /// Cuts a range of tokens into items.
    pub(super) fn pieces(&mut self, range: Range<usize>, inside: Inside) -> Vec<Piece> {
        let list = &self.tokens.list;
        let mut pieces = Vec::new();
        let mut docs = Vec::new();
        let (mut at, mut after_piece) = (range.start, false);
        while at < range.end {
            match list[at].kind {
                Kind::Newline => at += 1,
                Kind::Doc => {
                    let line = self.tokens.text_of(at).trim_start_matches("///").trim_end();
                    docs.push(line.strip_prefix(' ').unwrap_or(line).to_owned());
                    at += 1;
                }
                Kind::Comma if inside != Inside::File => {
                    if !after_piece {
                        let error = Diagnostic::error(Code::SYNTAX, "expected an item, found `,`");
                        self.out.push(error.at(self.tokens.span_of(at), "nothing stands before this comma"));
                    }
                    after_piece = false;
                    at += 1;
                }
                _ => {
                    let start = at;
                    let is_when = self.is_when(start);
                    while at < range.end && !self.ends_piece(at, inside, is_when) {
                        at = self.tokens.skip(at);
                    }
                    at = at.min(range.end);
                    let mut end = at;
                    while end > start && list[end - 1].kind == Kind::Newline {
                        end -= 1;
                    }
                    pieces.push(Piece { docs: std::mem::take(&mut docs), tokens: start..end });
                    after_piece = true;
                }
            }
        }
        pieces
    }

    /// Whether a piece that starts here is a `when`, perhaps behind a label.
    fn is_when(&self, start: usize) -> bool {
        let has_label = self.tokens.list.get(start + 1).is_some_and(|sign| sign.kind == Kind::Other)
            && self.tokens.text_of(start + 1) == ":";
        let word = if has_label { start + 2 } else { start };
        word < self.tokens.list.len() && self.tokens.is_word(word, "when")
    }

    /// A newline ends a piece unless the next line starts with the brace of its body or the `else` of its `when`.
    fn ends_piece(&self, at: usize, inside: Inside, is_when: bool) -> bool {
        let list = &self.tokens.list;
        match list[at].kind {
            Kind::Comma => inside != Inside::File,
            Kind::Newline if inside == Inside::List => true,
            Kind::Newline => list.get(at + 1).is_none_or(|next| {
                next.kind != Kind::Open(b'{') && !(is_when && self.tokens.is_word(at + 1, "else"))
            }),
            _ => false,
        }
    }

    fn check_version(&mut self, pieces: &[Piece]) {
        let first = pieces.first().filter(|piece| self.tokens.is_word(piece.tokens.start, "nas"));
        let Some(piece) = first else {
            let start = pieces.first().map_or(0, |piece| self.tokens.list[piece.tokens.start].start);
            self.out.push(
                Diagnostic::error(Code::VERSION, "the file does not start with `nas 1`")
                    .at(self.tokens.span(start, start), "expected `nas 1` before this")
                    .help(format!("write `nas {VERSION}` as the first line")),
            );
            return;
        };
        let Some(pair) = self.grammar(Rule::version_item, piece.tokens.clone()) else { return };
        let span = self.span_of(piece.tokens.clone());
        if self.builder(&piece.tokens).version(pair) != Number::Integer(VERSION) {
            self.out.push(
                Diagnostic::error(Code::VERSION, "this nasc does not know this version of the language")
                    .at(span, format!("only `nas {VERSION}` is known")),
            );
        }
    }

    pub(super) fn span_of(&self, tokens: Range<usize>) -> Span {
        self.tokens.span_of(tokens.start).to(self.tokens.span_of(tokens.end - 1))
    }

    pub(super) fn builder(&mut self, tokens: &Range<usize>) -> Builder<'_> {
        Builder::new(self.tokens.file, self.tokens.list[tokens.start].start, self.out)
    }

    /// Parses tokens by an entry rule. Tokens with a mistake that is reported already are passed over.
    pub(super) fn grammar(&mut self, rule: Rule, tokens: Range<usize>) -> Option<Pair<'a, Rule>> {
        if self.tokens.is_broken(tokens.clone()) {
            return None;
        }
        let start = self.tokens.list[tokens.start].start;
        let text: &'a str = &self.tokens.text[start..self.tokens.list[tokens.end - 1].end];
        match Nas::parse(rule, text) {
            Ok(mut pairs) => pairs.next(),
            Err(error) => {
                let file = self.tokens.file;
                let is_head = self.tokens.list.get(tokens.end).is_some_and(|t| t.kind == Kind::Open(b'{'));
                let next = if is_head { "{" } else { "" };
                self.out.push(expected::diagnostic(&error, rule, text, file, start, next));
                None
            }
        }
    }

    /// Cuts a piece at its first or last braced group.
    pub(super) fn cut(&self, tokens: Range<usize>, last: bool) -> Option<Cut> {
        let mut found = None;
        let mut at = tokens.start;
        while at < tokens.end {
            let next = self.tokens.skip(at);
            if self.tokens.list[at].kind == Kind::Open(b'{') {
                let inner = at + 1..self.tokens.partner(at).at.min(tokens.end);
                let rest = next.min(tokens.end)..tokens.end;
                found = Some(Cut { head: tokens.start..at, open: at, inner, rest });
                if !last {
                    break;
                }
            }
            at = next;
        }
        found
    }

    pub(super) fn expect_body(&mut self, tokens: &Range<usize>, what: &str) {
        if self.tokens.is_broken(tokens.clone()) {
            return;
        }
        let end = self.span_of(tokens.clone()).end as usize;
        let error = Diagnostic::error(Code::SYNTAX, format!("expected `{{` and {what}"));
        let error = error.at(self.tokens.span(end, end), "the item ends here");
        self.out.push(match self.tokens.text_of(tokens.end - 1) {
            ":" => error.help("a body stands in braces, whatever the indentation: `{ ... }` without a colon"),
            _ if self.tokens.is_word(tokens.start, "require") => {
                error.help("write `require { ram <= 24 KiB }`")
            }
            _ if self.tokens.is_word(tokens.start, "use") => {
                error.help("write what to take: `use std/blocks { ds_conv }`")
            }
            _ => error,
        });
    }

    /// What stands behind a closing brace: told once, then parsed as an item of its own.
    pub(super) fn new_line_missing(&mut self, rest: &Range<usize>) {
        if self.tokens.is_broken(rest.clone()) {
            return;
        }
        let found = self.tokens.text_of(rest.start);
        let error = Diagnostic::error(Code::SYNTAX, format!("expected a new line before `{found}`"));
        self.out.push(error.at(self.tokens.span_of(rest.start), "starts an item of its own"));
    }

    /// One item, and those that follow on its line by mistake.
    fn file_item(&mut self, piece: Piece, items: &mut Vec<Item>) {
        let mut next = Some(piece);
        for _ in 0..MAX_ITEMS_ON_A_LINE {
            let Some(piece) = next else { return };
            next = self.one_file_item(piece, items);
        }
    }

    fn one_file_item(&mut self, piece: Piece, items: &mut Vec<Item>) -> Option<Piece> {
        let Piece { docs, tokens } = piece;
        let first = tokens.start;
        if self.tokens.list[first].kind != Kind::Word {
            if !self.tokens.is_broken(tokens.clone()) {
                self.no_item(first);
            }
            return None;
        }
        let word = self.tokens.text_of(first).to_owned();
        let is_item = FILE_WORDS.contains(&word.as_str());
        if self.bodiless && !is_item {
            return None;
        }
        self.bodiless = false;
        let whole = |parser: &mut Self, rule| {
            let pair = parser.grammar(rule, tokens.clone())?;
            Some(parser.builder(&tokens).item(pair))
        };
        let kind = match word.as_str() {
            "let" => whole(self, Rule::let_item),
            "param" => whole(self, Rule::param_item),
            "with" => whole(self, Rule::with_item),
            "maximize" | "minimize" => whole(self, Rule::objective_item),
            "nas" => {
                let error = Diagnostic::error(Code::VERSION, "`nas 1` stands once, at the start of the file");
                self.out.push(error.at(self.span_of(tokens.clone()), "not the first item"));
                None
            }
            known if is_item => return self.braced_item(known, docs, tokens, items),
            _ => {
                self.unknown_item(&word, &tokens);
                None
            }
        };
        if let Some(kind) = kind {
            items.push(Item { docs, span: self.span_of(tokens), kind });
        }
        None
    }

    fn no_item(&mut self, token: usize) {
        let found = self.tokens.text_of(token).to_owned();
        let error = Diagnostic::error(Code::SYNTAX, format!("expected an item, found `{found}`"))
            .at(self.tokens.span_of(token), "an item starts with a word");
        self.out.push(if found == "#" { error.help(expected::COMMENTS) } else { error });
    }

    fn unknown_item(&mut self, word: &str, tokens: &Range<usize>) {
        let span = self.tokens.span_of(tokens.start);
        let error = Diagnostic::error(Code::UNKNOWN_NAME, format!("`{word}` starts no item of a file"));
        let error = error.at(span, "not known here");
        let next = tokens.clone().nth(1).map(|next| self.tokens.text_of(next));
        let is_layer = bodies::STRUCTURES.contains(&word) || next == Some("(");
        let help = match nearest(word, FILE_WORDS) {
            _ if next == Some("=") => format!("write `let {word} = ...`"),
            _ if habits::item(word).is_some() => {
                format!("did you mean `{}`?", habits::item(word).unwrap_or_default())
            }
            Some(near) => format!("did you mean `{near}`?"),
            None if is_layer => "layers stand inside the braces of a `model` or a `block`".to_owned(),
            None => "items start with `use`, `with`, `let`, `param`, `block`, `model`, `forbid`, `require`, \
                     `prefer`, `target`, `maximize`, `minimize` or the name of a section, such as `train`"
                .to_owned(),
        };
        self.out.push(error.help(help));
    }

    fn braced_item(
        &mut self,
        word: &str,
        docs: Vec<String>,
        tokens: Range<usize>,
        items: &mut Vec<Item>,
    ) -> Option<Piece> {
        let Some(cut) = self.cut(tokens.clone(), false) else {
            let what = match word {
                "use" => "the names to use",
                "model" | "block" => "its layers",
                _ => "its contents",
            };
            self.expect_body(&tokens, what);
            self.bodiless = true;
            return None;
        };
        let span = self.span_of(tokens.start..cut.rest.start);
        if let Some(kind) = self.braced_kind(word, &cut) {
            items.push(Item { docs, span, kind });
        }
        if cut.rest.is_empty() {
            return None;
        }
        self.new_line_missing(&cut.rest);
        let is_item = self.tokens.list[cut.rest.start].kind == Kind::Word;
        is_item.then_some(Piece { docs: Vec::new(), tokens: cut.rest })
    }

    fn braced_kind(&mut self, word: &str, cut: &Cut) -> Option<ItemKind> {
        match word {
            "use" => {
                let pair = self.grammar(Rule::use_head, cut.head.clone());
                let names = self.each(cut, |parser, piece| {
                    let pair = parser.grammar(Rule::use_name, piece.clone())?;
                    Some(parser.builder(&piece).use_name(pair))
                });
                let path = self.builder(&cut.head).use_path(pair?);
                Some(ItemKind::Use(Use { path, names }))
            }
            "model" | "block" => {
                let is_model = word == "model";
                let rule = if is_model { Rule::model_head } else { Rule::block_head };
                let pair = self.grammar(rule, cut.head.clone());
                let body = self.body(cut);
                let (name, params) = self.builder(&cut.head).definition(pair?);
                let definition = Definition { name, params, body };
                Some(if is_model { ItemKind::Model(definition) } else { ItemKind::Block(definition) })
            }
            "require" | "prefer" => {
                self.grammar(Rule::section_head, cut.head.clone());
                let keyword = self.tokens.span_of(cut.head.start);
                let clauses = self.each(cut, |parser, piece| {
                    let pair = parser.grammar(Rule::requirement, piece.clone())?;
                    Some(parser.builder(&piece).requirement(pair))
                });
                let requirements = Requirements { keyword, clauses };
                Some(match word {
                    "require" => ItemKind::Require(requirements),
                    _ => ItemKind::Prefer(requirements),
                })
            }
            "target" => {
                let pair = self.grammar(Rule::target_head, cut.head.clone());
                let fields = self.fields(cut);
                let name = self.builder(&cut.head).target(pair?);
                Some(ItemKind::Target(Target { name, fields }))
            }
            "forbid" => self.forbid(cut).map(ItemKind::Forbid),
            _ => {
                let is_phase = word == "phase";
                let rule = if is_phase { Rule::phase_head } else { Rule::section_head };
                let pair = self.grammar(rule, cut.head.clone());
                let fields = self.fields(cut);
                let name = self.builder(&cut.head).section(pair?);
                let section = Section { name, fields };
                Some(if is_phase { ItemKind::Phase(section) } else { ItemKind::Section(section) })
            }
        }
    }

    pub(super) fn each<T>(
        &mut self,
        cut: &Cut,
        parse: impl Fn(&mut Self, Range<usize>) -> Option<T>,
    ) -> Vec<T> {
        let pieces = self.pieces(cut.inner.clone(), Inside::List);
        pieces.into_iter().filter_map(|piece| parse(self, piece.tokens)).collect()
    }

    fn fields(&mut self, cut: &Cut) -> Vec<crate::syntax::ast::Field> {
        self.each(cut, |parser, piece| {
            let pair = parser.grammar(Rule::field, piece.clone())?;
            Some(parser.builder(&piece).field(pair))
        })
    }
}
