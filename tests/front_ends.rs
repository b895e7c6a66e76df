//! Front ends in emitted C: the same bytes as the evaluator behind the same front end, for whole samples and for
//! streams, on this machine and on the emulated board; sizes as predicted.
//!
//! Where tools are missing, a test says so and leaves them out.

#![expect(clippy::print_stdout, reason = "what is skipped and what was measured is said")]

#[path = "emit/cc.rs"]
mod cc;

use std::time::Duration;

use cc::{compile_and_run, compiler};

use nasc::data::{
    Audio, AudioSpec, Element, FrontEnd, IntegerQuantizer, Picture, Quantizer, RawInput, RawQuantizer,
    Series, Stream,
};
use nasc::device::{Device, HostCompiler, STRICT_FLAGS, Samples, find, run_board, run_host, self_test_host};
use nasc::emit::{Borders, Bundle, Golden, GraphFile, Interface, Network, emit_c, front_end_cost};
use nasc::emit::{read_graph_file, write_graph_file};
use nasc::estimate::{Deployment, deploy};
use nasc::graph::{Graph, Weights};
use nasc::ops::{Clamp, Constant, Dense, Input, Requant, Reshape};
use nasc::plan::Effort;
use nasc::target::Target;
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

const LIMIT: Duration = Duration::from_secs(120);
const UNITS: usize = 5;

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % n as u64) as usize
    }
}

/// A dense layer over all features: every feature decides something.
fn network(extents: [usize; 3], zero_point: i32) -> Graph {
    let mut graph = Graph::new();
    let mut dice = Dice(extents.iter().sum::<usize>() as u64);
    let [height, width, channels] = extents;
    let features = height * width * channels;
    let ty =
        TensorType::quantized(DType::I8, [1, height, width, channels], Quant::per_tensor(0.05, zero_point));
    let x = graph.add(Input { ty }, &[]).expect("an input");
    let flat = graph.add(Reshape { shape: [1, features].into() }, &[x]).expect("flat");
    let mut constant = |graph: &mut Graph, name: &str, shape: Shape, dtype, quant, range: usize| {
        let values: Vec<i32> =
            (0..shape.elements()).map(|_| dice.below(2 * range + 1) as i32 - range as i32).collect();
        graph.set_constant(name, Value::from_i32_vec(dtype, &shape, &values).expect("they fit"));
        let ty = TensorType::quantized(dtype, shape, quant);
        graph.add(Constant { name: name.into(), ty }, &[]).expect("a constant")
    };
    let quant = Quant::per_channel(vec![0.01; UNITS], 0);
    let weights = constant(&mut graph, "w", [UNITS, features].into(), DType::I8, quant.clone(), 127);
    let bias = constant(&mut graph, "b", [UNITS].into(), DType::I32, quant, 500);
    let scale = Scale(0.1 * (features as f32).sqrt() / 8.0);
    let requant = Requant { dtype: DType::I8, scale, zero_point: 4, rounding: Rounding::Single };
    let dense = Dense { clamp: Clamp::None, requant: Some(requant) };
    let y = graph.add(dense, &[flat, weights, bias]).expect("a dense layer");
    graph.add_output(y);
    graph
}

/// A front end before a network, ready to be emitted.
struct Case {
    raw: RawInput,
    graph: Graph,
    target: Target,
    deployment: Deployment,
    golden: Vec<Golden>,
}

impl Case {
    fn new(front_end: FrontEnd) -> Case {
        Case::on(front_end, "cortex-m4")
    }

    fn on(front_end: FrontEnd, target: &str) -> Case {
        let zero_point = -9;
        let period = front_end.period();
        let quantizer = match front_end.feature_element() {
            Element::F32 => Quantizer::Float(RawQuantizer {
                mean: (0..period).map(|c| c as f32 / 7.0 - 0.5).collect(),
                factor: (0..period).map(|c| 9.0 + c as f32 * 1.7).collect(),
                zero_point,
            }),
            element => {
                let wide = element == Element::I16;
                Quantizer::Integer(IntegerQuantizer {
                    offset: (0..period as i32)
                        .map(|c| match &front_end {
                            FrontEnd::Audio(audio) if audio.spec().coefficients.is_none() => 9000 + c * 20,
                            FrontEnd::Audio(_) => {
                                if c == 0 {
                                    20000
                                } else {
                                    30 * c
                                }
                            }
                            _ if wide => 500 - c * 90,
                            _ => 120 + c,
                        })
                        .collect(),
                    factor: (0..period as i32).map(|c| 9000 + c * 121).collect(),
                    shift: match &front_end {
                        FrontEnd::Audio(_) => 18,
                        _ if wide => 20,
                        _ => 13,
                    },
                    zero_point,
                })
            }
        };
        let graph = network(front_end.extents(), zero_point);
        let target = nasc::elaborate::stdlib_targets().remove(target).expect("a target of the library");
        let cost = front_end_cost(&front_end, UNITS, target.isa);
        let deployment = deploy(&graph, &target, cost, Effort::Search).expect("deploys");
        let raw = RawInput { front_end, quantizer };
        let mut case = Case { raw, graph, target, deployment, golden: Vec::new() };
        let samples = case.samples(3);
        case.golden = samples
            .iter()
            .map(|sample| Golden { input: case.raw.quantize(sample), output: case.expected(sample) })
            .collect();
        case
    }

