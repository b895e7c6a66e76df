//! Convolution and its gradients, as products of matrices of patches.
//!
//! A patch matrix has a row for each pixel of a grid and in it, for each tap, the channels of one pixel of a
//! source image, or zeros outside of it. It is made for some rows of the grid at a time.

use rayon::prelude::*;

use crate::ops::Window;
use crate::train::embedded::Tensor;
use crate::train::embedded::isa::Isa;
use crate::train::embedded::matrix::{Left, multiply, pack, padded, start};
use crate::train::embedded::tree::tree;
use crate::train::engine::SAMPLES_CHUNK;

/// Elements of a patch matrix that are made at a time.
const PATCH_ELEMENTS: usize = 16 * 1024;

/// Where each tap of each pixel of a grid reads: pixel `(y, x)` reads source pixel
/// `(y * step[0] + offset[0], x * step[1] + offset[1])`.
struct Taps {
    grid: [usize; 2],
    step: [usize; 2],
    offsets: Vec<[isize; 2]>,
    source: [usize; 2],
    channels: usize,
}

impl Taps {
    /// Those of a window's forward pass.
    fn forward(window: &Window, grid: [usize; 2], source: [usize; 2], channels: usize) -> Taps {
        let mut offsets = Vec::new();
        for kh in 0..window.kernel[0] {
            for kw in 0..window.kernel[1] {
                let y = (kh * window.dilation[0]) as isize - window.padding.top as isize;
                let x = (kw * window.dilation[1]) as isize - window.padding.left as isize;
                offsets.push([y, x]);
            }
        }
        Taps { grid, step: window.stride, offsets, source, channels }
    }

    /// Elements of one patch.
    fn depth(&self) -> usize {
        self.offsets.len() * self.channels
    }

    /// Whether the patch matrix is the image itself.
    fn is_identity(&self) -> bool {
        self.grid == self.source && self.step == [1, 1] && self.offsets == [[0, 0]]
    }

    /// Blocks of grid rows, as half-open ranges, whose patches are made at a time.
    fn blocks(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let rows = (PATCH_ELEMENTS / (self.grid[1] * self.depth()).max(1)).max(1);
        let height = self.grid[0];
        (0..height).step_by(rows).map(move |first| (first, (first + rows).min(height)))
    }

    /// The patches of some rows of the grid, each `width` elements after the last.
    fn patches(&self, image: &[f32], (first, end): (usize, usize), width: usize, out: &mut Vec<f32>) {
        out.clear();
        out.resize((end - first) * self.grid[1] * width, 0.0);
        let mut lines = out.chunks_exact_mut(width);
        for y in first..end {
            for x in 0..self.grid[1] {
                let line = lines.next().expect("a line for each pixel");
                for (place, offset) in line.chunks_exact_mut(self.channels).zip(&self.offsets) {
                    let row = (y * self.step[0]) as isize + offset[0];
                    let column = (x * self.step[1]) as isize + offset[1];
                    if (0..self.source[0] as isize).contains(&row)
                        && (0..self.source[1] as isize).contains(&column)
                    {
                        let at = (row as usize * self.source[1] + column as usize) * self.channels;
                        place.copy_from_slice(&image[at..at + self.channels]);
                    }
                }
            }
        }
    }

    /// Continues the chains of `out`, `[grid pixels, columns]`, with the patches times the packed weights.
    fn multiply(&self, isa: Isa, image: &[f32], weights: &[f32], out: &mut [f32], columns: usize) {
        let depth = self.depth();
        if self.is_identity() {
            return multiply(isa, Left { data: image, row: depth, step: 1 }, depth, weights, out, columns);
        }
        let mut patches = Vec::new();
        for (first, end) in self.blocks() {
            self.patches(image, (first, end), depth, &mut patches);
            let out = &mut out[first * self.grid[1] * columns..end * self.grid[1] * columns];
            multiply(isa, Left { data: &patches, row: depth, step: 1 }, depth, weights, out, columns);
        }
    }
}

pub(super) fn forward(isa: Isa, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
    let ([n, height, width, channels], [filters, kh, kw, depth]) = (x.nhwc(), w.nhwc());
    assert_eq!((depth, [kh, kw]), (channels, window.kernel), "weights of a convolution");
    let grid = window.output("conv2d", [height, width]).expect("the window fits the input");
    let taps = Taps::forward(window, grid, [height, width], channels);
    let weights = pack(w.data(), taps.depth(), filters, 1, taps.depth());
    let (image, result) = (height * width * channels, grid[0] * grid[1] * filters);
    let mut out = start(n * result, filters, bias);
    out.par_chunks_mut(SAMPLES_CHUNK * result).zip(x.data().par_chunks(SAMPLES_CHUNK * image)).for_each(
        |(out, x)| {
            for (out, x) in out.chunks_exact_mut(result).zip(x.chunks_exact(image)) {
                taps.multiply(isa, x, &weights, out, filters);
            }
        },
    );
    Tensor::new(&[n, grid[0], grid[1], filters], out)
}

