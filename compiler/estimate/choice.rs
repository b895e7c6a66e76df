//! Which layers are computed by their lean schedules, and which sums by their convolutions: those without which a
//! network does not fit its chip.
//!
//! In: an integer graph, a target and what the network may cost there. Out: its deployment, all fast if that fits;
//! else of the choices that fit the one with the fewest cycles; else the one that comes nearest. Each alternative of
//! each layer is weighed in RAM, flash and cycles.
//!
//! First each layer is taken by itself: the fastest schedule with which no plan is ruled out by the lower bound while
//! all others are open. In a chain of layers that is the best choice already. Then kinds of layers are made lean at
//! once where tables and code are too large, since one function in assembly serves many layers. Then lean layers are
//! made fast again, one by one, where that still fits. What is left is searched by branch and bound. Work is bounded
//! by counts, so that equal networks get equal choices everywhere.

use std::collections::BTreeSet;

use crate::estimate::alternatives::{Alternatives, Layer, Lowered, Way};
use crate::estimate::{Deployment, Estimate, FrontEndCost, context_bytes, deploy_with};
use crate::graph::Graph;
use crate::kernel::{self, Choice, Variant};
use crate::ops::Op;
use crate::plan::Effort;
use crate::target::Target;

/// The most that a network may cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Bytes of RAM.
    pub ram_bytes: f64,
    /// Bytes of flash.
    pub flash_bytes: f64,
    /// Bytes of tables.
    pub weights_bytes: f64,
    /// Seconds for one inference.
    pub seconds: f64,
    /// Joules for one inference.
    pub joules: f64,
}

impl Default for Limits {
    /// None: everything is fast.
    fn default() -> Limits {
        let none = f64::INFINITY;
        Limits { ram_bytes: none, flash_bytes: none, weights_bytes: none, seconds: none, joules: none }
    }
}

/// Choices that are lowered and planned under `Effort::Search`, besides the one that is all fast.
const SEARCH_PLANS: usize = 24;
/// The same under `Effort::Final`.
const FINAL_PLANS: usize = 128;
/// Lower bounds that branch and bound takes for each of those.
const BOUNDS: usize = 16;

/// As [`deploy`](super::deploy), by the schedules that the limits call for.
///
/// # Errors
/// As [`deploy`](super::deploy).
pub fn choose(
    graph: &Graph,
    target: &Target,
    front_end: FrontEndCost,
    effort: Effort,
    limits: &Limits,
) -> Result<Deployment, String> {
    let fast = deploy_with(graph, target, front_end, effort, &Choice::default())?;
    if limits.hold(&fast.estimate) {
        return Ok(fast);
    }
    let lowered = |variant: Variant| {
        let all: Choice = (0..graph.len()).map(|position| (position, variant)).collect();
        kernel::lower_with(graph, target.isa, &all).map_err(|error| error.to_string())
    };
    let lean = lowered(Variant::Lean)?;
    let has_sums = graph.order().into_iter().any(|node| matches!(graph.node(node).op, Op::Add(_)));
    // One step instead of two is never faster, so it is for RAM alone.
    let is_short = fast.estimate.ram_bytes as f64 > limits.ram_bytes;
    let fused = if has_sums && is_short { Some(lowered(Variant::Fused)?) } else { None };
    let mut steps: Vec<_> = fast.plan.order.iter().zip(&fast.program.steps).collect();
    steps.sort_by_key(|&(at, _)| at);
    let quick = Lowered {
        problem: fast.problem.clone(),
        steps: steps.into_iter().map(|(_, step)| step).collect(),
        buffers: &fast.program.buffers,
    };
    let fused = fused.as_ref().map(Lowered::of);
    let alternatives = Alternatives::new(graph, [quick, Lowered::of(&lean)], fused, &target.cost);
    let Some(alternatives) = alternatives.filter(|known| !known.layers.is_empty()) else {
        return Ok(fast);
    };
    let all_fast = fast.estimate.clone();
    let mut chooser = Chooser::new((graph, target, front_end, effort), *limits, alternatives, fast);
    chooser.each_by_itself()?;
    chooser.kinds(lean.table_bytes())?;
    chooser.faster()?;
    chooser.branch()?;
    let mut best = chooser.best;
    if !best.choice.is_fast() {
        best.all_fast = Some(all_fast);
    }
    Ok(best)
}

