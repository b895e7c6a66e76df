//! The bytes that a step needs in every placement: what order search minimises, and the certificate's lower bound.
//!
//! Offsets are multiples of the alignments, so a buffer fills whole cells of that grain, and buffers that lie apart
//! fill different cells. What a step reads for the last time (R) lies apart from itself, and so does what it writes
//! (W), so a cell is in at most one of R and one of W, and the cells of both are |R| + |W| - sum over pairs of their
//! common cells. A pair has at most the common cells of its best safe distance; a buffer has at most its own cells in
//! common with all others. The end of the topmost buffer may leave a part of its last cell free.

use std::collections::BTreeMap;

use super::BufferKind;
use super::liveness::{Analysis, FAR};

/// A set of steps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Steps(Vec<u64>);

impl Steps {
    pub(super) fn none(n_steps: usize) -> Steps {
        Steps(vec![0; n_steps.div_ceil(64)])
    }

    pub(super) fn has(&self, step: usize) -> bool {
        self.0[step / 64] >> (step % 64) & 1 == 1
    }

    pub(super) fn with(&self, step: usize) -> Steps {
        let mut steps = self.clone();
        steps.0[step / 64] |= 1 << (step % 64);
        steps
    }
}

/// The problem seen in cells of one grain.
struct Level {
    grain: i64,
    /// The cells of each buffer; 0 for one that this grain does not align.
    cells: Vec<i64>,
    /// The free bytes in each buffer's last cell.
    slack: Vec<i64>,
    /// The most cells that a (read, written) pair may have in common.
    credit: BTreeMap<(usize, usize), i64>,
}

/// Computes what steps need.
pub(super) struct Pressure<'a, 'p> {
    analysis: &'a Analysis<'p>,
    levels: Vec<Level>,
}

impl<'a, 'p> Pressure<'a, 'p> {
    pub(super) fn new(analysis: &'a Analysis<'p>) -> Pressure<'a, 'p> {
        let used = (0..analysis.problem.buffers.len()).filter(|&buffer| analysis.bytes(buffer) > 0);
        let mut grains: Vec<i64> = used.map(|buffer| analysis.align(buffer)).collect();
        grains.sort_unstable();
        grains.dedup();
        let levels = grains.into_iter().map(|grain| Level::new(analysis, grain)).collect();
        Pressure { analysis, levels }
    }

    /// The buffers that are live after these steps and before the next.
    pub(super) fn live(&self, done: &Steps) -> Vec<usize> {
        let is_live = |&buffer: &usize| {
            let filled = match self.analysis.kind(buffer) {
                BufferKind::Input => true,
                BufferKind::Output | BufferKind::Internal => {
                    self.analysis.writer[buffer].is_some_and(|step| done.has(step))
                }
                BufferKind::Scratch => false,
            };
            filled
                && (self.analysis.kind(buffer) == BufferKind::Output
                    || self.analysis.readers[buffer].iter().any(|&step| !done.has(step)))
        };
        (0..self.analysis.problem.buffers.len()).filter(is_live).collect()
    }

    /// The bytes that a step needs when it runs after `done`, where `live` are live.
    pub(super) fn of_step(&self, live: &[usize], done: &Steps, step: usize) -> u64 {
        let analysis = self.analysis;
        let dies = |buffer: usize| {
            analysis.kind(buffer) != BufferKind::Output
                && analysis.reads[step].contains(&buffer)
                && analysis.readers[buffer].iter().all(|&reader| reader == step || done.has(reader))
        };
        let (dying, mut apart): (Vec<usize>, Vec<usize>) = live.iter().partition(|&&buffer| dies(buffer));
        let call = &analysis.problem.steps[step];
        apart.extend(call.scratch.iter().map(|id| id.0));
        let writes: Vec<usize> = call.writes.iter().map(|id| id.0).collect();
        self.levels.iter().map(|level| level.bytes(&apart, &dying, &writes)).max().unwrap_or(0)
    }

