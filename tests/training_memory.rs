//! What training takes from the heap: once it runs, no more with every step.

#![expect(unsafe_code, reason = "an allocator that counts is an allocator")]

#[path = "benches/train/networks.rs"]
mod networks;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use nasc::train::{EmbeddedEngine, Recipe, Trainer};
use networks::Workload;

/// Allocations of an epoch more or less, however many steps it has: threads that meet in another order.
const STEPS_ALLOCATIONS: usize = 8;
/// Bytes that an epoch takes at most at a time beyond those that stay: its order of samples, its report.
const EPOCH_BYTES: usize = 32 << 10;
/// Bytes that the heap may grow by over all steps: what the runtime itself keeps, such as queues of threads.
const GROWTH: usize = 32 << 10;

const BATCH: usize = 8;
/// Steps of an epoch, in a short and in a long one.
const STEPS: [usize; 2] = [25, 400];
const EPOCHS: usize = 5;

/// The system's allocator with counters.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn took(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the promises of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: the caller keeps the promises of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        took(size);
        // SAFETY: the caller keeps the promises of `realloc`.
        unsafe { System.realloc(place, layout, size) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the promises of `dealloc`.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// What epochs of so many steps take, behind a warm-up: allocations of one epoch, bytes at a time, bytes kept.
fn measured(workload: &Workload, steps: usize) -> [usize; 3] {
    let (inputs, labels) = workload.data(steps * BATCH);
    let recipe = Recipe { epochs: 1_000, batch: BATCH, ..Recipe::default() };
    let data = (&inputs, &labels[..]);
    let mut trainer = Trainer::with_engine(EmbeddedEngine::new(), &workload.graph, recipe, data, 1)
        .expect("the data fits the network");
    for _ in 0..2 {
        trainer.epoch().expect("training stays finite");
    }
    let live = LIVE.load(Ordering::Relaxed);
    PEAK.store(live, Ordering::Relaxed);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..EPOCHS {
        trainer.epoch().expect("training stays finite");
    }
    let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
    let growth = LIVE.load(Ordering::Relaxed).saturating_sub(live);
    [allocations / EPOCHS, PEAK.load(Ordering::Relaxed) - live, growth]
}

/// The only test of this file, since the counters are of the whole process.
#[test]
fn steps_take_nothing_from_the_heap() {
    // Inside of a pool, so that no queue into it is used.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads start");
    let workload = networks::named("tiny").expect("a known network");
    let [few, many] = pool.install(|| STEPS.map(|steps| measured(&workload, steps)));
    for (steps, [allocations, bytes, growth]) in STEPS.into_iter().zip([few, many]) {
        println!(
            "{}, {steps} steps: {allocations} allocations an epoch, {bytes} bytes at a time, {growth} kept",
            workload.name
        );
        assert!(bytes <= EPOCH_BYTES, "an epoch takes {bytes} bytes at a time");
        assert!(growth <= GROWTH, "{growth} bytes are kept after {EPOCHS} epochs of {steps} steps");
    }
    let difference = many[0].abs_diff(few[0]);
    assert!(difference <= STEPS_ALLOCATIONS, "{} steps take {difference} allocations", STEPS[1] - STEPS[0]);
}
