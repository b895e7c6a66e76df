//! Tensors with their elements.

use ndarray::{ArrayD, IxDyn};

use crate::tensor::{DType, Shape};

/// A dense tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Floats.
    F32(ArrayD<f32>),
    /// Signed 8 bit.
    I8(ArrayD<i8>),
    /// Signed 16 bit.
    I16(ArrayD<i16>),
    /// Signed 32 bit.
    I32(ArrayD<i32>),
}

macro_rules! each {
    ($value:expr, $array:ident => $body:expr) => {
        match $value {
            Value::F32($array) => $body,
            Value::I8($array) => $body,
            Value::I16($array) => $body,
            Value::I32($array) => $body,
        }
    };
}

macro_rules! access {
    ($($variant:ident, $get:ident, $make:ident, $type:ty;)*) => {$(
        /// The elements, if they are of this type.
        pub fn $get(&self) -> Option<&ArrayD<$type>> {
            match self {
                Value::$variant(array) => Some(array),
                _ => None,
            }
        }
        /// A tensor of these elements; `None` if their number is not that of the shape.
        pub fn $make(shape: &Shape, elements: Vec<$type>) -> Option<Value> {
            ArrayD::from_shape_vec(IxDyn(&shape.0), elements).ok().map(Value::$variant)
        }
    )*};
}

impl Value {
    access! {
        F32, as_f32, from_f32, f32;
        I8, as_i8, from_i8, i8;
        I16, as_i16, from_i16, i16;
        I32, as_i32, from_i32, i32;
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            Value::F32(_) => DType::F32,
            Value::I8(_) => DType::I8,
            Value::I16(_) => DType::I16,
            Value::I32(_) => DType::I32,
        }
    }

    /// Extents.
    pub fn shape(&self) -> Shape {
        each!(self, array => Shape::from(array.shape()))
    }

    /// The elements in order, little-endian.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        each!(self, array => array.iter().flat_map(|x| x.to_le_bytes()).collect())
    }

    /// The inverse of [`Value::to_le_bytes`]; `None` if the number of bytes is wrong.
    pub fn from_le_bytes(dtype: DType, shape: &Shape, bytes: &[u8]) -> Option<Value> {
        if bytes.len() != shape.elements().checked_mul(dtype.size())? {
            return None;
        }
        fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> + '_ {
            bytes.chunks_exact(N).map(|chunk| chunk.try_into().expect("chunks have this length"))
        }
        match dtype {
            DType::F32 => Value::from_f32(shape, words(bytes).map(f32::from_le_bytes).collect()),
            DType::I8 => Value::from_i8(shape, words(bytes).map(i8::from_le_bytes).collect()),
            DType::I16 => Value::from_i16(shape, words(bytes).map(i16::from_le_bytes).collect()),
            DType::I32 => Value::from_i32(shape, words(bytes).map(i32::from_le_bytes).collect()),
        }
    }

    /// The elements of an integer tensor, widened, in row-major order; `None` for floats.
    pub fn to_i32_vec(&self) -> Option<Vec<i32>> {
        match self {
            Value::F32(_) => None,
            Value::I8(array) => Some(array.iter().map(|&x| i32::from(x)).collect()),
            Value::I16(array) => Some(array.iter().map(|&x| i32::from(x)).collect()),
            Value::I32(array) => Some(array.iter().copied().collect()),
        }
    }

    /// An integer tensor of a narrow type from wide elements; `None` if one does not fit, the number is wrong
    /// or the type is `F32`.
    pub fn from_i32_vec(dtype: DType, shape: &Shape, elements: &[i32]) -> Option<Value> {
        fn narrow<T: TryFrom<i32>>(elements: &[i32]) -> Option<Vec<T>> {
            elements.iter().map(|&x| T::try_from(x).ok()).collect()
        }
        match dtype {
            DType::F32 => None,
            DType::I8 => Value::from_i8(shape, narrow(elements)?),
            DType::I16 => Value::from_i16(shape, narrow(elements)?),
            DType::I32 => Value::from_i32(shape, elements.to_vec()),
        }
    }
}
