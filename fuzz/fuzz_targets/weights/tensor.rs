//! As much of the runtime's tensor as the readers use.

/// Values of a tensor.
pub struct Tensor(Vec<f32>);

impl Tensor {
    /// A tensor of this shape, if the values fill it.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Tensor, String> {
        let count: usize = shape.iter().product();
        match data.len() == count {
            true => Ok(Tensor(data)),
            false => Err(format!("{} values for {shape:?}", data.len())),
        }
    }

    /// The values.
    pub fn data(&self) -> &[f32] {
        &self.0
    }
}
