//! A lowered network from end to end: interpreter, emitted C here, emitted C on the board.

use nasc::device::{HostCompiler, STRICT_FLAGS, Samples, find, run_board, run_host};
use nasc::emit::{Borders, GraphFile, Network, emit_c, read_graph_file, write_graph_file};
use nasc::graph::{Graph, NodeId};
use nasc::kernel::{Choice, Interpreter, Placement, Program, Variant, lower_with};
use nasc::ops::{
    Add, AvgPool2d, Clamp, Constant, Conv2d, Dense, DepthwiseConv2d, Input, Requant, Reshape, Window,
};
use nasc::target::Isa;
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

use crate::{LIMIT, compiler, cortex_m4};

/// A stream of bytes.
pub(super) struct Bytes(pub(super) u64);

impl Bytes {
    fn next(&mut self) -> i8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 56) as i8
    }

    pub(super) fn take(&mut self, count: usize) -> Vec<i8> {
        (0..count).map(|_| self.next()).collect()
    }
}

pub(super) fn requant(scale: f32, zero_point: i32, rounding: Rounding) -> Option<Requant> {
    Some(Requant { dtype: DType::I8, scale: Scale(scale), zero_point, rounding })
}

pub(super) struct Builder {
    pub(super) graph: Graph,
    pub(super) bytes: Bytes,
}

impl Builder {
    /// Weights with a scale for each index of `axis`, and a bias.
    pub(super) fn weights(&mut self, shape: &[usize], axis: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        let at = self.graph.len();
        let scales = (0..channels).map(|c| 0.002 + 0.0007 * c as f32).collect();
        let shape = Shape::from(shape);
        let ty = TensorType {
            dtype: DType::I8,
            shape: shape.clone(),
            quant: Some(Quant::per_channel(scales, axis)),
        };
        let name = format!("w{at}");
        let values: Vec<i8> = self.bytes.take(shape.elements()).iter().map(|&x| x.max(-127)).collect();
        self.graph.set_constant(name.clone(), Value::from_i8(&shape, values).expect("as many"));
        let weights = self.graph.add(Constant { name, ty }, &[]).expect("a constant");
        let shape = Shape::from([channels]);
        let name = format!("b{at}");
        let bias = self.bytes.take(channels).iter().map(|&x| i32::from(x) * 9).collect();
        self.graph.set_constant(name.clone(), Value::from_i32(&shape, bias).expect("as many"));
        let ty = TensorType { dtype: DType::I32, shape, quant: None };
        [weights, self.graph.add(Constant { name, ty }, &[]).expect("a constant")]
    }

    pub(super) fn layer(&mut self, op: impl Into<nasc::ops::Op>, inputs: &[NodeId], label: &str) -> NodeId {
        let node = self.graph.add(op, inputs).expect("a layer");
        self.graph.set_origin(node, label, None);
        node
    }
}

/// Convolution, depthwise, pointwise with residual, pool, dense.
fn network() -> Graph {
    let mut b = Builder { graph: Graph::new(), bytes: Bytes(5) };
    let input = TensorType::quantized(DType::I8, [1, 11, 8, 3], Quant::per_tensor(0.04, -5));
    let x = b.graph.add(Input { ty: input }, &[]).expect("an input");
    let [w, bias] = b.weights(&[6, 3, 3, 3], 0);
    let window = Window::same([3, 3], [2, 2], [11, 8]);
    let conv = Conv2d { window, clamp: Clamp::Relu, requant: requant(0.05, -128, Rounding::Double) };
    let conv = b.layer(conv, &[x, w, bias], "stem");
    let [w, bias] = b.weights(&[1, 3, 3, 6], 3);
    let window = Window::same([3, 3], [1, 1], [6, 4]);
    let depthwise =
        DepthwiseConv2d { window, clamp: Clamp::Relu6, requant: requant(0.03, -128, Rounding::Double) };
    let depthwise = b.layer(depthwise, &[conv, w, bias], "body.0.depthwise");
    let [w, bias] = b.weights(&[6, 1, 1, 6], 0);
    let window = Window::valid([1, 1], [1, 1]);
    let point = Conv2d { window, clamp: Clamp::None, requant: requant(0.05, 4, Rounding::Double) };
    let point = b.layer(point, &[depthwise, w, bias], "body.0.pointwise");
    let add = Add { clamp: Clamp::Relu, requant: requant(0.06, -128, Rounding::Double) };
    let add = b.layer(add, &[point, conv], "body.0.add");
    let pool = AvgPool2d { window: Window::valid([6, 4], [1, 1]), clamp: Clamp::None };
    let pool = b.layer(pool, &[add], "pool");
    let flat = b.layer(Reshape { shape: [1, 6].into() }, &[pool], "flat");
    let [w, bias] = b.weights(&[5, 6], 0);
    let dense = Dense { clamp: Clamp::None, requant: requant(0.02, 3, Rounding::Single) };
    let dense = b.layer(dense, &[flat, w, bias], "head");
    b.graph.add_output(dense);
    b.graph.verify().expect("well formed");
    b.graph
}

