//! Operators on one tensor that make an element of an element: tables of what they make of all bytes.

use super::layers::Options;
use super::{Importer, Place, SIGN, Why, quantized};
use crate::graph::NodeId;
use crate::ops::{Activation, Clamp, Lookup, Requantize};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, Quant, Shape, TensorType, Value, math};
use crate::tflite::import::tensors::requant;
use crate::tflite::model::{Element, Operator};

/// The factor from a tensor to another of these quantizations.
///
/// Source  LiteRT 2.3.0, RELU, LEAKY_RELU: a quotient of float32
fn factor(from: &Quant, factor: f32, to: &Quant) -> Result<Multiplier, Why> {
    let quotient = from.scale(0) * factor / to.scale(0);
    match quotient.is_finite() && quotient >= 0.0 {
        true => Ok(Multiplier::new(f64::from(quotient))),
        false => Err(format!("its scales have the quotient {quotient}").into()),
    }
}

/// What an activation's integers mean.
pub(super) fn meaning(ty: &TensorType) -> Result<&Quant, Why> {
    match (ty.dtype, &ty.quant) {
        (DType::I8, Some(quant)) => Ok(quant),
        _ => Err(format!("it is {ty}, and has to be 8 bits with a scale").into()),
    }
}

impl<'a> Importer<'_, 'a> {
    /// Each element by a table of what is made of -128, -127, ..., 127, within 8 bits.
    pub(super) fn looked_up(
        &mut self,
        x: NodeId,
        to: &TensorType,
        of: impl Fn(i32) -> i32,
    ) -> Result<NodeId, Why> {
        let table = (-128..128).map(|x| of(x).clamp(-128, 127) as i8).collect();
        let ty = TensorType { dtype: DType::I8, shape: Shape::from([256]), quant: None };
        let value = Value::from_i8(&ty.shape, table).ok_or("its table is not whole")?;
        let table = self.known("table", ty, value)?;
        let requant = requant(to, Rounding::Double).ok_or("its output is no integer")?;
        Ok(self.graph.add(Lookup { requant }, &[x, table])?)
    }

    /// `RELU` and `RELU6`, which may change what integers mean.
    pub(super) fn rectified(&mut self, operator: &Operator<'a>, clamp: Clamp) -> Result<NodeId, Why> {
        let (x, from) = self.activation(operator, 0)?;
        let to = self.output_type(operator)?;
        if to.quant == from.quant {
            return Ok(self.graph.add(Activation { clamp }, &[x])?);
        }
        let requant = requant(&to, Rounding::Double).ok_or("its output is no integer")?;
        let (low, high) = clamp.range(&requant);
        let (from, out) = (meaning(&from)?, meaning(&to)?);
        let (factor, zero) = (factor(from, 1.0, out)?, out.zero_point);
        let apply = |x: i32| factor.apply(x - from.zero_point, Rounding::Double).saturating_add(zero);
        self.looked_up(x, &to, |x| apply(x).clamp(low, high))
    }

    /// `LEAKY_RELU`: two factors, by the sign.
    pub(super) fn leaky(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, from) = self.activation(operator, 0)?;
        let to = self.output_type(operator)?;
        let (from, out) = (meaning(&from)?, meaning(&to)?);
        let alpha: f32 = options.get(0, 0.0)?;
        if !(0.0..=f32::MAX).contains(&alpha) {
            return Err(format!("its alpha is {alpha}, and nasc takes one from 0 on").into());
        }
        let (whole, share) = (factor(from, 1.0, out)?, factor(from, alpha, out)?);
        let apply = |x: i32| {
            let factor = if x >= 0 { whole } else { share };
            factor.apply(x, Rounding::Double).saturating_add(out.zero_point)
        };
        self.looked_up(x, &to, |x| apply(x - from.zero_point))
    }

    /// `TANH`, by its float32 form.
    pub(super) fn tanh(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (x, from) = self.activation(operator, 0)?;
        let to = self.output_type(operator)?;
        let (from, out) = (meaning(&from)?, meaning(&to)?);
        let inverse = 1.0 / out.scale(0);
        let apply = |x: i32| {
            let real = from.scale(0) * (x - from.zero_point) as f32;
            ((math::tanh(real) * inverse).round() as i32).saturating_add(out.zero_point)
        };
        self.looked_up(x, &to, apply)
    }

    /// `QUANTIZE` between integers, or of the real numbers that integers stand for.
    pub(super) fn requantized(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let to = self.output_type(operator)?;
        let place = self.input(operator, 0).map(|number| self.places[number]);
        if let Some(Place::Reals(x)) = place {
            let from = self.graph.ty(x).clone();
            let (from, out) = (meaning(&from)?, meaning(&to)?);
            let real = |x: i32| from.scale(0) * (x - from.zero_point) as f32;
            return self.looked_up(x, &to, |x| quantized(real(x), out, (-128, 127)));
        }
        let (x, _) = self.activation(operator, 0)?;
        let requant = requant(&to, Rounding::Double).ok_or("its output is no integer")?;
        Ok(self.graph.add(Requantize { requant }, &[x])?)
    }

    /// The node whose integers a `DEQUANTIZE` makes real numbers of.
    pub(super) fn reals(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let output = self.output(operator)?;
        let element = self.tensor(output).element;
        if element != Element::Known(DType::F32) {
            return Err(Why::of(output, format!("its elements are {element} instead of f32")));
        }
        let (x, ty) = self.activation(operator, 0)?;
        match self.tensor(output).shape == ty.shape.0[..] {
            true => Ok(x),
            false => Err(Why::of(output, "it has not the extents of what it is made of")),
        }
    }

    /// A part of a `CONCATENATION` of bytes without a sign, in what the integers of the whole mean.
    ///
    /// Source  LiteRT 2.3.0, reference kernel of CONCATENATION for UINT8: in float32, on integers without a sign
    pub(super) fn rescaled(&mut self, x: NodeId, from: &TensorType, to: &Quant) -> Result<NodeId, Why> {
        let of = meaning(from)?;
        let scale = of.scale(0) * (1.0 / to.scale(0));
        let bias = -((of.zero_point + SIGN) as f32) * scale;
        let apply =
            |x: i32| (((x + SIGN) as f32 * scale + bias).round() as i32).saturating_add(to.zero_point);
        let ty = TensorType { quant: Some(to.clone()), ..from.clone() };
        self.looked_up(x, &ty, apply)
    }
}
