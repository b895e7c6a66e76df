//! The operations of a tape written three times: on the tape, in plain `f64`, and with libtorch's own functions.

use tch::{Kind, Tensor};

use crate::ops::{Clamp, CurveFunction, Padding, Window};
use crate::train::engine::{Engine, Unary};
use crate::train::smoothed_targets;
use crate::train::tape::{Tape, Var};
use crate::train::tests::naive;

/// Classes of the cross-entropy.
pub(super) const CLASSES: usize = 4;

/// An operation of a tape. Activations take four times their input, so that every piece of them is seen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Conv(Window),
    /// With the extents of its output.
    Transposed(Window, [usize; 2]),
    Depthwise(Window),
    Dense,
    BatchNorm(Clamp),
    AvgPool(Window),
    MaxPool(Window),
    Clamp(Clamp),
    Curve(CurveFunction),
    Add(Clamp),
    Mul,
    MulByChannel,
    Concat,
    Pad,
    Upsample,
    Dropout,
    StraightThrough,
    CrossEntropy,
}

const EPSILON: f32 = 1e-3;
const PAD_BEFORE: [usize; 4] = [0, 1, 0, 2];
const PAD_AFTER: [usize; 4] = [0, 2, 3, 1];
const UPSAMPLE: [usize; 2] = [2, 3];

/// The factor of each element in a dropout of a quarter.
fn dropout_factors(count: usize) -> Vec<f32> {
    (0..count).map(|i| if i % 4 == 1 { 0.0 } else { 4.0 / 3.0 }).collect()
}

/// Smoothed labels, one row for each.
fn targets(rows: usize) -> Vec<f32> {
    let labels: Vec<u32> = (0..rows).map(|row| (row * 3 % CLASSES) as u32).collect();
    smoothed_targets(&labels, CLASSES, 0.1)
}

/// On the tape of any engine.
pub(super) fn on_tape<E: Engine>(operation: Operation, tape: &mut Tape<'_, E>, v: &[Var]) -> Var {
    let (engine, shape) = (tape.engine(), tape.engine().shape(tape.value(v[0])).to_vec());
    match operation {
        Operation::Conv(window) => tape.conv2d(v[0], v[1], v[2], &window),
        Operation::Transposed(window, output) => tape.conv2d_transposed(v[0], v[1], &window, output),
        Operation::Depthwise(window) => tape.depthwise_conv2d(v[0], v[1], v[2], &window),
        Operation::Dense => tape.dense(v[0], v[1], v[2]),
        Operation::BatchNorm(clamp) => tape.batch_norm(v[0], v[1], v[2], (EPSILON, clamp)).0,
        Operation::AvgPool(window) => tape.avg_pool2d(v[0], &window),
        Operation::MaxPool(window) => tape.max_pool2d(v[0], &window),
        Operation::Clamp(_) | Operation::Curve(_) | Operation::Add(_) => activation(operation, tape, v),
        Operation::Mul | Operation::MulByChannel => tape.mul(v[0], v[1]),
        Operation::Concat => tape.concat(v),
        Operation::Pad => tape.pad(v[0], &PAD_BEFORE, &PAD_AFTER),
        Operation::Upsample => tape.upsample2d(v[0], UPSAMPLE),
        Operation::Dropout => {
            tape.scaled(v[0], engine.upload(&shape, &dropout_factors(shape.iter().product())))
        }
        Operation::StraightThrough => tape.straight_through(Unary::Floor, v[0]),
        Operation::CrossEntropy => {
            let targets = engine.upload(&shape, &targets(shape[0]));
            tape.cross_entropy(v[0], &targets)
        }
    }
}

fn activation<E: Engine>(operation: Operation, tape: &mut Tape<'_, E>, v: &[Var]) -> Var {
    let twice = tape.add(v[0], v[0]);
    let x = tape.add(twice, twice);
    match operation {
        Operation::Clamp(Clamp::Relu) => tape.relu(x),
        Operation::Clamp(Clamp::Relu6) => tape.relu6(x),
        Operation::Curve(function) => tape.curve(x, function),
        Operation::Add(Clamp::None) => tape.add(x, v[1]),
        Operation::Add(clamp) => tape.add_clamped(x, v[1], clamp),
        _ => x,
    }
}

