//! Values and gradients on the tape against differences in `f64` and against libtorch's own differentiation in
//! `f64`, both engines.

use tch::{Kind, Tensor};

use super::oracle::{CLASSES, Operation, in_torch, on_tape, plain};
use super::{Draw, relative_error, wide};
use crate::ops::{Clamp, CurveFunction, Padding, Window};
use crate::train::EmbeddedEngine;
use crate::train::engine::{Distribution, Engine};
use crate::train::tape::{Tape, Var};
use crate::train::torch::TorchEngine;

/// An operation with the shapes of its inputs.
struct Case {
    name: &'static str,
    operation: Operation,
    shapes: Vec<Vec<usize>>,
    /// What the greatest relative error stays below.
    bound: f64,
}

/// The value and the gradient with respect to each input.
type Found = Vec<Vec<f64>>;

/// On the tape of an engine, of the sum of the value's elements times `factors`.
fn taped<E: Engine>(engine: &E, case: &Case, inputs: &[Vec<f32>], factors: &[f32]) -> Found {
    let mut tape = Tape::new(engine);
    let upload = |(shape, x): (&Vec<usize>, &Vec<f32>)| engine.upload(shape, x);
    let vars: Vec<Var> = case.shapes.iter().zip(inputs).map(|pair| tape.variable(upload(pair))).collect();
    let y = on_tape(case.operation, &mut tape, &vars);
    let value = engine.download(tape.value(y));
    let weights = engine.upload(engine.shape(tape.value(y)), &factors[..value.len()]);
    let gradients = tape.backward_with(y, weights);
    let gradient = |&var: &Var| wide(&engine.download(gradients.get(var).expect("a variable")));
    std::iter::once(wide(&value)).chain(vars.iter().map(gradient)).collect()
}

/// By central differences; `None` where the gradient is not the slope.
fn differences(case: &Case, inputs: &[Vec<f32>], factors: &[f32]) -> Option<Found> {
    const STEP: f64 = 1e-5;
    let inputs: Vec<Vec<f64>> = inputs.iter().map(|x| wide(x)).collect();
    let mut found = vec![plain(case.operation, &case.shapes, &inputs)?];
    for index in 0..inputs.len() {
        let objective = |place: usize, step: f64| {
            let mut moved = inputs.clone();
            moved[index][place] += step;
            let y = plain(case.operation, &case.shapes, &moved).expect("as before");
            y.iter().zip(factors).map(|(y, &f)| y * f64::from(f)).sum::<f64>()
        };
        let slope = |place: usize| (objective(place, STEP) - objective(place, -STEP)) / (2.0 * STEP);
        found.push((0..inputs[index].len()).map(slope).collect());
    }
    Some(found)
}

/// By libtorch's own differentiation, in `f64`.
fn differentiated(case: &Case, inputs: &[Vec<f32>], factors: &[f32]) -> Found {
    let upload = |x: &[f32], shape: &[i64]| Tensor::from_slice(x).to_kind(Kind::Double).reshape(shape);
    let elements = |x: &Tensor| {
        let mut out = vec![0.0f64; x.numel()];
        x.detach().contiguous().copy_data(&mut out, x.numel());
        out
    };
    let leaf = |(shape, x): (&Vec<usize>, &Vec<f32>)| {
        let shape: Vec<i64> = shape.iter().map(|&extent| extent as i64).collect();
        upload(x, &shape).set_requires_grad(true)
    };
    let leaves: Vec<Tensor> = case.shapes.iter().zip(inputs).map(leaf).collect();
    let y = in_torch(case.operation, &leaves);
    let factors = upload(&factors[..y.numel()], &y.size());
    (&y * factors).sum(Kind::Double).backward();
    std::iter::once(elements(&y)).chain(leaves.iter().map(|leaf| elements(&leaf.grad()))).collect()
}

/// The greatest error of a value and its gradients.
fn worst(found: &Found, exact: &Found) -> f64 {
    assert_eq!(found.len(), exact.len());
    found.iter().zip(exact).map(|(a, b)| relative_error(a, b)).fold(0.0, f64::max)
}

fn convolutions() -> Vec<Case> {
    let uneven = Padding { top: 1, bottom: 0, left: 0, right: 2 };
    let (map, line) = ([7, 5], [13, 1]);
    let dilated = Window { kernel: [3, 2], stride: [3, 2], dilation: [2, 1], padding: uneven };
    let windows = [
        (["conv2d 3x3", "transposed 3x3", "depthwise 3x3"], map, Window::same([3, 3], [1, 1], map)),
        (
            ["conv2d 4x2/2x1", "transposed 4x2/2x1", "depthwise 4x2/2x1"],
            map,
            Window::same([4, 2], [2, 1], map),
        ),
        (["conv2d uneven dilated", "transposed uneven dilated", "depthwise uneven dilated"], map, dilated),
        (["conv1d 5/2", "transposed 1-D 5/2", "depthwise 1-D 5/2"], line, Window::same([5, 1], [2, 1], line)),
        (
            ["conv1d dilated", "transposed 1-D dilated", "depthwise 1-D dilated"],
            line,
            Window { dilation: [3, 1], ..Window::valid([3, 1], [1, 1]) },
        ),
        (
            ["conv2d whole map", "transposed whole map", "depthwise whole map"],
            map,
            Window::valid(map, [1, 1]),
        ),
        (["pointwise", "transposed 1x1", "depthwise 1x1"], map, Window::valid([1, 1], [1, 1])),
        (["pointwise /2", "transposed 1x1/2", "depthwise 1x1/2"], map, Window::valid([1, 1], [2, 2])),
    ];
    let mut cases = Vec::new();
    for (names, [h, w], window) in windows {
        let [kh, kw] = window.kernel;
        let [ho, wo] = window.output("test", [h, w]).expect("fits");
        let operations = [
            (Operation::Conv(window), vec![vec![3, h, w, 3], vec![5, kh, kw, 3], vec![5]]),
            (Operation::Transposed(window, [h, w]), vec![vec![2, ho, wo, 5], vec![5, kh, kw, 3]]),
            (Operation::Depthwise(window), vec![vec![3, h, w, 3], vec![1, kh, kw, 3], vec![3]]),
        ];
        for (name, (operation, shapes)) in names.into_iter().zip(operations) {
            cases.push(Case { name, operation, shapes, bound: 1e-5 });
        }
    }
    cases
}

