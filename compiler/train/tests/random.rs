//! Choices by Gumbel noise and variational sparsity: distributions, and gradients against differences in `f64`.

use super::generic::row;
use super::{check_gradients, check_surrogate, relative_error};
use crate::train::EmbeddedEngine;
use crate::train::compose::{gumbel, variational};
use crate::train::engine::{Distribution, Engine, Unary};
use crate::train::tape::{Tape, Var};

type OnTape<'t, 'e> = &'t mut Tape<'e, EmbeddedEngine>;

fn noise(distribution: Distribution, key: u64, shape: &[usize]) -> Vec<f64> {
    let engine = EmbeddedEngine::new();
    engine.download(&engine.random(distribution, key, shape)).into_iter().map(f64::from).collect()
}

/// Softmax of rows.
fn softmax(x: &[f64], options: usize) -> Vec<f64> {
    let each = |row: &[f64]| {
        let sum: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / sum).collect::<Vec<f64>>()
    };
    x.chunks(options).flat_map(each).collect()
}

fn relaxed(x: &[f64], noise: &[f64], options: usize, temperature: f64) -> Vec<f64> {
    let scaled: Vec<f64> = x.iter().zip(noise).map(|(x, n)| (x + n) / temperature).collect();
    softmax(&scaled, options)
}

#[test]
fn draws_have_the_gradients_of_the_relaxed_draw() {
    let shapes: [(&[usize], usize); 3] = [(&[5], 5), (&[3, 7], 7), (&[4, 3, 2], 2)];
    for temperature in [5.0f32, 1.0, 0.3] {
        let (mut plain, mut soft, mut hard) = (0.0f64, 0.0f64, 0.0f64);
        for (shape, options) in shapes {
            let noise = noise(Distribution::Gumbel, 8, shape);
            let relaxed = |x: &[f64]| relaxed(x, &noise, options, f64::from(temperature));
            plain = plain.max(check_gradients(
                &[shape],
                |tape, v| tape.softmax(v[0]),
                |v| softmax(&v[0], options),
            ));
            let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| gumbel::soft(tape, v[0], temperature, 8);
            soft = soft.max(check_gradients(&[shape], on_tape, |v| relaxed(&v[0])));
            let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| gumbel::hard(tape, v[0], temperature, 8);
            let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
                let (start, moved) = (relaxed(&base[0]), relaxed(&v[0]));
                let chosen = |i: usize| {
                    let row = &start[i / options * options..][..options];
                    f64::from(u8::from(row.iter().all(|&x| x <= start[i])))
                };
                (0..start.len()).map(|i| chosen(i) + moved[i] - start[i]).collect()
            };
            hard = hard.max(check_surrogate(&[shape], on_tape, surrogate));
        }
        row(&format!("softmax, temperature {temperature}"), plain, 1e-5);
        row(&format!("gumbel soft, temperature {temperature}"), soft, 1e-5);
        row(&format!("gumbel hard, temperature {temperature}"), hard, 1e-5);
    }
}

#[test]
fn hard_draws_follow_the_softmax_of_their_logits() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let logits = [0.5f32, -1.0, 1.5];
    let rows: Vec<f32> = logits.iter().copied().cycle().take(3 * 20_000).collect();
    let x = tape.variable(engine.upload(&[20_000, 3], &rows));
    let y = gumbel::hard(&mut tape, x, 1.0, 21);
    let draws = engine.download(tape.value(y));
    assert!(draws.iter().all(|&x| x == 0.0 || x == 1.0));
    assert!(draws.chunks(3).all(|row| row.iter().sum::<f32>() == 1.0));
    let exact = softmax(&logits.map(f64::from), 3);
    for (option, exact) in exact.iter().enumerate() {
        let share = f64::from(draws.iter().skip(option).step_by(3).sum::<f32>()) / 20_000.0;
        // Four standard errors.
        assert!((share - exact).abs() < 4.0 * (exact * (1.0 - exact) / 20_000.0).sqrt(), "{share} {exact}");
    }
    let again = gumbel::hard(&mut tape, x, 1.0, 21);
    let other = gumbel::hard(&mut tape, x, 1.0, 22);
    assert_eq!(tape.value(again), tape.value(y));
    assert_ne!(tape.value(other), tape.value(y));
}

