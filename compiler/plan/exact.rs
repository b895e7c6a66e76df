//! Exhaustive search for a smaller arena: over orders, and for each over the sides on which its pairs lie.
//!
//! For a given arena each buffer's offset has a lowest and a highest value, and each pair a run of the parts of its
//! allowed distances that these still admit. Propagation narrows both. If the lowest offsets satisfy all pairs, they
//! are a solution; otherwise some pair's distance falls between two of its parts, and the search goes on with the
//! parts before the gap and with those after it. The two halves share no placement, so nothing is seen twice, and any
//! alignments may mix, as the lowest offsets are the least fixed point of raising and rounding up.

use std::collections::BTreeSet;

use super::Best;
use super::bound::{Pressure, Steps};
use super::liveness::{Analysis, Pair, down, up};
use super::order;
use super::place::{self, Layout};

/// Orders with more pairs are not searched: the open states would take too much memory.
const MAX_PAIRS: usize = 4_000;

/// Improves the best solution until nothing smaller exists or that many pairs were looked at.
pub(super) fn search(analysis: &Analysis<'_>, pressure: &Pressure<'_, '_>, best: &mut Best, work: u64) {
    if best.is_proved() {
        return;
    }
    let order = best.order.clone();
    let mut search = Search { analysis, pressure, best, work, seen: BTreeSet::new() };
    // Greedy placements of this order are what the best solution came from.
    search.place(&order, false);
    let done = Steps::none(order.len());
    search.orders(&mut Vec::new(), &done);
    search.best.exhausted = search.work > 0;
}

struct Search<'s, 'a, 'p> {
    analysis: &'s Analysis<'p>,
    pressure: &'s Pressure<'a, 'p>,
    best: &'s mut Best,
    /// What is left; 0 once anything was skipped.
    work: u64,
    /// Orders with equal pairs have equal placements.
    seen: BTreeSet<Vec<Pair>>,
}

/// What is still possible.
#[derive(Clone)]
struct State {
    lowest: Vec<i64>,
    highest: Vec<i64>,
    /// For each pair, the first part that is left and one past the last.
    parts: Vec<(u16, u16)>,
}

impl Search<'_, '_, '_> {
    fn spend(&mut self, work: usize) -> bool {
        self.work = self.work.saturating_sub(work as u64);
        self.work > 0
    }

    /// Tries all ways to complete an order of which no step needs as much as the best arena.
    fn orders(&mut self, order: &mut Vec<usize>, done: &Steps) {
        let n_buffers = self.analysis.problem.buffers.len();
        if self.best.is_at_bound() || !self.spend(n_buffers) {
            return;
        }
        if order.len() == self.analysis.problem.steps.len() {
            self.place(order, true);
            return;
        }
        let live = self.pressure.live(done);
        let ready: Vec<usize> = order::ready(self.analysis, done).collect();
        for step in ready {
            if self.pressure.of_step(&live, done, step) < self.best.arena() {
                order.push(step);
                self.orders(order, &done.with(step));
                order.pop();
            }
        }
    }

    /// Searches all placements of an order, greedy ones first if they are new.
    fn place(&mut self, order: &[usize], greedy: bool) {
        let pairs = self.analysis.pairs(order);
        if pairs.len() > MAX_PAIRS {
            self.work = 0;
            return;
        }
        if !self.spend(20 * pairs.len()) || !self.seen.insert(pairs.clone()) {
            return;
        }
        if greedy {
            self.best.offer(order, place::greedy(self.analysis, order, &pairs, self.best.bound));
        }
        let n_buffers = self.analysis.problem.buffers.len();
        let root = State {
            lowest: vec![0; n_buffers],
            highest: vec![i64::MAX; n_buffers],
            parts: pairs.iter().map(|pair| (0, pair.parts.len() as u16)).collect(),
        };
        let mut open = vec![root];
        while let Some(mut state) = open.pop() {
            if self.best.is_at_bound() {
                return;
            }
            if !self.narrow(order, &pairs, &mut state) {
                if self.work == 0 {
                    return;
                }
                continue;
            }
            match self.widest_gap(&pairs, &state) {
                None => self.accept(order, &state),
                Some((pair, split)) => open.extend(halves(&pairs[pair], pair, split, &state)),
            }
        }
    }

    /// Propagates to a fixed point; whether a smaller arena is still possible.
    fn narrow(&mut self, order: &[usize], pairs: &[Pair], state: &mut State) -> bool {
        let arena = i64::try_from(self.best.arena()).expect("a plan precedes the search");
        for life in self.analysis.lifetimes(order).iter().enumerate().filter(|(_, life)| life.is_some()) {
            let buffer = life.0;
            let bytes = self.analysis.bytes(buffer);
            // A buffer without bytes restricts nothing and stays at 0.
            let highest = if bytes == 0 { 0 } else { down(arena - 1 - bytes, self.analysis.align(buffer)) };
            state.highest[buffer] = state.highest[buffer].min(highest);
            if state.highest[buffer] < state.lowest[buffer] {
                return false;
            }
        }
        loop {
            if !self.spend(pairs.len() + 1) {
                return false;
            }
            let mut changed = false;
            for (pair, left) in pairs.iter().zip(0..) {
                match narrow_pair(self.analysis, pair, left, state) {
                    None => return false,
                    Some(narrowed) => changed |= narrowed,
                }
            }
            if !changed {
                return true;
            }
        }
    }

    /// The pair of largest buffers whose distance at the lowest offsets is not allowed, and the part after the gap.
    fn widest_gap(&self, pairs: &[Pair], state: &State) -> Option<(usize, u16)> {
        let gap = |(number, pair): (usize, &Pair)| {
            let distance = state.lowest[pair.b] - state.lowest[pair.a];
            let (from, to) = state.parts[number];
            let after = (from..to).find(|&part| distance <= pair.parts[part as usize].high)?;
            (distance < pair.parts[after as usize].low).then_some((number, after))
        };
        let size = |&(number, _): &(usize, u16)| {
            self.analysis.bytes(pairs[number].a) + self.analysis.bytes(pairs[number].b)
        };
        pairs.iter().enumerate().filter_map(gap).max_by_key(size)
    }

    fn accept(&mut self, order: &[usize], state: &State) {
        let lives = self.analysis.lifetimes(order);
        let live =
            (0..lives.len()).filter(|&buffer| lives[buffer].is_some() && self.analysis.bytes(buffer) > 0);
        let arena = live.map(|buffer| state.lowest[buffer] + self.analysis.bytes(buffer)).max().unwrap_or(0);
        let arena = arena.try_into().expect("offsets are from 0 up");
        self.best.offer(order, Layout { offsets: state.lowest.clone(), arena });
    }
}

