//! The arguments.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nasc::pipeline::{Scope, Stage};

/// A compiler for TinyML neural architecture search.
#[derive(Debug, Parser)]
#[command(
    name = "nasc",
    version,
    about = "From a search space in a .nas file to a verified int8 network in C",
    after_help = "Example:\n  nasc compile examples/vowels/vowels.nas --target cortex-m4\n\n\
                  Exit codes: 0 good, 1 the spec, data or result is bad, 2 wrong usage, 101 a bug of nasc,\n\
                  130 ended at once by a second Ctrl-C; finished trials are kept, whatever ends a search"
)]
pub(crate) struct Cli {
    /// How results and messages are printed.
    #[arg(long, value_enum, default_value = "human", global = true)]
    pub(crate) format: Format,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Forms of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Human,
    /// For programs.
    Json,
    /// Messages as a SARIF log, for code scanning; results as for people.
    Sarif,
    /// Messages as annotations of a pull request; results as for people.
    Github,
}

/// What nasc can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a spec, and draw from its space to see how much of it fits.
    #[command(after_help = "Example:\n  nasc check examples/vowels/vowels.nas --target cortex-m4")]
    Check {
        /// The spec.
        spec: PathBuf,
        /// Target to try the space on; may be given several times.
        #[arg(long = "target", value_name = "NAME")]
        targets: Vec<String>,
        /// Value of a `param` instead of the spec's; may be given several times.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
        params: Vec<(String, String)>,
        /// Points to draw; without it as many as about 50 ms allow.
        #[arg(long, value_name = "N", value_parser = parse_trials)]
        samples: Option<usize>,
    },
    /// What a spec's data really holds, and what a network will see of it.
    #[command(after_help = "Examples:\n  nasc data examples/vowels/vowels.nas\n  \
                            nasc data kws.nas --data recordings --html kws.html\n\n\
                            Warnings do not change the exit code; data that no network can be trained on does.")]
    Data(DataArgs),
    /// Search, train, quantize, plan and emit; or emit from the lock if it is current, or a model of TensorFlow Lite.
    #[command(after_help = "Examples:\n  nasc compile kws.nas --target cortex-m4 -o build/kws\n  \
                            nasc compile model.tflite --target cortex-m4")]
    Compile(CompileArgs),
    /// Search and retrain, and write lock and weights but no bundle; or say how a search stands.
    #[command(
        after_help = "Examples:\n  nasc search kws.nas --budget 8h\n  nasc search kws.nas --status\n\n\
                            `--status` takes the options of the search, since another seed is another search."
    )]
    Search(SearchArgs),
    /// What a search would cost, and what of it is known already.
    #[command(
        after_help = "Examples:\n  nasc plan kws.nas --target cortex-m4\n  nasc plan kws.nas --jobs 8 --no-measure"
    )]
    Plan(PlanArgs),
    /// What a model of TensorFlow Lite is, whether all of it has a form in nasc, and what it costs on targets.
    #[command(after_help = "Examples:\n  nasc import model.tflite\n  \
                            nasc import model.tflite --target cortex-m4 --target rp2040\n\n\
                            What has no form is listed with operator and tensor, all of it at once; the exit code is 1 then.")]
    Import {
        /// The `.tflite` file.
        model: PathBuf,
        /// Target to estimate it on; may be given several times.
        #[arg(long = "target", value_name = "NAME")]
        targets: Vec<String>,
    },
    /// The int8 network of a lock or of a bundle as a model of TensorFlow Lite, for LiteRT and TFLM.
    #[command(after_help = "Examples:\n  nasc export examples/vowels/vowels.nas -o vowels.tflite\n  \
                            nasc export build/vowels/cortex-m4 -o vowels.tflite\n\n\
                            A spec needs its lock and weights; nothing is searched or trained. The model begins behind the front \
                            end. LiteRT's reference kernels run it to the same bytes; what cannot be written so is listed with its \
                            layer, all of it at once, and the exit code is 1 then.")]
    Export(ExportArgs),
    /// Quality of the locked integer network, or of a bundle's, on data.
    #[command(after_help = "Examples:\n  nasc eval examples/vowels/vowels.nas --data recordings\n  \
                            nasc eval kws.nas --data new_recordings --split all\n  \
                            nasc eval build/vowels/cortex-m4 --data recordings/new.ts\n  \
                            nasc eval build/kws/cortex-m4 --data words.tar.gz")]
    Eval {
        /// A spec with its lock, or a bundle's folder.
        input: PathBuf,
        /// Spec: the folder of the data. Bundle: a folder or archive of class folders, a `.ts` file, or a spec whose
        /// section `data` is read instead.
        #[arg(long, value_name = "PATH")]
        data: Option<PathBuf>,
        /// The samples that are scored where the data has parts; `all` for data that the network was not made with.
        #[arg(long, value_name = "PART", default_value = "test", value_parser = parse_scope)]
        split: Scope,
        /// The target whose network is meant, where they differ.
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
        /// Value of a `param`, as it was given to `compile`; may be given several times.
        #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
        params: Vec<(String, String)>,
    },
    /// What is known of a network: quality, search, memory over time, layers, classes, rewrites; as text or as a page.
    #[command(after_help = "Examples:\n  nasc report examples/vowels/vowels.nas\n  \
                            nasc report build/vowels/cortex-m4 -o vowels.html\n\n\
                            A spec needs its lock and weights; nothing is searched or trained. A bundle shows what a \
                            device measured too.")]
    Report(ReportArgs),
    /// What differs between two locks, specs or bundles: quality, costs, decisions, and what they follow from.
    #[command(after_help = "Examples:\n  nasc diff old.nas.lock kws.nas.lock\n  \
                            nasc diff build/kws/cortex-m4 kws.nas --exit-code")]
    Diff(DiffArgs),
    /// Prove a bundle: evaluator, interpreter, host code, host kernels, C on the host and on the emulated chip, byte by byte.
    #[command(after_help = "Examples:\n  nasc verify build/vowels/cortex-m4\n  \
                            nasc verify model.tflite --against run.npz\n\n\
                            The emitted C is compiled and run on this machine; --emulator-only does not do that. With \
                            --against each layer of a model is compared with the tensors of a run by another engine, by \
                            their names; the exit code is 1 if one differs.")]
    Verify {
        /// The bundle's folder, or with `--against` a `.tflite` file.
        bundle: PathBuf,
        /// Arrays of a run of the model by the names of its tensors, inputs among them, of `numpy.savez`.
        #[arg(long, value_name = "FILE", conflicts_with = "emulator_only")]
        against: Option<PathBuf>,
        /// Do not run the bundle's C natively.
        #[arg(long)]
        emulator_only: bool,
    },
    /// Train every network of a small space, and write a table on which strategies are compared without training.
    #[command(
        after_help = "Example:\n  nasc table tests/benches/tables/vowels.nas --target cortex-m4 --seeds 3 \
                            -o vowels.table.gz\n\nStopped at any moment, the same command goes on."
    )]
    Table(TableArgs),
    /// Put specs in their one layout.
    #[command(after_help = "Examples:\n  nasc fmt kws.nas\n  nasc fmt --check examples/*/*.nas\n  \
                            nasc fmt --stdin < kws.nas")]
    Fmt(FmtArgs),
    /// What a code such as E0304 means; all of them without one.
    #[command(after_help = "Example:\n  nasc explain E0304")]
    Explain {
        /// The code.
        code: Option<String>,
    },
    /// The targets of the standard library.
    #[command(after_help = "Example:\n  nasc targets --format json")]
    Targets,
    /// The tools that verification needs, and the packages that bring them.
    #[command(after_help = "Example:\n  nasc doctor")]
    Doctor,
}

