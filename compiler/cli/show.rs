//! Results as text for a terminal.

use std::fmt::Write as _;

use nasc::device::Tool;
use nasc::pipeline::{Checked, Compiled, Emitted, Evaluated, Size, Verified, Written};
use nasc::report::{self, bytes_text, share_text};
use nasc::target::Target;

/// Says that a panic is our mistake.
pub(crate) fn bug(info: &std::panic::PanicHookInfo<'_>) {
    let payload = info.payload();
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("unknown");
    let place =
        info.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
    let message = format!(
        "internal error: {text}{place}\nthis is a bug of nasc {}: please report it with the spec\n",
        env!("CARGO_PKG_VERSION")
    );
    let _ = std::io::Write::write_all(&mut std::io::stderr(), message.as_bytes());
}

/// A text in lines of at most `width` characters.
pub(crate) fn wrap(text: &str, width: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        }
        if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

/// Text of files as it may go to a terminal, not longer than so many columns.
pub(crate) fn clean(text: &str, most: usize) -> String {
    let mut clean: Vec<char> =
        text.chars().map(|sign| if sign.is_control() { char::REPLACEMENT_CHARACTER } else { sign }).collect();
    if clean.len() > most {
        clean.truncate(most.saturating_sub(1));
        clean.push('…');
    }
    clean.into_iter().collect()
}

pub(crate) fn checked(checked: &Checked) -> String {
    let mut out = String::new();
    let Checked { name, decisions, size, drawn, valid, feasible, .. } = checked;
    let _ = writeln!(out, "{name}: {} points from {decisions} decisions", points(size));
    let _ = writeln!(out, "  {valid} of {drawn} points drawn are networks");
    let _ = writeln!(out, "  bounds of the whole space, before rewriting:");
    let range = |[low, high]: [u64; 2]| format!("{} to {}", bytes_text(low), bytes_text(high));
    let _ = writeln!(out, "    weights      {}", range(checked.bounds.weight_bytes));
    let _ = writeln!(out, "    largest map  {}", range(checked.bounds.largest_map));
    let _ = writeln!(out, "    work         {} to {} MAC", checked.bounds.macs[0], checked.bounds.macs[1]);
    if let Some(few) = feasible.iter().find(|target| target.tried < *valid) {
        let _ = writeln!(out, "  {} of these were costed; `--samples 200` costs as many", few.tried);
    }
    for target in feasible {
        let _ = writeln!(
            out,
            "  {}: {} of {} meet the requirements ({}, 95 %: {} to {})",
            target.target,
            target.fitting,
            target.tried,
            share_text(target.fitting as f64 / target.tried.max(1) as f64),
            share_text(target.ci95[0]),
            share_text(target.ci95[1])
        );
        let _ = writeln!(out, "    RAM    {}", range(target.ram_bytes));
        let _ = writeln!(out, "    flash  {}", range(target.flash_bytes));
        let _ = writeln!(out, "    work   {} to {} MAC", target.macs[0], target.macs[1]);
    }
    out
}

/// A number of points: in full up to a million, then in powers of ten with all its digits behind.
pub(crate) fn points(size: &Size) -> String {
    let digits = &size.points;
    let bound = if size.exact { "" } else { "at most " };
    if digits.len() <= 7 {
        return format!("{bound}{digits}");
    }
    let (first, rest) = digits.split_at(1);
    let power = rest.len();
    let short = format!("{first}.{}e{power}", &rest[..2]);
    if digits.len() <= 30 { format!("{bound}{short} ({digits})") } else { format!("{bound}{short}") }
}

/// What a target's network is like.
pub(crate) fn network(searched: bool, emitted: &Emitted) -> String {
    let mut out = String::new();
    let report = &emitted.report;
    let origin = match (&report.provenance.model, searched) {
        (Some(_), _) => "from a model".to_owned(),
        (None, true) => format!("{} trials", report.search.trials),
        (None, false) => "from the lock".to_owned(),
    };
    let _ = writeln!(out, "{} for {} ({origin})\n", report.name, report.targets[0].name);
    out.push_str(&report::table(report));
    out
}

pub(crate) fn bundle(compiled: &Compiled, written: &Written, verified: Option<&Verified>) -> String {
    let mut out = network(compiled.searched, &written.emitted);
    out.push('\n');
    match verified {
        Some(verified) => out.push_str(&self::verified(verified)),
        None => {
            let _ = writeln!(out, "  not verified");
        }
    }
    let _ = writeln!(out, "\n  bundle    {}", written.folder.display());
    out
}

pub(crate) fn verified(verified: &Verified) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "  verified  all {} output bytes of {} samples are equal in:",
        verified.output_bytes, verified.samples
    );
    let _ = writeln!(out, "            {}", verified.ways.join(", "));
    if let Some(measured) = &verified.measured {
        let device = &measured.device;
        let front_end = verified.front_end_instructions.map(|count| format!(", front end {count}"));
        let _ = writeln!(
            out,
            "  measured  {} instructions{}, stack {} (bound {})",
            device.instructions,
            front_end.unwrap_or_default(),
            bytes_text(device.stack_bytes),
            bytes_text(device.stack_bound_bytes)
        );
    }
    if let Some(sizes) = &verified.sizes {
        let _ = writeln!(
            out,
            "  linked    RAM {} B as predicted, tables {} B as predicted, code {} B (bound {} B)",
            sizes.ram_linked, sizes.weights_linked, sizes.code_linked, sizes.code_bound
        );
    }
    out
}

