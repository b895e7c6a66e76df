//! Operators that move elements and compute nothing.

use super::Exporter;
use super::build::{Field, Table};
use super::file::Kind;
use super::layers::plane;
use crate::graph::NodeId;
use crate::ops::{Pad, Slice, Transpose, Upsample2d};
use crate::tensor::{Shape, TensorType};
use crate::tflite::names;

const CONCATENATION: Kind = Kind::new(names::CONCATENATION, 2, [1, 14]);
const PAD: Kind = Kind::new(names::PAD, 2, [1, 14]);
const RESHAPE: Kind = Kind::new(names::RESHAPE, 1, [1, 5]);
const RESIZE_NEAREST_NEIGHBOR: Kind = Kind::new(names::RESIZE_NEAREST_NEIGHBOR, 2, [1, 14]);
/// Counted from the middles of pixels.
const RESIZE_FROM_MIDDLES: Kind = Kind::new(names::RESIZE_NEAREST_NEIGHBOR, 3, [2, 3]);
const SLICE: Kind = Kind::new(names::SLICE, 2, [1, 14]);
const SLICE_5: Kind = Kind::new(names::SLICE, 5, [2, 5]);
const STRIDED_SLICE: Kind = Kind::new(names::STRIDED_SLICE, 2, [1, 14]);
const STRIDED_SLICE_5: Kind = Kind::new(names::STRIDED_SLICE, 4, [2, 2]);
const TRANSPOSE: Kind = Kind::new(names::TRANSPOSE, 2, [1, 14]);
const TRANSPOSE_5: Kind = Kind::new(names::TRANSPOSE, 4, [2, 3]);
const TRANSPOSE_6: Kind = Kind::new(names::TRANSPOSE, 6, [2, 12]);

/// Kinds of options.
mod kinds {
    pub(super) const CONCATENATION: u8 = 10;
    pub(super) const RESHAPE: u8 = 17;
    pub(super) const PAD: u8 = 22;
    pub(super) const TRANSPOSE: u8 = 26;
    pub(super) const STRIDED_SLICE: u8 = 32;
    pub(super) const SLICE: u8 = 48;
    pub(super) const RESIZE_NEAREST_NEIGHBOR: u8 = 74;
}

/// Extents as the file has them.
fn extents(shape: &Shape) -> Vec<i32> {
    shape.0.iter().map(|&extent| extent as i32).collect()
}

/// The row that LiteRT takes for one of an enlarged map.
///
/// Source  LiteRT 2.3.0, `GetNearestNeighbor`: the scale is a quotient in float32
fn nearest(output: usize, [from, to]: [usize; 2], from_middles: bool) -> usize {
    let scale = from as f32 / to as f32;
    let middle = if from_middles { 0.5 } else { 0.0 };
    (((output as f32 + middle) * scale).floor() as usize).min(from - 1)
}

