//! Operators that put tensors side by side.

use super::bytes::meaning;
use super::layers::Options;
use super::parts::axis;
use super::{Importer, Why};
use crate::graph::NodeId;
use crate::ops::{Clamp, Concat, Reshape};
use crate::tensor::{Shape, TensorType};
use crate::tflite::model::{Element, Operator};

impl<'a> Importer<'_, 'a> {
    /// `CONCATENATION` along any dimension. Bytes without a sign may change what they mean.
    pub(super) fn concatenation(
        &mut self,
        operator: &Operator<'a>,
        options: Options<'a>,
    ) -> Result<NodeId, Why> {
        if options.clamp(1)? != Clamp::None {
            return Err("it has an activation".into());
        }
        let output = self.output(operator)?;
        let to = self.activation_type(output)?;
        let at = axis(options.get::<i32>(0, 0)?.into(), to.shape.rank())?;
        let mut parts = Vec::new();
        for position in 0..operator.inputs.len() {
            let (mut x, ty) = self.activation(operator, position)?;
            if self.tensor(output).element == Element::U8 && ty.quant != to.quant {
                x = self.rescaled(x, &ty, meaning(&to)?)?;
            } else {
                self.keeps_meaning(operator, &ty)?;
            }
            let others = |shape: &Shape| [&shape.0[..at], &shape.0[at + 1..]].concat();
            if ty.shape.rank() != to.shape.rank() || others(&ty.shape) != others(&to.shape) {
                return Err(format!("it joins {} to {} along dimension {at}", ty.shape, to.shape).into());
            }
            parts.push((x, ty.shape));
        }
        self.joined(parts, at, &to)
    }

    /// `PACK`: tensors of one shape along a new dimension.
    pub(super) fn packed(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let to = self.output_type(operator)?;
        let at = axis(options.get::<i32>(1, 0)?.into(), to.shape.rank())?;
        let mut each = to.shape.clone();
        each.0[at] = 1;
        let mut parts = Vec::new();
        for position in 0..operator.inputs.len() {
            let (x, ty) = self.activation(operator, position)?;
            self.keeps_meaning(operator, &ty)?;
            if [&each.0[..at], &each.0[at + 1..]].concat() != ty.shape.0[..] {
                return Err(format!("it packs {} to {} along dimension {at}", ty.shape, to.shape).into());
            }
            parts.push((x, each.clone()));
        }
        self.joined(parts, at, &to)
    }

    /// Tensors under these shapes side by side along a dimension. What lies behind that dimension is contiguous, so
    /// each is a matrix for which this is a concatenation of rows.
    pub(super) fn joined(
        &mut self,
        parts: Vec<(NodeId, Shape)>,
        at: usize,
        to: &TensorType,
    ) -> Result<NodeId, Why> {
        let is_channels = at + 1 == to.shape.rank() && [2, 4].contains(&to.shape.rank());
        let mut nodes = Vec::new();
        for (part, shape) in parts {
            let rows = shape.0[..at].iter().product::<usize>();
            let matrix = Shape::from([1, 1, rows, shape.elements() / rows.max(1)]);
            let found = &self.graph.ty(part).shape;
            let is_matrix = *found == matrix || (is_channels && *found == shape);
            nodes.push(if is_matrix { part } else { self.graph.add(Reshape { shape: matrix }, &[part])? });
        }
        let node = match nodes[..] {
            [one] => one,
            _ => self.graph.add(Concat {}, &nodes)?,
        };
        match self.graph.ty(node).shape == to.shape {
            true => Ok(node),
            false => Ok(self.graph.add(Reshape { shape: to.shape.clone() }, &[node])?),
        }
    }
}
