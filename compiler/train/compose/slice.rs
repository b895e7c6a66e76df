//! Elastic width: some channels of a parameter that is shared by layers of several widths.
//!
//! Each part of a layer is cut by itself: a convolution `[O,Kh,Kw,C]` along 0 by its own channels and along 3 by
//! those of its input, a depthwise one `[1,Kh,Kw,C]` along 3, a dense one `[O,I]` along 0 and 1, biases and batch
//! normalisations `[C]` along 0.

use std::sync::Arc;

use super::mask::channel_sums;
use crate::train::engine::Engine;
use crate::train::extents::Extents;
use crate::train::tape::{Tape, Var};

/// Which channels of a layer are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Channels {
    /// The first ones.
    First(usize),
    /// These, in this order.
    Listed(Arc<[u32]>),
}

impl Channels {
    /// The first `count` of an order, as [`by_importance`] gives it.
    pub fn best(order: &[u32], count: usize) -> Channels {
        Channels::Listed(Arc::from(&order[..count]))
    }

    /// How many they are.
    pub fn count(&self) -> usize {
        match self {
            Channels::First(count) => *count,
            Channels::Listed(list) => list.len(),
        }
    }
}

/// Some indices of a dimension. All of them in their order cost nothing.
///
/// Shapes    `x [..., C, ...] -> [..., count, ...]`
/// Gradient  `dy` at the places of these channels in the whole parameter, 0 at the others
/// Source    arXiv:1908.09791 section 3.3 (elastic width)
pub fn channels<E: Engine>(tape: &mut Tape<'_, E>, x: Var, axis: usize, wanted: &Channels) -> Var {
    let shape = Extents::new(tape.engine().shape(tape.value(x)));
    match wanted {
        Channels::First(count) if *count == shape[axis] => x,
        Channels::First(count) => {
            let start = Extents::from_fn(shape.len(), |_| 0);
            let extent = Extents::from_fn(shape.len(), |at| if at == axis { *count } else { shape[at] });
            tape.slice(x, &start, &extent)
        }
        Channels::Listed(list) => tape.gather(x, axis, list),
    }
}

/// Weights of a convolution or a dense layer, cut to the channels of the output and of the input.
///
/// Shapes    `w [O, ..., I] -> [outputs, ..., inputs]`
/// Gradient  as [`channels`]
pub fn weights<E: Engine>(tape: &mut Tape<'_, E>, w: Var, outputs: &Channels, inputs: &Channels) -> Var {
    let last = tape.engine().shape(tape.value(w)).len() - 1;
    let rows = channels(tape, w, 0, outputs);
    channels(tape, rows, last, inputs)
}

/// Weights of a dense layer behind a map of so many positions that was made a vector, position by position.
///
/// Shapes    `w [O, positions * C] -> [outputs, positions * inputs]`
/// Gradient  as [`channels`]
pub fn weights_behind_map<E: Engine>(
    tape: &mut Tape<'_, E>,
    w: Var,
    positions: usize,
    outputs: &Channels,
    inputs: &Channels,
) -> Var {
    let rows = channels(tape, w, 0, outputs);
    let shape = tape.engine().shape(tape.value(rows));
    let (count, features) = (shape[0], shape[1]);
    let map = tape.reshape(rows, &[count, positions, features / positions]);
    let cut = channels(tape, map, 2, inputs);
    tape.reshape(cut, &[count, positions * inputs.count()])
}

/// The channels of a dimension by descending L1 norm, equal ones by ascending index. The norm is that of the
/// weights which *use* the channels: axis 3 of the projection that follows.
///
/// Source  arXiv:1908.09791 section 3.3 (channel sorting)
pub fn by_importance<E: Engine>(engine: &E, w: &E::Tensor, axis: usize) -> Vec<u32> {
    let norms = channel_sums(engine, w, axis, f64::abs);
    let mut order: Vec<u32> = (0..norms.len() as u32).collect();
    order.sort_by(|&a, &b| norms[b as usize].total_cmp(&norms[a as usize]).then(a.cmp(&b)));
    order
}
