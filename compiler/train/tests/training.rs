//! Recipes at work: interruptions, threads that make batches, divergence.

use std::sync::Arc;

use super::{network, recipe, sinusoids, weight_bits};
use crate::diagnostic::Code;
use crate::train::batch::tests::ShiftAndNoise;
use crate::train::*;

/// One recipe for each optimiser and schedule.
fn recipes() -> Vec<Recipe> {
    let sgd = Sgd { lr: 0.05, weight_decay: 1e-3, momentum: 0.9, nesterov: true };
    let base = Recipe { mixup: Some(0.3), clip: Some(2.0), ..recipe(4, 16) };
    vec![
        base,
        Recipe { optimizer: sgd.into(), schedule: Schedule::Step { every: 2, factor: 0.1 }, ..base },
        Recipe { optimizer: Sgd { nesterov: false, ..sgd }.into(), schedule: Schedule::Constant, ..base },
        Recipe { optimizer: Sgd { momentum: 0.0, ..sgd }.into(), mixup: None, clip: None, ..base },
    ]
}

/// A training on changed samples, if `augment`.
fn start(recipe: Recipe, count: usize, augment: bool) -> Trainer {
    let (inputs, labels) = sinusoids(count, 7);
    let samples = Arc::new(Samples::new(&inputs, &labels, 3).expect("a label for each"));
    let source = LabelledBatches::new(samples, &recipe, 3);
    let source = if augment { source.augmented(Arc::new(ShiftAndNoise)) } else { source };
    Trainer::with_source(EmbeddedEngine::new(), &network(), recipe, Box::new(source), 3).expect("all fits")
}

fn finish(mut trainer: Trainer) -> Vec<u8> {
    while !trainer.finished() {
        trainer.epoch().expect("finite");
    }
    weight_bits(&trainer.weights())
}

#[test]
fn a_training_goes_on_from_any_epoch() {
    for recipe in recipes() {
        let expected = finish(start(recipe, 50, true));
        let mut killed = start(recipe, 50, true);
        while !killed.finished() {
            let state = killed.state();
            let mut resumed = start(recipe, 50, true);
            resumed.resume(&state).expect("a state of this training");
            assert_eq!(resumed.state(), state);
            assert_eq!(finish(resumed), expected, "{recipe:?} from epoch {}", killed.epochs_done());
            killed.epoch().expect("finite");
        }
        assert_ne!(finish(start(recipe, 50, false)), expected, "without the changes of samples");
    }
}

#[test]
fn threads_that_make_batches_change_no_bit() {
    let recipe = recipes()[0];
    let with = |workers: usize| {
        let mut trainer = start(recipe, 50, true);
        trainer.set_workers(workers);
        finish(trainer)
    };
    let expected = with(0);
    for workers in [1, 2, 4] {
        assert_eq!(with(workers), expected, "{workers} workers");
    }
}

#[test]
fn every_optimizer_learns_sinusoids() {
    let momentum = Sgd { lr: 0.05, weight_decay: 1e-3, momentum: 0.9, nesterov: true };
    for (optimizer, clip, mixup) in [
        (momentum.into(), None, None),
        (Sgd { lr: 0.3, momentum: 0.0, ..momentum }.into(), Some(1.0), None),
        (Optimizer::from(AdamW { lr: 5e-3, ..AdamW::default() }), Some(1.0), Some(0.2)),
    ] {
        let mut trainer = start(Recipe { optimizer, clip, mixup, ..recipe(20, 32) }, 300, false);
        let first = trainer.epoch().expect("finite");
        let mut last = first;
        while !trainer.finished() {
            last = trainer.epoch().expect("finite");
        }
        assert!(
            last.loss < 0.8 * first.loss && last.accuracy > Some(0.9),
            "{optimizer:?}: {first:?} {last:?}"
        );
    }
}

#[test]
fn trainings_are_told_apart() {
    let base = recipes()[0];
    let one = start(base, 50, true).identity();
    assert_eq!(one, start(base, 50, true).identity());
    for other in [
        start(base, 50, false),
        start(base, 49, true),
        start(Recipe { epochs: 5, ..base }, 50, true),
        start(Recipe { mixup: None, ..base }, 50, true),
        start(recipes()[1], 50, true),
    ] {
        assert_ne!(other.identity(), one);
    }
}

#[test]
fn a_state_of_another_training_is_refused() {
    let mut trainer = start(recipe(2, 8), 12, false);
    let state = trainer.state();
    let mut renamed = state.clone();
    let value = renamed.tensors.remove("value.1.w").expect("a weight");
    renamed.tensors.insert("value.1.v".into(), value);
    let progress = |change: &dyn Fn(&mut Progress)| {
        let mut state = state.clone();
        change(&mut state.progress);
        state
    };
    let sgd = Recipe { optimizer: Sgd::default().into(), ..recipe(2, 8) };
    for wrong in [
        renamed,
        progress(&|progress| progress.step = 5),
        progress(&|progress| (progress.epoch, progress.step) = (3, 6)),
        progress(&|progress| progress.rate_factor = f64::NAN),
        start(sgd, 12, false).state(),
    ] {
        assert_eq!(trainer.resume(&wrong).expect_err("another training").code, Code::STORE);
        assert_eq!(trainer.state(), state);
    }
    trainer
        .resume(&progress(&|progress| (progress.epoch, progress.step) = (1, 2)))
        .expect("two steps an epoch");
}

#[test]
fn divergence_is_a_diagnostic_that_names_place_and_cause() {
    let wild = Recipe { optimizer: AdamW { lr: 1e30, ..AdamW::default() }.into(), ..recipe(20, 8) };
    let mut trainer = start(wild, 24, false);
    let error = (0..20).find_map(|_| trainer.epoch().err()).expect("it diverges");
    assert_eq!(error.code, Code::DIVERGED);
    assert!(error.message.contains("not finite"), "{}", error.message);
    let notes = format!("{:?}", error.notes);
    let epoch = format!("in epoch {} of 20, step ", trainer.epochs_done() + 1);
    assert!(notes.contains(&epoch) && notes.contains("the first that is not finite: "), "{notes}");
    let help = format!("{:?}", error.help);
    assert!(help.contains("learning rate, which is 1000000000") && help.contains("clip"), "{help}");
}

#[test]
fn a_diverged_training_goes_on_from_the_last_good_epoch() {
    // The rate falls from 1e30 to a sane one only by another attempt.
    let wild = Recipe { optimizer: AdamW { lr: 1e30, ..AdamW::default() }.into(), ..recipe(3, 8) };
    let mut trainer = start(wild, 24, false);
    let start_state = trainer.state();
    let first = trainer.epoch().expect_err("it diverges");
    assert_eq!(trainer.state(), start_state, "as before the epoch");
    assert_eq!(trainer.epoch().expect_err("the same again").message, first.message);
    for wrong in [0.0, -1.0, 1.5, f64::NAN] {
        assert_eq!(trainer.retry_with(wrong).expect_err("no factor").code, Code::RANGE);
    }
    trainer.retry_with(5e-33).expect("a factor");
    let report = trainer.epoch().expect("a rate of 0.005");
    assert!(report.loss.is_finite());
    // The factor belongs to the state.
    let state = trainer.state();
    let mut resumed = start(wild, 24, false);
    resumed.resume(&state).expect("a state of this training");
    assert_eq!(finish(resumed), finish(trainer));
}
