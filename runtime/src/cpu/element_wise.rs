//! The element-wise ops: `abs`, `abs_grad`, `add`, `sub`, `mul`, `div`, `affine`, `exp`, `expand`, `sigmoid`, `threshold`, `relu`,
//! `relu_grad`, `bce_with_logits`, and `constant`.

use hqcc_compiler::graph::Constant;
use hqcc_compiler::ops;

use super::broadcast::{map, map2};
use super::call::{Call, WrongOp};
use super::parallel::pieces;
use super::real::Real;
use super::simd::vectorised;

/// `y = f(x)`.
fn unary<T: Real>(call: &mut Call<'_, T>, f: impl Fn(T) -> T + Sync) -> Result<(), WrongOp> {
    map((&call.types[0], call.inputs[0]), (call.ty, call.output), f);
    Ok(())
}

/// `y = f(a, b)`, with broadcasting.
fn binary<T: Real>(call: &mut Call<'_, T>, f: impl Fn(T, T) -> T + Sync) -> Result<(), WrongOp> {
    let (types, inputs) = (call.types, call.inputs);
    map2(
        (&types[0], inputs[0]),
        (&types[1], inputs[1]),
        (call.ty, call.output),
        f,
    );
    Ok(())
}

vectorised! {
    fn exponentials<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = x.exponential();
        }
    }

    fn sigmoids<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            let e = (-x.abs()).exponential();
            let top = if x >= T::zero() { T::one() } else { e };
            *y = top / (T::one() + e);
        }
    }
}

/// `y = |x|`.
pub fn abs<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    unary(call, T::abs)
}

/// `dx = sign(x) dy`, 0 where `x = 0`; not a number where `x` is none.
pub fn abs_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |x, dy| {
        if x > T::zero() {
            dy
        } else if x < T::zero() {
            -dy
        } else if x.is_nan() {
            x
        } else {
            T::zero()
        }
    })
}

/// `y = a + b`.
pub fn add<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |a, b| a + b)
}

/// `y = a - b`.
pub fn sub<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |a, b| a - b)
}

/// `y = a b`.
pub fn mul<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |a, b| a * b)
}

/// `y = a / b`.
pub fn div<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |a, b| a / b)
}

/// `y = scale x + offset`.
pub fn affine<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let op = call.op::<ops::Affine>()?;
    let (scale, offset) = (T::of(op.scale), T::of(op.offset));
    unary(call, |x| scale * x + offset)
}

/// `y = e^x`.
pub fn exp<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let x = call.inputs[0];
    pieces(call.output, 1, |start, y| exponentials(&x[start..], y));
    Ok(())
}

/// Axes of extent one repeated.
pub fn expand<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    unary(call, |x| x)
}

/// `y = 1 / (1 + exp(-x))`, without overflow on either side.
pub fn sigmoid<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let x = call.inputs[0];
    pieces(call.output, 1, |start, y| sigmoids(&x[start..], y));
    Ok(())
}

/// 1 where `x > limit`, else 0.
pub fn threshold<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let limit = T::of(call.op::<ops::Threshold>()?.limit);
    unary(call, |x| if x > limit { T::one() } else { T::zero() })
}

/// `y = max(x, 0)`; not a number stays so.
pub fn relu<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    unary(call, |x| if x < T::zero() { T::zero() } else { x })
}

/// `dx = 0` where `x <= 0`, else `dy`; what is not a number lets `dy` through.
pub fn relu_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |x, dy| if x <= T::zero() { T::zero() } else { dy })
}

/// `y = max(x, 0) - x t + log(1 + exp(-|x|))`.
pub fn bce_with_logits<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    binary(call, |x, t| {
        x.max(T::zero()) - x * t + (-x.abs()).exp().ln_1p()
    })
}

/// Every element the same value.
pub fn constant<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let value = T::of(call.op::<Constant>()?.value);
    pieces(call.output, 1, |_, piece| piece.fill(value));
    Ok(())
}
