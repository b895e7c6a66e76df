//! Rows of numbers of one length, in memory or in a file: what samples are kept in.
//!
//! A set that is larger than memory lives in a file of the cache and is read row by row. Whoever reads rows sees no
//! difference.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::diagnostic::{Code, Diagnostic};

/// Bytes that a table may take of memory before it goes to a file.
pub(super) const MEMORY_BYTES: usize = 1 << 30;
/// Bytes that are gathered for one write where a table is in a file already.
const GATHERED_BYTES: usize = 4 << 20;

/// What one number of a sample is, as the sensor gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Element {
    /// A byte: pixels.
    U8,
    /// 16 bits with sign: sound.
    I16,
    /// Floats: everything else.
    F32,
}

impl Element {
    /// Size in bytes.
    pub fn bytes(self) -> usize {
        match self {
            Element::U8 => 1,
            Element::I16 => 2,
            Element::F32 => 4,
        }
    }

    /// Its name in C.
    pub fn c_type(self) -> &'static str {
        match self {
            Element::U8 => "uint8_t",
            Element::I16 => "int16_t",
            Element::F32 => "float",
        }
    }

    /// Appends values, each of which has to be one of this element, as bytes, the least significant first.
    pub fn encode(self, values: &[f32], into: &mut Vec<u8>) {
        match self {
            Element::U8 => into.extend(values.iter().map(|&x| x as u8)),
            Element::I16 => into.extend(values.iter().flat_map(|&x| (x as i16).to_le_bytes())),
            Element::F32 => into.extend(values.iter().flat_map(|x| x.to_le_bytes())),
        }
    }

    /// The inverse of [`encode`](Element::encode): as many values as `into` holds. Every byte and every 16-bit number
    /// is a float without loss.
    pub fn decode(self, bytes: &[u8], into: &mut [f32]) {
        match self {
            Element::U8 => into.iter_mut().zip(bytes).for_each(|(x, &byte)| *x = f32::from(byte)),
            Element::I16 => {
                for (x, pair) in into.iter_mut().zip(bytes.chunks_exact(2)) {
                    *x = f32::from(i16::from_le_bytes([pair[0], pair[1]]));
                }
            }
            Element::F32 => {
                for (x, four) in into.iter_mut().zip(bytes.chunks_exact(4)) {
                    *x = f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
                }
            }
        }
    }
}

/// Rows of `width` numbers. Cloning one shares its rows.
#[derive(Clone, Debug)]
pub struct Table {
    element: Element,
    width: usize,
    rows: usize,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    Memory(Arc<Vec<u8>>),
    File(Arc<OnDisk>),
}

