//! `nasc eval`: accuracy of a locked integer network on data.

use std::path::Path;

use serde::Serialize;

use crate::data::{self, Dataset};
use crate::device;
use crate::diagnostic::{Code, Diagnostic};
use crate::emit::{self, GraphFile};
use crate::pipeline::Failure;
use crate::pipeline::check::Loaded;
use crate::pipeline::files::{self, Files};
use crate::pipeline::locking::{self, Lock};
use crate::pipeline::network::{IntegerNetwork, interface};
use crate::pipeline::passes::Passes;
use crate::pipeline::study::{Prepared, host_view};
use crate::plan::Effort;
use crate::report;

/// What `nasc eval` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluated {
    /// The network's name.
    pub name: String,
    /// Which part of the data, or which file.
    pub split: String,
    /// Samples.
    pub samples: usize,
    /// Right answers of the integer network.
    pub right: usize,
    /// Their share.
    pub accuracy: f64,
    /// Wilson interval of 95 %.
    pub ci95: [f64; 2],
}

impl Evaluated {
    fn new(name: &str, split: &str, network: &IntegerNetwork, data: &Dataset) -> Evaluated {
        let right = network.n_right(data);
        Evaluated {
            name: name.to_owned(),
            split: split.to_owned(),
            samples: data.len(),
            right,
            accuracy: right as f64 / data.len().max(1) as f64,
            ci95: report::wilson(right, data.len()),
        }
    }
}

fn network(graph: &crate::graph::Graph, raw: &data::RawQuantizer) -> Result<IntegerNetwork, Diagnostic> {
    let passes = Passes { effort: Effort::Search };
    passes
        .deploy(graph, &host_view(), 0)
        .and_then(|deployment| IntegerNetwork::new(graph.clone(), raw.clone(), &deployment))
        .map_err(|error| Diagnostic::error(Code::BUNDLE, format!("the network cannot be run: {error}")))
}

/// Evaluates the network that a spec's lock has for a target (the first one by default) on the test part of the
/// spec's data, which lies in `root` or beside the spec.
///
/// # Errors
/// A spec, lock or weights that are missing or damaged; data that is missing or does not fit.
pub fn evaluate_spec(
    files: &dyn Files,
    spec: &Path,
    root: Option<&Path>,
    target: Option<&str>,
) -> Result<Evaluated, Failure> {
    let loaded = Loaded::read(files, spec)?;
    let fail = |diagnostic: Diagnostic| loaded.failure(diagnostic);
    let (lock_path, weights_path) = locking::paths(spec);
    let missing = |path: &Path| {
        fail(
            Diagnostic::error(Code::LOCK_MISSING, format!("`{}` is not there", path.display()))
                .help("run `nasc compile` first"),
        )
    };
    let lock = Lock::read(files, &lock_path).map_err(fail)?.ok_or_else(|| missing(&lock_path))?;
    let stored = locking::read_weights(files, &weights_path, &lock).map_err(fail)?;
    let stored = stored.ok_or_else(|| missing(&weights_path))?;
    let name = match target {
        None => lock.targets.values().next(),
        Some(target) => lock.targets.get(target),
    };
    let name = name.ok_or_else(|| {
        let known: Vec<&str> = lock.targets.keys().map(String::as_str).collect();
        fail(
            Diagnostic::error(Code::UNKNOWN_TARGET, "the lock has no network for this target")
                .help(format!("it has {}", known.join(", "))),
        )
    })?;
    let root = root.or(spec.parent()).unwrap_or(Path::new(""));
    let data = Prepared::load(&loaded.program, root).map_err(fail)?;
    let stored = stored.get(name).ok_or_else(|| missing(&weights_path))?;
    let network = network(&stored.graph, &stored.raw).map_err(fail)?;
    Ok(Evaluated::new(name, "test", &network, &data.splits.test))
}

/// Evaluates a bundle's network on a data file of the format that its extension says.
///
/// # Errors
/// A bundle that is damaged; data that is missing or does not fit.
pub fn evaluate_bundle(files: &dyn Files, folder: &Path, data: &Path) -> Result<Evaluated, Failure> {
    let file = read_bundle_graph(folder)?;
    let content = files::read_if_there(files, data, Code::DATA_MISSING)?.ok_or_else(|| {
        Failure::from(
            Diagnostic::error(Code::DATA_MISSING, format!("`{}` is not there", data.display()))
                .help("give a data file, such as one in the `.ts` format"),
        )
    })?;
    let samples = data::read_ts(content.as_slice(), &data.display().to_string())?;
    let (input, output) = interface(&file.graph).map_err(|error| damaged(folder, &error))?;
    let shape = input.shape.nhwc().map(|[_, h, w, c]| [h, w, c]);
    if shape != Some(samples.sample_shape()) {
        let [h, w, c] = samples.sample_shape();
        return Err(Diagnostic::error(
            Code::DATA_SHAPE,
            format!("the samples are {h} x {w} x {c}, the network takes {}", input.shape),
        )
        .help("give data in the form that the network was trained on")
        .into());
    }
    if samples.classes.len() != output.shape.elements() {
        return Err(Diagnostic::error(
            Code::DATA_LABEL,
            format!(
                "the data has {} classes, the network {}",
                samples.classes.len(),
                output.shape.elements()
            ),
        )
        .help("declare the network's classes in the data, in their order")
        .into());
    }
    let raw = file.raw.as_ref().ok_or_else(|| damaged(folder, "it takes no raw values"))?;
    let network = network(&file.graph, raw)?;
    let split = data.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Evaluated::new(&file.interface.name, &split, &network, &samples))
}

/// The graph file of a bundle: the one file with that extension.
pub(crate) fn read_bundle_graph(folder: &Path) -> Result<GraphFile, Failure> {
    let bundle = device::read_bundle(folder)?;
    let mut found = bundle.files.iter().filter(|(name, _)| name.ends_with(".graph"));
    let (Some((name, content)), None) = (found.next(), found.next()) else {
        return Err(damaged(folder, "it has not one `.graph` file"));
    };
    Ok(emit::read_graph_file(&folder.join(name).display().to_string(), content)?)
}

pub(crate) fn damaged(folder: &Path, why: &str) -> Failure {
    Diagnostic::error(Code::BUNDLE, format!("`{}` is not a bundle of nasc: {why}", folder.display()))
        .help("`nasc compile` writes it again")
        .into()
}
