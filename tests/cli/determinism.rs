//! Same spec, data and seed, same files: on any number of threads, with a lock or without, with data or without.

use crate::lab::{CROSS, Lab, installed};

#[test]
fn the_number_of_jobs_changes_nothing() {
    let labs = ["1", "2", "4"].map(|jobs| {
        let lab = Lab::new();
        lab.compile(&["--jobs", jobs, "--archive", "archive.txt"]).good();
        lab
    });
    let [one, others @ ..] = &labs;
    assert!(one.text("archive.txt").lines().filter(|line| line.starts_with("trial")).count() == 4);
    for other in others {
        for file in ["waves.nas.lock", "waves.nas.weights", "archive.txt"] {
            assert_eq!(one.read(file), other.read(file), "{file}");
        }
        assert_eq!(one.below("build"), other.below("build"));
    }
}

#[test]
fn strategies_that_learn_do_not_depend_on_jobs_either() {
    for strategy in ["aging_evolution(population: 3, tournament: 2)", "nsga2(population: 3)"] {
        let labs = ["1", "3"].map(|jobs| {
            let lab = Lab::new();
            let search = format!("strategy: {strategy}, trials: 8, window: 2");
            lab.edit("waves.nas", "strategy: random, trials: 4", &search);
            lab.compile(&["--jobs", jobs, "--archive", "archive.txt"]).good();
            lab
        });
        let [one, other] = &labs;
        assert_eq!(one.text("archive.txt"), other.text("archive.txt"), "{strategy}");
        assert_eq!(one.text("waves.nas.lock"), other.text("waves.nas.lock"), "{strategy}");
        let name = strategy.split('(').next().expect("a name");
        assert!(one.text("waves.nas.lock").contains(&format!("\"{name}\"")), "{strategy}");
    }
}

/// Legs of halving, weights that are taken over, scores, and races: none depends on threads, and a store that has the
/// trials gives the same.
#[test]
fn briefer_searches_do_not_depend_on_jobs_either() {
    let search = "strategy: aging_evolution(population: 3, tournament: 2), trials: 8, window: 2, \
                  fidelity: halving([1, 2]), inherit: 1, proxy: zero_cost(naswot, top: 50 %), \
                  morphs: [step(width), change(kernel), insert, remove], replicates: 2";
    let labs = ["1", "2"].map(|jobs| {
        let lab = Lab::new();
        lab.edit("waves.nas", "strategy: random, trials: 4", search);
        let run = lab.compile(&["--jobs", jobs, "--archive", "archive.txt"]).good();
        assert!(run.stderr.contains("the better 4 go on to 2 epochs"), "{}", run.stderr);
        assert!(run.stderr.contains("the better 2 go on to the end"), "{}", run.stderr);
        assert!(run.stderr.contains("round 2 of 2"), "{}", run.stderr);
        lab
    });
    let [one, other] = &labs;
    let archive = one.text("archive.txt");
    assert_eq!(archive, other.text("archive.txt"));
    assert_eq!(one.text("waves.nas.lock"), other.text("waves.nas.lock"));
    // 8 briefly, 4 of them longer, 2 of those in full; all but the first begin with what they were.
    assert_eq!(archive.lines().filter(|line| line.starts_with("trial")).count(), 14);
    assert!(archive.matches(" after ").count() > 6, "{archive}");
    one.compile(&["--research", "--archive", "warm.txt"]).good();
    assert_eq!(archive, one.text("warm.txt"));
}

