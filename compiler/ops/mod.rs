//! Operators: one file each, with attributes, shape inference, reference evaluation and cost.
//!
//! In: the types and values of an operator's inputs. Out: the type, the value and the multiply-accumulates of
//! its output. [`Op`] is closed: matches over it are exhaustive, so a new operator stops compilation where it
//! has to be thought of. An operator's attributes and input types decide its output type; a quantized operator
//! carries its output's quantization in a [`Requant`].

mod activation;
mod add;
mod batch_norm;
mod concat;
mod conv2d;
mod copy;
mod curve;
mod dense;
mod depthwise_conv2d;
mod dropout;
mod elementwise;
mod fold;
pub(crate) mod interpolation;
mod leaf;
mod lookup;
mod mean;
mod mul;
mod pad;
mod pool;
mod reference;
mod requantize;
mod reshape;
mod resize_bilinear;
mod slice;
mod softmax;
mod squash;
mod transpose;
mod transpose_conv2d;
mod upsample2d;
mod window;

use serde::{Deserialize, Serialize};

use crate::tensor::arith::Rounding;
use crate::tensor::{DType, Macs, Quant, Scale, Scales, Shape, TensorType, Value};

pub use activation::Activation;
pub(crate) use add::left_shift;
pub use add::{Add, AddParameters};
pub use batch_norm::BatchNorm;
pub use concat::Concat;
pub use conv2d::Conv2d;
pub use curve::{Curve, CurveFunction};
pub use dense::Dense;
pub use depthwise_conv2d::DepthwiseConv2d;
pub use dropout::Dropout;
pub(crate) use elementwise::broadcast_strides;
pub use elementwise::{Elementwise, ElementwiseFunction, ElementwiseParameters};
pub use fold::{FoldBias, FoldWeight};
pub use leaf::{Constant, Input, Param, ParamRole};
pub use lookup::Lookup;
pub use mean::Mean;
pub use mul::Mul;
pub use pad::Pad;
pub use pool::{AvgPool2d, MaxPool2d};
pub use requantize::Requantize;
pub use reshape::Reshape;
pub(crate) use resize_bilinear::{Places, STEPS as BILINEAR_STEPS};
pub use resize_bilinear::{ResizeBilinear, ResizeMode};
pub use slice::Slice;
pub use softmax::Softmax;
pub(crate) use squash::Steps;
pub use squash::{Squash, SquashFunction};
pub use transpose::Transpose;
pub(crate) use transpose::strides;
pub use transpose_conv2d::TransposeConv2d;
pub use upsample2d::Upsample2d;
pub use window::{Padding, Window};

/// Why an operator cannot take its inputs. Code and message become a diagnostic where there is a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// What is wrong, in the form of a diagnostic's message.
    pub message: String,
    /// Which rule is broken.
    pub kind: ShapeErrorKind,
}

/// The rules of [`ShapeError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ShapeErrorKind {
    /// E0303: ranks or extents do not fit.
    Shape,
    /// E0304: a window larger than its padded input.
    Window,
    /// E0301: element types do not fit.
    Type,
}

impl ShapeError {
    pub(crate) fn shape(message: impl Into<String>) -> ShapeError {
        ShapeError { message: message.into(), kind: ShapeErrorKind::Shape }
    }

    pub(crate) fn window(message: impl Into<String>) -> ShapeError {
        ShapeError { message: message.into(), kind: ShapeErrorKind::Window }
    }

    pub(crate) fn dtype(message: impl Into<String>) -> ShapeError {
        ShapeError { message: message.into(), kind: ShapeErrorKind::Type }
    }
}

/// The clamp that ends an operator: part of it, so that it costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clamp {
    /// No clamp but that of the type.
    #[default]
    None,
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
}

impl Clamp {
    /// The clamp of a float.
    pub fn apply(self, x: f32) -> f32 {
        match self {
            Clamp::None => x,
            Clamp::Relu => x.max(0.0),
            Clamp::Relu6 => x.clamp(0.0, 6.0),
        }
    }

    /// Least and greatest value that it leaves.
    pub fn bounds(self) -> (f32, f32) {
        match self {
            Clamp::None => (f32::NEG_INFINITY, f32::INFINITY),
            Clamp::Relu => (0.0, f32::INFINITY),
            Clamp::Relu6 => (0.0, 6.0),
        }
    }

    /// The range of integers that the clamp leaves of a quantized type.
    ///
    /// Source  LiteRT 2.3.0, `CalculateActivationRangeQuantized`.
    pub fn range(self, requant: &Requant) -> (i32, i32) {
        self.range_of(requant.dtype, &requant.quant())
    }

