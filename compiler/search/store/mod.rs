//! Where trials are kept, so that nothing is trained twice and nothing is lost.
//!
//! A trial is *claimed* before it is trained and *finished* after. A claim is a lease: it ends unless its
//! holder extends it, so the trial of a process that was killed becomes free; on one machine it does so at
//! once, because the system tells who still lives. A finished trial never changes.
//! Time comes in as an argument; only [`SqliteStore`] does I/O.

mod memory;
mod presence;
mod sqlite;
mod states;
#[cfg(test)]
mod tests;
mod told;

use crate::diagnostic::Diagnostic;
use crate::search::key::TrialKey;
use crate::search::outcome::Record;

pub use memory::MemoryStore;
pub use sqlite::SqliteStore;
pub use told::{Told, told};

/// Time as leases need it.
pub trait Clock: Sync {
    /// Seconds since a moment that all processes on one store agree on.
    fn now(&self) -> u64;

    /// The same in milliseconds, for what is told of progress; no result depends on it.
    fn millis(&self) -> u64 {
        self.now().saturating_mul(1000)
    }

    /// Waits a fraction of a second, until it is worth asking again for a trial that another process holds.
    fn pause(&self);
}

/// A lease on a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The time now, from a [`Clock`].
    pub now: u64,
    /// Seconds that the claim holds without a heartbeat.
    pub seconds: u64,
}

impl Lease {
    fn expires(self) -> u64 {
        self.now.saturating_add(self.seconds)
    }
}

/// The answer to a claim.
#[derive(Clone, Debug)]
pub enum Claim {
    /// The trial is the caller's to train.
    Mine,
    /// It is trained already.
    Done(Box<Record>),
    /// Another holder's lease still runs.
    Busy,
}

/// A keeper of trials. Each value is one holder of leases; threads share it.
///
/// Every method fails with E0802 if the store cannot be used.
#[allow(clippy::missing_errors_doc, reason = "one sentence above says it for all methods")]
pub trait Store: Sync {
    /// Asks for a trial. One's own claim is extended.
    fn claim(&self, key: &TrialKey, lease: Lease) -> Result<Claim, Diagnostic>;

    /// Extends one's own claim; false if it was lost, in which case another holder may be training too, which
    /// costs time but cannot change the result.
    fn heartbeat(&self, key: &TrialKey, lease: Lease) -> Result<bool, Diagnostic>;

    /// Gives one's own claim back, unfinished.
    fn release(&self, key: &TrialKey) -> Result<(), Diagnostic>;

    /// Keeps a result, whoever holds the claim, and gives what is kept from now on: the first result that
    /// came.
    fn finish(&self, key: &TrialKey, record: &Record, weights: &[u8]) -> Result<Record, Diagnostic>;

    /// Keeps the state of an unfinished training in place of an earlier one, until it is finished.
    fn keep(&self, key: &TrialKey, state: &[u8]) -> Result<(), Diagnostic>;

    /// The state that was kept of an unfinished training, if there is one and it is whole.
    fn kept(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic>;

    /// A finished trial.
    fn get(&self, key: &TrialKey) -> Result<Option<Record>, Diagnostic>;

    /// The weights of a finished trial.
    fn weights(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic>;

    /// Keeps what is told of a search that this holder runs, in place of what it told before. Nothing depends on it,
    /// so a store may do without.
    fn tell(&self, _search: &str, _text: &str) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// All finished trials by key.
    fn all(&self) -> Result<Vec<(TrialKey, Record)>, Diagnostic>;
}
