//! Opening data files: paths confined to a root, sizes limited, problems worded with file and line.

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Read, Take};
use std::path::{Component, Path, PathBuf};

use crate::data::limits;
use crate::diagnostic::{Code, Diagnostic};

pub(super) const WAY_OUT: &str = "paths of data are relative to the spec; `--data DIR` looks in DIR instead";

/// The path of `file` below `root`.
///
/// `..` and absolute paths are refused, so that a spec from elsewhere reads nothing outside its folder. Links
/// inside the root are followed: only the owner of the folder can have put them there.
pub(super) fn confine(root: &Path, file: &str) -> Result<PathBuf, Diagnostic> {
    let inside = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    if file.trim().is_empty() || file.contains('\0') {
        return Err(Diagnostic::error(
            Code::DATA_MISSING,
            format!("`{}` names no data file", file.escape_debug()),
        )
        .help(WAY_OUT));
    }
    if !Path::new(file).components().all(inside) {
        let message = format!("the data file `{}` is outside the data folder", file.escape_debug());
        return Err(Diagnostic::error(Code::DATA_MISSING, message)
            .note("neither `..` nor an absolute path may stand in a spec")
            .help(WAY_OUT));
    }
    Ok(root.join(file))
}

/// Opens a regular file for reading, at most [`limits::FILE_BYTES`] of it.
pub(super) fn open(path: &Path) -> Result<Lines<BufReader<File>>, Diagnostic> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(&name, &error))?;
    if !metadata.is_file() {
        let message = format!("`{name}` is not a regular file");
        return Err(Diagnostic::error(Code::DATA_MISSING, message).help(WAY_OUT));
    }
    if metadata.len() > limits::FILE_BYTES {
        return Err(too_large(&name));
    }
    Ok(Lines::new(BufReader::new(file), name))
}

/// What went wrong while a data file was opened, read or unpacked.
pub(super) fn unreadable(name: &str, error: &std::io::Error) -> Diagnostic {
    if let Some(beyond) = Beyond::behind(error) {
        return beyond.0.clone();
    }
    let name = name.escape_debug();
    let message = match error.kind() {
        ErrorKind::NotFound => format!("there is no data file `{name}`"),
        ErrorKind::UnexpectedEof => {
            return Diagnostic::error(Code::DATA_FORMAT, format!("the data file `{name}` is cut short"))
                .help("copy or download it again");
        }
        ErrorKind::PermissionDenied => {
            let message = format!("`{name}` cannot be read: {error}");
            return Diagnostic::error(Code::DATA_MISSING, message)
                .help("give yourself the right to read it: `chmod u+rX`");
        }
        _ if error.raw_os_error().is_none() => {
            let message = format!("the data file `{name}` is damaged: {error}");
            return Diagnostic::error(Code::DATA_FORMAT, message).help("copy or download it again");
        }
        _ => format!("the data file `{name}` cannot be read: {error}"),
    };
    Diagnostic::error(Code::DATA_MISSING, message).help(WAY_OUT)
}

/// A diagnostic on its way through code that only knows errors of input.
#[derive(Debug)]
pub(super) struct Beyond(pub(super) Diagnostic);

impl Beyond {
    fn behind(error: &std::io::Error) -> Option<&Beyond> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error.get_ref()?);
        while let Some(found) = cause {
            if let Some(beyond) = found.downcast_ref::<Beyond>() {
                return Some(beyond);
            }
            cause = match found.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => found.source(),
            };
        }
        None
    }
}

impl std::fmt::Display for Beyond {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Beyond {}

fn too_large(name: &str) -> Diagnostic {
    let message = format!("the data file `{name}` is larger than {} MiB", limits::FILE_BYTES >> 20);
    Diagnostic::error(Code::DATA_LIMIT, message).help("split it, or leave out what training does not need")
}

/// The lines of a text, counted from 1, each at most [`limits::LINE_BYTES`] long.
pub(super) struct Lines<R> {
    reader: Take<R>,
    name: String,
    number: usize,
    buffer: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The lines of `reader`, which messages call `name`.
    pub(super) fn new(reader: R, name: String) -> Lines<R> {
        Lines { reader: reader.take(limits::FILE_BYTES + 1), name, number: 0, buffer: Vec::new() }
    }

    /// The next line without its end and without the byte order mark that some editors put first; `None`
    /// after the last one.
    pub(super) fn next_line(&mut self) -> Result<Option<&str>, Diagnostic> {
        self.buffer.clear();
        self.number += 1;
        let n_read = (&mut self.reader)
            .take(limits::LINE_BYTES + 1)
            .read_until(b'\n', &mut self.buffer)
            .map_err(|error| unreadable(&self.name, &error))?;
        if self.reader.limit() == 0 {
            return Err(too_large(&self.name));
        }
        if n_read as u64 > limits::LINE_BYTES {
            let text = format!("the line is longer than {} MiB", limits::LINE_BYTES >> 20);
            return Err(self.problem(Code::DATA_LIMIT, text));
        }
        if n_read == 0 {
            return Ok(None);
        }
        let Ok(line) = std::str::from_utf8(&self.buffer) else {
            return Err(self.problem(Code::DATA_FORMAT, "the line is not UTF-8 text"));
        };
        let line = if self.number == 1 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        Ok(Some(line.trim_end_matches(['\n', '\r'])))
    }

    /// Number of the line read last.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// The name that messages use.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn problem(&self, code: Code, text: impl std::fmt::Display) -> Diagnostic {
        at_line(code, &self.name, self.number, text)
    }
}

/// An error in line `line` of the file `name`.
pub(super) fn at_line(code: Code, name: &str, line: usize, text: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(code, format!("`{name}`, line {line}: {text}"))
}
