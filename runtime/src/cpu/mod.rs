//! The native executor: every op as a function on slices, generic over the element type.
//!
//! Images lie as `[N, H, W, C]`, convolution weights as `[KH, KW, I, O]`.

pub mod real;
