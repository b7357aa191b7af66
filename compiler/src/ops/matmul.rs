//! Matrix products and the linear layer.

use serde::{Deserialize, Serialize};

use super::arithmetic::Add;
use super::init::{self, BIAS_INIT, Fans, INIT};
use super::layer::LayerInfo;
use super::reshape::Reshape;
use crate::graph::{Backward, Gradient, Named, NodeId, Op, WeightKind};
use crate::onnx::{Attribute, OnnxError, OnnxNode, ToOnnx};
use crate::plan::{Lower, LowerError, Lowering};
use crate::setting::{Kind, Setting};
use crate::tensor_type::{Layout, ShapeError, TensorType, arity};

/// `matmul`: the matrix product over the last two axes; leading axes are batches and must be equal.
///
/// - Shapes: `a: f32[B.., M, K]`, `b: f32[B.., K, N]` `-> f32[B.., M, N]`; a transposed side is given with its last
///   two axes swapped.
/// - Gradient: two matrix products.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Matmul {
    /// Whether `a` is given as `[B.., K, M]`.
    pub transpose_a: bool,
    /// Whether `b` is given as `[B.., N, K]`.
    pub transpose_b: bool,
}

impl Matmul {
    /// `[batches, M, K, N]`.
    ///
    /// # Errors
    /// Shapes that have no product.
    pub fn extents(&self, a: &TensorType, b: &TensorType) -> Result<[usize; 4], ShapeError> {
        let refuse = |why: &str| {
            Err(ShapeError::new(format!("{a} and {b} have no product: {why}")).at([0, 1]))
        };
        if a.layout != Layout::Plain
            || b.layout != Layout::Plain
            || a.rank() < 2
            || a.rank() != b.rank()
        {
            return refuse("both need the same number of axes, at least two");
        }
        let lead = a.rank() - 2;
        if a.shape[..lead] != b.shape[..lead] {
            return refuse("their leading axes differ");
        }
        let order = |ty: &TensorType, swapped: bool| {
            let (rows, columns) = (ty.shape[lead], ty.shape[lead + 1]);
            if swapped {
                (columns, rows)
            } else {
                (rows, columns)
            }
        };
        let ((m, k), (bk, n)) = (order(a, self.transpose_a), order(b, self.transpose_b));
        if k != bk {
            return refuse(&format!("the inner extents are {k} and {bk}"));
        }
        Ok([a.shape[..lead].iter().product(), m, k, n])
    }
}

impl Named for Matmul {
    const NAME: &'static str = "matmul";
    const DOC: &'static str = "matrix product over the last two axes";
}

impl Op for Matmul {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [a, b] = arity(inputs)?;
        let [_, m, _, n] = self.extents(a, b)?;
        let mut shape = a.shape[..a.rank() - 2].to_vec();
        shape.extend([m, n]);
        Ok(TensorType::plain(shape))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        self.extents(&inputs[0], &inputs[1])
            .map_or(0, |[b, m, k, n]| 2 * (b * m * k * n) as u64)
    }
}

impl Gradient for Matmul {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (a, b) = (back.input(0), back.input(1));
        let (ta, tb) = (self.transpose_a, self.transpose_b);
        let mut grads = vec![None, None];
        if back.needs(0) {
            // a: dy b^T; a given transposed: (dy b^T)^T = b dy^T.
            let (op, inputs) = if ta {
                (
                    Matmul {
                        transpose_a: tb,
                        transpose_b: true,
                    },
                    [b, dy],
                )
            } else {
                (
                    Matmul {
                        transpose_a: false,
                        transpose_b: !tb,
                    },
                    [dy, b],
                )
            };
            grads[0] = Some(back.add(op, &inputs)?);
        }
        if back.needs(1) {
            let (op, inputs) = if tb {
                (
                    Matmul {
                        transpose_a: true,
                        transpose_b: ta,
                    },
                    [dy, a],
                )
            } else {
                (
                    Matmul {
                        transpose_a: !ta,
                        transpose_b: false,
                    },
                    [a, dy],
                )
            };
            grads[1] = Some(back.add(op, &inputs)?);
        }
        Ok(grads)
    }
}