fn case(name: &'static str, operation: Operation, shapes: &[&[usize]]) -> Case {
    let bound = if matches!(operation, Operation::BatchNorm(_)) { 1e-4 } else { 1e-5 };
    Case { name, operation, shapes: shapes.iter().map(|shape| shape.to_vec()).collect(), bound }
}

fn layers() -> Vec<Case> {
    let uneven = Padding { top: 1, bottom: 0, left: 0, right: 1 };
    let padded = Window { padding: uneven, ..Window::valid([3, 2], [2, 1]) };
    let (same, whole) = (Window::same([3, 3], [2, 2], [7, 5]), Window::valid([7, 5], [1, 1]));
    let (map, norm): ([usize; 4], [&[usize]; 3]) = ([2, 7, 5, 3], [&[3, 4, 2, 5], &[5], &[5]]);
    vec![
        case("dense", Operation::Dense, &[&[6, 9], &[5, 9], &[5]]),
        case("batch norm", Operation::BatchNorm(Clamp::None), &norm),
        case("batch norm, relu", Operation::BatchNorm(Clamp::Relu), &norm),
        case("batch norm, relu6", Operation::BatchNorm(Clamp::Relu6), &norm),
        case("avg_pool2d", Operation::AvgPool(same), &[&map]),
        case("avg_pool2d uneven", Operation::AvgPool(padded), &[&map]),
        case("avg_pool2d of the whole map", Operation::AvgPool(whole), &[&map]),
        case("max_pool2d", Operation::MaxPool(same), &[&map]),
        case("max_pool2d uneven", Operation::MaxPool(padded), &[&map]),
        case("softmax and cross-entropy", Operation::CrossEntropy, &[&[5, CLASSES]]),
    ]
}

fn elements() -> Vec<Case> {
    let map = [3, 4, 5, 2];
    vec![
        case("relu", Operation::Clamp(Clamp::Relu), &[&[200]]),
        case("relu6", Operation::Clamp(Clamp::Relu6), &[&[200]]),
        case("hswish", Operation::Curve(CurveFunction::Hswish), &[&[200]]),
        case("hsigmoid", Operation::Curve(CurveFunction::Hsigmoid), &[&[200]]),
        case("sigmoid", Operation::Curve(CurveFunction::Sigmoid), &[&[200]]),
        case("add", Operation::Add(Clamp::None), &[&map, &map]),
        case("add, relu", Operation::Add(Clamp::Relu), &[&map, &map]),
        case("add, relu6", Operation::Add(Clamp::Relu6), &[&map, &map]),
        case("mul", Operation::Mul, &[&map, &map]),
        case("mul by channel", Operation::MulByChannel, &[&map, &[3, 2]]),
        case("concat", Operation::Concat, &[&[2, 3, 2, 3], &[2, 3, 2, 1], &[2, 3, 2, 2]]),
        case("pad", Operation::Pad, &[&[2, 3, 2, 2]]),
        case("upsample2d", Operation::Upsample, &[&[2, 3, 2, 2]]),
        case("dropout", Operation::Dropout, &[&[40]]),
        case("straight-through floor", Operation::StraightThrough, &[&[40]]),
    ]
}

#[test]
fn gradients_are_those_of_differences_and_of_libtorch() {
    let engine = EmbeddedEngine::new();
    let mut offences = Vec::new();
    println!(
        "operation | embedded: float64 differences | embedded: libtorch float64 | torch engine: libtorch float64"
    );
    for (index, case) in convolutions().iter().chain(&layers()).chain(&elements()).enumerate() {
        let mut draw = Draw { engine: &engine, key: (index as u64) << 20 };
        let mut normal = |count: usize| draw.elements(Distribution::Normal, count);
        let inputs: Vec<Vec<f32>> = case.shapes.iter().map(|shape| normal(shape.iter().product())).collect();
        let factors = normal(2000);
        let embedded = taped(&engine, case, &inputs, &factors);
        let exact = differentiated(case, &inputs, &factors);
        let by_differences = differences(case, &inputs, &factors).map(|slopes| worst(&embedded, &slopes));
        let by_libtorch = worst(&embedded, &exact);
        let torch = worst(&taped(&TorchEngine::cpu(), case, &inputs, &factors), &exact);
        let shown = by_differences.map_or("-".to_owned(), |error| format!("{error:.1e}"));
        println!("{} | {shown} | {by_libtorch:.1e} | {torch:.1e}", case.name);
        for error in [by_differences.unwrap_or(0.0), by_libtorch, torch] {
            if error >= case.bound {
                offences.push(format!("{}: {error:e}", case.name));
            }
        }
    }
    assert!(offences.is_empty(), "{offences:?}");
}
