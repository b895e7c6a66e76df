//! How much memory a step of training takes, before it is taken.
//!
//! [`footprint`] runs a step on an engine that has shapes and no elements, and counts what lives at a time: values,
//! gradients, and for the working memory of kernels a bound from the shapes. Buffers are counted in the classes of
//! the embedded engine's arena.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::diagnostic::Diagnostic;
use crate::graph::Graph;
use crate::ops::{Clamp, Window};
use crate::train::batch::{Batch, BatchSource};
use crate::train::embedded::buffer_bytes;
use crate::train::engine::{
    Binary, Distribution, Engine, Normalization, NormalizationGradient, Numerics, ROWS_CHUNK, Reduction,
    SAMPLES_CHUNK, Transposed, Unary,
};
use crate::train::extents::Extents;
use crate::train::network::Network;
use crate::train::recipe::Recipe;
use crate::train::trainer::Trainer;

/// Vectors are at most this many floats wide: panels of weights are filled up to it.
const WIDEST: usize = 16;

/// Bytes that training takes at most in the embedded engine's arena, on so many threads, where the graph is trained
/// with this recipe on so many samples: parameters, what the optimiser remembers, and a step. What tensors hold on the
/// host, samples above all, is not counted.
///
/// # Errors
/// Those of [`Trainer::with_source`].
pub fn footprint(graph: &Graph, recipe: Recipe, samples: usize, threads: usize) -> Result<usize, Diagnostic> {
    let network = Network::new(graph)?;
    let engine = Surveyor::new(threads);
    let steps = samples.div_ceil(recipe.batch.max(1)).max(1);
    let source = Blank {
        count: samples.div_ceil(steps),
        // In the second step the parameters before the epoch, before the step and behind it live.
        steps: steps.min(2),
        input: network.input().to_vec(),
        targets: network.output().iter().product(),
    };
    let ledger = Arc::clone(&engine.ledger);
    let recipe = Recipe { epochs: recipe.epochs.max(2), ..recipe };
    let mut trainer = Trainer::with_source(engine, graph, recipe, Box::new(source), 0)?;
    trainer.set_workers(0);
    // From the second epoch on, what the optimiser remembers has left its common zeros.
    for _ in 0..2 {
        trainer.epoch()?;
    }
    Ok(ledger.peak.load(Ordering::Relaxed))
}

/// Batches of which only the number of samples is there.
#[derive(Debug)]
struct Blank {
    count: usize,
    steps: usize,
    input: Vec<usize>,
    targets: usize,
}

impl BatchSource for Blank {
    fn samples(&self) -> usize {
        self.count * self.steps
    }

    fn batches(&self) -> usize {
        self.steps
    }

    fn input(&self) -> &[usize] {
        &self.input
    }

    fn targets(&self) -> usize {
        self.targets
    }

    fn start(&mut self, _epoch: u64) {}

    fn fill(&self, _batch: usize, into: &mut Batch) {
        // An engine without elements looks at none; who is right is counted outside of it.
        into.count = self.count;
    }

    fn identity(&self) -> String {
        "blank".to_owned()
    }
}

/// What lives now and what has lived at most, in bytes.
#[derive(Debug, Default)]
struct Ledger {
    live: AtomicUsize,
    peak: AtomicUsize,
}

impl Ledger {
    fn add(&self, bytes: usize) {
        let live = self.live.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(live, Ordering::Relaxed);
    }

    fn subtract(&self, bytes: usize) {
        self.live.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// Bytes that are in the ledger while this lives.
#[derive(Debug)]
struct Entry {
    bytes: usize,
    ledger: Arc<Ledger>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.ledger.subtract(self.bytes);
    }
}

/// A tensor without elements; clones and reshaped ones share their entry.
#[derive(Clone, Debug)]
struct Outline {
    shape: Extents,
    entry: Arc<Entry>,
}

/// The engine that counts.
#[derive(Debug, Default)]
struct Surveyor {
    ledger: Arc<Ledger>,
    threads: usize,
}

impl Surveyor {
    /// For a step on so many threads.
    fn new(threads: usize) -> Surveyor {
        Surveyor { ledger: Arc::default(), threads: threads.max(1) }
    }

