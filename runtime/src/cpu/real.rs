//! The element types the executor computes in.

use num_traits::{Float, FloatConst, NumAssign};
use std::fmt::{Debug, Display};
use std::iter::Sum;

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
}
