//! The report as text for a terminal.

use std::fmt::Write as _;

use crate::report::{Layer, Report};

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
        let (quality, memory, compute) = (&target.quality, &target.memory, &target.compute);
        let mut line = |name: &str, text: String| {
            writeln!(out, "  {name:<10}{text}").expect("a String takes all");
        };
        let [low, high] = quality.ci95;
        let text = |value: f64| quality_text(&quality.metric, value);
        line(
            &quality.metric,
            format!(
                "{} int8 on {} {} samples (95 %: {} to {}){}",
                text(quality.int8),
                quality.samples,
                quality.split,
                text(low),
                text(high),
                quality.float.map(|float| format!(", {} float", text(float))).unwrap_or_default(),
            ),
        );
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
        writeln!(out).expect("a String takes all");
        layers(&mut out, &target.layers);
    }
    out
}

/// A line for each layer, columns as wide as their entries; one of cycles where they are known of a layer alone.
fn layers(out: &mut String, layers: &[Layer]) {
    let width = |entry: fn(&Layer) -> &str, title: &str| {
        layers.iter().map(|layer| entry(layer).chars().count()).max().unwrap_or(0).max(title.len())
    };
    let (names, ops) = (width(|layer| &layer.name, "layer"), width(|layer| &layer.op, "operator"));
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
        line(&layer.name, &layer.op, numbers.each_ref().map(String::as_str), &cycles);
    }
}
