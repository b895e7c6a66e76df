//! `nasc data`: what it says of good data, of odd data and of bad data.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::lab::Lab;

/// A spec around a section `data`.
fn spec(input: &str, outputs: &str, data: &str) -> String {
    let goal = if outputs.contains("classes") { "maximize accuracy" } else { "minimize mse" };
    format!(
        "nas 1\nmodel m(input: {input}{outputs}) {{\n  global_avg_pool\n  dense(units: {})\n}}\ndata {{\n{data}\n}}\n\
         train {{ optimizer: adamw(lr: 1e-3), epochs: 1, batch: 8 }}\n{goal}\n\
         search {{ strategy: random, trials: 1, finalists: 1, seed: 1 }}\n",
        if outputs.is_empty() { "4" } else { "classes" }
    )
}

/// A WAV file of 16 bits and one channel.
fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
    let size = 2 * samples.len() as u32;
    let mut out = Vec::new();
    out.extend(b"RIFF");
    out.extend((36 + size).to_le_bytes());
    out.extend(b"WAVEfmt ");
    out.extend(16u32.to_le_bytes());
    out.extend([1, 0, 1, 0]);
    out.extend(rate.to_le_bytes());
    out.extend((2 * rate).to_le_bytes());
    out.extend([2, 0, 16, 0]);
    out.extend(b"data");
    out.extend(size.to_le_bytes());
    samples.iter().for_each(|sample| out.extend(sample.to_le_bytes()));
    out
}

/// A tenth of a second that depends on its number.
fn tone(number: usize) -> Vec<i16> {
    (0..800usize).map(|at| ((at * (number + 3) * 977 % 8000) as i16) - 4000).collect()
}

const SOUND: &str = "  source: audio_folder(\"words\", rate: 8 kHz, speaker: \"{}_*\")\n  \
    split: by(speaker, train: 60 %, val: 20 %, test: 20 %)\n  \
    features: mfcc(frame: 32 ms, hop: 16 ms, coefficients: 8)\n  normalize: standardize\n  \
    augment: [shift(10 ms), time_mask(32 ms)]";

/// Two classes of ten recordings by five speakers; one is silent, one clipped.
fn words() -> Lab {
    let lab = Lab::empty();
    lab.write("words.nas", spec("(5, 8, 1)", ", classes: 2", SOUND));
    for (class, name) in ["<script>alert(1)", "no"].into_iter().enumerate() {
        for take in 0..10 {
            let samples = match (class, take) {
                (1, 0) => vec![1; 800],
                (1, 1) => [tone(3), vec![i16::MAX; 800]].concat()[400..1200].to_vec(),
                _ => tone(10 * class + take),
            };
            // A slash would be a folder.
            lab.write(&format!("words/{name}/s{}_{take}.wav", take % 5), wav(8000, &samples));
        }
    }
    lab
}

