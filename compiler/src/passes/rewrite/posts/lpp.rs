//! `lpp`: a trained linear map of each probability and the bits of its index.

use super::Post;
use crate::graph::Init;
use crate::ops::{Lpp, Readout};
use crate::setting::{Kind, Setting};
use crate::tensor_type::TensorType;

pub(super) const POST: Post = Post {
    name: "lpp",
    doc: "y = w [p, d_0 .. d_{N-1}] + b, trained",
    readout: Readout::Probability,
    settings: &[Setting {
        name: "share",
        kind: Kind::Word(&["layer", "none"]),
        default: Some("layer"),
        doc: "who shares one set of `lpp` parameters: the circuits of a layer, or none, one set each",
    }],
    add: |generation, read, [circuits, qubits], settings| {
        let sets = match settings.word("share") {
            "none" => circuits,
            _ => 1,
        };
        let init = Init::fan_in(qubits + 1);
        let weight = TensorType::plain([sets, qubits + 1]);
        let w = generation.parameter(weight, init, "lpp.weight")?;
        let b = generation.parameter(TensorType::plain([sets]), init, "lpp.bias")?;
        generation.add(Lpp { qubits }, &[read, w, b], "lpp")
    },
};
