//! What was read and computed, kept in files whose names follow from the content of what it was made from.
//!
//! A file of the cache is a header, tables about the samples, and rows of numbers, each with its hash. One that is
//! damaged, cut short or of another version is made anew. Whoever cannot write to the cache goes on without.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::collect::{Collection, Origin, Part};
use crate::data::limits;
use crate::data::table::{Element, MEMORY_BYTES, Table};
use crate::diagnostic::{Code, Diagnostic};

/// Version of the files; another one is made anew.
const MAGIC: &[u8; 16] = b"nasc samples 2\n\n";
/// Greatest header that is read.
const HEADER_BYTES: u64 = 1 << 30;

/// Attempts of this process to write a file.
static ATTEMPTS: AtomicU32 = AtomicU32::new(0);

/// Hash of nasc's version, a text and the contents of files below `root`: the name of what is made of them.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn key(text: &str, root: &Path, files: &[String]) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    hash.update(MAGIC);
    // What readers and front ends make of files may change from version to version.
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update((text.len() as u64).to_le_bytes());
    hash.update(text.as_bytes());
    contents(&mut hash, root, files)?;
    Ok(hex(&hash.finalize()))
}

/// Adds names and contents of files below `root` to a hash.
fn contents(hash: &mut Sha256, root: &Path, files: &[String]) -> std::io::Result<()> {
    let mut buffer = vec![0u8; 1 << 20];
    for name in files {
        let mut file = File::open(root.join(name))?;
        let mut inner = Sha256::new();
        loop {
            match file.read(&mut buffer)? {
                0 => break,
                read => inner.update(&buffer[..read]),
            }
        }
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(inner.finalize());
    }
    Ok(())
}

/// Hash of names and contents of files below `root`, the same for every version of nasc.
///
/// # Errors
/// When a file cannot be read.
pub(super) fn contents_hash(root: &Path, files: &[String]) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    contents(&mut hash, root, files)?;
    Ok(hex(&hash.finalize()))
}

/// The name of what `what` makes of something that has a name.
pub(super) fn derived(key: &str, what: &str) -> String {
    hex(&Sha256::new()
        .chain_update(key.as_bytes())
        .chain_update(b"\n")
        .chain_update(what.as_bytes())
        .finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn path(folder: &Path, key: &str) -> PathBuf {
    folder.join(format!("{}.samples", &key[..32.min(key.len())]))
}

/// All about a collection but its tables.
#[derive(Serialize, Deserialize)]
struct Header {
    key: String,
    element: Element,
    width: usize,
    rows: usize,
    extents: [usize; 3],
    rate: Option<u32>,
    are_windows: bool,
    classes: Vec<String>,
    files: Vec<String>,
    groups: Vec<String>,
    /// Numbers to predict of a sample.
    numbers: usize,
    /// Whether there is a table about the samples, or only rows.
    described: bool,
    has_labels: bool,
    warnings: Vec<Told>,
}

/// A warning of a reader.
#[derive(Serialize, Deserialize)]
struct Told {
    code: String,
    message: String,
    notes: Vec<String>,
    help: Vec<String>,
}

/// The collection of that name, if the cache has it.
pub(super) fn collection(folder: &Path, key: &str) -> Option<Collection> {
    let (header, about, table) = read(folder, key, MEMORY_BYTES)?;
    if !header.described {
        return None;
    }
    let mut bytes = about.as_slice();
    let rows = header.rows;
    let labels = if header.has_labels { take_u32(&mut bytes, rows)? } else { Vec::new() };
    let numbers = take_u32(&mut bytes, rows.checked_mul(header.numbers)?)?;
    let numbers = numbers.into_iter().map(f32::from_bits).collect();
    let mut origins = Vec::with_capacity(rows);
    for _ in 0..rows {
        let record = bytes.split_off(..17)?;
        let group = u32::from_le_bytes(record[4..8].try_into().ok()?);
        origins.push(Origin {
            file: u32::from_le_bytes(record[..4].try_into().ok()?),
            group: (group != u32::MAX).then_some(group),
            position: u64::from_le_bytes(record[8..16].try_into().ok()?),
            part: Part::ALL.get(usize::from(record[16])).copied(),
        });
    }
    let mut digests = Vec::with_capacity(rows);
    for _ in 0..rows {
        digests.push(u128::from_le_bytes(bytes.split_off(..16)?.try_into().ok()?));
    }
    let known = |origin: &Origin| {
        (origin.file as usize) < header.files.len()
            && origin.group.is_none_or(|group| (group as usize) < header.groups.len())
    };
    let width = header.extents.iter().try_fold(1usize, |all, &one| all.checked_mul(one));
    if width != Some(header.width)
        || !origins.iter().all(known)
        || labels.iter().any(|&label| label as usize >= header.classes.len())
    {
        return None;
    }
    let warnings: Option<Vec<Diagnostic>> = header.warnings.iter().map(Told::diagnostic).collect();
    Some(Collection {
        table,
        extents: header.extents,
        labels,
        classes: header.classes,
        numbers,
        origins,
        files: header.files,
        groups: header.groups,
        digests,
        rate: header.rate,
        are_windows: header.are_windows,
        warnings: warnings?,
    })
}

fn take_u32(bytes: &mut &[u8], count: usize) -> Option<Vec<u32>> {
    let taken = bytes.split_off(..count.checked_mul(4)?)?;
    Some(taken.chunks_exact(4).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]])).collect())
}

