//! Scales and zero points, and the integers they give.

use crate::tensor::arith;
use crate::tensor::{DType, Quant, Shape};

/// The quantization of an activation that was seen in `[low, high]`: asymmetric 8 bit, 0 exactly representable.
///
/// Source  TFLite 8-bit quantization specification; arXiv:1712.05877 section 3.1
pub fn activation_quant(low: f32, high: f32) -> Quant {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let range = (high - low).max(f32::MIN_POSITIVE * 1e6);
    let scale = range / 255.0;
    let zero_point = (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i32;
    Quant::per_tensor(scale, zero_point)
}

/// One symmetric scale for each output channel: the greatest weight becomes 127. A channel whose bias would not
/// fit 30 bits at that scale, as happens where all its weights are nearly 0, gets a larger one.
pub fn weight_scales(
    weights: &[f32],
    bias: &[f32],
    shape: &Shape,
    axis: usize,
    input_scale: f32,
) -> Vec<f32> {
    let channels = shape.0[axis];
    let mut greatest = vec![0.0f32; channels];
    for (index, weight) in weights.iter().enumerate() {
        let channel = channel_of(index, shape, axis);
        greatest[channel] = greatest[channel].max(weight.abs());
    }
    let limit = (1u32 << 30) as f32;
    greatest
        .iter()
        .zip(bias)
        .map(|(greatest, bias)| (greatest / 127.0).max(bias.abs() / (input_scale * limit)).max(1e-12))
        .collect()
}

/// Weights as integers in -127..=127.
pub fn quantize_weights(weights: &[f32], shape: &Shape, axis: usize, scales: &[f32]) -> Vec<i8> {
    let range = (-127, 127);
    weights
        .iter()
        .enumerate()
        .map(|(index, &weight)| {
            arith::quantize(weight, scales[channel_of(index, shape, axis)], 0, range) as i8
        })
        .collect()
}

/// Biases at the accumulator's scale, `input_scale * scales[c]`.
pub fn quantize_bias(bias: &[f32], input_scale: f32, scales: &[f32]) -> Vec<i32> {
    let range = DType::I32.range().unwrap_or((i32::MIN, i32::MAX));
    bias.iter()
        .zip(scales)
        .map(|(&bias, scale)| arith::quantize(bias, input_scale * scale, 0, range))
        .collect()
}

/// The index along `axis` of an element in row-major order.
fn channel_of(index: usize, shape: &Shape, axis: usize) -> usize {
    let inner: usize = shape.0[axis + 1..].iter().product();
    index / inner % shape.0[axis]
}
