//! The Gaussian error linear unit (Hendrycks and Gimpel, arXiv:1606.08415), exact.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::layer::LayerInfo;
use crate::graph::{Backward, Gradient, Named, NodeId, Op, Read, Scalar};
use crate::onnx::{OnnxError, OnnxNode, ToOnnx};
use crate::plan::Lower;
use crate::tensor_type::{ShapeError, TensorType, arity};

/// `gelu`: `y = x P(x)` with the distribution function `P(x) = (1 + erf(x / sqrt 2)) / 2` of the standard normal.
///
/// - Shapes: `x: f32[d..] -> y: f32[d..]`
/// - Gradient: `dx = dy (P(x) + x p(x))` with the density `p(x) = exp(-x^2 / 2) / sqrt(2 pi)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gelu;

/// `gelu_grad`: `dx = dy (P(x) + x p(x))`. Inputs `(x, dy)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct GeluGrad;

/// How single precision computes the distribution function: minimax polynomials with errors below 6e-8.
pub mod gauss {
    /// `P(x) = 1/2 + x near(x^2)` where `x^2 < LIMIT`, lowest power first.
    pub const NEAR: [f32; 6] = [
        3.989_423e-1,
        -6.649_026e-2,
        9.972_595e-3,
        -1.184_489_3e-3,
        1.115_907e-4,
        -6.970_067_3e-6,
    ];
    /// `P(-a) = exp(-a^2 / 2) t tail(t)` with `t = 1 / (1 + SLOPE a)` elsewhere, lowest power first.
    pub const TAIL: [f32; 7] = [
        1.595_979_8e-1,
        1.590_603_6e-1,
        1.392_856_2e-1,
        5.451_340_6e-2,
        1.073_628_5e-1,
        -1.884_184e-1,
        6.891_596e-2,
    ];
    /// See [`TAIL`].
    pub const SLOPE: f32 = 0.4;
    /// See [`NEAR`].
    pub const LIMIT: f32 = 1.44;
}

/// A function of these many arguments, with the constants of its text.
fn scalar(arguments: usize) -> Option<Scalar> {
    use gauss::{LIMIT, NEAR, SLOPE, TAIL};
    Some(Scalar {
        arguments: (0..arguments).map(|at| (at, Read::Broadcast)).collect(),
        constants: json!({ "near": NEAR, "tail": TAIL, "slope": SLOPE, "limit": LIMIT }),
    })
}

impl Named for Gelu {
    const NAME: &'static str = "gelu";
    const DOC: &'static str = "x P(x), P the distribution function of the normal";
}

impl Op for Gelu {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        arity(inputs).map(|[x]| x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        30 * output.elements() as u64
    }
    fn scalar(&self, _: &[TensorType]) -> Option<Scalar> {
        scalar(1)
    }
}

impl Gradient for Gelu {
    fn grad(&self, back: &mut Backward<'_>, dy: NodeId) -> Result<Vec<Option<NodeId>>, ShapeError> {
        let x = back.input(0);
        Ok(vec![Some(back.add(GeluGrad, &[x, dy])?)])
    }
}

impl Lower for Gelu {}

impl ToOnnx for Gelu {
    fn onnx(&self, node: &mut OnnxNode<'_, '_>) -> Result<(), OnnxError> {
        // x / 2 (1 + erf(x / sqrt 2)); the operator of its own is younger than the operator set.
        let x = node.input(0)?;
        let (half, one) = (node.number("half", 0.5), node.number("one", 1.0));
        let root = node.number("root", std::f64::consts::FRAC_1_SQRT_2);
        let scaled = node.add("Mul", &[&x, &root], &[]);
        let erf = node.add("Erf", &[&scaled], &[]);
        let share = node.add("Add", &[&erf, &one], &[]);
        let halved = node.add("Mul", &[&x, &half], &[]);
        node.emit("Mul", &[&halved, &share], &[])
    }
}

impl Named for GeluGrad {
    const NAME: &'static str = "gelu_grad";
    const DOC: &'static str = "gradient of gelu";
}

impl Op for GeluGrad {
    fn infer(&self, inputs: &[TensorType]) -> Result<TensorType, ShapeError> {
        let [x, dy] = arity(inputs)?;
        if x != dy {
            return Err(ShapeError::new(format!("{x} and its gradient {dy} differ")).at([0, 1]));
        }
        Ok(x.clone())
    }
    fn flops(&self, _: &[TensorType], output: &TensorType) -> u64 {
        34 * output.elements() as u64
    }
    fn scalar(&self, _: &[TensorType]) -> Option<Scalar> {
        scalar(2)
    }
}

impl Gradient for GeluGrad {}

impl Lower for GeluGrad {}

impl ToOnnx for GeluGrad {}

pub(super) const LAYER: LayerInfo = LayerInfo {
    name: Gelu::NAME,
    doc: "Gaussian error linear unit x (1 + erf(x / sqrt 2)) / 2, exact",
    tensors: (1, 1),
    settings: &[],
    build: |b, x, _| b.output(Gelu, x),
};
