//! What a search is told about its candidates, and what it tells while it runs.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::diagnostic::Diagnostic;
use crate::search::archive::Entry;
use crate::search::key::TrialKey;
use crate::search::outcome::{Metrics, Outcome};
use crate::search::store::{Clock, Lease, Store};

/// What is known of a candidate before it is trained.
#[derive(Clone, Debug)]
pub enum Screen {
    /// It may be trained.
    Accept {
        /// Identity of the trial.
        key: TrialKey,
        /// Its costs on the targets of this run.
        costs: Metrics,
    },
    /// It cannot meet a requirement, for this reason. Uses no trial.
    Reject(String),
    /// It is no network at all, for this reason. Uses no trial.
    Invalid(String),
}

/// Why an evaluation has no outcome.
#[derive(Clone, Debug)]
pub enum TrialError {
    /// It stopped because [`Ticket::step`] told it to.
    Cancelled,
    /// It cannot be done; ends the search.
    Failed(Diagnostic),
}

/// How candidates become results. Both callbacks depend on nothing but their arguments.
pub trait Problem<G>: Sync {
    /// Costs and constraints, before training. Called in the order of the trials, one at a time.
    fn screen(&self, genome: &G) -> Screen;

    /// Trains and measures. Called on several threads; calls [`Ticket::step`] at least every few seconds.
    ///
    /// # Errors
    /// [`TrialError::Cancelled`] when the ticket says stop, [`TrialError::Failed`] if it cannot be done at
    /// all.
    fn evaluate(&self, genome: &G, ticket: &Ticket<'_>) -> Result<Outcome, TrialError>;

    /// How many candidates that pass the screen are scored for each one that is trained: the one with the greatest
    /// score, the first of equal ones. 1 for no scores.
    fn pool(&self) -> usize {
        1
    }

    /// What a candidate promises before training. Called in the order of the candidates, one at a time.
    ///
    /// # Errors
    /// When it cannot be known, which ends the search.
    fn score(&self, _genome: &G) -> Result<f64, Diagnostic> {
        Ok(0.0)
    }

    /// Whether there is time for this trial. The first `false` ends the asking: a time budget decides how
    /// many trials run, and nothing else.
    fn has_time(&self, _trial: usize) -> bool {
        true
    }
}

/// Hears of progress, in no fixed order between trials. All calls but [`epoch`](Observer::epoch) come one at a time.
pub trait Observer<G>: Sync {
    /// A trial starts, or is looked up in the store.
    fn started(&self, _trial: usize, _genome: &G) {}
    /// The training of a trial stands behind so many of its epochs: where it starts, and after each of them. Comes
    /// from the thread that trains.
    fn epoch(&self, _trial: usize, _done: u64, _of: u64) {}
    /// A trial is finished; `from_store` if nothing was trained for it.
    fn finished(&self, _entry: &Entry<G>, _from_store: bool) {}
    /// A trial waits for another process that has claimed it, or for the claim of a killed one to end.
    fn waiting(&self, _trial: usize) {}
    /// A candidate was rejected before training.
    fn rejected(&self, _reason: &str) {}
}

/// For those who do not listen.
impl<G> Observer<G> for () {}

/// One evaluation's link to the search.
pub struct Ticket<'a> {
    /// Number of the trial.
    pub trial: usize,
    /// Its identity.
    pub key: TrialKey,
    /// Seed of its random stream.
    pub seed: u64,
    pub(super) context: &'a Context<'a>,
    pub(super) stop: &'a AtomicBool,
    /// Hears how many epochs are done, and of how many.
    pub(super) epochs: &'a (dyn Fn(u64, u64) + Sync),
    /// When the claim was last extended.
    pub(super) extended: AtomicU64,
    /// When a state was last kept, or the evaluation began.
    pub(super) kept: AtomicU64,
}

/// Seconds of work that a killed evaluation may lose, and one step besides.
const KEEP_SECONDS: u64 = 30;

impl Ticket<'_> {
    /// Between two steps of an evaluation: keeps the claim alive, and says whether to stop with
    /// [`TrialError::Cancelled`].
    pub fn step(&self) -> ControlFlow<()> {
        if self.context.cancel.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed) {
            return ControlFlow::Break(());
        }
        let lease = self.context.lease();
        let due = self.extended.load(Ordering::Relaxed).saturating_add(lease.seconds / 3);
        if lease.now >= due {
            self.extended.store(lease.now, Ordering::Relaxed);
            // A failing store shows when the result is written; until then training goes on.
            let _ = self.context.store.heartbeat(&self.key, lease);
        }
        ControlFlow::Continue(())
    }

    /// The time, for what is decided by patience alone.
    pub fn millis(&self) -> u64 {
        self.context.clock.millis()
    }

    /// Tells how many epochs of the training are done, and of how many.
    pub fn epoch(&self, done: u64, of: u64) {
        (self.epochs)(done, of);
    }

    /// The state that an evaluation of this trial left when it was stopped or killed. It follows from the key
    /// alone, so going on from it gives the same result.
    pub fn kept(&self) -> Option<Vec<u8>> {
        // A failing store shows when the result is written.
        self.context.store.kept(&self.key).ok().flatten()
    }

    /// The weights of another trial, which this one's key names.
    ///
    /// # Errors
    /// E0802 if the store fails.
    pub fn weights_of(&self, key: &TrialKey) -> Result<Option<Vec<u8>>, Diagnostic> {
        self.context.store.weights(key)
    }

    /// Whether it is time to keep the state of the evaluation.
    pub fn is_keeping_due(&self) -> bool {
        let due = self.kept.load(Ordering::Relaxed).saturating_add(KEEP_SECONDS);
        self.context.clock.now() >= due
    }

    /// Keeps a state of the evaluation, for [`kept`](Ticket::kept).
    pub fn keep(&self, state: &[u8]) {
        self.kept.store(self.context.clock.now(), Ordering::Relaxed);
        // As above; what is not kept is done again.
        let _ = self.context.store.keep(&self.key, state);
    }
}

/// What a claim needs.
pub(super) struct Context<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) clock: &'a dyn Clock,
    pub(super) cancel: &'a AtomicBool,
    pub(super) lease_seconds: u64,
}

impl Context<'_> {
    pub(super) fn lease(&self) -> Lease {
        Lease { now: self.clock.now(), seconds: self.lease_seconds }
    }
}
