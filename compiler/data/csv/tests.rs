use proptest::prelude::*;

use super::*;
use crate::data::testing::{classes, count, folder, gz, mutated, read, read_as, refused, rows, shared, tar};

fn spec() -> Csv {
    Csv { train: "a.csv".to_owned(), ..Csv::default() }
}

fn labelled() -> Csv {
    Csv { label: Some("y".to_owned()), ..spec() }
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(ToString::to_string).collect())
}

#[test]
fn a_row_is_a_sample() {
    let text = b"a;b;y\n1;2.5;up\n-3;4e2;down\n";
    let found = read(&labelled(), &[("a.csv", text)]).unwrap();
    assert_eq!((rows(&found), found.extents), (vec![vec![1., 2.5], vec![-3., 400.]], [1, 1, 2]));
    assert_eq!((classes(&found), found.origins[1].position), (vec!["up", "down"], 3));
    let turned = Csv { columns: names(&["b", "a"]), test: Some("t.csv.gz".into()), ..labelled() };
    let found = read(&turned, &[("a.csv", text), ("t.csv.gz", &gz(text))]).unwrap();
    assert_eq!(rows(&found)[2], [2.5, 1.]);
    assert_eq!(count(&found, Some(Part::Test)), 2);
    let targets =
        Csv { targets: vec!["b".into()], columns: names(&["a"]), group: Some("y".into()), ..spec() };
    let found = read(&targets, &[("a.csv", text)]).unwrap();
    assert_eq!(
        (found.numbers.clone(), found.groups.clone()),
        (vec![2.5, 400.], vec!["up".into(), "down".into()])
    );
    let plain = Csv { columns: names(&["a"]), ..spec() };
    assert!(read(&plain, &[("a.csv", text)]).unwrap().labels.is_empty());
}

#[test]
fn windows_stay_within_files_and_groups() {
    let cut = Csv { train: "set".to_owned(), window: Some(2), hop: Some(1), ..labelled() };
    let files: &[(&str, &[u8])] = &[
        ("set/a.csv", b"v,y\n1,p\n2,q\n3,q\n"),
        ("set/b.CSV", b"y,v\np,7\np,8\n"),
        ("set/short.csv", b"v,y\n9,p\n"),
        ("set/notes.txt", b"no table"),
    ];
    let found = read(&cut, files).unwrap();
    assert_eq!((rows(&found), found.extents), (vec![vec![1., 2.], vec![2., 3.], vec![7., 8.]], [2, 1, 1]));
    assert_eq!(classes(&found), ["q", "q", "p"]);
    assert_eq!(found.groups, ["set/a.csv", "set/b.CSV"]);
    assert_eq!(found.origins[1].position, 3);
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].message.contains("`set/short.csv`"), "{}", found.warnings[0].message);

    let inside: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (&name[4..], *bytes)).collect();
    let packed = read(&cut, &[("set.tar.gz", &gz(&tar(&inside)))]).unwrap();
    assert_eq!((rows(&packed), packed.digests.clone()), (rows(&found), found.digests.clone()));

    let grouped = Csv { group: Some("g".into()), window: Some(2), ..spec() };
    let found = read(&grouped, &[("a.csv", b"v,g\n1,x\n2,y\n3,y\n4,y\n5,z\n6,z\n")]).unwrap();
    assert_eq!(
        (rows(&found), found.groups),
        (vec![vec![2., 3.], vec![5., 6.]], vec!["y".into(), "z".into()])
    );
}

#[test]
fn a_folder_of_an_archive_can_be_named() {
    let archive = gz(&tar(&[("a/1.csv", b"v\n1\n"), ("a/2.csv", b"v\n2\n"), ("ab/3.csv", b"v\n3\n")]));
    let spec = Csv { train: "all.tar.gz/a".into(), test: Some("all.tar.gz/ab".into()), ..Csv::default() };
    let found = read(&spec, &[("all.tar.gz", &archive)]).unwrap();
    assert_eq!((rows(&found), count(&found, Some(Part::Test))), (vec![vec![1.], vec![2.], vec![3.]], 1));
    assert_eq!(spec.inputs(folder(&[("all.tar.gz", &archive)]).path()).unwrap(), ["all.tar.gz"]);
    let missing = Csv { train: "all.tar.gz/c".into(), ..Csv::default() };
    refused(&missing, &[("all.tar.gz", &archive)], Code::DATA_MISSING, &["`all.tar.gz/c`"]);
}

