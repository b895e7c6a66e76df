//! The report as text for a terminal.

use std::cmp::Ordering;
use std::fmt::Write as _;

use crate::kernel::Variant;
use crate::report::{Layer, Lean, Quality, Report, TargetReport};

/// Bytes as people read them, with the exact number.
pub fn bytes_text(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{:.1} KiB ({bytes} B)", bytes as f64 / 1024.0) }
}

/// A share in per cent.
pub fn share_text(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
}

/// A figure of quality: a share in per cent, an error with four digits that tell something.
pub fn quality_text(metric: &str, value: f64) -> String {
    if !matches!(metric, "mse" | "mae" | "r2") {
        return share_text(value);
    }
    let size = value.abs();
    if value == 0.0 || !(1e-4..1e7).contains(&size) {
        return if value == 0.0 { "0".to_owned() } else { format!("{value:.3e}") };
    }
    let decimals = (0..=7).find(|&decimals| size * 10f64.powi(decimals) >= 999.5).unwrap_or(7);
    format!("{value:.*}", decimals.unsigned_abs() as usize)
}

/// Everything that matters of a report, in lines.
pub fn table(report: &Report) -> String {
    let mut out = String::new();
    for target in &report.targets {
        let (memory, compute) = (&target.memory, &target.compute);
        let mut line = |name: &str, text: String| {
            writeln!(out, "  {name:<10}{text}").expect("a String takes all");
        };
        target.quality.iter().for_each(|quality| line(&quality.metric, measured_text(quality)));
        let proof = if memory.optimal {
            format!("proved optimal over {}", memory.family)
        } else {
            format!("lower bound {}", bytes_text(memory.lower_bound_bytes))
        };
        line("RAM", format!("{}; {proof}", bytes_text(memory.ram_bytes)));
        line(
            "flash",
            format!(
                "{} tables + at most {} code",
                bytes_text(memory.weights_bytes),
                bytes_text(memory.code_bytes)
            ),
        );
        line("work", format!("{} MAC, about {} cycles", compute.macs, compute.cycles_estimated));
        target.lean.iter().for_each(|lean| line("schedules", lean_text(lean, target)));
        writeln!(out).expect("a String takes all");
        layers(&mut out, &target.layers);
    }
    out
}

/// A figure with its interval and what it was measured on.
fn measured_text(quality: &Quality) -> String {
    let [low, high] = quality.ci95;
    let text = |value: f64| quality_text(&quality.metric, value);
    format!(
        "{} int8 on {} {} samples (95 %: {} to {}){}",
        text(quality.int8),
        quality.samples,
        quality.split,
        text(low),
        text(high),
        quality.float.map(|float| format!(", {} float", text(float))).unwrap_or_default(),
    )
}

/// What lean layers and fused sums save and cost against fast ones.
pub(super) fn lean_text(lean: &Lean, target: &TargetReport) -> String {
    let (memory, compute) = (&target.memory, &target.compute);
    let change = |now: u64, fast: u64, what: &str| match now.cmp(&fast) {
        Ordering::Less => Some(format!("{} B less {what}", fast - now)),
        Ordering::Greater => Some(format!("{} B more {what}", now - fast)),
        Ordering::Equal => None,
    };
    let changes = [
        change(memory.ram_bytes, lean.ram_bytes_fast, "RAM"),
        change(memory.flash_bytes, lean.flash_bytes_fast, "flash"),
        Some(format!("about {} cycles instead of {}", compute.cycles_estimated, lean.cycles_estimated_fast)),
    ];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    let layers = match lean.layers {
        0 => None,
        1 => Some("1 layer is lean".to_owned()),
        layers => Some(format!("{layers} layers are lean")),
    };
    let sums = match lean.fused {
        0 => None,
        1 => Some("1 sum is fused with its convolution".to_owned()),
        sums => Some(format!("{sums} sums are fused with their convolutions")),
    };
    let schedules: Vec<String> = layers.into_iter().chain(sums).collect();
    format!("{}, with {}", schedules.join(", "), changes.join(", "))
}

/// A line for each layer, columns as wide as their entries; one of cycles where they are known of a layer alone.
fn layers(out: &mut String, layers: &[Layer]) {
    let width = |entry: fn(&Layer) -> String, title: &str| {
        layers.iter().map(|layer| entry(layer).chars().count()).max().unwrap_or(0).max(title.len())
    };
    let names = width(|layer| layer.name.clone(), "layer");
    let ops = width(operator_text, "operator");
    let mut line = |name: &str, op: &str, [macs, outputs, tables]: [&str; 3], cycles: &str| {
        let text =
            format!("  {name:<names$}  {op:<ops$}  {macs:>10}  {outputs:>7}  {tables:>8}  {cycles:>12}");
        writeln!(out, "{}", text.trim_end()).expect("a String takes all");
    };
    let with_cycles = layers.iter().any(|layer| layer.cycles_estimated.is_some());
    line("layer", "operator", ["MAC", "outputs", "tables B"], if with_cycles { "about cycles" } else { "" });
    for layer in layers {
        let numbers = [layer.macs.to_string(), layer.outputs.to_string(), layer.weights_bytes.to_string()];
        let cycles = layer.cycles_estimated.map(|cycles| cycles.to_string()).unwrap_or_default();
        line(&layer.name, &operator_text(layer), numbers.each_ref().map(String::as_str), &cycles);
    }
}

/// A layer's operator, and how it is computed where that is not fast.
fn operator_text(layer: &Layer) -> String {
    match layer.schedule {
        Some(Variant::Lean) => format!("{}, lean", layer.op),
        Some(Variant::Fused) => format!("{}, fused", layer.op),
        Some(Variant::Fast) | None => layer.op.clone(),
    }
}
