//! What the machine can do at most: fused multiply-adds on registers, and copies of memory.

use std::hint::black_box;
use std::time::Instant;

use rayon::ThreadPool;

/// A loop of multiply-adds on registers; takes the number of rounds and gives the multiply-adds that it did.
type Loop = fn(u64) -> f64;

/// The loops that this processor can run, each with its instructions' name, the fastest last.
fn loops() -> Vec<(&'static str, Loop)> {
    let mut loops: Vec<(&'static str, Loop)> = vec![("portable", portable)];
    #[cfg(target_arch = "x86_64")]
    loops.extend(x86::loops());
    loops
}

/// Chains that are under way at a time: more than latency times instructions a cycle, and they fit the registers.
const CHAINS: usize = 12;

/// As the compiler makes it for every processor of this architecture: in software without the instruction.
fn portable(rounds: u64) -> f64 {
    let mut sums = [[1.0_f32; 4]; CHAINS];
    let (factor, offset) = (black_box([0.999_f32; 4]), black_box([0.001_f32; 4]));
    for _ in 0..rounds {
        for sum in &mut sums {
            for lane in 0..4 {
                sum[lane] = sum[lane].mul_add(factor[lane], offset[lane]);
            }
        }
    }
    black_box(sums);
    (rounds * CHAINS as u64 * 4) as f64
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{_mm256_fmadd_ps, _mm256_set1_ps, _mm512_fmadd_ps, _mm512_set1_ps};
    use std::hint::black_box;

    use super::{CHAINS, Loop};

    pub(super) fn loops() -> Vec<(&'static str, Loop)> {
        let mut loops: Vec<(&'static str, Loop)> = Vec::new();
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "the processor has what the function needs")]
            // SAFETY: AVX2 and FMA were just found.
            loops.push(("avx2", |rounds| unsafe { avx2(rounds) }));
        }
        if is_x86_feature_detected!("avx512f") {
            #[expect(unsafe_code, reason = "the processor has what the function needs")]
            // SAFETY: AVX-512 was just found.
            loops.push(("avx512", |rounds| unsafe { avx512(rounds) }));
        }
        loops
    }

    #[target_feature(enable = "avx2,fma")]
    fn avx2(rounds: u64) -> f64 {
        let mut sums = [_mm256_set1_ps(1.0); CHAINS];
        let (factor, offset) = (_mm256_set1_ps(black_box(0.999)), _mm256_set1_ps(black_box(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, offset);
            }
        }
        black_box(sums);
        (rounds * CHAINS as u64 * 8) as f64
    }

    #[target_feature(enable = "avx512f")]
    fn avx512(rounds: u64) -> f64 {
        let mut sums = [_mm512_set1_ps(1.0); CHAINS];
        let (factor, offset) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
        for _ in 0..rounds {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, offset);
            }
        }
        black_box(sums);
        (rounds * CHAINS as u64 * 16) as f64
    }
}

/// Repetitions; the best counts, since others only take away. Each is shorter than a turn on a shared processor.
const TRIES: usize = 150;

/// Billions of multiply-adds in a second with each kind of instructions, on all threads of a pool.
pub(crate) fn multiply_adds(pool: &ThreadPool) -> Vec<(&'static str, f64)> {
    let speed = |run: Loop| {
        let rounds = calibrated(run);
        let one = || {
            let start = Instant::now();
            let done: f64 = pool.broadcast(|_| run(rounds)).iter().sum();
            done / start.elapsed().as_secs_f64() / 1e9
        };
        (0..TRIES).map(|_| one()).fold(0.0, f64::max)
    };
    loops().into_iter().map(|(name, run)| (name, speed(run))).collect()
}

/// Rounds that take about 2 ms.
fn calibrated(run: Loop) -> u64 {
    const ROUNDS: u64 = 1_000;
    let seconds = || {
        let start = Instant::now();
        run(ROUNDS);
        start.elapsed().as_secs_f64()
    };
    let least = (0..TRIES).map(|_| seconds()).fold(f64::INFINITY, f64::min);
    (0.002 / least * ROUNDS as f64) as u64 + 1
}

/// Billions of bytes in a second, read and written, of copies that no cache holds.
pub(crate) fn copies(pool: &ThreadPool) -> f64 {
    const ELEMENTS: usize = 1 << 23;
    let threads = pool.current_num_threads();
    let mut buffers: Vec<(Vec<f32>, Vec<f32>)> =
        (0..threads).map(|_| (vec![1.0; ELEMENTS], vec![0.0; ELEMENTS])).collect();
    let mut one = || {
        let start = Instant::now();
        pool.scope(|scope| {
            for (from, to) in &mut buffers {
                scope.spawn(|_| black_box(to).copy_from_slice(black_box(from)));
            }
        });
        (threads * ELEMENTS * 8) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..TRIES).map(|_| one()).fold(0.0, f64::max)
}
