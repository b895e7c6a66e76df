//! Models of TensorFlow Lite on the command line: what they are, their bundles, runs of other engines.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use nasc::device::find;
use serde_json::Value as Json;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::lab::Lab;

fn model(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn lab(name: &str) -> Lab {
    let lab = Lab::empty();
    lab.write(&format!("{name}.tflite"), model(&format!("{name}.tflite")));
    lab
}

/// What LiteRT made of some inputs: for each sample, for each tensor, its elements.
fn samples(name: &str) -> Vec<[Vec<Vec<f64>>; 2]> {
    let json: Json = serde_json::from_slice(&model(&format!("{name}.json"))).unwrap();
    let side = |side: &str| -> Vec<Vec<Vec<f64>>> { serde_json::from_value(json[side].clone()).unwrap() };
    side("inputs").into_iter().zip(side("outputs")).map(<[_; 2]>::from).collect()
}

#[test]
fn a_model_is_described_and_estimated() {
    let lab = lab("borders");
    let text = lab.run(&["import", "borders.tflite", "--target", "cortex-m4"]).good().stdout;
    assert!(text.contains("the network is behind QUANTIZE") && text.contains("cortex-m4"), "{text}");
    let json = lab.run(&["import", "borders.tflite", "--target", "rp2040", "--format", "json"]).good().json();
    assert_eq!(json["inputs"][0]["element"], "f32");
    assert!(json["costs"][0]["ram_bytes"].as_u64().unwrap() > 0 && json["costs"][0]["fits"] == true);
}

#[test]
fn a_model_becomes_a_bundle_that_is_the_same_everywhere() {
    let models = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")).unwrap();
    let files = models.flatten().map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> =
        files.filter_map(|file| Some(file.strip_suffix(".tflite")?.into())).collect();
    names.sort();
    assert!(names.len() >= 10, "{names:?}");
    for name in &names {
        let lab = lab(name);
        let file = format!("{name}.tflite");
        let target = if find("arm-none-eabi-gcc").is_some() { "cortex-m4" } else { "host" };
        let json =
            lab.run(&["compile", &file, "--target", target, "-o", "out", "--format", "json"]).good().json();
        let bundle = &json["bundles"][0];
        assert_eq!((&bundle["verified"], &json["searched"]), (&true.into(), &false.into()), "{name}");
        let report = &bundle["report"];
        assert!(report["targets"][0].get("quality").is_none() && report.get("search").is_none(), "{report}");
        assert_eq!(report["provenance"]["model"].as_str().map(str::len), Some(64));
        if target == "cortex-m4" {
            let device = &bundle["measured"]["device"];
            assert_eq!(device["mismatched_bytes"], 0);
            assert!(device["samples"].as_u64().unwrap() >= 16);
            let bytes = |of: &Json, name: &str| of[name].as_u64().unwrap();
            let all = ["text_bytes", "rodata_bytes", "data_bytes"].map(|part| bytes(device, part));
            let code = all.iter().sum::<u64>() - bytes(device, "weights_bytes_linked");
            let bound = bytes(&report["targets"][0]["memory"], "code_bytes");
            assert!(code <= bound, "{name}: {code} B of code, and at most {bound} B were promised");
        }
        lab.run(&["verify", "out"]).good();
        let text = lab.run(&["report", "out"]).good().stdout;
        assert!(text.contains("provenance") && text.contains("model") && !text.contains("trials"), "{text}");
        lab.run(&["report", "out", "-o", "page.html"]).good();
        assert!(lab.run(&["diff", "out", "out"]).good().stdout.contains("nothing differs"));
        lab.run(&["compile", &file, "--target", target, "-o", "again", "--no-verify"]).good();
        let mut first = lab.below("out");
        first.remove("measured.json");
        assert_eq!(first, lab.below("again"), "{name}: another run gives other bytes");
    }
}

/// A program that gives every sample's own elements to a bundle, and wants those of LiteRT back.
fn program(model: &str, name: &str, element: &str, ends: &[&str]) -> String {
    let samples = samples(model);
    let list = |values: &[f64], element: &str| -> String {
        values.iter().fold(String::new(), |mut text, value| {
            // Floats of 32 bits read back from nine digits.
            write!(
                text,
                "{}, ",
                if element == "float" { format!("{value:.9e}f") } else { value.to_string() }
            )
            .unwrap();
            text
        })
    };
    let mut out = format!(
        "#include \"{name}.h\"\n#include <string.h>\nstatic unsigned char arena[{0}_ARENA_BYTES] __attribute__((aligned(16)));\n\
         int main(void) {{\n    {name}_ctx ctx;\n    if ({name}_init(&ctx, arena, sizeof arena) != 0) {{ return 2; }}\n",
        name.to_uppercase()
    );
    for [inputs, outputs] in &samples {
        writeln!(out, "    {{ static const {element} in[] = {{ {} }};", list(&inputs[0], element)).unwrap();
        writeln!(out, "      {name}_quantize(in, {name}_input(&ctx));").unwrap();
        writeln!(out, "      if ({name}_run(&ctx, NULL, NULL) != 0) {{ return 3; }}").unwrap();
        for (number, (output, end)) in outputs.iter().zip(ends).enumerate() {
            let (suffix, argument) = match ends.len() {
                1 => (String::new(), String::new()),
                _ => (format!("_{number}"), format!(", {number}")),
            };
            let slot = format!("{name}_output(&ctx{argument})");
            // Integers with a sign are the network's own.
            let take = match *end {
                "int8_t" => format!("memcpy(found, {slot}, sizeof found)"),
                _ => format!("{name}_dequantize{suffix}({slot}, found)"),
            };
            writeln!(
                out,
                "      {{ static const {end} wanted[] = {{ {} }}; {end} found[{}];\n        {take};\n        \
                 if (memcmp(found, wanted, sizeof found) != 0) {{ return {}; }} }}",
                list(output, end),
                output.len(),
                4 + number
            )
            .unwrap();
        }
        out.push_str("    }\n");
    }
    out + "    return 0;\n}\n"
}

#[test]
fn the_functions_of_borders_give_the_elements_of_litert() {
    if find("cc").is_none() {
        println!("skipped: there is no C compiler");
        return;
    }
    let models: [(_, _, &[&str]); 3] = [
        ("borders", "float", &["float"]),
        ("i16_cnn", "float", &["float", "float"]),
        ("unsigned", "uint8_t", &["uint8_t", "int8_t"]),
    ];
    for (name, element, ends) in models {
        let lab = lab(name);
        // `unsigned` is a word of C.
        let bundle = format!("net_{name}");
        let compile = |folder: &str, more: &[&str]| {
            let file = format!("{name}.tflite");
            let args = ["compile", &file, "--target", "host", "--name", &bundle, "-o", folder, "--no-verify"];
            lab.run(&[&args, more].concat()).good();
        };
        compile("out", &[]);
        lab.write("out/main.c", program(name, &bundle, element, ends));
        let files = ["main.c".to_owned(), format!("{bundle}.c"), format!("{bundle}_weights.c")];
        let built = std::process::Command::new("cc")
            .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-O2"])
            .args(&files)
            .args(["-o", "main"])
            .current_dir(lab.path("out"))
            .output()
            .unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let status = std::process::Command::new(lab.path("out/main")).status().unwrap();
        assert_eq!(status.code(), Some(0), "{name}");
        compile("bare", &["--strip-borders"]);
        assert!(lab.text(&format!("out/{bundle}.h")).contains("quantize"));
        assert!(!lab.text(&format!("bare/{bundle}.h")).contains("quantize"));
    }
}

/// Arrays of floats by name, as `numpy.savez` writes them.
fn npz(arrays: &[(&str, Vec<f64>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, values) in arrays {
        writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}\n", values.len());
        writer.write_all(b"\x93NUMPY\x01\x00").unwrap();
        writer.write_all(&u16::try_from(header.len()).unwrap().to_le_bytes()).unwrap();
        writer.write_all(header.as_bytes()).unwrap();
        values.iter().for_each(|value| writer.write_all(&value.to_le_bytes()).unwrap());
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_run_of_another_engine_is_compared_layer_by_layer() {
    let lab = lab("unsigned");
    let about = lab.run(&["import", "unsigned.tflite", "--format", "json"]).good().json();
    let name = |side: &str, number: usize| about[side][number]["name"].as_str().unwrap().to_owned();
    let [inputs, mut outputs] = samples("unsigned").swap_remove(0);
    let names = [name("inputs", 0), name("outputs", 0), name("outputs", 1)];
    let run = |outputs: &[Vec<f64>]| {
        npz(&[
            (&names[0], inputs[0].clone()),
            (&names[1], outputs[0].clone()),
            (&names[2], outputs[1].clone()),
        ])
    };
    lab.write("run.npz", run(&outputs));
    let compare = ["verify", "unsigned.tflite", "--against", "run.npz"];
    assert_eq!(lab.run(&compare).good().stdout, "all 2 tensors that both have are equal\n");
    outputs[1][2] += 1.0;
    lab.write("run.npz", run(&outputs));
    let found = lab.run(&compare);
    assert_eq!(found.code, Some(1));
    let wanted = format!("is the first that differs: tensor `{}`", names[2]);
    assert!(
        found.stdout.contains(&wanted)
            && found.stdout.contains("1 of 4 elements, by 1 at most; element 2 is")
    );
    let json = lab.run(&[&compare[..], &["--format", "json"]].concat()).json();
    assert_eq!(
        (&json["first"]["differing"], &json["first"]["tensor"]),
        (&1.into(), &names[2].as_str().into())
    );
    lab.write("run.npz", npz(&[("input", inputs[0].clone())]));
    let lacking = lab.run(&compare);
    assert!(lacking.code == Some(1) && lacking.stderr.contains("has no tensor"), "{}", lacking.stderr);
}

#[test]
fn what_is_wrong_with_a_model_or_its_options_is_said() {
    let lab = lab("cnn");
    lab.write("text.tflite", "this is no model");
    lab.write("empty.nas", "nas 1\n");
    for (args, code, words) in [
        (vec!["compile", "cnn.tflite"], "E0601", "--target"),
        (vec!["compile", "cnn.tflite", "--target", "cortex-m44"], "E0601", "did you mean `cortex-m4"),
        (
            vec!["compile", "cnn.tflite", "--target", "host", "--trials", "4"],
            "E0204",
            "`--trials` is about a search",
        ),
        (vec!["compile", "cnn.tflite", "--target", "host", "--name", "a b"], "E0910", "--name"),
        (vec!["compile", "none.tflite", "--target", "host"], "E1001", "no file"),
        (vec!["compile", "text.tflite", "--target", "host"], "E1001", "no model"),
        (vec!["compile", "empty.nas", "--strip-borders"], "E0204", "about models"),
        (
            vec!["compile", "cnn.tflite", "--target", "host", "--emit", "ir:after=elaborate"],
            "E0204",
            "no such stage",
        ),
        (vec!["verify", "empty.nas", "--against", "run.npz"], "E0204", "no `.tflite`"),
        (vec!["verify", "cnn.tflite"], "E0204", "--against"),
        (vec!["verify", "cnn.tflite", "--against", "run.npz"], "E0701", "numpy.savez"),
        (vec!["verify", "cnn.tflite", "--against", "text.tflite"], "E0702", "numpy.savez"),
    ] {
        let run = lab.run(&args);
        assert_eq!(run.code, Some(1), "{args:?}");
        assert!(run.stderr.contains(code) && run.stderr.contains(words), "{args:?}:\n{}", run.stderr);
    }
    for stage in ["quantize", "rewrite-integer", "kernel", "plan"] {
        let stage = format!("ir:after={stage}");
        let text =
            lab.run(&["compile", "cnn.tflite", "--target", "cortex-m4", "--emit", &stage]).good().stdout;
        assert!(text.lines().count() > 5, "{stage}: {text}");
    }
}
