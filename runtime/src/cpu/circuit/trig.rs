//! Sine and cosine of many angles at once.

use crate::cpu::real::Real;
use std::any::TypeId;
use std::f64::consts::{FRAC_1_PI, PI};

/// `sin` and `cos` of `scale * theta`. In f32 to 1e-9 by polynomials that vectorise; in f64 exact.
#[inline(always)]
pub(super) fn sin_cos<R: Real>(theta: &[R], scale: f64, sin: &mut [R], cos: &mut [R]) {
    let pairs = theta.iter().zip(sin.iter_mut().zip(cos.iter_mut()));
    // Without an early exit, so that the check vectorises.
    let far = theta
        .iter()
        .fold(false, |far, t| far | (t.f64().abs() > 1e6));
    if TypeId::of::<R>() == TypeId::of::<f64>() || far {
        for (t, (sin, cos)) in pairs {
            let (s, c) = (t.f64() * scale).sin_cos();
            (*sin, *cos) = (R::of(s), R::of(c));
        }
        return;
    }
    for (t, (sin, cos)) in pairs {
        let (s, c) = polynomial(t.f64() * scale);
        (*sin, *cos) = (R::of(s), R::of(c));
    }
}

/// Taylor series on [-pi/2, pi/2] around the nearest multiple of pi; |x| below 1e6.
#[inline(always)]
fn polynomial(x: f64) -> (f64, f64) {
    // Adding and taking off 1.5 * 2^52 rounds to the nearest whole number.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    const PI_LOW: f64 = 1.224_646_799_147_353_2e-16;
    let turns = (x * FRAC_1_PI + ROUND) - ROUND;
    let r = (x - turns * PI) - turns * PI_LOW;
    let half = turns * 0.5;
    let sign = 1.0 - 4.0 * (half - ((half + ROUND) - ROUND)).abs();
    let z = r * r;
    let sin = r
        * (1.0
            + z * (-1.0 / 6.0
                + z * (1.0 / 120.0
                    + z * (-1.0 / 5040.0
                        + z * (1.0 / 362_880.0
                            + z * (-1.0 / 39_916_800.0 + z * (1.0 / 6_227_020_800.0)))))));
    let cos = 1.0
        + z * (-0.5
            + z * (1.0 / 24.0
                + z * (-1.0 / 720.0
                    + z * (1.0 / 40_320.0
                        + z * (-1.0 / 3_628_800.0
                            + z * (1.0 / 479_001_600.0 - z * (1.0 / 87_178_291_200.0)))))));
    (sign * sin, sign * cos)
}

#[cfg(test)]
mod tests {
    use super::sin_cos;

    #[test]
    fn agrees_with_the_standard_library() {
        let theta: Vec<f32> = (-4000..4000).map(|i| i as f32 * 0.0173 + 1e-4).collect();
        let (mut sin, mut cos) = (vec![0.0; theta.len()], vec![0.0; theta.len()]);
        sin_cos(&theta, 0.5, &mut sin, &mut cos);
        for (t, (s, c)) in theta.iter().zip(sin.iter().zip(&cos)) {
            let (want_s, want_c) = (f64::from(*t) * 0.5).sin_cos();
            assert!(
                (f64::from(*s) - want_s).abs() < 7e-8,
                "sin {t}: {s} {want_s}"
            );
            assert!(
                (f64::from(*c) - want_c).abs() < 7e-8,
                "cos {t}: {c} {want_c}"
            );
        }
    }

    #[test]
    fn huge_angles_and_nan_stay_honest() {
        let theta = [3e9f32, f32::NAN];
        let (mut sin, mut cos) = ([0.0; 2], [0.0; 2]);
        sin_cos(&theta, 1.0, &mut sin, &mut cos);
        assert!((f64::from(sin[0]) - 3e9f64.sin()).abs() < 1e-7);
        assert!(sin[1].is_nan() && cos[1].is_nan());
    }
}
