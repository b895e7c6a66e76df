//! `nasc compile model.tflite`: bundles of a model.

use std::path::{Path, PathBuf};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

use super::{ModelFile, deployed, limits, read, target};
use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::stdlib_targets;
use crate::emit::{self, Border, Borders};
use crate::estimate::{Deployment, FrontEndCost};
use crate::graph::{Graph, NodeId};
use crate::pipeline::Failure;
use crate::pipeline::bundle::{Content, Emitted, costs_on, rewrite};
use crate::pipeline::compile::{Compiled, Environment, Written, folder_of, write_bundle};
use crate::pipeline::files::Files;
use crate::pipeline::golden::GoldenSet;
use crate::pipeline::passes::{Passes, Stage};
use crate::plan::Effort;
use crate::report::{Provenance, SearchReport, bytes_text};
use crate::source::SourceMap;
use crate::target::Target;
use crate::tensor::{DType, TensorType};
use crate::tflite::{Element, Port};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct ModelOptions {
    /// Targets by name; at least one.
    pub targets: Vec<String>,
    /// Folder of the bundle; `build/<name>/<target>` if `None`.
    pub out: Option<PathBuf>,
    /// Name of the bundle instead of the file's.
    pub name: Option<String>,
    /// Leave out the functions between what the model takes and gives, and the network's integers.
    pub strip_borders: bool,
}

/// Bytes that code between real numbers, or integers without a sign, and the network's takes at most, for each input and
/// output. What a core without floats calls for them is the compiler's.
const BORDER_CODE: [(Border, [u64; 2]); 2] = [(Border::F32, [240, 80]), (Border::U8, [40, 40])];

/// Compiles a model for targets: there is nothing to search, so each run is the same.
///
/// # Errors
/// E1001 for a file that is no model, E1002 for each thing that cannot be taken over, E0601 for unknown targets, E0910 for
/// a name that is none in C, E0901 where it does not fit, E0904 where a file cannot be written.
pub fn compile_model(
    path: &Path,
    options: &ModelOptions,
    env: &Environment<'_>,
) -> Result<Compiled, Failure> {
    let targets = targets_of(options)?;
    let name = options.name.clone().unwrap_or_else(|| name_of(path));
    emit::check_name(&name)?;
    env.progress.stage("reading", 0);
    let model = read(path, env.files)?;
    let mut bundles = Vec::new();
    for target in &targets {
        env.progress.stage(&format!("writing the bundle for {}", target.name), 0);
        let emitted = emitted(&model, (&name, target), options)?;
        let folder = folder_of(options.out.as_deref(), &name, target, targets.len());
        write_bundle(env.files, &folder, &emitted.bundle)?;
        bundles.push(Written { folder, emitted });
    }
    let (warnings, sources) = (Diagnostics::default(), SourceMap::default());
    Ok(Compiled { bundles, searched: false, archive: None, warnings, sources })
}

/// The text of a stage of a model: what `--emit ir:after=STAGE` shows.
///
/// # Errors
/// As [`compile_model`]; E0204 for a stage that only specs have.
pub fn model_stage_text(
    files: &dyn Files,
    path: &Path,
    options: &ModelOptions,
    stage: Stage,
) -> Result<String, Failure> {
    let targets = targets_of(options)?;
    let graph = read(path, files)?.imported.graph;
    let passes = Passes { effort: Effort::Final };
    let deployed =
        || deployed(&graph, &targets[0], FrontEndCost::default()).map(|(_, deployment)| deployment);
    Ok(match stage {
        Stage::Quantize => graph.to_text_with_labels(),
        Stage::RewriteInteger => passes.integer_text(&graph, &[(&targets[0], limits(&targets[0]))]),
        Stage::Kernel => deployed()?.program.to_text(),
        Stage::Plan => {
            let deployment = deployed()?;
            deployment.plan.to_text(&deployment.problem)
        }
        Stage::Elaborate | Stage::Instantiate | Stage::RewriteFloat => {
            return Err(Diagnostic::error(Code::NOT_ALLOWED, "a model has no such stage")
                .help("it has quantize, rewrite-integer, kernel and plan")
                .into());
        }
    })
}

/// The targets that are asked for.
fn targets_of(options: &ModelOptions) -> Result<Vec<Target>, Diagnostic> {
    let known = stdlib_targets();
    if options.targets.is_empty() {
        let message = "a model names no target, and none was given";
        let help = "add `--target NAME`, such as `--target cortex-m4`; `nasc targets` lists those known";
        return Err(Diagnostic::error(Code::UNKNOWN_TARGET, message).help(help));
    }
    options.targets.iter().map(|name| target(&known, name).cloned()).collect()
}

/// The file's name as one in C.
fn name_of(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name: String =
        stem.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '_' }).take(48).collect();
    if emit::check_name(&name).is_ok() {
        return name;
    }
    format!("model_{name}").chars().take(48).collect()
}