/// Arguments of `data`.
#[derive(Debug, Args)]
pub(crate) struct DataArgs {
    /// The spec.
    pub(crate) spec: PathBuf,
    /// Folder that the spec's data paths are relative to. Default: the spec's.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Value of a `param` instead of the spec's; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(crate) params: Vec<(String, String)>,
    /// Also write a page for a browser that shows samples of every class.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Samples of each class on the page, at most 100.
    #[arg(long, value_name = "N", default_value = "8", value_parser = parse_samples, requires = "html")]
    pub(crate) samples: usize,
}

/// What a search needs to know, whatever becomes of its result.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// The spec; `compile` also takes a `.tflite` file.
    pub(crate) spec: PathBuf,
    /// Target to compile for; may be given several times. Default: those that the spec names.
    #[arg(long = "target", value_name = "NAME")]
    pub(crate) targets: Vec<String>,
    /// Value of a `param` instead of the spec's, such as `--set width=16`; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(crate) params: Vec<(String, String)>,
    /// Folder that the spec's data paths are relative to. Default: the spec's.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Seed instead of the spec's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
    /// Trials at once. Default: the number of cores. Changes nothing in the result.
    #[arg(short, long, value_name = "N", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,
    /// What trains. Default: embedded. The engine torch needs a nasc that is built with it, and its results are not
    /// the same on every machine.
    #[arg(long, value_enum, value_name = "NAME")]
    pub(crate) engine: Option<EngineName>,
    /// Trials instead of the spec's.
    #[arg(long, value_name = "N", value_parser = parse_trials)]
    pub(crate) trials: Option<usize>,
    /// Start no new trial after this time, such as 90s, 15min or 2h. Default: what the spec says by `stop`, else none.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub(crate) budget: Option<Seconds>,
    /// Search even if the lock is current.
    #[arg(long)]
    pub(crate) research: bool,
    /// Also write the search's archive in its canonical form.
    #[arg(long, value_name = "FILE")]
    pub(crate) archive: Option<PathBuf>,
}

