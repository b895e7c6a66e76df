//! A network's planning problem by both schedules of each layer, and what each layer alone costs by them.
//!
//! In: the program whose layers are all fast and the one whose layers are all lean. They have the same steps over the
//! same activations; what differs is working memory, where outputs may lie, and work. Out: the problem of any mixture,
//! and of mixtures that are not decided yet, whose lower bound holds for every decision.

use std::collections::BTreeMap;

use crate::estimate::cycles;
use crate::graph::Graph;
use crate::kernel::{Buffer, Program, Step, Variant};
use crate::plan::{self, BufferId, BufferKind, Interval, Overlap, Problem};
use crate::target::CostTable;

/// A layer with two schedules.
pub(super) struct Layer {
    /// Its node's position in the graph's order.
    pub(super) position: usize,
    /// Its step in the problem.
    pub(super) step: usize,
    /// Its operator.
    pub(super) op: String,
    /// Cycles, fast and lean.
    pub(super) cycles: [u64; 2],
}

/// A program as far as it matters here.
pub(super) struct Way<'p> {
    /// What is planned, steps in the order of lowering.
    pub(super) problem: Problem,
    /// The steps, in that order.
    pub(super) steps: Vec<&'p Step>,
    /// The buffers.
    pub(super) buffers: &'p [Buffer],
}

/// Both ways.
pub(super) struct Alternatives {
    fast: Problem,
    lean: Problem,
    /// Layers whose ways differ, by what the lean one loses, greatest first.
    pub(super) layers: Vec<Layer>,
}

impl Alternatives {
    /// From the programs; `None` where they are not of one network.
    pub(super) fn new(graph: &Graph, [fast, lean]: [Way<'_>; 2], cost: &CostTable) -> Option<Alternatives> {
        if fast.steps.len() != lean.steps.len() {
            return None;
        }
        let [fast_cycles, lean_cycles] = [&fast, &lean].map(|way| by_step(graph, way, cost));
        let mut layers = Vec::new();
        for (step, (quick, plain)) in fast.steps.iter().zip(&lean.steps).enumerate() {
            if quick.node != plain.node {
                return None;
            }
            if quick.work != plain.work {
                let cycles = [fast_cycles[step], lean_cycles[step]];
                layers.push(Layer { position: quick.node, step, op: quick.op.clone(), cycles });
            }
        }
        layers.sort_by_key(|layer| (layer.cycles[0] as i64 - layer.cycles[1] as i64, layer.step));
        Some(Alternatives { fast: fast.problem, lean: lean.problem, layers })
    }

    /// Bytes below which no arena exists, whatever becomes of layers that are not decided.
    pub(super) fn lower_bound(&self, decided: &[Option<Variant>]) -> u64 {
        plan::lower_bound(&self.problem(decided))
    }

    /// The problem with these schedules of [`Alternatives::layers`]. A layer without one has no working memory, and
    /// its outputs may lie wherever one of the two allows.
    fn problem(&self, decided: &[Option<Variant>]) -> Problem {
        let mut by_step = vec![Some(Variant::Fast); self.fast.steps.len()];
        for (layer, &variant) in self.layers.iter().zip(decided) {
            by_step[layer.step] = variant;
        }
        let [fast, lean] = [&self.fast, &self.lean].map(activations);
        let mut problem = Problem {
            buffers: fast.iter().map(|&buffer| self.fast.buffers[buffer].clone()).collect(),
            steps: Vec::new(),
        };
        let [from_fast, from_lean] = [&fast, &lean].map(|buffers| numbers(buffers));
        let quick = self.fast.steps.iter().map(|step| (step, &from_fast, &self.fast));
        let plain = self.lean.steps.iter().map(|step| (step, &from_lean, &self.lean));
        for ((quick, plain), variant) in quick.zip(plain).zip(by_step) {
            let (step, map, whole) = if variant == Some(Variant::Lean) { plain } else { quick };
            let renamed = |ids: &[BufferId]| ids.iter().filter_map(|id| map.get(&id.0).copied()).collect();
            let mut overlaps = overlaps_of((step, map));
            let mut scratch = Vec::new();
            match variant {
                None => widen(&mut overlaps, overlaps_of((plain.0, plain.1))),
                Some(_) => {
                    for id in &step.scratch {
                        scratch.push(BufferId(problem.buffers.len()));
                        problem.buffers.push(whole.buffers[id.0].clone());
                    }
                }
            }
            problem.steps.push(plan::Step {
                name: step.name.clone(),
                reads: renamed(&step.reads),
                writes: renamed(&step.writes),
                scratch,
                overlaps,
            });
        }
        problem
    }
}

/// The buffers that are no working memory.
fn activations(problem: &Problem) -> Vec<usize> {
    let buffers = 0..problem.buffers.len();
    buffers.filter(|&buffer| problem.buffers[buffer].kind != BufferKind::Scratch).collect()
}

fn numbers(buffers: &[usize]) -> BTreeMap<usize, BufferId> {
    buffers.iter().enumerate().map(|(number, &buffer)| (buffer, BufferId(number))).collect()
}

fn overlaps_of((step, map): (&plan::Step, &BTreeMap<usize, BufferId>)) -> Vec<Overlap> {
    let renamed = |overlap: &Overlap| Overlap {
        read: map[&overlap.read.0],
        written: map[&overlap.written.0],
        safe: overlap.safe.clone(),
    };
    step.overlaps.iter().map(renamed).collect()
}

/// Adds the distances of others.
fn widen(overlaps: &mut Vec<Overlap>, others: Vec<Overlap>) {
    for other in others {
        match overlaps.iter_mut().find(|known| (known.read, known.written) == (other.read, other.written)) {
            Some(known) => {
                known.safe.extend(other.safe);
                known.safe = merged(std::mem::take(&mut known.safe));
            }
            None => overlaps.push(other),
        }
    }
}

/// The same integers in disjoint intervals, ascending.
fn merged(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    let mut out: Vec<Interval> = Vec::new();
    for interval in intervals {
        match out.last_mut() {
            Some(last) if interval.low <= last.high.saturating_add(1) => {
                last.high = last.high.max(interval.high);
            }
            _ => out.push(interval),
        }
    }
    out
}

/// Cycles of each step by itself.
fn by_step(graph: &Graph, way: &Way<'_>, cost: &CostTable) -> Vec<u64> {
    let mut one = Program { buffers: way.buffers.to_vec(), ..Program::default() };
    let alone = |step: &&Step| {
        one.steps = vec![(*step).clone()];
        cycles::cycles(graph, &one, cost)
    };
    way.steps.iter().map(alone).collect()
}
