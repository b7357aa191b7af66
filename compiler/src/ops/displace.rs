//! Channel groups moved along an axis.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// An axis of a feature map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MapAxis {
    /// Rows move up and down.
    Height,
    /// Columns move left and right.
    Width,
}

/// `displace`: channels in groups of `ceil(C / groups)` (the last one takes what remains), group `j` moved by
/// `j - floor(groups / 2)` pixels towards higher indices, zeros where nothing comes from.
///
/// - Shapes: `f32[N, C, H, W] -> f32[N, C, H, W]`
/// - Gradient: the displacement back.
/// - Source: the shift of UNeXt (arXiv:2203.04967), which pads, rolls and crops.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Displace {
    /// The axis to move along.
    pub axis: MapAxis,
    /// Number of groups.
    pub groups: usize,
    /// Whether every group moves the other way.
    pub back: bool,
}

impl Displace {
    /// Channels of each group but the last.
    pub fn group_size(&self, channels: usize) -> usize {
        channels.div_ceil(self.groups.max(1)).max(1)
    }

    /// How far group `j` moves.
    pub fn distance(&self, j: usize) -> isize {
        let distance = j as isize - (self.groups / 2) as isize;
        if self.back { -distance } else { distance }
    }
}

impl Named for Displace {
    const NAME: &'static str = "displace";
    const DOC: &'static str = "channel groups moved along an axis, zeros behind them";
}

impl Op for Displace {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        x.as_image().map_err(|e| e.at([0]))?;
        if self.groups == 0 {
            return Err(ShapeError::new("there must be at least one group"));
        }
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Displace {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let op = Displace {
            back: !self.back,
            ..self.clone()
        };
        Ok(vec![Some(back.add(op, &[dy])?)])
    }
}

impl Lower for Displace {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [_, c, h, w] = lowering
            .output()
            .as_image()
            .map_err(|error| lowering.shape_error(error))?;
        // What one step along the axis is in memory, and the axis' extent.
        let (step, extent) = match self.axis {
            MapAxis::Height => (w * c, h),
            MapAxis::Width => (c, w),
        };
        let constants = serde_json::json!({
            "c": c, "step": step, "extent": extent, "size": self.group_size(c), "middle": self.groups / 2, "back": self.back,
        });
        let operands = [("x", Operand::Input(0)), ("y", Operand::Output)];
        lowering.per_element(
            Self::NAME,
            lowering.output().elements(),
            &constants,
            &operands,
        )
    }
}

impl ToOnnx for Displace {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let shape = node.output_type().shape.clone();
        let (size, channels) = (self.group_size(shape[1]), shape[1]);
        let axis = match self.axis {
            MapAxis::Height => 2,
            MapAxis::Width => 3,
        };
        // Zeros on both sides, of which each group takes a window.
        let most = self.groups / 2 + 1;
        let around = |of| if axis == of { [most; 2] } else { [0; 2] };
        let x = node.input(0)?;
        let padded = node.pad(&x, around(2), around(3));
        let groups: Vec<String> = (0..channels.div_ceil(size))
            .map(|j| {
                let from = most.saturating_add_signed(-self.distance(j));
                let end = channels.min((j + 1) * size);
                node.slice(
                    &padded,
                    &[(1, j * size, end), (axis, from, from + shape[axis])],
                )
            })
            .collect();
        let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
        node.emit("Concat", &groups, &[("axis", Attribute::Int(1))])
    }
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Displace::NAME,
    doc: "channels in groups of ceil(C / groups), group j moved by j - groups/2 pixels along an axis, with zeros behind it",
    tensors: (1, 1),
    settings: &[
        Setting {
            name: "axis",
            kind: Kind::Word(&["height", "width"]),
            default: None,
            doc: "the axis to move along",
        },
        Setting {
            name: "groups",
            kind: Kind::Int { min: 1, max: 255 },
            default: Some("5"),
            doc: "number of channel groups",
        },
    ],
    build: |b, x, settings| {
        let axis = match settings.word("axis") {
            "height" => MapAxis::Height,
            _ => MapAxis::Width,
        };
        let op = Displace {
            axis,
            groups: settings.int("groups")?,
            back: false,
        };
        b.output(op, x)
    },
};
