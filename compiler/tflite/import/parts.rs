//! Operators that take tensors apart.

use super::layers::{Options, framed};
use super::{Importer, Why};
use crate::graph::NodeId;
use crate::ops::{Reshape, Slice};
use crate::tensor::{Shape, TensorType};
use crate::tflite::model::Operator;

/// The place of a dimension that may be counted from the end.
pub(super) fn axis(given: i64, rank: usize) -> Result<usize, Why> {
    let from_end = if given < 0 { given.saturating_add(rank as i64) } else { given };
    usize::try_from(from_end)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(|| format!("its dimension is {given} of {rank}").into())
}

/// All of a tensor, as a slice.
fn whole(ty: &TensorType) -> Slice {
    let rank = ty.shape.rank();
    Slice {
        first: Shape(std::iter::repeat_n(0, rank).collect()),
        count: ty.shape.clone(),
        step: Shape(std::iter::repeat_n(1, rank).collect()),
    }
}

impl<'a> Importer<'_, 'a> {
    /// The numbers of an operator's outputs.
    fn outputs_of(&self, operator: &Operator<'a>) -> Vec<usize> {
        operator.outputs.iter().filter_map(|output| usize::try_from(output).ok()).collect()
    }

    /// Brings a node to the shape and meaning that the file gives a tensor.
    pub(super) fn as_said(&mut self, node: NodeId, output: usize) -> Result<NodeId, Why> {
        let said = self.activation_type(output)?;
        let found = self.graph.ty(node);
        if said.quant != found.quant || said.shape.elements() != found.shape.elements() {
            return Err(Why::of(output, format!("it is {said} in the file, and would be {found}")));
        }
        match said.shape == found.shape {
            true => Ok(node),
            false => Ok(self.graph.add(Reshape { shape: said.shape }, &[node])?),
        }
    }

    /// A slice, which may also take some of the first dimension.
    fn sliced(&mut self, x: NodeId, slice: Slice) -> Result<NodeId, Why> {
        let shape = &self.graph.ty(x).shape;
        if slice.first.0.first() == Some(&0) && slice.count.0.first() == shape.0.first() {
            return Ok(self.graph.add(slice, &[x])?);
        }
        let before = |one: usize, of: &Shape| Shape([one].into_iter().chain(of.0.iter().copied()).collect());
        let shape = framed(shape);
        let slice = Slice {
            first: before(0, &slice.first),
            count: before(1, &slice.count),
            step: before(1, &slice.step),
        };
        let x = self.graph.add(Reshape { shape }, &[x])?;
        Ok(self.graph.add(slice, &[x])?)
    }

    /// Parts of these sizes side by side along a dimension, one for each output.
    fn parts(
        &mut self,
        (x, ty): (NodeId, &TensorType),
        at: usize,
        sizes: &[usize],
        outputs: &[usize],
    ) -> Result<Vec<NodeId>, Why> {
        let extent = ty.shape.0[at];
        let total = sizes.iter().try_fold(0_usize, |sum, &size| sum.checked_add(size));
        if sizes.len() != outputs.len() || total != Some(extent) {
            return Err(format!("it makes {} parts of {sizes:?} of {extent}", outputs.len()).into());
        }
        let (mut nodes, mut first) = (Vec::new(), 0);
        for (&size, &output) in sizes.iter().zip(outputs) {
            let mut slice = whole(ty);
            (slice.first.0[at], slice.count.0[at]) = (first, size);
            first += size;
            let part = self.sliced(x, slice)?;
            nodes.push(self.as_said(part, output)?);
        }
        Ok(nodes)
    }

    pub(super) fn split(&mut self, operator: &Operator<'a>) -> Result<Vec<NodeId>, Why> {
        let (x, ty) = self.activation(operator, 1)?;
        let &[given] = &self.integers(operator, 0)?[..] else {
            return Err("it has not one dimension".into());
        };
        let at = axis(given, ty.shape.rank())?;
        let outputs = self.outputs_of(operator);
        let sizes = vec![ty.shape.0[at] / outputs.len().max(1); outputs.len()];
        self.parts((x, &ty), at, &sizes, &outputs)
    }

    /// `SPLIT_V`: parts of sizes of their own, one of which may be -1 for all that is left.
    pub(super) fn split_by_sizes(&mut self, operator: &Operator<'a>) -> Result<Vec<NodeId>, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        let given = self.integers(operator, 1)?;
        let &[along] = &self.integers(operator, 2)?[..] else {
            return Err("it has not one dimension".into());
        };
        let at = axis(along, ty.shape.rank())?;
        let known: i64 =
            given.iter().filter(|size| **size >= 0).fold(0, |sum, size| sum.saturating_add(*size));
        let left = (ty.shape.0[at] as i64).saturating_sub(known);
        let size = |&size: &i64| usize::try_from(if size == -1 { left } else { size }).ok();
        let Some(sizes) = given.iter().map(size).collect::<Option<Vec<usize>>>() else {
            return Err(format!("it makes parts of {given:?} of {}", ty.shape.0[at]).into());
        };
        self.parts((x, &ty), at, &sizes, &self.outputs_of(operator))
    }

    pub(super) fn unpacked(
        &mut self,
        operator: &Operator<'a>,
        options: Options<'a>,
    ) -> Result<Vec<NodeId>, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        let at = axis(options.get::<i32>(1, 0)?.into(), ty.shape.rank())?;
        let outputs = self.outputs_of(operator);
        if outputs.len() != ty.shape.0[at] {
            return Err(format!("it makes {} parts of {}", outputs.len(), ty.shape.0[at]).into());
        }
        self.parts((x, &ty), at, &vec![1; outputs.len()], &outputs)
    }

    /// `SLICE`: where it begins and how much it takes, -1 for all that is left.
    pub(super) fn slice(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        let (begins, sizes) = (self.integers(operator, 1)?, self.integers(operator, 2)?);
        let mut slice = whole(&ty);
        if begins.len() != ty.shape.rank() || sizes.len() != begins.len() {
            return Err(format!("it takes {sizes:?} from {begins:?} of {}", ty.shape).into());
        }
        for (at, (begin, size)) in begins.into_iter().zip(sizes).enumerate() {
            let left = (ty.shape.0[at] as i64).saturating_sub(begin);
            let size = if size == -1 { left } else { size };
            let [first, count] = [begin, size].map(usize::try_from);
            let (Ok(first), Ok(count)) = (first, count) else {
                return Err(format!("it takes {size} from {begin} on").into());
            };
            (slice.first.0[at], slice.count.0[at]) = (first, count);
        }
        let node = self.sliced(x, slice)?;
        self.as_said(node, self.output(operator)?)
    }

    /// `STRIDED_SLICE`. Bits of the masks say for each dimension that a limit is left out, or that one element is taken.
    pub(super) fn strided_slice(
        &mut self,
        operator: &Operator<'a>,
        options: Options<'a>,
    ) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        let limits = [1, 2, 3].map(|position| self.integers(operator, position));
        let [begins, ends, steps] = limits;
        let (begins, ends, steps) = (begins?, ends?, steps?);
        let masks = [0, 1, 2, 3, 4].map(|slot| options.get::<i32>(slot, 0));
        let [no_begin, no_end, ellipsis, new_axis, shrink] = masks;
        if ellipsis? != 0 || new_axis? != 0 || options.get::<u8>(5, 0)? != 0 {
            return Err("it has an ellipsis, new dimensions or ends counted from where it begins".into());
        }
        let (no_begin, no_end, shrink) = (no_begin?, no_end?, shrink?);
        let rank = ty.shape.rank();
        if [begins.len(), ends.len(), steps.len()].iter().any(|&len| len != begins.len() || len > rank) {
            return Err(format!("it takes {begins:?} to {ends:?} by {steps:?} of {}", ty.shape).into());
        }
        let mut slice = whole(&ty);
        for at in 0..begins.len() {
            let (extent, has) = (ty.shape.0[at] as i64, |mask: i32| mask >> at & 1 != 0);
            let place =
                |given: i64| if given < 0 { given.saturating_add(extent) } else { given }.clamp(0, extent);
            let first = if has(no_begin) { 0 } else { place(begins[at]) };
            let end = match (has(shrink), has(no_end)) {
                (true, _) => first + 1,
                (false, true) => extent,
                (false, false) => place(ends[at]),
            };
            if steps[at] < 1 || end <= first || end > extent {
                let text = format!("it takes {} to {} by {} of {extent}", begins[at], ends[at], steps[at]);
                return Err(text.into());
            }
            let count = (end - first - 1) / steps[at] + 1;
            let of = [first, count, steps[at]].map(|x| x as usize);
            [slice.first.0[at], slice.count.0[at], slice.step.0[at]] = of;
        }
        let node = self.sliced(x, slice)?;
        self.as_said(node, self.output(operator)?)
    }
}
