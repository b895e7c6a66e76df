//! Every spec of `examples/`: its header, its form, its space, and the network that its baseline chooses.

use std::fs;
use std::path::{Path, PathBuf};

use nasc::diagnostic::{Style, render};
use nasc::elaborate::{self, Options};
use nasc::source::SourceMap;
use nasc::space::{Space, enumerate, instantiate};

use crate::lab::Lab;

/// More points than any example has.
const POINTS: usize = 10_000;

/// The folder of the examples.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The names of the examples.
fn names() -> Vec<String> {
    let folders = fs::read_dir(root()).unwrap();
    let mut names: Vec<String> =
        folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["activity", "digits", "fashion", "kws", "pump", "voice", "vowels"]);
    names
}

/// All specs of an example by path below the folder of the examples.
fn specs() -> Vec<String> {
    let mut found = Vec::new();
    for example in names() {
        for entry in fs::read_dir(root().join(&example)).unwrap() {
            let file = entry.unwrap().file_name().into_string().unwrap();
            if file.ends_with(".nas") {
                found.push(format!("{example}/{file}"));
            }
        }
    }
    found.sort();
    found
}

/// A folder with the specs of an example.
pub(crate) fn copy(example: &str) -> Lab {
    let lab = Lab::empty();
    for spec in specs() {
        if let Some(file) = spec.strip_prefix(&format!("{example}/")) {
            lab.write(file, fs::read(root().join(&spec)).unwrap());
        }
    }
    lab
}

struct Beside(PathBuf);

impl elaborate::Files for Beside {
    fn read(&self, path: &str) -> Result<String, String> {
        fs::read_to_string(self.0.join(path)).map_err(|error| error.to_string())
    }
}

fn space(spec: &Path) -> Space {
    let mut sources = SourceMap::new();
    let file = sources.add(spec.display().to_string(), fs::read_to_string(spec).unwrap());
    let beside = Beside(spec.parent().unwrap().to_owned());
    let (program, diagnostics) =
        elaborate::elaborate(&mut sources, file, &Options { files: &beside, ..Options::default() });
    program.unwrap_or_else(|| panic!("{}", render(&diagnostics, &sources, Style::Plain))).space
}

/// The networks of all points.
fn networks(space: &Space) -> Vec<String> {
    let points = enumerate(space, POINTS).expect("few points");
    points.iter().filter_map(|point| Some(instantiate(space, point).ok()?.to_text())).collect()
}

/// The limits of the line `require`, in KiB: RAM, flash.
pub(crate) fn limits(text: &str) -> [u64; 2] {
    let line = text.lines().find(|line| line.starts_with("require")).expect("a line `require`");
    let number = |key: &str| {
        let (_, rest) = line.split_once(key).expect("a limit");
        rest.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number of KiB")
    };
    [number("ram <= "), number("flash <= ")]
}

/// What a reader has to know first stands at the head, and the budget there is the one that is required.
#[test]
fn every_example_says_what_it_takes_and_gives() {
    for example in names() {
        let text = fs::read_to_string(root().join(format!("{example}/{example}.nas"))).unwrap();
        let head: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("///")).collect();
        assert!(!head[0].trim().is_empty(), "{example}: no task");
        let line = |key: &str| {
            let found = head.iter().find_map(|line| line.trim().strip_prefix(key));
            found.unwrap_or_else(|| panic!("{example}: no `{key}`")).trim()
        };
        assert!(!line("Data:").is_empty() && !line("Expect:").is_empty(), "{example}");
        let [ram, flash] = limits(&text);
        let budget = format!("a Cortex-M4 with {ram} KiB of RAM and {flash} KiB of flash for the bundle");
        assert!(line("Budget:").starts_with(&budget), "{example}: not `{budget}`");
    }
}

#[test]
fn every_spec_is_formatted_and_holds_networks_that_fit() {
    for spec in specs() {
        let path = root().join(&spec).display().to_string();
        let lab = Lab::empty();
        lab.run(&["fmt", "--check", &path]).good();
        let checked = lab.run(&["check", &path, "--target", "cortex-m4", "--format", "json"]).good();
        assert_eq!(checked.stderr, "", "{spec}");
        let found = &checked.json()["feasible"][0];
        let (tried, fitting) = (found["tried"].as_u64().unwrap(), found["fitting"].as_u64().unwrap());
        assert!(tried > 0 && 2 * fitting >= tried, "{spec}: {fitting} of {tried} fit");
    }
}

/// One point, whose network is one of the example's own and fits.
#[test]
fn every_baseline_is_one_network_of_its_space() {
    for spec in specs().iter().filter(|spec| spec.ends_with("/baseline.nas")) {
        let (example, _) = spec.split_once('/').unwrap();
        let base = networks(&space(&root().join(format!("{example}/{example}.nas"))));
        let own = networks(&space(&root().join(spec)));
        assert!(base.len() > 1, "{example} has {} networks", base.len());
        assert_eq!(own.len(), 1, "{spec}");
        assert!(base.contains(&own[0]), "{spec} is outside of the space:\n{}", own[0]);
        let path = root().join(spec).display().to_string();
        let args = ["check", &path, "--target", "cortex-m4", "--format", "json"];
        let checked = Lab::empty().run(&args).good().json();
        assert_eq!(checked["size"]["points"], "1", "{spec}");
        assert_eq!(checked["feasible"][0]["fitting"], checked["feasible"][0]["tried"], "{spec}");
    }
}
