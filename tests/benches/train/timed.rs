//! An engine that measures what each primitive of another takes.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nasc::ops::{Clamp, Window};
use nasc::train::engine::{
    Binary, Distribution, Engine, Normalization, NormalizationGradient, Numerics, Reduction, Transposed,
    Unary,
};

use crate::measure::processor_time;

/// What a primitive does in a training step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Conv,
    ConvInput,
    ConvWeight,
    Pointwise,
    PointwiseInput,
    PointwiseWeight,
    Depthwise,
    DepthwiseInput,
    DepthwiseWeight,
    Dense,
    Statistics,
    Norm,
    NormGradient,
    Pool,
    Elementwise,
    Sums,
    Structure,
    /// Functions of tensors with the shape of a parameter: update, moments, running statistics.
    Optimizer,
    Data,
}

/// The names of the kinds, in their order.
pub(crate) const KINDS: [&str; 19] = [
    "conv",
    "conv dx",
    "conv dw",
    "pointwise",
    "pointwise dx",
    "pointwise dw",
    "depthwise",
    "depthwise dx",
    "depthwise dw",
    "dense",
    "norm statistics",
    "norm",
    "norm gradient",
    "pool",
    "elementwise",
    "sums",
    "structure",
    "optimizer",
    "data",
];

/// What calls of a kind took and did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Total {
    pub(crate) wall: Duration,
    /// Of all threads; 0 where the system does not tell.
    pub(crate) cpu: Duration,
    /// Multiply-adds, those with padding among them.
    pub(crate) macs: usize,
    /// Elements read and written at least.
    pub(crate) elements: usize,
}

/// Totals in the order of [`KINDS`].
pub(crate) type Totals = [Total; KINDS.len()];

/// Delegates everything to another engine and writes down the times.
#[derive(Debug)]
pub(crate) struct Timed<E> {
    engine: E,
    totals: Arc<Mutex<Totals>>,
    /// Shapes of the parameters.
    params: Vec<Vec<usize>>,
}

impl<E: Engine> Timed<E> {
    /// With the place where the totals are.
    pub(crate) fn new(engine: E, params: Vec<Vec<usize>>) -> (Timed<E>, Arc<Mutex<Totals>>) {
        let totals = Arc::<Mutex<Totals>>::default();
        (Timed { engine, totals: Arc::clone(&totals), params }, totals)
    }

    fn run<R>(&self, kind: Kind, (macs, elements): (usize, usize), primitive: impl FnOnce(&E) -> R) -> R {
        let (start, before) = (Instant::now(), processor_time());
        let result = primitive(&self.engine);
        let (cpu, wall) = (processor_time(), start.elapsed());
        let total = &mut self.totals.lock().expect("no holder panics")[kind as usize];
        total.wall += wall;
        total.cpu += cpu.zip(before).map_or(Duration::ZERO, |(after, before)| after - before);
        total.macs += macs;
        total.elements += elements;
        result
    }

    fn size(&self, x: &E::Tensor) -> usize {
        self.engine.shape(x).iter().product()
    }

    /// A primitive without multiply-adds worth counting, that makes one tensor.
    fn simple(
        &self,
        kind: Kind,
        inputs: &[&E::Tensor],
        primitive: impl FnOnce(&E) -> E::Tensor,
    ) -> E::Tensor {
        let read: usize = inputs.iter().map(|x| self.size(x)).sum();
        let made = self.run(kind, (0, read), primitive);
        self.totals.lock().expect("no holder panics")[kind as usize].elements += self.size(&made);
        made
    }

    fn elementwise(&self, x: &E::Tensor) -> Kind {
        let shape = self.engine.shape(x);
        if self.params.iter().any(|param| param == shape) { Kind::Optimizer } else { Kind::Elementwise }
    }
}

/// Multiply-adds and elements of a convolution or a gradient of one: sizes of the output, which has `filters`
/// channels, of the input and of the weights.
fn conv_work([y, x, w]: [usize; 3], filters: usize) -> (usize, usize) {
    (y * w / filters, y + x + w)
}

fn output(x: &[usize], window: &Window) -> usize {
    let [h, w] = window.output("bench", [x[1], x[2]]).expect("the window fits");
    x[0] * h * w
}

/// The convolution's kind, or that of one with a kernel of 1 x 1.
fn conv_kind(window: &Window, kind: Kind, pointwise: Kind) -> Kind {
    if window.kernel == [1, 1] { pointwise } else { kind }
}