#[test]
fn temperatures_make_draws_even_or_certain_and_great_logits_stay_finite() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let x = tape.variable(engine.upload(&[4], &[0.1, -0.3, 0.2, 0.0]));
    let even = gumbel::soft(&mut tape, x, 1e4, 3);
    assert!(engine.download(tape.value(even)).iter().all(|x| (x - 0.25).abs() < 1e-3));
    let certain = gumbel::soft(&mut tape, x, 1e-3, 3);
    let chosen = gumbel::hard(&mut tape, x, 1e-3, 3);
    assert_eq!(tape.value(certain), tape.value(chosen));
    let great = tape.variable(engine.upload(&[2], &[1e4, -1e4]));
    let y = tape.softmax(great);
    assert_eq!(engine.download(tape.value(y)), [1.0, 0.0]);
    // Of equal ones the first.
    let equal = tape.variable(engine.upload(&[3], &[1e9; 3]));
    let y = gumbel::hard(&mut tape, equal, 1.0, 3);
    assert_eq!(engine.download(tape.value(y)), [1.0, 0.0, 0.0]);
}

#[test]
fn expectations_and_mixtures_have_the_right_gradients() {
    let costs = [3.0f32, 0.5, 20.0, 7.0];
    let wide: Vec<f64> = costs.iter().copied().map(f64::from).collect();
    let mean = |row: &[f64]| row.iter().zip(&wide).map(|(w, c)| w * c).sum::<f64>();
    let error = check_gradients(
        &[&[3, 4]],
        |tape, v| gumbel::expectation(tape, v[0], &costs),
        |v| v[0].chunks(4).map(mean).collect(),
    );
    row("gumbel expectation", error, 1e-5);
    let table: Vec<f32> = (0..12).map(|i| (i * i) as f32 / 10.0 - 3.0).collect();
    let error = check_gradients(
        &[&[3], &[4]],
        |tape, v| gumbel::expectation_of_two(tape, v[0], v[1], &table),
        |v| vec![(0..12).map(|i| v[0][i / 4] * v[1][i % 4] * f64::from(table[i])).sum()],
    );
    row("gumbel expectation_of_two", error, 1e-5);
    let map: &[usize] = &[2, 3, 1, 5];
    let error = check_gradients(
        &[&[3], map, map, map],
        |tape, v| gumbel::mixture(tape, v[0], &v[1..]),
        |v| (0..30).map(|i| (0..3).map(|k| v[0][k] * v[k + 1][i]).sum()).collect(),
    );
    row("gumbel mixture", error, 1e-5);
    let widths = [2, 7, 5];
    let error = check_gradients(
        &[&[3]],
        |tape, v| gumbel::width_mask(tape, v[0], &widths, 7),
        |v| (0..7).map(|c| (0..3).filter(|&k| c < widths[k]).map(|k| v[0][k]).sum()).collect(),
    );
    row("gumbel width_mask", error, 1e-5);
}

fn log_alpha(theta: f64, log_variance: f64) -> f64 {
    (log_variance - (theta * theta + 1e-8).ln()).clamp(-8.0, 8.0)
}

/// Equation 14 of the paper.
fn divergence(log_alpha: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    0.63576 - 0.63576 * sigmoid(1.87320 + 1.48695 * log_alpha) + 0.5 * (-log_alpha).exp().ln_1p()
}

#[test]
fn variational_pieces_have_the_right_gradients() {
    let shapes: [&[usize]; 3] = [&[7, 5], &[3, 3, 1, 5], &[11]];
    let (mut alpha, mut kl, mut both, mut normal) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for shape in shapes {
        // Three times the drawn logarithms, so that some are clamped.
        let wide = |tape: OnTape<'_, '_>, x: Var| tape.map(Unary::Affine { scale: 3.0, offset: 0.0 }, x);
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
            let log_variance = wide(tape, v[1]);
            variational::log_alpha(tape, v[0], log_variance)
        };
        let exact = |v: &[Vec<f64>]| {
            v[0].iter().zip(&v[1]).map(|(&t, &l)| log_alpha(t, 3.0 * l)).collect::<Vec<f64>>()
        };
        alpha = alpha.max(check_gradients(&[shape, shape], on_tape, exact));
        let total = |x: Vec<f64>| vec![x.into_iter().map(divergence).sum()];
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
            let log_alpha = wide(tape, v[0]);
            variational::divergence(tape, log_alpha)
        };
        kl = kl.max(check_gradients(&[shape], on_tape, |v| total(v[0].iter().map(|x| 3.0 * x).collect())));
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
            let log_variance = wide(tape, v[1]);
            let log_alpha = variational::log_alpha(tape, v[0], log_variance);
            variational::divergence(tape, log_alpha)
        };
        both = both.max(check_gradients(&[shape, shape], on_tape, |v| total(exact(v))));
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| variational::normal_divergence(tape, v[0], v[1]);
        let exact = |v: &[Vec<f64>]| {
            let each = |(t, l): (&f64, &f64)| 0.5 * (l.exp() + t * t - 1.0 - l);
            vec![v[0].iter().zip(&v[1]).map(each).sum()]
        };
        normal = normal.max(check_gradients(&[shape, shape], on_tape, exact));
    }
    row("variational log_alpha", alpha, 1e-5);
    row("variational divergence", kl, 1e-5);
    row("variational divergence of log_alpha", both, 1e-5);
    row("variational normal_divergence", normal, 1e-5);
}

