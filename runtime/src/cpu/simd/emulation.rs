//! The registers of instruction sets that the machine of a test may lack, on intrinsics made of arrays. So the source of
//! every register type is compiled and tested on every machine. An intrinsic has the name and the signature that it has in
//! `std::arch`, and does lane by lane what the manual says of its instruction.
#![allow(
    non_camel_case_types,
    clippy::missing_safety_doc,
    reason = "as in `std::arch`"
)]

use num_traits::Float;

use super::array::{Array, Pair};
use super::{Features, Set};

#[allow(clippy::duplicate_mod, reason = "the very source that is to be tested")]
#[path = "native/avx512.rs"]
mod avx512;
#[allow(clippy::duplicate_mod, reason = "the very source that is to be tested")]
#[path = "native/neon.rs"]
mod neon;

/// The registers of AVX-512, emulated.
pub struct Avx512;

impl Set for Avx512 {
    const FEATURES: Features = Features::Baseline;
    const ROWS: usize = 14;
    type Single = avx512::F32x16;
    type Double = avx512::F64x8;
    type WideSingle = Self::Single;
    type WideDouble = Self::Double;
    type Few<T: Float, const N: usize> = Array<T, N, true>;
}

/// The registers of NEON, emulated.
pub struct Neon;

impl Set for Neon {
    const FEATURES: Features = Features::Baseline;
    const ROWS: usize = 14;
    type Single = neon::F32x4;
    type Double = neon::F64x2;
    type WideSingle = Pair<Self::Single>;
    type WideDouble = Pair<Pair<Self::Double>>;
    type Few<T: Float, const N: usize> = Array<T, N, true>;
}

mod arch {
    use std::array::from_fn;

    macro_rules! lane_by_lane {
        ($reg:ident, $elem:ty, $lanes:literal: splat $splat:ident, load $load:ident, store $store:ident,
         add $add:ident, sub $sub:ident, mul $mul:ident) => {
            #[derive(Debug, Clone, Copy)]
            pub struct $reg(pub [$elem; $lanes]);

            pub unsafe fn $splat(x: $elem) -> $reg {
                $reg([x; $lanes])
            }

            pub unsafe fn $load(from: *const $elem) -> $reg {
                // SAFETY: the caller promises the elements.
                $reg(from_fn(|l| unsafe { from.add(l).read() }))
            }

            pub unsafe fn $store(to: *mut $elem, x: $reg) {
                for (l, x) in x.0.into_iter().enumerate() {
                    // SAFETY: the caller promises the room.
                    unsafe { to.add(l).write(x) }
                }
            }

            pub unsafe fn $add(a: $reg, b: $reg) -> $reg {
                $reg(from_fn(|l| a.0[l] + b.0[l]))
            }

            pub unsafe fn $sub(a: $reg, b: $reg) -> $reg {
                $reg(from_fn(|l| a.0[l] - b.0[l]))
            }

            pub unsafe fn $mul(a: $reg, b: $reg) -> $reg {
                $reg(from_fn(|l| a.0[l] * b.0[l]))
            }
        };
    }

    /// Functions of one expression.
    macro_rules! intrinsics {
        ($($name:ident $(<$(const $n:ident),*>)? ($($arg:ident: $ty:ty),*) -> $out:ty { $body:expr })*) => {$(
            pub unsafe fn $name $(<$(const $n: i32),*>)? ($($arg: $ty),*) -> $out {
                $body
            }
        )*};
    }

    lane_by_lane!(__m512, f32, 16: splat _mm512_set1_ps, load _mm512_loadu_ps, store _mm512_storeu_ps,
        add _mm512_add_ps, sub _mm512_sub_ps, mul _mm512_mul_ps);
    lane_by_lane!(__m512d, f64, 8: splat _mm512_set1_pd, load _mm512_loadu_pd, store _mm512_storeu_pd,
        add _mm512_add_pd, sub _mm512_sub_pd, mul _mm512_mul_pd);

