//! Instructions, memory and code of networks whose shapes are known from MLPerf Tiny, on an emulated Cortex-M4.
//!
//! `cargo bench --bench kernels` builds each network with random weights, compiles and runs it, compares every output
//! byte with the evaluator, and prints a line for each layer, by itself, and one for the network. `-- --only NAME`
//! keeps the networks whose name holds it, `-- --keep FOLDER` writes their bundles there.

#![expect(clippy::print_stdout, reason = "a bench prints")]

mod networks;

use std::time::Duration;

use nasc::device::{Device, Samples, run_board};
use nasc::emit::{Borders, Network, emit_c};
use nasc::estimate::{self, Deployment, FrontEndCost};
use nasc::graph::{Graph, NodeId, Weights};
use nasc::ops::{Input, Op};
use nasc::plan::Effort;
use nasc::target::Target;
use nasc::tensor::Value;

use networks::{Net, autoencoder, ds_cnn, mobilenet, resnet8};

/// A graph of one node of another, with what it reads as inputs or constants.
fn alone(graph: &Graph, node: NodeId) -> Option<Graph> {
    let mut out = Graph::new();
    let mut inputs = Vec::new();
    for &input in graph.inputs(node) {
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
