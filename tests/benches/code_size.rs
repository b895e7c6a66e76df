//! Linked code and executed instructions against their estimates, on varied networks.
//!
//! `cargo bench --bench code_size` lowers networks drawn from seeds, for both instruction sets, compiles them for
//! a Cortex-M4 and runs each once on the emulated board. It prints a line for each and how good the models are:
//! the bound on code of `compiler/estimate/code.rs`, and the cost table of `stdlib/targets/cortex_m.nas`. With
//! `-- --terms` it also prints, as columns of numbers, what the models count, to fit them anew. `-- --count N` sets
//! the number of networks, `-- --first N` the first seed, `-- --target NAME` another target of the library than the
//! Cortex-M4, whose own schedules are then used alone; the models were fitted to the seeds 0 to 99, and networks of
//! the seeds from 1000 on have all operators. It fails if an image is above its bound, or computes other bytes than
//! the evaluator.

#![expect(clippy::print_stdout, reason = "a bench prints")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nasc::data::{Audio, AudioSpec, IntegerQuantizer, Picture, Series, Stream};
use nasc::device::{Samples, run_board};
use nasc::emit::{
    Borders, Element, FrontEnd, Network, Quantizer, RawInput, RawQuantizer, emit_c, front_end_cost,
};
use nasc::estimate::{self, Deployment, FrontEndCost};
use nasc::graph::{Graph, NodeId, Weights};
use nasc::ops::{
    Add, AvgPool2d, Clamp, Concat, Constant, Conv2d, Curve, CurveFunction, Dense, DepthwiseConv2d, Input,
    MaxPool2d, Mul, Op, Pad, Requant, Requantize, Reshape, Upsample2d, Window,
};
use nasc::plan::Effort;
use nasc::target::{Isa, Target};
use nasc::tensor::arith::Rounding;
use nasc::tensor::{DType, Quant, Scale, Shape, TensorType, Value};

/// Random choices from a seed: splitmix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn requant(&mut self, rounding: Rounding) -> Option<Requant> {
        let quant = self.quant();
        Some(Requant { dtype: DType::I8, scale: quant.scales[0], zero_point: quant.zero_point, rounding })
    }

    fn quant(&mut self) -> Quant {
        Quant::per_tensor(0.02 + self.below(60) as f32 / 1000.0, self.pick(&[-128, -128, -11, 3]))
    }

    fn clamp(&mut self) -> Clamp {
        self.pick(&[Clamp::None, Clamp::Relu, Clamp::Relu, Clamp::Relu6])
    }
}

/// The first seed whose networks have all operators.
const OTHERS_FROM: u64 = 1000;

struct Net {
    graph: Graph,
    dice: Dice,
    /// Whether blocks have operators besides those that the models were first fitted to.
    others: bool,
}

impl Net {
    fn add(&mut self, op: impl Into<Op>, inputs: &[NodeId]) -> NodeId {
        self.graph.add(op, inputs).expect("shapes fit")
    }

    fn shape(&self, x: NodeId) -> [usize; 4] {
        self.graph.ty(x).shape.nhwc().expect("a feature map")
    }

    fn constant(&mut self, shape: Vec<usize>, dtype: DType, quant: Quant, range: usize) -> NodeId {
        let (name, shape) = (format!("c{}", self.graph.len()), Shape::from(shape));
        let mut value = || self.dice.below(2 * range + 1) as i32 - range as i32;
        let values: Vec<i32> = (0..shape.elements()).map(|_| value()).collect();
        self.graph.set_constant(&name, Value::from_i32_vec(dtype, &shape, &values).expect("they fit"));
        self.add(Constant { name, ty: TensorType::quantized(dtype, shape, quant) }, &[])
    }

    fn weights(&mut self, shape: Vec<usize>, axis: usize) -> [NodeId; 2] {
        let channels = shape[axis];
        let scales = (0..channels).map(|_| 0.001 + self.dice.below(60) as f32 / 20_000.0).collect();
        let quant = Quant::per_channel(scales, axis);
        let bias = Quant { axis: Some(0), ..quant.clone() };
        [self.constant(shape, DType::I8, quant, 127), self.constant(vec![channels], DType::I32, bias, 3000)]
    }