    fn take(&self, floats: usize) -> Entry {
        let bytes = buffer_bytes(floats);
        self.ledger.add(bytes);
        Entry { bytes, ledger: Arc::clone(&self.ledger) }
    }

    fn make(&self, shape: &[usize]) -> Outline {
        let shape = Extents::new(shape);
        Outline { shape, entry: Arc::new(self.take(shape.elements())) }
    }

    /// Counts buffers that a primitive needs besides its result.
    fn work(&self, buffers: &[usize]) {
        let taken: Vec<Entry> = buffers.iter().map(|&floats| self.take(floats)).collect();
        drop(taken);
    }

    /// The floats of a padded image, with a bound on its border.
    fn images(&self, [height, width]: [usize; 2], channels: usize, window: &Window) -> usize {
        let reach = |axis: usize| (window.kernel[axis] - 1) * window.dilation[axis] + window.stride[axis];
        (height + 2 * reach(0)) * (width + 2 * reach(1)) * channels
    }

    /// A windowed product of `[.., channels]` with weights, whose result was made.
    fn product(&self, image: [usize; 2], channels: usize, weights: (usize, usize), window: &Window) {
        let (depth, columns) = weights;
        let columns = columns.next_multiple_of(WIDEST);
        let mut buffers = vec![depth * columns, columns];
        buffers.resize(2 + self.threads, self.images(image, channels, window));
        self.work(&buffers);
    }

    /// Partial sums of a gradient of `weights` elements over samples.
    fn partial(&self, samples: usize, weights: usize, images: usize) {
        let mut buffers = vec![samples.div_ceil(SAMPLES_CHUNK).max(1) * weights];
        buffers.resize(1 + self.threads, images);
        self.work(&buffers);
    }

    fn windowed(&self, x: &Outline, window: &Window, channels: usize) -> Outline {
        let output = window.output("survey", [x.shape[1], x.shape[2]]).expect("the window fits the input");
        self.make(&[x.shape[0], output[0], output[1], channels])
    }
}

impl Engine for Surveyor {
    type Tensor = Outline;

    fn numerics(&self) -> Numerics {
        Numerics::Foreign("outlines")
    }

    fn upload(&self, shape: &[usize], _elements: &[f32]) -> Outline {
        self.make(shape)
    }

    /// Zeros: there are no elements.
    fn read(&self, x: &Outline, into: &mut Vec<f32>) {
        into.clear();
        into.resize(x.shape.elements(), 0.0);
    }

