//! The parameters of a network, those that are trained packed by group: one tensor for each group, so that a step
//! of the optimiser is a few primitives however many layers there are.

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
    /// Indices of the parameters, each in one group at most; in this order they are packed.
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
    /// Of all parameters, in the network's order.
    values: Vec<T>,
    packs: Vec<Pack<T>>,
    /// Gradients of a group, flat, while they are packed.
    flat: Vec<T>,
    norm: Vec<f32>,
}

/// A group as one tensor `[P]`: its members flat, one behind the other.
#[derive(Clone, Debug)]
struct Pack<T> {
    group: Group,
    state: Remembered<T>,
    gradient: Option<T>,
}

impl<T: Clone> Parameters<T> {
    /// Packs parameters; what is remembered of them is 0.
    pub fn new<E: Engine<Tensor = T>>(
        engine: &E,
        optimizer: &Optimizer,
        groups: Vec<Group>,
        values: Vec<T>,
    ) -> Parameters<T> {
        let mut parameters = Parameters { values, packs: Vec::new(), flat: Vec::new(), norm: Vec::new() };
        for group in groups {
            let value = parameters.packed(engine, &group, |index| Some(&parameters.values[index]));
            let zeros = engine.full(engine.shape(&value), 0.0);
            let memory = vec![zeros; optimizer.memories().len()];
            parameters.packs.push(Pack { group, state: Remembered { value, memory }, gradient: None });
        }
        parameters
    }

    /// All parameters, in the network's order.
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// Replaces a parameter that is in no group, such as a running statistic.
    ///
    /// # Panics
    /// Where it is in a group.
    pub fn replace(&mut self, index: usize, value: T) {
        let free = self.packs.iter().all(|pack| !pack.group.members.contains(&index));
        assert!(free, "parameter {index} belongs to the optimiser");
        self.values[index] = value;
    }

