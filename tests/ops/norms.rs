//! Cases of softmax, layer and group normalisation, weight standardisation and permutations of axes.

use std::sync::Arc;

use hqcc_compiler::graph::{Graph, NodeId, Op};
use hqcc_compiler::ops::{
    GroupNorm, GroupNormGradInput, GroupNormSums, GroupStats, LayerNorm, LayerNormGradInput,
    LayerNormGradParameters, Permute, Softmax, SoftmaxGrad, Standardise, StandardiseGrad,
};
use hqcc_compiler::tensor_type::{ShapeError, TensorType};
use hqcc_tests::tolerance::Tolerance;

use crate::case::{Arg, Case, Rng};

/// Tokens or a feature map, and the length of a row.
fn rows(rng: &mut Rng) -> (TensorType, usize) {
    let c = rng.pick(&[1, 2, 5, 16, 33, 64, 150, 300, 1100]);
    let [n, t] = [rng.int(1, 3), rng.int(1, 17)];
    let ty = match rng.int(0, 2) {
        0 => TensorType::plain([n, t, c]),
        1 => TensorType::plain([t, c]),
        _ => TensorType::image([n, c, rng.int(1, 4), t]),
    };
    (ty, c)
}

pub fn softmax(rng: &mut Rng) -> Case {
    let (ty, _) = rows(rng);
    let range = rng.pick(&[1.0, 60.0]);
    let x = Arg::uniform(rng, ty, -range, range);
    Case::new(Softmax, vec![x], Tolerance::Close).wrt(&[0])
}

pub fn softmax_grad(rng: &mut Rng) -> Case {
    let (ty, _) = rows(rng);
    let y = Arg::uniform(rng, ty.clone(), 0.0, 1.0);
    Case::new(
        SoftmaxGrad,
        vec![y, Arg::unit(rng, ty)],
        Tolerance::Accumulated,
    )
}

/// Rows with a mean that is not 0, and rows of one element or of equal ones.
fn x(rng: &mut Rng, ty: TensorType) -> Arg {
    let offset = rng.pick(&[0.0, 3.0]);
    Arg::uniform(rng, ty, offset - 1.0, offset + 1.0)
}

pub fn layer_norm(rng: &mut Rng) -> Case {
    let (ty, c) = rows(rng);
    let vector = TensorType::plain([c]);
    let op = LayerNorm {
        eps: rng.pick(&[1e-5, 1e-6]),
    };
    let args = vec![
        x(rng, ty),
        Arg::unit(rng, vector.clone()),
        Arg::unit(rng, vector),
    ];
    let case = Case::new(op, args, Tolerance::Accumulated);
    // The root of a variance of 0 is too steep for central differences.
    if c > 4 {
        case.wrt(&[0, 1, 2])
    } else {
        case.wrt(&[1, 2])
    }
}

pub fn layer_norm_grad_input(rng: &mut Rng) -> Case {
    // The gradient of a row of two vanishes but for eps.
    let (ty, c) = loop {
        let (ty, c) = rows(rng);
        if c > 4 {
            break (ty, c);
        }
    };
    let op = LayerNormGradInput { eps: 1e-5 };
    let args = vec![
        x(rng, ty.clone()),
        Arg::unit(rng, ty),
        Arg::unit(rng, TensorType::plain([c])),
    ];
    Case::new(op, args, Tolerance::Accumulated)
}

pub fn layer_norm_grad_parameters(rng: &mut Rng) -> Case {
    let (ty, _) = rows(rng);
    let op = LayerNormGradParameters { eps: 1e-5 };
    let args = vec![x(rng, ty.clone()), Arg::unit(rng, ty)];
    Case::new(op, args, Tolerance::Accumulated)
}

pub fn permute(rng: &mut Rng) -> Case {
    let axes = rng.pick(&[
        &[0, 2, 1, 3][..],
        &[1, 0],
        &[0, 1, 2],
        &[2, 0, 1],
        &[3, 1, 0, 2],
        &[0, 1, 3, 2],
    ]);
    let shape: Vec<_> = axes.iter().map(|_| rng.int(1, 9)).collect();
    let x = Arg::unit(rng, TensorType::plain(shape));
    let op = Permute {
        axes: axes.to_vec(),
    };
    Case::new(op, vec![x], Tolerance::Exact).wrt(&[0])
}

