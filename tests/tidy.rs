//! House rules that no compiler checks: layers, lengths, companions, places of input and output.
//!
//! In: the text of the repository. Every check gathers all offences and names file, line and the way out.
//! Comments and strings are blanked before code is searched, so both may speak of what code may not do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of a source file that are not tests.
const MAX_LINES: usize = 600;
/// What is wished for; above it a file is mentioned.
const WISHED_LINES: usize = 500;
/// What may use every module: the crate's root, the command line, the build script.
const EXEMPT: &[&str] = &["lib", "main", "build", "cli"];
/// Where files, processes, clocks and the environment may be used.
const OUTSIDE_WORLD: &[&str] =
    &["compiler/data/", "compiler/search/store/", "compiler/device/", "compiler/cli/"];
/// The same for single files.
const OUTSIDE_WORLD_FILES: &[&str] = &["compiler/main.rs", "compiler/build.rs"];
/// What says that a path belongs to one machine.
const MACHINE_PATHS: &[&str] = &["/work/", "/root/", "/home/", "/tmp/bash"];
/// Remarks that say that code is not finished.
const LEFT_OVER: &[&str] = &["TODO", "FIXME", "XXX", "TEMP"];
/// The words of an operator's documentation, in order.
const OPERATOR_WORDS: &[&str] = &["Shapes", "Types", "Cost", "Errors", "Source"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path as messages show it: from the root, with `/`.
fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string().replace('\\', "/")
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", shown(path)));
    String::from_utf8(bytes).unwrap_or_else(|_| panic!("{} is not UTF-8", shown(path)))
}

/// All files below a folder of the repository, sorted; none if it is not there.
fn files_below(folder: &str) -> Vec<PathBuf> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && entry.file_name() != ".nasc" => walk(&path, files),
                Ok(kind) if kind.is_file() => files.push(path),
                _ => {}
            }
        }
    }
    let mut files = Vec::new();
    walk(&root().join(folder), &mut files);
    files.sort();
    files
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn files_with(folder: &str, extension: &str) -> Vec<PathBuf> {
    files_below(folder).into_iter().filter(|path| has_extension(path, extension)).collect()
}

/// What git tracks; without git, the files of the folders that hold sources.
fn tracked() -> Vec<PathBuf> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root()).output();
    if let Ok(output) = listed
        && output.status.success()
        && !output.stdout.is_empty()
    {
        let names = String::from_utf8_lossy(&output.stdout).into_owned();
        let paths = names.split('\0').filter(|name| !name.is_empty()).map(|name| root().join(name));
        return paths.filter(|path| path.is_file()).collect();
    }
    let folders = ["compiler", "docs", "examples", "grammar", "stdlib", "tests", ".ci"];
    let top = fs::read_dir(root()).expect("the root is readable").flatten().map(|entry| entry.path());
    top.filter(|path| path.is_file()).chain(folders.into_iter().flat_map(files_below)).collect()
}

/// Fails with all offences, one a line, and the way out.
fn refuse(offences: &[String], way_out: &str) {
    assert!(offences.is_empty(), "\n{}\n\n{} in all. {way_out}\n", offences.join("\n"), offences.len());
}

/// A Rust file with comments, strings and characters blanked; line breaks stay.
struct Code {
    path: PathBuf,
    text: String,
}

impl Code {
    fn read(path: &Path) -> Code {
        Code { path: path.to_owned(), text: blank(&read(path)) }
    }

    fn place(&self, at: usize) -> String {
        format!("{}:{}", shown(&self.path), line_of(&self.text, at))
    }

    /// Whether the whole file is compiled for tests alone.
    fn is_test(&self) -> bool {
        let mut parts = self.path.strip_prefix(root()).unwrap_or(&self.path).iter();
        parts.any(|part| part == "tests" || part == "tests.rs" || part == "benches")
    }

