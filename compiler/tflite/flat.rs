//! FlatBuffers, as far as models need them: tables, vectors and strings in bytes that may come from anyone.
//!
//! Every offset is checked when it is followed, nothing is copied, and nothing recurses, so that the work for a buffer is
//! bounded by what its reader asks for.
//!
//! Source  flatbuffers.dev, "FlatBuffer Internals"

use std::fmt;

/// Bytes of a text that are read: many tables may share one, and each would have a copy.
const MAX_TEXT: usize = 1024;

/// Why bytes cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where, in bytes from the start.
    pub at: usize,
    /// What is there.
    pub what: String,
}

impl Broken {
    pub(super) fn new(at: usize, what: impl Into<String>) -> Broken {
        Broken { at, what: what.into() }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.at)
    }
}

/// A number as FlatBuffers store it: little-endian.
pub trait Scalar: Copy {
    /// Bytes.
    const SIZE: usize;

    /// From as many bytes as `SIZE`; `None` with fewer.
    fn read(bytes: &[u8]) -> Option<Self>;
}

macro_rules! scalars {
    ($($type:ty),*) => {
        $(impl Scalar for $type {
            const SIZE: usize = size_of::<$type>();

            fn read(bytes: &[u8]) -> Option<$type> {
                Some(<$type>::from_le_bytes(bytes.get(..Self::SIZE)?.try_into().ok()?))
            }
        })*
    };
}

scalars!(u8, i8, u16, i32, u32, i64, u64, f32);

/// The bytes of a whole buffer.
#[derive(Clone, Copy)]
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn scalar<T: Scalar>(self, at: usize) -> Result<T, Broken> {
        self.0.get(at..).and_then(T::read).ok_or_else(|| Broken::new(at, "the file ends inside a number"))
    }

    /// Where the offset at a place leads.
    fn follow(self, at: usize) -> Result<usize, Broken> {
        let offset = self.scalar::<u32>(at)? as usize;
        at.checked_add(offset)
            .filter(|&to| to < self.0.len())
            .ok_or_else(|| Broken::new(at, format!("an offset of {offset} leads out of the file")))
    }
}

/// A table: fields by slot, any of which may be absent.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    bytes: Bytes<'a>,
    at: usize,
    /// Bytes of its own, within which its fields lie.
    length: usize,
    vtable: usize,
    slots: usize,
}

impl<'a> Table<'a> {
    /// The root of a buffer whose bytes 4 to 8 are this identifier.
    ///
    /// # Errors
    /// Another identifier, or a root that is no table.
    pub fn root(bytes: &'a [u8], identifier: [u8; 4]) -> Result<Table<'a>, Broken> {
        if bytes.get(4..8) != Some(&identifier) {
            let name = String::from_utf8_lossy(&identifier).into_owned();
            return Err(Broken::new(4, format!("no identifier `{name}`")));
        }
        let bytes = Bytes(bytes);
        Table::new(bytes, bytes.follow(0)?)
    }

    fn new(bytes: Bytes<'a>, at: usize) -> Result<Table<'a>, Broken> {
        let back = i64::from(bytes.scalar::<i32>(at)?);
        let vtable = usize::try_from(at as i64 - back)
            .map_err(|_| Broken::new(at, "a table whose description is before the file"))?;
        let size = usize::from(bytes.scalar::<u16>(vtable)?);
        let length = usize::from(bytes.scalar::<u16>(vtable + 2)?);
        let end = bytes.0.len();
        if size < 4 || size % 2 != 0 || vtable + size > end || length < 4 || at + length > end {
            return Err(Broken::new(at, "a table that does not lie in the file"));
        }
        Ok(Table { bytes, at, length, vtable, slots: (size - 4) / 2 })
    }

    /// Where it is, for messages.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Where a field of so many bytes is.
    fn field(&self, slot: usize, size: usize) -> Result<Option<usize>, Broken> {
        if slot >= self.slots {
            return Ok(None);
        }
        let offset = usize::from(self.bytes.scalar::<u16>(self.vtable + 4 + 2 * slot)?);
        match offset {
            0 => Ok(None),
            _ if offset + size > self.length => {
                Err(Broken::new(self.at, format!("field {slot} lies outside of its table")))
            }
            _ => Ok(Some(self.at + offset)),
        }
    }

    /// A number; `None` where it is absent.
    ///
    /// # Errors
    /// A field outside of the table.
    pub fn scalar<T: Scalar>(&self, slot: usize) -> Result<Option<T>, Broken> {
        self.field(slot, T::SIZE)?.map(|at| self.bytes.scalar(at)).transpose()
    }

    /// A number, or what it is where it is absent.
    ///
    /// # Errors
    /// A field outside of the table.
    pub fn scalar_or<T: Scalar>(&self, slot: usize, otherwise: T) -> Result<T, Broken> {
        Ok(self.scalar(slot)?.unwrap_or(otherwise))
    }

    /// A table in it.
    ///
    /// # Errors
    /// An offset out of the file.
    pub fn table(&self, slot: usize) -> Result<Option<Table<'a>>, Broken> {
        let Some(at) = self.field(slot, 4)? else { return Ok(None) };
        Table::new(self.bytes, self.bytes.follow(at)?).map(Some)
    }

    /// A vector of numbers; empty where it is absent.
    ///
    /// # Errors
    /// A vector that does not lie in the file.
    pub fn vector<T: Scalar>(&self, slot: usize) -> Result<Vector<'a, T>, Broken> {
        let (_, bytes) = self.raw(slot, T::SIZE)?.unwrap_or_default();
        Ok(Vector { bytes, kind: std::marker::PhantomData })
    }

