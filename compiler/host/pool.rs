//! Pools: vectors of channels.

#![expect(unsafe_code, reason = "vectors are instructions that not every processor has")]

use super::lanes::{Lanes, MAX_LANES};
use super::level::{Level, kernels};
use super::window::Moves;

/// What is made of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Mean,
    Greatest,
}

/// A pool, whose padding does not count.
pub(super) struct Pool {
    kind: Kind,
    channels: usize,
    range: (i32, i32),
    /// For each output pixel the taps that it sees, as elements of the input.
    taps: Vec<Vec<u32>>,
}

impl Pool {
    pub(super) fn new(kind: Kind, moves: &Moves, range: (i32, i32)) -> Pool {
        let (window, channels) = (&moves.window, moves.channels);
        let seen = |axis: usize, at: usize| -> Vec<usize> {
            let (first, end) = window.taps(axis, at, moves.input[axis]);
            (first..end).map(|tap| window.input(axis, at, tap)).collect()
        };
        let columns: Vec<Vec<usize>> = (0..moves.output[1]).map(|x| seen(1, x)).collect();
        let width = moves.input[1];
        let mut taps = Vec::new();
        for y in 0..moves.output[0] {
            let rows = seen(0, y);
            for columns in &columns {
                let element =
                    |&row: &usize| columns.iter().map(move |x| ((row * width + x) * channels) as u32);
                taps.push(rows.iter().flat_map(element).collect());
            }
        }
        Pool { kind, channels, range, taps }
    }

    /// Computes the pool.
    ///
    /// # Safety
    /// `input` has the bytes of the map and a vector to spare, `output` has those of the outputs and does not overlap
    /// it.
    pub(super) unsafe fn run(&self, level: Level, input: *const i8, output: *mut i8) {
        // SAFETY: that of the caller.
        unsafe { pool(level, self, input, output) }
    }
}

kernels! {
    /// All pixels and channels.
    unsafe fn pool(pool: &Pool, input: *const i8, output: *mut i8) = pool_lanes;
}

#[inline(always)]
unsafe fn pool_lanes<L: Lanes>(pool: &Pool, input: *const i8, output: *mut i8) {
    let channels = pool.channels;
    let (low, high) = pool.range;
    // SAFETY: taps lie in the map but for the last vector of channels, for which one is to spare, and only channels
    // that exist are written.
    unsafe {
        for (pixel, taps) in pool.taps.iter().enumerate() {
            let mut channel = 0;
            while channel < channels {
                let n = L::N.min(channels - channel);
                let to = output.add(pixel * channels + channel);
                let input = input.add(channel);
                match pool.kind {
                    Kind::Greatest => {
                        let mut greatest = L::splat(i8::MIN.into());
                        for &tap in taps {
                            greatest = greatest.max(L::widen(input.add(tap as usize)));
                        }
                        greatest.max(L::splat(low)).min(L::splat(high)).narrow(to, n);
                    }
                    Kind::Mean => {
                        let mut sum = L::splat(0);
                        for &tap in taps {
                            sum = sum.add(L::widen(input.add(tap as usize)));
                        }
                        let mut sums = [0; MAX_LANES];
                        sum.store(sums.as_mut_ptr());
                        for (lane, &sum) in sums[..n].iter().enumerate() {
                            to.add(lane).write(mean(sum, taps.len() as i32).clamp(low, high) as i8);
                        }
                    }
                }
                channel += L::N;
            }
        }
    }
}

/// Rounded to nearest, ties away from zero.
fn mean(sum: i32, count: i32) -> i32 {
    let half = if sum > 0 { count / 2 } else { -(count / 2) };
    (sum + half) / count
}
