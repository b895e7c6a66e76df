//! Operators on one tensor of 16 bits, which has no tables of all elements.

use super::layers::Options;
use super::tensors::requant;
use super::{Importer, Why};
use crate::graph::NodeId;
use crate::ops::{Activation, Clamp, Elementwise, ElementwiseFunction, Requantize, Squash, SquashFunction};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Shape, TensorType, Value};
use crate::tflite::model::Operator;
use crate::tflite::names;

impl<'a> Importer<'_, 'a> {
    /// Whether an operator's output has 16 bits.
    pub(super) fn is_wide(&self, operator: &Operator<'a>) -> bool {
        self.output_type(operator).is_ok_and(|ty| ty.dtype == DType::I16)
    }

    /// `LOGISTIC` and `TANH`.
    pub(super) fn squashed(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (x, _) = self.activation(operator, 0)?;
        let function = match operator.code {
            names::TANH => SquashFunction::Tanh,
            _ => SquashFunction::Logistic,
        };
        Ok(self.graph.add(Squash { function }, &[x])?)
    }

    /// `RELU`, `RELU6` and `LEAKY_RELU`: a `PRELU` whose factor is 0 or the share of numbers below 0. Where it has its
    /// input's scale, a `RELU` is a clamp.
    ///
    /// Source  LiteRT 2.3.0: all of these have the same factors of float32, and round twice
    pub(super) fn by_sign(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, from) = self.activation(operator, 0)?;
        let to = self.output_type(operator)?;
        let (clamp, alpha) = match operator.code {
            names::RELU => (Clamp::Relu, 0.0),
            names::RELU6 => (Clamp::Relu6, 0.0),
            _ => (Clamp::None, options.get(0, 0.0_f32)?),
        };
        if clamp != Clamp::None && to.quant == from.quant {
            return Ok(self.graph.add(Activation { clamp }, &[x])?);
        }
        if alpha != 0.0 && !(alpha.is_normal() && alpha > 0.0) {
            return Err(format!("its alpha is {alpha}, and nasc takes one from 0 on").into());
        }
        let (scale, share) = if alpha == 0.0 { (1.0, 0) } else { (alpha, 1) };
        let shape = Shape::from(vec![1; from.shape.rank()]);
        let ty = TensorType::quantized(DType::I16, shape, Quant::per_tensor(scale, 0));
        let value = Value::from_i16(&ty.shape, vec![share]).ok_or("it has one factor")?;
        let factor = self.known("factor", ty, value)?;
        let requant = requant(&to, Rounding::Double).ok_or("its output is no integer")?;
        let op = Elementwise { function: ElementwiseFunction::Prelu, clamp, requant };
        Ok(self.graph.add(op, &[x, factor])?)
    }

    /// A constant input of 8 bits, less its zero point, in 16.
    pub(super) fn widened(
        &mut self,
        operator: &Operator<'a>,
        position: usize,
    ) -> Result<(NodeId, TensorType), Why> {
        let number = self.given(operator, position)?;
        let ty = self.activation_type(number)?;
        let Some(quant) = ty.quant.as_ref().filter(|_| ty.dtype == DType::I8) else {
            return Err(Why::of(number, "it is no i8, which beside i16 it has to be"));
        };
        let given = self.value(number, &ty)?.to_i32_vec().ok_or("it is no integer")?;
        let elements = given.into_iter().map(|x| (x - quant.zero_point) as i16).collect();
        let quant = Quant::per_tensor(quant.scale(0), 0);
        let wide = TensorType::quantized(DType::I16, ty.shape.clone(), quant);
        let value =
            Value::from_i16(&wide.shape, elements).ok_or("its elements are not those of its shape")?;
        Ok((self.known(&format!("tensor_{number}"), wide.clone(), value)?, wide))
    }

    /// Whether TensorFlow Lite adds or takes off by shifts alone: where the options allow it, as they do if they say
    /// nothing, and the scales of both inputs and the output are powers of two.
    ///
    /// Source  LiteRT 2.3.0, `Prepare` of ADD and SUB; its powers have a tolerance, within which others are refused here
    pub(super) fn adds_by_shifts(
        &self,
        types: [&TensorType; 3],
        options: Options<'a>,
        function: ElementwiseFunction,
    ) -> Result<bool, Why> {
        use ElementwiseFunction as F;
        let is_wide = types.iter().any(|ty| ty.dtype == DType::I16);
        if !is_wide || !matches!(function, F::Add | F::Sub) || options.get::<u8>(1, 1)? == 0 {
            return Ok(false);
        }
        let log = |ty: &TensorType| ty.quant.as_ref().map_or(0.5, |quant| f64::from(quant.scale(0)).log2());
        let logs = types.map(log);
        if logs.iter().any(|log| (log - log.round()).abs() > 1.1e-3) {
            return Ok(false);
        }
        if logs.iter().any(|log| log.fract() != 0.0) {
            return Err("its scales are nearly powers of two, so that it is open how it adds: convert the model with \
                        `pot_scale_int16` off"
                .into());
        }
        let [a, b, to] = logs;
        match a.max(b) == to && a.min(b) >= to - 15.0 {
            true => Ok(true),
            false => {
                Err("its scales are powers of two, and one of its inputs has to have that of the output"
                    .into())
            }
        }
    }

    /// An activation in steps of a power of two times its own: the nearest, ties away from zero.
    pub(super) fn shifted(
        &mut self,
        (x, ty): (NodeId, TensorType),
        to: &TensorType,
    ) -> Result<(NodeId, TensorType), Why> {
        if ty.quant == to.quant {
            return Ok((x, ty));
        }
        let requant = requant(to, Rounding::Single).ok_or("its output is no integer")?;
        let node = self.graph.add(Requantize { requant }, &[x])?;
        Ok((node, TensorType { quant: to.quant.clone(), ..ty }))
    }
}
