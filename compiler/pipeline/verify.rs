//! `nasc verify`: every way to run a bundle's network gives the same bytes.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::device::{self, HostCompiler, Measured, Samples};
use crate::diagnostic::{Code, Diagnostic};
use crate::emit::jit::Jit;
use crate::emit::{self, Bundle, GraphFile, Interface, PlacedBuffer};
use crate::estimate::{self, Deployment, FrontEndCost};
use crate::host::HostNetwork;
use crate::kernel;
use crate::pipeline::Failure;
use crate::pipeline::bundle::golden_name;
use crate::pipeline::compile::Progress;
use crate::pipeline::evaluate::{Checked, damaged, read_bundle};
use crate::pipeline::files::{self, Files};
use crate::pipeline::golden::GoldenSet;
use crate::pipeline::network::{reference, together, values};
use crate::pipeline::tensors;
use crate::plan::{self, Effort};
use crate::report::{FRONT_END, Report};
use crate::target::{Target, Toolchain};

/// Time that a run of all samples may take before it counts as hanging.
const LIMIT: Duration = Duration::from_secs(600);

/// What `nasc verify` found.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Samples that were run.
    pub samples: usize,
    /// Bytes of output for each way.
    pub output_bytes: usize,
    /// The ways, each of which gave the golden outputs.
    pub ways: Vec<String>,
    /// What the device measured; `None` where the target has no emulator.
    pub measured: Option<Measured>,
    /// What of that a front end took that does more than to standardise floats, in instructions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub front_end_instructions: Option<u64>,
    /// Predicted and linked bytes, where a device was.
    pub sizes: Option<Sizes>,
}

/// Predictions against the linked image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sizes {
    /// `ram_bytes` of the report.
    pub ram_predicted: u64,
    /// Arena, context and static data of the image.
    pub ram_linked: u64,
    /// `weights_bytes` of the report.
    pub weights_predicted: u64,
    /// Tables of the image.
    pub weights_linked: u64,
    /// Bound on the code of the report.
    pub code_bound: u64,
    /// Code of the image, and constants that are no tables.
    pub code_linked: u64,
}

/// Runs a bundle's golden samples, from the raw values on, in the evaluator, the interpreter, host code, C by each
/// compiler of this machine and C on the emulated target, and compares every byte. Writes `measured.json`.
///
/// # Errors
/// E0905 if a tool is missing, E0907 for a damaged bundle, E0908 for the first byte that differs or a size that is
/// not the predicted one.
pub fn verify(
    files: &dyn Files,
    folder: &Path,
    emulator_only: bool,
    progress: &dyn Progress,
) -> Result<Verified, Failure> {
    progress.stage("reading and planning", 0);
    let Checked { bundle, file, report } = read_bundle(folder)?;
    let golden = golden(&bundle, &file, folder)?;
    let target = file.target.clone().ok_or_else(|| damaged(folder, "it names no target"))?;
    let front_end = FrontEndCost::default();
    let deployment = estimate::deploy_with(&file.graph, &target, front_end, Effort::Final, &file.choice)
        .map_err(|error| damaged(folder, &error))?;
    let deployment = as_bundled(&file, &target, deployment).map_err(|error| damaged(folder, &error))?;
    let mut check = Check { golden: &golden, ways: Vec::new(), progress };
    host_side(&mut check, &file, &deployment)?;
    if !emulator_only {
        native(&mut check, &bundle, &file, &target)?;
    }
    let mut verified = Verified {
        samples: golden.len(),
        output_bytes: golden.outputs.iter().map(Vec::len).sum(),
        ways: Vec::new(),
        measured: None,
        front_end_instructions: None,
        sizes: None,
    };
    let (emulated, compiled): (Vec<_>, Vec<_>) =
        target.toolchain.iter().partition(|toolchain| toolchain.machine.is_some());
    for toolchain in compiled {
        progress.stage(&format!("compiling C by {}", toolchain.cc), 0);
        device::compile_cross(&bundle, &file.interface, toolchain)?;
        check.ways.push(format!("C compiled by {}, not run", toolchain.cc));
    }
    for toolchain in emulated {
        progress.stage("running C on the emulator", 0);
        let measured = on_board(&mut check, &bundle, &file, toolchain)?;
        let sizes = sizes(&report, folder, &file, &measured)?;
        let text = serde_json::to_string_pretty(&measured).expect("plain data serializes") + "\n";
        files::write(files, &folder.join("measured.json"), text.as_bytes())?;
        let mut layers = report.targets.iter().flat_map(|target| &target.layers);
        if layers.any(|layer| layer.name == FRONT_END) {
            verified.front_end_instructions = measured.device.front_end_instructions;
        }
        (verified.measured, verified.sizes) = (Some(measured), Some(sizes));
    }
    verified.ways = check.ways;
    Ok(verified)
}

