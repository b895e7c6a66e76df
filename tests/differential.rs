//! The whole path on random integer networks: evaluator, interpreter, host code, C by GCC and by Clang, and C on an
//! emulated Cortex-M4 give the same bytes, with buffers that overlap as the final plan has them, and the linked
//! image has the promised sizes.
//!
//! `cargo test` takes a few networks; `NASC_NETWORKS=200 cargo test --test differential` takes more, from the seed
//! `NASC_FIRST_SEED` on, and leaves the last network's files in the folder `NASC_KEEP`. What a machine lacks is skipped with a note.

#![allow(clippy::disallowed_methods, reason = "tests are steered by the environment")]
#![expect(clippy::print_stdout, reason = "what is skipped and how many there were is said")]
#![expect(
    clippy::disallowed_methods,
    reason = "the environment asks for more networks; the library reads none of it"
)]

#[path = "differential/imported.rs"]
mod imported;
#[path = "differential/network.rs"]
mod network;
#[path = "differential/others.rs"]
mod others;

use std::time::Duration;

use nasc::device::{HostCompiler, STRICT_FLAGS, Samples, find, run_board, run_host, self_test_host};
use nasc::emit::jit::Jit;
use nasc::emit::{
    Borders, Golden, GraphFile, Network, check_name, emit_c, read_graph_file, write_graph_file,
};
use nasc::estimate::{Deployment, FrontEndCost, deploy_with};
use nasc::graph::{Graph, Weights};
use nasc::kernel::{Choice, Interpreter, Placement, Variant, lower};
use nasc::plan::Effort;
use nasc::target::{CostTable, Isa, Target, Toolchain};
use nasc::tensor::{Hertz, Value};

use network::Dice;

const LIMIT: Duration = Duration::from_secs(120);
/// Networks of an ordinary test run.
const NETWORKS: u64 = 6;
/// Inputs of each network.
const SAMPLES: usize = 5;

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

fn cortex_m4(align: usize, isa: Isa) -> Target {
    let flags = ["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"];
    Target {
        name: "cortex-m4".into(),
        core: None,
        isa,
        clock: Hertz(80_000_000),
        ram: None,
        flash: None,
        align,
        active_milliwatts: None,
        cost: CostTable { cycles_per_mac: 1.0, cycles_per_element: 1.0, cycles_per_call: 1.0 },
        toolchain: Some(Toolchain {
            cc: "arm-none-eabi-gcc".into(),
            flags: flags.iter().chain(STRICT_FLAGS).map(ToString::to_string).collect(),
            machine: Some("mps2-an386".into()),
        }),
        source: "a test".into(),
    }
}

/// A network with its inputs and what the evaluator gives for them.
struct Case {
    seed: u64,
    graph: Graph,
    samples: Vec<Vec<i8>>,
    wanted: Vec<Vec<i8>>,
}

fn bytes(value: &Value) -> Vec<i8> {
    value.as_i8().expect("8 bit").iter().copied().collect()
}

impl Case {
    fn new(seed: u64, graph: Graph) -> Case {
        let shape = graph.ty(graph.network_inputs()[0]).shape.clone();
        let mut dice = Dice(!seed);
        let samples: Vec<Vec<i8>> = (0..SAMPLES).map(|_| dice.bytes(shape.elements())).collect();
        let wanted = samples
            .iter()
            .map(|sample| {
                let input = Value::from_i8(&shape, sample.clone()).expect("as many");
                bytes(&graph.evaluate(&[input], &Weights::new()).expect("it evaluates")[0])
            })
            .collect();
        Case { seed, graph, samples, wanted }
    }

    fn agree(&self, way: &str, found: &[Vec<i8>]) {
        assert_eq!(found, self.wanted, "seed {}: {way}\n{}", self.seed, self.graph.to_text());
    }

