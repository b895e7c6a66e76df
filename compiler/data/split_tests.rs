use std::path::Path;

use proptest::prelude::*;

use crate::data::*;
use crate::diagnostic::Code;

/// One sample: label, file, group, the source's own part.
type Row<'a> = (u32, &'a str, Option<&'a str>, Option<Part>);

fn collect(rows: &[Row<'_>], classes: &[&str]) -> Collection {
    let mut collector = Collector::new(Element::F32, None);
    collector.declare(&classes.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap();
    for (number, &(label, file, group, part)) in rows.iter().enumerate() {
        let sample = Sample {
            values: Values::F32(&[number as f32]),
            extents: [1, 1, 1],
            wanted: Wanted::Class(classes[label as usize]),
            file,
            position: 0,
            group,
            part,
        };
        collector.push(sample).unwrap();
    }
    collector.finish().unwrap()
}

/// Training samples with these labels, and one for the test.
fn labelled(labels: &[u32]) -> Collection {
    let names: Vec<String> = (0..labels.len()).map(|i| format!("f{i}")).collect();
    let mut rows: Vec<Row<'_>> =
        labels.iter().zip(&names).map(|(&l, name)| (l, name.as_str(), None, Some(Part::Train))).collect();
    rows.push((0, "test", None, Some(Part::Test)));
    collect(&rows, &["a", "b"])
}

fn cut(labels: &[u32], validation: f64, seed: u64) -> Result<(Partition, String), Diagnostic> {
    let data = labelled(labels);
    let cut = Cut { split: Split::Holdout(validation), seed };
    let partition = super::split::partition(&data, &cut, Path::new(""))?;
    let hash = super::hash(&data, &partition);
    Ok((partition, hash))
}

fn groups(data: &Collection, val: f64, test: f64, by_file: bool) -> Result<Partition, Diagnostic> {
    let split = Split::Groups { val, test, by_file };
    super::split::partition(data, &Cut { split, seed: 1 }, Path::new(""))
}

#[test]
fn one_long_recording_does_not_decide_a_part() {
    // 300 recordings of one sample, and ten of a hundred.
    let mut names = Vec::new();
    for file in 0..310 {
        let count = if file % 31 == 0 { 100 } else { 1 };
        names.extend((0..count).map(|_| format!("f{file}")));
    }
    let rows: Vec<Row<'_>> =
        names.iter().enumerate().map(|(at, name)| (at as u32 % 2, name.as_str(), None, None)).collect();
    let long = |data: &Collection, part: &[usize]| {
        let file = |&sample: &usize| data.files[data.origins[sample].file as usize].as_str();
        part.iter().map(file).filter(|name| names.iter().filter(|other| other == name).count() > 1).count()
    };
    let data = collect(&rows, &["a", "b"]);
    // A tenth of 1,300 samples is 130, of which one recording would be nearly all. The small ones hold 300 samples.
    let parts = groups(&data, 0.05, 0.05, true).expect("enough");
    assert_eq!((long(&data, &parts.test), long(&data, &parts.val)), (0, 0));
    assert_eq!((parts.test.len(), parts.val.len()), (65, 65));
    // More than the small ones hold with something to spare is taken from all.
    let parts = groups(&data, 0.2, 0.2, true).expect("enough");
    assert!(long(&data, &parts.test) + long(&data, &parts.val) > 0);
}

proptest! {
    #[test]
    fn cuts_are_stratified_partitions(
        n_a in 5usize..40,
        n_b in 5usize..40,
        share in 0.1f64..0.9,
        seed in any::<u64>(),
    ) {
        let mut labels = vec![0; n_a];
        labels.extend(vec![1; n_b]);
        let (partition, hash) = cut(&labels, share, seed).unwrap();
        let mut all = [partition.train.clone(), partition.val.clone()].concat();
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        prop_assert_eq!(&partition.test, &vec![labels.len()]);
        for (class, n) in [(0, n_a), (1, n_b)] {
            let count = partition.val.iter().filter(|&&sample| labels[sample] == class).count();
            prop_assert_eq!(count, (n as f64 * share).round() as usize);
        }
        prop_assert_eq!(cut(&labels, share, seed).unwrap().1, hash);
    }

    #[test]
    fn groups_stay_together_and_parts_come_near_their_shares(
        sizes in prop::collection::vec(1usize..6, 12..40),
        test in 0.1f64..0.3,
        val in 0.1f64..0.3,
    ) {
        let names: Vec<String> = (0..sizes.len()).map(|i| format!("g{i}")).collect();
        let mut rows: Vec<Row<'_>> = Vec::new();
        for (name, &size) in names.iter().zip(&sizes) {
            rows.extend((0..size).map(|i| (i as u32 % 2, "f", Some(name.as_str()), None)));
        }
        rows.extend([(0, "f", Some("both"), None), (1, "f", Some("both"), None)]);
        let data = collect(&rows, &["a", "b"]);
        let Ok(partition) = groups(&data, val, test, false) else { return Ok(()) };
        let group = |sample: &usize| data.origins[*sample].group;
        for (one, other) in [(&partition.train, &partition.val), (&partition.train, &partition.test), (&partition.val, &partition.test)] {
            prop_assert!(one.iter().all(|sample| other.iter().all(|left| group(sample) != group(left))));
        }
        let n = partition.train.len() + partition.val.len() + partition.test.len();
        prop_assert_eq!(n, rows.len());
        let total = rows.len() as f64;
        prop_assert!((partition.test.len() as f64 - test * total).abs() <= 3.0);
        prop_assert!((partition.val.len() as f64 - val * total).abs() <= 3.0);
    }
}

/// Recordings, each of one class and some samples.
fn recordings(classes: &[Vec<usize>]) -> Vec<(u32, String)> {
    let of_class = |(class, sizes): (usize, &Vec<usize>)| -> Vec<(u32, String)> {
        let named =
            |(file, &size): (usize, &usize)| vec![(class as u32, format!("c{class}/{file}.wav")); size];
        sizes.iter().enumerate().flat_map(named).collect()
    };
    classes.iter().enumerate().flat_map(of_class).collect()
}

/// The parts of files: which each is in, as a sorted list.
fn parts_of_files(rows: &[(u32, String)], val: f64, test: f64) -> Vec<(String, Part)> {
    let classes = rows.iter().map(|row| row.0 as usize + 1).max().expect("rows");
    let rows: Vec<Row<'_>> = rows.iter().map(|(label, file)| (*label, file.as_str(), None, None)).collect();
    let data = collect(&rows, &["a", "b", "c", "d"][..classes]);
    let partition = groups(&data, val, test, true).unwrap();
    let mut found: Vec<(String, Part)> = Vec::new();
    for part in Part::ALL {
        found.extend(partition.part(part).iter().map(|&sample| (rows[sample].1.to_owned(), part)));
    }
    found.sort();
    found.dedup();
    found
}

proptest! {
    #[test]
    fn recordings_of_one_class_are_balanced_whatever_their_order(
        classes in prop::collection::vec(prop::collection::vec(1usize..6, 4..40), 4),
        val in 0.1f64..0.3,
        test in 0.1f64..0.3,
        turn in any::<prop::sample::Index>(),
    ) {
        let mut rows = recordings(&classes);
        let parts = parts_of_files(&rows, val, test);
        let files: usize = classes.iter().map(Vec::len).sum();
        prop_assert_eq!(parts.len(), files, "each file is in one part");
        for (class, sizes) in classes.iter().enumerate() {
            let total: usize = sizes.iter().sum();
            for (part, share) in [(Part::Val, val), (Part::Test, test)] {
                let size = |file: &str| -> usize { sizes[file[3..].trim_end_matches(".wav").parse::<usize>().unwrap()] };
                let of_class = parts.iter().filter(|(file, of)| *of == part && file.starts_with(&format!("c{class}/")));
                let count: usize = of_class.map(|(file, _)| size(file)).sum();
                let wanted = share * total as f64;
                prop_assert!(count > 0);
                let bound = (0.75 * wanted).max(6.0);
                prop_assert!((count as f64 - wanted).abs() <= bound, "{count} for {wanted}");
            }
            let trained = parts.iter().any(|(file, of)| *of == Part::Train && file.starts_with(&format!("c{class}/")));
            prop_assert!(trained);
        }
        let middle = turn.index(rows.len());
        rows.rotate_left(middle);
        prop_assert_eq!(&parts_of_files(&rows, val, test), &parts);
        rows.reverse();
        prop_assert_eq!(&parts_of_files(&rows, val, test), &parts);
    }

    #[test]
    fn classes_of_two_groups_are_trained(
        rare in prop::collection::vec(1usize..30, 2..4),
        others in prop::collection::vec(1usize..9, 8..20),
        val in 0.1f64..0.4,
        test in 0.1f64..0.4,
    ) {
        let rows = recordings(&[rare, others.clone(), others]);
        let parts = parts_of_files(&rows[..], val, test);
        for class in ["c0", "c1", "c2"] {
            prop_assert!(parts.iter().any(|(file, part)| *part == Part::Train && file.starts_with(class)));
        }
    }

    #[test]
    fn speakers_of_many_classes_stay_whole(
        speakers in prop::collection::vec(prop::collection::vec(0usize..6, 3), 6..30),
        val in 0.1f64..0.3,
        test in 0.1f64..0.3,
    ) {
        let names: Vec<String> = (0..speakers.len()).map(|i| format!("s{i}")).collect();
        let mut rows: Vec<Row<'_>> = Vec::new();
        for (name, counts) in names.iter().zip(&speakers) {
            for (class, &count) in counts.iter().enumerate() {
                rows.extend(vec![(class as u32, "f", Some(name.as_str()), None); count]);
            }
        }
        let used = (0..3u32).filter(|class| rows.iter().any(|row| row.0 == *class)).count();
        prop_assume!(used == 3);
        let data = collect(&rows, &["a", "b", "c"]);
        let holders = |class: usize| speakers.iter().filter(|counts| counts[class] > 0).count();
        prop_assume!((0..3).all(|class| holders(class) >= 3));
        let partition = groups(&data, val, test, false).unwrap();
        let part_of = |name: &str| -> Vec<Part> {
            let has = |part: &Part| partition.part(*part).iter().any(|&sample| rows[sample].2 == Some(name));
            Part::ALL.into_iter().filter(has).collect()
        };
        prop_assert!(names.iter().all(|name| part_of(name).len() <= 1));
        for class in 0..3u32 {
            prop_assert!(partition.train.iter().any(|&sample| rows[sample].0 == class));
        }
    }
}

#[test]
fn fifty_two_recordings_are_parted_by_class() {
    let rows = recordings(&[vec![4; 26], vec![4; 26]]);
    for (val, test) in [(0.15, 0.15), (0.2, 0.2), (0.1, 0.3)] {
        let parts = parts_of_files(&rows, val, test);
        let of = |class: &str| {
            parts.iter().filter(|(file, part)| *part == Part::Val && file.starts_with(class)).count()
        };
        let wanted = val * 26.0;
        let is_near = |class: &str| (of(class) as f64 - wanted).abs() <= wanted / 2.0;
        assert!(is_near("c0") && is_near("c1"), "{parts:?}");
    }
}

#[test]
fn the_seed_moves_the_cut_and_every_change_moves_the_hash() {
    let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let (one, hash) = cut(&labels, 0.25, 1).unwrap();
    assert_eq!(one.val, vec![2, 8, 9, 17, 19, 20, 26, 27, 30, 33], "a cut never changes between releases");
    assert_ne!(one.val, cut(&labels, 0.25, 2).unwrap().0.val);
    let data = labelled(&labels);
    let mut hashes = vec![hash, cut(&labels, 0.25, 2).unwrap().1];
    let mut change = |change: &dyn Fn(&mut Collection, &mut Partition)| {
        let (mut data, mut partition) = (data.clone(), one.clone());
        change(&mut data, &mut partition);
        hashes.push(super::hash(&data, &partition));
    };
    change(&|data, _| data.labels[0] = 1);
    change(&|data, _| data.classes[0] = "c".into());
    change(&|data, _| data.digests[0] ^= 1);
    change(&|data, _| data.rate = Some(8000));
    change(&|_, partition| std::mem::swap(&mut partition.train, &mut partition.val));
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 7);
    assert!(hashes.iter().all(|hash| hash.len() == 64));
}

#[test]
fn cuts_that_leave_a_side_empty_are_errors() {
    for (labels, share, part) in [
        (vec![0, 0, 1, 1], 0.0, "0 %"),
        (vec![0, 0, 1, 1], 1.0, "100 %"),
        (vec![0, 0, 1, 1], f64::NAN, "NaN"),
        (vec![0, 0, 0], 0.5, "`b` has no training samples"),
        (vec![0, 0, 1], 0.5, "`b` leaves none for training"),
        (vec![0, 0, 0, 0, 0, 0, 1, 1], 0.2, "`b` leaves none for validation"),
    ] {
        let diagnostic = cut(&labels, share, 0).unwrap_err();
        assert_eq!(diagnostic.code, Code::DATA_SPLIT);
        assert!(diagnostic.message.contains(part), "{}", diagnostic.message);
    }
}

#[test]
fn a_test_part_of_the_source_stays_and_does_not_depend_on_the_seed() {
    let mut rows: Vec<Row<'_>> = Vec::new();
    let names: Vec<String> = (0..30).map(|i| format!("g{}", i / 3)).collect();
    rows.extend(names.iter().zip(0..).map(|(name, i)| (i % 2, "f", Some(name.as_str()), Some(Part::Train))));
    rows.extend([(0, "t", None, Some(Part::Test)), (1, "t", None, Some(Part::Test))]);
    let data = collect(&rows, &["a", "b"]);
    let partition = groups(&data, 0.1, 0.1, false).unwrap();
    assert_eq!(partition.test, vec![30, 31]);
    assert_eq!(partition.val.len(), 3, "a tenth of 90 % of 30, in groups of 3");
    let none = labelled(&[0, 0, 0, 1, 1, 1]);
    assert!(matches!(groups(&none, 0.1, 1.5, false), Err(error) if error.code == Code::DATA_SPLIT));
}

#[test]
fn lists_name_what_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("val.txt", "yes/2.wav\n# a remark\n\n./no/2.wav\n");
    write("test.csv", "path,label,speaker\nyes/3.wav,yes,x\nno/3.wav,no,y\n");
    write("twice.txt", "yes/2.wav\n");
    write("gone.txt", "yes/9.wav\n");
    let rows: Vec<Row<'_>> = vec![
        (0, "yes/1.wav", None, None),
        (0, "yes/2.wav", None, None),
        (0, "yes/3.wav", None, None),
        (1, "no/1.wav", None, None),
        (1, "no/2.wav", None, None),
        (1, "no/3.wav", None, None),
    ];
    let data = collect(&rows, &["yes", "no"]);
    let parts = |train: Option<&str>, val: &str, test: &str| {
        let split = Split::Lists { train: train.map(String::from), val: val.into(), test: test.into() };
        super::split::partition(&data, &Cut { split, seed: 1 }, folder.path())
    };
    let partition = parts(None, "val.txt", "test.csv").unwrap();
    assert_eq!((partition.train, partition.val, partition.test), (vec![0, 3], vec![1, 4], vec![2, 5]));
    let twice = parts(Some("twice.txt"), "val.txt", "test.csv").unwrap_err();
    assert!(
        twice.message.contains("`val.txt`, line 1") && twice.message.contains("train"),
        "{}",
        twice.message
    );
    let nested: Vec<String> = data.files.iter().map(|file| format!("set/v1/{file}")).collect();
    let moved = Collection { files: nested, ..data.clone() };
    let split = Split::Lists { train: None, val: "val.txt".into(), test: "test.csv".into() };
    let found = super::split::partition(&moved, &Cut { split, seed: 1 }, folder.path()).unwrap();
    assert_eq!((found.val, found.test), (vec![1, 4], vec![2, 5]), "names below the folder of the set");
    let gone = parts(None, "gone.txt", "test.csv").unwrap_err();
    assert!(gone.message.contains("`yes/9.wav`"), "{}", gone.message);
    assert_eq!(parts(None, "../val.txt", "test.csv").unwrap_err().code, Code::DATA_MISSING);
}

