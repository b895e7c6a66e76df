//! The files of a source: a folder, or a `.tar`, `.tar.gz` or `.tgz` archive in its place.
//!
//! In: a name below the root. Out: each regular file, one after the other, with its path inside the source and, if
//! wanted, its bytes; or one plain or `.gz` file as a stream. What is hidden (`.git`, `.DS_Store`) and `__MACOSX` is
//! left out. Folders come in the order of their paths' bytes, archives in their own. Where all of an archive is in one
//! folder of its name (`words/` in `words.tar.gz`), as packing a folder from outside leaves it, that folder is the source.
//! Nothing is ever written to disk.
//! Links of a folder are followed inside the root; archives hold files and folders only, all else in them is refused.
//! Deliberately not done here: what the files mean; archives in archives.

mod stream;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::data::limits;
use crate::data::place::{WAY_OUT, confine, unreadable};
use crate::diagnostic::{Code, Diagnostic};

use stream::open_stream;
pub(super) use stream::{Bounded, open_maybe_gz};

/// Endings of archives, in the order in which they are looked for.
const ENDINGS: [&str; 3] = [".tar", ".tar.gz", ".tgz"];

/// A source that is there.
#[derive(Clone, Debug)]
pub(super) struct Located {
    /// Where it is.
    path: PathBuf,
    /// Its name below the root, with the ending of an archive; empty for the root itself.
    name: String,
    archive: bool,
}

/// One regular file of a source.
pub(super) struct Entry<'a> {
    /// Its path inside the source, parts separated by `/`.
    pub(super) path: &'a str,
    source: &'a Located,
    from: Stored<'a>,
    buffer: &'a mut Vec<u8>,
}

enum Stored<'a> {
    File { path: &'a Path, total: &'a mut u64 },
    Archive { reader: &'a mut dyn Read, size: u64 },
}

/// The folder `name` below `root`, or the archive in its place. `.` is the root; a name may also be that of an archive.
///
/// # Errors
/// E0701 if there is neither, or if it is outside the root.
pub(super) fn locate(root: &Path, name: &str) -> Result<Located, Diagnostic> {
    confine(root, name)?;
    let parts: Vec<&str> = name.split(['/', std::path::MAIN_SEPARATOR]).collect();
    let name = parts.iter().filter(|part| !matches!(**part, "" | ".")).copied().collect::<Vec<_>>().join("/");
    // A spec in the current folder has a root without a name.
    let here = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let path = if name.is_empty() { here.to_owned() } else { root.join(&name) };
    if path.is_dir() {
        within(root, &path, &name)?;
        return Ok(Located { path, name, archive: false });
    }
    let named = ENDINGS.iter().any(|ending| name.ends_with(ending)).then(|| name.clone());
    let others = ENDINGS.iter().map(|ending| format!("{name}{ending}"));
    for candidate in named.into_iter().chain(others) {
        let path = root.join(&candidate);
        if path.is_file() {
            within(root, &path, &candidate)?;
            return Ok(Located { path, name: candidate, archive: true });
        }
    }
    let shown = name.escape_debug();
    let message = match path.exists() {
        true => format!("`{shown}` is neither a folder nor an archive"),
        false => format!("there is no folder `{shown}`, and no archive {}", endings(&shown.to_string())),
    };
    Err(Diagnostic::error(Code::DATA_MISSING, message).help(WAY_OUT))
}

fn endings(name: &str) -> String {
    let [tar, tar_gz, tgz] = ENDINGS;
    format!("`{name}{tar}`, `{name}{tar_gz}` or `{name}{tgz}`")
}

/// Refuses what links lead out of the root.
fn within(root: &Path, path: &Path, name: &str) -> Result<PathBuf, Diagnostic> {
    let real = |path: &Path| path.canonicalize().map_err(|error| unreadable(name, &error));
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let target = match path.canonicalize() {
        Ok(target) => target,
        Err(error) if path.is_symlink() => {
            let message = format!("the link `{}` leads nowhere: {error}", name.escape_debug());
            return Err(Diagnostic::error(Code::DATA_MISSING, message)
                .help("remove the link, or put the file itself there"));
        }
        Err(error) => return Err(unreadable(name, &error)),
    };
    if target.starts_with(real(root)?) {
        return Ok(target);
    }
    let message = format!("the link `{}` leads out of the data folder", name.escape_debug());
    Err(Diagnostic::error(Code::DATA_MISSING, message)
        .help("put the files themselves there, or name their folder with `--data DIR`"))
}

/// Whether there is a source of this name.
pub(super) fn exists(root: &Path, name: &str) -> bool {
    locate(root, name).is_ok()
}

