//! `nasc compile`: from a spec to bundles, by way of the lock.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::elaborate::{Metric, Program};
use crate::emit::{self, Bundle};
use crate::pipeline::Failure;
use crate::pipeline::bundle::{self, Emitted};
use crate::pipeline::check::{Loaded, must_fit};
use crate::pipeline::figures;
use crate::pipeline::files::{self, Files};
use crate::pipeline::locking::{self, Lock, Staleness, StoredNetwork};
use crate::pipeline::prepare::Prepared;
use crate::pipeline::select::{self, Found};
use crate::pipeline::standing::Standing;
use crate::search::Clock;
use crate::source::SourceMap;
use crate::target::Target;
use crate::train::EngineKind;

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct CompileOptions {
    /// Targets by name; those of the spec if there is none.
    pub targets: Vec<String>,
    /// Values of `param`s.
    pub params: BTreeMap<String, String>,
    /// Folder of the bundle; `build/<name>/<target>` beside nothing else if `None`.
    pub out: Option<PathBuf>,
    /// Folder of the data instead of the spec's.
    pub data: Option<PathBuf>,
    /// Seed instead of the spec's.
    pub seed: Option<u64>,
    /// Trials at once.
    pub jobs: usize,
    /// What trains; `None` for the embedded engine where a search is needed, and a lock of any engine.
    pub engine: Option<EngineKind>,
    /// Trials instead of the spec's.
    pub trials: Option<usize>,
    /// Seconds after which no new trial starts.
    pub budget: Option<u64>,
    /// Fail rather than search.
    pub locked: bool,
    /// Search even if the lock is current.
    pub research: bool,
    /// Bytes that trainings may take together; `None` where that is unknown.
    pub memory: Option<u64>,
    /// Name of the bundle instead of the model's.
    pub name: Option<String>,
}

/// How good a trial's network is on the validation part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// What trials are judged by.
    pub metric: Metric,
    /// Its value.
    pub value: f64,
}

impl Scored {
    /// The better one; this one of equal ones.
    pub fn better(self, other: Scored) -> Scored {
        let is_better =
            if self.metric.is_gain() { other.value > self.value } else { other.value < self.value };
        if is_better { other } else { self }
    }
}

impl std::fmt::Display for Scored {
    /// A share as it is; an error with its name, since it has no unit of its own.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = figures::measured_text(self.metric, self.value);
        match self.metric {
            Metric::Accuracy => write!(out, "{text}"),
            _ => write!(out, "{} {text}", figures::metric_word(self.metric)),
        }
    }
}

/// Hears how far a command is.
pub trait Progress: Sync {
    /// A new stage, of so many parts; 0 where there are none to count.
    fn stage(&self, _title: &str, _parts: usize) {}
    /// A trial is done.
    fn trial(&self, _number: usize, _quality: Option<Scored>, _from_store: bool) {}
    /// How a search stands, told where something happened.
    fn standing(&self, _standing: &Standing) {}
    /// Something worth knowing.
    fn note(&self, _text: &str) {}
    /// One of the stage's parts that is no trial is done.
    fn part(&self) {}
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {}

/// The outside world.
pub struct Environment<'a> {
    /// Files.
    pub files: &'a dyn Files,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Set when the user wants an end.
    pub cancel: &'a AtomicBool,
    /// Who hears of progress.
    pub progress: &'a dyn Progress,
}

/// A bundle that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its folder.
    pub folder: PathBuf,
    /// What it was made from.
    pub emitted: Emitted,
}

/// What `compile` made.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// One bundle for each target.
    pub bundles: Vec<Written>,
    /// Whether it searched, or took the network of the lock.
    pub searched: bool,
    /// Canonical export of the search's archive, if it searched.
    pub archive: Option<String>,
    /// Warnings.
    pub warnings: Diagnostics,
    /// Texts of the warnings.
    pub sources: SourceMap,
}