    fn shape<'t>(&self, x: &'t Outline) -> &'t [usize] {
        &x.shape
    }

    fn full(&self, shape: &[usize], _value: f32) -> Outline {
        self.make(shape)
    }

    fn reshape(&self, x: &Outline, shape: &[usize]) -> Outline {
        Outline { shape: Extents::new(shape), entry: Arc::clone(&x.entry) }
    }

    fn map(&self, _function: Unary, x: &Outline) -> Outline {
        self.make(&x.shape)
    }

    fn zip(&self, _function: Binary, a: &Outline, _b: &Outline) -> Outline {
        self.make(&a.shape)
    }

    fn broadcast(&self, _x: &Outline, shape: &[usize]) -> Outline {
        self.make(shape)
    }

    fn reduce(&self, _reduction: Reduction, x: &Outline, axes: &[usize]) -> Outline {
        // Partial sums of every 64 terms, in the worst case of all blocks at a time.
        let extent = |axis: usize| if axes.contains(&axis) { 1 } else { x.shape[axis] };
        let out = self.make(&Extents::from_fn(x.shape.len(), extent));
        self.work(&[x.shape.elements().div_ceil(32) + x.shape.last().copied().unwrap_or(1)]);
        out
    }

    fn slice(&self, _x: &Outline, _start: &[usize], extent: &[usize]) -> Outline {
        self.make(extent)
    }

    fn pad(&self, x: &Outline, before: &[usize], after: &[usize], _value: f32) -> Outline {
        self.make(&Extents::from_fn(x.shape.len(), |axis| before[axis] + x.shape[axis] + after[axis]))
    }

    fn concat(&self, xs: &[&Outline], axis: usize) -> Outline {
        let total = xs.iter().map(|x| x.shape[axis]).sum();
        self.make(&Extents::from_fn(xs[0].shape.len(), |at| if at == axis { total } else { xs[0].shape[at] }))
    }

    fn permute(&self, x: &Outline, axes: &[usize]) -> Outline {
        self.make(&Extents::from_fn(axes.len(), |at| x.shape[axes[at]]))
    }

    fn gather(&self, x: &Outline, axis: usize, indices: &[u32]) -> Outline {
        let extent = |at: usize| if at == axis { indices.len() } else { x.shape[at] };
        self.make(&Extents::from_fn(x.shape.len(), extent))
    }

    fn scatter_add(&self, x: &Outline, axis: usize, _indices: &[u32], extent: usize) -> Outline {
        self.make(&Extents::from_fn(x.shape.len(), |at| if at == axis { extent } else { x.shape[at] }))
    }

    fn gemm(&self, a: &Outline, b: &Outline, transposed: Transposed, _bias: Option<&Outline>) -> Outline {
        let (rows, depth) = if transposed.a { (a.shape[1], a.shape[0]) } else { (a.shape[0], a.shape[1]) };
        let columns = if transposed.b { b.shape[0] } else { b.shape[1] };
        let out = self.make(&[rows, columns]);
        self.work(&[depth * columns.next_multiple_of(WIDEST), columns.next_multiple_of(WIDEST)]);
        out
    }

    fn conv2d(&self, x: &Outline, w: &Outline, _bias: Option<&Outline>, window: &Window) -> Outline {
        let out = self.windowed(x, window, w.shape[0]);
        let depth = w.shape[1] * w.shape[2] * w.shape[3];
        self.product([x.shape[1], x.shape[2]], x.shape[3], (depth, w.shape[0]), window);
        out
    }

    fn conv2d_input_gradient(
        &self,
        dy: &Outline,
        w: &Outline,
        window: &Window,
        input: [usize; 2],
    ) -> Outline {
        let out = self.make(&[dy.shape[0], input[0], input[1], w.shape[3]]);
        let depth = w.shape[0] * w.shape[1] * w.shape[2];
        self.product(input, dy.shape[3], (depth, w.shape[3]), window);
        out
    }

    fn conv2d_weight_gradient(&self, dy: &Outline, x: &Outline, window: &Window) -> Outline {
        let (filters, channels) = (dy.shape[3], x.shape[3]);
        let weights = filters * window.kernel[0] * window.kernel[1] * channels;
        let out = self.make(&[filters, window.kernel[0], window.kernel[1], channels]);
        self.partial(x.shape[0], weights, self.images([x.shape[1], x.shape[2]], channels, window));
        out
    }

    fn depthwise_conv2d(
        &self,
        x: &Outline,
        w: &Outline,
        _bias: Option<&Outline>,
        window: &Window,
    ) -> Outline {
        let out = self.windowed(x, window, x.shape[3]);
        self.product([x.shape[1], x.shape[2]], WIDEST, (w.shape[1] * w.shape[2], x.shape[3]), window);
        out
    }

    fn depthwise_conv2d_input_gradient(
        &self,
        dy: &Outline,
        w: &Outline,
        window: &Window,
        input: [usize; 2],
    ) -> Outline {
        let out = self.make(&[dy.shape[0], input[0], input[1], dy.shape[3]]);
        self.product(input, WIDEST, (w.shape[1] * w.shape[2], dy.shape[3]), window);
        out
    }

    fn depthwise_conv2d_weight_gradient(&self, _dy: &Outline, x: &Outline, window: &Window) -> Outline {
        let (channels, taps) = (x.shape[3], window.kernel[0] * window.kernel[1]);
        let out = self.make(&[1, window.kernel[0], window.kernel[1], channels]);
        self.partial(x.shape[0], taps * channels, self.images([x.shape[1], x.shape[2]], WIDEST, window));
        out
    }

    fn avg_pool2d(&self, x: &Outline, window: &Window) -> Outline {
        self.windowed(x, window, x.shape[3])
    }

    fn avg_pool2d_gradient(&self, dy: &Outline, _window: &Window, input: [usize; 2]) -> Outline {
        let out = self.make(&[dy.shape[0], input[0], input[1], dy.shape[3]]);
        self.work(&vec![dy.shape[3]; self.threads]);
        out
    }

    fn max_pool2d(&self, x: &Outline, window: &Window) -> Outline {
        self.windowed(x, window, x.shape[3])
    }

    fn max_pool2d_gradient(&self, _dy: &Outline, x: &Outline, _window: &Window) -> Outline {
        let out = self.make(&x.shape);
        self.work(&vec![2 * x.shape[3]; self.threads]);
        out
    }

    fn batch_statistics(&self, x: &Outline) -> (Outline, Outline) {
        let channels = x.shape.last().copied().unwrap_or(1);
        let rows = x.shape.elements() / channels.max(1);
        let found = (self.make(&[channels]), self.make(&[channels]));
        self.work(&[rows.div_ceil(ROWS_CHUNK) * 2 * channels]);
        found
    }

    fn batch_norm(&self, x: &Outline, by: &Normalization<'_, Outline>, _clamp: Clamp) -> Outline {
        let out = self.make(&x.shape);
        self.work(&[4 * by.mean.shape.elements().next_multiple_of(64)]);
        out
    }

    fn batch_norm_gradient(
        &self,
        _dy: &Outline,
        x: &Outline,
        by: &Normalization<'_, Outline>,
        _clamp: Clamp,
    ) -> NormalizationGradient<Outline> {
        let channels = by.mean.shape.elements();
        let rows = x.shape.elements() / channels.max(1);
        let [gamma, beta] = [by.gamma, by.mean].map(|of| self.make(&of.shape));
        let out = self.make(&x.shape);
        self.work(&[rows.div_ceil(ROWS_CHUNK) * 2 * channels, 4 * channels.next_multiple_of(64)]);
        NormalizationGradient { x: out, gamma, beta }
    }

    fn random(&self, _distribution: Distribution, _key: u64, shape: &[usize]) -> Outline {
        self.make(shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tests::{network, operators, recipe, sinusoids};
    use crate::train::{Answers, EmbeddedEngine, Loss};

    /// The bound of a graph and what its training really takes, on so many threads.
    fn compared(
        graph: &Graph,
        loss: Loss,
        (batch, samples, threads): (usize, usize, usize),
    ) -> (usize, usize) {
        let (inputs, labels) = sinusoids(samples, 3);
        let recipe = Recipe { loss, ..recipe(2, batch) };
        let answers = if graph.ty(graph.outputs()[0]).shape.rank() == 2 {
            Answers::Labels(&labels)
        } else {
            Answers::Input
        };
        let bound = footprint(graph, recipe, samples, threads).expect("all fits");
        let engine = EmbeddedEngine::new();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        pool.install(|| {
            let data = (&inputs, answers);
            let mut trainer = Trainer::with_engine(engine.clone(), graph, recipe, data, 1).expect("all fits");
            trainer.epoch().expect("finite");
            trainer.epoch().expect("finite");
        });
        (bound, engine.memory().expect("it counts").peak)
    }

    #[test]
    fn a_product_holds_its_result_and_its_packed_operand_at_a_time() {
        fn peak<E: Engine>(engine: &E, peak: impl Fn(&E) -> usize) -> usize {
            let (a, b) = (engine.full(&[100, 100], 1.0), engine.full(&[100, 100], 1.0));
            engine.gemm(&a, &b, Transposed::default(), None);
            peak(engine)
        }
        let bound = peak(&Surveyor::new(1), |engine| engine.ledger.peak.load(Ordering::Relaxed));
        let found = peak(&EmbeddedEngine::new(), |engine| engine.memory().expect("it counts").peak);
        assert!(found <= bound, "{found} bytes, the bound is {bound}");
    }

    #[test]
    fn training_stays_within_its_footprint() {
        for (graph, loss) in [
            (network(), Loss::CrossEntropy),
            (operators::excited(), Loss::CrossEntropy),
            (network(), Loss::BinaryCrossEntropy),
            (operators::autoencoder(), Loss::MeanSquaredError),
        ] {
            for how in [(64, 130, 1), (16, 50, 2), (64, 64, 4)] {
                let (bound, peak) = compared(&graph, loss, how);
                assert!(peak <= bound, "{loss:?} {how:?}: {peak} bytes, the bound is {bound}");
                assert!(bound <= peak * 3 / 2, "{loss:?} {how:?}: {peak} bytes, the bound is {bound}");
            }
        }
    }
}
