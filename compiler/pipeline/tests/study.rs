//! Trials of a search on a small spec: interruptions, divergence, recipes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::diagnostic::{Code, Diagnostic};
use crate::elaborate::{self, Options, Program};
use crate::pipeline::listener::Course;
use crate::pipeline::prepare::Prepared;
use crate::pipeline::recipes::recipe;
use crate::pipeline::study::{Point, Study};
use crate::search::{Archive, Clock, End, MemoryStore, Random, Report, Run, Settings, Status, Store};
use crate::source::SourceMap;
use crate::space;
use crate::train::EngineKind;
use crate::train::{Optimizer, Schedule};

fn program(train: &str, trials: usize) -> Program {
    program_of(("6, 2", "2..4"), train, trials)
}

fn program_of((input, filters): (&str, &str), train: &str, trials: usize) -> Program {
    let text = format!(
        "nas 1
model m(input: ({input}), classes: 2) {{
  conv1d(filters: {filters}, kernel: 3)
  global_avg_pool
  dense(units: classes)
}}
data {{ source: ts(train: \"a.ts\", test: \"a.ts\"), split: holdout(val: 25 %) }}
train {{ {train} }}
quantize {{ calibrate: 8 samples }}
search {{ strategy: random, trials: {trials}, window: 1, seed: 7 }}
maximize accuracy
"
    );
    let mut sources = SourceMap::new();
    let file = sources.add("test.nas", text);
    let (program, diagnostics) = elaborate::elaborate(&mut sources, file, &Options::default());
    program.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// 40 rows of two dimensions with six values each; the sign of the slope is the class.
fn prepared(program: &Program) -> Prepared {
    let row = |i: u32| {
        let slope = if i.is_multiple_of(2) { 1.0 } else { -1.0 };
        let values = |offset: u32| {
            let noise = |t: u32| f64::from((i * 31 + t * 17 + offset * 7) % 13) / 13.0;
            (0..6).map(|t| format!("{:.3}", slope * f64::from(t) + noise(t))).collect::<Vec<_>>().join(",")
        };
        format!("{}:{}:{}\n", values(0), values(1), if i.is_multiple_of(2) { "up" } else { "down" })
    };
    let rows: String = (0..40).map(row).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!("@univariate false\n@classLabel true up down\n@data\n{rows}");
    std::fs::write(folder.path().join("a.ts"), text).expect("written");
    Prepared::load(program, folder.path(), None).expect("readable")
}

/// Time stands still; the search is cancelled when it is asked for so many times.
struct Counting<'a> {
    asked: AtomicUsize,
    limit: usize,
    cancel: &'a AtomicBool,
}

impl Clock for Counting<'_> {
    fn now(&self) -> u64 {
        if self.asked.fetch_add(1, Ordering::SeqCst) == self.limit {
            self.cancel.store(true, Ordering::SeqCst);
        }
        0
    }

    fn pause(&self) {}
}

fn course() -> &'static Course {
    static COURSE: OnceLock<Course> = OnceLock::new();
    COURSE.get_or_init(Course::default)
}

static TRAINING_BYTES: AtomicUsize = AtomicUsize::new(0);

type Shared<'a> = (&'a AtomicBool, &'a Mutex<BTreeMap<String, f64>>, &'a Mutex<Option<(usize, Diagnostic)>>);

fn study<'a>(program: &'a Program, data: &'a Prepared, (cancel, nearest, diverged): Shared<'a>) -> Study<'a> {
    Study {
        program,
        targets: &[],
        data,
        engine: EngineKind::default(),
        jobs: 1,
        proxy: None,
        out_of_time: &|| false,
        until: None,
        course: course(),
        cancel,
        training_bytes: &TRAINING_BYTES,
        nearest,
        diverged,
    }
}

/// A search that is cancelled at the `limit`-th look at the clock; how often it was looked at.
fn search(program: &Program, data: &Prepared, store: &dyn Store, limit: usize) -> (Report<Point>, usize) {
    let (cancel, nearest, diverged) = (AtomicBool::new(false), Mutex::new(BTreeMap::new()), Mutex::new(None));
    run(&study(program, data, (&cancel, &nearest, &diverged)), store, limit)
}

fn run(study: &Study<'_>, store: &dyn Store, limit: usize) -> (Report<Point>, usize) {
    let program = study.program;
    let clock = Counting { asked: AtomicUsize::new(0), limit, cancel: study.cancel };
    let settings = Settings { window: 1, ..Settings::new(program.search.trials, program.search.seed) };
    let sampler = |rng: &mut ChaCha8Rng| Point::new(program, space::sample(&program.space, rng));
    let run = Run {
        settings: &settings,
        problem: study,
        store,
        clock: &clock,
        cancel: study.cancel,
        observer: &(),
    };
    let report = crate::search::run(&mut Random(sampler), &run).expect("no trial fails");
    (report, clock.asked.into_inner())
}

fn weights(store: &dyn Store, archive: &Archive<Point>) -> Vec<Option<Vec<u8>>> {
    archive.entries().iter().map(|entry| store.weights(&entry.key).expect("readable")).collect()
}

