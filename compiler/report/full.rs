//! All that a report holds as text for a terminal: what the page shows, without its drawings.

use std::fmt::Write as _;

use crate::device::Measured;
use crate::report::columns::columns;
use crate::report::map::kind_word;
use crate::report::page::{Axis, class_name, correlation_text};
use crate::report::{Quality, Report, SearchReport, TargetReport, cleaned, genome_text, share_text, table};

/// Classes beyond these make a matrix that no terminal holds; the page and JSON have it.
const CLASSES: usize = 20;
/// Steps of the memory plan that are listed, and trials.
const ROWS: usize = 40;

/// The whole report in lines, fit for a terminal whoever wrote its names.
pub fn full(report: &Report, measured: Option<&Measured>) -> String {
    let (report, measured) = (cleaned(report), measured.map(cleaned));
    let mut out = String::new();
    for target in &report.targets {
        let _ = writeln!(out, "{} on {}\n", report.name, target.name);
        out.push_str(&table(&Report { targets: vec![target.clone()], ..report.clone() }));
        times(&mut out, target);
        measuring(&mut out, measured.as_ref());
        if let Some(genome) = &target.genome {
            let _ = writeln!(out, "\ndecisions\n  {}", genome_text(genome));
        }
        memory(&mut out, target);
        target.quality.iter().for_each(|quality| confusion(&mut out, quality));
        rewrites(&mut out, target);
        out.push('\n');
    }
    search(&mut out, &report);
    provenance(&mut out, &report);
    out
}

fn times(out: &mut String, target: &TargetReport) {
    let named = [("latency", target.compute.latency_seconds), ("energy", target.compute.energy_joules)];
    let texts: Vec<String> = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!("{name} about {}", Axis::new(name).text(value?))))
        .collect();
    if !texts.is_empty() {
        let _ = writeln!(out, "\n  {}", texts.join(", "));
    }
}

fn measuring(out: &mut String, measured: Option<&Measured>) {
    let Some(Measured { toolchain, device }) = measured else {
        out.push_str("\n  not measured; `nasc verify BUNDLE` does that, and `nasc report BUNDLE` shows it\n");
        return;
    };
    let verdict = match device.mismatched_bytes {
        0 => "verified: every output byte is the golden one".to_owned(),
        bytes => format!("NOT verified: {bytes} output bytes differ"),
    };
    let _ = writeln!(out, "\n  {verdict} ({} samples on {})", device.samples, device.core);
    let _ = writeln!(
        out,
        "  measured {} instructions, stack {} B (bound {} B), code {} B, tables {} B by {toolchain}",
        device.instructions,
        device.stack_bytes,
        device.stack_bound_bytes,
        device.text_bytes,
        device.weights_bytes_linked
    );
}

fn memory(out: &mut String, target: &TargetReport) {
    let Some(map) = &target.map else { return };
    let peak = map.peak();
    let rows: Vec<Vec<String>> = map
        .steps
        .iter()
        .enumerate()
        .take(ROWS)
        .map(|(at, step)| {
            let live: Vec<&str> = map.live(at).iter().map(|buffer| buffer.name.as_str()).collect();
            let mark = if peak == Some(at) { "peak" } else { "" };
            vec![
                (at + 1).to_string(),
                step.name.clone(),
                step.need_bytes.to_string(),
                mark.to_owned(),
                live.join(", "),
            ]
        })
        .collect();
    let _ = writeln!(out, "\nmemory by step, of an arena of {} B", target.memory.arena_bytes);
    out.push_str(&columns(&["step", "layer", "bytes", "", "live"], &rows));
    more(out, map.steps.len(), "steps");
    let Some(peak) = peak else { return };
    let rows: Vec<Vec<String>> = map
        .live(peak)
        .into_iter()
        .map(|buffer| {
            let [first, last] = [buffer.first, buffer.last].map(|point| map.point_text(point));
            vec![
                buffer.name.clone(),
                kind_word(buffer.kind).to_owned(),
                buffer.bytes.to_string(),
                buffer.offset.to_string(),
                format!("{first}..{last}"),
            ]
        })
        .collect();
    let _ = writeln!(out, "\nlive at the peak, step {}", peak + 1);
    out.push_str(&columns(&["buffer", "kind", "bytes", "offset", "steps"], &rows));
}

fn more(out: &mut String, all: usize, what: &str) {
    if all > ROWS {
        let _ = writeln!(out, "  and {} more {what}", all - ROWS);
    }
}

fn confusion(out: &mut String, quality: &Quality) {
    let matrix = &quality.confusion;
    if matrix.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nclasses of the {} part, and what they are taken for", quality.split);
    let is_drawn = matrix.len() <= CLASSES;
    let names: Vec<String> = (0..matrix.len()).map(|class| class_name(quality, class)).collect();
    let mut head = vec!["class"];
    head.extend(names.iter().map(String::as_str).filter(|_| is_drawn));
    head.extend(["samples", "found"]);
    let rows: Vec<Vec<String>> = matrix
        .iter()
        .enumerate()
        .map(|(class, row)| {
            let samples = row.iter().fold(0usize, |sum, count| sum.saturating_add(*count));
            let right = row.get(class).copied().unwrap_or(0);
            let found = if samples == 0 { "-".to_owned() } else { share_text(right as f64 / samples as f64) };
            let mut cells = vec![names[class].clone()];
            cells.extend(row.iter().filter(|_| is_drawn).map(usize::to_string));
            cells.extend([samples.to_string(), found]);
            cells
        })
        .collect();
    out.push_str(&columns(&head, &rows));
}

