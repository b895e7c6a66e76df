//! Whether a page is well-formed: every element closed where it was opened, every attribute quoted.

/// Elements that have no end.
const VOID: [&str; 3] = ["meta", "br", "input"];
/// Elements whose content is no markup.
const RAW: [&str; 2] = ["style", "script"];

/// Panics with the place of the first thing that is wrong.
#[track_caller]
pub(crate) fn check(page: &str) {
    let mut rest = page.strip_prefix("<!DOCTYPE html>\n").expect("a document type");
    let mut open: Vec<String> = Vec::new();
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "a bare `>` in {:?}", &rest[..start]);
        check_entities(&rest[..start]);
        let end = tag_end(&rest[start..]) + start;
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "closed here: {:.80}", rest);
            continue;
        }
        let name = tag.split([' ', '\n', '/']).next().unwrap().to_owned();
        assert!(!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric()), "`<{tag}>`");
        check_attributes(tag.trim_end_matches('/'), &name);
        if RAW.contains(&name.as_str()) {
            let close = format!("</{name}>");
            let end = rest.find(&close).expect("its end");
            rest = &rest[end + close.len()..];
        } else if !tag.ends_with('/') && !VOID.contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    assert_eq!(rest, "\n");
}

/// Where a tag ends, quoted text apart.
fn tag_end(text: &str) -> usize {
    let mut quoted = false;
    let end = text.char_indices().find(|&(_, sign)| {
        quoted ^= sign == '"';
        sign == '>' && !quoted
    });
    end.expect("a tag ends").0
}

fn check_entities(text: &str) {
    for after in text.split('&').skip(1) {
        let name = after.split(';').next().unwrap();
        assert!(["amp", "lt", "gt", "quot", "#39"].contains(&name), "`&{name}`");
    }
}

fn check_attributes(tag: &str, name: &str) {
    let mut rest = tag[name.len()..].trim_start();
    let mut seen = Vec::new();
    while !rest.is_empty() {
        let length = rest.find(['=', ' ', '\n']).unwrap_or(rest.len());
        let key = &rest[..length];
        assert!(!key.contains('"') && !seen.contains(&key) && !key.starts_with("on"), "`{key}` in <{tag}>");
        assert!(key != "style" && key != "src", "the page's policy forbids `{key}`");
        seen.push(key);
        rest = &rest[length..];
        if let Some(value) = rest.strip_prefix("=\"") {
            let end = value.find('"').expect("a quote ends");
            check_entities(&value[..end]);
            assert!(!value[..end].contains('<'), "`{key}` in <{tag}>");
            rest = &value[end + 1..];
        }
        rest = rest.trim_start();
    }
}
