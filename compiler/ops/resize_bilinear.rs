//! Feature maps of other extents, by weighted means of four pixels.

use serde::{Deserialize, Serialize};

use crate::ops::copy::extent;
use crate::ops::reference::{integer_value, integers, nhwc};
use crate::ops::{Operator, ShapeError, activations, arity, feature_map};
use crate::tensor::{DType, Shape, TensorType, Value};

/// Steps from one pixel of the input to the next: places are counted in these.
pub(crate) const STEPS: i64 = 1 << 10;

/// Which places of the input the pixels of the output lie on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// The first ones on each other, the others by the quotient of the extents.
    Asymmetric,
    /// The first ones and the last ones on each other.
    AlignCorners,
    /// The edges of the outer ones on each other.
    HalfPixelCenters,
}

impl ResizeMode {
    /// How it is written in graph texts.
    pub fn name(self) -> &'static str {
        match self {
            ResizeMode::Asymmetric => "asymmetric",
            ResizeMode::AlignCorners => "align_corners",
            ResizeMode::HalfPixelCenters => "half_pixel_centers",
        }
    }
}

/// A feature map of other extents: each pixel is the mean of the four around its place in the input, weighted by how
/// near they are in steps of 1/1024. Input and output have the same quantization. There is no form for floats.
///
/// Shapes  `x [N,H,W,C] -> [N,Ho,Wo,C]`
/// Types   i8 -> i8
/// Cost    MACs = 0
/// Errors  E0303 no feature map, an extent above 65536, or places beyond the input; E0301 no i8
/// Source  LiteRT 2.3.0, reference kernel of RESIZE_BILINEAR for INT8; golden vectors
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ResizeBilinear {
    /// Rows and columns of the output.
    pub output: [usize; 2],
    /// Where its pixels lie.
    pub mode: ResizeMode,
}

/// Where in an input the indices of an output lie along an axis: `index * step + start`, in [`STEPS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    /// From one index to the next.
    pub(crate) step: i64,
    /// That of index 0.
    pub(crate) start: i64,
}

/// The pixels before and behind a place, and how far it is from the first one.
struct Between {
    before: i64,
    behind: i64,
    share: i64,
}

impl ResizeBilinear {
    /// The places along an axis of an input of this extent.
    pub(crate) fn places(&self, axis: usize, input: usize) -> Places {
        let (from, to) = (input as i64, self.output[axis] as i64);
        let quotient = |from: i64, to: i64| (STEPS * from + to / 2) / to;
        let step = match self.mode {
            ResizeMode::AlignCorners if to > 1 => quotient(from - 1, to - 1),
            _ => quotient(from, to),
        };
        let start = if self.mode == ResizeMode::HalfPixelCenters { step / 2 - STEPS / 2 } else { 0 };
        Places { step, start }
    }
}

impl Places {
    fn at(self, index: usize, extent: usize) -> Between {
        let place = index as i64 * self.step + self.start;
        let before = place.max(0) / STEPS;
        let behind = ((place + STEPS - 1) / STEPS).min(extent as i64 - 1);
        Between { before, behind, share: place - STEPS * before }
    }
}

impl Operator for ResizeBilinear {
    const NAME: &'static str = "resize_bilinear";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(Self::NAME, inputs)?;
        let [n, height, width, channels] = feature_map(Self::NAME, x)?;
        activations(Self::NAME, x)?;
        if x.dtype == DType::F32 {
            return Err(ShapeError::dtype(format!("`resize_bilinear` takes i8 or i16, got {x}")));
        }
        for (axis, input) in [height, width].into_iter().enumerate() {
            extent(Self::NAME, Some(input))?;
            let to = extent(Self::NAME, Some(self.output[axis]))?;
            // Steps are rounded, so that the last place of many may lie behind the input.
            if to == 0 || input == 0 || self.places(axis, input).at(to - 1, input).before >= input as i64 {
                return Err(ShapeError::shape(format!("`resize_bilinear` of {input} to {to}")));
            }
        }
        let [rows, columns] = self.output;
        Ok(TensorType { shape: Shape::from([n, rows, columns, channels]), ..x.clone() })
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let ([_, height, width, channels], [n, rows, columns, _]) = (nhwc(types[0]), nhwc(output));
        let x = integers(inputs[0]);
        let mut elements = Vec::with_capacity(output.shape.elements());
        for pixel in 0..n * rows * columns {
            let y = self.places(0, height).at(pixel / columns % rows, height);
            let across = self.places(1, width).at(pixel % columns, width);
            let row = |y: i64| (pixel / columns / rows * height + y as usize) * width;
            let of =
                |y: i64, at: i64, channel: usize| i64::from(x[(row(y) + at as usize) * channels + channel]);
            for c in 0..channels {
                let line = |y: i64| {
                    of(y, across.before, c) * (STEPS - across.share) + of(y, across.behind, c) * across.share
                };
                let sum = line(y.before) * (STEPS - y.share) + line(y.behind) * y.share;
                let half = STEPS * STEPS / 2;
                elements.push(((sum + if sum > 0 { half } else { -half }) / (STEPS * STEPS)) as i32);
            }
        }
        integer_value(output, &elements)
    }

    fn attributes(&self) -> String {
        format!(" to={}x{} {}", self.output[0], self.output[1], self.mode.name())
    }
}
