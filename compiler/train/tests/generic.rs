//! The generic operations of the tape: gradients against differences in `f64`.

use std::sync::Arc;

use super::{check_gradients, check_surrogate};
use crate::train::EmbeddedEngine;
use crate::train::engine::{Binary, Engine, Transposed, Unary};
use crate::train::tape::{Summary, Tape, Var};

/// Prints a row of the table of errors and refuses a large one.
pub(super) fn row(primitive: &str, error: f64, limit: f64) {
    println!("{primitive:<44} | {error:.1e}");
    assert!(error < limit, "{primitive}: {error:e}");
}

type OnTape<'t, 'e> = &'t mut Tape<'e, EmbeddedEngine>;
/// Functions and the same in `f64`.
type OfOne = (Unary, fn(f64) -> f64);
type OfTwo = (Binary, fn(f64, f64) -> f64);
type OfMany = (Summary, fn(&Vec<f64>) -> f64);
/// Two shapes, and the place in each of an element of what they make.
type Pair = ([&'static [usize]; 2], fn(usize) -> [usize; 2]);

#[test]
fn functions_of_one_element_have_the_right_gradients() {
    let smooth: [OfOne; 13] = [
        (Unary::Negate, |x| -x),
        (Unary::Abs, f64::abs),
        (Unary::Relu, |x| x.max(0.0)),
        (Unary::Relu6, |x| x.clamp(0.0, 6.0)),
        (Unary::Exp, f64::exp),
        (Unary::Square, |x| x * x),
        (Unary::Tanh, f64::tanh),
        (Unary::Sigmoid, |x| 1.0 / (1.0 + (-x).exp())),
        (Unary::Affine { scale: -1.5, offset: 0.25 }, |x| 0.25 - 1.5 * x),
        (Unary::Clamp { low: -0.5, high: 0.75 }, |x| x.clamp(-0.5, 0.75)),
        (Unary::Ln, f64::ln),
        (Unary::Sqrt, f64::sqrt),
        (Unary::Reciprocal, f64::recip),
    ];
    for (function, exact) in smooth {
        let of_positive = matches!(function, Unary::Ln | Unary::Sqrt | Unary::Reciprocal);
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
            if !of_positive {
                return tape.map(function, v[0]);
            }
            let square = tape.map(Unary::Square, v[0]);
            let positive = tape.map(Unary::Affine { scale: 1.0, offset: 0.5 }, square);
            tape.map(function, positive)
        };
        let place = |x: f64| if of_positive { x * x + 0.5 } else { x };
        let values = |v: &[Vec<f64>]| v[0].iter().map(|&x| exact(place(x))).collect();
        row(&format!("map {function:?}"), check_gradients(&[&[3, 7, 5]], on_tape, values), 1e-5);
    }
}

#[test]
fn steps_hand_no_gradient_on() {
    let engine = EmbeddedEngine::new();
    for function in [Unary::Sign, Unary::Round, Unary::Floor, Unary::Above { threshold: 0.5 }] {
        let mut tape = Tape::new(&engine);
        let x = tape.variable(engine.upload(&[3], &[-1.2, 0.6, 2.0]));
        let step = tape.map(function, x);
        let both = tape.zip(Binary::Multiply, step, x);
        let gradients = tape.backward(both);
        // What remains is the gradient of the second factor.
        assert_eq!(gradients.get(x), Some(tape.value(step)), "{function:?}");
    }
}

/// Shapes that a broadcast joins to `[4, 3, 5]`.
fn pairs() -> Vec<Pair> {
    vec![
        ([&[4, 3, 5], &[4, 3, 5]], |i| [i, i]),
        ([&[4, 3, 5], &[5]], |i| [i, i % 5]),
        ([&[4, 3, 5], &[1]], |i| [i, 0]),
        ([&[4, 1, 5], &[3, 1]], |i| [i / 15 * 5 + i % 5, i / 5 % 3]),
        ([&[1], &[4, 3, 5]], |i| [0, i]),
    ]
}

#[test]
fn functions_of_two_elements_have_the_right_gradients() {
    let functions: [OfTwo; 8] = [
        (Binary::Add, |a, b| a + b),
        (Binary::Subtract, |a, b| a - b),
        (Binary::Multiply, |a, b| a * b),
        (Binary::Divide, |a, b| a / (b.exp())),
        (Binary::Max, f64::max),
        (Binary::Min, f64::min),
        (Binary::Combine { first: 0.5, second: -2.0 }, |a, b| 0.5 * a - 2.0 * b),
        (Binary::AddClamped { low: -0.5, high: 1.0 }, |a, b| (a + b).clamp(-0.5, 1.0)),
    ];
    for (function, exact) in functions {
        let mut worst = 0.0f64;
        for (shapes, places) in pairs() {
            let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
                // Divisors away from 0.
                let b = if function == Binary::Divide { tape.map(Unary::Exp, v[1]) } else { v[1] };
                tape.zip(function, v[0], b)
            };
            let values = |v: &[Vec<f64>]| {
                let each = |i| {
                    let [a, b] = places(i);
                    exact(v[0][a], v[1][b])
                };
                (0..60).map(each).collect()
            };
            worst = worst.max(check_gradients(&shapes, on_tape, values));
        }
        row(&format!("zip {function:?}"), worst, 1e-5);
    }
    // The second operand only decides.
    let within = Binary::Within { low: -0.5, high: 0.5 };
    let taken = |base: &[Vec<f64>], v: &[Vec<f64>]| {
        let inside = base[1].iter().map(|b| b.abs() < 0.5);
        v[0].iter().zip(inside).map(|(a, inside)| if inside { *a } else { 0.0 }).collect()
    };
    let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
        let y = tape.zip(within, v[0], v[1]);
        let nothing = tape.map(Unary::Affine { scale: 0.0, offset: 0.0 }, v[1]);
        tape.add(y, nothing)
    };
    row("zip Within", check_surrogate(&[&[41], &[41]], on_tape, taken), 1e-5);
}