/// Keeps a collection; gives it back, from the file where memory would not hold it.
pub(super) fn keep(folder: &Path, key: &str, collection: Collection) -> Collection {
    let header = Header {
        key: key.to_owned(),
        element: collection.table.element(),
        width: collection.table.width(),
        rows: collection.table.rows(),
        extents: collection.extents,
        rate: collection.rate,
        are_windows: collection.are_windows,
        classes: collection.classes.clone(),
        files: collection.files.clone(),
        groups: collection.groups.clone(),
        numbers: collection.n_numbers(),
        described: true,
        has_labels: !collection.labels.is_empty(),
        warnings: collection.warnings.iter().map(Told::of).collect(),
    };
    let mut about = Vec::new();
    collection.labels.iter().for_each(|label| about.extend(label.to_le_bytes()));
    collection.numbers.iter().for_each(|number| about.extend(number.to_le_bytes()));
    for origin in &collection.origins {
        about.extend(origin.file.to_le_bytes());
        about.extend(origin.group.unwrap_or(u32::MAX).to_le_bytes());
        about.extend(origin.position.to_le_bytes());
        about.push(origin.part.map_or(255, |part| part as u8));
    }
    collection.digests.iter().for_each(|digest| about.extend(digest.to_le_bytes()));
    match write(folder, key, &header, &about, &collection.table) {
        Ok(()) if collection.table.bytes() > MEMORY_BYTES as u64 => match read(folder, key, MEMORY_BYTES) {
            Some((_, _, table)) => Collection { table, ..collection },
            None => collection,
        },
        _ => collection,
    }
}

/// The rows of that name, if the cache has them in this form.
pub(super) fn rows(folder: &Path, key: &str, element: Element, width: usize) -> Option<Table> {
    let (header, _, table) = read(folder, key, MEMORY_BYTES)?;
    (!header.described && (header.element, header.width) == (element, width)).then_some(table)
}

/// Keeps rows.
pub(super) fn keep_rows(folder: &Path, key: &str, table: &Table) {
    let header = Header {
        key: key.to_owned(),
        element: table.element(),
        width: table.width(),
        rows: table.rows(),
        extents: [0; 3],
        rate: None,
        are_windows: false,
        classes: Vec::new(),
        files: Vec::new(),
        groups: Vec::new(),
        numbers: 0,
        described: false,
        has_labels: false,
        warnings: Vec::new(),
    };
    // A cache that cannot be written costs time at the next run, and nothing else.
    let _ = write(folder, key, &header, &[], table);
}