/// Whether the source `name` is an archive.
///
/// # Errors
/// Those of [`locate`].
pub(super) fn is_archive(root: &Path, name: &str) -> Result<bool, Diagnostic> {
    Ok(locate(root, name)?.archive)
}

/// The files below the root that make up the source `name`, in a fixed order; an archive is one file.
///
/// # Errors
/// Those of [`locate`] and of walking a folder.
pub(super) fn list(root: &Path, name: &str) -> Result<Vec<String>, Diagnostic> {
    let source = locate(root, name)?;
    if source.archive {
        return Ok(vec![source.name]);
    }
    let (files, _) = folder_files(root, &source)?;
    Ok(files.into_iter().map(|(path, _)| joined(&source.name, &path)).collect())
}

/// Visits the files of the source `name` below `root`. Gives the folders right below the source, also empty ones.
///
/// # Errors
/// Those of [`locate`]; E0701 for what cannot be read, for links that lead out of the root or in a circle, and for
/// entries of an archive that are outside of it or no files; E0702 for a damaged archive; E0706 beyond a limit; those
/// of the visitor, which end the walk.
pub(super) fn walk(
    root: &Path,
    name: &str,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Diagnostic>,
) -> Result<BTreeSet<String>, Diagnostic> {
    let source = locate(root, name)?;
    match source.archive {
        true => walk_archive(&source, visit),
        false => walk_folder(root, &source, visit),
    }
}

impl<'a> Entry<'a> {
    /// Its name below the root. Packing a folder into an archive does not change it.
    pub(super) fn file(&self) -> String {
        let folder = ENDINGS.iter().rev().find_map(|ending| self.source.name.strip_suffix(ending));
        joined(folder.filter(|_| self.source.archive).unwrap_or(&self.source.name), self.path)
    }

    /// Its name in messages: in an archive, that of the archive too.
    pub(super) fn shown(&self) -> String {
        match self.source.archive {
            true => in_archive(self.path, &self.source.name),
            false => format!("`{}`", joined(&self.source.name, self.path).escape_debug()),
        }
    }

    /// Its bytes.
    ///
    /// # Errors
    /// E0701 if it cannot be read, E0702 if it ends early, E0706 beyond a limit.
    pub(super) fn read(self) -> Result<&'a [u8], Diagnostic> {
        let shown = self.shown();
        let Entry { source, from, buffer, .. } = self;
        buffer.clear();
        match from {
            Stored::Archive { reader, size } => {
                small_enough(size, &shown)?;
                let read = reader.read_to_end(buffer).map_err(|error| unreadable(&source.name, &error))?;
                if read as u64 != size {
                    return Err(unreadable(&source.name, &ErrorKind::UnexpectedEof.into()));
                }
            }
            Stored::File { path, total } => {
                let name = shown.trim_matches('`');
                let file = File::open(path).map_err(|error| unreadable(name, &error))?;
                let mut limited = file.take(limits::ENTRY_BYTES + 1);
                let read = limited.read_to_end(buffer).map_err(|error| unreadable(name, &error))?;
                small_enough(read as u64, &shown)?;
                *total += read as u64;
                if *total > limits::UNPACKED_BYTES {
                    return Err(too_much(&source.name));
                }
            }
        }
        Ok(buffer)
    }
}

fn in_archive(path: &str, archive: &str) -> String {
    format!("`{}` in `{}`", path.escape_debug(), archive.escape_debug())
}

fn small_enough(size: u64, shown: &str) -> Result<(), Diagnostic> {
    if size <= limits::ENTRY_BYTES {
        return Ok(());
    }
    let message = format!("{shown} is larger than {} MiB", limits::ENTRY_BYTES >> 20);
    Err(Diagnostic::error(Code::DATA_LIMIT, message).help("cut it into several files"))
}

fn too_much(name: &str) -> Diagnostic {
    let message =
        format!("`{}` has more than {} GiB of data", name.escape_debug(), limits::UNPACKED_BYTES >> 30);
    Diagnostic::error(Code::DATA_LIMIT, message).help("leave out what training does not need")
}

fn too_many(name: &str) -> Diagnostic {
    let message = format!("`{}` has more than {} files", name.escape_debug(), limits::ENTRIES);
    Diagnostic::error(Code::DATA_LIMIT, message).help("leave out what training does not need")
}