#[test]
fn of_equal_elements_the_second_is_taken() {
    let engine = EmbeddedEngine::new();
    for function in [Binary::Max, Binary::Min] {
        let mut tape = Tape::new(&engine);
        let a = tape.variable(engine.upload(&[2], &[1.0, 1.0]));
        let b = tape.variable(engine.upload(&[2], &[1.0, 1.0]));
        let y = tape.zip(function, a, b);
        let gradients = tape.backward(y);
        let found = [a, b].map(|var| engine.download(gradients.get(var).expect("a variable")));
        assert_eq!(found, [[0.0, 0.0], [1.0, 1.0]], "{function:?}");
    }
}

#[test]
fn reductions_and_broadcasts_have_the_right_gradients() {
    // Elements of [4, 3, 5] over dimensions 0 and 2.
    let groups = |x: &[f64]| -> Vec<Vec<f64>> {
        (0..3).map(|j| (0..20).map(|i| x[i / 5 * 15 + j * 5 + i % 5]).collect()).collect()
    };
    let summaries: [OfMany; 3] = [
        (Summary::Sum, |x| x.iter().sum()),
        (Summary::Mean, |x| x.iter().sum::<f64>() / x.len() as f64),
        (Summary::Max, |x| x.iter().copied().fold(f64::MIN, f64::max)),
    ];
    for (summary, exact) in summaries {
        let error = check_gradients(
            &[&[4, 3, 5]],
            |tape, v| tape.reduce(summary, v[0], &[0, 2]),
            |v| groups(&v[0]).iter().map(exact).collect(),
        );
        row(&format!("reduce {summary:?}"), error, 1e-5);
    }
    let repeated = |v: &[Vec<f64>]| (0..120).map(|i| v[0][i / 5 % 3]).collect();
    let error = check_gradients(&[&[3, 1]], |tape, v| tape.broadcast(v[0], &[2, 4, 3, 5]), repeated);
    row("broadcast", error, 1e-5);
    // Equal greatest elements share.
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let x = tape.variable(engine.upload(&[2, 3], &[1.0, 2.0, 2.0, 0.0, 5.0, 3.0]));
    let y = tape.reduce(Summary::Max, x, &[1]);
    let gradients = tape.backward(y);
    assert_eq!(engine.download(gradients.get(x).expect("a variable")), [0.0, 0.5, 0.5, 0.0, 1.0, 0.0]);
}