impl Exporter<'_> {
    /// The same elements as a new tensor.
    pub(super) fn reshape_of(&mut self, x: i32, name: &str, ty: &TensorType) -> i32 {
        let output = self.file.tensor(name, ty);
        self.reshaped(x, output, &ty.shape)
    }

    /// The same elements under the shape of a tensor.
    pub(super) fn reshaped(&mut self, x: i32, output: i32, shape: &Shape) -> i32 {
        let extents = extents(shape);
        let name = format!("{}/shape", self.file.name(output));
        let given = self.file.integers(&name, [extents.len()], &extents);
        let options = Table::default().with(0, Field::I32s(extents));
        self.file.operator(RESHAPE, &[x, given], output, (kinds::RESHAPE, options))
    }

    pub(super) fn reshape(&mut self, node: NodeId) -> Result<i32, String> {
        let x = self.first(node)?;
        let output = self.result(node);
        Ok(self.reshaped(x, output, &self.graph.ty(node).shape))
    }

    pub(super) fn concatenation(&mut self, node: NodeId) -> Result<i32, String> {
        let inputs: Result<Vec<i32>, String> =
            self.graph.inputs(node).iter().map(|&input| self.activation(input)).collect();
        let inputs = inputs?;
        let axis = self.graph.ty(node).shape.rank() as i32 - 1;
        let options = Table::default().with(0, Field::I32(axis));
        let output = self.result(node);
        Ok(self.file.operator(CONCATENATION, &inputs, output, (kinds::CONCATENATION, options)))
    }

    pub(super) fn pad(&mut self, node: NodeId, pad: &Pad) -> Result<i32, String> {
        let x = self.first(node)?;
        let mut sides = vec![0, 0];
        for (before, after) in pad.before.iter().zip(pad.after) {
            sides.extend([*before as i32, after as i32]);
        }
        let sides = self.file.integers(&format!("{}/border", self.name(node)), [4, 2], &sides);
        let output = self.result(node);
        Ok(self.file.operator(PAD, &[x, sides], output, (kinds::PAD, Table::default())))
    }

    /// From the corners of pixels, as it is usual; from their middles where a quotient in float32 would miss a corner.
    pub(super) fn enlarged(&mut self, node: NodeId, upsample: &Upsample2d) -> Result<i32, String> {
        let (from, to) = (plane(self.first_type(node))?, plane(self.graph.ty(node))?);
        let is_right = |from_middles: bool| {
            let row = |axis: usize, at: usize| {
                nearest(at, [from[axis], to[axis]], from_middles) == at / upsample.factor[axis]
            };
            (0..2).all(|axis| (0..to[axis]).all(|at| row(axis, at)))
        };
        let options = Table::default();
        let (kind, options) = match (is_right(false), is_right(true)) {
            (true, _) => (RESIZE_NEAREST_NEIGHBOR, options),
            (_, true) => (RESIZE_FROM_MIDDLES, options.with(1, Field::U8(1))),
            _ => return Err(format!("LiteRT does not repeat pixels evenly from {from:?} to {to:?}")),
        };
        let x = self.first(node)?;
        let size = to.map(|extent| extent as i32);
        let size = self.file.integers(&format!("{}/size", self.name(node)), [2], &size);
        let output = self.result(node);
        Ok(self.file.operator(kind, &[x, size], output, (kinds::RESIZE_NEAREST_NEIGHBOR, options)))
    }

    pub(super) fn transposed(&mut self, node: NodeId, transpose: &Transpose) -> Result<i32, String> {
        let order = extents(&transpose.order);
        let kind = match order.len() {
            ..=4 => TRANSPOSE,
            5 => TRANSPOSE_5,
            6 => TRANSPOSE_6,
            rank => return Err(format!("it has {rank} dimensions, and LiteRT takes up to 6")),
        };
        let x = self.first(node)?;
        let order = self.file.integers(&format!("{}/order", self.name(node)), [order.len()], &order);
        let output = self.result(node);
        Ok(self.file.operator(kind, &[x, order], output, (kinds::TRANSPOSE, Table::default())))
    }

    pub(super) fn sliced(&mut self, node: NodeId, slice: &Slice) -> Result<i32, String> {
        let rank = slice.first.rank();
        if rank > 5 {
            return Err(format!("it has {rank} dimensions, and LiteRT takes up to 5"));
        }
        let name = self.name(node);
        let x = self.first(node)?;
        let begins = self.file.integers(&format!("{name}/begin"), [rank], &extents(&slice.first));
        if slice.step.0.iter().all(|&step| step == 1) {
            let sizes = self.file.integers(&format!("{name}/size"), [rank], &extents(&slice.count));
            let output = self.result(node);
            let kind = if rank == 5 { SLICE_5 } else { SLICE };
            return Ok(self.file.operator(
                kind,
                &[x, begins, sizes],
                output,
                (kinds::SLICE, Table::default()),
            ));
        }
        // Behind the last element that is taken.
        let end = |axis: usize| {
            let [first, count, step] = [&slice.first, &slice.count, &slice.step].map(|shape| shape.0[axis]);
            (first + (count - 1) * step + 1) as i32
        };
        let ends: Vec<i32> = (0..rank).map(end).collect();
        let ends = self.file.integers(&format!("{name}/end"), [rank], &ends);
        let steps = self.file.integers(&format!("{name}/step"), [rank], &extents(&slice.step));
        let output = self.result(node);
        let kind = if rank == 5 { STRIDED_SLICE_5 } else { STRIDED_SLICE };
        let options = (kinds::STRIDED_SLICE, Table::default());
        Ok(self.file.operator(kind, &[x, begins, ends, steps], output, options))
    }
}
