//! Convolutions as implicit matrix products.

use serde::Serialize;
use serde_json::json;

use super::{LowerError, Lowering, Operand, Product, Tiling};
use crate::plan::Groups;

/// The extents of a convolution, by the letters of its kernels. `cin` and `cout` count per group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConvShape {
    /// Images.
    pub batch: usize,
    /// Rows of the convolution's input.
    pub h: usize,
    /// Columns of the convolution's input.
    pub w: usize,
    /// Rows of the convolution's output.
    pub oh: usize,
    /// Columns of the convolution's output.
    pub ow: usize,
    /// Input channels of a group.
    pub cin: usize,
    /// Output channels of a group.
    pub cout: usize,
    /// Channel groups.
    pub groups: usize,
    /// Rows of the kernel.
    pub kh: usize,
    /// Columns of the kernel.
    pub kw: usize,
    /// Step between rows.
    pub sh: usize,
    /// Step between columns.
    pub sw: usize,
    /// Padding above and below.
    pub ph: usize,
    /// Padding left and right.
    pub pw: usize,
    /// Distance of taps along the rows.
    pub dh: usize,
    /// Distance of taps along the columns.
    pub dw: usize,
}

impl ConvShape {
    fn taps(&self) -> usize {
        self.kh * self.kw
    }

    /// Whether every channel is a group of its own.
    fn is_depthwise(&self) -> bool {
        self.groups > 1 && (self.cin, self.cout) == (1, 1)
    }

    /// Whether every input pixel belongs to exactly one window and one tap.
    fn has_phases(&self) -> bool {
        (self.kh, self.kw) == (self.sh, self.sw)
            && (self.ph, self.pw, self.dh, self.dw) == (0, 0, 1, 1)
            && (self.h, self.w) == (self.oh * self.sh, self.ow * self.sw)
    }

    fn product(&self, m: usize, n: usize, k: usize) -> Product {
        Product {
            m,
            n,
            k,
            batch: self.groups,
            a_along_k: true,
            b_along_k: false,
            may_split: false,
        }
    }
}

/// A workgroup of `shared/sum_parts` per 256 elements.
fn sum_parts(
    lowering: &mut Lowering<'_>,
    parts: Operand,
    count: usize,
    n: usize,
) -> Result<(), LowerError> {
    let groups = Groups::for_elements(n);
    let constants = json!({ "n": n, "parts": count, "groups_x": groups.x });
    lowering.dispatch(
        "shared/sum_parts",
        constants,
        &[("parts", parts), ("y", Operand::Output)],
        groups,
    )
}

