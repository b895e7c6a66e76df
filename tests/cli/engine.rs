//! Training on the engine that is asked for.

use serde_json::Value as Json;

use crate::lab::Lab;

fn locked_engine(lab: &Lab) -> Json {
    serde_json::from_str::<Json>(&lab.text("waves.nas.lock")).unwrap()["engine"].clone()
}

#[test]
fn the_embedded_engine_is_the_one_that_is_not_named() {
    let lab = Lab::compiled();
    assert_eq!(locked_engine(&lab), Json::Null);
    let run = lab.compile(&["--engine", "embedded"]).good();
    assert!(!run.stderr.contains("stale"), "{}", run.stderr);
    let run = lab.compile(&["--engine", "abacus"]);
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("embedded, torch"), "{}", run.stderr);
}

#[cfg(not(feature = "torch"))]
#[test]
fn an_engine_that_is_not_built_in_is_refused_with_the_way_to_it() {
    let lab = Lab::new();
    let run = lab.compile(&["--engine", "torch"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.contains("E0807") && run.stderr.contains("--features torch"), "{}", run.stderr);
}

#[cfg(feature = "torch")]
#[test]
fn the_torch_engine_trains_and_its_trials_and_locks_are_its_own() {
    let lab = Lab::new();
    let compile = |more: &[&str]| lab.compile(&[&["--format", "json"], more].concat()).good().json();
    let keys = |archive: &str| -> Vec<String> {
        let text = lab.text(archive);
        let trials = text.lines().filter(|line| line.starts_with("trial "));
        trials.filter_map(|line| line.split(' ').nth(3).map(str::to_owned)).collect()
    };
    let torch = compile(&["--engine", "torch", "--archive", "torch.txt"]);
    assert_eq!(locked_engine(&lab), "torch");
    assert_eq!(torch["bundles"][0]["report"]["provenance"]["engine"], "torch");
    // What is locked needs no engine, and any command that names none takes it.
    assert_eq!(compile(&[])["searched"], false);
    assert_eq!(compile(&["--engine", "torch"])["searched"], false);
    assert_eq!(compile(&["--locked", "--engine", "embedded"])["searched"], false);
    let run = lab.compile(&["--engine", "embedded", "--archive", "embedded.txt"]).good();
    assert!(run.stderr.contains("trained on `torch`"), "{}", run.stderr);
    assert_eq!(locked_engine(&lab), Json::Null);
    let (torch, embedded) = (keys("torch.txt"), keys("embedded.txt"));
    assert!(!torch.is_empty() && torch.len() == embedded.len(), "{torch:?} {embedded:?}");
    assert!(torch.iter().all(|key| !embedded.contains(key)), "{torch:?} {embedded:?}");
}
