//! Every command, as documented: results on stdout, messages on stderr, JSON with its keys, exit codes.

use serde_json::Value as Json;

use crate::lab::{CROSS, Lab, installed};

#[track_caller]
fn assert_keys(json: &Json, keys: &[&str]) {
    let object = json.as_object().unwrap_or_else(|| panic!("an object, found {json}"));
    for key in keys {
        assert!(object.contains_key(*key), "`{key}` is missing in {json}");
    }
}

/// Compiles for a target, verifies, and evaluates the spec and the bundle.
fn end_to_end(target: &str, emulated: bool) {
    let lab = Lab::new();
    let compiled = lab.run(&["compile", "waves.nas", "--target", target, "--format", "json"]).good();
    assert_eq!(compiled.stderr, "", "JSON has no progress");
    let json = compiled.json();
    assert_keys(&json, &["searched", "bundles"]);
    assert_eq!((&json["searched"], &json["bundles"][0]["verified"]), (&true.into(), &true.into()));
    let folder = format!("build/waves/{target}");
    assert_eq!(json["bundles"][0]["folder"], folder.as_str());
    let report: Json = serde_json::from_str(&lab.text(&format!("{folder}/report.json"))).unwrap();
    assert_eq!(json["bundles"][0]["report"], report);
    check_report(&report, target);

    let mut expected = vec![
        "CMakeLists.txt",
        "README.md",
        "report.html",
        "report.json",
        "waves.c",
        "waves.graph",
        "waves.h",
        "waves_golden.safetensors",
        "waves_test.c",
        "waves_weights.c",
    ];
    if emulated {
        expected.insert(2, "measured.json");
        check_measured(&serde_json::from_str(&lab.text(&format!("{folder}/measured.json"))).unwrap());
    }
    assert_eq!(lab.below(&folder).into_keys().collect::<Vec<_>>(), expected);

    let verified = lab.run(&["verify", &folder, "--format", "json"]).good().json();
    assert_keys(&verified, &["samples", "output_bytes", "ways", "measured", "sizes"]);
    assert_eq!((&verified["samples"], &verified["output_bytes"]), (&30.into(), &90.into()));
    let ways = verified["ways"].to_string();
    assert!(["evaluator", "interpreter", "host code"].iter().all(|way| ways.contains(way)), "{ways}");
    assert_eq!(ways.contains("mps2-an386"), emulated);
    let verified = lab.run(&["verify", &folder, "--emulator-only"]).good();
    assert!(!verified.stdout.contains("C by") && verified.stdout.contains("90 output bytes of 30 samples"));

    let quality = &report["targets"][0]["quality"];
    let test = lab.path("test.ts").display().to_string();
    for args in [
        vec!["eval", "waves.nas"],
        vec!["eval", "waves.nas", "--target", target, "--data", "."],
        vec!["eval", &folder, "--data", &test],
        vec!["eval", &folder, "--data", "waves.nas"],
    ] {
        let args = [args.as_slice(), &["--format", "json"]].concat();
        let evaluated = lab.run(&args).good().json();
        assert_keys(&evaluated, &["name", "split", "samples", "right", "metric", "ci95", "confusion"]);
        assert_eq!(
            (&evaluated["metric"], &evaluated["value"]),
            (&quality["metric"], &quality["int8"]),
            "{args:?}"
        );
        assert_eq!(evaluated["metrics"]["accuracy"]["value"], quality["int8"]);
        assert_keys(&evaluated["metrics"], &["accuracy", "error", "f1", "recall"]);
        assert_eq!(evaluated["classes"].as_array().map(Vec::len), Some(3));
        assert_eq!((&evaluated["samples"], &evaluated["ci95"]), (&quality["samples"], &quality["ci95"]));
    }
}

fn check_report(report: &Json, target: &str) {
    assert_keys(report, &["schema_version", "targets", "search", "provenance"]);
    let found = &report["targets"][0];
    assert_eq!(found["name"], target);
    assert_keys(found, &["name", "quality", "memory", "compute", "layers"]);
    assert_keys(&found["quality"], &["metric", "float", "int8", "split", "samples", "ci95"]);
    let memory = [
        "ram_bytes",
        "ram_total_bytes",
        "arena_bytes",
        "lower_bound_bytes",
        "optimal",
        "family",
        "flash_bytes",
        "weights_bytes",
        "code_bytes",
    ];
    assert_keys(&found["memory"], &memory);
    assert_keys(&found["compute"], &["macs", "cycles_estimated"]);
    assert!(found["layers"].as_array().is_some_and(|layers| layers.len() >= 3));
    assert_keys(&report["search"], &["strategy", "trials", "front"]);
    assert_eq!(report["search"]["trials"], 4);
    assert_keys(&report["provenance"], &["nasc", "data", "seed", "sections", "weights", "files"]);
}

