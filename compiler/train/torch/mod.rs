//! The torch engine: libtorch, on the processor or on a graphics card.
//!
//! The feature `torch` brings it in. It is what the embedded engine is compared with, and the way to a graphics
//! card. It gives near results, not the bits of [`engine`](crate::train::engine), and other ones with another
//! number of threads; random elements alone are the same.
//!
//! A tensor keeps the order of dimensions of the trait, channels last. Windows see it through a permutation, which
//! libtorch knows as its channels-last layout, so nothing is copied.

mod elementwise;
mod normalization;
mod structure;
mod window;

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};

use tch::{Device, Kind};

use crate::ops::{Clamp, Window};
use crate::train::engine::{
    Binary, Distribution, Engine, Normalization, NormalizationGradient, Numerics, Reduction, Transposed,
    Unary,
};
use crate::train::extents::Extents;
use crate::train::random;

/// A tensor of libtorch.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Extents,
    /// A handle may move to another thread but not be used by two at once, so each use makes its own.
    handle: Arc<Mutex<tch::Tensor>>,
}

impl Tensor {
    fn new(value: tch::Tensor) -> Tensor {
        let size = value.size();
        let shape = Extents::from_fn(size.len(), |axis| size[axis] as usize);
        Tensor { shape, handle: Arc::new(Mutex::new(value)) }
    }

    /// A handle of its own on the same elements.
    fn get(&self) -> tch::Tensor {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).shallow_clone()
    }

    fn nhwc(&self) -> [usize; 4] {
        (*self.shape).try_into().expect("four dimensions")
    }
}

/// Extents as libtorch takes them.
fn sizes(extents: &[usize]) -> Vec<i64> {
    extents.iter().map(|&extent| extent as i64).collect()
}

/// The torch engine.
#[derive(Clone, Copy, Debug)]
pub struct TorchEngine {
    device: Device,
    /// How many trainings share the threads.
    shares: usize,
}

impl TorchEngine {
    /// On the processor.
    pub fn cpu() -> TorchEngine {
        TorchEngine { device: Device::Cpu, shares: 1 }
    }

    /// On a graphics card, counted from 0; `None` if there is none of this number.
    pub fn cuda(card: usize) -> Option<TorchEngine> {
        let found = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
        (card < found).then_some(TorchEngine { device: Device::Cuda(card), shares: 1 })
    }

    /// The same with its part of the threads, where several trainings run at once.
    pub fn shared_by(self, trainings: usize) -> TorchEngine {
        TorchEngine { shares: trainings.max(1), ..self }
    }

    /// Runs a primitive with as many threads as the rayon pool that calls has, or this engine's part of them, and
    /// without records for libtorch's own differentiation.
    fn run<R>(&self, primitive: impl FnOnce() -> R) -> R {
        // libtorch keeps the number for each thread that calls.
        thread_local!(static THREADS: Cell<usize> = const { Cell::new(0) });
        let threads = (rayon::current_num_threads() / self.shares).max(1);
        THREADS.with(|known| {
            if known.replace(threads) != threads {
                tch::set_num_threads(i32::try_from(threads).unwrap_or(i32::MAX));
            }
        });
        tch::no_grad(primitive)
    }

    fn upload_now(&self, shape: &[usize], elements: &[f32]) -> tch::Tensor {
        assert_eq!(shape.iter().product::<usize>(), elements.len(), "elements of {shape:?}");
        tch::Tensor::from_slice(elements).reshape(sizes(shape)).to_device(self.device)
    }
}

impl Engine for TorchEngine {
    type Tensor = Tensor;

    fn numerics(&self) -> Numerics {
        Numerics::Foreign(if self.device == Device::Cpu { "torch-2.13" } else { "torch-2.13-cuda" })
    }

    fn upload(&self, shape: &[usize], elements: &[f32]) -> Tensor {
        self.run(|| Tensor::new(self.upload_now(shape, elements)))
    }

    fn read(&self, x: &Tensor, into: &mut Vec<f32>) {
        self.run(|| {
            let x = x.get().to_device(Device::Cpu).contiguous();
            into.clear();
            into.resize(x.numel(), 0.0);
            x.copy_data(into, x.numel());
        });
    }

