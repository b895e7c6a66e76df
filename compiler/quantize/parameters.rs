//! Scales and zero points, and the integers they give.

use crate::tensor::arith;
use crate::tensor::{DType, Quant, Shape};

/// The least scale of an activation: one that is always 0 has it.
const LEAST_SCALE: f32 = 1e-16;

/// The greatest bias, and the greatest sum of products: their sum stays well within 32 bits.
const LIMIT: f32 = (1u32 << 29) as f32;

/// The quantization of an activation that was seen in `[low, high]`: asymmetric 8 bit, 0 exactly representable.
///
/// Source  TFLite 8-bit quantization specification; arXiv:1712.05877 section 3.1
pub fn activation_quant(low: f32, high: f32) -> Quant {
    let (low, high) = (low.min(0.0), high.max(0.0));
    let scale = (high / 255.0 - low / 255.0).max(LEAST_SCALE);
    let zero_point = (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i32;
    Quant::per_tensor(scale, zero_point)
}

/// One symmetric scale for each output channel: the greatest weight becomes 127. A channel gets a larger one
/// where its bias would not fit 29 bits, as happens where all its weights are nearly 0, or where the sum of its
/// products could pass 2^30, as happens with more than 16 000 inputs.
pub fn weight_scales(
    weights: &[f32],
    bias: &[f32],
    shape: &Shape,
    axis: usize,
    input_scale: f32,
) -> Vec<f32> {
    let channels = shape.0[axis];
    let mut greatest = vec![0.0f32; channels];
    let mut sums = vec![0.0f64; channels];
    for (index, weight) in weights.iter().enumerate() {
        let channel = channel_of(index, shape, axis);
        greatest[channel] = greatest[channel].max(weight.abs());
        sums[channel] += f64::from(weight.abs());
    }
    // Inputs less their zero point stay below 2^8, and an integer weight is at most twice the real quotient.
    let products = 512.0 / LIMIT;
    let scale = |((greatest, sum), bias): ((&f32, &f64), &f32)| {
        let of_bias = bias.abs() / input_scale / (LIMIT / 2.0);
        (greatest / 127.0).max(of_bias).max(*sum as f32 * products).max(1e-12)
    };
    greatest.iter().zip(&sums).zip(bias).map(scale).collect()
}

/// The least scale of the output of a layer with weights: with a smaller one the factor from accumulator to
/// output is 1/2 or more, and some accumulator times it could pass 32 bits; below 1/2, every requantization shifts to
/// the right, which kernels count on. Nothing is lost by it, as it is finer than two units of the accumulator.
pub fn least_output_scale(input_scale: f32, scales: &[f32]) -> f32 {
    scales.iter().map(|scale| 2.002 * input_scale * scale).fold(0.0, f32::max)
}

/// The least scale of a sum of inputs with these scales: they are added with 20 more bits, and the sum of twice the
/// greater scale is brought to the output's by a factor below 1/2.
///
/// Source  LiteRT 2.3.0, reference kernel of ADD
pub fn least_sum_scale(inputs: [f32; 2]) -> f32 {
    inputs[0].max(inputs[1]) / (1u32 << 17) as f32
}

/// The least scale of a product of inputs with these scales: two elements less their zero points have a product
/// below 2^16, and it times the factor stays below 2^30.
pub fn least_product_scale([a, b]: [f32; 2]) -> f32 {
    a * b / (1u32 << 14) as f32
}

/// The least scale of a hard swish: the reference kernel wants more than 1/128 of its input's.
///
/// Source  LiteRT 2.3.0, `HardSwishPrepare`
pub fn least_curve_scale(input: f32) -> f32 {
    input / 64.0
}

/// The least scale of what is requantized: an element less its zero point times the factor stays below 2^30.
pub fn least_requantized_scale(input: f32) -> f32 {
    input / (1u32 << 21) as f32
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