#[derive(Debug)]
struct OnDisk {
    file: Mutex<File>,
    /// Bytes before the first row.
    offset: u64,
    path: PathBuf,
    /// Whether the file goes when the last table of it does.
    temporary: bool,
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        if self.temporary {
            // Nobody is left to hear of a failure.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Table {
    /// Rows that are in memory as bytes.
    ///
    /// # Panics
    /// When the bytes are not whole rows.
    pub fn from_bytes(element: Element, width: usize, bytes: Vec<u8>) -> Table {
        let row = element.bytes() * width.max(1);
        assert!(bytes.len().is_multiple_of(row), "whole rows of {row} bytes");
        Table { element, width, rows: bytes.len() / row, store: Store::Memory(Arc::new(bytes)) }
    }

    /// Rows of floats that are in memory.
    ///
    /// # Panics
    /// When the values are not whole rows.
    pub fn from_floats(width: usize, values: &[f32]) -> Table {
        let mut bytes = Vec::with_capacity(4 * values.len());
        Element::F32.encode(values, &mut bytes);
        Table::from_bytes(Element::F32, width, bytes)
    }

    /// Rows that start at `offset` of an open file.
    pub(super) fn in_file(file: File, path: &Path, offset: u64, shape: (Element, usize, usize)) -> Table {
        let (element, width, rows) = shape;
        let on_disk = OnDisk { file: Mutex::new(file), offset, path: path.to_owned(), temporary: false };
        Table { element, width, rows, store: Store::File(Arc::new(on_disk)) }
    }

    /// What one number is.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Numbers of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of all rows.
    pub fn bytes(&self) -> u64 {
        (self.rows * self.width * self.element.bytes()) as u64
    }

    /// Reads the bytes of a row into `into`, which is made as long as one.
    ///
    /// # Errors
    /// E0701 when the file that holds the rows cannot be read any more.
    ///
    /// # Panics
    /// Beyond the last row.
    pub fn row_bytes(&self, row: usize, into: &mut Vec<u8>) -> Result<(), Diagnostic> {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let size = self.width * self.element.bytes();
        match &self.store {
            Store::Memory(bytes) => {
                into.clear();
                into.extend_from_slice(&bytes[row * size..(row + 1) * size]);
                Ok(())
            }
            Store::File(on_disk) => {
                into.resize(size, 0);
                on_disk.read(row as u64 * size as u64, into)
            }
        }
    }

    /// Reads a row as floats; `bytes` is room that it may use.
    ///
    /// # Errors
    /// Those of [`row_bytes`](Table::row_bytes).
    ///
    /// # Panics
    /// Beyond the last row, or when `into` is not as long as one.
    pub fn row(&self, row: usize, into: &mut [f32], bytes: &mut Vec<u8>) -> Result<(), Diagnostic> {
        assert_eq!(into.len(), self.width, "a row of {} numbers", self.width);
        if let Store::Memory(all) = &self.store {
            assert!(row < self.rows, "row {row} of {}", self.rows);
            let size = self.width * self.element.bytes();
            self.element.decode(&all[row * size..(row + 1) * size], into);
            return Ok(());
        }
        self.row_bytes(row, bytes)?;
        self.element.decode(bytes, into);
        Ok(())
    }
}

impl OnDisk {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Diagnostic> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.offset + at)).and_then(|_| file.read_exact(into)).map_err(|error| {
            let message = format!("the cached samples in `{}` cannot be read: {error}", self.path.display());
            Diagnostic::error(Code::DATA_MISSING, message)
                .help("delete the file and run the same command again: it is made anew from the data")
        })
    }
}

/// A file for rows that memory does not hold.
#[derive(Debug)]
struct Spilled {
    file: File,
    path: PathBuf,
    /// Whether it still has its name.
    named: bool,
}

impl Spilled {
    /// A new file in `folder`. Where the system allows it the file loses its name at once, so that nothing is left of
    /// it however the process ends.
    fn create(folder: &Path, bytes: &[u8]) -> std::io::Result<Spilled> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(format!("spill-{}-{:p}", std::process::id(), bytes.as_ptr()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        let named = std::fs::remove_file(&path).is_err();
        Ok(Spilled { file, path, named })
    }
}

/// Takes rows one by one. What goes beyond 1 GiB goes to a file in `spill`, if there is such a folder.
#[derive(Debug)]
pub struct TableWriter {
    element: Element,
    width: Option<usize>,
    rows: usize,
    bytes: Vec<u8>,
    limit: usize,
    spill: Option<PathBuf>,
    file: Option<Spilled>,
}

impl TableWriter {
    /// Without rows yet; their length is that of the first one.
    pub fn new(element: Element, spill: Option<&Path>) -> TableWriter {
        TableWriter {
            element,
            width: None,
            rows: 0,
            bytes: Vec::new(),
            limit: MEMORY_BYTES,
            spill: spill.map(Path::to_owned),
            file: None,
        }
    }

    /// The same with another limit of memory, for tests.
    #[cfg(test)]
    pub(super) fn limited(self, limit: usize) -> TableWriter {
        TableWriter { limit, ..self }
    }

    /// Appends a row, its numbers as bytes with the least significant first.
    ///
    /// # Errors
    /// E0706 when memory does not do and there is no room on disk.
    ///
    /// # Panics
    /// When the row has another length than those before.
    pub fn push_bytes(&mut self, row: &[u8]) -> Result<(), Diagnostic> {
        let width = row.len() / self.element.bytes();
        assert_eq!(*self.width.get_or_insert(width), width, "rows of one length");
        self.rows += 1;
        self.bytes.extend_from_slice(row);
        let limit = if self.file.is_some() { self.limit.min(GATHERED_BYTES) } else { self.limit };
        if self.bytes.len() > limit && self.spill.is_some() { self.flush() } else { Ok(()) }
    }

