//! Instructions, memory and code of networks whose shapes are known from MLPerf Tiny, on an emulated Cortex-M4.
//!
//! `cargo bench --bench kernels` builds each network with random weights, compiles and runs it, compares every output
//! byte with the evaluator, and prints a line for each layer, by itself, and one for the network. `-- --only NAME`
//! keeps the networks whose name holds it, `-- --keep FOLDER` writes their bundles there.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::time::Duration;

use nasc::device::{Device, Samples, run_board};
use nasc::emit::{Network, emit_c};
use nasc::estimate::{self, Deployment, FrontEndCost};
use nasc::graph::{Graph, NodeId, Weights};
use nasc::ops::{
    Add, AvgPool2d, Clamp, Constant, Conv2d, Dense, DepthwiseConv2d, Input, Op, Requant, Reshape, Window,
};
use nasc::plan::Effort;
use nasc::target::Target;
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

/// Scale of all activations.
const SCALE: f32 = 0.02;

/// A network under construction, with weights of a seed.
struct Net {
    graph: Graph,
    state: u64,
    parameters: u64,
}

impl Net {
    fn new() -> Net {
        Net { graph: Graph::new(), state: 7, parameters: 0 }
    }

    fn next(&mut self) -> i32 {
        self.state =
            self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 56) as i32 - 128
    }

    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("shapes fit")
    }

    fn shape(&self, x: NodeId) -> [usize; 4] {
        self.graph.ty(x).shape.nhwc().expect("a feature map")
    }

    fn input(&mut self, shape: [usize; 4]) -> NodeId {
        let ty = TensorType::quantized(DType::I8, shape, Quant::per_tensor(SCALE, -11));
        self.add(Input { ty }, &[])
    }

    fn constant(&mut self, shape: Vec<usize>, dtype: DType, quant: Quant, factor: i32) -> NodeId {
        let (name, shape) = (format!("c{}", self.graph.len()), Shape(shape));
        let values: Vec<i32> = (0..shape.elements()).map(|_| self.next().max(-127) * factor).collect();
        self.parameters += (shape.elements() * dtype.size()) as u64;
        self.graph.set_constant(&name, Value::from_i32_vec(dtype, &shape, &values).expect("they fit"));
        self.add(Constant { name, ty: TensorType::quantized(dtype, shape, quant) }, &[])
    }

    /// Weights of `taps` products for each output, and biases; the scales are such that outputs use their range.
    fn weights(&mut self, shape: Vec<usize>, axis: usize, taps: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        let typical = 1.0 / (74.0 * (taps as f32).sqrt());
        let scales = (0..channels).map(|at| typical * (0.7 + 0.6 * at as f32 / channels as f32)).collect();
        let quant = Quant::per_channel(scales, axis);
        let bias = Quant { axis: Some(0), ..quant.clone() };
        [self.constant(shape, DType::I8, quant, 1), self.constant(vec![channels], DType::I32, bias, 20)]
    }

    fn requant(zero_point: i32, rounding: Rounding) -> Option<Requant> {
        Some(Requant { dtype: DType::I8, scale: Scale(SCALE), zero_point, rounding })
    }

    fn ending(clamp: Clamp) -> i32 {
        if clamp == Clamp::None { 3 } else { -128 }
    }

    fn conv2d(
        &mut self,
        x: NodeId,
        kernel: [usize; 2],
        stride: usize,
        filters: usize,
        clamp: Clamp,
    ) -> NodeId {
        let [_, height, width, channels] = self.shape(x);
        let window = Window::same(kernel, [stride, stride], [height, width]);
        let shape = vec![filters, kernel[0], kernel[1], channels];
        let [w, b] = self.weights(shape, 0, kernel[0] * kernel[1] * channels);
        let requant = Net::requant(Net::ending(clamp), Rounding::Double);
        self.add(Conv2d { window, clamp, requant }, &[x, w, b])
    }

    fn depthwise(&mut self, x: NodeId, stride: usize) -> NodeId {
        let [_, height, width, channels] = self.shape(x);
        let window = Window::same([3, 3], [stride, stride], [height, width]);
        let [w, b] = self.weights(vec![1, 3, 3, channels], 3, 9);
        let requant = Net::requant(-128, Rounding::Double);
        self.add(DepthwiseConv2d { window, clamp: Clamp::Relu, requant }, &[x, w, b])
    }

    fn dense(&mut self, x: NodeId, units: usize, clamp: Clamp) -> NodeId {
        let features = self.graph.ty(x).shape.0[1];
        let [w, b] = self.weights(vec![units, features], 0, features);
        let requant = Net::requant(Net::ending(clamp), Rounding::Single);
        self.add(Dense { clamp, requant }, &[x, w, b])
    }

    fn sum(&mut self, a: NodeId, b: NodeId) -> NodeId {
        let requant = Net::requant(-128, Rounding::Double);
        self.add(Add { clamp: Clamp::Relu, requant }, &[a, b])
    }

    /// The mean over a map, and a classifier.
    fn classify(mut self, x: NodeId, classes: usize) -> Net {
        let [_, height, width, channels] = self.shape(x);
        let window = Window::valid([height, width], [1, 1]);
        let x = self.add(AvgPool2d { window, clamp: Clamp::None }, &[x]);
        let x = self.add(Reshape { shape: [1, channels].into() }, &[x]);
        let x = self.dense(x, classes, Clamp::None);
        self.graph.add_output(x);
        self
    }
}

