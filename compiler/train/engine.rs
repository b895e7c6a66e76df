//! What a training engine must do: generic primitives on tensors that live on its device.
//!
//! In: tensors of `f32` that the engine made, with shapes that fit. Out: new tensors; none is changed.
//! Everything that is not here (losses, fake quantization, masks, optimisers) is composed above it. Functions
//! of [`map`](Engine::map) and [`zip`](Engine::zip) are closed enums, since a device cannot run closures.
//! Shapes that do not fit are a bug of the caller, who has a verified graph: they panic.
//!
//! # Numerics
//!
//! Engines of the class [`Numerics::FusedChain`] agree bit for bit, for all values but the payloads of those
//! that are no number. Each primitive states its order of summation, in one of two forms.
//!
//! *Chain*: each output element starts at a value and takes one fused multiply-add for each term, in the
//! stated order. Lanes, tiles and threads only decide how many elements advance together.
//!
//! *Tree*: the terms are cut into chunks of a stated length; a chunk is a chain from 0; the sums of chunks are
//! added in pairs of neighbours, then these in pairs of neighbours, until one is left; one without a neighbour
//! goes up unchanged.
//!
//! Functions of one and two elements are IEEE 754 operations and those of [`crate::tensor::math`].

use crate::ops::{Clamp, Window};

/// Which engines an engine agrees with bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numerics {
    /// The orders of this module's documentation, in this version.
    FusedChain(u32),
    /// Its own, under this name: results are near those of the others, not equal.
    Foreign(&'static str),
}

/// The version of the orders that this module states; part of the key of a trial.
pub const NUMERICS_VERSION: u32 = 2;

/// Terms in one chunk of [`Engine::reduce`].
pub const REDUCE_CHUNK: usize = 64;
/// Rows in one chunk of the statistics and gradients of batch normalisation.
pub const ROWS_CHUNK: usize = 128;
/// Samples in one chunk of the weight gradients of convolutions.
pub const SAMPLES_CHUNK: usize = 8;

/// Bytes of an engine's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// In tensors that are in use now.
    pub live: usize,
    /// The greatest that `live` has been.
    pub peak: usize,
    /// Taken from the system and not given back: in tensors or ready for new ones.
    pub reserved: usize,
}

/// A function of one element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// `-x`.
    Negate,
    /// `|x|`.
    Abs,
    /// 0 where `x < 0`, `x` elsewhere: what is no number stays so, and a divergence shows.
    Relu,
    /// 0 where `x < 0`, 6 where `x > 6`, `x` elsewhere.
    Relu6,
    /// `e^x`.
    Exp,
    /// Natural logarithm.
    Ln,
    /// Square root.
    Sqrt,
    /// `1 / x`.
    Reciprocal,
    /// `x * x`.
    Square,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + e^-x)`.
    Sigmoid,
    /// -1, 0 or 1.
    Sign,
    /// The nearest integer, ties away from zero.
    Round,
    /// The greatest integer that is not above.
    Floor,
    /// `fma(x, scale, offset)`.
    Affine {
        /// Factor.
        scale: f32,
        /// Summand.
        offset: f32,
    },
    /// `low` where `x < low`, `high` where `x > high`, `x` elsewhere.
    Clamp {
        /// Least.
        low: f32,
        /// Greatest.
        high: f32,
    },
    /// 1 where `x > threshold`, 0 elsewhere.
    Above {
        /// Where it steps.
        threshold: f32,
    },
}

/// A function of two elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a - b`.
    Subtract,
    /// `a * b`.
    Multiply,
    /// `a / b`.
    Divide,
    /// `a` where `a > b`, `b` elsewhere.
    Max,
    /// `a` where `a < b`, `b` elsewhere.
    Min,
    /// `fma(a, first, b * second)`.
    Combine {
        /// Factor of `a`.
        first: f32,
        /// Factor of `b`.
        second: f32,
    },
    /// `a + b`, then as [`Unary::Clamp`]: a residual with its activation.
    AddClamped {
        /// Least.
        low: f32,
        /// Greatest.
        high: f32,
    },
    /// `a` where `low < b < high`, 0 elsewhere: gradients of clamps and masked straight-through estimates.
    Within {
        /// Lower bound, exclusive.
        low: f32,
        /// Upper bound, exclusive.
        high: f32,
    },
}

/// How several elements become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their greatest.
    Max,
}

