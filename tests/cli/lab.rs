//! A folder with a spec and data, and the binary run in it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value as Json;
use tempfile::TempDir;

/// Three classes of noisy waves in a space of a few networks.
pub(crate) const SPEC: &str = r#"nas 1

/// Three classes of waves.
let width = 4..8 step 4                   // one decision for all layers

model waves(input: (12, 4), classes: 3) {
  conv1d(filters: width, kernel: {3, 5}, norm: batch, act: relu)
  repeat depth: 0..1 {
    conv1d(filters: width, kernel: 3, stride: {1, 2}, norm: batch, act: relu)
  }
  global_avg_pool
  dense(units: classes)
}

data {
  source:    ts(train: "train.ts", test: "test.ts")
  split:     holdout(val: 20 %)
  normalize: standardize
}

train    { optimizer: adamw(lr: 1e-2), epochs: 3, batch: 16 }
quantize { calibrate: 32 samples }

require  { ram <= 4 KiB, flash <= 24 KiB }
maximize accuracy
minimize ram

search   { strategy: random, trials: 4, finalists: 2, seed: 7 }
"#;

const CLASSES: [&str; 3] = ["slow", "mid", "fast"];
const TIME: usize = 12;
const CHANNELS: usize = 4;

/// `n` samples in turn of each class, as `.ts` text.
pub(crate) fn waves(n: usize, seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = move || f64::from(rng.next_u32()) / f64::from(u32::MAX);
    let mut text = format!(
        "@problemName waves\n@timeStamps false\n@univariate false\n@dimensions {CHANNELS}\n@equalLength true\n\
         @seriesLength {TIME}\n@classLabel true {}\n@data\n",
        CLASSES.join(" ")
    );
    for sample in 0..n {
        let class = sample % CLASSES.len();
        for _ in 0..CHANNELS {
            let phase = std::f64::consts::TAU * uniform();
            let values: Vec<String> = (0..TIME)
                .map(|time| {
                    let wave = (phase + time as f64 * 0.5 * (class + 1) as f64).sin();
                    format!("{:.4}", wave + 0.6 * (uniform() - 0.5))
                })
                .collect();
            write!(text, "{}:", values.join(",")).unwrap();
        }
        writeln!(text, "{}", CLASSES[class]).unwrap();
    }
    text
}

/// What a run of the binary left.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn new(output: Output) -> Run {
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// This run, which must have ended well.
    #[track_caller]
    pub(crate) fn good(self) -> Run {
        assert_eq!(self.code, Some(0), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Json {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in:\n{}", self.stdout))
    }

    /// Lines of stderr that start an error.
    pub(crate) fn n_errors(&self) -> usize {
        self.stderr.lines().filter(|line| line.starts_with("error")).count()
    }
}

/// A temporary folder.
pub(crate) struct Lab {
    folder: TempDir,
}

impl Lab {
    /// A folder with nothing in it.
    pub(crate) fn empty() -> Lab {
        Lab { folder: tempfile::tempdir().unwrap() }
    }

    /// A folder with spec and data.
    pub(crate) fn new() -> Lab {
        let lab = Lab::empty();
        lab.write("waves.nas", SPEC);
        lab.write("train.ts", waves(60, 1));
        lab.write("test.ts", waves(30, 2));
        lab
    }

    /// A folder with spec, data, lock, weights, store and a bundle for the host.
    pub(crate) fn compiled() -> Lab {
        static TEMPLATE: OnceLock<Lab> = OnceLock::new();
        let template = TEMPLATE.get_or_init(|| {
            let lab = Lab::new();
            lab.run(&["compile", "waves.nas", "--target", "host", "--no-verify"]).good();
            lab
        });
        template.copy(|_| true)
    }

    /// Another folder with those files of this one.
    pub(crate) fn copy(&self, wanted: impl Fn(&str) -> bool) -> Lab {
        let copy = Lab::empty();
        for (name, content) in self.files() {
            if wanted(&name) {
                copy.write(&name, content);
            }
        }
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn text(&self, name: &str) -> String {
        String::from_utf8(self.read(name)).unwrap()
    }

    pub(crate) fn remove(&self, name: &str) {
        let path = self.path(name);
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }

    /// Puts `to` in the place of `from` in a file, which must have it.
    #[track_caller]
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.text(name);
        assert!(text.contains(from), "`{from}` is not in {name}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// Cuts a file to its first half.
    pub(crate) fn truncate(&self, name: &str) {
        let content = self.read(name);
        self.write(name, &content[..content.len() / 2]);
    }

    /// Flips a bit of a byte in the middle of a file.
    pub(crate) fn flip(&self, name: &str) {
        let mut content = self.read(name);
        let middle = content.len() / 2;
        content[middle] ^= 1;
        self.write(name, content);
    }

    /// All files below the folder by path with `/`; of the store only the database itself.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(self.folder.path(), "", &mut files);
        files
    }

    /// The files below one folder of it.
    pub(crate) fn below(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        let prefix = format!("{folder}/");
        let files = self.files().into_iter();
        files.filter_map(|(name, content)| Some((name.strip_prefix(&prefix)?.to_owned(), content))).collect()
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nasc"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Run {
        Run::new(self.command(args).output().unwrap())
    }

    /// Compiles for the host without verification, with more arguments.
    pub(crate) fn compile(&self, more: &[&str]) -> Run {
        let args = ["compile", "waves.nas", "--target", "host", "--no-verify"];
        self.run(&[args.as_slice(), more].concat())
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else if !name.starts_with(".nasc/trials.sqlite-") {
            files.insert(name, fs::read(entry.path()).unwrap());
        }
    }
}

/// Whether all of these programs are installed; says so if not.
pub(crate) fn installed(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let missing =
        programs.iter().find(|program| !folders.iter().any(|folder| folder.join(program).is_file()));
    if let Some(missing) = missing {
        println!("skipped what needs `{missing}`: it is not installed");
    }
    missing.is_none()
}

/// The programs that an emulated Cortex-M needs.
pub(crate) const CROSS: [&str; 2] = ["arm-none-eabi-gcc", "qemu-system-arm"];