#[test]
fn anomalies_are_not_trained_on() {
    let spec = Csv {
        test: Some("t.csv".into()),
        label: Some("bad".into()),
        normal: Some("0".into()),
        columns: names(&["v"]),
        window: Some(2),
        ..spec()
    };
    let text = b"v,bad\n1,0.0\n2,0.0\n3,0.0\n4,1.0\n5,0\n6,0\n";
    let found = read(&spec, &[("a.csv", text), ("t.csv", text)]).unwrap();
    assert_eq!(found.classes, ["normal", "anomaly"]);
    assert_eq!(classes(&found), ["normal", "normal", "normal", "anomaly", "normal"]);
    assert_eq!(count(&found, Some(Part::Train)), 2);
    assert!(found.warnings[0].message.starts_with("1 anomalous samples"), "{}", found.warnings[0].message);
    let found = read(&spec, &[("a.csv", b"v\n1\n2\n"), ("t.csv", text)]).unwrap();
    assert_eq!(classes(&found), ["normal", "normal", "anomaly", "normal"]);
    let uncut = Csv { test: None, ..spec.clone() };
    assert_eq!(classes(&read(&uncut, &[("a.csv", text)]).unwrap()), ["normal", "anomaly", "normal"]);
}

#[test]
fn bad_tables_are_named() {
    let bad =
        |text: &str, code, parts: &[&str]| refused(&labelled(), &[("a.csv", text.as_bytes())], code, parts);
    for cell in ["", "nan", "NaN", "?", "NA"] {
        let text = format!("v,w,y\n1,1,p\n2,{cell},p\n");
        bad(&text, Code::DATA_FORMAT, &["`a.csv`, line 3", "column `w`", "missing"]);
    }
    bad("v,w,y\n1,inf,p\n", Code::DATA_LIMIT, &["`a.csv`, line 2", "column `w`"]);
    bad(
        "v,time,y\n1,12:30,p\n",
        Code::DATA_FORMAT,
        &["line 2", "`12:30`", "column `time`", "columns: [\"v\"]"],
    );
    bad("v,y\n1,\n", Code::DATA_LABEL, &["`a.csv`, line 2", "sample without label"]);
    bad("v,y\n1,p,3\n", Code::DATA_FORMAT, &["`a.csv`, line 2", "3 cells", "2"]);
    bad("v,yy\n1,p\n", Code::DATA_FORMAT, &["`a.csv` has no column `y`", "`v`"]);
    bad("v,v,y\n1,1,p\n", Code::DATA_FORMAT, &["column `v` is there twice"]);
    bad("y\np\n", Code::DATA_LIMIT, &["0 columns"]);
    bad("", Code::DATA_FORMAT, &["`a.csv` is empty"]);
    bad("v,y\n", Code::DATA_FORMAT, &["no samples"]);
    let named = Csv { columns: names(&["Presure"]), ..spec() };
    refused(
        &named,
        &[("a.csv", b"Pressure,Current\n1,2\n")],
        Code::DATA_FORMAT,
        &["`Presure`", "did you mean `Pressure`?"],
    );
    refused(
        &Csv { normal: Some("0".into()), ..spec() },
        &[("a.csv", b"v\n1\n")],
        Code::DATA_LABEL,
        &["`normal`"],
    );
    refused(
        &Csv { columns: names(&["v", "y"]), ..labelled() },
        &[("a.csv", b"v,y\n1,2\n")],
        Code::DATA_LABEL,
        &["label"],
    );
    refused(
        &Csv { train: "set".into(), ..spec() },
        &[("set/a.txt", b"")],
        Code::DATA_MISSING,
        &["`set` has no `.csv` file"],
    );
    let files: &[(&str, &[u8])] = &[("set/a.csv", b"v\n1\n"), ("set/b.csv", b"v,w\n1,2\n")];
    refused(
        &Csv { train: "set".into(), ..spec() },
        files,
        Code::DATA_SHAPE,
        &["`set/b.csv`", "`w`", "columns: [\"v\"]"],
    );
    let packed = gz(b"v,y\n1,p\n2,q\n");
    let files: &[(&str, &[u8])] = &[("a.csv.gz", &packed[..packed.len() - 6])];
    refused(&Csv { train: "a.csv.gz".into(), ..labelled() }, files, Code::DATA_FORMAT, &["`a.csv.gz`"]);
}

