//! `nasc export`: a network as a model of TensorFlow Lite.

use std::fmt::Write as _;
use std::process::ExitCode;

use nasc::pipeline::{self, ExportOptions, ExportReport, ExportedEnd};
use nasc::report::bytes_text;
use serde_json::json;

use super::args::{ExportArgs, Format};
use super::show::clean;
use super::world::Disk;
use super::{Outcome, print, print_json, show_warnings};

/// Columns of a name that a file has.
const NAME: usize = 60;
/// Columns of the names of all classes.
const CLASSES: usize = 90;

pub(super) fn export(args: &ExportArgs, format: Format) -> Outcome {
    let options = ExportOptions {
        target: args.target.clone(),
        params: args.params.iter().cloned().collect(),
        exact: args.exact,
    };
    let report = if args.input.is_dir() {
        pipeline::export_bundle(&Disk, &args.input, &args.out, &options)?
    } else {
        pipeline::export_spec(&Disk, &args.input, &args.out, &options)?
    };
    show_warnings(&report.warnings, &report.sources, format);
    match format {
        Format::Json => print_json(&json!(report)),
        _ => print(&text(&report)),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(report: &ExportReport) -> String {
    let target = report.target.as_ref().map_or_else(String::new, |target| format!(" for {target}"));
    let mut out = format!("{}{target} in {}, {}\n", report.name, report.file, bytes_text(report.bytes));
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<11}{text}");
    };
    report.inputs.iter().for_each(|input| line("input", &end(input)));
    report.outputs.iter().for_each(|output| line("output", &end(output)));
    if !report.classes.is_empty() {
        line("classes", &clean(&report.classes.join(", "), CLASSES));
    }
    let operators: Vec<String> =
        report.operators.iter().map(|(name, count)| format!("{count} {name}")).collect();
    line("operators", &operators.join(", "));
    if let Some(front_end) = &report.front_end {
        line(
            "begins",
            "behind nasc's front end, which is not in it: with the int8 that the bundle's `run` takes",
        );
        line("front end", front_end);
    }
    line(
        "bytes",
        match report.exact {
            true => "LiteRT's reference kernels give those of nasc for every input",
            false => {
                "LiteRT's reference kernels give those of nasc but for sums beside a tie, see the warning"
            }
        },
    );
    out
}

fn end(ExportedEnd { name, shape, scale, zero_point }: &ExportedEnd) -> String {
    let extents: Vec<String> = shape.iter().map(usize::to_string).collect();
    let name = clean(name, NAME);
    format!("{name} int8 [{}], scale {scale}, zero point {zero_point}", extents.join(", "))
}