/// Header, tables about the samples, and rows, if the file is whole; rows beyond so many bytes stay in it.
fn read(folder: &Path, key: &str, in_memory: usize) -> Option<(Header, Vec<u8>, Table)> {
    let path = path(folder, key);
    let mut file = BufReader::new(File::open(&path).ok()?);
    let size = file.get_ref().metadata().ok()?.len();
    let mut magic = [0; 16];
    file.read_exact(&mut magic).ok()?;
    let [header_bytes, about_bytes] = [number(&mut file)?, number(&mut file)?];
    if magic != *MAGIC || header_bytes > HEADER_BYTES.min(size) || about_bytes > size {
        return None;
    }
    let header_text = block(&mut file, header_bytes)?;
    let header: Header = serde_json::from_slice(&header_text).ok()?;
    let about = block(&mut file, about_bytes)?;
    let row_bytes = (header.rows as u64)
        .checked_mul(header.width as u64)
        .and_then(|values| values.checked_mul(header.element.bytes() as u64))?;
    let start = 16 + 16 + header_bytes + 32 + about_bytes + 32;
    let is_whole = size == start.checked_add(row_bytes)?.checked_add(32)?;
    let sound = header.key == key && header.rows <= limits::SAMPLES && header.width > 0;
    if !is_whole || !sound {
        return None;
    }
    if row_bytes > in_memory as u64 {
        file.seek(SeekFrom::Start(start)).ok()?;
        sound_rows(&mut file, row_bytes)?;
        let shape = (header.element, header.width, header.rows);
        let table = Table::in_file(file.into_inner(), &path, start, shape);
        return Some((header, about, table));
    }
    file.seek(SeekFrom::Start(start)).ok()?;
    let rows = block(&mut file, row_bytes)?;
    let table = Table::from_bytes(header.element, header.width, rows);
    Some((header, about, table))
}

fn number(file: &mut impl Read) -> Option<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// So many bytes that are followed by their hash.
fn block(file: &mut impl Read, bytes: u64) -> Option<Vec<u8>> {
    let mut content = vec![0; usize::try_from(bytes).ok()?];
    file.read_exact(&mut content).ok()?;
    let mut hash = [0; 32];
    file.read_exact(&mut hash).ok()?;
    (hash[..] == Sha256::digest(&content)[..]).then_some(content)
}

/// Goes over so many bytes that are followed by their hash; `None` where it is that of others.
fn sound_rows(file: &mut impl Read, bytes: u64) -> Option<()> {
    let (mut hash, mut left, mut buffer) = (Sha256::new(), bytes, vec![0; 1 << 20]);
    while left > 0 {
        let part = &mut buffer[..usize::try_from(left).map_or(1 << 20, |left| left.min(1 << 20))];
        file.read_exact(part).ok()?;
        hash.update(&*part);
        left -= part.len() as u64;
    }
    let mut told = [0; 32];
    file.read_exact(&mut told).ok()?;
    (told[..] == hash.finalize()[..]).then_some(())
}

/// Writes a file beside its place and renames it, so that nobody ever sees half of one.
fn write(folder: &Path, key: &str, header: &Header, about: &[u8], table: &Table) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let place = path(folder, key);
    // A number of its own for each attempt: threads may write the same file.
    let number = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
    let temporary = place.with_extension(format!("{}-{number}.part", std::process::id()));
    let result =
        write_to(&temporary, header, about, table).and_then(|()| std::fs::rename(&temporary, &place));
    if result.is_err() {
        // What is left of a failed attempt is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&temporary);
    }
    result
}

fn write_to(path: &Path, header: &Header, about: &[u8], table: &Table) -> std::io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let header = serde_json::to_vec(header)?;
    file.write_all(MAGIC)?;
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&(about.len() as u64).to_le_bytes())?;
    for content in [header.as_slice(), about] {
        file.write_all(content)?;
        file.write_all(&Sha256::digest(content))?;
    }
    let mut hash = Sha256::new();
    let mut row = Vec::new();
    for index in 0..table.rows() {
        table.row_bytes(index, &mut row).map_err(|error| std::io::Error::other(error.message))?;
        hash.update(&row);
        file.write_all(&row)?;
    }
    file.write_all(&hash.finalize())?;
    file.flush()?;
    // On the disk before it gets its name, as the rest of nasc has it.
    file.get_ref().sync_all()
}

