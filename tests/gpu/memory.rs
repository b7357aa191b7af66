//! The plan's memory: no two tensors that are needed at once share bytes.

use hqcc_compiler::ops::{Add, Concat, Conv2d, Mul, ReduceSum, Relu, Reshape};
use hqcc_compiler::plan::{Plan, Storage};
use hqcc_compiler::steps;
use hqcc_compiler::tensor_type::TensorType;
use proptest::prelude::*;

use crate::common::Case;

/// Replays the plan: every read must find the bytes that the last writer of that very buffer left.
pub fn replay(plan: &Plan) {
    let mut owner = vec![None; plan.memory.slots.len()];
    for dispatch in &plan.dispatches {
        let kernel = &plan.kernels[dispatch.kernel];
        let mut slots = Vec::new();
        for (binding, &at) in kernel.bindings.iter().zip(&dispatch.buffers) {
            let buffer = &plan.memory.buffers[at];
            let Storage::Slot { slot } = buffer.storage else {
                continue;
            };
            assert!(plan.memory.slots[slot] >= buffer.bytes);
            if binding.access == hqcc_compiler::wgsl::Access::Read {
                assert_eq!(
                    owner[slot],
                    Some(at),
                    "`{}` was overwritten before `{}` read it",
                    buffer.name,
                    dispatch.node
                );
            }
            slots.push((slot, at));
        }
        for (binding, &at) in kernel.bindings.iter().zip(&dispatch.buffers) {
            let Storage::Slot { slot } = plan.memory.buffers[at].storage else {
                continue;
            };
            if binding.access == hqcc_compiler::wgsl::Access::ReadWrite {
                assert!(
                    slots
                        .iter()
                        .all(|&(other, buffer)| other != slot || buffer == at),
                    "one dispatch, one slot twice"
                );
                owner[slot] = Some(at);
            }
        }
    }
    for port in plan.memory.outputs.values() {
        if let Storage::Slot { slot } = plan.memory.buffers[port.buffer].storage {
            assert_eq!(owner[slot], Some(port.buffer), "an output was overwritten");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn no_live_tensor_is_overwritten(picks in prop::collection::vec((0u8..6, 0usize..64, 0usize..64), 1..40), outs in prop::collection::vec(0usize..64, 1..4)) {
        let mut case = Case::new(1);
        let ty = TensorType::image([1, 4, 4, 4]);
        let weight = case.input(TensorType::kernel([4, 4, 3, 3]));
        let narrow = case.input(TensorType::kernel([4, 8, 1, 1]));
        let mut nodes = vec![case.input(ty.clone())];
        for &(op, a, b) in &picks {
            let (a, b) = (nodes[a % nodes.len()], nodes[b % nodes.len()]);
            let conv = |padding| Conv2d { stride: [1; 2], padding: [padding; 2], dilation: [1; 2], groups: 1 };
            nodes.push(match op {
                0 => case.add(Relu, &[a]),
                1 => case.add(Add, &[a, b]),
                2 => case.add(conv(1), &[a, weight]),
                3 => { let both = case.add(Concat, &[a, b]); case.add(conv(0), &[both, narrow]) }
                4 => { let sum = case.add(ReduceSum { axes: vec![1, 2, 3] }, &[a]); case.add(Mul, &[b, sum]) }
                _ => {
                    let tokens = case.add(Reshape { to: TensorType::plain([1, 16, 4]) }, &[a]);
                    let back = case.add(Reshape { to: ty.clone() }, &[tokens]);
                    case.add(Mul, &[back, b])
                }
            });
        }
        for (at, out) in outs.iter().enumerate() {
            case.output(&format!("y{at}"), nodes[out % nodes.len()]);
        }
        case.graph.prune();
        let plan = steps::plan(&case.graph).unwrap();
        replay(&plan);
        let all: u64 = plan.memory.buffers.iter().filter(|b| matches!(b.storage, Storage::Slot { .. })).map(|b| b.bytes).sum();
        prop_assert!(plan.memory.slots.iter().sum::<u64>() <= all);
    }
}
