use proptest::prelude::*;

use super::*;
use crate::data::testing::{classes, gz, mutated, read, refused, rows};

fn spec(element: RawElement, shape: &[usize]) -> RawFile {
    RawFile {
        train: "x".to_owned(),
        test: None,
        train_labels: None,
        test_labels: None,
        element,
        shape: shape.to_vec(),
        classes: None,
    }
}

fn labelled(file: &str) -> RawFile {
    RawFile { train_labels: Some(file.to_owned()), ..spec(RawElement::I8, &[2]) }
}

#[test]
fn every_element_is_read() {
    let found = read(&spec(RawElement::I8, &[2, 1]), &[("x", &[7, 0x80, 0x7f, 3, 1, 0xff])]).unwrap();
    assert_eq!((rows(&found), found.extents), (vec![vec![-128., 127.], vec![1., -1.]], [2, 1, 1]));
    assert_eq!((classes(&found), found.table.element()), (vec!["7", "3"], Element::I16));
    let found = read(&spec(RawElement::U8, &[1, 2, 1]), &[("x", &[0, 0x80, 0xff])]).unwrap();
    assert_eq!((rows(&found), found.extents), (vec![vec![128., 255.]], [1, 2, 1]));
    let found = read(&spec(RawElement::I16, &[2]), &[("x", &[0, 0x00, 0x80, 0xff, 0x7f])]).unwrap();
    assert_eq!(rows(&found), [[-32768., 32767.]]);
    let floats = [&[9][..], &1.5f32.to_le_bytes(), &(-1e9f32).to_le_bytes()].concat();
    let packed = RawFile { train: "x.gz".to_owned(), ..spec(RawElement::F32, &[1, 2]) };
    let found = read(&packed, &[("x.gz", &gz(&floats))]).unwrap();
    assert_eq!((rows(&found), found.extents), (vec![vec![1.5, -1e9]], [1, 1, 2]));
}

#[test]
fn labels_may_be_in_a_file_of_their_own() {
    let bytes = [1, 2, 3, 4];
    let found = read(&labelled("y.txt"), &[("x", &bytes), ("y.txt", b"walk\nrun\n\n")]).unwrap();
    assert_eq!(
        (classes(&found), found.classes.clone()),
        (vec!["walk", "run"], vec!["run".into(), "walk".into()])
    );
    let found = read(&labelled("y.bin"), &[("x", &bytes), ("y.bin", &[12, 3])]).unwrap();
    assert_eq!(classes(&found), ["12", "3"]);
    let named = RawFile { classes: Some(vec!["a".to_owned(), "b".to_owned()]), ..labelled("y.bin") };
    let found = read(&named, &[("x", &bytes), ("y.bin", &[1, 0])]).unwrap();
    assert_eq!(classes(&found), ["b", "a"]);
}

#[test]
fn bad_files_are_named() {
    let short = spec(RawElement::I16, &[3]);
    refused(
        &short,
        &[("x", &[0; 10])],
        Code::DATA_FORMAT,
        &["`x`", "truncated", "record 2 at byte 7", "3 are left"],
    );
    refused(&short, &[("x", &[])], Code::DATA_FORMAT, &["no samples"]);
    let nan = [&[0][..], &f32::NAN.to_le_bytes()].concat();
    refused(&spec(RawElement::F32, &[1]), &[("x", &nan)], Code::DATA_FORMAT, &["`x`, sample 1"]);
    let bytes = [1, 2, 3, 4];
    let bad = |file: &str, labels: &[u8], code, parts: &[&str]| {
        refused(&labelled(file), &[("x", &bytes), (file, labels)], code, parts);
    };
    bad("y", b"a\n", Code::DATA_LABEL, &["sample without label", "2 samples and 1 labels"]);
    bad("y", b"a\nb\nc\nd\n", Code::DATA_LABEL, &["label without sample", "2 samples and 4 labels"]);
    bad("y", b"a\n\nb\n", Code::DATA_LABEL, &["`y`, line 2", "empty"]);
    bad("y", b"a\n\xff\n", Code::DATA_FORMAT, &["`y`, line 2"]);
    bad("y.bin", &[0], Code::DATA_LABEL, &["sample without label"]);
    bad("y.bin", &[0, 1, 2], Code::DATA_LABEL, &["label without sample"]);
    let lonely = RawFile { test: Some("x".to_owned()), ..labelled("y") };
    refused(&lonely, &[("x", &bytes), ("y", b"a\nb\n")], Code::DATA_LABEL, &["test_labels"]);
}

#[test]
fn absurd_shapes_cost_nothing() {
    for shape in [&[usize::MAX, 2][..], &[1 << 40], &[0], &[1 << 20, 1 << 20, 1 << 20]] {
        refused(&spec(RawElement::F32, shape), &[("x", &[0; 9])], Code::DATA_LIMIT, &["`x`"]);
    }
    refused(&spec(RawElement::F32, &[]), &[("x", &[0; 9])], Code::DATA_SHAPE, &["`x`"]);
    refused(&spec(RawElement::F32, &[1, 1, 1, 1]), &[("x", &[0; 9])], Code::DATA_SHAPE, &["`x`"]);
    refused(&spec(RawElement::F32, &[1 << 28]), &[("x", &[0; 9])], Code::DATA_FORMAT, &["truncated"]);
}

proptest! {
    #[test]
    fn no_file_makes_the_reader_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        labels in prop::collection::vec(any::<u8>(), 0..20),
        extent in 0usize..5,
    ) {
        for element in [RawElement::U8, RawElement::I8, RawElement::I16, RawElement::F32] {
            let _ = read(&spec(element, &[extent]), &[("x", &bytes)]);
            let text = RawFile { element, ..labelled("y") };
            let _ = read(&text, &[("x", &bytes), ("y", &labels)]);
        }
    }

    #[test]
    fn what_is_cut_off_is_missed(cut in 1usize..9) {
        let whole = [0, 1, 2, 3, 4, 5, 6, 7, 8];
        let error = read(&spec(RawElement::I8, &[8]), &[("x", &mutated(whole.to_vec(), &[], cut))]);
        prop_assert_eq!(error.unwrap_err().code, Code::DATA_FORMAT);
    }
}
