//! `nasc import`: what a model of TensorFlow Lite is, and what it costs on targets.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::{ModelFile, deployed, limits, read, target};
use crate::diagnostic::Diagnostic;
use crate::elaborate::stdlib_targets;
use crate::estimate::FrontEndCost;
use crate::pipeline::Failure;
use crate::pipeline::files::Files;
use crate::target::Target;
use crate::tflite::{Imported, Port};

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
    let known = stdlib_targets();
    let targets = targets.iter().map(|name| target(&known, name)).collect::<Result<Vec<_>, _>>()?;
    let ModelFile { name, operators, imported, .. } = read(path, files)?;
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
    let (_, deployment) = deployed(&imported.graph, target, FrontEndCost::default())?;
    let estimate = deployment.estimate;
    Ok(ImportedCost {
        target: target.name.clone(),
        ram_bytes: estimate.ram_bytes,
        flash_bytes: estimate.flash_bytes,
        weights_bytes: estimate.weights_bytes,
        cycles: estimate.cycles,
        latency_seconds: estimate.latency_seconds,
        fits: limits(target).hold(&estimate),
    })
}
