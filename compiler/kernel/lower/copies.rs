//! Operators that only move elements: several inputs side by side, zeros around a map, larger maps. Extents are
//! constants of the function, so that its indices are affine. The output lies apart from what is read.

use super::mean::nest;
use super::{FunctionBuilder, Kernel, Layer, Lowering, activation_quant, activation_type, load, scalar};
use crate::kernel::{Access, Affine, Buf, Expr, Stmt};
use crate::ops::{Pad, Slice, Transpose, Upsample2d, strides};

/// `start + length` elements from `start` on.
type Run = (Affine, i64);

/// One element after the other.
fn copy(
    builder: &mut FunctionBuilder,
    (from, at): (Buf, &Affine),
    (to, (start, length)): (Buf, Run),
) -> Vec<Stmt> {
    builder.each("c", (Affine::constant(0), Affine::constant(length)), 1, |_, c| {
        vec![Stmt::Store { buf: to, index: start.plus(c), value: load(from, &at.plus(c)) }]
    })
}

/// The same element again and again.
fn fill(builder: &mut FunctionBuilder, to: Buf, (start, length): Run, value: &Expr) -> Vec<Stmt> {
    builder.each("c", (Affine::constant(0), Affine::constant(length)), 1, |_, c| {
        vec![Stmt::Store { buf: to, index: start.plus(c), value: value.clone() }]
    })
}

fn upto(extent: usize) -> (Affine, Affine) {
    (Affine::constant(0), Affine::constant(extent as i64))
}