    /// Raw samples: random ones, and those of extremes.
    fn samples(&self, count: usize) -> Vec<Vec<f32>> {
        let size: usize = self.raw.front_end.raw_extents().iter().product();
        let mut dice = Dice(count as u64);
        let mut value = |sample: usize| match (self.raw.front_end.element(), sample) {
            (Element::U8, 0) => 255.0,
            (Element::U8, _) => dice.below(256) as f32,
            (Element::I16, 0) => [-32768.0, 32767.0][dice.below(2)],
            (Element::I16, 1) => dice.below(200) as f32 - 100.0,
            (Element::I16, _) => dice.below(1 << 16) as f32 - 32768.0,
            (Element::F32, 0) => [f32::NAN, f32::INFINITY, -1e38, 0.0][dice.below(4)],
            (Element::F32, _) => dice.below(4001) as f32 / 1000.0 - 2.0,
        };
        (0..count).map(|sample| (0..size).map(|_| value(sample)).collect()).collect()
    }

    fn expected(&self, sample: &[f32]) -> Vec<i8> {
        let [height, width, channels] = self.raw.front_end.extents();
        let input = Value::from_i8(&[1, height, width, channels].into(), self.raw.quantize(sample));
        let outputs = self.graph.evaluate(&[input.expect("its size")], &Weights::new()).expect("integers");
        outputs[0].as_i8().expect("8 bit").iter().copied().collect()
    }

    fn network<'a>(&'a self, name: &'a str) -> Network<'a> {
        let order = (self.graph.network_inputs()[0], self.graph.outputs()[0]);
        Network {
            name,
            program: &self.deployment.program,
            offsets: &self.deployment.plan.offsets,
            arena_bytes: self.deployment.plan.arena_bytes,
            arena_align: self.target.align,
            inputs: std::slice::from_ref(self.graph.ty(order.0)),
            outputs: std::slice::from_ref(self.graph.ty(order.1)),
            borders: Borders::default(),
            raw: Some(&self.raw),
            macs: self.deployment.estimate.macs,
            golden: &self.golden,
            labels: &[],
            readings: &[],
        }
    }

    fn emitted(&self) -> (Bundle, Interface) {
        let network = self.network("net");
        (emit_c(&network), network.interface())
    }
}

fn series(element: Element, length: usize, channels: usize, every: usize, smooth: usize) -> FrontEnd {
    FrontEnd::Series(Series { element, length, channels, stream: Stream { every, smooth } })
}

fn picture(from: [usize; 3], to: [usize; 3]) -> FrontEnd {
    FrontEnd::Picture(Picture { from, to })
}

fn audio(
    sizes: [usize; 3],
    filters: usize,
    coefficients: Option<usize>,
    every: usize,
    smooth: usize,
) -> FrontEnd {
    let [length, frame, hop] = sizes;
    let stream = Stream { every, smooth };
    let (rate, low, high) = (16000, 80.0, 7600.0);
    let spec = AudioSpec { rate, length, frame, hop, filters, low, high, coefficients, stream };
    FrontEnd::Audio(Audio::new(spec).expect("a front end of sound"))
}

/// Every kind of front end.
fn front_ends() -> Vec<FrontEnd> {
    vec![
        FrontEnd::Values { element: Element::F32, extents: [6, 2, 3] },
        FrontEnd::Values { element: Element::I16, extents: [6, 2, 3] },
        FrontEnd::Values { element: Element::U8, extents: [4, 5, 1] },
        picture([13, 17, 1], [6, 5, 1]),
        picture([9, 8, 3], [4, 12, 3]),
        picture([5, 7, 3], [11, 7, 1]),
        picture([12, 12, 3], [6, 6, 1]),
        series(Element::F32, 10, 3, 4, 3),
        series(Element::I16, 7, 1, 1, 1),
        series(Element::U8, 3, 4, 3, 2),
        audio([1600, 320, 160], 20, Some(10), 2, 3),
        audio([1605, 400, 160], 24, None, 1, 1),
        audio([1000, 100, 150], 12, Some(12), 3, 2),
        audio([4000, 480, 320], 21, Some(13), 1, 4),
    ]
}

