//! Fake quantization: equal to the integer path bit for bit, and with the gradients of its surrogates.

use super::generic::row;
use super::{check_surrogate, relative_error};
use crate::quantize::{activation_quant, quantize_weights, weight_scales};
use crate::tensor::{Quant, Shape, arith};
use crate::train::EmbeddedEngine;
use crate::train::compose::fake_quantize::{self as fake, Bits, RangeAverage};
use crate::train::engine::{Binary, Distribution, Engine, Unary};
use crate::train::tape::{Tape, Var};

const WIDTHS: [Bits; 3] = [Bits::Eight, Bits::Four, Bits::Two];

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|x| x.to_bits()).collect()
}

/// Shapes of weights, and the axis of their channels: standard, depthwise, dense, one-dimensional.
fn layers() -> [(&'static [usize], usize); 5] {
    [(&[5, 3, 3, 7], 0), (&[1, 5, 3, 9], 3), (&[11, 13], 0), (&[3, 7, 1, 2], 0), (&[1, 1, 1, 1], 3)]
}

#[test]
fn fake_quantized_weights_are_those_of_the_integer_path() {
    for engine in [EmbeddedEngine::new(), EmbeddedEngine::portable()] {
        for (key, (shape, axis)) in layers().into_iter().enumerate() {
            let mut tape = Tape::new(&engine);
            let w = engine.random(Distribution::Normal, key as u64, shape);
            let weights = engine.download(&w);
            let w = tape.variable(w);
            let y = fake::fake_quantize_weights(&mut tape, w, axis, Bits::Eight);
            let own = Shape::from(shape);
            let scales = weight_scales(&weights, &vec![0.0; shape[axis]], &own, axis, 1.0);
            let found = fake::weight_scales(&engine, tape.value(w), axis, Bits::Eight);
            assert_eq!(bits(&engine.download(&found)), bits(&scales), "scales of {shape:?}");
            let inner: usize = shape[axis + 1..].iter().product();
            let integers = quantize_weights(&weights, &own, axis, &scales);
            let real = |(i, &q): (usize, &i8)| f32::from(q) * scales[i / inner % shape[axis]];
            let expected: Vec<f32> = integers.iter().enumerate().map(real).collect();
            assert_eq!(bits(&engine.download(tape.value(y))), bits(&expected), "weights {shape:?}");
        }
    }
}

#[test]
fn weights_that_are_all_zero_stay_zero() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let w = tape.variable(engine.full(&[2, 3], -0.0));
    for width in WIDTHS {
        let y = fake::fake_quantize_weights(&mut tape, w, 0, width);
        assert_eq!(bits(&engine.download(tape.value(y))), [0; 6]);
    }
}

/// Steps of all magnitudes, those near powers of two among them.
fn steps(engine: &EmbeddedEngine) -> Vec<f32> {
    let mut steps = vec![1.0, 1.0f32.next_down(), 1.0f32.next_up(), 2.0f32.next_down(), 0.75, 1e-12, 1e-16];
    let uniform = engine.download(&engine.random(Distribution::Uniform, 5, &[120]));
    steps.extend(uniform.iter().enumerate().map(|(i, u)| (1.0 + u) * 2f32.powi(i as i32 % 60 - 39)));
    steps
}

/// The halves between integers times a step, and the neighbours of these; very large numbers, both zeros.
fn near_ties(step: f32) -> Vec<f32> {
    let mut values = vec![0.0, -0.0, 1e30, -1e30, f32::INFINITY, f32::NEG_INFINITY, f32::MIN_POSITIVE];
    for half in -270..270 {
        let tie = (f64::from(half) + 0.5) * f64::from(step);
        let mut x = (tie as f32).next_down().next_down();
        for _ in 0..5 {
            values.push(x);
            x = x.next_up();
        }
    }
    values
}

