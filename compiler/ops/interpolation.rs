//! Functions of 16 bits by tables between whose elements lines are drawn.
//!
//! Source  LiteRT 2.3.0, reference kernels of LOGISTIC, TANH and SOFTMAX for INT16; the tables are given by formulas that
//!         their constants follow, and no element lies so near to a tie that the platform's `exp` decides

use std::sync::LazyLock;

/// Elements of [`SIGMOID`].
pub(crate) const SIGMOID_LEN: usize = 256;
/// Steps of [`EXPONENTIALS`] and [`RECIPROCALS`], which have one element more.
const STEPS: usize = 512;
/// Bits of a number below a step.
const STEP_BITS: i32 = 7;

/// The logistic function of `i / 24`, in steps of `2^-16`, lifted by half of what the lines lie too low between.
pub(crate) static SIGMOID: LazyLock<Vec<i32>> = LazyLock::new(|| {
    let curve = |at: f64| 65_536.0 / (1.0 + (-at / 24.0).exp());
    let element = |at: usize| {
        let at = at as f64;
        let low = curve(at + 0.5) - (curve(at) + curve(at + 1.0)) / 2.0;
        (curve(at) + low / 2.0 + 0.5).floor() as i32
    };
    (0..SIGMOID_LEN - 1).map(element).chain([65_535]).collect()
});

/// `e^x` from -10 to 0, in steps of `2^-15`.
pub(crate) static EXPONENTIALS: LazyLock<Vec<i32>> =
    LazyLock::new(|| table(f64::exp, (10.0 / 65_535.0) * -65_535.0, 0.0));

/// `1 / (1 + x)` from 0 to 1, in steps of `2^-15`.
pub(crate) static RECIPROCALS: LazyLock<Vec<i32>> =
    LazyLock::new(|| table(|x| 1.0 / (1.0 + x), 0.0, (1.0 / 65_535.0) * 65_535.0));

/// A function from `first` to `last`, moved by half of what the lines are off in the middle.
fn table(of: impl Fn(f64) -> f64, first: f64, last: f64) -> Vec<i32> {
    let step = (last - first) / STEPS as f64;
    let scaled = |x: f64| (x * 32_768.0).round();
    let saturated = |x: f64| x.clamp(-32_768.0, 32_767.0) as i32;
    let element = |at: usize| {
        let x = first + at as f64 * step;
        let value = scaled(of(x));
        let line = ((of(first + (at + 1) as f64 * step) * 32_768.0 + value) / 2.0).round();
        saturated(value - ((line - scaled(of(x + step / 2.0))) / 2.0).round())
    };
    (0..STEPS).map(element).chain([saturated(scaled(of(last)))]).collect()
}

/// The element of a table of [`STEPS`] steps for a number of 16 bits.
pub(crate) fn interpolated(table: &[i32], value: i32) -> i32 {
    let at = (256 + (value >> STEP_BITS)) as usize;
    let rest = value & ((1 << STEP_BITS) - 1);
    table[at] + (((table[at + 1] - table[at]) * rest + (1 << (STEP_BITS - 1))) >> STEP_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_those_of_the_reference() {
        let sums = [&SIGMOID, &EXPONENTIALS, &RECIPROCALS].map(|table| table.iter().sum::<i32>());
        assert_eq!(sums, [15_670_629, 1_694_030, 11_653_643]);
        assert_eq!(SIGMOID[..4], [32_768, 33_451, 34_133, 34_813]);
        assert_eq!((SIGMOID[100], SIGMOID[200], SIGMOID[255]), (64_536, 65_520, 65_535));
        assert_eq!((EXPONENTIALS[511], EXPONENTIALS[512]), (32_133, 32_767));
        assert_eq!(RECIPROCALS[..3], [32_767, 32_704, 32_640]);
    }
}
