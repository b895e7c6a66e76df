use proptest::prelude::*;

use super::*;

fn classified(classes: usize, pairs: &[(u32, usize)]) -> Quality {
    let mut tally = Tally::new(Output::Classes(classes));
    for &(label, answer) in pairs {
        let outputs: Vec<f32> = (0..classes).map(|class| if class == answer { 1.0 } else { 0.0 }).collect();
        tally.class(&outputs, label);
    }
    tally.quality(Intervals::Made)
}

fn near(found: f64, wanted: f64) -> bool {
    (found - wanted).abs() < 1e-9
}

#[test]
fn classifiers_have_the_published_figures() {
    // The example of `f1_score` in the documentation of scikit-learn: 0.2666..., macro.
    let quality = classified(3, &[(0, 0), (1, 2), (2, 1), (0, 0), (1, 0), (2, 1)]);
    let value = |name: &str| quality.metrics[name].value;
    assert!(near(value("f1"), 4.0 / 15.0), "{quality:?}");
    assert!(near(value("accuracy"), 1.0 / 3.0) && near(value("error"), 2.0 / 3.0));
    assert!(near(value("recall"), 1.0 / 3.0));
    assert!(!quality.metrics.contains_key("auc"), "three classes have no one curve");
    let confusion = quality.confusion.clone().expect("classes");
    assert_eq!(confusion.0, [[2, 0, 0], [1, 0, 1], [0, 2, 0]]);
    assert_eq!((quality.right(), confusion.recall(0)), (Some(2), Some(1.0)));
    assert_eq!(confusion.weakest(5), [(1, 0.0), (2, 0.0)]);
    assert_eq!(quality.figure(Metric::F1), Some(quality.metrics["f1"]));
    let back: Quality = serde_json::from_str(&serde_json::to_string(&quality).expect("plain data")).expect("same");
    assert_eq!(back, quality);
}

#[test]
fn classes_that_do_not_occur_do_not_count() {
    let quality = classified(4, &[(0, 0), (1, 1)]);
    assert!(near(quality.metrics["f1"].value, 1.0) && near(quality.metrics["recall"].value, 1.0));
    // One that is answered and never right does.
    let quality = classified(4, &[(0, 0), (1, 3)]);
    assert!(near(quality.metrics["f1"].value, 1.0 / 3.0) && near(quality.metrics["recall"].value, 0.5));
    let none = classified(2, &[]);
    assert_eq!((none.samples, none.metrics["accuracy"].value), (0, 0.0));
}

#[test]
fn two_classes_have_a_curve() {
    let mut tally = Tally::new(Output::Classes(2));
    for (outputs, label) in [([0.9, 0.1], 0), ([0.6, 0.4], 0), ([0.65, 0.35], 1), ([0.2, 0.8], 1)] {
        tally.class(&outputs, label);
    }
    // The example of `roc_auc_score` in the documentation of scikit-learn.
    let quality = tally.quality(Intervals::Omitted);
    assert!(near(quality.metrics["auc"].value, 0.75), "{quality:?}");
    assert!(quality.metrics.values().all(|figure| figure.ci95.is_none()));
}

#[test]
fn numbers_have_the_published_figures() {
    // The examples of `r2_score`, `mean_squared_error` and `mean_absolute_error` in the documentation of scikit-learn.
    let mut tally = Tally::new(Output::Values(1));
    for (wanted, found) in [(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0)] {
        tally.numbers([found].into_iter(), &[wanted]);
    }
    let quality = tally.quality(Intervals::Made);
    let value = |name: &str| quality.metrics[name].value;
    assert!(near(value("mse"), 0.375) && near(value("mae"), 0.5), "{quality:?}");
    assert!((value("r2") - 0.948_608_137).abs() < 1e-8, "{quality:?}");
    let [low, high] = quality.metrics["mse"].ci95.expect("an interval");
    assert!(low < 0.375 && 0.375 < high && low >= 0.0 && high <= 1.0, "{low} {high}");
    assert!(quality.confusion.is_none() && quality.right().is_none());
}

#[test]
fn two_numbers_count_alike_and_a_constant_has_no_r2() {
    let mut tally = Tally::new(Output::Values(2));
    for (wanted, found) in [([1.0, 5.0], [2.0, 5.0]), ([3.0, 5.0], [3.0, 6.0])] {
        tally.numbers(found.into_iter(), &wanted);
    }
    let quality = tally.quality(Intervals::Omitted);
    let value = |name: &str| quality.metrics[name].value;
    assert!(near(value("mse"), 0.5) && near(value("mae"), 0.5) && near(value("r2"), 0.5), "{quality:?}");
}

