//! The element types the executor computes in.

use num_traits::{Float, FloatConst, NumAssign};
use std::fmt::{Debug, Display};
use std::iter::Sum;

use super::conv_kernel::{Kernels, kernels_f32, kernels_f64};
use super::functions::{exp_f32, exp_f64, gauss_f32, gauss_f64};
use super::simd::{Isa, Work, with_vectors_f32, with_vectors_f64};

/// A floating-point element type: `f32` to train in, `f64` for checks.
pub trait Real:
    Float + FloatConst + NumAssign + Sum + Default + Debug + Display + Send + Sync + bytemuck::Pod
{
    /// The type's name as programs write it.
    const NAME: &'static str;

    /// The nearest value of this type.
    fn of(value: f64) -> Self;

    /// The value in double precision.
    fn f64(self) -> f64;

    /// `e^x`, as vector instructions where a loop allows it.
    fn exponential(self) -> Self;

    /// Distribution function and density of the standard normal.
    fn gauss(self) -> [Self; 2];

    /// The convolution kernels of this type.
    fn conv_kernels(isa: Isa) -> &'static Kernels<Self>;

    /// Does work on the best registers of this processor.
    ///
    /// # Safety
    /// What the work asks for.
    unsafe fn with_vectors(work: &impl Work<Self>);
}

impl Real for f32 {
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn of(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn f64(self) -> f64 {
        f64::from(self)
    }

    #[inline(always)]
    fn exponential(self) -> Self {
        exp_f32(self)
    }

    #[inline(always)]
    fn gauss(self) -> [Self; 2] {
        gauss_f32(self)
    }

    fn conv_kernels(isa: Isa) -> &'static Kernels<Self> {
        kernels_f32(isa)
    }

    unsafe fn with_vectors(work: &impl Work<Self>) {
        // SAFETY: passed on from the caller.
        unsafe { with_vectors_f32(work) }
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn of(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn f64(self) -> f64 {
        self
    }

    #[inline(always)]
    fn exponential(self) -> Self {
        exp_f64(self)
    }

    #[inline(always)]
    fn gauss(self) -> [Self; 2] {
        gauss_f64(self)
    }

    fn conv_kernels(isa: Isa) -> &'static Kernels<Self> {
        kernels_f64(isa)
    }

    unsafe fn with_vectors(work: &impl Work<Self>) {
        // SAFETY: passed on from the caller.
        unsafe { with_vectors_f64(work) }
    }
}
