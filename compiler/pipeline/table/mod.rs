//! `nasc table`: trains every network of a small space, for comparing strategies.

mod format;

use std::path::{Path, PathBuf};

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::Program;
use crate::pipeline::Failure;
use crate::pipeline::check::Loaded;
use crate::pipeline::compile::{CompileOptions, Environment, cache_of, override_search};
use crate::pipeline::files;
use crate::pipeline::locking::section_hashes;
use crate::pipeline::prepare::Prepared;
use crate::pipeline::select::{Listed, run, settings, with_study};
use crate::pipeline::study::{Point, Study};
use crate::search::{Archive, Entry, Settings, SqliteStore, Status};
use crate::space;

pub use format::{Head, Row, Table};

/// A space with more points is not enumerated.
const MOST_POINTS: usize = 100_000;

/// The sections that the figures of a table follow from.
const SECTIONS: [&str; 6] = ["data", "quantize", "requirements", "space", "targets", "train"];

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// Targets, `param`s, data, seed, jobs and engine.
    pub search: CompileOptions,
    /// Trainings of each network.
    pub seeds: usize,
}

/// What `table` made.
#[derive(Clone, Debug)]
pub struct Tabled {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes of the file.
    pub bytes: usize,
    /// The table.
    pub table: Table,
}

/// Trains every network of a spec's space that meets what is required of costs, several times, and writes a table.
/// Trials that the store has are not trained again, so the same command goes on after it was stopped.
///
/// # Errors
/// Mistakes of the spec, the data or the options; a space of too many points; files that cannot be written.
pub fn table(
    spec: &Path,
    out: &Path,
    options: &TableOptions,
    env: &Environment<'_>,
) -> Result<Tabled, Failure> {
    let mut loaded = Loaded::read(env.files, spec, &options.search.params)?;
    override_search(&mut loaded.program, &options.search);
    let targets = loaded.targets(&options.search.targets)?;
    let fail = |diagnostic: Diagnostic| loaded.failure(diagnostic);
    let program = &loaded.program;
    let points = points(program).map_err(fail)?;
    let root = options.search.data.clone();
    let root = root.unwrap_or_else(|| spec.parent().map(Path::to_path_buf).unwrap_or_default());
    let data = Prepared::load_with_noise(program, &root, Some(&cache_of(spec))).map_err(fail)?;
    let folder = spec.with_file_name(".nasc");
    files::make_folder(env.files, &folder).map_err(fail)?;
    let store = SqliteStore::open(&folder.join("trials.sqlite")).map_err(fail)?;
    let table = with_study(program, &targets, &data, &options.search, env, |study, _| {
        trained(study, &store, &points, options, env)
    });
    let table = table.map_err(fail)?;
    let bytes = table.to_bytes();
    files::write(env.files, out, &bytes).map_err(fail)?;
    Ok(Tabled { path: out.to_owned(), bytes: bytes.len(), table })
}

/// Every point of the space.
fn points(program: &Program) -> Result<Vec<Point>, Diagnostic> {
    let all = space::enumerate(&program.space, MOST_POINTS).ok_or_else(|| {
        let points = space::cardinality(&program.space).count;
        let message = format!("the space has {points} points, a table takes at most {MOST_POINTS}");
        Diagnostic::error(Code::RANGE, message).help("narrow the space: a table trains every network of it")
    })?;
    Ok(all.into_iter().map(|genome| Point::new(program, genome)).collect())
}

/// Trains all points, seed by seed.
fn trained(
    study: &Study<'_>,
    store: &SqliteStore,
    points: &[Point],
    options: &TableOptions,
    env: &Environment<'_>,
) -> Result<Table, Diagnostic> {
    // Every point is looked at, however many in a row are rejected.
    let every = |trials: usize| Settings {
        rejections: u64::MAX,
        duplicates: u64::MAX,
        ..settings(study.program, trials, &options.search, env)
    };
    let mut seeds: Vec<Archive<Point>> = Vec::new();
    let mut wanted: Vec<Point> = points.to_vec();
    for replicate in 0..options.seeds as u32 {
        let count = wanted.len();
        env.progress
            .stage(&format!("training {count} networks, {} of {}", replicate + 1, options.seeds), count);
        let again = wanted.iter().map(|point| Point { replicate, ..point.clone() });
        let listed: Vec<Point> = again.collect();
        let report = run(&mut Listed(listed.into_iter()), study, store, &every(count), 0, env)?;
        if replicate == 0 {
            wanted = report.archive.entries().iter().map(|entry| entry.genome.clone()).collect();
        }
        seeds.push(report.archive);
    }
    let Some(first) = seeds.first().filter(|first| !first.entries().is_empty()) else {
        let message = "no network of the space meets what is required of costs";
        return Err(Diagnostic::error(Code::INFEASIBLE, message).help("raise the limits of `require`"));
    };
    Ok(gathered(study, first, &seeds, points.len()))
}

/// The table of trainings, seed by seed in the same order.
fn gathered(study: &Study<'_>, first: &Archive<Point>, seeds: &[Archive<Point>], points: usize) -> Table {
    let program = study.program;
    let is_quality = |name: &str| crate::pipeline::figures::quality_of(name).is_some();
    let names = |wanted: bool| -> Vec<String> {
        let trained = first.entries().iter().find(|entry| entry.status == Status::Trained);
        let names = trained.or(first.entries().first()).into_iter().flat_map(|entry| entry.metrics.keys());
        names.filter(|name| is_quality(name) == wanted).cloned().collect()
    };
    let (costs, qualities) = (names(false), names(true));
    let figures = |entry: &Entry<Point>, names: &[String]| -> Vec<f64> {
        names.iter().map(|name| entry.metrics.get(name).copied().unwrap_or(f64::NAN)).collect()
    };
    let quality =
        |entry: &Entry<Point>| (entry.status == Status::Trained).then(|| figures(entry, &qualities));
    let row = |(place, entry): (usize, &Entry<Point>)| Row {
        genome: entry.genome.text.clone(),
        costs: figures(entry, &costs),
        qualities: seeds.iter().map(|seed| seed.entries().get(place).and_then(quality)).collect(),
    };
    let rows: Vec<Row> = first.entries().iter().enumerate().map(row).collect();
    let mut sections = section_hashes(program);
    sections.retain(|name, _| SECTIONS.contains(&name.as_str()));
    let head = Head {
        version: Head::VERSION,
        name: program.name.clone(),
        data: study.data.hash.clone(),
        sections,
        seed: program.search.seed,
        seeds: seeds.len(),
        left_out: points - rows.len(),
        costs,
        qualities,
    };
    Table { head, rows }
}
