use proptest::prelude::*;

use super::*;
use crate::tensor::{Shape, arith};

mod imported;
mod others;

/// A window and an input that it fits.
#[derive(Clone, Debug)]
struct Case {
    window: Window,
    x: [usize; 4],
    filters: usize,
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let axis = || (1usize..4, 1usize..4, 1usize..3, 0usize..3, 0usize..3, 0usize..5);
    ((axis(), axis()), (1usize..3, 1usize..5), 1usize..5, any::<u64>()).prop_map(
        |((vertical, horizontal), (batch, channels), filters, seed)| {
            let extent =
                |(kernel, _, dilation, before, after, more): (usize, usize, usize, usize, usize, usize)| {
                    ((kernel - 1) * dilation + 1).saturating_sub(before + after).max(1) + more
                };
            let window = Window {
                kernel: [vertical.0, horizontal.0],
                stride: [vertical.1, horizontal.1],
                dilation: [vertical.2, horizontal.2],
                padding: Padding {
                    top: vertical.3,
                    bottom: vertical.4,
                    left: horizontal.3,
                    right: horizontal.4,
                },
            };
            Case { window, x: [batch, extent(vertical), extent(horizontal), channels], filters, seed }
        },
    )
}

/// Integers of `-bound..=bound` that follow from the seed.
fn numbers(seed: u64, n: usize, bound: i32) -> Vec<i32> {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i32 % (bound + 1) * if state & (1 << 32) == 0 { 1 } else { -1 }
    };
    (0..n).map(|_| next()).collect()
}

fn float(shape: &[usize], numbers: &[i32], scale: f32) -> (TensorType, Value) {
    let ty = TensorType::f32(Shape::from(shape));
    let value = Value::from_f32(&ty.shape, numbers.iter().map(|&x| x as f32 * scale).collect());
    (ty, value.expect("as many as the shape has"))
}

fn integer(dtype: DType, shape: &[usize], numbers: &[i32], quant: Quant) -> (TensorType, Value) {
    let ty = TensorType::quantized(dtype, Shape::from(shape), quant);
    let value = Value::from_i32_vec(dtype, &ty.shape, numbers).expect("numbers of this type");
    (ty, value)
}

fn evaluate(op: impl Into<Op>, inputs: &[&(TensorType, Value)]) -> (TensorType, Value) {
    let op = op.into();
    let types: Vec<&TensorType> = inputs.iter().map(|input| &input.0).collect();
    let values: Vec<&Value> = inputs.iter().map(|input| &input.1).collect();
    let output = op.infer(&types).expect("fits");
    let value = op.evaluate(&values, &types, &output);
    assert_eq!((value.dtype(), value.shape()), (output.dtype, output.shape.clone()));
    (output, value)
}

fn reals((_, value): &(TensorType, Value)) -> Vec<f32> {
    value.as_f32().expect("floats").iter().copied().collect()
}

fn whole((_, value): &(TensorType, Value)) -> Vec<i32> {
    value.to_i32_vec().expect("integers")
}

fn requant(scale: f32, zero_point: i32) -> Option<Requant> {
    Some(Requant { dtype: DType::I8, scale: Scale(scale), zero_point, rounding: Rounding::Double })
}

/// Where a tap of an output lies in the input along an axis, if inside.
fn inside(window: &Window, axis: usize, output: usize, tap: usize, extent: usize) -> Option<usize> {
    let before = [window.padding.top, window.padding.left][axis];
    let padded = output * window.stride[axis] + tap * window.dilation[axis];
    padded.checked_sub(before).filter(|&at| at < extent)
}

/// The definition: seven loops, each index by itself.
fn naive_conv2d(case: &Case, x: &[f32], w: &[f32], b: &[f32], [ho, wo]: [usize; 2]) -> Vec<f64> {
    let [n, height, width, channels] = case.x;
    let [kh, kw] = case.window.kernel;
    let mut out = Vec::new();
    for (n, oy, ox, o) in indices([n, ho, wo, case.filters]) {
        let mut sum = f64::from(b[o]);
        for (ky, kx, c, _) in indices([kh, kw, channels, 1]) {
            let y = inside(&case.window, 0, oy, ky, height);
            let x_at = inside(&case.window, 1, ox, kx, width);
            if let (Some(iy), Some(ix)) = (y, x_at) {
                let x = x[((n * height + iy) * width + ix) * channels + c];
                sum += f64::from(x) * f64::from(w[((o * kh + ky) * kw + kx) * channels + c]);
            }
        }
        out.push(sum);
    }
    out
}

