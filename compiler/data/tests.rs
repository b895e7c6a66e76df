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

fn values(data: &Dataset) -> Vec<f32> {
    data.inputs().as_f32().unwrap().iter().copied().collect()
}

fn with_rows(rows: &str) -> String {
    format!("@univariate false\n@classLabel true yes no\n@data\n{rows}")
}

#[test]
fn ts_is_time_by_channels() {
    let data = parse(SMALL).unwrap();
    assert_eq!(data.inputs().shape(), Shape::from([2, 3, 1, 2]));
    assert_eq!(values(&data), &[1., 4., 2., 5., 3., 6., -1., 0., -2.5, 0., 3., 0.]);
    assert_eq!(data.labels, vec![0, 1]);
    assert_eq!(data.classes, vec!["yes", "no"]);
    assert_eq!(values(&data.select(&[1])), &values(&data)[6..]);
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
        prop_assert_eq!(super::tests::values(&data), &values[..n * t * c]);
    }
}

fn dataset(labels: &[u32], classes: &[&str]) -> Dataset {
    let values: Vec<f32> = (0..labels.len() * 4).map(|i| i as f32).collect();
    let inputs = Value::from_f32(&Shape::from([labels.len(), 2, 1, 2]), values).unwrap();
    Dataset::from_values(&inputs, labels.to_vec(), classes.iter().map(|&class| class.to_owned()).collect())
}

#[test]
fn standardisation_centres_and_scales() {
    let mut all = values(&dataset(&[0, 1, 0, 1], &["a", "b"]));
    all.iter_mut().skip(1).step_by(2).for_each(|x| *x = 1234.567);
    let inputs = Value::from_f32(&Shape::from([4, 2, 1, 2]), all).unwrap();
    let data = Dataset::from_values(&inputs, vec![0, 1, 0, 1], vec!["a".into(), "b".into()]);
    let standardization = Standardization::measure(&data, 2);
    assert_eq!(standardization.mean, vec![7.0, 1234.567]);
    assert_eq!(standardization.inv_deviation[1], 1.0);
    let done = standardization.inputs(&data);
    let again = Dataset::from_values(&done, data.labels.clone(), data.classes.clone());
    let again_measured = Standardization::measure(&again, 2);
    assert!(again_measured.mean[0].abs() < 1e-6 && (again_measured.inv_deviation[0] - 1.0).abs() < 1e-6);
    assert!(values(&again).iter().skip(1).step_by(2).all(|&x| x == 0.0));
    let by_position = Standardization::measure(&data, 4);
    assert_eq!(by_position.mean, vec![6.0, 1234.567, 8.0, 1234.567], "a longer period has means of its own");
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