/// What `search` left beside a spec.
#[derive(Clone, Debug)]
pub struct Searched {
    /// The lock.
    pub lock: PathBuf,
    /// The weights.
    pub weights: PathBuf,
    /// What each target's network is like, as a bundle would have it.
    pub emitted: Vec<Emitted>,
    /// As in [`Compiled`].
    pub searched: bool,
    /// As in [`Compiled`].
    pub archive: Option<String>,
    /// Warnings.
    pub warnings: Diagnostics,
    /// Texts of the warnings.
    pub sources: SourceMap,
}

/// Reads a spec for a search: refused where this version cannot search it, and changed as the command line says.
pub(crate) fn load(spec: &Path, options: &CompileOptions, files: &dyn Files) -> Result<Loaded, Failure> {
    let mut loaded = Loaded::read(files, spec, &options.params)?;
    if loaded.of_stdlib {
        return Err(without_data(spec).into());
    }
    let diagnostics = loaded.program.refusals();
    if diagnostics.has_errors() {
        return Err(Failure { sources: loaded.sources, diagnostics });
    }
    override_search(&mut loaded.program, options);
    Ok(loaded)
}

/// Compiles a spec. Lock and weights are written beside it before the bundles.
///
/// # Errors
/// Mistakes of the spec, the data or the options; requirements that nothing meets; files that cannot be written.
pub fn compile(spec: &Path, options: &CompileOptions, env: &Environment<'_>) -> Result<Compiled, Failure> {
    let loaded = load(spec, options, env.files)?;
    let targets = loaded.targets(&options.targets)?;
    let name = options.name.as_deref().unwrap_or(&loaded.program.name);
    let folders: Vec<PathBuf> =
        targets.iter().map(|target| folder_of(options.out.as_deref(), name, target, targets.len())).collect();
    let found = found(spec, &loaded, &targets, (options, &folders), env)?;
    let mut bundles = Vec::new();
    for (folder, emitted) in folders.into_iter().zip(found.emitted) {
        write_bundle(env.files, &folder, &emitted.bundle).map_err(|error| loaded.failure(error))?;
        bundles.push(Written { folder, emitted });
    }
    let (Networks { searched, archive, .. }, Loaded { sources, warnings, .. }) = (found.networks, loaded);
    Ok(Compiled { bundles, searched, archive, warnings, sources })
}

/// Searches and writes lock and weights, and no bundle.
///
/// # Errors
/// As [`compile`].
pub fn search(spec: &Path, options: &CompileOptions, env: &Environment<'_>) -> Result<Searched, Failure> {
    let loaded = load(spec, options, env.files)?;
    let targets = loaded.targets(&options.targets)?;
    let found = found(spec, &loaded, &targets, (options, &[]), env)?;
    let (lock, weights) = locking::paths(spec);
    let (Networks { searched, archive, .. }, Loaded { sources, warnings, .. }) = (found.networks, loaded);
    Ok(Searched { lock, weights, emitted: found.emitted, searched, archive, warnings, sources })
}

/// Networks for targets, and their bundles in memory.
struct FoundBundles {
    networks: Networks,
    emitted: Vec<Emitted>,
}

/// Takes the networks of the lock or searches, and emits them; `folders` will be written.
fn found(
    spec: &Path,
    loaded: &Loaded,
    targets: &[&Target],
    (options, folders): (&CompileOptions, &[PathBuf]),
    env: &Environment<'_>,
) -> Result<FoundBundles, Failure> {
    if let Some(error) = no_objective(&loaded.program, targets) {
        return Err(loaded.failure(error));
    }
    let name = options.name.as_deref().unwrap_or(&loaded.program.name);
    emit::check_name(name)?;
    let fail = |diagnostic: Diagnostic| loaded.failure(diagnostic);
    let networks = network(spec, &loaded.program, targets, (options, folders), env).map_err(fail)?;
    let mut bundles = Vec::new();
    for target in targets {
        if !folders.is_empty() {
            env.progress.stage(&format!("writing the bundle for {}", target.name), 0);
        }
        let stored = &networks.networks[&networks.lock.targets[&target.name]];
        let bundle = emitted(&loaded.program, &networks.lock, stored, target, name).map_err(fail)?;
        must_fit(&loaded.program, target, &bundle.deployment.estimate).map_err(fail)?;
        bundles.push(bundle);
    }
    Ok(FoundBundles { networks, emitted: bundles })
}