fn indices([a, b, c, d]: [usize; 4]) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a * b * c * d).map(move |i| (i / d / c / b, i / d / c % b, i / d % c, i % d))
}

fn close(found: &[f32], wanted: impl IntoIterator<Item = f64>, tolerance: f64) -> Result<(), TestCaseError> {
    let wanted: Vec<f64> = wanted.into_iter().collect();
    prop_assert_eq!(found.len(), wanted.len());
    for (&found, &wanted) in found.iter().zip(&wanted) {
        let error = (f64::from(found) - wanted).abs();
        prop_assert!(error <= tolerance * wanted.abs().max(1.0), "{} is not {}", found, wanted);
    }
    Ok(())
}

/// The float operands of a convolution in this case.
fn operands(case: &Case) -> [(TensorType, Value); 3] {
    let [kh, kw] = case.window.kernel;
    let w = [case.filters, kh, kw, case.x[3]];
    let count = |shape: &[usize]| shape.iter().product();
    [
        float(&case.x, &numbers(case.seed, count(&case.x), 127), 1.0 / 64.0),
        float(&w, &numbers(case.seed ^ 1, count(&w), 127), 1.0 / 100.0),
        float(&[case.filters], &numbers(case.seed ^ 2, case.filters, 1000), 1.0 / 300.0),
    ]
}