    /// A vector of tables; empty where it is absent.
    ///
    /// # Errors
    /// A vector that does not lie in the file.
    pub fn tables(&self, slot: usize) -> Result<Tables<'a>, Broken> {
        let (at, bytes) = self.raw(slot, 4)?.unwrap_or_default();
        Ok(Tables { bytes: self.bytes, at, count: bytes.len() / 4 })
    }

    /// A text, at most 1,024 bytes of it, of which what is not UTF-8 is replaced; empty where it is absent.
    ///
    /// # Errors
    /// A text that does not lie in the file.
    pub fn text(&self, slot: usize) -> Result<String, Broken> {
        let (_, bytes) = self.raw(slot, 1)?.unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_TEXT)]).into_owned())
    }

    /// The elements of a vector, and where they start.
    fn raw(&self, slot: usize, size: usize) -> Result<Option<(usize, &'a [u8])>, Broken> {
        let Some(field) = self.field(slot, 4)? else { return Ok(None) };
        let at = self.bytes.follow(field)?;
        let count = self.bytes.scalar::<u32>(at)? as usize;
        let elements = count.checked_mul(size).and_then(|length| self.bytes.0.get(at + 4..)?.get(..length));
        match elements {
            Some(elements) => Ok(Some((at + 4, elements))),
            None => Err(Broken::new(at, format!("a vector of {count} elements leads out of the file"))),
        }
    }
}

/// A vector of numbers.
#[derive(Clone, Copy)]
pub struct Vector<'a, T> {
    bytes: &'a [u8],
    kind: std::marker::PhantomData<T>,
}

impl<T> Default for Vector<'_, T> {
    fn default() -> Self {
        Vector { bytes: &[], kind: std::marker::PhantomData }
    }
}

impl<'a, T: Scalar> Vector<'a, T> {
    /// How many.
    pub fn len(&self) -> usize {
        self.bytes.len() / T::SIZE
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Its elements.
    pub fn iter(&self) -> impl Iterator<Item = T> + use<'a, T> {
        self.bytes.chunks_exact(T::SIZE).filter_map(T::read)
    }

    /// Its bytes as they are in the file.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// A vector of tables.
#[derive(Clone, Copy)]
pub struct Tables<'a> {
    bytes: Bytes<'a>,
    at: usize,
    count: usize,
}

impl<'a> Tables<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The one with this number.
    ///
    /// # Errors
    /// A number that is too great, or an offset out of the file.
    pub fn get(&self, number: usize) -> Result<Table<'a>, Broken> {
        if number >= self.count {
            return Err(Broken::new(self.at, format!("number {number} of {} tables", self.count)));
        }
        Table::new(self.bytes, self.bytes.follow(self.at + 4 * number)?)
    }

    /// All of them in order.
    pub fn iter(&self) -> impl Iterator<Item = Result<Table<'a>, Broken>> + use<'a> {
        let all = *self;
        (0..all.count).map(move |number| all.get(number))
    }
}
