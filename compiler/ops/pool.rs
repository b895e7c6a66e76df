//! Pools.

use serde::{Deserialize, Serialize};

use crate::ops::{Clamp, Operator, ShapeError, Window, arity, ending, feature_map};
use crate::tensor::{Shape, TensorType};

/// Mean of a window, padding not counted. A window of the whole map is a global average pool.
/// Quantized: input and output have the same quantization; ties round away from zero.
///
/// Shapes  x [N,H,W,C] -> [N,Ho,Wo,C]; Ho as in `conv2d`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0304 window larger than padded input
/// Source  TFLite quantization specification, AVERAGE_POOL_2D
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AvgPool2d {
    /// The moving window.
    pub window: Window,
    /// The clamp at the end.
    pub clamp: Clamp,
}

/// Greatest of a window, padding not counted. Quantized: input and output have the same quantization.
///
/// Shapes  x [N,H,W,C] -> [N,Ho,Wo,C]; Ho as in `conv2d`
/// Types   f32 -> f32; i8 -> i8
/// Cost    MACs = 0
/// Errors  E0304 window larger than padded input
/// Source  TFLite quantization specification, MAX_POOL_2D
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MaxPool2d {
    /// The moving window.
    pub window: Window,
    /// The clamp at the end.
    pub clamp: Clamp,
}

macro_rules! pool {
    ($type:ident, $name:literal) => {
        impl Operator for $type {
            const NAME: &'static str = $name;

            fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
                let [x] = arity(Self::NAME, inputs)?;
                let [n, height, width, channels] = feature_map(Self::NAME, x)?;
                let [ho, wo] = self.window.output(Self::NAME, [height, width])?;
                Ok(TensorType { shape: Shape(vec![n, ho, wo, channels]), ..x.clone() })
            }

            fn attributes(&self) -> String {
                self.window.attributes() + &ending(self.clamp, None)
            }
        }
    };
}

pool!(AvgPool2d, "avg_pool2d");
pool!(MaxPool2d, "max_pool2d");