/// Every compiler that is here, as C and as C++.
fn compilers() -> Vec<HostCompiler> {
    let mut found = vec![HostCompiler::default()];
    for name in ["gcc", "clang"] {
        if find(name).is_none() {
            println!("skipped: {name} is not installed");
            continue;
        }
        let trap = if name == "gcc" { "-fsanitize-undefined-trap-on-error" } else { "-fsanitize-trap=all" };
        let mut flags = STRICT_FLAGS.to_vec();
        flags.extend(["-O1", "-fsanitize=undefined", trap]);
        found.push(compiler(name, &flags));
        if find("g++").is_some() {
            let mut flags = vec!["-x", "c++", "-std=c++11", "-O2"];
            flags.extend(&STRICT_FLAGS[1..]);
            found.push(compiler(name, &flags));
        }
    }
    found
}

/// Whole samples and, by the harness, the same ones hop by hop.
#[test]
fn emitted_c_is_the_front_end_before_the_network() {
    for front_end in front_ends() {
        let case = Case::new(front_end);
        let (bundle, interface) = case.emitted();
        let samples = case.samples(12);
        let wanted: Vec<Vec<i8>> = samples.iter().map(|sample| case.expected(sample)).collect();
        assert!(wanted.iter().any(|output| output != &wanted[0]), "samples differ");
        for compiler in compilers() {
            let got = run_host(&bundle, &interface, Samples::Raw(&samples), &compiler, LIMIT);
            let got = got.unwrap_or_else(|e| panic!("{:?} {compiler:?}: {e:#?}", case.raw.front_end));
            assert_eq!(got, wanted, "{:?} {compiler:?}", case.raw.front_end);
        }
        self_test_host(&bundle, &interface, &HostCompiler::default(), LIMIT).expect("golden vectors agree");
    }
}

/// The means of the last outputs, halves rounded up.
fn means(outputs: &[Vec<i8>], smooth: usize) -> Vec<Vec<i8>> {
    let mean = |at: usize| {
        let last = &outputs[(at + 1).saturating_sub(smooth)..=at];
        let sum = |unit: usize| last.iter().map(|output| f64::from(output[unit])).sum::<f64>();
        (0..UNITS).map(|unit| (sum(unit) / last.len() as f64 + 0.5).floor() as i8).collect()
    };
    (0..outputs.len()).map(mean).collect()
}

/// What a stream over a long signal gives: the rows at which it runs, and its scores.
fn streamed(case: &Case, signal: &[f32], hop: usize) -> Vec<(usize, Vec<i8>)> {
    let size: usize = case.raw.front_end.raw_extents().iter().product();
    // Hops that a sample takes, and where in the signal a sample starts that has the rows up to a hop's end.
    let (hops, back) = match &case.raw.front_end {
        FrontEnd::Series(series) => (series.length, size),
        FrontEnd::Audio(audio) => {
            let (frame, rows) = (audio.spec().frame, case.raw.front_end.extents()[0]);
            let first = if frame > hop { frame.div_ceil(hop) } else { 1 };
            (rows - 1 + first, (rows - 1) * hop + if frame > hop { frame } else { hop })
        }
        other => panic!("{other:?} is no stream"),
    };
    let stream = case.raw.front_end.stream().expect("a stream");
    let ends: Vec<usize> = (hops..=signal.len() / hop).step_by(stream.every).collect();
    let sample = |end: &usize| {
        // What a sample has beyond its last row does not matter.
        let mut sample: Vec<f32> = signal[end * hop - back..].iter().copied().take(size).collect();
        sample.resize(size, 0.0);
        sample
    };
    let outputs: Vec<Vec<i8>> = ends.iter().map(|end| case.expected(&sample(end))).collect();
    ends.into_iter().zip(means(&outputs, stream.smooth)).collect()
}

