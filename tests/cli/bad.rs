//! Bad input of every kind: one clear message with a code, a place and a way out, and nothing is lost.

use std::path::Path;

use crate::lab::{Lab, installed};

/// A mistake and what is said of it.
struct Case {
    name: &'static str,
    /// Makes the mistake in a folder with spec, data, lock, weights, store and bundle.
    spoil: fn(&Lab),
    args: &'static str,
    /// In stderr: code, place, way out.
    expect: &'static [&'static str],
}

const COMPILE: &str = "compile waves.nas --target host --no-verify";

/// Runs all cases; fails at the end with everything that is wrong.
fn check(cases: &[Case]) {
    let mut wrong = Vec::new();
    for case in cases {
        if let Err(what) = check_case(case) {
            wrong.push(format!("== {}: {what}", case.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

fn check_case(case: &Case) -> Result<(), String> {
    let lab = Lab::compiled();
    (case.spoil)(&lab);
    let before = lab.files();
    let args: Vec<&str> = case.args.split(' ').collect();
    let run = lab.run(&args);
    let shown = format!("\n{}{}", run.stdout, run.stderr);
    if run.code != Some(1) {
        return Err(format!("exit code {:?}{shown}", run.code));
    }
    if run.n_errors() != 1 || run.stderr.contains("internal error") || !run.stdout.is_empty() {
        return Err(format!("not one message{shown}"));
    }
    // A mark that says what belongs there is a way out too.
    if !["help:", "^ expected", "- expected", "^ only"].iter().any(|way| run.stderr.contains(way)) {
        return Err(format!("no way out{shown}"));
    }
    if let Some(part) = case.expect.iter().find(|part| !run.stderr.contains(**part)) {
        return Err(format!("`{part}` is not said{shown}"));
    }
    // The store has how the search ended.
    let files = || before.iter().filter(|(name, _)| *name != ".nasc/trials.sqlite");
    if let Some(name) = files().find(|(name, content)| lab.files().get(*name) != Some(content)) {
        return Err(format!("{} was changed", name.0));
    }
    Ok(())
}

macro_rules! cases {
    ($($name:literal, $args:expr, $spoil:expr => [$($expect:literal),* $(,)?];)*) => {
        check(&[$(Case { name: $name, args: $args, spoil: $spoil, expect: &[$($expect),*] },)*])
    };
}

#[test]
fn specs() {
    cases! {
        "syntax", COMPILE, |lab| lab.edit("waves.nas", "epochs: 3", "epochs 3") => ["E0101", "waves.nas:21", "epochs"];
        "unclosed", COMPILE, |lab| lab.edit("waves.nas", "batch: 16 }", "batch: 16") => ["E0102", "waves.nas:21"];
        "no version", COMPILE, |lab| lab.edit("waves.nas", "nas 1", "") => ["E0103", "nas 1"];
        "later version", COMPILE, |lab| lab.edit("waves.nas", "nas 1", "nas 9") => ["E0103", "waves.nas:1"];
        "unknown layer", COMPILE, |lab| lab.edit("waves.nas", "global_avg_pool", "global_avg_pol")
            => ["E0201", "waves.nas:11", "did you mean `global_avg_pool`?"];
        "unknown key", COMPILE, |lab| lab.edit("waves.nas", "epochs", "epoch")
            => ["E0201", "waves.nas:21", "did you mean `epochs`?"];
        "missing section", "check waves.nas", |lab| lab.edit("waves.nas", "search   {", "// search {") => ["E0203", "search"];
        "wrong unit", COMPILE, |lab| lab.edit("waves.nas", "ram <= 4 KiB", "ram <= 4 ms") => ["E0302", "waves.nas:24"];
        "no unit", COMPILE, |lab| lab.edit("waves.nas", "ram <= 4 KiB", "ram <= 4096") => ["E0302", "waves.nas:24"];
        "wrong type", COMPILE, |lab| lab.edit("waves.nas", "epochs: 3", "epochs: \"3\"") => ["E0301", "waves.nas:21"];
        "zero epochs", COMPILE, |lab| lab.edit("waves.nas", "epochs: 3", "epochs: 0") => ["E0305", "waves.nas:21"];
        "range", COMPILE, |lab| lab.edit("waves.nas", "4..8 step 4", "4..8 step 3") => ["E0401", "waves.nas:4"];
        "window too large", "check waves.nas --target host", |lab| {
            lab.edit("waves.nas", "kernel: {3, 5}, norm", "kernel: 13, padding: valid, norm");
        } => ["E0304", "waves.nas:7", "12"];
        "window too large, compiled", COMPILE, |lab| {
            lab.edit("waves.nas", "kernel: {3, 5}, norm", "kernel: 13, padding: valid, norm");
        } => ["E0304", "waves.nas:7", "12"];
        "wrong classes", COMPILE, |lab| lab.edit("waves.nas", "classes: 3", "classes: 4")
            => ["E0703", "3 classes", "4", "classes:"];
        "wrong input", COMPILE, |lab| lab.edit("waves.nas", "input: (12, 4)", "input: (10, 4)")
            => ["E0705", "12 x 1 x 4", "10 x 1 x 4", "input:"];
        "infeasible", COMPILE, |lab| lab.edit("waves.nas", "ram <= 4 KiB", "ram <= 10 B")
            => ["E0501", "waves.nas:24", "ram <= 10 B"];
        "infeasible accuracy", COMPILE, |lab| {
            lab.edit("waves.nas", "require  {", "require  { accuracy >= 99.9 %,");
        } => ["E0501", "waves.nas:24", "accuracy >= 99.9 %"];
        "locked network does not fit", "compile waves.nas --target host --locked", |lab| {
            lab.edit("waves.nas", "ram <= 4 KiB", "ram <= 10 B");
        } => ["E0502", "waves.nas:24", "ram", "--locked"];
        "not UTF-8", COMPILE, |lab| lab.write("waves.nas", b"nas 1\n\nlet \xff = 1\n") => ["E0101", "waves.nas", "line 3", "UTF-8"];
        "folder", "check build", |_| {} => ["E0701", "build", ".nas"];
        "compiled folder", "compile build --target host", |_| {} => ["E0701", "build", ".nas"];
        "no spec", "compile wave.nas --target host", |_| {} => ["E0701", "wave.nas"];
        "unknown target", "compile waves.nas --target cortex_m4", |_| {}
            => ["E0601", "cortex_m4", "did you mean `cortex-m4`?"];
        "unknown target, checked", "check waves.nas --target hots", |_| {} => ["E0601", "did you mean `host`?"];
        "missing target", "compile waves.nas", |_| {} => ["E0601", "--target NAME", "cortex-m4"];
        "bad name", "compile waves.nas --target host --name 1st-net", |_| {} => ["E0910", "1st-net", "--name"];
        "name of C", "compile waves.nas --target host --name int", |_| {} => ["E0910", "int", "--name"];
        "empty spec", COMPILE, |lab| lab.write("waves.nas", "") => ["E0103", "nas 1"];
        "binary spec", COMPILE, |lab| lab.write("waves.nas", [0u8, 159, 146, 150, 0, 1, 2, 255]) => ["E0101", "UTF-8"];
        "path outside", COMPILE, |lab| lab.edit("waves.nas", "\"train.ts\"", "\"../train.ts\"") => ["E0204", "waves.nas:16", "--data DIR"];
    }
}

#[test]
fn data() {
    cases! {
        "no train", "compile waves.nas --target host --research", |lab| lab.remove("train.ts")
            => ["E0701", "train.ts", "--data DIR"];
        "no test", "compile waves.nas --target host --research", |lab| lab.remove("test.ts") => ["E0701", "test.ts"];
        "no data to eval", "eval waves.nas", |lab| lab.remove("test.ts") => ["E0701", "test.ts", "--data DIR"];
        "no data folder", "compile waves.nas --target host --research --data nowhere", |_| {} => ["E0701", "nowhere"];
        "cut in a line", COMPILE, |lab| lab.truncate("train.ts") => ["train.ts", "line 3"];
        "cut in the header", COMPILE, |lab| lab.write("train.ts", "@problemName waves\n@dimensions 4\n")
            => ["E0702", "train.ts", "@data"];
        "cut after the header", COMPILE, |lab| {
            let text = lab.text("train.ts");
            lab.write("train.ts", &text[..text.find("@data").unwrap() + 6]);
        } => ["E0702", "train.ts"];
        "one sample", COMPILE, |lab| {
            let text = lab.text("train.ts");
            lab.write("train.ts", text.lines().take(9).collect::<Vec<_>>().join("\n"));
        } => ["E0704"];
        "undeclared label", COMPILE, |lab| lab.edit("train.ts", ":fast\n", ":quick\n") => ["E0703", "train.ts", "line 11", "quick"];
        "labels differ", COMPILE, |lab| lab.edit("test.ts", "slow mid fast", "slow mid fast other")
            => ["E0703", "test.ts", "other"];
        "no labels", COMPILE, |lab| lab.edit("train.ts", "@classLabel true slow mid fast", "@classLabel false")
            => ["E0703", "train.ts", "line 7"];
        "not a number", COMPILE, |lab| lab.edit("train.ts", "@data\n", "@data\nx,") => ["E0702", "train.ts", "line 9", "x"];
        "NaN", COMPILE, |lab| lab.edit("train.ts", "@data\n", "@data\nNaN,") => ["E0702", "train.ts", "line 9", "NaN"];
        "infinite", COMPILE, |lab| lab.edit("train.ts", "@data\n", "@data\n1e99,") => ["train.ts", "line 9", "1e99"];
        "a value less", COMPILE, |lab| {
            let text = lab.text("train.ts");
            let first = text[text.find("@data\n").unwrap() + 6..].split(',').next().unwrap().to_owned();
            lab.edit("train.ts", &format!("@data\n{first},"), "@data\n");
        } => ["train.ts", "line 9"];
        "a channel less", COMPILE, |lab| {
            let text = lab.text("test.ts");
            let first = text[text.find("@data\n").unwrap() + 6..].split(':').next().unwrap().to_owned();
            lab.edit("test.ts", &format!("@data\n{first}:"), "@data\n");
        } => ["test.ts", "line 9"];
        "empty", COMPILE, |lab| lab.write("train.ts", "") => ["E0702", "train.ts", "@data"];
        "garbage", COMPILE, |lab| lab.write("test.ts", (0..=255u8).cycle().take(4096).collect::<Vec<_>>())
            => ["E0702", "test.ts", "line 1"];
        "folder", "compile waves.nas --target host --research", |lab| { lab.remove("train.ts"); lab.write("train.ts/x", "") } => ["E0701", "train.ts"];
        "no file to eval", "eval build/waves/host --data gone.ts", |_| {} => ["E0701", "gone.ts"];
        "a folder to eval", "eval build/waves/host --data build", |_| {} => ["E0701", "build"];
        "no data for a bundle", "eval build/waves/host", |_| {} => ["E0701", "--data PATH"];
        "other classes to eval", "eval build/waves/host --data test.ts", |lab| {
            let text = lab.text("test.ts").replace("mid", "middle");
            lab.write("test.ts", text);
        } => ["E0703", "middle", "mid"];
        "other shape to eval", "eval build/waves/host --data test.ts", |lab| {
            let text = lab.text("test.ts");
            let rows: Vec<String> = text.lines().map(|line| match line.split_once(':') {
                Some((_, rest)) => rest.to_owned(),
                None => line.replace("@dimensions 4", "@dimensions 3"),
            }).collect();
            lab.write("test.ts", rows.join("\n"));
        } => ["E0705", "12 x 1 x 3", "4"];
    }
}

#[test]
fn locks_weights_and_stores() {
    const LOCKED: &str = "compile waves.nas --target host --no-verify --locked";
    cases! {
        "truncated lock", COMPILE, |lab| lab.truncate("waves.nas.lock") => ["E0902", "waves.nas.lock", "--research"];
        "other JSON", COMPILE, |lab| lab.write("waves.nas.lock", "[1, 2]") => ["E0902", "waves.nas.lock", "--research"];
        "no JSON", COMPILE, |lab| lab.write("waves.nas.lock", b"\xff\x00") => ["E0902", "waves.nas.lock"];
        "part of a lock", COMPILE, |lab| lab.write("waves.nas.lock", "{\"version\": 2}") => ["E0902", "classes", "--research"];
        "later lock", COMPILE, |lab| lab.edit("waves.nas.lock", "\"version\": 2", "\"version\": 3")
            => ["E0902", "version 3", "this nasc reads 2", "use the nasc that wrote it"];
        "earlier lock", COMPILE, |lab| lab.edit("waves.nas.lock", "\"version\": 2", "\"version\": 1")
            => ["E0902", "version 1", "reads and writes 2", "--research"];
        "lock without its network", COMPILE, |lab| lab.edit("waves.nas.lock", "\"host\": \"waves\"", "\"host\": \"ripple\"")
            => ["E0902", "waves.nas.lock"];
        "lock that is a folder", COMPILE, |lab| { lab.remove("waves.nas.lock"); lab.write("waves.nas.lock/x", "") }
            => ["E0902", "waves.nas.lock"];
        "no lock", LOCKED, |lab| lab.remove("waves.nas.lock") => ["E0903", "waves.nas.lock", "without `--locked`"];
        "no weights", LOCKED, |lab| lab.remove("waves.nas.weights") => ["E0903", "waves.nas.weights", "without `--locked`"];
        "flipped weights", LOCKED, |lab| lab.flip("waves.nas.weights") => ["E0902", "waves.nas.weights", "version control"];
        "truncated weights", LOCKED, |lab| lab.truncate("waves.nas.weights") => ["E0902", "waves.nas.weights"];
        "nothing to eval", "eval waves.nas", |lab| lab.remove("waves.nas.lock") => ["E0903", "waves.nas.lock", "nasc compile"];
        "no weights to eval", "eval waves.nas", |lab| lab.remove("waves.nas.weights") => ["E0903", "waves.nas.weights"];
        "flipped weights to eval", "eval waves.nas", |lab| lab.flip("waves.nas.weights") => ["E0902", "waves.nas.weights"];
        "eval for another target", "eval waves.nas --target cortex-m4", |_| {} => ["E0601", "cortex-m4", "host"];
        "eval of another shape", "eval waves.nas", |lab| {
            lab.edit("waves.nas", "input: (12, 4)", "input: (12, 3)");
            for file in ["train.ts", "test.ts"] {
                let text = lab.text(file).replace("@dimensions 4", "@dimensions 3");
                let rows: Vec<&str> =
                    text.lines().map(|line| line.split_once(':').map_or(line, |(_, rest)| rest)).collect();
                lab.write(file, rows.join("\n"));
            }
        } => ["E0901", "section `space` changed", "nasc compile"];
        "garbage store", "compile waves.nas --target host --research", |lab| {
            lab.write(".nasc/trials.sqlite", "this is no database ".repeat(100));
        } => ["E0802", "trials.sqlite", "move the file away"];
        "truncated store", "compile waves.nas --target host --research", |lab| lab.truncate(".nasc/trials.sqlite")
            => ["E0802", "trials.sqlite"];
        "store that is a folder", "compile waves.nas --target host --research", |lab| {
            lab.remove(".nasc");
            lab.write(".nasc/trials.sqlite/x", "");
        } => ["E0802", "trials.sqlite"];
        "file in the place of .nasc", "compile waves.nas --target host --research", |lab| {
            lab.remove(".nasc");
            lab.write(".nasc", "mine");
        } => ["E0802", ".nasc"];
        "output below a file", "compile waves.nas --target host --no-verify -o waves.nas/out", |_| {}
            => ["E0904", "waves.nas/out", "give another path"];
        "output is a file", "compile waves.nas --target host --no-verify -o train.ts", |_| {}
            => ["E0904", "train.ts", "give another path"];
        "output is a file, known before the search",
            "compile waves.nas --target host --no-verify --trials 1000000 -o train.ts", |_| {}
            => ["E0904", "train.ts", "give another path"];
        "archive below a file", "compile waves.nas --target host --no-verify --research --archive test.ts/a", |_| {}
            => ["E0904", "test.ts/a", "give another path"];
    }
}

#[test]
fn bundles() {
    let files = [
        "report.json",
        "waves.c",
        "waves.graph",
        "waves.h",
        "waves_golden.safetensors",
        "waves_test.c",
        "waves_weights.c",
    ];
    let mut wrong = Vec::new();
    for file in files {
        let path = format!("build/waves/host/{file}");
        for damage in ["truncated", "flipped", "missing"] {
            let lab = Lab::compiled();
            match damage {
                "truncated" => lab.truncate(&path),
                "flipped" if file == "report.json" => lab.edit(&path, "\"provenance\"", "\"provenancf\""),
                "flipped" => lab.flip(&path),
                _ => lab.remove(&path),
            }
            let before = lab.files();
            for args in
                [vec!["verify", "build/waves/host"], vec!["eval", "build/waves/host", "--data", "test.ts"]]
            {
                let run = lab.run(&args);
                let told = ["error[E0907]", file, "help:", "`nasc compile` writes it again"];
                // Without a graph file there is no name to miss.
                let told = if file == "waves.graph" && damage == "missing" { &told[..1] } else { &told[..] };
                let clear = told.iter().all(|part| run.stderr.contains(part)) && run.n_errors() == 1;
                if run.code != Some(1) || !clear || lab.files() != before {
                    wrong.push(format!(
                        "{damage} {file}, {args:?}: {:?}\n{}{}",
                        run.code, run.stdout, run.stderr
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    cases! {
        "no bundle", "verify build/waves/avr", |_| {} => ["E0907", "build/waves/avr", "nasc compile"];
        "a file", "verify waves.nas", |_| {} => ["E0907", "waves.nas"];
        "an empty folder", "verify nothing", |lab| std::fs::create_dir(lab.path("nothing")).unwrap()
            => ["E0907", "nothing", ".graph"];
        "two bundles in a folder", "verify build/waves/host", |lab| {
            let graph = lab.read("build/waves/host/waves.graph");
            lab.write("build/waves/host/other.graph", graph);
        } => ["E0907", "more than one", "folder of its own"];
    }
}

#[test]
fn damage_that_can_be_mended_is_mended() {
    for (file, note) in [("waves.nas.weights", "searching again"), ("waves.nas.lock", "searching: 4 trials")]
    {
        for missing in [false, true] {
            let lab = Lab::compiled();
            let whole = lab.files();
            match (missing, file) {
                (true, _) => lab.remove(file),
                (false, "waves.nas.weights") => lab.flip(file),
                (false, _) => continue,
            }
            let run = lab.compile(&[]).good();
            assert!(run.stderr.contains(note), "{}", run.stderr);
            for name in ["waves.nas.lock", "waves.nas.weights", "build/waves/host/report.json"] {
                assert_eq!(lab.read(name), whole[name], "{name}");
            }
        }
    }
    let lab = Lab::compiled();
    let whole = lab.files();
    lab.truncate("waves.nas.lock");
    lab.compile(&["--research"]).good();
    assert_eq!(lab.read("waves.nas.lock"), whole["waves.nas.lock"]);
    lab.truncate("build/waves/host/waves.c");
    lab.write("build/waves/host/waves.c.99999-0.tmp", "left by a killed run");
    lab.compile(&[]).good();
    assert_eq!(lab.below("build"), Lab::compiled().below("build"));
}

#[test]
fn wrong_usage() {
    let lab = Lab::compiled();
    let before = lab.files();
    for (args, part) in [
        ("compile waves.nas --target host --trials 0", "at least 1"),
        ("compile waves.nas --target host --jobs 0", "at least 1"),
        ("compile waves.nas --target host --trials many", "at least 1"),
        ("compile waves.nas --target host --seed -1", "--seed"),
        ("compile waves.nas --target host --budget 5", "s, min or h"),
        ("compile waves.nas --target host --budget 5 days", "unexpected argument"),
        ("compile waves.nas --target host --budget min", "90s, 15min, 2h"),
        ("compile waves.nas --target host --budget 99999999999999999999h", "--budget"),
        ("compile waves.nas --target host --locked --research", "cannot be used with"),
        ("compile waves.nas --target host --emit asm", "ir:after=PASS"),
        ("compile waves.nas --targt host", "--target"),
        ("compile", "<SPEC>"),
        ("eval", "<INPUT>"),
        ("verify", "<BUNDLE>"),
        ("check waves.nas --format xml", "human, json"),
        ("verfy build", "verify"),
    ] {
        let run = lab.run(&args.split(' ').collect::<Vec<_>>());
        assert_eq!((run.code, run.n_errors()), (Some(2), 1), "{args}: {}", run.stderr);
        assert!(run.stderr.contains(part) && run.stdout.is_empty(), "{args}: {}", run.stderr);
        assert!(run.stderr.contains("--help"), "{args}: {}", run.stderr);
    }
    assert_eq!(lab.files(), before);
}

#[test]
fn without_tools_bundles_are_written_but_not_verified() {
    let lab = Lab::new();
    let bare = lab.path("bare");
    std::fs::create_dir(&bare).unwrap();
    let without = |path: &Path, args: &[&str]| {
        crate::lab::Run::new(lab.command(args).env("PATH", path).output().unwrap())
    };
    for (target, tool) in [("cortex-m4", "arm-none-eabi-gcc"), ("host", "cc")] {
        let folder = format!("build/waves/{target}");
        let compiled = without(&bare, &["compile", "waves.nas", "--target", target]);
        assert_eq!(compiled.code, Some(0), "{}", compiled.stderr);
        assert!(
            compiled.stderr.contains("warning[E0909]") && compiled.stderr.contains(tool),
            "{}",
            compiled.stderr
        );
        assert!(compiled.stderr.contains("help: install the Debian package"), "{}", compiled.stderr);
        assert!(compiled.stdout.contains("not verified") && lab.path(&folder).join("waves.c").exists());
        let verified = without(&bare, &["verify", &folder]);
        assert_eq!((verified.code, verified.n_errors()), (Some(1), 1), "{}", verified.stderr);
        assert!(
            verified.stderr.contains("error[E0905]") && verified.stderr.contains(tool),
            "{}",
            verified.stderr
        );
        assert!(verified.stderr.contains("help: install the Debian package"), "{}", verified.stderr);
        let json =
            without(&bare, &["compile", "waves.nas", "--target", target, "--format", "json"]).good().json();
        assert_eq!(json["bundles"][0]["verified"], false);
    }
    if installed(&["arm-none-eabi-gcc"]) && cfg!(unix) {
        // The compiler alone is not enough: the emulator is told by name.
        #[cfg(unix)]
        for program in ["arm-none-eabi-gcc", "arm-none-eabi-size", "arm-none-eabi-nm"] {
            let path = std::env::var_os("PATH").unwrap();
            let found =
                std::env::split_paths(&path).map(|folder| folder.join(program)).find(|path| path.is_file());
            if let Some(found) = found {
                std::os::unix::fs::symlink(found, bare.join(program)).unwrap();
            }
        }
        let verified = without(&bare, &["verify", "build/waves/cortex-m4"]);
        assert!(verified.code == Some(1) && verified.n_errors() == 1, "{}", verified.stderr);
        assert!(!verified.stderr.contains("E0908"), "{}", verified.stderr);
    }
}