/// Input pixels whose distance to the windows' origins has one remainder by the stride: they share their taps.
struct Phase {
    first: [usize; 2],
    taps: Taps,
    weights: Vec<f32>,
}

impl Phase {
    /// `None` where no pixel or no tap has these remainders.
    fn new(
        first: [usize; 2],
        w: &Tensor,
        window: &Window,
        grid: [usize; 2],
        input: [usize; 2],
    ) -> Option<Phase> {
        let [filters, kh, kw, channels] = w.nhwc();
        if first[0] >= input[0] || first[1] >= input[1] {
            return None;
        }
        let offset = |axis: usize, k: usize| {
            let before = [window.padding.top, window.padding.left][axis];
            let distance = (first[axis] + before) as isize - (k * window.dilation[axis]) as isize;
            let stride = window.stride[axis] as isize;
            (distance % stride == 0).then_some(distance / stride)
        };
        let (mut offsets, mut weights) = (Vec::new(), Vec::new());
        for k in 0..kh * kw {
            if let (Some(y), Some(x)) = (offset(0, k / kw), offset(1, k % kw)) {
                offsets.push([y, x]);
                weights.extend(pack(&w.data()[k * channels..], filters, channels, kh * kw * channels, 1));
            }
        }
        let pixels = [0, 1].map(|axis| (input[axis] - first[axis]).div_ceil(window.stride[axis]));
        let taps = Taps { grid: pixels, step: [1, 1], offsets, source: grid, channels: filters };
        (!taps.offsets.is_empty()).then_some(Phase { first, taps, weights })
    }
}

pub(super) fn input_gradient(
    isa: Isa,
    dy: &Tensor,
    w: &Tensor,
    window: &Window,
    input: [usize; 2],
) -> Tensor {
    let ([n, ho, wo, filters], [outputs, _, _, channels]) = (dy.nhwc(), w.nhwc());
    assert_eq!(filters, outputs, "weights of a convolution");
    let [sy, sx] = window.stride;
    let phases: Vec<Phase> =
        (0..sy * sx).filter_map(|i| Phase::new([i / sx, i % sx], w, window, [ho, wo], input)).collect();
    let (image, result) = (ho * wo * filters, input[0] * input[1] * channels);
    let mut out = vec![0.0; n * result];
    out.par_chunks_mut(SAMPLES_CHUNK * result).zip(dy.data().par_chunks(SAMPLES_CHUNK * image)).for_each(
        |(out, dy)| {
            for (out, dy) in out.chunks_exact_mut(result).zip(dy.chunks_exact(image)) {
                for phase in &phases {
                    let [rows, columns] = phase.taps.grid;
                    if window.stride == [1, 1] {
                        phase.taps.multiply(isa, dy, &phase.weights, out, channels);
                        continue;
                    }
                    let mut part = vec![0.0; rows * columns * channels];
                    phase.taps.multiply(isa, dy, &phase.weights, &mut part, channels);
                    for (pixel, part) in part.chunks_exact(channels).enumerate() {
                        let y = phase.first[0] + pixel / columns * sy;
                        let x = phase.first[1] + pixel % columns * sx;
                        let at = (y * input[1] + x) * channels;
                        out[at..at + channels].copy_from_slice(part);
                    }
                }
            }
        },
    );
    Tensor::new(&[n, input[0], input[1], channels], out)
}

pub(super) fn weight_gradient(isa: Isa, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let ([n, ho, wo, filters], [samples, height, width, channels]) = (dy.nhwc(), x.nhwc());
    assert_eq!(n, samples, "samples of a convolution");
    let taps = Taps::forward(window, [ho, wo], [height, width], channels);
    let depth = taps.depth();
    let (image, result) = (height * width * channels, ho * wo * filters);
    let parts: Vec<Vec<f32>> = dy
        .data()
        .par_chunks(SAMPLES_CHUNK * result)
        .zip(x.data().par_chunks(SAMPLES_CHUNK * image))
        .map(|(dy, x)| {
            let mut sums = vec![0.0; filters * depth];
            let mut patches = Vec::new();
            for (dy, x) in dy.chunks_exact(result).zip(x.chunks_exact(image)) {
                if taps.is_identity() && padded(depth) == depth {
                    multiply(isa, Left { data: dy, row: 1, step: filters }, ho * wo, x, &mut sums, depth);
                    continue;
                }
                for (first, end) in taps.blocks() {
                    taps.patches(x, (first, end), padded(depth), &mut patches);
                    let left = Left { data: &dy[first * wo * filters..], row: 1, step: filters };
                    multiply(isa, left, (end - first) * wo, &patches, &mut sums, depth);
                }
            }
            sums
        })
        .collect();
    Tensor::new(&[filters, window.kernel[0], window.kernel[1], channels], tree(parts))
}
