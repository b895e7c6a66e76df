//! What strategies ask for, and that they find more than random search on problems with a slope.

use rand_chacha::rand_core::SeedableRng;

use super::*;
use crate::search::goals::{Member, ranges, scores};
use crate::search::nsga2::best;

/// Numbers of `0..16`, of which each costs its value and takes away from the error, the last ones less.
#[derive(Clone, Debug, PartialEq)]
struct Tuple([u8; 8]);

impl Candidate for Tuple {
    fn text(&self) -> String {
        format!("{:?}", self.0)
    }
}

/// Those, with a limit on the cost.
struct Slope {
    most: f64,
}

fn cost(tuple: &Tuple) -> f64 {
    tuple.0.iter().map(|&x| f64::from(x)).sum()
}

fn error(tuple: &Tuple) -> f64 {
    let part = |(at, &x): (usize, &u8)| (16.0 - f64::from(x)).powi(2) / 256.0 / (at + 1) as f64;
    tuple.0.iter().enumerate().map(part).sum()
}

impl Problem<Tuple> for Slope {
    fn screen(&self, tuple: &Tuple) -> Screen {
        match cost(tuple) {
            cost if cost > self.most => Screen::Reject("cost".into()),
            cost => Screen::Accept { key: key(&tuple.text()), costs: Metrics::from([("cost".into(), cost)]) },
        }
    }

    fn evaluate(&self, tuple: &Tuple, _: &Ticket<'_>) -> Result<Outcome, TrialError> {
        Ok(Outcome {
            status: if tuple.0[7] == 13 { Status::Diverged } else { Status::Trained },
            quality: Metrics::from([("error".into(), error(tuple))]),
            weights: Vec::new(),
        })
    }
}

/// Makes them.
struct Tuples {
    /// A greater error is a violation.
    most: f64,
}

impl Breeder<Tuple> for Tuples {
    fn sample(&self, rng: &mut ChaCha8Rng) -> Tuple {
        Tuple([(); 8].map(|()| (rng.next_u32() % 16) as u8))
    }

    fn mutate(&self, parent: &Entry<Tuple>, rng: &mut ChaCha8Rng) -> Tuple {
        let mut child = parent.genome.clone();
        child.0[rng.next_u32() as usize % 8] = (rng.next_u32() % 16) as u8;
        child
    }

    fn redraw(&self, of: &Tuple, chance: f64, rng: &mut ChaCha8Rng) -> Tuple {
        let mut draw = |x: u8| {
            let is_drawn = f64::from(rng.next_u32()) < chance * f64::from(u32::MAX);
            if is_drawn { (rng.next_u32() % 16) as u8 } else { x }
        };
        Tuple(of.0.map(&mut draw))
    }

    fn cross(&self, a: &Entry<Tuple>, b: &Entry<Tuple>, rng: &mut ChaCha8Rng) -> Tuple {
        let mut child = a.genome.clone();
        for (to, from) in child.0.iter_mut().zip(b.genome.0) {
            if rng.next_u32().is_multiple_of(2) {
                *to = from;
            }
        }
        child
    }

    fn violation(&self, of: &Entry<Tuple>) -> f64 {
        (of.metrics["error"] - self.most).max(0.0)
    }
}

fn objectives() -> Vec<Objective> {
    vec![Objective::minimize("error"), Objective::minimize("cost")]
}

fn goals() -> Vec<Goal> {
    objectives().into_iter().map(Goal::of).collect()
}

fn aging(most: f64) -> AgingEvolution<Tuples> {
    AgingEvolution { breeder: Tuples { most }, population: 60, tournament: 15, goals: goals() }
}

fn nsga2() -> Nsga2<Tuples> {
    Nsga2 { breeder: Tuples { most: 9.0 }, population: 60, mutation: 0.1, crossover: 0.5, goals: goals() }
}

fn archive(strategy: &mut dyn Strategy<Tuple>, seed: u64, jobs: usize, most: f64) -> Archive<Tuple> {
    let store = MemoryStore::default();
    let settings = Settings { jobs, ..Settings::new(300, seed) };
    let cancel = AtomicBool::new(false);
    let run = Run {
        settings: &settings,
        problem: &Slope { most },
        store: &store,
        clock: &Still,
        cancel: &cancel,
        observer: &(),
    };
    super::run(strategy, &run).unwrap().archive
}