impl Told {
    fn of(warning: &Diagnostic) -> Told {
        Told {
            code: warning.code.to_string(),
            message: warning.message.clone(),
            notes: warning.notes.clone(),
            help: warning.help.clone(),
        }
    }

    fn diagnostic(&self) -> Option<Diagnostic> {
        let code = Code::parse(&self.code)?;
        let mut warning = Diagnostic::warning(code, self.message.clone());
        warning.notes.clone_from(&self.notes);
        warning.help.clone_from(&self.help);
        Some(warning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Collector, Sample, Values, Wanted};

    fn some() -> Collection {
        let mut collector = Collector::new(Element::I16, None);
        collector.set_rate(8000);
        collector.warn(Diagnostic::warning(Code::DATA_SPLIT, "odd").help("mend it"));
        for number in 0..5i16 {
            let sample = Sample {
                values: Values::I16(&[number, -number, 7]),
                extents: [3, 1, 1],
                wanted: Wanted::Class(["b", "a"][number as usize % 2]),
                file: "x.wav",
                position: number as u64,
                group: (number > 2).then_some("anna"),
                part: (number == 4).then_some(Part::Test),
            };
            collector.push(sample).expect("a good sample");
        }
        collector.finish().expect("samples")
    }

    #[test]
    fn what_was_kept_comes_back_and_damage_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let kept = keep(folder.path(), "k1", some());
        let back = collection(folder.path(), "k1").expect("it is there");
        let text = |data: &Collection| format!("{data:?}");
        assert_eq!(text(&back), text(&kept));
        assert!(collection(folder.path(), "k2").is_none());
        assert!(rows(folder.path(), "k1", Element::I16, 3).is_none(), "a collection is no table of features");
        let (_, _, on_disk) = read(folder.path(), "k1", 0).expect("it is there");
        let mut row = Vec::new();
        on_disk.row_bytes(4, &mut row).expect("a row");
        assert_eq!(row, [4, 0, 252, 255, 7, 0]);
        let file = path(folder.path(), "k1");
        let good = std::fs::read(&file).expect("a file");
        for at in [0, 17, 60, good.len() / 2, good.len() - 40, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 4;
            std::fs::write(&file, &bad).expect("a file");
            assert!(collection(folder.path(), "k1").is_none(), "byte {at}");
            assert!(read(folder.path(), "k1", 0).is_none(), "byte {at} of rows that stay in the file");
            std::fs::write(&file, &good[..at]).expect("a file");
            assert!(collection(folder.path(), "k1").is_none(), "cut at {at}");
        }
        keep_rows(folder.path(), "f1", &kept.table);
        assert_eq!(rows(folder.path(), "f1", Element::I16, 3).expect("rows").rows(), 5);
        assert!(rows(folder.path(), "f1", Element::I16, 4).is_none());
    }

    #[test]
    fn threads_write_one_file_without_harm() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = some();
        for _ in 0..20 {
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| keep_rows(folder.path(), "f", &data.table));
                }
            });
            assert_eq!(rows(folder.path(), "f", Element::I16, 3).expect("whole").rows(), 5);
            assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left");
        }
    }

    #[test]
    fn keys_follow_contents_and_names() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("a file");
        write("a", "1");
        write("b", "1");
        let of = |text: &str, files: &[&str]| {
            key(text, folder.path(), &files.iter().map(ToString::to_string).collect::<Vec<_>>())
                .expect("a key")
        };
        let one = of("s", &["a"]);
        assert_eq!(one, of("s", &["a"]));
        assert_ne!(one, of("s", &["b"]));
        assert_ne!(one, of("t", &["a"]));
        write("a", "2");
        assert_ne!(one, of("s", &["a"]));
        assert!(key("s", folder.path(), &["gone".to_owned()]).is_err());
    }
}
