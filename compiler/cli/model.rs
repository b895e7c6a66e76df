//! `nasc import` and `nasc compile` of a model of TensorFlow Lite.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use nasc::diagnostic::{Code, Diagnostic};
use nasc::pipeline::{
    self, Compared, Difference, Environment, ImportReport, ModelOptions, PortSummary, Stage,
};
use nasc::report::bytes_text;
use serde_json::json;

use super::args::{CompileArgs, Format};
use super::bars::Bars;
use super::show::clean;
use super::world::{self, Disk, WallClock};
use super::{BAD, Outcome, finish_compile, print, print_json};

/// Columns of a name that somebody else gave.
const NAME: usize = 60;
/// Tensors that are listed.
const DIFFERENCES: usize = 20;

pub(super) fn import(model: &Path, targets: &[String], format: Format) -> Outcome {
    let report = pipeline::import(model, targets, &Disk)?;
    match format {
        Format::Json => print_json(&json!(report)),
        _ => print(&text(&report)),
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes bundles of a model and verifies them.
pub(super) fn compile(args: &CompileArgs, format: Format) -> Outcome {
    if let Some(option) = of_searches(args) {
        let message = format!("`{option}` is about a search, and a model is compiled as it is");
        return Err(Diagnostic::error(Code::NOT_ALLOWED, message).help("leave it out").into());
    }
    let options = ModelOptions {
        targets: args.common.targets.clone(),
        out: args.out.clone(),
        name: args.name.clone(),
        strip_borders: args.strip_borders,
    };
    let model = &args.common.spec;
    if let Some(stage) = args.emit {
        let (_, stage) = Stage::ALL.into_iter().find(|(_, known)| *known == stage.0).expect("a known stage");
        print(&pipeline::model_stage_text(&Disk, model, &options, stage)?);
        return Ok(ExitCode::SUCCESS);
    }
    let bars = Bars::ticking(format == Format::Human);
    let env = Environment { files: &Disk, clock: &WallClock, cancel: world::cancelled(), progress: &bars };
    let compiled = pipeline::compile_model(model, &options, &env);
    bars.stop_following();
    finish_compile(&compiled?, args, &bars, format)
}

/// Shows where a run of another engine differs.
pub(super) fn compare(model: &Path, run: &Path, format: Format) -> Outcome {
    if !pipeline::is_model(model) {
        let message = format!("`--against` is about a model, and `{}` is no `.tflite` file", model.display());
        return Err(Diagnostic::error(Code::NOT_ALLOWED, message)
            .help("give the model; `nasc verify BUNDLE` compares a bundle with its own golden vectors")
            .into());
    }
    let compared = pipeline::compare_model(&Disk, model, run)?;
    match format {
        Format::Json => print_json(&json!({ "first": compared.first(), "compared": compared })),
        _ => print(&compared_text(&compared)),
    }
    Ok(if compared.first().is_some() { ExitCode::from(BAD) } else { ExitCode::SUCCESS })
}

fn compared_text(compared: &Compared) -> String {
    let differing = compared.tensors.iter().filter(|tensor| tensor.differing > 0);
    let count = compared.tensors.len();
    let Some(first) = compared.first() else {
        return format!("all {count} tensors that both have are equal\n");
    };
    let Difference { operator, kind, tensor, .. } = first;
    let mut out = format!(
        "operator {operator}, {}, is the first that differs: tensor `{}`\n",
        clean(kind, NAME),
        clean(tensor, NAME)
    );
    let differing: Vec<_> = differing.collect();
    let _ = writeln!(out, "{} of {count} tensors differ:", differing.len());
    for tensor in differing.iter().take(DIFFERENCES) {
        let Difference { operator, kind, elements, differing, greatest, first, .. } = tensor;
        let first = first.map(|(at, found, run)| format!("; element {at} is {found} here and {run} there"));
        let _ = writeln!(
            out,
            "  {operator:>4} {:<20} {differing} of {elements} elements, by {greatest} at most{}",
            clean(kind, NAME),
            first.unwrap_or_default()
        );
    }
    if differing.len() > DIFFERENCES {
        let _ = writeln!(out, "  and {} more", differing.len() - DIFFERENCES);
    }
    out
}

/// The first option that only a search has a use for.
fn of_searches(args: &CompileArgs) -> Option<&'static str> {
    let common = &args.common;
    let given = [
        (!common.params.is_empty(), "--set"),
        (common.data.is_some(), "--data"),
        (common.seed.is_some(), "--seed"),
        (common.engine.is_some(), "--engine"),
        (common.trials.is_some(), "--trials"),
        (common.budget.is_some(), "--budget"),
        (common.research, "--research"),
        (common.archive.is_some(), "--archive"),
        (args.locked, "--locked"),
    ];
    given.into_iter().find_map(|(is_given, name)| is_given.then_some(name))
}

fn text(report: &ImportReport) -> String {
    let mut out = format!("{}: all operators have a form\n", clean(&report.file, NAME));
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<11}{text}");
    };
    report.inputs.iter().for_each(|input| line("input", port(input, "behind")));
    report.outputs.iter().for_each(|output| line("output", port(output, "before")));
    let operators: Vec<String> =
        report.operators.iter().map(|(name, count)| format!("{count} {}", clean(name, NAME))).collect();
    line("operators", operators.join(", "));
    line("work", format!("{} multiply-accumulates", report.macs));
    for cost in &report.costs {
        let [ram, flash] = [cost.ram_bytes, cost.flash_bytes].map(bytes_text);
        let latency = format!("{:.1} ms", cost.latency_seconds * 1e3);
        let fits = if cost.fits { "" } else { "; does not fit" };
        line(&cost.target, format!("{ram} RAM, {flash} flash, {latency} estimated{fits}"));
    }
    out
}

fn port(port: &PortSummary, side: &str) -> String {
    let PortSummary { name, element, shape, scale, zero_point, border } = port;
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let border =
        border.as_ref().map_or_else(String::new, |border| format!("; the network is {side} {border}"));
    let name = clean(name, NAME);
    format!("{name} {element} [{}], scale {scale}, zero point {zero_point}{border}", extents.join(", "))
}
