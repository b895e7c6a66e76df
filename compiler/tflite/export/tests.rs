//! What is written is read again, and computes the same; what cannot be written is told.

use super::*;
use crate::graph::Weights;
use crate::ops::{
    Activation, Add, AvgPool2d, Clamp, Constant, Conv2d, Curve, CurveFunction, Dense, Input, MaxPool2d,
    Padding, Requant, Reshape, Softmax, Upsample2d, Window,
};
use crate::tensor::arith::Rounding;
use crate::tensor::{Scale, Shape, Value};
use crate::tflite::{Model, import};

/// A graph that grows, with numbers that follow from one another.
struct Net {
    graph: Graph,
    state: u64,
}

impl Net {
    fn new() -> Net {
        Net { graph: Graph::new(), state: 3 }
    }

    fn next(&mut self) -> i8 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 56) as i8
    }

    fn bytes(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.next()).collect()
    }

    fn input(&mut self, shape: impl Into<Shape>) -> NodeId {
        let ty = TensorType::quantized(DType::I8, shape, Quant::per_tensor(0.05, -3));
        self.graph.add(Input { ty }, &[]).expect("an input")
    }

    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId], label: &str) -> NodeId {
        let node = self.graph.add(op, inputs).expect("it fits");
        self.graph.set_origin(node, label, None);
        node
    }

    fn constant(&mut self, name: &str, ty: TensorType, value: Option<Value>) -> NodeId {
        self.graph.set_constant(name, value.expect("as many"));
        self.graph.add(Constant { name: name.into(), ty }, &[]).expect("a constant")
    }

    fn weights(&mut self, shape: impl Into<Shape>, outputs: usize) -> [NodeId; 2] {
        let (shape, at) = (shape.into(), self.graph.len());
        let scales = (0..outputs).map(|channel| 0.004 + 0.001 * channel as f32).collect();
        let axis = shape.0.iter().position(|&extent| extent == outputs).expect("a dimension of outputs");
        let ty = TensorType::quantized(DType::I8, shape.clone(), Quant::per_channel(scales, axis));
        let data = self.bytes(shape.elements());
        let w = self.constant(&format!("w{at}"), ty, Value::from_i8(&shape, data));
        let shape = Shape::from([outputs]);
        let data = self.bytes(outputs).into_iter().map(|x| 30 * i32::from(x)).collect();
        let ty = TensorType { dtype: DType::I32, shape: shape.clone(), quant: None };
        [w, self.constant(&format!("b{at}"), ty, Value::from_i32(&shape, data))]
    }

    fn conv(&mut self, x: NodeId, filters: usize, window: Window, rounding: Rounding, label: &str) -> NodeId {
        let channels = self.graph.ty(x).shape.0[3];
        let [w, b] = self.weights([filters, window.kernel[0], window.kernel[1], channels], filters);
        let op = Conv2d { window, clamp: Clamp::Relu, requant: requant(0.2, -128, rounding) };
        self.add(op, &[x, w, b], label)
    }

    fn dense(&mut self, x: NodeId, units: usize, rounding: Rounding, label: &str) -> NodeId {
        let features = self.graph.ty(x).shape.0[1];
        let [w, b] = self.weights([units, features], units);
        let op = Dense { clamp: Clamp::None, requant: requant(0.4, 5, rounding) };
        self.add(op, &[x, w, b], label)
    }
}

fn requant(scale: f32, zero_point: i32, rounding: Rounding) -> Option<Requant> {
    Some(Requant { dtype: DType::I8, scale: Scale(scale), zero_point, rounding })
}

/// The operators of what is written, after it was read again and gave the same bytes.
fn round_trip(net: &mut Net) -> Vec<String> {
    net.graph.verify().expect("a graph");
    let exported = export(&net.graph, "net").unwrap_or_else(|refusals| panic!("{refusals:#?}"));
    assert_eq!(export(&net.graph, "net").expect("again").bytes, exported.bytes, "it writes the same again");
    let model = Model::read(&exported.bytes).expect("a model");
    let imported = import(&model).unwrap_or_else(|refusals| panic!("{refusals:#?}"));
    imported.graph.verify().expect("what is read verifies");
    let types = |graph: &Graph| -> Vec<TensorType> {
        let ends = graph.network_inputs().into_iter().chain(graph.outputs().iter().copied());
        ends.map(|node| graph.ty(node).clone()).collect()
    };
    assert_eq!(types(&imported.graph), types(&net.graph));
    for _ in 0..20 {
        let inputs = net.graph.network_inputs();
        let inputs: Vec<Value> = inputs
            .into_iter()
            .map(|input| {
                let shape = net.graph.ty(input).shape.clone();
                Value::from_i8(&shape, net.bytes(shape.elements())).expect("as many")
            })
            .collect();
        let [given, read] = [&net.graph, &imported.graph]
            .map(|graph| graph.evaluate(&inputs, &Weights::new()).expect("it evaluates"));
        assert_eq!(given, read);
    }
    let counted: usize = exported.operators.values().sum();
    assert_eq!(counted, model.operators.len());
    model.operators.iter().map(|operator| operator.name.clone()).collect()
}

