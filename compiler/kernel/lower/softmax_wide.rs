//! Softmax of 16 bits: exponentials and the reciprocal of their sum are lines between the elements of tables.

use super::filters::holds;
use super::squash::looked_up;
use super::{FunctionBuilder, Kernel, Layer, Lowering, binary, int, load, requant, scalar};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BinOp, Buf, Expr, Reg, Stmt, TableRole, Ty};
use crate::ops::Softmax;
use crate::ops::interpolation::{EXPONENTIALS, RECIPROCALS};
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// Registers of a row.
struct Row {
    greatest: Reg,
    /// Sum of the exponentials, in steps of 2^-15.
    sum: Reg,
    /// Bits above the sum's first one.
    zeros: Reg,
    reciprocal: Reg,
    /// A place in a table, and what is there.
    at: Reg,
    value: Reg,
}

impl Lowering<'_> {
    pub(super) fn softmax_wide(&mut self, layer: &Layer, op: &Softmax) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let ty = self.graph.ty(node);
        let (elements, classes) = (ty.shape.elements(), ty.shape.0.last().copied().unwrap_or(1).max(1));
        let factor = op.wide_factor(ty);
        if !holds(65_535, factor) {
            return Err("has scores of a scale with which a difference may overflow 32 bits".into());
        }
        let source = self.source(node)?;
        let tables =
            [("exponentials", &EXPONENTIALS), ("reciprocals", &RECIPROCALS)].map(|(name, values)| {
                let content = (DType::I16, TableRole::Lookup, values.to_vec());
                Arg::Table(self.table(format!("softmax_{}_{name}", layer.position), content, true))
            });
        let scratch = self.scratch(layer, "exponentials", classes);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", DType::I16, Access::Read);
        let [exponentials, reciprocals] =
            ["exponentials", "reciprocals"].map(|name| builder.param(name, DType::I16, Access::Read));
        let kept = builder.param("kept", DType::I16, Access::ReadWrite);
        let output = builder.param("output", DType::I16, Access::Write);
        let [value, shift] = ["value", "shift"].map(|name| builder.scalar(name));
        let [greatest, sum, zeros, reciprocal, at, found] = [(); 6].map(|()| builder.register());
        let row = Row { greatest, sum, zeros, reciprocal, at, value: found };
        let all = |extent: usize| (Affine::constant(0), Affine::constant(extent as i64));
        let body = builder.each("row", all(elements / classes), 1, |builder, number| {
            let start = number.times(classes as i64);
            let mut stmts = vec![set(row.greatest, int(i16::MIN.into())), set(row.sum, int(0))];
            stmts.extend(builder.each("c", all(classes), 1, |_, c| {
                let score = load(input, &start.plus(c));
                vec![set(row.greatest, binary(BinOp::Max, Expr::Reg(row.greatest), score))]
            }));
            stmts.extend(builder.each("c", all(classes), 1, |_, c| {
                let difference = binary(BinOp::Sub, load(input, &start.plus(c)), Expr::Reg(row.greatest));
                let scaled = requant(difference, scalar(value), scalar(shift), Rounding::Double);
                let mut stmts = row.interpolated(exponentials, binary(BinOp::Add, scaled, int(32_767)));
                stmts.push(Stmt::Store { buf: kept, index: c.clone(), value: Expr::Reg(row.value) });
                stmts.push(set(row.sum, binary(BinOp::Add, Expr::Reg(row.sum), Expr::Reg(row.value))));
                stmts
            }));
            stmts.extend(row.invert(reciprocals));
            stmts.extend(builder.each("c", all(classes), 1, |_, c| {
                let value = row.share(load(kept, c));
                vec![Stmt::Store { buf: output, index: start.plus(c), value }]
            }));
            stmts
        });
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source, tables[0], tables[1], Arg::Buffer(scratch)],
            scalars: vec![vec![factor.value, factor.shift]],
            // A row is read before it is written.
            safe: overlap::elementwise(elements as i64),
            scratch: vec![scratch],
            work: Vec::new(),
        })
    }
}

fn set(reg: Reg, value: Expr) -> Stmt {
    Stmt::Set { reg, value }
}

impl Row {
    /// Sets the value of a table for a number, saturated to 16 bits.
    fn interpolated(&self, table: Buf, number: Expr) -> Vec<Stmt> {
        let at = || Expr::Reg(self.at);
        let saturated = binary(BinOp::Min, binary(BinOp::Max, number, int(-32_768)), int(32_767));
        // Places are counted from -128 on, and the number from -256 steps on.
        let element = |further: i64| {
            let step = binary(BinOp::Shr, at(), int(7));
            looked_up(table, binary(BinOp::Add, step, int(128 + further)), 511 + further)
        };
        let rest = binary(BinOp::And, at(), int(127));
        let rise = binary(BinOp::Mul, binary(BinOp::Sub, element(1), element(0)), rest);
        let rounded = binary(BinOp::Shr, binary(BinOp::Add, rise, int(64)), int(7));
        vec![set(self.at, saturated), set(self.value, binary(BinOp::Add, element(0), rounded))]
    }

    /// Sets the reciprocal of the sum, which is at least 2^14, and the zeros before its first bit.
    fn invert(&self, table: Buf) -> Vec<Stmt> {
        let sum = || Expr::Reg(self.sum);
        let zeros = (15..31).fold(int(17), |count, bit| {
            let has_bit = binary(BinOp::Lt, int((1 << bit) - 1), sum());
            binary(BinOp::Sub, count, has_bit)
        });
        let left = binary(BinOp::Sub, Expr::Reg(self.zeros), int(1));
        let shifted = binary(BinOp::Shl, Expr::Widen(Box::new(sum())), left);
        let half = Expr::Const(Ty::I64, 1 << 13);
        let rounded = binary(BinOp::Shr, binary(BinOp::Add, shifted, half), int(14));
        let centred = binary(BinOp::Sub, Expr::Narrow(Box::new(rounded)), int(98_304));
        let mut stmts = vec![set(self.zeros, zeros)];
        stmts.extend(self.interpolated(table, centred));
        stmts.push(set(self.reciprocal, Expr::Reg(self.value)));
        stmts
    }

    /// An exponential by the reciprocal.
    fn share(&self, exponential: Expr) -> Expr {
        let zeros = || Expr::Reg(self.zeros);
        let product = binary(BinOp::Mul, exponential, Expr::Reg(self.reciprocal));
        let half = binary(BinOp::Shl, int(1), binary(BinOp::Sub, int(30), zeros()));
        let right = binary(BinOp::Sub, int(31), zeros());
        let share = binary(BinOp::Shr, binary(BinOp::Add, product, half), right);
        binary(BinOp::Min, binary(BinOp::Max, share, int(0)), int(32_767))
    }
}
