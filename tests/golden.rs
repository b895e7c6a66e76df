//! The reference evaluation of integer operators against LiteRT's reference kernels, every element.
//!
//! The vectors in `tests/golden/` were made by `tests/golden/make.py`, which describes them.

use std::path::Path;

use nasc::ops::{
    Add, AvgPool2d, Clamp, Concat, Conv2d, Curve, CurveFunction, Dense, DepthwiseConv2d, MaxPool2d, Mul, Op,
    Pad, Requant, Requantize, Softmax, Upsample2d, Window,
};
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, Scale, Shape, TensorType, Value};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    clamp: Clamp,
    window: Option<Window>,
    margins: Option<[[usize; 3]; 2]>,
    factor: Option<[usize; 2]>,
    function: Option<CurveFunction>,
    beta: Option<Scale>,
    inputs: Vec<Tensor>,
    output: Tensor,
}

#[derive(Deserialize)]
struct Tensor {
    dtype: DType,
    shape: Shape,
    scales: Vec<Scale>,
    axis: Option<usize>,
    zero_point: i32,
    data: Vec<i32>,
}

impl Tensor {
    fn ty(&self) -> TensorType {
        let quant =
            Quant { scales: self.scales.clone().into(), zero_point: self.zero_point, axis: self.axis };
        TensorType::quantized(self.dtype, self.shape.clone(), quant)
    }

    fn value(&self) -> Value {
        Value::from_i32_vec(self.dtype, &self.shape, &self.data).expect("data of this type and shape")
    }
}

impl Case {
    fn window(&self) -> Window {
        self.window.expect("a case with a window")
    }

    fn requant(&self, rounding: Rounding) -> Option<Requant> {
        let Tensor { dtype, ref scales, zero_point, .. } = self.output;
        Some(Requant { dtype, scale: scales[0], zero_point, rounding })
    }

    fn evaluate(&self, op: &Op) -> Vec<i32> {
        let (types, values): (Vec<_>, Vec<_>) = self.inputs.iter().map(|t| (t.ty(), t.value())).unzip();
        let types: Vec<&TensorType> = types.iter().collect();
        let output = op.infer(&types).expect("fits");
        assert_eq!(output, self.output.ty(), "{}", self.name);
        let value = op.evaluate(&values.iter().collect::<Vec<_>>(), &types, &output);
        assert_eq!((value.dtype(), value.shape()), (output.dtype, output.shape));
        value.to_i32_vec().expect("integers")
    }
}

fn cases(stem: &str) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{stem}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let file: File = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{stem}.json: {error}"));
    file.cases
}

/// Demands every element of every case.
fn check(stem: &str, op: impl Fn(&Case) -> Op) {
    let cases = cases(stem);
    assert!(cases.len() >= 4, "{stem}.json lost its cases");
    for case in &cases {
        let found = case.evaluate(&op(case));
        let wrong: Vec<_> = (0..found.len()).filter(|&i| found[i] != case.output.data[i]).collect();
        let first = wrong.first().map(|&i| (i, found[i], case.output.data[i]));
        assert!(wrong.is_empty(), "{stem} `{}`: {} wrong, first {first:?}", case.name, wrong.len());
    }
}

/// Demands that the vectors can tell: that the other rounding fails somewhere.
fn other_rounding_fails(stem: &str, op: impl Fn(&Case) -> Op) {
    let mut wrong = 0;
    for case in cases(stem) {
        let found = case.evaluate(&op(&case));
        wrong += found.iter().zip(&case.output.data).filter(|(a, b)| a != b).count();
    }
    assert!(wrong >= 5, "{stem}: the other rounding is wrong in {wrong} elements only");
}

fn conv2d(case: &Case, rounding: Rounding) -> Op {
    Conv2d { window: case.window(), clamp: case.clamp, requant: case.requant(rounding) }.into()
}

fn depthwise_conv2d(case: &Case, rounding: Rounding) -> Op {
    DepthwiseConv2d { window: case.window(), clamp: case.clamp, requant: case.requant(rounding) }.into()
}

fn dense(case: &Case, rounding: Rounding) -> Op {
    Dense { clamp: case.clamp, requant: case.requant(rounding) }.into()
}

