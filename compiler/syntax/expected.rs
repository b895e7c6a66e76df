//! What pest says about a text that does not parse, in the user's words.

use pest::error::{Error, ErrorVariant, InputLocation};

use crate::diagnostic::{Code, Diagnostic};
use crate::source::{FileId, Span};
use crate::syntax::grammar::Rule;
use crate::syntax::habits;

/// Help where another language's comment stands.
pub(super) const COMMENTS: &str = "comments start with `//`";

/// What is expected behind a key.
const COLON: &str = "`:` and a value";

/// The message for a piece of text that starts at byte `base` of its file; `next` stands right behind it: the brace
/// of the body behind a head, or nothing.
pub(super) fn diagnostic(
    error: &Error<Rule>,
    entry: Rule,
    text: &str,
    file: FileId,
    base: usize,
    next: &str,
) -> Diagnostic {
    let at = match error.location {
        InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
    };
    let at = at + white_space(&text[at..]);
    let is_head = text[at..].is_empty() && next == "{";
    let found = if is_head { next } else { token(&text[at..]) };
    let positives = match &error.variant {
        ErrorVariant::ParsingError { positives, .. } => positives.as_slice(),
        ErrorVariant::CustomError { .. } => &[],
    };
    let what = expectation(positives, entry, found);
    let (start, end) = (base + at, base + at + if is_head { 0 } else { found.len() });
    let span = Span { file, start: start as u32, end: end as u32 };
    let message = match found {
        "" => format!("expected {what}, found the end of the item"),
        _ => format!("expected {what}, found `{}`", shown(found)),
    };
    let diagnostic = Diagnostic::error(Code::SYNTAX, message).at(span, format!("expected {what}"));
    let with_sign = with_help(diagnostic, entry, found, positives);
    if !with_sign.help.is_empty() {
        return with_sign;
    }
    if what == COLON {
        return with_sign.help("a key and its value are joined by `:`");
    }
    match habits::help(entry, text, at, found) {
        Some(help) => with_sign.help(help),
        None => with_sign,
    }
}

fn with_help(diagnostic: Diagnostic, entry: Rule, found: &str, positives: &[Rule]) -> Diagnostic {
    match found {
        "=" if entry == Rule::layer && !positives.contains(&Rule::colon) => diagnostic,
        "=" if positives.contains(&Rule::compare_any) => diagnostic.help("equality is written `==`"),
        "=" if positives.contains(&Rule::colon) => diagnostic.help("a key and its value are joined by `:`"),
        ":" if positives.contains(&Rule::equals) => diagnostic.help("a name gets its value by `=`"),
        "#" => diagnostic.help(COMMENTS),
        _ if positives.contains(&Rule::string) && entry == Rule::target_head => {
            diagnostic.help("the name of a target stands in quotes: `target \"cortex-m4\" { ... }`")
        }
        "when" if entry == Rule::else_head => diagnostic.help("write `else { when ... { ... } }`"),
        "'" | "“" | "”" | "‘" | "’" | "„" => {
            diagnostic.help("text stands in double quotes: `\"text\"`")
        }
        _ if !found.is_ascii() => diagnostic
            .help("names have ASCII letters, digits and `_`; other signs stand in texts and comments"),
        _ => diagnostic,
    }
}

/// The length of white space and comments at the start.
fn white_space(text: &str) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        at += rest.len() - trimmed.len();
        if !trimmed.starts_with("//") {
            return at;
        }
        at += trimmed.find('\n').unwrap_or(trimmed.len());
    }
}

/// The word, number, string or sign at the start; empty at the end.
fn token(text: &str) -> &str {
    let Some(first) = text.chars().next() else { return "" };
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let end = match first {
        '"' => text[1..].find(['"', '\n']).map_or(text.len(), |end| end + 2),
        c if is_word(c) => text.find(|c| !is_word(c)).unwrap_or(text.len()),
        '.' if text.starts_with("..") => 2,
        c => c.len_utf8(),
    };
    text.get(..end).unwrap_or(text).trim_end()
}