#[test]
fn a_stream_runs_when_it_should_and_averages() {
    for (front_end, hops) in [
        (series(Element::F32, 10, 3, 4, 3), 60),
        (series(Element::I16, 7, 1, 1, 1), 40),
        (series(Element::I16, 4, 2, 9, 5), 100),
        (series(Element::U8, 3, 4, 3, 2), 20),
        (audio([1600, 320, 160], 20, Some(10), 2, 3), 40),
        (audio([1605, 400, 160], 24, None, 3, 1), 40),
        (audio([1000, 100, 150], 12, Some(12), 3, 2), 30),
    ] {
        let case = Case::new(front_end);
        let (mut bundle, interface) = case.emitted();
        let hop = interface.raw.as_ref().and_then(|raw| raw.hop).expect("a stream");
        let samples = case.samples(40);
        // Without the extremes, which saturate.
        let size: usize = case.raw.front_end.raw_extents().iter().product();
        let count = (hops * hop).max(size);
        let signal: Vec<f32> = samples[2..].concat().into_iter().cycle().take(count).collect();
        let wanted = streamed(&case, &signal[..hops * hop], hop);
        assert!(wanted.len() > 3);
        let numbers = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(", ");
        let mut expected = vec![String::from("0, 0, 0, 0, 0, 0"); hops];
        for (end, scores) in &wanted {
            expected[end - 1] = format!("1, {}", numbers(&mut scores.iter().map(i8::to_string)));
        }
        let ty = interface.raw.as_ref().expect("raw").element.c_type();
        let values = numbers(&mut signal.iter().map(|x| format!("({ty}){x:?}")));
        let main = include_str!("front_ends/stream.c")
            .replace("VALUES", &values)
            .replace("EXPECTED", &expected.join("}, {"))
            .replace("HOPS", &hops.to_string());
        bundle.add("main.c", main);
        let sources = ["main.c", "net.c", "net_weights.c"];
        let status = compile_and_run(&bundle.files, &sources, STRICT_FLAGS, &[]);
        assert_eq!(status, 0, "{:?}", case.raw.front_end);
    }
}

/// A context and an arena that nobody has written to: the first hops must not look at what is in them.
#[test]
fn a_stream_computes_with_nothing_that_nobody_gave_it() {
    if find("valgrind").is_none() {
        println!("skipped: valgrind is not installed");
        return;
    }
    for front_end in [audio([1600, 320, 160], 20, Some(10), 2, 3), series(Element::F32, 10, 3, 4, 3)] {
        let case = Case::new(front_end);
        let (mut bundle, _) = case.emitted();
        let main = "
#include \"net.h\"
int main(void)
{
    static const net_raw_t hop[NET_HOP_SIZE] = {1};
    NET_ALIGNED unsigned char arena[NET_ARENA_BYTES];
    net_ctx ctx;
    net_output_t scores[NET_OUTPUT_SIZE];
    int results = net_init(&ctx, arena, sizeof arena) == NET_OK && net_detect(NULL, 0) == -1 ? 0 : 99;
    for (int i = 1; i <= NET_FIRST_HOP + NET_EVERY; ++i) {
        results += net_stream(&ctx, hop, scores);
        if (results != (i < NET_FIRST_HOP ? 0 : i < NET_FIRST_HOP + NET_EVERY ? 1 : 2)) {
            return 1;
        }
    }
    results += scores[0] >= 0 ? 1 : 0; /* looks at what came out */
    return results >= 2 ? 0 : 2;
}
";
        bundle.add("main.c", main);
        let runner = ["valgrind", "-q", "--error-exitcode=9"];
        let status =
            compile_and_run(&bundle.files, &["main.c", "net.c", "net_weights.c"], STRICT_FLAGS, &runner);
        assert_eq!(status, 0, "{:?}", case.raw.front_end);
    }
}

/// Two bundles in one program, with the examples of their pages.
#[test]
fn two_bundles_with_streams_link() {
    let (first, second) =
        (Case::new(series(Element::F32, 10, 3, 4, 3)), Case::new(picture([9, 8, 3], [4, 4, 1])));
    let mut files = emit_c(&first.network("net")).files;
    let page = String::from_utf8(files["README.md"].clone()).expect("text");
    let examples: Vec<&str> =
        page.split("```").skip(1).step_by(2).map(|block| block.strip_prefix("c\n").expect("C")).collect();
    assert_eq!(examples.len(), 2, "one for samples, one for streams");
    files.insert("example.c".into(), examples.concat().into_bytes());
    files.extend(emit_c(&second.network("other")).files);
    let main = "
#include \"net.h\"
#include \"other.h\"
int classify(const net_raw_t *values);
int start(void);
int listen(const net_raw_t *hop);
int main(void)
{
    static const net_raw_t values[NET_RAW_SIZE] = {0.5f};
    int checks = classify(values) >= 0 && start() == NET_OK ? 0 : 1;
    int heard = 0;
    for (int hop = 1; hop <= NET_FIRST_HOP + 5 * NET_EVERY; ++hop) {
        const int class_now = listen(values);
        checks += class_now < NET_OUTPUT_SIZE && (class_now == -1 || hop >= NET_FIRST_HOP) ? 0 : 1;
        heard += class_now >= 0 ? 1 : 0;
    }
    /* The same all the time is heard once, if it is heard at all. */
    return checks + (heard <= 1 ? 0 : 1) + (net_test() == 0 && other_test() == 0 ? 0 : 1);
}
";
    files.insert("main.c".into(), main.into());
    let sources = [
        "main.c",
        "example.c",
        "net.c",
        "net_weights.c",
        "net_test.c",
        "other.c",
        "other_weights.c",
        "other_test.c",
    ];
    assert_eq!(compile_and_run(&files, &sources, STRICT_FLAGS, &[]), 0);
}