    fn window(&mut self, x: NodeId, kernels: &[usize]) -> Window {
        let [_, height, width, _] = self.shape(x);
        let kernel = [self.dice.pick(kernels).min(height), self.dice.pick(kernels).min(width)];
        let stride = if self.dice.below(3) == 0 { [2.min(height), 2.min(width)] } else { [1, 1] };
        if self.dice.below(3) == 0 {
            Window::valid(kernel, stride)
        } else {
            Window::same(kernel, stride, [height, width])
        }
    }

    fn conv2d(&mut self, x: NodeId, window: Window, filters: usize) -> NodeId {
        let [kh, kw] = window.kernel;
        let [w, b] = self.weights(vec![filters, kh, kw, self.shape(x)[3]], 0);
        let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Double));
        self.add(Conv2d { window, clamp, requant }, &[x, w, b])
    }

    fn depthwise(&mut self, x: NodeId, window: Window) -> NodeId {
        let [kh, kw] = window.kernel;
        let [w, b] = self.weights(vec![1, kh, kw, self.shape(x)[3]], 3);
        let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Double));
        self.add(DepthwiseConv2d { window, clamp, requant }, &[x, w, b])
    }

    fn dense(&mut self, x: NodeId, units: usize) -> NodeId {
        let features = self.graph.ty(x).shape.0[1];
        let [w, b] = self.weights(vec![units, features], 0);
        let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Single));
        self.add(Dense { clamp, requant }, &[x, w, b])
    }

    /// One more block on a feature map.
    fn block(&mut self, x: NodeId) -> NodeId {
        let one = Window::valid([1, 1], [1, 1]);
        let filters = self.dice.pick(&[3, 4, 6, 8, 8, 12, 16, 16, 24]);
        match self.dice.below(if self.others { 16 } else { 8 }) {
            8.. => self.other(x),
            0..=2 => {
                let window = self.window(x, &[1, 3, 3, 5]);
                self.conv2d(x, window, filters)
            }
            3 | 4 => {
                let window = self.window(x, &[3, 3, 5]);
                let y = self.depthwise(x, window);
                self.conv2d(y, one, filters)
            }
            5 => {
                let [_, height, width, channels] = self.shape(x);
                let y = self.conv2d(x, Window::same([3, 3], [1, 1], [height, width]), channels);
                let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Double));
                self.add(Add { clamp, requant }, &[x, y])
            }
            6 => {
                let [_, height, width, _] = self.shape(x);
                let kernel = [2.min(height), 2.min(width)];
                self.add(MaxPool2d { window: Window::valid(kernel, kernel), clamp: Clamp::None }, &[x])
            }
            _ => {
                let [_, height, width, _] = self.shape(x);
                let kernel = [3.min(height), 3.min(width)];
                let window = Window::same(kernel, [1, 1], [height, width]);
                self.add(AvgPool2d { window, clamp: Clamp::None }, &[x])
            }
        }
    }

    fn curve(&mut self, x: NodeId, function: CurveFunction) -> NodeId {
        let mut requant = self.dice.requant(Rounding::Double);
        if let (Some(requant), false) = (&mut requant, function == CurveFunction::Hswish) {
            (requant.scale, requant.zero_point) = (Scale(1.0 / 256.0), -128);
        }
        self.add(Curve { function, requant }, &[x])
    }

    /// A block of the other operators.
    fn other(&mut self, x: NodeId) -> NodeId {
        let [_, height, width, channels] = self.shape(x);
        match self.dice.below(7) {
            0 | 1 => {
                let window = Window::valid([height, width], [1, 1]);
                let mean = self.add(AvgPool2d { window, clamp: Clamp::None }, &[x]);
                let mean = self.add(Reshape { shape: [1, channels].into() }, &[mean]);
                let inner = self.dense(mean, 4);
                let factors = self.dense(inner, channels);
                let function = self.dice.pick(&[CurveFunction::Sigmoid, CurveFunction::Hsigmoid]);
                let factors = self.curve(factors, function);
                let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Double));
                self.add(Mul { clamp, requant }, &[x, factors])
            }
            2 => self.curve(x, CurveFunction::Hswish),
            3 => {
                let (clamp, requant) = (self.dice.clamp(), self.dice.requant(Rounding::Double));
                self.add(Mul { clamp, requant }, &[x, x])
            }
            4 => {
                let mut margins = || [0, 1, 2].map(|_| self.dice.pick(&[0, 1, 1, 2]));
                let (before, after) = (margins(), margins());
                self.add(Pad { before, after }, &[x])
            }
            5 if height * width * channels < 2000 => {
                let factor = [2, if width == 1 { 1 } else { 2 }];
                self.add(Upsample2d { factor }, &[x])
            }
            _ => {
                let requant = self.dice.requant(Rounding::Double).expect("integers");
                let filters = self.dice.pick(&[4, 6, 8]);
                let mut parts = vec![x, self.conv2d(x, Window::valid([1, 1], [1, 1]), filters)];
                if self.dice.below(2) == 0 {
                    parts.push(x);
                }
                let parts: Vec<NodeId> =
                    parts.into_iter().map(|part| self.add(Requantize { requant }, &[part])).collect();
                self.add(Concat {}, &parts)
            }
        }
    }

    /// A network of one to six blocks and a classifier.
    fn random(seed: u64) -> Graph {
        let mut net = Net { graph: Graph::new(), dice: Dice(seed), others: seed >= OTHERS_FROM };
        let width = if net.dice.below(2) == 0 { 1 } else { 4 + net.dice.below(17) };
        let shape = [1, 8 + net.dice.below(25), width, 1 + net.dice.below(6)];
        let ty = TensorType::quantized(DType::I8, shape, net.dice.quant());
        let mut x = net.add(Input { ty }, &[]);
        for _ in 0..1 + net.dice.below(6) {
            x = net.block(x);
        }
        if net.dice.below(3) > 0 {
            let [_, height, width, _] = net.shape(x);
            let window = Window::valid([height, width], [1, 1]);
            x = net.add(AvgPool2d { window, clamp: Clamp::None }, &[x]);
        }
        let features = net.graph.ty(x).shape.elements();
        x = net.add(Reshape { shape: [1, features].into() }, &[x]);
        if net.dice.below(3) == 0 {
            x = net.dense(x, 16);
        }
        let units = 2 + net.dice.below(11);
        x = net.dense(x, units);
        net.graph.add_output(x);
        net.graph
    }
}

