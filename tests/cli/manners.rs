//! What a long search tells and keeps: status from outside, a plan before, a clean end by signals.

use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

use crate::lab::{Lab, Run};

const SEARCH: [&str; 6] = ["search", "waves.nas", "--target", "host", "--jobs", "2"];

/// A search of some seconds.
fn long() -> Lab {
    let lab = Lab::new();
    lab.edit("waves.nas", "epochs: 3", "epochs: 400");
    lab.edit("waves.nas", "trials: 4", "trials: 8");
    lab.edit("waves.nas", "4..8 step 4", "6..24 step 6");
    lab.edit("waves.nas", "ram <= 4 KiB, flash <= 24 KiB", "ram <= 8 KiB");
    lab
}

fn start(lab: &Lab, args: &[&str]) -> Child {
    let log = File::create(lab.path("log.txt")).unwrap();
    lab.command(args).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

/// How the search stands, for programs.
fn status(lab: &Lab) -> Json {
    lab.run(&["search", "waves.nas", "--target", "host", "--status", "--format", "json"]).good().json()
}

/// Waits until the search stands like this; the standing.
fn wait_until(lab: &Lab, child: &mut Child, wanted: impl Fn(&Json) -> bool) -> Json {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(120) {
        let found = status(lab);
        if wanted(&found) {
            return found;
        }
        assert!(child.try_wait().unwrap().is_none(), "it ended: {found}\n{}", lab.text("log.txt"));
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("not in time: {}", lab.text("log.txt"));
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args([name, &pid]).status().unwrap().success());
}

#[test]
fn status_is_told_while_a_search_runs_after_it_was_killed_and_when_it_is_done() {
    let lab = long();
    let text = |lab: &Lab| lab.run(&["search", "waves.nas", "--target", "host", "--status"]).good().stdout;
    assert!(text(&lab).contains("no search was started here yet"));
    assert!(!lab.path(".nasc").exists(), "asking leaves nothing behind");

    let mut child = start(&lab, &SEARCH);
    let found = wait_until(&lab, &mut child, |found| {
        found["search"]["done"].as_u64() > Some(0)
            && found["search"]["running"].as_array().is_some_and(|running| {
                running.iter().any(|trial| trial["done"].as_u64() > Some(0) && trial["of"] == 400)
            })
    });
    assert_eq!(
        (&found["running"], &found["current"], &found["processes"]),
        (&json!(true), &json!(true), &json!(1))
    );
    let search = &found["search"];
    assert_eq!((&search["trials"], &search["metric"]), (&json!(8), &json!("accuracy")));
    assert!(search["best"].is_f64() && search["seconds_left"].is_u64(), "{found}");
    assert!(search["front"][0]["ram_bytes"].as_f64() > Some(100.0), "{found}");
    let shown = text(&lab);
    for part in ["searching, running now", " of 8 done", "epoch ", "/400", "best", " B  ", " left"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let other =
        lab.run(&["search", "waves.nas", "--target", "host", "--status", "--seed", "3"]).good().stdout;
    assert!(other.contains("of another state of the spec, or with other options"), "{other}");

    child.kill().unwrap();
    child.wait().unwrap();
    let found = status(&lab);
    assert_eq!((&found["running"], &found["search"]["end"]), (&json!(false), &Json::Null));
    let shown = text(&lab);
    assert!(shown.contains("was killed") && shown.contains("the same command goes on from there"), "{shown}");
    assert!(!shown.contains(" left"), "{shown}");

    lab.run(&SEARCH).good();
    let found = status(&lab);
    assert_eq!((&found["running"], &found["search"]["end"]), (&json!(false), &json!("done")));
    assert!(text(&lab).contains("done, "), "{}", text(&lab));
}

#[test]
fn a_search_leaves_lock_and_weights_and_no_bundle() {
    let lab = Lab::new();
    let run = lab.run(&SEARCH).good();
    assert!(run.stdout.contains("nasc compile waves.nas` makes the bundle"), "{}", run.stdout);
    assert!(lab.path("waves.nas.lock").exists() && lab.path("waves.nas.weights").exists());
    assert!(!lab.path("build").exists());
    let before = lab.files();
    let compiled = lab.compile(&[]).good();
    assert!(!compiled.stderr.contains("searching"), "{}", compiled.stderr);
    assert_eq!(lab.read("waves.nas.lock"), before["waves.nas.lock"]);
    let whole = Lab::new();
    whole.compile(&[]).good();
    assert_eq!(whole.read("waves.nas.lock"), before["waves.nas.lock"]);
    assert_eq!(whole.read("waves.nas.weights"), before["waves.nas.weights"]);

    let again = lab.run(&[SEARCH.as_slice(), &["--format", "json"]].concat()).good().json();
    assert_eq!((&again["searched"], &again["lock"]), (&json!(false), &json!("waves.nas.lock")));
    assert!(again["networks"][0]["targets"][0]["memory"]["ram_bytes"].is_u64(), "{again}");
}

#[test]
fn a_log_has_a_line_for_each_trial_with_what_is_left() {
    let lab = long();
    lab.edit("waves.nas", "epochs: 400", "epochs: 40");
    let run = lab.run(&["search", "waves.nas", "--target", "host", "--jobs", "1"]).good();
    let trials: Vec<&str> = run.stderr.lines().filter(|line| line.contains("/8 trial ")).collect();
    assert_eq!(trials.len(), 8, "{}", run.stderr);
    assert!(trials[..7].iter().all(|line| line.contains("; best ") && line.ends_with(" left")), "{trials:?}");
    assert!(!trials[7].ends_with(" left"), "{trials:?}");
    assert!(!run.stderr.contains('\u{1b}'), "no colours in a file");
    assert!(run.stderr.lines().count() < 30, "{}", run.stderr);
}

#[test]
fn a_plan_tells_what_a_search_would_cost_and_what_the_store_has() {
    let lab = Lab::new();
    lab.edit("waves.nas", "ram <= 4 KiB", "ram <= 100 B");
    let plan = |more: &[&str]| {
        lab.run(&[&["plan", "waves.nas", "--target", "host", "--jobs", "2"], more].concat()).good()
    };
    let found = plan(&["--format", "json"]).json();
    assert!(!lab.path("waves.nas.lock").exists() && !lab.path(".nasc/trials.sqlite").exists());
    assert_eq!((&found["trials"], &found["known"], &found["in_store"]), (&json!(4), &json!(4), &json!(0)));
    assert_eq!((&found["retrainings"], &found["epochs"]), (&json!(2), &json!([3, 3])));
    let pace = &found["pace"];
    assert!(pace["epoch"][1].as_f64() > Some(0.0) && pace["search"].as_f64() > Some(0.0), "{found}");
    let drawn = &found["drawn"];
    assert!(drawn["fitting"].as_u64() < drawn["candidates"].as_u64(), "{found}");
    assert_eq!(drawn["reasons"][0][0], "ram <= 100 B on host");
    assert!(drawn["costs"]["ram@host"][1].as_f64() <= Some(100.0), "{found}");
    for key in ["training_bytes", "data_bytes", "store_bytes"] {
        assert!(found[key].as_u64() > Some(0), "{key} of {found}");
    }
    lab.compile(&[]).good();
    let found = plan(&["--format", "json", "--no-measure"]).json();
    assert_eq!((&found["known"], &found["in_store"], &found["pace"]), (&json!(4), &json!(4), &Json::Null));
    let text = plan(&[]).stdout;
    for part in
        ["space", "the store has 4 of them", "candidates drawn", "parameters", "about ", "memory", "disk"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let more = plan(&["--trials", "40", "--no-measure", "--format", "json"]).json();
    assert_eq!(more["in_store"], 4, "a longer search begins with the same trials");

    lab.remove("train.ts");
    let run = lab.run(&["plan", "waves.nas", "--target", "host"]);
    assert_eq!((run.code, run.n_errors()), (Some(1), 1), "{}", run.stderr);
    assert!(run.stderr.contains("train.ts"), "{}", run.stderr);
}

/// What a strategy proposes after its first population follows from results: known only where the store has them.
#[test]
fn a_plan_follows_an_evolution_as_far_as_the_store_has_it() {
    let lab = long();
    lab.edit(
        "waves.nas",
        "strategy: random, trials: 8",
        "strategy: aging_evolution(population: 4, tournament: 2), trials: 8",
    );
    lab.edit("waves.nas", "epochs: 400", "epochs: 3");
    let plan = || {
        let args = ["plan", "waves.nas", "--target", "host", "--no-measure", "--format", "json"];
        let found = lab.run(&args).good().json();
        (found["known"].clone(), found["in_store"].clone())
    };
    assert_eq!(plan(), (json!(4), json!(0)));
    lab.run(&SEARCH).good();
    assert_eq!(plan(), (json!(8), json!(8)));
}

#[test]
fn a_spec_says_when_a_search_stops() {
    let lab = long();
    lab.edit("waves.nas", "seed: 7", "seed: 7, stop: 1 s");
    lab.edit("waves.nas", "epochs: 400", "epochs: 600");
    let trials = |run: Run| {
        run.good();
        serde_json::from_str::<Json>(&lab.text("waves.nas.lock")).unwrap()["trials"].as_u64().unwrap()
    };
    let few = trials(lab.run(&SEARCH));
    assert!((1..8).contains(&few), "{few} trials in a second");
    lab.edit("waves.nas", "epochs: 600", "epochs: 2");
    let all = trials(lab.run(&[SEARCH.as_slice(), &["--budget", "1h"]].concat()));
    assert_eq!(all, 8, "the command line comes first");
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_search_after_the_step_and_a_second_one_at_once() {
    let fresh = long();
    fresh.edit("waves.nas", "epochs: 400", "epochs: 120");
    let archive = |lab: &Lab| {
        lab.run(&[SEARCH.as_slice(), &["--research", "--archive", "archive.txt"]].concat()).good();
        lab.read("archive.txt")
    };
    let whole = fresh.copy(|_| true);
    let expected = archive(&whole);
    let runs =
        |found: &Json| found["search"]["running"].as_array().is_some_and(|running| !running.is_empty());
    for (signals, code) in [(&["-TERM"][..], 1), (&["-INT", "-INT"], 130)] {
        let lab = fresh.copy(|_| true);
        let mut child = start(&lab, &SEARCH);
        wait_until(&lab, &mut child, runs);
        for name in signals {
            // The second may come too late.
            signal(&child, name);
        }
        let ended = child.wait().unwrap().code();
        let text = lab.text("log.txt");
        assert!(text.contains("stopping after the current step"), "{text}");
        if code == 1 {
            assert_eq!(ended, Some(1), "{text}");
            assert!(text.contains("error[E0804]") && text.contains("are finished and kept"), "{text}");
            assert!(text.contains("the same command goes on from there"), "{text}");
            let found = status(&lab);
            assert_eq!((&found["running"], &found["search"]["end"]), (&json!(false), &json!("stopped")));
        } else {
            assert!([Some(130), Some(1)].contains(&ended), "{ended:?}: {text}");
        }
        assert!(archive(&lab) == expected, "after {signals:?}");
    }
}

#[test]
fn halving_beyond_a_whole_training_is_told_and_trains_no_longer() {
    let lab = Lab::new();
    lab.edit("waves.nas", "strategy: random", "fidelity: halving([5]), strategy: random");
    let run = lab.run(&["search", "waves.nas", "--target", "host", "--archive", "archive.txt"]).good();
    assert!(
        run.stderr.contains("`halving` up to 5 epochs cuts nothing off the 3 of `train`"),
        "{}",
        run.stderr
    );
    let archive = lab.text("archive.txt");
    assert!(archive.contains(" epochs 3") && !archive.contains(" epochs 5"), "{archive}");
    // Neither the spec nor the command names a target here.
    let status = lab.run(&["search", "waves.nas", "--status"]).good();
    assert!(status.stdout.contains("done"), "{}", status.stdout);
}
