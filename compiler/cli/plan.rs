//! `nasc plan`: what a search would cost.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use nasc::pipeline::{self, Environment, Forecast, ForecastOptions, Pace};
use nasc::report::{bytes_text, share_text};
use serde_json::json;

use super::args::{Format, PlanArgs};
use super::bars::Bars;
use super::show::{clean, points};
use super::standing::time_text;
use super::world::{Disk, WallClock};
use super::{Outcome, print, print_json, show_warnings};

/// Reasons that are shown.
const REASONS: usize = 6;
/// Columns of one.
const REASON: usize = 120;

pub(super) fn plan(args: &PlanArgs, format: Format) -> Outcome {
    let options = super::options(&args.common)?;
    let bars = Bars::patient(format == Format::Human);
    // There is nothing to keep: Ctrl-C ends it at once.
    let cancel = AtomicBool::new(false);
    let env = Environment { files: &Disk, clock: &WallClock, cancel: &cancel, progress: &bars };
    let how = ForecastOptions { measure: !args.no_measure };
    let forecast = pipeline::forecast(&args.common.spec, &options, how, &env);
    bars.clear();
    let forecast = forecast?;
    show_warnings(&forecast.warnings, &forecast.sources, format);
    match format {
        Format::Json => print_json(&json!(forecast)),
        _ => print(&text(&forecast)),
    }
    Ok(std::process::ExitCode::SUCCESS)
}

fn text(forecast: &Forecast) -> String {
    let Forecast { name, targets, size, decisions, drawn, jobs, .. } = forecast;
    let mut out = format!("{name} for {}\n", targets.join(", "));
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "  {name:<11}{text}");
    };
    line("space", format!("{} points from {decisions} decisions", points(size)));
    line("trials", trials(forecast));
    let share = drawn.fitting as f64 / drawn.candidates.max(1) as f64;
    let fitting = format!("{} of {} candidates drawn", drawn.fitting, drawn.candidates);
    line("fitting", format!("{fitting} ({})", share_text(share)));
    for (reason, count) in drawn.reasons.iter().take(REASONS) {
        line("", format!("{count} times not: {}", clean(reason, REASON)));
    }
    let [low, high] = drawn.parameters;
    line("of these", format!("{low} to {high} parameters"));
    for (name, &[low, high]) in &drawn.costs {
        line("", format!("{name} {}", cost(name, low, high)));
    }
    let [low, high] = forecast.epochs;
    let epochs = if low == high { format!("{low}") } else { format!("{low} to {high}") };
    match &forecast.pace {
        None => line("time", format!("not measured; a training has {epochs} epochs")),
        Some(pace) => {
            let Pace { epoch: [least, most], trial, search, retraining } = pace;
            let at_once = if *jobs == 1 { "one training".to_owned() } else { format!("{jobs} trainings") };
            line(
                "epoch",
                format!(
                    "{} to {} with {at_once} at once; a training has {epochs}",
                    short(*least),
                    short(*most)
                ),
            );
            line("trial", short(*trial));
            let all = time_text((search + retraining).ceil() as u64);
            let parts = [*search, *retraining].map(|seconds| time_text(seconds.ceil() as u64));
            line(
                "time",
                format!("about {all}: {} for the search, {} to retrain the best", parts[0], parts[1]),
            );
        }
    }
    line("memory", memory(forecast));
    line("disk", format!("the store grows by about {}", bytes_text(forecast.store_bytes)));
    out
}

fn trials(forecast: &Forecast) -> String {
    let Forecast { trials, known, in_store, strategy, retrainings, .. } = forecast;
    let known = match known {
        0 => String::new(),
        known if known == trials => format!("; the store has {in_store} of them"),
        known => format!("; of the first {known}, which are known already, the store has {in_store}"),
    };
    format!("{trials} by {strategy}, then {retrainings} of the best again{known}")
}

/// A range of a cost by its name in archives.
fn cost(name: &str, low: f64, high: f64) -> String {
    let kind = name.split('@').next().unwrap_or_default();
    let one = |value: f64| match kind {
        "ram" | "flash" | "weights" => bytes_text(value as u64),
        "latency" => short(value),
        "energy" => format!("{:.3} mJ", value * 1e3),
        _ => format!("{value:.0}"),
    };
    format!("{} to {}", one(low), one(high))
}

/// A time that may be short.
fn short(seconds: f64) -> String {
    match seconds {
        s if s < 0.001 => format!("{:.0} us", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s if s < 100.0 => format!("{s:.1} s"),
        s => time_text(s.ceil() as u64),
    }
}

fn memory(forecast: &Forecast) -> String {
    let Forecast { training_bytes, data_bytes, machine_bytes, jobs, .. } = forecast;
    let all = data_bytes + training_bytes * *jobs as u64;
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let text = format!(
        "a training takes up to {}, the samples {}; with {jobs} at once {}",
        mebibytes(*training_bytes),
        mebibytes(*data_bytes),
        mebibytes(all)
    );
    match machine_bytes {
        None => text,
        Some(bytes) if all > *bytes => {
            format!("{text}, more than the {} that are free: lower `batch`", mebibytes(*bytes))
        }
        Some(bytes) => format!("{text} of {} that are free", mebibytes(*bytes)),
    }
}
