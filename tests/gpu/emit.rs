//! Kernels in every back end's language.

use hqcc_compiler::ops::OPS;
use hqcc_compiler::steps;
use hqcc_compiler::wgsl::{Target, emit, template_names};

use crate::training::{two_layers, unet};

#[test]
fn every_kernel_of_a_training_step_is_written_for_every_back_end() {
    for case in [two_layers(), unet(4, 16)] {
        let plan = steps::plan(&case.graph).unwrap();
        assert!(plan.kernels.len() > 5);
        for kernel in &plan.kernels {
            for target in Target::ALL {
                let text = emit(kernel, target).unwrap_or_else(|error| panic!("{error}"));
                assert!(!text.is_empty());
            }
            assert!(
                kernel.workgroup_memory <= 16_384
                    && kernel.workgroup_size.iter().product::<u32>() <= 256
            );
            assert!(kernel.bindings.len() <= 8, "{}", kernel.name);
        }
    }
}

#[test]
fn every_op_has_a_kernel_of_its_name() {
    // Leaves are memory, and a view is its input's.
    let without = ["constant", "input", "parameter", "reshape"];
    let missing: Vec<_> = OPS
        .iter()
        .map(|op| op.name)
        .filter(|op| !without.contains(op) && !template_names().any(|name| name == *op))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
