//! Functions in assembly: every one of them on the board, with and without registers for floats, and their sizes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use nasc::device::{Device, Samples, find, run_board};
use nasc::emit::emit_c;
use nasc::estimate::{FrontEndCost, deploy_with};
use nasc::graph::{Graph, NodeId};
use nasc::kernel::{Choice, Interpreter, Placement, Program, Special, Variant, lower};
use nasc::ops::{
    Add, AvgPool2d, Clamp, Conv2d, Dense, DepthwiseConv2d, Input, MaxPool2d, Reshape, Upsample2d, Window,
};
use nasc::plan::Effort;
use nasc::target::Isa;
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, TensorType, Value};

use crate::lowered::{Builder, Bytes, network_of, requant};
use crate::{LIMIT, cortex_m4};

/// Clamp, zero point and a factor of the scale for each ending: of rectified, of signed and of all other layers.
const ENDINGS: [(Clamp, i32); 3] = [(Clamp::Relu, -128), (Clamp::None, 4), (Clamp::Relu, -20)];

struct Chain {
    builder: Builder,
    last: NodeId,
}

impl Chain {
    fn extents(&self) -> [usize; 4] {
        self.builder.graph.ty(self.last).shape.nhwc().expect("a map")
    }

    fn conv2d(&mut self, kernel: usize, filters: usize, (clamp, zero): (Clamp, i32)) {
        let [_, height, width, channels] = self.extents();
        let [w, b] = self.builder.weights(&[filters, kernel, kernel, channels], 0);
        let window = Window::same([kernel, kernel], [1, 1], [height, width]);
        let op = Conv2d { window, clamp, requant: requant(0.3, zero, Rounding::Double) };
        self.last = self.builder.layer(op, &[self.last, w, b], "conv");
    }

    fn depthwise(&mut self, kernel: [usize; 2], stride: [usize; 2], (clamp, zero): (Clamp, i32)) {
        let [_, height, width, channels] = self.extents();
        let [w, b] = self.builder.weights(&[1, kernel[0], kernel[1], channels], 3);
        let window = Window::same(kernel, stride, [height, width]);
        let input = self.builder.graph.ty(self.last).quant.as_ref().expect("quantized").scale(0);
        // So that values of this many terms neither vanish nor exceed the range.
        let scale = input * 0.25 * ((kernel[0] * kernel[1]) as f32).sqrt();
        let op = DepthwiseConv2d { window, clamp, requant: requant(scale, zero, Rounding::Double) };
        self.last = self.builder.layer(op, &[self.last, w, b], "depthwise");
        if stride != [1, 1] {
            self.last = self.builder.layer(Upsample2d { factor: stride }, &[self.last], "larger");
        }
    }

    fn add(&mut self, other: NodeId, (clamp, zero): (Clamp, i32)) {
        let op = Add { clamp, requant: requant(0.31, zero, Rounding::Double) };
        self.last = self.builder.layer(op, &[self.last, other], "add");
    }
}

/// A network that has every function.
fn network() -> Graph {
    let mut builder = Builder { graph: Graph::new(), bytes: Bytes(11) };
    let ty = TensorType::quantized(DType::I8, [1, 9, 7, 4], Quant::per_tensor(0.04, -5));
    let last = builder.graph.add(Input { ty }, &[]).expect("an input");
    let mut chain = Chain { builder, last };
    for (ending, kernel) in ENDINGS.into_iter().zip([3, 1, 3]) {
        chain.conv2d(kernel, 7 + kernel, ending);
    }
    chain.conv2d(1, 8, ENDINGS[0]);
    ENDINGS.into_iter().for_each(|ending| chain.depthwise([3, 3], [1, 1], ending));
    let skipped = chain.last;
    for ending in ENDINGS {
        chain.conv2d(1, 8, ending);
        chain.add(chain.last, ending);
        chain.add(skipped, ending);
    }
    ENDINGS.into_iter().for_each(|ending| chain.depthwise([3, 3], [2, 2], ending));
    let Chain { mut builder, last } = chain;
    let features = builder.graph.ty(last).shape.elements();
    let flat = builder.layer(Reshape { shape: [1, features].into() }, &[last], "flat");
    // Odd and even numbers of groups, of filters that are and are not fours.
    let mut dense = flat;
    for (units, (clamp, zero)) in [(12, (Clamp::Relu, -128)), (8, (Clamp::Relu, -20)), (5, (Clamp::None, 3))]
    {
        let features = builder.graph.ty(dense).shape.elements();
        let [w, b] = builder.weights(&[units, features], 0);
        let op = Dense { clamp, requant: requant(0.3, zero, Rounding::Single) };
        dense = builder.layer(op, &[dense, w, b], "head");
    }
    builder.graph.add_output(dense);
    builder.graph
}

