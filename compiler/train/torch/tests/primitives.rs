//! Every primitive on random shapes, on both engines.

use std::collections::BTreeMap;

use super::{Draw, relative_error, wide};
use crate::ops::{Clamp, Padding, Window};
use crate::train::EmbeddedEngine;
use crate::train::engine::{
    Binary, Distribution, Engine, Normalization, ROWS_CHUNK, Reduction, Transposed, Unary,
};
use crate::train::torch::TorchEngine;

/// What each primitive gave.
struct Results<'e, E> {
    engine: &'e E,
    found: Vec<(&'static str, Vec<usize>, Vec<f32>)>,
}

impl<E: Engine> Results<'_, E> {
    fn take(&mut self, name: &'static str, x: &E::Tensor) {
        self.found.push((name, self.engine.shape(x).to_vec(), self.engine.download(x)));
    }
}

/// A window, an input that it fits and the output.
fn window<E: Engine>(draw: &mut Draw<'_, E>) -> (Window, [usize; 2], [usize; 2]) {
    loop {
        let window = Window {
            kernel: [draw.number(1, 4), draw.number(1, 3)],
            stride: [draw.number(1, 3), draw.number(1, 2)],
            dilation: [draw.number(1, 2), draw.number(1, 2)],
            padding: Padding {
                top: draw.number(0, 2),
                bottom: draw.number(0, 2),
                left: draw.number(0, 2),
                right: draw.number(0, 1),
            },
        };
        let input = [draw.number(1, 9), draw.number(1, 8)];
        if let Ok(output) = window.output("test", input) {
            return (window, input, output);
        }
    }
}

fn windows<E: Engine>(engine: &E, draw: &mut Draw<'_, E>, results: &mut Results<'_, E>) {
    let (window, [h, w], [ho, wo]) = window(draw);
    let (n, c, o) = (draw.number(1, 11), draw.number(1, 20), draw.number(1, 34));
    let [kh, kw] = window.kernel;
    let x = draw.tensor(&[n, h, w, c]);
    let (weights, bias, dy) = (draw.tensor(&[o, kh, kw, c]), draw.tensor(&[o]), draw.tensor(&[n, ho, wo, o]));
    results.take("conv2d", &engine.conv2d(&x, &weights, Some(&bias), &window));
    results.take("conv2d without bias", &engine.conv2d(&x, &weights, None, &window));
    results.take("conv2d input gradient", &engine.conv2d_input_gradient(&dy, &weights, &window, [h, w]));
    results.take("conv2d weight gradient", &engine.conv2d_weight_gradient(&dy, &x, &window));
    let (weights, bias, dy) = (draw.tensor(&[1, kh, kw, c]), draw.tensor(&[c]), draw.tensor(&[n, ho, wo, c]));
    results.take("depthwise", &engine.depthwise_conv2d(&x, &weights, Some(&bias), &window));
    let dx = engine.depthwise_conv2d_input_gradient(&dy, &weights, &window, [h, w]);
    results.take("depthwise input gradient", &dx);
    let dw = engine.depthwise_conv2d_weight_gradient(&dy, &x, &window);
    results.take("depthwise weight gradient", &dw);
    results.take("avg_pool2d", &engine.avg_pool2d(&x, &window));
    results.take("avg_pool2d gradient", &engine.avg_pool2d_gradient(&dy, &window, [h, w]));
    results.take("max_pool2d", &engine.max_pool2d(&x, &window));
    results.take("max_pool2d gradient", &engine.max_pool2d_gradient(&dy, &x, &window));
}

fn matrices<E: Engine>(engine: &E, draw: &mut Draw<'_, E>, results: &mut Results<'_, E>) {
    let (m, k, n) = (draw.number(1, 40), draw.number(1, 50), draw.number(1, 40));
    let bias = draw.tensor(&[n]);
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        let left = draw.tensor(&if a { [k, m] } else { [m, k] });
        let right = draw.tensor(&if b { [n, k] } else { [k, n] });
        results.take("gemm", &engine.gemm(&left, &right, Transposed { a, b }, Some(&bias)));
        results.take("gemm without bias", &engine.gemm(&left, &right, Transposed { a, b }, None));
    }
}

fn norms<E: Engine>(engine: &E, draw: &mut Draw<'_, E>, results: &mut Results<'_, E>) {
    let shape = [draw.number(1, 4), draw.number(1, ROWS_CHUNK), draw.number(1, 19)];
    let c = shape[2];
    let (x, dy) = (draw.tensor(&shape), draw.tensor(&shape));
    let (gamma, beta) = (draw.tensor(&[c]), draw.tensor(&[c]));
    let (mean, variance) = engine.batch_statistics(&x);
    let by = Normalization { mean: &mean, variance: &variance, gamma: &gamma, beta: &beta, epsilon: 1e-3 };
    results.take("batch mean", &mean);
    results.take("batch variance", &variance);
    for clamp in [Clamp::None, Clamp::Relu, Clamp::Relu6] {
        results.take("batch_norm", &engine.batch_norm(&x, &by, clamp));
        let gradient = engine.batch_norm_gradient(&dy, &x, &by, clamp);
        results.take("batch_norm input gradient", &gradient.x);
        results.take("batch_norm gamma gradient", &gradient.gamma);
        results.take("batch_norm beta gradient", &gradient.beta);
    }
}

