//! The runner: asks a strategy, screens, trains on several threads, keeps everything in the store.
//!
//! Trials are asked for strictly in order, each as soon as the results that it may see are there, so the
//! sequence of proposals is the same for any number of threads. A resumed search asks again from the start
//! and finds the finished trials in the store: there is no other state to restore.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};

use crate::diagnostic::{Code, Diagnostic};
use crate::search::archive::{Archive, Entry};
use crate::search::key::TrialKey;
use crate::search::outcome::{Metrics, Record, Status};
use crate::search::problem::{Context, Observer, Problem, Screen, Ticket, TrialError};
use crate::search::store::{Claim, Clock, Store};
use crate::search::strategy::{Candidate, Proposal, Strategy};

/// What decides the course of a search, except `jobs` and `lease_seconds`, which change nothing in its
/// result.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Number of trials.
    pub trials: usize,
    /// W: trial `i` sees the results of the trials `0..=i - W`. At least 1.
    pub window: usize,
    /// Threads to train on; more than `window` have nothing to do.
    pub jobs: usize,
    /// The spec's seed.
    pub seed: u64,
    /// How long a claim holds without a heartbeat.
    pub lease_seconds: u64,
    /// So many candidates rejected without a new one between them end the search.
    pub rejections: u64,
    /// So many known networks drawn without a new one between them end the search.
    pub duplicates: u64,
}

impl Settings {
    /// The defaults of the language for a number of trials and a seed: window 4, one job, claims of 60
    /// seconds, an end after ten thousand rejections or a thousand duplicates.
    pub fn new(trials: usize, seed: u64) -> Settings {
        Settings {
            trials,
            window: 4,
            jobs: 1,
            seed,
            lease_seconds: 60,
            rejections: 10_000,
            duplicates: 1_000,
        }
    }
}

/// The number of threads that a search uses, and what to tell the user if it is not what was asked for.
pub fn capped_jobs(jobs: usize, window: usize) -> (usize, Option<String>) {
    let window = window.max(1);
    if jobs <= window {
        return (jobs.max(1), None);
    }
    (
        window,
        Some(format!(
            "{jobs} jobs are capped to {window}: the search's window lets {window} trials run at once"
        )),
    )
}

/// Everything that a search works with.
pub struct Run<'a, G> {
    /// Its course.
    pub settings: &'a Settings,
    /// How candidates become results.
    pub problem: &'a dyn Problem<G>,
    /// Where trials are kept.
    pub store: &'a dyn Store,
    /// Time for leases.
    pub clock: &'a dyn Clock,
    /// Set to end the search after the current steps, resumable.
    pub cancel: &'a AtomicBool,
    /// Hears of progress.
    pub observer: &'a dyn Observer<G>,
}

/// Why a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All trials were done.
    Trials,
    /// The strategy had nothing more to propose.
    Strategy,
    /// Only known networks came: a small space is exhausted.
    Duplicates,
    /// Only candidates that cannot be used came.
    Rejections,
    /// [`Problem::has_time`] said so.
    Budget,
    /// It was cancelled; the archive has what was finished.
    Cancelled,
}

/// What a search leaves behind.
#[derive(Clone, Debug)]
pub struct Report<G> {
    /// The finished trials.
    pub archive: Archive<G>,
    /// Why it ended.
    pub end: End,
    /// Reasons for rejection before training and how often, most frequent first, then by text.
    pub rejections: Vec<(String, u64)>,
    /// Trials that were answered by the store.
    pub n_from_store: usize,
}

