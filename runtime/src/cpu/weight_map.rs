//! `weight_map`: rows of amplitudes, one per circuit, to a weight in its memory layout (Eq. 8).

use super::call::{Call, WrongOp};
use super::circuit::Order;
use super::real::Real;
use hqcc_compiler::ops;
use rayon::prelude::*;

/// `weight_map` of a node.
pub fn weight_map<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let map = call.op::<ops::WeightMap>()?;
    let [_, used] = map.circuits();
    forward(map.order(), used, call.inputs[0], call.output);
    Ok(())
}

/// `weight_map_grad` of a node.
pub fn weight_map_grad<T: Real>(call: &mut Call<'_, T>) -> Result<(), WrongOp> {
    let map = &call.op::<ops::WeightMapGrad>()?.map;
    let [_, used] = map.circuits();
    backward(map.order(), used, call.inputs[0], call.output);
    Ok(())
}

/// Moves `y: [targets * positions, used]` to its place in the weight.
pub fn forward<R: Real>(order: Order, used: usize, y: &[R], weight: &mut [R]) {
    let circuits = y.len() / used;
    match order {
        Order::Circuits => weight.copy_from_slice(y),
        Order::Rows { positions } => {
            let targets = circuits / positions;
            weight
                .par_chunks_mut(used)
                .with_min_len(16)
                .enumerate()
                .for_each(|(row, to)| {
                    let circuit = row % targets * positions + row / targets;
                    to.copy_from_slice(&y[circuit * used..][..used]);
                });
        }
        Order::Columns { positions } => {
            let targets = circuits / positions;
            weight
                .par_chunks_mut(targets)
                .with_min_len(16)
                .enumerate()
                .for_each(|(line, to)| {
                    let (position, amplitude) = (line / used, line % used);
                    for (target, to) in to.iter_mut().enumerate() {
                        *to = y[(target * positions + position) * used + amplitude];
                    }
                });
        }
    }
}

/// The inverse: the gradient of every amplitude from that of the weight.
pub fn backward<R: Real>(order: Order, used: usize, dw: &[R], dy: &mut [R]) {
    let circuits = dw.len() / used;
    let positions = match order {
        Order::Circuits => return dy.copy_from_slice(dw),
        Order::Rows { positions } | Order::Columns { positions } => positions,
    };
    let targets = circuits / positions;
    let rows = matches!(order, Order::Rows { .. });
    dy.par_chunks_mut(used)
        .with_min_len(16)
        .enumerate()
        .for_each(|(circuit, to)| {
            let (target, position) = (circuit / positions, circuit % positions);
            if rows {
                to.copy_from_slice(&dw[(position * targets + target) * used..][..used]);
            } else {
                let plane = &dw[position * used * targets..][..used * targets];
                for (to, line) in to.iter_mut().zip(plane.chunks_exact(targets)) {
                    *to = line[target];
                }
            }
        });
}
