//! Small data folders for the tests of readers.

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::data::collect::{Collection, Collector, Part};
use crate::data::{Element, Reader};
use crate::diagnostic::{Code, Diagnostic};

/// A folder with these files.
pub(super) fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder for the file");
        std::fs::write(path, bytes).expect("room for the file");
    }
    folder
}

/// What the reader finds below `root`, samples of `element`.
pub(super) fn read_as(reader: &impl Reader, element: Element, root: &Path) -> Result<Collection, Diagnostic> {
    let mut collector = Collector::new(element, None);
    reader.inputs(root)?;
    reader.read(root, &mut collector)?;
    collector.finish()
}

/// What the reader finds in a folder of these files.
pub(super) fn read(reader: &impl Reader, files: &[(&str, &[u8])]) -> Result<Collection, Diagnostic> {
    read_as(reader, reader.element(), folder(files).path())
}

/// Makes sure that the reader refuses these files, with a message that has all of `parts`.
#[track_caller]
pub(super) fn refused(reader: &impl Reader, files: &[(&str, &[u8])], code: Code, parts: &[&str]) {
    let error = match read(reader, files) {
        Err(error) => error,
        Ok(found) => panic!("{} samples were read", found.len()),
    };
    assert_eq!(error.code, code, "{}", error.message);
    let all = format!("{} {} {}", error.message, error.notes.join(" "), error.help.join(" "));
    for part in parts {
        assert!(all.contains(part), "`{part}` is not in: {all}");
    }
    assert!(!error.message.contains("/tmp"), "a path of the machine: {}", error.message);
}

/// Packed by gzip.
pub(super) fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

/// A tar archive of these files.
pub(super) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).expect("memory takes it");
    }
    builder.into_inner().expect("memory takes it")
}

/// A `.npy` file of version 1.
pub(super) fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    npy_of(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"), numbers)
}

/// A `.npy` file of version 1 with any header.
pub(super) fn npy_of(header: &str, numbers: &[u8]) -> Vec<u8> {
    let length = u16::try_from(header.len() + 1).expect("a short header");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.push(b'\n');
    bytes.extend(numbers);
    bytes
}

/// The rows of the table, as floats.
pub(super) fn rows(found: &Collection) -> Vec<Vec<f32>> {
    let (mut row, mut bytes) = (vec![0.0; found.table.width()], Vec::new());
    let row_of = |index| {
        found.table.row(index, &mut row, &mut bytes).expect("a row in memory");
        row.clone()
    };
    (0..found.len()).map(row_of).collect()
}

/// The class of each sample.
pub(super) fn classes(found: &Collection) -> Vec<&str> {
    found.labels.iter().map(|&label| found.classes[label as usize].as_str()).collect()
}

/// How many samples each part has.
pub(super) fn count(found: &Collection, part: Option<Part>) -> usize {
    found.origins.iter().filter(|origin| origin.part == part).count()
}

/// The data that is too large for the repository, where it is there.
pub(super) fn shared() -> Option<PathBuf> {
    std::env::var_os("NASC_SHARED").map(|folder| Path::new(&folder).join("data"))
}

/// Changes bytes of a good file, cuts it or repeats a piece of it.
pub(super) fn mutated(mut bytes: Vec<u8>, changes: &[(usize, u8)], cut: usize) -> Vec<u8> {
    for &(at, byte) in changes {
        let length = bytes.len().max(1);
        if let Some(place) = bytes.get_mut(at % length) {
            *place = byte;
        }
    }
    bytes.truncate(bytes.len().saturating_sub(cut));
    bytes
}
