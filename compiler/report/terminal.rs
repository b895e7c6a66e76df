//! The report as text for a terminal.

use std::fmt::Write as _;

use crate::report::Report;

/// Bytes as people read them, with the exact number.
pub fn bytes_text(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { format!("{:.1} KiB ({bytes} B)", bytes as f64 / 1024.0) }
}

/// A share in per cent.
pub fn share_text(share: f64) -> String {
    format!("{:.2} %", share * 100.0)
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
        line(
            &quality.metric,
            format!(
                "{} int8 on {} {} samples (95 %: {} to {}){}",
                share_text(quality.int8),
                quality.samples,
                quality.split,
                share_text(low),
                share_text(high),
                quality.float.map(|float| format!(", {} float", share_text(float))).unwrap_or_default(),
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
        writeln!(out, "  {:<28}{:<18}{:>10}{:>9}{:>9}", "layer", "operator", "MAC", "outputs", "tables")
            .expect("a String takes all");
        for layer in &target.layers {
            writeln!(
                out,
                "  {:<28}{:<18}{:>10}{:>9}{:>9}",
                layer.name, layer.op, layer.macs, layer.outputs, layer.weights_bytes
            )
            .expect("a String takes all");
        }
    }
    out
}
