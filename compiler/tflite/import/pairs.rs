//! Operators on two tensors, element by element.

use super::layers::Options;
use super::tensors::requant;
use super::{Importer, Place, Why};
use crate::graph::NodeId;
use crate::ops::{Add, Clamp, Elementwise, ElementwiseFunction, Mul, Operator as _};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Shape, TensorType, Value};
use crate::tflite::model::Operator;

impl<'a> Importer<'_, 'a> {
    /// A function of two tensors, one of which may be used again along dimensions that it does not have.
    pub(super) fn pair(
        &mut self,
        operator: &Operator<'a>,
        options: Options<'a>,
        function: ElementwiseFunction,
    ) -> Result<NodeId, Why> {
        use ElementwiseFunction as F;
        let clamp = match function {
            F::Add | F::Sub | F::Mul => options.clamp(0)?,
            F::Maximum | F::Minimum | F::Prelu => Clamp::None,
        };
        let to = self.output_type(operator)?;
        let rescale = requant(&to, Rounding::Double).ok_or("its output is no integer")?;
        let op = Elementwise { function, clamp, requant: rescale };
        if to.dtype == DType::I8
            && let Some(node) = self.with_one_element(operator, &op, &to)?
        {
            return Ok(node);
        }
        let (mut a, mut a_ty) = self.activation(operator, 0)?;
        let (mut b, mut b_ty) = match function {
            F::Prelu if to.dtype == DType::I16 => self.widened(operator, 1)?,
            _ => self.activation(operator, 1)?,
        };
        if self.adds_by_shifts([&a_ty, &b_ty, &to], options, function)? {
            if function == F::Add && a_ty.shape != b_ty.shape {
                return Err(
                    "its scales are powers of two, of which TensorFlow Lite adds equal shapes alone".into()
                );
            }
            (a, a_ty) = self.shifted((a, a_ty), &to)?;
            (b, b_ty) = self.shifted((b, b_ty), &to)?;
        }
        let requant = Some(rescale);
        if function == F::Add && a_ty.shape == b_ty.shape {
            return Ok(self.graph.add(Add { clamp, requant }, &[a, b])?);
        }
        if function == F::Mul {
            let inputs = if a_ty.shape.elements() < b_ty.shape.elements() { [b, a] } else { [a, b] };
            let types = inputs.map(|input| self.graph.ty(input));
            // The form that is trained is of one sample, with its shape or one factor for each channel.
            let is_form = |ty: TensorType| ty.shape == to.shape && ty.shape.0.first() == Some(&1);
            if (Mul { clamp, requant }).infer(&types).is_ok_and(is_form) {
                return Ok(self.graph.add(Mul { clamp, requant }, &inputs)?);
            }
        }
        Ok(self.graph.add(op, &[a, b])?)
    }

    /// Where one of both is a constant of one element, a table of what the function makes of the other one's bytes.
    fn with_one_element(
        &mut self,
        operator: &Operator<'a>,
        op: &Elementwise,
        to: &TensorType,
    ) -> Result<Option<NodeId>, Why> {
        let is_one = |position: usize| {
            let number = self.input(operator, position)?;
            let tensor = self.tensor(number);
            let is_constant = tensor.data.is_some() && self.places[number] == Place::Absent;
            (is_constant && tensor.shape.iter().all(|&extent| extent == 1)).then_some(number)
        };
        let Some((side, number)) = (0..2).find_map(|side| is_one(side).map(|number| (side, number))) else {
            return Ok(None);
        };
        let (x, x_ty) = self.activation(operator, 1 - side)?;
        let ty = self.activation_type(number)?;
        let value = self.value(number, &ty)?;
        let bytes = Shape::from([256]);
        let every = Value::from_i8(&bytes, (-128..=127).collect()).ok_or("there are 256 bytes")?;
        let every_ty = TensorType { shape: bytes, ..x_ty.clone() };
        let (mut types, mut values) = ([&every_ty, &ty], [&every, &value]);
        if side == 0 {
            types.reverse();
            values.reverse();
        }
        let out = op.infer(&types)?;
        let table = op.evaluate(&values, &types, &out).to_i32_vec().ok_or("its output is no integer")?;
        let node = self.looked_up(x, to, |x| table[(x + 128) as usize])?;
        Ok(Some(self.as_said(node, self.output(operator)?)?))
    }
}