impl<E: Engine> Engine for Timed<E> {
    type Tensor = E::Tensor;

    fn numerics(&self) -> Numerics {
        self.engine.numerics()
    }

    fn upload(&self, shape: &[usize], elements: &[f32]) -> E::Tensor {
        self.run(Kind::Data, (0, 2 * elements.len()), |engine| engine.upload(shape, elements))
    }

    fn read(&self, x: &E::Tensor, into: &mut Vec<f32>) {
        self.run(Kind::Data, (0, 2 * self.size(x)), |engine| engine.read(x, into));
    }

    fn shape<'t>(&self, x: &'t E::Tensor) -> &'t [usize] {
        self.engine.shape(x)
    }

    fn full(&self, shape: &[usize], value: f32) -> E::Tensor {
        self.simple(Kind::Structure, &[], |engine| engine.full(shape, value))
    }

    fn reshape(&self, x: &E::Tensor, shape: &[usize]) -> E::Tensor {
        self.run(Kind::Structure, (0, 0), |engine| engine.reshape(x, shape))
    }

    fn map(&self, function: Unary, x: &E::Tensor) -> E::Tensor {
        self.simple(self.elementwise(x), &[x], |engine| engine.map(function, x))
    }

    fn zip(&self, function: Binary, a: &E::Tensor, b: &E::Tensor) -> E::Tensor {
        self.simple(self.elementwise(a), &[a, b], |engine| engine.zip(function, a, b))
    }

    fn broadcast(&self, x: &E::Tensor, shape: &[usize]) -> E::Tensor {
        self.simple(Kind::Structure, &[x], |engine| engine.broadcast(x, shape))
    }

    fn reduce(&self, reduction: Reduction, x: &E::Tensor, axes: &[usize]) -> E::Tensor {
        self.simple(Kind::Sums, &[x], |engine| engine.reduce(reduction, x, axes))
    }

    fn slice(&self, x: &E::Tensor, start: &[usize], extent: &[usize]) -> E::Tensor {
        self.simple(Kind::Structure, &[], |engine| engine.slice(x, start, extent))
    }

    fn pad(&self, x: &E::Tensor, before: &[usize], after: &[usize], value: f32) -> E::Tensor {
        self.simple(Kind::Structure, &[x], |engine| engine.pad(x, before, after, value))
    }

    fn concat(&self, xs: &[&E::Tensor], axis: usize) -> E::Tensor {
        self.simple(Kind::Structure, xs, |engine| engine.concat(xs, axis))
    }

    fn permute(&self, x: &E::Tensor, axes: &[usize]) -> E::Tensor {
        self.simple(Kind::Structure, &[x], |engine| engine.permute(x, axes))
    }

    fn gather(&self, x: &E::Tensor, axis: usize, indices: &[u32]) -> E::Tensor {
        self.simple(Kind::Structure, &[], |engine| engine.gather(x, axis, indices))
    }

    fn scatter_add(&self, x: &E::Tensor, axis: usize, indices: &[u32], extent: usize) -> E::Tensor {
        self.simple(Kind::Structure, &[x], |engine| engine.scatter_add(x, axis, indices, extent))
    }

    fn gemm(
        &self,
        a: &E::Tensor,
        b: &E::Tensor,
        transposed: Transposed,
        bias: Option<&E::Tensor>,
    ) -> E::Tensor {
        let (a_shape, b_shape) = (self.shape(a), self.shape(b));
        let (rows, depth) = if transposed.a { (a_shape[1], a_shape[0]) } else { (a_shape[0], a_shape[1]) };
        let columns = b_shape[usize::from(!transposed.b)];
        let work = (rows * depth * columns, rows * depth + depth * columns + rows * columns);
        self.run(Kind::Dense, work, |engine| engine.gemm(a, b, transposed, bias))
    }

    fn conv2d(&self, x: &E::Tensor, w: &E::Tensor, bias: Option<&E::Tensor>, window: &Window) -> E::Tensor {
        let (shape, filters) = (self.shape(x), self.shape(w)[0]);
        let y = output(shape, window) * filters;
        let work = conv_work([y, self.size(x), self.size(w)], filters);
        let kind = conv_kind(window, Kind::Conv, Kind::Pointwise);
        self.run(kind, work, |engine| engine.conv2d(x, w, bias, window))
    }

    fn conv2d_input_gradient(
        &self,
        dy: &E::Tensor,
        w: &E::Tensor,
        window: &Window,
        input: [usize; 2],
    ) -> E::Tensor {
        let (shape, filters, channels) = (self.shape(dy), self.shape(w)[0], self.shape(w)[3]);
        let map = shape[0] * input[0] * input[1] * channels;
        let work = conv_work([self.size(dy), map, self.size(w)], filters);
        let kind = conv_kind(window, Kind::ConvInput, Kind::PointwiseInput);
        self.run(kind, work, |engine| engine.conv2d_input_gradient(dy, w, window, input))
    }

    fn conv2d_weight_gradient(&self, dy: &E::Tensor, x: &E::Tensor, window: &Window) -> E::Tensor {
        let (filters, channels) = (self.shape(dy)[3], self.shape(x)[3]);
        let weights = filters * window.kernel[0] * window.kernel[1] * channels;
        let work = conv_work([self.size(dy), self.size(x), weights], filters);
        let kind = conv_kind(window, Kind::ConvWeight, Kind::PointwiseWeight);
        self.run(kind, work, |engine| engine.conv2d_weight_gradient(dy, x, window))
    }

    fn depthwise_conv2d(
        &self,
        x: &E::Tensor,
        w: &E::Tensor,
        bias: Option<&E::Tensor>,
        window: &Window,
    ) -> E::Tensor {
        let channels = self.shape(x)[3];
        let y = output(self.shape(x), window) * channels;
        let work = conv_work([y, self.size(x), self.size(w)], channels);
        self.run(Kind::Depthwise, work, |engine| engine.depthwise_conv2d(x, w, bias, window))
    }

    fn depthwise_conv2d_input_gradient(
        &self,
        dy: &E::Tensor,
        w: &E::Tensor,
        window: &Window,
        input: [usize; 2],
    ) -> E::Tensor {
        let shape = self.shape(dy);
        let map = shape[0] * input[0] * input[1] * shape[3];
        let work = conv_work([self.size(dy), map, self.size(w)], shape[3]);
        self.run(Kind::DepthwiseInput, work, |engine| {
            engine.depthwise_conv2d_input_gradient(dy, w, window, input)
        })
    }

    fn depthwise_conv2d_weight_gradient(&self, dy: &E::Tensor, x: &E::Tensor, window: &Window) -> E::Tensor {
        let channels = self.shape(x)[3];
        let weights = window.kernel[0] * window.kernel[1] * channels;
        let work = conv_work([self.size(dy), self.size(x), weights], channels);
        self.run(Kind::DepthwiseWeight, work, |engine| engine.depthwise_conv2d_weight_gradient(dy, x, window))
    }

    fn avg_pool2d(&self, x: &E::Tensor, window: &Window) -> E::Tensor {
        self.simple(Kind::Pool, &[x], |engine| engine.avg_pool2d(x, window))
    }

    fn avg_pool2d_gradient(&self, dy: &E::Tensor, window: &Window, input: [usize; 2]) -> E::Tensor {
        self.simple(Kind::Pool, &[dy], |engine| engine.avg_pool2d_gradient(dy, window, input))
    }

    fn max_pool2d(&self, x: &E::Tensor, window: &Window) -> E::Tensor {
        self.simple(Kind::Pool, &[x], |engine| engine.max_pool2d(x, window))
    }

    fn max_pool2d_gradient(&self, dy: &E::Tensor, x: &E::Tensor, window: &Window) -> E::Tensor {
        self.simple(Kind::Pool, &[dy, x], |engine| engine.max_pool2d_gradient(dy, x, window))
    }

    fn batch_statistics(&self, x: &E::Tensor) -> (E::Tensor, E::Tensor) {
        self.run(Kind::Statistics, (0, self.size(x)), |engine| engine.batch_statistics(x))
    }

    fn batch_norm(&self, x: &E::Tensor, by: &Normalization<'_, E::Tensor>, clamp: Clamp) -> E::Tensor {
        self.simple(Kind::Norm, &[x], |engine| engine.batch_norm(x, by, clamp))
    }

    fn batch_norm_gradient(
        &self,
        dy: &E::Tensor,
        x: &E::Tensor,
        by: &Normalization<'_, E::Tensor>,
        clamp: Clamp,
    ) -> NormalizationGradient<E::Tensor> {
        let work = (0, 3 * self.size(x));
        self.run(Kind::NormGradient, work, |engine| engine.batch_norm_gradient(dy, x, by, clamp))
    }

    fn random(&self, distribution: Distribution, key: u64, shape: &[usize]) -> E::Tensor {
        self.simple(Kind::Data, &[], |engine| engine.random(distribution, key, shape))
    }
}
