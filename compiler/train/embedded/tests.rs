use proptest::prelude::*;

use super::*;
use crate::ops::Padding;
use crate::train::engine::{REDUCE_CHUNK, ROWS_CHUNK, SAMPLES_CHUNK};

/// Random tensors and extents.
struct Draw {
    key: u64,
    /// Whether some elements are zeros of both signs, subnormal, at a bound of a clamp, not finite or no number.
    is_odd: bool,
}

impl Draw {
    fn number(&mut self, low: usize, high: usize) -> usize {
        self.key += 1;
        let uniform = EmbeddedEngine::portable().random(Distribution::Uniform, self.key, &[1]).data()[0];
        low + (uniform * (high + 1 - low) as f32) as usize
    }

    fn tensor(&mut self, shape: &[usize]) -> Tensor {
        self.key += 1;
        let engine = EmbeddedEngine::portable();
        let mut tensor = engine.random(Distribution::Normal, self.key, shape);
        if self.is_odd {
            let drawn = engine.random(Distribution::Uniform, !self.key, shape);
            for (x, drawn) in tensor.data_mut().iter_mut().zip(drawn.data()) {
                *x = match (drawn * 1000.0) as usize {
                    0 => f32::NAN,
                    1 => f32::INFINITY,
                    2 => f32::NEG_INFINITY,
                    3 => f32::MAX,
                    4..20 => -0.0,
                    20..40 => 0.0,
                    40..80 => *x * 1e-39,
                    80..100 => 6.0,
                    _ => *x,
                };
            }
        }
        tensor
    }

    /// A window, an input that it fits and the output.
    fn window(&mut self) -> (Window, [usize; 2], [usize; 2]) {
        loop {
            let window = Window {
                kernel: [self.number(1, 4), self.number(1, 3)],
                stride: [self.number(1, 3), self.number(1, 2)],
                dilation: [self.number(1, 2), self.number(1, 2)],
                padding: Padding {
                    top: self.number(0, 2),
                    bottom: self.number(0, 2),
                    left: self.number(0, 2),
                    right: self.number(0, 1),
                },
            };
            let input = [self.number(1, 9), self.number(1, 8)];
            if let Ok(output) = window.output("test", input) {
                return (window, input, output);
            }
        }
    }
}

type Results = Vec<(&'static str, Vec<u32>)>;

/// Payloads of what is no number are not part of the promise.
fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.data().iter().map(|x| if x.is_nan() { u32::MAX } else { x.to_bits() }).collect()
}

/// Every primitive that sums or has several versions, on random shapes.
fn run_all(engine: &EmbeddedEngine, seed: u64) -> Results {
    let mut results = Vec::new();
    let draw = &mut Draw { key: seed << 20, is_odd: seed % 2 == 1 };
    for _ in 0..2 {
        convolutions(engine, draw, &mut results);
    }
    matrices_and_norms(engine, draw, &mut results);
    let x = draw.tensor(&[2, draw.key as usize % 40 + 1, 9]);
    let y = draw.tensor(x.shape());
    let (low, high) = (-0.5, 0.8);
    for unary in [
        Unary::Negate,
        Unary::Abs,
        Unary::Relu,
        Unary::Relu6,
        Unary::Exp,
        Unary::Ln,
        Unary::Sqrt,
        Unary::Reciprocal,
        Unary::Square,
        Unary::Tanh,
        Unary::Sigmoid,
        Unary::Sign,
        Unary::Round,
        Unary::Floor,
        Unary::Affine { scale: 0.3, offset: 0.1 },
        Unary::Clamp { low, high },
        Unary::Above { threshold: 0.2 },
    ] {
        results.push(("map", bits(&engine.map(unary, &x))));
    }
    for binary in [
        Binary::Add,
        Binary::Subtract,
        Binary::Multiply,
        Binary::Divide,
        Binary::Max,
        Binary::Min,
        Binary::Combine { first: 0.9, second: 0.1 },
        Binary::AddClamped { low, high },
        Binary::Within { low, high },
    ] {
        results.push(("zip", bits(&engine.zip(binary, &x, &y))));
    }
    for axes in [&[0, 1][..], &[2], &[1], &[0, 1, 2], &[0, 2]] {
        results.push(("sum", bits(&engine.reduce(Reduction::Sum, &x, axes))));
        results.push(("max", bits(&engine.reduce(Reduction::Max, &x, axes))));
    }
    results
}

