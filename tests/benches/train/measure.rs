//! Times of training steps.

use std::time::{Duration, Instant};

use nasc::train::engine::Engine;
use nasc::train::{Recipe, Trainer};

use crate::networks::Workload;

/// Samples in a step.
pub(crate) const BATCH: usize = 64;
/// Steps in a repetition: what an epoch does once is spread over them.
pub(crate) const STEPS: usize = 4;

/// Milliseconds of a step, one for each repetition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) wall: Vec<f64>,
    /// Of all threads; empty where the system does not tell.
    pub(crate) cpu: Vec<f64>,
}

impl Times {
    pub(crate) fn extend(&mut self, more: Times) {
        self.wall.extend(more.wall);
        self.cpu.extend(more.cpu);
    }
}

/// The middle of some numbers; no number of none.
pub(crate) fn median(numbers: &[f64]) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least of some numbers.
pub(crate) fn least(numbers: &[f64]) -> f64 {
    numbers.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Samples in a second, from milliseconds of a step.
pub(crate) fn rate(milliseconds: f64) -> f64 {
    BATCH as f64 * 1e3 / milliseconds
}

/// A training that is stepped for its time alone.
pub(crate) struct Work<E: Engine> {
    trainer: Trainer<E>,
}

impl<E: Engine> Work<E> {
    /// With one repetition to warm up.
    pub(crate) fn new(engine: E, workload: &Workload) -> Work<E> {
        let (inputs, labels) = workload.data(STEPS * BATCH);
        let recipe = Recipe { epochs: 1 << 20, batch: BATCH, warmup: 0.0, ..Recipe::default() };
        let trainer = Trainer::with_engine(engine, &workload.graph, recipe, (&inputs, &labels), 1);
        let mut work = Work { trainer: trainer.expect("the data fits the network") };
        work.run(1);
        work
    }

    /// On the threads of the rayon pool that calls.
    pub(crate) fn run(&mut self, repetitions: usize) -> Times {
        let mut times = Times::default();
        for _ in 0..repetitions {
            let (wall, cpu) = (Instant::now(), processor_time());
            self.trainer.epoch().expect("training stays finite");
            let milliseconds = |time: Duration| time.as_secs_f64() * 1e3 / STEPS as f64;
            times.wall.push(milliseconds(wall.elapsed()));
            if let (Some(before), Some(after)) = (cpu, processor_time()) {
                times.cpu.push(milliseconds(after - before));
            }
        }
        times
    }
}

pub(crate) fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start")
}

/// What all threads of this process have had of the processors.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
#[expect(unsafe_code, reason = "the standard library has no clock of the process")]
pub(crate) fn processor_time() -> Option<Duration> {
    #[repr(C)]
    struct Time {
        seconds: i64,
        nanoseconds: i64,
    }
    // SAFETY: this is the declaration of POSIX where `long` has 64 bits.
    unsafe extern "C" {
        fn clock_gettime(clock: i32, time: *mut Time) -> i32;
    }
    const PROCESS: i32 = 2;
    let mut time = Time { seconds: 0, nanoseconds: 0 };
    // SAFETY: the pointer is to a time that outlives the call.
    let failed = unsafe { clock_gettime(PROCESS, &raw mut time) } != 0;
    (!failed).then(|| Duration::new(time.seconds as u64, time.nanoseconds as u32))
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
pub(crate) fn processor_time() -> Option<Duration> {
    None
}
