//! The grammar file as readable rules: signs and keywords in their places, without what only the parser needs.

use std::fmt::Write as _;

use indexmap::IndexMap;

const GRAMMAR: &str = include_str!("../../../grammar/nas.pest");

/// A rule of the grammar file.
struct Rule {
    /// The comment lines above it.
    comment: String,
    body: String,
}

/// The rules, entry rules last, as Markdown.
pub(super) fn markdown() -> String {
    let rules = rules();
    let mut out = String::new();
    let mut open = false;
    for (name, rule) in &rules {
        let is_hidden =
            matches!(name.as_str(), "WHITESPACE" | "COMMENT" | "after" | "ident_char" | "type_word");
        if is_hidden || literal(&rules, name).is_some() {
            continue;
        }
        if !rule.comment.is_empty() {
            if open {
                out.push_str("```\n\n");
            }
            let _ = write!(out, "{}\n\n```text\n", rule.comment);
            open = true;
        } else if !open {
            out.push_str("```text\n");
            open = true;
        }
        let (name, braced) = (plain_name(name), name.ends_with("_head"));
        let text = body(&rules, &rule.body);
        if name != text {
            // Items and statements inside are cut off before the rule is tried.
            let _ = writeln!(out, "{name:<14} = {text}{}", if braced { " \"{\" ... \"}\"" } else { "" });
        }
    }
    if open {
        out.push_str("```\n");
    }
    out
}

fn plain_name(name: &str) -> &str {
    name.strip_suffix("_item").or_else(|| name.strip_suffix("_head")).unwrap_or(name)
}

fn rules() -> IndexMap<String, Rule> {
    let mut rules: IndexMap<String, Rule> = IndexMap::new();
    let mut comment: Vec<&str> = Vec::new();
    let mut lines = GRAMMAR.lines();
    while let Some(line) = lines.next() {
        if let Some(text) = line.strip_prefix("//") {
            comment.push(text.trim());
            continue;
        }
        if line.trim().is_empty() {
            // Comments stand directly above the rules that they are about.
            comment.clear();
            continue;
        }
        let Some((name, rest)) = line.split_once('=') else { continue };
        let mut whole = rest.trim().to_owned();
        while !whole.trim_end().ends_with('}') {
            let Some(next) = lines.next() else { break };
            whole.push(' ');
            whole.push_str(next.trim());
        }
        let inner = whole.trim_start_matches(['_', '@', '$', '!', ' ']);
        let inner = inner.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(inner);
        let text = std::mem::take(&mut comment).join(" ").trim().to_owned();
        rules.insert(name.trim().to_owned(), Rule { comment: text, body: inner.trim().to_owned() });
    }
    rules
}

/// The text of a rule that is nothing but one sign or keyword.
fn literal(rules: &IndexMap<String, Rule>, name: &str) -> Option<String> {
    let body = &rules.get(name)?.body;
    let first = body.strip_prefix('"')?;
    let end = first.find('"')?;
    let rest = first[end + 1..].trim();
    let is_keyword = name.starts_with("kw_");
    (rest.is_empty() || is_keyword).then(|| first[..end].to_owned())
}

/// A body with literals in the places of their rules, and without the joints that the parser needs.
fn body(rules: &IndexMap<String, Rule>, body: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    for token in tokens(body) {
        match token.as_str() {
            "~" | "SOI" | "EOI" => {}
            word if word.starts_with(|c: char| c.is_ascii_alphabetic()) => {
                match literal(rules, word) {
                    Some(text) => out.push(format!("\"{text}\"")),
                    None => out.push(plain_name(word).to_owned()),
                };
            }
            other => out.push(other.to_owned()),
        }
    }
    let mut text = String::new();
    for part in out {
        let glues = matches!(part.as_str(), ")" | "?" | "*" | "+") || text.ends_with(['(', '!', '&', '^']);
        if !text.is_empty() && !glues {
            text.push(' ');
        }
        text.push_str(&part);
    }
    text
}

/// Words, texts in quotes, and signs.
fn tokens(body: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut chars = body.chars().peekable();
    while let Some(char) = chars.next() {
        if char.is_whitespace() {
            continue;
        }
        let mut token = char.to_string();
        if char == '"' {
            let mut escaped = false;
            for next in chars.by_ref() {
                token.push(next);
                if next == '"' && !escaped {
                    break;
                }
                escaped = next == '\\' && !escaped;
            }
        } else if char.is_ascii_alphanumeric() {
            while let Some(next) = chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                token.push(next);
            }
        }
        tokens.push(token);
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_read_without_the_parser_s_joints() {
        let rules = rules();
        assert_eq!(body(&rules, &rules["let_item"].body), "\"let\" ident \"=\" value");
        assert_eq!(body(&rules, &rules["arg"].body), "(ident \":\")? value");
        assert_eq!(literal(&rules, "lbrace").as_deref(), Some("{"));
        let text = markdown();
        assert!(!text.contains("kw_") && !text.contains("SOI") && !text.contains('~'), "{text}");
    }
}
