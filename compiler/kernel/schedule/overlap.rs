//! Safe distances of an output from an input in the same memory.
//!
//! A schedule is a sequence of units: each loads a span of the input, then stores a span of the output. With the
//! output `d` bytes above the input, a unit's stores must miss everything that later units load. Let `w` and `e`
//! be the start and end of a unit's store, `a` the least byte that later units load and `b` one past the
//! greatest. Stores lie below all later loads if `d <= a - e` for every unit, above them if `d >= b - w`. These
//! two intervals are declared; distances that are safe only through gaps between the loads are not.

/// Half-open range of bytes from a buffer's start.
pub(in crate::kernel) type Span = (i64, i64);

/// Stands for no limit: beyond every arena, and far from the ends of `i64`.
pub(in crate::kernel) const FAR: i64 = i64::MAX / 2;

/// What one unit loads of the input, if anything, and stores of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel) struct Unit {
    /// Loaded.
    pub(in crate::kernel) load: Option<Span>,
    /// Stored.
    pub(in crate::kernel) store: Span,
}

/// The safe distances of a schedule, in closed intervals; `units` in order of execution.
pub(in crate::kernel) fn safe(units: impl DoubleEndedIterator<Item = Unit>) -> Vec<(i64, i64)> {
    let (mut below, mut above) = (FAR, -FAR);
    let mut later: Option<Span> = None;
    for Unit { load, store } in units.rev() {
        if let Some((first, end)) = later {
            below = below.min(first - store.1);
            above = above.max(end - store.0);
        }
        later = match (later, load) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (one, other) => one.or(other),
        };
    }
    if above <= below + 1 { vec![(-FAR, FAR)] } else { vec![(-FAR, below), (above, FAR)] }
}

/// Units of a convolution: for each pixel, its channels in blocks, the last of which starts at `last`. All
/// loads of a block come before its stores, so only the last block's stores come after all loads of the pixel.
pub(in crate::kernel) fn blocks(
    spans: &[Option<Span>],
    filters: i64,
    last: i64,
) -> impl DoubleEndedIterator<Item = Unit> + '_ {
    spans.iter().enumerate().flat_map(move |(pixel, &load)| {
        let start = pixel as i64 * filters;
        [(start, start + last), (start + last, start + filters)]
            .into_iter()
            .filter(|store| store.0 < store.1)
            .map(move |store| Unit { load, store })
    })
}

/// Units of an operator that computes each channel from the same channel, channels within pixels.
pub(in crate::kernel) fn channelwise(
    spans: &[Option<Span>],
    channels: i64,
) -> impl DoubleEndedIterator<Item = Unit> + '_ {
    spans.iter().enumerate().flat_map(move |(pixel, &span)| {
        (0..channels).map(move |channel| {
            let at = pixel as i64 * channels + channel;
            let load = span.map(|(first, end)| (first + channel, end - channels + channel + 1));
            Unit { load, store: (at, at + 1) }
        })
    })
}

/// Units of an operator on elements.
pub(in crate::kernel) fn elementwise(elements: i64) -> impl DoubleEndedIterator<Item = Unit> {
    (0..elements).map(|at| Unit { load: Some((at, at + 1)), store: (at, at + 1) })
}
