//! Plans of many random graphs against all orders of their steps, and those of the smallest against all placements.
//!
//! The peak is counted here from its definition by code of its own: buffers as sets of steps that read them, their
//! cells painted one by one.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Graphs of up to twelve steps that branch and join, with alignments of 1, 2 and 4.
const GRAPHS: Shape = Shape { max_steps: 12, max_bytes: 24, max_align_log2: 2, recent: 8, overlaps: true };
const N_GRAPHS: u64 = 10_000;
/// Graphs that all placements can be tried of.
const TINY: Shape = Shape { max_steps: 4, max_bytes: 5, max_align_log2: 2, recent: 4, overlaps: true };
const N_TINY: u64 = 2_000;
const TINY_BUFFERS: usize = 6;

/// Graphs with more orders are not walked order by order.
const MAX_ORDERS: u64 = 500;

/// A set of steps, one bit each.
type Set = u16;

/// A graph of up to 16 steps seen from its buffers.
struct Oracle<'p> {
    problem: &'p Problem,
    writers: Vec<Set>,
    readers: Vec<Set>,
    grains: Vec<u64>,
    /// The most cells in common of a read and a written buffer, by grain.
    common: BTreeMap<(u64, usize, usize), u64>,
}

impl Oracle<'_> {
    fn new(problem: &Problem) -> Oracle<'_> {
        let n_buffers = problem.buffers.len();
        let steps_that = |touch: &dyn Fn(&Step, BufferId) -> bool| -> Vec<Set> {
            let of = |b| problem.steps.iter().enumerate().filter(move |(_, s)| touch(s, BufferId(b)));
            (0..n_buffers).map(|b| of(b).map(|(number, _)| 1 << number).sum()).collect()
        };
        let used = problem.buffers.iter().filter(|b| b.bytes > 0).map(|b| b.align);
        let mut oracle = Oracle {
            problem,
            writers: steps_that(&|step, id| step.writes.contains(&id)),
            readers: steps_that(&|step, id| step.reads.contains(&id)),
            grains: used.collect::<BTreeSet<u64>>().into_iter().collect(),
            common: BTreeMap::new(),
        };
        for &grain in &oracle.grains {
            for step in &problem.steps {
                for overlap in &step.overlaps {
                    let (read, written) = (overlap.read.0, overlap.written.0);
                    let common = oracle.most_common(step, read, written, grain);
                    oracle.common.insert((grain, read, written), common);
                }
            }
        }
        oracle
    }

    fn cells(&self, buffer: usize, grain: u64) -> u64 {
        let Buffer { bytes, align, .. } = self.problem.buffers[buffer];
        if align < grain { 0 } else { bytes.div_ceil(grain) }
    }

    /// Paints the cells of both at every distance that all declarations admit.
    fn most_common(&self, step: &Step, read: usize, written: usize, grain: u64) -> u64 {
        let far = 64 / grain as i64;
        let is_safe = |cells: &i64| {
            let mut entries = step.overlaps.iter().filter(|o| o.read.0 == read && o.written.0 == written);
            entries.all(|o| o.safe.iter().any(|i| i.contains(cells * grain as i64)))
        };
        let of_read = |cell: i64| (0..self.cells(read, grain) as i64).contains(&cell);
        let common =
            |at: i64| (0..self.cells(written, grain) as i64).filter(|c| of_read(at + c)).count() as u64;
        (-far..=far).filter(is_safe).map(common).max().unwrap_or(0)
    }

    /// The bytes of buffers that lie apart but for what `over` writes on `dying`: whole cells, where the last of the
    /// topmost buffer need not be full.
    fn bytes(&self, apart: &[usize], dying: &[usize], over: &[usize]) -> u64 {
        let of_grain = |&grain: &u64| {
            let cells = |of: &[usize]| -> u64 { of.iter().map(|&b| self.cells(b, grain)).sum() };
            let common = |r: usize, w: usize| self.common.get(&(grain, r, w)).copied().unwrap_or(0);
            let lost = |of: &[usize], with: &[usize], swap: bool| -> u64 {
                let pair = |a, b| if swap { common(b, a) } else { common(a, b) };
                let shared =
                    |&a: &usize| with.iter().map(|&b| pair(a, b)).sum::<u64>().min(self.cells(a, grain));
                of.iter().map(shared).sum()
            };
            let shared = lost(dying, over, false).min(lost(over, dying, true));
            let all = apart.iter().chain(dying).chain(over).filter(|&&b| self.cells(b, grain) > 0);
            let free = all.map(|&b| self.cells(b, grain) * grain - self.problem.buffers[b].bytes).max();
            (cells(apart) + cells(dying) + cells(over) - shared) * grain - free.unwrap_or(0)
        };
        self.grains.iter().map(of_grain).max().unwrap_or(0)
    }

    fn of_kind(&self, kind: BufferKind) -> Vec<usize> {
        (0..self.problem.buffers.len()).filter(|&b| self.problem.buffers[b].kind == kind).collect()
    }

    /// What the callers hold before the first step and after the last.
    fn ends(&self) -> u64 {
        let of = |kind| self.bytes(&self.of_kind(kind), &[], &[]);
        of(BufferKind::Input).max(of(BufferKind::Output))
    }

    /// What a step needs after the steps of `done`.
    fn need(&self, done: Set, step: usize) -> u64 {
        let kind = |b: usize| self.problem.buffers[b].kind;
        let (mut apart, mut dying) = (Vec::new(), Vec::new());
        for b in 0..self.problem.buffers.len() {
            let is_filled = kind(b) == BufferKind::Input || self.writers[b] & done != 0;
            let is_kept = kind(b) == BufferKind::Output || self.readers[b] & !(done | 1 << step) != 0;
            match (is_filled, is_kept, self.readers[b] & 1 << step != 0) {
                (true, true, _) => apart.push(b),
                (true, false, true) => dying.push(b),
                _ => {}
            }
        }
        let call = &self.problem.steps[step];
        apart.extend(call.scratch.iter().map(|id| id.0));
        let over: Vec<usize> = call.writes.iter().map(|id| id.0).collect();
        self.bytes(&apart, &dying, &over)
    }

    /// The steps that can run after `done`.
    fn ready(&self, done: Set) -> Vec<usize> {
        let is_filled = |id: &BufferId| self.writers[id.0] & !done == 0;
        let steps = self.problem.steps.iter().enumerate();
        let ready =
            steps.filter(|(number, step)| done & 1 << number == 0 && step.reads.iter().all(is_filled));
        ready.map(|(number, _)| number).collect()
    }

    fn all(&self) -> Set {
        (0..self.problem.steps.len()).map(|step| 1 << step).sum()
    }

    /// The number of orders.
    fn n_orders(&self, done: Set, known: &mut BTreeMap<Set, u64>) -> u64 {
        if done == self.all() {
            return 1;
        }
        if let Some(&orders) = known.get(&done) {
            return orders;
        }
        let orders = self.ready(done).into_iter().map(|step| self.n_orders(done | 1 << step, known)).sum();
        known.insert(done, orders);
        orders
    }

    /// The least peak of what is left, by walking every order.
    fn walk(&self, done: Set) -> u64 {
        let peak = |step| self.need(done, step).max(self.walk(done | 1 << step));
        self.ready(done).into_iter().map(peak).min().unwrap_or(0)
    }

    /// The same, where sets of steps that several orders pass through are looked at once.
    fn least(&self, done: Set, known: &mut BTreeMap<Set, u64>) -> u64 {
        if let Some(&peak) = known.get(&done) {
            return peak;
        }
        let peak = |step: usize| self.need(done, step).max(self.least(done | 1 << step, known));
        let peak = self.ready(done).into_iter().map(peak).min().unwrap_or(0);
        known.insert(done, peak);
        peak
    }
}