impl Lowering<'_> {
    /// Inputs `(x, w[, bias])` to `y`.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn conv(&mut self, shape: ConvShape) -> Result<(), LowerError> {
        if shape.is_depthwise() {
            return self.depthwise(shape, false);
        }
        let (m, k) = (shape.batch * shape.oh * shape.ow, shape.taps() * shape.cin);
        self.conv_kernel("conv2d", shape, &shape.product(m, shape.cout, k), false)
    }

    /// Inputs `(x, w[, bias])` to `y`; `shape` is that of the convolution whose transpose this is.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn conv_transpose(&mut self, shape: ConvShape) -> Result<(), LowerError> {
        if shape.is_depthwise() {
            return self.depthwise(shape, true);
        }
        let phases = shape.has_phases();
        let product = if phases {
            shape.product(
                shape.batch * shape.oh * shape.ow,
                shape.taps() * shape.cin,
                shape.cout,
            )
        } else {
            shape.product(
                shape.batch * shape.h * shape.w,
                shape.cin,
                shape.taps() * shape.cout,
            )
        };
        self.conv_kernel(
            "conv_transpose2d",
            shape,
            &Product {
                b_along_k: true,
                ..product
            },
            phases,
        )
    }

    fn depthwise(&mut self, shape: ConvShape, transposed: bool) -> Result<(), LowerError> {
        let bias = self.input_types().len() == 3;
        let constants = json!({ "c": shape, "bias": bias, "transposed": transposed });
        let mut operands = vec![
            ("x", Operand::Input(0)),
            ("w", Operand::Input(1)),
            ("y", Operand::Output),
        ];
        if bias {
            operands.push(("bias", Operand::Input(2)));
        }
        let elements = self.output().elements();
        self.per_element("shared/depthwise", elements, &constants, &operands)
    }

    fn conv_kernel(
        &mut self,
        name: &str,
        shape: ConvShape,
        product: &Product,
        phases: bool,
    ) -> Result<(), LowerError> {
        let tiling = Tiling::choose(product);
        let bias = self.input_types().len() == 3;
        #[derive(Serialize)]
        struct Conv {
            #[serde(flatten)]
            shape: ConvShape,
            bias: bool,
            phases: bool,
        }
        let constants = json!({ "c": Conv { shape, bias, phases }, "g": tiling, "entry": name });
        let mut operands = vec![
            ("x", Operand::Input(0)),
            ("w", Operand::Input(1)),
            ("y", Operand::Output),
        ];
        if bias {
            operands.push(("bias", Operand::Input(2)));
        }
        self.dispatch(name, constants, &operands, tiling.groups(product.batch))
    }

    /// Inputs `(x, dy)` to the gradient of the weight.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn conv_grad_weight(&mut self, shape: ConvShape) -> Result<(), LowerError> {
        if shape.is_depthwise() {
            return self.reduce(
                "shared/depthwise_grad_weight",
                [
                    shape.taps(),
                    shape.batch * shape.oh * shape.ow,
                    shape.groups,
                ],
                1,
                &json!({ "c": shape }),
                &[("x", Operand::Input(0)), ("dy", Operand::Input(1))],
                Operand::Output,
            );
        }
        let (m, k) = (shape.taps() * shape.cin, shape.batch * shape.oh * shape.ow);
        let product = Product {
            a_along_k: false,
            may_split: true,
            ..shape.product(m, shape.cout, k)
        };
        let tiling = Tiling::choose(&product);
        let elements = m * shape.cout * shape.groups;
        let to = if tiling.splits == 1 {
            Operand::Output
        } else {
            self.scratch(tiling.splits * elements)
        };
        let constants = json!({ "c": shape, "g": tiling, "entry": "conv2d_grad_weight" });
        let operands = [
            ("x", Operand::Input(0)),
            ("dy", Operand::Input(1)),
            ("dw", to),
        ];
        self.dispatch(
            "conv2d_grad_weight",
            constants,
            &operands,
            tiling.groups(product.batch),
        )?;
        if tiling.splits > 1 {
            sum_parts(self, to, tiling.splits, elements)
        } else {
            Ok(())
        }
    }

    /// Inputs `(a, b)` to their matrix product: `[batch, m, k, n]`, each operand transposed or not.
    ///
    /// # Errors
    /// As [`Lowering::dispatch`].
    pub fn matmul(
        &mut self,
        [batch, m, k, n]: [usize; 4],
        transpose: [bool; 2],
    ) -> Result<(), LowerError> {
        let [transpose_a, transpose_b] = transpose;
        let product = Product {
            m,
            n,
            k,
            batch,
            a_along_k: !transpose_a,
            b_along_k: transpose_b,
            may_split: batch == 1,
        };
        let tiling = Tiling::choose(&product);
        let elements = m * n;
        let to = if tiling.splits == 1 {
            Operand::Output
        } else {
            self.scratch(tiling.splits * elements)
        };
        let p = json!({ "transpose_a": transpose_a, "transpose_b": transpose_b, "a_batch": m * k, "b_batch": k * n });
        let constants = json!({ "p": p, "g": tiling, "entry": "matmul" });
        let operands = [
            ("a", Operand::Input(0)),
            ("b", Operand::Input(1)),
            ("y", to),
        ];
        self.dispatch("matmul", constants, &operands, tiling.groups(batch))?;
        if tiling.splits > 1 {
            sum_parts(self, to, tiling.splits, elements)
        } else {
            Ok(())
        }
    }
}
