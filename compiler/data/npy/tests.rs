use proptest::prelude::*;

use super::*;
use crate::data::Values;
use crate::data::testing::{
    classes, count as count_of, folder, gz, mutated, npy, npy_of, read, read_as, refused, rows, shared,
};

fn spec() -> Npy {
    Npy { train: "x.npy".to_owned(), ..Npy::default() }
}

fn labelled() -> Npy {
    Npy { train_labels: Some("y.npy".to_owned()), ..spec() }
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn every_type_is_read_in_both_orders_of_bytes() {
    let one = |descr: &str, bytes: &[u8]| {
        rows(&read(&spec(), &[("x.npy", &npy(descr, "(1, 2)", bytes))]).unwrap())[0].clone()
    };
    let two = |low: &[u8], high: &[u8]| [low, high].concat();
    assert_eq!(one("|b1", &[0, 1]), [0., 1.]);
    assert_eq!(one("|i1", &[0x80, 1]), [-128., 1.]);
    assert_eq!(one("|u1", &[0x80, 1]), [128., 1.]);
    assert_eq!(one("<i2", &two(&(-2i16).to_le_bytes(), &300i16.to_le_bytes())), [-2., 300.]);
    assert_eq!(one(">u2", &two(&65535u16.to_be_bytes(), &1u16.to_be_bytes())), [65535., 1.]);
    assert_eq!(one("<i4", &two(&(-70000i32).to_le_bytes(), &1i32.to_le_bytes())), [-70000., 1.]);
    assert_eq!(
        one("<u4", &two(&4e9f32.to_bits().to_le_bytes(), &1u32.to_le_bytes())),
        [4e9f32.to_bits() as f32, 1.]
    );
    assert_eq!(one(">i8", &two(&(-5i64).to_be_bytes(), &(1i64 << 40).to_be_bytes())), [-5., 1.0995116e12]);
    assert_eq!(one("<u8", &two(&(1u64 << 59).to_le_bytes(), &7u64.to_le_bytes())), [5.764_607_5e17, 7.]);
    assert_eq!(one("<f4", &floats(&[1.5, -2.0])), [1.5, -2.0]);
    assert_eq!(one(">f8", &two(&1.25f64.to_be_bytes(), &(-3.0f64).to_be_bytes())), [1.25, -3.0]);
}

#[test]
fn shapes_become_extents() {
    let of = |shape: &str| read(&spec(), &[("x.npy", &npy("|u1", shape, &[1; 12]))]).unwrap();
    assert_eq!((of("(2, 6)").extents, of("(2,6)").len()), ([6, 1, 1], 2));
    assert_eq!(of("(2, 3, 2)").extents, [3, 1, 2]);
    assert_eq!(of("(1, 2, 2, 3)").extents, [2, 2, 3]);
}

#[test]
fn bytes_and_shorts_stay_integers_where_the_collector_takes_them() {
    let folder = folder(&[
        ("x.npy", &npy("|u1", "(1, 2)", &[1, 255])),
        ("s.npy", &npy(">i2", "(1, 2)", &[1, 0, 255, 254])),
    ]);
    let shorts = Npy { train: "s.npy".to_owned(), ..Npy::default() };
    assert_eq!(spec().element_in(folder.path()).unwrap(), Element::U8);
    assert_eq!(shorts.element_in(folder.path()).unwrap(), Element::I16);
    let found = read_as(&spec(), Element::U8, folder.path()).unwrap();
    assert_eq!((rows(&found), found.table.element()), (vec![vec![1., 255.]], Element::U8));
    let found = read_as(&shorts, Element::I16, folder.path()).unwrap();
    assert_eq!(rows(&found), [[256., -2.]]);
    let mixed = Npy { test: Some("s.npy".to_owned()), ..spec() };
    let error = read_as(&mixed, Element::U8, folder.path()).unwrap_err();
    assert_eq!((error.code, error.message.contains("`s.npy`")), (Code::DATA_FORMAT, true));
    let mut collector = Collector::new(Element::I16, None);
    assert!(
        collector
            .push(Sample {
                values: Values::I16(&[1, 2]),
                extents: [2, 1, 1],
                wanted: Wanted::Nothing,
                file: "a",
                position: 1,
                group: None,
                part: None
            })
            .is_ok()
    );
}

#[test]
fn labels_come_from_arrays_classes_and_tables() {
    let x = npy("<f4", "(3, 1)", &floats(&[1., 2., 3.]));
    let y = npy("|u1", "(3,)", &[10, 2, 10]);
    let found = read(&labelled(), &[("x.npy", &x), ("y.npy", &y)]).unwrap();
    assert_eq!(
        (classes(&found), found.classes.clone()),
        (vec!["10", "2", "10"], vec!["2".into(), "10".into()])
    );

    let named = Npy { classes: Some(vec!["a".into(), "b".into()]), ..labelled() };
    let column = npy("<i8", "(3, 1)", &[1i64, 0, 1].map(i64::to_le_bytes).concat());
    let found = read(&named, &[("x.npy", &x), ("y.npy", &column)]).unwrap();
    assert_eq!(classes(&found), ["b", "a", "b"]);
    refused(&named, &[("x.npy", &x), ("y.npy", &y)], Code::DATA_LABEL, &["sample 1", "label 10"]);

    let table = "index,label,name,subject\n0,10,walk,s1\n1,2,sit,s2\n2,10,walk,s1\n";
    let tabled = Npy { train_table: Some("t.csv".into()), group: Some("subject".into()), ..labelled() };
    let files: &[(&str, &[u8])] = &[("x.npy", &x), ("y.npy", &y), ("t.csv", table.as_bytes())];
    let found = read(&tabled, files).unwrap();
    assert_eq!(
        (classes(&found), found.classes.clone()),
        (vec!["walk", "sit", "walk"], vec!["sit".into(), "walk".into()])
    );
    let groups: Vec<_> = found.origins.iter().map(|origin| origin.group).collect();
    assert_eq!(
        (found.groups.clone(), groups),
        (vec!["s1".into(), "s2".into()], vec![Some(0), Some(1), Some(0)])
    );
    let alone = Npy { train_labels: None, ..tabled.clone() };
    assert_eq!(classes(&read(&alone, files).unwrap()), ["walk", "sit", "walk"]);
}

#[test]
fn numbers_to_predict_are_taken_where_asked_for() {
    let x = npy("<f4", "(2, 1)", &floats(&[1., 2.]));
    let targets = Npy { targets: true, ..labelled() };
    let y = npy("<f4", "(2, 3)", &floats(&[1., 2., 3., 4., 5., 6.]));
    let found = read(&targets, &[("x.npy", &x), ("y.npy", &y)]).unwrap();
    assert_eq!(
        (found.numbers.clone(), found.n_numbers(), found.labels.len()),
        (vec![1., 2., 3., 4., 5., 6.], 3, 0)
    );
    let y = npy("<f8", "(2,)", &[0.5f64, -0.5].map(f64::to_le_bytes).concat());
    assert_eq!(read(&targets, &[("x.npy", &x), ("y.npy", &y)]).unwrap().numbers, [0.5, -0.5]);
    refused(
        &labelled(),
        &[("x.npy", &x), ("y.npy", &y)],
        Code::DATA_LABEL,
        &["`y.npy`", "<f8", "targets: true"],
    );
}

#[test]
fn a_recording_is_cut_into_windows() {
    let x = npy("<f4", "(5, 2)", &floats(&[1., 10., 2., 20., 3., 30., 4., 40., 5., 50.]));
    let cut = Npy { window: Some(2), hop: Some(1), ..spec() };
    let found = read(&cut, &[("x.npy", &x)]).unwrap();
    assert_eq!((found.len(), found.extents), (4, [2, 1, 2]));
    assert_eq!(rows(&found)[3], [4., 40., 5., 50.]);
    assert_eq!(found.origins[3].position, 4);
    let cut = Npy { window: Some(3), hop: Some(2), ..labelled() };
    let y = npy("|u1", "(5,)", &[1, 1, 0, 0, 2]);
    let found = read(&cut, &[("x.npy", &x), ("y.npy", &y)]).unwrap();
    assert_eq!(classes(&found), ["1", "0"]);
    let flat = npy("<f4", "(4,)", &floats(&[1., 2., 3., 4.]));
    let found = read(&Npy { window: Some(2), ..spec() }, &[("x.npy", &flat)]).unwrap();
    assert_eq!(rows(&found), [[1., 2.], [3., 4.]]);
    refused(
        &Npy { window: Some(9), ..spec() },
        &[("x.npy", &flat)],
        Code::DATA_SHAPE,
        &["4 rows", "window of 9"],
    );
    refused(&Npy { window: Some(0), ..spec() }, &[("x.npy", &flat)], Code::DATA_LIMIT, &["window"]);
}

#[test]
fn bad_files_are_named() {
    let good = npy("<f4", "(2, 2)", &floats(&[1., 2., 3., 4.]));
    let bad = |x: &[u8], code, parts: &[&str]| refused(&spec(), &[("x.npy", x)], code, parts);
    bad(&good[..good.len() - 3], Code::DATA_FORMAT, &["`x.npy`", "truncated", "sample 2 of 2", "5 are left"]);
    bad(&[&good[..], &[0]].concat(), Code::DATA_FORMAT, &["`x.npy`", "after the last number"]);
    bad(&good[..30], Code::DATA_FORMAT, &["truncated", "header"]);
    bad(b"", Code::DATA_FORMAT, &["truncated"]);
    bad(b"PK\x03\x04 a zip archive", Code::DATA_FORMAT, &["`.npz` archive", "np.load"]);
    bad(b"<html> no file", Code::DATA_FORMAT, &["no `.npy` file"]);
    bad(b"\x93NUMPY\x09\x00\x00\x00", Code::DATA_FORMAT, &["version 9"]);
    bad(
        &npy("|O", "(2,)", &[]),
        Code::DATA_FORMAT,
        &["objects", "np.load(\"x.npy\", allow_pickle=True)", "np.save"],
    );
    bad(&npy("<c8", "(2,)", &[]), Code::DATA_FORMAT, &["`<c8`", "astype"]);
    bad(&npy("", "(2,)", &[]), Code::DATA_FORMAT, &["type"]);
    bad(&npy("äf4", "(2,)", &[]), Code::DATA_FORMAT, &["type"]);
    let fortran = npy_of("{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}", &[0; 4]);
    bad(&fortran, Code::DATA_FORMAT, &["Fortran", "ascontiguousarray"]);
    let record = npy_of(
        "{'descr': [('a', '<f4'), ('b', '<i2', (3,))], 'fortran_order': False, 'shape': (1,)}",
        &[0; 4],
    );
    bad(&record, Code::DATA_FORMAT, &["record"]);
    bad(&npy_of("{'descr': '<f4'}", &[]), Code::DATA_FORMAT, &["dictionary"]);
    bad(&npy("<f4", "(2, -1)", &[]), Code::DATA_FORMAT, &["dictionary"]);
    bad(&npy("<f4", "(2,)", &[0; 8]), Code::DATA_SHAPE, &["1 extents", "window"]);
    bad(&npy("<f4", "()", &[0; 4]), Code::DATA_SHAPE, &["extents"]);
    bad(&npy("<f4", "(1, 1)", &floats(&[f32::NAN])), Code::DATA_FORMAT, &["`x.npy`, sample 1"]);
    bad(&npy("<f8", "(1, 1)", &1e300f64.to_le_bytes()), Code::DATA_LIMIT, &["`x.npy`, sample 1"]);
    refused(&Npy { train: "../x.npy".into(), ..spec() }, &[], Code::DATA_MISSING, &[]);
}

#[test]
fn samples_labels_and_rows_have_to_be_as_many() {
    let x = npy("<f4", "(2, 1)", &floats(&[1., 2.]));
    let bad =
        |y: &[u8], code, parts: &[&str]| refused(&labelled(), &[("x.npy", &x), ("y.npy", y)], code, parts);
    bad(&npy("|u1", "(1,)", &[0]), Code::DATA_LABEL, &["sample without label", "2 samples and 1 labels"]);
    bad(&npy("|u1", "(3,)", &[0; 3]), Code::DATA_LABEL, &["label without sample", "label 3"]);
    bad(&npy("|u1", "(2,)", &[0]), Code::DATA_FORMAT, &["`y.npy`", "truncated"]);
    bad(&npy("|u1", "(2,)", &[0; 3]), Code::DATA_FORMAT, &["`y.npy`", "after the last label"]);
    bad(&npy("|u1", "(2, 2)", &[0; 4]), Code::DATA_SHAPE, &["`y.npy`"]);

    let tabled = Npy { train_table: Some("t.csv".into()), ..labelled() };
    let y = npy("|u1", "(2,)", &[0, 1]);
    let bad = |table: &str, code, parts: &[&str]| {
        refused(&tabled, &[("x.npy", &x), ("y.npy", &y), ("t.csv", table.as_bytes())], code, parts);
    };
    bad("label\n0\n", Code::DATA_LABEL, &["`t.csv` has 1 rows", "`x.npy`"]);
    bad("label\n0\n1\n1\n", Code::DATA_LABEL, &["`t.csv`, line 4", "one row more"]);
    bad("label\n1\n0\n", Code::DATA_LABEL, &["`t.csv`, line 2", "the label is 1, in the array it is 0"]);
    bad("label,name\n0,a\n1,b\n0,b\n", Code::DATA_LABEL, &["`t.csv`, line 4", "`b`"]);
    bad("label\nx\n", Code::DATA_LABEL, &["`t.csv`, line 2", "`x`"]);
    let grouped = Npy { group: Some("subjct".into()), ..tabled.clone() };
    let files: &[(&str, &[u8])] = &[("x.npy", &x), ("y.npy", &y), ("t.csv", b"label,subject\n0,a\n1,b\n")];
    refused(&grouped, files, Code::DATA_FORMAT, &["`t.csv`", "`subjct`", "did you mean `subject`?"]);
    refused(&Npy { window: Some(1), ..tabled.clone() }, files, Code::DATA_LABEL, &["table", "window"]);
}

#[test]
fn absurd_headers_cost_nothing() {
    let bad = |shape: &str, code| {
        for descr in ["|u1", "<f8"] {
            refused(&spec(), &[("x.npy", &npy(descr, shape, &[]))], code, &["`x.npy`"]);
        }
    };
    bad("(1000000000000, 1000000000000)", Code::DATA_LIMIT);
    bad("(2, 9223372036854775807, 9223372036854775807)", Code::DATA_LIMIT);
    bad("(99999999999999999999999999, 2)", Code::DATA_LIMIT);
    bad("(1, 99999999999999999999999999)", Code::DATA_LIMIT);
    bad("(0, 5)", Code::DATA_LIMIT);
    bad("(5, 0)", Code::DATA_LIMIT);
    bad("(1, 268435456)", Code::DATA_FORMAT);
    bad("(4194305, 2)", Code::DATA_LIMIT);
    let long = [b"\x93NUMPY\x02\x00".as_slice(), &u32::MAX.to_le_bytes()].concat();
    refused(&spec(), &[("x.npy", &long)], Code::DATA_LIMIT, &["header of 4294967295 bytes"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_file_makes_the_reader_panic(
        changes in prop::collection::vec((0usize..100, any::<u8>()), 0..5),
        digits in "[0-9,() ]{0,12}",
        cut in 0usize..20,
    ) {
        let x = npy("<f4", "(2, 2)", &floats(&[1., 2., 3., 4.]));
        let y = npy("|u1", "(2,)", &[0, 1]);
        let table = b"label,name,subject\n0,a,x\n1,b,y\n".to_vec();
        let spec = Npy { train_table: Some("t.csv".into()), group: Some("subject".into()), ..labelled() };
        let _ = read(&spec, &[("x.npy", &mutated(x.clone(), &changes, cut)), ("y.npy", &y), ("t.csv", &table)]);
        let _ = read(&spec, &[("x.npy", &x), ("y.npy", &mutated(y.clone(), &changes, cut)), ("t.csv", &table)]);
        let _ = read(&spec, &[("x.npy", &x), ("y.npy", &y), ("t.csv", &mutated(table.clone(), &changes, cut))]);
        for window in [None, Some(2)] {
            let _ = read(&Npy { window, ..labelled() }, &[("x.npy", &npy("<i2", &digits, &[1; 16])), ("y.npy", &y)]);
        }
        let _ = read(&Npy { targets: true, ..labelled() }, &[("x.npy", &x), ("y.npy", &npy("<i2", &digits, &[1; 16]))]);
    }

    #[test]
    fn what_is_written_is_read(n in 1usize..5, t in 1usize..5, c in 1usize..4, seed in any::<i16>()) {
        let values: Vec<i16> = (0..n * t * c).map(|at| seed.wrapping_mul(31).wrapping_add(at as i16)).collect();
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        let packed = Npy { train: "x.npy.gz".into(), ..Npy::default() };
        let found = read(&packed, &[("x.npy.gz", &gz(&npy("<i2", &format!("({n}, {t}, {c})"), &bytes)))]).unwrap();
        prop_assert_eq!(found.extents, [t, 1, c]);
        let back: Vec<i16> = rows(&found).concat().into_iter().map(|x| x as i16).collect();
        prop_assert_eq!(back, values);
    }
}

fn of_shared(folder: &str, group: &str) -> Npy {
    let named = |name: &str| Some(format!("{folder}/{name}"));
    Npy {
        train: format!("{folder}/train_x.npy.gz"),
        train_labels: named("train_y.npy.gz"),
        test: named("val_x.npy.gz"),
        test_labels: named("val_y.npy.gz"),
        train_table: named("train.csv"),
        test_table: named("val.csv"),
        group: Some(group.to_owned()),
        ..Npy::default()
    }
}

#[test]
fn the_shared_sets_have_their_counts() {
    let Some(root) = shared() else { return };
    let found = |spec: &Npy| {
        let found = read_as(spec, spec.element_in(&root).unwrap(), &root).unwrap();
        let groups = |part| {
            let of = found.origins.iter().filter(|origin| origin.part == Some(part));
            of.filter_map(|origin| origin.group).collect::<std::collections::BTreeSet<_>>().len()
        };
        let counts = [Part::Train, Part::Test].map(|part| (count_of(&found, Some(part)), groups(part)));
        (counts, found)
    };
    let (counts, har) = found(&of_shared("har_sp_sw", "subject"));
    assert_eq!(counts, [(2_519, 15), (697, 4)]);
    assert_eq!((har.extents, har.table.element()), ([128, 1, 6], Element::F32));
    assert_eq!(har.classes, ["SEATED", "STANDING_UP", "WALKING", "TURNING", "SITTING_DOWN"]);
    let (counts, ecg) = found(&of_shared("ecg_mitbih", "record"));
    assert_eq!(counts, [(7_207, 18), (3_146, 4)]);
    assert_eq!((ecg.extents, ecg.table.element()), ([192, 1, 1], Element::I16));
    assert_eq!(ecg.classes, ["N", "S", "V", "F", "Q"]);
    let of: Vec<usize> =
        (0..5).map(|class| ecg.labels[..7_207].iter().filter(|&&label| label == class).count()).collect();
    assert_eq!(of, [4_000, 847, 2_314, 40, 6]);
}