impl Lower for Matmul {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let extents = self.extents(lowering.input(0), lowering.input(1));
        let extents = extents.map_err(|error| lowering.shape_error(error))?;
        lowering.matmul(extents, [self.transpose_a, self.transpose_b])
    }
}

impl ToOnnx for Matmul {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        let rank = node.input_type(0).rank();
        if rank == 2 {
            let flag = |set| Attribute::Int(i64::from(set));
            let settings = [
                ("transA", flag(self.transpose_a)),
                ("transB", flag(self.transpose_b)),
            ];
            return node.same("Gemm", &settings);
        }
        let mut swapped: Vec<usize> = (0..rank).collect();
        swapped.swap(rank - 2, rank - 1);
        let [mut a, mut b] = [node.input(0)?, node.input(1)?];
        if self.transpose_a {
            a = node.transpose(&a, &swapped);
        }
        if self.transpose_b {
            b = node.transpose(&b, &swapped);
        }
        node.emit("MatMul", &[&a, &b], &[])
    }
}

pub(super) const MATMUL: LayerInfo = LayerInfo {
    name: Matmul::NAME,
    doc: "matrix product of two tensors over their last two axes, sample by sample and head by head",
    tensors: (2, 2),
    settings: &[
        Setting {
            name: "transpose_a",
            kind: Kind::Bool,
            default: Some("false"),
            doc: "read the first one with its last two axes swapped",
        },
        Setting {
            name: "transpose_b",
            kind: Kind::Bool,
            default: Some("false"),
            doc: "read the second one with its last two axes swapped",
        },
    ],
    build: |b, t, settings| {
        let op = Matmul {
            transpose_a: settings.bool("transpose_a"),
            transpose_b: settings.bool("transpose_b"),
        };
        b.output(op, t)
    },
};

pub(super) const LINEAR: LayerInfo = LayerInfo {
    name: "linear",
    doc: "y = x W^T + b over the last axis of tokens [.., C]",
    tensors: (1, 1),
    settings: &[
        Setting {
            name: "channels",
            kind: Kind::Int {
                min: 1,
                max: 1 << 20,
            },
            default: None,
            doc: "number of outputs",
        },
        Setting {
            name: "bias",
            kind: Kind::Bool,
            default: Some("true"),
            doc: "add a bias",
        },
        INIT,
        BIAS_INIT,
    ],
    build: |b, x, settings| {
        let ty = b.ty(x[0]);
        let (Layout::Plain, Some((&c, lead))) = (ty.layout, ty.shape.split_last()) else {
            return Err(ShapeError::new(format!("tokens [.., C] are needed, not {ty}"))
                .at([0])
                .help("`to_tokens` turns a feature map into tokens; `conv` with k = 1 is the same layer on a map"));
        };
        let o = settings.int("channels")?;
        let fans = Fans {
            fan_in: c,
            fan_out: o,
        };
        let weight = b.weight(
            TensorType::plain([o, c]),
            init::weight(settings, fans),
            WeightKind::Linear,
        )?;
        let rows = lead.iter().product::<usize>();
        let flat = TensorType::plain([rows, c]);
        let (needs_flat, mut shape) = (ty != flat, lead.to_vec());
        shape.push(o);
        let input = if needs_flat {
            b.add(Reshape { to: flat }, x, "rows")?
        } else {
            x[0]
        };
        let product = Matmul {
            transpose_a: false,
            transpose_b: true,
        };
        let to = TensorType::plain(shape);
        match (init::bias(b, settings, o, fans)?, needs_flat) {
            (None, false) => b.output(product, &[input, weight]),
            (None, true) => {
                let y = b.add(product, &[input, weight], "product")?;
                b.output(Reshape { to }, &[y])
            }
            (Some(bias), flat) => {
                let mut y = b.add(product, &[input, weight], "product")?;
                if flat {
                    y = b.add(Reshape { to }, &[y], "tokens")?;
                }
                b.output(Add, &[y, bias])
            }
        }
    },
};
