//! Elementary functions that give the same bits on every platform.
//!
//! The standard library's `exp`, `ln`, `tanh` and `cos` come from the platform and differ between platforms.
//! These are made of IEEE 754 operations alone (`+ - * /`, fused multiply-add, bit patterns), each correctly
//! rounded everywhere. They are branch-free where that lets a loop over them become vector code. Errors are
//! given in units in the last place (ulp) and tested against `f64`. Inputs that are no number give no number.

const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// `ln 2` with 9 low bits zero, so that its product with an exponent is exact.
const LN2_HIGH: f32 = 355.0 / 512.0;
/// `ln 2 - LN2_HIGH`.
const LN2_LOW: f32 = -2.121_944_4e-4;
/// `1.5 * 2^23`: adding and subtracting it rounds to the nearest integer.
const ROUNDER: f32 = 12_582_912.0;

/// `2^exponent` for `-126..=127`.
#[inline(always)]
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits(((exponent + 127) << 23) as u32)
}

/// `e^x` within 2 ulp; infinity above 88.8, 0 below -104.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Beyond these the result is 0 or infinite anyway; `NaN` passes both.
    let clamped = if x > 89.0 { 89.0 } else { x };
    let clamped = if clamped < -104.5 { -104.5 } else { clamped };
    let k = (clamped * LOG2_E + ROUNDER) - ROUNDER;
    let r = (-k).mul_add(LN2_LOW, (-k).mul_add(LN2_HIGH, clamped));
    // Taylor's series to degree 7: its remainder for |r| <= ln(2)/2 is below 6e-9 of the value.
    let mut p = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0] {
        p = r.mul_add(p, coefficient);
    }
    let p = r.mul_add(p, 1.0);
    // Two factors, since 2^k alone would leave the normal numbers at both ends.
    let k = k as i32;
    let half = k >> 1;
    p * power_of_two(half) * power_of_two(k - half)
}

/// Natural logarithm within 2 ulp; negative infinity at 0, no number below.
#[inline(always)]
pub fn ln(x: f32) -> f32 {
    // Subnormal numbers are brought into the normal range first.
    let tiny = x < f32::MIN_POSITIVE;
    let scaled = if tiny { x * 33_554_432.0 } else { x };
    let bias = if tiny { -25.0 } else { 0.0 };
    // x = m * 2^e with sqrt(1/2) <= m < sqrt(2): there is no cancellation between ln m and e ln 2.
    let bits = scaled.to_bits() as i32;
    let shifted = bits.wrapping_sub(0x3f35_04f3);
    let e = (shifted >> 23) as f32 + bias;
    let m = f32::from_bits((shifted & 0x007f_ffff).wrapping_add(0x3f35_04f3) as u32);
    let f = m - 1.0;
    // ln(1+f) = 2 atanh(s) with s = f/(2+f), written as f - s*(f - r) so that the error of s counts little.
    let s = f / (2.0 + f);
    let z = s * s;
    let mut r = 2.0 / 11.0;
    for coefficient in [2.0 / 9.0, 2.0 / 7.0, 2.0 / 5.0, 2.0 / 3.0] {
        r = z.mul_add(r, coefficient);
    }
    let r = z * r;
    let low = e.mul_add(LN2_LOW, (-s).mul_add(f - r, 0.0));
    let value = e.mul_add(LN2_HIGH, f + low);
    let value = if x == 0.0 { f32::NEG_INFINITY } else { value };
    let value = if x == f32::INFINITY { x } else { value };
    if x < 0.0 || x.is_nan() { f32::NAN } else { value }
}

/// `1 / (1 + e^-x)` within 4 ulp.
#[inline(always)]
pub fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    let numerator = if x >= 0.0 { 1.0 } else { e };
    numerator / (1.0 + e)
}

/// Hyperbolic tangent within 4 ulp.
#[inline(always)]
pub fn tanh(x: f32) -> f32 {
    let a = x.abs();
    // Near 0 Taylor's series, elsewhere 1 - 2/(e^2a + 1): at 0.4 the first leaves out 4e-9 of the value and
    // the second loses one bit.
    let z = a * a;
    let mut p = 21_844.0 / 6_081_075.0;
    for coefficient in [-1382.0 / 155_925.0, 62.0 / 2835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0] {
        p = z.mul_add(p, coefficient);
    }
    let near = (a * z).mul_add(p, a);
    let far = 1.0 - 2.0 / (exp(2.0 * a) + 1.0);
    (if a < 0.4 { near } else { far }).copysign(x)
}

/// `cos(pi x)` for `0 <= x <= 1`, within `1e-15`.
pub fn cos_pi(x: f64) -> f64 {
    let (x, sign) = if x > 0.5 { (1.0 - x, -1.0) } else { (x, 1.0) };
    let z = (x * std::f64::consts::PI) * (x * std::f64::consts::PI);
    // Taylor's series: at pi/2 the first term left out, z^12/24!, is 8e-20.
    let series = (1..=11).rev().fold(1.0, |tail, n| {
        let n = f64::from(2 * n);
        1.0 - z / (n * (n - 1.0)) * tail
    });
    sign * series
}

/// `base^exponent` by repeated squaring.
pub fn power(base: f64, mut exponent: u64) -> f64 {
    let (mut square, mut result) = (base, 1.0);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= square;
        }
        square *= square;
        exponent >>= 1;
    }
    result
}

