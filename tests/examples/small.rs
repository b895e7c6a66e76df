//! Each example from its spec to verified C, on small data and with a short training.

use std::path::Path;

use nasc::data::{AudioFolder, AudioGroup, Cut, Source, Split, load};
use serde_json::Value as Json;

use crate::data::{self, Files};
use crate::lab::{CROSS, Lab, installed};
use crate::specs::{copy, limits};

/// An example at reduced size.
struct Small {
    name: &'static str,
    /// What the spec of the test says beside the example's.
    shorter: &'static str,
    epochs: Option<u32>,
    /// The metric of the example, and what the network must reach on the test part.
    metric: &'static str,
    at_least: f64,
    /// What the report calls the front end; floats that are only standardised have no row.
    front_end: &'static str,
}

impl Small {
    /// Trains on `data`, and looks at all that comes out.
    fn runs(&self, data: Files) {
        let lab = copy(self.name);
        for (file, content) in data {
            lab.write(&format!("data/{file}"), content);
        }
        lab.write("small.nas", format!("nas 1\nwith \"{}.nas\"\n{}\n", self.name, self.shorter));
        let mut args = vec!["compile", "small.nas", "--target", "cortex-m4", "--data", "data", "-o", "out"];
        args.extend(["--trials", "1", "--format", "json"]);
        let epochs = self.epochs.map(|epochs| format!("epochs={epochs}"));
        epochs.iter().for_each(|epochs| args.extend(["--set", epochs]));
        let emulated = installed(&CROSS);
        if !emulated {
            args.push("--no-verify");
        }
        let compiled = lab.run(&args).good().json();
        self.check(&lab, &compiled["bundles"][0], emulated);
    }

    fn check(&self, lab: &Lab, bundle: &Json, emulated: bool) {
        let (name, report) = (self.name, &bundle["report"]);
        let written: Json = serde_json::from_str(&lab.text("out/report.json")).unwrap();
        assert_eq!((report, &report["name"]), (&written, &Json::from(name)));
        let found = &report["targets"][0];
        let quality = &found["quality"];
        println!("{name}: {quality}");
        assert_eq!((&quality["metric"], &quality["split"]), (&self.metric.into(), &"test".into()), "{name}");
        let reached = quality["int8"].as_f64().unwrap();
        assert!(reached >= self.at_least, "{name}: {} is {reached}, not {}", self.metric, self.at_least);
        let ci95 = [0, 1].map(|end| quality["ci95"][end].as_f64().unwrap());
        assert!(ci95[0] <= reached && reached <= ci95[1], "{name}: {quality}");

        let [ram, flash] = limits(&lab.text(&format!("{name}.nas")));
        let bytes = |key: &str| found["memory"][key].as_u64().unwrap_or_else(|| panic!("{name}: no {key}"));
        assert!((1..=1024 * ram).contains(&bytes("ram_bytes")), "{name}: {}", found["memory"]);
        assert!((1..=1024 * flash).contains(&bytes("flash_bytes")), "{name}: {}", found["memory"]);
        assert_eq!(bytes("flash_bytes"), bytes("weights_bytes") + bytes("code_bytes"), "{name}");
        assert!(found["memory"]["optimal"].is_boolean(), "{name}: {}", found["memory"]);
        assert!(found["compute"]["macs"].as_u64() > Some(1000), "{name}: {}", found["compute"]);
        assert!(found["compute"]["cycles_estimated"].as_u64() > Some(1000), "{name}: {}", found["compute"]);
        let layers = found["layers"].as_array().unwrap();
        let front_end = layers.iter().find(|layer| layer["name"] == "front end");
        assert_eq!(front_end.map_or("", |layer| layer["op"].as_str().unwrap()), self.front_end, "{name}");
        assert_eq!(report["search"]["trials"], 1, "{name}");

        assert_eq!(bundle["verified"], emulated, "{name}");
        if emulated {
            let device = &bundle["measured"]["device"];
            assert_eq!(device["mismatched_bytes"], 0, "{name}: {device}");
            assert_eq!(device["samples"], quality["samples"], "{name}: all of the test part, {device}");
            assert!(device["front_end_instructions"].as_u64() > Some(0), "{name}: {device}");
        }
    }
}

#[test]
fn vowels() {
    let small = Small {
        name: "vowels",
        shorter: "train { epochs: 6 }\nsearch { finalists: 1, replicates: 1 }",
        epochs: None,
        metric: "accuracy",
        at_least: 2.0 / 9.0,
        front_end: "",
    };
    small.runs(data::vowels(270, 45));
}

