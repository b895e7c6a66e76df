//! Types and constants of tensors.

use super::layers::Options;
use super::{Importer, Place, SIGN, Why};
use crate::graph::NodeId;
use crate::ops::{Constant, Requant};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Quant, Scale, Shape, TensorType, Value};
use crate::tflite::model::{Element, Operator, Tensor};

/// The code of `INT32` in options.
const INT32: i8 = 2;

/// Elements of a tensor, at most: far above any microcontroller, and everything stays countable.
const MAX_ELEMENTS: usize = 1 << 26;

/// The shape of a tensor.
pub(super) fn shape(number: usize, tensor: &Tensor<'_>) -> Result<Shape, Why> {
    let shape = Shape::from(&tensor.shape[..]);
    let elements = shape.elements();
    if elements == 0 || elements > MAX_ELEMENTS {
        return Err(Why::of(number, format!("it has the extents {shape}, of which nothing can be computed")));
    }
    Ok(shape)
}

/// A scale that can be computed with.
fn scale(number: usize, scale: f32) -> Result<f32, Why> {
    let is_sound = scale.is_normal() && scale > 0.0;
    is_sound.then_some(scale).ok_or_else(|| Why::of(number, format!("its scale is {scale}")))
}

/// What the integers of an activation mean: one scale, one zero point. Bytes without a sign are taken as those with
/// one, 128 lower.
pub(super) fn activation_quant(number: usize, tensor: &Tensor<'_>) -> Result<Quant, Why> {
    let (scales, zeros) = (tensor.scales, tensor.zero_points);
    let Some(first) = scales.iter().next() else {
        return Err(Why::of(
            number,
            format!("it is {} without a scale: quantize the model first", tensor.element),
        ));
    };
    if scales.len() != 1 || zeros.len() > 1 {
        return Err(Why::of(number, format!("it has {} scales, and activations have one", scales.len())));
    }
    let (low, high) = match tensor.element {
        Element::Known(dtype) => dtype.range().unwrap_or((0, 0)),
        Element::U8 => (0, 255),
        Element::I64 | Element::Other(_) => (0, 0),
    };
    let zero = zeros.iter().next().unwrap_or(0);
    let zero_point = i32::try_from(zero).ok().filter(|zero| (low..=high).contains(zero));
    let zero_point =
        zero_point.ok_or_else(|| Why::of(number, format!("its zero point is {zero}, beyond its type")))?;
    let sign = if tensor.element == Element::U8 { SIGN } else { 0 };
    Ok(Quant::per_tensor(scale(number, first)?, zero_point - sign))
}

/// The type of a quantized activation.
pub(super) fn activation(number: usize, tensor: &Tensor<'_>) -> Result<TensorType, Why> {
    let dtype = match tensor.element {
        Element::Known(dtype @ (DType::I8 | DType::I16)) => dtype,
        Element::U8 => DType::I8,
        other => {
            let text = format!("its elements are {other}, and activations are i8, u8 or i16");
            return Err(Why::of(number, text));
        }
    };
    let quant = activation_quant(number, tensor)?;
    if dtype == DType::I16 && quant.zero_point != 0 {
        let text = format!("its zero point is {}, and that of i16 is 0", quant.zero_point);
        return Err(Why::of(number, text));
    }
    Ok(TensorType::quantized(dtype, shape(number, tensor)?, quant))
}

/// The type of weights, with one scale or one for each index of `axis`.
fn weights(number: usize, tensor: &Tensor<'_>, axis: usize) -> Result<TensorType, Why> {
    if tensor.data.is_none() {
        return Err(Why::of(number, "its weights are computed, and nasc takes constant ones"));
    }
    if !matches!(tensor.element, Element::Known(DType::I8) | Element::U8) {
        return Err(Why::of(
            number,
            format!("its elements are {}, and weights are i8 or u8", tensor.element),
        ));
    }
    if tensor.element == Element::U8 && (tensor.scales.len() != 1 || tensor.zero_points.len() > 1) {
        return Err(Why::of(number, "its u8 have several scales, and have one in TensorFlow Lite"));
    }
    if tensor.element != Element::U8 && tensor.zero_points.iter().any(|zero| zero != 0) {
        return Err(Why::of(number, "its zero points are not 0, as those of weights are"));
    }
    let shape = shape(number, tensor)?;
    let scales = tensor.scales.iter().map(|x| scale(number, x)).collect::<Result<Vec<f32>, _>>()?;
    let channels = shape.0.get(axis).copied().unwrap_or(0);
    let quant = match scales[..] {
        [one] => Quant::per_tensor(one, 0),
        _ if scales.len() == channels && tensor.axis == axis as i32 => Quant::per_channel(scales, axis),
        _ => {
            let text = format!("it has {} scales along dimension {}", scales.len(), tensor.axis);
            return Err(Why::of(number, format!("{text}, for {channels} channels along {axis}")));
        }
    };
    Ok(TensorType::quantized(DType::I8, shape, quant))
}