/// The bundle of a spec's locked network for a target.
pub(crate) fn emitted(
    program: &Program,
    lock: &Lock,
    stored: &StoredNetwork,
    target: &Target,
    name: &str,
) -> Result<Emitted, Diagnostic> {
    let genome = &lock.networks[&lock.targets[&target.name]].genome;
    let limits = figures::limits(program, target);
    let rewrites = bundle::rewrites(program, genome, &[(target, limits)]);
    bundle::emit(lock, stored, target, limits, (name, &rewrites))
}

/// E0204 for a space that is nobody's spec.
fn without_data(spec: &Path) -> Diagnostic {
    let message = format!("`{}` is a space of the standard library, without data of yours", spec.display());
    let help = format!(
        "write a spec that starts with `with {}` and has a `data` section; it may change anything else too",
        spec.with_extension("").display()
    );
    Diagnostic::error(Code::NOT_ALLOWED, message).help(help)
}

/// E0204 if every objective is on a target that is not compiled for.
fn no_objective(program: &Program, targets: &[&Target]) -> Option<Diagnostic> {
    if !figures::objectives(program, targets).is_empty() {
        return None;
    }
    let wanted: Vec<String> = program
        .objectives
        .iter()
        .map(|objective| {
            let target = objective.target.as_deref().unwrap_or_default();
            format!("`{}` on `{target}`", figures::metric_word(objective.metric))
        })
        .collect();
    let compiled: Vec<String> = targets.iter().map(|target| format!("`{}`", target.name)).collect();
    let message = format!(
        "no objective is left: {} would be decided on targets that are not compiled for, only {} is",
        wanted.join(" and "),
        compiled.join(", ")
    );
    Some(Diagnostic::error(Code::NOT_ALLOWED, message).help(
        "compile for a target of an objective too, or add one for every target, such as `maximize accuracy`",
    ))
}

/// Writes the files of a bundle. What was measured of another network goes.
pub(crate) fn write_bundle(files: &dyn Files, folder: &Path, bundle: &Bundle) -> Result<(), Diagnostic> {
    let report = bundle.text("report.json").unwrap_or_default();
    let measured = folder.join("measured.json");
    let same = files.read(&folder.join("report.json")).is_ok_and(|old| old == report.as_bytes());
    if !same && files.read(&measured).is_ok() {
        files.remove(&measured).map_err(|error| files::cannot_write(&measured, &error))?;
    }
    // The report has the hashes of the other files, so it comes last: a bundle that is cut short is seen to be.
    let (last, first): (Vec<_>, Vec<_>) = bundle.files.iter().partition(|(name, _)| *name == "report.json");
    for (name, content) in first.into_iter().chain(last) {
        files::write(files, &folder.join(name), content)?;
    }
    Ok(())
}

/// `build/<name>/<target>`, or what `-o` says; with several targets a folder for each in it.
pub(crate) fn folder_of(out: Option<&Path>, name: &str, target: &Target, n_targets: usize) -> PathBuf {
    match out {
        Some(out) if n_targets == 1 => out.to_path_buf(),
        Some(out) => out.join(&target.name),
        None => Path::new("build").join(name).join(&target.name),
    }
}

/// What the command line changes of the search; it counts as part of the section.
pub(super) fn override_search(program: &mut Program, options: &CompileOptions) {
    let mut remark = |text: String| {
        program.sections.entry("search".to_owned()).or_default().push_str(&text);
    };
    if let Some(seed) = options.seed.filter(|&seed| seed != program.search.seed) {
        program.search.seed = seed;
        remark(format!("\n--seed {seed}"));
    }
    if let Some(trials) = options.trials.filter(|&trials| trials != program.search.trials) {
        program.search.trials = trials.max(1);
        program.search.finalists = program.search.finalists.min(program.search.trials);
        remark(format!("\n--trials {trials}"));
    }
}

