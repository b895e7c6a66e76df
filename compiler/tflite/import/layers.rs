//! Operators, each as one of ours with the same integers.
//!
//! Source  TensorFlow 2.19, `lite/schema/schema.fbs` for options, the number of a slot being the place of a field;
//!         LiteRT 2.3.0's reference kernels for what they mean

use super::tensors::requant;
use super::{Importer, SIGN, Why};
use crate::graph::NodeId;
use crate::ops::{
    AvgPool2d, Clamp, Conv2d, Curve, CurveFunction, Dense, DepthwiseConv2d, ElementwiseFunction, MaxPool2d,
    Op, Pad, Padding, Reshape, ResizeBilinear, ResizeMode, Softmax, Transpose, TransposeConv2d, Window,
};
use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Scale, Shape, TensorType};
use crate::tflite::flat::{Scalar, Table};
use crate::tflite::model::{Element, Operator};
use crate::tflite::names;
use crate::tflite::sums::Weighted;

/// What an operator is given besides tensors; absent fields are what the schema says.
#[derive(Clone, Copy)]
pub(super) struct Options<'a>(Option<Table<'a>>);

impl<'a> Options<'a> {
    pub(super) fn of(operator: &Operator<'a>) -> Options<'a> {
        Options(operator.options)
    }

    pub(super) fn get<T: Scalar>(self, slot: usize, otherwise: T) -> Result<T, Why> {
        Ok(self.0.map(|table| table.scalar_or(slot, otherwise)).transpose()?.unwrap_or(otherwise))
    }

    /// A number from 1 on.
    fn positive(self, slot: usize, otherwise: i32, what: &str) -> Result<usize, Why> {
        let given: i32 = self.get(slot, otherwise)?;
        usize::try_from(given)
            .ok()
            .filter(|&given| given > 0)
            .ok_or_else(|| format!("its {what} is {given}").into())
    }

    pub(super) fn clamp(self, slot: usize) -> Result<Clamp, Why> {
        match self.get::<i8>(slot, 0)? {
            0 => Ok(Clamp::None),
            1 => Ok(Clamp::Relu),
            3 => Ok(Clamp::Relu6),
            2 => Err("its activation is RELU_N1_TO_1, which nasc does not have".into()),
            4 => Err("its activation is TANH, which nasc does not have".into()),
            other => Err(format!("its activation is number {other}").into()),
        }
    }
}

/// A window by the slots of its options: padding, step to the right, step down.
fn window(
    options: Options<'_>,
    [padding, right, down]: [usize; 3],
    (kernel, dilation): ([usize; 2], [usize; 2]),
    input: [usize; 2],
) -> Result<Window, Why> {
    let stride = [options.positive(down, 0, "stride")?, options.positive(right, 0, "stride")?];
    let mut window = Window { dilation, ..Window::valid(kernel, stride) };
    match options.get::<i8>(padding, 0)? {
        0 => {
            let extent = |axis: usize| (kernel[axis] - 1).saturating_mul(dilation[axis]).saturating_add(1);
            window.padding = same([extent(0), extent(1)], stride, input);
        }
        1 => {}
        other => return Err(format!("its padding is number {other}").into()),
    }
    Ok(window)
}

/// The padding of `SAME` for a window of these extents, its gaps included.
fn same(extents: [usize; 2], stride: [usize; 2], input: [usize; 2]) -> Padding {
    Window::same(extents, stride, input).padding
}

/// Whether a mean of a window may lie midway between two integers.
fn has_ties(window: &Window, extents: [usize; 2]) -> bool {
    let Ok(output) = window.output("pool", extents) else { return true };
    let is_even = |axis: usize, at: usize| {
        let (first, end) = window.taps(axis, at, extents[axis]);
        (end - first) % 2 == 0
    };
    (0..2).any(|axis| (0..output[axis]).any(|at| is_even(axis, at)))
}

/// A shape with one sample before it, for operators that keep the first dimension.
pub(super) fn framed(shape: &Shape) -> Shape {
    Shape([1].into_iter().chain(shape.0.iter().copied()).collect())
}

/// How a convolution rounds, whose sums have 32 or 64 bits.
fn rounding(is_wide: bool) -> Rounding {
    if is_wide { Rounding::Wide } else { Rounding::Double }
}

/// Height and width of a feature map.
pub(super) fn plane(ty: &TensorType) -> Result<[usize; 2], Why> {
    let map = ty.shape.nhwc().ok_or_else(|| format!("it is on no feature map but {}", ty.shape))?;
    Ok([map[1], map[2]])
}

impl<'a> Importer<'_, 'a> {
    /// The nodes of an operator's outputs.
    pub(super) fn layer(&mut self, operator: &Operator<'a>) -> Result<Vec<NodeId>, Why> {
        let options = Options::of(operator);
        let node = match operator.code {
            names::CONV_2D => self.convolution(operator, options)?,
            names::DEPTHWISE_CONV_2D => self.depthwise(operator, options)?,
            names::TRANSPOSE_CONV => self.transposed(operator, options)?,
            names::FULLY_CONNECTED => self.dense(operator, options)?,
            names::ADD => self.pair(operator, options, ElementwiseFunction::Add)?,
            names::SUB => self.pair(operator, options, ElementwiseFunction::Sub)?,
            names::MUL => self.pair(operator, options, ElementwiseFunction::Mul)?,
            names::MAXIMUM => self.pair(operator, options, ElementwiseFunction::Maximum)?,
            names::MINIMUM => self.pair(operator, options, ElementwiseFunction::Minimum)?,
            names::PRELU => self.pair(operator, options, ElementwiseFunction::Prelu)?,
            names::AVERAGE_POOL_2D | names::MAX_POOL_2D => self.pool(operator, options)?,
            names::PAD | names::PADV2 => self.pad(operator)?,
            names::RESHAPE | names::SQUEEZE | names::EXPAND_DIMS => self.reshape(operator)?,
            names::MEAN => self.mean(operator)?,
            names::REDUCE_MAX => self.greatest(operator)?,
            names::SUM => {
                return Err("TensorFlow Lite adds i8 without their scale and lets them wrap: use MEAN".into());
            }
            names::SPLIT => return self.split(operator),
            names::SPLIT_V => return self.split_by_sizes(operator),
            names::UNPACK => return self.unpacked(operator, options),
            names::SLICE => self.slice(operator)?,
            names::STRIDED_SLICE => self.strided_slice(operator, options)?,
            names::TRANSPOSE => self.transpose(operator)?,
            names::CONCATENATION => self.concatenation(operator, options)?,
            names::PACK => self.packed(operator, options)?,
            names::LOGISTIC | names::TANH if self.is_wide(operator) => self.squashed(operator)?,
            names::RELU | names::RELU6 | names::LEAKY_RELU if self.is_wide(operator) => {
                self.by_sign(operator, options)?
            }
            names::LOGISTIC => self.curve(operator, CurveFunction::Sigmoid)?,
            names::HARD_SWISH => self.curve(operator, CurveFunction::Hswish)?,
            names::RELU => self.rectified(operator, Clamp::Relu)?,
            names::RELU6 => self.rectified(operator, Clamp::Relu6)?,
            names::LEAKY_RELU => self.leaky(operator, options)?,
            names::TANH => self.tanh(operator)?,
            names::QUANTIZE => self.requantized(operator)?,
            names::SOFTMAX => self.probabilities(operator, options)?,
            names::RESIZE_BILINEAR => self.interpolated(operator, options)?,
            names::RESIZE_NEAREST_NEIGHBOR => self.nearest(operator, options)?,
            _ => return Err("nasc does not have this operator".into()),
        };
        self.agrees(node, operator)?;
        Ok(vec![node])
    }

