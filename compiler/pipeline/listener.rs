//! What a search tells while it runs.

use std::sync::Mutex;

use crate::elaborate::Metric;
use crate::pipeline::compile::{Environment, Scored};
use crate::pipeline::figures;
use crate::pipeline::study::Point;
use crate::search::{Entry, Observer};

/// Passes a search's events on, one at a time.
pub(crate) struct Listener<'a> {
    env: &'a Environment<'a>,
    judged: Metric,
    /// Number of the first trial.
    first: usize,
    last: Mutex<()>,
}

impl<'a> Listener<'a> {
    /// Passes on what happens to candidates that are judged by this figure; their trials count from `first`.
    pub(crate) fn new(env: &'a Environment<'a>, judged: Metric, first: usize) -> Listener<'a> {
        Listener { env, judged, first, last: Mutex::new(()) }
    }
}

impl Observer<Point> for Listener<'_> {
    fn finished(&self, entry: &Entry<Point>, from_store: bool) {
        let _one_at_a_time = self.last.lock();
        let value = entry.metrics.get(figures::metric_word(self.judged)).copied();
        let quality = value.map(|value| Scored { metric: self.judged, value });
        self.env.progress.trial(self.first + entry.trial, quality, from_store);
    }

    fn waiting(&self, trial: usize) {
        let _one_at_a_time = self.last.lock();
        let trial = self.first + trial;
        self.env.progress.note(&format!("trial {trial} is being trained by another process: waiting for it"));
    }
}