impl Limits {
    /// Whether an estimate is within them.
    pub fn hold(&self, estimate: &Estimate) -> bool {
        estimate.ram_bytes as f64 <= self.ram_bytes && self.excess(estimate) == 0.0
    }

    /// By what share the limits but that of RAM are exceeded, together.
    fn excess(&self, estimate: &Estimate) -> f64 {
        let time = over(estimate.latency_seconds, self.seconds);
        let energy = estimate.energy_joules.map_or(0.0, |joules| over(joules, self.joules));
        self.excess_of_flash(estimate.weights_bytes, estimate.flash_bytes) + time + energy
    }

    fn excess_of_flash(&self, weights_bytes: u64, flash_bytes: u64) -> f64 {
        over(flash_bytes as f64, self.flash_bytes) + over(weights_bytes as f64, self.weights_bytes)
    }
}

fn over(cost: f64, limit: f64) -> f64 {
    // Never 0 where it is exceeded.
    if cost <= limit { 0.0 } else { (cost / limit.max(f64::MIN_POSITIVE) - 1.0).max(f64::EPSILON) }
}

/// How good a choice is: by what it exceeds the limits but RAM's, and RAM's in bytes; then cycles, then flash.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rank(f64, u64, u64, u64);

impl Rank {
    fn is_better(self, other: Rank) -> bool {
        let order = self.0.total_cmp(&other.0);
        order.then((self.1, self.2, self.3).cmp(&(other.1, other.2, other.3))).is_lt()
    }
}

/// A search under way.
struct Chooser<'a> {
    graph: &'a Graph,
    target: &'a Target,
    front_end: FrontEndCost,
    effort: Effort,
    /// Those that some choice may keep: what none can is raised to what all need.
    limits: Limits,
    ram_limit: u64,
    known: Alternatives,
    /// Cycles where all layers are fast.
    all_fast: u64,
    /// RAM that each layer needs at least by each way, while all others are open; none where RAM does not matter.
    needs: Vec<Vec<u64>>,
    seen: BTreeSet<Choice>,
    plans_left: usize,
    bounds_left: usize,
    best: Deployment,
    rank: Rank,
}