#[test]
fn duplicates_and_leaks_are_told() {
    let rows: Vec<Row<'_>> = vec![
        (0, "a", Some("anna"), Some(Part::Train)),
        (1, "b", Some("ben"), Some(Part::Train)),
        (0, "c", Some("anna"), Some(Part::Test)),
        (1, "d", None, Some(Part::Val)),
        (0, "e", None, Some(Part::Val)),
        (1, "f", None, Some(Part::Train)),
    ];
    let mut data = collect(&rows, &["a", "b"]);
    data.digests = vec![1, 2, 3, 2, 4, 5];
    let cut = Cut { split: Split::Holdout(0.5), seed: 1 };
    let partition = super::split::partition(&data, &cut, Path::new("")).unwrap();
    let warnings = super::audit::warnings(&data, &partition);
    let text: Vec<String> = warnings.iter().map(|w| format!("{} {}", w.code, w.message)).collect();
    let text = text.join("\n");
    assert!(text.contains("1 samples are in two parts: `b` and `d`"), "{text}");
    assert!(text.contains("1 groups are in two parts: `anna`"), "{text}");
    assert!(text.contains("`test` has no samples of `b`"), "{text}");
    data.groups[0] = "\u{1b}[31manna".to_owned();
    let warnings = super::audit::warnings(&data, &partition);
    assert!(warnings.iter().all(|warning| !warning.message.contains('\u{1b}')), "{warnings:?}");
    data.digests = vec![1, 2, 3, 4, 5, 2];
    data.labels[5] = 0;
    let warnings = super::audit::warnings(&data, &partition);
    assert!(warnings.iter().any(|w| w.message.contains("with two labels: `b` and `f`")), "{warnings:?}");
}

