//! Inferences a second of integer networks on this machine, for each of its instruction sets.
//!
//! `cargo bench --bench host` makes networks of the shapes of MLPerf Tiny with random weights ready, compares their
//! outputs with the evaluator's on a few inputs, and times them on one thread: the best of many short slices, taken in
//! turn, since other work on the machine only ever slows one down. The host code that Cranelift makes of the portable
//! program stands beside them. `-- --only NAME` keeps the networks whose name holds it.

#![expect(clippy::print_stdout, reason = "a bench prints")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

mod networks;

use std::time::Instant;

use nasc::emit::jit::Jit;
use nasc::graph::{Graph, Weights};
use nasc::host::{HostNetwork, Level};
use nasc::kernel::{Program, lower};
use nasc::target::Isa;
use nasc::tensor::Value;

use networks::Net;

/// Slices of each way, and the seconds of one.
const SLICES: usize = 60;
const SLICE_SECONDS: f64 = 0.01;
/// Inputs that are compared.
const COMPARED: usize = 5;

type Run<'a> = Box<dyn FnMut(&[i8]) -> Vec<i8> + 'a>;

fn samples(elements: usize) -> Vec<Vec<i8>> {
    let mut state = 11u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8 as i8
    };
    (0..COMPARED).map(|_| (0..elements).map(|_| next()).collect()).collect()
}

/// Every buffer in a place of its own.
fn places(program: &Program) -> (Vec<u64>, u64) {
    let mut end = 0;
    let mut place = |bytes: u64| {
        let at = end;
        end += bytes.next_multiple_of(16);
        at
    };
    let offsets = program.buffers.iter().map(|buffer| place(buffer.bytes())).collect();
    (offsets, end)
}

/// Seconds that a call takes in one slice.
fn slice(run: &mut Run<'_>, input: &[i8]) -> f64 {
    let start = Instant::now();
    let mut calls = 0;
    loop {
        std::hint::black_box(run(std::hint::black_box(input)));
        calls += 1;
        let elapsed = start.elapsed().as_secs_f64();
        if elapsed > SLICE_SECONDS {
            return elapsed / f64::from(calls);
        }
    }
}

fn bench(name: &str, graph: &Graph) {
    let shape = &graph.ty(graph.network_inputs()[0]).shape;
    let inputs = samples(shape.elements());
    let program = lower(graph, Isa::Portable).expect("lowers");
    let (offsets, arena) = places(&program);
    let start = Instant::now();
    let jit = Jit::compile(&program, &offsets, arena).expect("host code");
    let jit_ready = start.elapsed().as_secs_f64();
    let mut jit_arena = jit.arena();
    let jit_run = |input: &[i8]| -> Vec<i8> {
        let bytes: Vec<u8> = input.iter().map(|&x| x as u8).collect();
        jit.run(&mut jit_arena, &[&bytes]).expect("runs")[0].iter().map(|&x| x as i8).collect()
    };
    let made: Vec<(Level, f64, HostNetwork)> = Level::available()
        .into_iter()
        .map(|level| {
            let start = Instant::now();
            let network = HostNetwork::with_level(graph, level).expect("host code");
            (level, start.elapsed().as_secs_f64(), network)
        })
        .collect();
    let mut ways: Vec<(String, f64, Run<'_>)> = vec![("cranelift".into(), jit_ready, Box::new(jit_run))];
    for (level, ready, network) in &made {
        let mut memory = network.memory();
        let run = move |input: &[i8]| network.run(&mut memory, &[input]).expect("runs").swap_remove(0);
        ways.push((level.name().into(), *ready, Box::new(run)));
    }
    for input in &inputs {
        let value = Value::from_i8(shape, input.clone()).expect("as many");
        let wanted = graph.evaluate(&[value], &Weights::new()).expect("evaluates");
        let wanted: Vec<i8> = wanted[0].as_i8().expect("8 bit").iter().copied().collect();
        for (way, _, run) in &mut ways {
            assert_eq!(run(input), wanted, "{name}: {way} differs from the evaluator");
        }
    }
    let mut best = vec![f64::INFINITY; ways.len()];
    for at in 0..SLICES {
        for (best, (_, _, run)) in best.iter_mut().zip(&mut ways) {
            *best = best.min(slice(run, &inputs[at % COMPARED]));
        }
    }
    let macs = graph.macs().0 as f64;
    for ((way, ready, _), seconds) in ways.iter().zip(best) {
        println!(
            "{name:<12} {way:<12} {:>9.0} a second  {:>8.2} us  {:>6.1} MAC/ns  ready in {:>7.3} ms",
            1.0 / seconds,
            seconds * 1e6,
            macs / seconds * 1e-9,
            ready * 1e3
        );
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let only =
        arguments.iter().position(|argument| argument == "--only").and_then(|at| arguments.get(at + 1));
    for (name, net) in [
        ("ds-cnn", networks::ds_cnn()),
        ("resnet-8", networks::resnet8()),
        ("mobilenet", networks::mobilenet()),
        ("autoencoder", networks::autoencoder()),
    ] {
        let Net { graph, parameters: _, .. } = net;
        if only.is_none_or(|only| name.contains(only.as_str())) {
            bench(name, &graph);
        }
    }
}
