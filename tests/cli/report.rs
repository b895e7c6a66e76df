//! `nasc report` and `nasc diff`: what they show, what they need, and that a page is safe whoever named its classes.

use serde_json::Value as Json;

use crate::html;
use crate::lab::{CROSS, Lab, installed};

const BUNDLE: &str = "build/waves/host";

#[test]
fn a_network_is_shown_as_text_as_json_and_as_a_page() {
    let lab = Lab::compiled();
    let before = lab.files();
    let text = lab.run(&["report", "waves.nas"]).good();
    assert_eq!((text.stderr.as_str(), lab.files() == before), ("", true), "nothing is written");
    for part in [
        "waves on host",
        "proved optimal over",
        "decisions\n  width ",
        "memory by step, of an arena of ",
        "live at the peak, step ",
        "classes of the test part",
        "rewrites\n",
        "rewrite-float",
        "search: 4 trials by random",
        "best so far",
        "front\n  trial ",
        ", taken: accuracy ",
        "provenance\n",
        "about cycles",
    ] {
        assert!(text.stdout.contains(part), "{part} in {}", text.stdout);
    }
    let json = lab.run(&["report", "waves.nas", "--format", "json"]).good().json();
    let written: Json = serde_json::from_str(&lab.text(&format!("{BUNDLE}/report.json"))).unwrap();
    assert_eq!((&json["targets"], &json["search"]), (&written["targets"], &written["search"]));
    assert_eq!(json["measured"], Json::Null);
    check_content(&json);

    let written = lab.run(&["report", "waves.nas", "-o", "out/page.html"]).good();
    assert_eq!(written.stdout, "report    out/page.html\n");
    let page = lab.text("out/page.html");
    html::check(&page);
    assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("//"), "asks the network");
    assert!(page.contains("default-src 'none'") && !page.contains("unsafe-inline"));
    assert_eq!(page, lab.text(&format!("{BUNDLE}/report.html")), "a bundle has the page of its lock");
    lab.run(&["report", BUNDLE, "-o", "again.html"]).good();
    assert_eq!(page, lab.text("again.html"), "and the page of its report");
}

fn check_content(json: &Json) {
    let (target, search) = (&json["targets"][0], &json["search"]);
    let count = |list: &Json| list.as_array().map_or(0, Vec::len);
    assert_eq!((count(&search["history"]), &search["judged"]), (4, &"accuracy".into()));
    assert_eq!(search["objectives"], serde_json::json!(["accuracy", "ram@host"]));
    let pick = search["pick"].as_u64().expect("the trial of the network");
    assert_eq!(search["history"][pick as usize]["trial"], pick);
    let steps = &target["map"]["steps"];
    assert_eq!(count(steps), count(&target["layers"]));
    let need = steps.as_array().unwrap().iter().map(|step| step["need_bytes"].as_u64().unwrap()).max();
    assert!(need.unwrap() <= target["memory"]["arena_bytes"].as_u64().unwrap());
    let cells =
        target["quality"]["confusion"].as_array().unwrap().iter().flat_map(|row| row.as_array().unwrap());
    assert_eq!(cells.map(|cell| cell.as_u64().unwrap()).sum::<u64>(), 30);
    assert_eq!(count(&target["quality"]["classes"]), 3);
    let cycles = |layer: &Json| layer["cycles_estimated"].as_u64().expect("cycles of each layer");
    let sum: u64 = target["layers"].as_array().unwrap().iter().map(cycles).sum();
    let all = target["compute"]["cycles_estimated"].as_u64().unwrap();
    assert!(sum.abs_diff(all) <= count(&target["layers"]) as u64, "{sum} and {all}");
}

#[test]
fn what_a_device_measured_is_shown() {
    if !installed(&CROSS) {
        return;
    }
    let lab = Lab::new();
    lab.run(&["compile", "waves.nas", "--target", "cortex-m4"]).good();
    let folder = "build/waves/cortex-m4";
    let text = lab.run(&["report", folder, "-o", "page.html"]).good();
    assert!(text.stderr.is_empty(), "{}", text.stderr);
    let page = lab.text("page.html");
    html::check(&page);
    assert!(page.contains("Verified: every output byte is the golden one"));
    assert!(
        !lab.text(&format!("{folder}/report.html")).contains("Verified"),
        "it follows from the lock alone"
    );
    let text = lab.run(&["report", folder]).good().stdout;
    assert!(text.contains("verified: every output byte") && text.contains("instructions, stack"), "{text}");
    lab.edit(&format!("{folder}/measured.json"), "\"mismatched_bytes\": 0", "\"mismatched_bytes\": 2");
    let text = lab.run(&["report", folder]).good().stdout;
    assert!(text.contains("NOT verified: 2 output bytes differ"), "{text}");
    lab.write(&format!("{folder}/measured.json"), "{");
    let run = lab.run(&["report", folder]);
    assert!(run.code == Some(1) && run.stderr.contains("`nasc verify` writes it again"), "{}", run.stderr);
}

