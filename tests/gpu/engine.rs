//! The executor's own promises: order of steps, errors, limits.

use hqcc::Tensor;
use hqcc::executor::{Executor, ExecutorError};
use hqcc::gpu::{DeviceChoice, adapters, select};
use hqcc_compiler::ops::{Affine, Relu};
use hqcc_compiler::tensor_type::TensorType;

use crate::common::{Case, gpu};

#[test]
fn steps_come_back_in_order() {
    let Some(mut gpu) = gpu() else { return };
    let mut case = Case::new(1);
    let x = case.named_input("x", TensorType::plain([3]), Tensor::zeros([3]));
    let y = case.add(
        Affine {
            scale: 2.0,
            offset: 1.0,
        },
        &[x],
    );
    case.output("y", y);
    case.load(&mut gpu);
    for step in 0..5 {
        gpu.submit("case", &[("x", &Tensor::full([3], step as f32))])
            .unwrap();
    }
    assert_eq!(gpu.outstanding(), 5);
    for step in 0..5 {
        let outputs = gpu.collect().unwrap().unwrap();
        assert_eq!(outputs["y"].data(), [2.0 * step as f32 + 1.0; 3]);
    }
    assert!(gpu.collect().unwrap().is_none());
}

#[test]
fn state_keeps_its_logical_order() {
    let Some(mut gpu) = gpu() else { return };
    let mut case = Case::new(2);
    let w = case.parameter("w", TensorType::kernel([3, 2, 2, 1]), 1.0);
    let y = case.add(Relu, &[w]);
    case.output("y", y);
    case.load(&mut gpu);
    assert_eq!(gpu.read("w").unwrap(), case.states["w"]);
    assert!(matches!(gpu.read("v"), Err(ExecutorError::Unknown { .. })));
    assert!(matches!(
        gpu.write("w", &Tensor::zeros([2])),
        Err(ExecutorError::Shape { .. })
    ));
}

#[test]
fn a_tensor_beyond_the_adapter_is_refused_with_its_bytes() {
    let Some(mut gpu) = gpu() else { return };
    let mut case = Case::new(3);
    let ty = TensorType::image([1, 1024, 1023, 1022]);
    let x = case
        .graph
        .add(hqcc_compiler::graph::Input { ty }, &[], "x")
        .unwrap();
    let y = case.add(Relu, &[x]);
    case.output("y", y);
    match gpu.load("case", &case.entry()) {
        Err(error @ ExecutorError::Memory { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("4282392576") && text.contains("batch"),
                "{text}"
            );
        }
        Err(error) => panic!("{error}"),
        // An adapter that binds 4 GiB at once is welcome to it.
        Ok(()) => {}
    }
}

#[test]
fn an_unknown_adapter_is_refused_with_what_there_is() {
    let error = select(&DeviceChoice::Name("no such adapter".to_owned()))
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("--device no such adapter"), "{error}");
    for adapter in adapters() {
        assert!(error.contains(&adapter.name), "{error}");
    }
    assert!(select(&DeviceChoice::Cpu).unwrap().is_none());
}

#[test]
fn a_lost_device_is_an_error_that_names_it() {
    let Some(mut gpu) = gpu() else { return };
    let mut case = Case::new(4);
    let w = case.parameter("w", TensorType::plain([8]), 1.0);
    let y = case.add(Relu, &[w]);
    case.output("y", y);
    case.load(&mut gpu);
    gpu.close();
    let name = gpu.device().name.clone();
    let result = gpu
        .submit("case", &[])
        .and_then(|()| gpu.collect().map(|_| ()));
    let error = result.err().map(|error| error.to_string());
    assert!(
        error.as_ref().is_some_and(|text| text.contains(&name)),
        "{error:?}"
    );
}
