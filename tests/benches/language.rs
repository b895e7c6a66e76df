//! Time to parse a spec of 1 MiB, to format one of 10,000 lines, and to check what comes with nasc.
//!
//! `cargo bench --bench language` prints the median of repetitions, which is to stay below 200 ms for parsing and
//! formatting, and below 50 ms for `check` of each example and each space of the standard library.

#![expect(clippy::print_stdout, reason = "a bench prints")]
#![expect(clippy::disallowed_methods, reason = "a bench measures time")]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, io};

use nasc::pipeline::{self, CheckOptions};
use nasc::source::SourceMap;
use nasc::syntax;

/// Milliseconds that parsing and formatting may take.
const BAR: f64 = 200.0;

/// Milliseconds that `check` may take.
const CHECK_BAR: f64 = 50.0;

const REPETITIONS: usize = 9;

const SPECS: [&str; 4] = [
    include_str!("../../examples/vowels/vowels.nas"),
    include_str!("../../stdlib/targets/cortex_m.nas"),
    include_str!("../cases/parse/kws.nas"),
    include_str!("../cases/parse/language.nas"),
];

/// A spec of all items of the language over and over, until it is long enough.
fn spec(is_long_enough: impl Fn(&str) -> bool) -> String {
    let mut text = String::from("nas 1\n");
    for spec in SPECS.iter().cycle() {
        if is_long_enough(&text) {
            break;
        }
        text.push_str(spec.strip_prefix("nas 1").expect("a spec says its version"));
    }
    text
}

/// The median and the least time of repetitions, in milliseconds.
fn time(mut run: impl FnMut()) -> (f64, f64) {
    let mut times: Vec<Duration> = (0..REPETITIONS)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    (milliseconds(times[REPETITIONS / 2]), milliseconds(times[0]))
}

fn show(what: &str, text: &str, (median, least): (f64, f64)) {
    let (bytes, lines) = (text.len(), text.lines().count());
    let verdict = if median < BAR { "below" } else { "ABOVE" };
    println!(
        "{what} {bytes} bytes, {lines} lines: median {median:.1} ms, least {least:.1} ms, {verdict} {BAR} ms"
    );
}

fn main() {
    let large = spec(|text| text.len() >= 1 << 20);
    let mut sources = SourceMap::new();
    let file = sources.add("large.nas", large.as_str());
    let (_, diagnostics) = syntax::parse(&sources, file);
    assert!(!diagnostics.has_errors(), "the spec parses");
    show("parse", &large, time(|| drop(black_box(syntax::parse(&sources, file)))));

    let long = spec(|text| text.lines().count() >= 10_000);
    let mut sources = SourceMap::new();
    let file = sources.add("long.nas", long.as_str());
    assert!(syntax::format(&sources, file).is_ok(), "the spec is formatted");
    show("format", &long, time(|| drop(black_box(syntax::format(&sources, file)))));

    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/vowels/vowels.nas").to_owned();
    for spec in nasc::elaborate::stdlib_spaces().into_iter().chain([example]) {
        let options = CheckOptions::default();
        let run = || drop(black_box(pipeline::check(&Disk, Path::new(&spec), &options, &pipeline::Silent)));
        let (median, least) = time(run);
        let verdict = if median < CHECK_BAR { "below" } else { "ABOVE" };
        let name = spec.rsplit('/').next().unwrap_or_default();
        println!("check {name}: median {median:.1} ms, least {least:.1} ms, {verdict} {CHECK_BAR} ms");
    }
}

/// Files as they are; a bench writes none.
struct Disk;

impl pipeline::Files for Disk {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn write(&self, _path: &Path, _content: &[u8]) -> io::Result<()> {
        Err(io::Error::other("not in a bench"))
    }

    fn make_folder(&self, _path: &Path) -> io::Result<()> {
        Err(io::Error::other("not in a bench"))
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Err(io::Error::other("not in a bench"))
    }
}
