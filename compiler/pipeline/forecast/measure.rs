//! How long trainings take here: a few steps of a few candidates, as many at once as a search has.

use super::Pace;
use super::walk::{Accepted, Walk};
use crate::diagnostic::Diagnostic;
use crate::pipeline::compile::Environment;
use crate::pipeline::quality::Intervals;
use crate::pipeline::study::Study;
use crate::search::Clock;
use crate::train::{Batch, BatchSource, EmbeddedEngine, Network, Recipe, Trainer, initial_weights};

/// Milliseconds that the steps of one candidate are to take.
const MILLIS: u64 = 700;
/// Steps of one candidate, at most.
const STEPS: usize = 2_000;

/// A source that ends after some batches.
#[derive(Debug)]
struct Few {
    inner: Box<dyn BatchSource>,
    batches: usize,
}

impl BatchSource for Few {
    fn samples(&self) -> usize {
        (self.inner.samples() * self.batches).div_ceil(self.inner.batches()).max(1)
    }

    fn batches(&self) -> usize {
        self.batches
    }

    fn input(&self) -> &[usize] {
        self.inner.input()
    }

    fn targets(&self) -> usize {
        self.inner.targets()
    }

    fn start(&mut self, epoch: u64) {
        self.inner.start(epoch);
    }

    fn fill(&self, batch: usize, into: &mut Batch) {
        self.inner.fill(batch, into);
    }

    fn identity(&self) -> String {
        format!("{} of {}", self.batches, self.inner.identity())
    }
}

/// Milliseconds of an epoch of a candidate on one of `jobs` threads that train it at once.
fn epoch(study: &Study<'_>, one: &Accepted, jobs: usize, clock: &dyn Clock) -> Result<f64, Diagnostic> {
    let recipe = study.recipe(&one.point.genome).map_err(crate::pipeline::recipes::no_recipe)?;
    let features = study.data.features(study.program, &one.point.genome)?;
    let trainer = |steps: usize| {
        let inner = study.batches(&one.graph, &recipe, &features, 0)?;
        let (all, batches) = (inner.batches(), steps.min(inner.batches()));
        let recipe = Recipe { epochs: recipe.epochs.max(4), ..recipe };
        let source = Box::new(Few { inner, batches });
        let mut trainer = Trainer::with_source(EmbeddedEngine::new(), &one.graph, recipe, source, 0)?;
        if features.is_streamed() {
            trainer.set_workers(rayon::current_num_threads());
        }
        Ok::<_, Diagnostic>((trainer, batches, all))
    };
    let timed = |trainer: &mut Trainer| {
        let since = clock.millis();
        // Time passes whether numbers are finite or not.
        let _ = trainer.epoch();
        clock.millis().saturating_sub(since)
    };
    let job = || {
        let (mut first, _, _) = trainer(1)?;
        // The first step allocates what all others use.
        timed(&mut first);
        let step = timed(&mut first).max(1);
        drop(first);
        let steps = usize::try_from(MILLIS / step).unwrap_or(STEPS).clamp(1, STEPS);
        let (mut more, batches, all) = trainer(steps)?;
        Ok::<_, Diagnostic>(timed(&mut more) as f64 / batches as f64 * all as f64)
    };
    let results: Vec<Result<f64, Diagnostic>> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..jobs).map(|_| scope.spawn(job)).collect();
        let own = job();
        others.into_iter().filter_map(|other| other.join().ok()).chain([own]).collect()
    });
    let times = results.into_iter().collect::<Result<Vec<f64>, Diagnostic>>()?;
    Ok(times.iter().sum::<f64>() / times.len() as f64)
}

/// Milliseconds of what follows on a training: quantization, and measuring on the validation part.
fn end(study: &Study<'_>, one: &Accepted, clock: &dyn Clock) -> Result<f64, Diagnostic> {
    let since = clock.millis();
    let weights = initial_weights(Network::new(&one.graph)?.params(), 0);
    let genome = &one.point.genome;
    if let Ok(network) = study.network(&one.graph, genome, &weights) {
        let features = study.data.features(study.program, genome)?;
        // Only its time is wanted.
        let _ = study.data.task.of_integer(&network, &features.splits.val, Intervals::Omitted);
    }
    Ok(clock.millis().saturating_sub(since) as f64)
}

