//! `nasc table`.

use std::process::ExitCode;

use nasc::pipeline::{self, CompileOptions, Environment, TableOptions, Tabled};
use serde_json::json;

use crate::cli::args::{Format, TableArgs};
use crate::cli::bars::Bars;
use crate::cli::world::{self, Disk, WallClock};
use crate::cli::{Outcome, print, print_json};

/// Trains all networks of a space and says what came of it.
pub(crate) fn table(args: &TableArgs, format: Format) -> Outcome {
    let search = CompileOptions {
        targets: args.targets.clone(),
        params: args.params.iter().cloned().collect(),
        data: args.data.clone(),
        seed: args.seed,
        jobs: args.jobs.unwrap_or_else(world::n_cores),
        ..CompileOptions::default()
    };
    let options = TableOptions { search, seeds: args.seeds };
    let bars = Bars::ticking(format == Format::Human);
    let env = Environment { files: &Disk, clock: &WallClock, cancel: world::cancelled(), progress: &bars };
    let tabled = pipeline::table(&args.spec, &args.out, &options, &env);
    bars.clear();
    let tabled = tabled?;
    match format {
        Format::Json => print_json(&json!({
            "path": tabled.path.display().to_string(), "bytes": tabled.bytes, "head": tabled.table.head,
            "networks": tabled.table.rows.len(),
        })),
        _ => print(&text(&tabled)),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(tabled: &Tabled) -> String {
    let Tabled { path, bytes, table } = tabled;
    let (head, count) = (&table.head, table.rows.len());
    let mut out =
        format!("{}: {count} networks, {} trainings of each, {bytes} B\n", path.display(), head.seeds);
    out += &format!("  left out  {} points\n", head.left_out);
    let mut range = |name: &str, values: &mut dyn Iterator<Item = f64>| {
        let ends = values.filter(|value| !value.is_nan());
        let (low, high) = ends
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        out += &format!("  {name:<24}{low} to {high}\n");
    };
    for (place, name) in head.costs.iter().enumerate() {
        range(name, &mut table.rows.iter().map(|row| row.costs[place]));
    }
    for (place, name) in head.qualities.iter().enumerate() {
        let all = table.rows.iter().flat_map(|row| row.qualities.iter().flatten());
        range(name, &mut all.map(|seed| seed[place]));
    }
    out
}
