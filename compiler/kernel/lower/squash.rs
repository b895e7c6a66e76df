//! The logistic function and the hyperbolic tangent of 16 bits: lines between the elements of a table.

use super::{FunctionBuilder, Kernel, Layer, Lowering, activation_type, binary, int, load, scalar};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, Arg, BinOp, Buf, Expr, Reg, Stmt, TableRole};
use crate::ops::interpolation::SIGMOID;
use crate::ops::{Squash, SquashFunction, Steps};
use crate::tensor::DType;

/// What is taken off the table's elements, so that they fit 16 bits.
const OFF: i64 = 1 << 15;

/// Registers of an element.
struct Element {
    /// The input in steps of the table's unit, and its size.
    steps: Reg,
    size: Reg,
    /// The step of the table, and the value there.
    at: Reg,
    share: Reg,
}

impl Lowering<'_> {
    pub(super) fn squash(&mut self, layer: &Layer, op: &Squash) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let ty = self.graph.ty(node);
        activation_type(ty)?;
        let elements = ty.shape.elements();
        let steps = op.steps(ty);
        let source = self.source(node)?;
        let values = SIGMOID.iter().map(|value| value - OFF as i32).collect();
        let content = (DType::I16, TableRole::Lookup, values);
        let table = Arg::Table(self.table(format!("squash_{}_table", layer.position), content, true));
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", DType::I16, Access::Read);
        let known = builder.param("table", DType::I16, Access::Read);
        let output = builder.param("output", DType::I16, Access::Write);
        let [count, factor, half, shift] =
            ["count", "factor", "half", "shift"].map(|name| builder.scalar(name));
        let [steps_reg, size, at, share] = [(); 4].map(|()| builder.register());
        let element = Element { steps: steps_reg, size, at, share };
        let body = builder.each("i", (Affine::constant(0), Affine::var(count)), 1, |_, i| {
            let product = binary(BinOp::Mul, load(input, i), scalar(factor));
            let steps = binary(BinOp::Shr, binary(BinOp::Add, product, scalar(half)), scalar(shift));
            let mut stmts = vec![set(element.steps, steps)];
            stmts.extend(element.looked_up(known, op.function));
            stmts.push(Stmt::Store { buf: output, index: i.clone(), value: element.value(op.function) });
            stmts
        });
        let Steps { factor, half, shift } = steps;
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source, table],
            scalars: vec![vec![elements as i32, factor, half, shift]],
            safe: overlap::elementwise(elements as i64),
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }
}

fn set(reg: Reg, value: Expr) -> Stmt {
    Stmt::Set { reg, value }
}

/// An element of a table by a number that is held to its places.
pub(super) fn looked_up(table: Buf, at: Expr, last: i64) -> Expr {
    let held = binary(BinOp::Min, binary(BinOp::Max, at, int(-128)), int(last - 128));
    Expr::Lookup { table, at: Box::new(held) }
}

impl Element {
    /// Sets what follows from the steps.
    fn looked_up(&self, table: Buf, function: SquashFunction) -> Vec<Stmt> {
        let reg = |reg: Reg| Expr::Reg(reg);
        let bits = i64::from(function.bits());
        let opposite = binary(BinOp::Sub, int(0), reg(self.steps));
        // A lookup counts from -128 on.
        let element = |further: i64| {
            let at = binary(BinOp::Add, reg(self.at), int(further - 128));
            binary(BinOp::Add, looked_up(table, at, 255), int(OFF))
        };
        let rest = binary(BinOp::And, reg(self.size), int((1 << bits) - 1));
        let rise = binary(BinOp::Mul, rest, binary(BinOp::Sub, element(1), element(0)));
        let line = binary(BinOp::Add, binary(BinOp::Shl, element(0), int(bits)), rise);
        let share = match function {
            // Behind the table it is 1 less a little; the other one is what the last element says.
            SquashFunction::Logistic => {
                let is_behind = binary(BinOp::Lt, int(254), reg(self.at));
                Expr::Select(Box::new(is_behind), Box::new(int(0x7fff << 10)), Box::new(line))
            }
            SquashFunction::Tanh => line,
        };
        vec![
            set(self.size, binary(BinOp::Max, reg(self.steps), opposite)),
            set(self.at, binary(BinOp::Shr, reg(self.size), int(bits))),
            set(self.share, share),
        ]
    }

    fn value(&self, function: SquashFunction) -> Expr {
        let share = || Expr::Reg(self.share);
        let (from, [up, down], right) = match function {
            SquashFunction::Logistic => (0, [512, (1 << 25) + 511], 10),
            SquashFunction::Tanh => (1 << 23, [128, (1 << 23) + 127], 8),
        };
        let above = binary(BinOp::Add, share(), int(up - from));
        let below = binary(BinOp::Sub, int(down), share());
        let is_below = binary(BinOp::Lt, Expr::Reg(self.steps), int(0));
        let sum = Expr::Select(Box::new(is_below), Box::new(below), Box::new(above));
        binary(BinOp::Shr, sum, int(right))
    }
}