    /// The range of integers that the clamp leaves of a type with this quantization, for operators that keep
    /// that of their input.
    pub fn range_of(self, dtype: DType, quant: &Quant) -> (i32, i32) {
        let (low, high) = dtype.range().unwrap_or((i32::MIN, i32::MAX));
        let quantize = |real: f32| quant.zero_point.saturating_add((real / quant.scale(0)).round() as i32);
        match self {
            Clamp::None => (low, high),
            Clamp::Relu => (low.max(quantize(0.0)), high),
            Clamp::Relu6 => (low.max(quantize(0.0)), high.min(quantize(6.0))),
        }
    }

    /// How it is written in the language and in graph texts.
    pub fn name(self) -> &'static str {
        match self {
            Clamp::None => "none",
            Clamp::Relu => "relu",
            Clamp::Relu6 => "relu6",
        }
    }
}

/// How a quantized operator brings its accumulator to its output: present in integer graphs, absent in float
/// ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Requant {
    /// Element type of the output.
    pub dtype: DType,
    /// Scale of the output.
    pub scale: Scale,
    /// Zero point of the output.
    pub zero_point: i32,
    /// Rounding of the accumulator.
    pub rounding: Rounding,
}

impl Requant {
    /// The output's quantization.
    pub fn quant(&self) -> Quant {
        Quant { scales: Scales::One(self.scale), zero_point: self.zero_point, axis: None }
    }
}

/// What each operator knows of itself.
pub trait Operator {
    /// Its name in graph texts.
    const NAME: &'static str;

    /// The type of the output.
    ///
    /// # Errors
    /// When the inputs' number, types or shapes do not fit.
    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError>;

    /// The reference evaluation, in floats or integers as the types say: plain loops that every faster form is
    /// compared with. `types` are the inputs' types, which `infer` accepted, and `output` is what it returned.
    /// Operators without inputs compute nothing: they are handed their value as the only input.
    ///
    /// # Panics
    /// When the values do not have the types.
    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value;

    /// Multiply-accumulates for one evaluation; the inputs' types are those that `infer` accepted.
    fn macs(&self, inputs: &[&TensorType], output: &TensorType) -> Macs {
        let _ = (inputs, output);
        Macs(0)
    }

    /// Attributes for graph texts, ` key=value` each; empty where there is none.
    fn attributes(&self) -> String {
        String::new()
    }
}

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Every operator there is.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(tag = "op", rename_all = "snake_case")]
        pub enum Op {
            $($(#[$doc])* $name($name),)*
        }

        impl Op {
            /// Its name in graph texts.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Op::$name(_) => $name::NAME,)*
                }
            }

            /// The type of the output; see [`Operator::infer`].
            ///
            /// # Errors
            /// When the inputs' number, types or shapes do not fit.
            pub fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
                match self {
                    $(Op::$name(op) => op.infer(inputs),)*
                }
            }

            /// The reference evaluation; see [`Operator::evaluate`].
            ///
            /// # Panics
            /// When the values do not have the types.
            pub fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
                match self {
                    $(Op::$name(op) => op.evaluate(inputs, types, output),)*
                }
            }

            /// Multiply-accumulates for one evaluation.
            pub fn macs(&self, inputs: &[&TensorType], output: &TensorType) -> Macs {
                match self {
                    $(Op::$name(op) => op.macs(inputs, output),)*
                }
            }

            /// Attributes for graph texts.
            pub fn attributes(&self) -> String {
                match self {
                    $(Op::$name(op) => op.attributes(),)*
                }
            }
        }

        $(impl From<$name> for Op {
            fn from(op: $name) -> Op {
                Op::$name(op)
            }
        })*
    };
}

ops! {
    /// What the network is given.
    Input,
    /// What training finds.
    Param,
    /// What is known.
    Constant,
    /// Convolution.
    Conv2d,
    /// Convolution of each channel by itself.
    DepthwiseConv2d,
    /// Matrix times vector.
    Dense,
    /// Normalisation by the statistics of the batch or of training.
    BatchNorm,
    /// A clamp of its own, before it is fused.
    Activation,
    /// Sum of two.
    Add,
    /// Mean of a window.
    AvgPool2d,
    /// Greatest of a window.
    MaxPool2d,
    /// The same elements under another shape.
    Reshape,
    /// Weights that take a batch normalisation in.
    FoldWeight,
    /// Bias that takes a batch normalisation in.
    FoldBias,
    /// Several one behind the other.
    Concat,
    /// Zeros around.
    Pad,
    /// Product of two.
    Mul,
    /// An activation that is no clamp.
    Curve,
    /// Every pixel several times.
    Upsample2d,
    /// Elements left out in training.
    Dropout,
    /// Another scale and zero point.
    Requantize,
    /// Scores to probabilities.
    Softmax,
    /// Dimensions in another order.
    Transpose,
    /// Means along dimensions.
    Mean,
    /// Part of a tensor.
    Slice,
    /// A function of two, with broadcasting.
    Elementwise,
    /// A table of what is made of each byte.
    Lookup,
    /// Transposed convolution.
    TransposeConv2d,
    /// A map of other extents.
    ResizeBilinear,
    /// Logistic function or hyperbolic tangent of 16 bits.
    Squash,
}