pub(super) fn network_of<'a>(
    graph: &'a Graph,
    program: &'a Program,
    placement: &'a Placement,
) -> Network<'a> {
    Network {
        name: "lowered",
        program,
        offsets: &placement.offsets,
        arena_bytes: placement.arena_bytes(program),
        arena_align: 16,
        inputs: std::slice::from_ref(graph.ty(graph.network_inputs()[0])),
        outputs: std::slice::from_ref(graph.ty(graph.outputs()[0])),
        borders: Borders::default(),
        raw: None,
        macs: graph.macs().0,
        golden: &[],
        labels: &[],
        readings: &[],
    }
}

/// All layers fast; every second one lean; all sums fused.
fn choices(graph: &Graph) -> [Choice; 3] {
    let of = |variant: fn(usize) -> Variant| (0..graph.len()).map(|at| (at, variant(at))).collect();
    let every_second = |at: usize| if at.is_multiple_of(2) { Variant::Lean } else { Variant::Fast };
    [of(|_| Variant::Fast), of(every_second), of(|_| Variant::Fused)]
}

#[test]
fn a_lowered_network_gives_the_same_bytes_everywhere() {
    let graph = network();
    let samples: Vec<Vec<i8>> = (0..12).map(|seed| Bytes(seed).take(11 * 8 * 3)).collect();
    let mut all = Vec::new();
    let [fast, every_second, fused] = choices(&graph);
    let dsp = [&fast, &every_second, &fused].map(|choice| (Isa::Armv7em, choice));
    for (isa, choice) in [(Isa::Portable, &fast)].into_iter().chain(dsp) {
        let program = lower_with(&graph, isa, choice).expect("an int8 graph");
        assert_eq!(program.steps.iter().any(|step| step.absorbs.is_some()), *choice == fused);
        let placement = Placement::disjoint(&program);
        let interpreter = Interpreter::new(&program).expect("it verifies");
        let wanted: Vec<Vec<i8>> = samples
            .iter()
            .map(|sample| {
                let input = Value::from_i8(&[sample.len()].into(), sample.clone()).expect("as many");
                let outputs = interpreter.run(&placement, &[input]).expect("no rule is broken");
                outputs[0].as_i8().expect("bytes").iter().copied().collect()
            })
            .collect();
        let network = network_of(&graph, &program, &placement);
        let arena_bytes = network.arena_bytes;
        let (bundle, interface) = (emit_c(&network), network.interface());
        for program in ["cc", "clang"].into_iter().filter(|program| find(program).is_some()) {
            let mut flags = STRICT_FLAGS.to_vec();
            flags.extend(["-O2", "-fsanitize=undefined"]);
            flags.push(if program == "cc" {
                "-fsanitize-undefined-trap-on-error"
            } else {
                "-fsanitize-trap=all"
            });
            let compiler: HostCompiler = compiler(program, &flags);
            let got = run_host(&bundle, &interface, Samples::Int8(&samples), &compiler, LIMIT);
            assert_eq!(
                got.unwrap_or_else(|e| panic!("{program} {isa:?}: {e:#?}")),
                wanted,
                "{program} {isa:?}"
            );
        }
        if let Some(toolchain) = cortex_m4() {
            let run = run_board(&bundle, &interface, Samples::Int8(&samples), &wanted, &toolchain, LIMIT);
            let device = run.unwrap_or_else(|e| panic!("{isa:?}: {e:#?}")).measured.device;
            println!("{isa:?}: {device:?}");
            assert_eq!(device.mismatched_bytes, 0, "{isa:?}");
            assert_eq!(device.weights_bytes_linked, network.weights_bytes());
            assert_eq!(device.ram_bytes(arena_bytes), arena_bytes + 4);
            assert!(device.stack_bytes <= device.stack_bound_bytes, "{device:?}");
            assert!(device.instructions > network.macs / 2, "{device:?}");
        }
        all.push(wanted);
    }
    assert_eq!(all[0], all[1]);
    assert_eq!(all[0], all[2]);
    assert_eq!(all[0], all[3]);
    let distinct = all[0].iter().flatten().collect::<std::collections::BTreeSet<_>>().len();
    assert!(distinct > 10, "outputs vary");
}

#[test]
fn the_graph_file_gives_the_same_program() {
    let graph = network();
    for variant in [Variant::Lean, Variant::Fused] {
        let choice: Choice = (0..graph.len()).map(|at| (at, variant)).collect();
        let program = lower_with(&graph, Isa::Armv7em, &choice).expect("an int8 graph");
        assert_ne!(lower_with(&graph, Isa::Armv7em, &Choice::default()).expect("an int8 graph"), program);
        let placement = Placement::disjoint(&program);
        let network = network_of(&graph, &program, &placement);
        let file = GraphFile { choice, ..GraphFile::new(&network, &graph, None) };
        let back = read_graph_file("lowered.graph", &write_graph_file(&file)).expect("what was written");
        assert_eq!(lower_with(&back.graph, Isa::Armv7em, &back.choice).expect("an int8 graph"), program);
        assert_eq!(back.plan, file.plan);
    }
}