/// Sizes of functions in an object.
fn sizes(object: &std::path::Path) -> BTreeMap<String, u64> {
    let out = Command::new("arm-none-eabi-nm").arg("-S").arg(object).output().expect("nm runs");
    let text = String::from_utf8(out.stdout).expect("ASCII");
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, size, _, name] = words[..] else { return None };
        Some((name.to_string(), u64::from_str_radix(size, 16).ok()?))
    };
    text.lines().filter_map(line).collect()
}

/// Depthwise layers with windows of all sizes.
fn windows(channels: usize, width: usize) -> Graph {
    let mut builder = Builder { graph: Graph::new(), bytes: Bytes(13) };
    let ty = TensorType::quantized(DType::I8, [1, 6, width, channels], Quant::per_tensor(0.04, -5));
    let last = builder.graph.add(Input { ty }, &[]).expect("an input");
    let mut chain = Chain { builder, last };
    for columns in 1..=7 {
        for (at, ending) in ENDINGS.into_iter().enumerate() {
            // One row up to seven.
            let rows = (columns + 2 * at) % 7 + 1;
            chain.depthwise([rows, columns], [1 + at % 2, 1], ending);
            chain.depthwise([8 - rows, columns], [1 + at / 2, 2], ending);
        }
    }
    let Chain { mut builder, last } = chain;
    builder.graph.add_output(last);
    builder.graph
}

/// Instructions of one run of a layer whose input has these extents.
fn instructions(extents: [usize; 4], isa: Isa, add: impl FnOnce(&mut Chain)) -> Option<(u64, u64)> {
    let toolchain = cortex_m4()?;
    let mut builder = Builder { graph: Graph::new(), bytes: Bytes(19) };
    let ty = TensorType::quantized(DType::I8, extents, Quant::per_tensor(0.04, -5));
    let last = builder.graph.add(Input { ty }, &[]).expect("an input");
    let mut chain = Chain { builder, last };
    add(&mut chain);
    let Chain { builder: Builder { mut graph, .. }, last } = chain;
    graph.add_output(last);
    let samples = [Bytes(1).take(extents.iter().product())];
    let input = Value::from_i8(&extents.into(), samples[0].clone()).expect("as many");
    let wanted = graph.evaluate(&[input], &Default::default()).expect("an integer graph");
    let wanted = wanted[0].as_i8().expect("bytes").iter().copied().collect::<Vec<i8>>();
    let program = lower(&graph, isa).expect("an int8 graph");
    let placement = Placement::disjoint(&program);
    let network = network_of(&graph, &program, &placement);
    let (bundle, interface) = (emit_c(&network), network.interface());
    let run = run_board(&bundle, &interface, Samples::Int8(&samples), &[wanted], &toolchain, LIMIT);
    let device = run.unwrap_or_else(|e| panic!("{e:#?}")).measured.device;
    assert_eq!(device.mismatched_bytes, 0);
    Some((device.instructions, graph.macs().0))
}

#[test]
fn windows_take_few_instructions() {
    // Hundredths of an instruction for a product.
    for (kernel, stride, extents, most) in [
        ([5, 5], 1, [1, 20, 20, 32], 160),
        ([5, 5], 2, [1, 20, 20, 32], 220),
        ([7, 7], 1, [1, 10, 10, 32], 140),
        ([7, 7], 2, [1, 20, 20, 32], 160),
        ([3, 3], 1, [1, 20, 20, 32], 230),
        ([3, 3], 2, [1, 20, 20, 32], 400),
        ([3, 1], 1, [1, 40, 1, 32], 700),
        ([5, 5], 1, [1, 5, 5, 32], 250),
    ] {
        let depthwise = |chain: &mut Chain| {
            let [_, height, width, channels] = chain.extents();
            let [w, b] = chain.builder.weights(&[1, kernel[0], kernel[1], channels], 3);
            let window = Window::same(kernel, [stride; 2], [height, width]);
            let requant = requant(0.3, -128, Rounding::Double);
            let op = DepthwiseConv2d { window, clamp: Clamp::Relu, requant };
            chain.last = chain.builder.layer(op, &[chain.last, w, b], "depthwise");
        };
        let Some((found, macs)) = instructions(extents, Isa::Armv7em, depthwise) else { return };
        let (plain, _) = instructions(extents, Isa::Armv7m, depthwise).expect("a toolchain");
        let per = |count: u64| count as f64 / macs as f64;
        println!("{kernel:?} stride {stride} {extents:?}: {:.3}, plain {:.3}", per(found), per(plain));
        assert!(found * 100 <= macs * most, "{kernel:?} {stride} {extents:?} {:.3}", per(found));
    }
}

