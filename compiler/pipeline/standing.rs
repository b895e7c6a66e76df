//! How a search stands: what is told of it while it runs, and how long it will take by what was measured so far.
//!
//! In: events with their times. Out: [`Standing`], for terminals, programs and other processes. Nothing here reads a
//! clock, and no result depends on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A network that no other beats, as far as the search is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FrontLine {
    /// Number of its trial.
    pub trial: usize,
    /// Its quality on the validation part.
    pub quality: Option<f64>,
    /// Its RAM on the first target.
    pub ram_bytes: Option<f64>,
    /// Its latency on the first target.
    pub latency_seconds: Option<f64>,
}

/// A trial in flight.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// Its number.
    pub trial: usize,
    /// Epochs done.
    pub done: u64,
    /// Of so many; 0 before its training starts.
    pub of: u64,
}

/// How a search stands. Times are seconds of the [`Clock`](crate::search::Clock).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// File name of the spec.
    pub spec: String,
    /// `searching` or `retraining`.
    pub stage: String,
    /// Trials of the stage.
    pub trials: usize,
    /// Trials of the stage that are finished.
    pub done: usize,
    /// Of these, the ones that were in the store.
    pub from_store: usize,
    /// Trials in flight, by number.
    pub running: Vec<Running>,
    /// What candidates are judged by.
    pub metric: String,
    /// The best of the stage so far.
    pub best: Option<f64>,
    /// The first target.
    pub target: String,
    /// Networks that no other beats, the best quality first; at most [`SHOWN`].
    pub front: Vec<FrontLine>,
    /// How many there are.
    pub front_size: usize,
    /// Candidates that were rejected before training.
    pub rejected: u64,
    /// The most frequent reasons and how often.
    pub reasons: Vec<(String, u64)>,
    /// When the search began.
    pub started: u64,
    /// When this was told.
    pub told: u64,
    /// When a trial was finished last.
    pub last_done: Option<u64>,
    /// Seconds until the stage ends, by the epochs that were measured.
    pub seconds_left: Option<u64>,
    /// How the search ended: `done`, `stopped` or the message of an error.
    pub end: Option<String>,
}

/// Networks of a front that are told of.
pub const SHOWN: usize = 6;
/// Reasons that are told of.
const REASONS: usize = 5;
/// Reasons that are counted.
const KNOWN: usize = 256;
/// Characters of a text that is told.
const TEXT: usize = 200;

/// A training in flight, with its times in milliseconds.
#[derive(Clone, Debug)]
struct Training {
    done: u64,
    of: u64,
    started: u64,
    /// When it last told of an epoch.
    last: Option<u64>,
    /// Epochs that were measured, and how long they took together.
    epochs: u64,
    millis: u64,
}

/// What was measured of a stage's trainings, in milliseconds.
#[derive(Clone, Debug, Default)]
struct Pace {
    /// When the first trial that trains was started.
    since: Option<u64>,
    epochs: u64,
    millis: u64,
    /// Trials that trained, the epochs that each of them has, and what they took beside epochs.
    trainings: u64,
    of: u64,
    ends: u64,
    end_millis: u64,
    /// Time of finished trials together.
    busy: u64,
}

/// A finished trial as it is told.
pub(crate) struct Finished {
    pub(crate) trial: usize,
    pub(crate) from_store: bool,
    pub(crate) quality: Option<f64>,
    /// Whether more is better.
    pub(crate) is_gain: bool,
    /// Its objectives turned so that smaller is better; `None` where one is missing.
    pub(crate) losses: Option<Vec<f64>>,
    pub(crate) ram_bytes: Option<f64>,
    pub(crate) latency_seconds: Option<f64>,
}

/// Follows a search by its events; every `now` is in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tracker {
    pub(crate) standing: Standing,
    running: BTreeMap<usize, Training>,
    pace: Pace,
    jobs: usize,
    /// Seconds after which no trial is started any more.
    until: Option<u64>,
    front: Vec<(Vec<f64>, FrontLine)>,
    reasons: BTreeMap<String, u64>,
}

impl Tracker {
    /// A stage of so many trials begins.
    pub(crate) fn stage(&mut self, name: &str, trials: usize, jobs: usize, until: Option<u64>) {
        (self.jobs, self.until) = (jobs.max(1), until);
        self.pace = Pace::default();
        self.running.clear();
        let Standing { stage, done, from_store, trials: of, best, .. } = &mut self.standing;
        name.clone_into(stage);
        (*done, *from_store, *of, *best) = (0, 0, trials, None);
    }