/// The state with the parts before the gap and the one with those after; the one that raises less comes last, to be
/// tried first.
fn halves(pair: &Pair, number: usize, split: u16, state: &State) -> [State; 2] {
    let (from, to) = state.parts[number];
    let distance = state.lowest[pair.b] - state.lowest[pair.a];
    let raises_a = distance - pair.parts[split as usize - 1].high;
    let raises_b = pair.parts[split as usize].low - distance;
    let (mut before, mut after) = (state.clone(), state.clone());
    before.parts[number] = (from, split);
    after.parts[number] = (split, to);
    if raises_a < raises_b { [after, before] } else { [before, after] }
}

/// Drops the parts of one pair that its offsets exclude, and narrows the offsets to the parts that are left; `None`
/// if there are none, otherwise whether anything changed.
fn narrow_pair(analysis: &Analysis<'_>, pair: &Pair, number: usize, state: &mut State) -> Option<bool> {
    let (a, b) = (pair.a, pair.b);
    let (mut from, mut to) = state.parts[number];
    while from < to && pair.parts[from as usize].high < state.lowest[b] - state.highest[a] {
        from += 1;
    }
    while from < to && pair.parts[to as usize - 1].low > state.highest[b] - state.lowest[a] {
        to -= 1;
    }
    if from == to {
        return None;
    }
    let mut changed = state.parts[number] != (from, to);
    state.parts[number] = (from, to);
    let (low, high) = (pair.parts[from as usize].low, pair.parts[to as usize - 1].high);
    let (align_a, align_b) = (analysis.align(a), analysis.align(b));
    let was = (state.lowest[a], state.lowest[b], state.highest[a], state.highest[b]);
    state.lowest[b] = state.lowest[b].max(up(state.lowest[a] + low, align_b));
    state.lowest[a] = state.lowest[a].max(up(state.lowest[b] - high, align_a));
    state.highest[b] = state.highest[b].min(down(state.highest[a] + high, align_b));
    state.highest[a] = state.highest[a].min(down(state.highest[b] - low, align_a));
    changed |= was != (state.lowest[a], state.lowest[b], state.highest[a], state.highest[b]);
    let possible = state.lowest[a] <= state.highest[a] && state.lowest[b] <= state.highest[b];
    possible.then_some(changed)
}
