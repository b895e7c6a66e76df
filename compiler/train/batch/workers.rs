//! Threads that make batches ahead of the steps that use them.
//!
//! Worker `w` of `n` makes the batches `w`, `w + n`, `w + 2n` and so on, and hands each over in a buffer that
//! comes back to it; so at most [`AHEAD`] batches of each are under way, and the trainer takes them in their order
//! whoever is fast.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::Scope;

use super::{Batch, BatchSource};

/// Buffers of one worker.
const AHEAD: usize = 2;

/// The two channels of one worker.
struct Line {
    full: Receiver<Batch>,
    empty: SyncSender<Batch>,
}

/// The batches of an epoch, in their order.
pub(in crate::train) struct Supply<'s> {
    source: &'s dyn BatchSource,
    lines: Vec<Line>,
    next: usize,
    batches: usize,
    /// Buffers that no batch is in.
    pool: &'s mut Vec<Batch>,
}

/// Hands the batches of the epoch that `source` has started to `body`, made by `workers` threads, or by this one
/// if there are none. Buffers are taken from `pool` and go back there.
pub(in crate::train) fn with_workers<T>(
    source: &dyn BatchSource,
    workers: usize,
    pool: &mut Vec<Batch>,
    body: impl FnOnce(&mut Supply<'_>) -> T,
) -> T {
    let batches = source.batches();
    std::thread::scope(|scope| {
        let workers = workers.min(batches);
        let lines = (0..workers).map(|worker| line(scope, source, (worker, workers), pool)).collect();
        body(&mut Supply { source, lines, next: 0, batches, pool })
    })
}

fn line<'scope>(
    scope: &'scope Scope<'scope, '_>,
    source: &'scope dyn BatchSource,
    (worker, workers): (usize, usize),
    pool: &mut Vec<Batch>,
) -> Line {
    let (give, full) = sync_channel::<Batch>(AHEAD);
    let (empty, take) = sync_channel::<Batch>(AHEAD);
    let batches = source.batches();
    for _ in (worker..batches).step_by(workers).take(AHEAD) {
        empty.send(pool.pop().unwrap_or_default()).expect("both ends are here and there is room");
    }
    scope.spawn(move || {
        for batch in (worker..batches).step_by(workers) {
            // The trainer has left early if either end is gone.
            let Ok(mut buffer) = take.recv() else { return };
            source.fill(batch, &mut buffer);
            if give.send(buffer).is_err() {
                return;
            }
        }
    });
    Line { full, empty }
}

impl Supply<'_> {
    /// The next batch; `None` behind the last.
    pub(in crate::train) fn next(&mut self) -> Option<Batch> {
        if self.next == self.batches {
            return None;
        }
        let batch = match self.lines.len() {
            0 => {
                let mut batch = self.pool.pop().unwrap_or_default();
                self.source.fill(self.next, &mut batch);
                batch
            }
            // A worker is gone before its last batch only if it panicked, which the scope passes on.
            workers => self.lines[self.next % workers].full.recv().ok()?,
        };
        self.next += 1;
        Some(batch)
    }

    /// Takes back the buffer of the batch that [`next`](Supply::next) gave last.
    pub(in crate::train) fn give_back(&mut self, batch: Batch) {
        let workers = self.lines.len();
        if workers > 0 && self.next - 1 + AHEAD * workers < self.batches {
            let line = &self.lines[(self.next - 1) % workers];
            // It is gone only if it panicked.
            let _ = line.empty.send(batch);
        } else {
            self.pool.push(batch);
        }
    }
}
