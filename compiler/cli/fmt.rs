//! `nasc fmt`: files in their one layout.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use nasc::diagnostic::{Code, Diagnostic, Diagnostics};
use nasc::pipeline::{Failure, Files as _, cannot_write};
use nasc::source::SourceMap;
use nasc::syntax;
use serde_json::json;

use crate::cli::args::{FmtArgs, Format};
use crate::cli::world::Disk;
use crate::cli::{BAD, Outcome, print, print_json, show_diagnostics};

/// Lines of one file's differences that are shown.
const MAX_SHOWN: usize = 40;

/// Cells of the table that finds the differences; beyond it the whole middle counts as changed.
const MAX_CELLS: usize = 4 << 20;

/// A file and its layout.
struct Formatted {
    path: PathBuf,
    before: String,
    after: String,
}

impl Formatted {
    fn is_changed(&self) -> bool {
        self.before != self.after
    }
}

/// Formats files, or the standard input. Files with mistakes are told and left as they are; the others are formatted.
pub(crate) fn fmt(args: &FmtArgs, format: Format) -> Outcome {
    let from_stdin = args.stdin || args.files == [Path::new("-")];
    let paths = if from_stdin { vec![PathBuf::from("-")] } else { args.files.clone() };
    let mut code = ExitCode::SUCCESS;
    let mut shown = Vec::new();
    for path in paths {
        let done = read(&path, from_stdin).and_then(|text| formatted(path, text)).and_then(|file| {
            if file.is_changed() && !args.check && !from_stdin {
                write(&file)?;
            }
            Ok(file)
        });
        match done {
            Ok(file) => {
                if args.check && file.is_changed() {
                    code = ExitCode::from(BAD);
                }
                shown.push(file);
            }
            Err(failure) => {
                code = ExitCode::from(BAD);
                show_diagnostics(&failure, format);
            }
        }
    }
    show(&shown, args.check, from_stdin, format);
    Ok(code)
}

fn show(files: &[Formatted], check: bool, from_stdin: bool, format: Format) {
    if format == Format::Json {
        let entry = |file: &Formatted| {
            let mut entry = json!({ "path": file.path.display().to_string(), "changed": file.is_changed() });
            if from_stdin && !check {
                entry["text"] = json!(file.after);
            }
            entry
        };
        return print_json(&json!({ "files": files.iter().map(entry).collect::<Vec<_>>() }));
    }
    for file in files {
        if check && file.is_changed() {
            print(&format!(
                "{} would change\n{}",
                file.path.display(),
                difference(&file.before, &file.after)
            ));
        } else if from_stdin && !check {
            print(&file.after);
        } else if file.is_changed() && !check {
            print(&format!("{} formatted\n", file.path.display()));
        }
    }
}

fn read(path: &Path, from_stdin: bool) -> Result<String, Failure> {
    let mut content = Vec::new();
    let read = match from_stdin {
        true => std::io::stdin().read_to_end(&mut content).map(|_| content),
        false => Disk.read(path),
    };
    let cannot_read = |what: String| {
        Failure::from(Diagnostic::error(Code::OUTPUT, format!("cannot read `{}`: {what}", path.display())))
    };
    let content = read.map_err(|error| cannot_read(error.to_string()))?;
    String::from_utf8(content).map_err(|_| cannot_read("it is not UTF-8".to_owned()))
}

fn formatted(path: PathBuf, before: String) -> Result<Formatted, Failure> {
    let mut sources = SourceMap::new();
    let file = sources.add(path.display().to_string(), before.clone());
    match syntax::format(&sources, file) {
        Ok(after) => Ok(Formatted { path, before, after }),
        Err(diagnostics) => Err(Failure { sources, diagnostics }),
    }
}

/// Puts the file in the place of the old one, also where a link leads there, with its permissions.
fn write(file: &Formatted) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::from(Diagnostics::from(cannot_write(&file.path, &error)));
    let path = std::fs::canonicalize(&file.path).map_err(cannot)?;
    let permissions = std::fs::metadata(&path).map_err(cannot)?.permissions();
    Disk.write(&path, file.after.as_bytes()).map_err(cannot)?;
    std::fs::set_permissions(&path, permissions).map_err(cannot)
}

/// The lines that differ, as in a patch without context.
fn difference(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let same_start = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[same_start..], &new[same_start..]);
    let same_end = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[..old.len() - same_end], &new[..new.len() - same_end]);
    let mut lines = Vec::new();
    let (mut a, mut b) = (0, 0);
    let lengths = common(old, new);
    while a < old.len() || b < new.len() {
        let at = |a: usize, b: usize| lengths.get(a * (new.len() + 1) + b).copied().unwrap_or(0);
        let first = a;
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        while (a < old.len() || b < new.len()) && old.get(a) != new.get(b) {
            if a < old.len() && (b == new.len() || at(a + 1, b) > at(a, b + 1)) {
                removed.push(format!("-{}", old[a].trim_end_matches('\r')));
                a += 1;
            } else if b < new.len() {
                added.push(format!("+{}", new[b]));
                b += 1;
            }
        }
        if !(removed.is_empty() && added.is_empty()) {
            lines.push(format!("@@ line {} @@", same_start + first + 1));
            lines.extend(removed.into_iter().chain(added));
        }
        (a, b) = (a + 1, b + 1);
    }
    let mut out = String::new();
    for line in lines.iter().take(MAX_SHOWN) {
        let _ = writeln!(out, "{line}");
    }
    if lines.len() > MAX_SHOWN {
        let _ = writeln!(out, "... and {} more lines", lines.len() - MAX_SHOWN);
    }
    out
}

/// The length of the longest common subsequence from every pair of places on; empty if the table is too large.
fn common(old: &[&str], new: &[&str]) -> Vec<u32> {
    let width = new.len() + 1;
    let cells = width.saturating_mul(old.len() + 1);
    if cells > MAX_CELLS {
        return Vec::new();
    }
    let mut lengths = vec![0; cells];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            lengths[a * width + b] = match old[a] == new[b] {
                true => lengths[(a + 1) * width + b + 1] + 1,
                false => lengths[(a + 1) * width + b].max(lengths[a * width + b + 1]),
            };
        }
    }
    lengths
}
