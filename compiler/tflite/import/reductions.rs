//! Operators that make one of many elements.

use super::layers::framed;
use super::parts::axis;
use super::tensors::requant;
use super::{Importer, Why};
use crate::graph::NodeId;
use crate::ops::{Clamp, MaxPool2d, Mean, Reshape, Window};
use crate::tensor::Shape;
use crate::tensor::arith::Rounding;
use crate::tflite::model::Operator;

impl<'a> Importer<'_, 'a> {
    /// The dimensions that an operator goes along, in order.
    fn along(&self, operator: &Operator<'a>, rank: usize) -> Result<Vec<usize>, Why> {
        let given = self.integers(operator, 1)?;
        let mut axes =
            given.into_iter().map(|given| axis(given, rank)).collect::<Result<Vec<usize>, Why>>()?;
        axes.sort_unstable();
        axes.dedup();
        Ok(axes)
    }

    pub(super) fn mean(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        let mut axes = self.along(operator, ty.shape.rank())?;
        let to = self.output_type(operator)?;
        let requant = requant(&to, Rounding::Double).ok_or("its output is no integer")?;
        let x = match axes.first() {
            // Samples stay, so a mean along the first dimension gets one before it.
            Some(0) => {
                axes.iter_mut().for_each(|axis| *axis += 1);
                self.graph.add(Reshape { shape: framed(&ty.shape) }, &[x])?
            }
            _ => x,
        };
        let node = self.graph.add(Mean { axes: Shape(axes.into()), requant }, &[x])?;
        self.as_said(node, self.output(operator)?)
    }

    /// `REDUCE_MAX`: dimensions that touch are one side of the window of a pool.
    pub(super) fn greatest(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (mut x, ty) = self.activation(operator, 0)?;
        self.keeps_meaning(operator, &ty)?;
        let axes = self.along(operator, ty.shape.rank())?;
        if axes.is_empty() {
            return Err("it goes along no dimension".into());
        }
        let mut shape = ty.shape.clone();
        for run in axes.chunk_by(|one, next| one + 1 == *next) {
            let (first, end) = (run[0], run[run.len() - 1] + 1);
            let outer = shape.0[..first].iter().product();
            let many = shape.0[first..end].iter().product();
            let inner = shape.0[end..].iter().product();
            x = self.graph.add(Reshape { shape: Shape::from([1, outer, many, inner]) }, &[x])?;
            let window = Window::valid([1, many], [1, 1]);
            x = self.graph.add(MaxPool2d { window, clamp: Clamp::None }, &[x])?;
            shape.0[first..end].fill(1);
        }
        self.as_said(x, self.output(operator)?)
    }
}