proptest! {
    #[test]
    fn float_convolution_is_its_definition(case in cases()) {
        let [x, w, b] = operands(&case);
        let op = Conv2d { window: case.window, clamp: Clamp::None, requant: None };
        let found = evaluate(op, &[&x, &w, &b]);
        let [_, ho, wo, _] = found.0.shape.nhwc().expect("a feature map");
        close(&reals(&found), naive_conv2d(&case, &reals(&x), &reals(&w), &reals(&b), [ho, wo]), 1e-5)?;
    }

    /// Scales are powers of two and the output's is the product of the others, so both ways are exact.
    #[test]
    fn integer_convolution_is_the_float_one_of_what_it_stands_for(
        case in cases(), zero_points in (-128i32..128, -128i32..128), relu in any::<bool>(),
    ) {
        let [kh, kw] = case.window.kernel;
        let w_shape = [case.filters, kh, kw, case.x[3]];
        let count = |shape: &[usize]| shape.iter().product();
        let steps = numbers(case.seed, count(&case.x), 20);
        let xs: Vec<i32> = steps.iter().map(|&x| (x + zero_points.0).clamp(-128, 127)).collect();
        let centered: Vec<i32> = xs.iter().map(|&x| x - zero_points.0).collect();
        let ws = numbers(case.seed ^ 1, count(&w_shape), 3);
        let bs = numbers(case.seed ^ 2, case.filters, 90);
        let clamp = if relu { Clamp::Relu } else { Clamp::None };
        let integers = evaluate(
            Conv2d { window: case.window, clamp, requant: requant(1.0 / 1024.0, zero_points.1) },
            &[
                &integer(DType::I8, &case.x, &xs, Quant::per_tensor(0.25, zero_points.0)),
                &integer(DType::I8, &w_shape, &ws, Quant::per_channel(vec![1.0 / 256.0; case.filters], 0)),
                &integer(DType::I32, &[case.filters], &bs, Quant::per_tensor(1.0 / 1024.0, 0)),
            ],
        );
        let floats = evaluate(
            Conv2d { window: case.window, clamp, requant: None },
            &[
                &float(&case.x, &centered, 0.25),
                &float(&w_shape, &ws, 1.0 / 256.0),
                &float(&[case.filters], &bs, 1.0 / 1024.0),
            ],
        );
        let quantize = |y| arith::quantize(y, 1.0 / 1024.0, zero_points.1, (-128, 127));
        let wanted: Vec<i32> = reals(&floats).into_iter().map(quantize).collect();
        prop_assert_eq!(whole(&integers), wanted);
    }

    #[test]
    fn depthwise_convolution_is_a_convolution_with_diagonal_weights(case in cases()) {
        let case = Case { filters: case.x[3], ..case };
        let [x, _, b] = operands(&case);
        let ([kh, kw], channels) = (case.window.kernel, case.x[3]);
        let thin = numbers(case.seed ^ 1, kh * kw * channels, 127);
        let mut wide = vec![0; channels * kh * kw * channels];
        for (o, tap, c, _) in indices([channels, kh * kw, channels, 1]) {
            if o == c {
                wide[(o * kh * kw + tap) * channels + c] = thin[tap * channels + c];
            }
        }
        let depthwise = DepthwiseConv2d { window: case.window, clamp: Clamp::Relu6, requant: None };
        let found = evaluate(depthwise, &[&x, &float(&[1, kh, kw, channels], &thin, 0.01), &b]);
        let conv = Conv2d { window: case.window, clamp: Clamp::Relu6, requant: None };
        let wanted = evaluate(conv, &[&x, &float(&[channels, kh, kw, channels], &wide, 0.01), &b]);
        close(&reals(&found), reals(&wanted).into_iter().map(f64::from), 1e-5)?;

        let scales: Vec<f32> = (0..channels).map(|c| 0.01 + c as f32 * 0.003).collect();
        let q = Quant::per_tensor(0.03, 5);
        let x = integer(DType::I8, &case.x, &numbers(case.seed, reals(&x).len(), 127), q);
        let bias = numbers(case.seed ^ 2, channels, 5000);
        let b = integer(DType::I32, &[channels], &bias, Quant::per_tensor(1.0, 0));
        let thin = integer(DType::I8, &[1, kh, kw, channels], &thin, Quant::per_channel(scales.clone(), 3));
        let wide = integer(DType::I8, &[channels, kh, kw, channels], &wide, Quant::per_channel(scales, 0));
        let requant = requant(0.05, -20);
        let found =
            evaluate(DepthwiseConv2d { window: case.window, clamp: Clamp::None, requant }, &[&x, &thin, &b]);
        let wanted = evaluate(Conv2d { window: case.window, clamp: Clamp::None, requant }, &[&x, &wide, &b]);
        prop_assert_eq!(whole(&found), whole(&wanted));
    }

    #[test]
    fn folding_a_normalisation_changes_nothing(case in cases(), depthwise in any::<bool>()) {
        let case = if depthwise { Case { filters: case.x[3], ..case } } else { case };
        let [x, mut w, b] = operands(&case);
        let [kh, kw] = case.window.kernel;
        let n = case.filters;
        let (window, epsilon) = (case.window, Scale(1e-3));
        if depthwise {
            w = float(&[1, kh, kw, n], &numbers(case.seed ^ 1, kh * kw * n, 127), 0.01);
        }
        let param = |salt, offset| {
            let positive = numbers(case.seed ^ salt, n, 100).iter().map(|x| x.abs() + offset).collect::<Vec<_>>();
            float(&[n], &positive, 0.02)
        };
        let [gamma, beta, mean, variance] = [param(3, -50), param(4, -20), param(5, -30), param(6, 5)];
        let conv: Op = if depthwise {
            DepthwiseConv2d { window, clamp: Clamp::None, requant: None }.into()
        } else {
            Conv2d { window, clamp: Clamp::None, requant: None }.into()
        };
        let y = evaluate(conv.clone(), &[&x, &w, &b]);
        let apart = evaluate(BatchNorm { epsilon }, &[&y, &gamma, &beta, &mean, &variance]);
        let axis = if depthwise { 3 } else { 0 };
        let w = evaluate(FoldWeight { axis, epsilon }, &[&w, &gamma, &variance]);
        let b = evaluate(FoldBias { epsilon }, &[&b, &gamma, &beta, &mean, &variance]);
        let folded = evaluate(conv, &[&x, &w, &b]);
        close(&reals(&folded), reals(&apart).into_iter().map(f64::from), 1e-4)?;
    }

    #[test]
    fn pools_see_the_elements_inside_their_windows(case in cases(), zero_point in -20i32..20) {
        let [n, height, width, channels] = case.x;
        let data = numbers(case.seed, n * height * width * channels, 127);
        let x = float(&case.x, &data, 1.0);
        let avg = AvgPool2d { window: case.window, clamp: Clamp::None };
        let max = MaxPool2d { window: case.window, clamp: Clamp::Relu };
        let [ho, wo] = case.window.output("pool", [height, width]).expect("fits");
        let window = |(n, oy, ox, c): (usize, usize, usize, usize)| -> Vec<i32> {
            let at = |iy, ix| data[((n * height + iy) * width + ix) * channels + c];
            indices([case.window.kernel[0], case.window.kernel[1], 1, 1])
                .filter_map(|(ky, kx, ..)| {
                    let iy = inside(&case.window, 0, oy, ky, height)?;
                    Some(at(iy, inside(&case.window, 1, ox, kx, width)?))
                })
                .collect()
        };
        let windows: Vec<Vec<i32>> = indices([n, ho, wo, channels]).map(window).collect();
        if windows.iter().any(Vec::is_empty) {
            prop_assert_eq!(avg.infer(&[&x.0]).expect_err("a blind window").kind, ShapeErrorKind::Window);
            prop_assert_eq!(max.infer(&[&x.0]).expect_err("a blind window").kind, ShapeErrorKind::Window);
            return Ok(());
        }
        let mean = |w: &Vec<i32>| f64::from(w.iter().sum::<i32>()) / w.len() as f64;
        let most = |w: &Vec<i32>| *w.iter().max().expect("not empty");
        close(&reals(&evaluate(avg.clone(), &[&x])), windows.iter().map(mean), 1e-6)?;
        close(&reals(&evaluate(max.clone(), &[&x])), windows.iter().map(|w| f64::from(most(w).max(0))), 0.0)?;
        let x = integer(DType::I8, &case.x, &data, Quant::per_tensor(0.5, zero_point));
        let means: Vec<i32> = windows.iter().map(|w| mean(w).round() as i32).collect();
        prop_assert_eq!(whole(&evaluate(avg, &[&x])), means);
        let greatest: Vec<i32> = windows.iter().map(|w| most(w).max(zero_point)).collect();
        prop_assert_eq!(whole(&evaluate(max, &[&x])), greatest);
    }

    #[test]
    fn integer_sums_are_within_a_step_of_the_real_ones(
        seed in any::<u64>(), scales in (0.01f32..1.0, 0.01f32..1.0, 0.01f32..1.0), zero_points in prop::array::uniform3(-128i32..128),
    ) {
        let [xs, ys] = [numbers(seed, 50, 127), numbers(seed ^ 1, 50, 127)];
        let a = integer(DType::I8, &[1, 50], &xs, Quant::per_tensor(scales.0, zero_points[0]));
        let b = integer(DType::I8, &[1, 50], &ys, Quant::per_tensor(scales.1, zero_points[1]));
        let op = Add { clamp: Clamp::None, requant: requant(scales.2, zero_points[2]) };
        for ((found, a), b) in whole(&evaluate(op, &[&a, &b])).into_iter().zip(xs).zip(ys) {
            let real = f64::from(scales.0) * f64::from(a - zero_points[0]) + f64::from(scales.1) * f64::from(b - zero_points[1]);
            let wanted = (real / f64::from(scales.2) + f64::from(zero_points[2])).clamp(-128.0, 127.0);
            prop_assert!((f64::from(found) - wanted).abs() <= 0.501, "{} is not {}", found, wanted);
        }
    }

    #[test]
    fn dense_is_a_pointwise_convolution(seed in any::<u64>(), n in 1usize..4, features in 1usize..20, units in 1usize..9) {
        let x = numbers(seed, n * features, 127);
        let w = numbers(seed ^ 1, units * features, 127);
        let b = integer(DType::I32, &[units], &numbers(seed ^ 2, units, 9000), Quant::per_tensor(1.0, 0));
        let (xq, wq, requant) = (Quant::per_tensor(0.02, -3), Quant::per_tensor(0.01, 0), requant(0.3, 4));
        let dense = evaluate(
            Dense { clamp: Clamp::Relu6, requant },
            &[
                &integer(DType::I8, &[n, features], &x, xq.clone()),
                &integer(DType::I8, &[units, features], &w, wq.clone()),
                &b,
            ],
        );
        let conv = evaluate(
            Conv2d { window: Window::valid([1, 1], [1, 1]), clamp: Clamp::Relu6, requant },
            &[
                &integer(DType::I8, &[n, 1, 1, features], &x, xq),
                &integer(DType::I8, &[units, 1, 1, features], &w, wq),
                &b,
            ],
        );
        prop_assert_eq!(whole(&dense), whole(&conv));
    }
}

