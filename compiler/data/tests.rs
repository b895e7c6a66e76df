use std::io::Cursor;

use proptest::prelude::*;

use crate::data::*;
use crate::diagnostic::Code;
use crate::tensor::{Shape, Value};

const SMALL: &str = "# two channels of three values\n@problemName small\n@timeStamps false\n\
    @univariate false\n\
    @dimensions 2\n@equalLength true\n@seriesLength 3\n@classLabel true yes no\n@data\n\
    1,2,3:4,5,6:yes\n\n# between\n-1,-2.5,3e0:0,0,0:no\r\n";

fn parse(text: &str) -> Result<Dataset, Diagnostic> {
    read_ts(Cursor::new(text.to_owned()), "small.ts")
}

fn with_rows(rows: &str) -> String {
    format!("@univariate false\n@classLabel true yes no\n@data\n{rows}")
}

#[test]
fn ts_is_time_by_channels() {
    let data = parse(SMALL).unwrap();
    assert_eq!(data.inputs.shape(), Shape::from([2, 3, 1, 2]));
    assert_eq!(data.values(), &[1., 4., 2., 5., 3., 6., -1., 0., -2.5, 0., 3., 0.]);
    assert_eq!(data.labels, vec![0, 1]);
    assert_eq!(data.classes, vec!["yes", "no"]);
    assert_eq!(data.select(&[1]).values(), &data.values()[6..]);
    let marked = format!("\u{feff}{SMALL}");
    assert_eq!(parse(&marked).unwrap(), data);
}

#[track_caller]
fn assert_problem(text: &str, code: Code, parts: &[&str]) {
    let diagnostic = parse(text).unwrap_err();
    assert_eq!(diagnostic.code, code, "{}", diagnostic.message);
    for part in parts {
        assert!(diagnostic.message.contains(part), "`{part}` is not in: {}", diagnostic.message);
    }
}

#[test]
fn problems_name_file_and_line() {
    let bad = |rows: &str, code, parts: &[&str]| assert_problem(&with_rows(rows), code, parts);
    bad("1,?:yes\n", Code::DATA_FORMAT, &["`small.ts`, line 4", "value 2 of channel 1", "missing"]);
    bad("1,2:yes\n1,NaN:no\n", Code::DATA_FORMAT, &["line 5", "missing"]);
    bad("1,inf:yes\n", Code::DATA_LIMIT, &["line 4"]);
    bad("1,-infinity:yes\n", Code::DATA_LIMIT, &["line 4"]);
    bad("1,1e40:yes\n", Code::DATA_LIMIT, &["line 4", "value 2"]);
    bad("1,x:yes\n", Code::DATA_FORMAT, &["line 4", "`x`, is no number"]);
    bad("1,:yes\n", Code::DATA_FORMAT, &["line 4", "no number"]);
    bad("1,2\n", Code::DATA_FORMAT, &["line 4", "label"]);
    bad("1,2:maybe\n", Code::DATA_LABEL, &["line 4", "`maybe`"]);
    bad("1,2:3:yes\n", Code::DATA_SHAPE, &["line 4", "channel 2 has 1 values"]);
    bad("1,2:yes\n1,2,3:no\n", Code::DATA_SHAPE, &["line 5", "3 values", "has 2"]);
    bad("1,2:yes\n1,2:3,4:no\n", Code::DATA_SHAPE, &["line 5", "2 channels"]);
    bad("", Code::DATA_FORMAT, &["small.ts", "no samples"]);
}

#[test]
fn headers_are_checked() {
    assert_problem("@classLabel true a\n", Code::DATA_FORMAT, &["small.ts", "@data"]);
    assert_problem("@data\n1:a\n", Code::DATA_LABEL, &["line 1"]);
    assert_problem("@classLabel false\n@data\n", Code::DATA_LABEL, &["line 1"]);
    assert_problem("@classLabel true\n@data\n", Code::DATA_LABEL, &["line 1"]);
    assert_problem("@classLabel true a a\n@data\n", Code::DATA_LABEL, &["line 1", "twice"]);
    assert_problem("@classLabel perhaps a\n@data\n", Code::DATA_FORMAT, &["line 1"]);
    assert_problem("@timestamps true\n@data\n", Code::DATA_FORMAT, &["line 1", "time stamps"]);
    assert_problem("@targetlabel true\n", Code::DATA_LABEL, &["line 1"]);
    assert_problem("1,2:a\n", Code::DATA_FORMAT, &["line 1", "`@`"]);
    assert_problem("@dimensions 0\n", Code::DATA_FORMAT, &["line 1"]);
    assert_problem("@dimensions 99999999\n", Code::DATA_LIMIT, &["line 1"]);
    assert_problem(
        "@dimensions 3\n@classLabel true a\n@data\n1:2:a\n",
        Code::DATA_SHAPE,
        &["line 4", "declares 3"],
    );
    assert_problem("@univariate true\n@classLabel true a\n@data\n1:2:a\n", Code::DATA_SHAPE, &["line 4"]);
    assert_problem("@seriesLength 3\n@classLabel true a\n@data\n1,2:a\n", Code::DATA_SHAPE, &["line 4"]);
    let many: String = (0..=limits::CLASSES).map(|i| format!(" c{i}")).collect();
    assert_problem(&format!("@classLabel true{many}\n"), Code::DATA_LIMIT, &["line 1"]);
}

