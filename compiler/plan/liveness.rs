//! What the problem's structure says: who writes and reads what, how long buffers live in an order, and which
//! distances are left to each pair of buffers that live together.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BufferKind, Interval, Problem};

/// Stands for no limit; far above any offset, far below overflow.
pub(super) const FAR: i64 = 1 << 61;

/// All bytes of a problem together stay below this.
const LIMIT: u64 = 1 << 58;

impl Problem {
    /// Whether the problem is well-formed.
    ///
    /// # Errors
    /// Names the first buffer or step that breaks a rule: identifiers in range, alignments powers of two, every
    /// buffer that is no input written by exactly one step before it is read, scratch of one step only, overlaps between
    /// a read and a written buffer of their step with `low <= high`, less than 2^58 bytes in all.
    pub fn check(&self) -> Result<(), String> {
        let mut total = 0u64;
        for buffer in &self.buffers {
            if !buffer.align.is_power_of_two() {
                return Err(format!("buffer `{}` has alignment {}", buffer.name, buffer.align));
            }
            total = total.saturating_add(buffer.bytes).saturating_add(buffer.align);
        }
        if total >= LIMIT {
            return Err(format!("the buffers have {total} bytes, the limit is {LIMIT}"));
        }
        let mut filled: Vec<bool> = self.buffers.iter().map(|b| b.kind == BufferKind::Input).collect();
        for step in &self.steps {
            let named = step.reads.iter().chain(&step.writes).chain(&step.scratch);
            if named.into_iter().any(|id| id.0 >= self.buffers.len()) {
                return Err(format!("step `{}` names a buffer that does not exist", step.name));
            }
            if let Some(id) = step.reads.iter().find(|id| !filled[id.0] || self.is(id.0, BufferKind::Scratch))
            {
                return Err(format!("step `{}` reads `{}` unwritten", step.name, self.buffers[id.0].name));
            }
            for id in &step.writes {
                if filled[id.0] || self.is(id.0, BufferKind::Scratch) {
                    return Err(format!("step `{}` may not write `{}`", step.name, self.buffers[id.0].name));
                }
                filled[id.0] = true;
            }
            for id in &step.scratch {
                if filled[id.0] || !self.is(id.0, BufferKind::Scratch) {
                    return Err(format!("`{}` is no scratch of `{}`", self.buffers[id.0].name, step.name));
                }
                filled[id.0] = true;
            }
            for overlap in &step.overlaps {
                let known = step.reads.contains(&overlap.read) && step.writes.contains(&overlap.written);
                if !known || overlap.safe.iter().any(|interval| interval.low > interval.high) {
                    return Err(format!("step `{}` declares a malformed overlap", step.name));
                }
            }
        }
        match self.buffers.iter().zip(&filled).find(|(b, filled)| b.kind == BufferKind::Output && !**filled) {
            Some((buffer, _)) => Err(format!("output `{}` is never written", buffer.name)),
            None => Ok(()),
        }
    }

    fn is(&self, buffer: usize, kind: BufferKind) -> bool {
        self.buffers[buffer].kind == kind
    }
}

/// The points in time at which a buffer is live, both included: 0 is the start, `k + 1` the step at position `k` of
/// the order, and one more than the number of steps the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// When it is filled.
    pub first: usize,
    /// When it is read for the last time.
    pub last: usize,
}

/// The problem with its references resolved.
pub(super) struct Analysis<'p> {
    pub(super) problem: &'p Problem,
    /// The steps that read each buffer, ascending, each once.
    pub(super) readers: Vec<Vec<usize>>,
    /// The step that writes each buffer, or whose scratch it is.
    pub(super) writer: Vec<Option<usize>>,
    /// The buffers that each step reads, each once.
    pub(super) reads: Vec<Vec<usize>>,
    /// The steps that must run before each step.
    pub(super) before: Vec<Vec<usize>>,
    /// Declared safe distances by (read, written); the writer tells the step.
    pub(super) safe: BTreeMap<(usize, usize), Vec<Interval>>,
}

/// Two buffers that are live together, and where they may lie.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pair {
    pub(super) a: usize,
    pub(super) b: usize,
    /// The allowed values of offset(b) - offset(a): disjoint, ascending, ends on the pair's common grid, the first
    /// from -FAR, the last to FAR.
    pub(super) parts: Vec<Interval>,
}

