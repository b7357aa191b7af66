//! Zeros around a feature map, and cutting them off again.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `pad2d`: zeros around a feature map.
///
/// - Shapes: `f32[N, C, H, W] -> f32[N, C, top + H + bottom, left + W + right]`
/// - Gradient: [`Crop2d`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pad2d {
    /// Rows above and below.
    pub rows: [usize; 2],
    /// Columns to the left and to the right.
    pub columns: [usize; 2],
}

/// `crop2d`: rows and columns cut off a feature map.
///
/// - Shapes: `f32[N, C, top + H + bottom, left + W + right] -> f32[N, C, H, W]`
/// - Gradient: [`Pad2d`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Crop2d {
    /// Rows above and below.
    pub rows: [usize; 2],
    /// Columns to the left and to the right.
    pub columns: [usize; 2],
}

impl Named for Pad2d {
    const NAME: &'static str = "pad2d";
    const DOC: &'static str = "zeros around a feature map";
}

impl Op for Pad2d {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, c, h, w] = x.as_image().map_err(|e| e.at([0]))?;
        Ok(TensorType::image([
            n,
            c,
            h + self.rows[0] + self.rows[1],
            w + self.columns[0] + self.columns[1],
        ]))
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Pad2d {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![Some(back.add(
            Crop2d {
                rows: self.rows,
                columns: self.columns,
            },
            &[dy],
        )?)])
    }
}

impl Lower for Pad2d {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        lowering.window(
            Self::NAME,
            &[0, 0, -(self.rows[0] as i64), -(self.columns[0] as i64)],
        )
    }
}

impl ToOnnx for Pad2d {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let x = node.input(0)?;
        let padded = node.pad(&x, self.rows, self.columns);
        node.is(&padded)
    }
}

impl Named for Crop2d {
    const NAME: &'static str = "crop2d";
    const DOC: &'static str = "rows and columns cut off a feature map";
}

impl Op for Crop2d {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, c, h, w] = x.as_image().map_err(|e| e.at([0]))?;
        let cut = |size: usize, [a, b]: [usize; 2]| {
            size.checked_sub(a + b)
                .filter(|&rest| rest > 0)
                .ok_or_else(|| {
                    ShapeError::new(format!("cutting {a} and {b} off {x} leaves nothing")).at([0])
                })
        };
        Ok(TensorType::image([
            n,
            c,
            cut(h, self.rows)?,
            cut(w, self.columns)?,
        ]))
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Crop2d {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![Some(back.add(
            Pad2d {
                rows: self.rows,
                columns: self.columns,
            },
            &[dy],
        )?)])
    }
}

impl Lower for Crop2d {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        lowering.window(
            Self::NAME,
            &[0, 0, self.rows[0] as i64, self.columns[0] as i64],
        )
    }
}

impl ToOnnx for Crop2d {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let (x, y) = (node.input(0)?, node.output_type().shape.clone());
        let [top, left] = [self.rows[0], self.columns[0]];
        let part = node.slice(&x, &[(2, top, top + y[2]), (3, left, left + y[3])]);
        node.is(&part)
    }
}

const fn side(name: &'static str, doc: &'static str) -> Setting {
    Setting {
        name,
        kind: Kind::Int { min: 0, max: 4096 },
        default: Some("0"),
        doc,
    }
}

pub(super) const PAD: LayerInfo = LayerInfo {
    name: "pad",
    doc: Pad2d::DOC,
    tensors: (1, 1),
    settings: &[
        side("top", "rows above"),
        side("bottom", "rows below"),
        side("left", "columns to the left"),
        side("right", "columns to the right"),
    ],
    build: |b, x, s| {
        let pad = Pad2d {
            rows: [s.int("top")?, s.int("bottom")?],
            columns: [s.int("left")?, s.int("right")?],
        };
        b.output(pad, x)
    },
};

pub(super) const PAD_TO: LayerInfo = LayerInfo {
    name: "pad_to",
    doc: "zeros around the first map until it has the height and width of the second; the odd one goes below and right",
    tensors: (2, 2),
    settings: &[],
    build: |b, x, _| {
        let [_, _, h, w] = b.ty(x[0]).as_image().map_err(|e| e.at([0]))?;
        let [_, _, th, tw] = b.ty(x[1]).as_image().map_err(|e| e.at([1]))?;
        let (Some(dh), Some(dw)) = (th.checked_sub(h), tw.checked_sub(w)) else {
            return Err(ShapeError::new("the first map is larger than the second").at([0, 1]));
        };
        if dh == 0 && dw == 0 {
            return Ok(x[0]);
        }
        b.output(
            Pad2d {
                rows: [dh / 2, dh - dh / 2],
                columns: [dw / 2, dw - dw / 2],
            },
            &x[..1],
        )
    },
};
