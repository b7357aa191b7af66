//! From circuit outputs to a layer's weight (Eq. 8) and back.

use serde::{Deserialize, Serialize};

use crate::graph::{Backward, Gradient, Named, NodeId, Op, WeightKind};
use crate::onnx::ToOnnx;
use crate::plan::{Lower, LowerError, Lowering, Operand};
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `weight_map`: arranges circuit outputs as the weight of a layer, Eq. 8 of HQC-TF
/// (doi 10.1038/s41598-026-40127-z): circuit `(target * KH + kh) * KW + kw` gives the entries of `target` at kernel
/// position `(kh, kw)` along the other side.
///
/// - Shapes: `y: f32[targets KH KW, longer] -> to` (a convolution, transposed convolution or linear weight).
/// - Gradient: [`WeightMapGrad`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WeightMap {
    /// Type of the weight.
    pub to: TensorType,
    /// Which of its axes are outputs and inputs.
    pub kind: WeightKind,
    /// Whether the targets are the input channels (the case `C_in <= C_out`) or the output channels.
    pub input_targets: bool,
}

/// `weight_map_grad`: the entries of a weight's gradient back in the order of circuit outputs.
///
/// - Shapes: `dweight -> f32[targets KH KW, longer]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WeightMapGrad {
    /// The arrangement that this op reverses.
    pub map: WeightMap,
}

impl WeightMap {
    /// `[outputs, inputs, KH, KW]` of the weight; both channel sides as stored (per group).
    pub fn sides(&self) -> [usize; 4] {
        match (self.kind, self.to.shape.as_slice()) {
            (WeightKind::ConvTranspose, &[i, o, h, w]) => [o, i, h, w],
            (_, &[o, i, h, w]) => [o, i, h, w],
            (_, &[o, i]) => [o, i, 1, 1],
            _ => [0; 4],
        }
    }

    /// `[circuits, longer]`: how many circuits there are and how many amplitudes of each are used.
    pub fn circuits(&self) -> [usize; 2] {
        let [o, i, h, w] = self.sides();
        if self.input_targets {
            [i * h * w, o]
        } else {
            [o * h * w, i]
        }
    }

    /// Distances in memory, in elements, that a weight entry moves by with its target, `kh`, `kw` and amplitude.
    pub fn strides(&self) -> [usize; 4] {
        let s = self.to.strides();
        let (o, i, h, w) = match (self.kind, s.as_slice()) {
            (WeightKind::ConvTranspose, &[i, o, h, w]) | (_, &[o, i, h, w]) => (o, i, h, w),
            (_, &[o, i]) => (o, i, 0, 0),
            _ => (0, 0, 0, 0),
        };
        if self.input_targets {
            [i, h, w, o]
        } else {
            [o, h, w, i]
        }
    }
}

/// Positions of a weight's entries, by circuit. Circuit `target * positions + position`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CircuitOrder {
    /// `[circuit, amplitude]`: no weight yet.
    Circuits,
    /// `[position, target, amplitude]`: amplitudes run along the last axis in memory.
    Rows {
        /// Kernel positions, KH * KW.
        positions: usize,
    },
    /// `[position, amplitude, target]`: targets run along the last axis in memory.
    Columns {
        /// Kernel positions, KH * KW.
        positions: usize,
    },
}

impl CircuitOrder {
    /// Kernel positions; 1 where there is no weight yet.
    pub fn positions(self) -> usize {
        match self {
            Self::Circuits => 1,
            Self::Rows { positions } | Self::Columns { positions } => positions,
        }
    }
}

impl WeightMap {
    fn constants(&self) -> serde_json::Value {
        let (order, [circuits, used]) = (self.order(), self.circuits());
        serde_json::json!({
            "positions": order.positions(), "targets": circuits / order.positions(), "used": used,
            "columns": matches!(order, CircuitOrder::Columns { .. }),
        })
    }

    /// How the weight's memory is ordered by circuit and amplitude.
    pub fn order(&self) -> CircuitOrder {
        let [.., kh, kw] = self.sides();
        let positions = kh * kw;
        let [_, used] = self.circuits();
        if used > 1 && self.strides()[3] != 1 {
            CircuitOrder::Columns { positions }
        } else {
            CircuitOrder::Rows { positions }
        }
    }
}

impl Named for WeightMap {
    const NAME: &'static str = "weight_map";
    const DOC: &'static str = "circuit outputs arranged as a layer's weight";
}

impl Op for WeightMap {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [y] = arity(inputs)?;
        let [circuits, longer] = self.circuits();
        if *y != TensorType::plain([circuits, longer]) || circuits == 0 {
            return Err(ShapeError::new(format!(
                "a weight {} needs f32[{circuits}, {longer}], not {y}",
                self.to
            ))
            .at([0]));
        }
        Ok(self.to.clone())
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for WeightMap {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        Ok(vec![Some(
            back.add(WeightMapGrad { map: self.clone() }, &[dy])?,
        )])
    }
}

impl Lower for WeightMap {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let n = lowering.output().elements();
        let operands = [("x", Operand::Input(0)), ("weight", Operand::Output)];
        lowering.per_element(Self::NAME, n, &self.constants(), &operands)
    }
}

impl ToOnnx for WeightMap {}

impl Named for WeightMapGrad {
    const NAME: &'static str = "weight_map_grad";
    const DOC: &'static str = "gradient of weight_map: a weight's entries back to circuit outputs";
}

impl Op for WeightMapGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [dy] = arity(inputs)?;
        if *dy != self.map.to {
            return Err(ShapeError::new(format!("{dy} is no gradient of {}", self.map.to)).at([0]));
        }
        let [circuits, longer] = self.map.circuits();
        Ok(TensorType::plain([circuits, longer]))
    }
    fn flops(&self, _: &[TensorType], _: &TensorType) -> u64 {
        0
    }
}

impl Gradient for WeightMapGrad {}

impl Lower for WeightMapGrad {
    fn lower(&self, lowering: &mut Lowering<'_>) -> Result<(), LowerError> {
        let n = lowering.output().elements();
        let operands = [("dweight", Operand::Input(0)), ("dx", Operand::Output)];
        lowering.per_element(Self::NAME, n, &self.map.constants(), &operands)
    }
}

impl ToOnnx for WeightMapGrad {}
