//! Trainings whose targets are numbers, or the samples themselves.

use super::operators::autoencoder;
use super::{Net, recipe, sinusoids, weight_bits};
use crate::diagnostic::Code;
use crate::graph::Graph;
use crate::ops::Clamp;
use crate::train::*;

/// Two numbers for each sample.
fn estimator() -> Graph {
    let (mut net, x) = Net::new([25, 1, 12]);
    let x = net.conv(x, 16, [5, 1], [2, 1]);
    let x = net.norm(x, Clamp::Relu);
    net.classify(x, 2)
}

/// Two numbers that follow from the class.
fn numbers(labels: &[u32]) -> Vec<f32> {
    labels.iter().flat_map(|&label| [label as f32 - 1.0, if label == 1 { 1.0 } else { -0.5 }]).collect()
}

fn squared(loss: Loss, epochs: u64) -> Recipe {
    Recipe { loss, ..recipe(epochs, 16) }
}

fn finish(mut trainer: Trainer) -> (Vec<f64>, Trainer) {
    let mut losses = Vec::new();
    while !trainer.finished() {
        let report = trainer.epoch().expect("finite");
        assert_eq!(report.accuracy, None, "there are no classes");
        losses.push(report.loss);
    }
    (losses, trainer)
}

fn mean_square(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>() / a.len() as f64
}

#[test]
fn numbers_are_learned() {
    let graph = estimator();
    let (inputs, labels) = sinusoids(300, 100);
    let wanted = numbers(&labels);
    let untrained = mean_square(&wanted, &vec![0.0; wanted.len()]);
    let training =
        Trainer::new(&graph, squared(Loss::MeanSquaredError, 20), &inputs, Answers::Numbers(&wanted), 1);
    let (losses, trainer) = finish(training.expect("all fits"));
    assert!(losses[19] < 0.5 * losses[0], "{losses:?}");
    let (inputs, labels) = sinusoids(100, 900);
    let outputs = predict(&graph, &trainer.weights(), &inputs).expect("all fits");
    let outputs: Vec<f32> = outputs.as_f32().expect("floats").iter().copied().collect();
    let unseen = mean_square(&outputs, &numbers(&labels));
    assert!(unseen < 0.4 * untrained, "unseen: {unseen}, of the answer 0: {untrained}");
}

#[test]
fn shares_are_learned_by_binary_cross_entropy_and_nothing_else() {
    let (inputs, labels) = sinusoids(200, 100);
    let wanted: Vec<f32> = numbers(&labels).iter().map(|&x| f32::from(u8::from(x > 0.0))).collect();
    let start = |wanted: &[f32]| {
        let recipe = squared(Loss::BinaryCrossEntropy, 20);
        Trainer::new(&estimator(), recipe, &inputs, Answers::Numbers(wanted), 1)
    };
    let (losses, _) = finish(start(&wanted).expect("all fits"));
    assert!(losses[19] < 0.7 * std::f64::consts::LN_2, "{losses:?}");
    let more: Vec<f32> = wanted.iter().map(|x| 2.0 * x).collect();
    let error = start(&more).expect_err("beyond 1");
    assert!(error.code == Code::DATA_LABEL && error.message.contains("0..1"), "{}", error.message);
}

#[test]
fn samples_are_reconstructed_and_neither_threads_nor_interruptions_change_a_bit() {
    let graph = autoencoder();
    let (inputs, _) = sinusoids(200, 100);
    let start = |engine: EmbeddedEngine| {
        let recipe = squared(Loss::MeanSquaredError, 12);
        Trainer::with_engine(engine, &graph, recipe, (&inputs, Answers::Input), 1).expect("all fits")
    };
    let (losses, trainer) = finish(start(EmbeddedEngine::new()));
    assert!(losses[11] < 0.6 * losses[0], "{losses:?}");
    let expected = weight_bits(&trainer.weights());
    let outputs = predict(&graph, &trainer.weights(), &inputs).expect("all fits");
    assert_eq!(outputs.shape(), inputs.shape());
    let portable = finish(start(EmbeddedEngine::portable())).1;
    assert_eq!(weight_bits(&portable.weights()), expected, "portable");
    for threads in [1, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
        let found = pool.install(|| weight_bits(&finish(start(EmbeddedEngine::new())).1.weights()));
        assert_eq!(found, expected, "{threads} threads");
    }
    let mut interrupted = start(EmbeddedEngine::new());
    interrupted.epoch().expect("finite");
    let mut resumed = start(EmbeddedEngine::new());
    resumed.resume(&interrupted.state()).expect("a state of this training");
    assert_eq!(weight_bits(&finish(resumed).1.weights()), expected, "interrupted");
}

#[test]
fn trainings_with_other_targets_or_losses_are_told_apart() {
    let (inputs, labels) = sinusoids(30, 7);
    let wanted = numbers(&labels);
    let identity = |loss: Loss, answers: Answers<'_>, graph: &Graph| {
        Trainer::new(graph, squared(loss, 2), &inputs, answers, 3).expect("all fits").identity()
    };
    let (pair, whole) = (estimator(), autoencoder());
    let twos: Vec<u32> = labels.iter().map(|label| label % 2).collect();
    let shares = vec![0.5; 60];
    let all = [
        identity(Loss::MeanSquaredError, Answers::Numbers(&wanted), &pair),
        identity(Loss::MeanSquaredError, Answers::Numbers(&shares), &pair),
        identity(Loss::BinaryCrossEntropy, Answers::Numbers(&shares), &pair),
        identity(Loss::MeanSquaredError, Answers::Labels(&twos), &pair),
        identity(Loss::CrossEntropy, Answers::Labels(&twos), &pair),
        identity(Loss::MeanSquaredError, Answers::Input, &whole),
    ];
    let different: std::collections::BTreeSet<&String> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn losses_and_targets_that_do_not_fit_the_network_are_refused() {
    let (inputs, labels) = sinusoids(30, 7);
    let wanted = numbers(&labels);
    let code = |loss: Loss, answers: Answers<'_>, graph: &Graph| {
        Trainer::new(graph, squared(loss, 2), &inputs, answers, 3).expect_err("a mistake").code
    };
    let whole = autoencoder();
    assert_eq!(code(Loss::CrossEntropy, Answers::Input, &whole), Code::SHAPE);
    assert_eq!(code(Loss::MeanSquaredError, Answers::Labels(&labels), &whole), Code::SHAPE);
    assert_eq!(code(Loss::MeanSquaredError, Answers::Numbers(&wanted), &whole), Code::DATA_LABEL);
    assert_eq!(code(Loss::MeanSquaredError, Answers::Input, &estimator()), Code::DATA_SHAPE);
}
