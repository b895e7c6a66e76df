use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use super::*;
use crate::diagnostic::Code;
use crate::tensor::Value;
use crate::train::recipe::Recipe;
use crate::train::stream::open_unit;

/// Shifts by a random number of elements and adds noise.
#[derive(Debug)]
pub(in crate::train) struct ShiftAndNoise;

impl Augment for ShiftAndNoise {
    fn apply(&self, sample: &mut [f32], extents: &[usize], random: &mut ChaCha8Rng) {
        assert_eq!(sample.len(), extents.iter().product::<usize>());
        sample.rotate_left(random.next_u32() as usize % sample.len());
        sample.iter_mut().for_each(|x| *x += 0.1 * (open_unit(random) - 0.5));
    }

    fn canonical(&self) -> String {
        "shift and noise".to_owned()
    }
}

/// 23 samples of 2 x 3 elements, `100 i + place`, in 3 classes.
fn samples() -> Arc<Samples> {
    let elements = (0..138).map(|i| (100 * (i / 6) + i % 6) as f32).collect();
    let inputs = Value::from_f32(&[23, 2, 3].into(), elements).expect("138 elements");
    let labels: Vec<u32> = (0..23).map(|i| i % 3).collect();
    Arc::new(Samples::new(&inputs, &labels, 3).expect("a label for each"))
}

fn source(mixup: Option<f64>, augment: bool) -> LabelledBatches {
    let recipe = Recipe { batch: 4, label_smoothing: 0.3, mixup, ..Recipe::default() };
    let plain = LabelledBatches::new(samples(), &recipe, 8);
    if augment { plain.augmented(Arc::new(ShiftAndNoise)) } else { plain }
}

/// The batches of an epoch.
fn epoch(source: &mut LabelledBatches, epoch: u64, workers: usize, pool: &mut Vec<Batch>) -> Vec<Batch> {
    source.start(epoch);
    with_workers(source, workers, pool, |supply| {
        let mut batches = Vec::new();
        while let Some(batch) = supply.next() {
            let Batch { count, inputs, targets, labels, .. } = batch.clone();
            batches.push(Batch { count, inputs, targets, labels, ..Batch::default() });
            supply.give_back(batch);
        }
        batches
    })
}

#[test]
fn an_epoch_has_every_sample_once_in_an_order_of_its_own() {
    let (mut source, mut pool) = (source(None, false), Vec::new());
    let mut orders = Vec::new();
    for number in 0..2 {
        let batches = epoch(&mut source, number, 1, &mut pool);
        assert_eq!(batches.iter().map(|batch| batch.count).collect::<Vec<_>>(), [3, 4, 4, 4, 4, 4]);
        let inputs: Vec<f32> = batches.iter().flat_map(|batch| batch.inputs.clone()).collect();
        let order: Vec<u32> = inputs.iter().step_by(6).map(|x| *x as u32 / 100).collect();
        let labels: Vec<u32> = batches.iter().flat_map(|batch| batch.labels.clone()).collect();
        assert!(order.iter().zip(&labels).all(|(sample, label)| sample % 3 == *label));
        let targets: Vec<f32> = batches.iter().flat_map(|batch| batch.targets.clone()).collect();
        assert_eq!(targets, smoothed_targets(&labels, 3, 0.3));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..23));
        orders.push(order);
    }
    assert_ne!(orders[0], orders[1]);
}

#[test]
fn workers_change_nothing_and_buffers_come_back() {
    for (mixup, augment) in [(None, false), (None, true), (Some(0.4), true)] {
        let mut pool = Vec::new();
        let expected = epoch(&mut source(mixup, augment), 5, 0, &mut pool);
        assert_eq!(pool.len(), 1);
        for workers in [1, 2, 4, 9] {
            let (mut source, mut pool) = (source(mixup, augment), Vec::new());
            assert_eq!(epoch(&mut source, 5, workers, &mut pool), expected, "{workers} workers");
            let n_buffers = pool.len();
            assert!(n_buffers <= 2 * workers.min(6), "{n_buffers}");
            assert_eq!(epoch(&mut source, 5, workers, &mut pool), expected, "again");
            assert_eq!(pool.len(), n_buffers);
        }
    }
}

#[test]
fn leaving_early_ends_the_workers() {
    let mut source = source(None, true);
    source.start(0);
    for workers in [0, 1, 3] {
        let count = with_workers(&source, workers, &mut Vec::new(), |supply| {
            supply.next().map_or(0, |batch| batch.count)
        });
        assert_eq!(count, 3);
    }
}

#[test]
fn changes_differ_between_samples_epochs_and_seeds() {
    let first = |seed: u64, number: u64| {
        let recipe = Recipe { batch: 23, ..Recipe::default() };
        let zeros = Value::from_f32(&[23, 6].into(), vec![0.0; 138]).expect("138 elements");
        let samples = Samples::new(&zeros, &[0; 23][..], 1).expect("a label for each");
        let mut source =
            LabelledBatches::new(Arc::new(samples), &recipe, seed).augmented(Arc::new(ShiftAndNoise));
        epoch(&mut source, number, 1, &mut Vec::new()).remove(0).inputs
    };
    let noise = first(1, 0);
    let mut rows: Vec<&[f32]> = noise.chunks(6).collect();
    rows.sort_by(|a, b| a[0].total_cmp(&b[0]));
    assert!(rows.windows(2).all(|pair| pair[0] != pair[1]), "each sample has a stream of its own");
    assert!(noise != first(1, 1) && noise != first(2, 0) && noise == first(1, 0));
}

