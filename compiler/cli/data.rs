//! `nasc data`: what a spec's data holds, as text, as JSON and as a page.

use std::fmt::Write as _;
use std::process::ExitCode;

use nasc::data::Element;
use nasc::diagnostic;
use nasc::pipeline::{self, ClassFacts, Failure, InspectOptions, Inspected, PartFacts, Range};
use serde_json::json;

use super::show::clean;
use super::{BAD, Bars, Disk, Format, Outcome, args::DataArgs, print, print_json, show_diagnostics};

/// Runs the command.
pub(super) fn data(args: &DataArgs, format: Format) -> Outcome {
    let options = InspectOptions {
        data: args.data.clone(),
        params: args.params.iter().cloned().collect(),
        page: args.html.as_ref().map(|_| args.samples),
    };
    let bars = Bars::patient(format == Format::Human);
    let found = pipeline::inspect(&Disk, &args.spec, &options, &bars);
    bars.clear();
    let found = found?;
    if let (Some(path), Some(page)) = (&args.html, &found.page) {
        pipeline::Files::write(&Disk, path, page.as_bytes())
            .map_err(|error| pipeline::cannot_write(path, &error))?;
    }
    let mut messages = found.warnings.clone();
    messages.extend(found.problems.clone());
    let messages = Failure { sources: found.sources.clone(), diagnostics: messages };
    if format == Format::Json {
        let mut json = json!(found);
        json["messages"] = diagnostic::to_json(&messages.diagnostics, &messages.sources);
        print_json(&json);
    } else {
        print(&shown(&found));
        if let Some(path) = &args.html {
            print(&format!("  page       {}\n", path.display()));
        }
        show_diagnostics(&messages, format);
    }
    Ok(if found.problems.has_errors() { ExitCode::from(BAD) } else { ExitCode::SUCCESS })
}

/// Classes that are listed; `--format json` has all of them.
const CLASSES: usize = 40;
/// Channels and numbers to predict that are listed.
const CHANNELS: usize = 12;
/// Columns of the longest bar.
const BAR: usize = 24;
/// Columns of a name.
const NAME: usize = 24;

fn shown(found: &Inspected) -> String {
    let mut out = String::new();
    let name = clean(&found.name, NAME);
    let of = match found.classes.len() {
        0 => String::new(),
        classes => format!(" of {classes} classes"),
    };
    let files = if found.source.files == 1 { "file" } else { "files" };
    let _ = writeln!(out, "{name}: {} samples{of} from {} {files}\n", found.samples, found.source.files);
    table(&mut out, found);
    out.push('\n');
    let mut fact = |name: &str, text: &str| {
        let _ = writeln!(out, "  {name:<10} {}", clean(text, usize::MAX));
    };
    fact("source", &found.source.text);
    fact("sample", &sample(found));
    if let (Some(rate), Some(seconds)) = (found.rate, found.seconds) {
        fact("signal", &format!("{} at {rate} Hz", pipeline::duration_text(seconds)));
    }
    fact("split", &found.split);
    if found.unused > 0 {
        fact("unused", &format!("{} samples are in no part", found.unused));
    }
    if let Some(input) = &found.input {
        fact("features", &input.front_end);
        fact("normalize", &input.normalize);
        if !input.augment.is_empty() {
            fact("augment", &input.augment.join(", "));
        }
        let [height, width, channels] = input.extents;
        let several = if input.is_one_of_several { "; the search decides something of it" } else { "" };
        fact("input", &format!("{height} x {width} x {channels} (height or time, width, channels){several}"));
    }
    for odd in &found.oddities {
        fact("look at", odd);
    }
    fact("hash", &found.hash);
    out.push('\n');
    numbers(&mut out, found);
    out
}

fn sample(found: &Inspected) -> String {
    let [height, width, channels] = found.extents;
    let unit = match found.element {
        Element::U8 => "bytes",
        Element::I16 => "16-bit numbers",
        Element::F32 => "floats",
    };
    format!("{height} x {width} x {channels} {unit} (height or time, width, channels)")
}

/// Classes and parts, with a bar that shows how even the classes are.
fn table(out: &mut String, found: &Inspected) {
    let listed = &found.classes[..found.classes.len().min(CLASSES)];
    let names: Vec<String> = listed.iter().map(|class| clean(&class.name, NAME)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).max("samples".len());
    let mut line = |name: &str, cells: [String; 4], bar: &str| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>7}")).collect();
        let text = format!("  {name:<width$}{cells}  {bar}");
        let _ = writeln!(out, "{}", text.trim_end());
    };
    let title = if listed.is_empty() { "" } else { "class" };
    line(title, ["train", "val", "test", "all"].map(str::to_owned), "");
    let most = found.classes.iter().map(ClassFacts::total).max().unwrap_or(0);
    for (class, name) in listed.iter().zip(&names) {
        let [train, val, test] = class.samples;
        line(name, [train, val, test, class.total()].map(|n| n.to_string()), &bar(class.total(), most));
    }
    if found.classes.len() > listed.len() {
        line("...", Default::default(), &format!("and {} more", found.classes.len() - listed.len()));
    }
    let of = |count: fn(&PartFacts) -> usize, all: Option<usize>| {
        let mut counts = found.parts.iter().map(|part| count(part).to_string());
        let mut cell = || counts.next().unwrap_or_default();
        [cell(), cell(), cell(), all.map(|all| all.to_string()).unwrap_or_default()]
    };
    line("samples", of(|part| part.samples, Some(found.samples - found.unused)), "");
    if found.parts.iter().any(|part| part.groups > 0) {
        line("groups", of(|part| part.groups, None), "");
    }
    line("files", of(|part| part.files, Some(found.source.files)), "");
}

/// So long as a count is a share of the greatest, in halves of a column.
fn bar(count: usize, most: usize) -> String {
    let halves = (2.0 * BAR as f64 * count as f64 / most.max(1) as f64).round() as usize;
    let half = if halves % 2 == 1 || (halves == 0 && count > 0) { "▌" } else { "" };
    format!("{}{half}", "█".repeat(halves / 2))
}

/// What the numbers are: all, each channel, those to predict.
fn numbers(out: &mut String, found: &Inspected) {
    let mut line = |name: &str, cells: [String; 4]| {
        let cells: String = cells.iter().map(|cell| format!("  {cell:>10}")).collect();
        let text = format!("  {name:<12}{cells}");
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line("numbers", ["min", "max", "mean", "deviation"].map(str::to_owned));
    let range =
        |range: &Range| [range.min, range.max, range.mean, range.deviation].map(pipeline::number_text);
    line("all", range(&found.values.all));
    for (name, ranges) in [("channel", &found.values.channels), ("to predict", &found.targets)] {
        for (at, found) in ranges.iter().take(CHANNELS).enumerate() {
            line(&format!("{name} {at}"), range(found));
        }
        if ranges.len() > CHANNELS {
            line(&format!("{} more", ranges.len() - CHANNELS), Default::default());
        }
    }
}
