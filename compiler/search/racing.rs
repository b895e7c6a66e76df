//! Racing: finalists are trained again round by round, and those that are clearly behind train no more.
//!
//! Source  O. Maron, A. Moore, "Hoeffding Races", NIPS 1993, with normal intervals in place of Hoeffding's; the seeds'
//! spread is pooled over finalists, as an analysis of variance does, because each has few trainings.

/// A finalist in a race.
#[derive(Clone, Debug, PartialEq)]
pub struct Racer {
    /// Losses of its trainings so far, smaller is better; infinite where one diverged.
    pub losses: Vec<f64>,
    /// Variance of one loss for want of validation samples; 0 where it is not known.
    pub sampling: f64,
}

/// So many standard errors behind the best is clearly behind.
const ERRORS: f64 = 2.0;

impl Racer {
    /// The mean of its losses; infinite without one.
    pub fn mean(&self) -> f64 {
        if self.losses.is_empty() {
            return f64::INFINITY;
        }
        self.losses.iter().sum::<f64>() / self.losses.len() as f64
    }
}

/// For each racer whether it goes on. The best always does, and so does who is no more than two standard errors of the
/// difference behind it. Validation samples are the same for all, which makes differences surer than assumed here: a
/// race drops too few rather than one that might win. With one training each and no sampling variance none is dropped.
pub fn survivors(racers: &[Racer]) -> Vec<bool> {
    let spread = seed_variance(racers);
    let best = racers.iter().min_by(|a, b| a.mean().total_cmp(&b.mean()));
    let Some(best) = best.filter(|best| best.mean().is_finite()) else { return vec![true; racers.len()] };
    let goes_on = |racer: &Racer| {
        if !racer.mean().is_finite() {
            return false;
        }
        let of_mean =
            |racer: &Racer| spread.unwrap_or(0.0) / racer.losses.len().max(1) as f64 + racer.sampling;
        let variance = of_mean(racer) + of_mean(best);
        let is_unknown = spread.is_none() && variance == 0.0;
        is_unknown || racer.mean() - best.mean() <= ERRORS * variance.sqrt()
    };
    racers.iter().map(goes_on).collect()
}

/// The variance of trainings of one network, pooled over networks; `None` where none has two.
fn seed_variance(racers: &[Racer]) -> Option<f64> {
    let (mut squares, mut degrees) = (0.0, 0);
    for racer in racers.iter().filter(|racer| racer.losses.len() > 1 && racer.mean().is_finite()) {
        let mean = racer.mean();
        squares += racer.losses.iter().map(|loss| (loss - mean).powi(2)).sum::<f64>();
        degrees += racer.losses.len() - 1;
    }
    (degrees > 0).then(|| squares / degrees as f64)
}

/// The interval of 95 % for the mean of some values, by Student's distribution; `None` of fewer than two.
pub fn mean_interval(values: &[f64]) -> Option<[f64; 2]> {
    let degrees = values.len().checked_sub(1).filter(|&degrees| degrees > 0)?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / degrees as f64;
    let half = student(degrees) * (variance / values.len() as f64).sqrt();
    Some([mean - half, mean + half])
}

/// The 97.5 % point of Student's distribution.
///
/// Source  standard tables; beyond 30 degrees the normal distribution with Hill's first correction, right to 0.2 %
fn student(degrees: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145,
        2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048,
        2.045, 2.042,
    ];
    const NORMAL: f64 = 1.959_964;
    let beyond = || NORMAL + (NORMAL.powi(3) + NORMAL) / (4.0 * degrees as f64);
    TABLE.get(degrees.saturating_sub(1)).copied().unwrap_or_else(beyond)
}

/// Spearman's rank correlation of two figures of the same things, ties at the mean of their places; `None` of fewer
/// than two, and where one of the figures is the same for all.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() != b.len() || a.len() < 2 {
        return None;
    }
    let (a, b) = (places(a), places(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product =
        |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum() };
    let size = (product(&a, &a) * product(&b, &b)).sqrt();
    (size > 0.0).then(|| product(&a, &b) / size)
}