#[test]
fn pools_take_few_instructions() {
    // Tenths of an instruction for a tap.
    for (is_max, kernel, stride, extents, most) in [
        (false, [7, 7], 1, [1, 7, 7, 64], 25),
        (false, [25, 5], 1, [1, 25, 5, 64], 25),
        (false, [3, 3], 2, [1, 16, 16, 32], 40),
        (true, [2, 2], 2, [1, 16, 16, 32], 50),
        (true, [3, 3], 2, [1, 16, 16, 32], 40),
    ] {
        let window = Window::valid(kernel, [stride; 2]);
        let pool = |chain: &mut Chain| {
            chain.last = match is_max {
                true => chain.builder.layer(MaxPool2d { window, clamp: Clamp::None }, &[chain.last], "max"),
                false => chain.builder.layer(AvgPool2d { window, clamp: Clamp::None }, &[chain.last], "mean"),
            };
        };
        let Some((found, _)) = instructions(extents, Isa::Armv7em, pool) else { return };
        let (plain, _) = instructions(extents, Isa::Armv7m, pool).expect("a toolchain");
        let [height, width] = window.output("pool", [extents[1], extents[2]]).expect("it fits");
        let taps = (height * width * kernel[0] * kernel[1] * extents[3]) as u64;
        let per = |count: u64| count as f64 / taps as f64;
        println!("{is_max} {kernel:?} {extents:?}: {:.3}, plain {:.3}", per(found), per(plain));
        assert!(found * 10 <= taps * most, "{is_max} {kernel:?} {extents:?} {:.3}", per(found));
    }
}

/// Pools of both kinds, with and without borders, clamps and gaps between taps.
fn pools(channels: usize) -> Graph {
    let mut builder = Builder { graph: Graph::new(), bytes: Bytes(17) };
    let ty = TensorType::quantized(DType::I8, [1, 22, 19, channels], Quant::per_tensor(0.04, -5));
    let mut last = builder.graph.add(Input { ty }, &[]).expect("an input");
    let gaps = Window { dilation: [2, 3], ..Window::valid([3, 2], [1, 1]) };
    let layers = [
        (Window::same([2, 3], [1, 1], [22, 19]), Clamp::None, true),
        (gaps, Clamp::None, true),
        (Window::same([3, 3], [1, 1], [18, 16]), Clamp::Relu6, false),
        (gaps, Clamp::None, false),
        (Window::same([3, 2], [1, 2], [14, 13]), Clamp::Relu, true),
        // The whole map.
        (Window::valid([14, 7], [1, 1]), Clamp::None, false),
    ];
    for (window, clamp, is_max) in layers {
        last = match is_max {
            true => builder.layer(MaxPool2d { window, clamp }, &[last], "max"),
            false => builder.layer(AvgPool2d { window, clamp }, &[last], "mean"),
        };
    }
    builder.graph.add_output(last);
    builder.graph
}

#[test]
fn pools_are_in_assembly() {
    // Words and what they leave, and less than a word.
    check(&pools(11), 2);
    check(&pools(3), 2);
}

/// The means of maps that are one value, the least and the greatest, whose sums are the most that there is.
#[test]
fn means_of_extremes_are_exact() {
    let mut builder = Builder { graph: Graph::new(), bytes: Bytes(0) };
    let ty = TensorType::quantized(DType::I8, [1, 8, 64, 5], Quant::per_tensor(0.04, -5));
    let x = builder.graph.add(Input { ty }, &[]).expect("an input");
    let window = Window::valid([8, 64], [1, 1]);
    let y = builder.layer(AvgPool2d { window, clamp: Clamp::None }, &[x], "mean");
    builder.graph.add_output(y);
    let values = [-128, 127, -127, 1, 0];
    let samples = values.map(|value: i8| vec![value; 8 * 64 * 5]).to_vec();
    run(&builder.graph, 1, samples);
}