fn golden(bundle: &Bundle, file: &GraphFile, folder: &Path) -> Result<GoldenSet, Failure> {
    let name = golden_name(&file.interface.name);
    let content = bundle.files.get(&name).ok_or_else(|| damaged(folder, &format!("`{name}` is missing")))?;
    let bad = |error: String| damaged(folder, &format!("`{name}`: {error}"));
    let (tensors, _) = tensors::all_from_bytes(content).map_err(bad)?;
    let golden = GoldenSet::from_tensors("", &tensors, file.raw.as_ref()).map_err(bad)?;
    let fits = |rows: &[Vec<i8>], size: usize| rows.iter().all(|row| row.len() == size);
    if golden.is_empty()
        || !fits(&golden.inputs, file.interface.input_bytes())
        || !fits(&golden.outputs, file.interface.output_bytes())
    {
        return Err(damaged(folder, &format!("`{name}` does not fit the network")));
    }
    Ok(golden)
}

struct Check<'a> {
    golden: &'a GoldenSet,
    ways: Vec<String>,
    progress: &'a dyn Progress,
}

impl Check<'_> {
    /// Compares all outputs of one way.
    fn outputs(&mut self, way: &str, outputs: &[Vec<i8>]) -> Result<(), Diagnostic> {
        for (sample, (found, wanted)) in outputs.iter().zip(&self.golden.outputs).enumerate() {
            if let Some(byte) = (0..wanted.len()).find(|&byte| found.get(byte) != Some(&wanted[byte])) {
                return Err(mismatch(way, sample, byte, found.get(byte).copied(), wanted[byte]));
            }
        }
        if outputs.len() != self.golden.len() {
            let message = format!("{way} gave {} outputs instead of {}", outputs.len(), self.golden.len());
            return Err(Diagnostic::error(Code::MISMATCH, message).help("please report this with the bundle"));
        }
        self.ways.push(way.to_owned());
        Ok(())
    }
}

fn mismatch(way: &str, sample: usize, byte: usize, found: Option<i8>, wanted: i8) -> Diagnostic {
    let found = found.map_or("nothing".to_owned(), |found| found.to_string());
    Diagnostic::error(
        Code::MISMATCH,
        format!(
            "{way}: byte {byte} of the output for sample {sample} is {found}, the golden one is {wanted}"
        ),
    )
    .help("please report this with the bundle")
}

/// The deployment with the order and the places that the bundle's code has, which the plan's verifier accepts.
fn as_bundled(file: &GraphFile, target: &Target, deployment: Deployment) -> Result<Deployment, String> {
    let mut program =
        kernel::lower_with(&file.graph, target.isa, &file.choice).map_err(|error| error.to_string())?;
    let problem = estimate::problem(&program);
    let placed = &file.plan.buffers;
    let fits = |(buffer, placed): (&kernel::Buffer, &PlacedBuffer)| {
        (&buffer.name, buffer.bytes()) == (&placed.name, placed.bytes)
    };
    if program.buffers.len() != placed.len() || !program.buffers.iter().zip(placed).all(fits) {
        return Err("its plan is for other buffers than this nasc's kernels have".into());
    }
    let mut left: Vec<usize> = (0..program.steps.len()).collect();
    let mut order = Vec::with_capacity(left.len());
    for &node in &file.plan.order {
        let at = left.iter().position(|&step| program.steps[step].node == node);
        order.push(left.remove(at.ok_or("its plan runs a step that its graph has not")?));
    }
    let scratch =
        file.raw.as_ref().map_or(0, |raw| emit::front_end_cost(&raw.front_end, 1, target.isa).scratch_bytes);
    // Where the front end's scratch decides, the buffers end before the arena does.
    let end = placed.iter().map(|buffer| buffer.offset + buffer.bytes).max().unwrap_or(0);
    let arena_bytes = if file.plan.arena_bytes == scratch { end } else { file.plan.arena_bytes };
    let mut certificate = deployment.plan.certificate;
    certificate.optimal = certificate.lower_bound == arena_bytes;
    certificate.proof = if certificate.optimal { plan::Proof::Bound } else { plan::Proof::Open };
    let offsets = placed.iter().map(|buffer| buffer.offset).collect();
    let mut plan = plan::Plan { order, offsets, arena_bytes, certificate };
    plan::verify(&problem, &plan).map_err(|error| format!("its memory plan is wrong: {error}"))?;
    plan.make_room(scratch);
    if plan.arena_bytes != file.plan.arena_bytes {
        return Err(format!("its arena is smaller than the {scratch} B that its front end needs"));
    }
    program.steps = plan.order.iter().map(|&step| program.steps[step].clone()).collect();
    Ok(Deployment { program, plan, problem, ..deployment })
}