/// The place of each value among all, from 0.
fn places(values: &[f64]) -> Vec<f64> {
    let below = |x: f64| values.iter().filter(|y| y.total_cmp(&x).is_lt()).count();
    let equal = |x: f64| values.iter().filter(|y| y.total_cmp(&x).is_eq()).count();
    values.iter().map(|&x| below(x) as f64 + (equal(x) as f64 - 1.0) / 2.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn racer(losses: &[f64], sampling: f64) -> Racer {
        Racer { losses: losses.to_vec(), sampling }
    }

    #[test]
    fn who_is_clearly_behind_trains_no_more() {
        // A standard error of the difference of 0.01.
        let sampling = 0.5e-4;
        let race = [racer(&[0.100], sampling), racer(&[0.119], sampling), racer(&[0.121], sampling)];
        assert_eq!(survivors(&race), [true, true, false]);
        // The seeds' spread counts as soon as it is known.
        let race = [racer(&[0.10, 0.14], 0.0), racer(&[0.12, 0.16], 0.0), racer(&[0.19, 0.23], 0.0)];
        assert_eq!(survivors(&race), [true, true, false]);
    }

    #[test]
    fn nobody_is_dropped_without_a_reason() {
        assert_eq!(survivors(&[racer(&[0.1], 0.0), racer(&[0.9], 0.0)]), [true, true]);
        assert_eq!(survivors(&[]), [true; 0]);
        let diverged = racer(&[f64::INFINITY], 0.0);
        assert_eq!(survivors(&[diverged.clone(), racer(&[0.5], 0.0)]), [false, true]);
        assert_eq!(survivors(&[diverged.clone(), diverged]), [true, true]);
    }

    #[test]
    fn a_race_seldom_drops_the_better_one() {
        // Two finalists of which the first is better by 0.005, the seeds' deviation is 0.01, for want of samples 0.01.
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        let mut wrong = 0;
        for _ in 0..2000 {
            // Deviation 1/sqrt(12) each, so scaled to 0.01.
            let mut draw = |mean: f64, shift: f64| mean + shift + uniform() * 0.01 * 12f64.sqrt();
            let shifts = [draw(0.0, 0.0), draw(0.0, 0.0)];
            let mut losses = |mean: f64, shift: f64| [(); 3].map(|()| draw(mean, shift));
            let race = [racer(&losses(0.100, shifts[0]), 1e-4), racer(&losses(0.105, shifts[1]), 1e-4)];
            wrong += usize::from(!survivors(&race)[0]);
        }
        assert!(wrong < 100, "{wrong} of 2000");
    }

    #[test]
    fn correlations_are_those_of_places() {
        let all = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(rank_correlation(&all, &[10.0, 20.0, 30.0, 400.0]), Some(1.0));
        assert_eq!(rank_correlation(&all, &[4.0, 3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(rank_correlation(&all, &[1.0; 4]), None);
        assert_eq!(rank_correlation(&[1.0], &[1.0]), None);
        // With a tie; by hand 0.948683.
        let found = rank_correlation(&all, &[1.0, 2.0, 2.0, 3.0]).expect("differing");
        assert!((found - 0.948_683).abs() < 1e-6, "{found}");
        // The common example, the IQ of ten persons and their hours of television: -29/165.
        let iq = [86.0, 97.0, 99.0, 100.0, 101.0, 103.0, 106.0, 110.0, 112.0, 113.0];
        let hours = [0.0, 20.0, 28.0, 27.0, 50.0, 29.0, 7.0, 17.0, 6.0, 12.0];
        let found = rank_correlation(&iq, &hours).expect("differing");
        assert!((found + 29.0 / 165.0).abs() < 1e-12, "{found}");
    }

    #[test]
    fn intervals_are_students() {
        let [low, high] = mean_interval(&[1.0, 2.0, 3.0]).expect("three");
        assert!((high - low - 2.0 * 4.303 / 3f64.sqrt()).abs() < 1e-9 && (low + high - 4.0).abs() < 1e-9);
        assert_eq!(mean_interval(&[1.0]), None);
        assert!((student(60) - 2.000).abs() < 0.004);
    }
}