    /// Interpreter and host code, at the places of the plan.
    fn in_process(&self, deployment: &Deployment) {
        let (program, plan) = (&deployment.program, &deployment.plan);
        let interpreter = Interpreter::new(program).expect("it verifies");
        let placement = Placement { offsets: plan.offsets.clone() };
        let interpret = |sample: &Vec<i8>| {
            let input = Value::from_i8(&[sample.len()].into(), sample.clone()).expect("as many");
            let outputs = interpreter.run(&placement, &[input]);
            bytes(&outputs.unwrap_or_else(|trap| panic!("seed {}: {trap}", self.seed))[0])
        };
        self.agree("interpreter", &self.samples.iter().map(interpret).collect::<Vec<_>>());
        let jit = Jit::compile(program, &plan.offsets, plan.arena_bytes).expect("host code");
        let mut arena = jit.arena();
        let mut run = |sample: &Vec<i8>| -> Vec<i8> {
            let input: Vec<u8> = sample.iter().map(|&x| x as u8).collect();
            let outputs = jit.run(&mut arena, &[&input]).expect("an input of the right size");
            outputs[0].iter().map(|&x| x as i8).collect()
        };
        self.agree("host code", &self.samples.iter().map(&mut run).collect::<Vec<_>>());
    }

    /// What was written and read back gives the same program.
    fn through_the_file(&self, network: &Network<'_>, target: &Target) {
        let written = write_graph_file(&GraphFile::new(network, &self.graph, Some(target)));
        let back =
            read_graph_file("random.graph", &written).unwrap_or_else(|e| panic!("{}: {e:#?}", self.seed));
        let order = |graph: &Graph| lower(graph, target.isa).expect("it was lowered before");
        assert_eq!(order(&back.graph), order(&self.graph), "seed {}", self.seed);
        assert_eq!(write_graph_file(&back), written, "seed {}", self.seed);
    }

    fn emitted(&self, deployment: &Deployment, target: &Target) {
        let vector =
            |(input, output): (&Vec<i8>, &Vec<i8>)| Golden { input: input.clone(), output: output.clone() };
        let golden: Vec<Golden> = self.samples.iter().zip(&self.wanted).map(vector).take(2).collect();
        let hostile = ["a\"b", "%d\n*/", "??/", "größe\\", "\0", "7", "", " "];
        let labels: Vec<String> = (0..self.wanted[0].len()).map(|at| hostile[at % 8].to_string()).collect();
        let network = Network {
            name: "random",
            program: &deployment.program,
            offsets: &deployment.plan.offsets,
            arena_bytes: deployment.plan.arena_bytes,
            arena_align: target.align,
            inputs: std::slice::from_ref(self.graph.ty(self.graph.network_inputs()[0])),
            outputs: std::slice::from_ref(self.graph.ty(self.graph.outputs()[0])),
            borders: Borders::default(),
            raw: None,
            macs: deployment.estimate.macs,
            golden: &golden,
            labels: &labels,
            readings: &[],
        };
        check_name(network.name).expect("a name");
        self.through_the_file(&network, target);
        let (bundle, interface) = (emit_c(&network), network.interface());
        assert_eq!(bundle, emit_c(&network), "seed {}: emission repeats", self.seed);
        if let Ok(folder) = std::env::var("NASC_KEEP") {
            for (file, contents) in &bundle.files {
                std::fs::write(std::path::Path::new(&folder).join(file), contents).expect("a folder");
            }
        }
        for compiler in compilers(self.seed) {
            let outputs = run_host(&bundle, &interface, Samples::Int8(&self.samples), &compiler, LIMIT);
            let outputs = outputs.unwrap_or_else(|e| panic!("seed {} {compiler:?}: {e:#?}", self.seed));
            self.agree(&format!("{compiler:?}"), &outputs);
            if self.seed.is_multiple_of(8) {
                self_test_host(&bundle, &interface, &compiler, LIMIT)
                    .unwrap_or_else(|e| panic!("seed {} {compiler:?}: {e:#?}", self.seed));
            }
        }
        if find("arm-none-eabi-gcc").is_none() || find("qemu-system-arm").is_none() {
            println!("skipped: no cross compiler or no emulator");
            return;
        }
        let toolchain = target.toolchain.as_ref().expect("a cross compiler");
        let samples = Samples::Int8(&self.samples);
        let run = run_board(&bundle, &interface, samples, &self.wanted, toolchain, LIMIT)
            .unwrap_or_else(|e| panic!("seed {}: {e:#?}", self.seed));
        self.agree("board", &run.outputs);
        let device = run.measured.device;
        let estimate = &deployment.estimate;
        assert_eq!(device.weights_bytes_linked, estimate.weights_bytes, "seed {}", self.seed);
        let pointers = nasc::estimate::context_bytes(target.isa, &FrontEndCost::default()) - 4;
        let ram = device.ram_bytes(deployment.plan.arena_bytes) + pointers;
        assert_eq!(ram, estimate.ram_bytes, "seed {}", self.seed);
        assert!(device.stack_bytes <= device.stack_bound_bytes, "seed {}: {device:?}", self.seed);
    }
}

