//! The `.npy` format: a header as a Python dictionary, then the numbers.
//!
//! In: a file of version 1, 2 or 3 in C order. Out: its extents and what one number is, and numbers as the values of
//! samples. Deliberately not done here: structured and pickled arrays, text, complex numbers; each is an error that
//! says so.
//!
//! Source  NumPy Enhancement Proposal 1, "A Simple File Format for NumPy Arrays", and its versions 2 and 3.

use std::io::Read;

use crate::data::bytes::Bytes;
use crate::data::collect::Values;
use crate::data::limits;
use crate::data::table::Element;
use crate::diagnostic::{Code, Diagnostic};

/// Longest header that is read; NumPy's own are below 1 KiB.
const HEADER_BYTES: usize = 64 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bool,
    I1,
    U1,
    I2,
    U2,
    I4,
    U4,
    I8,
    U8,
    F4,
    F8,
}

const KINDS: [(&str, Kind); 11] = [
    ("b1", Kind::Bool),
    ("i1", Kind::I1),
    ("u1", Kind::U1),
    ("i2", Kind::I2),
    ("u2", Kind::U2),
    ("i4", Kind::I4),
    ("u4", Kind::U4),
    ("i8", Kind::I8),
    ("u8", Kind::U8),
    ("f4", Kind::F4),
    ("f8", Kind::F8),
];

/// What the header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::data) struct Header {
    kind: Kind,
    /// As NumPy writes it.
    descr: String,
    big_endian: bool,
    /// The extents, the last one innermost; the first at most [`limits::SAMPLES`], or [`limits::VALUES`] for rows of
    /// recordings.
    pub(in crate::data) shape: Vec<usize>,
}

impl Header {
    /// Reads the header of `file`, whose first extent counts samples.
    ///
    /// # Errors
    /// E0702 for what is no `.npy` file, and for arrays that are not read.
    pub(super) fn read<R: Read>(file: &mut Bytes<R>) -> Result<Header, Diagnostic> {
        let header = Header::read_any(file)?;
        let Some(&first) = header.shape.first() else {
            let text = "an array without extents: it is a single number";
            return Err(file.error(Code::DATA_SHAPE, text).help("the first extent counts the samples"));
        };
        if first > limits::VALUES {
            let text = format!("the header claims {first} samples; at most {} are read", limits::VALUES);
            return Err(file.error(Code::DATA_LIMIT, text).help("is the file damaged? Else split it"));
        }
        Ok(header)
    }

    /// Reads the header of `file`, which may be a single number.
    ///
    /// # Errors
    /// E0702 for what is no `.npy` file, and for arrays that are not read.
    pub(in crate::data) fn read_any<R: Read>(file: &mut Bytes<R>) -> Result<Header, Diagnostic> {
        let magic: [u8; 8] = file.array("the magic string")?;
        if magic.starts_with(b"PK") {
            return Err(file
                .error(Code::DATA_FORMAT, "is an `.npz` archive; single arrays are read")
                .help("save each: `np.save(\"x.npy\", np.load(\"all.npz\")[\"x\"])`"));
        }
        if &magic[..6] != b"\x93NUMPY" {
            return Err(file
                .error(Code::DATA_FORMAT, "is no `.npy` file: it does not begin with `\\x93NUMPY`")
                .help("write it with `numpy.save`"));
        }
        let length = match magic[6] {
            1 => usize::from(u16::from_le_bytes(file.array("the length of the header")?)),
            2 | 3 => u32::from_le_bytes(file.array("the length of the header")?) as usize,
            other => {
                let text = format!("version {other} of the format; 1 to 3 are read");
                return Err(file.error(Code::DATA_FORMAT, text).help("write it with `numpy.save`"));
            }
        };
        if length > HEADER_BYTES {
            let text = format!("a header of {length} bytes; at most {HEADER_BYTES} are read");
            return Err(file.error(Code::DATA_LIMIT, text).help("write it with `numpy.save`"));
        }
        let mut text = Vec::new();
        file.take(length, "the header", &mut text)?;
        let Some(dictionary) = std::str::from_utf8(&text).ok().and_then(dictionary) else {
            return Err(file
                .error(
                    Code::DATA_FORMAT,
                    "the header is not a dictionary of `descr`, `fortran_order` and `shape`",
                )
                .help("write it with `numpy.save`"));
        };
        dictionary.check(file)
    }