#[test]
fn a_network_is_written_and_read_again() {
    let mut net = Net::new();
    let x = net.input([1, 9, 8, 3]);
    let stem = net.conv(x, 6, Window::same([3, 3], [2, 2], [9, 8]), Rounding::Double, "stem");
    let next = net.conv(stem, 6, Window::same([3, 3], [1, 1], [5, 4]), Rounding::Double, "body.0.conv2d");
    let add = Add { clamp: Clamp::Relu6, requant: requant(0.3, -128, Rounding::Double) };
    let sum = net.add(add, &[stem, next], "residual");
    let window = Window::valid([5, 4], [1, 1]);
    let mean = net.add(AvgPool2d { window, clamp: Clamp::None }, &[sum], "global_avg_pool");
    let flat = net.add(Reshape { shape: [1, 6].into() }, &[mean], "flatten");
    let scores = net.dense(flat, 4, Rounding::Single, "dense");
    let out = net.add(Softmax { beta: Scale(1.0) }, &[scores], "softmax");
    net.graph.add_output(out);
    let operators = round_trip(&mut net);
    let wanted = ["CONV_2D", "CONV_2D", "ADD", "AVERAGE_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"];
    assert_eq!(operators, wanted);
    let exported = export(&net.graph, "net").expect("it is written");
    let model = Model::read(&exported.bytes).expect("a model");
    let names: Vec<&str> = model.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    for name in ["input", "stem", "stem/weights", "stem/bias", "body.0.conv2d", "flatten/shape", "softmax"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert_eq!((exported.inputs[0].name.as_str(), exported.outputs[0].name.as_str()), ("input", "softmax"));
    assert!(exported.beside.is_empty());
    let text = String::from_utf8_lossy(&exported.bytes).into_owned();
    for part in
        [concat!("nasc ", env!("CARGO_PKG_VERSION")), "min_runtime_version", "1.14.0", "serving_default"]
    {
        assert!(text.contains(part), "{part}");
    }
}

/// What rounds otherwise than LiteRT's operator of its name is written as another one where there is one.
#[test]
fn rounding_decides_the_operator() {
    let mut net = Net::new();
    let x = net.input([1, 3, 2, 4]);
    let y = net.conv(x, 5, Window::valid([3, 2], [1, 1]), Rounding::Single, "all");
    let y = net.add(Reshape { shape: [1, 5].into() }, &[y], "");
    let y = net.dense(y, 3, Rounding::Double, "twice");
    net.graph.add_output(y);
    let wanted = ["RESHAPE", "FULLY_CONNECTED", "RESHAPE", "RESHAPE", "RESHAPE", "CONV_2D", "RESHAPE"];
    assert_eq!(round_trip(&mut net), wanted);
}

#[test]
fn borders_without_a_name_are_layers() {
    let mut net = Net::new();
    let x = net.input([1, 7, 6, 3]);
    let padding = Padding { top: 2, bottom: 0, left: 1, right: 2 };
    let window = Window { padding, dilation: [2, 1], ..Window::valid([3, 3], [1, 2]) };
    let y = net.conv(x, 4, window, Rounding::Double, "conv");
    // Its zero point is the least integer, so that a border of zeros is never the greatest.
    let padding = Padding { top: 1, bottom: 0, left: 0, right: 1 };
    let window = Window { padding, ..Window::valid([2, 2], [1, 1]) };
    let y = net.add(MaxPool2d { window, clamp: Clamp::None }, &[y], "pool");
    let y = net.add(Upsample2d { factor: [2, 3] }, &[y], "larger");
    net.graph.add_output(y);
    let wanted = ["PAD", "CONV_2D", "PAD", "MAX_POOL_2D", "RESIZE_NEAREST_NEIGHBOR"];
    assert_eq!(round_trip(&mut net), wanted);
    // Elsewhere it has to be told the least integer.
    let mut net = Net::new();
    let x = net.input([1, 7, 6, 3]);
    let y = net.add(MaxPool2d { window, clamp: Clamp::None }, &[x], "pool");
    net.graph.add_output(y);
    let operators = export(&net.graph, "net").expect("it is written").operators;
    assert_eq!(operators.keys().collect::<Vec<_>>(), ["MAX_POOL_2D", "PADV2"]);
}

/// A tensor is an input, a constant or an output, and only one of these.
#[test]
fn outputs_are_tensors_of_their_own() {
    let mut net = Net::new();
    let x = net.input([1, 4]);
    let ty = net.graph.ty(x).clone();
    let constant = net.constant("known", ty, Value::from_i8(&[1, 4].into(), vec![1, 2, 3, 4]));
    let same = net.add(Activation { clamp: Clamp::None }, &[x], "same");
    let cut = net.add(Activation { clamp: Clamp::Relu }, &[x], "cut");
    for node in [x, constant, same, cut, cut] {
        net.graph.add_output(node);
    }
    assert_eq!(round_trip(&mut net), ["RELU", "RESHAPE", "RESHAPE", "RESHAPE", "RESHAPE"]);
    let exported = export(&net.graph, "net").expect("it is written");
    let names: Vec<&str> = exported.outputs.iter().map(|end| end.name.as_str()).collect();
    assert_eq!(names, ["output", "output_2", "output_3", "cut", "output_4"]);
}

#[test]
fn hard_sigmoids_are_depthwise_convolutions() {
    let mut net = Net::new();
    let x = net.input([1, 6]);
    let hard =
        Curve { function: CurveFunction::Hsigmoid, requant: requant(0.97 / 255.0, -128, Rounding::Double) };
    let y = net.add(hard, &[x], "gate");
    net.graph.add_output(y);
    assert_eq!(round_trip(&mut net), ["RESHAPE", "DEPTHWISE_CONV_2D", "RESHAPE"]);
}

#[test]
fn all_that_cannot_be_written_is_told() {
    let mut net = Net::new();
    let x = net.input([1, 6, 6, 2]);
    let a = net.conv(x, 3, Window::valid([3, 3], [1, 1]), Rounding::Single, "once");
    let padding = Padding { top: 1, bottom: 1, left: 0, right: 0 };
    let window = Window { padding, ..Window::valid([3, 3], [1, 1]) };
    let b = net.add(AvgPool2d { window, clamp: Clamp::None }, &[a], "border");
    let window = Window { dilation: [2, 2], ..Window::valid([2, 2], [1, 1]) };
    let c = net.add(MaxPool2d { window, clamp: Clamp::None }, &[a], "gaps");
    let sigmoid = Curve { function: CurveFunction::Sigmoid, requant: requant(0.01, 0, Rounding::Double) };
    let d = net.add(sigmoid, &[x], "line\u{1b}\n");
    let add = Add { clamp: Clamp::None, requant: requant(1e-9, 0, Rounding::Double) };
    let e = net.add(add, &[x, x], "fine");
    for node in [b, c, d, e] {
        net.graph.add_output(node);
    }
    net.graph.verify().expect("a graph");
    let refusals = export(&net.graph, "net").expect_err("five layers");
    let told: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    let wanted = [
        "layer `once`, conv2d: it rounds once",
        "layer `border`, avg_pool2d: its border, 1 rows above, 1 below, 0 columns left and 0 right",
        "layer `gaps`, max_pool2d: its window has gaps",
        "layer `line\\u{1b}\\n`, curve: it gives i8",
        "layer `fine`, add: its scale is below 2^-19",
    ];
    for part in wanted {
        assert!(told.iter().any(|told| told.contains(part)), "{part} in {told:#?}");
    }
    assert_eq!(told.len(), wanted.len(), "{told:#?}");
}

#[test]
fn sums_beyond_32_bits_and_floats_are_refused() {
    let mut net = Net::new();
    let x = net.input([1, 2]);
    let shape = Shape::from([1]);
    let w = net.constant(
        "w",
        TensorType::quantized(DType::I8, [1, 2], Quant::per_tensor(0.01, 0)),
        Value::from_i8(&[1, 2].into(), vec![127, 1]),
    );
    let ty = TensorType { dtype: DType::I32, shape: shape.clone(), quant: None };
    let b = net.constant("b", ty, Value::from_i32(&shape, vec![i32::MAX - 10]));
    let y =
        net.add(Dense { clamp: Clamp::None, requant: requant(0.5, 0, Rounding::Single) }, &[x, w, b], "wide");
    net.graph.add_output(y);
    let told = export(&net.graph, "net").expect_err("a wide sum")[0].to_string();
    assert!(told.contains("layer `wide`, dense: a sum of its output channel 0 may pass 32 bits"), "{told}");

    let mut floats = Net::new();
    let x = floats.graph.add(Input { ty: TensorType::f32([1, 4]) }, &[]).expect("an input");
    let y = floats.add(Activation { clamp: Clamp::Relu }, &[x], "act");
    floats.graph.add_output(y);
    let told = export(&floats.graph, "net").expect_err("floats");
    assert_eq!(told.len(), 2);
    assert!(told.iter().all(|told| told.why.contains("f32")), "{told:?}");
}

/// 41 rows from one by a quotient in float32 begin a row too late.
#[test]
fn uneven_quotients_are_counted_from_middles() {
    for factor in [2, 3, 5, 41, 55, 110] {
        let mut net = Net::new();
        let x = net.input([1, 3, 1, 1]);
        let y = net.add(Upsample2d { factor: [factor, 1] }, &[x], "larger");
        net.graph.add_output(y);
        assert_eq!(round_trip(&mut net), ["RESIZE_NEAREST_NEIGHBOR"]);
    }
}

#[test]
fn names_are_unique_and_of_bounded_length() {
    let mut file = File::default();
    let ty = TensorType::quantized(DType::I8, [1, 1], Quant::per_tensor(1.0, 0));
    let long = "ß".repeat(300);
    let names: Vec<String> = ["a", "a", "a_2", "b\n", &long, &long]
        .iter()
        .map(|name| {
            let tensor = file.tensor(name, &ty);
            file.name(tensor).to_owned()
        })
        .collect();
    assert_eq!(names[..4], ["a", "a_2", "a_2_2", "b_"]);
    assert_eq!((names[4].len(), names[5].len()), (200, 202));
}
