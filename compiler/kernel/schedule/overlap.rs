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

/// Distances that are safe so far, on the way from the last unit to the first.
struct Distances {
    below: i64,
    above: i64,
    /// What the units behind load.
    later: Option<Span>,
}

impl Distances {
    fn new() -> Distances {
        Distances { below: FAR, above: -FAR, later: None }
    }

    /// A store before everything that `later` loads.
    fn store(&mut self, store: Span, later: Option<Span>) {
        if let Some((first, end)) = later {
            self.below = self.below.min(first - store.1);
            self.above = self.above.max(end - store.0);
        }
    }

    fn load(&mut self, load: Option<Span>) {
        self.later = hull(self.later, load);
    }

    fn intervals(&self) -> Vec<(i64, i64)> {
        let &Distances { below, above, .. } = self;
        if above <= below + 1 { vec![(-FAR, FAR)] } else { vec![(-FAR, below), (above, FAR)] }
    }
}

fn hull(one: Option<Span>, other: Option<Span>) -> Option<Span> {
    match (one, other) {
        (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
        (one, other) => one.or(other),
    }
}

/// The safe distances of a schedule, in closed intervals; `units` in order of execution.
pub(in crate::kernel) fn safe(units: impl DoubleEndedIterator<Item = Unit>) -> Vec<(i64, i64)> {
    let mut distances = Distances::new();
    for Unit { load, store } in units.rev() {
        distances.store(store, distances.later);
        distances.load(load);
    }
    distances.intervals()
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

/// The safe distances of an operator that computes each channel from the same channel, channels within pixels: a
/// unit is a channel of a pixel, which loads the span from its channel of the first pixel to that of the last.
///
/// Up to the last but one of a pixel's channels, what is loaded later starts one further and ends where it ended, or
/// starts and ends with the later pixels. So the bound below is least at the last but one and the bound above is
/// greatest at the first; no other channel need be looked at but the last.
pub(in crate::kernel) fn channelwise(spans: &[Option<Span>], channels: i64) -> Vec<(i64, i64)> {
    let mut distances = Distances::new();
    for (pixel, &span) in spans.iter().enumerate().rev() {
        for channel in [channels - 1, channels - 2, 0].into_iter().filter(|&channel| channel >= 0) {
            let at = pixel as i64 * channels + channel;
            let others =
                span.filter(|_| channel + 1 < channels).map(|(first, end)| (first + channel + 1, end));
            distances.store((at, at + 1), hull(distances.later, others));
        }
        distances.load(span);
    }
    distances.intervals()
}

/// The safe distances of an operator on elements: each is loaded before those behind it, and stored then.
pub(in crate::kernel) fn elementwise(elements: i64) -> Vec<(i64, i64)> {
    if elements < 2 { vec![(-FAR, FAR)] } else { vec![(-FAR, 0), (elements, FAR)] }
}

/// Distances that are in both of two lists of intervals, each disjoint and ascending.
pub(in crate::kernel) fn both(one: &[(i64, i64)], other: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let pairs = one.iter().flat_map(|a| other.iter().map(|b| (a.0.max(b.0), a.1.min(b.1))));
    let mut common: Vec<(i64, i64)> = pairs.filter(|(low, high)| low <= high).collect();
    common.sort_unstable();
    common
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn by_channel(spans: &[Option<Span>], channels: i64) -> Vec<(i64, i64)> {
        safe(spans.iter().enumerate().flat_map(|(pixel, &span)| {
            let units = (0..channels).map(move |channel| {
                let at = pixel as i64 * channels + channel;
                let load = span.map(|(first, end)| (first + channel, end - channels + channel + 1));
                Unit { load, store: (at, at + 1) }
            });
            units.collect::<Vec<_>>().into_iter()
        }))
    }

    proptest! {
        #[test]
        fn few_channels_stand_for_all(
            channels in 1i64..7,
            pixels in proptest::collection::vec(proptest::option::of((0i64..30, 1i64..8)), 1..12),
        ) {
            let spans: Vec<Option<Span>> = pixels
                .into_iter()
                .map(|pixel| pixel.map(|(first, width)| (first * channels, (first + width) * channels)))
                .collect();
            prop_assert_eq!(channelwise(&spans, channels), by_channel(&spans, channels));
        }

        #[test]
        fn elements_need_no_walk(elements in 1i64..40) {
            let unit = |at| Unit { load: Some((at, at + 1)), store: (at, at + 1) };
            prop_assert_eq!(elementwise(elements), safe((0..elements).map(unit)));
        }
    }
}
