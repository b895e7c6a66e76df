//! The same trainings on both engines.

use super::relative_error;
use crate::graph::Graph;
use crate::train::tests::operators::excited;
use crate::train::tests::{network, recipe, sinusoids};
use crate::train::torch::TorchEngine;
use crate::train::{EmbeddedEngine, Trainer, engine::Engine, recalibrate};

/// The loss of each epoch.
fn losses<E: Engine>(engine: E, graph: &Graph, epochs: u64) -> Vec<f64> {
    let (inputs, labels) = sinusoids(240, 100);
    let mut trainer =
        Trainer::with_engine(engine, graph, recipe(epochs, 32), (&inputs, &labels), 1).expect("all fits");
    (0..epochs).map(|_| trainer.epoch().expect("finite").loss).collect()
}

#[test]
fn trainings_on_both_engines_stay_together() {
    println!("network | epoch | loss, embedded | loss, torch | relative difference");
    for (name, graph) in [("residual", network()), ("excited", excited())] {
        let embedded = losses(EmbeddedEngine::new(), &graph, 6);
        let torch = losses(TorchEngine::cpu(), &graph, 6);
        for (epoch, (a, b)) in embedded.iter().zip(&torch).enumerate() {
            println!("{name} | {} | {a:.6} | {b:.6} | {:.1e}", epoch + 1, (a - b).abs() / a);
            assert!((a - b).abs() < 1e-3 * a, "{name}, epoch {epoch}: {a} {b}");
        }
        assert!(embedded[5] < embedded[0], "{name} learns nothing: {embedded:?}");
    }
}

#[test]
fn recalibrated_statistics_are_near_on_both_engines() {
    let graph = network();
    let (inputs, labels) = sinusoids(120, 100);
    let mut trainer = Trainer::new(&graph, recipe(2, 32), &inputs, &labels, 1).expect("all fits");
    trainer.epoch().expect("finite");
    let weights = trainer.weights();
    let embedded = recalibrate(&EmbeddedEngine::new(), &graph, &weights, &inputs, 50).expect("all fits");
    let torch = recalibrate(&TorchEngine::cpu(), &graph, &weights, &inputs, 50).expect("all fits");
    for (name, expected) in &embedded {
        let elements = |value: &crate::tensor::Value| -> Vec<f64> {
            value.as_f32().expect("floats").iter().map(|&x| f64::from(x)).collect()
        };
        let error = relative_error(&elements(&torch[name]), &elements(expected));
        assert!(error < 1e-5, "{name}: {error:e}");
    }
}