#[test]
fn functions_in_assembly_compute_what_they_mean_and_have_their_sizes() {
    check(&network(), 3 + 6 + 6 + 1 + 2);
}

#[test]
fn windows_of_all_sizes_are_in_assembly() {
    // Rows of 10 and 5 outputs, of 8 and 4, of 6 and 3; four channels that are taken apart at once, and three.
    let all = 3 * 7 * 2;
    check(&windows(4, 9), all + 1);
    check(&windows(4, 8), all + 1);
    check(&windows(3, 6), all);
}

/// Convolutions whose outputs are summed at once: of greater and of lesser scale than the residual, with all endings of
/// both, windows of one pixel and of more, and lanes to spare.
fn residuals() -> Graph {
    let mut builder = Builder { graph: Graph::new(), bytes: Bytes(23) };
    let ty = TensorType::quantized(DType::I8, [1, 9, 7, 8], Quant::per_tensor(0.04, -5));
    let last = builder.graph.add(Input { ty }, &[]).expect("an input");
    let mut chain = Chain { builder, last };
    for (at, kernel) in [3, 1, 3].into_iter().enumerate() {
        let residual = chain.last;
        chain.conv2d(kernel, 8, ENDINGS[at]);
        chain.add(residual, ENDINGS[(at + 1) % 3]);
    }
    let Chain { mut builder, last } = chain;
    builder.graph.add_output(last);
    builder.graph
}

#[test]
fn convolutions_into_their_residuals_run_on_the_board() {
    let graph = residuals();
    let target = nasc::elaborate::stdlib_targets().remove("cortex-m4").expect("a target of the library");
    let deployed = |variant: Variant| {
        let choice: Choice = (0..graph.len()).map(|position| (position, variant)).collect();
        let deployed = deploy_with(&graph, &target, FrontEndCost::default(), Effort::Final, &choice);
        deployed.expect("an int8 graph")
    };
    let (fast, fused) = (deployed(Variant::Fast), deployed(Variant::Fused));
    assert_eq!(fused.program.steps.iter().filter(|step| step.absorbs.is_some()).count(), 3);
    assert!(fused.estimate.ram_bytes < fast.estimate.ram_bytes);
    let samples: Vec<Vec<i8>> = (0..3).map(|seed| Bytes(seed).take(9 * 7 * 8)).collect();
    let evaluated = |sample: &Vec<i8>| {
        let input = Value::from_i8(&[1, 9, 7, 8].into(), sample.clone()).expect("as many");
        let outputs = graph.evaluate(&[input], &Default::default()).expect("an integer graph");
        outputs[0].as_i8().expect("bytes").iter().copied().collect::<Vec<i8>>()
    };
    let wanted: Vec<Vec<i8>> = samples.iter().map(evaluated).collect();
    for deployment in [&fast, &fused] {
        let placement = Placement { offsets: deployment.plan.offsets.clone() };
        // A tile and a sum with each ending.
        let way = (&deployment.program, &placement);
        let Some(device) = run_at(&graph, way, 3 + 3, samples.clone()) else { return };
        let network = network_of(&graph, &deployment.program, &placement);
        let (bundle, interface) = (emit_c(&network), network.interface());
        let toolchain = cortex_m4().expect("it is there");
        let run = run_board(&bundle, &interface, Samples::Int8(&samples), &wanted, &toolchain, LIMIT);
        let again = run.unwrap_or_else(|e| panic!("{e:#?}")).measured.device;
        assert_eq!(again.mismatched_bytes, 0);
        let estimate = &deployment.estimate;
        assert_eq!(device.ram_bytes(deployment.plan.arena_bytes), estimate.ram_bytes);
        assert_eq!(device.weights_bytes_linked, estimate.weights_bytes);
        let code = device.flash_bytes() - device.weights_bytes_linked;
        assert!(code <= estimate.code_bytes, "{code} B of {} B", estimate.code_bytes);
        println!(
            "{} instructions, estimated {} cycles, RAM {} B, code {code} B of {} B",
            device.instructions, estimate.cycles, estimate.ram_bytes, estimate.code_bytes
        );
    }
}

/// Runs a network that has so many functions in assembly on random samples.
fn check(graph: &Graph, functions: usize) {
    let elements = graph.ty(graph.network_inputs()[0]).shape.elements();
    run(graph, functions, (0..3).map(|seed| Bytes(seed).take(elements)).collect());
}