/// The area that a front covers below an error of 2.8 and a cost of 120.
fn volume(archive: &Archive<Tuple>) -> f64 {
    let front = archive.front(&objectives(), |_| true);
    let mut points: Vec<(f64, f64)> =
        front.iter().map(|entry| (entry.metrics["cost"], entry.metrics["error"])).collect();
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ends = points.iter().skip(1).map(|point| point.0).chain([120.0]);
    points.iter().zip(ends).map(|(point, end)| (end - point.0).max(0.0) * (2.8 - point.1).max(0.0)).sum()
}

#[test]
fn evolution_and_nsga2_cover_more_than_random_search() {
    let mut wins = [0, 0];
    for seed in 0..20 {
        let random = |rng: &mut ChaCha8Rng| Tuples { most: 9.0 }.sample(rng);
        let of_random = volume(&archive(&mut Random(random), seed, 1, 120.0));
        wins[0] += usize::from(volume(&archive(&mut aging(9.0), seed, 1, 120.0)) > of_random);
        wins[1] += usize::from(volume(&archive(&mut nsga2(), seed, 1, 120.0)) > of_random);
    }
    // As many happen by chance once in 700 times.
    assert!(wins.iter().all(|&wins| wins >= 17), "{wins:?}");
}

#[test]
fn strategies_do_not_depend_on_threads() {
    for seed in 0..3 {
        let one = archive(&mut aging(9.0), seed, 1, 60.0).export();
        assert_eq!(one, archive(&mut aging(9.0), seed, 4, 60.0).export());
        let one = archive(&mut nsga2(), seed, 1, 60.0).export();
        assert_eq!(one, archive(&mut nsga2(), seed, 3, 60.0).export());
    }
}

#[test]
fn what_breaks_a_requirement_is_no_parent_where_others_do_not() {
    let near = |strategy: &mut dyn Strategy<Tuple>| {
        let archive = archive(strategy, 5, 1, 120.0);
        let last = archive.entries().iter().skip(240);
        last.filter(|entry| entry.metrics["error"] <= 1.1).count()
    };
    let (strict, loose) = (near(&mut aging(1.0)), near(&mut aging(9.0)));
    assert!(strict > 30 && strict > loose, "{strict} and {loose} of 60");
}

fn entry(trial: usize, figures: [f64; 2]) -> Entry<Tuple> {
    Entry {
        trial,
        key: key(&trial.to_string()),
        genome: Tuple([0; 8]),
        status: Status::Trained,
        metrics: Metrics::from([("error".into(), figures[0]), ("cost".into(), figures[1])]),
        weights_hash: String::new(),
    }
}

fn members(entries: &[Entry<Tuple>]) -> Vec<Member<'_, Tuple>> {
    let member = |entry| Member { losses: Vec::new(), violation: 0.0, entry };
    let mut members: Vec<Member<'_, Tuple>> = entries.iter().map(member).collect();
    for member in &mut members {
        member.losses = vec![member.entry.metrics["error"], member.entry.metrics["cost"]];
    }
    members
}

#[test]
fn the_best_come_by_front_and_then_by_room() {
    // The first front is 0, 1, 2, 3; 4 is behind 1, and 5 breaks a requirement.
    let figures = [[0.0, 10.0], [4.0, 5.0], [5.0, 4.5], [10.0, 0.0], [4.5, 6.0], [0.0, 0.0]];
    let entries: Vec<Entry<Tuple>> = figures.iter().enumerate().map(|(at, &f)| entry(at, f)).collect();
    let mut members = members(&entries);
    members[5].violation = 1.0;
    // Ends first; of the others the one with more room: 2 lies between errors of 4 and 10, 1 between 0 and 5.
    assert_eq!(best(&members, 6), [0, 3, 2, 1, 4, 5]);
    assert_eq!(best(&members, 2), [0, 3]);
}

