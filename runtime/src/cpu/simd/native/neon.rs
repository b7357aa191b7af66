//! Registers of 128 bits of aarch64, where every processor has them. `arch` beside this module holds the intrinsics:
//! those of aarch64, or their emulation in tests.

use super::arch::*;
use crate::cpu::simd::vector::{Vector, register};

register!(
    /// Four elements of single precision.
    F32x4(float32x4_t): [f32; 4],
    splat vdupq_n_f32, load vld1q_f32, store vst1q_f32,
    add vaddq_f32, sub vsubq_f32, mul vmulq_f32,
    mul_add(a, b, c) vfmaq_f32(c, a, b),
    neg_mul_add(a, b, c) vfmsq_f32(c, a, b),
    interleave(a, b) [vzip1q_f32(a, b), vzip2q_f32(a, b)],
    deinterleave(a, b) [vuzp1q_f32(a, b), vuzp2q_f32(a, b)],
    // The even lanes of both, once the odd ones of `odd` have changed places with their neighbours.
    blend(even, odd) vtrn1q_f32(even, vrev64q_f32(odd)),
    reverse(x) vextq_f32::<2>(vrev64q_f32(x), vrev64q_f32(x)),
    sum(x) vpadds_f32(vadd_f32(vget_low_f32(x), vget_high_f32(x)))
);

register!(
    /// Two elements of double precision.
    F64x2(float64x2_t): [f64; 2],
    splat vdupq_n_f64, load vld1q_f64, store vst1q_f64,
    add vaddq_f64, sub vsubq_f64, mul vmulq_f64,
    mul_add(a, b, c) vfmaq_f64(c, a, b),
    neg_mul_add(a, b, c) vfmsq_f64(c, a, b),
    interleave(a, b) [vzip1q_f64(a, b), vzip2q_f64(a, b)],
    deinterleave(a, b) [vuzp1q_f64(a, b), vuzp2q_f64(a, b)],
    blend(even, odd) vcopyq_laneq_f64::<1, 1>(even, odd),
    reverse(x) vextq_f64::<1>(x, x),
    sum(x) vpaddd_f64(x)
);