fn run(graph: &Graph, functions: usize, samples: Vec<Vec<i8>>) {
    let program = lower(graph, Isa::Armv7em).expect("an int8 graph");
    run_at(graph, (&program, &Placement::disjoint(&program)), functions, samples);
}

/// The same of a program whose buffers have places; what the core with registers for floats did.
fn run_at(
    graph: &Graph,
    (program, placement): (&Program, &Placement),
    functions: usize,
    samples: Vec<Vec<i8>>,
) -> Option<Device> {
    let with_floats = cortex_m4()?;
    let interpreter = Interpreter::new(program).expect("it verifies");
    let interpret = |sample: &Vec<i8>| {
        let input = Value::from_i8(&[sample.len()].into(), sample.clone()).expect("as many");
        let outputs = interpreter.run(placement, &[input]).expect("no rule is broken");
        outputs[0].as_i8().expect("bytes").iter().copied().collect::<Vec<i8>>()
    };
    let wanted: Vec<Vec<i8>> = samples.iter().map(interpret).collect();
    assert!(wanted.iter().flatten().collect::<BTreeSet<_>>().len() > 4, "{wanted:?}");
    let mut assemblies = BTreeMap::new();
    for micro in &program.micros {
        if let Some(Special::Assembly(assembly)) = &micro.armv7em {
            assemblies.insert(format!("lowered_{}", micro.meaning.name), assembly.clone());
        }
    }
    assert_eq!(assemblies.len(), functions, "{:?}", assemblies.keys());
    let network = network_of(graph, program, placement);
    let (bundle, interface) = (emit_c(&network), network.interface());
    let mut measured = None;
    let mut without = with_floats.clone();
    without.flags = ["-mcpu=cortex-m4", "-mfloat-abi=soft"].map(String::from).to_vec();
    let mut found: BTreeMap<String, u64> = BTreeMap::new();
    for toolchain in [with_floats, without] {
        let run = run_board(&bundle, &interface, Samples::Int8(&samples), &wanted, &toolchain, LIMIT);
        let device = run.unwrap_or_else(|e| panic!("{e:#?}")).measured.device;
        assert_eq!(device.mismatched_bytes, 0);
        assert!(device.stack_bytes <= device.stack_bound_bytes, "{device:?}");
        measured.get_or_insert(device);
        let folder = tempfile::tempdir().expect("a folder");
        for (file, contents) in &bundle.files {
            std::fs::write(folder.path().join(file), contents).expect("a file");
        }
        let mut command = Command::new(&toolchain.cc);
        command.args(&toolchain.flags).args(["-mthumb", "-O2", "-c", "lowered.c"]).current_dir(folder.path());
        assert!(command.status().expect("the compiler runs").success());
        for (name, size) in sizes(&folder.path().join("lowered.o")) {
            if assemblies.contains_key(&name) {
                let greatest = found.entry(name).or_default();
                *greatest = size.max(*greatest);
            }
        }
    }
    let stated: BTreeMap<String, u64> =
        assemblies.iter().map(|(name, assembly)| (name.clone(), assembly.bytes)).collect();
    assert_eq!(found, stated, "sizes in bytes, found and stated");
    clang_accepts(&bundle);
    measured
}

/// Clang assembles what GCC does.
fn clang_accepts(bundle: &nasc::emit::Bundle) {
    if find("clang").is_none() {
        println!("skipped: clang is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    for (file, contents) in &bundle.files {
        std::fs::write(folder.path().join(file), contents).expect("a file");
    }
    // The one header that is not the compiler's own.
    let declared = "#include <stddef.h>\nvoid *memmove(void *, const void *, size_t);\n";
    std::fs::write(folder.path().join("string.h"), declared).expect("a file");
    for floats in [["-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"], ["-mfloat-abi=soft", "-mfpu=none"]] {
        let mut command = Command::new("clang");
        command.args([
            "--target=arm-none-eabi",
            "-mcpu=cortex-m4",
            "-mthumb",
            "-O2",
            "-Wall",
            "-Wextra",
            "-Wno-unused-function",
            "-Werror",
        ]);
        command.args(floats).args(["-isystem", ".", "-c", "lowered.c"]);
        let out = command.current_dir(folder.path()).output().expect("the compiler runs");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }
}
