//! Models that were made elsewhere, on an emulated Cortex-M4, beside what other engines take for the same files.
//!
//! `cargo bench --bench models -- FOLDER` compiles every `.tflite` file below the folder, runs it in QEMU, compares every
//! output byte with the evaluator, and prints instructions, estimated cycles, RAM and flash. `--only NAME` keeps files
//! whose name holds it, `--keep FOLDER` writes the bundles there.
//!
//! The other engines' figures were measured on the same emulator with arm-none-eabi-gcc 12.2.1, without their
//! initialisation; RAM is arena or workspace with input and output, flash the linked image with the model.

#![expect(clippy::print_stdout, reason = "a bench prints")]
#![allow(clippy::disallowed_methods, reason = "the command line names the folder")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

/// File, engine, instructions, RAM and flash in bytes.
const PEERS: [(&str, &str, [u64; 3]); 15] = [
    ("kws_ref_model", "TFLM + CMSIS-NN", [7_699_739, 22_820, 107_568]),
    ("kws_ref_model", "microTVM + CMSIS-NN", [8_740_922, 17_734, 45_896]),
    ("kws_ref_model", "MicroFlow", [71_998_693, 46_308, 82_688]),
    ("pretrainedResnet_quant", "TFLM + CMSIS-NN", [29_863_152, 54_996, 149_932]),
    ("pretrainedResnet_quant", "microTVM + CMSIS-NN", [31_798_478, 69_194, 98_756]),
    ("vww_96_int8", "TFLM + CMSIS-NN", [24_101_548, 100_708, 386_920]),
    ("vww_96_int8", "microTVM + CMSIS-NN", [24_878_568, 92_450, 284_236]),
    ("vww_96_int8", "TinyEngine", [19_711_651, 60_728, 248_416]),
    ("ad01_int8", "TFLM + CMSIS-NN", [582_870, 2_580, 305_336]),
    ("ad01_int8", "microTVM + CMSIS-NN", [603_922, 6_280, 277_324]),
    ("ad01_int8", "TinyEngine", [771_910, 3_328, 281_088]),
    ("person_detect", "TFLM + CMSIS-NN", [22_928_031, 82_308, 354_424]),
    ("person_detect", "TinyEngine", [18_715_361, 74_504, 245_808]),
    ("mcunet_vww_assets", "TFLM + CMSIS-NN", [48_514_112, 219_808, 674_856]),
    ("mcunet_vww_assets", "TinyEngine", [34_747_676, 93_992, 512_520]),
];

fn models(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        match path.extension() {
            _ if path.is_dir() => models(&path, found),
            Some(extension) if extension == "tflite" => found.push(path),
            _ => {}
        }
    }
    found.sort();
}

fn line(name: &str, [instructions, cycles, ram, flash]: [Option<u64>; 4]) {
    let text = |value: Option<u64>| value.map_or("-".to_owned(), |value| value.to_string());
    println!(
        "  {name:<22} {:>12} {:>12} {:>9} {:>9}",
        text(instructions),
        text(cycles),
        text(ram),
        text(flash)
    );
}

fn measure(model: &Path, keep: &Path) {
    let name = model.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let out = keep.join(&name);
    let run = Command::new(env!("CARGO_BIN_EXE_nasc"))
        .args(["compile", "--target", "cortex-m4", "--format", "json"])
        .arg(model)
        .arg("-o")
        .arg(&out)
        .output()
        .expect("nasc starts");
    println!("\n{name:<24} {:>12} {:>12} {:>9} {:>9}", "instructions", "about cycles", "RAM", "flash");
    if !run.status.success() {
        println!("  {}", String::from_utf8_lossy(&run.stderr).replace('\n', "\n  "));
        return;
    }
    let json: Json = serde_json::from_slice(&run.stdout).expect("JSON");
    let bundle = &json["bundles"][0];
    let device = &bundle["measured"]["device"];
    let number = |value: &Json| value.as_u64();
    let target = &bundle["report"]["targets"][0];
    let sum = |names: [&str; 3]| names.iter().map(|name| device[name].as_u64()).sum::<Option<u64>>();
    line(
        "nasc",
        [
            number(&device["instructions"]),
            number(&target["compute"]["cycles_estimated"]),
            number(&target["memory"]["ram_bytes"]),
            sum(["text_bytes", "rodata_bytes", "data_bytes"]),
        ],
    );
    for (_, engine, [instructions, ram, flash]) in PEERS.iter().filter(|(file, ..)| *file == name) {
        line(engine, [Some(*instructions), None, Some(*ram), Some(*flash)]);
    }
    println!(
        "  {} MACs, {} samples, {} bytes differ, stack {} B",
        target["compute"]["macs"], device["samples"], device["mismatched_bytes"], device["stack_bytes"]
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let Some(folder) = arguments.first().filter(|first| !first.starts_with('-')) else {
        println!("give a folder with models: cargo bench --bench models -- FOLDER");
        return;
    };
    let mut found = Vec::new();
    models(Path::new(folder), &mut found);
    let temporary = tempfile::tempdir().expect("a folder");
    let keep = option("--keep").map_or(temporary.path(), Path::new);
    for model in found {
        let name = model.file_stem().unwrap_or_default().to_string_lossy();
        if option("--only").is_none_or(|only| name.contains(only.as_str())) {
            measure(&model, keep);
        }
    }
}