    /// Members of a group, flat and one behind the other; zeros for those that `member` has nothing for.
    fn packed<'t, E: Engine<Tensor = T>>(
        &'t self,
        engine: &E,
        group: &Group,
        member: impl Fn(usize) -> Option<&'t T>,
    ) -> T {
        let mut flat = Vec::new();
        self.flatten(engine, group, member, &mut flat);
        engine.concat(&flat.iter().collect::<Vec<&T>>(), 0)
    }

    fn flatten<'t, E: Engine<Tensor = T>>(
        &self,
        engine: &E,
        group: &Group,
        member: impl Fn(usize) -> Option<&'t T>,
        into: &mut Vec<T>,
    ) where
        T: 't,
    {
        into.clear();
        for &index in &group.members {
            let count = engine.shape(&self.values[index]).iter().product();
            into.push(match member(index) {
                Some(tensor) => engine.reshape(tensor, &[count]),
                None => engine.full(&[count], 0.0),
            });
        }
    }

    /// One step. A parameter that `gradient` has nothing for counts as one whose gradient is 0. `clip` is the
    /// greatest norm of all gradients together; longer ones are brought to it. `at.decay` is a factor of every
    /// group's own.
    ///
    /// Order   the norm is the root of the groups' sums of squares, each by [`Engine::reduce`] over its members in
    ///         their order, added as `f64` in the order of the groups
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
        let mut flat = std::mem::take(&mut self.flat);
        for place in 0..self.packs.len() {
            self.flatten(engine, &self.packs[place].group, &gradient, &mut flat);
            self.packs[place].gradient = Some(concat(engine, &flat));
        }
        flat.clear();
        self.flat = flat;
        let scale = clip.map_or(1.0, |limit| limit / (self.norm(engine) + CLIP_EPSILON));
        for Pack { group, state, gradient } in &mut self.packs {
            let Some(mut gradient) = gradient.take() else { continue };
            if scale < 1.0 || scale.is_nan() {
                gradient = engine.map(Unary::Affine { scale: scale as f32, offset: 0.0 }, &gradient);
            }
            let at = Moment { rate: at.rate * group.rate, decay: at.decay * group.decay, ..at };
            optimizer.update(engine, state, &gradient, at);
        }
        self.unpack(engine);
    }

    /// Norm of all packed gradients together.
    fn norm<E: Engine<Tensor = T>>(&mut self, engine: &E) -> f64 {
        let mut sum = 0.0;
        for gradient in self.packs.iter().filter_map(|pack| pack.gradient.as_ref()) {
            let square = engine.reduce(Reduction::Sum, &engine.map(Unary::Square, gradient), &[0]);
            engine.read(&square, &mut self.norm);
            sum += f64::from(self.norm[0]);
        }
        sum.sqrt()
    }

    /// Takes the members out of their packs.
    fn unpack<E: Engine<Tensor = T>>(&mut self, engine: &E) {
        for pack in &self.packs {
            let mut start = 0;
            for &index in &pack.group.members {
                let extents = Extents::new(engine.shape(&self.values[index]));
                let part = engine.slice(&pack.state.value, &[start], &[extents.elements()]);
                self.values[index] = engine.reshape(&part, &extents);
                start += extents.elements();
            }
        }
    }

    /// What is remembered of a parameter, flat, in the order of the rule's names; nothing of one in no group.
    pub fn memories<E: Engine<Tensor = T>>(&self, engine: &E, parameter: usize) -> Vec<T> {
        let size = |index: usize| engine.shape(&self.values[index]).iter().product::<usize>();
        for Pack { group, state, .. } in &self.packs {
            if let Some(place) = group.members.iter().position(|&member| member == parameter) {
                let start = group.members[..place].iter().map(|&member| size(member)).sum();
                let extent = size(parameter);
                return state.memory.iter().map(|all| engine.slice(all, &[start], &[extent])).collect();
            }
        }
        Vec::new()
    }

    /// Replaces all parameters, and what is remembered of those in a group: `memory(parameter, m)` is what the
    /// rule remembers under its name `m`.
    pub fn restore<E: Engine<Tensor = T>>(
        &mut self,
        engine: &E,
        values: Vec<T>,
        memory: impl Fn(usize, usize) -> T,
    ) {
        self.values = values;
        for place in 0..self.packs.len() {
            let group = &self.packs[place].group;
            let value = self.packed(engine, group, |index| Some(&self.values[index]));
            let remembered = (0..self.packs[place].state.memory.len())
                .map(|name| {
                    let parts: Vec<T> = group.members.iter().map(|&member| memory(member, name)).collect();
                    let flat = |part: &T| engine.reshape(part, &[engine.shape(part).iter().product()]);
                    concat(engine, &parts.iter().map(flat).collect::<Vec<T>>())
                })
                .collect();
            self.packs[place].state = Remembered { value, memory: remembered };
        }
    }

    /// Moves a parameter that is in no group towards `target`: `fma(value, keep, target * share)`.
    pub fn approach<E: Engine<Tensor = T>>(
        &mut self,
        engine: &E,
        index: usize,
        target: &T,
        (keep, share): (f64, f64),
    ) {
        let combine = Binary::Combine { first: keep as f32, second: share as f32 };
        let value = engine.zip(combine, &self.values[index], target);
        self.values[index] = value;
    }
}

/// Added to a norm before the limit is divided by it, as PyTorch's `clip_grad_norm_` does.
const CLIP_EPSILON: f64 = 1e-6;

/// Flat tensors one behind the other.
fn concat<E: Engine>(engine: &E, parts: &[E::Tensor]) -> E::Tensor {
    /// So many are named without a list of their own.
    const NAMED: usize = 256;
    let Some(first) = parts.first() else { return engine.full(&[0], 0.0) };
    if parts.len() <= NAMED {
        let mut named = [first; NAMED];
        named.iter_mut().zip(parts).for_each(|(name, part)| *name = part);
        return engine.concat(&named[..parts.len()], 0);
    }
    engine.concat(&parts.iter().collect::<Vec<&E::Tensor>>(), 0)
}
