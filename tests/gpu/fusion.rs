//! Fused chains: what becomes one kernel, and that the numbers stay.

use hqcc_compiler::graph::{Capabilities, Fusion, Graph};
use hqcc_compiler::ops::{self, Add, Affine, BatchNorm, BatchStats, Expand, Mul, Relu, Sigmoid};
use hqcc_compiler::passes::fuse::fuse;
use hqcc_compiler::plan::{self, Plan};
use hqcc_compiler::steps;
use hqcc_compiler::tensor_type::TensorType;
use proptest::prelude::*;

use crate::common::Case;

/// The nodes that a GPU computes together.
fn fused(graph: &Graph) -> Vec<Fusion> {
    fuse(graph, &plan::capabilities()).unwrap()
}

#[test]
fn a_normalisation_and_its_rectifier_are_one_kernel() {
    let mut case = Case::new(1);
    let x = case.input(TensorType::image([2, 4, 3, 3]));
    let [gamma, beta] = [
        case.input(TensorType::plain([4])),
        case.input(TensorType::plain([4])),
    ];
    let stats = case.add(BatchStats, &[x]);
    let y = case.add(
        BatchNorm {
            eps: 1e-5,
            training: true,
        },
        &[x, stats, gamma, beta],
    );
    let y = case.add(Relu, &[y]);
    case.output("y", y);
    let fused = fused(&case.graph);
    let last = fused.last().unwrap();
    assert_eq!(last.result(), y);
    let chain: Vec<_> = last.ops(&case.graph).iter().map(|op| op.name()).collect();
    assert_eq!(chain, ["batch_norm", "relu"]);
    let alone = fuse(&case.graph, &Capabilities::default()).unwrap();
    let alone = Plan::new(&case.graph, &alone, ops::lowering).unwrap();
    let plan = steps::plan(&case.graph).unwrap();
    assert!(plan.dispatches.len() < alone.dispatches.len());
    assert_eq!(plan.fusions, [last.named(&case.graph)]);
    case.agree("batch_norm and relu", 1e-5);
}

#[test]
fn an_output_in_the_middle_stays_a_node() {
    let mut case = Case::new(2);
    let x = case.input(TensorType::plain([8]));
    let a = case.add(Relu, &[x]);
    let b = case.add(Sigmoid, &[a]);
    case.output("a", a);
    case.output("b", b);
    assert_eq!(fused(&case.graph).len(), 2);
    case.agree("an output in the middle", 1e-6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn random_chains_give_the_same_numbers(seed in 0u64..1000, picks in prop::collection::vec((0u8..6, 0usize..8, 0usize..8), 1..24)) {
        let ty = TensorType::image([2, 4, 3, 2]);
        let mut case = Case::new(seed);
        let mut nodes = vec![case.input(ty.clone()), case.input(ty.clone())];
        let channel = case.input(TensorType::image([1, 4, 1, 1]));
        for &(op, a, b) in &picks {
            let (a, b) = (nodes[a % nodes.len()], nodes[b % nodes.len()]);
            nodes.push(match op {
                0 => case.add(Relu, &[a]),
                1 => case.add(Sigmoid, &[a]),
                2 => case.add(Affine { scale: 0.5, offset: 0.25 }, &[a]),
                3 => { let sum = case.add(Add, &[a, b]); case.add(Affine { scale: 0.5, offset: 0.0 }, &[sum]) }
                4 => case.add(Mul, &[a, channel]),
                _ => { let wide = case.add(Expand { to: ty.clone() }, &[channel]); case.add(Mul, &[a, wide]) }
            });
        }
        case.output("y", nodes[nodes.len() - 1]);
        case.graph.prune();
        let kept: Vec<String> = case.inputs.keys().filter(|name| case.graph.find(name).is_some()).cloned().collect();
        case.inputs.retain(|name, _| kept.contains(name));
        case.agree("a random chain", 2e-6);
    }
}