fn joined(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// Whether a file or folder of this name is left out.
fn hidden(part: &str) -> bool {
    part.starts_with('.') || part == "__MACOSX"
}

fn walk_folder(
    root: &Path,
    source: &Located,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Diagnostic>,
) -> Result<BTreeSet<String>, Diagnostic> {
    let (mut buffer, mut total) = (Vec::new(), 0);
    let (files, folders) = folder_files(root, source)?;
    for (path, at) in &files {
        let from = Stored::File { path: at, total: &mut total };
        visit(Entry { path, source, from, buffer: &mut buffer })?;
    }
    Ok(folders)
}

/// Paths inside a folder, and where the files are.
type Files = Vec<(String, PathBuf)>;

/// The files of a folder, sorted, and the folders right below it.
fn folder_files(root: &Path, source: &Located) -> Result<(Files, BTreeSet<String>), Diagnostic> {
    let (mut files, mut tops, mut n_entries) = (Vec::new(), BTreeSet::new(), 0usize);
    // Each folder with its path inside the source and the real places of the folders that it lies in.
    let mut folders =
        vec![(String::new(), source.path.clone(), vec![within(root, &source.path, &source.name)?])];
    while let Some((inside, folder, ancestors)) = folders.pop() {
        let shown = joined(&source.name, &inside);
        let entries = std::fs::read_dir(&folder).map_err(|error| unreadable(&shown, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&shown, &error))?;
            n_entries += 1;
            if n_entries > limits::ENTRIES {
                return Err(too_many(&source.name));
            }
            let os_name = entry.file_name();
            let Some(name) = os_name.to_str() else {
                let message = format!("the name of `{}` is not UTF-8", entry.path().display());
                return Err(Diagnostic::error(Code::DATA_MISSING, message).help("rename the file"));
            };
            if hidden(name) {
                continue;
            }
            let (path, at) = (joined(&inside, name), entry.path());
            let shown = joined(&source.name, &path);
            let kind = entry.file_type().map_err(|error| unreadable(&shown, &error))?;
            if kind.is_symlink() {
                within(root, &at, &shown)?;
            }
            // Neither file nor folder is a device or a pipe: nothing to read.
            if at.is_file() {
                files.push((path, at));
            } else if at.is_dir() {
                let real = within(root, &at, &shown)?;
                if ancestors.contains(&real) {
                    let message = format!("the link `{}` leads to a folder it lies in", shown.escape_debug());
                    return Err(Diagnostic::error(Code::DATA_MISSING, message).help("remove the link"));
                }
                tops.extend(inside.is_empty().then(|| path.clone()));
                let ancestors = ancestors.iter().cloned().chain([real]).collect();
                folders.push((path, at, ancestors));
            }
        }
    }
    files.sort_unstable();
    Ok((files, tops))
}

fn walk_archive(
    source: &Located,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Diagnostic>,
) -> Result<BTreeSet<String>, Diagnostic> {
    let name = &source.name;
    let stream = open_stream(&source.path, name)?;
    let ended = Rc::clone(&stream.get_ref().ended);
    // Whatever the words for it are, after the end there is no other cause.
    let damaged = |error: std::io::Error| match ended.get() {
        true => unreadable(name, &ErrorKind::UnexpectedEof.into()),
        false => unreadable(name, &error),
    };
    let mut archive = tar::Archive::new(stream);
    let own = own_folder(source)?;
    let mut folders = BTreeSet::new();
    let (mut buffer, mut long_name) = (Vec::new(), None);
    // Raw, since otherwise long names are read into memory at whatever length they claim.
    for (index, entry) in archive.entries().map_err(damaged)?.raw(true).enumerate() {
        let mut entry = entry.map_err(damaged)?;
        if index >= limits::ENTRIES {
            return Err(too_many(name));
        }
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            let told = entry_header(&mut entry, name)?;
            long_name = match kind.is_gnu_longname() {
                true => Some(told.split(|&byte| byte == 0).next().unwrap_or_default().to_vec()),
                false => pax_path(&told, name)?.or(long_name),
            };
            continue;
        }
        if kind.is_gnu_longlink() || kind.is_pax_global_extensions() {
            continue;
        }
        let path = long_name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
        let Some(path) = inside(&path, name)? else { continue };
        let path = match &own {
            None => path,
            Some(own) if path == *own => continue,
            Some(own) => {
                let below = path.strip_prefix(own.as_str()).and_then(|path| path.strip_prefix('/'));
                below.map_or(path.clone(), str::to_owned)
            }
        };
        if let Some(folder) = top_folder(&path, kind.is_dir()).filter(|&folder| !folders.contains(folder)) {
            folders.insert(folder.to_owned());
        }
        if kind.is_dir() {
            continue;
        }
        if !(kind.is_file() || kind.is_contiguous()) {
            return Err(no_file(kind, &path, name));
        }
        let size = entry.size();
        let from = Stored::Archive { reader: &mut entry, size };
        visit(Entry { path: &path, source, from, buffer: &mut buffer })?;
    }
    let mut stream = archive.into_inner();
    if ended.get() {
        return Err(unreadable(name, &ErrorKind::UnexpectedEof.into()));
    }
    // To the end, where gzip keeps its check sum.
    std::io::copy(&mut stream, &mut std::io::sink()).map_err(damaged)?;
    Ok(folders)
}