#[test]
fn next_to_ties_both_roundings_are_those_of_the_integer_path() {
    let engine = EmbeddedEngine::new();
    let mut naive_errors = 0;
    for step in steps(&engine) {
        let values = near_ties(step);
        let mut tape = Tape::new(&engine);
        let x = tape.variable(engine.upload(&[1, values.len()], &values));
        for width in WIDTHS {
            let limit = width.greatest() as i32;
            let scales = engine.full(&[1, 1], step);
            let y = fake::fake_quantize_weights_by(&mut tape, x, &scales, width);
            let real = |x: &f32| arith::quantize(*x, step, 0, (-limit, limit)) as f32 * step;
            let expected: Vec<f32> = values.iter().map(real).collect();
            assert_eq!(bits(&engine.download(tape.value(y))), bits(&expected), "{step:e} {width:?}");
            let learned = tape.constant(scales);
            let y = fake::fake_quantize_weights_learned(&mut tape, x, learned, width);
            assert_eq!(bits(&engine.download(tape.value(y))), bits(&expected), "learned {step:e} {width:?}");
            naive_errors += values
                .iter()
                .filter(|&&x| (x / step).round() as i32 != arith::quantize(x, step, 0, (i32::MIN, i32::MAX)))
                .count();
        }
        for zero_point in [-128, -77, -1, 0, 3, 127] {
            let quant = Quant::per_tensor(step, zero_point);
            let real =
                |x: &f32| (arith::quantize(*x, step, zero_point, (-128, 127)) - zero_point) as f32 * step;
            let expected: Vec<f32> = values.iter().map(real).collect();
            let y = fake::fake_quantize_activation(&mut tape, x, &quant);
            assert_eq!(bits(&engine.download(tape.value(y))), bits(&expected), "{step:e} {zero_point}");
            let learned = tape.constant(engine.full(&[1], step));
            let y = fake::fake_quantize_learned(&mut tape, x, learned, zero_point);
            assert_eq!(
                bits(&engine.download(tape.value(y))),
                bits(&expected),
                "learned {step:e} {zero_point}"
            );
        }
    }
    assert!(naive_errors > 1000, "the numbers are hard: {naive_errors}");
}

#[test]
fn what_is_no_number_stays_so() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let x = tape.variable(engine.upload(&[1, 2], &[f32::NAN, 1.0]));
    let y = fake::fake_quantize_activation(&mut tape, x, &activation_quant(-1.0, 3.0));
    let found = engine.download(tape.value(y));
    assert!(found[0].is_nan() && (found[1] - 1.0).abs() < 0.01, "{found:?}");
}

#[test]
fn ranges_are_averages_and_give_the_quantization_of_the_integer_path() {
    let engine = EmbeddedEngine::new();
    let mut average = RangeAverage::new(0.9);
    assert_eq!(average.quant(), None);
    average.observe(&engine, &engine.upload(&[2, 2], &[-1.0, 0.5, 3.0, 2.0]));
    assert_eq!(average.range(), Some((-1.0, 3.0)));
    average.observe(&engine, &engine.upload(&[2], &[f32::NAN, 1.0]));
    average.observe(&engine, &engine.upload(&[2], &[f32::INFINITY, 1.0]));
    assert_eq!(average.range(), Some((-1.0, 3.0)), "a batch that is not finite counts for nothing");
    average.observe(&engine, &engine.upload(&[3], &[-2.0, 0.0, 5.0]));
    let (low, high) = average.range().expect("batches came");
    assert!((low + 1.1).abs() < 1e-6 && (high - 3.2).abs() < 1e-6, "{low} {high}");
    assert_eq!(average.quant(), Some(activation_quant(low, high)));
    assert_eq!(RangeAverage::resumed(0.9, (low, high)), average);
}

/// A value on the grid of a step, both after a small move: the error of rounding stays as it was at `base`.
fn surrogate_step(base: (f64, f64), moved: (f64, f64), (low, high): (f64, f64)) -> f64 {
    let v = base.0 / base.1;
    let whole = if v < low {
        low
    } else if v > high {
        high
    } else {
        moved.0 / moved.1 + v.round() - v
    };
    whole * moved.1
}

