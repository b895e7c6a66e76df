//! Masks, slices and kernel transforms: what they choose, and gradients against differences in `f64`.

use std::sync::Arc;

use super::generic::row;
use super::{check_gradients, check_surrogate};
use crate::ops::Window;
use crate::quantize::activation_quant;
use crate::train::EmbeddedEngine;
use crate::train::compose::fake_quantize::{self as fake, Bits};
use crate::train::compose::kernel_transform::{self as kernel, Step};
use crate::train::compose::slice::{self, Channels};
use crate::train::compose::{gumbel, mask, variational};
use crate::train::engine::{Binary, Distribution, Engine};
use crate::train::tape::{Gradients, Tape, Var};

type OnTape<'t, 'e> = &'t mut Tape<'e, EmbeddedEngine>;

fn zeros(elements: &[f32]) -> usize {
    elements.iter().filter(|&&x| x == 0.0).count()
}

#[test]
fn masks_take_the_weights_of_least_magnitude() {
    let engine = EmbeddedEngine::new();
    let masked = |elements: &[f32], sparsity| {
        let w = engine.upload(&[elements.len()], elements);
        engine.download(&mask::magnitude_masks(&engine, &[&w], sparsity)[0])
    };
    assert_eq!(masked(&[3.0, -1.0, 2.0, -4.0, 0.5], 0.4), [1.0, 0.0, 1.0, 1.0, 0.0]);
    assert_eq!(masked(&[1.0, -1.0, 1.0, 1.0], 0.5), [0.0, 0.0, 1.0, 1.0], "of equal ones the first go");
    assert_eq!(masked(&[1.0, 2.0, 3.0], 0.99), [0.0, 0.0, 1.0], "rounded down");
    assert_eq!(masked(&[1.0, 2.0, 3.0], 0.0), [1.0; 3]);
    assert_eq!(masked(&[1.0, 2.0, 3.0], 1.0), [0.0; 3]);
    // One threshold for both.
    let small = engine.upload(&[2, 2], &[0.1, 0.2, 0.3, 9.0]);
    let large = engine.upload(&[1, 3], &[5.0, 0.25, 6.0]);
    let found = mask::magnitude_masks(&engine, &[&small, &large], 4.0 / 7.0);
    assert_eq!(engine.download(&found[0]), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(engine.download(&found[1]), [1.0, 0.0, 1.0]);
    assert_eq!(engine.shape(&found[1]), [1, 3]);
    // The share that is asked for, of any number.
    let w = engine.random(Distribution::Normal, 9, &[7, 3, 3, 11]);
    for sparsity in [0.05, 0.33, 0.5, 0.8] {
        let found = engine.download(&mask::magnitude_masks(&engine, &[&w], sparsity)[0]);
        assert_eq!(zeros(&found), (693.0 * sparsity) as usize);
        let elements = engine.download(&w);
        let of = |wanted: f32| {
            let own = elements.iter().zip(&found).filter(move |(_, kept)| **kept == wanted);
            own.map(|(x, _)| x.abs()).collect::<Vec<f32>>()
        };
        let greatest_gone = of(0.0).into_iter().fold(0.0, f32::max);
        assert!(of(1.0).into_iter().all(|x| x >= greatest_gone));
    }
}

#[test]
fn channel_masks_take_whole_channels_and_leave_one() {
    let engine = EmbeddedEngine::new();
    // Norms 5, sqrt 2, 2 along 0; along 3 of the other 1, 3, 0.
    let w = engine.upload(&[3, 1, 1, 2], &[3.0, 4.0, 1.0, -1.0, 0.0, 2.0]);
    let depthwise = engine.upload(&[1, 2, 1, 3], &[1.0, 3.0, 0.0, 0.0, 0.0, 0.0]);
    let both = [(&w, 0), (&depthwise, 3)];
    let found = mask::channel_masks(&engine, &both, 0.5);
    assert_eq!(engine.download(&found[0]), [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(engine.download(&found[1]), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    let all = mask::channel_masks(&engine, &both, 1.0);
    assert_eq!(engine.download(&all[0]), [1.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(engine.download(&all[1]), [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    let equal = engine.full(&[4, 2], 1.0);
    let found = mask::channel_masks(&engine, &[(&equal, 0)], 0.5);
    assert_eq!(engine.download(&found[0]), [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0], "the first go");
}

#[test]
fn sparsity_grows_from_none_to_the_last() {
    let at = |progress| mask::gradual_sparsity(0.8, progress);
    assert_eq!([at(-1.0), at(0.0), at(1.0), at(2.0)], [0.0, 0.0, 0.8, 0.8]);
    assert!((at(0.5) - 0.7).abs() < 1e-12, "0.8 times 7/8");
}

#[test]
fn masked_parameters_have_the_right_gradients() {
    let shapes: [&[usize]; 3] = [&[5, 3, 3, 7], &[1, 3, 1, 9], &[11, 13]];
    let (mut rigid, mut fed_back) = (0.0f64, 0.0f64);
    for shape in shapes {
        let chosen = |base: &[f64]| {
            let engine = EmbeddedEngine::new();
            let elements: Vec<f32> = base.iter().map(|&x| x as f32).collect();
            let w = engine.upload(shape, &elements);
            let found = engine.download(&mask::magnitude_masks(&engine, &[&w], 0.6)[0]);
            found.into_iter().map(f64::from).collect::<Vec<f64>>()
        };
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
            let mask = mask::magnitude_masks(tape.engine(), &[tape.value(v[0])], 0.6).remove(0);
            mask::masked(tape, v[0], mask)
        };
        let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
            v[0].iter().zip(chosen(&base[0])).map(|(x, kept)| x * kept).collect()
        };
        rigid = rigid.max(check_surrogate(&[shape], on_tape, surrogate));
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
            let mask = mask::magnitude_masks(tape.engine(), &[tape.value(v[0])], 0.6).remove(0);
            mask::masked_with_feedback(tape, v[0], &mask)
        };
        // What the mask takes is a constant that is subtracted.
        let surrogate = |base: &[Vec<f64>], v: &[Vec<f64>]| {
            let kept = chosen(&base[0]);
            (0..kept.len()).map(|i| base[0][i] * kept[i] + v[0][i] - base[0][i]).collect()
        };
        fed_back = fed_back.max(check_surrogate(&[shape], on_tape, surrogate));
    }
    row("mask, masked", rigid, 1e-5);
    row("mask, masked_with_feedback", fed_back, 1e-5);
}

/// Indices in use, of a dimension.
fn listed(wanted: &Channels) -> Vec<usize> {
    match wanted {
        Channels::First(count) => (0..*count).collect(),
        Channels::Listed(list) => list.iter().map(|&index| index as usize).collect(),
    }
}

#[test]
fn slices_of_parameters_have_the_right_gradients() {
    let some = |list: &[u32]| Channels::Listed(Arc::from(list));
    let cuts = [
        (Channels::First(3), Channels::First(7)),
        (Channels::First(5), Channels::First(4)),
        (some(&[4, 0, 2]), some(&[6, 1, 3])),
        (Channels::First(1), some(&[5])),
    ];
    let (mut dense, mut convolution, mut behind, mut vector) = (0.0f64, 0.0f64, 0.0f64, 0.0f64);
    for (outputs, inputs) in &cuts {
        let (rows, columns) = (listed(outputs), listed(inputs));
        // `between` positions of 7 channels: of a dense layer, a kernel, a map.
        let cut = |between: usize| {
            let (rows, columns) = (rows.clone(), columns.clone());
            move |v: &[Vec<f64>]| {
                let (rows, columns, whole) = (&rows, &columns, &v[0]);
                let of = |o: usize, at: usize| columns.iter().map(move |c| whole[(o * between + at) * 7 + c]);
                rows.iter().flat_map(|&o| (0..between).flat_map(move |at| of(o, at))).collect::<Vec<f64>>()
            }
        };
        let weights = |tape: OnTape<'_, '_>, v: &[Var]| slice::weights(tape, v[0], outputs, inputs);
        dense = dense.max(check_gradients(&[&[5, 7]], weights, cut(1)));
        convolution = convolution.max(check_gradients(&[&[5, 3, 2, 7]], weights, cut(6)));
        let error = check_gradients(
            &[&[5, 21]],
            |tape, v| slice::weights_behind_map(tape, v[0], 3, outputs, inputs),
            cut(3),
        );
        behind = behind.max(error);
        let part = |v: &[Vec<f64>]| columns.iter().map(|&c| v[0][c]).collect();
        let channels = |tape: OnTape<'_, '_>, v: &[Var]| slice::channels(tape, v[0], 0, inputs);
        vector = vector.max(check_gradients(&[&[7]], channels, part));
    }
    row("slice, dense weights", dense, 1e-5);
    row("slice, weights of convolutions", convolution, 1e-5);
    row("slice, dense weights behind a map", behind, 1e-5);
    row("slice, vectors", vector, 1e-5);
}

#[test]
fn a_slice_takes_gradients_to_its_place_and_the_whole_costs_nothing() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    let x = tape.variable(engine.upload(&[4], &[1.0, 2.0, 3.0, 4.0]));
    assert_eq!(slice::channels(&mut tape, x, 0, &Channels::First(4)), x);
    let y = slice::channels(&mut tape, x, 0, &Channels::best(&[3, 1, 0, 2], 2));
    assert_eq!(engine.download(tape.value(y)), [4.0, 2.0]);
    let gradients = tape.backward_with(y, engine.upload(&[2], &[10.0, 20.0]));
    assert_eq!(engine.download(gradients.get(x).expect("a variable")), [0.0, 20.0, 0.0, 10.0]);
}

#[test]
fn channels_are_ordered_by_the_weights_that_use_them() {
    let engine = EmbeddedEngine::new();
    // Columns with L1 norms 3, 5, 3, 4.
    let w = engine.upload(&[2, 4], &[1.0, -5.0, 3.0, 2.0, -2.0, 0.0, 0.0, -2.0]);
    assert_eq!(slice::by_importance(&engine, &w, 1), [1, 3, 0, 2]);
    assert_eq!(slice::by_importance(&engine, &w, 0), [0, 1]);
}

/// The centre of `[O,Kh,Kw,C]` times a matrix, in `f64`.
fn shrunk(w: &[f64], [o, kh, kw, c]: [usize; 4], [h, v]: [usize; 2], matrix: Option<&[f64]>) -> Vec<f64> {
    let (top, left) = ((kh - h) / 2, (kw - v) / 2);
    let tap = |filter: usize, at: usize, channel: usize| {
        w[((filter * kh + top + at / v) * kw + left + at % v) * c + channel]
    };
    let each = |i: usize| {
        let (filter, at, channel) = (i / c / (h * v), i / c % (h * v), i % c);
        match matrix {
            None => tap(filter, at, channel),
            Some(m) => (0..h * v).map(|j| m[at * h * v + j] * tap(filter, j, channel)).sum(),
        }
    };
    (0..o * h * v * c).map(each).collect()
}

#[test]
fn kernel_transforms_have_the_right_gradients() {
    // Standard, depthwise, one-dimensional both ways; two steps each, the last one without a matrix.
    let cases: [([usize; 4], [usize; 2], [usize; 2]); 5] = [
        ([3, 7, 7, 2], [5, 5], [3, 3]),
        ([1, 7, 7, 5], [5, 5], [3, 3]),
        ([4, 7, 1, 3], [5, 1], [3, 1]),
        ([1, 1, 9, 3], [1, 5], [1, 2]),
        ([2, 6, 5, 1], [3, 4], [2, 1]),
    ];
    for (shape, middle, last) in cases {
        let [large, small] = [middle, last].map(|[h, w]| h * w);
        let on_tape = |tape: OnTape<'_, '_>, v: &[Var]| {
            let step = |kernel, matrix| Step { kernel, matrix };
            kernel::shrunk(tape, v[0], &[step(middle, Some(v[1])), step(last, Some(v[2]))])
        };
        let exact = |v: &[Vec<f64>]| {
            let between = shrunk(&v[0], shape, middle, Some(&v[1]));
            shrunk(&between, [shape[0], middle[0], middle[1], shape[3]], last, Some(&v[2]))
        };
        let error = check_gradients(&[&shape, &[large, large], &[small, small]], on_tape, exact);
        row(&format!("kernel_transform {shape:?} {middle:?} {last:?}"), error, 1e-5);
        let crop = |tape: OnTape<'_, '_>, v: &[Var]| kernel::centre(tape, v[0], last);
        let error = check_gradients(&[&shape], crop, |v| shrunk(&v[0], shape, last, None));
        row(&format!("centre {shape:?} {last:?}"), error, 1e-5);
    }
}

#[test]
fn the_first_matrices_leave_the_centre_as_it_is() {
    let engine = EmbeddedEngine::new();
    let mut tape = Tape::new(&engine);
    for shape in [[3, 7, 7, 2], [1, 7, 7, 5]] {
        let w = tape.variable(engine.random(Distribution::Normal, 1, &shape));
        let step = |tape: OnTape<'_, '_>, kernel| {
            let matrix = tape.variable(kernel::identity(tape.engine(), kernel));
            Step { kernel, matrix: Some(matrix) }
        };
        let steps = [step(&mut tape, [5, 5]), step(&mut tape, [3, 3])];
        let y = kernel::shrunk(&mut tape, w, &steps);
        let centre = kernel::centre(&mut tape, w, [3, 3]);
        assert_eq!(tape.value(y), tape.value(centre));
        let count: usize =
            steps.iter().map(|step| step.kernel[0] * step.kernel[1]).map(|taps| taps * taps).sum();
        assert_eq!(count, 706);
        assert_eq!(kernel::shrunk(&mut tape, w, &[]), w);
        assert_eq!(kernel::centre(&mut tape, w, [7, 7]), w);
    }
}

/// A layer of a supernet with everything that this module has, on variables `x [3,9,7,6], w [8,7,7,6],
/// matrix [25,25], step [1], logits [3], log variance [8,5,5,6]`.
fn supernet_layer(tape: OnTape<'_, '_>, v: &[Var]) -> Var {
    let masks = mask::channel_masks(tape.engine(), &[(tape.value(v[1]), 0)], 0.25);
    let w = mask::masked_with_feedback(tape, v[1], &masks[0]);
    let w = kernel::shrunk(tape, w, &[Step { kernel: [5, 5], matrix: Some(v[2]) }]);
    let log_alpha = variational::log_alpha(tape, w, v[5]);
    let divergence = variational::divergence(tape, log_alpha);
    let order = slice::by_importance(tape.engine(), tape.value(w), 0);
    let w = slice::weights(tape, w, &Channels::best(&order, 5), &Channels::First(4));
    let w = fake::fake_quantize_weights(tape, w, 0, Bits::Four);
    let x = slice::channels(tape, v[0], 3, &Channels::First(4));
    let x = fake::fake_quantize_activation(tape, x, &activation_quant(-1.5, 2.0));
    let nothing = tape.engine().full(&[5], 0.0);
    let bias = tape.constant(nothing);
    let y = tape.conv2d(x, w, bias, &Window::same([5, 5], [1, 1], [9, 7]));
    let y = fake::fake_quantize_learned(tape, y, v[3], 0);
    let choice = gumbel::hard(tape, v[4], 0.7, 5);
    let widths = gumbel::width_mask(tape, choice, &[2, 5, 3], 5);
    let y = tape.zip(Binary::Multiply, y, widths);
    tape.zip(Binary::Add, y, divergence)
}

/// The bits of the layer's value and of its gradients.
fn layer_bits(engine: &EmbeddedEngine, release: bool) -> Vec<Vec<u32>> {
    let shapes: [&[usize]; 6] = [&[3, 9, 7, 6], &[8, 7, 7, 6], &[25, 25], &[1], &[3], &[8, 5, 5, 6]];
    let mut tape = Tape::new(engine);
    let draw = |key: usize, shape: &[usize]| engine.random(Distribution::Normal, 40 + key as u64, shape);
    let mut vars: Vec<Var> =
        shapes.iter().enumerate().map(|(key, shape)| tape.variable(draw(key, shape))).collect();
    vars[3] = tape.variable(engine.full(&[1], 0.3));
    let y = supernet_layer(&mut tape, &vars);
    let bits = |tensor: &_| engine.download(tensor).into_iter().map(f32::to_bits).collect::<Vec<u32>>();
    let mut found = vec![bits(tape.value(y))];
    let mut gradients = Gradients::new();
    if release {
        tape.backward_and_release(y, &mut gradients);
    } else {
        gradients = tape.backward(y);
    }
    found.extend(vars.iter().map(|&var| bits(gradients.get(var).expect("it takes effect"))));
    found
}

#[test]
fn neither_instructions_nor_threads_nor_releases_change_a_bit() {
    let expected = layer_bits(&EmbeddedEngine::new(), false);
    for found in &expected {
        assert!(found.iter().any(|&x| f32::from_bits(x) != 0.0));
        assert!(found.iter().all(|&x| f32::from_bits(x).is_finite()));
    }
    assert_eq!(layer_bits(&EmbeddedEngine::new(), true), expected, "released");
    assert_eq!(layer_bits(&EmbeddedEngine::portable(), false), expected, "portable");
    let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().expect("threads");
    assert_eq!(pool.install(|| layer_bits(&EmbeddedEngine::new(), false)), expected, "threads");
}