    /// Bytes of one number.
    pub(in crate::data) fn bytes(&self) -> usize {
        match self.kind {
            Kind::Bool | Kind::I1 | Kind::U1 => 1,
            Kind::I2 | Kind::U2 => 2,
            Kind::I4 | Kind::U4 | Kind::F4 => 4,
            Kind::I8 | Kind::U8 | Kind::F8 => 8,
        }
    }

    /// As NumPy writes it.
    pub(super) fn descr(&self) -> &str {
        &self.descr
    }

    /// What samples of these numbers are without loss.
    pub(super) fn element(&self) -> Element {
        match self.kind {
            Kind::U1 => Element::U8,
            Kind::I2 => Element::I16,
            _ => Element::F32,
        }
    }

    /// Whether the numbers are integers or truth values.
    pub(super) fn is_integer(&self) -> bool {
        !matches!(self.kind, Kind::F4 | Kind::F8)
    }

    /// Brings whole numbers to the order with the least significant byte first.
    pub(in crate::data) fn order(&self, bytes: &mut [u8]) {
        if self.big_endian {
            bytes.chunks_exact_mut(self.bytes()).for_each(<[u8]>::reverse);
        }
    }

    /// Whole numbers, ordered, as integers. Floats have none.
    pub(super) fn integers<'a>(&'a self, bytes: &'a [u8]) -> impl Iterator<Item = i64> + 'a {
        bytes.chunks_exact(self.bytes()).map(|item| match self.kind {
            Kind::Bool => i64::from(item[0] != 0),
            Kind::I1 => i64::from(i8::from_le_bytes(cut(item))),
            Kind::U1 => i64::from(item[0]),
            Kind::I2 => i64::from(i16::from_le_bytes(cut(item))),
            Kind::U2 => i64::from(u16::from_le_bytes(cut(item))),
            Kind::I4 => i64::from(i32::from_le_bytes(cut(item))),
            Kind::U4 => i64::from(u32::from_le_bytes(cut(item))),
            Kind::I8 => i64::from_le_bytes(cut(item)),
            // Nothing that counts has so many: an index beyond is as wrong as this one.
            Kind::U8 => i64::try_from(u64::from_le_bytes(cut(item))).unwrap_or(i64::MAX),
            Kind::F4 | Kind::F8 => unreachable!("asked of integers only"),
        })
    }

    /// Appends whole numbers, ordered, as floats of 64 bits.
    pub(in crate::data) fn doubles(&self, bytes: &[u8], into: &mut Vec<f64>) {
        let items = bytes.chunks_exact(self.bytes());
        match self.kind {
            Kind::F4 => into.extend(items.map(|item| f64::from(f32::from_le_bytes(cut(item))))),
            Kind::F8 => into.extend(items.map(|item| f64::from_le_bytes(cut(item)))),
            Kind::U8 => into.extend(items.map(|item| u64::from_le_bytes(cut(item)) as f64)),
            _ => into.extend(self.integers(bytes).map(|integer| integer as f64)),
        }
    }

    /// Appends whole numbers, ordered, as floats, each rounded once.
    pub(super) fn floats(&self, bytes: &[u8], into: &mut Vec<f32>) {
        let items = bytes.chunks_exact(self.bytes());
        match self.kind {
            Kind::F4 => into.extend(items.map(|item| f32::from_le_bytes(cut(item)))),
            Kind::F8 => into.extend(items.map(|item| f64::from_le_bytes(cut(item)) as f32)),
            Kind::U8 => into.extend(items.map(|item| u64::from_le_bytes(cut(item)) as f32)),
            _ => into.extend(self.integers(bytes).map(|integer| integer as f32)),
        }
    }
}

/// The bytes of one number, which are as many as it has.
fn cut<const SIZE: usize>(item: &[u8]) -> [u8; SIZE] {
    item.try_into().expect("chunks have the size of the number")
}

/// Numbers on their way into samples.
pub(super) struct Numbers {
    element: Element,
    shorts: Vec<i16>,
    floats: Vec<f32>,
}

impl Numbers {
    /// Of samples of `element`: that of the header, or floats.
    pub(super) fn new(element: Element) -> Numbers {
        Numbers { element, shorts: Vec::new(), floats: Vec::new() }
    }

    /// The values of `bytes`, which are ordered.
    pub(super) fn of<'a>(&'a mut self, header: &Header, bytes: &'a [u8]) -> Values<'a> {
        match self.element {
            Element::U8 => Values::U8(bytes),
            Element::I16 => {
                self.shorts.clear();
                self.shorts.extend(bytes.chunks_exact(2).map(|item| i16::from_le_bytes(cut(item))));
                Values::I16(&self.shorts)
            }
            Element::F32 => {
                self.floats.clear();
                header.floats(bytes, &mut self.floats);
                Values::F32(&self.floats)
            }
        }
    }
}