/// The bundle of a model for a target.
fn emitted(
    model: &ModelFile,
    (name, target): (&str, &Target),
    options: &ModelOptions,
) -> Result<Emitted, Diagnostic> {
    let imported = &model.imported;
    let [inputs, outputs] = match options.strip_borders {
        true => [Vec::new(), Vec::new()],
        false => [&imported.inputs, &imported.outputs].map(|ports| borders(ports)),
    };
    let borders = Borders { inputs: &inputs, outputs: &outputs };
    alike(&model.name, &imported.graph)?;
    let (graph, deployment) = deployed(&imported.graph, target, cost(borders))?;
    must_fit(&model.name, target, &deployment)?;
    let golden = GoldenSet::of_inputs(&graph, samples(&graph))
        .map_err(|error| Diagnostic::error(Code::MODEL_OPERATOR, error))?;
    let content = Content { graph: &graph, raw: None, golden: &golden, classes: &[], readings: &[], borders };
    let mut on_target = costs_on(target, &graph, &deployment, None);
    let explanations =
        Passes { effort: Effort::Final }.integer_explanations(&imported.graph, &[(target, limits(target))]);
    on_target.rewrites = explanations.into_iter().map(|one| rewrite("rewrite-integer", one)).collect();
    let provenance = Provenance {
        nasc: env!("CARGO_PKG_VERSION").to_owned(),
        model: Some(model.hash.clone()),
        weights: content.weights_hash(),
        ..Provenance::default()
    };
    Ok(content.emit((name, target), deployment, (on_target, SearchReport::default(), provenance)))
}

/// Refuses inputs, or outputs, of 8 and of 16 bits side by side, which the interface of a bundle cannot tell apart.
fn alike(name: &str, graph: &Graph) -> Result<(), Diagnostic> {
    let is_alike =
        |nodes: &[NodeId]| nodes.windows(2).all(|pair| graph.ty(pair[0]).dtype == graph.ty(pair[1]).dtype);
    for (nodes, what) in [(graph.network_inputs().as_slice(), "inputs"), (graph.outputs(), "outputs")] {
        if !is_alike(nodes) {
            let message =
                format!("`{name}` has {what} of 8 bits and of 16, and a bundle has one kind of them");
            let help =
                "convert the model so that all of its inputs and outputs have one type, float32 included";
            return Err(Diagnostic::error(Code::MODEL_OPERATOR, message).help(help));
        }
    }
    Ok(())
}

/// What lies between each port of a model and the network.
fn borders(ports: &[Port]) -> Vec<Option<Border>> {
    let border = |port: &Port| match port.element {
        Element::Known(DType::F32) => Some(Border::F32),
        Element::U8 => Some(Border::U8),
        Element::Known(_) | Element::I64 | Element::Other(_) => None,
    };
    ports.iter().map(border).collect()
}

/// What the functions of borders cost.
fn cost(borders: Borders<'_>) -> FrontEndCost {
    let code = |border: &Option<Border>, side: usize| {
        let known = BORDER_CODE.iter().find(|(known, _)| Some(*known) == *border);
        known.map_or(0, |(_, bytes)| bytes[side])
    };
    let inputs: u64 = borders.inputs.iter().map(|border| code(border, 0)).sum();
    let outputs: u64 = borders.outputs.iter().map(|border| code(border, 1)).sum();
    FrontEndCost { code_bytes: inputs + outputs, ..FrontEndCost::default() }
}

fn must_fit(name: &str, target: &Target, deployment: &Deployment) -> Result<(), Diagnostic> {
    let (estimate, limits) = (&deployment.estimate, limits(target));
    if limits.hold(estimate) {
        return Ok(());
    }
    let over =
        [("RAM", estimate.ram_bytes, limits.ram_bytes), ("flash", estimate.flash_bytes, limits.flash_bytes)];
    let over: Vec<String> = over
        .into_iter()
        .filter(|&(_, needs, has)| needs as f64 > has)
        .map(|(what, needs, has)| format!("{} of {what} of {}", bytes_text(needs), bytes_text(has as u64)))
        .collect();
    let message = format!("`{name}` does not fit `{}`: it needs {}", target.name, over.join(" and "));
    Err(Diagnostic::error(Code::NO_FIT, message).help(
        "`nasc import` says what it needs on other targets; a smaller network can be searched for with a spec",
    ))
}

/// Multiply-accumulates of all samples together, about.
const WORK: u64 = 300_000_000;
/// Fewest and most samples.
const SAMPLES: [usize; 2] = [16, 200];
/// Bytes of all samples together, about.
const BYTES: usize = 1 << 20;

/// Inputs that a bundle is verified with: zero, both ends, what is near to zero, and all values alike.
fn samples(graph: &Graph) -> Vec<Vec<i8>> {
    let inputs = graph.network_inputs();
    let types: Vec<&TensorType> = inputs.iter().map(|&node| graph.ty(node)).collect();
    let bytes: usize = types.iter().map(|ty| ty.shape.elements() * ty.dtype.size()).sum();
    let by_work = WORK / graph.macs().0.max(1);
    let count = usize::try_from(by_work).unwrap_or(usize::MAX).min(BYTES / bytes.max(1));
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut element = |sample: usize, ty: &TensorType| -> i32 {
        let zero = ty.quant.as_ref().map_or(0, |quant| quant.zero_point);
        let (low, high) = ty.dtype.range().unwrap_or_default();
        match sample {
            0 => zero,
            1 => low,
            2 => high,
            3 | 4 => (zero + (rng.next_u32() % 33) as i32 - 16).clamp(low, high),
            _ if ty.dtype == DType::I16 => (rng.next_u32() as i16).into(),
            _ => (rng.next_u32() as i8).into(),
        }
    };
    let mut sample = |number: usize| -> Vec<i8> {
        let mut bytes = Vec::new();
        for ty in &types {
            let mut of_element = || element(number, ty).to_le_bytes();
            let size = ty.dtype.size();
            let elements = (0..ty.shape.elements()).map(|_| of_element());
            bytes.extend(elements.flat_map(|element| element.into_iter().take(size)).map(|byte| byte as i8));
        }
        bytes
    };
    (0..count.clamp(SAMPLES[0], SAMPLES[1])).map(&mut sample).collect()
}