fn check_measured(measured: &Json) {
    assert_keys(measured, &["toolchain", "device"]);
    let device = [
        "core",
        "instructions",
        "samples",
        "mismatched_bytes",
        "stack_bytes",
        "text_bytes",
        "rodata_bytes",
        "data_bytes",
        "bss_bytes",
    ];
    assert_keys(&measured["device"], &device);
    assert_eq!(
        (&measured["device"]["samples"], &measured["device"]["mismatched_bytes"]),
        (&30.into(), &0.into())
    );
}

#[test]
fn the_host_from_spec_to_verified_bundle() {
    if installed(&["cc"]) {
        end_to_end("host", false);
    }
}

#[test]
fn a_cortex_m4_from_spec_to_verified_bundle() {
    if installed(&CROSS) {
        end_to_end("cortex-m4", true);
    }
}

#[test]
fn results_go_to_stdout_and_messages_to_stderr() {
    let lab = Lab::new();
    let first = lab.compile(&[]).good();
    assert!(first.stdout.contains("waves for host (4 trials)") && first.stdout.contains("accuracy"));
    assert!(!first.stdout.contains("trial 0") && first.stderr.contains("searching: 4 trials"));
    let second = lab.compile(&[]).good();
    assert!(second.stdout.contains("waves for host (from the lock)"));
    assert!(!second.stderr.contains("searching"));
    let archive = lab.compile(&["--archive", "archive.txt"]).good();
    assert!(
        archive.stderr.contains("warning[E0904]") && archive.stderr.contains("--research"),
        "{}",
        archive.stderr
    );
    assert!(!lab.path("archive.txt").exists());

    for (args, code) in [
        (vec!["check", "waves.nas"], 0),
        (vec!["targets"], 0),
        (vec!["check", "nothing.nas"], 1),
        (vec!["explain", "E9999"], 1),
        (vec!["compile"], 2),
        (vec!["frobnicate"], 2),
        (vec![], 2),
    ] {
        let run = lab.run(&args);
        assert_eq!(run.code, Some(code), "{args:?}: {}", run.stderr);
        let (filled, empty) = if code == 0 { (&run.stdout, &run.stderr) } else { (&run.stderr, &run.stdout) };
        assert!(!filled.is_empty() && empty.is_empty(), "{args:?}: {filled} / {empty}");
    }
    let bad = lab.run(&["check", "nothing.nas", "--format", "json"]);
    let message: Json = serde_json::from_str(&bad.stderr).unwrap();
    assert_eq!((bad.code, &message[0]["code"]), (Some(1), &"E0701".into()));
}

#[test]
fn check_says_how_much_of_a_space_fits() {
    let lab = Lab::new();
    let text = lab.run(&["check", "waves.nas", "--target", "cortex-m4"]).good().stdout;
    assert!(
        text.contains("4 decisions") && text.contains("meet the requirements (100.00 %, 95 %:"),
        "{text}"
    );
    let json = lab.run(&["check", "waves.nas", "--target", "host", "--format", "json"]).good().json();
    assert_keys(&json, &["name", "decisions", "drawn", "valid", "feasible"]);
    assert_keys(&json["feasible"][0], &["target", "fitting", "ram_bytes", "flash_bytes", "macs"]);
    lab.edit("waves.nas", "ram <= 4 KiB", "ram <= 100 B");
    let tight = lab.run(&["check", "waves.nas", "--target", "host", "--format", "json"]).good().json();
    let fitting = tight["feasible"][0]["fitting"].as_u64().unwrap();
    assert!((1..64).contains(&fitting), "{tight}");
    assert_eq!(tight["feasible"][0]["ram_bytes"], json["feasible"][0]["ram_bytes"]);
}

#[test]
fn every_code_is_explained() {
    let lab = Lab::empty();
    let all = lab.run(&["explain"]).good().stdout;
    let json = lab.run(&["explain", "--format", "json"]).good().json();
    let list = json.as_array().unwrap();
    assert!(list.len() > 30);
    for entry in list {
        let code = entry["code"].as_str().unwrap();
        assert!(all.contains(code) && entry["explanation"].as_str().unwrap().len() > 80, "{code}");
    }
    let one = lab.run(&["explain", "e0304"]).good().stdout;
    assert!(one.starts_with("E0304\n") && one.contains("window") && one.matches("E0").count() == 1, "{one}");
    let unknown = lab.run(&["explain", "E0399"]);
    assert_eq!((unknown.code, unknown.n_errors()), (Some(1), 1));
    assert!(unknown.stderr.contains("`E0399`") && unknown.stderr.contains("E0304"), "{}", unknown.stderr);
}

