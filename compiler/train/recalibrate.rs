//! Running statistics made anew from data, for weights that have changed without them: parts of a larger
//! network, averages of several trainings, rounded weights.

use crate::diagnostic::Diagnostic;
use crate::graph::{Graph, Weights};
use crate::tensor::{Shape, Value};
use crate::train::engine::{Binary, Engine};
use crate::train::network::{Mode, Network, Pass};
use crate::train::predict::{batched, samples, upload};
use crate::train::tape::{Tape, Var};

/// The weights with every running mean and variance replaced by the mean, over batches of at most `batch`
/// samples weighted by their size, of the batches' statistics. Samples are taken in their order.
///
/// # Errors
/// E0204 and E0303 for the graph, E0203 and E0303 for the weights, E0705 for the samples.
///
/// Source  arXiv:1908.09791 section 3 (once-for-all)
pub fn recalibrate<E: Engine>(
    engine: &E,
    graph: &Graph,
    weights: &Weights,
    inputs: &Value,
    batch: usize,
) -> Result<Weights, Diagnostic> {
    let network = Network::new(graph)?;
    let elements = samples(&network, inputs)?;
    let params: Vec<E::Tensor> =
        network.gather(weights)?.into_iter().map(|value| upload(engine, value)).collect();
    let size: usize = network.input().iter().product();
    let count = elements.len() / size;
    let batches = count.div_ceil(batch.max(1));
    let mut found: Vec<Option<E::Tensor>> = vec![None; params.len()];
    let mut pass = Pass::new();
    for index in 0..batches {
        let (first, end) = (index * count / batches, (index + 1) * count / batches);
        let share = (end - first) as f32 / count as f32;
        let mut tape = Tape::new(engine);
        let vars: Vec<Var> = params.iter().map(|param| tape.constant(param.clone())).collect();
        let x = engine.upload(&batched(end - first, network.input()), &elements[first * size..end * size]);
        let x = tape.constant(x);
        network.forward(&mut tape, &vars, x, Mode::Statistics, &mut pass);
        for batch in pass.statistics.drain(..) {
            for (param, value) in [(batch.mean_param, batch.mean), (batch.variance_param, batch.variance)] {
                let sum = match found[param].take() {
                    Some(sum) => sum,
                    None => engine.full(engine.shape(&value), 0.0),
                };
                found[param] = Some(engine.zip(Binary::Combine { first: 1.0, second: share }, &sum, &value));
            }
        }
    }
    let mut weights = weights.clone();
    for (param, found) in network.params().iter().zip(found) {
        if let Some(found) = found {
            let shape = Shape::from(engine.shape(&found));
            let value = Value::from_f32(&shape, engine.download(&found)).expect("elements of its shape");
            weights.insert(param.name.clone(), value);
        }
    }
    Ok(weights)
}
