//! `nasc report` and `nasc diff`.

use std::process::ExitCode;

use nasc::pipeline::{self, Given, Reported};
use nasc::report;
use serde_json::json;

use super::args::{DiffArgs, ReportArgs};
use super::{BAD, Disk, Format, Outcome, print, print_json, show_warnings};

/// Runs `nasc report`.
pub(super) fn report(args: &ReportArgs, format: Format) -> Outcome {
    let params = args.params.iter().cloned().collect();
    let Reported { report, measured, warnings, sources } = if args.input.is_dir() {
        pipeline::report_bundle(&args.input, &args.targets)?
    } else {
        pipeline::report_spec(&Disk, &args.input, &args.targets, &params)?
    };
    show_warnings(&warnings, &sources, format);
    if let Some(path) = &args.output {
        let page = report::page(&report, measured.as_ref());
        pipeline::Files::write(&Disk, path, page.as_bytes())
            .map_err(|error| pipeline::cannot_write(path, &error))?;
    }
    match (format, &args.output) {
        (Format::Json, _) => {
            let mut json = json!(report);
            json["measured"] = json!(measured);
            print_json(&json);
        }
        (_, Some(path)) => print(&format!("report    {}\n", path.display())),
        (_, None) => print(&report::full(&report, measured.as_ref())),
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `nasc diff`.
pub(super) fn diff(args: &DiffArgs, format: Format) -> Outcome {
    let given = [&args.old, &args.new].map(|path| match path.is_dir() {
        true => Given::Bundle(path),
        false => Given::Lock(path),
    });
    let found = pipeline::diff(&Disk, given, &args.targets)?;
    match format {
        Format::Json => print_json(&json!(found)),
        _ => print(&report::differences_text(&found)),
    }
    Ok(if args.exit_code && !found.equal { ExitCode::from(BAD) } else { ExitCode::SUCCESS })
}
