//! `nasc eval`: the quality of a locked integer network on data.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::data::{self, Dataset, FrontEnd, Part, Splits};
use crate::device;
use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::Program;
use crate::emit::{self, Bundle, GraphFile, Reading};
use crate::graph::Graph;
use crate::pipeline::Failure;
use crate::pipeline::check::Loaded;
use crate::pipeline::compile::cache_of;
use crate::pipeline::figures::metric_word;
use crate::pipeline::files::{self, Files};
use crate::pipeline::locking::{self, Lock};
use crate::pipeline::network::{IntegerNetwork, interface};
use crate::pipeline::prepare::{self, Prepared};
use crate::pipeline::quality::{Confusion, Figure, Intervals, metrics_of};
use crate::pipeline::task::Task;
use crate::pipeline::tensors;
use crate::report::{Report, SCHEMA_VERSION};
use crate::space::Output;

/// What `nasc eval` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluated {
    /// The network's name.
    pub name: String,
    /// Which part of the data, or which file.
    pub split: String,
    /// Samples.
    pub samples: usize,
    /// What the network is judged by: `accuracy`, `error`, `f1`, `auc` or `mse`.
    pub metric: String,
    /// Its value for the integer network.
    pub value: f64,
    /// Interval of 95 % for that.
    pub ci95: [f64; 2],
    /// Right answers of the integer network, where there are classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub right: Option<usize>,
    /// All figures of the task by name.
    pub metrics: BTreeMap<String, Figure>,
    /// Names of the classes, in the order of the rows and columns of `confusion`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// For each class, a row, how many of its samples are taken for which, where there are classes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confusion: Option<Confusion>,
    /// The classes that are found least.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weakest: Vec<WeakClass>,
}

/// A class of which not all samples are found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeakClass {
    /// Its name.
    pub class: String,
    /// Share of its samples that is found.
    pub recall: f64,
    /// Its samples.
    pub samples: usize,
}

/// At most so many classes are named as the weakest.
const WEAKEST: usize = 3;

/// Scores a network. `wanted` is the figure that it is judged by.
fn scored(
    (name, split): (&str, &str),
    network: &IntegerNetwork,
    task: &Task,
    wanted: &str,
    data: &Dataset,
) -> Result<Evaluated, Diagnostic> {
    let quality = task
        .of_integer(network, data, Intervals::Made)
        .map_err(|error| Diagnostic::error(Code::BUNDLE, format!("the network cannot be run: {error}")))?;
    let known = metrics_of(task.output).iter().map(|&metric| metric_word(metric));
    let names = std::iter::once(wanted).chain(known);
    let found = names.into_iter().find_map(|name| Some((name.to_owned(), *quality.metrics.get(name)?)));
    let (metric, Figure { value, ci95 }) =
        found.ok_or_else(|| Diagnostic::error(Code::DATA_FORMAT, "the data has no samples to score"))?;
    let classes = match (&quality.confusion, data.classes.is_empty()) {
        (Some(_), false) => data.classes.clone(),
        (Some(confusion), true) => (0..confusion.0.len()).map(|class| class.to_string()).collect(),
        (None, _) => Vec::new(),
    };
    let weak = |confusion: &Confusion, (class, recall): (usize, f64)| WeakClass {
        class: classes.get(class).cloned().unwrap_or_else(|| class.to_string()),
        recall,
        samples: confusion.of_class(class),
    };
    let weakest = quality.confusion.iter().flat_map(|confusion| {
        confusion.weakest(WEAKEST).into_iter().map(|found| weak(confusion, found)).collect::<Vec<_>>()
    });
    Ok(Evaluated {
        name: name.to_owned(),
        split: split.to_owned(),
        samples: quality.samples,
        metric,
        value,
        ci95: ci95.unwrap_or([value, value]),
        right: quality.right(),
        weakest: weakest.collect(),
        metrics: quality.metrics,
        classes,
        confusion: quality.confusion,
    })
}

fn network(graph: &Graph, raw: &data::RawInput) -> Result<IntegerNetwork, Diagnostic> {
    IntegerNetwork::new(graph.clone(), raw.clone())
        .map_err(|error| Diagnostic::error(Code::BUNDLE, format!("the network cannot be run: {error}")))
}

/// Which samples of a spec's data are scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// The test part, which the network has not seen.
    #[default]
    Test,
    /// The validation part, by which it was chosen.
    Val,
    /// The training part.
    Train,
    /// All: for data that is none of what the network was made with.
    All,
}