#[test]
fn each_target_may_have_a_network_of_its_own() {
    let lab = Lab::new();
    lab.edit("waves.nas", "strategy: random", "networks: each, strategy: random");
    lab.edit("waves.nas", "require  { ram <= 4 KiB", "require  { macs <= 3000 on \"host\", ram <= 4 KiB");
    lab.run(&["compile", "waves.nas", "--target", "host", "--target", "cortex-m4", "--no-verify"]).good();
    let lock: serde_json::Value = serde_json::from_str(&lab.text("waves.nas.lock")).unwrap();
    assert_eq!(lock["networks"].as_object().unwrap().len(), 2, "{lock}");
    assert_ne!(lock["targets"]["host"], lock["targets"]["cortex-m4"]);
    let macs = |target: &str| {
        let report = lab.text(&format!("build/waves/{target}/report.json"));
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        report["targets"][0]["compute"]["macs"].as_u64().unwrap()
    };
    assert!(macs("host") <= 3000 && macs("cortex-m4") > 3000, "{} {}", macs("host"), macs("cortex-m4"));
    let again =
        ["compile", "waves.nas", "--target", "host", "--target", "cortex-m4", "--no-verify", "--locked"];
    lab.run(&again).good();
}

#[test]
fn a_warm_store_gives_the_same_archive_as_a_cold_one() {
    let lab = Lab::new();
    lab.compile(&["--archive", "cold.txt"]).good();
    let before = (lab.read("waves.nas.lock"), lab.read("waves.nas.weights"), lab.below("build"));
    let warm = lab.compile(&["--research", "--archive", "warm.txt"]).good();
    assert_eq!(warm.stderr.matches("(from the store)").count(), 6, "{}", warm.stderr);
    assert_eq!(lab.read("cold.txt"), lab.read("warm.txt"));
    assert_eq!((lab.read("waves.nas.lock"), lab.read("waves.nas.weights"), lab.below("build")), before);
}

#[test]
fn a_lock_gives_the_same_folder_anywhere() {
    let (target, verified) =
        if installed(&CROSS) { ("cortex-m4", true) } else { ("host", installed(&["cc"])) };
    let mut args = vec!["compile", "waves.nas", "--target", target];
    if !verified {
        args.push("--no-verify");
    }
    let lab = Lab::new();
    lab.run(&args).good();
    let folder = lab.below("build");
    assert_eq!(folder.contains_key(&format!("waves/{target}/measured.json")), verified && target != "host");
    lab.remove("build");
    let second = lab.run(&args).good();
    assert!(second.stdout.contains("(from the lock)") && !second.stderr.contains("searching"));
    assert_eq!(lab.below("build"), folder);

    let elsewhere = lab.copy(|name| name.starts_with("waves.nas"));
    args.push("--locked");
    elsewhere.run(&args).good();
    assert_eq!(elsewhere.below("build"), folder);
    let all: Vec<String> = elsewhere.files().into_keys().filter(|name| !name.starts_with("build/")).collect();
    assert_eq!(all, ["waves.nas", "waves.nas.lock", "waves.nas.weights"], "no store, no leftovers");

    args.pop();
    let without_data = lab.copy(|name| name.starts_with("waves.nas"));
    let run = without_data.run(&args).good();
    assert!(run.stderr.contains("there is no data file"), "{}", run.stderr);
    assert_eq!(without_data.below("build"), folder);
}

#[test]
fn a_changed_section_makes_the_lock_stale() {
    for (from, to, section) in [
        ("epochs: 3", "epochs: 2", "train"),
        ("kernel: {3, 5}", "kernel: {3, 7}", "space"),
        ("val: 20 %", "val: 30 %", "data"),
        ("calibrate: 32", "calibrate: 16", "quantize"),
        ("minimize ram", "minimize flash", "objectives"),
        ("seed: 7", "seed: 8", "search"),
    ] {
        let lab = Lab::compiled();
        let before = lab.files();
        lab.edit("waves.nas", from, to);
        let locked = lab.compile(&["--locked"]);
        assert_eq!((locked.code, locked.n_errors()), (Some(1), 1), "{section}: {}", locked.stderr);
        let message = format!("`waves.nas.lock` is stale: section `{section}` changed");
        assert!(
            locked.stderr.contains("error[E0901]") && locked.stderr.contains(&message),
            "{}",
            locked.stderr
        );
        assert!(locked.stderr.contains("help:") && locked.stderr.contains("without `--locked`"));
        for file in ["waves.nas.lock", "waves.nas.weights", "build/waves/host/report.json"] {
            assert_eq!(lab.read(file), before[file], "{section}: {file}");
        }
        let again = lab.compile(&[]).good();
        let note = format!("the lock is stale (section `{section}`");
        assert!(
            again.stderr.contains(&note) && again.stderr.contains("changed): searching again"),
            "{}",
            again.stderr
        );
        lab.compile(&["--locked"]).good();
    }
}

