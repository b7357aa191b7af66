//! Changes of shape that move no bytes.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::setting::{Kind, Setting};
use crate::tensor_type::{Layout, ShapeError, TensorType, arity};

/// `reshape`: the same bytes under another shape. A feature map `[N, C, H, W]` and its tokens `[N, H W, C]` are the
/// same bytes, since channels are innermost.
///
/// - Gradient: the reshape back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reshape {
    /// Type of the output.
    pub to: TensorType,
}

/// The shape in memory order.
fn stored(ty: &TensorType) -> Vec<usize> {
    ty.memory_order()
        .into_iter()
        .map(|axis| ty.shape[axis])
        .collect()
}

impl Named for Reshape {
    const NAME: &'static str = "reshape";
    const DOC: &'static str = "the same bytes under another shape";
}

impl Op for Reshape {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let refuse = || {
            ShapeError::new(format!(
                "{x} cannot be read as {} without moving its bytes",
                self.to
            ))
            .at([0])
        };
        if x.elements() != self.to.elements() {
            return Err(refuse());
        }
        // Between layouts the innermost extent must stay: channels remain channels.
        let innermost = |ty: &TensorType| stored(ty).last().copied().unwrap_or(1);
        let plain = x.layout == Layout::Plain && self.to.layout == Layout::Plain;
        if plain
            || x.elements() == 1
            || x.layout == self.to.layout
            || innermost(x) == innermost(&self.to)
        {
            return Ok(self.to.clone());
        }
        Err(refuse())
    }
    fn is_view(&self) -> bool {
        true
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Reshape {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let to = back.ty(back.input(0)).clone();
        Ok(vec![Some(back.add(Reshape { to }, &[dy])?)])
    }
}

impl Lower for Reshape {}

impl ToOnnx for Reshape {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        // Bytes stay, so axes go into their order in memory and back.
        let (from, to) = (node.input_type(0).clone(), &self.to);
        let x = node.input(0)?;
        let flat = node.transpose(&x, &from.memory_order());
        let shaped = node.reshape(&flat, &stored(to));
        let order = to.memory_order();
        let back: Vec<usize> = (0..to.rank())
            .filter_map(|axis| order.iter().position(|&at| at == axis))
            .collect();
        let y = node.transpose(&shaped, &back);
        node.is(&y)
    }
}

pub(super) const TO_TOKENS: LayerInfo = LayerInfo {
    name: "to_tokens",
    doc: "a feature map [N, C, H, W] as tokens [N, H*W, C], row by row",
    tensors: (1, 1),
    settings: &[],
    build: |b, x, _| {
        let [n, c, h, w] = b.ty(x[0]).as_image().map_err(|e| e.at([0]))?;
        b.output(
            Reshape {
                to: TensorType::plain([n, h * w, c]),
            },
            x,
        )
    },
};

pub(super) const TO_IMAGE: LayerInfo = LayerInfo {
    name: "to_image",
    doc: "tokens [N, T, C] as a feature map [N, C, height, T/height]",
    tensors: (1, 1),
    settings: &[Setting {
        name: "height",
        kind: Kind::Int {
            min: 1,
            max: 1 << 20,
        },
        default: None,
        doc: "rows of the feature map",
    }],
    build: |b, x, settings| {
        let ty = b.ty(x[0]);
        let height = settings.int("height")?;
        match *ty.shape.as_slice() {
            [n, t, c] if ty.layout == Layout::Plain && t % height == 0 => b.output(
                Reshape {
                    to: TensorType::image([n, c, height, t / height]),
                },
                x,
            ),
            [_, t, _] if ty.layout == Layout::Plain => {
                Err(ShapeError::new(format!("{t} tokens do not fill {height} rows evenly")).at([0]))
            }
            _ => Err(ShapeError::new(format!("tokens [N, T, C] are needed, not {ty}")).at([0])),
        }
    },
};
