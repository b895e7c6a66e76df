use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::{any, prop};
use proptest::{prop_assert, prop_assert_eq, proptest};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::diagnostic::{Code, Diagnostic};
use crate::search::key::sha256_hex;
use crate::search::*;

mod full;
mod strategies;

#[derive(Clone, Debug, PartialEq)]
struct Point(u32);

impl Candidate for Point {
    fn text(&self) -> String {
        format!("point {}", self.0)
    }
}

/// Networks are points modulo `networks`; odd thirds of the space are rejected.
struct Toy {
    networks: u32,
    evaluations: Mutex<BTreeMap<TrialKey, usize>>,
    n_evaluations: AtomicUsize,
    /// Before this evaluation: panic, or cancel.
    panic_at: usize,
    cancel_at: usize,
    cancel: AtomicBool,
    nap: Duration,
}

impl Toy {
    fn new() -> Toy {
        Toy {
            networks: 1000,
            evaluations: Mutex::default(),
            n_evaluations: AtomicUsize::new(0),
            panic_at: usize::MAX,
            cancel_at: usize::MAX,
            cancel: AtomicBool::new(false),
            nap: Duration::ZERO,
        }
    }
}

fn key(graph: &str) -> TrialKey {
    parts(graph).key()
}

fn parts(graph: &str) -> TrialParts<'_> {
    TrialParts {
        graph,
        recipe: "sgd",
        data: "00",
        front_end: "",
        quantization: "i8",
        engine: "embedded",
        numerics: 1,
        seed: 7,
        replicate: 0,
        start: None,
    }
}

impl Problem<Point> for Toy {
    fn screen(&self, point: &Point) -> Screen {
        match point.0 % 3 {
            1 => Screen::Reject("ram".into()),
            2 if point.0 % 2 == 1 => Screen::Invalid("shape".into()),
            _ => Screen::Accept {
                key: key(&format!("net {}", point.0 % self.networks)),
                costs: Metrics::from([("ram".into(), f64::from(point.0 % 17))]),
            },
        }
    }

    fn evaluate(&self, point: &Point, ticket: &Ticket<'_>) -> Result<Outcome, TrialError> {
        let n = self.n_evaluations.fetch_add(1, Ordering::SeqCst);
        assert!(n != self.panic_at, "a crash between claim and finish");
        if n >= self.cancel_at {
            self.cancel.store(true, Ordering::SeqCst);
        }
        std::thread::sleep(self.nap.mul_f64(f64::from((ticket.seed % 4) as u32)));
        if ticket.step() == ControlFlow::Break(()) {
            return Err(TrialError::Cancelled);
        }
        *self.evaluations.lock().unwrap().entry(ticket.key).or_default() += 1;
        let accuracy = (ticket.seed >> 11) as f64 / (1u64 << 53) as f64;
        let diverged = (point.0 % self.networks).is_multiple_of(5);
        Ok(Outcome {
            status: if diverged { Status::Diverged } else { Status::Trained },
            quality: Metrics::from([("accuracy".into(), if diverged { f64::NAN } else { accuracy })]),
            weights: ticket.seed.to_le_bytes().to_vec(),
        })
    }
}

/// Depends on everything that it may see, and checks that it sees no more.
struct Climber {
    window: usize,
}

impl Strategy<Point> for Climber {
    fn ask(&mut self, history: &[Entry<Point>], trial: usize, rng: &mut ChaCha8Rng) -> Proposal<Point> {
        assert_eq!(history.len(), (trial + 1).saturating_sub(self.window));
        assert!(history.iter().enumerate().all(|(index, entry)| entry.trial == index));
        let best = history.iter().filter(|entry| entry.status == Status::Trained);
        let best = best.max_by(|a, b| a.metrics["accuracy"].total_cmp(&b.metrics["accuracy"]));
        let centre = best.map_or(500, |entry| entry.genome.0);
        Proposal::Candidate(Point((centre + rng.next_u32() % 200) % 1000))
    }
}

/// Time passes only while somebody waits.
struct Waiting(AtomicU64);

impl Clock for Waiting {
    fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn pause(&self) {
        self.0.fetch_add(10, Ordering::SeqCst);
    }
}

/// Leases never end.
struct Still;

impl Clock for Still {
    fn now(&self) -> u64 {
        0
    }

