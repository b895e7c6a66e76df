//! The product under gradients of weights: sums of outer products over pixels, in registers.

#![expect(unsafe_code, reason = "the innermost loops")]

use super::simd::Lanes;
use super::tile::{Out, load, reach};

/// For each pixel of a grid, single elements of one side times a row of neighbouring elements of the other, added
/// to `out`.
pub(super) struct Outer<'o> {
    /// Rows and columns of the grid.
    pub(super) grid: [usize; 2],
    /// The side of single elements.
    pub(super) single: &'o [f32],
    /// Its elements from a pixel to the one below and to the one to the right.
    pub(super) single_step: [usize; 2],
    /// Where the single elements are, from the pixel on: a row of the result for each.
    pub(super) offsets: Offsets<'o>,
    /// The side of rows, with a vector's width behind the last one.
    pub(super) row: &'o [f32],
    /// Its elements from a pixel to the one below and to the one to the right.
    pub(super) row_step: [usize; 2],
    /// Elements of a row: columns of the result.
    pub(super) columns: usize,
    /// `[offsets.len(), out_step]`, of which the first `columns` of each row continue their chains.
    pub(super) out: Out<'o>,
    /// Elements from a row of the result to the next.
    pub(super) out_step: usize,
}

/// Places of single elements.
#[derive(Clone, Copy)]
pub(super) enum Offsets<'o> {
    /// As many neighbours.
    Channels(usize),
    /// These.
    List(&'o [usize]),
}

impl Offsets<'_> {
    fn len(self) -> usize {
        match self {
            Offsets::Channels(count) => count,
            Offsets::List(list) => list.len(),
        }
    }

    fn at(self, index: usize) -> usize {
        match self {
            Offsets::Channels(_) => index,
            Offsets::List(list) => list[index],
        }
    }
}

/// Runs an outer product with the vectors of an instruction set.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn outer_of<L: Lanes>(vectors: usize, o: &Outer<'_>) {
    // SAFETY: that of the caller.
    unsafe { L::outer(vectors, o) }
}

/// Adds the products for `V` vectors of columns, `R` rows of the result at a time.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn outer<L: Lanes, const R: usize, const V: usize>(o: &Outer<'_>) {
    let count = o.offsets.len();
    if o.grid[0] * o.grid[1] * count == 0 {
        return;
    }
    let width = (0..count).map(|index| o.offsets.at(index).saturating_add(1)).max().unwrap_or(0);
    assert!(reach(o.grid, o.single_step, width) <= o.single.len(), "single elements lie in their side");
    assert!(reach(o.grid, o.row_step, V * L::N) <= o.row.len(), "rows lie in their side");
    assert!(
        o.columns <= V * L::N && reach([count, 1], [o.out_step, 0], o.columns) <= o.out.len(),
        "room for the result"
    );
    for first in (0..count).step_by(R) {
        // Rows beyond the last compute it again and write nothing.
        let mut offsets = [0; R];
        for (r, offset) in offsets.iter_mut().enumerate() {
            *offset = o.offsets.at((first + r).min(count - 1));
        }
        // SAFETY: all extents were checked.
        unsafe {
            let out = o.out.pointer();
            let mut sums = [[L::splat(0.0); V]; R];
            for (r, sums) in sums.iter_mut().enumerate() {
                let place = out.add((first + r).min(count - 1) * o.out_step);
                for (v, sum) in sums.iter_mut().enumerate() {
                    *sum = read(place, v * L::N, o.columns);
                }
            }
            for y in 0..o.grid[0] {
                let mut single = o.single.as_ptr().add(y * o.single_step[0]);
                let mut row = o.row.as_ptr().add(y * o.row_step[0]);
                for _ in 0..o.grid[1] {
                    let vectors: [L; V] = load(row);
                    for r in 0..R {
                        let x = L::splat(*single.add(offsets[r]));
                        for v in 0..V {
                            sums[r][v] = x.fma(vectors[v], sums[r][v]);
                        }
                    }
                    single = single.wrapping_add(o.single_step[1]);
                    row = row.wrapping_add(o.row_step[1]);
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                if first + r < count {
                    for (v, sum) in sums.iter().enumerate() {
                        write(*sum, out.add((first + r) * o.out_step), v * L::N, o.columns);
                    }
                }
            }
        }
    }
}

/// The vector at `from`, of which there are elements below `columns`.
#[inline(always)]
unsafe fn read<L: Lanes>(row: *const f32, from: usize, columns: usize) -> L {
    // SAFETY: that of the caller, who checked the extents.
    unsafe {
        if from + L::N <= columns {
            L::load(row.add(from))
        } else {
            L::load_first(row.wrapping_add(from), columns.saturating_sub(from))
        }
    }
}

/// Writes what [`read`] reads.
#[inline(always)]
unsafe fn write<L: Lanes>(sums: L, row: *mut f32, from: usize, columns: usize) {
    // SAFETY: that of the caller, who checked the extents.
    unsafe {
        if from + L::N <= columns {
            sums.store(row.add(from));
        } else if from < columns {
            sums.store_first(row.add(from), columns - from);
        }
    }
}
