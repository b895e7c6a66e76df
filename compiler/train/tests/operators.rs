//! The operators besides convolutions, pools and dense layers: gradients against differences in `f64`, dropout.

use super::{Net, check_gradients, recipe, sinusoids, weight_bits};
use crate::graph::{Graph, NodeId};
use crate::ops::{
    AvgPool2d, Clamp, Concat, Curve, CurveFunction, Dense, Dropout, Mul, Pad, ParamRole, Reshape, Upsample2d,
    Window,
};
use crate::tensor::{Scale, Value};
use crate::train::engine::Engine;
use crate::train::tape::{Tape, Var};
use crate::train::*;

#[test]
fn products_have_the_right_gradients() {
    let map = [3, 4, 5, 2];
    let each = |v: &[Vec<f64>]| v[0].iter().zip(&v[1]).map(|(a, b)| a * b).collect::<Vec<f64>>();
    let error = check_gradients(&[&map, &map], |tape, v| tape.mul(v[0], v[1]), each);
    assert!(error < 1e-5, "equal shapes: {error:e}");
    let by_channel =
        |v: &[Vec<f64>]| (0..120).map(|i| v[0][i] * v[1][i / 40 * 2 + i % 2]).collect::<Vec<f64>>();
    let factors: [&[usize]; 2] = [&[3, 2], &[3, 1, 1, 2]];
    for shape in factors {
        let error = check_gradients(&[&map, shape], |tape, v| tape.mul(v[0], v[1]), by_channel);
        assert!(error < 1e-5, "by channel {shape:?}: {error:e}");
    }
    // A value times itself takes both gradients.
    let square = |v: &[Vec<f64>]| v[0].iter().map(|x| x * x).collect::<Vec<f64>>();
    let error = check_gradients(&[&[40]], |tape, v| tape.mul(v[0], v[0]), square);
    assert!(error < 1e-5, "square: {error:e}");
}

#[test]
fn curves_have_the_right_gradients() {
    // Four times the drawn numbers, so that all three pieces are seen.
    let four = |tape: &mut Tape<'_, EmbeddedEngine>, x: Var| {
        let twice = tape.add(x, x);
        tape.add(twice, twice)
    };
    for function in CurveFunction::ALL {
        let exact = |x: f64| match function {
            CurveFunction::Hswish => x * (x + 3.0).clamp(0.0, 6.0) / 6.0,
            CurveFunction::Hsigmoid => (x + 3.0).clamp(0.0, 6.0) / 6.0,
            CurveFunction::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        };
        let on_tape = |tape: &mut Tape<'_, EmbeddedEngine>, v: &[Var]| {
            let x = four(tape, v[0]);
            tape.curve(x, function)
        };
        let error = check_gradients(&[&[200]], on_tape, |v| v[0].iter().map(|x| exact(4.0 * x)).collect());
        assert!(error < 1e-5, "{function:?}: {error:e}");
    }
}

#[test]
fn what_moves_elements_has_the_right_gradients() {
    let error = check_gradients(
        &[&[2, 3, 2, 3], &[2, 3, 2, 1], &[2, 3, 2, 2]],
        |tape, v| tape.concat(v),
        |v| {
            let widths = [3, 1, 2];
            (0..12)
                .flat_map(|row| (0..3).flat_map(move |at| v[at][row * widths[at]..][..widths[at]].to_vec()))
                .collect()
        },
    );
    assert!(error < 1e-5, "concat: {error:e}");
    let (before, after) = ([0, 1, 0, 2], [0, 2, 3, 1]);
    let padded = |v: &[Vec<f64>]| {
        let mut out = vec![0.0; 2 * 6 * 5 * 5];
        for (i, x) in v[0].iter().enumerate() {
            let [c, w, h, n] = [i % 2, i / 2 % 2, i / 4 % 3, i / 12];
            out[((n * 6 + h + 1) * 5 + w) * 5 + c + 2] = *x;
        }
        out
    };
    let error = check_gradients(&[&[2, 3, 2, 2]], |tape, v| tape.pad(v[0], &before, &after), padded);
    assert!(error < 1e-5, "pad: {error:e}");
    let larger = |v: &[Vec<f64>]| {
        let at = |i: usize| {
            let [c, w, h, n] = [i % 2, i / 2 % 6, i / 12 % 6, i / 72];
            v[0][((n * 3 + h / 2) * 2 + w / 3) * 2 + c]
        };
        (0..144).map(at).collect()
    };
    let error = check_gradients(&[&[2, 3, 2, 2]], |tape, v| tape.upsample2d(v[0], [2, 3]), larger);
    assert!(error < 1e-5, "upsample: {error:e}");
    let factors: Vec<f32> = (0..40).map(|i| i as f32 / 7.0 - 2.0).collect();
    let error = check_gradients(
        &[&[40]],
        |tape, v| {
            let factors = tape.engine().upload(&[40], &factors);
            tape.scaled(v[0], factors)
        },
        |v| v[0].iter().zip(&factors).map(|(x, f)| x * f64::from(*f)).collect(),
    );
    assert!(error < 1e-5, "scaled: {error:e}");
}