#[test]
fn numbers_follow_their_samples_and_are_mixed_with_them() {
    // The numbers of a sample are what its first element is, and half of that.
    let inputs =
        Value::from_f32(&[23, 6].into(), (0..138).map(|i| i as f32).collect()).expect("138 elements");
    let numbers: Vec<f32> = (0..23).flat_map(|i| [6.0 * i as f32, 3.0 * i as f32]).collect();
    for mixup in [None, Some(0.7)] {
        let recipe = Recipe { batch: 4, mixup, ..Recipe::default() };
        let samples = Samples::new(&inputs, Answers::Numbers(&numbers), 2).expect("two for each");
        let mut source = LabelledBatches::new(Arc::new(samples), &recipe, 8);
        assert_eq!(source.targets(), 2);
        for batch in epoch(&mut source, 1, 1, &mut Vec::new()) {
            assert!(batch.labels.is_empty());
            for (sample, wanted) in batch.inputs.chunks(6).zip(batch.targets.chunks(2)) {
                assert!((sample[0] - wanted[0]).abs() < 1e-4 && (sample[0] - 2.0 * wanted[1]).abs() < 1e-4);
            }
        }
    }
    let code =
        |answers: Answers<'_>, outputs| Samples::new(&inputs, answers, outputs).expect_err("wrong").code;
    assert_eq!(code(Answers::Numbers(&numbers[1..]), 2), Code::DATA_LABEL);
    assert_eq!(code(Answers::Numbers(&[f32::NAN; 23]), 1), Code::DATA_LABEL);
    assert_eq!(code(Answers::Input, 5), Code::DATA_SHAPE);
}

#[test]
fn what_is_reconstructed_is_the_sample_before_its_change() {
    let (plain, recipe) = (samples(), Recipe { batch: 4, ..Recipe::default() });
    let mut elements = Vec::new();
    (0..23).for_each(|i| plain.push(i, &mut elements));
    let inputs = Value::from_f32(&[23, 2, 3].into(), elements).expect("138 elements");
    let samples = Arc::new(Samples::new(&inputs, Answers::Input, 6).expect("six outputs"));
    let source = LabelledBatches::new(samples, &recipe, 8);
    let batches = epoch(&mut source.clone(), 1, 1, &mut Vec::new());
    assert!(batches.iter().all(|batch| batch.inputs == batch.targets && batch.labels.is_empty()));
    let changed = epoch(&mut source.augmented(Arc::new(ShiftAndNoise)), 1, 1, &mut Vec::new());
    for (changed, batch) in changed.iter().zip(&batches) {
        assert!(changed.targets == batch.targets && changed.inputs != batch.inputs);
    }
}

#[test]
fn mixed_samples_are_weighted_means_of_pairs() {
    let plain = epoch(&mut source(None, false), 3, 1, &mut Vec::new());
    let mixed = epoch(&mut source(Some(0.7), false), 3, 1, &mut Vec::new());
    let mut weights = Vec::new();
    for (plain, mixed) in plain.iter().zip(&mixed) {
        assert_eq!((plain.count, &plain.labels), (mixed.count, &mixed.labels));
        let rows: Vec<&[f32]> = plain.inputs.chunks(6).collect();
        for place in 0..plain.count {
            let found = mixed.inputs[place * 6];
            // `weight * own + (1 - weight) * other`: some partner and weight explain inputs and targets at once.
            let explains = |other: usize| {
                let (a, b) = (rows[place][0], rows[other][0]);
                let weight = if a == b { 1.0 } else { (found - b) / (a - b) };
                let mean = |a: f32, b: f32| weight * a + (1.0 - weight) * b;
                let near = |x: f32, y: f32| (x - y).abs() < 1e-3 * (1.0 + y.abs());
                let target = |row: usize, k: usize| plain.targets[row * 3 + k];
                let fits = (0.499..1.001).contains(&weight)
                    && (0..6)
                        .all(|i| near(mixed.inputs[place * 6 + i], mean(rows[place][i], rows[other][i])))
                    && (0..3).all(|k| {
                        near(mixed.targets[place * 3 + k], mean(target(place, k), target(other, k)))
                    });
                fits.then_some(weight)
            };
            let weight = (0..plain.count).find_map(explains);
            weights.push(weight.unwrap_or_else(|| panic!("row {place} is no mean")));
        }
        let sum: f32 = mixed.targets.iter().sum();
        assert!((sum - mixed.count as f32).abs() < 1e-4, "targets sum to 1");
    }
    assert!(weights.iter().any(|weight| *weight < 0.99), "{weights:?}");
}
