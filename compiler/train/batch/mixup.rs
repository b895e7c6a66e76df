//! Mixup: a batch becomes weighted means of pairs of its samples, and of their targets.
//!
//! Source  arXiv:1710.09412

use rand_chacha::ChaCha8Rng;

use super::Batch;
use crate::tensor::math;
use crate::train::stream::{open_unit, permute};

/// Mixes every sample with that in its place of a random order, all by one weight that follows Beta(`alpha`,
/// `alpha`). The heavier of a pair is the one that stands in the place, which changes no probability: the batch
/// that the other weight makes is as likely.
pub(super) fn mix(batch: &mut Batch, alpha: f32, random: &mut ChaCha8Rng) {
    let drawn = beta(alpha, random);
    let weight = if drawn < 0.5 { 1.0 - drawn } else { drawn };
    let Batch { count, inputs, targets, spare, partners, .. } = batch;
    permute(*count, random, partners);
    for rows in [inputs, targets] {
        let size = rows.len() / *count;
        spare.clear();
        for (row, &partner) in rows.chunks_exact(size).zip(partners.iter()) {
            let other = &rows[partner * size..(partner + 1) * size];
            spare.extend(row.iter().zip(other).map(|(&a, &b)| a.mul_add(weight, b * (1.0 - weight))));
        }
        std::mem::swap(rows, spare);
    }
}

/// A number that follows Beta(`alpha`, `alpha`), in `[0, 1]`.
fn beta(alpha: f32, random: &mut ChaCha8Rng) -> f32 {
    if alpha <= 1.0 {
        return johnk(alpha, random);
    }
    let (a, b) = (gamma(alpha, random), gamma(alpha, random));
    a / (a + b)
}

/// For `alpha` up to 1, by logarithms, since powers of small numbers by `1 / alpha` leave the range of `f32`.
///
/// Source  M. D. Jöhnk, Metrika 8 (1964)
fn johnk(alpha: f32, random: &mut ChaCha8Rng) -> f32 {
    loop {
        let a = math::ln(open_unit(random)) / alpha;
        let b = math::ln(open_unit(random)) / alpha;
        let greater = if a > b { a } else { b };
        let sum = greater + math::ln(math::exp(a - greater) + math::exp(b - greater));
        if sum <= 0.0 {
            return math::exp(a - sum);
        }
    }
}

/// A number that follows Gamma(`alpha`, 1), `alpha` at least 1.
///
/// Source  Marsaglia and Tsang, A simple method for generating gamma variables (ACM TOMS 26, 2000)
fn gamma(alpha: f32, random: &mut ChaCha8Rng) -> f32 {
    let d = alpha - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let x = math::normal_quantile(open_unit(random));
        let root = x.mul_add(c, 1.0);
        let u = open_unit(random);
        if root > 0.0 {
            let v = root * root * root;
            if math::ln(u) < (0.5 * x).mul_add(x, d * (1.0 - v + math::ln(v))) {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::stream::numbered;

    /// The share of Beta(a, a) below each of `points`, by adding up its density; the substitution `x = s(t)` with
    /// `s = 3t^2 - 2t^3` tames the ends.
    fn shares(a: f64, points: &[f64]) -> Vec<f64> {
        let n = 400_000;
        let (mut total, mut below) = (0.0, vec![0.0; points.len()]);
        for i in 0..n {
            let t = (f64::from(i) + 0.5) / f64::from(n);
            let x = t * t * (3.0 - 2.0 * t);
            let mass = (x * (1.0 - x)).powf(a - 1.0) * 6.0 * t * (1.0 - t);
            total += mass;
            below.iter_mut().zip(points).filter(|(_, point)| x < **point).for_each(|(sum, _)| *sum += mass);
        }
        below.into_iter().map(|sum| sum / total).collect()
    }

    #[test]
    fn weights_follow_the_beta_distribution() {
        let points: Vec<f64> = (1..20).map(|i| f64::from(i) / 20.0).collect();
        for alpha in [0.2f32, 0.5, 1.0, 1.3, 4.0] {
            let mut random = numbered(9, "test", &[u64::from(alpha.to_bits())]);
            let drawn: Vec<f32> = (0..40_000).map(|_| beta(alpha, &mut random)).collect();
            assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)));
            for (point, share) in points.iter().zip(shares(f64::from(alpha), &points)) {
                let below = drawn.iter().filter(|&&x| f64::from(x) < *point).count() as f64 / 40_000.0;
                // Four deviations of the mean of 40 000 draws are at most 0.01.
                assert!((below - share).abs() < 0.01, "{alpha}: {below} below {point}, expected {share}");
            }
        }
    }

    #[test]
    fn extreme_parameters_give_numbers() {
        for alpha in [1e-3, 1e-2, 10.0, 1e4] {
            let mut random = numbered(1, "test", &[3]);
            let drawn: Vec<f32> = (0..2000).map(|_| beta(alpha, &mut random)).collect();
            assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "{alpha}");
            let near_ends = drawn.iter().filter(|x| (0.1..0.9).contains(*x)).count();
            assert_eq!(near_ends > 1000, alpha > 1.0, "{alpha}: {near_ends}");
        }
    }
}
