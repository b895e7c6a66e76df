//! The lock and the weights: what a team commits beside its spec.
//!
//! The lock is sorted JSON without dates: what the result follows from, and which network each target has. The
//! weights hold the integer graphs and golden vectors, so that `compile` on another machine redoes no float and
//! needs no data.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::data::RawInput;
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::Program;
use crate::emit::{self, Reading, read_graph, write_graph};
use crate::estimate::FrontEndCost;
use crate::graph::{Graph, Weights};
use crate::pipeline::files::{self, Files};
use crate::pipeline::golden::GoldenSet;
use crate::pipeline::network::interface;
use crate::pipeline::quality::Confusion;
use crate::pipeline::tensors::{self, Tensors};
use crate::report::{Finalist, FrontPoint, TrialFigures};
use crate::target::Isa;
use crate::tensor::{DType, TensorType};
use crate::train::EngineKind;

/// Version of both formats. 2: front ends, and quality by any metric.
const VERSION: u32 = 2;

/// Sections whose change makes the search go again; the others only change what fits.
const SEARCHED: [&str; 6] = ["data", "objectives", "quantize", "search", "space", "train"];

/// `<spec>.lock`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lock {
    /// Names of the classes in the order of the outputs; empty where networks tell none apart.
    pub classes: Vec<String>,
    /// Hash of the data and its cut.
    pub data: String,
    /// The engine that trained, where it is not the embedded one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// The trials that were trained again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub finalists: Vec<Finalist>,
    /// The best compromises of the search.
    pub front: Vec<FrontPoint>,
    /// The trials of the last search in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<TrialFigures>,
    /// Version of nasc that searched.
    pub nasc: String,
    /// The distinct networks by name.
    pub networks: BTreeMap<String, LockedNetwork>,
    /// Names of the figures that the last search made better, the most important first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objectives: Vec<String>,
    /// The `--set` values that it was made with, by `param`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Spearman's rank correlation of the finalists in the search and retrained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_correlation: Option<f64>,
    /// How each output is read where networks predict numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub readings: Vec<Reading>,
    /// Candidates that the last search rejected before training, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rejected: BTreeMap<String, u64>,
    /// Hashes of the spec's sections.
    pub sections: BTreeMap<String, String>,
    /// The seed that was used.
    pub seed: u64,
    /// The strategy, and what else decides who is trained.
    pub strategy: String,
    /// The network of each target.
    pub targets: BTreeMap<String, String>,
    /// Trials that ran.
    pub trials: usize,
    /// Version of the format.
    pub version: u32,
    /// SHA-256 of the weights file.
    pub weights: String,
}

/// A network of the lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedNetwork {
    /// Its point in the space.
    pub genome: Json,
    /// How good it is.
    pub quality: LockedQuality,
    /// By target, the RAM that the search promised where it takes lean layers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ram_bytes: BTreeMap<String, u64>,
    /// Number of its trial in the search that it is from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<usize>,
}

/// Quality of a locked network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockedQuality {
    /// Answers of the integer network on the test part by class, where there are classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// What it is measured by on the test part: `accuracy`, `error`, `f1`, `auc` or `mse`.
    pub metric: String,
    /// Of the integer network on the test part.
    pub test: f64,
    /// Interval of 95 % for that.
    pub test_ci95: [f64; 2],
    /// Of the float network on the test part.
    pub test_float: f64,
    /// Right answers of the integer network on the test part, where there are classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_right: Option<usize>,
    /// Samples of the test part.
    pub test_samples: usize,
    /// Mean of the integer network's trainings on the validation part.
    pub validation: f64,
    /// What that is measured by, where it is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_metric: Option<String>,
}

impl LockedQuality {
    /// Whether the figures are such as are measured.
    fn is_sound(&self) -> bool {
        let in_range = |metric: &str, x: f64| match metric {
            "accuracy" | "error" | "f1" | "auc" => (0.0..=1.0).contains(&x),
            "mse" => x >= 0.0 && x.is_finite(),
            _ => false,
        };
        let of_test = [self.test, self.test_float, self.test_ci95[0], self.test_ci95[1]];
        of_test.into_iter().all(|x| in_range(&self.metric, x))
            && in_range(self.judged(), self.validation)
            && self.test_right.is_none_or(|right| right <= self.test_samples)
            && self.confusion.as_ref().is_none_or(|confusion| self.counts(confusion))
    }