impl<'a> Chooser<'a> {
    fn new(
        (graph, target, front_end, effort): (&'a Graph, &'a Target, FrontEndCost, Effort),
        mut limits: Limits,
        known: Alternatives,
        fast: Deployment,
    ) -> Chooser<'a> {
        let estimate = &fast.estimate;
        let gain = |layer: &Layer| {
            let least = layer.ways.iter().map(|way| way.cycles).min().unwrap_or(0);
            layer.ways[0].cycles.saturating_sub(least)
        };
        let gained: u64 = known.layers.iter().map(gain).sum();
        let least = estimate.cycles.saturating_sub(gained) as f64 / estimate.cycles.max(1) as f64;
        limits.seconds = limits.seconds.max(estimate.latency_seconds * least);
        limits.joules = limits.joules.max(estimate.energy_joules.map_or(0.0, |joules| joules * least));
        let plans_left = match effort {
            Effort::Search => SEARCH_PLANS,
            Effort::Final => FINAL_PLANS,
        };
        let rank = Rank(limits.excess(estimate), 0, estimate.cycles, estimate.flash_bytes);
        let mut chooser = Chooser {
            graph,
            target,
            front_end,
            effort,
            limits,
            ram_limit: u64::MAX,
            all_fast: estimate.cycles,
            needs: known.layers.iter().map(|layer| vec![0; layer.ways.len()]).collect(),
            known,
            seen: BTreeSet::from([Choice::default()]),
            plans_left,
            bounds_left: BOUNDS * plans_left,
            best: fast,
            rank,
        };
        chooser.look_at_ram();
        chooser
    }

    /// Finds what layers need where RAM decides.
    fn look_at_ram(&mut self) {
        let ram_bytes = self.best.estimate.ram_bytes;
        if ram_bytes as f64 <= self.limits.ram_bytes {
            self.ram_limit = self.limits.ram_bytes as u64;
            return;
        }
        let mut decided = vec![None; self.known.layers.len()];
        let least = self.ram(&decided);
        self.ram_limit = (self.limits.ram_bytes as u64).max(least);
        for layer in 0..decided.len() {
            for way in 0..self.needs[layer].len() {
                decided[layer] = Some(way);
                self.needs[layer][way] = self.ram(&decided);
            }
            decided[layer] = None;
        }
        self.rank.1 = ram_bytes.saturating_sub(self.ram_limit);
    }

    /// RAM below which there is no plan.
    fn ram(&self, decided: &[Option<usize>]) -> u64 {
        let arena = self.known.lower_bound(decided).max(self.front_end.scratch_bytes);
        arena + context_bytes(self.target.isa, &self.front_end)
    }

    /// Whether the best so far is within all limits that some choice may keep.
    fn fits(&self) -> bool {
        (self.rank.0, self.rank.1) == (0.0, 0)
    }

    /// Lowers and plans a choice, and keeps it if it is better.
    fn offer(&mut self, choice: Choice) -> Result<(), String> {
        if self.plans_left == 0 || !self.seen.insert(choice.clone()) {
            return Ok(());
        }
        let lowered = kernel::lower_with(self.graph, self.target.isa, &choice);
        let program = lowered.map_err(|error| error.to_string())?;
        let [weights, code] = super::flash(&program, self.target.isa, &self.front_end);
        if self.limits.excess_of_flash(weights, weights + code) > self.rank.0 {
            return Ok(());
        }
        self.plans_left -= 1;
        let found = super::planned(self.graph, program, choice, (self.target, self.front_end), self.effort)?;
        let estimate = &found.estimate;
        let excess = estimate.ram_bytes.saturating_sub(self.ram_limit);
        let rank = Rank(self.limits.excess(estimate), excess, estimate.cycles, estimate.flash_bytes);
        if rank.is_better(self.rank) {
            (self.best, self.rank) = (found, rank);
        }
        Ok(())
    }

    fn ways(&self, layer: usize) -> &[Way] {
        &self.known.layers[layer].ways
    }

    /// The fastest way of a layer that RAM allows; where none is allowed, the one that needs least.
    fn fastest(&self, layer: usize) -> usize {
        let cost = |&way: &usize| {
            let excess = self.needs[layer][way].saturating_sub(self.ram_limit);
            (excess, self.ways(layer)[way].cycles)
        };
        (0..self.ways(layer).len()).min_by_key(cost).unwrap_or(0)
    }

    fn choice(&self, way: impl Fn(usize, &Layer) -> usize) -> Choice {
        let layers = self.known.layers.iter().enumerate();
        layers.flat_map(|(at, layer)| layer.ways[way(at, layer)].variants.iter().copied()).collect()
    }

    /// The best choice with another way for a layer.
    fn best_with(&self, layer: usize, way: usize) -> Choice {
        let ways = self.ways(layer);
        let fast = ways.iter().flat_map(|way| &way.variants).map(|&(position, _)| (position, Variant::Fast));
        let variants = fast.chain(ways[way].variants.iter().copied());
        variants.fold(self.best.choice.clone(), |choice, (at, variant)| choice.with(at, variant))
    }

    /// Each layer as if it were the only one.
    fn each_by_itself(&mut self) -> Result<(), String> {
        self.offer(self.choice(|layer, _| self.fastest(layer)))?;
        if !self.fits() {
            let least = |at: usize, layer: &Layer| {
                let ways = (0..layer.ways.len()).rev();
                ways.min_by_key(|&way| self.needs[at][way]).unwrap_or(0)
            };
            self.offer(self.choice(least))?;
        }
        Ok(())
    }

    /// Makes kinds of layers lean where flash is short: functions in assembly go with the last layer that uses them.
    fn kinds(&mut self, lean_tables: u64) -> Result<(), String> {
        let tables = lean_tables.min(self.best.program.table_bytes()) + self.front_end.table_bytes;
        let is_hopeless = self.limits.excess_of_flash(tables, tables) > 0.0;
        let (weights, flash) = (self.best.estimate.weights_bytes, self.best.estimate.flash_bytes);
        if is_hopeless || self.limits.excess_of_flash(weights, flash) == 0.0 {
            return Ok(());
        }
        let ways = self.known.layers.iter().flat_map(|layer| &layer.ways);
        let ops: BTreeSet<&String> = ways.flat_map(|way| &way.lean).collect();
        let ops: Vec<String> = ops.into_iter().cloned().collect();
        for kinds in 1..1u32 << ops.len() {
            let is_of =
                |op: &String| ops.iter().position(|known| known == op).is_some_and(|at| kinds >> at & 1 == 1);
            let way = |at: usize, layer: &Layer| {
                // The one whose lean operators are all those of the layer that are of these kinds, if there are any.
                let all = layer.ways.iter().flat_map(|way| &way.lean).filter(|op| is_of(op));
                let wanted: BTreeSet<&String> = all.collect();
                let is_it = |way: &usize| layer.ways[*way].lean.iter().collect::<BTreeSet<_>>() == wanted;
                let found = (0..layer.ways.len()).find(is_it).filter(|_| !wanted.is_empty());
                let allowed = found.filter(|&way| self.needs[at][way] <= self.ram_limit);
                allowed.unwrap_or_else(|| self.fastest(at))
            };
            self.offer(self.choice(way))?;
        }
        Ok(())
    }

    /// Makes lean layers fast again, those first that lose most.
    fn faster(&mut self) -> Result<(), String> {
        for at in 0..self.known.layers.len() {
            let mut ways: Vec<usize> = (0..self.ways(at).len()).collect();
            ways.sort_by_key(|&way| self.ways(at)[way].cycles);
            for way in ways {
                let choice = self.best_with(at, way);
                if choice == self.best.choice {
                    // What follows is slower.
                    break;
                }
                if self.needs[at][way] <= self.ram_limit {
                    self.offer(choice)?;
                }
            }
        }
        Ok(())
    }

    /// Searches what is left.
    fn branch(&mut self) -> Result<(), String> {
        if self.rank.0 > 0.0 && self.effort == Effort::Search {
            return Ok(());
        }
        let layers = &self.known.layers;
        let all_fast: u64 = layers.iter().map(|layer| layer.ways[0].cycles).sum();
        let mut least = vec![0; layers.len() + 1];
        for at in (0..layers.len()).rev() {
            let cycles = layers[at].ways.iter().map(|way| way.cycles);
            let needs = cycles.clone().zip(&self.needs[at]);
            let allowed = needs.filter(|(_, need)| **need <= self.ram_limit).map(|(cycles, _)| cycles);
            least[at] = least[at + 1] + allowed.min().or(cycles.min()).unwrap_or(0);
        }
        let others = self.all_fast.saturating_sub(all_fast);
        self.descend(&mut vec![None; layers.len()], 0, (others, &least))
    }

    /// Decides on the layers from one on; `cycles` are of all that is decided, and at least of what is not.
    fn descend(
        &mut self,
        decided: &mut Vec<Option<usize>>,
        at: usize,
        (cycles, least): (u64, &[u64]),
    ) -> Result<(), String> {
        if at == decided.len() {
            return self.offer(self.choice(|layer, _| decided[layer].unwrap_or_default()));
        }
        let mut order: Vec<usize> = (0..self.ways(at).len()).collect();
        order.sort_by_key(|&way| self.ways(at)[way].cycles);
        for way in order {
            let after = cycles + self.ways(at)[way].cycles;
            let total = after + least[at + 1];
            if self.is_no_better(self.needs[at][way], total) {
                continue;
            }
            if self.bounds_left == 0 {
                return Ok(());
            }
            self.bounds_left -= 1;
            decided[at] = Some(way);
            let needs = if self.needs[at].iter().all(|&need| need == 0) { 0 } else { self.ram(decided) };
            if !self.is_no_better(needs, total) {
                self.descend(decided, at + 1, (after, least))?;
            }
            decided[at] = None;
        }
        Ok(())
    }

    /// Whether nothing that needs so much RAM and so many cycles is better than what is known.
    fn is_no_better(&self, ram: u64, cycles: u64) -> bool {
        let excess = ram.saturating_sub(self.ram_limit);
        self.rank.0 == 0.0 && (excess, cycles) >= (self.rank.1, self.rank.2)
    }
}