#[test]
fn noisy_layers_have_the_right_gradients() {
    let drawn = noise(Distribution::Normal, 4, &[5, 7]);
    // A dense layer: x [5,3], theta [7,3], log variance [7,3].
    let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
        let nothing = tape.engine().full(&[7], 0.0);
        let bias = tape.constant(nothing);
        let mean = tape.dense(v[0], v[1], bias);
        let square = tape.map(Unary::Square, v[0]);
        let variances = variational::variances(tape, v[2]);
        let variance = tape.dense(square, variances, bias);
        variational::noisy(tape, mean, variance, 4)
    };
    let exact = |v: &[Vec<f64>]| {
        let each = |i: usize| {
            let (n, o) = (i / 7, i % 7);
            let sum = |f: &dyn Fn(usize, usize) -> f64| (0..3).map(|k| f(n * 3 + k, o * 3 + k)).sum::<f64>();
            let mean = sum(&|x, w| v[0][x] * v[1][w]);
            let variance = sum(&|x, w| v[0][x] * v[0][x] * v[2][w].exp());
            mean + (variance + 1e-8).sqrt() * drawn[i]
        };
        (0..35).map(each).collect()
    };
    let error = check_gradients(&[&[5, 3], &[7, 3], &[7, 3]], on_tape, exact);
    row("variational noisy, of a dense layer", error, 1e-5);
    let scales = noise(Distribution::Normal, 6, &[5, 3]);
    let error = check_gradients(
        &[&[3], &[3]],
        |tape, v| variational::group_scales(tape, v[0], v[1], 5, 6),
        |v| (0..15).map(|i| v[0][i % 3] + (v[1][i % 3] / 2.0).exp() * scales[i]).collect(),
    );
    row("variational group_scales", error, 1e-5);
}

#[test]
fn the_divergence_is_near_the_true_one() {
    // `ln|1 + sqrt(alpha) n|` in the mean over normal `n`, less `ln(alpha) / 2`, and 0 in the limit.
    let true_one = |log_alpha: f64| {
        let deviation = (log_alpha / 2.0).exp();
        let step = 1e-4;
        let mean: f64 = (-90_000..90_000)
            .map(|i| {
                let n = (f64::from(i) + 0.5) * step;
                (-n * n / 2.0).exp() * (1.0 + deviation * n).abs().max(1e-12).ln()
            })
            .sum::<f64>()
            * step
            / (2.0 * std::f64::consts::PI).sqrt();
        // (gamma + ln 2) / 2.
        mean - log_alpha / 2.0 + 0.635_181_4
    };
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let mut previous = f64::INFINITY;
    for at in -16..=12 {
        let log_alpha = f64::from(at) / 2.0;
        let x = tape.variable(engine.upload(&[1], &[log_alpha as f32]));
        let y = variational::divergence(&mut tape, x);
        let found = f64::from(engine.download(tape.value(y))[0]);
        assert!((found - true_one(log_alpha)).abs() < 0.02, "{log_alpha}: {found} {}", true_one(log_alpha));
        assert!(found < previous, "{log_alpha}: {found}");
        previous = found;
    }
}

#[test]
fn noise_has_the_moments_of_noisy_weights() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let mean = tape.constant(engine.full(&[40_000], 1.5));
    let variance = tape.constant(engine.full(&[40_000], 0.25));
    let y = variational::noisy(&mut tape, mean, variance, 11);
    let values = engine.download(tape.value(y)).into_iter().map(f64::from);
    let average = values.clone().sum::<f64>() / 40_000.0;
    let square = values.map(|x| (x - 1.5) * (x - 1.5)).sum::<f64>() / 40_000.0;
    assert!(relative_error(&[average, square], &[1.5, 0.25]) < 0.02, "{average} {square}");
    let other = variational::noisy(&mut tape, mean, variance, 12);
    assert_ne!(tape.value(other), tape.value(y));
}

#[test]
fn weights_that_are_noise_are_taken_away() {
    let engine = EmbeddedEngine::new();
    let log_alpha = engine.upload(&[2, 3], &[-8.0, 3.0, 3.0f32.next_up(), 8.0, f32::NAN, 0.0]);
    let mask = variational::keep_mask(&engine, &log_alpha, variational::LOG_ALPHA_THRESHOLD);
    assert_eq!(engine.download(&mask), [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
}
