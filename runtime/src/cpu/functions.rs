//! The exponential and the normal distribution, written so that loops over them become vector instructions.

use std::ops::{Add, Mul};

use hqcc_compiler::ops::gelu::gauss::{LIMIT, NEAR, SLOPE, TAIL};

/// `1 / sqrt(2 pi)`.
const PEAK: f64 = 0.398_942_280_401_432_7;

/// A polynomial, lowest power first.
#[inline(always)]
fn horner<T: Copy + Mul<Output = T> + Add<Output = T>, const N: usize>(
    coefficients: [T; N],
    x: T,
) -> T {
    let mut value = coefficients[N - 1];
    for at in (0..N - 1).rev() {
        value = value * x + coefficients[at];
    }
    value
}

macro_rules! exponential {
    ($name:ident, $float:ty, $doc:literal, terms $terms:literal, magic $magic:literal, high $ln2_high:literal,
     low $ln2_low:literal, mantissa $mantissa:literal, range $least:literal to $most:literal) => {
        #[doc = $doc]
        ///
        /// `x = n ln 2 + r`, the series of `e^r`, and `n` added to the exponent. The sum with the magic number rounds
        /// to a whole `n` and leaves it in the low bits. Results below the normal range are 0.
        #[inline(always)]
        pub fn $name(x: $float) -> $float {
            const TERMS: [$float; $terms + 1] = {
                let (mut terms, mut term, mut k) = ([1.0; $terms + 1], 1.0, 1);
                while k <= $terms {
                    term /= k as f64;
                    terms[k] = term as $float;
                    k += 1;
                }
                terms
            };
            // Not `clamp`: NaN must stay NaN.
            let inside = if x < $least { $least } else { x };
            let inside = if inside > $most { $most } else { inside };
            let shifted = inside * std::f64::consts::LOG2_E as $float + $magic;
            let n = shifted - $magic;
            let r = (inside - n * $ln2_high) - n * $ln2_low;
            let series = horner(TERMS, r);
            let bits = series
                .to_bits()
                .wrapping_add(shifted.to_bits() << $mantissa);
            let value = <$float>::from_bits(bits);
            if x < $least {
                0.0
            } else if x > $most {
                <$float>::INFINITY
            } else if x.is_nan() {
                x
            } else {
                value
            }
        }
    };
}
exponential!(exp_f32, f32, "`e^x` within two units in the last place.", terms 7, magic 12_582_912.0,
    high 0.693_359_4, low -2.121_944_4e-4, mantissa 23, range -87.33 to 88.72);
exponential!(exp_f64, f64, "`e^x` within two units in the last place.", terms 14, magic 6_755_399_441_055_744.0,
    high 6.931_471_803_691_238e-1, low 1.908_214_929_270_587_7e-10, mantissa 52, range -708.39 to 709.78);

/// Distribution function and density of the standard normal within 1e-7.
#[inline(always)]
pub fn gauss_f32(x: f32) -> [f32; 2] {
    let u = x * x;
    let e = exp_f32(-0.5 * u);
    let t = 1.0 / (1.0 + SLOPE * x.abs());
    let tail = e * t * horner(TAIL, t);
    let near = 0.5 + x * horner(NEAR, u);
    let far = if x < 0.0 { tail } else { 1.0 - tail };
    let cdf = if u < LIMIT { near } else { far };
    [cdf, PEAK as f32 * e]
}

/// Distribution function and density of the standard normal within a few units of 1e-16.
///
/// Source: Abramowitz and Stegun, 26.2.11 (series of positive terms) and 26.2.14 (continued fraction).
pub fn gauss_f64(x: f64) -> [f64; 2] {
    let a = x.abs();
    let pdf = PEAK * (-0.5 * x * x).exp();
    let cdf = if a < 3.0 {
        let (mut term, mut sum, mut k) = (x, x, 1.0);
        while f64::abs(term) > 1e-18 * f64::abs(sum) {
            k += 2.0;
            term *= x * x / k;
            sum += term;
        }
        0.5 + pdf * sum
    } else {
        let fraction = (1..60).rev().fold(a, |rest, k| a + f64::from(k) / rest);
        let tail = pdf / fraction;
        if x < 0.0 { tail } else { 1.0 - tail }
    };
    [if x.is_nan() { x } else { cdf }, pdf]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponentials_are_those_of_the_standard_library() {
        for k in -2000..=2000 {
            let x = f64::from(k) * 0.0435;
            let (single, double) = (exp_f32(x as f32), exp_f64(x * 8.0));
            let want = f64::from(x as f32).exp();
            assert!((f64::from(single) / want - 1.0).abs() < 2.5e-7, "{x}");
            assert!((double / (x * 8.0).exp() - 1.0).abs() < 5e-16, "{x}");
        }
        for (x, want) in [
            (f32::NEG_INFINITY, 0.0),
            (-200.0, 0.0),
            (0.0, 1.0),
            (100.0, f32::INFINITY),
            (f32::INFINITY, f32::INFINITY),
        ] {
            assert_eq!(exp_f32(x), want);
            assert_eq!(exp_f64(f64::from(x) * 8.0), f64::from(want));
        }
        assert!(exp_f32(f32::NAN).is_nan() && exp_f64(f64::NAN).is_nan());
    }

    #[test]
    fn the_normal_distribution_is_known_at_some_points() {
        // From a table of 20 digits (mpmath 1.3).
        for (x, cdf) in [
            (0.0, 0.5),
            (0.5, 0.691_462_461_274_013_1),
            (1.0, 0.841_344_746_068_542_9),
            (1.3, 0.903_199_515_414_389_7),
            (2.0, 0.977_249_868_051_820_8),
            (2.999, 0.998_645_663_466_272_9),
            (3.0, 0.998_650_101_968_369_9),
            (-3.5, 2.326_290_790_355_250_5e-4),
            (-6.0, 9.865_876_450_376_98e-10),
        ] {
            let [p, _] = gauss_f64(x);
            assert!((p - cdf).abs() < 3e-16, "{x}: {p}");
            assert!((1.0 - gauss_f64(-x)[0] - cdf).abs() < 3e-16, "{x}");
            assert!(
                (f64::from(gauss_f32(x as f32)[0]) - cdf).abs() < 1.2e-7,
                "{x}"
            );
        }
        assert_eq!(gauss_f64(f64::INFINITY)[0], 1.0);
        assert_eq!(gauss_f32(f32::NEG_INFINITY)[0], 0.0);
        assert!(gauss_f64(f64::NAN)[0].is_nan() && gauss_f32(f32::NAN)[0].is_nan());
    }
}
