//! Loops over output pixels with peeled borders.
//!
//! The taps inside the input are the same for all interior pixels. Along rows, each range with equal taps is a
//! further call of the same function. Columns of a map of several rows must stay inside the loop over rows, or
//! pixels would not be in raster order and the output could not overlap the input: there the body is repeated,
//! with taps affine in the column.

use super::geometry::Geometry;
use crate::kernel::lower::FunctionBuilder;
use crate::kernel::{Affine, Stmt};

/// Lower and upper bound.
pub(in crate::kernel) type Bounds = (Affine, Affine);

/// An output pixel and the taps of its window.
pub(in crate::kernel) struct Pixel {
    /// Output row.
    pub(in crate::kernel) y: Affine,
    /// Output column.
    pub(in crate::kernel) x: Affine,
    /// Rows of taps.
    pub(in crate::kernel) ky: Bounds,
    /// Columns of taps.
    pub(in crate::kernel) kx: Bounds,
}

/// A range of columns; `(factor, constant)` of the first tap and of the end, affine in the column.
struct Columns {
    bounds: Bounds,
    first: (i64, Affine),
    end: (i64, Affine),
}

/// Loops over all pixels, and the scalar arguments of the calls that together run them.
pub(in crate::kernel) struct Loops {
    rows: Bounds,
    ky: Bounds,
    columns: Vec<Columns>,
    /// Leading scalar arguments of each call.
    pub(in crate::kernel) calls: Vec<Vec<i32>>,
}

fn constants((lower, upper): (i64, i64)) -> Bounds {
    (Affine::constant(lower), Affine::constant(upper))
}

impl Loops {
    /// Plans the loops and declares the scalar parameters that they need.
    pub(in crate::kernel) fn new(geometry: &Geometry, builder: &mut FunctionBuilder) -> Loops {
        let [row_taps, column_taps] = [0, 1].map(|axis| geometry.taps(axis));
        let one_row = row_taps.len() == 1;
        let runs = equal_runs(if one_row { &column_taps } else { &row_taps });
        let (bounds, taps, calls) = if let [(bounds, taps)] = runs[..] {
            (constants(bounds), constants(taps), vec![Vec::new()])
        } else {
            let names = if one_row {
                ["x_begin", "x_end", "kx_begin", "kx_end"]
            } else {
                ["y_begin", "y_end", "ky_begin", "ky_end"]
            };
            let [lower, upper, first, end] = names.map(|name| Affine::var(builder.scalar(name)));
            let call = |&((lower, upper), (first, end)): &((i64, i64), (i64, i64))| {
                [lower, upper, first, end].map(|value| value as i32).to_vec()
            };
            ((lower, upper), (first, end), runs.iter().map(call).collect())
        };
        if one_row {
            let columns = vec![Columns { bounds, first: (0, taps.0), end: (0, taps.1) }];
            return Loops { rows: constants((0, 1)), ky: constants(row_taps[0]), columns, calls };
        }
        Loops { rows: bounds, ky: taps, columns: affine_runs(&column_taps), calls }
    }

    /// The loops around what is done for a pixel.
    pub(in crate::kernel) fn nest(
        &self,
        builder: &mut FunctionBuilder,
        mut body: impl FnMut(&mut FunctionBuilder, &Pixel) -> Vec<Stmt>,
    ) -> Vec<Stmt> {
        builder.each("y", self.rows.clone(), 1, |builder, y| {
            let mut stmts = Vec::new();
            for Columns { bounds, first, end } in &self.columns {
                stmts.extend(builder.each("x", bounds.clone(), 1, |builder, x| {
                    let tap = |(factor, constant): &(i64, Affine)| x.times(*factor).plus(constant);
                    let kx = (tap(first), tap(end));
                    body(builder, &Pixel { y: y.clone(), x: x.clone(), ky: self.ky.clone(), kx })
                }));
            }
            stmts
        })
    }
}

/// Ranges of indices with equal taps.
fn equal_runs(taps: &[(i64, i64)]) -> Vec<((i64, i64), (i64, i64))> {
    let mut runs: Vec<((i64, i64), (i64, i64))> = Vec::new();
    for (index, &taps) in taps.iter().enumerate() {
        match runs.last_mut() {
            Some((bounds, last)) if *last == taps => bounds.1 += 1,
            _ => runs.push(((index as i64, index as i64 + 1), taps)),
        }
    }
    runs
}

/// Ranges of indices with taps affine in the index: equal runs, and runs of single indices joined where their
/// taps move by equal steps.
fn affine_runs(taps: &[(i64, i64)]) -> Vec<Columns> {
    let mut columns = Vec::new();
    let mut start = 0;
    while start < taps.len() {
        let step = |index: usize| (taps[index + 1].0 - taps[index].0, taps[index + 1].1 - taps[index].1);
        let moves = |index: usize| index + 1 < taps.len() && step(index) != (0, 0);
        let mut end = start + 1;
        let slope = if end < taps.len() { step(start) } else { (0, 0) };
        while end < taps.len() && step(end - 1) == slope {
            end += 1;
        }
        // The last of a moving run may start a run of equal taps, which is worth more.
        if slope != (0, 0) && end - start > 1 && end < taps.len() && !moves(end - 1) {
            end -= 1;
        }
        let slope = if end - start > 1 { slope } else { (0, 0) };
        let at = |factor: i64, value: i64| (factor, Affine::constant(value - factor * start as i64));
        columns.push(Columns {
            bounds: constants((start as i64, end as i64)),
            first: at(slope.0, taps[start].0),
            end: at(slope.1, taps[start].1),
        });
        start = end;
    }
    columns
}
