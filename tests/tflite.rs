//! Models of TensorFlow Lite: every back end gives the bytes of LiteRT's reference kernels, and bytes that are no model
//! give an error.
//!
//! The models in `tests/models/` were made by `tests/models/make.py`, which describes them; `NASC_MODELS` names a folder
//! with more of their kind.

#![allow(clippy::disallowed_methods, reason = "the environment names a folder with more models")]
#![expect(clippy::print_stdout, reason = "how many networks there were is said")]

#[path = "tflite/export.rs"]
mod export;
#[allow(dead_code, reason = "other tests use the rest")]
#[path = "differential/network.rs"]
mod network;
#[allow(dead_code, reason = "benches use the rest")]
#[path = "benches/networks/mod.rs"]
mod networks;
#[path = "differential/others.rs"]
mod others;
#[path = "tflite/plain.rs"]
mod plain;
#[path = "tflite/spaces.rs"]
mod spaces;

use std::path::{Path, PathBuf};

use nasc::emit::jit::Jit;
use nasc::estimate::{FrontEndCost, deploy};
use nasc::graph::{NodeId, Weights};
use nasc::host::HostNetwork;
use nasc::kernel::{Interpreter, Placement, lower};
use nasc::plan::Effort;
use nasc::target::{Isa, Target};
use nasc::tensor::{TensorType, Value};
use nasc::tflite::{Imported, Model, import};
use serde::Deserialize;

/// What LiteRT made of some inputs: for each sample, for each tensor, its elements.
#[derive(Deserialize)]
struct Samples {
    inputs: Vec<Vec<Vec<f32>>>,
    outputs: Vec<Vec<Vec<f32>>>,
}

/// Inputs in the graph's integers, outputs in the file's own elements.
struct Sample {
    inputs: Vec<Vec<i32>>,
    outputs: Vec<Vec<f32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn target() -> Target {
    nasc::elaborate::stdlib_targets().remove("cortex-m4").expect("a target of the library")
}

/// Samples that every way runs; host kernels run those behind them too.
const EVERYWHERE: usize = 20;

/// Checks evaluator, interpreter, host code and host kernels on samples in the graph's integers. What cannot be lowered
/// is an error.
fn agree(name: &str, imported: &Imported, samples: &[Sample]) -> Result<(), String> {
    let graph = &imported.graph;
    graph.verify().expect("it verifies");
    let deployment = deploy(graph, &target(), FrontEndCost::default(), Effort::Final)?;
    let (program, plan) = (&deployment.program, &deployment.plan);
    let interpreter = Interpreter::new(program).expect("it verifies");
    let placement = Placement { offsets: plan.offsets.clone() };
    let jit = Jit::compile(program, &plan.offsets, plan.arena_bytes).expect("host code");
    let mut arena = jit.arena();
    let host = HostNetwork::new(graph).expect("host kernels");
    let mut memory = host.memory();
    let meaning = |outputs: Vec<Vec<i32>>| -> Vec<Vec<f32>> {
        imported.outputs.iter().zip(outputs).map(|(port, output)| port.from_graph(&output)).collect()
    };
    let of_values = |values: Vec<Value>| meaning(values.iter().filter_map(Value::to_i32_vec).collect());
    for (at, Sample { inputs, outputs: wanted }) in samples.iter().enumerate() {
        let value = |(node, input): (NodeId, &Vec<i32>)| {
            let TensorType { dtype, shape, .. } = graph.ty(node);
            Value::from_i32_vec(*dtype, shape, input).expect("as many")
        };
        let values: Vec<Value> = graph.network_inputs().into_iter().zip(inputs).map(value).collect();
        let raw: Vec<Vec<u8>> = values.iter().map(Value::to_le_bytes).collect();
        let signed: Vec<Vec<i8>> =
            raw.iter().map(|bytes| bytes.iter().map(|&byte| byte as i8).collect()).collect();
        let slices: Vec<&[i8]> = signed.iter().map(Vec::as_slice).collect();
        let read = |outputs: Vec<Vec<u8>>| -> Vec<Vec<f32>> {
            let value = |(&node, bytes): (&NodeId, Vec<u8>)| {
                let TensorType { dtype, shape, .. } = graph.ty(node);
                Value::from_le_bytes(*dtype, shape, &bytes).expect("as many")
            };
            of_values(graph.outputs().iter().zip(outputs).map(value).collect())
        };
        let ran = host.run(&mut memory, &slices).expect("inputs of the right size");
        let ran = ran.into_iter().map(|output| output.into_iter().map(|x| x as u8).collect()).collect();
        assert_eq!(read(ran), *wanted, "{name}, sample {at}: host kernels");
        if at >= EVERYWHERE {
            continue;
        }
        let evaluated = graph.evaluate(&values, &Weights::new()).expect("it evaluates");
        assert_eq!(of_values(evaluated), *wanted, "{name}, sample {at}: evaluator");
        let interpreted = interpreter.run(&placement, &values).expect("it runs");
        assert_eq!(of_values(interpreted), *wanted, "{name}, sample {at}: interpreter");
        let raw: Vec<&[u8]> = raw.iter().map(Vec::as_slice).collect();
        let ran = jit.run(&mut arena, &raw).expect("inputs of the right size");
        assert_eq!(read(ran), *wanted, "{name}, sample {at}: host code");
    }
    Ok(())
}

/// Samples in the graph's integers.
fn integers(imported: &Imported, elements: &[Vec<f32>]) -> Vec<Vec<i32>> {
    let of = |(port, elements): (&nasc::tflite::Port, &Vec<f32>)| port.to_graph(elements);
    imported.inputs.iter().zip(elements).map(of).collect()
}

#[test]
fn models_give_the_bytes_of_litert() {
    let refused = in_folder(&folder());
    assert!(refused.is_empty(), "{refused:#?}");
    if let Some(more) = std::env::var_os("NASC_MODELS") {
        let refused = in_folder(Path::new(&more));
        println!("{} of the models more are refused: {refused:#?}", refused.len());
    }
}

/// The models of a folder, in order.
fn models(folder: &Path) -> Vec<PathBuf> {
    let files = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    let mut models: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "tflite")).collect();
    models.sort();
    assert!(models.len() >= 3, "{} lost its models", folder.display());
    models
}

