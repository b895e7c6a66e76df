//! The whole language from spec to bytes: merges, gates, shortcuts, branches, conditions, scales, and batch
//! normalisations that no convolution can take in.

use crate::lab::{CROSS, Lab, installed};

/// Batch normalisation at the input, after a concatenation, after a product and of a vector; squeeze and excite.
const MERGES: &str = r"use std/blocks { squeeze_excite }

model waves(input: (12, 4), classes: 3) {
  batch_norm
  parallel merge concat {
    narrow: conv1d(filters: width, kernel: 3, act: relu)
    wide: { conv1d(filters: width, kernel: 5, norm: batch), hswish }
    kept: max_pool(size: (3, 1), stride: 1, padding: same)
  }
  batch_norm
  relu
  squeeze_excite(ratio: 2)
  batch_norm
  choose pool { mean: avg_pool(size: (2, 1)), greatest: max_pool(size: (2, 1)) }
  batch_norm
  global_avg_pool
  batch_norm
  dense(units: classes)
}
";

/// Shortcuts, conditions, forbidden points, scaled widths, branches beside each other, enlarged maps and gates.
const STRUCTURE: &str = r"scale { width: {0.5, 1.0}, round: 4 }
let kernel = {3, 5}

model waves(input: (12, 4), classes: 3) {
  conv1d(filters: 8, kernel: kernel, norm: batch, act: hswish)
  repeat depth: 1..2 {
    residual {
      let inner = channels
      conv1d(filters: channels * 2, kernel: 3, norm: batch, act: hswish)
      dropout(rate: 10 %)
      conv1d(filters: inner, kernel: 1)
    }
    batch_norm
  }
  forbid { kernel == 5 and depth == 2 }
  when depth > 1 { max_pool(size: (2, 1)) } else { avg_pool(size: (2, 1)) }
  upsample(factor: (2, 1))
  repeat blocks: 1..3 branching merge add(pool, pad) {
    conv1d(filters: 4..8 step 4, kernel: {1, 3}, stride: {1, 2}, act: relu)
  }
  parallel merge mul {
    map: identity
    gate: conv1d(filters: channels, kernel: 1, act: sigmoid)
  }
  global_avg_pool
  dense(units: classes)
}
";

/// The lab's spec with another model.
fn lab(model: &str) -> Lab {
    let lab = Lab::new();
    let spec = lab.text("waves.nas");
    let (before, rest) = spec.split_once("model waves").unwrap();
    let (_, after) = rest.split_once("\n}\n").unwrap();
    // `scale` gives this name to a decision of its own.
    let before =
        if model.contains("scale {") { before.replace("let width", "let size") } else { before.into() };
    let after = after.replace("ram <= 4 KiB, flash <= 24 KiB", "ram <= 16 KiB, flash <= 64 KiB");
    lab.write("waves.nas", format!("{before}{model}{after}"));
    lab
}

fn same_bytes_everywhere(model: &str, target: &str, seeds: &[&str], ways: &[&str]) {
    let lab = lab(model);
    for seed in seeds {
        let args = ["--seed", seed, "--trials", "2", "--no-verify"];
        lab.run(&[&["compile", "waves.nas", "--target", target], args.as_slice()].concat()).good();
        let folder = format!("build/waves/{target}");
        let verified = lab.run(&["verify", &folder, "--format", "json"]).good().json();
        assert_eq!(verified["output_bytes"], 90);
        let found = verified["ways"].to_string();
        assert!(ways.iter().all(|way| found.contains(way)), "{found}");
    }
}

#[test]
fn merges_gates_and_lone_normalisations_give_the_same_bytes_everywhere() {
    if installed(&["cc"]) {
        same_bytes_everywhere(MERGES, "host", &["1", "2", "3"], &["evaluator", "interpreter", "host code"]);
    }
}

#[test]
fn shortcuts_branches_and_conditions_give_the_same_bytes_everywhere() {
    if installed(&["cc"]) {
        same_bytes_everywhere(
            STRUCTURE,
            "host",
            &["1", "2", "3", "4"],
            &["evaluator", "interpreter", "host code"],
        );
    }
}

#[test]
fn an_emulated_cortex_m4_runs_merges_and_branches() {
    if installed(&CROSS) {
        same_bytes_everywhere(MERGES, "cortex-m4", &["1"], &["mps2-an386"]);
        same_bytes_everywhere(STRUCTURE, "cortex-m4", &["2"], &["mps2-an386"]);
    }
}

/// No trial is spent on a network that could not be deployed.
#[test]
fn lone_normalisations_become_convolutions() {
    let lab = lab(MERGES);
    let stage = |stage: &str| {
        let emit = format!("ir:after={stage}");
        lab.run(&["compile", "waves.nas", "--target", "host", "--emit", &emit]).good().stdout
    };
    let (training, deployed) = (stage("instantiate"), stage("rewrite-float"));
    // Six normalisations, of which one goes into its convolution.
    assert_eq!(training.matches("= batch_norm(").count(), 6, "{training}");
    assert_eq!(deployed.matches("= batch_norm(").count(), 0, "{deployed}");
    assert_eq!(deployed.matches("= depthwise_conv2d(").count(), 5, "{deployed}");
    // The activation after one of them is no step of its own.
    assert!(!deployed.contains("= activation("), "{deployed}");
    let checked = lab.run(&["check", "waves.nas", "--target", "cortex-m4"]).good().stdout;
    assert!(checked.contains("cortex-m4: "), "{checked}");
}