    /// The code with every item under `#[cfg(test)]` blanked too.
    fn without_tests(&self) -> String {
        const MARK: &str = "#[cfg(test)]";
        let mut bytes = self.text.clone().into_bytes();
        let mut from = 0;
        while let Some(found) = find(&bytes, MARK.as_bytes(), from) {
            let end = end_of_item(&bytes, found + MARK.len());
            bytes[found..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
            from = end;
        }
        String::from_utf8(bytes).expect("blanked code is ASCII where it was changed")
    }

    /// Number of lines outside `#[cfg(test)]`, comments and blank lines included.
    fn own_lines(&self) -> usize {
        let all = self.text.lines().count();
        let (before, after) = (self.text.as_str(), self.without_tests());
        let blanked = before.lines().zip(after.lines()).filter(|(old, new)| old != new).count();
        all - blanked
    }
}

fn rust_files(folder: &str) -> Vec<Code> {
    files_with(folder, "rs").iter().map(|path| Code::read(path)).collect()
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1
}

fn find(bytes: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    bytes[from..].windows(needle.len()).position(|window| window == needle).map(|at| at + from)
}

/// Positions of a needle that does not continue a longer word.
fn words<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(needle).map(|(at, _)| at).filter(|&at| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    })
}

fn word_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())]
}

/// Where an item ends: after its `;`, or after the brace that closes its body.
fn end_of_item(bytes: &[u8], from: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in bytes.iter().enumerate().skip(from) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    bytes.len()
}

/// Blanks comments and what stands between quotes.
fn blank(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => find(bytes, b"\n", at).unwrap_or(bytes.len()),
            b'/' if bytes[at..].starts_with(b"/*") => end_of_comment(bytes, at),
            b'"' => end_of_string(bytes, at),
            b'r' if !continues_word(bytes, at) && raw_hashes(bytes, at).is_some() => {
                let close = format!("\"{}", "#".repeat(raw_hashes(bytes, at).unwrap_or(0)));
                let open = find(bytes, b"\"", at).map_or(bytes.len(), |open| open + 1);
                find(bytes, close.as_bytes(), open).map_or(bytes.len(), |found| found + close.len())
            }
            b'\'' => end_of_char(source, at),
            _ => {
                at += 1;
                continue;
            }
        };
        out[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    String::from_utf8(out).expect("whole characters are blanked")
}

fn continues_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'b' || bytes[at - 1] == b'_')
}

/// The number of `#` of a raw string that starts with the `r` at `at`.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (at, depth) = (at + 2, depth + 1);
        } else if bytes[at..].starts_with(b"*/") {
            (at, depth) = (at + 2, depth - 1);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a character; a lifetime ends after its quote.
fn end_of_char(source: &str, start: usize) -> usize {
    let rest = &source[start + 1..];
    if rest.starts_with('\\') {
        let close = rest.char_indices().skip(2).find(|&(_, c)| c == '\'');
        return close.map_or(source.len(), |(at, _)| start + 2 + at);
    }
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((at, '\'')) => start + 2 + at,
        _ => start + 1,
    }
}

/// The rows of the module table: name, what it may use, and the line, in order.
fn module_table() -> Vec<(String, Vec<String>, usize)> {
    let text = read(&root().join("compiler/ARCHITECTURE.md"));
    let mut inside = false;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with("| module |") {
            inside = true;
        } else if !line.starts_with('|') {
            inside = false;
        } else if inside && !line.starts_with("|---") {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            let uses = cells[2].split(',').map(|name| name.trim().trim_matches('`').to_owned());
            let uses = uses.filter(|name| !name.is_empty()).collect();
            rows.push((cells[1].trim_matches('`').to_owned(), uses, number + 1));
        }
    }
    assert!(rows.len() > 5, "compiler/ARCHITECTURE.md has no module table under `| module | may use |`");
    rows
}

