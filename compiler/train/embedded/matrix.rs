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

/// Rows of the result that advance together, and terms that they take at a time. Measured on Zen 4: 2 to 8 of
/// either differ by a third.
const ROWS: usize = 4;
const TERMS: usize = 4;

multiversion! {
    /// `out[i][j] = fma(left[i][k], right[k][j], out[i][j])` for ascending `k`. `out` has `columns` columns,
    /// `right` has `padded(columns)`.
    pub(super) fn multiply(left: Left<'_>, depth: usize, right: &[f32], out: &mut [f32], columns: usize) {
        let mut sums = vec![0.0f32; ROWS * padded(columns)];
        let rows = out.len() / columns;
        let mut i = 0;
        while i + ROWS <= rows {
            let out = &mut out[i * columns..(i + ROWS) * columns];
            block::<ROWS>(left, i, (depth, right), out, &mut sums);
            i += ROWS;
        }
        while i < rows {
            let out = &mut out[i * columns..(i + 1) * columns];
            block::<1>(left, i, (depth, right), out, &mut sums);
            i += 1;
        }
    }
}

/// All terms of `R` rows from row `i`, in padded sums.
#[inline(always)]
fn block<const R: usize>(
    left: Left<'_>,
    i: usize,
    (depth, right): (usize, &[f32]),
    out: &mut [f32],
    sums: &mut [f32],
) {
    let columns = out.len() / R;
    let width = padded(columns);
    for r in 0..R {
        sums[r * width..][..columns].copy_from_slice(&out[r * columns..][..columns]);
    }
    let mut k = 0;
    while k + TERMS <= depth {
        advance::<R, TERMS>(left, (i, k), &right[k * width..(k + TERMS) * width], sums, width);
        k += TERMS;
    }
    while k < depth {
        advance::<R, 1>(left, (i, k), &right[k * width..(k + 1) * width], sums, width);
        k += 1;
    }
    for r in 0..R {
        out[r * columns..][..columns].copy_from_slice(&sums[r * width..][..columns]);
    }
}

/// `T` terms of `R` rows. Eight neighbouring sums are loaded, advanced and stored in straight-line code, which is
/// the form that the compiler makes vectors of.
#[inline(always)]
fn advance<const R: usize, const T: usize>(
    left: Left<'_>,
    (i, k): (usize, usize),
    right: &[f32],
    sums: &mut [f32],
    width: usize,
) {
    let x: [[f32; T]; R] =
        std::array::from_fn(|r| std::array::from_fn(|t| left.data[(i + r) * left.row + (k + t) * left.step]));
    let mut j = 0;
    while j + 8 <= width {
        for (r, x) in x.iter().enumerate() {
            let at = r * width + j;
            let place: &mut [f32; 8] = (&mut sums[at..at + 8]).try_into().expect("eight sums");
            let mut sum = *place;
            for (t, x) in x.iter().enumerate() {
                let at = t * width + j;
                let lanes: &[f32; 8] = right[at..at + 8].try_into().expect("eight lanes");
                for l in 0..8 {
                    sum[l] = x.mul_add(lanes[l], sum[l]);
                }
            }
            *place = sum;
        }
        j += 8;
    }
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
