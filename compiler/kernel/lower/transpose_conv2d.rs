//! Transposed convolution: for each place of an output pixel between the strides one convolution of its own.
//!
//! Of all taps a pixel of the output meets only those whose distance from it is a multiple of the stride. So the pixels
//! that are a stride apart are a convolution with stride 1 over the input by every so many of the taps, in reverse, and
//! each such phase stores its pixels a stride apart. No zeros are multiplied and nothing is kept but input and output.

use super::conv2d::Placement;
use super::filters::Parameters;
use super::{Kernel, Layer, Lowering, activation_type};
use crate::kernel::schedule::geometry::Geometry;
use crate::kernel::{Arg, TableRole};
use crate::ops::{Operator as _, Padding, TransposeConv2d, Window};
use crate::tensor::DType;

/// The output indices along an axis that meet the same taps.
#[derive(Clone, Copy)]
struct Phase {
    /// The first tap that they meet; the others are a stride apart.
    first_tap: usize,
    /// How many taps that are, and how many their convolution has, where those over are 0.
    taps: usize,
    kernel: usize,
    /// Input indices before the first that the first output's window spans.
    before: usize,
    /// The first output index; the others are a stride apart.
    first: usize,
    outputs: usize,
}

impl Phase {
    /// Those of an axis with a kernel, a stride, padding before, and so many output indices.
    fn all([kernel, stride, before, outputs]: [usize; 4]) -> Vec<Phase> {
        let of = |first_tap: usize| {
            let taps = kernel.saturating_sub(first_tap).div_ceil(stride);
            // The first output index in the padded output that is not in the padding.
            let steps = before.saturating_sub(first_tap).div_ceil(stride);
            let first = first_tap + steps * stride - before;
            // Taps over begin at the input's first index where the first window would begin behind it.
            let kernel = taps.max(steps + 1);
            let outputs = outputs.saturating_sub(first).div_ceil(stride);
            Phase { first_tap, taps, kernel, before: kernel - 1 - steps, first, outputs }
        };
        // Later ones have no output.
        (0..stride.min(before + outputs)).map(of).filter(|phase| phase.outputs > 0).collect()
    }

    /// The tap of the transposed convolution that one of its convolution stands for.
    fn tap(&self, stride: usize, at: usize) -> Option<usize> {
        let at = self.kernel - 1 - at;
        (at < self.taps).then(|| self.first_tap + at * stride)
    }

    /// Padding behind the input of an extent.
    fn after(&self, extent: usize) -> usize {
        (self.outputs - 1 + self.kernel).saturating_sub(extent + self.before)
    }
}

impl Lowering<'_> {
    pub(super) fn transpose_conv2d(&mut self, layer: &Layer, op: &TransposeConv2d) -> Result<(), String> {
        let (types, ty) = (self.graph.input_types(layer.node), self.graph.ty(layer.node));
        activation_type(ty)?;
        let ([n, height, width, channels], [_, _, columns, filters]) =
            types[0].shape.nhwc().zip(ty.shape.nhwc()).ok_or("is not on feature maps")?;
        if n != 1 {
            return Err(format!("is on {n} samples instead of one"));
        }
        let macs = op.macs(&types, ty).0;
        let Window { kernel, stride, padding, .. } = op.window;
        let taps = kernel[0] * kernel[1] * channels;
        let parameters = self.parameters(layer, &op.requant, |index| index / taps)?;
        let widths = self.widths(layer, &parameters)?;
        let shared = self.shared_tables(layer, &parameters);
        let [rows, across] = [0, 1].map(|axis| {
            let before = [padding.top, padding.left][axis];
            Phase::all([kernel[axis], stride[axis], before, op.output[axis]])
        });
        let mut kernels = Vec::new();
        for (down, right) in rows.iter().flat_map(|row| across.iter().map(move |column| (row, column))) {
            let window = Window {
                padding: Padding {
                    top: down.before,
                    bottom: down.after(height),
                    left: right.before,
                    right: right.after(width),
                },
                ..Window::valid([down.kernel, right.kernel], [1, 1])
            };
            let output = [down.outputs, right.outputs];
            let geometry = Geometry { window, input: [height, width], output, channels };
            let weights = phase_weights(op, &parameters.weights, [down, right], [filters, channels]);
            let name = format!("transpose_conv2d_{}_weight_{}", layer.position, kernels.len());
            let content = (DType::I8, TableRole::Weight, weights);
            let weights = Arg::Table(self.table(name, content, parameters.known));
            let place = Placement {
                row: (stride[0] * columns) as i64,
                column: stride[1] as i64,
                first: Some((down.first * columns + right.first) as i32),
            };
            let inputs = [&[parameters.source, weights][..], &shared].concat();
            let (function, scalars) =
                self.convolution_function(geometry, filters, (&op.requant, widths), &place);
            let (low, high) = op.clamp.range(&op.requant);
            let tail = [parameters.input_zero, op.requant.zero_point, low, high];
            let scalars = scalars.into_iter().map(|call| [call, tail.to_vec()].concat()).collect();
            kernels.push(Kernel {
                function,
                inputs,
                scalars,
                // A phase reads what lies below what the one before it wrote.
                safe: Vec::new(),
                scratch: Vec::new(),
                work: Vec::new(),
            });
        }
        self.step_of(layer, "transpose_conv2d", kernels, macs)
    }

    /// Biases, mantissas and shifts, which all phases share.
    fn shared_tables(&mut self, layer: &Layer, parameters: &Parameters) -> [Arg; 3] {
        let scales = parameters.scales();
        let contents = [
            ("bias", DType::I32, TableRole::Bias, parameters.biases.clone()),
            ("mantissa", scales.elem, TableRole::Requant, scales.mantissas),
            ("shift", DType::I8, TableRole::Requant, scales.shifts),
        ];
        contents.map(|(what, elem, role, values)| {
            let name = format!("transpose_conv2d_{}_{what}", layer.position);
            Arg::Table(self.table(name, (elem, role, values), parameters.known))
        })
    }
}

/// The weights of a phase's convolution.
fn phase_weights(
    op: &TransposeConv2d,
    weights: &[i32],
    phases: [&Phase; 2],
    [filters, channels]: [usize; 2],
) -> Vec<i32> {
    let Window { kernel, stride, .. } = op.window;
    let [down, right] = phases;
    let mut of_phase = Vec::with_capacity(filters * down.kernel * right.kernel * channels);
    for filter in 0..filters {
        for (y, x) in (0..down.kernel).flat_map(|y| (0..right.kernel).map(move |x| (y, x))) {
            match (down.tap(stride[0], y), right.tap(stride[1], x)) {
                (Some(ky), Some(kx)) => {
                    let at = ((filter * kernel[0] + ky) * kernel[1] + kx) * channels;
                    of_phase.extend_from_slice(&weights[at..at + channels]);
                }
                _ => of_phase.extend(std::iter::repeat_n(0, channels)),
            }
        }
    }
    of_phase
}
