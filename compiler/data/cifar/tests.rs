use proptest::prelude::*;

use super::*;
use crate::data::testing::{classes, count, gz, mutated, read, read_as, refused, rows, shared};

fn spec() -> Cifar {
    Cifar { path: "set".to_owned(), train: None, test: None, label: CifarLabel::Only }
}

/// A record whose red, green and blue at `at` are `at % 251`, 1 and 2.
fn record(labels: &[u8]) -> Vec<u8> {
    let mut record = labels.to_vec();
    record.extend((0..PLANE).map(|at| (at % 251) as u8));
    record.extend(std::iter::repeat_n(1, PLANE));
    record.extend(std::iter::repeat_n(2, PLANE));
    record
}

#[test]
fn planes_become_pixels() {
    let train = [record(&[1]), record(&[0])].concat();
    let files: &[(&str, &[u8])] = &[
        ("set/train.bin.gz", &gz(&train)),
        ("set/val.bin", &record(&[1])),
        ("set/classes.txt", b"cat\ndog\n\n"),
    ];
    let found = read(&spec(), files).unwrap();
    assert_eq!((found.extents, found.len()), ([32, 32, 3], 3));
    assert_eq!(found.classes, ["cat", "dog"]);
    assert_eq!(classes(&found), ["dog", "cat", "dog"]);
    assert_eq!(count(&found, Some(Part::Test)), 1);
    let pixels = &rows(&found)[1];
    for (at, pixel) in pixels.chunks_exact(3).enumerate() {
        assert_eq!(pixel, [(at % 251) as f32, 1.0, 2.0]);
    }
    let inputs = spec().inputs(crate::data::testing::folder(files).path()).unwrap();
    assert_eq!(inputs, ["set/train.bin.gz", "set/val.bin", "set/classes.txt"]);
}

#[test]
fn files_are_found_by_the_names_of_the_publisher() {
    let bytes = record(&[3]);
    let names = |files: &[&str]| {
        let files: Vec<(&str, &[u8])> = files.iter().map(|file| (*file, &bytes[..])).collect();
        let folder = crate::data::testing::folder(&files);
        Cifar { path: ".".to_owned(), ..spec() }.inputs(folder.path())
    };
    let batches =
        names(&["data_batch_2.bin", "data_batch_1.bin.gz", "train.bin", "test_batch.bin", "val.bin"]);
    assert_eq!(batches.unwrap(), ["data_batch_1.bin.gz", "data_batch_2.bin", "test_batch.bin"]);
    assert_eq!(names(&["train.bin", "val.bin", "test.bin.gz"]).unwrap(), ["train.bin", "test.bin.gz"]);
    assert_eq!(names(&["train.bin"]).unwrap(), ["train.bin"]);
    assert_eq!(names(&["other"]).unwrap_err().code, Code::DATA_MISSING);
    let found = read(&spec(), &[("set/train.bin", &bytes)]).unwrap();
    assert_eq!((found.origins[0].part, found.classes), (None, vec!["3".to_owned()]));
}

#[test]
fn records_of_a_hundred_classes_have_two_labels() {
    let named = Cifar { train: Some(vec!["a".to_owned()]), ..spec() };
    let of =
        |label| read(&Cifar { label, ..named.clone() }, &[("set/a", &record(&[4, 77]))]).unwrap().classes;
    assert_eq!(of(CifarLabel::Coarse), ["4"]);
    assert_eq!(of(CifarLabel::Fine), ["77"]);
}

#[test]
fn bad_files_are_named() {
    let good = record(&[1]);
    let bad = |bytes: &[u8], code, parts: &[&str]| refused(&spec(), &[("set/train.bin", bytes)], code, parts);
    bad(&good[..100], Code::DATA_FORMAT, &["`set/train.bin`", "truncated", "byte 0", "100 are left"]);
    bad(&[&good[..], &[1]].concat(), Code::DATA_FORMAT, &["truncated", "byte 3073", "1 are left"]);
    bad(b"", Code::DATA_FORMAT, &["`set/train.bin`", "empty"]);
    let files: &[(&str, &[u8])] = &[("set/train.bin", &good), ("set/classes.txt", b"cat\n")];
    refused(&spec(), files, Code::DATA_LABEL, &["`set/train.bin`, sample 1", "label 1"]);
    let files: &[(&str, &[u8])] = &[("set/train.bin", &good), ("set/classes.txt", b"cat\ncat\n")];
    refused(&spec(), files, Code::DATA_LABEL, &["twice"]);
    let named = Cifar { train: Some(vec!["../a".to_owned()]), ..spec() };
    refused(&named, &[("a", &good)], Code::DATA_MISSING, &[]);
    let packed = gz(&good);
    let files: &[(&str, &[u8])] = &[("set/train.bin.gz", &packed[..packed.len() / 2])];
    refused(&spec(), files, Code::DATA_FORMAT, &["`set/train.bin.gz`"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_file_makes_the_reader_panic(
        changes in prop::collection::vec((0usize..4000, any::<u8>()), 0..6),
        cut in 0usize..4000,
    ) {
        let _ = read(&spec(), &[("set/train.bin", &mutated(record(&[1]), &changes, cut))]);
        let _ = read(&spec(), &[("set/train.bin.gz", &mutated(gz(&record(&[1])), &changes, cut))]);
    }
}

#[test]
fn the_shared_subset_has_its_counts() {
    let Some(root) = shared() else { return };
    let found = read_as(&Cifar { path: "cifar10_jpeg".to_owned(), ..spec() }, Element::U8, &root).unwrap();
    assert_eq!((count(&found, Some(Part::Train)), count(&found, Some(Part::Test))), (3_500, 800));
    assert_eq!((found.classes.len(), found.classes[0].as_str()), (10, "airplane"));
    assert_eq!(classes(&found)[0], "horse");
    for class in 0..10 {
        assert_eq!(found.labels.iter().filter(|&&label| label == class).count(), 430);
    }
}