/// A network for each target, from the lock or from a search.
struct Networks {
    lock: Lock,
    networks: BTreeMap<String, StoredNetwork>,
    searched: bool,
    archive: Option<String>,
}

fn network(
    spec: &Path,
    program: &Program,
    targets: &[&Target],
    (options, folders): (&CompileOptions, &[PathBuf]),
    env: &Environment<'_>,
) -> Result<Networks, Diagnostic> {
    let (lock_path, weights_path) = locking::paths(spec);
    let lock = if options.research { None } else { Lock::read(env.files, &lock_path)? };
    let root = root_of(spec, options);
    let mut data = None;
    if !options.locked {
        let loaded = Prepared::load_with_noise(program, &root, Some(&cache_of(spec)));
        match &loaded {
            // A lock does without the data; data that is there and bad is never passed over.
            Err(error) if lock.is_none() || error.code != Code::DATA_MISSING => return Err(error.clone()),
            Err(error) => {
                env.progress.note(&format!("{}: the lock cannot be compared with it", error.message))
            }
            Ok(loaded) => loaded
                .loaded
                .warnings
                .iter()
                .for_each(|warning| env.progress.note(&format!("{}: {}", warning.code, warning.message))),
        }
        data = Some(loaded);
    }
    let mut kept = None;
    if let Some(lock) = lock {
        let hash = data.as_ref().and_then(|data| data.as_ref().ok()).map(|data| data.hash.as_str());
        match current(lock, program, targets, hash, &lock_path, options)? {
            Ok(lock) => match locking::read_weights(env.files, &weights_path, &lock) {
                Ok(Some(networks)) => return Ok(Networks { lock, networks, searched: false, archive: None }),
                Ok(None) if options.locked => return Err(missing(&weights_path)),
                Ok(None) => env.progress.note("the weights of the lock are missing: searching again"),
                Err(damaged) if options.locked => return Err(damaged),
                // A run that was killed between the two files leaves them apart.
                Err(damaged) => env.progress.note(&format!("{}: searching again", damaged.message)),
            },
            Err(Stale { why, lock, is_current: true }) => {
                // What it says of other targets still holds.
                let networks = locking::read_weights(env.files, &weights_path, &lock).ok().flatten();
                kept = networks.map(|networks| (lock, networks));
                env.progress.note(&format!("the lock lacks something ({}): searching", why.join(", ")));
            }
            Err(Stale { why, .. }) => {
                env.progress.note(&format!("the lock is stale ({}): searching again", why.join(", ")))
            }
        }
    } else if options.locked {
        return Err(missing(&lock_path));
    }
    let data = data.unwrap_or_else(|| Prepared::load_with_noise(program, &root, Some(&cache_of(spec))))?;
    let store = make_folders(spec, folders, env.files)?;
    let mut found = search_each(program, targets, &data, (spec, &store), options, env)?;
    found.lock.params.clone_from(&options.params);
    if let Some((lock, networks)) = kept {
        found.keep(&program.name, lock, networks);
    }
    files::write(env.files, &weights_path, &locking::weights_to_bytes(&found.networks))?;
    files::write(env.files, &lock_path, found.lock.to_text().as_bytes())?;
    Ok(Networks { lock: found.lock, networks: found.networks, searched: true, archive: Some(found.archive) })
}

/// One search for all targets, or one for each; the store answers what they have in common.
fn search_each(
    program: &Program,
    targets: &[&Target],
    data: &Prepared,
    places: (&Path, &Path),
    options: &CompileOptions,
    env: &Environment<'_>,
) -> Result<Found, Diagnostic> {
    let budget = options.budget.or(program.search.stop_seconds);
    let (&first, others) = match targets {
        [first, others @ ..] if program.search.is_network_each && !others.is_empty() => (first, others),
        _ => {
            let options = &CompileOptions { budget, ..options.clone() };
            return select::search(program, targets, data, places, options, env);
        }
    };
    let budget = budget.map(|budget| budget / targets.len() as u64);
    let options = &CompileOptions { budget, ..options.clone() };
    let one = |target: &Target| {
        env.progress.note(&format!("a network for {}", target.name));
        select::search(program, &[target], data, places, options, env)
    };
    let mut found = one(first)?;
    for target in others {
        let mut next = one(target)?;
        let archive = format!("{}\n{}", found.archive, next.archive);
        next.keep(&program.name, found.lock, found.networks);
        found = Found { archive, ..next };
    }
    Ok(found)
}

