//! Every tile of the matrix product, whether or not a shape at hand would choose it.

use std::collections::BTreeMap;

use hqcc::Tensor;
use hqcc::executor::Executor;
use hqcc_compiler::plan::{Buffer, Dispatch, Memory, Plan, Port, Product, Storage, Tiling};
use hqcc_compiler::tensor_type::TensorType;
use hqcc_compiler::wgsl::{reflect, render};
use serde_json::json;

use crate::common::{Noise, close, gpu};

/// One product of `a` and `b` as a plan of a single dispatch.
fn plan(tiling: &Tiling, [m, n, k]: [usize; 3], [transpose_a, transpose_b]: [bool; 2]) -> Plan {
    let p = json!({ "transpose_a": transpose_a, "transpose_b": transpose_b, "a_batch": m * k, "b_batch": k * n });
    let text = render("matmul", &json!({ "p": p, "g": tiling, "entry": "matmul" })).unwrap();
    let kernel = reflect("matmul", text).unwrap();
    assert!(kernel.workgroup_memory <= 16_384);
    let buffer = |name: &str, elements: usize, storage| Buffer {
        name: name.to_owned(),
        bytes: elements as u64 * 4,
        storage,
        first: 0,
        last: 1,
    };
    let port = |buffer, shape: [usize; 2]| Port {
        buffer,
        ty: TensorType::plain(shape),
    };
    let input = |name: &str| Storage::Input {
        name: name.to_owned(),
    };
    let side = |x, y, swap| if swap { [y, x] } else { [x, y] };
    let memory = Memory {
        buffers: vec![
            buffer("a", m * k, input("a")),
            buffer("b", k * n, input("b")),
            buffer("y", m * n, Storage::Slot { slot: 0 }),
        ],
        slots: vec![(m * n * 4) as u64],
        inputs: BTreeMap::from([
            ("a".to_owned(), port(0, side(m, k, transpose_a))),
            ("b".to_owned(), port(1, side(k, n, transpose_b))),
        ]),
        outputs: BTreeMap::from([("y".to_owned(), port(2, [m, n]))]),
        states: BTreeMap::new(),
    };
    Plan {
        fusions: Vec::new(),
        kernels: vec![kernel],
        dispatches: vec![Dispatch {
            node: "product".to_owned(),
            kernel: 0,
            buffers: vec![0, 1, 2],
            groups: tiling.groups(1),
        }],
        memory,
    }
}

#[test]
fn every_tile_gives_the_product() {
    let Some(mut gpu) = gpu() else { return };
    for extents @ [m, n, k] in [[150, 141, 37], [132, 140, 36]] {
        for transpose @ [transpose_a, transpose_b] in
            [[false, false], [true, false], [false, true], [true, true]]
        {
            let mut noise = Noise::new(m as u64);
            let a = noise.tensor(&if transpose_a { [k, m] } else { [m, k] });
            let b = noise.tensor(&if transpose_b { [n, k] } else { [k, n] });
            let at = |t: &Tensor, row: usize, column: usize, swap: bool| {
                let [rows, columns] = [t.shape()[0], t.shape()[1]];
                debug_assert!(row < rows.max(columns) && column < rows.max(columns));
                t.data()[if swap {
                    column * columns + row
                } else {
                    row * columns + column
                }]
            };
            let expected = Tensor::from_fn([m, n], |i| {
                let terms = (0..k).map(|l| {
                    f64::from(at(&a, i / n, l, transpose_a))
                        * f64::from(at(&b, l, i % n, transpose_b))
                });
                terms.sum::<f64>() as f32
            });
            let product = Product {
                m,
                n,
                k,
                batch: 1,
                a_along_k: !transpose_a,
                b_along_k: transpose_b,
                may_split: false,
            };
            for tiling in Tiling::candidates(&product) {
                gpu.load_plan("product", plan(&tiling, extents, transpose))
                    .unwrap();
                let found = gpu.run("product", &[("a", &a), ("b", &b)]).unwrap();
                let what = format!(
                    "{extents:?} {transpose:?} on tiles of {} x {}",
                    tiling.bm, tiling.bn
                );
                close(&what, &found["y"], &expected, 1e-5);
            }
        }
    }
}