fn convolutions(engine: &EmbeddedEngine, draw: &mut Draw, results: &mut Results) {
    let (window, [h, w], [ho, wo]) = draw.window();
    // Now and then more channels than one tile has, of any instructions.
    let (n, c, o) = match draw.number(0, 3) {
        0 => (draw.number(1, 3), draw.number(20, 90), draw.number(60, 140)),
        _ => (draw.number(1, 20), draw.number(1, 20), draw.number(1, 34)),
    };
    let [kh, kw] = window.kernel;
    let x = draw.tensor(&[n, h, w, c]);
    let (weights, bias, dy) = (draw.tensor(&[o, kh, kw, c]), draw.tensor(&[o]), draw.tensor(&[n, ho, wo, o]));
    results.push(("conv2d", bits(&engine.conv2d(&x, &weights, Some(&bias), &window))));
    results.push(("conv2d dx", bits(&engine.conv2d_input_gradient(&dy, &weights, &window, [h, w]))));
    results.push(("conv2d dw", bits(&engine.conv2d_weight_gradient(&dy, &x, &window))));
    let (weights, bias, dy) = (draw.tensor(&[1, kh, kw, c]), draw.tensor(&[c]), draw.tensor(&[n, ho, wo, c]));
    results.push(("depthwise", bits(&engine.depthwise_conv2d(&x, &weights, Some(&bias), &window))));
    let dx = engine.depthwise_conv2d_input_gradient(&dy, &weights, &window, [h, w]);
    results.push(("depthwise dx", bits(&dx)));
    results.push(("depthwise dw", bits(&engine.depthwise_conv2d_weight_gradient(&dy, &x, &window))));
    results.push(("avg", bits(&engine.avg_pool2d(&x, &window))));
    results.push(("avg dx", bits(&engine.avg_pool2d_gradient(&dy, &window, [h, w]))));
    results.push(("max", bits(&engine.max_pool2d(&x, &window))));
    results.push(("max dx", bits(&engine.max_pool2d_gradient(&dy, &x, &window))));
}

