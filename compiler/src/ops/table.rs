//! A learned table added to every sample, such as the embedding of positions.

use super::arithmetic::Add;
use super::init;
use super::layer::LayerInfo;
use crate::setting::{Kind, Setting};
use crate::tensor_type::ShapeError;

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: "add_table",
    doc: "x plus a learned table of the shape of one sample, the same for all",
    tensors: (1, 1),
    settings: &[Setting {
        name: "init",
        kind: Kind::Word(&["zero", "truncated_normal", "tiny_normal"]),
        default: Some("zero"),
        doc: "how the table starts: truncated_normal has std 0.02, tiny_normal std 1e-6",
    }],
    build: |b, x, settings| {
        let mut ty = b.ty(x[0]);
        match ty.shape.first_mut() {
            Some(batch) => *batch = 1,
            None => return Err(ShapeError::new("a tensor with a batch axis is needed").at([0])),
        }
        let table = b.parameter("table", ty, init::of_table(settings))?;
        b.output(Add, &[x[0], table])
    },
};
