//! Resampling of feature maps.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// Where an output pixel reads the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResizeMode {
    /// `source = floor(i n_in / n_out)`.
    Nearest,
    /// Linear in both axes, `source = max(0, (i + 1/2) n_in / n_out - 1/2)` (`align_corners = false`).
    Bilinear,
    /// Linear in both axes, `source = i (n_in - 1) / (n_out - 1)` (`align_corners = true`).
    BilinearCorners,
}

impl ResizeMode {
    /// The constants of the kernels for a resampling from `x` to `y`.
    fn constants(self, x: &TensorType, y: &TensorType) -> serde_json::Value {
        let (c, h, w, oh, ow) = (x.shape[1], x.shape[2], x.shape[3], y.shape[2], y.shape[3]);
        serde_json::json!({ "c": c, "h": h, "w": w, "oh": oh, "ow": ow, "mode": self })
    }

    /// The two input positions that output position `i` reads along one axis, and the weight of the second.
    pub fn source(self, i: usize, from: usize, to: usize) -> (usize, usize, f64) {
        let at = match self {
            Self::Nearest => return (i * from / to, i * from / to, 0.0),
            Self::Bilinear => (((i as f64 + 0.5) * from as f64 / to as f64) - 0.5).max(0.0),
            Self::BilinearCorners if to == 1 => 0.0,
            Self::BilinearCorners => i as f64 * (from as f64 - 1.0) / (to as f64 - 1.0),
        };
        let low = (at.floor() as usize).min(from - 1);
        (low, (low + 1).min(from - 1), at - low as f64)
    }
}

/// `resize2d`: resampling of a feature map to another height and width.
///
/// - Shapes: `f32[N, C, H, W] -> f32[N, C, size[0], size[1]]`
/// - Gradient: [`Resize2dGrad`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resize2d {
    /// Height and width of the output.
    pub size: [usize; 2],
    /// How pixels are read.
    pub mode: ResizeMode,
}

/// `resize2d_grad`: each `dy` goes to the pixels it was read from, with their weights.
///
/// - Shapes: `f32[N, C, OH, OW] -> f32[N, C, size[0], size[1]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Resize2dGrad {
    /// Height and width of the input of the resampling.
    pub size: [usize; 2],
    /// How pixels were read.
    pub mode: ResizeMode,
}

impl Named for Resize2d {
    const NAME: &'static str = "resize2d";
    const DOC: &'static str = "bilinear or nearest resampling of a feature map";
}

impl Op for Resize2d {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, c, _, _] = x.as_image().map_err(|e| e.at([0]))?;
        if self.size.contains(&0) {
            return Err(ShapeError::new(
                "the new height and width must be at least 1",
            ));
        }
        Ok(TensorType::image([n, c, self.size[0], self.size[1]]))
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        8 * output.elements() as u64
    }
}

impl Gradient for Resize2d {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let [_, _, h, w] = back.ty(back.input(0)).as_image()?;
        Ok(vec![Some(back.add(
            Resize2dGrad {
                size: [h, w],
                mode: self.mode,
            },
            &[dy],
        )?)])
    }
}

impl Lower for Resize2d {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        let constants = self.mode.constants(lowering.input(0), lowering.output());
        lowering.per_element(
            Self::NAME,
            lowering.output().elements(),
            &constants,
            &operands,
        )
    }
}

impl ToOnnx for Resize2d {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let sizes = self.size.map(|extent| extent as i64);
        let (x, sizes) = (node.input(0)?, node.ints("sizes", &sizes));
        let (mode, coordinates) = match self.mode {
            ResizeMode::Nearest => ("nearest", "asymmetric"),
            ResizeMode::Bilinear => ("linear", "half_pixel"),
            ResizeMode::BilinearCorners => ("linear", "align_corners"),
        };
        node.emit(
            "Resize",
            &[&x, "", "", &sizes],
            &[
                ("axes", Attribute::Ints(vec![2, 3])),
                ("mode", Attribute::Word(mode)),
                (
                    "coordinate_transformation_mode",
                    Attribute::Word(coordinates),
                ),
                ("nearest_mode", Attribute::Word("floor")),
            ],
        )
    }
}

impl Named for Resize2dGrad {
    const NAME: &'static str = "resize2d_grad";
    const DOC: &'static str = "gradient of resize2d";
}

impl Op for Resize2dGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        Resize2d {
            size: self.size,
            mode: self.mode,
        }
        .infer(inputs)
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        8 * inputs[0].elements() as u64
    }
}

impl Gradient for Resize2dGrad {}

impl Lower for Resize2dGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [("dy", Operand::Input(0)), ("dx", Operand::Output)];
        let constants = self.mode.constants(lowering.output(), lowering.input(0));
        lowering.per_element(
            Self::NAME,
            lowering.output().elements(),
            &constants,
            &operands,
        )
    }
}

impl ToOnnx for Resize2dGrad {}

const fn size(name: &'static str, doc: &'static str) -> Setting {
    Setting {
        name,
        kind: Kind::Int {
            min: 1,
            max: 65_536,
        },
        default: Some("auto"),
        doc,
    }
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: "resize",
    doc: "resampling of a feature map: by a factor, to a height and width, or to those of a second map",
    tensors: (1, 2),
    settings: &[
        Setting {
            name: "scale",
            kind: Kind::Int { min: 1, max: 64 },
            default: Some("auto"),
            doc: "factor on height and width",
        },
        size("height", "rows of the output"),
        size("width", "columns of the output"),
        Setting {
            name: "mode",
            kind: Kind::Word(&["bilinear", "nearest"]),
            default: Some("bilinear"),
            doc: "how pixels are read",
        },
        Setting {
            name: "align_corners",
            kind: Kind::Bool,
            default: Some("false"),
            doc: "whether the corner pixels of both maps coincide (bilinear only)",
        },
    ],
    build: |b, x, settings| {
        let [_, _, h, w] = b.ty(x[0]).as_image().map_err(|e| e.at([0]))?;
        let fixed = ["height", "width"].map(|name| settings.maybe_int(name));
        let size = match (x.get(1), settings.maybe_int("scale"), fixed) {
            (Some(&like), None, [None, None]) => {
                let [_, _, h, w] = b.ty(like).as_image().map_err(|e| e.at([1]))?;
                [h, w]
            }
            (None, Some(scale), [None, None]) => [h * scale, w * scale],
            (None, None, [Some(height), Some(width)]) => [height, width],
            _ => {
                return Err(ShapeError::new(
                    "a second map, `scale`, or `height` and `width` say the new size",
                )
                .help("give exactly one of the three"));
            }
        };
        if size == [h, w] {
            return Ok(x[0]);
        }
        let mode = match (settings.word("mode"), settings.bool("align_corners")) {
            ("nearest", _) => ResizeMode::Nearest,
            (_, false) => ResizeMode::Bilinear,
            (_, true) => ResizeMode::BilinearCorners,
        };
        b.output(Resize2d { size, mode }, &x[..1])
    },
};