/// Every second network has its sums computed by convolutions, where that can be.
fn choice(seed: u64, graph: &Graph) -> Choice {
    let variant = if seed.is_multiple_of(2) { Variant::Fast } else { Variant::Fused };
    (0..graph.len()).map(|position| (position, variant)).collect()
}

/// GCC and Clang, one of them as strict as users may be, the other with checks of undefined behaviour.
fn compilers(seed: u64) -> Vec<HostCompiler> {
    let strict = |program: &str, level: &str| HostCompiler {
        program: program.into(),
        flags: STRICT_FLAGS.iter().chain(&[level]).map(ToString::to_string).collect(),
    };
    let checked = |program: &str, trap: &str| {
        let mut compiler = strict(program, "-O3");
        compiler.flags.extend(["-fsanitize=undefined", trap].map(String::from));
        compiler
    };
    let (gcc, clang) = if seed.is_multiple_of(2) {
        (strict("gcc", "-O2"), checked("clang", "-fsanitize-trap=all"))
    } else {
        (checked("gcc", "-fsanitize-undefined-trap-on-error"), strict("clang", "-O3"))
    };
    [gcc, clang].into_iter().filter(|compiler| find(&compiler.program).is_some()).collect()
}

#[test]
fn random_networks_give_the_same_bytes_everywhere() {
    let first = from_environment("NASC_FIRST_SEED").unwrap_or(1);
    let networks = from_environment("NASC_NETWORKS").unwrap_or(NETWORKS);
    let (mut seed, mut done, mut refused, mut overlapping, mut proved) = (first, 0, 0, 0, 0);
    while done < networks {
        let graph = network::network(seed);
        let isa = if seed % 4 == 3 { Isa::Portable } else { Isa::Armv7em };
        let target = cortex_m4([1, 4, 16][seed as usize % 3], isa);
        let choice = choice(seed, &graph);
        match deploy_with(&graph, &target, FrontEndCost::default(), Effort::Final, &choice) {
            Err(reason) => {
                let expected =
                    ["overflow 32 bits", "no window that touches"].iter().any(|part| reason.contains(part));
                assert!(expected, "seed {seed}: {reason}\n{}", graph.to_text());
                refused += 1;
            }
            Ok(deployment) => {
                let case = Case::new(seed, graph);
                case.in_process(&deployment);
                case.emitted(&deployment, &target);
                let program = &deployment.program;
                let apart = Placement::disjoint(program).arena_bytes(program);
                overlapping += u64::from(deployment.plan.arena_bytes < apart);
                proved += u64::from(deployment.plan.certificate.optimal);
                done += 1;
            }
        }
        seed += 1;
    }
    println!(
        "{done} networks from seed {first} agree, {overlapping} share memory, {proved} are proved optimal; \
         {refused} were refused"
    );
    assert!(refused <= done, "{refused} of {} networks were refused", refused + done);
}

/// Many more networks without compilers: lowering, planning, interpreter and host code.
#[test]
fn random_networks_agree_in_process() {
    let networks = from_environment("NASC_NETWORKS").map_or(40, |networks| 20 * networks);
    let mut fused = 0;
    for seed in 1_000_000..1_000_000 + networks {
        let graph = network::network(seed);
        let target = cortex_m4([1, 4, 16][seed as usize % 3], Isa::Armv7em);
        let effort = if seed.is_multiple_of(2) { Effort::Search } else { Effort::Final };
        for choice in [Choice::default(), choice(1, &graph)] {
            let deployment = deploy_with(&graph, &target, FrontEndCost::default(), effort, &choice);
            let Ok(deployment) = deployment else { continue };
            let absorbs = deployment.program.steps.iter().any(|step| step.absorbs.is_some());
            if absorbs || choice.is_fast() {
                Case::new(seed, graph.clone()).in_process(&deployment);
            }
            fused += u64::from(absorbs);
        }
    }
    println!("{fused} of {networks} networks have sums that are computed by convolutions");
    assert!(30 * fused >= networks, "{fused} of {networks}");
}