#[test]
fn two_million_columns_are_refused() {
    let text = format!("{}\n{}\n", "a,".repeat(2_000_000), "1,".repeat(2_000_000));
    refused(
        &spec(),
        &[("a.csv", text.as_bytes())],
        Code::DATA_LIMIT,
        &["`a.csv`, line 1", "2000001 columns"],
    );
    let windows = Csv { window: Some(1 << 28), ..spec() };
    refused(&windows, &[("a.csv", b"v,w\n1,2\n")], Code::DATA_LIMIT, &["window"]);
}

proptest! {
    #[test]
    fn no_table_makes_the_reader_panic(
        text in "[vy01.,;?\"\n\r -]{0,80}",
        changes in prop::collection::vec((0usize..100, any::<u8>()), 0..5),
        cut in 0usize..20,
    ) {
        let good = b"v,w,y\n1,2,p\n3,4,q\n5,6,q\n".to_vec();
        for window in [None, Some(2)] {
            for normal in [None, Some("p".to_owned())] {
                let spec = Csv { window, normal, ..labelled() };
                let _ = read(&spec, &[("a.csv", text.as_bytes())]);
                let _ = read(&spec, &[("a.csv", &mutated(good.clone(), &changes, cut))]);
            }
        }
    }

    #[test]
    fn windows_are_as_many_as_fit(n in 0usize..20, window in 1usize..6, hop in 1usize..6) {
        let text: String = std::iter::once("v\n".to_owned()).chain((0..n).map(|row| format!("{row}\n"))).collect();
        let spec = Csv { window: Some(window), hop: Some(hop), ..spec() };
        let expected = if n < window { 0 } else { (n - window) / hop + 1 };
        match read(&spec, &[("a.csv", text.as_bytes())]) {
            Ok(found) => {
                prop_assert_eq!(found.len(), expected);
                for (index, row) in rows(&found).iter().enumerate() {
                    let numbers: Vec<f32> = (0..window).map(|at| (index * hop + at) as f32).collect();
                    prop_assert_eq!(row, &numbers);
                }
            }
            Err(_) => prop_assert_eq!(expected, 0),
        }
    }
}

#[test]
fn the_shared_pump_has_its_counts() {
    let Some(root) = shared() else { return };
    let sensors = [
        "Accelerometer1RMS",
        "Accelerometer2RMS",
        "Current",
        "Pressure",
        "Temperature",
        "Thermocouple",
        "Voltage",
        "Volume Flow RateRMS",
    ];
    let spec = Csv {
        train: "skab_pump/shared.tar.gz".into(),
        label: Some("anomaly".into()),
        normal: Some("0".into()),
        columns: names(&sensors),
        ..Csv::default()
    };
    let found = read_as(&spec, Element::F32, &root).unwrap();
    assert_eq!((found.len(), found.files.len(), found.extents), (41_266, 30, [1, 1, 8]));
    let parted = Csv {
        train: "skab_pump/shared.tar.gz/anomaly-free".into(),
        test: Some("skab_pump/shared.tar.gz/valve1".into()),
        window: Some(60),
        hop: Some(30),
        ..spec.clone()
    };
    let found = read_as(&parted, Element::F32, &root).unwrap();
    assert_eq!((found.extents, found.classes.clone()), ([60, 1, 8], vec!["normal".into(), "anomaly".into()]));
    assert!(
        found.labels.contains(&1) && count(&found, Some(Part::Train)) == 312,
        "{}",
        count(&found, Some(Part::Train))
    );
    let all = Csv { columns: None, ..spec };
    let error = read_as(&all, Element::F32, &root).unwrap_err();
    assert!(error.message.contains("column `datetime` is no number"), "{}", error.message);
}
