//! Losses and what they are made of: values and gradients against `f64`, extreme arguments.

use super::generic::row;
use super::{check_gradients, naive};
use crate::train::engine::{Distribution, Engine, Unary};
use crate::train::tape::{Tape, Var};
use crate::train::*;

type OnTape<'e> = Tape<'e, EmbeddedEngine>;

/// Softmax of each row of `k`.
fn softmax(k: usize, x: &[f64]) -> Vec<f64> {
    let row = |row: &[f64]| {
        let total: f64 = row.iter().map(|x| x.exp()).sum();
        row.iter().map(|x| x.exp() / total).collect::<Vec<f64>>()
    };
    x.chunks(k).flat_map(row).collect()
}

fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| f64::from(x)).collect()
}

/// Numbers that are no variables of a tape.
fn fixed(distribution: Distribution, count: usize) -> Vec<f32> {
    let engine = EmbeddedEngine::new();
    engine.download(&engine.random(distribution, 4711, &[count]))
}

#[test]
fn softmax_has_the_right_gradient() {
    let shapes: [&[usize]; 3] = [&[3, 5], &[7], &[2, 2, 4]];
    for shape in shapes {
        let k = shape[shape.len() - 1];
        let error = check_gradients(&[shape], |tape, v| tape.softmax(v[0]), |v| softmax(k, &v[0]));
        row(&format!("softmax {shape:?}"), error, 1e-5);
    }
}

#[test]
fn distillation_has_the_right_gradient() {
    let teacher = fixed(Distribution::Normal, 24);
    for (temperature, weight) in [(1.0, 1.0), (4.0, 0.5), (0.5, 2.0)] {
        let on_tape = |tape: &mut OnTape<'_>, v: &[Var]| {
            let teacher = tape.engine().upload(&[4, 6], &teacher);
            tape.distillation(v[0], &teacher, (temperature, weight))
        };
        let (t, w) = (f64::from(temperature), f64::from(weight));
        let cooled = |x: &[f64]| x.iter().map(|x| x / t).collect::<Vec<f64>>();
        let soft = softmax(6, &cooled(&wide(&teacher)));
        let exact = |v: &[Vec<f64>]| vec![w * t * t * naive::cross_entropy(6, &cooled(&v[0]), &soft)[0]];
        let error = check_gradients(&[&[4, 6]], on_tape, exact);
        row(&format!("distillation, temperature {temperature}"), error, 1e-5);
    }
}

#[test]
fn a_student_that_answers_as_its_teacher_has_nothing_to_learn() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let teacher = engine.upload(&[4, 6], &fixed(Distribution::Normal, 24));
    // Answers that differ by a constant in each row are the same answers.
    let logits = tape.variable(engine.map(Unary::Affine { scale: 1.0, offset: 3.0 }, &teacher));
    let loss = tape.distillation(logits, &teacher, (4.0, 0.5));
    let gradients = tape.backward(loss);
    let slopes = engine.download(gradients.get(logits).expect("a variable"));
    assert!(slopes.iter().all(|slope| slope.abs() < 1e-6), "{slopes:?}");
}

#[test]
fn squared_errors_have_the_right_gradient() {
    let targets = fixed(Distribution::Normal, 30);
    let on_tape = |tape: &mut OnTape<'_>, v: &[Var]| {
        let targets = tape.engine().upload(&[2, 5, 3], &targets);
        tape.mean_squared_error(v[0], &targets)
    };
    let exact = |v: &[Vec<f64>]| {
        let squares = v[0].iter().zip(wide(&targets)).map(|(x, t)| (x - t).powi(2));
        vec![squares.sum::<f64>() / 30.0]
    };
    let error = check_gradients(&[&[2, 5, 3]], on_tape, exact);
    row("mean_squared_error", error, 1e-5);
}

#[test]
fn binary_cross_entropy_has_the_right_gradient() {
    let targets = fixed(Distribution::Uniform, 20);
    let on_tape = |tape: &mut OnTape<'_>, v: &[Var]| {
        let targets = tape.engine().upload(&[4, 5], &targets);
        // Four times the drawn numbers, so that both tails are seen.
        let twice = tape.add(v[0], v[0]);
        let four = tape.add(twice, twice);
        tape.binary_cross_entropy(four, &targets)
    };
    let exact = |v: &[Vec<f64>]| {
        let share = |x: f64| 1.0 / (1.0 + (-4.0 * x).exp());
        let each = |(x, t): (&f64, f64)| -t * share(*x).ln() - (1.0 - t) * (1.0 - share(*x)).ln();
        vec![v[0].iter().zip(wide(&targets)).map(each).sum::<f64>() / 20.0]
    };
    let error = check_gradients(&[&[4, 5]], on_tape, exact);
    row("binary_cross_entropy", error, 1e-5);
}

#[test]
fn losses_of_great_scores_are_finite() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let x = tape.variable(engine.upload(&[1, 4], &[1e4, -1e4, 200.0, 0.0]));
    let targets = engine.upload(&[1, 4], &[0.0, 1.0, 0.0, 0.0]);
    let sum = [tape.cross_entropy(x, &targets), tape.distillation(x, &targets, (2.0, 1.0))];
    let sum = tape.add(sum[0], sum[1]);
    let binary = tape.binary_cross_entropy(x, &targets);
    let total = tape.add(sum, binary);
    assert!(engine.download(tape.value(total))[0].is_finite());
    let mut gradients = tape::Gradients::new();
    tape.backward_and_release(total, &mut gradients);
    let slopes = engine.download(gradients.get(x).expect("a variable"));
    assert!(slopes.iter().all(|slope| slope.is_finite()) && slopes[0] > 0.0 && slopes[1] < 0.0, "{slopes:?}");
}