#[test]
fn parts_and_orders_have_the_right_gradients() {
    let shape: [usize; 4] = [3, 4, 5, 2];
    let at = |[a, b, c, d]: [usize; 4]| ((a * 4 + b) * 5 + c) * 2 + d;
    let moved = |count: usize, from: &dyn Fn(usize) -> [usize; 4]| {
        let places: Vec<usize> = (0..count).map(|i| at(from(i))).collect();
        move |v: &[Vec<f64>]| places.iter().map(|&place| v[0][place]).collect::<Vec<f64>>()
    };
    let part = moved(2 * 3 * 2, &|i| [1 + i / 6, 0, 1 + i / 2 % 3, i % 2]);
    let error = check_gradients(&[&shape], |tape, v| tape.slice(v[0], &[1, 0, 1, 0], &[2, 1, 3, 2]), part);
    row("slice", error, 1e-5);
    // Dimensions [5, 3, 2, 4].
    let turned = moved(120, &|i| [i / 8 % 3, i % 4, i / 24, i / 4 % 2]);
    let error = check_gradients(&[&shape], |tape, v| tape.permute(v[0], &[2, 0, 3, 1]), turned);
    row("permute", error, 1e-5);
    let indices: Arc<[u32]> = Arc::from([4, 0, 4, 3, 1, 4, 2]);
    let picked = moved(3 * 4 * 7 * 2, &|i| [i / 56, i / 14 % 4, [4, 0, 4, 3, 1, 4, 2][i / 2 % 7], i % 2]);
    let error = check_gradients(&[&shape], |tape, v| tape.gather(v[0], 2, &indices), picked);
    row("gather", error, 1e-5);
    let targets: Arc<[u32]> = Arc::from([2, 0, 2, 5, 2]);
    let added = |v: &[Vec<f64>]| {
        let mut y = vec![0.0; 3 * 4 * 6 * 2];
        for (i, x) in v[0].iter().enumerate() {
            y[i / 10 * 12 + [2, 0, 2, 5, 2][i / 2 % 5] * 2 + i % 2] += x;
        }
        y
    };
    let error = check_gradients(&[&shape], |tape, v| tape.scatter_add(v[0], 2, &targets, 6), added);
    row("scatter_add", error, 1e-5);
    let joined = |v: &[Vec<f64>]| {
        (0..2)
            .flat_map(|a| (0..3).flat_map(move |x| v[x][a * [6, 2, 4][x]..][..[6, 2, 4][x]].to_vec()))
            .collect()
    };
    let error =
        check_gradients(&[&[2, 3, 2], &[2, 1, 2], &[2, 2, 2]], |tape, v| tape.concat_along(v, 1), joined);
    row("concat_along", error, 1e-5);
    let framed = |v: &[Vec<f64>]| {
        let inside = |i: usize| (i / 5 > 0 && (1..4).contains(&(i % 5))).then(|| (i / 5 - 1) * 3 + i % 5 - 1);
        (0..20).map(|i| inside(i).map_or(-2.5, |place| v[0][place])).collect()
    };
    let error = check_gradients(&[&[3, 3]], |tape, v| tape.pad_with(v[0], &[1, 1], &[0, 1], -2.5), framed);
    row("pad_with", error, 1e-5);
    let error = check_gradients(&[&[3, 5]], |tape, v| tape.reshape(v[0], &[5, 1, 3]), |v| v[0].clone());
    row("reshape", error, 1e-5);
}

#[test]
fn products_of_matrices_have_the_right_gradients() {
    let (m, k, n) = (5, 7, 3);
    for (a, b) in [(false, false), (false, true), (true, false), (true, true)] {
        let shapes: [&[usize]; 2] = [if a { &[7, 5] } else { &[5, 7] }, if b { &[3, 7] } else { &[7, 3] }];
        let exact = |v: &[Vec<f64>]| {
            let left = |i: usize, j: usize| if a { v[0][j * m + i] } else { v[0][i * k + j] };
            let right = |j: usize, l: usize| if b { v[1][l * k + j] } else { v[1][j * n + l] };
            (0..m * n).map(|i| (0..k).map(|j| left(i / n, j) * right(j, i % n)).sum()).collect()
        };
        let transposed = Transposed { a, b };
        let error = check_gradients(&shapes, |tape, v| tape.product(v[0], v[1], transposed), exact);
        row(&format!("product, transposed {a} {b}"), error, 1e-5);
    }
}

#[test]
fn what_is_put_in_place_of_a_value_has_the_gradient_of_its_surrogate() {
    // Forward any function; backward that function's error is a constant.
    let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
        let value = tape.engine().map(Unary::Floor, tape.value(v[0]));
        let y = tape.straight_through_value(v[0], value);
        tape.zip(Binary::Multiply, y, v[1])
    };
    let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
        let floor = |i: usize| base[0][i].floor() + v[0][i] - base[0][i];
        (0..33).map(|i| floor(i) * v[1][i]).collect()
    };
    row("straight_through_value", check_surrogate(&[&[33], &[33]], on_tape, surrogate), 1e-5);
    let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
        let engine = tape.engine();
        let value = engine.map(Unary::Sign, tape.value(v[0]));
        tape.straight_through_within(v[0], value, None, (-1.0, 1.0))
    };
    let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
        let sign = |(&x, &y): (&f64, &f64)| x.signum() + y.clamp(-1.0, 1.0) - x.clamp(-1.0, 1.0);
        base[0].iter().zip(&v[0]).map(sign).collect()
    };
    row("straight_through_within", check_surrogate(&[&[77]], on_tape, surrogate), 1e-5);
    let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
        let still = tape.stop_gradient(v[0]);
        let less = tape.attenuated(v[0], 0.125);
        tape.zip(Binary::Multiply, still, less)
    };
    let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
        base[0].iter().zip(&v[0]).map(|(x, y)| x * (x + 0.125 * (y - x))).collect()
    };
    row("stop_gradient, attenuated", check_surrogate(&[&[19]], on_tape, surrogate), 1e-5);
}

