//! Operators of imported graphs, each against its definition.

use super::*;

const MEANING: Quant = Quant { scales: crate::tensor::Scales::One(Scale(0.5)), zero_point: -3, axis: None };

/// A tensor of bytes that follow from the seed.
fn bytes(shape: &[usize], seed: u64, quant: Quant) -> (TensorType, Value) {
    integer(DType::I8, shape, &numbers(seed, shape.iter().product(), 127), quant)
}

fn ending(scale: f32, zero_point: i32) -> Requant {
    requant(scale, zero_point).expect("one")
}

/// What of 4 extents of two shapes is kept: both, or one of them alone.
fn shapes() -> impl Strategy<Value = ([usize; 4], [[bool; 4]; 2])> {
    let kept = || prop::array::uniform4(any::<bool>());
    (prop::array::uniform4(1usize..4), kept(), kept()).prop_map(|(extents, a, b)| {
        // Where neither keeps an extent it is 1.
        let extents = std::array::from_fn(|axis| if a[axis] || b[axis] { extents[axis] } else { 1 });
        (extents, [a, b])
    })
}

fn of(extents: [usize; 4], kept: [bool; 4]) -> Vec<usize> {
    (0..4).map(|axis| if kept[axis] { extents[axis] } else { 1 }).collect()
}

/// The element of a tensor that is used at a place of what it is broadcast to.
fn used(shape: &[usize], place: [usize; 4]) -> usize {
    (0..4).fold(0, |at, axis| at * shape[axis] + if shape[axis] == 1 { 0 } else { place[axis] })
}

proptest! {
    #[test]
    fn broadcast_functions_are_those_of_the_elements(
        (extents, kept) in shapes(), seed in any::<u64>(), clamp in 0usize..3, which in 0usize..6,
    ) {
        let function = ElementwiseFunction::ALL[which];
        let is_choice = matches!(function, ElementwiseFunction::Maximum | ElementwiseFunction::Minimum);
        let other = if is_choice { MEANING } else { Quant::per_tensor(0.07, 11) };
        let [a_shape, b_shape] = kept.map(|kept| of(extents, kept));
        let (a, b) = (bytes(&a_shape, seed, MEANING), bytes(&b_shape, seed ^ 1, other));
        let clamp = [Clamp::None, Clamp::Relu, Clamp::Relu6][clamp];
        let requant = if is_choice { ending(0.5, -3) } else { ending(0.6, -20) };
        let found = evaluate(Elementwise { function, clamp, requant }, &[&a, &b]);
        prop_assert_eq!(&found.0.shape.0[..], &extents[..]);
        let real = |of: &(TensorType, Value), at: usize| {
            let quant = of.0.quant.as_ref().expect("one");
            f64::from(whole(of)[at] - quant.zero_point) * f64::from(quant.scale(0))
        };
        let (low, high) = clamp.range(&requant);
        for (at, found) in whole(&found).into_iter().enumerate() {
            let [_, h, w, c] = extents;
            let place = [at / c / w / h, at / c / w % h, at / c % w, at % c];
            let (a, b) = (real(&a, used(&a_shape, place)), real(&b, used(&b_shape, place)));
            let wanted = match function {
                ElementwiseFunction::Add => a + b,
                ElementwiseFunction::Sub => a - b,
                ElementwiseFunction::Mul => a * b,
                ElementwiseFunction::Maximum => a.max(b),
                ElementwiseFunction::Minimum => a.min(b),
                ElementwiseFunction::Prelu => if a < 0.0 { a * b } else { a },
            };
            let wanted = wanted / f64::from(requant.scale.0) + f64::from(requant.zero_point);
            let wanted = wanted.clamp(f64::from(low), f64::from(high));
            // Of two roundings the first is at least 16 times as fine.
            prop_assert!((f64::from(found) - wanted).abs() <= 0.532, "{function:?}: {found} is not {wanted}");
        }
    }

    /// Zeros between the pixels and around them, and the filters turned round.
    #[test]
    fn a_transposed_convolution_is_one_of_a_map_with_zeros_between(
        kernel in prop::array::uniform2(1usize..5), stride in prop::array::uniform2(1usize..4),
        [height, width] in prop::array::uniform2(1usize..4), [channels, filters] in prop::array::uniform2(1usize..4),
        same in any::<bool>(), over in prop::array::uniform2(0usize..4), seed in any::<u64>(),
    ) {
        let input = [height, width];
        let extents: [usize; 2] = std::array::from_fn(|axis| match same {
            true => input[axis] * stride[axis] - over[axis] % stride[axis],
            false => (input[axis] - 1) * stride[axis] + kernel[axis],
        });
        let window =
            if same { Window::same(kernel, stride, extents) } else { Window::valid(kernel, stride) };
        let x = bytes(&[1, height, width, channels], seed, MEANING);
        let quant = Quant::per_channel((1..=filters).map(|o| o as f32 / 100.0).collect(), 0);
        let w = bytes(&[filters, kernel[0], kernel[1], channels], seed ^ 1, quant);
        let b = integer(DType::I32, &[filters], &numbers(seed ^ 2, filters, 900), Quant::per_tensor(1.0, 0));
        let (clamp, requant) = (Clamp::Relu, ending(0.9, -50));
        let found = evaluate(TransposeConv2d { window, output: extents, clamp, requant }, &[&x, &w, &b]);

        let before: [usize; 2] =
            std::array::from_fn(|axis| kernel[axis] - 1 - [window.padding.top, window.padding.left][axis]);
        let spread: [usize; 2] = std::array::from_fn(|axis| extents[axis] + kernel[axis] - 1);
        let mut zeros = vec![-3; spread[0] * spread[1] * channels];
        for (at, &x) in whole(&x).iter().enumerate() {
            let (y, x_at, c) = (at / channels / width, at / channels % width, at % channels);
            let place = [before[0] + y * stride[0], before[1] + x_at * stride[1]];
            zeros[(place[0] * spread[1] + place[1]) * channels + c] = x;
        }
        let taps = kernel[0] * kernel[1];
        let given = whole(&w);
        let turned: Vec<i32> = (0..given.len())
            .map(|at| {
                let (filter, tap, c) = (at / channels / taps, at / channels % taps, at % channels);
                given[(filter * taps + taps - 1 - tap) * channels + c]
            })
            .collect();
        let zeros = integer(DType::I8, &[1, spread[0], spread[1], channels], &zeros, MEANING);
        let turned = (w.0.clone(), integer(DType::I8, &w.0.shape.0, &turned, MEANING).1);
        let conv = Conv2d { window: Window::valid(kernel, [1, 1]), clamp, requant: Some(requant) };
        let wanted = evaluate(conv, &[&zeros, &turned, &b]);
        prop_assert_eq!(whole(&found), whole(&wanted));
    }
}

