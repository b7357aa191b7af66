//! Linear post-processing of probabilities.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, Gradient, Named, NodeId, Op};
use crate::onnx::ToOnnx;
use crate::plan::{Groups, Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `lpp`: `y[c, i] = w[0] p[c, i] + sum over j of w[1 + j] d_j(i) + b` with `d_0` the least significant bit of the
/// amplitude's index `i`; inputs `(p, w, b)`. Source: HQC-TF, doi 10.1038/s41598-026-40127-z.
///
/// - Shapes: `p: f32[circuits, used]`, `w: f32[sets, 1 + qubits]`, `b: f32[sets]` `-> f32[circuits, used]`;
///   `sets` is 1 (shared by the layer) or the number of circuits.
/// - Gradient: [`LppGradProbability`], [`LppGradParameters`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Lpp {
    /// Number of index bits.
    pub qubits: usize,
}

/// `lpp_grad_probability`: `dp = w[0] dy`; inputs `(dy, w)`.
///
/// - Shapes: `dy: f32[circuits, used]`, `w: f32[sets, 1 + qubits]` `-> f32[circuits, used]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LppGradProbability {
    /// Number of index bits.
    pub qubits: usize,
}

/// `lpp_grad_parameters`: columns `0 .. 1 + qubits` the gradient of `w`, the last column that of `b`; inputs `(p, dy)`.
///
/// - Shapes: `p, dy: f32[circuits, used] -> f32[sets, 2 + qubits]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LppGradParameters {
    /// Number of index bits.
    pub qubits: usize,
    /// Number of parameter sets: 1 or the number of circuits.
    pub sets: usize,
}

fn check(qubits: usize, p: &TensorType, w: &TensorType) -> Result<(), ShapeError> {
    match (p.shape.as_slice(), w.shape.as_slice()) {
        (&[circuits, used], &[sets, terms])
            if terms == qubits + 1
                && (sets == 1 || sets == circuits)
                && qubits < 32
                && used <= 1 << qubits =>
        {
            Ok(())
        }
        _ => Err(
            ShapeError::new(format!("parameters {w} do not fit {p} on {qubits} qubits")).at([0, 1]),
        ),
    }
}

fn constants(qubits: usize, p: &TensorType, w: &TensorType) -> serde_json::Value {
    serde_json::json!({ "used": p.shape[1], "sets": w.shape[0], "qubits": qubits })
}

impl Named for Lpp {
    const NAME: &'static str = "lpp";
    const DOC: &'static str = "learned linear map of a probability and the bits of its index";
}

impl Op for Lpp {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [p, w, b] = arity(inputs)?;
        check(self.qubits, p, w)?;
        if *b != TensorType::plain([w.shape[0]]) {
            return Err(
                ShapeError::new(format!("{w} needs a bias f32[{}], not {b}", w.shape[0]))
                    .at([1, 2]),
            );
        }
        Ok(p.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        (2 + self.qubits as u64) * output.elements() as u64
    }
}

impl Gradient for Lpp {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let (p, w, b) = (back.input(0), back.input(1), back.input(2));
        let (sets, terms) = (back.ty(w).shape[0], self.qubits + 1);
        let mut grads = vec![None; 3];
        if back.needs(0) {
            grads[0] = Some(back.add(
                LppGradProbability {
                    qubits: self.qubits,
                },
                &[dy, w],
            )?);
        }
        if back.needs(1) || back.needs(2) {
            let both = back.add(
                LppGradParameters {
                    qubits: self.qubits,
                    sets,
                },
                &[p, dy],
            )?;
            // Columns are cut as channels of a one-pixel map.
            let map = back.add(
                super::Reshape {
                    to: TensorType::image([sets, terms + 1, 1, 1]),
                },
                &[both],
            )?;
            for (at, start, channels) in [(1, 0, terms), (2, terms, 1)] {
                let to = back.ty([w, b][at - 1]).clone();
                let part = back.add(super::Slice { start, channels }, &[map])?;
                let flat = back.add(
                    super::Reshape {
                        to: TensorType::plain([sets, channels]),
                    },
                    &[part],
                )?;
                grads[at] = Some(if *back.ty(flat) == to {
                    flat
                } else {
                    back.add(super::Reshape { to }, &[flat])?
                });
            }
        }
        Ok(grads)
    }
}

impl Lower for Lpp {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [
            ("p", Operand::Input(0)),
            ("w", Operand::Input(1)),
            ("b", Operand::Input(2)),
            ("y", Operand::Output),
        ];
        let constants = constants(self.qubits, lowering.input(0), lowering.input(1));
        let n = lowering.output().elements();
        lowering.per_element(Self::NAME, n, &constants, &operands)
    }
}

impl ToOnnx for Lpp {}

impl Named for LppGradProbability {
    const NAME: &'static str = "lpp_grad_probability";
    const DOC: &'static str = "gradient of lpp for the probabilities";
}

impl Op for LppGradProbability {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [dy, w] = arity(inputs)?;
        check(self.qubits, dy, w)?;
        Ok(dy.clone())
    }
}

impl Gradient for LppGradProbability {}

impl Lower for LppGradProbability {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let operands = [
            ("dy", Operand::Input(0)),
            ("w", Operand::Input(1)),
            ("dp", Operand::Output),
        ];
        let constants = constants(self.qubits, lowering.input(0), lowering.input(1));
        let n = lowering.output().elements();
        lowering.per_element(Self::NAME, n, &constants, &operands)
    }
}

impl ToOnnx for LppGradProbability {}

impl Named for LppGradParameters {
    const NAME: &'static str = "lpp_grad_parameters";
    const DOC: &'static str = "gradient of lpp for its weights and bias";
}

impl Op for LppGradParameters {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [p, dy] = arity(inputs)?;
        check(
            self.qubits,
            p,
            &TensorType::plain([self.sets, self.qubits + 1]),
        )?;
        if p != dy {
            return Err(ShapeError::new(format!("{p} and {dy} differ")).at([0, 1]));
        }
        Ok(TensorType::plain([self.sets, self.qubits + 2]))
    }
    fn flops(&self, inputs: &[TensorType], _: &TensorType) -> u64 {
        (2 + self.qubits as u64) * inputs[0].elements() as u64
    }
}

impl Gradient for LppGradParameters {}

impl Lower for LppGradParameters {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let (rows, used) = (lowering.input(0).shape[0], lowering.input(0).shape[1]);
        let width = self.qubits + 2;
        let shared = self.sets == 1 && rows > 1;
        let to = if shared {
            lowering.scratch(rows * width)
        } else {
            Operand::Output
        };
        let operands = [
            ("p", Operand::Input(0)),
            ("dy", Operand::Input(1)),
            ("y", to),
        ];
        let groups = Groups::for_count(rows);
        let constants =
            serde_json::json!({ "rows": rows, "used": used, "width": width, "groups_x": groups.x });
        lowering.dispatch(Self::NAME, constants, &operands, groups)?;
        if shared {
            let none = serde_json::json!({});
            lowering.reduce(
                "reduce_sum",
                [1, rows, width],
                1,
                &none,
                &[("x", to)],
                Operand::Output,
            )?;
        }
        Ok(())
    }
}

impl ToOnnx for LppGradParameters {}
