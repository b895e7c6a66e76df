//! Placement for a fixed order: greedy insertion at candidate positions, and local search over insertion orders.
//!
//! A buffer goes to an end of one of the ranges that its placed neighbours allow: above, below, or at the ends of
//! the safe distances. *Anchored* insertion takes the lowest position from 0 up; *floating* insertion may go below 0
//! and takes the position that grows the occupied range least, which lets a chain of buffers walk downwards. The
//! result is shifted to 0 and compacted: with each pair left on its side, every buffer sinks as low as it can.

use super::liveness::{Analysis, FAR, Lifetime, Pair, down, up};
use super::{Best, Interval};

/// Offsets of all buffers from 0 up, and the greatest end of a live one.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) offsets: Vec<i64>,
    pub(super) arena: u64,
}

/// Insertion orders that local search tries.
const CLIMBS: usize = 1_000;

/// The best of a few greedy placements; stops at one of `bound` bytes.
pub(super) fn greedy(analysis: &Analysis<'_>, order: &[usize], pairs: &[Pair], bound: u64) -> Layout {
    let inserter = Inserter::new(analysis, order, pairs);
    let mut best: Option<Layout> = None;
    for sequence in inserter.sequences() {
        for floating in [false, true] {
            let layout = inserter.insert(&sequence, floating);
            if layout.arena <= bound {
                return layout;
            }
            if best.as_ref().is_none_or(|best| layout.arena < best.arena) {
                best = Some(layout);
            }
        }
    }
    best.expect("there is a sequence")
}

/// Improves the best solution by swapping buffers in the insertion order, keeping what is not worse.
pub(super) fn climb(analysis: &Analysis<'_>, best: &mut Best) {
    let order = best.order.clone();
    let pairs = analysis.pairs(&order);
    let inserter = Inserter::new(analysis, &order, &pairs);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for sequence in inserter.sequences().take(2) {
        for floating in [false, true] {
            let mut current = sequence.clone();
            let mut arena = inserter.insert(&current, floating).arena;
            for _ in 0..CLIMBS / 4 {
                if best.is_at_bound() || current.len() < 2 {
                    return;
                }
                let (i, j) = (draw(&mut random, current.len()), draw(&mut random, current.len()));
                current.swap(i, j);
                let layout = inserter.insert(&current, floating);
                if layout.arena > arena {
                    current.swap(i, j);
                } else {
                    arena = layout.arena;
                    best.offer(&order, layout);
                }
            }
        }
    }
}

/// xorshift64: the local search needs variety, not quality.
fn draw(state: &mut u64, n: usize) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    ((*state >> 33) % n as u64) as usize
}

/// Another buffer that a buffer is live with.
struct Neighbour {
    other: usize,
    /// Allowed values of the buffer's offset minus the other's.
    parts: Vec<Interval>,
}

struct Inserter<'a, 'p> {
    analysis: &'a Analysis<'p>,
    pairs: &'a [Pair],
    /// The buffers that need a place, with their lifetimes.
    live: Vec<(usize, Lifetime)>,
    neighbours: Vec<Vec<Neighbour>>,
    /// A shift by this keeps every alignment.
    grid: i64,
}

impl<'a, 'p> Inserter<'a, 'p> {
    fn new(analysis: &'a Analysis<'p>, order: &[usize], pairs: &'a [Pair]) -> Inserter<'a, 'p> {
        let mut neighbours: Vec<Vec<Neighbour>> =
            analysis.problem.buffers.iter().map(|_| Vec::new()).collect();
        for pair in pairs {
            neighbours[pair.b].push(Neighbour { other: pair.a, parts: pair.parts.clone() });
            let turned = |part: &Interval| Interval { low: -part.high, high: -part.low };
            neighbours[pair.a]
                .push(Neighbour { other: pair.b, parts: pair.parts.iter().rev().map(turned).collect() });
        }
        let lives = analysis.lifetimes(order).into_iter().enumerate();
        let live: Vec<(usize, Lifetime)> = lives
            .filter(|(buffer, _)| analysis.bytes(*buffer) > 0)
            .filter_map(|(buffer, life)| life.map(|life| (buffer, life)))
            .collect();
        let aligns = live.iter().map(|&(buffer, _)| analysis.align(buffer));
        let grid = aligns.max().unwrap_or(1);
        Inserter { analysis, pairs, live, neighbours, grid }
    }

