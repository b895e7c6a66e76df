//! Identifiers, literals and comments: what keeps a name of the user from becoming C of its own.

use std::collections::BTreeSet;

/// Words of C11 and C++20 that no identifier may be, and names that headers take.
const RESERVED: &[&str] = &[
    "NULL",
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char16_t",
    "char32_t",
    "char8_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "errno",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "int16_t",
    "int32_t",
    "int64_t",
    "int8_t",
    "linux",
    "long",
    "main",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "restrict",
    "return",
    "short",
    "signed",
    "size_t",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "uint32_t",
    "union",
    "unix",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
];

/// Whether the word cannot be an identifier of its own.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.binary_search(&word).is_ok()
}

/// Names taken in one scope.
#[derive(Debug, Default)]
pub(super) struct Scope {
    taken: BTreeSet<String>,
}

impl Scope {
    /// An identifier like `name` that is still free.
    pub(super) fn claim(&mut self, name: &str) -> String {
        let mut text: String =
            name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
        if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
            text.insert(0, 'v');
        }
        while is_reserved(&text) || self.taken.contains(&text) {
            text.push('_');
        }
        self.taken.insert(text.clone());
        text
    }
}

/// Text for a comment: nothing in it ends the comment or the line, since no `/` stays.
pub(super) fn comment(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _.,:;()[]{}<>=+-*'\"%#&|!".contains(c);
    text.chars().map(|c| if plain(c) { c } else { '_' }).collect()
}

/// A string literal.
pub(super) fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b' '
            | b'_'
            | b'.'
            | b','
            | b'-'
            | b'+'
            | b'('
            | b')' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}

/// A finite float as a decimal constant that reads back as the same bits.
pub(super) fn float(value: f32) -> String {
    debug_assert!(value.is_finite(), "constants are finite");
    let text = format!("{value:?}f");
    if value.is_sign_negative() { format!("({text})") } else { text }
}

/// A 32-bit constant. The least one has no literal of its own.
pub(super) fn int32(value: i64) -> String {
    if value == i64::from(i32::MIN) { "INT32_MIN".into() } else { value.to_string() }
}

/// A 64-bit constant.
pub(super) fn int64(value: i64) -> String {
    if value == i64::MIN { "INT64_MIN".into() } else { format!("INT64_C({value})") }
}

/// `head(arguments);` in lines of at most 100 columns.
pub(super) fn call(indent: &str, head: &str, arguments: &[String]) -> String {
    let line = format!("{indent}{head}({});\n", arguments.join(", "));
    if line.len() <= 101 {
        return line;
    }
    let inner = format!("{indent}    ");
    let mut out = format!("{indent}{head}(\n");
    let mut row = inner.clone();
    for (at, argument) in arguments.iter().enumerate() {
        let piece = format!("{argument}{}", if at + 1 == arguments.len() { ");" } else { "," });
        if row.len() > inner.len() && row.len() + 1 + piece.len() > 100 {
            out.push_str(&row);
            out.push('\n');
            row.clone_from(&inner);
        }
        if row.len() > inner.len() {
            row.push(' ');
        }
        row.push_str(&piece);
    }
    out.push_str(&row);
    out.push('\n');
    out
}

/// A number that stands anywhere in an expression.
pub(super) fn parenthesised(value: i32) -> String {
    if value < 0 { format!("({value})") } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_words_are_sorted_for_the_search() {
        assert!(RESERVED.is_sorted());
        assert!(is_reserved("int") && !is_reserved("kws"));
    }

    #[test]
    fn names_are_made_distinct_and_clean() {
        let mut scope = Scope::default();
        assert_eq!(scope.claim("x"), "x");
        assert_eq!(scope.claim("x"), "x_");
        assert_eq!(scope.claim("for"), "for_");
        assert_eq!(scope.claim("2*/d"), "v2__d");
    }

    #[test]
    fn nothing_escapes_from_comments_and_strings() {
        assert_eq!(comment("a*/ int x\n\\"), "a*_ int x__");
        assert_eq!(string("a\"\\µ?"), "\"a\\042\\134\\302\\265\\077\"");
    }

    #[test]
    fn floats_read_back() {
        let mut bits = 1u32;
        for _ in 0..20_000 {
            bits = bits.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let value = f32::from_bits(bits);
            if value.is_finite() {
                let text = float(value);
                let number = text.trim_matches(['(', ')']).trim_end_matches('f');
                assert!(number.contains(['.', 'e']), "{text} would be an integer");
                assert_eq!(number.parse::<f32>().map(f32::to_bits), Ok(bits), "{text}");
            }
        }
    }
}