#[test]
fn targets_and_tools_are_listed() {
    let lab = Lab::empty();
    let text = lab.run(&["targets"]).good().stdout;
    assert!(text.contains("cortex-m4") && text.contains("80 MHz") && text.contains("host"), "{text}");
    let board = text.lines().find(|line| line.starts_with("nucleo-f446re")).unwrap();
    for part in ["cortex-m4", "armv7em", "180 MHz", "128 KiB", "512 KiB", "163 mW"] {
        assert!(board.contains(part), "{board}");
    }
    assert!(text.contains("std/targets/stm32.nas: DS10693"), "{text}");
    let json = lab.run(&["targets", "--format", "json"]).good().json();
    assert_keys(&json, &["cortex-m4", "nucleo-f446re", "host"]);
    assert_keys(&json["cortex-m4"], &["core", "isa", "clock", "align", "cost", "toolchain", "source"]);
    let text = lab.run(&["doctor"]).good().stdout;
    assert!(text.contains("arm-none-eabi-gcc") && text.contains("qemu-system-arm"), "{text}");
    let json = lab.run(&["doctor", "--format", "json"]).good().json();
    assert_keys(&json[0], &["name", "path", "version", "package", "purpose"]);
    let without = lab.command(&["doctor"]).env("PATH", lab.path("")).output().unwrap();
    let text = String::from_utf8(without.stdout).unwrap();
    assert!(text.contains("not found; Debian package gcc-arm-none-eabi"), "{text}");
}