#[test]
fn weights_have_the_gradients_of_their_surrogates() {
    for width in WIDTHS {
        let (mut own, mut given) = (0.0f64, 0.0f64);
        for (shape, axis) in layers() {
            let inner: usize = shape[axis + 1..].iter().product();
            let channel = move |i: usize| i / inner % shape[axis];
            let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
                fake::fake_quantize_weights(tape, v[0], axis, width)
            };
            // The error of rounding is a constant.
            let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
                let greatest = |c| {
                    let own = base[0].iter().enumerate().filter(|(i, _)| channel(*i) == c);
                    own.fold(0.0f64, |so_far, (_, x)| so_far.max(x.abs()))
                };
                let each = |i: usize| {
                    let scale = f64::from(greatest(channel(i)) as f32 / width.greatest());
                    (base[0][i] / scale).round() * scale + v[0][i] - base[0][i]
                };
                (0..v[0].len()).map(each).collect()
            };
            own = own.max(check_surrogate(&[shape], on_tape, surrogate));
            // Scales with which some are clipped: those beyond half a step more than the range.
            let scale = |c: usize| (0.6 + 0.1 * c as f32) / width.greatest();
            let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
                let mut row = vec![1; shape.len()];
                row[axis] = shape[axis];
                let scales: Vec<f32> = (0..shape[axis]).map(scale).collect();
                let scales = tape.engine().upload(&row, &scales);
                fake::fake_quantize_weights_by(tape, v[0], &scales, width)
            };
            let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
                let limit = f64::from(width.greatest());
                let each = |i: usize| {
                    let (scale, reach) = (f64::from(scale(channel(i))), limit + 0.5);
                    let through =
                        if (base[0][i] / scale).abs() <= reach { v[0][i] - base[0][i] } else { 0.0 };
                    (base[0][i] / scale).round().clamp(-limit, limit) * scale + through
                };
                (0..v[0].len()).map(each).collect()
            };
            given = given.max(check_surrogate(&[shape], on_tape, surrogate));
        }
        row(&format!("fake_quantize_weights {width:?}"), own, 1e-5);
        row(&format!("fake_quantize_weights_by {width:?}"), given, 1e-5);
    }
}

/// Positive steps from normal numbers: `size * exp(0.3 u)`.
fn positive(tape: &mut Tape<'_, EmbeddedEngine>, u: Var, size: f32) -> Var {
    let less = tape.map(Unary::Affine { scale: 0.3, offset: 0.0 }, u);
    let power = tape.map(Unary::Exp, less);
    tape.map(Unary::Affine { scale: size, offset: 0.0 }, power)
}

#[test]
fn learned_steps_of_weights_have_the_gradients_of_their_surrogates() {
    for width in WIDTHS {
        let mut worst = 0.0f64;
        for (shape, axis) in layers() {
            for per_channel in [true, false] {
                let mut row = vec![1; shape.len()];
                let channels = if per_channel { shape[axis] } else { 1 };
                row[axis] = channels;
                let inner: usize = shape[axis + 1..].iter().product();
                let size = 1.2 / width.greatest();
                let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
                    let steps = positive(tape, v[1], size);
                    fake::fake_quantize_weights_learned(tape, v[0], steps, width)
                };
                let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
                    let high = f64::from(width.greatest());
                    let factor = 1.0 / ((v[0].len() / channels) as f64 * high).sqrt();
                    let each = |i: usize| {
                        let c = i / inner % shape[axis] % channels;
                        let step = |u: f64| f64::from(size) * (0.3 * u).exp();
                        let start = step(base[1][c]);
                        let moved = start + factor * (step(v[1][c]) - start);
                        surrogate_step((base[0][i], start), (v[0][i], moved), (-high, high))
                    };
                    (0..v[0].len()).map(each).collect()
                };
                worst = worst.max(check_surrogate(&[shape, &row], on_tape, surrogate));
            }
        }
        row(&format!("fake_quantize_weights_learned {width:?}"), worst, 2e-5);
    }
}

