//! One file of data as a stream: plain or unpacked, never more of it than the limits allow.

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::too_much;
use crate::data::limits;
use crate::data::place::{Beyond, WAY_OUT, confine, unreadable};
use crate::diagnostic::{Code, Diagnostic};

const BUFFER_BYTES: usize = 64 << 10;

/// A file of data as a stream, unpacked if its name ends in `.gz`. No more than the limits allow comes out of it:
/// beyond them it gives an error, which `place::unreadable` turns into E0706.
pub(in crate::data) struct Bounded {
    input: Box<dyn Read>,
    pub(super) name: String,
    /// Bytes that were read of the file so far, where it is packed.
    packed: Option<Rc<Cell<u64>>>,
    unpacked: u64,
    /// Whether somebody read on after the end.
    pub(super) ended: Rc<Cell<bool>>,
}

/// Opens one plain or `.gz` file below `root`.
///
/// # Errors
/// E0701 if there is none or it is outside the root, E0706 if it is too large. What goes wrong later,
/// `place::unreadable` puts into words.
pub(in crate::data) fn open_maybe_gz(root: &Path, file: &str) -> Result<BufReader<Bounded>, Diagnostic> {
    open_stream(&confine(root, file)?, file)
}

pub(super) fn open_stream(path: &Path, name: &str) -> Result<BufReader<Bounded>, Diagnostic> {
    let problem = |error: std::io::Error| unreadable(name, &error);
    // Before it is opened: opening a pipe waits.
    let metadata = std::fs::metadata(path).map_err(problem)?;
    if !metadata.is_file() {
        let message = format!("`{}` is not a regular file", name.escape_debug());
        return Err(Diagnostic::error(Code::DATA_MISSING, message).help(WAY_OUT));
    }
    if metadata.len() > limits::PACKED_BYTES {
        let message = format!("`{}` is larger than {} GiB", name.escape_debug(), limits::PACKED_BYTES >> 30);
        return Err(Diagnostic::error(Code::DATA_LIMIT, message).help("split it"));
    }
    let file = File::open(path).map_err(problem)?;
    let gzip = name.ends_with(".gz") || name.ends_with(".tgz");
    let (input, packed): (Box<dyn Read>, _) = if gzip {
        let count = Rc::new(Cell::new(0));
        let counted = Counted { file, count: Rc::clone(&count) };
        let packed = BufReader::with_capacity(BUFFER_BYTES, counted);
        (Box::new(MultiGzDecoder::new(packed)), Some(count))
    } else {
        (Box::new(file), None)
    };
    let bounded = Bounded { input, name: name.to_owned(), packed, unpacked: 0, ended: Rc::default() };
    Ok(BufReader::with_capacity(BUFFER_BYTES, bounded))
}

struct Counted {
    file: File,
    count: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read(into)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(into)?;
        if read == 0 && !into.is_empty() {
            self.ended.set(true);
        }
        self.unpacked += read as u64;
        if self.unpacked > limits::UNPACKED_BYTES {
            return Err(std::io::Error::other(Beyond(too_much(&self.name))));
        }
        if let Some(packed) = &self.packed {
            let most = limits::UNPACKED_FREE_BYTES.max(packed.get().saturating_mul(limits::UNPACKED_RATIO));
            if self.unpacked > most {
                let message = format!(
                    "`{}` unpacks to more than {} times its size: a bomb, no data",
                    self.name.escape_debug(),
                    limits::UNPACKED_RATIO
                );
                let diagnostic = Diagnostic::error(Code::DATA_LIMIT, message)
                    .help("if it is data of yours, unpack it and name the folder or file without `.gz`");
                return Err(std::io::Error::other(Beyond(diagnostic)));
            }
        }
        Ok(read)
    }
}
