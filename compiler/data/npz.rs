//! NumPy's `.npz` archives: arrays by name.
//!
//! In: the bytes of a file of `numpy.savez` or `numpy.savez_compressed`. Out: its arrays, all numbers as floats of 64
//! bits, which hold those of up to 32 bits exactly. Deliberately not done here: samples and labels, which are read from
//! single arrays.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::data::bytes::Bytes;
use crate::data::limits;
use crate::data::npy::array::Header;
use crate::diagnostic::{Code, Diagnostic};

/// Arrays of one archive, at most.
const ARRAYS: usize = 1 << 16;

/// An array of numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Extents; empty for a single number.
    pub shape: Vec<usize>,
    /// The numbers, the last extent innermost.
    pub values: Vec<f64>,
}

/// Reads the arrays of an archive, which messages call `name`.
///
/// # Errors
/// E0702 for what is no archive of arrays of numbers, E0706 for what is beyond the limits.
pub fn read_npz(bytes: &[u8], name: &str) -> Result<BTreeMap<String, Array>, Diagnostic> {
    let bad = |error: &dyn std::fmt::Display| {
        Diagnostic::error(Code::DATA_FORMAT, format!("`{}`: {error}", name.escape_debug()))
            .help("write it with `numpy.savez`")
    };
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| bad(&error))?;
    if archive.len() > ARRAYS {
        let text = format!("`{}`: more than {ARRAYS} arrays", name.escape_debug());
        return Err(Diagnostic::error(Code::DATA_LIMIT, text).help("keep those that matter"));
    }
    let (mut arrays, mut left) = (BTreeMap::new(), limits::FILE_BYTES);
    for number in 0..archive.len() {
        let member = archive.by_index(number).map_err(|error| bad(&error))?;
        let file = member.name().map_err(|error| bad(&error))?.into_owned();
        let Some(array) = file.strip_suffix(".npy").map(str::to_owned) else { continue };
        let (numbers, read) = read_array(member, &format!("{name}/{array}"), left)?;
        left -= read;
        arrays.insert(array, numbers);
    }
    Ok(arrays)
}

/// Reads an array of at most `left` bytes, and says how many it had.
fn read_array(member: impl Read, name: &str, left: u64) -> Result<(Array, u64), Diagnostic> {
    let mut file = Bytes::new(member.take(left), name);
    let header = Header::read_any(&mut file)?;
    let size = header.shape.iter().try_fold(header.bytes(), |size, &extent| size.checked_mul(extent));
    let Some(size) = size.filter(|&size| size as u64 <= left) else {
        let text = format!("more than {left} bytes are left to read");
        return Err(file.error(Code::DATA_LIMIT, text).help("keep only the arrays that matter"));
    };
    let mut bytes = Vec::new();
    file.take(size, "the numbers", &mut bytes)?;
    header.order(&mut bytes);
    let mut values = Vec::new();
    header.doubles(&bytes, &mut values);
    Ok((Array { shape: header.shape, values }, size as u64))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::write::SimpleFileOptions;
    use zip::{CompressionMethod, ZipWriter};

    use super::*;

    fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).expect("short").to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes
    }

    fn archive(members: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in members {
            let options = SimpleFileOptions::default().compression_method(method);
            writer.start_file(*name, options).expect("a member");
            writer.write_all(bytes).expect("memory");
        }
        writer.finish().expect("memory").into_inner()
    }

    #[test]
    fn arrays_are_read_by_name() {
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let bytes = archive(
                &[
                    ("a/b:0.npy", npy("|i1", "(2, 2)", &[1, 255, 128, 127])),
                    ("f.npy", npy("<f4", "(1,)", &0.1f32.to_le_bytes())),
                    ("scalar.npy", npy("<i8", "()", &7i64.to_le_bytes())),
                    ("note.txt", b"not an array".to_vec()),
                ],
                method,
            );
            let arrays = read_npz(&bytes, "run.npz").expect("an archive");
            let array =
                |shape: &[usize], values: &[f64]| Array { shape: shape.into(), values: values.into() };
            assert_eq!(arrays.len(), 3);
            assert_eq!(arrays["a/b:0"], array(&[2, 2], &[1.0, -1.0, -128.0, 127.0]));
            assert_eq!(arrays["f"], array(&[1], &[f64::from(0.1f32)]));
            assert_eq!(arrays["scalar"], array(&[], &[7.0]));
        }
    }

    #[test]
    fn what_is_no_archive_of_numbers_is_an_error() {
        let short = archive(&[("x.npy", npy("<f4", "(4,)", &[0; 15]))], CompressionMethod::Stored);
        let huge = archive(&[("x.npy", npy("<f4", "(99999999999,)", &[0; 15]))], CompressionMethod::Stored);
        let objects = archive(&[("x.npy", npy("|O", "(1,)", &[0; 8]))], CompressionMethod::Stored);
        for (bytes, word) in [
            (b"PK\x03\x04 and then nothing".to_vec(), "run.npz"),
            (short, "truncated"),
            (huge, "bytes are left"),
            (objects, "Python objects"),
        ] {
            let error = read_npz(&bytes, "run.npz").expect_err(word);
            assert!(error.message.contains(word) && !error.help.is_empty(), "{}", error.message);
        }
    }
}