/// What was measured of one network.
struct Row {
    seed: u64,
    isa: Isa,
    code_bytes: u64,
    bound: u64,
    instructions: u64,
    cycles: u64,
    /// Instructions of the front end, and those that were estimated.
    front_end: Option<(u64, u64)>,
    terms: Vec<u64>,
    /// Bytes of the bound that are not counted by terms: padding and the front end.
    given: u64,
    work: Vec<(&'static str, f64)>,
    names: Vec<&'static str>,
}

impl Row {
    /// Whether the bound is within 10 % + 512 B.
    fn is_close(&self) -> bool {
        10 * self.bound <= 11 * self.code_bytes + 5120
    }

    fn print(&self, terms: bool) {
        let Row { seed, isa, code_bytes, bound, instructions, cycles, .. } = self;
        let mark = if bound < code_bytes {
            "  ABOVE ITS BOUND"
        } else if self.is_close() {
            ""
        } else {
            "  loose"
        };
        println!(
            "{seed:>4} {isa:<9} code {code_bytes:>6} bound {bound:>6}  instructions {instructions:>9} \
             estimated {cycles:>9}{mark}",
            isa = format!("{isa:?}")
        );
        if let Some((instructions, estimated)) = self.front_end {
            println!("     front end: instructions {instructions:>9} estimated {estimated:>9}");
        }
        if terms {
            let counts: Vec<String> = self.terms.iter().map(u64::to_string).collect();
            let work: Vec<String> = self.work.iter().map(|(_, count)| count.to_string()).collect();
            let (counts, work) = (counts.join(" "), work.join(" "));
            println!(
                "terms {seed} {isa:?} code {code_bytes} given {} counts {counts} work {work}",
                self.given
            );
        }
    }
}

/// A front end before an input, of another kind for each seed; none for most.
fn raw_input(seed: u64, input: &TensorType) -> Option<RawInput> {
    let [_, height, width, channels] = input.shape.nhwc().expect("a feature map");
    let extents = [height, width, channels];
    let mut dice = Dice(seed ^ 0x5eed);
    let stream = Stream { every: 1 + dice.below(4), smooth: 1 + dice.below(4) };
    let front_end = match seed % 12 {
        0 | 2 | 4 => FrontEnd::Values { element: Element::F32, extents },
        6 => FrontEnd::Values { element: Element::I16, extents },
        7 | 8 => {
            let colours = if channels == 1 { 3 } else { channels };
            let other = [8 + dice.below(40), 8 + dice.below(40), colours];
            let from = if seed % 24 == 8 { [height, width, colours] } else { other };
            FrontEnd::Picture(Picture { from, to: extents })
        }
        9 if width == 1 => {
            let element = dice.pick(&[Element::F32, Element::I16]);
            FrontEnd::Series(Series { element, length: height, channels, stream })
        }
        10 | 11 if channels == 1 && width <= 20 => {
            let (frame, hop) = (dice.pick(&[400, 480, 512, 640]), dice.pick(&[160, 320]));
            let coefficients = dice.pick(&[None, Some(width)]);
            let filters = coefficients.map_or(width, |count| count + dice.below(20));
            let length = frame + hop * (height - 1);
            let (rate, low, high) = (16000, 60.0, 7600.0);
            let spec = AudioSpec { rate, length, frame, hop, filters, low, high, coefficients, stream };
            FrontEnd::Audio(Audio::new(spec).ok()?)
        }
        _ => return None,
    };
    let (period, zero_point) = (front_end.period(), input.quant.as_ref().expect("quantized").zero_point);
    let quantizer = match front_end.feature_element() {
        Element::F32 => {
            Quantizer::Float(RawQuantizer { mean: vec![0.5; period], factor: vec![20.0; period], zero_point })
        }
        Element::U8 | Element::I16 => Quantizer::Integer(IntegerQuantizer {
            offset: vec![100; period],
            factor: vec![10_000; period],
            shift: 14,
            zero_point,
        }),
    };
    Some(RawInput { front_end, quantizer })
}

fn measure(seed: u64, isa: Isa, target: &Target) -> Row {
    let graph = Net::random(seed);
    let target = Target { isa, ..target.clone() };
    let (input, output) = (graph.ty(graph.network_inputs()[0]), graph.ty(graph.outputs()[0]));
    let input_of_raw = raw_input(seed, input);
    let raw = input_of_raw.as_ref();
    let outputs = output.shape.elements();
    let cost = raw.map_or(FrontEndCost::default(), |raw| front_end_cost(&raw.front_end, outputs, target.isa));
    let Deployment { program, plan, estimate, .. } =
        estimate::deploy(&graph, &target, cost, Effort::Search).expect("it can be lowered");
    let network = Network {
        name: "net",
        program: &program,
        offsets: &plan.offsets,
        arena_bytes: plan.arena_bytes,
        arena_align: target.align,
        inputs: std::slice::from_ref(input),
        outputs: std::slice::from_ref(output),
        borders: Borders::default(),
        raw,
        macs: estimate.macs,
        golden: &[],
        labels: &[],
        readings: &[],
    };
    let raw_elements = |raw: &RawInput| raw.front_end.raw_extents().iter().product();
    let floats: Vec<f32> = match raw.map(|raw| raw.front_end.element()) {
        Some(Element::F32) | None => {
            (0..raw.map_or(0, raw_elements)).map(|at| (at % 37) as f32 / 9.0 - 2.0).collect()
        }
        Some(_) => (0..raw.map_or(0, raw_elements)).map(|at| (at * 7 % 251) as f32).collect(),
    };
    let integers = match raw {
        Some(raw) => raw.quantize(&floats),
        None => (0..input.shape.elements()).map(|at| (at % 251) as u8 as i8).collect(),
    };
    let value = Value::from_i8(&input.shape, integers.clone()).expect("as many as the shape says");
    let wanted = graph.evaluate(&[value], &Weights::new()).expect("an integer graph");
    let wanted: Vec<i8> = wanted[0].as_i8().expect("8 bit").iter().copied().collect();
    let (floats, integers) = ([floats], [integers]);
    let samples = if raw.is_some() { Samples::Raw(&floats) } else { Samples::Int8(&integers) };
    let toolchain = target.toolchain.as_ref().expect("a target with a toolchain");
    let limit = Duration::from_secs(300);
    let run = run_board(&emit_c(&network), &network.interface(), samples, &[wanted], toolchain, limit);
    let device = run.unwrap_or_else(|error| panic!("network {seed}: {error:?}")).measured.device;
    assert_eq!(device.mismatched_bytes, 0, "network {seed} {isa:?}");
    let terms = estimate::terms(&program);
    Row {
        seed,
        isa,
        code_bytes: device.flash_bytes() - device.weights_bytes_linked,
        bound: estimate.code_bytes,
        instructions: device.instructions,
        cycles: estimate.cycles - cost.cycles,
        front_end: device.front_end_instructions.map(|count| (count, cost.cycles)),
        names: terms.iter().map(|(name, _)| *name).collect(),
        terms: terms.iter().map(|(_, count)| *count).collect(),
        given: estimate::padding(&program) + cost.code_bytes,
        work: estimate::work(&graph, &program),
    }
}

fn summary(rows: &[Row]) {
    let above = rows.iter().filter(|row| row.bound < row.code_bytes).count();
    let close = rows.iter().filter(|row| row.is_close()).count();
    let worst = rows.iter().map(|row| row.bound as f64 / row.code_bytes as f64).fold(0.0, f64::max);
    println!(
        "code: {above} of {} above the bound, {close} within 10 % + 512 B, greatest ratio {worst:.3}",
        rows.len()
    );
    let own = rows.iter().filter(|row| row.isa != Isa::Portable);
    let mut errors: Vec<f64> =
        own.map(|row| (row.cycles as f64 / row.instructions as f64 - 1.0).abs()).collect();
    errors.sort_by(f64::total_cmp);
    if let (Some(median), Some(worst)) = (errors.get(errors.len() / 2), errors.last()) {
        println!("cycles: median error {:.1} %, worst {:.1} %", 100.0 * median, 100.0 * worst);
    }
    let front_ends = rows.iter().filter(|row| row.isa != Isa::Portable).filter_map(|row| row.front_end);
    let mut errors: Vec<f64> = front_ends
        .filter(|&(_, estimated)| estimated > 0)
        .map(|(instructions, estimated)| (estimated as f64 / instructions as f64 - 1.0).abs())
        .collect();
    errors.sort_by(f64::total_cmp);
    if let (Some(median), Some(worst)) = (errors.get(errors.len() / 2), errors.last()) {
        println!("front ends: median error {:.1} %, worst {:.1} %", 100.0 * median, 100.0 * worst);
    }
    assert_eq!(above, 0, "a bound is no bound");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let terms = arguments.iter().any(|argument| argument == "--terms");
    let option = |name: &str| -> Option<usize> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    let (count, first) = (option("--count").unwrap_or(100), option("--first").unwrap_or(0));
    let named = arguments.iter().position(|argument| argument == "--target");
    let name = named.and_then(|at| arguments.get(at + 1)).map_or("cortex-m4", String::as_str);
    let target = nasc::elaborate::stdlib_targets().remove(name).expect("a target of the library");
    let isas = if named.is_some() { [target.isa; 2] } else { [Isa::Armv7em, Isa::Portable] };
    let per_network = if named.is_some() { 1 } else { 2 };
    let (next, rows) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= per_network * count {
                        return;
                    }
                    let row = measure((first + at / per_network) as u64, isas[at % 2], &target);
                    row.print(terms);
                    rows.lock().expect("no thread has failed").push(row);
                }
            });
        }
    });
    let rows = rows.into_inner().expect("no thread has failed");
    if let (true, Some(row)) = (terms, rows.first()) {
        let kinds: Vec<&str> = row.work.iter().map(|(name, _)| *name).collect();
        println!("names {} work {}", row.names.join(" "), kinds.join(", "));
    }
    summary(&rows);
}
