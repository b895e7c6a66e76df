//! Work in pieces that threads take. How it is cut never changes a result: pieces are whole elements of it, or
//! chunks whose size the engine's numerics state.

use rayon::prelude::*;

/// Multiply-adds of a product below which a second thread costs more than it saves: waking one takes some
/// microseconds.
const WORTH_A_THREAD: usize = 1 << 20;

/// Multiply-adds of a product that take as long as one element that is read, changed and written.
pub(super) const ELEMENT: usize = 8;

/// Samples that one task computes, where samples are independent.
pub(super) const SAMPLES_PER_TASK: usize = 2;

/// Whether this much work is worth more than one thread, and there is one.
pub(super) fn is_parallel(work: usize) -> bool {
    work >= WORTH_A_THREAD && rayon::current_num_threads() > 1
}

/// Runs `f` with the index of each chunk of `size` elements of `out`.
pub(super) fn chunks(work: usize, out: &mut [f32], size: usize, f: impl Fn(usize, &mut [f32]) + Sync) {
    let size = size.max(1);
    if is_parallel(work) {
        out.par_chunks_mut(size).enumerate().for_each(|(index, out)| f(index, out));
    } else {
        out.chunks_mut(size).enumerate().for_each(|(index, out)| f(index, out));
    }
}
