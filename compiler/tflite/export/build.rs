//! FlatBuffers, as far as models need them, written: a tree of tables becomes bytes.
//!
//! What refers stands before what it refers to, level by level, so that the order of the bytes follows from the tree
//! alone. Descriptions of tables that are equal are written once. Every scalar lies at a multiple of its size.
//!
//! Source  flatbuffers.dev, "FlatBuffer Internals"

use std::collections::{BTreeMap, VecDeque};

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Field {
    /// A number of 8 bits.
    I8(i8),
    /// A number of 8 bits without a sign: also truth values and the kind of a union.
    U8(u8),
    /// A number of 32 bits.
    I32(i32),
    /// A number of 32 bits without a sign.
    U32(u32),
    /// A number with a binary point.
    F32(f32),
    /// A text.
    Text(String),
    /// Bytes at a multiple of 16, as data of tensors lie.
    Data(Vec<u8>),
    /// Numbers of 32 bits.
    I32s(Vec<i32>),
    /// Numbers of 64 bits.
    I64s(Vec<i64>),
    /// Numbers with a binary point.
    F32s(Vec<f32>),
    /// A table.
    Table(Table),
    /// Tables.
    Tables(Vec<Table>),
}

impl Field {
    /// Bytes in the table: the number itself, or the offset of what lies elsewhere.
    fn size(&self) -> usize {
        match self {
            Field::I8(_) | Field::U8(_) => 1,
            _ => 4,
        }
    }
}

/// A table: fields by slot.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table(BTreeMap<u16, Field>);

impl Table {
    /// The table with a field more.
    pub(super) fn with(mut self, slot: u16, field: Field) -> Table {
        self.0.insert(slot, field);
        self
    }

    /// The table with a field more, unless it is what an absent one means.
    pub(super) fn with_other(self, slot: u16, field: Field, absent: Field) -> Table {
        if field == absent { self } else { self.with(slot, field) }
    }
}

/// The bytes of a tree, with its identifier.
///
/// # Panics
/// When they are 2 GiB or more.
pub(super) fn bytes(root: &Table, identifier: [u8; 4]) -> Vec<u8> {
    let mut writer = Writer { out: vec![0; 4], left: VecDeque::new(), descriptions: BTreeMap::new() };
    writer.out.extend(identifier);
    writer.left.push_back((0, Target::Table(root)));
    while let Some((reference, target)) = writer.left.pop_front() {
        writer.write(reference, target);
    }
    writer.out
}

