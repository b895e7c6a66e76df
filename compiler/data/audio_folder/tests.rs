use std::io::Write;

use tempfile::TempDir;

use super::*;
use crate::data::Collection;
use crate::data::wav::tests::mono;

fn spec(path: &str) -> AudioFolder {
    AudioFolder {
        path: path.to_owned(),
        train: None,
        test: None,
        rate: 16_000,
        resample: false,
        length: None,
        hop: None,
        quiet: None,
        classes: None,
        group: AudioGroup::None,
    }
}

fn read(root: &Path, spec: &AudioFolder) -> Result<Collection, Diagnostic> {
    let mut collector = Collector::new(Element::I16, None);
    spec.read(root, &mut collector)?;
    collector.finish()
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn folder(files: &[(&str, &[i16])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, samples) in files {
        put(folder.path(), path, &mono(16_000, samples));
    }
    folder
}

fn pack(from: &Path, to: &Path) {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", from).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(&builder.into_inner().unwrap()).unwrap();
    std::fs::write(to, gzip.finish().unwrap()).unwrap();
}

fn rows(data: &Collection) -> Vec<Vec<f32>> {
    let (mut row, mut room) = (vec![0.0; data.table.width()], Vec::new());
    (0..data.table.rows())
        .map(|index| {
            data.table.row(index, &mut row, &mut room).unwrap();
            row.clone()
        })
        .collect()
}

fn names(data: &Collection) -> Vec<(&str, &str, Option<Part>)> {
    let name = |(origin, &label): (&crate::data::Origin, &u32)| {
        (data.files[origin.file as usize].as_str(), data.classes[label as usize].as_str(), origin.part)
    };
    data.origins.iter().zip(&data.labels).map(name).collect()
}

fn groups(data: &Collection) -> Vec<Option<&str>> {
    data.origins.iter().map(|o| o.group.map(|g| data.groups[g as usize].as_str())).collect()
}

#[track_caller]
fn refused(root: &Path, spec: &AudioFolder, code: Code, parts: &[&str]) {
    let diagnostic = read(root, spec).map(|_| ()).unwrap_err();
    assert_eq!(diagnostic.code, code, "{}", diagnostic.message);
    assert!(!diagnostic.help.is_empty(), "no way out of: {}", diagnostic.message);
    let text = format!("{} {}", diagnostic.message, diagnostic.help.join(" "));
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

#[test]
fn classes_are_the_first_folders_and_other_files_are_passed_over() {
    let folder = folder(&[
        ("set/yes/deep/er/a.wav", &[1, 2]),
        ("set/yes/b.WAV", &[3, 4]),
        ("set/no/c.wav", &[5, 6]),
        ("set/_background_noise_/n.wav", &[0; 7]),
    ]);
    let root = folder.path();
    for other in ["set/README.md", "set/yes/list.csv", "set/_background_noise_/x.mp3", "set/.git/x.wav"] {
        put(root, other, b"text");
    }
    let data = read(root, &spec("set")).unwrap();
    assert_eq!((data.rate, data.extents), (Some(16_000), [2, 1, 1]));
    let expected = [
        ("set/no/c.wav", "no", None),
        ("set/yes/b.WAV", "yes", None),
        ("set/yes/deep/er/a.wav", "yes", None),
    ];
    assert_eq!(names(&data), expected);
    assert_eq!(rows(&data), [[5.0, 6.0], [3.0, 4.0], [1.0, 2.0]]);
    assert_eq!(data.table.element(), Element::I16);
    assert_eq!(
        spec("set").inputs(root).unwrap(),
        ["set/_background_noise_/n.wav", "set/no/c.wav", "set/yes/b.WAV", "set/yes/deep/er/a.wav"]
    );

    // Packed, the names stay.
    std::fs::create_dir(root.join("packed")).unwrap();
    pack(&root.join("set"), &root.join("packed/set.tar.gz"));
    let packed = read(&root.join("packed"), &spec("set")).unwrap();
    let mut found = names(&packed);
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(spec("set").inputs(&root.join("packed")).unwrap(), ["set.tar.gz"]);

    let chosen = |classes: &[&str]| AudioFolder {
        classes: Some(classes.iter().map(|&c| c.to_owned()).collect()),
        ..spec("set")
    };
    let data = read(root, &chosen(&["yes", "no"])).unwrap();
    assert_eq!((data.classes.join(" "), data.labels), ("yes no".to_owned(), vec![1, 0, 0]));
    assert_eq!(read(root, &chosen(&["yes"])).unwrap().labels, [0, 0]);
    refused(root, &chosen(&["yes", "maybe"]), Code::DATA_LABEL, &["`maybe`", "`no`", "`yes`"]);
}

#[test]
fn parts_of_the_maker_are_found() {
    let dir = folder(&[
        ("s/train/a/1.wav", &[1]),
        ("s/train/b/2.wav", &[2]),
        ("s/val/a/3.wav", &[3]),
        ("s/val/b/4.wav", &[4]),
    ]);
    let root = dir.path();
    let parts = |spec: &AudioFolder| -> Vec<Option<Part>> {
        read(root, spec).unwrap().origins.iter().map(|o| o.part).collect()
    };
    let (train, val, test) = (Some(Part::Train), Some(Part::Val), Some(Part::Test));
    assert_eq!(parts(&spec("s")), [train, train, test, test], "the only other part is scored once");
    assert_eq!(parts(&spec("./s/")), [train, train, test, test]);
    assert_eq!(spec("s").inputs(root).unwrap().len(), 4);
    pack(&root.join("s/val"), &root.join("s/testing.tgz"));
    assert_eq!(parts(&spec("s")), [train, train, val, val, test, test]);
    let named = AudioFolder { train: Some("s/val".into()), test: Some("s/train".into()), ..spec("s") };
    assert_eq!(parts(&named), [train, train, test, test]);
    assert_eq!(names(&read(root, &named).unwrap())[0].0, "s/val/a/3.wav");
    // The same below the root itself.
    let inside = read(&root.join("s"), &spec(".")).unwrap();
    assert_eq!(names(&inside)[0], ("train/a/1.wav", "a", train));
    // Noise is no class beside them.
    put(root, "s/_background_noise_/n.wav", &mono(16_000, &[0; 9]));
    assert_eq!(parts(&spec("s")).len(), 6);
    // With other classes beside them they are classes.
    put(root, "s/stop/5.wav", &mono(16_000, &[5]));
    let data = read(root, &spec("s")).unwrap();
    assert_eq!(data.classes, ["stop", "train", "val"]);
    assert!(data.origins.iter().all(|o| o.part.is_none()));
}

#[test]
fn parts_are_found_inside_an_archive() {
    let dir = folder(&[
        ("s/train/a/1.wav", &[1]),
        ("s/train/b/2.wav", &[2]),
        ("s/testing/a/3.wav", &[3]),
        ("s/_background_noise_/n.wav", &[0; 9]),
    ]);
    let packed = |name: &str| {
        let to = dir.path().join(name);
        std::fs::create_dir(&to).unwrap();
        pack(&dir.path().join("s"), &to.join("s.tar.gz"));
        read(&to, &spec("s")).unwrap()
    };
    let found = packed("parts");
    assert_eq!((found.classes.clone(), found.labels.len()), (vec!["a".to_owned(), "b".to_owned()], 3));
    for (name, _, part) in names(&found) {
        assert_eq!(part == Some(Part::Test), name.starts_with("s/testing/"), "{name}");
    }
    put(dir.path(), "s/stop/4.wav", &mono(16_000, &[5]));
    assert_eq!(packed("classes").classes, ["stop", "testing", "train"]);
}

#[test]
fn recordings_are_padded_cut_and_windowed() {
    let dir = folder(&[("a/long.wav", &[0, 1, -3, 2, 0, 0, 3, 2, 1, 1]), ("b/short.wav", &[7, -8])]);
    let root = dir.path();
    refused(root, &spec("."), Code::DATA_SHAPE, &["b/short.wav", "2 samples", "10", "length:"]);
    let of = |length, hop| AudioFolder { length: Some(length), hop, ..spec(".") };
    let data = read(root, &of(3, None)).unwrap();
    // 1 + 9 + 4 = 14 is as much as 9 + 4 + 1 later on: the first counts.
    assert_eq!(rows(&data), [[1.0, -3.0, 2.0], [7.0, -8.0, 0.0]]);
    assert!(data.origins.iter().all(|o| o.position == 0));
    let data = read(root, &of(4, Some(3))).unwrap();
    assert_eq!(rows(&data)[..3], [[0.0, 1.0, -3.0, 2.0], [2.0, 0.0, 0.0, 3.0], [3.0, 2.0, 1.0, 1.0]]);
    assert_eq!(rows(&data)[3], [7.0, -8.0, 0.0, 0.0]);
    assert_eq!(data.origins.iter().map(|o| o.position).collect::<Vec<_>>(), [0, 3, 6, 0]);
    // The last window that is not whole is dropped.
    assert_eq!(read(root, &of(4, Some(4))).unwrap().origins.len(), 3);
    refused(root, &of(0, None), Code::DATA_SHAPE, &["`length`"]);
    refused(root, &of(4, Some(0)), Code::DATA_SHAPE, &["`hop`"]);
    refused(root, &AudioFolder { hop: Some(2), ..spec(".") }, Code::DATA_SHAPE, &["length:"]);
}

#[test]
fn recordings_that_hold_nothing_are_errors_unless_quiet_ones_are_left_out() {
    let dir = folder(&[("a/x.wav", &[900, 900]), ("a/void.wav", &[])]);
    let spec = AudioFolder { length: Some(2), ..spec(".") };
    refused(dir.path(), &spec, Code::DATA_FORMAT, &["a/void.wav", "no samples", "quiet:"]);
    let spec = AudioFolder { quiet: Some(0.001), ..spec };
    assert_eq!(rows(&read(dir.path(), &spec).unwrap()), [[900.0, 900.0]]);
}

#[test]
fn quiet_windows_are_left_out_and_a_silent_class_is_told() {
    let dir = folder(&[("a/x.wav", &[0, 0, 328, 328, 3, 3]), ("b/y.wav", &[1, 1, 1, 1, 1, 1])]);
    let spec = AudioFolder { length: Some(2), hop: Some(2), quiet: Some(0.01), ..spec(".") };
    let data = read(dir.path(), &spec).unwrap();
    assert_eq!(rows(&data), [[328.0, 328.0]]);
    assert_eq!(data.origins[0].position, 2);
    assert_eq!(data.warnings.len(), 1);
    assert!(data.warnings[0].message.contains("`b`"));
}

#[test]
fn the_loudest_window_is_the_loudest_of_all() {
    let samples: Vec<i16> = (0..500i32).map(|i| (i.wrapping_mul(7_919) % 32_768 - i) as i16).collect();
    for length in [1, 2, 77, 499, 500] {
        let energy = |start: usize| samples[start..start + length].iter().map(|&x| square(x)).sum::<u64>();
        let best = (0..=500 - length).max_by_key(|&start| (energy(start), std::cmp::Reverse(start))).unwrap();
        assert_eq!(loudest(&samples, length), best);
    }
    assert_eq!(loudest(&[i16::MIN; 9], 4), 0);
}

#[test]
fn groups_are_prompts_or_speakers() {
    let dir = folder(&[
        ("_silence_/1177.wav", &[1]),
        ("_unknown_/backward_ab12_nohash_0.wav", &[2]),
        ("yes/ab12_nohash_3.wav", &[3]),
        ("yes/p/cd_nohash_0.wav", &[4]),
        ("no/p/cd_nohash_0.wav", &[5]),
    ]);
    let of = |group| read(dir.path(), &AudioFolder { group, ..spec(".") }).unwrap();
    assert_eq!(groups(&of(AudioGroup::None)), [None; 5]);
    let data = of(AudioGroup::Speaker("{}_nohash_*".into()));
    assert_eq!(groups(&data), [None, Some("ab12"), Some("cd"), Some("ab12"), Some("cd")]);
    let data = of(AudioGroup::File);
    assert_eq!(groups(&data)[0], Some("1177.wav"));
    assert_eq!(groups(&data)[2], Some("p/cd_nohash_0.wav"));
    assert_eq!(groups(&data)[4], groups(&data)[2]);
}

#[test]
fn other_rates_are_refused_or_resampled() {
    let dir = folder(&[("a/x.wav", &[100; 160])]);
    let root = dir.path();
    put(root, "a/y.wav", &mono(8_000, &[100; 80]));
    let parts = ["a/y.wav", "8000 Hz", "16000 Hz", "resample: true"];
    refused(root, &spec("."), Code::DATA_SHAPE, &parts);
    let data = read(root, &AudioFolder { resample: true, ..spec(".") }).unwrap();
    assert_eq!(data.extents, [160, 1, 1]);
    assert_eq!(rows(&data)[1][80], 100.0);
    put(root, "a/y.wav", &mono(44_101, &[100; 80]));
    refused(root, &AudioFolder { resample: true, ..spec(".") }, Code::DATA_LIMIT, &["a/y.wav", "divisor"]);
}

#[test]
fn bad_input_is_named() {
    let dir = folder(&[("a/x.wav", &[1, 2])]);
    let root = dir.path();
    let check = |path: &str, bytes: &[u8], code, parts: &[&str]| {
        put(root, path, bytes);
        refused(root, &spec("."), code, parts);
        std::fs::remove_file(root.join(path)).unwrap();
    };
    let wav = mono(16_000, &[1, 2]);
    check("a/cut.wav", &wav[..wav.len() - 1], Code::DATA_FORMAT, &["`a/cut.wav`", "cut short"]);
    check("a/song.mp3", b"ID3", Code::DATA_FORMAT, &["`a/song.mp3`", "ffmpeg"]);
    check("a/song.wav", b"ID3", Code::DATA_FORMAT, &["`a/song.wav`", "MP3"]);
    check("loose.wav", &wav, Code::DATA_LABEL, &["`loose.wav`", "folder of a class"]);
    check("b/notes.txt", b"", Code::DATA_LABEL, &["class `b`", "empty"]);
    // The folder of the last one is still there, and empty.
    refused(root, &spec("."), Code::DATA_LABEL, &["class `b`", "empty", "classes: [...]"]);
    std::fs::remove_dir(root.join("b")).unwrap();
    read(root, &spec(".")).unwrap();
    refused(root, &spec("nowhere"), Code::DATA_MISSING, &["nowhere"]);
    refused(root, &spec("../x"), Code::DATA_MISSING, &["outside"]);
}

#[test]
fn shared_sets_have_the_samples_that_they_say() {
    #[expect(clippy::disallowed_methods, reason = "where the shared data is, is a matter of the machine")]
    let Ok(shared) = std::env::var("NASC_SHARED") else { return };
    let root = Path::new(&shared).join("data");
    let count = |data: &Collection, part| data.origins.iter().filter(|o| o.part == Some(part)).count();
    let words =
        AudioFolder { group: AudioGroup::Speaker("{}_nohash_*".into()), ..spec("speech_commands_12") };
    let data = read(&root, &words).unwrap();
    assert_eq!((count(&data, Part::Train), count(&data, Part::Test)), (2_015, 520));
    assert_eq!((data.classes.len(), data.extents), (12, [16_000, 1, 1]));
    assert_eq!(data.groups.len(), 156 + 47);
    let group_of = |part| -> BTreeSet<_> {
        data.origins.iter().filter(|o| o.part == Some(part)).filter_map(|o| o.group).collect()
    };
    assert!(group_of(Part::Train).is_disjoint(&group_of(Part::Test)));
    assert_eq!(group_of(Part::Train).len(), 156);
    let digits = AudioFolder { rate: 8_000, length: Some(8_000), ..spec("fsdd_8k") };
    let data = read(&root, &digits).unwrap();
    assert_eq!((count(&data, Part::Train), count(&data, Part::Test)), (2_160, 420));
    assert_eq!(data.classes.join(""), "0123456789");
}
