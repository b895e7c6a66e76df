//! `nasc import`: what a model of TensorFlow Lite is, and what it costs on targets.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::elaborate::stdlib_targets;
use crate::estimate::{FrontEndCost, Limits};
use crate::pipeline::Failure;
use crate::pipeline::files::{self, Files};
use crate::pipeline::passes::Passes;
use crate::plan::Effort;
use crate::target::Target;
use crate::tensor::Bytes;
use crate::tflite::{self, Imported, Model, Port, Refusal};

/// An input or output of a model.
#[derive(Clone, Debug, Serialize)]
pub struct PortSummary {
    /// The tensor's name.
    pub name: String,
    /// What its elements are in the file.
    pub element: String,
    /// Extents.
    pub shape: Vec<usize>,
    /// Scale of the integers.
    pub scale: f32,
    /// Zero point of the integers.
    pub zero_point: i32,
    /// The operator between it and the network, which is left to the program around it.
    pub border: Option<String>,
}

/// What a model costs on a target.
#[derive(Clone, Debug, Serialize)]
pub struct ImportedCost {
    /// The target's name.
    pub target: String,
    /// RAM of the linked bundle without stack.
    pub ram_bytes: u64,
    /// Flash of the bundle, a bound.
    pub flash_bytes: u64,
    /// Bytes of weights and tables.
    pub weights_bytes: u64,
    /// Estimated clock cycles of one inference.
    pub cycles: u64,
    /// Estimated seconds of one inference.
    pub latency_seconds: f64,
    /// Whether it is within what the target has of RAM and flash.
    pub fits: bool,
}

/// A model that was taken over.
#[derive(Clone, Debug, Serialize)]
pub struct ImportReport {
    /// The file's name.
    pub file: String,
    /// Inputs.
    pub inputs: Vec<PortSummary>,
    /// Outputs.
    pub outputs: Vec<PortSummary>,
    /// How many operators of each name there are, by name.
    pub operators: BTreeMap<String, usize>,
    /// Multiply-accumulates of one inference.
    pub macs: u64,
    /// Costs, in the order in which targets were asked for.
    pub costs: Vec<ImportedCost>,
}

/// Reads a model and estimates it.
///
/// # Errors
/// E1001 for a file that is none, E1002 for each thing that cannot be taken over, E0601 for unknown targets.
pub fn import(path: &Path, targets: &[String], files: &dyn Files) -> Result<ImportReport, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let known = stdlib_targets();
    let targets = targets.iter().map(|name| target(&known, name)).collect::<Result<Vec<_>, _>>()?;
    let bytes = files::read_if_there(files, path, Code::MODEL)?.ok_or_else(|| {
        Diagnostic::error(Code::MODEL, format!("there is no file `{}`", path.display()))
            .help("give the path of a `.tflite` file")
    })?;
    let model = Model::read(&bytes).map_err(|broken| {
        Diagnostic::error(
            Code::MODEL,
            format!("`{}` is no model of TensorFlow Lite: {broken}", path.display()),
        )
        .help("export it again; `nasc import` takes `.tflite` files with one graph")
    })?;
    let imported = tflite::import(&model).map_err(|refusals| refused(&name, &refusals))?;
    let mut operators = BTreeMap::new();
    model.operators.iter().for_each(|operator| *operators.entry(operator.name.clone()).or_default() += 1);
    let costs = targets.iter().map(|target| cost(&imported, target)).collect::<Result<_, _>>()?;
    Ok(ImportReport {
        file: name,
        inputs: imported.inputs.iter().map(summary).collect(),
        outputs: imported.outputs.iter().map(summary).collect(),
        operators,
        macs: imported.graph.macs().0,
        costs,
    })
}

fn target<'t>(known: &'t BTreeMap<String, Target>, name: &str) -> Result<&'t Target, Diagnostic> {
    known.get(name).ok_or_else(|| {
        let help = match nearest(name, known.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`nasc targets` lists those known".to_owned(),
        };
        Diagnostic::error(Code::UNKNOWN_TARGET, format!("target `{name}` is not known")).help(help)
    })
}

/// E1002, once for each reason.
fn refused(name: &str, refusals: &[Refusal]) -> Diagnostics {
    let one = |refusal: &Refusal| Diagnostic::error(Code::MODEL_OPERATOR, format!("`{name}`: {refusal}"));
    Diagnostics(refusals.iter().map(one).collect())
}

fn summary(port: &Port) -> PortSummary {
    PortSummary {
        name: port.name.clone(),
        element: port.element.to_string(),
        shape: port.shape.clone(),
        scale: port.quant.scale(0),
        zero_point: port.quant.zero_point,
        border: port.border.clone(),
    }
}

fn cost(imported: &Imported, target: &Target) -> Result<ImportedCost, Diagnostic> {
    let passes = Passes { effort: Effort::Final };
    let limit = |memory: Option<Bytes>| memory.map_or(f64::INFINITY, |bytes| bytes.0 as f64);
    let limits =
        Limits { ram_bytes: limit(target.ram), flash_bytes: limit(target.flash), ..Limits::default() };
    let graph = passes.without_constant_channels(passes.integer(&imported.graph), &[(target, limits)]);
    let deployment = passes
        .choose(&graph, target, FrontEndCost::default(), &limits)
        .map_err(|error| Diagnostic::error(Code::MODEL_OPERATOR, error))?;
    let estimate = deployment.estimate;
    Ok(ImportedCost {
        target: target.name.clone(),
        ram_bytes: estimate.ram_bytes,
        flash_bytes: estimate.flash_bytes,
        weights_bytes: estimate.weights_bytes,
        cycles: estimate.cycles,
        latency_seconds: estimate.latency_seconds,
        fits: limits.hold(&estimate),
    })
}