/// What an offset leads to.
enum Target<'a> {
    Table(&'a Table),
    Field(&'a Field),
}

struct Writer<'a> {
    out: Vec<u8>,
    /// Offsets that are still 0, by their place, and what they lead to.
    left: VecDeque<(usize, Target<'a>)>,
    /// Where the description of a table is.
    descriptions: BTreeMap<Vec<u16>, usize>,
}

impl<'a> Writer<'a> {
    /// Fills up so that what comes `behind` bytes later is at a multiple.
    fn align(&mut self, behind: usize, multiple: usize) {
        while !(self.out.len() + behind).is_multiple_of(multiple) {
            self.out.push(0);
        }
    }

    fn set(&mut self, at: usize, word: u32) {
        self.out[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }

    /// Makes the offset at a place lead to here.
    fn refer_here(&mut self, reference: usize) {
        let offset = u32::try_from(self.out.len() - reference).expect("models are smaller than 2 GiB");
        self.set(reference, offset);
    }

    fn write(&mut self, reference: usize, target: Target<'a>) {
        match target {
            Target::Table(table) | Target::Field(Field::Table(table)) => self.table(reference, table),
            Target::Field(Field::Text(text)) => {
                self.elements(reference, text.len(), text.as_bytes(), 1);
                // Readers in C take it for one of theirs.
                self.out.push(0);
            }
            Target::Field(Field::Data(data)) => self.elements(reference, data.len(), data, 16),
            Target::Field(Field::I32s(numbers)) => {
                self.elements(
                    reference,
                    numbers.len(),
                    &numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>(),
                    4,
                );
            }
            Target::Field(Field::I64s(numbers)) => {
                self.elements(
                    reference,
                    numbers.len(),
                    &numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>(),
                    8,
                );
            }
            Target::Field(Field::F32s(numbers)) => {
                self.elements(
                    reference,
                    numbers.len(),
                    &numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<_>>(),
                    4,
                );
            }
            Target::Field(Field::Tables(tables)) => {
                self.elements(reference, tables.len(), &vec![0; 4 * tables.len()], 4);
                let first = self.out.len() - 4 * tables.len();
                let each = tables.iter().enumerate();
                self.left.extend(each.map(|(at, table)| (first + 4 * at, Target::Table(table))));
            }
            Target::Field(Field::I8(_) | Field::U8(_) | Field::I32(_) | Field::U32(_) | Field::F32(_)) => {}
        }
    }

    /// A vector: its length, then its elements at a multiple.
    fn elements(&mut self, reference: usize, count: usize, bytes: &[u8], multiple: usize) {
        self.align(4, multiple.max(4));
        self.refer_here(reference);
        self.out.extend((count as u32).to_le_bytes());
        self.out.extend(bytes);
    }

    /// A table, and before it its description where it is the first one of its form: bytes of the description, of the
    /// table, and of each field its place in the table. Fields of 32 bits come first.
    fn table(&mut self, reference: usize, table: &'a Table) {
        let slots = table.0.keys().next_back().map_or(0, |&last| usize::from(last) + 1);
        let mut description = vec![0u16; 2 + slots];
        let mut place = 4;
        for size in [4, 1] {
            for (&slot, _) in table.0.iter().filter(|(_, field)| field.size() == size) {
                description[2 + usize::from(slot)] = place as u16;
                place += size;
            }
        }
        (description[0], description[1]) = (2 * description.len() as u16, place as u16);
        let known = self.descriptions.get(&description).copied();
        let description_at = known.unwrap_or_else(|| {
            self.align(0, 2);
            let at = self.out.len();
            self.out.extend(description.iter().flat_map(|x| x.to_le_bytes()));
            self.descriptions.insert(description.clone(), at);
            at
        });
        self.align(0, 4);
        self.refer_here(reference);
        let start = self.out.len();
        self.out.resize(start + place, 0);
        self.set(start, (start - description_at) as u32);
        for (&slot, field) in &table.0 {
            let at = start + usize::from(description[2 + usize::from(slot)]);
            match field {
                Field::I8(x) => self.out[at] = *x as u8,
                Field::U8(x) => self.out[at] = *x,
                Field::I32(x) => self.set(at, *x as u32),
                Field::U32(x) => self.set(at, *x),
                Field::F32(x) => self.set(at, x.to_bits()),
                other => self.left.push_back((at, Target::Field(other))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tflite::flat;

    #[test]
    fn what_is_written_reads_back() {
        let leaf = |x: i8| Table::default().with(0, Field::I8(x)).with(2, Field::F32(1.5));
        let table = Table::default()
            .with(0, Field::U32(3))
            .with(1, Field::Tables(vec![leaf(-1), leaf(2), Table::default()]))
            .with(2, Field::Text("größe".into()))
            .with(3, Field::I64s(vec![-1, i64::MAX]))
            .with(4, Field::Data(vec![1, 2, 3]))
            .with(5, Field::U8(200))
            .with(7, Field::Table(leaf(7)))
            .with(8, Field::F32s(vec![0.25]))
            .with(9, Field::I32s(vec![]))
            .with_other(10, Field::I32(-5), Field::I32(0))
            .with_other(11, Field::I32(0), Field::I32(0));
        let written = bytes(&table, *b"TEST");
        let root = flat::Table::root(&written, *b"TEST").expect("a table");
        assert_eq!(root.scalar::<u32>(0), Ok(Some(3)));
        let tables = root.tables(1).expect("tables");
        let read: Vec<_> = tables.iter().map(|table| table.expect("a table").scalar_or::<i8>(0, 9)).collect();
        assert_eq!(read, [Ok(-1), Ok(2), Ok(9)]);
        assert_eq!(tables.get(1).expect("a table").scalar::<f32>(2), Ok(Some(1.5)));
        assert_eq!(root.text(2).as_deref(), Ok("größe"));
        assert_eq!(root.vector::<i64>(3).expect("a vector").iter().collect::<Vec<_>>(), [-1, i64::MAX]);
        assert_eq!(root.vector::<u8>(4).expect("a vector").bytes(), [1, 2, 3]);
        assert_eq!((root.scalar::<u8>(5), root.scalar::<u8>(6)), (Ok(Some(200)), Ok(None)));
        assert_eq!(root.table(7).expect("a table").expect("there").scalar::<i8>(0), Ok(Some(7)));
        assert_eq!(root.vector::<f32>(8).expect("a vector").iter().collect::<Vec<_>>(), [0.25]);
        assert!(root.vector::<i32>(9).expect("a vector").is_empty());
        assert_eq!((root.scalar::<i32>(10), root.scalar::<i32>(11)), (Ok(Some(-5)), Ok(None)));
        assert_eq!(bytes(&table, *b"TEST"), written, "it writes the same again");
    }

    /// Numbers lie where processors read them at once: at multiples of their size, data at those of 16.
    #[test]
    fn vectors_are_aligned() {
        for filler in 0..16 {
            let table = Table::default()
                .with(0, Field::Text("x".repeat(filler)))
                .with(1, Field::I64s(vec![0x0102_0304_0506_0708]))
                .with(2, Field::Data(vec![0xab; 5]))
                .with(3, Field::Text("y".repeat(filler)))
                .with(4, Field::I32s(vec![0x7172_7374]));
            let written = bytes(&table, *b"TEST");
            let place = |needle: &[u8]| {
                written.windows(needle.len()).position(|window| window == needle).expect("it is there")
            };
            assert_eq!(place(&0x0102_0304_0506_0708i64.to_le_bytes()) % 8, 0);
            assert_eq!(place(&[0xab; 5]) % 16, 0);
            assert_eq!(place(&0x7172_7374i32.to_le_bytes()) % 4, 0);
        }
    }
}
