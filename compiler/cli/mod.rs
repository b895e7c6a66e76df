//! Commands: each reads its arguments, calls the pipeline, and shows the result.

#![allow(clippy::disallowed_methods, reason = "the command line is where the environment is read")]

mod args;
mod bars;
mod data;
mod export;
mod fmt;
mod memory;
mod model;
mod plan;
mod report;
mod search;
mod show;
mod standing;
mod table;
mod world;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;
use nasc::device;
use nasc::diagnostic::{self, Code, Diagnostic, Diagnostics, Style};
use nasc::pipeline::{self, CheckOptions, CompileOptions, Compiled, Environment, Failure, Scope, Stage};
use nasc::train::EngineKind;
use serde_json::json;

use crate::cli::args::{Cli, Command, Common, CompileArgs, EngineName, Format};
use crate::cli::bars::Bars;
use crate::cli::world::{Disk, WallClock};

/// Exit code for a bad spec, bad data or a bad result.
const BAD: u8 = 1;

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    memory::return_large_blocks();
    std::panic::set_hook(Box::new(show::bug));
    let format = cli.format;
    let result = match cli.command {
        Command::Check { spec, targets, params, samples } => {
            let options = CheckOptions { targets, params: params.into_iter().collect(), samples };
            check(&spec, &options, format)
        }
        Command::Data(args) => data::data(&args, format),
        Command::Compile(args) => compile(&args, format),
        Command::Search(args) => search::search(&args, format),
        Command::Plan(args) => plan::plan(&args, format),
        Command::Eval { input, data, split, target, params } => {
            eval(&input, data.as_deref(), (target.as_deref(), split), &params.into_iter().collect(), format)
        }
        Command::Report(args) => report::report(&args, format),
        Command::Diff(args) => report::diff(&args, format),
        Command::Verify { bundle: model, against: Some(run), .. } => model::compare(&model, &run, format),
        Command::Verify { bundle, emulator_only, against: None } => verify(&bundle, emulator_only, format),
        Command::Table(args) => table::table(&args, format),
        Command::Import { model, targets } => model::import(&model, &targets, format),
        Command::Export(args) => export::export(&args, format),
        Command::Fmt(args) => fmt::fmt(&args, format),
        Command::Explain { code } => explain(code.as_deref(), format),
        Command::Targets => targets(format),
        Command::Doctor => doctor(format),
    };
    match result {
        Ok(code) => code,
        Err(failure) => {
            show_diagnostics(&failure, format);
            ExitCode::from(BAD)
        }
    }
}

type Outcome = Result<ExitCode, Failure>;

/// Prints a result on stdout; a reader that went away is no error.
fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes());
}

fn print_json(value: &serde_json::Value) {
    print(&(serde_json::to_string_pretty(value).expect("plain data serializes") + "\n"));
}

fn style() -> Style {
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    if plain || !std::io::IsTerminal::is_terminal(&std::io::stderr()) { Style::Plain } else { Style::Colour }
}

fn show_diagnostics(failure: &Failure, format: Format) {
    let Failure { sources, diagnostics } = failure;
    if diagnostics.0.is_empty() {
        return;
    }
    let text = match format {
        Format::Human => diagnostic::render(diagnostics, sources, style()),
        Format::Json => diagnostic::to_json(diagnostics, sources).to_string() + "\n",
        Format::Sarif => diagnostic::to_sarif(diagnostics, sources).to_string() + "\n",
        Format::Github => diagnostic::to_github(diagnostics, sources),
    };
    let _ = std::io::stderr().write_all(text.as_bytes());
}

fn show_warnings(warnings: &Diagnostics, sources: &nasc::source::SourceMap, format: Format) {
    show_diagnostics(&Failure { sources: sources.clone(), diagnostics: warnings.clone() }, format);
}

