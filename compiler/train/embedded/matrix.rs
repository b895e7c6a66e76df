//! Matrix products, and how weights are packed for them.

use std::ops::Range;

use super::arena::Scratch;
use super::isa::{Isa, kernels};
use super::outer::{Offsets, Outer, outer_of};
use super::tasks;
use super::tile::{Out, Tile, tile_of};
use super::{EmbeddedEngine, Tensor};
use crate::train::engine::Transposed;

/// Columns of a result that one tile computes.
#[derive(Clone, Copy)]
pub(super) struct Panel {
    /// The first column.
    pub(super) first: usize,
    /// Columns of the result.
    pub(super) columns: usize,
    /// Vectors that hold them.
    pub(super) vectors: usize,
}

/// Cuts columns into panels of nearly equal width.
pub(super) fn panels(isa: Isa, columns: usize) -> impl Iterator<Item = Panel> {
    let lanes = isa.lanes();
    let vectors = columns.div_ceil(lanes);
    let count = vectors.div_ceil(isa.vectors());
    (0..count).map(move |index| {
        let [first, end] = [index, index + 1].map(|at| at * vectors / count);
        let (start, stop) = (first * lanes, (end * lanes).min(columns));
        Panel { first: start, columns: stop - start, vectors: end - first }
    })
}

/// Columns with those that fill the last vector.
pub(super) fn padded(isa: Isa, columns: usize) -> usize {
    columns.next_multiple_of(isa.lanes())
}

/// Weights as tiles read them: one panel behind the other, in each row `k` the weights of its columns, zeros behind
/// the last.
pub(super) struct Packed<'a> {
    weights: Scratch<'a>,
    bias: Scratch<'a>,
    columns: usize,
    isa: Isa,
}

impl<'a> Packed<'a> {
    /// Room for `depth` rows of `columns` weights.
    pub(super) fn new(
        engine: &'a EmbeddedEngine,
        (depth, columns): (usize, usize),
        bias: Option<&Tensor>,
    ) -> Packed<'a> {
        let isa = engine.isa;
        let width = padded(isa, columns);
        let weights = Scratch::new(&engine.arena, depth * width);
        let mut starts = Scratch::new(&engine.arena, width);
        let start = &mut starts.floats_mut()[..width];
        start.fill(0.0);
        if let Some(bias) = bias {
            assert_eq!(bias.shape(), [columns], "one bias for each output");
            start[..columns].copy_from_slice(bias.data());
        }
        Packed { weights, bias: starts, columns, isa }
    }

    /// Packs some rows, which are multiplied together; the weight of row `k` of them and column `j` is
    /// `data[row(k) + j * step]`.
    pub(super) fn fill(
        &mut self,
        rows: Range<usize>,
        data: &[f32],
        row: impl Fn(usize) -> usize,
        step: usize,
    ) {
        let (isa, width, depth) = (self.isa, padded(self.isa, self.columns), rows.len());
        let floats = &mut self.weights.floats_mut()[rows.start * width..rows.end * width];
        for Panel { first, columns, vectors } in panels(isa, self.columns) {
            let wide = vectors * isa.lanes();
            let panel = &mut floats[depth * first..][..depth * wide];
            for (k, line) in panel.chunks_exact_mut(wide).enumerate() {
                let from = &data[row(k) + first * step..];
                line[columns..].fill(0.0);
                match step {
                    1 => line[..columns].copy_from_slice(&from[..columns]),
                    _ => line[..columns].iter_mut().enumerate().for_each(|(j, w)| *w = from[j * step]),
                }
            }
        }
    }

    /// Computes the targets of a tile, which names no panel, in all panels of some rows. Element `k` of a pixel's
    /// runs meets row `k` of them.
    pub(super) fn multiply(&self, rows: Range<usize>, tile: &Tile<'_>) {
        let (width, depth) = (padded(self.isa, self.columns), rows.len());
        let floats = &self.weights.floats()[rows.start * width..rows.end * width];
        for Panel { first, columns, vectors } in panels(self.isa, self.columns) {
            let wide = vectors * self.isa.lanes();
            let panel = &floats[depth * first..][..depth * wide];
            let bias = &self.bias.floats()[first..][..wide];
            run_tile(self.isa, vectors, &Tile { panel, bias, columns, out: tile.out.from(first), ..*tile });
        }
    }
}

