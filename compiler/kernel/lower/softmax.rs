//! Softmax: the exponentials are a table by the difference from the greatest score.

use super::{FunctionBuilder, Kernel, Layer, Lowering, activation_type, binary, int, load, requant};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BinOp, Buf, Expr, Reg, Stmt, TableRole};
use crate::ops::Softmax;
use crate::tensor::DType;
use crate::tensor::arith::Rounding;

/// Registers of a row.
struct Row {
    greatest: Reg,
    /// Sum of the exponentials, in steps of 2^-19.
    sum: Reg,
    /// Bits above the sum's first one.
    headroom: Reg,
    half: Reg,
    /// The reciprocal.
    x: Reg,
}

impl Lowering<'_> {
    pub(super) fn softmax(&mut self, layer: &Layer, op: &Softmax) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let ty = self.graph.ty(node);
        activation_type(ty)?;
        let (elements, classes) = (ty.shape.elements(), ty.shape.0.last().copied().unwrap_or(1).max(1));
        let exponentials = op.exponentials(ty);
        let source = self.source(node)?;
        let content = (DType::I32, TableRole::Lookup, exponentials);
        let table = Arg::Table(self.table(format!("exponentials_{}", layer.position), content, false));
        let scratch = self.bytes(layer, "differences", classes);
        let mut builder = FunctionBuilder::default();
        let input = builder.int8("input", Access::Read);
        let known = builder.param("exponentials", DType::I32, Access::Read);
        let differences = builder.int8("differences", Access::ReadWrite);
        let output = builder.int8("output", Access::Write);
        let [greatest, sum, headroom, half, x] = [(); 5].map(|()| builder.register());
        let row = Row { greatest, sum, headroom, half, x };
        let all = |extent: usize| (Affine::constant(0), Affine::constant(extent as i64));
        let body = builder.each("row", all(elements / classes), 1, |builder, at| {
            let start = at.times(classes as i64);
            let mut stmts = vec![set(row.greatest, int(i8::MIN.into()))];
            stmts.extend(builder.each("c", all(classes), 1, |_, c| {
                let score = load(input, &start.plus(c));
                vec![set(row.greatest, binary(BinOp::Max, Expr::Reg(row.greatest), score))]
            }));
            stmts.push(set(row.sum, int(0)));
            stmts.extend(builder.each("c", all(classes), 1, |_, c| {
                let difference = binary(BinOp::Sub, load(input, &start.plus(c)), Expr::Reg(row.greatest));
                let value = binary(BinOp::Add, difference, int(127));
                let share = shortened(exponential(known, differences, c));
                vec![
                    Stmt::Store { buf: differences, index: c.clone(), value },
                    set(row.sum, binary(BinOp::Add, Expr::Reg(row.sum), share)),
                ]
            }));
            stmts.extend(reciprocal(&row));
            stmts.extend(builder.each("c", all(classes), 1, |_, c| {
                let shift = binary(BinOp::Sub, Expr::Reg(row.headroom), int(35));
                let exponential = exponential(known, differences, c);
                let share = requant(exponential, Expr::Reg(row.x), shift, Rounding::Double);
                let value = binary(BinOp::Min, binary(BinOp::Sub, share, int(128)), int(127));
                vec![Stmt::Store { buf: output, index: start.plus(c), value }]
            }));
            stmts
        });
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source, table, Arg::Buffer(scratch)],
            scalars: vec![Vec::new()],
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

fn exponential(table: Buf, differences: Buf, at: &Affine) -> Expr {
    Expr::Lookup { table, at: Box::new(load(differences, at)) }
}

/// What is not below 0, divided by 2^12 and rounded, ties up.
fn shortened(x: Expr) -> Expr {
    let half = binary(BinOp::And, binary(BinOp::Shr, x.clone(), int(11)), int(1));
    binary(BinOp::Add, binary(BinOp::Shr, x, int(12)), half)
}

/// As `Reciprocal::of` of the operator.
fn reciprocal(row: &Row) -> Vec<Stmt> {
    let reg = Expr::Reg;
    // The second one is not below 0.
    let mul = |a: Expr, b: Expr| requant(a, b, int(0), Rounding::Double);
    // The sum is at least 2^19, so its first bit is one of a few.
    let headroom = (20..31)
        .fold(int(1), |count, bit| binary(BinOp::Add, count, binary(BinOp::Lt, reg(row.sum), int(1 << bit))));
    let half = binary(BinOp::Shl, reg(row.sum), binary(BinOp::Sub, reg(row.headroom), int(1)));
    let line = binary(BinOp::Add, int(1_515_870_810), mul(int(-1_010_580_540), reg(row.half)));
    let mut stmts = vec![set(row.headroom, headroom), set(row.half, half), set(row.x, line)];
    for _ in 0..3 {
        let rest = binary(BinOp::Sub, int(1 << 29), mul(reg(row.half), reg(row.x)));
        let step = binary(BinOp::Mul, mul(rest, reg(row.x)), int(4));
        stmts.push(set(row.x, binary(BinOp::Add, reg(row.x), step)));
    }
    // Twice the reciprocal, which may be 2^31 and is one less then.
    let greatest = int((1 << 30) - 1);
    let doubled = binary(BinOp::Mul, binary(BinOp::Min, reg(row.x), greatest.clone()), int(2));
    let one = binary(BinOp::Lt, greatest, reg(row.x));
    stmts.push(set(row.x, binary(BinOp::Add, doubled, one)));
    stmts
}
