//! The product under convolutions and dense layers: tiles of pixels times columns of weights, in registers.

#![expect(unsafe_code, reason = "the innermost loops")]

use super::simd::Lanes;

/// Pixels of a grid times a panel of weights. A pixel reads `runs.len()` runs of `run` elements; element `k` of
/// them, in order, meets row `k` of the panel.
pub(super) struct Tile<'t> {
    pub(super) source: &'t [f32],
    /// Rows and columns of the grid.
    pub(super) grid: [usize; 2],
    /// Elements of the source from a pixel to the one below and to the one to the right.
    pub(super) source_step: [usize; 2],
    /// Where the runs start, from the pixel on.
    pub(super) runs: &'t [usize],
    /// Elements of each run.
    pub(super) run: usize,
    /// `[runs * run, vectors * N]`.
    pub(super) panel: &'t [f32],
    /// Where chains start: one for each column of the panel.
    pub(super) bias: &'t [f32],
    /// Columns of the panel that are written.
    pub(super) columns: usize,
    /// Elements of the result from a pixel to the one below and to the one to the right.
    pub(super) out_step: [usize; 2],
    pub(super) out: Out<'t>,
}

/// A result that several tiles write one after the other, each its own elements.
#[derive(Clone, Copy)]
pub(super) struct Out<'o> {
    at: *mut f32,
    len: usize,
    owner: std::marker::PhantomData<&'o mut [f32]>,
}

impl<'o> Out<'o> {
    pub(super) fn new(out: &'o mut [f32]) -> Out<'o> {
        Out { at: out.as_mut_ptr(), len: out.len(), owner: std::marker::PhantomData }
    }

    pub(super) fn pointer(self) -> *mut f32 {
        self.at
    }

    pub(super) fn len(self) -> usize {
        self.len
    }

    /// The first of `width` elements from `first` on in each of some rows of `step` elements.
    pub(super) fn rows(self, first: usize, rows: usize, step: usize, width: usize) -> *mut f32 {
        assert!(rows == 0 || reach([rows, 1], [step, 0], first + width) <= self.len, "rows of the result");
        self.at.wrapping_add(first)
    }

    /// Writes the lanes below `left` to the first elements.
    ///
    /// # Safety
    /// The processor has the instructions of `L`.
    #[inline(always)]
    pub(super) unsafe fn store<L: Lanes>(self, lanes: L, left: usize) {
        let count = left.min(L::N);
        assert!(count <= self.len, "room for the lanes");
        // SAFETY: that of the caller, and there is room.
        unsafe { lanes.store_first(self.at, count) };
    }

    /// What lies behind the first `start` elements.
    pub(super) fn from(self, start: usize) -> Out<'o> {
        assert!(start <= self.len, "a place in the result");
        // SAFETY: inside of the same elements.
        Out { at: unsafe { self.at.add(start) }, len: self.len - start, ..self }
    }
}

/// The elements that lie between the first pixel of a grid that is not empty and the end of the last one's `width`.
/// It does not wrap, so no slice has as many where they cannot be counted.
pub(super) fn reach([rows, columns]: [usize; 2], [down, right]: [usize; 2], width: usize) -> usize {
    let (down, right) = ((rows - 1).saturating_mul(down), (columns - 1).saturating_mul(right));
    down.saturating_add(right).saturating_add(width)
}

/// Runs a tile with the vectors of an instruction set.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn tile_of<L: Lanes>(vectors: usize, t: &Tile<'_>) {
    // SAFETY: that of the caller.
    unsafe { L::tile(vectors, t) }
}

/// Runs a tile for `V` vectors of columns, `R` pixels at a time.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
pub(super) unsafe fn tile<L: Lanes, const R: usize, const V: usize>(t: &Tile<'_>) {
    let [rows, columns] = t.grid;
    if rows * columns == 0 {
        return;
    }
    let width = t.runs.iter().max().map_or(0, |run| run.saturating_add(t.run));
    assert!(reach(t.grid, t.source_step, width) <= t.source.len(), "pixels lie in the source");
    assert!(t.panel.len() >= t.runs.len() * t.run * V * L::N && t.bias.len() >= V * L::N, "a whole panel");
    assert!(
        t.columns <= V * L::N && reach(t.grid, t.out_step, t.columns) <= t.out.len,
        "pixels lie in the result"
    );
    let (mut y, mut x, mut left) = (0, 0, rows * columns);
    while left > 0 {
        let mut source = [t.source.as_ptr(); R];
        let mut out = [t.out.at; R];
        // Rows beyond the last pixel compute it again and write nothing.
        for r in 0..R {
            // SAFETY: the pixel is one of the grid, whose reach was checked.
            unsafe {
                source[r] = t.source.as_ptr().add(y * t.source_step[0] + x * t.source_step[1]);
                out[r] = t.out.at.add(y * t.out_step[0] + x * t.out_step[1]);
            }
            if r + 1 < left {
                x += 1;
                if x == columns {
                    (y, x) = (y + 1, 0);
                }
            }
        }
        // SAFETY: reads of the source, the panel and the bias and writes of the result were checked.
        unsafe {
            let sums = chains::<L, R, V>(t, &source);
            for r in 0..R {
                if r < left {
                    write::<L, V>(&sums[r], out[r], t.columns);
                }
            }
        }
        left = left.saturating_sub(R);
    }
}

/// The sums of `R` pixels, each one chain over all runs.
#[inline(always)]
unsafe fn chains<L: Lanes, const R: usize, const V: usize>(
    t: &Tile<'_>,
    source: &[*const f32; R],
) -> [[L; V]; R] {
    // SAFETY: that of the caller, who checked the extents.
    unsafe {
        let bias: [L; V] = load(t.bias.as_ptr());
        let mut sums = [bias; R];
        let mut weights = t.panel.as_ptr();
        for &start in t.runs {
            for k in start..start + t.run {
                let row: [L; V] = load(weights);
                for r in 0..R {
                    let x = L::splat(*source[r].add(k));
                    for v in 0..V {
                        sums[r][v] = x.fma(row[v], sums[r][v]);
                    }
                }
                weights = weights.add(V * L::N);
            }
        }
        sums
    }
}

/// `V` vectors. Closures would not be compiled for the instructions of the function that they stand in.
///
/// # Safety
/// The processor has the instructions of `L`, and there are so many elements.
#[inline(always)]
pub(super) unsafe fn load<L: Lanes, const V: usize>(from: *const f32) -> [L; V] {
    // SAFETY: that of the caller.
    unsafe {
        let mut vectors = [L::splat(0.0); V];
        for (v, vector) in vectors.iter_mut().enumerate() {
            *vector = L::load(from.add(v * L::N));
        }
        vectors
    }
}

/// Writes the first `columns` sums.
#[inline(always)]
unsafe fn write<L: Lanes, const V: usize>(sums: &[L; V], out: *mut f32, columns: usize) {
    for (v, sums) in sums.iter().enumerate() {
        let from = v * L::N;
        // SAFETY: that of the caller, who checked the extents.
        unsafe {
            if from + L::N <= columns {
                sums.store(out.add(from));
            } else if from < columns {
                sums.store_first(out.add(from), columns - from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reach_does_not_wrap() {
        assert_eq!(reach([3, 2], [10, 4], 5), 29);
        // Its third row lies where the first one does, in arithmetic that wraps, and the second one nowhere.
        assert_eq!(reach([3, 1], [1 << (usize::BITS - 1), 1], 1), usize::MAX);
    }
}
