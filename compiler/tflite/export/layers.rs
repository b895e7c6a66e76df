//! Operators that compute, each as one of TensorFlow Lite with the same integers.
//!
//! Source  TensorFlow 2.19, `lite/schema/schema.fbs` for options, the number of a slot being the place of a field;
//!         LiteRT 2.3.0's reference kernels for what they mean and refuse

use super::Exporter;
use super::build::{Field, Table};
use super::file::{Kind, Options};
use super::windows::{Border, border};
use crate::graph::NodeId;
use crate::ops::{Add, Clamp, CurveFunction, Mean, Mul, Op, Padding, Requant, Requantize, Softmax, Window};
use crate::tensor::arith::{Multiplier, Rounding};
use crate::tensor::{DType, Quant, TensorType};
use crate::tflite::names;

const ADD: Kind = Kind::new(names::ADD, 2, [1, 14]);
const AVERAGE_POOL_2D: Kind = Kind::new(names::AVERAGE_POOL_2D, 2, [1, 14]);
const MAX_POOL_2D: Kind = Kind::new(names::MAX_POOL_2D, 2, [1, 14]);
const MEAN: Kind = Kind::new(names::MEAN, 2, [1, 14]);
const MUL: Kind = Kind::new(names::MUL, 2, [1, 14]);
/// A product whose factor is 1 or more.
const MUL_UP: Kind = Kind::new(names::MUL, 3, [1, 15]);
const PADV2: Kind = Kind::new(names::PADV2, 2, [1, 14]);
const QUANTIZE: Kind = Kind::new(names::QUANTIZE, 1, [1, 14]);
const RELU: Kind = Kind::new(names::RELU, 2, [2, 1]);
const RELU6: Kind = Kind::new(names::RELU6, 2, [1, 14]);
const SOFTMAX: Kind = Kind::new(names::SOFTMAX, 2, [1, 14]);

/// Kinds of options.
mod kinds {
    pub(super) const POOL_2D: u8 = 5;
    pub(super) const SOFTMAX: u8 = 9;
    pub(super) const ADD: u8 = 11;
    pub(super) const MUL: u8 = 21;
    pub(super) const REDUCER: u8 = 27;
    pub(super) const PADV2: u8 = 43;
    pub(super) const QUANTIZE: u8 = 89;
}

/// No options.
pub(super) fn none() -> Options {
    (0, Table::default())
}

/// The number of a fused activation.
pub(super) fn act(clamp: Clamp, output: &TensorType) -> Field {
    // 6 that no integer reaches cuts nothing, and is an overflow to LiteRT.
    let is_far = |quant: &Quant| 6.0 / quant.scale(0) > f32::from(i16::MAX);
    Field::I8(match clamp {
        Clamp::None => 0,
        Clamp::Relu6 if !output.quant.as_ref().is_some_and(is_far) => 3,
        Clamp::Relu | Clamp::Relu6 => 1,
    })
}

/// The first fields of the options of everything with a window: padding, step to the right, step down.
pub(super) fn moving(window: &Window, is_same: bool) -> Table {
    let [down, right] = window.stride.map(|stride| Field::I32(stride as i32));
    let padding = Field::I8(if is_same { 0 } else { 1 });
    Table::default().with_other(0, padding, Field::I8(0)).with(1, right).with(2, down)
}

/// Refuses to round once where LiteRT rounds twice.
pub(super) fn twice(requant: &Requant) -> Result<(), String> {
    match requant.rounding {
        Rounding::Double => Ok(()),
        Rounding::Single | Rounding::Wide | Rounding::Precise => {
            Err("it rounds once, and LiteRT rounds it twice".into())
        }
    }
}

/// Refuses elements less their zero points, at most `size` large, that pass 32 bits before their factor.
fn stays(size: i64, multiplier: Multiplier) -> Result<(), String> {
    match size << multiplier.shift.max(0) {
        large if large > i64::from(i32::MAX) => {
            Err("its scale is so small that its sums pass 32 bits".into())
        }
        _ => Ok(()),
    }
}

