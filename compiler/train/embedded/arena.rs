//! Memory that is used again: what one step of training gives back, the next one takes.
//!
//! Buffers come in classes of size, eight for each doubling, so at most an eighth of a buffer is unused. After the
//! first step of a training nothing is allocated any more.

#![expect(unsafe_code, reason = "a line of cache is sixteen floats")]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::train::engine::Memory;

/// Floats of one line of cache: buffers start at one.
const LINE: usize = 16;

/// Floats behind the elements of a buffer that kernels may read, and never use: a whole tile of vectors.
pub(super) const SLACK: usize = 64;

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

#[derive(Debug, Default)]
struct Counters {
    live: AtomicUsize,
    peak: AtomicUsize,
    reserved: AtomicUsize,
}

/// Initialised floats with [`SLACK`] behind them.
pub(super) struct Buffer {
    lines: Vec<Line>,
    class: usize,
    is_live: AtomicBool,
    counters: Arc<Counters>,
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buffer({} floats)", self.lines.len() * LINE)
    }
}

impl Buffer {
    /// All floats, the slack among them.
    pub(super) fn floats(&self) -> &[f32] {
        // SAFETY: a `Line` is `LINE` floats without padding.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LINE) }
    }

    /// All floats, the slack among them.
    pub(super) fn floats_mut(&mut self) -> &mut [f32] {
        // SAFETY: a `Line` is `LINE` floats without padding.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.lines.len() * LINE) }
    }

    fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.is_live.load(Ordering::Relaxed) {
            self.counters.live.fetch_sub(self.bytes(), Ordering::Relaxed);
        }
        self.counters.reserved.fetch_sub(self.bytes(), Ordering::Relaxed);
    }
}

/// Classes for buffers of up to 2^48 lines.
const CLASSES: usize = 8 * 48;

/// The class of a number of lines, and how many lines its buffers have.
fn class_of(lines: usize) -> (usize, usize) {
    if lines <= 8 {
        return (lines, lines.max(1));
    }
    let shift = usize::BITS as usize - 4 - (lines - 1).leading_zeros() as usize;
    let steps = ((lines - 1) >> shift) + 1;
    (8 * shift + steps, steps << shift)
}

/// Bytes of the buffer that an arena gives for so many floats.
pub(in crate::train) fn buffer_bytes(floats: usize) -> usize {
    class_of(floats.saturating_add(SLACK).div_ceil(LINE)).1.saturating_mul(size_of::<Line>())
}

/// Buffers that are ready for use.
#[derive(Debug)]
pub(super) struct Arena {
    free: Mutex<Vec<Vec<Arc<Buffer>>>>,
    counters: Arc<Counters>,
}

impl Arena {
    pub(super) fn new() -> Arena {
        let free = (0..CLASSES).map(|_| Vec::new()).collect();
        Arena { free: Mutex::new(free), counters: Arc::default() }
    }

    /// A buffer with at least this many floats, whatever they are, and the slack.
    pub(super) fn take(&self, floats: usize) -> Arc<Buffer> {
        let (class, lines) = class_of(floats.saturating_add(SLACK).div_ceil(LINE));
        let ready = self.free.lock().ok().and_then(|mut free| free.get_mut(class)?.pop());
        let buffer = ready.unwrap_or_else(|| {
            let counters = Arc::clone(&self.counters);
            let lines = vec![Line([0.0; LINE]); lines];
            counters.reserved.fetch_add(lines.len() * size_of::<Line>(), Ordering::Relaxed);
            Arc::new(Buffer { lines, class, is_live: AtomicBool::new(false), counters })
        });
        buffer.is_live.store(true, Ordering::Relaxed);
        let live = self.counters.live.fetch_add(buffer.bytes(), Ordering::Relaxed) + buffer.bytes();
        self.counters.peak.fetch_max(live, Ordering::Relaxed);
        buffer
    }

    /// Takes a buffer back if nobody else uses it.
    pub(super) fn give(&self, mut buffer: Arc<Buffer>) {
        if Arc::get_mut(&mut buffer).is_none() {
            return;
        }
        if let Ok(mut free) = self.free.lock() {
            buffer.is_live.store(false, Ordering::Relaxed);
            self.counters.live.fetch_sub(buffer.bytes(), Ordering::Relaxed);
            free[buffer.class].push(buffer);
        }
    }

    pub(super) fn memory(&self) -> Memory {
        let get = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let Counters { live, peak, reserved } = &*self.counters;
        Memory { live: get(live), peak: get(peak), reserved: get(reserved) }
    }
}

/// A buffer of an arena that one owner has, for intermediate results.
pub(super) struct Scratch<'a> {
    buffer: Option<Arc<Buffer>>,
    arena: &'a Arena,
}

impl<'a> Scratch<'a> {
    /// At least this many floats, whatever they are, and the slack.
    pub(super) fn new(arena: &'a Arena, floats: usize) -> Scratch<'a> {
        Scratch { buffer: Some(arena.take(floats)), arena }
    }

    /// All floats, the slack among them.
    pub(super) fn floats(&self) -> &[f32] {
        self.buffer.as_deref().map_or(&[], Buffer::floats)
    }

    /// All floats, the slack among them.
    pub(super) fn floats_mut(&mut self) -> &mut [f32] {
        self.buffer.as_mut().and_then(Arc::get_mut).map_or(&mut [], Buffer::floats_mut)
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.arena.give(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_asked_for() {
        let mut last = (0, 0);
        for lines in 1..5000 {
            let (class, size) = class_of(lines);
            assert!(size >= lines && size * 8 <= lines * 9 + 8, "{lines}: {size}");
            assert!(class == last.0 && size == last.1 || class > last.0 && size > last.1, "{lines}");
            last = (class, size);
        }
        assert!(class_of(1 << 47).0 < CLASSES);
    }

    #[test]
    fn buffers_are_used_again() {
        let arena = Arena::new();
        let first = arena.take(100);
        let place = first.floats().as_ptr();
        let other = Arc::clone(&first);
        arena.give(first);
        assert!(arena.memory().live > 0, "someone else uses it");
        arena.give(other);
        let memory = arena.memory();
        assert_eq!((memory.live, memory.peak), (0, memory.reserved));
        let again = arena.take(99);
        assert_eq!(again.floats().as_ptr(), place);
        assert_eq!(place as usize % 64, 0);
        drop(again);
        assert_eq!(arena.memory(), Memory { live: 0, peak: memory.peak, reserved: 0 });
    }
}
