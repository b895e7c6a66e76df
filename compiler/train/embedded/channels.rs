//! Kernels on a vector of neighbouring channels of an image.

#![expect(unsafe_code, reason = "the innermost loops")]

use super::geometry::Geometry;
use super::isa::kernels;
use super::simd::Lanes;
use super::tile::{Out, reach};

/// For each pixel of a grid a chain over taps of source times weight, lane by lane.
pub(super) struct Gather<'g> {
    /// An image of one vector for each pixel.
    pub(super) source: &'g [f32],
    pub(super) grid: [usize; 2],
    /// Elements of the source from a target to the one below and to the one to the right.
    pub(super) source_step: [usize; 2],
    /// Pixels of the source from a target's on, for each tap.
    pub(super) offsets: &'g [usize],
    /// A vector for each tap.
    pub(super) weights: &'g [f32],
    /// A vector: where chains start.
    pub(super) bias: &'g [f32],
    /// Lanes that are written.
    pub(super) columns: usize,
    /// Elements of the result from a target to the one below and to the one to the right.
    pub(super) out_step: [usize; 2],
    pub(super) out: Out<'g>,
}

/// For each tap a chain over the pixels of a grid of gradient times source, lane by lane.
pub(super) struct Scatter<'s> {
    /// An image of one vector for each pixel.
    pub(super) source: &'s [f32],
    pub(super) grid: [usize; 2],
    /// Elements of the source from a pixel of the grid to the one below and to the one to the right.
    pub(super) source_step: [usize; 2],
    /// Pixels of the source from that of the grid on, for each tap.
    pub(super) offsets: &'s [usize],
    pub(super) gradient: &'s [f32],
    /// Elements of the gradient from a pixel to the one below and to the one to the right.
    pub(super) gradient_step: [usize; 2],
    /// Lanes that count.
    pub(super) columns: usize,
    pub(super) out: Out<'s>,
    /// Elements from a tap of the result to the next.
    pub(super) out_step: usize,
}

