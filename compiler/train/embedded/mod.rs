//! The embedded engine: the processor, nothing to install.
//!
//! Kernels are written once over vectors of floats (`simd`), compiled for AVX-512, AVX2 with fused multiply-add,
//! NEON and portably, and chosen when they run. Inner loops go over independent elements of the result, so lanes,
//! tiles and threads never change the order in which one element is summed. Threads are those of the rayon pool that
//! calls. Tensors come from an arena that takes them back.

mod arena;
mod channels;
mod convolution;
mod depthwise;
mod elementwise;
mod geometry;
mod isa;
mod matrix;
mod normalization;
mod outer;
mod pool;
mod simd;
mod structure;
mod tasks;
mod tile;
mod tree;

use std::sync::Arc;

use crate::ops::{Clamp, Window};
use crate::train::engine::{
    Binary, Distribution, Engine, Memory, NUMERICS_VERSION, Normalization, NormalizationGradient, Numerics,
    Reduction, Transposed, Unary,
};
use crate::train::extents::Extents;

pub(super) use arena::buffer_bytes;
use arena::{Arena, Buffer};
use geometry::Geometries;
use isa::Isa;

/// A tensor in memory, row-major.
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Extents,
    /// `None` while it is dropped.
    buffer: Option<Arc<Buffer>>,
    arena: Arc<Arena>,
}

impl Tensor {
    fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    fn data(&self) -> &[f32] {
        &self.floats()[..self.shape.elements()]
    }

    /// The elements and behind them [`arena::SLACK`] floats that kernels may read.
    fn floats(&self) -> &[f32] {
        self.buffer.as_deref().map_or(&[], Buffer::floats)
    }

    /// The elements of a tensor that nobody else has yet.
    fn data_mut(&mut self) -> &mut [f32] {
        let count = self.shape.elements();
        let buffer = self.buffer.as_mut().and_then(Arc::get_mut).expect("a tensor that is not shared");
        &mut buffer.floats_mut()[..count]
    }

    fn nhwc(&self) -> [usize; 4] {
        self.shape().try_into().expect("four dimensions")
    }
}

impl PartialEq for Tensor {
    fn eq(&self, other: &Tensor) -> bool {
        self.shape() == other.shape() && self.data() == other.data()
    }
}

impl Drop for Tensor {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.arena.give(buffer);
        }
    }
}

/// The embedded engine. Clones share their memory.
#[derive(Clone, Debug)]
pub struct EmbeddedEngine {
    isa: Isa,
    arena: Arc<Arena>,
    geometries: Arc<Geometries>,
}

impl EmbeddedEngine {
    /// With the best instructions of this processor.
    pub fn new() -> EmbeddedEngine {
        EmbeddedEngine::with(Isa::detect())
    }

    /// With instructions that every processor of this architecture has; slow where fused multiply-add is not
    /// among them.
    pub fn portable() -> EmbeddedEngine {
        EmbeddedEngine::with(Isa::PORTABLE)
    }

    /// One for each set of instructions that this processor has, the best last. All give the same bits.
    pub fn every() -> Vec<EmbeddedEngine> {
        Isa::available().into_iter().map(EmbeddedEngine::with).collect()
    }

    fn with(isa: Isa) -> EmbeddedEngine {
        EmbeddedEngine { isa, arena: Arc::new(Arena::new()), geometries: Arc::default() }
    }

