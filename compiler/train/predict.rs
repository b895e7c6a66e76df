//! The outputs of a trained network, by its running statistics.

use crate::diagnostic::{Code, Diagnostic};
use crate::graph::{Graph, Weights};
use crate::tensor::{Shape, Value};
use crate::train::embedded::EmbeddedEngine;
use crate::train::engine::Engine;
use crate::train::network::{Mode, Network, Pass};
use crate::train::tape::{Tape, Var};

/// Samples that are evaluated at a time.
const EVALUATION_BATCH: usize = 64;

/// The output for samples `[N, ...]` by the running statistics: `[N, ...]`. No sample depends on another.
///
/// # Errors
/// Those of [`Network::new`] and [`Network::gather`]; E0705 where the samples have another shape.
pub fn predict_with<E: Engine>(
    engine: &E,
    graph: &Graph,
    weights: &Weights,
    inputs: &Value,
) -> Result<Value, Diagnostic> {
    let network = Network::new(graph)?;
    let samples = samples(&network, inputs)?;
    let params: Vec<E::Tensor> =
        network.gather(weights)?.into_iter().map(|value| upload(engine, value)).collect();
    let count = inputs.shape().0[0];
    let size: usize = network.input().iter().product();
    let (mut outputs, mut pass) = (Vec::new(), Pass::new());
    for batch in samples.chunks(EVALUATION_BATCH * size) {
        let mut tape = Tape::new(engine);
        let vars: Vec<Var> = params.iter().map(|param| tape.constant(param.clone())).collect();
        let x = engine.upload(&batched(batch.len() / size, network.input()), batch);
        let x = tape.constant(x);
        let y = network.forward(&mut tape, &vars, x, Mode::Evaluation, &mut pass);
        outputs.extend(engine.download(tape.value(y)));
    }
    let shape = Shape::from(batched(count, network.output()));
    Ok(Value::from_f32(&shape, outputs).expect("one output for each sample"))
}

/// [`predict_with`] the embedded engine.
///
/// # Errors
/// Those of [`predict_with`].
pub fn predict(graph: &Graph, weights: &Weights, inputs: &Value) -> Result<Value, Diagnostic> {
    predict_with(&EmbeddedEngine::new(), graph, weights, inputs)
}

/// `[N, ...]`.
pub(super) fn batched(count: usize, sample: &[usize]) -> Vec<usize> {
    std::iter::once(count).chain(sample.iter().copied()).collect()
}

/// The elements of samples that a network takes, at least one.
pub(super) fn samples(network: &Network, inputs: &Value) -> Result<Vec<f32>, Diagnostic> {
    let shape = inputs.shape();
    let array =
        inputs.as_f32().filter(|_| shape.rank() > 0 && shape.0[0] > 0 && shape.0[1..] == *network.input());
    let Some(array) = array else {
        let wanted = Shape::from(network.input());
        let message = format!("the network takes samples f32{wanted}, the data is {}{shape}", inputs.dtype());
        return Err(Diagnostic::error(Code::DATA_SHAPE, message).note("the first extent counts the samples"));
    };
    Ok(array.iter().copied().collect())
}

pub(super) fn upload<E: Engine>(engine: &E, value: &Value) -> E::Tensor {
    let elements: Vec<f32> =
        value.as_f32().expect("`Network::gather` has seen the type").iter().copied().collect();
    engine.upload(&value.shape().0, &elements)
}