kernels! {
    /// Copies `count` neighbouring channels of an image of `channels` into the middle of one that has only a vector
    /// for each pixel, and zeros around it.
    pub(super) fn copy_channels(
        geometry: &Geometry,
        image: &[f32],
        channels: usize,
        count: usize,
        out: &mut [f32],
    ) = copy_channels_of;
    /// Computes the sums.
    pub(super) fn sum_taps(gather: &Gather<'_>) = sum_taps_of;
    /// Continues the chains of the taps.
    pub(super) fn add_taps(scatter: &Scatter<'_>) = add_taps_of;
}

/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn copy_channels_of<L: Lanes>(
    geometry: &Geometry,
    image: &[f32],
    channels: usize,
    count: usize,
    out: &mut [f32],
) {
    let [rows, columns] = geometry.inner();
    if rows * columns == 0 {
        return;
    }
    let own = [geometry.source[1] * channels, channels];
    let steps = [geometry.padded[1] * L::N, L::N];
    let first = geometry.before[0] * steps[0] + geometry.before[1] * steps[1];
    assert!(reach([rows, columns], own, count) <= image.len() && count <= L::N, "channels lie in the image");
    let room = reach([rows, columns], steps, L::N).saturating_add(first);
    assert!(room <= out.len(), "room for the copy");
    for y in 0..rows {
        // SAFETY: the reach was checked.
        unsafe {
            let mut from = image.as_ptr().add(y * own[0]);
            let mut to = out.as_mut_ptr().add(first + y * steps[0]);
            for _ in 0..columns {
                let lanes = if count == L::N { L::load(from) } else { L::load_first(from, count) };
                lanes.store(to);
                from = from.wrapping_add(channels);
                to = to.wrapping_add(L::N);
            }
        }
    }
}

/// Targets that advance together.
const TARGETS: usize = 8;

/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn sum_taps_of<L: Lanes>(g: &Gather<'_>) {
    let [rows, columns] = g.grid;
    if rows * columns == 0 {
        return;
    }
    let width = g.offsets.iter().max().map_or(0, |offset| offset.saturating_add(1).saturating_mul(L::N));
    assert!(reach(g.grid, g.source_step, width) <= g.source.len(), "pixels lie in the source");
    assert!(g.weights.len() >= g.offsets.len() * L::N && g.bias.len() >= L::N, "a vector for each tap");
    assert!(g.columns <= L::N && reach(g.grid, g.out_step, g.columns) <= g.out.len(), "room for the result");
    let (mut y, mut x, mut left) = (0, 0, rows * columns);
    while left > 0 {
        let mut source = [g.source.as_ptr(); TARGETS];
        let mut out = [g.out.pointer(); TARGETS];
        // Targets beyond the last compute it again and write nothing.
        for r in 0..TARGETS {
            // SAFETY: the pixel is one of the grid, whose reach was checked.
            unsafe {
                source[r] = g.source.as_ptr().add(y * g.source_step[0] + x * g.source_step[1]);
                out[r] = g.out.pointer().add(y * g.out_step[0] + x * g.out_step[1]);
            }
            if r + 1 < left {
                x += 1;
                if x == columns {
                    (y, x) = (y + 1, 0);
                }
            }
        }
        // SAFETY: all extents were checked.
        unsafe {
            let mut sums = [L::load(g.bias.as_ptr()); TARGETS];
            let mut weights = g.weights.as_ptr();
            for &offset in g.offsets {
                let w = L::load(weights);
                for r in 0..TARGETS {
                    sums[r] = L::load(source[r].add(offset * L::N)).fma(w, sums[r]);
                }
                weights = weights.add(L::N);
            }
            for r in 0..TARGETS {
                if r < left {
                    if g.columns == L::N {
                        sums[r].store(out[r]);
                    } else {
                        sums[r].store_first(out[r], g.columns);
                    }
                }
            }
        }
        left = left.saturating_sub(TARGETS);
    }
}

/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn add_taps_of<L: Lanes>(s: &Scatter<'_>) {
    let mut first = 0;
    while first < s.offsets.len() {
        let count = (s.offsets.len() - first).min(9);
        // SAFETY: that of the caller.
        unsafe {
            match count {
                1 => add_some::<L, 1>(s, first),
                2 => add_some::<L, 2>(s, first),
                3 => add_some::<L, 3>(s, first),
                4 => add_some::<L, 4>(s, first),
                5 => add_some::<L, 5>(s, first),
                6 => add_some::<L, 6>(s, first),
                7 => add_some::<L, 7>(s, first),
                8 => add_some::<L, 8>(s, first),
                _ => add_some::<L, 9>(s, first),
            }
        }
        first += count;
    }
}

/// `T` taps from the `first` on.
///
/// # Safety
/// The processor has the instructions of `L`.
#[inline(always)]
unsafe fn add_some<L: Lanes, const T: usize>(s: &Scatter<'_>, first: usize) {
    let [rows, columns] = s.grid;
    if rows * columns == 0 {
        return;
    }
    let offsets: [usize; T] = std::array::from_fn(|tap| s.offsets[first + tap].saturating_mul(L::N));
    let width = offsets.iter().max().map_or(0, |offset| offset.saturating_add(L::N));
    assert!(reach(s.grid, s.source_step, width) <= s.source.len(), "pixels lie in the source");
    assert!(reach(s.grid, s.gradient_step, s.columns) <= s.gradient.len(), "pixels lie in the gradient");
    assert!(
        s.columns <= L::N && reach([first + T, 1], [s.out_step, 0], s.columns) <= s.out.len(),
        "room for the result"
    );
    // SAFETY: all extents were checked.
    unsafe {
        let out = s.out.pointer().add(first * s.out_step);
        let mut sums = [L::splat(0.0); T];
        for (tap, sum) in sums.iter_mut().enumerate() {
            *sum = L::load_first(out.add(tap * s.out_step), s.columns);
        }
        for y in 0..rows {
            let mut source = s.source.as_ptr().add(y * s.source_step[0]);
            let mut gradient = s.gradient.as_ptr().add(y * s.gradient_step[0]);
            for _ in 0..columns {
                let dy =
                    if s.columns == L::N { L::load(gradient) } else { L::load_first(gradient, s.columns) };
                for tap in 0..T {
                    sums[tap] = dy.fma(L::load(source.add(offsets[tap])), sums[tap]);
                }
                source = source.wrapping_add(s.source_step[1]);
                gradient = gradient.wrapping_add(s.gradient_step[1]);
            }
        }
        for (tap, sum) in sums.into_iter().enumerate() {
            sum.store_first(out.add(tap * s.out_step), s.columns);
        }
    }
}
