//! Dropout.

use serde::{Deserialize, Serialize};

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Input, Named, NodeId, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::setting::{Kind, Limits, Setting};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// Name of the input that carries the random key of a training step: 64 bits in four numbers of 16 bits each, the
/// lowest first, so that each is exact in `f32`. Only steps with [`Dropout`] have it.
pub const DROPOUT_KEY: &str = "dropout key";

/// `dropout`: each element is 0 with probability `p` and `x / (1 - p)` otherwise; inputs `(x, key)`.
///
/// Word `i % 4` of the Philox4x32-10 block with counter `(i / 4, 0, stream)` decides about the element that lies `i`-th in
/// memory: it stays where that word is at least `p 2^32`.
///
/// - Shapes: `x: f32[d..]`, `key: f32[4]` `-> f32[d..]`
/// - Gradient: the same op on `dy`, which draws the same numbers again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Dropout {
    /// Probability that an element is dropped, at least 0 and less than 1.
    pub p: f64,
    /// What tells this layer's numbers from those of others.
    pub stream: [u32; 2],
}

impl Dropout {
    /// The least word whose element stays.
    pub fn threshold(&self) -> u32 {
        (self.p * 2f64.powi(32)).round() as u32
    }

    /// What the elements that stay are multiplied by.
    pub fn scale(&self) -> f64 {
        1.0 / (1.0 - self.p)
    }

    fn check(&self) -> Result<(), ShapeError> {
        if (0.0..1.0).contains(&self.p) {
            return Ok(());
        }
        Err(
            ShapeError::new(format!("no share of {} can be dropped", self.p))
                .help("`p` is at least 0 and less than 1"),
        )
    }
}

impl Named for Dropout {
    const NAME: &'static str = "dropout";
    const DOC: &'static str = "a random share of the elements set to 0, the others scaled up";
}

impl Op for Dropout {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        self.check()?;
        let [x, key] = arity(inputs)?;
        if *key != TensorType::plain([4]) {
            return Err(ShapeError::new(format!("the key must be f32[4], not {key}")).at([1]));
        }
        Ok(x.clone())
    }
}

impl Gradient for Dropout {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let key = back.input(1);
        Ok(vec![Some(back.add(self.clone(), &[dy, key])?), None])
    }
}

impl Lower for Dropout {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let elements = lowering.output().elements();
        let operands = [
            ("x", Operand::Input(0)),
            ("key", Operand::Input(1)),
            ("y", Operand::Output),
        ];
        let constants = serde_json::json!({
            "elements": elements, "threshold": self.threshold(), "scale": self.scale(), "stream": self.stream,
        });
        lowering.per_element(Self::NAME, elements.div_ceil(4), &constants, &operands)
    }
}

impl ToOnnx for Dropout {}

/// A number that other paths are unlikely to have: FNV-1a.
fn stream_of(path: &str) -> [u32; 2] {
    let hash = path.bytes().fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    [hash as u32, (hash >> 32) as u32]
}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Dropout::NAME,
    doc: "a random share of the elements set to 0, the others scaled by 1/(1 - p); in training only",
    tensors: (1, 1),
    settings: &[Setting {
        name: "p",
        kind: Kind::Float(Limits::NOT_NEGATIVE.below(1.0)),
        default: Some("0.1"),
        doc: "share of the elements that are dropped, at least 0 and less than 1",
    }],
    build: |b, x, settings| {
        let dropout = Dropout {
            p: settings.float("p"),
            stream: stream_of(&b.path),
        };
        dropout.check()?;
        if !b.training || dropout.p == 0.0 {
            return Ok(x[0]);
        }
        let key = match b.graph.find(DROPOUT_KEY) {
            Some(key) => key,
            None => {
                let ty = TensorType::plain([4]);
                b.graph.add(Input { ty }, &[], DROPOUT_KEY)?
            }
        };
        b.output(dropout, &[x[0], key])
    },
};
