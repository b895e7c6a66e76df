//! Networks that fit a chip only with lean layers.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::lab::{Lab, installed};

/// One network of three convolutions, which are alike in what they need.
const MODEL: &str = "  conv1d(filters: 8, kernel: 5, norm: batch, act: relu)
  conv1d(filters: 8, kernel: 3, norm: batch, act: relu)
  conv1d(filters: 4, kernel: 1, norm: batch, act: relu)
";

/// A lab whose spec has a network of three convolutions, and says this of memory.
fn lab(require: &str, minimize: &str) -> Lab {
    let lab = Lab::new();
    let text = lab.text("waves.nas");
    let (head, rest) = text.split_once("  conv1d(").expect("a model");
    let (_, tail) = rest.split_once("  global_avg_pool").expect("its end");
    let head = head
        .split_once("let width")
        .map(|(head, rest)| format!("{head}{}", rest.split_once('\n').map_or("", |(_, rest)| rest)));
    let text = format!("{}{MODEL}  global_avg_pool{tail}", head.expect("a decision"));
    let text = text.replace("ram <= 4 KiB", require).replace("minimize ram\n", minimize);
    lab.write("waves.nas", text);
    lab
}

/// The report of its network on a Cortex-M4, and the folder of the bundle.
fn compiled(lab: &Lab) -> (Json, String) {
    let out = lab.run(&["compile", "waves.nas", "--target", "cortex-m4", "--no-verify"]).good();
    let folder = "build/waves/cortex-m4".to_owned();
    let report: Json = serde_json::from_str(&lab.text(&format!("{folder}/report.json"))).unwrap();
    let target = report["targets"][0].clone();
    assert_eq!(out.stdout.contains("lean"), target.get("lean").is_some(), "{}", out.stdout);
    (target, folder)
}

fn number(report: &Json, part: &str, key: &str) -> u64 {
    report[part][key].as_u64().unwrap_or_else(|| panic!("`{part}.{key}` of {report}"))
}

fn schedules(report: &Json) -> Vec<bool> {
    let layers = report["layers"].as_array().expect("layers");
    let convolutions = layers.iter().filter(|layer| layer["op"] == "conv2d");
    convolutions.map(|layer| layer.get("schedule").is_some_and(|schedule| schedule == "lean")).collect()
}

#[test]
fn layers_become_lean_where_ram_calls_for_it() {
    let (fast, _) = compiled(&lab("ram <= 4 KiB", ""));
    assert_eq!((schedules(&fast), fast.get("lean")), (vec![false; 3], None));
    let ram = number(&fast, "memory", "ram_bytes");
    let tight = lab(&format!("ram <= {} B", ram - 1), "");
    let (mixed, folder) = compiled(&tight);
    let distinct: BTreeSet<bool> = schedules(&mixed).into_iter().collect();
    assert_eq!(distinct.len(), 2, "some are lean and some are not: {mixed}");
    assert!(number(&mixed, "memory", "ram_bytes") < ram);
    assert_eq!(number(&mixed, "lean", "ram_bytes_fast"), ram);
    let cycles = number(&fast, "compute", "cycles_estimated");
    assert!(number(&mixed, "compute", "cycles_estimated") > cycles);
    assert!(tight.text(&format!("{folder}/waves.graph")).contains("\"schedules\""));
    // The lock is enough to make the same files again.
    let before = tight.below(&folder);
    tight.remove("build");
    tight.run(&["compile", "waves.nas", "--target", "cortex-m4", "--no-verify", "--locked"]).good();
    assert_eq!(tight.below(&folder), before);
    if installed(&["arm-none-eabi-gcc", "qemu-system-arm"]) {
        let verified = tight.run(&["verify", &folder, "--format", "json"]).good().json();
        let ways = verified["ways"].to_string();
        assert!(ways.contains("interpreter") && ways.contains("C on"), "{verified}");
    }
    // A bundle without its schedules is for other kernels than its plan.
    let text = tight.text(&format!("{folder}/waves.graph"));
    tight.write(&format!("{folder}/waves.graph"), text.replace("\"lean\"", "\"fast\""));
    assert_ne!(tight.run(&["verify", &folder]).code, Some(0));
}

#[test]
fn what_no_schedule_fits_is_told_how_much_it_needs() {
    let run = |require: &str| {
        let lab = lab(require, "minimize ram\n");
        lab.run(&["compile", "waves.nas", "--target", "cortex-m4", "--no-verify"])
    };
    // What is minimized makes no layer lean, a limit does.
    let (fast, _) = compiled(&lab("ram <= 4 KiB", "minimize ram\n"));
    assert_eq!(fast.get("lean"), None);
    let refused = run("ram <= 1 B");
    assert_ne!(refused.code, Some(0));
    let bytes = refused.stderr.split(" B").filter_map(|text| text.rsplit(' ').next()?.parse::<u64>().ok());
    let least = bytes.filter(|&bytes| bytes > 1).min().expect("the least RAM");
    assert!(least < number(&fast, "memory", "ram_bytes"), "{}", refused.stderr);
    run(&format!("ram <= {least} B")).good();
    assert_ne!(run(&format!("ram <= {} B", least - 1)).code, Some(0));
}
