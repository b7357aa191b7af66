//! Host tensors: a shape and its values, and the conversions between the order a user sees and the order in memory.

use hqcc_compiler::tensor_type::{Layout, TensorType};
use thiserror::Error;

/// Values of a tensor on the host, row-major in the order its shape is written (images `[N, C, H, W]`, weights `[O, I, KH, KW]`).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Vec<f32>,
}

/// Why values do not make a tensor.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TensorError {
    /// The number of values is not the product of the shape.
    #[error("{count} values do not fill a tensor of shape {shape:?}, which holds {expected}")]
    Count {
        /// The shape asked for.
        shape: Vec<usize>,
        /// The product of the shape.
        expected: usize,
        /// The values given.
        count: usize,
    },
}

impl Tensor {
    /// A tensor of `data` in the row-major order of `shape`.
    ///
    /// # Errors
    /// `TensorError::Count` when `data` does not fill `shape`.
    pub fn new(shape: impl Into<Vec<usize>>, data: Vec<f32>) -> Result<Self, TensorError> {
        let shape = shape.into();
        let expected = shape.iter().product();
        if data.len() != expected {
            return Err(TensorError::Count {
                shape,
                expected,
                count: data.len(),
            });
        }
        Ok(Self { shape, data })
    }

    /// A tensor filled with zeros.
    pub fn zeros(shape: impl Into<Vec<usize>>) -> Self {
        Self::full(shape, 0.0)
    }

    /// A tensor filled with one value.
    pub fn full(shape: impl Into<Vec<usize>>, value: f32) -> Self {
        let shape = shape.into();
        let data = vec![value; shape.iter().product()];
        Self { shape, data }
    }

    /// A tensor without axes.
    pub fn scalar(value: f32) -> Self {
        Self {
            shape: Vec::new(),
            data: vec![value],
        }
    }

    /// A tensor whose element `i`, counted row-major, is `f(i)`.
    pub fn from_fn(shape: impl Into<Vec<usize>>, f: impl FnMut(usize) -> f32) -> Self {
        let shape = shape.into();
        let data = (0..shape.iter().product()).map(f).collect();
        Self { shape, data }
    }

    /// The size of each axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values, row-major.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// The values, row-major, to be changed.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Gives the values away.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether it holds no values.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The same values under another shape of the same size.
    ///
    /// # Errors
    /// `TensorError::Count` when the sizes differ.
    pub fn reshaped(self, shape: impl Into<Vec<usize>>) -> Result<Self, TensorError> {
        Self::new(shape, self.data)
    }
}

/// Reorders an image batch from `[N, C, H, W]` to the order in memory, `[N, H, W, C]`.
pub fn image_to_memory<T: Copy>(shape: [usize; 4], logical: &[T]) -> Vec<T> {
    permute(logical, shape, [0, 2, 3, 1])
}

/// Reorders an image batch from the order in memory, `[N, H, W, C]`, to `[N, C, H, W]`; `shape` is `[N, C, H, W]`.
pub fn image_from_memory<T: Copy>([n, c, h, w]: [usize; 4], memory: &[T]) -> Vec<T> {
    permute(memory, [n, h, w, c], [0, 3, 1, 2])
}

/// Reorders a convolution weight from `[O, I, KH, KW]` to the order in memory, `[KH, KW, I, O]`.
pub fn kernel_to_memory<T: Copy>(shape: [usize; 4], logical: &[T]) -> Vec<T> {
    permute(logical, shape, [2, 3, 1, 0])
}

/// Reorders a convolution weight from the order in memory, `[KH, KW, I, O]`, to `[O, I, KH, KW]`; `shape` is `[O, I, KH, KW]`.
pub fn kernel_from_memory<T: Copy>([o, i, kh, kw]: [usize; 4], memory: &[T]) -> Vec<T> {
    permute(memory, [kh, kw, i, o], [3, 2, 0, 1])
}

/// Values in the order of memory, from logical order.
pub fn to_memory<T: Copy>(ty: &TensorType, values: &[T]) -> Vec<T> {
    match (ty.layout, ty.shape.as_slice()) {
        (Layout::Image, &[n, c, h, w]) if c > 1 => image_to_memory([n, c, h, w], values),
        (Layout::Kernel, &[o, i, h, w]) => kernel_to_memory([o, i, h, w], values),
        _ => values.to_vec(),
    }
}

/// Values in logical order, from the order of memory.
pub fn from_memory<T: Copy>(ty: &TensorType, memory: &[T]) -> Vec<T> {
    match (ty.layout, ty.shape.as_slice()) {
        (Layout::Image, &[n, c, h, w]) if c > 1 => image_from_memory([n, c, h, w], memory),
        (Layout::Kernel, &[o, i, h, w]) => kernel_from_memory([o, i, h, w], memory),
        _ => memory.to_vec(),
    }
}

/// The values of a row-major tensor of `shape` with its axes in another `order`: axis `k` of the result is axis `order[k]`.
fn permute<T: Copy>(values: &[T], shape: [usize; 4], order: [usize; 4]) -> Vec<T> {
    let stride = [
        shape[1] * shape[2] * shape[3],
        shape[2] * shape[3],
        shape[3],
        1,
    ];
    let [size, step] = [order.map(|k| shape[k]), order.map(|k| stride[k])];
    let mut out = Vec::with_capacity(values.len());
    for a in 0..size[0] {
        for b in 0..size[1] {
            for c in 0..size[2] {
                let base = a * step[0] + b * step[1] + c * step[2];
                out.extend((0..size[3]).map(|d| values[base + d * step[3]]));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_lies_with_its_channels_together() {
        let logical: Vec<u32> = (0..2 * 3 * 4 * 5).collect();
        let memory = image_to_memory([2, 3, 4, 5], &logical);
        assert_eq!(memory[..4], [0, 20, 40, 1]);
        assert_eq!(image_from_memory([2, 3, 4, 5], &memory), logical);
    }

    #[test]
    fn a_kernel_lies_with_its_outputs_together() {
        let logical: Vec<u32> = (0..2 * 3 * 4 * 5).collect();
        let memory = kernel_to_memory([2, 3, 4, 5], &logical);
        assert_eq!(memory[..3], [0, 60, 20]);
        assert_eq!(kernel_from_memory([2, 3, 4, 5], &memory), logical);
    }

    #[test]
    fn a_wrong_count_is_refused() {
        assert!(Tensor::new([2, 2], vec![0.0; 3]).is_err());
        assert!(Tensor::zeros([2, 3]).reshaped([3, 2]).is_ok());
    }
}
