//! Lock, weights and bundles on a disk without space.

use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::diagnostic::Code;
use crate::pipeline::compile::{CompileOptions, Environment, Silent};
use crate::search::Clock;

struct Still;

impl Clock for Still {
    fn now(&self) -> u64 {
        0
    }

    fn pause(&self) {}
}

/// Files in memory, of which one can never be written.
struct Full {
    memory: Memory,
    never: &'static str,
}

impl Files for Full {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.memory.read(path)
    }

    fn write(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        if path.ends_with(self.never) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.memory.write(path, content)
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        self.memory.make_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.memory.remove(path)
    }
}

const SPEC: &str = "nas 1
model net(input: 4, classes: 2) { dense(units: 2..6, act: relu), dense(units: classes) }
data { source: csv(train: \"train.csv\", test: \"test.csv\", label: \"y\"), split: holdout(val: 25 %), normalize: standardize }
train { optimizer: adamw(lr: 1e-2), epochs: 2, batch: 8 }
quantize { calibrate: 8 samples }
maximize accuracy
search { strategy: random, trials: 2, seed: 7 }
";

fn table() -> String {
    let row = |i: usize| {
        let sign = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let x = |t: usize| sign * (((i * 7 + t * 13) % 10) as f64 / 10.0 + 0.1 * t as f64);
        format!("{},{},{},{},{}\n", x(0), x(1), x(2), x(3), ["a", "b"][i % 2])
    };
    "x0,x1,x2,x3,y\n".to_owned() + &(0..32).map(row).collect::<String>()
}

#[test]
fn a_file_that_has_no_space_is_named_and_space_lets_the_command_go_on() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["train.csv", "test.csv"] {
        std::fs::write(folder.path().join(name), table()).expect("written");
    }
    let spec = folder.path().join("net.nas");
    let cancel = AtomicBool::new(false);
    let options = CompileOptions { jobs: 1, targets: vec!["host".into()], ..CompileOptions::default() };
    let compiled = |never: &'static str| {
        let files = Full { memory: Memory::default(), never };
        files.memory.write(&spec, SPEC.as_bytes()).expect("memory");
        let env = Environment { files: &files, clock: &Still, cancel: &cancel, progress: &Silent };
        let result = compile(&spec, &options, &env).map(|compiled| compiled.archive);
        (result, files.memory.0.into_inner().expect("no test failed"))
    };
    let (whole, expected) = compiled("nothing");
    let whole = whole.unwrap_or_else(|failure| panic!("{:?}", failure.diagnostics));
    assert!(whole.is_some());
    for never in ["net.nas.weights", "net.nas.lock", "net.c", "report.json"] {
        let (failed, _) = compiled(never);
        let diagnostics = failed.expect_err("no space").diagnostics;
        let [error] = diagnostics.0.as_slice() else { panic!("{diagnostics:?}") };
        assert_eq!(error.code, Code::OUTPUT);
        assert!(error.message.contains(never), "{}", error.message);
        assert!(error.help.join(" ").contains("make room, then repeat the command"), "{:?}", error.help);
        let (again, files) = compiled("nothing");
        assert_eq!(again.ok(), Some(whole.clone()), "{never}");
        assert_eq!(files, expected, "{never}");
    }
}