/// What random elements follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Uniform in `[0, 1)`: the word's upper 24 bits times `2^-24`.
    Uniform,
    /// Normal with mean 0 and deviation 1: [`normal_quantile`](crate::tensor::math::normal_quantile) of
    /// `u = h * 2^-23 + 2^-24`, where `h` are the word's upper 23 bits.
    Normal,
    /// Gumbel: `-ln(-ln(u))` with the same `u`.
    Gumbel,
}

/// Which operands of a matrix product are transposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transposed {
    /// The left one is stored as `[K, M]`.
    pub a: bool,
    /// The right one is stored as `[N, K]`.
    pub b: bool,
}

/// The parameters and statistics of a batch normalisation, each `[C]`.
#[derive(Debug)]
pub struct Normalization<'t, T> {
    /// Mean of each channel.
    pub mean: &'t T,
    /// Biased variance of each channel.
    pub variance: &'t T,
    /// Factor of each channel.
    pub gamma: &'t T,
    /// Offset of each channel.
    pub beta: &'t T,
    /// Added to the variance.
    pub epsilon: f32,
}

/// What the backward pass of a batch normalisation gives.
#[derive(Debug)]
pub struct NormalizationGradient<T> {
    /// With respect to the input `[...,C]`.
    pub x: T,
    /// With respect to the factor `[C]`.
    pub gamma: T,
    /// With respect to the offset `[C]`.
    pub beta: T,
}

/// A device with tensors and primitives. See the module's documentation for the rules.
pub trait Engine: Send + Sync {
    /// A tensor on the device; cloning shares the elements.
    type Tensor: Clone + Send + Sync + std::fmt::Debug;

    /// Which engines it agrees with.
    fn numerics(&self) -> Numerics;

    /// What its tensors take, if it knows.
    fn memory(&self) -> Option<Memory> {
        None
    }

    /// A tensor of these elements, row-major; their number is that of the shape.
    fn upload(&self, shape: &[usize], elements: &[f32]) -> Self::Tensor;

    /// The elements, row-major.
    fn download(&self, x: &Self::Tensor) -> Vec<f32> {
        let mut elements = Vec::new();
        self.read(x, &mut elements);
        elements
    }

    /// The elements, row-major, in place of those that `into` holds.
    fn read(&self, x: &Self::Tensor, into: &mut Vec<f32>);

