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
}

/// Writes a file, or says what stood in the way.
pub(crate) fn write(files: &dyn Files, path: &Path, content: &[u8]) -> Result<(), Diagnostic> {
    files.write(path, content).map_err(|error| {
        Diagnostic::error(Code::OUTPUT, format!("cannot write `{}`: {error}", path.display()))
            .help("check the folder's permissions and the free space; what was there before is intact")
    })
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