#[test]
fn comments_spacing_and_order_do_not_count() {
    let lab = Lab::compiled();
    let folder = lab.below("build");
    lab.edit("waves.nas", "// one decision for all layers", "// another remark");
    lab.edit("waves.nas", "  global_avg_pool\n", "\n\n    global_avg_pool   // pooled\n");
    lab.edit("waves.nas", "maximize accuracy\nminimize ram\n", "");
    lab.edit("waves.nas", "data {", "maximize accuracy\nminimize ram\ndata {");
    lab.edit("waves.nas", "4 KiB", "4096 B");
    lab.remove("build");
    let run = lab.compile(&["--locked"]).good();
    assert!(run.stdout.contains("(from the lock)"));
    assert_eq!(lab.below("build"), folder);
}

#[test]
fn changed_data_makes_the_lock_stale() {
    let lab = Lab::compiled();
    lab.write("train.ts", crate::lab::waves(60, 3));
    lab.compile(&["--locked"]).good();
    let run = lab.compile(&[]).good();
    assert!(run.stderr.contains("the lock is stale (the data changed)"), "{}", run.stderr);
}

#[test]
fn a_target_that_the_lock_lacks_is_named() {
    let lab = Lab::compiled();
    let args = ["compile", "waves.nas", "--target", "cortex-m4", "--no-verify"];
    let run = lab.run(&[args.as_slice(), &["--locked"]].concat());
    assert_eq!((run.code, run.n_errors()), (Some(1), 1));
    assert!(
        run.stderr.contains("E0901") && run.stderr.contains("no network for target `cortex-m4`"),
        "{}",
        run.stderr
    );
    let run = lab.run(&args).good();
    assert_eq!(
        run.stderr.matches("(from the store)").count(),
        6,
        "trainings serve every target: {}",
        run.stderr
    );
}

#[test]
fn what_the_command_line_changes_is_part_of_the_lock() {
    let lab = Lab::compiled();
    let run = lab.compile(&["--locked", "--trials", "3"]);
    assert!(run.code == Some(1) && run.stderr.contains("section `search` changed"), "{}", run.stderr);
    lab.compile(&["--locked", "--trials", "4", "--seed", "7"]).good();
    lab.compile(&["--seed", "11"]).good();
    lab.compile(&["--seed", "11", "--locked"]).good();
    assert_eq!(lab.compile(&["--locked"]).code, Some(1));
}

#[test]
fn a_new_network_takes_the_old_measurements_away() {
    let lab = Lab::compiled();
    lab.write("build/waves/host/measured.json", "{}\n");
    lab.compile(&["--locked"]).good();
    assert!(lab.path("build/waves/host/measured.json").exists(), "the same network keeps them");
    lab.compile(&["--seed", "11"]).good();
    assert!(!lab.path("build/waves/host/measured.json").exists());
}

/// A lock that reads back one unit in the last place off would give another report than the search that wrote it.
#[test]
fn shares_survive_json() {
    for n in 1..400 {
        for right in 0..=n {
            let share = f64::from(right) / f64::from(n);
            let text = serde_json::to_string(&share).unwrap();
            assert_eq!(
                serde_json::from_str::<f64>(&text).unwrap().to_bits(),
                share.to_bits(),
                "{right} of {n}"
            );
        }
    }
}
