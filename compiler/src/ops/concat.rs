//! Channels side by side, and ranges of them.

use serde::{Deserialize, Serialize};

use super::layer::{Builder, LayerInfo};
use crate::graph::{Backward, Constant, Gradient, Named, NodeId, Op};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `concat`: two or more feature maps side by side along the channels.
///
/// - Shapes: `f32[N, C_i, H, W]... -> f32[N, sum of C_i, H, W]`
/// - Gradient: [`Slice`] of `dy` for each input.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Concat;

/// `slice`: channels `start .. start + channels`.
///
/// - Shapes: `f32[N, C, H, W] -> f32[N, channels, H, W]`
/// - Gradient: `dy` between maps of zeros.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Slice {
    /// First channel.
    pub start: usize,
    /// Number of channels.
    pub channels: usize,
}

impl Named for Concat {
    const NAME: &'static str = "concat";
    const DOC: &'static str = "feature maps side by side along the channels";
}

impl Op for Concat {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let Some(first) = inputs.first() else {
            return Err(ShapeError::new("nothing to concatenate"));
        };
        let [n, mut c, h, w] = first.as_image().map_err(|e| e.at([0]))?;
        for (at, other) in inputs.iter().enumerate().skip(1) {
            let [on, oc, oh, ow] = other.as_image().map_err(|e| e.at([at]))?;
            for (axis, mine, theirs) in [
                ("batch sizes", n, on),
                ("heights", h, oh),
                ("widths", w, ow),
            ] {
                if mine != theirs {
                    return Err(ShapeError::new(format!("their {axis} differ"))
                        .at([0, at])
                        .help("all axes but `channel` must agree"));
                }
            }
            c += oc;
        }
        Ok(TensorType::image([n, c, h, w]))
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Concat {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let mut grads = Vec::with_capacity(back.arity());
        let mut start = 0;
        for i in 0..back.arity() {
            let channels = back.ty(back.input(i)).as_image()?[1];
            grads.push(if back.needs(i) {
                Some(back.add(Slice { start, channels }, &[dy])?)
            } else {
                None
            });
            start += channels;
        }
        Ok(grads)
    }
}

impl Lower for Concat {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let [n, _, h, w] = lowering
            .output()
            .as_image()
            .map_err(|error| lowering.shape_error(error))?;
        let channels: Vec<_> = lowering
            .input_types()
            .iter()
            .map(|ty| ty.shape[1])
            .collect();
        lowering.concat(Self::NAME, n * h * w, &channels)
    }
}

impl ToOnnx for Concat {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        node.same("Concat", &[("axis", Attribute::Int(1))])
    }
}

impl Named for Slice {
    const NAME: &'static str = "slice";
    const DOC: &'static str = "a range of channels";
}

impl Op for Slice {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x] = arity(inputs)?;
        let [n, c, h, w] = x.as_image().map_err(|e| e.at([0]))?;
        if self.channels == 0 || self.start + self.channels > c {
            let end = self.start + self.channels;
            return Err(
                ShapeError::new(format!("{x} has no channels {}..{end}", self.start))
                    .at([0])
                    .help(format!(
                        "a range of its channels begins before it ends and lies within 0..{c}"
                    )),
            );
        }
        Ok(TensorType::image([n, self.channels, h, w]))
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for Slice {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let [n, c, h, w] = back.ty(back.input(0)).as_image()?;
        let mut parts = Vec::new();
        for (channels, own) in [
            (self.start, false),
            (self.channels, true),
            (c - self.start - self.channels, false),
        ] {
            if own {
                parts.push(dy);
            } else if channels > 0 {
                let ty = TensorType::image([n, channels, h, w]);
                parts.push(back.add(Constant { ty, value: 0.0 }, &[])?);
            }
        }
        Ok(vec![Some(if parts.len() == 1 {
            dy
        } else {
            back.add(Concat, &parts)?
        })])
    }
}

impl Lower for Slice {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        lowering.window(Self::NAME, &[0, self.start as i64, 0, 0])
    }
}

impl ToOnnx for Slice {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let x = node.input(0)?;
        let part = node.slice(&x, &[(1, self.start, self.start + self.channels)]);
        node.is(&part)
    }
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Concat::NAME,
    doc: Concat::DOC,
    tensors: (2, 64),
    settings: &[],
    build: |b, x, _| b.output(Concat, x),
};

/// Channels `start .. end` of a map; the map itself where that is all of them.
fn channels(
    b: &mut Builder<'_>,
    x: &[NodeId],
    start: usize,
    end: usize,
) -> Result<NodeId, ShapeError> {
    let [_, c, _, _] = b.ty(x[0]).as_image().map_err(|e| e.at([0]))?;
    if (start, end) == (0, c) {
        return Ok(x[0]);
    }
    let channels = end.saturating_sub(start);
    b.output(Slice { start, channels }, x)
}

const fn count(name: &'static str, min: i64, doc: &'static str) -> Setting {
    Setting {
        name,
        kind: Kind::Int { min, max: 1 << 20 },
        default: None,
        doc,
    }
}

pub(super) const SLICE: LayerInfo = LayerInfo {
    name: Slice::NAME,
    doc: "channels `from` up to, not including, `to`",
    tensors: (1, 1),
    settings: &[
        count("from", 0, "first channel, counted from 0"),
        count("to", 1, "one past the last channel"),
    ],
    build: |b, x, settings| channels(b, x, settings.int("from")?, settings.int("to")?),
};

pub(super) const CHUNK: LayerInfo = LayerInfo {
    name: "chunk",
    doc: "one of several parts of ceil(C / parts) channels; the last one takes what remains",
    tensors: (1, 1),
    settings: &[
        count("parts", 1, "number of parts"),
        count("index", 0, "which part, counted from 0"),
    ],
    build: |b, x, settings| {
        let [_, c, _, _] = b.ty(x[0]).as_image().map_err(|e| e.at([0]))?;
        let (parts, index) = (settings.int("parts")?, settings.int("index")?);
        let size = c.div_ceil(parts.max(1)).max(1);
        let start = index.saturating_mul(size);
        if index >= parts || start >= c {
            let there = c.div_ceil(size).min(parts);
            return Err(
                ShapeError::new(format!("it has no part {index} of {parts}"))
                    .at([0])
                    .help(format!(
                        "{c} channels make parts of {size}: `index` is at most {}",
                        there - 1
                    )),
            );
        }
        channels(b, x, start, (start + size).min(c))
    },
};

pub(super) const REPEAT_CHANNELS: LayerInfo = LayerInfo {
    name: "repeat_channels",
    doc: "all channels again and again: copies of the map side by side",
    tensors: (1, 1),
    settings: &[Setting {
        name: "times",
        kind: Kind::Int { min: 1, max: 1024 },
        default: None,
        doc: "number of copies",
    }],
    build: |b, x, settings| {
        b.ty(x[0]).as_image().map_err(|e| e.at([0]))?;
        match settings.int("times")? {
            1 => Ok(x[0]),
            times => b.output(Concat, &vec![x[0]; times]),
        }
    },
};