/// A network of the example in less RAM than it takes by fast schedules.
#[test]
fn vowels_in_little_ram() {
    let lab = copy("vowels");
    for (file, content) in data::vowels(90, 18) {
        lab.write(&format!("data/{file}"), content);
    }
    let tight = "require { ram <= 800 B, flash <= 24 KiB }\nmaximize accuracy\nlet width = 24";
    let short = "train { epochs: 1 }\nsearch { trials: 6, finalists: 1, replicates: 1 }";
    lab.write("small.nas", format!("nas 1\nwith \"vowels.nas\"\n{tight}\n{short}\n"));
    let mut args = vec!["compile", "small.nas", "--target", "cortex-m4", "--data", "data", "-o", "out"];
    args.extend(["--format", "json"]);
    if !installed(&CROSS) {
        args.push("--no-verify");
    }
    let compiled = lab.run(&args).good().json();
    let found = &compiled["bundles"][0]["report"]["targets"][0];
    let (ram, fast) = (&found["memory"]["ram_bytes"], &found["lean"]["ram_bytes_fast"]);
    assert!(ram.as_u64() <= Some(800) && fast.as_u64() > Some(800), "{ram} B instead of {fast} B");
    println!("vowels: {} and {}", found["lean"], found["compute"]);
}

#[test]
fn kws() {
    let small = Small {
        name: "kws",
        shorter: "let width = 48\nlet deep = 64\ntrain { batch: 16 }",
        epochs: Some(5),
        metric: "accuracy",
        at_least: 2.0 / 12.0,
        front_end: "audio",
    };
    small.runs(data::keywords(9, 1));
}

/// The network of the baseline, and data as archives of parts.
#[test]
fn kws_from_archives() {
    let lab = copy("kws");
    for (file, content) in data::keyword_archives(4, 1) {
        lab.write(&format!("data/{file}"), content);
    }
    let args = ["compile", "baseline.nas", "--target", "host", "--no-verify", "--data", "data", "-o", "out"];
    let more = ["--set", "epochs=1", "--format", "json"];
    let compiled = lab.run(&[args.as_slice(), &more].concat()).good().json();
    let quality = &compiled["bundles"][0]["report"]["targets"][0]["quality"];
    // The maker's validation part is the one that is scored once.
    assert_eq!((&quality["samples"], &quality["split"]), (&24.into(), &"test".into()));
}

#[test]
fn voice() {
    let small = Small {
        name: "voice",
        shorter: "train { batch: 16 }",
        epochs: Some(2),
        metric: "accuracy",
        at_least: 2.0 / 5.0,
        front_end: "audio",
    };
    small.runs(data::prompts(1));
}

#[test]
fn digits() {
    let small = Small {
        name: "digits",
        shorter: "train { batch: 16 }",
        epochs: Some(8),
        metric: "accuracy",
        at_least: 2.0 / 10.0,
        front_end: "audio",
    };
    small.runs(data::digits(1));
}

#[test]
fn fashion() {
    let small = Small {
        name: "fashion",
        shorter: "train { batch: 16 }",
        epochs: Some(3),
        metric: "accuracy",
        at_least: 2.0 / 10.0,
        front_end: "values",
    };
    small.runs(data::clothes(160, 30));
}

#[test]
fn activity() {
    let small = Small {
        name: "activity",
        shorter: "train { batch: 16 }",
        epochs: Some(3),
        metric: "f1",
        at_least: 2.0 / 5.0,
        front_end: "series",
    };
    small.runs(data::activities(20));
}

/// The area under the curve is one half by chance.
#[test]
fn pump() {
    let small = Small {
        name: "pump",
        shorter: "train { batch: 16 }",
        epochs: Some(10),
        metric: "auc",
        at_least: 0.75,
        front_end: "",
    };
    small.runs(data::pumps(1));
}

/// The layout of the real files: all of their recordings are found, and parted as their maker has them.
#[test]
fn kws_reads_the_shared_recordings() {
    let Some(shared) = std::env::var_os("NASC_SHARED") else { return };
    let folder = Path::new(&shared).join("data/speech_commands_12");
    let source = Source::AudioFolder(AudioFolder {
        path: ".".to_owned(),
        train: None,
        test: None,
        rate: 16_000,
        resample: false,
        length: Some(16_000),
        hop: None,
        quiet: None,
        classes: None,
        group: AudioGroup::Speaker("{}_nohash_*".to_owned()),
    });
    let cut = Cut { split: Split::Groups { val: 0.1, test: 0.1, by_file: false }, seed: 7 };
    let found = load(&source, &cut, &folder, None).unwrap();
    let parts = &found.partition;
    assert_eq!((parts.train.len() + parts.val.len(), parts.test.len()), (2015, 520));
    assert_eq!(found.collection.classes.len(), 12);

    let lab = copy("kws");
    let small = "let width = 48\nlet deep = 64\nlet depth = 2\nlet kernel = 3\n";
    lab.write("small.nas", format!("nas 1\nwith \"kws.nas\"\n{small}"));
    let data = folder.display().to_string();
    let args = ["compile", "small.nas", "--target", "host", "--no-verify", "--data", &data, "-o", "out"];
    let more = ["--trials", "1", "--set", "epochs=1", "--format", "json"];
    let compiled = lab.run(&[args.as_slice(), &more].concat()).good().json();
    let quality = &compiled["bundles"][0]["report"]["targets"][0]["quality"];
    assert_eq!(quality["samples"], 520);
}