    /// The bytes that the inputs need before the first step and the outputs after the last.
    pub(super) fn of_ends(&self) -> u64 {
        let of = |kind: BufferKind| {
            let buffers = 0..self.analysis.problem.buffers.len();
            let all: Vec<usize> = buffers.filter(|&buffer| self.analysis.kind(buffer) == kind).collect();
            self.levels.iter().map(|level| level.bytes(&all, &[], &[])).max().unwrap_or(0)
        };
        of(BufferKind::Input).max(of(BufferKind::Output))
    }

    /// The bytes that each step of an order needs.
    pub(super) fn of_order(&self, order: &[usize]) -> Vec<u64> {
        let mut done = Steps::none(order.len());
        let mut bytes = Vec::with_capacity(order.len());
        for &step in order {
            bytes.push(self.of_step(&self.live(&done), &done, step));
            done = done.with(step);
        }
        bytes
    }

    /// The sum of the sizes of these buffers; breaks ties.
    pub(super) fn sum(&self, buffers: &[usize]) -> u64 {
        buffers.iter().map(|&buffer| self.analysis.problem.buffers[buffer].bytes).sum()
    }
}

impl Level {
    fn new(analysis: &Analysis<'_>, grain: i64) -> Level {
        let buffers = 0..analysis.problem.buffers.len();
        let counted = |buffer: usize| analysis.align(buffer) >= grain;
        let cells: Vec<i64> = buffers
            .clone()
            .map(|buffer| if counted(buffer) { (analysis.bytes(buffer) + grain - 1) / grain } else { 0 })
            .collect();
        let slack = buffers
            .map(|buffer| if cells[buffer] > 0 { cells[buffer] * grain - analysis.bytes(buffer) } else { 0 })
            .collect();
        let mut credit = BTreeMap::new();
        for (&(read, written), safe) in &analysis.safe {
            let distances = safe.iter().map(|i| (cell_up(i.low, grain), cell_down(i.high, grain)));
            let most = distances
                .filter(|(low, high)| low <= high)
                .map(|(low, high)| common(cells[read], cells[written], low, high))
                .max();
            credit.insert((read, written), most.unwrap_or(0));
        }
        Level { grain, cells, slack, credit }
    }

    fn bytes(&self, apart: &[usize], dying: &[usize], writes: &[usize]) -> u64 {
        let all = || apart.iter().chain(dying).chain(writes);
        let cells: i64 = all().map(|&buffer| self.cells[buffer]).sum();
        let slack = all().map(|&buffer| self.slack[buffer]).max().unwrap_or(0);
        let pair = |read: usize, written: usize| self.credit.get(&(read, written)).copied().unwrap_or(0);
        let of_writes: i64 =
            writes.iter().map(|&w| dying.iter().map(|&r| pair(r, w)).sum::<i64>().min(self.cells[w])).sum();
        let of_reads: i64 =
            dying.iter().map(|&r| writes.iter().map(|&w| pair(r, w)).sum::<i64>().min(self.cells[r])).sum();
        let cells = cells - of_writes.min(of_reads);
        (cells * self.grain - slack).try_into().unwrap_or(0)
    }
}

fn cell_up(distance: i64, grain: i64) -> i64 {
    -cell_down(-distance.clamp(-FAR, FAR), grain)
}

fn cell_down(distance: i64, grain: i64) -> i64 {
    distance.clamp(-FAR, FAR).div_euclid(grain)
}

/// The most common cells of `[0, read)` and `[d, d + written)` over the distances `low..=high`. It rises to a plateau
/// and falls again, so the distance nearest to the plateau is the best.
fn common(read: i64, written: i64, low: i64, high: i64) -> i64 {
    let (rises_to, falls_from) = (0.min(read - written), 0.max(read - written));
    let best = if high < rises_to {
        high
    } else if low > falls_from {
        low
    } else {
        return read.min(written);
    };
    (read.min(best + written) - 0.max(best)).max(0)
}
