//! Room for trainings: as many at once as the machine's memory holds.
//!
//! A training that does not fit beside those that run waits for one of them to end; one that fits nowhere runs alone,
//! after a word of warning. Only the order of trainings in time changes by this, never a result.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::pipeline::study::mebibytes;

/// How long is waited until it is looked again whether to go on waiting.
const LOOK: Duration = Duration::from_millis(500);

/// The memory that trainings share.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Bytes of all trainings together; `None` where that is unknown.
    memory: Option<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    taken: u64,
    running: usize,
    told_waiting: bool,
    told_alone: bool,
    notes: Vec<String>,
}

/// The room of one training; given back with it.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    room: &'a Room,
    bytes: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.room.state();
        state.taken -= self.bytes;
        state.running -= 1;
        self.room.changed.notify_all();
    }
}

impl Room {
    /// Room of so many bytes.
    pub(crate) fn new(memory: Option<u64>) -> Room {
        Room { memory, ..Room::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a training of so many bytes beside samples of so many; `None` once `goes_on` says no.
    pub(crate) fn place(
        &self,
        trial: usize,
        (bytes, samples): (u64, u64),
        goes_on: impl Fn() -> bool,
    ) -> Option<Place<'_>> {
        let left = self.memory.map_or(u64::MAX, |memory| memory.saturating_sub(samples));
        let text = |bytes: u64| mebibytes(usize::try_from(bytes).unwrap_or(usize::MAX));
        let mut state = self.state();
        if bytes > left && !state.told_alone {
            state.told_alone = true;
            state.notes.push(format!(
                "the training of trial {trial} takes up to {}, and {} are free: lower `batch`, or end other programs",
                text(bytes),
                text(left)
            ));
        }
        while state.running > 0 && state.taken.saturating_add(bytes) > left {
            if !state.told_waiting {
                state.told_waiting = true;
                let note = format!(
                    "trial {trial} takes up to {} beside the {} of those that run, and {} are free: fewer trainings \
                     run at once, as with a smaller `--jobs`; a smaller `batch` makes room",
                    text(bytes),
                    text(state.taken),
                    text(left)
                );
                state.notes.push(note);
            }
            if !goes_on() {
                return None;
            }
            let waited = self.changed.wait_timeout(state, LOOK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.taken += bytes;
        state.running += 1;
        Some(Place { room: self, bytes })
    }

    /// What is to be told and was not yet.
    pub(crate) fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.state().notes)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn trainings_together_stay_within_the_memory() {
        let room = Room::new(Some(100));
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for trial in 0..8 {
                let (room, now, most) = (&room, &now, &most);
                scope.spawn(move || {
                    let _place = room.place(trial, (40, 10), || true).expect("it goes on");
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(5));
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        assert!(room.notes().len() <= 1, "it is told once");
    }

    #[test]
    fn what_fits_nowhere_runs_alone_and_says_so() {
        let room = Room::new(Some(100));
        let place = room.place(3, (500, 0), || false).expect("nothing else runs");
        let notes = room.notes();
        assert!(notes[0].contains("trial 3") && notes[0].contains("lower `batch`"), "{notes:?}");
        assert!(room.place(4, (1, 0), || false).is_none(), "it waits until it is told not to");
        drop(place);
        assert!(room.place(4, (1, 0), || false).is_some());
        let unknown = Room::new(None);
        let places: Vec<_> =
            (0..9).filter_map(|trial| unknown.place(trial, (u64::MAX / 9, 0), || false)).collect();
        assert_eq!(places.len(), 9);
    }
}