/// Bytes without a sign, with the zero point that their type has: an activation 128 lower, weights less their own.
fn unsigned(number: usize, tensor: &Tensor<'_>, bytes: &[u8], ty: &TensorType) -> Result<Value, Why> {
    let given = tensor.zero_points.iter().next().unwrap_or(0);
    let less = given.saturating_sub(i64::from(ty.quant.as_ref().map_or(0, |quant| quant.zero_point)));
    let one = |&byte: &u8| i8::try_from(i64::from(byte).checked_sub(less)?).ok();
    let Some(elements) = bytes.iter().map(one).collect::<Option<Vec<i8>>>() else {
        let text =
            format!("its weights go beyond 8 bits less their zero point {given}: convert the model to int8");
        return Err(Why::of(number, text));
    };
    Value::from_i8(&ty.shape, elements)
        .ok_or_else(|| Why::of(number, format!("its {} bytes are not those of {}", bytes.len(), ty.shape)))
}

/// How an operator brings its sum to its output.
pub(super) fn requant(ty: &TensorType, rounding: Rounding) -> Option<Requant> {
    let quant = ty.quant.as_ref()?;
    let (scale, zero_point) = (Scale(quant.scale(0)), quant.zero_point);
    Some(Requant { dtype: ty.dtype, scale, zero_point, rounding })
}