#[test]
fn the_least_peak_is_that_of_all_orders() {
    let (mut n_walked, mut n_proved) = (0, 0);
    for seed in 0..N_GRAPHS {
        let problem = random_problem(seed, &GRAPHS);
        let oracle = Oracle::new(&problem);
        let least = oracle.ends().max(oracle.least(0, &mut BTreeMap::new()));
        if oracle.n_orders(0, &mut BTreeMap::new()) <= MAX_ORDERS {
            assert_eq!(oracle.ends().max(oracle.walk(0)), least, "seed {seed}");
            n_walked += 1;
        }
        let analysis = Analysis::new(&problem);
        let pressure = Pressure::new(&analysis);
        let found = order::search(&analysis, &pressure, FINAL_STATES);
        assert!(found.complete);
        assert_eq!(found.bound, least, "seed {seed}");
        let mut done = 0;
        for step in found.order {
            assert!(oracle.ready(done).contains(&step) && oracle.need(done, step) <= least, "seed {seed}");
            done |= 1 << step;
        }
        assert_eq!(done, oracle.all(), "seed {seed}");
        let planned = plan(&problem, Effort::Search);
        assert_eq!(verify(&problem, &planned), Ok(()));
        assert!(planned.certificate.lower_bound <= least && least <= planned.arena_bytes, "seed {seed}");
        assert!(planned.certificate.proof != Proof::Bound || planned.arena_bytes == least, "seed {seed}");
        n_proved += u64::from(planned.certificate.optimal);
    }
    // Most graphs have few orders, and most plans are proved at once.
    assert!(n_walked > N_GRAPHS / 2 && n_proved > N_GRAPHS / 2, "{n_walked} {n_proved}");
}

#[test]
fn an_optimal_arena_is_that_of_all_placements() {
    let (mut n_tried, mut seed) = (0, 0);
    while n_tried < N_TINY {
        seed += 1;
        let problem = random_problem(seed, &TINY);
        if problem.buffers.len() > TINY_BUFFERS {
            continue;
        }
        n_tried += 1;
        let orders = orders(&problem);
        for effort in [Effort::Search, Effort::Final] {
            let found = plan(&problem, effort);
            assert_eq!(verify(&problem, &found), Ok(()));
            let fits = |arena: u64| orders.iter().any(|order| placeable(&problem, order, arena));
            assert!(fits(found.arena_bytes), "seed {seed}: {found:?}");
            let is_least = found.arena_bytes == 0 || !fits(found.arena_bytes - 1);
            assert!(is_least || !found.certificate.optimal, "seed {seed}: {found:?}");
            assert!(is_least || effort == Effort::Search, "seed {seed}: {found:?}");
        }
    }
}
