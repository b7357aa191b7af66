//! Registers of 512 bits. `arch` beside this module holds the intrinsics: those of x86-64, or their emulation in tests.

use super::arch::*;
use crate::cpu::simd::vector::{Vector, register};
use std::mem::transmute;

/// Which lane of two registers side by side goes where.
#[derive(Clone, Copy)]
enum Rule {
    Interleave,
    InterleaveSwapped,
    Deinterleave,
    DeinterleaveSwapped,
    Reverse,
}

/// The index of the element that goes to lane `lane` of `n`, of the upper of two results if `high`.
const fn index(rule: Rule, n: usize, high: bool, lane: usize) -> usize {
    let i = if high { n + lane } else { lane };
    match rule {
        Rule::Interleave => i / 2 + (i % 2) * n,
        Rule::InterleaveSwapped => i / 2 + ((i % 2) ^ (i / 2 % 2)) * n,
        Rule::Deinterleave => 2 * lane + high as usize,
        Rule::DeinterleaveSwapped => 2 * lane + (high as usize ^ (lane % 2)),
        Rule::Reverse => n - 1 - lane,
    }
}

/// The lower and the upper one of two results.
const LOW: bool = false;
const HIGH: bool = true;

/// The indices of a shuffle of 32-bit elements.
const fn i32s(rule: Rule, high: bool) -> __m512i {
    let (mut out, mut lane) = ([0; 16], 0);
    while lane < 16 {
        out[lane] = index(rule, 16, high, lane) as i32;
        lane += 1;
    }
    // SAFETY: both are plain data of 64 bytes.
    unsafe { transmute::<[i32; 16], __m512i>(out) }
}

/// The indices of a shuffle of 64-bit elements.
const fn i64s(rule: Rule, high: bool) -> __m512i {
    let (mut out, mut lane) = ([0; 8], 0);
    while lane < 8 {
        out[lane] = index(rule, 8, high, lane) as i64;
        lane += 1;
    }
    // SAFETY: both are plain data of 64 bytes.
    unsafe { transmute::<[i64; 8], __m512i>(out) }
}

register!(
    /// Sixteen elements of single precision.
    F32x16(__m512): [f32; 16],
    splat _mm512_set1_ps, load _mm512_loadu_ps, store _mm512_storeu_ps,
    add _mm512_add_ps, sub _mm512_sub_ps, mul _mm512_mul_ps,
    mul_add(a, b, c) _mm512_fmadd_ps(a, b, c),
    neg_mul_add(a, b, c) _mm512_fnmadd_ps(a, b, c),
    interleave(a, b) [
        _mm512_permutex2var_ps(a, const { i32s(Rule::Interleave, LOW) }, b),
        _mm512_permutex2var_ps(a, const { i32s(Rule::Interleave, HIGH) }, b)
    ],
    deinterleave(a, b) [
        _mm512_permutex2var_ps(a, const { i32s(Rule::Deinterleave, LOW) }, b),
        _mm512_permutex2var_ps(a, const { i32s(Rule::Deinterleave, HIGH) }, b)
    ],
    blend(even, odd) _mm512_mask_blend_ps(0xAAAA, even, odd),
    reverse(x) _mm512_permutexvar_ps(const { i32s(Rule::Reverse, LOW) }, x),
    sum(x) _mm512_reduce_add_ps(x),
    swapped(a, b) [
        _mm512_permutex2var_ps(a, const { i32s(Rule::InterleaveSwapped, LOW) }, b),
        _mm512_permutex2var_ps(a, const { i32s(Rule::InterleaveSwapped, HIGH) }, b)
    ] [
        _mm512_permutex2var_ps(a, const { i32s(Rule::DeinterleaveSwapped, LOW) }, b),
        _mm512_permutex2var_ps(a, const { i32s(Rule::DeinterleaveSwapped, HIGH) }, b)
    ]
);

register!(
    /// Eight elements of double precision.
    F64x8(__m512d): [f64; 8],
    splat _mm512_set1_pd, load _mm512_loadu_pd, store _mm512_storeu_pd,
    add _mm512_add_pd, sub _mm512_sub_pd, mul _mm512_mul_pd,
    mul_add(a, b, c) _mm512_fmadd_pd(a, b, c),
    neg_mul_add(a, b, c) _mm512_fnmadd_pd(a, b, c),
    interleave(a, b) [
        _mm512_permutex2var_pd(a, const { i64s(Rule::Interleave, LOW) }, b),
        _mm512_permutex2var_pd(a, const { i64s(Rule::Interleave, HIGH) }, b)
    ],
    deinterleave(a, b) [
        _mm512_permutex2var_pd(a, const { i64s(Rule::Deinterleave, LOW) }, b),
        _mm512_permutex2var_pd(a, const { i64s(Rule::Deinterleave, HIGH) }, b)
    ],
    blend(even, odd) _mm512_mask_blend_pd(0xAA, even, odd),
    reverse(x) _mm512_permutexvar_pd(const { i64s(Rule::Reverse, LOW) }, x),
    sum(x) _mm512_reduce_add_pd(x),
    swapped(a, b) [
        _mm512_permutex2var_pd(a, const { i64s(Rule::InterleaveSwapped, LOW) }, b),
        _mm512_permutex2var_pd(a, const { i64s(Rule::InterleaveSwapped, HIGH) }, b)
    ] [
        _mm512_permutex2var_pd(a, const { i64s(Rule::DeinterleaveSwapped, LOW) }, b),
        _mm512_permutex2var_pd(a, const { i64s(Rule::DeinterleaveSwapped, HIGH) }, b)
    ]
);
