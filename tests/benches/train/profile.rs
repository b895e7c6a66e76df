//! Where the time of a training step goes.

use std::time::Duration;

use nasc::train::{EmbeddedEngine, Network};
use serde_json::{Value, json};

use crate::measure::{STEPS, Times, Work, median, pool};
use crate::networks::Workload;
use crate::peak;
use crate::timed::{KINDS, Timed, Total, Totals};

/// One kind of primitive in a step.
struct Row {
    name: &'static str,
    wall: f64,
    cpu: f64,
    total: Total,
}

/// A step: milliseconds of wall and CPU time, and the kinds of primitives in it.
struct Profile {
    wall: f64,
    cpu: f64,
    rows: Vec<Row>,
}

fn profile(engine: EmbeddedEngine, workload: &Workload, repetitions: usize) -> Profile {
    let network = Network::new(&workload.graph).expect("a training graph");
    let params = network.params().iter().map(|param| param.ty.shape.0.to_vec()).collect();
    let (timed, totals) = Timed::new(engine, params);
    let mut work = Work::new(timed, workload);
    let (mut steps, mut found) = (Times::default(), Vec::new());
    for _ in 0..repetitions {
        *totals.lock().expect("no holder panics") = Totals::default();
        steps.extend(work.run(1));
        found.push(*totals.lock().expect("no holder panics"));
    }
    let milliseconds = |kind: usize, pick: fn(&Total) -> Duration| {
        let of = |totals: &Totals| pick(&totals[kind]).as_secs_f64() * 1e3 / STEPS as f64;
        median(&found.iter().map(of).collect::<Vec<f64>>())
    };
    let row = |kind: usize| Row {
        name: KINDS[kind],
        wall: milliseconds(kind, |total| total.wall),
        cpu: milliseconds(kind, |total| total.cpu),
        total: found[0][kind],
    };
    let mut rows: Vec<Row> = (0..KINDS.len()).map(row).collect();
    let (wall, cpu) = (median(&steps.wall), median(&steps.cpu));
    let known = |pick: fn(&Row) -> f64| rows.iter().map(pick).sum::<f64>();
    let (wall_rest, cpu_rest) = (wall - known(|row| row.wall), cpu - known(|row| row.cpu));
    rows.push(Row { name: "rest", wall: wall_rest, cpu: cpu_rest, total: Total::default() });
    Profile { wall, cpu, rows }
}

/// Prints the profile of a network on a path, and gives it as JSON. Speeds are by CPU time with one thread, where
/// what others take away does not count, and by wall time with more.
pub(crate) fn show(
    (path, engine): (&'static str, EmbeddedEngine),
    workload: &Workload,
    threads: usize,
    print: bool,
) -> Value {
    let pool = pool(threads);
    let peaks = peak::multiply_adds(&pool);
    let peak = peaks.iter().find(|(name, _)| *name == path).map_or(f64::NAN, |(_, peak)| *peak);
    let found = pool.install(|| profile(engine, workload, 9));
    let by_cpu = threads == 1 && found.cpu.is_finite();
    let judged = |wall: f64, cpu: f64| if by_cpu { cpu } else { wall };
    if print {
        let (name, Profile { wall, cpu, .. }) = (workload.name, &found);
        println!("\n{name}, {path}, threads {threads}: a step takes {wall:.2} ms, {cpu:.2} ms of CPU");
        let head = ["", "wall ms", "CPU ms", "%", "GMAC/s", "% peak", "GB/s"];
        let [a, b, c, d, e, f, g] = head;
        println!("{a:16} {b:>8} {c:>8} {d:>6} {e:>8} {f:>7} {g:>7}");
    }
    let whole = judged(found.wall, found.cpu);
    let mut rows = Vec::new();
    for Row { name, wall, cpu, total } in found.rows.iter().filter(|row| row.wall > 0.0) {
        let ms = judged(*wall, *cpu);
        let per_second = |count: usize| count as f64 / STEPS as f64 / ms / 1e6;
        let (macs, bytes) = (per_second(total.macs), per_second(4 * total.elements));
        rows.push(json!({
            "kind": name, "wall_ms": wall, "cpu_ms": cpu, "gmac_per_second": macs, "gigabytes_per_second": bytes,
            "macs": total.macs / STEPS, "bytes": 4 * total.elements / STEPS,
        }));
        if print {
            let share = 100.0 * ms / whole;
            let macs = match total.macs {
                0 => format!("{:>8} {:>7}", "", ""),
                _ => format!("{macs:8.1} {:7.1}", 100.0 * macs / peak),
            };
            println!("{name:16} {wall:8.3} {cpu:8.3} {share:6.1} {macs} {bytes:7.1}");
        }
    }
    json!({
        "network": workload.name, "path": path, "threads": threads, "wall_ms": found.wall, "cpu_ms": found.cpu,
        "peak_gmac_per_second": peak, "kinds": rows,
    })
}