/// A feature map with at least 9 elements a group, and the number of groups. Many pixels are summed in stages.
fn groups(rng: &mut Rng, widest: usize) -> (TensorType, usize) {
    let (c, groups) = rng.pick(&[(4, 4), (4, 1), (6, 3), (64, 32), (32, 32), (70, 7), (1, 1)]);
    let [n, h, w] = [rng.int(1, 3), rng.int(3, 12), rng.int(3, widest)];
    (TensorType::image([n, c, h, w]), groups)
}

fn statistics(rng: &mut Rng, ty: &TensorType, groups: usize) -> Arg {
    Arg::uniform(rng, TensorType::plain([ty.shape[0], 2, groups]), 0.5, 2.0)
}

pub fn group_stats(rng: &mut Rng) -> Case {
    let (ty, groups) = groups(rng, 40);
    let x = x(rng, ty);
    Case::new(GroupStats { groups }, vec![x], Tolerance::Accumulated)
}

/// `group_norm` with the statistics of its input.
pub fn of_its_groups(
    graph: &mut Graph,
    op: &Arc<dyn Op>,
    inputs: &[NodeId],
) -> Result<NodeId, ShapeError> {
    let groups = graph.ty(inputs[1]).shape[2];
    let stats = graph.add(GroupStats { groups }, &inputs[..1], "stats")?;
    graph.add_shared(op.clone(), &[inputs[0], stats, inputs[2], inputs[3]], "y")
}

pub fn group_norm(rng: &mut Rng) -> Case {
    let (ty, groups) = groups(rng, 12);
    let vector = TensorType::plain([ty.shape[1]]);
    let args = vec![
        x(rng, ty.clone()),
        statistics(rng, &ty, groups),
        Arg::unit(rng, vector.clone()),
        Arg::unit(rng, vector),
    ];
    let op = GroupNorm {
        eps: rng.pick(&[1e-5, 1e-6]),
    };
    Case::new(op, args, Tolerance::Accumulated)
        .wrt(&[0, 2, 3])
        .built(of_its_groups)
}

pub fn group_norm_sums(rng: &mut Rng) -> Case {
    let (ty, groups) = groups(rng, 40);
    let args = vec![
        x(rng, ty.clone()),
        Arg::unit(rng, ty.clone()),
        statistics(rng, &ty, groups),
    ];
    Case::new(GroupNormSums { eps: 1e-5 }, args, Tolerance::Accumulated)
}

pub fn group_norm_grad_input(rng: &mut Rng) -> Case {
    let (ty, groups) = groups(rng, 12);
    let args = vec![
        x(rng, ty.clone()),
        Arg::unit(rng, ty.clone()),
        statistics(rng, &ty, groups),
        Arg::unit(rng, TensorType::plain([ty.shape[1]])),
        statistics(rng, &ty, groups),
    ];
    Case::new(
        GroupNormGradInput { eps: 1e-5 },
        args,
        Tolerance::Accumulated,
    )
}

fn weight(rng: &mut Rng) -> TensorType {
    let k = rng.pick(&[1, 3, 7]);
    let inputs = if k == 1 {
        rng.int(5, 70)
    } else {
        rng.int(1, 6)
    };
    TensorType::kernel([rng.int(1, 33), inputs, k, k])
}

pub fn standardise(rng: &mut Rng) -> Case {
    let ty = weight(rng);
    let w = x(rng, ty);
    Case::new(Standardise { eps: 1e-5 }, vec![w], Tolerance::Accumulated).wrt(&[0])
}

pub fn standardise_grad(rng: &mut Rng) -> Case {
    let ty = weight(rng);
    let args = vec![x(rng, ty.clone()), Arg::unit(rng, ty)];
    Case::new(StandardiseGrad { eps: 1e-5 }, args, Tolerance::Accumulated)
}