/// The value that a standard normal variable stays below with probability `p`, `0 < p < 1`; relative error
/// about `1e-6`.
///
/// Source  M. J. Wichura, algorithm AS 241 (`PPND7`), Applied Statistics 37 (1988).
#[inline(always)]
pub fn normal_quantile(p: f32) -> f32 {
    const A: [f32; 4] = [59.109_375, 159.291_13, 50.434_27, 3.387_133];
    const B: [f32; 4] = [67.187_56, 78.757_76, 17.895_17, 1.0];
    const C: [f32; 4] = [0.170_238_21, 1.306_728_5, 2.756_815_4, 1.423_437_3];
    const D: [f32; 3] = [0.120_211_33, 0.737_001_64, 1.0];
    const E: [f32; 4] = [0.017_337_203, 0.428_682_94, 3.081_226_4, 6.657_905];
    const F: [f32; 3] = [0.012_258_203, 0.241_978_94, 1.0];
    #[inline(always)]
    fn polynomial(coefficients: &[f32], x: f32) -> f32 {
        coefficients.iter().fold(0.0, |sum, &c| x.mul_add(sum, c))
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * polynomial(&A, r) / polynomial(&B, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    let r = (-ln(tail)).sqrt();
    let value = if r <= 5.0 {
        polynomial(&C, r - 1.6) / polynomial(&D, r - 1.6)
    } else {
        polynomial(&E, r - 5.0) / polynomial(&F, r - 5.0)
    };
    value.copysign(q)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Error in units of the last place of the result that `f64` gives.
    fn ulps(found: f32, exact: f64) -> f64 {
        let rounded = exact as f32;
        if rounded.is_infinite() || rounded == 0.0 {
            return if found == rounded { 0.0 } else { f64::INFINITY };
        }
        let magnitude = rounded.abs().max(f32::MIN_POSITIVE);
        let unit = f64::from(f32::from_bits(magnitude.to_bits() + 1)) - f64::from(magnitude);
        (f64::from(found) - exact).abs() / unit
    }

    /// The greatest error over `low..high` in steps of `step`.
    fn worst(low: f32, high: f32, step: f32, f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64) -> f64 {
        let count = ((high - low) / step) as usize;
        let error = |i: usize| {
            let x = low + i as f32 * step;
            ulps(f(x), exact(f64::from(x)))
        };
        (0..=count).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_accurate() {
        assert!(worst(-87.0, 88.6, 1.7e-4, exp, f64::exp) < 2.0);
        assert!(worst(-104.0, -87.0, 1e-4, exp, f64::exp) < 2.0, "subnormal results");
        assert_eq!((exp(0.0), exp(100.0), exp(f32::INFINITY)), (1.0, f32::INFINITY, f32::INFINITY));
        assert_eq!((exp(-110.0), exp(f32::NEG_INFINITY)), (0.0, 0.0));
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn ln_is_accurate() {
        assert!(worst(1e-6, 3.0, 2.3e-6, ln, f64::ln) < 2.0);
        assert!(worst(1.0, 1e6, 0.77, ln, f64::ln) < 2.0);
        assert!(worst(1e-44, 1e-37, 1.3e-43, ln, f64::ln) < 2.0, "subnormal arguments");
        assert_eq!((ln(1.0), ln(0.0), ln(f32::INFINITY)), (0.0, f32::NEG_INFINITY, f32::INFINITY));
        assert!(ln(-1.0).is_nan() && ln(f32::NAN).is_nan());
    }

    #[test]
    fn tanh_and_sigmoid_are_accurate() {
        assert!(worst(-10.0, 10.0, 1.1e-5, tanh, f64::tanh) < 4.0);
        assert!(worst(-1e-3, 1e-3, 1.1e-9, tanh, f64::tanh) < 4.0);
        assert_eq!((tanh(50.0), tanh(-50.0), tanh(0.0)), (1.0, -1.0, 0.0));
        let exact = |x: f64| 1.0 / (1.0 + (-x).exp());
        assert!(worst(-87.0, 30.0, 1.3e-4, sigmoid, exact) < 4.0);
        assert!(tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
    }

    #[test]
    fn cosine_and_powers_are_accurate() {
        for i in 0..=1000 {
            let x = f64::from(i) / 1000.0;
            assert!((cos_pi(x) - (std::f64::consts::PI * x).cos()).abs() < 1e-15, "{x}");
        }
        for exponent in [0u16, 1, 2, 13, 1000] {
            let exact = 0.999f64.powf(f64::from(exponent));
            assert!((power(0.999, u64::from(exponent)) / exact - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn normal_quantiles_invert_the_distribution() {
        // Standard values of statistical tables.
        for (p, x) in [(0.5, 0.0), (0.841_344_8, 1.0), (0.975, 1.959_964), (0.999, 3.090_232)] {
            assert!((normal_quantile(p) - x).abs() < 2e-5, "{p}: {}", normal_quantile(p));
        }
        assert!((normal_quantile(1e-5) + 4.264_890_8).abs() < 1e-5);
        assert!((normal_quantile(1e-12) + 7.034_484).abs() < 1e-4);
        // The derivative of the inverse is the reciprocal of the density.
        for i in 1..200 {
            let p = i as f32 / 200.0;
            let step = 1e-3f32;
            let slope =
                f64::from(normal_quantile(p + step) - normal_quantile(p - step)) / f64::from(2.0 * step);
            let x = f64::from(normal_quantile(p));
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let tolerance = if (0.02..0.98).contains(&p) { 5e-3 } else { 0.1 };
            assert!((slope * density - 1.0).abs() < tolerance, "{p}: {}", slope * density);
        }
    }
}