impl Lowering<'_> {
    fn extents(&self, layer: &Layer) -> Result<[[usize; 4]; 2], String> {
        let input = self.graph.inputs(layer.node)[0];
        let map = |ty: &crate::tensor::TensorType| {
            activation_type(ty)?;
            ty.shape.nhwc().filter(|shape| shape[0] == 1).ok_or("is not on one feature map".to_string())
        };
        Ok([map(self.graph.ty(input))?, map(self.graph.ty(layer.node))?])
    }

    pub(super) fn concat(&mut self, layer: &Layer) -> Result<Kernel, String> {
        let inputs = self.graph.inputs(layer.node);
        let total = self.graph.ty(layer.node).shape.0.last().copied().unwrap_or(1);
        let rows = self.graph.ty(layer.node).shape.elements() / total.max(1);
        let sources = inputs.iter().map(|&node| self.source(node)).collect::<Result<Vec<_>, _>>()?;
        let elem = self.graph.ty(layer.node).dtype;
        let mut builder = FunctionBuilder::default();
        let mut parts = Vec::new();
        for (at, &input) in inputs.iter().enumerate() {
            activation_type(self.graph.ty(input))?;
            let channels = self.graph.ty(input).shape.0.last().copied().unwrap_or(1);
            parts.push((builder.param(&format!("input_{at}"), elem, Access::Read), channels as i64));
        }
        let output = builder.param("output", elem, Access::Write);
        let body = builder.each("row", upto(rows), 1, |builder, row| {
            let mut start = row.times(total as i64);
            let mut stmts = Vec::new();
            for &(input, channels) in &parts {
                let to = (output, (start.clone(), channels));
                stmts.extend(copy(builder, (input, &row.times(channels)), to));
                start = start.offset(channels);
            }
            stmts
        });
        Ok(Kernel {
            function: builder.finish(body),
            inputs: sources,
            scalars: vec![Vec::new()],
            safe: Vec::new(),
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }

    pub(super) fn transpose(&mut self, layer: &Layer, op: &Transpose) -> Result<Kernel, String> {
        let from = strides(&self.graph.ty(self.graph.inputs(layer.node)[0]).shape);
        let steps: Vec<usize> = op.order.0.iter().map(|&of| from[of]).collect();
        self.gathered(layer, 0, &steps)
    }

    pub(super) fn slice(&mut self, layer: &Layer, op: &Slice) -> Result<Kernel, String> {
        let from = strides(&self.graph.ty(self.graph.inputs(layer.node)[0]).shape);
        let along = |of: &[usize]| -> Vec<usize> { of.iter().zip(&from).map(|(a, b)| a * b).collect() };
        self.gathered(layer, along(&op.first.0).iter().sum(), &along(&op.step.0))
    }

    /// Elements of the input from `first` on, so many apart in each dimension of the output.
    fn gathered(&mut self, layer: &Layer, first: usize, steps: &[usize]) -> Result<Kernel, String> {
        let node = self.graph.inputs(layer.node)[0];
        let ty = self.graph.ty(layer.node);
        activation_type(ty)?;
        let source = self.source(node)?;
        let to = strides(&ty.shape);
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let axes: Vec<[i64; 3]> =
            (0..to.len()).map(|axis| [ty.shape.0[axis], steps[axis], to[axis]].map(|x| x as i64)).collect();
        let start = (Affine::constant(first as i64), Affine::constant(0));
        let body = nest(&mut builder, &axes, start, &mut |_, from, to| {
            vec![Stmt::Store { buf: output, index: to.clone(), value: load(input, from) }]
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

    pub(super) fn pad(&mut self, layer: &Layer, op: &Pad) -> Result<Kernel, String> {
        let [[_, height, width, channels], [_, _, columns, depth]] = self.extents(layer)?;
        let source = self.source(self.graph.inputs(layer.node)[0])?;
        let (_, zero_point) = activation_quant(self.graph.ty(layer.node))?;
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let zero = scalar(builder.scalar("zero"));
        let [channels, depth] = [channels, depth].map(|extent| extent as i64);
        let line = columns as i64 * depth;
        let [top, left, front] = op.before.map(|extent| extent as i64);
        let [bottom, right, back] = op.after.map(|extent| extent as i64);
        let mut body = fill(&mut builder, output, (Affine::constant(0), top * line), &zero);
        body.extend(builder.each("y", upto(height), 1, |builder, y| {
            let start = y.times(line).offset(top * line);
            let mut stmts = fill(builder, output, (start.clone(), left * depth), &zero);
            let first = start.offset(left * depth);
            stmts.extend(builder.each("x", upto(width), 1, |builder, x| {
                let pixel = first.plus(&x.times(depth));
                let from = y.times(width as i64).plus(x).times(channels);
                let mut stmts = fill(builder, output, (pixel.clone(), front), &zero);
                stmts.extend(copy(builder, (input, &from), (output, (pixel.offset(front), channels))));
                stmts.extend(fill(builder, output, (pixel.offset(front + channels), back), &zero));
                stmts
            }));
            let end = first.offset(width as i64 * depth);
            stmts.extend(fill(builder, output, (end, right * depth), &zero));
            stmts
        }));
        let end = Affine::constant((top + height as i64) * line);
        body.extend(fill(&mut builder, output, (end, bottom * line), &zero));
        let scalars = vec![vec![zero_point]];
        Ok(Kernel {
            function: builder.finish(body),
            inputs: vec![source],
            scalars,
            safe: Vec::new(),
            scratch: Vec::new(),
            work: Vec::new(),
        })
    }

    pub(super) fn upsample2d(&mut self, layer: &Layer, op: &Upsample2d) -> Result<Kernel, String> {
        let [[_, height, width, channels], [_, _, columns, _]] = self.extents(layer)?;
        let source = self.source(self.graph.inputs(layer.node)[0])?;
        let elems = self.elems(layer);
        let mut builder = FunctionBuilder::default();
        let input = builder.param("input", elems[0], Access::Read);
        let output = builder.param("output", elems[1], Access::Write);
        let (width, columns, channels) = (width as i64, columns as i64, channels as i64);
        let [down, across] = op.factor;
        let body = builder.each("y", upto(height), 1, |builder, y| {
            builder.each("copy_y", upto(down), 1, |builder, copy_y| {
                let row = y.times(down as i64).plus(copy_y).times(columns);
                builder.each("x", upto(width as usize), 1, |builder, x| {
                    builder.each("copy_x", upto(across), 1, |builder, copy_x| {
                        let pixel = row.plus(&x.times(across as i64)).plus(copy_x).times(channels);
                        let from = y.times(width).plus(x).times(channels);
                        copy(builder, (input, &from), (output, (pixel, channels)))
                    })
                })
            })
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