/// Keyword spotting: DS-CNN, 49 x 10, 64 channels.
fn ds_cnn() -> Net {
    let mut net = Net::new();
    let x = net.input([1, 49, 10, 1]);
    let mut x = net.conv2d(x, [10, 4], 2, 64, Clamp::Relu);
    for _ in 0..4 {
        x = net.depthwise(x, 1);
        x = net.conv2d(x, [1, 1], 1, 64, Clamp::Relu);
    }
    net.classify(x, 12)
}

/// Image classification: ResNet-8 on 32 x 32 x 3.
fn resnet8() -> Net {
    let mut net = Net::new();
    let x = net.input([1, 32, 32, 3]);
    let mut x = net.conv2d(x, [3, 3], 1, 16, Clamp::Relu);
    for (filters, stride) in [(16, 1), (32, 2), (64, 2)] {
        let y = net.conv2d(x, [3, 3], stride, filters, Clamp::Relu);
        let y = net.conv2d(y, [3, 3], 1, filters, Clamp::None);
        let short = if stride == 1 { x } else { net.conv2d(x, [1, 1], stride, filters, Clamp::None) };
        x = net.sum(short, y);
    }
    net.classify(x, 10)
}

/// Visual wake words: MobileNet v1, width 0.25, on 96 x 96 x 3.
fn mobilenet() -> Net {
    let mut net = Net::new();
    let x = net.input([1, 96, 96, 3]);
    let mut x = net.conv2d(x, [3, 3], 2, 8, Clamp::Relu);
    for (filters, stride) in [
        (16, 1),
        (32, 2),
        (32, 1),
        (64, 2),
        (64, 1),
        (128, 2),
        (128, 1),
        (128, 1),
        (128, 1),
        (128, 1),
        (128, 1),
        (256, 2),
        (256, 1),
    ] {
        x = net.depthwise(x, stride);
        x = net.conv2d(x, [1, 1], 1, filters, Clamp::Relu);
    }
    net.classify(x, 2)
}

/// Anomaly detection: autoencoder of dense layers, 640 features.
fn autoencoder() -> Net {
    let mut net = Net::new();
    let ty = TensorType::quantized(DType::I8, [1, 640], Quant::per_tensor(SCALE, -11));
    let mut x = net.add(Input { ty }, &[]);
    for units in [128, 128, 128, 128, 8, 128, 128, 128, 128] {
        x = net.dense(x, units, Clamp::Relu);
    }
    let x = net.dense(x, 640, Clamp::None);
    net.graph.add_output(x);
    net
}

/// A graph of one node of another, with what it reads as inputs or constants.
fn alone(graph: &Graph, node: NodeId) -> Option<Graph> {
    let mut out = Graph::new();
    let mut inputs = Vec::new();
    for input in graph.inputs(node) {
        let id = match &graph.node(input).op {
            Op::Constant(constant) => {
                out.set_constant(&constant.name, (**graph.constant(&constant.name)?).clone());
                out.add(constant.clone(), &[]).ok()?
            }
            _ => out.add(Input { ty: graph.ty(input).clone() }, &[]).ok()?,
        };
        inputs.push(id);
    }
    let added = out.add(graph.node(node).op.clone(), &inputs).ok()?;
    out.add_output(added);
    (out.network_inputs().len() == 1).then_some(out)
}

