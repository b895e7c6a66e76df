//! Killed at any moment, a run leaves what the next one ends with: the same archive, lock, weights and bundle.
//!
//! `NASC_KILLS` raises the number of moments; `NASC_KILL_SPEC` names a spec with its data beside it to try
//! instead of the small one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::lab::{Lab, Run, installed};

const ARGS: [&str; 5] = ["compile", "spec.nas", "--target", "host", "--jobs"];

/// A search of a second or two, or what the environment names.
fn study() -> Lab {
    let lab = Lab::new();
    if let Some(spec) = std::env::var_os("NASC_KILL_SPEC") {
        let spec = Path::new(&spec);
        for entry in fs::read_dir(spec.parent().unwrap()).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "ts") {
                lab.write(path.file_name().unwrap().to_str().unwrap(), fs::read(&path).unwrap());
            }
        }
        lab.write("spec.nas", fs::read(spec).unwrap());
    } else {
        lab.edit("waves.nas", "epochs: 3", "epochs: 40");
        lab.edit("waves.nas", "trials: 4", "trials: 8");
        lab.edit("waves.nas", "finalists: 2", "finalists: 3");
        lab.edit("waves.nas", "4..8 step 4", "6..24 step 6");
        lab.edit("waves.nas", "ram <= 4 KiB, flash <= 24 KiB", "ram <= 8 KiB");
        lab.write("spec.nas", lab.read("waves.nas"));
    }
    lab.remove("waves.nas");
    lab
}

/// The arguments of a full run, verified where that is possible.
fn args() -> Vec<&'static str> {
    let mut args = ARGS.to_vec();
    args.push("2");
    if !installed(&["cc"]) {
        args.push("--no-verify");
    }
    args
}

/// What a run leaves, besides the store; the archive is asked for anew, from the store.
fn results(lab: &Lab) -> BTreeMap<String, Vec<u8>> {
    let research = [args().as_slice(), &["--research", "--no-verify", "--archive", "archive.txt"]].concat();
    let before = lab.files();
    let run = lab.run(&research).good();
    let trials = n_trials(&run);
    assert_eq!(run.stderr.matches("(from the store)").count(), trials, "nothing is trained twice");
    let mut files = lab.files();
    files.remove(".nasc/trials.sqlite");
    for (name, content) in &files {
        assert!(name == "archive.txt" || before.get(name) == Some(content), "{name} changed");
    }
    files
}

/// Trials that a run told of, trained or found.
fn n_trials(run: &Run) -> usize {
    run.stderr.matches("; best ").count()
}

struct Started {
    child: Child,
    log: &'static str,
}

fn start(lab: &Lab) -> Started {
    let log = "log.txt";
    let stderr = File::create(lab.path(log)).unwrap();
    let child = lab.command(&args()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
    Started { child, log }
}

/// The last stage that a log speaks of.
fn stage(log: &str) -> &str {
    let stages = ["searching", "retraining", "writing", "verifying"];
    let last = log.lines().rev().find_map(|line| stages.iter().find(|stage| line.starts_with(*stage)));
    last.copied().unwrap_or("starting")
}

/// Runs to the end after an interruption, without waiting for anything.
fn resume(lab: &Lab) -> Run {
    lab.remove("log.txt");
    let run = lab.run(&args()).good();
    assert!(!run.stderr.contains("waiting"), "{}", run.stderr);
    let alive = fs::read_dir(lab.path(".nasc/trials.sqlite-alive")).map_or(0, Iterator::count);
    assert_eq!(alive, 0, "no traces of dead processes stay");
    run
}

#[test]
fn a_killed_run_resumes_to_the_same_end() {
    let kills: usize = std::env::var("NASC_KILLS").map_or(4, |kills| kills.parse().expect("a number"));
    let fresh = study();
    let whole = fresh.copy(|_| true);
    let started = Instant::now();
    whole.run(&args()).good();
    let length = started.elapsed();
    let expected = results(&whole);
    let mut rng = ChaCha8Rng::seed_from_u64(20);
    let mut stages: BTreeMap<String, usize> = BTreeMap::new();
    for kill in 0..kills {
        // One moment in each equal part of the run, so that no stage is missed by luck.
        let share = (kill as f64 + f64::from(rng.next_u32()) / f64::from(u32::MAX)) / kills as f64;
        let lab = fresh.copy(|_| true);
        let Started { mut child, log } = start(&lab);
        std::thread::sleep(length.mul_f64(share));
        child.kill().unwrap();
        child.wait().unwrap();
        *stages.entry(stage(&lab.text(log)).to_owned()).or_default() += 1;
        resume(&lab);
        assert!(results(&lab) == expected, "after a kill at {share:.3} of the run");
    }
    println!("{kills} kills in {length:?}: {stages:?}");
}

/// Kills of the short last stages, which a random moment seldom hits.
#[test]
fn a_run_killed_while_it_writes_resumes_to_the_same_end() {
    let fresh = study();
    let whole = fresh.copy(|_| true);
    whole.run(&args()).good();
    let expected = results(&whole);
    // All trials done, so that what is left is picking and writing.
    let trained = whole.copy(|name| name.ends_with(".ts") || name == "spec.nas" || name.starts_with(".nasc"));
    for (line, pause) in
        [("retraining", 0), ("retraining", 4), ("writing", 0), ("writing", 2), ("writing", 5)]
    {
        let lab = trained.copy(|_| true);
        let Started { mut child, log } = start(&lab);
        wait_for(&lab, log, line, &mut child);
        std::thread::sleep(Duration::from_millis(pause));
        child.kill().unwrap();
        child.wait().unwrap();
        resume(&lab);
        assert!(results(&lab) == expected, "after a kill {pause} ms into {line}");
    }
}

/// Waits until the log has a line that starts like this, or the run is over.
fn wait_for(lab: &Lab, log: &str, start: &str, child: &mut Child) {
    let mut text = String::new();
    while child.try_wait().unwrap().is_none() {
        text.clear();
        File::open(lab.path(log)).unwrap().read_to_string(&mut text).unwrap();
        if text.lines().any(|line| line.trim_start().starts_with(start)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_says_so_and_resumes() {
    let fresh = study();
    let whole = fresh.copy(|_| true);
    whole.run(&args()).good();
    let expected = results(&whole);
    for line in ["searching", "1/8 trial"] {
        let lab = fresh.copy(|_| true);
        let Started { mut child, log } = start(&lab);
        wait_for(&lab, log, line, &mut child);
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = child.wait().unwrap();
        let text = lab.text(log);
        assert_eq!(status.code(), Some(1), "{text}");
        assert!(text.contains("stopping after the current step"), "{text}");
        assert!(
            text.contains("error[E0804]") && text.contains("the same command goes on from there"),
            "{text}"
        );
        assert!(!lab.path("spec.nas.lock").exists());
        resume(&lab);
        assert!(results(&lab) == expected, "interrupted at {line}");
    }
}

#[test]
fn two_processes_share_a_search() {
    let fresh = study();
    let whole = fresh.copy(|_| true);
    whole.run(&args()).good();
    let expected = results(&whole);
    let lab = fresh.copy(|_| true);
    let one = lab.command(&args()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let other = lab.run(&args()).good();
    let one = Run::new(one.wait_with_output().unwrap()).good();
    let trained = |run: &Run| n_trials(run) - run.stderr.matches("(from the store)").count();
    let trials = expected["archive.txt"].windows(6).filter(|window| window == b"\ntrial").count();
    assert_eq!(trials, 8);
    assert!(trained(&one) + trained(&other) <= 8 + 3, "no trial is trained by both");
    assert!(results(&lab) == expected);
}