#[test]
fn limits_scale_losses_and_all_parts_of_a_front_are_asked_for() {
    let figures = [[0.1, 400.0], [0.2, 200.0], [0.4, 100.0]];
    let entries: Vec<Entry<Tuple>> = figures.iter().enumerate().map(|(at, &f)| entry(at, f)).collect();
    let members = members(&entries);
    let scale = |unit: f64| Some(LossScale { origin: 0.0, unit });
    let mut goals = goals();
    (goals[0].scale, goals[1].scale) = (scale(0.2), scale(200.0));
    let ranges = ranges(&members, &goals);
    let mut firsts = [0; 3];
    for seed in 0..300 {
        let scores = scores(&members, &goals, &ranges, &mut ChaCha8Rng::seed_from_u64(seed));
        let first = (0..3).min_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap();
        firsts[first] += 1;
    }
    assert!(firsts.iter().all(|&count| count > 30), "{firsts:?}");
}

#[test]
fn the_better_half_has_the_best_of_both_orders() {
    // By error 0, 2, 1, 3, 4; on the front are 0, 2, 5 and 3; 6 breaks a requirement and 7 diverged.
    let figures =
        [[0.1, 9.0], [0.3, 9.0], [0.2, 7.0], [0.4, 3.0], [0.5, 4.0], [0.6, 1.0], [0.0, 0.0], [0.0, 0.0]];
    let mut entries: Vec<Entry<Tuple>> = figures.iter().enumerate().map(|(at, &f)| entry(at, f)).collect();
    entries[7].status = Status::Diverged;
    let violation = |entry: &Entry<Tuple>| f64::from(u8::from(entry.trial == 6));
    // In turn: 0 has the least error, of the front 5 has the most room beside 0, then come 2 and 3, then 1.
    let chosen = better(&entries, &objectives(), violation, 5);
    assert_eq!(chosen, [0, 5, 2, 3, 1]);
    let all = better(&entries, &objectives(), violation, 99);
    assert_eq!((all.len(), all[6]), (7, 6));
}

/// Slopes whose candidates are scored by what they do not cost.
struct Scored(Slope);

impl Problem<Tuple> for Scored {
    fn screen(&self, tuple: &Tuple) -> Screen {
        self.0.screen(tuple)
    }

    fn evaluate(&self, tuple: &Tuple, ticket: &Ticket<'_>) -> Result<Outcome, TrialError> {
        self.0.evaluate(tuple, ticket)
    }

    fn pool(&self) -> usize {
        4
    }

    fn score(&self, tuple: &Tuple) -> Result<f64, Diagnostic> {
        if tuple.0 == [0; 8] { Err(Diagnostic::error(Code::RANGE, "none")) } else { Ok(-cost(tuple)) }
    }
}

#[test]
fn the_best_of_a_pool_is_trained() {
    let run = |pool: bool, given: Option<Tuple>, jobs: usize| {
        let (store, cancel) = (MemoryStore::default(), AtomicBool::new(false));
        let settings = Settings { jobs, ..Settings::new(20, 3) };
        let (plain, scored) = (Slope { most: 60.0 }, Scored(Slope { most: 60.0 }));
        let problem: &dyn Problem<Tuple> = if pool { &scored } else { &plain };
        let run = Run {
            settings: &settings,
            problem,
            store: &store,
            clock: &Still,
            cancel: &cancel,
            observer: &(),
        };
        let draw = |rng: &mut ChaCha8Rng| given.clone().unwrap_or_else(|| Tuples { most: 9.0 }.sample(rng));
        crate::search::run(&mut Random(draw), &run)
    };
    let mean = |report: &Report<Tuple>| {
        let costs = report.archive.entries().iter().map(|entry| entry.metrics["cost"]);
        costs.sum::<f64>() / report.archive.entries().len() as f64
    };
    let (scored, plain) = (run(true, None, 1).expect("scores"), run(false, None, 1).expect("no scores"));
    assert_eq!(scored.archive.entries().len(), 20);
    assert!(mean(&scored) < mean(&plain) - 5.0, "{} and {}", mean(&scored), mean(&plain));
    assert_eq!(scored.archive.export(), run(true, None, 4).expect("scores").archive.export());
    // A pool that does not fill is no reason to stop before what it has is trained.
    let one = run(true, Some(Tuple([1; 8])), 1).expect("one network");
    assert_eq!((one.archive.entries().len(), one.end), (1, End::Duplicates));
    let failed = run(true, Some(Tuple([0; 8])), 1).expect_err("no score");
    assert_eq!(failed.message, "none");
}