fn rewrites(out: &mut String, target: &TargetReport) {
    if target.rewrites.is_empty() {
        return;
    }
    out.push_str("\nrewrites\n");
    let rows: Vec<Vec<String>> = target
        .rewrites
        .iter()
        .map(|rewrite| {
            let [pass, written, layer] = [&rewrite.pass, &rewrite.written, &rewrite.layer].map(String::clone);
            vec![pass, written, layer, rewrite.rules.join(", ")]
        })
        .collect();
    out.push_str(&columns(&["pass", "written", "computed by", "rules"], &rows));
}

fn search(out: &mut String, report: &Report) {
    let search = &report.search;
    if search.is_none() {
        return;
    }
    let of = report.searched_for().map_or(String::new(), |target| format!(" for {target}"));
    let _ = writeln!(out, "search{of}: {} trials by {}", search.trials, search.strategy);
    history(out, search);
    let judged = Axis::new(search.judged.as_deref().unwrap_or("quality"));
    finalists(out, search, &judged);
    front(out, search);
    let mut reasons: Vec<(&String, &u64)> = search.rejected.iter().collect();
    reasons.sort_by(|a, b| b.1.cmp(a.1).then_with(|| a.0.cmp(b.0)));
    if !reasons.is_empty() {
        out.push_str("\nrejected before training\n");
    }
    for (reason, count) in reasons {
        let _ = writeln!(out, "  {count} {reason}");
    }
}

/// The trials in order.
fn history(out: &mut String, search: &SearchReport) {
    let judged = Axis::new(search.judged.as_deref().unwrap_or("quality"));
    let mut best: Option<f64> = None;
    let mut rows = Vec::new();
    for trial in &search.history {
        let is_better = |quality: f64| {
            best.is_none_or(|best| if judged.is_gain() { quality > best } else { quality < best })
        };
        best = trial.quality.filter(|&quality| is_better(quality)).or(best);
        let text = |quality: Option<f64>| quality.map_or("diverged".to_owned(), |q| judged.text(q));
        let others: Vec<String> = search
            .objectives
            .iter()
            .filter(|name| **name != judged.name)
            .filter_map(|name| Some((Axis::new(name), *trial.metrics.get(name)?)))
            .map(|(axis, value)| format!("{} {}", axis.label, axis.text(value)))
            .collect();
        let leg = (trial.leg > 0).then(|| format!("leg {}", trial.leg + 1));
        let taken = (search.pick == Some(trial.trial)).then(|| "taken".to_owned());
        let mark: Vec<String> = leg.into_iter().chain(taken).collect();
        rows.push(vec![
            trial.trial.to_string(),
            text(trial.quality),
            best.map_or("-".to_owned(), |best| judged.text(best)),
            others.join(", "),
            mark.join(", "),
        ]);
    }
    if !rows.is_empty() {
        let shown = rows.len().min(ROWS);
        out.push_str(&columns(&["trial", &judged.label, "best so far", "objectives", ""], &rows[..shown]));
        more(out, rows.len(), "trials");
    }
}

fn finalists(out: &mut String, search: &SearchReport, judged: &Axis) {
    if search.finalists.is_empty() {
        return;
    }
    let _ = writeln!(out, "\nfinalists: {}", correlation_text(search));
    let rows: Vec<Vec<String>> = search
        .finalists
        .iter()
        .map(|finalist| {
            let seeds: Vec<String> = finalist.retrained.iter().map(|value| judged.text(*value)).collect();
            let end = match finalist.dropped_after {
                _ if search.pick == Some(finalist.trial) => "taken".to_owned(),
                Some(after) => format!("given up after {after}"),
                None => String::new(),
            };
            vec![
                finalist.trial.to_string(),
                judged.text(finalist.search),
                judged.text(finalist.mean),
                seeds.join(", "),
                end,
            ]
        })
        .collect();
    out.push_str(&columns(&["trial", "in the search", "retrained, mean", "each seed", ""], &rows));
}

fn front(out: &mut String, search: &SearchReport) {
    if search.front.is_empty() {
        return;
    }
    out.push_str("\nfront\n");
    for point in &search.front {
        let mut names: Vec<&String> = search.objectives.iter().collect();
        names.extend(point.metrics.keys().filter(|name| !search.objectives.contains(name)));
        let figures: Vec<String> = names
            .into_iter()
            .filter_map(|name| Some((Axis::new(name), *point.metrics.get(name)?)))
            .map(|(axis, value)| format!("{} {}", axis.label, axis.text(value)))
            .collect();
        let mark = if search.pick == Some(point.trial) { ", taken" } else { "" };
        let _ = writeln!(out, "  trial {}{mark}: {}", point.trial, figures.join(", "));
        let _ = writeln!(out, "    {}", genome_text(&point.genome));
    }
}

fn provenance(out: &mut String, report: &Report) {
    let provenance = &report.provenance;
    out.push_str("\nprovenance\n");
    let mut line = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<21}{text}");
    };
    line("nasc", &provenance.nasc);
    match &provenance.model {
        Some(model) => line("model", model),
        None => line("seed", &provenance.seed.to_string()),
    }
    provenance.engine.iter().for_each(|engine| line("engine", engine));
    if !provenance.data.is_empty() {
        line("data", &provenance.data);
    }
    line("weights", &provenance.weights);
    for (section, hash) in &provenance.sections {
        line(&format!("section {section}"), hash);
    }
}