    fn shape<'t>(&self, x: &'t Tensor) -> &'t [usize] {
        &x.shape
    }

    fn full(&self, shape: &[usize], value: f32) -> Tensor {
        self.run(|| {
            Tensor::new(tch::Tensor::full(sizes(shape), f64::from(value), (Kind::Float, self.device)))
        })
    }

    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        self.run(|| Tensor::new(x.get().reshape(sizes(shape))))
    }

    fn map(&self, function: Unary, x: &Tensor) -> Tensor {
        self.run(|| Tensor::new(elementwise::map(function, &x.get())))
    }

    fn zip(&self, function: Binary, a: &Tensor, b: &Tensor) -> Tensor {
        assert_eq!(*a.shape, *b.shape, "shapes of `zip`");
        self.run(|| Tensor::new(elementwise::zip(function, &a.get(), &b.get())))
    }

    fn broadcast(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        self.run(|| Tensor::new(x.get().broadcast_to(sizes(shape))))
    }

    fn reduce(&self, reduction: Reduction, x: &Tensor, axes: &[usize]) -> Tensor {
        self.run(|| Tensor::new(structure::reduce(reduction, &x.get(), axes)))
    }

    fn slice(&self, x: &Tensor, start: &[usize], extent: &[usize]) -> Tensor {
        self.run(|| Tensor::new(structure::slice(x.get(), start, extent)))
    }

    fn pad(&self, x: &Tensor, before: &[usize], after: &[usize], value: f32) -> Tensor {
        self.run(|| Tensor::new(structure::pad(&x.get(), before, after, value)))
    }

    fn concat(&self, xs: &[&Tensor], axis: usize) -> Tensor {
        let xs: Vec<tch::Tensor> = xs.iter().map(|x| x.get()).collect();
        self.run(|| Tensor::new(tch::Tensor::cat(&xs, axis as i64)))
    }

    fn permute(&self, x: &Tensor, axes: &[usize]) -> Tensor {
        self.run(|| Tensor::new(x.get().permute(sizes(axes))))
    }

    fn gather(&self, x: &Tensor, axis: usize, indices: &[u32]) -> Tensor {
        self.run(|| Tensor::new(structure::gather(&x.get(), axis, indices)))
    }

    fn scatter_add(&self, x: &Tensor, axis: usize, indices: &[u32], extent: usize) -> Tensor {
        self.run(|| Tensor::new(structure::scatter_add(&x.get(), axis, indices, extent)))
    }

    fn gemm(&self, a: &Tensor, b: &Tensor, transposed: Transposed, bias: Option<&Tensor>) -> Tensor {
        let ready = |x: &Tensor, transposed: bool| if transposed { x.get().tr() } else { x.get() };
        self.run(|| {
            let (a, b) = (ready(a, transposed.a), ready(b, transposed.b));
            Tensor::new(match bias {
                Some(bias) => bias.get().addmm(&a, &b),
                None => a.mm(&b),
            })
        })
    }

    fn conv2d(&self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
        self.run(|| Tensor::new(window::conv2d(&x.get(), &w.get(), bias.map(Tensor::get), window)))
    }

    fn conv2d_input_gradient(&self, dy: &Tensor, w: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
        self.run(|| Tensor::new(window::conv2d_input_gradient(&dy.get(), &w.get(), window, input)))
    }

    fn conv2d_weight_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        self.run(|| Tensor::new(window::conv2d_weight_gradient(&dy.get(), &x.get(), window)))
    }

    fn depthwise_conv2d(&self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
        self.run(|| Tensor::new(window::depthwise(&x.get(), &w.get(), bias.map(Tensor::get), window)))
    }

    fn depthwise_conv2d_input_gradient(
        &self,
        dy: &Tensor,
        w: &Tensor,
        window: &Window,
        input: [usize; 2],
    ) -> Tensor {
        self.run(|| Tensor::new(window::depthwise_input_gradient(&dy.get(), &w.get(), window, input)))
    }

    fn depthwise_conv2d_weight_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        self.run(|| Tensor::new(window::depthwise_weight_gradient(&dy.get(), &x.get(), window)))
    }

    fn avg_pool2d(&self, x: &Tensor, window: &Window) -> Tensor {
        let [_, height, width, _] = x.nhwc();
        self.run(|| Tensor::new(window::avg_pool(&x.get(), window, [height, width])))
    }

    fn avg_pool2d_gradient(&self, dy: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
        self.run(|| Tensor::new(window::avg_pool_gradient(&dy.get(), window, input)))
    }

    fn max_pool2d(&self, x: &Tensor, window: &Window) -> Tensor {
        let [_, height, width, _] = x.nhwc();
        self.run(|| Tensor::new(window::max_pool(&x.get(), window, [height, width])))
    }

    fn max_pool2d_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        let [_, height, width, _] = x.nhwc();
        self.run(|| Tensor::new(window::max_pool_gradient(&dy.get(), &x.get(), window, [height, width])))
    }

    fn batch_statistics(&self, x: &Tensor) -> (Tensor, Tensor) {
        self.run(|| {
            let (mean, variance) = normalization::statistics(&x.get());
            (Tensor::new(mean), Tensor::new(variance))
        })
    }

    fn batch_norm(&self, x: &Tensor, by: &Normalization<'_, Tensor>, clamp: Clamp) -> Tensor {
        self.run(|| Tensor::new(normalization::forward(&x.get(), by, clamp)))
    }

    fn batch_norm_gradient(
        &self,
        dy: &Tensor,
        x: &Tensor,
        by: &Normalization<'_, Tensor>,
        clamp: Clamp,
    ) -> NormalizationGradient<Tensor> {
        self.run(|| normalization::gradient(&dy.get(), &x.get(), by, clamp))
    }

    fn random(&self, distribution: Distribution, key: u64, shape: &[usize]) -> Tensor {
        let mut elements = vec![0.0; shape.iter().product()];
        random::fill(distribution, key, 0, &mut elements);
        self.upload(shape, &elements)
    }
}

#[cfg(test)]
mod tests;
