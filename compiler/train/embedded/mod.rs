//! The embedded engine: the processor, nothing to install.
//!
//! Every primitive is one portable source, which is also compiled for AVX2 with fused multiply-add and chosen
//! when it runs. Inner loops go over independent elements of the result, so lanes, blocks and threads never
//! change the order in which one element is summed. Threads are those of the rayon pool that calls.

mod convolution;
mod depthwise;
mod elementwise;
mod isa;
mod matrix;
mod normalization;
mod pool;
mod structure;
mod tree;

use std::sync::Arc;

use crate::ops::{Clamp, Window};
use crate::train::embedded::isa::Isa;
use crate::train::engine::{
    Binary, Distribution, Engine, NUMERICS_VERSION, Normalization, NormalizationGradient, Numerics,
    Reduction, Transposed, Unary,
};

/// A tensor in memory, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Arc<Vec<f32>>,
}

impl Tensor {
    fn new(shape: &[usize], data: Vec<f32>) -> Tensor {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "elements of {shape:?}");
        Tensor { shape: shape.to_vec(), data: Arc::new(data) }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> &[f32] {
        &self.data
    }

    fn nhwc(&self) -> [usize; 4] {
        self.shape.as_slice().try_into().expect("four dimensions")
    }
}

/// The embedded engine.
#[derive(Clone, Copy, Debug)]
pub struct EmbeddedEngine {
    isa: Isa,
}

impl EmbeddedEngine {
    /// With the best instructions of this processor.
    pub fn new() -> EmbeddedEngine {
        EmbeddedEngine { isa: Isa::detect() }
    }

    /// With instructions that every processor of this architecture has; slow where fused multiply-add is not
    /// among them.
    pub fn portable() -> EmbeddedEngine {
        EmbeddedEngine { isa: Isa::PORTABLE }
    }

    /// Whether it uses more than [`EmbeddedEngine::portable`].
    pub fn is_accelerated(&self) -> bool {
        self.isa != Isa::PORTABLE
    }
}

impl Default for EmbeddedEngine {
    fn default() -> EmbeddedEngine {
        EmbeddedEngine::new()
    }
}

impl Engine for EmbeddedEngine {
    type Tensor = Tensor;

    fn numerics(&self) -> Numerics {
        Numerics::FusedChain(NUMERICS_VERSION)
    }

    fn upload(&self, shape: &[usize], elements: &[f32]) -> Tensor {
        Tensor::new(shape, elements.to_vec())
    }

    fn read(&self, x: &Tensor, into: &mut Vec<f32>) {
        into.clear();
        into.extend_from_slice(x.data());
    }

    fn shape<'t>(&self, x: &'t Tensor) -> &'t [usize] {
        x.shape()
    }

    fn full(&self, shape: &[usize], value: f32) -> Tensor {
        Tensor::new(shape, vec![value; shape.iter().product()])
    }

    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        assert_eq!(shape.iter().product::<usize>(), x.data().len(), "elements of {shape:?}");
        Tensor { shape: shape.to_vec(), data: Arc::clone(&x.data) }
    }

    fn map(&self, function: Unary, x: &Tensor) -> Tensor {
        elementwise::map(self.isa, function, x)
    }

    fn zip(&self, function: Binary, a: &Tensor, b: &Tensor) -> Tensor {
        elementwise::zip(self.isa, function, a, b)
    }

    fn broadcast(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        structure::broadcast(x, shape)
    }

    fn reduce(&self, reduction: Reduction, x: &Tensor, axes: &[usize]) -> Tensor {
        structure::reduce(self.isa, reduction, x, axes)
    }

    fn slice(&self, x: &Tensor, start: &[usize], extent: &[usize]) -> Tensor {
        structure::slice(x, start, extent)
    }

    fn pad(&self, x: &Tensor, before: &[usize], after: &[usize], value: f32) -> Tensor {
        structure::pad(x, before, after, value)
    }

    fn concat(&self, xs: &[&Tensor], axis: usize) -> Tensor {
        structure::concat(xs, axis)
    }

    fn permute(&self, x: &Tensor, axes: &[usize]) -> Tensor {
        structure::permute(x, axes)
    }

    fn gather(&self, x: &Tensor, axis: usize, indices: &[u32]) -> Tensor {
        structure::gather(x, axis, indices)
    }

    fn scatter_add(&self, x: &Tensor, axis: usize, indices: &[u32], extent: usize) -> Tensor {
        structure::scatter_add(x, axis, indices, extent)
    }

    fn gemm(&self, a: &Tensor, b: &Tensor, transposed: Transposed, bias: Option<&Tensor>) -> Tensor {
        matrix::gemm(self.isa, a, b, transposed, bias)
    }

    fn conv2d(&self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
        convolution::forward(self.isa, x, w, bias, window)
    }

    fn conv2d_input_gradient(&self, dy: &Tensor, w: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
        convolution::input_gradient(self.isa, dy, w, window, input)
    }

    fn conv2d_weight_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        convolution::weight_gradient(self.isa, dy, x, window)
    }

    fn depthwise_conv2d(&self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
        depthwise::forward(self.isa, x, w, bias, window)
    }

    fn depthwise_conv2d_input_gradient(
        &self,
        dy: &Tensor,
        w: &Tensor,
        window: &Window,
        input: [usize; 2],
    ) -> Tensor {
        depthwise::input_gradient(self.isa, dy, w, window, input)
    }

    fn depthwise_conv2d_weight_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        depthwise::weight_gradient(self.isa, dy, x, window)
    }

    fn avg_pool2d(&self, x: &Tensor, window: &Window) -> Tensor {
        pool::avg(x, window)
    }

    fn avg_pool2d_gradient(&self, dy: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
        pool::avg_gradient(dy, window, input)
    }

    fn max_pool2d(&self, x: &Tensor, window: &Window) -> Tensor {
        pool::max(x, window)
    }

    fn max_pool2d_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        pool::max_gradient(dy, x, window)
    }

    fn batch_statistics(&self, x: &Tensor) -> (Tensor, Tensor) {
        normalization::statistics(self.isa, x)
    }

    fn batch_norm(&self, x: &Tensor, by: &Normalization<'_, Tensor>, clamp: Clamp) -> Tensor {
        normalization::forward(self.isa, x, by, clamp)
    }

    fn batch_norm_gradient(
        &self,
        dy: &Tensor,
        x: &Tensor,
        by: &Normalization<'_, Tensor>,
        clamp: Clamp,
    ) -> NormalizationGradient<Tensor> {
        normalization::gradient(self.isa, dy, x, by, clamp)
    }

    fn random(&self, distribution: Distribution, key: u64, shape: &[usize]) -> Tensor {
        elementwise::random(distribution, key, shape)
    }
}

#[cfg(test)]
mod tests;