    /// Refuses a node that gives something else than the file says.
    fn agrees(&self, node: NodeId, operator: &Operator<'a>) -> Result<(), Why> {
        let output = self.output(operator)?;
        let (said, found) = (self.activation_type(output)?, self.graph.ty(node));
        match said == *found {
            true => Ok(()),
            false => Err(Why::of(output, format!("it is {said} in the file, and would be {found}"))),
        }
    }

    /// The type of an operator's output.
    pub(super) fn output_type(&self, operator: &Operator<'a>) -> Result<TensorType, Why> {
        self.activation_type(self.output(operator)?)
    }

    /// Whether an operator gives bytes without a sign.
    fn is_unsigned(&self, operator: &Operator<'a>) -> bool {
        self.output(operator).is_ok_and(|output| self.tensor(output).element == Element::U8)
    }

    /// Refuses an operator that changes what integers mean, where its kernel cannot.
    pub(super) fn keeps_meaning(&self, operator: &Operator<'a>, x: &TensorType) -> Result<(), Why> {
        let output = self.output(operator)?;
        match self.activation_type(output)?.quant == x.quant {
            true => Ok(()),
            false => Err(Why::of(output, "its scale or zero point is not that of the input")),
        }
    }

    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> Result<NodeId, Why> {
        Ok(self.graph.add(op, inputs)?)
    }