fn add(case: &Case, rounding: Rounding) -> Op {
    Add { clamp: case.clamp, requant: case.requant(rounding) }.into()
}

#[test]
fn conv2d_rounds_twice() {
    check("conv2d", |case| conv2d(case, Rounding::Double));
    other_rounding_fails("conv2d", |case| conv2d(case, Rounding::Single));
}

#[test]
fn depthwise_conv2d_rounds_twice() {
    check("depthwise_conv2d", |case| depthwise_conv2d(case, Rounding::Double));
    other_rounding_fails("depthwise_conv2d", |case| depthwise_conv2d(case, Rounding::Single));
}

#[test]
fn dense_rounds_once() {
    check("dense", |case| dense(case, Rounding::Single));
    other_rounding_fails("dense", |case| dense(case, Rounding::Double));
}

#[test]
fn add_rounds_twice() {
    check("add", |case| add(case, Rounding::Double));
    other_rounding_fails("add", |case| add(case, Rounding::Single));
}

#[test]
fn avg_pool2d_rounds_ties_away_from_zero() {
    check("avg_pool2d", |case| AvgPool2d { window: case.window(), clamp: case.clamp }.into());
}

#[test]
fn max_pool2d_takes_the_greatest() {
    check("max_pool2d", |case| MaxPool2d { window: case.window(), clamp: case.clamp }.into());
}

fn mul(case: &Case, rounding: Rounding) -> Op {
    Mul { clamp: case.clamp, requant: case.requant(rounding) }.into()
}

#[test]
fn mul_rounds_twice() {
    check("mul", |case| mul(case, Rounding::Double));
    other_rounding_fails("mul", |case| mul(case, Rounding::Single));
}

fn requantize(case: &Case, rounding: Rounding) -> Op {
    Requantize { requant: case.requant(rounding).expect("an output") }.into()
}

#[test]
fn requantize_rounds_twice() {
    check("requantize", |case| requantize(case, Rounding::Double));
    other_rounding_fails("requantize", |case| requantize(case, Rounding::Single));
}

fn curve(case: &Case) -> Op {
    let function = case.function.expect("a case with a function");
    Curve { function, requant: case.requant(Rounding::Double) }.into()
}

#[test]
fn curves_give_the_bytes_of_the_kernels() {
    check("logistic", curve);
    check("hard_swish", curve);
}

#[test]
fn softmax_gives_the_bytes_of_the_kernel() {
    check("softmax", |case| Softmax { beta: case.beta.expect("a case with a factor") }.into());
}

#[test]
fn what_only_moves_elements_moves_the_same() {
    check("concat", |_| Concat {}.into());
    check("pad", |case| {
        let [before, after] = case.margins.expect("a case with margins");
        Pad { before, after }.into()
    });
    check("upsample2d", |case| Upsample2d { factor: case.factor.expect("a case with a factor") }.into());
}

/// LiteRT multiplies fully connected sums by a factor in double and rounds ties away from zero. One rounding of
/// a product with 31 bits differs from that by one, and only where the product lies within its own precision of
/// a tie.
#[test]
fn dense_differs_from_litert_next_to_ties_only() {
    for case in cases("dense_limits") {
        let found = case.evaluate(&dense(&case, Rounding::Single));
        let [x, w, b] = case.inputs.as_slice() else { panic!("three inputs") };
        let (x, w, y) = (x.ty(), w.ty(), case.output.ty());
        let scale = |ty: &TensorType, i| f64::from(ty.quant.as_ref().expect("quantized").scale(i));
        let mut differs = 0;
        for (i, (&found, &wanted)) in found.iter().zip(&case.output.data).enumerate() {
            if found == wanted {
                continue;
            }
            differs += 1;
            let real = f64::from(b.data[i]) * scale(&x, 0) * scale(&w, i) / scale(&y, 0);
            let from_tie = (real.abs().fract() - 0.5).abs();
            assert!((found - wanted).abs() == 1, "`{}` {i}: {found}, LiteRT {wanted}", case.name);
            assert!(from_tie <= real.abs() / f64::from(1u32 << 31), "`{}` {i}: {real} is no tie", case.name);
        }
        assert_eq!(differs > 0, case.name != "exact ties", "`{}` has {differs} differences", case.name);
    }
}
