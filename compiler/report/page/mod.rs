//! A report as one page for a browser.
//!
//! In: a report, and what a device measured. Out: HTML that asks no network for anything: its style and its script are
//! in it, and the page's policy allows these two and nothing else. It depends on nothing but the arguments. Without
//! scripts it shows all the same, by the first axes.

mod axis;
mod charts;
mod memory;
mod tables;
mod write;

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::device::Measured;
use crate::report::{FRONT_END, Report, TargetReport, genome_text, quality_text};

pub(super) use tables::{class_name, correlation_text};
use write::{Escaped, grouped};
pub(crate) use write::{base64, escape};

pub(super) use axis::Axis;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page of a report.
pub fn page(report: &Report, measured: Option<&Measured>) -> String {
    let mut out = String::new();
    start(&mut out, report);
    for target in &report.targets {
        if report.targets.len() > 1 {
            let _ = writeln!(out, "<h2 class=\"target\">{}</h2>", Escaped(&target.name));
        }
        facts(&mut out, target);
        let listens = target.layers.iter().any(|layer| layer.name == FRONT_END);
        said_of_measuring(&mut out, measured, listens);
    }
    found(&mut out, report);
    for target in &report.targets {
        let of = match report.targets.len() {
            1 => String::new(),
            _ => format!(" for {}", Escaped(&target.name)),
        };
        let _ = writeln!(out, "<section><h2>Network{of}</h2>");
        if let Some(genome) = &target.genome {
            let _ = writeln!(out, "<p class=\"genome\">{}</p>", Escaped(&genome_text(genome)));
        }
        lean(&mut out, target);
        tables::layers(&mut out, &target.layers);
        memory::memory(&mut out, target);
        out.push_str("</section>\n<section>");
        target.quality.iter().for_each(|quality| tables::confusion(&mut out, quality));
        out.push_str("</section>\n<section>");
        tables::rewrites(&mut out, &target.rewrites);
        out.push_str("</section>\n");
    }
    out.push_str("<section>");
    tables::provenance(&mut out, &report.provenance, &report.search);
    let _ = write!(out, "</section>\n</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n");
    out
}

/// What a browser may do for a text within the page: what hashes to this.
fn hash(text: &str) -> String {
    format!("'sha256-{}'", base64(&Sha256::digest(text.as_bytes())))
}

fn start(out: &mut String, report: &Report) {
    let name = Escaped(&report.name);
    let targets: Vec<&str> = report.targets.iter().map(|target| target.name.as_str()).collect();
    let targets = targets.join(", ");
    let _ = write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{name} on {}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<main>\n<header><h1>{name}</h1><p>on {}</p></header>\n",
        hash(STYLE),
        hash(SCRIPT),
        Escaped(&targets),
        Escaped(&targets)
    );
}

/// One of so many.
fn plural(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{} {more}", grouped(count as u64)) }
}

/// A row of a name and a value.
fn pair(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(
        out,
        "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td></tr>",
        Escaped(name),
        Escaped(value)
    );
}

/// The figures that are looked at first.
fn facts(out: &mut String, target: &TargetReport) {
    let TargetReport { quality, memory, compute, .. } = target;
    out.push_str("<div class=\"facts\">");
    let mut fact = |title: &str, value: String, below: Vec<String>| {
        let _ = write!(out, "<div><span>{}</span><b>{}</b>", Escaped(title), Escaped(&value));
        below.iter().for_each(|line| {
            let _ = write!(out, "<small>{}</small>", Escaped(line));
        });
        out.push_str("</div>");
    };
    if let Some(quality) = quality {
        let [low, high] = quality.ci95;
        let text = |value: f64| quality_text(&quality.metric, value);
        let mut below = vec![
            format!("95 %: {} to {}", text(low), text(high)),
            format!("int8, {} {} samples", grouped(quality.samples as u64), quality.split),
        ];
        below.extend(quality.float.map(|float| format!("float {}", text(float))));
        fact(&quality.metric, text(quality.int8), below);
    }
    let proof = match memory.optimal {
        true => "proved: no smaller arena".to_owned(),
        false => format!("not proved; at least {} B", grouped(memory.lower_bound_bytes)),
    };
    let arena = format!("arena {} B", grouped(memory.arena_bytes));
    fact("RAM", bytes(memory.ram_bytes), vec![arena, proof]);
    let parts = [
        format!("tables {} B", grouped(memory.weights_bytes)),
        format!("code at most {} B", grouped(memory.code_bytes)),
    ];
    fact("flash", bytes(memory.flash_bytes), parts.to_vec());
    fact("MACs", grouped(compute.macs), vec![plural(target.layers.len(), "layer", "layers")]);
    let model = || vec!["by the model of the target".to_owned()];
    fact("cycles, about", grouped(compute.cycles_estimated), model());
    let mut timed = |title: &str, name: &str, value: Option<f64>, below: Vec<String>| {
        value.into_iter().for_each(|value| fact(title, Axis::new(name).text(value), below.clone()));
    };
    let clock = compute.latency_seconds.filter(|seconds| *seconds > 0.0);
    let clock = clock.map(|seconds| format!("at {:.0} MHz", compute.cycles_estimated as f64 / seconds / 1e6));
    timed("latency, about", "latency", compute.latency_seconds, clock.into_iter().collect());
    timed("energy, about", "energy", compute.energy_joules, Vec::new());
    out.push_str("</div>\n");
    let family = Escaped(&memory.family);
    let _ = match memory.optimal {
        true => writeln!(out, "<p class=\"soft\">The arena is the smallest over {family}.</p>"),
        false => writeln!(out, "<p class=\"soft\">A smaller arena was not ruled out over {family}.</p>"),
    };
}