impl<'p> Analysis<'p> {
    pub(super) fn new(problem: &'p Problem) -> Analysis<'p> {
        let n_buffers = problem.buffers.len();
        let mut analysis = Analysis {
            problem,
            readers: vec![Vec::new(); n_buffers],
            writer: vec![None; n_buffers],
            reads: Vec::new(),
            before: Vec::new(),
            safe: BTreeMap::new(),
        };
        for (number, step) in problem.steps.iter().enumerate() {
            for id in step.writes.iter().chain(&step.scratch) {
                analysis.writer[id.0] = Some(number);
            }
            let mut reads: Vec<usize> = step.reads.iter().map(|id| id.0).collect();
            reads.sort_unstable();
            reads.dedup();
            let mut before: Vec<usize> = reads.iter().filter_map(|&read| analysis.writer[read]).collect();
            before.sort_unstable();
            before.dedup();
            reads.iter().for_each(|&read| analysis.readers[read].push(number));
            analysis.reads.push(reads);
            analysis.before.push(before);
            for overlap in &step.overlaps {
                let mut safe = overlap.safe.clone();
                safe.sort_unstable();
                let key = (overlap.read.0, overlap.written.0);
                let all = match analysis.safe.get(&key) {
                    Some(others) => intersection(others, &safe),
                    None => safe,
                };
                analysis.safe.insert(key, all);
            }
        }
        analysis
    }

    pub(super) fn kind(&self, buffer: usize) -> BufferKind {
        self.problem.buffers[buffer].kind
    }

    pub(super) fn bytes(&self, buffer: usize) -> i64 {
        self.problem.buffers[buffer].bytes as i64
    }

    pub(super) fn align(&self, buffer: usize) -> i64 {
        self.problem.buffers[buffer].align as i64
    }

    /// How long each buffer lives in this order.
    pub(super) fn lifetimes(&self, order: &[usize]) -> Vec<Option<Lifetime>> {
        let mut position = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &step)| position[step] = at + 1);
        let life = |buffer: usize| {
            let kind = self.kind(buffer);
            let first = match kind {
                BufferKind::Input => 0,
                BufferKind::Output | BufferKind::Internal | BufferKind::Scratch => {
                    position[self.writer[buffer]?]
                }
            };
            let last = match kind {
                BufferKind::Output => order.len() + 1,
                BufferKind::Input | BufferKind::Internal | BufferKind::Scratch => {
                    self.readers[buffer].iter().map(|&step| position[step]).max().unwrap_or(first)
                }
            };
            Some(Lifetime { first, last })
        };
        (0..self.problem.buffers.len()).map(life).collect()
    }

    /// The pairs of buffers that this order restricts.
    pub(super) fn pairs(&self, order: &[usize]) -> Vec<Pair> {
        let lives = self.lifetimes(order);
        let mut pairs = Vec::new();
        let mut live: Vec<(usize, Lifetime)> = lives
            .iter()
            .enumerate()
            .filter(|(buffer, _)| self.bytes(*buffer) > 0)
            .filter_map(|(buffer, life)| life.map(|life| (buffer, life)))
            .collect();
        live.sort_by_key(|(buffer, life)| (life.first, life.last, *buffer));
        for (at, &(a, life_a)) in live.iter().enumerate() {
            for &(b, life_b) in live[at + 1..].iter().take_while(|(_, life)| life.first <= life_a.last) {
                let handed_over = life_a.last == life_b.first;
                let safe = self.safe.get(&(a, b)).filter(|_| handed_over).map_or(&[][..], Vec::as_slice);
                let parts = self.parts(a, b, safe);
                if parts.len() > 1 {
                    pairs.push(Pair { a, b, parts });
                }
            }
        }
        pairs
    }

    /// The allowed distances of two buffers: apart, or safe; merged where the grid leaves nothing between.
    fn parts(&self, a: usize, b: usize, safe: &[Interval]) -> Vec<Interval> {
        let grid = self.align(a).min(self.align(b));
        let below = Interval { low: -FAR, high: -self.bytes(b) };
        let above = Interval { low: self.bytes(a), high: FAR };
        let mut all: Vec<Interval> = [below, above]
            .into_iter()
            .chain(safe.iter().copied())
            .filter_map(|interval| {
                let low = if interval.low <= -FAR { -FAR } else { up(interval.low.min(FAR), grid) };
                let high = if interval.high >= FAR { FAR } else { down(interval.high.max(-FAR), grid) };
                (low <= high).then_some(Interval { low, high })
            })
            .collect();
        all.sort_unstable();
        let mut parts: Vec<Interval> = Vec::new();
        for interval in all {
            match parts.last_mut() {
                Some(last) if interval.low <= last.high + grid => last.high = last.high.max(interval.high),
                _ => parts.push(interval),
            }
        }
        parts
    }
}

/// The distances in both sorted lists.
fn intersection(left: &[Interval], right: &[Interval]) -> Vec<Interval> {
    let mut both: Vec<Interval> = left
        .iter()
        .flat_map(|x| right.iter().map(|y| Interval { low: x.low.max(y.low), high: x.high.min(y.high) }))
        .filter(|interval| interval.low <= interval.high)
        .collect();
    both.sort_unstable();
    both
}

/// The least multiple of `grid` that is at least `value`.
pub(super) fn up(value: i64, grid: i64) -> i64 {
    -down(-value, grid)
}

/// The greatest multiple of `grid` that is at most `value`.
pub(super) fn down(value: i64, grid: i64) -> i64 {
    value.div_euclid(grid) * grid
}