/// The folder that a spec's data paths are relative to.
pub(crate) fn root_of(spec: &Path, options: &CompileOptions) -> PathBuf {
    options.data.clone().unwrap_or_else(|| spec.parent().map(Path::to_path_buf).unwrap_or_default())
}

/// Where what was read of a spec's data is kept.
pub(crate) fn cache_of(spec: &Path) -> PathBuf {
    spec.with_file_name(".nasc").join("cache")
}

/// Where the trials of a spec are kept.
pub(crate) fn store_of(spec: &Path) -> PathBuf {
    spec.with_file_name(".nasc").join("trials.sqlite")
}

/// Makes the folders of store and bundles: what cannot be written at the end is better known before the search. Gives
/// the path of the store.
fn make_folders(spec: &Path, folders: &[PathBuf], files: &dyn Files) -> Result<PathBuf, Diagnostic> {
    let store = store_of(spec);
    if let Some(folder) = store.parent() {
        files.make_folder(folder).map_err(|error| {
            Diagnostic::error(Code::STORE, format!("cannot make the folder `{}`: {error}", folder.display()))
                .help("the trials are kept beside the spec: copy it to a folder that can be written")
        })?;
    }
    for folder in folders {
        files::make_folder(files, folder)?;
    }
    Ok(store)
}

/// Why a lock does not do.
struct Stale {
    why: Vec<String>,
    lock: Lock,
    /// Whether it still holds for the targets that it has.
    is_current: bool,
}

/// The lock if it says all that is asked for, else what changed; an error where `--locked` forbids to search.
fn current(
    lock: Lock,
    program: &Program,
    targets: &[&Target],
    data: Option<&str>,
    path: &Path,
    options: &CompileOptions,
) -> Result<Result<Lock, Stale>, Diagnostic> {
    let mut changed = match lock.staleness(program, data) {
        Staleness::Current => Vec::new(),
        Staleness::Stale(changed) => changed,
    };
    let hashes = locking::section_hashes(program);
    for section in ["requirements", "targets"] {
        if lock.sections.get(section) != hashes.get(section) && !options.locked {
            changed.push(format!("section `{section}`"));
        }
    }
    // `--locked` trains nothing.
    let engine = lock.other_engine(options.engine).filter(|_| !options.locked);
    if engine.is_some() {
        changed.push("the engine".to_owned());
    }
    let mut why: Vec<String> = Vec::new();
    let is_current = changed.is_empty();
    if !is_current {
        why.push(format!("{} changed", changed.join(", ")));
        why.extend(engine);
        why.extend(lock.other_params(&options.params));
    }
    let new = targets.iter().filter(|target| !lock.targets.contains_key(&target.name));
    why.extend(new.map(|target| format!("it has no network for target `{}`", target.name)));
    if why.is_empty() {
        return Ok(Ok(lock));
    }
    if options.locked {
        let message = format!("`{}` is stale: {}", path.display(), why.join(", "));
        return Err(Diagnostic::error(Code::LOCK_STALE, message)
            .help("run `nasc compile` without `--locked` and commit the new lock and weights"));
    }
    Ok(Err(Stale { why, lock, is_current }))
}

fn missing(path: &Path) -> Diagnostic {
    Diagnostic::error(
        Code::LOCK_MISSING,
        format!("`--locked` needs `{}`, which is not there", path.display()),
    )
    .help("run `nasc compile` without `--locked` once and commit the lock and the weights")
}
