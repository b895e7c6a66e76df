//! Choices by gradient: a decision is a distribution over its options, drawn with Gumbel noise, and costs are
//! expectations.
//!
//! Options are the last dimension. A key gives the noise of one draw; the trainer makes a new one for each step.

use crate::train::engine::{Binary, Distribution, Engine, Unary};
use crate::train::extents::Extents;
use crate::train::tape::{Summary, Tape, Var};

/// A relaxed draw: softmax of logits plus Gumbel noise, by the temperature.
///
/// Shapes    `logits [..., K] -> [..., K]`
/// Gradient  that of the softmax by the temperature; the noise is a constant
/// Source    arXiv:1611.01144 equation 2; arXiv:1812.03443 section 3.3 (architecture search)
pub fn soft<E: Engine>(tape: &mut Tape<'_, E>, logits: Var, temperature: f32, key: u64) -> Var {
    let engine = tape.engine();
    let noise = engine.random(Distribution::Gumbel, key, engine.shape(tape.value(logits)));
    let noise = tape.constant(noise);
    let noisy = tape.add(logits, noise);
    let scaled = tape.map(Unary::Affine { scale: 1.0 / temperature, offset: 0.0 }, noisy);
    tape.softmax(scaled)
}

/// A draw: 1 for the option that the noise made the greatest, the first of equal ones, and 0 for the others.
///
/// Shapes    `logits [..., K] -> [..., K]`
/// Gradient  that of [`soft`], straight through
/// Source    arXiv:1611.01144 section 2.2
pub fn hard<E: Engine>(tape: &mut Tape<'_, E>, logits: Var, temperature: f32, key: u64) -> Var {
    let soft = soft(tape, logits, temperature, key);
    let value = one_hot(tape.engine(), tape.value(soft));
    tape.straight_through_value(soft, value)
}

/// 1 for the greatest of the last dimension, the first of equal ones.
fn one_hot<E: Engine>(engine: &E, x: &E::Tensor) -> E::Tensor {
    let shape = engine.shape(x);
    let mut elements = engine.download(x);
    for row in elements.chunks_mut(shape[shape.len() - 1]) {
        let first_greatest = |best: usize, at: usize| if row[at] > row[best] { at } else { best };
        let chosen = (0..row.len()).fold(0, first_greatest);
        row.iter_mut().enumerate().for_each(|(at, x)| *x = f32::from(at == chosen));
    }
    engine.upload(shape, &elements)
}

/// What is expected of a cost that depends on one decision.
///
/// Shapes    `weights [..., K], costs [K] -> [..., 1]`
/// Gradient  `dy costs`
/// Source    arXiv:2010.11267 (size, working memory and operations as expectations)
pub fn expectation<E: Engine>(tape: &mut Tape<'_, E>, weights: Var, costs: &[f32]) -> Var {
    let costs = tape.engine().upload(&[costs.len()], costs);
    let costs = tape.constant(costs);
    let each = tape.zip(Binary::Multiply, weights, costs);
    let last = tape.engine().shape(tape.value(each)).len() - 1;
    tape.reduce(Summary::Sum, each, &[last])
}

/// What is expected of a cost that depends on two decisions which are drawn apart, as the weights of a
/// convolution on its own width and on that of its input.
///
/// Shapes    `first [K], second [L], costs [K,L] row-major -> [1]`
/// Gradient  `dy costs second` and `dy costs^T first`
pub fn expectation_of_two<E: Engine>(tape: &mut Tape<'_, E>, first: Var, second: Var, costs: &[f32]) -> Var {
    let engine = tape.engine();
    let [rows, columns] = [first, second].map(|var| engine.shape(tape.value(var))[0]);
    let costs = tape.constant(engine.upload(&[rows, columns], costs));
    let by_row = tape.zip(Binary::Multiply, costs, second);
    let by_row = tape.reduce(Summary::Sum, by_row, &[1]);
    let column = tape.reshape(first, &[rows, 1]);
    let each = tape.zip(Binary::Multiply, by_row, column);
    let sum = tape.reduce(Summary::Sum, each, &[0]);
    tape.reshape(sum, &[1])
}

/// Options of one shape, each times its weight, added from the first to the last.
///
/// Shapes    `weights [K], options [...]` each `-> [...]`
/// Gradient  to option `k`: `dy weights[k]`; to `weights[k]`: the sum of `dy` times option `k`
/// Source    arXiv:1812.03443 section 3.3; arXiv:2010.11267
pub fn mixture<E: Engine>(tape: &mut Tape<'_, E>, weights: Var, options: &[Var]) -> Var {
    let mut sum = None;
    for (index, &option) in options.iter().enumerate() {
        let weight = tape.slice(weights, &[index], &[1]);
        let part = tape.zip(Binary::Multiply, option, weight);
        sum = Some(sum.map_or(part, |sum| tape.add(sum, part)));
    }
    sum.expect("a decision has options")
}

/// The expected mask of a layer of which an option keeps the first `widths[k]` channels: one factor for each.
///
/// Shapes    `weights [K] -> [channels]`
/// Gradient  to `weights[k]`: the sum of `dy` over its channels
/// Source    arXiv:2004.05565 section 3.1 (channel masks)
pub fn width_mask<E: Engine>(tape: &mut Tape<'_, E>, weights: Var, widths: &[usize], channels: usize) -> Var {
    let keeps = |i: usize| f32::from(i % channels < widths[i / channels]);
    let masks: Vec<f32> = (0..widths.len() * channels).map(keeps).collect();
    let masks = tape.engine().upload(&[widths.len(), channels], &masks);
    let masks = tape.constant(masks);
    let column = tape.reshape(weights, &[widths.len(), 1]);
    let each = tape.zip(Binary::Multiply, masks, column);
    let sum = tape.reduce(Summary::Sum, each, &[0]);
    tape.reshape(sum, &Extents::new(&[channels]))
}