    /// Insertion orders worth a try: largest first, longest-lived first, largest area first, as they are filled, and
    /// backwards.
    fn sequences(&self) -> impl Iterator<Item = Vec<usize>> + '_ {
        // One at a time, since the first is mostly good enough.
        (0..5).map(|number| self.sequence(number))
    }

    fn sequence(&self, number: usize) -> Vec<usize> {
        let bytes = |buffer: usize| self.analysis.bytes(buffer);
        let length = |life: Lifetime| (life.last - life.first + 1) as i64;
        let key = |b: usize, life: Lifetime| match number {
            0 => (-bytes(b), -length(life)),
            1 | 3 => (life.first as i64, -bytes(b)),
            2 => (-length(life), -bytes(b)),
            _ => (-bytes(b).saturating_mul(length(life)), life.first as i64),
        };
        let mut live = self.live.clone();
        live.sort_by_key(|&(buffer, life)| (key(buffer, life), buffer));
        if number == 3 {
            live.reverse();
        }
        live.into_iter().map(|(buffer, _)| buffer).collect()
    }

    fn insert(&self, sequence: &[usize], floating: bool) -> Layout {
        let mut offsets: Vec<Option<i64>> = vec![None; self.neighbours.len()];
        let (mut low, mut high) = (0, 0);
        for &buffer in sequence {
            let bytes = self.analysis.bytes(buffer);
            let growth = |offset: i64| {
                let from = down(low.min(offset), self.grid);
                if floating { (high.max(offset + bytes) - from, offset.abs()) } else { (offset, 0) }
            };
            let offset = self
                .candidates(buffer, &offsets)
                .into_iter()
                .filter(|&offset| floating || offset >= 0)
                .filter(|&offset| self.fits(buffer, offset, &offsets))
                .min_by_key(|&offset| (growth(offset), offset))
                .expect("above all others there is room");
            low = low.min(offset);
            high = high.max(offset + bytes);
            offsets[buffer] = Some(offset);
        }
        let shift = -down(low, self.grid);
        let shifted: Vec<i64> = offsets.iter().map(|offset| offset.map_or(0, |o| o + shift)).collect();
        self.compact(&shifted)
    }

    fn candidates(&self, buffer: usize, offsets: &[Option<i64>]) -> Vec<i64> {
        let align = self.analysis.align(buffer);
        let mut candidates = vec![0];
        for neighbour in &self.neighbours[buffer] {
            let Some(at) = offsets[neighbour.other] else { continue };
            for part in &neighbour.parts {
                if part.low > -FAR {
                    candidates.push(up(at + part.low, align));
                }
                if part.high < FAR {
                    candidates.push(down(at + part.high, align));
                }
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }

    fn fits(&self, buffer: usize, offset: i64, offsets: &[Option<i64>]) -> bool {
        self.neighbours[buffer].iter().all(|neighbour| {
            offsets[neighbour.other]
                .is_none_or(|at| neighbour.parts.iter().any(|part| part.contains(offset - at)))
        })
    }

    /// The lowest offsets with every pair in the range where it is now. They exist and are found by raising each
    /// buffer from 0 only as far as the others force it, as the present offsets satisfy all.
    fn compact(&self, offsets: &[i64]) -> Layout {
        let chosen: Vec<(usize, usize, Interval)> = self
            .pairs
            .iter()
            .map(|pair| {
                let distance = offsets[pair.b] - offsets[pair.a];
                let part = pair.parts.iter().find(|part| part.contains(distance));
                (pair.a, pair.b, *part.expect("insertion kept to the allowed distances"))
            })
            .collect();
        let mut lowest = vec![0; offsets.len()];
        let mut changed = true;
        while changed {
            changed = false;
            for &(a, b, part) in &chosen {
                let b_from = up(lowest[a] + part.low, self.analysis.align(b));
                let a_from = up(lowest[b] - part.high, self.analysis.align(a));
                changed |= lowest[b] < b_from || lowest[a] < a_from;
                lowest[b] = lowest[b].max(b_from);
                lowest[a] = lowest[a].max(a_from);
            }
        }
        layout(self.analysis, &self.live, lowest)
    }
}

fn layout(analysis: &Analysis<'_>, live: &[(usize, Lifetime)], offsets: Vec<i64>) -> Layout {
    let arena = live.iter().map(|&(buffer, _)| offsets[buffer] + analysis.bytes(buffer)).max().unwrap_or(0);
    Layout { offsets, arena: arena as u64 }
}