impl<G: Candidate> Report<G> {
    /// The message for a search without one trained network: E0801 if all diverged, E0804 if it was cancelled
    /// before that, else E0803 with the reasons. `None` if there is a network.
    pub fn nothing_trained(&self) -> Option<Diagnostic> {
        let trials = self.archive.entries();
        if trials.iter().any(|entry| entry.status == Status::Trained) {
            return None;
        }
        if self.end == End::Cancelled {
            return Some(
                Diagnostic::error(Code::CANCELLED, "the search was stopped before it had a network")
                    .help("the same command goes on from there"),
            );
        }
        if !trials.is_empty() {
            let message = format!("the training of all {} trials diverged", trials.len());
            return Some(Diagnostic::error(Code::DIVERGED, message).help("lower the learning rate"));
        }
        let message = match self.rejections.iter().map(|(_, count)| count).sum::<u64>() {
            0 => "the search ended without a trial".to_owned(),
            total => format!("all {total} candidates were rejected before training"),
        };
        let diagnostic = Diagnostic::error(Code::NOTHING_TRAINED, message);
        let diagnostic = self.rejections.iter().take(10).fold(diagnostic, |diagnostic, (reason, count)| {
            diagnostic.note(format!("{count} times: {reason}"))
        });
        Some(diagnostic.help("raise the limits of `require`, or let the space hold smaller networks"))
    }
}

/// Runs a search to its end.
///
/// # Errors
/// The diagnostic of the first trial, by number, that failed; E0802 if the store fails.
pub fn run<G: Candidate>(strategy: &mut dyn Strategy<G>, run: &Run<'_, G>) -> Result<Report<G>, Diagnostic> {
    let settings = run.settings;
    let context = Context {
        store: run.store,
        clock: run.clock,
        cancel: run.cancel,
        lease_seconds: settings.lease_seconds,
    };
    let progress = Progress {
        strategy,
        asked: 0,
        history: Vec::new(),
        ahead: BTreeMap::new(),
        known: BTreeSet::new(),
        rejections: BTreeMap::new(),
        n_from_store: 0,
        end: None,
        failure: None,
    };
    let shared = Shared {
        run,
        context,
        progress: Mutex::new(progress),
        changed: Condvar::new(),
        stop: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        for _ in 1..capped_jobs(settings.jobs, settings.window).0 {
            scope.spawn(|| shared.work());
        }
        shared.work();
    });
    shared.progress.into_inner().unwrap_or_else(PoisonError::into_inner).report()
}

/// A trial to be done.
struct Job<G> {
    trial: usize,
    key: TrialKey,
    costs: Metrics,
    genome: G,
}

/// What is drawn for one trial.
struct Draws {
    rng: ChaCha8Rng,
    /// Networks that passed the screen.
    seen: BTreeSet<TrialKey>,
    n_rejected: u64,
    n_duplicates: u64,
}

/// What the threads change, under one lock.
struct Progress<'a, G> {
    strategy: &'a mut dyn Strategy<G>,
    /// Trials asked for so far.
    asked: usize,
    /// Finished trials without a gap, from 0.
    history: Vec<Entry<G>>,
    /// Finished trials behind a gap.
    ahead: BTreeMap<usize, Entry<G>>,
    /// Keys of the trials asked for.
    known: BTreeSet<TrialKey>,
    rejections: BTreeMap<String, u64>,
    n_from_store: usize,
    /// Set once nothing more is asked for.
    end: Option<End>,
    /// The failure of the trial with the least number.
    failure: Option<(usize, Diagnostic)>,
}

impl<G: Candidate> Progress<'_, G> {
    /// The number of entries that the next trial sees, if they are all there.
    fn visible(&self, window: usize) -> Option<usize> {
        let n_visible = (self.asked + 1).saturating_sub(window.max(1));
        (self.history.len() >= n_visible).then_some(n_visible)
    }

    fn finish(&mut self, entry: Entry<G>) {
        self.ahead.insert(entry.trial, entry);
        while let Some(next) = self.ahead.remove(&self.history.len()) {
            self.history.push(next);
        }
    }

    fn fail(&mut self, trial: usize, diagnostic: Diagnostic) {
        if self.failure.as_ref().is_none_or(|&(first, _)| trial < first) {
            self.failure = Some((trial, diagnostic));
        }
    }

    fn report(self) -> Result<Report<G>, Diagnostic> {
        if let Some((_, diagnostic)) = self.failure {
            return Err(diagnostic);
        }
        let mut rejections: Vec<_> = self.rejections.into_iter().collect();
        rejections.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        Ok(Report {
            archive: Archive::new(self.history.into_iter().chain(self.ahead.into_values()).collect()),
            end: self.end.unwrap_or(End::Cancelled),
            rejections,
            n_from_store: self.n_from_store,
        })
    }
}