fn check(spec: &Path, options: &CheckOptions, format: Format) -> Outcome {
    let bars = Bars::patient(format == Format::Human);
    let result = pipeline::check(&Disk, spec, options, &bars);
    bars.clear();
    if matches!(format, Format::Sarif | Format::Github) {
        // Here the messages are the result.
        let (failure, code) = match result {
            Ok(checked) => {
                (Failure { sources: checked.sources, diagnostics: checked.warnings }, ExitCode::SUCCESS)
            }
            Err(failure) => (failure, ExitCode::from(BAD)),
        };
        match format {
            Format::Sarif => print_json(&diagnostic::to_sarif(&failure.diagnostics, &failure.sources)),
            _ => print(&diagnostic::to_github(&failure.diagnostics, &failure.sources)),
        }
        return Ok(code);
    }
    let checked = result?;
    show_warnings(&checked.warnings, &checked.sources, format);
    match format {
        Format::Json => print_json(&json!(checked)),
        _ => print(&show::checked(&checked)),
    }
    Ok(ExitCode::SUCCESS)
}

fn options(args: &Common) -> Result<CompileOptions, Failure> {
    let engine = args.engine.map(|engine| match engine {
        EngineName::Embedded => EngineKind::named("embedded"),
        EngineName::Torch => EngineKind::named("torch"),
    });
    Ok(CompileOptions {
        targets: args.targets.clone(),
        params: args.params.iter().cloned().collect(),
        data: args.data.clone(),
        seed: args.seed,
        jobs: args.jobs.unwrap_or_else(world::n_cores),
        engine: engine.transpose()?,
        trials: args.trials,
        budget: args.budget.map(|budget| budget.0),
        research: args.research,
        memory: world::memory(),
        ..CompileOptions::default()
    })
}

fn compile(args: &CompileArgs, format: Format) -> Outcome {
    if pipeline::is_model(&args.common.spec) {
        return model::compile(args, format);
    }
    if args.strip_borders {
        return Err(Diagnostic::error(
            Code::NOT_ALLOWED,
            "`--strip-borders` is about models, and this is a spec",
        )
        .help("leave it out")
        .into());
    }
    let (out, name) = (args.out.clone(), args.name.clone());
    let options = CompileOptions { out, name, locked: args.locked, ..options(&args.common)? };
    let spec = &args.common.spec;
    if let Some(stage) = args.emit {
        let (_, stage) = Stage::ALL.into_iter().find(|(_, known)| *known == stage.0).expect("a known stage");
        print(&pipeline::stage_text(&Disk, spec, &options, stage)?);
        return Ok(ExitCode::SUCCESS);
    }
    let bars = Bars::ticking(format == Format::Human);
    let cancel = world::cancelled();
    let env = Environment { files: &Disk, clock: &WallClock, cancel, progress: &bars };
    let compiled = pipeline::compile(spec, &options, &env);
    bars.stop_following();
    let compiled = compiled?;
    show_warnings(&compiled.warnings, &compiled.sources, format);
    search::write_archive(&args.common, compiled.archive.as_deref(), format)?;
    finish_compile(&compiled, args, &bars, format)
}

/// Verifies what was written and shows it.
fn finish_compile(compiled: &Compiled, args: &CompileArgs, bars: &Bars, format: Format) -> Outcome {
    use nasc::pipeline::Progress as _;
    let mut shown = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for written in &compiled.bundles {
        let verified = if args.no_verify {
            None
        } else {
            bars.stage(&format!("verifying {}", written.folder.display()), 0);
            match pipeline::verify(&Disk, &written.folder, false, &pipeline::Silent) {
                // A compiler or an emulator hears Ctrl-C too and ends badly.
                _ if world::is_cancelled() => {
                    bars.clear();
                    let folder = written.folder.display();
                    return Err(Diagnostic::error(
                        Code::CANCELLED,
                        "stopped before all bundles were verified",
                    )
                    .note("all of them are written")
                    .help(format!("`nasc verify {folder}` verifies this one"))
                    .into());
                }
                Ok(verified) => Some(verified),
                Err(failure) => {
                    let mut diagnostics = failure.diagnostics.clone();
                    let missing = diagnostics.0.iter().all(|d| d.code == Code::TOOL_MISSING);
                    if missing {
                        diagnostics = unverified(&written.folder, diagnostics).into();
                    } else {
                        code = ExitCode::from(BAD);
                    }
                    bars.clear();
                    show_diagnostics(&Failure { diagnostics, ..failure }, format);
                    None
                }
            }
        };
        shown.push((written, verified));
    }
    bars.clear();
    match format {
        Format::Json => {
            let bundles: Vec<_> = shown
                .iter()
                .map(|(written, verified)| {
                    json!({
                        "folder": written.folder.display().to_string(), "report": written.emitted.report,
                        "measured": verified.as_ref().map(|verified| &verified.measured),
                        "verified": verified.is_some(),
                    })
                })
                .collect();
            print_json(&json!({ "searched": compiled.searched, "bundles": bundles }));
        }
        _ => {
            for (written, verified) in &shown {
                print(&show::bundle(compiled, written, verified.as_ref()));
            }
        }
    }
    Ok(code)
}

