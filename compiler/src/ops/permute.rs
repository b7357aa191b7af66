//! Axes in another order, and the heads of attention that it makes.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::layer::LayerInfo;
use super::reshape::Reshape;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{Layout, ShapeError, TensorType, arity};

/// `permute`: axis `k` of the output is axis `axes[k]` of the input.
///
/// - Shapes: `f32[d..] -> f32[d[axes[0]], d[axes[1]], ..]`, row-major tensors only.
/// - Gradient: the permutation back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Permute {
    /// The input's axes in the order of the output.
    pub axes: Vec<usize>,
}

impl Named for Permute {
    const NAME: &'static str = "permute";
    const DOC: &'static str = "axes in another order";
}

impl Op for Permute {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if x.layout != Layout::Plain || sorted != (0..x.rank()).collect::<Vec<_>>() {
            return Err(
                ShapeError::new(format!("{x} has no axes in the order {:?}", self.axes)).at([0]),
            );
        }
        let shape: Vec<_> = self.axes.iter().map(|&axis| x.shape[axis]).collect();
        Ok(TensorType::plain(shape))
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Permute {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let mut axes = vec![0; self.axes.len()];
        for (to, &from) in self.axes.iter().enumerate() {
            axes[from] = to;
        }
        Ok(vec![Some(back.add(Permute { axes }, &[dy])?)])
    }
}

impl Lower for Permute {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let (x, y) = (lowering.input(0).strides(), lowering.output().clone());
        let axes: Vec<_> = self
            .axes
            .iter()
            .zip(y.strides())
            .zip(&y.shape)
            .filter(|(_, extent)| **extent > 1)
            .map(|((&from, below), &extent)| json!({ "from": x[from], "below": below, "extent": extent }))
            .collect();
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        lowering.per_element(
            Self::NAME,
            y.elements(),
            &json!({ "axes": axes }),
            &operands,
        )
    }
}

impl ToOnnx for Permute {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        node.same(
            "Transpose",
            &[("perm", Attribute::sizes(self.axes.iter().copied()))],
        )
    }
}

/// Tokens side by side and heads side by side, swapped.
fn swapped() -> Permute {
    Permute {
        axes: vec![0, 2, 1, 3],
    }
}

pub(super) const SPLIT_HEADS: LayerInfo = LayerInfo {
    name: "split_heads",
    doc: "tokens [N, T, C] as [N, heads, T, C/heads], a part of the channels to each head of attention",
    tensors: (1, 1),
    settings: &[Setting {
        name: "heads",
        kind: Kind::Int {
            min: 1,
            max: 1 << 16,
        },
        default: None,
        doc: "number of heads",
    }],
    build: |b, x, settings| {
        let ty = b.ty(x[0]);
        let heads = settings.int("heads")?;
        match *ty.shape.as_slice() {
            [n, t, c] if ty.layout == Layout::Plain && c % heads == 0 => {
                let to = TensorType::plain([n, t, heads, c / heads]);
                let parts = b.add(Reshape { to }, x, "parts")?;
                b.output(swapped(), &[parts])
            }
            [_, _, c] if ty.layout == Layout::Plain => Err(ShapeError::new(format!(
                "{c} channels do not split evenly into {heads} heads"
            ))
            .at([0])
            .help("`heads` must divide the channels")),
            _ => Err(
                ShapeError::new(format!("tokens [N, T, C] are needed, not {ty}"))
                    .at([0])
                    .help("`to_tokens` turns a feature map into tokens"),
            ),
        }
    },
};

pub(super) const MERGE_HEADS: LayerInfo = LayerInfo {
    name: "merge_heads",
    doc: "heads [N, heads, T, D] back as tokens [N, T, heads D]",
    tensors: (1, 1),
    settings: &[],
    build: |b, x, _| {
        let ty = b.ty(x[0]);
        match *ty.shape.as_slice() {
            [n, heads, t, d] if ty.layout == Layout::Plain => {
                let parts = b.add(swapped(), x, "parts")?;
                let to = TensorType::plain([n, t, heads * d]);
                b.output(Reshape { to }, &[parts])
            }
            _ => Err(
                ShapeError::new(format!("heads [N, heads, T, D] are needed, not {ty}"))
                    .at([0])
                    .help("`split_heads` makes them of tokens"),
            ),
        }
    },
};