/// Evaluator, interpreter, host code of the target's program, and the kernels that accuracy is measured with.
fn host_side(check: &mut Check<'_>, file: &GraphFile, deployment: &Deployment) -> Result<(), Failure> {
    let golden = check.golden;
    check.progress.stage("running the evaluator", 0);
    let bug = |error: String| Failure::from(Diagnostic::error(Code::MISMATCH, error));
    let evaluated: Result<Vec<_>, _> =
        golden.inputs.iter().map(|input| reference(&file.graph, input)).collect();
    check.outputs("evaluator", &evaluated.map_err(bug)?)?;
    check.progress.stage("running the interpreter", 0);
    check.outputs("interpreter", &interpreted(file, deployment, golden).map_err(bug)?)?;
    check.progress.stage("running host code", 0);
    check.outputs("host code", &compiled(file, deployment, golden).map_err(bug)?)?;
    check.progress.stage("running host kernels", 0);
    let network = HostNetwork::new(&file.graph).map_err(|error| bug(format!("no host code: {error}")))?;
    let mut memory = network.memory();
    let run = |input: &Vec<i8>| network.run(&mut memory, &apart(&file.interface, input));
    let scored: Result<Vec<_>, _> = golden.inputs.iter().map(run).collect();
    let scored = scored.map_err(|error| bug(error.to_string()))?;
    check.outputs("host kernels", &scored.iter().map(|outputs| outputs.concat()).collect::<Vec<_>>())?;
    Ok(())
}

/// The bytes of each input of all, which follow each other.
fn apart<'i>(interface: &Interface, mut input: &'i [i8]) -> Vec<&'i [i8]> {
    if interface.inputs.is_empty() {
        return vec![input];
    }
    let mut each = Vec::new();
    for &elements in &interface.inputs {
        let size = elements.saturating_mul(interface.input_element_bytes);
        let (own, rest) = input.split_at(size.min(input.len()));
        each.push(own);
        input = rest;
    }
    each
}

/// The target's program as host code.
fn compiled(file: &GraphFile, deployment: &Deployment, golden: &GoldenSet) -> Result<Vec<Vec<i8>>, String> {
    let (program, plan) = (&deployment.program, &deployment.plan);
    let jit = Jit::compile(program, &plan.offsets, plan.arena_bytes).map_err(|error| error.to_string())?;
    let mut arena = jit.arena();
    let mut run = |input: &Vec<i8>| -> Result<Vec<i8>, String> {
        let bytes = |input: &[i8]| -> Vec<u8> { input.iter().map(|&x| x as u8).collect() };
        let inputs: Vec<Vec<u8>> = apart(&file.interface, input).into_iter().map(bytes).collect();
        let inputs: Vec<&[u8]> = inputs.iter().map(Vec::as_slice).collect();
        let outputs = jit.run(&mut arena, &inputs).map_err(|error| error.to_string())?;
        Ok(outputs.concat().into_iter().map(|x| x as i8).collect())
    };
    golden.inputs.iter().map(&mut run).collect()
}