impl Scope {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Test => "test",
            Scope::Val => "val",
            Scope::Train => "train",
            Scope::All => "all",
        }
    }
}

/// Evaluates the network that a spec's lock has for a target (the first one by default) on samples of the spec's data,
/// which lies in `root` or beside the spec.
///
/// # Errors
/// A spec, lock or weights that are missing or damaged; data that is missing or does not fit.
pub fn evaluate_spec(
    files: &dyn Files,
    spec: &Path,
    root: Option<&Path>,
    (target, scope): (Option<&str>, Scope),
    params: &BTreeMap<String, String>,
) -> Result<Evaluated, Failure> {
    let loaded = Loaded::read(files, spec, params)?;
    let fail = |diagnostic: Diagnostic| loaded.failure(diagnostic);
    let (lock_path, weights_path) = locking::paths(spec);
    let missing = |path: &Path| {
        fail(
            Diagnostic::error(Code::LOCK_MISSING, format!("`{}` is not there", path.display()))
                .help("run `nasc compile` first"),
        )
    };
    let lock = Lock::read(files, &lock_path).map_err(fail)?.ok_or_else(|| missing(&lock_path))?;
    if let Some(stale) = other_network(&lock, &loaded.program, params, &lock_path) {
        return Err(fail(stale));
    }
    let stored = locking::read_weights(files, &weights_path, &lock).map_err(fail)?;
    let stored = stored.ok_or_else(|| missing(&weights_path))?;
    let name = match target {
        None => lock.targets.values().next(),
        Some(target) => lock.targets.get(target),
    };
    let name = name.ok_or_else(|| {
        let known: Vec<&str> = lock.targets.keys().map(String::as_str).collect();
        let message = format!("the lock has no network for target `{}`", target.unwrap_or_default());
        fail(Diagnostic::error(Code::UNKNOWN_TARGET, message).help(format!("it has {}", known.join(", "))))
    })?;
    let root = root.or(spec.parent()).unwrap_or(Path::new(""));
    let stored = stored.get(name).ok_or_else(|| missing(&weights_path))?;
    let samples =
        samples(&loaded.program, &stored.raw.front_end, root, &cache_of(spec), scope).map_err(fail)?;
    let task = task_of(&stored.graph, &lock.classes, &lock.readings).map_err(fail)?;
    let test = fitting(&stored.graph, (&task, &lock.classes), samples).map_err(|diagnostic| {
        fail(diagnostic.note("the lock was made from another spec: `nasc compile` makes it anew"))
    })?;
    let network = network(&stored.graph, &stored.raw).map_err(fail)?;
    let metric = &lock.networks[name].quality.metric;
    scored((name, scope.name()), &network, &task, metric, &test).map_err(fail)
}

/// The features of the samples that are asked for.
fn samples(
    program: &Program,
    front_end: &FrontEnd,
    root: &Path,
    cache: &Path,
    scope: Scope,
) -> Result<Dataset, Diagnostic> {
    if scope == Scope::All {
        return prepare::everything(program, front_end, root, Some(cache));
    }
    Ok(part_of(Prepared::load(program, root, Some(cache))?.behind(front_end)?, scope))
}

fn part_of(splits: Splits, scope: Scope) -> Dataset {
    match scope {
        Scope::Train => splits.train,
        Scope::Val => splits.val,
        Scope::Test | Scope::All => splits.test,
    }
}

/// Sections that decide what the network is; the others may change and it is still the one of the spec.
const OF_NETWORK: [&str; 3] = ["quantize", "space", "train"];

/// E0901 if the lock's network is not one of this spec and these values of its `param`s.
pub(crate) fn other_network(
    lock: &Lock,
    program: &Program,
    params: &BTreeMap<String, String>,
    path: &Path,
) -> Option<Diagnostic> {
    let hashes = locking::section_hashes(program);
    let changed: Vec<String> = OF_NETWORK
        .iter()
        .filter(|section| lock.sections.get(**section) != hashes.get(**section))
        .map(|section| format!("section `{section}`"))
        .collect();
    if changed.is_empty() {
        return None;
    }
    let message = format!("`{}` is stale: {} changed", path.display(), changed.join(", "));
    let error = Diagnostic::error(Code::LOCK_STALE, message);
    Some(match lock.other_params(params) {
        Some(why) => {
            error.note(why).help("give the values that it was made with, or run `nasc compile` with these")
        }
        None => error.help("run `nasc compile`, or give a bundle"),
    })
}

