//! Pools: mean and maximum of a window, each channel by itself. Padding does not count.

use super::conv2d::{input_index, window_geometry};
use super::{FunctionBuilder, Kernel, Layer, Lowering, binary, clamp, clamp_range, int, load, reach, words};
use crate::kernel::schedule::armv7em::pool::{Pool, quotient};
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::schedule::loops::{Loops, Pixel};
use crate::kernel::schedule::overlap;
use crate::kernel::{Access, Affine, BinOp, Expr, Stmt};
use crate::ops::{AvgPool2d, Clamp, MaxPool2d, Window};
use crate::tensor::{DType, TensorType};

impl Lowering<'_> {
    pub(super) fn avg_pool2d(&mut self, layer: &Layer, op: &AvgPool2d) -> Result<Kernel, String> {
        self.pool(layer, &op.window, op.clamp, Pool::Mean)
    }

    pub(super) fn max_pool2d(&mut self, layer: &Layer, op: &MaxPool2d) -> Result<Kernel, String> {
        self.pool(layer, &op.window, op.clamp, Pool::Max)
    }

    fn pool(&mut self, layer: &Layer, window: &Window, fused: Clamp, pool: Pool) -> Result<Kernel, String> {
        let ty = self.graph.ty(layer.node);
        let geometry = window_geometry(window, &self.graph.input_types(layer.node), ty)?.simplified();
        check(&geometry, ty)?;
        let source = self.source(self.graph.inputs(layer.node)[0])?;
        let range = clamp_range(fused, ty)?;
        if self.is_fast(layer)
            && ty.dtype == DType::I8
            && let Some(assembled) = words::assembled(self.isa, &geometry, pool)
        {
            return Ok(self.words(&geometry, &assembled, source, range));
        }
        let is_mean = pool == Pool::Mean;
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let loops = Loops::new(&geometry, &mut builder);
        let [low, high] = ["low", "high"].map(|name| builder.scalar(name));
        let [result, count] = [(); 2].map(|()| builder.register());
        let channels = geometry.channels as i64;
        let width = geometry.output[1] as i64;
        let (least, _) = ty.dtype.range().ok_or("is on floats")?;
        let body = loops.nest(&mut builder, |builder, pixel| {
            let mut stmts = Vec::new();
            if is_mean {
                stmts.push(Stmt::Set { reg: count, value: taps(pixel) });
            }
            stmts.extend(builder.each(
                "c",
                (Affine::constant(0), Affine::constant(channels)),
                1,
                |builder, c| {
                    let start = if is_mean { 0 } else { i64::from(least) };
                    let mut stmts = vec![Stmt::Set { reg: result, value: int(start) }];
                    let op = if is_mean { BinOp::Add } else { BinOp::Max };
                    stmts.extend(window_loop(builder, &geometry, pixel, |tap| Stmt::Set {
                        reg: result,
                        value: binary(op, Expr::Reg(result), load(input, &tap.plus(c))),
                    }));
                    let value = if is_mean { quotient(result, count) } else { Expr::Reg(result) };
                    let index = pixel.y.times(width).plus(&pixel.x).times(channels).plus(c);
                    stmts.push(Stmt::Store { buf: output, index, value: clamp(value, low, high) });
                    stmts
                },
            ));
            stmts
        });
        let scalars = loops.calls.iter().map(|call| call.iter().copied().chain(range).collect()).collect();
        let safe = overlap::channelwise(&geometry.spans(), channels);
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars,
            safe,
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }
}

/// Refuses windows without a mean, and those whose sums could leave 32 bits.
fn check(geometry: &Geometry, ty: &TensorType) -> Result<(), String> {
    if (0..2).any(|axis| geometry.taps(axis).contains(&(0, 0))) {
        return Err("has a window that lies wholly in the padding".into());
    }
    let most = i64::from(i32::MAX) / 2 / reach(ty);
    if (geometry.window.kernel[0] * geometry.window.kernel[1]) as i64 > most {
        return Err(format!("has a window of more than {most} elements"));
    }
    Ok(())
}

fn window_loop(
    builder: &mut FunctionBuilder,
    geometry: &Geometry,
    pixel: &Pixel,
    tap: impl Fn(&Affine) -> Stmt,
) -> Vec<Stmt> {
    builder.each("ky", pixel.ky.clone(), 1, |builder, ky| {
        builder.each("kx", pixel.kx.clone(), 1, |_, kx| vec![tap(&input_index(geometry, pixel, ky, kx))])
    })
}

/// The number of taps inside the input.
fn taps(pixel: &Pixel) -> Expr {
    let [rows, columns] = [&pixel.ky, &pixel.kx].map(|(first, end)| end.plus(&first.times(-1)));
    if rows.terms.is_empty() {
        return Expr::Index(columns.times(rows.constant));
    }
    if columns.terms.is_empty() {
        return Expr::Index(rows.times(columns.constant));
    }
    binary(BinOp::Mul, Expr::Index(rows), Expr::Index(columns))
}