    /// The instructions that it uses: `portable`, `avx2`, `avx512` or `neon`.
    pub fn instructions(&self) -> &'static str {
        self.isa.name()
    }

    /// A tensor whose elements are to be written.
    fn fresh(&self, shape: &[usize]) -> Tensor {
        let shape = Extents::new(shape);
        let buffer = Some(self.arena.take(shape.elements()));
        Tensor { shape, buffer, arena: Arc::clone(&self.arena) }
    }

    /// A tensor with one value everywhere.
    fn full_of(&self, shape: &[usize], value: f32) -> Tensor {
        let mut out = self.fresh(shape);
        out.data_mut().fill(value);
        out
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

    fn memory(&self) -> Option<Memory> {
        Some(self.arena.memory())
    }

    fn upload(&self, shape: &[usize], elements: &[f32]) -> Tensor {
        let mut out = self.fresh(shape);
        out.data_mut().copy_from_slice(elements);
        out
    }

    fn read(&self, x: &Tensor, into: &mut Vec<f32>) {
        into.clear();
        into.extend_from_slice(x.data());
    }

    fn shape<'t>(&self, x: &'t Tensor) -> &'t [usize] {
        x.shape()
    }

    fn full(&self, shape: &[usize], value: f32) -> Tensor {
        self.full_of(shape, value)
    }

    fn reshape(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        let shape = Extents::new(shape);
        assert_eq!(shape.elements(), x.data().len(), "elements of {shape:?}");
        let mut out = x.clone();
        out.shape = shape;
        out
    }

    fn map(&self, function: Unary, x: &Tensor) -> Tensor {
        elementwise::map(self, function, x)
    }

    fn zip(&self, function: Binary, a: &Tensor, b: &Tensor) -> Tensor {
        elementwise::zip(self, function, a, b)
    }

    fn broadcast(&self, x: &Tensor, shape: &[usize]) -> Tensor {
        structure::broadcast(self, x, shape)
    }

    fn reduce(&self, reduction: Reduction, x: &Tensor, axes: &[usize]) -> Tensor {
        structure::reduce(self, reduction, x, axes)
    }

    fn slice(&self, x: &Tensor, start: &[usize], extent: &[usize]) -> Tensor {
        structure::slice(self, x, start, extent)
    }

    fn pad(&self, x: &Tensor, before: &[usize], after: &[usize], value: f32) -> Tensor {
        structure::pad(self, x, before, after, value)
    }

    fn concat(&self, xs: &[&Tensor], axis: usize) -> Tensor {
        structure::concat(self, xs, axis)
    }

    fn permute(&self, x: &Tensor, axes: &[usize]) -> Tensor {
        structure::permute(self, x, axes)
    }

    fn gather(&self, x: &Tensor, axis: usize, indices: &[u32]) -> Tensor {
        structure::gather(self, x, axis, indices)
    }

    fn scatter_add(&self, x: &Tensor, axis: usize, indices: &[u32], extent: usize) -> Tensor {
        structure::scatter_add(self, x, axis, indices, extent)
    }

    fn gemm(&self, a: &Tensor, b: &Tensor, transposed: Transposed, bias: Option<&Tensor>) -> Tensor {
        matrix::gemm(self, a, b, transposed, bias)
    }

    fn conv2d(&self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
        convolution::forward(self, x, w, bias, window)
    }

    fn conv2d_input_gradient(&self, dy: &Tensor, w: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
        convolution::input_gradient(self, dy, w, window, input)
    }

    fn conv2d_weight_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        convolution::weight_gradient(self, dy, x, window)
    }

    fn depthwise_conv2d(&self, x: &Tensor, w: &Tensor, bias: Option<&Tensor>, window: &Window) -> Tensor {
        depthwise::forward(self, x, w, bias, window)
    }

    fn depthwise_conv2d_input_gradient(
        &self,
        dy: &Tensor,
        w: &Tensor,
        window: &Window,
        input: [usize; 2],
    ) -> Tensor {
        depthwise::input_gradient(self, dy, w, window, input)
    }

    fn depthwise_conv2d_weight_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        depthwise::weight_gradient(self, dy, x, window)
    }

    fn avg_pool2d(&self, x: &Tensor, window: &Window) -> Tensor {
        pool::avg(self, x, window)
    }

    fn avg_pool2d_gradient(&self, dy: &Tensor, window: &Window, input: [usize; 2]) -> Tensor {
        pool::avg_gradient(self, dy, window, input)
    }

    fn max_pool2d(&self, x: &Tensor, window: &Window) -> Tensor {
        pool::max(self, x, window)
    }

    fn max_pool2d_gradient(&self, dy: &Tensor, x: &Tensor, window: &Window) -> Tensor {
        pool::max_gradient(self, dy, x, window)
    }

    fn batch_statistics(&self, x: &Tensor) -> (Tensor, Tensor) {
        normalization::statistics(self, x)
    }

    fn batch_norm(&self, x: &Tensor, by: &Normalization<'_, Tensor>, clamp: Clamp) -> Tensor {
        normalization::forward(self, x, by, clamp)
    }

    fn batch_norm_gradient(
        &self,
        dy: &Tensor,
        x: &Tensor,
        by: &Normalization<'_, Tensor>,
        clamp: Clamp,
    ) -> NormalizationGradient<Tensor> {
        normalization::gradient(self, dy, x, by, clamp)
    }

    fn random(&self, distribution: Distribution, key: u64, shape: &[usize]) -> Tensor {
        elementwise::random(self, distribution, key, shape)
    }
}

#[cfg(test)]
mod tests;