fn interpreted(
    file: &GraphFile,
    deployment: &Deployment,
    golden: &GoldenSet,
) -> Result<Vec<Vec<i8>>, String> {
    let (program, plan) = (&deployment.program, &deployment.plan);
    let machine = kernel::Interpreter::new(program).map_err(|error| error.to_string())?;
    let placement = kernel::Placement { offsets: plan.offsets.clone() };
    golden
        .inputs
        .iter()
        .map(|input| {
            let values = values(&file.graph, input)?;
            together(&machine.run(&placement, &values).map_err(|trap| trap.to_string())?)
        })
        .collect()
}

/// The bundle's C on this machine, by each compiler there is; one at least for a target without an emulator.
fn native(check: &mut Check<'_>, bundle: &Bundle, file: &GraphFile, target: &Target) -> Result<(), Failure> {
    let compilers: Vec<&str> =
        ["gcc", "clang"].into_iter().filter(|compiler| device::find(compiler).is_some()).collect();
    let compilers = if compilers.is_empty() && target.toolchain.is_none() { vec!["cc"] } else { compilers };
    for program in compilers {
        let compiler = HostCompiler { program: program.to_owned(), ..HostCompiler::default() };
        let golden = check.golden;
        check.progress.stage(&format!("running C by {program}"), 0);
        let mut outputs = Vec::new();
        if !golden.raw.is_empty() {
            let raw = Samples::Raw(&golden.raw);
            outputs.extend(device::run_host(bundle, &file.interface, raw, &compiler, LIMIT)?);
        }
        if !golden.others().is_empty() {
            let others = Samples::Int8(golden.others());
            outputs.extend(device::run_host(bundle, &file.interface, others, &compiler, LIMIT)?);
        }
        check.outputs(&format!("C by {program}"), &outputs)?;
        device::self_test_host(bundle, &file.interface, &compiler, LIMIT)?;
    }
    Ok(())
}

/// The bundle's C on the emulated board. What is measured is the run from raw values on, where it takes any.
fn on_board(
    check: &mut Check<'_>,
    bundle: &Bundle,
    file: &GraphFile,
    toolchain: &Toolchain,
) -> Result<Measured, Failure> {
    let golden = check.golden;
    let (raw, others) = golden.outputs.split_at(golden.raw.len());
    let samples = if raw.is_empty() { Samples::Int8(&golden.inputs) } else { Samples::Raw(&golden.raw) };
    let wanted = if raw.is_empty() { others } else { raw };
    let run = device::run_board(bundle, &file.interface, samples, wanted, toolchain, LIMIT)?;
    let (mut outputs, mut measured) = (run.outputs, run.measured);
    if !raw.is_empty() && !others.is_empty() {
        let samples = Samples::Int8(golden.others());
        let run = device::run_board(bundle, &file.interface, samples, others, toolchain, LIMIT)?;
        outputs.extend(run.outputs);
        measured.device.samples += run.measured.device.samples;
        measured.device.mismatched_bytes += run.measured.device.mismatched_bytes;
    }
    check.outputs(&format!("C on {}", measured.device.core), &outputs)?;
    Ok(measured)
}

/// Predicted against linked bytes: RAM and tables must be equal.
fn sizes(report: &Report, folder: &Path, file: &GraphFile, measured: &Measured) -> Result<Sizes, Failure> {
    let memory = report.targets.first().map(|target| &target.memory);
    let memory = memory.ok_or_else(|| damaged(folder, "`report.json` has no target"))?;
    let device = &measured.device;
    let sizes = Sizes {
        ram_predicted: memory.ram_bytes,
        ram_linked: device.ram_bytes(file.plan.arena_bytes),
        weights_predicted: memory.weights_bytes,
        weights_linked: device.weights_bytes_linked,
        code_bound: memory.code_bytes,
        code_linked: device.flash_bytes().saturating_sub(device.weights_bytes_linked),
    };
    for (what, predicted, linked) in [
        ("RAM", sizes.ram_predicted, sizes.ram_linked),
        ("tables", sizes.weights_predicted, sizes.weights_linked),
    ] {
        if predicted != linked {
            let message = format!("{what}: {predicted} B were predicted, the linked image has {linked} B");
            return Err(Diagnostic::error(Code::MISMATCH, message)
                .help("please report this with the bundle")
                .into());
        }
    }
    Ok(sizes)
}