    /// Whether a matrix is a square of all samples.
    fn counts(&self, confusion: &Confusion) -> bool {
        let rows = &confusion.0;
        let mut cells = rows.iter().flatten();
        rows.iter().all(|row| row.len() == rows.len())
            && cells.try_fold(0usize, |sum, cell| sum.checked_add(*cell)) == Some(self.test_samples)
    }

    /// What trials were judged by.
    pub(crate) fn judged(&self) -> &str {
        self.validation_metric.as_ref().unwrap_or(&self.metric)
    }
}

/// An integer network as the weights file holds it.
#[derive(Clone, Debug)]
pub struct StoredNetwork {
    /// The integer graph.
    pub graph: Graph,
    /// Raw values to its input.
    pub raw: RawInput,
    /// Test samples with its outputs.
    pub golden: GoldenSet,
}

/// Whether a lock still says what its spec asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Staleness {
    /// It does.
    Current,
    /// These changed; the search has to go again.
    Stale(Vec<String>),
}

/// The paths of lock and weights of a spec.
pub(crate) fn paths(spec: &Path) -> (PathBuf, PathBuf) {
    let with = |extension: &str| {
        let mut name = spec.file_name().unwrap_or_default().to_owned();
        name.push(extension);
        spec.with_file_name(name)
    };
    (with(".lock"), with(".weights"))
}

/// Hashes of a program's sections.
pub(crate) fn section_hashes(program: &Program) -> BTreeMap<String, String> {
    program.sections.iter().map(|(name, text)| (name.clone(), tensors::sha256(text.as_bytes()))).collect()
}

impl Lock {
    /// Whether the lock was made from this program and, where it is known, this data.
    pub fn staleness(&self, program: &Program, data: Option<&str>) -> Staleness {
        let hashes = section_hashes(program);
        let mut changed: Vec<String> = SEARCHED
            .iter()
            .filter(|section| self.sections.get(**section) != hashes.get(**section))
            .map(|section| format!("section `{section}`"))
            .collect();
        if data.is_some_and(|hash| hash != self.data) {
            changed.push("the data".to_owned());
        }
        if changed.is_empty() { Staleness::Current } else { Staleness::Stale(changed) }
    }

    /// What the engine that trained and the one that is asked for are, if they differ.
    pub(crate) fn other_engine(&self, asked: Option<EngineKind>) -> Option<String> {
        let trained = self.engine.as_deref().unwrap_or(EngineKind::default().name());
        let asked = asked?.name();
        (trained != asked).then(|| format!("it was trained on `{trained}`, this is `--engine {asked}`"))
    }

    /// What of `--set` differs between this lock and a command line, if anything does.
    pub(crate) fn other_params(&self, given: &BTreeMap<String, String>) -> Option<String> {
        let text = |params: &BTreeMap<String, String>| match params.is_empty() {
            true => "without `--set`".to_owned(),
            false => {
                let all: Vec<String> =
                    params.iter().map(|(name, value)| format!("`--set {name}={value}`")).collect();
                format!("with {}", all.join(" "))
            }
        };
        (self.params != *given)
            .then(|| format!("it was made {}, this is {}", text(&self.params), text(given)))
    }

    /// The text of the file: indented, but for what has many short parts a line for each of these.
    pub(crate) fn to_text(&self) -> String {
        let json = serde_json::to_value(self).expect("plain data serializes");
        let mut out = String::new();
        indented(&mut out, &json, 0, false);
        out + "\n"
    }

