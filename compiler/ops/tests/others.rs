//! Operators without weights or windows, each against its definition.

use super::*;

fn refused(op: impl Into<Op>, inputs: &[&TensorType]) -> ShapeErrorKind {
    op.into().infer(inputs).expect_err("refused").kind
}

fn map(shape: [usize; 4]) -> (TensorType, Value) {
    let count = shape.iter().product();
    integer(DType::I8, &shape, &numbers(7, count, 127), Quant::per_tensor(0.5, -3))
}

/// Elements with their places.
fn elements((ty, value): &(TensorType, Value)) -> Vec<([usize; 4], i32)> {
    let [_, b, c, d] = ty.shape.nhwc().expect("a map");
    let place = |i: usize| [i / d / c / b, i / d / c % b, i / d % c, i % d];
    whole(&(ty.clone(), value.clone())).into_iter().enumerate().map(|(i, x)| (place(i), x)).collect()
}

fn at(of: &(TensorType, Value), place: [usize; 4]) -> i32 {
    elements(of).into_iter().find(|(other, _)| *other == place).expect("inside").1
}

#[test]
fn concatenations_keep_their_parts_in_order() {
    let parts = [map([2, 3, 2, 4]), map([2, 3, 2, 1]), map([2, 3, 2, 3])];
    let y = evaluate(Concat {}, &[&parts[0], &parts[1], &parts[2]]);
    assert_eq!(y.0.shape, [2, 3, 2, 8].into());
    for ([n, h, w, c], found) in elements(&y) {
        let (part, c) = [(0, c), (1, c.wrapping_sub(4)), (2, c.wrapping_sub(5))]
            [usize::from(c >= 4) + usize::from(c >= 5)];
        assert_eq!(found, at(&parts[part], [n, h, w, c]));
    }
    let vectors = [float(&[1, 2], &[1, 2], 1.0), float(&[1, 1], &[3], 1.0)];
    assert_eq!(reals(&evaluate(Concat {}, &[&vectors[0], &vectors[1]])), [1.0, 2.0, 3.0]);
}

#[test]
fn padding_is_zero_around_the_map() {
    let x = map([2, 3, 2, 2]);
    let y = evaluate(Pad { before: [1, 0, 2], after: [0, 3, 1] }, &[&x]);
    assert_eq!(y.0, TensorType { shape: [2, 4, 5, 5].into(), ..x.0.clone() });
    for ([n, h, w, c], found) in elements(&y) {
        let inside = (1..4).contains(&h) && w < 2 && (2..4).contains(&c);
        assert_eq!(found, if inside { at(&x, [n, h - 1, w, c - 2]) } else { -3 });
    }
}

#[test]
fn enlarging_repeats_pixels() {
    let x = map([2, 2, 3, 2]);
    let y = evaluate(Upsample2d { factor: [3, 2] }, &[&x]);
    assert_eq!(y.0.shape, [2, 6, 6, 2].into());
    for ([n, h, w, c], found) in elements(&y) {
        assert_eq!(found, at(&x, [n, h / 3, w / 2, c]));
    }
}