fn elements<E: Engine>(engine: &E, draw: &mut Draw<'_, E>, results: &mut Results<'_, E>) {
    let shape = [2, draw.number(1, 40), 9];
    // Zeros, halves and bounds are among them.
    let some = draw.tensor(&shape);
    let halves = engine.map(Unary::Affine { scale: 0.5, offset: 0.0 }, &engine.map(Unary::Round, &some));
    let (low, high) = (-0.5, 1.0);
    for x in [&some, &halves] {
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
            Unary::Above { threshold: 0.5 },
        ] {
            results.take("map", &engine.map(unary, x));
        }
        let other = draw.tensor(&shape);
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
            Binary::Within { low: 0.0, high: f32::INFINITY },
        ] {
            results.take("zip", &engine.zip(binary, &other, x));
            results.take("zip with itself", &engine.zip(binary, x, x));
        }
    }
    for axes in [&[0, 1][..], &[2], &[1], &[0, 1, 2], &[0, 2]] {
        results.take("sum", &engine.reduce(Reduction::Sum, &some, axes));
        results.take("max", &engine.reduce(Reduction::Max, &some, axes));
    }
}

fn structure<E: Engine>(engine: &E, draw: &mut Draw<'_, E>, results: &mut Results<'_, E>) {
    let shape = [draw.number(1, 4), draw.number(2, 7), draw.number(2, 5), draw.number(1, 6)];
    let x = draw.tensor(&shape);
    let start: [usize; 4] = shape.map(|extent| draw.number(0, extent - 1));
    let extent: Vec<usize> = shape.iter().zip(start).map(|(&extent, at)| extent - at).collect();
    results.take("slice", &engine.slice(&x, &start, &extent));
    results.take("pad", &engine.pad(&x, &[0, 1, 2, 3], &[2, 0, 1, 0], 0.25));
    results.take("permute", &engine.permute(&x, &[2, 0, 3, 1]));
    results.take("reshape", &engine.reshape(&engine.permute(&x, &[3, 1, 0, 2]), &[shape.iter().product()]));
    for axis in 0..4 {
        results.take("concat", &engine.concat(&[&x, &engine.slice(&x, &[0; 4], &shape), &x], axis));
        let count = draw.number(1, 9);
        let indices: Vec<u32> = (0..count).map(|_| draw.number(0, shape[axis] - 1) as u32).collect();
        let picked = engine.gather(&x, axis, &indices);
        results.take("gather", &picked);
        results.take("scatter_add", &engine.scatter_add(&picked, axis, &indices, shape[axis] + 1));
    }
    let row = draw.tensor(&[shape[2], 1]);
    results.take("broadcast", &engine.broadcast(&row, &shape));
    results.take("full", &engine.full(&shape, 0.75));
    for distribution in [Distribution::Uniform, Distribution::Normal, Distribution::Gumbel] {
        results.take("random", &engine.random(distribution, draw.key, &shape));
    }
}

/// Every primitive.
fn run_all<E: Engine>(engine: &E, seed: u64) -> Vec<(&'static str, Vec<usize>, Vec<f32>)> {
    let mut results = Results { engine, found: Vec::new() };
    let draw = &mut Draw { engine, key: seed << 20 };
    for _ in 0..4 {
        windows(engine, draw, &mut results);
    }
    matrices(engine, draw, &mut results);
    norms(engine, draw, &mut results);
    elements(engine, draw, &mut results);
    structure(engine, draw, &mut results);
    results.found
}

#[test]
fn every_primitive_agrees_on_both_engines() {
    let mut worst: BTreeMap<&str, f64> = BTreeMap::new();
    for seed in 0..24 {
        let embedded = run_all(&EmbeddedEngine::new(), seed);
        let torch = run_all(&TorchEngine::cpu(), seed);
        assert_eq!(embedded.len(), torch.len());
        for ((name, shape, expected), (_, torch_shape, found)) in embedded.iter().zip(&torch) {
            assert_eq!(shape, torch_shape, "{name}, seed {seed}");
            let error = relative_error(&wide(found), &wide(expected));
            let greatest = worst.entry(name).or_default();
            *greatest = greatest.max(error);
        }
    }
    println!("primitive | greatest relative difference of the engines");
    worst.iter().for_each(|(name, error)| println!("{name} | {error:.1e}"));
    for (name, error) in worst {
        assert!(error < 1e-5, "{name}: {error:e}");
    }
}

#[test]
fn what_is_no_number_stays_so_in_activations() {
    let engine = TorchEngine::cpu();
    let x = engine.upload(&[3], &[f32::NAN, -1.0, 7.0]);
    for (unary, wanted) in [(Unary::Relu, 7.0), (Unary::Relu6, 6.0)] {
        let y = engine.download(&engine.map(unary, &x));
        assert!(y[0].is_nan());
        assert_eq!(y[1..], [0.0, wanted]);
    }
}