    /// Integers of any width.
    #[derive(Debug, Clone, Copy)]
    #[repr(C, align(64))]
    pub struct __m512i([u8; 64]);

    fn indices32(index: __m512i) -> [usize; 16] {
        // SAFETY: both are plain data of 64 bytes.
        let index: [i32; 16] = unsafe { std::mem::transmute(index) };
        index.map(|i| i as usize)
    }

    fn indices64(index: __m512i) -> [usize; 8] {
        // SAFETY: both are plain data of 64 bytes.
        let index: [i64; 8] = unsafe { std::mem::transmute(index) };
        index.map(|i| i as usize)
    }

    fn halves<T: Copy + std::ops::Add<Output = T>, const N: usize>(mut x: [T; N]) -> T {
        let mut half = N / 2;
        while half > 0 {
            for l in 0..half {
                x[l] = x[l] + x[l + half];
            }
            half /= 2;
        }
        x[0]
    }

    intrinsics! {
        _mm512_fmadd_ps(a: __m512, b: __m512, c: __m512) -> __m512 {
            __m512(from_fn(|l| a.0[l].mul_add(b.0[l], c.0[l])))
        }
        _mm512_fnmadd_ps(a: __m512, b: __m512, c: __m512) -> __m512 {
            __m512(from_fn(|l| (-a.0[l]).mul_add(b.0[l], c.0[l])))
        }
        // Bit 4 of an index chooses the register, bits 0 to 3 the lane; the rest is not looked at.
        _mm512_permutex2var_ps(a: __m512, index: __m512i, b: __m512) -> __m512 {
            __m512(indices32(index).map(|i| if i & 16 == 0 { a.0[i & 15] } else { b.0[i & 15] }))
        }
        _mm512_permutexvar_ps(index: __m512i, a: __m512) -> __m512 {
            __m512(indices32(index).map(|i| a.0[i & 15]))
        }
        _mm512_mask_blend_ps(mask: u16, a: __m512, b: __m512) -> __m512 {
            __m512(from_fn(|l| if mask >> l & 1 == 0 { a.0[l] } else { b.0[l] }))
        }
        _mm512_reduce_add_ps(a: __m512) -> f32 { halves(a.0) }

        _mm512_fmadd_pd(a: __m512d, b: __m512d, c: __m512d) -> __m512d {
            __m512d(from_fn(|l| a.0[l].mul_add(b.0[l], c.0[l])))
        }
        _mm512_fnmadd_pd(a: __m512d, b: __m512d, c: __m512d) -> __m512d {
            __m512d(from_fn(|l| (-a.0[l]).mul_add(b.0[l], c.0[l])))
        }
        _mm512_permutex2var_pd(a: __m512d, index: __m512i, b: __m512d) -> __m512d {
            __m512d(indices64(index).map(|i| if i & 8 == 0 { a.0[i & 7] } else { b.0[i & 7] }))
        }
        _mm512_permutexvar_pd(index: __m512i, a: __m512d) -> __m512d {
            __m512d(indices64(index).map(|i| a.0[i & 7]))
        }
        _mm512_mask_blend_pd(mask: u8, a: __m512d, b: __m512d) -> __m512d {
            __m512d(from_fn(|l| if mask >> l & 1 == 0 { a.0[l] } else { b.0[l] }))
        }
        _mm512_reduce_add_pd(a: __m512d) -> f64 { halves(a.0) }
    }

    lane_by_lane!(float32x4_t, f32, 4: splat vdupq_n_f32, load vld1q_f32, store vst1q_f32,
        add vaddq_f32, sub vsubq_f32, mul vmulq_f32);
    lane_by_lane!(float64x2_t, f64, 2: splat vdupq_n_f64, load vld1q_f64, store vst1q_f64,
        add vaddq_f64, sub vsubq_f64, mul vmulq_f64);

    /// A register of 64 bits.
    #[derive(Debug, Clone, Copy)]
    pub struct float32x2_t([f32; 2]);