    /// Reads the lock beside a spec; `None` if there is none.
    pub(crate) fn read(files: &dyn Files, path: &Path) -> Result<Option<Lock>, Diagnostic> {
        let Some(content) = files::read_if_there(files, path, Code::LOCK_FORMAT)? else {
            return Ok(None);
        };
        let json: Json = serde_json::from_slice(&content).map_err(|error| damaged(path, error))?;
        match json.get("version").and_then(Json::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) if version > u64::from(VERSION) => {
                let message = format!(
                    "`{}` has version {version} of the format, this nasc reads {VERSION}",
                    path.display()
                );
                return Err(Diagnostic::error(Code::LOCK_FORMAT, message)
                    .help("use the nasc that wrote it, or `nasc compile --research` to make it anew"));
            }
            Some(version @ 1..) => {
                let message = format!(
                    "`{}` has version {version} of the format, this nasc reads and writes {VERSION}",
                    path.display()
                );
                return Err(Diagnostic::error(Code::LOCK_FORMAT, message).help(
                    "`nasc compile --research` makes it anew; trials that are kept are not trained again",
                ));
            }
            _ => return Err(damaged(path, "it is not a lock of nasc")),
        }
        let lock: Lock = serde_json::from_value(json).map_err(|error| damaged(path, error))?;
        if lock.targets.values().any(|network| !lock.networks.contains_key(network)) {
            return Err(damaged(path, "a target names a network that is not there"));
        }
        if !lock.networks.values().all(|network| network.quality.is_sound()) {
            return Err(damaged(path, "the quality of a network is none"));
        }
        if !lock.readings.iter().all(|reading| reading.is_sound()) {
            return Err(damaged(path, "it does not say how outputs are read"));
        }
        Ok(Some(lock))
    }

    /// Version of the format that is written.
    pub(crate) const VERSION: u32 = VERSION;
}

/// Keys of lists whose parts have a line each: a trial, a finalist, a row of the matrix.
const LINES: [&str; 3] = ["confusion", "finalists", "history"];

/// JSON as `serde_json` indents it, except that each part has a line where `as_lines`.
fn indented(out: &mut String, json: &Json, depth: usize, as_lines: bool) {
    let (open, close, parts): (_, _, Vec<(Option<&String>, &Json)>) = match json {
        Json::Array(list) => ('[', ']', list.iter().map(|part| (None, part)).collect()),
        Json::Object(object) => ('{', '}', object.iter().map(|(key, part)| (Some(key), part)).collect()),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => ('[', ']', Vec::new()),
    };
    if parts.is_empty() {
        out.push_str(&json.to_string());
        return;
    }
    out.push(open);
    let indent = |depth: usize| format!("\n{}", "  ".repeat(depth));
    for (at, (key, part)) in parts.into_iter().enumerate() {
        out.push_str(if at == 0 { "" } else { "," });
        out.push_str(&indent(depth + 1));
        if let Some(key) = key {
            out.push_str(&format!("{}: ", Json::from(key.as_str())));
        }
        match as_lines {
            true => out.push_str(&part.to_string()),
            false => {
                let as_lines = key.is_some_and(|key| LINES.contains(&key.as_str()));
                indented(out, part, depth + 1, as_lines);
            }
        }
    }
    out.push_str(&indent(depth));
    out.push(close);
}

fn damaged(path: &Path, why: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Code::LOCK_FORMAT, format!("`{}` cannot be read: {why}", path.display()))
        .help("restore it from version control, or run `nasc compile --research` to make it anew")
}

/// The bytes of the weights file.
pub(crate) fn weights_to_bytes(networks: &BTreeMap<String, StoredNetwork>) -> Vec<u8> {
    let mut all = Tensors::default();
    let mut texts = serde_json::Map::new();
    for (name, network) in networks {
        let mut graph = write_graph(&network.graph);
        if let Some(object) = graph.as_object_mut() {
            object.remove("constants");
        }
        for (constant, value) in network.graph.constants() {
            all.values.insert(format!("{name}/constant/{constant}"), value.as_ref().clone());
        }
        let element = network.raw.front_end.element();
        network.golden.to_tensors(&format!("{name}/golden/"), element, &mut all);
        texts.insert(name.clone(), serde_json::json!({ "graph": graph, "raw": network.raw }));
    }
    let text = serde_json::json!({ "version": VERSION, "networks": texts }).to_string();
    tensors::all_to_bytes(&all, &text)
}

