//! `nasc import`: what a model is.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use nasc::pipeline::{self, ImportReport, PortSummary};
use nasc::report::bytes_text;
use serde_json::json;

use super::args::Format;
use super::show::clean;
use super::world::Disk;
use super::{Outcome, print, print_json};

/// Columns of a name that somebody else gave.
const NAME: usize = 60;

pub(super) fn import(model: &Path, targets: &[String], format: Format) -> Outcome {
    let report = pipeline::import(model, targets, &Disk)?;
    match format {
        Format::Json => print_json(&json!(report)),
        _ => print(&text(&report)),
    }
    Ok(ExitCode::SUCCESS)
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
