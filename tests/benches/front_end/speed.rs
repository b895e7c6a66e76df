//! Recordings that one core reads, and makes features of, in a second.

use std::path::Path;
use std::time::Instant;

use crate::sound::{WORDS, name, text};

/// Recordings a second and core.
const BAR: f64 = 500.0;

/// Seconds that all threads of this process have had of the processors, by hundredths; `None` where the system does
/// not tell.
fn processor_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// Whether the bar is reached without a cache.
pub(crate) fn run(root: &Path) -> Result<bool, String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().map_err(|error| error.to_string())?;
    let cache = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut reached = true;
    println!(
        "\n{:12} {:26} {:>10} {:>8} {:>8} {:>9}",
        "features", "", "recordings", "wall s", "CPU s", "per CPU s"
    );
    for coefficients in [None, Some(10)] {
        let front_end = WORDS.front_end(coefficients)?;
        for (what, cache) in [
            ("from the archives", None),
            ("the same, into the cache", Some(cache.path())),
            ("from the cache", Some(cache.path())),
        ] {
            let (wall, processor) = (Instant::now(), processor_seconds());
            let count = pool.install(|| {
                let loaded = WORDS.load(root, cache)?;
                let splits = loaded.features(&front_end, cache).map_err(text)?;
                Ok::<usize, String>(splits.train.len() + splits.val.len() + splits.test.len())
            })?;
            let wall = wall.elapsed().as_secs_f64();
            let used = processor.zip(processor_seconds()).map_or(wall, |(before, after)| after - before);
            let rate = count as f64 / used.max(0.01);
            reached &= rate >= BAR;
            println!("{:12} {what:26} {count:>10} {wall:>8.2} {used:>8.2} {rate:>9.0}", name(coefficients));
        }
    }
    println!("bar {BAR} recordings a second and core: {}", if reached { "reached" } else { "MISSED" });
    Ok(reached)
}