#[test]
fn every_command_has_help_with_an_example() {
    let lab = Lab::empty();
    let help = lab.run(&["--help"]).good().stdout;
    assert!(help.contains("Example") && help.contains("Exit codes"), "{help}");
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next().filter(|name| !name.is_empty()))
        .filter(|name| *name != "help")
        .collect();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in commands {
        let help = lab.run(&[command, "--help"]).good().stdout;
        assert!(help.contains("Example") && help.contains(&format!("  nasc {command}")), "{help}");
    }
    assert!(lab.run(&["--version"]).good().stdout.contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_stages_of_a_network_are_shown() {
    let lab = Lab::new();
    for stage in ["instantiate", "rewrite-float", "quantize", "rewrite-integer", "kernel", "plan"] {
        let emit = format!("ir:after={stage}");
        let text = lab.run(&["compile", "waves.nas", "--target", "host", "--emit", &emit]).good().stdout;
        assert!(text.lines().count() > 3, "{stage}: {text}");
        let again = lab.run(&["compile", "waves.nas", "--target", "host", "--emit", &emit]).good().stdout;
        assert_eq!(text, again, "{stage}");
    }
    assert!(!lab.path(".nasc").exists() && !lab.path("build").exists(), "nothing is written");
    let program = lab.run(&["compile", "waves.nas", "--emit", "ir:after=elaborate"]).good().stdout;
    lab.edit("waves.nas", "train    {", "// a remark\ntrain {");
    let again = lab.run(&["compile", "waves.nas", "--emit", "ir:after=elaborate"]).good().stdout;
    assert!(program == again && program.contains("\n== space\ninput ("), "{program}");
    let wrong = lab.run(&["compile", "waves.nas", "--emit", "ir:after=nonsense"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("rewrite-float"), "{}", wrong.stderr);
}

#[test]
fn output_that_is_no_terminal_has_no_colours() {
    let lab = Lab::new();
    for no_colour in ["", "1"] {
        let output = lab.command(&["check", "nothing.nas"]).env("NO_COLOR", no_colour).output().unwrap();
        assert!(!output.stderr.contains(&0x1b), "{no_colour:?}");
    }
    if !installed(&["script"]) {
        return;
    }
    let nasc = env!("CARGO_BIN_EXE_nasc");
    let in_terminal = |no_colour: &str| {
        let mut command = std::process::Command::new("script");
        let run = format!("'{nasc}' check nothing.nas");
        command.args(["-q", "-e", "-c", &run, "/dev/null"]).env("NO_COLOR", no_colour).env("TERM", "xterm");
        command.current_dir(lab.path("")).stdin(std::process::Stdio::null()).output().unwrap().stdout
    };
    assert!(in_terminal("").contains(&0x1b), "a terminal has colours");
    let plain = in_terminal("1");
    assert!(!plain.contains(&0x1b) && !plain.is_empty(), "{}", String::from_utf8_lossy(&plain));
}

#[test]
fn several_targets_get_a_folder_each() {
    let lab = Lab::new();
    let both = ["compile", "waves.nas", "--target", "host", "--target", "cortex-m4", "--no-verify"];
    lab.run(&[both.as_slice(), &["-o", "out", "--name", "ripple"]].concat()).good();
    for target in ["host", "cortex-m4"] {
        assert!(lab.text(&format!("out/{target}/ripple.h")).contains("ripple_run"));
        lab.run(&["eval", "waves.nas", "--target", target]).good();
    }
    let again = lab.run(&[both.as_slice(), &["--locked"]].concat()).good();
    assert!(!again.stderr.contains("searching"));
}

#[test]
fn what_this_version_only_checks_is_accepted_by_check_and_refused_by_compile() {
    let lab = Lab::new();
    lab.edit("waves.nas", "epochs: 3", "inherit: true, epochs: 3");
    let checked = lab.run(&["check", "waves.nas"]).good();
    let told = "`inherit` of `train`";
    assert!(checked.stderr.contains("warning[E0806]") && checked.stderr.contains(told), "{}", checked.stderr);
    let refused = lab.run(&["compile", "waves.nas", "--target", "host", "--no-verify"]);
    assert_eq!((refused.code, refused.n_errors()), (Some(1), 1), "{}", refused.stderr);
    assert!(refused.stderr.contains(told) && refused.stderr.contains("leave `inherit` out"));
    assert!(!lab.path("waves.nas.lock").exists());
}

#[test]
fn a_recipe_changes_the_network_and_gives_it_again() {
    let compile = ["compile", "waves.nas", "--target", "host", "--no-verify"];
    let weights = |rule: &str, rest: &str| {
        let lab = Lab::new();
        lab.edit("waves.nas", "adamw(lr: 1e-2)", rule);
        lab.edit("waves.nas", "epochs: 3", &format!("{rest}epochs: 3"));
        lab.run(&compile).good();
        std::fs::read(lab.path("waves.nas.weights")).unwrap()
    };
    let full = "schedule: step(every: 1 epochs, factor: 0.5), clip: 0.5, mixup: 0.3, ";
    let (adamw, sgd) = ("adamw(lr: 1e-2)", "sgd(lr: 0.05, nesterov: true, decay: 1e-4)");
    let all = [weights(adamw, ""), weights(adamw, full), weights(sgd, ""), weights(sgd, full)];
    assert_eq!(all[3], weights(sgd, full));
    for (place, one) in all.iter().enumerate() {
        assert!(!all[..place].contains(one), "recipe {place}");
    }
}

#[test]
fn a_table_holds_every_network_and_goes_on_after_a_stop() {
    let lab = Lab::new();
    lab.edit("waves.nas", "epochs: 3", "epochs: 1");
    let args = ["table", "waves.nas", "--target", "host", "--seeds", "2", "-o", "waves.table.gz"];
    let run = lab.run(&args).good();
    assert!(run.stdout.contains("12 networks, 2 trainings of each"), "{}", run.stdout);
    let first = lab.read("waves.table.gz");
    let again = lab.run(&[args.as_slice(), &["--jobs", "1", "--format", "json"]].concat()).good();
    assert_eq!(lab.read("waves.table.gz"), first);
    let json = again.json();
    assert_eq!((json["networks"].as_u64(), json["head"]["seeds"].as_u64()), (Some(12), Some(2)), "{json}");
    let table = nasc::pipeline::Table::from_bytes(&first).expect("a table");
    assert!(table.rows.iter().all(|row| row.qualities.len() == 2));
    assert!(table.rows.iter().any(|row| row.qualities[0] != row.qualities[1]), "seeds differ");
    lab.edit("waves.nas", "width = 4..8 step 4", "width = 1..200");
    lab.edit("waves.nas", "depth: 0..1", "depth: 0..9");
    let run = lab.run(&args);
    assert_eq!((run.code, run.n_errors()), (Some(1), 1));
    assert!(run.stderr.contains("a table takes at most 100000"), "{}", run.stderr);
    assert_eq!(lab.read("waves.table.gz"), first, "what was there stays");
}