fn unverified(folder: &Path, missing: Diagnostics) -> Diagnostic {
    let message = format!("the bundle in `{}` is written but not verified", folder.display());
    let diagnostic = Diagnostic::warning(Code::UNVERIFIED, message);
    missing.0.iter().fold(diagnostic, |diagnostic, cause| {
        let diagnostic = diagnostic.note(cause.message.clone());
        cause.help.iter().fold(diagnostic, |diagnostic, help| diagnostic.help(help.clone()))
    })
}

fn eval(
    input: &Path,
    data: Option<&Path>,
    target: (Option<&str>, Scope),
    params: &BTreeMap<String, String>,
    format: Format,
) -> Outcome {
    let evaluated = if input.is_dir() {
        let Some(data) = data else {
            return Err(Diagnostic::error(Code::DATA_MISSING, "a bundle does not know where its data is")
                .help("add `--data PATH`: a folder or archive of class folders, a `.ts` file, or a spec")
                .into());
        };
        pipeline::evaluate_bundle(&Disk, input, data, target.1, params)?
    } else {
        pipeline::evaluate_spec(&Disk, input, data, target, params)?
    };
    match format {
        Format::Json => print_json(&json!(evaluated)),
        _ => print(&show::evaluated(&evaluated)),
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(bundle: &Path, emulator_only: bool, format: Format) -> Outcome {
    if pipeline::is_model(bundle) {
        let message = format!("`{}` is a model, and what is verified is a bundle", bundle.display());
        return Err(Diagnostic::error(Code::NOT_ALLOWED, message)
            .help("`nasc compile` makes its bundle and verifies it; `--against RUN` compares the model with a run")
            .into());
    }
    let bars = Bars::patient(format == Format::Human);
    let verified = pipeline::verify(&Disk, bundle, emulator_only, &bars);
    bars.clear();
    let verified = verified?;
    match format {
        Format::Json => print_json(&json!(verified)),
        _ => print(&show::verified(&verified)),
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(code: Option<&str>, format: Format) -> Outcome {
    let all: Vec<(Code, &str)> = diagnostic::all_codes().collect();
    let chosen = match code {
        None => all,
        Some(text) => match Code::parse(text) {
            Some(code) => vec![(code, diagnostic::explain(code))],
            None => {
                let known: Vec<String> = all.iter().map(|(code, _)| code.to_string()).collect();
                return Err(Diagnostic::error(Code::UNKNOWN_NAME, format!("there is no code `{text}`"))
                    .help(format!("known are {}", known.join(", ")))
                    .into());
            }
        },
    };
    match format {
        Format::Json => {
            let list: Vec<_> = chosen
                .iter()
                .map(|(code, text)| json!({ "code": code.to_string(), "explanation": text }))
                .collect();
            print_json(&json!(list));
        }
        _ => {
            for (code, text) in chosen {
                print(&format!("{code}\n{}\n\n", show::wrap(text, 88)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn targets(format: Format) -> Outcome {
    let targets = nasc::elaborate::stdlib_targets();
    match format {
        Format::Json => print_json(&json!(targets)),
        _ => print(&show::targets(&targets)),
    }
    Ok(ExitCode::SUCCESS)
}

fn doctor(format: Format) -> Outcome {
    let tools = device::tools();
    match format {
        Format::Json => print_json(&json!(tools)),
        _ => print(&show::tools(&tools)),
    }
    Ok(ExitCode::SUCCESS)
}