#[test]
fn a_table_says_what_is_made_of_each_byte() {
    let x = integer(DType::I8, &[1, 3], &[-128, 0, 127], MEANING);
    let table: Vec<i32> = (-128..128).map(|x: i32| (x / 2) ^ 1).collect();
    let table = (
        TensorType { dtype: DType::I8, shape: [256].into(), quant: None },
        Value::from_i32_vec(DType::I8, &[256].into(), &table).expect("bytes"),
    );
    let found = evaluate(Lookup { requant: ending(0.1, 4) }, &[&x, &table]);
    assert_eq!((whole(&found), found.0.quant.expect("one").zero_point), (vec![-63, 1, 62], 4));
}

#[test]
fn imported_operators_refuse_what_does_not_fit() {
    use ShapeErrorKind as Kind;
    let q = |shape: &[usize], quant: Quant| TensorType::quantized(DType::I8, Shape::from(shape), quant);
    let x = q(&[1, 4, 4, 3], MEANING);
    let of = |function, b: &TensorType| {
        let op = Elementwise { function, clamp: Clamp::None, requant: ending(0.1, -3) };
        op.infer(&[&x, b]).expect_err("refused").kind
    };
    assert_eq!(of(ElementwiseFunction::Sub, &q(&[1, 3, 4, 3], MEANING)), Kind::Shape);
    assert_eq!(of(ElementwiseFunction::Sub, &TensorType::f32([1, 4, 4, 3])), Kind::Type);
    assert_eq!(of(ElementwiseFunction::Maximum, &q(&[3], Quant::per_tensor(0.25, -3))), Kind::Type);
    assert_eq!(of(ElementwiseFunction::Mul, &q(&[3], Quant::per_tensor(f32::MAX, 0))), Kind::Type);
    let w = q(&[2, 3, 3, 3], Quant::per_channel(vec![0.1; 2], 0));
    let b = TensorType { dtype: DType::I32, shape: [2].into(), quant: None };
    let to = |output, stride| {
        let window = Window::same([3, 3], stride, output);
        TransposeConv2d { window, output, clamp: Clamp::None, requant: ending(0.5, 0) }.infer(&[&x, &w, &b])
    };
    assert_eq!(to([8, 8], [2, 2]).expect("fits").shape, [1, 8, 8, 2].into());
    assert_eq!(to([9, 8], [2, 2]).expect_err("5 rows").kind, Kind::Shape);
    assert_eq!(to([8, 8], [0, 2]).expect_err("no stride").kind, Kind::Window);
    let lookup = Lookup { requant: ending(0.5, 0) };
    let table = |len: usize| TensorType { dtype: DType::I8, shape: [len].into(), quant: None };
    assert_eq!(lookup.infer(&[&x, &table(255)]).expect_err("one too few").kind, Kind::Shape);
    assert_eq!(lookup.infer(&[&TensorType::f32([1, 2]), &table(256)]).expect_err("floats").kind, Kind::Type);
}