    /// The extents.
    fn shape<'t>(&self, x: &'t Self::Tensor) -> &'t [usize];

    /// A tensor with one value everywhere.
    fn full(&self, shape: &[usize], value: f32) -> Self::Tensor;

    /// The same elements under another shape with as many elements.
    fn reshape(&self, x: &Self::Tensor, shape: &[usize]) -> Self::Tensor;

    /// A function of each element.
    ///
    /// Shapes  `x [...] -> [...]`
    fn map(&self, function: Unary, x: &Self::Tensor) -> Self::Tensor;

    /// A function of each pair of elements.
    ///
    /// Shapes  `a [...], b [...] -> [...]`, all equal
    fn zip(&self, function: Binary, a: &Self::Tensor, b: &Self::Tensor) -> Self::Tensor;

    /// Repeats a tensor along dimensions of extent 1. Missing dimensions in front count as 1.
    ///
    /// Shapes  `x [1 or d0, 1 or d1, ...] -> [d0, d1, ...]`
    fn broadcast(&self, x: &Self::Tensor, shape: &[usize]) -> Self::Tensor;

    /// Combines all elements along some dimensions, whose extents become 1.
    ///
    /// Shapes  `x [d0, d1, ...] -> [1 or d0, 1 or d1, ...]`
    /// Order   `Sum`: tree with chunks of [`REDUCE_CHUNK`] terms, in row-major order of the combined
    ///         dimensions; terms are added. `Max`: from the first, `next` where `next > so far`.
    fn reduce(&self, reduction: Reduction, x: &Self::Tensor, axes: &[usize]) -> Self::Tensor;

    /// The block that starts at `start`.
    ///
    /// Shapes  `x [...]` -> extent
    fn slice(&self, x: &Self::Tensor, start: &[usize], extent: &[usize]) -> Self::Tensor;

    /// The tensor with `value` around it: `before` and `after` elements along each dimension.
    ///
    /// Shapes  `x [d0, ...] -> [before0 + d0 + after0, ...]`
    fn pad(&self, x: &Self::Tensor, before: &[usize], after: &[usize], value: f32) -> Self::Tensor;

    /// Tensors behind each other along one dimension; the other extents are equal.
    fn concat(&self, xs: &[&Self::Tensor], axis: usize) -> Self::Tensor;

    /// Dimension `i` of the result is dimension `axes[i]` of the tensor.
    fn permute(&self, x: &Self::Tensor, axes: &[usize]) -> Self::Tensor;

    /// Picks indices along one dimension, which gets the extent `indices.len()`.
    fn gather(&self, x: &Self::Tensor, axis: usize, indices: &[u32]) -> Self::Tensor;

    /// The gradient of [`gather`](Engine::gather): slice `i` of `x` is added to slice `indices[i]` of a tensor
    /// of zeros whose dimension `axis` has this extent.
    ///
    /// Order   from 0, by ascending `i`; terms are added
    fn scatter_add(&self, x: &Self::Tensor, axis: usize, indices: &[u32], extent: usize) -> Self::Tensor;

    /// Matrix product, with the bias of a dense layer.
    ///
    /// Shapes  `a [M,K], b [K,N] (before transposition), bias [N] -> [M,N]`
    /// Order   chain from the bias or 0 over ascending K of `fma(a, b, sum)`
    fn gemm(
        &self,
        a: &Self::Tensor,
        b: &Self::Tensor,
        transposed: Transposed,
        bias: Option<&Self::Tensor>,
    ) -> Self::Tensor;

    /// Two-dimensional convolution.
    ///
    /// Shapes  `x [N,H,W,C], w [O,Kh,Kw,C], bias [O] -> [N,Ho,Wo,O]`
    /// Order   chain from the bias or 0 over ascending (Kh, Kw, C) of `fma(x, w, sum)`; padding is zeros
    fn conv2d(
        &self,
        x: &Self::Tensor,
        w: &Self::Tensor,
        bias: Option<&Self::Tensor>,
        window: &Window,
    ) -> Self::Tensor;

    /// The gradient of [`conv2d`](Engine::conv2d) with respect to its input, of extents `[H, W]`.
    ///
    /// Shapes  `dy [N,Ho,Wo,O], w [O,Kh,Kw,C] -> [N,H,W,C]`
    /// Order   chain from 0 over ascending (Ho, Wo, O) of `fma(dy, w, sum)`, for each tap that belongs to a place
    ///         of the output; outside of the output `dy` is zeros
    fn conv2d_input_gradient(
        &self,
        dy: &Self::Tensor,
        w: &Self::Tensor,
        window: &Window,
        input: [usize; 2],
    ) -> Self::Tensor;

    /// The gradient of [`conv2d`](Engine::conv2d) with respect to its weights.
    ///
    /// Shapes  `dy [N,Ho,Wo,O], x [N,H,W,C] -> [O,Kh,Kw,C]`
    /// Order   tree with chunks of [`SAMPLES_CHUNK`] samples; in a chunk a chain from 0 over ascending
    ///         (N, Ho, Wo) of `fma(dy, x, sum)`; padding is zeros
    fn conv2d_weight_gradient(&self, dy: &Self::Tensor, x: &Self::Tensor, window: &Window) -> Self::Tensor;

    /// Depthwise convolution.
    ///
    /// Shapes  `x [N,H,W,C], w [1,Kh,Kw,C], bias [C] -> [N,Ho,Wo,C]`
    /// Order   chain from the bias or 0 over ascending (Kh, Kw) of `fma(x, w, sum)`; padding is zeros
    fn depthwise_conv2d(
        &self,
        x: &Self::Tensor,
        w: &Self::Tensor,
        bias: Option<&Self::Tensor>,
        window: &Window,
    ) -> Self::Tensor;

    /// The gradient of [`depthwise_conv2d`](Engine::depthwise_conv2d) with respect to its input.
    ///
    /// Shapes  `dy [N,Ho,Wo,C], w [1,Kh,Kw,C] -> [N,H,W,C]`
    /// Order   chain from 0 over ascending (Ho, Wo) of `fma(dy, w, sum)`, for each tap that belongs to a place of
    ///         the output; outside of the output `dy` is zeros
    fn depthwise_conv2d_input_gradient(
        &self,
        dy: &Self::Tensor,
        w: &Self::Tensor,
        window: &Window,
        input: [usize; 2],
    ) -> Self::Tensor;

    /// The gradient of [`depthwise_conv2d`](Engine::depthwise_conv2d) with respect to its weights.
    ///
    /// Shapes  `dy [N,Ho,Wo,C], x [N,H,W,C] -> [1,Kh,Kw,C]`
    /// Order   tree with chunks of [`SAMPLES_CHUNK`] samples; in a chunk a chain from 0 over ascending
    ///         (N, Ho, Wo) of `fma(dy, x, sum)`; padding is zeros
    fn depthwise_conv2d_weight_gradient(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        window: &Window,
    ) -> Self::Tensor;

    /// Mean of a window, padding not counted; 0 for a window with nothing in it.
    ///
    /// Shapes  `x [N,H,W,C] -> [N,Ho,Wo,C]`
    /// Order   from 0 over ascending (Kh, Kw), terms are added; then divided by their number
    fn avg_pool2d(&self, x: &Self::Tensor, window: &Window) -> Self::Tensor;

    /// The gradient of [`avg_pool2d`](Engine::avg_pool2d).
    ///
    /// Shapes  `dy [N,Ho,Wo,C] -> [N,H,W,C]`
    /// Order   from 0 over ascending (Ho, Wo) of the windows that hold the element; the terms, `dy` divided by
    ///         the window's number of elements, are added
    fn avg_pool2d_gradient(&self, dy: &Self::Tensor, window: &Window, input: [usize; 2]) -> Self::Tensor;

    /// Greatest of a window, padding not counted; 0 for a window with nothing in it.
    ///
    /// Shapes  `x [N,H,W,C] -> [N,Ho,Wo,C]`
    /// Order   the first in (Kh, Kw), then `next` where `next > so far`
    fn max_pool2d(&self, x: &Self::Tensor, window: &Window) -> Self::Tensor;

    /// The gradient of [`max_pool2d`](Engine::max_pool2d): the first greatest element of a window takes all.
    ///
    /// Shapes  `dy [N,Ho,Wo,C], x [N,H,W,C] -> [N,H,W,C]`
    /// Order   from 0 over ascending (Ho, Wo), terms are added
    fn max_pool2d_gradient(&self, dy: &Self::Tensor, x: &Self::Tensor, window: &Window) -> Self::Tensor;

    /// Mean and biased variance of each channel over all other dimensions.
    ///
    /// Shapes  `x [...,C] -> [C], [C]`
    /// Order   tree with chunks of [`ROWS_CHUNK`] rows of C elements. In a chunk two strands, of its even and of
    ///         its odd rows, each from 0, which are added in the end: the mean `m` from sums of `x`, multiplied by
    ///         the reciprocal of the number of rows; then the squares `q` from `d = x - m` by `fma(d, d, sum)`.
    ///         Two neighbours with `n` and `k` rows, `delta = m2 - m1` and `share = k / (n + k)`, become
    ///         `m = fma(delta, share, m1)` and `q = fma(delta * delta, n * share, q1 + q2)`. The variance is `q`
    ///         of all divided by their number
    /// Source  Chan, Golub and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances
    ///         (1979)
    fn batch_statistics(&self, x: &Self::Tensor) -> (Self::Tensor, Self::Tensor);

    /// Batch normalisation by given statistics: those of the batch, the running or recalibrated ones; then the
    /// clamp, as [`Unary::Clamp`] between its bounds.
    ///
    /// Shapes  `x [...,C] -> [...,C]`
    /// Order   `fma((x - mean) * r, gamma, beta)` with `r = 1 / sqrt(variance + epsilon)`
    fn batch_norm(
        &self,
        x: &Self::Tensor,
        by: &Normalization<'_, Self::Tensor>,
        clamp: Clamp,
    ) -> Self::Tensor;

    /// The gradients of [`batch_norm`](Engine::batch_norm) by the statistics of the batch itself, through
    /// which the input takes effect too.
    ///
    /// Shapes  `dy [...,C], x [...,C] -> x [...,C], gamma [C], beta [C]`
    /// Order   `g` is `dy` where there is no clamp or what comes to it lies between its bounds, 0 elsewhere.
    ///         `beta`: sum of `g`; `gamma`: of `fma(g, (x - mean) * r, sum)`; both trees with chunks of
    ///         [`ROWS_CHUNK`] rows, each of two strands as in [`batch_statistics`](Engine::batch_statistics).
    ///         `x`: `(gamma * r) * fma(xn, -dgamma / M, g - dbeta / M)` with `xn = (x - mean) * r` and M rows
    fn batch_norm_gradient(
        &self,
        dy: &Self::Tensor,
        x: &Self::Tensor,
        by: &Normalization<'_, Self::Tensor>,
        clamp: Clamp,
    ) -> NormalizationGradient<Self::Tensor>;

    /// Random elements; element `i` depends on the key and `i` alone.
    ///
    /// Order   Philox4x32-10 with the key, counter `(i / 4, 0)`, word `i % 4`
    /// Source  Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011)
    fn random(&self, distribution: Distribution, key: u64, shape: &[usize]) -> Self::Tensor;
}
