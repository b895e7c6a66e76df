//! Masks: pruning of single weights or of channels, for good or with a way back.
//!
//! A mask has the shape of its parameter and holds 0 and 1. Masks are chosen on the host, which happens rarely.

use crate::train::engine::{Binary, Engine};
use crate::train::extents::Extents;
use crate::train::tape::{Tape, Var};

/// A parameter without what its mask takes away.
///
/// Shapes    `w [...], mask [...] -> [...]`
/// Gradient  `dy mask`: what is masked rests; the mask is a constant
pub fn masked<E: Engine>(tape: &mut Tape<'_, E>, w: Var, mask: E::Tensor) -> Var {
    tape.scaled(w, mask)
}

/// A parameter without what its mask takes away, which still learns and may come back with the next mask.
///
/// Shapes    `w [...], mask [...] -> [...]`
/// Gradient  `dy`, that of the masked parameter, to all of the dense one
/// Source    arXiv:2006.07253, algorithm 1
pub fn masked_with_feedback<E: Engine>(tape: &mut Tape<'_, E>, w: Var, mask: &E::Tensor) -> Var {
    let value = tape.engine().zip(Binary::Multiply, tape.value(w), mask);
    tape.straight_through_value(w, value)
}

/// The sparsity after a share `progress` of pruning, in `0..=1`: `last (1 - (1 - progress)^3)`.
///
/// Source  arXiv:1710.01878 equation 1, from sparsity 0
pub fn gradual_sparsity(last: f64, progress: f64) -> f64 {
    let left = 1.0 - progress.clamp(0.0, 1.0);
    last * (1.0 - left * left * left)
}

/// Masks that take the weights of least magnitude among all of these parameters: the share `sparsity` of their
/// number, rounded down. Among equal ones those that come first go first.
///
/// Shapes  `[...]` each `-> [...]` each
/// Source  arXiv:2006.07253; arXiv:2010.14246 (one threshold for all layers)
pub fn magnitude_masks<E: Engine>(engine: &E, parameters: &[&E::Tensor], sparsity: f64) -> Vec<E::Tensor> {
    let mut magnitudes = Vec::new();
    let mut elements = Vec::new();
    for &parameter in parameters {
        engine.read(parameter, &mut elements);
        magnitudes.extend(elements.iter().map(|x| f64::from(x.abs())));
    }
    let kept = keep_greatest(&magnitudes, sparsity);
    let mut from = 0;
    let mask = |parameter: &&E::Tensor| {
        let shape = engine.shape(parameter);
        let count = shape.iter().product::<usize>();
        let mask: Vec<f32> = kept[from..from + count].iter().map(|&kept| f32::from(kept)).collect();
        from += count;
        engine.upload(shape, &mask)
    };
    parameters.iter().map(mask).collect()
}

/// Masks that take the channels of least norm among all of these parameters, each with the dimension of its
/// channels: the share `sparsity` of their number, rounded down, ties as in [`magnitude_masks`]. Each parameter
/// keeps its channel of the greatest norm, since a layer without channels would end the network.
///
/// Shapes  `[..., C, ...]` each `-> [..., C, ...]` each
/// Source  arXiv:2010.14246 (L2 norm of output channels, one threshold for all layers)
pub fn channel_masks<E: Engine>(
    engine: &E,
    parameters: &[(&E::Tensor, usize)],
    sparsity: f64,
) -> Vec<E::Tensor> {
    let norms: Vec<Vec<f64>> = parameters.iter().map(|&(w, axis)| channel_norms(engine, w, axis)).collect();
    let mut kept = keep_greatest(&norms.concat(), sparsity);
    let mut from = 0;
    let mut masks = Vec::with_capacity(parameters.len());
    for (&(parameter, axis), norms) in parameters.iter().zip(&norms) {
        let own = &mut kept[from..from + norms.len()];
        from += norms.len();
        if let Some(&best) = descending(norms).first() {
            own[best as usize] = true;
        }
        let shape = engine.shape(parameter);
        let row = Extents::from_fn(shape.len(), |at| if at == axis { own.len() } else { 1 });
        let mask: Vec<f32> = own.iter().map(|&kept| f32::from(kept)).collect();
        masks.push(engine.broadcast(&engine.upload(&row, &mask), shape));
    }
    masks
}

/// The L2 norm of each channel, summed in row-major order.
pub fn channel_norms<E: Engine>(engine: &E, w: &E::Tensor, axis: usize) -> Vec<f64> {
    channel_sums(engine, w, axis, |x| x * x).into_iter().map(f64::sqrt).collect()
}

/// Sums of a function over the elements of each channel, in row-major order.
pub(super) fn channel_sums<E: Engine>(
    engine: &E,
    w: &E::Tensor,
    axis: usize,
    f: impl Fn(f64) -> f64,
) -> Vec<f64> {
    let shape = engine.shape(w);
    let inner: usize = shape[axis + 1..].iter().product();
    let mut sums = vec![0.0; shape[axis]];
    for (index, &x) in engine.download(w).iter().enumerate() {
        sums[index / inner % shape[axis]] += f(f64::from(x));
    }
    sums
}

/// Indices by descending value, equal ones by descending index, so that what is cut from the end comes first.
fn descending(values: &[f64]) -> Vec<u32> {
    let mut order: Vec<u32> = (0..values.len() as u32).collect();
    order.sort_by(|&a, &b| values[b as usize].total_cmp(&values[a as usize]).then(b.cmp(&a)));
    order
}

/// Whether each value stays once the least ones are gone.
fn keep_greatest(values: &[f64], sparsity: f64) -> Vec<bool> {
    let gone = (values.len() as f64 * sparsity.clamp(0.0, 1.0)) as usize;
    let mut kept = vec![true; values.len()];
    for &index in &descending(values)[values.len() - gone..] {
        kept[index as usize] = false;
    }
    kept
}
