//! Registers of 256 bits. Shuffles within their 128-bit halves are cheap, so that most rules take one across the halves
//! and one within them.

use super::arch::*;
use crate::cpu::simd::vector::{Vector, register};

/// For `_mm256_permute2f128`: the lower halves of both registers, their upper halves, and the halves exchanged.
const LOWER: i32 = 0x20;
const UPPER: i32 = 0x31;
const EXCHANGED: i32 = 0x01;

/// The sum of four lanes: the upper two onto the lower two, then one onto the other.
#[inline(always)]
unsafe fn sum_of_four(x: __m128) -> f32 {
    // SAFETY: the caller runs where the processor has AVX.
    unsafe {
        let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
        _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
    }
}

/// The sum of two lanes.
#[inline(always)]
unsafe fn sum_of_two(x: __m128d) -> f64 {
    // SAFETY: the caller runs where the processor has AVX.
    unsafe { _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x))) }
}

register!(
    /// Eight elements of single precision.
    F32x8(__m256): [f32; 8],
    splat _mm256_set1_ps, load _mm256_loadu_ps, store _mm256_storeu_ps,
    add _mm256_add_ps, sub _mm256_sub_ps, mul _mm256_mul_ps,
    mul_add(a, b, c) _mm256_fmadd_ps(a, b, c),
    neg_mul_add(a, b, c) _mm256_fnmadd_ps(a, b, c),
    interleave(a, b) [
        _mm256_permute2f128_ps::<LOWER>(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)),
        _mm256_permute2f128_ps::<UPPER>(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b))
    ],
    deinterleave(a, b) [
        _mm256_shuffle_ps::<0b10_00_10_00>(
            _mm256_permute2f128_ps::<LOWER>(a, b),
            _mm256_permute2f128_ps::<UPPER>(a, b),
        ),
        _mm256_shuffle_ps::<0b11_01_11_01>(
            _mm256_permute2f128_ps::<LOWER>(a, b),
            _mm256_permute2f128_ps::<UPPER>(a, b),
        )
    ],
    blend(even, odd) _mm256_blend_ps::<0xAA>(even, odd),
    reverse(x) _mm256_permute_ps::<0b00_01_10_11>(_mm256_permute2f128_ps::<EXCHANGED>(x, x)),
    sum(x) sum_of_four(_mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x)))
);

register!(
    /// Four elements of double precision.
    F64x4(__m256d): [f64; 4],
    splat _mm256_set1_pd, load _mm256_loadu_pd, store _mm256_storeu_pd,
    add _mm256_add_pd, sub _mm256_sub_pd, mul _mm256_mul_pd,
    mul_add(a, b, c) _mm256_fmadd_pd(a, b, c),
    neg_mul_add(a, b, c) _mm256_fnmadd_pd(a, b, c),
    interleave(a, b) [
        _mm256_permute2f128_pd::<LOWER>(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)),
        _mm256_permute2f128_pd::<UPPER>(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b))
    ],
    deinterleave(a, b) [
        _mm256_unpacklo_pd(
            _mm256_permute2f128_pd::<LOWER>(a, b),
            _mm256_permute2f128_pd::<UPPER>(a, b),
        ),
        _mm256_unpackhi_pd(
            _mm256_permute2f128_pd::<LOWER>(a, b),
            _mm256_permute2f128_pd::<UPPER>(a, b),
        )
    ],
    blend(even, odd) _mm256_blend_pd::<0b1010>(even, odd),
    reverse(x) _mm256_permute4x64_pd::<0b00_01_10_11>(x),
    sum(x) sum_of_two(_mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd::<1>(x)))
);