fn dense(net: &mut Net, x: NodeId, units: usize) -> NodeId {
    net.layers += 1;
    let features = net.graph.ty(x).shape.0[1];
    let weight = net.param("w", ParamRole::Weight, &[units, features], features);
    let bias = net.param("b", ParamRole::Bias, &[units], 0);
    net.graph.add(Dense { clamp: Clamp::None, requant: None }, &[x, weight, bias]).expect("a dense layer")
}

fn curve(net: &mut Net, x: NodeId, function: CurveFunction) -> NodeId {
    net.graph.add(Curve { function, requant: None }, &[x]).expect("a curve")
}

/// Squeeze and excite, branches side by side, an enlarged map, padded channels, dropout.
pub(in crate::train) fn excited() -> Graph {
    let (mut net, x) = Net::new([25, 1, 12]);
    let x = net.conv(x, 8, [5, 1], [2, 1]);
    let x = net.norm(x, Clamp::None);
    let x = curve(&mut net, x, CurveFunction::Hswish);
    let pool = AvgPool2d { window: Window::valid([13, 1], [1, 1]), clamp: Clamp::None };
    let squeezed = net.graph.add(pool, &[x]).expect("a pool");
    let squeezed = net.graph.add(Reshape { shape: [1, 8].into() }, &[squeezed]).expect("a vector");
    let squeezed = dense(&mut net, squeezed, 4);
    let squeezed = curve(&mut net, squeezed, CurveFunction::Sigmoid);
    let factors = dense(&mut net, squeezed, 8);
    let factors = curve(&mut net, factors, CurveFunction::Hsigmoid);
    let x = net.graph.add(Mul { clamp: Clamp::Relu6, requant: None }, &[x, factors]).expect("a product");
    let y = net.conv(x, 4, [3, 1], [1, 1]);
    let y = net.graph.add(Pad { before: [0, 0, 1], after: [0, 0, 2] }, &[y]).expect("zeros");
    let x = net.graph.add(Concat {}, &[x, y]).expect("two maps");
    let x = net.graph.add(Upsample2d { factor: [2, 1] }, &[x]).expect("a larger map");
    let x = net.graph.add(Dropout { rate: Scale(0.2) }, &[x]).expect("a dropout");
    net.classify(x, 3)
}

/// A map of a quarter of the elements, and from it the input again.
pub(in crate::train) fn autoencoder() -> Graph {
    let (mut net, x) = Net::new([25, 1, 12]);
    let x = net.conv(x, 15, [5, 1], [5, 1]);
    let x = net.norm(x, Clamp::None);
    let x = net.graph.add(Upsample2d { factor: [5, 1] }, &[x]).expect("a larger map");
    let x = net.conv(x, 24, [5, 1], [1, 1]);
    let x = net.norm(x, Clamp::Relu);
    let x = net.conv(x, 12, [3, 1], [1, 1]);
    net.graph.add_output(x);
    net.graph
}

