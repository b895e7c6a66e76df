//! Memory of a run: the arena with its shadow, and locals.

use crate::kernel::{BufferId, Placement, Program, TableId};
use crate::tensor::DType;

/// What a buffer of a function is, with the element that its element 0 is.
#[derive(Clone, Copy, Debug)]
pub(super) enum View {
    /// A buffer of the arena.
    Arena(BufferId, i64),
    /// A table.
    Table(TableId, i64),
    /// A local of the running call.
    Local(usize, i64),
}

impl View {
    /// The same, starting `by` elements later.
    pub(super) fn offset(self, by: i64) -> View {
        match self {
            View::Arena(id, start) => View::Arena(id, start + by),
            View::Table(id, start) => View::Table(id, start + by),
            View::Local(local, start) => View::Local(local, start + by),
        }
    }
}

/// A local: `None` where nothing was stored yet.
pub(super) struct Local {
    elem: DType,
    elements: Vec<Option<i32>>,
}

impl Local {
    pub(super) fn new(elem: DType, len: usize) -> Local {
        Local { elem, elements: vec![None; len] }
    }

    pub(super) fn load(&self, index: i64) -> Result<i64, String> {
        let element = usize::try_from(index).ok().and_then(|index| self.elements.get(index));
        match element {
            Some(Some(value)) => Ok(i64::from(*value)),
            Some(None) => Err(format!("element {index} of a local is read before it is written")),
            None => Err(format!("element {index} of a local of {} elements is read", self.elements.len())),
        }
    }

    pub(super) fn store(&mut self, index: i64, value: i64) -> Result<(), String> {
        let len = self.elements.len();
        let element = usize::try_from(index)
            .ok()
            .and_then(|index| self.elements.get_mut(index))
            .ok_or_else(|| format!("element {index} of a local of {len} elements is written"))?;
        *element = Some(fit(self.elem, value)?);
        Ok(())
    }
}

/// The value as an element, if it fits.
fn fit(elem: DType, value: i64) -> Result<i32, String> {
    let (low, high) = elem.range().ok_or("floats have no place in a kernel")?;
    match i32::try_from(value) {
        Ok(value) if low <= value && value <= high => Ok(value),
        _ => Err(format!("{value} does not fit {elem}")),
    }
}

/// A buffer's place.
struct Extent {
    name: String,
    elem: DType,
    start: usize,
    len: usize,
}

/// The arena. A byte's tag says which element of which buffer was last stored there; 0 where none was.
pub(super) struct Memory {
    bytes: Vec<u8>,
    tags: Vec<u64>,
    extents: Vec<Extent>,
}

/// Elements of a buffer stay below 2^40, buffers below 2^24.
fn tag(buffer: BufferId, element: usize) -> u64 {
    ((u64::from(buffer.0) + 1) << 40) | element as u64
}

impl Memory {
    /// An arena for this placement, with nothing written.
    pub(super) fn new(program: &Program, placement: &Placement) -> Memory {
        let size = placement.arena_bytes(program) as usize;
        let extents = program.buffers.iter().zip(&placement.offsets).map(|(buffer, &start)| Extent {
            name: buffer.name.clone(),
            elem: buffer.elem,
            start: start as usize,
            len: buffer.len,
        });
        Memory { bytes: vec![0; size], tags: vec![0; size], extents: extents.collect() }
    }

    fn element(&self, id: BufferId, index: i64) -> Result<usize, String> {
        let extent = &self.extents[id.0 as usize];
        usize::try_from(index).ok().filter(|&index| index < extent.len).ok_or_else(|| {
            format!("buffer `{}` of {} elements has no element {index}", extent.name, extent.len)
        })
    }

    pub(super) fn load(&self, id: BufferId, index: i64) -> Result<i64, String> {
        let element = self.element(id, index)?;
        let extent = &self.extents[id.0 as usize];
        let size = extent.elem.size();
        let at = extent.start + element * size;
        let wanted = tag(id, element);
        if let Some(&found) = self.tags[at..at + size].iter().find(|&&found| found != wanted) {
            return Err(self.foreign(extent, element, found));
        }
        Ok(match extent.elem {
            DType::I8 => i64::from(self.bytes[at] as i8),
            DType::I16 => i64::from(i16::from_le_bytes([self.bytes[at], self.bytes[at + 1]])),
            DType::I32 | DType::F32 => {
                let word: [u8; 4] = self.bytes[at..at + 4].try_into().expect("a slice of four");
                i64::from(i32::from_le_bytes(word))
            }
        })
    }

    fn foreign(&self, extent: &Extent, element: usize, found: u64) -> String {
        let name = &extent.name;
        match (found >> 40).checked_sub(1) {
            None => format!("element {element} of buffer `{name}` is read before it is written"),
            Some(other) => format!(
                "element {element} of buffer `{name}` is read after element {} of buffer `{}` overwrote it",
                found & ((1 << 40) - 1),
                self.extents[other as usize].name
            ),
        }
    }

    pub(super) fn store(&mut self, id: BufferId, index: i64, value: i64) -> Result<(), String> {
        let element = self.element(id, index)?;
        let extent = &self.extents[id.0 as usize];
        let size = extent.elem.size();
        let value = fit(extent.elem, value)
            .map_err(|message| format!("element {element} of buffer `{}`: {message}", extent.name))?;
        let at = extent.start + element * size;
        self.bytes[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        self.tags[at..at + size].fill(tag(id, element));
        Ok(())
    }
}