fn clamped(x: f64, clamp: Clamp) -> f64 {
    let (low, high) = clamp.bounds();
    x.clamp(f64::from(low), f64::from(high))
}

fn curve(x: f64, function: CurveFunction) -> f64 {
    let share = (x + 3.0).clamp(0.0, 6.0) / 6.0;
    match function {
        CurveFunction::Hswish => x * share,
        CurveFunction::Hsigmoid => share,
        CurveFunction::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

/// In plain `f64`, for differences; `None` where the gradient is not the slope.
pub(super) fn plain(operation: Operation, shapes: &[Vec<usize>], v: &[Vec<f64>]) -> Option<Vec<f64>> {
    let each = |f: &dyn Fn(f64) -> f64| v[0].iter().map(|&x| f(x)).collect::<Vec<f64>>();
    let pairs = |f: &dyn Fn(f64, f64) -> f64| v[0].iter().zip(&v[1]).map(|(&a, &b)| f(a, b)).collect();
    let map: [usize; 4] = shapes[0].as_slice().try_into().unwrap_or([1; 4]);
    Some(match operation {
        Operation::Conv(window) => naive::conv(map, Some(shapes[2][0]), &window, (&v[0], &v[1], &v[2])),
        Operation::Transposed(window, output) => transposed(map[0], &shapes[1], (&window, output), v),
        Operation::Depthwise(window) => naive::conv(map, None, &window, (&v[0], &v[1], &v[2])),
        Operation::Dense => dense(shapes[1][0], shapes[1][1], v),
        Operation::BatchNorm(clamp) => {
            let y = naive::batch_norm(v[1].len(), f64::from(EPSILON), &v[0], &v[1], &v[2]);
            y.into_iter().map(|y| clamped(y, clamp)).collect()
        }
        Operation::AvgPool(window) => naive::pool(map, true, &window, &v[0]),
        Operation::MaxPool(window) => naive::pool(map, false, &window, &v[0]),
        Operation::Clamp(clamp) => each(&|x| clamped(4.0 * x, clamp)),
        Operation::Curve(function) => each(&|x| curve(4.0 * x, function)),
        Operation::Add(clamp) => pairs(&|a, b| clamped(4.0 * a + b, clamp)),
        Operation::Mul => pairs(&|a, b| a * b),
        Operation::MulByChannel => {
            let [_, h, w, c] = map;
            (0..v[0].len()).map(|i| v[0][i] * v[1][i / (h * w * c) * c + i % c]).collect()
        }
        Operation::Concat => concat(shapes, v),
        Operation::Pad => padded(map, &v[0]),
        Operation::Upsample => upsampled(map, &v[0]),
        Operation::Dropout => {
            v[0].iter().zip(dropout_factors(v[0].len())).map(|(x, f)| x * f64::from(f)).collect()
        }
        Operation::StraightThrough => return None,
        Operation::CrossEntropy => {
            let targets: Vec<f64> = targets(shapes[0][0]).into_iter().map(f64::from).collect();
            naive::cross_entropy(CLASSES, &v[0], &targets)
        }
    })
}

fn dense(outputs: usize, features: usize, v: &[Vec<f64>]) -> Vec<f64> {
    let product = |n: usize, o: usize| {
        (0..features).map(|i| v[0][n * features + i] * v[1][o * features + i]).sum::<f64>()
    };
    let rows = v[0].len() / features;
    (0..rows * outputs).map(|i| product(i / outputs, i % outputs) + v[2][i % outputs]).collect()
}

/// What the convolution does to gradients, so an element of it is the convolution of a unit, weighted.
fn transposed(
    samples: usize,
    weights: &[usize],
    (window, output): (&Window, [usize; 2]),
    v: &[Vec<f64>],
) -> Vec<f64> {
    let result = [samples, output[0], output[1], weights[3]];
    let count = result.iter().product();
    let element = |place: usize| {
        let mut unit = vec![0.0; count];
        unit[place] = 1.0;
        let bias = vec![0.0; weights[0]];
        let forward = naive::conv(result, Some(weights[0]), window, (&unit, &v[1], &bias));
        forward.iter().zip(&v[0]).map(|(a, b)| a * b).sum()
    };
    (0..count).map(element).collect()
}

fn concat(shapes: &[Vec<usize>], v: &[Vec<f64>]) -> Vec<f64> {
    let mut out = Vec::new();
    for row in 0..shapes[0][..3].iter().product() {
        for (shape, x) in shapes.iter().zip(v) {
            out.extend_from_slice(&x[row * shape[3]..(row + 1) * shape[3]]);
        }
    }
    out
}

fn padded([n, h, w, c]: [usize; 4], x: &[f64]) -> Vec<f64> {
    let [height, width, channels] =
        [1, 2, 3].map(|axis| [n, h, w, c][axis] + PAD_BEFORE[axis] + PAD_AFTER[axis]);
    let mut out = vec![0.0; n * height * width * channels];
    for (i, x) in x.iter().enumerate() {
        let [k, q, p, n] = [i % c, i / c % w, i / c / w % h, i / c / w / h];
        let [p, q, k] = [p + PAD_BEFORE[1], q + PAD_BEFORE[2], k + PAD_BEFORE[3]];
        out[((n * height + p) * width + q) * channels + k] = *x;
    }
    out
}

fn upsampled([n, h, w, c]: [usize; 4], x: &[f64]) -> Vec<f64> {
    let [height, width] = [h * UPSAMPLE[0], w * UPSAMPLE[1]];
    let at = |i: usize| {
        let [k, q, p, n] = [i % c, i / c % width, i / c / width % height, i / c / width / height];
        x[((n * h + p / UPSAMPLE[0]) * w + q / UPSAMPLE[1]) * c + k]
    };
    (0..n * height * width * c).map(at).collect()
}

/// What libtorch pads, from the last dimension.
fn around(padding: &Padding) -> [i64; 4] {
    [padding.left, padding.right, padding.top, padding.bottom].map(|extent| extent as i64)
}

/// With libtorch's functions.
pub(super) fn in_torch(operation: Operation, v: &[Tensor]) -> Tensor {
    let scalar = |x: f32| f64::from(x);
    let clamped = |x: Tensor, clamp: Clamp| x.clamp(scalar(clamp.bounds().0), scalar(clamp.bounds().1));
    let constant = |elements: &[f32]| Tensor::from_slice(elements).to_kind(Kind::Double);
    match operation {
        Operation::Conv(_) | Operation::Transposed(..) | Operation::Depthwise(_) => convolution(operation, v),
        Operation::AvgPool(_) | Operation::MaxPool(_) => pool(operation, &v[0]),
        Operation::Dense => v[0].linear(&v[1], Some(&v[2])),
        Operation::BatchNorm(clamp) => {
            let x = v[0].permute([0, 3, 1, 2]);
            let none = None::<&Tensor>;
            let y = x.batch_norm(Some(&v[1]), Some(&v[2]), none, none, true, 0.1, scalar(EPSILON), false);
            clamped(y.permute([0, 2, 3, 1]), clamp)
        }
        Operation::Clamp(clamp) => clamped(&v[0] * 4.0, clamp),
        Operation::Curve(function) => match (&v[0] * 4.0, function) {
            (x, CurveFunction::Hswish) => x.hardswish(),
            (x, CurveFunction::Hsigmoid) => x.hardsigmoid(),
            (x, CurveFunction::Sigmoid) => x.sigmoid(),
        },
        Operation::Add(clamp) => clamped(&v[0] * 4.0 + &v[1], clamp),
        Operation::Mul => &v[0] * &v[1],
        Operation::MulByChannel => &v[0] * v[1].reshape([v[0].size()[0], 1, 1, v[0].size()[3]]),
        Operation::Concat => Tensor::cat(v, 3),
        Operation::Pad => {
            let widths: Vec<i64> =
                (0..4).rev().flat_map(|axis| [PAD_BEFORE[axis] as i64, PAD_AFTER[axis] as i64]).collect();
            v[0].pad(widths, "constant", 0.0)
        }
        Operation::Upsample => {
            let size = v[0].size();
            let output = [size[1] * UPSAMPLE[0] as i64, size[2] * UPSAMPLE[1] as i64];
            v[0].permute([0, 3, 1, 2]).upsample_nearest2d(output, None, None).permute([0, 2, 3, 1])
        }
        Operation::Dropout => &v[0] * constant(&dropout_factors(v[0].numel())).reshape(v[0].size()),
        Operation::StraightThrough => &v[0] + (v[0].floor() - &v[0]).detach(),
        Operation::CrossEntropy => {
            let rows = v[0].size()[0];
            let targets = constant(&targets(rows as usize)).reshape([rows, CLASSES as i64]);
            -(v[0].log_softmax(1, Kind::Double) * targets).sum(Kind::Double) / rows as f64
        }
    }
}

fn convolution(operation: Operation, v: &[Tensor]) -> Tensor {
    let two = |extents: [usize; 2]| extents.map(|extent| extent as i64);
    let x = v[0].permute([0, 3, 1, 2]);
    let y = match operation {
        Operation::Conv(window) => {
            let x = x.pad(around(&window.padding), "constant", 0.0);
            let w = v[1].permute([0, 3, 1, 2]);
            x.conv2d(&w, Some(&v[2]), two(window.stride), [0, 0], two(window.dilation), 1)
        }
        Operation::Depthwise(window) => {
            let x = x.pad(around(&window.padding), "constant", 0.0);
            let w = v[1].permute([3, 0, 1, 2]);
            x.conv2d(&w, Some(&v[2]), two(window.stride), [0, 0], two(window.dilation), v[2].size()[0])
        }
        Operation::Transposed(window, output) => {
            let Padding { top, bottom, left, right } = window.padding;
            let reach = [0, 1].map(|axis| (window.kernel[axis] - 1) * window.dilation[axis] + 1);
            let extents = [output[0] + top + bottom, output[1] + left + right];
            let behind = [0, 1].map(|axis| ((extents[axis] - reach[axis]) % window.stride[axis]) as i64);
            let (w, none) = (v[1].permute([0, 3, 1, 2]), None::<&Tensor>);
            let y = x.conv_transpose2d(&w, none, two(window.stride), [0, 0], behind, 1, two(window.dilation));
            y.narrow(2, top as i64, output[0] as i64).narrow(3, left as i64, output[1] as i64)
        }
        _ => unreachable!("`in_torch` asks for convolutions alone"),
    };
    y.permute([0, 2, 3, 1])
}

fn pool(operation: Operation, x: &Tensor) -> Tensor {
    let two = |extents: [usize; 2]| extents.map(|extent| extent as i64);
    let x = x.permute([0, 3, 1, 2]);
    let y = match operation {
        Operation::AvgPool(window) => {
            // The mean with padding by the mean of ones with padding.
            let mean = |x: &Tensor| {
                let around = x.pad(around(&window.padding), "constant", 0.0);
                around.avg_pool2d(two(window.kernel), two(window.stride), [0, 0], false, true, None)
            };
            mean(&x) / mean(&x.ones_like().detach())
        }
        Operation::MaxPool(window) => {
            let around = x.pad(around(&window.padding), "constant", f64::NEG_INFINITY);
            around.max_pool2d(two(window.kernel), two(window.stride), [0, 0], two(window.dilation), false)
        }
        _ => unreachable!("`in_torch` asks for pools alone"),
    };
    y.permute([0, 2, 3, 1])
}
