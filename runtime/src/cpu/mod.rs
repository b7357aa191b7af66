//! The native executor: every op as a function on slices, generic over the element type.
//!
//! Images lie as `[N, H, W, C]`, convolution weights as `[KH, KW, I, O]`.

pub mod conv2d;
pub mod conv2d_grad_weight;
pub mod conv_kernel;
#[cfg(test)]
mod conv_reference;
pub mod conv_shape;
pub mod real;
pub mod scratch;
mod shared;
pub mod simd;