#[test]
fn windows_of_one_recording_in_two_parts_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..40).map(|row| format!("{row}.5,{}\n", ["a", "b"][row / 4 % 2])).collect();
    std::fs::write(folder.path().join("train.csv"), format!("x,y\n{rows}")).unwrap();
    std::fs::write(folder.path().join("test.csv"), format!("x,y\n{}", rows.replace(".5", ".25"))).unwrap();
    let told = |window: Option<usize>| {
        let (train, test, label) = ("train.csv".into(), Some("test.csv".into()), Some("y".into()));
        let source =
            Source::Csv(Csv { train, test, label, window, hop: window.map(|_| 2), ..Csv::default() });
        let cut = Cut { split: Split::Holdout(0.3), seed: 1 };
        let loaded = super::load(&source, &cut, folder.path(), None).unwrap();
        let leaks = loaded.warnings.iter().filter(|warning| warning.code == Code::DATA_LEAK);
        leaks.map(|warning| warning.message.clone()).collect::<Vec<_>>()
    };
    assert!(
        told(Some(4)).concat().contains("in two parts") && told(Some(4)).concat().contains("`train.csv`")
    );
    assert!(told(None).is_empty(), "rows on their own are no windows");
}

#[test]
fn loading_matches_classes_and_confines_paths() {
    let with_rows = |rows: &str| format!("@univariate false\n@classLabel true yes no\n@data\n{rows}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let train = with_rows("1:yes\n2:yes\n3:no\n4:no\n");
    std::fs::write(folder.path().join("in/train.ts"), train).unwrap();
    std::fs::write(folder.path().join("test.ts"), "@classLabel true no yes\n@data\n9:yes\n8:no\n").unwrap();
    std::fs::write(folder.path().join("wide.ts"), "@classLabel true no yes\n@data\n9:1:yes\n").unwrap();
    std::fs::write(folder.path().join("other.ts"), "@classLabel true no yes or\n@data\n9:yes\n").unwrap();
    let load = |train: &str, test: &str| {
        let source = Source::Ts(Ts { train: train.into(), test: test.into() });
        let cut = Cut { split: Split::Holdout(0.5), seed: 1 };
        super::load(&source, &cut, folder.path(), None).map(|loaded| loaded.raw())
    };
    let splits = load("in/train.ts", "./test.ts").unwrap();
    assert_eq!(splits.test.labels, vec![0, 1]);
    assert_eq!((splits.train.len(), splits.val.len()), (2, 2));
    assert_eq!(load("in/train.ts", "wide.ts").unwrap_err().code, Code::DATA_SHAPE);
    assert_eq!(load("in/train.ts", "other.ts").unwrap_err().code, Code::DATA_LABEL);
    let absolute = folder.path().join("test.ts").display().to_string();
    for path in ["../train.ts", "in/../../x.ts", absolute.as_str(), "", "in", "missing.ts", "a\0b"] {
        let diagnostic = load(path, "test.ts").unwrap_err();
        assert_eq!(diagnostic.code, Code::DATA_MISSING, "{path}");
        assert!(diagnostic.help.iter().any(|help| help.contains("--data DIR") && help.contains("relative")));
    }
    assert!(load("missing.ts", "test.ts").unwrap_err().message.contains("missing.ts"));
}
