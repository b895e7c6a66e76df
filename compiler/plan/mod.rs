//! Static memory planning: where every buffer of a network lies in one arena, and in which order its steps run.
//!
//! In comes a [`Problem`]: buffers with sizes and alignments, and steps that read, write and scratch them. A step
//! may declare, for a buffer that it reads and one that it writes, at which distances the two may overlap
//! ([`Overlap`]); that one notion gives in-place operators and convolutions over their own input. Out comes a
//! [`Plan`]: an order, an offset per buffer, the arena's size and a [`Certificate`] that says whether a smaller
//! arena exists in the family that was minimised over. [`verify`] checks a plan by other code than made it.
//!
//! Lifetimes. An input is live from the start to its last reader, an output from its writer to the end, an
//! internal buffer from its writer to its last reader, scratch during its step. All inputs are live together at
//! the start and all outputs at the end. Buffers that are live together lie apart, except that what a step writes
//! may overlap what it reads for the last time, at a distance declared safe.
//!
//! Deliberately not done: several memories, buffers that move, splitting a step into patches (a patched schedule
//! is another problem with more steps). The work is bounded by counts and never by time, so that equal problems
//! get equal plans everywhere.

mod bound;
mod exact;
mod liveness;
mod order;
mod place;
mod text;
mod verify;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use bound::Pressure;
use liveness::{Analysis, Pair};
use place::Layout;

pub use liveness::Lifetime;
pub use verify::verify;

/// A buffer by its index in [`Problem::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BufferId(pub usize);

/// What a buffer is for; it decides how long the buffer lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BufferKind {
    /// Filled by the caller before the first step; may be overwritten once it was read for the last time.
    Input,
    /// Read by the caller after the last step.
    Output,
    /// From one step to others.
    Internal,
    /// Working memory of one step.
    Scratch,
}

/// A contiguous piece of the arena.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buffer {
    /// For people; need not be unique.
    pub name: String,
    /// Its size. A buffer without bytes needs no place.
    pub bytes: u64,
    /// Its offset is a multiple of this power of two.
    pub align: u64,
    /// What it is for.
    pub kind: BufferKind,
}

/// All integers from `low` to `high`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Interval {
    /// The least.
    pub low: i64,
    /// The greatest.
    pub high: i64,
}

impl Interval {
    /// One distance; 0 is in place.
    pub fn only(distance: i64) -> Interval {
        Interval { low: distance, high: distance }
    }

    /// Every distance up to this one, as of a step that walks upwards and writes behind what it still reads.
    pub fn at_most(distance: i64) -> Interval {
        Interval { low: i64::MIN, high: distance }
    }

    /// Every distance from this one on, as of a step that walks downwards.
    pub fn at_least(distance: i64) -> Interval {
        Interval { low: distance, high: i64::MAX }
    }

    /// Whether the distance is one of them.
    pub fn contains(self, distance: i64) -> bool {
        self.low <= distance && distance <= self.high
    }
}

/// At which distances a step may write one buffer over another that it reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlap {
    /// The buffer read; it must be read for the last time for the overlap to be used.
    pub read: BufferId,
    /// The buffer written.
    pub written: BufferId,
    /// Safe values of the written buffer's offset minus the read one's, in bytes, besides those at which the two
    /// lie apart. If a pair is listed more than once, a distance must be safe in all of its entries.
    pub safe: Vec<Interval>,
}

/// A call of a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// For people; need not be unique.
    pub name: String,
    /// What it reads.
    pub reads: Vec<BufferId>,
    /// What it writes.
    pub writes: Vec<BufferId>,
    /// Its working memory, apart from everything live.
    pub scratch: Vec<BufferId>,
    /// Where writes may overlap reads; pairs that are not listed lie apart.
    pub overlaps: Vec<Overlap>,
}

/// What is to be planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The buffers.
    pub buffers: Vec<Buffer>,
    /// The steps, in an order in which they may run. Data flow through buffers: each is written by exactly one
    /// step or is an input.
    pub steps: Vec<Step>,
}

/// Why a plan is optimal, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proof {
    /// The arena is as small as the lower bound.
    Bound,
    /// Every order and placement with a smaller arena was ruled out.
    Exhausted,
    /// Not proved; a smaller arena may exist, down to the lower bound.
    Open,
}

/// How good a plan is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// No plan of the family has a smaller arena: the minimum over orders of the maximum over steps of aligned
    /// live bytes after overlap credit, in bytes.
    pub lower_bound: u64,
    /// Whether no plan of the family is smaller than this one.
    pub optimal: bool,
    /// Why.
    pub proof: Proof,
    /// What the plan was minimised over.
    pub family: String,
}

/// A solution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The steps in the order in which they run.
    pub order: Vec<usize>,
    /// The offset of each buffer in the arena; 0 for one that is never live or has no bytes.
    pub offsets: Vec<u64>,
    /// The greatest end of a live buffer, or what is done in the arena before the first step takes.
    pub arena_bytes: u64,
    /// How good it is.
    pub certificate: Certificate,
}

impl Plan {
    /// Makes the arena at least so large, for what is done in it before the first step. If that is what decides, no
    /// plan has a smaller one.
    pub fn make_room(&mut self, bytes: u64) {
        let certificate = &mut self.certificate;
        certificate.lower_bound = certificate.lower_bound.max(bytes);
        if bytes >= self.arena_bytes {
            (certificate.optimal, certificate.proof) = (true, Proof::Bound);
        }
        self.arena_bytes = self.arena_bytes.max(bytes);
    }
}

