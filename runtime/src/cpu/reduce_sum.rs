//! `reduce_sum` and `channel_sum`, accumulated in double precision.

use hqcc_compiler::ops;

use super::call::{Call, WrongOp};
use super::parallel::{pieces, sum, sums};
use super::real::Real;

/// Sums over the middle axis of `[outer, count, inner]`.
fn sum_middle<T: Real>([outer, count, inner]: [usize; 3], x: &[T], y: &mut [T]) {
    for (x, y) in x
        .chunks_exact((count * inner).max(1))
        .zip(y.chunks_exact_mut(inner))
        .take(outer)
    {
        if inner == 1 {
            y[0] = T::of(sum(x));
            continue;
        }
        let total = sums(count, inner, inner, |first, end, sums| {
            for line in x[first * inner..end * inner].chunks_exact(inner) {
                sums.iter_mut()
                    .zip(line)
                    .for_each(|(sum, value)| *sum += value.f64());
            }
        });
        y.iter_mut()
            .zip(total)
            .for_each(|(y, total)| *y = T::of(total));
    }
}

/// The sum over some axes, which stay with extent one.
pub fn reduce_sum<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let axes = &call.op::<ops::ReduceSum>()?.axes;
    let ty = &call.types[0];
    // Loops in memory order, neighbours of one kind joined: (extent, whether it is summed).
    let mut loops: Vec<(usize, bool)> = Vec::new();
    for axis in ty.memory_order() {
        let (extent, summed) = (ty.shape[axis], axes.contains(&axis));
        match loops.last_mut() {
            _ if extent == 1 => {}
            Some((outer, kind)) if *kind == summed => *outer *= extent,
            _ => loops.push((extent, summed)),
        }
    }
    let x = call.inputs[0];
    match loops.as_slice() {
        [] | [(_, false)] => call.output.copy_from_slice(x),
        &[(count, true)] => sum_middle([1, count, 1], x, call.output),
        &[(count, true), (inner, false)] => sum_middle([1, count, inner], x, call.output),
        &[(outer, false), (count, true)] => sum_middle([outer, count, 1], x, call.output),
        &[(outer, false), (count, true), (inner, false)] => {
            sum_middle([outer, count, inner], x, call.output)
        }
        loops => scattered(loops, x, call.output),
    }
    Ok(())
}

/// Sums when summed and kept loops alternate more often.
fn scattered<T: Real>(loops: &[(usize, bool)], x: &[T], y: &mut [T]) {
    let mut steps = vec![0; loops.len()];
    let mut step = 1;
    for (at, (extent, _)) in loops.iter().enumerate().rev() {
        steps[at] = step;
        step *= extent;
    }
    let offset = |mut index: usize, of_summed: bool| {
        let mut at = 0;
        for (&(extent, summed), step) in loops.iter().zip(&steps).rev() {
            if summed == of_summed {
                at += index % extent * step;
                index /= extent;
            }
        }
        at
    };
    let count: usize = loops.iter().filter(|l| l.1).map(|l| l.0).product();
    pieces(y, 1, |start, piece| {
        for (k, y) in piece.iter_mut().enumerate() {
            let base = offset(start + k, false);
            *y = T::of((0..count).map(|i| x[base + offset(i, true)].f64()).sum());
        }
    });
}

/// The sum of each channel.
pub fn channel_sum<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let c = call.image(0)?[1];
    sum_middle(
        [1, call.inputs[0].len() / c, c],
        call.inputs[0],
        call.output,
    );
    Ok(())
}
