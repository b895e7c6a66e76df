//! A network's planning problem by all schedules of each layer, and what each layer alone costs by them.
//!
//! In: the program whose layers are all fast, the one whose layers are all lean, and the one whose sums are computed by
//! their convolutions wherever that can be. The first two have the same steps over the same activations; the third has
//! one step for such a pair, and no buffer between the two. What differs besides is working memory, where outputs may
//! lie, and work. Out: the problem of any mixture, and of mixtures that are not decided yet, whose lower bound holds
//! for every decision.

use std::collections::BTreeMap;

use crate::estimate::cycles;
use crate::graph::Graph;
use crate::kernel::{Buffer, Program, Step, Variant};
use crate::plan::{self, BufferId, BufferKind, Interval, Overlap, Problem};
use crate::target::CostTable;

/// A layer with several schedules, or a convolution and the sum that may compute it.
pub(super) struct Layer {
    /// Its steps in the problem, the sum last.
    steps: Vec<usize>,
    /// The buffer between the two of a pair, by its number in the problem.
    between: Option<usize>,
    /// Its schedules. The first is all fast, the last all lean.
    pub(super) ways: Vec<Way>,
}

/// A way to compute a layer.
pub(super) struct Way {
    /// What the choice has for its nodes, by their positions in the graph's order.
    pub(super) variants: Vec<(usize, Variant)>,
    /// Cycles.
    pub(super) cycles: u64,
    /// Its operators that are lean.
    pub(super) lean: Vec<String>,
    /// Where each of its steps comes from.
    sources: Vec<Source>,
}

/// Which program has a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Fast,
    Lean,
    /// That of fused sums, where it has this number.
    Fused(usize),
    /// None: the next one computes it.
    Absorbed,
}

/// A program as far as it matters here.
pub(super) struct Lowered<'p> {
    /// What is planned, steps in the order of lowering.
    pub(super) problem: Problem,
    /// The steps, in that order.
    pub(super) steps: Vec<&'p Step>,
    /// The buffers.
    pub(super) buffers: &'p [Buffer],
}