/// Arguments of `compile`.
#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Folder of the bundle. Default: build/<name>/<target>.
    #[arg(short, long = "out-dir", value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Take the network of the lock; fail if the lock is stale or missing. Needs no data.
    #[arg(long, conflicts_with = "research")]
    pub(crate) locked: bool,
    /// Name of the bundle instead of the model's.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Do not compile and run the bundle.
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// Model with real numbers, or integers without a sign, as inputs or outputs: leave out the functions that bring them
    /// to the network's integers and back.
    #[arg(long)]
    pub(crate) strip_borders: bool,
    /// Print a pass's output for a random point of the space instead, as `ir:after=PASS`.
    #[arg(long, value_name = "ir:after=PASS", value_parser = parse_emit)]
    pub(crate) emit: Option<EmitStage>,
}

/// Arguments of `search`.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Say how the search stands that runs, or ran last; from another terminal, and without being in its way.
    #[arg(long, conflicts_with_all = ["research", "archive"])]
    pub(crate) status: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Do not train for a moment to see how long an epoch takes.
    #[arg(long)]
    pub(crate) no_measure: bool,
}

/// Arguments of `table`.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// The spec.
    pub(crate) spec: PathBuf,
    /// The table, lines of JSON in gzip.
    #[arg(short, long = "out", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Target whose costs the table has; may be given several times. Default: those that the spec names.
    #[arg(long = "target", value_name = "NAME")]
    pub(crate) targets: Vec<String>,
    /// Trainings of each network, with different seeds.
    #[arg(long, value_name = "N", default_value = "3", value_parser = parse_trials)]
    pub(crate) seeds: usize,
    /// Value of a `param` instead of the spec's; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(crate) params: Vec<(String, String)>,
    /// Folder that the spec's data paths are relative to. Default: the spec's.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Seed instead of the spec's.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) seed: Option<u64>,
    /// Trials at once. Default: the number of cores. Changes nothing in the result.
    #[arg(short, long, value_name = "N", value_parser = parse_jobs)]
    pub(crate) jobs: Option<usize>,
}