    /// Appends a row of values, each one of the table's element.
    ///
    /// # Errors
    /// Those of [`push_bytes`](TableWriter::push_bytes).
    ///
    /// # Panics
    /// When the row has another length than those before.
    pub fn push(&mut self, row: &[f32]) -> Result<(), Diagnostic> {
        let mut bytes = Vec::with_capacity(row.len() * self.element.bytes());
        self.element.encode(row, &mut bytes);
        self.push_bytes(&bytes)
    }

    fn flush(&mut self) -> Result<(), Diagnostic> {
        let Some(folder) = &self.spill else { return Ok(()) };
        let write = |file: &mut Option<Spilled>, bytes: &[u8]| -> std::io::Result<()> {
            if file.is_none() {
                *file = Some(Spilled::create(folder, bytes)?);
            }
            file.as_mut().map_or(Ok(()), |spilled| spilled.file.write_all(bytes))
        };
        write(&mut self.file, &self.bytes).map_err(|error| {
            let message = format!(
                "the samples take more than {} MiB and cannot be kept in `{}`: {error}",
                self.limit >> 20,
                folder.display()
            );
            Diagnostic::error(Code::DATA_LIMIT, message).help("make room on that disk, or use fewer samples")
        })?;
        // Not cleared: what took all the memory that a table may have needs little from now on.
        self.bytes = Vec::with_capacity(self.limit.min(GATHERED_BYTES));
        Ok(())
    }

    /// The table of all rows.
    ///
    /// # Errors
    /// Those of [`push_bytes`](TableWriter::push_bytes).
    pub fn finish(mut self) -> Result<Table, Diagnostic> {
        let (element, width, rows) = (self.element, self.width.unwrap_or(0), self.rows);
        if self.file.is_none() {
            return Ok(Table { element, width, rows, store: Store::Memory(Arc::new(self.bytes)) });
        }
        self.flush()?;
        let Spilled { file, path, named } = self.file.take().expect("there is one");
        let on_disk = OnDisk { file: Mutex::new(file), offset: 0, path, temporary: named };
        Ok(Table { element, width, rows, store: Store::File(Arc::new(on_disk)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_from_memory_and_from_a_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for element in [Element::U8, Element::I16, Element::F32] {
            let rows: Vec<Vec<f32>> = (0..50).map(|r| (0..7).map(|c| (r * 5 + c) as f32).collect()).collect();
            let mut memory = TableWriter::new(element, None);
            let mut disk = TableWriter::new(element, Some(folder.path())).limited(64);
            for row in &rows {
                memory.push(row).expect("memory");
                disk.push(row).expect("a disk");
            }
            let (memory, disk) = (memory.finish().expect("memory"), disk.finish().expect("a disk"));
            assert!(matches!(disk.store, Store::File(_)), "beyond the limit");
            assert!(cfg!(not(unix)) || std::fs::read_dir(folder.path()).expect("a folder").count() == 0);
            let (mut found, mut room) = (vec![0.0; 7], Vec::new());
            for index in [49, 0, 17] {
                for table in [&memory, &disk] {
                    table.row(index, &mut found, &mut room).expect("a row");
                    assert_eq!(found, rows[index]);
                }
            }
            drop(disk);
            assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
        }
    }

    #[test]
    fn a_table_that_went_to_a_file_gives_its_memory_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let (limit, row) = (4 * GATHERED_BYTES, vec![7; 1 << 20]);
        let mut writer = TableWriter::new(Element::U8, Some(folder.path())).limited(limit);
        let mut spilled = false;
        for _ in 0..(3 * limit) >> 20 {
            writer.push_bytes(&row).expect("a disk");
            spilled |= writer.file.is_some();
            assert!(!spilled || writer.bytes.capacity() <= 2 * (GATHERED_BYTES + row.len()));
        }
        assert!(spilled);
        assert_eq!(writer.finish().expect("a disk").rows(), (3 * limit) >> 20);
    }
}
