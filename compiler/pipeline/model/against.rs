//! `nasc verify model.tflite --against run.npz`: the first layer at which another engine's run differs from the evaluator.
//!
//! In: a model and a run's tensors by name, inputs among them. Out: for each tensor that both know, in the order of the
//! operators, how many elements differ.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::read;
use crate::data::{Array, read_npz};
use crate::diagnostic::{Code, Diagnostic, nearest};
use crate::graph::Weights;
use crate::pipeline::Failure;
use crate::pipeline::files::{self, Files};
use crate::tensor::Value;
use crate::tflite::{Imported, Port, Tap};

/// A tensor that both know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The operator that gives it, by its place in the file.
    pub operator: usize,
    /// The operator's name.
    pub kind: String,
    /// The tensor's name.
    pub tensor: String,
    /// Its elements.
    pub elements: usize,
    /// How many of them differ.
    pub differing: usize,
    /// The first that does: its index, the evaluator's and the run's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<(usize, f64, f64)>,
    /// The greatest difference.
    pub greatest: f64,
}

/// What the comparison found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Tensors that both know, in the order of the operators.
    pub tensors: Vec<Difference>,
    /// Tensors of the run that the graph has not, constants and scratch among them.
    pub others: Vec<String>,
}

impl Compared {
    /// The first tensor that differs.
    pub fn first(&self) -> Option<&Difference> {
        self.tensors.iter().find(|tensor| tensor.differing > 0)
    }
}

/// Compares the evaluator with a run.
///
/// # Errors
/// E1001 and E1002 for the model; E0701, E0702 for the run's file; E0703 where it lacks an input or has one of another
/// size; E0908 where nothing is left to compare.
pub fn compare_model(files: &dyn Files, model: &Path, run: &Path) -> Result<Compared, Failure> {
    let imported = read(model, files)?.imported;
    let bytes = files::read_if_there(files, run, Code::DATA_MISSING)?.ok_or_else(|| {
        Diagnostic::error(Code::DATA_MISSING, format!("there is no file `{}`", run.display()))
            .help("save the tensors of a run by their names: `numpy.savez(\"run.npz\", **tensors)`")
    })?;
    let arrays = read_npz(&bytes, &run.display().to_string())?;
    let inputs = inputs(&imported, &arrays)?;
    let mut tensors = Vec::new();
    let mut seen: BTreeMap<_, Vec<i32>> = BTreeMap::new();
    let keep = &mut |node, value: &Value| {
        if imported.taps.iter().any(|tap| tap.node == node) {
            seen.insert(node, value.to_i32_vec().unwrap_or_default());
        }
    };
    imported
        .graph
        .evaluate_all(&inputs, &Weights::new(), keep)
        .map_err(|error| Diagnostic::error(Code::MISMATCH, error.to_string()))?;
    for tap in &imported.taps {
        let Some(array) = arrays.get(tap.tensor()) else { continue };
        let found: Vec<f64> = tap.to_file(&seen[&tap.node]).into_iter().map(f64::from).collect();
        tensors.push(difference(tap, &found, array)?);
    }
    if tensors.is_empty() {
        let message = format!("`{}` has no tensor that a layer of the model gives", run.display());
        let help =
            "save all tensors, not inputs alone; LiteRT keeps them with `experimental_preserve_all_tensors`";
        return Err(Diagnostic::error(Code::DATA_SHAPE, message).help(help).into());
    }
    let is_known = |name: &String| {
        imported.taps.iter().any(|tap| tap.tensor() == name)
            || imported.inputs.iter().any(|port| port.name == *name)
    };
    let others = arrays.keys().filter(|name| !is_known(name)).cloned().collect();
    Ok(Compared { tensors, others })
}

/// The inputs of a run as the graph has them.
fn inputs(imported: &Imported, arrays: &BTreeMap<String, Array>) -> Result<Vec<Value>, Diagnostic> {
    let nodes = imported.graph.network_inputs();
    let one = |(port, node): (&Port, _)| {
        let array = arrays.get(&port.name).ok_or_else(|| lacks(port, arrays))?;
        let elements: Vec<f32> = array.values.iter().map(|&value| value as f32).collect();
        let ty = imported.graph.ty(node);
        let (low, high) = ty.dtype.range().unwrap_or_default();
        let integers: Vec<i32> = port.to_graph(&elements).into_iter().map(|x| x.clamp(low, high)).collect();
        Value::from_i32_vec(ty.dtype, &ty.shape, &integers).ok_or_else(|| {
            let message = format!(
                "`{}` of the run has {} elements, the model's has {}",
                port.name.escape_debug(),
                elements.len(),
                ty.shape.elements()
            );
            Diagnostic::error(Code::DATA_SHAPE, message).help("is it a run of this model?")
        })
    };
    imported.inputs.iter().zip(nodes).map(one).collect()
}

fn lacks(port: &Port, arrays: &BTreeMap<String, Array>) -> Diagnostic {
    let message = format!("the run has no tensor `{}`, an input of the model", port.name.escape_debug());
    let error = Diagnostic::error(Code::DATA_SHAPE, message);
    match nearest(&port.name, arrays.keys().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `{}`?", near.escape_debug())),
        None => error.help("save inputs too: a run without them cannot be done again"),
    }
}

fn difference(tap: &Tap, found: &[f64], array: &Array) -> Result<Difference, Diagnostic> {
    if array.values.len() != found.len() {
        let message = format!(
            "tensor `{}` of the run has {} elements, operator {} gives {}",
            tap.tensor().escape_debug(),
            array.values.len(),
            tap.operator,
            found.len()
        );
        return Err(Diagnostic::error(Code::DATA_SHAPE, message).help("is it a run of this model?"));
    }
    let pairs = || found.iter().zip(&array.values).enumerate().filter(|(_, (a, b))| a != b);
    Ok(Difference {
        operator: tap.operator,
        kind: tap.kind.clone(),
        tensor: tap.tensor().to_owned(),
        elements: found.len(),
        differing: pairs().count(),
        first: pairs().next().map(|(at, (&a, &b))| (at, a, b)),
        greatest: pairs().map(|(_, (a, b))| (a - b).abs()).fold(0.0, f64::max),
    })
}
