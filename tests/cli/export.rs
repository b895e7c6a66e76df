//! `nasc export`: from lock and weights, from a bundle, and what it says where it cannot.

use nasc::tflite::{Model, import};
use serde_json::{Value as Json, json};

use crate::lab::{Lab, Run};

fn export(lab: &Lab, args: &[&str]) -> Run {
    lab.run(&[&["export"], args].concat())
}

#[test]
fn a_lock_and_a_bundle_give_the_same_model() {
    let lab = Lab::compiled();
    let of_spec = export(&lab, &["waves.nas", "-o", "models/waves.tflite"]).good();
    for part in [
        "waves for host in models/waves.tflite, ",
        "input      input int8 [1, 12, 1, 4], scale ",
        "classes    slow, mid, fast",
        "1 FULLY_CONNECTED",
        "begins     behind nasc's front end",
    ] {
        assert!(of_spec.stdout.contains(part), "{part} in {}", of_spec.stdout);
    }
    assert_eq!(of_spec.stderr.contains("warning"), of_spec.stderr.contains("E1012"), "{}", of_spec.stderr);
    let content = lab.read("models/waves.tflite");
    let model = Model::read(&content).expect("a model");
    let imported = import(&model).unwrap_or_else(|refusals| panic!("{refusals:#?}"));
    imported.graph.verify().expect("a graph");
    export(&lab, &["build/waves/host", "-o", "bundle.tflite"]).good();
    assert_eq!(lab.read("bundle.tflite"), content);
    let run = lab.run(&["import", "bundle.tflite", "--target", "host"]).good();
    assert!(run.stdout.contains("all operators have a form"), "{}", run.stdout);
    // Only the model is written, and nothing is left of its writing.
    let mut files: Vec<String> = lab.files().into_keys().filter(|name| name.contains(".tflite")).collect();
    files.sort();
    assert_eq!(files, ["bundle.tflite", "models/waves.tflite"]);
}

#[test]
fn programs_read_what_was_written() {
    let lab = Lab::compiled();
    let args = ["waves.nas", "-o", "waves.tflite", "--target", "host", "--format", "json"];
    let report = export(&lab, &args).good().json();
    assert_eq!(
        (&report["name"], &report["target"], &report["file"]),
        (&json!("waves"), &json!("host"), &json!("waves.tflite"))
    );
    assert_eq!(report["bytes"], lab.read("waves.tflite").len());
    assert_eq!(report["inputs"][0]["shape"], json!([1, 12, 1, 4]));
    assert_eq!(report["outputs"][0]["shape"], json!([1, 3]));
    assert_eq!(report["classes"], json!(["slow", "mid", "fast"]));
    assert_eq!(report["operators"]["FULLY_CONNECTED"], 1);
    assert_eq!(report["front_end"], "standardisation of the values alone");
    assert_eq!(report["exact"], report["beside_ties"].as_array().is_some_and(Vec::is_empty));
    for key in ["name", "scale", "zero_point"] {
        assert!(!report["inputs"][0][key].is_null() && !report["outputs"][0][key].is_null(), "{report}");
    }
}

/// A model that was made elsewhere and compiled is written with the same operators.
#[test]
fn a_bundle_of_a_model_is_written_again() {
    let lab = Lab::empty();
    let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/cnn.tflite");
    lab.write("cnn.tflite", std::fs::read(model).unwrap());
    lab.run(&["compile", "cnn.tflite", "--target", "host", "--no-verify"]).good();
    let written = export(&lab, &["build/cnn/host", "-o", "again.tflite", "--format", "json"]).good().json();
    assert_eq!(written["front_end"], Json::Null);
    let [old, new] = ["cnn.tflite", "again.tflite"]
        .map(|model| lab.run(&["import", model, "--format", "json"]).good().json());
    for end in ["inputs", "outputs"] {
        for key in ["shape", "scale", "zero_point"] {
            assert_eq!(old[end][0][key], new[end][0][key], "{end} {key}");
        }
    }
    for operator in ["CONV_2D", "SOFTMAX", "HARD_SWISH", "FULLY_CONNECTED", "MUL"] {
        assert_eq!(old["operators"][operator], new["operators"][operator], "{operator}");
    }
}

#[test]
fn what_is_missing_or_of_another_spec_is_told() {
    let lab = Lab::new();
    let told = |run: Run, code: &str, parts: &[&str]| {
        assert_eq!((run.code, run.n_errors()), (Some(1), 1), "{}", run.stderr);
        assert!(run.stderr.contains(code), "{code} in {}", run.stderr);
        parts.iter().for_each(|part| assert!(run.stderr.contains(part), "{part} in {}", run.stderr));
    };
    let to = ["-o", "waves.tflite"];
    let of = |lab: &Lab, args: &[&str]| export(lab, &[args, &to].concat());
    told(of(&lab, &["waves.nas"]), "E0903", &["waves.nas.lock", "nasc compile waves.nas --target NAME"]);
    let lab = Lab::compiled();
    told(of(&lab, &["waves.nas", "--target", "rp2040"]), "E0601", &["it has host"]);
    told(of(&lab, &["build/waves/host", "--target", "rp2040"]), "E0601", &["it is for host"]);
    told(of(&lab, &["build"]), "E0907", &["build"]);
    lab.write("taken", "a file");
    told(export(&lab, &["waves.nas", "-o", "taken/waves.tflite"]), "E0904", &["taken/waves.tflite"]);
    lab.edit("waves.nas", "epochs: 3", "epochs: 4");
    told(of(&lab, &["waves.nas"]), "E0901", &["section `train` changed", "or give a bundle"]);
    assert!(!lab.path("waves.tflite").exists());
    let usage = export(&lab, &["waves.nas"]);
    assert_eq!(usage.code, Some(2), "{}", usage.stderr);
    assert!(usage.stderr.contains("--output <FILE>"), "{}", usage.stderr);
}

#[test]
fn help_has_examples() {
    let help = export(&Lab::empty(), &["--help"]).good().stdout;
    for part in [
        "nasc export examples/vowels/vowels.nas -o vowels.tflite",
        "nasc export build/vowels/cortex-m4 -o vowels.tflite",
        "--exact",
        "--target <NAME>",
        "--set <NAME=VALUE>",
    ] {
        assert!(help.contains(part), "{part} in {help}");
    }
}