/// The module that a file of `compiler/` belongs to.
fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root().join("compiler")).expect("a file of compiler/");
    let first = below.iter().next().expect("a path has a part").to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn blanking_keeps_code_alone() {
    let source = "a(\"x\\\"y\", 'c', '\\'', b\"z\", r#\"q\"w\"#, br\"e\"); /* b /* c */ d */ fn f<'a>(x: &'a T) {} // g";
    let code = blank(source);
    assert_eq!(code.len(), source.len());
    let kept: String = code.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(kept, "a( , , , b , , b ); fn f< a>(x: & a T) {}");
    let code = Code {
        path: root().join("compiler/x.rs"),
        text: "one\n#[cfg(test)]\nmod tests {\n  fn f() {}\n}\ntwo\n".into(),
    };
    assert_eq!(code.without_tests().split_whitespace().collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(code.own_lines(), 2);
}

#[test]
fn modules_use_only_what_their_row_allows() {
    let rows = module_table();
    let allowed: BTreeMap<&str, &[String]> =
        rows.iter().map(|(name, uses, _)| (name.as_str(), uses.as_slice())).collect();
    let mut offences = Vec::new();
    for code in rust_files("compiler") {
        let module = module_of(&code.path);
        let Some(uses) = allowed.get(module.as_str()) else { continue };
        for at in words(&code.text, "crate::") {
            let used = word_at(&code.text, at + "crate::".len());
            let is_module = allowed.contains_key(used);
            if is_module && used != module && !uses.iter().any(|name| name == used) {
                offences.push(format!("{}: `{module}` uses `crate::{used}`", code.place(at)));
            }
        }
    }
    refuse(
        &offences,
        "Move the code to a later module, or add the used module, if it is an earlier one, to the row of \
         `compiler/ARCHITECTURE.md`.",
    );
}

#[test]
fn uses_name_their_module() {
    let mut offences = Vec::new();
    for code in rust_files("compiler").iter().filter(|code| !EXEMPT.contains(&module_of(&code.path).as_str()))
    {
        for needle in ["crate::{", "crate::*", "super::super", "crate as "] {
            for at in words(&code.text, needle) {
                offences.push(format!("{}: `{needle}`", code.place(at)));
            }
        }
    }
    refuse(&offences, "Write one `use crate::module::{...};` for each module, so that its uses can be read.");
}

#[test]
fn the_module_table_is_complete_and_ordered() {
    let rows = module_table();
    let mut offences = Vec::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for (name, uses, line) in &rows {
        let place = format!("compiler/ARCHITECTURE.md:{line}");
        for used in uses.iter().filter(|used| !known.contains(used.as_str())) {
            offences.push(format!("{place}: `{name}` may use `{used}`, which is no earlier row"));
        }
        if !known.insert(name) {
            offences.push(format!("{place}: `{name}` has two rows"));
        }
        let folder = root().join("compiler").join(name);
        if !folder.join("mod.rs").is_file() && !folder.with_extension("rs").is_file() {
            offences.push(format!("{place}: there is no module `{name}` in compiler/"));
        }
    }
    let found: BTreeSet<String> = files_with("compiler", "rs").iter().map(|path| module_of(path)).collect();
    for module in found.iter().filter(|name| !EXEMPT.contains(&name.as_str())) {
        if !known.contains(module.as_str()) {
            offences.push(format!("compiler/{module}: is not in the table of compiler/ARCHITECTURE.md"));
        }
    }
    refuse(&offences, "A row names a module of compiler/ and uses earlier rows only; order them so.");
}

#[test]
fn files_are_short() {
    let mut offences = Vec::new();
    for code in rust_files("compiler").iter().filter(|code| !code.is_test()) {
        let lines = code.own_lines();
        if lines > MAX_LINES {
            offences.push(format!("{}: {lines} lines without tests, at most {MAX_LINES}", shown(&code.path)));
        } else if lines > WISHED_LINES {
            eprintln!(
                "note: {} has {lines} lines without tests, {WISHED_LINES} are wished",
                shown(&code.path)
            );
        }
    }
    refuse(&offences, "Split the file by concern; move long tests to `tests.rs` in the module's folder.");
}

/// The names in the list `ops! { ... }` that makes the `Op` enum.
fn operators() -> Vec<String> {
    let code = Code::read(&root().join("compiler/ops/mod.rs"));
    let start =
        words(&code.text, "ops! {").last().expect("compiler/ops/mod.rs lists the operators in `ops!`");
    let list = &code.text[start + "ops! {".len()..];
    let list = &list[..list.find('}').expect("the list ends")];
    list.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The documentation above the line `line` of a file, without `///`.
fn docs_above<'a>(lines: &[&'a str], line: usize) -> Vec<&'a str> {
    let above = lines[..line].iter().rev().map(|text| text.trim());
    let mut docs: Vec<&str> = above
        .take_while(|text| text.starts_with("///") || text.starts_with('#') || text.ends_with(")]"))
        .filter_map(|text| text.strip_prefix("///"))
        .collect();
    docs.reverse();
    docs
}