impl<'p> Lowered<'p> {
    /// A program in the order of lowering.
    pub(super) fn of(program: &'p Program) -> Lowered<'p> {
        let (steps, buffers) = (program.steps.iter().collect(), program.buffers.as_slice());
        Lowered { problem: super::problem(program), steps, buffers }
    }
}

/// A program's problem, with the numbers of its activations in the mixtures.
struct Known {
    problem: Problem,
    numbers: BTreeMap<usize, BufferId>,
}

/// All ways.
pub(super) struct Alternatives {
    fast: Known,
    lean: Known,
    fused: Option<Known>,
    /// The activations.
    buffers: Vec<plan::Buffer>,
    /// Layers whose ways differ, by what the lean one loses, greatest first.
    pub(super) layers: Vec<Layer>,
}

impl Alternatives {
    /// From the programs; `None` where they are not of one network.
    pub(super) fn new(
        graph: &Graph,
        [fast, lean]: [Lowered<'_>; 2],
        fused: Option<Lowered<'_>>,
        cost: &CostTable,
    ) -> Option<Alternatives> {
        let is_same = |(a, b): (&&Step, &&Step)| a.node == b.node;
        if fast.steps.len() != lean.steps.len() || !fast.steps.iter().zip(&lean.steps).all(is_same) {
            return None;
        }
        let cycles = [&fast, &lean].map(|lowered| by_step(graph, lowered, cost));
        let mut layers = Vec::new();
        let mut is_paired = vec![false; fast.steps.len()];
        if let Some(fused) = &fused {
            let fused_cycles = by_step(graph, fused, cost);
            for (number, step) in fused.steps.iter().enumerate() {
                let Some(conv) = step.absorbs else { continue };
                let at = |node: usize| fast.steps.iter().position(|step| step.node == node);
                let pair = [at(conv)?, at(step.node)?];
                pair.iter().for_each(|&step| is_paired[step] = true);
                layers.push(paired(&fast, pair, &cycles, (number, fused_cycles[number])));
            }
        }
        for (step, (quick, plain)) in fast.steps.iter().zip(&lean.steps).enumerate() {
            if quick.work != plain.work && !is_paired[step] {
                let ways = vec![way(&[(quick, false, &cycles, step)]), way(&[(quick, true, &cycles, step)])];
                layers.push(Layer { steps: vec![step], between: None, ways });
            }
        }
        let gain =
            |layer: &Layer| layer.ways[0].cycles as i64 - layer.ways[layer.ways.len() - 1].cycles as i64;
        layers.sort_by_key(|layer| (gain(layer), layer.steps[0]));
        Alternatives::numbered(fast.problem, lean.problem, fused.map(|fused| fused.problem), layers)
    }

    /// With the numbers that each program's activations have in the mixtures; those of the buffers between the steps of
    /// pairs are not known yet.
    fn numbered(
        fast: Problem,
        lean: Problem,
        fused: Option<Problem>,
        mut layers: Vec<Layer>,
    ) -> Option<Alternatives> {
        let all = activations(&fast);
        let buffers: Vec<plan::Buffer> = all.iter().map(|&buffer| fast.buffers[buffer].clone()).collect();
        let own = numbers(&all);
        for layer in layers.iter_mut().filter(|layer| layer.steps.len() > 1) {
            layer.between = Some(own.get(&fast.steps[layer.steps[0]].writes.first()?.0)?.0);
        }
        let known = |problem: Problem, all: Vec<usize>| -> Option<Known> {
            let found = activations(&problem);
            let is_same = |(&a, &b): (&usize, &usize)| problem.buffers[a] == buffers[b];
            let is_one = found.len() == all.len() && found.iter().zip(&all).all(is_same);
            let numbers = found.iter().zip(all).map(|(&id, number)| (id, BufferId(number))).collect();
            is_one.then_some(Known { problem, numbers })
        };
        let every = || (0..buffers.len()).collect::<Vec<_>>();
        let between: Vec<usize> = layers.iter().filter_map(|layer| layer.between).collect();
        let left = every().into_iter().filter(|buffer| !between.contains(buffer)).collect();
        let fused = match fused {
            Some(fused) => Some(known(fused, left)?),
            None => None,
        };
        let (fast, lean) = (known(fast, every())?, known(lean, every())?);
        Some(Alternatives { fast, lean, fused, buffers, layers })
    }

    /// Bytes below which no arena exists, whatever becomes of layers that are not decided.
    pub(super) fn lower_bound(&self, decided: &[Option<usize>]) -> u64 {
        plan::lower_bound(&self.problem(decided))
    }

    /// The problem with these ways of [`Alternatives::layers`]. A layer without one has no working memory, and its
    /// outputs may lie wherever one of them allows; between the steps of a pair there are no bytes. With those, a plan
    /// of the pair by one step is one by two as well.
    fn problem(&self, decided: &[Option<usize>]) -> Problem {
        let mut sources = vec![Some(Source::Fast); self.fast.problem.steps.len()];
        let mut fused_steps = BTreeMap::new();
        let mut problem = Problem { buffers: self.buffers.clone(), steps: Vec::new() };
        for (layer, &decision) in self.layers.iter().zip(decided) {
            let way = decision.map(|way| &layer.ways[way]);
            for (at, &step) in layer.steps.iter().enumerate() {
                sources[step] = way.map(|way| way.sources[at]);
            }
            let fused = layer.ways.iter().flat_map(|way| &way.sources).find_map(|source| source.fused());
            if let (Some(buffer), Some(fused), Some(&sum)) = (layer.between, fused, layer.steps.last()) {
                fused_steps.insert(sum, fused);
                if way.is_none_or(|way| way.sources.contains(&Source::Absorbed)) {
                    problem.buffers[buffer].bytes = 0;
                }
            }
        }
        for (number, source) in sources.into_iter().enumerate() {
            let fused = self.fused.as_ref().zip(fused_steps.get(&number));
            let (known, number_there) = match (source, fused) {
                (Some(Source::Absorbed), _) => continue,
                (Some(Source::Fused(_)), Some((fused, &there))) => (fused, there),
                (Some(Source::Lean), _) => (&self.lean, number),
                _ => (&self.fast, number),
            };
            let mut step = known.step(number_there);
            if source.is_none() {
                step.scratch.clear();
                let mut others = self.lean.step(number).overlaps;
                others.extend(fused.into_iter().flat_map(|(fused, &there)| fused.step(there).overlaps));
                others.retain(|overlap| step.reads.contains(&overlap.read));
                widen(&mut step.overlaps, others);
            } else {
                for id in &mut step.scratch {
                    problem.buffers.push(known.problem.buffers[id.0].clone());
                    *id = BufferId(problem.buffers.len() - 1);
                }
            }
            problem.steps.push(step);
        }
        problem
    }
}

impl Source {
    fn fused(self) -> Option<usize> {
        match self {
            Source::Fused(step) => Some(step),
            Source::Fast | Source::Lean | Source::Absorbed => None,
        }
    }
}

impl Known {
    /// A step with the mixtures' numbers, but for its working memory.
    fn step(&self, number: usize) -> plan::Step {
        let step = &self.problem.steps[number];
        let renamed =
            |ids: &[BufferId]| ids.iter().filter_map(|id| self.numbers.get(&id.0).copied()).collect();
        let overlap = |overlap: &Overlap| Overlap {
            read: self.numbers[&overlap.read.0],
            written: self.numbers[&overlap.written.0],
            safe: overlap.safe.clone(),
        };
        plan::Step {
            name: step.name.clone(),
            reads: renamed(&step.reads),
            writes: renamed(&step.writes),
            scratch: step.scratch.clone(),
            overlaps: step.overlaps.iter().map(overlap).collect(),
        }
    }
}

/// A step that is lean or fast, with the cycles of all steps by both and its number.
type Part<'a> = (&'a Step, bool, &'a [Vec<u64>; 2], usize);

/// Steps that are each fast or lean.
fn way(parts: &[Part<'_>]) -> Way {
    let lean = || parts.iter().filter(|(_, is_lean, ..)| *is_lean);
    Way {
        variants: lean().map(|(step, ..)| (step.node, Variant::Lean)).collect(),
        cycles: parts.iter().map(|&(_, is_lean, cycles, number)| cycles[usize::from(is_lean)][number]).sum(),
        lean: lean().map(|(step, ..)| step.op.clone()).collect(),
        sources: parts
            .iter()
            .map(|(_, is_lean, ..)| if *is_lean { Source::Lean } else { Source::Fast })
            .collect(),
    }
}

/// A convolution and its sum: both by themselves in all ways, or as the step with this number and cycles.
fn paired(
    fast: &Lowered<'_>,
    pair: [usize; 2],
    cycles: &[Vec<u64>; 2],
    (number, fused): (usize, u64),
) -> Layer {
    let of = |is_lean: [bool; 2]| {
        let part = |at: usize| (fast.steps[pair[at]], is_lean[at], cycles, pair[at]);
        way(&[part(0), part(1)])
    };
    let mut ways = Vec::from([[false, false], [false, true], [true, false], [true, true]].map(of));
    let one = Way {
        variants: vec![(fast.steps[pair[1]].node, Variant::Fused)],
        cycles: fused,
        lean: Vec::new(),
        sources: vec![Source::Absorbed, Source::Fused(number)],
    };
    ways.insert(1, one);
    Layer { steps: pair.to_vec(), between: None, ways }
}

/// The buffers that are no working memory.
fn activations(problem: &Problem) -> Vec<usize> {
    let buffers = 0..problem.buffers.len();
    buffers.filter(|&buffer| problem.buffers[buffer].kind != BufferKind::Scratch).collect()
}

fn numbers(buffers: &[usize]) -> BTreeMap<usize, BufferId> {
    buffers.iter().enumerate().map(|(number, &buffer)| (buffer, BufferId(number))).collect()
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
fn by_step(graph: &Graph, lowered: &Lowered<'_>, cost: &CostTable) -> Vec<u64> {
    let mut one = Program { buffers: lowered.buffers.to_vec(), ..Program::default() };
    let alone = |step: &&Step| {
        one.steps = vec![(*step).clone()];
        cycles::cycles(graph, &one, cost)
    };
    lowered.steps.iter().map(alone).collect()
}
