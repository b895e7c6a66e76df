//! Networks of the standard library's spaces and of the examples, quantized with random weights.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nasc::diagnostic::{Style, render};
use nasc::elaborate::{self, Options};
use nasc::graph::{Graph, Weights};
use nasc::ops::{Op, ParamRole};
use nasc::pipeline::Passes;
use nasc::plan::Effort;
use nasc::source::SourceMap;
use nasc::space::{Space, instantiate, sample};
use nasc::tensor::Value;
use nasc::tflite::export;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::export::round_trip;
use crate::network::Dice;

/// Networks with more work are left out: the evaluator would take too long.
const MAX_MACS: u64 = 20_000_000;
/// Networks of each space.
const NETWORKS: u64 = 2;
/// Points of a space that are drawn for them.
const DRAWN: u64 = 40;

/// Specs by name.
fn specs() -> BTreeMap<String, PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = |folder: &Path| -> Vec<PathBuf> {
        fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect()
    };
    let examples = list(&root.join("examples")).into_iter().filter(|path| path.is_dir());
    let files = examples.flat_map(|folder| list(&folder)).chain(list(&root.join("stdlib/spaces")));
    let specs = files.filter(|path| path.extension().is_some_and(|extension| extension == "nas"));
    let named = |path: PathBuf| {
        let parts = [path.parent().and_then(Path::file_name), path.file_stem()];
        let parts = parts.map(|part| part.unwrap_or_default().to_string_lossy().into_owned());
        (parts.join("_"), path)
    };
    specs.map(named).collect()
}

/// The files beside a spec.
struct Beside<'a>(&'a Path);

impl elaborate::Files for Beside<'_> {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|error| error.to_string())
    }
}

fn space(name: &str, path: &Path) -> Space {
    let mut sources = SourceMap::new();
    let file = sources.add(name, fs::read_to_string(path).expect("a spec"));
    let beside = Beside(path.parent().expect("a folder"));
    let options = Options { files: &beside, params: BTreeMap::new() };
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &options);
    let told = render(&diagnostics, &sources, Style::Plain);
    program.unwrap_or_else(|| panic!("{name} is wrong:\n{told}")).space
}

/// Parameters as training might leave them.
fn weights(graph: &Graph, dice: &mut Dice) -> Weights {
    let mut real = || dice.below(20_001) as f32 / 10_000.0 - 1.0;
    let mut weights = Weights::new();
    for node in graph.order() {
        let Op::Param(param) = &graph.node(node).op else { continue };
        let size = (3.0 / param.fan_in.max(1) as f32).sqrt();
        let mut one = || match param.role {
            ParamRole::Weight => real() * size * 1.4,
            ParamRole::Bias | ParamRole::Beta | ParamRole::Mean => real() * 0.3,
            ParamRole::NoBias => 0.0,
            ParamRole::Gamma | ParamRole::Variance => 1.0 + 0.4 * real(),
        };
        let elements = (0..param.ty.shape.elements()).map(|_| one()).collect();
        weights.insert(param.name.clone(), Value::from_f32(&param.ty.shape, elements).expect("as many"));
    }
    weights
}

/// The integer graph of a training graph with random weights, calibrated on random inputs.
fn integer(graph: &Graph, dice: &mut Dice) -> Graph {
    let weights = weights(graph, dice);
    let mut shape = graph.ty(graph.network_inputs()[0]).shape.clone();
    shape.0[0] = 3;
    let inputs = (0..shape.elements()).map(|_| (dice.below(20_001) as f32 / 10_000.0 - 1.0) * 1.7).collect();
    let samples = Value::from_f32(&shape, inputs).expect("as many");
    Passes { effort: Effort::Search }.quantized(graph, &weights, &samples).expect("finite")
}

#[test]
fn networks_of_the_spaces_are_written_and_read_again() {
    let (mut written, mut beside) = (0, 0);
    for (name, path) in specs() {
        let space = space(&name, &path);
        let mut found = 0;
        for seed in 0..DRAWN {
            if found == NETWORKS {
                break;
            }
            let point = sample(&space, &mut ChaCha8Rng::seed_from_u64(seed));
            let Ok(graph) = instantiate(&space, &point) else { continue };
            if graph.macs().0 > MAX_MACS {
                continue;
            }
            let graph = integer(&graph, &mut Dice(seed));
            let name = format!("{name}_{seed}");
            let exported = export(&graph, &name).unwrap_or_else(|refusals| panic!("{name}: {refusals:#?}"));
            for layer in &exported.beside {
                println!("{name}: {layer:?}");
            }
            found += 1;
            written += 1;
            beside += u64::from(!exported.beside.is_empty());
            assert!(round_trip(&name, &graph, &exported, seed), "{name}");
        }
        if found == 0 {
            println!("{name}: no network of at most {MAX_MACS} multiply-accumulates was drawn");
        }
    }
    println!("{written} networks, {beside} with sums beside ties");
    assert!(written >= 16, "{written}");
}