#[test]
fn curves_have_their_values() {
    let x = float(&[1, 7], &[-8, -6, -3, 0, 3, 6, 8], 0.5);
    let curve = |function| reals(&evaluate(Curve { function, requant: None }, &[&x]));
    assert_eq!(curve(CurveFunction::Hsigmoid), [0.0, 0.0, 0.25, 0.5, 0.75, 1.0, 1.0]);
    assert_eq!(curve(CurveFunction::Hswish), [0.0, 0.0, -0.375, 0.0, 1.125, 3.0, 4.0]);
    let sigmoid = curve(CurveFunction::Sigmoid);
    for (x, y) in reals(&x).into_iter().zip(sigmoid) {
        assert!((f64::from(y) - 1.0 / (1.0 + f64::from(-x).exp())).abs() < 1e-6);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn integer_products_are_within_a_step_of_the_real_ones(
        seed in any::<u64>(), scales in (0.01f32..1.0, 0.01f32..1.0, 0.3f32..8.0), zero_points in prop::array::uniform3(-128i32..128), by_channel in any::<bool>(),
    ) {
        let shape = if by_channel { vec![2, 5] } else { vec![2, 2, 3, 5] };
        let (xs, ys) = (numbers(seed, 60, 127), numbers(seed ^ 1, shape.iter().product(), 127));
        let scale = scales.0 * scales.1 * 255.0 * scales.2;
        let a = integer(DType::I8, &[2, 2, 3, 5], &xs, Quant::per_tensor(scales.0, zero_points[0]));
        let b = integer(DType::I8, &shape, &ys, Quant::per_tensor(scales.1, zero_points[1]));
        let op = Mul { clamp: Clamp::None, requant: requant(scale, zero_points[2]) };
        for (i, found) in whole(&evaluate(op, &[&a, &b])).into_iter().enumerate() {
            let y = if by_channel { ys[i / 30 * 5 + i % 5] } else { ys[i] };
            let real = f64::from(scales.0) * f64::from(xs[i] - zero_points[0]) * f64::from(scales.1) * f64::from(y - zero_points[1]);
            let wanted = (real / f64::from(scale) + f64::from(zero_points[2])).clamp(-128.0, 127.0);
            // The first of the two roundings is 2^6 times finer than the second one, or more.
            prop_assert!((f64::from(found) - wanted).abs() <= 0.51, "{} is not {}", found, wanted);
        }
    }

    /// A table is the function, rounded: exactly for sigmoids, and within two steps for a hard swish, whose 16 bits
    /// are coarser than the output where the output is fine.
    #[test]
    fn tables_are_the_functions(scale in 0.005f32..0.3, zero_point in -128i32..128, out in 0.25f32..4.0, to in -128i32..128) {
        let x = TensorType::quantized(DType::I8, [1, 4], Quant::per_tensor(scale, zero_point));
        for function in CurveFunction::ALL {
            let out = if function == CurveFunction::Hswish { scale * out } else { out / 256.0 };
            let curve = Curve { function, requant: requant(out, to) };
            let ty = curve.infer(&[&x]).expect("fits");
            for (byte, &found) in (-128i32..).zip(&curve.table(&x, &ty)) {
                let real = function.apply((byte - zero_point) as f32 * scale);
                let wanted = (f64::from(real) / f64::from(out) + f64::from(to)).clamp(-128.0, 127.0);
                let tolerance = if function == CurveFunction::Hswish { 1.5 } else { 0.501 };
                prop_assert!((f64::from(found) - wanted).abs() <= tolerance, "{function:?} of {byte}: {found} is not {wanted}");
            }
        }
    }

    #[test]
    fn requantization_is_within_a_step(scale in 0.01f32..1.0, out in 0.01f32..1.0, zero_points in prop::array::uniform2(-128i32..128)) {
        let xs: Vec<i32> = (-128..128).collect();
        let x = integer(DType::I8, &[1, 256], &xs, Quant::per_tensor(scale, zero_points[0]));
        let op = Requantize { requant: requant(out, zero_points[1]).expect("some") };
        for (found, x) in whole(&evaluate(op, &[&x])).into_iter().zip(xs) {
            let real = f64::from(scale) * f64::from(x - zero_points[0]) / f64::from(out) + f64::from(zero_points[1]);
            // Two roundings; the first one is at least twice as fine as the second where both do something.
            prop_assert!((f64::from(found) - real.clamp(-128.0, 127.0)).abs() <= 0.751);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    use ShapeErrorKind as Kind;
    let f = |shape: &[usize]| TensorType::f32(Shape::from(shape));
    let q = |shape: &[usize], scale| {
        TensorType::quantized(DType::I8, Shape::from(shape), Quant::per_tensor(scale, 0))
    };
    let x = f(&[1, 4, 4, 2]);
    assert_eq!(refused(Concat {}, &[]), Kind::Shape);
    assert_eq!(refused(Concat {}, &[&x]), Kind::Shape);
    assert_eq!(refused(Concat {}, &[&x, &f(&[1, 4, 3, 2])]), Kind::Shape);
    assert_eq!(refused(Concat {}, &[&x, &f(&[1, 4])]), Kind::Shape);
    assert_eq!(refused(Concat {}, &[&f(&[3]), &f(&[3])]), Kind::Shape);
    assert_eq!(refused(Concat {}, &[&q(&[1, 2], 0.5), &q(&[1, 2], 0.25)]), Kind::Type);
    assert_eq!(refused(Concat {}, &[&q(&[1, 2], 0.5), &f(&[1, 2])]), Kind::Type);
    let huge = usize::MAX - 1;
    assert_eq!(refused(Pad { before: [huge, 0, 0], after: [huge, 0, 0] }, &[&x]), Kind::Shape);
    assert_eq!(refused(Pad { before: [0; 3], after: [0, 0, 1 << 17] }, &[&x]), Kind::Shape);
    assert_eq!(refused(Pad { before: [0; 3], after: [0; 3] }, &[&f(&[1, 4])]), Kind::Shape);
    assert_eq!(refused(Upsample2d { factor: [0, 1] }, &[&x]), Kind::Window);
    assert_eq!(refused(Upsample2d { factor: [huge, 1] }, &[&x]), Kind::Shape);
    assert_eq!(refused(Mul::default(), &[&x, &f(&[1, 4])]), Kind::Shape);
    assert_eq!(refused(Mul::default(), &[&f(&[1, 2]), &x]), Kind::Shape);
    let mul = |scale| Mul { clamp: Clamp::None, requant: requant(scale, 0) };
    assert_eq!(refused(mul(1e-30), &[&q(&[1, 2], 1e20), &q(&[1, 2], 1e20)]), Kind::Type);
    assert_eq!(refused(mul(1.0), &[&f(&[1, 2]), &f(&[1, 2])]), Kind::Type);
    for rate in [-0.1, 1.0, f32::NAN] {
        assert_eq!(refused(Dropout { rate: Scale(rate) }, &[&x]), Kind::Shape);
    }
    assert_eq!(refused(Dropout { rate: Scale(0.5) }, &[&q(&[1, 2], 1.0)]), Kind::Type);
    let hswish = |scale| Curve { function: CurveFunction::Hswish, requant: requant(scale, 0) };
    assert_eq!(refused(hswish(1.0 / 128.0), &[&q(&[1, 2], 1.0)]), Kind::Type);
    hswish(1.001 / 128.0).infer(&[&q(&[1, 2], 1.0)]).expect("just above");
    let wide = TensorType::quantized(DType::I16, [1, 2], Quant::per_tensor(1.0, 0));
    assert_eq!(refused(hswish(1.0), &[&wide]), Kind::Type);
}

#[test]
fn dropout_does_nothing_in_evaluation() {
    let x = float(&[1, 5], &[-2, -1, 0, 1, 2], 1.0);
    assert_eq!(reals(&evaluate(Dropout { rate: Scale(0.9) }, &[&x])), reals(&x));
}