/// Checks the models of a folder; those that are refused, with the reason.
fn in_folder(folder: &Path) -> Vec<String> {
    let mut refused = Vec::new();
    for model in models(folder) {
        let name = model.file_stem().expect("a name").to_string_lossy();
        let bytes = read(&model);
        let imported = match import(&Model::read(&bytes).expect("a model")) {
            Ok(imported) => imported,
            Err(refusals) => {
                refused.push(format!("{name}: {}", refusals[0]));
                continue;
            }
        };
        let samples: Samples = serde_json::from_slice(&read(&model.with_extension("json"))).expect("samples");
        assert!(samples.inputs.len() >= 10, "{name} lost its samples");
        let samples: Vec<_> = samples
            .inputs
            .iter()
            .zip(samples.outputs)
            .map(|(inputs, outputs)| Sample { inputs: integers(&imported, inputs), outputs })
            .collect();
        if let Err(why) = agree(&name, &imported, &samples) {
            refused.push(format!("{name}: {why}"));
        }
    }
    refused
}

/// Numbers that follow from one another.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

/// `NASC_MUTANTS=10000000 cargo test --release --test tflite damaged` tries as many.
#[test]
fn damaged_models_give_errors() {
    let mutants: usize = std::env::var("NASC_MUTANTS").map_or(3_000, |text| text.parse().expect("a number"));
    let models: Vec<Vec<u8>> = models(&folder()).iter().map(|path| read(path)).collect();
    let mut dice = Dice(1);
    let (mut broken, mut refused, mut taken) = (0, 0, 0);
    for _ in 0..mutants {
        let mut bytes = models[dice.below(models.len())].clone();
        for _ in 0..1 + dice.below(4) {
            let at = dice.below(bytes.len());
            match dice.below(6) {
                0 => bytes.truncate(at.max(8)),
                1 => bytes[at] = dice.below(256) as u8,
                2 => bytes[at] ^= 1 << dice.below(8),
                3 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][dice.below(5)],
                _ => {
                    // Offsets, extents and counts are words.
                    let word = [0, 1, -1, i32::MAX, i32::MIN, dice.below(1 << 16) as i32][dice.below(6)];
                    let at = at / 4 * 4;
                    let end = bytes.len().min(at + 4);
                    bytes[at..end].copy_from_slice(&word.to_le_bytes()[..end - at]);
                }
            }
        }
        match Model::read(&bytes) {
            Err(_) => broken += 1,
            Ok(model) => match import(&model) {
                Err(refusals) => {
                    assert!(!refusals.is_empty());
                    refused += 1;
                }
                Ok(imported) => {
                    imported.graph.verify().expect("what is taken over verifies");
                    let elements = |&node: &NodeId| imported.graph.ty(node).shape.elements();
                    if taken % 64 == 0 && imported.graph.order().iter().all(|node| elements(node) < 1 << 16) {
                        // Scales may be such that sums would overflow, which is an error too.
                        let _ = lower(&imported.graph, Isa::Armv7em);
                    }
                    taken += 1;
                }
            },
        }
    }
    assert!(broken > 0 && refused > 0 && taken > 0, "{broken} broken, {refused} refused, {taken} taken over");
}