/// Evaluates a bundle's network on data: class folders or a file whose form follows from what the network takes, or a
/// spec whose section `data` reads any source. Where the data has parts, `scope` says which is scored.
///
/// # Errors
/// A bundle that is damaged; data that is missing or does not fit.
pub fn evaluate_bundle(
    files: &dyn Files,
    folder: &Path,
    data: &Path,
    scope: Scope,
    params: &BTreeMap<String, String>,
) -> Result<Evaluated, Failure> {
    let Checked { file, report, .. } = read_bundle(folder)?;
    let raw = file.raw.as_ref().ok_or_else(|| damaged(folder, "it takes no raw values"))?;
    let (samples, split) = match data.extension().and_then(|ending| ending.to_str()) {
        Some("nas") => by_spec(files, data, &raw.front_end, scope, params)?,
        Some("ts") => series(files, data)?,
        _ => by_front_end(data, &raw.front_end, scope)?,
    };
    let task = task_of(&file.graph, &file.labels, &file.readings)?;
    let samples = fitting(&file.graph, (&task, &file.labels), samples)?;
    let network = network(&file.graph, raw)?;
    let quality = report.targets.first().and_then(|target| target.quality.as_ref());
    let metric = quality.map_or("", |quality| quality.metric.as_str());
    Ok(scored((&file.interface.name, &split), &network, &task, metric, &samples)?)
}

/// The last part of a path, or all of one without.
fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Samples of a spec's data behind the front end of a bundle. The spec's model does not matter.
fn by_spec(
    files: &dyn Files,
    spec: &Path,
    front_end: &FrontEnd,
    scope: Scope,
    params: &BTreeMap<String, String>,
) -> Result<(Dataset, String), Failure> {
    let loaded = Loaded::read(files, spec, params)?;
    let (root, cache) = (spec.parent().unwrap_or(Path::new("")), cache_of(spec));
    let found = match scope {
        Scope::All => prepare::everything(&loaded.program, front_end, root, Some(&cache)),
        _ => Prepared::look(&loaded.program, root, Some(&cache))
            .and_then(|(prepared, _)| prepared.behind(front_end))
            .map(|splits| part_of(splits, scope)),
    };
    let samples = found.map_err(|diagnostic| loaded.failure(diagnostic))?;
    Ok((samples, format!("{} of {}", scope.name(), name_of(spec))))
}

/// Samples of a `.ts` file.
fn series(files: &dyn Files, data: &Path) -> Result<(Dataset, String), Failure> {
    let content = files::read_if_there(files, data, Code::DATA_MISSING)?.ok_or_else(|| {
        Failure::from(
            Diagnostic::error(Code::DATA_MISSING, format!("there is no data file `{}`", data.display()))
                .help("give a data file, such as one in the `.ts` format"),
        )
    })?;
    let samples = data::read_ts(content.as_slice(), &data.display().to_string())?;
    if samples.is_empty() {
        let message = format!("`{}` has no samples", data.display());
        return Err(Diagnostic::error(Code::DATA_FORMAT, message).help("samples come after `@data`").into());
    }
    Ok((samples, name_of(data)))
}

/// Samples of data whose form the front end tells.
fn by_front_end(data: &Path, front_end: &FrontEnd, scope: Scope) -> Result<(Dataset, String), Diagnostic> {
    let (source, root) = data::given(data, front_end)?;
    let part = match scope {
        Scope::All => return Ok((data::everything(&source, front_end, &root, None)?, name_of(data))),
        Scope::Train => Part::Train,
        Scope::Val => Part::Val,
        Scope::Test => Part::Test,
    };
    let (samples, has_parts) = data::own_part(&source, front_end, &root, part)?;
    let of = if has_parts { format!("{} of ", scope.name()) } else { String::new() };
    Ok((samples, format!("{of}{}", name_of(data))))
}

/// What a network is for.
fn task_of(graph: &Graph, classes: &[String], readings: &[Reading]) -> Result<Task, Diagnostic> {
    let (input, output) = interface(graph).map_err(|error| Diagnostic::error(Code::BUNDLE, error))?;
    Ok(Task::of_network(classes, readings, [input, output].map(|ty| ty.shape.elements())))
}