    fn pause(&self) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn search_with(toy: &Toy, store: &dyn Store, clock: &dyn Clock, settings: &Settings) -> Report<Point> {
    let mut strategy = Climber { window: settings.window };
    let search = Run { settings, problem: toy, store, clock, cancel: &toy.cancel, observer: &() };
    run(&mut strategy, &search).unwrap()
}

fn settings(jobs: usize) -> Settings {
    Settings { jobs, ..Settings::new(24, 7) }
}

fn reference() -> String {
    let report = search_with(&Toy::new(), &MemoryStore::default(), &Still, &settings(1));
    assert_eq!((report.end, report.archive.entries().len()), (End::Trials, 24));
    report.archive.export()
}

/// Holds the formats of keys, seeds, streams and exports still: locks and stores of users rest on them.
#[test]
fn archives_stay_the_same_between_releases() {
    assert_eq!(
        sha256_hex(reference().as_bytes()),
        "eadc04389f474dbfec9c47922d551706ebf4ffab861076fc95fc576d7c8ad96c"
    );
}

#[test]
fn jobs_change_nothing() {
    for jobs in [2, 4, 9] {
        let toy = Toy { nap: Duration::from_millis(2), ..Toy::new() };
        let report = search_with(&toy, &MemoryStore::default(), &Still, &settings(jobs));
        assert_eq!(report.archive.export(), reference(), "{jobs} jobs");
    }
    let other = Settings { seed: 8, ..settings(1) };
    let report = search_with(&Toy::new(), &MemoryStore::default(), &Still, &other);
    assert_ne!(report.archive.export(), reference());
    let wider = Settings { window: 5, ..settings(1) };
    let report = search_with(&Toy::new(), &MemoryStore::default(), &Still, &wider);
    assert_ne!(report.archive.export(), reference());
}

#[test]
fn a_warm_store_answers_without_training() {
    let store = MemoryStore::default();
    search_with(&Toy::new(), &store, &Still, &settings(2));
    let toy = Toy::new();
    let report = search_with(&toy, &store, &Still, &settings(1));
    assert_eq!(report.archive.export(), reference());
    assert_eq!((report.n_from_store, toy.n_evaluations.into_inner()), (24, 0));
}

#[test]
fn cancelled_searches_resume_to_the_same_archive() {
    let folder = tempfile::tempdir().unwrap();
    for (jobs, step) in [(1, 1), (1, 5), (3, 2), (4, 7)] {
        let path = folder.path().join(format!("{jobs}-{step}.sqlite"));
        let mut n_runs = 0;
        let (report, n_trained) = loop {
            let store = SqliteStore::open(&path).unwrap();
            let toy = Toy { cancel_at: step, ..Toy::new() };
            let report = search_with(&toy, &store, &Still, &settings(jobs));
            n_runs += 1;
            assert!(n_runs < 100, "no progress");
            if report.end == End::Trials {
                break (report, store.all().unwrap().len());
            }
            assert_eq!(report.end, End::Cancelled);
        };
        assert!(n_runs > 1);
        assert_eq!(report.archive.export(), reference());
        assert_eq!(n_trained, 24);
    }
}

#[test]
fn crashes_between_claim_and_finish_cost_one_lease() {
    for (jobs, panic_at) in [(1, 0), (1, 3), (3, 0), (4, 4)] {
        let store = MemoryStore::default();
        let clock = Waiting(AtomicU64::new(0));
        for _ in 0..3 {
            let toy = Toy { panic_at, ..Toy::new() };
            let holder = store.another_holder();
            let crashed =
                catch_unwind(AssertUnwindSafe(|| search_with(&toy, &holder, &clock, &settings(jobs))));
            assert!(crashed.is_err());
        }
        let report = search_with(&Toy::new(), &store.another_holder(), &clock, &settings(jobs));
        assert_eq!(report.archive.export(), reference());
        assert!(clock.now() >= 60, "the lost claims were waited for");
    }
}

#[test]
fn two_runners_on_one_file_share_the_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/er/trials.sqlite");
    let toy = Toy { nap: Duration::from_millis(1), ..Toy::new() };
    let one = || {
        let store = SqliteStore::open(&path).unwrap();
        search_with(&toy, &store, &Still, &settings(2)).archive.export()
    };
    let exports = std::thread::scope(|scope| {
        let threads = [scope.spawn(one), scope.spawn(one), scope.spawn(one)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(exports.iter().all(|export| *export == reference()));
    let evaluations = toy.evaluations.lock().unwrap();
    assert_eq!(evaluations.len(), 24);
    assert!(evaluations.values().all(|&count| count == 1), "{evaluations:?}");
}

/// Starts itself as another process, kills it at several moments, and ends its search.
#[test]
fn killed_processes_lose_nothing() {
    const NAME: &str = "NASC_TEST_STORE";
    let no_lease = Settings { lease_seconds: 0, ..settings(2) };
    let toy = Toy { nap: Duration::from_millis(8), ..Toy::new() };
    if let Some(path) = std::env::var_os(NAME) {
        let store = SqliteStore::open(Path::new(&path)).unwrap();
        search_with(&toy, &store, &Still, &no_lease);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trials.sqlite");
    let store = SqliteStore::open(&path).unwrap();
    let n_finished = || store.all().unwrap().len();
    for n_more in [1, 2, 1, 4, 3] {
        let enough = n_finished() + n_more;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["search::tests::killed_processes_lose_nothing", "--exact"])
            .env(NAME, &path)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while n_finished() < enough && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let n_before = n_finished();
    assert!(n_before >= 11, "the children found and kept {n_before} trials");
    let report = search_with(&toy, &store, &Still, &no_lease);
    assert_eq!(report.archive.export(), reference());
    assert_eq!(report.n_from_store, n_before);
    for entry in report.archive.entries() {
        assert_eq!(store.weights(&entry.key).unwrap().unwrap(), entry.key.seed().to_le_bytes());
    }
}

fn random_search(toy: &Toy, settings: &Settings, sampler: impl Sampler<Point>) -> Report<Point> {
    let store = MemoryStore::default();
    let search =
        Run { settings, problem: toy, store: &store, clock: &Still, cancel: &toy.cancel, observer: &() };
    run(&mut Random(sampler), &search).unwrap()
}

#[test]
fn ten_thousand_rejections_end_with_reasons() {
    let mostly_ram = |rng: &mut ChaCha8Rng| Point(if rng.next_u32().is_multiple_of(4) { 5 } else { 1 });
    let report = random_search(&Toy::new(), &settings(4), mostly_ram);
    assert_eq!(report.end, End::Rejections);
    let [(ram, n_ram), (shape, n_shape)] = report.rejections.as_slice() else {
        panic!("{:?}", report.rejections)
    };
    assert_eq!((ram.as_str(), shape.as_str(), n_ram + n_shape), ("ram", "shape", 10_000));
    assert!(n_ram > n_shape);
    let diagnostic = report.nothing_trained().unwrap();
    assert_eq!(diagnostic.code, Code::NOTHING_TRAINED);
    assert_eq!(diagnostic.notes[0], format!("{n_ram} times: ram"));
}

#[test]
fn small_spaces_are_exhausted_and_networks_count_once() {
    let toy = Toy { networks: 6, ..Toy::new() };
    let report = random_search(&toy, &settings(4), |rng: &mut ChaCha8Rng| Point(rng.next_u32() % 600));
    assert_eq!(report.end, End::Duplicates);
    // Of the networks 0..6 the screen lets 0, 2 and 3 pass.
    assert_eq!(report.archive.entries().len(), 3);
    assert_eq!(toy.n_evaluations.into_inner(), 3);
    assert!(report.nothing_trained().is_none());
}

#[test]
fn time_and_strategy_can_end_a_search() {
    struct Brief(Toy);
    impl Problem<Point> for Brief {
        fn screen(&self, point: &Point) -> Screen {
            self.0.screen(point)
        }
        fn evaluate(&self, point: &Point, ticket: &Ticket<'_>) -> Result<Outcome, TrialError> {
            match point.0 {
                12.. => Err(TrialError::Failed(Diagnostic::error(Code::DIVERGED, point.text()))),
                _ => self.0.evaluate(point, ticket),
            }
        }
        fn has_time(&self, trial: usize) -> bool {
            trial < 3
        }
    }
    struct Listed(Vec<u32>);
    impl Strategy<Point> for Listed {
        fn ask(&mut self, _: &[Entry<Point>], trial: usize, _: &mut ChaCha8Rng) -> Proposal<Point> {
            self.0.get(trial).map_or(Proposal::Done, |&point| Proposal::Candidate(Point(point)))
        }
    }
    let problem = Brief(Toy::new());
    let search = |points: &[u32]| {
        let (store, settings) = (MemoryStore::default(), settings(4));
        let problem = &problem;
        let search = Run {
            settings: &settings,
            problem,
            store: &store,
            clock: &Still,
            cancel: &problem.0.cancel,
            observer: &(),
        };
        run(&mut Listed(points.to_vec()), &search)
    };
    let ended = |points: &[u32]| search(points).map(|report| (report.end, report.archive.entries().len()));
    assert_eq!(ended(&[0, 2, 3, 6, 8]).unwrap(), (End::Budget, 3));
    assert_eq!(ended(&[0, 2]).unwrap(), (End::Strategy, 2));
    let missing =
        |points: &[u32]| search(points).unwrap().nothing_trained().map(|diagnostic| diagnostic.code);
    assert_eq!(missing(&[0, 2]), None);
    assert_eq!(missing(&[0]), Some(Code::DIVERGED), "network 0 diverges");
    assert_eq!(missing(&[]), Some(Code::NOTHING_TRAINED));
    assert_eq!(search(&[0, 12]).unwrap_err().message, "point 12");
    problem.0.cancel.store(true, Ordering::SeqCst);
    assert_eq!(missing(&[2]), Some(Code::CANCELLED));
}

#[test]
fn jobs_are_capped_with_a_note() {
    assert_eq!(capped_jobs(3, 4), (3, None));
    assert_eq!(capped_jobs(0, 4), (1, None));
    let (jobs, note) = capped_jobs(9, 4);
    assert_eq!(jobs, 4);
    assert!(note.unwrap().contains("9 jobs are capped to 4"));
}

#[test]
fn every_part_counts_in_the_key() {
    let base = parts("g");
    let mut keys = vec![
        base.key(),
        TrialParts { graph: "h", ..base }.key(),
        TrialParts { recipe: "x", ..base }.key(),
        TrialParts { data: "x", ..base }.key(),
        TrialParts { front_end: "x", ..base }.key(),
        TrialParts { quantization: "x", ..base }.key(),
        TrialParts { engine: "x", ..base }.key(),
        TrialParts { numerics: 2, ..base }.key(),
        TrialParts { seed: 8, ..base }.key(),
        TrialParts { replicate: 1, ..base }.key(),
        TrialParts { start: Some(base.key()), ..base }.key(),
        TrialParts { front_end: "i8", quantization: "", ..base }.key(),
    ];
    assert!(keys.iter().all(|key| TrialKey::parse(&key.to_string()) == Some(*key)));
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 12);
    for text in ["", "00", &"g".repeat(64), &"A".repeat(64), &"é".repeat(32)] {
        assert_eq!(TrialKey::parse(text), None, "{text}");
    }
    let mut seeds: Vec<u64> = keys.iter().map(|key| key.seed()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 12);
}

proptest! {
    #[test]
    fn records_keep_every_bit(bits in any::<u64>(), genome in any::<String>()) {
        let x = f64::from_bits(bits);
        let quality = Metrics::from([("x".into(), x)]);
        let outcome = Outcome { status: Status::Trained, quality, weights: vec![] };
        let record = Record::new(&outcome, Metrics::new(), genome);
        let read = Record::from_json(&record.to_json()).unwrap();
        let found = read.quality["x"];
        prop_assert!(found.to_bits() == bits || (x.is_nan() && found.is_nan()));
        prop_assert_eq!(read.to_json(), record.to_json());
    }

    #[test]
    fn the_front_is_what_nothing_dominates(
        figures in prop::collection::vec((0u8..6, 0u8..6, 0u8..8), 1..30),
    ) {
        let entries = figures.iter().enumerate().map(|(trial, &(a, b, state))| Entry {
            trial,
            key: key(&trial.to_string()),
            genome: Point(trial as u32),
            status: if state == 0 { Status::Diverged } else { Status::Trained },
            metrics: Metrics::from([
                ("accuracy".into(), if state == 1 { f64::NAN } else { f64::from(a) }),
                ("latency".into(), f64::from(b)),
            ]),
            weights_hash: String::new(),
        });
        let archive = Archive::new(entries.rev().collect());
        let objectives = [Objective::maximize("accuracy"), Objective::minimize("latency")];
        let usable = |trial: usize| figures[trial].2 > 2;
        let feasible = |entry: &Entry<Point>| figures[entry.trial].2 != 2;
        let front = archive.front(&objectives, feasible);
        let front: Vec<usize> = front.iter().map(|entry| entry.trial).collect();
        let expected: Vec<usize> = (0..figures.len())
            .filter(|&own| usable(own) && !(0..figures.len()).any(|other| {
                let ((a, b, _), (c, d, _)) = (figures[own], figures[other]);
                usable(other) && c >= a && d <= b && (c > a || d < b)
            }))
            .collect();
        prop_assert_eq!(&front, &expected);
        let pick = archive.pick(&objectives, feasible).map(|entry| entry.trial);
        let best = (0..figures.len()).filter(|&trial| usable(trial))
            .min_by_key(|&trial| (std::cmp::Reverse(figures[trial].0), figures[trial].1, trial));
        prop_assert_eq!(pick, best);
        prop_assert!(pick.is_none_or(|trial| front.contains(&trial)));
    }
}