/// Reads the weights file of a lock, which says its hash.
pub(crate) fn read_weights(
    files: &dyn Files,
    path: &Path,
    lock: &Lock,
) -> Result<Option<BTreeMap<String, StoredNetwork>>, Diagnostic> {
    let Some(content) = files::read_if_there(files, path, Code::LOCK_FORMAT)? else {
        return Ok(None);
    };
    if tensors::sha256(&content) != lock.weights {
        return Err(damaged(path, "it is not the file that the lock was written with"));
    }
    let networks = weights_from_bytes(&content).map_err(|error| damaged(path, error))?;
    for name in lock.networks.keys() {
        let network =
            networks.get(name).ok_or_else(|| damaged(path, format!("it has no network `{name}`")))?;
        network.check(lock).map_err(|error| damaged(path, format!("network `{name}`: {error}")))?;
    }
    Ok(Some(networks))
}

impl StoredNetwork {
    /// What its front end costs.
    pub(crate) fn front_end_cost(&self, isa: Isa) -> FrontEndCost {
        let outputs = interface(&self.graph).map_or(0, |(_, output)| output.shape.elements());
        emit::front_end_cost(&self.raw.front_end, outputs, isa)
    }

    /// Whether the network is one for what its lock says of outputs; its parts fit each other already.
    fn check(&self, lock: &Lock) -> Result<(), String> {
        let (input, output) = interface(&self.graph)?;
        let outputs = output.shape.elements();
        let (wanted, what) = match (lock.classes.len(), lock.readings.len()) {
            (0, 0) => (input.shape.elements(), "values that come in"),
            (0, numbers) => (numbers, "numbers"),
            (classes, _) => (classes, "classes"),
        };
        if outputs != wanted {
            return Err(format!("it has {outputs} outputs for {wanted} {what}"));
        }
        if self.golden.is_empty() { Err("it has no golden vectors".into()) } else { Ok(()) }
    }
}

pub(crate) fn weights_from_bytes(content: &[u8]) -> Result<BTreeMap<String, StoredNetwork>, String> {
    let (tensors, text) = tensors::all_from_bytes(content)?;
    let text: serde_json::Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let networks = text.get("networks").and_then(|networks| networks.as_object());
    let mut found = BTreeMap::new();
    for (name, network) in networks.ok_or("it holds no networks")? {
        let part = |key: &str| network.get(key).ok_or_else(|| format!("network `{name}` has no `{key}`"));
        let mut graph = part("graph")?.clone();
        let constants = constants_of(name, &tensors.values);
        graph.as_object_mut().ok_or("a graph is no object")?.insert("constants".into(), constants);
        let graph = read_graph(&graph)?;
        let raw: RawInput =
            serde_json::from_value(part("raw")?.clone()).map_err(|error| error.to_string())?;
        check_raw(&graph, &raw)?;
        let golden = GoldenSet::from_tensors(&format!("{name}/golden/"), &tensors, Some(&raw))?;
        let sizes = interface(&graph).map(|(input, output)| [input, output].map(|ty| ty.shape.elements()))?;
        let wrong = |rows: &[Vec<i8>], size: usize| rows.iter().any(|row| row.len() != size);
        if wrong(&golden.inputs, sizes[0]) || wrong(&golden.outputs, sizes[1]) {
            return Err("golden vectors have another size than the network".into());
        }
        found.insert(name.clone(), StoredNetwork { graph, raw, golden });
    }
    Ok(found)
}

/// What the passes after it rely on: one input and one output of 8 bit, and a front end for it.
fn check_raw(graph: &Graph, raw: &RawInput) -> Result<(), String> {
    let (input, output) = interface(graph)?;
    let is_activation =
        |ty: &TensorType| ty.dtype == DType::I8 && ty.quant.as_ref().is_some_and(|q| q.axis.is_none());
    if !is_activation(input) || !is_activation(output) {
        return Err("input and output are not quantized to 8 bit".into());
    }
    emit::check_raw(raw, input)
}

/// The constants of a network in the form that graph documents have them.
fn constants_of(name: &str, tensors: &Weights) -> serde_json::Value {
    let prefix = format!("{name}/constant/");
    let mut constants = serde_json::Map::new();
    for (tensor, value) in tensors {
        if let Some(constant) = tensor.strip_prefix(&prefix) {
            let data: String = value.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let text = serde_json::json!({ "dtype": value.dtype(), "shape": value.shape(), "data": data });
            constants.insert(constant.to_owned(), text);
        }
    }
    serde_json::Value::Object(constants)
}
