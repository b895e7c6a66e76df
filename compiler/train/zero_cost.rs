//! Scores of untrained networks: figures that are known in milliseconds and go with the quality after training.
//!
//! A greater score promises more. Scores compare networks of one task; by themselves they mean nothing. Both follow from
//! the graph, the samples and the seed alone, bit for bit.

use crate::diagnostic::Diagnostic;
use crate::graph::Graph;
use crate::ops::ParamRole;
use crate::tensor::{Shape, Value, math};
use crate::train::embedded::EmbeddedEngine;
use crate::train::engine::Engine;
use crate::train::network::{Mode, Network, Pass};
use crate::train::predict::{batched, predict, samples, upload};
use crate::train::stream::initial_weights;
use crate::train::tape::{Tape, Var};

/// How differently samples switch the rectifiers of a network: the logarithm of the determinant of the matrix of how
/// many rectifiers two samples switch alike, statistics of normalisation being those of the batch. Minus infinity where
/// two samples switch all alike, and for a network without rectifiers.
///
/// Shapes  `inputs [N, ...]`, N of 16 to 128
/// Errors  those of [`Network::new`]; E0705 where the samples have another shape
/// Source  J. Mellor et al., "Neural Architecture Search without Training", arXiv:2006.04647 section 3
pub fn naswot(graph: &Graph, inputs: &Value, seed: u64) -> Result<f64, Diagnostic> {
    let network = Network::new(graph)?;
    let elements = samples(&network, inputs)?;
    let count = inputs.shape().0[0];
    let engine = EmbeddedEngine::new();
    let initial = initial_weights(network.params(), seed);
    let mut tape = Tape::new(&engine);
    let params: Vec<Var> =
        network.gather(&initial)?.into_iter().map(|value| tape.constant(upload(&engine, value))).collect();
    let x = tape.constant(engine.upload(&batched(count, network.input()), &elements));
    let mut pass = Pass::new();
    network.forward(&mut tape, &params, x, Mode::Statistics, &mut pass);
    let mut alike = vec![0.0; count * count];
    let mut read = Vec::new();
    for step in network.rectified() {
        engine.read(tape.value(pass.values()[step]), &mut read);
        add_alike(&read, count, &mut alike);
    }
    Ok(log_determinant(alike, count))
}

/// Adds for each pair of samples how many of their values are both 0 or both not.
fn add_alike(values: &[f32], count: usize, alike: &mut [f64]) {
    let size = values.len() / count.max(1);
    let words = size.div_ceil(64);
    let mut bits = vec![0u64; count * words];
    for (at, &value) in values.iter().enumerate() {
        if value > 0.0 {
            bits[at / size * words + at % size / 64] |= 1 << (at % size % 64);
        }
    }
    for (a, row) in bits.chunks_exact(words.max(1)).enumerate() {
        for (b, other) in bits.chunks_exact(words.max(1)).enumerate() {
            let differing: u32 = row.iter().zip(other).map(|(x, y)| (x ^ y).count_ones()).sum();
            alike[a * count + b] += size as f64 - f64::from(differing);
        }
    }
}

/// The logarithm of the absolute value of a determinant, by elimination with the greatest pivot of each column.
fn log_determinant(mut matrix: Vec<f64>, n: usize) -> f64 {
    let mut log = 0.0;
    for column in 0..n {
        let greatest = |&a: &usize, &b: &usize| {
            let size = |row: usize| matrix[row * n + column].abs();
            // Of equal ones the first.
            size(a).total_cmp(&size(b)).then(b.cmp(&a))
        };
        let pivot = (column..n).max_by(greatest).unwrap_or(column);
        let value = matrix[pivot * n + column];
        if value == 0.0 || !value.is_finite() {
            return f64::NEG_INFINITY;
        }
        for at in 0..n {
            matrix.swap(pivot * n + at, column * n + at);
        }
        log += f64::from(math::ln(value.abs() as f32));
        for row in column + 1..n {
            let factor = matrix[row * n + column] / value;
            for at in column..n {
                matrix[row * n + at] -= factor * matrix[column * n + at];
            }
        }
    }
    if n == 0 { f64::NEG_INFINITY } else { log }
}

/// So small that no clamp is reached, and no product underflows.
const SIGNAL: f32 = 1.0 / (1u64 << 40) as f32;

/// The flow of a constant signal through the absolute values of all initial weights, layer by layer: the logarithm of
/// the sum over layers of what flows through each. Normalisation passes the signal on.
///
/// Source  H. Tanaka et al., SynFlow, arXiv:2006.05467; as a score M. Abdelfattah et al., arXiv:2101.08134. The
/// output is linear in each layer's weights, so a layer's part is what is missing without it.
///
/// # Errors
/// Those of [`Network::new`].
pub fn synflow(graph: &Graph, seed: u64) -> Result<f64, Diagnostic> {
    let network = Network::new(graph)?;
    let mut weights = initial_weights(network.params(), seed);
    let of_weights = |param: &&crate::ops::Param| param.role == ParamRole::Weight;
    for param in network.params().iter().filter(of_weights) {
        if let Some(value) = weights.get_mut(&param.name) {
            *value = mapped(value, f32::abs);
        }
    }
    let extents = batched(1, network.input());
    let ones = vec![SIGNAL; extents.iter().product()];
    let signal = Value::from_f32(&Shape::from(extents), ones).expect("as many elements as the shape has");
    let flow = |weights: &crate::graph::Weights| -> Result<f64, Diagnostic> {
        let outputs = predict(graph, weights, &signal)?;
        Ok(outputs.as_f32().map_or(0.0, |outputs| outputs.iter().map(|&x| f64::from(x)).sum()))
    };
    let all = flow(&weights)?;
    let mut sum = 0.0;
    for param in network.params().iter().filter(of_weights) {
        let Some(value) = weights.get(&param.name).cloned() else { continue };
        weights.insert(param.name.clone(), mapped(&value, |_| 0.0));
        sum += all - flow(&weights)?;
        weights.insert(param.name.clone(), value);
    }
    Ok(if sum > 0.0 { f64::from(math::ln(sum as f32)) } else { f64::NEG_INFINITY })
}

fn mapped(value: &Value, f: impl Fn(f32) -> f32) -> Value {
    let elements = value.as_f32().map(|array| array.iter().map(|&x| f(x)).collect()).unwrap_or_default();
    Value::from_f32(&value.shape(), elements).unwrap_or_else(|| value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn determinants_are_those_of_small_matrices() {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-5, "{a} {b}");
        close(log_determinant(vec![2.0, 0.0, 0.0, 8.0], 2), 16f64.ln());
        close(log_determinant(vec![0.0, 3.0, 2.0, 0.0], 2), 6f64.ln());
        close(log_determinant(vec![4.0, 2.0, 1.0, 2.0, 5.0, 3.0, 1.0, 3.0, 6.0], 3), 67f64.ln());
        assert_eq!(log_determinant(vec![1.0, 2.0, 2.0, 4.0], 2), f64::NEG_INFINITY);
        assert_eq!(log_determinant(Vec::new(), 0), f64::NEG_INFINITY);
    }

    #[test]
    fn samples_are_compared_by_what_they_switch() {
        let mut alike = vec![0.0; 4];
        add_alike(&[1.0, 0.0, 2.0, 0.0, 0.0, 3.0], 2, &mut alike);
        assert_eq!(alike, [3.0, 2.0, 2.0, 3.0]);
    }
}
