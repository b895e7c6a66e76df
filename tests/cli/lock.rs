//! What the lock keeps, and when it no longer holds.

use serde_json::Value as Json;

use crate::lab::Lab;

fn lock(lab: &Lab) -> Json {
    serde_json::from_str(&lab.text("waves.nas.lock")).unwrap()
}

/// The lock holds the recipe of its network with the genome, and compiles again from it alone.
#[test]
fn recipes_are_searched_and_locked_with_the_network() {
    let lab = Lab::new();
    // The useless rate leaves the weights as they were drawn.
    lab.edit("waves.nas", "adamw(lr: 1e-2), epochs: 3", "adamw(lr: {1e-9, 1e-2}), epochs: {20, 21}");
    lab.compile(&["--trials", "12", "--archive", "archive.txt"]).good();
    let genome = lock(&lab)["networks"]["waves"]["genome"].clone();
    assert_eq!(genome["lr"].to_string(), "0.01", "{genome}");
    assert!(["20", "21"].contains(&genome["epochs"].to_string().as_str()), "{genome}");

    let archive = lab.text("archive.txt");
    let keys: Vec<&str> = archive.lines().filter(|line| line.starts_with("trial ")).collect();
    let keys: std::collections::BTreeSet<&str> =
        keys.iter().filter_map(|line| line.split(' ').nth(3)).collect();
    let genomes: std::collections::BTreeSet<&str> =
        archive.lines().filter(|line| line.trim_start().starts_with("genome ")).collect();
    assert_eq!(keys.len(), genomes.len(), "{archive}");
    // Points that differ in the recipe alone are different trials.
    let lasting = |genome: &str| {
        let text = genome.replace("\\\"lr\\\":1e-9", "").replace("\\\"lr\\\":0.01", "");
        text.replace("\\\"epochs\\\":20", "").replace("\\\"epochs\\\":21", "")
    };
    let networks: std::collections::BTreeSet<String> = genomes.iter().map(|genome| lasting(genome)).collect();
    assert!(networks.len() < genomes.len(), "no two points differ in the recipe alone: {archive}");
    let rate = |good: bool| archive.contains(if good { "\\\"lr\\\":0.01" } else { "\\\"lr\\\":1e-9" });
    assert!(rate(true) && rate(false), "both rates were tried: {archive}");
    lab.compile(&["--trials", "12", "--locked"]).good();
}

#[test]
fn the_lock_is_of_the_params_that_were_set() {
    let lab = Lab::new();
    lab.edit("waves.nas", "let width = 4..8 step 4", "param width = {4, 8}");
    let set = ["--set", "width=8"];
    lab.compile(&set).good();
    assert_eq!(lock(&lab)["params"]["width"], "8");
    let again = lab.compile(&[set.as_slice(), &["--locked"]].concat()).good();
    assert!(!again.stderr.contains("searching"), "{}", again.stderr);
    lab.run(&["eval", "waves.nas", "--set", "width=8"]).good();

    for other in [vec![], vec!["--set", "width=4"]] {
        let refused = lab.compile(&[other.as_slice(), &["--locked"]].concat());
        let evaluated = lab.run(&[&["eval", "waves.nas"], other.as_slice()].concat());
        for run in [refused, evaluated] {
            assert_eq!((run.code, run.n_errors()), (Some(1), 1), "{}", run.stderr);
            for part in ["E0901", "waves.nas.lock` is stale", "section `space` changed", "`--set width=8`"] {
                assert!(run.stderr.contains(part), "{part} in {}", run.stderr);
            }
        }
    }
    let searched = lab.compile(&["--set", "width=4"]).good();
    assert!(searched.stderr.contains("the lock is stale"), "{}", searched.stderr);
    assert_eq!(
        lock(&lab)["networks"]["waves"]["genome"]["width"],
        Json::Null,
        "a param that is set is no decision"
    );
    assert_eq!(lock(&lab)["params"]["width"], "4");
}

/// Another target is added; what the lock says of the first one stays, down to the bundle's bytes.
#[test]
fn a_second_target_joins_the_lock() {
    let lab = Lab::compiled();
    let before = lock(&lab);
    let second = ["compile", "waves.nas", "--target", "cortex-m4", "--no-verify"];
    let searched = lab.run(&second).good();
    assert!(searched.stderr.contains("no network for target `cortex-m4`"), "{}", searched.stderr);
    let after = lock(&lab);
    assert_eq!(after["targets"]["host"], "waves");
    assert_eq!(after["targets"]["cortex-m4"], "waves_2");
    assert_eq!(after["networks"]["waves"], before["networks"]["waves"]);
    assert_eq!(after["sections"], before["sections"]);

    let old = lab.below("build/waves/host");
    lab.remove("build");
    for target in ["host", "cortex-m4"] {
        let locked = ["compile", "waves.nas", "--target", target, "--no-verify", "--locked"];
        lab.run(&locked).good();
        lab.run(&["eval", "waves.nas", "--target", target]).good();
        let report: Json =
            serde_json::from_str(&lab.text(&format!("build/waves/{target}/report.json"))).unwrap();
        let front = report["search"]["front"].as_array().unwrap();
        let ram = format!("ram@{target}");
        assert!(!front.is_empty() && front.iter().all(|point| !point["metrics"][&ram].is_null()), "{report}");
    }
    for (name, content) in lab.below("build/waves/host") {
        // The report names the weights file, which holds both networks now, and the trials of the last search.
        assert!(name.starts_with("report.") || old.get(&name) == Some(&content), "{name}");
    }
    // Both at once is one search that serves both, so nothing of the old is kept.
    lab.run(&[
        "compile",
        "waves.nas",
        "--target",
        "host",
        "--target",
        "cortex-m4",
        "--no-verify",
        "--research",
    ])
    .good();
    assert_eq!(lock(&lab)["targets"]["cortex-m4"], "waves");

    // What changed in the spec makes all of it stale.
    lab.edit("waves.nas", "epochs: 3", "epochs: 2");
    lab.run(&["compile", "waves.nas", "--target", "host", "--no-verify"]).good();
    assert_eq!(lock(&lab)["targets"].as_object().unwrap().len(), 1);
}