/// Checks the number of inputs.
pub(crate) fn arity<'a, const N: usize>(
    name: &str,
    inputs: &[&'a TensorType],
) -> Result<[&'a TensorType; N], ShapeError> {
    <[&TensorType; N]>::try_from(inputs)
        .map_err(|_| ShapeError::shape(format!("`{name}` takes {N} inputs, got {}", inputs.len())))
}

/// A feature map's `[N, H, W, C]`.
pub(crate) fn feature_map(name: &str, input: &TensorType) -> Result<[usize; 4], ShapeError> {
    input.shape.nhwc().ok_or_else(|| {
        ShapeError::shape(format!("`{name}` takes a feature map [N, H, W, C], got {}", input.shape))
    })
}

/// Refuses what cannot be computed with: integers without a meaning or with several scales, and 16 bits that are not
/// around 0.
pub(crate) fn activations(name: &str, x: &TensorType) -> Result<(), ShapeError> {
    match (x.dtype, &x.quant) {
        (DType::F32, None) | (DType::I8, Some(Quant { axis: None, .. })) => Ok(()),
        (DType::I16, Some(Quant { axis: None, zero_point: 0, .. })) => Ok(()),
        _ => Err(ShapeError::dtype(format!(
            "`{name}` takes f32, i8 with one scale, or i16 with one scale and zero point 0, got {x}"
        ))),
    }
}

/// Refuses weights and bias that do not go with the input: floats with floats; with integers, weights with
/// zero point 0 and one scale or one for each index of `axis`, and a bias of 32 bits.
pub(crate) fn parameters(
    name: &str,
    x: &TensorType,
    (w, axis): (&TensorType, usize),
    b: &TensorType,
) -> Result<(), ShapeError> {
    activations(name, x)?;
    let fits = match (x.dtype, &w.quant) {
        (DType::F32, _) => w.dtype == DType::F32 && b.dtype == DType::F32,
        (_, Some(quant)) => {
            let scaled = quant.zero_point == 0 && quant.axis.is_none_or(|a| a == axis);
            scaled && matches!(w.dtype, DType::I8 | DType::I16) && b.dtype == DType::I32
        }
        (_, None) => false,
    };
    if fits {
        return Ok(());
    }
    Err(ShapeError::dtype(format!("`{name}` of {} got weights {w} and bias {b}", x.dtype)))
}

/// The type of an output with this shape: float without, quantized with a [`Requant`].
pub(crate) fn output_type(
    name: &str,
    input: &TensorType,
    requant: Option<&Requant>,
    shape: impl Into<Shape>,
) -> Result<TensorType, ShapeError> {
    match (input.dtype, requant) {
        (DType::F32, None) => Ok(TensorType::f32(shape)),
        (DType::F32, Some(_)) => Err(ShapeError::dtype(format!("quantized `{name}` got a float input"))),
        (_, None) => Err(ShapeError::dtype(format!("float `{name}` got a quantized input"))),
        (_, Some(requant)) if requant.dtype != input.dtype => {
            let message = format!("`{name}` of {} has an output of {}", input.dtype, requant.dtype);
            Err(ShapeError::dtype(message))
        }
        (_, Some(requant)) if !rounds(name, requant.rounding) => {
            Err(ShapeError::dtype(format!("`{name}` does not round as {:?} does", requant.rounding)))
        }
        (_, Some(requant)) if requant.dtype == DType::I16 && requant.zero_point != 0 => {
            let message = format!("`{name}` has an i16 output with zero point {}", requant.zero_point);
            Err(ShapeError::dtype(message))
        }
        (_, Some(requant)) => {
            Ok(TensorType { dtype: requant.dtype, shape: shape.into(), quant: Some(requant.quant()) })
        }
    }
}

/// Whether an operator may round so: sums of 64 bits are those of layers with weights.
fn rounds(name: &str, rounding: Rounding) -> bool {
    match rounding {
        Rounding::Double | Rounding::Single => true,
        Rounding::Wide => {
            [Conv2d::NAME, DepthwiseConv2d::NAME, TransposeConv2d::NAME, Dense::NAME].contains(&name)
        }
        Rounding::Precise => name == Dense::NAME,
    }
}

/// Text of an optional requantization and a clamp, for graph texts.
pub(crate) fn ending(clamp: Clamp, requant: Option<&Requant>) -> String {
    let mut text = String::new();
    if clamp != Clamp::None {
        text.push_str(&format!(" clamp={}", clamp.name()));
    }
    if let Some(requant) = requant {
        let rounding = match requant.rounding {
            Rounding::Double => "double",
            Rounding::Single => "single",
            Rounding::Wide => "wide",
            Rounding::Precise => "precise",
        };
        text.push_str(&format!(" rounding={rounding}"));
    }
    text
}

#[cfg(test)]
mod tests;