/// Runs a network once and compares its output.
fn run(graph: &Graph, target: &Target, keep: Option<&str>) -> (Deployment, Device) {
    let deployment = estimate::deploy(graph, target, FrontEndCost::default(), Effort::Final).expect("lowers");
    let (input, output) = (graph.ty(graph.network_inputs()[0]), graph.ty(graph.outputs()[0]));
    let network = Network {
        name: "net",
        program: &deployment.program,
        offsets: &deployment.plan.offsets,
        arena_bytes: deployment.plan.arena_bytes,
        arena_align: target.align,
        input,
        output,
        raw: None,
        macs: deployment.estimate.macs,
        golden: &[],
        labels: &[],
        readings: &[],
    };
    let sample: Vec<i8> = (0..input.shape.elements()).map(|at| (at * 37 % 251) as u8 as i8).collect();
    let value = Value::from_i8(&input.shape, sample.clone()).expect("as many");
    let wanted = graph.evaluate(&[value], &Weights::new()).expect("an integer graph");
    let wanted: Vec<i8> = wanted[0].as_i8().expect("8 bit").iter().copied().collect();
    let bundle = emit_c(&network);
    if let Some(folder) = keep {
        std::fs::create_dir_all(folder).expect("a folder");
        for (file, contents) in &bundle.files {
            std::fs::write(std::path::Path::new(folder).join(file), contents).expect("a file");
        }
    }
    let toolchain = target.toolchain.as_ref().expect("a target with a toolchain");
    let samples = [sample];
    let limit = Duration::from_secs(600);
    let run = run_board(&bundle, &network.interface(), Samples::Int8(&samples), &[wanted], toolchain, limit);
    let device = run.unwrap_or_else(|error| panic!("{error:?}")).measured.device;
    assert_eq!(device.mismatched_bytes, 0, "the outputs differ from the evaluator's");
    (deployment, device)
}

/// The value of an option of the command line.
fn option<'a>(arguments: &'a [String], name: &str) -> Option<&'a String> {
    arguments.get(arguments.iter().position(|argument| argument == name)? + 1)
}

/// Each distinct layer by itself.
fn layers(graph: &Graph, target: &Target, arguments: &[String], name: &str) {
    let mut seen = std::collections::BTreeSet::new();
    for node in graph.order() {
        let op = &graph.node(node).op;
        let macs = op.macs(&graph.input_types(node), graph.ty(node)).0;
        let Some(layer) = alone(graph, node).filter(|_| !matches!(op, Op::Input(_) | Op::Constant(_))) else {
            continue;
        };
        let shapes =
            format!("{} {} -> {}", op.name(), graph.input_types(node)[0].shape, graph.ty(node).shape);
        if matches!(op, Op::Reshape(_)) || !seen.insert((shapes.clone(), macs)) {
            continue;
        }
        let (deployment, device) = run(
            &layer,
            target,
            option(arguments, "--keep").map(|folder| format!("{folder}/{name}-{}", seen.len())).as_deref(),
        );
        let per_mac = if macs > 0 { device.instructions as f64 / macs as f64 } else { f64::NAN };
        let cycles = deployment.estimate.cycles;
        if arguments.iter().any(|argument| argument == "--terms") {
            let counts = estimate::work(&layer, &deployment.program);
            let counts: Vec<String> = counts.iter().map(|(name, count)| format!("{name}={count}")).collect();
            println!("  terms {} {}", seen.len(), counts.join("; "));
        }
        println!(
            "  {shapes:<48} {macs:>9} MAC {:>9} instructions {per_mac:>6.3}/MAC estimated {cycles:>9}",
            device.instructions
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let target = nasc::elaborate::stdlib_targets().remove("cortex-m4").expect("a target of the library");
    for (name, net) in [
        ("ds-cnn", ds_cnn()),
        ("resnet-8", resnet8()),
        ("mobilenet", mobilenet()),
        ("autoencoder", autoencoder()),
    ] {
        if option(&arguments, "--only").is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let Net { graph, parameters, .. } = net;
        println!("\n{name}");
        layers(&graph, &target, &arguments, name);
        let keep = option(&arguments, "--keep").map(|folder| format!("{folder}/{name}"));
        let (deployment, device) = run(&graph, &target, keep.as_deref());
        let estimate = &deployment.estimate;
        println!(
            "  {} MAC, {} instructions ({:.3}/MAC), estimated {} cycles, RAM {} B, code and tables {} B beyond {} B of parameters (code {} B, bound {} B), stack {} B of {} B",
            estimate.macs,
            device.instructions,
            device.instructions as f64 / estimate.macs as f64,
            estimate.cycles,
            estimate.ram_bytes,
            device.flash_bytes() - parameters,
            parameters,
            device.flash_bytes() - device.weights_bytes_linked,
            estimate.code_bytes,
            device.stack_bytes,
            device.stack_bound_bytes,
        );
    }
}