fn matrices_and_norms(engine: &EmbeddedEngine, draw: &mut Draw, results: &mut Results) {
    let (m, k, n) = (draw.number(1, 40), draw.number(1, 50), draw.number(1, 40));
    let bias = draw.tensor(&[n]);
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        let left = draw.tensor(&if a { [k, m] } else { [m, k] });
        let right = draw.tensor(&if b { [n, k] } else { [k, n] });
        results.push(("gemm", bits(&engine.gemm(&left, &right, Transposed { a, b }, Some(&bias)))));
    }
    let (rows, c) = (draw.number(1, 5 * ROWS_CHUNK), draw.number(1, 70));
    let (x, dy) = (draw.tensor(&[rows, c]), draw.tensor(&[rows, c]));
    let (gamma, beta) = (draw.tensor(&[c]), draw.tensor(&[c]));
    let (mean, variance) = engine.batch_statistics(&x);
    let by = Normalization { mean: &mean, variance: &variance, gamma: &gamma, beta: &beta, epsilon: 1e-3 };
    let clamp = [Clamp::None, Clamp::Relu, Clamp::Relu6][draw.number(0, 2)];
    let gradient = engine.batch_norm_gradient(&dy, &x, &by, clamp);
    results.push(("norm", bits(&engine.batch_norm(&x, &by, clamp))));
    for (name, found) in [
        ("mean", &mean),
        ("variance", &variance),
        ("norm dx", &gradient.x),
        ("norm dgamma", &gradient.gamma),
        ("norm dbeta", &gradient.beta),
    ] {
        results.push((name, bits(found)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn instructions_and_threads_do_not_change_a_bit(seed in 0u64..1 << 40) {
        let expected = run_all(&EmbeddedEngine::portable(), seed);
        for engine in EmbeddedEngine::every() {
            for threads in [1, 2, 4] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
                let found = pool.install(|| run_all(&engine, seed));
                for ((name, bits), (_, wanted)) in found.iter().zip(&expected) {
                    prop_assert_eq!(bits, wanted, "{}: {} with {} threads", engine.instructions(), name, threads);
                }
            }
        }
    }

    #[test]
    fn convolutions_sum_in_the_stated_order(seed in 0u64..1 << 40) {
        let engine = EmbeddedEngine::new();
        let draw = &mut Draw { key: seed << 20, is_odd: false };
        let (window, input, output) = draw.window();
        let (n, c, o) = (draw.number(1, 9), draw.number(1, 5), draw.number(1, 6));
        let [kh, kw] = window.kernel;
        let x = draw.tensor(&[n, input[0], input[1], c]);
        let (w, bias) = (draw.tensor(&[o, kh, kw, c]), draw.tensor(&[o]));
        let dy = draw.tensor(&[n, output[0], output[1], o]);
        let naive = Naive { window, input, output };
        let found = engine.conv2d(&x, &w, Some(&bias), &window);
        prop_assert_eq!(found.data(), &naive.forward(&x, &w, &bias));
        let found = engine.conv2d_input_gradient(&dy, &w, &window, input);
        prop_assert_eq!(found.data(), &naive.input_gradient(&dy, &w));
        let found = engine.conv2d_weight_gradient(&dy, &x, &window);
        prop_assert_eq!(found.data(), &naive.weight_gradient(&dy, &x));
    }

    #[test]
    fn depthwise_convolutions_sum_in_the_stated_order(seed in 0u64..1 << 40) {
        let engine = EmbeddedEngine::new();
        let draw = &mut Draw { key: seed << 20, is_odd: false };
        let (window, input, output) = draw.window();
        let (n, c) = (draw.number(1, 9), draw.number(1, 11));
        let [kh, kw] = window.kernel;
        let x = draw.tensor(&[n, input[0], input[1], c]);
        let (w, bias) = (draw.tensor(&[1, kh, kw, c]), draw.tensor(&[c]));
        let dy = draw.tensor(&[n, output[0], output[1], c]);
        let naive = Naive { window, input, output };
        let (y, dx, dw) = naive.depthwise(&x, &w, &bias, &dy);
        let found = engine.depthwise_conv2d(&x, &w, Some(&bias), &window);
        prop_assert_eq!(found.data(), &y);
        let found = engine.depthwise_conv2d_input_gradient(&dy, &w, &window, input);
        prop_assert_eq!(found.data(), &dx);
        let found = engine.depthwise_conv2d_weight_gradient(&dy, &x, &window);
        prop_assert_eq!(found.data(), &dw);
    }

    #[test]
    fn products_and_sums_of_rows_keep_the_stated_order(seed in 0u64..1 << 40) {
        let engine = EmbeddedEngine::new();
        let draw = &mut Draw { key: seed << 20, is_odd: false };
        let (m, k, n) = (draw.number(1, 9), draw.number(1, 21), draw.number(1, 21));
        let (a, b) = (draw.tensor(&[m, k]), draw.tensor(&[k, n]));
        let chain = |i: usize| {
            (0..k).fold(0.0f32, |sum, k_| a.data()[i / n * k + k_].mul_add(b.data()[k_ * n + i % n], sum))
        };
        let found = engine.gemm(&a, &b, Transposed::default(), None);
        prop_assert_eq!(found.data(), &(0..m * n).map(chain).collect::<Vec<f32>>());

        let (rows, c) = (draw.number(1, 3 * ROWS_CHUNK), draw.number(1, 5));
        let x = draw.tensor(&[rows, c]);
        let (mean, variance) = engine.batch_statistics(&x);
        for channel in 0..c {
            let column: Vec<f32> = x.data().iter().skip(channel).step_by(c).copied().collect();
            let [center, squares] = moments(&column);
            prop_assert_eq!(mean.data()[channel], center);
            prop_assert_eq!(variance.data()[channel], squares / rows as f32);
        }
    }
}

/// Mean and sum of squared distances of rows, as the trait states them.
fn moments(column: &[f32]) -> [f32; 2] {
    let of_chunk = |chunk: &[f32]| {
        let strands = |f: &dyn Fn(f32, f32) -> f32| {
            let strand = |first: usize| chunk.iter().skip(first).step_by(2).fold(0.0, |sum, &x| f(x, sum));
            strand(0) + strand(1)
        };
        let mean = strands(&|x, sum| sum + x) * (1.0 / chunk.len() as f32);
        (chunk.len() as f32, mean, strands(&|x, sum| (x - mean).mul_add(x - mean, sum)))
    };
    let mut parts: Vec<(f32, f32, f32)> = column.chunks(ROWS_CHUNK).map(of_chunk).collect();
    while parts.len() > 1 {
        let merge = |pair: &[(f32, f32, f32)]| match pair {
            &[(n, m1, q1), (k, m2, q2)] => {
                let (delta, share) = (m2 - m1, k / (n + k));
                (n + k, delta.mul_add(share, m1), (delta * delta).mul_add(n * share, q1 + q2))
            }
            one => one[0],
        };
        parts = parts.chunks(2).map(merge).collect();
    }
    [parts[0].1, parts[0].2]
}

/// Partial results added in pairs of neighbours.
fn tree(parts: Vec<Vec<f32>>) -> Vec<f32> {
    let (size, mut all) = (parts[0].len(), parts.concat());
    tree::tree_in_place(&mut all, size);
    all[..size].to_vec()
}

/// The statements of the trait, word for word.
struct Naive {
    window: Window,
    input: [usize; 2],
    output: [usize; 2],
}

/// An element of a feature map; 0 outside.
fn element(x: &Tensor, n: usize, y: isize, column: isize, c: usize) -> f32 {
    let [_, height, width, channels] = x.nhwc();
    if y < 0 || column < 0 || y >= height as isize || column >= width as isize {
        return 0.0;
    }
    x.data()[((n * height + y as usize) * width + column as usize) * channels + c]
}

impl Naive {
    /// Where a tap of an output pixel reads.
    fn place(&self, axis: usize, output: usize, k: usize) -> isize {
        self.window.origin(axis, output) + (k * self.window.dilation[axis]) as isize
    }

    fn forward(&self, x: &Tensor, w: &Tensor, bias: &Tensor) -> Vec<f32> {
        let ([n, _, _, c], [o, kh, kw, _]) = (x.nhwc(), w.nhwc());
        let mut out = Vec::new();
        for (n, ho, wo, o) in indices([n, self.output[0], self.output[1], o]) {
            let mut sum = bias.data()[o];
            for (kh, kw, c, _) in indices([kh, kw, c, 1]) {
                let x = element(x, n, self.place(0, ho, kh), self.place(1, wo, kw), c);
                sum = x.mul_add(element(w, o, kh as isize, kw as isize, c), sum);
            }
            out.push(sum);
        }
        out
    }

    fn input_gradient(&self, dy: &Tensor, w: &Tensor) -> Vec<f32> {
        let ([n, _, _, _], [o, kh, kw, c]) = (dy.nhwc(), w.nhwc());
        let [sy, sx] = self.window.stride.map(|stride| stride as isize);
        let mut out = Vec::new();
        for (n, h, x, c) in indices([n, self.input[0], self.input[1], c]) {
            let mut sum = 0.0f32;
            // Later taps belong to earlier outputs.
            for (kh, kw) in (0..kh).rev().flat_map(|kh| (0..kw).rev().map(move |kw| (kh, kw))) {
                let (y, x) = (h as isize - self.place(0, 0, kh), x as isize - self.place(1, 0, kw));
                if y.rem_euclid(sy) == 0 && x.rem_euclid(sx) == 0 {
                    for o in 0..o {
                        let dy = element(dy, n, y.div_euclid(sy), x.div_euclid(sx), o);
                        sum = dy.mul_add(element(w, o, kh as isize, kw as isize, c), sum);
                    }
                }
            }
            out.push(sum);
        }
        out
    }

    fn weight_gradient(&self, dy: &Tensor, x: &Tensor) -> Vec<f32> {
        let ([samples, ho, wo, o], [_, _, _, c]) = (dy.nhwc(), x.nhwc());
        let mut out = Vec::new();
        for (o, kh, kw, c) in indices([o, self.window.kernel[0], self.window.kernel[1], c]) {
            let mut parts = Vec::new();
            for first in (0..samples).step_by(SAMPLES_CHUNK) {
                let mut sum = 0.0f32;
                for (n, ho, wo, _) in indices([SAMPLES_CHUNK.min(samples - first), ho, wo, 1]) {
                    let x = element(x, first + n, self.place(0, ho, kh), self.place(1, wo, kw), c);
                    sum = element(dy, first + n, ho as isize, wo as isize, o).mul_add(x, sum);
                }
                parts.push(vec![sum]);
            }
            out.extend(tree(parts));
        }
        out
    }
}

impl Naive {
    /// Output and both gradients of a depthwise convolution.
    fn depthwise(
        &self,
        x: &Tensor,
        w: &Tensor,
        bias: &Tensor,
        dy: &Tensor,
    ) -> (Vec<f32>, Vec<f32>, Vec<f32>) {
        let ([n, height, width, c], [_, kh, kw, _]) = (x.nhwc(), w.nhwc());
        let [ho, wo] = self.output;
        // The output pixel and input pixel of each tap that reads inside, with their channel.
        let mut taps = Vec::new();
        for (sample, p, q, channel) in indices([n, ho, wo, c]) {
            for (k, l, _, _) in indices([kh, kw, 1, 1]) {
                let (y, x) = (self.place(0, p, k), self.place(1, q, l));
                if (0..height as isize).contains(&y) && (0..width as isize).contains(&x) {
                    let input = ((sample * height + y as usize) * width + x as usize) * c + channel;
                    let output = ((sample * ho + p) * wo + q) * c + channel;
                    taps.push((sample / SAMPLES_CHUNK, output, input, (k * kw + l) * c + channel));
                }
            }
        }
        let (mut y, mut dx) = (bias.data().repeat(n * ho * wo), vec![0.0f32; x.data().len()]);
        let mut parts = vec![vec![0.0f32; w.data().len()]; n.div_ceil(SAMPLES_CHUNK)];
        for &(chunk, output, input, tap) in &taps {
            y[output] = x.data()[input].mul_add(w.data()[tap], y[output]);
            parts[chunk][tap] = dy.data()[output].mul_add(x.data()[input], parts[chunk][tap]);
        }
        taps.sort_by_key(|&(_, output, input, _)| (input, output));
        for &(_, output, input, tap) in &taps {
            dx[input] = dy.data()[output].mul_add(w.data()[tap], dx[input]);
        }
        (y, dx, tree(parts))
    }
}

fn indices([a, b, c, d]: [usize; 4]) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a * b * c * d).map(move |i| (i / d / c / b, i / d / c % b, i / d % c, i % d))
}