/// The folder of the archive's own name that all in it lies in, if it is packed like that. What is damaged is left to
/// who reads it.
fn own_folder(source: &Located) -> Result<Option<String>, Diagnostic> {
    let file = source.name.rsplit('/').next().unwrap_or(&source.name);
    let stem = ENDINGS.iter().rev().find_map(|ending| file.strip_suffix(ending)).unwrap_or(file);
    let mut archive = tar::Archive::new(open_stream(&source.path, &source.name)?);
    let Ok(entries) = archive.entries() else { return Ok(None) };
    let mut n_files = 0usize;
    // Raw, as where they are read; the header of an entry with a long name has at least how that begins.
    for entry in entries.raw(true).take(limits::ENTRIES) {
        let Ok(entry) = entry else { break };
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname() || kind.is_gnu_longlink() || is_pax(kind) {
            continue;
        }
        let Ok(Some(path)) = inside(&entry.path_bytes(), &source.name) else { continue };
        match path.strip_prefix(stem) {
            Some("") if kind.is_dir() => {}
            Some(rest) if rest.starts_with('/') => n_files += 1,
            _ => return Ok(None),
        }
    }
    Ok((n_files > 0).then(|| stem.to_owned()))
}

fn is_pax(kind: tar::EntryType) -> bool {
    kind.is_pax_local_extensions() || kind.is_pax_global_extensions()
}

/// The folder right below the source that a path inside it is or lies in.
fn top_folder(path: &str, is_folder: bool) -> Option<&str> {
    match path.split_once('/') {
        Some((folder, _)) => Some(folder),
        None => is_folder.then_some(path),
    }
}

/// What an archive says about the next entry.
fn entry_header(entry: &mut impl Read, archive: &str) -> Result<Vec<u8>, Diagnostic> {
    let mut told = Vec::new();
    entry
        .take(limits::ENTRY_HEADER_BYTES + 1)
        .read_to_end(&mut told)
        .map_err(|error| unreadable(archive, &error))?;
    if told.len() as u64 > limits::ENTRY_HEADER_BYTES {
        let message = format!("`{}` has a name that is too long", archive.escape_debug());
        return Err(Diagnostic::error(Code::DATA_LIMIT, message).help("pack it again with shorter names"));
    }
    Ok(told)
}

/// The path among the extended attributes of an entry.
fn pax_path(told: &[u8], archive: &str) -> Result<Option<Vec<u8>>, Diagnostic> {
    let mut path = None;
    for extension in tar::PaxExtensions::new(told) {
        let extension = extension.map_err(|error| unreadable(archive, &error))?;
        match extension.key_bytes() {
            b"path" => path = Some(extension.value_bytes().to_vec()),
            key if key == b"size" || key.starts_with(b"GNU.sparse") => {
                let message =
                    format!("`{}` has an entry that is sparse or beyond 8 GiB", archive.escape_debug());
                return Err(
                    Diagnostic::error(Code::DATA_FORMAT, message).help("pack it with plain `tar -cf`")
                );
            }
            _ => {}
        }
    }
    Ok(path)
}

/// An entry's path without `.`; `None` for what is hidden and for the archive's own folder.
fn inside(path: &[u8], archive: &str) -> Result<Option<String>, Diagnostic> {
    let Ok(path) = std::str::from_utf8(path) else {
        let shown = in_archive(&String::from_utf8_lossy(path), archive);
        return Err(Diagnostic::error(Code::DATA_MISSING, format!("the name of {shown} is not UTF-8"))
            .help("rename the file and pack it again"));
    };
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if path.starts_with('/') || path.contains('\0') || parts.contains(&"..") {
        let message = format!("{} is a path outside the folder", in_archive(path, archive));
        return Err(Diagnostic::error(Code::DATA_MISSING, message)
            .help("pack the folder from inside: `tar -czf NAME.tar.gz -C FOLDER .`"));
    }
    Ok((!parts.is_empty() && !parts.iter().any(|part| hidden(part))).then(|| parts.join("/")))
}

fn no_file(kind: tar::EntryType, path: &str, archive: &str) -> Diagnostic {
    let (what, help) = if kind.is_symlink() || kind.is_hard_link() {
        ("a link", "pack the files themselves: `tar --dereference --hard-dereference`")
    } else {
        ("neither a file nor a folder", "pack files and folders only")
    };
    let message = format!("{} is {what}", in_archive(path, archive));
    Diagnostic::error(Code::DATA_MISSING, message).help(help)
}

#[cfg(test)]
mod tests;