/// The dictionary of a header as it stands there.
struct Dictionary {
    descr: String,
    fortran: bool,
    /// `None` for an extent that no machine has.
    shape: Option<Vec<usize>>,
}

impl Dictionary {
    fn check<R: Read>(self, file: &Bytes<R>) -> Result<Header, Diagnostic> {
        let name = file.name().trim_end_matches(".gz").escape_debug().to_string();
        let (order, kind) = self.descr.split_at(self.descr.char_indices().nth(1).map_or(0, |(at, _)| at));
        if kind.starts_with('O') || self.descr == "O" {
            return Err(file
                .error(
                    Code::DATA_FORMAT,
                    "an array of Python objects: reading it would run code from the file",
                )
                .help(format!(
                    "write it as numbers:\nimport numpy as np\nx = np.load(\"{name}\", allow_pickle=True)\n\
                     np.save(\"{name}\", np.stack(list(x)).astype(\"float32\"))"
                )));
        }
        let known = KINDS.iter().find(|(descr, _)| *descr == kind);
        let (Some(&(_, kind)), "<" | ">" | "|" | "=") = (known, order) else {
            let text = format!("numbers of the type `{}`", self.descr.escape_debug());
            return Err(file
                .error(Code::DATA_FORMAT, text)
                .note("read are b1, i1, u1, i2, u2, i4, u4, i8, u8, f4 and f8")
                .help("convert them: `x.astype(\"float32\")`"));
        };
        if self.fortran {
            return Err(file
                .error(Code::DATA_FORMAT, "the array is in Fortran order; C order is read")
                .help(format!(
                    "`np.save(\"{name}\", np.ascontiguousarray(np.load(\"{name}\")))` writes it in C order"
                )));
        }
        let Some(shape) = self.shape else {
            return Err(file
                .error(Code::DATA_LIMIT, "the header claims an extent beyond all limits")
                .help("is the file damaged? Write it again with `numpy.save`"));
        };
        Ok(Header { kind, big_endian: order == ">", descr: self.descr, shape })
    }
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, keys in any order. An array of records has a
/// list in place of the first text; it is kept as `record`.
fn dictionary(text: &str) -> Option<Dictionary> {
    let mut text = Text(text).skip("{")?;
    let (mut descr, mut fortran, mut shape) = (None, None, None);
    while !text.0.trim_start().starts_with('}') {
        let (key, rest) = text.quoted()?;
        let rest = rest.skip(":")?;
        text = match key {
            "descr" if rest.0.trim_start().starts_with('[') => {
                let end = rest.0.rfind(']')?;
                descr = Some("record".to_owned());
                Text(&rest.0[end + 1..])
            }
            "descr" => {
                let (value, rest) = rest.quoted()?;
                descr = Some(value.to_owned());
                rest
            }
            "fortran_order" => {
                let (value, rest) = match rest.skip("True") {
                    Some(rest) => (true, rest),
                    None => (false, rest.skip("False")?),
                };
                fortran = Some(value);
                rest
            }
            "shape" => {
                let (inside, rest) = rest.skip("(")?.0.split_once(')')?;
                let extents = inside.split(',').map(str::trim).filter(|extent| !extent.is_empty());
                let extents: Vec<&str> = extents.collect();
                if !extents.iter().all(|extent| extent.bytes().all(|byte| byte.is_ascii_digit())) {
                    return None;
                }
                shape = Some(extents.iter().map(|extent| extent.parse().ok()).collect());
                Text(rest)
            }
            _ => return None,
        };
        text = text.skip(",").unwrap_or(text);
    }
    let rest = text.skip("}")?;
    rest.0.trim().is_empty().then_some(Dictionary { descr: descr?, fortran: fortran?, shape: shape? })
}

/// What is left of a text.
#[derive(Clone, Copy)]
struct Text<'a>(&'a str);

impl<'a> Text<'a> {
    fn skip(self, word: &str) -> Option<Text<'a>> {
        self.0.trim_start().strip_prefix(word).map(Text)
    }

    fn quoted(self) -> Option<(&'a str, Text<'a>)> {
        let text = self.0.trim_start();
        let quote = text.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (inside, rest) = text[1..].split_once(quote)?;
        Some((inside, Text(rest)))
    }
}
