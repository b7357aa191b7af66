//! The element types the executor computes in.

use num_traits::{Float, FloatConst, NumAssign};
use std::fmt::{Debug, Display};
use std::iter::Sum;

use super::functions::{exp_f32, exp_f64, gauss_f32, gauss_f64};
use super::simd::{Set, Vector};

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

    /// The register of an instruction set that holds elements of this type.
    type Register<S: Set>: Vector<Elem = Self>;

    /// At least eight lanes: a register, or several side by side.
    type Wide<S: Set>: Vector<Elem = Self>;
}

impl Real for f32 {
    const NAME: &'static str = "f32";

    type Register<S: Set> = S::Single;
    type Wide<S: Set> = S::WideSingle;

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
}

impl Real for f64 {
    const NAME: &'static str = "f64";

    type Register<S: Set> = S::Double;
    type Wide<S: Set> = S::WideDouble;

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
}