#[test]
fn a_trial_goes_on_from_the_epoch_where_it_was_stopped() {
    let program =
        program("optimizer: sgd(lr: 0.05, nesterov: true), epochs: 10, batch: 8, mixup: 0.3, clip: 1.0", 2);
    let data = prepared(&program);
    let store = MemoryStore::default();
    let (whole, all_asked) = search(&program, &data, &store, usize::MAX);
    assert_eq!((whole.end, whole.archive.entries().len()), (End::Trials, 2));
    let expected = weights(&store, &whole.archive);
    for limit in [6, 11, 17, all_asked / 2 + 9] {
        let store = MemoryStore::default();
        let (stopped, first_asked) = search(&program, &data, &store, limit);
        assert_eq!(stopped.end, End::Cancelled, "at {limit}");
        let (resumed, then_asked) = search(&program, &data, &store, usize::MAX);
        assert_eq!(resumed.archive.export(), whole.archive.export());
        assert_eq!(weights(&store, &resumed.archive), expected, "at {limit}");
        // Two looks for each epoch; a few more for the claims of the second start.
        assert!(first_asked + then_asked < all_asked + 10, "{first_asked} + {then_asked} of {all_asked}");
        let kept =
            resumed.archive.entries().iter().filter_map(|entry| store.kept(&entry.key).expect("readable"));
        assert_eq!(kept.count(), 0, "states of finished trials are forgotten");
    }
}

#[test]
fn trainings_that_take_too_much_memory_are_not_started() {
    let train = "optimizer: adamw(lr: 1e-3), epochs: 2, batch: 32";
    let program = program(train, 1);
    let data = prepared(&program);
    let (cancel, nearest, diverged) = (AtomicBool::new(false), Mutex::new(BTreeMap::new()), Mutex::new(None));
    let study = study(&program, &data, (&cancel, &nearest, &diverged));
    let trainable = |program: &Program| {
        let genome = space::sample(&program.space, &mut ChaCha8Rng::seed_from_u64(1));
        let graph = space::instantiate(&program.space, &genome).expect("a network");
        study.trainable(&graph, &genome)
    };
    assert_eq!(trainable(&program), Ok(()));
    let refused = trainable(&program_of(("60000, 2", "1024"), train, 1)).expect_err("gigabytes");
    assert!(refused.starts_with("training by batches of 30 takes up to "), "{refused}");
    assert!(refused.ends_with(" MiB, more than 8192.0 MiB: lower `batch`"), "{refused}");
}

#[test]
fn a_search_goes_on_when_trials_diverge() {
    let program =
        program("optimizer: sgd(lr: {1e-3, 10.0}, decay: 10), schedule: constant, epochs: 12, batch: 8", 6);
    // A step of the greater rate multiplies weights by -99.
    let data = prepared(&program);
    let (report, _) = search(&program, &data, &MemoryStore::default(), usize::MAX);
    let count = |status| report.archive.entries().iter().filter(|entry| entry.status == status).count();
    assert_eq!(report.end, End::Trials);
    assert!(count(Status::Diverged) > 0 && count(Status::Trained) > 0, "{}", report.archive.export());
    assert!(report.nothing_trained().is_none());
}

#[test]
fn a_search_whose_trials_all_diverge_tells_of_the_first() {
    let program = program("optimizer: sgd(lr: 10.0, decay: 10), schedule: constant, epochs: 12, batch: 8", 2);
    let data = prepared(&program);
    let (cancel, nearest, diverged) = (AtomicBool::new(false), Mutex::new(BTreeMap::new()), Mutex::new(None));
    let study = study(&program, &data, (&cancel, &nearest, &diverged));
    let (report, _) = run(&study, &MemoryStore::default(), usize::MAX);
    let told = study.with_divergence(report.nothing_trained().expect("nothing was trained"));
    assert_eq!((told.code, told.message.as_str()), (Code::DIVERGED, "the training of all 2 trials diverged"));
    let notes = told.notes.join("; ");
    assert!(notes.contains("trial 0: training diverged: ") && notes.contains("in epoch "), "{notes}");
    assert!(told.help.join(" ").contains("the learning rate, which is 10,"), "{:?}", told.help);
}

#[test]
fn everything_that_a_spec_says_of_training_is_in_the_recipe_and_its_text() {
    let text = |train: &str| {
        let program = program(train, 1);
        assert!(program.refusals().0.is_empty(), "{train}");
        let genome = space::sample(&program.space, &mut ChaCha8Rng::seed_from_u64(1));
        recipe(&program, &genome).expect("all values come out")
    };
    let full = text(
        "optimizer: sgd(lr: 0.05, momentum: 0.8, nesterov: true, decay: 5e-5), epochs: 9, batch: 4, warmup: 5 %,
         smoothing: 0.1, schedule: step(every: 3 epochs, factor: 0.5), clip: 2.0, mixup: 0.3",
    );
    full.check().expect("allowed");
    assert!(matches!(full.optimizer, Optimizer::Sgd(rule) if rule.nesterov && rule.weight_decay == 5e-5));
    assert_eq!(full.schedule, Schedule::Step { every: 3, factor: 0.5 });
    assert_eq!(
        full.canonical(),
        "epochs=9 batch=4 sgd(lr=5e-2 weight_decay=5e-5 momentum=8e-1 nesterov=true) warmup=5e-2 \
         label_smoothing=1e-1 schedule=step(every=3 factor=5e-1) clip=2e0 mixup=3e-1"
    );
    assert_eq!(
        text("optimizer: adamw(lr: 1e-3), epochs: 9, batch: 4").canonical(),
        "epochs=9 batch=4 adamw(lr=1e-3 weight_decay=0e0 beta1=9e-1 beta2=9.99e-1 epsilon=1e-8) warmup=0e0 \
         label_smoothing=0e0"
    );
}