impl<'a> Importer<'_, 'a> {
    pub(super) fn tensor(&self, number: usize) -> &Tensor<'a> {
        &self.model.tensors[number]
    }

    /// The type of the activation with this number.
    pub(super) fn activation_type(&self, number: usize) -> Result<TensorType, Why> {
        activation(number, self.tensor(number))
    }

    /// What gives the activation that is an operator's input.
    pub(super) fn activation(
        &mut self,
        operator: &Operator<'a>,
        position: usize,
    ) -> Result<(NodeId, TensorType), Why> {
        let number = self.given(operator, position)?;
        if self.tensor(number).is_variable {
            return Err(Why::of(
                number,
                "it keeps its value from one inference to the next, which nasc does not have",
            ));
        }
        let ty = self.activation_type(number)?;
        match self.places[number] {
            Place::Node(node) => Ok((node, ty)),
            Place::Border => {
                Err(Why::of(number, "it is read beside the QUANTIZE that is the network's border"))
            }
            Place::Reals(_) => Err(Why::of(number, "it is read as floats")),
            Place::Absent | Place::Refused if self.tensor(number).data.is_none() => {
                Err(Why::of(number, "it is read before anything gives it"))
            }
            Place::Absent | Place::Refused => Ok((self.constant(number, ty.clone())?, ty)),
        }
    }

    /// The weights that are an operator's input, with scales along `axis`.
    pub(super) fn weights(
        &mut self,
        operator: &Operator<'a>,
        position: usize,
        axis: usize,
    ) -> Result<(NodeId, TensorType), Why> {
        let Some(number) = self.input(operator, position) else {
            return Err(format!("it has no weights as input {position}").into());
        };
        let ty = weights(number, self.tensor(number), axis)?;
        Ok((self.constant(number, ty.clone())?, ty))
    }

    /// The bias that is an operator's input, zeros where it is left out, and whether sums with it have 64 bits: those
    /// of activations of 16 bits, unless the options say by their field `sums` that the bias has 32.
    pub(super) fn bias(
        &mut self,
        operator: &Operator<'a>,
        (position, sums): (usize, Option<usize>),
        (x, channels): (&TensorType, usize),
    ) -> Result<(NodeId, bool), Why> {
        let says_short =
            sums.map(|slot| Options::of(operator).get::<i8>(slot, 0)).transpose()? == Some(INT32);
        let is_long = x.dtype == DType::I16 && !says_short;
        let ty = TensorType { dtype: DType::I32, shape: Shape::from([channels]), quant: None };
        let Some(number) = self.input(operator, position) else {
            let zeros = Value::from_i32(&ty.shape, vec![0; channels]).ok_or("it has no channels")?;
            return Ok((self.known("no_bias", ty, zeros)?, is_long));
        };
        let tensor = self.tensor(number);
        let element = if is_long { Element::I64 } else { Element::Known(DType::I32) };
        if tensor.element != element || tensor.shape != [channels] {
            let wanted = if is_long { "i64" } else { "i32" };
            let text = format!(
                "it is {} of {:?}, and a bias is {wanted} of [{channels}]",
                tensor.element, tensor.shape
            );
            return Err(Why::of(number, text));
        }
        if is_long {
            Ok((self.long_bias(number, ty)?, true))
        } else {
            Ok((self.constant(number, ty)?, false))
        }
    }

    /// A bias of 64 bits, whose elements have to fit 32.
    fn long_bias(&mut self, number: usize, ty: TensorType) -> Result<NodeId, Why> {
        let Some(bytes) = self.tensor(number).data else {
            return Err(Why::of(number, "it is computed, and has to be a constant here"));
        };
        let longs = bytes.chunks_exact(8).map(|x| i64::from_le_bytes(x.try_into().unwrap_or_default()));
        let Some(elements) = longs.map(|x| i32::try_from(x).ok()).collect::<Option<Vec<i32>>>() else {
            return Err(Why::of(
                number,
                "an element of its bias is beyond 32 bits, which nasc does not have",
            ));
        };
        let value = Value::from_i32(&ty.shape, elements).filter(|_| bytes.len() % 8 == 0);
        let value = value.ok_or_else(|| {
            Why::of(number, format!("its {} bytes are not those of {} i64", bytes.len(), ty.shape))
        })?;
        self.known(&format!("tensor_{number}"), ty, value)
    }

    /// A constant of the file under a type of its elements; one node for all that read it.
    fn constant(&mut self, number: usize, ty: TensorType) -> Result<NodeId, Why> {
        let is_it = |node: &&NodeId| *self.graph.ty(**node) == ty;
        if let Some(&node) = self.constants.get(&number).and_then(|known| known.iter().find(is_it)) {
            return Ok(node);
        }
        let value = self.value(number, &ty)?;
        let node = self.known(&format!("tensor_{number}"), ty, value)?;
        self.constants.entry(number).or_default().push(node);
        Ok(node)
    }

    /// The elements of a constant of the file.
    pub(super) fn value(&self, number: usize, ty: &TensorType) -> Result<Value, Why> {
        let tensor = self.tensor(number);
        if tensor.is_sparse {
            return Err(Why::of(
                number,
                "only some of its elements are stored: convert the model without sparsity",
            ));
        }
        let Some(bytes) = tensor.data else {
            return Err(Why::of(number, "it is computed, and has to be a constant here"));
        };
        if tensor.element == Element::U8 {
            return unsigned(number, tensor, bytes, ty);
        }
        Value::from_le_bytes(ty.dtype, &ty.shape, bytes).ok_or_else(|| {
            let text = format!("its {} bytes are not those of {} {}", bytes.len(), ty.shape, ty.dtype);
            Why::of(number, text)
        })
    }

    /// A constant that is not in the file, under a name of its own.
    pub(super) fn known(&mut self, what: &str, ty: TensorType, value: Value) -> Result<NodeId, Why> {
        let name = format!("{what}_{}", self.graph.len());
        self.graph.set_constant(name.clone(), value);
        Ok(self.graph.add(Constant { name, ty }, &[])?)
    }

    /// The weights of a convolution that does what a depthwise one with several outputs for each of `inputs` channels
    /// does: zeros for all channels but one.
    pub(super) fn dense_weights(
        &mut self,
        operator: &Operator<'a>,
        inputs: usize,
        ty: &TensorType,
    ) -> Result<NodeId, Why> {
        let Some(number) = self.input(operator, 1) else { return Err("it has no weights".into()) };
        let Some([_, height, width, outputs]) = ty.shape.nhwc() else {
            return Err(Why::of(number, "its weights are not of four dimensions"));
        };
        let given = self.value(number, ty)?.to_i32_vec().ok_or("its weights are no integers")?;
        let of_each = outputs / inputs.max(1);
        let shape = Shape::from([outputs, height, width, inputs]);
        if of_each * inputs != outputs || shape.elements() > MAX_ELEMENTS {
            return Err(format!("it makes {outputs} channels of {inputs}").into());
        }
        let mut weights = vec![0; shape.elements()];
        let taps = height * width;
        for (at, &weight) in given.iter().enumerate() {
            let (tap, output) = (at / outputs, at % outputs);
            weights[(output * taps + tap) * inputs + output / of_each] = weight as i8;
        }
        let quant = ty.quant.clone().map(|quant| Quant { axis: quant.axis.map(|_| 0), ..quant });
        let ty = TensorType { shape, quant, ..ty.clone() };
        let value = Value::from_i8(&ty.shape, weights).ok_or("its weights are not as many as its shape")?;
        self.known(&format!("tensor_{number}_dense"), ty, value)
    }

    /// The integers of a constant input of 32 or 64 bits, at most 64 of them.
    pub(super) fn integers(&self, operator: &Operator<'a>, position: usize) -> Result<Vec<i64>, Why> {
        let number = self.given(operator, position)?;
        let tensor = self.tensor(number);
        let Some(bytes) = tensor.data else {
            return Err(Why::of(number, "it is computed, and has to be a constant here"));
        };
        let integers: Vec<i64> = match tensor.element {
            Element::Known(DType::I32) => bytes
                .chunks_exact(4)
                .take(64)
                .filter_map(|x| Some(i32::from_le_bytes(x.try_into().ok()?).into()))
                .collect(),
            Element::I64 => bytes
                .chunks_exact(8)
                .take(64)
                .filter_map(|x| Some(i64::from_le_bytes(x.try_into().ok()?)))
                .collect(),
            other => return Err(Why::of(number, format!("its elements are {other} instead of i32 or i64"))),
        };
        Ok(integers)
    }
}