/// Rows of the result that one task computes.
const ROWS_PER_TASK: usize = 384;

pub(super) fn gemm(
    engine: &EmbeddedEngine,
    a: &Tensor,
    b: &Tensor,
    transposed: Transposed,
    bias: Option<&Tensor>,
) -> Tensor {
    let (&[a0, a1], &[b0, b1]) = (a.shape(), b.shape()) else {
        panic!("`gemm` of {:?} and {:?}", a.shape(), b.shape());
    };
    let (rows, depth) = if transposed.a { (a1, a0) } else { (a0, a1) };
    let (inner, columns) = if transposed.b { (b1, b0) } else { (b0, b1) };
    assert_eq!(depth, inner, "inner extents of `gemm`");
    let mut out = engine.fresh(&[rows, columns]);
    if transposed.a {
        outer_gemm(engine, a, b, transposed.b, bias, out.data_mut());
        return out;
    }
    let step = if transposed.b { depth } else { 1 };
    let row = |k: usize| if transposed.b { k } else { k * columns };
    let mut packed = Packed::new(engine, (depth, columns), bias);
    packed.fill(0..depth, b.data(), row, step);
    rows_times(&packed, a.floats(), depth, out.data_mut());
    out
}

/// Rows of `depth` elements times packed weights.
pub(super) fn rows_times(packed: &Packed<'_>, source: &[f32], depth: usize, out: &mut [f32]) {
    let columns = packed.columns;
    tasks::chunks(depth * out.len(), out, ROWS_PER_TASK * columns, |task, out| {
        packed.multiply(
            0..depth,
            &Tile {
                source: &source[task * ROWS_PER_TASK * depth..],
                grid: [1, out.len() / columns],
                source_step: [0, depth],
                runs: &[0],
                run: depth,
                panel: &[],
                bias: &[],
                columns: 0,
                out_step: [0, columns],
                out: Out::new(out),
            },
        );
    });
}

/// `a` is stored as `[K, M]`: a sum of outer products of its rows and those of `b`.
fn outer_gemm(
    engine: &EmbeddedEngine,
    a: &Tensor,
    b: &Tensor,
    is_b_transposed: bool,
    bias: Option<&Tensor>,
    out: &mut [f32],
) {
    let (depth, rows) = (a.shape()[0], a.shape()[1]);
    let columns = out.len() / rows.max(1);
    let mut turned = Scratch::new(&engine.arena, if is_b_transposed { depth * columns } else { 0 });
    let right = if is_b_transposed {
        transpose(b.data(), columns, turned.floats_mut());
        turned.floats()
    } else {
        b.floats()
    };
    match bias {
        None => out.fill(0.0),
        Some(bias) => out.chunks_exact_mut(columns.max(1)).for_each(|row| row.copy_from_slice(bias.data())),
    }
    add_outer(
        engine.isa,
        &Outer {
            grid: [1, depth],
            single: a.floats(),
            single_step: [0, rows],
            offsets: Offsets::Channels(rows),
            row: right,
            row_step: [0, columns],
            columns,
            out: Out::new(out),
            out_step: columns,
        },
    );
}

/// `[rows, columns]` from `[columns, rows]`.
pub(super) fn transpose(x: &[f32], rows: usize, out: &mut [f32]) {
    let columns = x.len() / rows.max(1);
    for (i, line) in x.chunks_exact(columns.max(1)).enumerate() {
        line.iter().enumerate().for_each(|(j, x)| out[j * rows + i] = *x);
    }
}

/// Adds outer products, panel by panel.
pub(super) fn add_outer(isa: Isa, outer: &Outer<'_>) {
    for Panel { first, columns, vectors } in panels(isa, outer.columns) {
        let (row, out) = (&outer.row[first..], outer.out.from(first));
        run_outer(isa, vectors, &Outer { row, columns, out, ..*outer });
    }
}

kernels! {
    /// Computes one panel of a tile.
    fn run_tile(vectors: usize, tile: &Tile<'_>) = tile_of;
    /// Adds outer products to one panel.
    fn run_outer(vectors: usize, outer: &Outer<'_>) = outer_of;
}
