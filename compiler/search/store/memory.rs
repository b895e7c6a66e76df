//! A store that lives as long as the process, for runs without a folder and for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::diagnostic::Diagnostic;
use crate::search::key::TrialKey;
use crate::search::outcome::Record;
use crate::search::store::{Claim, Lease, Store};

enum State {
    Claimed { holder: u64, expires: u64 },
    Finished { record: Record, weights: Vec<u8> },
}

#[derive(Default)]
struct Shared {
    trials: BTreeMap<TrialKey, State>,
    unfinished: BTreeMap<TrialKey, Vec<u8>>,
    holders: u64,
}

/// Trials in memory.
#[derive(Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    holder: u64,
}

impl MemoryStore {
    /// Another holder on the same trials, as another process would be.
    #[must_use]
    pub fn another_holder(&self) -> MemoryStore {
        let mut shared = self.shared();
        shared.holders += 1;
        MemoryStore { shared: Arc::clone(&self.shared), holder: shared.holders }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    fn claim(&self, key: &TrialKey, lease: Lease) -> Result<Claim, Diagnostic> {
        let mut shared = self.shared();
        match shared.trials.get(key) {
            Some(State::Finished { record, .. }) => return Ok(Claim::Done(Box::new(record.clone()))),
            Some(&State::Claimed { holder, expires }) if holder != self.holder && expires > lease.now => {
                return Ok(Claim::Busy);
            }
            _ => {}
        }
        shared.trials.insert(*key, State::Claimed { holder: self.holder, expires: lease.expires() });
        Ok(Claim::Mine)
    }

    fn heartbeat(&self, key: &TrialKey, lease: Lease) -> Result<bool, Diagnostic> {
        match self.shared().trials.get_mut(key) {
            Some(State::Claimed { holder, expires }) if *holder == self.holder => {
                *expires = lease.expires();
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    fn release(&self, key: &TrialKey) -> Result<(), Diagnostic> {
        let mut shared = self.shared();
        if matches!(shared.trials.get(key), Some(State::Claimed { holder, .. }) if *holder == self.holder) {
            shared.trials.remove(key);
        }
        Ok(())
    }

    fn finish(&self, key: &TrialKey, record: &Record, weights: &[u8]) -> Result<Record, Diagnostic> {
        let mut shared = self.shared();
        shared.unfinished.remove(key);
        if let Some(State::Finished { record, .. }) = shared.trials.get(key) {
            return Ok(record.clone());
        }
        shared.trials.insert(*key, State::Finished { record: record.clone(), weights: weights.to_vec() });
        Ok(record.clone())
    }

    fn keep(&self, key: &TrialKey, state: &[u8]) -> Result<(), Diagnostic> {
        self.shared().unfinished.insert(*key, state.to_vec());
        Ok(())
    }

    fn kept(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic> {
        Ok(self.shared().unfinished.get(key).cloned())
    }

    fn get(&self, key: &TrialKey) -> Result<Option<Record>, Diagnostic> {
        Ok(match self.shared().trials.get(key) {
            Some(State::Finished { record, .. }) => Some(record.clone()),
            _ => None,
        })
    }

    fn weights(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic> {
        Ok(match self.shared().trials.get(key) {
            Some(State::Finished { weights, .. }) => Some(weights.clone()),
            _ => None,
        })
    }

    fn all(&self) -> Result<Vec<(TrialKey, Record)>, Diagnostic> {
        let finished = |(key, state): (&TrialKey, &State)| match state {
            State::Finished { record, .. } => Some((*key, record.clone())),
            State::Claimed { .. } => None,
        };
        Ok(self.shared().trials.iter().filter_map(finished).collect())
    }
}
