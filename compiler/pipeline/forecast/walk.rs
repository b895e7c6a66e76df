//! The first proposals of a strategy, as far as they follow from what is known.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;

use super::Drawn;
use crate::diagnostic::{Code, Diagnostic};
use crate::graph::Graph;
use crate::pipeline::compile::Environment;
use crate::pipeline::study::{Point, Study};
use crate::search::{self, Entry, Metrics, Problem, Proposal, Screen, Status, Store, Strategy, TrialKey};
use crate::space;
use crate::train::Network;

/// Candidates that are looked at, at most: a number and not a time, so that all machines say the same.
const LOOKED_AT: usize = 400;
/// Candidates that are looked at, at least, to see how much of the space fits.
const ENOUGH: usize = 64;
/// Bytes of a trial in the store besides its weights: its record, and its share of the file's order.
const RECORD_BYTES: u64 = 1_500;

/// A candidate that may be trained.
pub(super) struct Accepted {
    pub(super) point: Point,
    pub(super) graph: Graph,
    pub(super) costs: Metrics,
    pub(super) parameters: u64,
    pub(super) macs: f64,
    /// Of its training, and of one in full.
    pub(super) epochs: u64,
    pub(super) whole: u64,
}

impl Accepted {
    /// Bytes that its trial takes in the store.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.parameters * 4 + RECORD_BYTES
    }
}

