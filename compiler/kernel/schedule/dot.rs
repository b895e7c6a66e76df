//! The dot-product micro-kernel: a run of int8 activations against rows of int8 weights.

use std::sync::Arc;

use super::armv7em;
use crate::kernel::micro::Known;
use crate::kernel::{
    Access, Affine, BinOp, Buf, BufParam, Expr, Function, MicroKernel, Reg, Special, Stmt, Ty, Var,
};
use crate::target::{Isa, Schedules};
use crate::tensor::DType;

/// Output channels that one run of activations is multiplied with at once: with four accumulators, two row
/// pointers and the widened run, the 14 usable registers of a Cortex-M are full.
pub(in crate::kernel) const ROWS: usize = 4;

/// The name of [`dot`].
pub(in crate::kernel) fn name(rows: usize) -> String {
    format!("dot_i8_{rows}")
}

/// `r_j += sum over k in 0..n of (x[k] - zero) * w[j * stride + k]`, for each of `rows` rows, 1 or [`ROWS`].
/// `zero` lies in `-128..=127`.
pub(in crate::kernel) fn dot(rows: usize, isa: Isa) -> Arc<MicroKernel> {
    static KNOWN: [Known<{ ROWS + 1 }>; 2] = [const { Known::new() }; 2];
    let has_dsp = isa.schedules() == Schedules::ArmDsp;
    KNOWN[usize::from(has_dsp)].get(rows, || of_rows(rows, has_dsp))
}

fn of_rows(rows: usize, has_dsp: bool) -> MicroKernel {
    let [x, w] = [Buf(0), Buf(1)];
    let [n, stride, zero, k] = [Var(0), Var(1), Var(2), Var(3)];
    let value = Expr::Bin(
        BinOp::Sub,
        Box::new(Expr::Load { buf: x, index: Affine::var(k) }),
        Box::new(Expr::Index(Affine::var(zero))),
    );
    let shifted = Reg(rows as u32);
    let mut body = vec![Stmt::Set { reg: shifted, value }];
    for row in 0..rows {
        let index = Affine::var(stride).times(row as i64).plus(&Affine::var(k));
        let product =
            Expr::Bin(BinOp::Mul, Box::new(Expr::Reg(shifted)), Box::new(Expr::Load { buf: w, index }));
        let sum = Reg(row as u32);
        let value = Expr::Bin(BinOp::Add, Box::new(Expr::Reg(sum)), Box::new(product));
        body.push(Stmt::Set { reg: sum, value });
    }
    let body = vec![Stmt::For { var: k, lower: Affine::constant(0), upper: Affine::var(n), step: 1, body }];
    let param = |name: &str| BufParam { name: name.into(), elem: DType::I8, access: Access::Read };
    let meaning = Function {
        name: name(rows),
        params: vec![param("x"), param("w")],
        n_scalars: 3,
        vars: ["n", "stride", "zero", "k"].map(String::from).to_vec(),
        registers: vec![Ty::I32; rows + 1],
        locals: Vec::new(),
        body: body.into(),
    };
    let armv7em = has_dsp.then(|| Special::Inline(armv7em::dot::dot(rows)));
    MicroKernel { meaning, n_registers: rows as u32, armv7em }
}
