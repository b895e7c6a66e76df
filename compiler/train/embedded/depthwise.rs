//! Depthwise convolution with its gradients: each channel by itself.
//!
//! A vector of neighbouring channels is taken through a whole image: copied into one with zeros around it and
//! only these channels in it, which stays in the nearest cache, and summed from there.

use super::arena::Scratch;
use super::channels::{Gather, Scatter, add_taps, copy_channels, sum_taps};
use super::geometry::{Direction, Geometry, Key, Phase};
use super::tasks::{self, ELEMENT, SAMPLES_PER_TASK};
use super::tile::Out;
use super::tree::tree_in_place;
use super::{EmbeddedEngine, Tensor};
use crate::ops::Window;
use crate::train::engine::SAMPLES_CHUNK;

pub(super) fn forward(
    engine: &EmbeddedEngine,
    x: &Tensor,
    w: &Tensor,
    bias: Option<&Tensor>,
    window: &Window,
) -> Tensor {
    let ([n, height, width, channels], [_, kh, kw, depth]) = (x.nhwc(), w.nhwc());
    assert_eq!((depth, [kh, kw]), (channels, window.kernel), "weights of a depthwise convolution");
    let input = [height, width];
    let output = window.output("depthwise_conv2d", input).expect("the window fits the input");
    // A geometry of single channels: what is copied has one vector's channels.
    let key = Key { direction: Direction::Forward, window: *window, input, output, channels: 1 };
    let geometry = engine.geometries.get(&key);
    let mut out = engine.fresh(&[n, output[0], output[1], channels]);
    apply(engine, &geometry, x, &Blocks::new(engine, &geometry, w, bias), &mut out);
    out
}

pub(super) fn input_gradient(
    engine: &EmbeddedEngine,
    dy: &Tensor,
    w: &Tensor,
    window: &Window,
    input: [usize; 2],
) -> Tensor {
    let ([n, ho, wo, channels], [_, kh, kw, depth]) = (dy.nhwc(), w.nhwc());
    assert_eq!((depth, [kh, kw]), (channels, window.kernel), "weights of a depthwise convolution");
    let key = Key { direction: Direction::Backward, window: *window, input, output: [ho, wo], channels: 1 };
    let geometry = engine.geometries.get(&key);
    let mut out = engine.fresh(&[n, input[0], input[1], channels]);
    apply(engine, &geometry, dy, &Blocks::new(engine, &geometry, w, None), &mut out);
    out
}

/// Weights by vector of channels, phase and tap, and where chains start.
struct Blocks<'a> {
    weights: Scratch<'a>,
    bias: Scratch<'a>,
    channels: usize,
    lanes: usize,
    /// Taps of all phases.
    taps: usize,
}

impl<'a> Blocks<'a> {
    fn new(engine: &'a EmbeddedEngine, geometry: &Geometry, w: &Tensor, bias: Option<&Tensor>) -> Blocks<'a> {
        let channels = w.nhwc()[3];
        let lanes = engine.isa.lanes();
        let taps: usize = geometry.phases.iter().map(|phase| phase.taps.len()).sum();
        let mut weights = Scratch::new(&engine.arena, channels.next_multiple_of(lanes) * taps);
        let mut starts = Scratch::new(&engine.arena, channels.next_multiple_of(lanes));
        starts.floats_mut().fill(0.0);
        if let Some(bias) = bias {
            assert_eq!(bias.shape(), [channels], "one bias for each channel");
            starts.floats_mut()[..channels].copy_from_slice(bias.data());
        }
        let floats = weights.floats_mut();
        for first in (0..channels).step_by(lanes) {
            let count = lanes.min(channels - first);
            let rows = floats[first * taps..].chunks_exact_mut(lanes);
            for (tap, row) in geometry.phases.iter().flat_map(|phase| &phase.taps).zip(rows) {
                row[..count].copy_from_slice(&w.data()[tap * channels + first..][..count]);
                row[count..].fill(0.0);
            }
        }
        Blocks { weights, bias: starts, channels, lanes, taps }
    }
}

/// Computes every target of every sample.
fn apply(
    engine: &EmbeddedEngine,
    geometry: &Geometry,
    source: &Tensor,
    blocks: &Blocks<'_>,
    out: &mut Tensor,
) {
    let (channels, lanes) = (blocks.channels, blocks.lanes);
    let image = geometry.source[0] * geometry.source[1] * channels;
    let result = geometry.target[0] * geometry.target[1] * channels;
    let out = out.data_mut();
    let size = geometry.padded_len() * lanes;
    tasks::chunks(ELEMENT * out.len() * blocks.taps, out, SAMPLES_PER_TASK * result, |task, out| {
        if geometry.has_gaps {
            out.fill(0.0);
        }
        let mut scratch = Scratch::new(&engine.arena, size);
        scratch.floats_mut()[..size].fill(0.0);
        for (index, out) in out.chunks_exact_mut(result).enumerate() {
            let source = &source.floats()[(task * SAMPLES_PER_TASK + index) * image..];
            for first in (0..channels).step_by(lanes) {
                let count = lanes.min(channels - first);
                let from = &source[first..];
                copy_channels(engine.isa, geometry, from, channels, count, scratch.floats_mut());
                let mut tap = first / lanes * blocks.taps;
                for phase in &geometry.phases {
                    let out = Out::new(out).from(first);
                    let weights = &blocks.weights.floats()[tap * lanes..][..phase.taps.len() * lanes];
                    let bias = &blocks.bias.floats()[first..][..lanes];
                    sum_taps(
                        engine.isa,
                        &gather(
                            geometry,
                            phase,
                            scratch.floats(),
                            lanes,
                            Sums { weights, bias, channels, count, out },
                        ),
                    );
                    tap += phase.taps.len();
                }
            }
        }
    });
}

/// What a vector of channels is summed with and into.
struct Sums<'s> {
    weights: &'s [f32],
    bias: &'s [f32],
    channels: usize,
    count: usize,
    out: Out<'s>,
}