#[test]
fn anomalies_are_told_by_the_error_of_the_reconstruction() {
    let mut tally = Tally::new(Output::Input);
    for (outputs, input, is_anomaly) in
        [([0.0, 0.0], [1.0, 0.0], false), ([1.0, 1.0], [1.0, 1.0], false), ([0.0, 2.0], [2.0, 0.0], true)]
    {
        tally.input(&outputs, &input, is_anomaly);
    }
    let quality = tally.clone().quality(Intervals::Made);
    assert!(near(quality.metrics["auc"].value, 1.0), "{quality:?}");
    assert!(near(quality.metrics["mse"].value, 0.25), "of the normal ones: {quality:?}");
    let mut normal = Tally::new(Output::Input);
    normal.input(&[0.0], &[2.0], false);
    let quality = normal.quality(Intervals::Made);
    assert_eq!(quality.metrics.keys().collect::<Vec<_>>(), ["mse"], "no anomaly, no curve");
}

#[test]
fn areas_have_the_published_interval() {
    // Hanley and McNeil 1982: an area of 0.893 with 51 abnormal and 58 normal cases has the standard error 0.032.
    let [low, high] = hanley_mcneil(0.893, 51, 58);
    let error = (high - low) / (2.0 * 1.959_963_985);
    assert!((error - 0.0325).abs() < 5e-4, "{error}");
    assert_eq!(hanley_mcneil(1.0, 3, 4), [1.0, 1.0]);
    assert_eq!(hanley_mcneil(0.5, 0, 4), [0.0, 1.0]);
}

#[test]
fn resampling_finds_the_error_of_a_mean() {
    // The mean of 400 numbers 0..=1 of variance 1/12 has the standard error 0.0144.
    let values: Vec<f64> = (0..400u64).map(|i| (i * 7919 % 400) as f64 / 399.0).collect();
    let figure = curve::mean_figure(&values, Intervals::Made).expect("values");
    let [low, high] = figure.ci95.expect("an interval");
    let error = (high - low) / (2.0 * 1.96);
    assert!((error - 0.0144).abs() < 0.002, "{error}");
    assert_eq!(curve::mean_figure(&values, Intervals::Made), Some(figure), "the same on every run");
    assert_eq!(curve::mean_figure(&[], Intervals::Made), None);
}

/// The share of pairs in the right order, one by one.
fn pair_by_pair(scores: &[(f64, bool)]) -> Option<f64> {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for positive in scores.iter().filter(|score| score.1) {
        for negative in scores.iter().filter(|score| !score.1) {
            pairs += 1.0;
            sum += match positive.0.total_cmp(&negative.0) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Less => 0.0,
            };
        }
    }
    (pairs > 0.0).then(|| sum / pairs)
}

proptest! {
    #[test]
    fn areas_are_shares_of_pairs(scores in prop::collection::vec((0u8..9, any::<bool>()), 0..60)) {
        let scores: Vec<(f64, bool)> = scores.into_iter().map(|(score, is)| (f64::from(score), is)).collect();
        match (area(&scores), pair_by_pair(&scores)) {
            (Some(found), Some(wanted)) => {
                prop_assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
                let positives = scores.iter().filter(|score| score.1).count();
                let [low, high] = hanley_mcneil(found, positives, scores.len() - positives);
                prop_assert!(0.0 <= low && low <= found && found <= high && high <= 1.0);
            }
            (found, wanted) => prop_assert_eq!(found, wanted),
        }
    }

    #[test]
    fn shares_stay_in_their_range(pairs in prop::collection::vec((0u32..3, 0usize..3), 1..40)) {
        let quality = classified(3, &pairs);
        for (name, figure) in &quality.metrics {
            let [low, high] = figure.ci95.expect("an interval");
            prop_assert!((0.0..=1.0).contains(&figure.value) && 0.0 <= low && low <= high && high <= 1.0, "{name}");
        }
        let both = quality.metrics["accuracy"].value + quality.metrics["error"].value;
        prop_assert!((both - 1.0).abs() < 1e-12);
    }
}
