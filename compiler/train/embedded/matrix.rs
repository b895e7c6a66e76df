//! The matrix product under all convolutions and dense layers.

use rayon::prelude::*;

use crate::train::embedded::Tensor;
use crate::train::embedded::isa::{Isa, multiversion};
use crate::train::engine::Transposed;

/// Columns of a packed right operand: a multiple of 8, the rest zeros.
pub(super) fn padded(columns: usize) -> usize {
    columns.next_multiple_of(8)
}

/// A left operand: element `(i, k)` is `data[i * row + k * step]`.
#[derive(Clone, Copy)]
pub(super) struct Left<'d> {
    pub(super) data: &'d [f32],
    pub(super) row: usize,
    pub(super) step: usize,
}

multiversion! {
    /// `out[i][j] = fma(left[i][k], right[k][j], out[i][j])` for ascending `k`. `out` has `columns` columns,
    /// `right` has `padded(columns)`.
    pub(super) fn multiply(left: Left<'_>, depth: usize, right: &[f32], out: &mut [f32], columns: usize) {
        let mut j = 0;
        while j < columns {
            if columns - j > 8 {
                panel::<16>(left, depth, right, out, (j, columns));
                j += 16;
            } else {
                panel::<8>(left, depth, right, out, (j, columns));
                j += 8;
            }
        }
    }
}

/// All rows of `L` columns.
#[inline(always)]
fn panel<const L: usize>(left: Left<'_>, depth: usize, right: &[f32], out: &mut [f32], at: (usize, usize)) {
    let rows = out.len() / at.1;
    let mut i = 0;
    while i + 4 <= rows {
        tile::<4, L>(left, i, depth, right, out, at);
        i += 4;
    }
    while i < rows {
        tile::<1, L>(left, i, depth, right, out, at);
        i += 1;
    }
}

#[inline(always)]
fn tile<const R: usize, const L: usize>(
    left: Left<'_>,
    i: usize,
    depth: usize,
    right: &[f32],
    out: &mut [f32],
    (j, columns): (usize, usize),
) {
    let count = L.min(columns - j);
    let mut edge = [[0.0f32; L]; R];
    for (r, lanes) in edge.iter_mut().enumerate() {
        let at = (i + r) * columns + j;
        lanes[..count].copy_from_slice(&out[at..at + count]);
    }
    let edge = chains(&edge, left, i, depth, &right[j..], padded(columns));
    for (r, lanes) in edge.iter().enumerate() {
        let at = (i + r) * columns + j;
        out[at..at + count].copy_from_slice(&lanes[..count]);
    }
}

/// `R * L` chains that advance together, in registers.
#[inline(always)]
fn chains<const R: usize, const L: usize>(
    start: &[[f32; L]; R],
    left: Left<'_>,
    i: usize,
    depth: usize,
    right: &[f32],
    stride: usize,
) -> [[f32; L]; R] {
    // An array of its own: the one that the edges index by variables would stay in memory.
    let mut sums = [[0.0f32; L]; R];
    for r in 0..R {
        for l in 0..L {
            sums[r][l] = start[r][l];
        }
    }
    for k in 0..depth {
        let lanes: &[f32; L] = right[k * stride..k * stride + L].try_into().expect("`L` elements");
        for (r, sum) in sums.iter_mut().enumerate() {
            let x = left.data[(i + r) * left.row + k * left.step];
            for l in 0..L {
                sum[l] = x.mul_add(lanes[l], sum[l]);
            }
        }
    }
    sums
}

/// Packs `rows` rows of `columns` elements; element `(k, j)` is `data[k * row + j * step]`.
pub(super) fn pack(data: &[f32], rows: usize, columns: usize, row: usize, step: usize) -> Vec<f32> {
    let width = padded(columns);
    let mut packed = vec![0.0; rows * width];
    for (k, line) in packed.chunks_exact_mut(width).enumerate() {
        for (j, element) in line[..columns].iter_mut().enumerate() {
            *element = data[k * row + j * step];
        }
    }
    packed
}

/// Rows of the result that one task computes.
const ROWS_PER_TASK: usize = 16;

pub(super) fn gemm(
    isa: Isa,
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
    let (row, step) = if transposed.b { (1, b1) } else { (b1, 1) };
    let right = pack(b.data(), depth, columns, row, step);
    let (row, step) = if transposed.a { (1, a1) } else { (a1, 1) };
    let mut out = start(rows * columns, columns, bias);
    out.par_chunks_mut(ROWS_PER_TASK * columns).enumerate().for_each(|(task, out)| {
        let data = &a.data()[task * ROWS_PER_TASK * row..];
        multiply(isa, Left { data, row, step }, depth, &right, out, columns);
    });
    Tensor::new(&[rows, columns], out)
}

/// Where chains start: at the bias of their column or at 0.
pub(super) fn start(len: usize, columns: usize, bias: Option<&Tensor>) -> Vec<f32> {
    match bias {
        None => vec![0.0; len],
        Some(bias) => {
            assert_eq!(bias.shape(), [columns], "one bias for each output");
            bias.data().repeat(len / columns)
        }
    }
}