/// The targets of one phase of one image.
fn gather<'s>(
    geometry: &Geometry,
    phase: &'s Phase,
    source: &'s [f32],
    lanes: usize,
    sums: Sums<'s>,
) -> Gather<'s> {
    let Sums { weights, bias, channels, count, out } = sums;
    let [height, width] = geometry.spread;
    let first = (phase.first[0] * geometry.target[1] + phase.first[1]) * channels;
    Gather {
        source,
        grid: phase.grid,
        source_step: [geometry.step[0] * geometry.padded[1] * lanes, geometry.step[1] * lanes],
        offsets: &phase.elements,
        weights,
        bias,
        columns: count,
        out_step: [height * geometry.target[1] * channels, width * channels],
        out: out.from(first),
    }
}

pub(super) fn weight_gradient(engine: &EmbeddedEngine, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let ([n, ho, wo, channels], [samples, height, width, depth]) = (dy.nhwc(), x.nhwc());
    assert_eq!((n, channels), (samples, depth), "samples and channels of a depthwise convolution");
    let input = [height, width];
    let key = Key { direction: Direction::Forward, window: *window, input, output: [ho, wo], channels: 1 };
    let geometry = engine.geometries.get(&key);
    let (phase, lanes) = (&geometry.phases[0], engine.isa.lanes());
    let (image, result) = (height * width * channels, ho * wo * channels);
    let size = phase.taps.len() * channels;
    let chunks = n.div_ceil(SAMPLES_CHUNK).max(1);
    let mut parts = Scratch::new(&engine.arena, chunks * size);
    let parts = &mut parts.floats_mut()[..chunks * size];
    let padded = geometry.padded_len() * lanes;
    tasks::chunks(ELEMENT * n * result * phase.taps.len(), parts, size, |chunk, sums| {
        sums.fill(0.0);
        let mut scratch = Scratch::new(&engine.arena, padded);
        scratch.floats_mut()[..padded].fill(0.0);
        for sample in chunk * SAMPLES_CHUNK..n.min((chunk + 1) * SAMPLES_CHUNK) {
            let (x, dy) = (&x.floats()[sample * image..], &dy.floats()[sample * result..]);
            for first in (0..channels).step_by(lanes) {
                let count = lanes.min(channels - first);
                copy_channels(engine.isa, &geometry, &x[first..], channels, count, scratch.floats_mut());
                add_taps(
                    engine.isa,
                    &Scatter {
                        source: scratch.floats(),
                        grid: geometry.target,
                        source_step: [
                            geometry.step[0] * geometry.padded[1] * lanes,
                            geometry.step[1] * lanes,
                        ],
                        offsets: &phase.elements,
                        gradient: &dy[first..],
                        gradient_step: [wo * channels, channels],
                        columns: count,
                        out: Out::new(&mut sums[first..]),
                        out_step: channels,
                    },
                );
            }
        }
    });
    tree_in_place(parts, size);
    let mut out = engine.fresh(&[1, window.kernel[0], window.kernel[1], channels]);
    out.data_mut().copy_from_slice(&parts[..size]);
    out
}
