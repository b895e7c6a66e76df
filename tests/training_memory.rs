//! What training takes from the heap: once it runs, no more with every step.

#![expect(unsafe_code, reason = "an allocator that counts is an allocator")]

#[path = "benches/train/networks.rs"]
mod networks;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use nasc::train::{EmbeddedEngine, Recipe, Trainer};

/// Allocations of one step behind the warm-up. To be 0 once the engine keeps its memory in an arena and the trainer
/// its tape; until then what is measured, with room for a few.
const STEP_ALLOCATIONS: usize = 1_200;
/// Bytes that a step keeps at most at a time beyond those that stay between epochs. To be 0 with the arena.
const STEP_BYTES: usize = 320 << 10;
/// Bytes that the heap may grow by over all steps: what the runtime itself keeps, such as queues of threads.
const GROWTH: usize = 64 << 10;

const BATCH: usize = 8;
/// Steps behind the warm-up.
const STEPS: usize = 2_000;
/// Steps in an epoch. What an epoch takes once, for its order and its report, is counted with its steps.
const EPOCH: usize = 100;

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

/// The only test of this file, since the counters are of the whole process.
#[test]
fn a_step_takes_nothing_that_it_does_not_give_back() {
    let workload = networks::named("tiny").expect("a known network");
    let (inputs, labels) = workload.data(EPOCH * BATCH);
    let recipe = Recipe { epochs: 1_000, batch: BATCH, ..Recipe::default() };
    // Inside of a pool, so that no queue into it is used.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().expect("threads start");
    let (allocations, growth, step_bytes) = pool.install(|| {
        let engine = EmbeddedEngine::new();
        let data = (&inputs, &labels[..]);
        let mut trainer = Trainer::with_engine(engine, &workload.graph, recipe, data, 1)
            .expect("the data fits the network");
        trainer.epoch().expect("training stays finite");
        let live = LIVE.load(Ordering::Relaxed);
        PEAK.store(live, Ordering::Relaxed);
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..STEPS / EPOCH {
            trainer.epoch().expect("training stays finite");
        }
        let allocations = ALLOCATIONS.load(Ordering::Relaxed) - before;
        let growth = LIVE.load(Ordering::Relaxed).saturating_sub(live);
        (allocations, growth, PEAK.load(Ordering::Relaxed) - live)
    });
    println!(
        "{}, {STEPS} steps: {:.2} allocations a step, {step_bytes} bytes at a time, {growth} bytes kept",
        workload.name,
        allocations as f64 / STEPS as f64
    );
    assert!(allocations / STEPS <= STEP_ALLOCATIONS, "{} allocations a step", allocations / STEPS);
    assert!(step_bytes <= STEP_BYTES, "a step takes {step_bytes} bytes at a time");
    assert!(growth <= GROWTH, "{growth} bytes are kept after {STEPS} steps");
}
