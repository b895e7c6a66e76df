use proptest::prelude::*;

use super::*;
use crate::data::testing::{classes, count as count_of, gz, mutated, read, read_as, refused, rows, shared};

fn idx(rank: u8, extents: &[u32], bytes: &[u8]) -> Vec<u8> {
    let mut file = vec![0, 0, 8, rank];
    file.extend(extents.iter().flat_map(|extent| extent.to_be_bytes()));
    file.extend(bytes);
    file
}

fn spec() -> Idx {
    Idx {
        train: "x".to_owned(),
        train_labels: Some("y".to_owned()),
        test: None,
        test_labels: None,
        classes: None,
    }
}

fn labels(n: u32) -> Vec<u8> {
    idx(1, &[n], &vec![7; n as usize])
}

#[test]
fn pictures_and_labels_are_read_plain_or_packed() {
    let pictures = idx(3, &[2, 1, 3], &[1, 2, 3, 4, 5, 255]);
    let found = read(&spec(), &[("x", &pictures), ("y", &idx(1, &[2], &[10, 9]))]).unwrap();
    assert_eq!(found.extents, [1, 3, 1]);
    assert_eq!(rows(&found), [[1., 2., 3.], [4., 5., 255.]]);
    assert_eq!(found.classes, ["9", "10"]);
    assert_eq!(classes(&found), ["10", "9"]);
    assert_eq!((found.origins[1].position, found.origins[1].part), (2, None));

    let both = Idx {
        train: "x.gz".to_owned(),
        test: Some("t".to_owned()),
        test_labels: Some("y".to_owned()),
        classes: Some(vec!["shirt".to_owned(), "boot".to_owned()]),
        ..spec()
    };
    let colour = idx(4, &[2, 1, 1, 3], &[1, 2, 3, 4, 5, 6]);
    let files: &[(&str, &[u8])] = &[("x.gz", &gz(&colour)), ("t", &colour), ("y", &idx(1, &[2], &[1, 0]))];
    let found = read(&both, files).unwrap();
    assert_eq!((found.len(), found.extents), (4, [1, 1, 3]));
    assert_eq!(found.classes, ["shirt", "boot"]);
    assert_eq!(classes(&found), ["boot", "shirt", "boot", "shirt"]);
    assert_eq!(count_of(&found, Some(Part::Test)), 2);
    assert_eq!(both.inputs(crate::data::testing::folder(files).path()).unwrap(), ["x.gz", "y", "t", "y"]);
}

#[test]
fn bad_files_are_named() {
    let good = idx(3, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    let bad = |x: &[u8], y: &[u8], code, parts: &[&str]| {
        refused(&spec(), &[("x", x), ("y", y)], code, parts);
    };
    bad(&good, &labels(1), Code::DATA_LABEL, &["sample without label", "sample 2", "2 samples and 1 labels"]);
    bad(&good, &labels(3), Code::DATA_LABEL, &["label without sample", "label 3"]);
    bad(
        &good[..21],
        &labels(2),
        Code::DATA_FORMAT,
        &["`x`", "truncated", "picture 2 of 2 at byte 19", "2 are left"],
    );
    bad(&good[..9], &labels(2), Code::DATA_FORMAT, &["`x`", "truncated", "header"]);
    bad(&good, &labels(2)[..9], Code::DATA_FORMAT, &["`y`", "truncated"]);
    bad(&[&good[..], &[0]].concat(), &labels(2), Code::DATA_FORMAT, &["`x`", "after", "byte 22"]);
    bad(&good, &[&labels(2)[..], &[0]].concat(), Code::DATA_FORMAT, &["`y`", "after"]);
    bad(b"PK\x03\x04", &labels(2), Code::DATA_FORMAT, &["`x`", "no IDX"]);
    bad(&[0, 0, 0x0d, 3], &labels(2), Code::DATA_FORMAT, &["0x0d", "0x08"]);
    bad(&labels(2), &good, Code::DATA_SHAPE, &["`x`", "rank 1", "changed places"]);
    bad(b"", &labels(2), Code::DATA_FORMAT, &["truncated"]);
    let named = Idx { classes: Some(vec!["a".to_owned()]), ..spec() };
    refused(&named, &[("x", &good), ("y", &labels(2))], Code::DATA_LABEL, &["`x`, sample 1", "label 7"]);
    refused(&spec(), &[("x", &good)], Code::DATA_MISSING, &["`y`"]);
    let packed = Idx { train: "x.gz".to_owned(), ..spec() };
    let half = gz(&good);
    let half = &half[..half.len() - 9];
    refused(&packed, &[("x.gz", half), ("y", &labels(2))], Code::DATA_FORMAT, &["`x.gz`"]);
    refused(&packed, &[("x.gz", &good), ("y", &labels(2))], Code::DATA_FORMAT, &["`x.gz`"]);
}

#[test]
fn absurd_sizes_cost_nothing() {
    let bad = |extents: &[u32], code| {
        refused(
            &spec(),
            &[("x", &idx(extents.len() as u8, extents, &[])), ("y", &labels(1))],
            code,
            &["`x`"],
        );
    };
    bad(&[u32::MAX; 3], Code::DATA_LIMIT);
    bad(&[u32::MAX; 4], Code::DATA_LIMIT);
    bad(&[1, 1 << 16, 1 << 16], Code::DATA_LIMIT);
    bad(&[1, 0, 5], Code::DATA_LIMIT);
    bad(&[0, 28, 28], Code::DATA_LIMIT);
    bad(&[1, 1 << 14, 1 << 14], Code::DATA_FORMAT);
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(
        changes in prop::collection::vec((0usize..40, any::<u8>()), 0..6),
        cut in 0usize..30,
    ) {
        let pictures = mutated(idx(3, &[2, 2, 2], &[5; 8]), &changes, cut);
        let _ = read(&spec(), &[("x", &pictures), ("y", &labels(2))]);
        let _ = read(&spec(), &[("x", &idx(3, &[2, 2, 2], &[5; 8])), ("y", &mutated(labels(2), &changes, cut))]);
    }
}

#[test]
fn fashion_mnist_has_its_counts() {
    let root = Path::new("/usr/share/datasets/fashion-mnist");
    if shared().is_none() || !root.is_dir() {
        return;
    }
    let spec = Idx {
        train: "train-images-idx3-ubyte.gz".to_owned(),
        train_labels: Some("train-labels-idx1-ubyte.gz".to_owned()),
        test: Some("t10k-images-idx3-ubyte.gz".to_owned()),
        test_labels: Some("t10k-labels-idx1-ubyte.gz".to_owned()),
        classes: None,
    };
    let found = read_as(&spec, Element::U8, root).unwrap();
    assert_eq!((count_of(&found, Some(Part::Train)), count_of(&found, Some(Part::Test))), (60_000, 10_000));
    assert_eq!((found.extents, found.classes.len()), ([28, 28, 1], 10));
    for class in 0..10 {
        assert_eq!(found.labels.iter().filter(|&&label| label == class).count(), 7_000);
    }
}
