//! Which layers are computed by their lean schedules: those without which a network does not fit its chip.
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

use crate::estimate::alternatives::{Alternatives, Layer, Way};
use crate::estimate::{Deployment, Estimate, FrontEndCost, context_bytes, deploy_with};
use crate::graph::Graph;
use crate::kernel::{self, Choice, Variant};
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
    let all_lean: Choice = (0..graph.len()).map(|position| (position, Variant::Lean)).collect();
    let lowered =
        |choice: &Choice| kernel::lower_with(graph, target.isa, choice).map_err(|error| error.to_string());
    let lean = lowered(&all_lean)?;
    let mut steps: Vec<_> = fast.plan.order.iter().zip(&fast.program.steps).collect();
    steps.sort_by_key(|&(at, _)| at);
    let ways = [
        Way {
            problem: fast.problem.clone(),
            steps: steps.into_iter().map(|(_, step)| step).collect(),
            buffers: &fast.program.buffers,
        },
        Way { problem: super::problem(&lean), steps: lean.steps.iter().collect(), buffers: &lean.buffers },
    ];
    let alternatives = Alternatives::new(graph, ways, &target.cost);
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
    /// RAM that each layer needs at least by each schedule, fast and lean, while all others are open.
    needs: Vec<[u64; 2]>,
    seen: BTreeSet<Choice>,
    plans_left: usize,
    bounds_left: usize,
    best: Deployment,
    rank: Rank,
}

const VARIANTS: [Variant; 2] = [Variant::Fast, Variant::Lean];

impl<'a> Chooser<'a> {
    fn new(
        (graph, target, front_end, effort): (&'a Graph, &'a Target, FrontEndCost, Effort),
        mut limits: Limits,
        known: Alternatives,
        fast: Deployment,
    ) -> Chooser<'a> {
        let estimate = &fast.estimate;
        let gained: u64 =
            known.layers.iter().map(|layer| layer.cycles[0].saturating_sub(layer.cycles[1])).sum();
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
            needs: vec![[0; 2]; known.layers.len()],
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
            self.needs[layer] = VARIANTS.map(|variant| {
                decided[layer] = Some(variant);
                self.ram(&decided)
            });
            decided[layer] = None;
        }
        self.rank.1 = ram_bytes.saturating_sub(self.ram_limit);
    }

    /// RAM below which there is no plan.
    fn ram(&self, decided: &[Option<Variant>]) -> u64 {
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

    /// The fastest schedule of a layer that RAM allows; where none is allowed, the one that needs less.
    fn fastest(&self, layer: usize) -> Variant {
        let [fast, lean] = [0, 1].map(|variant| {
            let excess = self.needs[layer][variant].saturating_sub(self.ram_limit);
            (excess, self.known.layers[layer].cycles[variant])
        });
        if lean < fast { Variant::Lean } else { Variant::Fast }
    }

    fn choice(&self, variant: impl Fn(usize, &Layer) -> Variant) -> Choice {
        let layers = self.known.layers.iter().enumerate();
        layers.map(|(at, layer)| (layer.position, variant(at, layer))).collect()
    }

    /// Each layer as if it were the only one.
    fn each_by_itself(&mut self) -> Result<(), String> {
        self.offer(self.choice(|layer, _| self.fastest(layer)))?;
        if !self.fits() {
            let least = |at: usize, _: &Layer| {
                let [fast, lean] = self.needs[at];
                if fast < lean { Variant::Fast } else { Variant::Lean }
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
        let ops: BTreeSet<String> = self.known.layers.iter().map(|layer| layer.op.clone()).collect();
        let ops: Vec<String> = ops.into_iter().collect();
        for kinds in 1..1u32 << ops.len() {
            let is_of = |layer: &Layer| {
                let of = |(number, op): (usize, &String)| kinds >> number & 1 == 1 && *op == layer.op;
                ops.iter().enumerate().any(of)
            };
            let variant = |at: usize, layer: &Layer| {
                let is_lean = is_of(layer) && self.needs[at][1] <= self.ram_limit;
                if is_lean { Variant::Lean } else { self.fastest(at) }
            };
            self.offer(self.choice(variant))?;
        }
        Ok(())
    }

    /// Makes lean layers fast again, those first that lose most.
    fn faster(&mut self) -> Result<(), String> {
        for at in 0..self.known.layers.len() {
            let Layer { position, cycles: [fast, lean], .. } = self.known.layers[at];
            let is_lean = self.best.choice.of(position) == Variant::Lean;
            if is_lean && fast < lean && self.needs[at][0] <= self.ram_limit {
                self.offer(self.best.choice.clone().with(position, Variant::Fast))?;
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
        let all_fast: u64 = layers.iter().map(|layer| layer.cycles[0]).sum();
        let mut least = vec![0; layers.len() + 1];
        for at in (0..layers.len()).rev() {
            let allowed = (0..2).filter(|&variant| self.needs[at][variant] <= self.ram_limit);
            let cycles = allowed.map(|variant| layers[at].cycles[variant]).min();
            least[at] =
                least[at + 1] + cycles.unwrap_or_else(|| layers[at].cycles.into_iter().min().unwrap_or(0));
        }
        let others = self.all_fast.saturating_sub(all_fast);
        self.descend(&mut vec![None; layers.len()], 0, (others, &least))
    }

    /// Decides on the layers from one on; `cycles` are of all that is decided, and at least of what is not.
    fn descend(
        &mut self,
        decided: &mut Vec<Option<Variant>>,
        at: usize,
        (cycles, least): (u64, &[u64]),
    ) -> Result<(), String> {
        if at == decided.len() {
            return self.offer(self.choice(|layer, _| decided[layer].unwrap_or_default()));
        }
        let mut order = VARIANTS;
        order.sort_by_key(|&variant| self.known.layers[at].cycles[variant as usize]);
        for variant in order {
            let after = cycles + self.known.layers[at].cycles[variant as usize];
            let total = after + least[at + 1];
            if self.is_no_better(self.needs[at][variant as usize], total) {
                continue;
            }
            if self.bounds_left == 0 {
                return Ok(());
            }
            self.bounds_left -= 1;
            decided[at] = Some(variant);
            let needs = if self.needs[at] == [0; 2] { 0 } else { self.ram(decided) };
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