impl Exporter<'_> {
    /// Writes a node; the tensor of what it gives.
    pub(super) fn layer(&mut self, node: NodeId) -> Result<i32, String> {
        let graph = self.graph;
        match &graph.node(node).op {
            Op::Input(_) => Ok(self.result(node)),
            Op::Conv2d(_) | Op::DepthwiseConv2d(_) | Op::Dense(_) => self.with_weights(node),
            Op::Activation(activation) => self.rectified(node, activation.clamp),
            Op::Add(add) => self.sum(node, add),
            Op::Mul(mul) => self.product(node, mul),
            Op::AvgPool2d(pool) => self.pool(node, (&pool.window, pool.clamp), AVERAGE_POOL_2D),
            Op::MaxPool2d(pool) => self.pool(node, (&pool.window, pool.clamp), MAX_POOL_2D),
            Op::Mean(mean) => self.mean(node, mean),
            Op::Requantize(Requantize { requant }) => self.requantized(node, requant),
            Op::Softmax(softmax) => self.probabilities(node, softmax),
            Op::Curve(curve) => match curve.function {
                CurveFunction::Sigmoid => self.logistic(node),
                CurveFunction::Hswish => self.hard_swish(node),
                CurveFunction::Hsigmoid => self.hard_sigmoid(node, curve),
            },
            Op::Concat(_) => self.concatenation(node),
            Op::Pad(pad) => self.pad(node, pad),
            Op::Reshape(_) => self.reshape(node),
            Op::Upsample2d(upsample) => self.enlarged(node, upsample),
            Op::Transpose(transpose) => self.transposed(node, transpose),
            Op::Slice(slice) => self.sliced(node, slice),
            Op::Elementwise(_)
            | Op::Lookup(_)
            | Op::Squash(_)
            | Op::TransposeConv2d(_)
            | Op::ResizeBilinear(_) => {
                Err("only networks that were taken from a model have it: use that model".into())
            }
            Op::Param(_)
            | Op::Constant(_)
            | Op::BatchNorm(_)
            | Op::FoldWeight(_)
            | Op::FoldBias(_)
            | Op::Dropout(_) => Err("it is of training, and has no integer form".into()),
        }
    }

    /// The tensor of the first input.
    pub(super) fn first(&mut self, node: NodeId) -> Result<i32, String> {
        self.activation(self.graph.inputs(node)[0])
    }

    /// The type of the first input.
    pub(super) fn first_type(&self, node: NodeId) -> &TensorType {
        self.graph.ty(self.graph.inputs(node)[0])
    }

    /// An operator on one input.
    pub(super) fn one(&mut self, node: NodeId, kind: Kind, options: Options) -> Result<i32, String> {
        let x = self.first(node)?;
        let output = self.result(node);
        Ok(self.file.operator(kind, &[x], output, options))
    }

    fn rectified(&mut self, node: NodeId, clamp: Clamp) -> Result<i32, String> {
        match act(clamp, self.graph.ty(node)) {
            Field::I8(0) => self.first(node),
            Field::I8(3) => self.one(node, RELU6, none()),
            _ => self.one(node, RELU, none()),
        }
    }

    fn sum(&mut self, node: NodeId, add: &Add) -> Result<i32, String> {
        let types = self.graph.input_types(node);
        let (output, requant) = (self.graph.ty(node), add.requant.as_ref().ok_or("it has floats")?);
        twice(requant)?;
        let factor = add.parameters(types[0], types[1], output).output;
        // 1 is half of 2: LiteRT takes no such factor, and ends the program.
        if factor.shift > 0 {
            return Err("its scale is below 2^-19 of its inputs', which LiteRT does not take".into());
        }
        // It multiplies in floats, and ends the program where that is too large.
        let [a, b] = [types[0], types[1]].map(|ty| ty.quant.as_ref().map_or(1.0, |quant| quant.scale(0)));
        if !(2.0 * a.max(b)).is_finite() || !(f32::from(1u16 << 15) * 32.0 * requant.scale.0).is_finite() {
            return Err("its scales are so large that LiteRT does not take them".into());
        }
        let options = Table::default().with_other(0, act(add.clamp, output), Field::I8(0));
        self.two(node, ADD, (kinds::ADD, options))
    }

    fn product(&mut self, node: NodeId, mul: &Mul) -> Result<i32, String> {
        let types = self.graph.input_types(node);
        let (output, requant) = (self.graph.ty(node), mul.requant.as_ref().ok_or("it has floats")?);
        twice(requant)?;
        let multiplier = mul.multiplier(types[0], types[1], output);
        stays(255 * 255, multiplier)?;
        let kind = if multiplier.shift > 0 { MUL_UP } else { MUL };
        let options = Table::default().with_other(0, act(mul.clamp, output), Field::I8(0));
        self.two(node, kind, (kinds::MUL, options))
    }

    /// An operator on two inputs.
    fn two(&mut self, node: NodeId, kind: Kind, options: Options) -> Result<i32, String> {
        let inputs = [0, 1].map(|at| self.activation(self.graph.inputs(node)[at]));
        let [a, b] = inputs;
        let (a, b) = (a?, b?);
        let output = self.result(node);
        Ok(self.file.operator(kind, &[a, b], output, options))
    }

    fn pool(&mut self, node: NodeId, (window, clamp): (&Window, Clamp), kind: Kind) -> Result<i32, String> {
        let x_ty = self.first_type(node).clone();
        let ([height, width], [rows, columns]) = (plane(&x_ty)?, plane(self.graph.ty(node))?);
        if (0..2).any(|axis| window.kernel[axis] > 1 && window.dilation[axis] > 1) {
            return Err("its window has gaps, which pools of LiteRT do not have".into());
        }
        let mut x = self.first(node)?;
        let border = border(window, [height, width], [rows, columns]);
        if let Border::Own(padding) = border {
            if kind == AVERAGE_POOL_2D {
                let Padding { top, bottom, left, right } = padding;
                let sides =
                    format!("{top} rows above, {bottom} below, {left} columns left and {right} right");
                return Err(format!("its border, {sides}, is none that LiteRT leaves out of a mean"));
            }
            x = self.lowest_around(node, x, (&x_ty, padding));
        }
        let [down, right] = window.kernel.map(|extent| Field::I32(extent as i32));
        let options = moving(window, border == Border::Same).with(3, right).with(4, down).with_other(
            5,
            act(clamp, self.graph.ty(node)),
            Field::I8(0),
        );
        let output = self.result(node);
        Ok(self.file.operator(kind, &[x], output, (kinds::POOL_2D, options)))
    }

    /// A feature map with a border that is never the greatest: by `PAD` where its zeros are the least of all integers.
    fn lowest_around(&mut self, node: NodeId, x: i32, (ty, padding): (&TensorType, Padding)) -> i32 {
        let least = DType::I8.range().map_or(0, |(least, _)| least);
        if ty.quant.as_ref().is_some_and(|quant| quant.zero_point == least) {
            return self.bordered(node, x, (ty, padding));
        }
        let name = self.name(node);
        let padded = padded_type(ty, padding);
        let sides = self.file.integers(&format!("{name}/border"), [4, 2], &sides(padding));
        let one = TensorType { shape: [1].into(), ..ty.clone() };
        let lowest = self.file.constant(&format!("{name}/lowest"), &one, vec![least as i8 as u8]);
        let output = self.file.tensor(&format!("{name}/padded"), &padded);
        self.file.operator(PADV2, &[x, sides, lowest], output, (kinds::PADV2, Table::default()))
    }

    fn mean(&mut self, node: NodeId, mean: &Mean) -> Result<i32, String> {
        twice(&mean.requant)?;
        let x_ty = self.first_type(node);
        let multiplier = mean.multiplier(x_ty, self.graph.ty(node));
        stays(255 * mean.count(&x_ty.shape) as i64, multiplier)?;
        let x = self.first(node)?;
        let axes: Vec<i32> = mean.axes.0.iter().map(|&axis| axis as i32).collect();
        let axes = self.file.integers(&format!("{}/axes", self.name(node)), [axes.len()], &axes);
        let output = self.result(node);
        let options = Table::default().with(0, Field::U8(1));
        Ok(self.file.operator(MEAN, &[x, axes], output, (kinds::REDUCER, options)))
    }

    fn requantized(&mut self, node: NodeId, requant: &Requant) -> Result<i32, String> {
        twice(requant)?;
        let op = Requantize { requant: *requant };
        stays(255, op.multiplier(self.first_type(node), self.graph.ty(node)))?;
        self.one(node, QUANTIZE, (kinds::QUANTIZE, Table::default()))
    }

    fn probabilities(&mut self, node: NodeId, softmax: &Softmax) -> Result<i32, String> {
        if self.graph.ty(node).shape.rank() > 4 {
            return Err(format!(
                "it gives {}, and LiteRT takes up to 4 dimensions",
                self.graph.ty(node).shape
            ));
        }
        let options = Table::default().with(0, Field::F32(softmax.beta.0));
        self.one(node, SOFTMAX, (kinds::SOFTMAX, options))
    }
}

/// Height and width of a feature map.
pub(super) fn plane(ty: &TensorType) -> Result<[usize; 2], String> {
    let [_, height, width, _] = ty.shape.nhwc().ok_or_else(|| format!("{} is no feature map", ty.shape))?;
    Ok([height, width])
}

/// Rows and columns before and after each dimension of a feature map.
pub(super) fn sides(Padding { top, bottom, left, right }: Padding) -> [i32; 8] {
    [0, 0, top, bottom, left, right, 0, 0].map(|side| side as i32)
}

/// A feature map with a border.
pub(super) fn padded_type(ty: &TensorType, Padding { top, bottom, left, right }: Padding) -> TensorType {
    let mut padded = ty.clone();
    if let [_, height, width, _] = padded.shape.0.as_mut_slice() {
        (*height, *width) = (*height + top + bottom, *width + left + right);
    }
    padded
}