/// Data with its labels in the order of the network's outputs, if it is of the network's shape and task.
fn fitting(
    graph: &Graph,
    (task, classes): (&Task, &[String]),
    mut data: Dataset,
) -> Result<Dataset, Diagnostic> {
    let wrong = |message: String| Diagnostic::error(Code::DATA_SHAPE, message);
    let (input, output) = interface(graph).map_err(wrong)?;
    let [h, w, c] = data.sample_shape();
    if input.shape.nhwc().map(|[_, h, w, c]| [h, w, c]) != Some([h, w, c]) {
        return Err(wrong(format!("the samples are {h} x {w} x {c}, the network takes {}", input.shape))
            .help("give data in the form that the network was trained on"));
    }
    match task.output {
        Output::Classes(_) => {}
        Output::Values(values) if data.n_numbers() != values => {
            let message = format!(
                "the data has {} numbers for each sample, the network predicts {values}",
                data.n_numbers()
            );
            return Err(Diagnostic::error(Code::DATA_LABEL, message)
                .help("give data in the form that the network was trained on"));
        }
        Output::Values(_) | Output::Input => return Ok(data),
    }
    // Networks from elsewhere may have no names for their outputs: then the order counts.
    let order: Option<Vec<u32>> = if classes.is_empty() && data.classes.len() == output.shape.elements() {
        Some((0..).take(data.classes.len()).collect())
    } else {
        let position = |class: &String| classes.iter().position(|known| known == class);
        data.classes.iter().map(|class| position(class).and_then(|at| u32::try_from(at).ok())).collect()
    };
    let Some(order) = order else {
        let message = format!(
            "the data has the classes {}, the network {}",
            data.classes.join(", "),
            if classes.is_empty() { output.shape.elements().to_string() } else { classes.join(", ") }
        );
        return Err(Diagnostic::error(Code::DATA_LABEL, message)
            .help("the labels must be among those that the network was trained on"));
    };
    data.labels = data.labels.iter().map(|&label| order[label as usize]).collect();
    if !classes.is_empty() {
        data.classes = classes.to_vec();
    }
    Ok(data)
}

/// A bundle whose files are those that were written.
pub(crate) struct Checked {
    pub(crate) bundle: Bundle,
    pub(crate) file: GraphFile,
    pub(crate) report: Report,
}

/// Reads a bundle, and compares its files with the hashes in its report.
pub(crate) fn read_bundle(folder: &Path) -> Result<Checked, Failure> {
    let bundle = device::read_bundle(folder)?;
    let graphs: Vec<_> = bundle.files.iter().filter(|(name, _)| name.ends_with(".graph")).collect();
    let (name, content) = match graphs.as_slice() {
        &[graph] => graph,
        [] => return Err(damaged(folder, "it has no `.graph` file")),
        [_, (name, _), ..] => {
            return Err(Diagnostic::error(
                Code::BUNDLE,
                format!("`{}` holds more than one bundle: there is also `{name}`", folder.display()),
            )
            .help("give each bundle a folder of its own")
            .into());
        }
    };
    let text = bundle.text("report.json").ok_or_else(|| damaged(folder, "`report.json` is missing"))?;
    let report = read_report(folder, text)?;
    for (name, hash) in &report.provenance.files {
        match bundle.files.get(name) {
            None => return Err(damaged(folder, &format!("`{name}` is missing"))),
            Some(content) if tensors::sha256(content) != *hash => {
                return Err(damaged(folder, &format!("`{name}` is not as it was written")));
            }
            Some(_) => {}
        }
    }
    let file = emit::read_graph_file(&folder.join(name).display().to_string(), content)?;
    Ok(Checked { file, report, bundle })
}

/// A bundle's report, if it is one of the schema that this nasc knows.
fn read_report(folder: &Path, text: &str) -> Result<Report, Failure> {
    let bad = |error: serde_json::Error| damaged(folder, &format!("`report.json` cannot be read: {error}"));
    let json: serde_json::Value = serde_json::from_str(text).map_err(bad)?;
    match json.get("schema_version").and_then(serde_json::Value::as_u64) {
        Some(version) if version != u64::from(SCHEMA_VERSION) => {
            let message = format!(
                "`{}` is a bundle of another nasc: `report.json` has version {version} of its schema, this nasc \
                 reads {SCHEMA_VERSION}",
                folder.display()
            );
            let help = "use the nasc that wrote it, or `nasc compile` to write it again";
            Err(Diagnostic::error(Code::BUNDLE, message).help(help).into())
        }
        Some(_) | None => serde_json::from_value(json).map_err(bad),
    }
}

pub(crate) fn damaged(folder: &Path, why: &str) -> Failure {
    Diagnostic::error(Code::BUNDLE, format!("`{}` is not a bundle of nasc: {why}", folder.display()))
        .help("`nasc compile` writes it again")
        .into()
}