#[test]
fn operators_are_documented() {
    let files: Vec<(PathBuf, String)> =
        files_with("compiler/ops", "rs").into_iter().map(|path| (path.clone(), read(&path))).collect();
    let operators = operators();
    assert!(operators.iter().any(|name| name == "Conv2d"), "`ops!` was not read: {operators:?}");
    let mut offences = Vec::new();
    for name in &operators {
        let place = files.iter().find_map(|(path, text)| {
            let lines: Vec<&str> = text.lines().collect();
            let line = lines.iter().position(|line| {
                let rest = line.strip_prefix("pub struct ");
                rest.is_some_and(|rest| word_at(rest, 0) == name.as_str())
            })?;
            let docs = docs_above(&lines, line);
            let found: Vec<&str> = docs.iter().filter_map(|doc| doc.split_whitespace().next()).collect();
            let mut words = found.into_iter();
            let missing = OPERATOR_WORDS.iter().find(|&word| !words.any(|found| found == *word));
            Some((format!("{}:{}", shown(path), line + 1), missing))
        });
        match place {
            None => {
                offences.push(format!("compiler/ops/mod.rs: no file of compiler/ops has `pub struct {name}`"))
            }
            Some((place, Some(word))) => {
                offences
                    .push(format!("{place}: `{name}` lacks the line `/// {word}`, or it is out of order"));
            }
            Some((_, None)) => {}
        }
    }
    refuse(
        &offences,
        "An operator's documentation ends with the lines Shapes, Types, Cost, Errors and Source.",
    );
}

/// What is wrong with a snapshot: it stands beside the `.nas` case it is of, or in insta's folder `snapshots`, where
/// its head names the test file and its own name ends with a name from that file.
fn orphaned(snapshot: &Path, stem: &str) -> Option<String> {
    let case = format!("{}.nas", stem.split('.').next().unwrap_or(stem));
    if snapshot.with_file_name(&case).is_file() {
        return None;
    }
    if snapshot.parent().is_none_or(|folder| !folder.ends_with("snapshots")) {
        return Some(format!("there is no `{case}` beside it"));
    }
    let text = read(snapshot);
    let source = text.lines().find_map(|line| line.strip_prefix("source: ")).unwrap_or("no `source:`");
    let name = stem.rsplit("__").next().unwrap_or(stem);
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    match fs::read_to_string(root().join(source)) {
        Err(_) => Some(format!("its test file is gone: {source}")),
        Ok(test) if !test.contains(name) => Some(format!("{source} speaks of no `{name}`")),
        Ok(_) => None,
    }
}

#[test]
fn snapshots_have_their_case() {
    let folders = ["compiler", "examples", "stdlib", "tests"];
    let mut offences = Vec::new();
    for path in folders.into_iter().flat_map(files_below) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".snap.new") || name.ends_with(".pending-snap") {
            offences.push(format!("{}: a snapshot that nobody has looked at", shown(&path)));
        } else if let Some(why) = name.strip_suffix(".snap").and_then(|stem| orphaned(&path, stem)) {
            offences.push(format!("{}: {why}", shown(&path)));
        }
    }
    refuse(&offences, "Look at a new snapshot and rename it to `.snap`, or remove what has no case.");
}

#[test]
fn no_path_belongs_to_one_machine() {
    let mut offences = Vec::new();
    let this = root().join("tests/tidy.rs");
    for path in tracked().iter().filter(|path| **path != this) {
        let Ok(text) = String::from_utf8(fs::read(path).expect("a tracked file is readable")) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            for needle in MACHINE_PATHS {
                let here = line.match_indices(needle).any(|(at, _)| {
                    let before = line[..at].chars().next_back();
                    !before.is_some_and(|c| c.is_alphanumeric() || "._-~".contains(c))
                });
                if here {
                    offences.push(format!("{}:{}: `{needle}`", shown(path), number + 1));
                }
            }
        }
    }
    refuse(&offences, "Use a path from the repository's root, or a variable of the environment.");
}