#[test]
fn this_processor_is_used_as_far_as_it_goes() {
    #[cfg(target_arch = "x86_64")]
    {
        let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let avx512 = avx2
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl");
        let best = match (avx512, avx2) {
            (true, _) => "avx512",
            (_, true) => "avx2",
            _ => "portable",
        };
        assert_eq!(EmbeddedEngine::new().instructions(), best);
    }
    #[cfg(target_arch = "aarch64")]
    assert_eq!(EmbeddedEngine::new().instructions(), "neon");
    assert_eq!(EmbeddedEngine::portable().instructions(), "portable");
}

#[test]
fn sums_are_trees_of_chunks() {
    // One large term in the first chunk swallows the ones of its own chunk only.
    let mut terms = vec![1.0; 4 * REDUCE_CHUNK];
    terms[0] = 33_554_432.0;
    let engine = EmbeddedEngine::new();
    let x = engine.upload(&[4 * REDUCE_CHUNK], &terms);
    let sum = engine.reduce(Reduction::Sum, &x, &[0]);
    assert_eq!(sum.data(), [33_554_432.0 + 3.0 * REDUCE_CHUNK as f32]);
}

#[test]
fn structure_moves_elements() {
    let engine = EmbeddedEngine::new();
    let x = engine.upload(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(engine.permute(&x, &[1, 0]).data(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(engine.slice(&x, &[1, 1], &[1, 2]).data(), [5.0, 6.0]);
    let padded = engine.pad(&x, &[0, 1], &[1, 0], 9.0);
    assert_eq!(padded.shape(), [3, 4]);
    assert_eq!(padded.data(), [9.0, 1.0, 2.0, 3.0, 9.0, 4.0, 5.0, 6.0, 9.0, 9.0, 9.0, 9.0]);
    let joined = engine.concat(&[&x, &engine.slice(&x, &[0, 0], &[2, 1])], 1);
    assert_eq!(joined.data(), [1.0, 2.0, 3.0, 1.0, 4.0, 5.0, 6.0, 4.0]);
    assert_eq!(engine.concat(&[&x, &x], 0).shape(), [4, 3]);
    let picked = engine.gather(&x, 1, &[2, 0, 2]);
    assert_eq!(picked.data(), [3.0, 1.0, 3.0, 6.0, 4.0, 6.0]);
    assert_eq!(engine.scatter_add(&picked, 1, &[2, 0, 2], 3).data(), [1.0, 0.0, 6.0, 4.0, 0.0, 12.0]);
    let row = engine.upload(&[3], &[1.0, 2.0, 3.0]);
    assert_eq!(engine.broadcast(&row, &[2, 3]).data(), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
    let column = engine.reduce(Reduction::Max, &x, &[1]);
    assert_eq!((column.shape(), column.data()), (&[2, 1][..], &[3.0, 6.0][..]));
    assert_eq!(engine.broadcast(&column, &[2, 2]).data(), [3.0, 3.0, 6.0, 6.0]);
    assert_eq!(engine.full(&[2], 0.5).data(), [0.5, 0.5]);
}

#[test]
fn random_elements_depend_on_key_and_place_alone() {
    let engine = EmbeddedEngine::new();
    let long = engine.random(Distribution::Normal, 5, &[40_000]);
    let short = engine.random(Distribution::Normal, 5, &[17]);
    assert_eq!(&long.data()[..17], short.data());
    assert_ne!(engine.random(Distribution::Normal, 6, &[17]), short);
    let moments = |x: &Tensor| {
        let mean = x.data().iter().sum::<f32>() / 40_000.0;
        (mean, x.data().iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / 40_000.0)
    };
    let (mean, variance) = moments(&long);
    assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    let (mean, variance) = moments(&engine.random(Distribution::Uniform, 5, &[40_000]));
    assert!((mean - 0.5).abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.003, "{mean} {variance}");
    // Euler's constant and pi^2 / 6.
    let (mean, variance) = moments(&engine.random(Distribution::Gumbel, 5, &[40_000]));
    assert!((mean - 0.577).abs() < 0.03 && (variance - 1.645).abs() < 0.1, "{mean} {variance}");
}

#[test]
fn what_is_no_number_stays_so_in_activations() {
    let engine = EmbeddedEngine::new();
    let x = engine.upload(&[3], &[f32::NAN, -1.0, 7.0]);
    for (unary, wanted) in [(Unary::Relu, 7.0), (Unary::Relu6, 6.0)] {
        let y = engine.map(unary, &x);
        assert!(y.data()[0].is_nan());
        assert_eq!(y.data()[1..], [0.0, wanted]);
    }
}

#[test]
fn windows_beside_the_input_read_zeros() {
    let engine = EmbeddedEngine::new();
    let draw = &mut Draw { key: 77, is_odd: false };
    let window = |kernel, stride, padding| Window { kernel, stride, dilation: [1, 1], padding };
    for window in [
        window([1, 1], [1, 20], Padding { left: 10, ..Padding::default() }),
        window([2, 1], [7, 1], Padding { top: 9, bottom: 30, ..Padding::default() }),
        window([1, 2], [60_000, 60_000], Padding::default()),
    ] {
        let (input, c) = ([3, 3], 150);
        let output = window.output("test", input).expect("it fits");
        let ([kh, kw], [ho, wo]) = (window.kernel, output);
        let x = draw.tensor(&[1, input[0], input[1], c]);
        let (w, bias, dy) = (draw.tensor(&[2, kh, kw, c]), draw.tensor(&[2]), draw.tensor(&[1, ho, wo, 2]));
        let naive = Naive { window, input, output };
        assert_eq!(engine.conv2d(&x, &w, Some(&bias), &window).data(), naive.forward(&x, &w, &bias));
        let found = engine.conv2d_input_gradient(&dy, &w, &window, input);
        assert_eq!(found.data(), naive.input_gradient(&dy, &w));
        assert_eq!(engine.conv2d_weight_gradient(&dy, &x, &window).data(), naive.weight_gradient(&dy, &x));
        let (w, bias, dy) = (draw.tensor(&[1, kh, kw, c]), draw.tensor(&[c]), draw.tensor(&[1, ho, wo, c]));
        let (y, dx, dw) = naive.depthwise(&x, &w, &bias, &dy);
        assert_eq!(engine.depthwise_conv2d(&x, &w, Some(&bias), &window).data(), y);
        assert_eq!(engine.depthwise_conv2d_input_gradient(&dy, &w, &window, input).data(), dx);
        assert_eq!(engine.depthwise_conv2d_weight_gradient(&dy, &x, &window).data(), dw);
    }
}

#[test]
fn tensors_may_have_no_elements() {
    let engine = EmbeddedEngine::new();
    let [window, none] = [Window::valid([2, 2], [1, 1]), Window::valid([1, 1], [1, 1])];
    let (x, dy) = (engine.full(&[0, 3, 3, 5], 1.0), engine.full(&[0, 2, 2, 4], 1.0));
    let w = engine.full(&[4, 2, 2, 5], 1.0);
    assert_eq!(engine.conv2d(&x, &w, None, &window).shape(), [0, 2, 2, 4]);
    assert_eq!(engine.conv2d_input_gradient(&dy, &w, &window, [3, 3]).shape(), [0, 3, 3, 5]);
    assert_eq!(engine.conv2d_weight_gradient(&dy, &x, &window), engine.full(&[4, 2, 2, 5], 0.0));
    let (x, w, bias) = (engine.full(&[1, 3, 3, 0], 1.0), engine.full(&[4, 1, 1, 0], 1.0), [0.5; 4]);
    let bias = engine.upload(&[4], &bias);
    assert_eq!(engine.conv2d(&x, &w, Some(&bias), &none), engine.full(&[1, 3, 3, 4], 0.5));
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        for [m, k, n] in [[0, 3, 4], [2, 0, 4], [2, 3, 0]] {
            let left = engine.full(&if a { [k, m] } else { [m, k] }, 1.0);
            let right = engine.full(&if b { [n, k] } else { [k, n] }, 1.0);
            let bias = engine.full(&[n], 0.5);
            let found = engine.gemm(&left, &right, Transposed { a, b }, Some(&bias));
            assert_eq!(found, engine.full(&[m, n], 0.5 + k as f32));
        }
    }
}

#[test]
fn shapes_that_do_not_fit_panic() {
    fn by(one: &Tensor) -> Normalization<'_, Tensor> {
        Normalization { mean: one, variance: one, gamma: one, beta: one, epsilon: 1.0 }
    }
    let engine = EmbeddedEngine::new();
    let full = |shape: &[usize]| engine.full(shape, 1.0);
    let window = Window::valid([2, 2], [1, 1]);
    let (rows, map) = (full(&[300, 4]), full(&[1, 4, 4, 2]));
    let (four, three) = (full(&[4]), full(&[3]));
    let cases: [(&str, &dyn Fn() -> Tensor); 9] = [
        ("norm", &|| engine.batch_norm(&rows, &by(&three), Clamp::None)),
        ("norm dx", &|| engine.batch_norm_gradient(&full(&[1, 4]), &rows, &by(&four), Clamp::None).x),
        ("gather", &|| engine.gather(&full(&[2, 2]), 1, &[2])),
        ("scatter", &|| engine.scatter_add(&full(&[2, 1]), 1, &[2], 2)),
        ("concat", &|| engine.concat(&[&full(&[2, 3, 1]), &full(&[3, 2, 1])], 2)),
        ("avg dx", &|| engine.avg_pool2d_gradient(&full(&[1, 4, 3, 2]), &window, [4, 4])),
        ("max dx", &|| engine.max_pool2d_gradient(&full(&[1, 4, 3, 2]), &map, &window)),
        ("conv2d dw", &|| engine.conv2d_weight_gradient(&full(&[1, 4, 4, 2]), &map, &window)),
        ("depthwise dw", &|| engine.depthwise_conv2d_weight_gradient(&full(&[1, 3, 3, 1]), &map, &window)),
    ];
    for (name, run) in cases {
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        assert!(found.is_err(), "{name}");
    }
}
