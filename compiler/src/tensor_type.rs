//! The type of a tensor: its shape and its memory layout. Broadcasting is defined here alone.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The order of the axes of a tensor in memory. Shapes are always written in logical order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// Row-major in the order written.
    Plain,
    /// A feature map, written `[N, C, H, W]`, stored `[N, H, W, C]`.
    Image,
    /// A convolution weight, written `[O, I, KH, KW]`, stored `[KH, KW, I, O]`.
    Kernel,
}

/// Shape and layout of an `f32` tensor.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TensorType {
    /// Extents in logical order; empty for a scalar.
    pub shape: Vec<usize>,
    /// The order of its axes in memory.
    pub layout: Layout,
}

impl TensorType {
    /// A row-major tensor.
    pub fn plain(shape: impl Into<Vec<usize>>) -> Self {
        Self {
            shape: shape.into(),
            layout: Layout::Plain,
        }
    }

    /// A feature map `[N, C, H, W]`.
    pub fn image(shape: [usize; 4]) -> Self {
        Self {
            shape: shape.to_vec(),
            layout: Layout::Image,
        }
    }

    /// A convolution weight `[O, I, KH, KW]`.
    pub fn kernel(shape: [usize; 4]) -> Self {
        Self {
            shape: shape.to_vec(),
            layout: Layout::Kernel,
        }
    }

    /// A tensor of one element and no axis.
    pub fn scalar() -> Self {
        Self::plain([])
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Size in bytes as `f32`.
    pub fn bytes(&self) -> u64 {
        self.elements() as u64 * 4
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Logical axes in memory order, slowest first.
    pub fn memory_order(&self) -> Vec<usize> {
        match self.layout {
            Layout::Plain => (0..self.rank()).collect(),
            Layout::Image => vec![0, 2, 3, 1],
            Layout::Kernel => vec![2, 3, 1, 0],
        }
    }

    /// Distance in memory between neighbours along each logical axis, in elements.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![0; self.rank()];
        let mut step = 1;
        for axis in self.memory_order().into_iter().rev() {
            strides[axis] = step;
            step *= self.shape[axis];
        }
        strides
    }

    /// `[N, C, H, W]` of a feature map.
    ///
    /// # Errors
    /// Another layout.
    pub fn as_image(&self) -> Result<[usize; 4], ShapeError> {
        match (self.layout, self.shape.as_slice()) {
            (Layout::Image, &[n, c, h, w]) => Ok([n, c, h, w]),
            _ => Err(ShapeError::new(format!(
                "a feature map [N, C, H, W] is needed, not {self}"
            ))),
        }
    }

    /// Number and length of the rows that neighbours in memory form: the last axis of a row-major tensor, the channels
    /// of each pixel of a feature map.
    ///
    /// # Errors
    /// A convolution weight or a scalar, which has no rows.
    pub fn rows(&self) -> Result<[usize; 2], ShapeError> {
        let columns = match (self.layout, self.shape.as_slice()) {
            (Layout::Plain, &[.., columns]) | (Layout::Image, &[_, columns, _, _]) => columns,
            _ => {
                return Err(ShapeError::new(format!(
                    "tokens [.., C] or a feature map [N, C, H, W] are needed, not {self}"
                )));
            }
        };
        Ok([self.elements() / columns.max(1), columns])
    }

    /// `[O, I, KH, KW]` of a convolution weight.
    ///
    /// # Errors
    /// Another layout.
    pub fn as_kernel(&self) -> Result<[usize; 4], ShapeError> {
        match (self.layout, self.shape.as_slice()) {
            (Layout::Kernel, &[o, i, h, w]) => Ok([o, i, h, w]),
            _ => Err(ShapeError::new(format!(
                "a convolution weight [O, I, KH, KW] is needed, not {self}"
            ))),
        }
    }
}

impl fmt::Display for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let axes: Vec<_> = self.shape.iter().map(usize::to_string).collect();
        write!(f, "f32[{}]", axes.join(", "))
    }
}

impl fmt::Debug for TensorType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self.layout {
            Layout::Plain => Ok(()),
            other => write!(f, " {other:?}"),
        }
    }
}

/// Why an op refuses its inputs, in terms of the op alone. Elaboration adds names and places.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ShapeError {
    /// One lower-case sentence.
    pub message: String,
    /// Positions of the inputs at fault.
    pub inputs: Vec<usize>,
    /// What to do, with the numbers filled in.
    pub help: Option<String>,
}

impl ShapeError {
    /// An error about no input in particular.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            inputs: Vec::new(),
            help: None,
        }
    }

    /// Points at the inputs at fault.
    #[must_use]
    pub fn at(mut self, inputs: impl Into<Vec<usize>>) -> Self {
        self.inputs = inputs.into();
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// The inputs as an array.
///
/// # Errors
/// Another number of inputs.
pub fn arity<const N: usize>(inputs: &[TensorType]) -> Result<&[TensorType; N], ShapeError> {
    inputs.try_into().map_err(|_| {
        ShapeError::new(format!(
            "{N} tensor{} needed, {} given",
            if N == 1 { " is" } else { "s are" },
            inputs.len()
        ))
    })
}

/// The type that an element-wise op of `a` and `b` gives: equal extents, or 1 on one side; a
/// `Plain` tensor of lower rank is aligned at the last axis, and a tensor of one element goes with anything.
///
/// # Errors
/// Extents or layouts that do not go together.
pub fn broadcast(a: &TensorType, b: &TensorType) -> Result<TensorType, ShapeError> {
    if a == b || (b.rank() == 0) {
        return Ok(a.clone());
    }
    if a.rank() == 0 {
        return Ok(b.clone());
    }
    let refuse = |why: String| Err(ShapeError::new(why).at([0, 1]));
    if a.layout != b.layout {
        return refuse(format!("{a} and {b} differ in kind"));
    }
    let rank = a.rank().max(b.rank());
    let extent = |ty: &TensorType, axis: usize| {
        let missing = rank - ty.rank();
        if axis < missing {
            1
        } else {
            ty.shape[axis - missing]
        }
    };
    let mut shape = Vec::with_capacity(rank);
    for axis in 0..rank {
        shape.push(match (extent(a, axis), extent(b, axis)) {
            (x, y) if x == y => x,
            (1, y) => y,
            (x, 1) => x,
            (x, y) => {
                return refuse(format!(
                    "{a} and {b} differ along axis {axis}: {x} against {y}"
                ));
            }
        });
    }
    Ok(TensorType {
        shape,
        layout: a.layout,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strides_follow_the_layout() {
        assert_eq!(TensorType::image([2, 3, 4, 5]).strides(), [60, 1, 15, 3]);
        assert_eq!(TensorType::kernel([2, 3, 4, 5]).strides(), [1, 2, 30, 6]);
        assert_eq!(TensorType::plain([2, 3]).strides(), [3, 1]);
    }

    #[test]
    fn broadcasting_aligns_at_the_last_axis() {
        let joined = broadcast(&TensorType::plain([4, 1, 3]), &TensorType::plain([2, 3]));
        assert_eq!(joined, Ok(TensorType::plain([4, 2, 3])));
        assert!(broadcast(&TensorType::plain([4]), &TensorType::plain([3])).is_err());
        assert!(
            broadcast(
                &TensorType::image([1, 2, 3, 4]),
                &TensorType::plain([1, 2, 3, 4])
            )
            .is_err()
        );
    }
}
