//! Cases of the ops of batch normalisation.

use std::sync::Arc;

use hqcc_compiler::graph::{Graph, NodeId, Op};
use hqcc_compiler::ops::{
    BatchNorm, BatchNormGradInput, BatchNormSums, BatchStats, RunningAverage, StackRows, TakeRow,
};
use hqcc_compiler::tensor_type::{ShapeError, TensorType};
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

fn map(rng: &mut Rng) -> TensorType {
    TensorType::image([
        rng.int(1, 3),
        rng.pick(&[1, 3, 16, 33, 64]),
        rng.int(2, 9),
        rng.int(2, 23),
    ])
}

/// Means and variances of `c` channels.
fn statistics(rng: &mut Rng, c: usize) -> Arg {
    let mut stats = Arg::unit(rng, TensorType::plain([2, c]));
    stats.values[c..]
        .iter_mut()
        .for_each(|v| *v = v.abs() + 0.25);
    stats
}

pub fn batch_stats(rng: &mut Rng) -> Case {
    let ty = map(rng);
    let low = rng.pick(&[-1.0, 9.0]);
    Case::new(
        BatchStats,
        vec![Arg::uniform(rng, ty, low, low + 2.0)],
        Tolerance::Accumulated,
    )
}

pub fn batch_norm(rng: &mut Rng) -> Case {
    let ty = map(rng);
    let c = ty.shape[1];
    let vector = TensorType::plain([c]);
    let x = Arg::unit(rng, ty);
    if rng.coin() {
        let args = vec![
            x,
            statistics(rng, c),
            Arg::unit(rng, vector.clone()),
            Arg::unit(rng, vector),
        ];
        return Case::new(
            BatchNorm {
                eps: 1e-5,
                training: false,
            },
            args,
            Tolerance::Close,
        )
        .wrt(&[0, 2, 3]);
    }
    // In training the gradient flows through the statistics, so they must come from the batch.
    let args = vec![x, Arg::unit(rng, vector.clone()), Arg::unit(rng, vector)];
    Case::new(
        BatchNorm {
            eps: 1e-5,
            training: true,
        },
        args,
        Tolerance::Accumulated,
    )
    .wrt(&[0, 1, 2])
    .built(|graph, op, inputs| {
        let stats = graph.add(BatchStats, &inputs[..1], "stats")?;
        graph.add_shared(op.clone(), &[inputs[0], stats, inputs[1], inputs[2]], "y")
    })
}

/// The op with the statistics of its own input: inputs `(x, gamma, beta)`.
pub fn of_the_batch(
    graph: &mut Graph,
    op: &Arc<dyn Op>,
    inputs: &[NodeId],
) -> Result<NodeId, ShapeError> {
    let stats = graph.add(BatchStats, &inputs[..1], "stats")?;
    graph.add_shared(op.clone(), &[inputs[0], stats, inputs[1], inputs[2]], "y")
}

pub fn batch_norm_sums(rng: &mut Rng) -> Case {
    let ty = map(rng);
    let c = ty.shape[1];
    let args = vec![
        Arg::unit(rng, ty.clone()),
        Arg::unit(rng, ty),
        statistics(rng, c),
    ];
    Case::new(BatchNormSums { eps: 1e-5 }, args, Tolerance::Accumulated)
}

pub fn batch_norm_grad_input(rng: &mut Rng) -> Case {
    let ty = map(rng);
    let c = ty.shape[1];
    let op = BatchNormGradInput {
        eps: 1e-5,
        training: rng.coin(),
    };
    let args = vec![
        Arg::unit(rng, ty.clone()),
        Arg::unit(rng, ty),
        statistics(rng, c),
        Arg::unit(rng, TensorType::plain([c])),
        Arg::unit(rng, TensorType::plain([2, c])),
    ];
    Case::new(op, args, Tolerance::Close)
}

pub fn stack_rows(rng: &mut Rng) -> Case {
    let ty = TensorType::plain([rng.int(1, 40)]);
    let args = vec![Arg::unit(rng, ty.clone()), Arg::unit(rng, ty)];
    Case::new(StackRows, args, Tolerance::Exact).wrt(&[0, 1])
}

pub fn take_row(rng: &mut Rng) -> Case {
    let rows = rng.int(1, 4);
    let op = TakeRow {
        row: rng.int(0, rows - 1),
    };
    let ty = TensorType::plain([rows, rng.int(1, 40)]);
    Case::new(op, vec![Arg::unit(rng, ty)], Tolerance::Exact)
}

pub fn running_average(rng: &mut Rng) -> Case {
    let c = rng.int(1, 70);
    let op = RunningAverage {
        momentum: 0.1,
        row: rng.int(0, 1),
        factor: 1.25,
    };
    let args = vec![Arg::unit(rng, TensorType::plain([c])), statistics(rng, c)];
    Case::new(op, args, Tolerance::Close)
}
