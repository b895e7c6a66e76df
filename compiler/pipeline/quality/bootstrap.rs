//! Intervals of figures whose distribution is not known: by drawing the samples again.
//!
//! Source  Efron and Tibshirani, An Introduction to the Bootstrap (1993), section 13.3: percentile intervals

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Resamples.
const RESAMPLES: usize = 1000;
/// Draws in all: beyond them fewer resamples are made, since the figure of so many samples hardly moves.
const DRAWS: usize = 1 << 28;
/// Resamples at least.
const FEWEST: usize = 40;
/// Of the draws: the same on every run.
const SEED: u64 = 0x6e61_7363;

/// The interval of 95 % of a figure of `count` samples: `figure` is given the places of the samples that were drawn,
/// as many as there are. `None` of no samples.
pub(super) fn interval(count: usize, mut figure: impl FnMut(&[u32]) -> f64) -> Option<[f64; 2]> {
    let n = u32::try_from(count).ok().filter(|&n| n > 0)?;
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let resamples = (DRAWS / count).clamp(FEWEST, RESAMPLES);
    let mut places = vec![0; count];
    let mut figures: Vec<f64> = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        for place in &mut places {
            *place = ((u64::from(random.next_u32()) * u64::from(n)) >> 32) as u32;
        }
        figures.push(figure(&places));
    }
    figures.sort_unstable_by(f64::total_cmp);
    let outside = resamples / 40;
    Some([figures[outside.saturating_sub(1)], figures[resamples - outside.max(1)]])
}
