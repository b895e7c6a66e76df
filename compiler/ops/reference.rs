//! What the reference evaluations share: access to elements, the loops over windows, requantization.
//!
//! In: values that have the types inference accepted. Out: values. The loops are plain and their order is
//! fixed: a sum starts with the bias and runs over window rows, window columns and channels. Nothing here is
//! blocked, unrolled or parallel; it is what faster code is compared with.

use std::borrow::Cow;

use crate::ops::{Clamp, Requant, Window};
use crate::tensor::arith::{Multiplier, PreciseMultiplier};
use crate::tensor::{Quant, Shape, TensorType, Value};

/// The elements of a float tensor.
pub(crate) fn floats(value: &Value) -> Cow<'_, [f32]> {
    let array = value.as_f32().expect("inference gives float operators floats only");
    match array.as_slice() {
        Some(elements) => Cow::Borrowed(elements),
        None => Cow::Owned(array.iter().copied().collect()),
    }
}

/// The elements of an integer tensor.
pub(crate) fn integers(value: &Value) -> Vec<i32> {
    value.to_i32_vec().expect("inference gives quantized operators integers only")
}

/// The elements of a quantized tensor less its zero point.
pub(crate) fn centered(value: &Value, ty: &TensorType) -> Vec<i32> {
    let zero_point = quant(ty).zero_point;
    integers(value).into_iter().map(|x| x.saturating_sub(zero_point)).collect()
}

/// The elements of an integer bias, as wide as sums are.
pub(crate) fn bias(value: &Value) -> Vec<i64> {
    integers(value).into_iter().map(i64::from).collect()
}

/// A float tensor of the inferred shape.
pub(crate) fn float_value(shape: &Shape, elements: Vec<f32>) -> Value {
    Value::from_f32(shape, elements).expect("loops fill the inferred shape")
}

/// An integer tensor of the inferred type.
pub(crate) fn integer_value(ty: &TensorType, elements: &[i32]) -> Value {
    Value::from_i32_vec(ty.dtype, &ty.shape, elements).expect("clamped elements fill the inferred type")
}

/// A feature map's extents.
pub(crate) fn nhwc(ty: &TensorType) -> [usize; 4] {
    ty.shape.nhwc().expect("inference accepts feature maps only")
}

/// A quantized tensor's quantization.
pub(crate) fn quant(ty: &TensorType) -> &Quant {
    ty.quant.as_ref().expect("inference gives quantized operators quantized tensors only")
}

/// For each output channel the factor from its sum of products to its output, `x * w / output` of the scales.
///
/// Source  LiteRT 2.3.0, `PopulateConvolutionQuantizationParams`: the product of the float32 scales is taken
/// in double; golden vectors show the same for FULLY_CONNECTED with one scale.
pub(crate) fn channel_factors([x, w, output]: [&TensorType; 3], channels: usize) -> Vec<f64> {
    let (x, w, output) = (quant(x), quant(w), quant(output));
    let factor = |channel| f64::from(x.scale(0)) * f64::from(w.scale(channel)) / f64::from(output.scale(0));
    (0..channels).map(factor).collect()
}

/// The multipliers of [`channel_factors`].
pub(crate) fn channel_multipliers(types: [&TensorType; 3], channels: usize) -> Vec<Multiplier> {
    channel_factors(types, channels).into_iter().map(Multiplier::new).collect()
}

/// Brings sums, channels innermost, to the output's type. A sum beyond 32 bits saturates before it is scaled, so
/// that evaluation wraps nowhere; faster code may rely on sums that fit.
pub(crate) fn requantize(
    sums: &[i64],
    multipliers: &[Multiplier],
    (requant, clamp): (&Requant, Clamp),
    output: &TensorType,
) -> Value {
    let (low, high) = clamp.range(requant);
    let mut elements = Vec::with_capacity(sums.len());
    for pixel in sums.chunks_exact(multipliers.len().max(1)) {
        elements.extend(pixel.iter().zip(multipliers).map(|(&sum, multiplier)| {
            multiplier.apply_sum(sum, requant.rounding).saturating_add(requant.zero_point).clamp(low, high)
        }));
    }
    integer_value(output, &elements)
}

/// As [`requantize`] with [`Rounding::Precise`](crate::tensor::arith::Rounding::Precise).
pub(crate) fn requantize_precisely(
    sums: &[i64],
    factors: &[f64],
    (requant, clamp): (&Requant, Clamp),
    output: &TensorType,
) -> Value {
    let (low, high) = clamp.range(requant);
    let multipliers: Vec<_> = factors.iter().map(|&factor| PreciseMultiplier::new(factor)).collect();
    let mut elements = Vec::with_capacity(sums.len());
    for vector in sums.chunks_exact(multipliers.len().max(1)) {
        elements.extend(vector.iter().zip(&multipliers).map(|(&sum, multiplier)| {
            multiplier.apply(sum).saturating_add(requant.zero_point).clamp(low, high)
        }));
    }
    integer_value(output, &elements)
}

