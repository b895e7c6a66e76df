//! Transposed two-dimensional convolution.

use serde::{Deserialize, Serialize};

use crate::ops::reference::{add_integer, bias, centered, channel_multipliers, integers, nhwc, requantize};
use crate::ops::{
    Clamp, Operator, Requant, ShapeError, Window, arity, ending, feature_map, output_type, parameters,
};
use crate::tensor::arith::Multiplier;
use crate::tensor::{DType, Macs, TensorType, Value};

/// Places of a pixel between the strides, at most: each is a convolution of its own.
const MAX_PHASES: usize = 1 << 10;

/// What a convolution would read with a window from the output, this adds to it: each pixel of the input, times the
/// weights, onto the pixels of the output that its window covers. There is no form for floats.
///
/// Shapes  `x [N,H,W,C], w [O,Kh,Kw,C], b [O] -> [N,Ho,Wo,O]`, where the window gives H, W of Ho, Wo
/// Types   i8,i8 (per channel O, zero point 0),i32 -> i8; the same with i16 around
/// Cost    MACs = N*O*C*(pairs of an input pixel and a tap that lies in the output)
/// Errors  E0303 channels differ, or the window gives another input; E0304 window larger than its padded output, or
///         strides above 1024 together; E0301 parameters of other types
/// Source  TFLite quantization specification, as CONV_2D; LiteRT 2.3.0, reference kernel of TRANSPOSE_CONV; golden
///         vectors
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TransposeConv2d {
    /// The window over the output.
    pub window: Window,
    /// Rows and columns of the output.
    pub output: [usize; 2],
    /// The clamp at the end.
    pub clamp: Clamp,
    /// The output's quantization.
    pub requant: Requant,
}

impl TransposeConv2d {
    /// For each output channel the factor from its sum to its output.
    ///
    /// # Panics
    /// When a type is not quantized.
    pub fn multipliers(&self, x: &TensorType, w: &TensorType, output: &TensorType) -> Vec<Multiplier> {
        channel_multipliers([x, w, output], w.shape.0[0])
    }
}

impl Operator for TransposeConv2d {
    const NAME: &'static str = "transpose_conv2d";

    fn infer(&self, inputs: &[&TensorType]) -> Result<TensorType, ShapeError> {
        let [x, w, b] = arity(Self::NAME, inputs)?;
        let [n, height, width, channels] = feature_map(Self::NAME, x)?;
        let [filters, kh, kw, depth] = feature_map(Self::NAME, w)?;
        if depth != channels || [kh, kw] != self.window.kernel || b.shape.0[..] != [filters] {
            return Err(ShapeError::shape(format!(
                "`transpose_conv2d` with kernel {}x{} of {} got weights {} and bias {}",
                self.window.kernel[0], self.window.kernel[1], x.shape, w.shape, b.shape
            )));
        }
        if x.dtype == DType::F32 || self.window.dilation != [1, 1] {
            let message = format!("`transpose_conv2d` takes i8 or i16 without dilation, got {x}");
            return Err(ShapeError::dtype(message));
        }
        parameters(Self::NAME, x, (w, 0), b)?;
        let [down, right] = self.window.stride;
        if down.saturating_mul(right) > MAX_PHASES {
            return Err(ShapeError::window(format!("`transpose_conv2d` has strides of {down}x{right}")));
        }
        let [rows, columns] = self.output;
        if self.window.output(Self::NAME, self.output)? != [height, width] {
            return Err(ShapeError::shape(format!(
                "`transpose_conv2d` to {rows}x{columns} is not of {height}x{width}"
            )));
        }
        output_type(Self::NAME, x, Some(&self.requant), vec![n, rows, columns, filters])
    }

    fn evaluate(&self, inputs: &[&Value], types: &[&TensorType], output: &TensorType) -> Value {
        let ([n, height, width, channels], [_, rows, columns, filters]) = (nhwc(types[0]), nhwc(output));
        let [kernel_rows, kernel_columns] = self.window.kernel;
        let (x, w, b) = (centered(inputs[0], types[0]), integers(inputs[1]), bias(inputs[2]));
        let mut sums = b.repeat(n * rows * columns);
        for pixel in 0..n * height * width {
            let (iy, ix, sample) = (pixel / width % height, pixel % width, pixel / width / height);
            let (top, bottom) = self.window.taps(0, iy, rows);
            let (left, right) = self.window.taps(1, ix, columns);
            for (ky, kx) in (top..bottom).flat_map(|ky| (left..right).map(move |kx| (ky, kx))) {
                let (oy, ox) = (self.window.input(0, iy, ky), self.window.input(1, ix, kx));
                let sums = &mut sums[((sample * rows + oy) * columns + ox) * filters..][..filters];
                for (filter, sum) in sums.iter_mut().enumerate() {
                    let w = &w[((filter * kernel_rows + ky) * kernel_columns + kx) * channels..][..channels];
                    let x = &x[pixel * channels..][..channels];
                    *sum = x.iter().zip(w).fold(*sum, |sum, (&x, &w)| add_integer(sum, x, w));
                }
            }
        }
        let multipliers = self.multipliers(types[0], types[1], output);
        requantize(&sums, &multipliers, (&self.requant, self.clamp), output)
    }

    fn macs(&self, inputs: &[&TensorType], output: &TensorType) -> Macs {
        let [n, height, width, channels] = nhwc(inputs[0]);
        let taps = |axis: usize, extent: usize| -> usize {
            let taps = (0..extent).map(|at| self.window.taps(axis, at, self.output[axis]));
            taps.map(|(first, end)| end - first).sum()
        };
        Macs((n * taps(0, height) * taps(1, width) * channels * nhwc(output)[3]) as u64)
    }

    fn attributes(&self) -> String {
        let [rows, columns] = self.output;
        let window = self.window.attributes();
        format!("{window} output={rows}x{columns}{}", ending(self.clamp, Some(&self.requant)))
    }
}