#[test]
fn all_operators_learn_and_neither_threads_nor_interruptions_change_a_bit() {
    let graph = excited();
    let (inputs, labels) = sinusoids(240, 100);
    let start = |engine: EmbeddedEngine| {
        Trainer::with_engine(engine, &graph, recipe(12, 32), (&inputs, &labels), 1).expect("all fits")
    };
    let finish = |mut trainer: Trainer| {
        while !trainer.finished() {
            trainer.epoch().expect("finite");
        }
        trainer.weights()
    };
    let weights = finish(start(EmbeddedEngine::new()));
    let (unseen, wanted) = sinusoids(150, 900);
    let outputs = predict(&graph, &weights, &unseen).expect("all fits");
    let right = accuracy(&outputs, &wanted).expect("a label for each");
    assert!(right > 0.8, "unseen: {right}");
    let expected = weight_bits(&weights);
    assert_eq!(weight_bits(&finish(start(EmbeddedEngine::portable()))), expected, "portable");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
    assert_eq!(pool.install(|| weight_bits(&finish(start(EmbeddedEngine::new())))), expected, "threads");
    let mut interrupted = start(EmbeddedEngine::new());
    (0..5).for_each(|_| _ = interrupted.epoch().expect("finite"));
    let mut resumed = start(EmbeddedEngine::new());
    resumed.resume(&interrupted.state()).expect("a state of this training");
    assert_eq!(weight_bits(&finish(resumed)), expected, "resumed");
    // What evaluation computes is what the graph's reference does, in which dropout does nothing.
    let one: Vec<f32> = unseen.as_f32().expect("floats").iter().take(300).copied().collect();
    let one = Value::from_f32(&[1, 25, 1, 12].into(), one).expect("one sample");
    let reference = graph.evaluate(&[one], &weights).expect("evaluates").remove(0);
    let reference = reference.as_f32().expect("floats").iter().copied().collect::<Vec<f32>>();
    for (a, b) in reference.iter().zip(outputs.as_f32().expect("floats")) {
        assert!((a - b).abs() < 1e-4 * a.abs().max(1.0), "{a} {b}");
    }
}

/// What a dropout makes of ones.
fn dropped(rates: &[f32], mode: Mode) -> Vec<f32> {
    let (mut net, mut x) = Net::new([40, 50, 5]);
    for &rate in rates {
        x = net.graph.add(Dropout { rate: Scale(rate) }, &[x]).expect("a dropout");
    }
    net.graph.add_output(x);
    let network = Network::new(&net.graph).expect("a network");
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let x = tape.constant(engine.full(&[2, 40, 50, 5], 1.0));
    let y = network.forward(&mut tape, &[], x, mode, &mut Pass::new());
    engine.download(tape.value(y))
}

#[test]
fn dropout_drops_its_share_by_its_key_and_keeps_the_mean() {
    let mode = |key| Mode::Training { key };
    for rate in [0.1f32, 0.5, 0.9] {
        let found = dropped(&[rate], mode(7));
        let scaled = 1.0 / (1.0 - rate);
        assert!(found.iter().all(|&x| x == 0.0 || (x - scaled).abs() < 1e-6));
        let kept = found.iter().filter(|&&x| x > 0.0).count() as f32 / found.len() as f32;
        assert!((kept - (1.0 - rate)).abs() < 0.02, "{rate}: {kept}");
        assert_eq!(found, dropped(&[rate], mode(7)));
        assert_ne!(found, dropped(&[rate], mode(8)), "another key");
    }
    assert!(dropped(&[0.0], mode(7)).iter().all(|&x| x == 1.0));
    assert!(dropped(&[0.9], Mode::Evaluation).iter().all(|&x| x == 1.0));
    assert!(dropped(&[0.9], Mode::Statistics).iter().all(|&x| x == 1.0));
    // Two layers draw apart: together they keep a quarter, not a half.
    let kept = dropped(&[0.5, 0.5], mode(3)).iter().filter(|&&x| x > 0.0).count();
    assert!((4500..5500).contains(&kept), "{kept} of 20000");
}