pub(crate) fn evaluated(evaluated: &Evaluated) -> String {
    let text = |name: &str, value: f64| report::quality_text(name, value);
    let between =
        |name: &str, [low, high]: [f64; 2]| format!("95 %: {} to {}", text(name, low), text(name, high));
    let Evaluated { name, metric, value, split, samples, right, ci95, .. } = evaluated;
    let right = right.map(|right| format!("{right} of ")).unwrap_or_default();
    let (found, interval) = (text(metric, *value), between(metric, *ci95));
    let mut out =
        format!("{name}: {metric} {found} int8 on {split}, {right}{samples} samples ({interval})\n");
    for (name, figure) in evaluated.metrics.iter().filter(|(name, _)| *name != metric) {
        let interval = figure.ci95.map(|ci95| format!(" ({})", between(name, ci95))).unwrap_or_default();
        let _ = writeln!(out, "  {name:<10}{}{interval}", text(name, figure.value));
    }
    confusion(&mut out, evaluated);
    for (at, weak) in evaluated.weakest.iter().enumerate() {
        let title = if at == 0 { "weakest" } else { "" };
        let recall = share_text(weak.recall);
        let class = clean(&weak.class, NAME);
        let _ = writeln!(out, "  {title:<10}`{class}`: {recall} of {} samples are found", weak.samples);
    }
    out
}

/// Columns of the name of a class.
const NAME: usize = 24;
/// Classes beyond these make a table that no terminal holds; `--format json` has it.
const SHOWN_CLASSES: usize = 20;

/// Which classes are taken for which: a row for each class, a column for each answer.
fn confusion(out: &mut String, evaluated: &Evaluated) {
    let Some(confusion) = evaluated.confusion.as_ref().filter(|found| found.0.len() <= SHOWN_CLASSES) else {
        return;
    };
    let names: Vec<String> = evaluated.classes.iter().map(|name| clean(name, NAME)).collect();
    let length = |text: &String| text.chars().count();
    let first = names.iter().map(length).max().unwrap_or(0).max("class".len());
    let widths: Vec<usize> = names.iter().map(|name| length(name).max(5)).collect();
    let mut line = |name: &str, cells: Vec<String>| {
        let cells: String =
            cells.iter().zip(&widths).map(|(cell, &width)| format!("  {cell:>width$}")).collect();
        let _ = writeln!(out, "  {name:<first$}{cells}");
    };
    line("class", names.clone());
    for (name, row) in names.iter().zip(&confusion.0) {
        line(name, row.iter().map(usize::to_string).collect());
    }
}

pub(crate) fn targets(targets: &std::collections::BTreeMap<String, Target>) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{:<20} {:<12} {:<12} {:>9} {:>9} {:>9} {:>8}",
        "target", "core", "isa", "clock", "ram", "flash", "power"
    );
    let memory = |bytes: Option<nasc::tensor::Bytes>| match bytes {
        Some(bytes) if bytes.0 % 1024 == 0 => format!("{} KiB", bytes.0 / 1024),
        Some(bytes) => format!("{} B", bytes.0),
        None => "-".into(),
    };
    for target in targets.values() {
        let power = target.active_milliwatts.map_or("-".into(), |power| format!("{power:.0} mW"));
        let _ = writeln!(
            out,
            "{:<20} {:<12} {:<12} {:>9} {:>9} {:>9} {:>8}",
            target.name,
            target.core.as_deref().unwrap_or("-"),
            target.isa.name(),
            format!("{} MHz", target.clock.0 / 1_000_000),
            memory(target.ram),
            memory(target.flash),
            power
        );
    }
    out.push_str("\nwhere the figures come from\n");
    for target in targets.values() {
        let file = nasc::elaborate::stdlib_target_file(&target.name).unwrap_or_default();
        let _ = writeln!(out, "{:<20} {file}: {}", target.name, wrap(&target.source, 200));
    }
    out
}

pub(crate) fn tools(tools: &[Tool]) -> String {
    let mut out = String::new();
    for tool in tools {
        let state = match (&tool.path, &tool.version) {
            (Some(path), Some(version)) => format!("{} ({version})", path.display()),
            (Some(path), None) => path.display().to_string(),
            (None, _) => format!("not found; Debian package {}", tool.package),
        };
        let _ = writeln!(out, "{:<24} {state}\n{:<24} for {}", tool.name, "", tool.purpose);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use nasc::pipeline::WeakClass;
    use nasc::pipeline::quality::Confusion;

    #[test]
    fn names_of_classes_steer_no_terminal() {
        let class = "\u{1b}[2Jno\n".to_owned();
        let found = Evaluated {
            name: "net".into(),
            split: "test".into(),
            samples: 2,
            metric: "accuracy".into(),
            value: 0.5,
            ci95: [0.1, 0.9],
            right: Some(1),
            metrics: Default::default(),
            classes: vec![class.clone(), "yes".into()],
            confusion: Some(Confusion(vec![vec![1, 0], vec![1, 0]])),
            weakest: vec![WeakClass { class, recall: 0.0, samples: 1 }],
        };
        let text = evaluated(&found);
        assert!(!text.contains('\u{1b}') && text.lines().count() == 5, "{text:?}");
        assert_eq!(clean("a name that is too long", 6), "a nam…");
    }
}
