//! The dot-product micro-kernels: a run of int8 or int16 activations against rows of int8 weights.

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

/// What a run is of, and what its products are added up in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) enum Run {
    /// int8, in 32 bits.
    I8,
    /// int16, in 32 bits.
    I16,
    /// int16, in 64 bits.
    Wide,
}

impl Run {
    /// Of such activations with such sums; `None` where there is none.
    pub(in crate::kernel) fn of(elem: DType, sum: Ty) -> Option<Run> {
        match (elem, sum) {
            (DType::I8, Ty::I32) => Some(Run::I8),
            (DType::I16, Ty::I32) => Some(Run::I16),
            (DType::I16, Ty::I64) => Some(Run::Wide),
            _ => None,
        }
    }

    fn elem(self) -> DType {
        if self == Run::I8 { DType::I8 } else { DType::I16 }
    }

    fn sum(self) -> Ty {
        if self == Run::Wide { Ty::I64 } else { Ty::I32 }
    }
}

/// The name of [`dot`].
pub(in crate::kernel) fn name(rows: usize, run: Run) -> String {
    let of = match run {
        Run::I8 => "i8",
        Run::I16 => "i16",
        Run::Wide => "i16_wide",
    };
    format!("dot_{of}_{rows}")
}

/// `r_j += sum over k in 0..n of (x[k] - zero) * w[j * stride + k]`, for each of `rows` rows, 1 or [`ROWS`].
/// `zero` lies in `-128..=127`, and is 0 for int16.
pub(in crate::kernel) fn dot(rows: usize, run: Run, isa: Isa) -> Arc<MicroKernel> {
    static KNOWN: [[Known<{ ROWS + 1 }>; 2]; 3] = [const { [const { Known::new() }; 2] }; 3];
    let has_dsp = isa.schedules() == Schedules::ArmDsp;
    KNOWN[run as usize][usize::from(has_dsp)].get(rows, || of_rows(rows, run, has_dsp))
}

fn of_rows(rows: usize, run: Run, has_dsp: bool) -> MicroKernel {
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
        let product = if run == Run::Wide { Expr::Widen(Box::new(product)) } else { product };
        let sum = Reg(row as u32);
        let value = Expr::Bin(BinOp::Add, Box::new(Expr::Reg(sum)), Box::new(product));
        body.push(Stmt::Set { reg: sum, value });
    }
    let body = vec![Stmt::For { var: k, lower: Affine::constant(0), upper: Affine::var(n), step: 1, body }];
    let param = |name: &str, elem| BufParam { name: name.into(), elem, access: Access::Read };
    let meaning = Function {
        name: name(rows, run),
        params: vec![param("x", run.elem()), param("w", DType::I8)],
        n_scalars: 3,
        vars: ["n", "stride", "zero", "k"].map(String::from).to_vec(),
        registers: [vec![run.sum(); rows], vec![Ty::I32]].concat(),
        locals: Vec::new(),
        body: body.into(),
    };
    let armv7em = match run {
        Run::I8 => Some(armv7em::dot::dot(rows)),
        Run::I16 => Some(armv7em::dot::dot_int16(rows)),
        Run::Wide => None,
    };
    let armv7em = armv7em.filter(|_| has_dsp).map(Special::Inline);
    MicroKernel { meaning, n_registers: rows as u32, armv7em }
}