#[test]
fn bytes_that_are_no_text_and_endless_lines_are_refused() {
    let diagnostic = read_ts(Cursor::new(b"@data\n\xff\xfe\n".to_vec()), "b.ts").unwrap_err();
    assert_eq!(diagnostic.code, Code::DATA_LABEL);
    let diagnostic = read_ts(Cursor::new(b"@problemName \xff\n".to_vec()), "b.ts").unwrap_err();
    assert!(diagnostic.message.contains("line 1"), "{}", diagnostic.message);
    let endless = std::io::BufReader::new(std::io::repeat(b'#'));
    assert_eq!(read_ts(endless, "endless.ts").unwrap_err().code, Code::DATA_LIMIT);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[@:,?0-9a-z#\n .e-]{0,200}", header in any::<bool>()) {
        let _ = parse(&if header { with_rows(&text) } else { text });
    }

    #[test]
    fn what_is_written_is_read(
        n in 1usize..6,
        t in 1usize..5,
        c in 1usize..4,
        values in prop::collection::vec(-1e6f32..1e6, 100),
    ) {
        let at = |sample: usize, time: usize, channel: usize| values[(sample * t + time) * c + channel];
        let mut rows = String::new();
        for sample in 0..n {
            for channel in 0..c {
                let series: Vec<String> =
                    (0..t).map(|time| format!("{:?}", at(sample, time, channel))).collect();
                rows.push_str(&format!("{}:", series.join(",")));
            }
            rows.push_str("yes\n");
        }
        let data = parse(&with_rows(&rows)).unwrap();
        prop_assert_eq!(data.sample_shape(), [t, 1, c]);
        prop_assert_eq!(data.values(), &values[..n * t * c]);
    }
}

fn dataset(labels: &[u32], classes: &[&str]) -> Dataset {
    let values: Vec<f32> = (0..labels.len() * 4).map(|i| i as f32).collect();
    Dataset {
        inputs: Value::from_f32(&Shape::from([labels.len(), 2, 1, 2]), values).unwrap(),
        labels: labels.to_vec(),
        classes: classes.iter().map(|&class| class.to_owned()).collect(),
    }
}

fn cut(labels: &[u32], validation: f64, seed: u64) -> Result<Splits, Diagnostic> {
    let parts = Parts { train: dataset(labels, &["a", "b"]), test: dataset(&[0], &["a", "b"]) };
    super::split::split(parts, &Cut { validation, seed })
}

fn ids(data: &Dataset) -> Vec<usize> {
    data.values().chunks(4).map(|sample| sample[0] as usize / 4).collect()
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
        let splits = cut(&labels, share, seed).unwrap();
        let mut all = ids(&splits.train);
        all.extend(ids(&splits.val));
        all.sort_unstable();
        prop_assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
        for (class, n) in [(0, n_a), (1, n_b)] {
            let count = splits.val.labels.iter().filter(|&&label| label == class).count();
            prop_assert_eq!(count, (n as f64 * share).round() as usize);
        }
        for part in [&splits.train, &splits.val] {
            prop_assert!(ids(part).iter().zip(&part.labels).all(|(&id, &label)| labels[id] == label));
        }
        prop_assert_eq!(cut(&labels, share, seed).unwrap().hash(), splits.hash());
    }
}