    fn convolution(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, x_ty) = self.activation(operator, 0)?;
        let (w, w_ty) = self.weights(operator, 1, 0)?;
        let Some([filters, kh, kw, _]) = w_ty.shape.nhwc() else {
            return Err(format!("its weights are {}", w_ty.shape).into());
        };
        let (b, is_wide) = self.bias(operator, (2, Some(6)), (&x_ty, filters))?;
        let dilation = [options.positive(5, 1, "dilation")?, options.positive(4, 1, "dilation")?];
        let window = window(options, [0, 1, 2], ([kh, kw], dilation), plane(&x_ty)?)?;
        let requant = requant(&self.output_type(operator)?, rounding(is_wide));
        self.add(Conv2d { window, clamp: options.clamp(3)?, requant }, &[x, w, b])
    }

    fn depthwise(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, x_ty) = self.activation(operator, 0)?;
        let (w, w_ty) = self.weights(operator, 1, 3)?;
        let Some([_, kh, kw, channels]) = w_ty.shape.nhwc() else {
            return Err(format!("its weights are {}", w_ty.shape).into());
        };
        let of_input = x_ty.shape.0.last().copied().unwrap_or(0);
        let (b, is_wide) = self.bias(operator, (2, None), (&x_ty, channels))?;
        let dilation = [options.positive(6, 1, "dilation")?, options.positive(5, 1, "dilation")?];
        let window = window(options, [0, 1, 2], ([kh, kw], dilation), plane(&x_ty)?)?;
        let requant = requant(&self.output_type(operator)?, rounding(is_wide));
        if of_input != channels {
            let w = self.dense_weights(operator, of_input, &w_ty)?;
            return self.add(Conv2d { window, clamp: options.clamp(4)?, requant }, &[x, w, b]);
        }
        self.add(DepthwiseConv2d { window, clamp: options.clamp(4)?, requant }, &[x, w, b])
    }

    /// Its padding is that of the convolution that reads the output.
    fn transposed(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, x_ty) = self.activation(operator, 2)?;
        let (w, w_ty) = self.weights(operator, 1, 0)?;
        let Some([filters, kh, kw, _]) = w_ty.shape.nhwc() else {
            return Err(format!("its weights are {}", w_ty.shape).into());
        };
        let (b, is_wide) = self.bias(operator, (3, Some(4)), (&x_ty, filters))?;
        let to = self.output_type(operator)?;
        let output = plane(&to)?;
        let window = window(options, [0, 1, 2], ([kh, kw], [1, 1]), output)?;
        let requant = requant(&to, rounding(is_wide)).ok_or("its output is no integer")?;
        self.add(TransposeConv2d { window, output, clamp: options.clamp(3)?, requant }, &[x, w, b])
    }

    fn dense(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        if options.get::<i8>(1, 0)? != 0 {
            return Err("its weights are shuffled for another machine".into());
        }
        let (mut x, x_ty) = self.activation(operator, 0)?;
        let (w, w_ty) = self.weights(operator, 1, 0)?;
        let &[units, features] = w_ty.shape.0.as_slice() else {
            return Err(format!("its weights are {}", w_ty.shape).into());
        };
        let elements = x_ty.shape.elements();
        if features == 0 || elements % features != 0 {
            return Err(format!("it takes vectors of {features} from {}", x_ty.shape).into());
        }
        let vectors = Shape::from([elements / features, features]);
        if x_ty.shape != vectors {
            x = self.add(Reshape { shape: vectors }, &[x])?;
        }
        let (b, _) = self.bias(operator, (2, Some(4)), (&x_ty, units))?;
        let ty = self.output_type(operator)?;
        let clamp = options.clamp(0)?;
        let rounding = match requant(&ty, Rounding::Single) {
            Some(requant) if x_ty.dtype != DType::I16 => {
                self.dense_rounding([&x_ty, &w_ty, &ty], [w, b], clamp.range(&requant))
            }
            _ => Rounding::Precise,
        };
        let node = self.add(Dense { clamp, requant: requant(&ty, rounding) }, &[x, w, b])?;
        match self.graph.ty(node).shape == ty.shape {
            true => Ok(node),
            false => self.add(Reshape { shape: ty.shape }, &[node]),
        }
    }

    /// LiteRT multiplies the sums of a dense layer by a double. Mostly 31 bits round all sums that there can be as that
    /// does, and cost less; where they do not, all bits are kept.
    fn dense_rounding(
        &self,
        [x, w, output]: [&TensorType; 3],
        constants: [NodeId; 2],
        range: (i32, i32),
    ) -> Rounding {
        let values = constants.map(|node| match &self.graph.node(node).op {
            Op::Constant(constant) => {
                self.graph.constant(&constant.name).and_then(|value| value.to_i32_vec())
            }
            _ => None,
        });
        let [Some(weights), Some(bias)] = values else { return Rounding::Single };
        let multipliers = Dense { clamp: Clamp::None, requant: None }.multipliers(x, w, output);
        let (multipliers, axis) = (&multipliers[..], 0);
        let layer = Weighted { x, w, output, axis, weights: &weights, bias: &bias, multipliers, range };
        // Sums that may pass 32 bits are refused when they are lowered.
        let is_alike = layer.fits(Rounding::Single).is_err() || layer.rounds_alike().unwrap_or(true);
        if is_alike { Rounding::Single } else { Rounding::Precise }
    }

    fn pool(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        self.keeps_meaning(operator, &ty)?;
        let kernel = [options.positive(4, 0, "height")?, options.positive(3, 0, "width")?];
        let window = window(options, [0, 1, 2], (kernel, [1, 1]), plane(&ty)?)?;
        let clamp = options.clamp(5)?;
        match operator.code {
            names::AVERAGE_POOL_2D if self.is_unsigned(operator) && has_ties(&window, plane(&ty)?) => {
                let text = "it is of u8 and of an even number of elements, which TensorFlow Lite rounds otherwise than \
                            those of i8: convert the model to int8";
                Err(text.into())
            }
            names::AVERAGE_POOL_2D => self.add(AvgPool2d { window, clamp }, &[x]),
            _ => self.add(MaxPool2d { window, clamp }, &[x]),
        }
    }

    fn pad(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        self.keeps_meaning(operator, &ty)?;
        if operator.code == names::PADV2 {
            self.fills_with_zeros(operator, &ty)?;
        }
        let pads = self.integers(operator, 1)?;
        let sides = pads.iter().map(|&pad| usize::try_from(pad)).collect::<Result<Vec<usize>, _>>();
        match sides.as_deref() {
            Ok(&[0, 0, top, bottom, left, right, front, back]) => {
                self.add(Pad { before: [top, left, front], after: [bottom, right, back] }, &[x])
            }
            _ => {
                Err(format!("it adds {pads:?} to {}, and nasc pads rows, columns and channels", ty.shape)
                    .into())
            }
        }
    }

    /// Refuses what is filled with another number than a PAD is.
    fn fills_with_zeros(&self, operator: &Operator<'a>, ty: &TensorType) -> Result<(), Why> {
        let Some(number) = self.input(operator, 2) else { return Err("it has nothing to fill with".into()) };
        let tensor = self.tensor(number);
        let found = match (tensor.element, tensor.data) {
            (Element::Known(DType::I8), Some(&[byte])) => Some(i32::from(byte as i8)),
            (Element::U8, Some(&[byte])) => Some(i32::from(byte) - SIGN),
            (Element::Known(DType::I16), Some(&[low, high])) => Some(i16::from_le_bytes([low, high]).into()),
            _ => None,
        };
        match (found, &ty.quant) {
            (Some(found), Some(quant)) if found == quant.zero_point => Ok(()),
            _ => Err(Why::of(number, "it fills with another number than 0")),
        }
    }

    fn reshape(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        self.keeps_meaning(operator, &ty)?;
        let shape = self.output_type(operator)?.shape;
        self.add(Reshape { shape }, &[x])
    }

    /// A transposition that moves extents of 1 alone is a reshape.
    fn transpose(&mut self, operator: &Operator<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        self.keeps_meaning(operator, &ty)?;
        let order = self.integers(operator, 1)?;
        let extents = &ty.shape.0;
        let moved: Vec<usize> = order.iter().filter_map(|&axis| usize::try_from(axis).ok()).collect();
        let is_order = moved.len() == extents.len() && (0..extents.len()).all(|axis| moved.contains(&axis));
        let left: Vec<usize> = moved.iter().copied().filter(|&axis| extents.get(axis) != Some(&1)).collect();
        if is_order && left.is_sorted() {
            let shape = self.output_type(operator)?.shape;
            return self.add(Reshape { shape }, &[x]);
        }
        if moved.len() != order.len() {
            return Err(format!("it brings the dimensions of {} into the order {order:?}", ty.shape).into());
        }
        if moved.first() == Some(&0) {
            return self.add(Transpose { order: Shape(moved.into()) }, &[x]);
        }
        // Samples stay first, so what moves the first dimension gets one before it.
        let x = self.add(Reshape { shape: framed(&ty.shape) }, &[x])?;
        let order = [0].into_iter().chain(moved.iter().map(|axis| axis + 1)).collect();
        let node = self.add(Transpose { order: Shape(order) }, &[x])?;
        self.as_said(node, self.output(operator)?)
    }

    fn curve(&mut self, operator: &Operator<'a>, function: CurveFunction) -> Result<NodeId, Why> {
        let (x, _) = self.activation(operator, 0)?;
        let requant = requant(&self.output_type(operator)?, Rounding::Double);
        self.add(Curve { function, requant }, &[x])
    }

    fn probabilities(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, _) = self.activation(operator, 0)?;
        self.add(Softmax { beta: Scale(options.get(0, 0.0)?) }, &[x])
    }

    fn interpolated(&mut self, operator: &Operator<'a>, options: Options<'a>) -> Result<NodeId, Why> {
        let (x, ty) = self.activation(operator, 0)?;
        self.keeps_meaning(operator, &ty)?;
        if self.is_unsigned(operator) {
            return Err(
                "it is of u8, which TensorFlow Lite interpolates in floats: convert the model to int8".into(),
            );
        }
        let mode = match (options.get::<u8>(2, 0)? != 0, options.get::<u8>(3, 0)? != 0) {
            (false, false) => ResizeMode::Asymmetric,
            (true, false) => ResizeMode::AlignCorners,
            (false, true) => ResizeMode::HalfPixelCenters,
            (true, true) => return Err("it aligns corners and has half pixel centers".into()),
        };
        let output = plane(&self.output_type(operator)?)?;
        self.add(ResizeBilinear { output, mode }, &[x])
    }
}
