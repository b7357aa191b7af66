//! `conv_lora`: a trained product of two thin matrices added to the frozen weight (Hu et al., arXiv:2106.09685), in the
//! form that loralib gives it for convolutions.
//!
//! With a weight `[m, n, k, k]` as it is stored and `g` groups, `A` is `[rank k, n g k]`, `B` is `[m k / g, rank k]`, and
//! the layer uses `W + alpha / rank * view(B A)`, where `view` reads the product row by row as `[m, n, k, k]`. `A` starts
//! as PyTorch's linear layers do, `B` at 0, so that the network is unchanged at first. The bias stays trained. For a
//! convolution `m` and `n` are outputs and inputs; for a transposed one, which loralib does not have, they are inputs and
//! outputs, in the order of its weight. A linear layer or an attention projection has `k = 1`, which is plain LoRA.

use super::{Does, Method, Site, trained};
use crate::graph::{Init, NodeId, Patch, Role};
use crate::ops::{Add, Affine, Matmul, Relayout};
use crate::setting::{Kind, Limits, Setting, Settings};
use crate::tensor_type::{ShapeError, TensorType};

pub(super) const METHOD: Method = Method {
    name: "conv_lora",
    doc: "adds a trained product of two thin matrices to the frozen weight (ConvLoRA; plain LoRA for `linear`)",
    settings: || SETTINGS.iter().collect(),
    does: Does::Weight(adapt),
};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "rank",
        kind: Kind::Int { min: 1, max: 4096 },
        default: None,
        doc: "the thin side of the matrices, in units of the kernel size",
    },
    Setting {
        name: "alpha",
        kind: Kind::Float(Limits::ANY),
        default: Some("1"),
        doc: "the product is scaled by alpha / rank",
    },
];

fn adapt(patch: &mut Patch<'_>, site: &Site, given: &Settings) -> Result<NodeId, ShapeError> {
    let settings = given.filled(SETTINGS);
    let (rank, alpha) = (settings.int("rank")?, settings.float("alpha"));
    let [rows, columns, k] = sides(site)?;
    site.freeze(patch)?;
    patch.set_role(Role::Adapter);
    let init = Init::fan_in(columns);
    let a = trained(TensorType::plain([rank * k, columns]), init);
    let a = patch.add(a, &[], "lora_a")?;
    let zero = Init::Constant { value: 0.0 };
    let b = trained(TensorType::plain([rows, rank * k]), zero);
    let b = patch.add(b, &[], "lora_b")?;
    let product = Matmul {
        transpose_a: false,
        transpose_b: false,
    };
    let mut change = patch.add(product, &[b, a], "lora_product")?;
    if *patch.ty(change) != site.ty {
        let to = site.ty.clone();
        change = patch.add(Relayout { to }, &[change], "lora_view")?;
    }
    let scale = Affine {
        scale: alpha / rank as f64,
        offset: 0.0,
    };
    let change = patch.add(scale, &[change], "lora_scaled")?;
    patch.add(Add, &[site.weight, change], "adapted")
}

/// Rows of `B`, columns of `A`, and the side of the kernel.
fn sides(site: &Site) -> Result<[usize; 3], ShapeError> {
    let layer = &site.layer;
    match *site.ty.shape.as_slice() {
        [m, n] => Ok([m, n, 1]),
        [_, _, kh, kw] if kh != kw => Err(ShapeError::new(format!(
            "`conv_lora` needs a square kernel, that of `{layer}` is {kh} x {kw}"
        ))
        .help("`qpga` adapts kernels of any shape")),
        [m, n, k, _] if m % site.groups == 0 => Ok([m * k / site.groups, n * site.groups * k, k]),
        [m, ..] => Err(ShapeError::new(format!(
            "the {} groups of `{layer}` do not divide its {m} channels evenly",
            site.groups
        ))),
        _ => Err(ShapeError::new(format!(
            "`conv_lora` cannot adapt a weight {}",
            site.ty
        ))),
    }
}