#[test]
fn names_of_anyone_stay_text() {
    let lab = Lab::new();
    for file in ["train.ts", "test.ts"] {
        lab.write(file, lab.text(file).replace("slow", "<script>alert(\"1\")&'x'"));
    }
    lab.compile(&[]).good();
    lab.run(&["report", "waves.nas", "-o", "page.html"]).good();
    let page = lab.text("page.html");
    html::check(&page);
    assert!(
        page.contains("&lt;script&gt;alert(&quot;1&quot;)&amp;&#39;x&#39;")
            && !page.contains("<script>alert")
    );
    // What a terminal would obey, in a bundle of anyone.
    lab.edit(&format!("{BUNDLE}/report.json"), "\"name\": \"waves\"", "\"name\": \"\\u001b[2J\\u202ewaves\"");
    let text = lab.run(&["report", BUNDLE]).good().stdout;
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && text.contains("[2J"), "{text}");
    lab.run(&["report", BUNDLE, "-o", "page.html"]).good();
    assert!(!lab.text("page.html").contains('\u{1b}'));
}

#[test]
fn what_a_report_needs_is_said() {
    let refused = |lab: &Lab, args: &[&str], told: &[&str]| {
        let run = lab.run(&[&["report"], args].concat());
        assert_eq!((run.code, run.n_errors()), (Some(1), 1), "{args:?}: {}", run.stderr);
        assert!(run.stdout.is_empty() && run.stderr.contains("help:"), "{args:?}: {}", run.stderr);
        for part in told {
            assert!(run.stderr.contains(part), "{args:?}: {part} in {}", run.stderr);
        }
    };
    let lab = Lab::new();
    refused(&lab, &["waves.nas"], &["E0903", "waves.nas.lock", "nasc compile waves.nas --target NAME"]);
    let lab = Lab::compiled();
    refused(&lab, &["waves.nas", "--target", "cortex-m4"], &["E0601", "it has host", "--target cortex-m4"]);
    refused(&lab, &["waves.nas", "--target", "cortex-m44"], &["E0601", "did you mean `cortex-m4`?"]);
    refused(&lab, &[BUNDLE, "--target", "cortex-m4"], &["E0601", "it is for host"]);
    refused(&lab, &["waves.nas", "-o", "waves.nas/page.html"], &["E0904", "give another path"]);
    lab.edit(&format!("{BUNDLE}/report.json"), "\"schema_version\": 1", "\"schema_version\": 9");
    refused(&lab, &[BUNDLE], &["E0907", "version 9 of its schema", "nasc compile"]);
    lab.edit("waves.nas", "epochs: 3", "epochs: 4");
    refused(&lab, &["waves.nas"], &["E0901", "section `train` changed", "nasc compile waves.nas"]);
    let lab = Lab::compiled();
    lab.remove("waves.nas.weights");
    refused(&lab, &["waves.nas"], &["E0903", "waves.nas.weights"]);
    refused(&lab, &["nothing"], &["E0701", "nothing"]);

    // The search alone is no other network.
    let lab = Lab::compiled();
    lab.edit("waves.nas", "trials: 4", "trials: 5");
    let run = lab.run(&["report", "waves.nas"]).good();
    assert!(run.stderr.contains("warning[E0901]") && run.stdout.contains("4 trials"), "{}", run.stderr);
}

/// Locks of earlier versions hold less: the report says what it has.
#[test]
fn a_lock_without_history_is_reported_too() {
    let lab = Lab::compiled();
    let mut lock: Json = serde_json::from_str(&lab.text("waves.nas.lock")).unwrap();
    for key in ["history", "objectives", "rejected", "finalists", "rank_correlation"] {
        lock.as_object_mut().unwrap().remove(key);
    }
    let network = lock["networks"]["waves"].as_object_mut().unwrap();
    network.remove("trial");
    network["quality"].as_object_mut().unwrap().remove("confusion");
    lab.write("waves.nas.lock", lock.to_string());
    lab.run(&["report", "waves.nas", "-o", "page.html"]).good();
    let page = lab.text("page.html");
    html::check(&page);
    assert!(page.contains("does not hold the other trials") && !page.contains("<h2>Classes"), "{page}");
    assert!(!lab.run(&["report", "waves.nas"]).good().stdout.contains("best so far"));
}