/// Engines that train.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// Part of every nasc: the same bits on every processor and any number of threads.
    Embedded,
    /// libtorch, in a nasc that is built with `--features torch`.
    Torch,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// A spec with its lock and weights, or a bundle's folder.
    pub(crate) input: PathBuf,
    /// The model, a `.tflite` file.
    #[arg(short, long = "output", value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// The target whose network is meant, where they differ.
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// Value of a `param`, as it was given to `compile`; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(crate) params: Vec<(String, String)>,
    /// Fail where LiteRT gives another byte for any input: its dense layers round by doubles, so that a sum may end on
    /// the other side of a tie. Without it that is a warning.
    #[arg(long)]
    pub(crate) exact: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// A spec with its lock, or a bundle's folder.
    pub(crate) input: PathBuf,
    /// Write a page for a browser: one file that needs no network.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Target to report on; may be given several times. Default: all that the lock has.
    #[arg(long = "target", value_name = "NAME")]
    pub(crate) targets: Vec<String>,
    /// Value of a `param`, as it was given to `compile`; may be given several times.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = parse_set)]
    pub(crate) params: Vec<(String, String)>,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The old one: a lock, a spec with its lock, or a bundle's folder.
    pub(crate) old: PathBuf,
    /// The new one.
    pub(crate) new: PathBuf,
    /// Target to compare on; may be given several times. Default: all.
    #[arg(long = "target", value_name = "NAME")]
    pub(crate) targets: Vec<String>,
    /// End with 1 if anything differs, with 0 if nothing does.
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// Arguments of `fmt`.
#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// The files; `-` alone is the standard input.
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin")]
    pub(crate) files: Vec<PathBuf>,
    /// Change nothing; show what would change, and fail if anything would.
    #[arg(long)]
    pub(crate) check: bool,
    /// Format the standard input to the standard output.
    #[arg(long)]
    pub(crate) stdin: bool,
}

/// A time in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds(pub(crate) u64);

/// A stage to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EmitStage(pub(crate) Stage);

fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("must be an integer of at least 1".into()),
        Ok(number) => Ok(number),
    }
}

fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("must be `name=value`, such as `width=16` or `kernel={3, 5}`".into()),
    }
}

fn parse_jobs(text: &str) -> Result<usize, String> {
    positive(text)
}

fn parse_trials(text: &str) -> Result<usize, String> {
    positive(text)
}

fn parse_samples(text: &str) -> Result<usize, String> {
    positive(text).ok().filter(|&n| n <= 100).ok_or_else(|| "must be an integer from 1 to 100".to_owned())
}

fn parse_time(text: &str) -> Result<Seconds, String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 =
        number.parse().map_err(|_| "must be a number with a unit: 90s, 15min, 2h".to_owned())?;
    let seconds = match unit.trim() {
        "s" => 1,
        "min" => 60,
        "h" => 3600,
        _ => return Err("the unit must be s, min or h".into()),
    };
    number.checked_mul(seconds).map(Seconds).ok_or_else(|| "is too long".into())
}

fn parse_emit(text: &str) -> Result<EmitStage, String> {
    let names: Vec<&str> = Stage::ALL.iter().map(|(name, _)| *name).collect();
    let name = text.strip_prefix("ir:after=");
    let stage = name.and_then(|name| Stage::ALL.iter().find(|(known, _)| *known == name));
    stage
        .map(|(_, stage)| EmitStage(*stage))
        .ok_or_else(|| format!("must be `ir:after=PASS` with one of {}", names.join(", ")))
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    let all = [Scope::Test, Scope::Val, Scope::Train, Scope::All];
    all.into_iter()
        .find(|scope| scope.name() == text)
        .ok_or_else(|| "the parts are test, val, train and all".to_owned())
}
