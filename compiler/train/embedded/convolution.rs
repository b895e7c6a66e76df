//! Convolution and its gradients, as products of pixels and packed weights.
//!
//! An image is read where it is, or copied once into one with zeros around it; no matrix of patches is made.

use super::arena::Scratch;
use super::geometry::{Direction, Geometry, Key, Phase};
use super::matrix::{Packed, add_outer, rows_times, transpose};
use super::outer::{Offsets, Outer};
use super::tasks::{self, SAMPLES_PER_TASK};
use super::tile::{Out, Tile};
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
    let ([n, height, width, channels], [filters, kh, kw, depth]) = (x.nhwc(), w.nhwc());
    assert_eq!((depth, [kh, kw]), (channels, window.kernel), "weights of a convolution");
    let input = [height, width];
    let output = window.output("conv2d", input).expect("the window fits the input");
    let key = Key { direction: Direction::Forward, window: *window, input, output, channels };
    let geometry = engine.geometries.get(&key);
    let depth = kh * kw * channels;
    let mut packed = Packed::new(engine, (depth, filters), bias);
    packed.fill(0..depth, w.data(), |k| k, depth);
    let mut out = engine.fresh(&[n, output[0], output[1], filters]);
    apply(engine, &geometry, x, &packed, filters, &mut out);
    out
}

pub(super) fn input_gradient(
    engine: &EmbeddedEngine,
    dy: &Tensor,
    w: &Tensor,
    window: &Window,
    input: [usize; 2],
) -> Tensor {
    let ([n, ho, wo, filters], [outputs, kh, kw, channels]) = (dy.nhwc(), w.nhwc());
    assert_eq!((filters, [kh, kw]), (outputs, window.kernel), "weights of a convolution");
    let key =
        Key { direction: Direction::Backward, window: *window, input, output: [ho, wo], channels: filters };
    let geometry = engine.geometries.get(&key);
    let depth = geometry.phases.iter().map(|phase| phase.taps.len() * filters).sum();
    let mut packed = Packed::new(engine, (depth, channels), None);
    let mut first = 0;
    for phase in &geometry.phases {
        let row = |k: usize| (k % filters * kh * kw + phase.taps[k / filters]) * channels;
        let end = first + phase.taps.len() * filters;
        packed.fill(first..end, w.data(), row, 1);
        first = end;
    }
    let mut out = engine.fresh(&[n, input[0], input[1], channels]);
    apply(engine, &geometry, dy, &packed, channels, &mut out);
    out
}

/// Computes every target of every sample; the rows of the packed operand are those of one phase after the other.
fn apply(
    engine: &EmbeddedEngine,
    geometry: &Geometry,
    source: &Tensor,
    packed: &Packed<'_>,
    columns: usize,
    out: &mut Tensor,
) {
    let floats = source.floats();
    if geometry.is_pointwise {
        return rows_times(packed, floats, geometry.channels, out.data_mut());
    }
    let image = geometry.source[0] * geometry.source[1] * geometry.channels;
    let result = geometry.target[0] * geometry.target[1] * columns;
    let out = out.data_mut();
    let depth = geometry.phases.iter().map(|phase| phase.elements.len()).max().unwrap_or(0);
    tasks::chunks(out.len() * depth, out, SAMPLES_PER_TASK * result, |task, out| {
        if geometry.has_gaps {
            out.fill(0.0);
        }
        let mut images = Images::new(engine, geometry);
        for (index, out) in out.chunks_exact_mut(result).enumerate() {
            let source = images.padded(&floats[(task * SAMPLES_PER_TASK + index) * image..]);
            let mut first = 0;
            for phase in &geometry.phases {
                let end = first + phase.elements.len();
                packed.multiply(first..end, &tile(geometry, phase, source, columns, out));
                first = end;
            }
        }
    });
}

/// The targets of one phase of one image.
fn tile<'t>(
    geometry: &Geometry,
    phase: &'t Phase,
    source: &'t [f32],
    columns: usize,
    out: &'t mut [f32],
) -> Tile<'t> {
    let [height, width] = geometry.spread;
    let first = (phase.first[0] * geometry.target[1] + phase.first[1]) * columns;
    Tile {
        source,
        grid: phase.grid,
        source_step: [
            geometry.step[0] * geometry.padded[1] * geometry.channels,
            geometry.step[1] * geometry.channels,
        ],
        runs: &phase.runs,
        run: phase.run,
        panel: &[],
        bias: &[],
        columns: 0,
        out_step: [height * geometry.target[1] * columns, width * columns],
        out: Out::new(out).from(first),
    }
}

