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

/// Models of blocks that no small network of the spaces has: gates, concatenations, larger maps, borders.
const BLOCKS: [(&str, &str); 3] = [
    (
        "gated",
        r"use std/blocks { mbconv_se }
model gated(input: (16, 14, 3), classes: 4) {
  conv2d(filters: 16, kernel: 3, stride: 2, norm: batch, act: hswish)
  mbconv_se(out: 16, expand: 3)
  mbconv_se(out: 24, kernel: 5, stride: 2, act: relu6)
  conv2d(filters: 32, kernel: 1, act: hsigmoid)
  global_avg_pool
  dense(units: 20, act: hswish)
  dense(units: classes, act: sigmoid)
}
",
    ),
    (
        "joined",
        r"use std/blocks { inception, fire, dense_block }
model joined(input: (15, 15, 4), classes: 5) {
  inception(one: 4, three_in: 3, three: 6, five_in: 2, five: 3, pool: 5)
  max_pool(size: 2)
  fire(squeeze: 4, expand: 6)
  dense_block(layers: 3, growth: 4)
  upsample(factor: 2)
  avg_pool(size: 3, stride: 2, padding: same)
  global_avg_pool
  dense(units: classes)
}
",
    ),
    (
        "plain",
        r"model plain(input: (30, 6), classes: 3) {
  conv1d(filters: 8, kernel: 5, stride: 2, norm: batch, act: relu)
  residual {
    conv1d(filters: 8, kernel: 3, norm: batch, act: relu)
    conv1d(filters: 8, kernel: 3, norm: batch)
  }
  flatten
  dense(units: 16, act: relu)
  dense(units: classes)
}
",
    ),
];

/// A spec around a model.
fn spec_of(model: &str) -> String {
    format!(
        "nas 1\n{model}data {{ source: ts(train: \"a.ts\", test: \"b.ts\"), split: holdout(val: 20 %) }}\n\
         train {{ optimizer: adamw(lr: 1e-3), epochs: 1, batch: 8 }}\nsearch {{ strategy: random, trials: 1 }}\n\
         maximize accuracy\n"
    )
}

fn space(name: &str, path: &Path) -> Space {
    space_of(name, &fs::read_to_string(path).expect("a spec"), path.parent().expect("a folder"))
}

fn space_of(name: &str, text: &str, folder: &Path) -> Space {
    let mut sources = SourceMap::new();
    let file = sources.add(name, text);
    let beside = Beside(folder);
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

/// Writes some networks of a space and reads them again; how many, and how many of them LiteRT computes otherwise for
/// some sums.
fn written(name: &str, space: &Space) -> [u64; 2] {
    let (mut written, mut beside) = (0, 0);
    for seed in 0..DRAWN {
        let point = sample(space, &mut ChaCha8Rng::seed_from_u64(seed));
        let Ok(graph) = instantiate(space, &point) else { continue };
        if graph.macs().0 > MAX_MACS {
            continue;
        }
        let graph = integer(&graph, &mut Dice(seed));
        let name = format!("{name}_{seed}");
        let exported = export(&graph, &name).unwrap_or_else(|refusals| panic!("{name}: {refusals:#?}"));
        exported.beside.iter().for_each(|layer| println!("{name}: {layer:?}"));
        beside += u64::from(!exported.beside.is_empty());
        assert!(round_trip(&name, &graph, &exported, seed), "{name}");
        written += 1;
        if written == NETWORKS {
            break;
        }
    }
    [written, beside]
}

#[test]
fn networks_of_the_spaces_are_written_and_read_again() {
    let (mut networks, mut beside) = (0, 0);
    for (name, path) in specs() {
        let [more, some] = written(&name, &space(&name, &path));
        if more == 0 {
            println!("{name}: no network of at most {MAX_MACS} multiply-accumulates was drawn");
        }
        (networks, beside) = (networks + more, beside + some);
    }
    println!("{networks} networks, {beside} with sums beside ties");
    assert!(networks >= 16, "{networks}");
}

#[test]
fn networks_of_blocks_are_written_and_read_again() {
    for (name, model) in BLOCKS {
        let [networks, _] = written(name, &space_of(name, &spec_of(model), Path::new(".")));
        assert_eq!(networks, NETWORKS, "{name}");
    }
}
