//! The files that commands read and write, as a trait: the library itself opens none of them.

use std::io;
use std::path::Path;

use crate::diagnostic::{Code, Diagnostic};

/// Reading and writing whole files.
pub trait Files: Sync {
    /// The content of a file.
    ///
    /// # Errors
    /// That of the system.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Puts a content in the place of a file at once: to a temporary file, then renamed. Makes the folders above.
    ///
    /// # Errors
    /// That of the system; what was there before is intact.
    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()>;

    /// Makes a folder and those above it.
    ///
    /// # Errors
    /// That of the system.
    fn make_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// That of the system.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// Writes a file, or says what stood in the way.
pub(crate) fn write(files: &dyn Files, path: &Path, content: &[u8]) -> Result<(), Diagnostic> {
    files.write(path, content).map_err(|error| cannot_write(path, &error))
}

/// Makes an output folder, or says what stood in the way.
pub(crate) fn make_folder(files: &dyn Files, path: &Path) -> Result<(), Diagnostic> {
    files.make_folder(path).map_err(|error| cannot_write(path, &error))
}

/// E0904 for a file or folder.
pub fn cannot_write(path: &Path, error: &io::Error) -> Diagnostic {
    let diagnostic = Diagnostic::error(Code::OUTPUT, format!("cannot write `{}`: {error}", path.display()));
    match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory => {
            diagnostic
                .help("a file stands where a folder is needed, or the other way round: give another path")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => diagnostic
            .note("what was there before is intact, and all trials are in the store")
            .help("make room, then repeat the command: it goes on from there"),
        _ => diagnostic
            .help("check the folder's permissions and the free space; what was there before is intact"),
    }
}

/// The content of a file; `None` if there is none.
pub(crate) fn read_if_there(
    files: &dyn Files,
    path: &Path,
    code: Code,
) -> Result<Option<Vec<u8>>, Diagnostic> {
    match files.read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Diagnostic::error(code, format!("cannot read `{}`: {error}", path.display()))
            .help("check the file's permissions")),
    }
}