#[test]
fn nothing_is_left_to_do() {
    let mut offences = Vec::new();
    let this = root().join("tests/tidy.rs");
    for code in ["compiler", "tests"].into_iter().flat_map(rust_files) {
        // These words stand in comments, so the text is searched as it is written.
        let written = read(&code.path);
        for needle in LEFT_OVER.iter().filter(|_| code.path != this) {
            for at in words(&written, needle).filter(|&at| word_at(&written, at) == *needle) {
                offences.push(format!("{}: `{needle}`", code.place(at)));
            }
        }
        for needle in ["todo!", "unimplemented!", "#[ignore", "#[should_panic"] {
            for (at, _) in code.text.match_indices(needle) {
                offences.push(format!("{}: `{needle}`", code.place(at)));
            }
        }
    }
    refuse(&offences, "Finish it, or leave it out; a test runs always and asserts what happens.");
}

/// Uses of files, processes, clocks, networks and the environment in some code.
fn outside_world(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for needle in
        ["std::fs", "std::process", "std::env", "std::net", "Instant::now", "SystemTime", "UNIX_EPOCH"]
    {
        found.extend(words(text, needle).map(|at| (at, needle.to_owned())));
    }
    for at in words(text, "std::{") {
        let list = text[at..].split('}').next().unwrap_or_default();
        for name in ["fs", "process", "env", "net"] {
            if words(list, name).any(|inside| word_at(list, inside) == name) {
                found.push((at, format!("std::{{{name}}}")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn the_outside_world_stays_outside() {
    assert_eq!(outside_world("use std::{env, fmt};\nstd::fs::read(x); my_std::fs").len(), 2);
    let mut offences = Vec::new();
    for code in rust_files("compiler").iter().filter(|code| !code.is_test()) {
        let path = shown(&code.path);
        let allowed = OUTSIDE_WORLD.iter().any(|folder| path.starts_with(folder));
        if allowed || OUTSIDE_WORLD_FILES.contains(&path.as_str()) {
            continue;
        }
        for (at, what) in outside_world(&code.without_tests()) {
            offences.push(format!("{}: `{what}`", code.place(at)));
        }
    }
    refuse(
        &offences,
        "Only data, search::store, device and the command line do I/O or read clocks and the environment; \
         take a trait such as `Clock` or `Files` as an argument.",
    );
}

#[test]
fn nas_files_say_their_version() {
    let library = files_with("stdlib", "nas");
    assert!(!library.is_empty(), "stdlib/ holds no .nas file");
    let mut offences = Vec::new();
    for path in library.iter().chain(&files_with("examples", "nas")) {
        let text = read(path);
        if text.lines().next().map(str::trim_end) != Some("nas 1") {
            offences.push(format!("{}:1: does not start with `nas 1`", shown(path)));
        }
    }
    refuse(&offences, "Make `nas 1` the first line.");
}

#[test]
fn rust_is_formatted() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = |arguments: &[&str]| Command::new(&cargo).args(arguments).current_dir(root()).output();
    if !run(&["fmt", "--version"]).is_ok_and(|output| output.status.success()) {
        eprintln!("note: cargo-fmt is missing, formatting is not checked: rustup component add rustfmt");
        return;
    }
    let output = run(&["fmt", "--check", "--", "--files-with-diff"]).expect("cargo runs");
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut offences: Vec<String> = listed.lines().map(|line| shown(Path::new(line))).collect();
    offences.sort();
    offences.dedup();
    if !output.status.success() && offences.is_empty() {
        offences.push(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    refuse(&offences, "Run `cargo fmt`.");
}

#[test]
fn the_readme_shows_the_example_as_it_is() {
    let readme = read(&root().join("README.md"));
    let shown = readme.split("```nas\n").nth(1).and_then(|rest| rest.split("```").next());
    let example = read(&root().join("examples/vowels/vowels.nas"));
    assert_eq!(
        shown,
        Some(example.as_str()),
        "README.md shows another spec than examples/vowels/vowels.nas: copy the file into the README"
    );
}

#[test]
fn links_lead_somewhere() {
    let mut offences = Vec::new();
    for path in tracked().into_iter().filter(|path| has_extension(path, "md")) {
        let text = read(&path);
        for (at, _) in text.match_indices("](") {
            let link = text[at + 2..].split([')', '#']).next().unwrap_or_default();
            let elsewhere = link.is_empty() || link.contains("://") || link.contains(char::is_whitespace);
            if !elsewhere && !path.with_file_name(link).exists() {
                offences.push(format!("{}:{}: there is no `{link}`", shown(&path), line_of(&text, at)));
            }
        }
    }
    refuse(&offences, "Correct the link; it is relative to the file it stands in.");
}