/// Bytes with the unit in which they are compared with a chip's memory.
fn bytes(bytes: u64) -> String {
    if bytes < 4096 { format!("{} B", grouped(bytes)) } else { format!("{:.1} KiB", bytes as f64 / 1024.0) }
}

/// Whether the figures were measured, and what was.
fn said_of_measuring(out: &mut String, measured: Option<&Measured>, listens: bool) {
    let Some(Measured { toolchain, device }) = measured else {
        out.push_str(
            "<p class=\"note\">These figures follow from lock and weights; none here was measured on a chip. \
             <code>nasc verify BUNDLE</code> runs the bundle and writes <code>measured.json</code>, <code>nasc report \
             BUNDLE</code> then shows it.</p>\n",
        );
        return;
    };
    let (class, verdict) = match device.mismatched_bytes {
        0 => ("good", "Verified: every output byte is the golden one".to_owned()),
        bytes => ("bad", format!("Not verified: {} differ from the golden ones", plural_bytes(bytes))),
    };
    let samples = plural(device.samples, "sample", "samples");
    let _ = write!(
        out,
        "<div class=\"note {class}\"><b>{verdict}.</b> {samples} on the emulated {}.<dl>",
        Escaped(&device.core)
    );
    let mut line = |name: &str, text: String| {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", Escaped(&text));
    };
    line("instructions", grouped(device.instructions));
    // That of floats only standardises them.
    if let Some(front_end) = device.front_end_instructions.filter(|_| listens) {
        line("instructions of the front end", grouped(front_end));
    }
    line(
        "stack",
        format!("{} B (bound {} B)", grouped(device.stack_bytes), grouped(device.stack_bound_bytes)),
    );
    line("linked code", format!("{} B", grouped(device.text_bytes)));
    line("linked tables", format!("{} B", grouped(device.weights_bytes_linked)));
    line("toolchain", toolchain.clone());
    out.push_str("</dl></div>\n");
}

fn plural_bytes(bytes: u64) -> String {
    if bytes == 1 { "1 output byte".to_owned() } else { format!("{} output bytes", grouped(bytes)) }
}

/// How the network was found.
fn found(out: &mut String, report: &Report) {
    let search = &report.search;
    if search.is_none() {
        return;
    }
    let trials = plural(search.trials, "trial", "trials");
    let _ = writeln!(
        out,
        "<section><h2>Search</h2>\n<p>{trials} by the strategy <code>{}</code>.",
        Escaped(&search.strategy)
    );
    if !search.objectives.is_empty() {
        let axes = search.objectives.iter().map(|name| Axis::new(name).label);
        let _ = write!(out, " Objectives: {}.", Escaped(&axes.collect::<Vec<_>>().join(", ")));
    }
    if let Some(target) = report.searched_for() {
        let _ = write!(out, " Shown is the search for {}.", Escaped(target));
    }
    if search.history.is_empty() {
        out.push_str(" The lock does not hold the other trials: it was written for another target or by an older nasc.");
    }
    out.push_str("</p>\n<div class=\"two\">");
    charts::scatter(out, search);
    charts::progress(out, search);
    out.push_str("</div>\n");
    tables::finalists(out, search);
    tables::front(out, search);
    tables::rejected(out, search);
    out.push_str("</section>\n");
}

/// What lean schedules changed.
fn lean(out: &mut String, target: &TargetReport) {
    if let Some(lean) = &target.lean {
        let _ = writeln!(out, "<p>{}.</p>", Escaped(&crate::report::terminal::lean_text(lean, target)));
    }
}