/// One step of a float sum.
pub(crate) fn add_float(sum: f32, x: f32, w: f32) -> f32 {
    sum + x * w
}

/// One step of an integer sum: 64 bits, so that no order of the terms overflows.
pub(crate) fn add_integer(sum: i64, x: i32, w: i32) -> i64 {
    sum + i64::from(x) * i64::from(w)
}

/// The sums of a convolution: `x` with its extents, weights `[O,Kh,Kw,C]`, a start for each of the filters, the
/// output's extents.
pub(crate) fn convolve<T: Copy, A: Copy>(
    window: &Window,
    (x, [_, height, width, channels]): (&[T], [usize; 4]),
    w: &[T],
    start: &[A],
    [batch, rows, columns, _]: [usize; 4],
    add: impl Fn(A, T, T) -> A,
) -> Vec<A> {
    let [kernel_rows, kernel_columns] = window.kernel;
    let touching = window.dilation[1] == 1;
    let mut sums = Vec::with_capacity(batch * rows * columns * start.len());
    for (n, oy, ox) in positions([batch, rows, columns]) {
        let (top, bottom) = window.taps(0, oy, height);
        let (left, right) = window.taps(1, ox, width);
        // Taps that touch are one run of memory, in the input as in the weights.
        let (step, run) = if touching { (kernel_columns, (right - left) * channels) } else { (1, channels) };
        for (filter, &start) in start.iter().enumerate() {
            let mut sum = start;
            for ky in top..bottom {
                let y = window.input(0, oy, ky);
                for kx in (left..right).step_by(step) {
                    let x_at = ((n * height + y) * width + window.input(1, ox, kx)) * channels;
                    let w_at = ((filter * kernel_rows + ky) * kernel_columns + kx) * channels;
                    for (&x, &w) in x[x_at..][..run].iter().zip(&w[w_at..][..run]) {
                        sum = add(sum, x, w);
                    }
                }
            }
            sums.push(sum);
        }
    }
    sums
}

/// The sums of a depthwise convolution: as [`convolve`], weights `[1,Kh,Kw,C]`.
pub(crate) fn convolve_depthwise<T: Copy, A: Copy>(
    window: &Window,
    (x, extents): (&[T], [usize; 4]),
    w: &[T],
    start: &[A],
    [batch, rows, columns, channels]: [usize; 4],
    add: impl Fn(A, T, T) -> A,
) -> Vec<A> {
    let mut sums = Vec::with_capacity(batch * rows * columns * channels);
    for position in positions([batch, rows, columns]) {
        let at = sums.len();
        sums.extend_from_slice(start);
        each_tap(window, extents, position, |pixel, tap| {
            let x = &x[pixel * channels..][..channels];
            let w = &w[tap * channels..][..channels];
            for ((sum, &x), &w) in sums[at..].iter_mut().zip(x).zip(w) {
                *sum = add(*sum, x, w);
            }
        });
    }
    sums
}

/// What a pool makes of each window, channel by channel: `fold` from `start` over the elements inside the
/// input, then `finish` with their number.
pub(crate) fn pool<T: Copy, A: Copy>(
    window: &Window,
    (x, extents): (&[T], [usize; 4]),
    [batch, rows, columns, channels]: [usize; 4],
    start: A,
    fold: impl Fn(A, T) -> A,
    finish: impl Fn(A, usize) -> A,
) -> Vec<A> {
    let mut out = Vec::with_capacity(batch * rows * columns * channels);
    for position in positions([batch, rows, columns]) {
        let at = out.len();
        out.resize(at + channels, start);
        let mut count = 0;
        each_tap(window, extents, position, |pixel, _| {
            count += 1;
            for (folded, &x) in out[at..].iter_mut().zip(&x[pixel * channels..][..channels]) {
                *folded = fold(*folded, x);
            }
        });
        for folded in &mut out[at..] {
            *folded = finish(*folded, count);
        }
    }
    out
}

/// All `(sample, row, column)`.
fn positions([batch, rows, columns]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..batch * rows * columns).map(move |i| (i / columns / rows, i / columns % rows, i % columns))
}

/// Calls `visit` with the input pixel and the window tap of each tap that falls inside the input.
fn each_tap(
    window: &Window,
    [_, height, width, _]: [usize; 4],
    (n, oy, ox): (usize, usize, usize),
    mut visit: impl FnMut(usize, usize),
) {
    let (top, bottom) = window.taps(0, oy, height);
    let (left, right) = window.taps(1, ox, width);
    for ky in top..bottom {
        let row = (n * height + window.input(0, oy, ky)) * width;
        for kx in left..right {
            visit(row + window.input(1, ox, kx), ky * window.kernel[1] + kx);
        }
    }
}