#[test]
fn finalists_are_shown_with_each_seed() {
    let lab = Lab::compiled();
    let mut lock: Json = serde_json::from_str(&lab.text("waves.nas.lock")).unwrap();
    lock["finalists"] = serde_json::json!([
        { "trial": 1, "search": 0.9, "retrained": [0.8, 0.9], "mean": 0.85, "ci95": [0.7, 0.95] },
        { "trial": 3, "search": 0.8, "retrained": [0.7], "mean": 0.7, "dropped_after": 1 },
    ]);
    lock["rank_correlation"] = 0.5.into();
    lab.write("waves.nas.lock", lock.to_string());
    lab.run(&["report", "waves.nas", "-o", "page.html"]).good();
    let page = lab.text("page.html");
    html::check(&page);
    for part in ["80.00 %, 90.00 %", "70.00 % to 95.00 %", "given up after 1", "retrained means is 0.50"] {
        assert!(page.contains(part), "{part}");
    }
    let text = lab.run(&["report", "waves.nas"]).good().stdout;
    assert!(
        text.contains("finalists: 2 trials were trained again") && text.contains("given up after 1"),
        "{text}"
    );
}

#[test]
fn several_targets_are_on_one_page() {
    let lab = Lab::new();
    lab.run(&["compile", "waves.nas", "--target", "host", "--target", "cortex-m4", "--no-verify"]).good();
    lab.run(&["report", "waves.nas", "-o", "page.html"]).good();
    let page = lab.text("page.html");
    html::check(&page);
    assert!(
        page.contains("<title>waves on cortex-m4, host</title>") && page.contains("Network for host"),
        "{page}"
    );
    let json = lab.run(&["report", "waves.nas", "--target", "host", "--format", "json"]).good().json();
    assert_eq!(json["targets"].as_array().map(Vec::len), Some(1));
}

#[test]
fn equal_results_do_not_differ() {
    let lab = Lab::compiled();
    lab.write("copy/waves.nas.lock", lab.text("waves.nas.lock"));
    for other in ["waves.nas", "copy/waves.nas.lock", "waves.nas.lock"] {
        let run = lab.run(&["diff", "waves.nas.lock", other, "--exit-code"]);
        assert!(run.code == Some(0) && run.stdout.contains("nothing differs"), "{other}: {}", run.stdout);
    }
    let json = lab.run(&["diff", "waves.nas", BUNDLE, "--format", "json"]).good().json();
    assert_eq!((&json["equal"], &json["targets"][0]["of"]), (&true.into(), &"both".into()), "{json}");
}

#[test]
fn two_results_are_compared() {
    let lab = Lab::compiled();
    let mut lock: Json = serde_json::from_str(&lab.text("waves.nas.lock")).unwrap();
    lock["seed"] = 8.into();
    lock["sections"]["search"] = "other".into();
    lock["networks"]["waves"]["genome"]["width"] = 99.into();
    lock["networks"]["waves"]["quality"]["test"] = 0.1.into();
    lock["networks"]["waves"]["quality"]["test_ci95"] = serde_json::json!([0.05, 0.2]);
    lab.write("old.nas.lock", lock.to_string());
    let diff = ["diff", "old.nas.lock", "waves.nas"];
    let plain = lab.command(&diff).env("NO_COLOR", "1").output().unwrap().stdout;
    let run = lab.run(&diff).good();
    assert_eq!(run.stdout.as_bytes(), plain);
    for part in [
        "old.nas.lock -> waves.nas\n",
        "sections  search changed; the same: data, objectives",
        "seed      8 -> 7",
        "\nhost\n",
        "accuracy: 10.00 % (5.00 % to 20.00 %, 30 samples) -> ",
        "better; the 95 % intervals are apart",
        "width: 99 -> ",
        "the old one: its costs are those of the search: its weights are not there",
    ] {
        assert!(run.stdout.contains(part), "{part} in {}", run.stdout);
    }
    assert!(!run.stdout.contains('\u{1b}'));
    assert_eq!(lab.run(&[diff.as_slice(), &["--exit-code"]].concat()).code, Some(1));
    let json = lab.run(&[diff.as_slice(), &["--format", "json"]].concat()).good().json();
    assert_eq!((&json["equal"], &json["sections"]["search"]), (&false.into(), &true.into()));
    assert_eq!(json["targets"][0]["genome"][0]["path"], "width");
    assert_eq!(json["targets"][0]["quality"]["overlap"], false);

    let missing = lab.run(&["diff", "waves.nas", "nothing.lock"]);
    assert_eq!((missing.code, missing.n_errors()), (Some(1), 1), "{}", missing.stderr);
    assert!(missing.stderr.contains("E0903") && missing.stderr.contains("a bundle's folder"));
    let target = lab.run(&["diff", "waves.nas", "old.nas.lock", "--target", "avr"]);
    assert!(target.code == Some(1) && target.stderr.contains("known are host"), "{}", target.stderr);
}