    pub(crate) fn started(&mut self, trial: usize, now: u64) {
        let training = Training { done: 0, of: 0, started: now, last: None, epochs: 0, millis: 0 };
        self.running.insert(trial, training);
    }

    pub(crate) fn epoch(&mut self, trial: usize, done: u64, of: u64, now: u64) {
        let Some(training) = self.running.get_mut(&trial) else { return };
        match training.last {
            Some(last) if done > training.done => {
                let (epochs, millis) = (done - training.done, now.saturating_sub(last));
                training.epochs += epochs;
                training.millis += millis;
                self.pace.epochs += epochs;
                self.pace.millis += millis;
            }
            Some(_) => {}
            None => {
                self.pace.since.get_or_insert(training.started);
                self.pace.trainings += 1;
                self.pace.of += of;
            }
        }
        (training.done, training.of, training.last) = (done, of, Some(now));
    }

    pub(crate) fn finished(&mut self, of: Finished, now: u64) {
        if let Some(training) = self.running.remove(&of.trial)
            && let (false, Some(last)) = (of.from_store, training.last)
        {
            self.pace.busy += now.saturating_sub(training.started);
            self.pace.ends += 1;
            self.pace.end_millis += now.saturating_sub(last);
        }
        let standing = &mut self.standing;
        standing.done += 1;
        standing.from_store += usize::from(of.from_store);
        standing.last_done = Some(now / 1000);
        let better = |a: f64, b: f64| if of.is_gain { a.max(b) } else { a.min(b) };
        standing.best = standing.best.into_iter().chain(of.quality).reduce(better);
        if let Some(losses) = of.losses {
            let Finished { trial, quality, ram_bytes, latency_seconds, .. } = of;
            let line = FrontLine { trial, quality, ram_bytes, latency_seconds };
            self.insert(losses, line);
        }
    }

    /// Puts a network on the front unless another beats it; those that it beats go.
    fn insert(&mut self, losses: Vec<f64>, line: FrontLine) {
        let beats = |a: &[f64], b: &[f64]| {
            a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
        };
        if self.front.iter().any(|(other, _)| beats(other, &losses)) {
            return;
        }
        self.front.retain(|(other, _)| !beats(&losses, other));
        let at = self.front.partition_point(|(other, _)| other.as_slice() <= losses.as_slice());
        self.front.insert(at, (losses, line));
    }

    /// Nothing is in flight any more.
    pub(crate) fn interrupted(&mut self) {
        self.running.clear();
        self.pace = Pace::default();
    }

    pub(crate) fn rejected(&mut self, reason: &str) {
        self.standing.rejected += 1;
        // The frequent ones are seen early; of the rest there may be any number.
        let has_room = self.reasons.len() < KNOWN;
        match self.reasons.get_mut(reason) {
            Some(count) => *count += 1,
            None if has_room => {
                self.reasons.insert(reason.to_owned(), 1);
            }
            None => {}
        }
    }

    /// How it stands now.
    pub(crate) fn standing(&self, now: u64) -> Standing {
        let mut reasons: Vec<(&String, &u64)> = self.reasons.iter().collect();
        reasons.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        let short = |(reason, &count): (&String, &u64)| (reason.chars().take(TEXT).collect(), count);
        let running =
            |(&trial, training): (&usize, &Training)| Running { trial, done: training.done, of: training.of };
        Standing {
            running: self.running.iter().map(running).collect(),
            front: self.front.iter().take(SHOWN).map(|(_, line)| line.clone()).collect(),
            front_size: self.front.len(),
            reasons: reasons.into_iter().take(REASONS).map(short).collect(),
            told: now / 1000,
            seconds_left: self.left(now).map(|millis| millis.div_ceil(1000)),
            ..self.standing.clone()
        }
    }