struct Shared<'a, G> {
    run: &'a Run<'a, G>,
    context: Context<'a>,
    progress: Mutex<Progress<'a, G>>,
    changed: Condvar,
    /// Set when a trial failed, so that the others stop.
    stop: AtomicBool,
}

/// Frees the other threads if this one panics: they would wait for its trial for ever.
struct Alarm<'a, 'b, G: Candidate>(&'a Shared<'b, G>);

impl<G: Candidate> Drop for Alarm<'_, '_, G> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop.store(true, Ordering::Relaxed);
            self.0.progress().end.get_or_insert(End::Cancelled);
            self.0.changed.notify_all();
        }
    }
}

impl<'s, G: Candidate> Shared<'s, G> {
    fn progress(&self) -> MutexGuard<'_, Progress<'s, G>> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopped(&self) -> bool {
        self.run.cancel.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed)
    }

    /// One thread: trials until there are none.
    fn work(&self) {
        let _alarm = Alarm(self);
        while let Some(job) = self.next_job() {
            let trial = job.trial;
            let result = self.attempt(&job);
            let mut progress = self.progress();
            match result {
                Ok(Some((record, from_store))) => self.finish(&mut progress, job, record, from_store),
                Ok(None) => progress.end = Some(End::Cancelled),
                Err(diagnostic) => {
                    self.stop.store(true, Ordering::Relaxed);
                    progress.fail(trial, diagnostic);
                }
            }
            self.changed.notify_all();
        }
    }

    /// Waits until the next trial may be asked for; `None` when there is no next one.
    fn next_job(&self) -> Option<Job<G>> {
        let mut progress = self.progress();
        loop {
            if self.stopped() {
                progress.end.get_or_insert(End::Cancelled);
            }
            if progress.end.is_some() {
                self.changed.notify_all();
                return None;
            }
            if let Some(n_visible) = progress.visible(self.run.settings.window) {
                match self.ask(&mut progress, n_visible) {
                    Ok(job) => return Some(job),
                    Err(end) => progress.end = Some(end),
                }
            } else {
                progress = self.changed.wait(progress).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// The best of as many new candidates as are scored for a trial.
    fn ask(&self, progress: &mut Progress<'s, G>, n_visible: usize) -> Result<Job<G>, End> {
        let Run { settings, problem, observer, .. } = *self.run;
        let trial = progress.asked;
        if trial >= settings.trials {
            return Err(End::Trials);
        }
        if !problem.has_time(trial) {
            return Err(End::Budget);
        }
        let mut draws = Draws {
            rng: stream(settings.seed, trial),
            seen: BTreeSet::new(),
            n_rejected: 0,
            n_duplicates: 0,
        };
        let pool = problem.pool().max(1);
        let mut best: Option<(f64, Job<G>)> = None;
        for _ in 0..pool {
            let job = match self.draw(progress, n_visible, &mut draws) {
                Ok(job) => job,
                // Of a small space, what there is.
                Err(End::Duplicates | End::Rejections) if best.is_some() => break,
                Err(end) => return Err(end),
            };
            let score = if pool == 1 { 0.0 } else { self.score(progress, &job)? };
            if best.as_ref().is_none_or(|(least, _)| score.total_cmp(least).is_gt()) {
                best = Some((score, job));
            }
        }
        let Some((_, job)) = best else { return Err(End::Cancelled) };
        progress.known.insert(job.key);
        progress.asked += 1;
        observer.started(trial, &job.genome);
        Ok(job)
    }

    fn score(&self, progress: &mut Progress<'s, G>, job: &Job<G>) -> Result<f64, End> {
        self.run.problem.score(&job.genome).map_err(|diagnostic| {
            self.stop.store(true, Ordering::Relaxed);
            progress.fail(job.trial, diagnostic);
            End::Cancelled
        })
    }

    /// Asks until a candidate passes the screen that is neither known nor drawn for this trial.
    fn draw(
        &self,
        progress: &mut Progress<'s, G>,
        n_visible: usize,
        draws: &mut Draws,
    ) -> Result<Job<G>, End> {
        let Run { settings, problem, observer, .. } = *self.run;
        let trial = progress.asked;
        while !self.stopped() {
            let proposal = progress.strategy.ask(&progress.history[..n_visible], trial, &mut draws.rng);
            let Proposal::Candidate(genome) = proposal else { return Err(End::Strategy) };
            match problem.screen(&genome) {
                Screen::Accept { key, costs } if !progress.known.contains(&key) && draws.seen.insert(key) => {
                    return Ok(Job { trial, key, costs, genome });
                }
                Screen::Accept { .. } => {
                    draws.n_duplicates += 1;
                    if draws.n_duplicates >= settings.duplicates {
                        return Err(End::Duplicates);
                    }
                }
                Screen::Reject(reason) | Screen::Invalid(reason) => {
                    observer.rejected(&reason);
                    *progress.rejections.entry(reason).or_default() += 1;
                    draws.n_rejected += 1;
                    if draws.n_rejected >= settings.rejections {
                        return Err(End::Rejections);
                    }
                }
            }
        }
        Err(End::Cancelled)
    }

    /// The record of a trial, and whether the store had it; `None` if it was cancelled.
    fn attempt(&self, job: &Job<G>) -> Result<Option<(Record, bool)>, Diagnostic> {
        let Run { store, clock, problem, observer, .. } = *self.run;
        let mut told = false;
        loop {
            match store.claim(&job.key, self.context.lease())? {
                Claim::Done(record) => return Ok(Some((*record, true))),
                Claim::Mine => break,
                Claim::Busy if self.stopped() => return Ok(None),
                Claim::Busy => {
                    if !told {
                        let _one_at_a_time = self.progress();
                        observer.waiting(job.trial);
                        told = true;
                    }
                    clock.pause();
                }
            }
        }
        let epochs = |done, of| observer.epoch(job.trial, done, of);
        let ticket = Ticket {
            trial: job.trial,
            key: job.key,
            seed: job.key.seed(),
            context: &self.context,
            stop: &self.stop,
            epochs: &epochs,
            extended: AtomicU64::new(clock.now()),
            kept: AtomicU64::new(clock.now()),
        };
        match problem.evaluate(&job.genome, &ticket) {
            Ok(outcome) => {
                let record = Record::new(&outcome, job.costs.clone(), job.genome.text());
                let kept = store.finish(&job.key, &record, &outcome.weights)?;
                Ok(Some((kept, false)))
            }
            Err(TrialError::Cancelled) => store.release(&job.key).map(|()| None),
            Err(TrialError::Failed(diagnostic)) => {
                // The failure is what the user must see; an unreleased claim ends by itself.
                let _ = store.release(&job.key);
                Err(diagnostic)
            }
        }
    }

    fn finish(&self, progress: &mut Progress<'s, G>, job: Job<G>, record: Record, from_store: bool) {
        let Job { trial, key, mut costs, genome } = job;
        costs.extend(record.quality);
        let entry = Entry {
            trial,
            key,
            genome,
            status: record.status,
            metrics: costs,
            weights_hash: record.weights_hash,
        };
        progress.n_from_store += usize::from(from_store);
        self.run.observer.finished(&entry, from_store);
        progress.finish(entry);
    }
}

/// The random stream of a trial's proposal, so that what one trial draws never shifts another's.
pub(crate) fn stream(seed: u64, trial: usize) -> ChaCha8Rng {
    let digest = Sha256::new().chain_update(b"nasc ask\n").chain_update(seed.to_le_bytes()).finalize();
    let mut rng = ChaCha8Rng::from_seed(digest.into());
    rng.set_stream(trial as u64);
    rng
}