#[test]
fn the_seed_moves_the_cut_and_every_change_moves_the_hash() {
    let labels: Vec<u32> = (0..40).map(|i| i % 2).collect();
    let one = cut(&labels, 0.25, 1).unwrap();
    assert_eq!(
        ids(&one.val),
        vec![2, 8, 9, 17, 19, 20, 26, 27, 30, 33],
        "a cut never changes between releases"
    );
    assert_ne!(ids(&one.val), ids(&cut(&labels, 0.25, 2).unwrap().val));
    let mut hashes = vec![one.hash(), cut(&labels, 0.25, 2).unwrap().hash()];
    let mut other = one.clone();
    other.test.labels[0] = 1;
    hashes.push(other.hash());
    let mut other = one.clone();
    other.train.classes[0] = "c".into();
    hashes.push(other.hash());
    let mut other = one.clone();
    let Value::F32(array) = &mut other.val.inputs else { panic!("float") };
    array[[0, 0, 0, 0]] = -array[[0, 0, 0, 0]];
    hashes.push(other.hash());
    let mut other = one.clone();
    std::mem::swap(&mut other.train, &mut other.val);
    hashes.push(other.hash());
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 6);
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
fn loading_matches_classes_and_confines_paths() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("in")).unwrap();
    let train = with_rows("1:yes\n2:yes\n3:no\n4:no\n");
    std::fs::write(folder.path().join("in/train.ts"), train).unwrap();
    std::fs::write(folder.path().join("test.ts"), "@classLabel true no yes\n@data\n9:yes\n8:no\n").unwrap();
    std::fs::write(folder.path().join("wide.ts"), "@classLabel true no yes\n@data\n9:1:yes\n").unwrap();
    std::fs::write(folder.path().join("other.ts"), "@classLabel true no yes or\n@data\n9:yes\n").unwrap();
    let load = |train: &str, test: &str| {
        let source = Source::Ts(Ts { train: train.into(), test: test.into() });
        super::load(&source, &Cut { validation: 0.5, seed: 1 }, folder.path())
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

#[test]
fn standardisation_centres_and_scales() {
    let mut data = dataset(&[0, 1, 0, 1], &["a", "b"]);
    let Value::F32(array) = &mut data.inputs else { panic!("float") };
    array.slice_mut(ndarray::s![.., .., .., 1]).fill(1234.567);
    let standardization = Standardization::measure(&data);
    assert_eq!(standardization.mean, vec![7.0, 1234.567]);
    assert_eq!(standardization.inv_deviation[1], 1.0);
    let done = standardization.applied_to(&data);
    let again = Standardization::measure(&done);
    assert!(again.mean[0].abs() < 1e-6 && (again.inv_deviation[0] - 1.0).abs() < 1e-6);
    assert!(done.values().iter().skip(1).step_by(2).all(|&x| x == 0.0));
}

fn quantizer(mean: f32, inverse: f32, scale: f32, zero_point: i32) -> RawQuantizer {
    let standardization = Standardization { mean: vec![mean], inv_deviation: vec![inverse] };
    RawQuantizer::new(&standardization, scale, zero_point)
}

#[test]
fn raw_values_round_halves_away_from_zero() {
    let exact = quantizer(0.0, 1.0, 1.0, 3);
    for eighth in -3000i32..=3000 {
        let x = eighth as f32 / 8.0;
        let expected = (f64::from(x).round() + 3.0).clamp(-128.0, 127.0) as i8;
        assert_eq!(exact.quantize(x, 0), expected, "{x}");
    }
    let extremes = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, -0.0, f32::MIN_POSITIVE];
    assert_eq!(exact.quantize_all(&extremes), vec![3, 127, -128, 127, -128, 3, 3]);
}

proptest! {
    #[test]
    fn raw_quantization_is_the_rounded_quotient(
        x in -100f32..100.0,
        mean in -10f32..10.0,
        inverse in 0.01f32..10.0,
        scale in 0.001f32..1.0,
        zero_point in -128i32..128,
    ) {
        let quantizer = quantizer(mean, inverse, scale, zero_point);
        let found = quantizer.quantize(x, 0);
        let product = f64::from((x - mean) * quantizer.factor[0]);
        let specified = (product / 2.0).round() + f64::from(zero_point);
        prop_assert_eq!(found, specified.clamp(-128.0, 127.0) as i8);

        let ideal = f64::from(x - mean) * f64::from(inverse) / f64::from(scale);
        let lowest = (ideal - ideal.abs() * 3e-7).round() + f64::from(zero_point);
        let highest = (ideal + ideal.abs() * 3e-7).round() + f64::from(zero_point);
        let wide = f64::from(found);
        prop_assert!(wide >= lowest.clamp(-128.0, 127.0) && wide <= highest.clamp(-128.0, 127.0));
    }
}