/// The lab's spec with a model that gives its input again; the class `slow` is normal.
fn reconstruction() -> Lab {
    let lab = Lab::new();
    lab.edit("waves.nas", "input: (12, 4), classes: 3", "input: (12, 4)");
    lab.edit("waves.nas", "units: classes", "units: 48");
    lab.edit("waves.nas", "maximize accuracy\n", "maximize auc\n");
    for file in ["train.ts", "test.ts"] {
        let text = lab.text(file).replace("true slow mid fast", "true normal anomaly");
        let text = text.replace(":slow", ":normal").replace(":mid", ":anomaly").replace(":fast", ":anomaly");
        lab.write(file, text);
    }
    lab
}

#[test]
fn a_model_without_classes_learns_to_give_its_input_again() {
    let lab = reconstruction();
    let compiled = lab.run(&["compile", "waves.nas", "--target", "host"]).good();
    assert!(compiled.stdout.contains("auc"), "{}", compiled.stdout);
    let folder = "build/waves/host";
    let report: serde_json::Value =
        serde_json::from_str(&lab.text(&format!("{folder}/report.json"))).unwrap();
    let quality = &report["targets"][0]["quality"];
    assert_eq!((&quality["metric"], &quality["samples"]), (&"auc".into(), &30.into()), "{quality}");
    for args in [vec!["eval", "waves.nas"], vec!["eval", folder, "--data", "test.ts"]] {
        let evaluated = lab.run(&[args.as_slice(), &["--format", "json"]].concat()).good().json();
        assert_eq!((&evaluated["metric"], &evaluated["value"]), (&"auc".into(), &quality["int8"]));
        assert!(evaluated["metrics"]["mse"]["value"].as_f64() > Some(0.0), "{evaluated}");
        assert!(evaluated.get("confusion").is_none() && evaluated.get("right").is_none(), "{evaluated}");
    }
    let told = lab.run(&["eval", "waves.nas"]).good().stdout;
    assert!(told.contains("auc") && told.contains("mse"), "{told}");
    lab.run(&["verify", folder]).good();
}

#[test]
fn without_anomalies_a_reconstruction_is_judged_by_its_error() {
    let lab = reconstruction();
    let rows = lab.text("train.ts");
    let normal: Vec<&str> = rows.lines().filter(|line| !line.ends_with(":anomaly")).collect();
    lab.write("train.ts", normal.join("\n") + "\n");
    let compiled = lab.run(&["compile", "waves.nas", "--target", "host", "--no-verify"]).good();
    assert!(compiled.stderr.contains("compared by `mse` and not by `auc`"), "{}", compiled.stderr);
    let quality = &lab.run(&["eval", "waves.nas", "--format", "json"]).good().json();
    assert_eq!(quality["metric"], "auc", "the test part has anomalies");
    lab.edit("waves.nas", "require  {", "require  { auc >= 10 %,");
    let refused = lab.run(&["compile", "waves.nas", "--target", "host", "--no-verify"]);
    for part in ["E0704", "`auc` cannot be measured", "no anomalies"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
}

#[test]
fn numbers_need_data_that_has_them() {
    let lab = Lab::new();
    lab.edit("waves.nas", "classes: 3", "outputs: 3");
    lab.edit("waves.nas", "units: classes", "units: outputs");
    let refused = lab.run(&["check", "waves.nas", "--target", "host"]);
    for part in ["E0204", "`accuracy` needs classes", "`mse`"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
    lab.edit("waves.nas", "maximize accuracy", "minimize mse");
    lab.run(&["check", "waves.nas", "--target", "host"]).good();
    let refused = lab.run(&["compile", "waves.nas", "--target", "host"]);
    for part in ["E0703", "0 numbers to predict", "`classes:`"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
    assert!(!lab.path(".nasc/trials.sqlite").exists() && !lab.path("build").exists(), "nothing is begun");
}

#[test]
fn classes_are_judged_by_what_the_spec_asks_for() {
    let lab = Lab::new();
    lab.edit("waves.nas", "maximize accuracy", "maximize f1");
    lab.edit("waves.nas", "require  {", "require  { error <= 95 %,");
    let compiled = lab.run(&["compile", "waves.nas", "--target", "host", "--no-verify"]).good();
    assert!(compiled.stdout.contains("f1") && compiled.stderr.contains("f1 "), "{}", compiled.stderr);
    let told = lab.run(&["eval", "waves.nas"]).good().stdout;
    for part in ["f1", "accuracy", "error", "recall", "slow", "mid", "fast"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    lab.edit("waves.nas", "error <= 95 %", "error <= 0 %");
    let refused = lab.run(&["compile", "waves.nas", "--target", "host", "--no-verify"]);
    assert!(refused.code == Some(0) || refused.stderr.contains("E0501"), "{}", refused.stderr);
}

#[test]
fn a_target_without_an_objective_is_refused_before_the_search() {
    let lab = Lab::new();
    lab.edit("waves.nas", "maximize accuracy\nminimize ram", "minimize ram on \"cortex-m4\"");
    let refused = lab.compile(&[]);
    assert_eq!((refused.code, refused.n_errors()), (Some(1), 1), "{}", refused.stderr);
    for part in ["E0204", "no objective is left", "`ram` on `cortex-m4`", "`host`", "maximize accuracy"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
    assert!(!lab.path(".nasc").exists());
    let both = ["compile", "waves.nas", "--target", "host", "--target", "cortex-m4", "--no-verify"];
    lab.run(&both).good();
}
