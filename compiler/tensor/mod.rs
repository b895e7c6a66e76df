//! Types, units and arithmetic of tensors.
//!
//! In: nothing of the other modules. Out: [`TensorType`], [`Value`], the unit types, and in [`arith`] the
//! integer arithmetic that every back end must reproduce bit for bit. Layout is NHWC with an explicit batch
//! dimension, which is 1 in every graph; the trainer puts its batch there.

pub mod arith;
pub mod math;
mod scales;
mod unit;
mod value;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

pub use scales::Scales;
pub use unit::{Bytes, Cycles, Hertz, Joules, Macs};
pub use value::Value;

/// The type of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// Signed 8 bit.
    I8,
    /// Signed 16 bit.
    I16,
    /// Signed 32 bit.
    I32,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::I8 => 1,
            DType::I16 => 2,
            DType::F32 | DType::I32 => 4,
        }
    }

    /// The least and the greatest value of an integer type; `None` for `F32`.
    pub fn range(self) -> Option<(i32, i32)> {
        match self {
            DType::F32 => None,
            DType::I8 => Some((i32::from(i8::MIN), i32::from(i8::MAX))),
            DType::I16 => Some((i32::from(i16::MIN), i32::from(i16::MAX))),
            DType::I32 => Some((i32::MIN, i32::MAX)),
        }
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DType::F32 => "f32",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
        })
    }
}

/// Extents, outermost first: `[N, H, W, C]` for feature maps, `[N, C]` for vectors.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shape(pub SmallVec<[usize; 4]>);

impl Shape {
    /// Number of elements; 1 for a scalar. The greatest number there is where it is beyond.
    pub fn elements(&self) -> usize {
        if self.0.contains(&0) {
            return 0;
        }
        self.0.iter().fold(1, |product, &extent| product.saturating_mul(extent))
    }

    /// Number of dimensions.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// `[N, H, W, C]`, if there are four dimensions.
    pub fn nhwc(&self) -> Option<[usize; 4]> {
        self.0.as_slice().try_into().ok()
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(extents: [usize; N]) -> Shape {
        Shape(SmallVec::from_slice(&extents))
    }
}

impl From<&[usize]> for Shape {
    fn from(extents: &[usize]) -> Shape {
        Shape(SmallVec::from_slice(extents))
    }
}

impl From<Vec<usize>> for Shape {
    fn from(extents: Vec<usize>) -> Shape {
        Shape(SmallVec::from_slice(&extents))
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(extents: I) -> Shape {
        Shape(extents.into_iter().collect())
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let extents: Vec<String> = self.0.iter().map(usize::to_string).collect();
        write!(f, "[{}]", extents.join(", "))
    }
}

/// A positive finite scale, equal and hashed by its bits.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scale(pub f32);

impl PartialEq for Scale {
    fn eq(&self, other: &Scale) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}
impl Eq for Scale {}
impl std::hash::Hash for Scale {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}
impl PartialOrd for Scale {
    fn partial_cmp(&self, other: &Scale) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Scale {
    fn cmp(&self, other: &Scale) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// How integers stand for reals: `real = scale * (integer - zero_point)`.
///
/// Source  TFLite 8-bit quantization specification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Quant {
    /// One scale, or one for each index of `axis`.
    pub scales: Scales,
    /// The integer that stands for 0; 0 where there are several scales.
    pub zero_point: i32,
    /// The dimension that the scales belong to; `None` for one scale.
    pub axis: Option<usize>,
}

impl Quant {
    /// One scale for the whole tensor.
    pub fn per_tensor(scale: f32, zero_point: i32) -> Quant {
        Quant { scales: Scales::One(Scale(scale)), zero_point, axis: None }
    }

    /// Symmetric, one scale for each index of `axis`.
    pub fn per_channel(scales: Vec<f32>, axis: usize) -> Quant {
        Quant { scales: scales.into_iter().map(Scale).collect(), zero_point: 0, axis: Some(axis) }
    }

    /// The scale of channel `index`.
    pub fn scale(&self, index: usize) -> f32 {
        if self.axis.is_some() { self.scales[index].0 } else { self.scales[0].0 }
    }
}

/// Element type, extents and, for quantized integers, their meaning.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TensorType {
    /// Element type.
    pub dtype: DType,
    /// Extents.
    pub shape: Shape,
    /// Meaning of the integers; `None` for `F32`.
    pub quant: Option<Quant>,
}

impl TensorType {
    /// A float tensor.
    pub fn f32(shape: impl Into<Shape>) -> TensorType {
        TensorType { dtype: DType::F32, shape: shape.into(), quant: None }
    }

    /// A quantized tensor.
    pub fn quantized(dtype: DType, shape: impl Into<Shape>, quant: Quant) -> TensorType {
        TensorType { dtype, shape: shape.into(), quant: Some(quant) }
    }

    /// Bytes of the dense tensor.
    pub fn bytes(&self) -> Bytes {
        Bytes(self.shape.elements().saturating_mul(self.dtype.size()) as u64)
    }
}

impl std::fmt::Display for TensorType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)?;
        match &self.quant {
            None => Ok(()),
            Some(Quant { scales, axis: Some(axis), .. }) => {
                write!(f, " q(axis {axis}, {} scales)", scales.len())
            }
            Some(Quant { scales, zero_point, axis: None }) => write!(f, " q({}, {zero_point})", scales[0].0),
        }
    }
}