#[test]
fn sums_beyond_32_bits_saturate() {
    let q = Quant::per_tensor(0.5, -128);
    let x = integer(DType::I8, &[1, 2], &[127, 127], q);
    let w = integer(DType::I8, &[2, 2], &[127, 127, -127, -127], Quant::per_tensor(0.5, 0));
    let b = integer(DType::I32, &[2], &[i32::MAX, i32::MIN], Quant::per_tensor(0.25, 0));
    let y = evaluate(Dense { clamp: Clamp::None, requant: requant(1e7, 0) }, &[&x, &w, &b]);
    assert_eq!(whole(&y), [54, -54]);
}

#[test]
fn an_activation_clamps_integers_at_its_zero_point() {
    let x = integer(DType::I8, &[1, 5], &[-128, -4, -3, 50, 127], Quant::per_tensor(0.1, -3));
    assert_eq!(whole(&evaluate(Activation { clamp: Clamp::Relu6 }, &[&x])), [-3, -3, -3, 50, 57]);
    assert_eq!(whole(&evaluate(Activation { clamp: Clamp::None }, &[&x])), whole(&x));
}

#[test]
fn what_has_no_evaluation_is_refused() {
    let window = Window::valid([1, 1], [1, 1]);
    let conv = Conv2d { window, clamp: Clamp::None, requant: requant(0.1, 0) };
    let i8s = |shape: [usize; 4], quant| TensorType::quantized(DType::I8, shape, quant);
    let x = i8s([1, 2, 2, 3], Quant::per_tensor(0.1, 0));
    let w = i8s([4, 1, 1, 3], Quant::per_channel(vec![0.1; 4], 0));
    let b = TensorType::quantized(DType::I32, [4], Quant::per_tensor(0.01, 0));
    conv.infer(&[&x, &w, &b]).expect("fits");
    let refused = |op: &dyn Fn() -> Result<TensorType, ShapeError>| op().expect_err("refused").kind;
    let wrong_axis = i8s([4, 1, 1, 3], Quant::per_channel(vec![0.1; 3], 3));
    assert_eq!(refused(&|| conv.infer(&[&x, &wrong_axis, &b])), ShapeErrorKind::Type);
    let off_zero = i8s([4, 1, 1, 3], Quant::per_tensor(0.1, 1));
    assert_eq!(refused(&|| conv.infer(&[&x, &off_zero, &b])), ShapeErrorKind::Type);
    let float_bias = TensorType::f32([4]);
    assert_eq!(refused(&|| conv.infer(&[&x, &w, &float_bias])), ShapeErrorKind::Type);
    let bare = TensorType { quant: None, ..x.clone() };
    assert_eq!(refused(&|| Activation { clamp: Clamp::Relu }.infer(&[&bare])), ShapeErrorKind::Type);
    let float = Conv2d { requant: None, ..conv.clone() };
    let x = TensorType::f32([1, 2, 2, 3]);
    assert_eq!(refused(&|| float.infer(&[&x, &w, &float_bias])), ShapeErrorKind::Type);
}