fn has_board() -> bool {
    let tools = ["arm-none-eabi-gcc", "qemu-system-arm"];
    tools.iter().all(|program| {
        let is_here = find(program).is_some();
        if !is_here {
            println!("skipped: {program} is not installed");
        }
        is_here
    })
}

/// Runs a case on its board and checks what was predicted of the image.
fn on_board(case: &Case, count: usize) -> Device {
    let (bundle, interface) = case.emitted();
    let samples = case.samples(count);
    let wanted: Vec<Vec<i8>> = samples.iter().map(|sample| case.expected(sample)).collect();
    let toolchain = case.target.toolchain.as_ref().expect("a cross compiler");
    let run = run_board(&bundle, &interface, Samples::Raw(&samples), &wanted, toolchain, LIMIT);
    let run = run.unwrap_or_else(|e| panic!("{:?}: {e:#?}", case.raw.front_end));
    let (device, estimate) = (run.measured.device, &case.deployment.estimate);
    assert_eq!(run.outputs, wanted, "{:?}", case.raw.front_end);
    let arena = case.deployment.plan.arena_bytes;
    assert_eq!(device.ram_bytes(arena), estimate.ram_bytes, "{:?}", case.raw.front_end);
    assert_eq!(device.weights_bytes_linked, estimate.weights_bytes, "{:?}", case.raw.front_end);
    assert!(device.stack_bytes <= device.stack_bound_bytes, "{device:?}");
    let code = device.flash_bytes() - device.weights_bytes_linked;
    println!(
        "{:?}\n  code {code} bound {} front end {:?} estimated {}",
        case.raw.front_end,
        estimate.code_bytes,
        device.front_end_instructions,
        case.deployment.front_end.cycles
    );
    assert!(code <= estimate.code_bytes, "{code} B above {}: {:?}", estimate.code_bytes, case.raw.front_end);
    assert!(10 * estimate.code_bytes <= 11 * code + 5120, "{code} B far below {}", estimate.code_bytes);
    assert!(device.front_end_instructions.is_some_and(|count| count > 40), "{device:?}");
    device
}

#[test]
fn the_board_gives_the_same_bytes_and_the_image_the_promised_sizes() {
    if !has_board() {
        return;
    }
    for front_end in front_ends() {
        on_board(&Case::new(front_end), 4);
    }
}

#[test]
fn a_small_core_does_too() {
    if !has_board() {
        return;
    }
    for front_end in front_ends() {
        on_board(&Case::on(front_end, "cortex-m0+"), 2);
    }
}

/// A graph file keeps its front end, and one that does not fit is refused.
#[test]
fn graph_files_keep_front_ends() {
    for front_end in front_ends() {
        let case = Case::new(front_end);
        let file = GraphFile::new(&case.network("net"), &case.graph, Some(&case.target));
        let bytes = write_graph_file(&file);
        let back = read_graph_file("net.graph", &bytes).expect("what was written");
        assert_eq!((&back.raw, &back.interface), (&Some(case.raw.clone()), &file.interface));
        let mut other = file.clone();
        if let Some(Quantizer::Integer(integer)) = other.raw.as_mut().map(|raw| &mut raw.quantizer) {
            integer.shift = 0;
            read_graph_file("net.graph", &write_graph_file(&other)).expect_err("half of a bit");
            let mut other = file.clone();
            if let Some(Quantizer::Integer(integer)) = other.raw.as_mut().map(|raw| &mut raw.quantizer) {
                integer.factor[0] = 16384;
            }
            read_graph_file("net.graph", &write_graph_file(&other)).expect_err("more than 32 bits");
        }
        for (from, to) in [("\"every\": ", "\"every\": -"), ("\"smooth\": ", "\"smooth\": 4294967296")] {
            let text = String::from_utf8(bytes.clone()).expect("JSON");
            if text.contains(from) {
                read_graph_file("net.graph", text.replacen(from, to, 1).as_bytes()).expect_err(to);
            }
        }
    }
}
