//! Random elements on the host, as [`Engine::random`](crate::train::engine::Engine::random) states them.

use crate::tensor::math;
use crate::train::engine::Distribution;

/// The distance of neighbouring numbers that are drawn.
const UNIT: f32 = 1.0 / 16_777_216.0;

/// Philox4x32-10.
#[inline(always)]
fn philox(key: u64, counter: u64) -> [u32; 4] {
    let mut key = [key as u32, (key >> 32) as u32];
    let mut x = [counter as u32, (counter >> 32) as u32, 0, 0];
    for _ in 0..10 {
        let left = u64::from(x[0]) * 0xD251_1F53;
        let right = u64::from(x[2]) * 0xCD9E_8D57;
        x = [
            (right >> 32) as u32 ^ x[1] ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ x[3] ^ key[1],
            left as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    x
}

/// Fills `out` with elements of a key's stream, from element `4 * first` on. Inlined, so that an engine can compile
/// it for the instructions that it chose.
#[inline(always)]
pub(super) fn fill(distribution: Distribution, key: u64, first: u64, out: &mut [f32]) {
    for (counter, out) in (first..).zip(out.chunks_mut(4)) {
        for (out, word) in out.iter_mut().zip(philox(key, counter)) {
            // Exact and never 0 or 1.
            let open = ((word >> 9) * 2 + 1) as f32 * UNIT;
            *out = match distribution {
                Distribution::Uniform => (word >> 8) as f32 * UNIT,
                Distribution::Normal => math::normal_quantile(open),
                Distribution::Gumbel => -math::ln(-math::ln(open)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_words() {
        // Random123, kat_vectors: philox4x32 with 10 rounds, counter and key zero.
        assert_eq!(philox(0, 0), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
    }
}
