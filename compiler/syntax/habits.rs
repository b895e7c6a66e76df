//! What people who come from Python, Keras, PyTorch or YAML write, and how it is said here.

use crate::syntax::grammar::Rule;

/// Words of other languages that start an item, and the word that is meant.
const ITEMS: [(&str, &str); 20] = [
    ("import", "use"),
    ("from", "use"),
    ("include", "use"),
    ("extends", "with"),
    ("inherit", "with"),
    ("base", "with"),
    ("const", "let"),
    ("var", "let"),
    ("def", "block"),
    ("class", "block"),
    ("fn", "block"),
    ("function", "block"),
    ("network", "model"),
    ("dataset", "data"),
    ("training", "train"),
    ("quantization", "quantize"),
    ("constraint", "require"),
    ("constraints", "require"),
    ("objective", "maximize"),
    ("assert", "forbid"),
];

/// The word that starts the item which `word` starts elsewhere.
pub(super) fn item(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    ITEMS.iter().find(|known| known.0 == word).map(|known| known.1)
}

/// The way out of a mistake at byte `at` of an item's text, where `found` stands.
pub(super) fn help(entry: Rule, text: &str, at: usize, found: &str) -> Option<&'static str> {
    let before = text.get(..at)?.trim_end();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let last = before.rsplit(|c: char| !is_word(c)).next().unwrap_or("");
    let is_range = before.rsplit([',', '(', '{', '=']).next().is_some_and(|value| value.contains(".."));
    let starts_value = found.starts_with(|c: char| is_word(c) || "({[\"-".contains(c));
    let help = match found {
        ";" | "." if is_open(before) && entry != Rule::layer => {
            return bracketed(before, found, starts_value);
        }
        ";" if !is_open(before) => "items end at the end of the line, without a sign",
        "=" if entry == Rule::section_head => "a section has no sign before its braces: `data { ... }`",
        ":" | "{" | "=" if entry == Rule::objective_item => "write `maximize accuracy` or `minimize ram`",
        "and" | "&" if entry == Rule::requirement => "requirements are separated by commas or new lines",
        ":" | "=" if entry == Rule::requirement => "write `ram <= 24 KiB`, or `accuracy >= 90 %`",
        ".." | "." | "=" if before.ends_with("..") => "both ends of a range are included: `8..64`",
        ":" if is_range => "a step is written `8..64 step 8`",
        "|" => "a set to choose from is written `{3, 5}`",
        "*" if before.ends_with('*') => "powers are written as products: `2 * 2 * 2`",
        ":" if is_head(entry) => "the body stands in braces, without a colon: `{ ... }`",
        _ if last == "by" => "`by *2` goes by a factor, `step 8` by a difference",
        _ if last == "to" && starts_value => "a range is written `8..64`",
        "if" | "for" => "a value has no condition and no loop; layers have `when` and `repeat`",
        _ if entry == Rule::parallel_head => "write `parallel merge add { ... }`; also `concat` and `mul`",
        _ if entry == Rule::layer => return statement(before, found, starts_value),
        _ if is_open(before) => return bracketed(before, found, starts_value),
        _ => return None,
    };
    Some(help)
}

/// The way out of a mistake inside brackets.
fn bracketed(before: &str, found: &str, starts_value: bool) -> Option<&'static str> {
    match found {
        "." if before.ends_with(|c: char| c.is_ascii_alphabetic()) => {
            Some("paths and other texts stand in double quotes: `\"train.ts\"`")
        }
        _ if starts_value || found == ";" => Some("values and arguments are separated by commas"),
        _ => None,
    }
}

/// Whether a rule is what stands before a braced body.
fn is_head(entry: Rule) -> bool {
    matches!(
        entry,
        Rule::when_head
            | Rule::repeat_head
            | Rule::choose_head
            | Rule::optional_head
            | Rule::residual_head
            | Rule::mirror_head
            | Rule::block_head
            | Rule::model_head
            | Rule::section_head
    )
}

/// Whether a text ends inside a bracket.
fn is_open(text: &str) -> bool {
    let count = |signs: [char; 3]| text.matches(signs).count();
    count(['(', '[', '{']) > count([')', ']', '}'])
}

/// The way out of a mistake in an item of a body.
fn statement(before: &str, found: &str, starts_value: bool) -> Option<&'static str> {
    if is_open(before) {
        return bracketed(before, found, starts_value);
    }
    let help = match (before.split_whitespace().next().unwrap_or(""), found) {
        ("for" | "while", _) => {
            "repeat layers by `repeat 3 { ... }`, or a number that is searched: `repeat 1..3`"
        }
        ("if" | "elif", _) => "write `when depth == 2 { ... } else { ... }`",
        ("return", _) => "leave `return` out: the last layer is what the body gives",
        (_, "=") => "each layer takes what the one before it gives; only values have names: `let k = 3`",
        (_, ".") => "layers have names without a dot, such as `dense` and `conv2d`",
        (_, "+") => "layers are added by `residual { ... }` and `parallel merge add { ... }`",
        _ if starts_value && before.ends_with([')', '}']) => "items are separated by a new line or a comma",
        _ => return None,
    };
    Some(help)
}