    intrinsics! {
        // The accumulator comes first: `a + b * c`.
        vfmaq_f32(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
            float32x4_t(from_fn(|l| b.0[l].mul_add(c.0[l], a.0[l])))
        }
        // `a - b * c`.
        vfmsq_f32(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
            float32x4_t(from_fn(|l| (-b.0[l]).mul_add(c.0[l], a.0[l])))
        }
        // The lower lanes of both in turn.
        vzip1q_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t {
            float32x4_t([a.0[0], b.0[0], a.0[1], b.0[1]])
        }
        // The upper lanes of both in turn.
        vzip2q_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t {
            float32x4_t([a.0[2], b.0[2], a.0[3], b.0[3]])
        }
        // The even lanes of both, one after the other.
        vuzp1q_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t {
            float32x4_t([a.0[0], a.0[2], b.0[0], b.0[2]])
        }
        // The odd lanes of both, one after the other.
        vuzp2q_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t {
            float32x4_t([a.0[1], a.0[3], b.0[1], b.0[3]])
        }
        // The even lanes of both in turn.
        vtrn1q_f32(a: float32x4_t, b: float32x4_t) -> float32x4_t {
            float32x4_t([a.0[0], b.0[0], a.0[2], b.0[2]])
        }
        // The lanes of each 64 bits in reversed order.
        vrev64q_f32(a: float32x4_t) -> float32x4_t {
            float32x4_t([a.0[1], a.0[0], a.0[3], a.0[2]])
        }
        // Four lanes of both side by side, from lane `N` on.
        vextq_f32<const N>(a: float32x4_t, b: float32x4_t) -> float32x4_t {
            float32x4_t(from_fn(|l| *[a.0, b.0].as_flattened().get(l + N as usize).unwrap()))
        }
        vget_low_f32(a: float32x4_t) -> float32x2_t { float32x2_t([a.0[0], a.0[1]]) }
        vget_high_f32(a: float32x4_t) -> float32x2_t { float32x2_t([a.0[2], a.0[3]]) }
        vadd_f32(a: float32x2_t, b: float32x2_t) -> float32x2_t {
            float32x2_t(from_fn(|l| a.0[l] + b.0[l]))
        }
        vpadds_f32(a: float32x2_t) -> f32 { a.0[0] + a.0[1] }

        vfmaq_f64(a: float64x2_t, b: float64x2_t, c: float64x2_t) -> float64x2_t {
            float64x2_t(from_fn(|l| b.0[l].mul_add(c.0[l], a.0[l])))
        }
        vfmsq_f64(a: float64x2_t, b: float64x2_t, c: float64x2_t) -> float64x2_t {
            float64x2_t(from_fn(|l| (-b.0[l]).mul_add(c.0[l], a.0[l])))
        }
        vzip1q_f64(a: float64x2_t, b: float64x2_t) -> float64x2_t { float64x2_t([a.0[0], b.0[0]]) }
        vzip2q_f64(a: float64x2_t, b: float64x2_t) -> float64x2_t { float64x2_t([a.0[1], b.0[1]]) }
        vuzp1q_f64(a: float64x2_t, b: float64x2_t) -> float64x2_t { float64x2_t([a.0[0], b.0[0]]) }
        vuzp2q_f64(a: float64x2_t, b: float64x2_t) -> float64x2_t { float64x2_t([a.0[1], b.0[1]]) }
        // `a` with its lane `TO` taken from lane `FROM` of `b`.
        vcopyq_laneq_f64<const TO, const FROM>(a: float64x2_t, b: float64x2_t) -> float64x2_t {
            float64x2_t(from_fn(|l| if l == TO as usize { b.0[FROM as usize] } else { a.0[l] }))
        }
        vextq_f64<const N>(a: float64x2_t, b: float64x2_t) -> float64x2_t {
            float64x2_t(from_fn(|l| *[a.0, b.0].as_flattened().get(l + N as usize).unwrap()))
        }
        vpaddd_f64(a: float64x2_t) -> f64 { a.0[0] + a.0[1] }
    }
}
