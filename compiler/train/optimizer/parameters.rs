//! The parameters of a network, with what the optimiser remembers of those that it changes, by group.
//!
//! Each parameter stays a tensor of its own: packing a group into one tensor and taking it apart again costs more
//! than the calls that it saves (measured on the embedded engine with the 28 parameters of a DS-CNN: 78 to 147
//! microseconds a step packed, 13 to 37 apart).

use super::{Moment, Optimizer, Remembered};
use crate::ops::{Param, ParamRole};
use crate::train::engine::{Binary, Engine, Reduction, Unary};
use crate::train::extents::Extents;

/// Parameters that the optimiser treats alike.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Factor of the learning rate.
    pub rate: f64,
    /// Factor of the weight decay; 0 for none.
    pub decay: f64,
    /// Indices of the parameters, each in one group at most.
    pub members: Vec<usize>,
}

/// The groups of a plain training: weights of convolutions and dense layers decay; biases and the parameters of
/// batch normalisation do not.
///
/// Source  arXiv:1812.01187 section 3.1
pub fn role_groups(params: &[Param]) -> Vec<Group> {
    let those = |decays: bool| {
        let wanted = |param: &Param| param.role.is_trained() && (param.role == ParamRole::Weight) == decays;
        (0..params.len()).filter(|&index| wanted(&params[index])).collect::<Vec<usize>>()
    };
    [(1.0, those(true)), (0.0, those(false))]
        .into_iter()
        .filter(|(_, members)| !members.is_empty())
        .map(|(decay, members)| Group { rate: 1.0, decay, members })
        .collect()
}

/// The parameters of a network and what the optimiser remembers of those that are in a group. Cloning shares the
/// elements, so that a clone is a state to come back to.
#[derive(Clone, Debug)]
pub struct Parameters<T> {
    /// Of all parameters, in the network's order; nothing is remembered of those in no group.
    all: Vec<Remembered<T>>,
    groups: Vec<Group>,
    /// Sums of squares of gradients, while their norm is taken.
    squares: Vec<T>,
    read: Vec<f32>,
}

impl<T: Clone> Parameters<T> {
    /// These parameters; what is remembered of them is 0.
    pub fn new<E: Engine<Tensor = T>>(
        engine: &E,
        optimizer: &Optimizer,
        groups: Vec<Group>,
        values: Vec<T>,
    ) -> Parameters<T> {
        let mut all: Vec<Remembered<T>> =
            values.into_iter().map(|value| Remembered { value, memory: Vec::new() }).collect();
        for &member in groups.iter().flat_map(|group| &group.members) {
            let zeros = engine.full(engine.shape(&all[member].value), 0.0);
            all[member].memory = vec![zeros; optimizer.memories().len()];
        }
        Parameters { all, groups, squares: Vec::new(), read: Vec::new() }
    }

    /// All parameters, in the network's order.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.all.iter().map(|one| &one.value)
    }

    /// What is remembered of a parameter, in the order of the rule's names; nothing of one in no group.
    pub fn memory(&self, parameter: usize) -> &[T] {
        &self.all[parameter].memory
    }

    /// Replaces all parameters, and what is remembered of those in a group: `memory(parameter, m)` is what the
    /// rule remembers under its name `m`.
    pub(in crate::train) fn restore(&mut self, values: Vec<T>, memory: impl Fn(usize, usize) -> T) {
        for (index, (one, value)) in self.all.iter_mut().zip(values).enumerate() {
            one.value = value;
            one.memory.iter_mut().enumerate().for_each(|(name, place)| *place = memory(index, name));
        }
    }

    /// One step of every group. A parameter that `gradient` has nothing for stays as it is. `clip` is the greatest
    /// norm of all gradients together; longer ones are brought to it. `at.decay` is a factor of every group's own.
    ///
    /// Order   the norm is the root of the sum, as `f64` in the order of groups and members, of each gradient's
    ///         sum of squares by [`Engine::reduce`]
    /// Source  arXiv:1211.5063 algorithm 1 (clipping)
    pub fn update<'g, E: Engine<Tensor = T>>(
        &mut self,
        engine: &E,
        optimizer: &Optimizer,
        clip: Option<f64>,
        gradient: impl Fn(usize) -> Option<&'g T>,
        at: Moment,
    ) where
        T: 'g,
    {
        let scale = clip.map_or(1.0, |limit| limit / (self.norm(engine, &gradient) + CLIP_EPSILON));
        for group in &self.groups {
            let at = Moment { rate: at.rate * group.rate, decay: at.decay * group.decay, ..at };
            for &member in &group.members {
                let Some(gradient) = gradient(member) else { continue };
                // Also where it is no number, so that a divergence shows.
                if scale < 1.0 || scale.is_nan() {
                    let shorter = engine.map(Unary::Affine { scale: scale as f32, offset: 0.0 }, gradient);
                    optimizer.update(engine, &mut self.all[member], &shorter, at);
                } else {
                    optimizer.update(engine, &mut self.all[member], gradient, at);
                }
            }
        }
    }

    /// Norm of all gradients of groups together; they leave the device in one tensor.
    fn norm<'g, E: Engine<Tensor = T>>(
        &mut self,
        engine: &E,
        gradient: impl Fn(usize) -> Option<&'g T>,
    ) -> f64
    where
        T: 'g,
    {
        self.squares.clear();
        for gradient in self.groups.iter().flat_map(|group| &group.members).filter_map(|&at| gradient(at)) {
            let axes = Extents::from_fn(engine.shape(gradient).len(), |axis| axis);
            let square = engine.reduce(Reduction::Sum, &engine.map(Unary::Square, gradient), &axes);
            self.squares.push(engine.reshape(&square, &[1]));
        }
        if self.squares.is_empty() {
            return 0.0;
        }
        engine.read(&concat(engine, &self.squares), &mut self.read);
        self.squares.clear();
        self.read.iter().map(|&square| f64::from(square)).sum::<f64>().sqrt()
    }

    /// Moves a parameter that is in no group towards `target`: `fma(value, keep, target * share)`.
    ///
    /// # Panics
    /// Where something is remembered of it: it belongs to the optimiser.
    pub fn approach<E: Engine<Tensor = T>>(
        &mut self,
        engine: &E,
        index: usize,
        target: &T,
        (keep, share): (f64, f64),
    ) {
        let Remembered { value, memory } = &mut self.all[index];
        assert!(memory.is_empty(), "parameter {index} belongs to the optimiser");
        let combine = Binary::Combine { first: keep as f32, second: share as f32 };
        *value = engine.zip(combine, value, target);
    }
}

/// Added to a norm before the limit is divided by it, as PyTorch's `clip_grad_norm_` does.
const CLIP_EPSILON: f64 = 1e-6;

/// Flat tensors one behind the other, at least one.
fn concat<E: Engine>(engine: &E, parts: &[E::Tensor]) -> E::Tensor {
    /// So many are named without a list on the heap.
    const NAMED: usize = 256;
    if parts.len() > NAMED {
        return engine.concat(&parts.iter().collect::<Vec<&E::Tensor>>(), 0);
    }
    let mut named = [&parts[0]; NAMED];
    named.iter_mut().zip(parts).for_each(|(name, part)| *name = part);
    engine.concat(&named[..parts.len()], 0)
}
