//! Bilinear maps: rows, columns and weights of a pixel follow from its place, and serve all of its channels.

use super::{FunctionBuilder, Kernel, Layer, Lowering, activation_type, binary, int, load};
use crate::kernel::{Access, Affine, BinOp, Derivation, Expr, Stmt, Ty};
use crate::ops::{BILINEAR_STEPS, Places, ResizeBilinear};
use crate::tensor::DType;

/// What lies around a place along an axis.
struct Around {
    /// Definitions of the variables that the others are made of.
    stmts: Vec<Stmt>,
    before: Affine,
    behind: Affine,
    /// How far the place is from the first.
    share: Affine,
}

impl Around {
    fn new(builder: &mut FunctionBuilder, places: Places, at: &Affine, extent: usize) -> Around {
        let place = at.times(places.step).offset(places.start);
        let steps = Affine::constant(BILINEAR_STEPS);
        let (inside, first) = builder.derive("inside", Derivation::Max, place.clone(), Affine::constant(0));
        let (before, second) = builder.derive("before", Derivation::Quotient, inside, steps.clone());
        let next = place.offset(BILINEAR_STEPS - 1);
        let (next, third) = builder.derive("next", Derivation::Quotient, next, steps);
        let last = Affine::constant(extent as i64 - 1);
        let (behind, fourth) = builder.derive("behind", Derivation::Min, next, last);
        let share = place.plus(&before.times(-BILINEAR_STEPS));
        Around { stmts: vec![first, second, third, fourth], before, behind, share }
    }

    /// Weights of both.
    fn weights(&self) -> [Expr; 2] {
        let rest = self.share.times(-1).offset(BILINEAR_STEPS);
        [Expr::Index(rest), Expr::Index(self.share.clone())]
    }
}

impl Lowering<'_> {
    pub(super) fn resize_bilinear(&mut self, layer: &Layer, op: &ResizeBilinear) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let ty = self.graph.ty(node);
        activation_type(ty)?;
        let [_, height, width, channels] =
            ty.shape.nhwc().filter(|shape| shape[0] == 1).ok_or("is not on one feature map")?;
        let source = self.source(node)?;
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let weights = [(); 4].map(|()| builder.register());
        // 16 bits by a weight of 20 are beyond 32.
        let is_wide = elems[0] == DType::I16;
        let sum = builder.register_of(if is_wide { Ty::I64 } else { Ty::I32 });
        let wide = |x: Expr| if is_wide { Expr::Widen(Box::new(x)) } else { x };
        let [rows, columns] = op.output.map(|extent| (Affine::constant(0), Affine::constant(extent as i64)));
        let [down, across] = [op.places(0, height), op.places(1, width)];
        let (across_extent, depth) = (op.output[1] as i64, channels as i64);
        let body = builder.each("y", rows, 1, |builder, y| {
            let row = Around::new(builder, down, y, height);
            let mut stmts = row.stmts.clone();
            stmts.extend(builder.each("x", columns, 1, |builder, x| {
                let column = Around::new(builder, across, x, width);
                let mut stmts = column.stmts.clone();
                let pairs = || (0..4).map(|at| (at, at / 2, at % 2));
                for (at, of_row, of_column) in pairs() {
                    let [a, b] = [row.weights()[of_row].clone(), column.weights()[of_column].clone()];
                    stmts.push(Stmt::Set { reg: weights[at], value: binary(BinOp::Mul, a, b) });
                }
                let all = (Affine::constant(0), Affine::constant(depth));
                stmts.extend(builder.each("c", all, 1, |_, c| {
                    let product = |(at, of_row, of_column): (usize, usize, usize)| {
                        let y = [&row.before, &row.behind][of_row];
                        let x = [&column.before, &column.behind][of_column];
                        let from = y.times(width as i64).plus(x).times(depth).plus(c);
                        binary(BinOp::Mul, wide(load(input, &from)), wide(Expr::Reg(weights[at])))
                    };
                    let value = pairs().map(product).reduce(|sum, x| binary(BinOp::Add, sum, x));
                    let to = y.times(across_extent).plus(x).times(depth).plus(c);
                    vec![
                        Stmt::Set { reg: sum, value: value.unwrap_or(wide(int(0))) },
                        Stmt::Store { buf: output, index: to, value: rounded(Expr::Reg(sum), is_wide) },
                    ]
                }));
                stmts
            }));
            stmts
        });
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars: vec![Vec::new()],
            safe: Vec::new(),
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }
}

/// The sum in whole steps, ties away from zero.
fn rounded(sum: Expr, is_wide: bool) -> Expr {
    let int = |value: i64| Expr::Const(if is_wide { Ty::I64 } else { Ty::I32 }, value);
    let half = BILINEAR_STEPS * BILINEAR_STEPS / 2;
    let is_above = Box::new(binary(BinOp::Lt, int(0), sum.clone()));
    let half = Expr::Select(is_above, Box::new(int(half)), Box::new(int(-half)));
    let steps = binary(BinOp::Div, binary(BinOp::Add, sum, half), int(BILINEAR_STEPS * BILINEAR_STEPS));
    if is_wide { Expr::Narrow(Box::new(steps)) } else { steps }
}
