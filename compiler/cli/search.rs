//! `nasc search`: a search without a bundle, and how one stands.

use std::fmt::Write as _;

use nasc::diagnostic::{Code, Diagnostic};
use nasc::pipeline::{self, Environment, Failure, SearchStatus, Searched, Standing};
use serde_json::json;

use super::args::{Common, Format, SearchArgs};
use super::bars::Bars;
use super::show::clean;
use super::standing::{front, left, quality, running, time_text};
use super::world::{self, Disk, WallClock};
use super::{Outcome, print, print_json, show, show_diagnostics, show_warnings};

/// Columns of a text from a store.
const TEXT: usize = 120;

pub(super) fn search(args: &SearchArgs, format: Format) -> Outcome {
    let options = super::options(&args.common)?;
    if args.status {
        let status = pipeline::status(&args.common.spec, &options, &Disk, &WallClock)?;
        match format {
            Format::Json => print_json(&json!(status)),
            _ => print(&status_text(&status, args)),
        }
        return Ok(std::process::ExitCode::SUCCESS);
    }
    let bars = Bars::ticking(format == Format::Human);
    let env = Environment { files: &Disk, clock: &WallClock, cancel: world::cancelled(), progress: &bars };
    let searched = pipeline::search(&args.common.spec, &options, &env);
    bars.clear();
    let searched = searched?;
    show_warnings(&searched.warnings, &searched.sources, format);
    write_archive(&args.common, searched.archive.as_deref(), format)?;
    match format {
        Format::Json => print_json(&json!({
            "searched": searched.searched,
            "lock": searched.lock.display().to_string(),
            "weights": searched.weights.display().to_string(),
            "networks": searched.emitted.iter().map(|emitted| &emitted.report).collect::<Vec<_>>(),
        })),
        _ => print(&searched_text(&searched, args)),
    }
    Ok(std::process::ExitCode::SUCCESS)
}

/// Writes the archive where that is asked for.
pub(super) fn write_archive(args: &Common, archive: Option<&str>, format: Format) -> Result<(), Failure> {
    match (&args.archive, archive) {
        (Some(path), Some(archive)) => pipeline::Files::write(&Disk, path, archive.as_bytes())
            .map_err(|error| pipeline::cannot_write(path, &error).into()),
        (Some(path), None) => {
            let message = format!("`{}` is not written: the network came from the lock", path.display());
            let warning = Diagnostic::warning(Code::OUTPUT, message)
                .help("add `--research`; trials that are in the store are not trained again");
            show_diagnostics(&Failure::from(warning), format);
            Ok(())
        }
        (None, _) => Ok(()),
    }
}

fn searched_text(searched: &Searched, args: &SearchArgs) -> String {
    let mut out = String::new();
    for emitted in &searched.emitted {
        out += &show::network(searched.searched, emitted);
    }
    let _ = writeln!(out, "\n  lock      {}", searched.lock.display());
    let _ = writeln!(out, "  weights   {}", searched.weights.display());
    let _ = writeln!(out, "  `nasc compile {}` makes the bundle of it", args.common.spec.display());
    out
}

fn status_text(status: &SearchStatus, args: &SearchArgs) -> String {
    let spec = args.common.spec.display();
    let Some(standing) = &status.search else {
        return format!("{spec}: no search was started here yet\n  `nasc search {spec}` starts one\n");
    };
    let mut out = String::new();
    let _ = writeln!(out, "{spec}: {}", state_text(status, standing));
    if !status.current {
        out += "  of another state of the spec, or with other options or targets\n";
    }
    let mut line = |name: &str, text: &str| {
        if !text.is_empty() {
            let name = if name.is_empty() { String::new() } else { name.to_owned() };
            let _ = writeln!(out, "  {name:<11}{text}");
        }
    };
    let Standing { done, trials, from_store, stage, metric, .. } = standing;
    let store =
        if *from_store > 0 { format!(", {from_store} of them from the store") } else { String::new() };
    line("trials", &format!("{done} of {trials} done{store} ({})", clean(stage, TEXT)));
    if status.running != Some(false) {
        line("in flight", &running(standing));
    }
    if let Some(best) = standing.best {
        line("best", &quality(metric, best));
    }
    for (at, row) in front(standing).iter().enumerate() {
        line(if at == 0 { "front" } else { "" }, row);
    }
    if standing.rejected > 0 {
        line("rejected", &format!("{} candidates before training", standing.rejected));
        for (reason, count) in &standing.reasons {
            line("", &format!("{count} times: {}", clean(reason, TEXT)));
        }
    }
    line("time", &times_text(status, standing));
    if status.running == Some(false) && standing.end.as_deref() != Some("done") {
        let _ = writeln!(out, "  finished trials are kept: the same command goes on from there");
    }
    out
}

/// Whether it runs, else how it ended.
fn state_text(status: &SearchStatus, standing: &Standing) -> String {
    match (status.running, standing.end.as_deref()) {
        (Some(true), _) if status.processes > 1 => {
            format!("{} runs now, in {} processes", clean(&standing.stage, TEXT), status.processes)
        }
        (Some(true), _) => format!("{}, running now", clean(&standing.stage, TEXT)),
        (None, _) => {
            format!("heard of {} ago; whether it runs cannot be told here", time_text(status.silent_seconds))
        }
        (Some(false), Some("done")) => format!("done, {} ago", time_text(status.silent_seconds)),
        (Some(false), Some("stopped")) => format!("stopped, {} ago", time_text(status.silent_seconds)),
        (Some(false), Some(error)) => {
            format!("ended {} ago: {}", time_text(status.silent_seconds), clean(error, TEXT))
        }
        (Some(false), None) => {
            format!(
                "not running: its process was killed, and was heard of {} ago",
                time_text(status.silent_seconds)
            )
        }
    }
}

fn times_text(status: &SearchStatus, standing: &Standing) -> String {
    let mut parts = vec![match status.running {
        Some(false) => format!("ran for {}", time_text(status.elapsed_seconds)),
        _ => format!("for {} now", time_text(status.elapsed_seconds)),
    }];
    if status.running != Some(false) {
        parts.extend(left(standing, status.silent_seconds));
    }
    if let (Some(seconds), true) = (status.last_done_seconds, status.running != Some(false)) {
        parts.push(format!("last trial finished {} ago", time_text(seconds)));
    }
    parts.join(", ")
}