/// What was seen of the first proposals.
pub(super) struct Walk<'a> {
    study: &'a Study<'a>,
    store: Option<&'a dyn Store>,
    env: &'a Environment<'a>,
    /// Trials whose candidates are known.
    pub(super) known: usize,
    /// Of these, the ones that the store has.
    pub(super) in_store: usize,
    candidates: usize,
    pub(super) accepted: Vec<Accepted>,
    rejections: BTreeMap<String, u64>,
    keys: BTreeSet<TrialKey>,
    /// Milliseconds that all candidates took together.
    pub(super) millis: u64,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        study: &'a Study<'a>,
        store: Option<&'a dyn Store>,
        env: &'a Environment<'a>,
    ) -> Walk<'a> {
        Walk {
            study,
            store,
            env,
            known: 0,
            in_store: 0,
            candidates: 0,
            accepted: Vec::new(),
            rejections: BTreeMap::new(),
            keys: BTreeSet::new(),
            millis: 0,
        }
    }

    /// Follows a strategy from its first trial as a search does, as far as it can be known.
    pub(super) fn follow(&mut self, strategy: &mut dyn Strategy<Point>) -> Result<(), Diagnostic> {
        let search = &self.study.program.search;
        let mut history: Vec<Entry<Point>> = Vec::new();
        // Trials without a gap whose results are known.
        let mut certain = 0;
        for trial in 0..search.trials {
            let visible = (trial + 1).saturating_sub(search.window.max(1));
            if trial >= strategy.blind() && visible > certain {
                break;
            }
            let mut rng = search::stream(search.seed, trial);
            let Some((key, point, costs)) = self.next(strategy, &history[..visible], trial, &mut rng) else {
                break;
            };
            let record = self.store.map(|store| store.get(&key)).transpose()?.flatten();
            self.known += 1;
            self.in_store += usize::from(record.is_some());
            if record.is_some() && certain == trial {
                certain += 1;
            }
            let mut metrics = costs;
            let status = record.as_ref().map_or(Status::Diverged, |record| record.status);
            metrics.extend(record.map(|record| record.quality).unwrap_or_default());
            history.push(Entry { trial, key, genome: point, status, metrics, weights_hash: String::new() });
        }
        Ok(())
    }

    /// The new candidate that is trained next: the best of as many as are scored; `None` where the strategy has none or it takes too long.
    fn next(
        &mut self,
        strategy: &mut dyn Strategy<Point>,
        history: &[Entry<Point>],
        trial: usize,
        rng: &mut ChaCha8Rng,
    ) -> Option<(TrialKey, Point, Metrics)> {
        let pool = self.study.pool().max(1);
        let mut seen = BTreeSet::new();
        let mut best: Option<(f64, (TrialKey, Point, Metrics))> = None;
        while seen.len() < pool {
            if self.candidates >= LOOKED_AT {
                return None;
            }
            let Proposal::Candidate(point) = strategy.ask(history, trial, rng) else { return None };
            let Some((key, costs)) = self.look_at(&point) else { continue };
            if self.keys.contains(&key) || !seen.insert(key) {
                continue;
            }
            let score = if pool == 1 { 0.0 } else { self.study.score(&point).ok()? };
            if best.as_ref().is_none_or(|(least, _)| score.total_cmp(least).is_gt()) {
                best = Some((score, (key, point, costs)));
            }
        }
        let (_, best) = best?;
        self.keys.insert(best.0);
        Some(best)
    }

    /// Draws points until there are enough to see how much of the space fits.
    pub(super) fn draw_more(&mut self) {
        let (space, search) = (&self.study.program.space, &self.study.program.search);
        // The stream of a trial that no search has.
        let mut rng = search::stream(search.seed, usize::MAX);
        while self.candidates < ENOUGH || (self.accepted.is_empty() && self.candidates < LOOKED_AT) {
            let point = Point::new(self.study.program, space::sample(space, &mut rng));
            self.look_at(&point);
        }
    }

    fn look_at(&mut self, point: &Point) -> Option<(TrialKey, Metrics)> {
        let since = self.env.clock.millis();
        let screen = self.study.screen(point);
        self.millis += self.env.clock.millis().saturating_sub(since);
        self.candidates += 1;
        match screen {
            Screen::Accept { key, costs } => {
                self.accept(point, &costs);
                Some((key, costs))
            }
            Screen::Reject(reason) | Screen::Invalid(reason) => {
                *self.rejections.entry(reason).or_default() += 1;
                None
            }
        }
    }

    fn accept(&mut self, point: &Point, costs: &Metrics) {
        let Ok(graph) = space::instantiate(&self.study.program.space, &point.genome) else { return };
        let Ok(recipe) = self.study.recipe_of(point) else { return };
        let Ok(whole) = self.study.epochs(&point.genome) else { return };
        let Ok(network) = Network::new(&graph) else { return };
        let macs = costs.get("macs").copied().unwrap_or(0.0);
        self.accepted.push(Accepted {
            parameters: network.params().iter().map(|param| param.ty.shape.elements() as u64).sum(),
            macs,
            epochs: recipe.epochs,
            whole,
            point: point.clone(),
            costs: costs.clone(),
            graph,
        });
    }

    /// Milliseconds of looking at candidates for each that may be trained.
    pub(super) fn screening(&self) -> f64 {
        self.millis as f64 / self.accepted.len().max(1) as f64
    }

    pub(super) fn drawn(&self) -> Drawn {
        let mut reasons: Vec<(String, u64)> =
            self.rejections.iter().map(|(reason, &count)| (reason.clone(), count)).collect();
        reasons.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        let mut costs: BTreeMap<String, [f64; 2]> = BTreeMap::new();
        for (name, &cost) in self.accepted.iter().flat_map(|one| &one.costs) {
            let [low, high] = costs.entry(name.clone()).or_insert([cost, cost]);
            (*low, *high) = (low.min(cost), high.max(cost));
        }
        let parameters = || self.accepted.iter().map(|one| one.parameters);
        Drawn {
            candidates: self.candidates,
            fitting: self.accepted.len(),
            reasons,
            parameters: [parameters().min().unwrap_or(0), parameters().max().unwrap_or(0)],
            costs,
        }
    }

    /// E0803 with the reasons.
    pub(super) fn nothing_fits(&self) -> Diagnostic {
        let message = format!("none of {} candidates that were drawn can be trained", self.candidates);
        let notes = self.drawn().reasons;
        let diagnostic = Diagnostic::error(Code::NOTHING_TRAINED, message);
        let diagnostic = notes.into_iter().take(5).fold(diagnostic, |diagnostic, (reason, count)| {
            diagnostic.note(format!("{count} times: {reason}"))
        });
        diagnostic.help("raise the limits of `require`, or let the space hold smaller networks")
    }
}