/// The least, the middle and the greatest candidate by work.
fn typical(accepted: &[Accepted]) -> Vec<&Accepted> {
    let mut sorted: Vec<&Accepted> = accepted.iter().collect();
    sorted.sort_by(|a, b| a.macs.total_cmp(&b.macs));
    let last = sorted.len() - 1;
    let mut places = vec![0, last / 2, last];
    places.dedup();
    places.into_iter().map(|place| sorted[place]).collect()
}

/// Epochs of a trial: its own, and its share of those of later legs, which the better half has each time.
fn epochs_of(study: &Study<'_>, one: &Accepted) -> f64 {
    let ends = study.program.search.halving.iter().skip(1).copied().chain([one.whole]);
    let mut done = one.epochs;
    let mut all = one.epochs as f64;
    let is_halved = !study.program.search.halving.is_empty();
    for (leg, end) in ends.enumerate().filter(|_| is_halved) {
        let end = end.min(one.whole);
        all += end.saturating_sub(done) as f64 * 0.5_f64.powi(leg as i32 + 1);
        done = done.max(end);
    }
    all
}

/// A value between measured ones, by what was measured next to it.
fn between(measured: &[(f64, f64)], x: f64) -> f64 {
    let above = measured.iter().position(|&(at, _)| at >= x);
    match above {
        None => measured.last().map_or(0.0, |&(_, y)| y),
        Some(0) => measured[0].1,
        Some(place) => {
            let ((x0, y0), (x1, y1)) = (measured[place - 1], measured[place]);
            y0 + (y1 - y0) * (x - x0) / (x1 - x0)
        }
    }
}

/// How long the search takes; `None` where no time passes.
pub(super) fn pace(
    study: &Study<'_>,
    walk: &Walk<'_>,
    jobs: usize,
    (budget, retrainings): (Option<u64>, usize),
    env: &Environment<'_>,
) -> Result<Option<Pace>, Diagnostic> {
    let mut measured = Vec::new();
    for one in typical(&walk.accepted) {
        measured.push((one.macs, epoch(study, one, jobs, env.clock)?));
    }
    let middle = typical(&walk.accepted)[usize::from(walk.accepted.len() > 2)];
    let end = end(study, middle, env.clock)?;
    let mean = |epochs: &dyn Fn(&Accepted) -> f64| {
        let training = |one: &Accepted| between(&measured, one.macs) * epochs(one);
        walk.accepted.iter().map(training).sum::<f64>() / walk.accepted.len() as f64
    };
    let trainings = mean(&|one| epochs_of(study, one)) + end;
    let whole = mean(&|one| one.whole as f64) + end;
    let times = || measured.iter().map(|&(_, millis)| millis / 1e3);
    let (least, most) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
    if most == 0.0 {
        return Ok(None);
    }
    let search = &study.program.search;
    let new = search.trials.saturating_sub(walk.in_store) as f64;
    let at_once = |count: f64| (jobs as f64).min(count).max(1.0);
    // What the store has is looked at as well.
    let looking = walk.screening() * search.trials as f64;
    let all = (looking + new * trainings) / at_once(new) / 1e3;
    let budget = budget.or(search.stop_seconds).map_or(f64::INFINITY, |seconds| seconds as f64);
    let trial = (walk.screening() + trainings) / 1e3;
    let retrained = retrainings as f64;
    Ok(Some(Pace {
        epoch: [least, most],
        trial,
        search: all.min(budget + trial),
        retraining: retrained * whole / at_once(retrained) / 1e3,
    }))
}

#[cfg(test)]
mod tests {
    use super::between;

    #[test]
    fn times_lie_between_measured_ones() {
        let measured = [(10.0, 1.0), (20.0, 3.0), (20.0, 4.0)];
        let found = [0.0, 10.0, 15.0, 20.0, 99.0].map(|x| between(&measured, x));
        assert_eq!(found, [1.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(between(&[], 1.0), 0.0);
    }
}
