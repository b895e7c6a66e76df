//! Models of TensorFlow Lite: what one costs, its bundle, and where it differs from a run of somebody else's.
//!
//! In: a `.tflite` file and targets. Out: as of a spec, but for what only a search or a training knows.

mod against;
mod compile;
mod import;

use std::collections::BTreeMap;
use std::path::Path;

use crate::diagnostic::{Code, Diagnostic, Diagnostics, nearest};
use crate::estimate::{Deployment, FrontEndCost, Limits};
use crate::graph::Graph;
use crate::pipeline::Failure;
use crate::pipeline::files::{self, Files};
use crate::pipeline::passes::Passes;
use crate::pipeline::tensors;
use crate::plan::Effort;
use crate::target::Target;
use crate::tensor::Bytes;
use crate::tflite::{self, Imported, Model, Refusal};

pub use against::{Compared, Difference, compare_model};
pub use compile::{ModelOptions, compile_model, model_stage_text};
pub use import::{ImportReport, ImportedCost, PortSummary, import};

/// Whether a path is that of a model.
pub fn is_model(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tflite"))
}

/// A model that was taken over.
struct ModelFile {
    /// The file's name.
    name: String,
    /// Hash of its bytes.
    hash: String,
    /// How many operators of each name there are, by name.
    operators: BTreeMap<String, usize>,
    /// Its graph and ports.
    imported: Imported,
}

/// Reads a model.
fn read(path: &Path, files: &dyn Files) -> Result<ModelFile, Failure> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let bytes = files::read_if_there(files, path, Code::MODEL)?.ok_or_else(|| {
        Diagnostic::error(Code::MODEL, format!("there is no file `{}`", path.display()))
            .help("give the path of a `.tflite` file")
    })?;
    let model = Model::read(&bytes).map_err(|broken| {
        Diagnostic::error(
            Code::MODEL,
            format!("`{}` is no model of TensorFlow Lite: {broken}", path.display()),
        )
        .help("export it again; nasc takes `.tflite` files with one graph")
    })?;
    let imported = tflite::import(&model).map_err(|refusals| refused(&name, &refusals))?;
    let mut operators = BTreeMap::new();
    model.operators.iter().for_each(|operator| *operators.entry(operator.name.clone()).or_default() += 1);
    Ok(ModelFile { name, hash: tensors::sha256(&bytes), operators, imported })
}

/// E1002, once for each reason.
fn refused(name: &str, refusals: &[Refusal]) -> Diagnostics {
    let one = |refusal: &Refusal| Diagnostic::error(Code::MODEL_OPERATOR, format!("`{name}`: {refusal}"));
    Diagnostics(refusals.iter().map(one).collect())
}

/// A target of the standard library.
fn target<'t>(known: &'t BTreeMap<String, Target>, name: &str) -> Result<&'t Target, Diagnostic> {
    known.get(name).ok_or_else(|| {
        let help = match nearest(name, known.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "`nasc targets` lists those known".to_owned(),
        };
        Diagnostic::error(Code::UNKNOWN_TARGET, format!("target `{name}` is not known")).help(help)
    })
}

/// What a target has.
fn limits(target: &Target) -> Limits {
    let limit = |memory: Option<Bytes>| memory.map_or(f64::INFINITY, |bytes| bytes.0 as f64);
    Limits { ram_bytes: limit(target.ram), flash_bytes: limit(target.flash), ..Limits::default() }
}

/// The graph of a model as it is best for a target, and its kernels and plan. `outside` is what surrounds the network.
fn deployed(
    graph: &Graph,
    target: &Target,
    outside: FrontEndCost,
) -> Result<(Graph, Deployment), Diagnostic> {
    let passes = Passes { effort: Effort::Final };
    let limits = limits(target);
    let targets = [(target, limits)];
    let graph = passes.without_constant_channels(passes.integer_for(graph, &targets), &targets);
    let deployment = passes
        .choose(&graph, target, outside, &limits)
        .map_err(|error| Diagnostic::error(Code::MODEL_OPERATOR, error))?;
    Ok((graph, deployment))
}
