//! Depthwise convolution with its gradients, and pools: each channel by itself.

use rayon::prelude::*;

use crate::ops::Window;
use crate::train::embedded::Tensor;
use crate::train::embedded::isa::{Isa, multiversion};
use crate::train::embedded::matrix::start;
use crate::train::embedded::tree::tree;
use crate::train::engine::SAMPLES_CHUNK;

/// Along one axis, for each index of the target the taps that reach it with the index of the source.
pub(super) type Hits = Vec<Vec<(usize, usize)>>;

/// Targets are outputs, sources are inputs.
pub(super) fn forward_hits(window: &Window, axis: usize, outputs: usize, inputs: usize) -> Hits {
    let hit = |output: usize| {
        let (first, last) = window.taps(axis, output, inputs);
        let origin = window.origin(axis, output);
        (first..last).map(|k| (k, (origin + (k * window.dilation[axis]) as isize) as usize)).collect()
    };
    (0..outputs).map(hit).collect()
}

/// Targets are inputs, sources are outputs.
fn backward_hits(window: &Window, axis: usize, outputs: usize, inputs: usize) -> Hits {
    let mut hits = vec![Vec::new(); inputs];
    for (output, taps) in forward_hits(window, axis, outputs, inputs).into_iter().enumerate() {
        for (k, input) in taps {
            hits[input].push((k, output));
        }
    }
    hits.iter_mut().for_each(|taps| taps.sort_unstable());
    hits
}

/// The window of one image: hits along both axes, extents of the source, number of channels.
struct Plan {
    rows: Hits,
    columns: Hits,
    source_width: usize,
    kernel_width: usize,
    channels: usize,
}

multiversion! {
    /// For each target pixel, a chain over its taps of source times weight.
    fn gather_image(plan: &Plan, source: &[f32], w: &[f32], out: &mut [f32]) {
        let c = plan.channels;
        let mut pixels = out.chunks_exact_mut(c);
        for rows in &plan.rows {
            for columns in &plan.columns {
                let sums = pixels.next().expect("a target for each pixel");
                for &(kh, y) in rows {
                    for &(kw, x) in columns {
                        let source = &source[(y * plan.source_width + x) * c..][..c];
                        let w = &w[(kh * plan.kernel_width + kw) * c..][..c];
                        for ((sum, &x), &w) in sums.iter_mut().zip(source).zip(w) {
                            *sum = x.mul_add(w, *sum);
                        }
                    }
                }
            }
        }
    }

    /// Continues the chains of the weights' gradient with one image.
    fn weights_of_image(plan: &Plan, source: &[f32], dy: &[f32], dw: &mut [f32]) {
        let c = plan.channels;
        let mut pixels = dy.chunks_exact(c);
        for rows in &plan.rows {
            for columns in &plan.columns {
                let dy = pixels.next().expect("a gradient for each pixel");
                for &(kh, y) in rows {
                    for &(kw, x) in columns {
                        let source = &source[(y * plan.source_width + x) * c..][..c];
                        let dw = &mut dw[(kh * plan.kernel_width + kw) * c..][..c];
                        for ((sum, &x), &dy) in dw.iter_mut().zip(source).zip(dy) {
                            *sum = dy.mul_add(x, *sum);
                        }
                    }
                }
            }
        }
    }
}

/// Runs a function on each sample of a source and of a result, in parallel.
pub(super) fn each_sample(
    source: &[f32],
    image: usize,
    out: &mut [f32],
    result: usize,
    f: impl Fn(&[f32], &mut [f32]) + Sync,
) {
    out.par_chunks_mut(SAMPLES_CHUNK * result).zip(source.par_chunks(SAMPLES_CHUNK * image)).for_each(
        |(out, source)| {
            for (out, source) in out.chunks_exact_mut(result).zip(source.chunks_exact(image)) {
                f(source, out);
            }
        },
    );
}

pub(super) fn forward(isa: Isa, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
    let ([n, height, width, channels], [_, _, kernel_width, depth]) = (x.nhwc(), w.nhwc());
    assert_eq!(depth, channels, "weights of a depthwise convolution");
    let [ho, wo] = window.output("depthwise_conv2d", [height, width]).expect("the window fits the input");
    let plan = Plan {
        rows: forward_hits(window, 0, ho, height),
        columns: forward_hits(window, 1, wo, width),
        source_width: width,
        kernel_width,
        channels,
    };
    let mut out = start(n * ho * wo * channels, channels, bias);
    each_sample(x.data(), height * width * channels, &mut out, ho * wo * channels, |x, out| {
        gather_image(isa, &plan, x, w.data(), out);
    });
    Tensor::new(&[n, ho, wo, channels], out)
}

pub(super) fn input_gradient(
    isa: Isa,
    dy: &Tensor,
    w: &Tensor,
    window: &Window,
    input: [usize; 2],
) -> Tensor {
    let ([n, ho, wo, channels], [_, _, kernel_width, _]) = (dy.nhwc(), w.nhwc());
    let plan = Plan {
        rows: backward_hits(window, 0, ho, input[0]),
        columns: backward_hits(window, 1, wo, input[1]),
        source_width: wo,
        kernel_width,
        channels,
    };
    let result = input[0] * input[1] * channels;
    let mut out = vec![0.0; n * result];
    each_sample(dy.data(), ho * wo * channels, &mut out, result, |dy, out| {
        gather_image(isa, &plan, dy, w.data(), out);
    });
    Tensor::new(&[n, input[0], input[1], channels], out)
}

pub(super) fn weight_gradient(isa: Isa, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let ([_, ho, wo, channels], [_, height, width, _]) = (dy.nhwc(), x.nhwc());
    let [kernel_height, kernel_width] = window.kernel;
    let plan = Plan {
        rows: forward_hits(window, 0, ho, height),
        columns: forward_hits(window, 1, wo, width),
        source_width: width,
        kernel_width,
        channels,
    };
    let (image, result) = (height * width * channels, ho * wo * channels);
    let parts: Vec<Vec<f32>> = dy
        .data()
        .par_chunks(SAMPLES_CHUNK * result)
        .zip(x.data().par_chunks(SAMPLES_CHUNK * image))
        .map(|(dy, x)| {
            let mut dw = vec![0.0; kernel_height * kernel_width * channels];
            for (dy, x) in dy.chunks_exact(result).zip(x.chunks_exact(image)) {
                weights_of_image(isa, &plan, x, dy, &mut dw);
            }
            dw
        })
        .collect();
    Tensor::new(&[1, kernel_height, kernel_width, channels], tree(parts))
}