#[test]
fn sound_is_counted_measured_and_drawn() {
    let lab = words();
    let run = lab.run(&["data", "words.nas", "--html", "out/page.html", "--samples", "3"]).good();
    assert!(run.stdout.contains("20 samples of 2 classes from 20 files"), "{}", run.stdout);
    assert!(run.stdout.contains("1 of 20 recordings are silent: words/no/s0_0.wav"), "{}", run.stdout);
    assert!(run.stdout.contains("1 of 20 recordings reach full scale"), "{}", run.stdout);

    let json = lab.run(&["data", "words.nas", "--format", "json"]).good().json();
    assert_eq!((&json["samples"], &json["rate"], &json["seconds"]), (&20.into(), &8000.into(), &2.0.into()));
    assert_eq!((&json["element"], &json["sound"]["silent"]), (&"i16".into(), &1.into()));
    let counts: Vec<u64> = json["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["samples"].to_string())
        .map(|text| text.trim_matches(['[', ']']).split(',').map(|n| n.parse::<u64>().unwrap()).sum())
        .collect();
    assert_eq!(counts, [10, 10]);
    // Five speakers, each in one part.
    let groups: u64 =
        json["parts"].as_array().unwrap().iter().map(|part| part["groups"].as_u64().unwrap()).sum();
    assert_eq!(groups, 5);
    assert_eq!(json["input"]["extents"], serde_json::json!([5, 8, 1]));
    assert_eq!(json["hash"].as_str().map(str::len), Some(64));

    let page = lab.text("out/page.html");
    // For each class three samples and two changed ones, each with its features; a waveform for the samples alone.
    assert_eq!((page.matches("<figure").count(), page.matches("<img ").count()), (10, 10));
    assert_eq!(page.matches("class=\"wave\"").count(), 6);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"));
    assert!(!page.contains("http://") && !page.contains("https://"), "it asks the network");
    let again = lab.run(&["data", "words.nas", "--html", "again.html", "--samples", "3"]).good();
    assert!(again.stderr.is_empty());
    assert_eq!(lab.text("again.html"), page, "two runs draw two pages");
}

/// Pictures of 2 x 3 bytes as IDX: images and labels.
#[test]
fn a_lock_is_of_the_noise_that_training_mixed_in() {
    let lab = words();
    lab.edit("words.nas", "shift(10 ms)", "noise(50 %, from: \"hum\")");
    lab.write("hum/a.wav", wav(8000, &tone(40)));
    let compile = ["compile", "words.nas", "--target", "host", "--no-verify"];
    lab.run(&compile).good();
    assert!(lab.run(&compile).good().stdout.contains("from the lock"));
    lab.write("hum/a.wav", wav(8000, &tone(41)));
    assert!(!lab.run(&compile).good().stdout.contains("from the lock"), "other noise, another network");
    lab.write("hum/a.wav", "no sound");
    let refused = lab.run(&compile);
    for part in ["E0702", "`hum/a.wav`", "takes noise from there"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
}

#[test]
fn a_bundle_is_scored_on_class_folders_and_on_what_a_spec_reads() {
    let lab = words();
    lab.run(&["compile", "words.nas", "--target", "host", "--no-verify"]).good();
    let folder = lab.below("build").into_keys().find(|name| name.ends_with("report.json")).expect("a bundle");
    let folder = format!("build/{}", folder.trim_end_matches("/report.json"));
    let eval = |args: &[&str]| lab.run(&[&["eval"][..], args, &["--format", "json"]].concat()).good().json();
    let (own, by_spec) = (eval(&["words.nas"]), eval(&[&folder, "--data", "words.nas"]));
    assert_eq!((&own["samples"], &own["metrics"]), (&by_spec["samples"], &by_spec["metrics"]));
    let all = eval(&["words.nas", "--split", "all"]);
    let of_folder = eval(&[&folder, "--data", "words"]);
    assert_eq!((&of_folder["samples"], &of_folder["split"]), (&20.into(), &"words".into()));
    assert_eq!(all["confusion"], of_folder["confusion"]);
    lab.write("x.csv", "a,b\n1,2\n");
    let refused = lab.run(&["eval", &folder, "--data", "x.csv"]);
    for part in ["E0701", "`x.csv`", "class folders with WAV files", "--data SPEC.nas"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
}

fn idx(pictures: &[[u8; 6]], labels: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let count = (pictures.len() as u32).to_be_bytes();
    let mut images = [&[0, 0, 8, 3][..], &count, &2u32.to_be_bytes(), &3u32.to_be_bytes()].concat();
    images.extend(pictures.concat());
    (images, [&[0, 0, 8, 1][..], &(labels.len() as u32).to_be_bytes(), labels].concat())
}

const PICTURES: &str = "  source: idx(train: \"x\", train_labels: \"y\", test: \"tx\", test_labels: \"ty\")\n  \
                        split: holdout(val: 50 %)";

#[test]
fn leaks_and_duplicates_of_pictures_are_warned_of() {
    let lab = Lab::empty();
    lab.write("p.nas", spec("(2, 3, 1)", ", classes: 2", PICTURES));
    let picture = |n: u8| [n, 0, 255, n.wrapping_mul(7), 9, 100];
    let train: Vec<[u8; 6]> = (0..20).map(picture).collect();
    let (x, y) = idx(&train, &(0..20).map(|n| n % 2).collect::<Vec<u8>>());
    // The first two are those of training again; the last two are equal, under two labels.
    let (tx, ty) = idx(&[train[0], train[1], picture(50), picture(50)], &[0, 1, 0, 1]);
    [("x", x), ("y", y), ("tx", tx), ("ty", ty)].into_iter().for_each(|(name, bytes)| lab.write(name, bytes));
    let run = lab.run(&["data", "p.nas", "--html", "p.html"]).good();
    assert!(run.stderr.contains("warning[E0708]: 2 samples are in two parts"), "{}", run.stderr);
    assert!(run.stderr.contains("warning[E0707]: 1 samples are there with two labels"), "{}", run.stderr);
    let hash = hash_of(&run.stdout);
    insta::assert_snapshot!("pictures_as_text", run.stdout.replace(&hash, "HASH"));
    let page = lab.text("p.html");
    // Eight of the twelve samples of each class.
    assert_eq!(page.matches("<img ").count(), 16);
    assert_eq!(page.matches("class=\"note\"").count(), 2, "one for each warning");
}

fn hash_of(text: &str) -> String {
    let line = text.lines().find_map(|line| line.trim().strip_prefix("hash")).expect("a hash");
    line.trim().to_owned()
}

/// A table of `rows` rows of two channels with a label and a subject.
fn table(rows: usize) -> String {
    let mut text = "x,y,label,who\n".to_owned();
    for row in 0..rows {
        let class = if row % 16 < 8 { "rest" } else { "walk" };
        writeln!(text, "{},{},{class},p{}", row * 37 % 101, row, row / 32).unwrap();
    }
    text
}

const TABLE: &str = "  source: csv(train: \"t.csv\", label: \"label\", window: 8, group: \"who\")\n  \
                     split: by(subject, train: 60 %, val: 20 %, test: 20 %)";

#[test]
fn windows_have_channels_and_groups() {
    let lab = Lab::empty();
    lab.write("t.nas", spec("(8, 1, 2)", ", classes: 2", TABLE));
    lab.write("t.csv", table(320));
    let json = lab.run(&["data", "t.nas", "--format", "json"]).good().json();
    assert_eq!((&json["samples"], &json["values"]["channels"][1]["max"]), (&40.into(), &319.0.into()));
    assert_eq!(json["values"]["channels"][1]["mean"], 159.5);
    let groups: u64 =
        json["parts"].as_array().unwrap().iter().map(|part| part["groups"].as_u64().unwrap()).sum();
    assert_eq!(groups, 10);
}

/// What the model does not take is an error, beside all that is known of the data.
#[test]
fn data_that_the_model_does_not_take_is_shown_all_the_same() {
    let lab = Lab::empty();
    lab.write("t.nas", spec("(8, 1, 2)", ", classes: 3", TABLE));
    lab.write("t.csv", table(320));
    let run = lab.run(&["data", "t.nas", "--html", "t.html"]);
    assert_eq!((run.code, run.n_errors()), (Some(1), 1), "{}", run.stderr);
    assert!(run.stderr.contains("the data has 2 classes, the model says 3") && run.stderr.contains("help:"));
    assert!(run.stdout.contains("40 samples of 2 classes"), "{}", run.stdout);
    assert!(lab.text("t.html").contains("the data has 2 classes"));
}

#[test]
fn the_page_goes_where_it_can_be_written() {
    let lab = words();
    lab.write("file", "");
    let run = lab.run(&["data", "words.nas", "--html", "file/page.html"]);
    assert_eq!((run.code, run.n_errors()), (Some(1), 1), "{}", run.stderr);
    assert!(run.stderr.contains("E0904") && run.stderr.contains("file/page.html"), "{}", run.stderr);
    for wrong in [
        &["data", "words.nas", "--samples", "3"][..],
        &["data", "words.nas", "--html", "p", "--samples", "0"],
    ] {
        assert_eq!(lab.run(wrong).code, Some(2));
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A mistake, and what has to be in the one message.
type Case = (&'static str, fn(&Lab), &'static [&'static str]);

const BAD: &[Case] = &[
    ("cut short", |lab| lab.truncate("words/no/s2_2.wav"), &["E0702", "s2_2.wav"]),
    ("no sound", |lab| lab.write("words/no/s2_2.wav", "hello"), &["E0702", "s2_2.wav"]),
    ("wrong rate", |lab| lab.write("words/no/s2_2.wav", wav(16_000, &tone(1))), &["s2_2.wav", "resample"]),
    ("other length", |lab| lab.write("words/no/s2_2.wav", wav(8000, &[5; 700])), &["s2_2.wav"]),
    (
        "empty class",
        |lab| {
            (0..10).for_each(|take| lab.remove(&format!("words/no/s{}_{take}.wav", take % 5)));
        },
        &["no"],
    ),
    ("no folder", |lab| lab.remove("words"), &["E0701", "words"]),
    ("outside", |lab| lab.edit("words.nas", "\"words\"", "\"../words\""), &["../words"]),
    ("absolute", |lab| lab.edit("words.nas", "\"words\"", "\"/words\""), &["/words"]),
    (
        "no section",
        |lab| {
            lab.write(
                "words.nas",
                "nas 1\nmodel m(input: (8, 1, 2), classes: 2) {\n  global_avg_pool\n  dense(units: classes)\n}\n\
                 train { optimizer: adamw(lr: 1e-3), epochs: 1, batch: 8 }\nmaximize accuracy\n\
                 search { strategy: random, trials: 1, finalists: 1, seed: 1 }\n",
            )
        },
        &["data"],
    ),
    (
        "label without sample",
        |lab| {
            let (x, y) = idx(&[[1; 6], [2; 6]], &[0, 1, 1]);
            pictures(lab, &x, &y);
        },
        &["2", "3", "`x"],
    ),
    (
        "sample without label",
        |lab| {
            let (x, y) = idx(&[[1; 6], [2; 6], [3; 6]], &[0, 1]);
            pictures(lab, &x, &y);
        },
        &["2", "3", "`x"],
    ),
    (
        "a bomb",
        |lab| {
            // Two million pictures of 2 x 24, all black: 96 MiB in a file of some 100 KiB.
            let (mut x, mut y) = idx(&[], &[]);
            let count = (2u32 << 20).to_be_bytes();
            x[4..8].copy_from_slice(&count);
            y[4..8].copy_from_slice(&count);
            x[12..16].copy_from_slice(&24u32.to_be_bytes());
            x.resize((96 << 20) + 16, 0);
            y.resize((2 << 20) + 8, 0);
            pictures(lab, b"", &y);
            lab.edit("words.nas", "train: \"x\"", "train: \"x.gz\"");
            lab.write("x.gz", gzip(&x));
        },
        &["E0706", "x"],
    ),
    (
        "two million columns",
        |lab| {
            lab.write("words.nas", spec("(8, 1, 2)", ", classes: 2", TABLE));
            let names: String = (0..2_000_000).fold(String::new(), |mut text, column| {
                write!(text, "c{column},").unwrap();
                text
            });
            lab.write("t.csv", format!("{names}label,who\n"));
        },
        &["E0706", "t.csv"],
    ),
    (
        "a word among numbers",
        |lab| {
            lab.write("words.nas", spec("(8, 1, 2)", ", classes: 2", TABLE));
            lab.write("t.csv", table(40).replacen("\n37,1,", "\n37,one,", 1));
        },
        &["t.csv", "line 3", "one"],
    ),
];

fn pictures(lab: &Lab, x: &[u8], y: &[u8]) {
    lab.write("words.nas", spec("(2, 3, 1)", ", classes: 2", PICTURES));
    lab.write("x", x);
    lab.write("y", y);
    lab.write("tx", x);
    lab.write("ty", y);
}

#[test]
fn bad_data_ends_with_one_message_that_names_the_file_and_the_way_out() {
    let mut wrong = Vec::new();
    for (name, spoil, expect) in BAD {
        let lab = words();
        spoil(&lab);
        let run = lab.run(&["data", "words.nas"]);
        let told = format!("{}\n{}", run.stdout, run.stderr);
        let good = run.code == Some(1)
            && run.n_errors() == 1
            && run.stdout.is_empty()
            && run.stderr.contains("help:")
            && !run.stderr.contains("internal error")
            && expect.iter().all(|part| run.stderr.contains(part));
        if !good {
            wrong.push(format!("== {name}: {:?} wants {expect:?}\n{told}", run.code));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), BAD.len(), wrong.join("\n"));
}