/// A found token, short enough for one line.
fn shown(found: &str) -> String {
    match found.char_indices().nth(30) {
        Some((end, _)) => format!("{}...", &found[..end]),
        None => found.to_owned(),
    }
}

fn expectation(positives: &[Rule], entry: Rule, found: &str) -> String {
    let has = |rule| positives.contains(&rule);
    let is_value = found.chars().next().is_some_and(|c| c.is_alphanumeric() || "\"([{-".contains(c));
    if has(Rule::colon) && (is_value || found == "=") && !has(Rule::value) {
        return COLON.to_owned();
    }
    // A value could go on with an operator almost anywhere; that is worth a word only if nothing else fits.
    let mut words: Vec<&str> = Vec::new();
    let strong: Vec<Rule> = positives.iter().copied().filter(|&rule| !goes_on(rule)).collect();
    let rules = if strong.is_empty() { positives } else { &strong };
    for &rule in ORDER.iter().filter(|rule| rules.contains(rule)) {
        let word = if rule == Rule::EOI { "the end of the item" } else { describe(rule) };
        if !words.contains(&word) {
            words.push(word);
        }
    }
    // Alternatives of a value speak as one.
    if words.contains(&"a value") {
        words.retain(|word| {
            !["a name", "a number", "a text", "`(`", "`[`", "`{`", "`-`", "`log`"].contains(word)
        });
    }
    match words.as_slice() {
        [] => describe(entry).to_owned(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Whether a rule only makes a value longer.
fn goes_on(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::add
            | Rule::sub
            | Rule::mul
            | Rule::div
            | Rule::dots
            | Rule::unit
            | Rule::args
            | Rule::lparen
            | Rule::step_add
            | Rule::step_mul
            | Rule::kw_step
            | Rule::kw_by
    )
}

/// The order in which expectations are told: what is most often meant comes first.
const ORDER: &[Rule] = &[
    Rule::colon,
    Rule::equals,
    Rule::comma,
    Rule::group_comma,
    Rule::rparen,
    Rule::rbracket,
    Rule::rbrace,
    Rule::compare,
    Rule::compare_any,
    Rule::kw_in,
    Rule::kw_and,
    Rule::kw_or,
    Rule::condition,
    Rule::conjunction,
    Rule::negation,
    Rule::comparison,
    Rule::operand,
    Rule::kw_not,
    Rule::kw_on,
    Rule::kw_weight,
    Rule::targets,
    Rule::list,
    Rule::value,
    Rule::arithmetic,
    Rule::quantity,
    Rule::number,
    Rule::string,
    Rule::boolean,
    Rule::kw_log,
    Rule::neg,
    Rule::group,
    Rule::gathered,
    Rule::set,
    Rule::reference,
    Rule::ident,
    Rule::path,
    Rule::parameter,
    Rule::params,
    Rule::arg,
    Rule::args,
    Rule::lparen,
    Rule::lbracket,
    Rule::lbrace,
    Rule::kw_branching,
    Rule::kw_merge,
    Rule::kw_as,
    Rule::slash,
    Rule::dots,
    Rule::star,
    Rule::step_add,
    Rule::step_mul,
    Rule::kw_step,
    Rule::kw_by,
    Rule::unit,
    Rule::add,
    Rule::sub,
    Rule::mul,
    Rule::div,
    Rule::kw_nas,
    Rule::kw_use,
    Rule::kw_let,
    Rule::kw_param,
    Rule::kw_block,
    Rule::kw_model,
    Rule::kw_target,
    Rule::kw_with,
    Rule::kw_forbid,
    Rule::kw_phase,
    Rule::kw_residual,
    Rule::kw_mirror,
    Rule::kw_when,
    Rule::kw_else,
    Rule::string_text,
    Rule::EOI,
];

fn describe(rule: Rule) -> &'static str {
    match rule {
        Rule::colon => COLON,
        Rule::equals => "`=` and a value",
        Rule::comma | Rule::group_comma => "`,`",
        Rule::lparen | Rule::group | Rule::gathered | Rule::params | Rule::args => "`(`",
        Rule::rparen => "`)`",
        Rule::lbracket | Rule::list => "`[`",
        Rule::rbracket => "`]`",
        Rule::lbrace | Rule::set => "`{`",
        Rule::rbrace => "`}`",
        Rule::compare | Rule::compare_any => "a comparison such as `<=`",
        Rule::condition
        | Rule::conjunction
        | Rule::negation
        | Rule::comparison
        | Rule::operand
        | Rule::condition_item => "a condition such as `depth > 3`",
        Rule::targets => "the name of a target in quotes",
        Rule::value | Rule::arithmetic | Rule::boolean | Rule::arg | Rule::atom | Rule::primary => "a value",
        Rule::quantity | Rule::number | Rule::digits => "a number",
        Rule::string | Rule::string_text => "a text",
        Rule::neg | Rule::sub => "`-`",
        Rule::reference | Rule::ident | Rule::use_name | Rule::section_head => "a name",
        Rule::path => "a path such as `std/blocks`",
        Rule::parameter => "a parameter",
        Rule::typed | Rule::type_word => "a type",
        Rule::slash | Rule::div => "`/`",
        Rule::dots => "`..`",
        Rule::star | Rule::mul => "`*`",
        Rule::step_add | Rule::kw_step => "`step`",
        Rule::step_mul | Rule::kw_by => "`by`",
        Rule::unit => "a unit",
        Rule::add => "`+`",
        Rule::field => "a key, `:` and a value",
        Rule::requirement => "a requirement such as `ram <= 24 KiB`",
        Rule::layer => "a layer",
        Rule::EOI => "the end of the item",
        _ => describe_word(rule),
    }
}

/// The words of the language, and the items that start with them.
fn describe_word(rule: Rule) -> &'static str {
    match rule {
        Rule::kw_in => "`in`",
        Rule::kw_and => "`and`",
        Rule::kw_or => "`or`",
        Rule::kw_not => "`not`",
        Rule::kw_on => "`on`",
        Rule::kw_weight => "`weight`",
        Rule::kw_log => "`log`",
        Rule::kw_branching => "`branching`",
        Rule::kw_merge => "`merge`",
        Rule::kw_as => "`as`",
        Rule::kw_nas | Rule::version_item => "`nas 1`",
        Rule::kw_use | Rule::use_head => "`use`",
        Rule::kw_let | Rule::let_item => "`let`",
        Rule::kw_param | Rule::param_item => "`param`",
        Rule::kw_block | Rule::block_head => "`block`",
        Rule::kw_model | Rule::model_head => "`model`",
        Rule::kw_target | Rule::target_head => "`target`",
        Rule::kw_with | Rule::with_item => "`with`",
        Rule::kw_forbid | Rule::forbid_head => "`forbid`",
        Rule::kw_phase | Rule::phase_head => "`phase`",
        Rule::kw_residual | Rule::residual_head => "`residual`",
        Rule::kw_mirror | Rule::mirror_head => "`mirror`",
        Rule::kw_when | Rule::when_head => "`when`",
        Rule::kw_else | Rule::else_head => "`else`",
        Rule::kw_repeat | Rule::repeat_head => "`repeat`",
        Rule::kw_choose | Rule::choose_head => "`choose`",
        Rule::kw_optional | Rule::optional_head => "`optional`",
        Rule::kw_parallel | Rule::parallel_head => "`parallel`",
        Rule::kw_maximize | Rule::kw_minimize | Rule::objective_item => "`maximize` or `minimize`",
        _ => "white space",
    }
}