#[test]
fn activations_have_the_gradients_of_their_surrogates() {
    let shapes: [&[usize]; 3] = [&[3, 5, 1, 7], &[6, 31], &[2, 4, 3, 5]];
    let (mut averaged, mut learned) = (0.0f64, 0.0f64);
    for shape in shapes {
        for (low, high) in [(-1.0f32, 1.5f32), (0.0, 2.0), (-0.7, 0.1)] {
            let quant = activation_quant(low, high);
            let zero_point = quant.zero_point;
            let range = (f64::from(-128 - zero_point), f64::from(127 - zero_point));
            let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
                fake::fake_quantize_activation(tape, v[0], &quant)
            };
            let scale = f64::from(quant.scale(0));
            let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
                let each = |(&x, &moved): (&f64, &f64)| surrogate_step((x, scale), (moved, scale), range);
                base[0].iter().zip(&v[0]).map(each).collect()
            };
            averaged = averaged.max(check_surrogate(&[shape], on_tape, surrogate));
            let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
                let step = positive(tape, v[1], 0.01);
                fake::fake_quantize_learned(tape, v[0], step, zero_point)
            };
            let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
                let features = (v[0].len() / shape[0]) as f64;
                let factor = 1.0 / (features * range.1).sqrt();
                let step = |u: f64| f64::from(0.01f32) * (f64::from(0.3f32) * u).exp();
                let start = step(base[1][0]);
                let moved = start + factor * (step(v[1][0]) - start);
                let each = |(&x, &y): (&f64, &f64)| surrogate_step((x, start), (y, moved), range);
                base[0].iter().zip(&v[0]).map(each).collect()
            };
            learned = learned.max(check_surrogate(&[shape, &[1]], on_tape, surrogate));
        }
    }
    row("fake_quantize_activation", averaged, 1e-5);
    row("fake_quantize_learned", learned, 2e-5);
}

/// The mean square error of a learned step for normal activations.
fn step_error(engine: &EmbeddedEngine, x: &[f32], step: f32) -> (f64, f64) {
    let mut tape = Tape::new(engine);
    let values = tape.constant(engine.upload(&[1, x.len()], x));
    let step = tape.variable(engine.full(&[1], step));
    let y = fake::fake_quantize_learned(&mut tape, values, step, 0);
    let difference = tape.zip(Binary::Subtract, y, values);
    let square = tape.map(Unary::Square, difference);
    let error = engine.download(tape.value(square)).iter().map(|&x| f64::from(x)).sum::<f64>();
    let gradients = tape.backward(square);
    (error / x.len() as f64, f64::from(engine.download(gradients.get(step).expect("a variable"))[0]))
}

#[test]
fn the_gradient_of_a_step_leads_to_a_better_one_from_both_sides() {
    let engine = EmbeddedEngine::new();
    let x = engine.download(&engine.random(Distribution::Normal, 3, &[4000]));
    let start = fake::initial_step(&engine, &engine.upload(&[4000], &x), None, 127.0);
    let mean = x.iter().map(|x| f64::from(x.abs())).sum::<f64>() / 4000.0;
    let expected = [2.0 * mean / 127f64.sqrt()];
    assert!(relative_error(&[f64::from(engine.download(&start)[0])], &expected) < 1e-6);
    // Too fine a grid clips, too coarse a one rounds much.
    let (clipping, up) = step_error(&engine, &x, 0.01);
    let (coarse, down) = step_error(&engine, &x, 0.2);
    assert!(up < 0.0 && down > 0.0, "{up} {down}");
    let (better, _) = step_error(&engine, &x, 0.025);
    assert!(better < 0.1 * clipping && better < 0.1 * coarse, "{better} {clipping} {coarse}");
}

#[test]
fn initial_steps_are_by_channel() {
    let engine = EmbeddedEngine::new();
    let w = engine.upload(&[2, 3], &[1.0, -2.0, 3.0, -4.0, 5.0, -6.0]);
    let steps = fake::initial_step(&engine, &w, Some(0), 7.0);
    assert_eq!(engine.shape(&steps), [2, 1]);
    let found: Vec<f64> = engine.download(&steps).into_iter().map(f64::from).collect();
    assert!(relative_error(&found, &[4.0 / 7f64.sqrt(), 10.0 / 7f64.sqrt()]) < 1e-6);
}