/// How hard to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effort {
    /// Fast, for each candidate of a search: a bounded order search, a few greedy placements and a little
    /// exhaustive search.
    Search,
    /// All that `Search` does, then local search and exhaustive search up to a fixed amount of work.
    Final,
}

/// States that the order search may visit under `Effort::Search`.
const SEARCH_STATES: usize = 512;
/// The same under `Effort::Final`.
const FINAL_STATES: usize = 100_000;

/// Pairs that the exhaustive search may look at under `Effort::Search`; about a millisecond.
const SEARCH_WORK: u64 = 200_000;
/// The same under `Effort::Final`, on top; some tenths of a second.
const FINAL_WORK: u64 = 40_000_000;

/// Plans a problem. The lower bound is sound at every effort; the arena at `Effort::Final` is never larger than at
/// `Effort::Search`.
///
/// # Panics
/// When the problem is malformed, see [`Problem::check`].
pub fn plan(problem: &Problem, effort: Effort) -> Plan {
    if let Err(reason) = problem.check() {
        panic!("malformed planning problem: {reason}");
    }
    let analysis = Analysis::new(problem);
    let pressure = Pressure::new(&analysis);
    let mut found = order::search(&analysis, &pressure, SEARCH_STATES);
    let given: Vec<usize> = (0..problem.steps.len()).collect();
    let mut best = Best::new(found.bound);
    best.offer_greedy(&analysis, found.order.clone());
    best.offer_greedy(&analysis, given);
    if !best.is_at_bound() {
        best.offer_greedy(&analysis, order::greedy(&analysis, &pressure));
    }
    exact::search(&analysis, &pressure, &mut best, SEARCH_WORK);
    if effort == Effort::Final && !best.is_proved() {
        if !found.complete {
            found = order::search(&analysis, &pressure, FINAL_STATES);
            best.bound = best.bound.max(found.bound);
            best.offer_greedy(&analysis, found.order);
        }
        place::climb(&analysis, &mut best);
        exact::search(&analysis, &pressure, &mut best, FINAL_WORK);
    }
    best.into_plan(problem)
}

/// Bytes below which a problem has no plan; found without one.
///
/// # Panics
/// As [`plan`].
pub fn lower_bound(problem: &Problem) -> u64 {
    if let Err(reason) = problem.check() {
        panic!("malformed planning problem: {reason}");
    }
    let analysis = Analysis::new(problem);
    order::search(&analysis, &Pressure::new(&analysis), SEARCH_STATES).bound
}

/// The smallest solution so far.
struct Best {
    /// Below this nothing exists.
    bound: u64,
    order: Vec<usize>,
    /// The placement; `None` before the first.
    layout: Option<Layout>,
    /// Whether everything smaller was ruled out.
    exhausted: bool,
}

impl Best {
    fn new(bound: u64) -> Best {
        Best { bound, order: Vec::new(), layout: None, exhausted: false }
    }

    fn arena(&self) -> u64 {
        self.layout.as_ref().map_or(u64::MAX, |layout| layout.arena)
    }

    fn is_at_bound(&self) -> bool {
        self.arena() <= self.bound
    }

    fn is_proved(&self) -> bool {
        self.exhausted || self.is_at_bound()
    }

    fn offer(&mut self, order: &[usize], layout: Layout) {
        if layout.arena < self.arena() {
            self.order = order.to_vec();
            self.layout = Some(layout);
        }
    }

    fn offer_greedy(&mut self, analysis: &Analysis<'_>, order: Vec<usize>) {
        if self.is_at_bound() || (self.layout.is_some() && order == self.order) {
            return;
        }
        let pairs: Vec<Pair> = analysis.pairs(&order);
        let layout = place::greedy(analysis, &order, &pairs, self.bound);
        self.offer(&order, layout);
    }

    fn into_plan(self, problem: &Problem) -> Plan {
        let layout = self.layout.expect("the given order was placed");
        let proof = match (layout.arena == self.bound, self.exhausted) {
            (true, _) => Proof::Bound,
            (false, true) => Proof::Exhausted,
            (false, false) => Proof::Open,
        };
        Plan {
            order: self.order,
            offsets: layout.offsets.iter().map(|&o| o.try_into().expect("placed from 0 up")).collect(),
            arena_bytes: layout.arena,
            certificate: Certificate {
                lower_bound: self.bound,
                optimal: proof != Proof::Open,
                proof,
                family: family(problem),
            },
        }
    }
}

/// The text of [`Certificate::family`].
fn family(problem: &Problem) -> String {
    let mut aligns: Vec<u64> = problem.buffers.iter().map(|buffer| buffer.align).collect();
    aligns.sort_unstable();
    aligns.dedup();
    let aligns: Vec<String> = aligns.iter().map(u64::to_string).collect();
    let aligns = if aligns.is_empty() { "1".to_string() } else { aligns.join("/") };
    format!("orders, overlaps and placements at {aligns}-byte alignment for the chosen schedules")
}

/// How long each buffer lives when the steps run in this order; `None` for one that never does.
///
/// # Panics
/// When the order is not one of the problem's; a plan that [`verify`] accepts has one.
pub fn lifetimes(problem: &Problem, order: &[usize]) -> Vec<Option<Lifetime>> {
    Analysis::new(problem).lifetimes(order)
}

/// The bytes that each step of this order needs at least, by its position in the order: aligned live bytes after
/// overlap credit. The greatest are what sets the peak.
pub fn pressure(problem: &Problem, order: &[usize]) -> Vec<u64> {
    let analysis = Analysis::new(problem);
    Pressure::new(&analysis).of_order(order)
}
