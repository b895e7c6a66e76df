//! Predicted RAM, tables and code against linked images, on networks of the standard library's spaces.
//!
//! `cargo bench --bench images` draws networks from each space, gives them random weights, quantizes, compiles and
//! links them for a Cortex-M4, and runs each once on the emulated board. It fails if the image's RAM or tables are not
//! what was predicted, its code is above its bound, an output byte differs from the host kernels' (which tests compare
//! with the evaluator), or the RAM is above what the untrained network had. Networks whose tables the board cannot hold
//! are linked only, and counted. `-- --count N` sets how many networks of each space, `-- --first N` leaves some out,
//! `-- --only NAME` chooses a space, `-- --macs N` leaves larger networks out, `-- --terms` prints what the bound
//! counts, to fit it anew.

#![expect(clippy::print_stdout, reason = "a bench prints")]

mod spaces;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use nasc::device::{Samples, link_board, run_board};
use nasc::emit::{Borders, Network, emit_c};
use nasc::estimate::{self, FrontEndCost};
use nasc::graph::{Graph, Weights};
use nasc::host::HostNetwork;
use nasc::ops::{Op, Param};
use nasc::pipeline::Passes;
use nasc::plan::Effort;
use nasc::target::Target;
use nasc::tensor::{Shape, Value};
use nasc::train::initial_weights;

/// Tables that the emulated board's flash holds beside the code.
const MOST_TABLES: u64 = 3 << 20;

/// Samples that give the ranges of activations.
const SAMPLES: usize = 2;

/// What a network's image has over its prediction.
struct Image {
    code_bytes: u64,
    bound: u64,
    /// What the untrained network was said to take at most.
    untrained_ram: u64,
    ram: u64,
    /// Whether the board could hold it.
    is_run: bool,
}

/// Numbers between -1 and 1.
fn noise(shape: &Shape) -> Value {
    let mut state = 3u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    Value::from_f32(shape, (0..shape.elements()).map(|_| next()).collect()).expect("as many")
}

fn weights(graph: &Graph) -> Weights {
    let params: Vec<Param> = graph
        .order()
        .into_iter()
        .filter_map(|node| match &graph.node(node).op {
            Op::Param(param) => Some(param.clone()),
            _ => None,
        })
        .collect();
    initial_weights(&params, 5)
}

fn measure(name: &str, training: &Graph, target: &Target, terms: bool) -> Image {
    let passes = Passes { effort: Effort::Search };
    let mut shape = training.ty(training.network_inputs()[0]).shape.clone();
    shape.0[0] = SAMPLES;
    let graph = passes.quantized(training, &weights(training), &noise(&shape)).expect("finite");
    let deployment = passes.deploy(&graph, target, FrontEndCost::default()).expect("lowers");
    let untrained =
        passes.deploy(&passes.skeleton(training), target, FrontEndCost::default()).expect("lowers").estimate;
    let (input, output) = (graph.ty(graph.network_inputs()[0]), graph.ty(graph.outputs()[0]));
    let network = Network {
        name: "net",
        program: &deployment.program,
        offsets: &deployment.plan.offsets,
        arena_bytes: deployment.plan.arena_bytes,
        arena_align: target.align,
        inputs: std::slice::from_ref(input),
        outputs: std::slice::from_ref(output),
        borders: Borders::default(),
        raw: None,
        macs: deployment.estimate.macs,
        golden: &[],
        labels: &[],
        readings: &[],
    };
    let sample: Vec<i8> = (0..input.shape.elements()).map(|at| (at * 37 % 251) as u8 as i8).collect();
    let host = HostNetwork::new(&graph).expect("host code");
    let wanted = host.run(&mut host.memory(), &[&sample]).expect("its input").swap_remove(0);
    let toolchain = target.toolchain.as_ref().expect("a target with a toolchain");
    let limit = Duration::from_secs(600);
    let (bundle, interface) = (emit_c(&network), network.interface());
    let estimate = &deployment.estimate;
    let is_run = estimate.weights_bytes <= MOST_TABLES;
    let device = if is_run {
        let run = run_board(&bundle, &interface, Samples::Int8(&[sample]), &[wanted], toolchain, limit);
        run.map(|run| run.measured.device)
    } else {
        link_board(&bundle, &interface, toolchain)
    };
    let device = device.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    assert_eq!(device.mismatched_bytes, 0, "{name}: other bytes than the host's");
    assert_eq!(device.ram_bytes(estimate.arena_bytes), estimate.ram_bytes, "{name}: RAM");
    assert_eq!(device.weights_bytes_linked, estimate.weights_bytes, "{name}: tables");
    let image = Image {
        code_bytes: device.flash_bytes() - device.weights_bytes_linked,
        bound: estimate.code_bytes,
        untrained_ram: untrained.ram_bytes,
        ram: estimate.ram_bytes,
        is_run,
    };
    if image.code_bytes > image.bound {
        let (code, bound, terms) = (image.code_bytes, image.bound, estimate::terms(&deployment.program));
        println!("{name}: code {code} B above its bound {bound} B: {terms:?}");
    }
    if terms {
        let counts: Vec<String> =
            estimate::terms(&deployment.program).iter().map(|(_, count)| count.to_string()).collect();
        let padding = estimate::padding(&deployment.program);
        println!("terms {name} code {} given {padding} counts {}", image.code_bytes, counts.join(" "));
    }
    image
}

/// What is measured of the numbers below `count`.
fn on_all_cores(count: usize, measured: impl Fn(usize) -> Image + Sync) -> Vec<Image> {
    let (next, images) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        return;
                    }
                    let image = measured(at);
                    images.lock().expect("no thread has failed").push(image);
                }
            });
        }
    });
    images.into_inner().expect("no thread has failed")
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| -> Option<&String> {
        arguments.get(arguments.iter().position(|argument| argument == name)? + 1)
    };
    let number = |name: &str, otherwise: usize| -> usize {
        option(name).map_or(otherwise, |value| value.parse().expect("a number"))
    };
    let (first, count) = (number("--first", 0), number("--count", 500));
    let terms = arguments.iter().any(|argument| argument == "--terms");
    let most = number("--macs", usize::MAX) as u64;
    let target = nasc::elaborate::stdlib_targets().remove("cortex-m4").expect("a target of the library");
    for path in spaces::SPACES {
        if option("--only").is_some_and(|only| !path.contains(only.as_str())) {
            continue;
        }
        let graphs = spaces::networks(&spaces::space(path), first + count);
        let chosen: Vec<(usize, &Graph)> =
            graphs.iter().enumerate().skip(first).filter(|(_, graph)| graph.macs().0 <= most).collect();
        let images = on_all_cores(chosen.len(), |at| {
            let (number, graph) = chosen[at];
            measure(&format!("{path} {number}"), graph, &target, terms)
        });
        let linked = images.iter().filter(|image| !image.is_run).count();
        let above = images.iter().filter(|image| image.code_bytes > image.bound).count();
        let close = images.iter().filter(|image| 10 * image.bound <= 11 * image.code_bytes + 5120).count();
        let more = images.iter().filter(|image| image.ram > image.untrained_ram).count();
        println!(
            "{path:<34} {:>4} networks: RAM and tables as predicted, code above its bound {above}, within 10 % + \
             512 B {close}; more RAM than untrained {more}; linked only {linked}",
            images.len()
        );
        assert_eq!((above, more), (0, 0), "{path}: a bound is no bound");
    }
}