#[test]
fn the_range_of_a_straight_through_estimate_is_closed() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let elements = [(-1.0f32).next_up(), -1.0, (-1.0f32).next_down(), 0.0, 2.0, 2.0f32.next_up()];
    let x = tape.variable(engine.upload(&[6], &elements));
    let y = tape.straight_through_within(x, engine.full(&[6], 3.0), None, (-1.0, 2.0));
    assert_eq!(engine.download(tape.value(y)), [3.0; 6]);
    let gradients = tape.backward(y);
    assert_eq!(engine.download(gradients.get(x).expect("a variable")), [1.0, 1.0, 0.0, 1.0, 1.0, 0.0]);
    // Of another tensor.
    let tested = engine.upload(&[6], &[0.0, 9.0, 9.0, 2.0, 9.0, -1.0]);
    let y = tape.straight_through_within(x, engine.full(&[6], 3.0), Some(tested), (-1.0, 2.0));
    let gradients = tape.backward(y);
    assert_eq!(engine.download(gradients.get(x).expect("a variable")), [1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
}

#[test]
fn elements_move_to_where_their_indices_say() {
    let engine = EmbeddedEngine::new();
    let x = |shape: &[usize]| {
        let count = shape.iter().product::<usize>();
        engine.upload(shape, &(0..count).map(|i| i as f32).collect::<Vec<f32>>())
    };
    let moved = |tensor: &_| engine.download(tensor).into_iter().map(|x| x as usize).collect::<Vec<usize>>();
    // Whole rows, single elements, extents of 1 anywhere, nothing.
    let broadcasts: [(&[usize], [usize; 4]); 6] = [
        (&[2, 3, 1, 5], [2, 3, 4, 5]),
        (&[2, 1, 4, 1], [2, 3, 4, 1]),
        (&[3, 1, 1], [2, 3, 1, 5]),
        (&[1], [2, 1, 3, 1]),
        (&[4, 1], [1, 1, 4, 6]),
        (&[2, 1, 0, 1], [2, 3, 0, 5]),
    ];
    for (from, to) in broadcasts {
        let each = |i: usize| {
            let (mut rest, mut place, mut step) = (i, 0, 1);
            for axis in (0..4).rev() {
                let index = rest % to[axis];
                rest /= to[axis];
                if let Some(own) = (axis + from.len()).checked_sub(4) {
                    place += if from[own] == 1 { 0 } else { index * step };
                    step *= from[own];
                }
            }
            place
        };
        let expected: Vec<usize> = (0..to.iter().product()).map(each).collect();
        assert_eq!(moved(&engine.broadcast(&x(from), &to)), expected, "{from:?} to {to:?}");
    }
    let blocks =
        [([0, 0, 0], [3, 4, 5]), ([1, 0, 0], [2, 4, 5]), ([0, 1, 2], [3, 1, 3]), ([2, 3, 5], [1, 1, 0])];
    for (start, extent) in blocks {
        let [_, h, w] = extent;
        let each = |i: usize| {
            let index = [i / (h * w), i / w % h, i % w];
            ((start[0] + index[0]) * 4 + start[1] + index[1]) * 5 + start[2] + index[2]
        };
        let expected: Vec<usize> = (0..extent.iter().product()).map(each).collect();
        assert_eq!(moved(&engine.slice(&x(&[3, 4, 5]), &start, &extent)), expected, "{start:?} {extent:?}");
    }
    for (axes, shape) in [([0, 1, 2], [3, 1, 5]), ([2, 1, 0], [5, 1, 3]), ([1, 0, 2], [1, 3, 5])] {
        let each = |i: usize| {
            let index = [i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]];
            let at = |wanted| index[axes.iter().position(|&axis| axis == wanted).expect("an order")];
            at(0) * 5 + at(1) * 5 + at(2)
        };
        let expected: Vec<usize> = (0..15).map(each).collect();
        assert_eq!(moved(&engine.permute(&x(&[3, 1, 5]), &axes)), expected, "{axes:?}");
    }
}