    /// Milliseconds until the stage ends: epochs that are left by what epochs took, over the trainings that were
    /// really at work at a time, screening and waiting between them included.
    fn left(&self, now: u64) -> Option<u64> {
        let pace = &self.pace;
        let mean = |sum: u64, count: u64| (count > 0).then(|| sum as f64 / count as f64);
        let epoch = mean(pace.millis, pace.epochs)?;
        let end = mean(pace.end_millis, pace.ends).unwrap_or(0.0);
        let of = mean(pace.of, pace.trainings)?;
        let mut longest = 0.0_f64;
        let mut work = 0.0;
        let mut busy = pace.busy as f64;
        for training in self.running.values().filter(|training| training.of > 0) {
            let own = mean(training.millis, training.epochs).unwrap_or(epoch);
            // What is done of the epoch that runs counts as well.
            let since = now.saturating_sub(training.last.unwrap_or(now)) as f64;
            let left = training.of.saturating_sub(training.done) as f64 * own + end - since;
            let left = left.max(0.0);
            longest = longest.max(left);
            work += left;
            busy += now.saturating_sub(training.started) as f64;
        }
        let waiting = self.running.values().filter(|training| training.of > 0).count();
        let later = self.standing.trials.saturating_sub(self.standing.done + waiting);
        let one = of * epoch + end;
        work += later as f64 * one;
        let elapsed = now.saturating_sub(pace.since?) as f64;
        // What is at work at a time is known once a trial is over.
        let most = (self.jobs.min(later + waiting)).max(1) as f64;
        let at_once = if pace.ends > 0 && elapsed > 0.0 { (busy / elapsed).clamp(0.1, most) } else { most };
        let left = (work / at_once).max(longest);
        let until = self.until.map(|until| until.saturating_mul(1000).saturating_sub(now) as f64 + one);
        Some(until.map_or(left, |until| left.min(until.max(longest))) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(trial: usize, quality: f64, ram: f64) -> Finished {
        Finished {
            trial,
            from_store: false,
            quality: Some(quality),
            is_gain: true,
            losses: Some(vec![-quality, ram]),
            ram_bytes: Some(ram),
            latency_seconds: None,
        }
    }

    #[test]
    fn what_is_left_follows_from_epochs() {
        let mut tracker = Tracker::default();
        tracker.stage("searching", 4, 2, None);
        for trial in 0..2 {
            tracker.started(trial, 1_000);
            tracker.epoch(trial, 0, 10, 1_000);
        }
        assert_eq!(tracker.standing(1_500).seconds_left, None, "nothing is measured yet");
        tracker.epoch(0, 1, 10, 2_000);
        tracker.epoch(1, 1, 10, 2_000);
        // Two trainings with 9 epochs left, two with 10, two at a time, a second each.
        assert_eq!(tracker.standing(2_000).seconds_left, Some(19));
        assert_eq!(tracker.standing(2_500).seconds_left, Some(19), "of the epoch that runs some is done");
        for epoch in 2..=10 {
            tracker.epoch(0, epoch, 10, 1_000 + epoch * 1_000);
            tracker.epoch(1, epoch, 10, 1_000 + epoch * 1_000);
        }
        tracker.finished(finished(0, 0.5, 10.0), 11_000);
        tracker.finished(finished(1, 0.5, 10.0), 11_000);
        assert_eq!(tracker.standing(11_000).seconds_left, Some(10));
        assert_eq!(tracker.standing(11_000).done, 2);
    }

    #[test]
    fn a_budget_bounds_what_is_left_and_what_the_store_has_takes_no_time() {
        let mut tracker = Tracker::default();
        tracker.stage("searching", 1_000, 1, Some(60));
        for trial in 0..10 {
            tracker.started(trial, 0);
            tracker.finished(Finished { from_store: true, ..finished(trial, 0.5, 1.0) }, 0);
        }
        assert_eq!(tracker.standing(0).seconds_left, None);
        tracker.started(10, 0);
        // It goes on from its eighth epoch.
        tracker.epoch(10, 8, 10, 0);
        tracker.epoch(10, 9, 10, 2_000);
        let standing = tracker.standing(2_000);
        assert_eq!((standing.done, standing.from_store), (10, 10));
        assert_eq!(standing.seconds_left, Some(58 + 20), "a trial that starts at the last moment");
    }

    #[test]
    fn the_front_is_what_nothing_beats() {
        let mut tracker = Tracker::default();
        tracker.stage("searching", 9, 1, None);
        for (trial, (quality, ram)) in
            [(0.5, 10.0), (0.7, 20.0), (0.6, 30.0), (0.9, 40.0), (0.7, 15.0), (0.9, 40.0)]
                .into_iter()
                .enumerate()
        {
            tracker.finished(finished(trial, quality, ram), 0);
        }
        let standing = tracker.standing(0);
        let trials: Vec<usize> = standing.front.iter().map(|line| line.trial).collect();
        assert_eq!(trials, [3, 5, 4, 0], "best quality first; equal ones are both on it");
        assert_eq!((standing.front_size, standing.best), (4, Some(0.9)));
        for n in 0..9 {
            for _ in 0..=n {
                tracker.rejected(&format!("reason {n}"));
            }
        }
        let standing = tracker.standing(0);
        assert_eq!((standing.rejected, standing.reasons.len()), (45, 5));
        assert_eq!(standing.reasons[0], ("reason 8".to_owned(), 9));
    }
}