/// Images with zeros around them, one after the other in the same place.
pub(super) struct Images<'a> {
    geometry: &'a Geometry,
    /// `None` where the images are read as they are.
    scratch: Option<Scratch<'a>>,
}

impl<'a> Images<'a> {
    pub(super) fn new(engine: &'a EmbeddedEngine, geometry: &'a Geometry) -> Images<'a> {
        let scratch = (!geometry.is_bare()).then(|| {
            let mut scratch = Scratch::new(&engine.arena, geometry.padded_len());
            scratch.floats_mut()[..geometry.padded_len()].fill(0.0);
            scratch
        });
        Images { geometry, scratch }
    }

    /// An image that starts where `floats` does, as the taps of its geometry read it.
    pub(super) fn padded<'s>(&'s mut self, floats: &'s [f32]) -> &'s [f32] {
        match &mut self.scratch {
            None => floats,
            Some(scratch) => {
                self.geometry.copy(floats, scratch.floats_mut());
                scratch.floats()
            }
        }
    }
}

pub(super) fn weight_gradient(engine: &EmbeddedEngine, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
    let ([n, ho, wo, filters], [samples, height, width, channels]) = (dy.nhwc(), x.nhwc());
    assert_eq!(n, samples, "samples of a convolution");
    let input = [height, width];
    let key = Key { direction: Direction::Forward, window: *window, input, output: [ho, wo], channels };
    let geometry = engine.geometries.get(&key);
    let gradient = WeightGradient::new(engine, &geometry, filters);
    let size = filters * gradient.depth;
    let chunks = n.div_ceil(SAMPLES_CHUNK).max(1);
    let mut parts = Scratch::new(&engine.arena, chunks * size);
    let parts = &mut parts.floats_mut()[..chunks * size];
    let (image, result) = (height * width * channels, ho * wo * filters);
    tasks::chunks(n * result * gradient.depth, parts, size, |chunk, sums| {
        sums.fill(0.0);
        let mut images = Images::new(engine, &geometry);
        for sample in chunk * SAMPLES_CHUNK..n.min((chunk + 1) * SAMPLES_CHUNK) {
            let x = images.padded(&x.floats()[sample * image..]);
            gradient.add(x, &dy.floats()[sample * result..], sums);
        }
    });
    tree_in_place(parts, size);
    let mut out = engine.fresh(&[filters, window.kernel[0], window.kernel[1], channels]);
    if gradient.is_turned {
        transpose(&parts[..size], gradient.depth, out.data_mut());
    } else {
        out.data_mut().copy_from_slice(&parts[..size]);
    }
    out
}

/// How the gradient of weights is summed over the pixels of an image.
struct WeightGradient<'g> {
    engine: &'g EmbeddedEngine,
    geometry: &'g Geometry,
    filters: usize,
    /// Weights of a filter.
    depth: usize,
    /// Whether the sums are `[depth, filters]`, since the filters fill vectors better than the runs do.
    is_turned: bool,
}

impl<'g> WeightGradient<'g> {
    fn new(engine: &'g EmbeddedEngine, geometry: &'g Geometry, filters: usize) -> WeightGradient<'g> {
        let phase = &geometry.phases[0];
        let lanes = engine.isa.lanes();
        let filled = |columns: usize| columns as f64 / columns.next_multiple_of(lanes) as f64;
        WeightGradient {
            engine,
            geometry,
            filters,
            depth: phase.elements.len(),
            is_turned: filled(filters) > filled(phase.run),
        }
    }

    /// Continues the chains of the sums with one image.
    fn add(&self, x: &[f32], dy: &[f32], sums: &mut [f32]) {
        let (geometry, phase) = (self.geometry, &self.geometry.phases[0]);
        let (filters, channels) = (self.filters, geometry.channels);
        let x_step = [geometry.step[0] * geometry.padded[1] * channels, geometry.step[1] * channels];
        let dy_step = [geometry.target[1] * filters, filters];
        if self.is_turned {
            return add_outer(
                self.engine.isa,
                &Outer {
                    grid: geometry.target,
                    single: x,
                    single_step: x_step,
                    offsets: Offsets::List(&phase.elements),
                    row: dy,
                    row_step: dy_step,
                    columns: filters,
                    out: Out::new(sums),
                    out_step: filters,
                },
            );
        }
        for (index, &run) in phase.runs.iter().enumerate() {
            add_outer(
                self.engine.isa,
                &Outer {
                    grid: geometry.target,
                    single: dy,
                    single_step: dy_step,
                    offsets: Offsets::Channels(filters),
                    row: &x[run..],
                    row_step: x_step,
                    columns: phase.run,
                    out: Out::new(&mut sums[index * phase.run..]),
                    out_step: self.depth,
                },
            );
        }
    }
}
